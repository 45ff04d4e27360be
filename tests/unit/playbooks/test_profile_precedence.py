# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which value wins: the profile's, the inventory's, an importing playbook's or the command line's. Ansible decides."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
LEVEL = "daemon_baseline_log_level"
REGISTRIES = "daemon_baseline_insecure_registries"
INVENTORY = {
    "all": {
        "hosts": {
            "plain": {},
            "strict": {"bulwark_profile": "cis_level2"},
            "own": {"bulwark_profile": "cis_level2", "bulwark_userns_remap": False, LEVEL: None},
        },
        "vars": {"ansible_connection": "local", "suffix": "example.org"},
        "children": {
            "grouped": {"hosts": {"strict": {}}, "vars": {REGISTRIES: ["{{ 'registry.' ~ suffix }}"]}},
        },
    }
}


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What each host would be hardened with, as Ansible resolves the variables of the real play."""
    folder = tmp_path_factory.mktemp("precedence")
    [play] = yaml.safe_load((ROOT / "playbooks/harden.yml").read_text("utf-8"))
    shown = "{{ {" + ", ".join(f"'{name}': {name}" for name in play["vars"]) + "} | to_json }}"
    (folder / "books").mkdir()
    (folder / "books/vars").symlink_to(ROOT / "playbooks/vars")
    write = {"ansible.builtin.copy": {"content": shown, "dest": f"{folder}/{{{{ inventory_hostname }}}}.json"}}
    kept = {name: play[name] for name in ("vars", "vars_files")}
    book = [{"hosts": "all", "gather_facts": False, **kept, "tasks": [{**write, "check_mode": False}]}]
    (folder / "books/play.yml").write_text(yaml.safe_dump(book), "utf-8")
    calling = [{"ansible.builtin.import_playbook": "books/play.yml", "vars": {"daemon_baseline_icc": True}}]
    (folder / "site.yml").write_text(yaml.safe_dump(calling), "utf-8")
    INVENTORY["all"]["vars"]["ansible_python_interpreter"] = sys.executable
    (folder / "inventory.yml").write_text(yaml.safe_dump(INVENTORY), "utf-8")
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "inventory.yml", "site.yml"]
    given = json.dumps({"bulwark_apparmor": False})
    done = subprocess.run([*argv, "-e", given], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {name: json.loads((folder / f"{name}.json").read_text("utf-8")) for name in ("plain", "strict", "own")}


def test_profile_decides_where_nobody_else_does(values: dict[str, dict[str, Any]]) -> None:
    assert values["plain"]["bulwark_userns_remap"] is False
    assert values["strict"]["bulwark_userns_remap"] is True
    assert values["plain"]["auditd_executions"] == ["client"]
    assert values["strict"]["auditd_executions"] == ["client", "runtime"]
    assert values["plain"][LEVEL] == "info"
    assert values["plain"][REGISTRIES] == []


def test_inventory_comes_before_the_profile(values: dict[str, dict[str, Any]]) -> None:
    assert values["own"]["bulwark_userns_remap"] is False
    assert values["strict"][REGISTRIES] == ["registry.example.org"]


def test_null_of_the_inventory_is_a_value_too(values: dict[str, dict[str, Any]]) -> None:
    assert values["own"][LEVEL] is None


def test_importing_playbook_and_command_line_come_before_all(values: dict[str, dict[str, Any]]) -> None:
    assert {name: found["daemon_baseline_icc"] for name, found in values.items()} == dict.fromkeys(values, True)
    assert {name: found["bulwark_apparmor"] for name, found in values.items()} == dict.fromkeys(values, False)
