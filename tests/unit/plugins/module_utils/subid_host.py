# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with subordinate ids, and how the real programs read its files, written without a look at the product."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils._host_api import CommandResult, UserAccount
from ansible_collections.bulwark.docker.plugins.module_utils._subid_plan import DEFAULT_RANGE, Wanted
from ansible_collections.bulwark.docker.plugins.module_utils._subid_run import Request
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.memory_host import File, MemoryHost

UIDS = {"alice": 1000, "bob": 1001, "dockremap": 990}
LOGIN_DEFS = b"# x\nUID_MIN 1000\nUID_MAX\t60000\nSUB_UID_MIN 100000\nSUB_UID_MAX 600100000\n"
PASSWD = b"root:x:0:0::/root:/bin/sh\n" + b"".join(
    f"{name}:x:{uid}:{uid}::/:/bin/sh\n".encode() for name, uid in UIDS.items()
)
SUBUID, SUBGID = "/etc/subuid", "/etc/subgid"


class Span(NamedTuple):
    """Whose ids, the first one and how many."""

    owner: str
    start: int
    count: int


class SubidHost(MemoryHost):
    """Answers getent and getsubids, and counts who holds the lock of the account files."""

    def __init__(self, subuid: bytes | None = b"", subgid: bytes | None = b"") -> None:
        super().__init__()
        self.users = {name: UserAccount(name, uid, uid, "/") for name, uid in UIDS.items()}
        self.files["/etc/login.defs"] = File(LOGIN_DEFS)
        self.files["/etc/passwd"] = File(PASSWD)
        self.files["/etc/group"] = File(b"root:x:0:\n")
        self.programs = {"dockerd", "getent"}
        self.directory: dict[str, str] = {"passwd": "", "group": ""}
        self.elsewhere: dict[tuple[str, str], str] = {}
        self.sees_files = True
        self.held = False
        self.unlocked_writes: list[str] = []
        for path, raw in ((SUBUID, subuid), (SUBGID, subgid)):
            if raw is not None:
                self.files[path] = File(raw)

    def which(self, name: str) -> str | None:
        return f"/usr/bin/{name}" if name in self.programs else None

    def run(
        self,
        argv: Sequence[str],
        data: str | None = None,
        timeout: float | None = None,
        environ: dict[str, str] | None = None,
    ) -> CommandResult:
        if argv[0] == "getent":
            return CommandResult(0, self.files[f"/etc/{argv[1]}"].data.decode() + self.directory[argv[1]], "")
        if argv[0] == "getsubids":
            file = "subgid" if "-g" in argv else "subuid"
            if not self.sees_files:
                return CommandResult(0, self.elsewhere.get((file, argv[-1]), ""), "")
            mine = [span for span in shadow(self.files[f"/etc/{file}"].data) if span.owner == argv[-1]]
            text = "".join(f"{n}: {span.owner} {span.start} {span.count}\n" for n, span in enumerate(mine))
            return CommandResult(0, text, "")
        return super().run(argv, data, timeout, environ)

    def write_file(self, path: str, data: bytes, mode: int, uid: int, gid: int) -> None:
        if not self.held:
            self.unlocked_writes.append(path)
        super().write_file(path, data, mode, uid, gid)

    @contextlib.contextmanager
    def lock_accounts(self, paths: Sequence[str], timeout: float) -> Iterator[None]:
        self.held = True
        try:
            yield
        finally:
            self.held = False

    def raw(self, path: str) -> bytes | None:
        """Content of a file."""
        found = self.files.get(path)
        return None if found is None else found.data


def request(
    name: str = "dockremap", *wanted: Wanted, present: bool = True, check: bool = False, version: str = ""
) -> Request:
    """A request of the module."""
    return Request(present, name, wanted or (DEFAULT_RANGE,), version, check)


def _c_number(text: bytes) -> int | None:
    match = re.fullmatch(rb"[ \t\n\v\f\r]*([+-]?)(0[xX][0-9a-fA-F]+|[0-9]+)", text)
    if match is None:
        return None
    digits = match[2]
    if digits[:2].lower() == b"0x":
        value = int(digits, 16)
    elif digits.startswith(b"0") and len(digits) > 1:
        if re.search(rb"[89]", digits):
            return None
        value = int(digits, 8)
    else:
        value = int(digits)
    return -value if match[1] == b"-" else value


def shadow(raw: bytes) -> list[Span]:
    """As the shadow tools read a file: fields as they are, numbers as C takes them, what is not readable skipped."""
    found = []
    for line in raw.split(b"\n"):
        fields = line.split(b"\0")[0].split(b":")
        if len(line) > 1023 or len(fields) < 3 or not all(fields[:3]) or line[:1] in (b"+", b"-"):
            continue
        start, count = _c_number(fields[1]), _c_number(fields[2])
        if start is not None and count is not None:
            found.append(Span(fields[0].decode("utf-8", "surrogateescape"), start, count))
    return found


def _go_lines(raw: bytes) -> list[bytes]:
    stripped = (line.decode("utf-8", "surrogateescape").strip() for line in raw.split(b"\n"))
    return [line.encode("utf-8", "surrogateescape") for line in stripped if line]


def _go_int(text: bytes) -> int | None:
    return int(text) if re.fullmatch(rb"[+-]?[0-9]+", text) else None


def dockerd_new(raw: bytes) -> list[Span]:
    """As dockerd reads a file from 28.0 on: what is missing or not readable is 0."""
    found = []
    for line in _go_lines(raw):
        fields = [*line.split(b":"), b"", b""]
        owner = fields[0].decode("utf-8", "surrogateescape")
        found.append(Span(owner, _go_int(fields[1]) or 0, _go_int(fields[2]) or 0))
    return found


def dockerd_old(raw: bytes, owner: str) -> list[Span] | None:
    """As dockerd before 28.0 reads the lines of one owner; None when it refuses the file."""
    found = []
    for line in _go_lines(raw):
        if line.startswith(b"#"):
            continue
        fields = line.split(b":")
        if len(fields) != 3:
            return None
        if fields[0] == owner.encode():
            start, count = _go_int(fields[1]), _go_int(fields[2])
            if start is None or count is None:
                return None
            found.append(Span(owner, start, count))
    return found


def engine_view(raw: bytes, name: str, uid: int, generation: str) -> list[tuple[int, int]] | None:
    """The ranges that dockerd of a generation ("20.10.3", "20.10.4", "28.0") chains, None when it refuses the file."""
    if generation == "28.0":
        return [(span.start, span.count) for span in dockerd_new(raw) if span.owner in (name, str(uid))]
    by_name, by_uid = dockerd_old(raw, name), dockerd_old(raw, str(uid))
    if by_name is None or by_uid is None:
        return None
    chosen = by_name + by_uid if generation == "20.10.3" else by_uid or by_name
    return [(span.start, span.count) for span in chosen]
