#!/usr/bin/python
# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: userns_remap_migration
short_description: Bring images and volumes over a switch of userns-remap
version_added: 0.1.0
author:
  - bulwark.docker contributors (@bulwark-docker)
description:
  - The engine shows either what it made with a mapping of ids, or what it made without it. This module saves images
    before the switch and loads them after it, with the same ids and names, and then copies named volumes on disk, with
    owners shifted into the mapping or out of it.
  - Owners, modes, times, hard links, holes, access lists, file capabilities and attributes of users are kept. Labels of
    security modules, file attributes of C(chattr) and digests of registries are not.
  - What is left to do is remembered on the host, so a run that was interrupted is finished by the next one. Nothing
    that the engine had before the switch is changed or removed.
  - A volume of the same name and another content that is there after the switch stays as it is, and the one that is
    brought over gets a name of its own, with a warning.
extends_documentation_fragment:
  - bulwark.docker._attributes
  - bulwark.docker._attributes.action_group
  - bulwark.docker._engine
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  step:
    description: V(save) before the switch, V(load) after it.
    type: str
    choices: [save, load]
    required: true
  enabled:
    description:
      - With O(step=save), whether anything is to be brought over.
      - With V(false) what an earlier run saved for a switch that never came is dropped.
    type: bool
    default: true
  target:
    description:
      - With O(step=save), RV(bulwark.docker.userns_remap_info#module:target), the C(UID.GID) that will be in force.
      - Empty without a mapping.
    type: str
    default: ""
  uids:
    description:
      - With O(step=save), the ranges of user ids of the mapping that comes or goes.
      - They are in RV(bulwark.docker.userns_remap_info#module:mapping).
    type: list
    elements: dict
    default: []
    suboptions: &range
      start:
        description: The first id.
        type: int
        required: true
      count:
        description: How many ids.
        type: int
        required: true
  gids:
    description: The same for group ids.
    type: list
    elements: dict
    default: []
    suboptions: *range
  spool_directory:
    description: With O(step=save), where the images lie meanwhile. It is made where it is missing, and removed again.
    type: path
    default: /var/lib/bulwark-docker/spool
notes:
  - Needs root, and the program C(tar) on the host.
  - Volumes must not be in use by anybody but the engine.
seealso:
  - module: bulwark.docker.userns_remap_info
"""

EXAMPLES = r"""
- name: Ask for the mapping
  bulwark.docker.userns_remap_info:
    migrate: true
  register: survey

- name: Save what the engine shows now
  bulwark.docker.userns_remap_migration:
    step: save
    target: "{{ survey.target }}"
    uids: "{{ survey.mapping.uids }}"
    gids: "{{ survey.mapping.gids }}"

- name: Load it after the engine was restarted with the mapping
  bulwark.docker.userns_remap_migration:
    step: load
"""

RETURN = r"""
pending:
  description: Whether there is something to be brought over after the switch.
  returned: O(step=save)
  type: bool
images:
  description: Ids of the images that were saved, or loaded.
  returned: success
  type: list
  elements: str
volumes:
  description: Names of the volumes that will be copied, or were copied.
  returned: success
  type: list
  elements: str
renamed:
  description: New names of volumes that were brought over beside one of the same name.
  returned: O(step=load)
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.docker.plugins.module_utils._argspec import ENGINE_ARGUMENTS, choose_instance
from ansible_collections.bulwark.docker.plugins.module_utils._conclude import conclude
from ansible_collections.bulwark.docker.plugins.module_utils._host import LocalHost
from ansible_collections.bulwark.docker.plugins.module_utils._subid import Range
from ansible_collections.bulwark.docker.plugins.module_utils._userns_mapping import Mapping
from ansible_collections.bulwark.docker.plugins.module_utils._userns_migration import (
    SaveRequest,
    bring_over,
    save_stock,
)

RANGES = {
    "type": "list",
    "elements": "dict",
    "default": [],
    "options": {"start": {"type": "int", "required": True}, "count": {"type": "int", "required": True}},
}
ARGUMENT_SPEC = {
    **ENGINE_ARGUMENTS,
    "step": {"type": "str", "choices": ["save", "load"], "required": True},
    "enabled": {"type": "bool", "default": True},
    "target": {"type": "str", "default": ""},
    "uids": RANGES,
    "gids": RANGES,
    "spool_directory": {"type": "path", "default": "/var/lib/bulwark-docker/spool"},
}


def build_request(params, check_mode):
    """The module's options as a request to the core."""
    uids, gids = (tuple(Range(**entry) for entry in params[name]) for name in ("uids", "gids"))
    return SaveRequest(Mapping(uids, gids), params["target"], params["enabled"], params["spool_directory"], check_mode)


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    host, params, check = LocalHost(module), module.params, module.check_mode
    if params["step"] == "save":
        request = build_request(params, check)
        conclude(module, lambda: save_stock(host, choose_instance(host, params), request))
    else:
        conclude(module, lambda: bring_over(host, choose_instance(host, params), check))


if __name__ == "__main__":
    main()
