# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates that the engine has to refuse, made with the scenario's own CA and with a foreign one."""

from __future__ import annotations

import base64
import datetime
import os
import sys
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "daemon_baseline"))

from findings import load

__all__ = ["FOLDER", "curl", "load", "make_strangers", "was_refused"]

FOLDER = "/srv/strangers"
BUNDLE = "--cert {0}/cert.pem --key {0}/key.pem"
PASSPHRASE = b"only for this test"
NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


def curl(host: Any, bundle: str | None, url: str = "https://localhost:2376/version", more: str = "") -> Any:
    """Ask the engine with the certificate in a directory of the host, or with none; run result."""
    certificate = BUNDLE.format(bundle) if bundle else ""
    return host.run(f"curl -sS --max-time 10 --cacert /root/.docker/ca.pem {certificate} {more} '{url}'")


def was_refused(answer: Any, *reasons: str) -> bool:
    """Whether the engine sent a client away without an answer; its alert may get lost when it hangs up (55)."""
    named = any(reason in answer.stderr for reason in reasons)
    return answer.stdout == "" and (answer.rc == 55 or (answer.rc == 56 and named))


def make_strangers(host: Any) -> None:
    """Put the bundles of strangers on the host, each in a directory of its own."""
    folder = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "ca/docker"
    authority = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    key = serialization.load_pem_private_key((folder / "key.pem").read_bytes(), PASSPHRASE)
    foreign = ec.generate_private_key(ec.SECP256R1())
    # The foreign CA has the name of the right one.
    made = {
        "good": leaf(authority.subject, key, NOW - DAY, NOW + DAY),
        "expired": leaf(authority.subject, key, NOW - 3 * DAY, NOW - DAY),
        "future": leaf(authority.subject, key, NOW + DAY, NOW + 3 * DAY),
        "foreign": leaf(authority.subject, foreign, NOW - DAY, NOW + DAY),
    }
    for name, (certificate, own_key) in made.items():
        for file, data in (("cert.pem", certificate), ("key.pem", own_key)):
            text = base64.b64encode(data).decode()
            host.check_output(f"mkdir -p {FOLDER}/{name} && echo {text} | base64 -d >{FOLDER}/{name}/{file}")


def leaf(issuer: x509.Name, signer: Any, start: datetime.datetime, end: datetime.datetime) -> tuple[bytes, bytes]:
    """A client's certificate and key in PEM format."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stranger")]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    )
    text = serialization.PrivateFormat.PKCS8
    return (
        builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, text, serialization.NoEncryption()),
    )
