# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install a compensating scan on a host, or take it away again (private)."""

from __future__ import annotations

import json
import posixpath
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._data_paths import find_data_paths
from ansible_collections.bulwark.docker.plugins.module_utils._engine_state import service_properties
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError, HostError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import Host
from ansible_collections.bulwark.docker.plugins.module_utils._instance import STATE_ROOT, Instance
from ansible_collections.bulwark.docker.plugins.module_utils._scan_units import (
    CLIENT_PATH,
    INSTALLED_PATH,
    PROGRAM_PATH,
    RESUME_UNIT,
    SCAN_UNIT,
    SETTINGS_PATH,
    STATE_DIRECTORY,
    TIMERS,
    UNIT_DIRECTORY,
    UNIT_NAMES,
    ScanPlan,
    clamd_address,
    render_files,
)
from ansible_collections.bulwark.docker.plugins.module_utils._scanner_table import SCANNERS

__all__ = ["ScanRequest", "apply_scan"]

SECONDS_OF_A_DAY = 86400
PROGRAM_TIMEOUT = 1200.0
ENABLED_UNITS = (RESUME_UNIT, *TIMERS)
OWN_FILES = (PROGRAM_PATH, SETTINGS_PATH, CLIENT_PATH, *(f"{UNIT_DIRECTORY}/{name}" for name in UNIT_NAMES))
STATE_FILES = tuple(
    f"{STATE_DIRECTORY}/{name}" for name in ("installed", "result.json", "result.json.new", "engine-stopped.json.new")
)


class ScanRequest(NamedTuple):
    """What the user wants; C(command) is empty for the scanner that is installed; times in seconds."""

    present: bool
    instance: Instance
    program: str
    mode: str
    rootless: bool
    command: Sequence[str]
    calendar: str
    random_delay: int
    timeout: int
    start_deadline: int
    max_age_days: int
    alarm_command: Sequence[str]
    check_mode: bool


def apply_scan(host: Host, request: ScanRequest) -> Dict[str, Any]:
    """Install the scan or take it away; returns the module's result. Raises ConfigError or HostError."""
    return _install(host, request) if request.present else _remove(host, request)


# -- installing


def _install(host: Host, request: ScanRequest) -> Dict[str, Any]:
    paths = [entry.path for entry in find_data_paths(host, request.instance, request.rootless)]
    command, client = _scanner(host, request)
    _check_calendar(host, request.calendar)
    interpreter = host.which("python3")
    if interpreter is None:
        raise HostError("plan the scan: the host has no python3 in its usual places; install it")
    plan = ScanPlan(
        program=request.program,
        interpreter=interpreter,
        mode=request.mode,
        paths=paths,
        command=command,
        client=client,
        calendar=request.calendar,
        random_delay=request.random_delay,
        timeout=request.timeout,
        start_deadline=request.start_deadline,
        max_age_days=request.max_age_days,
        alarm_command=request.alarm_command,
        service=request.instance.service,
        socket_unit=request.instance.socket_unit,
        api_socket=request.instance.api_socket,
    )
    diff = []
    files = render_files(plan)
    stale = [(CLIENT_PATH, None, 0)] if client is None else []
    changes: List[Tuple[str, Optional[str], int]] = [
        (path, text, mode) for path, text, mode in [*files, *stale] if _differs(host, path, text, mode)
    ]
    for path, text, _mode in changes:
        diff.append(_difference(host, path, text))
    missing = [unit for unit in ENABLED_UNITS if not _in_force(host, request.instance, unit)]
    fresh = host.stat(INSTALLED_PATH) is None
    changed = bool(changes or missing or fresh)
    if changed and not request.check_mode:
        _put(host, request.instance, changes, fresh)
    return {"changed": changed, "diff": diff, "command": list(command), "paths": paths, **_last_result(host, request)}


def _scanner(host: Host, request: ScanRequest) -> Tuple[List[str], Optional[str]]:
    """The command line that scans, paths to be appended, and the configuration that a client needs."""
    if request.command:
        if host.which(request.command[0]) is None and host.stat(request.command[0]) is None:
            raise ConfigError(
                f"plan the scan: there is no program {request.command[0]!r} (option command); install it, or "
                "name another"
            )
        return list(request.command), None
    client = host.which("clamdscan")
    for path in SCANNERS["clamav"].files:
        address = clamd_address((host.read_file(path) or b"").decode("utf-8", "replace"))
        if client and address:
            return [client, f"--config-file={CLIENT_PATH}", "--fdpass", "--infected", "--no-summary"], address
    alone = host.which("clamscan")
    if alone:
        return [alone, "--recursive", "--infected", "--no-summary"], None
    raise ConfigError(
        "plan the scan: the host has neither clamdscan with a clamd nor clamscan (option command); "
        "install one of them, or name the command line of another scanner"
    )


def _check_calendar(host: Host, calendar: str) -> None:
    result = host.run(["systemd-analyze", "calendar", calendar], timeout=60.0)
    if result.rc != 0 or "\n" in calendar:
        words = (result.stderr.strip() or result.stdout.strip()).splitlines()
        raise ConfigError(
            f"plan the scan: {calendar!r} is no time for systemd, {words[-1] if words else 'it says nothing'} (option "
            "calendar); see man 7 systemd.time"
        )


def _differs(host: Host, path: str, text: Optional[str], mode: int) -> bool:
    raw = host.read_file(path)
    if text is None or raw is None:
        return not (text is None and raw is None)
    found = host.stat(path)
    return raw != text.encode("utf-8") or found is None or found.mode != mode


def _difference(host: Host, path: str, text: Optional[str]) -> Dict[str, str]:
    before = (host.read_file(path) or b"").decode("utf-8", "replace")
    return {"before_header": path, "before": before, "after_header": path, "after": text or ""}


def _in_force(host: Host, instance: Instance, unit: str) -> bool:
    shown = service_properties(host, instance, unit, ["UnitFileState", "ActiveState", "NeedDaemonReload"])
    running = unit not in TIMERS or shown.get("ActiveState") == "active"
    return shown.get("UnitFileState") == "enabled" and shown.get("NeedDaemonReload") == "no" and running


def _put(host: Host, instance: Instance, changes: Sequence[Tuple[str, Optional[str], int]], fresh: bool) -> None:
    host.make_directory(STATE_DIRECTORY, 0o700)
    for path, text, mode in changes:
        if text is None:
            host.remove_file(path)
        else:
            host.make_directory(posixpath.dirname(path), 0o755)
            host.write_file(path, text.encode("utf-8"), mode, 0, 0)
    _systemctl(host, instance, "daemon-reload")
    _systemctl(host, instance, "enable", *ENABLED_UNITS)
    # A timer counts from its old time until it is started anew.
    _systemctl(host, instance, "restart", *TIMERS)
    if fresh:
        host.write_file(INSTALLED_PATH, b"", 0o600, 0, 0)


def _systemctl(host: Host, instance: Instance, *words: str) -> None:
    result = host.run([*instance.systemctl, *words], timeout=PROGRAM_TIMEOUT)
    if result.rc != 0:
        raise HostError(
            f"plan the scan: systemctl {' '.join(words)} failed, {(result.stderr or result.stdout).strip()}; "
            "look at the journal with: journalctl -n 50"
        )


def _last_result(host: Host, request: ScanRequest) -> Dict[str, Any]:
    """What the last scan came to, and whether one is overdue."""
    try:
        result = json.loads((host.read_file(f"{STATE_DIRECTORY}/result.json") or b"{}").decode("utf-8"))
        last = float(result.get("last_success") or 0)
    except (ValueError, AttributeError, TypeError):
        result, last = {}, 0.0
    installed = host.stat(INSTALLED_PATH)
    since = last or (installed.mtime_ns / 1e9 if installed else host.now())
    overdue = host.now() - since > request.max_age_days * SECONDS_OF_A_DAY
    return {"last_verdict": str(result.get("verdict") or ""), "last_success": int(last), "overdue": overdue}


# -- taking away


def _remove(host: Host, request: ScanRequest) -> Dict[str, Any]:
    there = [path for path in (*OWN_FILES, *STATE_FILES) if host.stat(path) is not None]
    diff = [_difference(host, path, None) for path in there if path in OWN_FILES]
    if there and not request.check_mode:
        units = [name for name in UNIT_NAMES if f"{UNIT_DIRECTORY}/{name}" in there and "@" not in name]
        if units:
            # Ending a scan that runs brings the engine back first.
            _systemctl(host, request.instance, "stop", *units)
            _systemctl(host, request.instance, "disable", *(unit for unit in units if unit in ENABLED_UNITS))
        if host.stat(f"{STATE_DIRECTORY}/engine-stopped.json") is not None:
            raise HostError(
                "take the scan away: it has stopped the engine, and the engine is not back "
                f"({STATE_DIRECTORY}/engine-stopped.json); start it with: systemctl start {RESUME_UNIT}"
            )
        for path in there:
            host.remove_file(path)
        for folder in (posixpath.dirname(PROGRAM_PATH), posixpath.dirname(SETTINGS_PATH), STATE_DIRECTORY, STATE_ROOT):
            host.remove_directory(folder)
        if units:
            _systemctl(host, request.instance, "daemon-reload")
            host.run([*request.instance.systemctl, "reset-failed", SCAN_UNIT], timeout=60.0)
    return {
        "changed": bool(there),
        "diff": diff,
        "command": [],
        "paths": [],
        "last_verdict": "",
        "last_success": 0,
        "overdue": False,
    }
