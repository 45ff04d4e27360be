# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine is, was started with and really does, read from the host (private).

Nothing here changes the host.
"""

from __future__ import annotations

import json
import posixpath
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple
from urllib.parse import quote

from ansible_collections.bulwark.docker.plugins.module_utils._daemon_json import Document, parse_document
from ansible_collections.bulwark.docker.plugins.module_utils._engine_check import (
    HostFacts,
    PortUse,
    paths_to_inspect,
    runtime_paths,
)
from ansible_collections.bulwark.docker.plugins.module_utils._errors import (
    ConfigError,
    ConflictError,
    EngineError,
    HostError,
)
from ansible_collections.bulwark.docker.plugins.module_utils._flags import Flags, parse_flags
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import FileStat, Host
from ansible_collections.bulwark.docker.plugins.module_utils._instance import SYSTEM_CONFIG_PATH, Instance
from ansible_collections.bulwark.docker.plugins.module_utils._listeners import Listener, find_listeners
from ansible_collections.bulwark.docker.plugins.module_utils._unit import (
    Command,
    Unit,
    build_command,
    parse_unit,
)
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version, parse_version

__all__ = [
    "EngineState",
    "Process",
    "api_json",
    "observe",
    "parse_config",
    "read_host_facts",
    "read_process",
    "running_containers",
    "service_properties",
    "with_command_line",
]

CLOCK_TICKS_PER_SECOND = 100
PROGRAM_TIMEOUT = 60.0
CAP_SYS_RESOURCE = 1 << 24
# First column of /proc/PID/limits.
LIMIT_TITLES = {
    "Max core file size": "core",
    "Max locked memory": "memlock",
    "Max msgqueue size": "msgqueue",
    "Max open files": "nofile",
    "Max pending signals": "sigpending",
    "Max processes": "nproc",
    "Max realtime priority": "rtprio",
    "Max stack size": "stack",
}
BRIDGE_NETFILTER = "/proc/sys/net/bridge/bridge-nf-call-iptables"
PLUGIN_DIRECTORIES = ("/run/docker/plugins", "/etc/docker/plugins", "/usr/lib/docker/plugins")


class Process(NamedTuple):
    """The running engine: identity, start (seconds since the epoch) and command line."""

    pid: int
    start_ticks: int
    boot_id: str
    started_at: float
    argv: Tuple[str, ...]

    def identity(self) -> List[Any]:
        """A value that no other process of this host has had or will have."""
        return [self.boot_id, self.pid, self.start_ticks]


class EngineState(NamedTuple):
    """One reading of an engine.

    C(command) and C(flags) are those of the next start; C(unit) is the unit without our own drop-in, C(drop_in) the
    content of that one (None: there is none); C(overruled_by) names a drop-in behind ours that replaces its line;
    C(info) is the answer of GET /info, empty while the engine does not answer.
    """

    instance: Instance
    version: Version
    version_text: str
    command: Command
    flags: Flags
    unit: Unit
    environment_texts: Dict[str, Optional[str]]
    drop_in: Optional[bytes]
    overruled_by: str
    unit_paths: Tuple[str, ...]
    properties: Dict[str, str]
    socket_properties: Dict[str, str]
    process: Optional[Process]
    raw: Optional[bytes]
    raw_stat: Optional[FileStat]
    info: Dict[str, Any]
    containers: Tuple[Dict[str, Any], ...]
    listeners: Tuple[Listener, ...]

    @property
    def answering(self) -> bool:
        """Whether the engine answers its API."""
        return bool(self.info)

    @property
    def live_restore(self) -> bool:
        """Whether the running engine keeps containers alive while it restarts; a rootless one never does."""
        return bool(self.info.get("LiveRestoreEnabled")) and not self.instance.rootless


def _checked(host: Host, argv: Sequence[str], asked: str, remedy: str) -> str:
    result = host.run(argv, timeout=PROGRAM_TIMEOUT)
    if result.rc != 0:
        detail = (result.stderr or result.stdout).strip().splitlines()
        raise HostError(f"{asked}: {detail[-1] if detail else f'exit status {result.rc}'} ({' '.join(argv)}); {remedy}")
    return result.stdout


def service_properties(host: Host, instance: Instance, unit: str, names: Sequence[str]) -> Dict[str, str]:
    """Properties of a unit as systemd shows them."""
    argv = [*instance.systemctl, "show", unit, "--property=" + ",".join(names)]
    text = _checked(host, argv, f"ask systemd about {unit}", "is systemd running on this host?")
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def read_process(host: Host, pid: int) -> Optional[Process]:
    """Identity and command line of a process, None when it is gone."""
    if pid <= 0:
        return None
    stat = host.read_file(f"/proc/{pid}/stat")
    cmdline = host.read_file(f"/proc/{pid}/cmdline")
    boot_id = host.read_file("/proc/sys/kernel/random/boot_id")
    uptime = host.read_file("/proc/uptime")
    if not stat or not cmdline or not boot_id or not uptime:
        return None
    # The command name in parentheses may hold blanks.
    ticks = int(stat.decode("utf-8", "replace").rpartition(")")[2].split()[19])
    age = float(uptime.split()[0]) - ticks / CLOCK_TICKS_PER_SECOND
    argv = tuple(part.decode("utf-8", "surrogateescape") for part in cmdline.rstrip(b"\0").split(b"\0"))
    return Process(pid, ticks, boot_id.decode("ascii").strip(), host.now() - age, argv)


def api_json(host: Host, instance: Instance, path: str, timeout: float = 10.0) -> Any:
    """GET a JSON document from the engine's API.

    Raises EngineError for any other answer than 200, HostError when nothing answers.
    """
    answer = host.api(instance.api_socket, "GET", path, timeout=timeout)
    if answer.status != 200:
        text = answer.body.decode("utf-8", "replace").strip()
        raise EngineError(
            f"ask the engine for {path}: status {answer.status}, {text} ({instance.api_socket}); "
            f"look at the journal of {instance.service}"
        )
    try:
        return json.loads(answer.body.decode("utf-8", "replace"))
    except ValueError as exc:
        raise EngineError(
            f"ask the engine for {path}: the answer is no JSON, {exc} ({instance.api_socket}); "
            f"look at the journal of {instance.service}"
        ) from exc


def running_containers(host: Host, instance: Instance) -> List[Dict[str, Any]]:
    """Running containers in the order of their start, with what was frozen into them when they were created."""
    found = []
    for summary in api_json(host, instance, "/containers/json"):
        try:
            details = api_json(host, instance, f"/containers/{quote(summary['Id'])}/json")
        except EngineError:
            continue  # it ended between the two questions
        found.append(
            {
                "id": details["Id"],
                "name": details["Name"].lstrip("/"),
                "pid": int(details["State"]["Pid"]),
                "started": details["State"]["StartedAt"],
                "auto_remove": bool(details["HostConfig"].get("AutoRemove")),
                "security_options": details["HostConfig"].get("SecurityOpt") or [],
                "log_driver": (details["HostConfig"].get("LogConfig") or {}).get("Type", ""),
                "log_options": (details["HostConfig"].get("LogConfig") or {}).get("Config") or {},
            }
        )
    return sorted(found, key=lambda entry: str(entry["started"]))


def observe(host: Host, instance: Instance) -> EngineState:
    """Read an engine's unit, process, file, API and listeners.

    Raises ConfigError when the unit cannot be read, HostError when the host has no such engine.
    """
    names = ["MainPID", "ActiveState", "SubState", "Result", "NeedDaemonReload", "FragmentPath", "DropInPaths"]
    properties = service_properties(host, instance, instance.service, [*names, "LoadState"])
    if properties.get("LoadState") != "loaded":
        raise HostError(
            f"harden the engine {instance.name}: systemd has no unit {instance.service} "
            f"(LoadState={properties.get('LoadState')}); install the engine first, or name its unit in engine_service"
        )
    socket_properties: Dict[str, str] = {}
    if instance.socket_unit:
        socket_names = ["ActiveState", "LoadState", "Listen", "NeedDaemonReload"]
        socket_properties = service_properties(host, instance, instance.socket_unit, socket_names)
    paths = [properties.get("FragmentPath", ""), *properties.get("DropInPaths", "").split()]
    others = _read_unit(host, instance, [path for path in paths if path != instance.drop_in_path])
    drop_in = host.read_file(instance.drop_in_path) if instance.drop_in_path else None
    unit = _read_unit(host, instance, _with_drop_in(paths, instance.drop_in_path)) if drop_in is not None else others
    texts = {entry.path: _read_text(host, entry.path) for entry in (*others.environment_files, *unit.environment_files)}
    command = build_command(unit, texts)
    if not posixpath.basename(command.argv[0]).startswith("dockerd"):
        raise ConfigError(
            f"read the unit {instance.service}: its ExecStart= starts {command.argv[0]}, so that nobody can see the "
            f"flags of the engine ({', '.join(unit.paths)}); let ExecStart= name dockerd and its flags"
        )
    version_text = _read_version(host, command.argv[0])
    version = parse_version(version_text)
    flags = parse_flags(command.argv[1:], version)
    if flags.config_file:
        instance = instance._replace(config_path=flags.config_file)
    elif not instance.rootless and instance.config_path != SYSTEM_CONFIG_PATH:
        raise ConflictError(
            f"work on {instance.config_path}: {instance.service} starts the engine without --config-file, so it reads "
            f"{SYSTEM_CONFIG_PATH}; leave engine_config_path (option config_path) out, or add that flag to the unit"
        )
    process = read_process(host, int(properties.get("MainPID") or 0))
    info: Dict[str, Any] = {}
    containers: List[Dict[str, Any]] = []
    if process is not None and properties.get("ActiveState") in ("active", "reloading"):
        try:
            info = api_json(host, instance, "/info")
            containers = running_containers(host, instance)
        except HostError:
            info = {}
    return EngineState(
        instance=instance,
        version=version,
        version_text=version_text,
        command=command,
        flags=flags,
        unit=others,
        environment_texts=texts,
        drop_in=drop_in,
        overruled_by=_overruling(host, instance, paths),
        unit_paths=unit.paths,
        properties=properties,
        socket_properties=socket_properties,
        process=process,
        raw=host.read_file(instance.config_path),
        raw_stat=host.stat(instance.config_path),
        info=info,
        containers=tuple(containers),
        listeners=tuple(find_listeners(host, process.pid)) if process else (),
    )


def _with_drop_in(paths: Sequence[str], drop_in_path: str) -> List[str]:
    """The unit's files in systemd's order, with our drop-in also while systemd has not read it yet."""
    drop_ins = [path for path in paths[1:] if path != drop_in_path] + [drop_in_path]
    return [paths[0], *sorted(drop_ins, key=posixpath.basename)]


def _read_unit(host: Host, instance: Instance, paths: Sequence[str]) -> Unit:
    # Not by "systemctl cat", which fails when a drop-in is gone that systemd still remembers.
    texts = [(path, _read_text(host, path)) for path in paths if path]
    return parse_unit("\n".join(f"# {path}\n{text}" for path, text in texts if text is not None), instance.service)


def _overruling(host: Host, instance: Instance, paths: Sequence[str]) -> str:
    own = posixpath.basename(instance.drop_in_path)
    later = [path for path in paths[1:] if posixpath.basename(path) > own] if own else []
    return next((path for path in later if "\nExecStart=" in "\n" + (_read_text(host, path) or "")), "")


def with_command_line(state: EngineState, drop_in: Optional[bytes]) -> EngineState:
    """The engine as it would be started with this drop-in of ours (None: without one); nothing is written."""
    unit = state.unit
    if drop_in is not None:
        name = state.instance.service
        exec_start = parse_unit(drop_in.decode("utf-8", "surrogateescape"), name).exec_start
        unit = unit._replace(exec_start=exec_start)
    command = build_command(unit, state.environment_texts)
    return state._replace(command=command, flags=parse_flags(command.argv[1:], state.version), drop_in=drop_in)


def _read_text(host: Host, path: str) -> Optional[str]:
    raw = host.read_file(path)
    return None if raw is None else raw.decode("utf-8", "replace")


def _read_version(host: Host, program: str) -> str:
    # Rootless units start a script; the engine itself is then found on the path.
    binary = program if program.endswith("/dockerd") else host.which("dockerd") or "dockerd"
    text = _checked(host, [binary, "--version"], "ask dockerd for its version", "is the engine installed completely?")
    words = text.split()
    if len(words) < 3:
        raise HostError(f"ask dockerd for its version: answer {text!r} ({binary}); is that program dockerd?")
    return words[2].rstrip(",")


def parse_config(state: EngineState) -> Document:
    """The engine's daemon.json as a document; ConfigError with line and column when the engine could not read it."""
    return parse_document(state.raw, state.version, state.instance.config_path)


def read_host_facts(host: Host, state: EngineState, data: Mapping[str, Any]) -> HostFacts:
    """Facts about the host that decide whether a configuration can work.

    Args:
        host: access to the host.
        state: from observe().
        data: the configuration in question.
    """
    wanted_paths = paths_to_inspect(data, state.flags)
    plugins = {name.rpartition(".")[0] or name for folder in PLUGIN_DIRECTORIES for name in host.list_directory(folder)}
    managed = (state.info.get("Plugins") or {}).get("Authorization") or []
    own = tuple((entry.address, entry.port) for entry in state.listeners if entry.kind == "tcp")
    listening = find_listeners(host, None)
    return HostFacts(
        swarm_active=(state.info.get("Swarm") or {}).get("LocalNodeState", "inactive") not in ("inactive", ""),
        cgroup_version=2 if host.stat("/sys/fs/cgroup/cgroup.controllers") else 1,
        cgroup_driver=str(state.info.get("CgroupDriver") or ""),
        selinux_enabled=host.stat("/sys/fs/selinux/enforce") is not None,
        bridge_netfilter=_bridge_netfilter(host),
        rootless=state.instance.rootless,
        authorization_plugins=tuple(sorted(plugins | {str(name).partition(":")[0] for name in managed})),
        existing_files={path: _head(host, path) for path in wanted_paths},
        ports_in_use=tuple(
            PortUse(entry.address, entry.port, "another process")
            for entry in listening
            if (entry.address, entry.port) not in own
        ),
        runtimes_found=tuple(path for path in runtime_paths(data, state.flags) if _is_program(host, path)),
        log_drivers=tuple(sorted((state.info.get("Plugins") or {}).get("Log") or [])) or None,
        limit_ceilings=_limit_ceilings(host, state),
    )


def _is_program(host: Host, path: str) -> bool:
    return (host.stat(path) if "/" in path else host.which(path)) is not None


def _head(host: Host, path: str) -> Optional[bytes]:
    found = host.stat(path)
    if found is None:
        return None
    return host.read_file(path) if found.kind == "file" else b""


def _limit_ceilings(host: Host, state: EngineState) -> Dict[str, int]:
    """Limits that containers cannot get, since setrlimit(2) refuses to raise the engine's own hard limit."""
    if state.process is None:
        return {}
    folder = f"/proc/{state.process.pid}"
    status = (host.read_file(folder + "/status") or b"").decode("ascii", "replace")
    capabilities = [int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff:")]
    # Inside a user namespace the capability counts for nothing.
    if not capabilities or (capabilities[0] & CAP_SYS_RESOURCE and not state.instance.rootless):
        return {}
    limits = (host.read_file(folder + "/limits") or b"").decode("ascii", "replace")
    ceilings: Dict[str, int] = {}
    for line in limits.splitlines():
        for title, name in LIMIT_TITLES.items():
            hard = line[len(title) :].split()[1:2] if line.startswith(title) else []
            if hard and hard[0] != "unlimited":
                ceilings[name] = int(hard[0])
    return ceilings


def _bridge_netfilter(host: Host) -> bool:
    if host.stat(BRIDGE_NETFILTER):
        return True
    modprobe = host.which("modprobe")
    return bool(modprobe) and host.run([str(modprobe), "--dry-run", "--quiet", "br_netfilter"], timeout=10).rc == 0
