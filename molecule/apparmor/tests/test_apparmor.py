# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks that work without the profiles are refused under them; the service works and stops gently all the same."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from findings import is_machine, load, run_service

SHIPPED = ("docker-bulwark", "docker-bulwark-service")
PROFILES = ("docker-nginx", *SHIPPED)
ATTACKS = {"shell", "top", "raw_socket", "write_bin", "write_root", "write_etc", "write_proc_sys"}
# Meant for nearly every container: it lets shells, top and one's own files pass.
GENERAL = {"raw_socket", "write_bin", "write_proc_sys"}


def test_forecast_on_the_virgin_host_left_no_trace(host):
    kept = load(host, "forecast")
    assert kept["files_before"] == kept["files_after"]
    assert kept["forecast"]["changed"] is is_machine(host)


def test_host_without_reachable_profiles_is_told_and_not_deceived(host):
    said = load(host, "converged")
    if is_machine(host):
        assert (said["state"], said["default_profile"]["state"]) == ("loaded", "current")
        return
    assert (said["state"], said["changed"]) == ("unavailable", False)
    assert any("No container is confined" in warning for warning in said["warnings"])
    refused = host.ansible("bulwark.docker.apparmor_profile", "on_missing=fail", check=False)
    assert "confine containers with AppArmor" in refused["msg"]
    proof = host.ansible("bulwark.docker.enforcement_probe", "probes=apparmor", check=False)
    assert "none of the chosen ones applies to this engine" in proof["msg"]
    assert "the engine does not use AppArmor on this host" in proof["msg"]


def test_attacks_on_the_shipped_profiles_are_refused(host):
    if not is_machine(host):
        assert host.run("test -e /etc/apparmor.d/docker-bulwark").rc == 1
        return
    before = {one["id"]: one["verdict"] for one in load(host, "before")["results"]}
    assert len(before) >= 8
    assert set(before.values()) == {"not_blocked"}, before
    after = host.ansible("bulwark.docker.enforcement_probe", "probes=apparmor", check=False)["results"]
    assert {one["id"]: one["verdict"] for one in after} == dict.fromkeys(before, "blocked"), after
    assert all(f"under {name} (enforce)" in "".join(one["evidence"] for one in after) for name in SHIPPED)


def test_service_serves_and_stops_gently_while_attacks_are_refused(host):
    if not is_machine(host):
        assert host.run("docker image inspect web").rc == 1
        return
    seen = run_service(host, ["unconfined", *PROFILES])
    for profile in ("unconfined", *PROFILES):
        found = seen[profile]
        assert (found["page"], found["attacks"]["served"], found["attacks"]["write_tmp"]) == ("served", "done", "done")
        # 137 would be the signal that cannot be refused.
        assert found["exit_code"] == "0", found
        assert found["inspect"] == profile
        wanted = profile if profile == "unconfined" else f"{profile} (enforce)"
        assert found["label"] == wanted
        refused = {name for name, outcome in found["attacks"].items() if outcome == "refused"}
        assert refused == {"unconfined": set(), "docker-bulwark": GENERAL}.get(profile, ATTACKS), found


def test_refused_accesses_are_in_the_log_by_profile(host):
    if not is_machine(host):
        assert host.ansible("bulwark.docker.apparmor_info", check=False)["available"] is False
        return
    said = host.ansible("bulwark.docker.apparmor_info", "limit=50", check=False)
    for profile in ("docker-nginx", "docker-bulwark-service"):
        lines = "\n".join(entry["line"] for entry in said["denials"][profile])
        for word in ("/usr/bin/sh ", "/usr/bin/top ", "inet raw", "/usr/bin/planted", "/root/planted", "/etc/planted"):
            assert word in lines
    states = {one["name"]: one["state"] for one in said["containers"]}
    assert states == {"always": "confined"}
    assert said["findings"] == []
    assert said["profiles"]["docker-other"] == "complain"
