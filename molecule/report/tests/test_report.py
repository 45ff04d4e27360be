# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One report on a host that is well, one whose engine is stopped, and one that nobody can reach."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCENARIO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SCENARIO))

from documents import FAR, RUNNING, STOPPED, hosts, links, path, sarif, suites, verdicts  # noqa: E402

ALL = {FAR, RUNNING, STOPPED}
PLAY_SECONDS = 120


@pytest.mark.parametrize("run", ["audit", "prove"])
def test_every_host_is_in_every_document(run):
    assert set(hosts(run)) == ALL
    assert set(suites(run)) == ALL
    assert {f"#host={name}" for name in ALL} <= set(links(run))


@pytest.mark.parametrize("run", ["audit", "prove"])
def test_each_host_is_what_it_is(run):
    found = {name: host["state"] for name, host in hosts(run).items()}
    assert found == {FAR: "unreachable", RUNNING: "ok", STOPPED: "engine_stopped"}
    assert "Connection refused" in hosts(run)[FAR]["message"]


@pytest.mark.parametrize("run", ["audit", "prove"])
def test_an_unreachable_host_is_an_error_and_stops_no_other(run):
    assert len(suites(run)[FAR].findall(".//error")) == 1
    assert len(suites(run)[RUNNING].findall("testcase")) > 5
    [invocation] = sarif(run)["invocations"]
    assert invocation["executionSuccessful"] is False
    assert [FAR in notice["message"]["text"] for notice in invocation["toolExecutionNotifications"]] == [True]


def test_a_report_is_written_when_every_host_is_unreachable():
    assert {name: host["state"] for name, host in hosts("nobody").items()} == {FAR: "unreachable"}
    assert sarif("nobody")["results"] == []


def test_files_of_a_host_are_judged_when_its_engine_is_stopped():
    audit = hosts("audit")[STOPPED]["audit"]
    found = {result["section"]: [] for result in audit["results"]}
    for result in audit["results"]:
        found[result["section"]].append(result["verdict"])
    assert "pass" in found["3"]
    assert set(found["5"]) == {"not_applicable"}


def test_a_stopped_engine_is_not_attacked_and_stays_stopped(host):
    name = host.backend.get_hostname()
    if name == STOPPED:
        assert hosts("prove")[STOPPED]["probes"] is None
        assert host.run("systemctl is-active docker.service").stdout.strip() == "inactive"
    else:
        assert name == RUNNING
        assert host.run("systemctl is-active docker.service").stdout.strip() == "active"


def test_verdicts_agree_with_the_engine(host):
    if host.backend.get_hostname() == RUNNING:
        option = "com.docker.network.bridge.enable_icc"
        template = '{{index .Options "' + option + '"}}'
        assert host.check_output(f"docker network inspect bridge --format '{template}'") == "true"
        assert verdicts(hosts("audit")[RUNNING]["audit"])["icc_default_bridge"] == "fail"
        assert verdicts(hosts("prove")[RUNNING]["probes"])["isolation.sibling_tcp"] == "not_blocked"
        failures = suites("prove")[RUNNING].findall(".//testcase[failure]")
        assert ["isolation.sibling_tcp" in case.get("name") for case in failures].count(True) == 1
        rules = [result["ruleId"] for result in sarif("audit")["results"]]
        assert "control/icc_default_bridge" in rules


def test_no_container_is_started_where_that_is_forbidden():
    found = verdicts(hosts("api")[RUNNING]["probes"])
    assert found
    assert {identity.split(".")[0] for identity in found} == {"api"}
    assert not path("api", "report.html").exists()


def test_nothing_is_left_on_a_host(host):
    if host.backend.get_hostname() == RUNNING:
        assert host.check_output("docker ps --all --quiet") == ""
        assert host.check_output("docker images --quiet") == ""


def test_the_play_refuses_what_it_shall_fail_on_after_the_report_is_written(tmp_path):
    argv = ["ansible-playbook", "-i", f"{FAR},", "-e", "ansible_host=127.0.0.1 ansible_port=9"]
    argv += ["-e", f"bulwark_hosts=all bulwark_report_dir={tmp_path}/new", "-e", '{"bulwark_fail_on": ["unreachable"]}']
    done = subprocess.run(
        [*argv, "bulwark.docker.audit"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PLAY_SECONDS,
        check=False,
    )
    assert done.returncode == 2
    assert "bulwark_fail_on: 1 host in the state unreachable (far.example.org)" in done.stdout
    assert sorted(os.listdir(tmp_path / "new")) == ["report.html", "report.json", "report.sarif", "report.xml"]
