#!/usr/bin/python
# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cis_audit
short_description: Judge a host and all of its engines by the CIS Docker Benchmark and beyond
version_added: 0.1.0
author:
  - bulwark.docker contributors (@bulwark-docker)
description:
  - Reads a host, the system's engine and the rootless engines of all users once, and judges every control from that.
  - Judges what is in force, not what a file says. A setting that is configured but waits for a restart fails, and so
    does one that is in force but would be gone after the next start.
  - The controls are those of sections 1 to 7 of the CIS Docker Benchmark 1.6, 1.7 and 1.8 (with titles of our own), and
    checks beyond it. C(docs/cis_audit.md) lists them.
  - A host without Docker, with a stopped engine, with rootless engines only, or with several engines is no error; what
    cannot be judged there is V(not_applicable), with a reason. Controls of the host and of files are judged all the
    same.
  - Each engine is asked over its socket, once for each kind of object and once for each container and image.
extends_documentation_fragment:
  - bulwark.docker._attributes.read_only
  - bulwark.docker._attributes.action_group
options:
  api_socket:
    description: Unix socket of the system engine's API. Without it V(/run/docker.sock).
    type: path
  config_path:
    description:
      - Configuration file of the system's engine.
      - A C(--config-file) flag of the unit wins over it.
      - Without it V(/etc/docker/daemon.json).
    type: path
  service:
    description: The systemd unit that starts the system's engine.
    type: str
    default: docker.service
  controls:
    description:
      - What to judge, each by its id (V(icc_default_bridge)), its number or the beginning of one (V(2.2), V(5)), or
        V(own) for the checks beyond the benchmark, V(level1), V(level2) or V(all).
    type: list
    elements: str
    default: [all]
  level:
    description: The highest level of controls to judge. Controls that O(controls) names by id are judged anyway.
    type: int
    choices: [1, 2]
    default: 2
  benchmark:
    description: The edition of the benchmark whose numbers are meant and shown.
    type: str
    choices: ["1.6", "1.7", "1.8"]
    default: "1.8"
  trusted_users:
    description: Users who may be in the group that can use the engine's socket, and thereby are root.
    type: list
    elements: str
    default: []
  waivers:
    description:
      - Findings that were accepted for a time, each a dictionary with C(id) (of a control, or its number), C(reason)
        and C(expires) (the last day, like V(2027-01-31)).
      - C(engine) narrows one down to an engine (V(system), V(rootless:USER)), C(object) to containers, images or files
        by a pattern (V(web-*)). C(file) and C(line) say where it came from.
      - The whole list is refused if one of them is unknown, expired, without reason or malformed.
    type: list
    elements: dict
    default: []
  fail_on:
    description: Verdicts that make the task fail. The result is returned all the same.
    type: list
    elements: str
    choices: [fail, manual, not_applicable, waived]
    default: []
notes:
  - Needs root.
seealso:
  - module: bulwark.docker.engine_info
  - module: bulwark.docker.enforcement_probe
"""

EXAMPLES = r"""
- name: Audit the host
  bulwark.docker.cis_audit:
  register: audit

- name: Show what fails
  ansible.builtin.debug:
    msg: "{{ audit.results | selectattr('verdict', 'eq', 'fail') }}"

- name: Fail unless the engine's settings are as the first level wants them, but for one
  bulwark.docker.cis_audit:
    controls: ["2"]
    level: 1
    waivers:
      - id: live_restore
        reason: containers of this host end with the engine on purpose
        expires: "2027-06-30"
    fail_on: [fail]
"""

RETURN = r"""
checked_at:
  description: When the host was read, in UTC.
  returned: always
  type: str
  sample: "2026-11-22T13:00:00Z"
benchmark:
  description: The edition whose numbers are shown.
  returned: always
  type: str
engines:
  description: The engines of the host; that of the system comes first.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: V(system) or V(rootless:USER).
      type: str
    state:
      description: One of V(running), V(stopped), V(not_installed).
      type: str
    version:
      description: Version of the engine, empty when it is not known.
      type: str
    socket:
      description: Unix socket of its API.
      type: str
    problem:
      description: Why it could not be read in full, empty when it could.
      type: str
counts:
  description: Number of results by verdict.
  returned: always
  type: dict
  sample: {pass: 60, fail: 7, waived: 1, manual: 20, not_applicable: 30}
results:
  description: One entry for each control and engine.
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: Our name of the control, which stays the same.
      type: str
    number:
      description: Its number in the chosen edition; empty where that has none.
      type: str
    cis:
      description: Its numbers by edition.
      type: dict
    title:
      description: What should be true.
      type: str
    section:
      description: Section of the benchmark, or V(own).
      type: str
    level:
      description: V(1) or V(2).
      type: int
    automated:
      description: Whether it is judged here; if not, the verdict is V(manual).
      type: bool
    severity:
      description: One of V(low), V(medium), V(high), V(critical).
      type: str
    engine:
      description: The engine; empty for the host as such.
      type: str
    verdict:
      description: One of V(pass), V(fail), V(waived), V(manual), V(not_applicable).
      type: str
    configured:
      description: What is configured, where that can be said.
      type: raw
    effective:
      description: What is in force, where that can be said.
      type: raw
    evidence:
      description: At most twenty lines with what was found.
      type: list
      elements: str
    reason:
      description: Why this verdict.
      type: str
    remedy:
      description: What to do about it.
      type: str
    role:
      description: The role that does it, empty when there is none.
      type: str
    variable:
      description: The role's variable.
      type: str
    waiver:
      description: Reason and expiry of the waiver that applies, null when none does.
      type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.docker.plugins.module_utils._cis_report import Request, audit_host, complaint
from ansible_collections.bulwark.docker.plugins.module_utils._errors import BulwarkError
from ansible_collections.bulwark.docker.plugins.module_utils._host import LocalHost
from ansible_collections.bulwark.docker.plugins.module_utils._instance import system_instance

ARGUMENT_SPEC = {
    "api_socket": {"type": "path"},
    "config_path": {"type": "path"},
    "service": {"type": "str", "default": "docker.service"},
    "controls": {"type": "list", "elements": "str", "default": ["all"]},
    "level": {"type": "int", "choices": [1, 2], "default": 2},
    "benchmark": {"type": "str", "choices": ["1.6", "1.7", "1.8"], "default": "1.8"},
    "trusted_users": {"type": "list", "elements": "str", "default": []},
    "waivers": {"type": "list", "elements": "dict", "default": []},
    "fail_on": {
        "type": "list",
        "elements": "str",
        "choices": ["fail", "manual", "not_applicable", "waived"],
        "default": [],
    },
}


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    request = Request(
        system=system_instance(params["config_path"] or "", params["service"], params["api_socket"] or ""),
        controls=tuple(params["controls"]),
        level=params["level"],
        benchmark=params["benchmark"],
        waivers=tuple(params["waivers"]),
        trusted_users=tuple(params["trusted_users"]),
    )
    try:
        report = audit_host(LocalHost(module), request)
    except BulwarkError as exc:
        module.fail_json(msg=str(exc))
    problem = complaint(report["results"], params["fail_on"])
    if problem:
        module.fail_json(msg=problem, **report)
    module.exit_json(**report)


if __name__ == "__main__":
    main()
