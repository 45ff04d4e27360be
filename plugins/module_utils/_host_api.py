# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection needs of a host, as a Protocol (private; may change at any time).

`_host.LocalHost` is the real one; tests use an in-memory host with the same methods.
"""

from __future__ import annotations

from typing import ContextManager, Dict, List, NamedTuple, Optional, Protocol, Sequence, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._id_shift import IdShift

__all__ = ["ApiResponse", "AuditStream", "CommandResult", "FileStat", "FreeSpace", "Host", "TlsAnswer", "UserAccount"]


class FileStat(NamedTuple):
    """Facts about one path (symbolic links are followed); times in nanoseconds since the epoch."""

    kind: str  # "file", "directory", "socket", "other"
    mode: int  # permission bits only
    uid: int
    gid: int
    size: int
    mtime_ns: int
    ctime_ns: int


class CommandResult(NamedTuple):
    """Outcome of a program: exit status and decoded output."""

    rc: int
    stdout: str
    stderr: str


class ApiResponse(NamedTuple):
    """Answer of the engine's HTTP API."""

    status: int
    body: bytes


class TlsAnswer(NamedTuple):
    """What a client without a certificate gets from a TLS port.

    C(certificate) is DER; C(version) like "TLSv1.3"; C(answer) is empty where the server turned the client away;
    C(problem) says why the certificate does not stand up to the CA that was given, "" when it does. Only then are
    C(subject), C(names) (of the certificate) and C(not_after) (seconds since the epoch) known.
    """

    certificate: bytes
    version: str
    answer: bytes
    problem: str
    subject: str
    names: Tuple[str, ...]
    not_after: Optional[float]


class UserAccount(NamedTuple):
    """A user as the host's name service knows it."""

    name: str
    uid: int
    gid: int
    home: str


class FreeSpace(NamedTuple):
    """A file system, by the number of its device, and the bytes that root may still write there."""

    device: int
    available: int


class AuditStream(Protocol):
    """Records of the kernel's audit system from the moment on at which it was opened."""

    def read(self, kind: int, seconds: float) -> List[str]:
        """Texts of the records of one type that came until now and come within the seconds, in their order.

        HostError when the kernel had to drop some.
        """


class Host(Protocol):
    """The host a module works on. Every method raises HostError with the path or program in its text."""

    def read_file(self, path: str) -> Optional[bytes]:
        """Content of a file, None when it does not exist."""

    def stat(self, path: str) -> Optional[FileStat]:
        """Facts about a path, None when it does not exist."""

    def write_file(self, path: str, data: bytes, mode: int, uid: int, gid: int) -> None:
        """Replace a file atomically and durably; a failure leaves the old file as it was."""

    def remove_file(self, path: str) -> None:
        """Remove a file, behind a symbolic link too; a missing one is fine."""

    def make_directory(self, path: str, mode: int, uid: int = 0, gid: int = 0) -> None:
        """Create a directory and its parents where missing, all of them owned by that user."""

    def remove_directory(self, path: str) -> None:
        """Remove an empty directory; a missing or filled one, and a mount point, is left alone."""

    def list_directory(self, path: str) -> List[str]:
        """Sorted names in a directory, empty when it does not exist."""

    def empty_directory(self, path: str) -> None:
        """Remove everything below a directory; a missing one is fine."""

    def copy_tree(self, source: str, target: str, uids: Sequence[IdShift], gids: Sequence[IdShift]) -> None:
        """Copy everything below a directory into an empty one, with owners and times, modes and links, and shift ids.

        Access lists, file capabilities and attributes of users are kept as far as the file system has them. HostError
        for an owner that no shift names. Nobody may change the source meanwhile.
        """

    def tree_digest(self, path: str, uids: Sequence[IdShift], gids: Sequence[IdShift]) -> str:
        """Checksum of what copy_tree() with these shifts would make of a directory, times left out."""

    def free_space(self, path: str) -> FreeSpace:
        """Room on the file system of a path, or of its nearest parent that exists."""

    def real_path(self, path: str) -> str:
        """The path with symbolic links resolved."""

    def read_link(self, path: str) -> Optional[str]:
        """Target of a symbolic link, None when there is none."""

    def which(self, name: str) -> Optional[str]:
        """Absolute path of a program, None when it is not installed."""

    def user(self, name: str) -> Optional[UserAccount]:
        """The account of a user, None when there is none."""

    def run(
        self,
        argv: Sequence[str],
        data: Optional[str] = None,
        timeout: Optional[float] = None,
        environ: Optional[Dict[str, str]] = None,
    ) -> CommandResult:
        """Run a program to its end; a non-zero exit status is not an error here."""

    def api(
        self, socket_path: str, method: str, path: str, body: Optional[bytes] = None, timeout: float = 10.0
    ) -> ApiResponse:
        """One request to the engine's API over a Unix socket."""

    def download(self, socket_path: str, path: str, target: str, timeout: float) -> ApiResponse:
        """GET from the engine's API into a file that only root may read; other answers than 200 leave it as it was.

        C(timeout) is for each step, not for the whole.
        """

    def upload(self, socket_path: str, path: str, source: str, timeout: float) -> ApiResponse:
        """POST a tar archive from a file to the engine's API."""

    def tcp_request(self, address: str, port: int, data: bytes, timeout: float = 3.0) -> bytes:
        """Send bytes to a TCP port and return the first bytes of the answer, none when the connection was closed."""

    def tls_request(self, address: str, port: int, data: bytes, ca: str, timeout: float = 5.0) -> TlsAnswer:
        """As tcp_request(), by TLS and without a client certificate; C(ca) is the path of a PEM file.

        HostError when nothing answers, or not by TLS.
        """

    def tls_problem(self, ca: str, certificate: str, key: str) -> str:
        """Why a TLS server could not use these PEM files, "" when it could; the key has to fit the certificate."""

    def is_local_address(self, address: str) -> bool:
        """Whether a server could listen on this IP address."""

    def send_signal(self, pid: int, name: str) -> bool:
        """Send a signal (HUP, TERM, KILL) to a process; False when the process is gone."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    def lock(self, path: str, timeout: float) -> ContextManager[None]:
        """Hold an exclusive lock on a file; HostError when another run keeps it longer than the timeout (seconds)."""

    def audit_stream(self) -> ContextManager[AuditStream]:
        """Listen to the kernel's audit system; HostError where it does not talk to this process."""

    def lock_accounts(self, paths: Sequence[str], timeout: float) -> ContextManager[None]:
        """Keep useradd, usermod and the like away from account files of one directory (such as /etc/subuid).

        HostError when somebody else keeps them locked longer than the timeout (seconds).
        """
