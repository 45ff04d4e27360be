# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compensating scan: it finds what others leave out, and the engine comes back from every accident."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from findings import load

SCAN = "bulwark-docker-scan.service"
STATE = "/var/lib/bulwark-docker/scan"
SETTINGS = "/etc/bulwark-docker/compensating-scan.json"
ALARMS = "/var/log/alarms"


def wait_for(host, command, seconds=40):
    deadline = time.monotonic() + seconds
    while host.run(command).rc != 0:
        assert time.monotonic() < deadline, f"never came true: {command}"
        time.sleep(0.3)


def alarms(host):
    found = host.file(ALARMS)
    return found.content_string.splitlines() if found.exists else []


def result(host):
    return json.loads(host.file(f"{STATE}/result.json").content_string)


def engine_is_back(host):
    wait_for(host, "docker info")
    wait_for(host, "docker ps --format '{{.Names}}' | grep -qx keeper")
    assert host.check_output("systemctl is-active docker.service docker.socket").split() == ["active", "active"]
    text = host.check_output("docker exec keeper cat /data/planted-virus")
    assert text.startswith("This harmless text")
    assert not host.file(f"{STATE}/engine-stopped.json").exists


@pytest.fixture
def settings(host):
    """Change settings of the scan for one test."""
    original = host.file(SETTINGS).content_string

    def change(**values):
        text = json.dumps({**json.loads(original), **values})
        host.run_expect([0], f"cat > {SETTINGS} <<'END'\n{text}\nEND")

    yield change
    host.run_expect([0], f"cat > {SETTINGS} <<'END'\n{original.rstrip()}\nEND")


@pytest.fixture
def expect_alarm(host):
    """The test ends with one alarm more at least."""
    before = len(alarms(host))
    yield
    wait_for(host, f"test $(wc -l < {ALARMS}) -gt {before}")


def test_scan_finds_the_file_in_the_volume_and_raises_an_alarm(host, expect_alarm):
    started = host.check_output("docker inspect --format '{{.State.StartedAt}}' keeper")
    assert host.run(f"systemctl start {SCAN}").rc != 0
    engine_is_back(host)
    found = result(host)
    assert found["verdict"] == "infected"
    assert found["engine_stopped"] is True
    volume = load(host, "before")["root"] + "/volumes/kept/_data/planted-virus"
    assert volume in [entry["path"] for entry in found["findings"]]
    assert host.check_output("docker inspect --format '{{.State.StartedAt}}' keeper") != started


def test_killed_scanner_is_a_failure_with_the_engine_back(host, settings, expect_alarm):
    settings(command=["/usr/local/bin/faulty-scanner", "killed"])
    assert host.run(f"systemctl start {SCAN}").rc != 0
    engine_is_back(host)
    assert result(host)["verdict"] == "failed"


def test_hanging_scanner_is_ended_at_its_limit(host, settings, expect_alarm):
    settings(command=["/usr/local/bin/faulty-scanner", "hangs"], timeout=2)
    assert host.run(f"systemctl start {SCAN}").rc != 0
    engine_is_back(host)
    assert "longer than 2 s" in result(host)["problem"]
    assert host.run("pgrep -f 'faulty-scanner hangs'").rc != 0


def test_killed_program_leaves_no_stopped_engine(host, settings, expect_alarm):
    settings(command=["/usr/local/bin/faulty-scanner", "hangs"])
    host.run_expect([0], f"systemctl start --no-block {SCAN}")
    wait_for(host, "pgrep -f 'faulty-scanner hangs'")
    assert host.run("systemctl is-active docker.service").rc != 0
    pid = host.check_output(f"systemctl show {SCAN} --property=MainPID --value")
    assert int(pid) > 1
    host.run_expect([0], f"kill -KILL {pid}")
    engine_is_back(host)


def test_loss_of_power_is_healed_at_the_next_boot(host, settings):
    settings(command=["/usr/local/bin/faulty-scanner", "hangs"])
    host.run_expect([0], f"systemctl start --no-block {SCAN}")
    wait_for(host, "pgrep -f 'faulty-scanner hangs'")
    kept = host.file(f"{STATE}/engine-stopped.json").content_string
    host.run(f"systemctl stop {SCAN}")
    engine_is_back(host)
    # What the disk holds after the power went: the mark, and an engine that is down.
    host.run_expect([0], "systemctl stop docker.socket docker.service")
    host.run_expect([0], f"cat > {STATE}/engine-stopped.json <<'END'\n{kept}\nEND")
    wanted = host.check_output("systemctl list-dependencies --plain multi-user.target")
    assert "bulwark-docker-scan-resume.service" in wanted
    host.run_expect([0], "systemctl start bulwark-docker-scan-resume.service")
    engine_is_back(host)


def test_full_disk_keeps_the_engine_from_being_stopped(host, expect_alarm):
    pid = host.check_output("systemctl show docker.service --property=MainPID --value")
    host.run_expect([0], f"mount -t tmpfs -o size=16k none {STATE} && ! dd if=/dev/zero of={STATE}/filler bs=4k")
    try:
        assert host.run(f"systemctl start {SCAN}").rc != 0
        assert host.check_output("systemctl show docker.service --property=MainPID --value") == pid
    finally:
        host.run_expect([0], f"umount {STATE}")
    engine_is_back(host)


def test_disk_that_fills_during_the_scan_does_not_hold_the_engine(host, settings, expect_alarm):
    settings(command=["/usr/local/bin/faulty-scanner", "fills"])
    host.run_expect([0], f"mount -t tmpfs -o size=64k none {STATE}")
    try:
        assert host.run(f"systemctl start {SCAN}").rc != 0
        wait_for(host, "docker ps --format '{{.Names}}' | grep -qx keeper")
        assert not host.file(f"{STATE}/result.json").exists
    finally:
        host.run_expect([0], f"umount {STATE}")
    engine_is_back(host)


def test_scanner_cannot_write_to_the_data(host, settings):
    settings(command=["/usr/local/bin/faulty-scanner", "writes"], mode="live")
    host.run_expect([0], f"systemctl start {SCAN}")
    assert result(host)["verdict"] == "clean"
    assert host.run(f"find {' '.join(result(host)['paths'])} -name written-by-the-scanner").stdout == ""


def test_live_scan_leaves_the_engine_alone(host, settings):
    settings(mode="live")
    pid = host.check_output("systemctl show docker.service --property=MainPID --value")
    assert host.run(f"systemctl start {SCAN}").rc != 0
    found = result(host)
    assert (found["verdict"], found["engine_stopped"]) == ("infected", False)
    assert host.check_output("systemctl show docker.service --property=MainPID --value") == pid


def test_engine_that_was_stopped_on_purpose_stays_down(host):
    host.run_expect([0], "systemctl stop docker.socket docker.service")
    try:
        assert host.run(f"systemctl start {SCAN}").rc != 0
        assert result(host)["verdict"] == "infected"
        assert host.run("systemctl is-active docker.service docker.socket").stdout.split() == ["inactive"] * 2
    finally:
        host.run_expect([0], "systemctl start docker.socket docker.service && docker start keeper")
    engine_is_back(host)


def test_check_is_silent_after_a_scan(host):
    assert host.run("systemctl start bulwark-docker-scan-check.service").rc == 0


def test_check_refuses_to_be_silent_when_the_last_scan_is_old(host, expect_alarm):
    path = f"{STATE}/result.json"
    fresh = host.file(path).content_string
    old = json.dumps({**json.loads(fresh), "last_success": time.time() - 16 * 86400})
    host.run_expect([0], f"cat > {path} <<'END'\n{old}\nEND")
    try:
        assert host.run("systemctl start bulwark-docker-scan-check.service").rc != 0
        answer = host.ansible("bulwark.docker.compensating_scan", "program=x", check=True)
        assert answer["overdue"] is True
    finally:
        host.run_expect([0], f"cat > {path} <<'END'\n{fresh.rstrip()}\nEND")


def test_timer_waits_for_its_window(host):
    shown = host.check_output("systemctl show bulwark-docker-scan.timer --property=ActiveState,TimersCalendar")
    assert "ActiveState=active" in shown
    assert "Sun *-*-* 02:00:00" in shown
