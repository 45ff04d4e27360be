# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: lint_certificates
short_description: What is wrong with certificates, before an engine meets them
version_added: 0.1.0
author: bulwark.docker contributors (@bulwark-docker)
description:
  - Looks at a certificate, its private key and the bundle of CAs that shall vouch for it, and returns one finding for
    each mistake that makes the engine fail, lock out its clients or let in strangers.
  - Certificates and keys are decoded by P(community.crypto.x509_certificate_info#filter) and
    P(community.crypto.openssl_privatekey_info#filter).
  - Signatures are not checked. That a certificate belongs to a CA is concluded from names and key identifiers, which
    finds every mix-up, but no forgery.
positional: _input, purpose, now
options:
  _input:
    description:
      - The files. What is not given is not checked; one of O(_input.certificate) and O(_input.ca) is needed.
    type: dict
    required: true
    suboptions:
      certificate:
        description: The certificate, first in its file, and intermediate CAs behind it.
        type: dict
        suboptions:
          path:
            description: Where it is, for messages.
            type: str
            required: true
          content:
            description: The text of the file.
            type: str
            required: true
      ca:
        description:
          - The bundle of CAs. For a server it is the engine's C(tlscacert), for a client its C(ca.pem).
          - Without O(_input.certificate) each CA in it is checked by itself.
        type: dict
        suboptions:
          path:
            description: Where it is, for messages.
            type: str
            required: true
          content:
            description: The text of the file.
            type: str
            required: true
      key:
        description: The private key. It is compared with the certificate and never shown.
        type: dict
        suboptions:
          path:
            description: Where it is, for messages.
            type: str
            required: true
          content:
            description: The text of the file, where the controller has it. Put C(no_log) on the task.
            type: str
          info:
            description:
              - In the place of O(_input.key.content), for a key that stays where it is, the result of
                M(community.crypto.openssl_privatekey_info).
            type: dict
  purpose:
    description:
      - What the certificate is for. With V(ca), O(_input.certificate) is itself a CA, and its key may be locked with a
        passphrase.
    type: str
    choices: [server, client, ca]
    required: true
  now:
    description: The time in UTC, as C(ansible_facts['date_time']['iso8601']) has it.
    type: str
    required: true
  names:
    description: DNS names and addresses that a server's certificate must be valid for.
    type: list
    elements: str
    default: []
  max_days:
    description: Lifetime in days above which a certificate of a server or client gets a warning.
    type: int
    default: 398
  min_days:
    description: Days left below which it gets a warning.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Refuse certificates that could not work
  ansible.builtin.assert:
    that: problems | selectattr('fatal') | length == 0
    fail_msg: "{{ problems | map(attribute='message') | join('\n') }}"
  vars:
    problems: "{{ files | bulwark.docker.lint_certificates('server', ansible_facts['date_time']['iso8601'],
      names=['docker.example.org', '192.0.2.7']) }}"
    files:
      certificate:
        path: server.pem
        content: "{{ lookup('ansible.builtin.file', 'server.pem') }}"
      ca:
        path: ca.pem
        content: "{{ lookup('ansible.builtin.file', 'ca.pem') }}"
"""

RETURN = r"""
_value:
  description: The findings, an empty list when all is well.
  type: list
  elements: dict
  contains:
    code:
      description: Which mistake it is, for example V(san_missing), V(purpose_missing), V(expired) or V(key_mismatch).
      type: str
    fatal:
      description: Whether the certificate must not be used. The others are advice.
      type: bool
    message:
      description: What is wrong, in which file, and what to do.
      type: str
    path:
      description: The file.
      type: str
"""

from ansible_collections.bulwark.docker.plugins.module_utils._certificate_lint import lint_certificates
from ansible_collections.bulwark.docker.plugins.plugin_utils._certificates import decode_files
from ansible_collections.bulwark.docker.plugins.plugin_utils._filter import call_core, to_plain


def lint(files, purpose, now, names=(), max_days=398, min_days=0):
    """Findings about the files."""
    return call_core(lint_certificates, decode_files(to_plain(files)), purpose, now, names, max_days, min_days)


class FilterModule:
    """The collection's filter for certificates."""

    def filters(self):
        """Names and functions."""
        return {"lint_certificates": lint}
