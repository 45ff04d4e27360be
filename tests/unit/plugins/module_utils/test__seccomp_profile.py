# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading profiles as the engine does, and what is left of them in one container."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError, RefusedError
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_policy import Clause
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_profile import (
    Profile,
    clauses_of,
    compose_profile,
    effect_of,
    parse_profile,
    profile_text,
)
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_tables import ALLOW, ERRNO, Comparison


def profile_of(*rules: dict[str, Any], **fields: Any) -> Profile:
    """A profile without problems."""
    read = parse_profile(json.dumps({"defaultAction": ERRNO, "syscalls": rules, **fields}).encode())
    assert read.problems == ()
    assert read.profile is not None
    return read.profile


def calls(profile: Profile, capabilities: set[str], word: str = "amd64", kernel: tuple[int, int] = (6, 1)) -> set[str]:
    """Names that are left in one container."""
    return {rule.call for rule in effect_of(profile, word, frozenset(capabilities), kernel).rules}


def test_names_of_fields_in_any_case_and_the_last_of_two() -> None:
    raw = b'{"DEFAULTACTION": "a", "defaultAction": "SCMP_ACT_ERRNO", "SysCalls": [{"Names": ["read"], "ACTION": "x"}]}'
    read = parse_profile(raw)
    assert read.profile is not None
    assert read.profile.default_action == ERRNO
    assert read.profile.rules[0].names == ("read",)
    assert [(problem.code, problem.where) for problem in read.problems] == [("field_repeated", "defaultAction")]


def test_null_is_nothing() -> None:
    read = parse_profile(b'{"defaultAction": null, "syscalls": null, "flags": null}')
    assert read.profile is not None
    assert read.profile.off
    assert read.problems == ()


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"\xff", b"{} {}", b'{"defaultErrnoRet": NaN}', b"\xef\xbb\xbf{}", b"[" * 100_000]
)
def test_what_is_no_json(raw: bytes) -> None:
    read = parse_profile(raw)
    assert read.profile is None
    assert [problem.code for problem in read.problems] == ["not_json"]


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("defaultAction", 1, "a text"),
        ("defaultErrnoRet", -1, "a whole number from 0"),
        ("defaultErrnoRet", True, "a whole number from 0"),
        ("defaultErrnoRet", 1.5, "a whole number from 0"),
        ("architectures", ["x", 1], "a list of texts"),
        ("archMap", {}, "a list of objects"),
        ("syscalls", [None], "a list of objects"),
    ],
)
def test_values_that_the_engine_cannot_read(field: str, value: Any, wanted: str) -> None:
    read = parse_profile(json.dumps({field: value}).encode())
    assert [(problem.code, problem.where) for problem in read.problems] == [("field_type", field)]
    assert wanted in read.problems[0].text


def test_the_deprecated_name() -> None:
    assert profile_of({"name": "read", "action": ALLOW}).rules[0].names == ("read",)


def test_conditions_of_a_container() -> None:
    profile = profile_of(
        {"names": ["all"], "action": ALLOW, "includes": {"caps": ["CAP_KILL", "CAP_CHOWN"]}},
        {"names": ["none"], "action": ALLOW, "excludes": {"caps": ["CAP_KILL", "CAP_CHOWN"]}},
        {"names": ["here"], "action": ALLOW, "includes": {"arches": ["amd64", "x32"]}},
        {"names": ["elsewhere"], "action": ALLOW, "excludes": {"arches": ["amd64"]}},
        {"names": ["new"], "action": ALLOW, "includes": {"minKernel": "6.10"}},
        {"names": ["old"], "action": ALLOW, "excludes": {"minKernel": "6.10"}},
    )
    assert calls(profile, set()) == {"none", "here", "old"}
    assert calls(profile, {"CAP_KILL"}) == {"here", "old"}
    assert calls(profile, {"CAP_KILL", "CAP_CHOWN"}, kernel=(6, 9)) == {"all", "here", "old"}
    assert calls(profile, {"CAP_KILL"}, kernel=(6, 10)) == {"here", "new"}
    assert calls(profile, set(), word="arm64") == {"none", "elsewhere", "old"}


def test_only_the_own_entry_of_the_map_counts() -> None:
    entries = [
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": None},
    ]
    profile = profile_of(archMap=entries)
    assert effect_of(profile, "amd64", frozenset(), (6, 1)).architectures == ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86")
    assert effect_of(profile, "arm64", frozenset(), (6, 1)).architectures == ("SCMP_ARCH_AARCH64",)
    assert effect_of(profile, "s390x", frozenset(), (6, 1)).architectures == ()


def test_clauses_have_errors_and_comparisons() -> None:
    profile = profile_of(
        {"names": ["a"], "action": ERRNO},
        {"names": ["b"], "action": ERRNO, "errnoRet": 38},
        {"names": ["c"], "action": ALLOW, "args": [{"index": 1, "op": "SCMP_CMP_NE", "value": 3, "valueTwo": 9}]},
    )
    assert clauses_of(profile) == {
        Clause("a", ERRNO, 1),
        Clause("b", ERRNO, 38),
        Clause("c", arguments=(Comparison(1, "ne", 3),)),
    }
    with pytest.raises(ConfigError, match=r"syscalls\[0\] has the comparison 'NE'; lint it"):
        clauses_of(profile_of({"names": ["c"], "action": ALLOW, "args": [{"index": 1, "op": "NE", "value": 3}]}))


def test_rendering_says_what_is_waived_and_leaves_out_what_old_engines_do_not_know() -> None:
    policies = [{"base": "engine"}, {"allow": ["keyctl"], "waivers": {"keyctl": "one", "keyring": "two"}}]
    profile = compose_profile(policies, "20.10.24")
    assert "defaultErrnoRet" not in profile
    assert compose_profile({"base": "engine"}, "26.1")["defaultErrnoRet"] == 1
    [rule] = [rule for rule in profile["syscalls"] if rule["names"] == ["keyctl"]]
    assert rule == {"names": ["keyctl"], "action": ALLOW, "comment": "waived: one; two"}
    assert profile_text(profile).endswith(b"\n}\n")
    with pytest.raises(RefusedError):
        compose_profile([*policies[1:], {"allow": ["bpf"]}], "26.1")
    with pytest.raises(ConfigError, match="read the seccomp policy number 2: 5 is no mapping"):
        compose_profile([{}, 5], "26.1")
