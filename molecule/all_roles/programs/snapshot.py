# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print what this host is: its files with owner, mode and content, its units, its kernel's rules."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess

# Read as a whole; of the programs of packages the size and the time of the last change are enough.
READ = ("/etc", "/home", "/opt", "/root", "/srv", "/var")
COMPARED = ("/boot", "/usr")
# What every boot, log-in, container or package index writes, and the copies that the tools of accounts keep.
LEFT_OUT = (
    "/etc/group-",
    "/etc/gshadow-",
    "/etc/passwd-",
    "/etc/shadow-",
    "/etc/subgid-",
    "/etc/subuid-",
    "/srv/proof",
    "/var/cache",
    "/var/lib/apt",
    "/var/lib/containerd",
    "/var/lib/docker",
    "/var/lib/systemd",
    "/var/log",
    "/var/tmp",
)
ASKED = {
    "units": ["systemctl", "list-unit-files", "--no-legend", "--no-pager", "--plain"],
    "active": ["systemctl", "is-active", "docker.service", "docker.socket", "containerd.service", "auditd.service"],
    "audit rules": ["auditctl", "-l"],
    "socket": ["stat", "--format", "%a %U %G", "/run/docker.sock"],
    "ports": ["sysctl", "-n", "net.ipv4.ip_unprivileged_port_start"],
    "lingering": ["find", "/var/lib/systemd/linger", "-type", "f"],
    "profiles": ["cat", "/sys/kernel/security/apparmor/profiles"],
}


def entry(path: str, read: bool) -> list[str]:
    """Return kind and mode, owner, and content, size or target of one file."""
    found = os.lstat(path)
    known = [f"{found.st_mode:o}", f"{found.st_uid}:{found.st_gid}"]
    if stat.S_ISLNK(found.st_mode):
        return [*known, os.readlink(path)]
    if stat.S_ISREG(found.st_mode) and read:
        with open(path, "rb") as stream:
            return [*known, hashlib.sha256(stream.read()).hexdigest()]
    if stat.S_ISREG(found.st_mode):
        return [*known, f"{found.st_size} {found.st_mtime_ns}"]
    return known


def files(root: str, read: bool) -> dict[str, list[str]]:
    """Return all entries below a directory of its own file system."""
    device = os.lstat(root).st_dev
    found: dict[str, list[str]] = {}
    for folder, folders, names in os.walk(root):
        kept = [path for name in folders if (path := os.path.join(folder, name)) not in LEFT_OUT]
        folders[:] = [os.path.basename(path) for path in kept if os.lstat(path).st_dev == device]
        for path in [*kept, *(os.path.join(folder, name) for name in names)]:
            if path in LEFT_OUT:
                continue
            try:
                found[path] = entry(path, read)
            except FileNotFoundError:
                continue
    return found


def main() -> None:
    """Print all of it as JSON."""
    state: dict[str, object] = {"files": {}}
    for root in READ + COMPARED:
        state["files"].update(files(root, root in READ))
    for name, argv in ASKED.items():
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        lines = done.stdout.decode().splitlines()
        state[name] = sorted(line for line in lines if not line.startswith("session-"))
    print(json.dumps(state))


if __name__ == "__main__":
    main()
