# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a file of waivers with the line of each, so that a bad one can be found (private)."""

from __future__ import annotations

from typing import Any

import yaml

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError

__all__ = ["read_waivers"]

VARIABLE = "bulwark_waivers"


def read_waivers(text: str, name: str = "the file") -> list[dict[str, Any]]:
    """Return the waivers of a YAML text, each with the C(file) and C(line) it came from.

    Args:
        text: a list of dictionaries, or a file of variables that has such a list as C(bulwark_waivers).
        name: of the file, for messages.

    Raises ConfigError where it is something else.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        value = yaml.safe_load(text)
    except yaml.YAMLError as exc:
        raise ConfigError(f"read waivers: {' '.join(str(exc).split())} ({name}); write valid YAML") from exc
    if isinstance(value, dict):
        node = next((item for key, item in node.value if key.value == VARIABLE), None)
        value = value.get(VARIABLE)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ConfigError(f"read waivers: there is no list of them ({name}); write one, or one named {VARIABLE}")
    found = []
    for entry, place in zip(value, node.value, strict=True):
        line = place.start_mark.line + 1
        if not isinstance(entry, dict):
            raise ConfigError(
                f"read waivers: {entry!r} is no dictionary ({name} line {line}); give id, reason, expires"
            )
        plain = {str(key): item if isinstance(item, (int, str)) else str(item) for key, item in entry.items()}
        found.append({**plain, "file": name, "line": line})
    return found
