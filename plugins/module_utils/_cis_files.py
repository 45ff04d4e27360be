# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging owners and modes of files, bit by bit (pure, private)."""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, List, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._cis import (
    Control,
    Engine,
    FileFacts,
    Judge,
    Judgement,
    Snapshot,
    not_applicable,
    over_objects,
)
from ansible_collections.bulwark.docker.plugins.module_utils._cis_registry_host import FILE_RULES, FileRule

__all__ = ["FILE_JUDGES", "excess"]


def excess(mode: int, allowed: int) -> int:
    """The bits of a mode that are not among the allowed ones: 0622 against 0644 is 0022, although it is the less."""
    return mode & 0o7777 & ~allowed


def _problems(one: FileFacts, rule: FileRule, groups: Tuple[int, ...]) -> List[str]:
    found: List[str] = []
    where = f" (it is {one.real})" if one.real != one.path else ""
    if rule.mode >= 0 and excess(one.facts.mode, rule.mode):
        beyond = excess(one.facts.mode, rule.mode)
        found.append(f"has mode {one.facts.mode:04o}, {beyond:04o} beyond {rule.mode:04o}{where}")
    if rule.owner and one.facts.uid != 0:
        found.append(f"belongs to the user {one.facts.uid}{where}")
    if rule.owner and one.facts.gid not in (groups if rule.group else (0,)):
        found.append(f"belongs to the group {one.facts.gid}{where}")
    if rule.owner and one.exposed:
        found.append(f"leads to {one.real}, and others than root may write to {one.exposed}")
    return found


def _file(control: Control, snapshot: Snapshot, _engine: Engine) -> Judgement:
    findings: List[Tuple[str, str]] = []
    seen: List[FileFacts] = []
    rules = FILE_RULES[control.id]
    for rule in rules:
        for one in snapshot.files.get(rule.kind, ()):
            # A masked unit is a link to /dev/null.
            if one.facts.kind != "other":
                seen.append(one)
                findings += [(one.path, text) for text in _problems(one, rule, snapshot.facts.group_ids)]
    if not seen:
        return not_applicable("there is no such file on this host")
    judgement = over_objects(findings, len(seen), "files", "each is as it should be")
    wanted = f"{rules[0].mode:04o}" if rules[0].mode >= 0 else None
    modes = sorted({f"{one.facts.mode:04o}" for one in seen})
    owners = sorted({f"{one.facts.uid}:{one.facts.gid}" for one in seen})
    return replace(judgement, configured=wanted, effective=modes if wanted else owners)


FILE_JUDGES: Dict[str, Judge] = dict.fromkeys(FILE_RULES, _file)
