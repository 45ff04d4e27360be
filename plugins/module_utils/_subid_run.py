# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give a user subordinate ids on a host, or take them back (private; may change at any time).

What was added is remembered in one record. It is written before the two files and forgotten after them, so a run that
is killed at any point is finished by the next one, and never leaves a line that nobody owns up to.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError, HostError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import Host
from ansible_collections.bulwark.docker.plugins.module_utils._subid import (
    Account,
    Range,
    Table,
    edit,
    effective,
    engine_problem,
    engine_ranges,
    overlaps,
    parse_table,
    render,
    shown,
)
from ansible_collections.bulwark.docker.plugins.module_utils._subid_plan import (
    FILES,
    FileFacts,
    FilePlan,
    Wanted,
    deterministic,
    limits,
    make_plan,
    parse_accounts,
    parse_getsubids,
    parse_login_defs,
    remarks,
    subid_sources,
)
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version, parse_version

__all__ = ["RECORD", "Request", "apply_ranges"]

RECORD = "/var/lib/bulwark-docker/subid/state.json"
FORMAT = 1
# lckpwdf(3) waits as long.
LOCK_SECONDS = 15.0
PROGRAM_SECONDS = 60.0
FILE_MODE = 0o644
# Stands for "newer than any that is known".
NEWEST = Version(9999, 0, 0)
SOURCES = "/etc/nsswitch.conf"
# No line can belong to it.
UNBORN_UID = -1


class Request(NamedTuple):
    """What the module is asked for. C(engine_version) is "" when the host is to be asked.

    C(unborn) makes a forecast for a user who will be made, in check mode only.
    """

    present: bool
    name: str
    wanted: Tuple[Wanted, ...]
    engine_version: str
    check_mode: bool
    unborn: bool = False


class _Record(NamedTuple):
    """What was added: texts of lines by user and file; files that we made; last lines that had no line end."""

    users: Dict[str, Dict[str, List[str]]]
    created: List[str]
    joined: Dict[str, str]


def _read_record(host: Host) -> _Record:
    raw = host.read_file(RECORD)
    if raw is None:
        return _Record({}, [], {})
    try:
        data = json.loads(raw.decode("utf-8"))
        if data["format"] != FORMAT:
            raise ValueError(f"format {data['format']!r} is not {FORMAT}")
        users = {
            str(user): {str(name): [str(text) for text in texts] for name, texts in files.items()}
            for user, files in data["users"].items()
        }
        joined = {str(name): str(text) for name, text in data["joined"].items()}
        return _Record(users, [str(name) for name in data["created"]], joined)
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ConfigError(
            f"read the record of subordinate ids: {exc!r} ({RECORD}); "
            "restore that file from a backup, or remove it if no range of bulwark.docker is to be taken back any more"
        ) from exc


def _write_record(host: Host, record: _Record) -> None:
    directory = RECORD.rpartition("/")[0]
    if not record.users:
        host.remove_file(RECORD)
        host.remove_directory(directory)
        host.remove_directory(directory.rpartition("/")[0])
        return
    raw = (json.dumps({"format": FORMAT, **record._asdict()}, indent=1, sort_keys=True) + "\n").encode("utf-8")
    if raw != host.read_file(RECORD):
        host.make_directory(directory, 0o700)
        host.write_file(RECORD, raw, 0o600, 0, 0)


def _text(host: Host, path: str) -> str:
    return (host.read_file(path) or b"").decode("utf-8", "surrogateescape")


def _database(host: Host, name: str) -> Dict[int, str]:
    """Users or groups by id; those that only a directory service knows too, where it lists them."""
    found = parse_accounts(_text(host, f"/etc/{name}"))
    if host.which("getent"):
        found.update(parse_accounts(host.run(["getent", name], timeout=PROGRAM_SECONDS).stdout))
    return found


def _asked(host: Host, name: str, file: str) -> List[Range]:
    """Ranges of a user as newuidmap sees them."""
    argv = ["getsubids", *(["-g"] if file == "subgid" else []), name]
    return parse_getsubids(host.run(argv, timeout=PROGRAM_SECONDS).stdout)


def _engine_version(host: Host, given: str) -> Optional[Version]:
    """The version that is named, that of the engine on the host, or None without one."""
    if given:
        return parse_version(given)
    if host.which("dockerd") is None:
        return None
    words = host.run(["dockerd", "--version"], timeout=PROGRAM_SECONDS).stdout.split()
    if len(words) < 3:
        raise HostError(
            f"ask dockerd for its version: answer {' '.join(words)!r} (dockerd --version); name it with the option "
            "engine_version"
        )
    return parse_version(words[2])


def _plain(ranges: List[Range]) -> List[Dict[str, int]]:
    return [{"start": entry.start, "count": entry.count} for entry in ranges]


def _printable(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


class _Run:
    """One run for one user; between its first and its last line the files are locked."""

    def __init__(self, host: Host, request: Request) -> None:
        self.host = host
        self.request = request
        self.record = _read_record(host)
        self.before = {name: host.read_file(path) for name, path, _kind in FILES}
        self.tables = {name: parse_table(raw) for name, raw in self.before.items()}
        found = host.user(request.name)
        self.account = None if found is None else Account(found.name, found.uid)
        if found is None and request.unborn and request.check_mode:
            self.account = Account(request.name, UNBORN_UID)
        self.sources = subid_sources(_text(host, SOURCES))
        self.settings = parse_login_defs(_text(host, "/etc/login.defs"))
        self.warnings: List[str] = []

    def recorded(self, name: str) -> List[str]:
        """Texts of the lines that were added for the user."""
        return self.record.users.get(self.request.name, {}).get(name, [])

    def _elsewhere(self, users: Dict[int, str]) -> Dict[str, List[Range]]:
        """Ranges that a directory service gives to other users."""
        found: Dict[str, List[Range]] = {name: [] for name, _path, _kind in FILES}
        if self.sources == ["files"] or self.host.which("getsubids") is None:
            return found
        for user in users.values():
            if user != self.request.name:
                for name in found:
                    in_file = {line.range for line in self.tables[name].lines}
                    found[name] += [entry for entry in _asked(self.host, user, name) if entry not in in_file]
        return found

    def plan(self) -> Dict[str, FilePlan]:
        """Both files as they should be."""
        if not self.request.present:
            return {name: self._plan_removal(name) for name in self.tables}
        if self.account is None:
            raise ConfigError(
                f"give user {self.request.name!r} subordinate ids: there is no such user on this host (option name); "
                "create it first, and use its name, not its uid"
            )
        ids = {"subuid": _database(self.host, "passwd"), "subgid": _database(self.host, "group")}
        elsewhere = self._elsewhere(ids["subuid"])
        facts = {
            name: FileFacts(
                table,
                limits(self.settings, name),
                ids[name],
                tuple(elsewhere[name]),
                tuple(self.recorded(name)),
            )
            for name, table in self.tables.items()
        }
        return make_plan(facts, self.account, self.request.wanted)

    def _plan_removal(self, name: str) -> FilePlan:
        table = self.tables[name]
        recorded = self.recorded(name)
        last = {line.text: line.number for line in table.lines}
        gone = [last[text] for text in recorded if text in last]
        for text in recorded:
            if text not in last:
                self.warnings.append(f"the line {text!r} was changed or removed by somebody else (/etc/{name})")
        removed = tuple(line.text for line in table.lines if line.number in gone)
        table = edit(table, gone, [])
        return FilePlan(self._parted(name, table), (), removed, ())

    def _parted(self, name: str, table: Table) -> Table:
        """The table without the line end that was put before our first line, once nothing of ours follows it."""
        others = any(files.get(name) for user, files in self.record.users.items() if user != self.request.name)
        joined = self.record.joined.get(name)
        if not others and joined is not None and table.lines and table.lines[-1].text == joined:
            return table._replace(final_newline=False)
        return table

    def content(self, name: str, plan: FilePlan) -> Optional[bytes]:
        """Bytes of a file as it should be, None where there should be none."""
        if not plan.added and not plan.removed:
            return self.before[name]
        raw = render(plan.table)
        return None if not raw and name in self.record.created and not self.request.present else raw

    def write(self, plans: Dict[str, FilePlan]) -> None:
        """Bring files and record into place."""
        old = self.record
        texts = {name: list(dict.fromkeys([*self.recorded(name), *plan.added])) for name, plan in plans.items()}
        created = [*old.created, *(name for name, plan in plans.items() if plan.added and self.before[name] is None)]
        joined = dict(old.joined)
        for name, plan in plans.items():
            table = self.tables[name]
            if plan.added and table.lines and not table.final_newline:
                joined[name] = table.lines[-1].text
        if any(texts.values()):
            _write_record(self.host, _Record({**old.users, self.request.name: texts}, created, joined))
        for name, path, _kind in FILES:
            self._write_file(name, path, self.content(name, plans[name]))
        users = {user: files for user, files in old.users.items() if user != self.request.name}
        left = {name: list(plan.recorded) for name, plan in plans.items()}
        if any(left.values()):
            users[self.request.name] = left
        used = {name for files in users.values() for name, lines in files.items() if lines}
        joined = {name: text for name, text in joined.items() if name in used}
        _write_record(self.host, _Record(users, [name for name in created if name in used], joined))

    def _write_file(self, name: str, path: str, raw: Optional[bytes]) -> None:
        if raw == self.before[name]:
            return
        if raw is None:
            self.host.remove_file(path)
            return
        facts = self.host.stat(path)
        if facts is None:
            self.host.write_file(path, raw, FILE_MODE, 0, 0)
        else:
            self.host.write_file(path, raw, facts.mode, facts.uid, facts.gid)

    def prove(self, plans: Dict[str, FilePlan]) -> None:
        """Ask the shadow tools, where they can tell, whether they see what was written."""
        if not self.request.present or self.sources != ["files"] or self.host.which("getsubids") is None:
            return
        for name, plan in plans.items():
            if not plan.added:
                continue
            seen = _asked(self.host, self.request.name, name)
            missing = [line.text for line in plan.table.lines if line.text in plan.added and line.range not in seen]
            if missing:
                raise HostError(
                    f"give user {self.request.name!r} subordinate ids: getsubids does not show {missing[0]!r} "
                    f"(/etc/{name}); look at that file and at {SOURCES}"
                )

    def _remark(self, plans: Dict[str, FilePlan]) -> None:
        for name, path, _kind in FILES:
            if self.account is not None and self.request.present:
                self.warnings += remarks(plans[name].table, self.account, path)
            for clash in overlaps(plans[name].table):
                self.warnings.append(
                    f"lines {clash.other.number} and {clash.line.number}, {shown(clash.other)} and "
                    f"{shown(clash.line)}, share ids ({path}); whoever has both can act in the other's containers"
                )
        if self.request.present and self.sources != ["files"]:
            self.warnings.append(
                f"newuidmap asks {' '.join(self.sources)} for subordinate ids ({SOURCES}), so a rootless engine may "
                "not see these ranges; dockerd reads the files"
            )
        if self.request.present:
            self.warnings += [
                f"useradd computes ranges from uids here and does not look whether they are free ({setting} in "
                "/etc/login.defs); a later user may get the same ids, so name ranges that no uid leads to"
                for setting in deterministic(self.settings)
                if any(plan.added for plan in plans.values())
            ]

    def outcome(self, plans: Dict[str, FilePlan]) -> Dict[str, Any]:
        """The module's result."""
        self._remark(plans)
        version = _engine_version(self.host, self.request.engine_version)
        contents = {name: self.content(name, plan) for name, plan in plans.items()}
        differing = [(name, path) for name, path, _kind in FILES if contents[name] != self.before[name]]
        account = self.account
        tables = {name: plan.table for name, plan in plans.items()}
        reads = version or NEWEST
        problems = [engine_problem(tables[name], path, reads) for name, path, _kind in FILES]
        return {
            "changed": bool(differing) or self._stale(plans),
            "added": {name: list(plan.added) for name, plan in plans.items()},
            "removed": {name: list(plan.removed) for name, plan in plans.items()},
            "ranges": {
                name: _plain([line.range for line in effective(table, account) if line.range] if account else [])
                for name, table in tables.items()
            },
            "engine": {
                "version": str(version) if version else "",
                "problem": "; ".join(text for text in problems if text),
                **{
                    name: _plain(engine_ranges(table, account, reads) if account else [])
                    for name, table in tables.items()
                },
            },
            "overlaps": [
                {"path": path, "lines": [clash.other.number, clash.line.number]}
                for name, path, _kind in FILES
                for clash in overlaps(tables[name])
            ],
            "doubtful": [
                {"path": path, "line": line.number, "text": shown(line), "problem": line.problem}
                for name, path, _kind in FILES
                for line in tables[name].lines
                if line.problem
            ],
            "diff": [
                {
                    "before": _printable(self.before[name] or b""),
                    "after": _printable(contents[name] or b""),
                    "before_header": path,
                    "after_header": path,
                }
                for name, path in differing
            ],
            "warnings": self.warnings,
        }

    def _stale(self, plans: Dict[str, FilePlan]) -> bool:
        """Whether the record says something that is not so any more."""
        return any(self.recorded(name) != list(plan.recorded) for name, plan in plans.items())


def apply_ranges(host: Host, request: Request) -> Dict[str, Any]:
    """Make a user's subordinate ids what the request says; the result of the module subid_range.

    Raises ConfigError for an unknown user or impossible ranges, ConflictError where ids would have two owners,
    HostError where the host does not do its part.
    """
    paths = [path for _name, path, _kind in FILES]
    lock = contextlib.nullcontext() if request.check_mode else host.lock_accounts(paths, LOCK_SECONDS)
    with lock:
        run = _Run(host, request)
        plans = run.plan()
        result = run.outcome(plans)
        if result["changed"] and not request.check_mode:
            run.write(plans)
            run.prove(plans)
        return result
