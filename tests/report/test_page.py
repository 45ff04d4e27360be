# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page in a real browser: order, filters, keys, small windows, colours, paper, hostile texts, many hosts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bulwark.docker.tests.report import example
from ansible_collections.bulwark.docker.tests.report.browser import Browser, BrowserMissing, programs
from ansible_collections.bulwark.docker.tests.report.conftest import PICTURES, RUNS

Report = Callable[[str], Path]

NAMES = """return [...document.querySelectorAll('#fleet tbody tr')].filter(row => !row.hidden)
    .map(row => row.querySelector('a').textContent)"""
# The contrast of every text that can be seen with what is painted behind it, the lowest first.
CONTRASTS = r"""
const parse = (text) => { const n = text.match(/[\d.]+/g).map(Number); return { rgb: n.slice(0, 3), a: n[3] ?? 1 }; };
const linear = (v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
const light = (rgb) => { const [r, g, b] = rgb.map(v => linear(v / 255));
  return .2126 * r + .7152 * g + .0722 * b; };
const behind = (element) => { for (let at = element; at; at = at.parentElement) {
  const colour = parse(getComputedStyle(at).backgroundColor); if (colour.a === 1) return colour.rgb; } return null; };
const found = [];
for (const element of document.querySelectorAll('body *')) {
  if (['SCRIPT', 'STYLE', 'NOSCRIPT'].includes(element.tagName) || element.closest('.hidden, [hidden]')) continue;
  if (![...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())) continue;
  if (!element.getClientRects().length) continue;
  const [one, two] = [light(parse(getComputedStyle(element).color).rgb), light(behind(element))].sort((a, b) => b - a);
  found.push([(one + .05) / (two + .05), element.tagName + '.' + element.className, element.textContent.slice(0, 40)]);
}
return found.sort((a, b) => a[0] - b[0]);
"""
OPEN_ALL = "document.querySelectorAll('details').forEach(part => { part.open = true; })"
TOO_WIDE = """
const wide = [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1
  && !e.closest('.skip')).map(e => e.tagName + '.' + e.className + ' ' + e.textContent.slice(0, 40));
return [document.documentElement.scrollWidth > innerWidth, wide];
"""


@pytest.fixture(autouse=True)
def quiet(browser: Browser) -> Iterator[None]:
    """No test ends with an error in the browser's console, nor with something that the policy refused."""
    browser.complaints()
    yield
    assert browser.complaints() == []


def order(browser: Browser) -> list[str]:
    names: list[str] = browser.run(NAMES)
    return names


def numbers(browser: Browser, column: str) -> list[float]:
    found: list[float] = browser.run(
        """const heads = [...document.querySelectorAll('#fleet thead th')];
        const at = heads.findIndex(head => head.textContent.trim() === arguments[0]);
        return [...document.querySelectorAll('#fleet tbody tr')].map(row => Number(row.cells[at].dataset.value))""",
        column,
    )
    return found


def head(column: str) -> str:
    return f"#fleet thead th:nth-child({column}) button"


def test_hosts_are_listed_worst_first(browser: Browser, report: Report) -> None:
    browser.open(report("fleet"))
    assert order(browser) == [host["name"] for host in RUNS["fleet"]()["hosts"]]
    weights = numbers(browser, "Open, by severity")
    assert weights == sorted(weights, reverse=True)
    browser.picture(PICTURES / "desktop.png")


def test_a_click_on_a_heading_sorts_and_a_second_one_turns_the_order(browser: Browser, report: Report) -> None:
    browser.open(report("fleet"))
    browser.click(head("4"))
    failed = numbers(browser, "Failed")
    assert failed == sorted(failed, reverse=True)
    assert failed[0] > failed[-1]
    browser.click(head("4"))
    assert numbers(browser, "Failed") == sorted(failed)
    sorts = browser.run(
        "return [...document.querySelectorAll('#fleet [aria-sort]')].map(h => [h.cellIndex, h.ariaSort])"
    )
    assert sorts == [[3, "ascending"]]
    browser.click(head("1"))
    assert order(browser) == sorted(order(browser))


def test_words_and_choices_filter_hosts_and_say_how_many(browser: Browser, report: Report) -> None:
    browser.open(report("fleet"))
    everything = order(browser)
    browser.type("#find", "DB example")
    assert order(browser) == [name for name in everything if name.startswith("db")]
    said = browser.run("return document.getElementById('count').textContent")
    assert said.startswith(f"{len(order(browser))} of {len(everything)} hosts")
    browser.type("#find", "stopped")
    assert order(browser) == ["stopped01.example.org"]
    browser.type("#find", "no such host")
    assert order(browser) == []
    browser.type("#find", " ")
    browser.run(
        "const w = document.getElementById('which'); w.value = 'unjudged'; w.dispatchEvent(new Event('change'))"
    )
    assert order(browser) == ["far01.example.org", "old01.example.org"]


def test_what_is_open_leads_to_the_hosts_that_have_it(browser: Browser, report: Report) -> None:
    browser.open(report("fleet"))
    row = "table.common tbody tr:first-child"
    number = int(browser.run(f"return document.querySelector('{row} td').textContent"))
    browser.click(f"{row} a")
    assert len(order(browser)) == number
    assert 0 < number < len(RUNS["fleet"]()["hosts"])
    assert browser.run("return document.getElementById('chosen').hidden") is False
    browser.click("#chosen a")
    assert len(order(browser)) == len(RUNS["fleet"]()["hosts"])


def test_keys_alone_reach_a_host_and_its_evidence(browser: Browser, report: Report) -> None:
    browser.open(report("fleet"))
    browser.press("Tab")
    assert browser.run("return document.activeElement.className") == "skip"
    assert browser.run("return getComputedStyle(document.activeElement).top") != "-64px"
    for _step in range(40):
        browser.press("Tab")
        if browser.run("return document.activeElement.closest('tbody') !== null"):
            break
    focus = browser.run("const s = getComputedStyle(document.activeElement); return [s.outlineStyle, s.outlineWidth]")
    assert focus == ["solid", "2px"]
    browser.press("Tab", "Tab", "Enter")
    third = RUNS["fleet"]()["hosts"][2]["name"]
    assert browser.run("return document.activeElement.textContent") == third
    assert browser.run("return document.title").startswith(third)
    for _step in range(20):
        browser.press("Tab")
        if browser.run("return document.activeElement.tagName") == "SUMMARY":
            break
    browser.press("Enter")
    assert browser.run("return document.activeElement.parentElement.open") is True
    assert browser.run("return document.querySelector('details[open] .more').getClientRects().length") == 1


def test_headings_are_sorted_by_key(browser: Browser, report: Report) -> None:
    browser.open(report("fleet"))
    browser.run("document.querySelector('#fleet thead th:nth-child(5) button').focus()")
    browser.press("Enter")
    assert browser.run("return document.querySelector('#fleet [aria-sort]').cellIndex") == 4


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("where", ["", "#host="])
def test_every_text_stands_out_from_its_background(browser: Browser, report: Report, scheme: str, where: str) -> None:
    browser.prefer(scheme)
    name = RUNS["fleet"]()["hosts"][2]["name"] if where else ""
    browser.open(report("fleet"), where + name)
    browser.run("document.querySelector('[data-choice=all]')?.click()")
    browser.run(OPEN_ALL)
    found: list[Any] = browser.run(CONTRASTS)
    assert len(found) > 100
    assert [entry for entry in found if entry[0] < 4.5] == []
    browser.run("document.querySelector('[data-choice=open]')?.click()")
    browser.run("document.querySelector('details')?.setAttribute('open', '')")
    browser.picture(PICTURES / f"{'host' if where else 'overview'}-{scheme}.png")


@pytest.mark.parametrize("name", ["fleet", "one", "hostile"])
@pytest.mark.parametrize("width", [320, 390, 768])
def test_nothing_is_wider_than_a_small_window(browser: Browser, report: Report, name: str, width: int) -> None:
    browser.size(width, 844, phone=True)
    hosts = RUNS[name]()["hosts"]
    for fragment in ("", "#host=" + example.quoted(hosts[min(2, len(hosts) - 1)]["name"])):
        browser.open(report(name), fragment)
        browser.run(OPEN_ALL)
        assert browser.run(TOO_WIDE) == [False, []]
        if width == 390:
            browser.picture(PICTURES / f"phone-{name}{'-host' if fragment else ''}.png")


def test_a_tall_phone_shows_hosts_as_cards_and_sorts_them(browser: Browser, report: Report) -> None:
    browser.size(390, 844, phone=True)
    browser.open(report("fleet"))
    assert browser.run("return getComputedStyle(document.querySelector('#fleet tbody tr')).display") == "flex"
    browser.click(head("1"))
    assert order(browser) == sorted(order(browser))


def test_hostile_texts_are_texts(browser: Browser, report: Report) -> None:
    browser.open(report("hostile"))
    names = order(browser)
    assert any("</script><script>" in name and "\\x1b[31m\\u202e\\x00&amp;" in name for name in names)
    browser.click("#fleet tbody tr:first-child a")
    browser.click("[data-choice=all]")
    browser.run(OPEN_ALL)
    shown = browser.run("return document.querySelector('details .name').textContent")
    assert "<img src=x onerror=" in shown
    assert browser.run("return document.querySelectorAll('img, body script:not(#data)').length") == 1
    assert "owned" not in browser.run("return document.title").replace("document.title='owned'", "")
    browser.picture(PICTURES / "hostile.png")


def test_the_policy_stops_a_script_that_is_not_the_pages_own(browser: Browser, report: Report) -> None:
    browser.open(report("one"))
    browser.run(
        """const script = document.createElement('script');
        script.textContent = "document.title = 'owned'";
        document.body.append(script)"""
    )
    assert browser.run("return document.title") != "owned"
    assert any("Content Security Policy" in line for line in browser.complaints())


def test_a_host_shows_every_finding_with_its_change(browser: Browser, report: Report) -> None:
    host = RUNS["fleet"]()["hosts"][2]
    browser.open(report("fleet"), "#host=" + host["name"])
    summary = host["summary"]
    bad = summary["fail"] + summary["not_blocked"]
    assert browser.run("return document.querySelectorAll('details').length") == bad
    browser.click("[data-choice=all]")
    everything = len(host["audit"]["results"]) + len(host["probes"]["results"])
    assert browser.run("return document.querySelectorAll('details').length") == everything
    browser.click("[data-choice=changed]")
    assert browser.run("return document.querySelectorAll('details').length") == summary["mended"] + summary["worse"]
    assert browser.run("return document.querySelectorAll('.extra .mended').length") == summary["mended"] > 0
    browser.picture(PICTURES / "comparison.png")


def test_each_state_is_named(browser: Browser, report: Report) -> None:
    browser.open(report("fleet"))
    rows = browser.run(
        """return [...document.querySelectorAll('#fleet tbody tr')]
        .map(row => [row.querySelector('a').textContent, row.cells[1].textContent])"""
    )
    engines = dict(rows)
    assert engines["far01.example.org"] == "unreachable"
    assert engines["old01.example.org"] == "failed"
    assert engines["stopped01.example.org"] == "stopped"
    assert engines["plain01.example.org"] == "not installed"
    assert engines["users01.example.org"].count("rootless:") == 2
    browser.open(report("fleet"), "#host=far01.example.org")
    assert "Connection refused" in browser.run("return document.querySelector('.message').textContent")


def test_links_to_nothing_show_the_overview(browser: Browser, report: Report) -> None:
    for fragment in ("#host=nobody", "#open=nothing", "#%E0%A4%A", "#main"):
        browser.open(report("fleet"), fragment)
        assert browser.run("return document.getElementById('overview').hidden") is False
        assert len(order(browser)) == len(RUNS["fleet"]()["hosts"])


def test_the_overview_is_there_without_javascript(browser: Browser, report: Report) -> None:
    browser.prefer(scripts=False)
    browser.open(report("fleet"))
    browser.picture(PICTURES / "without-javascript.png")
    tree = browser.cdp("Accessibility.getFullAXTree")["nodes"]
    rows = [node for node in tree if node.get("role", {}).get("value") == "row"]
    assert len(rows) > len(RUNS["fleet"]()["hosts"])


def test_it_has_landmarks_headings_and_names(browser: Browser, report: Report) -> None:
    browser.open(report("fleet"))
    nodes = browser.cdp("Accessibility.getFullAXTree")["nodes"]
    roles = {
        (node.get("role", {}).get("value"), node.get("name", {}).get("value", ""))
        for node in nodes
        if not node["ignored"]
    }
    kinds = {role for role, _name in roles}
    assert {"banner", "main", "search", "table", "columnheader", "rowheader", "contentinfo"} <= kinds
    assert ("heading", "Hosts") in roles
    assert ("searchbox", "Find hosts by name, engine or state") in roles
    unnamed = [role for role, name in roles if role in ("button", "link", "combobox", "searchbox") and not name]
    assert unnamed == []


def test_paper_gets_everything_that_is_shown(browser: Browser, report: Report) -> None:
    browser.open(report("fleet"))
    overview = browser.pdf()
    assert overview.startswith(b"%PDF-")
    browser.open(report("fleet"), "#host=" + RUNS["fleet"]()["hosts"][2]["name"])
    browser.click("[data-choice=all]")
    closed = pages(browser.pdf())
    assert browser.run("return document.querySelectorAll('details:not([open])').length") == 0
    assert closed > pages(overview) > 0


def pages(document: bytes) -> int:
    """The pages of a PDF document."""
    return len(re.findall(rb"/Type\s*/Page\b", document))


def test_five_hundred_hosts_stay_small_and_whole(browser: Browser, report: Report) -> None:
    path = report("large")
    assert path.stat().st_size < 5_000_000
    browser.open(path)
    assert len(order(browser)) == 500
    assert browser.run("return document.querySelectorAll('*').length") < 30_000
    browser.type("#find", "web01.")
    assert order(browser) == ["web01.example.org"]
    browser.click("#fleet tbody tr:not([hidden]) a")
    assert browser.run("return document.querySelectorAll('.host').length") == 1
    assert browser.run("return document.querySelectorAll('*').length") < 40_000
    browser.open(path)
    browser.picture(PICTURES / "large.png")


def test_a_snaps_stub_is_no_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (("chromium", "#!/bin/sh\nexec /snap/bin/chromium\n"), ("chromedriver", "#!/bin/sh\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrowserMissing, match="apt-get install"):
        programs()
