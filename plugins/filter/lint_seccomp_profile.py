# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: lint_seccomp_profile
short_description: What is wrong with a seccomp profile, before a container meets it
version_added: 0.1.0
author: bulwark.docker contributors (@bulwark-docker)
description:
  - Looks at a profile in the engine's schema, wherever it comes from, and returns one finding for each mistake.
  - The engine itself looks only when a container starts. It takes C({}) for no filter at all, and passes over misspelt
    fields, calls and capabilities.
  - All codes with their meaning are in C(docs/seccomp.md).
positional: _input, engine_version
options:
  _input:
    description: The profile, as the text of its file or as plain data.
    type: raw
    required: true
  engine_version:
    description: The version of the engine that shall read it, 20.10 or newer.
    type: str
    required: true
  waivers:
    description: Names of system calls and groups that may be allowed beyond the engine's own profile.
    type: list
    elements: str
    default: []
  name:
    description: What to call the profile in messages, for example its path.
    type: str
    default: the seccomp profile
"""

EXAMPLES = r"""
- name: Refuse a profile that is weaker than it looks
  ansible.builtin.assert:
    that: problems | rejectattr('severity', 'eq', 'advice') | length == 0
    fail_msg: "{{ problems | map(attribute='message') | join('\n') }}"
  vars:
    problems: "{{ lookup('ansible.builtin.file', 'profile.json', rstrip=false)
      | bulwark.docker.lint_seccomp_profile('26.1', name='profile.json') }}"
"""

RETURN = r"""
_value:
  description: The findings, an empty list when all is well.
  type: list
  elements: dict
  contains:
    code:
      description: Which mistake it is, for example V(filter_off), V(field_unknown) or V(wider_than_default).
      type: str
    severity:
      description:
        - V(fatal) when containers or their programs do not start, or there is no filter; V(weak) when it lets through
          more than it seems to; V(advice) when a part of it does nothing.
      type: str
    where:
      description: The place in the profile, or the system call.
      type: str
    message:
      description: What is wrong, and what to do.
      type: str
"""

from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_lint import lint_any
from ansible_collections.bulwark.docker.plugins.plugin_utils._filter import call_core


def lint(profile, engine_version, waivers=(), name="the seccomp profile"):
    """Findings about the profile."""
    return call_core(lint_any, profile, engine_version, waivers, name)


class FilterModule:
    """The collection's filter that checks seccomp profiles."""

    def filters(self):
        """Names and functions."""
        return {"lint_seccomp_profile": lint}
