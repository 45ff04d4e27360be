# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document of a run: states, order, comparison, and what a play ends on."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError
from ansible_collections.bulwark.docker.plugins.plugin_utils._report_run import (
    build_run,
    findings_of,
    problems_of,
    read_earlier,
)
from ansible_collections.bulwark.docker.tests.report import example

UNREACHABLE = {"unreachable": True, "changed": False, "msg": "no route"}
FAILED = {"failed": True, "changed": False, "msg": "no python"}


def control(identity: str, verdict: str, severity: str = "high", engine: str = "system") -> dict[str, Any]:
    return {"id": identity, "title": identity, "verdict": verdict, "severity": severity, "engine": engine}


def audit(*results: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"engines": [{"name": "system", "state": "running", "version": "28.5"}], "results": list(results), **more}


def engines(*states: str) -> dict[str, Any]:
    return audit(engines=[{"name": f"e{number}", "state": state} for number, state in enumerate(states)])


def built(*hosts: dict[str, Any], earlier: Any = None) -> dict[str, Any]:
    named = [{"name": f"h{number}", **host} for number, host in enumerate(hosts)]
    return build_run(named, example.FACTS, earlier)


def by_name(run: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {host["name"]: host for host in run["hosts"]}


@pytest.mark.parametrize(
    ("host", "state", "said"),
    [
        ({"audit": audit()}, "ok", ""),
        ({"audit": UNREACHABLE}, "unreachable", "no route"),
        ({"engine": UNREACHABLE, "probes": {"skipped": True}}, "unreachable", "no route"),
        ({"audit": FAILED}, "failed", "no python"),
        ({"audit": engines("stopped")}, "engine_stopped", "no engine runs"),
        ({"audit": engines("stopped", "running")}, "ok", ""),
        ({"audit": engines("not_installed")}, "no_engine", "not installed"),
        ({"audit": engines("not_installed", "stopped")}, "engine_stopped", "no engine runs"),
        (
            {"engine": {"engine": {"running": False, "version": "26.1"}}, "probes": {"skipped": True}},
            "engine_stopped",
            "",
        ),
        ({"engine": {"engine": {"running": False, "version": ""}}}, "no_engine", ""),
        ({"engine": {"engine": {"running": True, "version": "26.1"}}, "probes": {"results": []}}, "ok", ""),
        ({}, "failed", "the run ended before"),
        ({"audit": audit(control("a", "pass")), "failure": {"msg": "rolled back"}}, "failed", "rolled back"),
        # One that was hardened, but did not live to see the second audit.
        ({"audit_before": audit(control("a", "fail"))}, "failed", "the run ended before"),
        # A module that failed on account of its verdicts (fail_on) has judged.
        ({"audit": audit(control("a", "fail"), failed=True, msg="1 fail")}, "ok", ""),
    ],
)
def test_states(host: dict[str, Any], state: str, said: str) -> None:
    [found] = built(host)["hosts"]
    assert found["state"] == state
    assert said in found["message"]


def test_hosts_come_worst_first_and_those_nobody_knows_before_them() -> None:
    run = built(
        {"audit": audit(control("a", "pass"))},
        {"audit": audit(*(control(f"m{number}", "fail", "medium") for number in range(9)))},
        {"audit": audit(control("a", "fail", "critical"))},
        {"audit": FAILED},
        {"audit": UNREACHABLE},
        {"audit": audit(control("a", "waived", "critical"), control("b", "manual", "critical"))},
    )
    assert [host["name"] for host in run["hosts"]] == ["h4", "h3", "h2", "h1", "h0", "h5"]


def test_totals_count_hosts_by_state_and_findings_by_verdict() -> None:
    run = built(
        {"audit": audit(control("a", "pass"), control("b", "fail"), control("c", "fail"))},
        {"probes": {"results": [control("x.y", "not_blocked"), control("x.z", "blocked")]}},
        {"audit": UNREACHABLE},
    )
    totals = run["totals"]
    assert (totals["hosts"], totals["hosts_with_faults"]) == (3, 2)
    assert totals["states"] == {"ok": 2, "unreachable": 1, "failed": 0, "no_engine": 0, "engine_stopped": 0}
    assert {name: totals[name] for name in ("pass", "fail", "blocked", "not_blocked", "waived")} == {
        "pass": 1,
        "fail": 2,
        "blocked": 1,
        "not_blocked": 1,
        "waived": 0,
    }


@pytest.mark.parametrize(
    ("before", "now", "change"),
    [
        ("fail", "pass", "mended"),
        ("pass", "fail", "worse"),
        ("waived", "fail", "worse"),
        ("fail", "fail", ""),
        ("fail", "manual", ""),
        ("fail", "not_applicable", ""),
        ("not_applicable", "fail", ""),
        ("not_blocked", "blocked", "mended"),
        ("blocked", "error", "worse"),
    ],
)
def test_changes(before: str, now: str, change: str) -> None:
    run = built({"audit_before": audit(control("a", before)), "audit": audit(control("a", now))})
    [finding] = findings_of(run["hosts"][0])
    assert (finding["before"], finding["change"]) == (before, change)
    assert run["totals"]["mended"] == (change == "mended")
    assert run["totals"]["worse"] == (change == "worse")


def test_findings_of_two_engines_are_compared_each_with_its_own() -> None:
    earlier = audit(control("a", "fail", engine="system"), control("a", "pass", engine="rootless:bob"))
    now = audit(
        control("a", "pass", engine="system"),
        control("a", "fail", engine="rootless:bob"),
        control("a", "fail", engine="x"),
    )
    found = findings_of(built({"audit_before": earlier, "audit": now})["hosts"][0])
    assert [finding["change"] for finding in found] == ["mended", "worse", ""]


def test_an_earlier_document_takes_the_place_of_the_plays_own_before() -> None:
    first = built({"audit": audit(control("a", "fail"))}, {"audit": audit(control("a", "pass"))})
    own = {"audit_before": audit(control("a", "pass")), "audit": audit(control("a", "pass"))}
    second = built(own, {"audit": audit(control("a", "pass"))}, {"audit": audit(control("a", "pass"))}, earlier=first)
    hosts = by_name(second)
    assert [hosts[name]["summary"]["mended"] for name in ("h0", "h1", "h2")] == [1, 0, 0]
    assert [hosts[name]["summary"]["compared"] for name in ("h0", "h1", "h2")] == [True, True, False]
    assert second["compared_with"] == {"title": first["title"], "finished": first["finished"]}


def test_building_does_not_change_what_it_is_given() -> None:
    hosts = [example.host(1, before=True), *example.unusual()]
    kept = copy.deepcopy(hosts)
    build_run(hosts, example.FACTS)
    assert hosts == kept


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "'list'"),
        ({"schema": "other/1"}, "'other/1'"),
        ({"schema": "bulwark.docker/run/1"}, "no list of hosts"),
        ({"schema": "bulwark.docker/run/1", "hosts": [{}]}, "no list of hosts"),
    ],
)
def test_what_is_not_an_earlier_document_is_refused(document: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=r"compare: old\.json .*name a") as caught:
        read_earlier(document, "old.json")
    assert said in str(caught.value)


def test_problems_name_what_was_asked_for_and_nothing_else() -> None:
    run = built({"audit": audit(control("a", "fail"), control("b", "fail"))}, {"audit": UNREACHABLE})
    assert problems_of(run, ["fail", "manual", "unreachable", "failed"]) == [
        "2 findings with the verdict fail (h0)",
        "1 host in the state unreachable (h1)",
    ]
    assert problems_of(run, []) == []


def test_problems_of_many_hosts_stay_short() -> None:
    run = built(*({"audit": UNREACHABLE} for _number in range(50)))
    assert problems_of(run, ["unreachable"]) == [
        "50 hosts in the state unreachable (h0, h1, h10, h11, h12 and 45 more)"
    ]
