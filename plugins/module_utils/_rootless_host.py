# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What rootless engines need of the host as a whole, put into place and taken away again (private).

Kernel modules and settings, a profile for rootlesskit, the address of the engine for log-ins, and the system's engine.
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError, HostError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import Host
from ansible_collections.bulwark.docker.plugins.module_utils._instance import STATE_ROOT
from ansible_collections.bulwark.docker.plugins.module_utils._rootless_look import PROFILE_DIRECTORY, look_at_host
from ansible_collections.bulwark.docker.plugins.module_utils._rootless_plan import (
    apparmor_profile,
    modules_text,
    profile_script,
    sysctl_settings,
    sysctl_text,
)
from ansible_collections.bulwark.docker.plugins.module_utils._rootless_tables import MODULES, ROOTLESSKIT_NAMES

__all__ = ["HostRequest", "apply_host"]

DIRECTORY = STATE_ROOT + "/rootless"
RECORD = DIRECTORY + "/host.json"
LOCK = "/run/bulwark-docker/rootless-host.lock"
LOCK_SECONDS = 60.0
PROGRAM_SECONDS = 120.0
SYSCTL_FILE = "/etc/sysctl.d/60-bulwark-docker-rootless.conf"
MODULES_FILE = "/etc/modules-load.d/bulwark-docker-rootless.conf"
LOGIN_FILE = "/etc/profile.d/bulwark-docker-rootless.sh"
PROFILE_FILE = PROFILE_DIRECTORY + "/bulwark-rootlesskit"
# States of units that are left alone: there is none, or somebody else has masked it.
NOT_OURS = ("not-found", "", "masked")
SYSTEM_UNITS = ("docker.socket", "docker.service")
FORMAT = 1


class HostRequest(NamedTuple):
    """What the module rootless_host is asked for.

    C(lowest_port) None and C(ping) False leave these kernel settings alone; C(users) are those whose log-ins get the
    address of their engine; C(system_engine) is "keep" or "stopped".
    """

    present: bool
    users: Tuple[str, ...]
    lowest_port: Optional[int]
    ping: bool
    system_engine: str
    check_mode: bool


class _Record(NamedTuple):
    """Kernel settings and states of units (enabled, active) as they were before."""

    settings: Dict[str, str]
    units: Dict[str, List[str]]


def _read_record(host: Host) -> _Record:
    raw = host.read_file(RECORD)
    if raw is None:
        return _Record({}, {})
    try:
        data = json.loads(raw.decode("utf-8"))
        if data["format"] != FORMAT:
            raise ValueError(f"format {data['format']!r} is not {FORMAT}")
        settings = {str(name): str(value) for name, value in data["settings"].items()}
        units = {str(name): [str(word) for word in words] for name, words in data["units"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ConfigError(
            f"Read what the host was like before rootless engines: {exc!r} ({RECORD}); restore that file from a "
            "backup, or remove it if nothing is to be given back"
        ) from exc
    return _Record(settings, units)


def _write_record(host: Host, record: _Record) -> None:
    if not record.settings and not record.units:
        host.remove_file(RECORD)
        host.remove_directory(DIRECTORY)
        host.remove_directory(STATE_ROOT)
        return
    raw = (json.dumps({"format": FORMAT, **record._asdict()}, indent=1, sort_keys=True) + "\n").encode("utf-8")
    if raw != host.read_file(RECORD):
        host.make_directory(DIRECTORY, 0o700)
        host.write_file(RECORD, raw, 0o600, 0, 0)


def _run(host: Host, *argv: str) -> None:
    result = host.run(argv, timeout=PROGRAM_SECONDS)
    if result.rc != 0:
        words = (result.stderr.strip() or result.stdout.strip()).splitlines()
        raise HostError(
            f"Prepare the host for rootless engines: {words[-1] if words else f'exit status {result.rc}'} "
            f"({' '.join(argv)}); look at what that program needs and run again"
        )


def _setting_path(name: str) -> str:
    return "/proc/sys/" + name.replace(".", "/")


def _current(host: Host, name: str) -> str:
    return " ".join((host.read_file(_setting_path(name)) or b"").decode("ascii", "replace").split())


def _loadable(host: Host) -> List[str]:
    """Modules that this kernel has as files; built-in ones need nobody, in a container there are none."""
    if host.which("modprobe") is None:
        return []
    found = []
    for name in MODULES:
        result = host.run(["modprobe", "--show-depends", name], timeout=PROGRAM_SECONDS)
        if result.rc == 0 and any(line.startswith("insmod ") for line in result.stdout.splitlines()):
            found.append(name)
    return found


class _Work:
    """One run: what differs, and how it is put right."""

    def __init__(self, host: Host, request: HostRequest) -> None:
        self.host = host
        self.request = request
        self.record = _read_record(host)
        present = request.present
        self.settings = sysctl_settings(request.lowest_port, request.ping) if present else {}
        self.modules = _loadable(host) if present else []
        self.files: Dict[str, str] = {
            SYSCTL_FILE: sysctl_text(self.settings),
            MODULES_FILE: modules_text(self.modules),
            LOGIN_FILE: profile_script(request.users) if present else "",
            PROFILE_FILE: self._profile() if present else "",
        }
        self.before = {path: host.read_file(path) for path in self.files}
        self.reasons: List[str] = []

    def _profile(self) -> str:
        state = look_at_host(self.host)
        program = next((self.host.which(name) for name in ROOTLESSKIT_NAMES if self.host.which(name)), "")
        return apparmor_profile(program) if program and self._needs_profile(state) else ""

    @staticmethod
    def _needs_profile(state: Any) -> bool:
        return bool(state.apparmor_restricts and not state.apparmor_profile_present)

    def differing(self) -> List[str]:
        """Paths of files that are not as they should be."""
        return [path for path, text in self.files.items() if (self.before[path] or b"") != text.encode("utf-8")]

    def _write_files(self) -> None:
        for path in self.differing():
            self.reasons.append(f"{path}: " + ("written" if self.files[path] else "removed"))
            if self.request.check_mode:
                continue
            if path == PROFILE_FILE and not self.files[path]:
                self.host.run(["apparmor_parser", "--remove", path], timeout=PROGRAM_SECONDS)
            if self.files[path]:
                self.host.make_directory(path.rpartition("/")[0], 0o755)
                self.host.write_file(path, self.files[path].encode("utf-8"), 0o644, 0, 0)
            else:
                self.host.remove_file(path)
            if path == PROFILE_FILE and self.files[path]:
                _run(self.host, "apparmor_parser", "--replace", "--write-cache", path)

    def _load_modules(self) -> None:
        missing = [name for name in self.modules if self.host.stat(f"/sys/module/{name}") is None]
        if missing:
            self.reasons.append(f"kernel modules {', '.join(missing)}: loaded")
            if not self.request.check_mode:
                _run(self.host, "modprobe", "--all", *missing)

    def _set_kernel(self, originals: Mapping[str, str]) -> None:
        """Give kernel settings their values; those that are wanted no more get back what they had."""
        wanted = {name: value for name, value in originals.items() if name not in self.settings}
        wanted.update(self.settings)
        for name, value in wanted.items():
            now = _current(self.host, name)
            if now in ("", value):
                continue
            self.reasons.append(f"{name}: was {now}, is now {value}")
            if not self.request.check_mode:
                _run(self.host, "sysctl", "--quiet", "--write", f"{name}={value}")

    def _stop_units(self) -> Dict[str, List[str]]:
        """Stop and mask the system's engine; the states of its units before that."""
        states = dict(self.record.units)
        for unit in SYSTEM_UNITS:
            if unit not in states:
                states[unit] = [self._asked("is-enabled", unit), self._asked("is-active", unit)]
        if not self.request.check_mode:
            # On disk before the first step, so that a killed run can still be taken back.
            _write_record(self.host, self.record._replace(units=states))
        for unit in SYSTEM_UNITS:
            if states[unit][0] in NOT_OURS:
                continue
            if self._asked("is-enabled", unit) == "masked" and self._asked("is-active", unit) == "inactive":
                continue
            self.reasons.append(f"{unit}: stopped and masked")
            if not self.request.check_mode:
                _run(self.host, "systemctl", "mask", "--now", unit)
        return states

    def _start_units(self) -> None:
        """Give the system's engine back as it was; the service cannot start while its socket is masked."""
        ours = {unit: states for unit, states in self.record.units.items() if states[0] not in NOT_OURS}
        self.reasons += [f"{unit}: unmasked" for unit in ours]
        if self.request.check_mode or not ours:
            return
        _run(self.host, "systemctl", "unmask", *ours)
        for unit, (_enabled, active) in ours.items():
            if active in ("active", "activating", "reloading"):
                _run(self.host, "systemctl", "start", unit)

    def _asked(self, question: str, unit: str) -> str:
        return self.host.run(["systemctl", question, unit], timeout=PROGRAM_SECONDS).stdout.strip()

    def run(self) -> Dict[str, Any]:
        """Put everything right; the module's result."""
        originals = {name: self.record.settings.get(name) or _current(self.host, name) for name in self.settings}
        kept = {**self.record.settings, **originals}
        stop = self.request.present and self.request.system_engine == "stopped"
        if not self.request.check_mode:
            _write_record(self.host, self.record._replace(settings=kept))
            self.record = _read_record(self.host)
        self._write_files()
        self._load_modules()
        self._set_kernel(kept)
        units: Dict[str, List[str]] = {}
        if stop:
            units = self._stop_units()
        elif self.record.units:
            self._start_units()
        if not self.request.check_mode:
            _write_record(self.host, _Record(originals, units))
        return {"changed": bool(self.reasons), "reasons": self.reasons, "diff": self._diff()}

    def _diff(self) -> List[Dict[str, str]]:
        return [
            {
                "before": (self.before[path] or b"").decode("utf-8", "backslashreplace"),
                "after": self.files[path],
                "before_header": path,
                "after_header": path,
            }
            for path in self.differing()
        ]


def apply_host(host: Host, request: HostRequest) -> Dict[str, Any]:
    """Make the host what rootless engines need, or what it was before; the result of the module rootless_host.

    Raises ConfigError for impossible wishes, HostError where the host does not do its part.
    """
    if request.check_mode:
        return _Work(host, request).run()
    with host.lock(LOCK, LOCK_SECONDS):
        return _Work(host, request).run()
