# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ids that are not free for subordinate ranges, and what programs assume where nothing is configured (private)."""

from __future__ import annotations

from typing import Dict, NamedTuple, Tuple

__all__ = [
    "LAST_ID",
    "LOGIN_DEFAULTS",
    "MAX_LINES",
    "MIN_COUNT",
    "NSPAWN",
    "RESERVED",
    "Reserved",
]

# 4294967295 is (uid_t) -1, which system calls take for "leave it as it is".
LAST_ID = 2**32 - 2
# What an image may use: nobody is 65534, and useradd and dockerd hand out this many.
MIN_COUNT = 65536
# A user namespace takes this many lines (kernel 4.15 and later, user_namespaces(7)).
MAX_LINES = 340


class Reserved(NamedTuple):
    """A range of ids (both ends belong to it) and what uses it."""

    first: int
    last: int
    purpose: str


# https://systemd.io/UIDS-GIDS/
RESERVED: Tuple[Reserved, ...] = (
    Reserved(0, 0, "root"),
    Reserved(60001, 60513, "users of systemd-homed"),
    Reserved(60514, 60577, "users that systemd maps from the host into a container"),
    Reserved(60578, 61183, "ids that systemd keeps free"),
    Reserved(61184, 65519, "dynamic users of systemd"),
    Reserved(65534, 65535, "nobody, and the 16 bit form of -1"),
    Reserved(2147352576, 2147418111, "the foreign ids of systemd"),
    Reserved(2147483648, LAST_ID, "ids that do not fit into 31 bits, which some programs read as negative"),
)
# systemd-nspawn --private-users=pick takes ids from here without a look at /etc/subuid; useradd's own area overlaps it.
NSPAWN = Reserved(524288, 1879048191, "containers of systemd-nspawn")

# Built-in defaults of the shadow tools, login.defs(5).
LOGIN_DEFAULTS: Dict[str, int] = {
    "UID_MIN": 1000,
    "UID_MAX": 60000,
    "GID_MAX": 60000,
    "SUB_UID_MIN": 100000,
    "SUB_UID_MAX": 600100000,
    "SUB_GID_MIN": 100000,
    "SUB_GID_MAX": 600100000,
}
