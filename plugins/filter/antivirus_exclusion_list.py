# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: antivirus_exclusion_list
short_description: Directories that scanners of other platforms should leave out
version_added: 0.1.0
author: bulwark.docker contributors (@bulwark-docker)
description:
  - Renders the directories in which Windows Server, Docker Desktop or an engine on Linux keeps its data, for tools that
    this collection does not manage itself.
  - The platforms are named after their documentation; nobody of this collection has tried the result on them.
positional: _input, format
options:
  _input:
    description: The platform.
    type: str
    choices: [windows_server, docker_desktop_windows, docker_desktop_mac, docker_desktop_linux, linux]
    required: true
  format:
    description:
      - V(list) is a list of directories, with the platform's own variables in them.
      - V(powershell) is a text of commands for Microsoft Defender, for the two Windows platforms.
      - V(mdatp_managed) is the part of C(mdatp_managed.json) for Defender for Endpoint, for V(linux).
    type: str
    choices: [list, powershell, mdatp_managed]
    default: list
  paths:
    description: The directories, where they are not in their usual places.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
commands: "{{ 'windows_server' | bulwark.docker.antivirus_exclusion_list('powershell') }}"
# => 'Add-MpPreference -ExclusionPath "$env:ProgramData\\docker"' and one more line
profile: "{{ 'linux' | bulwark.docker.antivirus_exclusion_list('mdatp_managed', ['/srv/docker']) | to_nice_json }}"
"""

RETURN = r"""
_value:
  description: A list, a text or a dictionary, after the format.
  type: raw
"""

from ansible_collections.bulwark.docker.plugins.module_utils._exclusion_lists import exclusion_list
from ansible_collections.bulwark.docker.plugins.plugin_utils._filter import call_core


class FilterModule:
    """The collection's filter for exclusion lists."""

    def filters(self):
        """Names and functions."""
        return {
            "antivirus_exclusion_list": lambda platform, format="list", paths=(): call_core(
                exclusion_list, platform, format, paths
            )
        }
