#!/usr/bin/python
# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rootless_host
short_description: What rootless engines need of a host as a whole
version_added: 0.1.0
author:
  - bulwark.docker contributors (@bulwark-docker)
description:
  - Loads the kernel modules that rootless engines need, now and at each boot, where this kernel has them as modules.
    A user cannot load any.
  - Sets kernel settings for low ports and ping, in a file of its own in C(/etc/sysctl.d) and at once.
  - Gives rootlesskit an AppArmor profile where the kernel keeps user namespaces from programs without one, and no
    profile of the distribution does so.
  - Points the C(docker) client of the users to their engines, for log-ins.
  - Stops and masks the system's engine, if that is wanted.
  - O(state=absent) takes the files away and gives kernel settings and units back what they were before.
extends_documentation_fragment:
  - bulwark.docker._attributes.changes
  - bulwark.docker._attributes.action_group
options:
  state:
    description: Whether the host is prepared, or as it was before.
    type: str
    choices: [present, absent]
    default: present
  users:
    description: Users whose log-ins get C(DOCKER_HOST) from C(/etc/profile.d), unless they set it themselves.
    type: list
    elements: str
    default: []
  lowest_port:
    description: The lowest port that users may listen on, 1 to 1024. Without it this kernel setting is left alone.
    type: int
  ping:
    description: Whether all users may send ICMP echo requests, which containers of rootless engines need for ping.
    type: bool
    default: false
  system_engine:
    description: Whether the system's engine is left alone, or stopped and masked with its socket.
    type: str
    choices: [keep, stopped]
    default: keep
notes:
  - Needs root.
  - Loaded kernel modules stay loaded after O(state=absent) until the next boot.
seealso:
  - module: bulwark.docker.rootless_engine
"""

EXAMPLES = r"""
- name: Let users publish ports from 80 on
  bulwark.docker.rootless_host:
    users: [alice]
    lowest_port: 80
"""

RETURN = r"""
reasons:
  description: One sentence for each thing that was changed.
  returned: success
  type: list
  elements: str
  sample: ["net.ipv4.ip_unprivileged_port_start: was 1024, is now 80"]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.docker.plugins.module_utils._conclude import conclude
from ansible_collections.bulwark.docker.plugins.module_utils._host import LocalHost
from ansible_collections.bulwark.docker.plugins.module_utils._rootless_host import HostRequest, apply_host

ARGUMENT_SPEC = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "users": {"type": "list", "elements": "str", "default": []},
    "lowest_port": {"type": "int"},
    "ping": {"type": "bool", "default": False},
    "system_engine": {"type": "str", "choices": ["keep", "stopped"], "default": "keep"},
}


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    request = HostRequest(
        present=params["state"] == "present",
        users=tuple(params["users"]),
        lowest_port=params["lowest_port"],
        ping=params["ping"],
        system_engine=params["system_engine"],
        check_mode=module.check_mode,
    )
    conclude(module, lambda: apply_host(LocalHost(module), request))


if __name__ == "__main__":
    main()
