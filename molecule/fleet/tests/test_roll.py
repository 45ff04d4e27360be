# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches: what a host that fails does to its batch and to the next one, and how a run goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import time

from ansible_collections.bulwark.docker.molecule.fleet.tests.conftest import GONE, LEFT_OUT, NAMES

FIRST, SECOND, THIRD, FOURTH = NAMES
INVALID = "mkdir -p /etc/docker; echo '{ // no comment is allowed' > /etc/docker/daemon.json"
VALID = "rm -f /etc/docker/daemon.json"


def test_broken_and_unreachable_hosts_stop_the_next_batch_and_nobody_else(fleet):
    left = fleet.folder / "left"
    before = fleet.starts([FIRST, SECOND, THIRD])
    everybody = [FIRST, SECOND, FOURTH, GONE, THIRD]
    fleet.break_engine(FOURTH)
    try:
        done = fleet.harden(everybody, bulwark_serial=[1, 3, 1], bulwark_retry_file=str(left))
    finally:
        fleet.mend_engine(FOURTH)
    assert done.status != 0
    assert done.failed() == [FOURTH], done.text
    assert done.hosts[FOURTH].rescued == 1
    assert done.hosts[GONE].unreachable == 1
    assert THIRD not in done.hosts
    assert sorted(left.read_text("utf-8").split()) == sorted([FOURTH, GONE, THIRD])
    # The neighbour in the batch of the broken host is through, with one restart.
    assert [fleet.is_hardened(name) for name in (FIRST, SECOND, THIRD)] == [True, True, False]
    assert fleet.starts([FIRST, SECOND, THIRD]) == {**before, FIRST: before[FIRST] + 1, SECOND: before[SECOND] + 1}

    again = fleet.harden(
        everybody,
        "--limit",
        f"@{left}",
        bulwark_serial=[1, 2],
        bulwark_retry_file=str(left),
        engine_transaction_lease=1,
    )
    assert sorted(again.hosts) == sorted([FOURTH, GONE, THIRD]), again.text
    assert again.failed() == []
    assert again.status != 0
    assert left.read_text("utf-8").split() == [GONE]
    assert all(fleet.is_hardened(name) for name in NAMES)

    starts = fleet.starts(NAMES)
    last = fleet.harden(NAMES, bulwark_retry_file=str(left), bulwark_serial=["100%"])
    assert last.status == 0, last.text
    assert {name: count.changed for name, count in last.hosts.items()} == dict.fromkeys(NAMES, 0)
    assert fleet.starts(NAMES) == starts
    assert not left.exists()


def test_unreachable_canary_stops_the_roll(fleet):
    done = fleet.harden([GONE, FIRST], bulwark_max_fail_percentage=100)
    assert done.status != 0
    assert list(done.hosts) == [GONE]
    assert not fleet.is_hardened(FIRST)


def test_limit_of_failures_has_to_be_exceeded(fleet):
    fleet.run(SECOND, INVALID)
    try:
        refused = fleet.harden([FIRST, SECOND, THIRD], bulwark_serial=[2, 1], bulwark_max_fail_percentage=49)
        assert refused.status != 0
        assert refused.failed() == [SECOND], refused.text
        assert "daemon.json" in refused.text
        assert THIRD not in refused.hosts
        assert fleet.is_hardened(FIRST)
        allowed = fleet.harden([FIRST, SECOND, THIRD], bulwark_serial=[2, 1], bulwark_max_fail_percentage=50)
        assert allowed.failed() == [SECOND], allowed.text
        assert allowed.status != 0
        assert fleet.is_hardened(THIRD)
    finally:
        fleet.run(SECOND, VALID)


def test_run_that_was_killed_is_finished_by_the_same_command(fleet):
    before = fleet.starts([FIRST, SECOND])
    argv = fleet.command("harden", [FIRST, SECOND], bulwark_serial=[1], **LEFT_OUT)
    process = subprocess.Popen(
        argv,
        cwd=fleet.folder,
        env=fleet.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 60
        while fleet.run(SECOND, "ls /etc/docker/daemon.json 2>/dev/null") == "":
            assert time.monotonic() < deadline
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    done = fleet.harden([FIRST, SECOND], engine_transaction_lease=1)
    assert done.status == 0, done.text
    assert done.failed() == []
    assert done.hosts[FIRST].changed == 0
    assert fleet.is_hardened(SECOND)
    assert fleet.starts([FIRST, SECOND]) == {name: count + 1 for name, count in before.items()}
