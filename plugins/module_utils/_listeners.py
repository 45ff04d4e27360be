# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listening sockets, read from the kernel's tables: systemd's and the engine's own alike (private)."""

from __future__ import annotations

import ipaddress
import struct
from typing import Iterator, List, NamedTuple, Optional, Set

from ansible_collections.bulwark.docker.plugins.module_utils._host_api import Host

__all__ = ["Listener", "answers_plaintext", "find_listeners", "parse_tcp_table", "reachable_address"]

LISTEN_STATE = "0A"
# SO_ACCEPTCON in the Flags column of /proc/net/unix.
UNIX_LISTENING = 0x10000
# An authorization plugin answers 401 or 403; a TLS port says 400, the port for metrics 404.
API_STATUSES = (b"200", b"401", b"403")
PLAINTEXT_REQUEST = b"GET /version HTTP/1.0\r\nHost: localhost\r\n\r\n"


class Listener(NamedTuple):
    """A listening socket: C(kind) is tcp or unix; C(address) is an IP address or a path."""

    kind: str
    address: str
    port: int
    inode: str


def _address(text: str) -> str:
    words = struct.unpack(f"={len(text) // 8}I", bytes.fromhex(text))
    packed = struct.pack(f">{len(words)}I", *words)
    address = ipaddress.ip_address(packed)
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def parse_tcp_table(text: str) -> Iterator[Listener]:
    """Listening sockets of C(/proc/net/tcp) or C(/proc/net/tcp6)."""
    for line in text.splitlines()[1:]:
        columns = line.split()
        if len(columns) > 9 and columns[3] == LISTEN_STATE:
            address, _colon, port = columns[1].partition(":")
            yield Listener("tcp", _address(address), int(port, 16), columns[9])


def parse_unix_table(text: str) -> Iterator[Listener]:
    """Listening stream sockets of C(/proc/net/unix) that have a path."""
    for line in text.splitlines()[1:]:
        columns = line.split(None, 7)
        if len(columns) == 8 and int(columns[3], 16) & UNIX_LISTENING:
            yield Listener("unix", columns[7], 0, columns[6])


def _socket_inodes(host: Host, pid: int) -> Set[str]:
    links = (host.read_link(f"/proc/{pid}/fd/{name}") or "" for name in host.list_directory(f"/proc/{pid}/fd"))
    return {link[8:-1] for link in links if link.startswith("socket:[")}


def find_listeners(host: Host, pid: Optional[int]) -> List[Listener]:
    """Listening sockets that a process holds (also those that systemd handed over); all TCP ones for pid None."""
    base = f"/proc/{pid}/net" if pid else "/proc/net"
    found: List[Listener] = []
    for name in ("tcp", "tcp6"):
        found.extend(parse_tcp_table((host.read_file(f"{base}/{name}") or b"").decode("ascii", "replace")))
    if pid is None:
        return found
    found.extend(parse_unix_table((host.read_file(f"{base}/unix") or b"").decode("utf-8", "replace")))
    held = _socket_inodes(host, pid)
    return [listener for listener in found if listener.inode in held]


def reachable_address(address: str) -> str:
    """Where a client on this host reaches a listener; the one for all addresses is asked on loopback."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)


def answers_plaintext(host: Host, listener: Listener) -> bool:
    """Whether a TCP listener answers the engine's API without TLS and without a certificate."""
    answer = host.tcp_request(reachable_address(listener.address), listener.port, PLAINTEXT_REQUEST)
    head = answer.split(b"\r\n", 1)[0].split()
    return len(head) > 1 and head[0].startswith(b"HTTP/") and head[1] in API_STATUSES
