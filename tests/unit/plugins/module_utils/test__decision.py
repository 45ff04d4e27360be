# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The least disruptive action for each change."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.docker.plugins.module_utils._decision import (
    ACTIONS,
    Situation,
    changed_keys,
    decide,
    reloadable,
)
from ansible_collections.bulwark.docker.plugins.module_utils._engine_keys import KEYS
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version

BASE = Situation(
    version=Version(26, 1, 5),
    running=True,
    loaded={},
    wanted={},
    loaded_argv=("-H", "fd://"),
    wanted_argv=("-H", "fd://"),
    unit_changed=False,
    socket_changed=False,
    live_restore=False,
    running_containers=0,
    ineffective=(),
    allow_container_stop=False,
)
ICC = {"icc": False}
LIVE = {"live-restore": True}
LIVING = {"live_restore": True, "running_containers": 2}

# situation, action, stops containers, live-restore first, deferred
SUBJECT_OK: dict[str, tuple[dict[str, Any], str, bool, bool, tuple[str, ...]]] = {
    "nothing": ({}, "nothing", False, False, ()),
    "engine is down": ({"running": False, "wanted": ICC}, "start", False, False, ()),
    "another mapping of ids, with live containers": (
        {"wanted": {**LIVE, "userns-remap": "x"}, "loaded": LIVE, **LIVING},
        "restart",
        True,
        False,
        ("userns-remap",),
    ),
    "another mapping of ids, without containers": ({"wanted": {"userns-remap": "x"}}, "restart", False, False, ()),
    "another mapping of ids, and containers may stop": (
        {"wanted": {**LIVE, "userns-remap": "x"}, "loaded": LIVE, **LIVING, "allow_container_stop": True},
        "full_stop",
        True,
        False,
        (),
    ),
    "reload-only keys": ({"wanted": {**LIVE, "debug": True}}, "reload", False, False, ()),
    "reload with containers": ({"wanted": LIVE, "running_containers": 2}, "reload", False, False, ()),
    "reloadable key that was removed": ({"loaded": {"debug": True}}, "restart", False, False, ()),
    "reload and restart keys": ({"wanted": {"debug": True, "log-level": "warn"}}, "restart", False, False, ()),
    "key read at start only": ({"wanted": {"no-new-privileges": True}}, "restart", False, False, ()),
    "key that nobody knows": ({"wanted": {"future-key": 1}}, "restart", False, False, ()),
    "loaded is not known": ({"loaded": None, "wanted": ICC}, "restart", False, False, ()),
    "icc without containers": ({"wanted": ICC}, "restart", False, False, ()),
    "icc, containers, live-restore": (
        {"loaded": LIVE, "wanted": {**LIVE, **ICC}, **LIVING},
        "restart",
        False,
        False,
        ("icc",),
    ),
    "icc, containers, live-restore, allowed": (
        {"loaded": LIVE, "wanted": {**LIVE, **ICC}, **LIVING, "allow_container_stop": True},
        "full_stop",
        True,
        False,
        (),
    ),
    "icc, containers, no live-restore": ({"wanted": ICC, "running_containers": 2}, "restart", True, False, ("icc",)),
    "icc, containers, no live-restore, allowed": (
        {"wanted": ICC, "running_containers": 2, "allow_container_stop": True},
        "full_stop",
        True,
        False,
        (),
    ),
    "live-restore is being switched on": (
        {"wanted": {**LIVE, "no-new-privileges": True}, "running_containers": 2},
        "restart",
        False,
        True,
        (),
    ),
    "live-restore is being switched on, no container": (
        {"wanted": {**LIVE, "no-new-privileges": True}},
        "restart",
        False,
        False,
        (),
    ),
    "live-restore comes with a flag that is not in force yet": (
        {"wanted_argv": ("-H", "fd://", "--live-restore"), "running_containers": 2},
        "restart",
        True,
        False,
        (),
    ),
    "live-restore stays by a flag": (
        {"wanted_argv": ("--live-restore",), "loaded_argv": ("--live-restore",), "wanted": ICC, **LIVING},
        "restart",
        False,
        False,
        ("icc",),
    ),
    "live-restore is being removed": ({"loaded": LIVE, **LIVING}, "restart", True, False, ()),
    "live-restore is being switched off by a reload": (
        {"loaded": LIVE, "wanted": {"live-restore": False}, **LIVING},
        "reload",
        False,
        False,
        (),
    ),
    "live-restore is being switched off and a restart": (
        {"loaded": LIVE, "wanted": {"live-restore": False, "log-level": "warn"}, **LIVING},
        "restart",
        True,
        False,
        (),
    ),
    "read but not applied, containers": (
        {"loaded": ICC, "wanted": ICC, "ineffective": ("icc",), **LIVING},
        "nothing",
        False,
        False,
        ("icc",),
    ),
    "read but not applied, no container": (
        {"loaded": ICC, "wanted": ICC, "ineffective": ("icc",)},
        "restart",
        False,
        False,
        (),
    ),
    "read but not applied, allowed": (
        {"loaded": ICC, "wanted": ICC, "ineffective": ("icc",), **LIVING, "allow_container_stop": True},
        "full_stop",
        True,
        False,
        (),
    ),
    "other command line": ({"wanted_argv": ("-H", "unix://")}, "restart", False, False, ()),
    "unit changed": ({"unit_changed": True}, "restart", False, False, ()),
    "socket changed": ({"socket_changed": True}, "socket_and_service", False, False, ()),
    "socket changed and a reload": ({"socket_changed": True, "wanted": LIVE}, "socket_and_service", False, False, ()),
    "socket changed, containers": (
        {"socket_changed": True, "running_containers": 1},
        "socket_and_service",
        True,
        False,
        (),
    ),
}


@pytest.mark.parametrize(
    ("changes", "action", "stops", "first", "deferred"), SUBJECT_OK.values(), ids=SUBJECT_OK.keys()
)
def test_decisions(changes: dict[str, Any], action: str, stops: bool, first: bool, deferred: tuple[str, ...]) -> None:
    decision = decide(BASE._replace(**changes))
    assert (decision.action, decision.stops_containers, decision.enable_live_restore_first, decision.deferred) == (
        action,
        stops,
        first,
        deferred,
    )
    assert bool(decision.reasons) == (action != "nothing")


def test_reasons_name_key_and_effect() -> None:
    decision = decide(BASE._replace(wanted={"debug": True, **ICC}, unit_changed=True))
    assert decision.reasons == (
        "debug changed: read again on SIGHUP",
        "icc changed: applied only when the engine starts without running containers",
        "the unit changed after the engine started",
    )
    assert decision.changed_keys == ("debug", "icc")


def test_keys_of_a_later_engine_are_not_reloaded_by_an_earlier_one() -> None:
    late = [key for key in KEYS.values() if key.reload is not None and key.reload > (20, 10)]
    assert late
    for key in late:
        assert reloadable(key, Version(*key.reload[:2], 0))  # type: ignore[index]
        assert not reloadable(key, Version(20, 10, 0))


def test_changed_keys_are_in_the_order_of_the_wanted_ones() -> None:
    assert changed_keys({"a": 1, "b": 2, "c": None}, {"d": 1, "b": 3, "a": 1}) == ["d", "b", "c"]


VALUES = st.dictionaries(
    st.sampled_from(["icc", "debug", "live-restore", "log-level", "bip", "features"]), st.sampled_from([True, False])
)
SITUATIONS = st.builds(
    Situation,
    version=st.sampled_from([Version(20, 10, 24), Version(26, 1, 5), Version(29, 0, 0)]),
    running=st.booleans(),
    loaded=st.one_of(st.none(), VALUES),
    wanted=VALUES,
    loaded_argv=st.just(()),
    wanted_argv=st.sampled_from([(), ("--live-restore",)]),
    unit_changed=st.booleans(),
    socket_changed=st.booleans(),
    live_restore=st.booleans(),
    running_containers=st.integers(0, 2),
    ineffective=st.sampled_from([(), ("icc",)]),
    allow_container_stop=st.booleans(),
)


@given(situation=SITUATIONS)
def test_laws(situation: Situation) -> None:
    decision = decide(situation)
    assert decision.action in ACTIONS
    if situation.running_containers == 0:
        assert not decision.enable_live_restore_first
        assert not decision.deferred
        assert not decision.stops_containers
    if not situation.allow_container_stop:
        assert decision.action != "full_stop"
    if decision.enable_live_restore_first:
        assert not decision.stops_containers
        assert situation.wanted["live-restore"] is True
    if situation.running and situation.loaded == situation.wanted and decision.action == "nothing":
        assert decision.reasons == ()
    allowed = decide(situation._replace(allow_container_stop=True))
    assert ACTIONS.index(allowed.action) >= ACTIONS.index(decision.action)
