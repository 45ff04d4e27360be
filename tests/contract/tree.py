# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the contract tests share: the files of the tree, and readers for YAML, Python and Jinja."""

from __future__ import annotations

import ast
import os
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[2]
FQCN = "bulwark.docker"
# Roles that other roles call; users do not.
INTERNAL_ROLES = frozenset({"engine"})
# Roles that are planned, have keys reserved for them, and may not be there yet.
PLANNED_ROLES = frozenset(
    {"antivirus_exclusions", "apparmor", "auditd", "daemon_tls", "rootless", "seccomp", "userns_remap"}
)
TASK_LISTS = ("pre_tasks", "tasks", "post_tasks", "handlers", "block", "rescue", "always")


class _Loader(yaml.SafeLoader):
    """Reads Ansible's YAML; a value with a tag of its own (!unsafe, !vault) is read as plain text."""


def _plain(loader: _Loader, _suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


_Loader.add_multi_constructor("!", _plain)


def parse_yaml(text: str) -> Any:
    """Return the value of one YAML document."""
    return yaml.load(text, Loader=_Loader)


def load_yaml(path: Path) -> Any:
    """Return the value of one YAML file."""
    return parse_yaml(path.read_text(encoding="utf-8"))


@cache
def tracked() -> tuple[str, ...]:
    """Return every file that git tracks or would track, relative to the root."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return tuple(sorted({name for name in os.fsdecode(done.stdout).split("\0") if name and (ROOT / name).is_file()}))


def files(*patterns: str) -> list[Path]:
    """Return the tracked files that match one of the glob patterns, which are relative to the root."""
    names = set(tracked())
    found = {path for pattern in patterns for path in ROOT.glob(pattern)}
    return sorted(path for path in found if path.relative_to(ROOT).as_posix() in names)


def relative(path: Path) -> str:
    """Return a path as findings name it."""
    return path.relative_to(ROOT).as_posix()


def role_names() -> list[str]:
    """Return the names of all roles in the tree."""
    return sorted({path.relative_to(ROOT).parts[1] for path in files("roles/*/**/*")})


def public_roles() -> list[str]:
    """Return the names of the roles that users call."""
    return [name for name in role_names() if name not in INTERNAL_ROLES]


def module_files() -> list[Path]:
    """Return the source files of all modules."""
    return [path for path in files("plugins/modules/*.py") if path.name != "__init__.py"]


def source_of(path: Path) -> str:
    """Return the text of a file."""
    return path.read_text(encoding="utf-8")


def string_constant(tree: ast.Module, name: str) -> str | None:
    """Return the text that a module assigns to ``name`` at top level."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            value = ast.literal_eval(node.value) if isinstance(node.value, ast.Constant) else None
            return value if isinstance(value, str) else None
    return None


class Task(NamedTuple):
    """One task or handler, and where it is."""

    where: str
    data: dict[str, Any]


def tasks_in(value: Any, where: str) -> Iterator[Task]:
    """Yield every task below a value, also those inside blocks and inside plays."""
    for entry in value if isinstance(value, list) else []:
        if not isinstance(entry, dict):
            continue
        nested = [
            key for key in ("block", "rescue", "always", "pre_tasks", "tasks", "post_tasks", "handlers") if key in entry
        ]
        place = f"{where}: {entry.get('name', 'a task without a name')}"
        if not nested or "block" in entry:
            yield Task(place, entry)
        for key in nested:
            yield from tasks_in(entry[key], where)


def role_task_files(role: str = "*") -> list[Path]:
    """Return the files that hold tasks or handlers of a role."""
    return files(*(f"roles/{role}/{part}/**/*.{end}" for part in ("tasks", "handlers") for end in ("yml", "yaml")))


def playbook_files() -> list[Path]:
    """Return the playbooks of the collection."""
    return files("playbooks/*.yml", "playbooks/*.yaml")


def playbook_task_files() -> list[Path]:
    """Return the playbooks of the collection and the lists of tasks that they share."""
    return [*playbook_files(), *files("playbooks/tasks/*.yml")]


def report(violations: list[str], seen: int, what: str) -> None:
    """Fail with all violations, and fail when there was nothing to look at."""
    assert seen, f"no {what} found: this rule looked at nothing"
    assert not violations, "\n" + "\n".join(violations)
