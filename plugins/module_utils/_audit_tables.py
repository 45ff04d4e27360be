# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts about what to audit, as data (private): subjects, names of programs, system calls, packages.

Sources: moby and containerd (names, directories), linux include/asm-generic/audit_*.h (which system calls a permission
filter looks at), CIS Docker Benchmark ids as in docker-bench-security.
"""

from __future__ import annotations

from typing import Dict, NamedTuple, Tuple

__all__ = [
    "CLIENT_EXECUTION",
    "EXECUTIONS",
    "EXTENSION_SYSCALLS",
    "KEYS",
    "LAYER_DIRECTORIES",
    "MACHINES",
    "METADATA_DIRECTORIES",
    "PACKAGES",
    "PROGRAMS",
    "RUNTIME_EXECUTION",
    "SNAPSHOTTER_PREFIX",
    "SPACE_SETTINGS",
    "SUBJECTS",
    "Abi",
    "Subject",
]


class Subject(NamedTuple):
    """One thing to watch; C(key) is its audit key, C(cis) the ids of the CIS Docker Benchmark 1.6 to 1.8."""

    key: str
    title: str
    cis: Tuple[str, ...] = ()


CLIENT_EXECUTION = "docker-exec-client"
RUNTIME_EXECUTION = "docker-exec-runtime"

# ausearch -k finds parts of words, so no key is part of another one.
SUBJECTS: Tuple[Subject, ...] = (
    Subject("docker-engine", "programs of the engine", ("1.1.3",)),
    Subject("docker-client", "client and its plugins"),
    Subject("docker-containerd", "programs of containerd", ("1.1.14",)),
    Subject("docker-shim", "shims of containerd", ("1.1.15", "1.1.16", "1.1.17")),
    Subject("docker-runtime", "container runtimes", ("1.1.18",)),
    Subject("docker-units", "units and their drop-ins", ("1.1.7", "1.1.9")),
    Subject("docker-config", "the engine's configuration and certificates", ("1.1.6", "1.1.11")),
    Subject("docker-defaults", "the environment of the units", ("1.1.10", "1.1.13")),
    Subject("docker-toml", "containerd's configuration", ("1.1.12",)),
    Subject("docker-sockets", "API sockets", ("1.1.4", "1.1.8", "1.1.9")),
    Subject("docker-apparmor", "AppArmor profiles"),
    Subject("docker-seccomp", "seccomp profile"),
    Subject("docker-subids", "subordinate ids"),
    Subject("docker-rootless", "rootless engines of users"),
    Subject("docker-data", "metadata of the data root", ("1.1.5",)),
    Subject("docker-blobs", "metadata and content of containerd"),
    Subject("docker-layers", "layers of images and containers"),
    Subject(CLIENT_EXECUTION, "executions of the client"),
    Subject(RUNTIME_EXECUTION, "executions of container runtimes"),
)
KEYS: Tuple[str, ...] = tuple(subject.key for subject in SUBJECTS)

# Old names too: a host that was upgraded often may still have them.
PROGRAMS: Dict[str, Tuple[str, ...]] = {
    "docker-engine": ("dockerd", "docker-proxy", "docker-init", "dockerd-rootless.sh", "rootlesskit"),
    "docker-client": ("docker", "docker-compose"),
    "docker-containerd": ("containerd", "ctr"),
    "docker-shim": ("containerd-shim-runc-v2", "containerd-shim-runc-v1", "containerd-shim"),
    "docker-runtime": ("runc", "crun"),
}
EXECUTIONS: Dict[str, Tuple[str, Tuple[str, ...]]] = {
    "client": (CLIENT_EXECUTION, ("docker", "docker-compose", "ctr")),
    "runtime": (RUNTIME_EXECUTION, ("runc", "crun")),
}

# Below the data root: what the engine remembers. Layers, volumes and build caches belong to the workloads.
METADATA_DIRECTORIES = ("containers", "image", "network", "swarm", "trust")
# The engine makes "runtimes" anew at each start, and the kernel drops a rule for a tree together with its directory.
METADATA_PATHS = ("runtimes", "volumes", "volumes/metadata.db")
LAYER_DIRECTORIES = (
    "aufs",
    "btrfs",
    "devicemapper",
    "fuse-overlayfs",
    "overlay",
    "overlay2",
    "rootfs",
    "vfs",
    "windowsfilter",
    "zfs",
)
SNAPSHOTTER_PREFIX = "io.containerd.snapshotter."

# What a filter for writing and for attributes reacts to. Given by name, since auditctl chooses a list of its own
# otherwise, and that of 4.0 misses fchmodat2; not "all", since a rule on a directory is tried at each call listed.
_AT_CALLS = (
    "acct bind fallocate fchmod fchmodat fchown fchownat fremovexattr fsetxattr ftruncate linkat lremovexattr "
    "lsetxattr mkdirat mknodat openat openat2 quotactl removexattr renameat2 setxattr swapon symlinkat truncate "
    "unlinkat"
).split()
_OLD_CALLS = "chmod chown creat lchown link mkdir mknod open rename renameat rmdir symlink unlink".split()
_WIDE_CALLS = "chown32 fchown32 ftruncate64 lchown32 truncate64".split()
# Newer than many an auditctl, which takes their numbers (the same on all machines named below).
EXTENSION_SYSCALLS: Dict[str, str] = {
    "452": "fchmodat2",
    "463": "setxattrat",
    "466": "removexattrat",
    "469": "file_setattr",
}


class Abi(NamedTuple):
    """A system call interface: its name for auditctl, and the calls that change files."""

    arch: str
    syscalls: Tuple[str, ...]


def _abi(arch: str, *calls: Tuple[str, ...]) -> Abi:
    return Abi(arch, tuple(sorted(call for part in calls for call in part)) + tuple(EXTENSION_SYSCALLS))


_AT, _OLD, _WIDE = tuple(_AT_CALLS), tuple(_OLD_CALLS), tuple(_WIDE_CALLS)
# Both interfaces of a machine: a 32-bit program must not pass unseen. Other machines get rules for every call.
MACHINES: Dict[str, Tuple[Abi, ...]] = {
    "x86_64": (_abi("b64", _AT, _OLD), _abi("b32", _AT, _OLD, _WIDE)),
    "aarch64": (_abi("b64", _AT, ("renameat",)), _abi("b32", _AT, _OLD, _WIDE)),
}

# First word of ID or ID_LIKE in os-release that is known decides.
PACKAGES: Dict[str, str] = {
    "debian": "auditd",
    "ubuntu": "auditd",
    "fedora": "audit",
    "rhel": "audit",
    "centos": "audit",
    "suse": "audit",
    "opensuse": "audit",
    "arch": "audit",
}

# Settings of auditd.conf about the room for its log.
SPACE_SETTINGS = (
    "admin_space_left",
    "admin_space_left_action",
    "disk_error_action",
    "disk_full_action",
    "max_log_file",
    "max_log_file_action",
    "num_logs",
    "space_left",
    "space_left_action",
)
