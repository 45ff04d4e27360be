# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exclusions in the text of a scanner's configuration; every foreign byte stays (pure, private)."""

from __future__ import annotations

import re
from typing import List, NamedTuple, Optional, Sequence

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError
from ansible_collections.bulwark.docker.plugins.module_utils._scanner_table import Scanner

__all__ = ["escape", "exclude", "include_again", "is_listed", "wanted_lines"]

BEGIN = "# BEGIN bulwark.docker antivirus_exclusions"
MADE = BEGIN + " (this file was made for it)"
END = "# END bulwark.docker antivirus_exclusions"
ADDED = "# added to {}: "


class _Parts(NamedTuple):
    """A text around our block; C(block) is None when there is none."""

    before: str
    block: Optional[List[str]]
    after: str
    made: bool


def escape(path: str) -> str:
    """A path as a POSIX extended or Perl expression that matches exactly it."""
    return re.sub(r"([.^$*+?()\[\]|])", r"\\\1", path)


def wanted_lines(scanner: Scanner, templates: Sequence[str], paths: Sequence[str]) -> List[str]:
    """The lines of configuration that leave the paths out.

    Raises ConfigError for a template that lacks its place holder or has an unknown one.
    """
    found: List[str] = []
    for template in templates:
        for path in paths:
            line = template.replace("{path}", path).replace("{regex}", escape(path))
            if line == template or "\n" in line:
                raise ConfigError(
                    f"exclude paths from {scanner.name}: {template!r} holds neither {{path}} nor {{regex}}, or is more "
                    "than one line (option other_scanners); write one line with a place holder"
                )
            found.append(line)
    return found


def _split(text: str, path: str) -> _Parts:
    lines = text.splitlines(keepends=True)
    starts = [number for number, line in enumerate(lines) if line.rstrip("\r\n") in (BEGIN, MADE)]
    ends = [number for number, line in enumerate(lines) if line.rstrip("\r\n") == END]
    if not starts and not ends:
        return _Parts(text, None, "", False)
    if len(starts) != 1 or len(ends) != 1 or ends[0] < starts[0]:
        raise ConfigError(
            f"change the exclusions: the markers of this collection are not one pair ({path}); "
            f"leave one line {BEGIN!r} and one line {END!r} after it, or remove both"
        )
    block = [line.rstrip("\r\n") for line in lines[starts[0] + 1 : ends[0]]]
    made = lines[starts[0]].rstrip("\r\n") == MADE
    return _Parts("".join(lines[: starts[0]]), block, "".join(lines[ends[0] + 1 :]), made)


def _join(text: str, block: Sequence[str], made: bool) -> str:
    own = "".join(line + "\n" for line in [MADE if made else BEGIN, *block, END])
    # Behind a last line without an end, the block would have to end that line; in front of it nothing changes.
    return text + own if text.endswith("\n") or not text else own + text


def exclude(scanner: Scanner, text: Optional[str], lines: Sequence[str], paths: Sequence[str], path: str) -> str:
    """The configuration with the exclusions in it.

    Args:
        scanner: what the text belongs to.
        text: the file, None when there is none.
        lines: from wanted_lines(); without meaning for a scanner with words.
        paths: the directories to leave out.
        path: name of the file for messages.

    Raises ConfigError for markers that do not fit or a variable that cannot be read.
    """
    parts = _split(text or "", path)
    made = parts.made or text is None
    if scanner.words:
        return _exclude_words(scanner.words, text, paths, path, made)
    if parts.block == list(lines):
        return text or ""
    if parts.block is not None:
        own = "".join(line + "\n" for line in [MADE if made else BEGIN, *lines, END])
        return parts.before + own + parts.after
    return _join(text or "", lines, made)


def include_again(scanner: Scanner, text: Optional[str], path: str) -> Optional[str]:
    """The configuration as it was before exclude(); None when the file was made for it and holds nothing else."""
    if text is None:
        return None
    parts = _split(text, path)
    if parts.block is None:
        return text
    rest = parts.before + parts.after
    if scanner.words:
        added = _added(scanner.words, parts.block)
        match = _assignment(scanner.words, rest, path)
        if match is not None and added:
            rest = rest[: match.start(2)] + _without(match.group(2), added) + rest[match.end(2) :]
    return None if parts.made and not rest else rest


def _assignment(name: str, text: str, path: str) -> Optional[re.Match[str]]:
    found = list(re.finditer(rf'^([ \t]*{re.escape(name)}[ \t]*=[ \t]*")([^"\n]*)(")', text, re.MULTILINE))
    loose = re.findall(rf"^[ \t]*{re.escape(name)}[ \t]*=", text, re.MULTILINE)
    if len(found) > 1 or len(loose) != len(found):
        raise ConfigError(
            f"change the exclusions: {name} is set more than once, or not to one text in double quotes ({path}); "
            f'write {name} = "…" once'
        )
    return found[0] if found else None


def _added(name: str, block: Sequence[str]) -> List[str]:
    head = ADDED.format(name)
    return [word for line in block if line.startswith(head) for word in line[len(head) :].split()]


def _without(value: str, added: Sequence[str]) -> str:
    tail = " ".join(added)
    if value == tail:
        return ""
    if value.endswith(" " + tail):
        return value[: -len(tail) - 1]
    # Somebody sorted the list since.
    return " ".join(word for word in value.split() if word not in added)


def _exclude_words(name: str, text: Optional[str], paths: Sequence[str], path: str, made: bool) -> str:
    parts = _split(text or "", path)
    everything = parts.before + parts.after
    match = _assignment(name, everything, path)
    if parts.block is not None and match is not None and text is not None:
        ours = _added(name, parts.block)
        words = match.group(2).split()
        if all(word in words for word in paths) and all(word in paths for word in ours):
            return text
    if parts.block == [_own_assignment(name, paths)] and match is None and text is not None:
        return text
    scanner = Scanner(name="", program="", words=name)
    clean = include_again(scanner, text, path) or ""
    match = _assignment(name, clean, path)
    if match is None:
        return _join(clean, [_own_assignment(name, paths)], made)
    value = match.group(2)
    missing = [word for word in paths if word not in value.split()]
    if not missing:
        return clean
    joined = f"{value} {' '.join(missing)}" if value else " ".join(missing)
    changed = clean[: match.start(2)] + joined + clean[match.end(2) :]
    return _join(changed, [ADDED.format(name) + " ".join(missing)], made)


def _own_assignment(name: str, paths: Sequence[str]) -> str:
    return f'{name} = "{" ".join(paths)}"'


def is_listed(answer: str, path: str) -> bool:
    """Whether a tool's own list of exclusions names a directory, with or without a slash at its end."""
    return bool(re.search(rf"""(?:^|[\s"'=:]){re.escape(path)}/?(?=$|[\s"',])""", answer, re.MULTILINE))
