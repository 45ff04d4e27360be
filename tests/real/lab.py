# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One Docker host as the corpus sees it: run modules on it, disturb them, look at the engine, make it virgin again.

Runs on a disposable host as root. What it says about the engine comes from systemd, the kernel and the engine's API
alone, never from the code under test.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import run_module

CONFIG = "/etc/docker/daemon.json"
DIRECTORY = "/etc/docker"
RECORD_ROOT = "/var/lib/bulwark-docker"
RECORD = RECORD_ROOT + "/system/state.json"
DROP_INS = "/etc/systemd/system/docker.service.d"
SOCKET_DROP_INS = "/etc/systemd/system/docker.socket.d"
DEFAULTS = "/etc/default/docker"
SCRATCH = "/etc/docker-corpus"
API_SOCKET = "/run/docker.sock"
IMAGE = "corpus:busybox"
START_SECONDS = 40.0
MODULE_SECONDS = 150.0
# Short ones, so that no case waits long; every call may set its own.
CHANGE_OPTIONS = {"lease": 0, "patience": 20}
COMMIT_OPTIONS = {"deadline": 25, **CHANGE_OPTIONS}
WRITING_CALLS = (
    "write",
    "rename",
    "renameat",
    "renameat2",
    "fsync",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "rmdir",
    "fchmod",
    "fchown",
)


class LabError(Exception):
    """The host itself does not do what a case needs."""


class Result(NamedTuple):
    """How a module ended: its JSON answer, or killed."""

    answer: dict[str, Any]
    killed: bool
    output: str

    @property
    def failed(self) -> bool:
        """Whether the module reported a failure (or nothing at all)."""
        return bool(self.answer.get("failed", not self.answer))

    @property
    def message(self) -> str:
        """The failure message."""
        return str(self.answer.get("msg", ""))


class KillPoint(NamedTuple):
    """The n-th call of one system call, and what it was about in the run that was watched."""

    call: str
    number: int
    text: str


class FileFacts(NamedTuple):
    """Everything of a file that removal has to give back."""

    raw: bytes | None
    mode: int
    uid: int
    gid: int
    link: str


class _Connection(http.client.HTTPConnection):
    def __init__(self, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(API_SOCKET)


def api(method: str, path: str, body: Any = None, timeout: float = 15.0) -> tuple[int, Any]:
    """One request to the engine; (status, decoded answer). OSError when nothing answers."""
    connection = _Connection(timeout)
    try:
        raw = None if body is None else json.dumps(body)
        connection.request(method, path, body=raw, headers={"Content-Type": "application/json"} if raw else {})
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text[:1] in (b"{", b"[") else text
    except http.client.HTTPException as exc:
        raise OSError(f"{type(exc).__name__}: {exc}") from exc
    finally:
        connection.close()


def shell(script: str, check: bool = True) -> str:
    """Run a shell script and return what it printed."""
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=120, check=False)
    if check and done.returncode != 0:
        raise LabError(f"{script}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def show(unit: str, *names: str) -> dict[str, str]:
    """Properties of a unit."""
    text = shell(f"systemctl show {unit} --property={','.join(names)}")
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def main_pid() -> int:
    """The engine's process, 0 when there is none."""
    return int(show("docker.service", "MainPID").get("MainPID") or 0)


def argv_of(pid: int) -> list[str]:
    """Command line of a process, empty when it is gone."""
    try:
        with open(f"/proc/{pid}/cmdline", encoding="utf-8") as handle:
            return handle.read().rstrip("\0").split("\0")
    except OSError:
        return []


def started_at(pid: int) -> float:
    """When a process started, in seconds since the epoch."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as handle:
        ticks = int(handle.read().rpartition(")")[2].split()[19])
    with open("/proc/uptime", encoding="utf-8") as handle:
        uptime = float(handle.read().split()[0])
    return time.time() - uptime + ticks / os.sysconf("SC_CLK_TCK")


def answers() -> bool:
    """Whether the engine answers now; the socket of a stopped engine would start it, so its process is asked first."""
    if show("docker.service", "ActiveState").get("ActiveState") != "active":
        return False
    try:
        return api("GET", "/_ping", timeout=5.0)[0] == 200
    except OSError:
        return False


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether a condition became true in time."""
    deadline = time.monotonic() + seconds
    while True:
        if condition():
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.1)


def facts(path: str = CONFIG) -> FileFacts:
    """Bytes, mode, owner and link target of a file."""
    link = os.readlink(path) if os.path.islink(path) else ""
    try:
        with open(path, "rb") as handle:
            raw = handle.read()
        found = os.stat(path)
    except FileNotFoundError:
        return FileFacts(None, 0, 0, 0, link)
    return FileFacts(raw, found.st_mode & 0o7777, found.st_uid, found.st_gid, link)


def write(path: str, text: str | bytes, mode: int = 0o644, uid: int = 0, gid: int = 0) -> None:
    """Write a file as an administrator would, with its directory."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as handle:
        handle.write(text.encode("utf-8") if isinstance(text, str) else text)
    os.chown(path, uid, gid)
    os.chmod(path, mode)


def drop_in(name: str, text: str) -> tuple[str, str]:
    """Path and content of a drop-in of docker.service."""
    return f"{DROP_INS}/{name}.conf", text


@functools.lru_cache(maxsize=1)
def version() -> tuple[int, ...]:
    """Version of the installed engine."""
    words = shell("dockerd --version").split()
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", words[2])
    if not found:
        raise LabError(f"dockerd --version says {words!r}")
    return tuple(int(part) for part in found.groups())


def dockerd_refuses(path: str = CONFIG, flags: Sequence[str] | None = None) -> str:
    """What the real dockerd has against a file (with the flags of the running one); empty when nothing."""
    given = list(flags) if flags is not None else argv_of(main_pid())[1:]
    flags = [word for word in given if not word.startswith("--config-file")]
    if not os.path.exists(path):
        return ""
    if version() >= (23,):
        argv = ["dockerd", "--validate", f"--config-file={path}", *flags]
    else:
        # What this start must not touch would collide with a key of the same meaning.
        os.makedirs(SCRATCH, exist_ok=True)
        with open(path, "rb") as handle:
            kept = re.sub(rb'"(graph|data-root|exec-root|pidfile)"', b'"max-download-attempts"', handle.read())
        kept = re.sub(rb'("max-download-attempts"\s*:\s*)"[^"]*"', rb"\g<1>5", kept)
        write(f"{SCRATCH}/candidate.json", kept)
        nowhere = ["--data-root=/dev/null/x", "--exec-root=/dev/null/y", "--pidfile=/dev/null/p"]
        argv = ["dockerd", f"--config-file={SCRATCH}/candidate.json", *flags, *nowhere]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode == 0 or (version() < (23,) and "full path to root" in done.stderr):
        return ""
    return done.stderr.strip() or f"status {done.returncode}"


class Module:
    """A module that runs in a child of this process."""

    def __init__(self, name: str, arguments: Mapping[str, Any], stopped: bool = False) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - result() closes it
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self._child(name, dict(arguments), stopped)

    def _child(self, name: str, arguments: dict[str, Any], stopped: bool) -> None:
        code = 70
        try:
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)
            os.dup2(self._output.fileno(), 1)
            os.dup2(self._output.fileno(), 2)
            if stopped:
                os.kill(os.getpid(), signal.SIGSTOP)
            run_module.run(name, arguments)
        except SystemExit as exc:
            code = exc.code if isinstance(exc.code, int) else 1
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def running(self) -> bool:
        """Whether it has not ended yet (a stopped one counts as running)."""
        found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return found is None

    def kill(self) -> None:
        """End it the hard way."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def result(self, seconds: float = MODULE_SECONDS) -> Result:
        """Wait for the end and read the answer."""
        if not wait_until(lambda: not self.running(), seconds):
            self.kill()
            os.waitpid(self.pid, 0)
            raise LabError(f"a module did not end within {seconds:.0f} s")
        status = os.waitpid(self.pid, 0)[1]
        self._output.seek(0)
        output = self._output.read().decode("utf-8", "replace")
        self._output.close()
        answer: dict[str, Any] = {}
        for line in output.splitlines():
            if line.startswith("{"):
                answer = json.loads(line)
        return Result(answer, os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, output)


def present(settings: Mapping[str, Any], owner: str = "daemon_baseline", **options: Any) -> Result:
    """daemon_config with state present."""
    return Module("daemon_config", present_arguments(settings, owner, **options)).result()


def present_arguments(settings: Mapping[str, Any], owner: str = "daemon_baseline", **options: Any) -> dict[str, Any]:
    """Arguments of daemon_config with state present."""
    return {"owner": owner, "settings": dict(settings), **CHANGE_OPTIONS, **options}


def absent(owner: str = "daemon_baseline", **options: Any) -> Result:
    """daemon_config with state absent."""
    return Module("daemon_config", absent_arguments(owner, **options)).result()


def absent_arguments(owner: str = "daemon_baseline", **options: Any) -> dict[str, Any]:
    """Arguments of daemon_config with state absent."""
    return {"owner": owner, "state": "absent", **CHANGE_OPTIONS, **options}


def commit(**options: Any) -> Result:
    """engine_commit."""
    return Module("engine_commit", commit_arguments(**options)).result()


def commit_arguments(**options: Any) -> dict[str, Any]:
    """Arguments of engine_commit."""
    return {**COMMIT_OPTIONS, **options}


def engine_info() -> dict[str, Any]:
    """What engine_info reports; LabError when it fails."""
    result = Module("engine_info", {}).result()
    if result.failed:
        raise LabError(f"engine_info failed: {result.message or result.output}")
    return dict(result.answer["engine"])


def traced(name: str, arguments: Mapping[str, Any], inject: KillPoint | None = None) -> tuple[Result, list[KillPoint]]:
    """Run a module under strace; with a kill point it gets SIGKILL just before that system call.

    Returns its result and the calls that change the engine's or the collection's files, in their order.
    """
    module = Module(name, arguments, stopped=True)
    os.waitpid(module.pid, os.WUNTRACED)
    with tempfile.NamedTemporaryFile("r", encoding="utf-8", errors="replace") as log:
        argv = ["strace", "-qq", "-y", "-s", "0", "-o", log.name, "-p", str(module.pid), "-e"]
        argv.append("trace=" + ",".join(WRITING_CALLS))
        if inject is not None:
            argv += ["-e", f"inject={inject.call}:signal=KILL:when={inject.number}"]
        with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as tracer:
            attached = wait_until(lambda: _tracer(module.pid) or tracer.poll() is not None, 10.0)
            if not attached or tracer.poll() is not None:
                module.kill()
                raise LabError("strace does not attach")
            os.kill(module.pid, signal.SIGCONT)
            result = module.result()
            tracer.wait(timeout=20)
        return result, _writes(log.read())


def _tracer(pid: int) -> bool:
    with open(f"/proc/{pid}/status", encoding="utf-8") as handle:
        return any(line.startswith("TracerPid:") and line.split()[1] != "0" for line in handle)


def _writes(log: str) -> list[KillPoint]:
    counts: dict[str, int] = {}
    points: list[KillPoint] = []
    for line in log.splitlines():
        call = line.partition("(")[0].strip()
        if call not in WRITING_CALLS:
            continue
        counts[call] = counts.get(call, 0) + 1
        ours = any(part in line for part in (DIRECTORY, DROP_INS, "bulwark-docker"))
        if ours:
            points.append(KillPoint(call, counts[call], line[:160]))
    return points


def leftovers() -> list[str]:
    """Temporary files that a run left behind."""
    found: list[str] = []
    for top in (DIRECTORY, RECORD_ROOT, SCRATCH):
        for folder, _folders, names in os.walk(top):
            found += [os.path.join(folder, name) for name in names if name.startswith(".bulwark-")]
    return found


def ineffective(settings: Mapping[str, Any], icc_deferred: bool = False) -> list[str]:
    """Which of the wanted settings the running engine does not show, and whether it read the file at all."""
    info = api("GET", "/info")[1]
    bridge = api("GET", "/networks/bridge")[1]
    security = " ".join(info.get("SecurityOptions") or [])
    shown: dict[str, Any] = {
        "live-restore": info.get("LiveRestoreEnabled"),
        "log-driver": info.get("LoggingDriver"),
        "default-address-pools": [
            {"base": pool["Base"], "size": pool["Size"]} for pool in info.get("DefaultAddressPools") or []
        ],
    }
    if not icc_deferred:
        shown["icc"] = bridge["Options"].get("com.docker.network.bridge.enable_icc") == "true"
    if version() >= (24,):
        shown["no-new-privileges"] = "name=no-new-privileges" in security
    problems = [
        f"{key} is {shown[key]!r}, wanted {value!r}"
        for key, value in settings.items()
        if key in shown and shown[key] != value
    ]
    if not set(settings) & set(shown):
        problems.append("none of the wanted settings can be seen in the engine")
    return problems


def containers() -> dict[str, int]:
    """Names and process ids of the running containers."""
    found = {}
    for summary in api("GET", "/containers/json")[1]:
        details = api("GET", f"/containers/{summary['Id']}/json")[1]
        found[details["Name"].lstrip("/")] = int(details["State"]["Pid"])
    return found


def start_container(name: str, *options: str) -> int:
    """Start a container that does nothing; its process id."""
    argv = ["docker", "run", "--detach", "--name", name, "--stop-signal", "KILL", *options, IMAGE]
    done = subprocess.run(
        [*argv, "/busybox", "sleep", "86400"], capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode != 0:
        raise LabError(f"start the container {name}: {done.stderr.strip()}")
    return containers()[name]


@contextlib.contextmanager
def listening(port: int) -> Iterator[None]:
    """Hold a TCP port of 127.0.0.1."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", port))
        holder.listen()
        yield


def start_engine() -> None:
    """Start the engine with what is on disk; LabError when it does not come up."""
    shell(
        "systemctl daemon-reload; systemctl reset-failed docker.service docker.socket; systemctl restart docker.service"
    )
    if not wait_until(answers, START_SECONDS):
        raise LabError("the engine did not start: " + shell("journalctl -u docker.service -n 5 -o cat --no-pager"))


def restart_socket() -> None:
    """Stop the engine and listen on its socket anew, as docker.socket and its drop-ins say.

    An engine that was told to listen there by itself takes the socket's file away when it ends.
    """
    shell("systemctl daemon-reload; systemctl stop docker.service; systemctl restart docker.socket")


class Lab:
    """The host, with what a virgin engine looks like on it."""

    def __init__(self) -> None:
        for name in ("daemon_config", "engine_commit", "engine_info"):
            run_module.load(name)
        self._defaults = facts(DEFAULTS).raw or b""
        # The engine of 20.10 keeps a key of its own there.
        self._files = {"key.json"} & set(os.listdir(DIRECTORY))
        self._clean_files()
        restart_socket()
        start_engine()
        self._clean_engine()
        self._import_image()
        self._signature = self.signature()
        self._virgin_pid = main_pid()

    @staticmethod
    def _import_image() -> None:
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(shutil.which("busybox") or "/bin/busybox", folder + "/busybox")
            shell(f"tar -C {folder} -c . | docker import - {IMAGE}")

    @staticmethod
    def signature() -> dict[str, Any]:
        """What can be seen of a running engine's settings."""
        info = api("GET", "/info")[1]
        names = ("LiveRestoreEnabled", "LoggingDriver", "Debug", "SecurityOptions", "DefaultRuntime", "Driver")
        names += ("Labels", "RegistryConfig", "DockerRootDir", "HttpProxy", "Containers", "ExperimentalBuild")
        found = {name: info.get(name) for name in names}
        found["Runtimes"] = sorted(info.get("Runtimes") or {})
        found["Swarm"] = (info.get("Swarm") or {}).get("LocalNodeState")
        found["bridge"] = api("GET", "/networks/bridge")[1].get("Options")
        found["argv"] = argv_of(main_pid())
        return found

    def _virgin(self) -> bool:
        """Whether the engine was started without anything of ours or of a case, and shows it.

        One that was seen virgin once stays so while it is the same process and shows the same.
        """
        if any(os.path.exists(path) for path in (DROP_INS, SOCKET_DROP_INS, RECORD_ROOT, SCRATCH)) or not answers():
            return False
        if "yes" in shell("systemctl show docker.service docker.socket --property=NeedDaemonReload --value"):
            return False
        if facts(DEFAULTS).raw != self._defaults or set(os.listdir(DIRECTORY)) != self._files:
            return False
        newest = max(os.stat(path).st_ctime for path in (DIRECTORY, DEFAULTS))
        pid = main_pid()
        if newest > started_at(pid) and pid != self._virgin_pid:
            return False
        if self.signature() != self._signature:
            return False
        self._virgin_pid = pid
        return True

    def _clean_files(self) -> None:
        for line in shell("cat /proc/mounts").splitlines():
            if line.split()[1] in (DIRECTORY, CONFIG, RECORD_ROOT):
                shell(f"umount {line.split()[1]}")
        shell(f"chattr -i {DIRECTORY} {CONFIG} 2>/dev/null", check=False)
        for path in (DROP_INS, SOCKET_DROP_INS, RECORD_ROOT, SCRATCH):
            shutil.rmtree(path, ignore_errors=True)
        os.makedirs(DIRECTORY, exist_ok=True)
        for name in set(os.listdir(DIRECTORY)) - self._files:
            path = os.path.join(DIRECTORY, name)
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
        if facts(DEFAULTS).raw != self._defaults:
            write(DEFAULTS, self._defaults)

    @staticmethod
    def _clean_engine() -> None:
        for summary in api("GET", "/containers/json?all=true")[1]:
            api("DELETE", f"/containers/{summary['Id']}?force=true&v=true")
        info = api("GET", "/info")[1]
        if (info.get("Swarm") or {}).get("LocalNodeState") not in ("inactive", None, ""):
            api("POST", "/swarm/leave?force=true", timeout=60)

    def reset(self, fresh: bool) -> None:
        """Make the host virgin; LabError when that does not work.

        With fresh False the engine stays down, because the case starts it anyway.
        """
        if answers():
            self._clean_engine()
        self._clean_files()
        if self._virgin():
            return
        restart_socket()
        if not fresh:
            return
        start_engine()
        self._clean_engine()
        if not self._virgin():
            raise LabError(f"the reset leaves {self.signature()!r}, virgin is {self._signature!r}")
