# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is killed after any of its changes: the file is the old or the new one, the next run heals the rest."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._errors import EngineError
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.memory_host import (
    STATE_PATH,
    Killed,
    MemoryHost,
)
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.transaction_steps import (
    LEASE,
    configured,
    harden,
)

ODD_BYTES = b'\xef\xbb\xbf{\r\n\t"debug":true ,"labels" : ["a=b"]\r\n}'
ADMINISTRATOR_ICC = b'{\n    "icc": false,\n    "log-driver": "json-file"\n}\n'


class Scenario(NamedTuple):
    """A host with a history and the run that is killed; C(wanted) None takes the settings out."""

    original: bytes | None
    history: tuple[Mapping[str, Any], ...]
    wanted: Mapping[str, Any] | None
    prepare: Callable[[MemoryHost], object] = lambda host: None
    allow_container_stop: bool = False


def _without_directory(host: MemoryHost) -> None:
    del host.directories["/etc/docker"]


def _with_container(host: MemoryHost) -> None:
    host.engine.add_container("web")


SUBJECT_OK = {
    "first run, no file": Scenario(None, (), {"icc": False, "live-restore": True}),
    "first run, no directory": Scenario(None, (), {"icc": False}, _without_directory),
    "first run, odd bytes": Scenario(ODD_BYTES, (), {"icc": False, "no-new-privileges": True}),
    "first run, empty file": Scenario(b"", (), {"icc": False}),
    "equal value of the administrator": Scenario(ADMINISTRATOR_ICC, (), {"icc": False, "userland-proxy": False}),
    "reload only": Scenario(b"{}", (), {"live-restore": True}),
    "another value": Scenario(ODD_BYTES, ({"log-level": "warn"},), {"log-level": "error"}),
    "a key more, a key less": Scenario(ODD_BYTES, ({"icc": False},), {"no-new-privileges": True}),
    "take out": Scenario(ODD_BYTES, ({"icc": False, "no-new-privileges": True},), None),
    "take out, no file before": Scenario(None, ({"icc": False},), None),
    "take out, no directory before": Scenario(None, ({"icc": False},), None, _without_directory),
    "take out equal values": Scenario(ADMINISTRATOR_ICC, ({"icc": False, "userland-proxy": False},), None),
    "live-restore first": Scenario(b"{}", (), {"icc": False, "live-restore": True}, _with_container),
    "containers are stopped": Scenario(b"{}", (), {"icc": False}, _with_container, True),
}


def _host(scenario: Scenario) -> MemoryHost:
    host = MemoryHost(scenario.original)
    scenario.prepare(host)
    for wanted in scenario.history:
        harden(host, wanted, scenario.allow_container_stop)
    host.mutations.clear()
    host.clock += 2 * LEASE
    return host


def _run(host: MemoryHost, scenario: Scenario) -> None:
    harden(host, scenario.wanted, scenario.allow_container_stop)


def _kill_points(scenario: Scenario) -> int:
    host = _host(scenario)
    _run(host, scenario)
    assert len(host.mutations) >= 4, host.mutations
    return len(host.mutations)


def _killed_at(scenario: Scenario, point: int) -> MemoryHost:
    host = _host(scenario)
    host.kill_after = point
    with pytest.raises(Killed):
        _run(host, scenario)
    host.clock += 2 * LEASE
    return host


@pytest.fixture(params=SUBJECT_OK.values(), ids=SUBJECT_OK.keys())
def scenario(request: pytest.FixtureRequest) -> Scenario:
    return request.param


def test_file_is_old_or_new_and_the_next_run_finishes(scenario: Scenario) -> None:
    old = _host(scenario).config()
    finished = _host(scenario)
    _run(finished, scenario)
    for point in range(1, _kill_points(scenario) + 1):
        host = _killed_at(scenario, point)
        where = f"killed after change {point}: {host.mutations[-1]}"
        assert host.config() in (old, finished.config()), where
        _run(host, scenario)
        assert host.config() == finished.config(), where
        assert host.engine.running, where
        assert host.engine.loaded == finished.engine.loaded == configured(host), where
        assert set(host.files) == set(finished.files), where
        assert host.engine.icc == finished.engine.icc, where
        assert [entry.running for entry in host.engine.containers] == [
            entry.running for entry in finished.engine.containers
        ], where
        assert host.locks_held == 0, where
        host.mutations.clear()
        host.clock += 2 * LEASE
        _run(host, scenario)
        assert host.mutations == [], where


def test_taking_out_after_a_kill_gives_the_original(scenario: Scenario) -> None:
    untouched = MemoryHost(scenario.original)
    scenario.prepare(untouched)
    for point in range(1, _kill_points(scenario) + 1):
        host = _killed_at(scenario, point)
        where = f"killed after change {point}: {host.mutations[-1]}"
        harden(host, None, allow_container_stop=True)
        assert host.config() == scenario.original, where
        assert all(entry.running for entry in host.engine.containers), where
        assert STATE_PATH not in host.files, where
        assert set(host.directories) == set(untouched.directories), where
        assert host.engine.loaded == configured(host), where


def test_kill_in_the_middle_of_a_rollback_is_healed() -> None:
    def host_that_fails() -> MemoryHost:
        host = MemoryHost(ODD_BYTES)
        harden(host, {"icc": False})
        host.clock += 2 * LEASE
        host.mutations.clear()
        host.engine.fatal = lambda data: "level is bad" if data.get("log-level") == "error" else ""
        return host

    whole = host_that_fails()
    before = whole.config()
    with pytest.raises(EngineError, match="level is bad"):
        harden(whole, {"icc": False, "log-level": "error"})
    assert whole.config() == before
    assert len(whole.mutations) >= 8
    for point in range(1, len(whole.mutations) + 1):
        host = host_that_fails()
        host.kill_after = point
        with pytest.raises(Killed):
            harden(host, {"icc": False, "log-level": "error"})
        host.clock += 2 * LEASE
        with contextlib.suppress(EngineError):
            harden(host, {"icc": False, "log-level": "error"})
        assert host.config() == before, point
        assert host.engine.running, point
        host.clock += 2 * LEASE
        harden(host, {"icc": False, "log-level": "warn"})
        assert configured(host)["log-level"] == "warn", point
        assert host.engine.loaded == configured(host), point
        host.clock += 2 * LEASE
        harden(host, None)
        assert host.config() == ODD_BYTES, point
