# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an audit is made of: controls, what was read of a host, and what is said about it (pure, private).

A control is data (the _cis_registry_* tables); its judge is a pure function of the control and of what was read once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Optional, Sequence, Tuple

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
    "Container",
    "Control",
    "Engine",
    "FileFacts",
    "Judge",
    "Judgement",
    "Objects",
    "Snapshot",
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
    """One path: C(real) with links resolved, C(facts) None where there is nothing."""

    path: str
    real: str
    facts: Optional[FileStat]


@dataclass(frozen=True)
class Container:
    """One container.

    C(details) is GET /containers/ID/json. The rest is what the kernel says of running ones: C(programs) are the names
    of all processes in it, C(label) and C(mode) the AppArmor profile of the first one, C(status) the lines of its
    /proc/PID/status.
    """

    name: str
    details: Mapping[str, Any]
    programs: Tuple[str, ...] = ()
    label: str = ""
    mode: str = ""
    status: Mapping[str, str] = field(default_factory=dict)

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


@dataclass(frozen=True)
class Engine:
    """One engine: "system" or "rootless:USER".

    C(state) is "running", "stopped" or "not_installed"; C(report) is that of the module engine_info, C(settings) its
    settings by key; C(data) what daemon.json says, C(flags) the command line's values; C(info) is GET /info; C(problem)
    says why it could not be read in full.
    """

    name: str
    state: str
    socket: str = ""
    user: str = ""
    version: Optional[Version] = None
    version_text: str = ""
    started_at: float = 0.0
    report: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    flags: Mapping[str, Tuple[str, ...]] = field(default_factory=dict)
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

    C(files) by path as it was asked for; C(texts) what further readers say, by name (see _cis_survey).
    """

    now: float
    engines: Tuple[Engine, ...]
    files: Mapping[str, FileFacts] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def system(self) -> Engine:
        """The system's engine; NO_ENGINE where there is none."""
        return next((engine for engine in self.engines if not engine.rootless), NO_ENGINE)


Judge = Callable[[Control, Snapshot, Engine], Judgement]
