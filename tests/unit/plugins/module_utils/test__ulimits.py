# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits by name become what the engine reads."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError
from ansible_collections.bulwark.docker.plugins.module_utils._ulimits import ULIMIT_NAMES, to_engine_ulimits

NUMBERS = st.integers(-1, 2**40)

SUBJECT_OK: list[tuple[Any, Any]] = [
    (None, None),
    ({}, {}),
    ({"nofile": {"soft": 1, "hard": 2}}, {"nofile": {"Name": "nofile", "Soft": 1, "Hard": 2}}),
    ({"core": {"soft": 0, "hard": 0}}, {"core": {"Name": "core", "Soft": 0, "Hard": 0}}),
    ({"nproc": {"hard": -1, "soft": 5}}, {"nproc": {"Name": "nproc", "Soft": 5, "Hard": -1}}),
    ({"nproc": {"hard": -1, "soft": -1}}, {"nproc": {"Name": "nproc", "Soft": -1, "Hard": -1}}),
]
SUBJECT_BAD: list[tuple[Any, str]] = [
    ([], r"read the limits: \[\] is not a mapping"),
    ("nofile=1:2", "is not a mapping"),
    ({"nofiles": {"soft": 1, "hard": 2}}, "the limit 'nofiles': the engine knows no such limit; use one of core, cpu"),
    ({1: {"soft": 1, "hard": 2}}, "knows no such limit"),
    ({"nofile": 5}, "exactly soft and hard; give both"),
    ({"nofile": {"soft": 1}}, "exactly soft and hard"),
    ({"nofile": {"soft": 1, "hard": 2, "Name": "nofile"}}, "exactly soft and hard"),
    ({"nofile": {"soft": "1", "hard": 2}}, "soft is '1'; give a whole number"),
    ({"nofile": {"soft": True, "hard": 2}}, "soft is True"),
    ({"nofile": {"soft": 1, "hard": 2.0}}, "hard is 2.0"),
    ({"nofile": {"soft": -2, "hard": 2}}, "soft is -2"),
    ({"nofile": {"soft": None, "hard": 2}}, "soft is None"),
    ({"nofile": {"soft": 3, "hard": 2}}, "soft 3 is above hard 2"),
    ({"nofile": {"soft": -1, "hard": 2}}, "soft -1 is above hard 2"),
]


@pytest.mark.parametrize(("limits", "expected"), SUBJECT_OK)
def test_limits(limits: Any, expected: Any) -> None:
    assert to_engine_ulimits(limits) == expected


@pytest.mark.parametrize(("limits", "words"), SUBJECT_BAD)
def test_limits_that_are_none(limits: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        to_engine_ulimits(limits)


@given(
    limits=st.dictionaries(
        st.sampled_from(sorted(ULIMIT_NAMES)), st.fixed_dictionaries({"soft": NUMBERS, "hard": NUMBERS})
    )
)
def test_every_entry_has_its_name(limits: dict[str, dict[str, int]]) -> None:
    possible = {
        name: pair
        for name, pair in limits.items()
        if pair["hard"] == -1 or (pair["soft"] != -1 and pair["soft"] <= pair["hard"])
    }
    made = to_engine_ulimits(possible)
    assert made is not None
    assert {name: {"soft": entry["Soft"], "hard": entry["Hard"]} for name, entry in made.items()} == possible
    assert all(entry["Name"] == name for name, entry in made.items())
    if possible != limits:
        with pytest.raises(ConfigError):
            to_engine_ulimits(limits)
