# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine shows about itself, compared with what is configured."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._effective import divergent_keys, effective_values
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version

NEW = Version(26, 1, 5)
INFO: dict[str, Any] = {
    "LiveRestoreEnabled": True,
    "LoggingDriver": "json-file",
    "DefaultRuntime": "runc",
    "Debug": False,
    "DockerRootDir": "/var/lib/docker",
    "Driver": "overlay2",
    "ExperimentalBuild": False,
    "SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin", "name=no-new-privileges"],
    "RegistryConfig": {
        "InsecureRegistryCIDRs": ["10.0.0.0/8", "::1/128", "127.0.0.0/8"],
        "IndexConfigs": {"docker.io": {"Secure": True}, "registry.example:5000": {"Secure": False}},
    },
    "DefaultAddressPools": [{"Base": "10.10.0.0/16", "Size": 24}],
}


def values(info: dict[str, Any], icc: str | None = "true", version: Version = NEW) -> dict[str, Any]:
    """Effective values without their sources."""
    bridge = {"Options": {} if icc is None else {"com.docker.network.bridge.enable_icc": icc}}
    return {name: value for name, (value, _source) in effective_values(info, bridge, version).items()}


def test_values_and_sources() -> None:
    assert values(INFO) == {
        "live-restore": True,
        "log-driver": "json-file",
        "default-runtime": "runc",
        "debug": False,
        "data-root": "/var/lib/docker",
        "storage-driver": "overlay2",
        "experimental": False,
        "insecure-registries": ["10.0.0.0/8", "registry.example:5000"],
        "default-address-pools": [{"base": "10.10.0.0/16", "size": 24}],
        "selinux-enabled": False,
        "no-new-privileges": True,
        "seccomp-profile": "builtin",
        "icc": True,
    }
    assert all(source for _value, source in effective_values(INFO, None, NEW).values())


def test_answers_with_holes() -> None:
    empty = {"SecurityOptions": None, "RegistryConfig": None, "DefaultAddressPools": None}
    found = values(empty, icc=None)
    assert found["seccomp-profile"] == "unconfined"
    assert found["insecure-registries"] == found["default-address-pools"] == []
    assert "icc" not in found
    assert "icc" not in effective_values(INFO, None, NEW)


def test_old_engines_do_not_show_no_new_privileges() -> None:
    assert "no-new-privileges" not in values(INFO, version=Version(20, 10, 24))
    assert values({**INFO, "SecurityOptions": ["name=selinux"]})["selinux-enabled"] is True


@pytest.mark.parametrize(
    ("configured", "keys"),
    [
        ({}, []),
        ({"icc": True, "live-restore": True, "no-new-privileges": True}, []),
        ({"icc": False}, ["icc"]),
        ({"live-restore": False, "log-driver": "journald"}, ["live-restore", "log-driver"]),
        ({"insecure-registries": ["registry.example:5000", "10.0.0.0/8"]}, []),
        ({"insecure-registries": []}, ["insecure-registries"]),
        ({"log-level": "warn", "unknown": 1}, []),
    ],
)
def test_divergences(configured: dict[str, Any], keys: list[str]) -> None:
    bridge = {"Options": {"com.docker.network.bridge.enable_icc": "true"}}
    assert divergent_keys(configured, effective_values(INFO, bridge, NEW)) == keys
