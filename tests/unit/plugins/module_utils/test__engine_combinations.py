# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings that dockerd loads and then dies of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._engine_combinations import (
    HostFacts,
    PortUse,
    check_combinations,
    paths_to_inspect,
    tls_enabled,
)
from ansible_collections.bulwark.docker.plugins.module_utils._engine_keys import KEYS
from ansible_collections.bulwark.docker.plugins.module_utils._flags import parse_flags
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version

V20, V26, V28, V29 = Version(20, 10, 24), Version(26, 1, 5), Version(28, 5, 2), Version(29, 2, 0)
HOST = HostFacts()
SWARM = HostFacts(swarm_active=True)
NO_BRIDGE = HostFacts(bridge_netfilter=False)
ROOTLESS = HostFacts(rootless=True)
ROOTLESS_SELINUX = HostFacts(rootless=True, selinux_enabled=True)
LIMIT = {"Name": "nofile", "Soft": 1, "Hard": 2}
PEM = {
    "/ca": b"-----BEGIN CERTIFICATE-----",
    "/cert": b"-----BEGIN CERTIFICATE-----",
    "/key": b"-----BEGIN PRIVATE KEY-----",
}
TLS = {"tlsverify": True, "tlscacert": "/ca", "tlscert": "/cert", "tlskey": "/key"}
TCP = {"hosts": ["unix:///x", "tcp://0.0.0.0:2376"]}
FILES = replace(HOST, existing_files=PEM)


def seccomp(head: bytes | None) -> HostFacts:
    return HostFacts(existing_files={"/p": head})


COMBINATIONS_OK: list[tuple[Version, dict[str, Any], list[str], HostFacts]] = [
    (V26, {}, ["-H", "fd://", "--containerd=/run/c.sock"], HOST),
    (V26, {"icc": False, "userland-proxy": False}, [], HOST),
    (V26, {"icc": True, "iptables": False}, [], HOST),
    (
        V26,
        {"default-address-pools": [{"base": "10.0.0.0/16", "size": 24}, {"base": "fd00::/64", "size": 64}]},
        [],
        HOST,
    ),
    (V26, {"log-driver": "ours"}, [], replace(HOST, log_drivers=("json-file", "ours"))),
    (V26, {"log-driver": "ours"}, [], HOST),
    (V26, {"bip": "10.1.1.1/24", "fixed-cidr": "10.1.1.0/25"}, [], HOST),
    (V26, {"userland-proxy": False}, [], NO_BRIDGE),
    (V28, {}, [], NO_BRIDGE),
    (V28, {"userland-proxy": False, "icc": False}, [], ROOTLESS),
    (V26, {"live-restore": False, "userland-proxy": True}, [], ROOTLESS),
    (V28, {"icc": False, "ipv6": True}, [], HOST),
    (V20, {"ip6tables": True, "experimental": True}, [], HOST),
    (V26, {"default-ulimits": {"nofile": LIMIT, "core": {"name": "core", "soft": -1, "hard": -1}}}, [], HOST),
    (V26, {"cgroup-parent": "docker.slice"}, [], HOST),
    (V26, {"cgroup-parent": "docker", "exec-opts": ["native.cgroupdriver=cgroupfs"]}, [], HOST),
    (V26, {"log-driver": "journald", "log-opts": {"tag": "x"}}, [], HOST),
    (V26, {"log-opts": {"max-size": "10m", "max-file": "3", "compress": "true", "mode": "non-blocking"}}, [], HOST),
    (V26, {"log-driver": "some/plugin:latest", "log-opts": {"anything": "x"}}, [], HOST),
    (V26, {"log-driver": "none", "log-opts": {"max-size": "10m"}}, [], HOST),
    (V26, {"seccomp-profile": "builtin"}, [], HOST),
    (V26, {"seccomp-profile": "/p"}, [], seccomp(b'{"defaultAction": "SCMP_ACT_ERRNO", "sysc')),
    (V20, {"storage-driver": "aufs"}, [], HOST),
    (V26, {"default-runtime": "x", "runtimes": {"x": {"path": "/x"}}}, [], replace(HOST, runtimes_found=("/x",))),
    (V26, {"default-runtime": "io.containerd.kata.v2"}, [], HOST),
    (V26, {"authorization-plugins": ["opa"]}, [], replace(HOST, authorization_plugins=("opa",))),
    (V26, {**TLS, **TCP}, [], FILES),
    (V26, {}, ["-H", "tcp://0.0.0.0", "--tlsverify", "--tlscacert=/ca", "--tlscert=/cert", "--tlskey=/key"], FILES),
    (V26, {"metrics-addr": "127.0.0.1:9323"}, [], replace(HOST, ports_in_use=(PortUse("", 9323, "dockerd"),))),
    (V28, {"userns-remap": "x", "features": {"containerd-snapshotter": False}}, [], HOST),
    (V29, {"firewall-backend": "nftables", "features": {"swarm-nftables": True}}, [], SWARM),
]
# version, data, flags, facts, code, key, fatal, words
COMBINATIONS_BAD: list[tuple[Version, dict[str, Any], list[str], HostFacts, str, str, bool, str]] = [
    (V26, {"icc": False, "iptables": False}, [], HOST, "icc_without_iptables", "icc", True, "daemon_baseline_icc"),
    (V26, {"iptables": False}, ["--icc=false"], HOST, "icc_without_iptables", "icc", True, "flag --icc"),
    (
        V28,
        {"icc": False, "ipv6": True, "ip6tables": False},
        [],
        HOST,
        "icc_without_ip6tables",
        "icc",
        True,
        "ip6tables",
    ),
    (V26, {"icc": False, "ipv6": True}, [], HOST, "icc_without_ip6tables", "icc", False, "ip6tables"),
    (V26, {"ip6tables": True}, [], HOST, "ip6tables_not_experimental", "ip6tables", True, "'experimental' true"),
    (V26, {"bridge": "br0", "bip": "10.0.0.1/24"}, [], HOST, "bridge_and_bip", "bridge", True, "exclude each other"),
    (V26, {"icc": False}, [], NO_BRIDGE, "bridge_netfilter_missing", "icc", True, "load br_netfilter"),
    (
        V28,
        {"userland-proxy": False},
        [],
        NO_BRIDGE,
        "bridge_netfilter_missing",
        "userland-proxy",
        True,
        "daemon_baseline_userland_proxy",
    ),
    (
        V29,
        {"firewall-backend": "nftables"},
        [],
        SWARM,
        "nftables_with_swarm",
        "firewall-backend",
        True,
        "leave the swarm",
    ),
    (
        V26,
        {"exec-opts": ["native.cgroupdriver=none"]},
        [],
        HOST,
        "cgroup_driver",
        "exec-opts",
        True,
        "'none' does not exist",
    ),
    (V26, {"cgroup-parent": "docker"}, [], HOST, "cgroup_parent_not_slice", "cgroup-parent", True, "ends in .slice"),
    (V26, {"cgroup-parent": ".slice"}, [], HOST, "cgroup_parent_not_slice", "cgroup-parent", True, "ends in .slice"),
    (V26, {"cpu-rt-period": 5}, [], HOST, "realtime_on_cgroup2", "cpu-rt-period", True, "does not exist on cgroup v2"),
    (
        V26,
        {"default-ulimits": {"nofile": {"Hard": 1}}},
        [],
        HOST,
        "default_ulimit",
        "default-ulimits",
        True,
        "no inner Name",
    ),
    (
        V26,
        {"default-ulimits": {"x": {"Name": "x"}}},
        [],
        HOST,
        "default_ulimit",
        "default-ulimits",
        True,
        "no resource limit",
    ),
    (
        V26,
        {"default-ulimits": {"a": {**LIMIT, "Soft": 3}}},
        [],
        HOST,
        "default_ulimit",
        "default-ulimits",
        True,
        "Soft 3 above Hard 2",
    ),
    (V26, {"selinux-enabled": True}, [], HOST, "selinux_off", "selinux-enabled", False, "does nothing"),
    (
        V26,
        {"seccomp-profile": "unconfined"},
        [],
        HOST,
        "seccomp_unconfined",
        "seccomp-profile",
        False,
        "every system call",
    ),
    (V20, {"seccomp-profile": "builtin"}, [], HOST, "seccomp_word", "seccomp-profile", True, "for the name of a file"),
    (V26, {"seccomp-profile": "/p"}, [], seccomp(None), "seccomp_missing", "seccomp-profile", True, "does not exist"),
    (
        V26,
        {"seccomp-profile": "/p"},
        [],
        seccomp(b" {} "),
        "seccomp_empty",
        "seccomp-profile",
        True,
        "switches seccomp off",
    ),
    (
        V26,
        {"seccomp-profile": "/p"},
        [],
        seccomp(b"not json"),
        "seccomp_empty",
        "seccomp-profile",
        True,
        "a whole profile",
    ),
    (V26, {"runtimes": {"runc": {"path": "x"}}}, [], HOST, "runtime_reserved", "runtimes", True, "is reserved"),
    (
        V26,
        {"default-runtime": "x"},
        [],
        HOST,
        "runtime_undefined",
        "default-runtime",
        True,
        "not defined in 'runtimes'",
    ),
    (
        V26,
        {"default-address-pools": [{"base": "10.0.0.0/24", "size": 16}]},
        [],
        HOST,
        "address_pool",
        "default-address-pools",
        True,
        "do not fit into the pool",
    ),
    (V26, {"bip": "10.1.1.1"}, [], HOST, "network_address", "bip", True, "no address with a prefix length"),
    (
        V26,
        {"log-driver": "jsonfile"},
        [],
        replace(HOST, log_drivers=("json-file", "local")),
        "log_driver_unknown",
        "log-driver",
        True,
        "no log driver 'jsonfile'",
    ),
    (
        V26,
        {"default-runtime": "x", "runtimes": {"x": {"path": "/x"}}},
        [],
        replace(HOST, runtimes_found=()),
        "runtime_missing",
        "default-runtime",
        True,
        "not installed",
    ),
    (
        V26,
        {"log-driver": "journald", "log-opts": {"max-size": "1m"}},
        [],
        HOST,
        "log_opt_unknown",
        "log-opts",
        True,
        "daemon_baseline_log_driver",
    ),
    (
        V26,
        {"log-driver": "logentries"},
        [],
        HOST,
        "log_driver_removed",
        "log-driver",
        True,
        "no longer has the log driver",
    ),
    (
        V20,
        {},
        ["--log-driver=awslogs", "--log-opt", "awslogs-format=x", "--log-opt", "awslogs-group=g"],
        HOST,
        "log_opt_unknown",
        "log-opts",
        True,
        "'awslogs-format'",
    ),
    (V26, {"log-opts": {"mode": "x"}}, [], HOST, "log_opt_value", "log-opts", True, "neither blocking nor"),
    (
        V26,
        {"log-opts": {"max-buffer-size": "1m"}},
        [],
        HOST,
        "log_opt_value",
        "log-opts",
        True,
        "needs the mode non-blocking",
    ),
    (V26, {"log-opts": {"max-size": "x"}}, [], HOST, "log_opt_value", "log-opts", True, "is not a size"),
    (V26, {"log-opts": {"max-file": "0"}}, [], HOST, "log_opt_value", "log-opts", True, "not a number from 1"),
    (V26, {"log-opts": {"compress": "true"}}, [], HOST, "log_opt_value", "log-opts", True, "compress needs max-size"),
    (V26, {"log-driver": "awslogs"}, [], HOST, "log_opt_value", "log-opts", True, "needs the option 'awslogs-group'"),
    (V26, {"storage-driver": "devicemapper"}, [], HOST, "storage_driver_removed", "storage-driver", True, "overlay2"),
    (
        V26,
        {"authorization-plugins": ["opa"]},
        [],
        replace(HOST, authorization_plugins=()),
        "authorization_plugin_missing",
        "authorization-plugins",
        True,
        "'opa' is not installed",
    ),
    (V26, {"insecure-registries": ["-x"]}, [], HOST, "insecure_registry", "insecure-registries", True, "hyphen"),
    (
        V26,
        {"userns-remap": "x"},
        [],
        replace(HOST, rootless=True),
        "userns_remap_rootless",
        "userns-remap",
        True,
        "rootless",
    ),
    (
        V26,
        {"live-restore": True},
        [],
        ROOTLESS,
        "live_restore_rootless",
        "live-restore",
        True,
        "set 'live-restore' in rootless_settings to false",
    ),
    (
        V26,
        {"userland-proxy": False},
        [],
        ROOTLESS,
        "userland_proxy_rootless",
        "userland-proxy",
        True,
        "no published port",
    ),
    (V26, {"selinux-enabled": True}, [], ROOTLESS_SELINUX, "selinux_rootless", "selinux-enabled", False, "label"),
    (
        V29,
        {"userns-remap": "x", "features": {"containerd-snapshotter": True}},
        [],
        HOST,
        "userns_remap_snapshotter",
        "userns-remap",
        True,
        "exclude",
    ),
    (
        V28,
        {"userns-remap": "x"},
        ["--feature", "containerd-snapshotter"],
        HOST,
        "userns_remap_snapshotter",
        "userns-remap",
        False,
        "exclude",
    ),
    *(
        (V26, {"userns-remap": text}, [], HOST, "userns_remap_root", "userns-remap", False, "maps nothing")
        for text in ("root", "0", "root:staff")
    ),
    (
        V26,
        {"live-restore": True},
        [],
        SWARM,
        "live_restore_with_swarm",
        "live-restore",
        True,
        "daemon_baseline_live_restore",
    ),
    (
        V26,
        {"containerd-namespace": "plugins.moby"},
        [],
        HOST,
        "namespaces_equal",
        "containerd-namespace",
        True,
        "different names",
    ),
    (V26, {"userland-proxy-path": "x"}, [], HOST, "userland_proxy_path", "userland-proxy-path", True, "absolute path"),
    (V26, {"hosts": ["fd://", "tcp://127.0.0.1"]}, [], HOST, "tcp_without_tls", "hosts", True, "TLS is off"),
    (V26, {}, ["-H", "0.0.0.0:2375"], HOST, "tcp_without_tls", "hosts", True, "flag -H"),
    (
        V26,
        {**TLS, **TCP, "tlsverify": False},
        [],
        FILES,
        "tls_without_verify",
        "tlsverify",
        True,
        "asks for no client certificate",
    ),
    (
        V26,
        {"tlsverify": True, "tlscert": "/cert", "tlskey": "/key", **TCP},
        [],
        FILES,
        "tls_without_ca",
        "tlscacert",
        True,
        "any one of a public CA",
    ),
    (V26, TLS, [], FILES, "tls_without_socket", "tlsverify", True, "no Unix socket"),
    (
        V26,
        {**TLS, **TCP, "tlskey": "/no"},
        [],
        replace(HOST, existing_files={**PEM, "/no": None}),
        "tls_file",
        "tlskey",
        True,
        "/no does not exist",
    ),
    (V26, {**TLS, **TCP, "tlskey": "/cert"}, [], FILES, "tls_file", "tlskey", True, "is not the PEM file"),
    (
        V26,
        {**TLS, **TCP},
        [],
        replace(HOST, existing_files={**PEM, "/key": b"ENCRYPTED PRIVATE KEY-----"}),
        "tls_file",
        "tlskey",
        True,
        "is encrypted",
    ),
    (V26, {**TLS, **TCP, "tlscert": ""}, [], FILES, "tls_file", "tlscert", True, "without 'tlscert'"),
    (
        V26,
        {**TLS, **TCP},
        [],
        replace(FILES, ports_in_use=(PortUse("127.0.0.1", 2376, "nginx"),)),
        "port_in_use",
        "hosts",
        True,
        "which nginx uses",
    ),
]


@pytest.mark.parametrize(("version", "data", "argv", "facts"), COMBINATIONS_OK)
def test_combination_that_works_has_no_finding(
    version: Version, data: dict[str, Any], argv: list[str], facts: HostFacts
) -> None:
    assert check_combinations(data, parse_flags(argv, version), version, facts) == []


@pytest.mark.parametrize(("version", "data", "argv", "facts", "code", "key", "fatal", "words"), COMBINATIONS_BAD)
def test_combination_that_fails_is_named(
    version: Version,
    data: dict[str, Any],
    argv: list[str],
    facts: HostFacts,
    code: str,
    key: str,
    fatal: bool,
    words: str,
) -> None:
    (finding,) = check_combinations(data, parse_flags(argv, version), version, facts)
    assert (finding.code, finding.key, finding.fatal) == (code, key, fatal)
    assert words in finding.message
    assert finding.message.startswith("Run the engine with these settings: ")
    assert key in KEYS


def test_paths_to_inspect_are_those_the_checks_need() -> None:
    data = {**TLS, "seccomp-profile": "/p", "userland-proxy-path": "/proxy", "tlskey": "relative"}
    assert paths_to_inspect(data, parse_flags([], V26)) == ("/ca", "/cert", "/p", "/proxy")
    by_flag = parse_flags(["--tlsverify", "--tlscert=/c"], V26)
    assert paths_to_inspect({}, by_flag, "/home") == ("/home/ca.pem", "/c", "/home/key.pem")
    assert paths_to_inspect({"tlscert": "/c"}, parse_flags([], V26)) == ()


def test_tls_is_on_as_soon_as_tlsverify_is_there() -> None:
    nothing = parse_flags([], V26)
    assert tls_enabled({}, nothing, V26) == (False, False)
    assert tls_enabled({"tls": True}, nothing, V26) == (True, True)
    assert tls_enabled({"tlsverify": False}, nothing, V26) == (True, False)
    assert tls_enabled({"tlsverify": None}, nothing, V26) == (True, True)
    assert tls_enabled({"tls": False}, parse_flags(["--tlsverify"], V26), V26) == (True, True)
