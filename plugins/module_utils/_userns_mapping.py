# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which user userns-remap means, and which id on the host an id of a container is (pure, private).

Facts: moby daemon/daemon_unix.go (parseRemappedGroup, setupDaemonRoot) and idtools at 20.10, 26.1 and 28.5.
"""

from __future__ import annotations

import re
from typing import Iterable, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError
from ansible_collections.bulwark.docker.plugins.module_utils._subid import Range

__all__ = ["DEFAULT_USER", "Mapping", "RemapValue", "inside", "outside", "parse_value"]

# The engine's own name for the user of "default".
DEFAULT_USER = "dockremap"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\$?")
_LARGEST_ID = 2**32 - 2


class RemapValue(NamedTuple):
    """A value of userns-remap: C(user) and C(group) are names or numbers, C(group) "" where none is named.

    C(own) tells that the user is to be made where it is missing.
    """

    user: str
    group: str
    own: bool

    @property
    def engine_value(self) -> str:
        """What daemon.json gets: never "default", for which an engine may take ids that belong to somebody else."""
        return f"{self.user}:{self.group}" if self.group else self.user

    @property
    def by_uid(self) -> bool:
        """Whether the user is named by its number."""
        return self.user.isdigit()

    @property
    def wanted_group(self) -> str:
        """The group that has to exist: the one that is named, else one with the user's name or number."""
        return self.group or self.user


class Mapping(NamedTuple):
    """The ids of the host that stand for those of a container from 0 on."""

    uids: Tuple[Range, ...]
    gids: Tuple[Range, ...]

    @property
    def name(self) -> str:
        """UID.GID of a container's root outside, as the engine names its directory; "" without a mapping."""
        return f"{self.uids[0].start}.{self.gids[0].start}" if self.uids and self.gids else ""


def parse_value(text: str, variable: str) -> RemapValue:
    """Read default, user, user:group, uid or uid:gid (mixed ones too).

    Raises ConfigError for anything else, and for root, with whom the engine silently maps nothing.
    """
    asked = f"map container ids to the user {text!r}"
    if text == "default":
        return RemapValue(DEFAULT_USER, "", True)
    parts = text.split(":")
    if len(parts) > 2 or not all(_NAME.fullmatch(part) for part in parts):
        raise ConfigError(
            f"{asked}: it is none of default, USER, USER:GROUP, UID and UID:GID (variable {variable}); "
            "name an existing user, or leave it at default"
        )
    if "default" in parts:
        raise ConfigError(
            f"{asked}: the word default stands alone (variable {variable}); leave the group out, or name the user"
        )
    for part in parts:
        if part.isdigit() and int(part) > _LARGEST_ID:
            raise ConfigError(f"{asked}: {part} is no id (variable {variable}); ids end at {_LARGEST_ID}")
    if parts[0] == "root" or (parts[0].isdigit() and int(parts[0]) == 0):
        raise ConfigError(
            f"{asked}: the engine starts with root and maps nothing, silently (variable {variable}); "
            "name a user without privileges, or leave it at default"
        )
    return RemapValue(parts[0], parts[1] if len(parts) == 2 else "", False)


def outside(number: int, ranges: Sequence[Range]) -> Optional[int]:
    """The id on the host of an id in a container, None where the ranges are too short; no range maps nothing."""
    if not ranges:
        return number
    for entry in ranges:
        if number < entry.count:
            return entry.start + number
        number -= entry.count
    return None


def inside(number: int, ranges: Iterable[Range]) -> Optional[int]:
    """The id in a container of an id on the host, None for one outside of the ranges; no range maps nothing."""
    before, mapped = 0, False
    for entry in ranges:
        mapped = True
        if entry.start <= number <= entry.last:
            return before + number - entry.start
        before += entry.count
    return None if mapped else number
