#!/usr/bin/python
# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rootless_info
short_description: Who can have a rootless engine on a host, what is missing, and which limits apply
version_added: 0.1.0
author:
  - bulwark.docker contributors (@bulwark-docker)
description:
  - Looks at users, programs, kernel and control groups of a host, and says what rootless engines need that is not
    installed, and which of the known limits of rootless engines apply here.
  - Fails when one of the users cannot have an engine, or when the host cannot run any.
extends_documentation_fragment:
  - bulwark.docker._attributes.read_only
  - bulwark.docker._attributes.action_group
options:
  users:
    description: Users that are to have a rootless engine.
    type: list
    elements: str
    default: []
  network:
    description: The program that connects the engine's network to the host's.
    type: str
    choices: [default, slirp4netns, pasta]
    default: default
  subid_count:
    description: Subordinate ids for each user, at least 65536.
    type: int
    default: 65536
seealso:
  - module: bulwark.docker.rootless_engine
"""

EXAMPLES = r"""
- name: Look whether these users can have engines of their own
  bulwark.docker.rootless_info:
    users: [alice, bob]
  register: rootless
"""

RETURN = r"""
users:
  description: The users, each with its uid, home directory, API socket and the control group controllers that it has.
  returned: success
  type: list
  elements: dict
missing:
  description: What rootless engines need and the host does not have.
  returned: success
  type: list
  elements: str
packages:
  description: Packages of this distribution that bring it.
  returned: success
  type: list
  elements: str
  sample: [dbus-user-session, slirp4netns, uidmap]
script:
  description: The program that starts a rootless engine, empty where there is none.
  returned: success
  type: str
  sample: /usr/share/docker.io/contrib/dockerd-rootless.sh
managed:
  description: Users whose engines M(bulwark.docker.rootless_engine) has set up.
  returned: success
  type: list
  elements: str
limits:
  description: Limits of rootless engines that apply on this host.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: A short name, for example V(apparmor) or V(overlay_networks).
      type: str
    text:
      description: What does not work.
      type: str
    remedy:
      description: What can be done about it, empty where nothing can.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.docker.plugins.module_utils._conclude import conclude
from ansible_collections.bulwark.docker.plugins.module_utils._host import LocalHost
from ansible_collections.bulwark.docker.plugins.module_utils._rootless_look import Inquiry, inquire

ARGUMENT_SPEC = {
    "users": {"type": "list", "elements": "str", "default": []},
    "network": {"type": "str", "choices": ["default", "slirp4netns", "pasta"], "default": "default"},
    "subid_count": {"type": "int", "default": 65536},
}


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    inquiry = Inquiry(tuple(params["users"]), params["network"], params["subid_count"])
    conclude(module, lambda: inquire(LocalHost(module), inquiry))


if __name__ == "__main__":
    main()
