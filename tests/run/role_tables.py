# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the table of variables of each role's README from its argument specs.

    python tests/run/role_tables.py --write     (run it with the Python of .venv)

The table stands between the two markers; a contract test compares it with what this makes.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
BEGIN = "<!-- variables:begin -->"
END = "<!-- variables:end -->"
HEADER = "| variable | type | default | meaning |\n| --- | --- | --- | --- |"
MARKUP = re.compile(r"\b[BIOVMPREULC]+\(([^()]*)\)")


class TableError(Exception):
    """A README cannot hold the table; the text says which and why."""


def type_text(option: dict[str, Any]) -> str:
    """Return an option's type as the table shows it, such as "list of str"."""
    base = option.get("type", "str")
    return f"{base} of {option['elements']}" if "elements" in option else base


def default_text(option: dict[str, Any]) -> str:
    """Return an option's default as JSON, or the word for options that must be given."""
    if option.get("required"):
        return "required"
    return f"`{json.dumps(option.get('default'), ensure_ascii=False)}`"


def meaning_text(option: dict[str, Any]) -> str:
    """Return the description as one cell: sentences in order, Ansible's markup as code."""
    description = option.get("description", "")
    sentences = [description] if isinstance(description, str) else description
    text = " ".join(" ".join(sentence.split()) for sentence in sentences)
    choices = option.get("choices")
    if choices:
        text += f" One of {', '.join(f'`{json.dumps(choice)}`' for choice in choices)}."
    return MARKUP.sub(lambda match: f"`{match[1]}`", text).replace("|", "\\|")


def table(specs: dict[str, Any]) -> str:
    """Return the tables of one role, one for each entry point that has options, "main" first."""
    parts = []
    entry_points = specs["argument_specs"]
    for name in sorted(entry_points, key=lambda name: (name != "main", name)):
        options = entry_points[name].get("options") or {}
        rows = [
            f"| `{variable}` | {type_text(option)} | {default_text(option)} | {meaning_text(option)} |"
            for variable, option in options.items()
        ]
        if rows:
            title = [] if name == "main" else [f"Entry point `{name}`:\n"]
            parts.append("\n".join([*title, HEADER, *rows]))
    return "\n\n".join(parts)


def with_table(readme: str, text: str) -> str:
    """Return the README with the table between its markers."""
    before, begin, rest = readme.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise TableError(f"no {BEGIN} followed by {END}; put both on lines of their own where the table belongs")
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the variable tables of the roles' READMEs.")
    parser.add_argument("--write", action="store_true", help="write them; without this, only name the stale ones")
    arguments = parser.parse_args()
    stale = []
    for specs in sorted(ROOT.glob("roles/*/meta/argument_specs.yml")):
        readme = specs.parents[1] / "README.md"
        old = readme.read_text(encoding="utf-8")
        try:
            new = with_table(old, table(yaml.safe_load(specs.read_text(encoding="utf-8"))))
        except TableError as error:
            raise SystemExit(f"{readme.relative_to(ROOT)}: {error}") from None
        if new != old:
            stale.append(str(readme.relative_to(ROOT)))
            if arguments.write:
                readme.write_text(new, encoding="utf-8")
    for name in stale:
        print(f"{name}: {'written' if arguments.write else 'stale'}")
    return 1 if stale and not arguments.write else 0


if __name__ == "__main__":
    sys.exit(main())
