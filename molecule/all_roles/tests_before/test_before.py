# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The virgin machine was open: attacks on what each role protects worked, and controls failed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "daemon_baseline"))

from findings import load

ROLES = {"apparmor", "auditd", "daemon_baseline", "rootless", "seccomp", "userns_remap"}


@pytest.fixture(scope="module")
def before(host):
    return load(host, "before")


def test_attacks_that_are_refused_by_a_role_got_through(before):
    attacks = before["attacks"]
    through = [one for one in attacks if one["verdict"] == "not_blocked"]
    assert {one["role"] for one in through} >= ROLES
    assert len(through) >= 35
    assert [one for one in attacks if one["verdict"] == "error"] == []


def test_controls_failed(before):
    failed = {one["id"] for one in before["controls"] if one["verdict"] == "fail"}
    assert len(failed) >= 20
    assert failed >= {"icc_default_bridge", "audit_engine", "userns_remap", "no_new_privileges_default"}


def test_settings_of_the_administrator_are_still_there(host):
    assert host.check_output("docker info --format '{{json .Labels}}'") == '["site=here"]'
