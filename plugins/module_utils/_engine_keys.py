# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every key of daemon.json that dockerd 20.10 to 29 knows on Linux, as data (private; may change at any time).

Sources: moby cmd/dockerd/{config,config_unix,options}.go (flags), daemon/config/{config,config_linux}.go (Go types,
validation) and daemon/reload*.go at the release tags; checked against the dockerd of 20.10, 26.1 and 28.5.
"""

from __future__ import annotations

from typing import Dict, FrozenSet, NamedTuple, Optional, Tuple

__all__ = ["FLAGS_ONLY", "FLAT_MAPS", "INERT_NAMES", "KEYS", "UNREACHABLE_FIELDS", "Key", "Since"]

Since = Tuple[int, ...]


class Key(NamedTuple):
    """What one top-level key of daemon.json means.

    shape: Go type of the value: bool, opt_bool, int, int64, str, list_str, ip, list_ip, list_addr, size, map_str,
    map_bool, map_map_str, pools, ulimits, runtimes, builder, proxies, nri, or "unread" (accepted, never decoded).
    flag, short: command-line names without dashes, "" where there is none.
    since: first version that accepts the key, (0,) for all (flag_since where the flag came later);
    until: first version that refuses it, None for never.
    ignored: first version in which the key is accepted but does nothing.
    reload: first version that reads the key again on SIGHUP, None for never.
    effect: "reload", "restart", or "full_stop" (a restart with no container running, because bridges are not
    reconfigured under live containers).
    containers: which containers get a new value: "running" (all, at once), "start" (read when a container starts),
    "new" (frozen into a container when it is created).
    owner: role that may set the key; variable: the role's variable that does; source: where the facts come from.
    """

    name: str
    shape: str
    flag: str = ""
    short: str = ""
    since: Since = (0,)
    until: Optional[Since] = None
    ignored: Optional[Since] = None
    reload: Optional[Since] = None
    effect: str = "restart"
    containers: str = "running"
    owner: Optional[str] = None
    variable: str = ""
    flag_since: Since = (0,)
    source: str = "cmd/dockerd/config.go"


_BASELINE = "daemon_baseline"
_UNIX = "cmd/dockerd/config_unix.go"
_OPTIONS = "cmd/dockerd/options.go"
_RELOAD = "daemon/reload.go"

_TABLE: Tuple[Key, ...] = (
    # isolation
    Key(
        "icc",
        "bool",
        "icc",
        effect="full_stop",
        owner=_BASELINE,
        variable="daemon_baseline_icc",
        source=_UNIX,
    ),
    Key(
        "no-new-privileges",
        "bool",
        "no-new-privileges",
        containers="new",
        owner=_BASELINE,
        variable="daemon_baseline_no_new_privileges",
        source=_UNIX,
    ),
    Key(
        "live-restore",
        "bool",
        "live-restore",
        reload=(0,),
        effect="reload",
        owner=_BASELINE,
        variable="daemon_baseline_live_restore",
        source=_RELOAD,
    ),
    Key(
        "userland-proxy",
        "bool",
        "userland-proxy",
        containers="start",
        owner=_BASELINE,
        variable="daemon_baseline_userland_proxy",
        source=_UNIX,
    ),
    Key(
        "selinux-enabled",
        "bool",
        "selinux-enabled",
        containers="new",
        owner=_BASELINE,
        variable="daemon_baseline_selinux_enabled",
        source=_UNIX,
    ),
    Key(
        "userns-remap",
        "str",
        "userns-remap",
        effect="full_stop",
        containers="new",
        owner="userns_remap",
        variable="userns_remap_user",
        source=_UNIX,
    ),
    Key(
        "seccomp-profile",
        "str",
        "seccomp-profile",
        containers="start",
        owner="seccomp",
        variable="seccomp_default_policies",
        source=_UNIX,
    ),
    # logging and limits
    Key(
        "log-driver",
        "str",
        "log-driver",
        containers="new",
        owner=_BASELINE,
        variable="daemon_baseline_log_driver",
    ),
    Key(
        "log-opts",
        "map_str",
        "log-opt",
        containers="new",
        owner=_BASELINE,
        variable="daemon_baseline_log_opts",
    ),
    Key(
        "log-level",
        "str",
        "log-level",
        "l",
        owner=_BASELINE,
        variable="daemon_baseline_log_level",
        source=_OPTIONS,
    ),
    Key(
        "default-ulimits",
        "ulimits",
        "default-ulimit",
        containers="start",
        owner=_BASELINE,
        variable="daemon_baseline_default_ulimits",
        source=_UNIX,
    ),
    Key(
        "cgroup-parent",
        "str",
        "cgroup-parent",
        containers="start",
        owner=_BASELINE,
        variable="daemon_baseline_cgroup_parent",
        source=_UNIX,
    ),
    Key(
        "default-cgroupns-mode",
        "str",
        "default-cgroupns-mode",
        reload=(0,),
        effect="reload",
        containers="new",
        owner=_BASELINE,
        variable="daemon_baseline_default_cgroupns_mode",
        source="daemon/reload_unix.go",
    ),
    # networks and registries
    Key(
        "default-address-pools",
        "pools",
        "default-address-pool",
        effect="full_stop",
        owner=_BASELINE,
        variable="daemon_baseline_default_address_pools",
        source="opts/address_pools.go",
    ),
    Key(
        "default-network-opts",
        "map_map_str",
        "default-network-opt",
        since=(24,),
        owner=_BASELINE,
        variable="daemon_baseline_default_network_opts",
    ),
    Key(
        "insecure-registries",
        "list_str",
        "insecure-registry",
        reload=(0,),
        effect="reload",
        owner=_BASELINE,
        variable="daemon_baseline_insecure_registries",
        source=_RELOAD,
    ),
    # sockets and TLS: set by flags of the unit, never in the file
    Key("hosts", "list_str", "host", "H", owner="daemon_tls", variable="daemon_tls_addresses", source=_OPTIONS),
    Key("tls", "opt_bool", "tls", owner="daemon_tls", variable="daemon_tls_verify", source=_OPTIONS),
    Key("tlsverify", "opt_bool", "tlsverify", owner="daemon_tls", variable="daemon_tls_verify", source=_OPTIONS),
    Key("tlscacert", "str", "tlscacert", owner="daemon_tls", variable="daemon_tls_trusted_cas", source=_OPTIONS),
    Key("tlscert", "str", "tlscert", owner="daemon_tls", variable="daemon_tls_directory", source=_OPTIONS),
    Key("tlskey", "str", "tlskey", owner="daemon_tls", variable="daemon_tls_directory", source=_OPTIONS),
    # the administrator's
    Key("allow-direct-routing", "bool", "allow-direct-routing", since=(28, 2), source=_UNIX),
    Key(
        "allow-nondistributable-artifacts",
        "list_str",
        "allow-nondistributable-artifacts",
        ignored=(28, 1),
    ),
    Key("api-cors-header", "str", "api-cors-header", until=(29,), ignored=(27,)),
    Key(
        "authorization-plugins",
        "list_str",
        "authorization-plugin",
        reload=(0,),
        effect="reload",
        source="cmd/dockerd/daemon.go",
    ),
    Key("bip", "str", "bip", effect="full_stop", source=_UNIX),
    Key("bip6", "str", "bip6", since=(28,), effect="full_stop", source=_UNIX),
    Key("bridge", "str", "bridge", "b", effect="full_stop", source=_UNIX),
    Key("bridge-accept-fwmark", "str", "bridge-accept-fwmark", since=(29,), source=_UNIX),
    Key("builder", "builder", source="daemon/config/builder.go"),
    Key("cdi-spec-dirs", "list_str", "cdi-spec-dir", since=(25,)),
    Key("cluster-advertise", "str", "cluster-advertise", until=(24,)),
    Key("cluster-store", "str", "cluster-store", until=(24,)),
    Key("cluster-store-opts", "map_str", "cluster-store-opt", until=(24,)),
    Key("containerd", "str", "containerd"),
    Key("containerd-namespace", "str", "containerd-namespace"),
    Key("containerd-plugins-namespace", "unread", "containerd-plugins-namespace", ignored=(0,)),
    Key("cpu-rt-period", "int64", "cpu-rt-period", source=_UNIX),
    Key("cpu-rt-runtime", "int64", "cpu-rt-runtime", source=_UNIX),
    Key("cri-containerd", "bool", "cri-containerd"),
    Key("data-root", "str", "data-root", effect="full_stop"),
    Key("debug", "bool", "debug", "D", reload=(0,), effect="reload", source=_RELOAD),
    Key("default-gateway", "ip", "default-gateway", effect="full_stop", source=_UNIX),
    Key("default-gateway-v6", "ip", "default-gateway-v6", effect="full_stop", source=_UNIX),
    Key(
        "default-ipc-mode",
        "str",
        "default-ipc-mode",
        reload=(0,),
        effect="reload",
        containers="new",
        source="daemon/reload_unix.go",
    ),
    Key(
        "default-runtime",
        "str",
        "default-runtime",
        reload=(0,),
        effect="reload",
        containers="new",
        source="daemon/reload_unix.go",
    ),
    Key(
        "default-shm-size",
        "size",
        "default-shm-size",
        reload=(0,),
        effect="reload",
        containers="new",
        source="daemon/reload_unix.go",
    ),
    Key(
        "default-stop-timeout",
        "int",
        "default-stop-timeout",
        since=(29, 7),
        reload=(29, 7),
        effect="reload",
        source=_RELOAD,
    ),
    Key("deprecated-key-path", "str", ignored=(23,), source="daemon/config/config.go"),
    Key("disable-legacy-registry", "bool", "disable-legacy-registry", until=(19, 3)),
    Key("dns", "list_ip", "dns", containers="start"),
    Key("dns-opts", "list_str", "dns-opt", containers="start"),
    Key("dns-search", "list_str", "dns-search", containers="start"),
    Key("exec-opts", "list_str", "exec-opt", containers="start"),
    Key("exec-root", "str", "exec-root", effect="full_stop"),
    Key("experimental", "bool", "experimental"),
    Key("features", "map_bool", "feature", flag_since=(27, 3), reload=(0,), effect="reload", source=_RELOAD),
    Key("firewall-backend", "str", "firewall-backend", since=(29,), effect="full_stop", source=_UNIX),
    Key("fixed-cidr", "str", "fixed-cidr", effect="full_stop", source=_UNIX),
    Key("fixed-cidr-v6", "str", "fixed-cidr-v6", effect="full_stop", source=_UNIX),
    Key("graph", "str", "graph", "g", until=(24,), effect="full_stop"),
    Key("group", "str", "group", "G", source=_UNIX),
    Key("host-gateway-ip", "ip", "host-gateway-ip", since=(20, 10), containers="start"),
    Key("host-gateway-ips", "list_addr", "host-gateway-ip", since=(28,), containers="start"),
    Key("http-proxy", "unread", "http-proxy", since=(23,), ignored=(23,)),
    Key("https-proxy", "unread", "https-proxy", since=(23,), ignored=(23,)),
    Key("no-proxy", "unread", "no-proxy", since=(23,), ignored=(23,)),
    Key("init", "bool", "init", containers="start", source=_UNIX),
    Key("init-path", "str", "init-path", containers="start", source=_UNIX),
    Key("ip", "ip", "ip", effect="full_stop", containers="start", source=_UNIX),
    Key("ip-forward", "bool", "ip-forward", source=_UNIX),
    Key("ip-forward-no-drop", "bool", "ip-forward-no-drop", since=(28,), source=_UNIX),
    Key("ip-masq", "bool", "ip-masq", effect="full_stop", source=_UNIX),
    Key("ip6tables", "bool", "ip6tables", since=(20, 10), source=_UNIX),
    Key("iptables", "bool", "iptables", source=_UNIX),
    Key("ipv6", "bool", "ipv6", effect="full_stop", source=_UNIX),
    Key("labels", "list_str", "label", reload=(0,), effect="reload", source=_RELOAD),
    Key("log-format", "str", "log-format", since=(25,), source=_OPTIONS),
    Key("max-concurrent-downloads", "int", "max-concurrent-downloads", reload=(0,), effect="reload", source=_RELOAD),
    Key("max-concurrent-uploads", "int", "max-concurrent-uploads", reload=(0,), effect="reload", source=_RELOAD),
    Key(
        "max-download-attempts",
        "int",
        "max-download-attempts",
        since=(20, 10),
        reload=(20, 10),
        effect="reload",
        source=_RELOAD,
    ),
    Key("metrics-addr", "str", "metrics-addr"),
    Key("min-api-version", "str", since=(29,), source="daemon/config/config.go"),
    Key("mtu", "int", "mtu", effect="full_stop"),
    Key("network-control-plane-mtu", "int", "network-control-plane-mtu"),
    Key("network-diagnostic-port", "int", "network-diagnostic-port", reload=(0,), effect="reload", source=_RELOAD),
    Key("node-generic-resources", "list_str", "node-generic-resource"),
    Key("nri-opts", "nri", "nri-opt", since=(29, 2), reload=(29, 2), effect="reload", source=_RELOAD),
    Key("oom-score-adjust", "int", "oom-score-adjust", until=(26,), source=_UNIX),
    Key("pidfile", "str", "pidfile", "p"),
    Key("proxies", "proxies", since=(23,), source="daemon/config/config.go"),
    Key("raw-logs", "bool", "raw-logs"),
    Key("registry-mirrors", "list_str", "registry-mirror", reload=(0,), effect="reload", source=_RELOAD),
    Key("rootless", "bool", "rootless", effect="full_stop", source=_UNIX),
    Key("runtimes", "runtimes", "add-runtime", reload=(0,), effect="reload", containers="start", source=_RELOAD),
    Key("shutdown-timeout", "int", "shutdown-timeout", reload=(0,), effect="reload", source=_RELOAD),
    Key("storage-driver", "str", "storage-driver", "s", effect="full_stop", containers="new"),
    Key("storage-opts", "list_str", "storage-opt", effect="full_stop", containers="new"),
    Key("swarm-default-advertise-addr", "str", "swarm-default-advertise-addr"),
    Key("userland-proxy-path", "str", "userland-proxy-path", containers="start", source=_UNIX),
)

KEYS: Dict[str, Key] = {key.name: key for key in _TABLE}
"""All keys, in the order in which a role's keys are appended to a file."""

FLAT_MAPS: FrozenSet[str] = frozenset(
    (
        "builder",
        "cluster-store-opts",
        "default-network-opts",
        "default-ulimits",
        "features",
        "log-opts",
        "nri-opts",
        "runtimes",
    )
)
"""Keys whose inner names dockerd does not mistake for top-level keys (daemon/config/config.go flatOptions)."""

INERT_NAMES: Dict[str, Since] = {
    "config-file": (0,),
    "help": (0,),
    "restart": (0,),
    "validate": (23,),
    "version": (0,),
}
"""Flags without a key of their own, and since when: dockerd accepts them in the file without reading them."""

UNREACHABLE_FIELDS: Dict[str, str] = {
    "containerd-plugin-namespace": "str",
    "default-init": "str",
    "resolv-conf": "str",
    "swarm-raft-election-tick": "uint32",
    "swarm-raft-heartbeat-tick": "uint32",
}
"""Fields of dockerd's configuration that no key may set (there is no flag), but whose type is checked all the same."""

FLAGS_ONLY: FrozenSet[str] = frozenset(("hosts", "tls", "tlsverify", "tlscacert", "tlscert", "tlskey"))
"""Keys that no role writes into the file: as flags beside the listener they cannot get lost and leave it open."""
