# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hostile program: it runs for real here, against itself and against services of this test on the loopback."""

from __future__ import annotations

import errno
import io
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils import _probe_program as program

LOOPBACK = "127.0.0.1"


def run(*actions: dict[str, Any], seconds: float = 10, linger: float = 0, stdin: bool = False) -> list[dict[str, Any]]:
    """Run the program as a process, from its file or from its source on the standard input; its report lines."""
    numbered = [{"id": str(number), "uid": None, "arguments": {}, **action} for number, action in enumerate(actions)]
    spec = json.dumps({"actions": numbered, "seconds": seconds, "linger": linger})
    source = Path(program.__file__).read_text(encoding="utf-8")
    command = [sys.executable, "-I", "-S", "-B", "-" if stdin else program.__file__, spec]
    done = subprocess.run(
        command, input=source if stdin else None, capture_output=True, text=True, check=True, timeout=60
    )
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def echo_port() -> int:
    """Port of the program's own echo services, TCP and UDP, in this process."""
    port = free_port()
    program.serve([port], [port])
    return port


@pytest.mark.parametrize("stdin", [False, True])
def test_report_has_one_line_for_each_action_and_an_end(stdin: bool) -> None:
    lines = run(
        {"name": "open_files", "arguments": {"count": 3}},
        {"name": "unix_version", "arguments": {"paths": ["/no/such/socket"]}},
        {"name": "no_such_action"},
        stdin=stdin,
    )
    assert [line.get("id") for line in lines] == ["0", "1", "2", None]
    assert lines[0]["gained"] is True
    assert lines[1]["failure"].startswith("unix_version: FileNotFoundError: ENOENT")
    assert lines[2]["failure"] == "no_such_action: KeyError: 'no_such_action'"
    assert lines[3] == {"done": True}


def test_action_that_hangs_is_a_failure_and_the_next_one_runs() -> None:
    with socket.socket() as silent:
        silent.bind((LOOPBACK, 0))
        silent.listen()
        arguments = {"addresses": [LOOPBACK], "port": silent.getsockname()[1], "token": "t", "seconds": 30}
        lines = run(
            {"name": "tcp_exchange", "arguments": arguments},
            {"name": "open_files", "arguments": {"count": 1}},
            seconds=0.5,
        )
    assert lines[0]["failure"] == "tcp_exchange: RuntimeError: it did not end in time"
    assert lines[0]["seconds"] < 5
    assert lines[1]["gained"] is True


@pytest.mark.parametrize("action", [program.tcp_exchange, program.udp_exchange])
def test_exchange_is_gained_from_a_service_that_answers(action: Any, echo_port: int) -> None:
    assert action([LOOPBACK], echo_port, "token", 5) == (True, f"{LOOPBACK} port {echo_port} answered")


@pytest.mark.parametrize("action", [program.tcp_exchange, program.udp_exchange])
def test_exchange_is_refused_where_nobody_listens(action: Any) -> None:
    port = free_port()
    gained, detail = action([LOOPBACK], port, "token", 2)
    assert not gained
    assert detail == f"{LOOPBACK} port {port}: ECONNREFUSED (Connection refused)"


def test_exchange_tries_every_address(echo_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    original = program.exchange

    def first_refuses(kind: socket.SocketKind, address: str, *rest: Any) -> str:
        tried.append(address)
        if len(tried) == 1:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "")
        return original(kind, address, *rest)

    monkeypatch.setattr(program, "exchange", first_refuses)
    assert program.tcp_exchange(["127.0.0.2", LOOPBACK], echo_port, "token", 5)[0]
    assert tried == ["127.0.0.2", LOOPBACK]


def test_exchange_without_any_address_is_a_failure_not_a_refusal() -> None:
    with pytest.raises(RuntimeError, match="no address to try"):
        program.tcp_exchange([], 1, "token", 1)


def test_exchange_with_a_stranger_is_a_failure_not_a_gain() -> None:
    with socket.socket() as server:
        server.bind((LOOPBACK, 0))
        server.listen()

        def answer() -> None:
            client, _peer = server.accept()
            with client:
                client.recv(100)
                client.sendall(b"220 mail.example.com")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(RuntimeError, match=r"answered '220 mail.example.com' instead of the token"):
            program.tcp_exchange([LOOPBACK], server.getsockname()[1], "token", 5)
        thread.join()


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        (TimeoutError("timed out"), True),
        (ConnectionRefusedError(errno.ECONNREFUSED, ""), True),
        (PermissionError(errno.EACCES, ""), True),
        (OSError(errno.EHOSTUNREACH, ""), True),
        (FileNotFoundError(errno.ENOENT, ""), False),
        (OSError(errno.ENFILE, ""), False),
        (OSError(errno.EADDRNOTAVAIL, ""), False),
    ],
)
def test_only_what_a_protection_answers_is_a_refusal(error: OSError, refusal: bool) -> None:
    assert program.is_refusal(error) is refusal


def test_own_exchange_talks_to_itself_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "own_addresses", lambda: [LOOPBACK])
    port = free_port()
    expected = f"{LOOPBACK} port {port} answered"
    assert program.own_exchange(port, "token", 5) == (True, f"to itself: TCP {expected}, UDP {expected}")


def test_own_addresses_leave_out_the_loopback() -> None:
    assert not [address for address in program.own_addresses() if address.startswith("127.")]


def test_own_exchange_without_network_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "if_nameindex", lambda: [(1, "lo")])
    with pytest.raises(RuntimeError, match="no address to try"):
        program.own_exchange(free_port(), "token", 5)


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file that the code under test cannot open, whoever runs these tests; a child process can."""
    path = tmp_path / "secret"
    path.write_text("token", encoding="ascii")

    def refuse(name: str, *arguments: Any, **options: Any) -> Any:
        if name == str(path):
            raise PermissionError(errno.EACCES, "Permission denied", name)
        return open(name, *arguments, **options)

    monkeypatch.setattr(program, "open", refuse, raising=False)
    return str(path)


def test_privileged_program_that_reads_the_secret_is_a_gain(secret: str) -> None:
    gained, detail = program.read_root_only(shutil.which("cat") or "", secret, "token")
    assert gained
    assert detail.endswith("it read the file of root")
    assert "NoNewPrivs" in detail


def test_privileged_program_that_is_refused_is_no_gain(secret: str) -> None:
    gained, detail = program.read_root_only(shutil.which("false") or "", secret, "token")
    assert not gained
    assert "status 1" in detail


def test_privileged_program_that_prints_something_else_is_a_failure(secret: str) -> None:
    with pytest.raises(RuntimeError, match="status 0, but not the expected content"):
        program.read_root_only(shutil.which("true") or "", secret, "token")


def test_secret_that_everybody_reads_is_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "open"
    path.write_text("token", encoding="ascii")
    with pytest.raises(RuntimeError, match="without help, so nothing can be shown"):
        program.read_root_only(shutil.which("cat") or "", str(path), "token")


def test_raw_system_call_returns_what_the_kernel_says() -> None:
    flag = int(program.process_flag("NoNewPrivs"))
    assert program.system_call("prctl", [39, 0, 0, 0, 0]) == (True, f"prctl(39, 0, 0, 0, 0) = {flag}")
    assert program.system_call("prctl", [39, 0, 0, 0, 0], [1 - flag])[0] is False
    assert program.system_call("prctl", [39, 0, 0, 0, 0], [flag])[0] is True


def test_raw_system_call_that_fails_names_the_error() -> None:
    gained, detail = program.system_call("prctl", [39, 1, 0, 0, 0])
    assert not gained
    assert detail == "prctl(39, 1, 0, 0, 0) = -1 EINVAL (Invalid argument)"


def test_raw_system_call_on_an_unknown_machine_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "vax")
    with pytest.raises(RuntimeError, match="no number known on vax for prctl"):
        program.system_call("prctl", [39])


def limited(soft: int, hard: int, count: int) -> dict[str, Any]:
    """Report of open_files in a process with the given limits."""
    spec = {"actions": [{"id": "x", "name": "open_files", "arguments": {"count": count}, "uid": None}]}
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", program.__file__, json.dumps({**spec, "seconds": 10, "linger": 0})],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)),
    )
    first = json.loads(done.stdout.splitlines()[0])
    assert first["id"] == "x"
    return dict(first)


def test_open_files_stops_at_the_hard_limit() -> None:
    report = limited(20, 60, 100)
    assert report["gained"] is False
    assert report["detail"].endswith("of 100 files opened, then EMFILE (Too many open files); hard limit 60")


def test_open_files_raises_a_soft_limit() -> None:
    report = limited(20, 60, 40)
    assert report["gained"] is True
    assert report["detail"] == "40 files held open by one process; hard limit 60"


@pytest.mark.parametrize(
    ("text", "gained"),
    [
        ("0::/\n", False),
        ("12:pids:/\n0::/\n", False),
        ("0::/system.slice/docker-1.scope\n", True),
        ("12:pids:/docker/ab:c\n0::/\n", True),
    ],
)
def test_cgroup_view(text: str, gained: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "open", lambda _name, **_options: io.StringIO(text), raising=False)
    assert program.cgroup_view()[0] is gained


def test_cgroup_view_of_nothing_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "open", lambda _name, **_options: io.StringIO(""), raising=False)
    with pytest.raises(RuntimeError, match="no control groups"):
        program.cgroup_view()


@pytest.mark.parametrize("size", [1, 8192, 100_000])
def test_flood_writes_the_bytes_and_the_report_starts_a_line(size: int) -> None:
    spec = {
        "actions": [{"id": "f", "name": "flood", "arguments": {"size": size}, "uid": None}],
        "seconds": 9,
        "linger": 0,
    }
    command = [sys.executable, "-I", "-S", "-B", program.__file__, json.dumps(spec)]
    output = subprocess.run(command, capture_output=True, check=True).stdout
    text, _brace, report = output.partition(b"{")
    assert len(text) == size + 1
    assert text.endswith(b"\n")
    assert json.loads(b"{" + report.splitlines()[0])["detail"] == f"{size} bytes written"


@pytest.fixture
def version_socket(tmp_path: Path) -> Iterator[str]:
    """A Unix socket that answers one request after the other with status 200."""
    path = str(tmp_path / "api.sock")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()

        def answer() -> None:
            while True:
                try:
                    client, _peer = server.accept()
                except OSError:
                    return
                with client:
                    client.recv(1000)
                    client.sendall(b"HTTP/1.0 200 OK\r\n\r\n{}")

        threading.Thread(target=answer, daemon=True).start()
        yield path
        server.shutdown(socket.SHUT_RDWR)


def test_unix_version_is_gained_from_an_open_socket(version_socket: str) -> None:
    assert program.unix_version([version_socket]) == (True, f"uid {os.getuid()}, {version_socket}: HTTP/1.0 200 OK")


def test_unix_version_is_refused_by_a_closed_socket(version_socket: str, tmp_path: Path) -> None:
    dead = str(tmp_path / "dead.sock")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(dead)
    gained, detail = program.unix_version([dead])
    assert not gained
    assert "ECONNREFUSED" in detail
    assert program.unix_version([dead, version_socket])[0]


def test_action_of_another_user_gives_up_everything_first(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(os, "setgroups", lambda groups: calls.append(f"groups {groups}"))
    monkeypatch.setattr(os, "setresgid", lambda *ids: calls.append(f"gid {ids}"))
    monkeypatch.setattr(os, "setresuid", lambda *ids: calls.append(f"uid {ids}"))
    monkeypatch.setitem(program.ACTIONS, "tell", lambda: (True, ", ".join(calls)))
    report = program.attempt_as(65534, "tell", {}, 5)
    ids = (65534, 65534, 65534)
    assert report == {"gained": True, "detail": f"groups [], gid {ids}, uid {ids}"}


def test_action_of_another_user_that_cannot_be_had_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_groups: list[int]) -> None:
        raise PermissionError(errno.EPERM, "")

    monkeypatch.setattr(os, "setgroups", refuse)
    report = program.attempt_as(65534, "cgroup_view", {}, 5)
    assert report == {"failure": "cgroup_view: becoming uid 65534: EPERM (Operation not permitted)"}


def test_action_of_another_user_that_dies_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("setgroups", "setresgid", "setresuid"):
        monkeypatch.setattr(os, name, lambda *_ids: None)
    monkeypatch.setitem(program.ACTIONS, "die", lambda: os.kill(os.getpid(), signal.SIGKILL))
    report = program.attempt_as(65534, "die", {}, 5)
    assert report == {"failure": "die: the process of uid 65534 ended with wait status 9"}


def test_program_lingers_so_that_its_services_can_be_attacked() -> None:
    port = free_port()
    action = {"id": "s", "name": "serve", "arguments": {"tcp_ports": [port], "udp_ports": []}, "uid": None}
    spec = json.dumps({"actions": [action], "seconds": 5, "linger": 30})
    with subprocess.Popen([sys.executable, "-I", "-S", "-B", program.__file__, spec], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert json.loads(server.stdout.readline())["gained"] is True
        assert json.loads(server.stdout.readline()) == {"done": True}
        assert program.tcp_exchange([LOOPBACK], port, "token", 5)[0]
        server.terminate()
