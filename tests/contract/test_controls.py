# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the audit: each control is judged or left to a person, has numbers of its own, and names a real variable."""

from __future__ import annotations

import dataclasses
import sys
from collections import Counter
from collections.abc import Collection, Sequence

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._cis import (
    EDITIONS,
    ENGINE,
    HOST,
    NO_IDS,
    SEVERITIES,
    Control,
)
from ansible_collections.bulwark.docker.plugins.module_utils._cis_registry import CONTROLS, JUDGES
from ansible_collections.bulwark.docker.tests.contract.tree import ROOT, load_yaml, public_roles, report

sys.path.insert(0, str(ROOT / "tests/run"))

from control_table import DOCUMENT, with_table

# How many controls each section has.
EXPECTED = {
    "1.6": {"1": 20, "2": 18, "3": 24, "4": 12, "5": 32, "6": 2, "7": 9},
    "1.7": {"1": 20, "2": 18, "3": 24, "4": 12, "5": 32, "6": 2, "7": 9},
    "1.8": {"1": 20, "2": 19, "3": 24, "4": 12, "5": 32, "6": 2, "7": 9},
}


def variables() -> dict[str, set[str]]:
    """Return the variables of each role."""
    return {role: set(load_yaml(ROOT / "roles" / role / "defaults/main.yml")) for role in public_roles()}


def faults(controls: Sequence[Control], judges: Collection[str], roles: dict[str, set[str]]) -> list[str]:
    """Say what is wrong with a registry."""
    ids = Counter(control.id for control in controls)
    found = [f"{name}: there are {count} controls of this name" for name, count in ids.items() if count > 1]
    found += [f"{name}: a judge without a control" for name in sorted(set(judges) - set(ids))]
    for edition in EDITIONS:
        numbers = Counter(control.number(edition) for control in controls if control.number(edition))
        found += [f"{number}: {count} controls in {edition}" for number, count in numbers.items() if count > 1]
    for control in controls:
        if control.id not in judges and not control.look:
            found.append(f"{control.id}: has neither a judge nor a word about what to look at")
        if control.severity not in SEVERITIES or control.level not in (1, 2) or control.scope not in (HOST, ENGINE):
            found.append(f"{control.id}: severity, level or scope is none")
        if bool(control.role) != bool(control.variable):
            found.append(f"{control.id}: names a role without its variable, or the other way round")
        if control.role and control.variable not in roles.get(control.role, ()):
            found.append(f"{control.id}: {control.role} has no variable {control.variable}")
        if not control.remedy or control.title.endswith("."):
            found.append(f"{control.id}: has no remedy, or a title that ends with a full stop")
    return found


def missing_numbers(controls: Sequence[Control], edition: str, section: str, count: int) -> list[str]:
    """Say which numbers of a section are missing or too many."""
    have = [control.number(edition) for control in controls if control.number(edition).partition(".")[0] == section]
    wanted = [f"1.1.{n}" for n in range(1, 19)] + ["1.2.1", "1.2.2"]
    if section != "1":
        wanted = [f"{section}.{n}" for n in range(1, count + 1)]
    return [f"{edition}: {number}" for number in sorted(set(have) ^ set(wanted))]


def test_controls_are_sound() -> None:
    report(faults(CONTROLS, JUDGES, variables()), len(CONTROLS), "controls")


@pytest.mark.parametrize("edition", EDITIONS)
def test_every_number_of_the_benchmark_is_there(edition: str) -> None:
    found = [
        text
        for section, count in EXPECTED[edition].items()
        for text in missing_numbers(CONTROLS, edition, section, count)
    ]
    report(found, sum(EXPECTED[edition].values()), "numbers")


def test_document_lists_the_controls() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text == with_table(text), "docs/cis_audit.md is old: run tests/run/control_table.py --write"


GOOD = Control("good", NO_IDS, "It is well", "low", "do it", role="daemon_baseline", variable="daemon_baseline_icc")


@pytest.mark.parametrize(
    "change",
    [
        {"id": "other"},
        {"severity": "bad"},
        {"level": 3},
        {"scope": "world"},
        {"variable": ""},
        {"variable": "daemon_baseline_nothing"},
        {"title": "It is well."},
        {"remedy": ""},
    ],
)
def test_faults_flags(change: dict[str, object]) -> None:
    roles = {"daemon_baseline": {"daemon_baseline_icc"}}
    assert faults([GOOD], ["good"], roles) == []
    assert faults([dataclasses.replace(GOOD, **change)], ["good"], roles)


def test_faults_flags_two_of_one_name_or_number() -> None:
    roles = {"daemon_baseline": {"daemon_baseline_icc"}}
    numbered = dataclasses.replace(GOOD, id="numbered", cis=("2.1", "2.1", "2.1"))
    other = dataclasses.replace(numbered, id="other")
    assert faults([GOOD, GOOD], ["good"], roles)
    assert faults([numbered, other], ["numbered", "other"], roles)


def test_missing_numbers_flags_gaps() -> None:
    assert missing_numbers([], "1.8", "6", 2) == ["1.8: 6.1", "1.8: 6.2"]
