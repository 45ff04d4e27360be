# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The corpus as data: an existing daemon.json, a style of unit, the wanted settings, and how that has to end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lab import CONFIG, DEFAULTS, DROP_INS, SCRATCH, SOCKET_DROP_INS

NEWEST = (99,)
STOCK = "-H fd:// --containerd=/run/containerd/containerd.sock"

BASE: dict[str, Any] = {
    "icc": False,
    "no-new-privileges": True,
    "live-restore": True,
    "userland-proxy": False,
    "log-driver": "json-file",
    "log-opts": {"max-size": "10m", "max-file": "3"},
    "log-level": "info",
    "default-ulimits": {"nofile": {"Name": "nofile", "Hard": 8192, "Soft": 4096}},
    "default-cgroupns-mode": "private",
    "insecure-registries": [],
}
"""What the role daemon_baseline wants, with a limit that also a host inside of a container can set."""
SMALL: dict[str, Any] = {"icc": False, "live-restore": True}
RELOADED: dict[str, Any] = {"live-restore": True}


@dataclass(frozen=True)
class Row:
    """One case.

    config, mode, uid, gid: daemon.json as it is found, None for none. files: what else is there (drop-ins, environment
    files). loaded: the engine was started with all that; otherwise it was written behind the back of a running engine.
    down: the engine was started with it and did not come up. prepare, disturb, repair: shell scripts that run before
    the files are written, after the engine was started, and when the cause is mended.
    ends: "converged", "refused" (by daemon_config, nothing written), or "taken back" (by engine_commit, no restart).
    says: what the failure message has to name. cured: daemon.json after somebody mended a refused case.
    """

    id: str
    title: str
    ends: str
    config: bytes | None = None
    wanted: Mapping[str, Any] = field(default_factory=lambda: SMALL)
    options: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[tuple[str, str], ...] = ()
    loaded: bool = True
    down: bool = False
    prepare: str = ""
    disturb: str = ""
    repair: str = ""
    says: tuple[str, ...] = ()
    warns: tuple[str, ...] = ()
    cured: bytes | None = None
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    path: str = CONFIG
    since: tuple[int, ...] = (0,)
    until: tuple[int, ...] = NEWEST

    @property
    def alike(self) -> bool:
        """Whether only our own handling is tried, which is the same for every generation of the engine."""
        return self.ends == "refused" or self.id in TEXT_ONLY


def _json(data: Any) -> bytes:
    return (json.dumps(data, indent=2) + "\n").encode("utf-8")


def _unit(*lines: str) -> tuple[tuple[str, str], ...]:
    return ((f"{DROP_INS}/case.conf", "\n".join(("[Service]", *lines, ""))),)


def _start(flags: str) -> tuple[tuple[str, str], ...]:
    return _unit("ExecStart=", f"ExecStart=/usr/sbin/dockerd {flags}")


def _kept(name: str, title: str, config: bytes | None, **more: Any) -> Row:
    return Row(name, title, "converged", config, **more)


def _broken(name: str, title: str, config: bytes, *says: str, **more: Any) -> Row:
    return Row(name, title, "refused", config, loaded=False, says=(CONFIG, *says), cured=b"{}\n", **more)


def _admin(name: str, title: str, config: Mapping[str, Any], *says: str, **more: Any) -> Row:
    """A valid JSON file that the administrator wrote behind a running engine and that would kill it."""
    return Row(name, title, "refused", _json(config), loaded=False, says=says, cured=b"{}\n", **more)


def _wanted(name: str, title: str, wanted: Mapping[str, Any], *says: str, **more: Any) -> Row:
    return Row(name, title, "refused", wanted=wanted, says=says, **more)


FOREIGN = b"""{
    "runtimes": {
        "nvidia": {
            "path": "/etc/docker-corpus/nvidia-container-runtime",
            "runtimeArgs": []
        }
    },
    "registry-mirrors": ["https://mirror.example.org/"],
    "labels": [ "site=a", "rack=12" ],
    "max-concurrent-downloads":    6,
    "dns": ["192.0.2.53"]
}
"""
MAKE_RUNTIME = f'mkdir -p {SCRATCH}; ln -sf "$(command -v runc)" {SCRATCH}/nvidia-container-runtime'
PROXIES = b"""{"proxies": {"http-proxy": "http://user:secret@proxy.example.org:3128", "no-proxy": "localhost"}}"""

# How daemon.json is written, with content that every engine takes.
TEXT_ONLY = (
    *("empty-object", "blank-object", "indent-4", "tabs", "crlf", "one-line", "odd-blanks", "escapes", "long"),
    *("mode-600", "mode-640-owner", "equal-value"),
)

FORMATS = (
    _kept("no-file", "no daemon.json", None, wanted=BASE),
    _kept("empty-file", "an empty daemon.json", b"", since=(23,)),
    _kept("empty-object", "an empty object without newline", b"{}"),
    _kept("blank-object", "an empty object over several lines", b"{\n\n}\n\n"),
    _kept(
        "indent-4",
        "indented by four blanks, foreign keys",
        b'{\n    "debug": true,\n    "labels": ["a=b"]\n}\n',
        wanted=BASE,
    ),
    _kept("tabs", "indented by tabs", b'{\n\t"debug": true,\n\t"labels": [\n\t\t"a=b"\n\t]\n}\n'),
    _kept("crlf", "lines end in CR LF", b'{\r\n  "debug": true\r\n}\r\n'),
    _kept("one-line", "everything on one line, no final newline", b'{"labels":["a=b"],"debug":true}'),
    _kept("odd-blanks", "blanks in odd places", b'  \n{ "debug"\n :true ,"labels":[ ]}  \n \n'),
    _kept("bom", "begins with a byte order mark", b'\xef\xbb\xbf{"debug": true}\n', since=(23,)),
    _kept(
        "foreign", "NVIDIA runtime, mirrors, labels, DNS of somebody else", FOREIGN, prepare=MAKE_RUNTIME, wanted=BASE
    ),
    _kept(
        "nvidia-default",
        "a runtime of somebody else that is the default one",
        _json({"default-runtime": "nvidia", "runtimes": {"nvidia": {"path": f"{SCRATCH}/nvidia-container-runtime"}}}),
        prepare=MAKE_RUNTIME,
    ),
    _kept("proxies", "proxies with credentials", PROXIES, mode=0o600, since=(23,)),
    _kept(
        "escapes",
        "escaped and other scripts' characters",
        '{"labels": ["a=\\u00e9\\"\\\\", "b=\u00fc\u65e5"]}\n'.encode(),
    ),
    _kept(
        "foreign-twice",
        "a foreign key stands there twice",
        b'{"labels": ["a=1"],\n "debug": true,\n "labels": ["b=2"]}\n',
    ),
    _kept("long", "a file of 150 kB", _json({"labels": [f"name{number}={'x' * 40}" for number in range(2500)]})),
    _kept("mode-600", "mode 0600", b'{"debug": true}\n', mode=0o600),
    _kept("mode-640-owner", "mode 0640 and not root's", b'{"debug": true}\n', mode=0o640, uid=65534, gid=65534),
    _kept("equal-value", "the administrator has set the same values", b'{"icc": false,\n  "debug": true}\n'),
    _kept(
        "override",
        "another value of the administrator, with override",
        b'{"icc": true, "debug": false, "log-level": "warn"}\n',
        wanted=BASE,
        options={"override": True},
    ),
    _kept(
        "unknown-later-key",
        "a key that this engine knows and no role owns",
        b'{"max-download-attempts": 3, "shutdown-timeout": 20, "features": {"buildkit": true}}\n',
    ),
    _kept(
        "no-directory",
        "not even /etc/docker",
        None,
        prepare="cp -a /etc/docker /etc/docker-saved; rm -r /etc/docker",
        repair="cp -an /etc/docker-saved/. /etc/docker/; rm -r /etc/docker-saved",
        loaded=False,
    ),
)

BROKEN = (
    _broken("empty-file-old", "an empty daemon.json, which this engine cannot read", b"", "empty", until=(23,)),
    _broken("trailing-comma", "a trailing comma", b'{\n  "debug": true,\n}\n', "line 2", "comma"),
    _broken("comment-slashes", "a // comment", b'{\n  // keep\n  "debug": true\n}\n', "line 2"),
    _broken("comment-hash", "a # comment", b'# docker\n{"debug": true}\n', "line 1"),
    _broken(
        "bom-old",
        "a byte order mark, which this engine cannot read",
        b'\xef\xbb\xbf{"debug": true}\n',
        "byte order",
        until=(23,),
    ),
    _broken(
        "owned-twice",
        "a key of the role stands there twice",
        b'{"icc": true,\n "debug": true,\n "icc": true}\n',
        "icc",
        "line 3",
    ),
    _broken("array", "an array instead of an object", b'["debug"]\n', "object"),
    _broken("string", "a string instead of an object", b'"debug"\n', "object"),
    _broken("cut-off", "cut off in the middle", b'{"debug": true, "labels": ["a'),
    _broken("single-quotes", "single quotes", b"{'debug': true}\n", "line 1"),
    _broken(
        "two-objects",
        "two objects",
        b'{"debug": true}\n{"debug": false}\n',
        "line 2",
        since=(23,),
    ),
    _kept(
        "two-objects-old",
        "two objects, of which this engine reads one",
        b'{"debug": true}\n{"debug": false}\n',
        until=(23,),
    ),
    _broken("no-utf8", "not UTF-8", b'{"labels": ["a=\xff\xfe"]}\n', since=(23,)),
    _broken("wrong-type", "a string where the engine wants true or false", b'{"debug": "true"}\n', "debug"),
    _broken("unknown-key", "a misspelt key", b'{"icc": false, "livve-restore": true}\n', "livve-restore"),
    _broken(
        "misspelt-map",
        "default-ulimit in place of default-ulimits",
        b'{"default-ulimit": {"nofile": {"Name": "nofile"}}}\n',
        "nofile",
    ),
    _broken("other-case", "a key in capitals", b'{"ICC": false}\n', "ICC"),
    _broken("yaml", "YAML instead of JSON", b"debug: true\nlabels:\n  - a=b\n", "line 1"),
    Row(
        "comma-down",
        "a trailing comma, and the engine is down because of it",
        "refused",
        b'{\n  "debug": true,\n}\n',
        down=True,
        says=(CONFIG, "line 2"),
        cured=b'{\n  "debug": true\n}\n',
    ),
    Row(
        "unknown-key-down",
        "a misspelt key, and the engine is down because of it",
        "refused",
        b'{"livve-restore": true}\n',
        down=True,
        says=(CONFIG, "livve-restore"),
        cured=b'{"live-restore": true}\n',
    ),
)

FLAGS = (
    _wanted(
        "flag-same",
        "the same value as a flag in a drop-in",
        SMALL,
        "--icc",
        "daemon_baseline_icc",
        files=_start(STOCK + " --icc=false"),
    ),
    _wanted(
        "flag-other",
        "another value as a flag in a drop-in",
        SMALL,
        "--icc",
        "daemon_baseline_icc",
        files=_start(STOCK + " --icc=true"),
    ),
    _wanted(
        "flag-options-file",
        "a flag in $DOCKER_OPTS of /etc/default/docker",
        SMALL,
        "--live-restore",
        "daemon_baseline_live_restore",
        files=((DEFAULTS, 'DOCKER_OPTS="--live-restore"\n'),),
    ),
    _wanted(
        "flag-short", "the short form -l", BASE, "-l", "daemon_baseline_log_level", files=_start(STOCK + " -l info")
    ),
    _wanted(
        "flag-cluster", "a cluster of short flags", BASE, "daemon_baseline_log_level", files=_start(STOCK + " -Dl warn")
    ),
    _wanted(
        "flag-log-opt",
        "--log-opt against log-opts",
        BASE,
        "log-opt",
        "daemon_baseline_log_opts",
        files=_start(STOCK + " --log-opt max-size=5m"),
    ),
    _wanted(
        "flag-ulimit",
        "--default-ulimit against default-ulimits",
        BASE,
        "default-ulimit",
        "daemon_baseline_default_ulimits",
        files=_start(STOCK + " --default-ulimit nofile=1024:2048"),
    ),
    _wanted(
        "flag-environment",
        "a flag in a variable of Environment=",
        BASE,
        "--no-new-privileges",
        "daemon_baseline_no_new_privileges",
        files=_unit(
            'Environment="HARDEN=--no-new-privileges"', "ExecStart=", f"ExecStart=/usr/sbin/dockerd {STOCK} $HARDEN"
        ),
    ),
    _wanted(
        "flag-separate-value",
        "a flag and its value as two words",
        BASE,
        "--log-level",
        "daemon_baseline_log_level",
        files=_start(STOCK + " --log-level warn"),
    ),
    _kept("flag-debug", "a flag that no role cares about", None, files=_start(STOCK + " --debug")),
    _kept(
        "options-file-debug",
        "-D in /etc/default/docker",
        None,
        files=((DEFAULTS, "DOCKER_OPTS='-D --label rack=1'\n"),),
    ),
    _kept(
        "unit-continued",
        "a command line over several lines with comments in between",
        None,
        files=_unit(
            "ExecStart=",
            "ExecStart=/usr/sbin/dockerd \\",
            "  -H fd:// \\",
            "# a comment",
            "  --containerd=/run/containerd/containerd.sock \\",
            "  --label=rack=1",
        ),
    ),
    _kept(
        "unit-braces",
        "${VARIABLES} and quotes in the command line",
        None,
        files=_unit(
            "Environment=LABEL=rack=1 WHERE=fd://",
            "ExecStart=",
            'ExecStart=/usr/sbin/dockerd -H ${WHERE} "--containerd=/run/containerd/containerd.sock" --label=${LABEL}',
        ),
    ),
    _kept(
        "unit-missing-file",
        "an optional environment file that is not there",
        None,
        files=_unit("EnvironmentFile=-/etc/docker-corpus/none"),
    ),
    _kept(
        "config-file-flag",
        "--config-file points elsewhere",
        b'{"debug": true}\n',
        path=f"{SCRATCH}/engine.json",
        files=_start(f"{STOCK} --config-file={SCRATCH}/engine.json"),
    ),
    _admin(
        "hosts-with-fd",
        "hosts in the file, -H fd:// in the unit",
        {"hosts": ["unix:///run/docker.sock"]},
        "hosts",
        "-H",
    ),
    _kept(
        "hosts-in-file",
        "hosts in the file and no -H in the unit",
        b'{"hosts": ["unix:///run/docker.sock"]}\n',
        files=_start("--containerd=/run/containerd/containerd.sock"),
    ),
    Row(
        "flag-pending",
        "a drop-in that systemd has not read yet has the same setting as a flag",
        "taken back",
        files=_start(STOCK + " --icc=false"),
        loaded=False,
        says=("--icc", "daemon_baseline_icc", "Taken back"),
    ),
    Row(
        "debug-twice",
        "a drop-in that systemd has not read yet contradicts the administrator's file",
        "taken back",
        b'{"debug": true}\n',
        files=_start(STOCK + " -D"),
        loaded=False,
        says=("debug", "Taken back"),
        cured=b"{}\n",
    ),
    _wanted(
        "unit-wrapper",
        "the engine is started by a shell",
        SMALL,
        "ExecStart",
        "/bin/sh",
        files=_unit("ExecStart=", f"ExecStart=/bin/sh -c 'exec /usr/sbin/dockerd {STOCK}'"),
    ),
)

DEAD_KEYS = (
    _kept("graph", "graph, which this engine still knows", b'{"graph": "/var/lib/docker"}\n', until=(23,)),
    _admin(
        "graph-gone",
        "graph, which this engine does not know any more",
        {"graph": "/var/lib/docker"},
        CONFIG,
        "graph",
        since=(24,),
    ),
    _admin(
        "cluster-store-gone",
        "cluster-store on an engine without it",
        {"cluster-store": "consul://127.0.0.1:8500"},
        CONFIG,
        "cluster-store",
        since=(24,),
    ),
    _kept("oom-score", "oom-score-adjust, which this engine still knows", b'{"oom-score-adjust": -400}\n', until=(26,)),
    _admin(
        "oom-score-gone",
        "oom-score-adjust, gone since 26.0",
        {"oom-score-adjust": -400},
        CONFIG,
        "oom-score-adjust",
        since=(26,),
    ),
    _kept(
        "cors",
        "api-cors-header, which this engine still reads",
        b'{"api-cors-header": "https://example.org"}\n',
        until=(28,),
    ),
    _admin(
        "cors-gone",
        "api-cors-header, an error since 28.0",
        {"api-cors-header": "https://example.org"},
        CONFIG,
        "api-cors-header",
        since=(28,),
    ),
    _admin(
        "legacy-registry",
        "disable-legacy-registry, gone since 19.03",
        {"disable-legacy-registry": True},
        CONFIG,
        "disable-legacy-registry",
    ),
    _admin(
        "too-new", "a key of newer engines", {"bridge-accept-fwmark": "1"}, CONFIG, "bridge-accept-fwmark", until=(29,)
    ),
)

COMBINATIONS = (
    _wanted(
        "ulimit-too-high",
        "a limit that this engine cannot give its containers",
        {**SMALL, "default-ulimits": {"nofile": {"Name": "nofile", "Hard": 4000000000, "Soft": 1024}}},
        "4000000000",
        "daemon_baseline_default_ulimits",
    ),
    _wanted(
        "ulimit-without-name",
        "default-ulimits without the inner Name",
        {**SMALL, "default-ulimits": {"nofile": {"Hard": 1024, "Soft": 1024}}},
        "Name",
        "daemon_baseline_default_ulimits",
    ),
    _admin(
        "storage-aufs",
        "storage-driver aufs, removed in 24.0",
        {"storage-driver": "aufs"},
        "aufs",
        "storage-driver",
        since=(24,),
    ),
    _admin(
        "storage-overlay",
        "storage-driver overlay, removed in 24.0",
        {"storage-driver": "overlay"},
        "overlay",
        "storage-driver",
        since=(24,),
    ),
    _admin(
        "storage-devicemapper",
        "storage-driver devicemapper, removed in 25.0",
        {"storage-driver": "devicemapper"},
        "devicemapper",
        since=(25,),
    ),
    _admin(
        "seccomp-missing",
        "a seccomp profile that does not exist",
        {"seccomp-profile": "/etc/docker-corpus/none.json"},
        "/etc/docker-corpus/none.json",
        "seccomp-profile",
    ),
    _admin(
        "seccomp-empty",
        "a seccomp profile of {}, which switches the filter off",
        {"seccomp-profile": "/etc/docker-corpus/empty.json"},
        "/etc/docker-corpus/empty.json",
        files=((f"{SCRATCH}/empty.json", "{}\n"),),
    ),
    _admin(
        "seccomp-no-json",
        "a seccomp profile that is not JSON",
        {"seccomp-profile": "/etc/docker-corpus/broken.json"},
        "/etc/docker-corpus/broken.json",
        files=((f"{SCRATCH}/broken.json", "defaultAction: SCMP_ACT_ERRNO\n"),),
    ),
    _admin(
        "seccomp-word-old",
        "seccomp-profile unconfined, a file name for this engine",
        {"seccomp-profile": "unconfined"},
        "unconfined",
        until=(23,),
    ),
    _wanted(
        "log-driver-unknown",
        "a log driver that does not exist",
        {**SMALL, "log-driver": "jsonfile", "log-opts": {}},
        "jsonfile",
        "daemon_baseline_log_driver",
    ),
    _wanted(
        "log-opt-unknown",
        "an option that the log driver does not know",
        {**SMALL, "log-driver": "journald", "log-opts": {"max-size": "10m"}},
        "max-size",
        "journald",
        "daemon_baseline_log_opts",
    ),
    _wanted(
        "log-opt-number",
        "a number where log options must be strings",
        {**SMALL, "log-driver": "json-file", "log-opts": {"max-file": 3}},
        "log-opts",
    ),
    _wanted(
        "log-level-unknown",
        "a log level that does not exist",
        {**SMALL, "log-level": "loud"},
        "loud",
        "daemon_baseline_log_level",
    ),
    _wanted("wanted-type", "a string for icc", {"icc": "false"}, "icc", "daemon_baseline_icc"),
    _wanted("wanted-foreign", "a key that the role does not own", {"debug": True}, "debug"),
    _wanted("wanted-tls", "a TLS key in the file", {"tlsverify": True}, "tlsverify"),
    _admin(
        "runtime-missing",
        "a default runtime whose program is not installed",
        {"default-runtime": "nvidia", "runtimes": {"nvidia": {"path": "/usr/bin/nvidia-container-runtime"}}},
        "/usr/bin/nvidia-container-runtime",
        "default-runtime",
    ),
    _admin(
        "runtime-undefined",
        "default-runtime that is not defined",
        {"default-runtime": "nvidia"},
        "nvidia",
        "default-runtime",
    ),
    _wanted(
        "cgroup-no-slice",
        "cgroup-parent that is not a slice",
        {**SMALL, "cgroup-parent": "bulwark"},
        ".slice",
        "daemon_baseline_cgroup_parent",
    ),
    _kept("cgroup-slice", "cgroup-parent that is a slice", None, wanted={**SMALL, "cgroup-parent": "bulwark.slice"}),
    _kept(
        "address-pools",
        "address pools for new networks",
        None,
        wanted={**SMALL, "default-address-pools": [{"base": "10.201.0.0/16", "size": 24}]},
    ),
    _wanted(
        "address-pool-bad",
        "an address pool that is smaller than its networks",
        {**SMALL, "default-address-pools": [{"base": "10.201.0.0/24", "size": 16}]},
        "default-address-pools",
    ),
    _kept(
        "network-opts",
        "options of new networks",
        None,
        wanted={**SMALL, "default-network-opts": {"bridge": {"com.docker.network.bridge.enable_icc": "false"}}},
        since=(24,),
    ),
    _kept(
        "network-opts-old",
        "options of new networks on an engine without them: left out, with a warning",
        None,
        wanted={**SMALL, "default-network-opts": {"bridge": {"com.docker.network.bridge.enable_icc": "false"}}},
        warns=("default-network-opts", "24"),
        until=(24,),
    ),
    _admin("iptables-off", "icc false with iptables false", {"iptables": False}, "iptables", "daemon_baseline_icc"),
    _wanted(
        "iptables-off-flag",
        "icc false with --iptables=false",
        SMALL,
        "iptables",
        "daemon_baseline_icc",
        files=_start(STOCK + " --iptables=false"),
    ),
    _admin(
        "authz-missing",
        "an authorization plugin that does not exist",
        {"authorization-plugins": ["corpus-authz"]},
        "corpus-authz",
        "authorization-plugins",
    ),
    _admin(
        "tls-files-missing",
        "TLS files that do not exist",
        {
            "tlsverify": True,
            "tlscacert": "/etc/docker-corpus/ca.pem",
            "tlscert": "/etc/docker-corpus/cert.pem",
            "tlskey": "/etc/docker-corpus/key.pem",
        },
        "/etc/docker-corpus/",
    ),
    _admin(
        "userns-nobody",
        "userns-remap for a user that does not exist",
        {"userns-remap": "corpus-user"},
        "corpus-user",
        since=(26,),
    ),
    _admin("dns-bad", "a DNS server that is no address", {"dns": ["resolver.example.org"]}, "resolver.example.org"),
    _admin("bip-bad", "a bridge address without its network", {"bip": "10.1.1.1"}, "10.1.1.1"),
    _admin("mirror-bad", "a mirror that is no URL", {"registry-mirrors": ["mirror example"]}, "mirror example"),
    _wanted(
        "admin-value",
        "another value of the administrator",
        SMALL,
        "line 2",
        "daemon_baseline_icc",
        config=b'{\n  "icc": true\n}\n',
        cured=b"{}\n",
    ),
    _admin(
        "insecure-registry",
        "an insecure registry of the administrator",
        {"insecure-registries": ["192.0.2.1:5000"]},
        "insecure-registries",
        "daemon_baseline_insecure_registries",
        wanted=BASE,
    ),
    Row(
        "drop-in-pending",
        "a drop-in was written and systemd not told",
        "converged",
        files=_start(STOCK + " --label rack=7"),
        loaded=False,
    ),
    Row(
        "pending-foreign",
        "valid foreign settings that wait for a restart",
        "converged",
        b'{"labels": ["late=1"]}\n',
        loaded=False,
    ),
    _wanted(
        "unit-unknown", "a unit that does not exist", SMALL, "corpus.service", options={"service": "corpus.service"}
    ),
    _wanted("user-unknown", "a rootless engine of nobody", SMALL, "corpus-user", options={"user": "corpus-user"}),
    _wanted(
        "record-damaged",
        "the collection's own record is damaged",
        SMALL,
        "/var/lib/bulwark-docker/system/state.json",
        files=(("/var/lib/bulwark-docker/system/state.json", '{"format": 1, "led'),),
    ),
    _wanted(
        "record-newer",
        "the collection's own record is of a newer release",
        SMALL,
        "format",
        "/var/lib/bulwark-docker/system/state.json",
        files=(("/var/lib/bulwark-docker/system/state.json", '{"format": 9000}'),),
    ),
)

LISTENERS = (
    _wanted(
        "tcp-flag",
        "the API without TLS on TCP, by a flag",
        SMALL,
        "2375",
        "role daemon_tls",
        files=_start(STOCK + " -H tcp://127.0.0.1:2375"),
    ),
    Row(
        "tcp-file",
        "the API without TLS on TCP, by hosts in the file",
        "refused",
        b'{"hosts": ["unix:///run/docker.sock", "tcp://127.0.0.1:2375"]}\n',
        files=_start("--containerd=/run/containerd/containerd.sock"),
        says=("2375", "role daemon_tls"),
        cured=b"{}\n",
    ),
    _wanted(
        "tcp-socket-unit",
        "the API without TLS on TCP, by a drop-in of docker.socket",
        SMALL,
        "2375",
        "docker.socket",
        files=((f"{SOCKET_DROP_INS}/tcp.conf", "[Socket]\nListenStream=127.0.0.1:2375\n"),),
    ),
    _kept(
        "tcp-allowed",
        "the API without TLS on TCP, allowed",
        None,
        files=_start(STOCK + " -H tcp://127.0.0.1:2375"),
        options={"allow_plaintext_api": True},
    ),
    _admin(
        "tcp-pending",
        "hosts with plain TCP that the engine has not read yet",
        {"hosts": ["unix:///run/docker.sock", "tcp://127.0.0.1:2375"]},
        "2375",
        files=_start("--containerd=/run/containerd/containerd.sock"),
    ),
)

DISKS = (
    Row(
        "disk-full",
        "no space under /etc/docker",
        "refused",
        b'{"debug": true}\n',
        says=(CONFIG, "No space left", "free space"),
        prepare="cp -a /etc/docker /etc/docker-saved; mount -t tmpfs -o size=64k corpus /etc/docker; "
        "cp -a /etc/docker-saved/. /etc/docker/; rm -r /etc/docker-saved",
        disturb="cat /dev/zero > /etc/docker/filler 2>/dev/null || true",
        repair="rm /etc/docker/filler",
        cured=b'{"debug": true}\n',
    ),
    Row(
        "disk-read-only",
        "/etc/docker is mounted read-only",
        "refused",
        b'{"debug": true}\n',
        says=(CONFIG, "Read-only", "writable"),
        disturb="mount --bind /etc/docker /etc/docker; mount -o remount,bind,ro /etc/docker",
        repair="umount /etc/docker",
        cured=b'{"debug": true}\n',
    ),
    Row(
        "immutable-file",
        "daemon.json has the immutable flag",
        "refused",
        b'{"debug": true}\n',
        says=(CONFIG, "not permitted", "lsattr"),
        disturb="chattr +i /etc/docker/daemon.json",
        repair="chattr -i /etc/docker/daemon.json",
        cured=b'{"debug": true}\n',
    ),
    Row(
        "immutable-directory",
        "/etc/docker has the immutable flag",
        "refused",
        b'{"debug": true}\n',
        says=(CONFIG, "not permitted", "lsattr"),
        disturb="chattr +i /etc/docker",
        repair="chattr -i /etc/docker",
        cured=b'{"debug": true}\n',
    ),
    Row(
        "record-disk-full",
        "no space for the collection's record",
        "refused",
        b'{"debug": true}\n',
        says=("/var/lib/bulwark-docker", "No space left", "free space"),
        disturb="mkdir -p /var/lib/bulwark-docker; "
        "mount -t tmpfs -o size=4k,nr_inodes=8 corpus /var/lib/bulwark-docker; "
        "cat /dev/zero > /var/lib/bulwark-docker/filler 2>/dev/null || true",
        repair="umount /var/lib/bulwark-docker",
        cured=b'{"debug": true}\n',
    ),
    Row(
        "record-read-only",
        "the place of the collection's record is read-only",
        "refused",
        b'{"debug": true}\n',
        says=("/var/lib/bulwark-docker", "Read-only", "writable"),
        disturb="mkdir -p /var/lib/bulwark-docker; mount -t tmpfs -o ro corpus /var/lib/bulwark-docker",
        repair="umount /var/lib/bulwark-docker",
        cured=b'{"debug": true}\n',
    ),
)
TABLE: tuple[Row, ...] = (*FORMATS, *BROKEN, *FLAGS, *DEAD_KEYS, *COMBINATIONS, *LISTENERS, *DISKS)
