# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits of new containers as daemon.json wants them (pure, private)."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError
from ansible_collections.bulwark.docker.plugins.module_utils._go_values import ULIMIT_NAMES

__all__ = ["ULIMIT_NAMES", "to_engine_ulimits"]

FIELDS = ("soft", "hard")


def to_engine_ulimits(limits: Optional[Mapping[str, Any]]) -> Optional[Dict[str, Dict[str, Any]]]:
    """Turn C({name: {soft, hard}}) into the value of default-ulimits, None into None.

    Raises ConfigError for unknown names, missing fields, other types and a soft limit above the hard one.
    """
    if limits is None:
        return None
    if not isinstance(limits, Mapping):
        raise ConfigError(f"read the limits: {limits!r} is not a mapping of names to soft and hard limits")
    return {name: _entry(name, value) for name, value in limits.items()}


def _entry(name: str, value: Any) -> Dict[str, Any]:
    where = f"the limit {name!r}"
    if name not in ULIMIT_NAMES:
        raise ConfigError(f"read {where}: the engine knows no such limit; use one of {', '.join(sorted(ULIMIT_NAMES))}")
    if not isinstance(value, Mapping) or sorted(value) != sorted(FIELDS):
        raise ConfigError(f"read {where}: {value!r} is not a mapping with exactly soft and hard; give both")
    for field in FIELDS:
        number = value[field]
        if isinstance(number, bool) or not isinstance(number, int) or number < -1:
            raise ConfigError(f"read {where}: {field} is {number!r}; give a whole number, -1 for no limit")
    soft, hard = value["soft"], value["hard"]
    if hard != -1 and (soft == -1 or soft > hard):
        raise ConfigError(f"read {where}: soft {soft} is above hard {hard}; lower soft or raise hard")
    return {"Name": name, "Soft": soft, "Hard": hard}
