# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the table of controls in docs/cis_audit.md from the registry of the module cis_audit.

    python tests/run/control_table.py --write     (run it with the Python of .venv)

A contract test compares the document with what this makes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ansible_collections.bulwark.docker.plugins.module_utils._cis import HOST
from ansible_collections.bulwark.docker.plugins.module_utils._cis_registry import CONTROLS, JUDGES

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/cis_audit.md"
BEGIN = "<!-- controls:begin -->"
END = "<!-- controls:end -->"
COLUMNS = ("1.6, 1.7", "1.8", "id", "level", "what should be true", "judged", "mended by")


def table() -> str:
    """Return the table of all controls."""
    rows = [f"| {' | '.join(COLUMNS)} |", "| --- " * len(COLUMNS) + "|"]
    for control in CONTROLS:
        judged = ("host" if control.scope == HOST else "each engine") if control.id in JUDGES else "by you"
        mended = f"`{control.variable}`" if control.variable else ""
        cells = (control.cis[0], control.cis[2], f"`{control.id}`", str(control.level), control.title, judged, mended)
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def with_table(text: str) -> str:
    """Return the document with the table between its markers."""
    before, begin, rest = text.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"write the table of controls: {DOCUMENT.name} has no {BEGIN} and {END}; put them back")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main() -> int:
    """Write the document, or say whether it is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    text = DOCUMENT.read_text(encoding="utf-8")
    wanted = with_table(text)
    if arguments.write:
        DOCUMENT.write_text(wanted, encoding="utf-8")
        return 0
    return int(text != wanted)


if __name__ == "__main__":
    raise SystemExit(main())
