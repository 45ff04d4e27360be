# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trying seccomp profiles on the engine they are for, in throw-away containers (private).

The same harmless system calls are made under the profile and without any. A call that the profile refuses has to give
what the profile declares, and something else without it: only then has the filter been seen.
"""

from __future__ import annotations

import inspect
import json
from typing import Any, Dict, FrozenSet, List, Mapping, NamedTuple, Optional, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils import _seccomp_program
from ansible_collections.bulwark.docker.plugins.module_utils._errors import BulwarkError, EngineError, RefusedError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import Host
from ansible_collections.bulwark.docker.plugins.module_utils._probe_image import (
    PROGRAM_PATH,
    REPOSITORY,
    container_payload,
    image_archive,
)
from ansible_collections.bulwark.docker.plugins.module_utils._probe_runner import (
    ProbeEngine,
    find_python,
    host_layout,
    remove_traces,
)
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_calls import MACHINES
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_policy import errno_name, values_of
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_profile import Effect, Profile, effect_of
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_tables import (
    ALLOW,
    ERRNO,
    TRIAL_CALLS,
    TRIAL_NUMBERS,
)

__all__ = [
    "DEFAULT_CAPABILITIES",
    "TRIAL_SECONDS",
    "Answer",
    "Verdict",
    "declared_answer",
    "judge_trial",
    "try_profiles",
]

# What the engine gives to a container unless told otherwise.
DEFAULT_CAPABILITIES: FrozenSet[str] = frozenset(
    "CAP_" + name
    for name in """
    AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID
    SYS_CHROOT
    """.split()
)
ENOSYS = 38
SIGSYS = 31
ANY = (1 << 64) - 1
TRIAL_SECONDS = 60
POLL_SECONDS = 0.1
_SIGNALLING = ("SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP")


class Answer(NamedTuple):
    """What became of a call: the signal that ended the process (0: none), the result, the errno (0: none)."""

    signal: int
    result: Optional[int]
    errno: int

    def __str__(self) -> str:
        if self.signal:
            return f"signal {self.signal}"
        return errno_name(self.errno) if self.errno else f"result {self.result}"


class Verdict(NamedTuple):
    """C(seen): calls that the filter was seen to refuse; C(problems): calls that got another answer than declared."""

    seen: Tuple[str, ...]
    problems: Tuple[str, ...]


def declared_answer(effect: Effect, call: str) -> Optional[Answer]:
    """What a profile says to a call whose arguments are all 2**64 - 1; None when it lets the call pass."""
    action, errno = effect.default_action, effect.default_errno
    for rule in effect.answers(call):
        if all(_holds(comparison) for comparison in rule.arguments):
            action, errno = rule.action, rule.errno
            if action == ALLOW:
                return None
    if action == ERRNO:
        return Answer(0, -1, errno)
    return Answer(SIGSYS, None, 0) if action in _SIGNALLING else None


def _holds(comparison: Any) -> bool:
    values = values_of(comparison)
    if comparison.operator == "masked_eq":
        return bool(ANY & values.mask == values.left)
    return any(low <= ANY <= high for low, high in values.ranges)


def judge_trial(effect: Effect, free: Dict[str, Answer], filtered: Dict[str, Answer]) -> Verdict:
    """Compare answers without a filter, answers under the profile, and what the profile declares."""
    seen, problems = [], []
    for call, got in sorted(filtered.items()):
        declared = declared_answer(effect, call)
        unnamed = not effect.answers(call)
        if declared is None:
            if got.signal or got.errno != free[call].errno:
                problems.append(f"{call} is allowed, and gave {got} (without a filter {free[call]})")
        elif got == declared or (unnamed and got == Answer(0, -1, ENOSYS)):
            # runc answers calls that are newer than all that a profile names with ENOSYS.
            if got != free[call]:
                seen.append(call)
        else:
            problems.append(f"{call} is declared to give {declared}, and gave {got}")
    return Verdict(tuple(seen), tuple(problems))


class _Trial:
    def __init__(self, host: Host, engine: ProbeEngine, run_id: str) -> None:
        self.host = host
        self.engine = engine
        self.run_id = run_id
        self.layout = host_layout(host)
        self.python, problem = find_python(host)
        if problem:
            raise EngineError(f"try the seccomp profile: {problem}; set probe to false, or install it")
        info = engine.get("/info")
        machine = str(info.get("Architecture", ""))
        numbers = TRIAL_NUMBERS.get(machine)
        if numbers is None or machine not in MACHINES:
            raise EngineError(
                f"try the seccomp profile: the numbers of system calls on {machine!r} are not known here; set probe to "
                "false"
            )
        self.architecture = MACHINES[machine]
        release = str(info.get("KernelVersion", "0.0")).split(".")
        self.kernel = (int(release[0]), int("".join(digit for digit in release[1] if digit.isdigit()) or 0))
        self.calls = dict(zip(TRIAL_CALLS, numbers))

    def answers(self, image: str, option: str, name: str) -> Dict[str, Answer]:
        """Make the calls in a container with this security option."""
        spec = json.dumps([[number, [ANY] * 6] for number in self.calls.values()])
        command = [self.python, "-I", "-S", "-B", PROGRAM_PATH, spec]
        payload = container_payload(image, self.run_id, command, self.layout, network=False, security_options=(option,))
        identity = self.engine.create(f"{REPOSITORY}-{self.run_id}-{name}", payload)
        self.engine.start(identity)
        deadline = self.host.now() + TRIAL_SECONDS
        while self.engine.inspect(identity)["State"]["Running"]:
            if self.host.now() > deadline:
                raise EngineError(f"the container did not end within {TRIAL_SECONDS} s")
            self.host.sleep(POLL_SECONDS)
        out, err = self.engine.output(identity, 100)
        try:
            outcomes = json.loads(out)
        except ValueError:
            raise EngineError(f"Python does not run in the container: {(err or out).strip()[-300:]!r}") from None
        return {call: Answer(*outcome) for call, outcome in zip(self.calls, outcomes)}


def try_profiles(
    host: Host, socket_path: str, run_id: str, profiles: Mapping[str, Tuple[bytes, Profile]]
) -> Dict[str, List[str]]:
    """Start a container under each profile and look at its system calls; the names of those seen refused.

    C(profiles) maps what messages shall call a profile to its text and its meaning. Raises RefusedError when no
    container starts, a call gets another answer than declared, or none can be seen refused; EngineError where it cannot
    be tried. Nothing is left behind.
    """
    engine = ProbeEngine(host, socket_path, TRIAL_SECONDS)
    remove_traces(host, engine)
    try:
        trial = _Trial(host, engine, run_id)
        archive = image_archive(trial.layout, inspect.getsource(_seccomp_program).encode(), b"", "")
        image = engine.import_image(archive, run_id)
        free = trial.answers(image, "seccomp=unconfined", "free")
        return {
            name: _judged(trial, image, free, number, name, *profiles[name])
            for number, name in enumerate(sorted(profiles), 1)
        }
    finally:
        remove_traces(host, engine)


def _judged(
    trial: _Trial, image: str, free: Dict[str, Answer], number: int, name: str, raw: bytes, profile: Profile
) -> List[str]:
    try:
        filtered = trial.answers(image, "seccomp=" + raw.decode("utf-8"), f"filtered{number}")
    except BulwarkError as exc:
        raise RefusedError(
            f"try the seccomp profile {name}: no container runs under it: {exc}; everything was left as it is"
        ) from exc
    effect = effect_of(profile, trial.architecture, DEFAULT_CAPABILITIES, trial.kernel)
    verdict = judge_trial(effect, free, filtered)
    if verdict.problems:
        raise RefusedError(
            f"try the seccomp profile {name}: {'; '.join(verdict.problems)}; everything was left as it is"
        )
    if not verdict.seen:
        raise RefusedError(
            f"try the seccomp profile {name}: it refuses none of the calls that could show it "
            f"({', '.join(trial.calls)}); deny one of them, or set probe to false"
        )
    return list(verdict.seen)
