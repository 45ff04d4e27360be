# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading an engine: process, containers, facts about the host."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._engine_state import (
    api_json,
    observe,
    read_host_facts,
    read_process,
    running_containers,
)
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConflictError, EngineError, HostError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import ApiResponse
from ansible_collections.bulwark.docker.plugins.module_utils._instance import system_instance
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.memory_host import (
    BOOT_ID,
    File,
    MemoryHost,
    TcpPort,
)

INSTANCE = system_instance()


def test_process_is_identified_by_boot_and_start() -> None:
    host = MemoryHost(b"{}")
    process = read_process(host, host.engine.pid)
    assert process is not None
    assert process.identity() == [BOOT_ID, host.engine.pid, process.start_ticks]
    assert process.argv == host.engine.argv
    assert abs(process.started_at - host.engine.started_at) < 0.03


def test_every_start_is_another_identity() -> None:
    host = MemoryHost(b"{}")
    first = read_process(host, host.engine.pid)
    host.engine.restart()
    second = read_process(host, host.engine.pid)
    assert first is not None
    assert second is not None
    assert first.identity() != second.identity()


@pytest.mark.parametrize("pid", [0, -1, 99999])
def test_process_that_is_gone(pid: int) -> None:
    assert read_process(MemoryHost(b"{}"), pid) is None


def test_observation_of_a_running_engine() -> None:
    host = MemoryHost(b'{"debug": true}')
    for name in ("one", "two"):
        host.engine.add_container(name)
    state = observe(host, INSTANCE)
    assert state.answering
    assert not state.live_restore
    assert [entry["name"] for entry in state.containers] == ["one", "two"]
    assert state.raw == b'{"debug": true}'
    assert str(state.version) == "26.1.5"
    assert host.mutations == []


def test_observation_of_a_stopped_engine() -> None:
    host = MemoryHost(b"{}")
    host.engine.stop()
    state = observe(host, INSTANCE)
    assert (state.answering, state.process, state.containers, state.listeners) == (False, None, (), ())


def test_engine_that_does_not_answer_counts_as_not_running() -> None:
    host = MemoryHost(b"{}")
    host.engine.silent_info = True
    state = observe(host, INSTANCE)
    assert not state.answering
    assert state.process is not None


def test_engine_without_a_unit() -> None:
    host = MemoryHost(b"{}")
    host._show = lambda unit, names: "LoadState=not-found\n"  # type: ignore[method-assign]
    with pytest.raises(HostError, match=r"no unit docker\.service \(LoadState=not-found\); install the engine"):
        observe(host, INSTANCE)


def test_program_that_is_not_dockerd() -> None:
    host = MemoryHost(b"{}")
    host._dockerd = lambda words, data: __import__("collections").namedtuple("R", "rc stdout stderr")(0, "1.0\n", "")  # type: ignore[method-assign]
    with pytest.raises(HostError, match="is that program dockerd"):
        observe(host, INSTANCE)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (ApiResponse(500, b'{"message":"broken"}'), "status 500, .*broken"),
        (ApiResponse(200, b"<html>"), "the answer is no JSON"),
    ],
)
def test_answers_that_are_none(answer: ApiResponse, words: str) -> None:
    host = MemoryHost(b"{}")
    host.api = lambda *arguments, **more: answer  # type: ignore[method-assign]
    with pytest.raises(EngineError, match=words):
        api_json(host, INSTANCE, "/info")


def test_container_that_ends_between_two_questions() -> None:
    host = MemoryHost(b"{}")
    host.engine.add_container("stays")
    real = host.api

    def api(socket_path: str, method: str, path: str, *arguments: Any, **more: Any) -> ApiResponse:
        if path == "/containers/json":
            return ApiResponse(200, json.dumps([{"Id": "gone"}, {"Id": "stays"}]).encode())
        if "gone" in path:
            return ApiResponse(404, b'{"message":"No such container"}')
        return real(socket_path, method, path)

    host.api = api  # type: ignore[method-assign]
    assert [entry["id"] for entry in running_containers(host, INSTANCE)] == ["stays"]


def test_facts_about_the_host() -> None:
    host = MemoryHost(b"{}")
    host.files["/run/docker/plugins/opa.sock"] = File(b"")
    host.files["/etc/docker/plugins/other.spec"] = File(b"unix:///x")
    host.files["/etc/seccomp.json"] = File(b"{}")
    host.tcp += [TcpPort("00000000", 2376, "1", True, b""), TcpPort("0100007F", 9323, "2", False, b"")]
    state = observe(host, INSTANCE)
    host.files["/opt/runtime"] = File(b"")
    runtimes = {"here": {"path": "/opt/runtime"}, "gone": {"path": "/opt/gone"}}
    facts = read_host_facts(host, state, {"seccomp-profile": "/etc/seccomp.json", "runtimes": runtimes})
    assert facts.authorization_plugins == ("opa", "other")
    assert facts.existing_files == {"/etc/seccomp.json": b"{}"}
    assert [(use.address, use.port) for use in facts.ports_in_use] == [("127.0.0.1", 9323)]
    assert (facts.cgroup_version, facts.cgroup_driver, facts.selinux_enabled) == (2, "systemd", False)
    assert facts.bridge_netfilter
    assert not facts.swarm_active
    assert facts.runtimes_found == ("/opt/runtime",)


def test_missing_kernel_module() -> None:
    host = MemoryHost(b"{}")
    del host.files["/proc/sys/net/bridge/bridge-nf-call-iptables"]
    state = observe(host, INSTANCE)
    assert read_host_facts(host, state, {}).bridge_netfilter
    host.which = lambda name: None  # type: ignore[method-assign]
    assert not read_host_facts(host, state, {}).bridge_netfilter


def _with_limits(capabilities: str) -> MemoryHost:
    host = MemoryHost(b"{}")
    folder = f"/proc/{host.engine.pid}"
    host.files[folder + "/status"] = File(f"Name:\tdockerd\nCapEff:\t{capabilities}\n".encode())
    host.files[folder + "/limits"] = File(
        b"Limit                     Soft Limit           Hard Limit           Units\n"
        b"Max open files            1024                 524288               files\n"
        b"Max processes             unlimited            unlimited            processes\n"
    )
    return host


def test_limits_that_an_engine_without_the_capability_cannot_raise() -> None:
    weak, strong = _with_limits("00000000a80425fb"), _with_limits("000001ffffffffff")
    assert read_host_facts(weak, observe(weak, INSTANCE), {}).limit_ceilings == {"nofile": 524288}
    assert read_host_facts(strong, observe(strong, INSTANCE), {}).limit_ceilings == {}


def test_file_that_the_engine_does_not_read_is_refused() -> None:
    with pytest.raises(ConflictError, match=r"starts the engine without --config-file.*engine_config_path"):
        observe(MemoryHost(b"{}"), system_instance("/etc/docker/other.json"))
