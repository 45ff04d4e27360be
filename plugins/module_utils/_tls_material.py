# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a certificate has to be made anew, and whether a change of CAs is safe (pure, private).

Certificates come as the dicts of community.crypto's x509_certificate_info. Times are texts YYYYMMDDHHMMSSZ (UTC), which
sort as the times do.
"""

from __future__ import annotations

import ipaddress
from typing import Any, Dict, List, Mapping, Optional, Sequence, Set

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError, RefusedError
from ansible_collections.bulwark.docker.plugins.module_utils._tls_plan import STORE_NAME

__all__ = ["judge_material"]

KEY_ACCESS_OF_OTHERS = 0o077
PURPOSES = {"serverAuth": "TLS Web Server Authentication", "clientAuth": "TLS Web Client Authentication"}


def judge_material(material: Mapping[str, Any]) -> Dict[str, List[str]]:
    """Say why a certificate has to be issued, and why files have to be installed.

    Args:
        material: C(certificate) (info, or null when there is none), C(key_file) (C(kind), C(mode)), C(bundle) and
            C(wanted_bundle) (PEM texts), C(bundle_infos) and C(wanted_infos), C(issuer) (info of the CA that signs,
            null when it is not made yet), C(key) (an entry of KEY_TYPES), C(sans), C(purpose), C(now), C(renew_at),
            C(is_server), C(drop_clients), C(links) (descriptions of the paths that lead to a client's bundle).

    Returns:
        C(issue): reasons for a new key and certificate; C(install): all reasons for a new generation.

    Raises RefusedError for a step of a rollover that would lock somebody out, ConfigError for files of others.
    """
    certificate, issuer = material["certificate"], material["issuer"]
    _check_links(material["links"])
    if issuer is not None and issuer["not_after"] < material["now"]:
        raise RefusedError(
            f"daemon_tls_issuing_ca: that CA expired ({issuer['not_after']}), so nobody accepts what it signs; add a"
            " new one to daemon_tls_trusted_cas and let it sign"
        )
    if certificate is None:
        return {"issue": ["there is none yet"], "install": ["there is none yet"]}
    if material["is_server"] and not material["drop_clients"]:
        _check_rollover(material)
    issue = _reasons(certificate, material)
    install = list(issue)
    if material["bundle"] != material["wanted_bundle"]:
        install.append("the set of trusted CAs changed")
    if any(link["link"] is None for link in material["links"]):
        install.append("a link to it is missing")
    return {"issue": issue, "install": install}


def _check_links(links: Sequence[Mapping[str, Any]]) -> None:
    foreign = [
        str(link["path"])
        for link in links
        if (link["kind"] != "absent" or link["link"]) and not str(link["link"] or "").startswith(STORE_NAME + "/")
    ]
    if foreign:
        raise ConfigError(
            f"daemon_tls_clients: {', '.join(foreign)}: somebody else's file is in the place of the bundle; move it"
            " away, or give the client another directory"
        )


def _reasons(certificate: Mapping[str, Any], material: Mapping[str, Any]) -> List[str]:
    reasons: List[str] = []
    if certificate["not_after"] < material["now"]:
        reasons.append(f"it expired ({certificate['not_after']})")
    elif certificate["not_after"] < material["renew_at"]:
        reasons.append(f"it expires soon ({certificate['not_after']})")
    if certificate["not_before"] > material["now"]:
        reasons.append(f"it is not valid before {certificate['not_before']}")
    found, wanted = _names(certificate.get("subject_alt_name") or []), _names(material["sans"])
    for names, what in ((wanted - found, "lacks"), (found - wanted, "has also")):
        if names:
            reasons.append(f"it {what} the names {', '.join(sorted(names))}")
    if not _is_key(certificate, material["key"]):
        reasons.append("its key is of another type")
    if PURPOSES[material["purpose"]] not in (certificate.get("extended_key_usage") or []):
        reasons.append(f"it is not for {material['purpose']}")
    if not _signed_by(certificate, material["issuer"]):
        reasons.append("another CA signs")
    key_file = material["key_file"]
    if key_file["kind"] != "file":
        reasons.append("its key is missing")
    elif key_file["mode"] & KEY_ACCESS_OF_OTHERS:
        reasons.append(f"others could read its key (mode {key_file['mode']:04o})")
    return reasons


def _names(names: Sequence[str]) -> Set[str]:
    """Alternative names in one spelling; "IP Address:" is what some versions of cryptography's users write."""
    found = set()
    for name in names:
        kind, _colon, value = str(name).partition(":")
        if kind.startswith("IP"):
            found.add(f"IP:{ipaddress.ip_address(value)}")
        else:
            found.add(f"{kind}:{value.lower()}")
    return found


def _is_key(certificate: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    data = certificate.get("public_key_data") or {}
    if certificate["public_key_type"] != wanted["type"]:
        return False
    if wanted["type"] == "ECC":
        return bool(data.get("curve") == wanted["curve"])
    return wanted["type"] != "RSA" or bool(data.get("size") == wanted["size"])


def _signed_by(certificate: Mapping[str, Any], issuer: Optional[Mapping[str, Any]]) -> bool:
    """Whether the identifiers of issuer and key say so; the engine's own check of the chain comes with the commit."""
    if issuer is None:
        return False
    same_name = bool(certificate["issuer_ordered"] == issuer["subject_ordered"])
    return same_name and bool(certificate["authority_key_identifier"] == issuer["subject_key_identifier"])


def _check_rollover(material: Mapping[str, Any]) -> None:
    certificate, issuer = material["certificate"], material["issuer"]
    if not any(_signed_by(certificate, authority) for authority in material["wanted_infos"]):
        raise RefusedError(
            "daemon_tls_trusted_cas: the CA that signed the certificate in force is no longer among them, so clients"
            " would be refused; first run with it and the new one, then with the new one as daemon_tls_issuing_ca, or"
            " set daemon_tls_drop_clients: true"
        )
    if not _signed_by(certificate, issuer) and not _holds(material["bundle_infos"], issuer):
        raise RefusedError(
            "daemon_tls_issuing_ca: the engine in force does not trust that CA yet, so clients with new certificates"
            " would be refused until its restart; first run with both in daemon_tls_trusted_cas and the old one as"
            " daemon_tls_issuing_ca, or set daemon_tls_drop_clients: true"
        )


def _holds(infos: Sequence[Mapping[str, Any]], authority: Optional[Mapping[str, Any]]) -> bool:
    if authority is None:
        return False
    return any(info["fingerprints"]["sha256"] == authority["fingerprints"]["sha256"] for info in infos)
