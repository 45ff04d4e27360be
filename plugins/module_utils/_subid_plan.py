# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which lines a user needs in /etc/subuid and /etc/subgid, and where there is room for them (pure, private).

useradd sorts both files by their starts whenever it adds somebody (shadow, find_free_range), and the engine maps a
container's ids to a user's ranges in the order of the file. So ranges of one user are only ever added above those that
are there already: then the order, and with it who owns which file, survives the sorting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, FrozenSet, Iterable, List, NamedTuple, Optional, Sequence, Set, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError, ConflictError
from ansible_collections.bulwark.docker.plugins.module_utils._subid import (
    Account,
    Line,
    Range,
    Table,
    conflicts_of,
    edit,
    effective,
    owned,
    shown,
)
from ansible_collections.bulwark.docker.plugins.module_utils._subid_tables import (
    LAST_ID,
    LOGIN_DEFAULTS,
    MAX_LINES,
    MIN_COUNT,
    NSPAWN,
    RESERVED,
)

__all__ = [
    "DEFAULT_RANGE",
    "FILES",
    "FileFacts",
    "FilePlan",
    "Limits",
    "Wanted",
    "check_wanted",
    "deterministic",
    "limits",
    "make_plan",
    "parse_accounts",
    "parse_getsubids",
    "parse_login_defs",
    "remarks",
    "subid_sources",
]

# Name, path, and the kind of account whose ids must not be given away.
FILES: Tuple[Tuple[str, str, str], ...] = (("subuid", "/etc/subuid", "user"), ("subgid", "/etc/subgid", "group"))
_PATHS = {name: path for name, path, _kind in FILES}
_KINDS = {name: kind for name, _path, kind in FILES}


@dataclass(frozen=True)
class Wanted:
    """A range to have: where it starts (None: wherever there is room), and how many ids."""

    start: Optional[int]
    count: int


DEFAULT_RANGE = Wanted(None, MIN_COUNT)


class Limits(NamedTuple):
    """The first and the last id that may be chosen."""

    first: int
    last: int


class FileFacts(NamedTuple):
    """What decides about one of the two files.

    C(accounts) are ids of real users or groups by id; C(elsewhere) are ranges that other sources than the file give to
    others; C(recorded) are the texts of the lines that this collection added for the user.
    """

    table: Table
    limits: Limits
    accounts: Dict[int, str]
    elsewhere: Tuple[Range, ...]
    recorded: Tuple[str, ...]


class FilePlan(NamedTuple):
    """One file as it should be: the new table, texts of lines that come and go, texts that are ours afterwards."""

    table: Table
    added: Tuple[str, ...]
    removed: Tuple[str, ...]
    recorded: Tuple[str, ...]


def parse_login_defs(text: str) -> Dict[str, str]:
    """Settings of /etc/login.defs."""
    words = (line.split() for line in text.splitlines())
    return {pair[0]: pair[1].strip('"') for pair in words if len(pair) >= 2 and not pair[0].startswith("#")}


def _number(settings: Dict[str, str], name: str) -> int:
    try:
        return int(settings[name], 0)
    except (KeyError, ValueError):
        return LOGIN_DEFAULTS[name]


def limits(settings: Dict[str, str], file: str) -> Limits:
    """Where ranges may be chosen: the area of login.defs, above all ids that useradd and groupadd give away."""
    area = "SUB_UID" if file == "subuid" else "SUB_GID"
    above = max(_number(settings, "UID_MAX"), _number(settings, "GID_MAX"))
    first = max(_number(settings, f"{area}_MIN"), above + 1)
    return Limits(first, min(_number(settings, f"{area}_MAX"), LAST_ID))


def deterministic(settings: Dict[str, str]) -> List[str]:
    """Settings that make useradd compute a range from the uid without looking whether it is free."""
    names = ("SUB_UID_DETERMINISTIC", "SUB_GID_DETERMINISTIC")
    return [name for name in names if settings.get(name, "").lower() == "yes"]


def parse_accounts(text: str) -> Dict[int, str]:
    """Names by id, from lines as those of /etc/passwd or /etc/group; of several names the first one."""
    found: Dict[int, str] = {}
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) > 3 and fields[2].isascii() and fields[2].isdigit():
            found.setdefault(int(fields[2]), fields[0])
    return found


def subid_sources(text: str) -> List[str]:
    """Where newuidmap looks ranges up: the words behind C(subid:) in /etc/nsswitch.conf, C(files) without that line."""
    for line in text.splitlines():
        name, colon, rest = line.partition("#")[0].partition(":")
        if colon and name.strip() == "subid" and rest.split():
            return rest.split()
    return ["files"]


def parse_getsubids(text: str) -> List[Range]:
    """Ranges from the output of getsubids: lines C(0: alice 100000 65536)."""
    found: List[Range] = []
    for line in text.splitlines():
        words = line.split()
        if len(words) == 4 and words[2].isdigit() and words[3].isdigit() and int(words[3]) > 0:
            found.append(Range(int(words[2]), int(words[3])))
    return found


def check_wanted(wanted: Sequence[Wanted]) -> None:
    """Raise ConfigError for ranges that nobody can have."""
    if not wanted:
        raise ConfigError(
            "give a user subordinate ids: no range is asked for (option ranges); name one, or leave it out"
        )
    if len(wanted) > MAX_LINES:
        raise ConfigError(
            f"give a user subordinate ids: {len(wanted)} ranges (option ranges), but a user namespace takes "
            f"{MAX_LINES}; use fewer and larger ones"
        )
    before: Optional[Range] = None
    for entry in wanted:
        asked = f"give a user subordinate ids: start {entry.start!r} and count {entry.count!r} (option ranges)"
        if entry.count < MIN_COUNT:
            raise ConfigError(f"{asked}: too small, images use ids up to {MIN_COUNT - 1}; ask for {MIN_COUNT} or more")
        if entry.start is None:
            continue
        span = Range(entry.start, entry.count)
        if entry.start < 1 or span.last > LAST_ID:
            raise ConfigError(f"{asked}: not within 1 and {LAST_ID}, the ids of the kernel; choose a lower range")
        for taken in RESERVED:
            if span.start <= taken.last and taken.first <= span.last:
                raise ConfigError(
                    f"{asked}: ids {taken.first} to {taken.last} are for something else ({taken.purpose}); "
                    "choose a range without them"
                )
        if before is not None and before.touches(span):
            raise ConfigError(f"{asked}: shares ids with {before}, which is also asked for; ask for disjoint ranges")
        if before is not None and span.start < before.start:
            raise ConfigError(
                f"{asked}: lower than the range before it; useradd sorts the files, and the order decides which id of "
                "a container is which on the host, so give ranges in ascending order"
            )
        before = span


def _match(facts: FileFacts, account: Account, wanted: Sequence[Wanted]) -> List[Optional[Line]]:
    """The line that already gives each wanted range, None where it is missing; lines of ours are taken first."""
    free = effective(facts.table, account)
    chosen: List[Optional[Line]] = [None] * len(wanted)
    # Explicit ones have no choice. Of the others the largest comes first: whatever it takes would do for the rest too.
    order = sorted(range(len(wanted)), key=lambda at: (wanted[at].start is None, -wanted[at].count, at))
    for at in order:
        entry = wanted[at]
        fitting = [(line, line.range) for line in free if line.range is not None and line.range.count >= entry.count]
        if entry.start is not None:
            fitting = [(line, span) for line, span in fitting if span == Range(entry.start, entry.count)]
        if fitting:
            line = min(fitting, key=lambda pair: (pair[0].text not in facts.recorded, pair[1].count, pair[0].number))[0]
            chosen[at] = line
            free.remove(line)
    return chosen


def _blocked(facts: FileFacts) -> List[Range]:
    spans = [span for line in facts.table.lines for span in line.spans]
    spans += facts.elsewhere
    spans += [Range(number, 1) for number in facts.accounts]
    spans += [Range(entry.first, entry.last - entry.first + 1) for entry in RESERVED]
    return spans


def _first_gap(blocked: Iterable[Range], first: int, last: int, count: int) -> Optional[int]:
    """The lowest start of C(count) free ids between two ids, None without room."""
    start = first
    for span in sorted(blocked):
        if span.start >= start + count:
            break
        start = max(start, span.last + 1)
    return start if start + count - 1 <= last else None


def _choose(parts: Sequence[FileFacts], blocked: Sequence[Range], above: int, count: int) -> Optional[int]:
    first = max(part.limits.first for part in parts)
    last = min(part.limits.last for part in parts)
    nspawn = Range(NSPAWN.first, NSPAWN.last - NSPAWN.first + 1)
    for lowest in (max(first, above), first):
        for more in ([nspawn], []):
            start = _first_gap([*blocked, *more], lowest, last, count)
            if start is not None:
                return start
    return None


class _Planner:
    """The ranges of one user in both files."""

    def __init__(self, facts: Dict[str, FileFacts], account: Account, wanted: Sequence[Wanted]) -> None:
        self.facts = facts
        self.account = account
        self.wanted = wanted
        self.matches = {name: _match(part, account, wanted) for name, part in facts.items()}
        self.new: Dict[str, List[Range]] = {name: [] for name in facts}
        self.leaving: Dict[str, List[Line]] = {name: self._superfluous(name) for name in facts}

    def _superfluous(self, name: str) -> List[Line]:
        kept = self.matches[name]
        mine = owned(self.facts[name].table, self.account)
        return [line for line in mine if line.text in self.facts[name].recorded and line not in kept]

    def _own_spans(self, name: str) -> List[Range]:
        there = [span for line in owned(self.facts[name].table, self.account) for span in line.spans]
        return there + self.new[name]

    def fill(self) -> None:
        """Find room for what is missing; explicit ranges first, since others have to go around them."""
        for at, entry in enumerate(self.wanted):
            if entry.start is not None:
                for name in self.facts:
                    if self.matches[name][at] is None:
                        self.new[name].append(Range(entry.start, entry.count))
        for at, entry in enumerate(self.wanted):
            missing = [name for name in self.facts if self.matches[name][at] is None]
            if entry.start is None and missing:
                self._allocate(at, entry.count, missing)

    def _allocate(self, at: int, count: int, missing: List[str]) -> None:
        parts = [self.facts[name] for name in missing]
        blocked = [span for part in parts for span in _blocked(part)]
        blocked += [span for name in missing for span in self.new[name]]
        above = max((span.last + 1 for name in missing for span in self._own_spans(name)), default=0)
        start = self._twin(at, count, missing, blocked)
        if start is None or start < above:
            start = _choose(parts, blocked, above, count)
        if start is None:
            area = parts[0].limits
            raise ConflictError(
                f"give user {self.account.name!r} {count} subordinate ids: no {count} free ones in a row between "
                f"{area.first} and {area.last} ({', '.join(_PATHS[name] for name in missing)}); raise SUB_UID_MAX and "
                "SUB_GID_MAX in /etc/login.defs, remove lines of users that are gone, or name a range (option ranges)"
            )
        for name in missing:
            self.new[name].append(Range(start, count))

    def _twin(self, at: int, count: int, missing: List[str], blocked: Sequence[Range]) -> Optional[int]:
        """The start in the other file, where it is free in this one: equal numbers are easier to read."""
        for name, match in self.matches.items():
            line = match[at]
            if name not in missing and line is not None and line.range is not None:
                start = line.range.start
                area = self.facts[missing[0]].limits
                if area.first <= start and _first_gap(blocked, start, area.last, count) == start:
                    return start
        return None

    def plan(self, name: str) -> FilePlan:
        """The file with the new lines, checked."""
        part = self.facts[name]
        leaving = self.leaving[name]
        staying = [line for line in effective(part.table, self.account) if line not in leaving]
        by_uid = any(line.owner == str(self.account.uid) for line in staying)
        # A line by name is not read by every version beside one by uid.
        owner = str(self.account.uid) if by_uid else self.account.name
        added = tuple(f"{owner}:{span.start}:{span.count}" for span in sorted(self.new[name]))
        table = edit(part.table, [line.number for line in leaving], added)
        self._check(name, table, set(added))
        there = {line.text for line in table.lines}
        recorded = tuple(text for text in dict.fromkeys([*part.recorded, *added]) if text in there)
        return FilePlan(table, added, tuple(line.text for line in leaving), recorded)

    def _check(self, name: str, table: Table, added: Set[str]) -> None:
        path = _PATHS[name]
        asked = f"give user {self.account.name!r} subordinate ids"
        for line in owned(table, self.account):
            if line.problem:
                raise ConflictError(
                    f"{asked}: line {line.number}, {shown(line)}, is {line.problem} ({path}); correct or remove it"
                )
        for clash in conflicts_of(table, self.account):
            raise ConflictError(f"{asked}: {_explain(clash.line, clash.other, added)} ({path})")
        for line in owned(table, self.account):
            hit = _account_within(line.range, self.facts[name].accounts)
            if hit:
                what = "the range that is asked for" if line.text in added else f"line {line.number}"
                raise ConflictError(
                    f"{asked}: {what}, {shown(line)}, has the id of the {_KINDS[name]} {hit} ({path}), so a container "
                    f"could act as that {_KINDS[name]}; choose other ids"
                )
            for other in self.facts[name].elsewhere:
                if line.range is not None and line.range.touches(other):
                    raise ConflictError(
                        f"{asked}: {shown(line)} shares ids with {other}, which another user has from the source that "
                        f"/etc/nsswitch.conf names ({path}); choose other ids"
                    )
        if len(owned(table, self.account)) > MAX_LINES:
            raise ConflictError(
                f"{asked}: more than {MAX_LINES} lines ({path}), which is what a user namespace takes; remove some"
            )


def _explain(line: Line, other: Line, added: Set[str]) -> str:
    new, old = (other, line) if other.text in added else (line, other)
    if new.text in added:
        return (
            f"the range that is asked for, {shown(new)}, shares ids with line {old.number}, {shown(old)}; choose "
            "other ids (option ranges), or remove that line"
        )
    return (
        f"line {line.number}, {shown(line)}, shares ids with line {other.number}, {shown(other)}; whoever has both "
        "can act in the other's containers, so change one of the lines"
    )


def _account_within(span: Optional[Range], accounts: Dict[int, str]) -> str:
    if span is None:
        return ""
    within: FrozenSet[int] = frozenset(number for number in accounts if span.start <= number <= span.last)
    return f"{accounts[min(within)]!r} ({min(within)})" if within else ""


def remarks(table: Table, account: Account, path: str) -> List[str]:
    """What somebody should know about a user's lines that are in order."""
    found: List[str] = []
    mine = [line for line in owned(table, account) if line.range is not None]
    spans = [line.range for line in mine if line.range is not None]
    if len({line.owner for line in mine}) > 1:
        found.append(
            f"{account.name!r} has lines by name and by uid ({path}); which of them dockerd uses, and in which order, "
            "changed with 20.10.4 and 28.0, so keep one form"
        )
    if spans != sorted(spans):
        found.append(
            f"the ranges of {account.name!r} are not in ascending order ({path}); the next useradd sorts the file, and "
            "then a container's ids mean other ids of the host"
        )
    for span in spans:
        for entry in RESERVED:
            if span.start <= entry.last and entry.first <= span.last:
                found.append(f"{span} of {account.name!r} has ids for something else: {entry.purpose} ({path})")
    return found


def make_plan(facts: Dict[str, FileFacts], account: Account, wanted: Sequence[Wanted]) -> Dict[str, FilePlan]:
    """Both files with the wanted ranges; lines that fit already stay, those that this collection added may go.

    Args:
        facts: by the names in FILES.
        account: whose ranges they are.
        wanted: ranges in ascending order, at least one.

    Raises ConfigError for ranges that nobody can have, ConflictError where ids would belong to two owners.
    """
    check_wanted(wanted)
    planner = _Planner(facts, account, wanted)
    planner.fill()
    return {name: planner.plan(name) for name in facts}
