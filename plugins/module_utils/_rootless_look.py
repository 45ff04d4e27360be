# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host and its users bring for rootless engines (private). Nothing here changes the host."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._host_api import Host
from ansible_collections.bulwark.docker.plugins.module_utils._instance import STATE_ROOT
from ansible_collections.bulwark.docker.plugins.module_utils._rootless_plan import (
    Account,
    HostState,
    applying_limits,
    check_accounts,
    check_host,
    check_range,
    family_of,
    missing_needs,
    packages_for,
    parse_kernel,
    systemd_version,
)
from ansible_collections.bulwark.docker.plugins.module_utils._rootless_tables import (
    BUS_FILES,
    CONTROLLERS,
    ROOTLESSKIT_NAMES,
    SCRIPT_PATHS,
)

__all__ = [
    "ENGINE_RECORD",
    "PROFILE_DIRECTORY",
    "Inquiry",
    "inquire",
    "look_at_account",
    "look_at_host",
    "managed_users",
    "user_controllers",
]

PROGRAM_SECONDS = 30.0
PROFILE_DIRECTORY = "/etc/apparmor.d"
OWN_PROFILE = "bulwark-rootlesskit"
ENGINE_RECORD = "engine.json"
CGROUP_ROOT = "/sys/fs/cgroup"
LOOKED_FOR = ("newuidmap", "iptables", "slirp4netns", "pasta", "fuse-overlayfs", *ROOTLESSKIT_NAMES)


class Inquiry(NamedTuple):
    """What the module rootless_info is asked: names of users, the network of their engines, ids for each."""

    users: Tuple[str, ...]
    network: str
    subid_count: int


def _text(host: Host, path: str) -> str:
    return (host.read_file(path) or b"").decode("utf-8", "replace").strip()


def _number(host: Host, path: str) -> Optional[int]:
    text = _text(host, path)
    return int(text) if text.isdigit() else None


def look_at_account(host: Host, name: str) -> Account:
    """A user as the host knows it; the home directory is looked at too."""
    found = host.user(name)
    if found is None:
        return Account(name, None)
    facts = host.stat(found.home) if found.home else None
    return Account(name, found.uid, found.home, facts.kind if facts else "", facts.uid if facts else -1)


def _controllers(host: Host, path: str) -> Tuple[str, ...]:
    words = _text(host, path).split()
    return tuple(name for name in CONTROLLERS if name in words)


def user_controllers(host: Host, uid: int) -> Tuple[str, ...]:
    """Controllers that a user's service manager has got, as far as rootless engines use them."""
    folder = f"{CGROUP_ROOT}/user.slice/user-{uid}.slice/user@{uid}.service"
    return _controllers(host, folder + "/cgroup.controllers")


def look_at_host(host: Host) -> HostState:
    """Everything that decides whether and how rootless engines run here."""
    version = host.run(["systemctl", "--version"], timeout=PROGRAM_SECONDS).stdout
    profiles = [name for name in host.list_directory(PROFILE_DIRECTORY) if name != OWN_PROFILE]
    programs = tuple(name for name in LOOKED_FOR if host.which(name))
    rootlesskit = next((str(host.which(name)) for name in ROOTLESSKIT_NAMES if name in programs), "")
    restricts = _text(host, "/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1"
    return HostState(
        kernel=parse_kernel(_text(host, "/proc/sys/kernel/osrelease")),
        systemd=systemd_version(version),
        script=next((path for path in SCRIPT_PATHS if host.stat(path)), ""),
        programs=programs,
        user_bus=any(host.stat(path) for path in BUS_FILES),
        cgroup_version=2 if host.stat(CGROUP_ROOT + "/cgroup.controllers") else 1,
        controllers=_controllers(host, CGROUP_ROOT + "/cgroup.controllers"),
        max_user_namespaces=_number(host, "/proc/sys/user/max_user_namespaces"),
        unprivileged_userns_clone=_number(host, "/proc/sys/kernel/unprivileged_userns_clone"),
        apparmor=_text(host, "/sys/module/apparmor/parameters/enabled") == "Y",
        apparmor_restricts=restricts,
        apparmor_profile_present=restricts
        and bool(rootlesskit)
        and any(f" {rootlesskit} " in _text(host, f"{PROFILE_DIRECTORY}/{name}") for name in profiles),
        port_start=_number(host, "/proc/sys/net/ipv4/ip_unprivileged_port_start"),
        ping_range=_text(host, "/proc/sys/net/ipv4/ping_group_range"),
        engine=host.which("dockerd") is not None,
    )


def managed_users(host: Host) -> List[str]:
    """Users whose engines this collection has set up, sorted."""
    names = [name.partition("-")[2] for name in host.list_directory(STATE_ROOT) if name.startswith("rootless-")]
    return [name for name in names if host.stat(f"{STATE_ROOT}/rootless-{name}/{ENGINE_RECORD}")]


def inquire(host: Host, inquiry: Inquiry) -> Dict[str, Any]:
    """The result of the module rootless_info.

    Raises ConfigError for users that cannot have an engine, too few ids, and a host that cannot run any.
    """
    check_range(inquiry.subid_count)
    accounts = [look_at_account(host, name) for name in inquiry.users]
    check_accounts(accounts)
    state = look_at_host(host)
    if accounts:
        check_host(state)
    needs = missing_needs(state, inquiry.network) if accounts else []
    return {
        "changed": False,
        "limits": [limit._asdict() for limit in applying_limits(state)],
        "managed": managed_users(host),
        "missing": needs,
        "packages": packages_for(needs, family_of(_text(host, "/etc/os-release"))),
        "script": state.script,
        "users": [_described(host, account) for account in accounts],
    }


def _described(host: Host, account: Account) -> Dict[str, Any]:
    uid = account.uid or 0
    return {
        "name": account.name,
        "uid": uid,
        "home": account.home,
        "socket": f"/run/user/{uid}/docker.sock",
        "controllers": list(user_controllers(host, uid)),
    }
