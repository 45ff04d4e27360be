# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the project's Python environments: .venv/py311, .venv/py313 and so on.

One environment belongs to one Python version and holds the pinned packages of
requirements/py311.txt or py312.txt, the collections of requirements/collections.txt and a
symlink that makes the checkout importable as ``ansible_collections.bulwark.docker``.
It is made anew when one of these inputs changes; otherwise nothing happens.
Runs under any Python from 3.11 with the standard library alone.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
VENVS = ROOT / ".venv"
TREE = VENVS / "tree"
OLDEST = (3, 11)
NEWEST = (3, 14)
STAMP = "bulwark-stamp"
LINK = Path("ansible_collections/bulwark/docker")
PROBE = "import ensurepip, os, sys, venv; print(*sys.version_info[:2], os.path.realpath(sys._base_executable))"


class VenvError(Exception):
    """An environment cannot be made; the text says what is wrong and what to do."""


def requirements_for(version: tuple[int, int]) -> Path:
    """Return the file of pins for one Python version, or raise VenvError when there is none."""
    if not OLDEST <= version <= NEWEST:
        asked = ".".join(map(str, version))
        raise VenvError(
            f"Python {asked}: this project runs under 3.11 to 3.14; name one of those: make PYTHON=python3.13 venv"
        )
    return ROOT / "requirements" / ("py311.txt" if version < (3, 12) else "py312.txt")


def listed(path: Path) -> list[str]:
    """Return the entries of a plain list file, without comments and empty lines."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


class Interpreter(NamedTuple):
    """A Python that can make environments: the program itself, whatever link, shim or environment led to it."""

    path: str
    version: tuple[int, int]


def examine(python: str) -> Interpreter | None:
    """Return what a command is that may be a Python, None when it cannot make environments."""
    try:
        done = subprocess.run([python, "-c", PROBE], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.fullmatch(r"(\d+) (\d+) (.+)\n", done.stdout)
    return Interpreter(match[3], (int(match[1]), int(match[2]))) if done.returncode == 0 and match else None


def interpreters() -> Iterator[str]:
    """Yield commands that may be a Python from 3.11 on, newest version first within each place."""
    minors = range(NEWEST[1], OLDEST[1] - 1, -1)
    for minor in minors:
        found = shutil.which(f"python3.{minor}")
        if found:
            yield found
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for minor in minors:
        yield from map(str, sorted(pyenv.glob(f"3.{minor}.*/bin/python"), reverse=True))


def second_python(first: tuple[int, int]) -> Interpreter | None:
    """Find the Python for the other ansible-core: a 3.12+ beside 3.11, a 3.11 beside 3.12+."""
    for command in interpreters():
        found = examine(command)
        if found and OLDEST <= found.version <= (3, 13) and (found.version < (3, 12)) != (first < (3, 12)):
            return found
    return None


def environment_of(version: tuple[int, int]) -> Path:
    """Return the directory of the environment for one Python version."""
    return VENVS / f"py{version[0]}{version[1]}"


def fingerprint(python: Interpreter) -> str:
    """Return a digest of everything that decides what an environment holds."""
    digest = hashlib.sha256(f"{python.version} {python.path}\n".encode())
    for path in (
        requirements_for(python.version),
        ROOT / "requirements/collections.txt",
        ROOT / "requirements/bundle.txt",
    ):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@contextmanager
def alone() -> Iterator[None]:
    """Hold the lock that keeps two makers from working on the same environment."""
    VENVS.mkdir(exist_ok=True)
    with open(VENVS / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run(*command: str | Path) -> None:
    """Run one program quietly; its failure is a VenvError with the program's own words."""
    words = [str(part) for part in command]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise VenvError(f"{' '.join(words)}: ended with status {done.returncode}\n{done.stdout.strip()}")


def unpack_collections(environment: Path, site_packages: Path) -> None:
    """Take the wanted collections, and nothing else, out of the pinned wheel of "ansible"."""
    names = listed(ROOT / "requirements/collections.txt")
    with tempfile.TemporaryDirectory(dir=environment) as scratch:
        run(environment / "bin/pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", scratch,
            "--requirement", ROOT / "requirements/bundle.txt")  # fmt: skip
        [wheel] = Path(scratch).glob("ansible-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            members = archive.namelist()
            for name in names:
                prefix = f"ansible_collections/{name.replace('.', '/')}/"
                inside = [member for member in members if member.startswith(prefix)]
                if not inside:
                    raise VenvError(f"{name}: not in {wheel.name}; correct requirements/collections.txt or bundle.txt")
                archive.extractall(site_packages, inside)


def link_checkout(parent: Path) -> None:
    """Make parent/ansible_collections/bulwark/docker a symlink to this checkout."""
    link = parent / LINK
    if link.is_symlink() and Path(os.readlink(link)) == ROOT:
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(ROOT)


def make(python: Interpreter) -> Path:
    """Make or keep the environment of one Python and return its directory."""
    environment = environment_of(python.version)
    site_packages = environment / "lib/python{}.{}/site-packages".format(*python.version)
    stamp = environment / STAMP
    wanted = fingerprint(python)
    with alone():
        if not (stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted):
            started = time.monotonic()
            pins = requirements_for(python.version)
            print(f"venv: making {environment.relative_to(ROOT)} from requirements/{pins.name}", flush=True)
            stamp.unlink(missing_ok=True)
            run(python.path, "-m", "venv", "--clear", environment)
            run(environment / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", pins)
            unpack_collections(environment, site_packages)
            stamp.write_text(wanted, encoding="utf-8")
            print(f"venv: {environment.relative_to(ROOT)} ready after {time.monotonic() - started:.0f} s", flush=True)
        link_checkout(site_packages)
        link_checkout(TREE)
    return environment


def environments_for(python: str, second: bool) -> list[Path]:
    """Make what is missing and return the environment of ``python`` and, if asked and possible, the other one.

    The second has the other ansible-core: the newest beside the floor, or the floor beside the newest.
    """
    first = examine(python)
    if first is None:
        raise VenvError(f"{python}: cannot make environments; install its venv module (on Debian: python3-venv)")
    other = second_python(first.version) if second else None
    return [make(interpreter) for interpreter in (first, other) if interpreter]


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the pinned Python environment of the project.")
    parser.add_argument("--second", action="store_true", help="also make the one for the other ansible-core")
    arguments = parser.parse_args()
    try:
        made = environments_for(sys.executable, arguments.second)
    except VenvError as error:
        print(f"venv: {error}", file=sys.stderr)
        return 1
    for environment in made:
        print(environment)
    return 0


if __name__ == "__main__":
    sys.exit(main())
