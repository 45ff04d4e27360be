# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an engine is as well off as it was before a run: it answers, and what ran runs (private)."""

from __future__ import annotations

import fnmatch
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._engine_state import api_json, service_properties
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError, EngineError, HostError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import Host
from ansible_collections.bulwark.docker.plugins.module_utils._instance import Instance
from ansible_collections.bulwark.docker.plugins.module_utils._transaction import load_record

__all__ = ["Health", "check_health", "look", "parse_health", "problems_of"]

POLL_SECONDS = 1.0
UNIT_PROPERTIES = ("LoadState", "ActiveState")
# What /containers/json says at the end of "Status" for a container with a health check.
SICK, WELL, STARTING = "unhealthy", "healthy", "health: starting"


class Health(NamedTuple):
    """One look at an engine.

    C(state) is running (it answers its API), failed (for systemd, or because it runs and does not answer), stopped,
    masked or not_installed; C(version) and C(data_root) are "" unless it answers; C(containers) has the name of each
    running container and what its health check says ("" where it has none); C(uncommitted) tells that settings were
    written and not brought into force.
    """

    state: str
    version: str
    data_root: str
    containers: Tuple[Tuple[str, str], ...]
    uncommitted: bool

    def to_result(self) -> Dict[str, Any]:
        """The look as a module returns it; parse_health() reads it again."""
        containers = [{"name": name, "health": health} for name, health in self.containers]
        return {**self._asdict(), "containers": containers}


def parse_health(value: Mapping[str, Any]) -> Health:
    """The look that an earlier call returned; ConfigError when it is something else."""
    try:
        containers = tuple((str(entry["name"]), str(entry["health"])) for entry in value["containers"])
        return Health(
            str(value["state"]), str(value["version"]), str(value["data_root"]), containers, bool(value["uncommitted"])
        )
    except (KeyError, TypeError) as exc:
        raise ConfigError(
            f"compare with the engine of before: before is not what engine_health returned, {exc!r} is missing or of "
            "another type (option before); hand over the whole result that was registered"
        ) from exc


def look(host: Host, instance: Instance) -> Health:
    """Look at an engine; one that does not answer, or is not there, is a state and no error."""
    properties = service_properties(host, instance, instance.service, UNIT_PROPERTIES)
    loaded, active = properties.get("LoadState", ""), properties.get("ActiveState", "")
    if loaded == "masked" and active != "active":
        return _silent("masked", host, instance)
    if loaded not in ("loaded", "masked"):
        return _silent("not_installed", host, instance)
    # An engine that systemd would start for a question stays stopped: nobody asks it.
    if active in ("inactive", "deactivating"):
        return _silent("stopped", host, instance)
    try:
        info = api_json(host, instance, "/info")
        listed = api_json(host, instance, "/containers/json")
    except (EngineError, HostError):
        return _silent("failed", host, instance)
    containers = tuple(sorted(_container(entry) for entry in listed if entry.get("State") != "restarting"))
    version, root = str(info.get("ServerVersion", "")), str(info.get("DockerRootDir", ""))
    return Health("running", version, root, containers, _uncommitted(host, instance))


def _silent(state: str, host: Host, instance: Instance) -> Health:
    return Health(state, "", "", (), _uncommitted(host, instance))


def _uncommitted(host: Host, instance: Instance) -> bool:
    return load_record(host, instance).transaction is not None


def _container(entry: Mapping[str, Any]) -> Tuple[str, str]:
    status = str(entry.get("Status", ""))
    health = next((word for word in (SICK, WELL, STARTING) if f"({word})" in status), "")
    return str(entry["Names"][0]).lstrip("/"), health


def problems_of(before: Health, now: Health, ignored: Sequence[str]) -> List[str]:
    """What an engine has lost since it was looked at before, one sentence each.

    Args:
        before: the engine before the run.
        now: the engine now.
        ignored: patterns of names of containers that come and go.
    """
    if now.state == "masked" or (now.state == before.state and now.state in ("stopped", "not_installed")):
        # Somebody wants it that way.
        return []
    if now.state != "running":
        was = "ran" if before.state == "running" else f"was {before.state.replace('_', ' ')}"
        return [f"the engine {was} before and is {now.state.replace('_', ' ')} now"]
    found = ["settings were written and are not in force"] if now.uncommitted else []
    if before.data_root != now.data_root:
        # Containers of the other place are hidden, which the role that moved it had to be told to accept.
        return found
    healths = dict(now.containers)
    for name, health in before.containers:
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in ignored):
            continue
        if name not in healths:
            found.append(f"the container {name} ran before and does not run now")
        elif health == WELL and healths[name] != WELL:
            found.append(f"the container {name} was {WELL} before and is {healths[name] or 'not watched'} now")
    return found


def check_health(
    host: Host, instance: Instance, before: Optional[Mapping[str, Any]], ignored: Sequence[str], deadline: float
) -> Dict[str, Any]:
    """Look at an engine, or look until it has lost nothing; the answer of the module engine_health.

    Args:
        host: access to the host.
        instance: the engine.
        before: what an earlier call answered; None looks once.
        ignored: patterns of names of containers that come and go.
        deadline: seconds after which the engine has to be well.

    Raises EngineError when it is not, and ConfigError for a "before" of another shape.
    """
    if before is None:
        return {"changed": False, "problems": [], **look(host, instance).to_result()}
    earlier = parse_health(before)
    end = host.now() + deadline
    while True:
        now = look(host, instance)
        problems = problems_of(earlier, now, ignored)
        if not problems:
            return {"changed": False, "problems": [], **now.to_result()}
        if host.now() >= end:
            raise EngineError(
                f"go on after a change: {'; '.join(problems)} ({instance.service}, after {deadline:.0f} s); look at "
                "its journal, and at the option ignore for containers that come and go"
            )
        host.sleep(POLL_SECONDS)
