# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does our verdict on (daemon.json, flags) equal the one of the dockerd that is installed here?

Runs on a test host, needs nothing but Python, openssl and this collection's plugins/module_utils (found from this
file's place, or --root). Generates pairs from a seed, asks `dockerd --validate` (below 23.0 the start that stops before
it touches the host) and prints JSON: version, pairs, accepted, rejected, false_accepts, false_rejects, excluded.
Exits with 1 when a verdict differs or nothing was compared.
"""

from __future__ import annotations

import argparse
import codecs
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

SUBSTITUTE_FLAGS = ("--data-root", "/dev/null/x", "--exec-root", "/dev/null/y", "--pidfile", "/dev/null/p")
# The folder below /dev/null cannot be made; with a root of its own ("graph") the next step fails the same way.
SUBSTITUTE_ACCEPTS = ("Unable to get the full path to root", "mkdir /dev/null: not a directory")
REMAPPED = re.compile(r'"userns-remap"\s*:\s*"[^"]| --userns-remap')
OTHER_ROOT = re.compile(r'"graph"\s*:\s*"(?!/dev/null/|")| (--graph|--data-root|-g)[ =]?(?!/dev/null/)[^ -]')
TIME_LIMIT = 30


def load_core(root: Path) -> dict[str, Any]:
    """Import the core without an Ansible installation."""
    path = root
    for depth, name in enumerate(
        ("ansible_collections", "ansible_collections.bulwark", "ansible_collections.bulwark.docker")
    ):
        module = types.ModuleType(name)
        module.__path__ = [str(path)] if depth == 2 else []
        sys.modules.setdefault(name, module)
    base = "ansible_collections.bulwark.docker.plugins.module_utils."
    names = ("_daemon_json", "_engine_check", "_engine_keys", "_errors", "_flags", "_version")
    return {name: __import__(base + name, fromlist=["x"]) for name in names}


class Pair(NamedTuple):
    """One question: the bytes of the file, the flags, and which family of cases it comes from."""

    family: str
    raw: bytes
    flags: tuple[str, ...]


class Verdict(NamedTuple):
    accepted: bool
    message: str


# values for the keys -------------------------------------------------------------------------------------------------

LISTS = {
    "allow-nondistributable-artifacts": [["registry.example:5000"], []],
    "authorization-plugins": [["opa"], []],
    "cdi-spec-dirs": [["/etc/cdi"], [""]],
    "dns-opts": [["ndots:1"]],
    "dns-search": [["example.com"], ["."], ["a.b-c.example."], ["exa mple"], ["-x"], ["1.2"], ["x", "y z"], [""]],
    "exec-opts": [
        ["native.cgroupdriver=systemd"],
        ["native.cgroupdriver=cgroupfs"],
        ["NATIVE.cgroupdriver = systemd"],
        ["native.cgroupdriver"],
        ["native.cgroupdriver="],
        ["isolation=hyperv"],
        ["foo=bar"],
    ],
    "hosts": [
        ["unix:///var/run/docker.sock"],
        ["fd://"],
        ["tcp://127.0.0.1:2376"],
        ["tcp://0.0.0.0"],
        ["tcp://"],
        ["0.0.0.0:2375"],
        [":2375"],
        ["localhost"],
        ["tcp://[::1]:2376"],
        ["tcp://::1"],
        ["tcp://127.0.0.1:port"],
        ["tcp://127.0.0.1:0"],
        ["tcp://127.0.0.1:99999"],
        ["tcp://127.0.0.1:2376/x"],
        ["/var/run/docker.sock"],
        ["unix:/var/run/docker.sock"],
        ["http://127.0.0.1:2375"],
        ["://x"],
        ["unix://a://b"],
        ["tcp://bad host:2375"],
        [""],
        [" fd:// "],
        ["tcp://[::1"],
        ["tcp://[::1]"],
        ["tcp://[x]:1"],
        ["tcp://[1.2.3.4]:5"],
        ["tcp://fe80::1"],
        ["tcp://a:b:3"],
        ["tcp://[::1%25eth0]:22"],
    ],
    "insecure-registries": [["10.0.0.0/8"], ["registry.example:5000"], ["http://x"], []],
    "labels": [
        ["a=b"],
        ["a"],
        ["a=b", "a=b"],
        ["a=b", "a=c"],
        ["com.docker.x=1"],
        ["Com.Docker.x=1"],
        ["="],
        ["a=b=c"],
    ],
    "node-generic-resources": [
        ["gpu=1"],
        ["gpu=a", "gpu=b"],
        ["gpu=1", "gpu=a"],
        ["gpu"],
        ["gpu=-1"],
        ["a=b=c"],
        ["a=1", "a=2"],
    ],
    "registry-mirrors": [
        ["https://mirror.example"],
        ["http://mirror.example:5000/"],
        ["https://mirror.example/path"],
        ["mirror.example"],
        ["ftp://mirror.example"],
        ["https://u:p@mirror.example"],
        ["https://mirror.example/?q"],
        ["https://mirror.example/#f"],
        ["https://mirror.example:port"],
        ["://x"],
        ["https://"],
        ["localhost:5000"],
        ["https://mirror.example/%zz"],
        ["https://[::1]:5000"],
        ["https://[x]"],
        ["https://[::1%25eth0]/"],
        ["https://a b/"],
        [""],
    ],
    "storage-opts": [["overlay2.override_kernel_check=true"], ["size=10G"]],
}
STRINGS = {
    "bip": ["172.18.0.1/24", "nonsense"],
    "bridge": ["none", "br0"],
    "cgroup-parent": ["docker.slice", "x"],
    "containerd": ["/run/containerd/containerd.sock"],
    "containerd-namespace": ["moby", "other"],
    "data-root": ["/dev/null/data"],
    "default-cgroupns-mode": ["private", "host", "", "Private", "container:x"],
    "default-ipc-mode": ["private", "shareable", "host", "none", "container:abc", "x", ""],
    "default-runtime": ["runc", "nvidia", "io.containerd.runc.v2", "io.containerd.runtime.v1.linux", "", "a/b"],
    "exec-root": ["/dev/null/exec"],
    "fixed-cidr": ["172.18.0.0/25", "x"],
    "fixed-cidr-v6": [
        "2001:db8:1::/64",
        "fe80::/64",
        "fe80::/80",
        "fe80::/10",
        "ff02::/16",
        "10.0.0.0/8",
        "::ffff:10.0.0.0/104",
        "2001:db8::",
        "x",
        "",
        "2001:db8::1/64",
        "::/0",
        "2001:db8::/064",
        "2001:db8::/129",
        "2001:db8::%eth0/64",
    ],
    "firewall-backend": ["iptables", "nftables", "x"],
    "graph": ["/dev/null/graph"],
    "group": ["docker"],
    "log-driver": ["json-file", "journald", "nonsense"],
    "log-format": ["text", "json", "xml", ""],
    "log-level": ["info", "WARN", "warning", "trace", "fatal", "panic", "verbose", ""],
    "metrics-addr": ["127.0.0.1:9323", "x"],
    "pidfile": ["/dev/null/pid"],
    "seccomp-profile": ["/etc/docker/seccomp.json", "unconfined", "builtin", ""],
    "storage-driver": ["overlay2", "aufs", "devicemapper"],
    "userland-proxy-path": ["@EXECUTABLE@", "/nonexistent/proxy", "docker-proxy", ""],
    "userns-remap": [""],
    "api-cors-header": ["*", ""],
}
INTEGERS = {
    "max-concurrent-downloads": [3, 0, -1],
    "max-concurrent-uploads": [5, 0, -1],
    "max-download-attempts": [5, 0, -1],
    "mtu": [1400, 0, -1],
    "network-diagnostic-port": [0, 8080, 65535, 65536, -1],
    "oom-score-adjust": [-500, 0],
    "shutdown-timeout": [30, -1],
    "cpu-rt-period": [0],
    "cpu-rt-runtime": [0],
}
ADDRESSES = [
    "10.0.0.1",
    "fe80::1",
    "::ffff:10.0.0.1",
    "",
    " 10.0.0.1",
    "010.0.0.1",
    "10.0.0",
    "x",
    "fe80::1%eth0",
    "1.2.3.4.5",
    "256.1.1.1",
    "::",
]
SIZES = [
    "64m",
    "1G",
    "128",
    "64MB",
    "1.5g",
    "64MiB",
    "64 m",
    "m",
    "",
    "-1",
    "64mm",
    "1e3",
    "1.2.3",
    ".5g",
    "64 mib",
    "0",
    "64x",
    "+5m",
    " 64m",
    "64m ",
]
POOLS = [
    [{"base": "10.10.0.0/16", "size": 24}],
    [{"Base": "10.10.0.0/16", "Size": 24}],
    [{"base": "10.10.0.0/16", "size": "24"}],
    [{"base": "nonsense", "size": 24}],
    [{"base": "", "size": 24}],
    [{"base": "10.10.0.0", "size": 24}],
    [{"size": 24}],
    [{"base": 10, "size": 24}],
    [None],
    [],
    ["10.10.0.0/16"],
]
ULIMITS = [
    {"nofile": {"Name": "nofile", "Hard": 64000, "Soft": 64000}},
    {"nofile": {"name": "nofile", "hard": 64000, "soft": 64000}},
    {"nofile": {"Hard": 64000, "Soft": 64000}},
    {"nofile": {"Name": "nofile", "Hard": "64000", "Soft": 64000}},
    {"nofile": 64000},
    {"nofile": None},
    {"nofile": {"Name": "nofile", "Hard": 1.5}},
    {"nofile": "64000:64000"},
    {"nofile": {"Name": 1}},
    {},
]
RUNTIMES = [
    {"nvidia": {"path": "nvidia-container-runtime", "runtimeArgs": []}},
    {"nvidia": {"Path": "/usr/bin/x", "runtimeargs": ["--debug"]}},
    {"runc": {"path": "runc"}},
    {"kata": {"runtimeType": "io.containerd.kata.v2"}},
    {"kata": {"runtimeType": "io.containerd.kata.v2", "options": {"ConfigPath": "/etc/kata.toml"}}},
    {"kata": {"runtimeType": 5}},
    {"kata": {"options": []}},
    {"nvidia": {"path": ["x"]}},
    {"nvidia": {"path": "x", "runtimeArgs": "--debug"}},
    {"nvidia": "x"},
    {"nvidia": None},
]
BUILDERS = [
    {"gc": {"enabled": True, "defaultKeepStorage": "20GB"}},
    {"gc": {"enabled": "true"}},
    {"gc": {"policy": [{"keepStorage": "10GB", "filter": ["unused-for=2200h"]}, {"all": True}]}},
    {"gc": {"policy": [{"keepStorage": 10}]}},
    {"gc": {"policy": [{"filter": {"unused-for": {"2200h": True}}}]}},
    {"gc": {"policy": [{"filter": {"unused-for": ["2200h"]}}]}},
    {"gc": {"policy": [{"filter": ["unused-for"]}]}},
    {"gc": {"policy": [{"filter": "x"}]}},
    {"gc": {"policy": [{"filter": [1]}]}},
    {"gc": {"policy": [{"filter": None}]}},
    {"gc": {"policy": {}}},
    {"gc": None},
    {"gc": []},
    {"gc": {"defaultReservedSpace": 5}},
    {"gc": {"policy": [{"reservedSpace": 5}]}},
    {"entitlements": {"security-insecure": True}},
    {"entitlements": {"network-host": "yes"}},
    {"Entitlements": {"Network-Host": 1}},
    {"history": {"maxAge": "48h", "maxEntries": 5}},
    {"history": {"maxAge": 5}},
    {"history": {"maxAge": "5"}},
    {"history": {"maxAge": "x"}},
    {"history": {"maxAge": "1h30m"}},
    {"history": {"maxEntries": "5"}},
    {"history": None},
    {"unknown": 1},
    {},
]
JUNK: list[Any] = [
    True,
    False,
    None,
    0,
    1,
    -1,
    1.5,
    1e3,
    2**63,
    2**31,
    "",
    "text",
    "true",
    "1",
    [],
    [""],
    ["text"],
    [1],
    [None],
    [[]],
    {},
    {"inner": 1},
    {"inner": "text"},
    {"debug": True},
    {"inner": {"a": "b"}},
    {"inner": None},
]
RAW_VALUES = [
    "1.0",
    "1e2",
    "-0",
    "1E400",
    "12345678901234567890",
    '"\\ud800"',
    '"\\u0041"',
    "00",
    "+1",
    ".5",
    "1.",
    "0x10",
    "NaN",
    "Infinity",
    "True",
    "nul",
]


def good_values(name: str, shape: str) -> list[Any]:
    """Values somebody could mean, right and nearly right ones, for one key."""
    tables: dict[str, list[Any]] = {**LISTS, **STRINGS, **INTEGERS}
    by_shape: dict[str, list[Any]] = {
        "bool": [True, False],
        "opt_bool": [False],
        "str": ["x"],
        "int": [5],
        "int64": [0],
        "list_str": [["x"]],
        "unread": ["x", 5, {"a": 1}],
        "ip": list(ADDRESSES),
        "list_ip": [[item] for item in ADDRESSES],
        "list_addr": [[item] for item in ADDRESSES]
        + [["10.0.0.1", "fd00::1"], ["10.0.0.1", "10.0.0.2"], ["::1", "::2"]],
        "size": list(SIZES),
        "map_str": [{"max-size": "10m", "max-file": "3"}, {"max-file": 3}, {"a": None}, {}],
        "map_bool": [
            {"buildkit": True},
            {"buildkit": "true"},
            {"windows-dns-proxy": False},
            {"containerd-snapshotter": None},
        ],
        "map_map_str": [
            {"bridge": {"com.docker.network.bridge.enable_icc": "false"}},
            {"bridge": {"x": False}},
            {"bridge": "x"},
        ],
        "pools": list(POOLS),
        "ulimits": list(ULIMITS),
        "runtimes": list(RUNTIMES),
        "builder": list(BUILDERS),
        "proxies": [
            {"http-proxy": "http://proxy:3128"},
            {"http-proxy": 1},
            {"HTTP-Proxy": "x"},
            {"other": "x"},
            {"debug": True},
        ],
        "nri": [{"enable": True}],
    }
    return tables.get(name) or by_shape[shape]


# what people write ---------------------------------------------------------------------------------------------------

FIELD_FILES: list[tuple[str, tuple[str, ...]]] = [
    ('{"icc": "false"}', ()),
    (
        '{"exec-opts": ["native.cgroupdriver=systemd"], "log-driver": "json-file", "log-opts": {"max-size": "100m"}}',
        ("-H", "fd://"),
    ),
    ('{"hosts": ["fd://", "tcp://127.0.0.1:2375"]}', ("-H", "fd://")),
    ('{"hosts": ["unix:///var/run/docker.sock"]}', ("--containerd=/run/containerd/containerd.sock",)),
    ('{"default-ulimit": {"nofile": {"Hard": 1, "Soft": 1}}}', ()),
    ('{"default-ulimit": ["nofile=1:1"]}', ()),
    ('{"log-opt": {"max-size": "10m"}}', ()),
    ('{"log-opt": ["max-size=10m"]}', ()),
    ('{"insecure-registry": ["10.0.0.1:5000"]}', ()),
    ('{"registry-mirror": "https://m.example"}', ()),
    ('{"storage-driver": "overlay2", "storage-opts": ["overlay2.override_kernel_check=true"]}', ("-s", "overlay2")),
    ('{"graph": "/dev/null/docker"}', ()),
    ('{"data-root": "/dev/null/docker", "graph": "/dev/null/docker"}', ()),
    ('{"live_restore": true}', ()),
    ('{"live-restore": True}', ()),
    ("{'debug': true}", ()),
    ('{"debug": true,}', ()),
    ('{"debug": true} // off', ()),
    ('{"debug": true}\n# off\n', ()),
    ('/* config */ {"debug": true}', ()),
    ('{"debug": true}}', ()),
    ('{"debug": true}{"icc": false}', ()),
    ('"debug": true', ()),
    ('{"debug": true "icc": false}', ()),
    ('{"bip": "10.0.0.1/24" "mtu": 1400}', ()),
    ('{"dns": "8.8.8.8"}', ()),
    ('{"dns": ["8.8.8.8", "8.8.4.4"]}', ("--dns", "1.1.1.1")),
    ('{"labels": {"a": "b"}}', ()),
    ('{"proxies": {"default": {"httpProxy": "http://x"}}}', ()),
    ('{"http-proxy": "http://x"}', ()),
    ('{"proxies": {"http-proxy": "http://x"}}', ("--http-proxy", "http://y")),
    ('{"userland-proxy": false, "ip-forward": true, "iptables": false}', ()),
    ('{"tls": true, "tlsverify": true}', ()),
    ('{"tlsverify": null}', ()),
    ('{"api-cors-headers": "*"}', ()),
    ('{"api-cors-header": "*"}', ()),
    ('{"oom-score-adjust": -500}', ()),
    ('{"cluster-store": "consul://x", "cluster-store-opts": {"a": "b"}}', ()),
    ('{"disable-legacy-registry": true}', ()),
    ('{"deprecated-key-path": "/x"}', ()),
    ('{"features": {"buildkit": true}, "builder": {"gc": {"enabled": true, "defaultKeepStorage": "10GB"}}}', ()),
    ('{"max-concurrent-downloads": "10"}', ()),
    ('{"content-trust": {"mode": "enforced"}}', ()),
    ('{"content-trust": {}}', ()),
    ('{"_comment": "mine", "debug": true}', ()),
    ('{"seccomp-profile": "unconfined", "no-new-privileges": true}', ("--no-new-privileges",)),
    ('{"default-runtime": "nvidia", "runtimes": {"nvidia": {"path": "nvidia-container-runtime"}}}', ()),
    ('{"default-runtime": "nvidia"}', ("--add-runtime", "nvidia=/usr/bin/nvidia-container-runtime")),
    ('{"runtimes": {"a": {"path": "a"}}}', ("--add-runtime", "b=b")),
    ('{"selinux-enabled": true}', ("--selinux-enabled",)),
    ('{"containerd": "/run/containerd/containerd.sock"}', ("--containerd=/run/containerd/containerd.sock",)),
    ('{"group": "docker"}', ("-G", "docker")),
    ('{"validate": true}', ()),
    ('{"config-file": "/x"}', ()),
    ('{"version": true, "help": true, "restart": false}', ()),
    ('{"v": true}', ()),
    ('{"H": ["fd://"]}', ()),
    ('{"host": ["fd://"]}', ("-H", "fd://")),
    ('{"label": ["a"]}', ("--label", "a=b")),
    ('{"resolv-conf": "/x"}', ()),
    ('{"resolv-conf": {}}', ()),
    ('{"default-init": {"debug": true}}', ()),
    ('{"containerd-plugin-namespace": "x"}', ()),
    ('{"containerd-plugins-namespace": 5}', ()),
    ('{"swarm-raft-heartbeat-tick": {}}', ()),
    ('{"anything": {"debug": true, "icc": "no"}}', ()),
    ('{"anything": {"icc": true}}', ("--icc=false",)),
    ('{"anything": {"userland-proxy": false}, "userland-proxy-path": "x"}', ()),
    ('{"userland-proxy": false, "userland-proxy-path": "x"}', ()),
    ('{"userland-proxy-path": "x"}', ("--userland-proxy=false",)),
    ('{"ICC": false}', ()),
    ('{"ICC": {"debug": true}}', ()),
    ('{"Proxies": {"http-proxy": 1}}', ()),
    ('{"debug": true, "debug": "x"}', ()),
    ('{"debug": "x", "debug": true}', ()),
    ('{"x": 1, "x": {"debug": true}}', ()),
    ('{"x": {"debug": true}, "x": 1}', ()),
    ('{"log-opts": {"a": 1}, "log-opts": {"b": "c"}}', ()),
    ('{"icc": {}, "icc": true}', ()),
    ('{"": 1}', ()),
    ('{"": {}}', ()),
    ("null", ()),
    ("null x", ()),
    ("nullx", ()),
    ("true", ()),
    ("5", ()),
    ('"text"', ()),
    ("[]", ()),
    ("[{}]", ()),
    ("{}", ("--debug", "--debug=false")),
    ("", ()),
    ("  \n\t", ()),
    ("\u00a0{}\u2003", ()),
    ("\x0b{}", ()),
    ("{}\x00", ()),
    ("\u2028{}", ()),
    ("{\u00a0}", ()),
    ("\ufeff{}", ()),
    ("\ufeff\ufeff{}", ()),
    ("\ufeff", ()),
    ("[" * 10001, ()),
    ('{"x":' + "[" * 9998 + "]" * 9998 + "}", ()),
    ('{"builder":' + "[" * 9998 + "]" * 9998 + "}", ()),
    ('{"builder":{"x":' + "[" * 9998 + "]" * 9998 + "}}", ()),
    ('{"builder":{"x":' + "[" * 9999 + "]" * 9999 + "}}", ()),
    ('{"features": {"a": 1e400}}', ()),
    ('{"builder": {"x": 1e400}}', ()),
    ('{"builder": {"x": ' + "9" * 400 + "}}", ()),
    ('{"labels": ["a=\\ud83d\\ude00", "b=\\ud800"]}', ()),
    ('{"labels": ["a=\\x"]}', ()),
    ('{"labels": ["a=\t"]}', ()),
    ('{"labels": ["a=\x7f"]}', ()),
    ('{"labels": ["a=b\n"]}', ()),
    ('{"\\u0064ebug": true}', ()),
    ('{"debug": 01}', ()),
    ('{"debug"; true}', ()),
    ("{debug: true}", ()),
    ('{"debug": true', ()),
    ('{"debug": ', ()),
    ('{"debug', ()),
    ("{", ()),
    ("}", ()),
    ('{"debug": true]', ()),
    ("{,}", ()),
    ('{"a" 1}', ()),
    ("{1: 2}", ()),
    ('{"labels": ["a=b",]}', ()),
    ('{"labels": [,"a=b"]}', ()),
    ('{"tls": true}', ("--tlscert", "@CERT@", "--tlskey", "@KEY@")),
    ('{"tls": true, "tlscert": "@CERT@", "tlskey": "@KEY@"}', ()),
    ('{"tls": true, "tlscert": "@CERT@", "tlskey": "@KEY@", "tlscacert": "@CA@"}', ()),
    ('{"tlsverify": true, "tlscert": "@CERT@", "tlskey": "@KEY@", "tlscacert": "@MISSING@"}', ()),
    ('{"tlsverify": false, "tlscert": "@CERT@", "tlskey": "@KEY@", "tlscacert": "@MISSING@"}', ()),
    ('{"tlsverify": true, "tlscert": "@MISSING@", "tlskey": "@KEY@", "tlscacert": "@CA@"}', ()),
    ('{"tlsverify": true, "tlscert": "@CERT@", "tlskey": "@JUNK@", "tlscacert": "@CA@"}', ()),
    ('{"tlsverify": true, "tlscert": "@CERT@", "tlskey": "@KEY@", "tlscacert": "@JUNK@"}', ()),
    ('{"tls": false, "tlscert": "@MISSING@"}', ()),
    ('{"tls": true}', ("--tlsverify", "--tlscert", "@CERT@", "--tlskey", "@KEY@", "--tlscacert", "@CA@")),
    ('{"tls": false}', ("--tlsverify", "--tlscert", "@CERT@", "--tlskey", "@MISSING@", "--tlscacert", "@CA@")),
    ('{"tlscert": "@CERT@", "tlskey": "@KEY@"}', ("--tls",)),
    ('{"tlscert": "@CERT@", "tlskey": "@KEY@", "tlscacert": "@CA@"}', ("--tlsverify",)),
    ('{"tlscert": "@CERT@", "tlskey": "@KEY@"}', ("--tls=false",)),
    ('{"tlscert": "@CERT@", "tlskey": "@KEY@"}', ("--tlsverify=false",)),
    ("{}", ("--tls",)),
    ("{}", ("--tlsverify", "--tlscert", "@CERT@", "--tlskey", "@KEY@", "--tlscacert", "@CA@")),
    ("{}", ("--tlsverify=false", "--tlscert", "@CERT@", "--tlskey", "@KEY@")),
    ('{"tlsverify": true}', ("--tlsverify",)),
]
FIELD_BYTES: list[bytes] = [
    b'{"labels": ["a=\xff"]}',
    b'{"\xff": 1}',
    b"\xff{}",
    b'{"labels": ["a=\xed\xa0\x80"]}',
    codecs.BOM_UTF16_LE + '{"debug": true}'.encode("utf-16-le"),
    codecs.BOM_UTF16_BE + '{"debug": true}\r\n'.encode("utf-16-be"),
    codecs.BOM_UTF16_BE + '{"debug": "x"}'.encode("utf-16-be"),
    codecs.BOM_UTF16_LE + '{"debug": true}'.encode("utf-16-le") + b" ",
    codecs.BOM_UTF16_LE + '{"labels": ["a='.encode("utf-16-le") + b"\x00\xd8" + '"]}'.encode("utf-16-le"),
    codecs.BOM_UTF16_LE,
    '{"debug": true}'.encode("utf-16-le"),
    codecs.BOM_UTF8 + b"{}",
    codecs.BOM_UTF8 + b"\xff{}",
    b"\xef\xbb{}",
    b'{"debug": true}\r\n',
    b'{"debug"\r: true}',
]
FLAG_LINES: list[tuple[str, ...]] = [
    ("-D",),
    ("-Dl", "debug"),
    ("-Dldebug",),
    ("-l=debug",),
    ("-l", "verbose"),
    ("-l",),
    ("--log-level",),
    ("--log-level=",),
    ("--log-level=WARNING",),
    ("--icc", "false"),
    ("--icc=false",),
    ("--icc=no",),
    ("--icc=T",),
    ("--icc=",),
    ("--no-icc",),
    ("--unknown",),
    ("--unknown=1",),
    ("-X",),
    ("-DX",),
    ("---debug",),
    ("--=x",),
    ("-",),
    ("--",),
    ("--", "x"),
    ("x",),
    ("daemon",),
    ("-H", "fd://", "-H", "unix:///x"),
    ("-Hfd://",),
    ("-H=fd://",),
    ("-H", "http://x"),
    ("--host", "tcp://127.0.0.1:port"),
    ("--mtu", "0x500"),
    ("--mtu", "1_400"),
    ("--mtu", "-1"),
    ("--mtu", "x"),
    ("--mtu=1.5",),
    ("--mtu", "010"),
    ("--mtu", "09"),
    ("--mtu", "99999999999999999999"),
    ("--max-download-attempts", "0"),
    ("--max-concurrent-uploads=-1",),
    ("--ip", "10.0.0.1"),
    ("--ip", " 10.0.0.1"),
    ("--ip", ""),
    ("--ip", "x"),
    ("--ip=::1",),
    ("--dns", "8.8.8.8,8.8.4.4"),
    ("--dns", " 8.8.8.8"),
    ("--dns", ""),
    ("--dns", '"8.8.8.8"'),
    ("--dns", "x"),
    ("--dns-search", "."),
    ("--dns-search", "a b"),
    ("--default-ulimit", "nofile=1:2"),
    ("--default-ulimit", "nofile=2:1"),
    ("--default-ulimit", "nofile=-1:5"),
    ("--default-ulimit", "nofile=5:-1"),
    ("--default-ulimit", "as=5"),
    ("--default-ulimit", "nofile"),
    ("--default-ulimit", "nofile=1:2:3"),
    ("--default-ulimit", "nofile=x"),
    ("--default-shm-size", "64m"),
    ("--default-shm-size", "64x"),
    ("--default-shm-size", "64 mib"),
    ("--default-shm-size", ""),
    ("--add-runtime", "a=b"),
    ("--add-runtime", "a"),
    ("--add-runtime", "runc=x"),
    ("--add-runtime", "RunC=x"),
    ("--add-runtime", "a=b", "--add-runtime", "A=c"),
    ("--add-runtime", "a="),
    ("--default-runtime", "a", "--add-runtime", "a=b"),
    ("--default-runtime", "a"),
    ("--label", "a=b"),
    ("--label", "a"),
    ("--label", "com.docker.a=b"),
    ("--label", "a=b", "--label", "a=c"),
    ("--node-generic-resource", "gpu=1"),
    ("--node-generic-resource", "gpu"),
    ("--node-generic-resource", "gpu=1=2"),
    ("--insecure-registry", "-x"),
    ("--insecure-registry", "x-"),
    ("--insecure-registry", "10.0.0.0/8"),
    ("--registry-mirror", "https://m.example/p"),
    ("--registry-mirror", "m.example"),
    ("--registry-mirror", "localhost:5000"),
    ("--log-opt", "max-size=1m"),
    ("--log-opt", "max-size"),
    ("--log-opt", ""),
    ("--default-address-pool", "base=10.0.0.0/8,size=24"),
    ("--default-address-pool", "base=x,size=24"),
    ("--default-address-pool", "base=10.0.0.0/8"),
    ("--default-address-pool", "size=x"),
    ("--default-address-pool", "BASE=10.0.0.0/8,SIZE=24"),
    ("--default-address-pool", "nope=1"),
    ("--default-address-pool", ""),
    ("--default-address-pool", '"base=10.0.0.0/8","size=24"'),
    ("--default-address-pool", 'base="10.0.0.0/8"'),
    ("--default-network-opt", "bridge=a=b"),
    ("--default-network-opt", "bridge=a"),
    ("--feature", "buildkit"),
    ("--feature", "buildkit=x"),
    ("--feature", "=true"),
    ("--host-gateway-ip", "10.0.0.1"),
    ("--host-gateway-ip", "10.0.0.1", "--host-gateway-ip", "10.0.0.2"),
    ("--host-gateway-ip", "10.0.0.1", "--host-gateway-ip", "::1"),
    ("--host-gateway-ip", "x"),
    ("--host-gateway-ip", ""),
    ("--exec-opt", "native.cgroupdriver=systemd"),
    ("--exec-opt", "foo"),
    ("--oom-score-adjust", "-500"),
    ("--cluster-store", "x"),
    ("--cluster-store-opt", "x"),
    ("--api-cors-header", "*"),
    ("--allow-direct-routing",),
    ("--bip6", "2001:db8::1/64"),
    ("--cdi-spec-dir", "/x"),
    ("--log-format", "json"),
    ("--log-format", "xml"),
    ("--firewall-backend", "nftables"),
    ("--http-proxy", "x"),
    ("--restart=false",),
    ("-r",),
    ("--userland-proxy-path", "x"),
    ("--userland-proxy-path", "x", "--userland-proxy=false"),
    ("--fixed-cidr-v6", "x"),
    ("--default-ipc-mode", "host"),
    ("--default-cgroupns-mode", "x"),
    ("--cpu-rt-period", "x"),
    ("--network-diagnostic-port", "70000"),
    ("--graph", "/dev/null/x"),
    ("-g", "/dev/null/x"),
    ("-s", "overlay2", "-b", "none", "-G", "docker"),
    ("-b",),
    ("-s=",),
    ("-Ds=overlay2",),
]


class Generator:
    """Pairs from a seed; `names` maps each key and flag that any version knows to its shape."""

    def __init__(self, seed: int, keys: dict[str, Any]) -> None:
        self.random = random.Random(seed)
        self.keys = keys

    def flag_for(self, key: Any, value: Any) -> tuple[str, ...]:
        """The key as flags in one of the spellings."""
        if isinstance(value, bool):
            text = "true" if value else "false"
        elif isinstance(value, list):
            text = str(value[0]) if value else ""
        elif isinstance(value, dict):
            text = "=".join(str(part) for item in value.items() for part in item)
        else:
            text = str(value)
        spellings: list[tuple[str, ...]] = [(f"--{key.flag}={text}",)]
        if key.shape in ("bool", "opt_bool"):
            spellings += [(f"--{key.flag}",)] if value is True else []
            spellings += [(f"-{key.short}",), (f"-{key.short}={text}",)] if key.short else []
        else:
            spellings += [(f"--{key.flag}", text)]
            spellings += [(f"-{key.short}", text), (f"-{key.short}{text}",)] if key.short and text else []
        return self.random.choice(spellings)

    def dump(self, data: Any) -> str:
        indent = self.random.choice([None, None, 2, 4, "\t"])
        return json.dumps(data, indent=indent, ensure_ascii=self.random.random() < 0.5)

    def one_key(self, key: Any) -> Pair:
        value = self.random.choice(good_values(key.name, key.shape))
        return Pair("value", self.dump({key.name: value}).encode(), ())

    def wrong_key(self, key: Any) -> Pair:
        value = self.random.choice(JUNK)
        return Pair("shape", self.dump({key.name: value}).encode(), ())

    def raw_key(self, key: Any) -> Pair:
        value = self.random.choice(RAW_VALUES)
        return Pair("raw", f'{{"{key.name}": {value}}}'.encode(), ())

    def several(self) -> Pair:
        chosen = self.random.sample(sorted(self.keys), self.random.randint(2, 5))
        data = {name: self.random.choice(good_values(name, self.keys[name].shape)) for name in chosen}
        return Pair("several", self.dump(data).encode(), ())

    def nested(self) -> Pair:
        inner = self.random.choice(sorted(self.keys))
        outer = self.random.choice(
            [
                "anything",
                "tls",
                "proxies",
                "features",
                "log-opts",
                "runtimes",
                "DEBUG",
                self.random.choice(sorted(self.keys)),
            ]
        )
        value = self.random.choice(JUNK + good_values(inner, self.keys[inner].shape))
        return Pair("nested", self.dump({outer: {inner: value}}).encode(), ())

    def misspelt(self) -> Pair:
        name = self.random.choice(sorted(self.keys))
        key = self.keys[name]
        changed = self.random.choice(
            [
                name + "s",
                name.rstrip("s"),
                name.replace("-", "_"),
                name.upper(),
                name.title(),
                key.flag or "x",
                key.short or "y",
                name[1:],
                name + " ",
            ]
        )
        return Pair("misspelt", self.dump({changed: self.random.choice(good_values(name, key.shape))}).encode(), ())

    def duplicate(self) -> Pair:
        name = self.random.choice(sorted(self.keys))
        values = [json.dumps(self.random.choice(JUNK + good_values(name, self.keys[name].shape))) for _turn in range(2)]
        return Pair("duplicate", ("{" + ", ".join(f'"{name}": {value}' for value in values) + "}").encode(), ())

    def flagged(self) -> Pair:
        key = self.random.choice([key for key in self.keys.values() if key.flag])
        value = self.random.choice(good_values(key.name, key.shape))
        other = self.random.choice([key.name, key.name, key.flag, "debug", self.random.choice(sorted(self.keys))])
        shape = self.keys[other].shape if other in self.keys else "str"
        data = {other: self.random.choice(good_values(other, shape))} if self.random.random() < 0.7 else {}
        return Pair("flagged", self.dump(data).encode(), self.flag_for(key, value))

    def flag_line(self) -> Pair:
        return Pair(
            "flags",
            b"{}",
            self.random.choice(FLAG_LINES) + self.random.choice([(), (), self.random.choice(FLAG_LINES)]),
        )

    def broken(self) -> Pair:
        """A good file with one byte changed, dropped, doubled or inserted."""
        raw = bytearray(self.several().raw)
        at = self.random.randrange(len(raw))
        turn = self.random.randrange(4)
        if turn == 0:
            raw[at] = self.random.randrange(256)
        elif turn == 1:
            del raw[at]
        elif turn == 2:
            raw.insert(at, raw[at])
        else:
            raw.insert(at, self.random.choice(b' \t\n,:{}[]"\\/#\x00\xff0-e'))
        return Pair("broken", bytes(raw), ())

    def encoded(self) -> Pair:
        text = self.several().raw.decode()
        mark, codec = self.random.choice(
            [
                (codecs.BOM_UTF8, "utf-8"),
                (codecs.BOM_UTF16_LE, "utf-16-le"),
                (codecs.BOM_UTF16_BE, "utf-16-be"),
                (b"", "utf-16-le"),
                (b"", "latin-1"),
            ]
        )
        space = self.random.choice(["", "\n", "\u00a0", "\u3000", " \x0b", "\x00"])
        return Pair(
            "encoding",
            mark + (space + text + self.random.choice(["", "\n", "x", "{}", "\u2029"])).encode(codec, "replace"),
            (),
        )

    def pairs(self, count: int) -> list[Pair]:
        """Every key right and wrong and every field case first, then a mixture up to the count."""
        found = [Pair("field", text.encode("utf-8", "surrogatepass"), flags) for text, flags in FIELD_FILES]
        found += [Pair("bytes", raw, ()) for raw in FIELD_BYTES]
        found += [maker(key) for key in self.keys.values() for maker in (self.one_key, self.wrong_key)]
        found += [Pair("flags", b"{}", line) for line in FLAG_LINES]
        makers = [
            self.several,
            self.nested,
            self.misspelt,
            self.duplicate,
            self.flagged,
            self.flagged,
            self.flag_line,
            self.broken,
            self.encoded,
        ]
        keyed = [self.one_key, self.one_key, self.wrong_key, self.raw_key]
        names = sorted(self.keys)
        while len(found) < count:
            if self.random.random() < 0.5:
                found.append(self.random.choice(makers)())
            else:
                found.append(self.random.choice(keyed)(self.keys[self.random.choice(names)]))
        return found


class Judge:
    """Asks both sides."""

    def __init__(self, core: dict[str, Any], dockerd: str, folder: Path) -> None:
        self.core = core
        self.dockerd = dockerd
        self.folder = folder
        self.environment = {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), "HOME": str(folder)}
        printed = subprocess.run([dockerd, "--version"], stdout=subprocess.PIPE, check=True, timeout=TIME_LIMIT)
        self.version = core["_version"].parse_version(
            printed.stdout.decode().split("version", 1)[1].split(",")[0].strip()
        )
        self.modern = self.version >= (23,)
        self.path = str(folder / "daemon.json")
        self.stand_ins = make_files(folder)

    def resolve(self, pair: Pair) -> Pair:
        """Put the paths of this run's files in."""
        raw, flags = pair.raw, pair.flags
        for mark, path in self.stand_ins.items():
            raw = raw.replace(mark.encode(), path.encode())
            flags = tuple(flag.replace(mark, path) for flag in flags)
        return Pair(pair.family, raw, flags)

    def arguments(self, pair: Pair) -> list[str]:
        head = ["--validate"] if self.modern else list(SUBSTITUTE_FLAGS)
        return [*head, "--config-file", self.path, *pair.flags]

    def reality(self, pair: Pair) -> Verdict:
        Path(self.path).write_bytes(pair.raw)
        process = subprocess.run(
            [self.dockerd, *self.arguments(pair)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.environment,
            cwd=str(self.folder),
            timeout=TIME_LIMIT,
            check=False,
        )
        message = process.stdout.decode("utf-8", "replace")
        accepted = process.returncode == 0 if self.modern else any(words in message for words in SUBSTITUTE_ACCEPTS)
        return Verdict(accepted, message[-600:])

    def ours(self, pair: Pair) -> Verdict:
        check, flags_module = self.core["_engine_check"], self.core["_flags"]
        try:
            document = self.core["_daemon_json"].parse_document(pair.raw, self.version, self.path)
        except self.core["_errors"].ConfigError as exc:
            flags = flags_module.parse_flags(self.arguments(pair), self.version)
            return Verdict(False, "; ".join((str(exc), *flags.errors)))
        flags = flags_module.parse_flags(self.arguments(pair), self.version)
        certificates = str(self.folder / ".docker")
        heads = {path: head_of(path) for path in check.paths_to_inspect(document.data, flags, certificates)}
        facts = check.HostFacts(
            cgroup_version=2 if Path("/sys/fs/cgroup/cgroup.controllers").exists() else 1,
            existing_files=heads,
            certificate_directory=certificates,
        )
        findings = check.check_config(document, flags, self.version)
        findings += check.check_combinations(document.data, flags, self.version, facts)
        fatal = [finding for finding in findings if finding.fatal and finding.covered_by_validate]
        return Verdict(not fatal, "; ".join(finding.message for finding in fatal))

    def excluded(self, pair: Pair) -> str | None:
        """Why a pair cannot be asked at all; docs/agreement.md publishes these reasons."""
        text = " ".join((pair.raw.decode("utf-8", "replace").replace("\0", ""), *pair.flags))
        if self.version >= (26,) and REMAPPED.search(text):
            return "userns-remap is resolved on this host, and `default` creates a user"
        if not self.modern and OTHER_ROOT.search(text):
            return "another data root would be created and mounted by the start that stands in for --validate"
        return None


def make_files(folder: Path) -> dict[str, str]:
    """Certificates and other files that pairs refer to by @NAME@."""
    paths = {name: str(folder / f"{name.lower()}.pem") for name in ("CA", "CERT", "KEY", "MISSING", "JUNK")}
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    command += ["-subj", "/CN=agreement", "-keyout", paths["KEY"], "-out", paths["CERT"]]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, timeout=TIME_LIMIT)
    Path(paths["CA"]).write_bytes(Path(paths["CERT"]).read_bytes())
    Path(paths["JUNK"]).write_text("not a PEM file\n", encoding="ascii")
    return {**{f"@{name}@": path for name, path in paths.items()}, "@EXECUTABLE@": "/bin/sh"}


def head_of(path: str) -> bytes | None:
    try:
        with open(path, "rb") as handle:
            return handle.read(4096)
    except OSError:
        return None


def report(pair: Pair, real: Verdict, mine: Verdict) -> dict[str, Any]:
    shown = pair.raw if len(pair.raw) < 2000 else pair.raw[:200] + b"..." + pair.raw[-200:]
    return {
        "family": pair.family,
        "file": shown.decode("utf-8", "backslashreplace"),
        "flags": list(pair.flags),
        "dockerd": {"accepted": real.accepted, "message": real.message},
        "ours": {"accepted": mine.accepted, "message": mine.message},
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Compare and print; see the module's docstring."""
    parser = argparse.ArgumentParser(
        description="Compare our verdict on daemon.json and flags with the real dockerd's."
    )
    parser.add_argument("--count", type=int, default=600, help="pairs to compare (at least)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dockerd", default="dockerd", help="program to ask")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2], help="where plugins/ is")
    options = parser.parse_args(argv)
    core = load_core(options.root)
    false_accepts: list[dict[str, Any]] = []
    false_rejects: list[dict[str, Any]] = []
    excluded: list[dict[str, Any]] = []
    counts = {True: 0, False: 0}
    with tempfile.TemporaryDirectory() as name:
        judge = Judge(core, options.dockerd, Path(name))
        for pair in map(judge.resolve, Generator(options.seed, core["_engine_keys"].KEYS).pairs(options.count)):
            reason = judge.excluded(pair)
            if reason is not None:
                excluded.append(
                    {"pair": {"file": pair.raw.decode("utf-8", "replace"), "flags": list(pair.flags)}, "reason": reason}
                )
                continue
            real, mine = judge.reality(pair), judge.ours(pair)
            counts[real.accepted] += 1
            if real.accepted != mine.accepted:
                (false_rejects if real.accepted else false_accepts).append(report(pair, real, mine))
    print(
        json.dumps(
            {
                "version": str(judge.version),
                "seed": options.seed,
                "pairs": sum(counts.values()),
                "accepted": counts[True],
                "rejected": counts[False],
                "false_accepts": false_accepts,
                "false_rejects": false_rejects,
                "excluded": excluded,
            },
            indent=2,
        )
    )
    return 0 if sum(counts.values()) and not false_accepts and not false_rejects else 1


if __name__ == "__main__":
    sys.exit(main())
