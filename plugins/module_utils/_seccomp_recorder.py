# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recording which system calls a workload makes, and the smallest policy under which it still runs (private).

The recording profile never allows more than the policies that it starts from: what they allow is logged, what they
refuse is refused. So a recording opens nothing, and what it sees is exactly what the workload needs of them.
"""

from __future__ import annotations

import json
import re
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._errors import BulwarkError, EngineError, RefusedError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import AuditStream, Host
from ansible_collections.bulwark.docker.plugins.module_utils._instance import Instance
from ansible_collections.bulwark.docker.plugins.module_utils._probe_image import LABEL, REPOSITORY
from ansible_collections.bulwark.docker.plugins.module_utils._probe_runner import ProbeEngine, remove_traces
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_numbers import AUDIT_ARCHITECTURES, CALL_NAMES
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_policy import (
    Composition,
    compose,
    covered_names,
    merge_policies,
    parse_policy,
)
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_profile import profile_text, render_profile
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_tables import ALLOW, MINIMAL_CALLS
from ansible_collections.bulwark.docker.plugins.module_utils._version import parse_version

__all__ = ["Records", "Request", "derive_policies", "parse_records", "record", "recording_profile"]

LOG = "SCMP_ACT_LOG"
# include/uapi/linux/audit.h and seccomp.h: the type of a record about a filter, and what SCMP_ACT_LOG writes into it.
SECCOMP_RECORD, LOGGED = 1326, 0x7FFC0000
# include/linux/proc_ns.h
FIRST_PID_NAMESPACE = "pid:[4026531836]"
ACTIONS_LOGGED = "/proc/sys/kernel/seccomp/actions_logged"
FIELD = re.compile(r'(\w+)=("[^"]*"|\S+)')
POLL_SECONDS = 0.2
EXERCISE_SECONDS = 60
# The kernel hands records over a moment after the call.
SETTLE_SECONDS = 1.0
API_SECONDS = 30


class Request(NamedTuple):
    """What to run: C(container) is a body of the engine's POST /containers/create, C(exercise) commands to run in it.

    C(seconds) is how long it may run before it is stopped.
    """

    instance: Instance
    container: Mapping[str, Any]
    exercise: Tuple[Tuple[str, ...], ...]
    seconds: int
    policies: Tuple[Mapping[str, Any], ...]
    verify: bool
    run_id: str
    check_mode: bool


class Records(NamedTuple):
    """How often each call was made, which programs made them, and those of another architecture."""

    calls: Dict[str, int]
    programs: List[str]
    foreign: List[str]


class _Course(NamedTuple):
    """How a run went: the exit status (None: it ran until its time was over), those of the exercise, the last words."""

    status: Optional[int]
    exercise: Tuple[int, ...]
    words: str

    def like(self, other: _Course) -> bool:
        """Whether another run went alike."""
        return (self.status, self.exercise) == (other.status, other.exercise)

    def __str__(self) -> str:
        ended = "it ran until it was stopped" if self.status is None else f"it ended with status {self.status}"
        return f"{ended}, the exercise gave {list(self.exercise)}"


def recording_profile(composition: Composition) -> bytes:
    """A profile that logs what the composition allows, but for what every program needs all the time."""
    clauses = frozenset(
        clause._replace(action=LOG) if clause.action == ALLOW and clause.call not in MINIMAL_CALLS else clause
        for clause in composition.clauses
    )
    return profile_text(
        render_profile(Composition(composition.version, composition.default_errno, composition.compat_32bit, clauses))
    )


def parse_records(texts: Sequence[str], machine: str) -> Records:
    """What the texts of audit records of the type 1326 say about logged calls; other records are passed over."""
    names = CALL_NAMES[machine]
    calls: Dict[str, int] = {}
    programs, foreign = set(), set()
    for text in texts:
        fields = {name: value.strip('"') for name, value in FIELD.findall(text)}
        if int(fields.get("code", "0"), 16) != LOGGED:
            continue
        program = fields.get("exe", "?")
        if fields.get("arch") != AUDIT_ARCHITECTURES[machine]:
            foreign.add(program)
            continue
        number = int(fields["syscall"])
        name = names.get(number, str(number))
        calls[name] = calls.get(name, 0) + 1
        programs.add(program)
    return Records(calls, sorted(programs), sorted(foreign))


def derive_policies(
    policies: Sequence[Mapping[str, Any]], seen: Sequence[str], composition: Composition
) -> List[Dict[str, Any]]:
    """The policies that allow the seen calls and no others, to be read by parse_policy().

    What the first ones say about seen calls (rules, waivers, errors) is kept.
    """
    read = [parse_policy(policy, f"the policy number {number}") for number, policy in enumerate(policies, 1)]
    known = {*seen, *MINIMAL_CALLS}
    smallest: Dict[str, Any] = {"base": "minimal", "allow": sorted(seen)}
    reasons = {
        name: reason
        for policy in read
        for name, reason in sorted(policy.waivers)
        if covered_names([name]) & known & {call for call, _reason in composition.waived}
    }
    if reasons:
        smallest["waivers"] = reasons
    kept = [rule for policy in policies for rule in policy.get("rules") or () if covered_names(rule["calls"]) & known]
    if kept:
        smallest["rules"] = [{**rule, "calls": sorted(covered_names(rule["calls"]) & known)} for rule in kept]
    return [smallest]


# -- running ----------------------------------------------------------------------------------------------------------


class _Workload:
    def __init__(self, host: Host, engine: ProbeEngine, request: Request) -> None:
        self.host = host
        self.engine = engine
        self.request = request

    def run(self, profile: bytes, name: str, stream: Optional[AuditStream]) -> Tuple[_Course, List[str]]:
        """Run the workload under a profile; how it went, and the records of that time."""
        said: List[str] = []

        def listen(seconds: float) -> None:
            if stream is None:
                self.host.sleep(seconds)
            else:
                said.extend(stream.read(SECCOMP_RECORD, seconds))

        identity = self.engine.create(f"{REPOSITORY}-{self.request.run_id}-{name}", self._payload(profile))
        self.engine.start(identity)
        deadline = self.host.now() + self.request.seconds
        results = []
        for command in self.request.exercise:
            results.append(self._exercise(identity, command, listen))
        while self.engine.inspect(identity)["State"]["Running"] and self.host.now() < deadline:
            listen(POLL_SECONDS)
        state = self.engine.inspect(identity)["State"]
        status = None if state["Running"] else int(state["ExitCode"])
        if status is None:
            self.engine.call("POST", f"/containers/{identity}/stop?t=10")
        listen(SETTLE_SECONDS)
        out, err = self.engine.output(identity, 20)
        return _Course(status, tuple(results), (err or out).strip()[-300:]), said

    def _exercise(self, identity: str, command: Sequence[str], listen: Any) -> int:
        """The status of a command in the container."""
        body = json.dumps({"Cmd": list(command), "AttachStdout": False, "AttachStderr": False}).encode()
        made = json.loads(self.engine.call("POST", f"/containers/{identity}/exec", body) or b"{}")
        self.engine.call("POST", f"/exec/{made['Id']}/start", b'{"Detach": true}')
        deadline = self.host.now() + EXERCISE_SECONDS
        while True:
            listen(POLL_SECONDS)
            found = self.engine.get(f"/exec/{made['Id']}/json")
            if not found["Running"]:
                return int(found["ExitCode"] or 0)
            if self.host.now() > deadline:
                raise EngineError(
                    f"exercise the workload: {list(command)!r} did not end within {EXERCISE_SECONDS} s; give a command "
                    "that ends"
                )

    def _payload(self, profile: bytes) -> Dict[str, Any]:
        body = {**self.request.container}
        host = {**body.get("HostConfig", {})}
        options = [option for option in host.get("SecurityOpt") or () if not str(option).startswith("seccomp")]
        host["SecurityOpt"] = [*options, "seccomp=" + profile.decode("utf-8")]
        host.setdefault("LogConfig", {"Type": "json-file", "Config": {"max-size": "1m"}})
        labels = {**body.get("Labels", {}), LABEL: self.request.run_id}
        return {**body, "HostConfig": host, "Labels": labels}


def _refuse_kernel(host: Host, machine: str) -> None:
    """Raise where the kernel's log cannot say what a workload does."""
    asked = "record a workload"
    if machine not in CALL_NAMES:
        raise RefusedError(
            f"{asked}: the numbers of system calls on {machine!r} are not known here; record it on one of "
            f"{', '.join(sorted(CALL_NAMES))}"
        )
    if host.read_link("/proc/self/ns/pid") != FIRST_PID_NAMESPACE:
        raise RefusedError(
            f"{asked}: this host is a container, and the kernel's log goes to the real host alone; record it there"
        )
    actions = (host.read_file(ACTIONS_LOGGED) or b"").decode("ascii", "replace").split()
    if "log" not in actions:
        said = " ".join(actions) or "nothing"
        raise RefusedError(
            f"{asked}: the kernel logs {said} of filters, and not 'log' ({ACTIONS_LOGGED}); add the word with sysctl "
            "kernel.seccomp.actions_logged"
        )


def _judge(records: Records, course: _Course) -> None:
    if records.foreign:
        raise RefusedError(
            f"record a workload: {', '.join(records.foreign)} made calls of another architecture, whose numbers are "
            "not known here; record it without them, or use the base engine"
        )
    if not records.calls:
        raise RefusedError(
            f"record a workload: the kernel logged none of its calls ({course}; {course.words!r}); look whether the "
            "kernel was started with audit=0, and whether an audit rule excludes records of the type 1326"
        )
    nameless = [name for name in records.calls if name.isdigit()]
    if nameless:
        raise RefusedError(
            f"record a workload: system calls {', '.join(nameless)} have no name here; they are newer than this release"
        )


def record(host: Host, request: Request) -> Dict[str, Any]:
    """Run the workload, read the kernel's log meanwhile, and derive the smallest policy; the module's result.

    Raises RefusedError where the kernel cannot log, where records were lost, and where the workload does not run under
    what was derived. Nothing is left behind.
    """
    engine = ProbeEngine(host, request.instance.api_socket, API_SECONDS)
    info = engine.get("/info")
    version, machine = parse_version(str(info["ServerVersion"])), str(info["Architecture"])
    _refuse_kernel(host, machine)
    policies = request.policies or ({},)
    read = [parse_policy(policy, f"the policy number {number}") for number, policy in enumerate(policies, 1)]
    composition = compose(merge_policies(read), version)
    if request.container.get("HostConfig", {}).get("Privileged"):
        raise RefusedError("record a workload: the container is privileged, so it has no filter; take Privileged out")
    answer: Dict[str, Any] = {"changed": False, "engine_version": str(version), "calls": {}, "policies": []}
    if request.check_mode:
        return {**answer, "programs": [], "verified": False}
    remove_traces(host, engine)
    try:
        workload = _Workload(host, engine, request)
        with host.audit_stream() as stream:
            course, said = workload.run(recording_profile(composition), "record", stream)
        records = parse_records(said, machine)
        _judge(records, course)
        derived = derive_policies(policies, sorted(records.calls), composition)
        if request.verify:
            _verify(workload, derived, version, course)
    finally:
        remove_traces(host, engine)
    return {
        **answer,
        "calls": records.calls,
        "policies": derived,
        "programs": records.programs,
        "verified": request.verify,
    }


def _verify(workload: _Workload, derived: Sequence[Mapping[str, Any]], version: Any, course: _Course) -> None:
    smallest = compose(merge_policies([parse_policy(policy) for policy in derived]), version)
    try:
        again, _said = workload.run(profile_text(render_profile(smallest)), "verify", None)
    except BulwarkError as exc:
        raise RefusedError(f"verify the recorded policy: the workload does not start under it: {exc}") from exc
    if not again.like(course):
        raise RefusedError(
            f"verify the recorded policy: recorded, {course}; under the policy, {again} ({again.words!r}); the "
            "workload does not do the same each time, so exercise more of it"
        )
