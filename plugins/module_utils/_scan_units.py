# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a compensating scan: units, settings, and what the scanner's client reads (pure, private)."""

from __future__ import annotations

import json
import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError
from ansible_collections.bulwark.docker.plugins.module_utils._instance import LOCK_ROOT, STATE_ROOT

__all__ = [
    "CLIENT_PATH",
    "INSTALLED_PATH",
    "PROGRAM_PATH",
    "RESUME_UNIT",
    "SCAN_UNIT",
    "SETTINGS_PATH",
    "STATE_DIRECTORY",
    "TIMERS",
    "UNIT_DIRECTORY",
    "UNIT_NAMES",
    "ScanPlan",
    "clamd_address",
    "render_files",
]

PROGRAM_PATH = "/usr/local/lib/bulwark-docker/compensating_scan.py"
SETTINGS_PATH = "/etc/bulwark-docker/compensating-scan.json"
CLIENT_PATH = "/etc/bulwark-docker/compensating-scan-clamd.conf"
STATE_DIRECTORY = STATE_ROOT + "/scan"
INSTALLED_PATH = STATE_DIRECTORY + "/installed"
UNIT_DIRECTORY = "/etc/systemd/system"
SCAN_UNIT = "bulwark-docker-scan.service"
RESUME_UNIT = "bulwark-docker-scan-resume.service"
CHECK_UNIT = "bulwark-docker-scan-check.service"
ALARM_UNIT = "bulwark-docker-scan-alarm@.service"
TIMERS = ("bulwark-docker-scan.timer", "bulwark-docker-scan-check.timer")
UNIT_NAMES = (SCAN_UNIT, RESUME_UNIT, CHECK_UNIT, ALARM_UNIT, *TIMERS)
# Containers may take their own time to stop and to start.
GRACE_SECONDS = 900
HEADER = "# Written by bulwark.docker; changes are overwritten.\n"


class ScanPlan(NamedTuple):
    """A compensating scan; times in seconds, C(client) is the text of the scanner client's configuration or None."""

    program: str
    interpreter: str
    mode: str
    paths: Sequence[str]
    command: Sequence[str]
    client: Optional[str]
    calendar: str
    random_delay: int
    timeout: int
    start_deadline: int
    max_age_days: int
    alarm_command: Sequence[str]
    service: str
    socket_unit: str
    api_socket: str


def clamd_address(text: str) -> str:
    """The lines of a clamd.conf that say where clamd listens; none of its exclusions.

    The client applies the exclusions itself when it hands over open files (clamdscan --fdpass), so that one with this
    configuration reads what the others leave out.
    """
    kept = re.findall(r"^(?:LocalSocket|TCPSocket|TCPAddr)[ \t]+\S.*$", text, re.MULTILINE)
    return "".join(line.rstrip() + "\n" for line in kept)


def render_files(plan: ScanPlan) -> List[Tuple[str, str, int]]:
    """Path, text and mode of every file of the scan.

    Raises ConfigError for numbers that make no sense.
    """
    _check_numbers(plan)
    settings: Dict[str, Any] = {
        "alarm_command": list(plan.alarm_command),
        "api_socket": plan.api_socket,
        "command": list(plan.command),
        "lock": LOCK_ROOT + "/system.lock",
        "max_age_days": plan.max_age_days,
        "mode": plan.mode,
        "paths": list(plan.paths),
        "service": plan.service,
        "socket_unit": plan.socket_unit,
        "start_deadline": plan.start_deadline,
        "state_directory": STATE_DIRECTORY,
        "timeout": plan.timeout,
    }
    files = [
        (PROGRAM_PATH, plan.program, 0o755),
        (SETTINGS_PATH, json.dumps(settings, indent=1, sort_keys=True) + "\n", 0o600),
    ]
    if plan.client is not None:
        files.append((CLIENT_PATH, HEADER + plan.client, 0o644))
    units = _units(plan)
    return files + [(f"{UNIT_DIRECTORY}/{name}", HEADER + units[name], 0o644) for name in UNIT_NAMES]


def _check_numbers(plan: ScanPlan) -> None:
    for name, value, least in (
        ("random_delay", plan.random_delay, 0),
        ("timeout", plan.timeout, 1),
        ("start_deadline", plan.start_deadline, 1),
        ("max_age_days", plan.max_age_days, 1),
    ):
        if value < least:
            raise ConfigError(
                f"plan the scan: {name} is {value!r}, less than {least} (option {name}); give a larger one"
            )


def _units(plan: ScanPlan) -> Dict[str, str]:
    run = f"{plan.interpreter} {PROGRAM_PATH}"
    alarm = ALARM_UNIT.replace("@.", "@%n.")
    marker = STATE_DIRECTORY + "/engine-stopped.json"
    # Whatever ends the scan, systemd brings the engine back: ExecStopPost= at once, the resume unit when that failed or
    # the power did. SIGKILL keeps a hanging scanner from delaying it. No After= for the engine: its start would
    # wait for the end of the very ExecStopPost= that asks for it.
    scan = f"""\
[Unit]
Description=Scan of the data of Docker that other scanners leave out
OnFailure={RESUME_UNIT} {alarm}

[Service]
Type=oneshot
ExecStart={run} scan
ExecStopPost={run} resume
TimeoutStartSec={plan.timeout + GRACE_SECONDS}
TimeoutStopSec={GRACE_SECONDS}
KillSignal=SIGKILL
NoNewPrivileges=yes
PrivateTmp=yes
ProtectHome=read-only
ProtectSystem=strict
RuntimeDirectory=bulwark-docker
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=yes
ReadWritePaths={STATE_DIRECTORY}
IOSchedulingClass=idle
Nice=10
"""
    resume = f"""\
[Unit]
Description=Bring Docker back after an interrupted scan
ConditionPathExists={marker}
# The marker is there during a scan too; its job has to end first.
After={plan.service} {plan.socket_unit} {SCAN_UNIT}
OnFailure={alarm}

[Service]
Type=oneshot
ExecStart={run} resume
TimeoutStartSec={GRACE_SECONDS}

[Install]
WantedBy=multi-user.target
"""
    check = f"""\
[Unit]
Description=Complain when no scan of the data of Docker has succeeded
Wants={RESUME_UNIT}
OnFailure={alarm}

[Service]
Type=oneshot
ExecStart={run} check
"""
    alarm_service = f"""\
[Unit]
Description=Alarm about %i

[Service]
Type=oneshot
ExecStart={run} alarm %i
"""
    return {
        SCAN_UNIT: scan,
        RESUME_UNIT: resume,
        CHECK_UNIT: check,
        ALARM_UNIT: alarm_service,
        # No Persistent=: a missed window is a matter for the check, not for working hours.
        TIMERS[0]: _timer("Window for the scan of the data of Docker", plan.calendar, plan.random_delay, False),
        TIMERS[1]: _timer("Daily look at the scans of the data of Docker", "daily", 3600, True),
    }


def _timer(description: str, calendar: str, delay: int, persistent: bool) -> str:
    return f"""\
[Unit]
Description={description}

[Timer]
OnCalendar={calendar}
RandomizedDelaySec={delay}
Persistent={"yes" if persistent else "no"}

[Install]
WantedBy=timers.target
"""
