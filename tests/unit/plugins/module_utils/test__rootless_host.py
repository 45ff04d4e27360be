# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What rootless engines need of the whole host, put into place and taken away, in memory."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError
from ansible_collections.bulwark.docker.plugins.module_utils._rootless_host import (
    LOGIN_FILE,
    MODULES_FILE,
    PROFILE_FILE,
    RECORD,
    SYSCTL_FILE,
    HostRequest,
    apply_host,
)
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.memory_host import File
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.rootless_memory import RootlessHost

PORT = "/proc/sys/net/ipv4/ip_unprivileged_port_start"


def request(**changes: Any) -> HostRequest:
    """A request of somebody who asks for everything but the end of the system's engine."""
    usual: dict[str, Any] = {
        "present": True,
        "users": ("ann",),
        "lowest_port": 80,
        "ping": True,
        "system_engine": "keep",
        "check_mode": False,
    }
    return HostRequest(**{**usual, **changes})


@pytest.fixture
def host() -> RootlessHost:
    return RootlessHost()


def test_host_is_prepared_once_and_given_back(host: RootlessHost) -> None:
    before = {path: file.data for path, file in host.files.items()}
    assert apply_host(host, request())["changed"]
    assert host.files[PORT].data == b"80\n"
    assert host.files[MODULES_FILE].data.splitlines()[1:] == [b"br_netfilter", b"tun"]
    assert ("modprobe", "--all", "br_netfilter", "tun") in host.runs
    assert b"ann)" in host.files[LOGIN_FILE].data
    assert PROFILE_FILE not in host.files
    host.directories["/sys/module/br_netfilter"] = host.directories["/sys/module/tun"] = 0.0
    assert apply_host(host, request()) == {"changed": False, "reasons": [], "diff": []}
    assert apply_host(host, request(present=False))["changed"]
    after = {path: file.data for path, file in host.files.items()}
    assert after.pop("/proc/sys/net/ipv4/ping_group_range") == b"1 0\n"
    before.pop("/proc/sys/net/ipv4/ping_group_range")
    assert after == before
    assert apply_host(host, request(present=False))["changed"] is False


def test_setting_that_is_wanted_no_more_gets_its_old_value(host: RootlessHost) -> None:
    apply_host(host, request())
    apply_host(host, request(lowest_port=None, ping=False))
    assert host.files[PORT].data == b"1024\n"
    assert SYSCTL_FILE not in host.files
    assert RECORD not in host.files


def test_check_mode_changes_nothing(host: RootlessHost) -> None:
    before = dict(host.files)
    said = apply_host(host, request(check_mode=True, system_engine="stopped"))
    assert said["changed"]
    assert "docker.service: stopped and masked" in said["reasons"]
    assert host.files == before
    assert host.system_units["docker.service"] == ["enabled", "active"]


@pytest.mark.parametrize("back", [{"present": False}, {"system_engine": "keep"}])
def test_system_engine_is_stopped_and_given_back(host: RootlessHost, back: dict[str, Any]) -> None:
    assert apply_host(host, request(system_engine="stopped"))["changed"]
    assert set(map(tuple, host.system_units.values())) == {("masked", "inactive")}
    host.directories["/sys/module/br_netfilter"] = host.directories["/sys/module/tun"] = 0.0
    assert apply_host(host, request(system_engine="stopped"))["changed"] is False
    apply_host(host, request(**back))
    assert set(map(tuple, host.system_units.values())) == {("enabled", "active")}


def test_engine_that_did_not_run_is_not_started_at_the_end(host: RootlessHost) -> None:
    host.system_units = {"docker.socket": ["enabled", "inactive"]}
    apply_host(host, request(system_engine="stopped"))
    apply_host(host, request(present=False))
    assert host.system_units == {"docker.socket": ["enabled", "inactive"]}


@pytest.mark.parametrize(
    ("restricts", "foreign", "wanted"),
    [("1", "", True), ("0", "", False), ("1", "profile rootlesskit /usr/bin/rootlesskit flags=(unconfined) {}", False)],
)
def test_profile_is_written_where_nobody_else_has_one(
    host: RootlessHost, restricts: str, foreign: str, wanted: bool
) -> None:
    host.files["/proc/sys/kernel/apparmor_restrict_unprivileged_userns"] = File(restricts.encode() + b"\n")
    if foreign:
        host.files["/etc/apparmor.d/rootlesskit"] = File(foreign.encode())
    apply_host(host, request())
    assert (PROFILE_FILE in host.files) == wanted
    apply_host(host, request(present=False))
    assert PROFILE_FILE not in host.files


def test_broken_record_is_named(host: RootlessHost) -> None:
    host.files[RECORD] = File(b"[]")
    with pytest.raises(ConfigError, match=RECORD):
        apply_host(host, request())
