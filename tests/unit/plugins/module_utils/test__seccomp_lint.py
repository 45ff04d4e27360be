# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lint: each mistake has a case that only it finds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_lint import SEVERITIES, lint_any, lint_profile
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_profile import compose_profile, profile_text
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_tables import GROUPS
from ansible_collections.bulwark.docker.plugins.module_utils._version import parse_version
from ansible_collections.bulwark.docker.tests.real.seccomp_cases import (
    ALLOW,
    Case,
    all_cases,
    changed,
    with_rule,
    without,
)

VERSIONS = ("20.10.24", "26.1.5", "28.5.2")
GOOD = {version: compose_profile({"base": "engine"}, version) for version in VERSIONS}


def codes(raw: bytes, version: str = "26.1.5", **more: Any) -> list[str]:
    """What is found."""
    return sorted({finding.code for finding in lint_profile(raw, parse_version(version), **more)})


def old_cases() -> list[tuple[str, bytes, str]]:
    """Mistakes that depend on the version: code, profile, version."""
    io_uring = {"names": ["io_uring_setup"], "action": ALLOW}
    any_socket = {"names": ["socket"], "action": ALLOW}
    hardened = compose_profile({"base": "hardened"}, "20.10.3")
    return [
        ("errno_ignored", changed(GOOD["20.10.24"], defaultErrnoRet=13), "20.10.24"),
        ("errno_ignored", profile_text(hardened), "20.10.3"),
        ("outdated_allows", with_rule(GOOD["26.1.5"], **io_uring), "26.1.5"),
        ("outdated_allows", without(GOOD["26.1.5"], "socket", rule=any_socket), "26.1.5"),
        ("outdated_lacks", without(GOOD["28.5.2"], "mseal"), "28.5.2"),
    ]


CASES = [(case, version) for version in VERSIONS for case in all_cases(GOOD[version])]
CASES += [(Case(code, raw, None), version) for code, raw, version in old_cases()]


@pytest.mark.parametrize(("case", "version"), CASES, ids=[f"{case.code}-{version}" for case, version in CASES])
def test_each_mistake_is_found_and_nothing_else(case: Case, version: str) -> None:
    assert codes(case.raw, version) == [case.code]


def test_there_is_a_case_for_every_mistake() -> None:
    assert {case.code for case, _version in CASES} == set(SEVERITIES)
    assert len(SEVERITIES) >= 20


@pytest.mark.parametrize("version", VERSIONS)
def test_an_engine_that_does_not_start_is_told_by_a_fatal_finding_only(version: str) -> None:
    seen = 0
    for case in all_cases(GOOD[version]):
        if case.starts is False:
            seen += 1
            assert SEVERITIES[case.code] == "fatal", case.code
    assert seen > 10


@pytest.mark.parametrize("version", VERSIONS)
def test_good_profiles_have_no_findings(version: str) -> None:
    assert codes(json.dumps(GOOD[version]).encode(), version) == []


def test_messages_say_where_what_and_what_to_do() -> None:
    [finding] = lint_profile(b"{}", parse_version("26.1"), "/etc/x.json")
    assert finding.message == (
        "Check /etc/x.json: without defaultAction and syscalls the engine uses no filter at all; write a profile"
    )
    [finding] = lint_profile(with_rule(GOOD["26.1.5"], names=["mount"], action=ALLOW), parse_version("26.1.5"), "x")
    assert finding.message.startswith("Check x, mount: lets a container reach the host")
    assert (finding.severity, finding.where) == ("weak", "mount")


def test_a_copied_profile_of_an_old_engine() -> None:
    assert codes(json.dumps(GOOD["20.10.24"]).encode(), "28.5.2") == ["outdated_allows", "outdated_lacks"]


def test_waivers_by_call_and_by_group() -> None:
    raw = with_rule(GOOD["26.1.5"], names=["keyctl"], action=ALLOW)
    assert codes(raw) == ["takeover_allowed"]
    assert codes(raw, waivers=["keyctl"]) == codes(raw, waivers=["keyring"]) == []
    assert codes(raw, waivers=["bpf"]) == ["takeover_allowed"]


def test_a_profile_that_allows_by_default_is_not_asked_for_single_calls() -> None:
    rules = [{"names": ["keyctl"], "action": "SCMP_ACT_ERRNO"}]
    for action in ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG"):
        assert codes(json.dumps({"defaultAction": action, "syscalls": rules}).encode()) == ["default_allows"]


def test_text_and_data() -> None:
    found = lint_any({"defaultAction": "x"}, "26.1", [], "mine")
    assert found[0] == {
        "code": "default_action_unknown",
        "severity": "fatal",
        "where": "defaultAction",
        "message": "Check mine, defaultAction: 'x' is no action; use SCMP_ACT_ERRNO",
    }
    assert lint_any('{"defaultAction": "x"}', "26.1", [], "mine") == found
    with pytest.raises(ConfigError, match="check mine: list is neither the text of a profile nor its data"):
        lint_any([], "26.1", [], "mine")


def test_the_document_explains_every_mistake_and_every_group() -> None:
    document = (Path(__file__).resolve().parents[4] / "docs/seccomp.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", document, re.MULTILINE))
    assert {code: rows.get(code) for code in SEVERITIES} == SEVERITIES
    groups = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|$", document, re.MULTILINE))
    assert {name: groups.get(name) for name in GROUPS} == {name: group.reason for name, group in GROUPS.items()}
