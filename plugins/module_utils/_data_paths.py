# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the engines of a host keep their data (private). Nothing here changes the host."""

from __future__ import annotations

import json
import posixpath
import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._engine_state import (
    EngineState,
    api_json,
    observe,
    parse_config,
    read_process,
    service_properties,
)
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError, HostError, RefusedError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import Host, UserAccount
from ansible_collections.bulwark.docker.plugins.module_utils._instance import Instance, rootless_instance

__all__ = ["DataPath", "check_path", "find_data_paths", "rootless_data_root", "without_volumes"]

DEFAULT_DATA_ROOT = "/var/lib/docker"
DEFAULT_CONTAINERD_ROOT = "/var/lib/containerd"
ROOTLESS_DATA = ".local/share/docker"
# With userns-remap the engine keeps everything below UID.GID of the mapped root (moby, daemon/daemon_unix.go).
REMAPPED = re.compile(r"\d+\.\d+")
# What an engine and the containerd that it starts create below a data-root (moby, daemon/*.go), volumes apart.
DATA_ROOT_CHILDREN = (
    "btrfs",
    "buildkit",
    "containerd",
    "containers",
    "devicemapper",
    "fuse-overlayfs",
    "image",
    "network",
    "overlay2",
    "plugins",
    "rootfs",
    "runtimes",
    "swarm",
    "tmp",
    "trust",
    "vfs",
    "zfs",
)
# Nobody keeps an engine's data alone in one of these; to exclude them would blind the scanner.
SYSTEM_DIRECTORIES = frozenset(
    """
    / /bin /boot /dev /etc /home /lib /lib32 /lib64 /media /mnt /opt /proc /root /run /sbin /srv /sys /tmp /usr
    /usr/bin /usr/lib /usr/lib64 /usr/local /usr/sbin /usr/share /var /var/cache /var/lib /var/log /var/spool /var/tmp
    """.split()
)
# No tool's configuration can carry these in one and the same way.
UNWRITABLE = re.compile(r"[\s\x00-\x1f\x7f\"'\\{}]")
ROOT_SETTING = re.compile(r"""root\s*=\s*["']([^"']+)["']""")


class DataPath(NamedTuple):
    """A directory of engine data; C(kind) is data-root, containerd or rootless, C(user) the owner of a rootless one."""

    path: str
    kind: str
    user: str


def check_path(path: str, asked: str) -> str:
    """The path in its plain form.

    Raises ConfigError for a path that is not absolute or that no configuration file can carry, RefusedError for one
    that belongs to the system.
    """
    plain = posixpath.normpath(path)
    if not plain.startswith("/") or UNWRITABLE.search(plain):
        raise ConfigError(
            f"{asked}: {path!r} is not an absolute path without blanks, quotes, braces and backslashes; "
            "use a directory with a plain name"
        )
    plain = "/" + plain.lstrip("/")
    if plain in SYSTEM_DIRECTORIES or re.fullmatch(r"/home/[^/]+", plain):
        raise RefusedError(
            f"{asked}: {plain} holds more than the engine's data, so excluding it would blind the scanners; "
            "give the engine a data-root of its own"
        )
    return plain


def find_data_paths(host: Host, instance: Instance, rootless: bool) -> List[DataPath]:
    """The directories in which the engines of this host really keep their data, in a fixed order.

    Args:
        host: access to the host.
        instance: the system's engine.
        rootless: whether the engines of users count too.

    Raises HostError when the host has no engine at all.
    """
    found: List[DataPath] = []
    if service_properties(host, instance, instance.service, ["LoadState"]).get("LoadState") == "loaded":
        state = observe(host, instance)
        found += [DataPath(path, "data-root", "") for path in _data_roots(host, state)]
        found += [DataPath(path, "containerd", "") for path in _containerd_root(host, instance)]
    if rootless:
        found += [entry for user in _users(host) for entry in _rootless_data(host, user)]
    if not found:
        raise HostError(
            f"find the engine's data: this host has neither {instance.service} nor a rootless engine; "
            "install the engine first, or name its unit in the option service"
        )
    unique: Dict[str, DataPath] = {}
    for entry in found:
        unique.setdefault(check_path(entry.path, "exclude the engine's data"), entry)
    paths = [entry._replace(path=path) for path, entry in sorted(unique.items())]
    return [entry for entry in paths if not any(_inside(entry.path, other.path) for other in paths)]


def _inside(path: str, folder: str) -> bool:
    return path.startswith(folder + "/")


def without_volumes(paths: Sequence[DataPath]) -> List[str]:
    """The directories below the data paths that are the engine's own, so that scanners go on reading volumes."""
    found: List[str] = []
    for entry in paths:
        if entry.kind == "containerd":
            found.append(entry.path)
        else:
            found += [f"{entry.path}/{child}" for child in DATA_ROOT_CHILDREN]
    return found


def _data_roots(host: Host, state: EngineState) -> List[str]:
    if state.answering:
        return [host.real_path(str(state.info.get("DockerRootDir") or DEFAULT_DATA_ROOT))]
    # An engine that is down cannot be asked; what it would use at its next start counts.
    data = parse_config(state).data
    merged: Dict[str, Any] = {**data, **_flag_values(state)}
    root = host.real_path(str(merged.get("data-root") or merged.get("graph") or DEFAULT_DATA_ROOT))
    if not merged.get("userns-remap"):
        return [root]
    remapped = [f"{root}/{name}" for name in host.list_directory(root) if REMAPPED.fullmatch(name)]
    return remapped or [root]


def _flag_values(state: EngineState) -> Dict[str, Any]:
    known = ("data-root", "graph", "userns-remap")
    return {name: texts[-1] for name, texts in state.flags.values.items() if name in known and texts}


def _containerd_root(host: Host, instance: Instance) -> List[str]:
    program = host.which("containerd")
    if program is None:
        return []
    properties = service_properties(host, instance, "containerd.service", ["MainPID"])
    process = read_process(host, int(properties.get("MainPID") or 0))
    argv: Tuple[str, ...] = process.argv if process else ()
    root = _option(argv, "--root")
    if root is None:
        config = _option(argv, "--config") or _option(argv, "-c")
        command = [program, *(["--config", config] if config else []), "config", "dump"]
        root = _root_setting(host.run(command, timeout=30.0).stdout) or DEFAULT_CONTAINERD_ROOT
    real = host.real_path(root)
    return [real] if host.stat(real) is not None else []


def _option(argv: Sequence[str], name: str) -> Optional[str]:
    for position, word in enumerate(argv):
        if word.startswith(name + "="):
            return word[len(name) + 1 :]
        if word == name and position + 1 < len(argv):
            return argv[position + 1]
    return None


def _root_setting(text: str) -> Optional[str]:
    """The top-level key root of containerd's configuration; tables begin with a bracket."""
    for line in text.splitlines():
        if line.lstrip().startswith("["):
            return None
        match = ROOT_SETTING.match(line.strip())
        if match:
            return match.group(1)
    return None


def _users(host: Host) -> List[UserAccount]:
    """Local users, and those of a directory service whose engine runs."""
    lines = (host.read_file("/etc/passwd") or b"").decode("utf-8", "surrogateescape").splitlines()
    local = {row[2]: row[0] for row in (line.split(":") for line in lines) if len(row) == 7}
    for uid in host.list_directory("/run/user"):
        if uid not in local and host.stat(f"/run/user/{uid}/docker.sock") is not None:
            local[uid] = host.run(["getent", "passwd", uid], timeout=30.0).stdout.partition(":")[0]
    accounts = [host.user(name) for name in sorted(set(local.values()) - {""})]
    return [account for account in accounts if account is not None and account.uid != 0]


def rootless_data_root(home: str) -> str:
    """Where the engine of a user keeps its data unless it is told otherwise."""
    return f"{home.rstrip('/')}/{ROOTLESS_DATA}"


def _rootless_data(host: Host, user: UserAccount) -> List[DataPath]:
    instance = rootless_instance(user.name, user.uid, user.gid, user.home)
    root = ""
    if host.stat(instance.api_socket) is not None:
        try:
            root = str(api_json(host, instance, "/info").get("DockerRootDir") or "")
        except HostError:
            root = ""  # the socket of an engine that has ended
    root = root or _configured_root(host, instance.config_path) or rootless_data_root(user.home)
    return [DataPath(host.real_path(root), "rootless", user.name)] if host.stat(root) is not None else []


def _configured_root(host: Host, path: str) -> str:
    raw = host.read_file(path)
    if raw is None:
        return ""
    try:
        data = json.loads(raw.decode("utf-8"))
        return str(data.get("data-root") or "")
    except (ValueError, AttributeError) as exc:
        raise ConfigError(
            f"find the data of a rootless engine: {exc} ({path}); mend that file, its engine cannot start with it"
        ) from exc
