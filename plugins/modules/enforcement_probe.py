#!/usr/bin/python
# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: enforcement_probe
short_description: Prove an engine's protections by attacking them
version_added: 0.1.0
author:
  - bulwark.docker contributors (@bulwark-docker)
description:
  - Runs small hostile programs in throw-away containers, and small hostile clients on the host, and reports for each
    whether it was blocked.
  - Each probe has controls which show that the attempt would work without the protection. V(blocked) is only said when
    the attempt was refused and all controls held; everything else is V(not_blocked), V(not_applicable) or V(error).
  - No image registry and no C(docker) command are needed. The image of a few kilobytes is imported from the module
    itself; its containers mount the host's C(/usr) and the like read-only and run the host's own Python.
  - Containers, images and what a killed earlier run left behind are removed before the module returns. They have the
    label C(bulwark.probe).
  - One container (controls only) runs for a moment with C(no-new-privileges=false), without a seccomp filter and an
    AppArmor profile, with the control group namespace of the host and without network.
  - For the probes of the group V(rootless), two containers without network get a directory mounted that this module
    makes below C(/var/lib) and removes; one of them is privileged. Those of the group V(userns_remap) get one, too.
    Otherwise nothing runs privileged, and no path of the host is writable.
  - Those of the group V(apparmor) attack containers that ask for the profiles V(docker-bulwark) and
    V(docker-bulwark-service) where these enforce, and get the engine's default where they do not.
  - The probes of the group V(seccomp) make system calls in processes that end at once, with arguments that change
    nothing.
  - All traffic stays on the host, between its own addresses and the containers of this run.
  - The probes of the group V(api) start no container. Those of the role V(daemon_tls) attack each TCP listener of the
    engine, also those that systemd opened for it; where there is none they do not apply, except V(api.tcp_plaintext),
    which is then V(blocked). A listener that knows no TLS counts as open to all of them.
extends_documentation_fragment:
  - bulwark.docker._attributes.read_only
  - bulwark.docker._attributes.action_group
  - bulwark.docker._engine
attributes:
  check_mode:
    details: In check mode nothing is started; RV(planned) tells what would be run.
options:
  probes:
    description:
      - What to run, each by its id (V(isolation.sibling_tcp)), its group (V(isolation)) or the role that closes the
        hole (V(daemon_baseline)).
      - V(all) stands for every probe.
    type: list
    elements: str
    default: [all]
  timeout:
    description: Seconds that one attempt may take before it counts as an error.
    type: int
    default: 20
  nofile_ceiling:
    description: The most files that one process of a container may hold open, for the probe V(limits.nofile).
    type: int
    default: 65536
  fail_on:
    description:
      - Verdicts that make the task fail. The report is returned all the same.
      - By default only a run that proves nothing at all fails.
    type: list
    elements: str
    choices: [not_blocked, not_applicable, error]
    default: []
requirements:
  - Python 3.8 or newer with C(ctypes) below C(/usr) on the host, for all probes but V(api.tcp_plaintext)
  - The program C(openssl) on the host, for the probe V(api.tls_foreign_client_certificate)
notes:
  - Needs root.
  - The probe V(limits.log_rotation) writes a little more than C(max-size) of the engine's default log options (at most
    64 MiB, 4 MiB where it is not set) into a log that is removed with its container.
seealso:
  - module: bulwark.docker.engine_info
"""

EXAMPLES = r"""
- name: Attack the engine and show what got through
  bulwark.docker.enforcement_probe:
  register: proof

- name: Show what got through
  ansible.builtin.debug:
    msg: "{{ proof.results | selectattr('verdict', 'eq', 'not_blocked') }}"

- name: Fail unless containers are kept apart
  bulwark.docker.enforcement_probe:
    probes:
      - isolation
      - privilege.setuid_gain
    fail_on:
      - not_blocked
      - error
"""

RETURN = r"""
counts:
  description: Number of probes by verdict; C(run) leaves out those that do not apply.
  returned: always
  type: dict
  sample: {blocked: 9, not_blocked: 1, not_applicable: 1, error: 0, run: 10}
engine_version:
  description: Version of the engine that was attacked.
  returned: always
  type: str
planned:
  description: Ids of the probes that were run, or in check mode would be.
  returned: always
  type: list
  elements: str
results:
  description: One entry for each probe; in check mode only those that do not apply.
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: The probe.
      type: str
    title:
      description: What the attacker tries.
      type: str
    role:
      description: The role that closes the hole.
      type: str
    severity:
      description: One of V(low), V(medium), V(high), V(critical).
      type: str
    verdict:
      description: One of V(blocked), V(not_blocked), V(not_applicable), V(error).
      type: str
    evidence:
      description: What was attempted and what came of it, or why there is no verdict.
      type: str
    control:
      description: What shows that the attempt could have worked.
      type: str
    variable:
      description: The role variable that closes the hole; empty when there is none.
      type: str
    remedy:
      description: What to do about it.
      type: str
    cis:
      description: Ids of the CIS Docker Benchmark by its version.
      type: dict
    seconds:
      description: Time that the attempt and its controls took.
      type: float
"""

import secrets

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.docker.plugins.module_utils._argspec import ENGINE_ARGUMENTS, choose_instance
from ansible_collections.bulwark.docker.plugins.module_utils._errors import BulwarkError
from ansible_collections.bulwark.docker.plugins.module_utils._host import LocalHost
from ansible_collections.bulwark.docker.plugins.module_utils._probe import complaint
from ansible_collections.bulwark.docker.plugins.module_utils._probe_runner import Request, run_probes

ARGUMENT_SPEC = {
    **ENGINE_ARGUMENTS,
    "probes": {"type": "list", "elements": "str", "default": ["all"]},
    "timeout": {"type": "int", "default": 20},
    "nofile_ceiling": {"type": "int", "default": 65536},
    "fail_on": {
        "type": "list",
        "elements": "str",
        "choices": ["not_blocked", "not_applicable", "error"],
        "default": [],
    },
}


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    host = LocalHost(module)
    try:
        request = Request(
            probes=tuple(params["probes"]),
            instance=choose_instance(host, params),
            timeout=params["timeout"],
            nofile_ceiling=params["nofile_ceiling"],
        )
        report = run_probes(host, request, secrets.token_hex(6), module.check_mode)
    except BulwarkError as exc:
        module.fail_json(msg=str(exc))
    problem = complaint(report["results"], params["fail_on"])
    if problem:
        module.fail_json(msg=problem, **report)
    module.exit_json(changed=False, **report)


if __name__ == "__main__":
    main()
