#!/usr/bin/python
# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: compensating_scan
short_description: A scheduled scan of the data that scanners leave out
version_added: 0.1.0
author:
  - bulwark.docker contributors (@bulwark-docker)
description:
  - Installs a systemd timer and service that scan the engines' data in a window of their own, with the engine stopped
    or running.
  - A stopped engine is started again whatever becomes of the scan (a crash, a hanging or killed scanner, a full disk, a
    loss of power), together with the containers that ran. An engine that was at rest stays at rest.
  - A scan that found something, failed, or did not take place for too long raises an alarm.
extends_documentation_fragment:
  - bulwark.docker._attributes.changes
  - bulwark.docker._attributes.action_group
options:
  state:
    description: Whether the scan is installed.
    type: str
    choices: [present, absent]
    default: present
  program:
    description:
      - Text of the program that scans, as the role C(antivirus_exclusions) brings it.
      - Needed for O(state=present).
    type: str
    default: ""
  mode:
    description:
      - V(stop) stops the system's engine while the scan runs. Containers stop too, unless live-restore keeps them.
      - V(live) leaves engine and containers running. The scanner cannot write in either case.
    type: str
    choices: [stop, live]
    default: stop
  rootless:
    description: Whether the data of users' rootless engines is scanned too. Those engines are never stopped.
    type: bool
    default: true
  command:
    description:
      - Command line of a scanner that ends with 0 for clean, 1 for found, anything else for failed.
      - It is run once for each path where it holds C({path}), otherwise once with all paths at its end.
      - Without it C(clamdscan) (with a client configuration without exclusions) or C(clamscan) is used.
    type: list
    elements: str
    default: []
  calendar:
    description: When the window begins, in the notation of systemd.time(7).
    type: str
    default: Sun *-*-* 02:00:00
  random_delay:
    description: Seconds over which the hosts of a fleet are spread.
    type: int
    default: 3600
  timeout:
    description: Seconds that the scanner may take.
    type: int
    default: 14400
  start_deadline:
    description: Seconds within which the engine has to answer after it was started again.
    type: int
    default: 120
  max_age_days:
    description: Days without a scan that succeeded before the daily check complains.
    type: int
    default: 15
  alarm_command:
    description:
      - Command line that is run when a scan finds something, fails, or is overdue. Its input is a JSON document.
      - The journal gets the alarm in any case.
    type: list
    elements: str
    default: []
  service:
    description: The systemd unit that starts the system's engine.
    type: str
    default: docker.service
  config_path:
    description: The system engine's configuration file, where its unit names none.
    type: path
  api_socket:
    description: Unix socket of the system engine's API.
    type: path
seealso:
  - module: bulwark.docker.antivirus_exclusions
"""

EXAMPLES = r"""
- name: Scan the engine's data each Saturday night
  bulwark.docker.compensating_scan:
    program: "{{ lookup('ansible.builtin.file', 'compensating_scan.py') }}"
    calendar: Sat *-*-* 01:00:00
    alarm_command: [/usr/local/bin/page-someone]
"""

RETURN = r"""
command:
  description: The scanner's command line.
  returned: success
  type: list
  elements: str
paths:
  description: The directories that are scanned.
  returned: success
  type: list
  elements: str
last_verdict:
  description: What the last scan came to, V(clean), V(infected), V(failed), or empty when there was none.
  returned: success
  type: str
last_success:
  description: Second of the end of the last scan that succeeded, 0 when there was none.
  returned: success
  type: int
overdue:
  description: Whether no scan has succeeded for too long.
  returned: success
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.docker.plugins.module_utils._compensating_scan import ScanRequest, apply_scan
from ansible_collections.bulwark.docker.plugins.module_utils._conclude import conclude
from ansible_collections.bulwark.docker.plugins.module_utils._host import LocalHost
from ansible_collections.bulwark.docker.plugins.module_utils._instance import system_instance

ARGUMENT_SPEC = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "program": {"type": "str", "default": ""},
    "mode": {"type": "str", "choices": ["stop", "live"], "default": "stop"},
    "rootless": {"type": "bool", "default": True},
    "command": {"type": "list", "elements": "str", "default": []},
    "calendar": {"type": "str", "default": "Sun *-*-* 02:00:00"},
    "random_delay": {"type": "int", "default": 3600},
    "timeout": {"type": "int", "default": 14400},
    "start_deadline": {"type": "int", "default": 120},
    "max_age_days": {"type": "int", "default": 15},
    "alarm_command": {"type": "list", "elements": "str", "default": []},
    "service": {"type": "str", "default": "docker.service"},
    "config_path": {"type": "path"},
    "api_socket": {"type": "path"},
}
PLAIN = ("program", "mode", "rootless", "command", "calendar", "random_delay", "timeout", "start_deadline")
WATCH = ("max_age_days", "alarm_command")


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC, required_if=[("state", "present", ["program"])], supports_check_mode=True
    )
    params = module.params
    request = ScanRequest(
        present=params["state"] == "present",
        instance=system_instance(params["config_path"] or "", params["service"], params["api_socket"] or ""),
        check_mode=module.check_mode,
        **{name: params[name] for name in PLAIN + WATCH},
    )
    conclude(module, lambda: apply_scan(LocalHost(module), request))


if __name__ == "__main__":
    main()
