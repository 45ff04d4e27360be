# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a change reaches the running engine with the least disruption (pure, private).

Facts: moby daemon/reload.go (what SIGHUP re-reads), daemon/daemon_unix.go (bridge settings are skipped while containers
live on), daemon/daemon.go (live containers are killed at start without live-restore).
"""

from __future__ import annotations

from typing import Any, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._engine_keys import KEYS, Key
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version

__all__ = ["ACTIONS", "Decision", "Situation", "decide"]

# From the least to the most disruptive one.
ACTIONS = ("nothing", "reload", "restart", "socket_and_service", "full_stop", "start")
MISSING = object()
# With another value the engine works on other data, and does not find the containers that live on.
ABANDONING = frozenset(("userns-remap",))


class Situation(NamedTuple):
    """What the decision rests on.

    C(loaded) is the content of daemon.json that the running engine read, None when that is not known;
    C(ineffective) names keys that the engine read but did not apply.
    """

    version: Version
    running: bool
    loaded: Optional[Mapping[str, Any]]
    wanted: Mapping[str, Any]
    loaded_argv: Sequence[str]
    wanted_argv: Sequence[str]
    unit_changed: bool
    socket_changed: bool
    live_restore: bool
    running_containers: int
    ineffective: Tuple[str, ...]
    allow_container_stop: bool


class Decision(NamedTuple):
    """What to do, and why.

    C(stops_containers) tells that running containers end; C(enable_live_restore_first) that a reload must switch
    live-restore on before the restart, so that they do not; C(deferred) names keys that stay without effect until all
    containers were stopped once.
    """

    action: str
    changed_keys: Tuple[str, ...]
    reasons: Tuple[str, ...]
    stops_containers: bool
    enable_live_restore_first: bool
    deferred: Tuple[str, ...]


def reloadable(key: Key, version: Version) -> bool:
    """Whether this version re-reads the key on SIGHUP."""
    return key.reload is not None and version >= key.reload


def _key_effect(name: str, situation: Situation) -> str:
    key = KEYS.get(name)
    if key is None:
        return "restart"
    # SIGHUP applies only keys that the file still holds: a removed one keeps its old value in memory.
    if reloadable(key, situation.version) and name in situation.wanted:
        return "reload"
    return "full_stop" if key.effect == "full_stop" else "restart"


def changed_keys(loaded: Mapping[str, Any], wanted: Mapping[str, Any]) -> List[str]:
    """Names whose value differs between two configurations, in the order of the second."""
    names = list(wanted) + [name for name in loaded if name not in wanted]
    return [name for name in names if loaded.get(name, MISSING) != wanted.get(name, MISSING)]


def decide(situation: Situation) -> Decision:
    """Choose one of ACTIONS for a change that is already on disk (or about to be)."""
    if not situation.running:
        return Decision("start", (), ("the engine is not running",), False, False, ())
    keys: List[str] = []
    reasons: List[str] = []
    action = "nothing"
    if situation.loaded is None:
        action = "restart"
        reasons.append("daemon.json was written after the engine started and nobody recorded what the engine had read")
    else:
        keys = changed_keys(situation.loaded, situation.wanted)
    effects = {name: _key_effect(name, situation) for name in keys}
    for name in keys:
        action = _stronger(action, "reload" if effects[name] == "reload" else "restart")
        reasons.append(f"{name} changed: {_effect_text(effects[name])}")
    action, more = _unit_reasons(action, situation)
    reasons.extend(more)
    full_stop = [name for name in keys if effects[name] == "full_stop"]
    full_stop += [name for name in situation.ineffective if name not in full_stop]
    return _finish(action, tuple(keys), reasons, full_stop, situation)


def _stronger(first: str, second: str) -> str:
    return max(first, second, key=ACTIONS.index)


def _effect_text(effect: str) -> str:
    return {
        "reload": "read again on SIGHUP",
        "restart": "read at start only",
        "full_stop": "applied only when the engine starts without running containers",
    }[effect]


def _unit_reasons(action: str, situation: Situation) -> Tuple[str, List[str]]:
    reasons: List[str] = []
    if tuple(situation.loaded_argv) != tuple(situation.wanted_argv):
        action = _stronger(action, "restart")
        reasons.append("the unit's command line is not the one that the engine runs with")
    elif situation.unit_changed:
        action = _stronger(action, "restart")
        reasons.append("the unit changed after the engine started")
    if situation.socket_changed:
        action = _stronger(action, "socket_and_service")
        reasons.append("the socket unit changed after it started to listen")
    return action, reasons


def _finish(
    action: str, keys: Tuple[str, ...], reasons: List[str], full_stop: List[str], situation: Situation
) -> Decision:
    deferred: Tuple[str, ...] = ()
    if full_stop and situation.running_containers == 0:
        action = _stronger(action, "restart")
    elif full_stop and situation.allow_container_stop:
        action = _stronger(action, "full_stop")
    elif full_stop:
        deferred = tuple(full_stop)
    for name in situation.ineffective:
        if action in ("nothing", "reload") or name in keys:
            continue
        if name not in deferred:
            reasons.append(f"{name} was read but not applied: {_effect_text('full_stop')}")
    restarts = action in ("restart", "socket_and_service")
    first = stops = False
    if restarts and situation.running_containers > 0 and not situation.live_restore:
        first = situation.wanted.get("live-restore") is True
        stops = not first
    if restarts and situation.running_containers > 0 and situation.live_restore:
        # The next engine finds live containers, and without live-restore in its file it ends them.
        stops = situation.wanted.get("live-restore") is not True and not _flag_live_restore(situation.wanted_argv)
    if action == "full_stop" or (situation.running_containers > 0 and ABANDONING.intersection(keys)):
        stops = True
    return Decision(action, keys, tuple(reasons), stops, first, deferred)


def _flag_live_restore(argv: Sequence[str]) -> bool:
    return "--live-restore" in argv or "--live-restore=true" in argv
