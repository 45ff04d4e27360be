# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attributes of the collection's modules (private fragment)."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes that every module states."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the predicted changes without changing the host.
  diff_mode:
    description: Returns details of what has changed (or would change) in diff mode.
  platform:
    description: Platforms the module works on.
    platforms: linux
    support: full
  idempotent:
    description: A second run with the same options changes nothing.
"""

    CHANGES = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the predicted changes without changing the host.
    support: full
  diff_mode:
    description: Returns details of what has changed (or would change) in diff mode.
    support: full
  platform:
    description: Platforms the module works on.
    platforms: linux
    support: full
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
"""

    READ_ONLY = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the predicted changes without changing the host.
    support: full
    details: It never changes anything.
  diff_mode:
    description: Returns details of what has changed (or would change) in diff mode.
    support: N/A
    details: It never changes anything.
  platform:
    description: Platforms the module works on.
    platforms: linux
    support: full
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
"""

    ACTION_GROUP = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/bulwark.docker.engine) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - bulwark.docker.engine
"""
