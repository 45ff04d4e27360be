# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may have a rootless engine, what is missing, which limits apply, and the files."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError
from ansible_collections.bulwark.docker.plugins.module_utils._rootless_plan import (
    Account,
    HostState,
    UnitChoices,
    apparmor_profile,
    applying_limits,
    check_accounts,
    check_host,
    check_range,
    delegation,
    family_of,
    missing_needs,
    modules_text,
    packages_for,
    parse_kernel,
    profile_script,
    sysctl_settings,
    sysctl_text,
    systemd_version,
    unit_text,
)
from ansible_collections.bulwark.docker.plugins.module_utils._unit import build_command, parse_unit

ANN = Account("ann", 1000, "/home/ann", "directory", 1000)
BOB = Account("bob", 1001, "/home/bob", "directory", 1001)
SCRIPT = "/usr/bin/dockerd-rootless.sh"
GOOD = HostState(
    kernel=(6, 12),
    systemd=257,
    script=SCRIPT,
    programs=("newuidmap", "iptables", "slirp4netns", "rootlesskit"),
    user_bus=True,
    max_user_namespaces=10000,
    port_start=1024,
    ping_range="1\t0",
)


@pytest.mark.parametrize(
    ("accounts", "words"),
    [
        ([Account("eve", None)], "'eve' is no user of this host; create the user first"),
        ([Account("root", 0, "/root", "directory", 0)], "'root' is root"),
        ([ANN._replace(home_kind="")], "no home directory (/home/ann)"),
        ([ANN._replace(home="", home_kind="")], "no home directory (none in the user database)"),
        ([ANN._replace(home="/")], "no home directory"),
        ([ANN._replace(home_uid=0)], "does not own the home directory /home/ann (uid 0 does)"),
        ([ANN, BOB, ANN], "'ann' stands there 2 times"),
        ([ANN, BOB._replace(uid=1000, home_uid=1000)], "'bob' has the same uid 1000 as 'ann'"),
        ([ANN._replace(name="a b")], "'a b' is no name of a user"),
        ([ANN._replace(name="../x")], "is no name of a user"),
    ],
)
def test_users_without_a_chance_are_refused(accounts: list[Account], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_accounts(accounts)
    assert words in str(caught.value)
    assert str(caught.value).endswith("(rootless_users)")


def test_every_wrong_user_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        check_accounts([Account("eve", None), ANN, Account("root", 0, "/root", "directory", 0)])
    assert "'eve'" in str(caught.value)
    assert "'root'" in str(caught.value)
    assert "'ann'" not in str(caught.value)


def test_ordinary_users_are_welcome() -> None:
    check_accounts([])
    check_accounts([ANN, BOB])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"engine": False}, "no dockerd"),
        ({"systemd": 247}, "systemd 247 is too old"),
        ({"max_user_namespaces": 0}, "user.max_user_namespaces"),
        ({"unprivileged_userns_clone": 0}, "kernel.unprivileged_userns_clone to 1"),
    ],
)
def test_host_without_a_chance_is_refused(change: dict[str, Any], words: str) -> None:
    check_host(GOOD)
    with pytest.raises(ConfigError, match=words):
        check_host(GOOD._replace(**change))


def test_too_few_ids_are_refused() -> None:
    check_range(65536)
    with pytest.raises(ConfigError, match="65535 subordinate ids are too few"):
        check_range(65535)


@pytest.mark.parametrize(
    ("change", "network", "missing"),
    [
        ({}, "default", []),
        (
            {"programs": (), "user_bus": False},
            "default",
            ["newuidmap", "iptables", "rootlesskit", "slirp4netns", "user bus"],
        ),
        ({}, "pasta", ["pasta"]),
        ({"kernel": (5, 10)}, "default", ["fuse-overlayfs"]),
        ({"kernel": (5, 11)}, "default", []),
        ({"script": "", "programs": GOOD.programs[:3]}, "default", ["docker-ce-rootless-extras"]),
        ({"programs": ("newuidmap", "iptables", "slirp4netns", "docker-rootlesskit")}, "default", []),
    ],
)
def test_what_is_missing_is_found(change: dict[str, Any], network: str, missing: list[str]) -> None:
    assert missing_needs(GOOD._replace(**change), network) == missing


def test_packages_follow_the_distribution() -> None:
    needs = ["newuidmap", "user bus", "slirp4netns"]
    assert packages_for(needs, "debian") == ["dbus-user-session", "slirp4netns", "uidmap"]
    assert packages_for(needs, "redhat") == ["dbus-daemon", "shadow-utils", "slirp4netns"]
    assert packages_for(["newuidmap"], "") == ["newuidmap"]
    assert packages_for([], "debian") == []


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("ID=debian\n", "debian"),
        ('NAME="x"\nID=linuxmint\nID_LIKE="ubuntu debian"\n', "debian"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "redhat"),
        ("ID=void\n", ""),
        ("", ""),
    ],
)
def test_family_is_read(text: str, family: str) -> None:
    assert family_of(text) == family


def test_versions_are_read() -> None:
    assert parse_kernel("6.12.48+deb13-cloud-amd64") == (6, 12)
    assert parse_kernel("strange") == (0, 0)
    assert systemd_version("systemd 257 (257.8-1)\n+PAM") == 257
    assert systemd_version("") == 0


def names(state: HostState) -> set[str]:
    return {limit.name for limit in applying_limits(state)}


def test_limits_follow_the_host() -> None:
    always = names(GOOD._replace(port_start=0, ping_range="0\t2147483647"))
    assert {"overlay_networks", "checkpoint", "live_restore"} <= always
    assert names(GOOD) - always == {"low_ports", "ping"}
    assert "cgroup_v1" in names(GOOD._replace(cgroup_version=1, controllers=()))
    assert "controllers" not in names(GOOD._replace(cgroup_version=1, controllers=()))
    assert "controllers" in names(GOOD._replace(controllers=("memory",)))
    assert "apparmor" in names(GOOD._replace(apparmor=True))
    assert "storage" in names(GOOD._replace(kernel=(5, 4)))
    assert not names(GOOD._replace(port_start=None, ping_range="")) & {"low_ports", "ping"}


def started_with(text: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Command line and environment as systemd reads them."""
    command = build_command(parse_unit(text, "docker.service"), {})
    return command.argv, dict(command.environment)


def test_unit_starts_the_script_and_nothing_else() -> None:
    argv, environment = started_with(unit_text(UnitChoices(SCRIPT)))
    assert argv == (SCRIPT,)
    assert set(environment) == {"PATH"}


def test_choices_reach_the_script() -> None:
    chosen = UnitChoices(SCRIPT, "pasta", 1500, "default", (("HTTP_PROXY", 'http://a "b" 50%\\'),))
    environment = started_with(unit_text(chosen))[1]
    assert environment["DOCKERD_ROOTLESS_ROOTLESSKIT_NET"] == "pasta"
    assert environment["DOCKERD_ROOTLESS_ROOTLESSKIT_MTU"] == "1500"
    assert environment["DOCKERD_ROOTLESS_ROOTLESSKIT_PORT_DRIVER"] == "implicit"
    assert 'Environment="HTTP_PROXY=http://a \\"b\\" 50%%\\\\"\n' in unit_text(chosen)
    builtin = unit_text(UnitChoices(SCRIPT, "slirp4netns", 0, "slirp4netns"))
    assert started_with(builtin)[1]["DOCKERD_ROOTLESS_ROOTLESSKIT_PORT_DRIVER"] == "slirp4netns"


@pytest.mark.parametrize(
    ("network", "driver"), [("pasta", "builtin"), ("default", "implicit"), ("pasta", "slirp4netns")]
)
def test_port_driver_that_rootlesskit_refuses_is_refused_before(network: str, driver: str) -> None:
    with pytest.raises(ConfigError, match="use implicit with pasta alone"):
        unit_text(UnitChoices(SCRIPT, network, 0, driver))


@given(st.text(min_size=1, max_size=20), st.text(max_size=40))
def test_environment_cannot_break_out_of_its_line(name: str, value: str) -> None:
    try:
        text = unit_text(UnitChoices(SCRIPT, environment=((name, value),)))
    except ConfigError:
        return
    assert text.count("\n") == unit_text(UnitChoices(SCRIPT)).count("\n") + (name != "PATH")
    assert started_with(text)[0] == (SCRIPT,)


@pytest.mark.parametrize(("name", "value"), [("A B", "x"), ("", "x"), ("A", "x\nExecStart=/bin/sh"), ("A\n", "x")])
def test_environment_that_no_unit_can_carry_is_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match="rootless_environment"):
        unit_text(UnitChoices(SCRIPT, environment=((name, value),)))


def test_kernel_settings_are_those_that_were_asked_for() -> None:
    assert sysctl_settings(None, False) == {}
    assert sysctl_text({}) == ""
    wanted = sysctl_settings(80, True)
    assert wanted == {
        "net.ipv4.ip_unprivileged_port_start": "80",
        "net.ipv4.ping_group_range": "0 2147483647",
    }
    assert sysctl_text(wanted).splitlines()[1:] == [f"{name} = {value}" for name, value in wanted.items()]


@pytest.mark.parametrize("port", [0, -1, 1025])
def test_impossible_port_is_refused(port: int) -> None:
    with pytest.raises(ConfigError, match="rootless_lowest_port"):
        sysctl_settings(port, False)


def test_small_files_say_what_they_must() -> None:
    assert delegation().splitlines()[1:] == ["[Service]", "Delegate=cpu cpuset io memory pids"]
    assert modules_text([]) == profile_script([]) == ""
    assert modules_text(["tun"]).splitlines()[1:] == ["tun"]
    assert "ann | bob)" in profile_script(["bob", "ann"])
    assert "profile bulwark-rootlesskit /usr/bin/rootlesskit flags=(unconfined)" in apparmor_profile(
        "/usr/bin/rootlesskit"
    )
