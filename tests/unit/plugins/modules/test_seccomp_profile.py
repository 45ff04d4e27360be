# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module seccomp_profile from its options to its result, on a host in memory."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

from ansible_collections.bulwark.docker.plugins.modules import seccomp_profile
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.seccomp_host import SeccompHost

PATH = "/etc/docker/seccomp/a.json"


class Runner:
    """Runs the module against one host."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.host = SeccompHost()
        self.warnings: list[str] = []
        self._capsys = capsys
        monkeypatch.setattr(seccomp_profile, "LocalHost", lambda runner: self.host)
        monkeypatch.setattr(AnsibleModule, "warn", lambda module, warning: self.warnings.append(warning))

    def __call__(self, **options: Any) -> dict[str, Any]:
        profile = {name: options.pop(name) for name in ("policies", "content") if name in options}
        with patch_module_args({"profiles": [{"name": "a", **profile}], **options}), pytest.raises(SystemExit):
            seccomp_profile.main()
        return json.loads(self._capsys.readouterr().out)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    return Runner(capsys, monkeypatch)


def test_policies_reach_the_core(run: Runner) -> None:
    packet = {"index": 0, "operator": "eq", "value": 17}
    policy = {"deny": ["aio"], "rules": [{"calls": ["socket"], "action": "allow", "arguments": [packet]}]}
    done = run(policies=[{"base": "hardened"}, policy])
    assert done["changed"]
    assert "keyctl" in done["profiles"][0]["tried"]
    rules = json.loads(run.host.files[PATH].data)["syscalls"]
    assert not [rule for rule in rules if "io_setup" in rule["names"]]
    assert [rule for rule in rules if rule["names"] == ["socket"] and rule["args"][0]["value"] == 17]
    assert not run(policies=[policy, {"base": "hardened"}])["changed"]
    assert run(state="absent")["changed"]
    assert PATH not in run.host.files


def test_check_mode_reaches_the_core(run: Runner) -> None:
    assert run(_ansible_check_mode=True, policies=[{}])["changed"]
    assert run.host.mutations == []


def test_failures_and_warnings(run: Runner) -> None:
    failed = run(content="{}")
    assert failed["failed"]
    assert "[filter_off]" in failed["msg"]
    assert "mutually exclusive" in run(content="{}", policies=[{}])["msg"]
    run(policies=[{}], engine_version="29.7.2", probe=False)
    assert "29.7.2 is newer" in run.warnings[0]
