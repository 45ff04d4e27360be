#!/usr/bin/python
# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate_files_info
short_description: Which files of certificates and keys there are
version_added: 0.1.0
author:
  - bulwark.docker contributors (@bulwark-docker)
description:
  - Looks at files in one call and returns their kind, mode and link target, and the text of those that hold
    certificates. A file that is not there is no error.
  - The content of a private key is never returned.
  - To decode the certificates, use community.crypto's filter P(community.crypto.x509_certificate_info#filter).
extends_documentation_fragment:
  - bulwark.docker._attributes.read_only
  - bulwark.docker._attributes.action_group
options:
  certificates:
    description:
      - Files that hold certificates in PEM format; their text is returned.
      - A file that holds a private key too, or no certificate, is an error.
    type: list
    elements: path
    default: []
  paths:
    description: Paths that are looked at without reading them.
    type: list
    elements: path
    default: []
"""

EXAMPLES = r"""
- name: Read the certificate that the engine uses
  bulwark.docker.certificate_files_info:
    certificates: [/etc/docker/tls/current/cert.pem]
    paths: [/etc/docker/tls/current/key.pem]
  register: tls

- name: Show until when it is valid
  ansible.builtin.debug:
    msg: "{{ (tls.certificates[0].text | community.crypto.x509_certificate_info).not_after }}"
"""

RETURN = r"""
certificates:
  description: One entry for each of O(certificates), in their order.
  returned: always
  type: list
  elements: dict
  contains:
    path:
      description: The path, with a leading tilde expanded.
      type: str
    kind:
      description: V(file), V(directory), V(socket), V(other) or V(absent); a link has the kind of what it leads to.
      type: str
    link:
      description: Target of a symbolic link, null for anything else.
      type: str
    mode:
      description: Permission bits, null when there is nothing.
      type: int
    uid:
      description: Owner, null when there is nothing.
      type: int
    text:
      description: Content of the file, null when there is none.
      type: str
paths:
  description: One entry for each of O(paths), in their order, as RV(certificates) without the text.
  returned: always
  type: list
  elements: dict
check_mode:
  description: Whether the task ran in check mode. Its own C(check_mode) shows here, but not in C(ansible_check_mode).
  returned: always
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.docker.plugins.module_utils._certificate_files import (
    describe_certificates,
    describe_path,
)
from ansible_collections.bulwark.docker.plugins.module_utils._conclude import conclude
from ansible_collections.bulwark.docker.plugins.module_utils._host import LocalHost

ARGUMENT_SPEC = {
    "certificates": {"type": "list", "elements": "path", "default": []},
    "paths": {"type": "list", "elements": "path", "default": []},
}


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    host = LocalHost(module)
    conclude(
        module,
        lambda: {
            "changed": False,
            "certificates": [describe_certificates(host, path) for path in module.params["certificates"]],
            "paths": [describe_path(host, path) for path in module.params["paths"]],
            "check_mode": module.check_mode,
        },
    )


if __name__ == "__main__":
    main()
