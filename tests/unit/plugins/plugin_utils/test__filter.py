# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that come out of templates become plain ones, errors of the core become template errors."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleTemplatePluginError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError
from ansible_collections.bulwark.docker.plugins.plugin_utils._filter import call_core, to_plain

PLAIN = (bool, int, float, str, dict, list, type(None))


def types_in(value: Any) -> set[type]:
    """Exact types of a value and of everything in it."""
    found = {type(value)}
    items = [*value.keys(), *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    for item in items:
        found |= types_in(item)
    return found


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (True, True),
        (0, 0),
        (1.5, 1.5),
        (None, None),
        ("x", "x"),
        ((1, ["a"]), [1, ["a"]]),
        ({"a": {"b": (True,)}}, {"a": {"b": [True]}}),
    ],
)
def test_plain_values_stay(value: Any, plain: Any) -> None:
    made = to_plain(value)
    assert made == plain
    assert types_in(made) <= set(PLAIN)


def test_tagged_values_become_plain() -> None:
    source = {"a": trust_as_template("{{ x }}"), "b": [trust_as_template("{{ y }}")]}
    value = Templar(loader=DataLoader(), variables={"x": "text", "y": {"z": 1}}).template(source)
    made = to_plain({"outer": value, trust_as_template("key"): trust_as_template("text")})
    assert made == {"outer": {"a": "text", "b": [{"z": 1}]}, "key": "text"}
    assert types_in(made) <= set(PLAIN)


def test_errors_of_the_core_keep_their_text() -> None:
    def core(value: Any) -> None:
        raise ConfigError(f"read {value!r}: no")

    with pytest.raises(AnsibleTemplatePluginError, match="read 'x': no"):
        call_core(core, trust_as_template("x"))


def test_other_errors_are_not_hidden() -> None:
    def core(value: Any) -> None:
        raise KeyError(value)

    with pytest.raises(KeyError):
        call_core(core, "x")
