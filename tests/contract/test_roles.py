# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the roles: one truth about variables, no programs in YAML, one way to the engine."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import jinja2
import pytest
from jinja2 import nodes

from ansible_collections.bulwark.docker.tests.contract.tree import (
    FQCN,
    INTERNAL_ROLES,
    ROOT,
    Task,
    files,
    load_yaml,
    parse_yaml,
    playbook_files,
    playbook_task_files,
    public_roles,
    relative,
    report,
    role_names,
    role_task_files,
    source_of,
    tasks_in,
)
from ansible_collections.bulwark.docker.tests.run.role_tables import BEGIN, table, with_table

PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "dict": (dict,),
    "float": (float, int),
    "int": (int,),
    "list": (list,),
    "path": (str,),
    "raw": (object,),
    "str": (str,),
}
SHELLS = frozenset({"shell", "raw", "script", "expect", "set_fact"})
# What Ansible itself defines; everything else called ansible_… would be an injected fact.
MAGIC = frozenset(
    """
    ansible_check_mode ansible_collection_name ansible_connection ansible_diff_mode ansible_facts ansible_failed_result
    ansible_failed_task ansible_host ansible_loop ansible_managed ansible_parent_role_names ansible_play_batch
    ansible_play_hosts ansible_play_hosts_all ansible_play_name ansible_play_role_names ansible_playbook_python
    ansible_role_name ansible_run_tags ansible_skip_tags ansible_version
    """.split()
)
EXPRESSIONS = frozenset({"when", "changed_when", "failed_when", "until", "that"})
SECRET = re.compile(r"(^|_)(passphrase|passwords?|passwd|secrets?|tokens?|private_key)$")
ENVIRONMENT = re.compile(r"""lookup\(\s*['"](ansible\.builtin\.)?env['"]|\bmolecule\b|MOLECULE_""")
JINJA = jinja2.Environment()


def short_name(key: str) -> str:
    """Return an action's name without the collection it comes from."""
    return key.removeprefix("ansible.builtin.").removeprefix("ansible.legacy.")


def strings_in(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield (nearest key, text) of every text below a value."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, below in value.items():
            yield from strings_in(below, str(name))
    elif isinstance(value, list):
        for below in value:
            yield from strings_in(below, key)


def own_part(task: Task) -> dict[str, Any]:
    """Return a task without the tasks inside it, which are looked at on their own."""
    return {key: value for key, value in task.data.items() if key not in ("block", "rescue", "always")}


def templates_in(task: Task) -> Iterator[tuple[str, nodes.Template]]:
    """Yield (text, parsed Jinja) of every template and every bare expression of a task."""
    for key, text in strings_in(own_part(task)):
        if key in EXPRESSIONS:
            yield text, JINJA.parse("{{ " + text + " }}")
        elif "{{" in text or "{%" in text:
            yield text, JINJA.parse(text)


def suppressions(task: Task) -> list[str]:
    """Say where a task hides a failure or is a shell program."""
    found = [f"{task.where}: {key}" for key in ("ignore_errors", "ignore_unreachable") if key in task.data]
    if "failed_when" in task.data and task.data["failed_when"] in (False, "false", "False", [False]):
        found.append(f"{task.where}: failed_when: false")
    actions = {short_name(key) for key in task.data}
    found += [f"{task.where}: {name}" for name in sorted(actions & SHELLS)]
    if "command" in actions and "changed_when" not in task.data:
        found.append(f"{task.where}: command without changed_when")
    return found


def wrong_inclusions(task: Task) -> list[str]:
    """Say where a role is called so that its argument spec is not checked or its handlers are not known."""
    found = []
    for key, value in task.data.items():
        if short_name(key) not in ("include_role", "import_role") or not isinstance(value, dict):
            continue
        for option in ("tasks_from", "handlers_from"):
            if re.search(r"\.ya?ml$", str(value.get(option, ""))):
                found.append(f"{task.where}: {option}: {value[option]} (the extension switches the argument spec off)")
        internal = str(value.get("name", "")).rsplit(".", 1)[-1] in INTERNAL_ROLES
        if internal and short_name(key) == "include_role":
            found.append(f"{task.where}: include_role hides the handlers of an internal role; use import_role")
        if internal and not str(value.get("name")).startswith(FQCN + "."):
            found.append(f"{task.where}: {value.get('name')}: write the full name {FQCN}.{value.get('name')}")
    return found


def wrong_names(task: Task, role: str, handler: bool) -> list[str]:
    """Say which names made by a task do not carry the role's prefix, or are not static."""
    prefix = f"__{role}_"
    names = []
    if isinstance(task.data.get("register"), str):
        names.append(task.data["register"])
    looped = [key for key in task.data if key == "loop" or key.startswith("with_")]
    if looped:
        names.append((task.data.get("loop_control") or {}).get("loop_var", "item"))
    found = [f"{task.where}: {name}: does not start with {prefix}" for name in names if not name.startswith(prefix)]
    # Of handlers with one name only the last one runs: an internal role's, reached by their topic, are told apart.
    told_apart = handler and role in INTERNAL_ROLES and "listen" in task.data
    for key in (*(() if told_apart else ("name",)), "listen", "notify") if handler else ("notify",):
        texts = [entry[1] for entry in strings_in(task.data.get(key))]
        found += [f"{task.where}: {key} is not static: {text}" for text in texts if "{{" in text]
    return found


def wrong_inputs(task: Task, role: str, specs: dict[str, Any]) -> list[str]:
    """Say which variables of a task are not its role's internals, or not inputs of the role that it calls.

    ``specs``: the parsed argument_specs.yml of each role of this collection, by full name.
    """
    given = task.data.get("vars") or {}
    for key, value in task.data.items():
        if (
            short_name(key) in ("include_role", "import_role")
            and isinstance(value, dict)
            and value.get("name") in specs
        ):
            entry_point = value.get("tasks_from", "main")
            known = specs[value["name"]]["argument_specs"].get(entry_point, {}).get("options") or {}
            unknown = [name for name in given if name not in known]
            return [f"{task.where}: {name}: not an option of {value['name']} ({entry_point})" for name in unknown]
    foreign = [name for name in given if not name.startswith(f"__{role}_")]
    return [f"{task.where}: {name}: does not start with __{role}_" for name in foreign]


def injected_facts(task: Task) -> list[str]:
    """Say where a task reads a fact by an injected name, or variables by vars[…]."""
    found = []
    for text, parsed in templates_in(task):
        used = {node.name for node in parsed.find_all(nodes.Name)}
        found += [f"{task.where}: {name}" for name in sorted(used) if name.startswith("ansible_") and name not in MAGIC]
        if "vars" in used:
            found.append(f"{task.where}: vars in {text!r}")
    return found


def programs(task: Task) -> list[str]:
    """Say which expressions of a task have more than one filter (besides default) or statements."""
    found = []
    for text, parsed in templates_in(task):
        for output in parsed.find_all(nodes.Output):
            for expression in output.nodes:
                filters = [node.name for node in expression.find_all(nodes.Filter)]
                if isinstance(expression, nodes.Filter):
                    filters.append(expression.name)
                if len([name for name in filters if name.rsplit(".", 1)[-1] not in ("default", "d")]) > 1:
                    found.append(f"{task.where}: more than one filter in {text!r}")
        if next(iter(parsed.find_all((nodes.For, nodes.If, nodes.Assign, nodes.Macro))), None) is not None:
            found.append(f"{task.where}: a Jinja statement in {text!r}")
    return found


def spec_differences(role: str, defaults: dict[str, Any], specs: dict[str, Any]) -> list[str]:
    """Say where defaults/main.yml and argument_specs.yml tell different stories."""
    options: dict[str, dict[str, Any]] = {}
    found = []
    for entry_point, spec in specs["argument_specs"].items():
        for name, option in (spec.get("options") or {}).items():
            if name in options and options[name] != option:
                found.append(f"{name}: entry points describe it differently ({entry_point})")
            options[name] = option
    for name, option in options.items():
        if not name.startswith(f"{role}_"):
            found.append(f"{name}: does not start with {role}_")
        if option.get("required"):
            if name in defaults or "default" in option:
                found.append(f"{name}: required, yet it has a default")
            continue
        if name not in defaults:
            found.append(f"{name}: in argument_specs.yml, not in defaults/main.yml")
        elif defaults[name] != option.get("default") or type(defaults[name]) is not type(option.get("default")):
            found.append(f"{name}: default is {defaults[name]!r}, argument_specs.yml says {option.get('default')!r}")
        found += type_differences(name, option)
    found += [f"{name}: in defaults/main.yml, not in argument_specs.yml" for name in defaults if name not in options]
    return found


def type_differences(name: str, option: dict[str, Any]) -> list[str]:
    """Say where an option's default is not of the option's own type or choices."""
    default, kind = option.get("default"), option.get("type", "str")
    if default is None or (isinstance(default, str) and "{{" in default):
        return []
    found = []
    if not isinstance(default, PYTHON_TYPES[kind]) or (isinstance(default, bool) and kind in ("int", "float")):
        found.append(f"{name}: default {default!r} is not of type {kind}")
    if kind == "list" and "elements" not in option:
        found.append(f"{name}: a list without elements")
    if "choices" in option and default not in option["choices"]:
        found.append(f"{name}: default {default!r} is not among its choices")
    return found


def undeclared_secrets(specs: dict[str, Any]) -> list[str]:
    """Say which options carry a secret by their name and are not marked no_log."""
    return [
        f"{entry_point}: {name}: holds a secret, but is not no_log"
        for entry_point, spec in specs["argument_specs"].items()
        for name, option in (spec.get("options") or {}).items()
        if SECRET.search(name) and not option.get("no_log")
    ]


class RoleTask(NamedTuple):
    """One task of a role."""

    role: str
    task: Task
    handler: bool


def role_tasks() -> list[RoleTask]:
    """Return every task and handler of every role."""
    return [
        RoleTask(path.relative_to(ROOT).parts[1], task, "handlers" in path.relative_to(ROOT).parts)
        for path in role_task_files()
        for task in tasks_in(load_yaml(path), relative(path))
    ]


def playbook_tasks() -> list[Task]:
    """Return every task of every playbook of the collection."""
    return [task for path in playbook_task_files() for task in tasks_in(load_yaml(path), relative(path))]


def example(text: str) -> Task:
    """Return the one task that a short YAML text describes."""
    [task] = tasks_in(parse_yaml(text), "example")
    return task


def test_roles_hide_no_failure_and_run_no_shell() -> None:
    seen = [entry.task for entry in role_tasks()] + playbook_tasks()
    report([v for task in seen for v in suppressions(task)], len(seen), "tasks")


def test_roles_are_called_so_that_their_specs_hold() -> None:
    paths = role_task_files() + playbook_files() + files("molecule/**/*.yml")
    seen = [task for path in paths for task in tasks_in(load_yaml(path), relative(path))]
    report([v for task in seen for v in wrong_inclusions(task)], len(seen), "tasks")


def test_names_carry_the_role_and_are_static() -> None:
    seen = role_tasks()
    report([v for entry in seen for v in wrong_names(entry.task, entry.role, entry.handler)], len(seen), "tasks")


def test_only_declared_inputs_cross_a_role_border() -> None:
    specs = {f"{FQCN}.{role}": load_yaml(ROOT / "roles" / role / "meta/argument_specs.yml") for role in role_names()}
    seen = role_tasks()
    report([v for entry in seen for v in wrong_inputs(entry.task, entry.role, specs)], len(seen), "tasks")


def test_facts_are_read_from_ansible_facts_only() -> None:
    seen = [entry.task for entry in role_tasks()] + playbook_tasks()
    report([v for task in seen for v in injected_facts(task)], len(seen), "tasks")


def test_tasks_hold_no_programs() -> None:
    seen = [entry.task for entry in role_tasks()]
    report([v for task in seen for v in programs(task)], len(seen), "tasks")


def test_defaults_equal_argument_specs() -> None:
    found = []
    for role in role_names():
        defaults = ROOT / "roles" / role / "defaults/main.yml"
        specs = load_yaml(ROOT / "roles" / role / "meta/argument_specs.yml")
        known = (load_yaml(defaults) or {}) if defaults.exists() else {}
        found += [f"{role}: {v}" for v in spec_differences(role, known, specs)]
    report(found, len(role_names()), "roles")


def test_every_public_role_has_a_state() -> None:
    found = []
    for role in public_roles():
        options = load_yaml(ROOT / "roles" / role / "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
        option = options.get(f"{role}_state", {})
        if sorted(option.get("choices", ())) != ["absent", "present"] or option.get("default") != "present":
            found.append(f"{role}: {role}_state is not a choice of present (the default) and absent")
    report(found, len(public_roles()), "public roles")


def test_readme_tables_equal_argument_specs() -> None:
    found = []
    for role in role_names():
        readme = source_of(ROOT / "roles" / role / "README.md")
        specs = load_yaml(ROOT / "roles" / role / "meta/argument_specs.yml")
        if with_table(readme, table(specs)) != readme:
            found.append(f"roles/{role}/README.md: stale table; run tests/run/role_tables.py --write")
    report(found, len(role_names()), "roles")


def test_internal_constants_carry_the_role() -> None:
    paths = files("roles/*/vars/**/*.yml")
    found = []
    for path in paths:
        role = path.relative_to(ROOT).parts[1]
        prefix = f"__{role}_"
        names = [name for name in load_yaml(path) or {} if not name.startswith(prefix)]
        found += [f"{relative(path)}: {name}: does not start with {prefix}" for name in names]
    report(found, len(role_names()), "roles")


def test_secrets_are_marked() -> None:
    found = [
        f"{role}: {v}"
        for role in role_names()
        for v in undeclared_secrets(load_yaml(ROOT / "roles" / role / "meta/argument_specs.yml"))
    ]
    report(found, len(role_names()), "roles")


def test_product_does_not_know_its_tests() -> None:
    paths = files("roles/*/*/**/*.yml", "playbooks/**/*.yml", "plugins/**/*.py", "roles/*/templates/**/*")
    found = [f"{relative(p)}: {m[0]!r}" for p in paths for m in ENVIRONMENT.finditer(source_of(p))]
    report(found, len(paths), "product files")


def test_playbooks_take_their_hosts_from_a_variable() -> None:
    plays = [(relative(path), play) for path in playbook_files() for play in load_yaml(path)]
    found = [
        f"{where}: hosts: {play.get('hosts')!r} is not taken from a variable"
        for where, play in plays
        if not any(key.endswith("import_playbook") for key in play) and "{{" not in str(play.get("hosts"))
    ]
    report(found, len(plays), "plays")


@pytest.mark.parametrize(
    "text",
    [
        "- name: A\n  ansible.builtin.shell: ls",
        "- name: A\n  ansible.builtin.raw: ls",
        "- name: A\n  ansible.builtin.set_fact:\n    a: 1",
        "- name: A\n  ansible.builtin.command: ls",
        "- name: A\n  ansible.builtin.ping:\n  ignore_errors: true",
        "- name: A\n  ansible.builtin.ping:\n  ignore_unreachable: true",
        "- name: A\n  ansible.builtin.ping:\n  failed_when: false",
    ],
)
def test_suppressions_flags(text: str) -> None:
    assert suppressions(example(text))


def test_suppressions_finds_tasks_in_blocks_and_plays() -> None:
    text = "- hosts: all\n  tasks:\n    - block:\n        - name: A\n          ansible.builtin.raw: ls\n"
    assert [v for task in tasks_in(parse_yaml(text), "x") for v in suppressions(task)] == ["x: A: raw"]


def test_suppressions_passes_a_command_that_says_what_changes() -> None:
    assert suppressions(example("- name: A\n  ansible.builtin.command: ls\n  changed_when: true")) == []


@pytest.mark.parametrize(
    "call",
    [
        "import_role:\n    name: bulwark.docker.engine\n    tasks_from: settings.yml",
        "include_role:\n    name: bulwark.docker.seccomp\n    tasks_from: a.yaml",
        "include_role:\n    name: bulwark.docker.engine",
        "import_role:\n    name: engine",
    ],
)
def test_wrong_inclusions_flags(call: str) -> None:
    assert wrong_inclusions(example(f"- name: A\n  ansible.builtin.{call}"))


def test_wrong_inclusions_passes_the_right_way() -> None:
    call = "import_role:\n    name: bulwark.docker.engine\n    tasks_from: settings"
    assert wrong_inclusions(example(f"- name: A\n  ansible.builtin.{call}")) == []


@pytest.mark.parametrize(
    ("text", "handler"),
    [
        ("- name: A\n  x.y.z:\n  register: result", False),
        ("- name: A\n  x.y.z:\n  loop: []", False),
        ("- name: A\n  x.y.z:\n  with_items: []\n  loop_control:\n    loop_var: thing", False),
        ("- name: A\n  x.y.z:\n  notify: Restart {{ a }}", False),
        ("- name: Restart {{ a }}\n  x.y.z:", True),
        ("- name: A\n  listen: ['{{ a }}']\n  x.y.z:", True),
    ],
)
def test_wrong_names_flags(text: str, handler: bool) -> None:
    assert wrong_names(example(text), "seccomp", handler)


def test_wrong_names_lets_handlers_of_internal_roles_be_told_apart() -> None:
    reached = "- name: Restart for {{ a }}\n  listen: Restart\n  x.y.z:"
    assert wrong_names(example(reached), "engine", True) == []
    assert wrong_names(example(reached), "seccomp", True)
    assert wrong_names(example(reached.replace("  listen: Restart\n", "")), "engine", True)


def test_wrong_names_passes_prefixed_ones() -> None:
    text = "- name: A\n  x.y.z:\n  register: __seccomp_a\n  loop: []\n  loop_control:\n    loop_var: __seccomp_b"
    assert wrong_names(example(text), "seccomp", False) == []


INPUTS = {"bulwark.docker.engine": {"argument_specs": {"settings": {"options": {"engine_owner": {}}}}}}
CALL = "- name: A\n  ansible.builtin.import_role:\n    name: bulwark.docker.engine\n    tasks_from: settings\n  vars:\n"


@pytest.mark.parametrize(
    "text", [CALL + "    engine_other: 1", CALL + "    seccomp_x: 1", "- x.y.z:\n  vars:\n    a: 1"]
)
def test_wrong_inputs_flags(text: str) -> None:
    assert wrong_inputs(example(text), "seccomp", INPUTS)


@pytest.mark.parametrize("text", [CALL + "    engine_owner: 1", "- x.y.z:\n  vars:\n    __seccomp_a: 1"])
def test_wrong_inputs_passes_declared_ones(text: str) -> None:
    assert wrong_inputs(example(text), "seccomp", INPUTS) == []


@pytest.mark.parametrize(
    "text",
    [
        "- name: A\n  x.y.z:\n  when: ansible_os_family == 'Debian'",
        "- name: A\n  x.y.z:\n    a: '{{ ansible_distribution }}'",
        "- name: A\n  x.y.z:\n    a: \"{{ vars['b'] }}\"",
    ],
)
def test_injected_facts_flags(text: str) -> None:
    assert injected_facts(example(text))


def test_injected_facts_passes_ansible_facts() -> None:
    text = "- name: A\n  x.y.z:\n  when: ansible_facts['os_family'] == 'a' or ansible_check_mode"
    assert injected_facts(example(text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "- name: A\n  x.y.z:\n    a: '{{ b | e | f }}'",
        "- name: A\n  x.y.z:\n    a: '{{ b | default(c | e) | f }}'",
        "- name: A\n  x.y.z:\n  when: a | b | length > 0",
        "- name: A\n  x.y.z:\n    a: '{% for b in c %}{{ b }}{% endfor %}'",
    ],
)
def test_programs_flags(text: str) -> None:
    assert programs(example(text))


def test_programs_passes_one_filter_and_default() -> None:
    assert programs(example("- name: A\n  x.y.z:\n    a: '{{ b | default(c) | e }} {{ e | f }}'")) == []


GOOD_SPEC = {
    "argument_specs": {
        "main": {"options": {"a_b": {"type": "int", "default": 1}, "a_c": {"type": "str", "required": True}}}
    }
}


def test_spec_differences_passes_equal_ones() -> None:
    assert spec_differences("a", {"a_b": 1}, GOOD_SPEC) == []


@pytest.mark.parametrize(
    ("role", "defaults", "change"),
    [
        ("a", {"a_b": 2}, {}),
        ("a", {"a_b": True}, {}),
        ("a", {"a_b": "1"}, {}),
        ("a", {}, {}),
        ("a", {"a_b": 1, "a_x": 1}, {}),
        ("a", {"a_b": 1, "a_c": ""}, {}),
        ("z", {"a_b": 1}, {}),
        ("a", {"a_b": "1"}, {"default": "1"}),
        ("a", {"a_b": True}, {"default": True}),
        ("a", {"a_b": 1}, {"choices": [2, 3]}),
        ("a", {"a_b": []}, {"default": [], "type": "list"}),
    ],
)
def test_spec_differences_flags(role: str, defaults: dict[str, Any], change: dict[str, Any]) -> None:
    specs = copy.deepcopy(GOOD_SPEC)
    specs["argument_specs"]["main"]["options"]["a_b"].update(change)
    assert spec_differences(role, defaults, specs)


@pytest.mark.parametrize("name", ["a_ca_passphrase", "a_token", "a_private_key"])
def test_undeclared_secrets_flags(name: str) -> None:
    assert undeclared_secrets({"argument_specs": {"main": {"options": {name: {"type": "str"}}}}})
    assert not undeclared_secrets({"argument_specs": {"main": {"options": {name: {"no_log": True}}}}})


@pytest.mark.parametrize("text", ["{{ lookup('env', 'CI') }}", "when: molecule is defined", "MOLECULE_FILE"])
def test_environment_pattern_flags(text: str) -> None:
    assert ENVIRONMENT.search(text)


def test_with_table_replaces_only_what_is_between_the_markers() -> None:
    specs = {"argument_specs": {"main": {"options": {"a_b": {"type": "list", "elements": "str", "default": []}}}}}
    once = with_table(f"top\n{BEGIN}\nold\n<!-- variables:end -->\nbottom\n", table(specs))
    assert "| `a_b` | list of str | `[]` |" in once
    assert "old" not in once
    assert once.startswith("top\n")
    assert once.endswith("\nbottom\n")
    assert with_table(once, table(specs)) == once
