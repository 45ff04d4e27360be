# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is to audit on a host: real paths behind links, what is absent and why (private).

Nothing here changes the host.
"""

from __future__ import annotations

import json
import posixpath
import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._audit_rules import Watch
from ansible_collections.bulwark.docker.plugins.module_utils._audit_tables import (
    EXECUTIONS,
    LAYER_DIRECTORIES,
    METADATA_DIRECTORIES,
    METADATA_PATHS,
    PROGRAMS,
    SNAPSHOTTER_PREFIX,
)
from ansible_collections.bulwark.docker.plugins.module_utils._errors import BulwarkError, HostError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import Host
from ansible_collections.bulwark.docker.plugins.module_utils._unit import Unit, build_command, parse_unit

__all__ = ["Choices", "Found", "Skipped", "discover"]

PROGRAM_DIRECTORIES = ("/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/usr/libexec/docker")
PLUGIN_DIRECTORIES = (
    "/usr/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
)
UNITS = ("docker.service", "docker.socket", "containerd.service")
SYSTEM_UNITS = "/etc/systemd/system"
RUN_UNITS = "/run/systemd/system"
ENGINE_DIRECTORY = "/etc/docker"
DEFAULT_FILES = ("/etc/default/docker", "/etc/sysconfig/docker", "/etc/sysconfig/docker-storage")
CONTAINERD_CONFIG = "/etc/containerd/config.toml"
CONTAINERD_ROOT = "/var/lib/containerd"
CONTAINERD_SOCKETS = "/run/containerd"
API_SOCKET = "/run/docker.sock"
APPARMOR_DIRECTORY = "/etc/apparmor.d"
DATA_ROOT = "/var/lib/docker"
SUBID_FILES = ("/etc/subuid", "/etc/subgid")
USER_PATHS = ((".config/docker", True), (".config/systemd/user/docker.service", False))
USER_DROP_INS = ".config/systemd/user/docker.service.d"
FIRST_USER = 1000
LAST_USER = 65533
REMAPPED = re.compile(r"\d+\.\d+")
TOML_ROOT = re.compile(r"""^\s*root\s*=\s*(['"])(?P<path>/[^'"]*)\1""", re.MULTILINE)
# auditctl splits lines at blanks and knows no quotes.
UNSPEAKABLE = re.compile(r"[\s\"'\\]")
LONGEST_PATH = 4096
SYSTEM_TIMEOUT = 60.0


class Choices(NamedTuple):
    """What the user wants: executions ("client", "runtime") to record, layers too, users whose engines to watch.

    Without C(users) every account with the files of a rootless engine is meant.
    """

    executions: Tuple[str, ...] = ("client",)
    layers: bool = False
    users: Optional[Tuple[str, ...]] = None


class Skipped(NamedTuple):
    """A path that gets no rule, and why."""

    key: str
    path: str
    reason: str


class Found(NamedTuple):
    """What to watch, what not, and directories that have to exist before they can be watched."""

    watches: Tuple[Watch, ...]
    skipped: Tuple[Skipped, ...]
    directories: Tuple[str, ...]


class _Search:
    """Collects watches; each path once for each kind of access."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.watches: List[Watch] = []
        self.skipped: List[Skipped] = []
        self.directories: List[str] = []
        self._seen: Set[Tuple[str, str]] = set()

    def skip(self, key: str, path: str, reason: str) -> None:
        """Remember why a path gets no rule."""
        entry = Skipped(key, path, reason)
        if entry not in self.skipped:
            self.skipped.append(entry)

    def add(self, key: str, kind: str, path: str, permissions: str = "wa", unless: str = "") -> None:
        """Watch a path unless that is done already."""
        if UNSPEAKABLE.search(path) or len(path) > LONGEST_PATH:
            self.skip(key, path, "auditctl cannot express this name")
            return
        above = self._above(path, permissions)
        if above:
            self.skip(key, path, f"it lies below {above.path}, watched as {above.key}")
        elif (path, permissions) not in self._seen:
            self._seen.add((path, permissions))
            self.watches.append(Watch(key, kind, path, permissions, unless))

    def _above(self, path: str, permissions: str) -> Optional[Watch]:
        for watch in self.watches:
            alike = watch.kind == "dir" and watch.permissions == permissions and not watch.unless
            if alike and path.startswith(watch.path + "/"):
                return watch
        return None

    def settled(self, path: str) -> str:
        """The path with its directory's links resolved, its own name as it is."""
        directory, name = posixpath.split(path)
        return posixpath.join(self.host.real_path(directory), name)

    def watch(self, key: str, path: str, directory: bool = False, unless: str = "", missing: str = "") -> None:
        """Watch a path and what its link leads to; one that appears later is seen from its directory.

        C(missing) is the reason to skip it when it does not exist, "" to watch for it all the same.
        """
        here, real = self.settled(path), self.host.real_path(path)
        facts = self.host.stat(here)
        if facts is None and missing:
            self.skip(key, path, missing)
        elif facts is None and self.host.stat(posixpath.dirname(here)) is None:
            self.skip(key, path, f"neither it nor {posixpath.dirname(here)} exists")
        elif facts is None:
            self.add(key, "path", here, unless=unless)
        else:
            if real != here:
                self.add(key, "path", here, unless=unless)
            kind = "dir" if directory and facts.kind == "directory" else "path"
            self.add(key, kind, real, unless=unless)

    def require_directory(self, key: str, path: str) -> None:
        """Watch all of a directory, which has to be made where it is missing."""
        here = self.settled(path)
        if self.host.stat(here) is not None:
            self.watch(key, path, directory=True)
        elif self.host.stat(posixpath.dirname(here)) is None:
            self.skip(key, path, f"neither it nor {posixpath.dirname(here)} exists")
        else:
            self.directories.append(here)
            self.add(key, "dir", here)


def _ask(host: Host, argv: Sequence[str]) -> str:
    result = host.run(argv, timeout=SYSTEM_TIMEOUT)
    return result.stdout if result.rc == 0 else ""


def _unit_facts(host: Host) -> Dict[str, Dict[str, str]]:
    """Properties by unit, only of units that exist."""
    names = "--property=Id,LoadState,FragmentPath,DropInPaths,Listen"
    found: Dict[str, Dict[str, str]] = {}
    for unit in UNITS:
        # A socket has several Listen lines.
        values: Dict[str, str] = {}
        for line in _ask(host, ["systemctl", "show", unit, names]).splitlines():
            name, _equals, value = line.partition("=")
            values[name] = f"{values[name]}\n{value}" if name in values else value
        if values.get("LoadState") in ("loaded", "masked"):
            found[unit] = values
    return found


def _service(host: Host) -> Tuple[Tuple[str, ...], Tuple[str, ...]]:
    """Command line and environment files of docker.service; empty where it cannot be read."""
    text = _ask(host, ["systemctl", "cat", "--no-pager", "docker.service"])
    try:
        unit: Unit = parse_unit(text, "docker.service")
        texts = {entry.path: _text(host, entry.path) for entry in unit.environment_files}
        return build_command(unit, texts).argv, tuple(entry.path for entry in unit.environment_files)
    except BulwarkError:
        return (), ()


def _text(host: Host, path: str) -> Optional[str]:
    raw = host.read_file(path)
    return None if raw is None else raw.decode("utf-8", "replace")


def _flag(argv: Sequence[str], *names: str) -> str:
    """Value of a flag of the engine, "" when it is not given."""
    for position, word in enumerate(argv):
        name, equals, value = word.partition("=")
        if name in names:
            return value if equals else "".join(argv[position + 1 : position + 2])
    return ""


def _settings(host: Host, path: str) -> Dict[str, Any]:
    """The engine's daemon.json, empty where it cannot be read: what to watch must not depend on a good file."""
    try:
        value = json.loads(_text(host, path) or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _programs(search: _Search, argv: Sequence[str], settings: Dict[str, Any]) -> Dict[str, Tuple[str, ...]]:
    """Watch every program; real paths by name."""
    found: Dict[str, Tuple[str, ...]] = {}
    for key, names in PROGRAMS.items():
        for name in names:
            paths = [f"{folder}/{name}" for folder in PROGRAM_DIRECTORIES]
            paths += [argv[0]] if argv and name == "dockerd" else []
            present = [path for path in paths if search.host.stat(path)]
            for path in present:
                search.watch(key, path)
            if not present:
                search.skip(key, name, f"no such program in {', '.join(PROGRAM_DIRECTORIES)}")
            found[name] = tuple(dict.fromkeys(search.host.real_path(path) for path in present))
    runtimes = settings.get("runtimes")
    for entry in (runtimes if isinstance(runtimes, dict) else {}).values():
        path = str(entry.get("path", "")) if isinstance(entry, dict) else ""
        if path.startswith("/"):
            search.watch("docker-runtime", path, missing="daemon.json names it, but it does not exist")
    for folder in PLUGIN_DIRECTORIES:
        search.watch("docker-client", folder, directory=True, missing="no such directory")
    return found


def _units(search: _Search, facts: Dict[str, Dict[str, str]]) -> None:
    for unit in UNITS:
        if unit not in facts:
            search.skip("docker-units", unit, "systemd has no such unit")
            continue
        search.require_directory("docker-units", f"{SYSTEM_UNITS}/{unit}.d")
        fragment = facts[unit].get("FragmentPath", "")
        if fragment:
            search.watch("docker-units", fragment)
        # A file of this name would win over the packaged one.
        search.watch("docker-units", f"{SYSTEM_UNITS}/{unit}")
        search.watch("docker-units", f"{RUN_UNITS}/{unit}.d")
        search.watch("docker-units", f"{RUN_UNITS}/{unit}")
        for path in facts[unit].get("DropInPaths", "").split():
            search.watch("docker-units", posixpath.dirname(path), directory=not path.startswith("/run/"))
    # Drop-ins of all services.
    search.watch("docker-units", f"{SYSTEM_UNITS}/service.d", directory=True)


def _sockets(search: _Search, facts: Dict[str, Dict[str, str]]) -> None:
    listen = facts.get("docker.socket", {}).get("Listen", "").splitlines()
    paths = [line.split(" ")[0] for line in listen if line.startswith("/")]
    for path in dict.fromkeys([API_SOCKET, *paths]):
        search.watch("docker-sockets", _at_boot(search.settled(path)))
    search.watch("docker-sockets", CONTAINERD_SOCKETS)


def _at_boot(path: str) -> str:
    """The part of a path below /run whose directory exists when rules are loaded at boot."""
    parts = path.split("/")
    return "/".join(parts[:3]) if path.startswith("/run/") else path


def _configuration(search: _Search, argv: Sequence[str], environment: Sequence[str], settings: Dict[str, Any]) -> None:
    search.require_directory("docker-config", ENGINE_DIRECTORY)
    config = _flag(argv, "--config-file")
    if config:
        search.watch("docker-config", config)
    certificates = [
        _flag(argv, flag) or str(settings.get(flag[2:]) or "") for flag in ("--tlscacert", "--tlscert", "--tlskey")
    ]
    for path in certificates:
        if path.startswith("/"):
            search.watch("docker-config", path)
    for path in dict.fromkeys([*DEFAULT_FILES, *environment]):
        search.watch("docker-defaults", path)
    search.watch("docker-toml", posixpath.dirname(CONTAINERD_CONFIG), directory=True)
    search.watch("docker-apparmor", APPARMOR_DIRECTORY, directory=True, missing="this host has no AppArmor profiles")
    profile = _flag(argv, "--seccomp-profile") or str(settings.get("seccomp-profile") or "")
    if profile.startswith("/"):
        search.watch("docker-seccomp", profile)
    else:
        search.skip("docker-seccomp", "seccomp-profile", "the engine uses the profile that is built in")
    for path in SUBID_FILES:
        search.watch("docker-subids", path)


def _data(search: _Search, root: str, layers: bool, engine: str) -> None:
    """What the engine remembers; its own writing is left out, so that only others leave a trace."""
    host = search.host
    if host.stat(root) is None:
        search.watch("docker-data", root)
        return
    real = host.real_path(root)
    names = host.list_directory(real)
    roots = [real, *(f"{real}/{name}" for name in names if REMAPPED.fullmatch(name))]
    for base in roots:
        search.add("docker-data", "path", base, unless=engine)
        for name in METADATA_DIRECTORIES:
            search.watch("docker-data", f"{base}/{name}", directory=True, unless=engine)
        for name in METADATA_PATHS:
            search.watch("docker-data", f"{base}/{name}", unless=engine)
        for name in LAYER_DIRECTORIES if layers else ():
            search.watch("docker-layers", f"{base}/{name}", directory=True, missing="no such layers")
    if not layers:
        search.skip("docker-layers", real, "layers are not watched unless asked for: they change all the time")


def _blobs(search: _Search, data_root: str, argv: Sequence[str], layers: bool, containerd: str) -> None:
    host = search.host
    roots = [CONTAINERD_ROOT]
    written = TOML_ROOT.search(_text(host, CONTAINERD_CONFIG) or "")
    if written:
        roots = [written.group("path")]
    if argv and not _flag(argv, "--containerd"):
        roots.append(f"{data_root}/containerd/daemon")
    for root in roots:
        if host.stat(root) is None:
            search.skip("docker-blobs", root, "no such directory")
            continue
        real = host.real_path(root)
        search.add("docker-blobs", "path", real, unless=containerd)
        for name in host.list_directory(real):
            if name.startswith(SNAPSHOTTER_PREFIX):
                if layers:
                    search.watch("docker-layers", f"{real}/{name}", directory=True)
            elif name.startswith("io.containerd."):
                search.watch("docker-blobs", f"{real}/{name}", directory=True, unless=containerd)


def _accounts(host: Host) -> Dict[str, str]:
    """Home directories of people's accounts in /etc/passwd by name."""
    found = {}
    for line in (_text(host, "/etc/passwd") or "").splitlines():
        parts = line.split(":")
        if len(parts) == 7 and parts[2].isdigit() and FIRST_USER <= int(parts[2]) <= LAST_USER:
            found[parts[0]] = parts[5]
    return found


def _rootless(search: _Search, users: Optional[Sequence[str]]) -> None:
    homes = _accounts(search.host)
    for name in users or ():
        account = search.host.user(name)
        if account is None:
            raise HostError(
                f"watch the rootless engine of {name!r}: no such user on this host (option users); "
                "create the user first or leave the name out"
            )
        homes[name] = account.home
    for name, home in sorted(homes.items()):
        wanted = users is not None and name in users
        present = any(search.host.stat(f"{home}/{path}") for path, _directory in USER_PATHS)
        if wanted or (users is None and present):
            _one_user(search, home)
    if not any(watch.key == "docker-rootless" for watch in search.watches):
        search.skip("docker-rootless", "/etc/passwd", "no user has a rootless engine")


def _one_user(search: _Search, home: str) -> None:
    real = search.host.real_path(home)
    for path, directory in (*USER_PATHS, (USER_DROP_INS, True)):
        target = search.host.real_path(f"{home}/{path}")
        if target.startswith(real + "/"):
            search.watch("docker-rootless", f"{home}/{path}", directory=directory)
        else:
            # The user could have every file of the host recorded.
            search.skip("docker-rootless", f"{home}/{path}", f"a link leads out of the user's home, to {target}")


def _executions(search: _Search, wanted: Sequence[str]) -> None:
    for choice in EXECUTIONS:
        key, names = EXECUTIONS[choice]
        if choice not in wanted:
            search.skip(key, choice, "executions are recorded only where they are asked for")
            continue
        for name in names:
            for folder in PROGRAM_DIRECTORIES:
                if search.host.stat(f"{folder}/{name}"):
                    search.add(key, "path", search.host.real_path(f"{folder}/{name}"), permissions="x")


def discover(host: Host, choices: Choices) -> Found:
    """What to watch on this host.

    Raises HostError when there is no engine at all, or no such user.
    """
    search = _Search(host)
    facts = _unit_facts(host)
    argv, environment = _service(host)
    settings = _settings(host, _flag(argv, "--config-file") or f"{ENGINE_DIRECTORY}/daemon.json")
    _units(search, facts)
    _configuration(search, argv, environment, settings)
    programs = _programs(search, argv, settings)
    if not any(programs[name] for name in ("dockerd", "docker", "containerd")):
        raise HostError(
            "find what to audit: neither dockerd nor docker nor containerd is installed "
            f"({', '.join(PROGRAM_DIRECTORIES)}); install the engine first"
        )
    _sockets(search, facts)
    root = _flag(argv, "--data-root", "-g", "--graph") or str(settings.get("data-root") or DATA_ROOT)
    _data(search, root, choices.layers, "".join(programs["dockerd"][:1]))
    _blobs(search, root, argv, choices.layers, "".join(programs["containerd"][:1]))
    _rootless(search, choices.users)
    _executions(search, choices.executions)
    return Found(tuple(search.watches), tuple(search.skipped), tuple(search.directories))
