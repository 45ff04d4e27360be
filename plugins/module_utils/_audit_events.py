# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Audit records as readable events (pure but for ausearch, private)."""

from __future__ import annotations

import re
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._audit_rules import Status, parse_status
from ansible_collections.bulwark.docker.plugins.module_utils._audit_tables import KEYS
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError, HostError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import Host

__all__ = ["Event", "Search", "parse_records", "report_events", "search_records", "utc_text"]

STAMP = re.compile(r"^type=(?P<type>\S+) msg=audit\((?P<time>\d+\.\d+):(?P<serial>\d+)\): ?(?P<rest>.*)$")
PAIR = re.compile(r"""(\w+)=("[^"]*"|\S*)""")
HEXADECIMAL = re.compile(r"(?:[0-9A-F]{2})+")
# Separates what the kernel wrote from what auditd looked up for it.
ENRICHED = "\x1d"
KEY_SEPARATOR = "\x01"
SINCE = re.compile(r"recent|today|yesterday|this-week|this-month|boot|[1-9][0-9]{0,8}")
SEARCH_SECONDS = 300.0
NOTHING = "<no matches>"
SYSCALL_NAMES = {"openat": "open or create", "execve": "run", "execveat": "run"}


class Event(NamedTuple):
    """One event: time (seconds since the epoch), who did what with which program to which paths."""

    time: float
    serial: int
    keys: Tuple[str, ...]
    call: str
    success: bool
    login: str
    user: str
    program: str
    command: str
    paths: Tuple[str, ...]


class Search(NamedTuple):
    """What to look for: C(since) is a word of ausearch or a number of seconds, C(limit) the newest events to return.

    C(budget) is the number of events per second that is still fine, 0 for no such limit.
    """

    keys: Tuple[str, ...]
    since: str
    limit: int
    budget: float


def _decode(value: str) -> str:
    """A value as the kernel writes it: quoted, or in hexadecimal when it has special characters."""
    if value.startswith('"'):
        return value.strip('"')
    if value == "(null)":
        return ""
    if len(value) >= 2 and HEXADECIMAL.fullmatch(value):
        return bytes.fromhex(value).decode("utf-8", "replace")
    return value


def _fields(text: str) -> Dict[str, str]:
    kernel, _separator, looked_up = text.partition(ENRICHED)
    found = dict(PAIR.findall(kernel))
    found.update(dict(PAIR.findall(looked_up)))  # names in capitals
    return found


def parse_records(text: str) -> List[Event]:
    """Events from ausearch --raw, oldest first; those without a key (changes of rules for example) are left out."""
    grouped: Dict[Tuple[str, str], List[Tuple[str, Dict[str, str]]]] = {}
    for line in text.split("\n"):  # splitlines() would part the line at ENRICHED
        found = STAMP.match(line)
        if found:
            record = (found.group("type"), _fields(found.group("rest")))
            grouped.setdefault((found.group("time"), found.group("serial")), []).append(record)
    events = [_event(float(time), int(serial), records) for (time, serial), records in grouped.items()]
    return sorted(event for event in events if event.keys)


def _event(time: float, serial: int, records: Sequence[Tuple[str, Dict[str, str]]]) -> Event:
    call = next((fields for kind, fields in records if kind == "SYSCALL"), {})
    title = next((fields.get("proctitle", "") for kind, fields in records if kind == "PROCTITLE"), "")
    paths = [_decode(fields["name"]) for kind, fields in records if kind == "PATH" and "name" in fields]
    keys = _decode(call.get("key", "(null)"))
    return Event(
        time=time,
        serial=serial,
        keys=tuple(key for key in keys.split(KEY_SEPARATOR) if key),
        call=call.get("SYSCALL") or call.get("syscall", ""),
        success=call.get("success") == "yes",
        login=_decode(call.get("AUID") or call.get("auid", "")),
        user=_decode(call.get("UID") or call.get("uid", "")),
        program=_decode(call.get("exe", "")),
        command=_decode(title).replace("\0", " "),
        paths=tuple(dict.fromkeys(path for path in paths if path)),
    )


def search_records(host: Host, key: str, since: Sequence[str]) -> List[Event]:
    """Events with one key; C(since) are the words after -ts.

    Raises HostError when ausearch cannot read the log.
    """
    argv = ["ausearch", "--input-logs", "--raw", "-k", key, "-ts", *since]
    answer = host.run(argv, timeout=SEARCH_SECONDS)
    if answer.rc != 0 and NOTHING not in answer.stderr + answer.stdout and answer.stderr.strip():
        raise HostError(f"search the audit log: {answer.stderr.strip()} ({' '.join(argv)}); is auditd running?")
    # ausearch -k finds parts of words too.
    return [event for event in parse_records(answer.stdout) if key in event.keys]


def start_words(host: Host, since: str) -> List[str]:
    """Words after ausearch -ts for a word of its own or for a number of seconds; ConfigError for anything else."""
    if not SINCE.fullmatch(since):
        raise ConfigError(
            f"search the audit log since {since!r}: this is neither a number of seconds nor one of recent, boot, "
            "today, yesterday, this-week, this-month (option since)"
        )
    if not since.isdigit():
        return [since]
    answer = host.run(["date", "-d", f"@{int(host.now()) - int(since)}", "+%x %H:%M:%S"])
    return answer.stdout.split()


def utc_text(seconds: float) -> str:
    """A moment in UTC, from seconds since the epoch."""
    days, rest = divmod(int(seconds), 86400)
    # Years that begin in March, in cycles of 400.
    cycle, day = divmod(days + 719468, 146097)
    year = (day - day // 1460 + day // 36524 - day // 146096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5
    year += 400 * cycle + month // 10
    month = (month + 2) % 12 + 1
    return f"{year:04}-{month:02}-{day + 1:02}T{rest // 3600:02}:{rest % 3600 // 60:02}:{rest % 60:02}Z"


def describe(event: Event) -> Dict[str, Any]:
    """Plain values of an event, and one line for people."""
    moment = utc_text(event.time)
    who = event.login if event.login not in ("", "unset", "4294967295") else event.user
    what = SYSCALL_NAMES.get(event.call, event.call)
    failed = "" if event.success else " (refused)"
    paths = ", ".join(event.paths)
    line = f"{moment} {who}: {event.command or event.program} [{what}{failed}] {paths} ({' '.join(event.keys)})"
    shown = {name: value for name, value in event._asdict().items() if name != "keys"}
    # In Jinja, event.keys would be the method of a dictionary.
    return {**shown, "audit_keys": list(event.keys), "paths": list(event.paths), "moment": moment, "line": line}


def report_events(host: Host, search: Search) -> Dict[str, Any]:
    """The newest events, how many there were for each key, and how many for each second.

    Raises HostError when there are no audit tools or the log cannot be read, ConfigError for a key that is not ours.
    """
    unknown = [key for key in search.keys if key not in KEYS]
    if unknown:
        raise ConfigError(f"search the audit log for {unknown[0]!r}: no such key (option keys); use {', '.join(KEYS)}")
    if host.which("ausearch") is None:
        raise HostError("search the audit log: this host has no ausearch; install the audit tools (role auditd)")
    words = start_words(host, search.since)
    events: List[Event] = []
    counts: Dict[str, int] = {}
    for key in search.keys or KEYS:
        found = search_records(host, key, words)
        counts[key] = len(found)
        events.extend(found)
    events = sorted(set(events))
    seconds = max(1.0, host.now() - events[0].time) if events else 1.0
    rate = round(len(events) / seconds, 3)
    answer = host.run(["auditctl", "-s"])
    status = parse_status(answer.stdout) or Status(*(0 for _name in Status._fields))
    return {
        "changed": False,
        "counts": counts,
        "events": [describe(event) for event in events[-search.limit :]],
        "lost": status.lost,
        "over_budget": bool(search.budget) and rate > search.budget,
        "per_second": rate,
        "total": len(events),
    }
