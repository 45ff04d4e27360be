# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After the power was lost in the middle of a scan, with audit rules that had to wait for a boot."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "daemon_tls_watched"))

from proofs import asked_so_far, knock, load


@pytest.fixture(scope="module")
def kept(host):
    return load(host, "restarted")


def test_frozen_rules_were_refused_by_the_kernel_and_reported_as_pending(kept):
    first, second = kept["frozen"]
    assert (first["state"], first["changed"]) == ("pending_reboot", True)
    assert any("pending reboot" in warning for warning in first["warnings"])
    assert (second["state"], second["changed"]) == ("pending_reboot", False)


def test_boot_brought_what_was_pending(host, kept):
    assert (kept["booted"]["state"], kept["booted"]["changed"]) == ("loaded", False)
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


def test_engine_that_was_stopped_for_a_scan_is_back_with_its_containers(host, kept):
    assert kept["engine"] == "stopped"
    assert host.check_output("systemctl is-active docker.service docker.socket").split() == ["active", "active"]
    names = host.check_output("docker ps --format '{{.Names}}'").split()
    assert sorted(names) == ["always", "plain"]
    assert host.check_output("cat $(docker volume inspect --format '{{.Mountpoint}}' kept)/word") == "kept"
    assert host.run("pgrep -f endless-scanner").rc == 1
    assert not host.file("/var/lib/bulwark-docker/scan/engine-stopped.json").exists


def test_engine_serves_its_client_and_no_stranger_since_the_first_moment(host):
    ask = "docker --tlsverify -H tcp://localhost:2376 version --format '{{.Server.Version}}'"
    assert host.check_output(ask) != ""
    asked = knock(host, 2376)
    assert (asked.connections, asked.answers) == (12, 0), asked
    so_far = asked_so_far(host)
    assert so_far.attempts > so_far.connections > 20
    assert so_far.answers == 0
    boots = host.check_output("journalctl --unit=stranger.service --output=cat --grep=Started").splitlines()
    assert len(boots) >= 1


def test_unix_socket_is_as_it_was(host, kept):
    assert host.check_output("stat --format '%a %U %G' /run/docker.sock") == kept["socket"] == "660 root docker"
    assert "-H fd://" in host.check_output("systemctl show docker.service --property=ExecStart --value")


def test_settings_are_in_force_after_the_boot(host):
    engine = host.ansible("bulwark.docker.engine_info")["engine"]
    assert engine["uncommitted"] is False
    assert engine["divergences"] == []
    probes = "isolation.sibling_tcp"
    results = host.ansible("bulwark.docker.enforcement_probe", f"probes={probes}", check=False)["results"]
    assert [one["verdict"] for one in results] == ["blocked"]


def test_engine_of_a_user_answers_although_nobody_has_logged_in(host):
    uid = host.user("ann").uid
    assert host.check_output(f"curl -s -m 20 --unix-socket /run/user/{uid}/docker.sock http://engine/_ping") == "OK"
    # Newer releases count the user's own manager as a session.
    sessions = "loginctl show-user ann --property=Sessions --value"
    classes = host.check_output(f"{sessions} | xargs --no-run-if-empty loginctl show-session --property=Class --value")
    assert set(classes.split()) <= {"manager"}
    assert host.check_output(f"curl -s -m 20 --unix-socket /run/user/{uid}/docker.sock http://engine/_ping") == "OK"
    stranger = "setpriv --reuid=65534 --clear-groups"
    assert host.run(f"{stranger} curl -s --unix-socket /run/user/{uid}/docker.sock http://engine/_ping").rc == 7
    seconds = {
        name: int(host.check_output(f"{systemctl} show {unit} --property=ActiveEnterTimestampMonotonic --value")) / 1e6
        for name, systemctl, unit in (
            ("boot", "systemctl", "basic.target"),
            ("engine", "systemctl", "docker.service"),
            ("user", "systemctl --machine=ann@.host --user", "docker.service"),
        )
    }
    print(f"seconds after the kernel's start: {seconds}")
    # Whoever emulates a processor has slow boots; the system's own engine is as slow then.
    since = "boot" if host.check_output("systemd-detect-virt") == "kvm" else "engine"
    assert seconds["user"] - seconds[since] < 60
    assert host.check_output("sysctl -n net.ipv4.ip_unprivileged_port_start") == "80"
