# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a certificate is made anew, and which change of CAs is refused."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError, RefusedError
from ansible_collections.bulwark.docker.plugins.module_utils._tls_material import judge_material
from ansible_collections.bulwark.docker.plugins.module_utils._tls_plan import KEY_TYPES


def authority(name: str) -> dict[str, Any]:
    return {
        "subject_ordered": [["commonName", name]],
        "subject_key_identifier": f"key of {name}",
        "fingerprints": {"sha256": f"print of {name}"},
        "not_after": "20360101000000Z",
    }


def leaf(issuer: str = "old", **changes: Any) -> dict[str, Any]:
    return {
        "not_before": "20260501000000Z",
        "not_after": "20260901000000Z",
        "subject_alt_name": ["DNS:one.example.org", "IP:192.0.2.7", "IP:::1"],
        "public_key_type": "ECC",
        "public_key_data": {"curve": "secp256r1"},
        "extended_key_usage": ["TLS Web Server Authentication"],
        "issuer_ordered": [["commonName", issuer]],
        "authority_key_identifier": f"key of {issuer}",
        **changes,
    }


MATERIAL: dict[str, Any] = {
    "certificate": leaf(),
    "key_file": {"kind": "file", "mode": 0o400},
    "bundle": "old",
    "wanted_bundle": "old",
    "bundle_infos": [authority("old")],
    "wanted_infos": [authority("old")],
    "issuer": authority("old"),
    "key": KEY_TYPES["ecdsa_p256"],
    "sans": ["DNS:one.example.org", "IP:192.0.2.7", "IP:::1"],
    "purpose": "serverAuth",
    "now": "20260601000000Z",
    "renew_at": "20260701000000Z",
    "is_server": True,
    "drop_clients": False,
    "links": [],
}
LINKS = [{"path": f"/home/a/.docker/{name}", "kind": "file", "link": f"bulwark-tls/issued/{name}"} for name in "abc"]


def judge(**changes: Any) -> dict[str, list[str]]:
    return judge_material({**MATERIAL, **changes})


def test_good_certificate_stays() -> None:
    assert judge() == {"issue": [], "install": []}
    assert judge(links=LINKS) == {"issue": [], "install": []}


DUE: dict[str, tuple[dict[str, Any], str]] = {
    "none": ({"certificate": None}, "there is none yet"),
    "expired": ({"now": "20260901000001Z"}, "it expired (20260901000000Z)"),
    "soon": ({"renew_at": "20260901000001Z"}, "it expires soon (20260901000000Z)"),
    "not yet": ({"now": "20260430235959Z"}, "it is not valid before 20260501000000Z"),
    "a name more": (
        {"sans": [*MATERIAL["sans"], "DNS:two.example.org"]},
        "it lacks the names DNS:two.example.org",
    ),
    "a name less": ({"sans": MATERIAL["sans"][1:]}, "it has also the names DNS:one.example.org"),
    "another curve": ({"key": KEY_TYPES["ecdsa_p384"]}, "its key is of another type"),
    "another algorithm": ({"key": KEY_TYPES["ed25519"]}, "its key is of another type"),
    "another purpose": ({"purpose": "clientAuth", "is_server": False}, "it is not for clientAuth"),
    "no key": ({"key_file": {"kind": "absent", "mode": None}}, "its key is missing"),
    "a key that was readable": ({"key_file": {"kind": "file", "mode": 0o640}}, "others could read its key (mode 0640)"),
}


@pytest.mark.parametrize("case", DUE)
def test_certificate_is_due(case: str) -> None:
    changes, reason = DUE[case]
    assert judge(**changes) == {"issue": [reason], "install": [reason]}


def test_rsa_key_is_compared_by_its_size() -> None:
    rsa = leaf(public_key_type="RSA", public_key_data={"size": 2048})
    assert judge(certificate=rsa, key=KEY_TYPES["rsa_4096"])["issue"] == ["its key is of another type"]
    rsa["public_key_data"] = {"size": 4096}
    assert judge(certificate=rsa, key=KEY_TYPES["rsa_4096"])["issue"] == []


def test_addresses_are_compared_by_value() -> None:
    assert judge(sans=["DNS:ONE.example.org", "IP:192.0.2.7", "IP:0:0::1"])["issue"] == []


def test_rollover_in_three_runs() -> None:
    both, bundle = [authority("old"), authority("new")], {"wanted_bundle": "old new"}
    first = judge(wanted_infos=both, **bundle)
    assert first == {"issue": [], "install": ["the set of trusted CAs changed"]}
    trusting = {"bundle": "old new", "bundle_infos": both}
    second = judge(wanted_infos=both, issuer=authority("new"), **bundle, **trusting)
    assert second == {"issue": ["another CA signs"], "install": ["another CA signs"]}
    new = {"certificate": leaf("new"), "issuer": authority("new")}
    third = judge(**new, **trusting, wanted_infos=both[1:], wanted_bundle="new")
    assert third == {"issue": [], "install": ["the set of trusted CAs changed"]}


def test_certificate_of_a_ca_of_the_same_name_is_made_anew() -> None:
    other = {**authority("old"), "subject_key_identifier": "another key"}
    assert judge(issuer=other, drop_clients=True)["issue"] == ["another CA signs"]


LOCKING_OUT: dict[str, tuple[dict[str, Any], str]] = {
    "the CA in force goes": (
        {"wanted_infos": [authority("new")], "issuer": authority("new"), "wanted_bundle": "new"},
        "daemon_tls_trusted_cas: the CA that signed the certificate in force is no longer among them",
    ),
    "a CA signs that the engine does not trust yet": (
        {
            "wanted_infos": [authority("old"), authority("new")],
            "issuer": authority("new"),
            "wanted_bundle": "old new",
        },
        "daemon_tls_issuing_ca: the engine in force does not trust that CA yet",
    ),
}


@pytest.mark.parametrize("case", LOCKING_OUT)
def test_change_of_cas_that_locks_clients_out_is_refused(case: str) -> None:
    changes, message = LOCKING_OUT[case]
    with pytest.raises(RefusedError, match=message):
        judge(**changes)
    assert judge(**changes, drop_clients=True)["issue"] == ["another CA signs"]
    assert judge(**changes, is_server=False)["issue"] == ["another CA signs"]


def test_expired_ca_does_not_sign() -> None:
    with pytest.raises(RefusedError, match="daemon_tls_issuing_ca: that CA expired"):
        judge(now="20360101000001Z")


@pytest.mark.parametrize(
    "link",
    [
        {"path": "/home/a/.docker/key.pem", "kind": "file", "link": None},
        {"path": "/home/a/.docker/key.pem", "kind": "file", "link": "/srv/key.pem"},
        {"path": "/home/a/.docker/key.pem", "kind": "absent", "link": "gone/key.pem"},
    ],
)
def test_file_of_somebody_else_is_not_replaced(link: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"/home/a/\.docker/key\.pem: somebody else's file"):
        judge(links=[link], is_server=False)


def test_missing_link_is_made_again() -> None:
    gone = [{**LINKS[0], "kind": "absent", "link": None}, *LINKS[1:]]
    assert judge(links=gone) == {"issue": [], "install": ["a link to it is missing"]}
