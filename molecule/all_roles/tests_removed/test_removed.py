# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After the removal the machine is what it was before the hardening, and the attacks get through again."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "daemon_baseline"))

from findings import attack, load


@pytest.fixture(scope="module")
def states(host):
    return load(host, "before")["host"], load(host, "removed")


def test_files_are_the_same_with_content_mode_and_owner(states):
    before, removed = (state["files"] for state in states)
    assert len(before) > 10000
    different = {
        path: (before.get(path), removed.get(path))
        for path in sorted(before.keys() | removed.keys())
        if before.get(path) != removed.get(path)
    }
    # The client's directory, which is empty by now; docs/removal.md says why it stays.
    assert different == {"/root/.docker": (None, ["40700", "0:0"])}


@pytest.mark.parametrize("what", ["units", "active", "audit rules", "socket", "ports", "lingering", "profiles"])
def test_system_is_in_the_same_state(states, what):
    before, removed = (state[what] for state in states)
    assert removed == before


def test_attacks_that_were_refused_work_again(host):
    names = ("isolation.sibling_tcp", "privilege.setuid_gain", "auditd.configuration")
    assert {one["verdict"] for one in attack(host, *names).values()} == {"not_blocked"}
