#!/usr/bin/python
# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: userns_remap_info
short_description: What userns-remap would hide and break on a host
version_added: 0.1.0
author:
  - bulwark.docker contributors (@bulwark-docker)
description:
  - With another mapping the engine works below another directory, and shows nothing of what it had before. This
    module says what that would be, which containers could not run any more and why, and whether host and kernel can
    do it at all.
  - It is the preflight of the role C(userns_remap), and changes nothing.
  - Bind mounts are judged by owner and mode of the mounted path itself, not by what lies below it.
extends_documentation_fragment:
  - bulwark.docker._attributes.read_only
  - bulwark.docker._attributes.action_group
  - bulwark.docker._engine
options:
  state:
    description: V(present) asks about switching the mapping on, V(absent) about taking it away.
    type: str
    choices: [present, absent]
    default: present
  remap:
    description:
      - Whose subordinate ids are used, as V(USER), V(USER:GROUP), V(UID), V(UID:GID) or a mix of them.
      - V(default) is the user C(dockremap), who is to be made where there is none.
    type: str
    default: default
  ranges:
    description: Ranges that the user is to have, as in M(bulwark.docker.subid_range).
    type: list
    elements: dict
    suboptions:
      start:
        description: The first id.
        type: int
      count:
        description: How many ids, at least 65536.
        type: int
        default: 65536
  accept_hidden:
    description: Agree to what will be hidden.
    type: bool
    default: false
  accept_broken:
    description: Names of containers that may not run any more.
    type: list
    elements: str
    default: []
  allow_container_stop:
    description: Agree that running containers are stopped.
    type: bool
    default: false
  migrate:
    description: Whether images and named volumes are to be brought over.
    type: bool
    default: false
  spool_directory:
    description: Where the images would lie meanwhile.
    type: path
    default: /var/lib/bulwark-docker/spool
notes:
  - Needs root.
seealso:
  - module: bulwark.docker.subid_range
  - module: bulwark.docker.userns_remap_migration
"""

EXAMPLES = r"""
- name: Ask what userns-remap would mean here
  bulwark.docker.userns_remap_info:
  register: survey

- name: Show what stands in the way
  ansible.builtin.debug:
    var: survey.refusals
"""

RETURN = r"""
refusals:
  description: What is not agreed to and what cannot work, each with what to do about it. Empty when all is well.
  returned: success
  type: list
  elements: str
switching:
  description: Whether another mapping would come into force.
  returned: success
  type: bool
in_force:
  description: Uid and gid of the root of containers outside, as C(UID.GID), empty without a mapping.
  returned: success
  type: str
target:
  description: The same after the switch.
  returned: success
  type: str
mapping:
  description: The ranges of the user as the engine reads them, and C(name), the C(UID.GID) that they lead to.
  returned: success
  type: dict
engine_value:
  description: The value for C(daemon.json).
  returned: success
  type: str
account:
  description: The user, whether it exists, whether it was made by the role, and the comment that says so.
  returned: success
  type: dict
make_account:
  description: Whether the user has to be made.
  returned: success
  type: bool
check_mode:
  description: Whether the module ran in check mode.
  returned: success
  type: bool
lines_added:
  description: Whether subordinate ids of the user were added by this collection.
  returned: success
  type: bool
hidden:
  description: Images, containers and volumes that the engine shows now and would not show any more.
  returned: success
  type: dict
  sample: {images: ["app:1"], containers: [app], volumes: [data]}
moved:
  description: Those of them that would be brought over.
  returned: success
  type: dict
left_hidden:
  description: Those of them that would not.
  returned: success
  type: dict
broken:
  description: Containers that could not run with the mapping, with the reasons.
  returned: success
  type: list
  elements: dict
  sample: [{name: agent, reasons: [runs privileged]}]
running:
  description: Containers that run now, and would be lost to the engine.
  returned: success
  type: list
  elements: str
space:
  description: Bytes of images and volumes to be brought over, bytes that this needs and bytes that are free, by path.
  returned: success
  type: dict
kernel:
  description: Limits of the kernel for user namespaces; null where it has no such setting.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.docker.plugins.module_utils._argspec import ENGINE_ARGUMENTS, choose_instance
from ansible_collections.bulwark.docker.plugins.module_utils._conclude import conclude
from ansible_collections.bulwark.docker.plugins.module_utils._host import LocalHost
from ansible_collections.bulwark.docker.plugins.module_utils._subid_plan import DEFAULT_RANGE, Wanted
from ansible_collections.bulwark.docker.plugins.module_utils._userns_report import Request, inspect_host
from ansible_collections.bulwark.docker.plugins.module_utils._userns_survey import Consent

ARGUMENT_SPEC = {
    **ENGINE_ARGUMENTS,
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "remap": {"type": "str", "default": "default"},
    "ranges": {
        "type": "list",
        "elements": "dict",
        "options": {"start": {"type": "int"}, "count": {"type": "int", "default": 65536}},
    },
    "accept_hidden": {"type": "bool", "default": False},
    "accept_broken": {"type": "list", "elements": "str", "default": []},
    "allow_container_stop": {"type": "bool", "default": False},
    "migrate": {"type": "bool", "default": False},
    "spool_directory": {"type": "path", "default": "/var/lib/bulwark-docker/spool"},
}


def build_request(params):
    """The module's options as a request to the core."""
    asked = params["ranges"]
    return Request(
        present=params["state"] == "present",
        user=params["remap"],
        wanted=(DEFAULT_RANGE,) if asked is None else tuple(Wanted(entry["start"], entry["count"]) for entry in asked),
        consent=Consent(params["accept_hidden"], tuple(params["accept_broken"]), params["allow_container_stop"]),
        migrate=params["migrate"],
        spool=params["spool_directory"],
    )


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    host = LocalHost(module)
    params = module.params
    conclude(
        module,
        lambda: {
            "check_mode": module.check_mode,
            **inspect_host(host, choose_instance(host, params), build_request(params)),
        },
    )


if __name__ == "__main__":
    main()
