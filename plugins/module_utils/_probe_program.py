# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hostile program of enforcement_probe (private; may change at any time).

Its source text is sent to the place where it runs: a throw-away container, or the host itself. It therefore stands
alone: standard library only, no import from this collection.

Call: `python3 -I -S -B program.py SPEC`, SPEC being a JSON object
`{"actions": [{"id": str, "name": str, "arguments": {...}, "uid": int or null}], "seconds": number, "linger": number}`.
`seconds` limits one action, `linger` keeps the process (and what it serves) alive after the last one.

Output: one JSON line for each action, `{"id", "gained": bool, "detail": str, "seconds": number}` or
`{"id", "failure": str, "seconds": number}`, then `{"done": true}`. "gained" says that the attacker got what he wanted.
A new attack is one function returning (gained, detail) and one entry in ACTIONS; an unexpected error is raised, so
that it can never be taken for a refusal.
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
import struct
import sys
import threading
import time
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

Outcome = Tuple[bool, str]

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
        client.sendall(b"GET /version HTTP/1.0\r\nHost: docker\r\n\r\n")
        return client.recv(4096).split(b"\r\n", 1)[0].decode("ascii", "replace")


def unix_version(paths: Sequence[str]) -> Outcome:
    """Ask the engine's API for its version on each Unix socket."""
    gained = False
    seen: List[str] = []
    for path in paths:
        try:
            status = ask_version(path)
            gained = gained or " 200 " in status + " "
        except OSError as error:
            if not is_refusal(error):
                raise
            status = error_text(error)
        seen.append(f"{path}: {status}")
    return gained, f"uid {os.getuid()}, {'; '.join(seen)}"


ACTIONS: Dict[str, Callable[..., Outcome]] = {
    "cgroup_view": cgroup_view,
    "flood": flood,
    "open_files": open_files,
    "own_exchange": own_exchange,
    "read_root_only": read_root_only,
    "serve": serve,
    "system_call": system_call,
    "tcp_exchange": tcp_exchange,
    "udp_exchange": udp_exchange,
    "unix_version": unix_version,
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
