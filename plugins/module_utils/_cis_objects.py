# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading what an engine holds, one question for each kind of object and one or two for each object (private)."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple
from urllib.parse import quote

from ansible_collections.bulwark.docker.plugins.module_utils._apparmor_kernel import parse_label
from ansible_collections.bulwark.docker.plugins.module_utils._cis import Container, Objects
from ansible_collections.bulwark.docker.plugins.module_utils._cis_mounts import mounted_paths
from ansible_collections.bulwark.docker.plugins.module_utils._engine_state import api_json
from ansible_collections.bulwark.docker.plugins.module_utils._errors import BulwarkError, EngineError, HostError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import Host
from ansible_collections.bulwark.docker.plugins.module_utils._instance import Instance

__all__ = ["programs_by_namespace", "read_objects", "uid_inside"]

SECONDS = 30.0
IMAGES_AT_MOST = 500


def _text(host: Host, path: str) -> str:
    """A file of /proc, "" when its process has ended."""
    try:
        return (host.read_file(path) or b"").decode("utf-8", "replace").strip()
    except HostError:
        return ""


def _namespace(host: Host, pid: str) -> str:
    """The namespace of mounts, which every container has for itself, whatever else it shares; "" for an ended one."""
    try:
        return host.read_link(f"/proc/{pid}/ns/mnt") or ""
    except HostError:
        return ""


def programs_by_namespace(host: Host) -> Dict[str, Tuple[str, ...]]:
    """Names of all processes by the namespace of mounts that they are in."""
    found: Dict[str, List[str]] = {}
    for pid in host.list_directory("/proc"):
        namespace = _namespace(host, pid) if pid.isdigit() else ""
        if namespace:
            found.setdefault(namespace, []).append(_text(host, f"/proc/{pid}/comm"))
    return {namespace: tuple(sorted(names)) for namespace, names in found.items()}


def uid_inside(uid: int, table: str) -> Optional[int]:
    """A user of the host as a process with this /proc/PID/uid_map sees it, None where it is not mapped."""
    for line in table.splitlines():
        words = [int(word) for word in line.split() if word.isdigit()]
        if len(words) == 3 and words[1] <= uid < words[1] + words[2]:
            return words[0] + uid - words[1]
    return None


class _Reader:
    """Asks one engine, and notes what it does not answer."""

    def __init__(self, host: Host, instance: Instance, info: Mapping[str, Any]) -> None:
        self._host = host
        self._instance = instance
        self._root = str(info.get("DockerRootDir") or "")
        self.problems: List[str] = []

    def ask(self, path: str, key: str = "") -> Any:
        """An answer, or the member of it; an empty list when there is none."""
        try:
            answer = api_json(self._host, self._instance, path, timeout=SECONDS)
        except BulwarkError as exc:
            self.problems.append(str(exc))
            return []
        return (answer.get(key) if key else answer) or []

    def _details(self, path: str) -> Optional[Dict[str, Any]]:
        """An answer about one object, None when the object is gone by now."""
        try:
            answer = api_json(self._host, self._instance, path, timeout=SECONDS)
        except EngineError:
            return None
        return answer if isinstance(answer, dict) else None

    def noted(self, path: str) -> Mapping[str, Any]:
        """A file of the engine below its data directory."""
        try:
            found = json.loads(_text(self._host, f"{self._root}/{path}") or "{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def containers(self, programs: Mapping[str, Sequence[str]]) -> List[Container]:
        """All containers by name."""
        found = []
        for summary in self.ask("/containers/json?all=1"):
            details = self._details(f"/containers/{quote(str(summary['Id']))}/json")
            if details is not None:
                found.append(self._container(details, programs))
        return sorted(found, key=lambda one: one.name)

    def _container(self, details: Mapping[str, Any], programs: Mapping[str, Sequence[str]]) -> Container:
        name = str(details["Name"]).lstrip("/")
        pid = int((details.get("State") or {}).get("Pid") or 0)
        if not pid:
            created = self.noted(f"containers/{details['Id']}/config.v2.json")
            return Container(name, details, no_new_privileges=created.get("NoNewPrivileges"))
        execs = [self._details(f"/exec/{quote(str(number))}/json") for number in details.get("ExecIDs") or []]
        lines = (line.partition(":") for line in _text(self._host, f"/proc/{pid}/status").splitlines())
        status = {key: value.strip() for key, _colon, value in lines}
        label = parse_label(_text(self._host, f"/proc/{pid}/attr/current"))
        user = status.get("Uid", "").split()
        return Container(
            name=name,
            details=details,
            programs=tuple(programs.get(_namespace(self._host, str(pid)), ())),
            label=label.name,
            mode=label.mode,
            status=status,
            uid=uid_inside(int(user[0]), _text(self._host, f"/proc/{pid}/uid_map")) if user else None,
            execs=tuple(one for one in execs if one is not None),
        )

    def images(self) -> Tuple[List[Dict[str, Any]], Dict[str, Tuple[str, ...]]]:
        """Images, and the steps that made them."""
        listed = self.ask("/images/json")
        if len(listed) > IMAGES_AT_MOST:
            self.problems.append(f"only the newest {IMAGES_AT_MOST} of {len(listed)} images were looked at")
        images: List[Dict[str, Any]] = []
        histories: Dict[str, Tuple[str, ...]] = {}
        for summary in listed[:IMAGES_AT_MOST]:
            name = quote(str(summary["Id"]), safe=":")
            details = self._details(f"/images/{name}/json")
            if details is not None:
                images.append(details)
                steps = self.ask(f"/images/{name}/history")
                histories[str(details["Id"])] = tuple(str(step.get("CreatedBy") or "") for step in steps)
        return images, histories


def read_objects(
    host: Host, instance: Instance, info: Mapping[str, Any], programs: Mapping[str, Sequence[str]]
) -> Objects:
    """Containers, images, volumes, networks and the swarm of an engine that answers.

    Args:
        host: access to the host.
        instance: the engine.
        info: answer of GET /info.
        programs: from programs_by_namespace().
    """
    reader = _Reader(host, instance, info)
    ask = reader.ask
    swarm = info.get("Swarm") or {}
    manages = bool(swarm.get("ControlAvailable"))
    takes_part = str(swarm.get("LocalNodeState") or "inactive") != "inactive"
    containers = reader.containers(programs)
    images, histories = reader.images()
    volumes = ask("/volumes", "Volumes")
    paths = {path for one in containers for path in mounted_paths(one.details, volumes)}
    return Objects(
        containers=tuple(containers),
        images=tuple(images),
        volumes=tuple(volumes),
        networks=tuple(ask("/networks")),
        swarm=ask("/swarm") or {} if manages else {},
        nodes=tuple(ask("/nodes")) if manages else (),
        services=tuple(ask("/services")) if manages else (),
        secrets=tuple(ask("/secrets")) if manages else (),
        problems=tuple(reader.problems),
        histories=histories,
        links={path: host.real_path(path) for path in sorted(paths)},
        swarm_node=reader.noted("swarm/docker-state.json") if takes_part else {},
    )
