# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which texts dockerd accepts as numbers, sizes, addresses, hosts, labels… (pure, private).

Every problem_* function gives None for a text that dockerd accepts and a short reason otherwise.
Sources: Go's strconv, net, net/netip and net/url; moby opts/*.go and registry/config.go; docker/go-units; swarmkit
api/genericresource, all at 20.10, 26.1 and 28.5. Where these differ the function takes the engine's version.
"""

from __future__ import annotations

import csv
import io
import ipaddress
import re
from typing import Dict, List, Optional, Sequence, Union

from ansible_collections.bulwark.docker.plugins.module_utils._version import Version

__all__ = [
    "TRUTH",
    "ULIMIT_NAMES",
    "IpNetwork",
    "fits_int64",
    "parse_address",
    "parse_flag_integer",
    "parse_prefix",
    "problem_dns_search",
    "problem_duration",
    "problem_exec_opt",
    "problem_generic_resources",
    "problem_host",
    "problem_index_name",
    "problem_ipv6_subnet",
    "problem_label",
    "problem_map_of_maps",
    "problem_mirror",
    "problem_pool",
    "problem_size",
    "problem_ulimit",
    "read_csv",
]

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
IpNetwork = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

TRUTH: Dict[str, bool] = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
"""What Go's strconv.ParseBool accepts."""

INT64_LIMIT = 2**63
FLAG_INTEGER = re.compile(
    r"[+-]?(?:0[xX](?:_?[0-9a-fA-F])+|0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0(?:_?[0-7])*|[1-9](?:_?[0-9])*)"
)
DECIMAL = re.compile(r"[+-]?[0-9]+")
IPV4 = re.compile(r"(?:0|[1-9][0-9]{0,2})(?:\.(?:0|[1-9][0-9]{0,2})){3}")
OLD_SIZE = re.compile(r"[0-9]+(?:\.[0-9]+)? ?[kKmMgGtTpP]?[iI]?[bB]?")
NEW_SIZE = re.compile(r"(?P<number>.*[0-9.]) ?(?P<suffix>[^0-9. ]*)|(?P<spaced>.*) (?P<tail>[^0-9. ]*)", re.DOTALL)
GO_FLOAT = re.compile(r"\+?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
NEW_SIZE_SUFFIX = re.compile(r"(?:b|[kmgtp](?:b|ib)?)?", re.IGNORECASE)
GO_DURATION = re.compile(r"[+-]?(?:0|(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+)")
DOMAIN_LABEL = r"(?::?[a-zA-Z0-9]|(?::?[a-zA-Z0-9][a-zA-Z0-9\-]*[a-zA-Z0-9]))"
DOMAIN = re.compile(rf"(?P<name>:?{DOMAIN_LABEL}(?::?\.:?{DOMAIN_LABEL})*)\.?[\t\n\f\r ]*\Z")
CSV_LINE = re.compile(r'(?:[^",\n]*|"(?:[^"]|"")*")(?:,(?:[^",\n]*|"(?:[^"]|"")*"))*')
SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.\-]*")
PERCENT = re.compile(r"%(?![0-9a-fA-F]{2})")
HOST_TEXT = re.compile(r"(?:[a-zA-Z0-9\-_.~!$&'()*+,;=:\[\]<>\"]|[^\x00-\x7f])*")
USER_TEXT = re.compile(r"[a-zA-Z0-9\-._:~!$&'()*+,;=%@]*")
ULIMIT_NAMES = frozenset(
    (
        "core",
        "cpu",
        "data",
        "fsize",
        "locks",
        "memlock",
        "msgqueue",
        "nice",
        "nofile",
        "nproc",
        "rss",
        "rtprio",
        "rttime",
        "sigpending",
        "stack",
    )
)
STRICT_URLS = (28,)
LINK_LOCAL = ipaddress.IPv6Network("fe80::/64")
RESERVED_LABELS = ("com.docker.", "io.docker.", "org.dockerproject.")


def fits_int64(number: int) -> bool:
    """Whether a whole number fits Go's int64 (and its int on 64-bit hosts)."""
    return -INT64_LIMIT <= number < INT64_LIMIT


def parse_flag_integer(text: str) -> Optional[int]:
    """A whole number as pflag reads it (bases 2, 8, 10, 16, underscores), None when it is none."""
    if FLAG_INTEGER.fullmatch(text) is None:
        return None
    digits = text.lstrip("+-").replace("_", "")
    octal = len(digits) > 1 and digits[0] == "0" and digits[1] in "01234567"
    number = int(digits, 8) if octal else int(digits, 0)
    number = -number if text.startswith("-") else number
    return number if fits_int64(number) else None


def parse_address(text: str, zone: bool = False) -> Optional[Address]:
    """An IP address as Go's net.ParseIP reads it (no leading zeros), None when it is none; `zone` allows `%eth0`."""
    if zone and "%" in text and ":" in text:
        text, _percent, name = text.partition("%")
        if not name:
            return None
    if "%" in text:
        return None
    if ":" not in text:
        if IPV4.fullmatch(text) is None:
            return None
    elif "." in text and IPV4.fullmatch(text.rpartition(":")[2]) is None:
        return None
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def parse_prefix(text: str, zeros: bool = False) -> Optional[IpNetwork]:
    """An address with prefix length ("10.0.0.0/8", host bits allowed), None when it is none.

    `zeros` allows leading zeros in the length, as Go's net.ParseCIDR does and netip.ParsePrefix does not.
    """
    address, slash, bits = text.rpartition("/")
    parsed = parse_address(address) if slash else None
    if parsed is None or re.fullmatch("0[0-9]*|[1-9][0-9]{0,2}" if zeros else "0|[1-9][0-9]{0,2}", bits) is None:
        return None
    if int(bits) > parsed.max_prefixlen:
        return None
    return ipaddress.ip_network(f"{parsed}/{int(bits)}", strict=False)


def problem_size(text: str, version: Version) -> Optional[str]:
    """A size in bytes such as "64m"; go-units got more liberal with 0.5.0 (engine 23.0, distribution builds later)."""
    if OLD_SIZE.fullmatch(text):
        return None
    match = NEW_SIZE.fullmatch(text) if version >= (28,) else None
    if match is not None:
        number = match["number"] if match["number"] is not None else match["spaced"]
        suffix = match["suffix"] if match["suffix"] is not None else match["tail"]
        if GO_FLOAT.fullmatch(number) and NEW_SIZE_SUFFIX.fullmatch(suffix):
            return None
    return f"{text!r} is not a size such as 64m or 1g"


def problem_duration(text: str) -> Optional[str]:
    """A duration of buildkit: whole seconds or Go's "48h30m"."""
    if text == "" or (DECIMAL.fullmatch(text) and fits_int64(int(text))) or GO_DURATION.fullmatch(text):
        return None
    return f"{text!r} is not a duration such as 48h"


def problem_dns_search(text: str) -> Optional[str]:
    """A search domain of resolv.conf; a single dot stands for none."""
    text = text.strip(" ")
    if text == ".":
        return None
    match = DOMAIN.match(text)
    if match is None or not re.search("[a-zA-Z]", text) or len(match["name"].encode()) >= 255:
        return f"{text!r} is not a domain"
    return None


def problem_label(text: str) -> Optional[str]:
    """A label of the engine, KEY=VALUE."""
    if "=" not in text:
        return f"{text!r} is not KEY=VALUE"
    if text.lower().startswith(RESERVED_LABELS):
        return f"{text!r} is in a namespace reserved for Docker itself"
    return None


def problem_index_name(text: str) -> Optional[str]:
    """The name of a registry."""
    if text.startswith("-") or text.endswith("-"):
        return f"{text!r} begins or ends with a hyphen"
    return None


def problem_map_of_maps(text: str) -> Optional[str]:
    """A default option for networks, DRIVER=KEY=VALUE."""
    return None if text.count("=") >= 2 else f"{text!r} is not DRIVER=KEY=VALUE"


def problem_ulimit(text: str) -> Optional[str]:
    """A limit as in --default-ulimit, NAME=SOFT[:HARD]."""
    name, equals, limits = text.partition("=")
    numbers = limits.split(":")
    if not equals or len(numbers) > 2:
        return f"{text!r} is not NAME=SOFT[:HARD]"
    if name not in ULIMIT_NAMES:
        return f"{name!r} is not a resource limit"
    if not all(DECIMAL.fullmatch(number) and fits_int64(int(number)) for number in numbers):
        return f"{limits!r} is not SOFT[:HARD] in whole numbers"
    soft, hard = int(numbers[0]), int(numbers[-1])
    if hard != -1 and (soft == -1 or soft > hard):
        return f"the soft limit {soft} is above the hard limit {hard}"
    return None


def read_csv(text: str) -> Optional[List[str]]:
    """The fields of one comma-separated line as Go's encoding/csv reads them, None when it is empty or broken."""
    if not text or CSV_LINE.fullmatch(text) is None:
        return None
    return next(csv.reader(io.StringIO(text), strict=True))


def problem_pool(text: str, version: Version) -> Optional[str]:
    """An address pool as in --default-address-pool, base=CIDR,size=N."""
    fields = read_csv(text)
    if not fields:
        return f"{text!r} is not base=CIDR,size=N"
    for item in fields:
        name, equals, value = item.lower().partition("=")
        if not equals or name not in ("base", "size"):
            return f"{item!r} is neither base=CIDR nor size=N"
        if name == "size" and not (DECIMAL.fullmatch(value) and fits_int64(int(value))):
            return f"the size {value!r} is not a whole number"
        if name == "base" and version >= (27,) and parse_prefix(value) is None:
            return f"the base {value!r} is not a network such as 10.10.0.0/16"
    return None


def problem_generic_resources(values: Sequence[str]) -> Optional[str]:
    """The resources a swarm node offers, NAME=VALUE each."""
    tokens: Dict[str, List[str]] = {}
    for term in values:
        parts = term.split("=")
        if len(parts) != 2:
            return f"{term!r} is not NAME=VALUE"
        tokens.setdefault(parts[0].strip(), []).append(parts[1].strip())
    for name, found in tokens.items():
        counts = [DECIMAL.fullmatch(value) is not None and fits_int64(int(value)) for value in found]
        if len(found) == 1 and counts[0]:
            if int(found[0]) < 0:
                return f"{name!r} has a negative amount"
        elif any(counts):
            return f"{name!r} mixes amounts and names"
    return None


class _Url:
    """The parts of a URL that dockerd looks at; `problem` is set when Go's url.Parse refuses the text.

    strict: brackets must hold an IPv6 address, as Go demands from 1.24.8 on (engines from 28.5 on are built with it).
    """

    def __init__(self, text: str, strict: bool = False) -> None:
        self.problem: Optional[str] = None
        self.strict = strict
        self.scheme = self.host = self.path = self.query = self.user = ""
        self.has_user = False
        text, _hash, self.fragment = text.partition("#")
        if re.search(r"[\x00-\x1f\x7f]", text):
            self.problem = "it holds a control character"
            return
        if PERCENT.search(self.fragment):
            self.problem = "it holds a broken percent escape"
            return
        rest = text
        colon = text.find(":")
        if colon == 0:
            self.problem = "the scheme is missing"
            return
        if colon > 0 and SCHEME.fullmatch(text[:colon]):
            self.scheme, rest = text[:colon].lower(), text[colon + 1 :]
        elif colon > 0 and text[0].isalpha() and text[0].isascii() and not re.search(r"[^a-zA-Z0-9+.\-]", text[:colon]):
            self.problem = "the scheme is malformed"
            return
        rest, _mark, self.query = rest.partition("?")
        if not rest.startswith("/"):
            if self.scheme:
                return
            if ":" in rest.partition("/")[0]:
                self.problem = "the first part of the path holds a colon"
                return
        if rest.startswith("//") and not (not self.scheme and rest.startswith("///")):
            authority, slash, path = rest[2:].partition("/")
            self.authority(authority)
            rest = slash + path
        self.path = rest
        if self.problem is None and PERCENT.search(rest):
            self.problem = "it holds a broken percent escape"

    def authority(self, text: str) -> None:
        user, at, host = text.rpartition("@")
        self.has_user, self.user, self.host = bool(at), user, host
        if USER_TEXT.fullmatch(user) is None or PERCENT.search(user):
            self.problem = "the user part is malformed"
            return
        name = host
        if "[" in host:
            closed = host.rfind("]")
            if not host.startswith("[") or closed < 0:
                self.problem = "the brackets of the address are not paired"
                return
            name, port = host[: closed + 1], host[closed + 1 :]
        else:
            cut = host.rfind(":")
            port = host[cut:] if cut >= 0 else ""
        if re.fullmatch(r"(?::[0-9]*)?", port) is None:
            self.problem = f"the port {port!r} is not a number"
            return
        bare = re.sub(r"%25[^\]]*", "", name) if name.startswith("[") else name
        if HOST_TEXT.fullmatch(bare) is None:
            self.problem = "the host holds a character that is not allowed"
        elif self.strict and bare.startswith("[") and not _is_ipv6(bare[1:-1]):
            self.problem = f"{bare} holds no IPv6 address"

    @property
    def name(self) -> str:
        """The host without port and brackets."""
        if self.host.startswith("["):
            return self.host[1 : self.host.rfind("]")]
        return self.host.rpartition(":")[0] if ":" in self.host else self.host

    @property
    def port(self) -> str:
        """The port as text, empty when there is none."""
        closed = self.host.rfind("]")
        tail = self.host[closed + 1 :]
        return tail.rpartition(":")[2] if ":" in tail else ""


def _is_ipv6(text: str) -> bool:
    return ":" in text and parse_address(text) is not None


def problem_mirror(text: str, version: Version) -> Optional[str]:
    """The URL of a registry mirror; 20.10 allows no path."""
    if version >= (28,) and (text.find("://") <= 0):
        return f"{text!r} has no scheme: begin it with https://"
    url = _Url(text, version >= STRICT_URLS)
    if url.problem is not None:
        return f"{text!r} is not a URL: {url.problem}"
    if url.scheme not in ("http", "https"):
        return f"{text!r} is neither https:// nor http://"
    if url.query or url.fragment or (version < (24,) and url.path not in ("", "/")):
        return f"{text!r} holds more than scheme and host"
    return f"{text!r} holds a user name or password" if url.has_user else None


def problem_host(text: str, version: Version) -> Optional[str]:
    """A listener as in -H: unix://PATH, tcp://ADDRESS[:PORT], fd://, npipe://."""
    address = text.strip()
    if not address:
        return None
    proto, separator, rest = address.partition("://")
    if not separator:
        proto, rest = "tcp", address
    if proto == "fd":
        return None
    if proto in ("unix", "npipe"):
        return f"{text!r} holds :// twice" if "://" in rest else None
    if proto != "tcp":
        return f"{text!r} begins with none of unix://, tcp://, fd://"
    if version < (23,):
        return _problem_old_tcp(text, rest)
    url = _Url("tcp://" + rest, version >= STRICT_URLS)
    # dockerd writes the address anew and checks that a second time.
    again = _Url(f"tcp://[{url.name}]", version >= STRICT_URLS) if ":" in url.name else url
    if url.problem is not None or again.problem is not None or "%" in url.name:
        return f"{text!r} is not an address: {url.problem or again.problem or 'it has a zone'}"
    if url.path:
        return f"{text!r} has a path, which only unix:// has"
    if (url.port and int(url.port) == 0) or (url.port and not fits_int64(int(url.port))):
        return f"{text!r} has the port {url.port}"
    return None


def _problem_old_tcp(text: str, rest: str) -> Optional[str]:
    """The same for 20.10, which lets paths and port 0 through."""
    if not rest:
        return None
    if rest.startswith("tcp://"):
        rest = rest[len("tcp://") :]
    if "://" in rest or not rest:
        return f"{text!r} holds :// twice"
    url = _Url("tcp://" + (rest + "2375" if rest.endswith("]:") else rest))
    if url.problem is not None:
        return f"{text!r} is not an address: {url.problem}"
    bare = url.host.startswith("[") and url.host.endswith("]")
    if bare or ("[" in url.host and not url.host.startswith("[")):
        return f"{text!r} has brackets without a port"
    return None


def problem_exec_opt(text: str) -> Optional[str]:
    """An option for the runtime, NAME=VALUE (checked from 28.0 on); on Linux there is only native.cgroupdriver."""
    name, equals, value = text.partition("=")
    name = name.strip().lower()
    if not equals or not name or not value.strip():
        return f"{text!r} is not NAME=VALUE"
    if name != "native.cgroupdriver":
        return f"{name!r} is not known on Linux, where native.cgroupdriver is the only option"
    return None


def problem_ipv6_subnet(text: str, version: Version) -> Optional[str]:
    """The IPv6 subnet of the default bridge: not link-local except fe80::/64, from 28.0 on not multicast."""
    if not text:
        return None
    network = parse_prefix(text, zeros=version < (28,))
    if not isinstance(network, ipaddress.IPv6Network) or network.network_address.ipv4_mapped is not None:
        return f"{text!r} is not an IPv6 subnet"
    if version >= (28,) and network.is_multicast:
        return f"{text!r} is a multicast network"
    inside = network.network_address in LINK_LOCAL or (version >= (28,) and LINK_LOCAL.subnet_of(network))
    if inside and network.prefixlen != LINK_LOCAL.prefixlen:
        return f"{text!r} clashes with the link-local network fe80::/64"
    return None
