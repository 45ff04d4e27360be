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

__all__ = [
    "Command",
    "EnvironmentFile",
    "Unit",
    "Word",
    "build_command",
    "parse_environment_file",
    "parse_unit",
    "quote_word",
    "split_words",
    "word_places",
]

# Comments may begin with a path too; those of systemctl cat hold nothing else.
FILE_HEADER = re.compile(r"^# (/\S+\.(?:service|conf))$")
EXECUTABLE_PREFIXES = "@-:+!|"
BRACED_VARIABLE = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
PLAIN_VARIABLE = re.compile(r"^\$([A-Za-z_][A-Za-z0-9_]*)$")
ESCAPES = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "s": " ",
    **{char: char for char in "\\\"'"},
}
NUMERIC_ESCAPE = re.compile(r"x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})")
VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What a backslash quotes inside double quotes of an environment file.
QUOTED_BY_BACKSLASH = '"\\`$'
# What can stand in a word of ExecStart= without quotes.
PLAIN_WORD = re.compile(r"[A-Za-z0-9_@%+=:,./\[\]-]+")


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


class Word(NamedTuple):
    """One word of a setting, and where it stands in it (quotes included)."""

    text: str
    begin: int
    end: int


class Command(NamedTuple):
    """The expanded command line and the environment it runs with."""

    argv: Tuple[str, ...]
    environment: Dict[str, str]


def _continues(line: str) -> bool:
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _logical_lines(text: str) -> List[str]:
    lines: List[str] = []
    pending = ""
    for line in text.split("\n"):
        stripped = line.strip()
        if pending and stripped[:1] in ("#", ";"):
            continue
        if not pending and (not stripped or stripped[0] in "#;"):
            lines.append(stripped)
            continue
        if _continues(line.rstrip("\r")):
            pending += stripped[:-1] + " "
            continue
        lines.append(pending + stripped)
        pending = ""
    if pending:
        lines.append(pending.strip())
    return lines


def _escape(text: str, position: int) -> Tuple[str, int]:
    """Meaning of what stands behind a backslash, and the place after it; unknown ones stay as they are."""
    char = text[position]
    if char in ESCAPES:
        return ESCAPES[char], position + 1
    number = NUMERIC_ESCAPE.match(text, position)
    if number is None:
        return "\\" + char, position + 1
    hexadecimal = number.group(1) or number.group(3)
    code = int(hexadecimal, 16) if hexadecimal else int(number.group(2), 8)
    return chr(code), number.end()


def split_words(text: str, where: str) -> List[str]:
    """Split a setting into words as systemd does (quotes and C escapes).

    Raises ConfigError for an unfinished quote.
    """
    return [word.text for word in word_places(text, where)]


def word_places(text: str, where: str) -> List[Word]:
    """As split_words(), with the place of each word in the text."""
    words, quote = _words(text, True)
    if quote:
        raise ConfigError(f"read the unit: a {quote} quote is never closed ({where}); close it in that line")
    return words


def quote_word(text: str, expanded: bool = True) -> str:
    """A word as it has to be written in ExecStart=; C(expanded) is False behind the prefix C(:)."""
    escaped = text.replace("%", "%%")
    if expanded:
        escaped = escaped.replace("$", "$$")
    if PLAIN_WORD.fullmatch(escaped):
        return escaped
    escaped = escaped.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _words(text: str, c_escapes: bool) -> Tuple[List[Word], str]:
    words: List[Word] = []
    current: Optional[str] = None
    quote = ""
    position = begin = 0
    while position < len(text):
        char = text[position]
        if current is None:
            begin = position
        position += 1
        if char == "\\" and position < len(text):
            meaning, position = _escape(text, position) if c_escapes else (text[position], position + 1)
            current = (current or "") + meaning
        elif char == quote:
            quote = ""
        elif not quote and char in "\"'":
            quote = char
            current = current or ""
        elif not quote and char.isspace():
            if current is not None:
                words.append(Word(current, begin, position - 1))
            current = None
        else:
            current = (current or "") + char
    if current is not None:
        words.append(Word(current, begin, len(text)))
    return words, quote


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
            exec_start = [*exec_start, value] if value else []
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
    """Read C(NAME=value) lines as systemd does: comments, quotes (also over several lines), continued lines.

    Raises ConfigError for an unfinished quote.
    """
    result: Dict[str, str] = {}
    position = 0
    while position < len(text):
        end = text.find("\n", position)
        end = len(text) if end < 0 else end
        line = text[position:end]
        variable, equals, _value = line.partition("=")
        if not equals or line.lstrip()[:1] in ("#", ";"):
            position = end + 1
            continue
        value, position = _environment_value(text, position + len(variable) + 1, f"{path}, {variable.strip()}")
        if VARIABLE_NAME.fullmatch(variable.strip()):
            result[variable.strip()] = value
    return result


def _environment_value(text: str, position: int, where: str) -> Tuple[str, int]:
    value = ""
    kept = 0  # what stands before this place is no trailing blank
    quote = ""
    bare = False  # quotes are special only where a value or a further quoted part begins
    while position < len(text):
        char = text[position]
        position += 1
        if char == "\\" and quote != "'":
            following = text[position : position + 1]
            position += 1
            if following != "\n":
                literal = not quote or following in QUOTED_BY_BACKSLASH
                value += following if literal else "\\" + following
                kept = len(value)
            bare = bare or not quote
        elif char == quote:
            quote = ""
        elif not quote and char == "\n":
            return value[:kept], position
        elif not quote and not bare and char in "\"'":
            quote = char
        elif quote or not char.isspace():
            value += char
            kept = len(value)
            bare = bare or not quote
        elif bare:
            value += char
    if quote:
        raise ConfigError(f"read the environment: a {quote} quote is never closed ({where}); close it in that file")
    return value[:kept], position


def build_command(unit: Unit, environment_texts: Mapping[str, Optional[str]]) -> Command:
    """Expand the unit's command line.

    Args:
        unit: from parse_unit.
        environment_texts: content of each environment file, None where it does not exist.

    Raises ConfigError when no program is left.
    """
    environment = dict(unit.environment)
    for entry in unit.environment_files:
        text = environment_texts.get(entry.path)
        if text is not None:
            environment.update(parse_environment_file(text, entry.path))
    where = "ExecStart=" + unit.exec_start
    words = [word.replace("%%", "%") for word in split_words(unit.exec_start, where)]
    program = words[0].lstrip(EXECUTABLE_PREFIXES) if words else ""
    prefixes = words[0][: len(words[0]) - len(program)] if words else ""
    # After "@" the second word is only what the process calls itself.
    words = [program, *words[2 if "@" in prefixes else 1 :]]
    argv = words if ":" in prefixes else _expand(words, environment)
    if not argv or not argv[0]:
        raise ConfigError(f"read the unit: it starts no program ({where}); repair the unit or its drop-ins")
    return Command(tuple(argv), environment)


def _expand(words: Sequence[str], environment: Mapping[str, str]) -> List[str]:
    expanded: List[str] = []
    for word in words:
        plain = PLAIN_VARIABLE.match(word)
        if plain:
            given = _words(environment.get(plain.group(1), ""), False)[0]
            expanded.extend(entry.text for entry in given)
        else:
            expanded.append(
                BRACED_VARIABLE.sub(
                    lambda found: environment.get(found.group(1), "") if found.group(1) else "$",
                    word,
                )
            )
    return expanded
