# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays that die between write and restart, and plays that meet on a host."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import pytest

SCENARIO = Path(__file__).resolve().parents[1]
PLAY_SECONDS = 600
CHANGED = re.compile(r"^(\S+)\s*: ok=\d+\s+changed=(\d+)", re.MULTILINE)


def start_play(name, playbook, *options):
    argv = ["ansible-playbook", "-i", str(SCENARIO.parent / "inventory"), "--limit", name, str(SCENARIO / playbook)]
    return subprocess.Popen([*argv, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def play(name, playbook, *options):
    process = start_play(name, playbook, *options)
    text = process.communicate(timeout=PLAY_SECONDS)[0]
    return process.returncode, text


def changes(text):
    return {host: int(count) for host, count in CHANGED.findall(text)}


def moment_of(hosts, name):
    """Now, with everything in the journal that was said before: a line has the time at which it arrived there."""
    hosts.run(name, "journalctl --sync")
    return time.time()


def starts(hosts, name, since):
    text = hosts.run(name, f"journalctl --sync; journalctl -u docker.service --since=@{since:.3f} -o cat --no-pager")
    return sum(line.startswith("Started docker.service") for line in text.splitlines())


@pytest.fixture
def virgin(hosts, name):
    """A host without our settings, before and after."""
    hosts.results(name)
    yield
    status, text = play(name, "removal.yml")
    assert status == 0, text
    assert hosts.run(name, "ls /etc/docker/daemon.json /var/lib/bulwark-docker 2>/dev/null") == ""


@pytest.mark.usefixtures("virgin")
def test_play_that_died_is_finished_by_the_next_one(hosts, name):
    moment = moment_of(hosts, name)
    status, text = play(name, "died.yml")
    assert status == 2, text
    assert "the user's own task" in text
    assert starts(hosts, name, moment) == 0
    report = hosts.module(name, "engine_info")["engine"]
    assert report["running"] is True
    assert report["uncommitted"] is True
    assert any("icc" in sentence for sentence in report["divergences"])

    status, text = play(name, "converge.yml", "-e", "engine_transaction_lease=1")
    assert status == 0, text
    assert starts(hosts, name, moment) == 1
    report = hosts.module(name, "engine_info")["engine"]
    assert report["uncommitted"] is False
    assert report["divergences"] == []

    status, text = play(name, "converge.yml")
    assert status == 0, text
    assert changes(text) == {name: 0}
    assert starts(hosts, name, moment) == 1


@pytest.mark.usefixtures("virgin")
def test_two_plays_at_once_do_not_mix(hosts, name):
    moment = moment_of(hosts, name)
    both = [
        start_play(name, "converge.yml", "-e", "daemon_baseline_log_level=info"),
        start_play(name, "converge.yml", "-e", "daemon_baseline_log_level=warn"),
    ]
    texts = [process.communicate(timeout=PLAY_SECONDS)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], "\n".join(texts)
    assert starts(hosts, name, moment) == 2
    report = hosts.module(name, "engine_info")["engine"]
    assert report["running"] is True
    assert report["uncommitted"] is False
    assert report["divergences"] == []
    level = next(entry["configured"] for entry in report["settings"] if entry["name"] == "log-level")
    assert level in ("info", "warn")
