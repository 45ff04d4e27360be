# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging a node's part in a swarm (pure, private).

The address that a manager listens on is in no answer of the API: the engine notes it in swarm/docker-state.json below
its data directory.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping

from ansible_collections.bulwark.docker.plugins.module_utils._cis import (
    Control,
    Engine,
    Judge,
    Judgement,
    Snapshot,
    failed,
    manual,
    not_applicable,
    over_objects,
    passed,
)
from ansible_collections.bulwark.docker.plugins.module_utils._cis_images import HARMLESS_NAME, SECRET_NAME

__all__ = ["SWARM_JUDGES"]

ALL_ADDRESSES = ("", "0.0.0.0", "::", "[::]")
MANAGERS = 7
DAYS_90 = 90
NANOSECONDS_A_DAY = 86_400 * 10**9
ENCRYPTED = "encrypted"


def _swarm(engine: Engine) -> Mapping[str, Any]:
    return engine.info.get("Swarm") or {}


def _state(engine: Engine) -> str:
    return str(_swarm(engine).get("LocalNodeState") or "inactive")


def _in_swarm(judge: Judge) -> Judge:
    """Let a judge look at nodes of a swarm only."""

    def judged(control: Control, snapshot: Snapshot, engine: Engine) -> Judgement:
        if _state(engine) == "inactive":
            return not_applicable("the engine is in no swarm")
        return judge(control, snapshot, engine)

    return judged


def _on_manager(judge: Callable[[Control, Engine], Judgement]) -> Judge:
    """Let a judge look at managers only, since the others are told nothing."""

    def judged(control: Control, snapshot: Snapshot, engine: Engine) -> Judgement:
        if not _swarm(engine).get("ControlAvailable"):
            return not_applicable("this node manages no swarm; its managers are to be asked")
        return judge(control, engine)

    return _in_swarm(judged)


def _judge_off(control: Control, snapshot: Snapshot, engine: Engine) -> Judgement:
    state = _state(engine)
    if state == "inactive":
        return passed("the engine is in no swarm", effective=state)
    return failed("the engine is in a swarm; waive this where it shall be", effective=state)


def _judge_managers(control: Control, engine: Engine) -> Judgement:
    number = int(_swarm(engine).get("Managers") or 0)
    if number > MANAGERS:
        return failed(f"{number} managers are more than a swarm needs, each of them with all its keys", None, number)
    if number % 2 == 0:
        return failed(
            f"{number} managers stand no more failures than {number - 1}, and hold the keys once more", None, number
        )
    return passed(f"the number of managers is odd and at most {MANAGERS}", None, number)


def _host_of(address: str) -> str:
    return address.rpartition(":")[0] if ":" in address else address


def _judge_address(control: Control, snapshot: Snapshot, engine: Engine) -> Judgement:
    address = str(engine.objects.swarm_node.get("ListenAddr") or "")
    if not address:
        return manual(f"the engine's note of its address could not be read; look at {control.look}")
    if _host_of(address) in ALL_ADDRESSES:
        return failed("the swarm's port is open on all addresses of the host", None, address)
    return passed("the swarm listens on one address", None, address)


def _judge_encryption(control: Control, engine: Engine) -> Judgement:
    overlays = [network for network in engine.objects.networks if network.get("Driver") == "overlay"]
    open_ones = []
    for network in overlays:
        options = network.get("Options") or {}
        if ENCRYPTED not in options or str(options[ENCRYPTED]).lower() in ("false", "0", "f"):
            note = ", the one of published ports" if network.get("Ingress") else ""
            open_ones.append((str(network.get("Name")), f"sends in the clear between hosts{note}"))
    return over_objects(
        sorted(open_ones), len(overlays), "overlay networks", "traffic between hosts is encrypted in each"
    )


def _judge_secrets(control: Control, engine: Engine) -> Judgement:
    found = []
    for service in engine.objects.services:
        template = (service.get("Spec") or {}).get("TaskTemplate") or {}
        entries = [str(entry) for entry in (template.get("ContainerSpec") or {}).get("Env") or []]
        names: List[str] = sorted(entry.partition("=")[0] for entry in entries if entry.partition("=")[2])
        telling = [name for name in names if SECRET_NAME.search(name) and not HARMLESS_NAME.search(name)]
        if telling:
            name = str((service.get("Spec") or {}).get("Name"))
            found.append((name, f"a value is given to {', '.join(telling[:10])} in its environment"))
    number = len(engine.objects.services)
    if found:
        return over_objects(found, number, "services", "")
    return manual(f"{number} services and {len(engine.objects.secrets)} secrets; look at {control.look}")


def _judge_auto_lock(control: Control, engine: Engine) -> Judgement:
    locks = ((engine.objects.swarm.get("Spec") or {}).get("EncryptionConfig") or {}).get("AutoLockManagers") is True
    if locks:
        return passed("managers ask for the key when they start", None, locks)
    return failed("the keys of the swarm lie on managers' disks in the clear", None, locks)


def _judge_certificates(control: Control, engine: Engine) -> Judgement:
    expiry = int(((engine.objects.swarm.get("Spec") or {}).get("CAConfig") or {}).get("NodeCertExpiry") or 0)
    days = expiry / NANOSECONDS_A_DAY
    if not expiry:
        return manual(f"the swarm does not tell how long certificates of its nodes are valid; look at {control.look}")
    if days > DAYS_90:
        return failed(f"certificates of nodes are valid for {days:g} days, longer than {DAYS_90}", None, round(days, 3))
    return passed(f"certificates of nodes are renewed within {days:g} days", None, round(days, 3))


def _judge_by_hand(control: Control, engine: Engine) -> Judgement:
    return manual(f"look at {control.look}")


def _judge_planes(control: Control, snapshot: Snapshot, engine: Engine) -> Judgement:
    data = str(engine.objects.swarm_node.get("DataPathAddr") or "")
    management = _host_of(str(engine.objects.swarm_node.get("AdvertiseAddr") or ""))
    if data and data != management:
        return passed("containers' traffic has an address of its own", None, data)
    return manual(
        f"containers' traffic and the swarm's own share the address {management}; look at {control.look}",
        None,
        management,
    )


SWARM_JUDGES: Dict[str, Judge] = {
    "swarm_off": _judge_off,
    "swarm_managers": _on_manager(_judge_managers),
    "swarm_address": _in_swarm(_judge_address),
    "swarm_encryption": _on_manager(_judge_encryption),
    "swarm_secrets": _on_manager(_judge_secrets),
    "swarm_auto_lock": _on_manager(_judge_auto_lock),
    "swarm_lock_key_rotation": _on_manager(_judge_by_hand),
    "swarm_certificates": _on_manager(_judge_certificates),
    "swarm_ca_rotation": _on_manager(_judge_by_hand),
    "swarm_planes": _in_swarm(_judge_planes),
}
