# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: tls_material
short_description: Why a certificate has to be made anew
version_added: 0.1.0
author: bulwark.docker contributors (@bulwark-docker)
description:
  - Internal to the role daemon_tls; may change at any time.
  - Compares a certificate with what is wanted, and refuses a change of CAs that would lock clients out.
options:
  _input:
    description: The certificate as community.crypto decodes it, and what is wanted.
    type: dict
    required: true
"""

EXAMPLES = r"""
reasons: "{{ __daemon_tls_material | bulwark.docker.tls_material }}"
"""

RETURN = r"""
_value:
  description: Reasons to issue (issue) and reasons to install (install), sentences that begin with it.
  type: dict
"""

from ansible_collections.bulwark.docker.plugins.module_utils._tls_material import judge_material
from ansible_collections.bulwark.docker.plugins.plugin_utils._filter import call_core


def judge(material):
    """Reasons, none when everything is as wanted."""
    return call_core(judge_material, material)


class FilterModule:
    """The collection's filter for certificates that may be due."""

    def filters(self):
        """Names and functions."""
        return {"tls_material": judge}
