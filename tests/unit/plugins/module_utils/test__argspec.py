# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pure parts: instances, limits, names of variables, the choice of an engine."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._argspec import choose_instance
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import UserAccount
from ansible_collections.bulwark.docker.plugins.module_utils._instance import rootless_instance, system_instance
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.memory_host import MemoryHost

OPTIONS = {"config_path": None, "api_socket": None, "service": "docker.service", "user": None}


def test_system_engine() -> None:
    found = choose_instance(MemoryHost(), OPTIONS)
    assert found == system_instance()
    assert not found.rootless
    assert (found.config_path, found.api_socket) == ("/etc/docker/daemon.json", "/run/docker.sock")
    assert found.systemctl == ("systemctl",)


def test_engine_of_a_user() -> None:
    host = MemoryHost()
    host.users["ann"] = UserAccount("ann", 1000, 1001, "/home/ann")
    found = choose_instance(host, {**OPTIONS, "user": "ann"})
    assert found == rootless_instance("ann", 1000, 1001, "/home/ann")
    assert found.rootless
    assert (found.config_path, found.api_socket) == (
        "/home/ann/.config/docker/daemon.json",
        "/run/user/1000/docker.sock",
    )
    assert (found.uid, found.gid, found.socket_unit) == (1000, 1001, "")
    assert "XDG_RUNTIME_DIR=/run/user/1000" in found.systemctl
    assert found.state_path != system_instance().state_path
    assert found.lock_path != system_instance().lock_path


@pytest.mark.parametrize("user", [None, "ann"])
def test_options_win(user: str | None) -> None:
    host = MemoryHost()
    host.users["ann"] = UserAccount("ann", 1000, 1001, "/home/ann")
    options: dict[str, Any] = {"config_path": "/c", "api_socket": "/s", "service": "other.service", "user": user}
    found = choose_instance(host, options)
    assert (found.config_path, found.api_socket, found.service) == ("/c", "/s", "other.service")


def test_user_that_the_host_does_not_know() -> None:
    with pytest.raises(ConfigError, match=r"no user 'bob' on this host \(option user\); create the user first"):
        choose_instance(MemoryHost(), {**OPTIONS, "user": "bob"})
