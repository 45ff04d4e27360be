# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The transaction on a modelled engine: least disruption, refusals, rollback, two runs at once, check mode."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._errors import (
    BulwarkError,
    ConfigError,
    ConflictError,
    EngineError,
    HostError,
    RefusedError,
)
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import UserAccount
from ansible_collections.bulwark.docker.plugins.module_utils._transaction import mask_credentials
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.memory_host import (
    CONFIG_PATH,
    DEBIAN_UNIT,
    STATE_PATH,
    UNIT_PATH,
    File,
    MemoryHost,
    TcpPort,
)
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.transaction_steps import (
    LEASE,
    PATIENCE,
    apply,
    bring_into_force,
    configured,
    harden,
)

DROP_IN = "/etc/systemd/system/docker.service.d/extra.conf"
PLAINTEXT = b"HTTP/1.0 200 OK\r\nApi-Version: 1.45\r\n\r\n{}"
TLS_ONLY = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"


def _with_container(config: bytes = b"{}") -> MemoryHost:
    host = MemoryHost(config)
    host.engine.add_container("web")
    return host


def _changes_engine(host: MemoryHost) -> list[str]:
    return [entry for entry in host.mutations if entry.startswith(("systemctl", "POST", "kill"))]


# -- least disruption


def test_first_run_restarts_once_and_second_run_changes_nothing() -> None:
    host = MemoryHost(b'{"debug": true}\n')
    written = apply(host, {"icc": False, "live-restore": True})
    assert (written.changed, written.commit_required, written.action) == (True, True, "restart")
    done = bring_into_force(host, written.run_id)
    assert (done.changed, done.action, done.engine_restarted) == (True, "restart", True)
    assert (host.engine.starts, host.engine.icc) == (2, False)
    assert host.engine.loaded == {"debug": True, "icc": False, "live-restore": True}
    host.mutations.clear()
    again = apply(host, {"icc": False, "live-restore": True})
    assert (again.changed, again.commit_required, again.action, again.reasons) == (False, False, "nothing", ())
    assert not bring_into_force(host).changed
    assert host.mutations == []


def test_reloadable_key_is_reloaded() -> None:
    host = _with_container()
    done = harden(host, {"live-restore": True})
    assert (done.action, done.engine_restarted) == ("reload", False)
    assert (host.engine.starts, host.engine.reloads) == (1, 1)
    assert host.engine.info()["LiveRestoreEnabled"]
    assert host.engine.alive()


def test_removed_reloadable_key_needs_a_restart() -> None:
    host = MemoryHost(b"{}")
    harden(host, {"live-restore": True})
    done = harden(host, None)
    assert done.action == "restart"
    assert host.engine.loaded == {}


def test_live_restore_is_switched_on_before_the_restart() -> None:
    host = _with_container()
    done = harden(host, {"no-new-privileges": True, "live-restore": True})
    assert done.action == "restart"
    assert host.engine.stopped_by_engine == []
    assert host.mutations.index("systemctl reload docker.service") < host.mutations.index(
        "systemctl restart docker.service"
    )
    assert not any(entry.startswith("POST") for entry in host.mutations)


def test_bridge_key_is_deferred_while_containers_live_on() -> None:
    host = _with_container(b'{"live-restore": true}')
    host.engine.restart()
    written = apply(host, {"icc": False})
    assert written.deferred == ("icc",)
    done = bring_into_force(host, written.run_id)
    assert done.deferred == ("icc",)
    assert any("icc is written but without effect" in warning for warning in done.warnings)
    assert host.engine.alive()
    assert host.engine.icc is True
    host.mutations.clear()
    again = harden(host, {"icc": False})
    assert (again.action, again.deferred, host.mutations) == ("nothing", ("icc",), [])


def test_deferred_key_is_caught_up_when_no_container_runs_any_more() -> None:
    host = _with_container(b'{"live-restore": true}')
    host.engine.restart()
    harden(host, {"icc": False})
    host.engine.containers.clear()
    again = apply(host, {"icc": False})
    assert (again.changed, again.commit_required, again.action) == (False, True, "restart")
    bring_into_force(host, again.run_id)
    assert host.engine.icc is False


def test_full_stop_stops_and_starts_containers_in_their_order() -> None:
    host = MemoryHost(b'{"live-restore": true}')
    for name in ("database", "web", "batch"):
        host.engine.add_container(name, auto_remove=name == "batch")
    done = harden(host, {"icc": False}, allow_container_stop=True)
    assert done.action == "full_stop"
    posts = [entry for entry in host.mutations if entry.startswith("POST")]
    assert posts == [
        "POST /containers/database/stop",
        "POST /containers/web/stop",
        "POST /containers/batch/stop",
        "POST /containers/database/start",
        "POST /containers/web/start",
    ]
    assert host.engine.icc is False


def test_restart_without_live_restore_brings_containers_back() -> None:
    host = _with_container()
    harden(host, {"no-new-privileges": True}, allow_container_stop=True)
    assert host.engine.stopped_by_engine == ["web"]
    assert [entry.id for entry in host.engine.alive()] == ["web"]


def test_keys_of_users_engines_are_refused_on_the_systems() -> None:
    host = MemoryHost(b"{}")
    mutations = list(host.mutations)
    with pytest.raises(ConflictError, match=r"on the engine system: .* role 'rootless', which has none of"):
        apply(host, {"icc": False}, owner="rootless")
    assert host.mutations == mutations


def test_stopping_containers_is_refused_before_anything_is_written() -> None:
    host = _with_container()
    with pytest.raises(RefusedError, match=r"1 running container\(s\) would be stopped \(web\).*live-restore"):
        apply(host, {"no-new-privileges": True})
    assert host.mutations == []


def test_removing_live_restore_under_containers_is_refused() -> None:
    host = _with_container()
    harden(host, {"live-restore": True})
    host.mutations.clear()
    with pytest.raises(RefusedError, match="would be stopped"):
        apply(host, None)
    assert host.mutations == []


def test_changed_socket_unit_restarts_socket_and_service() -> None:
    host = MemoryHost(b"{}")
    host.engine.socket_dirty = True
    done = harden(host, {"icc": False})
    assert done.action == "socket_and_service"
    assert host.engine.socket_restarts == 1
    assert host.mutations.index("systemctl daemon-reload") < host.mutations.index("systemctl restart docker.socket")


def test_socket_file_that_the_engine_took_away_comes_back() -> None:
    host = MemoryHost(b"{}")
    host.socket_lost = True
    assert harden(host, {"icc": False}).action == "restart"
    assert host.engine.socket_restarts == 1
    assert not host.socket_lost
    assert host.engine.running


def test_failed_engine_is_started_and_its_start_limit_is_cleared() -> None:
    host = MemoryHost(b"{}")
    harden(host, {"icc": False})
    host.engine.stop()
    host.engine.active, host.engine.failures = "failed", 3
    again = harden(host, {"icc": False})
    assert again.action == "start"
    assert host.engine.running


def test_engine_that_somebody_stopped_stays_stopped_when_nothing_changes() -> None:
    host = MemoryHost(b"{}")
    harden(host, {"icc": False})
    host.engine.stop()
    host.mutations.clear()
    again = apply(host, {"icc": False})
    assert (again.changed, again.commit_required) == (False, False)
    assert host.mutations == []


def test_changes_of_the_administrator_cause_no_commit() -> None:
    host = MemoryHost(b"{}")
    harden(host, {"icc": False})
    host.administrator_writes(CONFIG_PATH, json.dumps({**configured(host), "labels": ["a=b"], "mtu": 1400}).encode())
    again = apply(host, {"icc": False})
    assert (again.changed, again.commit_required, again.action) == (False, False, "restart")
    assert host.engine.starts == 2


def test_restart_is_due_after_a_run_that_died_before_it() -> None:
    host = MemoryHost(b"{}")
    apply(host, {"icc": False})
    host.clock += 2 * LEASE
    again = apply(host, {"icc": False})
    assert (again.changed, again.commit_required, again.action) == (False, True, "restart")
    bring_into_force(host, again.run_id)
    assert host.engine.loaded == {"icc": False}


def test_own_key_that_drifted_is_set_again() -> None:
    host = MemoryHost(b"{}")
    harden(host, {"icc": False})
    host.administrator_writes(CONFIG_PATH, b'{"icc": true}')
    again = apply(host, {"icc": False})
    assert (again.changed, again.commit_required, again.reasons) == (True, True, ("icc: the value was changed since",))
    assert bring_into_force(host, again.run_id).action == "nothing"
    assert configured(host) == host.engine.loaded == {"icc": False}


def test_own_key_that_drifted_into_the_engine_is_brought_back() -> None:
    host = MemoryHost(b"{}")
    harden(host, {"icc": False})
    host.administrator_writes(CONFIG_PATH, b'{"icc": true}')
    host.engine.restart()
    assert harden(host, {"icc": False}).engine_restarted
    assert host.engine.icc is False


def test_engine_restarted_by_somebody_else_is_not_restarted_again() -> None:
    host = MemoryHost(b"{}")
    written = apply(host, {"icc": False})
    host.clock += 1
    host.engine.restart()
    done = bring_into_force(host, written.run_id)
    assert (done.changed, done.action) == (False, "nothing")
    assert "transaction" in json.loads(host.files[STATE_PATH].data)
    assert json.loads(host.files[STATE_PATH].data)["transaction"] is None


def test_unknown_key_of_an_old_engine_is_left_out() -> None:
    host = MemoryHost(b"{}")
    host.engine.version = "20.10.24+dfsg1"
    written = apply(host, {"icc": False, "default-network-opts": {"bridge": {"a": "b"}}})
    assert configured(host) == {"icc": False}
    assert written.unsupported == ("default-network-opts needs engine 24 or newer, this is 20.10.24: not set",)


def test_null_leaves_a_key_to_the_administrator() -> None:
    host = MemoryHost(b'{"log-level": "debug"}')
    apply(host, {"log-level": None, "icc": False})
    assert configured(host) == {"log-level": "debug", "icc": False}


# -- refusals before anything is written


class Refused(NamedTuple):
    """A host on which a run must refuse, and with what words."""

    config: bytes | None
    prepare: Callable[[MemoryHost], object]
    wanted: Mapping[str, Any]
    error: type[BulwarkError]
    words: str


def _add_drop_in(text: str) -> Callable[[MemoryHost], object]:
    def add(host: MemoryHost) -> None:
        host.files[DROP_IN] = File(text.encode())
        host.unit_files.append(DROP_IN)

    return add


def _listen(address: str, port: int, answer: bytes) -> Callable[[MemoryHost], object]:
    return lambda host: host.tcp.append(TcpPort(address, port, "777", True, answer))


def _refuse_at_validation(host: MemoryHost) -> None:
    host.engine.invalid = lambda data: "no such driver: gelff" if data.get("log-driver") else ""


SUBJECT_BAD = {
    "broken JSON": Refused(b'{"icc": true,}', lambda host: None, {"icc": False}, ConfigError, "line 1"),
    "value of the administrator": Refused(b'{"icc": true}', lambda host: None, {"icc": False}, ConflictError, "icc"),
    "flag of the unit": Refused(
        b"{}",
        lambda host: host.files.update({"/etc/default/docker": File(b'DOCKER_OPTS="--icc=false"\n')}),
        {"icc": False},
        ConfigError,
        "icc",
    ),
    "flag in a drop-in": Refused(
        b"{}",
        _add_drop_in("[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd -H fd:// --log-level=debug\n"),
        {"log-level": "warn"},
        ConfigError,
        "log-level",
    ),
    "key of another role": Refused(
        b"{}", lambda host: None, {"userns-remap": "default"}, ConflictError, "userns_remap_user"
    ),
    "key of nobody": Refused(b"{}", lambda host: None, {"mtu": 1400}, ConflictError, "administrator"),
    "wrong type": Refused(b"{}", lambda host: None, {"icc": "false"}, ConfigError, "icc"),
    "dockerd says no": Refused(
        b"{}", _refuse_at_validation, {"log-driver": "json-file"}, ConfigError, "no such driver: gelff"
    ),
    "API in plaintext": Refused(
        b"{}", _listen("00000000", 2375, PLAINTEXT), {"icc": False}, RefusedError, "0.0.0.0 port 2375"
    ),
    "twice the same key": Refused(
        b'{"icc": false,\n"icc": true}', lambda host: None, {"icc": False}, ConfigError, "line 2"
    ),
    "damaged record": Refused(
        b"{}",
        lambda host: host.files.update({STATE_PATH: File(b"{")}),
        {"icc": False},
        ConfigError,
        STATE_PATH,
    ),
    "newer record": Refused(
        b"{}",
        lambda host: host.files.update({STATE_PATH: File(b'{"format": 2}')}),
        {"icc": False},
        ConfigError,
        "format 2 is not 1",
    ),
    "no unit": Refused(
        b"{}",
        lambda host: setattr(host, "_show", lambda unit, names: "LoadState=not-found\n"),
        {"icc": False},
        HostError,
        "LoadState=not-found",
    ),
}


@pytest.fixture(params=SUBJECT_BAD.values(), ids=SUBJECT_BAD.keys())
def refused(request: pytest.FixtureRequest) -> Refused:
    return request.param


def test_refusals_write_nothing(refused: Refused) -> None:
    host = MemoryHost(refused.config)
    refused.prepare(host)
    starts = host.engine.starts
    for check_mode in (True, False):
        with pytest.raises(refused.error, match=refused.words):
            apply(host, refused.wanted, check_mode=check_mode)
    assert host.mutations == []
    assert host.config() == refused.config
    assert host.engine.starts == starts


def test_listeners_that_are_no_plaintext_api_are_fine() -> None:
    host = MemoryHost(b"{}")
    _listen("0100007F", 2376, TLS_ONLY)(host)
    _listen("0100007F", 9323, b"HTTP/1.0 404 Not Found\r\n\r\n")(host)
    _listen("0100007F", 9324, b"")(host)
    host.tcp.append(TcpPort("00000000", 80, "778", False, PLAINTEXT))
    assert harden(host, {"icc": False}).changed


def test_plaintext_api_can_be_allowed() -> None:
    host = MemoryHost(b"{}")
    _listen("00000000", 2375, PLAINTEXT)(host)
    assert apply(host, {"icc": False}, allow_plaintext_api=True).changed


# -- failures while writing


@pytest.mark.parametrize("path", [CONFIG_PATH, STATE_PATH])
def test_full_disk_leaves_everything_as_it_was(path: str) -> None:
    host = MemoryHost(None)
    del host.directories["/etc/docker"]
    before = set(host.directories)
    host.write_failures[path] = ["No space left on device"]
    with pytest.raises(HostError, match=f"No space left on device.*{path}.*free space"):
        apply(host, {"icc": False})
    assert host.config() is None
    assert _changes_engine(host) == []
    apply_again = harden(host, {"icc": False})
    assert apply_again.changed
    harden(host, None)
    assert set(host.directories) == before
    assert STATE_PATH not in host.files


# -- rollback


def _refuse_level_error(host: MemoryHost) -> None:
    host.engine.fatal = lambda data: "no such level" if data.get("log-level") == "error" else ""


def test_failed_restart_puts_everything_back_and_quotes_the_journal() -> None:
    original = b'{"debug": true}  \n'
    host = MemoryHost(original)
    host.engine.say('level=error msg="an old story"')
    host.clock += 60
    _refuse_level_error(host)
    with pytest.raises(EngineError, match=r"restart docker.service: Job for docker.service failed") as caught:
        harden(host, {"log-level": "error"})
    text = str(caught.value)
    assert "The engine's journal: no such level\n" in text
    assert "Rolled back: daemon.json is as before and the engine runs with it; mend the cause and run again" in text
    assert host.config() == original
    assert host.engine.running
    assert host.engine.loaded == {"debug": True}
    assert STATE_PATH not in host.files
    host.clock += 1
    assert harden(host, {"log-level": "warn"}).changed
    assert host.engine.loaded == {"debug": True, "log-level": "warn"}
    harden(host, None)
    assert host.config() == original


def test_rollback_gives_the_ledger_back() -> None:
    host = MemoryHost(b"{}")
    harden(host, {"icc": False})
    before = json.loads(host.files[STATE_PATH].data)
    _refuse_level_error(host)
    with pytest.raises(EngineError):
        harden(host, {"icc": False, "log-level": "error"})
    after = json.loads(host.files[STATE_PATH].data)
    assert after["ledger"] == before["ledger"]
    assert after["transaction"] is None
    host.mutations.clear()
    assert not harden(host, {"icc": False}).changed
    assert _changes_engine(host) == []


def test_engine_that_hangs_at_start_is_rolled_back() -> None:
    host = MemoryHost(b"{}")
    host.engine.hangs = lambda data: data.get("log-level") == "error"
    with pytest.raises(EngineError, match="no success within 30 s"):
        harden(host, {"log-level": "error"})
    assert host.config() == b"{}"
    assert host.engine.running


def test_engine_that_dies_after_its_first_answer_is_rolled_back() -> None:
    host = MemoryHost(b"{}")
    written = apply(host, {"log-level": "error"})
    host.engine.silent_info = True
    host.on_sleep = lambda: None
    original_start = host.engine.start

    def start() -> Any:
        host.engine.silent_info = "log-level" in configured(host)
        return original_start()

    host.engine.start = start  # type: ignore[method-assign]
    host.engine.silent_info = False
    with pytest.raises(EngineError, match="stopped answering right afterwards"):
        bring_into_force(host, written.run_id)
    assert host.config() == b"{}"
    assert host.engine.running


def test_engine_that_starts_with_nothing_is_reported_and_the_old_bytes_are_back() -> None:
    original = b'{"debug": true}'
    host = MemoryHost(original)
    written = apply(host, {"log-level": "error"})
    host.engine.fatal = lambda data: "the disk died"
    with pytest.raises(EngineError, match=r"daemon\.json is as before, but the engine did not come up with it either"):
        bring_into_force(host, written.run_id)
    assert host.config() == original
    host.engine.fatal = lambda data: ""
    assert harden(host, {"log-level": "error"}).changed
    assert host.engine.loaded == {"debug": True, "log-level": "error"}


def test_last_known_good_is_tried_when_the_state_before_does_not_start() -> None:
    host = MemoryHost(b"{}")
    harden(host, {"icc": False})
    good = host.config()
    host.administrator_writes(CONFIG_PATH, b'{"icc": false, "mtu": 9}')
    written = apply(host, {"icc": False, "log-level": "error"})
    host.engine.fatal = lambda data: "mtu is too small" if "mtu" in data else ""
    with pytest.raises(EngineError, match=r"daemon\.json is the last one that was known to work"):
        bring_into_force(host, written.run_id)
    assert host.config() == good
    assert host.engine.running


def _unread_change(config: bytes, key: str) -> MemoryHost:
    """The administrator wrote something that the engine has not read yet and does not start with."""
    host = MemoryHost(b"{}")
    host.administrator_writes(CONFIG_PATH, config)
    host.engine.fatal = lambda data: f"{key} is not possible" if key in data else ""
    return host


def test_unread_foreign_change_does_not_leave_the_engine_down() -> None:
    config = b'{"mtu": 9}'
    host = _unread_change(config, "mtu")
    written = apply(host, {"icc": False})
    with pytest.raises(EngineError, match=r"for now the engine runs without daemon\.json"):
        bring_into_force(host, written.run_id)
    assert host.config() == config
    assert host.engine.running


def test_engine_is_not_started_without_settings_that_guard_its_data() -> None:
    config = b'{"exec-root": "/mnt/x"}'
    host = _unread_change(config, "exec-root")
    written = apply(host, {"icc": False})
    with pytest.raises(EngineError, match="the engine is down"):
        bring_into_force(host, written.run_id)
    assert host.config() == config
    assert not host.engine.running


def test_file_that_cannot_be_put_back_is_reported() -> None:
    host = MemoryHost(b"{}")
    written = apply(host, {"log-level": "error"})
    _refuse_level_error(host)
    host.write_failures[CONFIG_PATH] = ["No space left on device"] * 2
    with pytest.raises(EngineError, match=r"could not be put back .*No space left on device.*engine is down"):
        bring_into_force(host, written.run_id)


def test_rollback_does_not_restart_an_engine_that_never_stopped() -> None:
    host = _with_container()
    host.engine.ignores_reload = True
    with pytest.raises(EngineError, match="reported no reload"):
        harden(host, {"live-restore": True})
    assert host.config() == b"{}"
    assert host.engine.starts == 1
    assert host.engine.alive()


def test_containers_survive_when_live_restore_cannot_be_switched_on() -> None:
    host = _with_container()
    info = host.engine.info
    host.engine.info = lambda: {**info(), "LiveRestoreEnabled": False}  # type: ignore[method-assign]
    with pytest.raises(EngineError, match="did not switch live-restore on after a reload"):
        harden(host, {"live-restore": True, "no-new-privileges": True})
    assert host.engine.starts == 1
    assert host.engine.stopped_by_engine == []
    assert host.config() == b"{}"


def test_rollback_starts_the_containers_that_were_stopped() -> None:
    host = _with_container(b'{"live-restore": true}')
    host.engine.restart()
    _refuse_level_error(host)
    with pytest.raises(EngineError, match="the engine runs with it; mend"):
        harden(host, {"icc": False, "log-level": "error"}, allow_container_stop=True)
    assert [entry.id for entry in host.engine.alive()] == ["web"]


def test_rollback_brings_back_containers_that_the_old_file_does_not_keep_alive() -> None:
    host = _with_container()
    _refuse_level_error(host)
    with pytest.raises(EngineError):
        harden(host, {"live-restore": True, "log-level": "error"})
    assert host.engine.loaded == {}
    assert [entry.id for entry in host.engine.alive()] == ["web"]


def test_container_that_does_not_start_under_the_new_settings_rolls_back() -> None:
    host = _with_container(b'{"live-restore": true}')
    host.engine.restart()
    host.engine.containers[0].restart_fails = '{"message":"invalid rlimit"}'
    with pytest.raises(EngineError, match=r"start the containers that ran before: web: .*invalid rlimit") as caught:
        harden(host, {"icc": False}, allow_container_stop=True)
    assert "but not everything does" in str(caught.value)
    assert host.config() == b'{"live-restore": true}'


def test_container_that_cannot_be_stopped_leaves_the_engine_running() -> None:
    host = _with_container(b'{"live-restore": true}')
    host.engine.restart()
    host.engine.add_container("stubborn", stop_fails="tried to kill container, but did not receive an exit event")
    starts = host.engine.starts
    with pytest.raises(EngineError, match="stop the container stubborn: status 500"):
        harden(host, {"icc": False}, allow_container_stop=True)
    assert host.engine.starts == starts
    assert [entry.id for entry in host.engine.alive()] == ["web", "stubborn"]


def test_plaintext_listener_after_the_restart_rolls_back() -> None:
    host = MemoryHost(b"{}")
    written = apply(host, {"icc": False})
    host.tcp.append(TcpPort("00000000", 2375, "9", True, TLS_ONLY))
    start = host.engine.start

    def start_open() -> Any:
        host.tcp[0].answer = PLAINTEXT
        return start()

    host.engine.start = start_open  # type: ignore[method-assign]
    with pytest.raises(EngineError, match="answers its API without any certificate"):
        bring_into_force(host, written.run_id)
    assert host.config() == b"{}"


def test_flag_that_came_with_a_changed_unit_is_refused_before_the_restart() -> None:
    host = MemoryHost(b"{}")
    written = apply(host, {"log-level": "warn"})
    changed = DEBIAN_UNIT.replace("-H fd://", "-H fd:// --log-level=debug")
    systemctl = host._systemctl
    host.engine.unit_dirty = True

    def reload_first(words: tuple[str, ...]) -> Any:
        if words[0] == "daemon-reload":
            host.files[UNIT_PATH] = File(changed.encode())
        return systemctl(words)

    host._systemctl = reload_first  # type: ignore[method-assign]
    with pytest.raises(ConfigError, match=r"(?s)log-level.*Taken back"):
        bring_into_force(host, written.run_id)
    assert host.config() == b"{}"
    assert host.engine.starts == 1
    assert host.engine.running


# -- two runs at once


def test_second_run_is_refused_while_the_first_is_between_write_and_restart() -> None:
    host = MemoryHost(b"{}")
    first = apply(host, {"icc": False})
    assert PATIENCE < LEASE
    with pytest.raises(RefusedError, match=r"another run wrote settings 2\d s ago"):
        apply(host, {"log-level": "warn"}, run_id="second")
    with pytest.raises(RefusedError):
        bring_into_force(host, "second")
    assert configured(host) == {"icc": False}
    assert bring_into_force(host, first.run_id).changed


def test_second_run_waits_for_the_first() -> None:
    host = MemoryHost(b"{}")
    first = apply(host, {"icc": False})

    def first_finishes() -> None:
        host.on_sleep = lambda: None
        bring_into_force(host, first.run_id)

    host.on_sleep = first_finishes
    second = apply(host, {"icc": False, "log-level": "warn"}, run_id="second")
    assert second.changed
    assert host.engine.starts == 2
    assert configured(host) == {"icc": False, "log-level": "warn"}


def test_second_run_takes_over_after_the_lease_and_the_first_is_told() -> None:
    host = MemoryHost(b"{}")
    first = apply(host, {"icc": False})
    host.clock += LEASE
    second = apply(host, {"icc": False, "log-level": "warn"}, run_id="second")
    with pytest.raises(RefusedError):
        bring_into_force(host, first.run_id)
    host.clock -= PATIENCE
    assert bring_into_force(host, second.run_id).changed
    late = bring_into_force(host, first.run_id)
    assert (late.changed, late.action) == (False, "nothing")
    assert host.engine.starts == 2


def test_first_run_learns_that_the_second_had_to_roll_back() -> None:
    host = MemoryHost(b"{}")
    first = apply(host, {"log-level": "error"})
    host.clock += LEASE
    second = apply(host, {"log-level": "error", "icc": False}, run_id="second")
    _refuse_level_error(host)
    with pytest.raises(EngineError):
        bring_into_force(host, second.run_id)
    with pytest.raises(EngineError, match="another run had to take them back"):
        bring_into_force(host, first.run_id)
    assert not bring_into_force(host, first.run_id).changed
    assert STATE_PATH not in host.files


def test_clock_that_was_set_back_does_not_block_for_ever() -> None:
    host = MemoryHost(b"{}")
    apply(host, {"icc": False})
    host.clock -= 86400
    assert apply(host, {"icc": False, "log-level": "warn"}, run_id="second").changed


def test_lock_of_a_running_module_is_respected() -> None:
    host = MemoryHost(b"{}")
    host.locked_by_other = lambda: True
    with pytest.raises(HostError, match="another run has been working"):
        apply(host, {"icc": False})
    assert host.mutations == []


def test_roles_of_one_run_share_a_transaction() -> None:
    host = MemoryHost(b'{"debug":true}')
    first = apply(host, {"icc": False})
    second = apply(host, {"userns-remap": "1000:1000"}, run_id=first.run_id, owner="userns_remap")
    assert second.run_id == first.run_id
    bring_into_force(host, first.run_id)
    assert host.engine.starts == 2
    assert configured(host) == {"debug": True, "icc": False, "userns-remap": "1000:1000"}
    gone = apply(host, None, owner="userns_remap")
    bring_into_force(host, gone.run_id)
    assert configured(host) == {"debug": True, "icc": False}
    harden(host, None)
    assert host.config() == b'{"debug":true}'


# -- check mode


def test_check_mode_changes_nothing_and_tells_the_truth() -> None:
    host = MemoryHost(b"{}")
    foretold = apply(host, {"icc": False}, check_mode=True)
    assert host.mutations == []
    assert foretold._replace(run_id="") == apply(host, {"icc": False})._replace(run_id="")
    host.clock += 2 * LEASE
    host.mutations.clear()
    foretold = bring_into_force(host, check_mode=True)
    assert host.mutations == []
    assert (foretold.changed, foretold.action, foretold.engine_restarted) == (True, "restart", True)
    assert bring_into_force(host).changed
    host.mutations.clear()
    assert not bring_into_force(host, check_mode=True).changed
    gone = apply(host, None, check_mode=True)
    assert (gone.changed, gone.after, host.mutations) == (True, "{}", [])


def test_check_mode_of_a_commit_with_changed_units_reloads_nothing() -> None:
    host = MemoryHost(b"{}")
    written = apply(host, {"icc": False})
    host.engine.unit_dirty = host.engine.socket_dirty = True
    host.mutations.clear()
    assert bring_into_force(host, written.run_id, check_mode=True).action == "socket_and_service"
    assert host.mutations == []


def test_check_mode_keeps_the_news_of_a_rollback() -> None:
    host = MemoryHost(b"{}")
    first = apply(host, {"log-level": "error"})
    host.clock += LEASE
    second = apply(host, {"log-level": "error", "icc": False}, run_id="second")
    _refuse_level_error(host)
    with pytest.raises(EngineError):
        bring_into_force(host, second.run_id)
    host.mutations.clear()
    with pytest.raises(EngineError, match="take them back"):
        bring_into_force(host, first.run_id, check_mode=True)
    assert host.mutations == []
    with pytest.raises(EngineError, match="take them back"):
        bring_into_force(host, first.run_id)


# -- validation by dockerd


def test_validation_uses_the_flags_of_the_unit() -> None:
    host = MemoryHost(b"{}")
    host.files["/etc/default/docker"] = File(b"DOCKER_OPTS='--dns 192.0.2.1'\n")
    apply(host, {"icc": False})
    [words] = [words for words in host.runs if "--validate" in words]
    assert words == (
        "/usr/sbin/dockerd",
        "--validate",
        "--config-file=/dev/stdin",
        "-H",
        "fd://",
        "--containerd=/run/containerd/containerd.sock",
        "--dns",
        "192.0.2.1",
    )


def test_validation_of_an_old_engine_goes_nowhere() -> None:
    host = MemoryHost(b'{"data-root": "/srv/docker"}')
    host.engine.version = "20.10.24+dfsg1"
    host.files["/etc/default/docker"] = File(b"DOCKER_OPTS=--pidfile /run/p --exec-root=/run/e\n")
    apply(host, {"icc": False})
    [words] = [words for words in host.runs if "--config-file=/dev/stdin" in words]
    assert words[1:] == (
        "--config-file=/dev/stdin",
        "-H",
        "fd://",
        "--containerd=/run/containerd/containerd.sock",
        "--data-root=/dev/null/x",
        "--exec-root=/dev/null/y",
        "--pidfile=/dev/null/p",
    )


@pytest.mark.parametrize("as_flag", [False, True])
def test_validation_never_lets_dockerd_create_users(as_flag: bool) -> None:
    host = MemoryHost(b"{}" if as_flag else b'{"userns-remap": "default"}')
    if as_flag:
        host.files["/etc/default/docker"] = File(b"DOCKER_OPTS=--userns-remap default\n")
    seen: list[Mapping[str, Any]] = []
    host.engine.invalid = lambda data: seen.append(data) or ""  # type: ignore[func-returns-value]
    apply(host, {"icc": False}, check_mode=True)
    assert seen == [{"icc": False}]
    [words] = [words for words in host.runs if "--validate" in words]
    assert "default" not in " ".join(words)


@pytest.mark.parametrize(
    ("user", "check_mode", "asked"), [("later", True, False), ("later", False, True), ("alice", True, True)]
)
def test_forecast_does_not_ask_dockerd_about_a_user_who_is_still_to_be_made(
    user: str, check_mode: bool, asked: bool
) -> None:
    host = MemoryHost(b"{}")
    host.users["alice"] = UserAccount("alice", 1000, 1000, "/")
    seen: list[Mapping[str, Any]] = []
    host.engine.invalid = lambda data: seen.append(data) or ""  # type: ignore[func-returns-value]
    apply(host, {"userns-remap": f"{user}:staff"}, owner="userns_remap", check_mode=check_mode)
    assert ["userns-remap" in data for data in seen] == [asked]


# -- what is shown


SUBJECT_SHOWN = {
    '"http://user:secret@proxy:3128"': '"http://****@proxy:3128"',
    '"http://user:se@cret@proxy"': '"http://****@proxy"',
    r'"http:\/\/user:secret@proxy"': r'"http:\/\/****@proxy"',
    '"user:secret@proxy:3128"': '"****@proxy:3128"',
    "user:secret@proxy:3128": "****@proxy:3128",
    "HTTPS://user@proxy": "HTTPS://****@proxy",
    '"https://mirror.example/a@b"': '"https://mirror.example/a@b"',
    '"labels": ["mail=a@b.example"]': '"labels": ["mail=a@b.example"]',
}


@pytest.mark.parametrize(("text", "shown"), SUBJECT_SHOWN.items())
def test_credentials_are_masked(text: str, shown: str) -> None:
    assert mask_credentials(text) == shown


def test_diff_holds_no_credentials() -> None:
    host = MemoryHost(b'{"proxies": {"http-proxy": "http://user:secret@proxy:3128"}}')
    result = apply(host, {"icc": False}).to_result()
    assert "secret" not in json.dumps(result)
    assert result["diff"]["before"] == '{"proxies": {"http-proxy": "http://****@proxy:3128"}}'
    assert b"secret" in (host.config() or b"")


def test_refusals_hold_no_credentials() -> None:
    host = MemoryHost(b'{"registry-mirrors": ["https://user:secret@mirror.example"]}')
    with pytest.raises(ConfigError, match=r"https://\*\*\*\*@mirror\.example"):
        apply(host, {"icc": False})


def test_unchanged_outcome_has_no_diff() -> None:
    host = MemoryHost(b'{"icc": false}')
    assert "diff" not in apply(host, {"icc": False}).to_result()


def test_mode_and_owner_of_the_file_stay() -> None:
    host = MemoryHost(b"{}")
    host.files[CONFIG_PATH] = File(b"{}", 0o600, 0, 42)
    harden(host, {"icc": False})
    assert (host.files[CONFIG_PATH].mode, host.files[CONFIG_PATH].gid) == (0o600, 42)


def test_file_that_somebody_removed_comes_back_with_its_mode() -> None:
    host = MemoryHost(None)
    host.files[CONFIG_PATH] = File(b'{"debug":true}', 0o600, 0, 42)
    harden(host, {"icc": False})
    host.administrator_writes(CONFIG_PATH, None)
    harden(host, {"icc": False})
    assert (host.files[CONFIG_PATH].mode, host.files[CONFIG_PATH].gid) == (0o600, 42)


def test_config_file_of_the_unit_is_the_one_that_is_changed() -> None:
    host = MemoryHost(b"{}")
    host.directories["/srv"] = 0.0
    host.files["/etc/default/docker"] = File(b"DOCKER_OPTS=--config-file=/srv/docker.json\n")
    host.engine.restart()
    assert apply(host, {"icc": False}).path == "/srv/docker.json"
    assert host.config() == b"{}"
    assert "/srv/docker.json" in host.files
