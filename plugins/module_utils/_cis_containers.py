# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging containers by what the engine was asked for and by what the kernel shows (pure, private).

Fields as in GET /containers/ID/json of API 1.41 to 1.51. What a container has by itself counts as much as what it gets
from the engine's defaults; one that does not run is judged as it would be started.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._cis import (
    Container,
    Control,
    Engine,
    Judge,
    Judgement,
    Snapshot,
    manual,
    not_applicable,
    over_objects,
    passed,
)
from ansible_collections.bulwark.docker.plugins.module_utils._cis_mounts import (
    HostMount,
    dangers,
    host_mounts,
    private_paths,
    socket_reached,
)
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_profile import parse_profile

__all__ = ["CONTAINERS_JUDGES", "DEFAULT_CAPABILITIES", "capability_names"]

DEFAULT_CAPABILITIES = frozenset(
    """
    AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID
    SYS_CHROOT
    """.split()
)
PRIVILEGED_PORTS = 1024
RESTARTS = 5
ALL_ADDRESSES = ("", "0.0.0.0", "::")
HOST_BINDING = "com.docker.network.bridge.host_binding_ipv4"
SSH_SERVERS = frozenset(["dropbear", "sshd", "sshd-auth", "sshd-session", "tinysshd"])
HARMLESS_DEVICES = frozenset(["/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero"])
CONTENT = ("driver-type", "io.containerd.snapshotter.v1")
NOT_RUNNING = " (it does not run now)"
USER_CONFIG = "/.config/docker/daemon.json"

# What is wrong with one container; nothing when all is well.
Check = Callable[[Container, Engine], Iterator[str]]


def capability_names(mask: int) -> List[str]:
    """Names of a set of capabilities as /proc/PID/status shows it, without the prefix; unknown ones by number."""
    bits = [bit for bit in range(mask.bit_length()) if mask >> bit & 1]
    return [CAPABILITY_NAMES[bit] if bit < len(CAPABILITY_NAMES) else f"capability {bit}" for bit in bits]


# By number, include/uapi/linux/capability.h.
CAPABILITY_NAMES = tuple(
    """
    CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
    NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
    SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
    MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
    """.split()
)


def _findings(check: Check, engine: Engine) -> List[Tuple[str, str]]:
    found = []
    for container in engine.objects.containers:
        note = "" if container.running else NOT_RUNNING
        found += [(container.name, text + note) for text in check(container, engine)]
    return found


def _each(check: Check, good: str) -> Judge:
    """A judge that looks at every container by itself."""

    def judge(control: Control, snapshot: Snapshot, engine: Engine) -> Judgement:
        return over_objects(_findings(check, engine), len(engine.objects.containers), "containers", good)

    return judge


def _flag(member: str, value: Any, text: str, good: str) -> Judge:
    """A judge that looks whether a member of HostConfig has a value that it should not have."""

    def check(container: Container, engine: Engine) -> Iterator[str]:
        if container.host_config.get(member) == value:
            yield text

    return _each(check, good)


def _limit(text: str, good: str, *members: str) -> Judge:
    """A judge that looks whether one of these limits is set; the engine clears those that the kernel does not offer."""

    def check(container: Container, engine: Engine) -> Iterator[str]:
        if not any((container.host_config.get(member) or 0) > 0 for member in members):
            yield text

    return _each(check, good)


def _options(container: Container) -> List[Tuple[str, str]]:
    """Security options as pairs; older clients separate them by a colon."""
    pairs = []
    for option in container.host_config.get("SecurityOpt") or []:
        text = str(option)
        at = min((text.find(mark) for mark in "=:" if mark in text), default=len(text))
        pairs.append((text[:at], text[at + 1 :]))
    return pairs


def _privileged(container: Container) -> bool:
    return container.host_config.get("Privileged") is True


def _uses(info: Mapping[str, Any], name: str) -> Optional[Dict[str, str]]:
    """Fields of an entry of SecurityOptions, None where the engine has none of that name."""
    for option in info.get("SecurityOptions") or []:
        fields = dict(part.partition("=")[::2] for part in str(option).split(","))
        if fields.get("name") == name:
            return fields
    return None


def _user(container: Container, engine: Engine) -> Iterator[str]:
    name = str(container.config.get("User") or "").partition(":")[0]
    if name in ("", "root") or (name.isdigit() and int(name) == 0):
        now = f"; its first process has gone over to the user {container.uid}" if container.uid else ""
        yield f"starts as root{now}"
    elif container.uid == 0:
        yield f"is to run as {name!r}, which is another name of root"


def _apparmor(container: Container, engine: Engine) -> Iterator[str]:
    wanted = dict(_options(container)).get("apparmor", "")
    if container.status:
        if container.label == "unconfined":
            yield "runs without an AppArmor profile"
        elif container.mode not in ("enforce", "kill"):
            yield f"runs under {container.label}, which is in mode {container.mode or 'unknown'} and refuses nothing"
    elif wanted == "unconfined" or (_privileged(container) and not wanted):
        yield "gets no AppArmor profile"


def _judge_apparmor(control: Control, snapshot: Snapshot, engine: Engine) -> Judgement:
    if _uses(engine.info, "apparmor") is None:
        return not_applicable("the engine does not use AppArmor on this host")
    found = _findings(_apparmor, engine)
    return over_objects(found, len(engine.objects.containers), "containers", "an AppArmor profile confines each")


def _selinux(container: Container, engine: Engine) -> Iterator[str]:
    if ("label", "disable") in _options(container) or (container.running and not container.details.get("ProcessLabel")):
        yield "has no SELinux label"


def _judge_selinux(control: Control, snapshot: Snapshot, engine: Engine) -> Judgement:
    if _uses(engine.info, "selinux") is None:
        return not_applicable("the engine does not use SELinux on this host")
    return over_objects(
        _findings(_selinux, engine), len(engine.objects.containers), "containers", "each has an SELinux label"
    )


def _capabilities(container: Container, engine: Engine) -> Iterator[str]:
    if _privileged(container):
        yield "has every capability, since it is privileged"
        return
    asked = {str(name).upper() for name in container.host_config.get("CapAdd") or []}
    added = {name[4:] if name.startswith("CAP_") else name for name in asked} - DEFAULT_CAPABILITIES
    if added:
        yield f"is given {', '.join(sorted(added))}"
        return
    bounding = container.status.get("CapBnd", "")
    more = set(capability_names(int(bounding, 16) if bounding else 0)) - DEFAULT_CAPABILITIES
    if more:
        yield f"was not given {', '.join(sorted(more))}, and has it all the same"


def _home(engine: Engine) -> str:
    """Home directory of the user whose engine it is, as far as its files tell; "" for the system's."""
    path = str((engine.report.get("config") or {}).get("path") or "")
    if not engine.rootless:
        return ""
    return path[: -len(USER_CONFIG)] if path.endswith(USER_CONFIG) else f"/home/{engine.user}"


def _host_mounts(container: Container, engine: Engine) -> List[HostMount]:
    return host_mounts(container.details, engine.objects.volumes, engine.objects.links)


def _sensitive(container: Container, engine: Engine) -> Iterator[str]:
    private = private_paths(str(engine.info.get("DockerRootDir") or ""), _home(engine))
    yield from dangers(_host_mounts(container, engine), private, (engine.socket,))


def _socket(container: Container, engine: Engine) -> Iterator[str]:
    yield from socket_reached(_host_mounts(container, engine), (engine.socket,))


def _propagation(container: Container, engine: Engine) -> Iterator[str]:
    for mount in container.details.get("Mounts") or []:
        if mount.get("Propagation") in ("shared", "rshared"):
            yield f"propagates what it mounts below {mount.get('Destination')} to the host"


def _ssh(container: Container, engine: Engine) -> Iterator[str]:
    found = sorted(SSH_SERVERS & set(container.programs))
    if found:
        yield f"runs {', '.join(found)}"


def _ports(container: Container) -> Iterator[Tuple[str, str, int]]:
    """(port inside, address of the host, port of the host) of what is published; 0 for a port still to be chosen."""
    published = container.host_config.get("PortBindings")
    if container.running:
        published = (container.details.get("NetworkSettings") or {}).get("Ports")
    for inside, bindings in sorted((published or {}).items()):
        for binding in bindings or []:
            number = str(binding.get("HostPort") or "0").partition("-")[0]
            yield inside, str(binding.get("HostIp") or ""), int(number) if number.isdigit() else 0


def _low_ports(container: Container, engine: Engine) -> Iterator[str]:
    for inside, number in sorted({(inside, number) for inside, _address, number in _ports(container)}):
        if 0 < number < PRIVILEGED_PORTS:
            yield f"publishes {inside} as port {number} of the host"


def _default_address(container: Container, engine: Engine) -> str:
    """Where the engine publishes a port that names no address."""
    mode = str(container.host_config.get("NetworkMode") or "default")
    name = "bridge" if mode == "default" else mode
    for network in engine.objects.networks:
        if name in (network.get("Name"), network.get("Id")):
            return str((network.get("Options") or {}).get(HOST_BINDING) or "")
    return ""


def _open_addresses(container: Container, engine: Engine) -> Iterator[str]:
    fallback = "" if container.running else _default_address(container, engine)
    places = {
        (inside, number) for inside, address, number in _ports(container) if (address or fallback) in ALL_ADDRESSES
    }
    for inside, number in sorted(places):
        yield f"publishes {inside} on all addresses of the host, as port {number or 'to be chosen'}"


def _judge_ports(control: Control, snapshot: Snapshot, engine: Engine) -> Judgement:
    containers = engine.objects.containers
    if not containers:
        return not_applicable("there are no containers")
    every = [one.name for one in containers if one.host_config.get("PublishAllPorts") is True]
    if every:
        found = [(name, "publishes every port that its image names") for name in every]
        return over_objects(found, len(containers), "containers", "")
    lines = [
        f"{one.name}: {inside} as {address or '*'} port {number or 'to be chosen'}"
        for one in containers
        for inside, address, number in _ports(one)
    ]
    if not lines:
        return passed(f"no container publishes a port ({len(containers)} containers)")
    return manual("published ports; whether each is needed is for a person to say", evidence=lines)


def _mode(container: Container, engine: Engine, member: str) -> Tuple[str, str]:
    """A namespace of a container and the container that it is taken from, "" for its own."""
    mode = str(container.host_config.get(member) or "")
    if not mode.startswith("container:"):
        return mode, ""
    wanted = mode.partition(":")[2]
    for other in engine.objects.containers:
        identity = str(other.details.get("Id") or "")
        if wanted and (other.name == wanted or identity.startswith(wanted)):
            return str(other.host_config.get(member) or ""), other.name
    return mode, ""


def _host_namespace(member: str, what: str) -> Judge:
    """A judge that looks whether containers share a namespace with the host, through another container too."""

    def check(container: Container, engine: Engine) -> Iterator[str]:
        mode, through = _mode(container, engine, member)
        if mode == "host":
            yield f"shares the host's {what}" + (f", by way of {through}" if through else "")

    return _each(check, f"none shares the host's {what}")


def _cpu(container: Container, engine: Engine) -> Iterator[str]:
    config = container.host_config
    shares = config.get("CpuShares") or 0
    if not (shares > 0 or (config.get("NanoCpus") or 0) > 0 or (config.get("CpuQuota") or 0) > 0):
        yield "may take all processors"


def _restart(container: Container, engine: Engine) -> Iterator[str]:
    policy = container.host_config.get("RestartPolicy") or {}
    name, most = str(policy.get("Name") or "no"), int(policy.get("MaximumRetryCount") or 0)
    if name in ("always", "unless-stopped"):
        yield f"is restarted without end ({name})"
    elif name == "on-failure" and not 0 < most <= RESTARTS:
        yield f"is restarted {f'{most} times' if most else 'without end'} (on-failure)"


def _devices(container: Container, engine: Engine) -> Iterator[str]:
    if _privileged(container):
        yield "has all devices, since it is privileged"
        return
    config = container.host_config
    for device in config.get("Devices") or []:
        path = str(device.get("PathOnHost") or "")
        if path not in HARMLESS_DEVICES:
            yield f"has the device {path} ({device.get('CgroupPermissions') or 'rwm'})"
    for request in config.get("DeviceRequests") or []:
        yield f"has devices of the driver {request.get('Driver') or 'that fits'}"
    for rule in config.get("DeviceCgroupRules") or []:
        yield f"may open the devices {rule}"


def _judge_ulimits(control: Control, snapshot: Snapshot, engine: Engine) -> Judgement:
    containers = engine.objects.containers
    if not containers:
        return not_applicable("there are no containers")
    defaults = engine.data.get("default-ulimits")
    usual = {
        (str(name), one.get("Soft"), one.get("Hard"))
        for name, one in (defaults.items() if isinstance(defaults, dict) else ())
        if isinstance(one, dict)
    }
    lines = [
        f"{one.name}: {limit.get('Name')} soft {limit.get('Soft')}, hard {limit.get('Hard')}"
        for one in containers
        for limit in one.host_config.get("Ulimits") or []
        if (str(limit.get("Name")), limit.get("Soft"), limit.get("Hard")) not in usual
    ]
    if not lines:
        return passed(f"no container has limits of its own ({len(containers)} containers)")
    return manual("limits that differ from the engine's; whether each is needed is for a person to say", evidence=lines)


def _filter_off(text: str) -> bool:
    """Whether a profile, as clients hand it over, comes to no filter or to one that lets everything pass."""
    profile = parse_profile(text.encode("utf-8", "surrogateescape")).profile
    return profile is None or profile.off or (profile.default_action == "SCMP_ACT_ALLOW" and not profile.rules)


def _seccomp(container: Container, engine: Engine) -> Iterator[str]:
    asked = dict(_options(container)).get("seccomp", "")
    default = _uses(engine.info, "seccomp") or {"profile": "unconfined"}
    if container.status.get("Seccomp") == "0":
        yield "runs without a seccomp filter"
    elif asked.lstrip().startswith("{"):
        if _filter_off(asked):
            yield "has a seccomp profile of its own that filters nothing"
    elif asked == "unconfined" or (_privileged(container) and not asked):
        yield "gets no seccomp filter"
    elif not asked and not container.running and default.get("profile") == "unconfined":
        yield "gets no seccomp filter, since the engine's default is none"


def _gains(container: Container, engine: Engine) -> Iterator[str]:
    shown = container.status.get("NoNewPrivs")
    if shown is not None:
        if shown != "1":
            yield "its programs may gain privileges"
        return
    asked = dict(_options(container)).get("no-new-privileges")
    wanted = asked in ("", "true") if asked is not None else container.no_new_privileges is True
    if not wanted:
        yield "its programs would gain privileges"


def _exec_judge(check: Callable[[Container, Mapping[str, Any]], str]) -> Judge:
    """A judge that looks at what was started in running containers besides; what has ended leaves no trace there."""

    def judge(control: Control, snapshot: Snapshot, engine: Engine) -> Judgement:
        containers = engine.objects.containers
        running = [(one, entry) for one in containers for entry in one.execs if entry.get("Running")]
        found = [
            (one.name, text)
            for one, text in ((one, check(one, entry.get("ProcessConfig") or {})) for one, entry in running)
            if text
        ]
        if found:
            return over_objects(found, len(containers), "containers", "")
        return manual(f"none runs at this moment; look at {control.look}")

    return judge


def _privileged_exec(container: Container, process: Mapping[str, Any]) -> str:
    return "a privileged command runs in it (docker exec --privileged)" if process.get("privileged") is True else ""


def _root_exec(container: Container, process: Mapping[str, Any]) -> str:
    name = str(process.get("user") or "").partition(":")[0]
    root = name == "root" or (name.isdigit() and int(name) == 0)
    return "a command runs in it as root (docker exec --user)" if root else ""


def _cgroup_parent(container: Container, engine: Engine) -> Iterator[str]:
    parent = str(container.host_config.get("CgroupParent") or "")
    if parent and parent != str(engine.data.get("cgroup-parent") or ""):
        yield f"lives in the control group {parent}, past the limits of the engine's own"


def _health(container: Container, engine: Engine) -> Iterator[str]:
    test = (container.config.get("Healthcheck") or {}).get("Test") or []
    if not test or test[0] == "NONE":
        yield "has no health check"


def _tagged(name: str) -> str:
    """Name of an image with the tag that the engine takes when none is named."""
    last = name.rpartition("/")[2]
    return name if "@" in name or ":" in last else f"{name}:latest"


def _judge_image_age(control: Control, snapshot: Snapshot, engine: Engine) -> Judgement:
    containers = engine.objects.containers
    if not containers:
        return not_applicable("there are no containers")
    ids = {str(tag): str(image.get("Id")) for image in engine.objects.images for tag in image.get("RepoTags") or []}
    found = []
    for container in containers:
        # With containerd's image store a container and a list name an image by different digests.
        name = _tagged(str(container.config.get("Image") or ""))
        newer = ids.get(name)
        if newer and newer != container.details.get("Image") and list(CONTENT) not in _driver_status(engine):
            found.append((container.name, f"is made from an older image than {name} is now"))
    if found:
        return over_objects(found, len(containers), "containers", "")
    return manual(f"none is older than its image on this host; look at {control.look}")


def _driver_status(engine: Engine) -> List[List[str]]:
    return [list(entry) for entry in engine.info.get("DriverStatus") or []]


def _default_bridge(container: Container, engine: Engine) -> Iterator[str]:
    networks = (container.details.get("NetworkSettings") or {}).get("Networks") or {}
    if "bridge" in networks or container.host_config.get("NetworkMode") in ("bridge", "default"):
        yield "is in the default network, with every container that names none"


def _system_paths(container: Container, engine: Engine) -> Iterator[str]:
    config = container.host_config
    if _privileged(container) or config.get("MaskedPaths") == [] or config.get("ReadonlyPaths") == []:
        yield "sees the parts of /proc and /sys that are hidden or read-only for others"


def _judge_sprawl(control: Control, snapshot: Snapshot, engine: Engine) -> Judgement:
    containers = engine.objects.containers
    idle = [f"{one.name}: {(one.details.get('State') or {}).get('Status')}" for one in containers if not one.running]
    if not idle:
        return passed(f"all {len(containers)} containers run")
    return manual(f"{len(idle)} of {len(containers)} containers do not run; look at {control.look}", evidence=idle)


CONTAINERS_JUDGES: Dict[str, Judge] = {
    "container_user": _each(_user, "none runs as root"),
    "container_apparmor": _judge_apparmor,
    "container_selinux": _judge_selinux,
    "container_capabilities": _each(_capabilities, "none has more capabilities than the engine gives by itself"),
    "container_privileged": _flag("Privileged", True, "is privileged: it is root of this host", "none is privileged"),
    "container_sensitive_mounts": _each(_sensitive, "none mounts a sensitive path of the host"),
    "container_ssh": _each(_ssh, "no ssh server runs in them"),
    "container_privileged_ports": _each(_low_ports, "none publishes a privileged port"),
    "container_needed_ports": _judge_ports,
    "container_host_network": _host_namespace("NetworkMode", "network"),
    "container_memory": _limit("may take all memory", "each has a memory limit", "Memory"),
    "container_cpu": _each(_cpu, "each has a share or a limit of processor time"),
    "container_read_only": _flag(
        "ReadonlyRootfs", False, "may write to its own file system", "each has a read-only file system"
    ),
    "container_addresses": _each(_open_addresses, "none publishes a port on all addresses"),
    "container_restart": _each(_restart, f"none is restarted more than {RESTARTS} times"),
    "container_host_pid": _host_namespace("PidMode", "process ids"),
    "container_host_ipc": _host_namespace("IpcMode", "shared memory and queues"),
    "container_devices": _each(_devices, "none has a device of the host"),
    "container_ulimits": _judge_ulimits,
    "container_propagation": _each(_propagation, "none propagates mounts to the host"),
    "container_host_uts": _host_namespace("UTSMode", "name"),
    "container_seccomp": _each(_seccomp, "a seccomp filter confines each"),
    "container_exec_privileged": _exec_judge(_privileged_exec),
    "container_exec_root": _exec_judge(_root_exec),
    "container_cgroup": _each(_cgroup_parent, "each is in the engine's control group"),
    "container_no_new_privileges": _each(_gains, "no program in them gains privileges"),
    "container_health": _each(_health, "each has a health check"),
    "container_image_age": _judge_image_age,
    "container_pids": _limit("may start any number of processes", "each has a limit of processes", "PidsLimit"),
    "container_default_network": _each(_default_bridge, "none is in the default network"),
    "container_host_users": _host_namespace("UsernsMode", "user ids"),
    "container_engine_socket": _each(_socket, "none reaches the socket of an engine"),
    "container_sprawl": _judge_sprawl,
    "container_cgroup_namespace": _host_namespace("CgroupnsMode", "view of control groups"),
    "container_system_paths": _each(_system_paths, "sensitive parts of /proc and /sys are hidden from each"),
}
