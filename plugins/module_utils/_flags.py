# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of dockerd as dockerd reads it (pure, private).

Rules from spf13/pflag (long and short flags, clusters, `=`) and the value types of moby cmd/dockerd and opts.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._engine_keys import INERT_NAMES, KEYS, Key
from ansible_collections.bulwark.docker.plugins.module_utils._go_values import (
    TRUTH,
    parse_address,
    parse_flag_integer,
    problem_dns_search,
    problem_host,
    problem_index_name,
    problem_label,
    problem_map_of_maps,
    problem_mirror,
    problem_pool,
    problem_size,
    problem_ulimit,
    read_csv,
)
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version

__all__ = ["FlagPlace", "Flags", "flag_places", "known_flags", "parse_flags"]

BOOLEAN_SHAPES = ("bool", "opt_bool")
BOOLEAN_NAMES = ("help", "restart", "validate", "version")
SHORT_INERT = {"h": "help", "r": "restart", "v": "version"}
PFLAG_ADDRESSES_SINCE = (24,)


@dataclass(frozen=True)
class Flags:
    """What a command line says.

    values: for each key of daemon.json the texts that were given by flag, in order ("true" for a bare boolean flag);
    names: the spelling of the flag for each of these keys; errors: sentences, empty when dockerd accepts the line;
    config_file: the last --config-file, None when there is none; validate: whether --validate is on;
    other: flags that are no keys (config-file, help, restart, validate, version).
    """

    values: Dict[str, Tuple[str, ...]] = field(default_factory=dict)
    names: Dict[str, str] = field(default_factory=dict)
    errors: Tuple[str, ...] = ()
    config_file: Optional[str] = None
    validate: bool = False
    other: Dict[str, Tuple[str, ...]] = field(default_factory=dict)

    def flag_bool(self, key: str) -> Optional[bool]:
        """The truth of a boolean flag, None when it is not given."""
        given = self.values.get(key)
        return TRUTH.get(given[-1]) if given else None


class FlagPlace(NamedTuple):
    """One flag among words: the key it sets ("" for none), its value, and the words that it takes up."""

    key: str
    value: str
    first: int
    last: int


class _Flag(NamedTuple):
    name: str
    short: str
    boolean: bool
    key: Optional[Key]


def _applies(key: Key, version: Version) -> bool:
    since = max(key.since, key.flag_since)
    return bool(key.flag) and version >= since and (key.until is None or version < key.until)


def known_flags(version: Version) -> Dict[str, Optional[Key]]:
    """Long names of all flags of that dockerd, with the key of daemon.json each one sets (None: it has none)."""
    return {name: flag.key for name, flag in _table(version).items()}


@functools.lru_cache(maxsize=None)
def _table(version: Version) -> Dict[str, _Flag]:
    table: Dict[str, _Flag] = {}
    for key in KEYS.values():
        if _applies(key, version):
            table[key.flag] = _Flag(key.flag, key.short, key.shape in BOOLEAN_SHAPES, key)
    shorts = {name: short for short, name in SHORT_INERT.items()}
    for name, since in INERT_NAMES.items():
        if version >= since:
            table[name] = _Flag(name, shorts.get(name, ""), name in BOOLEAN_NAMES, None)
    return table


def _problem(key: Optional[Key], flag: _Flag, text: str, given: Sequence[str], version: Version) -> Optional[str]:
    """Why dockerd refuses the text as a value of the flag, None when it does not."""
    if flag.boolean:
        return None if text in TRUTH else f"{text!r} is not a boolean"
    if key is None:
        return None
    problem: Optional[str] = None
    if key.shape in ("int", "int64"):
        problem = None if parse_flag_integer(text) is not None else f"{text!r} is not a whole number"
    elif key.shape == "size":
        problem = problem_size(text, version)
    elif key.shape == "ulimits":
        problem = problem_ulimit(text)
    elif key.shape == "pools":
        problem = problem_pool(text, version)
    elif key.shape == "map_map_str":
        problem = problem_map_of_maps(text)
    elif key.shape == "map_bool":
        name, equals, truth = text.partition("=")
        problem = None if name and (not equals or truth in TRUTH) else f"{text!r} is not NAME or NAME=true|false"
    elif key.shape == "runtimes":
        problem = _problem_runtime(text, given)
    elif key.shape in ("ip", "list_ip", "list_addr"):
        problem = _problem_address(key, text, version)
    elif key.name in ("hosts", "registry-mirrors"):
        problem = problem_host(text, version) if key.name == "hosts" else problem_mirror(text, version)
    elif key.name in ("insecure-registries", "allow-nondistributable-artifacts"):
        problem = problem_index_name(text)
    elif key.name == "labels":
        problem = problem_label(text)
    elif key.name == "dns-search":
        problem = problem_dns_search(text)
    elif key.name == "node-generic-resources":
        problem = None if "=" in text else f"{text!r} is not NAME=VALUE"
    return problem


def _runtime_name(text: str) -> str:
    return text.partition("=")[0].strip().lower()


def _problem_runtime(text: str, given: Sequence[str]) -> Optional[str]:
    name, _equals, path = text.partition("=")
    if not name.strip() or not path.strip():
        return f"{text!r} is not NAME=PATH"
    if _runtime_name(text) == "runc":
        return "the name 'runc' is reserved"
    if _runtime_name(text) in [_runtime_name(other) for other in given]:
        return f"the runtime {_runtime_name(text)!r} is given twice"
    return None


def _problem_address(key: Key, text: str, version: Version) -> Optional[str]:
    refusal = f"{text!r} is not an IP address"
    if key.shape == "list_addr":
        return None if parse_address(text, zone=True) is not None else refusal
    if version < PFLAG_ADDRESSES_SINCE:
        candidates: Optional[List[str]] = [text.strip() if key.shape == "list_ip" else text]
    elif key.shape == "list_ip":
        bare = text.translate({ord(quote): None for quote in "\"'`"})
        candidates = [part.strip() for part in read_csv(bare) or []] if bare else []
        if bare and not candidates:
            return refusal
    else:
        candidates = [text.strip()] if text else []
    return None if all(parse_address(candidate) is not None for candidate in candidates or []) else refusal


class _Parser:
    def __init__(self, version: Version) -> None:
        self.version = version
        self.table = _table(version)
        self.shorts = {flag.short: flag for flag in self.table.values() if flag.short}
        self.shorts["h"] = _Flag("help", "h", True, None)
        self.values: Dict[str, List[str]] = {}
        self.names: Dict[str, str] = {}
        self.other: Dict[str, List[str]] = {}
        self.errors: List[str] = []

    def fail(self, what: str, advice: str) -> None:
        self.errors.append(f"Read the flags of dockerd: {what}; {advice}")

    def store(self, flag: _Flag, spelling: str, text: str) -> None:
        key = flag.key
        given = self.values.get(key.name, []) if key is not None else []
        problem = _problem(key, flag, text, given, self.version)
        if problem is not None:
            self.fail(f"{spelling}: {problem}", "correct the flag in the unit, its drop-ins or its environment file")
            return
        if key is None:
            self.other.setdefault(flag.name, []).append(text)
            return
        self.values.setdefault(key.name, []).append(text)
        self.names[key.name] = spelling

    def long(self, argument: str, rest: List[str]) -> None:
        name, equals, text = argument[2:].partition("=")
        if not name or name.startswith("-"):
            self.fail(f"{argument!r} is no flag", "remove it")
            return
        flag = self.table.get(name)
        if flag is None:
            self.fail(f"engine {self.version} has no flag --{name}", "remove it from the unit or its environment file")
            return
        if not equals:
            if flag.boolean:
                text = "true"
            elif rest:
                text = rest.pop(0)
            else:
                self.fail(f"--{name} lacks its value", "add it")
                return
        self.store(flag, f"--{name}", text)

    def short(self, argument: str, rest: List[str]) -> None:
        letters = argument[1:]
        while letters and not self.errors:
            flag = self.shorts.get(letters[0])
            if flag is None:
                self.fail(f"engine {self.version} has no flag -{letters[0]} (in {argument!r})", "remove it")
                return
            spelling = f"-{letters[0]}"
            if len(letters) > 2 and letters[1] == "=":
                text, letters = letters[2:], ""
            elif flag.boolean:
                text, letters = "true", letters[1:]
            elif len(letters) > 1:
                text, letters = letters[1:], ""
            elif rest:
                text, letters = rest.pop(0), ""
            else:
                self.fail(f"{spelling} lacks its value", "add it")
                return
            self.store(flag, spelling, text)

    def parse(self, argv: Sequence[str]) -> None:
        rest = list(argv)
        plain: List[str] = []
        while rest and not self.errors:
            argument = rest.pop(0)
            if argument == "--":
                plain.extend(rest)
                break
            if argument.startswith("--"):
                self.long(argument, rest)
            elif argument.startswith("-") and argument != "-":
                self.short(argument, rest)
            else:
                plain.append(argument)
        if plain and not self.errors:
            self.fail(
                f"dockerd takes no arguments, but {plain[0]!r} is one",
                "remove it; a boolean flag takes its value after an equals sign",
            )


def parse_flags(argv: Sequence[str], version: Version) -> Flags:
    """Read the arguments of dockerd (without the program itself).

    Never raises: what dockerd would refuse is in `errors`, the first error ends the reading as it does in dockerd.
    """
    parser = _Parser(version)
    parser.parse(argv)
    config_files = parser.other.get("config-file")
    validate = parser.other.get("validate")
    return Flags(
        values={key: tuple(texts) for key, texts in parser.values.items()},
        names=parser.names,
        errors=tuple(parser.errors),
        config_file=config_files[-1] if config_files else None,
        validate=TRUTH[validate[-1]] if validate else False,
        other={name: tuple(texts) for name, texts in parser.other.items()},
    )


def flag_places(words: Sequence[str], version: Version) -> List[FlagPlace]:
    """Where each flag stands among words that may still hold variables; unknown words are passed over."""
    parser = _Parser(version)
    found: List[FlagPlace] = []
    first = 0
    while first < len(words):
        word, last = words[first], first
        name, equals, value = word[2:].partition("=")
        flag = parser.table.get(name) if word.startswith("--") else None
        if flag is None and word.startswith("-") and not word.startswith("--"):
            flag = parser.shorts.get(word[1:2])
            value = word[2:]
            equals = "=" if value else ""
            value = value[1:] if value.startswith("=") else value
        if flag is not None:
            if not equals and not flag.boolean and first + 1 < len(words):
                last = first + 1
                value = words[last]
            found.append(FlagPlace(flag.key.name if flag.key else "", value, first, last))
        first = last + 1
    return found
