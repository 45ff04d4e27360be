# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules from their options to their result, on a modelled host."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

from ansible_collections.bulwark.docker.plugins.modules import daemon_config, engine_commit, engine_info
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.memory_host import STATE_PATH, MemoryHost

BASELINE = {"owner": "daemon_baseline", "settings": {"icc": False}}


class Runner:
    """Runs modules against one host."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.host = MemoryHost(b"{}")
        self._capsys = capsys
        for module in (daemon_config, engine_commit, engine_info):
            monkeypatch.setattr(module, "LocalHost", lambda runner: self.host)

    def __call__(self, module: ModuleType, **options: Any) -> dict[str, Any]:
        with patch_module_args(options), pytest.raises(SystemExit):
            module.main()
        return json.loads(self._capsys.readouterr().out)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    return Runner(capsys, monkeypatch)


def test_settings_are_written_and_committed(run: Runner) -> None:
    written = run(daemon_config, **BASELINE)
    assert (written["changed"], written["commit_required"], written["action"]) == (True, True, "restart")
    assert written["reasons"] == ["icc: the key is not set"]
    assert written["diff"]["before"] == "{}"
    assert (written["path"], written["engine_version"]) == ("/etc/docker/daemon.json", "26.1.5+dfsg1")
    done = run(engine_commit, run_id=written["run_id"])
    assert (done["changed"], done["action"], done["engine_restarted"]) == (True, "restart", True)
    again = run(daemon_config, **BASELINE)
    assert (again["changed"], again["commit_required"]) == (False, False)
    assert "diff" not in again


def test_check_mode_reaches_the_core(run: Runner) -> None:
    assert run(daemon_config, _ansible_check_mode=True, **BASELINE)["changed"]
    run(daemon_config, **BASELINE)
    mutations = len(run.host.mutations)
    run.host.clock += 600
    assert run(engine_commit, _ansible_check_mode=True)["changed"]
    assert len(run.host.mutations) == mutations


def test_absent_gives_the_original_back(run: Runner) -> None:
    run(daemon_config, **BASELINE)
    run.host.clock += 600
    gone = run(daemon_config, owner="daemon_baseline", state="absent")
    assert gone["changed"]
    assert run.host.config() == b"{}"
    run(engine_commit, run_id=gone["run_id"])
    assert STATE_PATH not in run.host.files


def test_warnings_and_unsupported_keys_are_shown(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda module, warning: warnings.append(warning))
    run.host.engine.version = "20.10.24+dfsg1"
    options = {"owner": "daemon_baseline", "settings": {"default-network-opts": {"bridge": {"a": "b"}}}}
    found = run(daemon_config, **options)
    assert not found["changed"]
    assert [text.partition(" needs")[0] for text in found["unsupported"]] == ["default-network-opts"]
    assert found["unsupported"][0] in warnings


@pytest.mark.parametrize(
    ("module", "options", "words"),
    [
        (daemon_config, {**BASELINE, "settings": {"mtu": 1400}}, "belongs to the administrator"),
        (daemon_config, {**BASELINE, "owner": "nobody"}, "no role of that name"),
        (daemon_config, {**BASELINE, "user": "bob"}, "no user 'bob'"),
        (engine_commit, {"user": "bob"}, "no user 'bob'"),
        (engine_info, {"user": "bob"}, "no user 'bob'"),
    ],
)
def test_errors_of_the_core_fail_the_module(run: Runner, module: ModuleType, options: Any, words: str) -> None:
    failed = run(module, **options)
    assert failed["failed"]
    assert words in failed["msg"]
    assert run.host.mutations == []


def test_failed_commit_shows_the_journal(run: Runner) -> None:
    written = run(daemon_config, **BASELINE)
    run.host.engine.fatal = lambda data: "no bridge today" if data else ""
    failed = run(engine_commit, run_id=written["run_id"])
    assert failed["failed"]
    assert "The engine's journal: no bridge today" in failed["msg"]
    assert run.host.config() == b"{}"
    assert run.host.engine.running


def test_report(run: Runner) -> None:
    found = run(engine_info)
    assert not found["changed"]
    assert found["engine"]["running"]
    assert len(found["engine"]["settings"]) > 50
