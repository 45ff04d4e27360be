#!/usr/bin/python
# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: antivirus_exclusions
short_description: Keep scanners away from the engines' data, and from nothing else
version_added: 0.1.0
author:
  - bulwark.docker contributors (@bulwark-docker)
description:
  - Finds where the engines of the host really keep their data (data-root, the part of it that C(userns-remap) uses,
    the root of containerd, the data of rootless engines) by asking the running engines.
  - Excludes exactly these directories in every scanner that is installed, each in its own way, and leaves every other
    byte of its configuration as it is. Neither parents nor directories with a similar name are excluded.
  - Services that read their configuration only once are restarted, also when an interrupted run did not come to it. If
    a scanner does not run with the result, its file is put back.
  - An excluded directory is not scanned. See M(bulwark.docker.compensating_scan) for what makes up for it.
extends_documentation_fragment:
  - bulwark.docker._attributes.changes
  - bulwark.docker._attributes.action_group
options:
  state:
    description: Whether the data is excluded, or the scanners are as they were before.
    type: str
    choices: [present, absent]
    default: present
  scanners:
    description:
      - Scanners to work on, V(clamav), V(aide), V(rkhunter), V(updatedb), V(defender) or names from
        O(other_scanners). V(all) stands for every one.
      - Those that are not installed are reported and left alone.
    type: list
    elements: str
    default: [all]
  scan_volumes:
    description:
      - Let the scanners go on reading volumes.
      - Then the engine's own directories below its data-root are excluded one by one.
    type: bool
    default: false
  rootless:
    description: Whether the data of users' rootless engines is excluded too.
    type: bool
    default: true
  other_scanners:
    description: Scanners that are not built in, each with a file that takes a line for each path, or with commands.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: A name of your own for it.
        type: str
        required: true
      program:
        description: It is on the host when this program is.
        type: str
        required: true
      file:
        description: Its configuration.
        type: path
      lines:
        description: Lines for each path, with C({path}), or C({regex}) for the path as an escaped expression.
        type: list
        elements: str
      create:
        description: Whether the file may be made.
        type: bool
        default: false
      units:
        description: Services that read the file when they start.
        type: list
        elements: str
      check_command:
        description: A command that fails when the scanner cannot read its C({file}).
        type: list
        elements: str
      list_command:
        description: A command that prints the exclusions.
        type: list
        elements: str
      add_command:
        description: A command that adds the exclusion C({path}).
        type: list
        elements: str
      remove_command:
        description: A command that removes the exclusion C({path}).
        type: list
        elements: str
  service:
    description: The systemd unit that starts the system's engine.
    type: str
    default: docker.service
  config_path:
    description: The system engine's configuration file, where its unit names none.
    type: path
  api_socket:
    description: Unix socket of the system engine's API.
    type: path
seealso:
  - module: bulwark.docker.compensating_scan
  - plugin: bulwark.docker.antivirus_exclusion_list
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Keep the scanners away from the engine's data
  bulwark.docker.antivirus_exclusions:

- name: Go on scanning volumes, and tell one more scanner
  bulwark.docker.antivirus_exclusions:
    scan_volumes: true
    other_scanners:
      - name: examplescan
        program: examplescand
        file: /etc/examplescan.conf
        lines: ["SkipDirectory {path}"]
        units: [examplescan.service]
"""

RETURN = r"""
data_paths:
  description: The directories that hold the engines' data.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The directory.
      type: str
    kind:
      description: One of V(data-root), V(containerd), V(rootless).
      type: str
    user:
      description: The owner of a rootless engine, empty otherwise.
      type: str
excluded:
  description: The directories that are excluded.
  returned: success
  type: list
  elements: str
scanners:
  description: What was done about each scanner.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The scanner.
      type: str
    found:
      description: Whether it is installed.
      type: bool
    path:
      description: The file, or the command, that carries its exclusions.
      type: str
    changed:
      description: Whether anything was changed.
      type: bool
    restarted:
      description: Services that were restarted.
      type: list
      elements: str
    note:
      description: Why nothing was done, or what the scanner said.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.docker.plugins.module_utils._conclude import conclude
from ansible_collections.bulwark.docker.plugins.module_utils._host import LocalHost
from ansible_collections.bulwark.docker.plugins.module_utils._instance import system_instance
from ansible_collections.bulwark.docker.plugins.module_utils._scanner_run import ExclusionRequest, apply_exclusions

WORDS = {"type": "list", "elements": "str"}
ARGUMENT_SPEC = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "scanners": {"type": "list", "elements": "str", "default": ["all"]},
    "scan_volumes": {"type": "bool", "default": False},
    "rootless": {"type": "bool", "default": True},
    "other_scanners": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "program": {"type": "str", "required": True},
            "file": {"type": "path"},
            "lines": WORDS,
            "create": {"type": "bool", "default": False},
            "units": WORDS,
            "check_command": WORDS,
            "list_command": WORDS,
            "add_command": WORDS,
            "remove_command": WORDS,
        },
    },
    "service": {"type": "str", "default": "docker.service"},
    "config_path": {"type": "path"},
    "api_socket": {"type": "path"},
}


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    request = ExclusionRequest(
        present=params["state"] == "present",
        instance=system_instance(params["config_path"] or "", params["service"], params["api_socket"] or ""),
        names=params["scanners"],
        scan_volumes=params["scan_volumes"],
        rootless=params["rootless"],
        others=params["other_scanners"],
        check_mode=module.check_mode,
    )
    conclude(module, lambda: apply_exclusions(LocalHost(module), request))


if __name__ == "__main__":
    main()
