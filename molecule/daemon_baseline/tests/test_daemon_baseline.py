# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hardened host, asked from outside: the engine, its containers and the attacks."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from findings import GENERATIONS, attack, load, name_of

CLOSED = ("isolation.sibling_tcp", "privilege.setuid_gain")
KEYS = {
    "icc",
    "no-new-privileges",
    "live-restore",
    "userland-proxy",
    "log-driver",
    "log-opts",
    "log-level",
    "default-ulimits",
    "default-cgroupns-mode",
    "insecure-registries",
}


@pytest.fixture(scope="module")
def after(host):
    return attack(host)


def engine(host):
    return host.ansible("bulwark.docker.engine_info")["engine"]


def test_the_host_is_of_its_generation(host):
    suite, tier = name_of(host).split("-")
    version, kernel = GENERATIONS[suite]
    found = host.check_output("docker version --format '{{.Server.Version}}'")
    release = host.check_output("uname -r")
    print(f"{name_of(host)}: engine {found}, kernel {release}")
    assert found.startswith(version)
    # A container has the kernel of the machine below it.
    assert tier == "container" or release.startswith(kernel)


def test_forecast_on_the_virgin_host_left_no_trace(host):
    kept = load(host, "forecast")
    assert len(kept["files_before"]) > 1000
    assert kept["files_before"] == kept["files_after"]


def test_forecast_named_the_changes_that_came(host):
    forecast = load(host, "forecast")["forecast"]
    assert forecast["changed"] is True
    assert {reason.partition(":")[0] for reason in forecast["reasons"]} == KEYS
    assert forecast["diff"]["after"] == host.file("/etc/docker/daemon.json").content_string


@pytest.mark.parametrize("probe", CLOSED)
def test_attack_that_worked_is_refused(host, after, probe):
    before = {result["id"]: result for result in load(host, "before")["results"]}
    assert before[probe]["verdict"] == "not_blocked", before[probe]
    assert after[probe]["verdict"] == "blocked", after[probe]


def test_no_attack_of_this_role_gets_through(after):
    mine = [result for result in after.values() if result["role"] == "daemon_baseline"]
    assert len(mine) >= 5
    assert {result["id"]: result["verdict"] for result in mine if result["verdict"] != "blocked"} == {}


def test_engine_was_restarted_exactly_once(host):
    starts = host.check_output("journalctl --unit=docker.service --output=cat --grep='Starting up'").splitlines()
    assert len(starts) == load(host, "forecast")["starts"] + 1


def test_nothing_diverges_from_what_is_configured(host):
    found = engine(host)
    assert found["running"] is True
    assert found["divergences"] == []
    assert found["uncommitted"] is False
    owned = {entry["name"]: entry for entry in found["settings"] if entry["name"] in KEYS}
    assert set(owned) == KEYS


def test_engine_itself_shows_the_settings(host):
    info = json.loads(host.check_output("docker info --format '{{json .}}'"))
    assert info["LiveRestoreEnabled"] is True
    assert info["LoggingDriver"] == "json-file"
    bridge = json.loads(host.check_output("docker network inspect bridge --format '{{json .Options}}'"))
    assert bridge["com.docker.network.bridge.enable_icc"] == "false"


def test_new_container_gets_limits_and_log_rotation(host):
    made = host.check_output("docker run -d local/busybox sh -c 'ulimit -n; sleep 1'")
    try:
        log = json.loads(host.check_output(f"docker inspect {made} --format '{{{{json .HostConfig.LogConfig}}}}'"))
        assert log == {"Type": "json-file", "Config": {"max-file": "3", "max-size": "10m"}}
        host.run(f"docker wait {made}")
        limit = load(host, "forecast")["nofile"]
        assert limit > 0
        assert host.check_output(f"docker logs {made}").splitlines()[0] == str(limit)
    finally:
        host.run(f"docker rm -f {made}")


def test_process_of_a_new_container_cannot_gain_privileges(host):
    read = "while read line; do echo $line; done < /proc/self/status"
    status = host.check_output(f"docker run --rm local/busybox sh -c '{read}'")
    assert "NoNewPrivs: 1" in status
