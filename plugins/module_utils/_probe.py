# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probes of enforcement_probe: what they attempt, what proves them, and the verdict (pure, private).

A probe is one attempt and the controls that show that the attempt could have worked. "Blocked" is only said when the
attempt was refused and every control held, so a broken probe can never look like a protection.

To add a probe: one entry in PROBES, and one function in _probe_program.ACTIONS unless an existing one serves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError

__all__ = [
    "CONFINED",
    "CONFINING",
    "CONTAINERS",
    "HOST",
    "MOUNTED",
    "PRIVILEGED",
    "PROBES",
    "PUBLISHED_PORT",
    "RELAXED",
    "RUNNER",
    "SCRATCH",
    "SERVICE",
    "SHARE",
    "SIBLING",
    "SUBJECT",
    "WRITER",
    "Action",
    "Facts",
    "Outcome",
    "Plan",
    "Probe",
    "Result",
    "complaint",
    "count_verdicts",
    "describe",
    "judge",
    "make_plan",
    "require_some",
    "resolve",
    "select",
]

# Where an action runs.
SUBJECT = "subject"  # a container as a user gets it: every default of the engine
RELAXED = "relaxed"  # the same with the protections under test switched off by hand
SIBLING = "sibling"  # a second container on the default bridge, offering echo services
MOUNTED = "mounted"  # as the subject, with a directory of the host's root mounted, made for this run
PRIVILEGED = "privileged"  # the same with every privilege that the engine can give
WRITER = "writer"  # a container whose output goes to the engine's default log driver
CONFINED = "confined"  # a container that asks for the AppArmor profile docker-bulwark, if it is there
SERVICE = "service"  # the same with docker-bulwark-service
HOST = "host"  # the same program as a process of the host
RUNNER = "runner"  # looked up by the module itself

CONTAINERS = (SIBLING, SUBJECT, RELAXED, MOUNTED, PRIVILEGED, WRITER, CONFINED, SERVICE)
# Profiles of the role apparmor that these containers ask for.
CONFINING: Mapping[str, str] = {CONFINED: "docker-bulwark", SERVICE: "docker-bulwark-service"}
# A directory of programs below the read-only /usr that is empty and writable in the containers that need one.
SCRATCH = "/usr/local/sbin"
NOBODY = 65534
ECHO_PORT = 7077
PUBLISHED_PORT = 7078
# Where a directory of the host appears in the subject, for probes that need one.
SHARE = "/probe/share"
OWN_PORT = 7079
# A control has less time than the attempt, so that a host too slow for the attempt shows as an error.
ATTEMPT_SECONDS = 3.0
CONTROL_SECONDS = 1.5
PR_GET_NO_NEW_PRIVS = 39


class Action(NamedTuple):
    """One thing to do: where, the name of the function there, its arguments, and the uid to become for it.

    A text argument that starts with "@" stands for a value that is only known while the run goes on.
    """

    place: str
    name: str
    arguments: Mapping[str, Any]
    uid: Optional[int] = None


class Outcome(NamedTuple):
    """What came of an action: gained or not with detail, or a failure text, or the reason why it does not apply."""

    gained: bool = False
    detail: str = ""
    seconds: float = 0.0
    failure: str = ""
    inapplicable: str = ""


@dataclass(frozen=True)
class Probe:
    """One probe.

    C(variable) is the role variable that closes the hole ("" when there is none) and C(remedy) the sentence for
    people; C(cis) are the ids of the CIS Docker Benchmark as (1.6 and 1.7, 1.8); C(requires) are names of REQUIREMENTS;
    C(relax) are the security options that the relaxed container needs so that the controls there can hold,
    C(host_cgroup_namespace) likewise; C(publish) asks the sibling to publish its second port on the loopback address;
    C(share) mounts a directory of the host into the subject, with files of the host's root.
    """

    id: str
    title: str
    role: str
    severity: str
    remedy: str
    attempt: Action
    controls: Tuple[Action, ...]
    variable: str = ""
    cis: Tuple[Tuple[str, ...], Tuple[str, ...]] = ((), ())
    requires: Tuple[str, ...] = ()
    relax: Tuple[str, ...] = ()
    host_cgroup_namespace: bool = False
    publish: bool = False
    share: bool = False

    @property
    def group(self) -> str:
        """The part of the id before the dot."""
        return self.id.split(".", 1)[0]

    @property
    def actions(self) -> Tuple[Action, ...]:
        """The attempt, then the controls."""
        return (self.attempt, *self.controls)


@dataclass(frozen=True)
class Facts:
    """What is known of host and engine before the first attempt."""

    engine_version: str = ""
    os_type: str = "linux"
    rootless: bool = False
    userns_remapped: bool = False
    default_bridge: bool = True
    logging_driver: str = "json-file"
    python: str = ""
    python_problem: str = ""
    reader: str = ""
    openssl: str = ""
    id_program: str = ""
    tcp_problem: str = ""
    apparmor_problem: str = ""
    apparmor_profiles: Tuple[str, ...] = ()
    scratch: bool = True


class Result(NamedTuple):
    """Verdict of one probe: blocked, not_blocked, not_applicable or error."""

    probe: Probe
    verdict: str
    evidence: str
    control: str
    seconds: float


@dataclass(frozen=True)
class Plan:
    """What to run and what cannot apply (with reasons).

    C(places) has the actions of each place with their ids, C(identities) the ids of each probe's actions.
    """

    probes: Tuple[Probe, ...]
    inapplicable: Tuple[Result, ...]
    places: Mapping[str, Tuple[Tuple[str, Action], ...]]
    identities: Mapping[str, Tuple[str, ...]]

    @property
    def publish(self) -> bool:
        """Whether the sibling publishes a port."""
        return any(probe.publish for probe in self.probes)

    @property
    def bait(self) -> bool:
        """Whether a directory of the host's root is mounted into a container."""
        return MOUNTED in self.places or PRIVILEGED in self.places

    @property
    def share(self) -> bool:
        """Whether the subject gets a directory of the host."""
        return any(probe.share for probe in self.probes)

    @property
    def relax(self) -> Tuple[str, ...]:
        """Security options of the relaxed container."""
        return tuple(dict.fromkeys(option for probe in self.probes for option in probe.relax))

    @property
    def host_cgroup_namespace(self) -> bool:
        """Whether the relaxed container shares the host's control group namespace."""
        return any(probe.host_cgroup_namespace for probe in self.probes)


def _needs_python(facts: Facts) -> str:
    return facts.python_problem


def _needs_reader(facts: Facts) -> str:
    return "" if facts.reader else "the host has no program cat that could carry privileges in a container"


def _needs_bridge(facts: Facts) -> str:
    return "" if facts.default_bridge else "the engine has no default bridge network"


def _needs_host_network(facts: Facts) -> str:
    return "a rootless engine has its bridge in a network of its own, out of reach for the control" * facts.rootless


def _needs_openssl(facts: Facts) -> str:
    return "" if facts.openssl else "the host has no program openssl that could make a certificate of a foreign CA"


def _needs_id_program(facts: Facts) -> str:
    return "" if facts.id_program else "the host has no program id that does nothing else"


def _needs_tcp_listener(facts: Facts) -> str:
    return facts.tcp_problem


def _needs_own_user_namespace(facts: Facts) -> str:
    return "file capabilities of images have no effect with userns-remap" * facts.userns_remapped


def _needs_privileged_containers(facts: Facts) -> str:
    return "with userns-remap the engine refuses privileged containers" * facts.userns_remapped


def _needs_log_files(facts: Facts) -> str:
    if facts.logging_driver in ("json-file", "local"):
        return ""
    return f"the default log driver {facts.logging_driver!r} keeps no files of the engine"


def _needs_apparmor(facts: Facts) -> str:
    return facts.apparmor_problem


def _needs_scratch(facts: Facts) -> str:
    return "" if facts.scratch else f"the host has no directory {SCRATCH}"


def _needs_real_root(facts: Facts) -> str:
    return "with userns-remap root of a container makes no devices anyway" * facts.userns_remapped


REQUIREMENTS: Dict[str, Callable[[Facts], str]] = {
    "apparmor": _needs_apparmor,
    "default_bridge": _needs_bridge,
    "host_network": _needs_host_network,
    "id_program": _needs_id_program,
    "log_files": _needs_log_files,
    "not_userns_remapped": _needs_own_user_namespace,
    "openssl": _needs_openssl,
    "privileged": _needs_privileged_containers,
    "python": _needs_python,
    "reader": _needs_reader,
    "real_root": _needs_real_root,
    "scratch": _needs_scratch,
    "tcp_listener": _needs_tcp_listener,
}

_TO_SIBLING = {"addresses": "@sibling_addresses", "port": ECHO_PORT, "token": "@token", "seconds": ATTEMPT_SECONDS}
_TO_SIBLING_SOON = {**_TO_SIBLING, "seconds": CONTROL_SECONDS}
_SERVE = Action(SIBLING, "serve", {"tcp_ports": [ECHO_PORT, PUBLISHED_PORT], "udp_ports": [ECHO_PORT]})
_SUBJECT_SELF = Action(SUBJECT, "own_exchange", {"port": OWN_PORT, "token": "@token", "seconds": CONTROL_SECONDS})
_SETUID = {"program": "/probe/setuid/cat", "path": "/probe/root-only", "token": "@token"}
_CAPABLE = {"program": "/probe/capable/cat", "path": "/probe/root-only", "token": "@token"}
_NO_NEW_PRIVS = {"name": "prctl", "arguments": [PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0], "gained_on": [0]}
_TO_LISTENERS = {"listeners": "@tcp_listeners", "seconds": ATTEMPT_SECONDS}
_TLS_SPOKEN = Action(HOST, "tls_spoken", {"listeners": "@tcp_listeners", "seconds": CONTROL_SECONDS})


def _audited(
    name: str, title: str, how: str, candidates: Tuple[str, ...], cis: Tuple[str, ...], variable: str, remedy: str
) -> Probe:
    """A probe that touches something and hopes that nobody will know."""
    arguments = {"candidates": list(candidates), "how": how}
    return Probe(
        id=f"auditd.{name}",
        title=title,
        role="auditd",
        severity="medium",
        variable=variable,
        remedy=remedy,
        cis=(cis, cis),
        requires=("python",),
        attempt=Action(HOST, "audit_unseen", arguments),
        controls=(Action(HOST, "audit_mark", arguments),),
    )


_WATCHED = ("auditd_state", "use the role auditd")
_AUDIT_PROBES = (
    _audited(
        "configuration",
        "Somebody writes to the directory of the engine's configuration, and nobody will know",
        "write",
        ("/etc/docker",),
        ("1.1.6", "1.1.11"),
        *_WATCHED,
    ),
    _audited(
        "unit_drop_in",
        "Somebody adds a drop-in to the engine's unit, and nobody will know",
        "write",
        ("/etc/systemd/system/docker.service.d",),
        ("1.1.7",),
        *_WATCHED,
    ),
    _audited(
        "engine_program",
        "Somebody changes attributes of the engine's program, and nobody will know",
        "attributes",
        ("/usr/bin/dockerd", "/usr/sbin/dockerd", "/usr/local/bin/dockerd"),
        ("1.1.3",),
        *_WATCHED,
    ),
    _audited(
        "runtime_program",
        "Somebody changes attributes of the container runtime, and nobody will know",
        "attributes",
        ("/usr/bin/runc", "/usr/sbin/runc", "/usr/bin/crun"),
        ("1.1.18",),
        *_WATCHED,
    ),
    _audited(
        "engine_socket",
        "Somebody opens the engine's socket to others, and nobody will know",
        "attributes",
        ("/run/docker.sock",),
        ("1.1.9",),
        *_WATCHED,
    ),
    _audited(
        "subordinate_ids",
        "Somebody changes who owns which subordinate ids, and nobody will know",
        "attributes",
        ("/etc/subuid",),
        (),
        *_WATCHED,
    ),
    _audited(
        "client_execution",
        "Somebody runs the client, and nobody will know",
        "run",
        ("/usr/bin/docker", "/usr/local/bin/docker"),
        (),
        "auditd_executions",
        "have client in auditd_executions",
    ),
)


def _without_root(
    name: str,
    title: str,
    severity: str,
    attempt: Action,
    controls: Tuple[Action, ...],
    requires: Tuple[str, ...] = ("python",),
) -> Probe:
    """A probe for what root of a container, or the engine, may do to the host."""
    return Probe(
        id=f"rootless.{name}",
        title=title,
        role="rootless",
        severity=severity,
        variable="rootless_users",
        remedy="move the containers to an engine without root (role rootless)",
        requires=requires,
        attempt=attempt,
        controls=controls,
    )


_OPEN_BAIT = {"path": "/probe/bait/open", "token": "@token"}
_SECRET_BAIT = {"path": "/probe/bait/secret", "token": "@token"}
_HOST_READS = Action(HOST, "read_token", {"path": "@bait_secret", "token": "@token"})
_KERNEL_SETTING = {"path": "/proc/sys/kernel/panic"}
_ROOTLESS_PROBES = (
    _without_root(
        name="engine_process",
        title="The engine itself runs as root, so that each of its faults is one of the whole host",
        severity="high",
        requires=(),
        attempt=Action(RUNNER, "engine_is_root", {}),
        controls=(Action(RUNNER, "engine_found", {}),),
    ),
    _without_root(
        name="container_root",
        title="Root of a container is root of the host",
        severity="high",
        attempt=Action(SUBJECT, "host_root", {}),
        controls=(Action(HOST, "host_root", {}),),
    ),
    _without_root(
        name="host_file_read",
        title="Root of a container reads a file of the host's root that was mounted",
        severity="high",
        attempt=Action(MOUNTED, "read_token", _SECRET_BAIT),
        controls=(Action(MOUNTED, "read_token", _OPEN_BAIT), _HOST_READS),
    ),
    _without_root(
        name="host_file_write",
        title="Root of a container plants a file in a directory of the host's root that was mounted",
        severity="high",
        attempt=Action(MOUNTED, "plant_file", {"directory": "/probe/bait"}),
        controls=(
            Action(MOUNTED, "read_token", _OPEN_BAIT),
            Action(HOST, "plant_file", {"directory": "@bait"}),
        ),
    ),
    _without_root(
        name="device_node",
        title="Root of a container makes a device node",
        severity="medium",
        attempt=Action(SUBJECT, "make_node", {"directory": "/probe", "device": True}),
        controls=(Action(SUBJECT, "make_node", {"directory": "/probe", "device": False}),),
    ),
    _without_root(
        name="privileged_host_file",
        title="A privileged container reads a file of the host's root that was mounted",
        severity="critical",
        requires=("python", "privileged"),
        attempt=Action(PRIVILEGED, "read_token", _SECRET_BAIT),
        controls=(Action(PRIVILEGED, "read_token", _OPEN_BAIT), _HOST_READS),
    ),
    _without_root(
        name="privileged_kernel_setting",
        title="A privileged container changes a setting of the host's kernel",
        severity="critical",
        requires=("python", "privileged"),
        attempt=Action(PRIVILEGED, "rewrite_setting", _KERNEL_SETTING),
        controls=(
            Action(PRIVILEGED, "read_token", _OPEN_BAIT),
            Action(HOST, "rewrite_setting", _KERNEL_SETTING),
        ),
    ),
)


def _mapped(
    name: str,
    title: str,
    severity: str,
    attempt: Action,
    controls: Tuple[Action, ...],
    share: bool = True,
    requires: Tuple[str, ...] = ("python",),
) -> Probe:
    """A probe that uses the ids which the root of a container has outside."""
    return Probe(
        id=f"userns_remap.{name}",
        title=title,
        role="userns_remap",
        severity=severity,
        variable="userns_remap_state",
        remedy="use the role userns_remap, or a rootless engine",
        cis=(("2.9", "5.31"), ("2.10", "5.31")),
        requires=requires,
        attempt=attempt,
        controls=controls,
        share=share,
    )


_LEFT_BY_SUBJECT = Action(SUBJECT, "leave_setuid", {"program": "@id_program", "path": f"{SHARE}/open/left"})
_LEFT_BY_HOST = Action(HOST, "leave_setuid", {"program": "@id_program", "path": "@share_own"})
_MAPPING_PROBES = (
    _mapped(
        "uid_map",
        "The root of a container is mapped to root one level further out",
        "high",
        Action(SUBJECT, "host_root", {}),
        (Action(HOST, "host_root", {}),),
        share=False,
    ),
    _mapped(
        "process_owner",
        "A process of a container's root belongs to root on the host",
        "high",
        Action(RUNNER, "process_owner", {}),
        (_SERVE,),
        share=False,
        requires=("python", "default_bridge"),
    ),
    _mapped(
        "read_host_file",
        "The root of a container reads a file of the host's root from a bind mount",
        "critical",
        Action(SUBJECT, "read_token", {"path": f"{SHARE}/secret", "token": "@token"}),
        (Action(HOST, "read_token", {"path": "@share_secret", "token": "@token"}),),
    ),
    _mapped(
        "write_host_file",
        "The root of a container changes a file of the host's root in a bind mount",
        "critical",
        Action(SUBJECT, "append_file", {"path": f"{SHARE}/precious"}),
        (Action(HOST, "append_file", {"path": "@share_precious"}),),
    ),
    _mapped(
        "file_owner",
        "A file that the root of a container makes in a bind mount belongs to root on the host",
        "medium",
        Action(RUNNER, "made_file_owner", {}),
        (Action(SUBJECT, "append_file", {"path": f"{SHARE}/open/made"}),),
    ),
    _mapped(
        "setuid_escape",
        "A user of the host becomes root with a set-uid program that a container left in a bind mount",
        "critical",
        Action(HOST, "run_setuid", {"path": "@share_left", "seconds": ATTEMPT_SECONDS}, NOBODY),
        (
            _LEFT_BY_SUBJECT,
            _LEFT_BY_HOST,
            Action(HOST, "run_setuid", {"path": "@share_own", "seconds": CONTROL_SECONDS}, NOBODY),
        ),
        requires=("python", "id_program"),
    ),
    _mapped(
        "device_node",
        "The root of a container makes a device node",
        "medium",
        Action(SUBJECT, "make_node", {"directory": "/probe", "device": True}),
        (Action(SUBJECT, "make_node", {"directory": "/probe", "device": False}),),
        share=False,
    ),
)


def _confined(
    name: str,
    title: str,
    severity: str,
    action: str,
    arguments: Mapping[str, Any],
    place: str = CONFINED,
    requires: Tuple[str, ...] = (),
) -> Probe:
    """A probe of a container that asks for a profile of the role apparmor; without one it has the engine's default."""
    return Probe(
        id=f"apparmor.{name}",
        title=title,
        role="apparmor",
        severity=severity,
        variable="apparmor_shipped",
        remedy=f"use the role apparmor, and give the container the profile {CONFINING[place]} or a stricter one",
        cis=(("5.2",), ("5.2",)),
        requires=("python", "apparmor", *requires),
        relax=("apparmor=unconfined",),
        attempt=Action(place, action, arguments),
        controls=(Action(RELAXED, action, arguments),),
    )


_INET, _PACKET, _RAW, _ICMP, _ALL_FRAMES = 2, 17, 3, 1, 0x0300
_SHELLS = ["/bin/sh", "/bin/bash", "/bin/dash"]
_TOPS = ["/usr/bin/top", "/bin/top"]

_APPARMOR_PROBES = (
    _confined(
        "raw_socket",
        "A container opens a raw socket, with which addresses can be forged",
        "high",
        "open_socket",
        {"family": _INET, "kind": _RAW, "protocol": _ICMP},
    ),
    _confined(
        "packet_socket",
        "A container opens a packet socket, with which others' traffic can be read",
        "high",
        "open_socket",
        {"family": _PACKET, "kind": _RAW, "protocol": _ALL_FRAMES},
    ),
    _confined(
        "device_node",
        "A container makes a device node",
        "medium",
        "make_node",
        {"directory": "/probe", "device": True},
        requires=("real_root",),
    ),
    _confined(
        "file_capability",
        "A container gives a program file a capability",
        "medium",
        "give_capability",
        {"path": "/probe/gifted"},
    ),
    _confined(
        "trace_process",
        "A process of a container takes over another one by tracing it",
        "medium",
        "trace_process",
        {},
    ),
    _confined(
        "program_directory",
        "A container puts a program into a directory of system programs",
        "high",
        "write_into",
        {"directory": SCRATCH},
        requires=("scratch",),
    ),
    _confined(
        "shell",
        "A service runs a shell",
        "high",
        "run_tool",
        {"candidates": _SHELLS, "arguments": ["-c", "echo shell runs"], "expected": "shell runs"},
        SERVICE,
    ),
    _confined(
        "process_viewer",
        "A service runs top and sees all processes",
        "low",
        "run_tool",
        {"candidates": _TOPS, "arguments": ["-b", "-n", "1"], "expected": "PID"},
        SERVICE,
    ),
    _confined(
        "process_secrets",
        "A process of a service reads another one's environment, where secrets are",
        "medium",
        "read_environment",
        {},
        SERVICE,
    ),
    _confined(
        "configuration",
        "A service writes to /etc",
        "medium",
        "write_into",
        {"directory": "/etc"},
        SERVICE,
    ),
    _confined(
        "root_home",
        "A service writes to the home directory of root",
        "medium",
        "write_into",
        {"directory": "/root"},
        SERVICE,
    ),
)


# Errors of the kernel that show that no filter stood before it: ENOENT, E2BIG, EFAULT, EINVAL, EOVERFLOW, EOPNOTSUPP.
_ENOENT, _E2BIG, _EFAULT, _EINVAL, _EOVERFLOW, _EOPNOTSUPP = 2, 7, 14, 22, 75, 95
_AF_ALG, _AF_VSOCK, _NO_SUCH_TYPE = 38, 40, 99


def _filtered(
    name: str, title: str, severity: str, arguments: Mapping[str, Any], action: str = "filtered_call"
) -> Probe:
    """A probe that makes a system call which a seccomp filter may refuse; without any filter it must get through.

    AppArmor refuses some of them as well, so the control does without it.
    """
    return Probe(
        id=f"seccomp.{name}",
        title=title,
        role="seccomp",
        severity=severity,
        variable="seccomp_default_policies",
        remedy="set seccomp_default_policies (base engine, or better hardened) and restart the containers",
        cis=(("5.22",), ("5.22",)),
        requires=("python",),
        relax=("seccomp=unconfined", "apparmor=unconfined"),
        attempt=Action(SUBJECT, action, arguments),
        controls=(Action(RELAXED, action, arguments),),
    )


def _call(name: str, *arguments: Any, reached: Tuple[int, ...] = ()) -> Dict[str, Any]:
    return {"name": name, "arguments": list(arguments), "reached": list(reached)}


_SECCOMP_PROBES = (
    _filtered(
        "key_store",
        "A container puts a key into the kernel's key store, which no namespace separates",
        "medium",
        _call("add_key", "user", "bulwark-probe", "x", 1, (1 << 64) - 2),
    ),
    _filtered(
        "user_namespace",
        "A container makes a user namespace, and with it has every capability against the kernel's code",
        "high",
        _call("unshare", 0x10000000),
    ),
    _filtered(
        "page_faults",
        "A container handles its own page faults, which gives exploits of the kernel all the time they need",
        "medium",
        _call("userfaultfd", 1, reached=(_EINVAL,)),
    ),
    _filtered(
        "bpf",
        "A container reaches the kernel's loader of BPF programs",
        "high",
        _call("bpf", 7, "", 256, 0, 0, reached=(_ENOENT, _E2BIG, _EFAULT, _EINVAL)),
    ),
    _filtered(
        "perf",
        "A container reaches the kernel's measuring of performance",
        "medium",
        _call("perf_event_open", 0, 0, 0, 0, (1 << 64) - 1, reached=(_EINVAL, _EFAULT)),
    ),
    _filtered(
        "io_uring",
        "A container makes system calls that no filter sees, through io_uring",
        "high",
        _call("io_uring_setup", 1, "", reached=(_EINVAL,)),
    ),
    _filtered(
        "randomization",
        "A container switches off the random layout of memory for its programs",
        "low",
        _call("personality", 0x0040000),
    ),
    _filtered(
        "cipher_sockets",
        "A container reaches the kernel's ciphers through sockets",
        "medium",
        _call("socket", _AF_ALG, _NO_SUCH_TYPE, 0, reached=(_EINVAL,)),
    ),
    _filtered(
        "host_sockets",
        "A container reaches sockets between virtual machine and host",
        "high",
        _call("socket", _AF_VSOCK, _NO_SUCH_TYPE, 0, reached=(_EINVAL,)),
    ),
    _filtered(
        "host_sockets_by_wide_number",
        "A container gets past the filter to sockets between virtual machine and host by a number of 33 bits",
        "high",
        _call("socket", (1 << 32) | _AF_VSOCK, _NO_SUCH_TYPE, 0, reached=(_EINVAL,)),
    ),
    _filtered(
        "host_sockets_of_32_bit_programs",
        "A container gets past the filter to sockets between virtual machine and host as a 32-bit program",
        "high",
        {"family": _AF_VSOCK, "kind": _NO_SUCH_TYPE, "reached": [_EINVAL]},
        action="old_architecture_socket",
    ),
    _filtered("debugging", "A process of a container is traced by another one", "medium", _call("ptrace", 0, 0, 0, 0)),
    _filtered(
        "foreign_memory",
        "A process of a container reads the memory of another one",
        "medium",
        _call("process_vm_readv", 1, 0, 0, 0, 0, 1, reached=(_EINVAL,)),
    ),
    _filtered(
        "file_handles",
        "A container names a file by a number that leads past every mount",
        "high",
        _call("name_to_handle_at", 0, "/usr", "", "", 0, reached=(_EOVERFLOW, _EOPNOTSUPP)),
    ),
)

PROBES: Tuple[Probe, ...] = (
    Probe(
        id="isolation.sibling_tcp",
        title="A container connects to a TCP service of another container on the default bridge",
        role="daemon_baseline",
        severity="high",
        variable="daemon_baseline_icc",
        remedy="set daemon_baseline_icc to false",
        cis=(("2.2",), ("2.2",)),
        requires=("python", "default_bridge", "host_network"),
        attempt=Action(SUBJECT, "tcp_exchange", _TO_SIBLING),
        controls=(_SERVE, Action(HOST, "tcp_exchange", _TO_SIBLING_SOON), _SUBJECT_SELF),
    ),
    Probe(
        id="isolation.sibling_udp",
        title="A container exchanges datagrams with another container on the default bridge",
        role="daemon_baseline",
        severity="high",
        variable="daemon_baseline_icc",
        remedy="set daemon_baseline_icc to false",
        cis=(("2.2",), ("2.2",)),
        requires=("python", "default_bridge", "host_network"),
        attempt=Action(SUBJECT, "udp_exchange", _TO_SIBLING),
        controls=(_SERVE, Action(HOST, "udp_exchange", _TO_SIBLING_SOON), _SUBJECT_SELF),
    ),
    Probe(
        id="isolation.cgroup_view",
        title="A container sees where it sits in the control group tree of the host",
        role="daemon_baseline",
        severity="low",
        variable="daemon_baseline_default_cgroupns_mode",
        remedy="set daemon_baseline_default_cgroupns_mode to private",
        requires=("python",),
        host_cgroup_namespace=True,
        attempt=Action(SUBJECT, "cgroup_view", {}),
        controls=(Action(RELAXED, "cgroup_view", {}),),
    ),
    Probe(
        id="privilege.setuid_gain",
        title="An unprivileged user of a container becomes root through a set-uid program",
        role="daemon_baseline",
        severity="high",
        variable="daemon_baseline_no_new_privileges",
        remedy="set daemon_baseline_no_new_privileges to true and recreate the containers",
        cis=(("2.14", "5.26"), ("2.15", "5.26")),
        requires=("python", "reader"),
        relax=("no-new-privileges=false",),
        attempt=Action(SUBJECT, "read_root_only", _SETUID, NOBODY),
        controls=(Action(RELAXED, "read_root_only", _SETUID, NOBODY),),
    ),
    Probe(
        id="privilege.file_capability_gain",
        title="An unprivileged user of a container gains a capability through a program file that carries one",
        role="daemon_baseline",
        severity="high",
        variable="daemon_baseline_no_new_privileges",
        remedy="set daemon_baseline_no_new_privileges to true and recreate the containers",
        cis=(("2.14", "5.26"), ("2.15", "5.26")),
        requires=("python", "reader", "not_userns_remapped"),
        relax=("no-new-privileges=false",),
        attempt=Action(SUBJECT, "read_root_only", _CAPABLE, NOBODY),
        controls=(Action(RELAXED, "read_root_only", _CAPABLE, NOBODY),),
    ),
    Probe(
        id="privilege.no_new_privs_flag",
        title="A process of a container runs without the kernel's no_new_privs flag",
        role="daemon_baseline",
        severity="medium",
        variable="daemon_baseline_no_new_privileges",
        remedy="set daemon_baseline_no_new_privileges to true and recreate the containers",
        cis=(("2.14", "5.26"), ("2.15", "5.26")),
        requires=("python",),
        relax=("no-new-privileges=false",),
        attempt=Action(SUBJECT, "system_call", _NO_NEW_PRIVS),
        controls=(Action(RELAXED, "system_call", _NO_NEW_PRIVS),),
    ),
    Probe(
        id="api.tcp_plaintext",
        title="A client without TLS and without a certificate is served by the engine over TCP",
        role="daemon_tls",
        severity="critical",
        variable="daemon_tls_state",
        remedy="give the listener TLS with client certificates (role daemon_tls) or remove it",
        cis=(("2.7",), ("2.8",)),
        attempt=Action(RUNNER, "tcp_plaintext", {}),
        controls=(Action(RUNNER, "engine_found", {}),),
    ),
    Probe(
        id="api.tls_no_client_certificate",
        title="A client that speaks TLS and has no certificate is served by the engine",
        role="daemon_tls",
        severity="critical",
        variable="daemon_tls_verify",
        remedy="set daemon_tls_verify to true",
        cis=(("2.7",), ("2.8",)),
        requires=("python", "tcp_listener"),
        attempt=Action(HOST, "tls_no_client_certificate", _TO_LISTENERS),
        controls=(_TLS_SPOKEN,),
    ),
    Probe(
        id="api.tls_foreign_client_certificate",
        title="A client with a certificate of a foreign CA is served by the engine",
        role="daemon_tls",
        severity="critical",
        variable="daemon_tls_verify",
        remedy="set daemon_tls_verify to true",
        cis=(("2.7",), ("2.8",)),
        requires=("python", "tcp_listener", "openssl"),
        attempt=Action(HOST, "tls_foreign_certificate", {**_TO_LISTENERS, "openssl": "@openssl"}),
        controls=(
            _TLS_SPOKEN,
            Action(HOST, "tls_own_server", {"openssl": "@openssl", "seconds": CONTROL_SECONDS}),
        ),
    ),
    Probe(
        id="api.tls_server_certificate_as_client",
        title="A client that stole the engine's own certificate is served by the engine",
        role="daemon_tls",
        severity="high",
        variable="daemon_tls_source",
        remedy="give the engine a certificate for servers alone (role daemon_tls), and set daemon_tls_verify to true",
        cis=(("2.7",), ("2.8",)),
        requires=("python", "tcp_listener"),
        attempt=Action(
            HOST,
            "tls_server_certificate",
            {**_TO_LISTENERS, "certificate": "@server_certificate", "key": "@server_key"},
        ),
        controls=(_TLS_SPOKEN,),
    ),
    Probe(
        id="api.tls_old_protocol",
        title="The engine speaks TLS 1.0 or 1.1, or no TLS at all",
        role="daemon_tls",
        severity="medium",
        variable="daemon_tls_state",
        remedy="protect the listener with the role daemon_tls",
        cis=(("2.7",), ("2.8",)),
        requires=("python", "tcp_listener"),
        attempt=Action(HOST, "tls_old_protocol", _TO_LISTENERS),
        controls=(_TLS_SPOKEN,),
    ),
    Probe(
        id="api.tls_plaintext",
        title="A client that speaks plain HTTP to the TLS port is served by the engine",
        role="daemon_tls",
        severity="critical",
        variable="daemon_tls_state",
        remedy="give the listener TLS with client certificates (role daemon_tls) or remove it",
        cis=(("2.7",), ("2.8",)),
        requires=("python", "tcp_listener"),
        attempt=Action(HOST, "tls_plaintext", _TO_LISTENERS),
        controls=(_TLS_SPOKEN,),
    ),
    Probe(
        id="api.unix_socket_other_user",
        title="A local user without any group is served by the engine over its Unix sockets",
        role="engine",
        severity="critical",
        remedy="give the socket back to root:docker with mode 0660 (docker.socket: SocketMode, SocketGroup; key group)",
        cis=(("3.15", "3.16"), ("3.15", "3.16")),
        requires=("python",),
        attempt=Action(HOST, "unix_version", {"paths": "@unix_paths"}, NOBODY),
        controls=(Action(HOST, "unix_version", {"paths": "@unix_paths"}),),
    ),
    Probe(
        id="limits.nofile",
        title="One process of a container holds more files open than the ceiling allows",
        role="daemon_baseline",
        severity="low",
        variable="daemon_baseline_default_ulimits",
        remedy="set nofile in daemon_baseline_default_ulimits at or below the ceiling and recreate the containers",
        cis=(("2.8",), ("2.9",)),
        requires=("python",),
        attempt=Action(SUBJECT, "open_files", {"count": "@nofile_excess"}),
        controls=(Action(SUBJECT, "open_files", {"count": 16}),),
    ),
    Probe(
        id="limits.log_rotation",
        title="A container fills the host's disk by writing to its standard output",
        role="daemon_baseline",
        severity="medium",
        variable="daemon_baseline_log_opts",
        remedy="set max-size and max-file in daemon_baseline_log_opts and recreate the containers",
        requires=("python", "log_files"),
        attempt=Action(RUNNER, "log_growth", {}),
        controls=(Action(WRITER, "flood", {"size": "@log_bytes"}),),
    ),
    Probe(
        id="network.userland_proxy",
        title="A published port leaves a root process of the engine in the path of foreign data",
        role="daemon_baseline",
        severity="low",
        variable="daemon_baseline_userland_proxy",
        remedy="set daemon_baseline_userland_proxy to false and recreate the containers",
        cis=(("2.16",), ("2.17",)),
        requires=("python", "default_bridge", "host_network"),
        publish=True,
        attempt=Action(RUNNER, "proxy_process", {}),
        controls=(
            _SERVE,
            Action(
                HOST,
                "tcp_exchange",
                {"addresses": ["127.0.0.1"], "port": "@published_port", "token": "@token", "seconds": ATTEMPT_SECONDS},
            ),
        ),
    ),
    *_APPARMOR_PROBES,
    *_AUDIT_PROBES,
    *_ROOTLESS_PROBES,
    *_MAPPING_PROBES,
    *_SECCOMP_PROBES,
)


def select(wanted: Sequence[str], probes: Sequence[Probe] = PROBES) -> Tuple[Probe, ...]:
    """Probes named by id, group (the id's first part) or role, or "all"; in the order of the registry.

    ConfigError for a name that is none of these, and for an empty list.
    """
    known = {"all"}
    for probe in probes:
        known |= {probe.id, probe.group, probe.role}
    for name in wanted:
        if name not in known:
            raise ConfigError(
                f"probes: {name!r} is neither a probe nor a group nor a role that has probes; "
                f"choose from {', '.join(sorted(known))}"
            )
    if not wanted:
        raise ConfigError("probes: the list is empty, so nothing would be proved; name a probe, a group, a role or all")
    names = set(wanted)
    return tuple(probe for probe in probes if names & {"all", probe.id, probe.group, probe.role})


def _reason(probe: Probe, facts: Facts) -> str:
    if facts.os_type != "linux":
        return f"the engine runs {facts.os_type!r} containers, the probes are for Linux"
    reasons = (REQUIREMENTS[name](facts) for name in probe.requires)
    return next((reason for reason in reasons if reason), "")


def make_plan(probes: Sequence[Probe], facts: Facts) -> Plan:
    """Decide which probes can run here and what each place has to do for them.

    Within a place the actions keep the order of the registry; what several probes want alike is done once.
    """
    run: List[Probe] = []
    inapplicable: List[Result] = []
    places: Dict[str, List[Action]] = {}
    identities: Dict[str, Tuple[str, ...]] = {}
    for probe in probes:
        reason = _reason(probe, facts)
        if reason:
            inapplicable.append(Result(probe, "not_applicable", reason, "", 0.0))
            continue
        run.append(probe)
        for action in probe.actions:
            todo = places.setdefault(action.place, [])
            if action not in todo:
                todo.append(action)
        identities[probe.id] = tuple(_identity(action, places[action.place]) for action in probe.actions)
    numbered = {place: tuple((_identity(action, todo), action) for action in todo) for place, todo in places.items()}
    return Plan(tuple(run), tuple(inapplicable), numbered, identities)


def _identity(action: Action, todo: Sequence[Action]) -> str:
    return f"{action.place}/{todo.index(action)}"


def resolve(arguments: Mapping[str, Any], known: Mapping[str, Any]) -> Dict[str, Any]:
    """Put the values of this run in the place of "@name" arguments; KeyError for a name that is not known."""
    return {
        name: known[value[1:]] if isinstance(value, str) and value.startswith("@") else value
        for name, value in arguments.items()
    }


def judge(probe: Probe, plan: Plan, outcomes: Mapping[str, Outcome]) -> Result:
    """Verdict of one probe from the outcomes of its attempt and controls by id; a missing outcome is a failure."""
    missing = Outcome(failure="nothing was reported")
    found = [outcomes.get(identity, missing) for identity in plan.identities[probe.id]]
    attempt, controls = found[0], found[1:]
    seconds = round(sum(outcome.seconds for outcome in found), 3)
    control = "; ".join(outcome.failure or outcome.detail for outcome in controls)
    inapplicable = next((outcome.inapplicable for outcome in found if outcome.inapplicable), "")
    if inapplicable:
        return Result(probe, "not_applicable", inapplicable, "", seconds)
    if attempt.failure:
        return Result(probe, "error", attempt.failure, control, seconds)
    if attempt.gained:
        return Result(probe, "not_blocked", attempt.detail, control, seconds)
    if any(outcome.failure or not outcome.gained for outcome in controls):
        evidence = f"refused ({attempt.detail}), but the control shows that the attempt could not have worked anyway"
        return Result(probe, "error", evidence, control, seconds)
    return Result(probe, "blocked", attempt.detail, control, seconds)


def describe(result: Result) -> Dict[str, Any]:
    """Plain values of a result, as the module returns them."""
    probe = result.probe
    return {
        "cis": {"1.6": list(probe.cis[0]), "1.7": list(probe.cis[0]), "1.8": list(probe.cis[1])},
        "control": result.control,
        "evidence": result.evidence,
        "id": probe.id,
        "remedy": probe.remedy,
        "role": probe.role,
        "seconds": result.seconds,
        "severity": probe.severity,
        "title": probe.title,
        "variable": probe.variable,
        "verdict": result.verdict,
    }


def require_some(run: Sequence[Probe], inapplicable: Sequence[Result]) -> None:
    """ConfigError when nothing is left to run: a report about nothing must not look like a good one."""
    if not run:
        reasons = "; ".join(f"{result.probe.id}: {result.evidence}" for result in inapplicable)
        raise ConfigError(f"probes: none of the chosen ones applies to this engine ({reasons}); choose others")


def complaint(results: Sequence[Mapping[str, Any]], verdicts: Sequence[str]) -> str:
    """Message about the described results that have one of the verdicts, "" when there are none."""
    found = [result for result in results if result["verdict"] in verdicts]
    if not found:
        return ""
    lines = "; ".join(f"{one['id']}: {one['verdict']} ({one['evidence']}), {one['remedy']}" for one in found)
    return f"prove the protections: {len(found)} of {len(results)} probes failed; {lines}"


def count_verdicts(results: Sequence[Result]) -> Dict[str, int]:
    """How many probes got each verdict; C(run) leaves out those that do not apply."""
    counts = {"blocked": 0, "not_blocked": 0, "not_applicable": 0, "error": 0}
    for result in results:
        counts[result.verdict] += 1
    counts["run"] = len(results) - counts["not_applicable"]
    return counts
