# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing audit rules into force and taking them back: files first, then the kernel (private).

Order: record what will be made, directories, the rules file, the merged file that is loaded at boot, the kernel. A run
that is killed in between leaves files that are complete, and the next run does the rest.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._audit_conf import (
    change_settings,
    check_settings,
    restore_settings,
)
from ansible_collections.bulwark.docker.plugins.module_utils._audit_discovery import Choices, Found, discover
from ansible_collections.bulwark.docker.plugins.module_utils._audit_rules import (
    Status,
    difference,
    load_script,
    merged_holds,
    own_lines,
    parse_complaints,
    parse_status,
    render_file,
    unloaded_lines,
)
from ansible_collections.bulwark.docker.plugins.module_utils._audit_tables import PACKAGES
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError, HostError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import Host

__all__ = ["Request", "apply_rules", "foreign_namespace"]

RULES_DIRECTORY = "/etc/audit/rules.d"
MERGED = "/etc/audit/audit.rules"
PREVIOUS = MERGED + ".prev"
DAEMON_CONFIG = "/etc/audit/auditd.conf"
RECORD = "/var/lib/bulwark-docker/audit/state.json"
LOCK = "/run/bulwark-docker/audit.lock"
SCRIPT = "/run/bulwark-docker/audit-load.rules"
LOCK_SECONDS = 120.0
PROGRAM_SECONDS = 120.0
RULES_MODE = 0o640
# include/linux/proc_ns.h: the number of the initial process namespace, the same on every host.
FIRST_PID_NAMESPACE = "pid:[4026531836]"
FORMAT = 1
NO_RULES = "No rules"


class Request(NamedTuple):
    """What the user asked for: see the module audit_rules."""

    present: bool
    choices: Choices
    form: str
    file_name: str
    space_settings: Mapping[str, object]
    report_missing_tools: bool
    installed_package: str
    check_mode: bool


class _Record(NamedTuple):
    """What is given back: our file, directories and package, lines of auditd.conf, audit.rules.prev as it was."""

    path: str
    directories: List[str]
    settings: Dict[str, Optional[str]]
    previous: Optional[str]
    package: str


class _Kernel(NamedTuple):
    """The kernel's side: why it is out of reach ("" when it is not), its status and rules."""

    problem: str
    status: Optional[Status]
    rules: List[str]


def foreign_namespace(host: Host) -> str:
    """Why the kernel's audit system is out of reach from here, "" when it is not (kernel: audit_netlink_ok)."""
    namespace = host.read_link("/proc/self/ns/pid")
    if namespace in (None, FIRST_PID_NAMESPACE):
        return ""
    return (
        "this host is a container (another process namespace), and the kernel takes audit rules only from the real host"
    )


def _read_kernel(host: Host) -> _Kernel:
    problem = foreign_namespace(host)
    if problem:
        return _Kernel(problem, None, [])
    answer = host.run(["auditctl", "-s"], timeout=PROGRAM_SECONDS)
    status = parse_status(answer.stdout) if answer.rc == 0 else None
    if status is None:
        words = (answer.stderr or answer.stdout).strip().splitlines()
        raise HostError(
            f"ask the kernel for its audit system: {words[0] if words else f'exit status {answer.rc}'} (auditctl -s); "
            "run as root, and on a kernel that was not started with audit=0"
        )
    return _Kernel("", status, _loaded(host))


def _loaded(host: Host) -> List[str]:
    answer = host.run(["auditctl", "-l"], timeout=PROGRAM_SECONDS)
    if answer.rc != 0:
        raise HostError(
            f"list the kernel's audit rules: {answer.stderr.strip() or answer.rc} (auditctl -l); run as root"
        )
    return [line.strip() for line in answer.stdout.splitlines() if line.strip() and line.strip() != NO_RULES]


def _read_text(host: Host, path: str) -> Optional[str]:
    raw = host.read_file(path)
    return None if raw is None else raw.decode("utf-8", "surrogateescape")


def _write_text(host: Host, path: str, text: str, mode: int = RULES_MODE) -> None:
    facts = host.stat(path)
    if facts is None:
        host.write_file(path, text.encode("utf-8", "surrogateescape"), mode, 0, 0)
    else:
        host.write_file(path, text.encode("utf-8", "surrogateescape"), facts.mode, facts.uid, facts.gid)


def _read_record(host: Host) -> Optional[_Record]:
    text = _read_text(host, RECORD)
    if text is None:
        return None
    try:
        data = json.loads(text)
        if data["format"] != FORMAT:
            raise ValueError(f"format {data['format']!r} is not {FORMAT}")
        settings = {str(name): None if line is None else str(line) for name, line in data["settings"].items()}
        return _Record(str(data["path"]), list(data["directories"]), settings, data["previous"], str(data["package"]))
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ConfigError(
            f"read the record of the audit rules: {exc!r} ({RECORD}); "
            "restore that file from a backup, or remove it if nothing of bulwark.docker is to be undone any more"
        ) from exc


def _write_record(host: Host, record: _Record) -> None:
    host.make_directory(RECORD.rpartition("/")[0], 0o700)
    text = json.dumps({"format": FORMAT, **record._asdict()}, indent=1, sort_keys=True) + "\n"
    if text != _read_text(host, RECORD):
        host.write_file(RECORD, text.encode(), 0o600, 0, 0)


def _machine(host: Host) -> str:
    return host.run(["uname", "-m"], timeout=PROGRAM_SECONDS).stdout.strip()


def _package(host: Host) -> str:
    """Name of the package with the audit tools for this distribution."""
    text = _read_text(host, "/etc/os-release") or _read_text(host, "/usr/lib/os-release") or ""
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    words = [word for name in ("ID", "ID_LIKE") for word in values.get(name, "").strip("\"'").split()]
    found = next((PACKAGES[word] for word in words if word in PACKAGES), "")
    if not found:
        raise HostError(
            f"name the package with auditctl: the distribution {' '.join(words) or 'of this host'!r} is not known "
            f"(/etc/os-release; known are {', '.join(PACKAGES)}); install the audit tools by other means first"
        )
    return found


class _Run:
    """One run against one host."""

    def __init__(self, host: Host, request: Request) -> None:
        self.host = host
        self.request = request
        self.path = f"{RULES_DIRECTORY}/{request.file_name}"
        self.warnings: List[str] = []
        self.reasons: List[str] = []
        self.record = _read_record(host)
        self.before = _read_text(host, self.path)
        self.kernel = _Kernel("the audit tools are not installed", None, [])
        self.found = discover(host, request.choices) if request.present else Found((), (), ())
        self.text = render_file(self.found.watches, _machine(host), request.form) if request.present else ""
        self.wanted = own_lines(self.text)
        self.settings = check_settings(request.space_settings) if request.present else {}

    @property
    def others(self) -> Dict[str, str]:
        """Rules files of other people by path, in the order in which they are loaded."""
        names = [name for name in self.host.list_directory(RULES_DIRECTORY) if name.endswith(".rules")]
        own = {self.path, self.record.path if self.record else self.path}
        paths = [f"{RULES_DIRECTORY}/{name}" for name in names]
        return {path: _read_text(self.host, path) or "" for path in paths if path not in own}

    def foreign(self) -> List[str]:
        """Rules of other people's files."""
        return [line for text in self.others.values() for line in own_lines(text)]

    def outcome(self, state: str, changed: bool, package: str = "") -> Dict[str, Any]:
        """The module's result."""
        status = self.kernel.status
        return {
            "changed": changed,
            "counters": status._asdict() if status else {},
            "diff": {
                "before": self.before or "",
                "after": self.text,
                "before_header": self.path,
                "after_header": self.path,
            },
            "loadable": status is not None,
            "package": package,
            "rules_file": self.path,
            "reasons": self.reasons,
            "rules": self.wanted,
            "unwatched": [entry._asdict() for entry in self.found.skipped],
            "state": state,
            "warnings": self.warnings,
            "watched": [watch._asdict() for watch in self.found.watches],
        }

    def without_tools(self) -> Dict[str, Any]:
        """What to say on a host that has no auditctl yet."""
        if not self.request.present:
            return self.outcome("removed", False)
        package = _package(self.host)
        if not self.request.report_missing_tools and not self.request.check_mode:
            raise HostError(
                f"load audit rules: this host has no auditctl; install the package {package} first (the role does)"
            )
        self.reasons.append(f"the package {package} is not installed")
        return self.outcome("tools_missing", self.request.check_mode, package)

    def plan(self) -> Tuple[List[str], List[str], bool, bool]:
        """(rules to load, rules to unload, whether files change, whether the merged file is stale)."""
        foreign = self.foreign()
        missing, stale = difference(self.wanted, self.kernel.rules, foreign)
        if self.kernel.status is None:
            missing, stale = [], []
        merged = merged_holds(_read_text(self.host, MERGED) or "", self.wanted, foreign)
        files = self._file_reasons()
        self.reasons.extend(files)
        self.reasons.extend([f"{len(missing)} rules are not in the kernel"] if missing else [])
        self.reasons.extend([f"{len(stale)} rules in the kernel are not wanted any more"] if stale else [])
        self._warn(missing, stale)
        return missing, stale, bool(files), not merged

    def _file_reasons(self) -> List[str]:
        reasons = [f"{path}: has to exist before it can be watched" for path in self.found.directories]
        if self.request.present and self.before != self.text:
            reasons.append(f"{self.path}: " + ("does not exist" if self.before is None else "has other rules"))
        if self.request.present and self.record and self.record.path != self.path:
            reasons.append(f"{self.record.path}: the rules are in another file now")
        if not self.request.present and (self.before is not None or self.record):
            reasons.append(f"{self.path}: is to be removed")
        if self._new_config()[0] != _read_text(self.host, DAEMON_CONFIG):
            reasons.append(f"{DAEMON_CONFIG}: has other values")
        return reasons

    def _new_config(self) -> Tuple[Optional[str], Dict[str, Optional[str]]]:
        """auditd.conf as it should be, and the earlier lines of our settings."""
        text = _read_text(self.host, DAEMON_CONFIG)
        kept = dict(self.record.settings) if self.record else {}
        if text is None:
            return None, kept
        gone = {name: line for name, line in kept.items() if name not in self.settings}
        text = restore_settings(text, gone)
        text, earlier = change_settings(text, self.settings)
        return text, {**earlier, **{name: line for name, line in kept.items() if name in self.settings}}

    def _warn(self, missing: List[str], stale: List[str]) -> None:
        status = self.kernel.status
        if status is None:
            self.warnings.append(f"audit rules are only written, not loaded: {self.kernel.problem}")
            return
        if status.immutable and (missing or stale):
            self.warnings.append(
                f"pending reboot: the kernel's audit rules are frozen (-e 2), so {len(missing)} rules come and "
                f"{len(stale)} go with the next boot"
            )
        if status.enabled == 0 and status.pid:
            self.warnings.append("auditing is switched off (enabled 0): rules are loaded, but nothing is recorded")
        if status.lost:
            self.warnings.append(
                f"{status.lost} audit records were lost since boot (backlog {status.backlog} of "
                f"{status.backlog_limit}); raise -b in your own rules file, or watch less"
            )
        for path, text in self.others.items():
            for number, line in unloaded_lines(text, self.kernel.rules):
                self.warnings.append(
                    f"{path}, line {number}: {line!r} is not in the kernel's list, so it is broken or not loaded; "
                    "correct that file (bulwark.docker leaves it alone)"
                )

    def write(self, stale_merged: bool) -> None:
        """Bring the files into place; the record first."""
        config, settings = self._new_config()
        old = self.record or _Record(self.path, [], {}, _read_text(self.host, PREVIOUS), "")
        made = [path for path in self.found.directories if self.host.stat(path) is None]
        if self.request.present:
            directories = list(dict.fromkeys([*old.directories, *made]))
            package = self.request.installed_package or old.package
            _write_record(self.host, _Record(self.path, directories, settings, old.previous, package))
            for path in made:
                self.host.make_directory(path, 0o755)
        if self.request.present and self.before != self.text:
            self.host.write_file(self.path, self.text.encode(), RULES_MODE, 0, 0)
        for path in sorted({self.path, old.path}):
            if not self.request.present or path != self.path:
                self.host.remove_file(path)
        if config is not None and config != _read_text(self.host, DAEMON_CONFIG):
            _write_text(self.host, DAEMON_CONFIG, config)
            if self.kernel.status and self.kernel.status.pid:
                self.host.send_signal(self.kernel.status.pid, "HUP")
        if stale_merged and not (self.kernel.status and self.kernel.status.immutable):
            self._merge()

    def _merge(self) -> None:
        answer = self.host.run(["augenrules"], timeout=PROGRAM_SECONDS)
        if answer.rc != 0:
            raise HostError(
                f"merge the audit rules: {answer.stderr.strip() or answer.stdout.strip()} (augenrules); "
                f"look at the files in {RULES_DIRECTORY}"
            )

    def load(self, missing: List[str], stale: List[str]) -> None:
        """Change the kernel's list by what differs, and see that it took effect."""
        script, added = load_script(missing, stale)
        self.host.make_directory(SCRIPT.rpartition("/")[0], 0o700)
        self.host.write_file(SCRIPT, script.encode(), 0o600, 0, 0)
        try:
            answer = self.host.run(["auditctl", "-R", SCRIPT], timeout=PROGRAM_SECONDS)
        finally:
            self.host.remove_file(SCRIPT)
        self.kernel = self.kernel._replace(rules=_loaded(self.host))
        left, kept = difference(self.wanted, self.kernel.rules, self.foreign())
        if not left and not kept:
            return
        why = {added[entry.line]: entry.reason for entry in parse_complaints(answer.stderr) if entry.line in added}
        lines = [*left, *kept]
        refused = "; ".join(f"{line} ({why.get(line, 'no reason given')})" for line in lines)
        raise HostError(
            f"load the audit rules: {len(left)} of {len(self.wanted)} are not in the kernel and {len(kept)} are still "
            f"there after auditctl -R: {refused}; all others are loaded"
        )

    def forget(self) -> None:
        """After a removal: give back what was only made for the rules."""
        record = self.record
        if record is None:
            return
        for path in reversed(record.directories):
            self.host.remove_directory(path)
        if record.previous is None:
            self.host.remove_file(PREVIOUS)
        else:
            _write_text(self.host, PREVIOUS, record.previous)
        self.host.remove_file(RECORD)
        self.host.remove_directory(RECORD.rpartition("/")[0])
        self.host.remove_directory(RECORD.rpartition("/")[0].rpartition("/")[0])


def apply_rules(host: Host, request: Request) -> Dict[str, Any]:
    """Make the host's audit rules what the request says; the result of the module audit_rules.

    C(state) is loaded, pending_reboot, not_loadable, tools_missing or removed.

    Raises HostError when a rule is refused (all others are loaded then) or a program fails, ConfigError for settings
    that this collection does not set.
    """
    if "/" in request.file_name or not request.file_name.endswith(".rules"):
        raise ConfigError(
            f"name the rules file: {request.file_name!r} is not a name that ends in .rules (option file_name); "
            "auditctl reads no others"
        )
    lock = contextlib.nullcontext() if request.check_mode else host.lock(LOCK, LOCK_SECONDS)
    with lock:
        run = _Run(host, request)
        if host.which("auditctl") is None or host.which("augenrules") is None:
            return run.without_tools()
        run.kernel = _read_kernel(host)
        missing, stale, files, stale_merged = run.plan()
        status = run.kernel.status
        frozen = status is not None and status.immutable
        loads = bool(missing or stale) and not frozen
        changed = files or loads or (stale_merged and not frozen)
        if not request.check_mode and changed:
            run.write(stale_merged)
            if loads:
                run.load(missing, stale)
            if not request.present:
                run.forget()
        pending = frozen and bool(missing or stale)
        settled = "loaded" if request.present else "removed"
        state = "pending_reboot" if pending else "not_loadable" if status is None and request.present else settled
        left = run.record.package if run.record and not request.present else ""
        return run.outcome(state, changed, left)
