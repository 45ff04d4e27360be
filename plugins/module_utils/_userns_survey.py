# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a switch of userns-remap hides and breaks (pure, private).

Facts: moby daemon/daemon_unix.go (verifyPlatformContainerSettings), runc (host IPC: mqueue cannot be mounted from
another user namespace), and kernel inode_permission(); each tried on 20.10, 26.1 and 28.5.
"""

from __future__ import annotations

import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple
from typing import Mapping as Dictionary

from ansible_collections.bulwark.docker.plugins.module_utils._host_api import FileStat
from ansible_collections.bulwark.docker.plugins.module_utils._userns_mapping import Mapping, inside, outside

__all__ = [
    "Broken",
    "Consent",
    "Hidden",
    "Kernel",
    "bind_sources",
    "can_search",
    "hidden_as_dict",
    "image_names",
    "is_anonymous",
    "judge_container",
    "kernel_problem",
    "refusals",
    "remaining",
]

READ, WRITE, SEARCH = 4, 2, 1
ANONYMOUS = re.compile(r"[0-9a-f]{64}")
ANONYMOUS_LABEL = "com.docker.volume.anonymous"
# What the engine or the runtime refuses to a mapped container, by member of HostConfig.
HOST_NAMESPACES = (
    ("NetworkMode", "shares the host's network"),
    ("PidMode", "shares the host's processes"),
    ("IpcMode", "shares the host's IPC"),
)


class Broken(NamedTuple):
    """A container that could not run with the mapping, and why, as clauses."""

    name: str
    reasons: Tuple[str, ...]


class Hidden(NamedTuple):
    """Names of what the engine shows before the switch and not after it."""

    images: Tuple[str, ...]
    containers: Tuple[str, ...]
    volumes: Tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.images or self.containers or self.volumes)


class Kernel(NamedTuple):
    """What the kernel says of user namespaces; None where it has no such setting."""

    supported: bool
    most: Optional[int]
    unprivileged: Optional[int]


class Consent(NamedTuple):
    """What the user allows: hidden data, names of containers that will not run, stopping those that run."""

    hidden: bool
    broken: Tuple[str, ...]
    stop: bool


def kernel_problem(kernel: Kernel) -> str:
    """Why no container could get a user namespace, "" when it can; the engine needs no unprivileged ones."""
    if not kernel.supported:
        return "map container ids: the kernel has no user namespaces (/proc/self/ns/user); boot a kernel that has them"
    if kernel.most == 0:
        return (
            "map container ids: the kernel allows no user namespace (user.max_user_namespaces is 0); "
            "set it to at least the number of containers, for example in /etc/sysctl.d"
        )
    return ""


def can_search(found: FileStat, uid: int, gid: int) -> bool:
    """Whether these ids may enter a directory; the engine asks so for each parent of its data before it starts."""
    return bool(_bits(found, uid, gid) & SEARCH)


def _bits(found: FileStat, uid: int, gid: int) -> int:
    if found.uid == uid:
        return found.mode >> 6 & 7
    return (found.mode >> 3 if found.gid == gid else found.mode) & 7


def image_names(summary: Dictionary[str, Any]) -> List[str]:
    """Names of an image as GET /images/json shows it; its id where it has none."""
    tags = [str(tag) for tag in summary.get("RepoTags") or [] if tag != "<none>:<none>"]
    return tags or [str(summary["Id"])]


def is_anonymous(volume: Dictionary[str, Any]) -> bool:
    """Whether a volume belongs to one container, without a name of its own."""
    return bool(ANONYMOUS.fullmatch(str(volume["Name"]))) or ANONYMOUS_LABEL in (volume.get("Labels") or {})


def bind_sources(details: Dictionary[str, Any]) -> List[str]:
    """Host paths that a container mounts."""
    return [str(mount["Source"]) for mount in details.get("Mounts") or [] if mount.get("Type") == "bind"]


def _ids(details: Dictionary[str, Any]) -> Tuple[int, int]:
    """User and group of a container's first process; those of its root where they are named by words."""
    user, _colon, group = str((details.get("Config") or {}).get("User") or "0").partition(":")
    uid = int(user) if user.isdigit() else 0
    return uid, int(group) if group.isdigit() else 0


def _mount_reason(
    mount: Dictionary[str, Any], found: FileStat, ids: Tuple[int, int], mapping: Mapping
) -> Optional[str]:
    uid, gid = outside(ids[0], mapping.uids), outside(ids[1], mapping.gids)
    if uid is None or gid is None:
        return f"runs as {ids[0]}:{ids[1]}, for which the ranges are too short"
    writes = bool(mount.get("RW", True))
    wanted = READ | (WRITE if writes else 0) | (SEARCH if found.kind == "directory" else 0)
    if found.kind == "socket":
        wanted = WRITE
    mapped = inside(found.uid, mapping.uids) is not None and inside(found.gid, mapping.gids) is not None
    if (ids[0] == 0 and mapped) or _bits(found, uid, gid) & wanted == wanted:
        return None
    how = "read and write" if writes or found.kind == "socket" else "read"
    return (
        f"cannot {how} {mount['Source']} (at {mount['Destination']}), which belongs to {found.uid}:{found.gid} with "
        f"mode {found.mode:04o} and would have to belong to {uid}:{gid}"
    )


def judge_container(
    details: Dictionary[str, Any], mapping: Mapping, found: Dictionary[str, Optional[FileStat]]
) -> Optional[Broken]:
    """Why a container that is made anew with the same settings could not run with the mapping, None if it could.

    Args:
        details: answer of GET /containers/ID/json.
        mapping: the ids that containers will have.
        found: what is known of each path of bind_sources(); only the path itself counts, not what lies below it.
    """
    config = details.get("HostConfig") or {}
    if config.get("UsernsMode") == "host":
        return None
    reasons = ["runs privileged"] if config.get("Privileged") else []
    reasons += [why for member, why in HOST_NAMESPACES if config.get(member) == "host"]
    for mount in details.get("Mounts") or []:
        facts = found.get(str(mount.get("Source"))) if mount.get("Type") == "bind" else None
        reason = _mount_reason(mount, facts, _ids(details), mapping) if facts else None
        if reason:
            reasons.append(reason)
    return Broken(str(details["Name"]).lstrip("/"), tuple(reasons)) if reasons else None


def remaining(hidden: Hidden, moved: Hidden) -> Hidden:
    """What stays hidden although something is brought over."""
    return Hidden(
        tuple(name for name in hidden.images if name not in moved.images),
        tuple(name for name in hidden.containers if name not in moved.containers),
        tuple(name for name in hidden.volumes if name not in moved.volumes),
    )


def _listing(hidden: Hidden) -> str:
    parts = [
        f"{len(names)} {kind}(s): {', '.join(names)}"
        for kind, names in (("image", hidden.images), ("container", hidden.containers), ("volume", hidden.volumes))
        if names
    ]
    return "; ".join(parts)


def refusals(
    hidden: Hidden, broken: Sequence[Broken], running: Sequence[str], consent: Consent, migrates: bool
) -> List[str]:
    """Sentences about what the user has not agreed to, each with the variable that does."""
    found: List[str] = []
    if hidden and not consent.hidden:
        more = "" if migrates else ", or bring images and named volumes over with userns_remap_migrate: true"
        found.append(
            f"switch userns-remap: the engine would not show any more {_listing(hidden)} (they stay on disk, and come "
            f"back with the state absent); agree with userns_remap_accept_hidden: true{more}"
        )
    for entry in broken:
        if entry.name not in consent.broken:
            found.append(
                f"switch userns-remap: the container {entry.name} could not run any more: it "
                f"{', and '.join(entry.reasons)}; change that, run it with --userns=host if it may stay root of the "
                f"host, or agree by adding {entry.name!r} to userns_remap_accept_broken"
            )
    if running and not consent.stop:
        found.append(
            f"switch userns-remap: {len(running)} running container(s) would be lost to the engine: "
            f"{', '.join(running)}; stop them, or allow it with engine_allow_container_stop: true in a maintenance "
            "window"
        )
    return found


def hidden_as_dict(hidden: Hidden) -> Dict[str, List[str]]:
    """Plain values of what is hidden, as modules return them."""
    return {name: list(names) for name, names in hidden._asdict().items()}
