# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each fault of a container fails the controls that name it, and no other, alone and among others."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.docker.plugins.module_utils._cis_containers import (
    CONTAINERS_JUDGES,
    DEFAULT_CAPABILITIES,
    capability_names,
)
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_calls import CAPABILITIES
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.cis_samples import (
    CONTAINER_ID,
    KERNEL,
    OTHER_ID,
    RELEASES,
    container_of,
    details_of,
    engine_of,
    failures,
    verdicts,
)

PREFIX = "container_"
Change = Callable[[dict[str, Any], dict[str, Any]], None]


class Fault(NamedTuple):
    """C(subject): what it changes, of which a container has one; C(fails): controls without their prefix."""

    subject: str
    fails: frozenset[str]
    change: Change
    needs_process: bool = False


def host(subject: str, fails: str, needs_process: bool = False, **members: Any) -> Fault:
    return Fault(subject, frozenset(fails.split()), lambda d, k: d["HostConfig"].update(members), needs_process)


def kernel(subject: str, fails: str, **members: Any) -> Fault:
    def change(details: dict[str, Any], known: dict[str, Any]) -> None:
        known.update({**members, "status": {**known["status"], **members.get("status", {})}})

    return Fault(subject, frozenset(fails.split()), change, True)


def mount(fails: str, source: str, writable: bool = False, propagation: str = "rprivate") -> Fault:
    entry = {"Type": "bind", "Source": source, "Destination": "/x", "RW": writable, "Propagation": propagation}
    return Fault("mount", frozenset(fails.split()), lambda d, k: d["Mounts"].append(entry))


def port(fails: str, address: str, number: str) -> Fault:
    def change(details: dict[str, Any], known: dict[str, Any]) -> None:
        bindings = {"80/tcp": [{"HostIp": address, "HostPort": number}]}
        details["HostConfig"]["PortBindings"] = bindings
        details["NetworkSettings"]["Ports"] = bindings

    return Fault("port", frozenset(fails.split()), change)


def option(subject: str, fails: str, text: str, **status: str) -> Fault:
    def change(details: dict[str, Any], known: dict[str, Any]) -> None:
        details["HostConfig"]["SecurityOpt"].append(text)
        known["status"] = {**known["status"], **status}

    return Fault(subject, frozenset(fails.split()), change)


def config(subject: str, fails: str, **members: Any) -> Fault:
    return Fault(subject, frozenset(fails.split()), lambda d, k: d["Config"].update(members))


def without_gain_bit(details: dict[str, Any], known: dict[str, Any]) -> None:
    details["HostConfig"]["SecurityOpt"].remove("no-new-privileges")
    known["status"] = {**known["status"], "NoNewPrivs": "0"}
    known["no_new_privileges"] = False


def made_privileged(details: dict[str, Any], known: dict[str, Any]) -> None:
    details["HostConfig"].update(Privileged=True, MaskedPaths=None, ReadonlyPaths=None)
    known["status"] = {**known["status"], "Seccomp": "0", "CapBnd": "000001ffffffffff"}
    known.update(label="unconfined", mode="")


def into_default_network(details: dict[str, Any], known: dict[str, Any]) -> None:
    details["HostConfig"]["NetworkMode"] = "default"
    details["NetworkSettings"]["Networks"] = {"bridge": {}}


def with_exec(**process: Any) -> Change:
    return lambda details, known: known.update(execs=({"Running": True, "ProcessConfig": process},))


FAULTS: Mapping[str, Fault] = {
    "no user": config("user", "user", User=""),
    "root by name": config("user", "user", User="root:root"),
    "root by number": config("user", "user", User="00:1000"),
    "another name of root": kernel("uid", "user", uid=0),
    "capability": host("caps", "capabilities", CapAdd=["NET_BIND_SERVICE", "CAP_SYS_ADMIN"]),
    "all capabilities": host("caps", "capabilities", CapAdd=["all"]),
    "capability by the runtime": kernel("bounding", "capabilities", status={"CapBnd": "00000000a82425fb"}),
    "privileged": Fault(
        "privileged",
        frozenset("privileged capabilities devices apparmor seccomp system_paths".split()),
        made_privileged,
    ),
    "mount of a directory": mount("sensitive_mounts", "/etc/ssh"),
    "mount of what is public, for writing": mount("sensitive_mounts", "/etc/ssl/certs", writable=True),
    "mount of a parent": mount("sensitive_mounts", "/var"),
    "mount of the data directory": mount("sensitive_mounts", "/var/lib/docker/volumes"),
    "mount with detours": mount("sensitive_mounts", "/srv/../etc//passwd"),
    "mount of a parent of the socket": mount("sensitive_mounts engine_socket", "/run"),
    "mount of the root": mount("sensitive_mounts engine_socket", "/", writable=True),
    "mount of the socket": mount("engine_socket", "/run/docker.sock", writable=True),
    "mount of containerd's socket": mount("engine_socket", "/run/containerd/containerd.sock"),
    "propagation": mount("propagation", "/srv/shared", propagation="rshared"),
    "ssh server": kernel("programs", "ssh", programs=("sh", "sshd")),
    "low port": port("privileged_ports", "127.0.0.1", "81"),
    "port on all addresses": port("addresses", "0.0.0.0", "8080"),
    "port on all addresses of version 6": port("addresses", "::", "8080"),
    "port without address": port("addresses", "", "8080"),
    "every port": host("publish", "needed_ports", PublishAllPorts=True),
    "host network": host("network", "host_network", NetworkMode="host"),
    "default network": Fault("network", frozenset(["default_network"]), into_default_network),
    "no memory limit": host("memory", "memory", Memory=0),
    "no share of processors": host("cpu", "cpu", CpuShares=0),
    "writable": host("rootfs", "read_only", ReadonlyRootfs=False),
    "always": host("restart", "restart", RestartPolicy={"Name": "always", "MaximumRetryCount": 0}),
    "unless stopped": host("restart", "restart", RestartPolicy={"Name": "unless-stopped", "MaximumRetryCount": 0}),
    "six times": host("restart", "restart", RestartPolicy={"Name": "on-failure", "MaximumRetryCount": 6}),
    "on failure without end": host("restart", "restart", RestartPolicy={"Name": "on-failure"}),
    "host processes": host("pid", "host_pid", PidMode="host"),
    "host memory": host("ipc", "host_ipc", IpcMode="host"),
    "host name": host("uts", "host_uts", UTSMode="host"),
    "host users": host("userns", "host_users", UsernsMode="host"),
    "host control groups": host("cgroupns", "cgroup_namespace", CgroupnsMode="host"),
    "device": host("devices", "devices", Devices=[{"PathOnHost": "/dev/kvm", "CgroupPermissions": "rw"}]),
    "devices by driver": host("devices", "devices", DeviceRequests=[{"Driver": "nvidia", "Count": -1}]),
    "device rule": host("devices", "devices", DeviceCgroupRules=["a *:* rwm"]),
    "seccomp off": option("seccomp", "seccomp", "seccomp=unconfined", Seccomp="0"),
    "seccomp off, as older clients say it": option("seccomp", "seccomp", "seccomp:unconfined", Seccomp="0"),
    "seccomp profile of nothing": option("seccomp", "seccomp", "seccomp={}", Seccomp="0"),
    "seccomp profile that allows all": option("seccomp", "seccomp", 'seccomp={"defaultAction": "SCMP_ACT_ALLOW"}'),
    "seccomp off behind the engine's back": kernel("filter", "seccomp", status={"Seccomp": "0"}),
    "profile that only logs": kernel("mode", "apparmor", mode="complain"),
    "no profile at all": kernel("mode", "apparmor", label="unconfined", mode=""),
    "gains": Fault("gains", frozenset(["no_new_privileges"]), without_gain_bit),
    "gains behind the engine's back": kernel("gains", "no_new_privileges", status={"NoNewPrivs": "0"}),
    "control group": host("cgroup", "cgroup", CgroupParent="odd.slice"),
    "no health check": config("health", "health", Healthcheck=None),
    "health check taken away": config("health", "health", Healthcheck={"Test": ["NONE"]}),
    "old image": Fault("image", frozenset(["image_age"]), lambda d, k: d.update(Image=OTHER_ID)),
    "no limit of processes": host("pids", "pids", PidsLimit=None),
    "no limit of processes, as -1": host("pids", "pids", PidsLimit=-1),
    "system paths": host("paths", "system_paths", MaskedPaths=[], ReadonlyPaths=[]),
    "privileged command": Fault("exec", frozenset(["exec_privileged"]), with_exec(privileged=True, user=""), True),
    "command as root": Fault("exec", frozenset(["exec_root"]), with_exec(privileged=False, user="0:0"), True),
}
FAULTLESS: Mapping[str, Change] = {
    "default capabilities": lambda d, k: d["HostConfig"].update(CapAdd=["CHOWN", "cap_setuid"]),
    "fewer names": lambda d, k: d["Config"].update(User="app"),
    "a processor and a half": lambda d, k: d["HostConfig"].update(CpuShares=0, NanoCpus=1500000000),
    "no restart": lambda d, k: d["HostConfig"].update(RestartPolicy={"Name": "", "MaximumRetryCount": 0}),
    "slave mount": lambda d, k: d["Mounts"][1].update(Propagation="rslave"),
    "time zone": lambda d, k: d["Mounts"][1].update(Source="/etc/localtime"),
    "neighbour by name": lambda d, k: d["Mounts"][1].update(Source="/etcetera/run"),
    "log socket": lambda d, k: d["Mounts"][1].update(Source="/dev/log", RW=True),
    "own folder below home": lambda d, k: d["Mounts"][1].update(Source="/home/app/data", RW=True),
    "profile of its own": lambda d, k: d["HostConfig"]["SecurityOpt"].append(
        'seccomp={"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}'
    ),
    "bit in words": lambda d, k: d["HostConfig"].update(SecurityOpt=["no-new-privileges:true"]),
    "ended command": lambda d, k: k.update(execs=({"Running": False, "ProcessConfig": {"privileged": True}},)),
}


def judged(release: str, running: bool, *changes: Change, **engine: Any) -> set[str]:
    """Controls that fail for a container with these changes, without their prefix."""
    details, known = details_of(release), copy.deepcopy(dict(KERNEL))
    for change in changes:
        change(details, known)
    if not running:
        details["State"] = {"Status": "exited", "Running": False, "Pid": 0}
    found = failures(engine_of(container_of(details, known), release=release, **engine), PREFIX)
    return {name[len(PREFIX) :] for name in found}


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize("release", RELEASES)
def test_nothing_is_said_against_a_careful_container(release: str, running: bool) -> None:
    assert judged(release, running) == set()
    said = verdicts(engine_of(container_of(details_of(release), KERNEL), release=release), PREFIX)
    assert set(said) == set(CONTAINERS_JUDGES)
    assert {name for name, one in said.items() if one.verdict == "not_applicable"} == {"container_selinux"}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("release", RELEASES)
def test_one_fault_fails_what_names_it(release: str, name: str) -> None:
    assert judged(release, True, FAULTS[name].change) == FAULTS[name].fails


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if not fault.needs_process])
def test_one_fault_is_seen_before_the_container_runs(name: str) -> None:
    assert judged("26.1.5", False, FAULTS[name].change) == FAULTS[name].fails


@pytest.mark.parametrize("name", FAULTLESS)
@pytest.mark.parametrize("running", [True, False])
def test_no_fault_fails_nothing(name: str, running: bool) -> None:
    assert judged("26.1.5", running, FAULTLESS[name]) == set()


@given(st.sampled_from(sorted(RELEASES)), st.lists(st.sampled_from(sorted(FAULTS)), unique=True, max_size=12))
def test_faults_add_up(release: str, names: list[str]) -> None:
    by_subject = {FAULTS[name].subject: FAULTS[name] for name in names}
    wanted = set().union(*(fault.fails for fault in by_subject.values()))
    assert judged(release, True, *(fault.change for fault in by_subject.values())) == wanted


@given(st.lists(st.sampled_from(sorted(FAULTS)), min_size=1, max_size=30))
def test_each_container_is_named_for_its_own_fault_and_no_secret_is_shown(names: list[str]) -> None:
    containers = []
    for number, name in enumerate(names):
        details, known = details_of("28.5.2"), copy.deepcopy(dict(KERNEL))
        FAULTS[name].change(details, known)
        containers.append(container_of(details, known, f"c{number}"))
    said = verdicts(engine_of(*containers), PREFIX)
    for number, name in enumerate(names):
        named = {one[len(PREFIX) :] for one in said if f"c{number}" in {who for who, _text in said[one].findings}}
        assert named == FAULTS[name].fails
    assert "hunter2" not in repr(said)


def test_link_is_followed_and_named() -> None:
    details = details_of("26.1.5")
    details["Mounts"][1]["Source"] = "/srv/link"
    engine = engine_of(container_of(details, KERNEL), links={"/srv/link": "/etc"})
    [(_name, text)] = verdicts(engine, PREFIX)["container_sensitive_mounts"].findings
    assert text == "mounts /srv/link, which is /etc, at /data read-only"


@pytest.mark.parametrize(
    ("options", "fails"),
    [
        ({"type": "none", "o": "bind", "device": "/etc"}, {"sensitive_mounts"}),
        ({"type": "none", "o": "rw,rbind", "device": "/run"}, {"sensitive_mounts", "engine_socket"}),
        ({"type": "ext4", "device": "/dev/sda1"}, {"sensitive_mounts"}),
        ({"type": "none", "o": "bind", "device": "/srv/data"}, set()),
        ({"type": "nfs", "o": "addr=192.0.2.1", "device": ":/etc"}, set()),
        ({"type": "tmpfs", "device": "tmpfs"}, set()),
        (None, set()),
    ],
)
def test_volume_does_not_hide_what_it_mounts(options: dict[str, str] | None, fails: set[str]) -> None:
    def change(details: dict[str, Any], known: dict[str, Any]) -> None:
        source = "/var/lib/docker/volumes/v/_data"
        details["Mounts"].append({"Type": "volume", "Name": "v", "Source": source, "Destination": "/v", "RW": True})

    assert judged("26.1.5", True, change, volumes=({"Name": "v", "Options": options},)) == fails


@pytest.mark.parametrize(
    ("member", "control"), [("NetworkMode", "host_network"), ("PidMode", "host_pid"), ("IpcMode", "host_ipc")]
)
@pytest.mark.parametrize("reference", [CONTAINER_ID, CONTAINER_ID[:12], "first"])
def test_namespace_of_the_host_is_seen_through_another_container(member: str, control: str, reference: str) -> None:
    first, second = details_of("26.1.5"), details_of("26.1.5")
    first["HostConfig"][member] = "host"
    second["HostConfig"][member] = f"container:{reference}"
    second["Id"] = "d4" * 32
    engine = engine_of(container_of(first, KERNEL, "first"), container_of(second, KERNEL, "second"))
    found = dict(verdicts(engine, PREFIX)[PREFIX + control].findings)
    assert set(found) == {"first", "second"}
    assert found["second"].endswith("by way of first")


def test_container_that_shares_with_a_missing_one_is_no_guess() -> None:
    assert judged("26.1.5", False, lambda d, k: d["HostConfig"].update(PidMode="container:gone")) == set()


@pytest.mark.parametrize(
    ("path", "fails"),
    [
        ("/etc/ssh", set()),
        ("/home/alice/.ssh", {"sensitive_mounts"}),
        ("/home/alice", {"sensitive_mounts"}),
        ("/home", {"sensitive_mounts"}),
        ("/home/alice/site", set()),
        ("/run/user/1000/docker.sock", {"engine_socket"}),
        ("/run/user/1000", {"sensitive_mounts", "engine_socket"}),
    ],
)
def test_rootless_engine_gives_away_what_its_user_has(path: str, fails: set[str]) -> None:
    found = judged(
        "26.1.5",
        True,
        lambda d, k: d["Mounts"][1].update(Source=path),
        user="alice",
        socket="/run/user/1000/docker.sock",
        report={"config": {"path": "/home/alice/.config/docker/daemon.json"}},
        info={"DockerRootDir": "/home/alice/.local/share/docker", "SecurityOptions": ["name=seccomp,profile=builtin"]},
    )
    assert found == fails


def test_stopped_container_without_address_is_published_where_its_network_says() -> None:
    network = {"Name": "apart", "Options": {"com.docker.network.bridge.host_binding_ipv4": "127.0.0.1"}}
    fault = FAULTS["port without address"].change
    assert judged("26.1.5", False, fault, networks=(network,)) == set()
    assert judged("26.1.5", False, fault) == {"addresses"}


def test_default_filter_of_none_counts_for_containers_that_name_none() -> None:
    info = {"SecurityOptions": ["name=apparmor", "name=seccomp,profile=unconfined"]}
    assert judged("26.1.5", False, info=info) == {"seccomp"}
    named = option("", "", 'seccomp={"defaultAction": "SCMP_ACT_ERRNO"}').change
    assert judged("26.1.5", False, named, info=info) == set()


def test_process_that_ended_meanwhile_is_judged_by_what_was_asked_for() -> None:
    def change(details: dict[str, Any], known: dict[str, Any]) -> None:
        known.update(status={}, label="unconfined", mode="", uid=None, programs=())

    assert judged("26.1.5", True, change) == set()
    assert judged("26.1.5", True, change, option("", "", "apparmor=unconfined").change) == {"apparmor"}


def test_selinux_counts_where_the_engine_uses_it() -> None:
    info = {"SecurityOptions": ["name=selinux", "name=seccomp,profile=builtin"]}
    assert judged("26.1.5", True, info=info) == {"selinux"}
    assert judged("26.1.5", True, lambda d, k: d.update(ProcessLabel="system_u:system_r:s0"), info=info) == set()
    disabled = option("", "", "label=disable").change
    assert judged("26.1.5", False, disabled, info=info) == {"selinux"}


def test_containerd_image_store_is_not_taken_for_an_old_image() -> None:
    info = {"DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}
    assert judged("28.5.2", True, FAULTS["old image"].change, info=info) == set()


def test_engine_default_control_group_is_no_fault() -> None:
    fault = FAULTS["control group"].change
    assert judged("26.1.5", True, fault, data={"cgroup-parent": "odd.slice"}) == set()


def test_limits_of_its_own_are_for_a_person_to_look_at() -> None:
    details = details_of("26.1.5")
    details["HostConfig"]["Ulimits"] = [{"Name": "nofile", "Soft": 1024, "Hard": 2048}]
    container = container_of(details, KERNEL)
    said = verdicts(engine_of(container), PREFIX)["container_ulimits"]
    assert (said.verdict, said.evidence) == ("manual", ("careful: nofile soft 1024, hard 2048",))
    same = {"default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1024, "Hard": 2048}}}
    assert verdicts(engine_of(container, data=same), PREFIX)["container_ulimits"].verdict == "pass"


def test_published_ports_are_listed() -> None:
    said = verdicts(engine_of(container_of(details_of("26.1.5"), KERNEL)), PREFIX)["container_needed_ports"]
    assert (said.verdict, said.evidence) == ("manual", ("careful: 80/tcp as 127.0.0.1 port 8100",))


def test_engine_without_containers_has_nothing_to_judge() -> None:
    said = verdicts(engine_of(), PREFIX)
    applicable = {name for name, one in said.items() if one.verdict != "not_applicable"}
    assert applicable == {"container_exec_privileged", "container_exec_root", "container_sprawl"}


def test_stopped_containers_say_so() -> None:
    details = details_of("26.1.5")
    details["State"] = {"Status": "exited", "Pid": 0}
    details["HostConfig"]["Privileged"] = True
    said = verdicts(engine_of(container_of(details, KERNEL)), PREFIX)
    [(_name, text)] = said["container_privileged"].findings
    assert text.endswith("(it does not run now)")
    assert said["container_sprawl"].evidence == ("careful: exited",)


def test_capabilities_are_named_by_their_numbers() -> None:
    assert set(capability_names(0xA80425FB)) == DEFAULT_CAPABILITIES
    assert {"CAP_" + name for name in capability_names((1 << 41) - 1)} == CAPABILITIES
    assert capability_names(1 << 50) == ["capability 50"]
