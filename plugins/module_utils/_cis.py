# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an audit is made of: controls, what was read of a host, and what is said about it (pure, private).

A control is data (the _cis_registry_* tables); its judge is a pure function of the control and of what was read once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Callable, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._host_api import FileStat
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version

__all__ = [
    "EDITIONS",
    "ENGINE",
    "FAIL",
    "HOST",
    "MANUAL",
    "NOT_APPLICABLE",
    "NO_ENGINE",
    "NO_IDS",
    "PASS",
    "SEVERITIES",
    "VERDICTS",
    "WAIVED",
    "AppArmorFacts",
    "AuditFacts",
    "CertificateFacts",
    "Container",
    "Control",
    "Engine",
    "FileFacts",
    "HostFacts",
    "Judge",
    "Judgement",
    "Objects",
    "ScannerFacts",
    "Snapshot",
    "UserEngineFacts",
    "failed",
    "manual",
    "not_applicable",
    "over_objects",
    "passed",
]

EDITIONS = ("1.6", "1.7", "1.8")
PASS, FAIL, WAIVED, MANUAL, NOT_APPLICABLE = "pass", "fail", "waived", "manual", "not_applicable"
VERDICTS = (PASS, FAIL, WAIVED, MANUAL, NOT_APPLICABLE)
SEVERITIES = ("low", "medium", "high", "critical")
HOST, ENGINE = "host", "engine"
NO_IDS = ("", "", "")


@dataclass(frozen=True)
class Control:
    """One thing that is looked at.

    C(id) is our own, and stays; C(cis) are the ids of the CIS Docker Benchmark in the order of EDITIONS, "" where an
    edition has none; C(scope): HOST is judged once, ENGINE for each engine; C(since) and C(until) bound the versions of
    the engine to which it applies; C(rootless) says whether it applies to a user's engine; C(role) and C(variable) are
    what mends it, "" where no role does; C(look) is what a person has to look at, for controls without a judge.
    """

    id: str
    cis: Tuple[str, str, str]
    title: str
    severity: str
    remedy: str
    level: int = 1
    scope: str = ENGINE
    role: str = ""
    variable: str = ""
    since: Tuple[int, ...] = (0,)
    until: Optional[Tuple[int, ...]] = None
    rootless: bool = True
    look: str = ""

    @property
    def section(self) -> str:
        """Section of the benchmark, "own" for checks beyond it."""
        newest = next((number for number in reversed(self.cis) if number), "")
        return newest.partition(".")[0] or "own"

    def number(self, edition: str) -> str:
        """The id in an edition, "" where it has none."""
        return self.cis[EDITIONS.index(edition)]


@dataclass(frozen=True)
class Judgement:
    """What a judge says.

    C(findings) are (name of a container, image or file, what is wrong with it): a waiver may excuse single ones.
    C(evidence) are further lines. None of them holds a secret.
    """

    verdict: str
    reason: str
    configured: Any = None
    effective: Any = None
    findings: Tuple[Tuple[str, str], ...] = ()
    evidence: Tuple[str, ...] = ()


def passed(reason: str, configured: Any = None, effective: Any = None, evidence: Sequence[str] = ()) -> Judgement:
    """It is as it should be."""
    return Judgement(PASS, reason, configured, effective, (), tuple(evidence))


def failed(reason: str, configured: Any = None, effective: Any = None, evidence: Sequence[str] = ()) -> Judgement:
    """It is not as it should be."""
    return Judgement(FAIL, reason, configured, effective, (), tuple(evidence))


def manual(reason: str, configured: Any = None, effective: Any = None, evidence: Sequence[str] = ()) -> Judgement:
    """A person has to decide; the evidence is what to look at."""
    return Judgement(MANUAL, reason, configured, effective, (), tuple(evidence))


def not_applicable(reason: str, configured: Any = None, effective: Any = None) -> Judgement:
    """There is nothing to judge."""
    return Judgement(NOT_APPLICABLE, reason, configured, effective)


def over_objects(findings: Sequence[Tuple[str, str]], seen: int, kind: str, good: str) -> Judgement:
    """A judgement about many things of one kind.

    Args:
        findings: (name, what is wrong) of those that are not as they should be.
        seen: how many there are.
        kind: what they are, in the plural ("containers").
        good: what is true of all of them where nothing was found ("none is privileged").
    """
    if not seen:
        return not_applicable(f"there are no {kind}")
    if not findings:
        return passed(f"{good} ({seen} {kind})", effective=0)
    names = {name for name, _text in findings}
    reason = f"{len(names)} of {seen} {kind} do not comply"
    return Judgement(FAIL, reason, None, len(names), tuple(findings))


@dataclass(frozen=True)
class FileFacts:
    """One path that exists.

    C(real) is the path with links resolved; C(exposed) says, where that is another one, which directory above it
    belongs to somebody else ("" for none).
    """

    path: str
    real: str
    facts: FileStat
    exposed: str = ""


class AuditFacts(NamedTuple):
    """The kernel's audit system: why it cannot be judged, why it records nothing ("" both when fine), and its rules."""

    unreachable: str = ""
    broken: str = ""
    rules: Tuple[str, ...] = ()


class AppArmorFacts(NamedTuple):
    """AppArmor: why it does not exist here, the mode of each loaded profile, and how the engine's own one is."""

    unavailable: str = ""
    profiles: Mapping[str, str] = MappingProxyType({})
    default_state: str = "unknown"
    default_reason: str = ""


class CertificateFacts(NamedTuple):
    """A certificate file: when it ends (as openssl says), and whether that was, or will be within a month."""

    path: str
    ends: str
    expired: bool
    soon: bool


class ScannerFacts(NamedTuple):
    """A virus scanner that is installed, and why its exclusions are not as they should be ("" when they are)."""

    name: str
    problem: str


class UserEngineFacts(NamedTuple):
    """A user's engine, running or not: its user, files, and the registries that it uses without verified TLS."""

    user: str
    uid: int
    files: Tuple[FileFacts, ...]
    insecure_registries: Tuple[str, ...]
    problem: str


@dataclass(frozen=True)
class HostFacts:
    """What was read of the host, beside its engines.

    C(members) are those of the engine's group, None where there is no such group; C(group_ids) the groups that may own
    the socket; C(mounts) mount points; C(data_directories) where the system's engine keeps its data; C(socket_ports)
    the TCP addresses that systemd listens on for the engine; C(shared_ids) one sentence for each clash.
    """

    mounts: Tuple[str, ...] = ()
    data_directories: Tuple[str, ...] = ()
    group: str = "docker"
    group_ids: Tuple[int, ...] = (0,)
    members: Optional[Tuple[str, ...]] = None
    socket_ports: Tuple[str, ...] = ()
    audit: AuditFacts = field(default_factory=AuditFacts)
    apparmor: AppArmorFacts = field(default_factory=AppArmorFacts)
    certificates: Tuple[CertificateFacts, ...] = ()
    scanners: Tuple[ScannerFacts, ...] = ()
    subordinate_files: Tuple[str, ...] = ()
    shared_ids: Tuple[str, ...] = ()
    users: Tuple[UserEngineFacts, ...] = ()


@dataclass(frozen=True)
class Container:
    """One container.

    C(details) is GET /containers/ID/json, C(execs) are GET /exec/ID/json of what was started in it besides;
    C(no_new_privileges) is what the engine noted when the container was created, None where that was not read. The rest
    is what the kernel says of running ones: C(programs) are the names of all processes in it, C(label) and C(mode) the
    AppArmor profile of the first one, C(status) the lines of its /proc/PID/status, C(uid) its user inside.
    """

    name: str
    details: Mapping[str, Any]
    programs: Tuple[str, ...] = ()
    label: str = ""
    mode: str = ""
    status: Mapping[str, str] = field(default_factory=dict)
    uid: Optional[int] = None
    no_new_privileges: Optional[bool] = None
    execs: Tuple[Mapping[str, Any], ...] = ()

    @property
    def running(self) -> bool:
        """Whether it has a process."""
        return bool((self.details.get("State") or {}).get("Pid"))

    @property
    def host_config(self) -> Mapping[str, Any]:
        """Its HostConfig."""
        return self.details.get("HostConfig") or {}

    @property
    def config(self) -> Mapping[str, Any]:
        """Its Config."""
        return self.details.get("Config") or {}


@dataclass(frozen=True)
class Objects:
    """What an engine holds: answers of its API, each asked once.

    C(images) are GET /images/ID/json; C(volumes), C(networks), C(nodes), C(services) and C(secrets) the entries of
    their lists; C(swarm) is GET /swarm, empty where the engine manages none; C(problems) say what could not be read.
    C(histories) are the steps that made an image by its id, the newest first; C(links) are paths of the host that
    containers mount, with links resolved; C(swarm_node) is what the engine noted of its own part in a swarm.
    """

    containers: Tuple[Container, ...] = ()
    images: Tuple[Mapping[str, Any], ...] = ()
    volumes: Tuple[Mapping[str, Any], ...] = ()
    networks: Tuple[Mapping[str, Any], ...] = ()
    swarm: Mapping[str, Any] = field(default_factory=dict)
    nodes: Tuple[Mapping[str, Any], ...] = ()
    services: Tuple[Mapping[str, Any], ...] = ()
    secrets: Tuple[Mapping[str, Any], ...] = ()
    problems: Tuple[str, ...] = ()
    histories: Mapping[str, Tuple[str, ...]] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    swarm_node: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Engine:
    """One engine: "system" or "rootless:USER".

    C(state) is "running", "stopped" or "not_installed"; C(report) is that of the module engine_info, C(settings) its
    settings by key; C(data) what daemon.json says, C(flags) the values of the next start's command line; C(loaded) and
    C(running_flags) the same of the running engine (None: not known); C(seccomp_profile) the bytes of the file that
    daemon.json or a flag names; C(needs_reload): systemd has not read the unit as it is on disk; C(info) is GET /info;
    C(problem) says why it could not be read in full.
    """

    name: str
    state: str
    socket: str = ""
    user: str = ""
    version: Optional[Version] = None
    version_text: str = ""
    report: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    flags: Mapping[str, Tuple[str, ...]] = field(default_factory=dict)
    running_flags: Optional[Mapping[str, Tuple[str, ...]]] = None
    loaded: Optional[Mapping[str, Any]] = None
    seccomp_profile: Optional[bytes] = None
    needs_reload: bool = False
    info: Mapping[str, Any] = field(default_factory=dict)
    objects: Objects = field(default_factory=Objects)
    problem: str = ""

    @property
    def running(self) -> bool:
        """Whether it answers."""
        return self.state == "running"

    @property
    def rootless(self) -> bool:
        """Whether it is a user's."""
        return bool(self.user)


NO_ENGINE = Engine("", "not_installed")
"""Stands in where a control is about the host as such."""


@dataclass(frozen=True)
class Snapshot:
    """Everything that was read of a host, once.

    C(now) is in seconds since the epoch; C(files) are the files of each kind (see _cis_survey) that exist.
    """

    now: float
    engines: Tuple[Engine, ...]
    files: Mapping[str, Tuple[FileFacts, ...]] = field(default_factory=dict)
    facts: HostFacts = field(default_factory=HostFacts)
    trusted: Tuple[str, ...] = ()

    @property
    def system(self) -> Engine:
        """The system's engine; NO_ENGINE where there is none."""
        return next((engine for engine in self.engines if not engine.rootless), NO_ENGINE)


Judge = Callable[[Control, Snapshot, Engine], Judgement]
