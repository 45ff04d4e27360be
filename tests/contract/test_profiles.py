# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the profiles of strictness: they name what exists, say the same names, and give way to inventories."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.bulwark.docker.tests.contract.test_roles import type_differences
from ansible_collections.bulwark.docker.tests.contract.tree import ROOT, files, load_yaml, relative, report, role_names

HARDEN = ROOT / "playbooks/harden.yml"
SWITCH = "bulwark_"
NAMES = {"baseline", "cis_level1", "cis_level2"}


def profiles() -> dict[str, dict[str, Any]]:
    """Return the values of each profile by its name."""
    return {path.stem: load_yaml(path)["bulwark_profile_values"] for path in files("playbooks/vars/*.yml")}


def options() -> dict[str, dict[str, Any]]:
    """Return the description of every variable of every role."""
    specs = [load_yaml(ROOT / "roles" / role / "meta/argument_specs.yml") for role in role_names()]
    entry_points = [entry for spec in specs for entry in spec["argument_specs"].values()]
    return {name: option for entry in entry_points for name, option in (entry.get("options") or {}).items()}


def value_faults(values: dict[str, Any], known: dict[str, dict[str, Any]], roles: set[str]) -> list[str]:
    """Say which values of a profile are of no role, of another type than the role's, or a state."""
    found = []
    for name, value in values.items():
        if name.startswith(SWITCH):
            right = isinstance(value, bool) and name.removeprefix(SWITCH) in roles
            found += [] if right else [f"{name}: {value!r} is no switch of a role"]
        elif name not in known:
            found.append(f"{name}: no role has such a variable")
        elif name.endswith("_state"):
            found.append(f"{name}: a profile does not remove anything")
        else:
            found += type_differences(name, {**known[name], "default": value})
    return found


def giving_way(name: str) -> str:
    """Return how a play takes a profile's value and lets variables of the host come first."""
    return (
        f'{{{{ hostvars[inventory_hostname].{name} if "{name}" in hostvars[inventory_hostname] '
        f"else bulwark_profile_values.{name} }}}}"
    )


def test_profiles_name_variables_that_exist_and_their_types() -> None:
    known, roles = options(), set(role_names())
    found = [f"{name}: {fault}" for name, values in profiles().items() for fault in value_faults(values, known, roles)]
    report(found, len(profiles()), "profiles")
    assert set(profiles()) == NAMES


def test_profiles_decide_about_the_same_variables() -> None:
    assert len({frozenset(values) for values in profiles().values()}) == 1


def test_baseline_is_what_roles_do_by_themselves() -> None:
    known = options()
    wrong = {
        name: value
        for name, value in profiles()["baseline"].items()
        if not name.startswith(SWITCH) and known[name]["default"] != value
    }
    assert wrong == {}


def test_playbook_lets_hosts_overrule_each_value_of_a_profile() -> None:
    [play] = load_yaml(HARDEN)
    assert play["vars_files"] == ["vars/{{ bulwark_profile | default('baseline') }}.yml"]
    assert play["vars"] == {name: giving_way(name) for name in profiles()["baseline"]}


def test_files_of_variables_hold_nothing_else() -> None:
    paths = files("playbooks/vars/*.yml")
    found = [relative(path) for path in paths if set(load_yaml(path)) != {"bulwark_profile_values"}]
    report(found, len(paths), "profiles")


@pytest.mark.parametrize(
    "values",
    [
        {"daemon_baseline_iic": False},
        {"daemon_baseline_icc": "no"},
        {"daemon_baseline_state": "present"},
        {"bulwark_firewall": True},
        {"bulwark_auditd": "yes"},
        {"auditd_form": "older"},
    ],
)
def test_value_faults_flags(values: dict[str, Any]) -> None:
    assert value_faults(values, options(), set(role_names()))
