#!/usr/bin/python
# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: seccomp_profile
short_description: Seccomp profiles from policies, checked and tried before they are written
version_added: 0.1.0
author:
  - bulwark.docker contributors (@bulwark-docker)
description:
  - Writes files with seccomp profiles in the engine's schema, for the engine's C(seccomp-profile) or for
    C(docker run --security-opt seccomp=FILE).
  - All profiles of a host are one run of the module. Either all of them are written, or none is.
  - A profile is made from a policy, a base and what is different, for the version of the engine that is there; or it is
    given as text.
  - It never allows more than the engine's own profile, unless a waiver names the call and the reason.
  - The engine looks at a profile only when a container starts. This module checks it before, see
    P(bulwark.docker.lint_seccomp_profile#filter) for what is found.
  - With O(probe) a real container is started with each new one, and a refused system call has to give the error that
    the profile declares. When that fails, all files stay as they were. A run that changes nothing starts no container.
  - What was in a file before comes back with O(state=absent).
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
  profiles:
    description: The profiles.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Its name; the file is C(NAME.json) in O(directory).
        type: str
        required: true
      policies:
        description:
          - What the profile shall do. Several policies ask for all of it together, in any order; the stricter
            O(profiles[].policies[].base) wins.
          - Names are system calls, or groups of them that C(docs/seccomp.md) lists.
          - One of O(profiles[].policies) and O(profiles[].content) is needed to write a profile.
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
                  - Only from this kernel on, two numbers; not with O(profiles[].policies[].rules[].action=deny).
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
                        O(profiles[].policies[].rules[].arguments[].mask) leaves.
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
        description: A finished profile as text, in the place of O(profiles[].policies).
        type: str
      waivers:
        description:
          - What O(profiles[].content) may allow beyond the engine's own profile, names of calls or groups with the
            reason.
        type: dict
        default: {}
      accept:
        description: Findings of the check to put up with, by their code; only those that are not fatal.
        type: list
        elements: str
        default: []
      by_content:
        description:
          - Make a digest of the content a part of the file's name, C(NAME-DIGEST.json).
          - For the engine's C(seccomp-profile), which the engine reads when it starts. New content is a new file then,
            so the old one is there for a rollback, and the engine shows which one it has read.
        type: bool
        default: false
  directory:
    description: Where the files are.
    type: path
    default: /etc/docker/seccomp
  state:
    description:
      - Whether the profiles are there, or what was there before.
      - A profile that the engine was started with, or that its configuration names, is not removed.
    type: str
    choices: [present, absent]
    default: present
  exclusive:
    description:
      - With O(state=present), take away what earlier runs wrote and O(profiles) does not have any more. What the engine
        still needs is left, and named in RV(left).
    type: bool
    default: false
  paths:
    description:
      - With O(state=absent), more files of earlier runs to take away, for example what was in RV(left). What the engine
        still needs is left again.
    type: list
    elements: path
    default: []
  engine_version:
    description: The version to write the profiles for, in the place of that of the running engine.
    type: str
    default: ""
  probe:
    description: Try new profiles in throw-away containers before they are written. Needs Python 3 below C(/usr).
    type: bool
    default: true
notes:
  - Needs root.
  - Existing containers keep the profile that they were created with.
  - The engine reads its C(seccomp-profile) when it starts, so a changed file needs a restart of the engine.
  - Rootless engines run containers under the same profiles; the files belong to the user then.
seealso:
  - plugin: bulwark.docker.compose_seccomp_profile
    plugin_type: filter
  - plugin: bulwark.docker.lint_seccomp_profile
    plugin_type: filter
  - module: bulwark.docker.enforcement_probe
  - module: bulwark.docker.seccomp_recorder
"""

EXAMPLES = r"""
- name: A strict profile for ordinary services, and one for a database that needs more
  bulwark.docker.seccomp_profile:
    profiles:
      - name: service
        policies:
          - base: hardened
      - name: database
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
engine_version:
  description: The version that the profiles were made for; empty when there are none.
  returned: when O(state=present)
  type: str
profiles:
  description: The profiles, in the order of O(profiles).
  returned: always
  type: list
  elements: dict
  contains:
    path:
      description: The file.
      type: str
    changed:
      description: Whether the file was, or in check mode would be, written.
      type: bool
    exists:
      description: Whether the file is there now, which a new one is not in check mode.
      type: bool
    security_option:
      description: What C(docker run --security-opt) and C(security_opt) of compose files take.
      type: str
      sample: seccomp=/etc/docker/seccomp/service.json
    sha256:
      description: Digest of the profile.
      type: str
    findings:
      description: What the check had to say, each with code, severity, where and message.
      type: list
      elements: dict
    waived:
      description: What goes beyond the engine's own profile, each with call and reason.
      type: list
      elements: dict
    tried:
      description: System calls that a container was seen to be refused under the profile; empty when none was started.
      type: list
      elements: str
      sample: [keyctl, unshare]
    drift:
      description:
        - What the earlier file does wrong, if it was made for another version of the engine. Empty when nothing. It is
          shown as a warning too.
      type: str
removed:
  description: Files of earlier runs that were taken away.
  returned: always
  type: list
  elements: str
left:
  description: Files of earlier runs that are not wanted any more and that the engine still needs.
  returned: always
  type: list
  elements: str
"""

import secrets

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.docker.plugins.module_utils._argspec import ENGINE_ARGUMENTS, choose_instance
from ansible_collections.bulwark.docker.plugins.module_utils._conclude import conclude
from ansible_collections.bulwark.docker.plugins.module_utils._host import LocalHost
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_apply import (
    Request,
    Wish,
    apply_profiles,
    drop_unset,
    profile_path,
)

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
PROFILE = {
    "name": {"type": "str", "required": True},
    "policies": {"type": "list", "elements": "dict", "options": POLICY},
    "content": {"type": "str"},
    "waivers": {"type": "dict", "default": {}},
    "accept": {**LIST, "default": []},
    "by_content": {"type": "bool", "default": False},
}
ARGUMENT_SPEC = {
    "profiles": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": PROFILE,
        "mutually_exclusive": [("policies", "content")],
    },
    "directory": {"type": "path", "default": "/etc/docker/seccomp"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "exclusive": {"type": "bool", "default": False},
    "paths": {"type": "list", "elements": "path", "default": []},
    "engine_version": {"type": "str", "default": ""},
    "probe": {"type": "bool", "default": True},
    **ENGINE_ARGUMENTS,
}


def build_wish(directory, profile):
    """One profile of the module's options as the core takes it."""
    return Wish(
        path=profile_path(directory, profile["name"]),
        policies=drop_unset(profile["policies"]),
        content=profile["content"],
        waivers=profile["waivers"],
        accept=tuple(profile["accept"]),
        by_content=profile["by_content"],
    )


def build_request(host, params, check_mode):
    """The module's options as a request to the core."""
    return Request(
        instance=choose_instance(host, params),
        wishes=tuple(build_wish(params["directory"], profile) for profile in params["profiles"]),
        paths=tuple(params["paths"]),
        present=params["state"] == "present",
        exclusive=params["exclusive"],
        engine_version=params["engine_version"],
        probe=params["probe"],
        run_id=secrets.token_hex(6),
        check_mode=check_mode,
    )


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    host = LocalHost(module)
    conclude(module, lambda: apply_profiles(host, build_request(host, module.params, module.check_mode)))


if __name__ == "__main__":
    main()
