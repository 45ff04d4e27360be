# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What daemon_tls is asked for: refused with the variable's name, or put into one shape."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._errors import BulwarkError
from ansible_collections.bulwark.docker.plugins.module_utils._tls_plan import plan_tls

REQUEST: dict[str, Any] = {
    "state": "present",
    "source": "own",
    "addresses": ["192.0.2.7"],
    "interface": None,
    "interface_facts": {},
    "port": 2376,
    "listen_everywhere": False,
    "verify": True,
    "waiver": None,
    "today": "2026-06-01",
    "name": "one.example.org",
    "names": ["one", ""],
    "server_names": [],
    "key_type": "ecdsa_p256",
    "lifetime_days": 90,
    "renew_before_days": 30,
    "trusted_cas": ["docker"],
    "issuing_ca": "docker",
    "ca_host": "localhost",
    "ca_directory": "/srv/ca/",
    "ca_on_docker_host": False,
    "has_passphrase": True,
    "provided_cas": {},
    "provided_certificates": None,
    "clients": [],
    "fetch_directory": None,
    "ssh_clients": [],
    "ssh_target": "192.0.2.7",
    "play_hosts": ["one.example.org", "two.example.org"],
    "batch": ["one.example.org", "two.example.org"],
}
FILES = {"ca": "/a", "certificate": "/b", "key": "/c"}


def plan(**changes: Any) -> dict[str, Any]:
    return plan_tls({**REQUEST, **changes})


def client(**options: Any) -> dict[str, Any]:
    [found] = plan(clients=[{"name": "alice", **options}])["clients"]
    return found


def ssh_client(**options: Any) -> dict[str, Any]:
    [found] = plan(ssh_clients=[options])["ssh_clients"]
    return found


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "nothing to listen on": ({"addresses": []}, r"daemon_tls_addresses \[\]: there is nothing to listen on"),
    "a name": ({"addresses": ["localhost"]}, "daemon_tls_addresses 'localhost': it is no IP address"),
    "everywhere": ({"addresses": ["0.0.0.0"]}, "set daemon_tls_listen_everywhere: true"),
    "everywhere by IPv6": ({"addresses": ["[::]"]}, "set daemon_tls_listen_everywhere: true"),
    "an unknown interface": ({"interface": "eth9"}, "daemon_tls_interface 'eth9': no such interface"),
    "no verification": ({"verify": False}, "set daemon_tls_waiver with reason and expires"),
    "a waiver without a reason": (
        {"verify": False, "waiver": {"reason": " ", "expires": "2027-01-01"}},
        "set daemon_tls_waiver with reason and expires",
    ),
    "a waiver without an end": (
        {"verify": False, "waiver": {"reason": "old clients", "expires": "never"}},
        "set daemon_tls_waiver with reason and expires",
    ),
    "a waiver of yesterday": (
        {"verify": False, "waiver": {"reason": "old clients", "expires": "2026-05-31"}},
        r"daemon_tls_waiver: it expired on 2026-05-31 \(today is 2026-06-01\)",
    ),
    "renewal on every run": ({"renew_before_days": 90}, "must be less than daemon_tls_lifetime_days 90"),
    "a CA that nobody trusts": ({"issuing_ca": "next"}, "daemon_tls_issuing_ca 'next': it is not among"),
    "a CA with a path for a name": (
        {"trusted_cas": ["../x"], "issuing_ca": "../x"},
        "daemon_tls_trusted_cas '../x': it becomes part of a path",
    ),
    "no passphrase": ({"has_passphrase": False}, "daemon_tls_ca_passphrase: it is not set"),
    "the CA on a Docker host": (
        {"ca_host": "two.example.org"},
        "daemon_tls_ca_host 'two.example.org': it is one of the Docker hosts",
    ),
    "a provided CA without a path": ({"source": "provided_ca"}, r"daemon_tls_provided_cas\['docker'\].certificate"),
    "a provided CA that cannot sign": (
        {"source": "provided_ca", "provided_cas": {"docker": {"certificate": "/ca.pem"}}},
        r"daemon_tls_provided_cas\['docker'\].key: it is not set",
    ),
    "no provided certificates": (
        {"source": "provided_certificates"},
        "daemon_tls_provided_certificates.ca: it is not set",
    ),
    "clients that nobody signs for": (
        {"source": "provided_certificates", "provided_certificates": FILES, "clients": [{"name": "alice"}]},
        "nothing can be signed for 'alice'",
    ),
    "a client with a path for a name": ({"clients": [{"name": "a/b"}]}, "daemon_tls_clients: name 'a/b'"),
    "two clients in one place": (
        {"clients": [{"name": "a"}, {"name": "b", "directory": "~/.docker/"}]},
        "'a' and 'b' both live in '~/.docker' on 'localhost'",
    ),
    "two clients whose certificates get one name": (
        {"fetch_directory": "/srv", "clients": [{"name": "a", "user": "x"}, {"name": "a", "user": "y"}]},
        "daemon_tls_fetch_directory: two clients on 'localhost' are called 'a'",
    ),
    "an unknown option of SSH": (
        {"ssh_clients": [{"adress": "x"}]},
        "daemon_tls_ssh_clients: 'adress': there is no such option; use context,",
    ),
    "a context with a path for a name": (
        {"ssh_clients": [{"name": "a/b"}]},
        "daemon_tls_ssh_clients: name 'a/b': it becomes part of a path",
    ),
    "the context of the CLI itself": ({"ssh_clients": [{"name": "default"}]}, "name 'default': the Docker CLI has"),
    "the same context twice": (
        {"ssh_clients": [{"user": "alice"}, {"user": "alice", "port": 22}]},
        "'one.example.org' is there twice for '~alice' on 'localhost'",
    ),
    "a context over TLS and over SSH": (
        {"clients": [{"name": "a", "context": True}], "ssh_clients": [{}]},
        "'one.example.org' on 'localhost': daemon_tls_clients has a context of that name there",
    ),
    "a target that is an option of ssh": (
        {"ssh_clients": [{"target": "-oProxyCommand=x"}]},
        "target '-oProxyCommand=x'",
    ),
    "a user that is an option of ssh": ({"ssh_clients": [{"target": "-l@one"}]}, "target '-l@one'"),
    "a target that is a pattern": (
        {"ssh_clients": [{"target": "*"}]},
        r"target '\*': it is neither a host nor user@host",
    ),
    "a target with a second line": ({"ssh_clients": [{"target": "one\nHost *"}]}, "it is neither a host"),
    "a target with a port": ({"ssh_clients": [{"target": "one:22"}]}, "and the port as port"),
    "an address with a port": ({"ssh_clients": [{"target": "192.0.2.7:22"}]}, "and the port as port"),
    "a port that is none": ({"ssh_clients": [{"port": 0}]}, "port 0: there is no such port"),
    "a port beyond the last": ({"ssh_clients": [{"port": 65536}]}, "port 65536: there is no such port"),
    "an end that is no time": (
        {"ssh_clients": [{"control_persist": "10 m"}]},
        "control_persist '10 m': it is no time",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_request_is_refused(case: str) -> None:
    changes, message = REFUSED[case]
    with pytest.raises(BulwarkError, match=message):
        plan(**changes)


def test_removal_asks_for_nothing_that_only_an_installation_needs() -> None:
    assert plan(state="absent", has_passphrase=False, verify=False, source="provided_ca")["authorities"] == {
        "docker": {"certificate": "", "key": ""}
    }
    assert plan(state="absent", addresses=[], interface="eth9")["addresses"] == []
    both: dict[str, Any] = {"clients": [{"name": "a", "context": True}], "ssh_clients": [{}]}
    assert len(plan(state="absent", addresses=[], **both)["ssh_clients"]) == 1


def test_waiver_holds_on_its_last_day() -> None:
    assert plan(verify=False, waiver={"reason": "old clients", "expires": "2026-06-01"})["addresses"]


def test_everywhere_when_it_is_asked_for() -> None:
    found = plan(addresses=["0.0.0.0", "::"], listen_everywhere=True)
    assert found["addresses"] == ["0.0.0.0", "::"]
    assert not {"IP:0.0.0.0", "IP:::"} & set(found["sans"])


def test_interface_adds_its_addresses_once_without_those_of_the_link() -> None:
    facts = {
        "ipv4": {"address": "192.0.2.7"},
        "ipv4_secondaries": [{"address": "192.0.2.8"}],
        "ipv6": [{"address": "fe80::1"}, {"address": "2001:db8:0::7"}],
    }
    found = plan(interface="eth0", interface_facts=facts)
    assert found["addresses"] == ["192.0.2.7", "192.0.2.8", "2001:db8::7"]
    assert {"IP:2001:db8::7", "IP:192.0.2.8"} <= set(found["sans"])


def test_names_of_the_certificate() -> None:
    assert plan(server_names=["Docker.example.org", "198.51.100.9", "::0001"])["sans"] == [
        "DNS:docker.example.org",
        "DNS:localhost",
        "DNS:one",
        "DNS:one.example.org",
        "IP:127.0.0.1",
        "IP:192.0.2.7",
        "IP:198.51.100.9",
        "IP:::1",
    ]


def test_common_name_fits_into_its_field() -> None:
    assert plan(name="n" * 70, batch=["n" * 70])["common_name"] == "n" * 64


def test_names_that_a_provided_certificate_must_hold() -> None:
    provided = {"source": "provided_certificates", "provided_certificates": FILES}
    assert plan(**provided)["lint_names"] == ["one.example.org"]
    assert plan(**provided, server_names=["a.example.org"])["lint_names"] == ["a.example.org"]


def test_each_ca_has_its_directory() -> None:
    found = plan(trusted_cas=["docker", "next"])["authorities"]
    assert found["next"] == {"certificate": "/srv/ca/next/ca.pem", "key": "/srv/ca/next/key.pem"}


@pytest.mark.parametrize(
    ("options", "become", "directory"),
    [
        ({}, False, "~/.docker"),
        ({"user": "alice"}, True, "~alice/.docker"),
        ({"host": "two.example.org"}, True, "~root/.docker"),
        ({"host": "two.example.org", "user": "alice"}, True, "~alice/.docker"),
        ({"host": "two.example.org", "directory": "/srv/docker/"}, True, "/srv/docker"),
    ],
)
def test_client_lives_in_the_home_of_its_user(options: dict[str, Any], become: bool, directory: str) -> None:
    found = client(**options)
    assert (found["become"], found["directory"]) == (become, directory)
    assert found["store"] == f"{directory}/bulwark-tls"


def test_one_host_alone_makes_a_certificate_of_a_client() -> None:
    def responsible(host: str) -> list[str]:
        entry = {"name": "alice", "host": host}
        return [name for name in REQUEST["batch"] if plan(name=name, clients=[entry])["clients"][0]["responsible"]]

    assert responsible("localhost") == ["one.example.org"]
    assert responsible("elsewhere.example.org") == ["one.example.org"]
    assert responsible("two.example.org") == ["two.example.org"]


@pytest.mark.parametrize(
    ("addresses", "endpoint"),
    [
        (["192.0.2.7"], "tcp://one.example.org:2376"),
        (["127.0.0.1", "192.0.2.7"], "tcp://one.example.org:2376"),
        (["127.0.0.1"], "tcp://127.0.0.1:2376"),
        (["::1"], "tcp://[::1]:2376"),
    ],
)
def test_client_finds_the_engine(addresses: list[str], endpoint: str) -> None:
    [found] = plan(addresses=addresses, clients=[{"name": "alice", "context": True}])["clients"]
    assert found["endpoint"] == endpoint
    assert json.loads(found["context"]["content"])["Endpoints"]["docker"] == {
        "Host": endpoint,
        "SkipTLSVerify": False,
    }


def test_context_is_where_the_command_line_client_looks() -> None:
    found = client(context=True, endpoint="tcp://192.0.2.9:2376")
    # From the host's name: printf one.example.org | sha256sum
    identity = "d4482d78111b3ce26b5dec3c55e2a7fb5e905e497cfa2bbbaa62db3a245eb0c5"
    assert found["context"]["meta"] == f"~/.docker/contexts/meta/{identity}"
    assert found["context"]["tls"] == f"~/.docker/contexts/tls/{identity}"
    assert json.loads(found["context"]["content"])["Name"] == "one.example.org"
    assert found["endpoint"] == "tcp://192.0.2.9:2376"


@pytest.mark.parametrize(
    ("options", "pattern", "endpoint"),
    [
        ({}, "192.0.2.7", "ssh://192.0.2.7"),
        ({"target": "ops@one.example.org"}, "one.example.org", "ssh://ops@one.example.org"),
        ({"target": "one.example.org", "port": 2222}, "one.example.org", "ssh://one.example.org:2222"),
        ({"target": "ops@2001:db8::7", "port": 22}, "2001:db8::7", "ssh://ops@[2001:db8::7]:22"),
    ],
)
def test_ssh_finds_the_engine(options: dict[str, Any], pattern: str, endpoint: str) -> None:
    found = ssh_client(**options)
    assert found["pattern"] == pattern
    assert json.loads(found["context"]["content"])["Endpoints"]["docker"]["Host"] == endpoint


def test_user_of_ssh_is_served_in_the_own_home() -> None:
    mine, hers = ssh_client(), ssh_client(user="alice", host="two.example.org", control_persist="1h30m")
    assert (mine["become"], mine["config"], mine["control_persist"]) == (False, "~/.ssh/config", "10m")
    assert (hers["become"], hers["become_user"], hers["config"]) == (True, "alice", "~alice/.ssh/config")
    assert hers["control_persist"] == "1h30m"
    assert hers["context"]["meta"].startswith("~alice/.docker/contexts/meta/")


def test_context_over_ssh_is_wanted_unless_refused() -> None:
    assert ssh_client()["wants_context"] is True
    assert ssh_client(context=False)["wants_context"] is False
    over_tls = [{"name": "a", "context": True}]
    assert plan(clients=over_tls, ssh_clients=[{"context": False}])["ssh_clients"][0]["wants_context"] is False
    assert plan(clients=over_tls, ssh_clients=[{"name": "other"}])["ssh_clients"][0]["wants_context"] is True
    assert plan(clients=over_tls, ssh_clients=[{"user": "alice"}])["ssh_clients"][0]["wants_context"] is True
