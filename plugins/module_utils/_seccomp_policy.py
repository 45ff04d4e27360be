# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a policy to what a filter allows: bases, deltas, waivers (pure, private).

What a profile does is a set of clauses, each about one system call. A delta adds clauses or cuts a condition out of
those that are there; cuts come last, so the order in which deltas are written does not matter.
"""

from __future__ import annotations

import errno as errno_module
import re
from dataclasses import dataclass
from typing import Any, Dict, FrozenSet, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError, RefusedError
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_calls import (
    ARCHITECTURES,
    CAPABILITIES,
    KNOWN_CALLS,
    OPERATORS,
)
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_tables import (
    ALLOW,
    DEFAULTS,
    ERRNO,
    FIRST_VERSION,
    GROUPS,
    HARDENED_FAMILIES,
    HARDENED_PERSONALITIES,
    MINIMAL_CALLS,
    Comparison,
    Default,
    Floors,
)
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version

__all__ = [
    "BASES",
    "MAX_ERRNO",
    "MIN_KERNEL",
    "Clause",
    "Composition",
    "Policy",
    "Values",
    "compose",
    "covered_names",
    "covers",
    "default_clauses",
    "errno_name",
    "errno_number",
    "group_of",
    "merge_policies",
    "parse_policy",
    "values_of",
    "wider_clauses",
]

# From wide to strict.
BASES = ("engine", "hardened", "minimal")
# include/linux/err.h of the kernel: a filter cannot return more.
MAX_ERRNO = 4095
MIN_KERNEL = re.compile(r"(?!0\.0$)(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)")
BIGGEST = (1 << 64) - 1
# So many single values may stand for one range that no comparison can express.
MAX_SINGLE_VALUES = 64
POLICY_KEYS = ("allow", "base", "compat_32bit", "default_errno", "deny", "rules", "waivers")
RULE_KEYS = ("action", "architectures", "arguments", "calls", "capabilities", "errno", "min_kernel")
ARGUMENT_KEYS = ("index", "mask", "operator", "value")
WORDS = frozenset(OPERATORS.values())
_GROUP_OF: Dict[str, str] = {call: name for name, group in GROUPS.items() for call in group.calls}

Ranges = Tuple[Tuple[int, int], ...]


class Clause(NamedTuple):
    """One call under one condition, and what happens.

    All of C(capabilities), none of C(without), one of C(architectures) (empty: any), none of C(not_architectures), a
    kernel from C(min_kernel) on ("" any), every one of C(arguments). C(errno) is 0 where the action has none.
    """

    call: str
    action: str = ALLOW
    errno: int = 0
    arguments: Tuple[Comparison, ...] = ()
    capabilities: Tuple[str, ...] = ()
    without: Tuple[str, ...] = ()
    architectures: Tuple[str, ...] = ()
    not_architectures: Tuple[str, ...] = ()
    min_kernel: str = ""


class Rule(NamedTuple):
    """A delta with a condition: C(clause) has the condition (its call is ""), C(allowed) the direction."""

    calls: FrozenSet[str]
    allowed: bool
    clause: Clause


class Policy(NamedTuple):
    """What the user asked for, checked; None where he said nothing. C(waivers) are pairs of name and reason."""

    base: Optional[str]
    allow: FrozenSet[str]
    deny: FrozenSet[str]
    rules: FrozenSet[Rule]
    waivers: FrozenSet[Tuple[str, str]]
    compat_32bit: Optional[bool]
    default_errno: Optional[int]


@dataclass(frozen=True)
class Composition:
    """What a profile for one engine shall do. C(waived) are the calls beyond the engine's default, with reasons."""

    version: Version
    default_errno: int
    compat_32bit: bool
    clauses: FrozenSet[Clause]
    waived: Tuple[Tuple[str, str], ...] = ()


# -- numbers ----------------------------------------------------------------------------------------------------------


class Values(NamedTuple):
    """The values of one argument that satisfy a comparison: sorted ranges, or a mask and what it has to leave."""

    ranges: Ranges
    mask: int = 0
    left: int = 0


def values_of(comparison: Comparison) -> Values:
    """The values (0 to 2**64 - 1) that satisfy a comparison."""
    value = comparison.value
    if comparison.operator == "masked_eq":
        return Values((), value, comparison.value_two)
    ranges = {
        "eq": ((value, value),),
        "ne": ((0, value - 1), (value + 1, BIGGEST)),
        "lt": ((0, value - 1),),
        "le": ((0, value),),
        "gt": ((value + 1, BIGGEST),),
        "ge": ((value, BIGGEST),),
    }[comparison.operator]
    return Values(tuple(pair for pair in ranges if pair[0] <= pair[1]))


def _intersect(left: Ranges, right: Ranges) -> Ranges:
    found = [(max(a, c), min(b, d)) for a, b in left for c, d in right]
    return tuple(sorted(pair for pair in found if pair[0] <= pair[1]))


def _complement(ranges: Ranges) -> Ranges:
    found, start = [], 0
    for low, high in ranges:
        if start < low:
            found.append((start, low - 1))
        start = high + 1
    if start <= BIGGEST:
        found.append((start, BIGGEST))
    return tuple(found)


def _comparisons(index: int, ranges: Ranges) -> List[Comparison]:
    """Comparisons that hold, one at a time, for exactly these values; the runtime cannot put two on one argument."""
    missing = _complement(ranges)
    if len(missing) == 1 and missing[0][0] == missing[0][1]:
        return [Comparison(index, "ne", missing[0][0])]
    found = []
    for low, high in ranges:
        if low == 0:
            found.append(Comparison(index, "eq", 0) if high == 0 else Comparison(index, "le", high))
        elif high == BIGGEST and low != high:
            found.append(Comparison(index, "ge", low))
        elif high - low < MAX_SINGLE_VALUES:
            found.extend(Comparison(index, "eq", value) for value in range(low, high + 1))
        else:
            raise ConfigError(
                f"compose the seccomp policy: argument {index} from {low} to {high} cannot be told in one comparison, "
                "and a filter takes one for each argument; deny a range that begins at 0 or has no end"
            )
    return found


def errno_number(value: Any, where: str) -> int:
    """The number of an error such as "EPERM" or 1. Raises ConfigError."""
    if isinstance(value, str) and value in errno_module.errorcode.values():
        return int(getattr(errno_module, value))
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_ERRNO:
        return value
    raise ConfigError(f"read {where}: {value!r} is no error; give a name such as EPERM or a number up to {MAX_ERRNO}")


def errno_name(number: int) -> str:
    """The name of an error, its number where it has none."""
    return errno_module.errorcode.get(number, str(number))


# -- policies ---------------------------------------------------------------------------------------------------------


def group_of(call: str) -> str:
    """The name of a call's group, "" where it has none."""
    return _GROUP_OF.get(call, "")


def covered_names(names: Sequence[str]) -> FrozenSet[str]:
    """The calls that names of calls and groups stand for. Raises ConfigError."""
    return _calls(list(names), "names of system calls")


def _calls(names: Any, where: str) -> FrozenSet[str]:
    if not isinstance(names, (list, tuple)):
        raise ConfigError(f"read {where}: {names!r} is no list; give names of groups or system calls")
    found: Set[str] = set()
    for name in names:
        if name in GROUPS:
            found |= GROUPS[name].calls
        elif name in KNOWN_CALLS:
            found.add(name)
        else:
            raise ConfigError(
                f"read {where}: {name!r} is neither a group nor a system call of Linux; groups are "
                f"{', '.join(sorted(GROUPS))}"
            )
    return frozenset(found)


def _only(data: Any, keys: Sequence[str], where: str) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise ConfigError(f"read {where}: {data!r} is no mapping; give some of {', '.join(keys)}")
    unknown = sorted(str(key) for key in data if key not in keys)
    if unknown:
        raise ConfigError(f"read {where}: {unknown[0]!r} is no key of it; use {', '.join(keys)}")
    return data


def _words(data: Mapping[str, Any], key: str, known: Iterable[str], where: str) -> Tuple[str, ...]:
    given = data.get(key) or []
    words = sorted(known)
    wrong = [word for word in given if word not in words] if isinstance(given, (list, tuple)) else [given]
    if wrong:
        raise ConfigError(f"read {where}: {key} has {wrong[0]!r}; use a list of {', '.join(words)}")
    return tuple(sorted(set(given)))


def _argument(data: Any, where: str) -> Comparison:
    given = _only(data, ARGUMENT_KEYS, where)
    index, operator, value, mask = (given.get(key) for key in ("index", "operator", "value", "mask"))
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index <= 5:
        raise ConfigError(f"read {where}: index is {index!r}; a system call has the arguments 0 to 5")
    if operator not in WORDS:
        raise ConfigError(f"read {where}: operator is {operator!r}; use one of {', '.join(sorted(WORDS))}")
    numbers = [value, mask] if operator == "masked_eq" else [value]
    if any(not isinstance(n, int) or isinstance(n, bool) or not 0 <= n <= BIGGEST for n in numbers):
        raise ConfigError(
            f"read {where}: value {value!r} and mask {mask!r} with {operator}; give whole numbers from 0 to 2**64 - 1, "
            "a mask only with masked_eq"
        )
    if operator == "masked_eq":
        if value & ~mask:  # type: ignore[operator]
            raise ConfigError(f"read {where}: value {value} has bits that mask {mask} takes away; it is never equal")
        return Comparison(index, operator, mask, value)  # type: ignore[arg-type]
    if mask is not None:
        raise ConfigError(f"read {where}: mask {mask!r} with {operator}; give a mask only with masked_eq")
    return Comparison(index, operator, value)  # type: ignore[arg-type]


def _rule(data: Any, where: str) -> Rule:
    given = _only(data, RULE_KEYS, where)
    action = given.get("action")
    if action not in ("allow", "deny"):
        raise ConfigError(f"read {where}: action is {action!r}; use allow or deny")
    if given.get("errno") is not None and action == "allow":
        raise ConfigError(f"read {where}: errno with action allow; an allowed call has no error, take errno out")
    arguments = given.get("arguments") or []
    if not isinstance(arguments, (list, tuple)):
        raise ConfigError(f"read {where}: arguments is {arguments!r}; give a list")
    read = [_argument(item, f"{where}, argument {number}") for number, item in enumerate(arguments, 1)]
    if len({item.argument for item in read}) < len(read):
        raise ConfigError(f"read {where}: one argument is compared twice; a filter takes one comparison for each")
    kernel = given.get("min_kernel") or ""
    if kernel and not (isinstance(kernel, str) and MIN_KERNEL.fullmatch(kernel)):
        raise ConfigError(f'read {where}: min_kernel is {kernel!r}; give two numbers in quotes, for example "5.10"')
    if kernel and action == "deny":
        raise ConfigError(
            f"read {where}: min_kernel with action deny; profiles cannot say `kernels below`, so allow from there on"
        )
    bare = [name[4:] for name in CAPABILITIES]
    capabilities = tuple("CAP_" + name for name in _words(given, "capabilities", bare, where))
    condition = Clause(
        "",
        ALLOW if action == "allow" else ERRNO,
        errno_number(given["errno"], where) if given.get("errno") is not None else 0,
        tuple(sorted(read)),
        capabilities,
        (),
        _words(given, "architectures", ARCHITECTURES, where),
        (),
        kernel,
    )
    calls = _calls(given.get("calls"), f"{where}, calls")
    if condition.errno and (condition.arguments or condition.capabilities or condition.architectures):
        raise ConfigError(
            f"read {where}: errno together with a condition; give a denied call its own errno without conditions"
        )
    return Rule(calls, action == "allow", condition)


def parse_policy(data: Any, where: str = "the seccomp policy") -> Policy:
    """Read a policy as users write it; all keys are optional. Raises ConfigError."""
    given = _only(data, POLICY_KEYS, where)
    base = given.get("base")
    if base is not None and base not in BASES:
        raise ConfigError(f"read {where}: base is {base!r}; use one of {', '.join(BASES)}")
    compat = given.get("compat_32bit")
    if compat is not None and not isinstance(compat, bool):
        raise ConfigError(f"read {where}: compat_32bit is {compat!r}; use true or false")
    rules = given.get("rules") or []
    if not isinstance(rules, (list, tuple)):
        raise ConfigError(f"read {where}: rules is {rules!r}; give a list")
    waivers = given.get("waivers") or {}
    if not isinstance(waivers, Mapping):
        raise ConfigError(f"read {where}: waivers is {waivers!r}; give names with reasons")
    for name, reason in waivers.items():
        _calls([name], f"{where}, waivers")
        if not isinstance(reason, str) or not reason.strip():
            raise ConfigError(f"read {where}: the waiver {name!r} has no reason; say why it is needed")
    chosen = given.get("default_errno")
    return Policy(
        base,
        _calls(given.get("allow") or [], f"{where}, allow"),
        _calls(given.get("deny") or [], f"{where}, deny"),
        frozenset(_rule(rule, f"{where}, rule {number}") for number, rule in enumerate(rules, 1)),
        frozenset((str(name), reason.strip()) for name, reason in waivers.items()),
        compat,
        None if chosen is None else errno_number(chosen, f"{where}, default_errno"),
    )


def merge_policies(policies: Sequence[Policy]) -> Policy:
    """One policy that asks for all of it, the same in any order.

    The stricter base wins, and so does compat_32bit false. Raises ConfigError for two different default errors.
    """
    bases = {policy.base for policy in policies} - {None}
    compats = {policy.compat_32bit for policy in policies} - {None}
    errors = sorted({policy.default_errno for policy in policies if policy.default_errno is not None})
    if len(errors) > 1:
        raise ConfigError(
            f"compose the seccomp policy: default_errno is {' and '.join(map(errno_name, errors))}; leave one of them"
        )
    return Policy(
        max(bases, key=lambda base: BASES.index(str(base))) if bases else None,
        frozenset(call for policy in policies for call in policy.allow),
        frozenset(call for policy in policies for call in policy.deny),
        frozenset(rule for policy in policies for rule in policy.rules),
        frozenset(waiver for policy in policies for waiver in policy.waivers),
        None if not compats else compats == {True},
        errors[0] if errors else None,
    )


# -- bases ------------------------------------------------------------------------------------------------------------


def _reached(floors: Floors, version: Version) -> bool:
    line = version[:2]
    return line > max(floors)[:2] or any(line == floor[:2] and tuple(version) >= floor for floor in floors)


def _applies(fact: Default, version: Version) -> bool:
    begun = not fact.since or _reached(fact.since, version)
    return begun and not (fact.until and _reached(fact.until, version))


def default_clauses(version: Version) -> FrozenSet[Clause]:
    """What the engine's own profile does in this release. Raises ConfigError for engines older than we know."""
    if tuple(version) < FIRST_VERSION:
        raise ConfigError(
            f"compose a seccomp profile: engine {version} is older than {Version(*FIRST_VERSION)}, the first whose "
            "profile is known here; upgrade the engine"
        )
    return frozenset(
        Clause(
            call,
            fact.action,
            fact.errno,
            fact.arguments,
            fact.capabilities,
            fact.without,
            fact.architectures,
            fact.not_architectures,
            fact.min_kernel,
        )
        for fact in DEFAULTS
        if _applies(fact, version)
        for call in fact.calls
    )


def _harden(clauses: FrozenSet[Clause]) -> FrozenSet[Clause]:
    kept = {clause for clause in clauses if clause.action != ALLOW or GROUPS[group_of(clause.call)].hardened}
    sockets = {clause for clause in kept if clause.call == "socket"}
    allowed = [clause._replace(arguments=(Comparison(0, "eq", family),)) for clause in sockets
               for family in HARDENED_FAMILIES]  # fmt: skip
    families = {clause for clause in allowed if any(covers(wide, clause) for wide in sockets)}
    values = [(Comparison(0, "eq", value),) for value in HARDENED_PERSONALITIES]
    odd = {clause for clause in kept if clause.call == "personality" and clause.arguments not in values}
    return frozenset((kept - sockets - odd) | families)


def _base(name: str, defaults: FrozenSet[Clause]) -> FrozenSet[Clause]:
    if name == "engine":
        return defaults
    hardened = _harden(defaults)
    if name == "hardened":
        return hardened
    return frozenset(clause for clause in hardened if clause.action != ALLOW or clause.call in MINIMAL_CALLS)


# -- comparing --------------------------------------------------------------------------------------------------------


def _kernel(text: str) -> Tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")) if text else (0, 0)


def _implies(strict: Sequence[Comparison], wide: Comparison) -> bool:
    for comparison in strict:
        if comparison.argument != wide.argument:
            continue
        have, want = values_of(comparison), values_of(wide)
        if wide.operator == "masked_eq":
            exact = comparison.operator == "eq" and comparison.value & want.mask == want.left
            masked = want.mask & ~have.mask == 0 and have.left & want.mask == want.left
            return exact or (comparison.operator == "masked_eq" and masked)
        if comparison.operator != "masked_eq":
            return _intersect(have.ranges, want.ranges) == have.ranges
    return False


def _within(strict: Sequence[str], wide: Sequence[str]) -> bool:
    """Whether a choice of architectures (empty: any) lies within another one."""
    return not wide or (bool(strict) and set(strict) <= set(wide))


def covers(wide: Clause, strict: Clause) -> bool:
    """Whether all that C(strict) allows is allowed by C(wide) too; both are about allowed calls."""
    return (
        wide.call == strict.call
        and set(wide.capabilities) <= set(strict.capabilities)
        and set(wide.without) <= set(strict.without)
        and _within(strict.architectures, wide.architectures)
        and all(
            name in strict.not_architectures or (strict.architectures and name not in strict.architectures)
            for name in wide.not_architectures
        )
        and _kernel(wide.min_kernel) <= _kernel(strict.min_kernel)
        and all(_implies(strict.arguments, comparison) for comparison in wide.arguments)
    )


def wider_clauses(clauses: Iterable[Clause], than: Iterable[Clause]) -> List[Clause]:
    """The allowing clauses that no single clause of the others covers, sorted."""
    by_call: Dict[str, List[Clause]] = {}
    for clause in than:
        if clause.action == ALLOW:
            by_call.setdefault(clause.call, []).append(clause)
    return sorted(
        clause
        for clause in clauses
        if clause.action == ALLOW and not any(covers(wide, clause) for wide in by_call.get(clause.call, ()))
    )


# -- deltas -----------------------------------------------------------------------------------------------------------


def _allow(calls: Iterable[str], base: str, defaults: FrozenSet[Clause]) -> Set[Clause]:
    """As the engine allows it to a container without further capabilities, and bare where the engine does not.

    Over the base `minimal` as `hardened` has it, whatever capabilities that is tied to.
    """
    hardened = _harden(defaults) if base == "minimal" else frozenset()
    found: Set[Clause] = set()
    for call in calls:
        strict = {clause for clause in hardened if clause.call == call and clause.action == ALLOW}
        ordinary = {
            clause for clause in defaults if clause.call == call and clause.action == ALLOW and not clause.capabilities
        }
        found |= strict or ordinary or {Clause(call)}
    return found


def _cut(clause: Clause, condition: Clause) -> Set[Clause]:
    """What is left of a clause outside of a condition."""
    if condition.min_kernel:
        raise ConfigError(
            f"compose the seccomp policy: {clause.call} is allowed from kernel {condition.min_kernel} on and has an "
            "error of its own besides, which profiles cannot say; take min_kernel or the errno out"
        )
    parts: Set[Clause] = set()
    for capability in condition.without:
        if capability not in clause.without:
            parts.add(clause._replace(capabilities=tuple(sorted({*clause.capabilities, capability}))))
    if condition.not_architectures:
        left = tuple(
            name for name in clause.architectures or condition.not_architectures if name in condition.not_architectures
        )
        left = tuple(name for name in left if name not in clause.not_architectures)
        parts |= {clause._replace(architectures=left, not_architectures=())} if left else set()
    for capability in condition.capabilities:
        if capability not in clause.capabilities:
            parts.add(clause._replace(without=tuple(sorted({*clause.without, capability}))))
    if condition.architectures:
        if clause.architectures:
            left = tuple(name for name in clause.architectures if name not in condition.architectures)
            parts |= {clause._replace(architectures=left)} if left else set()
        else:
            parts.add(
                clause._replace(not_architectures=tuple(sorted({*clause.not_architectures, *condition.architectures})))
            )
    for comparison in condition.arguments:
        parts |= _cut_argument(clause, comparison)
    return parts


def _cut_argument(clause: Clause, comparison: Comparison) -> Set[Clause]:
    others = tuple(item for item in clause.arguments if item.argument != comparison.argument)
    own = next((item for item in clause.arguments if item.argument == comparison.argument), None)
    if comparison.operator == "masked_eq" or (own is not None and own.operator == "masked_eq"):
        raise ConfigError(
            f"compose the seccomp policy: deny {clause.call} by argument {comparison.argument}: a mask cannot be "
            "turned round; deny the call and allow it again with the arguments it may have"
        )
    have = ((0, BIGGEST),) if own is None else values_of(own).ranges
    left = _intersect(have, _complement(values_of(comparison).ranges))
    if left == have:
        return {clause}
    return {
        clause._replace(arguments=tuple(sorted((*others, item)))) for item in _comparisons(comparison.argument, left)
    }


def _deny(clauses: Set[Clause], rule: Rule) -> Set[Clause]:
    condition = rule.clause
    bare = not (condition.arguments or condition.capabilities or condition.architectures)
    found: Set[Clause] = set()
    for clause in clauses:
        if clause.call not in rule.calls or (clause.action != ALLOW and not condition.errno):
            found.add(clause)
        elif not bare and clause.action == ALLOW:
            found |= _cut(clause, condition)
    if condition.errno:
        found |= {Clause(call, ERRNO, condition.errno) for call in rule.calls}
    return found


def _apply(policy: Policy, base: str, defaults: FrozenSet[Clause]) -> FrozenSet[Clause]:
    found = set(_base(base, defaults)) | _allow(policy.allow, base, defaults)
    for rule in policy.rules:
        if rule.allowed:
            found |= {rule.clause._replace(call=call) for call in rule.calls}
    found = _deny(found, Rule(policy.deny, False, Clause("", ERRNO)))
    errors: Dict[str, int] = {}
    for rule in sorted((rule for rule in policy.rules if not rule.allowed), key=_rule_order):
        found = _deny(found, rule)
        for call in rule.calls if rule.clause.errno else ():
            if errors.setdefault(call, rule.clause.errno) != rule.clause.errno:
                raise ConfigError(
                    f"compose the seccomp policy: {call} is denied with {errno_name(errors[call])} and with "
                    f"{errno_name(rule.clause.errno)}; leave one of them"
                )
    return _one_answer(found)


def _one_answer(clauses: Set[Clause]) -> FrozenSet[Clause]:
    """Cut what is allowed out of what has an error of its own; runtimes do not take two answers to one call."""
    allowed = {clause for clause in clauses if clause.action == ALLOW}
    found = set(allowed)
    for clause in clauses - allowed:
        left = {clause}
        for other in sorted(item for item in allowed if item.call == clause.call):
            left = {part for piece in left for part in _cut(piece, other)}
        found |= left
    return frozenset(found)


def _rule_order(rule: Rule) -> Tuple[Clause, List[str]]:
    return rule.clause, sorted(rule.calls)


def compose(policy: Policy, version: Version) -> Composition:
    """What the profile shall do on an engine of this version.

    Raises RefusedError where it would allow more than the engine's own default without a waiver, ConfigError where the
    engine cannot do what is asked.
    """
    defaults = default_clauses(version)
    base = policy.base or "hardened"
    clauses = _apply(policy, base, defaults)
    default_errno = policy.default_errno or errno_module.EPERM
    if default_errno != errno_module.EPERM and version < (23, 0):
        raise ConfigError(
            f"compose the seccomp policy: default_errno is {errno_name(default_errno)}, and engine {version} always "
            "gives EPERM (from 23.0 on it can be chosen); take default_errno out"
        )
    compat = policy.compat_32bit if policy.compat_32bit is not None else base == "engine"
    clauses = frozenset(clause for clause in clauses if clause.action == ALLOW or clause.errno != default_errno)
    if not any(clause.call == "socketcall" for clause in clauses):
        # Unless a rule says otherwise libseccomp allows it along with socket, whatever family is asked for; a rule with
        # the default error would be no rule for the runtime.
        refusal = errno_module.EPERM if default_errno == errno_module.ENOSYS else errno_module.ENOSYS
        clauses |= {Clause("socketcall", ERRNO, refusal)}
    return Composition(version, default_errno, compat, clauses, _check_waivers(policy, clauses, defaults))


def _check_waivers(
    policy: Policy, clauses: FrozenSet[Clause], defaults: FrozenSet[Clause]
) -> Tuple[Tuple[str, str], ...]:
    waived: Set[Tuple[str, str]] = set()
    bare: List[str] = []
    for call in sorted({clause.call for clause in wider_clauses(clauses, defaults)}):
        reasons = {(call, reason) for name, reason in policy.waivers if name in (call, group_of(call))}
        waived |= reasons
        if not reasons:
            bare.append(call)
    if bare:
        raise RefusedError(
            f"compose the seccomp policy: it allows more than the engine's own profile: {', '.join(bare)}; take it "
            "out, or name it (or its group) with the reason in waivers"
        )
    return tuple(sorted(waived))
