# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running the probes against an engine that exists in memory only."""

from __future__ import annotations

import contextlib
import io
import json
import struct
import tarfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError, EngineError, HostError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import ApiResponse, CommandResult, FileStat
from ansible_collections.bulwark.docker.plugins.module_utils._instance import system_instance
from ansible_collections.bulwark.docker.plugins.module_utils._probe import PROBES
from ansible_collections.bulwark.docker.plugins.module_utils._probe_runner import Request, run_probes

RUN_ID = "abc123"
LEFT_CONTAINER, LEFT_IMAGE = "left-container", "left-image"
TCP_TABLE = (
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    "   0: 0100007F:0947 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 7002 1 x\n"
    "   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 7099 1 x\n"
)
UNIX_TABLE = (
    "Num       RefCount Protocol Flags    Type St Inode Path\n"
    "0000: 00000002 00000000 00010000 0001 01 7001 /run/docker.sock\n"
    "0000: 00000002 00000000 00010000 0001 01 7003 /run/docker/libnetwork/ab.sock\n"
)
PROXY = b"/usr/bin/docker-proxy\0-proto\0tcp\0-host-ip\0" + b"127.0.0.1\0-host-port\0" + b"32768\0-container-ip\0x\0"
LOADED = "/sys/kernel/security/apparmor/profiles"
# What an action of each place comes to on a hardened engine; everything else is gained.
REFUSED = {
    ("subject", "tcp_exchange"),
    ("subject", "udp_exchange"),
    ("subject", "cgroup_view"),
    ("subject", "read_root_only"),
    ("subject", "filtered_call"),
    ("subject", "old_architecture_socket"),
    ("subject", "system_call"),
    ("host", "audit_unseen"),
    ("subject", "host_root"),
    ("subject", "make_node"),
    ("mounted", "plant_file"),
    ("mounted", "read_token"),
    ("privileged", "read_token"),
    ("privileged", "rewrite_setting"),
    ("host", "tls_foreign_certificate"),
    ("host", "tls_no_client_certificate"),
    ("host", "tls_old_protocol"),
    ("host", "tls_plaintext"),
    ("host", "tls_server_certificate"),
    *((one.attempt.place, one.attempt.name) for one in PROBES if one.role == "apparmor"),
}
# The same for actions of which only some are the attack.
REFUSED_WITH = {
    ("subject", "read_token", "path", "/probe/share/secret"),
    ("subject", "append_file", "path", "/probe/share/precious"),
    ("host", "run_setuid", "path", f"/var/lib/bulwark-probe-system@{RUN_ID}-share/open/left"),
}
SIBLING_PID = 66


class FakeEngineHost:
    """A host whose engine and files are dictionaries; `hardened` decides what the attackers get."""

    def __init__(self, hardened: bool = True) -> None:
        self.hardened = hardened
        self.info = {
            "OSType": "linux",
            "ServerVersion": "26.1.5",
            "SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns"],
            "LoggingDriver": "json-file",
            "DockerRootDir": "/var/lib/docker",
        }
        self.log_options = {"max-size": "1m", "max-file": "2"} if hardened else {}
        self.bridge: dict[str, Any] | None = {"Driver": "bridge"}
        self.containers: dict[str, dict[str, Any]] = {}
        self.images: dict[str, bytes] = {}
        self.requests: list[tuple[str, str]] = []
        self.started: list[str] = []
        self.locked: list[str] = []
        self.silent: set[str] = set()
        self.told: dict[str, Any] = {}
        self.crashing: set[str] = set()
        self.failing: dict[str, Callable[[], ApiResponse]] = {}
        self.clock = 1000.0
        self.made: list[str] = []
        self.removed: list[str] = []
        self.modes: dict[str, int] = {}
        self.tcp_answer: bytes | Exception = b"HTTP/1.0 400 Bad Request\r\n"
        self.host_rc = 0
        self.files: dict[str, bytes] = {
            "/proc/77/comm": b"dockerd\n",
            "/proc/77/status": b"Name:\tdockerd\nUid:\t1000\t1000\t1000\t1000\n",
            "/proc/77/cmdline": b"/usr/sbin/dockerd\0-H\0fd://\0--tlscert=/tls/cert.pem\0--tlskey\0/tls/key.pem\0",
            "/proc/77/net/tcp": TCP_TABLE.encode(),
            "/proc/77/net/unix": UNIX_TABLE.encode(),
            "/proc/88/comm": b"sshd\n",
            "/usr/bin/cat": b"reader",
            "/usr/bin/openssl": b"",
            "/usr/bin/id": b"id",
            f"/proc/{SIBLING_PID}/status": f"Name:\tpython3\nUid:\t{231072 if hardened else 0}\t0\t0\t0\n".encode(),
            LOADED: b"docker-bulwark (enforce)\ndocker-bulwark-service (complain)\n",
        }
        self.shared: dict[str, tuple[bytes, int]] = {}
        if not hardened:
            self.files["/proc/99/cmdline"] = PROXY
            self.files["/proc/77/status"] = b"Name:\tdockerd\nUid:\t0\t0\t0\t0\n"
        self.links = {
            "/bin": "usr/bin",
            "/proc/77/fd/3": "socket:[7001]",
            "/proc/77/fd/4": "socket:[7003]",
            "/proc/77/fd/5": "socket:[7002]",
            "/proc/77/ns/net": "net:[1]",
            "/proc/self/ns/net": "net:[1]",
        }

    # files

    def read_file(self, path: str) -> bytes | None:
        return self.files.get(path)

    def stat(self, path: str) -> FileStat | None:
        size = self.log_sizes().get(path, 1)
        if path.endswith("/open/made"):
            return FileStat("file", 0o644, 231072 if self.hardened else 0, 0, 8, 0, 0)
        if path in ("/usr/bin/python3", "/usr/bin/cat", "/usr/bin/id") or path in self.log_sizes():
            return FileStat("file", 0o755, 0, 0, size, 0, 0)
        return FileStat("directory", 0o755, 0, 0, 0, 0, 0) if path in ("/bin", "/lib", "/usr/local/sbin") else None

    def log_sizes(self) -> dict[str, int]:
        """Log files of the running writer container, which a hardened engine rotates."""
        found: dict[str, int] = {}
        for identity, container in self.containers.items():
            if container["name"].endswith("writer"):
                base = f"/var/lib/docker/containers/{identity}/{identity}-json.log"
                found = {base: 900_000, f"{base}.1": 1_050_000} if self.hardened else {base: 4_300_000}
        return found

    def make_directory(self, path: str, mode: int, uid: int = 0, gid: int = 0) -> None:
        self.shared[path] = (b"", mode)
        self.made.append(path)

    def write_file(self, path: str, data: bytes, mode: int, uid: int, gid: int) -> None:
        self.shared[path] = (data, mode)
        self.modes[path] = mode

    def empty_directory(self, path: str) -> None:
        for entries in (self.shared, self.files):
            for name in [name for name in entries if name.startswith(path + "/")]:
                del entries[name]  # type: ignore[attr-defined]

    def remove_directory(self, path: str) -> None:
        assert not self.list_directory(path)
        self.shared.pop(path, None)
        self.removed.append(path)

    def list_directory(self, path: str) -> list[str]:
        paths = [*self.files, *self.links, *self.log_sizes(), *self.shared]
        return sorted({name[len(path) + 1 :].split("/")[0] for name in paths if name.startswith(path + "/")})

    def real_path(self, path: str) -> str:
        return path

    def read_link(self, path: str) -> str | None:
        return self.links.get(path)

    def which(self, name: str) -> str | None:
        path = f"/usr/bin/{name}"
        return path if path in self.files else None

    # programs, time, sockets

    def run(
        self,
        argv: Sequence[str],
        data: str | None = None,
        timeout: float | None = None,
        environ: dict[str, str] | None = None,
    ) -> CommandResult:
        assert timeout is not None
        if data is None:
            return CommandResult(0 if argv[0] == "/usr/bin/python3" else 1, "", "")
        assert "def unix_version" in data
        return CommandResult(self.host_rc, self.report("host", json.loads(argv[-1])), "Traceback: no luck")

    def report(self, place: str, spec: dict[str, Any]) -> str:
        """Output of the program at a place."""
        if place in self.silent:
            return ""
        lines = []
        for action in spec["actions"]:
            self.told[action["name"]] = action["arguments"]
            refused = (place, action["name"]) in REFUSED and not harmless(action["arguments"])
            refused = refused or (action["uid"] and action["name"] == "unix_version")
            given = [(name, value) for name, value in action["arguments"].items() if not isinstance(value, list)]
            refused = refused or any((place, action["name"], *pair) in REFUSED_WITH for pair in given)
            refused = refused or (action["name"] == "open_files" and action["arguments"]["count"] > 1000)
            lines.append(
                {"id": action["id"], "gained": not (refused and self.hardened), "detail": "seen", "seconds": 0.5}
            )
        return "".join(json.dumps(line) + "\n" for line in [*lines, {"done": True}])

    def tcp_request(self, address: str, port: int, data: bytes, timeout: float = 3.0) -> bytes:
        self.requests.append(("TCP", f"{address}:{port}"))
        if isinstance(self.tcp_answer, Exception):
            raise HostError("ask the TCP listener: no") from self.tcp_answer
        return self.tcp_answer

    def now(self) -> float:
        return self.clock

    def sleep(self, seconds: float) -> None:
        self.clock += seconds

    @contextlib.contextmanager
    def lock(self, path: str, timeout: float) -> Iterator[None]:
        self.locked.append(path)
        yield

    # the engine

    def api(
        self, socket_path: str, method: str, path: str, body: bytes | None = None, timeout: float = 10.0
    ) -> ApiResponse:
        assert socket_path == "/run/docker.sock"
        split = urlsplit(path)
        self.requests.append((method, split.path))
        for needle, answer in self.failing.items():
            if needle in f"{method} {path}":
                return answer()
        query = {name: values[0] for name, values in parse_qs(split.query).items()}
        return self.answer(method, split.path.strip("/").split("/"), query, body)

    def answer(self, method: str, parts: list[str], query: dict[str, str], body: bytes | None) -> ApiResponse:
        match method, parts:
            case "GET", ["info"]:
                return good(self.info)
            case "GET", ["networks", "bridge"]:
                return good(self.bridge) if self.bridge is not None else ApiResponse(404, b'{"message":"gone"}')
            case "GET", ["containers" | "images" as kind, "json"]:
                assert query["filters"] == '{"label": ["bulwark.probe"]}'
                return good([{"Id": name} for name in getattr(self, kind)])
            case "POST", ["images", "create"]:
                assert query["changes"] == f"LABEL bulwark.probe={query['tag']}"
                self.images[f"{query['repo']}:{query['tag']}"] = body or b""
                return ApiResponse(200, b'{"status":"sha256:1"}')
            case "POST", ["containers", "create"]:
                return self.create(query["name"], json.loads(body or b""))
            case "POST", ["containers", identity, "start"]:
                self.started.append(self.containers[identity]["name"])
                return ApiResponse(204, b"")
            case "GET", ["containers", identity, "json"]:
                return good(self.inspect(identity))
            case "GET", ["containers", identity, "logs"]:
                return ApiResponse(200, self.logs(self.containers[identity]))
            case "DELETE", ["containers" | "images" as kind, identity]:
                gone = getattr(self, kind).pop(identity, None)
                return ApiResponse(204 if gone is not None else 404, b"")
        raise AssertionError(f"unexpected request {method} {parts}")

    def create(self, name: str, payload: dict[str, Any]) -> ApiResponse:
        assert payload["Image"] in self.images
        identity = f"id-{name}"
        self.containers[identity] = {"name": name, "payload": payload}
        return ApiResponse(201, json.dumps({"Id": identity}).encode())

    def inspect(self, identity: str) -> dict[str, Any]:
        container = self.containers[identity]
        host = container["payload"]["HostConfig"]
        ports = {port: [{"HostIp": "127.0.0.1", "HostPort": "32768"}] for port in host.get("PortBindings", {})}
        return {
            "State": {"Running": container["name"].rsplit("-", 1)[1] not in self.crashing, "Pid": SIBLING_PID},
            "HostConfig": {"LogConfig": host.get("LogConfig", {"Type": "json-file", "Config": self.log_options})},
            "NetworkSettings": {
                "Networks": {"bridge": {"IPAddress": "172.17.0.2", "GlobalIPv6Address": ""}},
                "Ports": ports,
            },
        }

    def logs(self, container: dict[str, Any]) -> bytes:
        place = container["name"].rsplit("-", 1)[1]
        if place in self.crashing:
            return frame(2, b"python3: can't open file")
        return frame(1, self.report(place, json.loads(container["payload"]["Cmd"][-1])).encode())


def harmless(arguments: dict[str, Any]) -> bool:
    """Whether an action is a control that a hardened engine grants at the same place."""
    return str(arguments.get("path", "")).endswith("/open") or arguments.get("device") is False


def good(value: Any) -> ApiResponse:
    return ApiResponse(200, json.dumps(value).encode())


def frame(kind: int, data: bytes) -> bytes:
    return struct.pack(">B3xI", kind, len(data)) + data


def refuse(status: int, message: str) -> Callable[[], ApiResponse]:
    return lambda: ApiResponse(status, json.dumps({"message": message}).encode())


def probe(host: FakeEngineHost, *names: str, check_mode: bool = False, timeout: int = 5) -> dict[str, Any]:
    request = Request(names or ("all",), system_instance(), timeout, 65536)
    return run_probes(host, request, RUN_ID, check_mode)  # type: ignore[arg-type]


def verdicts(report: dict[str, Any]) -> dict[str, str]:
    return {result["id"]: result["verdict"] for result in report["results"]}


def result_of(report: dict[str, Any], name: str) -> dict[str, Any]:
    [found] = [result for result in report["results"] if result["id"] == name]
    return dict(found)


def test_hardened_engine_blocks_every_probe() -> None:
    report = probe(FakeEngineHost(hardened=True))
    assert verdicts(report) == {one.id: "blocked" for one in PROBES}
    assert report["counts"] == {
        "blocked": len(PROBES),
        "error": 0,
        "not_applicable": 0,
        "not_blocked": 0,
        "run": len(PROBES),
    }
    assert report["engine_version"] == "26.1.5"
    assert report["planned"] == [one.id for one in PROBES]


def test_open_engine_blocks_no_probe() -> None:
    host = FakeEngineHost(hardened=False)
    host.tcp_answer = b"HTTP/1.1 200 OK\r\n"
    assert set(verdicts(probe(host)).values()) == {"not_blocked"}


def test_only_the_subject_gets_a_directory_of_the_host_and_root_alone_its_files() -> None:
    host = FakeEngineHost()
    seen: dict[str, tuple[bytes, int]] = {}
    host.failing["POST /containers/id-"] = lambda: seen.update(host.shared) or ApiResponse(204, b"")  # type: ignore[func-returns-value]
    mounts: dict[str, list[str]] = {}
    create = host.create

    def noted(name: str, payload: dict[str, Any]) -> ApiResponse:
        mounts[name.rsplit("-", 1)[1]] = [mount["Target"] for mount in payload["HostConfig"]["Mounts"]]
        return create(name, payload)

    host.create = noted  # type: ignore[method-assign]
    probe(host, "userns_remap", "isolation")
    share = f"/var/lib/bulwark-probe-system@{RUN_ID}-share"
    assert {place: "/probe/share" in targets for place, targets in mounts.items()} == {
        "sibling": False,
        "subject": True,
        "relaxed": False,
    }
    assert {path: mode for path, (_data, mode) in seen.items()} == {
        share: 0o711,
        f"{share}/open": 0o1777,
        f"{share}/secret": 0o600,
        f"{share}/precious": 0o600,
    }


@pytest.mark.parametrize("hardened", [True, False])
def test_nothing_stays_behind_and_the_engine_is_locked_meanwhile(hardened: bool) -> None:
    host = FakeEngineHost(hardened)
    probe(host)
    assert (host.containers, host.images, host.shared) == ({}, {}, {})
    assert host.locked == ["/run/bulwark-docker/system.lock"]


def test_traces_of_a_killed_run_are_removed_before_the_first_container() -> None:
    host = FakeEngineHost()
    host.containers[LEFT_CONTAINER] = {"name": "old-subject"}
    host.images[LEFT_IMAGE] = b""
    share = "/var/lib/bulwark-probe-system@old-share"
    host.shared = {share: (b"", 0o711), f"{share}/open": (b"", 0o1777)}
    probe(host, "limits.nofile")
    assert (host.containers, host.images, host.shared) == ({}, {}, {})
    removal = host.requests.index(("DELETE", f"/images/{LEFT_IMAGE}"))
    assert ("DELETE", f"/containers/{LEFT_CONTAINER}") in host.requests[:removal]
    assert removal < host.requests.index(("POST", "/images/create"))


def test_only_the_containers_of_the_chosen_probes_are_started() -> None:
    host = FakeEngineHost()
    report = probe(host, "limits.nofile")
    assert host.started == [f"bulwark-probe-{RUN_ID}-subject"]
    assert list(verdicts(report)) == ["limits.nofile"]


def test_probe_of_the_api_alone_starts_no_container() -> None:
    host = FakeEngineHost()
    assert verdicts(probe(host, "api")) == {one.id: "blocked" for one in PROBES if one.group == "api"}
    assert (host.started, [path for _method, path in host.requests if "create" in path]) == ([], [])


def test_sibling_listens_before_the_attackers_start() -> None:
    host = FakeEngineHost()
    probe(host)
    assert [name.rsplit("-", 1)[1] for name in host.started] == [
        "sibling",
        "subject",
        "relaxed",
        "mounted",
        "privileged",
        "writer",
        "confined",
        "service",
    ]


def test_confined_containers_ask_for_profiles_that_enforce() -> None:
    host = FakeEngineHost()
    payloads = []
    create = host.api

    def keep(socket_path: str, method: str, path: str, body: bytes | None = None, timeout: float = 10.0) -> ApiResponse:
        if path.startswith("/containers/create"):
            payloads.append((path.rsplit("-", 1)[1], json.loads(body or b"{}")["HostConfig"]))
        return create(socket_path, method, path, body, timeout)

    host.api = keep  # type: ignore[method-assign]
    assert set(verdicts(probe(host, "apparmor")).values()) == {"blocked"}
    options = {name: config.get("SecurityOpt") for name, config in payloads}
    # The one for services only logs in this kernel, so asking for it would prove nothing.
    assert options == {
        "relaxed": ["apparmor=unconfined"],
        "confined": ["apparmor=docker-bulwark"],
        "service": None,
    }
    assert [name for name, config in payloads if "Tmpfs" in config] == ["relaxed", "confined"]


def test_apparmor_probes_do_not_apply_where_the_engine_does_not_use_it() -> None:
    host = FakeEngineHost()
    host.info["SecurityOptions"] = ["name=seccomp,profile=builtin"]
    found = verdicts(probe(host, "apparmor", "limits.nofile"))
    assert {verdict for name, verdict in found.items() if name.startswith("apparmor.")} == {"not_applicable"}


def test_check_mode_tells_the_plan_and_asks_only() -> None:
    host = FakeEngineHost()
    report = probe(host, "privilege", check_mode=True)
    assert list(report["planned"]) == [one.id for one in PROBES if one.group == "privilege"]
    assert (report["results"], report["counts"]["run"]) == ([], 0)
    assert {method for method, _path in host.requests} == {"GET"}
    assert host.locked == []


def test_choice_that_does_not_apply_here_is_refused() -> None:
    host = FakeEngineHost()
    host.info["LoggingDriver"] = "journald"
    with pytest.raises(ConfigError, match=r"none of the chosen ones applies .*'journald' keeps no files"):
        probe(host, "limits.log_rotation")
    with pytest.raises(ConfigError, match="'nonsense' is neither"):
        probe(host, "nonsense")


def test_engine_without_default_bridge_leaves_the_rest_of_the_probes() -> None:
    host = FakeEngineHost()
    host.bridge = None
    found = verdicts(probe(host))
    assert [name for name, verdict in found.items() if verdict == "not_applicable"] == [
        "isolation.sibling_tcp",
        "isolation.sibling_udp",
        "network.userland_proxy",
        "userns_remap.process_owner",
    ]
    assert f"bulwark-probe-{RUN_ID}-sibling" not in host.started


def test_image_holds_program_and_readers() -> None:
    host = FakeEngineHost()
    seen: list[bytes] = []
    host.failing["POST /containers/create"] = lambda: seen.extend(host.images.values()) or ApiResponse(500, b"stop")  # type: ignore[func-returns-value]
    probe(host, "limits.nofile")
    with tarfile.open(fileobj=io.BytesIO(seen[0])) as archive:
        program = archive.extractfile("probe/program.py")
        assert program is not None
        assert b"def unix_version" in program.read()
        assert archive.getmember("bin").linkname == "usr/bin"


@pytest.mark.parametrize("place", ["subject", "relaxed", "sibling", "mounted", "privileged"])
def test_container_that_cannot_start_never_looks_like_a_protection(place: str) -> None:
    host = FakeEngineHost()
    host.failing[f"POST /containers/id-bulwark-probe-{RUN_ID}-{place}/start"] = refuse(500, "runc failed")
    report = probe(host)
    needing = {one.id for one in PROBES if place in {action.place for action in one.actions}}
    found = verdicts(report)
    assert needing
    assert {found[name] for name in needing} == {"error"}
    assert "runc failed" in str([result for result in report["results"] if result["id"] in needing])
    assert (host.containers, host.images) == ({}, {})


@pytest.mark.parametrize(
    ("silent", "crashing", "words"),
    [
        ({"subject"}, set(), "did not end in time"),
        (set(), {"subject"}, "ended before its report: \"python3: can't open"),
    ],
)
def test_program_without_report_is_an_error(silent: set[str], crashing: set[str], words: str) -> None:
    host = FakeEngineHost()
    host.silent, host.crashing = silent, crashing
    result = result_of(probe(host, "limits.nofile"), "limits.nofile")
    assert result["verdict"] == "error"
    assert words in result["evidence"]
    assert host.clock < 1000 + 80


def test_program_on_the_host_without_report_is_an_error() -> None:
    host = FakeEngineHost()
    host.silent, host.host_rc = {"host"}, 1
    result = result_of(probe(host, "api.unix_socket_other_user"), "api.unix_socket_other_user")
    assert (result["verdict"], "no luck" in result["evidence"]) == ("error", True)


def test_sibling_without_address_spoils_the_attempt() -> None:
    host = FakeEngineHost()
    host.failing[f"GET /containers/id-bulwark-probe-{RUN_ID}-sibling/json"] = refuse(500, "lost")
    report = probe(host, "isolation.sibling_tcp")
    assert verdicts(report) == {"isolation.sibling_tcp": "error"}
    assert "sibling_addresses is not known" in result_of(report, "isolation.sibling_tcp")["evidence"]


def test_import_that_fails_ends_the_run_without_traces() -> None:
    host = FakeEngineHost()
    host.failing["POST /images/create"] = lambda: ApiResponse(200, b'{"error":"no space left on device"}')
    with pytest.raises(EngineError, match="import the probe image: no space left on device"):
        probe(host, "limits.nofile")
    assert (host.containers, host.images) == ({}, {})


def test_interrupted_run_is_cleaned_up() -> None:
    host = FakeEngineHost()

    def interrupt() -> ApiResponse:
        raise KeyboardInterrupt

    host.failing["/logs"] = interrupt
    with pytest.raises(KeyboardInterrupt):
        probe(host, "limits.nofile")
    assert host.started
    assert (host.containers, host.images) == ({}, {})


def test_traces_that_cannot_be_removed_are_a_failure_that_names_them() -> None:
    host = FakeEngineHost()
    host.failing["DELETE /images"] = refuse(409, "in use")
    with pytest.raises(EngineError, match=rf"bulwark-probe:{RUN_ID} could not be removed; .*label bulwark.probe"):
        probe(host, "limits.nofile")


def test_removal_that_is_answered_late_is_looked_at_again() -> None:
    host = FakeEngineHost()
    late = iter([True, False, False])

    def answer_late() -> ApiResponse:
        if next(late):
            raise HostError("ask the engine's API: timed out")
        host.containers.clear()
        return ApiResponse(204, b"")

    host.failing["DELETE /containers"] = answer_late
    assert verdicts(probe(host, "limits.nofile")) == {"limits.nofile": "blocked"}
    assert host.containers == {}


def test_engine_that_does_not_answer_is_a_failure() -> None:
    host = FakeEngineHost()

    def refuse_connection() -> ApiResponse:
        raise HostError("ask the engine's API for GET /info: refused")

    host.failing["GET /info"] = refuse_connection
    with pytest.raises(HostError):
        probe(host)


def test_plaintext_question_goes_to_every_port_of_the_engine_and_no_other() -> None:
    host = FakeEngineHost()
    result = result_of(probe(host, "api.tcp_plaintext"), "api.tcp_plaintext")
    assert [address for method, address in host.requests if method == "TCP"] == ["127.0.0.1:2375"]
    assert result["verdict"] == "blocked"
    assert result["evidence"] == "GET /version in plaintext: 127.0.0.1 port 2375: HTTP status 400"
    assert result["control"].startswith("process 77 (dockerd) was found listening on /run/docker.sock")


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (b"HTTP/1.1 200 OK\r\n", "not_blocked"),
        (b"HTTP/1.1 403 Forbidden\r\n", "blocked"),
        (b"\x15\x03\x01\x00\x02\x02\x16", "blocked"),
        (b"", "blocked"),
        (ConnectionResetError(), "blocked"),
        (TimeoutError(), "error"),
        (ConnectionRefusedError(), "error"),
    ],
)
def test_plaintext_verdict_follows_the_answer(answer: bytes | Exception, verdict: str) -> None:
    host = FakeEngineHost()
    host.tcp_answer = answer
    assert verdicts(probe(host, "api.tcp_plaintext")) == {"api.tcp_plaintext": verdict}


TLS = [one.id for one in PROBES if one.id.startswith("api.tls_")]


def test_attackers_of_tls_are_told_the_listeners_and_the_paths_of_the_running_engine() -> None:
    host = FakeEngineHost()
    host.files["/etc/docker/daemon.json"] = b"{broken"
    assert set(verdicts(probe(host, "daemon_tls")).values()) == {"blocked"}
    assert host.told["tls_server_certificate"] == {
        "listeners": [["127.0.0.1", 2375]],
        "certificate": "/tls/cert.pem",
        "key": "/tls/key.pem",
        "seconds": 3.0,
    }
    assert host.told["tls_foreign_certificate"]["openssl"] == "/usr/bin/openssl"


def test_paths_of_the_engines_certificate_may_stand_in_its_file() -> None:
    host = FakeEngineHost()
    host.files["/proc/77/cmdline"] = b"/usr/sbin/dockerd\0--config-file=/other.json\0"
    host.files["/other.json"] = b'{"tlscert": "/c.pem", "tlskey": "/k.pem"}'
    probe(host, "daemon_tls")
    told = host.told["tls_server_certificate"]
    assert (told["certificate"], told["key"]) == ("/c.pem", "/k.pem")


def test_engine_of_an_unknown_version_keeps_its_certificate_to_itself() -> None:
    host = FakeEngineHost()
    host.info["ServerVersion"] = "dev"
    probe(host, "daemon_tls")
    told = host.told["tls_server_certificate"]
    assert (told["certificate"], told["key"]) == ("", "")


def test_listeners_on_every_address_are_attacked_on_the_loopback() -> None:
    host = FakeEngineHost()
    host.files["/proc/77/net/tcp"] = TCP_TABLE.replace("0100007F:0947", "00000000:0947").encode()
    probe(host, "daemon_tls")
    assert host.told["tls_no_client_certificate"]["listeners"] == [["127.0.0.1", 2375]]


def test_engine_without_tcp_listener_has_no_tls_to_attack() -> None:
    host = FakeEngineHost()
    del host.links["/proc/77/fd/5"]
    report = probe(host, "daemon_tls")
    assert verdicts(report) == {"api.tcp_plaintext": "blocked", **dict.fromkeys(TLS, "not_applicable")}
    assert {result_of(report, name)["evidence"] for name in TLS} == {"the engine listens on no TCP port"}
    with pytest.raises(ConfigError, match="listens on no TCP port"):
        probe(host, "api.tls_plaintext")


def test_engine_process_that_is_not_found_is_no_proof() -> None:
    host = FakeEngineHost()
    del host.links["/proc/77/fd/3"]
    found = verdicts(probe(host, "daemon_tls"))
    assert found == dict.fromkeys(["api.tcp_plaintext", *TLS], "error")


def test_engine_in_another_network_namespace_is_out_of_reach() -> None:
    host = FakeEngineHost()
    host.links["/proc/77/ns/net"] = "net:[2]"
    report = probe(host, "api")
    assert verdicts(report).pop("api.unix_socket_other_user") == "blocked"
    assert {verdict for name, verdict in verdicts(report).items() if "tls" in name or "tcp" in name} == {
        "not_applicable"
    }


def test_log_files_too_large_to_fill_are_not_written() -> None:
    host = FakeEngineHost()
    host.log_options = {"max-size": "1g", "max-file": "3"}
    report = probe(host, "limits")
    assert verdicts(report)["limits.log_rotation"] == "not_applicable"
    assert f"bulwark-probe-{RUN_ID}-writer" not in host.started


def test_python_outside_of_usr_cannot_run_in_a_container() -> None:
    host = FakeEngineHost()
    host.real_path = lambda path: path.replace("/usr/bin/python3", "/opt/python/bin/python3")  # type: ignore[method-assign]
    found = verdicts(probe(host))
    assert found.pop("api.tcp_plaintext") == "blocked"
    assert found.pop("rootless.engine_process") == "blocked"
    assert set(found.values()) == {"not_applicable"}


BAIT = f"/var/lib/bulwark-probe-system@{RUN_ID}"


def test_bait_is_roots_own_and_goes_with_the_containers() -> None:
    host = FakeEngineHost()
    seen: list[dict[str, Any]] = []
    create = host.create
    host.create = lambda name, payload: seen.append(payload["HostConfig"]) or create(name, payload)  # type: ignore[func-returns-value, method-assign]
    probe(host, "rootless.privileged_host_file")
    assert (host.made, host.removed) == ([BAIT], [BAIT])
    assert host.modes == {f"{BAIT}/secret": 0o600, f"{BAIT}/open": 0o644}
    assert host.shared == {}
    [only] = seen
    assert only["Privileged"] is True
    assert only["NetworkMode"] == "none"
    assert [mount for mount in only["Mounts"] if not mount["ReadOnly"]] == [
        {"Type": "bind", "Source": BAIT, "Target": "/probe/bait", "ReadOnly": False}
    ]


def test_only_the_bait_of_the_same_engine_is_cleared_away() -> None:
    host = FakeEngineHost()
    other = "/var/lib/bulwark-probe-rootless-ann@old/secret"
    host.files.update({"/var/lib/bulwark-probe-system@old/secret": b"", other: b""})
    probe(host, "limits.nofile")
    assert "/var/lib/bulwark-probe-system@old" in host.removed
    assert [path for path in host.files if path.startswith("/var/lib")] == [other]


def test_engine_process_that_is_gone_is_no_proof_of_its_uid() -> None:
    host = FakeEngineHost()
    del host.files["/proc/77/status"]
    assert verdicts(probe(host, "rootless.engine_process")) == {"rootless.engine_process": "error"}
