# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making the root file system of one suite out of distribution packages. This file is part of the cache key."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import uuid
from pathlib import Path

from . import recipe
from .process import run, say
from .recipe import HostError, Suite


def mirror() -> str:
    """The mirror that Debian packages come from: the machine's own where it is a Debian mirror."""
    done = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)"], capture_output=True, text=True, check=False
    )
    return recipe.choose_mirror(done.stdout.split())


def make(suite: Suite, key: str, work: Path) -> None:
    """Make `root/` and `info.json` in `work`; `key` is the public ssh key that the system lets in."""
    if os.geteuid() != 0:
        raise HostError("image: building one needs root; call hosts.py as root or with sudo")
    root = work / "root"
    say(f"{suite.name}: unpacking {suite.codename} packages (about a minute)")
    download = (
        f'mkdir -p "$1{recipe.REPOSITORY}/partial" && chroot "$1" apt-get -y --no-install-recommends --download-only'
        f" -o Dir::Cache::archives={recipe.REPOSITORY} install {' '.join(recipe.REPOSITORY_PACKAGES)}"
    )
    command = [
        # A process namespace of its own: when this program is killed, nothing goes on writing into `work`.
        *("setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--mount-proc", "--kill-child=KILL"),
        *("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--format=directory"),
        '--aptopt=Acquire::Check-Valid-Until "false"',
        f"--include={','.join(recipe.packages(suite))}",
        f"--customize-hook={download}",
        *(suite.codename, root, mirror()),
    ]
    run(command, what=f"image {suite.name}", timeout=1800)
    say(f"{suite.name}: writing its package repository and settings")
    _index_repository(root / recipe.REPOSITORY.lstrip("/"))
    _customise(root, key)
    run(["chroot", root, "apt-get", "-q", "update"], what=f"image {suite.name}: apt-get update")
    versions = run(
        ["chroot", root, "dpkg-query", "-W", "-f", "${Package} ${Version}\n", "docker.io", "linux-image-cloud-amd64"],
        what=f"image {suite.name}",
    )
    info = {"suite": suite.codename, "versions": dict(line.split() for line in versions.splitlines())}
    (work / "info.json").write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")


def _index_repository(folder: Path) -> None:
    """Write the `Packages` index of a folder of packages."""
    shutil.rmtree(folder / "partial", ignore_errors=True)
    (folder / "lock").unlink(missing_ok=True)
    stanzas = []
    for package in sorted(folder.glob("*.deb")):
        control = run(["dpkg-deb", "--field", package], what=f"package {package.name}")
        data = package.read_bytes()
        stanzas.append(recipe.packages_entry(control, package.name, len(data), hashlib.sha256(data).hexdigest()))
    if not stanzas:
        raise HostError(f"repository {folder}: no package was downloaded; look at the mirror in apt's configuration")
    (folder / "Packages").write_text("\n".join(stanzas), encoding="utf-8")


def _customise(root: Path, key: str) -> None:
    """Turn freshly installed packages into a test host: our files, masks, the key that logs in."""
    for leftover in (root / "etc/apt/sources.list.d").glob("*"):
        leftover.unlink()
    for name, text in recipe.FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(text, encoding="utf-8")
    units = root / "etc/systemd/system"
    for unit in recipe.MASKED_UNITS:
        path = units / unit
        path.unlink(missing_ok=True)
        path.symlink_to("/dev/null")
    for unit, target in recipe.WANTED_UNITS.items():
        wants = units / f"{target}.wants"
        wants.mkdir(exist_ok=True)
        (wants / unit).symlink_to(f"/etc/systemd/system/{unit}")
    # An empty machine-id would be a first boot, on which systemd resets every unit to its preset.
    (root / "etc/machine-id").write_text(uuid.uuid4().hex + "\n", encoding="utf-8")
    ssh = root / "root/.ssh"
    ssh.mkdir(mode=0o700, exist_ok=True)
    (ssh / "authorized_keys").write_text(key + "\n", encoding="utf-8")
    (ssh / "authorized_keys").chmod(0o600)
