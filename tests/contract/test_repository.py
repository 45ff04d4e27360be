# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the repository: licences, change log, README, commands, and nothing of the machine it was written on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.bulwark.docker.tests.contract.tree import (
    FQCN,
    INTERNAL_ROLES,
    ROOT,
    files,
    load_yaml,
    module_files,
    playbook_files,
    public_roles,
    relative,
    report,
    source_of,
    tracked,
)

HEADER = (
    "# Copyright (c) 2026, bulwark.docker contributors",
    "# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)",
    "# SPDX-License-Identifier: GPL-3.0-or-later",
)
# Made by a tool that writes no header, or the licence itself.
WITHOUT_HEADER = frozenset({"LICENSE", "CHANGELOG.md", "CHANGELOG.rst", "changelogs/changelog.yaml"})
PICTURES = (".png", ".jpg", ".svg", ".gif")
# Written so that neither pattern matches its own text.
MACHINE = re.compile(r"/wor[k]/|/far[m]/|/tmp/[a-z]+la[b]|/opt/whee[l]s|/root/\.pyen[v]")
REGISTRIES = re.compile(r"\b(registry-1\.docker|ghcr|quay|gcr)\.i[o]\b|\bmcr\.microsof[t]\.com\b")
MAKE = re.compile(r"(?:^|[`$]) *make +((?:[A-Z]+=\S+ +)*)([a-z][a-z-]*)", re.MULTILINE)
TARGET = re.compile(r"^([a-z][a-z -]*):", re.MULTILINE)


def header_faults(name: str, text: str) -> list[str]:
    """Say what is wrong with the licence lines at the top of one file."""
    lines = text.splitlines()
    if name.endswith(".py"):
        start = 1 if lines and lines[0].startswith("#!") else 0
        return [] if tuple(lines[start : start + 3]) == HEADER else ["does not start with the three licence lines"]
    top = "\n".join(lines[:8])
    wanted = (HEADER[0].removeprefix("# "), HEADER[2].removeprefix("# "))
    return [f"no {line!r} in its first lines" for line in wanted if line not in top]


def machine_traces(text: str) -> list[str]:
    """Return paths of one machine and hosts of image registries in a text."""
    return [match[0] for pattern in (MACHINE, REGISTRIES) for match in pattern.finditer(text)]


def unknown_commands(text: str, makefile: str) -> list[str]:
    """Return the make targets that a document names and the Makefile does not have."""
    targets = {word for match in TARGET.finditer(makefile) for word in match[1].split()}
    return sorted({match[2] for match in MAKE.finditer(text)} - targets)


def table_rows(readme: str) -> list[str]:
    """Return the role names that the README's table of roles links to."""
    return re.findall(r"^\| *\[`?(\w+)`?\]\(roles/\1/README\.md\)", readme, re.MULTILINE)


def text_files() -> list[tuple[str, str]]:
    """Return (name, text) of every tracked file that is text."""
    found = []
    for name in tracked():
        if not name.endswith(PICTURES):
            try:
                found.append((name, (ROOT / name).read_text(encoding="utf-8")))
            except UnicodeDecodeError:
                continue
    return found


def sidecar(name: str) -> Path:
    """Return where the licence of a file stands that cannot hold one itself."""
    return ROOT / f"{name}.license"


def test_every_file_says_its_licence() -> None:
    checked = [
        (name, text)
        for name, text in text_files()
        if name not in WITHOUT_HEADER and not name.endswith(".json") and not sidecar(name).exists()
    ]
    bare = [name for name in tracked() if name.endswith((*PICTURES, ".json")) and not sidecar(name).exists()]
    found = [f"{name}: {fault}" for name, text in checked if text for fault in header_faults(name, text)]
    found += [f"{name}: cannot hold its licence and has no {name}.license" for name in bare]
    report(found, len(checked), "text files")


def test_nothing_names_the_machine_it_was_written_on() -> None:
    seen = text_files()
    report([f"{name}: {trace}" for name, text in seen for trace in machine_traces(text)], len(seen), "text files")


def test_version_has_a_change_log_entry() -> None:
    version = load_yaml(ROOT / "galaxy.yml")["version"]
    released = load_yaml(ROOT / "changelogs/changelog.yaml")["releases"] or {}
    fragments = files("changelogs/fragments/*.yml")
    wrong = [relative(path) for path in fragments if not re.fullmatch(r"\d+-[a-z0-9-]+\.yml", path.name)]
    assert not wrong, f"fragments are named NUMBER-TOPIC.yml: {wrong}"
    assert version in released or fragments, f"{version}: no entry in changelog.yaml and no fragment"


def test_readme_lists_every_public_role_and_nothing_else() -> None:
    assert table_rows(source_of(ROOT / "README.md")) == public_roles()
    assert public_roles(), "no public roles found: this rule looked at nothing"


def test_readme_names_every_module_and_playbook() -> None:
    readme = source_of(ROOT / "README.md")
    names = [path.stem for path in module_files()] + [f"{FQCN}.{path.stem}" for path in playbook_files()]
    report([f"README.md does not name {name}" for name in names if f"`{name}`" not in readme], len(names), "modules")


def test_documents_name_only_commands_that_exist() -> None:
    makefile = source_of(ROOT / "Makefile")
    seen = files("*.md", "docs/**/*.md", "roles/*/README.md")
    found = [
        f"{relative(path)}: make {target}: there is no such target"
        for path in seen
        for target in unknown_commands(source_of(path), makefile)
    ]
    report(found, len(seen), "documents")


def test_readme_says_how_to_try_and_how_to_test() -> None:
    named = {match[2] for match in MAKE.finditer(source_of(ROOT / "README.md"))}
    assert {"demo", "test"} <= named


def test_internal_roles_say_that_they_are() -> None:
    specs = [load_yaml(ROOT / "roles" / role / "meta/argument_specs.yml")["argument_specs"] for role in INTERNAL_ROLES]
    texts = [spec["short_description"] for entry_points in specs for spec in entry_points.values()]
    report([text for text in texts if "nternal" not in text], len(texts), "entry points of internal roles")


def test_pinned_requirements_are_exact_and_hold_what_was_asked_for() -> None:
    found, seen = [], 0
    common = source_of(ROOT / "requirements/common.in")
    for name in ("py311", "py312"):
        asked = re.findall(r"^\w[\w.-]*==\S+$", common + source_of(ROOT / f"requirements/{name}.in"), re.MULTILINE)
        lines = [
            line for line in source_of(ROOT / f"requirements/{name}.txt").splitlines() if line[:1] not in ("#", "")
        ]
        pins = {line.lower() for line in lines}
        seen += len(lines)
        found += [
            f"{name}.txt: {line}: not an exact version" for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)
        ]
        found += [f"{name}.txt: {line} of the .in file is missing" for line in asked if line.lower() not in pins]
    report(found, seen, "pins")


def test_galaxy_and_pypi_bring_the_same_collections() -> None:
    lines = source_of(ROOT / "requirements/collections.txt").splitlines()
    listed = sorted(line for line in lines if line and not line.startswith("#"))
    assert listed == sorted(entry["name"] for entry in load_yaml(ROOT / "requirements.yml")["collections"])


GOOD_PYTHON = "\n".join(HEADER) + "\nx = 1\n"


def test_header_faults_passes_good_files() -> None:
    assert header_faults("a.py", GOOD_PYTHON) == []
    assert header_faults("a.py", "#!/usr/bin/python\n" + GOOD_PYTHON) == []
    assert header_faults("a.yml", f"---\n{HEADER[0]}\n{HEADER[2]}\n") == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.py", "x = 1"),
        ("a.py", GOOD_PYTHON.replace("or-later", "only")),
        ("a.py", "\n" + GOOD_PYTHON),
        ("a.yml", "---\na: 1\n"),
        ("a.sh", f"#!/bin/sh\n{HEADER[2]}\n"),
        ("a.yml", "\n" * 20 + GOOD_PYTHON),
    ],
)
def test_header_faults_flags(name: str, text: str) -> None:
    assert header_faults(name, text)


@pytest.mark.parametrize("text", ["cd /{}/main", "/tmp/x{}/y", "{}.io/a/b", "registry-1.docker.{}/a"])
def test_machine_traces_flags(text: str) -> None:
    assert any(machine_traces(text.format(word)) for word in ("work", "lab", "ghcr", "io"))
    assert not machine_traces(text)


def test_machine_traces_passes_the_package_of_that_name() -> None:
    assert machine_traces("apt-get install docker.io; the network at /tmp") == []


@pytest.mark.parametrize("text", ["run `make tests`", "    make X=1 nothing\n", "$ make nothing"])
def test_unknown_commands_flags(text: str) -> None:
    assert unknown_commands(text, "help: ## x\ntest lint: ## y\n")


def test_unknown_commands_passes_known_ones() -> None:
    assert unknown_commands("`make test`, `make PYTHON=python3.13 lint`; they make sure", "test lint: ## y\n") == []


def test_table_rows_reads_links_only() -> None:
    assert table_rows("| [`a_b`](roles/a_b/README.md) | x |\n| [`c`](roles/d/README.md) | x |\n`e`\n") == ["a_b"]
