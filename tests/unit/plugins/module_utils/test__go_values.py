# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts that dockerd accepts and refuses as values."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._go_values import (
    parse_address,
    parse_flag_integer,
    parse_prefix,
    problem_dns_search,
    problem_duration,
    problem_exec_opt,
    problem_generic_resources,
    problem_host,
    problem_ipv6_subnet,
    problem_label,
    problem_mirror,
    problem_pool,
    problem_size,
    problem_ulimit,
    read_csv,
)
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version

OLD, NEW, NEWER = Version(20, 10, 24), Version(26, 1, 5), Version(28, 5, 2)
Problem = Callable[[str], "str | None"]

VALUES: list[tuple[str, Problem, list[str], list[str]]] = [
    (
        "old size",
        lambda text: problem_size(text, OLD),
        ["64m", "1G", "64 MiB", "1.5g", "0"],
        ["", "m", "-1", "1e3", "64x"],
    ),
    (
        "new size",
        lambda text: problem_size(text, NEWER),
        ["64m", "64 mib", ".5g", "1e3"],
        ["", "m", "-1", "64mm", " 64m"],
    ),
    ("label", problem_label, ["a=b", "a=", "=", "a=b=c"], ["a", "", "com.docker.a=b", "IO.docker.a=b"]),
    ("domain", problem_dns_search, [".", "example.com", "a.b-c.", " x "], ["", "a b", "-x", "1.2", "a_b"]),
    ("duration", problem_duration, ["", "48h", "1h30m", "60", "-1.5s", "0"], ["x", "5 h", "h", "1d"]),
    (
        "exec-opt",
        problem_exec_opt,
        ["native.cgroupdriver=systemd", "NATIVE.cgroupdriver = x"],
        ["x=y", "native.cgroupdriver"],
    ),
    (
        "ulimit",
        problem_ulimit,
        ["nofile=1", "nofile=1:2", "nofile=-1:-1"],
        ["nofile", "nofile=", "as=1", "nofile=-1:5", "nofile=1:2:3"],
    ),
    (
        "pool",
        lambda text: problem_pool(text, NEWER),
        ["base=10.0.0.0/8,size=24", '"size=1"'],
        ["", "base=x", "x=1", 'base="x"'],
    ),
    ("old pool", lambda text: problem_pool(text, OLD), ["base=x"], ["size=x"]),
    (
        "mirror",
        lambda text: problem_mirror(text, NEWER),
        ["https://m", "http://m:5000/p"],
        ["m", "ftp://m", "https://u:p@m", "https://m?q", "https://m:x"],
    ),
    ("old mirror", lambda text: problem_mirror(text, OLD), ["https://m/"], ["https://m/p"]),
    (
        "host",
        lambda text: problem_host(text, NEW),
        ["", "fd://", "unix:///x", "tcp://", "tcp://0.0.0.0", ":2375", "localhost", "tcp://[::1]:2376", " fd:// "],
        [
            "http://x",
            "://x",
            "unix://a://b",
            "tcp://x:port",
            "tcp://x:0",
            "tcp://x/y",
            "/run/x",
            "tcp://[::1",
            "tcp://a b",
        ],
    ),
    (
        "old host",
        lambda text: problem_host(text, OLD),
        ["/run/x", "tcp://x:0", "tcp://x/y"],
        ["http://x", "tcp://x:port"],
    ),
    (
        "new host",
        lambda text: problem_host(text, NEWER),
        ["tcp://[::1]:2376", "tcp://[::ffff:1.2.3.4]:5", "tcp://::1:2375"],
        ["tcp://[x]:1", "tcp://::1", "tcp://a:b:3", "tcp://[1.2.3.4]:5", "tcp://[::1%25eth0]:22"],
    ),
    ("26 host", lambda text: problem_host(text, NEW), ["tcp://[x]:1", "tcp://::1"], ["tcp://[::1%25eth0]:22"]),
    (
        "26 subnet",
        lambda text: problem_ipv6_subnet(text, NEW),
        ["::/0", "ff02::/16", "2001:db8::/064"],
        ["fe80::/10", "fe80::/80"],
    ),
    (
        "subnet",
        lambda text: problem_ipv6_subnet(text, NEWER),
        ["", "2001:db8::/64", "fe80::/64"],
        ["x", "10.0.0.0/8", "2001:db8::", "::/0", "2001:db8::/064", "fe80::/80", "ff02::/16", "::ffff:10.0.0.0/104"],
    ),
]
INTEGERS = [("0x1F", 31), ("1_000", 1000), ("-5", -5), ("017", 15), ("0b11", 3), ("+7", 7)]
NOT_INTEGERS = ["", "x", "09", "1__0", "1.5", "9223372036854775808", " 1"]
ADDRESSES_OK = ["10.0.0.1", "::", "fe80::1", "::ffff:10.0.0.1"]
ADDRESSES_BAD = ["", "10.0.0", "010.0.0.1", "256.1.1.1", "fe80::1%eth0", "::ffff:010.0.0.1", " ::1", "x"]


@pytest.mark.parametrize(("problem_of", "accepted"), [(row[1], text) for row in VALUES for text in row[2]])
def test_value_that_dockerd_accepts_has_no_problem(problem_of: Problem, accepted: str) -> None:
    assert problem_of(accepted) is None


@pytest.mark.parametrize(("problem_of", "refused"), [(row[1], text) for row in VALUES for text in row[3]])
def test_value_that_dockerd_refuses_has_a_problem(problem_of: Problem, refused: str) -> None:
    assert problem_of(refused)


@pytest.mark.parametrize(("text", "number"), INTEGERS)
def test_whole_number_of_a_flag_is_read_in_every_base(text: str, number: int) -> None:
    assert parse_flag_integer(text) == number


@pytest.mark.parametrize("text", NOT_INTEGERS)
def test_other_texts_are_no_whole_numbers(text: str) -> None:
    assert parse_flag_integer(text) is None


@pytest.mark.parametrize("text", ADDRESSES_OK)
def test_address_is_read(text: str) -> None:
    assert parse_address(text) is not None


@pytest.mark.parametrize("text", ADDRESSES_BAD)
def test_other_texts_are_no_addresses(text: str) -> None:
    assert parse_address(text) is None


def test_zone_counts_only_where_it_is_allowed() -> None:
    assert parse_address("fe80::1%eth0", zone=True) is not None
    assert parse_address("fe80::1%", zone=True) is None
    assert parse_address("10.0.0.1%eth0", zone=True) is None


def test_network_may_have_host_bits() -> None:
    assert str(parse_prefix("10.0.0.1/8")) == "10.0.0.0/8"
    assert parse_prefix("10.0.0.0/08") is None
    assert parse_prefix("10.0.0.0/33") is None
    assert parse_prefix("10.0.0.0") is None


def test_resources_are_amounts_or_names_but_not_both() -> None:
    assert problem_generic_resources(["gpu=1", "disk=a", "disk=b"]) is None
    assert problem_generic_resources(["gpu=1", "gpu=a"]) == "'gpu' mixes amounts and names"
    assert problem_generic_resources(["gpu=-1"]) == "'gpu' has a negative amount"
    assert problem_generic_resources(["gpu"]) == "'gpu' is not NAME=VALUE"


def test_comma_separated_fields_know_quotes() -> None:
    assert read_csv('a,"b,c",""') == ["a", "b,c", ""]
    assert read_csv('a"b') is None
    assert read_csv("") is None
