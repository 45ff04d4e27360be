# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seccomp profiles with one mistake each: what the lint has to say, and whether a container starts with it.

Unit tests hold the first against the lint, seccomp_agreement.py the second against the engine of a host.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

ALLOW, ERRNO = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"


class Case(NamedTuple):
    """One profile; starts: whether a container starts with it, None where engines differ or nothing can be seen."""

    code: str
    raw: bytes
    starts: bool | None


def text(profile: Mapping[str, Any]) -> bytes:
    """A profile as a file."""
    return json.dumps(profile).encode()


def changed(good: Mapping[str, Any], **fields: Any) -> bytes:
    """The good profile with other fields."""
    return text({**good, **fields})


def with_rule(good: Mapping[str, Any], **rule: Any) -> bytes:
    """The good profile with one more rule."""
    return changed(good, syscalls=[*good["syscalls"], rule])


def without(good: Mapping[str, Any], *calls: str, rule: Mapping[str, Any] | None = None) -> bytes:
    """The good profile without some calls, and with another rule in their place."""
    profile = copy.deepcopy(dict(good))
    for entry in profile["syscalls"]:
        entry["names"] = [name for name in entry["names"] if name not in calls]
    profile["syscalls"] = [entry for entry in profile["syscalls"] if entry["names"]] + ([rule] if rule else [])
    return text(profile)


def arch_map(good: Mapping[str, Any], old: str, new: str) -> list[dict[str, Any]]:
    """The good profile's archMap with another word for one architecture."""
    return json.loads(json.dumps(good["archMap"]).replace(f'"{old}"', f'"{new}"'))


def argument(index: int, op: str = "SCMP_CMP_EQ", value: int = 1, value_two: int = 0) -> dict[str, Any]:
    """One comparison."""
    return {"index": index, "op": op, "value": value, "valueTwo": value_two}


def reach_cases(good: Mapping[str, Any]) -> list[Case]:
    """Profiles that let through more than they should."""
    bare = {key: value for key, value in good.items() if key != "defaultErrnoRet"}
    return [
        Case("filter_off", b"{}", True),
        Case("default_allows", text({"defaultAction": ALLOW, "syscalls": []}), True),
        Case("flag_weakens", changed(good, flags=["SECCOMP_FILTER_FLAG_SPEC_ALLOW"]), None),
        Case("field_unknown", with_rule(good, names=["ptrace"], action=ALLOW, include={"minKernel": "9.9"},
                                        includes={"minKernel": "4.8"}), True),
        Case("field_repeated", text({"DefaultAction": "", **good}), True),
        Case("capability_unknown", with_rule(good, names=["mount"], action=ALLOW, includes={
            "caps": ["CAP_SYS_ADMIN", "SYS_ADMIN"]}), True),
        Case("condition_architecture", with_rule(good, names=["read"], action=ALLOW, excludes={
            "arches": ["SCMP_ARCH_S390X"]}), True),
        Case("argument_repeated", with_rule(good, names=["read"], action=ALLOW, args=[
            argument(0, "SCMP_CMP_GE", 3), argument(0, "SCMP_CMP_LE", 9)]), True),
        Case("takeover_allowed", with_rule(good, names=["kexec_load"], action=ALLOW), True),
        Case("wider_than_default", with_rule(good, names=["userfaultfd"], action=ALLOW), True),
        Case("clone3_bypass", without(good, "clone3", rule={"names": ["clone3"], "action": ALLOW}), True),
        Case("two_answers", with_rule(good, names=["read"], action=ERRNO, errnoRet=13), True),
        Case("default_kills", changed(bare, defaultAction="SCMP_ACT_KILL_PROCESS"), True),
    ]  # fmt: skip


def refused_cases(good: Mapping[str, Any]) -> list[Case]:
    """Profiles with which no container starts, or no program in it."""
    return [
        Case("not_json", text(good)[:-1], False),
        Case("not_an_object", b"[]", False),
        Case("field_type", with_rule(good, names=["read"], action=ALLOW, comment=1), False),
        Case("errno_range", with_rule(good, names=["swapon"], action=ERRNO, errnoRet=4096), False),
        Case("default_action_missing", text({key: good[key] for key in good if key != "defaultAction"}), False),
        Case("default_action_unknown", changed(good, defaultAction="ERRNO"), False),
        Case("action_unknown", with_rule(good, names=["read"], action="ALLOW"), False),
        Case("architecture_unknown", changed(good, archMap=arch_map(good, "SCMP_ARCH_X86", "x86")), False),
        Case("architectures_and_arch_map", changed(good, architectures=["SCMP_ARCH_X86_64"]), False),
        Case("names_and_name", with_rule(good, names=["read"], name="write", action=ALLOW), False),
        Case("min_kernel_form", with_rule(good, names=["read"], action=ALLOW, includes={"minKernel": "5.10.1"}), False),
        Case("argument_index", with_rule(good, names=["read"], action=ALLOW, args=[argument(6)]), False),
        Case("operator_unknown", with_rule(good, names=["read"], action=ALLOW, args=[argument(0, "EQ")]), False),
        Case("notify_listener", with_rule(good, names=["swapon"], action="SCMP_ACT_NOTIFY"), False),
        Case("flag_unknown", changed(good, flags=["SECCOMP_FILTER_FLAG_TSYNK"]), None),
        Case("essential_missing", without(good, "execve"), False),
        Case("clone3_error", without(good, "clone3"), True),
    ]  # fmt: skip


def idle_cases(good: Mapping[str, Any]) -> list[Case]:
    """Profiles of which a part does nothing."""
    other = [entry for entry in good["archMap"] if entry["architecture"] != "SCMP_ARCH_X86_64"]
    return [
        Case("names_missing", with_rule(good, action=ALLOW), True),
        Case("call_unknown", with_rule(good, names=["opent"], action=ALLOW), True),
        Case("native_missing", changed(good, archMap=other), True),
        Case("errno_without_effect", with_rule(good, names=["read"], action=ALLOW, errnoRet=1), True),
        Case("argument_never_true", with_rule(good, names=["read"], action=ALLOW, args=[
            argument(0, "SCMP_CMP_MASKED_EQ", 0, 7)]), True),
        Case("value_two_ignored", with_rule(good, names=["read"], action=ALLOW, args=[argument(0, value_two=3)]), True),
        Case("rule_without_effect", with_rule(good, names=["swapon"], action=ERRNO, errnoRet=1), True),
    ]  # fmt: skip


def all_cases(good: Mapping[str, Any]) -> list[Case]:
    """Every case; C(good) is the rendered base `engine` for the engine that is asked."""
    return reach_cases(good) + refused_cases(good) + idle_cases(good)
