# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What rootless engines need and what they cannot do, as data (private; may change at any time).

Sources: moby contrib/dockerd-rootless.sh and contrib/dockerd-rootless-setuptool.sh, the documentation of rootless mode,
rootlesskit docs/{network,port}.md, and trials on engines 20.10, 26.1 and 28.5.
"""

from __future__ import annotations

from typing import Dict, NamedTuple, Tuple

__all__ = [
    "ALWAYS",
    "BUS_FILES",
    "CONTROLLERS",
    "FAMILIES",
    "MODULES",
    "NATIVE_OVERLAY",
    "PACKAGES",
    "PING_RANGE",
    "ROOTLESSKIT_NAMES",
    "SCRIPT_NAME",
    "SCRIPT_PACKAGE",
    "SCRIPT_PATHS",
    "SMALLEST_RANGE",
    "SYSTEMD_FLOOR",
    "Limit",
]


class Limit(NamedTuple):
    """Something that a rootless engine does not do: name, sentence, and what to do about it ("" for nothing)."""

    name: str
    text: str
    remedy: str = ""


SCRIPT_NAME = "dockerd-rootless.sh"
# Docker's own packages put it on the path, Debian's docker.io beside it.
SCRIPT_PATHS: Tuple[str, ...] = (
    f"/usr/bin/{SCRIPT_NAME}",
    f"/usr/local/bin/{SCRIPT_NAME}",
    f"/usr/share/docker.io/contrib/{SCRIPT_NAME}",
    f"/usr/libexec/docker/{SCRIPT_NAME}",
    f"/usr/share/docker/contrib/{SCRIPT_NAME}",
)
SCRIPT_PACKAGE = "docker-ce-rootless-extras"
ROOTLESSKIT_NAMES: Tuple[str, ...] = ("docker-rootlesskit", "rootlesskit")
# The bus of a user, which runc asks for control groups.
BUS_FILES: Tuple[str, ...] = ("/usr/lib/systemd/user/dbus.socket", "/lib/systemd/user/dbus.socket")

# Words of ID and ID_LIKE in os-release(5).
FAMILIES: Dict[str, str] = {
    "debian": "debian",
    "ubuntu": "debian",
    "fedora": "redhat",
    "rhel": "redhat",
    "centos": "redhat",
    "suse": "suse",
    "opensuse": "suse",
    "arch": "arch",
}
# What is needed -> package by family; packages have the need's own name where a family is missing.
PACKAGES: Dict[str, Dict[str, str]] = {
    "newuidmap": {"debian": "uidmap", "redhat": "shadow-utils", "suse": "shadow", "arch": "shadow"},
    "user bus": {"debian": "dbus-user-session", "redhat": "dbus-daemon", "suse": "dbus-1", "arch": "dbus"},
    "pasta": {"debian": "passt", "redhat": "passt", "suse": "passt", "arch": "passt"},
    "slirp4netns": {},
    "fuse-overlayfs": {},
    "rootlesskit": {},
    "iptables": {},
}

SMALLEST_RANGE = 65536
# From here on a kernel lets a user mount an overlay (commit 459c7c565ac3).
NATIVE_OVERLAY = (5, 11)
# Older ones were not tried.
SYSTEMD_FLOOR = 248
CONTROLLERS: Tuple[str, ...] = ("cpu", "cpuset", "io", "memory", "pids")
PING_RANGE = "0 2147483647"
# A user cannot load modules, so those that engine and network need have to be there.
MODULES: Tuple[str, ...] = ("br_netfilter", "nf_tables", "ip_tables", "overlay", "tun")

ALWAYS: Tuple[Limit, ...] = (
    Limit("overlay_networks", "networks of the driver overlay do not work, so neither does swarm"),
    Limit("checkpoint", "checkpoint and restore of containers do not work"),
    Limit("sctp", "ports of the protocol SCTP cannot be published"),
    Limit("live_restore", "containers end with their engine, so a restart of it stops them"),
    Limit("host_network", "the network 'host' is that of the engine, not that of the host"),
    Limit("mounts", "file systems of block devices and NFS cannot be mounted by volumes"),
)
