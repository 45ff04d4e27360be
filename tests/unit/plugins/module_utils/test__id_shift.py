# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ids in owners, access lists and file capabilities that move from one range to another."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.docker.plugins.module_utils._id_shift import IdShift, shift_attribute, shift_id

FORTH = [IdShift(0, 231072, 65536), IdShift(65536, 500000, 1000)]
BACK = [IdShift(shift.to, shift.first, shift.size) for shift in FORTH]
ACL, CAPABILITY = "system.posix_acl_access", "security.capability"
UNDEFINED = 2**32 - 1


def acl(*entries: tuple[int, int, int]) -> bytes:
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def capability(root: int | None) -> bytes:
    words = (1 << 10, 0, 0, 0)
    if root is None:
        return struct.pack("<5I", 0x02000001, *words)
    return struct.pack("<6I", 0x03000001, *words, root)


@given(number=st.integers(0, 2**32 - 2))
def test_there_and_back_is_the_same(number: int) -> None:
    there = shift_id(number, FORTH)
    assert (there is None) == (number >= 66536)
    assert there is None or shift_id(there, BACK) == number


def test_ids_of_both_ranges_and_of_none() -> None:
    assert [shift_id(number, FORTH) for number in (0, 1000, 65535, 65536, 66535, 66536)] == [
        231072,
        232072,
        296607,
        500000,
        500999,
        None,
    ]
    assert shift_id(70000, []) == 70000


def test_access_list_shifts_named_users_and_groups_only() -> None:
    before = acl((1, 6, UNDEFINED), (2, 4, 1000), (4, 0, UNDEFINED), (8, 6, 33), (16, 6, UNDEFINED))
    after = acl((1, 6, UNDEFINED), (2, 4, 232072), (4, 0, UNDEFINED), (8, 6, 10033), (16, 6, UNDEFINED))
    groups = [IdShift(0, 10000, 100)]
    assert shift_attribute(ACL, before, FORTH, groups) == (True, after)
    assert shift_attribute("system.posix_acl_default", after, BACK, [IdShift(10000, 0, 100)]) == (True, before)
    assert shift_attribute(ACL, acl((2, 4, 999999)), FORTH, []) == (True, None)
    assert shift_attribute(ACL, acl((8, 4, 999)), FORTH, groups) == (True, None)


@pytest.mark.parametrize("raw", [b"", b"\x02\x00\x00\x00\x01", struct.pack("<I", 3)])
def test_access_list_of_another_form_is_not_guessed(raw: bytes) -> None:
    assert shift_attribute(ACL, raw, FORTH, []) == (True, None)


def test_capabilities_count_for_the_root_of_the_mapping() -> None:
    assert shift_attribute(CAPABILITY, capability(None), FORTH, []) == (True, capability(231072))
    assert shift_attribute(CAPABILITY, capability(231072), BACK, []) == (True, capability(None))
    assert shift_attribute(CAPABILITY, capability(None), [], []) == (True, capability(None))
    assert shift_attribute(CAPABILITY, capability(999999), BACK, []) == (True, None)


@pytest.mark.parametrize(
    "raw", [b"", capability(None)[:8], struct.pack("<5I", 0x01000001, 0, 0, 0, 0), capability(0)[:22]]
)
def test_capabilities_of_another_form_are_not_guessed(raw: bytes) -> None:
    assert shift_attribute(CAPABILITY, raw, FORTH, []) == (True, None)


def test_other_attributes() -> None:
    assert shift_attribute("user.note", b"\0x", FORTH, []) == (True, b"\0x")
    assert shift_attribute("security.selinux", b"label", FORTH, [])[0] is False
    assert shift_attribute("trusted.overlay.opaque", b"y", FORTH, [])[0] is False
