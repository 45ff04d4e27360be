# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading what an engine holds: each question once, and nothing that goes away meanwhile is an error."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._cis import Objects
from ansible_collections.bulwark.docker.plugins.module_utils._cis_objects import (
    programs_by_namespace,
    read_objects,
    uid_inside,
)
from ansible_collections.bulwark.docker.plugins.module_utils._errors import HostError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import ApiResponse
from ansible_collections.bulwark.docker.plugins.module_utils._instance import system_instance
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.cis_samples import (
    CONTAINER_ID,
    IMAGE,
    IMAGE_ID,
    MANAGER,
    OTHER_ID,
    SWARM,
    SWARM_NODE,
    details_of,
)

STOPPED_ID = "d4" * 32
LONE = {"DockerRootDir": "/var/lib/docker", "Swarm": {"LocalNodeState": "inactive"}}
IN_SWARM = {"DockerRootDir": "/var/lib/docker", "Swarm": MANAGER}
STATUS = b"Name:\tsleep\nUid:\t101000\t101000\t101000\t101000\nNoNewPrivs:\t1\nSeccomp:\t2\nCapBnd:\t00000000a80425fb\n"


class FakeHost:
    """Files, links and answers in dictionaries; counts the questions."""

    def __init__(self) -> None:
        stopped = details_of("26.1.5")
        stopped.update(Id=STOPPED_ID, Name="/stopped", State={"Status": "exited", "Pid": 0}, Mounts=[])
        running = details_of("26.1.5")
        running["ExecIDs"] = ["e1", "e2"]
        running["Mounts"].append({"Type": "volume", "Name": "hidden", "Source": "/x", "Destination": "/y"})
        self.answers: dict[str, Any] = {
            "/containers/json?all=1": [{"Id": CONTAINER_ID}, {"Id": STOPPED_ID}, {"Id": "gone"}],
            f"/containers/{CONTAINER_ID}/json": running,
            f"/containers/{STOPPED_ID}/json": stopped,
            "/exec/e1/json": {"Running": True, "ProcessConfig": {"privileged": False, "user": "0"}},
            "/images/json": [{"Id": IMAGE_ID}, {"Id": OTHER_ID}],
            f"/images/{IMAGE_ID}/json": IMAGE,
            f"/images/{IMAGE_ID}/history": [{"CreatedBy": "newest"}, {"CreatedBy": ""}, {}],
            "/volumes": {"Volumes": [{"Name": "hidden", "Options": {"o": "bind", "device": "/srv/link"}}]},
            "/networks": [{"Name": "bridge"}],
            "/swarm": SWARM,
            "/nodes": [{"ID": "n1"}],
            "/services": None,
            "/secrets": [{"ID": "s1"}],
        }
        self.files = {
            "/proc/558/status": STATUS,
            "/proc/558/uid_map": b"         0     100000      65536\n",
            "/proc/558/attr/current": b"docker-default (enforce)\n",
            "/proc/558/comm": b"sleep\n",
            "/proc/559/comm": b"sshd\n",
            "/proc/1/comm": b"systemd\n",
            f"/var/lib/docker/containers/{STOPPED_ID}/config.v2.json": b'{"NoNewPrivileges": true}',
            "/var/lib/docker/swarm/docker-state.json": json.dumps(SWARM_NODE).encode(),
        }
        self.links = {
            "/proc/1/ns/mnt": "mnt:[1]",
            "/proc/558/ns/mnt": "mnt:[2]",
            "/proc/559/ns/mnt": "mnt:[2]",
        }
        self.asked: Counter[str] = Counter()

    def api(self, socket: str, method: str, path: str, body: bytes | None = None, timeout: float = 10.0) -> ApiResponse:
        self.asked[path] += 1
        if path not in self.answers:
            return ApiResponse(404, b'{"message": "no such thing"}')
        return ApiResponse(200, json.dumps(self.answers[path]).encode())

    def read_file(self, path: str) -> bytes | None:
        if path.endswith("/attr/current") and path not in self.files:
            raise HostError(f"read {path}: Invalid argument")
        return self.files.get(path)

    def read_link(self, path: str) -> str | None:
        if path.startswith("/proc/600/"):
            raise HostError(f"read {path}: No such process")
        return self.links.get(path)

    def list_directory(self, path: str) -> list[str]:
        return ["1", "558", "559", "600", "self", "sys"]

    def real_path(self, path: str) -> str:
        return {"/srv/link": "/etc"}.get(path, path)


def read(host: FakeHost, info: dict[str, Any]) -> Objects:
    return read_objects(host, system_instance(), info, programs_by_namespace(host))  # type: ignore[arg-type]


def test_each_question_is_asked_once_and_what_is_gone_is_left_out() -> None:
    host = FakeHost()
    found = read(host, LONE)
    assert set(host.asked.values()) == {1}
    assert [one.name for one in found.containers] == ["careful", "stopped"]
    assert [image["Id"] for image in found.images] == [IMAGE_ID]
    assert found.histories == {IMAGE_ID: ("newest", "", "")}
    assert found.problems == ()
    assert not any(path.startswith(("/swarm", "/nodes", "/services", "/secrets")) for path in host.asked)


def test_running_container_is_seen_as_the_kernel_sees_it() -> None:
    host = FakeHost()
    [running, stopped] = read(host, LONE).containers
    assert (running.uid, running.label, running.mode) == (1000, "docker-default", "enforce")
    assert running.programs == ("sleep", "sshd")
    assert running.status["NoNewPrivs"] == "1"
    assert [entry["ProcessConfig"]["user"] for entry in running.execs] == ["0"]
    assert (stopped.running, stopped.no_new_privileges, stopped.programs) == (False, True, ())


def test_host_without_apparmor_and_a_process_that_ends_are_no_errors() -> None:
    host = FakeHost()
    del host.files["/proc/558/attr/current"], host.files["/proc/558/status"]
    running = read(host, LONE).containers[0]
    assert (running.label, running.status, running.uid) == ("unconfined", {}, None)


def test_mounted_paths_are_resolved_through_volumes_too() -> None:
    assert read(FakeHost(), LONE).links == {
        "/etc/ssl/certs": "/etc/ssl/certs",
        "/srv/data": "/srv/data",
        "/srv/link": "/etc",
    }


def test_swarm_is_read_on_managers() -> None:
    found = read(FakeHost(), IN_SWARM)
    assert (found.swarm, found.swarm_node) == (SWARM, SWARM_NODE)
    assert (len(found.nodes), len(found.services), len(found.secrets)) == (1, 0, 1)
    worker = FakeHost()
    assert read(worker, {**LONE, "Swarm": {"LocalNodeState": "active"}}).swarm_node == SWARM_NODE
    assert "/swarm" not in worker.asked


def test_unreadable_note_of_the_engine_is_no_error() -> None:
    host = FakeHost()
    host.files["/var/lib/docker/swarm/docker-state.json"] = b"{"
    host.files[f"/var/lib/docker/containers/{STOPPED_ID}/config.v2.json"] = b"[]"
    found = read(host, IN_SWARM)
    assert found.swarm_node == {}
    assert found.containers[1].no_new_privileges is None


def test_what_the_engine_does_not_answer_is_told() -> None:
    host = FakeHost()
    del host.answers["/volumes"], host.answers["/networks"]
    found = read(host, LONE)
    assert len(found.problems) == 2
    assert "/volumes" in found.problems[0]


def test_more_images_than_can_be_looked_at_are_told() -> None:
    host = FakeHost()
    host.answers["/images/json"] = [{"Id": f"sha256:{number:064x}"} for number in range(501)]
    assert read(host, LONE).problems == ("only the newest 500 of 501 images were looked at",)
    assert sum(path.startswith("/images/sha256") for path in host.asked) == 500


@pytest.mark.parametrize(
    ("uid", "table", "inside"),
    [
        (0, "0 0 4294967295", 0),
        (100000, "0 100000 65536", 0),
        (165535, "0 100000 65536", 65535),
        (165536, "0 100000 65536", None),
        (1000, "0 1000 1\n1 100000 65536", 0),
        (100004, "0 1000 1\n1 100000 65536", 5),
        (0, "", None),
    ],
)
def test_users_are_translated(uid: int, table: str, inside: int | None) -> None:
    assert uid_inside(uid, table) == inside
