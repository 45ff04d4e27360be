#!/usr/bin/python
# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Write what audits and attacks found on all hosts as a page, JSON, JUnit XML and SARIF
version_added: 0.1.0
author:
  - bulwark.docker contributors (@bulwark-docker)
description:
  - Collects what a play registered for its hosts and writes one report about all of them on the controller.
  - Hosts that were unreachable, that failed or that have no engine are in the report, too, as what they are.
  - It reads the variables C(bulwark_audit) and C(bulwark_audit_before) (of M(bulwark.docker.cis_audit)),
    C(bulwark_probes) and C(bulwark_probes_before) (of M(bulwark.docker.enforcement_probe)) and C(bulwark_engine) (of
    M(bulwark.docker.engine_info)); each of them may be missing.
  - A host with C(bulwark_failure), a result with C(msg), is one that the play gave up.
  - The page C(report.html) needs nothing but itself; it loads nothing and sends nothing.
  - Texts of hosts never act in any of the files. Characters that cannot be seen are written as their escapes, but in
    the JSON file, which holds what was found as it is.
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the predicted changes without changing anything.
    support: full
  diff_mode:
    description: Returns details of what has changed (or would change) in diff mode.
    support: none
  platform:
    description: Platforms the module works on.
    platforms: posix
    support: full
    details: It runs on the controller and opens no connection to a host.
  idempotent:
    description: A second run with the same options changes nothing.
    support: none
    details: The files tell when they were written.
  action_group:
    description: Use C(group/bulwark.docker.report) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - bulwark.docker.report
options:
  hosts:
    description: The hosts of the report, for example C(ansible_play_hosts_all).
    type: list
    elements: str
    required: true
  title:
    description: The title of the report.
    type: str
    default: Docker hosts
  directory:
    description:
      - Where the files are written, on the controller. It is made if it is missing.
      - The files are readable for their owner and group.
    type: str
    default: bulwark-report
  formats:
    description:
      - Which files are written. V(html) is C(report.html), V(json) is C(report.json), V(junit) is C(report.xml) and
        V(sarif) is C(report.sarif).
    type: list
    elements: str
    choices: [html, json, junit, sarif]
    default: [html, json, junit, sarif]
  compare:
    description:
      - The C(report.json) of an earlier run. What it says of a host takes the place of C(bulwark_audit_before) and
        C(bulwark_probes_before).
    type: str
  fail_on:
    description:
      - Verdicts of findings and states of hosts that are told in RV(problems). The task itself does not fail on them,
        so that what follows can show the summary first.
    type: list
    elements: str
    choices: [fail, manual, not_blocked, error, unreachable, failed, no_engine, engine_stopped]
    default: []
notes:
  - Run it once for all hosts, with C(run_once).
seealso:
  - module: bulwark.docker.enforcement_probe
"""

EXAMPLES = r"""
- name: Attack all hosts, and go on with those that do not answer
  hosts: docker_hosts
  gather_facts: false
  ignore_unreachable: true
  tasks:
    - name: Attack the engine
      bulwark.docker.enforcement_probe:
      register: bulwark_probes

    - name: Write the report
      bulwark.docker.report:
        hosts: "{{ ansible_play_hosts_all }}"
        directory: /srv/reports/docker
        compare: /srv/reports/docker-last-month/report.json
        fail_on: [not_blocked]
      run_once: true
      register: report

    - name: Show the summary
      ansible.builtin.debug:
        var: report.summary
      run_once: true
"""

RETURN = r"""
paths:
  description: The files that were written, by their names.
  returned: success
  type: dict
  sample: {report.html: /srv/reports/docker/report.html}
problems:
  description: One sentence for each verdict and state of O(fail_on) that was found.
  returned: success
  type: list
  elements: str
  sample: ["3 findings with the verdict not_blocked (web1, web2)"]
summary:
  description: Lines for a terminal, the worst hosts first.
  returned: success
  type: list
  elements: str
totals:
  description: Numbers of hosts, by their state, and of findings, by their verdict.
  returned: success
  type: dict
  sample: {hosts: 2, states: {ok: 1, unreachable: 1}, fail: 3, pass: 80}
"""
