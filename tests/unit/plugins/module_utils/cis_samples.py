# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of real engines, cut down to what is judged: a container without a fault, and what surrounds it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils._cis import Container, Engine, Judgement, Objects, Snapshot
from ansible_collections.bulwark.docker.plugins.module_utils._cis_registry import CONTROLS, JUDGES

IMAGE_ID = "sha256:" + "a1" * 32
OTHER_ID = "sha256:" + "b2" * 32
CONTAINER_ID = "c3" * 32
MASKED = ["/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/scsi", "/sys/firmware"]
# What the three generations answer differently for the same container.
RELEASES: Mapping[str, Mapping[str, Any]] = {
    "20.10.24": {
        "host": {"Ulimits": None, "MaskedPaths": MASKED, "BlkioDeviceReadBps": None},
        "aliases": ["c45743067d67"],
        "security": ["name=apparmor", "name=seccomp,profile=default", "name=cgroupns"],
    },
    "26.1.5": {
        "host": {"Ulimits": [], "MaskedPaths": [*MASKED, "/sys/devices/virtual/powercap"], "BlkioDeviceReadBps": []},
        "aliases": None,
        "security": ["name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns"],
    },
    "28.5.2": {
        "host": {
            "Ulimits": [],
            "MaskedPaths": [*MASKED, "/proc/interrupts", "/sys/devices/virtual/powercap"],
            "BlkioDeviceReadBps": [],
        },
        "aliases": None,
        "security": ["name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns"],
    },
}
DETAILS: Mapping[str, Any] = {
    "Id": CONTAINER_ID,
    "Name": "/careful",
    "State": {"Status": "running", "Running": True, "Pid": 558, "Health": {"Status": "starting"}},
    "Image": IMAGE_ID,
    "ProcessLabel": "",
    "AppArmorProfile": "docker-default",
    "ExecIDs": None,
    "HostConfig": {
        "NetworkMode": "apart",
        "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8100"}]},
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
        "CapAdd": None,
        "CapDrop": ["ALL"],
        "CgroupnsMode": "private",
        "IpcMode": "private",
        "PidMode": "",
        "UTSMode": "",
        "UsernsMode": "",
        "Privileged": False,
        "PublishAllPorts": False,
        "ReadonlyRootfs": True,
        "SecurityOpt": ["no-new-privileges"],
        "CgroupParent": "",
        "CpuShares": 512,
        "NanoCpus": 0,
        "CpuQuota": 0,
        "Memory": 67108864,
        "PidsLimit": 50,
        "Devices": [{"PathOnHost": "/dev/full", "PathInContainer": "/dev/full", "CgroupPermissions": "rwm"}],
        "DeviceRequests": None,
        "DeviceCgroupRules": None,
        "ReadonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
    },
    "Mounts": [
        {"Type": "bind", "Source": "/etc/ssl/certs", "Destination": "/certs", "RW": False, "Propagation": "rprivate"},
        {"Type": "bind", "Source": "/srv/data", "Destination": "/data", "RW": False, "Propagation": "rprivate"},
    ],
    "Config": {
        "User": "1000:1000",
        "Env": ["PASSWORD_FILE=/run/secrets/db", "DB_PASSWORD=hunter2"],
        "Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 3600000000000},
        "Image": "good:1",
    },
    "NetworkSettings": {"Ports": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8100"}]}},
}
KERNEL: Mapping[str, Any] = {
    "programs": ("sleep",),
    "label": "docker-default",
    "mode": "enforce",
    "status": {"NoNewPrivs": "1", "Seccomp": "2", "CapBnd": "0000000000000000"},
    "uid": 1000,
}
NETWORKS: tuple[Mapping[str, Any], ...] = (
    {
        "Name": "bridge",
        "Driver": "bridge",
        "Options": {"com.docker.network.bridge.host_binding_ipv4": "0.0.0.0"},
    },
    {"Name": "apart", "Driver": "bridge", "Options": {}},
)
IMAGE: Mapping[str, Any] = {
    "Id": IMAGE_ID,
    "RepoTags": ["good:1"],
    "RepoDigests": [],
    "Config": {"User": "1000", "Env": ["PATH=/bin"], "Healthcheck": {"Test": ["CMD-SHELL", "true"]}},
}
HISTORY = (
    "/bin/sh -c #(nop)  HEALTHCHECK &{[CMD-SHELL true] 0s 0s 0s 0s 0}",
    "/bin/sh -c #(nop) COPY file:9d35f9c0 in /file ",
    "/bin/sh -c apt-get update && apt-get install -y nginx",
    "/bin/sh -c #(nop) ADD file:966d3669b40f5fbaecee1ecbeb58debe19001076da5d94717080d55efbc25971 in / ",
)
MANAGER: Mapping[str, Any] = {
    "NodeID": "4hm09ko0230dkwyk1ame02gss",
    "NodeAddr": "192.0.2.1",
    "LocalNodeState": "active",
    "ControlAvailable": True,
    "Nodes": 3,
    "Managers": 3,
}
SWARM: Mapping[str, Any] = {
    "Spec": {"CAConfig": {"NodeCertExpiry": 7776000000000000}, "EncryptionConfig": {"AutoLockManagers": True}},
    "JoinTokens": {"Worker": "SWMTKN-1-worker", "Manager": "SWMTKN-1-manager"},
}
SWARM_NODE: Mapping[str, Any] = {
    "ListenAddr": "192.0.2.1:2377",
    "AdvertiseAddr": "192.0.2.1:2377",
    "DataPathAddr": "198.51.100.1",
}


def details_of(release: str) -> dict[str, Any]:
    """A container without a fault as that release shows it."""
    found = copy.deepcopy(dict(DETAILS))
    found["HostConfig"].update(copy.deepcopy(dict(RELEASES[release]["host"])))
    found["NetworkSettings"]["Networks"] = {"apart": {"Aliases": RELEASES[release]["aliases"]}}
    return found


def container_of(details: Mapping[str, Any], kernel: Mapping[str, Any], name: str = "careful") -> Container:
    """A container; one without a process is not known to the kernel."""
    if not details["State"]["Pid"]:
        return Container(name, details, no_new_privileges=kernel.get("no_new_privileges", True))
    return Container(name, details, **{key: value for key, value in kernel.items() if key != "no_new_privileges"})


def engine_of(*containers: Container, release: str = "26.1.5", **more: Any) -> Engine:
    """An engine with these containers; C(more) are members of Objects, or C(info) and others of Engine."""
    info = {
        "SecurityOptions": RELEASES[release]["security"],
        "DockerRootDir": "/var/lib/docker",
        "DriverStatus": [["Backing Filesystem", "extfs"]],
        "Swarm": {"LocalNodeState": "inactive"},
        **more.pop("info", {}),
    }
    own = {key: more.pop(key) for key in ("user", "socket", "data", "report") if key in more}
    objects = Objects(
        **{
            "containers": containers,
            "images": (IMAGE,),
            "networks": NETWORKS,
            "histories": {IMAGE_ID: HISTORY},
            **more,
        }
    )
    return Engine("system", "running", info=info, objects=objects, **{"socket": "/run/docker.sock", **own})


def verdicts(engine: Engine, *prefixes: str) -> dict[str, Judgement]:
    """What the judges say of an engine, by id of the control."""
    return {
        control.id: JUDGES[control.id](control, Snapshot(0.0, (engine,)), engine)
        for control in CONTROLS
        if control.id in JUDGES and control.id.startswith(prefixes)
    }


def failures(engine: Engine, *prefixes: str) -> set[str]:
    """Ids of controls that fail."""
    return {name for name, judgement in verdicts(engine, *prefixes).items() if judgement.verdict == "fail"}
