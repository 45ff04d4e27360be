# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the shared daemon.json: each key has one owner, and owners are the roles that call engine."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._daemon_config import ROOTLESS_OWNER
from ansible_collections.bulwark.docker.plugins.module_utils._engine_keys import KEYS
from ansible_collections.bulwark.docker.tests.contract.tree import (
    FQCN,
    INTERNAL_ROLES,
    PLANNED_ROLES,
    ROOT,
    load_yaml,
    public_roles,
    relative,
    report,
    role_task_files,
    tasks_in,
)


class Owned(NamedTuple):
    """What this rule needs to know about one key."""

    name: str
    owner: str | None
    variable: str


def callers_of_engine(entry_point: str = "settings") -> set[str]:
    """Return the roles that hand settings to the engine role: of the system's engine, or of users' (instance)."""
    found = set()
    for path in role_task_files():
        role = path.relative_to(ROOT).parts[1]
        for task in tasks_in(load_yaml(path), relative(path)):
            call = task.data.get("ansible.builtin.import_role")
            if role not in INTERNAL_ROLES and call and call.get("name") == f"{FQCN}.engine":
                found |= {role} if call.get("tasks_from", "settings") == entry_point else set()
    return found


def ownership_faults(keys: list[Owned], callers: set[str], roles: dict[str, set[str]]) -> list[str]:
    """Say where the table of keys, the roles and their variables disagree.

    ``callers``: roles that call engine; ``roles``: public roles in the tree with the names of their variables.
    """
    found = []
    names = [key.name for key in keys]
    found += [f"{name}: listed twice" for name in sorted({name for name in names if names.count(name) > 1})]
    for key in keys:
        if key.owner is None:
            if key.variable:
                found.append(f"{key.name}: nobody owns it, yet {key.variable} sets it")
        elif key.owner not in roles:
            if key.owner not in PLANNED_ROLES:
                found.append(f"{key.name}: its owner {key.owner} is neither a role nor planned")
        elif key.variable not in roles[key.owner]:
            found.append(f"{key.name}: {key.variable!r} is not a variable of {key.owner}")
    owners = {key.owner for key in keys if key.owner in roles}
    found += [f"{role}: owns keys, but does not call engine" for role in sorted(owners - callers)]
    found += [f"{role}: calls engine, but owns no key" for role in sorted(callers - owners)]
    return found


def test_every_key_has_one_owner_that_calls_engine() -> None:
    roles = {
        role: set(load_yaml(ROOT / "roles" / role / "meta/argument_specs.yml")["argument_specs"]["main"]["options"])
        for role in public_roles()
    }
    keys = [Owned(name, key.owner, key.variable) for name, key in KEYS.items()]
    wrong = [f"{name}: the table calls it {key.name}" for name, key in KEYS.items() if key.name != name]
    owned = [key for key in keys if key.owner in roles]
    report(wrong + ownership_faults(keys, callers_of_engine(), roles), len(owned), "keys owned by a role of the tree")


ROLES = {"seccomp": {"seccomp_profile"}}
KEY = Owned("seccomp-profile", "seccomp", "seccomp_profile")


def test_one_role_alone_sets_up_the_engines_of_users() -> None:
    assert callers_of_engine("instance") == {ROOTLESS_OWNER}
    assert ROOTLESS_OWNER not in callers_of_engine()


def test_ownership_faults_passes_a_sound_table() -> None:
    sound = [KEY, Owned("dns", None, ""), Owned("userns-remap", "userns_remap", "")]
    assert ownership_faults(sound, {"seccomp"}, ROLES) == []


@pytest.mark.parametrize(
    ("keys", "callers"),
    [
        ([KEY, KEY], {"seccomp"}),
        ([KEY, Owned("dns", None, "seccomp_dns")], {"seccomp"}),
        ([KEY, Owned("dns", "nobody", "")], {"seccomp"}),
        ([KEY._replace(variable="seccomp_other")], {"seccomp"}),
        ([KEY], set()),
        ([KEY], {"seccomp", "auditd"}),
    ],
)
def test_ownership_faults_flags(keys: list[Owned], callers: set[str]) -> None:
    assert ownership_faults(keys, callers, ROLES)
