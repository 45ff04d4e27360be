# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the rooms: pure core, thin shells, code that old target hosts can run."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from ansible_collections.bulwark.docker.tests.contract.tree import (
    ROOT,
    files,
    load_yaml,
    module_files,
    parse_yaml,
    relative,
    report,
    source_of,
    string_constant,
)

# The only module_utils that may touch the host.
SHELL_FILES = frozenset({"_host.py"})
# Programs that run elsewhere (in a container); product code may import them only to read their source text.
PROGRAM_FILES = frozenset({"_probe_program.py", "_seccomp_program.py"})
PURE_IMPORTS = frozenset(
    """
    __future__ abc base64 binascii bisect codecs collections collections.abc contextlib copy csv dataclasses difflib
    enum errno fnmatch functools hashlib inspect io ipaddress itertools json math operator posixpath re shlex stat
    string struct tarfile textwrap types typing unicodedata urllib.parse
    """.split()
)
IMPURE_CALLS = frozenset({"__import__", "breakpoint", "eval", "exec", "input", "open", "print"})
OWN_PACKAGE = "ansible_collections.bulwark.docker.plugins.module_utils"
MODULE_FORBIDDEN_IMPORTS = frozenset({"io", "json", "os", "pathlib", "re", "shutil", "subprocess", "tempfile"})
FUNCTION_LINES = 25
REQUIRED_ATTRIBUTES = ("check_mode", "diff_mode", "platform")
SUPPORT_LEVELS = ("full", "none", "partial", "N/A")
BUILTIN_GENERICS = frozenset({"dict", "frozenset", "list", "set", "tuple", "type"})
TOO_NEW_METHODS = {"removeprefix": "str.removeprefix", "removesuffix": "str.removesuffix"}


def imports_of(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted module) of every import, relative ones resolved to this package."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = f"{OWN_PACKAGE}.{base}".rstrip(".")
            if base in (OWN_PACKAGE, ""):
                for alias in node.names:
                    yield node.lineno, f"{base}.{alias.name}"
            else:
                yield node.lineno, base


def runs_program(tree: ast.Module, name: str) -> list[str]:
    """Say where an imported program file is used for anything but inspect.getsource()."""
    read = {
        id(argument)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "inspect.getsource"
        for argument in node.args
    }
    return [
        f"{node.lineno}: uses {name}, a program for another place"
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id == name and id(node) not in read
    ]


def impurities(source: str) -> list[str]:
    """Say what in a file of the pure core reaches out of it."""
    tree = ast.parse(source)
    found = []
    for line, name in imports_of(tree):
        if name.startswith(f"{OWN_PACKAGE}."):
            leaf = name.removeprefix(f"{OWN_PACKAGE}.").split(".")[0] + ".py"
            if leaf in PROGRAM_FILES:
                found += runs_program(tree, leaf.removesuffix(".py"))
            elif leaf in SHELL_FILES:
                found.append(f"{line}: imports {leaf}, which is not pure")
        elif name not in PURE_IMPORTS:
            found.append(f"{line}: imports {name}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
            found.append(f"{node.lineno}: calls {node.func.id}()")
    return found


def shell_excesses(source: str, constants: tuple[str, ...]) -> list[str]:
    """Say what a module or filter does beyond documentation, the named constants, call and exit."""
    tree = ast.parse(source)
    found = [
        f"{line}: imports {name}" for line, name in imports_of(tree) if name.split(".")[0] in MODULE_FORBIDDEN_IMPORTS
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open":
            found.append(f"{node.lineno}: calls open()")
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES:
            found.append(f"{node.lineno}: {node.name}() is longer than {FUNCTION_LINES} lines")
    names = {
        target.id
        for node in tree.body
        if isinstance(node, (ast.Assign, ast.AnnAssign))
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    return found + [f"1: has no constant {name}" for name in constants if name not in names]


def missing_attributes(attributes: dict[str, dict[str, str]]) -> list[str]:
    """Say which of the attributes that every module documents are absent or incomplete."""
    found = []
    for name in REQUIRED_ATTRIBUTES:
        support = attributes.get(name, {}).get("support")
        if support not in SUPPORT_LEVELS:
            found.append(f"attribute {name}: support is {support!r}, not one of {SUPPORT_LEVELS}")
        if support == "partial" and not attributes[name].get("details"):
            found.append(f"attribute {name}: partial support needs details")
    return found


def fragment(name: str) -> dict[str, dict[str, str]]:
    """Return the attributes of one of our own documentation fragments (bulwark.docker.x or x.variant)."""
    parts = name.removeprefix("bulwark.docker.").split(".")
    tree = ast.parse(source_of(ROOT / "plugins/doc_fragments" / f"{parts[0]}.py"))
    [body] = [node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "ModuleDocFragment"]
    wanted = parts[1].upper() if len(parts) > 1 else "DOCUMENTATION"
    text = string_constant(ast.Module(body=body, type_ignores=[]), wanted)
    return (parse_yaml(text or "") or {}).get("attributes", {})


def documented_attributes(source: str) -> dict[str, dict[str, str]]:
    """Return the attributes that a module documents, those of fragments included."""
    documentation = parse_yaml(string_constant(ast.parse(source), "DOCUMENTATION") or "") or {}
    merged: dict[str, dict[str, str]] = {}
    layers = [fragment(name) for name in documentation.get("extends_documentation_fragment", ()) if "bulwark" in name]
    for layer in [*layers, documentation.get("attributes", {})]:
        for name, value in layer.items():
            merged[name] = {**merged.get(name, {}), **value}
    return merged


def too_new(source: str) -> list[str]:
    """Say what a target host with Python 3.8 cannot compile or run."""
    try:
        tree = ast.parse(source, feature_version=(3, 8))
    except SyntaxError as error:
        return [f"{error.lineno}: {error.msg}"]
    first = next((node for node in tree.body if isinstance(node, ast.ImportFrom)), None)
    found = [] if first is not None and first.module == "__future__" else ["1: does not import annotations first"]
    annotations = {
        id(below)
        for node in ast.walk(tree)
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None))
        if isinstance(annotation, ast.AST)
        for below in ast.walk(annotation)
    }
    for node in ast.walk(tree):
        if id(node) in annotations:
            continue
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id in BUILTIN_GENERICS:
            found.append(f"{node.lineno}: {node.value.id}[…] at run time")
        if isinstance(node, ast.Attribute) and node.attr in TOO_NEW_METHODS:
            found.append(f"{node.lineno}: {TOO_NEW_METHODS[node.attr]}")
    return found


def asserts(source: str) -> list[str]:
    """Say where code relies on assert, which python -O removes."""
    return [f"{node.lineno}: assert" for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assert)]


def test_core_reaches_nothing_outside() -> None:
    seen = [p for p in files("plugins/module_utils/*.py") if p.name not in SHELL_FILES | PROGRAM_FILES]
    report([f"{relative(p)}:{v}" for p in seen for v in impurities(source_of(p))], len(seen), "pure module_utils")


def test_modules_are_shells() -> None:
    # A module that an action plugin of its name carries out is its documentation alone.
    actions = files("plugins/action/*.py")
    documents = {path.name for path in actions}
    seen = [path for path in module_files() if path.name not in documents] + actions
    found = [f"{relative(p)}:{v}" for p in seen for v in shell_excesses(source_of(p), ("ARGUMENT_SPEC",))]
    bare = [path for path in module_files() if path.name in documents]
    found += [f"{relative(p)}:{v}" for p in bare for v in shell_excesses(source_of(p), ("DOCUMENTATION",))]
    report(found, len(seen), "modules and actions")


def test_filters_are_shells() -> None:
    seen = files("plugins/filter/*.py")
    report([f"{relative(p)}:{v}" for p in seen for v in shell_excesses(source_of(p), ())], len(seen), "filters")


def test_modules_document_their_attributes() -> None:
    seen = module_files()
    found = [f"{relative(p)}: {v}" for p in seen for v in missing_attributes(documented_attributes(source_of(p)))]
    report(found, len(seen), "modules")


def test_target_code_runs_on_python_38() -> None:
    seen = files("plugins/modules/*.py", "plugins/module_utils/*.py")
    report([f"{relative(p)}:{v}" for p in seen for v in too_new(source_of(p))], len(seen), "target-side files")


def test_plugins_do_not_assert() -> None:
    seen = files("plugins/**/*.py")
    report([f"{relative(p)}:{v}" for p in seen for v in asserts(source_of(p))], len(seen), "plugin files")


def test_action_groups_name_every_module_and_nothing_else() -> None:
    modules = {path.stem for path in module_files()}
    groups = load_yaml(ROOT / "meta/runtime.yml")["action_groups"]
    listed = {name for group in groups.values() for name in group if isinstance(name, str)}
    found = [f"{name}: not in an action group of meta/runtime.yml" for name in sorted(modules - listed)]
    found += [f"{name}: in meta/runtime.yml, but there is no such module" for name in sorted(listed - modules)]
    report(found, len(modules), "modules")


@pytest.mark.parametrize(
    "source",
    [
        "import os",
        "import time",
        "import urllib.request",
        "from subprocess import run",
        "import ansible.module_utils.basic",
        "from ansible.module_utils.common.text import converters",
        "from . import _host",
        f"from {OWN_PACKAGE}._host import LocalHost",
        f"from {OWN_PACKAGE} import _host",
        "def f():\n    return open('x')",
        "exec('1')",
        "from . import _probe_program\n_probe_program.main()",
    ],
)
def test_impurities_flags(source: str) -> None:
    assert impurities(source)


def test_impurities_passes_pure_code() -> None:
    assert impurities("import inspect\nfrom . import _probe_program\nx = inspect.getsource(_probe_program)") == []
    assert impurities(f"import re\nfrom {OWN_PACKAGE}._errors import X\nfrom . import _version\nx = 1") == []


@pytest.mark.parametrize(
    "source",
    [
        "x = 1",
        "import json\nARGUMENT_SPEC = {}",
        "import re\nARGUMENT_SPEC = {}",
        "ARGUMENT_SPEC = {}\nopen('x')",
        "ARGUMENT_SPEC = {}\ndef main():\n" + "    pass\n" * FUNCTION_LINES,
    ],
)
def test_shell_excesses_flags(source: str) -> None:
    assert shell_excesses(source, ("ARGUMENT_SPEC",))


def test_shell_excesses_passes_a_thin_module() -> None:
    source = "from __future__ import annotations\nARGUMENT_SPEC = {}\ndef main():\n    pass\n"
    assert shell_excesses(source, ("ARGUMENT_SPEC",)) == []


@pytest.mark.parametrize(
    "change", [{"check_mode": {}}, {"platform": {"support": "yes"}}, {"diff_mode": {"support": "partial"}}]
)
def test_missing_attributes_flags(change: dict[str, dict[str, str]]) -> None:
    complete = {name: {"support": "full"} for name in REQUIRED_ATTRIBUTES}
    assert missing_attributes(complete) == []
    assert missing_attributes({**complete, **change})


@pytest.mark.parametrize(
    "source",
    [
        "match x:\n    case 1:\n        pass",
        "import re",
        "from __future__ import annotations\nx = list[str]",
        "from __future__ import annotations\nx = 'a'.removeprefix('a')",
        "from __future__ import annotations\ntry:\n    pass\nexcept* OSError:\n    pass",
    ],
)
def test_too_new_flags(source: str) -> None:
    assert too_new(source)


def test_too_new_passes_annotations() -> None:
    source = "from __future__ import annotations\ndef f(x: list[str]) -> dict[str, int]: ...\ny: set[int] = set()"
    assert too_new(source) == []


def test_asserts_flags() -> None:
    assert asserts("def f():\n    assert x") == ["2: assert"]
