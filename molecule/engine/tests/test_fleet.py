# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks over three hosts: a canary that fails, batches, and what a run costs."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

INVENTORY = Path(__file__).resolve().parents[2] / "inventory"
ANSWER = "curl -sS --max-time 20 --unix-socket /run/docker.sock http://localhost/_ping"
PLAY_SECONDS = 600
MODULE_EXECUTIONS = 6
RECAP = re.compile(r"^(\S+)\s*: ok=\d+\s+changed=(\d+)\s+unreachable=\d+\s+failed=(\d+)", re.MULTILINE)


def playbook(name, names, *options, **variables):
    """Run a playbook for roles that change the engine; returns its status, output, and (changed, failed) by host."""
    left_out = ("antivirus_exclusions", "apparmor", "auditd", "seccomp") if name == "harden" else ()
    only = {f"bulwark_{role}": False for role in left_out}
    values = json.dumps({"bulwark_hosts": ":".join(names), **only, **variables})
    argv = ["ansible-playbook", "-i", str(INVENTORY), "-e", values, *options, f"bulwark.docker.{name}"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PLAY_SECONDS, check=False)
    recap = {host: (int(changed), int(failed)) for host, changed, failed in RECAP.findall(done.stdout)}
    return done.returncode, done.stdout + done.stderr, recap


@pytest.fixture
def fleet(hosts, all_names):
    """One host of each generation, without our settings before and after."""
    for name in all_names:
        hosts.results(name)
    yield all_names
    status, text, _recap = playbook("remove", all_names, bulwark_serial=["100%"])
    assert status == 0, text
    for name in all_names:
        assert hosts.run(name, "ls /etc/docker/daemon.json /var/lib/bulwark-docker 2>/dev/null") == ""


def test_broken_canary_stops_the_roll_and_hurts_nobody(hosts, fleet):
    canary, *others = fleet
    hosts.run(canary, "mkdir -p /etc/docker; echo '{ // no comment is allowed' > /etc/docker/daemon.json")
    try:
        status, text, recap = playbook("harden", fleet)
        assert status != 0
        assert recap[canary][1] == 1, text
        assert "line 1" in text
        assert "/etc/docker/daemon.json" in text
        assert not set(others) & set(recap)
        for name in fleet:
            assert hosts.run(name, ANSWER) == "OK"
        for name in others:
            assert hosts.run(name, "ls /etc/docker/daemon.json 2>/dev/null") == ""
    finally:
        hosts.run(canary, "rm -f /etc/docker/daemon.json")
    status, text, recap = playbook("harden", fleet)
    assert status == 0, text
    assert {name: failed for name, (_changed, failed) in recap.items()} == dict.fromkeys(fleet, 0)
    assert all(changed > 0 for changed, _failed in recap.values())
    status, text, recap = playbook("harden", fleet, bulwark_serial=["100%"])
    assert status == 0, text
    assert recap == dict.fromkeys(fleet, (0, 0))


def test_failures_within_the_limit_do_not_stop_the_others(hosts, fleet):
    broken, *others = fleet
    hosts.run(broken, 'mkdir -p /etc/docker; echo \'{"icc": "false"}\' > /etc/docker/daemon.json')
    try:
        # A batch in which every host failed ends the play whatever the limit is.
        status, text, recap = playbook("harden", fleet, bulwark_serial=["100%"], bulwark_max_fail_percentage=50)
        assert status != 0
        assert recap[broken][1] == 1, text
        assert {name: recap[name][1] for name in others} == dict.fromkeys(others, 0)
    finally:
        hosts.run(broken, "rm -f /etc/docker/daemon.json")


def test_misspelt_variable_is_refused_before_anything_is_written(hosts, fleet):
    status, text, _recap = playbook("harden", fleet, daemon_baseline_iic=True)
    assert status != 0
    assert "did you mean daemon_baseline_icc?" in text
    status, text, _recap = playbook("harden", fleet, daemon_baseline_icc="perhaps")
    assert status != 0
    assert "daemon_baseline_icc" in text
    for name in fleet:
        assert hosts.run(name, "ls /etc/docker/daemon.json 2>/dev/null") == ""


def test_run_without_changes_costs_no_more_than_six_module_executions(fleet):
    status, text, _recap = playbook("harden", fleet[:1])
    assert status == 0, text
    status, text, recap = playbook("harden", fleet[:1], "-vvv")
    assert status == 0, text
    assert recap == {fleet[0]: (0, 0)}
    assert 1 <= text.count("Using module file") <= MODULE_EXECUTIONS
