# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies: what is refused, how bases compose, and that a text depends on the meaning alone."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.docker.plugins.module_utils._apparmor_lint import lint_text
from ansible_collections.bulwark.docker.plugins.module_utils._apparmor_policy import (
    parse_policies,
    parse_policy,
    render,
)
from ansible_collections.bulwark.docker.plugins.module_utils._apparmor_tables import (
    ABIS,
    CAPABILITIES,
    GROUPS,
    NETWORK_FAMILIES,
    SHIPPED,
    SOCKET_TYPES,
)
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError

NGINX = {
    "network": ["inet stream", "unix"],
    "capabilities": ["setuid", "setgid"],
    "execute": ["/usr/sbin/nginx"],
    "read": ["/etc/nginx/**"],
    "write": ["/run/nginx.pid"],
    "deny_execute": ["@shells"],
    "deny_read": ["/root/**"],
    "log_denials": True,
}


def text_of(policy: dict[str, Any], name: str = "docker-web", abi: str = "4.0", peers: tuple[str, ...] = ()) -> str:
    return render(parse_policy(name, policy), peers, abi)


@pytest.mark.parametrize(
    ("name", "policy", "words"),
    [
        ("docker default", {}, "this is no name"),
        ("../x", {}, "this is no name"),
        ("docker-default", {"files": "all"}, "the engine owns this name"),
        ("x", [], "the policy is []"),
        ("x", {"netwrok": []}, "no key 'netwrok'"),
        ("x", {"mode": "audit"}, "mode is 'audit'; use one of enforce, complain"),
        ("x", {"files": "some"}, "files is 'some'"),
        ("x", {"ptrace": True}, "ptrace is True"),
        ("x", {"log_denials": "yes"}, "log_denials is 'yes'"),
        ("x", {"read": "/etc"}, "read is '/etc'; write a list"),
        ("x", {"read": ["etc/passwd"]}, "read has 'etc/passwd'; write an absolute path"),
        ("x", {"read": ["/a b"]}, "read has '/a b'"),
        ("x", {"write": ["/a,\n  capability,"]}, "write has"),
        ("x", {"deny_read": ["/a{b,c"]}, "whose brackets do not match"),
        ("x", {"deny_execute": ["@editors"]}, "no group '@editors'; use one of @network_tools"),
        ("x", {"network": ["ipv4"]}, "network has 'ipv4'"),
        ("x", {"network": ["inet tcp"]}, "network has 'inet tcp'"),
        ("x", {"capabilities": ["CAP_NET_RAW"]}, "without CAP_, in small letters"),
        ("x", {"signal_peers": ["a b"]}, "signal_peers has"),
        ("x", {"base": "docker-default"}, "base is 'docker-default'"),
        ("x", {"base": "docker-bulwark", "without": ["@shells"]}, "'@shells', which is not in docker-bulwark"),
        ("x", {"files": "all", "without": ["@shells"]}, "there is none"),
        ("x", {"files": "all", "read": ["/etc/**"]}, "allowed by files: all anyway"),
        ("x", {"read": ["/etc/**"]}, "no program can be run"),
        ("x", {"execute": ["/bin/a"], "deny_execute": ["/bin/a"]}, "stands in execute and in deny_execute"),
        ("x", {"files": "all", "network": ["alg"], "deny_network": ["alg"]}, "'alg' stands in network"),
        ("x", {"text": "  "}, "text is not a profile"),
        ("x", {"text": "profile x {}", "files": "all"}, "text stands beside other keys"),
    ],
)
def test_wrong_policy_is_refused_with_what_to_do(name: str, policy: Any, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_policy(name, policy)
    assert words in str(caught.value)
    assert "; " in str(caught.value)


def test_shipped_profiles_that_are_not_known_are_refused() -> None:
    with pytest.raises(ConfigError, match="there is no 'docker-strict'"):
        parse_policies({}, ["docker-strict"])


def test_text_says_what_the_policy_says() -> None:
    lines = [line.strip() for line in text_of(NGINX).splitlines()]
    for wanted in (
        "abi <abi/4.0>,",
        "include <abstractions/base>",
        "signal (receive) peer=runc,",
        "signal (send, receive) peer=docker-web,",
        "audit deny ptrace (read, trace),",
        "network inet stream,",
        "network unix,",
        "unix,",
        "capability setgid setuid,",
        "/etc/nginx/** r,",
        "/run/nginx.pid rwkl,",
        "/usr/sbin/nginx rmix,",
        "audit deny /root/** rwklmx,",
        "audit deny @{PROC}/[^1-9]** wkl,",
        "audit deny mount,",
    ):
        assert wanted in lines
    assert "file," not in lines
    assert all(f"audit deny {path} mx," in lines for path in GROUPS["@shells"])


def test_mode_abi_and_peers_of_the_host_show() -> None:
    text = text_of({"files": "all", "mode": "complain", "network": ["all"]}, abi="", peers=("dockerd-site",))
    assert "abi <" not in text
    assert "flags=(attach_disconnected,mediate_deleted,complain)" in text
    assert "signal (receive) peer=dockerd-site," in text
    assert "  network,\n  unix,\n" in text
    assert "  deny mount,\n" in text
    assert "mqueue" not in text_of({"files": "all"}, abi="3.0")
    assert "  userns,\n" in text_of({"files": "all", "user_namespaces": True})
    assert "  mount,\n" in text_of({"files": "all", "mounts": True})
    assert "ptrace (read, readby, trace, tracedby) peer=docker-web" in text_of({"files": "all", "ptrace": "self"})


def test_base_is_extended_and_thinned() -> None:
    base = parse_policy("a", {"base": "docker-bulwark-service"})
    own = parse_policy(
        "a", {"base": "docker-bulwark-service", "without": ["@shells", "setpcap"], "deny_write": ["/srv/**"]}
    )
    assert base.deny_execute - own.deny_execute == set(GROUPS["@shells"])
    assert base.capabilities - own.capabilities == {"setpcap"}
    assert own.deny_write - base.deny_write == {"/srv/**"}
    assert own.network == base.network == parse_policy("a", {"base": "docker-bulwark"}).network
    assert own.log_denials is True


def test_own_policy_replaces_a_shipped_one() -> None:
    found = {one.name: one for one in parse_policies({"docker-bulwark": {"files": "all"}}, sorted(SHIPPED))}
    assert sorted(found) == sorted(SHIPPED)
    assert found["docker-bulwark"].capabilities == frozenset()


def test_whole_text_is_taken_as_it_is() -> None:
    assert text_of({"text": "profile x { file, }"}) == "profile x { file, }\n"


def test_examples_of_the_documentation_are_good_policies() -> None:
    text = (Path(__file__).resolve().parents[4] / "roles/apparmor/README.md").read_text(encoding="utf-8")
    [play] = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    own = play["roles"][0]["vars"]["apparmor_profiles"]
    found = {one.name: lint_text(one.name, render(one, (), "4.0")) for one in parse_policies(own, ())}
    assert found == {"docker-nginx": [], "docker-shop": []}


@pytest.mark.parametrize("abi", [*ABIS, ""])
@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_shipped_profiles_pass_the_lint(name: str, abi: str) -> None:
    found = lint_text(name, text_of({"base": name}, name, abi))
    assert {finding.code for finding in found} == (set() if abi else {"no_abi"})


PATHS = st.sampled_from(["/a", "/a/**", "/b/{c,d}", "/e[0-9]", "@{PROC}/sys/kernel/shm*", *GROUPS])
NETWORKS = st.one_of(
    st.sampled_from(sorted(NETWORK_FAMILIES)),
    st.tuples(st.sampled_from(sorted(NETWORK_FAMILIES)), st.sampled_from(sorted(SOCKET_TYPES))).map(" ".join),
)
POLICIES = st.fixed_dictionaries(
    {"files": st.just("all")},
    optional={
        "mode": st.sampled_from(["enforce", "complain"]),
        "ptrace": st.sampled_from(["none", "read", "self"]),
        "log_denials": st.booleans(),
        "deny_read": st.lists(PATHS),
        "deny_write": st.lists(PATHS),
        "deny_execute": st.lists(PATHS),
        "network": st.lists(NETWORKS),
        "capabilities": st.lists(st.sampled_from(sorted(CAPABILITIES))),
        "signal_peers": st.lists(st.sampled_from(["a", "b-c", "d.e"])),
    },
)


@given(POLICIES, st.randoms(use_true_random=False), st.sampled_from([*ABIS, ""]))
def test_order_and_repetition_do_not_show(policy: dict[str, Any], chance: random.Random, abi: str) -> None:
    keys = list(policy)
    chance.shuffle(keys)
    other = {}
    for key in keys:
        value = policy[key]
        if isinstance(value, list):
            value = value + value[:1]
            chance.shuffle(value)
        other[key] = value
    assert text_of(policy, abi=abi) == text_of(other, abi=abi)


@given(POLICIES)
def test_lint_finds_no_mistake_of_form_in_what_is_rendered(policy: dict[str, Any]) -> None:
    found = lint_text("docker-web", text_of(policy), policy.get("mode", "enforce"))
    # What the policy itself allows may be worth a word; nothing else is.
    assert {one.code for one in found} <= {"dangerous_capabilities", "raw_network"}
