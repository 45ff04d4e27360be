# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waivers keep the line they came from, through to the message that refuses them."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleTemplatePluginError

from ansible_collections.bulwark.docker.plugins.filter.read_waivers import FilterModule
from ansible_collections.bulwark.docker.plugins.module_utils._cis_registry import CONTROLS
from ansible_collections.bulwark.docker.plugins.module_utils._cis_waivers import parse_waivers
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError

read = FilterModule().filters()["read_waivers"]
LIST = """\
# accepted until the move
- id: live_restore
  reason: they end with the engine on purpose
  expires: 2027-06-30

- {id: nothing, reason: because, expires: "2027-06-30"}
"""


def test_each_waiver_knows_its_line() -> None:
    assert read(LIST, "waivers.yml") == [
        {
            "id": "live_restore",
            "reason": "they end with the engine on purpose",
            "expires": "2027-06-30",
            "file": "waivers.yml",
            "line": 2,
        },
        {"id": "nothing", "reason": "because", "expires": "2027-06-30", "file": "waivers.yml", "line": 6},
    ]


def test_a_file_of_variables_will_do() -> None:
    text = "other: 1\nbulwark_waivers:\n" + LIST
    assert [one["line"] for one in read(text)] == [4, 8]
    assert read("other: 1\n") == read("") == read("bulwark_waivers:\n") == []


def test_a_bad_waiver_is_refused_with_its_line() -> None:
    with pytest.raises(ConfigError, match=r"waiver 2 \(waivers\.yml line 6\): there is no control 'nothing'"):
        parse_waivers(read(LIST, "waivers.yml"), CONTROLS, "1.8", "2026-11-22")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("just a text", "no list"),
        ("- id: [", "valid YAML"),
        ("- a\n- b: 1\n", "line 1"),
        ("bulwark_waivers: {a: 1}", "no list"),
    ],
)
def test_what_is_no_list_of_waivers_is_refused(text: str, word: str) -> None:
    with pytest.raises(AnsibleTemplatePluginError, match=word):
        read(text, "waivers.yml")
