# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Frozen rules are pending, not a failure, and the next boot brings them."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from findings import is_machine, load


def test_frozen_rules_were_refused_by_the_kernel_and_reported_as_pending(host):
    if not is_machine(host):
        assert host.run("auditctl -e 2 || false").rc == 1
        return
    frozen, again = load(host, "frozen"), load(host, "frozen_again")
    assert frozen["state"] == "pending_reboot"
    assert frozen["changed"] is True
    assert any("pending reboot" in warning for warning in frozen["warnings"])
    assert (again["state"], again["changed"]) == ("pending_reboot", False)


def test_boot_brought_what_was_pending(host):
    if not is_machine(host):
        assert host.run("auditctl -l || false").rc == 1
        return
    booted = load(host, "booted")
    assert (booted["state"], booted["changed"]) == ("loaded", False)
    kernel = host.check_output("auditctl -l")
    assert "docker-config" in kernel
    assert "docker-exec-client" not in kernel
    # The broken line of the administrator neither stopped his own later rules nor the daemon.
    assert "site-hosts" in kernel
    assert host.check_output("systemctl is-active auditd") == "active"
    probes = "auditd.configuration,auditd.engine_program,auditd.client_execution"
    results = host.ansible("bulwark.docker.enforcement_probe", f"probes={probes}", check=False)["results"]
    assert [one["verdict"] for one in results] == ["blocked", "blocked", "not_blocked"]
    assert host.check_output("grep -c '^num_logs = 7$' /etc/audit/auditd.conf") == "1"
