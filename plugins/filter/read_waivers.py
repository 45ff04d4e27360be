# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: read_waivers
short_description: Read a file of waivers with the line of each
version_added: 0.1.0
author: bulwark.docker contributors (@bulwark-docker)
description:
  - Turns the text of a YAML file into waivers for M(bulwark.docker.cis_audit) that know their place, so that a bad one
    is refused with file and line.
positional: _input, name
options:
  _input:
    description: A list of waivers, or a file of variables that has one as C(bulwark_waivers).
    type: str
    required: true
  name:
    description: Name of the file, for messages.
    type: str
    default: the file
"""

EXAMPLES = r"""
bulwark_waivers: "{{ lookup('ansible.builtin.file', 'waivers.yml') | bulwark.docker.read_waivers('waivers.yml') }}"
# => [{"id": "live_restore", "reason": "…", "expires": "2027-06-30", "file": "waivers.yml", "line": 2}]
"""

RETURN = r"""
_value:
  description: The waivers, each with C(file) and C(line).
  type: list
  elements: dict
"""

from ansible_collections.bulwark.docker.plugins.plugin_utils._filter import call_core
from ansible_collections.bulwark.docker.plugins.plugin_utils._waivers import read_waivers


class FilterModule:
    """The collection's filter for files of waivers."""

    def filters(self):
        """Names and functions."""
        return {"read_waivers": lambda text, name="the file": call_core(read_waivers, text, name)}
