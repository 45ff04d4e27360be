# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hostile TLS clients, against real servers of this test on the loopback."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils import _probe_program as program
from ansible_collections.bulwark.docker.tests.unit.plugins.filter.certificates import (
    CA,
    CLIENT,
    CLIENT_CERTIFICATE,
    SERVER,
    SERVER_CERTIFICATE,
    private_pem,
)

LOOPBACK = "127.0.0.1"
OPENSSL = shutil.which("openssl") or ""
SECONDS = 5.0
DAYS = 36_500
SERVED = b"HTTP/1.0 200 OK\r\n\r\n{}"
Listeners = list[list[Any]]
Start = Callable[..., Listeners]


def write(directory: Path, **texts: str) -> dict[str, str]:
    """Write texts to files; their paths."""
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="ascii")
    return {name: str(directory / name) for name in texts}


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Paths of a CA, of a server's and of a client's material."""
    ca = CA.but(days_left=DAYS)
    server = SERVER_CERTIFICATE.but(issuer=ca, days_left=DAYS)
    return write(
        tmp_path_factory.mktemp("tls"),
        ca=ca.pem,
        server=server.pem,
        server_key=private_pem(server.key),
        both=server.but(purposes=(SERVER, CLIENT)).pem,
        client=CLIENT_CERTIFICATE.but(issuer=ca, days_left=DAYS).pem,
        client_key=private_pem(CLIENT_CERTIFICATE.key),
    )


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts servers that handle each connection with a function; they end with the test."""
    servers: list[socket.socket] = []

    def start_one(handle: Callable[[socket.socket], None]) -> Listeners:
        server = socket.create_server((LOOPBACK, 0))
        servers.append(server)

        def serve() -> None:
            while True:
                try:
                    client, _peer = server.accept()
                except OSError:
                    return
                client.settimeout(SECONDS)
                with client:
                    try:
                        handle(client)
                    except OSError:
                        continue

        threading.Thread(target=serve, daemon=True).start()
        return [list(server.getsockname())]

    yield start_one
    for server in servers:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


def plain_http(client: socket.socket) -> None:
    """An engine without TLS: what is no HTTP gets status 400, as Go answers it."""
    client.sendall(SERVED if client.recv(4096).startswith(b"GET /version") else b"HTTP/1.1 400 Bad Request\r\n\r\n")


def metrics(client: socket.socket) -> None:
    """The engine's port for metrics."""
    client.recv(4096)
    client.sendall(b"HTTP/1.1 404 Not Found\r\n\r\n")


def over_tls(context: ssl.SSLContext) -> Callable[[socket.socket], None]:
    """A server that answers everybody whom the context lets in, and plain HTTP as Go's does."""

    def handle(client: socket.socket) -> None:
        if client.recv(1, socket.MSG_PEEK) == b"G":
            client.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
            return
        with context.wrap_socket(client, server_side=True) as wrapped:
            wrapped.recv(4096)
            wrapped.sendall(SERVED)

    return handle


def context_of(material: dict[str, str], verify: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(material["server"], material["server_key"])
    if verify:
        context.load_verify_locations(material["ca"])
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def old_context(material: dict[str, str]) -> ssl.SSLContext:
    context = context_of(material, False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def attacks(material: dict[str, str], certificate: str = "server") -> dict[str, Callable[[Listeners], program.Outcome]]:
    """Every attack as a function of the listeners."""
    key = material["client_key" if certificate == "client" else "server_key"]
    return {
        "no certificate": lambda where: program.tls_no_client_certificate(where, SECONDS),
        "foreign certificate": lambda where: program.tls_foreign_certificate(where, OPENSSL, SECONDS),
        "server certificate": lambda where: program.tls_server_certificate(where, material[certificate], key, SECONDS),
        "old protocol": lambda where: program.tls_old_protocol(where, SECONDS),
        "plaintext": lambda where: program.tls_plaintext(where, SECONDS),
    }


def gains(material: dict[str, str], where: Listeners, certificate: str = "server") -> dict[str, bool]:
    return {name: attack(where)[0] for name, attack in attacks(material, certificate).items()}


def test_engine_without_tls_is_open_to_every_attack(material: dict[str, str], start: Start) -> None:
    where = start(plain_http)
    assert gains(material, where) == dict.fromkeys(attacks(material), True)
    assert program.tls_spoken(where, SECONDS)[0] is False
    detail = program.tls_no_client_certificate(where, SECONDS)[1]
    assert detail.endswith(f"port {where[0][1]}: no TLS at all, in plaintext: HTTP/1.0 200 OK")


def test_engine_that_asks_for_no_certificate_serves_those_who_bring_any(material: dict[str, str], start: Start) -> None:
    where = start(over_tls(context_of(material, False)))
    assert gains(material, where) == {
        "no certificate": True,
        "foreign certificate": True,
        "server certificate": True,
        "old protocol": False,
        "plaintext": False,
    }
    assert program.tls_spoken(where, SECONDS)[0]


def test_engine_that_demands_certificates_refuses_all(material: dict[str, str], start: Start) -> None:
    where = start(over_tls(context_of(material, True)))
    assert gains(material, where) == dict.fromkeys(attacks(material), False)
    assert program.tls_spoken(where, SECONDS) == (
        True,
        f"{LOOPBACK} port {where[0][1]}: TLS 1.2: hello of version 0x0303",
    )


def test_client_with_the_right_certificate_is_served_by_the_same_code(material: dict[str, str], start: Start) -> None:
    where = start(over_tls(context_of(material, True)))
    assert gains(material, where, "client")["server certificate"]


def test_server_certificate_that_is_good_for_clients_gets_in(material: dict[str, str], start: Start) -> None:
    where = start(over_tls(context_of(material, True)))
    assert gains(material, where, "both")["server certificate"]


def test_refusals_name_the_alert(material: dict[str, str], start: Start) -> None:
    where = start(over_tls(context_of(material, True)))
    said = {name: attack(where)[1] for name, attack in attacks(material).items()}
    for name in ("no certificate", "foreign certificate", "server certificate"):
        assert "ALERT" in said[name] or "the connection was cut" in said[name]
    assert "TLS 1.1: alert 70, TLS 1.0: alert 70" in said["old protocol"]
    assert "in plaintext: HTTP/1.0 400 Bad Request" in said["plaintext"]


def test_server_that_still_speaks_old_versions_is_found(material: dict[str, str], start: Start) -> None:
    where = start(over_tls(old_context(material)))
    gained, detail = program.tls_old_protocol(where, SECONDS)
    assert gained
    assert "TLS 1.1: hello of version 0x0302, TLS 1.0: hello of version 0x0301" in detail


def test_one_open_listener_among_several_is_enough(material: dict[str, str], start: Start) -> None:
    strict, plain = start(over_tls(context_of(material, True))), start(plain_http)
    assert gains(material, strict + plain) == dict.fromkeys(attacks(material), True)
    assert gains(material, plain + strict) == dict.fromkeys(attacks(material), True)


def test_port_for_metrics_beside_the_api_changes_nothing(material: dict[str, str], start: Start) -> None:
    where = start(metrics) + start(over_tls(context_of(material, True)))
    assert gains(material, where) == dict.fromkeys(attacks(material), False)
    assert program.tls_spoken(where, SECONDS)[0]


def test_port_for_metrics_alone_is_nothing_to_attack(material: dict[str, str], start: Start) -> None:
    where = start(metrics)
    for attack in attacks(material).values():
        with pytest.raises(program.NothingToAttack, match="no TCP listener of the engine speaks TLS or serves the API"):
            attack(where)
    assert program.attempt("tls_plaintext", {"listeners": where, "seconds": 1}, 5).keys() == {"inapplicable"}


def test_server_that_is_silent_is_a_failure_not_a_refusal(material: dict[str, str], start: Start) -> None:
    released = threading.Event()
    where = start(lambda _client: released.wait(20) and None)
    try:
        with pytest.raises(TimeoutError):
            program.tls_no_client_certificate(where, 0.3)
        assert program.tls_spoken(where, 0.3)[0] is False
    finally:
        released.set()


def test_port_that_is_closed_is_a_failure_not_a_refusal(material: dict[str, str]) -> None:
    with socket.socket() as bound:
        bound.bind((LOOPBACK, 0))
        for attack in attacks(material).values():
            with pytest.raises(ConnectionRefusedError):
                attack([list(bound.getsockname())])


@pytest.mark.parametrize("speaker", ["garbage", "reset"])
def test_server_that_breaks_off_in_the_middle(material: dict[str, str], start: Start, speaker: str) -> None:
    """The first answer is one of TLS; what follows is not."""
    answers = iter(
        [b"\x15\x03\x03\x00\x02\x02\x28", b"\x16\x03\x03\x00\x04\x63\x00\x00\x00" if speaker == "garbage" else b""]
    )

    def handle(client: socket.socket) -> None:
        client.recv(4096)
        client.sendall(next(answers))

    where = start(handle)
    if speaker == "reset":
        assert program.tls_no_client_certificate(where, SECONDS)[0] is False
    else:
        with pytest.raises(RuntimeError, match=f"TLS with {LOOPBACK} port"):
            program.tls_no_client_certificate(where, SECONDS)


def test_certificate_of_the_engine_that_cannot_be_read_is_a_failure(material: dict[str, str], start: Start) -> None:
    where = start(over_tls(context_of(material, True)))
    with pytest.raises(RuntimeError, match="not known which certificate"):
        program.tls_server_certificate(where, "", "", SECONDS)
    with pytest.raises(FileNotFoundError):
        program.tls_server_certificate(where, "/no/such/cert", "/no/such/key", SECONDS)
    with pytest.raises(ssl.SSLError):
        program.tls_server_certificate(where, material["server"], material["client_key"], SECONDS)


def test_foreign_certificate_is_accepted_by_who_trusts_its_ca() -> None:
    gained, detail = program.tls_own_server(OPENSSL, SECONDS)
    assert gained, detail
    assert detail.startswith("a server that trusts the foreign CA, over TLSv1.")


def test_server_that_trusts_the_foreign_ca_wants_its_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    without = program.client_context()
    monkeypatch.setattr(program, "client_context", lambda *_paths: without)
    assert program.tls_own_server(OPENSSL, SECONDS)[0] is False


def test_answer_in_another_version_is_no_gain(start: Start) -> None:
    hello = b"\x16\x03\x03\x00\x26\x02\x00\x00\x22\x03\x03" + bytes(32)

    def handle(client: socket.socket) -> None:
        client.recv(4096)
        client.sendall(hello)

    where = start(handle)
    gained, detail = program.tls_old_protocol(where, SECONDS)
    assert not gained
    assert detail.endswith("TLS 1.1: hello of version 0x0303, TLS 1.0: hello of version 0x0303")


def test_foreign_certificate_is_never_on_disk() -> None:
    certificate, key = program.foreign_certificate(OPENSSL)
    for path in (certificate, key):
        assert os.readlink(path).startswith("/memfd:")
    assert "PRIVATE KEY" in Path(key).read_text(encoding="ascii")


def test_openssl_that_fails_is_a_failure() -> None:
    with pytest.raises(RuntimeError, match=r"made no certificate"):
        program.foreign_certificate(shutil.which("false") or "")


def test_hello_is_one_record_of_the_version_that_it_names() -> None:
    for version in (program.TLS_1_0, program.TLS_1_1, program.TLS_1_2):
        hello = program.client_hello(version)
        assert hello[:3] == b"\x16\x03\x01"
        assert int.from_bytes(hello[3:5], "big") == len(hello) - 5
        assert int.from_bytes(hello[9:11], "big") == version
