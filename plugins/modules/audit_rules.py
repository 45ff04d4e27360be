#!/usr/bin/python
# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: audit_rules
short_description: Audit rules for what is really installed of a Docker engine
version_added: 0.1.0
author:
  - bulwark.docker contributors (@bulwark-docker)
description:
  - Finds programs, units, sockets, configuration and data of the engine on this host, behind links too, and has the
    kernel record who writes to them, changes their attributes or runs them.
  - The rules are one file in C(/etc/audit/rules.d), merged with C(augenrules) and loaded into the kernel one by one.
    Nothing is flushed, so rules of other files, and those that somebody loaded by hand, stay.
  - What the kernel has is compared by meaning, since C(auditctl) prints one rule in several ways.
  - Where rules are frozen (C(-e 2)) they are written and come with the next boot; in a container they are only written.
  - Keys that begin with C(docker-) and are listed in RV(watched) belong to this module.
extends_documentation_fragment:
  - bulwark.docker._attributes.changes
  - bulwark.docker._attributes.action_group
options:
  state:
    description: Whether the rules are in force, or the host is as it was before them.
    type: str
    choices: [present, absent]
    default: present
  executions:
    description:
      - Record who runs V(client) (C(docker), C(docker-compose), C(ctr)) or V(runtime) (C(runc), C(crun)).
      - A start of a container is about six executions of the runtime.
    type: list
    elements: str
    choices: [client, runtime]
    default: [client]
  watch_layers:
    description: Watch the layers of images and containers too. Every file that a container writes is an event then.
    type: bool
    default: false
  users:
    description:
      - Users whose rootless engines are watched.
      - Without it every account in C(/etc/passwd) with the files of a rootless engine.
    type: list
    elements: str
  form:
    description:
      - How rules are written. V(modern) names the system calls, V(watch) is the older C(-w) form for other tools that
        read rules.
    type: str
    choices: [modern, watch]
    default: modern
  file_name:
    description:
      - Name of the file in C(/etc/audit/rules.d). Files are loaded in the order of their names.
      - The first rule that matches an event gives it its key, and a broken line can only stop what comes after it.
    type: str
    default: 00-bulwark-docker.rules
  space_settings:
    description:
      - Settings of C(auditd.conf) about the room for the log, for example C(max_log_file) or C(space_left_action).
      - Settings that are not named are left alone.
    type: dict
    default: {}
  missing_tools:
    description: Whether a host without C(auditctl) is an error, or reported in RV(package).
    type: str
    choices: [fail, report]
    default: fail
  installed_package:
    description: Name of the package that was installed for the rules, to be remembered for O(state=absent).
    type: str
    default: ""
notes:
  - Needs root.
seealso:
  - module: bulwark.docker.audit_events
"""

EXAMPLES = r"""
- name: Record who touches the engine, and who runs the client or a runtime
  bulwark.docker.audit_rules:
    executions:
      - client
      - runtime
"""

RETURN = r"""
state:
  description: V(loaded), V(pending_reboot), V(not_loadable), V(tools_missing) or V(removed).
  returned: always
  type: str
  sample: loaded
loadable:
  description: Whether the kernel's audit system can be reached from here.
  returned: always
  type: bool
reasons:
  description: One sentence for each difference.
  returned: always
  type: list
  elements: str
rules:
  description: The wanted rules.
  returned: always
  type: list
  elements: str
watched:
  description: What is watched, each with key, kind, path, permissions and the program whose own accesses are left out.
  returned: always
  type: list
  elements: dict
unwatched:
  description: What is not watched, each with key, path and reason.
  returned: always
  type: list
  elements: dict
counters:
  description: The kernel's audit status, with backlog and lost records; empty where it is out of reach.
  returned: always
  type: dict
rules_file:
  description: The rules file.
  returned: always
  type: str
package:
  description:
    - With O(state=present) the package to install, where the audit tools are missing.
    - With O(state=absent) the package that was installed for the rules and is not needed any more.
  returned: always
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.docker.plugins.module_utils._audit_apply import Request, apply_rules
from ansible_collections.bulwark.docker.plugins.module_utils._audit_discovery import Choices
from ansible_collections.bulwark.docker.plugins.module_utils._conclude import conclude
from ansible_collections.bulwark.docker.plugins.module_utils._host import LocalHost

ARGUMENT_SPEC = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "executions": {"type": "list", "elements": "str", "choices": ["client", "runtime"], "default": ["client"]},
    "watch_layers": {"type": "bool", "default": False},
    "users": {"type": "list", "elements": "str"},
    "form": {"type": "str", "choices": ["modern", "watch"], "default": "modern"},
    "file_name": {"type": "str", "default": "00-bulwark-docker.rules"},
    "space_settings": {"type": "dict", "default": {}},
    "missing_tools": {"type": "str", "choices": ["fail", "report"], "default": "fail"},
    "installed_package": {"type": "str", "default": ""},
}


def build_request(params, check_mode):
    """The module's options as a request to the core."""
    users = None if params["users"] is None else tuple(params["users"])
    return Request(
        present=params["state"] == "present",
        choices=Choices(tuple(params["executions"]), params["watch_layers"], users),
        form=params["form"],
        file_name=params["file_name"],
        space_settings=params["space_settings"],
        report_missing_tools=params["missing_tools"] == "report",
        installed_package=params["installed_package"],
        check_mode=check_mode,
    )


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    conclude(module, lambda: apply_rules(LocalHost(module), build_request(module.params, module.check_mode)))


if __name__ == "__main__":
    main()
