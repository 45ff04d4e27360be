# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault of a bad host is found, a hardened one raises no false alarm, a user's engine is judged as what it is."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from kept import by_id, load, name_of, verdicts, words

ASK = (
    "import socket; s = socket.create_connection(('127.0.0.1', 2375)); "
    "s.sendall(b'GET /version HTTP/1.0\\r\\nHost: x\\r\\n\\r\\n'); print(s.recv(64).decode())"
)


# What was done to the bad host: the control, and a word of the evidence.
FAULTS = {
    "api_socket_mode": "0606",
    "api_socket_owner": "group",
    "certificates_valid": "expires",
    "configuration_directory_mode": "0722",
    "containerd_socket_mode": "0602",
    "containers_older_than_settings": "recreate",
    "daemon_json_mode": "0622",
    "daemon_json_owner": "/home/eve",
    "default_file_mode": "0577",
    "default_ulimits": "newer than the engine",
    "docker_group_members": "eve",
    "icc_default_bridge": "not in force",
    "insecure_registries": "0.0.0.0/0",
    "log_level": "debug",
    "no_new_privileges_default": "False",
    "open_api_socket": "/run/open.sock",
    "plaintext_listener": "2375",
    "registry_certificates_mode": "client.key",
    "remote_logging": "thrown away",
    "rootless_configuration": "0666",
    "rootless_insecure_registries": "registry.example:5000",
    "scanners_kept_out": "clamd.conf",
    "seccomp_profiles_effective": "empty profile",
    "service_unit_mode": "0622",
    "settings_in_force": "icc",
    "socket_unit_mode": "0577",
    "socket_unit_tcp": "2375",
    "subordinate_ids": "frank",
    "tls_ca_owner": "user",
    "tls_key_mode": "0404",
    "tls_verified_clients": "2375",
    "userland_proxy": "newer than the engine",
    "userns_remap": "root on the host",
}
# What was done right there, as counter-examples.
ENGINES = {
    "debian13-container": {"system": "running", "rootless:eve": "stopped"},
    "testing-container": {"system": "running"},
    "debian12-container": {"system": "stopped", "rootless:ann": "running"},
}
# The bad host has more faults than these (the tests would be in each other's way); the others have no other ones.
FAILING = {
    "debian13-container": FAULTS,
    "testing-container": {},
    "debian12-container": {"default_ulimits": "{}"},
}
PASSING = {
    "debian13-container": {
        "containerd_socket_owner",
        "live_restore",
        "service_unit_owner",
        "socket_unit_owner",
        "tls_certificate_owner",
    },
    # Not by looking away: these were judged.
    "testing-container": {
        "daemon_json_mode",
        "default_ulimits",
        "icc_default_bridge",
        "live_restore",
        "no_new_privileges_default",
        "settings_in_force",
        "tls_ca_mode",
        "tls_key_mode",
        "tls_verified_clients",
        "userland_proxy",
        "userns_remap",
    },
    "debian12-container": {"insecure_registries", "rootless_configuration", "rootless_engine", "userns_remap"},
}
NOT_APPLICABLE = {
    "debian13-container": {"audit_engine", "sysconfig_mode", "apparmor_default_profile"},
    "testing-container": {"audit_engine", "sysconfig_mode", "apparmor_default_profile"},
    "debian12-container": {"audit_engine", "live_restore", "userland_proxy", "apparmor_profiles_enforced"},
}
# What shows without the module that the hosts are what they are said to be.
TRUTHS = {
    "debian13-container": [
        (f'python3 -c "{ASK}"', "HTTP/1.0 200"),
        ("docker network inspect bridge", '"com.docker.network.bridge.enable_icc": "true"'),
        ("id -nG eve", "docker"),
        ("su eve -c 'test -w /home/eve/daemon.json && echo writable'", "writable"),
    ],
    "testing-container": [
        ("docker info --format '{{.SecurityOptions}}'", "name=userns"),
        ("docker network inspect bridge", '"com.docker.network.bridge.enable_icc": "false"'),
    ],
    "debian12-container": [
        ("ps -o user= -C dockerd", "ann"),
        ("systemctl is-enabled docker.service || true", "masked"),
    ],
}
GOOD = {"id": "userns_remap", "reason": "accepted by us", "expires": "2999-01-01"}
BAD = [
    ({**GOOD, "id": "nothing"}, "there is no control 'nothing'"),
    ({**GOOD, "reason": ""}, "it has no reason"),
    ({**GOOD, "expires": "2020-01-01"}, "it expired"),
    ({**GOOD, "expires": "soon"}, "not a date"),
]


def of(table, host):
    return table[name_of(host)]


def judged(host):
    """Results about the host and the engine that runs."""
    [engine] = [name for name, state in of(ENGINES, host).items() if state == "running"]
    return by_id(load(host), engine)


def audit(host, *waivers):
    options = json.dumps({"controls": [GOOD["id"]], "waivers": waivers})
    return host.ansible("bulwark.docker.cis_audit", options, check=False)


def test_the_hosts_are_what_they_are_said_to_be(host):
    for command, expected in of(TRUTHS, host):
        assert expected in host.check_output(command)


def test_nothing_was_changed_and_everything_was_judged(host):
    kept = load(host)
    assert kept["changed"] is False
    assert sum(kept["counts"].values()) == len(kept["results"]) > 100
    assert [one["id"] for one in kept["results"] if not one["reason"] or len(one["evidence"]) > 20] == []


def test_engines_are_told_apart(host):
    assert {engine["name"]: engine["state"] for engine in load(host)["engines"]} == of(ENGINES, host)


def test_no_fault_escapes_and_no_false_alarm_is_raised(host):
    results = judged(host)
    expected = set(of(FAILING, host))
    failing = verdicts(results, "fail")
    assert not expected - failing, sorted(expected - failing)
    if name_of(host) != "debian13-container":
        assert failing == expected, {name: words(results[name]) for name in failing - expected}
    assert not of(PASSING, host) - verdicts(results, "pass")


def test_evidence_names_the_fault(host):
    results = judged(host)
    silent = {
        name: words(results[name]) for name, word in of(FAILING, host).items() if word not in words(results[name])
    }
    assert not silent


def test_what_cannot_be_is_not_demanded(host):
    assert not of(NOT_APPLICABLE, host) - verdicts(judged(host), "not_applicable")


def test_bad_waivers_are_refused(host):
    answer = audit(host, GOOD, *(waiver for waiver, _text in BAD))
    assert "results" not in answer
    for position, (_waiver, text) in enumerate(BAD, 2):
        assert (
            f"waiver {position}: {text}" in answer["msg"]
            or f"waiver {position}: expires is 'soon', {text}" in answer["msg"]
        )


def test_good_waivers_are_heeded(host):
    before = [one["verdict"] for one in load(host)["results"] if one["id"] == GOOD["id"]]
    after = [one["verdict"] for one in audit(host, GOOD)["results"]]
    assert after == ["waived" if verdict == "fail" else verdict for verdict in before]
