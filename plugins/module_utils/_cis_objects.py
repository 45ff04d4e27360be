# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading what an engine holds, one question for each kind of object and one for each container and image (private)."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Sequence, Tuple
from urllib.parse import quote

from ansible_collections.bulwark.docker.plugins.module_utils._apparmor_kernel import parse_label
from ansible_collections.bulwark.docker.plugins.module_utils._cis import Container, Objects
from ansible_collections.bulwark.docker.plugins.module_utils._engine_state import api_json
from ansible_collections.bulwark.docker.plugins.module_utils._errors import BulwarkError, EngineError, HostError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import Host
from ansible_collections.bulwark.docker.plugins.module_utils._instance import Instance

__all__ = ["programs_by_namespace", "read_objects"]


def _text(host: Host, path: str) -> str:
    """A file of /proc, "" when its process has ended."""
    try:
        return (host.read_file(path) or b"").decode("utf-8", "replace").strip()
    except HostError:
        return ""


def programs_by_namespace(host: Host) -> Dict[str, Tuple[str, ...]]:
    """Names of all processes by the namespace of process ids that they are in."""
    found: Dict[str, List[str]] = {}
    for pid in host.list_directory("/proc"):
        if pid.isdigit():
            try:
                namespace = host.read_link(f"/proc/{pid}/ns/pid") or ""
            except HostError:
                continue
            found.setdefault(namespace, []).append(_text(host, f"/proc/{pid}/comm"))
    return {namespace: tuple(sorted(names)) for namespace, names in found.items()}


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
    problems: List[str] = []

    def ask(path: str, key: str = "") -> Any:
        try:
            answer = api_json(host, instance, path, timeout=30.0)
        except BulwarkError as exc:
            problems.append(str(exc))
            return []
        return (answer.get(key) if key else answer) or []

    containers = []
    for summary in ask("/containers/json?all=1"):
        try:
            details = api_json(host, instance, f"/containers/{quote(summary['Id'])}/json", timeout=30.0)
        except EngineError:
            continue  # it ended between the two questions
        containers.append(_container(host, details, programs))
    images = []
    for summary in ask("/images/json"):
        try:
            images.append(api_json(host, instance, f"/images/{quote(summary['Id'], safe=':')}/json", timeout=30.0))
        except EngineError:
            continue
    manages = bool((info.get("Swarm") or {}).get("ControlAvailable"))
    return Objects(
        containers=tuple(sorted(containers, key=lambda one: one.name)),
        images=tuple(images),
        volumes=tuple(ask("/volumes", "Volumes")),
        networks=tuple(ask("/networks")),
        swarm=ask("/swarm") or {} if manages else {},
        nodes=tuple(ask("/nodes")) if manages else (),
        services=tuple(ask("/services")) if manages else (),
        secrets=tuple(ask("/secrets")) if manages else (),
        problems=tuple(problems),
    )


def _container(host: Host, details: Mapping[str, Any], programs: Mapping[str, Sequence[str]]) -> Container:
    name = str(details["Name"]).lstrip("/")
    pid = int((details.get("State") or {}).get("Pid") or 0)
    if not pid:
        return Container(name, details)
    lines = (line.partition(":") for line in _text(host, f"/proc/{pid}/status").splitlines())
    label = parse_label(_text(host, f"/proc/{pid}/attr/current"))
    try:
        namespace = host.read_link(f"/proc/{pid}/ns/pid") or ""
    except HostError:
        namespace = ""
    own = () if (details.get("HostConfig") or {}).get("PidMode") == "host" else programs.get(namespace, ())
    return Container(
        name=name,
        details=details,
        programs=tuple(own),
        label=label.name,
        mode=label.mode,
        status={key: value.strip() for key, _colon, value in lines},
    )
