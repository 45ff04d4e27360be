# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every attack that worked on the virgin machine is refused by the roles together."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "daemon_baseline"))

from findings import attack, load, name_of

# Ids of controls -> what another program has to say when they are fulfilled.
SEEN = {
    "api_socket_mode": ("stat --format %a /run/docker.sock", "660"),
    "api_socket_owner": ("stat --format '%U %G' /run/docker.sock", "root docker"),
    "audit_api_socket": ("auditctl -l | grep -c /run/docker.sock", "1"),
    "audit_configuration": ("auditctl -l | grep -c dir=/etc/docker", "1"),
    "audit_containerd": ("auditctl -l | grep -c path=/usr/bin/containerd", "1"),
    "audit_engine": ("auditctl -l | grep -c path=/usr/sbin/dockerd", "1"),
    "audit_runc": ("auditctl -l | grep -c path=/usr/sbin/runc", "1"),
    "configuration_directory_mode": ("stat --format %a /etc/docker", "755"),
    "containerd_socket_mode": ("stat --format %a /run/containerd/containerd.sock", "660"),
    "daemon_json_mode": ("stat --format %a /etc/docker/daemon.json", "644"),
    "default_file_mode": ("find /etc/default/docker -perm /7133", ""),
    "icc_default_bridge": (
        "docker network inspect bridge | grep enable_icc | tr -d ' \",'",
        "com.docker.network.bridge.enable_icc:false",
    ),
    "live_restore": ("docker info --format '{{.LiveRestoreEnabled}}'", "true"),
    "service_unit_mode": ("find $(systemctl show docker --property=FragmentPath,DropInPaths --value) -perm /7133", ""),
    "socket_unit_mode": ("find $(systemctl show docker.socket --property=FragmentPath --value) -perm /7133", ""),
    "userland_proxy": ("pgrep -c docker-proxy || true", "0"),
}
# Controls that no role fulfils on a machine with one file system and an engine of the system's own.
LEFT = {"data_root_mount"}
ROLES = {"apparmor", "auditd", "daemon_baseline", "daemon_tls", "rootless", "seccomp", "userns_remap"}


@pytest.fixture(scope="module")
def before(host):
    return {one["id"]: one for one in load(host, "before")["attacks"]}


@pytest.fixture(scope="module")
def after(host):
    return attack(host)


def test_attacks_of_all_roles_got_through_before(before):
    through = [one for one in before.values() if one["verdict"] == "not_blocked"]
    assert {one["role"] for one in through} >= ROLES - {"daemon_tls"}
    assert len(through) >= 35
    assert [one for one in before.values() if one["verdict"] == "error"] == []


def test_attacks_are_refused_now(before, after):
    assert set(after) == set(before)
    found = {name: one["verdict"] for name, one in after.items() if one["verdict"] != "blocked"}
    print({name: (verdict, after[name]["evidence"]) for name, verdict in found.items()})
    # The system's engine goes on to run as root beside those of users.
    assert found == {"rootless.engine_process": "not_blocked"}


def test_every_setting_is_in_force(host):
    found = host.ansible("bulwark.docker.engine_info")["engine"]
    assert (found["running"], found["uncommitted"], found["divergences"]) == (True, False, [])
    info = json.loads(host.check_output("docker info --format '{{json .}}'"))
    assert {"name=userns", "name=apparmor"} <= {option.split(",profile=")[0] for option in info["SecurityOptions"]}
    assert info["LiveRestoreEnabled"] is True
    assert info["Labels"] == ["site=here"]


def test_host_is_one_of_its_generation(host):
    suite = name_of(host).split("-")[0]
    wanted = {"debian12": ("20.10.", "6.1."), "debian13": ("26.1.", "6.12."), "testing": ("28.", "7.")}[suite]
    found = (host.check_output("docker version --format '{{.Server.Version}}'"), host.check_output("uname -r"))
    print(f"engine {found[0]}, kernel {found[1]}")
    assert found[0].startswith(wanted[0])
    assert found[1].startswith(wanted[1])


def test_audit_finds_nothing_of_level_two_that_is_refused_by_a_role_left(host):
    answer = host.ansible("bulwark.docker.cis_audit", json.dumps({"controls": ["1", "2", "3", "own"]}), check=False)
    print(answer["counts"])
    verdicts = {(one["engine"], one["id"]): one["verdict"] for one in answer["results"]}
    failed = {one["id"]: one["reason"] for one in answer["results"] if one["verdict"] == "fail"}
    assert set(failed) == LEFT, failed
    earlier = {one["id"] for one in load(host, "before")["controls"] if one["verdict"] == "fail"}
    assert len(earlier - LEFT) >= 20
    for name, (command, wanted) in SEEN.items():
        engine = "system" if ("system", name) in verdicts else ""
        assert (name, verdicts[engine, name], host.run(command).stdout.strip()) == (name, "pass", wanted)
