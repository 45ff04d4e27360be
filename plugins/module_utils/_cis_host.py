# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging the host: its mounts, the engine's group, the kernel's audit rules (pure, private)."""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, List, Sequence

from ansible_collections.bulwark.docker.plugins.module_utils._audit_rules import Meaning, parse_meaning
from ansible_collections.bulwark.docker.plugins.module_utils._cis import (
    Control,
    Engine,
    FileFacts,
    Judge,
    Judgement,
    Snapshot,
    failed,
    manual,
    not_applicable,
    over_objects,
    passed,
)
from ansible_collections.bulwark.docker.plugins.module_utils._cis_registry_host import AUDITED
from ansible_collections.bulwark.docker.plugins.module_utils._cis_registry_own import MAINTAINED

__all__ = ["HOST_JUDGES", "is_recorded"]

# Fields that do not make a rule record less: what is watched, how, and the engine's own writing left out.
PLACES = ("path", "dir", "watch")
HARMLESS = frozenset(("arch", "exe", "perm", *PLACES))
# Programs whose own writing may be left out; audit 3.0 prints the same for "this program" and "any other program".
LEFT_OUT = ("dockerd", "containerd")
# A rule that names system calls has to name at least the common ways to write a file.
WAYS_TO_WRITE = frozenset(("openat", "unlinkat", "fchmodat"))


def _data_root_mount(_control: Control, snapshot: Snapshot, _engine: Engine) -> Judgement:
    roots = snapshot.facts.data_directories
    if not roots:
        return not_applicable("there is no data of a system engine")
    mounts = set(snapshot.facts.mounts)
    # With userns-remap the root is a directory UID.GID below the one that was configured.
    findings = []
    for root in roots:
        above, _slash, name = root.rpartition("/")
        places = {root, above} if name.replace(".", "").isdigit() else {root}
        if not places & mounts:
            covering = max(
                (one for one in mounts if (root + "/").startswith(one.rstrip("/") + "/")), key=len, default="/"
            )
            findings.append((root, f"lies on the file system mounted at {covering}"))
    return over_objects(findings, len(roots), "data directories", "each is a mount point")


def _docker_group_members(_control: Control, snapshot: Snapshot, _engine: Engine) -> Judgement:
    members, group = snapshot.facts.members, snapshot.facts.group
    if members is None:
        return not_applicable(f"this host has no group {group}")
    strangers = [name for name in members if name not in snapshot.trusted]
    if not strangers:
        return passed(f"the group {group} has no member that is not trusted", effective=list(members))
    if snapshot.trusted:
        return failed(f"{', '.join(strangers)} can become root through the group {group}", effective=list(members))
    return manual(
        f"{', '.join(strangers)} can become root through the group {group}; say in trusted_users who may",
        effective=list(members),
    )


def is_recorded(rule: Meaning, path: str) -> bool:
    """Whether a rule records every writing and every change of attributes at a path.

    Args:
        rule: from parse_meaning().
        path: of the file or directory; a rule for a directory above it counts too.
    """
    if rule.action != frozenset(("always", "exit")):
        return False
    for name, _operator, value in rule.fields:
        if name not in HARMLESS or (name == "exe" and value.rpartition("/")[2] not in LEFT_OUT):
            return False
    if rule.syscalls and not rule.syscalls >= WAYS_TO_WRITE:
        return False
    permissions = "".join(value for name, _operator, value in rule.fields if name == "perm") or "arwx"
    if not {"w", "a"} <= set(permissions):
        return False
    for name, operator, value in rule.fields:
        if name not in PLACES or operator != "=":
            continue
        if value.rstrip("/") == path:
            return True
        if name != "path" and path.startswith(value.rstrip("/") + "/"):
            return True
    return False


def _audited(control: Control, snapshot: Snapshot, _engine: Engine) -> Judgement:
    audit = snapshot.facts.audit
    kind = AUDITED[control.id]
    files: Sequence[FileFacts] = snapshot.files.get(kind, ())
    if not files:
        return not_applicable("there is no such file on this host")
    if audit.unreachable:
        return not_applicable(audit.unreachable)
    if audit.broken:
        return failed(audit.broken)
    rules: List[Meaning] = [rule for rule in map(parse_meaning, audit.rules) if rule is not None]
    findings, evidence = [], []
    for one in files:
        if one.facts.kind == "other" or any(_records(rule, one) for rule in rules):
            continue
        folder = one.real.rpartition("/")[0]
        # Rules are loaded at boot, before the socket is there, and a rule on a path cannot wait for it.
        if one.facts.kind == "socket" and any(is_recorded(rule, folder) for rule in rules):
            evidence.append(f"{one.real}: replacing it is recorded, since {folder} is watched; chmod is not")
        else:
            findings.append((one.real, "no loaded rule records all writing there"))
    judgement = over_objects(findings, len(files), "paths", "a loaded rule records who changes each")
    return replace(judgement, evidence=tuple(evidence))


def _records(rule: Meaning, one: FileFacts) -> bool:
    return is_recorded(rule, one.real) or is_recorded(rule, one.path)


def _engine_maintained(_control: Control, _snapshot: Snapshot, engine: Engine) -> Judgement:
    version = engine.version
    if version is None:
        return not_applicable("the version of the engine is not known")
    if is_packaged(engine.version_text):
        text = f"{engine.version_text} is your distribution's; see there how long it is maintained"
        return manual(text, effective=engine.version_text)
    newest = next((one for one in MAINTAINED if one[:2] == version[:2] or one[0] == version.major >= 29), None)
    if newest is None:
        return failed(f"{version} belongs to a release that gets no fixes any more", effective=str(version))
    text = ".".join(map(str, newest))
    if version < newest:
        return failed(f"{version} is older than {text}", effective=str(version))
    return passed(f"{version} belongs to a release that is maintained", effective=str(version))


def is_packaged(version_text: str) -> bool:
    """Whether a version is that of a distribution's package, which may hold fixes of later versions."""
    return any(mark in version_text for mark in ("dfsg", "ubuntu", "~", "-ce", ".fc", ".el", "git"))


HOST_JUDGES: Dict[str, Judge] = {
    "data_root_mount": _data_root_mount,
    "docker_group_members": _docker_group_members,
    "engine_maintained": _engine_maintained,
    **dict.fromkeys(AUDITED, _audited),
}
