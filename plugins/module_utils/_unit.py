# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a systemd service really starts: unit, drop-ins and environment files to one command line (pure, private).

Rules from systemd.service(5), sections COMMAND LINES and systemd.exec(5), Environment= and EnvironmentFile=.
"""

from __future__ import annotations

import re
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError

__all__ = ["Command", "EnvironmentFile", "Unit", "build_command", "parse_environment_file", "parse_unit"]

FILE_HEADER = re.compile(r"^# (/\S.*)$")
EXECUTABLE_PREFIXES = "@-:+!|"
BRACED_VARIABLE = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
PLAIN_VARIABLE = re.compile(r"^\$([A-Za-z_][A-Za-z0-9_]*)$")
SIMPLE_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "s": " ", "a": "\a", "b": "\b"}


class EnvironmentFile(NamedTuple):
    """One C(EnvironmentFile=) entry; an optional one (leading dash) may be missing."""

    path: str
    optional: bool


class Unit(NamedTuple):
    """The [Service] settings that decide how the engine is started."""

    paths: Tuple[str, ...]
    exec_start: str
    environment: Dict[str, str]
    environment_files: Tuple[EnvironmentFile, ...]


class Command(NamedTuple):
    """The expanded command line and the environment it runs with."""

    argv: Tuple[str, ...]
    environment: Dict[str, str]


def _logical_lines(text: str) -> List[str]:
    lines: List[str] = []
    pending = ""
    for line in text.splitlines():
        stripped = line.strip()
        if pending and stripped[:1] in ("#", ";"):
            continue
        if not pending and (not stripped or stripped[0] in "#;"):
            lines.append(stripped)
            continue
        if stripped.endswith("\\"):
            pending += stripped[:-1] + " "
            continue
        lines.append(pending + stripped)
        pending = ""
    if pending:
        lines.append(pending.strip())
    return lines


def split_words(text: str, where: str) -> List[str]:
    """Split a setting into words as systemd does (quotes and C escapes).

    Raises ConfigError for an unfinished quote.
    """
    words: List[str] = []
    current: Optional[str] = None
    quote = ""
    position = 0
    while position < len(text):
        char = text[position]
        if char == "\\" and position + 1 < len(text):
            position += 1
            escaped = text[position]
            current = (current or "") + SIMPLE_ESCAPES.get(escaped, "\\" + escaped)
        elif quote:
            if char == quote:
                quote = ""
            else:
                current = (current or "") + char
        elif char in "\"'":
            quote = char
            current = current or ""
        elif char.isspace():
            if current is not None:
                words.append(current)
            current = None
        else:
            current = (current or "") + char
        position += 1
    if quote:
        raise ConfigError(f"read the unit: a {quote} quote is never closed ({where}); close it in that line")
    if current is not None:
        words.append(current)
    return words


def parse_unit(text: str, name: str) -> Unit:
    """Read the output of C(systemctl cat): the unit file followed by its drop-ins.

    Args:
        text: contents with a C(# /path) line before each file.
        name: the unit's name, for messages.
    """
    paths: List[str] = []
    exec_start: List[str] = []
    environment: Dict[str, str] = {}
    files: List[EnvironmentFile] = []
    section = ""
    for line in _logical_lines(text):
        header = FILE_HEADER.match(line)
        if header:
            paths.append(header.group(1))
            section = ""
            continue
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
            continue
        if section != "Service" or "=" not in line or line[:1] in ("#", ";"):
            continue
        setting, value = (part.strip() for part in line.split("=", 1))
        where = f"{name}, {setting}={value}"
        if setting == "ExecStart":
            exec_start = exec_start + [value] if value else []
        elif setting == "Environment":
            environment = _add_environment(environment, value, where)
        elif setting == "EnvironmentFile":
            files = [*files, EnvironmentFile(value.lstrip("-"), value.startswith("-"))] if value else []
    if not exec_start:
        raise ConfigError(f"read the unit: no ExecStart= is left ({name}); repair the unit or its drop-ins")
    return Unit(tuple(paths), exec_start[0], environment, tuple(files))


def _add_environment(environment: Dict[str, str], value: str, where: str) -> Dict[str, str]:
    if not value:
        return {}
    result = dict(environment)
    for word in split_words(value, where):
        variable, equals, content = word.partition("=")
        if equals:
            result[variable] = content
    return result


def parse_environment_file(text: str, path: str) -> Dict[str, str]:
    """Read C(NAME=value) lines (comments, quotes and continued lines as systemd understands them)."""
    result: Dict[str, str] = {}
    for line in _logical_lines(text):
        variable, equals, value = line.partition("=")
        if not equals or line[:1] in ("#", ";"):
            continue
        variable = variable.strip()
        if not re.match(r"^[A-Za-z_][A-Za-z0-9_]*$", variable):
            continue
        value = value.strip()
        quoted = value[:1] in ("'", '"')
        result[variable] = "".join(split_words(value, f"{path}, {variable}")) if quoted else value
    return result


def build_command(unit: Unit, environment_texts: Mapping[str, Optional[str]]) -> Command:
    """Expand the unit's command line.

    Args:
        unit: from parse_unit.
        environment_texts: content of each environment file, None where it does not exist.
    """
    environment = dict(unit.environment)
    for entry in unit.environment_files:
        text = environment_texts.get(entry.path)
        if text is not None:
            environment.update(parse_environment_file(text, entry.path))
    words = split_words(unit.exec_start.lstrip(EXECUTABLE_PREFIXES), "ExecStart=" + unit.exec_start)
    return Command(tuple(_expand(words, environment)), environment)


def _expand(words: Sequence[str], environment: Mapping[str, str]) -> List[str]:
    expanded: List[str] = []
    for word in words:
        plain = PLAIN_VARIABLE.match(word)
        if plain:
            expanded.extend(environment.get(plain.group(1), "").split())
        else:
            expanded.append(
                BRACED_VARIABLE.sub(
                    lambda found: environment.get(found.group(1), "") if found.group(1) else "$",
                    word,
                )
            )
    return expanded
