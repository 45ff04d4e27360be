# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container tier: a whole system in Linux namespaces, without any container engine."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from . import recipe
from .process import MARKER, say
from .recipe import Host, HostError

_START = Path(__file__).parent / "container-start.sh"
_CGROUP_MOUNTS = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
_CONTROLLERS = ("cpuset", "cpu", "io", "memory", "pids")


def check_outer_machine() -> None:
    """Make sure that the outer machine can carry containers; tell which kernel features are missing."""
    if os.geteuid() != 0:
        raise HostError("container tier: needs root for its namespaces; call hosts.py as root or with sudo")
    for path, module in recipe.CONTAINER_KERNEL.items():
        if not Path(path).exists() and shutil.which("modprobe"):
            subprocess.run(["modprobe", "-q", module], check=False)
        if not Path(path).exists():
            say(f"container tier: the kernel has no {path} (module {module}); what needs it cannot be tested here")


def cgroup_root() -> Path | None:
    """The outer machine's cgroup v2 tree, or None when it cannot be written."""
    for name in _CGROUP_MOUNTS:
        path = Path(name)
        if (path / "cgroup.procs").exists() and (path / "cgroup.subtree_control").exists() and os.access(path, os.W_OK):
            return path
    return None


def cgroup_of(folder: Path) -> Path | None:
    """The cgroup of the container whose folder is `folder`, whether it exists or not."""
    root = cgroup_root()
    return None if root is None else root / f"bulwark-{recipe.digest(str(folder))}"


def make_cgroup(folder: Path) -> Path | None:
    """Make the cgroup of one container, with every controller that the outer machine lends."""
    group = cgroup_of(folder)
    if group is None:
        say("container tier: no writable cgroup v2 tree on this machine; containers share the caller's cgroup")
        return None
    for controller in _CONTROLLERS:
        # The machine's own layout may forbid any of them; a container without it still runs.
        try:
            (group.parent / "cgroup.subtree_control").write_text(f"+{controller}", encoding="utf-8")
        except OSError:
            continue
    try:
        group.mkdir(exist_ok=True)
    except OSError as error:
        say(f"container tier: no cgroup {group} ({error}); the container shares the caller's")
        return None
    return group


def remove_cgroup(folder: Path) -> None:
    """Remove the container's cgroup with everything below it; its processes must be gone."""
    group = cgroup_of(folder)
    if group is not None:
        for path, _folders, _files in os.walk(group, topdown=False):
            os.rmdir(path)


def on_overlay(folder: Path) -> bool:
    """Whether `folder` lies on a file system that cannot hold the upper half of an overlay."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", str(folder)], capture_output=True, text=True, check=True)
    return kind.stdout.strip() in {"overlayfs", "nfs", "fuseblk", "fuse"}


def command(group: Path | None) -> list[str]:
    """The command that becomes the container; it dies with the process that starts it."""
    join = f'echo $$ >"{group}/cgroup.procs" && ' if group else ""
    unshare = "unshare --mount --uts --ipc --net --pid --cgroup --fork --kill-child=KILL"
    return ["setpriv", "--pdeathsig", "KILL", "sh", "-c", f'{join}exec {unshare} "$0"', str(_START)]


def environment(host: Host, rootfs: Path, folder: Path, console: str) -> dict[str, str]:
    """What container-start.sh reads."""
    data = folder / "data"
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        MARKER: str(folder),
        "ROOTFS": str(rootfs / "root"),
        "DATA": str(data),
        "DATA_TMPFS": "1" if on_overlay(data) else "0",
        "IO": str(folder / "io"),
        "HOST_NAME": host.hostname,
        "CONSOLE": console,
        "MASKED": " ".join(recipe.CONTAINER_MASKED_UNITS),
        "CAPABILITIES": ",".join(f"+{name}" for name in recipe.CONTAINER_CAPABILITIES),
    }
