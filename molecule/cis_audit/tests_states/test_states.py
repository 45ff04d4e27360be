# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stopped engine and a host without Docker are reported, and the rest is judged all the same."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from kept import by_id, load, name_of

STATES = {
    "debian13-container": {"system": "running", "rootless:eve": "stopped"},
    "testing-container": {"system": "stopped"},
    "debian12-container": {"system": "not_installed"},
}
FILES = {
    "debian13-container": {"service_unit_mode": "fail", "daemon_json_mode": "fail", "tls_key_mode": "fail"},
    "testing-container": {"service_unit_mode": "pass", "daemon_json_mode": "pass", "tls_key_mode": "pass"},
    "debian12-container": {"service_unit_mode": "not_applicable", "daemon_json_mode": "not_applicable"},
}
REASONS = {
    "testing-container": {"the engine does not run"},
    "debian12-container": {"this host has no Docker engine"},
}


def test_engines_that_cannot_be_asked_are_reported(host):
    answers = host.run("docker version").rc == 0
    assert answers == (STATES[name_of(host)]["system"] == "running")
    assert {engine["name"]: engine["state"] for engine in load(host)["engines"]} == STATES[name_of(host)]


def test_what_cannot_be_judged_is_not_applicable_with_a_reason(host):
    results = [one for one in load(host)["results"] if one["section"] in "24567" and one["engine"] in ("", "system")]
    reasons = {one["reason"] for one in results if one["verdict"] == "not_applicable"}
    expected = REASONS.get(name_of(host))
    assert all(reasons)
    assert expected is None or (reasons == expected and len({one["verdict"] for one in results}) == 1)


def test_files_are_judged_all_the_same(host):
    results = by_id(load(host), "system")
    assert {name: results[name]["verdict"] for name in FILES[name_of(host)]} == FILES[name_of(host)]
