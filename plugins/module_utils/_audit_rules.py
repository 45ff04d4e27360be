# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Audit rules as values: written down, read back from auditctl or a rules file, compared by meaning (pure, private).

auditctl(8) prints one and the same rule in several ways, depending on its version and on how the rule came in: as a
watch (-w), with the system calls that it added by itself, with names or numbers, and 3.0 prints "exe=" for "exe!=".
"""

from __future__ import annotations

import re
import shlex
from typing import Dict, FrozenSet, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._audit_tables import (
    EXTENSION_SYSCALLS,
    KEYS,
    MACHINES,
    SUBJECTS,
    Abi,
)

__all__ = [
    "Complaint",
    "Meaning",
    "Status",
    "Watch",
    "covers",
    "difference",
    "has_own_keys",
    "load_script",
    "merged_holds",
    "own_lines",
    "parse_complaints",
    "parse_meaning",
    "parse_status",
    "removal_lines",
    "render_file",
    "render_rules",
    "rule_lines",
    "unloaded_lines",
]

OWN_KEYS = frozenset(KEYS)
ALL_CALLS: FrozenSet[str] = frozenset()
UNSET = frozenset({"-1", "4294967295", "unset"})
FIELD = re.compile(r"([A-Za-z_0-9]+)(!=|>=|<=|&=|=|>|<|&)(.*)", re.DOTALL)
# Lines that set something or take rules away.
CONTROL = re.compile(r"-[bcDdefiqrsWt]\b|--[a-z]")
LIST_OR_ACTION = re.compile(r"^-[aA]\s")
ERROR_LINE = re.compile(r"There was an error in line (\d+) of")
# Chatter of a loading auditctl that is no reason for anything.
NO_REASON = re.compile(r"^(No rules$|Old style watch|perm used without|\w+ \S+( locked| unlocked)?$)")
HEADER = (
    "## Written by the role auditd of bulwark.docker; its next run replaces what is changed here.\n"
    "## Loaded before other files: the first rule that matches decides on the key, and with -i a rule that the kernel\n"
    "## refuses, here or in a later file, keeps out neither the rules behind it nor (audit 4) the daemon.\n"
    "-i\n"
)


class Watch(NamedTuple):
    """What to watch: the audit key, "path" or "dir" with an absolute path, and permissions ("wa", or "x").

    C(unless) is the one program whose own accesses are left out, "" for none.
    """

    key: str
    kind: str
    path: str
    permissions: str = "wa"
    unless: str = ""


class Meaning(NamedTuple):
    """What a rule says: action and list, fields, keys, system calls.

    C(syscalls) is None where the line leaves the choice to auditctl, an empty set stands for all of them.
    """

    action: FrozenSet[str]
    fields: FrozenSet[Tuple[str, str, str]]
    keys: FrozenSet[str]
    syscalls: Optional[FrozenSet[str]]


class Status(NamedTuple):
    """What the kernel's audit system says about itself (auditctl -s)."""

    enabled: int
    failure: int
    pid: int
    rate_limit: int
    backlog_limit: int
    lost: int
    backlog: int

    @property
    def immutable(self) -> bool:
        """Whether rules are frozen until the next boot."""
        return self.enabled == 2


class Complaint(NamedTuple):
    """A line (counted from 1) that auditctl could not load, and why."""

    line: int
    reason: str


def _abis(machine: str) -> Sequence[Optional[Abi]]:
    return MACHINES.get(machine) or (None,)


def render_rules(watch: Watch, machine: str, form: str) -> List[str]:
    """Lines for one watch.

    Args:
        watch: what to watch.
        machine: the host's machine name, as uname -m says.
        form: "modern", or "watch" for the -w form wherever it can say the same.
    """
    if form == "watch" and not watch.unless:
        return [f"-w {watch.path} -p {watch.permissions} -k {watch.key}"]
    lines = []
    for abi in _abis(machine):
        words = ["-a always,exit"]
        if abi:
            words.append(f"-F arch={abi.arch}")
        words.append("-S " + _calls(watch, abi))
        words.append(f"-F {watch.kind}={watch.path}")
        if watch.permissions != "x":
            words.append(f"-F perm={watch.permissions}")
        if watch.unless:
            words.append(f"-F exe!={watch.unless}")
        words.append(f"-F key={watch.key}")
        lines.append(" ".join(words))
    return lines


def _calls(watch: Watch, abi: Optional[Abi]) -> str:
    if watch.permissions == "x":
        return "execve,execveat"
    # The kernel finds a rule on a path by its inode, one on a directory by trying it at every call it names.
    return ",".join(abi.syscalls) if abi and watch.kind == "dir" else "all"


def render_file(watches: Sequence[Watch], machine: str, form: str) -> str:
    """Content of the rules file, one paragraph for each key in the order of the subjects."""
    parts = [HEADER]
    for subject in SUBJECTS:
        lines = [line for watch in watches if watch.key == subject.key for line in render_rules(watch, machine, form)]
        if lines:
            parts.append("\n".join([f"## {subject.key}: {subject.title}", *lines]) + "\n")
    return "".join(parts)


def rule_lines(text: str) -> List[Tuple[int, str]]:
    """Lines of a rules file that add rules, with their numbers from 1."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith(("-a ", "-A ", "-w ")):
            found.append((number, stripped))
    return found


def own_lines(text: str) -> List[str]:
    """The rules of a file without their numbers."""
    return [line for _number, line in rule_lines(text)]


def _words(line: str) -> List[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


def _path(value: str) -> str:
    return value.rstrip("/") or "/"


def _field(name: str, operator: str, value: str) -> Tuple[str, str, str]:
    if name == "perm":
        value = "".join(sorted(set(value)))
    elif name in ("path", "dir"):
        value = _path(value)
    elif name == "exe":
        operator = "="  # audit 3.0 does not print the other one
    elif name in ("auid", "loginuid") and value in UNSET:
        value = "unset"
    elif name in ("a0", "a1", "a2", "a3"):
        value = _number(value)
    return name, operator, value


def _number(value: str) -> str:
    """A number in C's notation (octal with a leading zero) as a decimal one."""
    try:
        return str(int(value, 8 if re.fullmatch(r"0[0-7]+", value) else 0))
    except ValueError:
        return value


def parse_meaning(line: str) -> Optional[Meaning]:
    """What a line of auditctl -l or of a rules file means; None when it adds no rule that can be understood."""
    words = _words(line)
    action: FrozenSet[str] = frozenset()
    fields: List[Tuple[str, str, str]] = []
    keys: List[str] = []
    calls: Optional[FrozenSet[str]] = None
    if len(words) % 2:
        return None
    for option, value in zip(words[::2], words[1::2]):
        if option in ("-a", "-A", "-d"):
            action = frozenset(value.split(","))
        elif option in ("-w", "-W"):
            action = frozenset(("always", "exit"))
            fields.append(("watch", "=", _path(value)))
        elif option == "-p":
            fields.append(_field("perm", "=", value))
        elif option == "-k":
            keys.append(value)
        elif option == "-S":
            names = frozenset(EXTENSION_SYSCALLS.get(name, name) for name in value.split(",") if name != "all")
            calls = (calls or ALL_CALLS) | names
        elif option in ("-F", "-C"):
            found = FIELD.fullmatch(value)
            if found is None:
                return None
            if found.group(1) == "key":
                keys.append(found.group(3))
            else:
                fields.append(_field(found.group(1), found.group(2), found.group(3)))
        else:
            return None
    if not action:
        return None
    return _unified(Meaning(action, frozenset(fields), frozenset(keys), calls))


def _unified(meaning: Meaning) -> Meaning:
    """A rule on one path for every call and machine is what auditctl prints as a watch."""
    names = sorted(name for name, _operator, _value in meaning.fields)
    if meaning.syscalls or names not in (["path", "perm"], ["dir", "perm"], ["watch"]):
        return meaning
    fields = [
        ("watch", "=", value) if name in ("path", "dir") else (name, op, value) for name, op, value in meaning.fields
    ]
    if names == ["watch"]:
        fields.append(("perm", "=", "arwx"))
    return meaning._replace(fields=frozenset(fields), syscalls=None)


def covers(loaded: Meaning, wanted: Meaning) -> bool:
    """Whether a loaded rule does all that the wanted one does.

    auditctl 4 adds system calls to those named, and chooses them all when none is.
    """
    if (loaded.action, loaded.fields, loaded.keys) != (wanted.action, wanted.fields, wanted.keys):
        return False
    if wanted.syscalls is None or not loaded.syscalls:
        return True
    return bool(wanted.syscalls) and wanted.syscalls <= loaded.syscalls


def unloaded_lines(text: str, loaded: Sequence[str]) -> List[Tuple[int, str]]:
    """Lines of a rules file, with numbers from 1, that the kernel's list does not have: broken, or never loaded."""
    kernel = [meaning for line in loaded for meaning in [parse_meaning(line)] if meaning]
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#") or CONTROL.match(stripped):
            continue
        meaning = parse_meaning(stripped)
        if meaning is None or not any(covers(have, meaning) for have in kernel):
            found.append((number, stripped))
    return found


def difference(
    wanted: Sequence[str], loaded: Sequence[str], foreign: Sequence[str] = ()
) -> Tuple[List[str], List[str]]:
    """Compare rules by meaning: (wanted lines that are not loaded, loaded lines with keys of ours that nobody wants).

    Args:
        wanted: our lines.
        loaded: lines of auditctl -l.
        foreign: lines of other people's files; a rule of theirs is never taken for ours.
    """
    kernel = [(line, meaning) for line in loaded for meaning in [parse_meaning(line)] if meaning]
    needed = [(line, meaning) for line in wanted for meaning in [parse_meaning(line)] if meaning]
    others = [meaning for line in foreign for meaning in [parse_meaning(line)] if meaning]
    missing = [line for line, want in needed if not any(covers(have, want) for _line, have in kernel)]
    stale = [
        line
        for line, have in kernel
        if have.keys
        and have.keys <= OWN_KEYS
        and not any(covers(have, want) for _line, want in needed)
        and not any(covers(have, want) for want in others)
    ]
    return missing, stale


def removal_lines(loaded: str) -> List[str]:
    """Lines that take one loaded rule out of the kernel, from what auditctl printed for it."""
    words = loaded.split(" ", 1)
    if words[0] == "-w":
        meaning = parse_meaning(loaded)
        fields = {name: value for name, _operator, value in meaning.fields} if meaning else {}
        key = "".join(f" -F key={key}" for key in sorted(meaning.keys)) if meaning else ""
        # The line does not tell which of the two it was.
        return [f"-d always,exit -F {kind}={fields['watch']} -F perm={fields['perm']}{key}" for kind in ("path", "dir")]
    line = LIST_OR_ACTION.sub("-d ", loaded)
    variants = [line]
    if " exe=" in line:
        variants.append(line.replace(" exe=", " exe!="))
    return variants


def load_script(missing: Sequence[str], stale: Sequence[str]) -> Tuple[str, Dict[int, str]]:
    """Commands for auditctl -R that change only rules of ours, and the rule added by each line (counted from 1).

    New rules go in front of all others, as they do at boot, and keep their order. Nothing is flushed, so no moment
    passes without rules, and rules that others loaded by hand stay.
    """
    lines = ["-c"]
    for line in stale:
        lines.extend(removal_lines(line))
    added = {}
    for line in reversed(list(missing)):
        lines.append(_in_front(line))
        added[len(lines)] = line
    return "\n".join(lines) + "\n", added


def _in_front(line: str) -> str:
    return LIST_OR_ACTION.sub("-A ", line)


def parse_complaints(output: str) -> List[Complaint]:
    """Lines of a script that auditctl complained about, from its standard error."""
    found = []
    reason = ""
    for line in output.splitlines():
        hit = ERROR_LINE.match(line.strip())
        if hit:
            found.append(Complaint(int(hit.group(1)), reason or "no reason given"))
            reason = ""
        elif line.strip() and not NO_REASON.match(line.strip()):
            reason = line.strip()
    return found


def parse_status(text: str) -> Optional[Status]:
    """The kernel's answer to auditctl -s; None when there is none in it.

    Old versions print "AUDIT_STATUS: enabled=1 …", newer ones a line for each value.
    """
    values = {name: int(number) for name, number in re.findall(r"(\w+)[ =](\d+)", text)}
    if "enabled" not in values:
        return None
    return Status(*(values.get(name, 0) for name in Status._fields))


def merged_holds(merged: str, wanted: Sequence[str], foreign: Sequence[str]) -> bool:
    """Whether the file that is loaded at boot has the wanted rules, and of ours no others; foreign as in difference."""
    lines = own_lines(merged)
    others = set(lines) - set(wanted) - set(foreign)
    return set(wanted) <= set(lines) and not any(has_own_keys(line) for line in others)


def has_own_keys(line: str) -> bool:
    """Whether all keys of a rule are ours."""
    meaning = parse_meaning(line)
    return meaning is not None and bool(meaning.keys) and meaning.keys <= OWN_KEYS
