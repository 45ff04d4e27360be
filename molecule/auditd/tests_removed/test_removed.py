# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After the removal nothing of ours is left, and what is the administrator's still is."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from findings import is_machine, load, name_of


def test_nothing_of_ours_is_left(host):
    leftovers = "grep -rl -e docker- -e bulwark /etc/audit; ls -d /var/lib/bulwark-docker /etc/systemd/system/*.d"
    assert host.run(leftovers).stdout.split() == []
    before = {line.split()[0] for line in load(host, "forecast")["files_before"]}
    assert "/etc/docker" in before
    assert host.run("ls -d /etc/docker").rc == 0
    links = "/etc/systemd/system/multi-user.target.wants"
    now = {f"{links}/{name}" for name in host.check_output(f"ls {links}").split()}
    # From audit 4 on the rules have a service of their own.
    kept = {f"{links}/auditd.service", f"{links}/audit-rules.service"} if keeps_the_daemon(host) else set()
    assert now - kept == {name for name in before if name.startswith(links + "/")}


def test_touches_are_unseen_again_and_the_administrator_is_not_robbed(host):
    tools = host.run("command -v auditctl").rc == 0
    assert tools == keeps_the_daemon(host)
    if not is_machine(host):
        return
    results = host.ansible("bulwark.docker.enforcement_probe", "probes=auditd", check=False)["results"]
    assert len(results) >= 5
    assert {one["verdict"] for one in results} == {"not_blocked"}
    assert "site-name" in host.check_output("cat /etc/audit/rules.d/40-site.rules")
    if tools:
        kernel = host.check_output("auditctl -l")
        assert "docker-" not in kernel
        assert "site-name" in kernel
        assert host.run("grep '^num_logs = 5$' /etc/audit/auditd.conf").rc == 0


def keeps_the_daemon(host):
    """One that the administrator had installed is not ours to remove; one more was kept for these tests."""
    return name_of(host) in ("debian12-machine", "debian13-machine")
