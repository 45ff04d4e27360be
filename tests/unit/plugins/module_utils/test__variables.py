# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Misspelt variables get a sentence each, known ones none."""

from __future__ import annotations

from ansible_collections.bulwark.docker.plugins.module_utils._variables import misspelt_variables

SPECIFICATION = {
    "argument_specs": {
        "main": {"options": {"role_icc": {}, "role_log_level": {}}},
        "remove": {"options": {"role_state": {}}},
        "empty": {},
        "null": {"options": None},
    }
}


def test_known_names_of_all_entry_points() -> None:
    assert misspelt_variables(["role_icc", "role_state", "role_log_level"], SPECIFICATION) == []
    assert misspelt_variables([], SPECIFICATION) == []


def test_close_and_distant_names() -> None:
    assert misspelt_variables(["role_loglevel", "zzz", "role_icc", "zzz"], SPECIFICATION) == [
        "role_loglevel is no variable of this role; did you mean role_log_level?",
        "zzz is no variable of this role; known are role_icc, role_log_level, role_state.",
    ]
