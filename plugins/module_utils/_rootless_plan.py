# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rootless engines: who may have one, what is missing, which limits apply, and the files for them (pure, private)."""

from __future__ import annotations

import re
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError
from ansible_collections.bulwark.docker.plugins.module_utils._rootless_tables import (
    ALWAYS,
    CONTROLLERS,
    FAMILIES,
    NATIVE_OVERLAY,
    PACKAGES,
    PING_RANGE,
    ROOTLESSKIT_NAMES,
    SCRIPT_PACKAGE,
    SMALLEST_RANGE,
    SYSTEMD_FLOOR,
    Limit,
)

__all__ = [
    "Account",
    "HostState",
    "UnitChoices",
    "apparmor_profile",
    "applying_limits",
    "check_accounts",
    "check_host",
    "check_range",
    "delegation",
    "family_of",
    "missing_needs",
    "modules_text",
    "packages_for",
    "parse_kernel",
    "profile_script",
    "sysctl_settings",
    "sysctl_text",
    "systemd_version",
    "unit_text",
]

HEADER = "# Written by Ansible (bulwark.docker, role rootless); changes are put right by its next run.\n"
PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\$?\Z")
PLAIN_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
UNIT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LOWEST_PORT = 1024


class Account(NamedTuple):
    """A user that is to have an engine; C(uid) is None for one that the host does not know.

    C(home_kind) is the kind of the home directory ("" where there is none), C(home_uid) its owner.
    """

    name: str
    uid: Optional[int]
    home: str = ""
    home_kind: str = ""
    home_uid: int = -1


class HostState(NamedTuple):
    """What was seen on a host; texts are "" and numbers None where the kernel has no such setting."""

    kernel: Tuple[int, int] = (0, 0)
    systemd: int = 0
    script: str = ""
    programs: Tuple[str, ...] = ()
    user_bus: bool = False
    cgroup_version: int = 2
    controllers: Tuple[str, ...] = CONTROLLERS
    max_user_namespaces: Optional[int] = None
    unprivileged_userns_clone: Optional[int] = None
    apparmor: bool = False
    apparmor_restricts: bool = False
    apparmor_profile_present: bool = False
    port_start: Optional[int] = None
    ping_range: str = ""
    engine: bool = True


class UnitChoices(NamedTuple):
    """What the user chose for the unit of an engine."""

    script: str
    network: str = "default"
    mtu: int = 0
    port_driver: str = "default"
    environment: Tuple[Tuple[str, str], ...] = ()


def parse_kernel(release: str) -> Tuple[int, int]:
    """Major and minor number from a kernel's release such as "6.12.1-amd64"; (0, 0) for another text."""
    found = re.match(r"(\d+)\.(\d+)", release)
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)


def systemd_version(text: str) -> int:
    """Number from the first line of "systemctl --version"; 0 for another text."""
    found = re.match(r"systemd (\d+)", text)
    return int(found.group(1)) if found else 0


def family_of(os_release: str) -> str:
    """Family of a distribution from the text of os-release(5), "" for an unknown one."""
    words: List[str] = []
    for line in os_release.splitlines():
        name, _equals, value = line.partition("=")
        if name in ("ID", "ID_LIKE"):
            words += value.strip().strip("\"'").lower().split()
    return next((FAMILIES[word] for word in words if word in FAMILIES), "")


def check_accounts(accounts: Sequence[Account]) -> None:
    """Refuse users that cannot have an engine of their own.

    Raises ConfigError that names each of them, what is wrong and what to do.
    """
    problems: List[str] = []
    names = [account.name for account in accounts]
    uids: Dict[int, str] = {}
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            problems.append(f"{name!r} stands there {names.count(name)} times; name each user once")
    for account in dict.fromkeys(accounts):
        problem = _account_problem(account)
        if not problem and account.uid in uids:
            problem = f"has the same uid {account.uid} as {uids[account.uid]!r}; leave one of them out"
        if problem:
            problems.append(f"{account.name!r} {problem}")
        elif account.uid is not None:
            uids[account.uid] = account.name
    if problems:
        raise ConfigError("Give users a rootless engine: " + "; ".join(problems) + " (rootless_users)")


def _account_problem(account: Account) -> str:
    if not PLAIN_NAME.match(account.name):
        return "is no name of a user; use the name as it stands in /etc/passwd"
    if account.uid is None:
        return "is no user of this host; create the user first"
    if account.uid == 0:
        return "is root, whose engine would be no rootless one; name an ordinary user"
    if account.home_kind != "directory" or account.home in ("", "/"):
        return f"has no home directory ({account.home or 'none in the user database'}); create it first"
    if account.home_uid != account.uid:
        return f"does not own the home directory {account.home} (uid {account.home_uid} does); give it to the user"
    return ""


def check_range(count: int) -> None:
    """Refuse too few subordinate ids; ConfigError."""
    if count < SMALLEST_RANGE:
        raise ConfigError(
            f"Give users a rootless engine: {count} subordinate ids are too few for the users and groups of an image "
            f"(rootless_subid_count); ask for at least {SMALLEST_RANGE}"
        )


def check_host(state: HostState) -> None:
    """Refuse a host that cannot run rootless engines at all; ConfigError with the remedy."""
    problem = ""
    if not state.engine:
        problem = "the host has no dockerd; install the engine first (the system's engine may stay stopped)"
    elif state.systemd < SYSTEMD_FLOOR:
        problem = f"systemd {state.systemd} is too old for engines of users; {SYSTEMD_FLOOR} or newer is needed"
    elif state.max_user_namespaces == 0:
        problem = "user namespaces are switched off; set the kernel setting user.max_user_namespaces to 15000 or more"
    elif state.unprivileged_userns_clone == 0:
        problem = "users may not make user namespaces; set the kernel setting kernel.unprivileged_userns_clone to 1"
    if problem:
        raise ConfigError(f"Run rootless engines on this host: {problem}")


def missing_needs(state: HostState, network: str) -> List[str]:
    """What is not installed and has to be, by the names of PACKAGES, and the script that starts an engine."""
    wanted = ["newuidmap", "iptables"]
    if state.script:
        wanted += [] if any(name in state.programs for name in ROOTLESSKIT_NAMES) else ["rootlesskit"]
    wanted.append("pasta" if network == "pasta" else "slirp4netns")
    if state.kernel < NATIVE_OVERLAY:
        wanted.append("fuse-overlayfs")
    missing = [name for name in wanted if name not in state.programs]
    missing += [] if state.user_bus else ["user bus"]
    return missing + ([] if state.script else [SCRIPT_PACKAGE])


def packages_for(needs: Sequence[str], family: str) -> List[str]:
    """Packages of a family that bring what is needed, sorted."""
    return sorted({PACKAGES.get(need, {}).get(family, need.replace(" ", "-")) for need in needs})


def applying_limits(state: HostState) -> List[Limit]:
    """Limits of rootless engines that apply on this host: those of the host first, then those of every host."""
    found: List[Limit] = []
    if state.cgroup_version < 2:
        remedy = "boot with systemd.unified_cgroup_hierarchy=1"
        found.append(Limit("cgroup_v1", "limits of memory, processors and processes have no effect", remedy))
    missing = [name for name in CONTROLLERS if name not in state.controllers]
    if state.cgroup_version >= 2 and missing:
        text = f"limits that need the controllers {', '.join(missing)} have no effect, the host does not lend them"
        found.append(Limit("controllers", text, "look at cgroup.controllers of the topmost control group"))
    if state.apparmor:
        text = "containers run without an AppArmor profile, since only root can load one"
        found.append(Limit("apparmor", text))
    if state.kernel < NATIVE_OVERLAY:
        text = "the kernel does not let users mount overlays, so fuse-overlayfs is used, which is slower"
        found.append(Limit("storage", text, "use a kernel from 5.11 on"))
    if state.port_start is not None and state.port_start > 0:
        text = f"ports below {state.port_start} cannot be published"
        found.append(Limit("low_ports", text, "set rootless_lowest_port"))
    low, _blank, high = " ".join(state.ping_range.split()).partition(" ")
    if low.isdigit() and high.isdigit() and int(low) > int(high):
        found.append(Limit("ping", "containers cannot ping the world outside of the host", "set rootless_ping"))
    return [*found, *ALWAYS]


def _assignment(name: str, value: str) -> str:
    """One Environment= line of a unit; systemd.exec(5) and the specifiers of systemd.unit(5)."""
    if not PLAIN_VARIABLE.match(name):
        raise ConfigError(
            f"Write the unit of a rootless engine: {name!r} is no name of an environment variable "
            "(rootless_environment); use letters, digits and underscores"
        )
    if any(ord(letter) < 32 for letter in value):
        raise ConfigError(
            f"Write the unit of a rootless engine: the value of {name} holds a control character "
            "(rootless_environment); a unit can only carry one line of text"
        )
    quoted = value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'Environment="{name}={quoted}"\n'


def _check_port_driver(choices: UnitChoices) -> None:
    """Refuse what rootlesskit refuses at start: pasta does the ports itself, and nothing else can."""
    network, driver = choices.network, choices.port_driver
    if driver != "default" and (network == "pasta") != (driver == "implicit"):
        raise ConfigError(
            f"Publish ports of a rootless engine: the port driver {driver!r} does not go with the network {network!r} "
            "(rootless_port_driver, rootless_network); use implicit with pasta alone"
        )


def unit_text(choices: UnitChoices) -> str:
    """The unit of a user's engine; ConfigError for what no unit can carry and what rootlesskit refuses."""
    _check_port_driver(choices)
    environment = {"PATH": UNIT_PATH}
    prefix = "DOCKERD_ROOTLESS_ROOTLESSKIT_"
    if choices.network != "default":
        environment[prefix + "NET"] = choices.network
    if choices.mtu:
        environment[prefix + "MTU"] = str(choices.mtu)
    if choices.port_driver != "default":
        environment[prefix + "PORT_DRIVER"] = choices.port_driver
    elif choices.network == "pasta":
        environment[prefix + "PORT_DRIVER"] = "implicit"
    environment.update(choices.environment)
    lines = "".join(_assignment(name, value) for name, value in environment.items())
    return (
        HEADER
        + "[Unit]\nDescription=Docker engine of this user, without root\n"
        + "Documentation=https://docs.docker.com/engine/security/rootless/\n"
        + "Wants=dbus.socket\nAfter=dbus.socket\nStartLimitIntervalSec=60\nStartLimitBurst=3\n\n"
        + f"[Service]\nType=notify\nNotifyAccess=all\n{lines}"
        + f"ExecStart={choices.script}\nExecReload=/bin/kill -s HUP $MAINPID\n"
        # The engine limits its containers itself; what it stops must be able to end in peace.
        + "TimeoutStartSec=300\nTimeoutStopSec=120\nRestart=always\nRestartSec=2\n"
        + "LimitNOFILE=infinity\nLimitNPROC=infinity\nLimitCORE=infinity\nTasksMax=infinity\n"
        + "Delegate=yes\nKillMode=mixed\n\n[Install]\nWantedBy=default.target\n"
    )


def delegation() -> str:
    """Drop-in of a user's service manager that hands all controllers over."""
    return HEADER + f"[Service]\nDelegate={' '.join(CONTROLLERS)}\n"


def sysctl_settings(lowest_port: Optional[int], ping: bool) -> Dict[str, str]:
    """Kernel settings by name; ConfigError for an impossible port."""
    found: Dict[str, str] = {}
    if lowest_port is not None:
        if not 1 <= lowest_port <= LOWEST_PORT:
            raise ConfigError(
                f"Publish low ports: {lowest_port} is not between 1 and {LOWEST_PORT} (rootless_lowest_port); "
                "name the lowest port that users may listen on"
            )
        found["net.ipv4.ip_unprivileged_port_start"] = str(lowest_port)
    if ping:
        found["net.ipv4.ping_group_range"] = PING_RANGE
    return found


def sysctl_text(settings: Mapping[str, str]) -> str:
    """Content of the file in sysctl.d, "" for no settings."""
    return HEADER + "".join(f"{name} = {value}\n" for name, value in settings.items()) if settings else ""


def modules_text(names: Sequence[str]) -> str:
    """Content of the file in modules-load.d, "" for no modules."""
    return HEADER + "".join(f"{name}\n" for name in names) if names else ""


def profile_script(users: Sequence[str]) -> str:
    """Shell script for log-ins that points the client of these users at their engine, "" for no users."""
    if not users:
        return ""
    return (
        HEADER
        + f'case "$(id -un)" in\n{" | ".join(sorted(users))})\n'
        + '  : "${XDG_RUNTIME_DIR:=/run/user/$(id -u)}"\n'
        + '  : "${DOCKER_HOST:=unix://$XDG_RUNTIME_DIR/docker.sock}"\n'
        + "  export XDG_RUNTIME_DIR DOCKER_HOST\n  ;;\nesac\n"
    )


def apparmor_profile(program: str) -> str:
    """A profile that lets rootlesskit make user namespaces where the kernel keeps that from other programs."""
    return (
        HEADER
        + "abi <abi/4.0>,\ninclude <tunables/global>\n\n"
        + f"profile bulwark-rootlesskit {program} flags=(unconfined) {{\n  userns,\n}}\n"
    )
