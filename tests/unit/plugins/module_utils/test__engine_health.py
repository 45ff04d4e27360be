# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate between two batches: what an engine may not lose, and what is nobody's fault."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._engine_health import (
    Health,
    check_health,
    look,
    parse_health,
    problems_of,
)
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError, EngineError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import ApiResponse
from ansible_collections.bulwark.docker.plugins.module_utils._instance import system_instance
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.memory_host import MemoryHost
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.transaction_steps import apply, bring_into_force

ENGINE = system_instance()
WELL = Health("running", "26.1.5", "/var/lib/docker", (("db", "healthy"), ("web", "")), False)


class Containers(MemoryHost):
    """A host whose engine lists containers as /containers/json does, and whose unit may be masked or absent."""

    def __init__(self) -> None:
        super().__init__()
        self.listed: list[dict[str, Any]] = []
        self.load_state = "loaded"

    def api(
        self, socket_path: str, method: str, path: str, body: bytes | None = None, timeout: float = 10.0
    ) -> ApiResponse:
        if path == "/containers/json" and self.engine.running:
            return ApiResponse(200, json.dumps(self.listed).encode())
        return super().api(socket_path, method, path, body, timeout)

    def _show(self, unit: str, names: Sequence[str]) -> str:
        return super()._show(unit, names).replace("LoadState=loaded", f"LoadState={self.load_state}")


def entry(name: str, status: str = "Up 2 minutes", state: str = "running") -> dict[str, Any]:
    return {"Id": name * 8, "Names": [f"/{name}"], "State": state, "Status": status}


def test_look_at_a_running_engine() -> None:
    host = Containers()
    host.listed = [
        entry("web", "Up 2 minutes (unhealthy)"),
        entry("db", "Up 2 minutes (healthy)"),
        entry("job"),
        entry("new", "Up 1 second (health: starting)"),
        entry("loop", "Restarting (1) 3 seconds ago", "restarting"),
    ]
    found = look(host, ENGINE)
    assert found.state == "running"
    assert (found.version, found.data_root) == ("26.1.5+dfsg1", "/var/lib/docker")
    assert found.containers == (("db", "healthy"), ("job", ""), ("new", "health: starting"), ("web", "unhealthy"))
    assert found.uncommitted is False
    assert host.mutations == []
    assert parse_health(json.loads(json.dumps(found.to_result()))) == found


def test_look_does_not_wake_an_engine_that_somebody_stopped() -> None:
    host = Containers()
    host.engine.stop()
    assert look(host, ENGINE).state == "stopped"


@pytest.mark.parametrize(("load_state", "state"), [("masked", "masked"), ("not-found", "not_installed")])
def test_look_where_no_engine_can_run(load_state: str, state: str) -> None:
    host = Containers()
    host.engine.stop()
    host.load_state = load_state
    assert look(host, ENGINE).state == state


def test_look_at_an_engine_that_does_not_answer() -> None:
    host = Containers()
    host.engine.silent_info = True
    assert look(host, ENGINE).state == "failed"


def test_settings_that_wait_for_a_restart_are_seen() -> None:
    host = Containers()
    written = apply(host, {"icc": False})
    assert look(host, ENGINE).uncommitted is True
    bring_into_force(host, written.run_id)
    assert look(host, ENGINE).uncommitted is False


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"state": "failed"}, "the engine ran before and is failed now"),
        ({"state": "stopped"}, "the engine ran before and is stopped now"),
        ({"uncommitted": True}, "not in force"),
        ({"containers": (("db", "healthy"),)}, "the container web ran before and does not run now"),
        (
            {"containers": (("db", "unhealthy"), ("web", ""))},
            "the container db was healthy before and is unhealthy now",
        ),
        ({"containers": (("db", ""), ("web", ""))}, "was healthy before and is not watched now"),
    ],
)
def test_what_was_lost_is_said(change: dict[str, Any], words: str) -> None:
    [problem] = problems_of(WELL, WELL._replace(**change), [])
    assert words in problem


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (WELL, WELL),
        (WELL, WELL._replace(containers=(*WELL.containers, ("more", "unhealthy")))),
        (WELL._replace(containers=(("db", "unhealthy"),)), WELL._replace(containers=(("db", "unhealthy"),))),
        (WELL._replace(state="stopped", containers=()), WELL._replace(state="stopped", containers=())),
        (WELL, WELL._replace(state="masked", containers=())),
        (WELL, WELL._replace(data_root="/var/lib/docker/100000.100000", containers=())),
        (WELL._replace(state="failed", data_root="", containers=()), WELL),
    ],
)
def test_what_somebody_wants_is_no_loss(before: Health, now: Health) -> None:
    assert problems_of(before, now, []) == []


def test_engine_that_was_broken_and_still_is_does_not_pass() -> None:
    broken = WELL._replace(state="failed", containers=())
    assert problems_of(broken, broken, []) == ["the engine was failed before and is failed now"]


def test_containers_that_come_and_go_can_be_named() -> None:
    gone = WELL._replace(containers=(("db", "healthy"),))
    assert problems_of(WELL, gone, ["w?b"]) == []
    assert problems_of(WELL, gone, ["d*"])


def test_container_that_comes_back_in_time_passes() -> None:
    host = Containers()
    host.listed = [entry("db", "Up (healthy)")]
    before = check_health(host, ENGINE, None, [], 60)
    host.listed = [entry("db", "Up 1 second (health: starting)")]
    asleep = []

    def recover() -> None:
        asleep.append(host.clock)
        if len(asleep) == 3:
            host.listed = [entry("db", "Up 3 seconds (healthy)")]

    host.on_sleep = recover
    found = check_health(host, ENGINE, before, [], 60)
    assert found["problems"] == []
    assert found["changed"] is False
    assert len(asleep) == 3


def test_container_that_stays_away_is_refused_at_the_deadline() -> None:
    host = Containers()
    host.listed = [entry("db")]
    before = check_health(host, ENGINE, None, [], 60)
    host.listed = []
    start = host.clock
    with pytest.raises(EngineError, match=r"the container db ran before and does not run now .*docker\.service"):
        check_health(host, ENGINE, before, [], 5)
    assert 5 <= host.clock - start < 10


@pytest.mark.parametrize("before", [{}, {"state": "running"}, {**WELL.to_result(), "containers": [1]}])
def test_before_of_another_shape_is_refused(before: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="option before"):
        check_health(Containers(), ENGINE, before, [], 5)
