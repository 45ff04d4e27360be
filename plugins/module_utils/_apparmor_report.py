# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reporting which containers AppArmor really confines, and what it refused since boot (private)."""

from __future__ import annotations

from typing import Any, Dict, List

from ansible_collections.bulwark.docker.plugins.module_utils._apparmor_host import (
    engine_facts,
    loaded_profiles,
    look_at_default,
    read_text,
    unavailable,
)
from ansible_collections.bulwark.docker.plugins.module_utils._apparmor_kernel import (
    Label,
    container_finding,
    parse_denials,
    parse_label,
    stopped_finding,
    summarise_denials,
)
from ansible_collections.bulwark.docker.plugins.module_utils._apparmor_policy import DEFAULT_NAME
from ansible_collections.bulwark.docker.plugins.module_utils._engine_state import api_json
from ansible_collections.bulwark.docker.plugins.module_utils._errors import EngineError, HostError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import Host
from ansible_collections.bulwark.docker.plugins.module_utils._instance import Instance

__all__ = ["report_apparmor"]

LOG_SECONDS = 300.0
# The kernel's log of this boot; the audit log where the audit daemon takes the records instead.
KERNEL_LOG = ("journalctl", "-k", "-b", "-o", "short-monotonic", "--no-pager", "--grep=apparmor=")
AUDIT_LOG = ("ausearch", "--input-logs", "--raw", "-m", "AVC", "-ts", "boot")


def report_apparmor(host: Host, instance: Instance, limit: int) -> Dict[str, Any]:
    """Containers, profiles and refused accesses; C(limit) entries for each profile.

    Raises EngineError or HostError when the engine does not answer or no log can be read.
    """
    engine = engine_facts(host, instance)
    reason = unavailable(host, instance, engine)
    # Without AppArmor every running container is unconfined, which is what the report then says.
    loaded = {} if reason else loaded_profiles(host)
    containers = _containers(host, instance, loaded, bool(reason))
    denials = [] if reason else parse_denials(_log(host))
    used = {one["profile"] for one in containers} | {one["label"] for one in containers}
    default = None if reason else look_at_default(host, engine, {})
    return {
        "available": not reason,
        "changed": False,
        "containers": containers,
        "default_profile": {
            "state": default.state if default else "unavailable",
            "reason": default.reason if default else reason,
        },
        "denials": summarise_denials(denials, limit),
        "findings": [one["finding"] for one in containers if one["finding"]],
        "profiles": {
            name: mode for name, mode in sorted(loaded.items()) if name in used or name.startswith(DEFAULT_NAME[:7])
        },
        "reason": reason,
        "total_denials": len(denials),
    }


def _containers(host: Host, instance: Instance, loaded: Dict[str, str], without: bool) -> List[Dict[str, Any]]:
    found = []
    for summary in api_json(host, instance, "/containers/json?all=1"):
        try:
            details = api_json(host, instance, f"/containers/{summary['Id']}/json")
        except EngineError:
            continue  # it ended between the two questions
        wanted, name = str(details.get("AppArmorProfile") or ""), str(details["Name"]).lstrip("/")
        pid = int(details["State"].get("Pid") or 0)
        label = _label(host, pid) if pid and not without else Label("unconfined" if pid else "", "")
        problem = container_finding(wanted, label, loaded) if pid else None
        sentence = problem[1] if problem else ("" if pid or without else stopped_finding(wanted, list(loaded)))
        found.append(
            {
                "finding": f"{name}: {sentence}" if sentence else "",
                "label": label.name,
                "mode": label.mode,
                "name": name,
                "privileged": bool(details["HostConfig"].get("Privileged")),
                "profile": wanted,
                "running": bool(pid),
                "state": (problem[0] if problem else "confined") if pid else "stopped",
            }
        )
    return sorted(found, key=lambda one: str(one["name"]))


def _label(host: Host, pid: int) -> Label:
    try:
        return parse_label(read_text(host, f"/proc/{pid}/attr/current") or "")
    except HostError:
        return Label("unconfined", "")


def _log(host: Host) -> str:
    """Lines of the kernel's log and of the audit log; the same record may be in both."""
    texts: List[str] = []
    for argv in (KERNEL_LOG, AUDIT_LOG):
        if host.which(argv[0]) is None:
            continue
        answer = host.run(argv, timeout=LOG_SECONDS)
        # Both programs end with 1 where nothing matches.
        if answer.rc not in (0, 1):
            raise HostError(
                f"read refused accesses: {answer.stderr.strip() or answer.rc} ({' '.join(argv)}); run as root"
            )
        texts.append(answer.stdout)
    if not texts:
        raise HostError("read refused accesses: this host has neither journalctl nor ausearch; install one")
    return "\n".join(texts)
