# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waivers: findings that somebody has accepted for a time, with a reason (pure, private).

A list with one bad entry is refused as a whole, since nobody should learn from a report that a waiver was not heeded.
"""

from __future__ import annotations

import fnmatch
import re
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence

from ansible_collections.bulwark.docker.plugins.module_utils._cis import EDITIONS, Control
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError

__all__ = ["Waiver", "parse_waivers"]

NEEDED = ("id", "reason", "expires")
KNOWN = frozenset((*NEEDED, "engine", "object", "file", "line"))
DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
SHORTEST_REASON = 3


class Waiver(NamedTuple):
    """One waiver: C(id) is that of the control; C(engine) and C(object) narrow it down, "" means any.

    C(object) is a pattern as a shell knows them (web-*); C(line) is 0 where the list came from no file.
    """

    id: str
    reason: str
    expires: str
    engine: str
    object: str
    line: int

    def excuses(self, control: str, engine: str, name: Optional[str]) -> bool:
        """Whether it covers a finding; C(name) None asks about a judgement as a whole."""
        if control != self.id or self.engine not in ("", engine):
            return False
        if name is None:
            return not self.object
        return not self.object or fnmatch.fnmatchcase(name, self.object)

    def described(self) -> Dict[str, Any]:
        """As results show it."""
        shown: Dict[str, Any] = {"reason": self.reason, "expires": self.expires}
        if self.object:
            shown["object"] = self.object
        if self.line:
            shown["line"] = self.line
        return shown


def _is_date(text: str) -> bool:
    match = DATE.fullmatch(text)
    if match is None:
        return False
    year, month, day = (int(part) for part in match.groups())
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 1 <= month <= 12 and 1 <= day <= DAYS[month - 1] + (leap and month == 2)


def _problems(entry: Mapping[str, Any], ids: Mapping[str, str], today: str) -> List[str]:
    found = [f"it has no {name}" for name in NEEDED if not str(entry.get(name) or "").strip()]
    unknown = sorted(set(entry) - KNOWN)
    if unknown:
        found.append(f"{', '.join(unknown)} is not known; known are {', '.join(sorted(KNOWN))}")
    asked = str(entry.get("id") or "").strip()
    if asked and asked not in ids:
        found.append(f"there is no control {asked!r}")
    reason = str(entry.get("reason") or "").strip()
    if reason and len(reason) < SHORTEST_REASON:
        found.append(f"{reason!r} is no reason")
    expires = str(entry.get("expires") or "").strip()
    if expires and not _is_date(expires):
        found.append(f"expires is {expires!r}, not a date like 2027-01-31")
    elif expires and expires < today:
        found.append(f"it expired on {expires}")
    return found


def parse_waivers(entries: Sequence[Any], controls: Sequence[Control], edition: str, today: str) -> List[Waiver]:
    """Read a list of waivers.

    Args:
        entries: dictionaries with id (ours, or the number in the edition), reason, expires (its last day) and perhaps
            engine, object, and the file and line that it came from.
        controls: all that there are.
        edition: of the benchmark, one of EDITIONS.
        today: YYYY-MM-DD.

    Raises ConfigError with every problem, each with its place.
    """
    if edition not in EDITIONS:
        raise ConfigError(f"read waivers: there is no benchmark {edition!r}; known are {', '.join(EDITIONS)}")
    ids = {control.id: control.id for control in controls}
    ids.update({control.number(edition): control.id for control in controls if control.number(edition)})
    waivers: List[Waiver] = []
    problems: List[str] = []
    for position, entry in enumerate(entries, 1):
        if not isinstance(entry, Mapping):
            problems.append(f"waiver {position}: {entry!r} is no dictionary")
            continue
        place = f"waiver {position}"
        if entry.get("line"):
            place += f" ({entry.get('file') or 'the file'} line {entry['line']})"
        found = _problems(entry, ids, today)
        problems += [f"{place}: {text}" for text in found]
        if not found:
            waivers.append(
                Waiver(
                    ids[str(entry["id"]).strip()],
                    str(entry["reason"]).strip(),
                    str(entry["expires"]).strip(),
                    str(entry.get("engine") or ""),
                    str(entry.get("object") or ""),
                    int(entry.get("line") or 0),
                )
            )
    if problems:
        raise ConfigError(f"read waivers: {'; '.join(problems)}; mend or remove these, none of the list was heeded")
    return waivers
