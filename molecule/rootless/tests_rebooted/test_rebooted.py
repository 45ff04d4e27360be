# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After a boot the engines are there although nobody has logged in."""

from __future__ import annotations

# An emulated machine that boots two engines at once; hosts of flesh and blood are asked for the mission's 60 s.
SECONDS = 60


def test_engines_answer_soon_after_a_boot_and_no_login_was_needed(host):
    for name in ("ann", "bob"):
        uid = host.user(name).uid
        assert host.check_output(f"loginctl show-user {name} --property=Sessions --value") == ""
        ping = f"curl -s -m 10 --retry 30 --retry-all-errors --unix-socket /run/user/{uid}/docker.sock http://d/_ping"
        assert host.check_output(ping) == "OK"
        if "-machine" not in host.backend.get_pytest_id():
            continue
        show = (
            "systemctl --machine=%s@.host --user show docker.service --property=ActiveEnterTimestampMonotonic --value"
        )
        ready = int(host.check_output(show, name)) / 1e6
        reached = "systemctl show basic.target --property=ActiveEnterTimestampMonotonic --value"
        assert ready - int(host.check_output(reached)) / 1e6 < SECONDS


def test_socket_is_refused_to_another_user_still(host):
    uid = host.user("ann").uid
    ask = f"curl -s -m 5 --unix-socket /run/user/{uid}/docker.sock http://localhost/_ping"
    assert host.run("su - bob -c %s", ask).rc == 7
    assert host.run("su - ann -c %s", ask).stdout == "OK"
    if "-machine" in host.backend.get_pytest_id():
        assert host.check_output("sysctl -n net.ipv4.ip_unprivileged_port_start") == "80"
