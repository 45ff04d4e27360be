# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The TLS listener on a modelled engine: one restart, refusals, drift, proof, what other roles see of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._engine_report import report_engine
from ansible_collections.bulwark.docker.plugins.module_utils._errors import BulwarkError, EngineError
from ansible_collections.bulwark.docker.plugins.module_utils._instance import rootless_instance, system_instance
from ansible_collections.bulwark.docker.plugins.module_utils._transaction import (
    SettingsRequest,
    apply_settings,
)
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.memory_host import (
    CONFIG_PATH,
    DEBIAN_UNIT,
    STATE_PATH,
    TLS_DROP_IN,
    UNIT_PATH,
    File,
    MemoryHost,
    TcpPort,
)
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.transaction_steps import (
    LEASE,
    apply,
    bring_into_force,
    harden,
    listen,
    material,
    pem,
)

DOCKER_OPTS = "/etc/default/docker"


def _with_unit(line: str, config: bytes = b"{}") -> MemoryHost:
    host = MemoryHost(config)
    unit = DEBIAN_UNIT.replace("-H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS", line)
    host.files[UNIT_PATH] = File(unit.encode())
    host.loaded_unit = host.unit_text()
    host.engine.restart()
    host.clock += 10
    return host


def test_one_restart_and_the_second_run_changes_nothing() -> None:
    host = MemoryHost(b"{}")
    listener = material(host)
    foretold = apply(host, {}, owner="daemon_tls", listener=listener, check_mode=True)
    assert (foretold.changed, foretold.action, host.mutations) == (True, "restart", [])
    assert host.tcp == []
    done = listen(host, listener)
    assert (done.action, done.engine_restarted, host.engine.starts) == ("restart", True, 2)
    [port] = host.tcp
    assert (port.port, port.verify, port.certificate) == (2376, True, pem("one"))
    assert "-H fd:// " in host.files[TLS_DROP_IN].data.decode()
    host.mutations.clear()
    again = listen(host, listener)
    assert (again.changed, again.commit_required, again.reasons, host.mutations) == (False, False, (), [])


def test_diff_shows_the_file_that_changes() -> None:
    host = MemoryHost(b'{"tlsverify": true, "tlscacert": "/o/ca", "tlscert": "/o/c", "tlskey": "/o/k"}')
    listener = material(host)
    alone = apply(MemoryHost(b"{}"), {}, check_mode=True).to_result()
    assert "diff" not in alone
    both = apply(host, {}, owner="daemon_tls", listener=listener, override=True, check_mode=True).to_result()
    assert [entry["after_header"] for entry in both["diff"]] == [CONFIG_PATH, TLS_DROP_IN]
    assert "--tlsverify" in both["diff"][1]["after"]


def _foreign_port(host: MemoryHost) -> None:
    host.tcp.append(TcpPort("0100007F", 2376, "77", False, b"SSH-2.0"))


def _socket_port(host: MemoryHost) -> None:
    host.socket_listens = "/run/docker.sock (Stream) 127.0.0.1:2376 (Stream)"


def _later_drop_in(host: MemoryHost) -> None:
    path = "/etc/systemd/system/docker.service.d/zzz.conf"
    host.files[path] = File(b"[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd -H fd://\n")
    host.unit_files.append(path)


def _in_a_variable(host: MemoryHost) -> None:
    host.files[DOCKER_OPTS] = File(b'DOCKER_OPTS="-H tcp://0.0.0.0:2376 --tlsverify"\n')


def _config(text: str) -> Callable[[MemoryHost], None]:
    return lambda host: host.administrator_writes(CONFIG_PATH, text.encode())


def _set(name: str, value: Any) -> Callable[[MemoryHost], None]:
    return lambda host: setattr(host, name, value)


def _without(path: str) -> Callable[[MemoryHost], None]:
    return lambda host: host.administrator_writes(f"/etc/docker/tls/one/{path}", None)


REFUSED = {
    "port of another process": (_foreign_port, {}, "needs port 2376, which another process uses"),
    "port of the socket unit": (_socket_port, {}, "docker.socket listens on TCP port 2376"),
    "address of another host": (_set("addresses", set()), {}, "does not have the address '127.0.0.1'"),
    "no CA": (_without("ca.pem"), {}, "ca /etc/docker/tls/one/ca.pem is not there"),
    "no key": (_without("key.pem"), {}, "key /etc/docker/tls/one/key.pem is not there"),
    "key of another certificate": (_set("tls_refusal", "key values mismatch"), {}, "key values mismatch"),
    "later drop-in": (_later_drop_in, {}, "zzz.conf is read after"),
    "another owner": (lambda host: None, {"owner": "seccomp"}, "only the role 'daemon_tls' may"),
    "hosts in the file": (_config('{"hosts": ["unix:///a"]}'), {}, r"has set 'hosts' \(line 1\)"),
    "tls in the file": (_config('{"tls": false}'), {}, "has set 'tls'"),
    "listener in a variable": (_in_a_variable, {}, "has TCP listeners or TLS flags already"),
    "listener in a variable, override": (_in_a_variable, {"override": True}, "comes from a variable"),
}


@pytest.mark.parametrize(("prepare", "more", "words"), REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.parametrize("check_mode", [False, True])
def test_refused_before_anything_is_written(
    prepare: Callable[[MemoryHost], None], more: dict[str, Any], words: str, check_mode: bool
) -> None:
    host = MemoryHost(b"{}")
    listener = material(host)
    prepare(host)
    options = {"owner": "daemon_tls", "listener": listener, **more}
    with pytest.raises(BulwarkError, match=words):
        apply(host, {}, check_mode=check_mode, **options)
    assert host.mutations == []


@pytest.mark.parametrize(
    ("line", "started"),
    [
        ("-H fd:// -H tcp://0.0.0.0:2375", ("-H", "fd://")),
        ("-H tcp://0.0.0.0:2375", ("-H", "fd://")),
        ("", ("-H", "fd://")),
        (
            "-H unix:///run/docker.sock --host=tcp://0.0.0.0:2376 --tls --tlscacert=/c --tlscert=/a --tlskey=/b",
            ("-H", "unix:///run/docker.sock"),
        ),
    ],
)
def test_listener_of_the_unit_is_taken_over_and_given_back(line: str, started: tuple[str, ...]) -> None:
    host = MemoryHost(b"{}")
    for path, content in (("/c", pem("o")), ("/a", pem("o")), ("/b", b"-----BEGIN PRIVATE KEY-----")):
        host.files[path] = File(content)
    unit = DEBIAN_UNIT.replace("-H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS", line)
    host.files[UNIT_PATH] = File(unit.encode())
    host.loaded_unit = host.unit_text()
    host.engine.restart()
    host.clock += 10
    before, listener = host.engine.argv, material(host)
    if line:
        with pytest.raises(BulwarkError, match=r"TCP listeners or TLS flags already \(|demands|answers"):
            listen(host, listener)
    listen(host, listener, override=True)
    assert host.engine.argv[1:3] == started
    assert host.engine.argv[3:] == (
        *("-H", "tcp://127.0.0.1:2376", "--tlsverify"),
        *(
            f"--{name}=/etc/docker/tls/one/{file}.pem"
            for name, file in (("tlscacert", "ca"), ("tlscert", "cert"), ("tlskey", "key"))
        ),
    )
    assert not listen(host, listener).changed
    host.clock += 2 * LEASE
    listen(host, None, allow_plaintext_api=True)
    assert host.engine.argv == before
    assert TLS_DROP_IN not in host.files


def test_unix_listener_of_an_engine_without_socket_unit() -> None:
    host = _with_unit("")
    host.socket_active = False
    listen(host, material(host))
    assert host.engine.argv[1:3] == ("-H", "unix:///var/run/docker.sock")


def test_taking_away_does_not_bring_plaintext_back_unasked() -> None:
    host = _with_unit("-H fd:// -H tcp://127.0.0.1:2375")
    listen(host, material(host), override=True)
    host.clock += 2 * LEASE
    with pytest.raises(BulwarkError, match="makes everybody who reaches it root"):
        listen(host, None)
    assert all(port.certificate for port in host.tcp)


def test_keys_of_the_file_come_back_byte_by_byte() -> None:
    config = b'{\n  "tlsverify": true, "tlscacert": "/o/ca",\n "tlscert": "/o/c", "tlskey": "/o/k", "debug": true}\n'
    host = MemoryHost(config)
    listen(host, material(host), override=True)
    assert json.loads(host.config() or b"") == {"debug": True}
    host.clock += 2 * LEASE
    for path, content in (("ca", pem("o")), ("c", pem("o")), ("k", b"-----BEGIN PRIVATE KEY-----")):
        host.files[f"/o/{path}"] = File(content)
    listen(host, None)
    assert host.config() == config
    assert STATE_PATH not in host.files


def test_changed_line_of_the_package_is_drift_and_is_mended() -> None:
    host = MemoryHost(b"{}")
    listener = material(host)
    listen(host, listener)
    assert report_engine(host, system_instance())["listener"]["drift"] == []
    host.clock += 2 * LEASE
    host.administrator_writes(UNIT_PATH, DEBIAN_UNIT.replace("$DOCKER_OPTS", "$DOCKER_OPTS --debug").encode())
    host.loaded_unit = host.unit_text()
    found = report_engine(host, system_instance())
    assert "starts the engine with another line now" in found["listener"]["drift"][0]
    assert found["listener"]["drift"][0] in found["divergences"]
    done = listen(host, listener)
    assert (done.action, "--debug" in host.engine.argv) == ("restart", True)
    assert report_engine(host, system_instance())["listener"]["drift"] == []


@pytest.mark.parametrize("change", [b"--tlsverify", b"# Repeated line", b"-H fd://", b"--tlskey=/etc/docker/tls/one"])
def test_changed_drop_in_is_mended(change: bytes) -> None:
    host = MemoryHost(b"{}")
    listener = material(host)
    listen(host, listener)
    host.clock += 2 * LEASE
    good = host.files[TLS_DROP_IN].data
    host.administrator_writes(TLS_DROP_IN, good.replace(change, b"--tls"))
    listen(host, listener)
    assert host.files[TLS_DROP_IN].data == good


def test_changed_drop_in_is_reported() -> None:
    host = MemoryHost(b"{}")
    listen(host, material(host))
    good = host.files[TLS_DROP_IN].data
    for change in (b"# Repeated line", b"--tlscert=", b"ExecStart=\n"):
        host.administrator_writes(TLS_DROP_IN, good.replace(change, b"#"))
        [text] = report_engine(host, system_instance())["listener"]["drift"]
        assert "was changed by somebody" in text


def test_report_shows_what_a_stranger_sees() -> None:
    host = MemoryHost(b"{}")
    listen(host, material(host))
    found = report_engine(host, system_instance())
    [entry] = [entry for entry in found["listeners"] if entry["kind"] == "tcp"]
    assert (entry["plaintext"], entry["tls"]["version"], entry["tls"]["days_left"]) == (False, "TLSv1.3", 9)
    assert entry["tls"]["client_certificate_demanded"]
    assert found["divergences"] == []
    host.files["/etc/docker/tls/one/cert.pem"].data = pem("renewed in place")
    [text] = report_engine(host, system_instance())["divergences"]
    assert "shows another certificate" in text
    host.tcp[0].verify = False
    assert any(
        "answers without a certificate" in line for line in report_engine(host, system_instance())["divergences"]
    )
    host.tcp.clear()
    assert "does not serve TLS there" in report_engine(host, system_instance())["divergences"][0]


def _other_certificate(port: TcpPort) -> None:
    port.certificate = pem("somebody else")


def _serves_strangers(port: TcpPort) -> None:
    port.verify = False


def _no_tls(port: TcpPort) -> None:
    port.certificate = None


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_other_certificate, "shows another certificate"),
        (_serves_strangers, "answered a client that has no certificate"),
        (_no_tls, "wrong version number"),
    ],
)
def test_listener_that_fails_its_proof_is_rolled_back(spoil: Callable[[TcpPort], None], words: str) -> None:
    host = MemoryHost(b"{}")
    listener = material(host)
    written = apply(host, {}, owner="daemon_tls", listener=listener)
    real = host.engine.listen

    def spoiled(data: Any) -> str:
        problem = real(data)
        for port in host.tcp:
            spoil(port)
        return problem

    host.engine.listen = spoiled  # type: ignore[method-assign]
    with pytest.raises(EngineError, match=words):
        bring_into_force(host, written.run_id)
    assert TLS_DROP_IN not in host.files
    assert host.tcp == []
    assert host.engine.running


def test_without_client_certificates_as_asked() -> None:
    host = MemoryHost(b"{}")
    listener = material(host, verify=False)
    listen(host, listener)
    assert not host.tcp[0].verify
    assert harden(host, {"no-new-privileges": True}).changed


def test_rootless_engines_get_no_listener() -> None:
    host = MemoryHost(b"{}")
    listener = material(host)
    instance = rootless_instance("bob", 1000, 1000, "/home/bob", config_path=CONFIG_PATH)
    host.files[CONFIG_PATH] = File(b"{}", uid=1000)
    host.links[CONFIG_PATH] = "/home/bob/.config/docker/daemon.json"
    assert instance.drop_in_path == ""
    request = SettingsRequest("daemon_tls", True, {}, False, False, False, "", LEASE, 1.0, False, listener)
    with pytest.raises(BulwarkError, match="belong to the role 'rootless'"):
        apply_settings(host, instance, request)


@pytest.mark.parametrize(
    ("target", "uid", "words"),
    [
        ("/etc/shadow", 0, "leaves the home directory"),
        ("/home/bobby/daemon.json", 1000, "leaves the home directory"),
        ("/home/bob/other.json", 1001, "belongs to the user id 1001"),
    ],
)
def test_root_does_not_follow_a_users_link_away(target: str, uid: int, words: str) -> None:
    host = MemoryHost(b"{}")
    host.files[target] = File(b"{}", uid=uid)
    host.links[CONFIG_PATH] = target
    instance = rootless_instance("bob", 1000, 1000, "/home/bob", config_path=CONFIG_PATH)
    request = SettingsRequest("rootless", True, {"icc": False}, False, False, False, "", LEASE, 1.0, False)
    with pytest.raises(BulwarkError, match=words):
        apply_settings(host, instance, request)
    assert host.mutations == []


def test_engine_that_was_stopped_stays_stopped() -> None:
    host = MemoryHost(b"{}")
    host.engine.stop()
    written = apply(host, {"icc": False})
    assert (written.changed, written.action) == (True, "nothing")
    done = bring_into_force(host, written.run_id)
    assert (done.changed, done.engine_restarted, host.engine.running) == (False, False, False)
    assert "was stopped before this run" in done.warnings[-1]
    assert not apply(host, {"icc": False}).commit_required
    host.engine.start()
    host.clock += 10
    assert not apply(host, {"icc": False}).commit_required
    assert host.engine.loaded == {"icc": False}


def test_engine_that_failed_is_started() -> None:
    host = MemoryHost(b"{}")
    host.engine.stop()
    host.engine.active = "failed"
    assert harden(host, {"icc": False}).engine_restarted
    assert host.engine.running
