# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every filter needs: plain values for the core, template errors for the user (private)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleTemplatePluginError

from ansible_collections.bulwark.docker.plugins.module_utils._errors import BulwarkError

__all__ = ["call_core", "to_plain"]


def to_plain(value: Any) -> Any:
    """Turn Ansible's tagged strings and lazy containers into plain ones."""
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def call_core(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of the core with plain values.

    Raises AnsibleTemplatePluginError with the core's own text.
    """
    try:
        return function(*(to_plain(argument) for argument in arguments))
    except BulwarkError as exc:
        raise AnsibleTemplatePluginError(str(exc)) from exc
