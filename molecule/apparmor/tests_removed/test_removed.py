# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After the removal nothing of ours is left, attacks work again, and the engine's own profile still confines."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from findings import is_machine, load


def test_removal_under_a_running_container_was_refused(host):
    if not is_machine(host):
        assert host.run("docker ps -q").stdout == ""
        return
    said = load(host, "refused")["said"]
    assert "confined by nothing" in said
    assert "always (docker-nginx)" in said


def test_nothing_of_ours_is_left(host):
    left = host.run("ls -d /etc/apparmor.d/docker-* /var/cache/apparmor/*/docker-* /var/lib/bulwark-docker")
    assert left.stdout.split() == []
    before = {line.split()[0] for line in load(host, "forecast")["files_before"] if "/etc/apparmor.d" in line}
    now = set(host.check_output("find /etc/apparmor.d -xdev").split())
    assert now == before


def test_attacks_work_again_and_the_engines_profile_is_not_lost(host):
    if not is_machine(host):
        assert host.ansible("bulwark.docker.apparmor_profile", "state=absent", check=True)["changed"] is False
        return
    loaded = host.check_output("cat /sys/kernel/security/apparmor/profiles").splitlines()
    assert [line for line in loaded if line.startswith("docker-")] == ["docker-default (enforce)"]
    results = host.ansible("bulwark.docker.enforcement_probe", "probes=apparmor", check=False)["results"]
    assert len(results) >= 8
    assert {one["verdict"] for one in results} == {"not_blocked"}
