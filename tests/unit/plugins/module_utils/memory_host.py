# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host without a host: files in a dictionary, a clock that only moves when it is told to, and a model of an engine.

Every call that could change something is counted in MemoryHost.mutations, and the host can die after any of them.
"""

from __future__ import annotations

import contextlib
import json
import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ansible_collections.bulwark.docker.plugins.module_utils._engine_keys import KEYS
from ansible_collections.bulwark.docker.plugins.module_utils._errors import HostError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import (
    ApiResponse,
    CommandResult,
    FileStat,
    TlsAnswer,
    UserAccount,
)
from ansible_collections.bulwark.docker.plugins.module_utils._tls_dropin import first_certificate
from ansible_collections.bulwark.docker.plugins.module_utils._unit import build_command, parse_unit

UNIT_PATH = "/lib/systemd/system/docker.service"
SOCKET_PATH = "/lib/systemd/system/docker.socket"
API_SOCKET = "/run/docker.sock"
CONFIG_PATH = "/etc/docker/daemon.json"
TLS_DROP_IN = "/etc/systemd/system/docker.service.d/zz-bulwark-tls.conf"
PLAINTEXT_ANSWER = b"HTTP/1.0 200 OK\r\nApi-Version: 1.45\r\n\r\n{}"
TLS_ONLY_ANSWER = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
TLS_KEYS = ("hosts", "tls", "tlscacert", "tlscert", "tlskey", "tlsverify")
STATE_PATH = "/var/lib/bulwark-docker/system/state.json"
DEBIAN_UNIT = """\
[Unit]
Description=Docker Application Container Engine
Requires=docker.socket

[Service]
Type=notify
EnvironmentFile=-/etc/default/docker
ExecStart=/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS
ExecReload=/bin/kill -s HUP $MAINPID
Restart=always
StartLimitBurst=3
"""
BOOT_ID = "5c3f0b6e-1111-4222-8333-444455556666"
BOOTED_AT = 1_700_000_000.0
START_LIMIT = 3
NOWHERE_WORDS = "unable to get the full path to root (/dev/null/x): stat /dev/null/x: not a directory"


class Killed(BaseException):
    """The module was killed: no handler of the product may run after it."""


@dataclass
class File:
    """One file; ctime in seconds since the epoch."""

    data: bytes
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    ctime: float = BOOTED_AT


@dataclass
class Container:
    """One container of the engine."""

    id: str
    running: bool = True
    pid: int = 0
    auto_remove: bool = False
    restart_fails: str = ""
    stop_fails: str = ""
    options: dict[str, Any] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """The container as GET /containers/{id}/json shows it."""
        host_config = {"AutoRemove": self.auto_remove, "SecurityOpt": None, "LogConfig": {"Type": "json-file"}}
        host_config.update(self.options)
        return {
            "Id": self.id,
            "Name": "/" + self.id,
            "State": {"Pid": self.pid, "StartedAt": f"2026-01-01T00:00:{self.pid % 60:02d}Z"},
            "HostConfig": host_config,
        }


@dataclass
class TcpPort:
    """A listening TCP port: hexadecimal address as the kernel prints it, who holds it, how it answers.

    certificate: DER that TLS shows (None: no TLS); verify: clients without a certificate are turned away; opened: by a
    start of the modelled engine, which closes it again.
    """

    address: str
    port: int
    inode: str
    held_by_engine: bool
    answer: bytes
    certificate: bytes | None = None
    verify: bool = False
    opened: bool = False


class Engine:
    """What dockerd and systemd do with a daemon.json, as far as the transaction can see it.

    C(fatal) gives the words an engine dies with for a configuration, "" when it starts; C(invalid) those of
    C(--validate). The counter of failed starts, live-restore and bridge settings behave as on a real host.
    """

    def __init__(self, host: MemoryHost) -> None:
        self.host = host
        self.version = "26.1.5+dfsg1"
        self.fatal: Callable[[Mapping[str, Any]], str] = lambda data: ""
        self.invalid: Callable[[Mapping[str, Any]], str] = lambda data: ""
        self.hangs: Callable[[Mapping[str, Any]], bool] = lambda data: False
        self.ignores_reload = False
        self.silent_info = False
        self.active = "inactive"
        self.pid = 0
        self.started_at = 0.0
        self.next_pid = 4000
        self.loaded: dict[str, Any] = {}
        self.argv: tuple[str, ...] = ()
        self.icc = True
        self.failures = 0
        self.containers: list[Container] = []
        self.events: list[float] = []
        self.journal: list[tuple[float, str]] = []
        self.starts = 0
        self.reloads = 0
        self.stopped_by_engine: list[str] = []
        self.unit_dirty = False
        self.socket_dirty = False
        self.socket_restarts = 0
        self.daemon_reloads = 0

    @property
    def running(self) -> bool:
        """Whether it answers."""
        return self.active == "active"

    def alive(self) -> list[Container]:
        """Containers that run."""
        return [entry for entry in self.containers if entry.running]

    def add_container(self, name: str, **more: Any) -> Container:
        """A container that runs."""
        self.next_pid += 1
        made = Container(name, True, self.next_pid, **more)
        self.containers.append(made)
        return made

    def say(self, text: str) -> None:
        """A line in the journal."""
        self.journal.append((self.host.clock, text))

    def config(self) -> tuple[dict[str, Any], str]:
        """The file as the engine reads it, and why it cannot."""
        found = self.host.files.get(CONFIG_PATH)
        if found is None or not found.data.strip():
            return {}, ""
        try:
            data = json.loads(found.data.decode("utf-8-sig"))
        except ValueError as exc:
            return {}, f"unable to configure the Docker daemon with file {CONFIG_PATH}: {exc}"
        return data, self.fatal(data)

    def stop(self) -> None:
        """SIGTERM: without live-restore the containers end too."""
        if self.running and self.loaded.get("live-restore") is not True:
            for entry in self.alive():
                entry.running = False
                self.stopped_by_engine.append(entry.id)
        self.active, self.pid = "inactive", 0

    def start(self) -> CommandResult:
        """One start as systemd makes it."""
        self.host.clock += 1.0
        if self.failures >= START_LIMIT:
            self.active = "failed"
            return CommandResult(1, "", "docker.service: Start request repeated too quickly.\n")
        data, problem = self.config()
        problem = problem or self.listen(data)
        if self.hangs(data):
            self.active = "activating"
            self.say('level=info msg="waiting for something that never comes"')
            return CommandResult(124, "", "")
        if problem:
            self.failures += 1
            self.active = "failed"
            self.say(f'time="x" level=fatal msg="{problem}"')
            return CommandResult(1, "", "Job for docker.service failed because the control process exited.\n")
        survivors = self.alive()
        if survivors and data.get("live-restore") is not True:
            for entry in survivors:
                entry.running = False
                self.stopped_by_engine.append(entry.id)
            survivors = []
        if not survivors:
            self.icc = data.get("icc", True)
        self.loaded = data
        self.next_pid += 1
        self.pid, self.started_at, self.active = self.next_pid, self.host.clock, "active"
        self.argv = self.command_line()
        self.starts += 1
        self.host.clock += 0.2
        return CommandResult(0, "", "")

    def command_line(self) -> tuple[str, ...]:
        """The expanded command line of the unit as systemd has read it."""
        unit = parse_unit(self.host.loaded_unit, "docker.service")
        files = {
            entry.path: self.host.files.get(entry.path, File(b"")).data.decode() for entry in unit.environment_files
        }
        return build_command(unit, files).argv

    def listen(self, data: Mapping[str, Any]) -> str:
        """Open the TCP ports of flags and file as dockerd does; why it does not start, "" when it does."""
        words = self.command_line()
        given: dict[str, Any] = {}
        for at, word in enumerate(words):
            name, equals, value = word.lstrip("-").partition("=")
            if word == "-H":
                given.setdefault("hosts", []).append(words[at + 1])
            elif word.startswith("--") and name in TLS_KEYS:
                given[name] = value if equals else True
        both = sorted(set(given) & set(data))
        if both:
            return f"the following directives are specified both as a flag and in the configuration file: {both}"
        settings = {**data, **given}
        tls = settings.get("tls") is True or "tlsverify" in settings
        hosts = settings.get("hosts") or (["tcp://localhost:2376"] if tls else ["unix:///var/run/docker.sock"])
        certificate = None
        if tls:
            paths = [settings.get(name, "") for name in ("tlscacert", "tlscert", "tlskey")]
            missing = [path for path in paths if path not in self.host.files]
            if missing:
                return f"could not load X509 key pair: {missing}"
            certificate = self.host.files[paths[1]].data
        self.host.tcp = [port for port in self.host.tcp if not port.opened]
        for number, host in enumerate(host for host in hosts if host.startswith("tcp://")):
            port = int(host.rpartition(":")[2])
            if any(other.port == port for other in self.host.tcp if not other.opened):
                return f"failed to load listeners: listen {host}: bind: address already in use"
            answer = TLS_ONLY_ANSWER if tls else PLAINTEXT_ANSWER
            verify = settings.get("tlsverify") is True
            self.host.tcp.append(
                TcpPort("0100007F", port, f"9{number}", True, answer, certificate, verify, opened=True)
            )
        return ""

    def reload(self) -> CommandResult:
        """SIGHUP: keys that are still in the file and that it re-reads."""
        if not self.running:
            return CommandResult(1, "", "docker.service is not active, cannot reload.\n")
        self.reloads += 1
        data, problem = self.config()
        if problem or self.ignores_reload:
            self.say(f'level=error msg="{problem or "reload went nowhere"}"')
            return CommandResult(0, "", "")
        for name, value in data.items():
            if name in KEYS and KEYS[name].reload is not None:
                self.loaded = {**self.loaded, name: value}
        self.events.append(self.host.clock)
        return CommandResult(0, "", "")

    def restart(self) -> CommandResult:
        """Stop, then start."""
        self.stop()
        return self.start()

    def info(self) -> dict[str, Any]:
        """GET /info."""
        return {
            "ServerVersion": self.version,
            "LiveRestoreEnabled": self.loaded.get("live-restore") is True,
            "LoggingDriver": self.loaded.get("log-driver", "json-file"),
            "DefaultRuntime": self.loaded.get("default-runtime", "runc"),
            "Debug": self.loaded.get("debug", False),
            "DockerRootDir": "/var/lib/docker",
            "Driver": "overlay2",
            "CgroupDriver": "systemd",
            "SecurityOptions": [
                "name=seccomp,profile=builtin",
                *(["name=no-new-privileges"] if self.loaded.get("no-new-privileges") else []),
            ],
            "Swarm": {"LocalNodeState": "inactive"},
            "Plugins": {"Authorization": None},
            "Runtimes": {"runc": {}, "io.containerd.runc.v2": {}},
            "RegistryConfig": {"InsecureRegistryCIDRs": ["127.0.0.0/8"], "IndexConfigs": {}},
            "DefaultAddressPools": None,
        }


class MemoryHost:
    """Implements _host_api.Host."""

    def __init__(self, config: bytes | None = None) -> None:
        self.clock = BOOTED_AT + 1000.0
        self.socket_lost = False
        self.files: dict[str, File] = {
            UNIT_PATH: File(DEBIAN_UNIT.encode()),
            "/proc/sys/net/bridge/bridge-nf-call-iptables": File(b"1\n"),
            "/sys/fs/cgroup/cgroup.controllers": File(b"cpu memory pids\n"),
        }
        self.directories: dict[str, float] = {"/etc": BOOTED_AT, "/etc/docker": BOOTED_AT, "/var/lib": BOOTED_AT}
        self.directories.update({"/etc/systemd": BOOTED_AT, "/etc/systemd/system": BOOTED_AT})
        if config is not None:
            self.files[CONFIG_PATH] = File(config)
        self.unit_files = [UNIT_PATH]
        self.socket_listens = "/run/docker.sock (Stream)"
        self.socket_active = True
        self.addresses = {"127.0.0.1", "::1", "0.0.0.0", "192.0.2.7"}
        self.tls_refusal = ""
        self.links: dict[str, str] = {}
        self.loaded_unit = self.unit_text()
        self.mutations: list[str] = []
        self.kill_after: int | None = None
        self.write_failures: dict[str, list[str]] = {}
        self.tcp: list[TcpPort] = []
        self.runs: list[tuple[str, ...]] = []
        # The journal shows what was said up to here, as one that lags does.
        self.journal_synced = 0.0
        self.journal_stuck_until = 0.0
        self.users: dict[str, UserAccount] = {}
        self.locked_by_other: Callable[[], bool] = lambda: False
        self.on_sleep: Callable[[], None] = lambda: None
        self.locks_held = 0
        self.engine = Engine(self)
        self.engine.start()
        self.clock += 10.0

    def _mutate(self, what: str) -> None:
        self.mutations.append(what)
        if self.kill_after is not None and len(self.mutations) >= self.kill_after:
            self.kill_after = None
            raise Killed(what)

    def _make_parents(self, path: str) -> None:
        while path not in self.directories and path != "/":
            self.directories[path] = self.clock
            path = posixpath.dirname(path)

    def unit_text(self) -> str:
        """The unit and its drop-ins as they are on disk."""
        paths = [*self.unit_files, *([TLS_DROP_IN] if TLS_DROP_IN in self.files else [])]
        return "\n".join(f"# {path}\n{self.files[path].data.decode()}" for path in paths)

    # -- files

    def read_file(self, path: str) -> bytes | None:
        if path.startswith("/proc/") and path not in self.files:
            return self._read_proc(path)
        found = self.files.get(path)
        return None if found is None else found.data

    def stat(self, path: str) -> FileStat | None:
        if path == API_SOCKET and not self.socket_lost:
            return FileStat("socket", 0o660, 0, 0, 0, 0, 0)
        found = self.files.get(path)
        if found is not None:
            moment = int(found.ctime * 1e9)
            return FileStat("file", found.mode, found.uid, found.gid, len(found.data), moment, moment)
        if path in self.directories:
            moment = int(self.directories[path] * 1e9)
            return FileStat("directory", 0o755, 0, 0, 4096, moment, moment)
        return None

    def _fail_write(self, path: str) -> None:
        waiting = self.write_failures.get(path, [])
        if waiting:
            problem = waiting.pop(0)
            if problem:
                raise HostError(f"write a file: {problem} ({path}); free space on that file system and run again")

    def write_file(self, path: str, data: bytes, mode: int, uid: int, gid: int) -> None:
        self._fail_write(path)
        if posixpath.dirname(path) not in self.directories:
            raise HostError(f"write a file: No such file or directory ({path}); look at that path on the host")
        self.clock += 0.01
        self.files[path] = File(data, mode, uid, gid, self.clock)
        self.directories[posixpath.dirname(path)] = self.clock
        self._mutate(f"write {path}")

    def remove_file(self, path: str) -> None:
        self.clock += 0.01
        if self.files.pop(path, None) is not None:
            self.directories[posixpath.dirname(path)] = self.clock
        self._mutate(f"remove {path}")

    def make_directory(self, path: str, mode: int, uid: int = 0, gid: int = 0) -> None:
        self._make_parents(path)
        self._mutate(f"mkdir {path}")

    def remove_directory(self, path: str) -> None:
        if not any(name.startswith(path + "/") for name in (*self.files, *self.directories)):
            self.directories.pop(path, None)
        self._mutate(f"rmdir {path}")

    def list_directory(self, path: str) -> list[str]:
        if self.engine.pid and path == f"/proc/{self.engine.pid}/fd":
            return [str(number) for number, port in enumerate(self.tcp) if port.held_by_engine]
        everything = (*self.files, *self.directories)
        return sorted({name[len(path) + 1 :].split("/")[0] for name in everything if name.startswith(path + "/")})

    def real_path(self, path: str) -> str:
        return self.links.get(path, path)

    def read_link(self, path: str) -> str | None:
        if path.startswith(f"/proc/{self.engine.pid}/fd/"):
            return f"socket:[{self.tcp[int(path.rpartition('/')[2])].inode}]"
        return None

    def which(self, name: str) -> str | None:
        return f"/usr/sbin/{name}" if name in ("dockerd", "modprobe") else None

    def user(self, name: str) -> UserAccount | None:
        return self.users.get(name)

    def _read_proc(self, path: str) -> bytes | None:
        engine = self.engine
        if path == "/proc/uptime":
            return f"{self.clock - BOOTED_AT:.2f} 0.00\n".encode()
        if path == "/proc/sys/kernel/random/boot_id":
            return BOOT_ID.encode() + b"\n"
        if path.startswith(("/proc/net/", f"/proc/{engine.pid}/net/")):
            return self._tcp_table() if path.endswith("/tcp") else b"header\n"
        if engine.pid and path == f"/proc/{engine.pid}/stat":
            ticks = int((engine.started_at - BOOTED_AT) * 100)
            return f"{engine.pid} (docker d) S {' '.join(['0'] * 18)} {ticks} 0 0\n".encode()
        if engine.pid and path == f"/proc/{engine.pid}/cmdline":
            return "\0".join(engine.argv).encode() + b"\0"
        return None

    def _tcp_table(self) -> bytes:
        rows = ["  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"]
        rows += [
            f"   0: {port.address}:{port.port:04X} 00000000:0000 0A 0:0 0:0 0 0 0 {port.inode}"
            for port in self.tcp
            if self.engine.pid or not port.held_by_engine
        ]
        return ("\n".join(rows) + "\n").encode()

    # -- programs

    def run(
        self,
        argv: Sequence[str],
        data: str | None = None,
        timeout: float | None = None,
        environ: dict[str, str] | None = None,
    ) -> CommandResult:
        words = tuple(argv)
        self.runs.append(words)
        self.clock += 0.01
        if words[0] == "setpriv" and "systemctl" in words:
            words = words[words.index("systemctl") :]
        if words[0] == "systemctl":
            return self._systemctl(words[1:])
        if words == ("journalctl", "--sync"):
            if self.clock < self.journal_stuck_until:
                self.clock += timeout or 0.0
                return CommandResult(124, "", "")
            self.journal_synced = self.clock
            return CommandResult(0, "", "")
        if words[0] == "journalctl":
            since = next(float(word.partition("@")[2]) for word in words if word.startswith("--since=@"))
            lines = [text for moment, text in self.engine.journal if since <= moment <= self.journal_synced]
            return CommandResult(0, "\n".join(lines), "")
        if posixpath.basename(words[0]) == "dockerd":
            return self._dockerd(words[1:], data)
        if posixpath.basename(words[0]) == "modprobe":
            return CommandResult(0, "", "")
        raise HostError(f"run {words[0]}: no such program in this model; add it to memory_host.py")

    def _systemctl(self, words: tuple[str, ...]) -> CommandResult:
        verb, *rest = [word for word in words if word != "--user" and not word.startswith("--machine=")]
        engine = self.engine
        if verb == "show":
            return CommandResult(0, self._show(rest[0], rest[1].partition("=")[2].split(",")), "")
        result = CommandResult(0, "", "")
        if verb == "restart" and rest[0].endswith(".socket"):
            engine.socket_restarts += 1
            self.socket_lost = False
        elif verb == "restart":
            result = engine.restart()
        elif verb == "reload":
            result = engine.reload()
        elif verb == "stop":
            engine.stop()
        elif verb == "reset-failed":
            engine.failures = 0
            if engine.active == "failed":
                engine.active = "inactive"
        elif verb == "daemon-reload":
            engine.daemon_reloads += 1
            engine.unit_dirty = engine.socket_dirty = False
            self.loaded_unit = self.unit_text()
        else:
            raise HostError(f"run systemctl {verb}: not in this model; add it to memory_host.py")
        self._mutate("systemctl " + " ".join(words))
        return result

    def _show(self, unit: str, names: Sequence[str]) -> str:
        engine = self.engine
        known = {
            "MainPID": str(engine.pid),
            "ActiveState": engine.active,
            "SubState": "running" if engine.running else "dead",
            "Result": "success",
            "NeedDaemonReload": "yes" if engine.unit_dirty else "no",
            "FragmentPath": UNIT_PATH,
            "DropInPaths": " ".join(
                [*self.unit_files[1:], *([TLS_DROP_IN] if TLS_DROP_IN in self.loaded_unit else [])]
            ),
            "LoadState": "loaded",
        }
        if unit.endswith(".socket"):
            active = "active" if self.socket_active else "inactive"
            known.update({"ActiveState": active, "Listen": self.socket_listens, "FragmentPath": SOCKET_PATH})
            known["NeedDaemonReload"] = "yes" if engine.socket_dirty else "no"
        return "".join(f"{name}={known[name]}\n" for name in names if name in known)

    def _dockerd(self, words: tuple[str, ...], data: str | None) -> CommandResult:
        engine = self.engine
        if words == ("--version",):
            return CommandResult(0, f"Docker version {engine.version}, build a72d7cd\n", "")
        try:
            raw = (data or "{}").encode("utf-8", "surrogateescape")
            document = json.loads(raw.decode("utf-8-sig"))
        except ValueError as exc:
            return CommandResult(1, "", f"unable to configure the Docker daemon with file /dev/stdin: {exc}\n")
        problem = engine.invalid(document)
        if problem:
            return CommandResult(1, "", f"unable to configure the Docker daemon with file /dev/stdin: {problem}\n")
        if "--validate" in words:
            return CommandResult(0, "", "configuration OK\n")
        return CommandResult(1, "", NOWHERE_WORDS + "\n")

    # -- sockets

    def api(
        self, socket_path: str, method: str, path: str, body: bytes | None = None, timeout: float = 10.0
    ) -> ApiResponse:
        engine = self.engine
        if not engine.running:
            raise HostError(f"ask the engine's API for {method} {path}: Connection refused ({socket_path})")
        parts = urlsplit(path)
        name = unquote(parts.path)
        if method == "POST":
            return self._post(name)
        if name == "/_ping":
            return ApiResponse(200, b"OK")
        if name == "/info":
            if engine.silent_info:
                raise HostError(f"ask the engine's API for GET /info: timed out ({socket_path})")
            return _json_answer(engine.info())
        if name == "/networks/bridge":
            options = {"com.docker.network.bridge.enable_icc": "true" if engine.icc else "false"}
            return _json_answer({"Name": "bridge", "Options": options})
        if name == "/containers/json":
            return _json_answer([{"Id": entry.id} for entry in engine.alive()])
        if name.startswith("/containers/"):
            return _json_answer(self._container(name).summary())
        if name == "/events":
            since = float(parse_qs(parts.query)["since"][0])
            lines = [{"timeNano": int(moment * 1e9)} for moment in engine.events if moment >= since]
            return ApiResponse(200, "".join(json.dumps(line) + "\n" for line in lines).encode())
        return ApiResponse(404, b'{"message":"page not found"}')

    def _container(self, name: str) -> Container:
        wanted = name.split("/")[2]
        return next(entry for entry in self.engine.containers if entry.id == wanted)

    def _post(self, name: str) -> ApiResponse:
        entry = self._container(name)
        answer = ApiResponse(204, b"")
        if name.endswith("/stop"):
            if entry.stop_fails:
                answer = ApiResponse(500, entry.stop_fails.encode())
            else:
                entry.running = False
        elif entry.restart_fails:
            answer = ApiResponse(500, entry.restart_fails.encode())
        else:
            entry.running = True
        self._mutate(f"POST {name}")
        return answer

    def tcp_request(self, address: str, port: int, data: bytes, timeout: float = 3.0) -> bytes:
        return self._port(address, port).answer

    def _port(self, address: str, port: int) -> TcpPort:
        for entry in self.tcp:
            if entry.port == port:
                return entry
        raise HostError(f"ask the TCP listener {address} port {port}: Connection refused")

    def tls_request(self, address: str, port: int, data: bytes, ca: str, timeout: float = 5.0) -> TlsAnswer:
        entry = self._port(address, port)
        if entry.certificate is None:
            raise HostError(f"speak TLS with {address} port {port}: wrong version number")
        answer = b"" if entry.verify else PLAINTEXT_ANSWER
        shown = first_certificate(entry.certificate) or b""
        return TlsAnswer(shown, "TLSv1.3", answer, "", "commonName=engine", ("127.0.0.1",), self.clock + 86400 * 9.5)

    def tls_problem(self, ca: str, certificate: str, key: str) -> str:
        return self.tls_refusal

    def is_local_address(self, address: str) -> bool:
        return address in self.addresses

    def send_signal(self, pid: int, name: str) -> bool:
        self._mutate(f"kill -{name} {pid}")
        return pid == self.engine.pid

    # -- time and locks

    def now(self) -> float:
        return self.clock

    def sleep(self, seconds: float) -> None:
        self.clock += seconds
        self.on_sleep()

    @contextlib.contextmanager
    def lock(self, path: str, timeout: float) -> Iterator[None]:
        deadline = self.clock + timeout
        while self.locked_by_other():
            if self.clock >= deadline:
                raise HostError(f"change the engine: another run has been working for {timeout:g} s ({path})")
            self.sleep(0.2)
        self.locks_held += 1
        try:
            yield
        finally:
            self.locks_held -= 1

    # -- what tests do to the host

    def administrator_writes(self, path: str, data: bytes | None) -> None:
        """Somebody else changes a file."""
        self.clock += 5.0
        if data is None:
            del self.files[path]
        else:
            old = self.files.get(path, File(b""))
            self.files[path] = File(data, old.mode, old.uid, old.gid, self.clock)
        self.directories[posixpath.dirname(path)] = self.clock
        self.clock += 5.0

    def config(self) -> bytes | None:
        """Bytes of daemon.json."""
        found = self.files.get(CONFIG_PATH)
        return None if found is None else found.data


def _json_answer(value: Any) -> ApiResponse:
    return ApiResponse(200, json.dumps(value).encode())
