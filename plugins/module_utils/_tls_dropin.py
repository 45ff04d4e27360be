# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drop-in that opens the engine's TCP listener with TLS (pure, private).

The listener and its TLS flags stand on one command line, so that no writer of daemon.json can part them: dockerd
refuses to start when the file names hosts, tlsverify or a TLS file too, and C({"tls": false}) there does not take TLS
away (tried on 20.10, 26.1 and 28.5).
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import posixpath
import re
from typing import Any, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._engine_keys import FLAGS_ONLY
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError
from ansible_collections.bulwark.docker.plugins.module_utils._flags import FlagPlace, Flags, flag_places
from ansible_collections.bulwark.docker.plugins.module_utils._unit import (
    EXECUTABLE_PREFIXES,
    quote_word,
    split_words,
    word_places,
)
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version

__all__ = [
    "DropIn",
    "TlsListener",
    "first_certificate",
    "foreign_flags",
    "parse_drop_in",
    "read_listener",
    "render_drop_in",
    "strip_listeners",
]

FILE_FLAGS = {"ca": "--tlscacert=", "certificate": "--tlscert=", "key": "--tlskey="}
REPEATED = "# Repeated line: "
HEADER = """\
# Written by bulwark.docker for its role daemon_tls, which owns this file: its next run undoes what is changed here.
# The command line of the unit is repeated here, with the listener and its TLS flags behind it. When the unit changes
# its line, for example by an upgrade, the module engine_info reports that, and the next run of the role mends it.
"""
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
PEM_CERTIFICATE = re.compile(
    r"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----(.*?)-----END (?:X509 |TRUSTED )?CERTIFICATE-----", re.DOTALL
)


class TlsListener(NamedTuple):
    """A TCP listener with TLS: IP addresses, one port, absolute paths, and whether clients need a certificate."""

    addresses: Tuple[str, ...]
    port: int
    ca: str
    certificate: str
    key: str
    verify: bool

    @property
    def hosts(self) -> Tuple[str, ...]:
        """The listener as dockerd's C(-H) names it."""
        return tuple(
            f"tcp://[{address}]:{self.port}" if ":" in address else f"tcp://{address}:{self.port}"
            for address in self.addresses
        )


class DropIn(NamedTuple):
    """What a drop-in of ours says: the line of the unit that it repeats, and its listener (None: it only strips)."""

    repeated: str
    listener: Optional[TlsListener]


def _wrong(problem: str, advice: str) -> ConfigError:
    return ConfigError(f"open the listener: {problem} (option listener); {advice}")


def read_listener(data: Mapping[str, Any]) -> TlsListener:
    """Check the option C(listener) of the module daemon_config.

    Raises ConfigError with the part that is wrong.
    """
    addresses = tuple(_address(text) for text in data["addresses"])
    if not addresses:
        raise _wrong("addresses is empty", "name the addresses to listen on, or take the listener away with absent")
    twice = sorted({text for text in addresses if addresses.count(text) > 1})
    if twice:
        raise _wrong(f"the address {twice[0]!r} is there twice", "name it once")
    everywhere = [text for text in addresses if ipaddress.ip_address(text).is_unspecified]
    if everywhere and len(addresses) > 1:
        # The engine opens both families for either of them, so any second address is in use already.
        raise _wrong(f"{everywhere[0]!r} stands for all addresses, IPv4 and IPv6", "name no other beside it")
    if not 1 <= data["port"] <= 65535:
        raise _wrong(f"port {data['port']!r} is none", "use a port from 1 to 65535, usually 2376")
    for name in FILE_FLAGS:
        path = data[name]
        if not path or not posixpath.isabs(path) or CONTROL.search(path):
            raise _wrong(f"{name} is {path!r}, not an absolute path", "name the file on the Docker host")
    return TlsListener(
        addresses, data["port"], data["ca"], data["certificate"], data["key"], bool(data.get("verify", True))
    )


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise _wrong(f"{text!r} is not an IP address", "name an IPv4 or IPv6 address of the host") from None


def _is_tcp(host: str) -> bool:
    protocol, separator, _rest = host.strip().partition("://")
    return protocol == "tcp" if separator else True


def _is_ours(place: FlagPlace) -> bool:
    if place.key != "hosts":
        return place.key in FLAGS_ONLY
    return _is_tcp(place.value) and "$" not in place.value


def foreign_flags(flags: Flags) -> List[str]:
    """TCP listeners and TLS flags of a command line, for messages."""
    found = [f"{flags.names['hosts']} {text}" for text in flags.values.get("hosts", ()) if _is_tcp(text)]
    for key in sorted(FLAGS_ONLY - {"hosts"}):
        if key in flags.values:
            found.append(f"{flags.names[key]}={flags.values[key][-1]}")
    return found


def _prefixes(exec_start: str) -> str:
    return exec_start[: len(exec_start) - len(exec_start.lstrip(EXECUTABLE_PREFIXES))]


def strip_listeners(exec_start: str, version: Version) -> str:
    """The line without its own TCP listeners and TLS flags; every other character stays.

    Only words that stand in the line itself are seen: what comes from a variable stays.
    """
    words = word_places(exec_start, "ExecStart=" + exec_start)
    skip = 2 if "@" in _prefixes(exec_start) else 1
    result = exec_start
    for place in reversed(flag_places([word.text for word in words[skip:]], version)):
        if _is_ours(place):
            begin = words[skip + place.first - 1].end
            result = result[:begin] + result[words[skip + place.last].end :]
    return result


def render_drop_in(
    exec_start: str, version: Version, unix_host: Optional[str], listener: Optional[TlsListener]
) -> bytes:
    """The file's content.

    Args:
        exec_start: C(ExecStart=) of the unit as it is without this drop-in.
        version: the engine's version.
        unix_host: the Unix listener to name (C(fd://) or C(unix://...)), None where the line or the file names one.
        listener: None for a line without any TCP listener.
    """
    words: List[str] = []
    if unix_host is not None:
        words += ["-H", unix_host]
    if listener is not None:
        for host in listener.hosts:
            words += ["-H", host]
        # Plain --tls demands certificates of clients too: verification is on by default.
        words += ["--tlsverify"] if listener.verify else ["--tls", "--tlsverify=false"]
        words += [flag + getattr(listener, name) for name, flag in FILE_FLAGS.items()]
    expanded = ":" not in _prefixes(exec_start)
    line = " ".join([strip_listeners(exec_start, version), *(quote_word(word, expanded) for word in words)])
    text = f"{HEADER}{REPEATED}{exec_start}\n[Service]\nExecStart=\nExecStart={line}\n"
    return text.encode("utf-8", "surrogateescape")


def parse_drop_in(raw: Optional[bytes]) -> Optional[DropIn]:
    """What a drop-in says; None where there is none, or where somebody made something else of it."""
    lines = (raw or b"").decode("utf-8", "surrogateescape").splitlines()
    repeated = [line[len(REPEATED) :] for line in lines if line.startswith(REPEATED)]
    started = [line.partition("=")[2] for line in lines if line.startswith("ExecStart=")]
    if len(repeated) != 1 or len(started) != 2 or started[0]:
        return None
    try:
        listener = _listener_of(split_words(started[1], started[1]), ":" not in _prefixes(started[1]))
    except (ConfigError, KeyError, ValueError):
        return None
    return DropIn(repeated[0], listener)


def _listener_of(words: Sequence[str], expanded: bool) -> Optional[TlsListener]:
    plain = [word.replace("%%", "%") for word in words]
    if expanded:
        plain = [word.replace("$$", "$") for word in plain]
    hosts = [plain[at + 1][6:] for at, word in enumerate(plain[:-1]) if word == "-H" and _is_tcp(plain[at + 1])]
    if not hosts:
        return None
    files = {name: word[len(flag) :] for name, flag in FILE_FLAGS.items() for word in plain if word.startswith(flag)}
    ports = {host.rpartition(":")[2] for host in hosts}
    if len(ports) != 1:
        raise ValueError(hosts)
    addresses = [host.rpartition(":")[0].strip("[]") for host in hosts]
    return read_listener({"addresses": addresses, "port": int(ports.pop()), "verify": "--tlsverify" in plain, **files})


def first_certificate(pem: bytes) -> Optional[bytes]:
    """The first certificate of a PEM file as DER, which is the one a server shows; None where there is none."""
    found = PEM_CERTIFICATE.search(pem.decode("ascii", "replace"))
    if found is None:
        return None
    try:
        return base64.b64decode("".join(found.group(1).split()), validate=True)
    except (binascii.Error, ValueError):
        return None
