# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls about the host and about files: sections 1 and 3 of the benchmark, as data (private).

Ids as in docker-bench-security (1.6.0); 1.7 and 1.8 keep them in these sections.
"""

from __future__ import annotations

from typing import Dict, NamedTuple, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._cis import HOST, Control

__all__ = ["AUDITED", "FILE_RULES", "HOST_CONTROLS", "FileRule"]


class FileRule(NamedTuple):
    """What a file has to be: C(kind) as the survey names it, C(mode) the bits that it may have (-1: not looked at).

    C(owner) says whether the owner is looked at, C(group) whether the engine's group may have it beside root's.
    """

    kind: str
    mode: int = -1
    owner: bool = False
    group: bool = False


def _same(number: str) -> Tuple[str, str, str]:
    return (number, number, number)


_RECORD = "record writing and changes of attributes there with the role auditd, and load the rules"


def _audited(number: str, name: str, title: str, level: int) -> Control:
    return Control(
        id=f"audit_{name}",
        cis=_same(number),
        title=f"The kernel records who changes {title}",
        severity="medium",
        remedy=_RECORD,
        level=level,
        scope=HOST,
        role="auditd",
        variable="auditd_state",
    )


# id of the control: what the survey names it.
AUDITED: Dict[str, str] = {
    "audit_engine": "dockerd",
    "audit_containerd_directory": "containerd_directory",
    "audit_data_root": "data_root",
    "audit_configuration": "directory",
    "audit_service_unit": "service",
    "audit_containerd_socket": "containerd_socket",
    "audit_api_socket": "api_socket",
    "audit_default_file": "default_file",
    "audit_daemon_json": "config",
    "audit_containerd_toml": "containerd_toml",
    "audit_sysconfig": "sysconfig",
    "audit_containerd": "containerd",
    "audit_shim": "shim",
    "audit_shim_v1": "shim_v1",
    "audit_shim_v2": "shim_v2",
    "audit_runc": "runc",
}

_SECTION_1: Tuple[Control, ...] = (
    Control(
        id="data_root_mount",
        cis=_same("1.1.1"),
        title="The engine's data lies on a file system of its own",
        severity="medium",
        remedy="put the data root on its own file system, so that containers cannot fill the host's",
        scope=HOST,
    ),
    Control(
        id="docker_group_members",
        cis=_same("1.1.2"),
        title="Only trusted people are in the group that may talk to the engine",
        severity="high",
        remedy="take everybody out of the group who need not be root on this host; use rootless engines or TLS instead",
        scope=HOST,
    ),
    _audited("1.1.3", "engine", "the engine's program", 1),
    _audited("1.1.4", "containerd_directory", "containerd's directory of sockets", 1),
    _audited("1.1.5", "data_root", "the engine's data", 1),
    _audited("1.1.6", "configuration", "the engine's configuration directory", 1),
    _audited("1.1.7", "service_unit", "the engine's unit", 2),
    _audited("1.1.8", "containerd_socket", "containerd's socket", 2),
    _audited("1.1.9", "api_socket", "the engine's API socket", 2),
    _audited("1.1.10", "default_file", "/etc/default/docker", 2),
    _audited("1.1.11", "daemon_json", "daemon.json", 2),
    _audited("1.1.12", "containerd_toml", "containerd's configuration", 2),
    _audited("1.1.13", "sysconfig", "/etc/sysconfig/docker", 2),
    _audited("1.1.14", "containerd", "containerd's program", 2),
    _audited("1.1.15", "shim", "the old shim", 2),
    _audited("1.1.16", "shim_v1", "the first shim of runc", 2),
    _audited("1.1.17", "shim_v2", "the second shim of runc", 2),
    _audited("1.1.18", "runc", "runc", 2),
    Control(
        id="host_hardened",
        cis=_same("1.2.1"),
        title="The host below the engine is hardened itself",
        severity="medium",
        remedy="apply the benchmark of your distribution to the host; this collection cares for the engine",
        scope=HOST,
        look="whether the host follows the benchmark of its distribution; nothing here looks at it",
    ),
    Control(
        id="engine_maintained",
        cis=_same("1.2.2"),
        title="The engine belongs to a release that still gets security fixes",
        severity="high",
        remedy="upgrade to a release that is maintained, by its makers or by your distribution",
    ),
)


def _owner(number: str, name: str, title: str, severity: str, owner: str = "root", role: str = "") -> Control:
    return Control(
        id=f"{name}_owner",
        cis=_same(number),
        title=f"{title} belongs to {owner}",
        severity=severity,
        remedy=f"give it to {owner} (chown), and find out who took it",
        scope=HOST,
        role=role,
        variable="daemon_tls_directory" if role else "",
    )


def _mode(number: str, name: str, title: str, severity: str, mode: str, role: str = "") -> Control:
    return Control(
        id=f"{name}_mode",
        cis=_same(number),
        title=f"{title} grants nothing beyond {mode}",
        severity=severity,
        remedy=f"take every bit away that {mode} does not have (chmod)",
        scope=HOST,
        role=role,
        variable="daemon_tls_directory" if role else "",
    )


_TLS = "daemon_tls"
_SECTION_3: Tuple[Control, ...] = (
    _owner("3.1", "service_unit", "The engine's unit, with its drop-ins,", "critical"),
    _mode("3.2", "service_unit", "The engine's unit, with its drop-ins,", "critical", "0644"),
    _owner("3.3", "socket_unit", "The socket's unit, with its drop-ins,", "critical"),
    _mode("3.4", "socket_unit", "The socket's unit, with its drop-ins,", "critical", "0644"),
    _owner("3.5", "configuration_directory", "/etc/docker", "critical"),
    _mode("3.6", "configuration_directory", "/etc/docker", "critical", "0755"),
    _owner("3.7", "registry_certificates", "What lies below /etc/docker/certs.d", "high"),
    _mode("3.8", "registry_certificates", "A certificate below /etc/docker/certs.d", "medium", "0444 (keys: 0400)"),
    _owner("3.9", "tls_ca", "The CA that vouches for clients", "critical", role=_TLS),
    _mode("3.10", "tls_ca", "The CA that vouches for clients", "high", "0444", role=_TLS),
    _owner("3.11", "tls_certificate", "The engine's certificate", "high", role=_TLS),
    _mode("3.12", "tls_certificate", "The engine's certificate", "medium", "0444", role=_TLS),
    _owner("3.13", "tls_key", "The engine's private key", "critical", role=_TLS),
    _mode("3.14", "tls_key", "The engine's private key", "critical", "0400", role=_TLS),
    _owner("3.15", "api_socket", "The engine's API socket", "critical", "root and the group docker"),
    _mode("3.16", "api_socket", "The engine's API socket", "critical", "0660"),
    _owner("3.17", "daemon_json", "daemon.json", "critical"),
    _mode("3.18", "daemon_json", "daemon.json", "critical", "0644"),
    _owner("3.19", "default_file", "The environment of the engine's unit", "critical"),
    _mode("3.20", "default_file", "The environment of the engine's unit", "critical", "0644"),
    _mode("3.21", "sysconfig", "/etc/sysconfig/docker", "critical", "0644"),
    _owner("3.22", "sysconfig", "/etc/sysconfig/docker", "critical"),
    _owner("3.23", "containerd_socket", "containerd's socket", "critical"),
    _mode("3.24", "containerd_socket", "containerd's socket", "critical", "0660"),
)

HOST_CONTROLS: Tuple[Control, ...] = (*_SECTION_1, *_SECTION_3)

FILE_RULES: Dict[str, Tuple[FileRule, ...]] = {
    "service_unit_owner": (FileRule("service", owner=True),),
    "service_unit_mode": (FileRule("service", mode=0o644),),
    "socket_unit_owner": (FileRule("socket", owner=True),),
    "socket_unit_mode": (FileRule("socket", mode=0o644),),
    "configuration_directory_owner": (FileRule("directory", owner=True),),
    "configuration_directory_mode": (FileRule("directory", mode=0o755),),
    "registry_certificates_owner": (
        FileRule("registry_certificates", owner=True),
        FileRule("registry_keys", owner=True),
    ),
    "registry_certificates_mode": (
        FileRule("registry_certificates", mode=0o444),
        FileRule("registry_keys", mode=0o400),
    ),
    "tls_ca_owner": (FileRule("tls_ca", owner=True),),
    "tls_ca_mode": (FileRule("tls_ca", mode=0o444),),
    "tls_certificate_owner": (FileRule("tls_certificate", owner=True),),
    "tls_certificate_mode": (FileRule("tls_certificate", mode=0o444),),
    "tls_key_owner": (FileRule("tls_key", owner=True),),
    "tls_key_mode": (FileRule("tls_key", mode=0o400),),
    "api_socket_owner": (FileRule("api_socket", owner=True, group=True),),
    "api_socket_mode": (FileRule("api_socket", mode=0o660),),
    "daemon_json_owner": (FileRule("config", owner=True),),
    "daemon_json_mode": (FileRule("config", mode=0o644),),
    "default_file_owner": (FileRule("default_file", owner=True),),
    "default_file_mode": (FileRule("default_file", mode=0o644),),
    "sysconfig_owner": (FileRule("sysconfig", owner=True),),
    "sysconfig_mode": (FileRule("sysconfig", mode=0o644),),
    "containerd_socket_owner": (FileRule("containerd_socket", owner=True),),
    "containerd_socket_mode": (FileRule("containerd_socket", mode=0o660),),
}
"""By the id of the control: which files, and what is allowed."""
