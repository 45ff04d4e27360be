# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a seccomp profile, before a container meets it (pure, private).

The engine looks at a profile's content only when a container starts, and at some of it never.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Sequence, Set, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_calls import (
    ACTIONS,
    ARCHITECTURES,
    CAPABILITIES,
    FILTER_FLAGS,
    KNOWN_CALLS,
    OPERATORS,
)
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_policy import (
    MAX_ERRNO,
    Clause,
    default_clauses,
    errno_name,
    group_of,
    wider_clauses,
)
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_profile import (
    Profile,
    ProfileRule,
    clauses_of,
    parse_profile,
    profile_text,
)
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_tables import (
    ALLOW,
    ERRNO,
    ESSENTIAL_CALLS,
    FIRST_VERSION,
    TAKEOVER_GROUPS,
)
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version, parse_version

__all__ = ["SEVERITIES", "LintFinding", "lint_any", "lint_profile"]

ENOSYS = 38
# fatal: the engine takes it for nothing, or containers or their programs do not start. weak: it lets through more than
# it seems to. advice: something in it does nothing.
SEVERITIES: Dict[str, str] = {
    "action_unknown": "fatal",
    "architecture_unknown": "fatal",
    "architectures_and_arch_map": "fatal",
    "argument_index": "fatal",
    "argument_never_true": "advice",
    "argument_repeated": "weak",
    "call_unknown": "advice",
    "capability_unknown": "weak",
    "clone3_bypass": "weak",
    "clone3_error": "fatal",
    "condition_architecture": "weak",
    "default_action_missing": "fatal",
    "default_action_unknown": "fatal",
    "default_allows": "weak",
    "default_kills": "advice",
    "errno_ignored": "advice",
    "errno_range": "fatal",
    "errno_without_effect": "advice",
    "essential_missing": "fatal",
    "field_repeated": "weak",
    "field_type": "fatal",
    "field_unknown": "weak",
    "filter_off": "fatal",
    "flag_unknown": "fatal",
    "flag_weakens": "weak",
    "min_kernel_form": "fatal",
    "names_and_name": "fatal",
    "names_missing": "advice",
    "native_missing": "advice",
    "not_an_object": "fatal",
    "not_json": "fatal",
    "notify_listener": "fatal",
    "operator_unknown": "fatal",
    "outdated_allows": "weak",
    "outdated_lacks": "advice",
    "rule_without_effect": "advice",
    "takeover_allowed": "weak",
    "two_answers": "weak",
    "value_two_ignored": "advice",
    "wider_than_default": "weak",
}
_PERMISSIVE = ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE")
_KILLING = ("SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD")

Found = Tuple[str, str, str]


class LintFinding(NamedTuple):
    """One finding: C(code) and C(severity) as in SEVERITIES, C(where) in the file, a sentence with what to do."""

    code: str
    severity: str
    where: str
    message: str


def _list(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))


def _check_head(profile: Profile, version: Version) -> Iterator[Found]:
    action = profile.default_action
    if not action:
        yield "default_action_missing", "defaultAction", f"is missing; use {ERRNO}"
    elif action not in ACTIONS:
        yield "default_action_unknown", "defaultAction", f"{action!r} is no action; use {ERRNO}"
    elif action in _PERMISSIVE:
        yield (
            "default_allows",
            "defaultAction",
            f"{action} lets through every call that is not named, those of newer kernels too; use {ERRNO} and name "
            "what is needed",
        )
    elif action == "SCMP_ACT_NOTIFY":
        yield "notify_listener", "defaultAction", f"{action} needs a listener that answers every call; use {ERRNO}"
    elif action in _KILLING:
        yield (
            "default_kills",
            "defaultAction",
            f"{action} ends programs that would get along with an error; use {ERRNO}",
        )
    if profile.default_errno is not None:
        if not ACTIONS.get(action, True):
            yield "errno_without_effect", "defaultErrnoRet", f"{action} returns no error; take it out"
        elif version < (23, 0) and profile.default_errno != 1:
            yield "errno_ignored", "defaultErrnoRet", f"engine {version} always gives EPERM; it is read from 23.0 on"
        elif profile.default_errno > MAX_ERRNO:
            yield "errno_range", "defaultErrnoRet", f"{profile.default_errno} is above {MAX_ERRNO}, the kernel's limit"
    for flag in profile.flags:
        if flag not in FILTER_FLAGS:
            yield "flag_unknown", "flags", f"{flag!r} is no flag; use some of {_list(FILTER_FLAGS)}"
        elif FILTER_FLAGS[flag]:
            yield "flag_weakens", "flags", f"{flag} takes away {FILTER_FLAGS[flag]}; take it out"


def _check_architectures(profile: Profile) -> Iterator[Found]:
    known = set(ARCHITECTURES.values())
    named = [("architectures", name) for name in profile.architectures]
    for number, (name, subs) in enumerate(profile.arch_map):
        named += [(f"archMap[{number}]", word) for word in (name, *subs)]
    for where, name in named:
        if name not in known:
            better = ARCHITECTURES.get(name)
            remedy = f"write {better}" if better else f"use some of {_list(known)}"
            yield "architecture_unknown", where, f"{name!r} is no architecture here; {remedy}"
    if profile.arch_map and ARCHITECTURES["amd64"] not in (name for name, _subs in profile.arch_map):
        yield (
            "native_missing",
            "archMap",
            "has no entry for SCMP_ARCH_X86_64: on such a host 32-bit programs are killed; add it, with the "
            "sub-architectures that shall run",
        )


def _check_rule(rule: ProfileRule, profile: Profile, version: Version) -> Iterator[Found]:
    for name in rule.names:
        if name not in KNOWN_CALLS:
            yield "call_unknown", rule.where, f"{name!r} is no system call of Linux, so nothing is done; correct it"
    if rule.action not in ACTIONS:
        yield "action_unknown", f"{rule.where}.action", f"{rule.action!r} is no action; use {_list(ACTIONS)}"
    elif rule.action == "SCMP_ACT_NOTIFY" and not profile.listener:
        yield "notify_listener", f"{rule.where}.action", "needs listenerPath, and a program that listens there"
    if rule.errno is not None:
        yield from _check_errno(rule, version)
    for name in (*rule.capabilities, *rule.without):
        if name not in CAPABILITIES:
            better = "CAP_" + name.upper()
            remedy = f"write {better}" if better in CAPABILITIES else "correct it"
            yield "capability_unknown", rule.where, f"{name!r} is no capability, so the condition never holds; {remedy}"
    for name in (*rule.architectures, *rule.not_architectures):
        if name not in ARCHITECTURES:
            words = {long: word for word, long in ARCHITECTURES.items()}
            better = words.get(name, "")
            remedy = f"write {better}" if better else f"use some of {_list(ARCHITECTURES)}"
            yield (
                "condition_architecture",
                rule.where,
                f"{name!r} is no word for an architecture in a condition, which so never holds; {remedy}",
            )
    yield from _check_arguments(rule)


def _check_errno(rule: ProfileRule, version: Version) -> Iterator[Found]:
    errno, where = rule.errno or 0, f"{rule.where}.errnoRet"
    if not ACTIONS.get(rule.action, True):
        yield "errno_without_effect", where, f"{rule.action} returns no error; take it out"
    elif errno > MAX_ERRNO:
        yield "errno_range", where, f"{errno} is above {MAX_ERRNO}, the kernel's limit; use a number of an error"
    elif version < (20, 10, 10) and errno != 1:
        yield "errno_ignored", where, f"engine {version} always gives EPERM; it is read from 20.10.10 on"


def _check_arguments(rule: ProfileRule) -> Iterator[Found]:
    seen: Set[int] = set()
    for number, (index, value, value_two, operator) in enumerate(rule.arguments):
        where = f"{rule.where}.args[{number}]"
        if index > 5:
            yield "argument_index", where, f"index is {index}; a system call has the arguments 0 to 5"
        if index in seen:
            yield (
                "argument_repeated",
                where,
                f"argument {index} is compared before; the runtime makes alternatives of the two, so that either is "
                "enough; write two rules if that is meant",
            )
        seen.add(index)
        if operator not in OPERATORS:
            yield "operator_unknown", where, f"{operator!r} is no comparison; use {_list(OPERATORS)}"
        elif operator == "SCMP_CMP_MASKED_EQ":
            if value_two & ~value:
                yield (
                    "argument_never_true",
                    where,
                    f"valueTwo {value_two} has bits that the mask {value} (value) takes away; swap them",
                )
        elif value_two:
            yield "value_two_ignored", where, f"{operator} does not look at valueTwo; take it out"
        elif operator == "SCMP_CMP_LT" and value == 0:
            yield "argument_never_true", where, "nothing is below 0; correct the value"


def _check_meaning(profile: Profile, clauses: Set[Clause], version: Version) -> Iterator[Found]:
    allowed = {clause for clause in clauses if clause.action == ALLOW}
    default_errno = 1 if profile.default_errno is None else profile.default_errno
    strict = profile.default_action not in _PERMISSIVE
    for clause in sorted(clauses):
        same = clause.action == profile.default_action and (clause.action != ERRNO or clause.errno == default_errno)
        if same:
            yield (
                "rule_without_effect",
                clause.call,
                f"{clause.action} is what every other call gets too, and runtimes pass over it; take it out",
            )
    yield from _check_answers(profile, clauses, default_errno)
    if strict:
        missing = ESSENTIAL_CALLS - {clause.call for clause in allowed}
        if missing:
            yield "essential_missing", "syscalls", f"no container starts without {_list(missing)}; allow it"
        yield from _check_clone(profile, clauses, default_errno, version)


def _check_answers(profile: Profile, clauses: Set[Clause], default_errno: int) -> Iterator[Found]:
    bare: Dict[str, Set[Tuple[str, int]]] = {}
    for clause in clauses:
        default = clause.action == profile.default_action and clause.errno in (0, default_errno)
        if clause == Clause(clause.call, clause.action, clause.errno) and not default:
            bare.setdefault(clause.call, set()).add((clause.action, clause.errno))
    for call, answers in sorted(bare.items()):
        if len(answers) > 1:
            words = " and ".join(
                f"{action} {errno_name(errno)}" if errno else action for action, errno in sorted(answers)
            )
            yield "two_answers", call, f"has {words} without a condition, and the first of them counts; leave one"


def _check_clone(profile: Profile, clauses: Set[Clause], default_errno: int, version: Version) -> Iterator[Found]:
    ordinary = {clause for clause in clauses if not clause.capabilities}
    clone3 = [clause for clause in ordinary if clause.call == "clone3"]
    errors = {clause.errno for clause in clone3 if clause.action == ERRNO}
    if not any(clause.action == ALLOW for clause in clone3):
        answer = errors or {default_errno}
        if answer != {ENOSYS} and version >= (20, 10, 10) and profile.default_action == ERRNO:
            yield (
                "clone3_error",
                "clone3",
                f"gives {errno_name(min(answer))}; C libraries fall back on clone only for ENOSYS, so no program can "
                "start a thread; give it SCMP_ACT_ERRNO with errnoRet 38",
            )


def _check_width(clauses: Set[Clause], version: Version, waivers: Set[str]) -> Iterator[Found]:
    wide: Dict[str, Set[Clause]] = {}
    for clause in wider_clauses(clauses, default_clauses(version)):
        wide.setdefault(clause.call, set()).add(clause)
    first = default_clauses(Version(*FIRST_VERSION))
    for call, found in sorted(wide.items()):
        if call in waivers or group_of(call) in waivers or call not in KNOWN_CALLS:
            continue
        remedy = f"take it out, or waive {call} with a reason"
        if call == "clone3" and _without_namespaces(clauses):
            yield (
                "clone3_bypass",
                call,
                "is allowed while clone is only with some flags; its flags lie where no filter can look, so it makes "
                "every namespace; give it SCMP_ACT_ERRNO with errnoRet 38 (ENOSYS)",
            )
        elif not wider_clauses(found, first):
            text = f"was allowed by older engines, and {version} has stopped that; {remedy}"
            yield "outdated_allows", call, text
        elif group_of(call) in TAKEOVER_GROUPS:
            yield "takeover_allowed", call, f"lets a container reach the host or leave itself; {remedy}"
        else:
            yield "wider_than_default", call, f"is not allowed like this by engine {version} itself; {remedy}"


def _without_namespaces(clauses: Set[Clause]) -> bool:
    """Whether an ordinary container gets clone only with some flags."""
    clone = [item for item in clauses if item.call == "clone" and item.action == ALLOW and not item.capabilities]
    return bool(clone) and all(clause.arguments for clause in clone)


def _check_age(clauses: Set[Clause], version: Version) -> Iterator[Found]:
    """A copy of an older engine's profile has all that the oldest one had, and lacks what came since."""
    named = {clause.call for clause in clauses}
    then = {clause.call for clause in default_clauses(Version(*FIRST_VERSION)) if not clause.capabilities}
    now = default_clauses(version)
    usual = {clause.call for clause in now if clause.action == ALLOW and not clause.capabilities}
    lacking = usual - named
    if lacking and (then & usual) <= named:
        text = f"looks like a copy of an older engine's own profile; {version} also allows {_list(lacking)}; renew it"
        yield "outdated_lacks", "syscalls", text


def _findings(raw: bytes, version: Version, waivers: Set[str]) -> Iterator[Found]:
    read = parse_profile(raw)
    for problem in read.problems:
        yield problem.code, problem.where, problem.text
    profile = read.profile
    if profile is None:
        return
    if profile.off:
        yield "filter_off", "", "without defaultAction and syscalls the engine uses no filter at all; write a profile"
        return
    bad = list(_check_head(profile, version)) + list(_check_architectures(profile))
    for rule in profile.rules:
        bad += _check_rule(rule, profile, version)
    yield from bad
    if any(SEVERITIES[code] == "fatal" for code, _where, _text in bad):
        return
    clauses = set(clauses_of(profile))
    yield from _check_meaning(profile, clauses, version)
    if profile.default_action in _PERMISSIVE:
        return
    yield from _check_width(clauses, version, waivers)
    yield from _check_age(clauses, version)


def lint_profile(
    raw: bytes, version: Version, name: str = "the seccomp profile", waivers: Iterable[str] = ()
) -> List[LintFinding]:
    """All findings about the bytes of a profile for engines of this version; an empty list when all is well.

    C(name) is for messages; C(waivers) names calls and groups that may go beyond the engine's own default. Raises
    ConfigError for engines older than 20.10.
    """
    found = []
    for code, where, text in _findings(raw, version, set(waivers)):
        place = f"{name}, {where}" if where else name
        found.append(LintFinding(code, SEVERITIES[code], where, f"Check {place}: {text}"))
    return found


def lint_any(profile: Any, version_text: str, waivers: Sequence[str], name: str) -> List[Dict[str, str]]:
    """Findings about a profile that is text or plain data, each as a dictionary. Raises ConfigError for other input."""
    if isinstance(profile, str):
        raw = profile.encode("utf-8")
    elif isinstance(profile, Mapping):
        raw = profile_text(profile)
    else:
        raise ConfigError(f"check {name}: {type(profile).__name__} is neither the text of a profile nor its data")
    return [finding._asdict() for finding in lint_profile(raw, parse_version(version_text), name, waivers)]
