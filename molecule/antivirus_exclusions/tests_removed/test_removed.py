# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After the removal: the scanners are as they were, and see everything again."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from findings import load, look


def test_configuration_is_as_before_byte_by_byte(host):
    before = load(host, "before")["configuration"]
    assert len(before) > 5
    assert load(host, "removed")["configuration"] == before


def test_nothing_is_blocked_from_the_scanners_any_more(host):
    before = load(host, "before")["seen"]
    now = look(host, "rkhunter", "on_access")
    assert set(now["clamd"]) == set(before["clamd"])
    assert set(now["aide"]) == set(before["aide"])
    assert set(now["updatedb"]) == set(before["updatedb"])
    assert now["defender"] == []


def test_no_unit_of_the_scan_is_left(host):
    assert host.run("systemctl list-unit-files 'bulwark-docker-scan*' --no-legend").stdout == ""
    assert host.check_output("systemctl is-active docker.service") == "active"
