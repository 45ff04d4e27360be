# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's tables of listening sockets."""

from __future__ import annotations

import sys

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._errors import HostError
from ansible_collections.bulwark.docker.plugins.module_utils._listeners import (
    Listener,
    answers_plaintext,
    find_listeners,
    parse_tcp_table,
    parse_unix_table,
)
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.memory_host import File, MemoryHost, TcpPort

TITLE = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
ROW = "   0: {address}:{port} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1 0\n"
UNIX_TITLE = "Num       RefCount Protocol Flags    Type St Inode Path\n"


def _as_this_machine_prints(words: str) -> str:
    """Addresses below are written as a little-endian kernel prints them."""
    if sys.byteorder == "little":
        return words
    parts = [bytes.fromhex(words[start : start + 8])[::-1].hex().upper() for start in range(0, len(words), 8)]
    return "".join(parts)


SUBJECT_OK = {
    "loopback": ("0100007F", "127.0.0.1"),
    "any": ("00000000", "0.0.0.0"),
    "private": ("0A01A8C0", "192.168.1.10"),
    "IPv6 any": ("0" * 32, "::"),
    "IPv6 loopback": ("0" * 24 + "01000000", "::1"),
    "IPv6": ("B80D0120000000000000000001000000", "2001:db8::1"),
    "IPv4 in IPv6": ("0000000000000000FFFF00000100007F", "127.0.0.1"),
}


@pytest.mark.parametrize(("printed", "address"), SUBJECT_OK.values(), ids=SUBJECT_OK.keys())
def test_addresses(printed: str, address: str) -> None:
    row = ROW.format(address=_as_this_machine_prints(printed), port="0947", state="0A", inode="4711")
    assert list(parse_tcp_table(TITLE + row)) == [Listener("tcp", address, 2375, "4711")]


def test_only_listening_sockets_count() -> None:
    rows = "".join(ROW.format(address="0100007F", port="0050", state=state, inode=1) for state in ("01", "06", "07"))
    assert list(parse_tcp_table(TITLE + rows)) == []
    assert list(parse_tcp_table(TITLE)) == []
    assert list(parse_tcp_table("")) == []


def test_unix_sockets_with_a_path_that_listen() -> None:
    text = (
        UNIX_TITLE
        + "0000000000000000: 00000002 00000000 00010000 0001 01 20001 /run/docker.sock\n"
        + "0000000000000000: 00000003 00000000 00000000 0001 03 20002 /run/docker.sock\n"
        + "0000000000000000: 00000002 00000000 00010000 0001 01 20003 /run/with a blank.sock\n"
        + "0000000000000000: 00000002 00000000 00010000 0001 01 20004\n"
    )
    assert list(parse_unix_table(text)) == [
        Listener("unix", "/run/docker.sock", 0, "20001"),
        Listener("unix", "/run/with a blank.sock", 0, "20003"),
    ]


def test_only_sockets_that_the_process_holds_are_its_own() -> None:
    host = MemoryHost(b"{}")
    host.tcp += [TcpPort("0100007F", 2376, "1", True, b""), TcpPort("00000000", 22, "2", False, b"")]
    pid = host.engine.pid
    host.files[f"/proc/{pid}/net/unix"] = File(
        (UNIX_TITLE + "0: 00000002 00000000 00010000 0001 01 2 /run/other.sock\n").encode()
    )
    assert [listener.port for listener in find_listeners(host, pid)] == [2376]
    assert sorted(listener.port for listener in find_listeners(host, None)) == [22, 2376]


ANSWERS = {
    b"HTTP/1.0 200 OK\r\n\r\n{}": True,
    b"HTTP/1.1 200 OK\r\n": True,
    b"HTTP/1.1 403 Forbidden\r\n": True,
    b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n": False,
    b"HTTP/1.1 404 Not Found\r\n": False,
    b"\x15\x03\x01\x00\x02\x02F": False,
    b"": False,
    b"SSH-2.0-OpenSSH 200\r\n": False,
}


@pytest.mark.parametrize(("answer", "plaintext"), ANSWERS.items())
def test_answers(answer: bytes, plaintext: bool) -> None:
    host = MemoryHost(b"{}")
    host.tcp.append(TcpPort("00000000", 2375, "1", True, answer))
    assert answers_plaintext(host, Listener("tcp", "0.0.0.0", 2375, "1")) is plaintext


@pytest.mark.parametrize(
    ("address", "asked"), [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("192.0.2.7", "192.0.2.7"), ("::1", "::1")]
)
def test_wildcard_addresses_are_asked_on_loopback(address: str, asked: str) -> None:
    with pytest.raises(HostError, match=f"listener {asked} port 1"):
        answers_plaintext(MemoryHost(b"{}"), Listener("tcp", address, 1, "1"))
