# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Touching the engine leaves a trace; what others set stays; a container is told the truth."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from findings import is_machine, load, touch


def test_forecast_on_the_virgin_host_left_no_trace(host):
    kept = load(host, "forecast")
    assert kept["forecast"]["changed"] is True
    assert kept["files_before"] == kept["files_after"]


def test_touches_that_nobody_would_have_known_of_are_no_longer_unseen(host):
    if not is_machine(host):
        refused = host.ansible("bulwark.docker.enforcement_probe", "probes=auditd", check=False)
        assert {one["verdict"] for one in refused["results"]} == {"not_applicable"}
        return
    before = {one["id"]: one["verdict"] for one in load(host, "before")["results"]}
    assert len(before) >= 5
    assert set(before.values()) == {"not_blocked"}, before
    after = host.ansible("bulwark.docker.enforcement_probe", "probes=auditd", check=False)["results"]
    assert {one["id"]: one["verdict"] for one in after} == dict.fromkeys(before, "blocked"), after


def test_every_subject_leaves_an_event_with_its_key(host):
    said = load(host, "converged")
    assert len(said["watched"]) >= 40
    assert {entry["key"] for entry in said["watched"]} >= {"docker-config", "docker-engine", "docker-exec-runtime"}
    assert all(entry["reason"] for entry in said["unwatched"])
    if not is_machine(host):
        return
    found = touch(host, said["watched"])
    assert len(found) == len(said["watched"])
    assert [entry for entry in found if not entry[2]] == []


def test_file_that_appears_later_is_not_missed(host):
    if not is_machine(host):
        assert host.run("auditctl -l || false").rc == 1
        return
    assert host.run("ls /etc/docker/daemon.json").rc == 2
    host.check_output("echo '{}' > /etc/docker/daemon.json && rm /etc/docker/daemon.json")
    report = host.ansible("bulwark.docker.audit_events", "keys=docker-config since=60 limit=50", check=False)
    lines = [event["line"] for event in report["events"] if "/etc/docker/daemon.json" in event["paths"]]
    assert len(lines) >= 2
    assert all("root" in line for line in lines)


def test_32_bit_calls_and_new_calls_cannot_pass_by(host):
    rules = host.check_output("cat /etc/audit/rules.d/00-bulwark-docker.rules").splitlines()
    wide = [line for line in rules if "arch=b64" in line]
    assert len(wide) == len([line for line in rules if "arch=b32" in line]) >= 40
    if is_machine(host):
        # fchmodat2 (452): older audit tools have no name for it, newer ones leave it out of their own choice.
        code = "import ctypes; print(ctypes.CDLL(None).syscall(452, -100, b'/etc/docker', 0o755, 0))"
        if host.check_output(f'python3 -c "{code}"') == "0":
            found = host.check_output("sleep 2; ausearch --input-logs --raw -ts recent -k docker-config")
            assert " syscall=452 " in found
        assert host.check_output("auditctl -l | grep -c docker-") == str(len([x for x in rules if x.startswith("-a ")]))


def test_rules_of_the_administrator_are_not_lost_to_a_broken_line(host):
    said = load(host, "converged")
    if not is_machine(host):
        assert said["state"] == "not_loadable"
        assert any("container" in warning for warning in said["warnings"])
        return
    assert said["state"] == "loaded"
    assert any("50-broken.rules, line 1" in warning for warning in said["warnings"])
    kernel = host.check_output("auditctl -l")
    assert "site-name" in kernel
    assert "site-broken" not in kernel
    assert host.check_output("systemctl is-active auditd") == "active"
    # One loaded by hand stays when the role changes its own.
    host.check_output("auditctl -w /etc/motd -p wa -k by-hand")
    host.check_output("auditctl -d always,exit -F arch=b64 -S all -F path=/etc/subuid -F perm=wa -F key=docker-subids")
    healed = host.ansible("bulwark.docker.audit_rules", "executions=client,runtime", check=False)
    assert healed["changed"] is True
    kernel = host.check_output("auditctl -l")
    assert "by-hand" in kernel
    assert kernel.count("path=/etc/subuid") == 2
    assert host.ansible("bulwark.docker.audit_rules", "executions=client,runtime", check=False)["changed"] is False
