# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the proofs: scenarios ask programs, repeat themselves, attack, and no test is switched off."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bulwark.docker.tests.contract.tree import (
    FQCN,
    ROOT,
    files,
    load_yaml,
    public_roles,
    relative,
    report,
    source_of,
)

BASE_CONFIG = ROOT / ".config/molecule/config.yml"
NEGATIVE = re.compile(
    r"attack|block|cannot|deni|deny|forbid|hostile|no_route|not_reach|refus|reject|unreachable|without_certificate"
)
# What a testinfra host offers to ask a program instead of looking at a file.
ASKING = frozenset({"ansible", "check_output", "process", "run", "run_expect", "run_test", "service", "socket"})
# Written so that it does not match its own text.
SWITCHED_OFF = re.compile(r"pytest\.(mark\.)?(skip|xfail|importorskip)\w*|unittest\.skip\w*|\bassert Tru[e]\b")


def scenario_directories() -> list[Path]:
    """Return the directory of every Molecule scenario."""
    return [path.parent for path in files("molecule/*/molecule.yml")]


def test_functions(source: str) -> Iterator[ast.FunctionDef]:
    """Yield the test functions of one file."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node


test_functions.__test__ = False  # type: ignore[attr-defined]


def scenario_faults(sources: list[str]) -> list[str]:
    """Say what the tests of one scenario lack: any test, one that attacks, one that asks a program."""
    functions = [function for source in sources for function in test_functions(source)]
    found = [] if functions else ["has no test"]
    if not any(NEGATIVE.search(function.name) for function in functions):
        found.append("has no test whose name says what is refused")
    asked = {node.attr for source in sources for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute)}
    if not asked & ASKING:
        found.append("asks no program, it only looks at files")
    return found


def sequence_faults(steps: list[str]) -> list[str]:
    """Say which steps a role's scenario leaves out: fresh hosts, a repetition, the tests, taking back, the end."""
    kinds = [step.split()[0] for step in steps]
    wanted = ("create", "converge", "idempotence", "verify", "destroy")
    found = [f"its test_sequence has no {kind}" for kind in wanted if kind not in kinds]
    if kinds.count("converge") + kinds.count("side_effect") < 2:
        found.append("takes nothing back: it has neither a side_effect nor a second converge")
    return found


def playbook_faults(steps: list[str], playbooks: dict[str, Any], names: set[str]) -> list[str]:
    """Say where Molecule would pass over a side effect in silence: it wants one under ``playbooks`` to run any."""
    wanted = any(step.split()[0] == "side_effect" and len(step.split()) > 1 for step in steps)
    known = "side_effect" in playbooks or "side_effect.yml" in names
    return ["names side effects, but playbooks has no side_effect, so none runs"] if wanted and not known else []


def name_faults(steps: list[str], names: set[str]) -> list[str]:
    """Say where a scenario's steps and files do not fit; Molecule passes over both in silence.

    ``steps`` are those of test_sequence, with their argument ("verify tests_removed"); ``names`` are the playbooks of
    the scenario and those of its directories that hold test functions.
    """
    words = [step.split() for step in steps]
    usual = {"verify": "tests", "side_effect": "side_effect.yml"}
    used = {word[1] if len(word) > 1 else usual[word[0]] for word in words if word[0] in usual}
    found = [f"uses {name}, which it does not have" for name in sorted(used - names)]
    unused = {name for name in names - used if name.startswith("tests")}
    return found + [f"never verifies {name}" for name in sorted(unused)]


def switched_off(source: str) -> list[str]:
    """Return every construct that keeps a test from proving anything."""
    return [match[0] for match in SWITCHED_OFF.finditer(source)]


def sequence_of(directory: Path) -> list[str]:
    """Return the steps of one scenario, its own or those of the base configuration."""
    merged: dict[str, Any] = {}
    for path in (BASE_CONFIG, directory / "molecule.yml"):
        merged.update(((load_yaml(path) or {}).get("scenario") or {}) if path.exists() else {})
    return list(merged.get("test_sequence", []))


def names_in(directory: Path) -> set[str]:
    """Return the playbooks of a scenario and those of its directories that hold test functions."""
    where = relative(directory)
    tested = [
        path
        for path in files(f"{where}/*/**/test_*.py", f"{where}/*/test_*.py")
        if list(test_functions(source_of(path)))
    ]
    own = {path.name for path in files(f"{where}/*.yml")} | {path.relative_to(directory).parts[0] for path in tested}
    return own | {name for name in borrowed(directory) if (directory / name).exists()}


def borrowed(directory: Path) -> list[str]:
    """Return what a scenario's steps take from another scenario ("verify ../other/tests")."""
    words = [step.split() for step in sequence_of(directory)]
    return [word[1] for word in words if len(word) > 1 and word[1].startswith("../")]


def sources_of(directory: Path) -> list[str]:
    """Return the texts of a scenario's tests, borrowed ones too."""
    folders = [directory, *((directory / name).resolve() for name in borrowed(directory))]
    return [source_of(path) for folder in folders for path in files(f"{relative(folder)}/**/test_*.py")]


def playbooks_of(directory: Path) -> dict[str, Any]:
    """Return the playbooks that a scenario names."""
    config = load_yaml(directory / "molecule.yml") or {}
    return (config.get("ansible") or {}).get("playbooks") or {}


def test_every_scenario_attacks_and_asks_programs() -> None:
    seen = scenario_directories()
    found = [
        f"{relative(directory)}: {fault}"
        for directory in seen
        for fault in name_faults(sequence_of(directory), names_in(directory))
        + playbook_faults(sequence_of(directory), playbooks_of(directory), names_in(directory))
        + scenario_faults(sources_of(directory))
    ]
    report(found, len(seen), "scenarios")


def test_every_public_role_has_a_scenario_that_repeats_and_takes_back() -> None:
    found = []
    for role in public_roles():
        directory = ROOT / "molecule" / role
        if not (directory / "molecule.yml").exists():
            found.append(f"molecule/{role}: the role {role} has no scenario")
            continue
        found += [f"molecule/{role}: {fault}" for fault in sequence_faults(sequence_of(directory))]
        text = "".join(source_of(path) for path in files(f"molecule/{role}/**/*.yml"))
        if f"{FQCN}.{role}" not in text and f"{role}_" not in text:
            found.append(f"molecule/{role}: does not use the role")
        if "absent" not in text and f"{FQCN}.remove" not in text:
            found.append(f"molecule/{role}: never removes what the role did")
    report(found, len(public_roles()), "public roles")


def test_no_test_is_switched_off() -> None:
    seen = files("tests/**/*.py", "molecule/**/*.py", "benchmarks/**/*.py")
    found = [f"{relative(path)}: {hit}" for path in seen for hit in switched_off(source_of(path))]
    report(found, len(seen), "Python files of tests")


def test_no_sanity_finding_is_ignored() -> None:
    ignored = files("tests/sanity/ignore*.txt", "tests/sanity/*.json")
    assert not ignored, [relative(path) for path in ignored]


GOOD = "def test_other_user_is_refused(host):\n    assert host.run('true').rc == 0\n"


def test_scenario_faults_passes_a_good_scenario() -> None:
    assert scenario_faults([GOOD]) == []


@pytest.mark.parametrize(
    "sources",
    [
        [],
        ["x = 1"],
        [GOOD.replace("is_refused", "file_exists")],
        [GOOD.replace("host.run('true').rc", "host.file('/x').mode")],
    ],
)
def test_scenario_faults_flags(sources: list[str]) -> None:
    assert scenario_faults(sources)


SEQUENCE = ["create", "converge", "idempotence", "verify", "side_effect remove.yml", "verify tests_removed", "destroy"]
NAMES = {"converge.yml", "remove.yml", "tests", "tests_removed"}


def test_sequence_faults_passes_a_good_sequence() -> None:
    assert sequence_faults(SEQUENCE) == []


@pytest.mark.parametrize("step", SEQUENCE[:5] + SEQUENCE[6:])
def test_sequence_faults_flags_a_missing(step: str) -> None:
    assert sequence_faults([name for name in SEQUENCE if name.split()[0] != step.split()[0]])


def test_playbook_faults_passes_a_named_side_effect() -> None:
    assert playbook_faults(SEQUENCE, {"side_effect": "remove.yml"}, NAMES) == []


def test_playbook_faults_flags_a_side_effect_that_would_not_run() -> None:
    assert playbook_faults(SEQUENCE, {}, NAMES) == [
        "names side effects, but playbooks has no side_effect, so none runs"
    ]


def test_name_faults_passes_names_that_fit() -> None:
    assert name_faults(SEQUENCE, NAMES) == []


@pytest.mark.parametrize("name", ["remove.yml", "tests", "tests_removed"])
def test_name_faults_flags_a_name_that_is_not_there(name: str) -> None:
    assert name_faults(SEQUENCE, NAMES - {name}) == [f"uses {name}, which it does not have"]


def test_name_faults_flags_tests_that_never_run() -> None:
    assert name_faults(SEQUENCE, NAMES | {"tests_forgotten"}) == ["never verifies tests_forgotten"]


@pytest.mark.parametrize("word", ["mark.skip", "mark.xfail(strict=True)", "skip('x')", "importorskip('x')"])
def test_switched_off_flags(word: str) -> None:
    assert switched_off(f"pytest.{word}")
    assert switched_off("    assert {}".format("True"))
