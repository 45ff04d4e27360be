# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ``ansible-test sanity`` on a copy of the checkout, with PyPI as its only source.

Run it with the Python of the environment whose ansible-core shall judge. ansible-test insists on
a real directory named ansible_collections/bulwark/docker, hence the copy; it holds what git would
track. ansible-test's home is a cache of our own, so that its virtual environments are made once
and a user's ~/.ansible stays as it is. Adds its counts to the file named by BULWARK_TALLY.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from ansible_test._internal import python_requirements

ROOT = Path(__file__).resolve().parents[2]
# In place of the script that ansible-test would download: pip comes with Python itself.
BOOTSTRAP = 'import subprocess, sys\n\nsubprocess.check_call([sys.executable, "-m", "ensurepip", "--upgrade"])\n'
BANNER = re.compile(r'^Running sanity test "([^"]+)"')
# A sanity test that ran nothing, for want of a program, has proved nothing.
EMPTY = re.compile(r'^WARNING: Required program "([^"]+)" not found')
SUMMARY = re.compile(r"^FATAL: The (\d+) sanity test\(s\) listed below")


def cache_directory() -> Path:
    """Return the project's cache: $BULWARK_CACHE or the user's cache directory."""
    chosen = os.environ.get("BULWARK_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bulwark-docker"


def pip_version() -> str:
    """Return the version of pip that this ansible-test pins; its bootstrap file is named after it."""
    source = Path(python_requirements.__file__).read_text(encoding="utf-8")
    found = re.search(r"""default_packages = dict\(\s*pip=['"]([0-9.]+)['"]""", source)
    if not found:
        raise SystemExit(
            "sanity: this ansible-test pins pip in a way that sanity.py does not know; correct pip_version()"
        )
    return found[1]


def put_bootstrap(home: Path) -> None:
    """Put the pip bootstrap where ansible-test looks before it downloads one."""
    script = home / ".ansible/test/cache" / f"get_pip_{pip_version().replace('.', '_')}.py"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(BOOTSTRAP, encoding="utf-8")


def copy_checkout(target: Path) -> int:
    """Copy every file that git tracks or would track; return how many there were."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    names = [name for name in os.fsdecode(listing.stdout).split("\0") if name and (ROOT / name).is_file()]
    shutil.rmtree(target, ignore_errors=True)
    for name in names:
        destination = target / name
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, destination)
    return len(names)


def sanity(target: Path, home: Path) -> tuple[int, int]:
    """Run all sanity tests; return (passed, failed) as ansible-test reports them."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    command = [
        str(Path(sys.executable).with_name("ansible-test")),
        "sanity",
        "--color",
        "no",
        "--venv",
        "--python",
        version,
    ]
    environment = {**os.environ, "HOME": str(home)}
    process = subprocess.Popen(
        command,
        cwd=target,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    ran: set[str] = set()
    failed = 0
    empty = 0
    for line in process.stdout or ():
        sys.stdout.write(line)
        banner, summary = BANNER.match(line), SUMMARY.match(line)
        if banner:
            ran.add(banner[1])
        if EMPTY.match(line):
            empty += 1
        if summary:
            failed = int(summary[1])
    status = process.wait()
    if status and not failed:
        failed = 1
    failed += empty
    return max(len(ran) - failed, 0), failed


def main() -> int:
    # One for each Python, so that two can run side by side.
    base = cache_directory() / "sanity" / f"py{sys.version_info[0]}{sys.version_info[1]}"
    base.mkdir(parents=True, exist_ok=True)
    with open(base / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        home = base / "home"
        target = base / "ansible_collections/bulwark/docker"
        put_bootstrap(home)
        print(f"sanity: {copy_checkout(target)} files", flush=True)
        passed, failed = sanity(target, home)
    print(f"sanity: {passed} passed, {failed} failed")
    if "BULWARK_TALLY" in os.environ:
        with open(os.environ["BULWARK_TALLY"], "a", encoding="utf-8") as tally:
            tally.write(json.dumps({"passed": passed, "failed": failed}) + "\n")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
