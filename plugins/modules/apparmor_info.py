#!/usr/bin/python
# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: apparmor_info
short_description: Which containers AppArmor really confines, and what it refused
version_added: 0.1.0
author:
  - bulwark.docker contributors (@bulwark-docker)
description:
  - Compares what the engine was asked for with the label of each container's first process and with the profiles that
    the kernel has. Containers without a profile, under one that only logs, or under one that is not loaded are
    named.
  - Reads what was refused since boot from the kernel's log, and from the audit log where there is one.
extends_documentation_fragment:
  - bulwark.docker._attributes.read_only
  - bulwark.docker._attributes.action_group
  - bulwark.docker._engine
options:
  limit:
    description: How many different refusals are returned for each profile, the most frequent first.
    type: int
    default: 20
notes:
  - Needs root.
  - A rule C(deny) refuses silently; C(log_denials) of a policy makes it C(audit deny).
  - The kernel drops records when many come at once, so counts are lower bounds.
seealso:
  - module: bulwark.docker.apparmor_profile
"""

EXAMPLES = r"""
- name: Look at AppArmor
  bulwark.docker.apparmor_info:
  register: apparmor

- name: Show which containers are not confined
  ansible.builtin.debug:
    msg: "{{ apparmor.findings }}"
"""

RETURN = r"""
available:
  description: Whether AppArmor can confine containers here.
  returned: always
  type: bool
reason:
  description: Why it cannot; empty when it can.
  returned: always
  type: str
containers:
  description: The engine's containers.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    running:
      description: Whether it runs.
      type: bool
    privileged:
      description: Whether it is privileged; engines before 29.4 give such containers no profile.
      type: bool
    profile:
      description: The profile that the engine was asked for; empty for none.
      type: str
    label:
      description: The profile under which its first process runs.
      type: str
    mode:
      description: The mode of that profile.
      type: str
    state:
      description: V(confined), V(unconfined), V(complain), V(not_loaded), V(other_profile) or V(stopped).
      type: str
    finding:
      description: What is wrong, and what to do; empty when nothing is.
      type: str
findings:
  description: The findings of all containers.
  returned: always
  type: list
  elements: str
profiles:
  description: Mode of the loaded profiles that containers use or whose names begin with C(docker-).
  returned: always
  type: dict
default_profile:
  description: State and reason of the engine's own profile, see M(bulwark.docker.apparmor_profile).
  returned: always
  type: dict
denials:
  description:
    - What was refused since boot, by profile; each with operation, subject, wanted access, program, count, last
      (seconds since the epoch), complain (only logged) and a line for people.
  returned: always
  type: dict
total_denials:
  description: Number of refusals in the log.
  returned: always
  type: int
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.docker.plugins.module_utils._apparmor_report import report_apparmor
from ansible_collections.bulwark.docker.plugins.module_utils._argspec import ENGINE_ARGUMENTS, choose_instance
from ansible_collections.bulwark.docker.plugins.module_utils._conclude import conclude
from ansible_collections.bulwark.docker.plugins.module_utils._host import LocalHost

ARGUMENT_SPEC = {**ENGINE_ARGUMENTS, "limit": {"type": "int", "default": 20}}


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    host, params = LocalHost(module), module.params
    conclude(module, lambda: report_apparmor(host, choose_instance(host, params), params["limit"]))


if __name__ == "__main__":
    main()
