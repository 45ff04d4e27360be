# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No case of the corpus leaves an engine down, and our verdict on a configuration is dockerd's."""

from __future__ import annotations

LEAST_CASES = 60
LEAST_PAIRS = 300


def test_case(hosts, member, case, record_property):
    result = hosts.results(member)[case]
    record_property("generation", result["generation"])
    record_property("seconds", result["seconds"])
    assert result["problems"] == []
    assert result["checks"] > 0
    assert result["ok"] is True


def test_every_case_ran_once(hosts, name):
    first, second = hosts.case_ids(name), hosts.case_ids(f"{name}.2")
    assert len(first) + len(second) >= LEAST_CASES
    assert len(set(first + second)) == len(first + second)
    assert list(hosts.results(name)) == first
    assert list(hosts.results(f"{name}.2")) == second


def test_engine_is_up_after_the_corpus(hosts, member):
    assert hosts.results(member)
    report = hosts.module(member, "engine_info")["engine"]
    assert report["running"] is True
    assert report["divergences"] == []
    assert report["config"]["exists"] is False
    assert report["owners"] == {}


def test_our_verdict_is_dockerds(hosts, name, record_property):
    hosts.results(name)
    found = hosts.agreement(name)
    record_property("pairs", found["pairs"])
    assert found["pairs"] >= LEAST_PAIRS
    assert found["accepted"] > 0
    assert found["rejected"] > 0
    assert found["false_accepts"] == []
    assert found["false_rejects"] == []
