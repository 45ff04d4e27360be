# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document of a run as one HTML page that needs nothing else (private, pure).

The overview is markup, so that it can be read without JavaScript. The findings of single hosts are data in the page,
and drawn when they are looked at: texts are stored once, and a finding is a row of numbers.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from ansible_collections.bulwark.docker.plugins.plugin_utils._report_formats import engine_words, evidence_of
from ansible_collections.bulwark.docker.plugins.plugin_utils._report_run import BAD, SEVERITIES, findings_of
from ansible_collections.bulwark.docker.plugins.plugin_utils._report_text import one_line, show_value, visible

__all__ = ["PARTS", "to_html"]

# The files that the page is made of.
PARTS = ("page.html.j2", "page.css", "page.js")
SECTIONS = (
    ("probe", "Attacks"),
    ("1", "1 The host"),
    ("2", "2 The engine's settings"),
    ("3", "3 The engine's files"),
    ("4", "4 Images"),
    ("5", "5 Containers"),
    ("6", "6 Operation"),
    ("7", "7 Swarm"),
    ("own", "Beyond the benchmark"),
)
# Columns that only some fleets need.
OPTIONAL = (("error", "Errors"), ("waived", "Waived"), ("manual", "To check"))
COMMON_ROWS = 15
# Of the message of a host in the overview; its own part shows the whole.
NOTE_LENGTH = 240
FOOTER = (
    "Verdicts are what was found on the hosts at the time above. What is called blocked was tried against the running "
    "engine, not read in a file."
)


class _Strings:
    """Each text once, told by its place."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {"": 0}

    def place(self, text: str) -> int:
        return self.places.setdefault(text, len(self.places))


def _control(finding: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a finding says on every host that has it."""
    cis = finding.get("cis")
    numbers = [
        f"{number} ({edition})" for edition, number in (cis if isinstance(cis, Mapping) else {}).items() if number
    ]
    section = str(finding.get("section") or "own")
    known = {key for key, _title in SECTIONS}
    return {
        "kind": finding["kind"],
        "id": one_line(finding.get("id", "")),
        "number": one_line(finding.get("number") or ""),
        "title": one_line(finding.get("title") or finding.get("id", "")),
        "group": "probe" if finding["kind"] == "probe" else section if section in known else "own",
        "level": one_line(finding.get("level") or ""),
        "automated": finding.get("automated") is not False,
        "severity": _severity(finding),
        "role": one_line(finding.get("role") or ""),
        "variable": one_line(finding.get("variable") or ""),
        "cis": ", ".join(map(one_line, numbers)),
    }


def _severity(finding: Mapping[str, Any]) -> str:
    severity = str(finding.get("severity") or "medium")
    return severity if severity in SEVERITIES else "medium"


def _waiver(finding: Mapping[str, Any]) -> str:
    waiver = finding.get("waiver")
    if not isinstance(waiver, Mapping):
        return ""
    return one_line(f"{waiver.get('reason', '')}, until {waiver.get('expires', '')}")


def _engine_line(engine: Mapping[str, Any]) -> str:
    words = (
        engine.get("name"),
        engine.get("version"),
        str(engine.get("state") or "").replace("_", " "),
        engine.get("socket"),
    )
    return ", ".join(one_line(word) for word in words if word)


def page_data(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page's program draws: strings, controls, sections and hosts, in the order of the document."""
    strings = _Strings()
    controls: dict[str, int] = {}
    hosts = []
    for host in run["hosts"]:
        rows = []
        for finding in findings_of(host):
            control = controls.setdefault(json.dumps(_control(finding)), len(controls))
            texts = (
                one_line(finding.get("engine") or ""),
                finding["verdict"],
                finding["before"],
                finding["change"],
                show_value(finding.get("configured")),
                show_value(finding.get("effective")),
                one_line(finding.get("reason") or ""),
                visible(finding.get("remedy") or ""),
                _waiver(finding),
                visible(finding.get("control") or ""),
                *evidence_of(finding),
            )
            rows.append([control, *(strings.place(text) for text in texts)])
        hosts.append(
            {
                "shown": one_line(host["name"]),
                "address": one_line(host["address"]),
                "state": host["state"].replace("_", " "),
                "message": visible(host["message"]),
                "engines": [_engine_line(engine) for engine in host["engines"]],
                "findings": rows,
            }
        )
    return {
        "strings": list(strings.places),
        "controls": [json.loads(control) for control in controls],
        "sections": SECTIONS,
        "hosts": hosts,
    }


def _columns(run: Mapping[str, Any]) -> list[tuple[tuple[str, ...], str, str]]:
    """Return the columns of numbers: what is summed, the heading, the words behind the number."""
    totals = run["totals"]
    columns: list[tuple[tuple[str, ...], str, str]] = []
    if _audited(totals):
        columns.append((("fail",), "Failed", "failed"))
    if _attacked(totals):
        columns.append((("not_blocked",), "Attacks", "attacks through"))
    columns += [((name,), title, title.lower()) for name, title in OPTIONAL if totals[name]]
    columns.append((("pass", "blocked"), "In order", "in order"))
    if _compared(run):
        columns += [(("mended",), "Mended", "mended"), (("worse",), "Worse", "worse")]
    return columns


def _audited(totals: Mapping[str, Any]) -> bool:
    return any(totals[name] for name in ("pass", "fail", "waived", "manual"))


def _attacked(totals: Mapping[str, Any]) -> bool:
    return any(totals[name] for name in ("blocked", "not_blocked", "error"))


def _host_row(host: Mapping[str, Any], columns: Sequence[tuple[tuple[str, ...], str, str]]) -> dict[str, Any]:
    summary = host["summary"]
    judged = host["audit"] is not None or host["probes"] is not None
    tags = {
        "faults": summary["fail"],
        "attacks": summary["not_blocked"],
        "unjudged": not judged,
        "worse": summary["worse"],
        "mended": summary["mended"],
        "waived": summary["waived"],
    }
    return {
        "shown": one_line(host["name"]),
        "note": _short(host["message"]) if host["state"] in ("unreachable", "failed") else "",
        "engine": engine_words(host),
        "silent": host["state"] != "ok",
        "state": host["state"],
        "judged": judged,
        "weight": summary["weight"],
        "severities": [(severity, summary["severities"][severity]) for severity in SEVERITIES],
        "cells": [
            {"number": sum(summary[name] for name in names), "label": words, "name": names[0]}
            for names, _title, words in columns
        ],
        "tags": " ".join(tag for tag, there in tags.items() if there),
    }


def _short(message: str) -> str:
    text = one_line(message)
    return text if len(text) <= NOTE_LENGTH else text[: NOTE_LENGTH - 1] + "…"


def _common(run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what is open, on most hosts first, the more severe first among equals."""
    hosts: Counter[str] = Counter()
    entries: dict[str, dict[str, Any]] = {}
    for host in run["hosts"]:
        bad = {f"{f['kind']}/{one_line(f.get('id', ''))}": f for f in findings_of(host) if f["verdict"] in BAD}
        hosts.update(bad.keys())
        for key, finding in bad.items():
            entries.setdefault(key, {**_control(finding), "key": key})

    def rank(entry: Mapping[str, Any]) -> tuple[int, int, list[int], str]:
        number = [int(part) for part in entry["number"].split(".") if part.isdecimal()]
        return -hosts[entry["key"]], SEVERITIES.index(entry["severity"]), number, entry["key"]

    ranked = sorted(entries.values(), key=rank)
    return [{**entry, "hosts": hosts[entry["key"]]} for entry in ranked[:COMMON_ROWS]]


def _tiles(run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the large numbers: what is counted, how many, a note, and whether that is bad or good."""
    totals = run["totals"]
    silent = totals["states"]["unreachable"] + totals["states"]["failed"]
    open_on = totals["hosts_with_faults"]
    tiles = [
        ("Hosts", totals["hosts"], f"{silent} not judged" if silent else "all judged", ""),
        ("Hosts with something open", open_on, "", "bad" if open_on else "good"),
    ]
    if _audited(totals):
        tiles.append(
            ("Controls failed", totals["fail"], f"{totals['pass']} passed", "bad" if totals["fail"] else "good")
        )
    if _attacked(totals):
        through = totals["not_blocked"]
        tiles.append(("Attacks got through", through, f"{totals['blocked']} blocked", "bad" if through else "good"))
    if _compared(run):
        label = "Mended since then" if run["compared_with"] else "Mended by this run"
        tiles.append((label, totals["mended"], f"{totals['worse']} worse", "good" if totals["mended"] else ""))
    names = ("label", "number", "note", "tone")
    return [dict(zip(names, tile, strict=True)) for tile in tiles]


def _compared(run: Mapping[str, Any]) -> bool:
    return run["compared_with"] is not None or any(host["summary"]["compared"] for host in run["hosts"])


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _in_script(value: Any) -> Markup:
    """Return JSON that cannot end the element it stands in."""
    text = json.dumps(value, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def to_html(run: Mapping[str, Any], parts: Mapping[str, str]) -> str:
    """Return the page.

    Args:
        run: the document.
        parts: the texts of the files PARTS, by name.
    """
    columns = _columns(run)
    compared = _compared(run)
    heads = [
        {"label": "Host", "kind": "text", "sorted": False},
        {"label": "Engine", "kind": "text", "sorted": False},
        {"label": "Open, by severity", "kind": "number", "sorted": True},
        *({"label": title, "kind": "number", "sorted": False} for _names, title, _words in columns),
    ]
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(parts["page.html.j2"]).render(
        run={**run, "title": one_line(run["title"])},
        tiles=_tiles(run),
        columns=heads,
        hosts=[_host_row(host, columns) for host in run["hosts"]],
        compared=compared,
        severities=SEVERITIES,
        common=_common(run),
        data=_in_script(page_data(run)),
        style=Markup(parts["page.css"]),
        script=Markup(parts["page.js"]),
        style_hash=_hash(parts["page.css"]),
        script_hash=_hash(parts["page.js"]),
        footer=FOOTER,
    )
