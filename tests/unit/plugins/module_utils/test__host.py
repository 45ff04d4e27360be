# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real host: files, programs, locks and sockets of this machine, in a temporary directory and on loopback."""

from __future__ import annotations

import contextlib
import datetime
import errno
import http.server
import os
import resource
import signal
import socket
import socketserver
import ssl
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.bulwark.docker.plugins.module_utils import _host
from ansible_collections.bulwark.docker.plugins.module_utils._errors import HostError
from ansible_collections.bulwark.docker.plugins.module_utils._host import LocalHost
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import CommandResult, UserAccount
from ansible_collections.bulwark.docker.plugins.module_utils._id_shift import IdShift
from ansible_collections.bulwark.docker.plugins.module_utils._tls_dropin import first_certificate

ME = (os.getuid(), os.getgid())
HOLD_LOCK = """\
import fcntl, os, sys
handle = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(handle, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def host() -> LocalHost:
    with patch_module_args({}):
        return LocalHost(AnsibleModule(argument_spec={}))


def names(folder: Path) -> list[str]:
    """Everything in a folder, hidden files too."""
    return sorted(os.listdir(folder))


# -- files


def test_written_file_has_content_mode_and_owner(host: LocalHost, tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    host.write_file(str(path), b"{}\n", 0o640, *ME)
    assert host.read_file(str(path)) == b"{}\n"
    found = host.stat(str(path))
    assert found is not None
    assert found[:5] == ("file", 0o640, *ME, 3)
    assert abs(found.mtime_ns / 1e9 - host.now()) < 60
    assert names(tmp_path) == ["daemon.json"]


def test_content_is_on_the_disk_before_the_name_and_the_name_before_the_return(
    host: LocalHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    sync, replace = os.fsync, os.replace

    def note_sync(handle: int) -> None:
        steps.append("directory" if stat.S_ISDIR(os.fstat(handle).st_mode) else f"{os.fstat(handle).st_size} bytes")
        sync(handle)

    def note_replace(source: str, target: str) -> None:
        steps.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "replace", note_replace)
    host.write_file(str(tmp_path / "f"), b"12345", 0o644, *ME)
    host.remove_file(str(tmp_path / "f"))
    assert steps == ["5 bytes", "rename", "directory", "directory"]


def test_missing_paths_are_none(host: LocalHost, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "gone", tmp_path / "gone/deeper", tmp_path / "file/below"):
        assert host.read_file(str(path)) is None
        assert host.stat(str(path)) is None
        assert host.list_directory(str(path)) == []
        assert host.read_link(str(path)) is None
        host.remove_file(str(path))
    host.remove_directory(str(tmp_path / "gone"))


def test_kinds_of_paths(host: LocalHost, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        kinds = [found.kind for found in (host.stat(str(tmp_path / name)) for name in ("", "link", "s")) if found]
    assert kinds == ["directory", "directory", "socket"]
    device = host.stat("/dev/null")
    assert device is not None
    assert device.kind == "other"
    assert host.read_link(str(tmp_path / "link")) == str(tmp_path)
    assert host.real_path(str(tmp_path / "link")) == os.path.realpath(tmp_path)


def test_failed_write_leaves_the_old_file(host: LocalHost, tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    path.write_bytes(b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(HostError, match=rf"write a file: File too large \({path}\)"):
            host.write_file(str(path), b"x" * 5000, 0o644, *ME)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["daemon.json"]


def test_write_heals_what_a_killed_one_left(host: LocalHost, tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    killed = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, signal, sys\n"
            "from ansible_collections.bulwark.docker.plugins.module_utils._host import LocalHost\n"
            "os.replace = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)\n"
            "LocalHost(None).write_file(sys.argv[1], b'half', 0o644, os.getuid(), os.getgid())\n",
            str(path),
        ],
        check=False,
        timeout=60,
    )
    assert killed.returncode == -signal.SIGKILL
    [left] = names(tmp_path)
    assert stat.S_IMODE(os.stat(tmp_path / left).st_mode) == 0o644
    host.remove_file(str(path))
    assert names(tmp_path) == []
    (tmp_path / left).write_bytes(b"half")
    host.write_file(str(path), b"whole", 0o600, *ME)
    assert names(tmp_path) == ["daemon.json"]
    assert path.read_bytes() == b"whole"


def test_symbolic_link_stays_and_its_target_is_written(host: LocalHost, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real/daemon.json", tmp_path / "daemon.json"
    target.write_bytes(b"old")
    link.symlink_to(target)
    host.write_file(str(link), b"new", 0o644, *ME)
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert names(tmp_path / "real") == ["daemon.json"]


def test_dangling_link_is_dangling_again_after_removal(host: LocalHost, tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    assert host.read_file(str(link)) is None
    host.write_file(str(link), b"new", 0o644, *ME)
    assert target.read_bytes() == b"new"
    host.remove_file(str(link))
    assert link.is_symlink()
    assert not target.exists()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda host, folder: host.write_file(folder + "/gone/f", b"", 0o644, *ME), "write a file: No such file"),
        (lambda host, folder: host.write_file(folder + "/d", b"", 0o644, *ME), "write a file: Is a directory"),
        (lambda host, folder: host.read_file(folder + "/d"), "read a file: Is a directory"),
        (lambda host, folder: host.remove_file(folder + "/d"), "remove a file: Is a directory"),
        (lambda host, folder: host.make_directory(folder + "/f/below", 0o755), "create a directory: "),
        (lambda host, folder: host.remove_directory(folder + "/f"), "remove a directory: Not a directory"),
        (lambda host, folder: host.run([folder + "/gone"]), "run a program: No such file"),
        (lambda host, folder: host.stat(folder + "/" + "x" * 300), "look at a path: File name too long"),
        (lambda host, folder: host.list_directory(folder + "/" + "x" * 300), "list a directory: File name too long"),
        (lambda host, folder: host.lock(folder + "/f/lock", 0).__enter__(), "open the lock file: "),
    ],
)
def test_failures_are_host_errors_with_the_path(host: LocalHost, tmp_path: Path, call: Any, words: str) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "f").write_bytes(b"")
    with pytest.raises(HostError, match=f"{words}.*{tmp_path}.*; "):
        call(host, str(tmp_path))
    assert names(tmp_path) == ["d", "f"]


def test_read_only_file_system_is_explained(host: LocalHost) -> None:
    with pytest.raises(HostError, match=r"create a directory: .* \(/proc/bulwark\); "):
        host.make_directory("/proc/bulwark", 0o755)


def test_directories(host: LocalHost, tmp_path: Path) -> None:
    deep = tmp_path / "a/b"
    mask = os.umask(0o077)
    try:
        host.make_directory(str(deep), 0o750, *ME)
    finally:
        os.umask(mask)
    assert stat.S_IMODE(deep.stat().st_mode) == 0o750
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o755
    host.make_directory(str(deep), 0o700, *ME)
    assert stat.S_IMODE(deep.stat().st_mode) == 0o750
    (deep / "2").write_bytes(b"")
    (deep / "1").write_bytes(b"")
    assert host.list_directory(str(deep)) == ["1", "2"]
    host.remove_directory(str(deep))
    assert deep.is_dir()
    for name in ("1", "2"):
        host.remove_file(str(deep / name))
    host.remove_directory(str(deep))
    assert not deep.exists()


# -- programs


def test_programs(host: LocalHost) -> None:
    assert host.run(["sh", "-c", "echo out; echo err >&2; exit 3"]) == CommandResult(3, "out\n", "err\n")
    assert host.run(["cat"], data="\N{SNOWMAN}\udcff no newline").stdout == "\N{SNOWMAN}\udcff no newline"
    assert host.run(["sh", "-c", "echo $LC_ALL $MINE"], environ={"MINE": "yes"}).stdout == "C.UTF-8 yes\n"
    assert host.run(["sh", "-c", "exit 0"], timeout=30).rc == 0


def test_program_that_takes_too_long_is_ended(host: LocalHost) -> None:
    before = host.now()
    assert host.run(["sleep", "60"], timeout=0.2).rc == 124
    assert host.now() - before < 30


def test_program_that_is_not_there_has_no_success(host: LocalHost) -> None:
    assert host.run(["bulwark-no-such-program"], timeout=5).rc == 127
    assert host.which("bulwark-no-such-program") is None
    assert (host.which("sh") or "").endswith("/sh")


def test_accounts(host: LocalHost) -> None:
    assert host.user("root") == UserAccount("root", 0, 0, host.user("root").home)  # type: ignore[union-attr]
    assert host.user("bulwark-nobody") is None


def test_signals(host: LocalHost) -> None:
    child = subprocess.Popen(["sleep", "60"])
    assert host.send_signal(child.pid, "TERM") is True
    assert child.wait(timeout=30) == -signal.SIGTERM
    assert host.send_signal(child.pid, "TERM") is False


def test_sleep_waits(host: LocalHost) -> None:
    before = host.now()
    host.sleep(0.02)
    assert host.now() - before >= 0.015


# -- locks


def test_lock_of_another_process_is_respected_and_ends_with_it(host: LocalHost, tmp_path: Path) -> None:
    path = str(tmp_path / "run/system.lock")
    with host.lock(path, 1):
        pass
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with (
            pytest.raises(HostError, match=r"another run has been working on this host for more than 0\.3 s"),
            host.lock(path, 0.3),
        ):
            pytest.fail("the lock is held by somebody else")
        child.kill()
        child.wait(timeout=30)
        with host.lock(path, 5):
            entered = True
        assert entered
    finally:
        child.kill()
        child.communicate()
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o700


def test_lock_is_free_after_an_error_inside(host: LocalHost, tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    with pytest.raises(KeyError), host.lock(path, 0):
        raise KeyError(path)
    with host.lock(path, 0):
        assert os.path.exists(path)


# -- sockets


class _Engine(http.server.BaseHTTPRequestHandler):
    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = f"{self.command} {self.path} ".encode() + self.rfile.read(length)
        self.send_response(404 if self.path == "/gone" else 200)
        self.send_header("Content-Length", str(len(body) + (10 if self.path == "/cut" else 0)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _answer

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""

    def address_string(self) -> str:
        """A Unix client has no address."""
        return ""


class _UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


@pytest.fixture
def api_socket(tmp_path: Path) -> Iterator[str]:
    path = str(tmp_path / "docker.sock")
    with _UnixServer(path, _Engine) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield path
        server.shutdown()
        thread.join()


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A directory with one file of each kind that needs no privileges."""
    top = tmp_path / "volume"
    (top / "deep/er").mkdir(parents=True)
    (top / "deep/er/name with\nend").write_bytes(b"x" * 3)
    (top / "deep").chmod(0o750)
    (top / "program").write_bytes(b"#!")
    (top / "program").chmod(0o4711)
    (top / "same").hardlink_to(top / "program")
    (top / "link").symlink_to("/nowhere/at/all")
    (top / "loop").symlink_to("deep")
    os.mkfifo(top / "pipe", 0o640)
    with (top / "sparse").open("wb") as stream:
        stream.seek(5 << 20)
        stream.write(b"end")
    os.utime(top / "program", (1_000_000_000, 1_000_000_000))
    os.utime(top / "deep", (1_100_000_000, 1_100_000_000))
    return top


def test_copy_tree_keeps_everything(host: LocalHost, volume: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    target.mkdir()
    uids, gids = [IdShift(ME[0], ME[0], 1)], [IdShift(ME[1], ME[1], 1)]
    host.copy_tree(str(volume), str(target), uids, gids)
    assert names(target) == names(volume)
    assert (target / "deep/er/name with\nend").read_bytes() == b"xxx"
    for name in ("program", "deep", "pipe", "sparse"):
        before, after = (volume / name).lstat(), (target / name).lstat()
        assert after.st_mode == before.st_mode
        assert after.st_mtime_ns == before.st_mtime_ns
        assert name == "deep" or after.st_size == before.st_size
    assert (target / "program").samefile(target / "same")
    assert os.readlink(target / "link") == "/nowhere/at/all"
    assert os.readlink(target / "loop") == "deep"
    assert (target / "sparse").lstat().st_blocks * 512 < 1 << 20
    assert host.tree_digest(str(target), [], []) == host.tree_digest(str(volume), uids, gids)


@pytest.mark.parametrize(
    "change",
    [
        lambda top: (top / "program").write_bytes(b"!#"),
        lambda top: (top / "program").chmod(0o711),
        lambda top: (top / "more").write_bytes(b""),
        lambda top: (top / "pipe").unlink(),
        lambda top: ((top / "link").unlink(), (top / "link").symlink_to("/nowhere/else")),
    ],
)
def test_tree_digest_sees_each_difference(host: LocalHost, volume: Path, change: Any) -> None:
    before = host.tree_digest(str(volume), [], [])
    assert host.tree_digest(str(volume), [], []) == before
    change(volume)
    assert host.tree_digest(str(volume), [], []) != before


def test_owner_that_nobody_mapped_is_named(host: LocalHost, volume: Path, tmp_path: Path) -> None:
    nobody = [IdShift(ME[0] + 1, 100000, 10)]
    (tmp_path / "copy").mkdir()
    with pytest.raises(HostError, match=rf"copy a directory: {ME[0]}:{ME[1]} owns a file .*{volume}"):
        host.copy_tree(str(volume), str(tmp_path / "copy"), nobody, [])


def test_empty_directory_follows_no_link(host: LocalHost, volume: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/kept").write_bytes(b"")
    (volume / "out").symlink_to(tmp_path / "outside")
    host.empty_directory(str(volume))
    assert names(volume) == []
    assert names(tmp_path / "outside") == ["kept"]
    host.empty_directory(str(tmp_path / "none"))


def test_free_space_of_a_path_that_is_not_there_yet(host: LocalHost, tmp_path: Path) -> None:
    found = host.free_space(str(tmp_path / "a/b/c"))
    assert found == host.free_space(str(tmp_path))
    assert found.device == tmp_path.stat().st_dev
    assert 0 < found.available < os.statvfs(tmp_path).f_blocks * os.statvfs(tmp_path).f_frsize


def test_api_over_a_unix_socket(host: LocalHost, api_socket: str) -> None:
    assert host.api(api_socket, "GET", "/info?a=b") == (200, b"GET /info?a=b ")
    assert host.api(api_socket, "POST", "/x", b'{"y": 1}') == (200, b'POST /x {"y": 1}')
    assert host.api(api_socket, "GET", "/gone").status == 404


def test_download_and_upload(host: LocalHost, api_socket: str, tmp_path: Path) -> None:
    target = tmp_path / "archive.tar"
    assert host.download(api_socket, "/images/get?names=a", str(target), 5) == (200, b"")
    assert target.read_bytes() == b"GET /images/get?names=a "
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert host.upload(api_socket, "/load", str(target), 5) == (200, b"POST /load GET /images/get?names=a ")
    assert host.download(api_socket, "/gone", str(target), 5).status == 404
    assert target.read_bytes() == b"GET /images/get?names=a "
    others = tmp_path / "others"
    others.write_bytes(b"kept")
    target.unlink()
    target.symlink_to(others)
    assert host.download(api_socket, "/x", str(target), 5).status == 200
    assert (others.read_bytes(), target.is_symlink()) == (b"kept", False)
    with pytest.raises(HostError, match=r"GET /cut: IncompleteRead"):
        host.download(api_socket, "/cut", str(target), 2)
    with pytest.raises(HostError, match=r"write a file: No such file"):
        host.download(api_socket, "/x", str(tmp_path / "nowhere/archive.tar"), 2)


def test_api_that_does_not_answer(host: LocalHost, api_socket: str, tmp_path: Path) -> None:
    with pytest.raises(HostError, match="GET /cut"):
        host.api(api_socket, "GET", "/cut", timeout=2)
    with pytest.raises(HostError, match="No such file or directory"):
        host.api(str(tmp_path / "none.sock"), "GET", "/_ping")
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(tmp_path / "mute.sock"))
        mute.listen()
        with pytest.raises(HostError, match=r"GET /_ping: timed out .*mute\.sock"):
            host.api(str(tmp_path / "mute.sock"), "GET", "/_ping", timeout=0.2)


def test_tcp_request(host: LocalHost) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        heard: list[bytes] = []

        def answer() -> None:
            connection, _address = listener.accept()
            with connection:
                heard.append(connection.recv(100))
                connection.sendall(b"HTTP/1.0 200 OK\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert host.tcp_request("127.0.0.1", port, b"GET /") == b"HTTP/1.0 200 OK\r\n"
        thread.join()
        assert heard == [b"GET /"]
        with pytest.raises(HostError, match=f"127.0.0.1 port {port}: timed out"):
            host.tcp_request("127.0.0.1", port, b"GET /", timeout=0.2)
    with pytest.raises(HostError, match=rf"127\.0\.0\.1 port {port}: .*refused"):
        host.tcp_request("127.0.0.1", port, b"")


# -- TLS


class Server(threading.Thread):
    """A TLS server that answers everybody whom its context lets in."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        super().__init__(daemon=True)
        self._context = context
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]

    def run(self) -> None:
        while True:
            try:
                plain = self._socket.accept()[0]
            except OSError:
                return
            with contextlib.suppress(OSError), plain, self._wrapped(plain) as stream:
                stream.recv(1000)
                stream.sendall(b"HTTP/1.0 200 OK\r\n\r\n")

    def _wrapped(self, plain: socket.socket) -> socket.socket:
        return self._context.wrap_socket(plain, server_side=True) if self._context else plain

    def close(self) -> None:
        """Stop listening."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    now = datetime.datetime.now(datetime.UTC)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ca")])
    for name, days in (("ca", 30), ("server", 10), ("expired", -1)):
        key = ca_key if name == "ca" else ec.generate_private_key(ec.SECP256R1())
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(ca_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=5))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(name == "ca", None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(f"{name}.example")]), critical=False)
            .sign(ca_key, hashes.SHA256())
        )
        (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
        for suffix, encryption in (
            ("", serialization.NoEncryption()),
            ("-locked", serialization.BestAvailableEncryption(b"x")),
        ):
            (folder / f"{name}-key{suffix}.pem").write_bytes(
                key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
            )
    return folder


def _serve(folder: Path, name: str, verify: bool) -> Server:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}-key.pem")
    if verify:
        context.load_verify_locations(folder / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
    server = Server(context)
    server.start()
    return server


@pytest.mark.parametrize("verify", [True, False])
def test_stranger_sees_the_certificate_and_whether_one_is_demanded(
    host: LocalHost, certificates: Path, verify: bool
) -> None:
    server = _serve(certificates, "server", verify)
    found = host.tls_request("127.0.0.1", server.port, b"GET / HTTP/1.0\r\n\r\n", str(certificates / "ca.pem"))
    server.close()
    assert found.certificate == first_certificate((certificates / "server.pem").read_bytes())
    assert (found.answer == b"") == verify
    assert (found.problem, found.subject, found.names) == ("", "commonName=server", ("server.example",))
    assert found.version.startswith("TLSv1.")
    assert found.not_after is not None
    assert 9.9 < (found.not_after - host.now()) / 86400 < 10.1


def test_expired_certificate_is_shown_with_the_reason_and_its_end(host: LocalHost, certificates: Path) -> None:
    server = _serve(certificates, "expired", True)
    found = host.tls_request("127.0.0.1", server.port, b"x", str(certificates / "ca.pem"))
    server.close()
    assert "expired" in found.problem
    assert found.certificate == first_certificate((certificates / "expired.pem").read_bytes())
    assert found.not_after is not None
    assert -1.1 < (found.not_after - host.now()) / 86400 < -0.9


def test_certificate_of_a_foreign_ca_is_shown_with_the_reason(host: LocalHost, certificates: Path) -> None:
    server = _serve(certificates, "server", False)
    found = host.tls_request("127.0.0.1", server.port, b"x", str(certificates / "expired.pem"))
    server.close()
    assert "issuer" in found.problem
    assert found.certificate == first_certificate((certificates / "server.pem").read_bytes())
    assert found.not_after is None


def test_port_without_tls_is_an_error(host: LocalHost, certificates: Path) -> None:
    server = Server(None)
    server.start()
    with pytest.raises(HostError, match=f"speak TLS with 127.0.0.1 port {server.port}"):
        host.tls_request("127.0.0.1", server.port, b"x", str(certificates / "ca.pem"))
    server.close()


@pytest.mark.parametrize(
    ("ca", "certificate", "key", "words"),
    [
        ("ca", "server", "server-key", ""),
        ("ca", "server", "ca-key", "MISMATCH"),
        ("ca", "server", "server-key-locked", "server-key-locked.pem"),
        ("ca", "nowhere", "server-key", "No such file"),
        ("ca", "server-key", "server-key", "server-key.pem"),
        ("server-key", "server", "server-key", "server-key.pem"),
    ],
)
def test_files_that_no_server_could_use(
    host: LocalHost, certificates: Path, ca: str, certificate: str, key: str, words: str
) -> None:
    found = host.tls_problem(*(str(certificates / f"{name}.pem") for name in (ca, certificate, key)))
    assert words in found
    assert bool(found) == bool(words)


@pytest.mark.parametrize(("address", "ours"), [("127.0.0.1", True), ("0.0.0.0", True), ("192.0.2.1", False)])
def test_addresses_of_this_host(host: LocalHost, address: str, ours: bool) -> None:
    assert host.is_local_address(address) == ours


def audit_message(kind: int, text: str) -> bytes:
    """A record as the kernel sends it."""
    return _host.AUDIT_HEADER.pack(_host.AUDIT_HEADER.size + len(text), kind, 0, 0, 0) + text.encode()


def test_audit_records_of_one_type_are_read_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = [7]
    monkeypatch.setattr(_host, "_audit_lost", lambda: lost[0])
    kernel, listener = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with kernel, listener:
        stream = _host._AuditStream(listener)
        for kind, text in ((1326, "audit(1.1:1): one"), (1300, "audit(1.1:2): other"), (1326, "audit(1.1:3): two\0")):
            kernel.send(audit_message(kind, text))
        assert stream.read(1326, 0.05) == ["audit(1.1:1): one", "audit(1.1:3): two"]
        assert stream.read(1326, 0.05) == []
        lost[0] = 8
        with pytest.raises(HostError, match=r"it lost records for want of room; raise its backlog"):
            stream.read(1326, 0.05)


def test_audit_records_that_the_socket_had_no_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def settimeout(self, seconds: float) -> None:
            pass

        def recv(self, size: int) -> bytes:
            raise OSError(errno.ENOBUFS, "No buffer space available")

    monkeypatch.setattr(_host, "_audit_lost", lambda: 0)
    with pytest.raises(HostError, match="No buffer space available, so records were lost"):
        _host._AuditStream(Full()).read(1326, 0.05)
