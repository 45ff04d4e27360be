# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of auditd.conf, changed line by line and given back (pure, private)."""

from __future__ import annotations

import re
from typing import Dict, List, Mapping, Optional, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._audit_tables import SPACE_SETTINGS
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError

__all__ = ["change_settings", "check_settings", "restore_settings"]

SETTING = re.compile(r"^\s*([A-Za-z_]+)\s*=\s*(.*?)\s*$")


def check_settings(wanted: Mapping[str, object]) -> Dict[str, str]:
    """The wanted settings as texts; ConfigError for one that is not about the room for the log."""
    for name in wanted:
        if name not in SPACE_SETTINGS:
            raise ConfigError(
                f"set {name!r} in auditd.conf: it is not one of {', '.join(SPACE_SETTINGS)} (option space_settings); "
                "set anything else by other means"
            )
    return {name: str(value) for name, value in wanted.items()}


def change_settings(text: str, wanted: Mapping[str, str]) -> Tuple[str, Dict[str, Optional[str]]]:
    """Set values: (new text, the earlier line of each setting that changed, None where there was none).

    A setting that already has the wanted value, whatever its spelling, stays as it is.
    """
    lines = text.split("\n")
    earlier: Dict[str, Optional[str]] = {}
    for name, value in wanted.items():
        place = _place(lines, name)
        if place is None:
            earlier[name] = None
            lines.insert(len(lines) - 1 if lines[-1] == "" else len(lines), f"{name} = {value}")
        elif _value(lines[place]).lower() != value.lower():
            earlier[name] = lines[place]
            lines[place] = f"{name} = {value}"
    return "\n".join(lines), earlier


def restore_settings(text: str, earlier: Mapping[str, Optional[str]]) -> str:
    """Give back earlier lines."""
    lines = text.split("\n")
    for name, line in earlier.items():
        place = _place(lines, name)
        if place is None:
            lines.extend([] if line is None else [line])
        elif line is None:
            del lines[place]
        else:
            lines[place] = line
    return "\n".join(lines)


def _place(lines: List[str], name: str) -> Optional[int]:
    """Where a setting stands; auditd takes the last one of several."""
    found = [number for number, line in enumerate(lines) if _name(line) == name]
    return found[-1] if found else None


def _name(line: str) -> str:
    found = SETTING.match(line)
    return found.group(1).lower() if found else ""


def _value(line: str) -> str:
    found = SETTING.match(line)
    return found.group(2) if found else ""
