# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files /etc/subuid and /etc/subgid: as each program reads them, and changed without touching a foreign byte.

Three programs read them, each in its own way, so a line counts only when all of them understand the same (pure,
private; may change at any time):

- the shadow tools (newuidmap, useradd) take numbers as C does (0x10, 010) and skip what they cannot read;
- dockerd before 28.0 takes decimal numbers, and refuses the whole file for one line without exactly two colons;
- dockerd from 28.0 on takes a missing or unreadable number for 0, so that such a line can map a container's root to
  the root of the host (moby/sys/user, ParseSubIDFilter).
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import Iterable, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._subid_tables import LAST_ID
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version

__all__ = [
    "Account",
    "Clash",
    "Line",
    "Range",
    "Table",
    "conflicts_of",
    "edit",
    "effective",
    "engine_problem",
    "engine_ranges",
    "overlaps",
    "owned",
    "parse_table",
    "render",
    "shown",
]

# No sign, no leading zero, no blank: numbers that every reader reads alike.
_EXACT = re.compile(r"([^\s:#+-][^\s:]*):(0|[1-9][0-9]{0,9}):([1-9][0-9]{0,9})")
_NUMBER = re.compile(r"[+-]?(0[xX][0-9a-fA-F]+|[0-9]+)")
# What dockerd trims (Go's unicode.IsSpace); str.strip() takes more.
_BLANKS = "\t\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
# The shadow tools skip longer lines.
_LONGEST_LINE = 1023


@dataclass(frozen=True, order=True)
class Range:
    """Subordinate ids: the first one and how many."""

    start: int
    count: int

    @property
    def last(self) -> int:
        """The last id that belongs to it."""
        return self.start + self.count - 1

    def touches(self, other: Range) -> bool:
        """Whether an id belongs to both."""
        return self.start <= other.last and other.start <= self.last

    def __str__(self) -> str:
        return f"{self.start}-{self.last}"


class Account(NamedTuple):
    """The user that ranges belong to."""

    name: str
    uid: int


class Line(NamedTuple):
    """One line.

    C(number) counts from 1; C(owner) is "" in comments; C(range) is None unless every program reads the same;
    C(spans) are all ids that any program could take from it; C(problem) says why it is doubtful, "" when it is not.
    """

    number: int
    text: str
    owner: str
    range: Optional[Range]
    spans: Tuple[Range, ...]
    problem: str


class Table(NamedTuple):
    """A file: its lines in their order, and whether the last one ends as a line should."""

    lines: Tuple[Line, ...]
    final_newline: bool


class Clash(NamedTuple):
    """Two lines that give away the same ids."""

    line: Line
    other: Line


def _numbers(text: str) -> List[int]:
    """Every value that some program reads from a field."""
    word = text.strip()
    if not _NUMBER.fullmatch(word):
        return [0]
    # No id has that many digits, and int() does not take any number of them.
    bare = word.lstrip("+-")[:400]
    sign = -1 if word.startswith("-") else 1
    if bare[:2] in ("0x", "0X"):
        return [0, sign * int(bare, 16)]
    values = [sign * int(bare)]
    if word != text:
        values.append(0)
    digits = re.match("0[0-7]+", bare)
    if digits:
        # C reads an octal number, and dockerd a decimal one.
        values.append(sign * int(digits[0], 8))
    return values


def _spans(text: str) -> Tuple[Range, ...]:
    pairs: List[Tuple[int, int]] = []
    # To programs in C a line ends with a NUL byte.
    for seen in (text, text.partition("\0")[0]):
        fields = seen.split(":")
        if len(fields) >= 3:
            pairs += itertools.product(_numbers(fields[1]), _numbers(fields[2]))
    ends = [(max(start, 0), min(start + count, LAST_ID + 1)) for start, count in pairs]
    return tuple(sorted({Range(start, end - start) for start, end in ends if start < end}))


def _parse_line(number: int, text: str) -> Line:
    bare = text.strip(_BLANKS)
    if not bare:
        return Line(number, text, "", None, (), "")
    fields = bare.split(":")
    if bare.startswith("#"):
        # Somebody may take the mark away again.
        return Line(number, text, "", None, _spans(bare), "")
    match = _EXACT.fullmatch(text)
    spans = _spans(bare)
    owner = fields[0].strip(_BLANKS)
    if match is None:
        problem = "not OWNER:START:COUNT with two plain decimal numbers, so programs read it differently"
        return Line(number, text, owner, None, spans, problem)
    found = Range(int(match[2]), int(match[3]))
    if found.last > LAST_ID:
        return Line(number, text, owner, None, spans, f"ends behind the last id {LAST_ID}, so the kernel refuses it")
    if len(text.encode("utf-8", "surrogateescape")) > _LONGEST_LINE:
        return Line(number, text, owner, None, spans, f"longer than {_LONGEST_LINE} bytes, so newuidmap skips it")
    return Line(number, text, owner, found, (found,), "")


def parse_table(raw: Optional[bytes]) -> Table:
    """Read a file; a missing one has no lines. Any bytes can be read, and render() gives them back."""
    text = (raw or b"").decode("utf-8", "surrogateescape")
    texts = text.split("\n")
    final_newline = texts[-1] == ""
    if final_newline:
        texts.pop()
    return Table(tuple(_parse_line(number, line) for number, line in enumerate(texts, 1)), final_newline)


def render(table: Table) -> bytes:
    """The bytes of a file."""
    text = "\n".join(line.text for line in table.lines)
    if table.lines and table.final_newline:
        text += "\n"
    return text.encode("utf-8", "surrogateescape")


def edit(table: Table, drop: Iterable[int], add: Sequence[str]) -> Table:
    """A table without the lines of these numbers, and with new lines at its end; everything else stays as it is."""
    gone = set(drop)
    texts = [line.text for line in table.lines if line.number not in gone] + list(add)
    final_newline = table.final_newline or bool(add)
    if table.lines and table.lines[-1].number in gone:
        final_newline = True
    return Table(tuple(_parse_line(number, text) for number, text in enumerate(texts, 1)), final_newline)


def owned(table: Table, account: Account) -> List[Line]:
    """Lines that name the user, by name or by uid, doubtful ones too."""
    return [line for line in table.lines if line.owner in (account.name, str(account.uid))]


def effective(table: Table, account: Account) -> List[Line]:
    """Lines of the user that every version of the engine reads: those with the uid if there are any, else by name."""
    mine = [line for line in owned(table, account) if line.range is not None]
    by_uid = [line for line in mine if line.owner == str(account.uid)]
    return by_uid or mine


def engine_ranges(table: Table, account: Account, version: Version) -> List[Range]:
    """The user's ranges in the order in which this version of dockerd chains them from id 0 on.

    Before 20.10.4 lines by name come first, then those by uid; up to 27.5 lines by name count only where there is none
    by uid; from 28.0 on all of them count, in the order of the file (daemon_unix.go, idtools, usergroup of these tags).
    """
    mine = [(line.owner == str(account.uid), line.range) for line in owned(table, account) if line.range is not None]
    by_uid = [found for is_uid, found in mine if is_uid]
    by_name = [found for is_uid, found in mine if not is_uid]
    if version >= (28, 0):
        return [found for _is_uid, found in mine]
    if version >= (20, 10, 4):
        return by_uid or by_name
    return by_name + by_uid


def engine_problem(table: Table, path: str, version: Version) -> str:
    """Why this version of dockerd cannot read the file for any user, "" when it can."""
    if version >= (28, 0):
        return ""
    for line in table.lines:
        if line.problem and line.text.count(":") != 2:
            return (
                f"dockerd {version} cannot read this file because of line {line.number}, {shown(line)} ({path}); "
                "correct or remove that line"
            )
    return ""


def shown(line: Line) -> str:
    """A line's text as it can be printed."""
    return repr(line.text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))


def overlaps(table: Table) -> List[Clash]:
    """Lines that give away ids which another line gives away too, each with one such line before it."""
    found: List[Clash] = []
    reaching: Optional[Tuple[int, Line]] = None
    ranges = [(line.range, line) for line in table.lines if line.range is not None]
    for span, line in sorted(ranges, key=lambda pair: (pair[0].start, pair[1].number)):
        if reaching is not None and span.start <= reaching[0]:
            found.append(Clash(line, reaching[1]))
        if reaching is None or span.last > reaching[0]:
            reaching = (span.last, line)
    return found


def conflicts_of(table: Table, account: Account) -> List[Clash]:
    """Lines of the user whose ids another line (the user's own ones too) gives or may give away."""
    found: List[Clash] = []
    others = [line for line in table.lines if line.owner]
    for line in owned(table, account):
        for other in others:
            same = other.number == line.number
            known = other.owner in (account.name, str(account.uid)) and other.number < line.number
            if not same and not known and any(a.touches(b) for a in line.spans for b in other.spans):
                found.append(Clash(line, other))
    return found
