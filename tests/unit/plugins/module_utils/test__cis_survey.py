# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a host: engines in every state, files, groups, audit rules, and each question asked once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._cis import Snapshot
from ansible_collections.bulwark.docker.plugins.module_utils._cis_registry import CONTROLS
from ansible_collections.bulwark.docker.plugins.module_utils._cis_report import Request, audit_host
from ansible_collections.bulwark.docker.plugins.module_utils._cis_survey import survey
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError, HostError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import ApiResponse, CommandResult, UserAccount
from ansible_collections.bulwark.docker.plugins.module_utils._instance import system_instance
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.memory_host import (
    CONFIG_PATH,
    SOCKET_PATH,
    UNIT_PATH,
    File,
    MemoryHost,
)

PASSWD = b"root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\neve:x:1001:102::/home/eve:/bin/sh\n"
NOTHING = ApiResponse(200, b"[]")


class AuditedHost(MemoryHost):
    """The same with accounts, the kernel's audit system, and everything that an engine lists."""

    def __init__(self, config: bytes | None = None) -> None:
        super().__init__(config)
        self.programs = {"dockerd": "/usr/sbin/dockerd", "modprobe": "/usr/sbin/modprobe"}
        self.answers: dict[str, CommandResult] = {}
        self.asked: list[str] = []
        self.load_state = "loaded"
        self.files["/etc/passwd"] = File(PASSWD)
        self.files["/etc/group"] = File(b"root:x:0:\ndocker:x:102:bob,root\n")
        self.files[SOCKET_PATH] = File(b"[Socket]\n")
        self.users = {
            "ann": UserAccount("ann", 1000, 1000, "/home/ann"),
            "eve": UserAccount("eve", 1001, 102, "/home/eve"),
        }

    def which(self, name: str) -> str | None:
        return self.programs.get(name)

    def read_link(self, path: str) -> str | None:
        return "pid:[4026531836]" if path == "/proc/self/ns/pid" else super().read_link(path)

    def run(self, argv: Sequence[str], data: Any = None, timeout: Any = None, environ: Any = None) -> CommandResult:
        line = " ".join(argv)
        known = next((answer for start, answer in self.answers.items() if line.startswith(start)), None)
        if known is not None:
            return known
        if argv[0] == "getent":
            return CommandResult(2, "", "")
        if argv[0] == "setpriv":
            raise HostError("ask systemd about docker.service: no bus")
        return super().run(argv, data, timeout, environ)

    def _show(self, unit: str, names: Sequence[str]) -> str:
        return super()._show(unit, names).replace("LoadState=loaded", f"LoadState={self.load_state}")

    def api(
        self, socket_path: str, method: str, path: str, body: bytes | None = None, timeout: float = 10.0
    ) -> ApiResponse:
        self.asked.append(path)
        if path in ("/images/json", "/networks"):
            return NOTHING
        if path == "/volumes":
            return ApiResponse(200, b'{"Volumes": null}')
        return super().api(socket_path, method, path, body, timeout)


def read(host: AuditedHost) -> Snapshot:
    """The snapshot; reading changes nothing."""
    before = len(host.mutations)
    found = survey(host, system_instance())
    assert len(host.mutations) == before
    return found


def audit(host: AuditedHost, **more: Any) -> dict[str, Any]:
    """The module's result as JSON carries it."""
    request = Request(system_instance(), ("all",), 2, "1.8", (), ())._replace(**more)
    return json.loads(json.dumps(audit_host(host, request)))


def verdict(result: dict[str, Any], name: str) -> str:
    [found] = [one["verdict"] for one in result["results"] if one["id"] == name]
    return found


def test_an_engine_that_runs() -> None:
    host = AuditedHost(b'{"icc": false}')
    engine = read(host).system
    assert (engine.name, engine.state, engine.version_text) == ("system", "running", "26.1.5+dfsg1")
    assert engine.data == engine.loaded == {"icc": False}
    assert engine.running_flags == engine.flags
    assert engine.settings["icc"]["effective"] is False


def test_every_control_is_judged_once() -> None:
    result = audit(AuditedHost(b'{"icc": false}'))
    assert [one["id"] for one in result["results"]] == [control.id for control in CONTROLS]
    assert sum(result["counts"].values()) == len(CONTROLS)
    assert verdict(result, "icc_default_bridge") == "pass"
    assert verdict(result, "no_new_privileges_default") == "fail"
    assert result["checked_at"].endswith("Z")
    assert result["engines"] == [
        {"name": "system", "state": "running", "version": "26.1.5+dfsg1", "socket": "/run/docker.sock", "problem": ""}
    ]


def test_the_engine_is_asked_each_question_once() -> None:
    host = AuditedHost()
    host.engine.add_container("web")
    host.engine.add_container("db")
    read(host)
    assert len(host.asked) == len(set(host.asked))
    assert {path for path in host.asked if path.startswith("/containers/")} == {
        "/containers/json",
        "/containers/json?all=1",
        "/containers/web/json",
        "/containers/db/json",
    }


def test_icc_that_is_pending_is_found() -> None:
    host = AuditedHost(b'{"live-restore": true}')
    host.engine.add_container("web")
    host.files[CONFIG_PATH] = File(b'{"live-restore": true, "icc": false}', ctime=host.clock)
    host.clock += 1
    host.engine.restart()
    result = audit(host)
    assert verdict(result, "icc_default_bridge") == "fail"
    assert verdict(result, "settings_in_force") == "fail"


def test_an_engine_that_is_stopped() -> None:
    host = AuditedHost(b'{"icc": false}')
    host.files[UNIT_PATH].mode = 0o622
    host.engine.stop()
    result = audit(host)
    assert [engine["state"] for engine in result["engines"]] == ["stopped"]
    assert verdict(result, "service_unit_mode") == "fail"
    [icc] = [one for one in result["results"] if one["id"] == "icc_default_bridge"]
    assert (icc["verdict"], icc["configured"]) == ("not_applicable", False)


@pytest.mark.parametrize(
    ("load_state", "binary", "state"), [("not-found", False, "not_installed"), ("masked", True, "stopped")]
)
def test_an_engine_that_is_not_there(load_state: str, binary: bool, state: str) -> None:
    host = AuditedHost()
    host.engine.stop()
    host.load_state = load_state
    if not binary:
        del host.programs["dockerd"]
    result = audit(host)
    assert [engine["state"] for engine in result["engines"]] == [state]
    assert verdict(result, "icc_default_bridge") == "not_applicable"


def test_users_engines_are_found_although_they_do_not_run() -> None:
    host = AuditedHost()
    host.files["/home/ann/.config/systemd/user/docker.service"] = File(b"[Service]\n", uid=1000)
    host.files["/home/ann/.config/docker/daemon.json"] = File(b'{"insecure-registries": ["r:5000"]}', 0o666, 1000)
    found = read(host)
    assert [(engine.name, engine.state) for engine in found.engines] == [
        ("system", "running"),
        ("rootless:ann", "stopped"),
    ]
    [user] = found.facts.users
    assert (user.user, user.insecure_registries, len(user.files)) == ("ann", ("r:5000",), 2)
    result = audit(host)
    assert verdict(result, "rootless_configuration") == "fail"
    assert verdict(result, "rootless_insecure_registries") == "fail"


def test_a_users_configuration_that_cannot_be_read_is_told() -> None:
    host = AuditedHost()
    host.files["/home/ann/.config/systemd/user/docker.service"] = File(b"[Service]\n", uid=1000)
    host.files["/home/ann/.config/docker/daemon.json"] = File(b"[1]", 0o600, 1000)
    assert "daemon.json" in read(host).facts.users[0].problem


def test_a_home_that_root_may_not_enter_is_passed_over(monkeypatch) -> None:
    host = AuditedHost()

    def stat(path: str) -> Any:
        if path.startswith("/home/ann"):
            raise HostError(f"look at {path}: Permission denied")
        return MemoryHost.stat(host, path)

    monkeypatch.setattr(host, "stat", stat)
    assert [engine.name for engine in read(host).engines] == ["system"]


def test_registry_certificates_and_keys_are_told_apart() -> None:
    host = AuditedHost()
    folder = "/etc/docker/certs.d"
    for name in ("r/ca.crt", "r/client.cert", "r/client.key", "r/notes", "stray.crt"):
        host.files[f"{folder}/{name}"] = File(b"x")
    host.directories.update({folder: 0.0, f"{folder}/r": 0.0})
    files = read(host).files
    assert [one.path for one in files["registry_certificates"]] == [f"{folder}/r/ca.crt", f"{folder}/r/client.cert"]
    assert [one.path for one in files["registry_keys"]] == [f"{folder}/r/client.key"]


def test_members_by_their_main_group_count() -> None:
    facts = read(AuditedHost()).facts
    assert (facts.members, facts.group_ids) == (("bob", "eve"), (0, 102))


def test_ports_of_the_socket_unit() -> None:
    host = AuditedHost()
    line = "Listen=/run/docker.sock (Stream)\nListen=[::]:2375 (Stream)\n"
    host.answers["systemctl show docker.socket --property=Listen"] = CommandResult(0, line, "")
    assert read(host).facts.socket_ports == ("[::]:2375",)
    assert verdict(audit(host), "socket_unit_tcp") == "fail"


@pytest.mark.parametrize(
    ("status", "rules", "rc", "expected"),
    [
        ("enabled 1\nfailure 1\npid 7\n", "-w /etc/docker -p wa -k x\n", 0, ("", "", ("-w /etc/docker -p wa -k x",))),
        ("enabled 1\n", "No rules\n", 0, ("", "", ())),
        ("enabled 0\n", "No rules\n", 0, ("", "the kernel's audit system is switched off", ())),
        ("", "", 4, ("the kernel's audit system does not answer (auditctl)", "", ())),
    ],
)
def test_audit_rules(status: str, rules: str, rc: int, expected: tuple[str, str, tuple[str, ...]]) -> None:
    host = AuditedHost()
    host.programs["auditctl"] = "/usr/sbin/auditctl"
    host.answers = {"auditctl -s": CommandResult(0, status, ""), "auditctl -l": CommandResult(rc, rules, "")}
    audit_facts = read(host).facts.audit
    assert (audit_facts.unreachable, audit_facts.broken, audit_facts.rules) == expected


def test_links_out_of_a_users_directory_are_noticed() -> None:
    host = AuditedHost(b"{}")
    host.links[CONFIG_PATH] = "/home/eve/daemon.json"
    host.files["/home/eve"] = File(b"", 0o755, 1001)
    [config] = read(host).files["config"]
    assert (config.real, config.exposed) == ("/home/eve/daemon.json", "/home/eve")
    host.files["/home/eve"].uid = 0
    [config] = read(host).files["config"]
    assert config.exposed == ""
    host.files["/home/eve"].mode = 0o1777
    [config] = read(host).files["config"]
    assert config.exposed == ""
    host.files["/home/eve"].mode = 0o777
    [config] = read(host).files["config"]
    assert config.exposed == "/home/eve"


def test_shared_and_doubtful_subordinate_ids() -> None:
    host = AuditedHost()
    host.files["/etc/subuid"] = File(b"ann:100000:65536\neve:165000:65536\n")
    host.files["/etc/subgid"] = File(b"ann:100000:65536\neve:165536:65536\n")
    facts = read(host).facts
    assert facts.subordinate_files == ("/etc/subuid", "/etc/subgid")
    assert len(facts.shared_ids) == 1
    assert "/etc/subuid line 2 ('eve:165000:65536')" in facts.shared_ids[0]


def test_certificates_by_openssl() -> None:
    host = AuditedHost(b'{"tlscacert": "/ca.pem", "tlscert": "/cert.pem", "tlskey": "/key.pem"}')
    host.files.update({path: File(b"x") for path in ("/ca.pem", "/cert.pem", "/key.pem")})
    host.programs["openssl"] = "/usr/bin/openssl"
    host.answers = {
        "openssl x509 -noout -in /ca.pem -enddate": CommandResult(0, "notAfter=Dec  1 00:00:00 2030 GMT\n", ""),
        "openssl x509 -noout -in /ca.pem -checkend": CommandResult(0, "", ""),
        "openssl x509 -noout -in /cert.pem -enddate": CommandResult(0, "notAfter=Nov  1 00:00:00 2026 GMT\n", ""),
        "openssl x509 -noout -in /cert.pem -checkend": CommandResult(1, "", ""),
    }
    found = {one.path: (one.expired, one.soon) for one in read(host).facts.certificates}
    assert found == {"/ca.pem": (False, False), "/cert.pem": (True, True)}
    assert [one.path for one in read(host).files["tls_key"]] == ["/key.pem"]


def test_bad_requests_are_refused_before_the_host_is_read() -> None:
    host = AuditedHost()
    bad = {"id": "nothing", "reason": "because", "expires": "2999-01-01"}
    for more in ({"waivers": (bad,)}, {"controls": ("nothing",)}):
        with pytest.raises(ConfigError):
            audit(host, **more)
    assert host.asked == []
