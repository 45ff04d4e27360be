#!/usr/bin/python
# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: daemon_config
short_description: Settings of one owner in an engine's daemon.json
version_added: 0.1.0
author:
  - bulwark.docker contributors (@bulwark-docker)
description:
  - Writes the keys that one owner (a role of this collection) may set into C(daemon.json), or takes them out again,
    and leaves every other byte of the file as it is.
  - Refuses before anything is written when the engine could not start with the result, when a flag of the unit or the
    administrator already says something else, or when running containers would have to stop.
  - The engine itself reads the file only after M(bulwark.docker.engine_commit).
extends_documentation_fragment:
  - bulwark.docker._attributes.changes
  - bulwark.docker._attributes.action_group
  - bulwark.docker._engine
  - bulwark.docker._engine.change
options:
  owner:
    description: Name of the role that the settings belong to. It may set only keys of its own.
    type: str
    required: true
  settings:
    description:
      - The wanted keys and their values, in C(daemon.json)'s own names and types.
      - A null value leaves that key to the administrator, and gives back what stood there before this owner set it.
      - Keys that this engine's version does not know are left out and reported in RV(unsupported).
    type: dict
    default: {}
  state:
    description: Whether the owner's settings are in the file, or the file is as it was before they were.
    type: str
    choices: [present, absent]
    default: present
  override:
    description:
      - Replace a value that the administrator wrote for one of the owner's keys.
      - The old text is remembered and comes back with O(state=absent).
    type: bool
    default: false
  listener:
    description:
      - A TCP listener of the engine's API that speaks TLS. Only for O(owner=daemon_tls); without it nothing is said
        about the listener, and O(state=absent) takes it away.
      - It goes into a drop-in of the unit, C(zz-bulwark-tls.conf), which repeats the unit's own command line and names
        listener, certificates and client verification behind it, so that no change of C(daemon.json) can take TLS away
        from an open port. C(docker.socket) is not touched.
      - Both files are one transaction; they are written, brought into force and rolled back together.
      - The unit's own TCP listeners and TLS flags, and such keys in C(daemon.json), are refused. With O(override=true)
        they are replaced, keys of C(daemon.json) until O(state=absent) gives them back.
      - Not for rootless engines.
    type: dict
    suboptions:
      addresses:
        description: IPv4 and IPv6 addresses of this host to listen on.
        type: list
        elements: str
        required: true
      port:
        description: TCP port.
        type: int
        default: 2376
      ca:
        description: PEM file of the CAs whose client certificates are accepted.
        type: path
        required: true
      certificate:
        description: PEM file of the engine's certificate.
        type: path
        required: true
      key:
        description: PEM file of the private key that belongs to it, without a password.
        type: path
        required: true
      verify:
        description:
          - Whether clients need a certificate of one of the CAs.
          - Without it, whoever reaches the port is root on the host.
        type: bool
        default: true
seealso:
  - module: bulwark.docker.engine_commit
  - module: bulwark.docker.engine_info
"""

EXAMPLES = r"""
- name: Rotate container logs and keep containers alive over engine restarts
  bulwark.docker.daemon_config:
    owner: daemon_baseline
    settings:
      live-restore: true
      log-driver: json-file
      log-opts:
        max-size: 10m
        max-file: "3"
  register: settings

- name: Open the API to clients that have a certificate
  bulwark.docker.daemon_config:
    owner: daemon_tls
    listener:
      addresses: [192.0.2.10]
      ca: /etc/docker/tls/1f0c6f7ba2f1d4c3/ca.pem
      certificate: /etc/docker/tls/1f0c6f7ba2f1d4c3/cert.pem
      key: /etc/docker/tls/1f0c6f7ba2f1d4c3/key.pem
    run_id: "{{ settings.run_id }}"

- name: Bring the settings into force
  bulwark.docker.engine_commit:
    run_id: "{{ settings.run_id }}"
  when: settings.commit_required
"""

RETURN = r"""
reasons:
  description: One sentence for each key, and each part of the listener, that differs.
  returned: always
  type: list
  elements: str
  sample: ["icc: was not set, is now false"]
unsupported:
  description: Wanted keys that this engine's version does not know, with the version that does.
  returned: always
  type: list
  elements: str
commit_required:
  description: Whether M(bulwark.docker.engine_commit) has something to do, also from an earlier interrupted run.
  returned: always
  type: bool
action:
  description: What the commit will do to the engine (nothing, reload, restart, socket_and_service, full_stop or start).
  returned: always
  type: str
  sample: restart
deferred:
  description: Keys that stay without effect while containers run.
  returned: always
  type: list
  elements: str
run_id:
  description: Give this to the following calls of the same run.
  returned: always
  type: str
path:
  description: The file that was looked at.
  returned: always
  type: str
engine_version:
  description: Version of the installed engine.
  returned: always
  type: str
  sample: 26.1.5+dfsg1
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.docker.plugins.module_utils._argspec import (
    CHANGE_ARGUMENTS,
    ENGINE_ARGUMENTS,
    LISTENER_ARGUMENT,
    choose_instance,
)
from ansible_collections.bulwark.docker.plugins.module_utils._conclude import conclude
from ansible_collections.bulwark.docker.plugins.module_utils._host import LocalHost
from ansible_collections.bulwark.docker.plugins.module_utils._tls_dropin import read_listener
from ansible_collections.bulwark.docker.plugins.module_utils._transaction import SettingsRequest, apply_settings

ARGUMENT_SPEC = {
    "owner": {"type": "str", "required": True},
    "settings": {"type": "dict", "default": {}},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "override": {"type": "bool", "default": False},
    "listener": LISTENER_ARGUMENT,
    **ENGINE_ARGUMENTS,
    **CHANGE_ARGUMENTS,
}


def build_request(params, check_mode):
    """The module's options as a request to the core."""
    return SettingsRequest(
        owner=params["owner"],
        present=params["state"] == "present",
        wanted=params["settings"],
        override=params["override"],
        allow_container_stop=params["allow_container_stop"],
        allow_plaintext_api=params["allow_plaintext_api"],
        run_id=params["run_id"],
        lease=params["lease"],
        patience=params["patience"],
        check_mode=check_mode,
        listener=read_listener(params["listener"]) if params["listener"] else None,
    )


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    host = LocalHost(module)
    conclude(
        module,
        lambda: apply_settings(
            host, choose_instance(host, module.params), build_request(module.params, module.check_mode)
        ).to_result(),
    )


if __name__ == "__main__":
    main()
