# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running the probes against one engine and removing every trace afterwards (private).

Everything goes through the Host Protocol and the engine's API; no docker client and no registry are needed.
"""

from __future__ import annotations

import contextlib
import inspect
import json
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple
from urllib.parse import quote, urlencode

from ansible_collections.bulwark.docker.plugins.module_utils import _probe_program
from ansible_collections.bulwark.docker.plugins.module_utils._apparmor_host import loaded_profiles
from ansible_collections.bulwark.docker.plugins.module_utils._daemon_json import parse_document
from ansible_collections.bulwark.docker.plugins.module_utils._errors import BulwarkError, EngineError, HostError
from ansible_collections.bulwark.docker.plugins.module_utils._flags import parse_flags
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import Host
from ansible_collections.bulwark.docker.plugins.module_utils._instance import Instance
from ansible_collections.bulwark.docker.plugins.module_utils._listeners import Listener, find_listeners
from ansible_collections.bulwark.docker.plugins.module_utils._probe import (
    CONFINED,
    CONFINING,
    CONTAINERS,
    HOST,
    MOUNTED,
    PRIVILEGED,
    PUBLISHED_PORT,
    RELAXED,
    RUNNER,
    SCRATCH,
    SIBLING,
    SUBJECT,
    WRITER,
    Facts,
    Outcome,
    Plan,
    Result,
    count_verdicts,
    describe,
    judge,
    make_plan,
    require_some,
    resolve,
    select,
)
from ansible_collections.bulwark.docker.plugins.module_utils._probe_evidence import (
    LogLimits,
    Report,
    api_message,
    http_status,
    import_problem,
    judge_log_files,
    log_limits,
    parse_report,
    proxy_port,
    split_streams,
)
from ansible_collections.bulwark.docker.plugins.module_utils._probe_image import (
    LABEL,
    PROGRAM_PATH,
    REPOSITORY,
    SYSTEM_DIRECTORIES,
    Layout,
    container_payload,
    image_archive,
    make_layout,
)
from ansible_collections.bulwark.docker.plugins.module_utils._version import parse_version

__all__ = ["ProbeEngine", "Request", "find_python", "host_layout", "remove_traces", "run_probes"]

PYTHON_CANDIDATES = ("/usr/bin/python3", "/usr/libexec/platform-python", "/usr/local/bin/python3")
PYTHON_CHECK = "import sys, ctypes, socket; sys.exit(0 if sys.version_info >= (3, 8) else 3)"
PLAINTEXT_REQUEST = b"GET /version HTTP/1.0\r\nHost: localhost\r\n\r\n"
START_SECONDS = 60
LOCK_SECONDS = 120
REPORT_EXTRA_LINES = 20
POLL_SECONDS = 0.1
NOBODYS_MODE = 0o1777
REMOVAL_TRIES = 20
# Directories that are mounted into containers lie here.
BAIT_ROOT = "/var/lib"


class Request(NamedTuple):
    """What the user asked for: C(timeout) seconds for one action, C(nofile_ceiling) files for one process."""

    probes: Tuple[str, ...]
    instance: Instance
    timeout: int
    nofile_ceiling: int


class ProbeEngine:
    """The few calls of the engine's API that probing needs; EngineError carries the engine's own words."""

    def __init__(self, host: Host, socket_path: str, timeout: float) -> None:
        self._host = host
        self._socket_path = socket_path
        self._timeout = timeout

    def call(self, method: str, path: str, body: Optional[bytes] = None, missing_ok: bool = False) -> Optional[bytes]:
        """Body of a good answer; None for 404 when that is allowed."""
        answer = self._host.api(self._socket_path, method, path, body, self._timeout + START_SECONDS)
        if answer.status == 404 and missing_ok:
            return None
        if answer.status >= 400:
            raise EngineError(
                f"probe the engine: {method} {path.split('?')[0]} answered status {answer.status}: "
                f"{api_message(answer.body)} ({self._socket_path}); look at the engine's journal"
            )
        return answer.body

    def get(self, path: str, missing_ok: bool = False) -> Any:
        """Decoded JSON of a GET request; None for 404 when that is allowed."""
        body = self.call("GET", path, missing_ok=missing_ok)
        return None if body is None else json.loads(body)

    def labelled(self, kind: str) -> List[Dict[str, Any]]:
        """Containers or images that this module made, also in earlier runs."""
        query = urlencode({"all": "1", "filters": json.dumps({"label": [LABEL]})})
        return list(self.get(f"/{kind}/json?{query}") or [])

    def import_image(self, archive: bytes, run_id: str) -> str:
        """Make an image of one layer; its reference."""
        query = urlencode({"fromSrc": "-", "repo": REPOSITORY, "tag": run_id, "changes": f"LABEL {LABEL}={run_id}"})
        body = self.call("POST", f"/images/create?{query}", archive)
        problem = import_problem(body or b"")
        if problem:
            raise EngineError(f"import the probe image: {problem} ({self._socket_path}); look at the engine's journal")
        return f"{REPOSITORY}:{run_id}"

    def create(self, name: str, payload: Dict[str, Any]) -> str:
        """Create a container; its id."""
        body = self.call("POST", f"/containers/create?name={quote(name)}", json.dumps(payload).encode())
        return str(json.loads(body or b"{}")["Id"])

    def start(self, identity: str) -> None:
        """Start a container."""
        self.call("POST", f"/containers/{identity}/start")

    def inspect(self, identity: str) -> Dict[str, Any]:
        """Everything the engine knows of a container."""
        return dict(self.get(f"/containers/{identity}/json"))

    def output(self, identity: str, lines: int) -> Tuple[str, str]:
        """Last lines of a container's standard output and error."""
        body = self.call("GET", f"/containers/{identity}/logs?stdout=1&stderr=1&tail={lines}") or b""
        out, err = split_streams(body)
        return out.decode("utf-8", "replace"), err.decode("utf-8", "replace")


def _bait_prefix(instance: Instance) -> str:
    """How names of directories begin that are mounted into containers of this engine; no user's name holds an @."""
    return f"bulwark-probe-{instance.name}@"


def _remove_bait(host: Host, instance: Instance) -> None:
    for name in host.list_directory(BAIT_ROOT):
        if name.startswith(_bait_prefix(instance)):
            host.empty_directory(f"{BAIT_ROOT}/{name}")
            host.remove_directory(f"{BAIT_ROOT}/{name}")


def remove_traces(host: Host, engine: ProbeEngine) -> None:
    """Remove every container and image with our label, those of killed runs too, and see that they are gone."""
    left: List[str] = []
    for attempt in range(REMOVAL_TRIES):
        containers, images = engine.labelled("containers"), engine.labelled("images")
        left = [str(item["Id"]) for item in containers + images]
        if not left:
            return
        if attempt:
            host.sleep(POLL_SECONDS)
        for item in containers:
            _remove(engine, f"/containers/{item['Id']}?force=1&v=1")
        for item in images:
            _remove(engine, f"/images/{item['Id']}?force=1")
    raise EngineError(
        f"remove the probe's containers and images: {', '.join(left)} could not be removed; "
        f"remove what has the label {LABEL} by hand"
    )


def _remove(engine: ProbeEngine, path: str) -> None:
    try:
        engine.call("DELETE", path, missing_ok=True)
    except BulwarkError:
        # A removal under way answers 409, a busy engine late; the caller looks again and reports what stays.
        return


def find_python(host: Host) -> Tuple[str, str]:
    """Real path of a Python of the host below /usr that can run the program, or the reason why there is none."""
    for candidate in PYTHON_CANDIDATES:
        path = host.real_path(candidate)
        found = host.stat(path)
        if not path.startswith("/usr/") or not found or found.kind != "file":
            continue
        if host.run([path, "-I", "-S", "-B", "-c", PYTHON_CHECK], timeout=START_SECONDS).rc == 0:
            return path, ""
    return "", f"the host has no Python 3.8 or newer with ctypes at {' or '.join(PYTHON_CANDIDATES)}"


def host_layout(host: Host) -> Layout:
    links = {path: host.read_link(path) for path in SYSTEM_DIRECTORIES}
    found = {path: host.stat(path) for path in SYSTEM_DIRECTORIES}
    return make_layout(links, [path for path, facts in found.items() if facts and facts.kind == "directory"])


def _collect_facts(host: Host, engine: ProbeEngine, socket_path: str) -> Facts:
    info = engine.get("/info")
    options = {str(option).partition(",")[0] for option in info.get("SecurityOptions") or []}
    bridge = engine.get("/networks/bridge", missing_ok=True) or {}
    python, problem = find_python(host)
    reader = host.which("cat")
    return Facts(
        engine_version=str(info.get("ServerVersion", "")),
        os_type=str(info.get("OSType", "linux")),
        rootless="name=rootless" in options,
        userns_remapped="name=userns" in options,
        default_bridge=bridge.get("Driver") == "bridge",
        logging_driver=str(info.get("LoggingDriver", "")),
        python=python,
        python_problem=problem,
        reader=host.real_path(reader) if reader else "",
        openssl=host.which("openssl") or "",
        id_program=_find_id(host),
        tcp_problem=_tcp_problem(host, *_find_engine(host, socket_path)),
        apparmor_problem="" if "name=apparmor" in options else "the engine does not use AppArmor on this host",
        apparmor_profiles=tuple(name for name, mode in loaded_profiles(host).items() if mode == "enforce"),
        scratch=_is_directory(host, SCRATCH),
    )


def _find_id(host: Host) -> str:
    """Path of a program id that is not one of many behind the same file, since a set-uid copy of it is made."""
    path = host.real_path(host.which("id") or "/usr/bin/id")
    found = host.stat(path)
    return path if path == "/usr/bin/id" and found and found.kind == "file" else ""


def _is_directory(host: Host, path: str) -> bool:
    found = host.stat(path)
    return found is not None and found.kind == "directory"


def _tcp_problem(host: Host, pid: Optional[int], listeners: List[Listener]) -> str:
    """Why nobody can attack a TCP listener of the engine; a process that is not found is an error later on."""
    if pid is None:
        return ""
    if _lives_apart(host, pid):
        return "the engine lives in a network namespace of its own"
    return "" if _reachable(listeners) else "the engine listens on no TCP port"


def _lives_apart(host: Host, pid: int) -> bool:
    own, other = (host.read_link(f"/proc/{name}/ns/net") for name in ("self", pid))
    return own != other


def _reachable(listeners: List[Listener]) -> List[Tuple[str, int]]:
    """Addresses at which this host reaches the TCP listeners."""
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    return [(anywhere.get(found.address, found.address), found.port) for found in listeners if found.kind == "tcp"]


def _tls_files(host: Host, instance: Instance, pid: int, version_text: str) -> Tuple[str, str]:
    """Paths of the certificate and the key that the running engine was given, "" where they are not known."""
    try:
        version = parse_version(version_text)
    except BulwarkError:
        return "", ""
    argv = [
        word.decode("utf-8", "surrogateescape") for word in _proc(host, f"/proc/{pid}/cmdline").split(b"\0") if word
    ]
    flags = parse_flags(argv[1:], version)
    path = flags.config_file or instance.config_path
    try:
        data = parse_document(host.read_file(path), version, path).data
    except BulwarkError:
        data = {}  # the running engine has read something better
    certificate, key = ((flags.values.get(name) or (str(data.get(name, "")),))[-1] for name in ("tlscert", "tlskey"))
    return certificate, key


def _find_engine(host: Host, socket_path: str) -> Tuple[Optional[int], List[Listener]]:
    """The dockerd process that holds the API's socket, and everything it listens on."""
    wanted = host.real_path(socket_path)
    for pid in host.list_directory("/proc"):
        if not pid.isdigit() or _proc(host, f"/proc/{pid}/comm").strip() != b"dockerd":
            continue
        listeners = find_listeners(host, int(pid))
        if any(found.kind == "unix" and host.real_path(found.address) == wanted for found in listeners):
            return int(pid), listeners
    return None, []


def _proc(host: Host, path: str) -> bytes:
    """A file below /proc, empty when its process ended meanwhile."""
    try:
        return host.read_file(path) or b""
    except HostError:
        return b""


class _Run:
    """One run: the containers that it started and what has been found out so far."""

    def __init__(
        self, host: Host, engine: ProbeEngine, request: Request, plan: Plan, facts: Facts, run_id: str
    ) -> None:
        self.host = host
        self.engine = engine
        self.request = request
        self.plan = plan
        self.facts = facts
        self.run_id = run_id
        self.program = inspect.getsource(_probe_program)
        self.layout = host_layout(host)
        self.image = ""
        self.containers: Dict[str, str] = {}
        self.outcomes: Dict[str, Outcome] = {}
        self.known: Dict[str, Any] = {"token": f"bulwark-{run_id}", "nofile_excess": request.nofile_ceiling + 1}
        self.limits = LogLimits(None, 1, 0)
        self.share = ""
        self.engine_pid: Optional[int] = None
        self.listeners: List[Listener] = []

    def execute(self) -> Dict[str, Outcome]:
        """Do every action of the plan; a place that fails spoils its own actions, not the whole run."""
        self.engine_pid, self.listeners = _find_engine(self.host, self.request.instance.api_socket)
        # The sockets of libnetwork take keys from runc and speak no HTTP.
        sockets = [found.address for found in self.listeners if found.kind == "unix"]
        paths = [path for path in sockets if "/libnetwork/" not in path]
        self.known["unix_paths"] = paths or [self.request.instance.api_socket]
        self._prepare_tcp()
        if self.plan.share:
            self._make_share()
        places = [place for place in CONTAINERS if place in self.plan.places]
        if places:
            self._make_image()
        if self.plan.bait:
            self._lay_bait()
        starts: Dict[str, Callable[[str], None]] = {SIBLING: self._start_sibling, WRITER: self._start_writer}
        for place in places:
            self._guard(place, starts.get(place, self._start))
        if HOST in self.plan.places:
            self._guard(HOST, self._run_on_host)
        for place in self.containers:
            self._guard(place, self._collect)
        for identity, action in self.plan.places.get(RUNNER, ()):
            self.outcomes.setdefault(identity, self._look(action.name))
        return self.outcomes

    def _prepare_tcp(self) -> None:
        self.known["openssl"] = self.facts.openssl
        if self.engine_pid is not None:
            self.known["tcp_listeners"] = _reachable(self.listeners)
            files = _tls_files(self.host, self.request.instance, self.engine_pid, self.facts.engine_version)
            self.known["server_certificate"], self.known["server_key"] = files

    def _lay_bait(self) -> None:
        """A directory of root's with a file that only root may read, and one that anybody may."""
        path = f"{BAIT_ROOT}/{_bait_prefix(self.request.instance)}{self.run_id}"
        self.host.make_directory(path, 0o755)
        for name, mode in (("secret", 0o600), ("open", 0o644)):
            self.host.write_file(f"{path}/{name}", self.known["token"].encode(), mode, 0, 0)
        self.known.update(bait=path, bait_secret=f"{path}/secret")

    def _make_share(self) -> None:
        """A directory with files of root that nobody else may touch, and one in which everybody may make files."""
        self.share = f"{BAIT_ROOT}/{_bait_prefix(self.request.instance)}{self.run_id}-share"
        self.host.make_directory(self.share, 0o711)
        self.host.make_directory(f"{self.share}/open", NOBODYS_MODE)
        self.host.write_file(f"{self.share}/secret", self.known["token"].encode("ascii"), 0o600, 0, 0)
        self.host.write_file(f"{self.share}/precious", b"", 0o600, 0, 0)
        names = {"secret": "secret", "precious": "precious", "left": "open/left", "own": "open/own"}
        self.known.update({f"share_{name}": f"{self.share}/{path}" for name, path in names.items()})
        self.known["id_program"] = self.facts.id_program

    def _guard(self, place: str, step: Callable[[str], None]) -> None:
        try:
            step(place)
        except BulwarkError as exc:
            for identity, _action in self.plan.places[place]:
                self.outcomes.setdefault(identity, Outcome(failure=str(exc)))

    def _make_image(self) -> None:
        reader = self.host.read_file(self.facts.reader) if self.facts.reader else None
        archive = image_archive(self.layout, self.program.encode(), reader or b"", self.known["token"])
        self.image = self.engine.import_image(archive, self.run_id)

    def _specification(self, place: str) -> str:
        actions = []
        for identity, action in self.plan.places[place]:
            try:
                arguments = resolve(action.arguments, self.known)
            except KeyError as exc:
                self.outcomes[identity] = Outcome(failure=f"{action.name}: {exc.args[0]} is not known in this run")
                continue
            actions.append({"id": identity, "name": action.name, "arguments": arguments, "uid": action.uid})
        linger = self._patience(SUBJECT) + self._patience(HOST) if place == SIBLING else 0
        return json.dumps({"actions": actions, "seconds": self.request.timeout, "linger": linger})

    def _patience(self, place: str) -> float:
        return START_SECONDS + self.request.timeout * len(self.plan.places.get(place, ()))

    def _start(self, place: str) -> None:
        self.containers[place] = self._create(place, self._specification(place))
        self.engine.start(self.containers[place])

    def _security_options(self, place: str) -> Tuple[str, ...]:
        """A profile that is not there would keep the container from starting; then it has what everybody gets."""
        if place in CONFINING and CONFINING[place] in self.facts.apparmor_profiles:
            return (f"apparmor={CONFINING[place]}",)
        return self.plan.relax if place == RELAXED else ()

    def _create(self, place: str, specification: str) -> str:
        relaxed = place == RELAXED
        payload = container_payload(
            self.image,
            self.run_id,
            [self.facts.python, "-I", "-S", "-B", PROGRAM_PATH, specification],
            self.layout,
            network=place in (SIBLING, SUBJECT),
            default_log=place == WRITER,
            publish=place == SIBLING and self.plan.publish,
            security_options=self._security_options(place),
            host_cgroup_namespace=relaxed and self.plan.host_cgroup_namespace,
            bait=str(self.known["bait"]) if place in (MOUNTED, PRIVILEGED) else "",
            privileged=place == PRIVILEGED,
            share=self.share if place == SUBJECT else "",
            scratch=SCRATCH if place in (CONFINED, RELAXED) and self.facts.scratch else "",
        )
        return self.engine.create(f"{REPOSITORY}-{self.run_id}-{place}", payload)

    def _start_sibling(self, place: str) -> None:
        self._start(place)
        self._collect(place)
        network = self.engine.inspect(self.containers[place])["NetworkSettings"]
        bridge = network["Networks"].get("bridge") or {}
        addresses = [bridge.get("IPAddress"), bridge.get("GlobalIPv6Address")]
        self.known["sibling_addresses"] = [address for address in addresses if address]
        bindings = (network.get("Ports") or {}).get(f"{PUBLISHED_PORT}/tcp") or []
        if bindings:
            self.known["published_port"] = int(bindings[0]["HostPort"])

    def _start_writer(self, place: str) -> None:
        # Only a container that exists shows which log options the engine gives it; this one is never started.
        scout = self.engine.create(f"{REPOSITORY}-{self.run_id}-scout", self._scout_payload())
        config = self.engine.inspect(scout)["HostConfig"]["LogConfig"]
        self.limits = log_limits(str(config["Type"]), config.get("Config") or {})
        if self.limits.flood:
            self.known["log_bytes"] = self.limits.flood
            self._start(place)
            return
        reason = f"the log files of {self.limits.max_size} bytes are too large to be filled for a test"
        for identity, _action in self.plan.places[place]:
            self.outcomes[identity] = Outcome(inapplicable=reason)

    def _scout_payload(self) -> Dict[str, Any]:
        command = [self.facts.python]
        return container_payload(self.image, self.run_id, command, self.layout, network=False, default_log=True)

    def _collect(self, place: str) -> None:
        """Wait for the end of a container's report and keep its outcomes."""
        identity = self.containers[place]
        lines = len(self.plan.places[place]) + REPORT_EXTRA_LINES
        deadline = self.host.now() + self._patience(place)
        while True:
            running = self.engine.inspect(identity)["State"]["Running"]
            out, err = self.engine.output(identity, lines)
            report = parse_report(out)
            if report.done:
                self._keep(report)
                return
            if not running or self.host.now() > deadline:
                self._keep(report)
                what = "did not end in time" if running else "ended before its report"
                raise EngineError(f"run the program in the {place} container: it {what}: {err.strip()[-400:]!r}")
            self.host.sleep(POLL_SECONDS)

    def _run_on_host(self, place: str) -> None:
        argv = [self.facts.python, "-I", "-S", "-B", "-", self._specification(place)]
        done = self.host.run(argv, data=self.program, timeout=self._patience(place))
        report = parse_report(done.stdout)
        self._keep(report)
        if not report.done:
            raise HostError(
                f"run the program on the host: status {done.rc}, {done.stderr.strip()[-400:]!r} ({self.facts.python})"
            )

    def _keep(self, report: Report) -> None:
        for identity, outcome in report.outcomes.items():
            self.outcomes.setdefault(identity, outcome)

    def _look(self, name: str) -> Outcome:
        looks: Dict[str, Callable[[], Outcome]] = {
            "engine_found": self._engine_found,
            "engine_is_root": self._engine_is_root,
            "log_growth": self._log_growth,
            "made_file_owner": self._made_file_owner,
            "process_owner": self._process_owner,
            "proxy_process": self._proxy_process,
            "tcp_plaintext": self._tcp_plaintext,
        }
        started = self.host.now()
        try:
            outcome = looks[name]()
        except BulwarkError as exc:
            outcome = Outcome(failure=str(exc))
        return outcome._replace(seconds=round(self.host.now() - started, 3))

    def _engine_found(self) -> Outcome:
        if self.engine_pid is None:
            return Outcome(detail=f"no process dockerd holds {self.request.instance.api_socket}")
        held = ", ".join(found.address for found in self.listeners if found.kind == "unix")
        return Outcome(gained=True, detail=f"process {self.engine_pid} (dockerd) was found listening on {held}")

    def _engine_is_root(self) -> Outcome:
        if self.engine_pid is None:
            return Outcome(failure=f"no process dockerd holds {self.request.instance.api_socket}")
        status = _proc(self.host, f"/proc/{self.engine_pid}/status").decode("ascii", "replace")
        uids = next((line.split()[1:] for line in status.splitlines() if line.startswith("Uid:")), [])
        if not uids:
            return Outcome(failure=f"process {self.engine_pid} (dockerd) ended meanwhile")
        return Outcome(gained="0" in uids, detail=f"process {self.engine_pid} (dockerd) has the uid {uids[1]}")

    def _tcp_plaintext(self) -> Outcome:
        if self.engine_pid is None:
            return Outcome(
                failure=f"no process dockerd holds {self.request.instance.api_socket}, so its ports are not known"
            )
        if _lives_apart(self.host, self.engine_pid):
            return Outcome(inapplicable="the engine lives in a network namespace of its own")
        gained = False
        seen: List[str] = []
        for address, port in _reachable(self.listeners):
            status = self._ask_plaintext(address, port)
            gained = gained or status == 200
            answer = "no HTTP answer" if status is None else f"HTTP status {status}"
            seen.append(f"{address} port {port}: {answer}")
        return Outcome(
            gained=gained, detail="GET /version in plaintext: " + "; ".join(seen) if seen else "no TCP listener"
        )

    def _ask_plaintext(self, address: str, port: int) -> Optional[int]:
        try:
            return http_status(self.host.tcp_request(address, port, PLAINTEXT_REQUEST))
        except HostError as exc:
            # A TLS server may simply cut the line; anything else means that the question was never put.
            if isinstance(exc.__cause__, ConnectionResetError):
                return None
            raise

    def _log_growth(self) -> Outcome:
        identity = self.containers.get(WRITER)
        if identity is None:
            return Outcome(failure="the container that writes a log was not started")
        root = str(self.engine.get("/info")["DockerRootDir"])
        base = f"{root}/containers/{identity}"
        paths = [f"{base}/{name}" for name in self.host.list_directory(base) if name.startswith(f"{identity}-json.log")]
        paths += [f"{base}/local-logs/{name}" for name in self.host.list_directory(f"{base}/local-logs")]
        found = [self.host.stat(path) for path in paths]
        return judge_log_files(self.limits, self.limits.flood, [facts.size for facts in found if facts])

    def _made_file_owner(self) -> Outcome:
        path = f"{self.share}/open/made"
        found = self.host.stat(path)
        if found is None:
            return Outcome(failure=f"{path} was not made")
        return Outcome(gained=found.uid == 0, detail=f"{path} belongs to {found.uid}:{found.gid}")

    def _process_owner(self) -> Outcome:
        identity = self.containers.get(SIBLING)
        pid = int(self.engine.inspect(identity)["State"]["Pid"]) if identity else 0
        lines = _proc(self.host, f"/proc/{pid}/status").decode("ascii", "replace").splitlines()
        owners = [line.split()[1] for line in lines if line.startswith("Uid:")]
        if not pid or not owners:
            return Outcome(failure="no process of the sibling container runs")
        return Outcome(gained=owners[0] == "0", detail=f"process {pid} of a container's root has uid {owners[0]}")

    def _proxy_process(self) -> Outcome:
        port = self.known.get("published_port")
        if port is None:
            return Outcome(failure="no port of the sibling container was published")
        for pid in self.host.list_directory("/proc"):
            if pid.isdigit() and proxy_port(_proc(self.host, f"/proc/{pid}/cmdline")) == port:
                return Outcome(gained=True, detail=f"process {pid} is a docker-proxy for 127.0.0.1 port {port}")
        return Outcome(detail=f"no docker-proxy for 127.0.0.1 port {port}")


def run_probes(host: Host, request: Request, run_id: str, check_mode: bool = False) -> Dict[str, Any]:
    """Run the wanted probes against one engine.

    C(run_id) names what the run makes (lower-case letters and digits, never used before). In check mode nothing is
    started: C(results) then only has the probes that do not apply.

    Returns C(results), C(counts), C(planned) and C(engine_version). Raises ConfigError for unknown probes and when none
    applies here, EngineError when traces could not be removed, HostError when the engine does not answer.
    """
    probes = select(request.probes)
    engine = ProbeEngine(host, request.instance.api_socket, request.timeout)
    facts = _collect_facts(host, engine, request.instance.api_socket)
    plan = make_plan(probes, facts)
    require_some(plan.probes, plan.inapplicable)
    results: List[Result] = []
    if not check_mode:
        with host.lock(request.instance.lock_path, LOCK_SECONDS):
            outcomes = _run_cleanly(_Run(host, engine, request, plan, facts, run_id))
        results = [judge(probe, plan, outcomes) for probe in plan.probes]
    results.extend(plan.inapplicable)
    return {
        "counts": count_verdicts(results),
        "engine_version": facts.engine_version,
        "planned": [probe.id for probe in plan.probes],
        "results": [describe(result) for result in results],
    }


def _remove_everything(run: _Run) -> None:
    remove_traces(run.host, run.engine)
    _remove_bait(run.host, run.request.instance)


def _run_cleanly(run: _Run) -> Dict[str, Outcome]:
    _remove_everything(run)
    try:
        outcomes = run.execute()
    except BaseException:
        with contextlib.suppress(BulwarkError):
            _remove_everything(run)
        raise
    _remove_everything(run)
    return outcomes
