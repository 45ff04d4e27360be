#!/usr/bin/python
# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: engine_health
short_description: Whether an engine has come well through a change
version_added: 0.1.0
author:
  - bulwark.docker contributors (@bulwark-docker)
description:
  - Without O(before), looks at an engine and its running containers. Nothing that it finds is an error.
  - With O(before), looks again until the engine answers, everything that was written is in force, and each container
    that ran before runs and is as healthy as before. Fails when that is not so by the O(deadline).
  - An engine that was stopped before and is stopped now, and one that is masked, are as somebody wants them.
  - Where the engine's data have moved, for example because ids of containers are mapped now, containers are not
    compared.
extends_documentation_fragment:
  - bulwark.docker._attributes.read_only
  - bulwark.docker._attributes.action_group
  - bulwark.docker._engine
options:
  before:
    description: What this module returned before the change.
    type: dict
  ignore:
    description: Names of containers that may come and go, with the wildcards C(*) and C(?).
    type: list
    elements: str
    default: []
  deadline:
    description: Seconds after which the engine has to be well.
    type: int
    default: 60
seealso:
  - module: bulwark.docker.engine_info
"""

EXAMPLES = r"""
- name: Look at the engine before
  bulwark.docker.engine_health:
  register: before

- name: Upgrade the engine
  ansible.builtin.apt:
    name: docker.io
    state: latest

- name: Go on only when it is well again
  bulwark.docker.engine_health:
    before: "{{ before }}"
    ignore: [job-*]
"""

RETURN = r"""
state:
  description: V(running), V(failed) (or without an answer), V(stopped), V(masked) or V(not_installed).
  returned: always
  type: str
  sample: running
version:
  description: Version of the running engine.
  returned: always
  type: str
  sample: 26.1.5+dfsg1
data_root:
  description: Where the running engine keeps its data.
  returned: always
  type: str
  sample: /var/lib/docker
containers:
  description: Name of each running container, and what its health check says.
  returned: always
  type: list
  elements: dict
uncommitted:
  description: Whether settings were written and not brought into force.
  returned: always
  type: bool
problems:
  description: What the engine has lost since O(before).
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.docker.plugins.module_utils._argspec import ENGINE_ARGUMENTS, choose_instance
from ansible_collections.bulwark.docker.plugins.module_utils._conclude import conclude
from ansible_collections.bulwark.docker.plugins.module_utils._engine_health import check_health
from ansible_collections.bulwark.docker.plugins.module_utils._host import LocalHost

ARGUMENT_SPEC = {
    "before": {"type": "dict"},
    "ignore": {"type": "list", "elements": "str", "default": []},
    "deadline": {"type": "int", "default": 60},
    **ENGINE_ARGUMENTS,
}


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    host = LocalHost(module)
    params = module.params
    conclude(
        module,
        lambda: check_health(
            host, choose_instance(host, params), params["before"], params["ignore"], params["deadline"]
        ),
    )


if __name__ == "__main__":
    main()
