# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter on real certificates: good ones have no finding, each malformed one has exactly its own."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from ansible.errors import AnsibleTemplatePluginError
from ansible.plugins import loader
from ansible.utils.collection_loader import AnsibleCollectionConfig
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.bulwark.docker.plugins.filter import lint_certificates
from ansible_collections.bulwark.docker.tests.unit.plugins.filter.certificates import (
    ANY,
    CA,
    CA_USAGES,
    CLIENT,
    CLIENT_CERTIFICATE,
    LEAF_USAGES,
    NOW_TEXT,
    SERVER,
    SERVER_CERTIFICATE,
    Certificate,
    der_to_pem,
    key,
    malformed,
    private_pem,
)

lint_filter = lint_certificates.FilterModule().filters()["lint_certificates"]
NAMES = ["docker.example.org", "192.0.2.7"]
OTHER_KEY = key("ec:secp256r1", 9)
MIDDLE = CA.but(subject="Middle CA", key=key("ec:secp256r1", 4), issuer=CA)
RSA_CA = CA.but(key=key("rsa:3072", 6))
OF_RSA = SERVER_CERTIFICATE.but(issuer=RSA_CA)


@pytest.fixture(autouse=True, scope="module")
def collections() -> None:
    """Let Ansible find other collections, as its commands do at their start."""
    if AnsibleCollectionConfig.collection_finder is None:
        loader.init_plugin_loader()


class Case(NamedTuple):
    """Files and what is to be found in them."""

    code: str
    fatal: bool
    words: str
    certificate: str | None = None
    ca: str | None = CA.pem
    key: str | None = None
    purpose: str = "server"
    options: Mapping[str, Any] = MappingProxyType({})

    @property
    def files(self) -> dict[str, Any]:
        """The input of the filter."""
        given = {"certificate": self.certificate, "ca": self.ca, "key": self.key}
        return {name: {"path": f"/x/{name}.pem", "content": text} for name, text in given.items() if text is not None}

    def found(self) -> list[dict[str, Any]]:
        """What the filter says."""
        names = {"names": NAMES} if self.purpose == "server" else {}
        return list(lint_filter(self.files, self.purpose, NOW_TEXT, **{**names, **self.options}))


def server(**changes: Any) -> str:
    return SERVER_CERTIFICATE.but(**changes).pem


def client(**changes: Any) -> str:
    return CLIENT_CERTIFICATE.but(**changes).pem


def root(**changes: Any) -> str:
    return CA.but(**changes).pem


def issued_by(**changes: Any) -> dict[str, Any]:
    """A good certificate of a CA that has something wrong with it."""
    authority = CA.but(**changes)
    return {"certificate": server(issuer=authority), "ca": authority.pem}


GOOD = {
    "server": Case("", False, "", server(), key=private_pem(SERVER_CERTIFICATE.key)),
    "client": Case("", False, "", client(), key=private_pem(CLIENT_CERTIFICATE.key), purpose="client"),
    "authority": Case("", False, "", root(), None, private_pem(CA.key), "ca"),
    "authority with a locked key": Case("", False, "", root(), None, private_pem(CA.key, b"secret"), "ca"),
    "bundle alone": Case("", False, "", None, CA.pem + root(subject="Next CA", key=OTHER_KEY), purpose="ca"),
    "two CAs of a rollover": Case("", False, "", server(), root(subject="Next CA", key=OTHER_KEY) + CA.pem),
    "two keys of one name": Case("", False, "", server(), root(key=OTHER_KEY) + CA.pem),
    "intermediate CA behind": Case("", False, "", server(issuer=MIDDLE) + MIDDLE.pem),
    "intermediate CA trusted": Case("", False, "", server(issuer=MIDDLE), MIDDLE.pem),
    "pathlen that suffices": Case("", False, "", **issued_by(constraints=(True, 0))),
    "without key identifiers": Case("", False, "", **issued_by(key_identifiers=False)),
    "longest serial number": Case("", False, "", server(serial=(1 << 159) - 1)),
    "line ends of Windows": Case("", False, "", server().replace("\n", "\r\n"), CA.pem.replace("\n", "\r\n")),
}

BAD = {
    "no SAN": Case("san_missing", True, "common name alone counts for nothing", server(names=None)),
    "name not in the SAN": Case(
        "name_not_covered", True, "not valid for 'docker.example.org'", server(names=("other.example.org", "192.0.2.7"))
    ),
    "address not in the SAN": Case(
        "name_not_covered", True, "not valid for '192.0.2.7'", server(names=("docker.example.org", "192.0.2.8"))
    ),
    "address as a name": Case(
        "name_not_covered", True, "not valid for '::1'", server(), options={"names": [*NAMES, "::1"]}
    ),
    "wildcard": Case("san_wildcard", False, "every host of the domain", server(names=("*.example.org", "192.0.2.7"))),
    "wildcard of everything": Case(
        "san_too_wide",
        True,
        "*.org covers a whole registry",
        server(names=("docker.example.org", "*.org", "192.0.2.7")),
    ),
    "wildcard of a registry": Case(
        "san_too_wide", True, "*.co.uk covers", server(names=("docker.example.org", "*.co.uk", "192.0.2.7"))
    ),
    "server without serverAuth": Case("purpose_missing", True, "without serverAuth", server(purposes=(CLIENT,))),
    "client without clientAuth": Case(
        "purpose_missing", True, "without clientAuth", client(purposes=(SERVER,)), purpose="client"
    ),
    "both purposes": Case("purpose_both", False, "servers and clients alike", server(purposes=(SERVER, CLIENT))),
    "any purpose": Case(
        "purpose_both", False, "servers and clients alike", client(purposes=(ANY, CLIENT)), purpose="client"
    ),
    "no purpose": Case("purpose_unlimited", False, "no extended key usage", server(purposes=None)),
    "other key": Case(
        "key_mismatch", True, "not the one of the certificate server", server(), key=private_pem(OTHER_KEY)
    ),
    "other key of a CA": Case("key_mismatch", True, "not the one", root(), None, private_pem(OTHER_KEY), "ca"),
    "locked key": Case(
        "key_encrypted", True, "passphrase", server(), key=private_pem(SERVER_CERTIFICATE.key, b"secret")
    ),
    "broken key": Case(
        "key_broken",
        True,
        "cannot be read",
        server(),
        key=private_pem(SERVER_CERTIFICATE.key).replace("M", "!", 1),
    ),
    "certificate for a key": Case("key_broken", True, "cannot be read", server(), key=server()),
    "expired": Case("expired", True, "expired on 2026-02-28", server(days_ago=30, days_left=-1)),
    "not yet valid": Case("not_yet_valid", True, "not valid before 2026-03-03", server(days_ago=-2)),
    "long life": Case("lifetime_long", False, "valid for 401 days, more than 398", server(days_left=400)),
    "longer than wished": Case(
        "lifetime_long", False, "valid for 81 days, more than 30", server(), options={"max_days": 30}
    ),
    "expires soon": Case(
        "expires_soon", False, "expires on 2026-03-06, in 5 days", server(days_left=5), options={"min_days": 14}
    ),
    "RSA with 1024 bits": Case("key_weak", True, "has 1024 bits", server(key=key("rsa:1024"))),
    "RSA with 2048 bits": Case("key_short", False, "has 2048 bits", server(key=key("rsa:2048"))),
    "weak curve": Case("key_weak", True, "curve secp224r1", server(key=key("ec:secp224r1"))),
    "curve of others": Case("key_unsupported", True, "curve secp256k1", server(key=key("ec:secp256k1"))),
    "DSA": Case("key_unsupported", True, "type DSA", server(key=key("dsa:2048"))),
    "Ed448": Case("key_unsupported", True, "type Ed448", server(key=key("ed448"))),
    "weak CA": Case("key_weak", True, "of Test CA has 1024 bits", **issued_by(key=key("rsa:1024"))),
    "signed with SHA-1": Case("signature_weak", True, "sha1", malformed(OF_RSA, hash_name="SHA1"), RSA_CA.pem),
    "signed with MD5": Case("signature_weak", True, "md5", malformed(OF_RSA, hash_name="MD5"), RSA_CA.pem),
    "root signed with SHA-1": Case(
        "signature_weak", False, "Test CA is signed", OF_RSA.pem, malformed(RSA_CA, hash_name="SHA1")
    ),
    "unknown CA": Case("issuer_unknown", True, "issued by Other CA", server(issuer=CA.but(subject="Other CA"))),
    "chain with a gap": Case("issuer_unknown", True, "issued by Middle CA", server(issuer=MIDDLE)),
    "CA of the same name": Case("issuer_other_key", True, "another key", server(), root(key=OTHER_KEY)),
    "no CA at all": Case("ca_flag_missing", True, "do not say CA:TRUE", **issued_by(constraints=(False, None))),
    "no basic constraints": Case("ca_flag_missing", True, "do not say CA:TRUE", **issued_by(constraints=None)),
    "leaf as bundle": Case("ca_flag_missing", True, "server is no CA", None, server(usages=CA_USAGES), purpose="ca"),
    "CA that may not sign": Case("ca_cannot_sign", True, "lacks keyCertSign", **issued_by(usages=("crl_sign",))),
    "intermediate CA that may not sign": Case(
        "ca_cannot_sign",
        True,
        "the CA Middle CA lacks keyCertSign",
        server(issuer=MIDDLE) + MIDDLE.but(usages=("crl_sign",)).pem,
    ),
    "CA as server": Case("ca_as_leaf", True, "server is a CA", server(constraints=(True, None))),
    "no digital signature": Case(
        "signature_usage_missing", True, "lacks digitalSignature", server(usages=("key_encipherment",))
    ),
    "too many CAs": Case(
        "path_too_long",
        True,
        "allows 0 CAs below it, but there are 1",
        server(issuer=MIDDLE.but(issuer=CA.but(constraints=(True, 0)))) + MIDDLE.pem,
        root(constraints=(True, 0)),
    ),
    "expired CA": Case("expired", True, "Test CA expired on 2026-02-19", **issued_by(days_left=-10)),
    "old CA left in the bundle": Case(
        "expired", False, "remove it from the bundle", server(), CA.pem + root(subject="Old CA", days_left=-1)
    ),
    "longer than its CA": Case("outlives_issuer", False, "only until 2026-03-11", **issued_by(days_left=10)),
    "CA first": Case("wrong_order", True, "first certificate is the CA Middle CA", MIDDLE.pem + server(issuer=MIDDLE)),
    "text between": Case("text_between", False, "beginning 'subject: x'", server() + "subject: x\n"),
    "other block": Case(
        "foreign_block", False, "X509 CRL", server() + "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"
    ),
    "block cut off": Case("pem_cut_off", True, "no beginning or no end", server(), CA.pem + CA.pem[:300]),
    "certificate that is none": Case(
        "certificate_broken", True, "certificate 2 cannot be read", server(), CA.pem + der_to_pem(b"0\x03\x02\x01\x01")
    ),
    "DER": Case("no_certificate", True, "no certificate in PEM form", "0\x82\x01", None),
    "key in the certificate's file": Case(
        "key_in_certificate", True, "holds a private key", server() + private_pem(SERVER_CERTIFICATE.key)
    ),
    "key in the bundle": Case(
        "key_in_certificate", True, "holds a private key", server(), CA.pem + private_pem(CA.key)
    ),
    "serial number zero": Case("serial_wrong", False, "not positive", malformed(SERVER_CERTIFICATE, b"\0")),
    "negative serial number": Case("serial_wrong", True, "not positive", malformed(SERVER_CERTIFICATE, b"\xff")),
    "long serial number": Case(
        "serial_wrong", False, "longer than 20 octets", malformed(SERVER_CERTIFICATE, b"\x12" * 21)
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_certificates_have_no_finding(name: str) -> None:
    assert GOOD[name].found() == []


@pytest.mark.filterwarnings("ignore::Warning")
@pytest.mark.parametrize("name", BAD)
def test_malformed_certificate_has_its_own_finding_and_no_other(name: str) -> None:
    case = BAD[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cryptography warns of what these certificates do wrong
        found = case.found()
    assert [(one["code"], one["fatal"]) for one in found] == [(case.code, case.fatal)], found
    [one] = found
    assert case.words in one["message"]
    assert one["message"].startswith(f"check the {case.purpose} certificate: ")
    assert f"({one['path']}); " in one["message"]
    assert one["path"] in {given["path"] for given in case.files.values()}


def test_there_are_enough_cases_of_distinct_words() -> None:
    codes = {case.code for case in BAD.values()}
    fatal = {case.code for case in BAD.values() if case.fatal}
    assert (len(codes), len(fatal)) >= (25, 18)


def test_several_mistakes_are_all_named() -> None:
    case = Case("", True, "", server(names=None, purposes=(CLIENT,), days_ago=-2), root(subject="Other CA"))
    assert {one["code"] for one in case.found()} == {
        "san_missing",
        "purpose_missing",
        "not_yet_valid",
        "issuer_unknown",
    }


def test_no_private_key_is_ever_shown() -> None:
    secrets = [private_pem(OTHER_KEY), private_pem(OTHER_KEY, b"x"), private_pem(OTHER_KEY).replace("M", "!", 1)]
    shown = "".join(str(Case("", True, "", server() + secret, CA.pem + secret, secret).found()) for secret in secrets)
    lines = {line for secret in secrets for line in secret.splitlines() if not line.startswith("-----")}
    assert len(lines) >= 6
    assert [line for line in lines if line in shown] == []


def test_key_that_stays_on_its_host_is_compared_by_what_the_module_returned() -> None:
    files = GOOD["server"].files
    public = (
        SERVER_CERTIFICATE.key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
    other = (
        OTHER_KEY.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )

    def codes(info: dict[str, Any]) -> list[str]:
        given = {**files, "key": {"path": "/k", "info": info}}
        return [one["code"] for one in lint_filter(given, "server", NOW_TEXT, NAMES)]

    assert codes({"public_key": public, "can_parse_key": True}) == []
    assert codes({"public_key": other}) == ["key_mismatch"]
    assert codes({"can_parse_key": False, "msg": "no"}) == ["key_broken"]


ISSUERS = st.builds(
    lambda kind, digest, length, identifiers: CA.but(
        key=key(kind, 11), digest=digest, constraints=(True, length), key_identifiers=identifiers
    ),
    st.sampled_from(["ec:secp256r1", "ec:secp384r1", "ed25519", "rsa:3072"]),
    st.sampled_from(["SHA256", "SHA384"]),
    st.sampled_from([None, 0, 3]),
    st.booleans(),
)
LABEL = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
HOST_NAMES = st.lists(LABEL, min_size=1, max_size=4).map(".".join)
ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)


@st.composite
def good_cases(draw: st.DrawFn) -> Case:
    issuer = draw(ISSUERS)
    purpose = draw(st.sampled_from(["server", "client"]))
    names = tuple(draw(st.lists(st.one_of(HOST_NAMES, ADDRESSES), min_size=1, max_size=5)))
    leaf = Certificate(
        draw(LABEL),
        key(draw(st.sampled_from(["ec:secp256r1", "ec:secp384r1", "ec:secp521r1", "ed25519", "rsa:3072"])), 12),
        issuer,
        names=names if purpose == "server" else draw(st.sampled_from([None, names])),
        purposes=(SERVER if purpose == "server" else CLIENT,),
        usages=draw(st.sampled_from([None, LEAF_USAGES, ("digital_signature", "key_encipherment")])),
        constraints=draw(st.sampled_from([None, (False, None)])),
        days_ago=draw(st.integers(0, 90)),
        days_left=draw(st.integers(1, 300)),
        serial=draw(st.integers(1, (1 << 159) - 1)),
        key_identifiers=draw(st.booleans()),
    )
    others = [CA.but(subject=f"Other {number}").pem for number in range(draw(st.integers(0, 2)))]
    bundle = "".join(draw(st.permutations([issuer.pem, *others])))
    wanted = draw(st.lists(st.sampled_from(names), max_size=3))
    return Case("", False, "", leaf.pem, bundle, private_pem(leaf.key), purpose, {"names": wanted})


@settings(max_examples=60)
@given(good_cases())
def test_prop_good_certificate_of_any_allowed_kind_has_no_finding(case: Case) -> None:
    assert case.found() == []


@settings(max_examples=60)
@given(good_cases(), st.sampled_from(["before", "after", "key", "purpose"]))
def test_prop_good_certificate_that_is_used_wrongly_is_refused(case: Case, mistake: str) -> None:
    changes: dict[str, Any] = {"key": {"key": private_pem(OTHER_KEY)}}.get(mistake, {})
    purpose = {"server": "client", "client": "server"}[case.purpose] if mistake == "purpose" else case.purpose
    now = {"before": "2025-01-01T00:00:00Z", "after": "2030-01-01T00:00:00Z"}.get(mistake, NOW_TEXT)
    found = lint_filter(case._replace(**changes).files, purpose, now)
    expected = {"before": "not_yet_valid", "after": "expired", "key": "key_mismatch", "purpose": "purpose_missing"}
    assert expected[mistake] in {one["code"] for one in found if one["fatal"]}


@pytest.mark.parametrize(
    ("files", "purpose", "now", "message"),
    [
        (GOOD["server"].files, "web", NOW_TEXT, "purpose is 'web'; choose one of server, client, ca"),
        (GOOD["server"].files, "server", "now", "now is 'now', not a time in UTC"),
        ({}, "server", NOW_TEXT, "the input has nothing; give certificate"),
        ({"key": {"path": "x", "content": "y"}}, "server", NOW_TEXT, "the input has key; give certificate"),
        ({**GOOD["server"].files, "cert": {}}, "server", NOW_TEXT, "has ca, cert, certificate, key; give"),
        ({"certificate": {"path": "x"}}, "server", NOW_TEXT, "certificate has path; give path and content"),
        ({"certificate": None}, "server", NOW_TEXT, "certificate has nothing; give path and content"),
    ],
)
def test_wrong_call_is_refused(files: dict[str, Any], purpose: str, now: str, message: str) -> None:
    with pytest.raises(AnsibleTemplatePluginError) as caught:
        lint_filter(files, purpose, now)
    assert message in str(caught.value)


def test_controller_without_what_decodes_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "ansible_collections.bulwark.docker.plugins.plugin_utils._certificates.find_spec", lambda _name: None
    )
    with pytest.raises(AnsibleTemplatePluginError, match=r"community\.crypto or the Python package cryptography"):
        GOOD["server"].found()
