# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters for seccomp profiles with values as templates hand them over."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleTemplatePluginError

from ansible_collections.bulwark.docker.plugins.filter import compose_seccomp_profile, lint_seccomp_profile
from ansible_collections.bulwark.docker.tests.unit.plugins.filter.test_filters import rendered

compose = compose_seccomp_profile.FilterModule().filters()["compose_seccomp_profile"]
lint = lint_seccomp_profile.FilterModule().filters()["lint_seccomp_profile"]


def test_what_is_composed_has_no_findings() -> None:
    policy = rendered(
        "{{ {'base': base, 'deny': ['aio'], 'rules': [{'calls': ['kcmp'], 'action': 'deny'}]} }}", base="engine"
    )
    profile = compose(policy, rendered("{{ version }}", version="26.1.5"))
    names = {name for rule in profile["syscalls"] for name in rule["names"]}
    assert "read" in names
    assert not {"io_setup", "kcmp"} & names
    assert lint(profile, "26.1.5") == []
    assert compose([policy, policy], "26.1.5") == profile


def test_findings_are_plain() -> None:
    [found] = lint(rendered("{{ text }}", text="{}"), "26.1", name=rendered("{{ path }}", path="/x.json"))
    assert (found["code"], found["severity"], found["where"]) == ("filter_off", "fatal", "")
    assert found["message"].startswith("Check /x.json: ")
    wide = compose(rendered("{{ {'allow': ['bpf'], 'waivers': {'bpf': 'x'}} }}"), "26.1")
    assert [item["code"] for item in lint(wide, "26.1")] == ["takeover_allowed"]
    assert lint(wide, "26.1", waivers=rendered("{{ ['bpf'] }}")) == []


def test_mistakes_are_errors_of_the_template() -> None:
    with pytest.raises(AnsibleTemplatePluginError, match="more than the engine's own profile: bpf"):
        compose(rendered("{{ {'allow': ['bpf']} }}"), "26.1")
    with pytest.raises(AnsibleTemplatePluginError, match="does not begin with"):
        lint("{}", "new")
