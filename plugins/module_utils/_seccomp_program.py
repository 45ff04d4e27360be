# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that makes real system calls under a seccomp filter (private; may change at any time).

Its source text is sent into a throw-away container. It therefore stands alone: standard library only.

Call: `python3 -I -S -B program.py SPEC`, SPEC being a JSON list of [number, [arguments]]. Each call is made in a
process of its own. Output: one line of JSON, a list of [signal that ended the process or 0, result or null, errno].
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from typing import Any, List, Sequence

SECONDS = 5


def make_call(number: int, arguments: Sequence[int]) -> List[Any]:
    """Signal, result and errno of one system call."""
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        os.close(reader)
        result = int(library.syscall(ctypes.c_long(number), *[ctypes.c_ulong(value) for value in arguments]))
        os.write(writer, json.dumps([result, ctypes.get_errno() if result == -1 else 0]).encode())
        os._exit(0)
    os.close(writer)
    status = os.waitpid(child, 0)[1]
    with os.fdopen(reader, "rb") as stream:
        said = stream.read()
    return [os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, *(json.loads(said) if said else [None, 0])]


def main(argv: Sequence[str]) -> int:
    """Make the calls of the specification in argv[1] one after the other."""
    outcomes = [make_call(number, arguments) for number, arguments in json.loads(argv[1])]
    sys.stdout.write(json.dumps(outcomes) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
