# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts and times of the lint; real certificates go through the filter's tests."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.docker.plugins.module_utils._certificate_lint import (
    key_is_encrypted,
    lint_certificates,
    read_pem,
)

INFO: dict[str, Any] = {
    "basic_constraints": None,
    "extended_key_usage": ["TLS Web Client Authentication"],
    "fingerprints": {"sha256": "00"},
    "issuer_ordered": [["commonName", "ca"]],
    "key_usage": None,
    "not_after": "20260301120000Z",
    "not_before": "20260101120000Z",
    "public_key": "",
    "public_key_data": {},
    "public_key_type": "Ed25519",
    "serial_number": 1,
    "signature_algorithm": "ED25519",
    "subject_alt_name": None,
    "subject_key_identifier": None,
    "subject_ordered": [["commonName", "one"]],
    "authority_key_identifier": None,
}


def block(label: str, body: str = "AAAA") -> str:
    return f"-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"


def codes(now: str, **options: int) -> list[str]:
    files = {"certificate": {"path": "x", "content": block("CERTIFICATE"), "entries": [INFO]}}
    return [one["code"] for one in lint_certificates(files, "client", now, **options)]


def test_text_is_taken_apart() -> None:
    pem = read_pem("hello\n" + block("CERTIFICATE") + block("EC PRIVATE KEY") + block("CERTIFICATE", "BBBB"))
    assert pem.certificates == (block("CERTIFICATE"), block("CERTIFICATE", "BBBB"))
    assert (pem.has_private_key, pem.between, pem.cut_off) == (True, "hello", False)


@pytest.mark.parametrize("text", [block("CERTIFICATE")[:-5], block("CERTIFICATE")[12:], block("A") + "-----BEGIN A"])
def test_cut_off_block_is_seen(text: str) -> None:
    pem = read_pem(block("CERTIFICATE") + text)
    assert pem.cut_off is ("-----BEGIN " in text or "-----END " in text)
    assert len(pem.certificates) == 1


@given(st.lists(st.sampled_from(["CERTIFICATE", "PRIVATE KEY", "X509 CRL"]), max_size=6), st.booleans())
def test_prop_blocks_come_back_in_order(labels: list[str], windows: bool) -> None:
    text = "".join(block(label, f"AA{number}") for number, label in enumerate(labels))
    pem = read_pem(text.replace("\n", "\r\n") if windows else text)
    assert [label for label, _text in pem.blocks] == labels
    assert "".join(part for _label, part in pem.blocks) == text
    assert (pem.between, pem.cut_off) == ("", False)


@pytest.mark.parametrize(
    ("text", "locked"),
    [
        (block("ENCRYPTED PRIVATE KEY"), True),
        (block("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA"), True),
        (block("PRIVATE KEY"), False),
        (block("EC PRIVATE KEY"), False),
    ],
)
def test_locked_key_is_seen(text: str, locked: bool) -> None:
    assert key_is_encrypted(text) is locked


@pytest.mark.parametrize(
    ("now", "found"),
    [
        ("2026-03-01T12:00:00Z", []),
        ("2026-03-01T12:00:01Z", ["expired"]),
        ("2026-01-01T12:00:00+00:00", []),
        ("2026-01-01T11:59:59.5Z", ["not_yet_valid"]),
        ("20260201000000Z", []),
    ],
)
def test_time_is_compared_to_the_second(now: str, found: list[str]) -> None:
    assert codes(now) == found


@given(st.datetimes(datetime.datetime(2026, 1, 2), datetime.datetime(2026, 2, 28)))
def test_prop_days_left_are_those_of_the_calendar(now: datetime.datetime) -> None:
    left = (datetime.date(2026, 3, 1) - now.date()).days
    text = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert codes(text, min_days=left) == []
    assert codes(text, min_days=left + 1) == ["expires_soon"]


@given(st.dates(datetime.date(1970, 1, 1), datetime.date(2200, 12, 31)), st.integers(1, 20_000))
def test_prop_lifetime_is_that_of_the_calendar(start: datetime.date, days: int) -> None:
    end = start + datetime.timedelta(days=days)
    info = {**INFO, "not_before": f"{start:%Y%m%d}000000Z", "not_after": f"{end:%Y%m%d}000000Z"}
    files = {"certificate": {"path": "x", "content": block("CERTIFICATE"), "entries": [info]}}
    for allowed, found in ((days, []), (days - 1, ["lifetime_long"])):
        given_codes = [
            one["code"] for one in lint_certificates(files, "client", f"{start}T00:00:00Z", max_days=allowed)
        ]
        assert given_codes == found


@pytest.mark.parametrize(
    ("entry", "wanted", "covered"),
    [
        ("DNS:a.example.org", "A.example.org.", True),
        ("DNS:*.example.org", "a.example.org", True),
        ("DNS:*.example.org", "a.example.net", False),
        ("DNS:*.example.org", "a.b.example.org", False),
        ("DNS:*.example.org", "example.org", False),
        ("DNS:*.example.org", ".example.org", False),
        ("DNS:*.org", "org", False),
        ("DNS:a*.example.org", "ab.example.org", False),
        ("IP:2001:db8::7", "2001:DB8:0::7", True),
        ("IP:192.0.2.7", "192.0.2.8", False),
        ("IP:192.0.2.0/24", "192.0.2.7", False),
        ("DNS:192.0.2.7", "192.0.2.7", False),
        ("email:a.example.org", "a.example.org", False),
        ("URI:https://a.example.org", "a.example.org", False),
    ],
)
def test_name_is_covered_as_clients_see_it(entry: str, wanted: str, covered: bool) -> None:
    info = {**INFO, "extended_key_usage": ["TLS Web Server Authentication"], "subject_alt_name": [entry]}
    files = {"certificate": {"path": "x", "content": block("CERTIFICATE"), "entries": [info]}}
    found = [one["code"] for one in lint_certificates(files, "server", "2026-02-01T00:00:00Z", [wanted])]
    assert ("name_not_covered" not in found) is covered
