# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of userns-remap, and ids of containers and of the host."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError
from ansible_collections.bulwark.docker.plugins.module_utils._subid import Range
from ansible_collections.bulwark.docker.plugins.module_utils._userns_mapping import (
    Mapping,
    RemapValue,
    inside,
    outside,
    parse_value,
)

VARIABLE = "userns_remap_user"
RANGES = st.lists(st.integers(1, 1000), min_size=1, max_size=5).map(
    lambda sizes: [Range(10000 * (number + 1), size) for number, size in enumerate(sizes)]
)


@pytest.mark.parametrize(
    ("text", "value", "written"),
    [
        ("default", RemapValue("dockremap", "", True), "dockremap"),
        ("alice", RemapValue("alice", "", False), "alice"),
        ("alice:staff", RemapValue("alice", "staff", False), "alice:staff"),
        ("1000", RemapValue("1000", "", False), "1000"),
        ("1000:1001", RemapValue("1000", "1001", False), "1000:1001"),
        ("alice:1001", RemapValue("alice", "1001", False), "alice:1001"),
        ("web-1.a_b", RemapValue("web-1.a_b", "", False), "web-1.a_b"),
    ],
)
def test_values_that_the_engine_takes(text: str, value: RemapValue, written: str) -> None:
    found = parse_value(text, VARIABLE)
    assert found == value
    assert found.engine_value == written
    assert found.by_uid is text[0].isdigit()
    assert found.wanted_group == (value.group or value.user)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "none of default, USER"),
        ("a:b:c", "none of default, USER"),
        ("alice:", "none of default, USER"),
        (":staff", "none of default, USER"),
        ("al ice", "none of default, USER"),
        ("default:staff", "the word default stands alone"),
        ("alice:default", "the word default stands alone"),
        ("root", "maps nothing, silently"),
        ("0", "maps nothing, silently"),
        ("00:1000", "maps nothing, silently"),
        ("4294967295", "4294967295 is no id"),
    ],
)
def test_values_that_cannot_work(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=r"variable userns_remap_user\); ") as caught:
        parse_value(text, VARIABLE)
    assert words in str(caught.value)
    assert repr(text) in str(caught.value)


def test_name_is_that_of_the_engines_directory() -> None:
    first, second = Range(231072, 65536), Range(400000, 65536)
    assert Mapping((first, second), (second,)).name == "231072.400000"
    assert Mapping((first,), ()).name == ""


@given(ranges=RANGES, number=st.integers(0, 6000))
def test_inside_and_outside_are_inverse(ranges: list[Range], number: int) -> None:
    total = sum(entry.count for entry in ranges)
    found = outside(number, ranges)
    assert (found is None) == (number >= total)
    if found is not None:
        assert sum(entry.start <= found <= entry.last for entry in ranges) == 1
        assert inside(found, ranges) == number
    assert outside(0, ranges) == ranges[0].start


@given(number=st.integers(0, 2**32 - 2))
def test_without_ranges_ids_are_the_same(number: int) -> None:
    assert inside(number, []) == outside(number, []) == number


def test_ids_of_nobody_are_not_inside() -> None:
    assert inside(0, [Range(100000, 65536)]) is None
    assert inside(165536, [Range(100000, 65536)]) is None
