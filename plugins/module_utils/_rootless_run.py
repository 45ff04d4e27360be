# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Putting one user's engine into place, keeping it there, and taking it away (private).

Works without any log-in of the user: linger starts the user's service manager, and systemctl reaches it as root.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._daemon_config import ROOTLESS_OWNER
from ansible_collections.bulwark.docker.plugins.module_utils._data_paths import rootless_data_root
from ansible_collections.bulwark.docker.plugins.module_utils._engine_state import (
    Process,
    read_process,
    running_containers,
    service_properties,
)
from ansible_collections.bulwark.docker.plugins.module_utils._errors import (
    BulwarkError,
    ConfigError,
    EngineError,
    HostError,
    RefusedError,
)
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import CommandResult, Host, UserAccount
from ansible_collections.bulwark.docker.plugins.module_utils._instance import STATE_ROOT, Instance, rootless_instance
from ansible_collections.bulwark.docker.plugins.module_utils._rootless_look import (
    ENGINE_RECORD,
    look_at_account,
    look_at_host,
    user_controllers,
)
from ansible_collections.bulwark.docker.plugins.module_utils._rootless_plan import (
    UnitChoices,
    check_accounts,
    check_host,
    delegation,
    unit_text,
)
from ansible_collections.bulwark.docker.plugins.module_utils._rootless_tables import ROOTLESSKIT_NAMES, SCRIPT_NAME
from ansible_collections.bulwark.docker.plugins.module_utils._transaction import (
    CommitRequest,
    SettingsRequest,
    apply_settings,
    commit,
)

__all__ = ["EngineRequest", "apply_engine"]

FORMAT = 1
POLL_SECONDS = 0.3
LOCK_SECONDS = 120.0
PROGRAM_SECONDS = 90.0
QUIET_SECONDS = 30.0
LINGER_DIRECTORY = "/var/lib/systemd/linger"
DROP_IN = "zz-bulwark-rootless.conf"
SERVICE = "docker.service"
SLACK_SECONDS = 1.0


class EngineRequest(NamedTuple):
    """What the module rootless_engine is asked for; C(deadline) in seconds."""

    present: bool
    user: str
    network: str
    mtu: int
    port_driver: str
    environment: Tuple[Tuple[str, str], ...]
    allow_container_stop: bool
    remove_data: bool
    deadline: int
    check_mode: bool


class _Record(NamedTuple):
    """What was made for a user.

    C(original) is the unit that stood there before (None: none); C(directories) were made by us; C(unit) is the
    digest of the unit that the process C(identity) was started with.
    """

    uid: int
    linger: bool
    enabled: bool
    original: Optional[str]
    directories: Tuple[str, ...]
    unit: str
    identity: Optional[List[Any]]


def _record_path(user: str) -> str:
    return f"{STATE_ROOT}/rootless-{user}/{ENGINE_RECORD}"


def _read_record(host: Host, user: str) -> Optional[_Record]:
    path = _record_path(user)
    raw = host.read_file(path)
    if raw is None:
        return None
    try:
        data = json.loads(raw.decode("utf-8"))
        if data.pop("format") != FORMAT:
            raise ValueError("another format")
        data["directories"] = tuple(data["directories"])
        return _Record(**data)
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ConfigError(
            f"Read what was made for the rootless engine of {user!r}: {exc!r} ({path}); restore that file from a "
            "backup, or remove it if nothing is to be taken back"
        ) from exc


def _write_record(host: Host, user: str, record: Optional[_Record]) -> None:
    path = _record_path(user)
    directory = posixpath.dirname(path)
    if record is None:
        host.remove_file(path)
        host.remove_directory(directory)
        host.remove_directory(STATE_ROOT)
        return
    raw = (json.dumps({"format": FORMAT, **record._asdict()}, indent=1, sort_keys=True) + "\n").encode("utf-8")
    if raw != host.read_file(path):
        host.make_directory(directory, 0o700)
        host.write_file(path, raw, 0o600, 0, 0)


def _drop_in_path(uid: int) -> str:
    return f"/etc/systemd/system/user@{uid}.service.d/{DROP_IN}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _last_line(result: CommandResult) -> str:
    words = (result.stderr.strip() or result.stdout.strip()).splitlines()
    return words[-1] if words else f"exit status {result.rc}"


class _Engine:
    """One user's engine and the ways to its service manager."""

    def __init__(self, host: Host, request: EngineRequest, account: UserAccount) -> None:
        self.host = host
        self.request = request
        self.account = account
        self.instance: Instance = rootless_instance(account.name, account.uid, account.gid, account.home)
        self.unit_path = f"{account.home.rstrip('/')}/.config/systemd/user/{SERVICE}"
        self.runtime = f"/run/user/{account.uid}"
        self.manager = f"user@{account.uid}.service"
        self.linger_path = f"{LINGER_DIRECTORY}/{account.name}"

    def systemctl(self, *words: str, timeout: float = PROGRAM_SECONDS) -> CommandResult:
        """Ask the user's service manager; a bad end is not an error here."""
        return self.host.run([*self.instance.systemctl, *words], timeout=timeout)

    def ordered(self, *words: str, timeout: float = PROGRAM_SECONDS) -> None:
        """The same, and HostError where it does not do it."""
        result = self.systemctl(*words, timeout=timeout)
        if result.rc != 0:
            raise HostError(
                f"Run the rootless engine of {self.account.name!r}: {_last_line(result)} (systemctl --user "
                f"{' '.join(words)}); look at: journalctl _UID={self.account.uid} -n 50"
            )

    def root(self, *argv: str) -> None:
        """Run a program for the host; HostError where it fails."""
        result = self.host.run(argv, timeout=PROGRAM_SECONDS)
        if result.rc != 0:
            raise HostError(
                f"Run the rootless engine of {self.account.name!r}: {_last_line(result)} ({' '.join(argv)}); "
                "look at the journal of systemd-logind"
            )

    def manager_up(self) -> bool:
        """Whether the user's service manager takes orders."""
        return self.host.stat(self.runtime + "/systemd/private") is not None

    def wait_for_manager(self) -> None:
        """Wait until service manager and bus are there; a manager older than its bus is told about it."""
        end = self.host.now() + self.request.deadline
        told = False
        while True:
            if self.manager_up():
                if self.host.stat(self.runtime + "/bus") is not None:
                    return
                if not told:
                    self._start_bus()
                    told = True
            if self.host.now() > end:
                missing = "its bus" if self.manager_up() else "its service manager"
                raise HostError(
                    f"Run the rootless engine of {self.account.name!r}: {missing} has not come up within "
                    f"{self.request.deadline} s ({self.runtime}); look at: systemctl status {self.manager}"
                )
            self.host.sleep(POLL_SECONDS)

    def _start_bus(self) -> None:
        """Let a service manager that is older than its bus's package start it; runc needs it for limits."""
        self.systemctl("daemon-reload")
        self.systemctl("start", "dbus.socket")

    def refuse_elsewhere(self, path: str) -> None:
        """Root writes where a user's link points only if that is the user's own place; RefusedError."""
        real, home = self.host.real_path(path), self.host.real_path(self.account.home)
        found = self.host.stat(real)
        owner = found.uid if found else self.account.uid
        if posixpath.commonpath((real, home)) == home and owner in (0, self.account.uid):
            return
        raise RefusedError(
            f"Write {path}: it leads to {real}, which is not a place of the user's own (user {self.account.name}, home "
            f"{home}); root does not follow such a link, remove it"
        )

    def properties(self) -> Dict[str, str]:
        """What systemd says of the unit; nothing while the service manager is down."""
        if not self.manager_up():
            return {}
        names = ["MainPID", "ActiveState", "UnitFileState", "NeedDaemonReload"]
        return service_properties(self.host, self.instance, SERVICE, names)

    def process(self, properties: Dict[str, str]) -> Optional[Process]:
        """The engine's main process."""
        return read_process(self.host, int(properties.get("MainPID") or 0))

    def answers(self) -> bool:
        """Whether the engine answers its API."""
        try:
            return self.host.api(self.instance.api_socket, "GET", "/_ping").status == 200
        except HostError:
            return False

    def containers(self) -> List[str]:
        """Names of running containers; none while nobody answers."""
        try:
            return [str(entry["name"]) for entry in running_containers(self.host, self.instance)]
        except BulwarkError:
            return []

    def wait_for_answer(self) -> None:
        """EngineError when the engine does not answer in time."""
        end = self.host.now() + self.request.deadline
        while not self.answers():
            if self.host.now() > end or self.properties().get("ActiveState") == "failed":
                argv = [*self.instance.journalctl, f"_SYSTEMD_USER_UNIT={SERVICE}", "--output=cat", "--no-pager", "-n6"]
                words = " | ".join(self.host.run(argv, timeout=PROGRAM_SECONDS).stdout.strip().splitlines())
                raise EngineError(
                    f"Start the rootless engine of {self.account.name!r}: it does not answer "
                    f"({self.instance.api_socket}), its journal says: {words or 'nothing'}; mend that and run again"
                )
            self.host.sleep(POLL_SECONDS)


class _Installation:
    """Putting an engine into place."""

    def __init__(self, engine: _Engine, script: str) -> None:
        self.engine = engine
        self.host = engine.host
        self.request = engine.request
        request = engine.request
        choices = UnitChoices(script, request.network, request.mtu, request.port_driver, request.environment)
        self.unit = unit_text(choices)
        self.found = self.host.read_file(engine.unit_path)
        self.drop_in = _drop_in_path(engine.account.uid)
        self.reasons: List[str] = []
        old = _read_record(self.host, engine.account.name)
        self.lingers = self.host.stat(engine.linger_path) is not None
        self.record = old or self._first_record()

    def _first_record(self) -> _Record:
        original = None if self.found is None else self.found.decode("utf-8", "surrogateescape")
        enabled = self.engine.properties().get("UnitFileState") == "enabled"
        return _Record(self.engine.account.uid, not self.lingers, enabled, original, (), "", None)

    def note(self, reason: str) -> bool:
        """Keep a reason; whether something is to be done about it now."""
        self.reasons.append(reason)
        return not self.request.check_mode

    def run(self) -> Dict[str, Any]:
        """The whole; the module's result."""
        engine = self.engine
        engine.refuse_elsewhere(engine.unit_path)
        differs = (self.found or b"") != self.unit.encode("utf-8")
        stale = differs or self._stale_process()
        running = engine.containers() if stale else []
        if running and not self.request.allow_container_stop:
            raise RefusedError(
                f"Restart the rootless engine of {engine.account.name!r} with its unit as it should be: "
                f"{', '.join(running)} would stop ({engine.unit_path}); stop them first, or allow it with "
                "rootless_allow_container_stop: true"
            )
        if not self.request.check_mode:
            missing = self._missing_directories()
            made = tuple(path for path in missing if path not in self.record.directories)
            self.record = self.record._replace(directories=self.record.directories + made)
            _write_record(self.host, engine.account.name, self.record)
        self._delegate()
        self._linger()
        self._place_unit(differs)
        restarted = self._start(stale)
        return {
            "changed": bool(self.reasons),
            "reasons": self.reasons,
            "engine_restarted": restarted,
            "ready": self.engine.answers() if self.request.check_mode else True,
            "controllers": list(user_controllers(self.host, engine.account.uid)),
            "socket": engine.instance.api_socket,
            "diff": self._diff(differs),
        }

    def _stale_process(self) -> bool:
        """Whether the running engine was started with another unit than the wanted one."""
        properties = self.engine.properties()
        process = self.engine.process(properties)
        if process is None or properties.get("ActiveState") != "active":
            return False
        if self.record.identity == process.identity():
            return self.record.unit != _digest(self.unit)
        facts = self.host.stat(self.engine.unit_path)
        return facts is None or facts.ctime_ns / 1e9 > process.started_at + SLACK_SECONDS

    def _missing_directories(self) -> List[str]:
        """Directories of the user that this role or the engine makes, inner ones first."""
        account = self.engine.account
        found = []
        for made in (self.engine.unit_path, rootless_data_root(account.home)):
            path = posixpath.dirname(made)
            while path != account.home.rstrip("/") and self.host.stat(path) is None:
                found.append(path)
                path = posixpath.dirname(path)
        return found

    def _delegate(self) -> None:
        wanted = delegation().encode("utf-8")
        if self.host.read_file(self.drop_in) == wanted:
            return
        if self.note(f"{self.drop_in}: written, so that limits of containers work"):
            self.host.make_directory(posixpath.dirname(self.drop_in), 0o755)
            self.host.write_file(self.drop_in, wanted, 0o644, 0, 0)
            self.engine.root("systemctl", "daemon-reload")

    def _linger(self) -> None:
        name = self.engine.account.name
        if not self.lingers and self.note("linger: switched on, so that the engine runs without a log-in"):
            self.engine.root("loginctl", "enable-linger", name)
        if not self.request.check_mode:
            self.engine.wait_for_manager()

    def _place_unit(self, differs: bool) -> None:
        engine, account = self.engine, self.engine.account
        if differs and self.note(f"{engine.unit_path}: " + ("put right" if self.found is not None else "written")):
            self.host.make_directory(posixpath.dirname(engine.unit_path), 0o755, account.uid, account.gid)
            self.host.write_file(engine.unit_path, self.unit.encode("utf-8"), 0o644, account.uid, account.gid)
        properties = engine.properties()
        if self.request.check_mode:
            if properties.get("UnitFileState") != "enabled":
                self.reasons.append(f"{SERVICE}: switched on")
            return
        if differs or properties.get("NeedDaemonReload") == "yes":
            engine.ordered("daemon-reload")
            properties = engine.properties()
        if properties.get("UnitFileState") != "enabled" and self.note(f"{SERVICE}: switched on"):
            engine.ordered("enable", SERVICE)

    def _start(self, stale: bool) -> bool:
        """Start or restart the engine where needed; whether its process was replaced."""
        engine = self.engine
        properties = engine.properties()
        up = properties.get("ActiveState") == "active"
        if stale and up:
            todo = self.note(f"{SERVICE}: restarted, it ran with another unit")
        elif not up:
            todo = self.note(f"{SERVICE}: started")
        else:
            todo = False
        if self.request.check_mode:
            return False
        if todo:
            engine.systemctl("reset-failed", SERVICE)
            engine.systemctl("restart", SERVICE, timeout=float(self.request.deadline))
        engine.wait_for_answer()
        process = engine.process(engine.properties())
        if process is not None:
            record = self.record._replace(unit=_digest(self.unit), identity=process.identity())
            _write_record(self.host, engine.account.name, record)
        return todo

    def _diff(self, differs: bool) -> List[Dict[str, str]]:
        if not differs:
            return []
        path = self.engine.unit_path
        before = (self.found or b"").decode("utf-8", "backslashreplace")
        return [{"before": before, "after": self.unit, "before_header": path, "after_header": path}]


class _Removal:
    """Taking an engine away."""

    def __init__(self, engine: _Engine, record: _Record) -> None:
        self.engine = engine
        self.host = engine.host
        self.record = record
        self.reasons: List[str] = []
        self.warnings: List[str] = []

    def run(self) -> Dict[str, Any]:
        """The whole; the module's result."""
        engine, request = self.engine, self.engine.request
        user = engine.account.name
        self.reasons.append(f"{SERVICE} of {user}: stopped and removed")
        if request.remove_data:
            self.reasons.append(f"data of {user}'s engine: removed")
        if not request.check_mode:
            engine.refuse_elsewhere(engine.unit_path)
            self._stop()
            self._give_back_settings()
            self._give_back_unit()
            if request.remove_data:
                self._remove_data()
            for path in self.record.directories:
                self.host.remove_directory(path)
            self._give_back_manager()
            _write_record(self.host, user, None)
        return {
            "changed": True,
            "reasons": self.reasons,
            "engine_restarted": False,
            "diff": [],
            "warnings": self.warnings,
        }

    def _give_back_settings(self) -> None:
        """Leave daemon.json as it was before the role's first run; the engine is stopped by now."""
        engine = self.engine
        if self.host.stat(engine.instance.state_path) is None or not engine.manager_up():
            return
        patience, deadline = LOCK_SECONDS, float(engine.request.deadline)
        give_back = SettingsRequest(ROOTLESS_OWNER, False, {}, False, True, True, "", 0.0, patience, False)
        try:
            run_id = apply_settings(self.host, engine.instance, give_back).run_id
            commit(self.host, engine.instance, CommitRequest(True, True, run_id, 0.0, patience, deadline, False))
        except BulwarkError as exc:
            self.warnings.append(f"{engine.instance.config_path} was left as it is: {exc}")

    def _stop(self) -> None:
        engine = self.engine
        if not engine.manager_up():
            return
        engine.systemctl("stop", SERVICE, timeout=float(engine.request.deadline))
        if engine.properties().get("ActiveState") not in ("inactive", "failed"):
            engine.ordered("kill", "--signal=KILL", SERVICE)
        # Containers have scopes of their own, which a killed engine leaves behind.
        engine.systemctl("stop", "docker-*.scope")
        if not self.record.enabled:
            engine.systemctl("disable", SERVICE)

    def _give_back_unit(self) -> None:
        engine, account = self.engine, self.engine.account
        if self.record.original is None:
            self.host.remove_file(engine.unit_path)
        else:
            raw = self.record.original.encode("utf-8", "surrogateescape")
            self.host.write_file(engine.unit_path, raw, 0o644, account.uid, account.gid)
        self.host.remove_directory(posixpath.dirname(engine.unit_path) + "/default.target.wants")
        if engine.manager_up():
            engine.ordered("daemon-reload")

    def _remove_data(self) -> None:
        """As the user, in a user namespace of the user's own: no link can lead this astray."""
        engine, account = self.engine, self.engine.account
        path = rootless_data_root(account.home)
        if self.host.stat(path) is None:
            return
        program = next((found for found in (self.host.which(name) for name in ROOTLESSKIT_NAMES) if found), None)
        if program is None:
            raise HostError(
                f"Remove the data of the rootless engine of {account.name!r}: rootlesskit is gone ({path}); install "
                "it, or leave rootless_remove_data false and remove the directory by hand"
            )
        environ = {"XDG_RUNTIME_DIR": engine.runtime, "HOME": account.home}
        argv = ["setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--init-groups"]
        argv += [program, "rm", "-rf", "--one-file-system", "--", path]
        result = self.host.run(argv, timeout=float(engine.request.deadline), environ=environ)
        if self.host.stat(path) is not None:
            raise HostError(
                f"Remove the data of the rootless engine of {account.name!r}: {_last_line(result)} ({path}); remove it "
                "by hand"
            )

    def _give_back_manager(self) -> None:
        engine = self.engine
        drop_in = _drop_in_path(self.record.uid)
        self.host.remove_file(drop_in)
        self.host.remove_directory(posixpath.dirname(drop_in))
        engine.root("systemctl", "daemon-reload")
        if self.record.linger and self.host.stat(engine.linger_path) is not None:
            self.reasons.append("linger: switched off")
            engine.root("loginctl", "disable-linger", engine.account.name)
            end = self.host.now() + QUIET_SECONDS
            # With a log-in of the user it stays, and is the user's own.
            while engine.manager_up() and self.host.now() < end and not self._sessions():
                self.host.sleep(POLL_SECONDS)

    def _sessions(self) -> bool:
        argv = ["loginctl", "show-user", self.engine.account.name, "--property=Sessions", "--value"]
        return bool(self.host.run(argv, timeout=PROGRAM_SECONDS).stdout.strip())


def _forget(host: Host, request: EngineRequest, record: _Record) -> Dict[str, Any]:
    """Take away what is left of a user that is gone."""
    if not request.check_mode:
        if record.linger:
            host.remove_file(f"{LINGER_DIRECTORY}/{request.user}")
        drop_in = _drop_in_path(record.uid)
        host.remove_file(drop_in)
        host.remove_directory(posixpath.dirname(drop_in))
        _write_record(host, request.user, None)
    reasons = [f"the user {request.user} is gone: linger and drop-in removed"]
    return {"changed": True, "reasons": reasons, "engine_restarted": False, "diff": []}


def _remove(host: Host, request: EngineRequest) -> Dict[str, Any]:
    record = _read_record(host, request.user)
    if record is None:
        return {"changed": False, "reasons": [], "engine_restarted": False, "diff": []}
    account = host.user(request.user)
    if account is None:
        return _forget(host, request, record)
    return _Removal(_Engine(host, request, account), record).run()


def _install(host: Host, request: EngineRequest) -> Dict[str, Any]:
    check_accounts([look_at_account(host, request.user)])
    state = look_at_host(host)
    check_host(state)
    if not state.script and request.check_mode:
        reasons = [f"{SERVICE}: written and started, once {SCRIPT_NAME} is installed"]
        return {"changed": True, "reasons": reasons, "engine_restarted": False, "ready": False, "diff": []}
    if not state.script:
        raise HostError(
            f"Run the rootless engine of {request.user!r}: the host has no {SCRIPT_NAME}; install the package that "
            "brings it (docker-ce-rootless-extras, or Debian's docker.io)"
        )
    account = host.user(request.user)
    if account is None:
        raise HostError(f"Run the rootless engine of {request.user!r}: the user has gone meanwhile; run again")
    return _Installation(_Engine(host, request, account), state.script).run()


def apply_engine(host: Host, request: EngineRequest) -> Dict[str, Any]:
    """Put a user's engine into place or take it away; the result of the module rootless_engine.

    Raises ConfigError for a user that cannot have one, RefusedError where containers would stop, HostError and
    EngineError where host or engine do not do their part.
    """
    work = _install if request.present else _remove
    if request.check_mode:
        return work(host, request)
    with host.lock(f"/run/bulwark-docker/rootless-setup-{request.user}.lock", LOCK_SECONDS):
        return work(host, request)
