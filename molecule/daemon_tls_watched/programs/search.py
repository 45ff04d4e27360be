# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look for texts in all files below some directories, and in the journal.

Usage: search.py DIRECTORY...; the input is a JSON object: name, list of texts. The output is one too: files (how many
were searched), unreadable (paths), journal (its bytes), hits (for each name where one of its texts is).
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator

JOURNAL = ["journalctl", "--all", "--no-pager", "--output=export"]


def regular_files(roots: list[str]) -> Iterator[str]:
    """Every regular file, no link."""
    for root in roots:
        for folder, _folders, names in os.walk(root):
            for name in names:
                path = os.path.join(folder, name)
                try:
                    kind = os.lstat(path).st_mode
                except FileNotFoundError:
                    continue
                if stat.S_ISREG(kind):
                    yield path


def main() -> None:
    """Search, and print what was found."""
    wanted = {name: [text.encode() for text in texts] for name, texts in json.load(sys.stdin).items()}
    hits: dict[str, list[str]] = {name: [] for name in wanted}

    def look(place: str, data: bytes) -> None:
        for name, texts in wanted.items():
            if any(text in data for text in texts):
                hits[name].append(place)

    count = 0
    unreadable: list[str] = []
    for path in regular_files(sys.argv[1:]):
        try:
            with open(path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            continue
        except OSError:
            unreadable.append(path)
            continue
        count += 1
        look(path, data)
    journal = subprocess.run(JOURNAL, stdout=subprocess.PIPE, check=True).stdout
    look("journal", journal)
    print(json.dumps({"files": count, "unreadable": unreadable, "journal": len(journal), "hits": hits}))


if __name__ == "__main__":
    main()
