# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: tls_plan
short_description: The variables of daemon_tls, checked together
version_added: 0.1.0
author: bulwark.docker contributors (@bulwark-docker)
description:
  - Internal to the role daemon_tls; may change at any time.
  - Checks the variables together and derives addresses, names, paths and clients, or refuses with the reason.
options:
  _input:
    description: The variables without their prefix, and what the role knows of the play.
    type: dict
    required: true
"""

EXAMPLES = r"""
plan: "{{ __daemon_tls_request | bulwark.docker.tls_plan }}"
"""

RETURN = r"""
_value:
  description: Addresses, names, key, CAs and clients.
  type: dict
"""

from ansible_collections.bulwark.docker.plugins.module_utils._tls_plan import plan_tls
from ansible_collections.bulwark.docker.plugins.plugin_utils._filter import call_core


def check_plan(request):
    """What the tasks need."""
    return call_core(plan_tls, request)


class FilterModule:
    """The collection's filter for the plan of the TLS listener."""

    def filters(self):
        """Names and functions."""
        return {"tls_plan": check_plan}
