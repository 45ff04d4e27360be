# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Engines without root work, are limited, and give the host's root to nobody."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

UNIT = "/home/bob/.config/systemd/user/docker.service"
RUN = "docker run --rm local/busybox /bin/sh -c"


def name_of(host):
    return host.backend.get_pytest_id().rpartition("/")[2]


def is_machine(host):
    return "-machine" in name_of(host)


def before(host):
    folder = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
    results = json.loads((folder / f"{name_of(host)}-before.json").read_text(encoding="utf-8"))["results"]
    return {one["id"]: one["verdict"] for one in results}


def as_user(host, name, command):
    """Run a command in a log-in shell of a user; the role points the client to the user's engine."""
    return host.run(f"su - {name} -c %s", command)


@pytest.fixture(scope="module")
def image(host):
    """Both users have the image local/busybox."""
    for name in ("ann", "bob"):
        done = as_user(host, name, "tar -C /srv/image -c . | docker import - local/busybox")
        assert done.rc == 0, done.stderr


def test_engines_run_with_the_users_ids(host):
    uids = {name: host.user(name).uid for name in ("ann", "bob")}
    seen = {int(uid) for uid in host.check_output("ps -o uid= -C dockerd").split()}
    assert seen == {0, *uids.values()}
    for name in uids:
        info = json.loads(as_user(host, name, "docker info --format '{{json .}}'").stdout)
        assert "name=rootless" in info["SecurityOptions"]
        assert info["DockerRootDir"] == f"/home/{name}/.local/share/docker"
        assert info["Driver"] in ("overlay2", "fuse-overlayfs")


def test_attacks_that_reached_the_host_are_blocked(host):
    reached = [probe for probe, verdict in before(host).items() if verdict == "not_blocked"]
    # Engine 20.10 cannot start a privileged container in a host that is a container.
    assert len(reached) == (5 if name_of(host) == "debian12-container" else 7)
    answer = host.ansible("bulwark.docker.enforcement_probe", "probes=rootless user=ann", check=False)
    after = {one["id"]: one["verdict"] for one in answer["results"]}
    assert len(after) == 7
    assert set(after.values()) == {"blocked"}, answer["results"]


def test_socket_is_refused_to_another_user(host):
    uid = host.user("ann").uid
    ask = f"curl -s -m 5 --unix-socket /run/user/{uid}/docker.sock http://localhost/_ping"
    assert as_user(host, "ann", ask).stdout == "OK"
    assert as_user(host, "bob", ask).rc == 7


@pytest.mark.usefixtures("image")
def test_published_ports_answer_low_ones_too(host):
    for name, port in (("ann", 8180), ("bob", 81)):
        options = f"-d --rm --name web -p 127.0.0.1:{port}:8000"
        started = as_user(host, name, f"docker run {options} local/busybox /bin/busybox httpd -f -p 8000 -h /bin")
        assert started.rc == 0, started.stderr
        got = host.run(f"curl -s -m 5 --retry 5 --retry-connrefused -o /dev/null -w %{{http_code}} 127.0.0.1:{port}/sh")
        assert got.stdout == "200", got
        as_user(host, name, "docker rm -f web")
        assert host.run(f"curl -s -m 5 127.0.0.1:{port}/sh").rc == 7


@pytest.mark.usefixtures("image")
def test_container_cannot_take_more_memory_than_its_limit(host):
    program = "/bin/busybox dd if=/dev/zero of=/dev/null count=1 bs="
    take = f"docker run --rm -m 32m --memory-swap 32m local/busybox {program}"
    little = as_user(host, "ann", take + "4M")
    assert little.rc == 0, little.stderr
    much = as_user(host, "ann", take + "256M")
    if is_machine(host):
        assert much.rc == 137, much
        assert host.run("journalctl -k --grep 'Memory cgroup out of memory' --lines=1").rc == 0
        assert as_user(host, "bob", f"{RUN} 'exit 3'").rc == 3
        return
    lent = host.check_output("cat /sys/fs/cgroup/cgroup.controllers").split()
    report = host.ansible("bulwark.docker.rootless_info", "users=ann")
    limits = {one["name"] for one in report["limits"]}
    assert ("controllers" in limits) == ({"cpu", "cpuset", "io", "memory", "pids"} - set(lent) != set())
    assert much.rc == (137 if "memory" in lent else 0)


@pytest.mark.usefixtures("image")
def test_settings_are_in_force(host):
    asked = as_user(host, "ann", f"{RUN} '/bin/busybox grep NoNewPrivs /proc/self/status'")
    assert asked.stdout.split() == ["NoNewPrivs:", "1"]
    logs = as_user(host, "bob", "docker create local/busybox sh | xargs docker inspect -f '{{.HostConfig.LogConfig}}'")
    assert "max-size:10m" in logs.stdout


@pytest.mark.usefixtures("image")
def test_ids_are_the_users_own(host):
    for name in ("subuid", "subgid"):
        lines = host.check_output(f"cat /etc/{name}").splitlines()
        assert lines[:2] == ["# by hand", "ann:100000:65536"]
        assert [line.split(":")[0] for line in lines[2:]] == ["bob"]
    starts = {}
    for name in ("ann", "bob"):
        maps = as_user(host, name, f"{RUN} '/bin/busybox cat /proc/self/uid_map'").stdout.split()
        assert maps[:3] == ["0", str(host.user(name).uid), "1"]
        assert maps[3] == "1"
        assert int(maps[5]) >= 65536
        starts[name] = int(maps[4])
    assert abs(starts["ann"] - starts["bob"]) >= 65536


def test_changed_unit_is_put_right(host):
    host.check_output(f"sed -i '/^Restart=/a Environment=CHANGED=1' {UNIT}")
    systemctl = "systemctl --machine=bob@.host --user"
    host.check_output(f"{systemctl} daemon-reload && {systemctl} restart docker.service")
    asked = "tr '\\0' '\\n' < /proc/$(pgrep -u bob -x dockerd)/environ | grep -c CHANGED"
    assert host.run(asked).stdout.strip() == "1"
    options = "user=bob deadline=300"
    healed = host.ansible("bulwark.docker.rootless_engine", options, check=False)
    assert healed["changed"], healed
    assert healed["engine_restarted"], healed
    assert host.run(asked).stdout.strip() == "0"
    assert not host.ansible("bulwark.docker.rootless_engine", options, check=False)["changed"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("users=root", "is root"),
        ("users=nobody-knows-me", "create the user first"),
        ("users=daemon", "home directory"),
        ("users=ann,ann", "2 times"),
        ("users=ann subid_count=1000", "too few"),
    ],
)
def test_users_without_a_chance_are_refused(host, options, words):
    answer = host.ansible("bulwark.docker.rootless_info", options)
    assert words in answer.get("msg", ""), answer


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"live-restore": True}, "containers end with it"),
        ({"userns-remap": "default"}, "does not work on a rootless engine"),
        ({"hosts": ["tcp://127.0.0.1:2375"]}, "Unix socket alone"),
        ({"iccc": False}, "no such key"),
    ],
)
def test_settings_that_make_no_sense_are_refused(host, settings, words):
    untouched = host.check_output("cat /home/ann/.config/docker/daemon.json")
    options = {"user": "ann", "owner": "rootless", "settings": settings}
    answer = host.ansible("bulwark.docker.daemon_config", json.dumps(options), check=False)
    assert words in answer.get("msg", ""), answer
    assert host.check_output("cat /home/ann/.config/docker/daemon.json") == untouched
