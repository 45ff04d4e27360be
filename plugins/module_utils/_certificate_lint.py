# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with certificates before an engine or a client meets them (pure, private).

Nothing is decoded here: certificates and keys come as the dictionaries of community.crypto's x509_certificate_info and
openssl_privatekey_info. Signatures are therefore not checked. That a certificate belongs to a CA is concluded from
names and key identifiers, which finds every mix-up, but no forgery.

What is refused follows Go's crypto/x509 and crypto/tls, on which engine and docker client stand, and OpenSSL's purpose
checks, on which curl and Python's clients stand.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError

__all__ = ["PURPOSES", "PemText", "key_is_encrypted", "lint_certificates", "read_pem", "require_files"]

PURPOSES = ("server", "client", "ca")
SERVER_USAGE = "TLS Web Server Authentication"
CLIENT_USAGE = "TLS Web Client Authentication"
ANY_USAGE = "Any Extended Key Usage"
USAGE_NAMES = {SERVER_USAGE: "serverAuth", CLIENT_USAGE: "clientAuth"}
# Curves that Go can use in TLS; the first one is weaker than the others' floor.
CURVES = {"secp224r1": 224, "secp256r1": 256, "secp384r1": 384, "secp521r1": 521}
SMALLEST_RSA, ADVISED_RSA, SMALLEST_CURVE = 2048, 3072, 256
WEAK_HASHES = re.compile(r"md2|md4|md5|sha-?1(?!\d)", re.IGNORECASE)
LONGEST_SERIAL_BITS = 159  # RFC 5280, 4.1.2.2: twenty octets, of which the first bit is the sign
# Second-level labels under which registries sell names, as in co.uk.
REGISTRY_LABELS = frozenset(("ac", "co", "com", "edu", "gov", "net", "or", "org"))
TIME_PATTERN = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)[T ]?(\d\d):?(\d\d):?(\d\d)(?:\.\d+)?(?:Z|\+00:?00)",
)
PEM_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\s*?\n(.*?)-----END \1-----", re.DOTALL)


class PemText(NamedTuple):
    """A text taken apart: (label, whole block) in order, what stands between, and whether a block is cut off."""

    blocks: Tuple[Tuple[str, str], ...]
    between: str
    cut_off: bool

    @property
    def certificates(self) -> Tuple[str, ...]:
        """The blocks that say of themselves that they are certificates."""
        return tuple(block for label, block in self.blocks if label == "CERTIFICATE")

    @property
    def has_private_key(self) -> bool:
        """Whether one of the blocks is a private key."""
        return any(label.endswith("PRIVATE KEY") for label, block in self.blocks)


def read_pem(text: str) -> PemText:
    """Take a text apart into its PEM blocks and the rest."""
    text = text.replace("\r\n", "\n")
    blocks = tuple((found.group(1), found.group(0) + "\n") for found in PEM_BLOCK.finditer(text))
    between = PEM_BLOCK.sub("", text).strip()
    return PemText(blocks, between, "-----BEGIN " in between or "-----END " in between)


def key_is_encrypted(text: str) -> bool:
    """Whether a private key in PEM form is locked with a passphrase."""
    return "-----BEGIN ENCRYPTED PRIVATE KEY-----" in text or "Proc-Type: 4,ENCRYPTED" in text


def _moment(text: str) -> Tuple[str, int]:
    """A time as sortable text and as days since the epoch; ConfigError unless it is one in UTC."""
    found = TIME_PATTERN.fullmatch(text.strip())
    if not found:
        raise ConfigError(
            f"lint_certificates: now is {text!r}, not a time in UTC like 2026-01-31T12:00:00Z; "
            "give it ansible_facts['date_time']['iso8601']"
        )
    year, month, day = (int(part) for part in found.groups()[:3])
    # Days of the civil calendar, with years that begin in March.
    shifted = year - (month < 3)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    days = 365 * shifted + shifted // 4 - shifted // 100 + shifted // 400 + of_year - 719468
    return "".join(found.groups()), days


def _date(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}"


class _Certificate:
    """One decoded certificate with the questions that are asked of it."""

    def __init__(self, info: Mapping[str, Any], path: str) -> None:
        self.info = info
        self.path = path
        self.subject = [tuple(pair) for pair in info["subject_ordered"]]
        self.issuer = [tuple(pair) for pair in info["issuer_ordered"]]
        self.constraints: Optional[List[str]] = info["basic_constraints"]
        self.usages: Optional[List[str]] = info["extended_key_usage"]
        self.key_usages: Optional[List[str]] = info["key_usage"]
        self.names: List[str] = list(info["subject_alt_name"] or [])
        self.start, self.start_day = _moment(info["not_before"])
        self.end, self.end_day = _moment(info["not_after"])

    @property
    def name(self) -> str:
        return ", ".join(str(value) for _kind, value in self.subject) or "a certificate without subject"

    @property
    def is_ca(self) -> bool:
        return "CA:TRUE" in (self.constraints or [])

    @property
    def self_issued(self) -> bool:
        return self.subject == self.issuer

    @property
    def path_length(self) -> Optional[int]:
        found = [text[8:] for text in self.constraints or [] if text.startswith("pathlen:")]
        return int(found[0]) if found else None

    def allows(self, usage: str) -> bool:
        """Whether the extended key usage admits a purpose; no such extension admits all."""
        return self.usages is None or usage in self.usages or ANY_USAGE in self.usages

    def is_named_issuer_of(self, other: _Certificate) -> bool:
        return self.subject == other.issuer

    def has_key_that_signed(self, other: _Certificate) -> bool:
        """Whether the identifiers speak of the same key; they do unless both are there and differ."""
        mine, theirs = self.info["subject_key_identifier"], other.info["authority_key_identifier"]
        return not mine or not theirs or mine == theirs

    def is_same_as(self, other: _Certificate) -> bool:
        return bool(self.info["fingerprints"] == other.info["fingerprints"])


class _Lint:
    """One run: what was given, and what was found."""

    def __init__(
        self, files: Mapping[str, Any], purpose: str, now: str, names: Sequence[str], max_days: int, min_days: int
    ) -> None:
        self.files = files
        self.purpose = purpose
        self.now, self.today = _moment(now)
        self.wanted = names
        self.max_days = max_days
        self.min_days = min_days
        self.findings: List[Dict[str, Any]] = []

    def add(self, code: str, path: str, problem: str, advice: str, fatal: bool = True) -> None:
        """Keep one finding."""
        message = f"check the {self.purpose} certificate: {problem} ({path}); {advice}"
        finding = {"code": code, "fatal": fatal, "message": message, "path": path}
        if finding not in self.findings:
            self.findings.append(finding)

    def run(self) -> List[Dict[str, Any]]:
        """Check everything that was given."""
        own = self._read("certificate")
        trusted = self._read("ca")
        leaf = own[0] if own else None
        if leaf is not None:
            if self.purpose == "ca":
                for authority in own:
                    self._check_authority(authority, True)
            else:
                leaf = self._put_first(own)
                self._check_leaf(leaf)
            self._check_key(leaf)
            if "ca" in self.files and trusted:
                self._check_chain(leaf, [one for one in own if one is not leaf], trusted)
        elif "ca" in self.files and "certificate" not in self.files:
            for authority in trusted:
                self._check_authority(authority, True)
        return self.findings

    # files

    def _read(self, name: str) -> List[_Certificate]:
        """Certificates of one file, after a look at the file itself."""
        if name not in self.files:
            return []
        path, content, entries = (self.files[name][part] for part in ("path", "content", "entries"))
        pem = read_pem(content)
        if pem.has_private_key:
            self.add(
                "key_in_certificate",
                path,
                "the file holds a private key, and files of certificates may be read by everybody",
                "take the key out, and replace it if others could read the file",
            )
        if not pem.certificates and not pem.cut_off:
            self.add(
                "no_certificate",
                path,
                "the file holds no certificate in PEM form",
                "name the right file, or convert it with openssl x509 -inform DER",
            )
        if pem.cut_off:
            self.add(
                "pem_cut_off",
                path,
                "a PEM block has no beginning or no end, so the engine passes over it without a word",
                "copy the file again, whole",
            )
        elif pem.between and pem.certificates:
            self.add(
                "text_between",
                path,
                f"the file has text that belongs to no certificate, beginning {pem.between.splitlines()[0][:40]!r}",
                "remove it; some programs stumble over it",
                fatal=False,
            )
        self._check_labels(path, pem)
        return self._decoded(path, entries)

    def _check_labels(self, path: str, pem: PemText) -> None:
        others = {label for label, block in pem.blocks if label != "CERTIFICATE" and not label.endswith("PRIVATE KEY")}
        if others and pem.certificates:
            self.add(
                "foreign_block",
                path,
                f"the file also holds {', '.join(sorted(others))}, which the engine passes over",
                "keep nothing but certificates in it",
                fatal=False,
            )

    def _decoded(self, path: str, entries: Sequence[Mapping[str, Any]]) -> List[_Certificate]:
        found: List[_Certificate] = []
        for number, entry in enumerate(entries, 1):
            if "problem" in entry:
                self.add(
                    "certificate_broken",
                    path,
                    f"certificate {number} cannot be read: {entry['problem']}",
                    "copy the file again, or have the certificate issued again",
                )
            else:
                found.append(_Certificate(entry, path))
        return found

    def _put_first(self, own: Sequence[_Certificate]) -> _Certificate:
        """The certificate that the file is about: the first, unless another one is the only one that is no CA."""
        leaves = [one for one in own if not one.is_ca]
        if own[0].is_ca and len(leaves) == 1:
            self.add(
                "wrong_order",
                own[0].path,
                f"the first certificate is the CA {own[0].name}, but programs take the first one for their own",
                f"put the certificate of {leaves[0].name} first, then the one that issued it",
            )
            return leaves[0]
        return own[0]

    # one certificate

    def _check_leaf(self, leaf: _Certificate) -> None:
        self._check_common(leaf, True)
        if leaf.is_ca:
            self.add(
                "ca_as_leaf",
                leaf.path,
                f"{leaf.name} is a CA, so whoever steals its key from this host can issue certificates",
                "issue a certificate without CA:TRUE for this purpose",
            )
        if leaf.key_usages is not None and "Digital Signature" not in leaf.key_usages:
            self.add(
                "signature_usage_missing",
                leaf.path,
                f"the key usage of {leaf.name} lacks digitalSignature, without which TLS clients refuse it",
                "issue it again with that key usage",
            )
        self._check_purpose(leaf)
        self._check_lifetime(leaf)
        if self.purpose == "server":
            self._check_names(leaf)

    def _check_purpose(self, leaf: _Certificate) -> None:
        usage, other = (SERVER_USAGE, CLIENT_USAGE) if self.purpose == "server" else (CLIENT_USAGE, SERVER_USAGE)
        if leaf.usages is None:
            self.add(
                "purpose_unlimited",
                leaf.path,
                f"{leaf.name} has no extended key usage, so it is good for servers and clients alike",
                f"issue it again with {USAGE_NAMES[usage]} alone",
                fatal=False,
            )
        elif not leaf.allows(usage):
            self.add(
                "purpose_missing",
                leaf.path,
                f"the extended key usage of {leaf.name} is {', '.join(leaf.usages)}, without {USAGE_NAMES[usage]}",
                f"issue it again with {USAGE_NAMES[usage]}",
            )
        elif leaf.allows(other):
            self.add(
                "purpose_both",
                leaf.path,
                f"{leaf.name} is good for servers and clients alike, so a key stolen from one side opens the other",
                f"issue it again with {USAGE_NAMES[usage]} alone",
                fatal=False,
            )

    def _check_lifetime(self, leaf: _Certificate) -> None:
        days, left = leaf.end_day - leaf.start_day, leaf.end_day - self.today
        if days > self.max_days:
            self.add(
                "lifetime_long",
                leaf.path,
                f"{leaf.name} is valid for {days} days, more than {self.max_days}, and the engine knows no revocation",
                "issue it for a shorter time and renew it in time",
                fatal=False,
            )
        if left < self.min_days and self.now <= leaf.end:
            self.add(
                "expires_soon",
                leaf.path,
                f"{leaf.name} expires on {_date(leaf.end)}, in {left} days",
                "renew it now",
                fatal=False,
            )

    def _check_names(self, leaf: _Certificate) -> None:
        if not leaf.names:
            self.add(
                "san_missing",
                leaf.path,
                f"{leaf.name} has no subject alternative name, and a common name alone counts for nothing",
                "issue it again with the names and addresses of the server",
            )
            return
        for wanted in self.wanted:
            if not any(_covers(name, wanted) for name in leaf.names):
                self.add(
                    "name_not_covered",
                    leaf.path,
                    f"{leaf.name} is not valid for {wanted!r}, only for {', '.join(leaf.names)}",
                    "issue it again with that name, or do not offer the name to clients",
                )
        for name in leaf.names:
            self._check_width(leaf, name)

    def _check_width(self, leaf: _Certificate, name: str) -> None:
        kind, _colon, text = name.partition(":")
        if kind != "DNS" or "*" not in text:
            return
        labels = text.lower().rstrip(".").split(".")
        below = labels[1:]
        registry = len(below) == 2 and below[0] in REGISTRY_LABELS and len(below[1]) == 2
        if len(below) < 2 or registry:
            self.add(
                "san_too_wide",
                leaf.path,
                f"the name {text} covers a whole registry, so most programs refuse it or trust far too much",
                "issue it again with the names of the server",
            )
        else:
            self.add(
                "san_wildcard",
                leaf.path,
                f"the name {text} covers every host of the domain, so any of them can pose as this engine",
                "issue it again with the names of the server",
                fatal=False,
            )

    def _check_authority(self, authority: _Certificate, needed: bool) -> None:
        """Check a certificate as a CA; one that is not needed here may have expired."""
        self._check_common(authority, needed)
        if not authority.is_ca:
            self.add(
                "ca_flag_missing",
                authority.path,
                f"{authority.name} is no CA: its basic constraints do not say CA:TRUE",
                "name the certificate of the CA",
            )
        if authority.key_usages is not None and "Certificate Sign" not in authority.key_usages:
            self.add(
                "ca_cannot_sign",
                authority.path,
                f"the key usage of the CA {authority.name} lacks keyCertSign, so nothing that it signed is accepted",
                "issue the CA again with that key usage",
            )

    def _check_common(self, one: _Certificate, needed: bool) -> None:
        """Check what holds for every certificate: time, key, signature and serial number."""
        if self.now > one.end:
            problem = f"{one.name} expired on {_date(one.end)}"
            advice = "renew it, and look at the clock of this machine" if needed else "remove it from the bundle"
            self.add("expired", one.path, problem, advice, fatal=needed)
        elif self.now < one.start:
            problem = f"{one.name} is not valid before {_date(one.start)}"
            self.add("not_yet_valid", one.path, problem, "wait, or look at the clocks of both machines", fatal=needed)
        self._check_strength(one)
        algorithm = str(one.info["signature_algorithm"])
        if WEAK_HASHES.search(algorithm):
            self.add(
                "signature_weak",
                one.path,
                f"{one.name} is signed with {algorithm}, which can be forged",
                "issue it again with SHA-256 or better",
                # Nobody checks the signature of a root on itself.
                fatal=not one.self_issued,
            )
        serial = int(one.info["serial_number"])
        if serial <= 0 or serial.bit_length() > LONGEST_SERIAL_BITS:
            self.add(
                "serial_wrong",
                one.path,
                f"the serial number of {one.name} is {'longer than 20 octets' if serial > 0 else 'not positive'}, "
                "which RFC 5280 forbids and Go refuses in part",
                "have it issued again by a CA that numbers properly",
                fatal=serial < 0,
            )

    def _check_strength(self, one: _Certificate) -> None:
        kind, data = str(one.info["public_key_type"]), one.info["public_key_data"]
        advice = "make a new key (ECDSA P-256 or better, RSA with 3072 bits or more) and a certificate for it"
        if kind == "RSA" and int(data["size"]) < ADVISED_RSA:
            weak = int(data["size"]) < SMALLEST_RSA
            problem = f"the RSA key of {one.name} has {data['size']} bits"
            self.add("key_weak" if weak else "key_short", one.path, problem, advice, fatal=weak)
        elif kind == "ECC" and str(data["curve"]) not in CURVES:
            problem = f"the key of {one.name} is on the curve {data['curve']}, which Go cannot use"
            self.add("key_unsupported", one.path, problem, advice)
        elif kind == "ECC" and CURVES[str(data["curve"])] < SMALLEST_CURVE:
            self.add("key_weak", one.path, f"the key of {one.name} is on the curve {data['curve']}", advice)
        elif kind not in ("RSA", "ECC", "Ed25519"):
            problem = f"the key of {one.name} is of the type {kind}, which the engine cannot use"
            self.add("key_unsupported", one.path, problem, advice)

    # what belongs together

    def _check_key(self, leaf: _Certificate) -> None:
        if "key" not in self.files:
            return
        key = self.files["key"]
        if key.get("encrypted") and self.purpose != "ca":
            self.add(
                "key_encrypted",
                key["path"],
                "the key is locked with a passphrase, which neither the engine nor the docker client can be given",
                "write it without one, with mode 0400",
            )
            return
        info = key.get("info") or {}
        public_key = str(info.get("public_key", ""))
        if not public_key and not key.get("encrypted"):
            reason = key.get("problem") or info.get("msg") or "it has no public part"
            self.add("key_broken", key["path"], f"the key cannot be read: {reason}", "name the private key in PEM form")
        elif public_key and public_key.split() != leaf.info["public_key"].split():
            self.add(
                "key_mismatch",
                key["path"],
                f"the key is not the one of the certificate {leaf.name} in {leaf.path}",
                "name the key and the certificate that were made for each other",
            )

    def _check_chain(
        self, leaf: _Certificate, between: Sequence[_Certificate], trusted: Sequence[_Certificate]
    ) -> None:
        """Follow the issuers from the leaf to the bundle, and check every CA once."""
        used: List[_Certificate] = []
        current = leaf
        while not any(current.is_same_as(one) for one in trusted):
            issuer = self._find_issuer(current, [one for one in (*trusted, *between) if one not in used])
            if issuer is None:
                break
            self._check_issued(current, issuer, len(used))
            used.append(issuer)
            current = issuer
        for authority in trusted:
            self._check_authority(authority, authority in used)
        for authority in between:
            if authority.is_ca or authority in used:
                self._check_authority(authority, authority in used)

    def _find_issuer(self, current: _Certificate, candidates: Sequence[_Certificate]) -> Optional[_Certificate]:
        named = [one for one in candidates if one.is_named_issuer_of(current)]
        for issuer in named:
            if issuer.has_key_that_signed(current):
                return issuer
        issuer_name = ", ".join(str(value) for _kind, value in current.issuer)
        if named:
            self.add(
                "issuer_other_key",
                named[0].path,
                f"the CA {named[0].name} has another key than the one that signed {current.name} in {current.path}",
                "add the CA with the right key to the bundle; two CAs of one name are not one CA",
            )
        else:
            self.add(
                "issuer_unknown",
                self.files["ca"]["path"],
                f"{current.name} in {current.path} was issued by {issuer_name}, which is not in the bundle",
                "add that CA to the bundle, and intermediate ones behind the certificate itself",
            )
        return None

    def _check_issued(self, current: _Certificate, issuer: _Certificate, below: int) -> None:
        # Like Go, and unlike RFC 5280, a CA that is issued by one of its own name counts too.
        if issuer.path_length is not None and below > issuer.path_length:
            self.add(
                "path_too_long",
                issuer.path,
                f"the CA {issuer.name} allows {issuer.path_length} CAs below it, but there are {below}",
                "issue the certificate by a CA that is allowed to, or the CA with a larger pathlen",
            )
        if current.end > issuer.end >= self.now:
            self.add(
                "outlives_issuer",
                current.path,
                f"{current.name} is valid until {_date(current.end)}, its CA {issuer.name} only until "
                f"{_date(issuer.end)}",
                "renew the CA before, or issue for a shorter time",
                fatal=False,
            )


def _covers(name: str, wanted: str) -> bool:
    """Whether an entry of the subject alternative name is valid for a name or an address (RFC 6125)."""
    kind, _colon, text = name.partition(":")
    try:
        address = ipaddress.ip_address(wanted)
    except ValueError:
        if kind != "DNS":
            return False
        offered, asked = text.lower().rstrip("."), wanted.lower().rstrip(".")
        if offered.startswith("*."):
            return offered[1:] == asked[asked.find(".") :] and not asked.startswith(".") and "." in asked
        return offered == asked
    return kind == "IP" and "/" not in text and ipaddress.ip_address(text) == address


def require_files(files: Mapping[str, Any]) -> None:
    """ConfigError unless the input has the files that it needs, each with its path and content."""
    unknown = sorted(set(files) - {"certificate", "ca", "key"})
    if unknown or not {"certificate", "ca"} & set(files):
        given = ", ".join(sorted(files)) or "nothing"
        raise ConfigError(
            f"lint_certificates: the input has {given}; give certificate, ca or both, key if there is one, and no other"
        )
    for name, value in files.items():
        parts = set(value) if isinstance(value, Mapping) else set()
        if "path" not in parts or not parts & ({"content", "info"} if name == "key" else {"content"}):
            raise ConfigError(
                f"lint_certificates: {name} has {', '.join(sorted(parts)) or 'nothing'}; give path and content"
            )


def lint_certificates(
    files: Mapping[str, Any],
    purpose: str,
    now: str,
    names: Sequence[str] = (),
    max_days: int = 398,
    min_days: int = 0,
) -> List[Dict[str, Any]]:
    """Say what is wrong with a certificate, its key and the CAs that shall vouch for it.

    Args:
        files: C(certificate) and C(ca), each with C(path), C(content) (the PEM text) and C(entries), for each
            certificate in it the result of x509_certificate_info or C({"problem": text}); C(key) with C(path) and one
            of C(info) (the result of openssl_privatekey_info), C(encrypted) and C(problem). What is not given is not
            checked.
        purpose: server, client or ca.
        now: time in UTC, ISO 8601.
        names: DNS names and addresses that the certificate must be valid for (servers only).
        max_days: lifetime above which a certificate of a server or client gets a warning.
        min_days: days left below which it gets a warning.

    Returns:
        Dictionaries with C(code), C(message), C(path) and C(fatal), in the order of the checks; empty when all is well.
    """
    if purpose not in PURPOSES:
        raise ConfigError(f"lint_certificates: purpose is {purpose!r}; choose one of {', '.join(PURPOSES)}")
    return _Lint(files, purpose, now, names, max_days, min_days).run()
