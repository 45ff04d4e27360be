# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: compose_seccomp_profile
short_description: A seccomp profile from policies
version_added: 0.1.0
author: bulwark.docker contributors (@bulwark-docker)
description:
  - Makes the profile that M(bulwark.docker.seccomp_profile) would write, as plain data in the engine's schema.
  - Fails where the profile would allow more than the engine's own one and no waiver names it.
positional: _input, engine_version
options:
  _input:
    description:
      - One policy or a list of them in any order, see the option C(policies) of M(bulwark.docker.seccomp_profile).
    type: raw
    required: true
  engine_version:
    description: The version of the engine that shall read the profile, 20.10 or newer.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: A profile for another host
  ansible.builtin.copy:
    dest: ./service.json
    content: "{{ policy | bulwark.docker.compose_seccomp_profile('26.1') | to_nice_json }}"
    mode: "0644"
  delegate_to: localhost
  vars:
    policy:
      base: hardened
      deny: [aio]
"""

RETURN = r"""
_value:
  description: The profile.
  type: dict
"""

from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_profile import compose_profile
from ansible_collections.bulwark.docker.plugins.plugin_utils._filter import call_core


class FilterModule:
    """The collection's filter that makes seccomp profiles."""

    def filters(self):
        """Names and functions."""
        return {
            "compose_seccomp_profile": lambda value, engine_version: call_core(compose_profile, value, engine_version)
        }
