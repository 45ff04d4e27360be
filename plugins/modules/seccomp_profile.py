#!/usr/bin/python
# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: seccomp_profile
short_description: A seccomp profile from a policy, checked and tried before it is written
version_added: 0.1.0
author:
  - bulwark.docker contributors (@bulwark-docker)
description:
  - Writes one file with a seccomp profile in the engine's schema, for the engine's C(seccomp-profile) or for
    C(docker run --security-opt seccomp=FILE).
  - A profile is made from a policy, a base and what is different, for the version of the engine that is there; or it is
    given as text.
  - It never allows more than the engine's own profile, unless a waiver names the call and the reason.
  - The engine looks at a profile only when a container starts. This module checks it before, see
    P(bulwark.docker.lint_seccomp_profile#filter) for what is found.
  - With O(probe) a real container is started with it, and a refused system call has to give the error that the profile
    declares. When that fails, the file stays as it was. A run that changes nothing starts no container.
  - What was in the file before comes back with O(state=absent).
extends_documentation_fragment:
  - bulwark.docker._attributes
  - bulwark.docker._attributes.action_group
  - bulwark.docker._engine
attributes:
  check_mode:
    support: full
    details: No container is started, so a profile that would only fail O(probe) is not found.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  path:
    description: The file.
    type: path
    required: true
  state:
    description:
      - Whether the profile is there, or what was there before.
      - A profile that the engine was started with, or that its configuration names, is not removed.
    type: str
    choices: [present, absent]
    default: present
  policies:
    description:
      - What the profile shall do. Several policies ask for all of it together, in any order; the stricter
        O(policies[].base) wins.
      - Names are system calls, or groups of them that C(docs/seccomp.md) lists.
      - One of O(policies) and O(content) is needed to write a profile.
    type: list
    elements: dict
    suboptions:
      base:
        description:
          - V(engine) is the engine's own profile, V(hardened) is that without old and rarely needed calls, without
            32-bit programs and with only the usual families of sockets.
          - V(hardened) when no policy says anything.
        type: str
        choices: [engine, hardened]
      allow:
        description:
          - Calls and groups to allow besides, as the engine's own profile allows them; what that does not allow is
            allowed without condition, and needs a waiver.
        type: list
        elements: str
      deny:
        description: Calls and groups to refuse. Refusing wins over allowing.
        type: list
        elements: str
      rules:
        description: Calls to allow or to refuse under a condition, or with an error of their own.
        type: list
        elements: dict
        suboptions:
          calls:
            description: Calls and groups.
            type: list
            elements: str
            required: true
          action:
            description: What happens to them under the condition.
            type: str
            choices: [allow, deny]
            required: true
          errno:
            description: The error of refused calls, a name such as V(ENOSYS); only without a condition.
            type: str
          capabilities:
            description: Only for containers with all of these capabilities, without C(CAP_).
            type: list
            elements: str
          architectures:
            description: Only on hosts of one of these architectures, in the engine's words, for example V(amd64).
            type: list
            elements: str
          min_kernel:
            description: Only from this kernel on, two numbers; not with O(policies[].rules[].action=deny).
            type: str
          arguments:
            description: Only with these arguments, all of them.
            type: list
            elements: dict
            suboptions:
              index:
                description: Which argument, from 0 on.
                type: int
                required: true
              operator:
                description: The comparison. V(masked_eq) compares what O(policies[].rules[].arguments[].mask) leaves.
                type: str
                choices: [eq, ne, lt, le, gt, ge, masked_eq]
                required: true
              value:
                description: What to compare with.
                type: int
                required: true
              mask:
                description: The bits to look at.
                type: int
      waivers:
        description: What may go beyond the engine's own profile, names of calls or groups with the reason.
        type: dict
      compat_32bit:
        description:
          - Whether programs of the older sister architectures run (i386 and x32 on amd64, arm on arm64).
          - By default as in the base, V(true) for V(engine) and V(false) for V(hardened).
        type: bool
      default_errno:
        description: The error of all other calls, V(EPERM) by default. Engines before 23.0 know no other.
        type: str
  content:
    description: A finished profile as text, in the place of O(policies).
    type: str
  waivers:
    description: What O(content) may allow beyond the engine's own profile, names of calls or groups with the reason.
    type: dict
    default: {}
  accept:
    description: Findings of the check to put up with, by their code; only those that are not fatal.
    type: list
    elements: str
    default: []
  engine_version:
    description: The version to write the profile for, in the place of that of the running engine.
    type: str
    default: ""
  probe:
    description: Try a new profile in a throw-away container before it is written. Needs Python 3 below C(/usr).
    type: bool
    default: true
notes:
  - Needs root.
  - Existing containers keep the profile that they were created with.
  - The engine reads its C(seccomp-profile) when it starts, so a changed file needs a restart of the engine.
seealso:
  - plugin: bulwark.docker.compose_seccomp_profile
    plugin_type: filter
  - plugin: bulwark.docker.lint_seccomp_profile
    plugin_type: filter
  - module: bulwark.docker.enforcement_probe
"""

EXAMPLES = r"""
- name: A strict profile for ordinary services
  bulwark.docker.seccomp_profile:
    path: /etc/docker/seccomp/service.json
    policies:
      - base: hardened

- name: The same for a database that measures itself, and may open packet sockets
  bulwark.docker.seccomp_profile:
    path: /etc/docker/seccomp/database.json
    policies:
      - base: hardened
        allow: [io_uring, perf_event_open]
        waivers:
          io_uring: The database needs it, ticket 4711
          perf: Profiling until March, ticket 4712
        rules:
          - calls: [socket]
            action: allow
            arguments:
              - index: 0
                operator: eq
                value: 17
"""

RETURN = r"""
path:
  description: The file.
  returned: always
  type: str
engine_version:
  description: The version that the profile was made for.
  returned: when O(state=present)
  type: str
sha256:
  description: Digest of the profile.
  returned: when O(state=present)
  type: str
findings:
  description: What the check had to say, each with code, severity, where and message.
  returned: when O(state=present)
  type: list
  elements: dict
waived:
  description: What goes beyond the engine's own profile, each with call and reason.
  returned: when O(state=present)
  type: list
  elements: dict
tried:
  description: System calls that a container was seen to be refused under the profile; empty when none was started.
  returned: when O(state=present)
  type: list
  elements: str
  sample: [keyctl, unshare]
"""

import secrets

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.docker.plugins.module_utils._argspec import ENGINE_ARGUMENTS, choose_instance
from ansible_collections.bulwark.docker.plugins.module_utils._conclude import conclude
from ansible_collections.bulwark.docker.plugins.module_utils._host import LocalHost
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_apply import Request, apply_profile, drop_unset

LIST = {"type": "list", "elements": "str"}
ARGUMENT = {
    "index": {"type": "int", "required": True},
    "operator": {"type": "str", "choices": ["eq", "ne", "lt", "le", "gt", "ge", "masked_eq"], "required": True},
    "value": {"type": "int", "required": True},
    "mask": {"type": "int"},
}
RULE = {
    "calls": {**LIST, "required": True},
    "action": {"type": "str", "choices": ["allow", "deny"], "required": True},
    "errno": {"type": "str"},
    "capabilities": LIST,
    "architectures": LIST,
    "min_kernel": {"type": "str"},
    "arguments": {"type": "list", "elements": "dict", "options": ARGUMENT},
}
POLICY = {
    "base": {"type": "str", "choices": ["engine", "hardened"]},
    "allow": LIST,
    "deny": LIST,
    "rules": {"type": "list", "elements": "dict", "options": RULE},
    "waivers": {"type": "dict"},
    "compat_32bit": {"type": "bool"},
    "default_errno": {"type": "str"},
}
ARGUMENT_SPEC = {
    "path": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "policies": {"type": "list", "elements": "dict", "options": POLICY},
    "content": {"type": "str"},
    "waivers": {"type": "dict", "default": {}},
    "accept": {**LIST, "default": []},
    "engine_version": {"type": "str", "default": ""},
    "probe": {"type": "bool", "default": True},
    **ENGINE_ARGUMENTS,
}


def build_request(host, params, check_mode):
    """The module's options as a request to the core."""
    return Request(
        instance=choose_instance(host, params),
        path=params["path"],
        present=params["state"] == "present",
        policies=drop_unset(params["policies"]),
        content=params["content"],
        waivers=params["waivers"],
        accept=tuple(params["accept"]),
        engine_version=params["engine_version"],
        probe=params["probe"],
        run_id=secrets.token_hex(6),
        check_mode=check_mode,
    )


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        supports_check_mode=True,
        mutually_exclusive=[("policies", "content")],
    )
    host = LocalHost(module)
    conclude(module, lambda: apply_profile(host, build_request(host, module.params, module.check_mode)))


if __name__ == "__main__":
    main()
