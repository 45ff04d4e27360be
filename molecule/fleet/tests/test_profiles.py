# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Profiles on engines: the strictest one, and an inventory that overrules it."""

from __future__ import annotations

from ansible_collections.bulwark.docker.molecule.fleet.tests.conftest import NAMES

FIRST, SECOND, THIRD, FOURTH = NAMES
MAPPED = "docker info --format '{{.SecurityOptions}}'"


def test_inventory_overrules_the_strictest_profile(fleet):
    fleet.describe(
        {
            "all": {"bulwark_profile": "cis_level2", "bulwark_antivirus_exclusions": False, "bulwark_apparmor": False},
            SECOND: {"bulwark_userns_remap": False, "daemon_baseline_log_level": "warn", "bulwark_auditd": False},
        }
    )
    for name in (SECOND, FOURTH):
        # The role refuses to hide what an engine has.
        fleet.run(name, "docker rm -f web; docker image prune -af; rm -rf /srv/image")
    done = fleet.play("harden", [SECOND, FOURTH], bulwark_serial=["100%"], userns_remap_accept_hidden=True)
    assert done.status == 0, done.text
    assert "name=userns" in fleet.run(FOURTH, MAPPED)
    assert "name=userns" not in fleet.run(SECOND, MAPPED)
    level = 'grep -o \'"log-level": "[a-z]*"\' /etc/docker/daemon.json'
    assert fleet.run(SECOND, level) == '"log-level": "warn"'
    assert fleet.run(FOURTH, level) == '"log-level": "info"'
    rules = "cat /etc/audit/rules.d/00-bulwark-docker.rules 2>/dev/null"
    assert "runc" in fleet.run(FOURTH, rules)
    assert fleet.run(SECOND, rules) == ""

    fleet.describe({})
    gone = fleet.play("remove", [SECOND, FOURTH], bulwark_serial=["100%"])
    assert gone.status == 0, gone.text
    assert "name=userns" not in fleet.run(FOURTH, MAPPED)
    for name in (SECOND, FOURTH):
        assert fleet.run(name, f"ls /etc/docker/daemon.json /var/lib/bulwark-docker 2>/dev/null; {rules}") == ""


def test_profile_that_does_not_exist_is_refused(fleet):
    done = fleet.harden([FIRST], bulwark_profile="cis_level3")
    assert done.status != 0
    assert "there is no profile cis_level3 (variable bulwark_profile)" in done.text
    assert not fleet.is_hardened(FIRST)
