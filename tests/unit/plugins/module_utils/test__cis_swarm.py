# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node's part in a swarm is judged where there is one, and managers alone are asked what only they know."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._cis import Engine
from ansible_collections.bulwark.docker.plugins.module_utils._cis_swarm import SWARM_JUDGES
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.cis_samples import (
    MANAGER,
    SWARM,
    SWARM_NODE,
    engine_of,
    failures,
    verdicts,
)

PREFIX = "swarm_"
DAY = 86_400 * 10**9
INGRESS = {"Name": "ingress", "Driver": "overlay", "Ingress": True, "Options": {"encrypted": ""}}


def manager(**more: Any) -> Engine:
    """A manager without a fault; C(state) changes what info says of the swarm, C(spec) what the swarm does."""
    swarm = copy.deepcopy(dict(SWARM))
    swarm["Spec"].update(more.pop("spec", {}))
    node = {**SWARM_NODE, **more.pop("node", {})}
    info = {"Swarm": {**MANAGER, **more.pop("state", {})}}
    return engine_of(info=info, **{"swarm": swarm, "swarm_node": node, "networks": (INGRESS,), **more})


def overlay(**options: str) -> dict[str, Any]:
    return {"networks": (INGRESS, {"Name": "web", "Driver": "overlay", "Options": options})}


def service(*env: str) -> dict[str, Any]:
    task = {"ContainerSpec": {"Image": "web:1", "Env": list(env)}}
    return {"services": ({"Spec": {"Name": "web", "TaskTemplate": task}},)}


@pytest.mark.parametrize(
    ("change", "fails"),
    [
        ({}, set()),
        ({"state": {"Managers": 1}}, set()),
        ({"state": {"Managers": 2}}, {"managers"}),
        ({"state": {"Managers": 9}}, {"managers"}),
        ({"node": {"ListenAddr": "0.0.0.0:2377"}}, {"address"}),
        ({"node": {"ListenAddr": "[::]:2377"}}, {"address"}),
        ({"node": {"ListenAddr": "[2001:db8::1]:2377"}}, set()),
        (overlay(), {"encryption"}),
        (overlay(encrypted="false"), {"encryption"}),
        (overlay(encrypted=""), set()),
        (overlay(encrypted="true"), set()),
        ({"networks": ({**INGRESS, "Options": None},)}, {"encryption"}),
        ({"networks": ({"Name": "bridge", "Driver": "bridge"},)}, set()),
        (service("DB_PASSWORD=hunter2"), {"secrets"}),
        (service("DB_PASSWORD_FILE=/run/secrets/db", "DB_PASSWORD="), set()),
        ({"spec": {"EncryptionConfig": {"AutoLockManagers": False}}}, {"auto_lock"}),
        ({"spec": {"CAConfig": {"NodeCertExpiry": 90 * DAY}}}, set()),
        ({"spec": {"CAConfig": {"NodeCertExpiry": 91 * DAY}}}, {"certificates"}),
    ],
)
def test_one_fault_fails_what_names_it(change: dict[str, Any], fails: set[str]) -> None:
    engine = manager(**change)
    # Being in a swarm is for a waiver to allow.
    assert failures(engine, PREFIX) == {PREFIX + name for name in fails | {"off"}}
    assert "hunter2" not in repr(verdicts(engine, PREFIX))
    assert "SWMTKN" not in repr(verdicts(engine, PREFIX))


def test_everything_is_said_of_a_manager() -> None:
    said = verdicts(manager(), PREFIX)
    assert set(said) == set(SWARM_JUDGES)
    assert "not_applicable" not in {one.verdict for one in said.values()}
    assert said["swarm_planes"].verdict == "pass"
    for address in ("", "192.0.2.1"):
        assert verdicts(manager(node={"DataPathAddr": address}), PREFIX)["swarm_planes"].verdict == "manual"


def test_worker_is_asked_for_what_it_knows() -> None:
    engine = manager(state={"ControlAvailable": False, "Managers": 0}, swarm={})
    said = verdicts(engine, PREFIX)
    known = {name for name, one in said.items() if one.verdict != "not_applicable"}
    assert known == {"swarm_off", "swarm_address", "swarm_planes"}


def test_engine_in_no_swarm_has_nothing_to_judge() -> None:
    said = verdicts(engine_of(), PREFIX)
    assert said.pop("swarm_off").verdict == "pass"
    assert {one.verdict for one in said.values()} == {"not_applicable"}


def test_unread_note_is_no_verdict() -> None:
    engine = engine_of(info={"Swarm": MANAGER}, swarm=SWARM)
    assert verdicts(engine, PREFIX)["swarm_address"].verdict == "manual"
    unknown = manager(spec={"CAConfig": {}})
    assert verdicts(unknown, PREFIX)["swarm_certificates"].verdict == "manual"
