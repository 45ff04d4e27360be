# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters of daemon_tls with values as templates hand them over."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleTemplatePluginError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.bulwark.docker.plugins.filter import tls_material, tls_plan
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.test__tls_material import MATERIAL
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.test__tls_plan import REQUEST

plan = tls_plan.FilterModule().filters()["tls_plan"]
material = tls_material.FilterModule().filters()["tls_material"]


def rendered(**values: Any) -> Any:
    """The values as a template hands them over."""
    return Templar(loader=DataLoader(), variables={"values": values}).template(trust_as_template("{{ values }}"))


def test_plan_takes_what_templates_give() -> None:
    assert plan(rendered(**REQUEST))["addresses"] == ["192.0.2.7"]
    with pytest.raises(AnsibleTemplatePluginError, match="daemon_tls_addresses"):
        plan(rendered(**{**REQUEST, "addresses": []}))


def test_material_takes_what_templates_give() -> None:
    assert material(rendered(**MATERIAL)) == {"issue": [], "install": []}
    with pytest.raises(AnsibleTemplatePluginError, match="daemon_tls_issuing_ca: that CA expired"):
        material(rendered(**{**MATERIAL, "now": "20370101000000Z"}))
