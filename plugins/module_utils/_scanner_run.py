# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring exclusions into force in every scanner of a host, or take them out again (private)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._data_paths import (
    DataPath,
    check_path,
    find_data_paths,
    without_volumes,
)
from ansible_collections.bulwark.docker.plugins.module_utils._engine_state import read_process, service_properties
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError, HostError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import FileStat, Host
from ansible_collections.bulwark.docker.plugins.module_utils._instance import LOCK_ROOT, STATE_ROOT, Instance
from ansible_collections.bulwark.docker.plugins.module_utils._scanner_config import (
    exclude,
    include_again,
    is_listed,
    wanted_lines,
)
from ansible_collections.bulwark.docker.plugins.module_utils._scanner_table import SCANNERS, Scanner

__all__ = ["ExclusionRequest", "apply_exclusions", "custom_scanner"]

RECORD_DIRECTORY = STATE_ROOT + "/scanners"
RECORD_PATH = RECORD_DIRECTORY + "/exclusions.json"
LOCK_PATH = LOCK_ROOT + "/scanners.lock"
LOCK_PATIENCE = 120.0
PROGRAM_TIMEOUT = 300.0
NEW_FILE = FileStat("file", 0o644, 0, 0, 0, 0, 0)


class ExclusionRequest(NamedTuple):
    """What the user wants; C(names) are scanners or "all", C(others) descriptions of scanners that are not built in."""

    present: bool
    instance: Instance
    names: Sequence[str]
    scan_volumes: bool
    rootless: bool
    others: Sequence[Mapping[str, Any]]
    check_mode: bool


@dataclass
class _Run:
    """The work on one host."""

    host: Host
    request: ExclusionRequest
    paths: List[str]
    record: Dict[str, List[str]]
    changed: bool = False
    diff: List[Dict[str, str]] = field(default_factory=list)
    reports: List[Dict[str, Any]] = field(default_factory=list)


def custom_scanner(description: Mapping[str, Any]) -> Scanner:
    """A scanner that the user described.

    Raises ConfigError when the description says neither where lines go nor how to add and remove an exclusion.
    """
    name = str(description["name"])
    commands = [tuple(description.get(key) or ()) for key in ("list_command", "add_command", "remove_command")]
    by_file = bool(description.get("file") and description.get("lines"))
    if name in SCANNERS or by_file == all(commands) or (any(commands) and not all(commands)):
        raise ConfigError(
            f"exclude paths from the scanner {name!r}: it is built in, or its description is not complete (option "
            "other_scanners); give another name, and either file and lines, or list_command, add_command and "
            "remove_command"
        )
    return Scanner(
        name=name,
        program=str(description["program"]),
        files=(str(description["file"]),) if by_file else (),
        lines=tuple(description.get("lines") or ()),
        create=bool(description.get("create")),
        units=tuple(description.get("units") or ()),
        check=tuple(description.get("check_command") or ()),
        list_command=commands[0],
        add_command=commands[1],
        remove_command=commands[2],
    )


def _choose(request: ExclusionRequest) -> List[Scanner]:
    known = {**SCANNERS, **{str(entry["name"]): custom_scanner(entry) for entry in request.others}}
    unknown = sorted(set(request.names) - set(known) - {"all"})
    if unknown:
        raise ConfigError(
            f"exclude paths from scanners: {', '.join(map(repr, unknown))} is none (option scanners); "
            f"known are all, {', '.join(known)}; describe others with the option other_scanners"
        )
    return [scanner for scanner in known.values() if "all" in request.names or scanner.name in request.names]


def apply_exclusions(host: Host, request: ExclusionRequest) -> Dict[str, Any]:
    """Exclude the engines' data in every scanner that is there, or take the exclusions out.

    Returns the module's result. Raises ConfigError, RefusedError or HostError; the scanner that failed is then as
    it was before.
    """
    scanners = _choose(request)
    data: List[DataPath] = []
    if request.present:
        data = find_data_paths(host, request.instance, request.rootless)
    paths = without_volumes(data) if request.scan_volumes else [entry.path for entry in data]
    paths = [check_path(path, "exclude the engine's data") for path in paths]
    with host.lock(LOCK_PATH, LOCK_PATIENCE):
        run = _Run(host, request, paths, _read_record(host))
        for scanner in scanners:
            _one(run, scanner)
    return {
        "changed": run.changed,
        "diff": run.diff,
        "data_paths": [entry._asdict() for entry in data],
        "excluded": paths,
        "scanners": run.reports,
    }


def _one(run: _Run, scanner: Scanner) -> None:
    report: Dict[str, Any] = {
        "name": scanner.name,
        "found": run.host.which(scanner.program) is not None,
        "path": "",
        "changed": False,
        "restarted": [],
        "note": "",
    }
    run.reports.append(report)
    if scanner.keeps_list:
        _by_commands(run, scanner, report)
    else:
        _by_file(run, scanner, report)
    run.changed = run.changed or report["changed"]


# -- scanners that read a file


def _by_file(run: _Run, scanner: Scanner, report: Dict[str, Any]) -> None:
    host = run.host
    there = [path for path in scanner.files if host.stat(path) is not None]
    path = there[0] if there else scanner.files[0]
    raw = host.read_file(path)
    if run.request.present and not report["found"]:
        report["note"] = f"{scanner.program} is not installed"
        return
    if raw is None and not (scanner.create and run.request.present):
        report["note"] = f"it has no configuration ({', '.join(scanner.files)}), so there is nothing to exclude from"
        return
    report["path"] = path
    # Any bytes come back as they were.
    text = None if raw is None else raw.decode("utf-8", "surrogateescape")
    if run.request.present:
        helpers = [line for program, line in scanner.helper_lines if host.which(program)]
        lines = wanted_lines(scanner, [*scanner.lines, *helpers], run.paths)
        wanted: Optional[str] = exclude(scanner, text, lines, run.paths, path)
    else:
        wanted = include_again(scanner, text, path)
    if wanted != text:
        report["changed"] = True
        run.diff.append(_difference(path, text, wanted))
        if run.request.check_mode:
            report["restarted"] = [unit for unit, _started in _active_units(host, run.request.instance, scanner)]
            return
        _write(run, scanner, path, raw, wanted)
    elif not run.request.present:
        return
    _restart_stale(run, scanner, path, raw, report)
    if run.request.present and report["changed"] and not run.request.check_mode:
        _ask_for_verdict(run, scanner, path, report)


def _difference(path: str, before: Optional[str], after: Optional[str]) -> Dict[str, str]:
    def plain(text: Optional[str]) -> str:
        return (text or "").encode("utf-8", "surrogateescape").decode("utf-8", "replace")

    return {"before_header": path, "before": plain(before), "after_header": path, "after": plain(after)}


def _write(run: _Run, scanner: Scanner, path: str, raw: Optional[bytes], wanted: Optional[str]) -> None:
    host = run.host
    if wanted is None:
        host.remove_file(path)
        return
    found = host.stat(path) or NEW_FILE
    # What the tool has held against the file before is not our doing.
    before = _complaint(host, scanner, path) if raw is not None else ""
    host.write_file(path, wanted.encode("utf-8", "surrogateescape"), found.mode, found.uid, found.gid)
    after = _complaint(host, scanner, path)
    if after and not before:
        _restore(host, path, raw, found)
        raise HostError(
            f"exclude paths from {scanner.name}: it refuses its configuration, {after} ({path}, put back as it was); "
            "mend that file, or leave this scanner out of the option scanners"
        )


def _complaint(host: Host, scanner: Scanner, path: str) -> str:
    """What a tool says against its configuration, empty when nothing."""
    if not scanner.check:
        return ""
    result = host.run([word.replace("{file}", path) for word in scanner.check], timeout=PROGRAM_TIMEOUT)
    return _words(result.stdout, result.stderr) if result.rc != 0 else ""


def _restore(host: Host, path: str, raw: Optional[bytes], found: FileStat) -> None:
    if raw is None:
        host.remove_file(path)
    else:
        host.write_file(path, raw, found.mode, found.uid, found.gid)


def _words(stdout: str, stderr: str) -> str:
    lines = (stderr.strip() or stdout.strip()).splitlines()
    return " / ".join(lines[-3:]) or "without a word"


def _active_units(host: Host, instance: Instance, scanner: Scanner) -> List[Tuple[str, float]]:
    """Units of a scanner that run, with the second of their start."""
    found = []
    for unit in scanner.units:
        shown = service_properties(host, instance, unit, ["ActiveState", "MainPID"])
        process = read_process(host, int(shown.get("MainPID") or 0))
        if shown.get("ActiveState") == "active" and process is not None:
            found.append((unit, process.started_at))
    return found


def _restart_stale(run: _Run, scanner: Scanner, path: str, raw: Optional[bytes], report: Dict[str, Any]) -> None:
    """Restart what runs with an older configuration, also one that an interrupted run has written."""
    host, instance = run.host, run.request.instance
    found = host.stat(path)
    for unit in scanner.units if found else ():
        # Asked again each time, since restarting one unit may have restarted another.
        stale = [
            name
            for name, started in _active_units(host, instance, scanner._replace(units=(unit,)))
            if started < (found or NEW_FILE).ctime_ns / 1e9
        ]
        if not stale:
            continue
        report["changed"] = True
        report["restarted"].append(unit)
        if run.request.check_mode:
            continue
        result = host.run([*instance.systemctl, "restart", unit], timeout=PROGRAM_TIMEOUT)
        if result.rc != 0 or not _active_units(host, instance, scanner._replace(units=(unit,))):
            _restore(host, path, raw, found or NEW_FILE)
            host.run([*instance.systemctl, "restart", unit], timeout=PROGRAM_TIMEOUT)
            raise HostError(
                f"restart {unit}: it does not run with its new configuration, {_words(result.stdout, result.stderr)} "
                f"({path}, put back as it was); look at its journal with: journalctl -u {unit} -n 50"
            )


def _ask_for_verdict(run: _Run, scanner: Scanner, path: str, report: Dict[str, Any]) -> None:
    """Let the tool itself say that it leaves the paths out, where it can."""
    if not scanner.verdict:
        return
    for excluded in run.paths:
        argv = [word.replace("{file}", path).replace("{path}", excluded) for word in scanner.verdict]
        result = run.host.run(argv, timeout=PROGRAM_TIMEOUT)
        if result.rc != scanner.verdict_rc:
            raise HostError(
                f"exclude {excluded} from {scanner.name}: it still reads that path, "
                f"{_words(result.stdout, result.stderr)} ({path}); look for a rule of yours that names it"
            )
    report["note"] = f"{scanner.program} says itself that it leaves {len(run.paths)} path(s) out"


# -- scanners that keep their exclusions themselves


def _by_commands(run: _Run, scanner: Scanner, report: Dict[str, Any]) -> None:
    host = run.host
    owned = run.record.get(scanner.name, [])
    if not report["found"]:
        report["note"] = f"{scanner.program} is not installed"
        return
    listed = _listing(host, scanner)
    wanted = run.paths if run.request.present else []
    missing = [path for path in wanted if not is_listed(listed, path)]
    surplus = [path for path in owned if path not in wanted and is_listed(listed, path)]
    kept = [path for path in owned if path in wanted and path not in missing]
    report["changed"] = bool(missing or surplus)
    report["path"] = " ".join(scanner.add_command[:3])
    if report["changed"]:
        run.diff.append(
            {
                "before_header": scanner.name,
                "before": "".join(path + "\n" for path in sorted({*kept, *surplus})),
                "after_header": scanner.name,
                "after": "".join(path + "\n" for path in sorted({*kept, *missing})),
            }
        )
    if run.request.check_mode:
        return
    # The record comes first: a killed run leaves one that promises too much, and the next run asks the tool again.
    _write_record(run, scanner.name, sorted({*kept, *missing, *surplus}))
    for command, group in ((scanner.add_command, missing), (scanner.remove_command, surplus)):
        for path in group:
            _command(host, scanner, [word.replace("{path}", path) for word in command])
    if report["changed"]:
        after = _listing(host, scanner)
        wrong = [path for path in missing if not is_listed(after, path)]
        wrong += [path for path in surplus if is_listed(after, path)]
        if wrong:
            raise HostError(
                f"change the exclusions of {scanner.name}: it does not list {', '.join(wrong)} as asked "
                f"({' '.join(scanner.list_command)}); look for a central policy that decides about its exclusions"
            )
    _write_record(run, scanner.name, sorted({*kept, *missing}))


def _listing(host: Host, scanner: Scanner) -> str:
    return _command(host, scanner, scanner.list_command)


def _command(host: Host, scanner: Scanner, argv: Sequence[str]) -> str:
    result = host.run(argv, timeout=PROGRAM_TIMEOUT)
    if result.rc != 0:
        raise HostError(
            f"change the exclusions of {scanner.name}: {_words(result.stdout, result.stderr)} ({' '.join(argv)}); "
            "run that command by hand, or leave this scanner out of the option scanners"
        )
    return result.stdout


def _read_record(host: Host) -> Dict[str, List[str]]:
    raw = host.read_file(RECORD_PATH)
    if raw is None:
        return {}
    try:
        return {str(name): [str(path) for path in paths] for name, paths in json.loads(raw.decode("utf-8")).items()}
    except (ValueError, AttributeError, TypeError) as exc:
        raise ConfigError(
            f"read the record of exclusions: {exc!r} ({RECORD_PATH}); restore that file from a backup, or remove it if "
            "no exclusion is to be taken out any more"
        ) from exc


def _write_record(run: _Run, name: str, paths: List[str]) -> None:
    if run.record.get(name, []) == paths:
        return
    host = run.host
    run.record = {**run.record, name: paths}
    kept = {key: value for key, value in run.record.items() if value}
    if kept:
        host.make_directory(RECORD_DIRECTORY, 0o700)
        host.write_file(RECORD_PATH, (json.dumps(kept, indent=1, sort_keys=True) + "\n").encode(), 0o600, 0, 0)
        return
    host.remove_file(RECORD_PATH)
    host.remove_directory(RECORD_DIRECTORY)
    host.remove_directory(STATE_ROOT)
