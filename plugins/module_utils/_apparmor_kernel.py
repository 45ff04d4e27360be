# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading what kernel, parser and engine say about AppArmor (pure, private).

Formats: /sys/kernel/security/apparmor/profiles and /proc/PID/attr/current (security/apparmor of the kernel), audit
records of type 1400, the template of an engine's own profile (moby profiles/apparmor).
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._audit_events import utc_text
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError

__all__ = [
    "TEMPLATE_MARK",
    "Denial",
    "Label",
    "container_finding",
    "default_text",
    "digest",
    "parse_denials",
    "parse_label",
    "parse_loaded",
    "parser_number",
    "stopped_finding",
    "summarise_denials",
]

LOADED = re.compile(r"(?P<name>.+) \((?P<mode>\w+)\)")
DENIAL = re.compile(
    r"audit\((?P<time>\d+\.\d+):(?P<serial>\d+)\):? .*?apparmor=\"?(?P<verdict>DENIED|ALLOWED)\"?(?P<rest>.*)"
)
FIELD = re.compile(r"(\w+)=(\"[^\"]*\"|\S+)")
HEXADECIMAL = re.compile(r"(?:[0-9A-F]{2})+")
NUMBERS = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")
# First words of the engine's template, as they stand in its program file.
TEMPLATE_MARK = "profile {{.Name}} flags"
BLOCK = re.compile(r"\{\{\s*(if ge \.Version (\d+)|range[^}]*|end|\.Name|\.DaemonProfile|\$value)\s*\}\}")


class Label(NamedTuple):
    """Under which profile a process runs: its name ("unconfined" for none) and mode ("" for none)."""

    name: str
    mode: str


class Denial(NamedTuple):
    """One access that a profile refused (or, in complain mode, C(allowed) and only logged)."""

    time: float
    serial: int
    profile: str
    operation: str
    subject: str
    wanted: str
    program: str
    allowed: bool


def parse_loaded(text: str) -> Dict[str, str]:
    """Mode of each loaded profile by its name."""
    found = [LOADED.fullmatch(line.strip()) for line in text.splitlines()]
    return {one.group("name"): one.group("mode") for one in found if one}


def parse_label(text: str) -> Label:
    """Label of a process from /proc/PID/attr/current."""
    words = text.strip("\0\n ")
    found = LOADED.fullmatch(words)
    return Label(found.group("name"), found.group("mode")) if found else Label(words or "unconfined", "")


def digest(compiled: str, algorithm: str) -> str:
    """Checksum of what the parser printed, as the kernel makes it of what it was given ("sha256" or "sha1")."""
    data = compiled.encode("utf-8", "surrogateescape")
    # The kernel chooses the algorithm; nothing rests on it but "is it the same text?".
    return hashlib.sha256(data).hexdigest() if algorithm == "sha256" else hashlib.sha1(data).hexdigest()


def parser_number(text: str) -> int:
    """Version of apparmor_parser as the engine counts it: 3.0.8 is 300008; 0 when there is none in the text."""
    found = NUMBERS.search(text)
    if not found:
        return 0
    major, minor, patch = (int(part or 0) for part in found.groups())
    return major * 100000 + minor * 1000 + patch


def default_text(data: str, name: str, daemon: str, parser: int, tunables: bool, base: bool) -> str:
    """The engine's own profile, from the template in its program file.

    Args:
        data: what stands there from TEMPLATE_MARK on (and something behind it).
        name: the profile's name; daemon: under which profile the engine runs.
        parser: see parser_number(); tunables, base: whether the host has tunables/global and abstractions/base.

    Raises ConfigError when the template has words that are not known here.
    """
    end = data.find("\n}\n")
    if not data.startswith(TEMPLATE_MARK) or end < 0:
        raise ConfigError("read the engine's own profile: its program file has no template that can be read")
    values = {".Name": name, ".DaemonProfile": daemon, "$value": "#include <abstractions/base>"}
    shown = [True]
    parts: List[str] = []
    position = 0
    template = data[: end + 3]
    for found in BLOCK.finditer(template):
        parts += [template[position : found.start()]] if all(shown) else []
        position = found.end()
        words = found.group(1)
        if words == "end":
            shown.pop()
        elif words in values:
            parts += [values[words]] if all(shown) else []
        else:
            shown.append(base if words.startswith("range") else parser >= int(found.group(2)))
        if not shown:
            raise ConfigError("read the engine's own profile: the blocks of its template do not match")
    text = "".join([*parts, template[position:]])
    if "{{" in text or len(shown) != 1:
        raise ConfigError("read the engine's own profile: its template has words that are not known here")
    head = "#include <tunables/global>\n" if tunables else "@{PROC}=/proc/\n"
    return head + text


def _value(raw: str) -> str:
    if raw.startswith('"'):
        return raw.strip('"')
    if len(raw) >= 4 and HEXADECIMAL.fullmatch(raw):
        return bytes.fromhex(raw).decode("utf-8", "replace")
    return raw


def parse_denials(text: str) -> List[Denial]:
    """Refused accesses from lines of the kernel's log or of the audit log, oldest first, each record once."""
    found: Dict[Tuple[str, str], Denial] = {}
    for line in text.splitlines():
        match = DENIAL.search(line)
        if not match:
            continue
        fields = {key: _value(raw) for key, raw in FIELD.findall(match.group("rest"))}
        key = (match.group("time"), match.group("serial"))
        found[key] = Denial(
            float(key[0]),
            int(key[1]),
            fields.get("profile", ""),
            fields.get("operation", ""),
            _subject(fields),
            fields.get("denied_mask") or fields.get("denied") or fields.get("requested_mask", ""),
            fields.get("comm", ""),
            match.group("verdict") == "ALLOWED",
        )
    return sorted(found.values())


def _subject(fields: Mapping[str, str]) -> str:
    """What the access was about: a path, a kind of socket, a capability, another profile."""
    if "capname" in fields:
        return fields["capname"]
    if "family" in fields and not fields.get("name"):
        return " ".join(fields[key] for key in ("family", "sock_type") if key in fields)
    if "peer" in fields:
        return " ".join([*([fields["signal"]] if "signal" in fields else []), fields["peer"]])
    return fields.get("name", "")


def summarise_denials(denials: Iterable[Denial], limit: int) -> Dict[str, List[Dict[str, Any]]]:
    """By profile: what was refused, how often, when last, with a line for people; the most frequent first."""
    counted: Dict[Tuple[str, str, str, str, str, bool], List[Denial]] = {}
    for one in denials:
        key = (one.profile, one.operation, one.subject, one.wanted, one.program, one.allowed)
        counted.setdefault(key, []).append(one)
    found: Dict[str, List[Dict[str, Any]]] = {}
    for (profile, operation, subject, wanted, program, allowed), ones in counted.items():
        last = max(one.time for one in ones)
        verdict = "would have been refused" if allowed else "refused"
        line = f"{utc_text(last)} {program}: {operation} {subject} [{wanted}] {verdict}, {len(ones)} time(s)"
        found.setdefault(profile, []).append(
            {
                "complain": allowed,
                "count": len(ones),
                "last": last,
                "line": line,
                "operation": operation,
                "program": program,
                "subject": subject,
                "wanted": wanted,
            }
        )
    return {
        profile: sorted(entries, key=lambda entry: (-entry["count"], -entry["last"], entry["line"]))[:limit]
        for profile, entries in sorted(found.items())
    }


def container_finding(wanted: str, label: Label, loaded: Mapping[str, str]) -> Optional[Tuple[str, str]]:
    """(word, sentence) about a running container's profile, None when there is nothing to say.

    Args:
        wanted: the profile that the engine was asked for; label: that of its first process; loaded: the kernel's list.
    """
    asked = wanted or "no profile"
    if label.name == "unconfined":
        return "unconfined", f"runs without any profile (the engine was asked for {asked}); recreate it with one"
    if label.mode == "complain":
        return "complain", f"runs under {label.name}, which only logs; let the profile enforce when its log is quiet"
    if label.name not in loaded:
        return (
            "not_loaded",
            f"runs under {label.name}, which is not loaded any more; load it, and recreate the container",
        )
    if label.mode not in ("enforce", "kill"):
        return "unconfined", f"runs under {label.name} in mode {label.mode or 'unknown'}, which refuses nothing"
    if wanted and wanted != label.name:
        return "other_profile", f"runs under {label.name}, but the engine was asked for {wanted}; recreate it"
    return None


def stopped_finding(wanted: str, loaded: Sequence[str]) -> str:
    """Why a container that does not run could not start, "" when its profile is there."""
    if wanted in ("", "unconfined") or wanted in loaded:
        return ""
    return f"cannot be started: its profile {wanted} is not loaded"
