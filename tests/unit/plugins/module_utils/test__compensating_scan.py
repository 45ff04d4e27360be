# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installing and taking away the compensating scan, on a host in memory."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._compensating_scan import ScanRequest, apply_scan
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError, HostError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import CommandResult
from ansible_collections.bulwark.docker.plugins.module_utils._instance import system_instance
from ansible_collections.bulwark.docker.plugins.module_utils._scan_units import (
    CLIENT_PATH,
    INSTALLED_PATH,
    SETTINGS_PATH,
    STATE_DIRECTORY,
    clamd_address,
)
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.memory_host import File
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.scanner_host import DONE, ScannerHost

UNIT = "/etc/systemd/system/bulwark-docker-scan.service"
CLAMD = b"User clamav\nLocalSocket /run/clamd.ctl\nExcludePath ^/x\n#LocalSocket /no\nTCPSocket 3310\n"


def request(**changes: Any) -> ScanRequest:
    """What a user asks for who asks for nothing special."""
    usual: dict[str, Any] = {
        "present": True,
        "instance": system_instance(),
        "program": "print()\n",
        "mode": "stop",
        "rootless": False,
        "command": [],
        "calendar": "daily",
        "random_delay": 60,
        "timeout": 100,
        "start_deadline": 10,
        "max_age_days": 15,
        "alarm_command": [],
        "check_mode": False,
    }
    return ScanRequest(**{**usual, **changes})


@pytest.fixture
def host() -> ScannerHost:
    made = ScannerHost()
    for folder in ("/etc/clamav", "/etc/systemd/system", "/etc/bulwark-docker", "/usr/local/lib/bulwark-docker"):
        made.directories[folder] = made.clock
    made.files["/etc/clamav/clamd.conf"] = File(CLAMD)
    for program in ("python3", "clamdscan"):
        made.programs[program] = lambda argv: DONE

    def calendar(argv: Any) -> CommandResult:
        return CommandResult(1, "", "Failed to parse") if argv[-1] == "never" else DONE

    made.programs["systemd-analyze"] = calendar
    return made


def test_scan_is_installed_once(host: ScannerHost) -> None:
    before = dict(host.files)
    assert apply_scan(host, request(check_mode=True))["changed"]
    assert host.files == before
    result = apply_scan(host, request())
    assert (result["changed"], result["paths"]) == (True, ["/var/lib/docker"])
    assert host.enabled == {
        "bulwark-docker-scan-resume.service",
        "bulwark-docker-scan.timer",
        "bulwark-docker-scan-check.timer",
    }
    again = apply_scan(host, request())
    assert (again["changed"], again["diff"], again["overdue"], again["last_verdict"]) == (False, [], False, "")


def test_client_gets_the_address_of_clamd_and_no_exclusion(host: ScannerHost) -> None:
    result = apply_scan(host, request())
    assert result["command"][:2] == ["/usr/bin/clamdscan", f"--config-file={CLIENT_PATH}"]
    assert host.files[CLIENT_PATH].data.endswith(b"\nLocalSocket /run/clamd.ctl\nTCPSocket 3310\n")
    assert "ExcludePath" not in clamd_address(CLAMD.decode())


def test_other_scanner_needs_no_client(host: ScannerHost) -> None:
    apply_scan(host, request())
    host.programs["mine"] = lambda argv: DONE
    apply_scan(host, request(command=["mine", "{path}"]))
    assert CLIENT_PATH not in host.files
    assert json.loads(host.files[SETTINGS_PATH].data)["command"] == ["mine", "{path}"]
    del host.programs["clamdscan"]
    host.programs["clamscan"] = lambda argv: DONE
    assert apply_scan(host, request())["command"][0] == "/usr/bin/clamscan"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"calendar": "never"}, "'never' is no time for systemd"),
        ({"command": ["nothing"]}, "there is no program 'nothing'"),
        ({"timeout": 0}, "timeout is 0"),
        ({"random_delay": -1}, "random_delay is -1"),
        ({"max_age_days": 0}, "max_age_days is 0"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    host: ScannerHost, changes: dict[str, Any], words: str
) -> None:
    before = dict(host.files)
    with pytest.raises(ConfigError, match=words):
        apply_scan(host, request(**changes))
    assert host.files == before


def test_host_without_a_scanner_is_refused(host: ScannerHost) -> None:
    del host.programs["clamdscan"]
    with pytest.raises(ConfigError, match="neither clamdscan"):
        apply_scan(host, request())


def test_stopped_timer_and_changed_unit_are_mended(host: ScannerHost) -> None:
    apply_scan(host, request())
    del host.units["bulwark-docker-scan.timer"]
    assert apply_scan(host, request())["changed"]
    host.files[UNIT].data = b"[Service]\n"
    assert [entry["after_header"] for entry in apply_scan(host, request())["diff"]] == [UNIT]
    assert not apply_scan(host, request())["changed"]


def test_service_brings_the_engine_back_whatever_ends_it(host: ScannerHost) -> None:
    apply_scan(host, request())
    text = host.files[UNIT].data.decode()
    for line in ("ExecStopPost=", "OnFailure=bulwark-docker-scan-resume.service", "KillSignal=SIGKILL"):
        assert f"\n{line}" in text
    # Or the start of the engine would wait for the end of the command that asks for it.
    assert "After=" not in text
    resume = host.files["/etc/systemd/system/bulwark-docker-scan-resume.service"].data.decode()
    # Or it would start the engine in the middle of a scan.
    assert "bulwark-docker-scan.service\n" in resume.split("After=")[1].splitlines(keepends=True)[0]


def test_overdue_scan_is_reported(host: ScannerHost) -> None:
    apply_scan(host, request())
    old = {"verdict": "clean", "last_success": int(host.clock) - 16 * 86400}
    host.files[f"{STATE_DIRECTORY}/result.json"] = File(json.dumps(old).encode())
    answer = apply_scan(host, request())
    assert (answer["overdue"], answer["last_verdict"], answer["changed"]) == (True, "clean", False)
    host.files[f"{STATE_DIRECTORY}/result.json"].data = b"damaged"
    host.files[INSTALLED_PATH].ctime -= 16 * 86400
    assert apply_scan(host, request())["overdue"]


def test_removal_leaves_nothing(host: ScannerHost) -> None:
    before = dict(host.files)
    assert not apply_scan(host, request(present=False))["changed"]
    apply_scan(host, request())
    assert apply_scan(host, request(present=False, check_mode=True))["changed"]
    assert UNIT in host.files
    assert apply_scan(host, request(present=False))["changed"]
    assert host.files == before
    assert host.enabled == set()
    assert host.systemd.index(("daemon-reload",)) < len(host.systemd) - 1


def test_removal_is_refused_while_the_engine_is_not_back(host: ScannerHost) -> None:
    apply_scan(host, request())
    host.files[f"{STATE_DIRECTORY}/engine-stopped.json"] = File(b"{}")
    with pytest.raises(HostError, match="the engine is not back"):
        apply_scan(host, request(present=False))
    assert UNIT in host.files
