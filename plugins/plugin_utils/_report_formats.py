# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document of a run as JSON, JUnit XML, SARIF 2.1.0 and lines for a terminal (private, pure)."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from ansible_collections.bulwark.docker.plugins.plugin_utils._report_run import BAD, GOOD, findings_of
from ansible_collections.bulwark.docker.plugins.plugin_utils._report_text import (
    fit,
    one_line,
    plural,
    show_value,
    visible,
    width_of,
)

__all__ = ["evidence_of", "to_json", "to_junit", "to_sarif", "to_summary"]

SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
SARIF_LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}
# What code scanning services sort by.
SARIF_SCORES = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "3.0"}
SUMMARY_LINES = 20
NAME_WIDTH = 40


def to_json(run: Mapping[str, Any]) -> str:
    """Return the document itself."""
    return json.dumps(run, separators=(",", ":")) + "\n"


def evidence_of(finding: Mapping[str, Any]) -> list[str]:
    """Return the lines of evidence of a control (a list) or of a probe (one text, and its control)."""
    evidence = finding.get("evidence") or []
    lines = [evidence] if isinstance(evidence, str) else list(evidence)
    return [visible(line) for line in lines]


def _heading(finding: Mapping[str, Any]) -> str:
    number = finding.get("number")
    return one_line(f"{number} {finding.get('title')}" if number else finding.get("title") or finding.get("id"))


def _reason(finding: Mapping[str, Any]) -> str:
    """Return one sentence that says why the verdict is as it is."""
    return one_line(finding.get("reason") or " ".join(evidence_of(finding)[:1]) or finding["verdict"])


def _remedy(finding: Mapping[str, Any]) -> str:
    remedy, variable = one_line(finding.get("remedy") or ""), one_line(finding.get("variable") or "")
    return f"{remedy} (variable {variable})" if variable and variable not in remedy else remedy


def _details(finding: Mapping[str, Any]) -> str:
    """Return everything that helps with one finding, as lines."""
    pairs = [
        ("configured", show_value(finding.get("configured"))),
        ("effective", show_value(finding.get("effective"))),
        ("control", visible(finding.get("control") or "")),
        ("remedy", _remedy(finding)),
    ]
    lines = [_reason(finding), *(f"evidence: {line}" for line in evidence_of(finding))]
    return "\n".join(lines + [f"{name}: {value}" for name, value in pairs if value])


def _not_judged(host: Mapping[str, Any]) -> bool:
    return host["audit"] is None and host["probes"] is None


def to_junit(run: Mapping[str, Any]) -> str:
    """Return JUnit XML: a test suite for each host, a test case for each control and probe.

    A host that was not judged is one test case with an error; manual, waived and not applicable ones are skipped.
    """
    top = ElementTree.Element("testsuites", name=one_line(run["title"]))
    totals: Counter[str] = Counter()
    for host in run["hosts"]:
        name = one_line(host["name"])
        suite = ElementTree.SubElement(top, "testsuite", name=name, timestamp=run["finished"].rstrip("Z"))
        counts = Counter(tests=0, failures=0, errors=0, skipped=0)
        if _not_judged(host) or host["state"] in ("unreachable", "failed"):
            counts.update(tests=1, errors=1)
            case = ElementTree.SubElement(suite, "testcase", classname=name, name="the host can be judged")
            ElementTree.SubElement(case, "error", message=one_line(f"{host['state']}: {host['message']}"))
        for finding in findings_of(host):
            counts.update(_junit_case(suite, name, finding))
        for key, value in counts.items():
            suite.set(key, str(value))
        totals.update(counts)
    for key in ("tests", "failures", "errors", "skipped"):
        top.set(key, str(totals[key]))
    ElementTree.indent(top, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(top, encoding="unicode") + "\n"


def _junit_case(suite: ElementTree.Element, host: str, finding: Mapping[str, Any]) -> dict[str, int]:
    """Add one test case; return what it counts as."""
    engine = one_line(finding.get("engine") or "")
    place = f"{host}.{finding['kind']}" + (f".{engine}" if engine else "")
    name = f"{_heading(finding)} [{one_line(finding.get('id', ''))}]"
    case = ElementTree.SubElement(suite, "testcase", classname=place, name=name)
    if finding.get("seconds") is not None:
        case.set("time", one_line(finding["seconds"]))
    verdict = finding["verdict"]
    if verdict in GOOD:
        return {"tests": 1}
    tag, count = {
        "fail": ("failure", "failures"),
        "not_blocked": ("failure", "failures"),
        "error": ("error", "errors"),
    }.get(verdict, ("skipped", "skipped"))
    outcome = ElementTree.SubElement(
        case, tag, message=one_line(f"{verdict}: {_waived_because(finding) or _reason(finding)}")
    )
    if tag != "skipped":
        outcome.set("type", one_line(finding.get("severity") or "medium"))
        outcome.text = _details(finding)
    return {"tests": 1, count: 1}


def _waived_because(finding: Mapping[str, Any]) -> str:
    waiver = finding.get("waiver")
    if finding["verdict"] != "waived" or not isinstance(waiver, Mapping):
        return ""
    return one_line(f"{waiver.get('reason', '')} (until {waiver.get('expires', '')})")


def to_sarif(run: Mapping[str, Any]) -> str:
    """Return SARIF 2.1.0: one result for each control that fails, is waived or needs a person, and each attack.

    What passes, is blocked or does not apply is not in it. Waivers are suppressions. A host that was not judged is a
    notification of the invocation, which then counts as unsuccessful. Compared runs have a baselineState.
    """
    rules: dict[str, dict[str, Any]] = {}
    places: dict[str, int] = {}
    results = []
    for host in run["hosts"]:
        for finding in findings_of(host):
            if finding["verdict"] in BAD or finding["verdict"] in ("waived", "manual"):
                identity = f"{finding['kind']}/{one_line(finding.get('id', ''))}"
                rules.setdefault(identity, _sarif_rule(identity, finding))
                results.append(_sarif_result(identity, places.setdefault(identity, len(places)), host, finding))
    silent = [host for host in run["hosts"] if host["state"] in ("unreachable", "failed") or _not_judged(host)]
    notices = [
        {
            "level": "error",
            "message": {"text": one_line(f"{host['name']}: {host['state']}: {host['message']}")},
            "locations": [_sarif_location(host["name"], "")],
        }
        for host in silent
    ]
    driver = {"name": "bulwark.docker", "version": run["collection_version"], "rules": list(rules.values())}
    invocation = {
        "executionSuccessful": not silent,
        "startTimeUtc": run["started"],
        "endTimeUtc": run["finished"],
        "toolExecutionNotifications": notices,
    }
    document = {
        "$schema": SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "automationDetails": {"description": {"text": one_line(run["title"])}, "id": "bulwark.docker/"},
                "invocations": [invocation],
                "columnKind": "unicodeCodePoints",
                "results": results,
            }
        ],
    }
    return json.dumps(document, separators=(",", ":")) + "\n"


def _sarif_rule(identity: str, finding: Mapping[str, Any]) -> dict[str, Any]:
    severity = str(finding.get("severity") or "medium")
    cis = finding.get("cis")
    numbers = [
        f"CIS-{edition}-{number}" for edition, number in (cis if isinstance(cis, Mapping) else {}).items() if number
    ]
    rule: dict[str, Any] = {
        "id": identity,
        "shortDescription": {"text": _heading(finding)},
        "defaultConfiguration": {"level": SARIF_LEVELS.get(severity, "warning")},
        "properties": {
            "tags": list(dict.fromkeys(["security", "docker", *map(one_line, numbers)])),
            "security-severity": SARIF_SCORES.get(severity, "5.5"),
        },
    }
    if _remedy(finding):
        rule["help"] = {"text": _remedy(finding)}
    return rule


def _sarif_location(host: str, engine: str) -> dict[str, Any]:
    name = one_line(f"{host}/{engine}" if engine else host)
    return {
        # Services that show findings beside files want one; the host stands in its place.
        "physicalLocation": {"artifactLocation": {"uri": "hosts/" + quote(name, safe="/")}},
        "logicalLocations": [{"name": one_line(engine or host), "fullyQualifiedName": name, "kind": "resource"}],
    }


def _sarif_result(identity: str, index: int, host: Mapping[str, Any], finding: Mapping[str, Any]) -> dict[str, Any]:
    verdict, engine = finding["verdict"], str(finding.get("engine") or "")
    print_of = hashlib.sha256("\0".join((host["name"], engine, identity)).encode("utf-8", "surrogatepass")).hexdigest()
    manual = verdict == "manual"
    level = "none" if manual else SARIF_LEVELS.get(str(finding.get("severity") or "medium"), "warning")
    result: dict[str, Any] = {
        "ruleId": identity,
        "ruleIndex": index,
        "kind": "review" if manual else "fail",
        "level": level,
        "message": {"text": f"{_heading(finding)}: {_details(finding)}"},
        "locations": [_sarif_location(host["name"], engine)],
        "partialFingerprints": {"hostEngineRule/v1": print_of},
    }
    if verdict == "waived":
        result["suppressions"] = [
            {"kind": "external", "status": "accepted", "justification": _waived_because(finding) or "waived"}
        ]
    if finding["before"]:
        result["baselineState"] = "unchanged" if finding["before"] == verdict else "updated"
    elif host["summary"]["compared"]:
        result["baselineState"] = "new"
    return result


COLUMNS = (
    ("fail", "fail"),
    ("pass", "pass"),
    ("waived", "waived"),
    ("manual", "manual"),
    ("not_blocked", "through"),
    ("blocked", "blocked"),
    ("error", "error"),
)


def to_summary(run: Mapping[str, Any], paths: Sequence[str] = ()) -> list[str]:
    """Return the lines for a terminal: the worst hosts first, then where the reports are."""
    shown = run["hosts"][:SUMMARY_LINES]
    columns = [column for column in COLUMNS if any(host["summary"][column[0]] for host in run["hosts"])]
    rows = [["host", "engine", *(title for _name, title in columns)]]
    for host in shown:
        numbers = [str(host["summary"][name]) for name, _title in columns]
        rows.append(
            [one_line(host["name"]), engine_words(host), *(numbers if not _not_judged(host) else ["-"] * len(columns))]
        )
    widths = [min(NAME_WIDTH, max(width_of(row[place]) for row in rows)) for place in range(2)]
    widths += [max(len(row[place]) for row in rows) for place in range(2, 2 + len(columns))]
    lines = [
        "  ".join(
            fit(cell, width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    left = len(run["hosts"]) - len(shown)
    if left:
        lines.append(f"and {left} more, none of them worse")
    return [*lines, "", headline(run), *(f"{path}" for path in paths)]


def engine_words(host: Mapping[str, Any]) -> str:
    """Return what runs on a host in a few words, or why nothing is known."""
    if host["state"] in ("unreachable", "failed"):
        return str(host["state"])
    words = []
    for engine in host["engines"]:
        name, state = one_line(engine.get("name") or "system"), one_line(engine.get("state") or "")
        text = one_line(engine.get("version") or "") if state == "running" else state.replace("_", " ")
        words.append(text if name == "system" and len(host["engines"]) == 1 else f"{name} {text}".strip())
    return ", ".join(words) or host["state"].replace("_", " ")


def headline(run: Mapping[str, Any]) -> str:
    """Return the run in one line."""
    totals = run["totals"]
    parts = [plural(totals["hosts"], "host")]
    silent = totals["states"]["unreachable"] + totals["states"]["failed"]
    if silent:
        parts.append(f"{silent} not judged")
    if any(totals[name] for name in ("pass", "fail", "waived", "manual")):
        parts.append(f"{plural(totals['fail'], 'control')} failed")
    if any(totals[name] for name in ("blocked", "not_blocked")):
        parts.append(f"{plural(totals['not_blocked'], 'attack')} got through")
    if totals["mended"] or totals["worse"]:
        parts.append(f"{totals['mended']} mended and {totals['worse']} worse than before")
    return ", ".join(parts)
