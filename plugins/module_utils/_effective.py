# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the running engine does, against what its file says (pure, private).

Values come from GET /info and from the default bridge network, fields as in moby api/types/system/info.go.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._version import Version

__all__ = ["divergent_keys", "effective_values"]

BRIDGE_ICC = "com.docker.network.bridge.enable_icc"
ALWAYS_INSECURE = ("127.0.0.0/8", "::1/128")


def _security_option(info: Mapping[str, Any], name: str) -> Optional[Dict[str, str]]:
    for option in info.get("SecurityOptions") or []:
        fields = dict(part.partition("=")[::2] for part in str(option).split(","))
        if fields.get("name") == name:
            return fields
    return None


def _insecure_registries(info: Mapping[str, Any]) -> List[str]:
    config = info.get("RegistryConfig") or {}
    ranges = [text for text in config.get("InsecureRegistryCIDRs") or [] if text not in ALWAYS_INSECURE]
    names = [name for name, index in (config.get("IndexConfigs") or {}).items() if not index.get("Secure", True)]
    return sorted(ranges + names)


def _address_pools(info: Mapping[str, Any]) -> List[Dict[str, Any]]:
    return [{"base": pool.get("Base"), "size": pool.get("Size")} for pool in info.get("DefaultAddressPools") or []]


def effective_values(
    info: Mapping[str, Any], bridge: Optional[Mapping[str, Any]], version: Version
) -> Dict[str, Tuple[Any, str]]:
    """Values that the running engine shows, each with the place it was read from.

    Args:
        info: answer of GET /info.
        bridge: answer of GET /networks/bridge, None when there is no such network.
        version: the engine's version (some fields came later).
    """
    found: Dict[str, Tuple[Any, str]] = {}
    plain = {
        "live-restore": "LiveRestoreEnabled",
        "log-driver": "LoggingDriver",
        "default-runtime": "DefaultRuntime",
        "debug": "Debug",
        "data-root": "DockerRootDir",
        "storage-driver": "Driver",
        "experimental": "ExperimentalBuild",
    }
    for key, field in plain.items():
        if field in info:
            found[key] = (info[field], f"docker info: {field}")
    found["insecure-registries"] = (_insecure_registries(info), "docker info: RegistryConfig")
    found["default-address-pools"] = (_address_pools(info), "docker info: DefaultAddressPools")
    found["selinux-enabled"] = (_security_option(info, "selinux") is not None, "docker info: SecurityOptions")
    if version >= (24,):
        enabled = _security_option(info, "no-new-privileges") is not None
        found["no-new-privileges"] = (enabled, "docker info: SecurityOptions")
    seccomp = _security_option(info, "seccomp")
    found["seccomp-profile"] = ((seccomp or {}).get("profile", "unconfined"), "docker info: SecurityOptions")
    options = (bridge or {}).get("Options") or {}
    if BRIDGE_ICC in options:
        found["icc"] = (options[BRIDGE_ICC] == "true", f"network bridge: {BRIDGE_ICC}")
    return found


COMPARABLE: Dict[str, Callable[[Any], Any]] = {
    "live-restore": bool,
    "log-driver": str,
    "default-runtime": str,
    "debug": bool,
    "insecure-registries": lambda value: sorted(value or []),
    "selinux-enabled": bool,
    "no-new-privileges": bool,
    "icc": bool,
}


def divergent_keys(configured: Mapping[str, Any], effective: Mapping[str, Tuple[Any, str]]) -> List[str]:
    """Configured keys whose effective value is readable, comparable and another one."""
    return [
        key
        for key, normalise in COMPARABLE.items()
        if key in configured and key in effective and normalise(configured[key]) != normalise(effective[key][0])
    ]
