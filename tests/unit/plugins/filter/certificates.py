# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real certificates for tests, good ones and malformed ones."""

from __future__ import annotations

import base64
import datetime
import functools
import ipaddress
from dataclasses import dataclass, replace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
NOW_TEXT = "2026-03-01T12:00:00Z"
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
ANY = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
USAGES = (
    "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign "
    "encipher_only decipher_only"
).split()
LEAF_USAGES, CA_USAGES = ("digital_signature",), ("key_cert_sign", "crl_sign")


@functools.cache
def key(kind: str, number: int = 0) -> Any:
    """A private key of a kind; the same for the same number."""
    name, _colon, size = kind.partition(":")
    makers = {
        "rsa": lambda: rsa.generate_private_key(65537, int(size)),
        "dsa": lambda: dsa.generate_private_key(int(size)),
        "ec": lambda: ec.generate_private_key({c.name: c for c in CURVES}[size]),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "ed448": ed448.Ed448PrivateKey.generate,
    }
    return makers[name]()


RSA_WITH = {
    name: bytes.fromhex("300d06092a864886f70d0101" + octet + "0500")
    for name, octet in {"SHA256": "0b", "SHA1": "05", "MD5": "04"}.items()
}
CURVES = (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1(), ec.SECP224R1(), ec.SECP256K1(), ec.BrainpoolP256R1())


def private_pem(private_key: Any, passphrase: bytes = b"") -> str:
    """A private key as text, locked where a passphrase is given."""
    lock = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    return private_key.private_bytes(serialization.Encoding.PEM, form, lock).decode()


@dataclass(frozen=True)
class Certificate:
    """What goes into a certificate; None leaves an extension out."""

    subject: str
    key: Any
    issuer: Certificate | None = None
    signer: Any = None
    names: tuple[str, ...] | None = None
    purposes: tuple[x509.ObjectIdentifier, ...] | None = None
    usages: tuple[str, ...] | None = LEAF_USAGES
    constraints: tuple[bool, int | None] | None = (False, None)
    days_ago: float = 1
    days_left: float = 80
    digest: str = "SHA256"
    serial: int = 0x1234
    key_identifiers: bool = True

    def but(self, **changes: Any) -> Certificate:
        """The same with changes."""
        return replace(self, **changes)

    @property
    def der(self) -> bytes:
        """The signed certificate."""
        return build(self).public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> str:
        """The signed certificate as text."""
        return der_to_pem(self.der)


def der_to_pem(der: bytes) -> str:
    """A block of text around any bytes."""
    body = base64.encodebytes(der).decode().replace("\n", "")
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])


def name_of(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


@functools.lru_cache(maxsize=64)
def build(wanted: Certificate) -> x509.Certificate:
    """Sign a certificate."""
    issuer = wanted.issuer or wanted
    signer = wanted.signer or issuer.key
    builder = (
        x509.CertificateBuilder()
        .subject_name(name_of(wanted.subject))
        .issuer_name(name_of(issuer.subject))
        .public_key(wanted.key.public_key())
        .serial_number(wanted.serial)
        .not_valid_before(NOW - datetime.timedelta(days=wanted.days_ago))
        .not_valid_after(NOW + datetime.timedelta(days=wanted.days_left))
    )
    if wanted.constraints is not None:
        builder = builder.add_extension(x509.BasicConstraints(*wanted.constraints), critical=True)
    if wanted.usages is not None:
        flags = {name: name in wanted.usages for name in USAGES}
        builder = builder.add_extension(x509.KeyUsage(**flags), critical=True)
    if wanted.purposes is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(wanted.purposes), critical=False)
    if wanted.names is not None:
        names = [general_name(text) for text in wanted.names]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if wanted.key_identifiers:
        own = x509.SubjectKeyIdentifier.from_public_key(wanted.key.public_key())
        theirs = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        builder = builder.add_extension(own, critical=False).add_extension(theirs, critical=False)
    without_digest = isinstance(signer, (ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey))
    return builder.sign(signer, None if without_digest else getattr(hashes, wanted.digest)())


def element(tag: int, body: bytes) -> bytes:
    """One element of DER."""
    size = len(body)
    head = bytes([size]) if size < 128 else bytes([0x80 | (size.bit_length() + 7) // 8])
    return bytes([tag]) + head + (size.to_bytes((size.bit_length() + 7) // 8, "big") if size > 127 else b"") + body


def content(der: bytes) -> bytes:
    """The body of the outermost element."""
    return der[2:] if der[1] < 128 else der[2 + (der[1] & 0x7F) :]


def malformed(wanted: Certificate, serial: bytes = b"\x12\x34", hash_name: str = "SHA256") -> str:
    """A certificate with any serial number or an old hash, which no library would sign any more; as text.

    Its signature is a real one where an RSA key (old hashes) or an EC key (serial numbers) of the issuer can make it.
    """
    signed = build(wanted.but(serial=0x1234))
    head = b"\xa0\x03\x02\x01\x02"
    start = head + element(0x02, b"\x12\x34")
    body = content(signed.tbs_certificate_bytes)
    if not body.startswith(start):
        raise ValueError("the serial number is not where it was expected")
    signer = (wanted.issuer or wanted).key
    rest = body[len(start) :]
    if isinstance(signer, rsa.RSAPrivateKey):
        algorithm = RSA_WITH[hash_name]
        rest = rest.replace(RSA_WITH["SHA256"], algorithm, 1)
    else:
        algorithm = bytes.fromhex("300a06082a8648ce3d040302")
    text = element(0x30, head + element(0x02, serial) + rest)
    digest = getattr(hashes, hash_name)()
    scheme = (padding.PKCS1v15(), digest) if isinstance(signer, rsa.RSAPrivateKey) else (ec.ECDSA(digest),)
    return der_to_pem(element(0x30, text + algorithm + element(0x03, b"\0" + signer.sign(text, *scheme))))


CA = Certificate(
    "Test CA", key("ec:secp256r1", 1), usages=CA_USAGES, constraints=(True, None), days_ago=100, days_left=1000
)
SERVER_CERTIFICATE = Certificate(
    "server", key("ec:secp256r1", 2), CA, names=("docker.example.org", "192.0.2.7", "2001:db8::7"), purposes=(SERVER,)
)
CLIENT_CERTIFICATE = Certificate("client", key("ec:secp256r1", 3), CA, purposes=(CLIENT,))
