# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users get: the collection built, looked through, installed into an empty project, and used from there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tarfile

import pytest
import yaml

from ansible_collections.bulwark.docker.tests.artefact.install import ROOT, build, install

LARGEST = 2_000_000
# What makes up the product; everything of it has to be there.
PRODUCT = ("docs", "meta", "playbooks", "plugins", "roles")
MADE_BY_GALAXY = {"MANIFEST.json", "FILES.json"}
EXAMPLE = re.compile(r"<!-- execution-environment:begin -->\s+```yaml\n(.*?)```", re.DOTALL)


def tracked(*folders: str) -> set[str]:
    """Return the files that git tracks or would track."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *folders]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return {name for name in os.fsdecode(done.stdout).split("\0") if name and (ROOT / name).is_file()}


@pytest.fixture(scope="module")
def artefact(tmp_path_factory):
    return build(tmp_path_factory.mktemp("artefact"))


@pytest.fixture(scope="module")
def content(artefact):
    """Bytes of each file of the archive by its name."""
    with tarfile.open(artefact) as archive:
        members = [member for member in archive if member.isfile()]
        return {member.name: archive.extractfile(member).read() for member in members}


@pytest.fixture(scope="module")
def project(artefact, tmp_path_factory):
    """An empty project with nothing but the installed collection; a function that runs a program there."""
    folder = tmp_path_factory.mktemp("project")
    environ = install(artefact, folder)

    def run(*argv):
        done = subprocess.run(argv, cwd=folder, env=environ, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run.folder = folder
    return run


def test_artefact_holds_the_whole_product_and_nothing_that_git_does_not_know(content):
    product = tracked(*PRODUCT)
    assert len(product) > 200
    assert product - set(content) == set()
    assert set(content) - tracked() - MADE_BY_GALAXY == set()


def test_artefact_holds_no_tests_and_no_tools(content):
    tops = {name.split("/")[0] for name in content}
    assert tops.isdisjoint({"tests", "molecule", "benchmarks", "requirements", "Makefile", "pyproject.toml"})
    assert not [name for name in content if name.startswith(".") or "/." in name or name.endswith((".pyc", ".retry"))]


def test_artefact_is_small_and_does_not_name_where_it_was_built(artefact, content):
    assert artefact.stat().st_size < LARGEST
    places = [os.fsencode(ROOT), os.fsencode(artefact.parent)]
    assert not [name for name, text in content.items() if any(place in text for place in places)]


def test_playbooks_of_the_artefact_can_be_read(project):
    names = [path.stem for path in (ROOT / "playbooks").glob("*.yml")]
    assert len(names) >= 2
    for name in names:
        project("ansible-playbook", "-i", "localhost,", "--syntax-check", f"bulwark.docker.{name}")


def test_documentation_comes_from_the_artefact(project):
    modules = sorted(path.stem for path in (ROOT / "plugins/modules").glob("[a-z]*.py"))
    text = project("ansible-doc", "--json", *(f"bulwark.docker.{name}" for name in modules))
    documents = json.loads(text)
    assert sorted(name.rpartition(".")[2] for name in documents) == modules
    places = {entry["doc"]["filename"] for entry in documents.values()}
    assert not [place for place in places if not place.startswith(str(project.folder))]


def test_roles_of_the_artefact_are_documented(project):
    roles = {path.parent.parent.name for path in (ROOT / "roles").glob("*/meta/argument_specs.yml")}
    documents = json.loads(project("ansible-doc", "--json", "--type", "role", "--list", "bulwark.docker"))
    assert {name.rpartition(".")[2] for name in documents} == roles
    assert roles


def test_builder_of_execution_environments_finds_what_the_collection_needs(project):
    found = yaml.safe_load(project("ansible-builder", "introspect", str(project.folder / "collections")))
    assert [line.split("#")[0].strip() for line in found["python"]] == ["cryptography>=3.3"]
    assert [line.split("#")[0].strip() for line in found["system"]] == [
        "openssh-client [platform:dpkg]",
        "openssh-clients [platform:rpm]",
    ]


def test_execution_environment_of_the_documentation_is_a_valid_one(project):
    text = (ROOT / "docs/fleet.md").read_text("utf-8")
    example = EXAMPLE.search(text)
    assert example is not None
    (project.folder / "execution-environment.yml").write_text(example[1], "utf-8")
    project("ansible-builder", "create", "--output-filename", "Containerfile")
    made = (project.folder / "context/Containerfile").read_text("utf-8")
    assert yaml.safe_load(example[1])["images"]["base_image"]["name"] in made
    assert "bulwark.docker" in (project.folder / "context/_build/requirements.yml").read_text("utf-8")
