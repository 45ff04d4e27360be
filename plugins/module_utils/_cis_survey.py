# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a host for an audit, everything once (private). Nothing here changes the host."""

from __future__ import annotations

import json
import posixpath
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, cast

from ansible_collections.bulwark.docker.plugins.module_utils._apparmor_host import (
    engine_facts,
    loaded_profiles,
    look_at_default,
    unavailable,
)
from ansible_collections.bulwark.docker.plugins.module_utils._audit_apply import foreign_namespace
from ansible_collections.bulwark.docker.plugins.module_utils._audit_rules import parse_status
from ansible_collections.bulwark.docker.plugins.module_utils._cis import (
    AppArmorFacts,
    AuditFacts,
    CertificateFacts,
    Engine,
    FileFacts,
    HostFacts,
    Objects,
    ScannerFacts,
    Snapshot,
    UserEngineFacts,
)
from ansible_collections.bulwark.docker.plugins.module_utils._cis_objects import programs_by_namespace, read_objects
from ansible_collections.bulwark.docker.plugins.module_utils._data_paths import find_data_paths
from ansible_collections.bulwark.docker.plugins.module_utils._engine_report import report_state
from ansible_collections.bulwark.docker.plugins.module_utils._engine_state import (
    EngineState,
    observe,
    parse_config,
    service_properties,
)
from ansible_collections.bulwark.docker.plugins.module_utils._errors import BulwarkError
from ansible_collections.bulwark.docker.plugins.module_utils._flags import parse_flags
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import ApiResponse, Host, UserAccount
from ansible_collections.bulwark.docker.plugins.module_utils._instance import Instance, rootless_instance
from ansible_collections.bulwark.docker.plugins.module_utils._rootless_look import managed_users
from ansible_collections.bulwark.docker.plugins.module_utils._scanner_config import exclude, is_listed, wanted_lines
from ansible_collections.bulwark.docker.plugins.module_utils._scanner_table import SCANNERS, Scanner
from ansible_collections.bulwark.docker.plugins.module_utils._subid import overlaps, parse_table, shown
from ansible_collections.bulwark.docker.plugins.module_utils._transaction import load_record, loaded_data

__all__ = ["survey"]

PROGRAM_SECONDS = 60.0
MONTH_SECONDS = 30 * 86400
ENGINE_DIRECTORY = "/etc/docker"
CERTIFICATE_DIRECTORY = ENGINE_DIRECTORY + "/certs.d"
# What dockerd takes where TLS is asked for and no file is named.
TLS_DEFAULTS = {
    "tls_ca": "/root/.docker/ca.pem",
    "tls_certificate": "/root/.docker/cert.pem",
    "tls_key": "/root/.docker/key.pem",
}
FIRST_USER = 1000
NO_RULES = "No rules"
# What systemd says of a unit that there is.
UNIT_STATES = ("loaded", "masked")
PROGRAM_KINDS = {
    "dockerd": "dockerd",
    "containerd": "containerd",
    "shim": "containerd-shim",
    "shim_v1": "containerd-shim-runc-v1",
    "shim_v2": "containerd-shim-runc-v2",
    "runc": "runc",
}


class _Once:
    """A host whose engines are asked each question once; everything else goes straight through."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._answers: Dict[Tuple[str, str], ApiResponse] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host, name)

    def api(
        self, socket_path: str, method: str, path: str, body: Optional[bytes] = None, timeout: float = 10.0
    ) -> ApiResponse:
        """One request to the engine's API, or the answer that it gave before."""
        if method != "GET":
            return self._host.api(socket_path, method, path, body, timeout)
        key = (socket_path, path)
        if key not in self._answers:
            self._answers[key] = self._host.api(socket_path, method, path, body, timeout)
        return self._answers[key]


def survey(host: Host, system: Instance, trusted: Sequence[str] = ()) -> Snapshot:
    """Read a host and all of its engines.

    Args:
        host: access to the host.
        system: the system's engine, there or not.
        trusted: users who may be in the engine's group.
    """
    once = cast(Host, _Once(host))
    programs = programs_by_namespace(once)
    accounts = _accounts(once)
    engine, state = _read_engine(once, system, programs)
    engines = [engine]
    for account in accounts:
        user = rootless_instance(account.name, account.uid, account.gid, account.home)
        engines.append(_read_engine(once, user, programs)[0])
    files = _files(once, system, engine, state)
    for one in engines:
        files[f"sockets {one.name}"] = _sockets(once, one)
    return Snapshot(
        now=once.now(),
        engines=tuple(engines),
        files=files,
        facts=_host_facts(once, system, engine, files, accounts),
        trusted=tuple(trusted),
    )


def _kind(host: Host, path: str) -> str:
    """Kind of a path, "" where there is nothing, or nothing that root may see (homes on other servers)."""
    try:
        found = host.stat(path)
    except BulwarkError:
        return ""
    return found.kind if found else ""


def _text(host: Host, path: str) -> str:
    return (host.read_file(path) or b"").decode("utf-8", "replace")


# -- engines


def _read_engine(
    host: Host, instance: Instance, programs: Mapping[str, Sequence[str]]
) -> Tuple[Engine, Optional[EngineState]]:
    name = f"rootless:{instance.user}" if instance.rootless else "system"
    try:
        state = observe(host, instance)
        report = report_state(host, state)
        data = _data(state)
    except BulwarkError as exc:
        load_state = _load_state(host, instance)
        there = host.which("dockerd") is not None and (instance.rootless or load_state in UNIT_STATES)
        problem = f"{instance.service} is masked" if load_state == "masked" else str(exc)
        return Engine(
            name, "stopped" if there else "not_installed", instance.api_socket, instance.user, problem=problem
        ), None
    path = (state.flags.values.get("seccomp-profile") or (str(data.get("seccomp-profile") or ""),))[-1]
    objects = read_objects(host, state.instance, state.info, programs) if state.answering else Objects()
    engine = Engine(
        name=name,
        state="running" if state.answering else "stopped",
        socket=instance.api_socket,
        user=instance.user,
        version=state.version,
        version_text=state.version_text,
        report=report,
        settings={entry["name"]: entry for entry in report["settings"]},
        data=data,
        flags=state.flags.values,
        running_flags=_running_flags(state),
        loaded=loaded_data(host, state, load_record(host, state.instance)),
        seccomp_profile=host.read_file(path) if path.startswith("/") else None,
        needs_reload="yes"
        in (state.properties.get("NeedDaemonReload"), state.socket_properties.get("NeedDaemonReload")),
        info=state.info,
        objects=objects,
        problem="; ".join(objects.problems),
    )
    return engine, state


def _running_flags(state: EngineState) -> Optional[Mapping[str, Tuple[str, ...]]]:
    argv = state.process.argv if state.process else ("",)
    # The process of a rootless engine's unit is not the engine itself.
    if posixpath.basename(argv[0]) != "dockerd":
        return None
    return parse_flags(argv[1:], state.version).values


def _data(state: EngineState) -> Mapping[str, Any]:
    try:
        return parse_config(state).data
    except BulwarkError:
        return {}


def _load_state(host: Host, instance: Instance) -> str:
    """What systemd says of the engine's unit, "" where it says nothing."""
    try:
        return service_properties(host, instance, instance.service, ["LoadState"]).get("LoadState", "")
    except BulwarkError:
        return ""


def _accounts(host: Host) -> List[UserAccount]:
    """Users with an engine of their own: its unit, its socket, or what this collection remembers of it."""
    names = set(managed_users(host))
    sockets = {uid for uid in host.list_directory("/run/user") if host.stat(f"/run/user/{uid}/docker.sock")}
    for row in (line.split(":") for line in _text(host, "/etc/passwd").splitlines()):
        if len(row) == 7 and row[2].isdigit() and int(row[2]) >= FIRST_USER:
            unit = f"{row[5]}/.config/systemd/user/docker.service"
            if row[2] in sockets or (row[5].startswith("/") and _kind(host, unit)):
                names.add(row[0])
                sockets.discard(row[2])
    for uid in sockets - {"0"}:
        names.add(host.run(["getent", "passwd", uid], timeout=PROGRAM_SECONDS).stdout.partition(":")[0])
    found = [host.user(name) for name in sorted(names - {""})]
    return [account for account in found if account is not None and account.uid != 0]


# -- files


def _file(host: Host, path: str) -> Optional[FileFacts]:
    facts = host.stat(path)
    if facts is None:
        return None
    real = host.real_path(path)
    return FileFacts(path, real, facts, "" if real == path else _exposed(host, real))


def _exposed(host: Host, real: str) -> str:
    """The first directory above a path that somebody but root may write to, "" when there is none."""
    folder = posixpath.dirname(real)
    while True:
        facts = host.stat(folder)
        if facts is not None and (facts.uid != 0 or (facts.mode & 0o022 and not facts.mode & 0o1000)):
            return folder
        if folder in ("/", ""):
            return ""
        folder = posixpath.dirname(folder)


def _files(
    host: Host, system: Instance, engine: Engine, state: Optional[EngineState]
) -> Dict[str, Tuple[FileFacts, ...]]:
    """The files of each kind that exist."""
    wanted: Dict[str, Sequence[str]] = {
        "directory": [ENGINE_DIRECTORY],
        "config": [state.instance.config_path if state else system.config_path],
        "default_file": ["/etc/default/docker"],
        "sysconfig": ["/etc/sysconfig/docker"],
        "containerd_toml": ["/etc/containerd/config.toml"],
        "containerd_directory": ["/run/containerd"],
        "containerd_socket": _containerd_sockets(engine),
        "api_socket": [system.api_socket],
        "service": state.unit_paths if state else _unit_paths(host, system, system.service),
        "socket": _unit_paths(host, system, system.socket_unit),
        "data_root": [str(engine.report.get("data_root") or _setting(engine, "data-root") or "/var/lib/docker")],
    }
    if state:
        others = [entry.path for entry in state.unit.environment_files]
        known = (*wanted["default_file"], *wanted["sysconfig"])
        wanted["default_file"] = [*wanted["default_file"], *(path for path in others if path not in known)]
    for kind, name in PROGRAM_KINDS.items():
        wanted[kind] = [host.which(name) or ""]
    if state and state.command.argv[0].endswith("/dockerd"):
        wanted["dockerd"] = [state.command.argv[0]]
    certificates, keys = _registry_files(host)
    wanted["registry_certificates"], wanted["registry_keys"] = certificates, keys
    wanted.update(_tls_files(engine))
    found: Dict[str, Tuple[FileFacts, ...]] = {}
    for kind, paths in wanted.items():
        each = [_file(host, path) for path in dict.fromkeys(paths) if path.startswith("/")]
        found[kind] = tuple(one for one in each if one is not None)
    return found


def _sockets(host: Host, engine: Engine) -> Tuple[FileFacts, ...]:
    """Unix sockets on which an engine listens, those in its own run directory left out."""
    listeners = engine.report.get("listeners", ())
    paths = [str(entry["address"]) for entry in listeners if entry["kind"] == "unix"]
    each = [_file(host, path) for path in paths if path.startswith("/") and "/run/docker/" not in path]
    return tuple(one for one in each if one is not None)


def _setting(engine: Engine, key: str) -> str:
    return (engine.flags.get(key) or (str(engine.data.get(key) or ""),))[-1]


def _containerd_sockets(engine: Engine) -> List[str]:
    """The one that the engine is told to use, or those that it may find or make by itself."""
    path = _setting(engine, "containerd").replace("unix://", "")
    return [path] if path else ["/run/containerd/containerd.sock", "/run/docker/containerd/containerd.sock"]


def _unit_paths(host: Host, instance: Instance, unit: str) -> List[str]:
    try:
        found = service_properties(host, instance, unit, ["FragmentPath", "DropInPaths"])
    except BulwarkError:
        return []
    return [found.get("FragmentPath", ""), *found.get("DropInPaths", "").split()]


def _registry_files(host: Host) -> Tuple[List[str], List[str]]:
    """Certificates and keys for registries."""
    paths = [
        f"{CERTIFICATE_DIRECTORY}/{registry}/{name}"
        for registry in host.list_directory(CERTIFICATE_DIRECTORY)
        for name in host.list_directory(f"{CERTIFICATE_DIRECTORY}/{registry}")
    ]
    return [path for path in paths if path.endswith((".crt", ".cert"))], [
        path for path in paths if path.endswith(".key")
    ]


def _tls_files(engine: Engine) -> Dict[str, Sequence[str]]:
    asked = any(_setting(engine, key) for key in ("tls", "tlsverify"))
    names = {"tls_ca": "tlscacert", "tls_certificate": "tlscert", "tls_key": "tlskey"}
    defaults = TLS_DEFAULTS if asked else {}
    return {kind: [_setting(engine, key) or defaults.get(kind, "")] for kind, key in names.items()}


# -- the host


def _host_facts(
    host: Host,
    system: Instance,
    engine: Engine,
    files: Mapping[str, Sequence[FileFacts]],
    accounts: Sequence[UserAccount],
) -> HostFacts:
    group = _setting(engine, "group") or "docker"
    ids, members = _group(host, group)
    subordinate = [path for path in ("/etc/subuid", "/etc/subgid") if host.stat(path) is not None]
    return HostFacts(
        mounts=tuple(line.split(" ")[4] for line in _text(host, "/proc/self/mountinfo").splitlines() if " " in line),
        data_directories=tuple(dict.fromkeys(one.real for one in files.get("data_root", ()))),
        group=group,
        group_ids=(0, *ids),
        members=members,
        socket_ports=tuple(_ports(_listen(host, system))),
        audit=_audit(host),
        apparmor=_apparmor(host, system, engine),
        certificates=tuple(_certificates(host, files)),
        scanners=tuple(_scanners(host, system)),
        subordinate_files=tuple(subordinate),
        shared_ids=tuple(sentence for path in subordinate for sentence in _shared_ids(host, path)),
        users=tuple(_user_facts(host, account) for account in accounts),
    )


def _group(host: Host, group: str) -> Tuple[List[int], Optional[Tuple[str, ...]]]:
    rows = [line.split(":") for line in _text(host, "/etc/group").splitlines()]
    found = [row for row in rows if len(row) == 4 and group in (row[0], row[2]) and row[2].isdigit()]
    if not found:
        answer = host.run(["getent", "group", group], timeout=PROGRAM_SECONDS).stdout.strip().split(":")
        found = [answer] if len(answer) == 4 and answer[2].isdigit() else []
    if not found:
        return [], None
    ids = [int(row[2]) for row in found]
    members = {name for row in found for name in row[3].split(",") if name}
    for row in (line.split(":") for line in _text(host, "/etc/passwd").splitlines()):
        if len(row) == 7 and row[3] in {str(one) for one in ids}:
            members.add(row[0])
    return ids, tuple(sorted(members - {"root"}))


def _listen(host: Host, system: Instance) -> str:
    # One line for each address, so not by service_properties(), which keeps one.
    argv = [*system.systemctl, "show", system.socket_unit, "--property=Listen"]
    lines = host.run(argv, timeout=PROGRAM_SECONDS).stdout.splitlines()
    return "\n".join(line.partition("=")[2] for line in lines)


def _ports(listen: str) -> List[str]:
    """TCP addresses of a socket unit; systemd shows "ADDRESS (Stream)", and a bare port as [::]:PORT."""
    return [
        word for word in listen.split() if not word.startswith(("/", "(", "@")) and word.rpartition(":")[2].isdigit()
    ]


def _audit(host: Host) -> AuditFacts:
    problem = foreign_namespace(host)
    if problem:
        return AuditFacts(unreachable=problem)
    if host.which("auditctl") is None:
        return AuditFacts(broken="auditctl is not installed, so nobody has loaded rules")
    status = parse_status(host.run(["auditctl", "-s"], timeout=PROGRAM_SECONDS).stdout)
    listed = host.run(["auditctl", "-l"], timeout=PROGRAM_SECONDS)
    if status is None or listed.rc != 0:
        return AuditFacts(
            unreachable=f"the kernel's audit system does not answer ({listed.stderr.strip() or 'auditctl'})"
        )
    rules = tuple(line.strip() for line in listed.stdout.splitlines() if line.strip() not in ("", NO_RULES))
    return AuditFacts(broken="" if status.enabled else "the kernel's audit system is switched off", rules=rules)


def _apparmor(host: Host, system: Instance, engine: Engine) -> AppArmorFacts:
    if not engine.running:
        return AppArmorFacts(unavailable="the engine does not run")
    facts = engine_facts(host, system)
    reason = unavailable(host, system, facts)
    if reason:
        return AppArmorFacts(unavailable=reason)
    default = look_at_default(host, facts, {})
    return AppArmorFacts("", loaded_profiles(host), default.state, default.reason)


def _certificates(host: Host, files: Mapping[str, Sequence[FileFacts]]) -> List[CertificateFacts]:
    if host.which("openssl") is None:
        return []
    found = []
    for one in (*files.get("tls_ca", ()), *files.get("tls_certificate", ())):
        argv = ["openssl", "x509", "-noout", "-in", one.path]
        end = host.run([*argv, "-enddate"], timeout=PROGRAM_SECONDS)
        if end.rc != 0:
            continue
        soon = host.run([*argv, "-checkend", str(MONTH_SECONDS)], timeout=PROGRAM_SECONDS).rc != 0
        expired = soon and host.run([*argv, "-checkend", "0"], timeout=PROGRAM_SECONDS).rc != 0
        found.append(CertificateFacts(one.path, end.stdout.strip().partition("=")[2], expired, soon))
    return found


def _scanners(host: Host, system: Instance) -> List[ScannerFacts]:
    installed = [scanner for scanner in SCANNERS.values() if host.which(scanner.program)]
    if not installed:
        return []
    try:
        paths = [entry.path for entry in find_data_paths(host, system, True)]
    except BulwarkError as exc:
        return [ScannerFacts(scanner.name, str(exc)) for scanner in installed]
    return [ScannerFacts(scanner.name, _scanner_problem(host, scanner, paths)) for scanner in installed]


def _scanner_problem(host: Host, scanner: Scanner, paths: Sequence[str]) -> str:
    try:
        if scanner.keeps_list:
            answer = host.run(list(scanner.list_command), timeout=PROGRAM_SECONDS).stdout
            missing = [path for path in paths if not is_listed(answer, path)]
            return f"scans {', '.join(missing)}" if missing else ""
        path = next((name for name in scanner.files if host.stat(name) is not None), "")
        text = _text(host, path) if path else None
        if text is None and not scanner.create:
            return ""
        helpers = [line for program, line in scanner.helper_lines if host.which(program)]
        lines = wanted_lines(scanner, [*scanner.lines, *helpers], paths)
        if exclude(scanner, text, lines, paths, path or scanner.files[0]) != text:
            return f"{path or scanner.files[0]} does not leave out {', '.join(paths)}"
    except BulwarkError as exc:
        return str(exc)
    return ""


def _shared_ids(host: Host, path: str) -> List[str]:
    table = parse_table(host.read_file(path))
    clashes = [
        f"{path} line {clash.line.number} ({shown(clash.line)}) gives away ids of line {clash.other.number} "
        f"({shown(clash.other)})"
        for clash in overlaps(table)
    ]
    doubtful = [f"{path} line {line.number} ({shown(line)}): {line.problem}" for line in table.lines if line.problem]
    return clashes + doubtful


def _user_facts(host: Host, account: UserAccount) -> UserEngineFacts:
    config = f"{account.home}/.config/docker/daemon.json"
    paths = [config, f"{account.home}/.config/systemd/user/docker.service"]
    seen = [_file(host, path) for path in paths if _kind(host, path)]
    files = tuple(one for one in seen if one is not None)
    registries: Tuple[str, ...] = ()
    problem = ""
    if _kind(host, config) == "file":
        try:
            value = json.loads(_text(host, config))
            registries = tuple(str(name) for name in value.get("insecure-registries") or ())
        except (ValueError, AttributeError, BulwarkError) as exc:
            problem = f"{config}: {exc}"
    return UserEngineFacts(account.name, account.uid, files, registries, problem)
