#!/usr/bin/python
# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: audit_events
short_description: Who touched the engine, from the audit log
version_added: 0.1.0
author:
  - bulwark.docker contributors (@bulwark-docker)
description:
  - Reads the events that the rules of M(bulwark.docker.audit_rules) leave in the audit log, newest last, each with a
    line for people.
  - Counts them by key and compares their rate with a budget.
extends_documentation_fragment:
  - bulwark.docker._attributes.read_only
  - bulwark.docker._attributes.action_group
options:
  keys:
    description:
      - Which subjects, by audit key (V(docker-config), V(docker-units) …).
      - Without it all of them.
    type: list
    elements: str
    default: []
  since:
    description: How far to look back, as a number of seconds or a word of ausearch (V(recent) is ten minutes, V(boot)).
    type: str
    default: recent
  limit:
    description: How many events to return.
    type: int
    default: 20
  budget:
    description: Events per second that are fine; RV(over_budget) tells when there are more. V(0) is no limit.
    type: float
    default: 0
notes:
  - Needs root.
seealso:
  - module: bulwark.docker.audit_rules
"""

EXAMPLES = r"""
- name: Who changed units or configuration since the host started?
  bulwark.docker.audit_events:
    keys:
      - docker-config
      - docker-units
    since: boot
  register: touched

- name: Show it
  ansible.builtin.debug:
    msg: "{{ touched.events | map(attribute='line') }}"
"""

RETURN = r"""
events:
  description: The newest events, oldest of them first.
  returned: always
  type: list
  elements: dict
  contains:
    line:
      description: The event in one line.
      type: str
    moment:
      description: When, in UTC.
      type: str
    time:
      description: When, in seconds since the epoch.
      type: float
    serial:
      description: The event's number in the audit log.
      type: int
    audit_keys:
      description: The audit keys.
      type: list
      elements: str
    call:
      description: The system call.
      type: str
    success:
      description: Whether it was allowed.
      type: bool
    login:
      description: The user who logged in (unset for services).
      type: str
    user:
      description: The user of the process.
      type: str
    program:
      description: The program.
      type: str
    command:
      description: Its command line.
      type: str
    paths:
      description: The paths.
      type: list
      elements: str
counts:
  description: Number of events by key.
  returned: always
  type: dict
total:
  description: Number of events.
  returned: always
  type: int
per_second:
  description: Events for each second since the oldest of them.
  returned: always
  type: float
over_budget:
  description: Whether that is more than O(budget).
  returned: always
  type: bool
lost:
  description: Records that the kernel lost since boot.
  returned: always
  type: int
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.docker.plugins.module_utils._audit_events import Search, report_events
from ansible_collections.bulwark.docker.plugins.module_utils._conclude import conclude
from ansible_collections.bulwark.docker.plugins.module_utils._host import LocalHost

ARGUMENT_SPEC = {
    "keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "since": {"type": "str", "default": "recent"},
    "limit": {"type": "int", "default": 20},
    "budget": {"type": "float", "default": 0.0},
}


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    search = Search(tuple(params["keys"]), params["since"], params["limit"], params["budget"])
    conclude(module, lambda: report_events(LocalHost(module), search))


if __name__ == "__main__":
    main()
