# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the API on both loopback addresses, with and without TLS, never with a certificate, and count what comes of it.

Usage: stranger.py PORT ROUNDS FILE PAUSE; 0 rounds are endless, the pause between them is in seconds. A line of the
file is one round: attempts, connections, answers. An answer is any HTTP answer other than the one by which a TLS server
tells a client to use HTTPS.
"""

from __future__ import annotations

import itertools
import socket
import ssl
import sys
import time

ADDRESSES = ("127.0.0.1", "::1")
QUESTION = b"GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
ADVICE = b"HTTP request to an HTTPS server"


def ask(address: str, port: int, tls: ssl.SSLContext | None) -> tuple[bool, bool]:
    """Whether there was a connection, and whether the API answered."""
    try:
        line = socket.create_connection((address, port), timeout=5)
    except OSError:
        return False, False
    answer = b""
    with line:
        try:
            talk = tls.wrap_socket(line) if tls else line
            talk.sendall(QUESTION)
            while more := talk.recv(4096):
                answer += more
        except OSError:
            pass
    return True, answer.startswith(b"HTTP/") and not (tls is None and ADVICE in answer)


def main() -> None:
    """Ask round after round."""
    port, rounds, path, pause = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], float(sys.argv[4])
    tls = ssl.create_default_context()
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE
    for number in itertools.count(1):
        asked = [ask(address, port, layer) for address in ADDRESSES for layer in (None, tls)]
        with open(path, "a", encoding="utf-8") as kept:
            kept.write(f"{len(asked)} {sum(entry[0] for entry in asked)} {sum(entry[1] for entry in asked)}\n")
        if number == rounds:
            return
        time.sleep(pause)


if __name__ == "__main__":
    main()
