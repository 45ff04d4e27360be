# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the host a container mounts, and what that gives away (pure, private)."""

from __future__ import annotations

import posixpath
from typing import Any, Iterable, Iterator, List, Mapping, NamedTuple, Sequence, Tuple

__all__ = ["HostMount", "dangers", "host_mounts", "mounted_paths", "private_paths", "socket_reached"]

# Whoever reads or writes below these, has the host or is well on the way; so has whoever mounts a parent of them.
SYSTEM_TREES = (
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/proc",
    "/root",
    "/run/containerd",
    "/run/dbus",
    "/run/docker",
    "/run/systemd",
    "/run/user",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lib/containerd",
    "/var/lib/kubelet",
    "/var/spool/cron",
)
# As a whole they are; single folders below them need not be.
SYSTEM_FOLDERS = ("/home", "/run", "/var", "/var/lib", "/var/log")
# What a user's own engine can reach of that user.
USER_TREES = (".bash_profile", ".bashrc", ".config", ".docker", ".gnupg", ".local/share/docker", ".profile", ".ssh")
# Public knowledge, as long as nobody writes there.
PUBLIC_TREES = (
    "/etc/ca-certificates",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/localtime",
    "/etc/machine-id",
    "/etc/os-release",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/etc/resolv.conf",
    "/etc/ssl/certs",
    "/etc/timezone",
    "/usr/lib/os-release",
    "/usr/local/share/ca-certificates",
    "/usr/share/ca-certificates",
    "/usr/share/zoneinfo",
)
# Every container has these devices anyway; the log takes lines from everybody.
HARMLESS = (
    "/dev/full",
    "/dev/log",
    "/dev/null",
    "/dev/random",
    "/dev/urandom",
    "/dev/zero",
    "/run/systemd/journal/dev-log",
)
ENGINE_SOCKETS = (
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/run/docker.sock",
    "/run/podman/podman.sock",
)


class HostMount(NamedTuple):
    """A path of the host in a container: as it was asked for, with links resolved, where, and by which volume."""

    source: str
    real: str
    target: str
    writable: bool
    volume: str

    @property
    def sentence(self) -> str:
        """What it is, for people."""
        through = f" (by the volume {self.volume})" if self.volume else ""
        really = f", which is {self.real}," if self.real != posixpath.normpath(self.source) else ""
        how = "for writing" if self.writable else "read-only"
        return f"mounts {self.source}{really} at {self.target} {how}{through}"


def _volume_source(volume: Mapping[str, Any]) -> str:
    """Path of the host behind a volume of the driver local: a directory or a device; "" where there is none."""
    options = volume.get("Options") or {}
    device = str(options.get("device") or "")
    bound = {"bind", "rbind"} & set(str(options.get("o") or "").split(","))
    return device if device.startswith("/dev/" if not bound else "/") else ""


def _sources(
    details: Mapping[str, Any], volumes: Sequence[Mapping[str, Any]]
) -> Iterator[Tuple[str, Mapping[str, Any], str]]:
    """(path of the host, entry of Mounts, volume) of each mount that is about the host."""
    by_name = {str(volume.get("Name")): volume for volume in volumes}
    for mount in details.get("Mounts") or []:
        if mount.get("Type") == "bind":
            yield str(mount.get("Source") or ""), mount, ""
        elif mount.get("Type") == "volume":
            name = str(mount.get("Name") or "")
            path = _volume_source(by_name.get(name, {}))
            if path:
                yield path, mount, name


def mounted_paths(details: Mapping[str, Any], volumes: Sequence[Mapping[str, Any]]) -> List[str]:
    """Paths of the host that a container mounts, by itself or through volumes; answers of the API."""
    return [path for path, _mount, _volume in _sources(details, volumes) if path]


def host_mounts(
    details: Mapping[str, Any], volumes: Sequence[Mapping[str, Any]], links: Mapping[str, str]
) -> List[HostMount]:
    """What of the host a container mounts; C(links) resolve the paths of mounted_paths()."""
    return [
        HostMount(
            source=path,
            real=links.get(path) or posixpath.normpath(path),
            target=str(mount.get("Destination") or ""),
            writable=bool(mount.get("RW", True)),
            volume=volume,
        )
        for path, mount, volume in _sources(details, volumes)
        if path
    ]


def _within(path: str, tree: str) -> bool:
    return path == tree or path.startswith(tree.rstrip("/") + "/")


def private_paths(data_root: str, home: str) -> Tuple[Tuple[str, ...], Tuple[str, ...]]:
    """Trees and folders that no container should see.

    Args:
        data_root: where the engine keeps its data.
        home: home directory of the user whose engine it is, "" for the system's.
    """
    if not home:
        return (*SYSTEM_TREES, *([data_root] if data_root else ())), SYSTEM_FOLDERS
    trees = [posixpath.join(home, name) for name in USER_TREES]
    return (*trees, *([data_root] if data_root else ()), "/run/user"), (home,)


def dangers(
    mounts: Iterable[HostMount], private: Tuple[Tuple[str, ...], Tuple[str, ...]], sockets: Sequence[str]
) -> List[str]:
    """Sentences about mounts that give away more of the host than a container should have.

    The sockets of engines themselves are left to socket_reached().
    """
    trees, folders = private
    found = []
    for mount in mounts:
        path = mount.real
        if path in HARMLESS or path in (*sockets, *ENGINE_SOCKETS):
            continue
        if not mount.writable and any(_within(path, tree) for tree in PUBLIC_TREES):
            continue
        below = any(_within(path, tree) for tree in trees)
        above = any(_within(place, path) for place in (*trees, *folders))
        if below or above:
            found.append(mount.sentence)
    return found


def socket_reached(mounts: Iterable[HostMount], sockets: Sequence[str]) -> List[str]:
    """Sentences about mounts through which a container reaches the socket of an engine, a directory above it too."""
    found = []
    for mount in mounts:
        reached = sorted({socket for socket in (*sockets, *ENGINE_SOCKETS) if _within(socket, mount.real)})
        if mount.real in reached:
            found.append(mount.sentence)
        elif reached:
            found.append(f"{mount.sentence}, and {reached[0]} lies there")
    return found
