# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: to_engine_ulimits
short_description: Limits as daemon.json wants them
version_added: 0.1.0
author: bulwark.docker contributors (@bulwark-docker)
description:
  - Turns limits by name into the value of C(default-ulimits).
  - The engine starts with an entry that lacks its inner C(Name), and then no container starts any more. This filter
    always writes it.
positional: _input
options:
  _input:
    description: Limits by name, each with C(soft) and C(hard). A null value stays null.
    type: dict
    required: true
"""

EXAMPLES = r"""
settings:
  default-ulimits: "{{ {'nofile': {'soft': 1024, 'hard': 4096}} | bulwark.docker.to_engine_ulimits }}"
  # => {"nofile": {"Name": "nofile", "Soft": 1024, "Hard": 4096}}
"""

RETURN = r"""
_value:
  description: The value for C(default-ulimits).
  type: dict
"""

from ansible_collections.bulwark.docker.plugins.module_utils._ulimits import to_engine_ulimits
from ansible_collections.bulwark.docker.plugins.plugin_utils._filter import call_core


class FilterModule:
    """The collection's filter for limits."""

    def filters(self):
        """Names and functions."""
        return {"to_engine_ulimits": lambda value: call_core(to_engine_ulimits, value)}
