# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: misspelt_variables
short_description: Variable names that a role does not know
version_added: 0.1.0
author: bulwark.docker contributors (@bulwark-docker)
description:
  - Compares names of variables with the options in a role's argument specification, and returns one sentence for each
    name that is none of them, with the closest known name.
positional: _input, specification
options:
  _input:
    description: Names of variables, as from P(ansible.builtin.varnames#lookup).
    type: list
    elements: str
    required: true
  specification:
    description: Content of the role's C(meta/argument_specs.yml).
    type: str
    required: true
"""

EXAMPLES = r"""
problems: "{{ query('ansible.builtin.varnames', '^daemon_baseline_')
  | bulwark.docker.misspelt_variables(lookup('ansible.builtin.file', role_path ~ '/meta/argument_specs.yml')) }}"
# => ["daemon_baseline_iic is no variable of this role; did you mean daemon_baseline_icc?"]
"""

RETURN = r"""
_value:
  description: One sentence for each unknown name, an empty list when all are known.
  type: list
  elements: str
"""

import yaml

from ansible_collections.bulwark.docker.plugins.module_utils._variables import misspelt_variables
from ansible_collections.bulwark.docker.plugins.plugin_utils._filter import call_core


def find_misspelt(names, specification):
    """Names that no entry point of the specification knows."""
    return call_core(misspelt_variables, names, yaml.safe_load(str(specification)))


class FilterModule:
    """The collection's filter for variable names."""

    def filters(self):
        """Names and functions."""
        return {"misspelt_variables": find_misspelt}
