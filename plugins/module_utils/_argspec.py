# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that all engine modules share, and what they mean (pure, private)."""

from __future__ import annotations

from typing import Any, Dict, Mapping

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import Host
from ansible_collections.bulwark.docker.plugins.module_utils._instance import (
    Instance,
    rootless_instance,
    system_instance,
)

__all__ = ["CHANGE_ARGUMENTS", "ENGINE_ARGUMENTS", "LISTENER_ARGUMENT", "choose_instance"]

ENGINE_ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "api_socket": {"type": "path"},
    "config_path": {"type": "path"},
    "service": {"type": "str", "default": "docker.service"},
    "user": {"type": "str"},
}

CHANGE_ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "allow_container_stop": {"type": "bool", "default": False},
    "allow_plaintext_api": {"type": "bool", "default": False},
    "lease": {"type": "int", "default": 60},
    "patience": {"type": "int", "default": 120},
    "run_id": {"type": "str", "default": ""},
}

LISTENER_ARGUMENT: Dict[str, Any] = {
    "type": "dict",
    "options": {
        "addresses": {"type": "list", "elements": "str", "required": True},
        "port": {"type": "int", "default": 2376},
        "ca": {"type": "path", "required": True},
        "certificate": {"type": "path", "required": True},
        # A path, not a secret.
        "key": {"type": "path", "required": True, "no_log": False},
        "verify": {"type": "bool", "default": True},
    },
}


def choose_instance(host: Host, params: Mapping[str, Any]) -> Instance:
    """The engine that a module's options name: the system's, or that of a user.

    Raises ConfigError when the host does not know the user.
    """
    config_path = params["config_path"] or ""
    api_socket = params["api_socket"] or ""
    if not params["user"]:
        return system_instance(config_path, params["service"], api_socket)
    account = host.user(params["user"])
    if account is None:
        raise ConfigError(
            f"choose the engine: no user {params['user']!r} on this host (option user); create the user first"
        )
    return rootless_instance(
        account.name, account.uid, account.gid, account.home, config_path, params["service"], api_socket
    )
