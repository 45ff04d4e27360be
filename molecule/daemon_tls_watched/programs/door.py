# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An open door to the engine, so that it can be seen that the stranger would find one.

Usage: door.py PORT [CERTIFICATE KEY]; with these it speaks TLS and asks for no certificate.
"""

from __future__ import annotations

import socket
import ssl
import sys


def main() -> None:
    """Hand each question to the engine, one after the other."""
    tls = None
    if len(sys.argv) > 2:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(sys.argv[2], sys.argv[3])
    with socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        while True:
            line, _peer = server.accept()
            try:
                with tls.wrap_socket(line, server_side=True) if tls else line as guest:
                    serve(guest)
            except OSError:
                line.close()


def serve(guest: socket.socket) -> None:
    """Hand on one question and its answer."""
    with socket.socket(socket.AF_UNIX) as engine:
        engine.connect("/run/docker.sock")
        engine.sendall(guest.recv(4096))
        while answer := engine.recv(4096):
            guest.sendall(answer)


if __name__ == "__main__":
    main()
