# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After the removal no process, unit, linger or id of ours is left, and the system's engine runs on."""

from __future__ import annotations


def test_no_process_is_left(host):
    assert host.run("pgrep -u ann,bob -a").stdout == ""
    assert host.check_output("ps -o uid= -C dockerd").split() == ["0"]
    assert host.run("pgrep -a 'rootlesskit|slirp4netns'").stdout == ""


def test_nothing_of_ours_is_left(host):
    for name in ("subuid", "subgid"):
        assert host.check_output(f"cat /etc/{name}") == "# by hand\nann:100000:65536"
    assert host.check_output("ls /var/lib/systemd/linger") == ""
    names = "-name '*bulwark-*' -o -path '*/.config/systemd*' -o -name daemon.json -o -path '*/share/docker'"
    found = host.check_output(f"find /home /etc /var/lib/systemd -xdev \\( {names} \\) -print")
    assert host.run("ls -d /var/lib/bulwark-docker").rc == 2
    # The test hosts have units of their own for network and log-ins.
    assert [path for path in found.splitlines() if "/bulwark-network" not in path and "/bulwark-ssh" not in path] == []
    assert host.check_output("sysctl -n net.ipv4.ip_unprivileged_port_start") == "1024"


def test_engine_of_the_user_is_unreachable_and_that_of_the_system_is_not(host):
    uid = host.user("ann").uid
    assert host.run(f"curl -s -m 5 --unix-socket /run/user/{uid}/docker.sock http://localhost/_ping").rc == 7
    assert host.check_output("curl -s -m 5 --unix-socket /run/docker.sock http://localhost/_ping") == "OK"
    results = host.ansible("bulwark.docker.enforcement_probe", "probes=rootless.container_root", check=False)["results"]
    assert [one["verdict"] for one in results] == ["not_blocked"]
