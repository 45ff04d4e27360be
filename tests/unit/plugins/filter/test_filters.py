# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters with values as templates hand them over."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleTemplatePluginError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.bulwark.docker.plugins.filter import misspelt_variables, to_engine_ulimits

ulimits = to_engine_ulimits.FilterModule().filters()["to_engine_ulimits"]
misspelt = misspelt_variables.FilterModule().filters()["misspelt_variables"]


def rendered(template: str, **variables: Any) -> Any:
    """Result of one template, as a filter gets it."""
    return Templar(loader=DataLoader(), variables=variables).template(trust_as_template(template))


def test_limits() -> None:
    limits = rendered("{{ {'nofile': {'soft': soft, 'hard': 4096}} }}", soft=1024)
    assert ulimits(limits) == {"nofile": {"Name": "nofile", "Soft": 1024, "Hard": 4096}}
    assert ulimits(None) is None


def test_limits_that_are_none() -> None:
    with pytest.raises(AnsibleTemplatePluginError, match="the engine knows no such limit"):
        ulimits(rendered("{{ {'files': {}} }}"))


def test_misspelt_variables() -> None:
    text = "argument_specs:\n  main:\n    options:\n      role_icc: {}\n"
    names = rendered("{{ ['role_icc', 'role_iic'] }}")
    assert misspelt(names, trust_as_template(text)) == ["role_iic is no variable of this role; did you mean role_icc?"]
    assert misspelt(rendered("{{ [] }}"), text) == []
