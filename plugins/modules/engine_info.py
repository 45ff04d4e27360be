#!/usr/bin/python
# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: engine_info
short_description: What an engine is configured to do, and what it really does
version_added: 0.1.0
author:
  - bulwark.docker contributors (@bulwark-docker)
description:
  - Reads an engine's unit with its drop-ins and environment files, its C(daemon.json), the running process, its
    listening sockets (those that systemd opened too), its API and its containers.
  - Reports for each setting what is configured, where, what is in force, and what is still to be done for it.
  - Finds what reading the file cannot show, for example C(icc) that was changed while containers lived on, an API that
    a socket unit opened on TCP, or containers that are older than a setting.
extends_documentation_fragment:
  - bulwark.docker._attributes.read_only
  - bulwark.docker._attributes.action_group
  - bulwark.docker._engine
seealso:
  - module: bulwark.docker.daemon_config
"""

EXAMPLES = r"""
- name: Look at the system's engine
  bulwark.docker.engine_info:
  register: docker

- name: Show what is not as configured
  ansible.builtin.debug:
    var: docker.engine.divergences
"""

RETURN = r"""
engine:
  description: The report.
  returned: always
  type: dict
  contains:
    name:
      description: V(system), or V(rootless-USER).
      type: str
    version:
      description: Version of the installed engine.
      type: str
    running_version:
      description: Version of the running engine, null while it does not answer.
      type: str
    running:
      description: Whether the engine answers its API.
      type: bool
    unit:
      description: The systemd unit, its files, and the command line that the next start uses.
      type: dict
    config:
      description: Path, existence and mode of C(daemon.json), and the problems found in it.
      type: dict
    data_root:
      description: Where the running engine keeps its data.
      type: str
    storage_driver:
      description: The storage driver in use.
      type: str
    listener:
      description: The TLS listener of the role daemon_tls, null where there is none.
      type: dict
      contains:
        path:
          description: The drop-in that opens it.
          type: str
        configured:
          description: Addresses, port, files and client verification of the drop-in, null where somebody changed it.
          type: dict
        drift:
          description: Why the next run of the role would write another drop-in, for example after an upgrade.
          type: list
          elements: str
        differences:
          description: What is in force otherwise than configured.
          type: list
          elements: str
    listeners:
      description: Sockets that the engine listens on.
      type: list
      elements: dict
      contains:
        kind:
          description: V(tcp) or V(unix).
          type: str
        address:
          description: IP address or path.
          type: str
        port:
          description: TCP port, 0 for a Unix socket.
          type: int
        plaintext:
          description: Whether it answers the API without TLS, null for a Unix socket.
          type: bool
        tls:
          description: What a client without a certificate sees, null where TLS is not spoken.
          type: dict
          contains:
            version:
              description: Version of TLS.
              type: str
            certificate:
              description: SHA-256 of the certificate that is shown.
              type: str
            subject:
              description: Its subject; empty where it does not stand up to the CA, like the next three.
              type: str
            names:
              description: Its subject alternative names.
              type: list
              elements: str
            not_after:
              description: When it expires, seconds since the epoch.
              type: float
            days_left:
              description: Whole days until then.
              type: int
            client_certificate_demanded:
              description: Whether a client without a certificate is turned away.
              type: bool
            problem:
              description: Why the certificate does not stand up to the CA, empty when it does.
              type: str
    settings:
      description: For each key this version knows, configured and effective value, their places, and what is pending.
      type: list
      elements: dict
    containers:
      description: Running containers and what is not as the engine's settings say.
      type: list
      elements: dict
    divergences:
      description: Every difference between what is configured and what is in force, one sentence each.
      type: list
      elements: str
    uncommitted:
      description: Whether an earlier run wrote settings and never brought them into force.
      type: bool
    owners:
      description: The keys that roles of this collection have set.
      type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.docker.plugins.module_utils._argspec import ENGINE_ARGUMENTS, choose_instance
from ansible_collections.bulwark.docker.plugins.module_utils._conclude import conclude
from ansible_collections.bulwark.docker.plugins.module_utils._engine_report import report_engine
from ansible_collections.bulwark.docker.plugins.module_utils._host import LocalHost

ARGUMENT_SPEC = {**ENGINE_ARGUMENTS}


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    host = LocalHost(module)
    conclude(module, lambda: {"changed": False, "engine": report_engine(host, choose_instance(host, module.params))})


if __name__ == "__main__":
    main()
