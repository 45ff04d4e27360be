# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each fault of a container, an image or a swarm is found on real engines, and nothing is found where there is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

CONTAINERS = {
    "container_user": {"root", "other-root"},
    "container_capabilities": {"capability", "privileged"},
    "container_privileged": {"privileged"},
    "container_sensitive_mounts": {"mount-link", "mount-volume", "mount-run"},
    "container_ssh": {"ssh"},
    "container_privileged_ports": {"low-port"},
    "container_needed_ports": {"idle-every-port"},
    "container_host_network": {"host-network", "through-network"},
    "container_read_only": {"writable"},
    "container_addresses": {"all-addresses"},
    "container_restart": {"restart"},
    "container_host_pid": {"host-pid"},
    "container_host_ipc": {"host-ipc"},
    "container_devices": {"device", "privileged"},
    "container_propagation": {"propagation"},
    "container_host_uts": {"host-uts"},
    "container_seccomp": {"seccomp-off", "seccomp-empty", "privileged"},
    "container_exec_root": {"command"},
    "container_cgroup": {"cgroup"},
    "container_no_new_privileges": {"gains", "idle-gains"},
    "container_health": {"no-health"},
    "container_image_age": {"old-image"},
    "container_default_network": {"default-network"},
    "container_host_users": {"host-users"},
    "container_engine_socket": {"mount-run", "mount-socket"},
    "container_cgroup_namespace": {"host-cgroups"},
    "container_system_paths": {"system-paths", "privileged"},
}
IMAGES = {
    "image_health": {"bad:1", "plain:1"},
    "image_update_alone": {"bad:1"},
    "image_add": {"bad:1"},
    "image_secrets": {"bad:1"},
}
# Set for every container; where the kernel of a test host does not offer them, the engine takes them away again.
LIMITS = {"container_memory": "Memory", "container_cpu": "CpuShares", "container_pids": "PidsLimit"}
# Each prints the containers that it finds, by asking the kernel and the client.
LIST = "docker inspect -f '{{slice .Name 1}} {{.State.Pid}}' $(docker ps -q)"
RUNNING = LIST + " | while read -r name pid; do "
SAME_NAMESPACE = RUNNING + "[ /proc/$pid/ns/KIND -ef /proc/1/ns/KIND ] && echo $name; done; true"
INSPECTED = "docker inspect -f '{{slice .Name 1}} FIELD' $(docker ps -aq) | awk 'CONDITION { print $1 }'"
COMMANDS = {
    "container_user": RUNNING + "[ $(stat -c %u /proc/$pid) = 0 ] && echo $name; done; true",
    "container_capabilities": RUNNING
    + "mask=$(awk '/^CapBnd/ { print $2 }' /proc/$pid/status); "
    + "[ $((0x$mask & ~0xa80425fb)) = 0 ] || echo $name; done",
    "container_sensitive_mounts": RUNNING
    + "for own in /etc /run; do [ /proc/$pid/root/data -ef $own ] && echo $name; done; done; true",
    "container_engine_socket": RUNNING
    + "for place in socket data/docker.sock; do [ -S /proc/$pid/root/$place ] && echo $name; done; done; true",
    "container_ssh": RUNNING + "grep -qx sshd /proc/$pid/comm && echo $name; done; true",
    "container_host_network": SAME_NAMESPACE.replace("KIND", "net"),
    "container_host_pid": SAME_NAMESPACE.replace("KIND", "pid"),
    "container_host_ipc": SAME_NAMESPACE.replace("KIND", "ipc"),
    "container_host_uts": SAME_NAMESPACE.replace("KIND", "uts"),
    "container_cgroup_namespace": SAME_NAMESPACE.replace("KIND", "cgroup"),
    "container_seccomp": RUNNING + "grep -q '^Seccomp:.0$' /proc/$pid/status && echo $name; done; true",
    "container_no_new_privileges": RUNNING
    + "grep -q '^NoNewPrivs:.0$' /proc/$pid/status && echo $name; done; echo idle-gains",
    "container_read_only": RUNNING + "grep -q ' / / rw\\| / rw,' /proc/$pid/mountinfo && echo $name; done; true",
    "container_privileged_ports": "docker ps --format '{{.Names}} {{.Ports}}' | awk '/127.0.0.1:81->/ { print $1 }'",
    "container_addresses": "docker ps --format '{{.Names}} {{.Ports}}' | awk '/0.0.0.0:/ { print $1 }'",
    "container_privileged": INSPECTED.replace("FIELD", "{{.HostConfig.Privileged}}").replace(
        "CONDITION", '$2 == "true"'
    ),
    "container_health": INSPECTED.replace("FIELD", "{{json .Config.Healthcheck}}").replace("CONDITION", '$2 == "null"'),
    "container_restart": INSPECTED.replace("FIELD", "{{.HostConfig.RestartPolicy.Name}}").replace(
        "CONDITION", '$2 != "on-failure"'
    ),
    "container_default_network": INSPECTED.replace("FIELD", "{{json .NetworkSettings.Networks}}").replace(
        "CONDITION", '$2 ~ "\\"bridge\\""'
    ),
    "container_host_users": INSPECTED.replace("FIELD", "{{.HostConfig.UsernsMode}}").replace(
        "CONDITION", '$2 == "host"'
    ),
    "container_cgroup": INSPECTED.replace("FIELD", "{{.HostConfig.CgroupParent}}").replace("CONDITION", '$2 != ""'),
    "container_propagation": INSPECTED.replace("FIELD", "{{range .Mounts}}{{.Propagation}}{{end}}").replace(
        "CONDITION", '$2 == "shared"'
    ),
}
SWARM = """
docker swarm init --advertise-addr 127.0.0.1 --listen-addr 0.0.0.0 --cert-expiry 9000h
docker network create -d overlay clear
docker network create -d overlay --opt encrypted hidden
docker service create -d --no-resolve-image --name leaking -e DB_PASSWORD=hunter2 plain:1
docker service create -d --no-resolve-image --name silent -e DB_PASSWORD_FILE=/run/secrets/db plain:1
"""


def audit(host: Any, **arguments: Any) -> dict[str, dict[str, Any]]:
    """What cis_audit says of the system's engine now, by control."""
    answer = host.ansible("bulwark.docker.cis_audit", json.dumps({"level": 2, **arguments}), check=False)
    results = {one["id"]: one for one in answer["results"] if one["engine"] in ("system", "")}
    assert len(results) == len(answer["results"]) > 100
    return results


def named(result: dict[str, Any]) -> set[str]:
    """Containers or images that a result names."""
    return {line.split(": ", 1)[0] for line in result["evidence"]}


@pytest.fixture(scope="module")
def said(host):
    """One audit for all tests that change nothing."""
    return audit(host)


def test_hostile_containers_are_named_for_their_faults(said):
    failed = {name for name, one in said.items() if name.startswith("container_") and one["verdict"] == "fail"}
    assert failed - set(LIMITS) == set(CONTAINERS)
    assert {name: named(said[name]) for name in CONTAINERS} == CONTAINERS


def test_hostile_images_are_named_for_their_faults(said):
    failed = {name for name, one in said.items() if name.startswith("image_") and one["verdict"] == "fail"}
    assert failed == set(IMAGES)
    assert {name: named(said[name]) for name in IMAGES} == IMAGES


def test_other_programs_see_the_same(host, said):
    seen = {name: set(host.check_output(command).split()) for name, command in COMMANDS.items()}
    assert len(seen) >= 20
    assert seen == {name: named(said[name]) for name in COMMANDS}


def test_limits_that_the_kernel_does_not_offer_count_as_missing(host, said):
    for control, member in LIMITS.items():
        shown = host.check_output(f"docker inspect -f '{{{{.HostConfig.{member}}}}}' $(docker ps -aq)").split("\n")
        missing = [value for value in shown if value.strip("<>") in ("0", "nil", "no value")]
        assert len(shown) > 30
        assert (said[control]["verdict"], said[control]["effective"]) == ("fail" if missing else "pass", len(missing))


def test_stopped_containers_are_judged_as_they_would_start(said):
    notes = [line for line in said["container_no_new_privileges"]["evidence"] if "does not run now" in line]
    assert [line.split(": ")[0] for line in notes] == ["idle-gains"]
    assert (said["container_sprawl"]["verdict"], named(said["container_sprawl"])) == (
        "manual",
        {"idle", "idle-gains", "idle-every-port"},
    )


def test_secrets_are_named_and_never_shown(said):
    assert "DB_PASSWORD" in said["image_secrets"]["evidence"][0]
    assert "hunter2" not in json.dumps(said)


def test_waiver_for_one_container_leaves_the_others(host):
    waiver = {"id": "5.5", "object": "privileged", "reason": "it is the test's own", "expires": "2099-01-01"}
    partly = {"id": "5.32", "object": "mount-s*", "reason": "it is the test's own", "expires": "2099-01-01"}
    results = audit(host, waivers=[waiver, partly])
    assert results["container_privileged"]["verdict"] == "waived"
    assert (results["container_engine_socket"]["verdict"], named(results["container_engine_socket"])) == (
        "fail",
        {"mount-run"},
    )


def test_swarm_that_blocks_nothing_is_told(host, said):
    outside = {name for name in said if name.startswith("swarm_") and said[name]["verdict"] == "not_applicable"}
    assert said["swarm_off"]["verdict"] == "pass"
    assert len(outside) == 9
    try:
        host.check_output("set -e;" + ";".join(SWARM.strip().splitlines()))
        inside = audit(host)
        listening = host.check_output("ss -Hlnt sport = :2377")
    finally:
        host.run("docker swarm leave --force")
    assert inside["swarm_off"]["verdict"] == "fail"
    assert (inside["swarm_address"]["verdict"], inside["swarm_address"]["effective"]) == ("fail", "0.0.0.0:2377")
    assert "*:2377" in listening
    assert named(inside["swarm_encryption"]) == {"clear", "ingress"}
    assert named(inside["swarm_secrets"]) == {"leaking"}
    assert inside["swarm_auto_lock"]["verdict"] == "fail"
    assert (inside["swarm_certificates"]["verdict"], inside["swarm_certificates"]["effective"]) == ("fail", 375)
    assert inside["swarm_managers"]["verdict"] == "pass"
    shown = json.dumps(inside)
    assert "hunter2" not in shown
    assert "SWMTKN" not in shown
