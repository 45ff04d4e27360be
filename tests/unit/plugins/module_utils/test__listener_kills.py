# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run of the TLS listener that is killed anywhere: startable, never without TLS, healed by the next run."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from typing import NamedTuple

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._errors import EngineError
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.memory_host import (
    CONFIG_PATH,
    DEBIAN_UNIT,
    STATE_PATH,
    TLS_DROP_IN,
    UNIT_PATH,
    File,
    Killed,
    MemoryHost,
)
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.transaction_steps import (
    LEASE,
    configured,
    harden,
    listen,
    material,
    pem,
)

STOCK = "-H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS"
TLS_FILE = (
    b'{"debug": true, "tlsverify": true, "tlscacert": "/old/ca.pem", "tlscert": "/old/cert.pem", '
    b'"tlskey": "/old/key.pem", "icc": true}\n'
)
HOSTS_FILE = TLS_FILE.replace(b'"icc"', b'"hosts": ["tcp://0.0.0.0:2376", "unix:///var/run/docker.sock"], "icc"')


class Scenario(NamedTuple):
    """The file and the flags that an administrator left; history and run are functions of the host."""

    original: bytes | None
    flags: str
    history: Callable[[MemoryHost], object]
    run: Callable[[MemoryHost], object]


def _nothing(host: MemoryHost) -> None:
    pass


def _install(host: MemoryHost) -> None:
    listen(host, material(host), override=True)


def _rotate(host: MemoryHost) -> None:
    listen(host, material(host, "two"), override=True)


def _remove(host: MemoryHost) -> None:
    listen(host, None)


def _install_beside_baseline(host: MemoryHost) -> None:
    harden(host, {"no-new-privileges": True})
    _install(host)


SUBJECT_OK = {
    "first listener": Scenario(None, STOCK, _nothing, _install),
    "first listener, file there": Scenario(b'{"debug": true}', STOCK, _nothing, _install),
    "other certificates": Scenario(b"{}", STOCK, _install, _rotate),
    "take away": Scenario(b"{}", STOCK, _install, _remove),
    "beside another role": Scenario(b"{}", STOCK, _install_beside_baseline, _rotate),
    "no listener in the line": Scenario(b"{}", "$DOCKER_OPTS", _nothing, _install),
    "take over flag and keys": Scenario(TLS_FILE, "-H fd:// -H tcp://0.0.0.0:2376", _nothing, _install),
    "give flag and keys back": Scenario(TLS_FILE, "-H fd:// -H tcp://0.0.0.0:2376", _install, _remove),
    "take over hosts": Scenario(HOSTS_FILE, "", _nothing, _install),
    "give hosts back": Scenario(HOSTS_FILE, "", _install, _remove),
}


def _host(scenario: Scenario) -> MemoryHost:
    host = MemoryHost()
    unit = DEBIAN_UNIT.replace(STOCK, scenario.flags).encode()
    assert scenario.flags == STOCK or unit != DEBIAN_UNIT.encode()
    host.files[UNIT_PATH] = File(unit)
    for name, content in (("ca", pem("old")), ("cert", pem("old")), ("key", b"-----BEGIN PRIVATE KEY-----\n")):
        host.files[f"/old/{name}.pem"] = File(content)
    material(host, "one")
    material(host, "two")
    if scenario.original is not None:
        host.files[CONFIG_PATH] = File(scenario.original)
    host.loaded_unit = host.unit_text()
    host.engine.restart()
    host.clock += 10
    assert host.engine.running
    scenario.history(host)
    host.mutations.clear()
    host.clock += 2 * LEASE
    return host


def _assert_safe(host: MemoryHost, where: str) -> None:
    """Somebody restarts the engine now, with or without letting systemd read the units again."""
    for reads_units in (False, True):
        other = copy.deepcopy(host)
        other.kill_after = None
        other.engine.failures = 0
        if reads_units:
            other.loaded_unit = other.unit_text()
        other.engine.restart()
        assert other.engine.running, (where, reads_units, other.engine.journal[-1:], other.loaded_unit)
        assert [port for port in other.tcp if port.certificate is None or not port.verify] == [], (where, reads_units)


@pytest.fixture(params=SUBJECT_OK.values(), ids=SUBJECT_OK.keys())
def scenario(request: pytest.FixtureRequest) -> Scenario:
    return request.param


def _facts(host: MemoryHost) -> dict[str, tuple[bytes, int]]:
    return {path: (found.data, found.mode) for path, found in host.files.items() if path != STATE_PATH}


def test_every_kill_is_safe_and_healed(scenario: Scenario) -> None:
    whole = _host(scenario)
    scenario.run(whole)
    assert len(whole.mutations) >= 5, whole.mutations
    for point in range(1, len(whole.mutations) + 1):
        host = _host(scenario)
        host.kill_after = point
        with pytest.raises(Killed):
            scenario.run(host)
        where = f"killed after change {point}: {host.mutations[-1]}"
        _assert_safe(host, where)
        host.clock += 2 * LEASE
        scenario.run(host)
        assert _facts(host) == _facts(whole), where
        assert host.engine.running, where
        assert host.engine.argv == whole.engine.argv == host.engine.command_line(), where
        assert host.engine.loaded == configured(host), where
        host.mutations.clear()
        host.clock += 2 * LEASE
        scenario.run(host)
        assert host.mutations == [], where


def test_taking_away_after_a_kill_gives_everything_back(scenario: Scenario) -> None:
    untouched = _host(scenario._replace(history=_nothing))
    whole = _host(scenario)
    scenario.run(whole)
    for point in range(1, len(whole.mutations) + 1):
        host = _host(scenario)
        host.kill_after = point
        with pytest.raises(Killed):
            scenario.run(host)
        where = f"killed after change {point}: {host.mutations[-1]}"
        host.clock += 2 * LEASE
        listen(host, None)
        _assert_safe(host, where)
        harden(host, None)
        assert _facts(host) == _facts(untouched), where
        assert set(host.directories) == set(untouched.directories), where
        assert STATE_PATH not in host.files, where
        assert host.engine.argv == untouched.engine.argv, where


@pytest.mark.parametrize(
    "name", ["no listener in the line", "other certificates", "take over flag and keys", "take over hosts"]
)
def test_rollback_restores_both_files_and_survives_a_kill(name: str) -> None:
    scenario = SUBJECT_OK[name]

    def failing() -> MemoryHost:
        host = _host(scenario)
        wanted = "/two/" if name == "other certificates" else "/one/"
        host.engine.fatal = lambda data: "no such luck" if wanted in host.loaded_unit else ""
        return host

    whole = failing()
    before, argv = _facts(whole), whole.engine.argv
    with pytest.raises(EngineError, match="no such luck"):
        scenario.run(whole)
    assert _facts(whole) == before
    assert whole.engine.running
    assert whole.engine.argv == argv == whole.engine.command_line()
    for point in range(1, len(whole.mutations) + 1):
        host = failing()
        host.kill_after = point
        with pytest.raises(Killed):
            scenario.run(host)
        exposed = copy.deepcopy(host)
        exposed.engine.fatal = lambda data: ""
        _assert_safe(exposed, f"{point}: {host.mutations[-1]}")
        host.clock += 2 * LEASE
        with contextlib.suppress(EngineError):
            scenario.run(host)
        assert _facts(host) == before, point
        assert host.engine.running, point


def test_safety_check_sees_a_listener_without_tls() -> None:
    host = MemoryHost(b"{}")
    host.files[UNIT_PATH] = File(DEBIAN_UNIT.replace("$DOCKER_OPTS", "-H tcp://127.0.0.1:2375").encode())
    with pytest.raises(AssertionError, match="here"):
        _assert_safe(host, "here")


def test_safety_check_sees_an_engine_that_does_not_start() -> None:
    host = MemoryHost(b"{}")
    listen(host, material(host))
    del host.files["/etc/docker/tls/one/key.pem"]
    assert TLS_DROP_IN in host.files
    with pytest.raises(AssertionError, match="X509"):
        _assert_safe(host, "here")
