# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles together refuse every attack, and the audit finds nothing that they could mend."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "daemon_baseline"))

from findings import GENERATIONS, attack, name_of

# Ids of controls -> what another program has to say when they are fulfilled.
SEEN = {
    "api_socket_mode": ("stat --format %a /run/docker.sock", "660"),
    "api_socket_owner": ("stat --format '%U %G' /run/docker.sock", "root docker"),
    "audit_api_socket": ("auditctl -l | grep -q /run/docker.sock && echo recorded", "recorded"),
    "audit_configuration": ("auditctl -l | grep -q dir=/etc/docker && echo recorded", "recorded"),
    "audit_containerd": ("auditctl -l | grep -q path=/usr/bin/containerd && echo recorded", "recorded"),
    "audit_engine": ("auditctl -l | grep -q path=/usr/sbin/dockerd && echo recorded", "recorded"),
    "audit_runc": ("auditctl -l | grep -q path=/usr/sbin/runc && echo recorded", "recorded"),
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
# What the root of a mapped container may not do without any attack either.
MOOT = {
    "apparmor.device_node",
    "privilege.file_capability_gain",
    "rootless.privileged_host_file",
    "rootless.privileged_kernel_setting",
}
# Controls that no role fulfils on a machine with one file system and an engine of the system's own.
LEFT = {"data_root_mount"}


@pytest.fixture(scope="module")
def after(host):
    return attack(host)


def test_attacks_are_refused_now(after):
    assert len(after) >= 60
    through = {name: one["evidence"] for name, one in after.items() if one["verdict"] in ("not_blocked", "error")}
    # The system's engine goes on to run as root beside those of users.
    assert set(through) == {"rootless.engine_process"}, through
    others = {name for name, one in after.items() if one["verdict"] == "not_applicable"}
    assert others == MOOT


def test_every_setting_is_in_force(host):
    found = host.ansible("bulwark.docker.engine_info")["engine"]
    assert (found["running"], found["uncommitted"], found["divergences"]) == (True, False, [])
    info = json.loads(host.check_output("docker info --format '{{json .}}'"))
    assert {"name=userns", "name=apparmor"} <= {option.split(",profile=")[0] for option in info["SecurityOptions"]}
    assert info["LiveRestoreEnabled"] is True


def test_host_is_one_of_its_generation(host):
    suite = name_of(host).split("-")[0]
    wanted = GENERATIONS[suite]
    found = (host.check_output("docker version --format '{{.Server.Version}}'"), host.check_output("uname -r"))
    print(f"engine {found[0]}, kernel {found[1]}")
    assert found[0].startswith(wanted[0])
    assert found[1].startswith(wanted[1])


def test_audit_finds_nothing_of_level_two_that_is_refused_by_a_role_left(host):
    answer = host.ansible("bulwark.docker.cis_audit", json.dumps({"controls": ["1", "2", "3", "own"]}), check=False)
    print(answer["counts"])
    verdicts = {(one["engine"], one["id"]): one["verdict"] for one in answer["results"]}
    failed = {(one["engine"], one["id"]) for one in answer["results"] if one["verdict"] == "fail"}
    assert {name for engine, name in failed if not engine.startswith("rootless:")} == LEFT, failed
    # Limits of files and processes are left to the user whose engine it is.
    assert {name for engine, name in failed if engine.startswith("rootless:")} <= {"default_ulimits"}, failed
    for name, (command, wanted) in SEEN.items():
        engine = "system" if ("system", name) in verdicts else ""
        assert (name, verdicts[engine, name], host.run(command).stdout.strip()) == (name, "pass", wanted)
