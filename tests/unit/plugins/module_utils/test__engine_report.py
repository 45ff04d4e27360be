# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report: configured, effective, pending, and what reading the file cannot show."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._engine_report import report_engine
from ansible_collections.bulwark.docker.plugins.module_utils._instance import system_instance
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.memory_host import (
    CONFIG_PATH,
    File,
    MemoryHost,
    TcpPort,
)
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.transaction_steps import apply, harden

LIVE = b'{"live-restore": true}'


def report(host: MemoryHost) -> dict[str, Any]:
    """The report, which must be plain JSON and must not change anything."""
    before = len(host.mutations)
    result = report_engine(host, system_instance())
    assert len(host.mutations) == before
    return json.loads(json.dumps(result))


def setting(host: MemoryHost, name: str) -> dict[str, Any]:
    """One entry of the report's settings."""
    [found] = [entry for entry in report(host)["settings"] if entry["name"] == name]
    return found


def test_quiet_engine_has_no_divergences() -> None:
    host = MemoryHost(b'{"icc": false}')
    found = report(host)
    assert found["divergences"] == []
    assert found["config"] == {"path": CONFIG_PATH, "exists": True, "mode": "0644", "problems": []}
    assert (found["version"], found["running_version"], found["running"]) == ("26.1.5+dfsg1", "26.1.5+dfsg1", True)
    assert (found["data_root"], found["storage_driver"]) == ("/var/lib/docker", "overlay2")
    assert found["unit"]["command_line"][:3] == ["/usr/sbin/dockerd", "-H", "fd://"]
    icc = setting(host, "icc")
    assert (icc["configured"], icc["configured_in"]) == (False, f"{CONFIG_PATH} line 1")
    assert (icc["effective"], icc["pending"], icc["owner"]) == (False, "nothing", "daemon_baseline")
    assert icc["variable"] == "daemon_baseline_icc"


def test_icc_that_changed_under_living_containers() -> None:
    host = MemoryHost(LIVE)
    host.engine.add_container("web")
    harden(host, {"icc": False})
    icc = setting(host, "icc")
    assert (icc["configured"], icc["effective"], icc["pending"]) == (False, True, "full_stop")
    [sentence] = report(host)["divergences"]
    assert sentence.startswith("icc is configured as False, but the running engine shows True")
    assert sentence.endswith("it needs a restart while no container runs")


@pytest.mark.parametrize(
    ("before", "after", "name", "pending"),
    [
        (b"{}", b'{"debug": true}', "debug", "reload"),
        (b'{"debug": true}', b"{}", "debug", "restart"),
        (b"{}", b'{"log-level": "warn"}', "log-level", "restart"),
        (b"{}", b'{"icc": false}', "icc", "full_stop"),
        (b'{"icc": false}', b"{}", "icc", "full_stop"),
    ],
)
def test_what_is_pending_after_a_recorded_change(before: bytes, after: bytes, name: str, pending: str) -> None:
    host = MemoryHost(before)
    harden(host, {"userland-proxy": False})
    data = {**json.loads(after), "userland-proxy": False}
    host.administrator_writes(CONFIG_PATH, json.dumps(data).encode())
    found = setting(host, name)
    assert found["pending"] == pending
    assert name in found["reason"]


def test_change_that_nobody_recorded_shows_by_its_effect() -> None:
    host = MemoryHost(b"{}")
    host.administrator_writes(CONFIG_PATH, b'{"live-restore": true, "log-level": "warn"}')
    assert setting(host, "live-restore")["pending"] == "restart"
    level = setting(host, "log-level")
    assert (level["effective"], level["effective_from"], level["pending"]) == (None, "not readable", "nothing")


def test_written_and_not_committed() -> None:
    host = MemoryHost(b"{}")
    assert not report(host)["uncommitted"]
    apply(host, {"icc": False})
    found = report(host)
    assert found["uncommitted"]
    assert found["owners"] == {"daemon_baseline": ["icc"]}


def test_engine_that_is_down() -> None:
    host = MemoryHost(b'{"icc": false}')
    host.engine.stop()
    found = report(host)
    assert (found["running"], found["running_version"], found["listeners"]) == (False, None, [])
    assert found["divergences"] == ["icc is set, but the engine is not running"]


def test_broken_file_is_a_problem_of_the_report() -> None:
    host = MemoryHost(b"{}")
    host.administrator_writes(CONFIG_PATH, b'{"icc": false,}')
    problems = report(host)["config"]["problems"]
    assert len(problems) == 1
    assert "line 1" in problems[0]


def test_flag_of_the_unit_is_named() -> None:
    host = MemoryHost(b"{}")
    host.files["/etc/default/docker"] = File(b"DOCKER_OPTS=--log-level=debug\n")
    level = setting(host, "log-level")
    assert (level["configured"], level["configured_in"]) == (["debug"], "docker.service: --log-level")


def test_listener_without_tls_is_a_divergence() -> None:
    host = MemoryHost(b"{}")
    host.tcp.append(TcpPort("00000000", 2375, "1", True, b"HTTP/1.0 200 OK\r\n"))
    host.tcp.append(TcpPort("0100007F", 2376, "2", True, b"HTTP/1.0 400 Bad Request\r\n"))
    found = report(host)
    assert [entry["plaintext"] for entry in found["listeners"]] == [True, False]
    [sentence] = found["divergences"]
    assert "without a certificate on 0.0.0.0 port 2375" in sentence


def test_containers_older_than_a_setting() -> None:
    host = MemoryHost(b'{"no-new-privileges": true, "log-driver": "json-file", "log-opts": {"max-size": "10m"}}')
    old = host.engine.add_container("old")
    other = host.engine.add_container("other", options={"LogConfig": {"Type": "journald", "Config": {}}})
    asked = host.engine.add_container(
        "asked",
        options={
            "SecurityOpt": ["no-new-privileges=false"],
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}},
        },
    )
    good = host.engine.add_container("good", options={"LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}}})
    for entry, value in ((old, 0), (other, 1), (asked, 0), (good, 1)):
        host.files[f"/proc/{entry.pid}/status"] = File(f"Name:\tx\nNoNewPrivs:\t{value}\n".encode())
    found = {entry["name"]: entry["findings"] for entry in report(host)["containers"]}
    assert found == {
        "old": [
            "is older than no-new-privileges: recreate it",
            "was created without the log options max-size: recreate it",
        ],
        "other": ["logs to journald, new containers to json-file: recreate it"],
        "asked": ["was created with no-new-privileges=false, against the engine's default"],
        "good": [],
    }
    assert "other: logs to journald, new containers to json-file: recreate it" in report(host)["divergences"]


def test_credentials_are_not_shown() -> None:
    host = MemoryHost(
        b'{"proxies": {"http-proxy": "http://user:secret@proxy"}, "registry-mirrors": ["https://u:secret@m"]}'
    )
    text = json.dumps(report(host))
    assert "secret" not in text
    assert "http://****@proxy" in text


def test_keys_of_other_versions_are_not_listed() -> None:
    host = MemoryHost(b"{}")
    host.engine.version = "20.10.24+dfsg1"
    old = {entry["name"] for entry in report(host)["settings"]}
    host.engine.version = "29.0.0"
    new = {entry["name"] for entry in report(host)["settings"]}
    assert "cluster-store" in old - new
    assert "min-api-version" in new - old
