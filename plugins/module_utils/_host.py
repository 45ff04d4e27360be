# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only code that reads and writes files, runs programs and talks to the engine's socket (private)."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import hashlib
import http.client
import os
import pwd
import shutil
import signal
import socket
import ssl
import stat
import struct
import time
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._errors import HostError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import (
    ApiResponse,
    AuditStream,
    CommandResult,
    FileStat,
    FreeSpace,
    TlsAnswer,
    UserAccount,
)
from ansible_collections.bulwark.docker.plugins.module_utils._id_shift import IdShift, shift_attribute, shift_id

__all__ = ["LocalHost"]

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LOCK_POLL_SECONDS = 0.2
PARENT_MODE = 0o755
# OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED, and X509_V_FLAG_NO_CHECK_TIME.
OUT_OF_TIME = (9, 10)
NO_CHECK_TIME = 0x200000
BLOCK = 1 << 20
# linux/netlink.h and linux/audit.h; struct audit_status has the number of lost records as its seventh word.
NETLINK_AUDIT, AUDIT_GET, AUDIT_READ_GROUP, NLM_F_REQUEST = 9, 1000, 1, 1
AUDIT_HEADER = struct.Struct("=IHHII")
AUDIT_STATUS_LOST = 24
AUDIT_MESSAGE = 16384
AUDIT_BUFFER = 32 * 1024 * 1024
AUDIT_SECONDS = 5.0
SO_RCVBUFFORCE = 33
REMEDIES = {
    errno.ENOSPC: "free space on that file system and run again",
    errno.EDQUOT: "free space within the quota and run again",
    errno.EROFS: "make that file system writable and run again",
    errno.EACCES: "run as root (become: true)",
    errno.EPERM: "run as root (become: true), and look for an immutable flag with lsattr",
}


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix stream socket."""

    def __init__(self, socket_path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._socket_path = socket_path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._socket_path)


class _AuditStream:
    """Audit records by netlink; the kernel sends them to every listener, whether or not a daemon runs."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._lost = _audit_lost()

    def read(self, kind: int, seconds: float) -> List[str]:
        """See AuditStream."""
        deadline = time.monotonic() + seconds
        found: List[str] = []
        while True:
            self._listener.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                data = self._listener.recv(AUDIT_MESSAGE)
            except socket.timeout:
                break
            except OSError as exc:
                raise HostError(
                    f"listen to the kernel's audit system: {exc.strerror or exc}, so records were lost; have less run "
                    "at that time"
                ) from exc
            if struct.unpack_from("=IH", data)[1] == kind:
                found.append(data[AUDIT_HEADER.size :].decode("utf-8", "replace").rstrip("\0\n"))
        if _audit_lost() != self._lost:
            raise HostError(
                "listen to the kernel's audit system: it lost records for want of room; raise its backlog (auditctl -b "
                "8192), or its rate limit (auditctl -r 0)"
            )
        return found


def _audit_lost() -> int:
    """How many records the kernel has dropped since boot."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_AUDIT) as asking:
        asking.settimeout(AUDIT_SECONDS)
        asking.sendto(AUDIT_HEADER.pack(AUDIT_HEADER.size, AUDIT_GET, NLM_F_REQUEST, 1, 0), (0, 0))
        data = asking.recv(AUDIT_MESSAGE)
    kind = struct.unpack_from("=IH", data)[1]
    if kind != AUDIT_GET:
        code = struct.unpack_from("=i", data, AUDIT_HEADER.size)[0]
        raise OSError(-code, os.strerror(-code))
    return int(struct.unpack_from("=I", data, AUDIT_HEADER.size + AUDIT_STATUS_LOST)[0])


def _explain(asked: str, path: str, exc: OSError) -> HostError:
    remedy = REMEDIES.get(exc.errno or 0, "look at that path on the host")
    return HostError(f"{asked}: {exc.strerror or exc} ({path}); {remedy}")


class _Tree:
    """Everything below a directory, with the ids that it gets elsewhere; paths are relative, "" is the top."""

    def __init__(self, top: str, uids: Sequence[IdShift], gids: Sequence[IdShift]) -> None:
        self.top = top
        self.uids = uids
        self.gids = gids

    def path(self, relative: str) -> str:
        return os.path.join(self.top, relative) if relative else self.top

    def walk(self) -> Iterator[Tuple[str, os.stat_result]]:
        """Every path in a fixed order, directories before what they hold."""
        pending = [""]
        while pending:
            relative = pending.pop()
            found = os.lstat(self.path(relative))
            yield relative, found
            if stat.S_ISDIR(found.st_mode):
                pending += [os.path.join(relative, name) for name in sorted(os.listdir(self.path(relative)))]

    def owner(self, relative: str, found: os.stat_result) -> Tuple[int, int]:
        uid, gid = shift_id(found.st_uid, self.uids), shift_id(found.st_gid, self.gids)
        if uid is None or gid is None:
            raise HostError(
                f"copy a directory: {found.st_uid}:{found.st_gid} owns a file and is none of the ids that can be "
                f"mapped ({self.path(relative)}); give it another owner, or map a larger range"
            )
        return uid, gid

    def attributes(self, relative: str) -> List[Tuple[str, bytes]]:
        path = self.path(relative)
        try:
            names = sorted(os.listxattr(path, follow_symlinks=False))
        except OSError as exc:
            if exc.errno != errno.ENOTSUP:
                raise
            names = []
        found = []
        for name in names:
            raw = os.getxattr(path, name, follow_symlinks=False)
            kept, value = shift_attribute(name, raw, self.uids, self.gids)
            if kept and value is None:
                raise HostError(
                    f"copy a directory: its attribute {name} names an id that cannot be mapped ({path}); "
                    "remove that entry with setfacl or setcap, or map a larger range"
                )
            if kept and value is not None:
                found.append((name, value))
        return found

    def content(self, relative: str) -> Iterator[bytes]:
        handle = os.open(self.path(relative), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as stream:
            yield from iter(lambda: stream.read(BLOCK), b"")

    def digest(self) -> str:
        total = hashlib.sha256()
        for relative, found in self.walk():
            facts = [relative, oct(found.st_mode), *self.owner(relative, found), *self.attributes(relative)]
            if stat.S_ISREG(found.st_mode):
                content = hashlib.sha256()
                for block in self.content(relative):
                    content.update(block)
                facts.append(content.hexdigest())
            elif stat.S_ISLNK(found.st_mode):
                facts.append(os.readlink(self.path(relative)))
            elif not stat.S_ISDIR(found.st_mode):
                facts.append(found.st_rdev)
            total.update(repr(facts).encode("utf-8", "surrogateescape") + b"\n")
        return total.hexdigest()

    def copy_into(self, target: str) -> None:
        linked: Dict[Tuple[int, int], str] = {}
        directories = []
        for relative, found in self.walk():
            path = os.path.join(target, relative) if relative else target
            if stat.S_ISDIR(found.st_mode):
                directories.append((relative, found, path))
                if relative:
                    os.mkdir(path, 0o700)
                continue
            first = linked.setdefault((found.st_dev, found.st_ino), path) if found.st_nlink > 1 else path
            if first != path:
                os.link(first, path, follow_symlinks=False)
                continue
            self._make(relative, found, path)
            self._dress(relative, found, path)
        for relative, found, path in reversed(directories):
            self._dress(relative, found, path)

    def _make(self, relative: str, found: os.stat_result, path: str) -> None:
        if stat.S_ISLNK(found.st_mode):
            os.symlink(os.readlink(self.path(relative)), path)
            return
        if not stat.S_ISREG(found.st_mode):
            os.mknod(path, stat.S_IFMT(found.st_mode) | 0o600, found.st_rdev)
            return
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as stream:
            for block in self.content(relative):
                if block.strip(b"\0"):
                    stream.write(block)
                else:
                    stream.seek(len(block), os.SEEK_CUR)  # a hole stays a hole
            stream.truncate()

    def _dress(self, relative: str, found: os.stat_result, path: str) -> None:
        uid, gid = self.owner(relative, found)
        os.lchown(path, uid, gid)
        if not stat.S_ISLNK(found.st_mode):
            os.chmod(path, stat.S_IMODE(found.st_mode))
        for name, value in self.attributes(relative):
            os.setxattr(path, name, value, follow_symlinks=False)
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns), follow_symlinks=False)


class LocalHost:
    """The machine this process runs on.

    Args:
        runner: has a method C(run_command) as AnsibleModule has it; programs are run through it.
    """

    def __init__(self, runner: Any) -> None:
        self._runner = runner

    def read_file(self, path: str) -> Optional[bytes]:
        try:
            with open(path, "rb") as handle:
                return handle.read()
        except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
            return None
        except OSError as exc:
            raise _explain("read a file", path, exc) from exc

    def stat(self, path: str) -> Optional[FileStat]:
        try:
            found = os.stat(path)
        except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
            return None
        except OSError as exc:
            raise _explain("look at a path", path, exc) from exc
        kind = "other"
        for test, name in ((stat.S_ISREG, "file"), (stat.S_ISDIR, "directory"), (stat.S_ISSOCK, "socket")):
            if test(found.st_mode):
                kind = name
        return FileStat(
            kind,
            stat.S_IMODE(found.st_mode),
            found.st_uid,
            found.st_gid,
            found.st_size,
            found.st_mtime_ns,
            found.st_ctime_ns,
        )

    def write_file(self, path: str, data: bytes, mode: int, uid: int, gid: int) -> None:
        target = os.path.realpath(path)
        temporary = self._temporary(target)
        try:
            self._unlink(temporary)  # left by a run that was killed
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fchown(stream.fileno(), uid, gid)
                os.fchmod(stream.fileno(), mode)
                os.fsync(stream.fileno())
            os.replace(temporary, target)
            self._sync_directory(os.path.dirname(target))
        except OSError as exc:
            with contextlib.suppress(OSError):
                self._unlink(temporary)
            raise _explain("write a file", path, exc) from exc

    def remove_file(self, path: str) -> None:
        target = os.path.realpath(path)  # as write_file does, so that a link ends as it began
        try:
            self._unlink(self._temporary(target))
            if self._unlink(target):
                self._sync_directory(os.path.dirname(target))
        except OSError as exc:
            raise _explain("remove a file", path, exc) from exc

    @staticmethod
    def _temporary(target: str) -> str:
        directory, name = os.path.split(target)
        return os.path.join(directory, f".{name}.bulwark-new")

    @staticmethod
    def _unlink(path: str) -> bool:
        try:
            os.unlink(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    @staticmethod
    def _sync_directory(directory: str) -> None:
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def make_directory(self, path: str, mode: int, uid: int = 0, gid: int = 0) -> None:
        if os.path.isdir(path):
            return
        parent = os.path.dirname(path)
        if parent != path:
            self.make_directory(parent, PARENT_MODE, uid, gid)
        try:
            os.mkdir(path, 0o700)
            os.chown(path, uid, gid)
            os.chmod(path, mode)
        except OSError as exc:
            raise _explain("create a directory", path, exc) from exc

    def remove_directory(self, path: str) -> None:
        try:
            os.rmdir(path)
        except OSError as exc:
            if exc.errno not in (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY):
                raise _explain("remove a directory", path, exc) from exc

    def list_directory(self, path: str) -> List[str]:
        try:
            return sorted(os.listdir(path))
        except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
            return []
        except OSError as exc:
            raise _explain("list a directory", path, exc) from exc

    def empty_directory(self, path: str) -> None:
        try:
            names = os.listdir(path)
            for name in names:
                below = os.path.join(path, name)
                if os.path.isdir(below) and not os.path.islink(below):
                    shutil.rmtree(below)
                else:
                    os.unlink(below)
        except FileNotFoundError:
            return
        except OSError as exc:
            raise _explain("empty a directory", path, exc) from exc

    def copy_tree(self, source: str, target: str, uids: Sequence[IdShift], gids: Sequence[IdShift]) -> None:
        try:
            _Tree(source, uids, gids).copy_into(target)
        except OSError as exc:
            raise _explain("copy a directory", str(exc.filename or source), exc) from exc

    def tree_digest(self, path: str, uids: Sequence[IdShift], gids: Sequence[IdShift]) -> str:
        try:
            return _Tree(path, uids, gids).digest()
        except OSError as exc:
            raise _explain("read a directory", str(exc.filename or path), exc) from exc

    def free_space(self, path: str) -> FreeSpace:
        while not os.path.exists(path):
            path = os.path.dirname(path)
        try:
            found = os.statvfs(path)
            return FreeSpace(os.stat(path).st_dev, found.f_bavail * found.f_frsize)
        except OSError as exc:
            raise _explain("measure a file system", path, exc) from exc

    def real_path(self, path: str) -> str:
        return os.path.realpath(path)

    def read_link(self, path: str) -> Optional[str]:
        try:
            return os.readlink(path)
        except OSError:
            return None

    def which(self, name: str) -> Optional[str]:
        return shutil.which(name, path=SYSTEM_PATH)

    def user(self, name: str) -> Optional[UserAccount]:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            return None
        return UserAccount(found.pw_name, found.pw_uid, found.pw_gid, found.pw_dir)

    def run(
        self,
        argv: Sequence[str],
        data: Optional[str] = None,
        timeout: Optional[float] = None,
        environ: Optional[Dict[str, str]] = None,
    ) -> CommandResult:
        command = list(argv)
        if timeout is not None:
            # run_command has no time limit of its own.
            command = ["timeout", "--kill-after=5", str(timeout), *command]
        variables = {"LC_ALL": "C.UTF-8", "PATH": SYSTEM_PATH}
        variables.update(environ or {})
        try:
            rc, out, err = self._runner.run_command(
                command, data=data, binary_data=True, environ_update=variables, handle_exceptions=False
            )
        except OSError as exc:
            raise _explain("run a program", command[0], exc) from exc
        return CommandResult(int(rc), str(out), str(err))

    def api(
        self, socket_path: str, method: str, path: str, body: Optional[bytes] = None, timeout: float = 10.0
    ) -> ApiResponse:
        connection = _UnixConnection(socket_path, timeout)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        with self._asking(connection, method, path, socket_path):
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            return ApiResponse(answer.status, answer.read())

    @staticmethod
    @contextlib.contextmanager
    def _asking(connection: http.client.HTTPConnection, method: str, path: str, socket_path: str) -> Iterator[None]:
        try:
            yield
        except (OSError, http.client.HTTPException) as exc:
            raise HostError(
                f"ask the engine's API for {method} {path}: {str(exc) or type(exc).__name__} ({socket_path}); "
                "look at the engine's journal with: journalctl -u docker.service -n 50"
            ) from exc
        finally:
            connection.close()

    def download(self, socket_path: str, path: str, target: str, timeout: float) -> ApiResponse:
        connection = _UnixConnection(socket_path, timeout)
        with self._asking(connection, "GET", path.partition("?")[0], socket_path):
            connection.request("GET", path)
            answer = connection.getresponse()
            if answer.status != 200:
                return ApiResponse(answer.status, answer.read())
            try:
                self._unlink(target)
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                with os.fdopen(os.open(target, flags, 0o600), "wb") as stream:
                    shutil.copyfileobj(answer, stream, BLOCK)
                    if answer.length:
                        raise http.client.IncompleteRead(b"", answer.length)
                    stream.flush()
                    os.fsync(stream.fileno())
            except OSError as exc:
                raise _explain("write a file", target, exc) from exc
            return ApiResponse(200, b"")

    def upload(self, socket_path: str, path: str, source: str, timeout: float) -> ApiResponse:
        connection = _UnixConnection(socket_path, timeout)
        with self._asking(connection, "POST", path.partition("?")[0], socket_path), open(source, "rb") as stream:
            size = str(os.fstat(stream.fileno()).st_size)
            connection.request(
                "POST", path, body=stream, headers={"Content-Type": "application/x-tar", "Content-Length": size}
            )
            answer = connection.getresponse()
            return ApiResponse(answer.status, answer.read())

    def tcp_request(self, address: str, port: int, data: bytes, timeout: float = 3.0) -> bytes:
        try:
            with socket.create_connection((address, port), timeout=timeout) as connection:
                connection.sendall(data)
                return connection.recv(65536)
        except OSError as exc:
            raise HostError(
                f"ask the TCP listener {address} port {port}: {str(exc) or type(exc).__name__}; is the engine running?"
            ) from exc

    def tls_request(self, address: str, port: int, data: bytes, ca: str, timeout: float = 5.0) -> TlsAnswer:
        problem = ""
        try:
            try:
                plain, certificate, version, answer = self._tls_exchange(address, port, data, ca, timeout)
            except ssl.SSLCertVerificationError as exc:
                problem = exc.verify_message
                # Python tells what is in a certificate only when it is found good.
                trusted = ca if exc.verify_code in OUT_OF_TIME else ""
                plain, certificate, version, answer = self._tls_exchange(
                    address, port, data, trusted, timeout, any_time=True
                )
        except OSError as exc:
            raise HostError(
                f"speak TLS with {address} port {port}: {str(exc) or type(exc).__name__}; is the engine running, and "
                f"is {ca} its CA?"
            ) from exc
        names = tuple(value for _kind, value in plain.get("subjectAltName", ()))
        subject = ", ".join("=".join(pair) for part in plain.get("subject", ()) for pair in part)
        until = ssl.cert_time_to_seconds(plain["notAfter"]) if "notAfter" in plain else None
        return TlsAnswer(certificate, version, answer, problem, subject, names, until)

    @staticmethod
    def _tls_exchange(
        address: str, port: int, data: bytes, ca: str, timeout: float, any_time: bool = False
    ) -> Tuple[Dict[str, Any], bytes, str, bytes]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED if ca else ssl.CERT_NONE
        if ca:
            context.load_verify_locations(cafile=ca)
        if any_time:
            context.verify_flags |= NO_CHECK_TIME
        raw = socket.create_connection((address, port), timeout=timeout)
        with raw, context.wrap_socket(raw) as connection:
            plain = connection.getpeercert() or {}
            certificate = connection.getpeercert(binary_form=True) or b""
            version = connection.version() or ""
            try:
                # With TLS 1.3 the handshake is over before the server has seen that there is no certificate.
                connection.sendall(data)
                answer = connection.recv(65536)
            except OSError:
                answer = b""
        return plain, certificate, version, answer

    def tls_problem(self, ca: str, certificate: str, key: str) -> str:
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            # A password is never known here; without one OpenSSL would ask at the terminal.
            context.load_cert_chain(certificate, key, password="none")
        except OSError as exc:
            return f"{certificate} and {key}: {exc.strerror or exc}"
        try:
            context.load_verify_locations(cafile=ca)
        except OSError as exc:
            return f"{ca}: {exc.strerror or exc}"
        return ""

    def is_local_address(self, address: str) -> bool:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.bind((address, 0))
        except OSError:
            return False
        return True

    def send_signal(self, pid: int, name: str) -> bool:
        try:
            os.kill(pid, getattr(signal, "SIG" + name))
        except ProcessLookupError:
            return False
        except OSError as exc:
            raise _explain(f"send {name} to process {pid}", f"/proc/{pid}", exc) from exc
        return True

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    @contextlib.contextmanager
    def lock(self, path: str, timeout: float) -> Iterator[None]:
        handle = self._open_lock(path)
        try:
            self._wait_for_lock(handle, path, timeout)
            yield
        finally:
            os.close(handle)

    @staticmethod
    def _open_lock(path: str) -> int:
        try:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise _explain("open the lock file", path, exc) from exc

    @staticmethod
    def _wait_for_lock(handle: int, path: str, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise HostError(
                        f"change the engine: another run has been working on this host for more than {timeout:g} s "
                        f"({path}); wait for it to end and run again"
                    ) from None
                time.sleep(LOCK_POLL_SECONDS)

    @contextlib.contextmanager
    def audit_stream(self) -> Iterator[AuditStream]:
        try:
            with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_AUDIT) as listener:
                listener.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, AUDIT_BUFFER)
                listener.bind((0, AUDIT_READ_GROUP))
                yield _AuditStream(listener)
        except OSError as exc:
            raise _explain("listen to the kernel's audit system", "netlink", exc) from exc

    @contextlib.contextmanager
    def lock_accounts(self, paths: Sequence[str], timeout: float) -> Iterator[None]:
        # As lckpwdf(3) does, and then as the shadow tools do (commonio.c): PATH.lock with the id of a living process.
        deadline = time.monotonic() + timeout
        common = os.path.join(os.path.dirname(paths[0]), ".pwd.lock")
        with contextlib.ExitStack() as held:
            handle = self._open_lock(common)
            held.callback(os.close, handle)
            self._wait_for_accounts(lambda: self._lock_record(handle), common, deadline)
            for path in paths:
                self._wait_for_accounts(functools.partial(self._link_lock, path), path + ".lock", deadline)
                held.callback(self._unlink, path + ".lock")
            yield

    @staticmethod
    def _wait_for_accounts(attempt: Callable[[], bool], path: str, deadline: float) -> None:
        try:
            while not attempt():
                if time.monotonic() >= deadline:
                    raise HostError(
                        f"lock the account files: another program has been changing them for too long ({path}); wait "
                        "for it to end and run again"
                    )
                time.sleep(LOCK_POLL_SECONDS)
        except OSError as exc:
            raise _explain("lock the account files", path, exc) from exc

    @staticmethod
    def _lock_record(handle: int) -> bool:
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def _link_lock(self, path: str) -> bool:
        own, lock = f"{path}.{os.getpid()}", path + ".lock"
        handle = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(b"%d\0" % os.getpid())
            if self._lock_is_stale(lock):
                self._unlink(lock)
            os.link(own, lock)
        except FileExistsError:
            return False
        finally:
            self._unlink(own)
        return True

    @staticmethod
    def _lock_is_stale(lock: str) -> bool:
        try:
            with open(lock, "rb") as stream:
                words = stream.read(32).split(b"\0")[0].strip()
        except FileNotFoundError:
            return False
        try:
            os.kill(int(words), 0)
        except ProcessLookupError:
            return True
        except (ValueError, PermissionError):
            pass  # the shadow tools leave a lock without a process id alone, too
        return False
