# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hostile program of enforcement_probe (private; may change at any time).

Its source text is sent to the place where it runs: a throw-away container, or the host itself. It therefore stands
alone: standard library only, no import from this collection.

Call: `python3 -I -S -B program.py SPEC`, SPEC being a JSON object
`{"actions": [{"id": str, "name": str, "arguments": {...}, "uid": int or null}], "seconds": number, "linger": number}`.
`seconds` limits one action, `linger` keeps the process (and what it serves) alive after the last one.

Output: one JSON line for each action, `{"id", "gained": bool, "detail": str, "seconds": number}` or, instead of the
outcome, `"failure": str` or `"inapplicable": str`; then `{"done": true}`. "gained" says that the attacker got what he
wanted. A new attack is one function returning (gained, detail) and one entry in ACTIONS; an unexpected error is raised,
so that it can never be taken for a refusal.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import platform
import resource
import signal
import socket
import stat
import struct
import sys
import threading
import time
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

Outcome = Tuple[bool, str]
Address = Tuple[str, int]

VERSION_REQUEST = b"GET /version HTTP/1.0\r\nHost: docker\r\n\r\n"
# Numbers of TLS: versions, records, handshake messages and cipher suites (RFC 5246, 4492, 5289; IANA's registry).
TLS_1_0, TLS_1_1, TLS_1_2 = 0x0301, 0x0302, 0x0303
TLS_NAMES = {TLS_1_0: "TLS 1.0", TLS_1_1: "TLS 1.1", TLS_1_2: "TLS 1.2"}
ALERT_RECORD, HANDSHAKE_RECORD = 21, 22
CLIENT_HELLO, SERVER_HELLO = 1, 2
OLD_CIPHERS = (0xC009, 0xC00A, 0xC013, 0xC014, 0x002F, 0x0035)
NEW_CIPHERS = (0xC02B, 0xC02C, 0xC02F, 0xC030, 0xCCA8, 0xCCA9)
CURVES = (0x001D, 0x0017, 0x0018, 0x0019)
SIGNATURE_SCHEMES = (0x0403, 0x0503, 0x0603, 0x0807, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601)

SIOCGIFADDR = 0x8915
# The exit status with which shells say that a program could not be started.
NOT_STARTED = 127
REFUSALS = (
    errno.ECONNREFUSED,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.EACCES,
    errno.EPERM,
    errno.ECONNRESET,
    errno.ETIMEDOUT,
)

# Linux system call numbers (arch/*/entry/syscalls of the kernel); riscv64 and loongarch64 share the generic table.
SYSCALLS: Dict[str, Dict[str, int]] = {
    "prctl": {
        "x86_64": 157,
        "i686": 172,
        "aarch64": 167,
        "armv7l": 172,
        "riscv64": 167,
        "loongarch64": 167,
        "ppc64le": 171,
        "s390x": 172,
    },
}


# Calls that a seccomp filter may refuse: name -> number on x86_64, and in the table that newer architectures share.
FILTERED_CALLS: Dict[str, Tuple[int, int]] = {
    "add_key": (248, 217),
    "bpf": (321, 280),
    "io_uring_setup": (425, 425),
    "keyctl": (250, 219),
    "name_to_handle_at": (303, 264),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "process_vm_readv": (310, 270),
    "ptrace": (101, 117),
    "socket": (41, 198),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}
GENERIC_MACHINES = ("aarch64", "riscv64", "loongarch64")
# What a filter makes of a call: these errors, or the signal SIGSYS. A security module gives EACCES.
FILTER_ERRORS = (errno.EPERM, errno.ENOSYS, errno.EACCES)
SIGSYS = 31
MAP_32BIT = 0x40


class NothingToAttack(Exception):
    """There is nothing here that this attack could be made against."""


def error_text(error: OSError) -> str:
    """Name and text of an error, for example "EACCES (Permission denied)"; a socket time-out carries no number."""
    if error.errno is None:
        return "no answer in time"
    return f"{errno.errorcode.get(error.errno, str(error.errno))} ({os.strerror(error.errno)})"


def is_refusal(error: OSError) -> bool:
    """Whether an error is what a firewall or a permission check gives, as opposed to a broken attempt."""
    return isinstance(error, socket.timeout) or error.errno in REFUSALS


def exchange(kind: socket.SocketKind, address: str, port: int, token: str, seconds: float) -> str:
    """Send the token to address:port and return the answer; OSError when there is none within the seconds."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as client:
        client.settimeout(seconds)
        client.connect((address, port))
        client.sendall(token.encode())
        return client.recv(256).decode("utf-8", "replace")


def try_addresses(kind: socket.SocketKind, addresses: Sequence[str], port: int, token: str, seconds: float) -> Outcome:
    """Ask every address; gained as soon as one of them echoes the token."""
    seen: List[str] = []
    for address in addresses:
        where = f"{address} port {port}"
        try:
            answer = exchange(kind, address, port, token, seconds)
        except OSError as error:
            if not is_refusal(error):
                raise
            seen.append(f"{where}: {error_text(error)}")
            continue
        if answer != token:
            raise RuntimeError(f"{where} answered {answer[:40]!r} instead of the token of this run")
        return True, f"{where} answered"
    if not seen:
        raise RuntimeError("no address to try")
    return False, "; ".join(seen)


def tcp_exchange(addresses: Sequence[str], port: int, token: str, seconds: float) -> Outcome:
    """Talk to a TCP service of somebody else."""
    return try_addresses(socket.SOCK_STREAM, addresses, port, token, seconds)


def udp_exchange(addresses: Sequence[str], port: int, token: str, seconds: float) -> Outcome:
    """Send a datagram to somebody else and get one back."""
    return try_addresses(socket.SOCK_DGRAM, addresses, port, token, seconds)


def echo_tcp(server: socket.socket) -> None:
    """Answer every connection with what it sent first."""
    while True:
        client, _peer = server.accept()
        with client:
            client.settimeout(5)
            try:
                client.sendall(client.recv(256))
            except OSError:
                continue


def echo_udp(server: socket.socket) -> None:
    """Answer every datagram with itself."""
    while True:
        data, peer = server.recvfrom(256)
        server.sendto(data, peer)


def listen(kind: socket.SocketKind, port: int) -> None:
    """Start an echo service on every address of this network namespace, IPv6 too where it exists."""
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        try:
            server = socket.socket(family, kind)
            if family == socket.AF_INET6:
                server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            server.bind((address, port))
        except OSError:
            if family == socket.AF_INET:
                raise
            continue
        if kind == socket.SOCK_STREAM:
            server.listen(8)
        target = echo_tcp if kind == socket.SOCK_STREAM else echo_udp
        threading.Thread(target=target, args=(server,), daemon=True).start()


def serve(tcp_ports: Sequence[int], udp_ports: Sequence[int]) -> Outcome:
    """Start the echo services that other places attack; they live as long as the process lingers."""
    for port in tcp_ports:
        listen(socket.SOCK_STREAM, port)
    for port in udp_ports:
        listen(socket.SOCK_DGRAM, port)
    return True, f"listening on TCP {list(tcp_ports)}, UDP {list(udp_ports)}"


def own_addresses() -> List[str]:
    """IPv4 addresses of this network namespace without the loopback."""
    found: List[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for _index, name in socket.if_nameindex():
            if name == "lo":
                continue
            try:
                answer = fcntl.ioctl(client.fileno(), SIOCGIFADDR, struct.pack("256s", name.encode()))
            except OSError:
                continue
            found.append(socket.inet_ntoa(answer[20:24]))
    return found


def own_exchange(port: int, token: str, seconds: float) -> Outcome:
    """Talk to an echo service of this very place on its own address: shows that the attacker's network works."""
    listen(socket.SOCK_STREAM, port)
    listen(socket.SOCK_DGRAM, port)
    addresses = own_addresses()
    tcp = tcp_exchange(addresses, port, token, seconds)
    udp = udp_exchange(addresses, port, token, seconds)
    return tcp[0] and udp[0], f"to itself: TCP {tcp[1]}, UDP {udp[1]}"


def process_flag(name: str) -> str:
    """Value of one line of /proc/self/status, "unknown" where the kernel has no such line."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as stream:
        for line in stream:
            if line.startswith(name + ":"):
                return line.split(":", 1)[1].strip()
    return "unknown"


def read_root_only(program: str, path: str, token: str) -> Outcome:
    """Read a file that only root may read with the help of a program that carries privileges of its own."""
    try:
        with open(path, encoding="ascii"):
            pass
    except PermissionError:
        pass
    else:
        raise RuntimeError(f"uid {os.getuid()} can read {path} without help, so nothing can be shown")
    found = os.stat(program)
    status, said = _run_program(program, path)
    nosuid = "nosuid" if os.statvfs(program).f_flag & os.ST_NOSUID else "without nosuid"
    about = (
        f"uid {os.getuid()} ran {program} (mode {found.st_mode & 0o7777:04o}, owner {found.st_uid}), "
        f"NoNewPrivs {process_flag('NoNewPrivs')}, mount {nosuid}"
    )
    if token.encode() in said:
        return True, f"{about}: it read the file of root"
    if status == 0:
        raise RuntimeError(f"{about}: status 0, but not the expected content")
    return False, f"{about}: status {status}, {said.decode('utf-8', 'replace').strip()[:200]}"


def _run_program(*argv: str) -> Tuple[int, bytes]:
    """Run a program with an empty environment; its exit status (128 + signal when killed) and all that it printed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.dup2(writer, 1)
            os.dup2(writer, 2)
            os.execve(argv[0], argv, {})
        finally:
            os._exit(NOT_STARTED)
    os.close(writer)
    with os.fdopen(reader, "rb") as output:
        said = output.read()
    status = os.waitpid(child, 0)[1]
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status), said


def system_call(name: str, arguments: Sequence[int], gained_on: Optional[Sequence[int]] = None) -> Outcome:
    """Make a raw system call; gained when the result is one of gained_on, or any success where that is not given."""
    import ctypes

    machine = platform.machine()
    number = SYSCALLS[name].get(machine)
    if number is None:
        raise RuntimeError(f"no number known on {machine} for {name}")
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    ctypes.set_errno(0)
    result = int(library.syscall(ctypes.c_long(number), *[ctypes.c_long(value) for value in arguments]))
    called = f"{name}({', '.join(str(value) for value in arguments)}) = {result}"
    if result == -1:
        called += " " + error_text(OSError(ctypes.get_errno(), ""))
    return (result != -1) if gained_on is None else (result in gained_on), called


def in_a_child(call: Callable[[], int]) -> Tuple[int, int, int]:
    """Make a call in a process of its own: (signal that ended it or 0, result, errno or 0)."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            result, error = call(), 0
        except OSError as failure:
            result, error = -1, int(failure.errno or 0)
        os.write(writer, struct.pack("qi", result, error))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        said = stream.read()
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status), -1, 0
    return (0, *struct.unpack("qi", said))


def judge_call(called: str, signal_number: int, result: int, error: int, reached: Sequence[int]) -> Outcome:
    """Gained when the call worked, or the kernel itself answered it with one of these errors."""
    if signal_number:
        if signal_number != SIGSYS:
            raise RuntimeError(f"{called}: signal {signal_number} ended the process")
        return False, f"{called}: the process was killed by SIGSYS"
    if not error:
        return True, f"{called} = {result}"
    said = f"{called} = -1 {error_text(OSError(error, ''))}"
    if error in reached:
        return True, f"{said}: the kernel looked at it"
    if error not in FILTER_ERRORS:
        raise RuntimeError(f"{said}, which neither a filter gives nor was expected of the kernel")
    return False, said


def filtered_call(name: str, arguments: Sequence[Any], reached: Sequence[int] = ()) -> Outcome:
    """Make a system call that a filter may refuse; a text among the arguments is passed by its address.

    It is made in a process of its own, which ends at once, so it changes nothing for anybody.
    """
    import ctypes

    machine = platform.machine()
    if machine != "x86_64" and machine not in GENERIC_MACHINES:
        raise NothingToAttack(f"the numbers of system calls on {machine} are not known here")
    if name == "io_uring_setup" and read_setting("/proc/sys/kernel/io_uring_disabled") == "2":
        raise NothingToAttack("the kernel's own setting kernel.io_uring_disabled keeps io_uring from everybody")
    number = FILTERED_CALLS[name][0 if machine == "x86_64" else 1]
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    texts = [
        ctypes.create_string_buffer(value.encode(), 256) if isinstance(value, str) else None for value in arguments
    ]
    words = [
        ctypes.c_ulong(ctypes.addressof(text) if text is not None else value) for text, value in zip(texts, arguments)
    ]

    def call() -> int:
        result = int(library.syscall(ctypes.c_long(number), *words))
        if result == -1:
            raise OSError(ctypes.get_errno(), "")
        return result

    shown = ", ".join(repr(value) if isinstance(value, str) else str(value) for value in arguments)
    return judge_call(f"{name}({shown})", *in_a_child(call), reached)


def read_setting(path: str) -> str:
    """Content of a kernel setting, "" where there is none."""
    try:
        with open(path, encoding="ascii") as stream:
            return stream.read().strip()
    except OSError:
        return ""


def old_architecture_socket(family: int, kind: int, reached: Sequence[int]) -> Outcome:
    """Ask for a socket as a 32-bit program does, by socketcall, whose arguments no filter can see."""
    import ctypes

    if platform.machine() != "x86_64":
        raise NothingToAttack(f"32-bit calls on {platform.machine()} are not known here")
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    page = library.mmap(None, 4096, 7, 0x22 | MAP_32BIT, -1, 0)
    if page is None or page == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "no memory that can be executed")
    ctypes.memmove(page + 2048, struct.pack("<3I", family, kind, 0), 12)
    # push rbx; mov eax, 102 (socketcall); mov ebx, 1 (SYS_SOCKET); mov ecx, arguments; int 0x80; pop rbx; ret
    code = b"\x53\xb8" + struct.pack("<I", 102) + b"\xbb" + struct.pack("<I", 1) + b"\xb9"
    code += struct.pack("<I", page + 2048) + b"\xcd\x80\x5b\xc3"
    ctypes.memmove(page, code, len(code))

    def call() -> int:
        result = int(ctypes.CFUNCTYPE(ctypes.c_int)(page)())
        if result < 0:
            raise OSError(-result, "")
        return result

    ended = in_a_child(call)
    if ended[0] == signal.SIGSEGV:
        raise NothingToAttack("this kernel runs no 32-bit programs")
    return judge_call(f"socketcall(SYS_SOCKET, [{family}, {kind}, 0]) of i386", *ended, reached)


def open_files(count: int) -> Outcome:
    """Raise the soft limit as far as the hard one allows and hold `count` files open at the same time."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    held: List[int] = []
    limit = "no hard limit" if hard == resource.RLIM_INFINITY else f"hard limit {hard}"
    try:
        held.append(os.open("/dev/null", os.O_RDONLY))
        while len(held) < count:
            held.append(os.dup(held[0]))
    except OSError as error:
        if error.errno != errno.EMFILE:
            raise
        return False, f"{len(held)} of {count} files opened, then {error_text(error)}; {limit}"
    finally:
        for descriptor in held:
            os.close(descriptor)
    return True, f"{count} files held open by one process; {limit}"


def cgroup_view() -> Outcome:
    """See where in the host's control group tree this process sits."""
    with open("/proc/self/cgroup", encoding="utf-8", errors="replace") as stream:
        paths = [line.rstrip("\n").split(":", 2)[2] for line in stream if line.count(":") >= 2]
    if not paths:
        raise RuntimeError("/proc/self/cgroup: no control groups")
    outside = [path for path in paths if path != "/"]
    if outside:
        return True, f"/proc/self/cgroup shows {outside[0]}"
    return False, "/proc/self/cgroup shows only /"


def flood(size: int) -> Outcome:
    """Write `size` bytes of log text to the standard output."""
    line = b"." * 8191 + b"\n"
    left = size
    while left > 0:
        left -= os.write(sys.stdout.fileno(), line[: max(1, min(left, len(line)))])
    os.write(sys.stdout.fileno(), b"\n")
    return True, f"{size} bytes written"


def ask_version(path: str) -> str:
    """First line of the engine's answer to GET /version on a Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(15)
        client.connect(path)
        return first_line(client)


def first_line(client: socket.socket) -> str:
    """Ask for /version over a connection; first line of the answer."""
    client.sendall(VERSION_REQUEST)
    return client.recv(4096).split(b"\r\n", 1)[0].decode("ascii", "replace")


def is_served(line: str) -> bool:
    """Whether the first line of an answer says that the request was granted."""
    return line.startswith("HTTP/") and line.split()[1:2] == ["200"]


def unix_version(paths: Sequence[str]) -> Outcome:
    """Ask the engine's API for its version on each Unix socket."""
    gained = False
    seen: List[str] = []
    for path in paths:
        try:
            status = ask_version(path)
            gained = gained or is_served(status)
        except OSError as error:
            if not is_refusal(error):
                raise
            status = error_text(error)
        seen.append(f"{path}: {status}")
    return gained, f"uid {os.getuid()}, {'; '.join(seen)}"


def vector(data: bytes, octets: int) -> bytes:
    """A variable field of TLS: its length in so many octets, then the data."""
    return len(data).to_bytes(octets, "big") + data


def numbers(values: Sequence[int]) -> bytes:
    """Numbers of two octets each."""
    return b"".join(struct.pack(">H", value) for value in values)


def client_hello(version: int) -> bytes:
    """The first record of a client that speaks this version and none newer.

    It is made by hand since the host's TLS library may refuse to offer old versions at all.
    """
    extensions = [(10, vector(numbers(CURVES), 2)), (11, vector(b"\0", 1)), (0xFF01, vector(b"", 1))]
    ciphers = list(OLD_CIPHERS)
    if version >= TLS_1_2:
        ciphers = [*NEW_CIPHERS, *OLD_CIPHERS]
        extensions.append((13, vector(numbers(SIGNATURE_SCHEMES), 2)))
    body = struct.pack(">H", version) + os.urandom(32) + vector(b"", 1)
    body += vector(numbers(ciphers), 2) + vector(b"\0", 1)
    body += vector(b"".join(struct.pack(">H", kind) + vector(data, 2) for kind, data in extensions), 2)
    message = bytes([CLIENT_HELLO]) + vector(body, 3)
    return struct.pack(">BH", HANDSHAKE_RECORD, TLS_1_0) + vector(message, 2)


def answer_to_hello(address: Address, version: int, seconds: float) -> Tuple[str, str]:
    """What a listener answers to a hello: ("accepted", "refused" or "no TLS", text)."""
    data = b""
    with socket.create_connection(address, timeout=seconds) as client:
        client.sendall(client_hello(version))
        try:
            while len(data) < 11:
                more = client.recv(4096)
                if not more:
                    break
                data += more
        except (ConnectionResetError, socket.timeout):
            pass  # what came until then decides
    if data[:1] == bytes([ALERT_RECORD]) and len(data) >= 7:
        return "refused", f"{TLS_NAMES[version]}: alert {data[6]}"
    if data[:1] == bytes([HANDSHAKE_RECORD]) and len(data) >= 11 and data[5] == SERVER_HELLO:
        chosen = int.from_bytes(data[9:11], "big")
        return ("accepted" if chosen == version else "refused"), f"{TLS_NAMES[version]}: hello of version {chosen:#06x}"
    return "no TLS", f"{TLS_NAMES[version]}: no answer of a TLS server"


def speaks_tls(address: Address, seconds: float) -> bool:
    """Whether a listener answers in TLS."""
    return answer_to_hello(address, TLS_1_2, seconds)[0] != "no TLS"


def plaintext_version(address: Address, seconds: float) -> Outcome:
    """Ask a listener for /version without TLS."""
    with socket.create_connection(address, timeout=seconds) as client:
        try:
            line = first_line(client)
        except ConnectionResetError:
            line = "the connection was cut"
    return is_served(line), f"in plaintext: {line if line.startswith('HTTP/') else 'no HTTP answer'}"


def attack_listeners(
    listeners: Sequence[Sequence[Any]], seconds: float, attack: Callable[[Address], Outcome]
) -> Outcome:
    """Attack every TCP listener; one that knows no TLS is asked in plaintext, since that opens it to anybody."""
    gained = attacked = False
    seen: List[str] = []
    for host, port in listeners:
        address = (str(host), int(port))
        if speaks_tls(address, seconds):
            attacked = True
            served, text = attack(address)
        else:
            served, text = plaintext_version(address, seconds)
            text = f"no TLS at all, {text}"
        gained = gained or served
        seen.append(f"{host} port {port}: {text}")
    if not (attacked or gained):
        raise NothingToAttack("; ".join(["no TCP listener of the engine speaks TLS or serves the API", *seen]))
    return gained, "; ".join(seen)


def tls_spoken(listeners: Sequence[Sequence[Any]], seconds: float) -> Outcome:
    """Begin a handshake of TLS 1.2 with every listener: shows that an honest client is answered."""
    accepted = False
    seen: List[str] = []
    for host, port in listeners:
        answer, text = answer_to_hello((str(host), int(port)), TLS_1_2, seconds)
        accepted = accepted or answer == "accepted"
        seen.append(f"{host} port {port}: {text}")
    return accepted, "; ".join(seen)


def tls_plaintext(listeners: Sequence[Sequence[Any]], seconds: float) -> Outcome:
    """Speak plain HTTP to a TLS port."""
    return attack_listeners(listeners, seconds, lambda address: plaintext_version(address, seconds))


def tls_old_protocol(listeners: Sequence[Sequence[Any]], seconds: float) -> Outcome:
    """Offer nothing newer than TLS 1.1 and TLS 1.0."""

    def attack(address: Address) -> Outcome:
        said = [answer_to_hello(address, version, seconds) for version in (TLS_1_1, TLS_1_0)]
        return any(answer == "accepted" for answer, _text in said), ", ".join(text for _answer, text in said)

    return attack_listeners(listeners, seconds, attack)


def client_context(certificate: str = "", key: str = "") -> Any:
    """Settings of a TLS client that trusts any server and shows the certificate, if there is one."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(certificate, key)
    return context


def tls_version(address: Address, seconds: float, context: Any) -> Outcome:
    """Ask for /version over TLS; an alert or a cut line is a refusal, every other error is raised."""
    import ssl

    with socket.create_connection(address, timeout=seconds) as raw:
        try:
            with context.wrap_socket(raw) as client:
                line = first_line(client)
                return is_served(line), f"over {client.version()}: {line or 'closed without an answer'}"
        except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
            # The server may be gone before its alert was read.
            return False, "over TLS: the connection was cut"
        except ssl.SSLError as error:
            reason = str(error.reason or error)
            if "ALERT" not in reason:
                raise RuntimeError(f"TLS with {address[0]} port {address[1]}: {reason}") from error
            return False, f"over TLS: {reason}"


def tls_no_client_certificate(listeners: Sequence[Sequence[Any]], seconds: float) -> Outcome:
    """Speak TLS without a certificate."""
    context = client_context()
    return attack_listeners(listeners, seconds, lambda address: tls_version(address, seconds, context))


def tls_server_certificate(listeners: Sequence[Sequence[Any]], certificate: str, key: str, seconds: float) -> Outcome:
    """Show the engine its own certificate."""

    def attack(address: Address) -> Outcome:
        if not certificate or not key:
            raise RuntimeError("it is not known which certificate and key the engine uses")
        return tls_version(address, seconds, client_context(certificate, key))

    return attack_listeners(listeners, seconds, attack)


def foreign_certificate(openssl: str) -> Tuple[str, str]:
    """Paths of a new certificate for clients and its key; they exist in the memory of this process only."""
    files = [os.memfd_create(name, 0) for name in ("certificate", "key")]
    certificate, key = (f"/proc/self/fd/{number}" for number in files)
    status, said = _run_program(
        *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-days", "2", "-subj", "/CN=bulwark-probe", "-addext", "extendedKeyUsage=clientAuth"),
        *("-out", certificate, "-keyout", key),
    )
    if status != 0:
        raise RuntimeError(f"{openssl} made no certificate: {said.decode('utf-8', 'replace').strip()[-200:]}")
    return certificate, key


def tls_foreign_certificate(listeners: Sequence[Sequence[Any]], openssl: str, seconds: float) -> Outcome:
    """Show a certificate for clients that a foreign CA issued."""
    context = client_context(*foreign_certificate(openssl))
    return attack_listeners(listeners, seconds, lambda address: tls_version(address, seconds, context))


def tls_own_server(openssl: str, seconds: float) -> Outcome:
    """Show the foreign certificate to a server that trusts its CA: shows that the client really presents it."""
    import ssl

    certificate, key = foreign_certificate(openssl)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        server.settimeout(seconds)
        threading.Thread(target=serve_tls_once, args=(server, context, seconds), daemon=True).start()
        served, text = tls_version(server.getsockname(), seconds, client_context(certificate, key))
    return served, f"a server that trusts the foreign CA, {text}"


def serve_tls_once(server: socket.socket, context: Any, seconds: float) -> None:
    """Grant one request of a client whose certificate is accepted."""
    try:
        raw, _peer = server.accept()
        raw.settimeout(seconds)
        with context.wrap_socket(raw, server_side=True) as client:
            client.recv(4096)
            client.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
    except OSError:
        # The client tells what came of it.
        return


# The audit probes: what the kernel calls the initial process namespace, and how long auditd may take to write.
FIRST_PID_NAMESPACE = "pid:[4026531836]"
AUDIT_SECONDS = 6.0
AUSEARCH = ("/usr/sbin/ausearch", "/sbin/ausearch", "/usr/bin/ausearch")


def leave_mark(candidates: Sequence[str], how: str) -> str:
    """Touch the first path that exists without changing anything of substance; the path.

    "attributes" sets the mode that it has, "write" makes and removes an empty file in a directory (or the directory
    itself where there is none), "run" runs a program.
    """
    path = next((os.path.realpath(name) for name in candidates if os.path.exists(name)), "")
    if not path and how != "write":
        raise NothingToAttack(f"this host has none of {', '.join(candidates)}")
    if how == "run":
        _run_program(path, "--version")
    elif how == "attributes":
        os.chmod(path, os.stat(path).st_mode & 0o7777)
    elif path:
        mark = f"{path}/.bulwark-probe-{os.getpid()}"
        os.close(os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        os.unlink(mark)
        return mark
    else:
        path = candidates[0]
        os.mkdir(path, 0o700)
        os.rmdir(path)
    return path


def audit_mark(candidates: Sequence[str], how: str) -> Outcome:
    """Touch a subject: shows that the attempt can be made at all."""
    if os.readlink("/proc/self/ns/pid") != FIRST_PID_NAMESPACE:
        raise NothingToAttack("this host is a container, and the kernel's audit system listens to the real host only")
    return True, f"{how}: {leave_mark(candidates, how)}"


def audit_unseen(candidates: Sequence[str], how: str) -> Outcome:
    """Touch a subject and look for an event about it in the audit log; gained when there is none."""
    started = time.time()
    path = audit_mark(candidates, how)[1].split(": ", 1)[1]
    ausearch = next((name for name in AUSEARCH if os.path.exists(name)), "")
    if not ausearch:
        return True, f"{how}: {path}: this host has no ausearch, so nothing is recorded"
    deadline = time.monotonic() + AUDIT_SECONDS
    while True:
        _status, said = _run_program(ausearch, "--input-logs", "--raw", "-ts", "recent", "-f", path)
        key = audit_key(said.decode("utf-8", "replace"), path, started)
        if key:
            return False, f"{how}: {path}: recorded with key {key}"
        if time.monotonic() > deadline:
            return True, f"{how}: {path}: no event of it in the audit log"
        time.sleep(0.5)


def audit_key(text: str, path: str, started: float) -> str:
    """Key of an event about a path that happened since the start (seconds since the epoch), "" when there is none."""
    keys: Dict[str, str] = {}
    named: List[str] = []
    for line in text.split("\n"):
        head, stamp = line.partition(" msg=audit(")[::2]
        identity, closed, rest = stamp.partition(")")
        if not closed or float(identity.split(":")[0]) < started - 1:
            continue
        if head == "type=SYSCALL":
            value = rest.partition(" key=")[2].split("\x1d")[0].strip()
            keys[identity] = "" if value == "(null)" else value.strip('"')
        elif head == "type=PATH" and f' name="{path}" ' in rest:
            named.append(identity)
    return next((keys[identity] for identity in named if keys.get(identity)), "")


def is_denied(error: OSError) -> bool:
    """Whether an error is what a check of permissions gives."""
    return error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)


def read_token(path: str, token: str) -> Outcome:
    """Read the token of this run from a file."""
    about = f"uid {os.getuid()} reads {path}"
    try:
        with open(path, encoding="ascii") as stream:
            found = stream.read()
    except OSError as error:
        if not is_denied(error):
            raise
        return False, f"{about}: {error_text(error)}"
    if found != token:
        raise RuntimeError(f"{about}: it is not the file of this run")
    return True, f"{about}: it is the file of this run"


def plant_file(directory: str) -> Outcome:
    """Make a file in a directory, and remove it."""
    path = f"{directory}/planted-{os.getpid()}"
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        if not is_denied(error):
            raise
        return False, f"uid {os.getuid()} makes {path}: {error_text(error)}"
    owner = os.stat(path).st_uid
    os.unlink(path)
    return True, f"uid {os.getuid()} makes {path}: it belongs to uid {owner}"


def make_node(directory: str, device: bool) -> Outcome:
    """Make a device node (that of /dev/null), or a pipe to show that one could be made, and remove it."""
    path = f"{directory}/node-{os.getpid()}"
    kind = stat.S_IFCHR if device else stat.S_IFIFO
    about = "a device node" if device else "a pipe"
    try:
        os.mknod(path, kind | 0o600, os.makedev(1, 3) if device else 0)
    except OSError as error:
        if not is_denied(error):
            raise
        return False, f"uid {os.getuid()} makes {about}: {error_text(error)}"
    os.unlink(path)
    return True, f"uid {os.getuid()} makes {about}"


def host_root() -> Outcome:
    """See whether uid 0 of this place is uid 0 one user namespace further out, too."""
    with open("/proc/self/uid_map", encoding="ascii") as stream:
        ranges = [[int(word) for word in line.split()] for line in stream]
    outside = [first for inside, first, _count in ranges if inside == 0]
    if not outside:
        raise RuntimeError("/proc/self/uid_map: uid 0 is nobody here")
    return outside[0] == 0, f"uid 0 here is uid {outside[0]} outside"


def rewrite_setting(path: str) -> Outcome:
    """Write to a setting of the kernel the value that it has."""
    with open(path, encoding="ascii") as stream:
        value = stream.read()
    try:
        with open(path, "w", encoding="ascii") as stream:
            stream.write(value)
    except OSError as error:
        if not is_denied(error):
            raise
        return False, f"uid {os.getuid()} writes to {path}: {error_text(error)}"
    return True, f"uid {os.getuid()} writes to {path}"


def append_file(path: str) -> Outcome:
    """Write to a file, which is made where it is missing."""
    try:
        with open(path, "a", encoding="ascii") as stream:
            stream.write("changed\n")
    except PermissionError as error:
        return False, f"{path}: {error_text(error)}"
    return True, f"{path} was written"


def leave_setuid(program: str, path: str) -> Outcome:
    """Put a set-uid copy of a program where somebody else can run it; it appears at once and complete."""
    with open(program, "rb") as stream:
        content = stream.read()
    with open(path + ".new", "wb") as stream:
        stream.write(content)
    os.chmod(path + ".new", 0o4755)
    os.rename(path + ".new", path)
    return True, f"{path} was left with mode 4755"


def run_setuid(path: str, seconds: float) -> Outcome:
    """Run a copy of the program id that somebody left, as soon as it is there; gained when it says that it is root."""
    deadline = time.monotonic() + seconds
    while not os.path.exists(path):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{path} did not appear")
        time.sleep(0.05)
    owner = os.stat(path).st_uid
    status, said = _run_program(path, "-u")
    number = said.decode("utf-8", "replace").strip()
    if status != 0 or not number.isdigit():
        return False, f"{path} (owner {owner}): status {status}, {number[:200]}"
    return number == "0", f"uid {os.getuid()} ran {path} (owner {owner}) and became uid {number}"


# The AppArmor probes.
PTRACE_ATTACH, PTRACE_DETACH = 16, 17
# struct vfs_cap_data: revision 2 with the effective flag, CAP_DAC_OVERRIDE (bit 1) permitted.
FILE_CAPABILITY = struct.pack("<5I", 0x02000001, 1 << 1, 0, 0, 0)


def confinement() -> str:
    """Under which profile this process runs, in words."""
    try:
        with open("/proc/self/attr/current", encoding="ascii", errors="replace") as stream:
            return f"under {stream.read().strip() or 'no profile'}"
    except OSError:
        return "without AppArmor"


def permitted(what: str, attack: Callable[[], Any]) -> Outcome:
    """Do something that a permission check may refuse; every other error is raised."""
    try:
        attack()
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM):
            raise
        return False, f"{what}, {confinement()}: {error_text(error)}"
    return True, f"{what}, {confinement()}: done"


def open_socket(family: int, kind: int, protocol: int) -> Outcome:
    """Open a socket of a kind that ordinary programs do not need."""
    return permitted(f"socket({family}, {kind}, {protocol})", lambda: socket.socket(family, kind, protocol).close())


def give_capability(path: str) -> Outcome:
    """Give a file of one's own a capability."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o700))
    try:
        return permitted(
            f"security.capability of {path}", lambda: os.setxattr(path, "security.capability", FILE_CAPABILITY)
        )
    finally:
        os.unlink(path)


def write_into(directory: str) -> Outcome:
    """Make a file in a directory and take it away."""
    path = f"{directory}/bulwark-probe-{os.getpid()}"

    def attack() -> None:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700))
        os.unlink(path)

    return permitted(f"create {path}", attack)


def run_tool(candidates: Sequence[str], arguments: Sequence[str], expected: str) -> Outcome:
    """Run the first program that is there."""
    path = next((os.path.realpath(name) for name in candidates if os.path.exists(name)), "")
    if not path:
        raise NothingToAttack(f"this host has none of {', '.join(candidates)}")
    status, said = _run_program(path, *arguments)
    if expected.encode() in said:
        return True, f"{path}, {confinement()}: it ran"
    if status != NOT_STARTED:
        raise RuntimeError(f"{path}: status {status}, {said.decode('utf-8', 'replace').strip()[:200]}")
    return False, f"{path}, {confinement()}: it could not be started"


def trace_process() -> Outcome:
    """Attach to a child as a debugger does."""
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    library.ptrace.restype = ctypes.c_long
    library.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    child = os.fork()
    if child == 0:
        signal.pause()
        os._exit(0)

    def attack() -> None:
        if library.ptrace(PTRACE_ATTACH, child, None, None) != 0:
            raise OSError(ctypes.get_errno(), "ptrace")
        os.waitpid(child, 0)
        library.ptrace(PTRACE_DETACH, child, None, None)

    try:
        return permitted("ptrace(PTRACE_ATTACH)", attack)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def read_environment() -> Outcome:
    """Read the environment of another process."""
    child = os.fork()
    if child == 0:
        signal.pause()
        os._exit(0)

    def attack() -> None:
        with open(f"/proc/{child}/environ", "rb") as stream:
            stream.read()

    try:
        return permitted("read environ of another process", attack)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


ACTIONS: Dict[str, Callable[..., Outcome]] = {
    "append_file": append_file,
    "audit_mark": audit_mark,
    "audit_unseen": audit_unseen,
    "cgroup_view": cgroup_view,
    "filtered_call": filtered_call,
    "flood": flood,
    "give_capability": give_capability,
    "host_root": host_root,
    "leave_setuid": leave_setuid,
    "make_node": make_node,
    "old_architecture_socket": old_architecture_socket,
    "open_files": open_files,
    "open_socket": open_socket,
    "own_exchange": own_exchange,
    "plant_file": plant_file,
    "read_environment": read_environment,
    "read_root_only": read_root_only,
    "read_token": read_token,
    "rewrite_setting": rewrite_setting,
    "run_setuid": run_setuid,
    "run_tool": run_tool,
    "serve": serve,
    "system_call": system_call,
    "tcp_exchange": tcp_exchange,
    "tls_foreign_certificate": tls_foreign_certificate,
    "tls_no_client_certificate": tls_no_client_certificate,
    "tls_old_protocol": tls_old_protocol,
    "tls_own_server": tls_own_server,
    "tls_plaintext": tls_plaintext,
    "tls_server_certificate": tls_server_certificate,
    "tls_spoken": tls_spoken,
    "trace_process": trace_process,
    "udp_exchange": udp_exchange,
    "unix_version": unix_version,
    "write_into": write_into,
}


def stop_in_time(_number: int, _frame: Any) -> None:
    """Signal handler: end an action that takes too long."""
    raise RuntimeError("it did not end in time")


def attempt(name: str, arguments: Dict[str, Any], seconds: float) -> Dict[str, Any]:
    """Run one action within its time; every error becomes a failure text."""
    signal.signal(signal.SIGALRM, stop_in_time)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        gained, detail = ACTIONS[name](**arguments)
        return {"gained": gained, "detail": detail}
    except NothingToAttack as error:
        return {"inapplicable": str(error)}
    except Exception as error:
        text = error_text(error) if isinstance(error, OSError) and error.errno else str(error)
        return {"failure": f"{name}: {type(error).__name__}: {text}"}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def attempt_as(uid: int, name: str, arguments: Dict[str, Any], seconds: float) -> Dict[str, Any]:
    """Run one action in a child process that gave up root and all groups for good."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            report = attempt(name, arguments, seconds)
        except OSError as error:
            report = {"failure": f"{name}: becoming uid {uid}: {error_text(error)}"}
        os.write(writer, json.dumps(report).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        data = stream.read()
    _pid, status = os.waitpid(child, 0)
    if not data:
        return {"failure": f"{name}: the process of uid {uid} ended with wait status {status}"}
    report = json.loads(data)
    return dict(report)


def report_line(value: Dict[str, Any]) -> None:
    """Print one line of the report at once."""
    sys.stdout.write(json.dumps(value, sort_keys=True) + "\n")
    sys.stdout.flush()


def main(argv: Sequence[str]) -> int:
    """Run the actions of the specification in argv[1] one after the other."""
    spec = json.loads(argv[1])
    for action in spec["actions"]:
        started = time.monotonic()
        if action["uid"] is None:
            report = attempt(action["name"], action["arguments"], spec["seconds"])
        else:
            report = attempt_as(action["uid"], action["name"], action["arguments"], spec["seconds"])
        report.update(id=action["id"], seconds=round(time.monotonic() - started, 3))
        report_line(report)
    report_line({"done": True})
    time.sleep(spec["linger"])
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
