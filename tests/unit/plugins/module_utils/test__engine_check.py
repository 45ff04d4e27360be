# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What dockerd says when it loads a file and flags."""

from __future__ import annotations

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._daemon_json import parse_document
from ansible_collections.bulwark.docker.plugins.module_utils._engine_check import Finding, check_config, known_keys
from ansible_collections.bulwark.docker.plugins.module_utils._flags import parse_flags
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version

V20, V24, V26, V28, V29 = (
    Version(20, 10, 24),
    Version(24, 0, 9),
    Version(26, 1, 5),
    Version(28, 5, 2),
    Version(29, 2, 0),
)
PATH = "/etc/docker/daemon.json"

CONFIG_OK: list[tuple[Version, str, list[str]]] = [
    (V26, "{}", ["-H", "fd://"]),
    (V26, '{"icc": null, "log-opts": null, "dns": null}', []),
    (V26, '{"anything": {"debug": "not looked at"}}', []),
    (V26, '{"default-ulimits": {"nofile": {"NAME": "nofile", "hArd": 5}}}', []),
    (V26, '{"runtimes": {"a": {"path": "b"}}}', ["--add-runtime", "c=d"]),
    (V26, '{"dns": [""], "ip": "::1", "default-shm-size": "1g"}', []),
    (V26, '{"builder": {"gc": {"policy": [{"filter": {"a": {"b": true}}}]}, "history": {"maxAge": "48h"}}}', []),
    (V26, '{"http-proxy": 5, "validate": true, "label": 1}', []),
    (V26, '{"proxies": {"http-proxy": "http://x"}}', []),
    (V26, '{"hosts": ["fd://"], "registry-mirrors": ["https://x"], "mtu": 0}', ["--icc=false"]),
    (V20, '{"oom-score-adjust": 5, "graph": "/x", "cluster-store": "x"}', []),
    (V20, '{"log-level": "warning", "mtu": -1}', []),
    (V28, '{"nri-opts": {}, "anything": {}}', []),
    (V28, '{"allow-nondistributable-artifacts": 5, "host-gateway-ips": ["10.0.0.1", "::1"]}', []),
    (V28, '{"default-address-pools": [{"base": "10.0.0.0/8", "size": 24}]}', []),
    (V29, '{"min-api-version": "1.44", "firewall-backend": "nftables", "nri-opts": {"enable": true}}', []),
]
# version, file, flags, code, key, line, column, words of the message
CONFIG_BAD: list[tuple[Version, str, list[str], str, str | None, int | None, int | None, str]] = [
    (V26, '{\n "iccc": 1}', [], "unknown_key", "iccc", 2, 2, "did you mean 'icc'?"),
    (
        V26,
        '{"default-ulimit": {"nofile": {}}}',
        [],
        "unknown_key",
        "default-ulimit",
        1,
        2,
        "'nofile' (inside 'default-ulimit'",
    ),
    (V26, '{"oom-score-adjust": 1}', [], "unknown_key", "oom-score-adjust", 1, 2, "it is gone since 26"),
    (V26, '{"bip6": "x"}', [], "unknown_key", "bip6", 1, 2, "it came with 28"),
    (V24, '{"log-format": "json"}', [], "unknown_key", "log-format", 1, 2, "it came with 25"),
    (V26, '{"features": {}, "ICC": false}', [], "unknown_key", "ICC", 1, 18, "does not know the key 'ICC'"),
    (V26, '{"icc": "false"}', [], "type", "icc", 1, 9, "write true or false, or set daemon_baseline_icc"),
    (V26, '{"icc": "x", "icc": false}', [], "type", "icc", 1, 9, "is not true or false"),
    (V26, '{"ICC": {"debug": true}}', [], "type", "ICC", 1, 9, "is not true or false"),
    (V26, '{"resolv-conf": {}}', [], "type", "resolv-conf", 1, 17, "is not a string"),
    (V26, '{"mtu": 1.5}', [], "type", "mtu", 1, 9, "is not a whole number"),
    (V26, '{"mtu": 9223372036854775808}', [], "type", "mtu", 1, 9, "is not a whole number"),
    (V26, '{"labels": ["a=b", 1]}', [], "type", "labels", 1, 20, "1 is not a string"),
    (V26, '{"log-opts": {"max-file": 3}}', [], "type", "log-opts", 1, 27, "3 is not a string"),
    (V26, '{"dns": ["x"]}', [], "type", "dns", 1, 10, "is not an IP address"),
    (V26, '{"default-shm-size": 64}', [], "type", "default-shm-size", 1, 22, "is not a size"),
    (V26, '{"default-shm-size": null}', [], "type", "default-shm-size", 1, 22, "is not a size"),
    (V26, '{"default-ulimits": {"a": {"Hard": "1"}}}', [], "type", "default-ulimits", 1, 36, "is not a whole number"),
    (V28, '{"default-address-pools": [{"base": "x"}]}', [], "type", "default-address-pools", 1, 37, "is not a network"),
    (V26, '{"runtimes": {"a": {"runtimeType": 1}}}', [], "type", "runtimes", 1, 36, "is not a string"),
    (
        V26,
        '{"builder": {"GC": {"Policy": [{"Filter": [1]}]}}}',
        [],
        "type",
        "builder",
        1,
        43,
        "is not a list of strings",
    ),
    (
        V20,
        '{"builder": {"gc": {"policy": [{"filter": ["a"]}]}}}',
        [],
        "type",
        "builder",
        1,
        43,
        "is not a list of strings",
    ),
    (V26, '{"proxies": {"http-proxy": 1}}', [], "type", "proxies", 1, 28, "is not a string"),
    (
        V26,
        '{"icc": false}',
        ["--icc=false"],
        "flag_conflict",
        "icc",
        1,
        2,
        "by the flag --icc, which the engine refuses even",
    ),
    (V26, '{"hosts": ["fd://"]}', ["-H", "fd://"], "flag_conflict", "hosts", 1, 2, "by the flag -H"),
    (V26, '{"x": {"icc": true}}', ["--icc"], "flag_conflict", "x", 1, 2, "'icc' is set both here"),
    (V26, '{"validate": true}', ["--validate"], "flag_conflict", "validate", 1, 2, "by the flag --validate"),
    (
        V28,
        '{"host-gateway-ip": "::1"}',
        ["--host-gateway-ip", "::1"],
        "flag_conflict",
        "host-gateway-ip",
        1,
        2,
        "both here",
    ),
    (
        V28,
        '{"host-gateway-ip": "::1", "host-gateway-ips": []}',
        [],
        "key_conflict",
        "host-gateway-ip",
        1,
        2,
        "both set",
    ),
    (V20, '{"graph": "/a", "data-root": "/a"}', [], "key_conflict", "graph", 1, 2, "keep 'data-root'"),
    (V20, "{}", ["-g", "/a", "--data-root", "/b"], "flag_conflict", "graph", None, None, "keep --data-root"),
    (V26, "{}", ["--nope"], "flag", None, None, None, "has no flag --nope"),
    (V26, "{}", ["-l", "verbose"], "value", "log-level", None, None, "'verbose' is none of panic, fatal"),
    (V26, '{"log-level": "warning"}', [], "value", "log-level", 1, 2, "daemon_baseline_log_level"),
    (V26, '{"log-format": "xml"}', [], "value", "log-format", 1, 2, "'xml' is none of text, json"),
    (V26, '{"default-ipc-mode": "host"}', [], "value", "default-ipc-mode", 1, 2, "is none of private, shareable"),
    (V26, '{"default-cgroupns-mode": "x"}', [], "value", "default-cgroupns-mode", 1, 2, "is none of private, host"),
    (V26, '{"labels": ["a=b", "a=c"]}', [], "value", "labels", 1, 2, "two values, 'b' and 'c'"),
    (V26, '{"dns-search": ["a b"]}', [], "value", "dns-search", 1, 2, "is not a domain"),
    (V26, '{"node-generic-resources": ["x"]}', [], "value", "node-generic-resources", 1, 2, "is not NAME=VALUE"),
    (V26, '{"hosts": ["http://x"]}', [], "value", "hosts", 1, 2, "begins with none of"),
    (V26, '{"mtu": -1}', [], "value", "mtu", 1, 2, "-1 is below 0"),
    (V26, '{"fixed-cidr-v6": "10.0.0.0/8"}', [], "value", "fixed-cidr-v6", 1, 2, "is not an IPv6 subnet"),
    (V26, '{"features": {"windows-dns-proxy": true}}', [], "value", "features", 1, 2, "exists on Windows only"),
    (V20, '{"dns": ["x"]}', [], "value", "dns", 1, 2, "is not an IP address"),
    (V20, '{"max-download-attempts": 0}', [], "value", "max-download-attempts", 1, 2, "0 is too few"),
    (V20, '{"runtimes": {"runc": {"path": "x"}}}', [], "value", "runtimes", 1, 2, "'runc' is reserved"),
    (V20, '{"default-runtime": "x"}', ["--add-runtime", "x=y"], "value", "default-runtime", 1, 2, "is not defined"),
    (V28, '{"network-diagnostic-port": 70000}', [], "value", "network-diagnostic-port", 1, 2, "is not a port"),
    (V28, '{"exec-opts": ["isolation=x"]}', [], "value", "exec-opts", 1, 2, "is not known on Linux"),
    (V28, '{"registry-mirrors": ["x"]}', [], "value", "registry-mirrors", 1, 2, "has no scheme"),
    (
        V28,
        '{"host-gateway-ips": ["10.0.0.1", "10.0.0.2"]}',
        [],
        "value",
        "host-gateway-ips",
        1,
        2,
        "one IPv4 and one IPv6",
    ),
    (V28, '{"api-cors-header": "*"}', [], "value", "api-cors-header", 1, 2, "has no CORS headers any more"),
    (V29, '{"firewall-backend": "x"}', [], "value", "firewall-backend", 1, 2, "is none of iptables, nftables"),
]
LATE_BAD = [
    (V20, '{"hosts": ["http://x"]}', "hosts"),
    (V26, '{"registry-mirrors": ["x"]}', "registry-mirrors"),
]
INEFFECTIVE = [
    (V26, '{"insecure-registry": ["x"]}', "insecure-registry", "write 'insecure-registries'"),
    (V26, '{"host": ["fd://"]}', "host", "write 'hosts'"),
    (V26, '{"http-proxy": "x"}', "http-proxy", 'write it inside "proxies"'),
    (V26, '{"version": true}', "version", "remove it"),
    (V28, '{"deprecated-key-path": 1}', "deprecated-key-path", "but ignores it"),
]


def findings(version: Version, text: str, argv: list[str]) -> list[Finding]:
    return check_config(parse_document(text.encode(), version, PATH), parse_flags(argv, version), version)


@pytest.mark.parametrize(("version", "text", "argv"), CONFIG_OK)
def test_configuration_that_dockerd_loads_has_no_fatal_finding(version: Version, text: str, argv: list[str]) -> None:
    assert [finding for finding in findings(version, text, argv) if finding.fatal] == []


@pytest.mark.parametrize(("version", "text", "argv", "code", "key", "line", "column", "words"), CONFIG_BAD)
def test_configuration_that_dockerd_refuses_has_one_fatal_finding(
    version: Version,
    text: str,
    argv: list[str],
    code: str,
    key: str | None,
    line: int | None,
    column: int | None,
    words: str,
) -> None:
    (finding,) = [finding for finding in findings(version, text, argv) if finding.fatal]
    assert (finding.code, finding.key, finding.line, finding.column) == (code, key, line, column)
    assert words in finding.message
    assert finding.covered_by_validate


@pytest.mark.parametrize(("version", "text", "key"), LATE_BAD)
def test_value_that_is_refused_only_at_start_is_told_apart(version: Version, text: str, key: str) -> None:
    (finding,) = findings(version, text, [])
    assert (finding.key, finding.fatal, finding.covered_by_validate) == (key, True, False)


@pytest.mark.parametrize(("version", "text", "key", "words"), INEFFECTIVE)
def test_key_without_effect_is_named_but_not_fatal(version: Version, text: str, key: str, words: str) -> None:
    (finding,) = findings(version, text, [])
    assert (finding.code, finding.key, finding.fatal) == ("ineffective", key, False)
    assert words in finding.message


def test_message_says_what_where_and_what_to_do() -> None:
    (finding,) = findings(V26, '{\n  "icc": false\n}', ["--icc=false"])
    assert finding.message == (
        "Load the engine's configuration: 'icc' is set both here and by the flag --icc, which the engine refuses even "
        "for equal values (/etc/docker/daemon.json, line 2, column 3); remove one of them (the role sets it through "
        "daemon_baseline_icc)"
    )


def test_known_keys_follow_the_version() -> None:
    assert {"graph", "oom-score-adjust"} <= known_keys(V20)
    assert not {"graph", "oom-score-adjust", "bip6", "default-init"} & known_keys(V26)
    assert {"bip6", "features", "builder", "host-gateway-ip"} <= known_keys(V28)
    assert "min-api-version" in known_keys(V29)
    assert "api-cors-header" not in known_keys(V29)
