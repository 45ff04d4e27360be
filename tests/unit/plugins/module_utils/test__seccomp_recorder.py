# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recording a workload on a host in memory: what is logged, what follows from it, and where it is refused."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._errors import HostError, RefusedError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import ApiResponse
from ansible_collections.bulwark.docker.plugins.module_utils._instance import system_instance
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_numbers import CALL_NAMES
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_policy import (
    compose,
    merge_policies,
    parse_policy,
    wider_clauses,
)
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_recorder import (
    FIRST_PID_NAMESPACE,
    Request,
    derive_policies,
    parse_records,
    record,
    recording_profile,
)
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_tables import ALLOW, MINIMAL_CALLS
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.test__probe_runner import (
    FakeEngineHost,
    frame,
    good,
)

VERSION = Version(26, 1, 5)
NUMBERS = {name: number for number, name in CALL_NAMES["x86_64"].items()}
LOGGED = (
    "audit(1700000000.123:{serial}): auid=4294967295 uid=0 gid=0 ses=4294967295 subj=docker-default pid=77 "
    'comm="python3" exe="/usr/bin/python3.11" sig=0 arch={arch} syscall={number} compat=0 ip=0x7f code={code}'
)


def line(call: str, arch: str = "c000003e", code: str = "0x7ffc0000", serial: int = 1) -> str:
    return LOGGED.format(serial=serial, arch=arch, number=NUMBERS.get(call, call), code=code)


def composed(*policies: Mapping[str, Any]) -> Any:
    return compose(merge_policies([parse_policy(policy) for policy in policies]), VERSION)


# -- pure -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", ["engine", "hardened"])
def test_recording_allows_no_more_than_what_it_starts_from(base: str) -> None:
    start = composed({"base": base})
    rules = json.loads(recording_profile(start))["syscalls"]
    logged = {name for rule in rules for name in rule["names"] if rule["action"] == "SCMP_ACT_LOG"}
    allowed = {name for rule in rules for name in rule["names"] if rule["action"] == ALLOW}
    assert allowed <= MINIMAL_CALLS
    assert logged | allowed == {clause.call for clause in start.clauses if clause.action == ALLOW}
    assert len(logged) > 200
    assert [rule["errnoRet"] for rule in rules if rule["names"] == ["clone3"] and "errnoRet" in rule] == [38]
    assert json.loads(recording_profile(start))["defaultAction"] == "SCMP_ACT_ERRNO"


def test_records_are_read_and_others_passed_over() -> None:
    texts = [line("mmap"), line("mmap"), line("bind"), line("ptrace", code="0x0"), line("read", arch="40000003"), "x"]
    found = parse_records(texts, "x86_64")
    assert found.calls == {"mmap": 2, "bind": 1}
    assert (found.programs, found.foreign) == (["/usr/bin/python3.11"], ["/usr/bin/python3.11"])
    assert parse_records([line("9999")], "x86_64").calls == {"9999": 1}


def test_derived_policy_allows_what_was_seen_as_hardened_has_it() -> None:
    start = [{"base": "hardened"}]
    derived = derive_policies(start, ["brk", "mmap", "socket", "clone"], composed(*start))
    assert derived == [{"base": "minimal", "allow": ["brk", "clone", "mmap", "socket"]}]
    clauses = composed(*derived).clauses
    assert {clause.call for clause in clauses if clause.action == ALLOW} == {"brk", "clone", "mmap", "socket"} | (
        MINIMAL_CALLS & {clause.call for clause in composed(*start).clauses}
    )
    assert wider_clauses(clauses, composed(*start).clauses) == []
    families = {clause.arguments[0].value for clause in clauses if clause.call == "socket"}
    assert families == {1, 2, 10, 16}


def test_reasons_and_conditions_of_seen_calls_are_kept() -> None:
    packet = {"calls": ["socket"], "action": "allow", "arguments": [{"index": 0, "operator": "eq", "value": 17}]}
    other = {"calls": ["mount"], "action": "deny"}
    start = {
        "base": "hardened",
        "allow": ["io_uring", "keyctl"],
        "waivers": {"io_uring": "ticket", "keyctl": "ticket"},
        "rules": [packet, other],
    }
    [derived] = derive_policies([start], ["io_uring_setup", "socket"], composed(start))
    assert derived["waivers"] == {"io_uring": "ticket"}
    assert derived["rules"] == [{**packet, "calls": ["socket"]}]
    calls = {clause.call for clause in composed(derived).clauses if clause.action == ALLOW}
    assert "io_uring_setup" in calls
    assert not {"io_uring_enter", "keyctl", "mount"} & calls


# -- running ----------------------------------------------------------------------------------------------------------


class RecordingHost(FakeEngineHost):
    """An engine whose container serves until it is stopped; its calls are logged where the profile says so."""

    def __init__(self) -> None:
        super().__init__()
        self.info.update(Architecture="x86_64", ServerVersion="26.1.5+dfsg1")
        self.links["/proc/self/ns/pid"] = FIRST_PID_NAMESPACE
        self.files["/proc/sys/kernel/seccomp/actions_logged"] = b"kill_process trap errno log\n"
        self.images["web:1"] = b""
        self.calls = ["brk", "mmap", "socket", "bind", "listen"]
        self.texts: list[str] = []
        self.stopped: set[str] = set()
        self.profiles: list[dict[str, Any]] = []
        self.needs: set[str] = set(self.calls)
        self.lost = False

    @contextlib.contextmanager
    def audit_stream(self) -> Iterator[RecordingHost]:
        yield self

    def read(self, kind: int, seconds: float) -> list[str]:
        assert kind == 1326
        self.sleep(seconds)
        if self.lost:
            raise HostError("listen to the kernel's audit system: it lost records")
        said, self.texts = self.texts, []
        return said

    def answer(self, method: str, parts: list[str], query: dict[str, str], body: bytes | None) -> ApiResponse:
        match method, parts:
            case "GET", ["containers" | "images" as kind, "json"]:
                found = getattr(self, kind)
                return good([{"Id": name} for name in found if name != "web:1"])
            case "POST", ["containers", identity, "start"]:
                option = self.containers[identity]["payload"]["HostConfig"]["SecurityOpt"][-1]
                profile = json.loads(option.removeprefix("seccomp="))
                self.profiles.append(profile)
                logged = {n for r in profile["syscalls"] if r["action"] == "SCMP_ACT_LOG" for n in r["names"]}
                self.texts += [line(call) for call in self.calls if call in logged]
            case "POST", ["containers", identity, "exec"]:
                return good({"Id": identity})
            case "POST", ["exec", _, "start"]:
                return ApiResponse(200, b"")
            case "GET", ["exec", _, "json"]:
                return good({"Running": False, "ExitCode": 0 if self.allowed() >= self.needs else 1})
            case "POST", ["containers", identity, "stop"]:
                self.stopped.add(identity)
                return ApiResponse(204, b"")
        return super().answer(method, parts, query, body)

    def allowed(self) -> set[str]:
        rules = self.profiles[-1]["syscalls"]
        return {name for rule in rules if rule["action"] in (ALLOW, "SCMP_ACT_LOG") for name in rule["names"]}

    def inspect(self, identity: str) -> dict[str, Any]:
        return {"State": {"Running": identity not in self.stopped, "ExitCode": 0}}

    def logs(self, container: dict[str, Any]) -> bytes:
        return frame(2, b"last words")


def run(host: RecordingHost, **options: Any) -> dict[str, Any]:
    """One run of the module's core; nothing may be left of it."""
    plain: dict[str, Any] = {
        "instance": system_instance(),
        "container": {"Image": "web:1", "HostConfig": {"SecurityOpt": ["seccomp=x", "label=y"]}},
        "exercise": (("ask",),),
        "seconds": 3,
        "policies": (),
        "verify": True,
        "run_id": "abc123",
        "check_mode": False,
    }
    try:
        return record(host, Request(**{**plain, **options}))  # type: ignore[arg-type]
    finally:
        assert (list(host.images), host.containers) == (["web:1"], {})


def test_a_workload_is_recorded_and_verified() -> None:
    host = RecordingHost()
    done = run(host)
    assert done["policies"] == [{"base": "minimal", "allow": sorted(host.calls)}]
    assert done["calls"] == dict.fromkeys(host.calls, 1)
    assert (done["verified"], done["programs"], done["changed"]) == (True, ["/usr/bin/python3.11"], False)
    assert len(host.profiles) == len(host.stopped) == 2
    assert len(run(host, verify=False)["policies"]) == 1
    assert len(host.profiles) == 3


def test_check_mode_runs_nothing() -> None:
    host = RecordingHost()
    assert run(host, check_mode=True)["policies"] == []
    assert host.profiles == []


def test_a_workload_that_needs_more_than_was_seen_is_noticed() -> None:
    host = RecordingHost()
    host.needs.add("accept4")
    with pytest.raises(RefusedError, match=r"recorded, it ran .* gave \[0\]; under the policy, it ran .* gave \[1\]"):
        run(host)


def test_lost_records_are_no_records() -> None:
    host = RecordingHost()
    host.lost = True
    with pytest.raises(HostError, match="lost records"):
        run(host)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Architecture": "vax"}, "the numbers of system calls on 'vax' are not known"),
        ({"pid": "pid:[4026532794]"}, "this host is a container"),
        ({"actions": b"kill_process errno\n"}, "logs kill_process errno of filters, and not 'log'"),
        ({"actions": None}, "logs nothing of filters"),
        ({"calls": []}, "the kernel logged none of its calls .*'last words'.*audit=0"),
        ({"texts": [line("read", arch="40000003")]}, "made calls of another architecture"),
        ({"texts": [line("9999")]}, "system calls 9999 have no name here"),
    ],
)
def test_where_the_kernel_cannot_say_it_is_refused(change: dict[str, Any], words: str) -> None:
    host = RecordingHost()
    if "Architecture" in change:
        host.info.update(change)
    if "pid" in change:
        host.links["/proc/self/ns/pid"] = change["pid"]
    if change.get("actions"):
        host.files["/proc/sys/kernel/seccomp/actions_logged"] = change["actions"]
    elif "actions" in change:
        del host.files["/proc/sys/kernel/seccomp/actions_logged"]
    host.calls = change.get("calls", host.calls)
    host.texts = change.get("texts", [])
    with pytest.raises(RefusedError, match=words):
        run(host)


def test_privileged_containers_have_no_filter_to_record() -> None:
    with pytest.raises(RefusedError, match="take Privileged out"):
        run(RecordingHost(), container={"Image": "web:1", "HostConfig": {"Privileged": True}})
