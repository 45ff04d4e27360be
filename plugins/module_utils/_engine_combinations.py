# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings that dockerd loads and then dies of, or that make it unsafe or do nothing (pure, private).

Sources: moby daemon/daemon_unix.go (verifyDaemonSettings), daemon/runtime_unix.go, daemon/logger, libnetwork/drivers/
bridge, daemon/graphdriver and go-connections tlsconfig at 20.10, 26.1 and 28.5.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._engine_keys import FLAT_MAPS, KEYS
from ansible_collections.bulwark.docker.plugins.module_utils._finding import Finding
from ansible_collections.bulwark.docker.plugins.module_utils._flags import Flags
from ansible_collections.bulwark.docker.plugins.module_utils._go_values import (
    TRUTH,
    ULIMIT_NAMES,
    parse_prefix,
    problem_index_name,
    problem_size,
)
from ansible_collections.bulwark.docker.plugins.module_utils._log_drivers import (
    COMMON_LOG_OPTS,
    LOG_DRIVERS,
    LOG_DRIVERS_UNTIL,
    LOG_OPTS_SINCE,
    LOG_OPTS_UNTIL,
)
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version

__all__ = ["HostFacts", "PortUse", "check_combinations", "paths_to_inspect", "runtime_paths", "tls_enabled"]

REMOVED_STORAGE_DRIVERS: Mapping[str, Tuple[int, ...]] = {"aufs": (24,), "overlay": (24,), "devicemapper": (25,)}
CGROUP_DRIVERS = ("", "cgroupfs", "systemd")
DEFAULT_BOOLEANS = {"icc": True, "iptables": True, "userland-proxy": True, "ip-masq": True}
ANY_ADDRESSES = ("", "0.0.0.0", "::")
DEFAULT_TLS_FILES = {"tlscacert": "ca.pem", "tlscert": "cert.pem", "tlskey": "key.pem"}
TLS_KEYS = tuple(DEFAULT_TLS_FILES)
DEFAULT_TLS_DIRECTORY = "/root/.docker"
PEM_MARKS = {"tlscacert": b"CERTIFICATE-----", "tlscert": b"CERTIFICATE-----", "tlskey": b"PRIVATE KEY-----"}
# From here on a rootless engine asks rootlesskit itself to publish ports.
USERLAND_PROXY_SPARED = (28,)
SECCOMP_WORDS = ("builtin", "unconfined")


class PortUse(NamedTuple):
    """A TCP port of this host somebody listens on; owner is text for the message, "dockerd" for the engine itself."""

    address: str
    port: int
    owner: str


@dataclass(frozen=True)
class HostFacts:
    """What the checks need to know of the host; None means not known, which is never an error.

    existing_files maps each path of paths_to_inspect to the head of the file (4 KiB do), None for a missing one;
    runtimes_found lists those of runtime_paths that are programs; log_drivers are the names that the engine knows.
    limit_ceilings gives the highest hard limit the engine can set, by the limit's Name.
    """

    swarm_active: bool = False
    cgroup_version: int = 2
    cgroup_driver: str = "systemd"
    selinux_enabled: bool = False
    bridge_netfilter: bool = True
    rootless: bool = False
    authorization_plugins: Optional[Tuple[str, ...]] = None
    existing_files: Mapping[str, Optional[bytes]] = field(default_factory=dict)
    ports_in_use: Tuple[PortUse, ...] = ()
    runtimes_found: Optional[Tuple[str, ...]] = None
    log_drivers: Optional[Tuple[str, ...]] = None
    certificate_directory: str = DEFAULT_TLS_DIRECTORY
    limit_ceilings: Mapping[str, int] = field(default_factory=dict)


class _Listener(NamedTuple):
    text: str
    address: str
    port: int


class _Settings:
    """The merged settings of file and flags."""

    def __init__(self, data: Mapping[str, Any], flags: Flags, version: Version) -> None:
        self.data = data
        self.flags = flags
        self.version = version

    def text(self, key: str) -> str:
        found = self.data.get(key)
        if isinstance(found, str) and found:
            return found
        given = self.flags.values.get(key)
        return given[-1] if given else ""

    def texts(self, key: str) -> List[str]:
        found = self.data.get(key)
        if isinstance(found, list) and found:
            return [item for item in found if isinstance(item, str)]
        return list(self.flags.values.get(key, ()))

    def truth(self, key: str, default: bool = False) -> bool:
        found = self.data.get(key, self.inner_names().get(key))
        if isinstance(found, bool):
            return found
        given = self.flags.flag_bool(key)
        return DEFAULT_BOOLEANS.get(key, default) if given is None else given

    def inner_names(self) -> Dict[str, Any]:
        """Names inside objects that are no known maps: dockerd sets boolean flags from them, and tlsverify counts."""
        names: Dict[str, Any] = {}
        for outer, inner in self.data.items():
            flat = outer in FLAT_MAPS and self.version >= KEYS[outer].since
            if isinstance(inner, dict) and not flat:
                names.update(inner)
        return names

    def table(self, key: str) -> Dict[str, Any]:
        found = self.data.get(key)
        return dict(found) if isinstance(found, dict) else {}

    def log_opts(self) -> Dict[str, str]:
        given = dict(text.partition("=")[::2] for text in self.flags.values.get("log-opts", ()))
        return {**given, **{key: value for key, value in self.table("log-opts").items() if isinstance(value, str)}}

    def runtimes(self) -> Dict[str, str]:
        named = {
            name: str(runtime.get("path") or "") if isinstance(runtime, dict) else ""
            for name, runtime in self.table("runtimes").items()
        }
        for text in self.flags.values.get("runtimes", ()):
            name, _equals, path = text.partition("=")
            named.setdefault(name.strip().lower(), path.strip())
        return named

    def cgroup_driver(self, facts: HostFacts) -> str:
        for option in self.texts("exec-opts"):
            name, equals, value = option.partition("=")
            if equals and name.strip().lower() == "native.cgroupdriver":
                return value.strip()
        return facts.cgroup_driver

    def tls(self) -> Tuple[bool, bool]:
        """Whether TLS is on, and whether client certificates are demanded."""
        verify = self.data.get("tlsverify")
        verify = verify if isinstance(verify, bool) else self.flags.flag_bool("tlsverify")
        plain = self.data.get("tls") is True or bool(self.flags.flag_bool("tls"))
        enabled = plain or verify is not None or "tlsverify" in self.data or "tlsverify" in self.inner_names()
        return enabled, enabled if verify is None else verify

    def tls_path(self, key: str, directory: str) -> str:
        """Path of a TLS file; flags count only when TLS is switched on by a flag, which also gives default paths."""
        found = self.data.get(key)
        if isinstance(found, str) and found:
            return found
        if not (self.flags.flag_bool("tls") or "tlsverify" in self.flags.values):
            return ""
        return self.text(key) or f"{directory}/{DEFAULT_TLS_FILES[key]}"

    def listeners(self) -> List[_Listener]:
        """The TCP listeners, as dockerd completes them."""
        found = []
        default_port = 2376 if self.tls()[0] else 2375
        for text in self.texts("hosts"):
            proto, separator, rest = text.strip().partition("://")
            if separator and proto != "tcp":
                continue
            rest = rest if separator else proto
            if not rest and not separator:
                continue
            host, colon, port = rest.rpartition(":")
            if not colon or rest.endswith("]"):
                host, port = rest, ""
            number = int(port) if port.isdigit() else default_port
            found.append(_Listener(text, host.strip("[]") or "127.0.0.1", number))
        return found


def tls_enabled(data: Mapping[str, Any], flags: Flags, version: Version) -> Tuple[bool, bool]:
    """Whether the engine's TCP sockets speak TLS, and whether they demand client certificates."""
    return _Settings(data, flags, version).tls()


def runtime_paths(data: Mapping[str, Any], flags: Flags) -> Tuple[str, ...]:
    """Programs of the runtimes that a configuration defines: paths, or names to look for on the search path."""
    declared = _Settings(data, flags, Version(0, 0, 0)).runtimes()
    return tuple(sorted({path for path in declared.values() if path}))


def paths_to_inspect(
    data: Mapping[str, Any], flags: Flags, certificate_directory: str = DEFAULT_TLS_DIRECTORY
) -> Tuple[str, ...]:
    """Paths whose head check_combinations wants in HostFacts.existing_files.

    certificate_directory is where dockerd looks for {ca,cert,key}.pem by default: DOCKER_CERT_PATH or DOCKER_CONFIG of
    its environment, else .docker in the home of its user.
    """
    settings = _Settings(data, flags, Version(99, 0, 0))
    paths = [settings.tls_path(key, certificate_directory) for key in TLS_KEYS] if settings.tls()[0] else []
    paths.append(settings.text("seccomp-profile"))
    paths.append(settings.text("userland-proxy-path"))
    return tuple(dict.fromkeys(path for path in paths if path.startswith("/")))


class _Check:
    def __init__(self, settings: _Settings, facts: HostFacts) -> None:
        self.settings = settings
        self.facts = facts
        self.version = settings.version
        self.findings: List[Finding] = []

    def add(
        self, code: str, key: str, problem: str, advice: str, fatal: bool = True, covered_by_validate: bool = False
    ) -> None:
        self.findings.append(
            Finding(
                code,
                f"Run the engine with these settings: {problem} ({self.source(key)}); {advice}",
                key,
                None,
                None,
                fatal,
                covered_by_validate,
            )
        )

    def source(self, key: str) -> str:
        if key in self.settings.data:
            return f"{key!r} in daemon.json"
        return f"flag {self.settings.flags.names[key]}" if key in self.settings.flags.names else f"{key!r} is not set"

    def change(self, key: str, value: str) -> str:
        """How to give a key another value."""
        known = KEYS.get(key)
        if self.facts.rootless and key not in self.settings.flags.names:
            return f"set {key!r} in rootless_settings to {value}"
        if known is not None and known.variable and key not in self.settings.flags.names:
            return f"set {known.variable} to {value}"
        return f"set {key!r} to {value}"

    def network(self) -> None:
        settings = self.settings
        icc = settings.truth("icc")
        iptables = settings.truth("iptables")
        ip6tables = settings.truth("ip6tables", self.version >= (27,))
        if not icc and not iptables:
            self.add(
                "icc_without_iptables",
                "icc",
                "'icc' false needs iptables, but 'iptables' is false",
                f"{self.change('icc', 'true')} or 'iptables' to true",
            )
        if not icc and settings.truth("ipv6") and not ip6tables:
            self.add(
                "icc_without_ip6tables",
                "icc",
                "'icc' false needs ip6tables while 'ipv6' is true, but 'ip6tables' is false",
                f"{self.change('icc', 'true')} or 'ip6tables' to true",
                fatal=self.version >= (27,),
            )
        if self.version < (27,) and ip6tables and not settings.truth("experimental"):
            self.add(
                "ip6tables_not_experimental",
                "ip6tables",
                f"'ip6tables' true needs 'experimental' true on engine {self.version}",
                "set 'experimental' to true or remove 'ip6tables'",
            )
        if settings.text("bridge") and (settings.text("bip") or settings.text("bip6")):
            both = "bip" if settings.text("bip") else "bip6"
            self.add("bridge_and_bip", "bridge", f"'bridge' and {both!r} exclude each other", "remove one of them")
        if not self.facts.bridge_netfilter and iptables and settings.text("bridge") != "none":
            self.bridge_netfilter(icc, settings.truth("userland-proxy"))
        nftables = settings.text("firewall-backend") == "nftables" and not settings.table("features").get(
            "swarm-nftables"
        )
        if nftables and self.facts.swarm_active:
            self.add(
                "nftables_with_swarm",
                "firewall-backend",
                "the nftables backend does not work on a node of a swarm",
                "set 'firewall-backend' to iptables or leave the swarm",
            )

    def address_pools(self) -> None:
        for key in ("bip", "fixed-cidr"):
            text = self.settings.text(key)
            if text and parse_prefix(text, zeros=True) is None:
                self.add(
                    "network_address",
                    key,
                    f"{text!r} is no address with a prefix length",
                    f"give {key!r} one such as '10.10.0.1/24', or remove it",
                )
        pools = self.settings.data.get("default-address-pools")
        for pool in pools if isinstance(pools, list) else ():
            inner = {key.lower(): value for key, value in pool.items()} if isinstance(pool, dict) else {}
            base, size = inner.get("base"), inner.get("size", 0)
            network = parse_prefix(base, zeros=True) if isinstance(base, str) else None
            if network is None or not isinstance(size, int):
                continue  # a wrong type or address is check_config's
            if not network.prefixlen <= size <= network.max_prefixlen:
                self.add(
                    "address_pool",
                    "default-address-pools",
                    f"networks of size {size} do not fit into the pool {base!r}",
                    self.change("default-address-pools", f"a size from {network.prefixlen} to {network.max_prefixlen}"),
                )

    def bridge_netfilter(self, icc: bool, userland_proxy: bool) -> None:
        blamed = "icc" if not icc else "userland-proxy"
        if icc and (userland_proxy or self.version < (28,)):
            return
        self.add(
            "bridge_netfilter_missing",
            blamed,
            f"{blamed!r} false needs the kernel module br_netfilter, which is neither loaded nor available",
            f"load br_netfilter or {self.change(blamed, 'true')}",
        )

    def cgroups(self) -> None:
        settings = self.settings
        driver = settings.cgroup_driver(self.facts)
        if driver not in CGROUP_DRIVERS:
            self.add(
                "cgroup_driver", "exec-opts", f"the cgroup driver {driver!r} does not exist", "use systemd or cgroupfs"
            )
        parent = settings.text("cgroup-parent")
        if parent and driver == "systemd" and (not parent.endswith(".slice") or len(parent) <= len(".slice")):
            self.add(
                "cgroup_parent_not_slice",
                "cgroup-parent",
                f"'cgroup-parent' is {parent!r}, but the systemd cgroup driver needs the name of a slice",
                self.change("cgroup-parent", "a name that ends in .slice"),
            )
        realtime = [
            key
            for key in ("cpu-rt-period", "cpu-rt-runtime")
            if settings.data.get(key) or settings.text(key).strip("0")
        ]
        if realtime and self.facts.cgroup_version == 2:
            self.add(
                "realtime_on_cgroup2",
                realtime[0],
                f"{realtime[0]!r} does not exist on cgroup v2",
                "remove it",
                covered_by_validate=self.version >= (23,),
            )

    def containers(self) -> None:
        limits = self.settings.table("default-ulimits")
        for name, limit in limits.items():
            if not isinstance(limit, dict):
                continue
            inner = {key.lower(): value for key, value in limit.items()}
            given = inner.get("name")
            problem = ""
            if not given:
                problem = f"the limit {name!r} has no inner Name, so that no container starts"
            elif given not in ULIMIT_NAMES:
                problem = f"the limit {name!r} has the Name {given!r}, which is no resource limit"
            elif isinstance(inner.get("soft", 0), int) and isinstance(inner.get("hard", 0), int):
                soft, hard = inner.get("soft", 0), inner.get("hard", 0)
                if hard != -1 and (soft == -1 or soft > hard):
                    problem = f"the limit {name!r} has Soft {soft} above Hard {hard}"
                ceiling = self.facts.limit_ceilings.get(str(given))
                if ceiling is not None and (hard == -1 or hard > ceiling):
                    problem = (
                        f"the limit {name!r} has Hard {hard}, but this engine cannot raise it above {ceiling}, "
                        "so that no container starts"
                    )
            if problem:
                advice = self.change("default-ulimits", f'{{"{name}": {{"soft": N, "hard": N}}}}')
                self.add("default_ulimit", "default-ulimits", problem, advice)
        if self.settings.truth("selinux-enabled") and not self.facts.selinux_enabled:
            self.add(
                "selinux_off",
                "selinux-enabled",
                "'selinux-enabled' is true, but SELinux is not enabled on this host, so that it does nothing",
                self.change("selinux-enabled", "false"),
                fatal=False,
            )
        self.seccomp()
        self.runtimes()

    def seccomp(self) -> None:
        profile = self.settings.text("seccomp-profile")
        if not profile or (profile == "builtin" and self.version >= (23,)):
            return
        if profile == "unconfined" and self.version >= (23,):
            self.add(
                "seccomp_unconfined",
                "seccomp-profile",
                "'seccomp-profile' is unconfined: containers may make every system call",
                self.change("seccomp-profile", "builtin"),
                fatal=False,
            )
            return
        if profile in SECCOMP_WORDS:
            self.add(
                "seccomp_word",
                "seccomp-profile",
                f"engine {self.version} takes {profile!r} for the name of a file",
                "remove 'seccomp-profile' to get the default profile",
            )
            return
        if profile not in self.facts.existing_files:
            return
        head = self.facts.existing_files[profile]
        if head is None:
            self.add(
                "seccomp_missing",
                "seccomp-profile",
                f"the seccomp profile {profile} does not exist",
                f"create it, or {self.change('seccomp-profile', 'a file that exists')}",
            )
            return
        text = head.strip()
        try:
            empty = not text.startswith(b"{") or not json.loads(text)
        except ValueError:
            # The head of a longer profile ends somewhere inside.
            empty = b"defaultAction" not in text and b"syscalls" not in text
        if empty:
            self.add(
                "seccomp_empty",
                "seccomp-profile",
                f"the seccomp profile {profile} has neither defaultAction nor syscalls: it switches seccomp off or "
                "stops containers from starting",
                "write a whole profile into it or remove 'seccomp-profile'",
            )

    def runtimes(self) -> None:
        runtimes = self.settings.runtimes()
        if self.version >= (23,) and "runc" in runtimes:
            self.add("runtime_reserved", "runtimes", "the runtime name 'runc' is reserved", "give it another name")
        default = self.settings.text("default-runtime")
        shim = "." in default.lstrip(".") and "/" not in default
        if self.version >= (23,) and default not in ("", "runc", *runtimes) and not shim:
            self.add(
                "runtime_undefined",
                "default-runtime",
                f"the default runtime {default!r} is not defined in 'runtimes'",
                "define it or remove 'default-runtime'",
            )
        found = self.facts.runtimes_found
        path = runtimes.get(default, "")
        if found is not None and path and path not in found:
            self.add(
                "runtime_missing",
                "default-runtime",
                f"the default runtime {default!r} needs {path}, which is not installed",
                "install it or remove 'default-runtime'",
            )

    def logging(self) -> None:
        driver = self.settings.text("log-driver") or "json-file"
        options = self.settings.log_opts()
        until = LOG_DRIVERS_UNTIL.get(driver)
        if until is not None and self.version >= until:
            self.add(
                "log_driver_removed",
                "log-driver",
                f"engine {self.version} no longer has the log driver {driver!r}",
                self.change("log-driver", "json-file, local or journald"),
            )
            return
        known = LOG_DRIVERS.get(driver)
        available = self.facts.log_drivers
        if known is None and driver != "none" and available is not None and driver not in available:
            self.add(
                "log_driver_unknown",
                "log-driver",
                f"this engine has no log driver {driver!r}, so that no container starts",
                self.change("log-driver", "one of " + ", ".join(available)),
            )
        if driver == "none" or known is None:
            return
        for option in sorted(options):
            if option in COMMON_LOG_OPTS or option.startswith("cache-"):
                continue
            since, gone = LOG_OPTS_SINCE.get(option, (0,)), LOG_OPTS_UNTIL.get(option)
            if option not in known or self.version < since or (gone is not None and self.version >= gone):
                self.add(
                    "log_opt_unknown",
                    "log-opts",
                    f"the log driver {driver!r} of engine {self.version} does not know the option {option!r}",
                    f"{self.change('log-opts', 'options of that driver')}, or "
                    + self.change("log-driver", "one that knows it"),
                )
        self.log_values(driver, options)

    def log_values(self, driver: str, options: Mapping[str, str]) -> None:
        problems = []
        mode = options.get("mode", "")
        if mode not in ("", "blocking", "non-blocking"):
            problems.append(f"the mode {mode!r} is neither blocking nor non-blocking")
        if "max-buffer-size" in options:
            if mode != "non-blocking":
                problems.append("max-buffer-size needs the mode non-blocking")
            problems.append(problem_size(options["max-buffer-size"], self.version) or "")
        if driver in ("json-file", "local"):
            size, files = options.get("max-size"), options.get("max-file")
            if size is not None and size != "-1":
                problems.append(problem_size(size, self.version) or "")
            if files is not None and not (files.isdigit() and int(files) >= 1):
                problems.append(f"max-file {files!r} is not a number from 1")
            compress = options.get("compress")
            if compress is not None and compress not in TRUTH:
                problems.append(f"compress {compress!r} is not a boolean")
            if driver == "json-file" and TRUTH.get(compress or "") and (files in (None, "1") or size is None):
                problems.append("compress needs max-size and a max-file of at least 2")
        if driver == "awslogs" and not options.get("awslogs-group"):
            problems.append("the log driver 'awslogs' needs the option 'awslogs-group'")
        for problem in problems:
            if problem:
                self.add("log_opt_value", "log-opts", problem, self.change("log-opts", "valid options"))

    def storage(self) -> None:
        driver = self.settings.text("storage-driver")
        until = REMOVED_STORAGE_DRIVERS.get(driver)
        if until is not None and self.version >= until:
            self.add(
                "storage_driver_removed",
                "storage-driver",
                f"engine {self.version} no longer has the storage driver {driver!r}",
                "move the data to overlay2 and remove 'storage-driver'",
            )

    def plugins(self) -> None:
        found = self.facts.authorization_plugins
        for name in self.settings.texts("authorization-plugins"):
            if found is not None and name not in found:
                self.add(
                    "authorization_plugin_missing",
                    "authorization-plugins",
                    f"the authorization plugin {name!r} is not installed",
                    "install it first or take it out of 'authorization-plugins'",
                )

    def registries(self) -> None:
        for name in self.settings.texts("insecure-registries"):
            problem = problem_index_name(name)
            if problem is not None:
                advice = self.change("insecure-registries", "names that are right")
                self.add("insecure_registry", "insecure-registries", problem, advice)

    def engine(self) -> None:
        settings = self.settings
        remapped = settings.text("userns-remap")
        rootless = self.facts.rootless or settings.truth("rootless")
        if remapped and rootless:
            self.add(
                "userns_remap_rootless",
                "userns-remap",
                "'userns-remap' does not work on a rootless engine",
                self.change("userns-remap", '""'),
            )
        if remapped.partition(":")[0] in ("root", "0"):
            self.add(
                "userns_remap_root",
                "userns-remap",
                f"'userns-remap' {remapped!r} maps nothing, and yet hides images and volumes",
                self.change("userns-remap", "a user without privileges"),
                fatal=False,
            )
        if rootless:
            self.rootless()
        snapshotter = settings.table("features").get("containerd-snapshotter") is True
        for text in settings.flags.values.get("features", ()):
            name, equals, truth = text.partition("=")
            snapshotter = snapshotter or (name == "containerd-snapshotter" and (not equals or TRUTH.get(truth, False)))
        if remapped and snapshotter:
            self.add(
                "userns_remap_snapshotter",
                "userns-remap",
                "'userns-remap' and the feature 'containerd-snapshotter' exclude each other",
                f"{self.change('userns-remap', 'nothing')} or set the feature to false",
                fatal=self.version >= (29,),
            )
        if settings.truth("live-restore") and self.facts.swarm_active:
            self.add(
                "live_restore_with_swarm",
                "live-restore",
                "'live-restore' true does not work on a node of a swarm",
                f"{self.change('live-restore', 'false')} or leave the swarm",
            )
        names = settings.text("containerd-namespace") or "moby"
        by_flag = settings.flags.values.get("containerd-plugins-namespace", ("plugins.moby",))
        if names == by_flag[-1]:
            self.add(
                "namespaces_equal",
                "containerd-namespace",
                "containers and plugins cannot share the containerd namespace " + repr(names),
                "give them different names",
            )
        self.userland_proxy()

    def rootless(self) -> None:
        """What an engine without root cannot do (trials on 20.10, 26.1 and 28.5)."""
        settings = self.settings
        if settings.truth("live-restore"):
            self.add(
                "live_restore_rootless",
                "live-restore",
                "'live-restore' true keeps nothing alive on a rootless engine, whose containers end with it",
                self.change("live-restore", "false"),
            )
        if not settings.truth("userland-proxy", default=True) and self.version < USERLAND_PROXY_SPARED:
            self.add(
                "userland_proxy_rootless",
                "userland-proxy",
                "without 'userland-proxy' no published port of a rootless engine can be reached from the host",
                self.change("userland-proxy", "true"),
            )
        if settings.truth("selinux-enabled"):
            self.add(
                "selinux_rootless",
                "selinux-enabled",
                "a rootless engine cannot label containers for SELinux reliably",
                self.change("selinux-enabled", "false"),
                fatal=False,
            )

    def userland_proxy(self) -> None:
        path = self.settings.text("userland-proxy-path")
        emptied = not path and "userland-proxy-path" in self.settings.flags.values
        if self.version < (23,) or not (path or emptied) or not self.settings.truth("userland-proxy"):
            return
        missing = path in self.facts.existing_files and self.facts.existing_files[path] is None
        if missing or not path.startswith("/"):
            self.add(
                "userland_proxy_path",
                "userland-proxy-path",
                f"the userland proxy {path!r} is not an executable with an absolute path",
                f"correct it or {self.change('userland-proxy', 'false')}",
                covered_by_validate=True,
            )

    def listeners(self) -> None:
        settings = self.settings
        enabled, verified = settings.tls()
        listeners = settings.listeners()
        for listener in listeners:
            if not enabled:
                self.add(
                    "tcp_without_tls",
                    "hosts",
                    f"the listener {listener.text!r} makes everybody who reaches it root here, because TLS is off",
                    "remove it or use the role daemon_tls",
                )
            elif not verified:
                self.add(
                    "tls_without_verify",
                    "tlsverify" if "tlsverify" in settings.data else "tls",
                    f"the listener {listener.text!r} asks for no client certificate",
                    "set 'tlsverify' to true",
                )
            self.port(listener, "hosts")
        metrics = settings.text("metrics-addr")
        address, colon, port = metrics.rpartition(":")
        if colon and port.isdigit():
            self.port(_Listener(metrics, address.strip("[]"), int(port)), "metrics-addr")
        if enabled:
            self.tls_files(verified)
            if not settings.texts("hosts"):
                self.add(
                    "tls_without_socket",
                    "tlsverify" if "tlsverify" in settings.data or "tlsverify" in settings.flags.names else "tls",
                    "with TLS on and no listener named, dockerd opens tcp://localhost:2376 and no Unix socket",
                    "name the listeners with -H",
                )

    def port(self, listener: _Listener, key: str) -> None:
        for used in self.facts.ports_in_use:
            overlap = listener.address == used.address or {listener.address, used.address} & set(ANY_ADDRESSES)
            if used.port == listener.port and overlap and used.owner != "dockerd":
                self.add(
                    "port_in_use",
                    key,
                    f"{listener.text!r} needs port {used.port}, which {used.owner} uses",
                    "choose another port or stop the other program",
                )

    def tls_files(self, verified: bool) -> None:
        settings, files = self.settings, self.facts.existing_files
        for key in TLS_KEYS:
            path = settings.tls_path(key, self.facts.certificate_directory)
            problem = ""
            if not path and key != "tlscacert":
                problem = f"TLS is on without {key!r}"
            elif not path and verified:
                self.add(
                    "tls_without_ca",
                    key,
                    "client certificates are demanded without 'tlscacert': any one of a public CA opens the API",
                    "set 'tlscacert'",
                )
            elif path in files and (verified or key != "tlscacert"):
                problem = self.tls_problem(key, path, files[path])
            if problem:
                advice = "create it with the role daemon_tls"
                self.add("tls_file", key, problem, advice, covered_by_validate=self.version >= (23,))

    def tls_problem(self, key: str, path: str, head: Optional[bytes]) -> str:
        if head is None:
            return f"the TLS file {path} does not exist"
        if key == "tlskey" and b"ENCRYPTED" in head:
            return f"the private key {path} is encrypted, which dockerd cannot read"
        return "" if PEM_MARKS[key] in head else f"{path} is not the PEM file that {key!r} needs"

    def run(self) -> List[Finding]:
        self.network()
        self.address_pools()
        self.cgroups()
        self.containers()
        self.logging()
        self.storage()
        self.plugins()
        self.registries()
        self.engine()
        self.listeners()
        return self.findings


def check_combinations(data: Mapping[str, Any], flags: Flags, version: Version, facts: HostFacts) -> List[Finding]:
    """What goes wrong after dockerd of that version has loaded the settings, on a host with these facts.

    `data` are the effective keys of daemon.json (Document.data). Fatal findings keep the engine or its containers from
    starting or open its API; the others say that a setting does nothing or weakens the engine.
    """
    return _Check(_Settings(data, flags, version), facts).run()
