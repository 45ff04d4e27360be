# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How every module that changes a host or reports on it ends (private)."""

from __future__ import annotations

from typing import Any, Callable, Mapping

from ansible_collections.bulwark.docker.plugins.module_utils._errors import BulwarkError

__all__ = ["conclude"]


def conclude(module: Any, work: Callable[[], Mapping[str, Any]]) -> None:
    """Do a module's work and end it.

    Args:
        module: the AnsibleModule.
        work: calls the core and returns what the module answers; its C(warnings) are shown, the rest is the answer.

    A BulwarkError of the core fails the module with its text.
    """
    try:
        answer = dict(work())
    except BulwarkError as exc:
        module.fail_json(msg=str(exc))
    else:
        for warning in answer.pop("warnings", ()):
            module.warn(warning)
        module.exit_json(**answer)
