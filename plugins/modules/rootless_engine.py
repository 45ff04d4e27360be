#!/usr/bin/python
# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rootless_engine
short_description: A Docker engine of a user's own, without root
version_added: 0.1.0
author:
  - bulwark.docker contributors (@bulwark-docker)
description:
  - Sees to it that a user's own service manager runs a Docker engine from a unit of this collection, also after a boot
    without any log-in, and that the control groups of the user's containers can have limits.
  - A unit that somebody changed is put right. The engine is restarted only where it really runs with another unit.
  - Nothing is fetched from anywhere. The programs have to be there, see M(bulwark.docker.rootless_info), and the user
    needs subordinate ids, see M(bulwark.docker.subid_range).
  - Settings of the engine are the affair of M(bulwark.docker.daemon_config), called with
    O(bulwark.docker.daemon_config#module:user).
extends_documentation_fragment:
  - bulwark.docker._attributes.changes
  - bulwark.docker._attributes.action_group
options:
  user:
    description: Name of the user. It has to exist, with a home directory of its own, and may not be root.
    type: str
    required: true
  state:
    description:
      - Whether the user has the engine.
      - V(absent) stops it and takes away what this module made, unit, drop-in and linger. A unit that stood there
        before comes back. It works for users that are gone, too.
    type: str
    choices: [present, absent]
    default: present
  network:
    description:
      - The program that connects the engine's network to the host's; V(default) leaves the choice to the engine.
    type: str
    choices: [default, slirp4netns, pasta]
    default: default
  mtu:
    description: MTU of that network, 0 for the engine's default.
    type: int
    default: 0
  port_driver:
    description:
      - How published ports get into the engine's network. V(builtin) is fast and hides the addresses of clients from
        containers, V(slirp4netns) and V(implicit) (for pasta) show them.
      - V(default) is V(implicit) with O(network=pasta), which has no other, else the engine's default, V(builtin).
    type: str
    choices: [default, builtin, slirp4netns, implicit]
    default: default
  environment:
    description: Further environment variables of the engine, for example those of a proxy.
    type: dict
    default: {}
  allow_container_stop:
    description: Allow that running containers stop where the engine has to be restarted with another unit.
    type: bool
    default: false
  remove_data:
    description: With O(state=absent), remove images, containers and volumes of this engine too.
    type: bool
    default: false
  deadline:
    description: Seconds within which service manager and engine have to answer after a start.
    type: int
    default: 90
notes:
  - Needs root, and systemd 248 or newer.
seealso:
  - module: bulwark.docker.rootless_info
  - module: bulwark.docker.rootless_host
"""

EXAMPLES = r"""
- name: Give alice an engine of her own
  bulwark.docker.rootless_engine:
    user: alice

- name: Take it away with all its data
  bulwark.docker.rootless_engine:
    user: alice
    state: absent
    remove_data: true
"""

RETURN = r"""
reasons:
  description: One sentence for each thing that was changed.
  returned: success
  type: list
  elements: str
  sample: ["docker.service: restarted, it ran with another unit"]
engine_restarted:
  description: Whether the engine was started or restarted.
  returned: success
  type: bool
ready:
  description: Whether the engine answers; in check mode one that is not there yet does not.
  returned: O(state=present)
  type: bool
socket:
  description: Unix socket of the engine's API.
  returned: O(state=present)
  type: str
  sample: /run/user/1000/docker.sock
controllers:
  description: Controllers of control groups that the user's containers can be limited with.
  returned: O(state=present)
  type: list
  elements: str
  sample: [cpu, cpuset, io, memory, pids]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.docker.plugins.module_utils._conclude import conclude
from ansible_collections.bulwark.docker.plugins.module_utils._host import LocalHost
from ansible_collections.bulwark.docker.plugins.module_utils._rootless_run import EngineRequest, apply_engine

ARGUMENT_SPEC = {
    "user": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "network": {"type": "str", "choices": ["default", "slirp4netns", "pasta"], "default": "default"},
    "mtu": {"type": "int", "default": 0},
    "port_driver": {"type": "str", "choices": ["default", "builtin", "slirp4netns", "implicit"], "default": "default"},
    "environment": {"type": "dict", "default": {}},
    "allow_container_stop": {"type": "bool", "default": False},
    "remove_data": {"type": "bool", "default": False},
    "deadline": {"type": "int", "default": 90},
}
PLAIN = ("user", "network", "mtu", "port_driver", "allow_container_stop", "remove_data", "deadline")


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    request = EngineRequest(
        present=params["state"] == "present",
        environment=tuple((name, str(value)) for name, value in sorted(params["environment"].items())),
        check_mode=module.check_mode,
        **{name: params[name] for name in PLAIN},
    )
    conclude(module, lambda: apply_engine(LocalHost(module), request))


if __name__ == "__main__":
    main()
