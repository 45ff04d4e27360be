# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write down the arguments and the environment of all processes, again and again, until this process ends.

Usage: watch.py FILE
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

PAUSE_SECONDS = 0.1


def main() -> None:
    """Append what was not seen before."""
    seen: set[bytes] = set()
    with open(sys.argv[1], "ab", buffering=0) as kept:
        while True:
            for process in Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ"):
                    try:
                        text = (process / name).read_bytes()
                    except OSError:
                        continue
                    if text and text not in seen:
                        seen.add(text)
                        kept.write(text.replace(b"\0", b" ") + b"\n")
            time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main()
