# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From policies to clauses: bases, deltas, waivers, and the laws that hold for all of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError, RefusedError
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_calls import CAPABILITIES, KNOWN_CALLS
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_lint import lint_profile
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_policy import (
    Clause,
    Composition,
    compose,
    default_clauses,
    merge_policies,
    parse_policy,
    values_of,
    wider_clauses,
)
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_profile import (
    clauses_of,
    effect_of,
    parse_profile,
    profile_text,
    render_profile,
)
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_tables import (
    ALLOW,
    DEFAULTS,
    ERRNO,
    ESSENTIAL_CALLS,
    GROUPS,
    TAKEOVER_GROUPS,
    TRIAL_CALLS,
    TRIAL_NUMBERS,
    Comparison,
)
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version, parse_version

V20, V26, V28, V29 = (parse_version(text) for text in ("20.10.24", "26.1.5", "28.5.2", "29.7.2"))
EVERYTHING = dict.fromkeys([*GROUPS, *KNOWN_CALLS], "a test")


def composed(version: Version = V26, **policy: Any) -> Composition:
    """A policy as a composition."""
    return compose(parse_policy(policy), version)


def passes(
    clauses: Any, call: str, value: int = 0, capabilities: frozenset[str] = frozenset(), architecture: str = "amd64"
) -> bool:
    """Whether clauses allow a call whose arguments are all the same value."""
    return any(
        clause.call == call
        and clause.action == ALLOW
        and set(clause.capabilities) <= capabilities
        and not set(clause.without) & capabilities
        and (not clause.architectures or architecture in clause.architectures)
        and architecture not in clause.not_architectures
        and all(holds(comparison, value) for comparison in clause.arguments)
        for clause in clauses
    )


def holds(comparison: Comparison, value: int) -> bool:
    """Whether a comparison is true of a value."""
    values = values_of(comparison)
    if comparison.operator == "masked_eq":
        return value & values.mask == values.left
    return any(low <= value <= high for low, high in values.ranges)


# the tables ----------------------------------------------------------------------------------------------------------


def test_every_call_of_the_engines_profile_has_one_group_and_is_a_system_call() -> None:
    grouped = [call for group in GROUPS.values() for call in group.calls]
    assert len(grouped) == len(set(grouped)) > 400
    assert set(grouped) <= KNOWN_CALLS
    assert {call for fact in DEFAULTS for call in fact.calls} <= set(grouped)
    assert set(TAKEOVER_GROUPS) <= set(GROUPS)
    assert {name for fact in DEFAULTS for name in (*fact.capabilities, *fact.without)} <= CAPABILITIES


def test_every_machine_has_a_number_for_each_call_of_a_trial() -> None:
    assert {len(numbers) for numbers in TRIAL_NUMBERS.values()} == {len(TRIAL_CALLS)}
    assert set(TRIAL_CALLS) <= KNOWN_CALLS


@pytest.mark.parametrize("version", [V20, V26, V28, V29])
@pytest.mark.parametrize("base", ["engine", "hardened"])
def test_bases_keep_what_every_container_needs(version: Version, base: str) -> None:
    clauses = composed(version, base=base).clauses
    assert all(Clause(call) in clauses for call in ESSENTIAL_CALLS)


@pytest.mark.parametrize(
    ("call", "value", "versions"),
    [
        ("io_uring_setup", 0, "20.10.24 24.0.9"),
        ("landlock_restrict_self", 0, "20.10.18 20.10.24 23.0.0 28.5.2"),
        ("name_to_handle_at", 0, "20.10.26 23.0.7 24.0.3 26.1.5"),
        ("cachestat", 0, "23.0.10 25.0.3 26.1.5"),
        ("mseal", 0, "28.2.0 29.7.2"),
        ("socket", 40, "20.10.21 20.10.23 20.10.24"),
        ("socket", 38, "20.10.24 26.1.5 29.4.1"),
    ],
)
def test_the_engines_profile_by_release(call: str, value: int, versions: str) -> None:
    known = "20.10.17 20.10.18 20.10.21 20.10.22 20.10.23 20.10.24 20.10.26 23.0.0 23.0.7 23.0.10 24.0.3 24.0.9 25.0.3"
    known += " 26.1.5 28.2.0 28.5.2 29.4.1 29.4.2 29.7.2"
    for text in set(versions.split()) & set(known.split()):
        assert passes(default_clauses(parse_version(text)), call, value), text
    earlier = {"io_uring_setup": "25.0.3", "landlock_restrict_self": "20.10.17", "name_to_handle_at": "23.0.0"}
    earlier.update(cachestat="24.0.9", mseal="26.1.5", socket="29.4.2" if value == 38 else "20.10.22")
    assert not passes(default_clauses(parse_version(earlier[call])), call, value)


def test_engines_from_before_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"engine 19\.3\.15 is older than 20\.10\.0"):
        default_clauses(parse_version("19.03.15"))


def test_hardened_has_few_families_and_no_rare_calls() -> None:
    clauses = composed(V26).clauses
    assert [family for family in range(50) if passes(clauses, "socket", family)] == [1, 2, 10, 16]
    # A number with bits that the kernel cuts off gets past a comparison with `ne`, as the engine's own profile has it.
    assert passes(default_clauses(V26), "socket", (1 << 32) | 40)
    assert not passes(clauses, "socket", (1 << 32) | 40)
    everything = frozenset(CAPABILITIES)
    for call in ("ptrace", "bpf", "open_by_handle_at", "init_module", "io_uring_setup", "modify_ldt", "socketcall"):
        assert not passes(clauses, call, 0, everything), call
    assert passes(clauses, "mount", 0, everything)
    assert not passes(clauses, "mount")
    assert not composed(V26).compat_32bit
    assert composed(V26, base="engine").compat_32bit
    assert composed(V26, compat_32bit=True).compat_32bit


# deltas --------------------------------------------------------------------------------------------------------------


def test_allow_gives_back_what_the_engine_gives_to_an_ordinary_container() -> None:
    assert Clause("ptrace", min_kernel="4.8") in composed(allow=["ptrace"]).clauses
    assert Clause("kcmp", capabilities=("CAP_SYS_PTRACE",)) not in composed(allow=["ptrace"]).clauses
    assert Clause("io_uring_setup") in composed(V20, allow=["io_uring"]).clauses


def test_more_than_the_engine_allows_needs_a_waiver_with_a_reason() -> None:
    with pytest.raises(RefusedError, match="more than the engine's own profile: keyctl; take it out"):
        composed(allow=["keyctl"])
    for name in ("keyctl", "keyring"):
        found = composed(allow=["keyctl"], waivers={name: " ticket 5 "})
        assert found.waived == (("keyctl", "ticket 5"),)
        assert Clause("keyctl") in found.clauses
    with pytest.raises(RefusedError, match="mount_setattr, move_mount"):
        composed(allow=["mount"], waivers={"keyring": "x"})


def test_a_waiver_that_is_not_needed_is_not_reported() -> None:
    assert composed(allow=["ptrace"], waivers={"ptrace": "debugging"}).waived == ()


def test_refusing_wins() -> None:
    found = composed(allow=["ptrace"], deny=["debugging"], rules=[{"calls": ["ptrace"], "action": "allow"}])
    assert not passes(found.clauses, "ptrace")


def test_a_call_has_one_answer() -> None:
    found = composed(allow=["clone3"], waivers={"clone3": "x"}).clauses
    assert {clause for clause in found if clause.call == "clone3"} >= {Clause("clone3")}
    assert not [clause for clause in found if clause.call == "clone3" and clause.action == ERRNO]
    rule = {"calls": ["clone3"], "action": "allow", "capabilities": ["SYS_PTRACE"]}
    found = composed(rules=[rule], waivers={"clone3": "x"}).clauses
    errors = [clause for clause in found if clause.call == "clone3" and clause.action == ERRNO]
    assert errors == [Clause("clone3", ERRNO, 38, without=("CAP_SYS_ADMIN", "CAP_SYS_PTRACE"))]
    with pytest.raises(ConfigError, match=r"allowed from kernel 5\.10 on and has an error of its own"):
        composed(rules=[{"calls": ["clone3"], "action": "allow", "min_kernel": "5.10"}], waivers={"clone3": "x"})


def test_denied_calls_may_have_an_error_of_their_own() -> None:
    found = composed(rules=[{"calls": ["ptrace", "mincore"], "action": "deny", "errno": "ENOSYS"}]).clauses
    assert Clause("mincore", ERRNO, 38) in found
    assert not passes(found, "mincore")
    with pytest.raises(ConfigError, match="mincore is denied with EACCES and with ENOSYS"):
        composed(rules=[{"calls": ["mincore"], "action": "deny", "errno": name} for name in ("ENOSYS", "EACCES")])


def test_deny_cuts_out_exactly_the_condition() -> None:
    both = {"calls": ["mincore"], "action": "deny", "capabilities": ["KILL", "CHOWN"]}
    clauses = composed(base="engine", rules=[both]).clauses
    kill, chown = frozenset({"CAP_KILL"}), frozenset({"CAP_CHOWN"})
    assert [passes(clauses, "mincore", 0, given) for given in (frozenset(), kill, chown, kill | chown)] == [
        *(True, True, True),
        False,
    ]
    here = {"calls": ["mincore", "modify_ldt"], "action": "deny", "architectures": ["amd64", "arm64"]}
    clauses = composed(base="engine", rules=[here]).clauses
    words = ("amd64", "arm64", "s390x", "x86")
    assert [passes(clauses, "mincore", architecture=word) for word in words] == [False, False, True, True]
    assert [passes(clauses, "modify_ldt", architecture=word) for word in words] == [False, False, False, True]
    argument = {"index": 0, "operator": "le", "value": 3}
    clauses = composed(base="engine", rules=[{**both, "capabilities": ["KILL"], "arguments": [argument]}]).clauses
    assert [passes(clauses, "mincore", value, kill) for value in (0, 3, 4)] == [False, False, True]
    assert passes(clauses, "mincore", 0, chown)


def test_socketcall_is_refused_with_another_error_than_the_rest() -> None:
    for policy in ({"base": "hardened"}, {"base": "engine", "deny": ["socketcall"]}):
        assert Clause("socketcall", ERRNO, 38) in composed(**policy).clauses
    assert Clause("socketcall", ERRNO, 1) in composed(default_errno="ENOSYS").clauses


def test_the_default_error_can_be_chosen_from_23_on() -> None:
    assert composed(default_errno="EACCES").default_errno == 13
    with pytest.raises(ConfigError, match=r"default_errno is EACCES, and engine 20\.10\.24 always gives EPERM"):
        composed(V20, default_errno="EACCES")


def test_deny_by_argument_that_no_filter_can_tell() -> None:
    two = [{"calls": ["fcntl"], "action": "deny", "arguments": [{"index": 1, "operator": "eq", "value": at}]}
           for at in (7, 500)]  # fmt: skip
    with pytest.raises(ConfigError, match="argument 1 from 8 to 499 cannot be told in one comparison"):
        composed(rules=two)
    with pytest.raises(ConfigError, match="a mask cannot be turned round"):
        composed(rules=[{**two[0], "calls": ["clone"], "arguments": [{"index": 0, "operator": "eq", "value": 7}]}])


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ([], r"\[\] is no mapping"),
        ({"bases": "engine"}, "'bases' is no key of it; use allow, base"),
        ({"base": "none"}, "base is 'none'; use one of engine, hardened, minimal"),
        ({"allow": ["io-uring"]}, "'io-uring' is neither a group nor a system call"),
        ({"deny": "ptrace"}, "deny: 'ptrace' is no list"),
        ({"compat_32bit": "no"}, "compat_32bit is 'no'"),
        ({"rules": {"calls": []}}, "rules is .* give a list"),
        ({"rules": [{"calls": ["read"]}]}, "rule 1: action is None"),
        ({"rules": [{"calls": ["read"], "action": "allow", "errno": "EPERM"}]}, "errno with action allow"),
        ({"rules": [{"calls": ["read"], "action": "deny", "min_kernel": "5.10"}]}, "min_kernel with action deny"),
        ({"rules": [{"calls": ["read"], "action": "allow", "min_kernel": "5.10.1"}]}, "two numbers in quotes"),
        ({"rules": [{"calls": ["read"], "action": "deny", "capabilities": ["CAP_KILL"]}]}, "has 'CAP_KILL'"),
        ({"rules": [{"calls": ["read"], "action": "deny", "architectures": "amd64"}]}, "has 'amd64'; use a list"),
        ({"rules": [{"calls": ["read"], "action": "deny", "errno": "EX"}]}, "'EX' is no error"),
        (
            {"rules": [{"calls": ["read"], "action": "deny", "errno": 1, "architectures": ["x86"]}]},
            "without conditions",
        ),
        ({"rules": [{"calls": ["read"], "action": "deny", "arguments": 1}]}, "arguments is 1; give a list"),
        ({"waivers": ["x"]}, "give names with reasons"),
        ({"waivers": {"keyring": " "}}, "'keyring' has no reason"),
        ({"default_errno": 4096}, "4096 is no error"),
    ],
)
def test_policies_that_are_wrong(policy: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_policy(policy)


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ({"index": 6, "operator": "eq", "value": 1}, "arguments 0 to 5"),
        ({"index": 0, "operator": "==", "value": 1}, "operator is '=='"),
        ({"index": 0, "operator": "eq", "value": -1}, "whole numbers"),
        ({"index": 0, "operator": "masked_eq", "value": 1}, "whole numbers"),
        ({"index": 0, "operator": "masked_eq", "value": 3, "mask": 2}, "it is never equal"),
        ({"index": 0, "operator": "eq", "value": 1, "mask": 1}, "a mask only with masked_eq"),
    ],
)
def test_arguments_that_are_wrong(argument: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_policy({"rules": [{"calls": ["read"], "action": "allow", "arguments": [argument]}]})
    twice = [{"index": 0, "operator": "eq", "value": value} for value in (1, 2)]
    with pytest.raises(ConfigError, match="one argument is compared twice"):
        parse_policy({"rules": [{"calls": ["read"], "action": "allow", "arguments": twice}]})


def test_default_errors_of_two_policies() -> None:
    with pytest.raises(ConfigError, match="default_errno is EACCES and ENOSYS; leave one"):
        merge_policies([parse_policy({"default_errno": name}) for name in ("ENOSYS", "EACCES")])


# laws ----------------------------------------------------------------------------------------------------------------

versions = st.sampled_from(
    [parse_version(text) for text in ("20.10.3", "20.10.24", "23.0.1", "26.1.5", "28.5.2", "29.7.2")]
)
# clone carries a mask, and clone3 an error of its own: what does not go with them has tests of its own.
free_calls = st.sampled_from(sorted(KNOWN_CALLS - ESSENTIAL_CALLS - {"clone", "clone3", "socketcall", "personality"}))
# Few, so that several rules meet on one call: allowed, with a comparison, with a kernel, with a capability, refused.
ruled_calls = st.sampled_from(["mincore", "socket", "ptrace", "open_by_handle_at", "keyctl"])
names = st.lists(st.one_of(free_calls, st.sampled_from(sorted(set(GROUPS) - {"process"}))), max_size=3)
safe_names = names.filter(
    lambda chosen: not any(GROUPS[name].calls & ESSENTIAL_CALLS for name in chosen if name in GROUPS)
)
small = st.integers(0, 5)


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    """A rule that compose() can do."""
    made: dict[str, Any] = {"calls": [draw(ruled_calls)], "action": draw(st.sampled_from(["allow", "deny"]))}
    if draw(st.booleans()):
        made["capabilities"] = draw(st.lists(st.sampled_from(["SYS_ADMIN", "KILL", "SYS_PTRACE"]), max_size=2))
    if draw(st.booleans()):
        made["architectures"] = draw(st.lists(st.sampled_from(["amd64", "arm64", "s390x"]), max_size=2))
    if draw(st.booleans()):
        operator = draw(st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge"]))
        made["arguments"] = [{"index": 0, "operator": operator, "value": draw(small)}]
    if made["action"] == "allow" and draw(st.booleans()):
        made["min_kernel"] = draw(st.sampled_from(["4.8", "5.10"]))
    return made


@st.composite
def policies(draw: st.DrawFn) -> dict[str, Any]:
    """A policy with every waiver that it may need."""
    return {
        "base": draw(st.sampled_from(["engine", "hardened", "minimal", None])),
        "allow": draw(names),
        "deny": draw(safe_names),
        "rules": draw(st.lists(rules(), max_size=3)),
        "waivers": EVERYTHING,
        "compat_32bit": draw(st.sampled_from([None, True, False])),
    }


@given(st.lists(policies(), min_size=1, max_size=3), st.randoms(use_true_random=False), versions)
def test_the_order_of_policies_and_their_entries_does_not_matter(parts: Any, random: Any, version: Version) -> None:
    expected = compose(merge_policies([parse_policy(part) for part in parts]), version)
    for part in parts:
        for key in ("allow", "deny", "rules"):
            random.shuffle(part[key])
    random.shuffle(parts)
    assert compose(merge_policies([parse_policy(part) for part in parts]), version) == expected


@given(st.lists(policies(), min_size=1, max_size=2), versions)
def test_saying_it_twice_changes_nothing(parts: Any, version: Version) -> None:
    once = [parse_policy(part) for part in parts]
    assert merge_policies([merge_policies(once)]) == merge_policies(once)
    assert compose(merge_policies(once + once), version) == compose(merge_policies(once), version)


@given(policies(), versions)
def test_reading_gives_back_what_was_rendered(policy: Any, version: Version) -> None:
    made = compose(parse_policy(policy), version)
    read = parse_profile(profile_text(render_profile(made)))
    assert read.profile is not None
    assert not read.problems
    assert clauses_of(read.profile) == made.clauses
    assert {subs != () for word, subs in read.profile.arch_map if word == "SCMP_ARCH_X86_64"} == {made.compat_32bit}


@settings(max_examples=100)
@given(policies(), versions)
def test_lint_accepts_what_was_rendered(policy: Any, version: Version) -> None:
    made = compose(parse_policy(policy), version)
    raw = profile_text(render_profile(made))
    found = lint_profile(raw, version, waivers=[call for call, _reason in made.waived])
    assert [finding for finding in found if finding.severity != "advice"] == []


@given(st.frozensets(st.sampled_from(sorted(CAPABILITIES))), st.sampled_from(["amd64", "arm64", "s390x"]), versions)
def test_hardened_is_part_of_the_engines_own(capabilities: frozenset[str], word: str, version: Version) -> None:
    effects = []
    for base in ("engine", "hardened"):
        profile = parse_profile(profile_text(render_profile(composed(version, base=base)))).profile
        assert profile is not None
        effects.append(effect_of(profile, word, capabilities, (6, 1)))
    engine, hardened = effects
    assert wider_clauses(hardened.rules, engine.rules) == []
    assert set(hardened.architectures) < set(engine.architectures)
    assert len({rule.call for rule in hardened.rules}) > 250


@given(
    st.lists(rules(), max_size=4),
    versions,
    st.one_of(small, st.sampled_from([6, 40, (1 << 64) - 1])),
    st.frozensets(st.sampled_from(["CAP_SYS_ADMIN", "CAP_KILL", "CAP_SYS_PTRACE"])),
    st.sampled_from(["amd64", "arm64", "s390x"]),
)
def test_rules_do_what_they_say(
    given_rules: Any, version: Version, value: int, capabilities: frozenset[str], word: str
) -> None:
    made = compose(parse_policy({"base": "engine", "rules": given_rules, "waivers": EVERYTHING}), version)
    defaults = default_clauses(version)
    for rule in given_rules:
        [call] = rule["calls"]
        expected = passes(defaults, call, value, capabilities, word)
        for other in sorted((item for item in given_rules if item["calls"] == [call]), key=lambda item: item["action"]):
            if matches(other, value, capabilities, word):
                expected = other["action"] == "allow"
        assert passes(made.clauses, call, value, capabilities, word) == expected


def matches(rule: dict[str, Any], value: int, capabilities: frozenset[str], word: str) -> bool:
    """Whether the condition of a policy's rule holds, for a kernel that is new enough."""
    compare = {"eq": value.__eq__, "ne": value.__ne__, "lt": value.__lt__, "le": value.__le__, "gt": value.__gt__,
               "ge": value.__ge__}  # fmt: skip
    return (
        {"CAP_" + name for name in rule.get("capabilities", ())} <= capabilities
        and (not rule.get("architectures") or word in rule["architectures"])
        and all(compare[item["operator"]](item["value"]) for item in rule.get("arguments", ()))
    )
