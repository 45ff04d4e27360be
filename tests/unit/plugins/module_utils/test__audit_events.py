# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Audit records as events."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.docker.plugins.module_utils._audit_events import (
    Search,
    describe,
    parse_records,
    report_events,
    start_words,
    utc_text,
)
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError, HostError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import CommandResult

# As the kernel and auditd 3 wrote them.
RAW = (
    "type=SYSCALL msg=audit(1795325354.292:25): arch=c000003e syscall=257 success=yes exit=3 a0=ffffff9c items=2 "
    "ppid=501 "
    'pid=657 auid=0 uid=0 comm="touch" exe="/usr/bin/touch" subj=unconfined key="docker-config"'
    '\x1dARCH=x86_64 SYSCALL=openat AUID="root" UID="root"\n'
    'type=CWD msg=audit(1795325354.292:25): cwd="/root"\n'
    'type=PATH msg=audit(1795325354.292:25): item=0 name="/etc/docker/" inode=282 nametype=PARENT\x1dOUID="root"\n'
    "type=PATH msg=audit(1795325354.292:25): item=1 name=2F6574632F646F636B65722F6120622E6A736F6E nametype=CREATE\n"
    "type=PROCTITLE msg=audit(1795325354.292:25): proctitle=746F756368002F6574632F646F636B65722F78\n"
    'type=CONFIG_CHANGE msg=audit(1795325353.860:23): auid=0 op=add_rule key="docker-config" list=4 res=0\n'
    'type=SYSCALL msg=audit(1795325353.860:23): arch=c000003e syscall=44 success=yes exe="/x" key=(null)\n'
)


class FakeHost:
    """A host with an audit log."""

    def __init__(self, raw: str = RAW, rc: int = 0, stderr: str = "", tools: bool = True) -> None:
        self.raw, self.rc, self.stderr, self.tools = raw, rc, stderr, tools
        self.asked: list[list[str]] = []

    def which(self, name: str) -> str | None:
        return f"/usr/sbin/{name}" if self.tools else None

    def now(self) -> float:
        return 1795325364.292

    def run(self, argv: list[str], **_more: object) -> CommandResult:
        self.asked.append(argv)
        if argv[0] == "ausearch":
            return CommandResult(self.rc, self.raw if "docker-config" in argv else "", self.stderr)
        return CommandResult(0, "11/22/26 05:29:00" if argv[0] == "date" else "enabled 1\nlost 4\n", "")


def test_event_is_readable() -> None:
    [event] = parse_records(RAW)
    assert event.keys == ("docker-config",)
    assert (event.call, event.success, event.login, event.program) == ("openat", True, "root", "/usr/bin/touch")
    assert event.paths == ("/etc/docker/", "/etc/docker/a b.json")
    line = str(describe(event)["line"])
    assert line == (
        "2026-11-22T05:29:14Z root: touch /etc/docker/x [open or create] /etc/docker/, /etc/docker/a b.json "
        "(docker-config)"
    )


def test_report_counts_by_key_and_compares_with_the_budget() -> None:
    report = report_events(FakeHost(), Search((), "recent", 5, 0.05))
    assert (report["total"], report["counts"]["docker-config"], report["counts"]["docker-units"]) == (1, 1, 0)
    assert (report["per_second"], report["over_budget"], report["lost"]) == (0.1, True, 4)
    assert report_events(FakeHost(), Search((), "recent", 5, 0.2))["over_budget"] is False


def test_nothing_found_is_no_error() -> None:
    report = report_events(FakeHost("", 1, "<no matches>\n"), Search(("docker-units",), "boot", 5, 0))
    assert (report["total"], report["events"], report["over_budget"]) == (0, [], False)


def test_seconds_become_a_moment() -> None:
    assert start_words(FakeHost(), "600") == ["11/22/26", "05:29:00"]
    assert start_words(FakeHost(), "boot") == ["boot"]


@pytest.mark.parametrize(
    ("host", "search", "error", "text"),
    [
        (FakeHost(), Search(("site",), "recent", 5, 0), ConfigError, "no such key"),
        (FakeHost(), Search((), "for ever", 5, 0), ConfigError, "neither a number of seconds"),
        (FakeHost(tools=False), Search((), "recent", 5, 0), HostError, "no ausearch"),
        (FakeHost("", 1, "Error opening log"), Search((), "recent", 5, 0), HostError, "Error opening log"),
    ],
)
def test_refused(host: FakeHost, search: Search, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        report_events(host, search)


@given(st.integers(min_value=0, max_value=32_503_680_000))
def test_moment_is_that_of_the_calendar(seconds: int) -> None:
    assert utc_text(seconds) == datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
