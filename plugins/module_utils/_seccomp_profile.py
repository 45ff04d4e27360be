# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker's seccomp profile: reading it as the engine does, writing it, and what it comes to in one container (private).

The engine reads with Go's encoding/json: names of fields in any case, the last of two wins, unknown ones are passed
over. Whatever is wrong is noted, not raised, so that a check can tell all of it.
"""

from __future__ import annotations

import json
from typing import Any, Dict, FrozenSet, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_calls import (
    ARCHITECTURES,
    OPERATORS,
    SUB_ARCHITECTURES,
)
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_policy import (
    MIN_KERNEL,
    Clause,
    Composition,
    compose,
    group_of,
    merge_policies,
    parse_policy,
)
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_tables import ERRNO, GROUPS, Comparison
from ansible_collections.bulwark.docker.plugins.module_utils._version import parse_version

__all__ = [
    "Effect",
    "Problem",
    "Profile",
    "ProfileRule",
    "Read",
    "clauses_of",
    "compose_profile",
    "effect_of",
    "parse_profile",
    "profile_text",
    "render_profile",
]

UINT = (1 << 64) - 1
EPERM = 1
TOP = {
    "defaultAction": "string",
    "defaultErrnoRet": "number",
    "architectures": "strings",
    "archMap": "objects",
    "flags": "strings",
    "listenerPath": "string",
    "listenerMetadata": "string",
    "syscalls": "objects",
}
RULE = {
    "name": "string",
    "names": "strings",
    "action": "string",
    "errnoRet": "number",
    "args": "objects",
    "comment": "string",
    "includes": "object",
    "excludes": "object",
}
ARCH = {"architecture": "string", "subArchitectures": "strings"}
ARGUMENT = {"index": "number", "value": "number", "valueTwo": "number", "op": "string"}
CONDITION = {"caps": "strings", "arches": "strings", "minKernel": "string"}
ORDER = ("names", "action", "errnoRet", "args", "comment", "includes", "excludes")
TO_PROFILE = {word: name for name, word in OPERATORS.items()}


class Problem(NamedTuple):
    """Something wrong with the form: C(code) for programs, C(where) in the file, C(text) for people."""

    code: str
    where: str
    text: str


class ProfileRule(NamedTuple):
    """One entry of `syscalls`; C(arguments) as written: (index, value, valueTwo, op)."""

    number: int
    names: Tuple[str, ...]
    action: str
    errno: Optional[int]
    arguments: Tuple[Tuple[int, int, int, str], ...]
    capabilities: Tuple[str, ...]
    architectures: Tuple[str, ...]
    min_kernel: str
    without: Tuple[str, ...]
    not_architectures: Tuple[str, ...]
    not_kernel: str

    @property
    def where(self) -> str:
        """Its place, for messages."""
        return f"syscalls[{self.number}]"


class Profile(NamedTuple):
    """A profile as an engine understands it; C(arch_map) are pairs of architecture and sub-architectures."""

    default_action: str
    default_errno: Optional[int]
    architectures: Tuple[str, ...]
    arch_map: Tuple[Tuple[str, Tuple[str, ...]], ...]
    flags: Tuple[str, ...]
    listener: str
    rules: Tuple[ProfileRule, ...]

    @property
    def off(self) -> bool:
        """Whether the engine takes it for no filter at all."""
        return not self.default_action and not self.rules


class Read(NamedTuple):
    """Outcome of reading: the profile, None where it cannot be read at all, and what is wrong with its form."""

    profile: Optional[Profile]
    problems: Tuple[Problem, ...]


class _Pairs(NamedTuple):
    """A JSON object with its members in the order of the file, doubled ones too."""

    members: Tuple[Tuple[str, Any], ...]


class _Reader:
    def __init__(self) -> None:
        self.problems: List[Problem] = []

    def note(self, code: str, where: str, text: str) -> None:
        """Remember one problem."""
        self.problems.append(Problem(code, where, text))

    def members(self, data: _Pairs, fields: Mapping[str, str], where: str) -> Dict[str, Any]:
        """Values of the known fields by their right name."""
        by_lower = {name.lower(): name for name in fields}
        found: Dict[str, Any] = {}
        for key, value in data.members:
            name = by_lower.get(key.lower())
            place = f"{where}.{key}" if where else key
            if name is None:
                self.note("field_unknown", place, f"the engine knows no field {key!r} and passes over it")
                continue
            if name in found:
                self.note("field_repeated", place, f"{name} stands there twice, and the engine takes the last one")
            checked = self.value(value, fields[name], place)
            if checked is not None:
                found[name] = checked
        return found

    def value(self, value: Any, kind: str, where: str) -> Any:
        """The value, None where it is null or of a kind that the engine cannot read."""
        if value is None:
            return None
        if kind == "number":
            good = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= UINT
        elif kind == "string":
            good = isinstance(value, str)
        elif kind == "object":
            good = isinstance(value, _Pairs)
        else:
            inner = str if kind == "strings" else _Pairs
            good = isinstance(value, list) and all(isinstance(item, inner) for item in value)
        if good:
            return value
        wanted = {"number": "a whole number from 0", "string": "a text", "object": "an object"}
        text = wanted.get(kind, "a list of " + ("texts" if kind == "strings" else "objects"))
        self.note("field_type", where, f"the engine cannot read it; it has to be {text}")
        return None

    def rule(self, number: int, data: _Pairs) -> ProfileRule:
        """One entry of `syscalls`."""
        where = f"syscalls[{number}]"
        found = self.members(data, RULE, where)
        names = tuple(found.get("names") or ())
        if found.get("name"):
            if names:
                self.note("names_and_name", where, "has names and name, which the engine refuses together")
            names = names or (found["name"],)
        elif not names:
            self.note("names_missing", where, "names no system call")
        includes, excludes = (self.condition(found.get(key), f"{where}.{key}") for key in ("includes", "excludes"))
        arguments = []
        for at, item in enumerate(found.get("args") or []):
            one = self.members(item, ARGUMENT, f"{where}.args[{at}]")
            arguments.append((one.get("index", 0), one.get("value", 0), one.get("valueTwo", 0), one.get("op", "")))
        return ProfileRule(
            number,
            names,
            found.get("action", ""),
            found.get("errnoRet"),
            tuple(arguments),
            tuple(includes.get("caps") or ()),
            tuple(includes.get("arches") or ()),
            includes.get("minKernel", ""),
            tuple(excludes.get("caps") or ()),
            tuple(excludes.get("arches") or ()),
            excludes.get("minKernel", ""),
        )

    def condition(self, data: Optional[_Pairs], where: str) -> Dict[str, Any]:
        """One of includes and excludes."""
        found = {} if data is None else self.members(data, CONDITION, where)
        kernel = found.get("minKernel", "")
        if kernel and not MIN_KERNEL.fullmatch(kernel):
            self.note("min_kernel_form", f"{where}.minKernel", f'{kernel!r} is not two numbers such as "5.10"')
        return found


def parse_profile(raw: bytes) -> Read:
    """Read a profile from the bytes of its file."""
    reader = _Reader()
    try:
        data = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=lambda members: _Pairs(tuple(members)),
            parse_constant=_no_constant,
        )
    except (ValueError, RecursionError) as exc:
        reader.note("not_json", "", f"this is no JSON: {exc}")
        return Read(None, tuple(reader.problems))
    if not isinstance(data, _Pairs):
        reader.note("not_an_object", "", "the engine wants one JSON object")
        return Read(None, tuple(reader.problems))
    found = reader.members(data, TOP, "")
    if found.get("architectures") and found.get("archMap"):
        reader.note("architectures_and_arch_map", "archMap", "the engine refuses architectures and archMap together")
    arch_map = []
    for at, item in enumerate(found.get("archMap") or []):
        one = reader.members(item, ARCH, f"archMap[{at}]")
        arch_map.append((one.get("architecture", ""), tuple(one.get("subArchitectures") or ())))
    rules = tuple(reader.rule(number, item) for number, item in enumerate(found.get("syscalls") or []))
    profile = Profile(
        found.get("defaultAction", ""),
        found.get("defaultErrnoRet"),
        tuple(found.get("architectures") or ()),
        tuple(arch_map),
        tuple(found.get("flags") or ()),
        found.get("listenerPath", ""),
        rules,
    )
    return Read(profile, tuple(reader.problems))


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON number")


# -- writing ----------------------------------------------------------------------------------------------------------


def _condition(capabilities: Sequence[str], architectures: Sequence[str], kernel: str = "") -> Dict[str, Any]:
    made: Dict[str, Any] = {}
    if capabilities:
        made["caps"] = list(capabilities)
    if architectures:
        made["arches"] = list(architectures)
    if kernel:
        made["minKernel"] = kernel
    return made


def _argument(comparison: Comparison) -> Dict[str, Any]:
    made = {"index": comparison.argument, "value": comparison.value, "op": TO_PROFILE[comparison.operator]}
    if comparison.operator == "masked_eq":
        made["valueTwo"] = comparison.value_two
    return made


def _comment(call: str, waived: Mapping[str, str]) -> str:
    if call in waived:
        return f"waived: {waived[call]}"
    group = group_of(call)
    return f"{group}: {GROUPS[group].reason}" if group else ""


def render_profile(composition: Composition) -> Dict[str, Any]:
    """The profile in the engine's schema, as plain data."""
    waived: Dict[str, str] = {}
    for call, reason in composition.waived:
        waived[call] = f"{waived[call]}; {reason}" if call in waived else reason
    alike: Dict[Tuple[Any, ...], List[str]] = {}
    for clause in composition.clauses:
        alike.setdefault((_comment(clause.call, waived), *clause[1:]), []).append(clause.call)
    rules = []
    for (comment, *rest), calls in sorted(alike.items()):
        clause = Clause("", *rest)
        rule = {
            "names": sorted(calls),
            "action": clause.action,
            "errnoRet": clause.errno,
            "args": [_argument(comparison) for comparison in clause.arguments],
            "comment": comment,
            "includes": _condition(clause.capabilities, clause.architectures, clause.min_kernel),
            "excludes": _condition(clause.without, clause.not_architectures),
        }
        rules.append({key: rule[key] for key in ORDER if rule[key]})
    profile: Dict[str, Any] = {"defaultAction": ERRNO}
    if composition.version >= (23, 0):
        profile["defaultErrnoRet"] = composition.default_errno
    profile["archMap"] = [
        {
            "architecture": ARCHITECTURES[word],
            "subArchitectures": [ARCHITECTURES[name] for name in names] if composition.compat_32bit else [],
        }
        for word, names in sorted(SUB_ARCHITECTURES.items())
    ]
    profile["syscalls"] = rules
    return profile


def profile_text(profile: Mapping[str, Any]) -> bytes:
    """A profile as the bytes of a file."""
    return (json.dumps(profile, indent=2, ensure_ascii=False) + "\n").encode("utf-8")


def compose_profile(policies: Any, version_text: str) -> Dict[str, Any]:
    """The profile of one policy or of several together, for an engine of this version, in the engine's schema."""
    given = policies if isinstance(policies, (list, tuple)) else [policies]
    read = [parse_policy(policy, f"the seccomp policy number {number}") for number, policy in enumerate(given, 1)]
    return render_profile(compose(merge_policies(read), parse_version(version_text)))


# -- meaning ----------------------------------------------------------------------------------------------------------


def clauses_of(profile: Profile) -> FrozenSet[Clause]:
    """The clauses of a profile whose words are all known. Raises ConfigError for others.

    An excluded kernel is left out of account: it takes rules away from newer kernels only.
    """
    found = set()
    for rule in profile.rules:
        arguments = []
        for index, value, value_two, word in rule.arguments:
            if word not in OPERATORS:
                raise ConfigError(f"read a seccomp profile: {rule.where} has the comparison {word!r}; lint it")
            two = value_two if word == "SCMP_CMP_MASKED_EQ" else 0
            arguments.append(Comparison(index, OPERATORS[word], value, two))
        clause = Clause(
            "",
            rule.action,
            (EPERM if rule.errno is None else rule.errno) if rule.action == ERRNO else 0,
            tuple(sorted(arguments)),
            tuple(sorted(rule.capabilities)),
            tuple(sorted(rule.without)),
            tuple(sorted(rule.architectures)),
            tuple(sorted(rule.not_architectures)),
            rule.min_kernel,
        )
        found |= {clause._replace(call=name) for name in rule.names}
    return frozenset(found)


class Effect(NamedTuple):
    """What the engine gives to its runtime for one container; C(rules) have no conditions any more."""

    architectures: Tuple[str, ...]
    default_action: str
    default_errno: int
    rules: FrozenSet[Clause]

    def answers(self, call: str) -> Set[Clause]:
        """The rules about one call."""
        return {rule for rule in self.rules if rule.call == call}


def _kernel(text: str) -> Tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def effect_of(profile: Profile, architecture: str, capabilities: FrozenSet[str], kernel: Tuple[int, int]) -> Effect:
    """What is left of a profile for one container.

    C(architecture) is the engine's word for the host's own one, C(capabilities) the container's bounding set with CAP_,
    C(kernel) two numbers. Raises ConfigError for words that no engine knows.
    """
    rules = set()
    kept = [rule for rule in profile.rules if not rule.not_kernel or kernel < _kernel(rule.not_kernel)]
    for clause in clauses_of(profile._replace(rules=tuple(kept))):
        if set(clause.without) & capabilities or architecture in clause.not_architectures:
            continue
        if clause.architectures and architecture not in clause.architectures:
            continue
        if not set(clause.capabilities) <= capabilities:
            continue
        if clause.min_kernel and kernel < _kernel(clause.min_kernel):
            continue
        rules.add(Clause(clause.call, clause.action, clause.errno, clause.arguments))
    native = ARCHITECTURES[architecture]
    architectures = profile.architectures
    for name, subs in profile.arch_map:
        if name == native:
            architectures = (*architectures, name, *subs)
    errno = EPERM if profile.default_errno is None else profile.default_errno
    return Effect(tuple(architectures), profile.default_action, errno, frozenset(rules))
