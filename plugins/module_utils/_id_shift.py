# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files whose owners change from one range of ids to another, with what else in them holds ids (pure, private).

Formats: include/uapi/linux/posix_acl_xattr.h and include/uapi/linux/capability.h of the kernel.
"""

from __future__ import annotations

import struct
from typing import NamedTuple, Optional, Sequence, Tuple

__all__ = ["IdShift", "shift_attribute", "shift_id"]

ACL_NAMES = ("system.posix_acl_access", "system.posix_acl_default")
ACL_VERSION = 2
ACL_USER, ACL_GROUP = 0x02, 0x08
CAPABILITY = "security.capability"
# With the second revision the capabilities count for root of the first user namespace, with the third for the one of
# the namespace whose root has the id at the end.
REVISION_MASK = 0xFF000000
REVISION_2, REVISION_3 = 0x02000000, 0x03000000
BODY = 16
# Labels of a security module fit the place, not the file.
KEPT_PREFIX = "user."


class IdShift(NamedTuple):
    """C(size) ids from C(first) on become those from C(to) on."""

    first: int
    to: int
    size: int


def shift_id(number: int, shifts: Sequence[IdShift]) -> Optional[int]:
    """The new id, None for one that no shift names; without any shift all ids stay."""
    if not shifts:
        return number
    for shift in shifts:
        if shift.first <= number < shift.first + shift.size:
            return shift.to + number - shift.first
    return None


def shift_attribute(
    name: str, value: bytes, uids: Sequence[IdShift], gids: Sequence[IdShift]
) -> Tuple[bool, Optional[bytes]]:
    """An extended attribute for the file's copy: (whether it is copied at all, its value).

    The value is None where it names an id that cannot be shifted, or cannot be read.
    """
    if name in ACL_NAMES:
        return True, _shift_acl(value, uids, gids)
    if name == CAPABILITY:
        return True, _shift_capability(value, uids)
    return name.startswith(KEPT_PREFIX), value


def _shift_acl(value: bytes, uids: Sequence[IdShift], gids: Sequence[IdShift]) -> Optional[bytes]:
    if len(value) < 4 or (len(value) - 4) % 8 or struct.unpack_from("<I", value)[0] != ACL_VERSION:
        return None
    parts = [value[:4]]
    for tag, permissions, number in struct.iter_unpack("<HHI", value[4:]):
        shifted = shift_id(number, uids if tag == ACL_USER else gids) if tag in (ACL_USER, ACL_GROUP) else number
        if shifted is None:
            return None
        parts.append(struct.pack("<HHI", tag, permissions, shifted))
    return b"".join(parts)


def _shift_capability(value: bytes, uids: Sequence[IdShift]) -> Optional[bytes]:
    if len(value) < 4 + BODY:
        return None
    magic = struct.unpack_from("<I", value)[0]
    revision, body = magic & REVISION_MASK, value[4 : 4 + BODY]
    if revision == REVISION_2:
        root: Optional[int] = 0
    elif revision == REVISION_3 and len(value) == 8 + BODY:
        root = struct.unpack_from("<I", value, 4 + BODY)[0]
    else:
        return None
    root = shift_id(root or 0, uids)
    if root is None:
        return None
    flags = magic & ~REVISION_MASK
    if root == 0:
        return struct.pack("<I", REVISION_2 | flags) + body
    return struct.pack("<I", REVISION_3 | flags) + body + struct.pack("<I", root)
