# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A broken policy changes nothing, a changed one is in force at once, and a reboot finds everything in place."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from findings import is_machine, load


def test_broken_policy_was_refused_with_the_parsers_line_and_the_old_one_stayed(host):
    if not is_machine(host):
        assert host.run("docker ps -q --filter name=always").stdout == ""
        return
    said = load(host, "broken")["said"]
    assert "profile 'docker-nginx'" in said
    assert "at line 4" in said
    seen = dict(line.split() for line in load(host, "changed")["after_broken"])
    assert (seen["served"], seen["write_tmp"], seen["shell"]) == ("done", "done", "refused")


def test_changed_policy_was_in_force_at_once_and_the_unlisted_one_is_gone(host):
    if not is_machine(host):
        assert host.run("test -e /etc/apparmor.d/docker-nginx").rc == 1
        return
    kept = load(host, "changed")
    seen = dict(line.split() for line in kept["after_change"])
    assert (seen["served"], seen["write_tmp"]) == ("done", "refused")
    assert "docker-other: goes" in kept["changed"]["reasons"]
    assert any("an older engine loaded it" in reason for reason in kept["changed"]["reasons"])
    assert kept["changed"]["default_profile"]["state"] == "current"
    assert "docker-other" not in host.check_output("cat /sys/kernel/security/apparmor/profiles")


def test_after_the_reboot_profiles_were_there_before_the_first_container_and_writing_is_still_refused(host):
    if not is_machine(host):
        assert host.ansible("bulwark.docker.apparmor_info", check=False)["available"] is False
        return
    uptime = float(host.check_output("cat /proc/uptime").split()[0])
    shown = host.check_output("docker inspect -f '{{.State.Running}} {{.AppArmorProfile}} {{.State.StartedAt}}' always")
    running, profile, started = shown.split()
    assert (running, profile) == ("true", "docker-nginx")
    pid = host.check_output("docker inspect -f '{{.State.Pid}}' always")
    assert host.check_output(f"cat /proc/{pid}/attr/current") == "docker-nginx (enforce)"
    age = float(host.check_output(f"echo $(($(date +%s) - $(date -d {started} +%s)))"))
    assert age < uptime
    # The kernel leaves most records of a boot out of its log, so systemd is asked when all profiles were loaded.
    moment = host.check_output("systemctl show -p ActiveEnterTimestamp --value apparmor.service")
    loaded = float(host.check_output(f"date -d '{moment}' +%s"))
    assert loaded < float(host.check_output(f"date -d {started} +%s.%N"))
    seen = host.run("docker exec always /opt/busybox sh -c 'echo >/tmp/planted'")
    assert (seen.rc, "Permission denied" in seen.stderr) == (1, True)


def test_after_the_reboot_nothing_is_left_to_do(host):
    if not is_machine(host):
        said = host.ansible("bulwark.docker.apparmor_profile", "on_missing=skip")
        assert (said["state"], said["changed"]) == ("unavailable", False)
        return
    left = load(host, "changed")["left"]
    assert (left["changed"], left["reasons"], left["default_profile"]["state"]) == (False, [], "current")
