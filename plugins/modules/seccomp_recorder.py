#!/usr/bin/python
# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: seccomp_recorder
short_description: The smallest seccomp policy for a workload, from what it does
version_added: 0.1.0
author:
  - bulwark.docker contributors (@bulwark-docker)
description:
  - Runs a workload in a container whose seccomp profile logs what it allows, reads the kernel's log meanwhile, and
    returns the smallest policy under which the workload does the same, for M(bulwark.docker.seccomp_profile).
  - With O(verify) the workload is run once more under that policy, and has to go alike.
  - It refuses, with the reason, where the kernel cannot say it, that is in a container, where
    C(kernel.seccomp.actions_logged) lacks C(log), and where records were lost.
  - Only what was exercised is seen. Let the workload start, serve, reload and stop.
extends_documentation_fragment:
  - bulwark.docker._attributes.read_only
  - bulwark.docker._attributes.action_group
  - bulwark.docker._engine
attributes:
  check_mode:
    details: In check mode nothing is run; kernel and options are checked.
options:
  image:
    description: The image, which has to be there.
    type: str
    required: true
  command:
    description: What to run in the place of the image's own command.
    type: list
    elements: str
  container:
    description:
      - More of the container, as the body of the engine's C(POST /containers/create) has it, for example C(Env)
        and C(HostConfig) with C(Binds) or C(CapAdd).
    type: dict
    default: {}
  exercise:
    description: Commands to run in the container one after the other, each a list of words that ends by itself.
    type: list
    elements: list
    default: []
  seconds:
    description: How long the workload may run, after which it is stopped as by C(docker stop).
    type: int
    default: 20
  policies:
    description:
      - What the workload may do at most. It is logged, and what these policies refuse is refused, so a recording opens
        nothing. Without any this is the base V(hardened).
      - Names are system calls, or groups of them that C(docs/seccomp.md) lists.
    type: list
    elements: dict
    suboptions:
      base:
        description:
          - V(engine) is the engine's own profile, V(hardened) is that without old and rarely needed calls, without
            32-bit programs and with only the usual families of sockets.
          - V(minimal) is the few calls without which no container starts; what is allowed besides is allowed as
            V(hardened) has it. M(bulwark.docker.seccomp_recorder) writes such policies.
          - V(hardened) when no policy says anything.
        type: str
        choices: [engine, hardened, minimal]
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
            description:
              - Only from this kernel on, two numbers; not with O(policies[].rules[].action=deny).
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
                description:
                  - The comparison. V(masked_eq) compares what
                    O(policies[].rules[].arguments[].mask) leaves.
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
  verify:
    description: Run the workload once more under the policy.
    type: bool
    default: true
requirements:
  - A machine with a kernel of its own, on x86_64, aarch64 or riscv64
notes:
  - Needs root.
  - Whatever else runs under a filter that logs at the same time, is recorded as well. The policy is wider then, though
    never wider than O(policies).
seealso:
  - module: bulwark.docker.seccomp_profile
"""

EXAMPLES = r"""
- name: Find out what the web server needs
  bulwark.docker.seccomp_recorder:
    image: example/web:1
    container:
      HostConfig:
        Binds: ["/srv/web:/srv/web:ro"]
    exercise:
      - [wget, -q, -O, /dev/null, "http://127.0.0.1/"]
      - [nginx, -s, reload]
  register: recorded

- name: Give it just that
  bulwark.docker.seccomp_profile:
    profiles:
      - name: web
        policies: "{{ recorded.policies }}"
"""

RETURN = r"""
policies:
  description: The policies, for the option C(policies) of M(bulwark.docker.seccomp_profile); empty in check mode.
  returned: always
  type: list
  elements: dict
  sample:
    - base: minimal
      allow: [brk, mmap]
calls:
  description: How often each system call was logged. Those of the base V(minimal) are not.
  returned: always
  type: dict
  sample: {brk: 12, mmap: 40}
programs:
  description: The programs that made them.
  returned: always
  type: list
  elements: str
  sample: [/usr/sbin/nginx]
verified:
  description: Whether the workload was seen to do the same under the policy.
  returned: always
  type: bool
engine_version:
  description: The version that it was recorded for.
  returned: always
  type: str
"""

import secrets

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.docker.plugins.module_utils._argspec import ENGINE_ARGUMENTS, choose_instance
from ansible_collections.bulwark.docker.plugins.module_utils._conclude import conclude
from ansible_collections.bulwark.docker.plugins.module_utils._host import LocalHost
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_apply import drop_unset
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_recorder import Request, record

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
    "base": {"type": "str", "choices": ["engine", "hardened", "minimal"]},
    "allow": LIST,
    "deny": LIST,
    "rules": {"type": "list", "elements": "dict", "options": RULE},
    "waivers": {"type": "dict"},
    "compat_32bit": {"type": "bool"},
    "default_errno": {"type": "str"},
}
ARGUMENT_SPEC = {
    "image": {"type": "str", "required": True},
    "command": LIST,
    "container": {"type": "dict", "default": {}},
    "exercise": {"type": "list", "elements": "list", "default": []},
    "seconds": {"type": "int", "default": 20},
    "policies": {"type": "list", "elements": "dict", "options": POLICY},
    "verify": {"type": "bool", "default": True},
    **ENGINE_ARGUMENTS,
}


def build_request(host, params, check_mode):
    """The module's options as a request to the core."""
    chosen = {"Image": params["image"], "Cmd": params["command"]}
    return Request(
        instance=choose_instance(host, params),
        container={**params["container"], **drop_unset(chosen)},
        exercise=tuple(tuple(str(word) for word in command) for command in params["exercise"]),
        seconds=params["seconds"],
        policies=drop_unset(params["policies"] or []),
        verify=params["verify"],
        run_id=secrets.token_hex(6),
        check_mode=check_mode,
    )


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    host = LocalHost(module)
    conclude(module, lambda: record(host, build_request(host, module.params, module.check_mode)))


if __name__ == "__main__":
    main()
