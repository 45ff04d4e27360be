# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page as text; what a browser makes of it is tested in tests/report."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

from ansible_collections.bulwark.docker.plugins.plugin_utils import _report_write as files
from ansible_collections.bulwark.docker.tests.report import example


class Reader(HTMLParser):
    """Collects elements and the raw texts of styles and scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.raw: dict[str, list[str]] = {"style": [], "script": []}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem in self.raw:
            self.raw[self.cdata_elem].append(data)


def page(run: dict[str, Any]) -> str:
    return files.render(run, ["html"])["report.html"]


def test_the_page_loads_nothing_and_may_run_its_own_text_alone() -> None:
    reader = Reader(page(example.run(2, others=[example.hostile()])))
    assert {tag for tag, _attributes in reader.elements} & {"link", "img", "iframe", "object", "embed", "base"} == set()
    for _tag, attributes in reader.elements:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "style", "action")]
        assert (attributes.get("href") or "#").startswith("#")
    [policy] = [a["content"] for tag, a in reader.elements if tag == "meta" and a.get("http-equiv")]
    assert policy is not None
    assert "default-src 'none'" in policy
    hashes = set(re.findall(r"'(sha256-[^']+)'", policy))
    texts = [*reader.raw["style"], reader.raw["script"][-1]]
    assert hashes == {"sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts}
    assert "unsafe" not in policy


def test_hostile_texts_end_no_element() -> None:
    reader = Reader(page(example.run(1, others=[example.hostile()])))
    assert [tag for tag, _attributes in reader.elements].count("script") == 2
    data = json.loads(reader.raw["script"][0])
    assert len(data["hosts"]) == 2


def test_the_data_holds_every_finding_and_each_text_once() -> None:
    run = example.run(6, others=example.unusual())
    data = json.loads(Reader(page(run)).raw["script"][0])
    wanted = sum(
        len((host[part] or {"results": []})["results"]) for host in run["hosts"] for part in ("audit", "probes")
    )
    assert sum(len(host["findings"]) for host in data["hosts"]) == wanted > 500
    assert len(set(data["strings"])) == len(data["strings"])
    row = data["hosts"][-1]["findings"][0]
    assert all(0 <= number < len(data["strings"]) for number in row[1:])


def test_one_more_host_costs_little() -> None:
    small, large = len(page(example.run(20))), len(page(example.run(60)))
    assert (large - small) / 40 < 6000


def test_every_host_is_in_the_overview_without_any_script() -> None:
    text = page(example.run(5, others=example.unusual()))
    static = text[: text.index('<script type="application/json"')]
    for host in example.run(5, others=example.unusual())["hosts"]:
        assert host["name"] in static
    assert "<noscript>" in static
