# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes told apart from later ones with the same id, and folders removed for good."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from .recipe import HostError

MARKER = "BULWARK_HOST_DIR"
_BEGAN = time.monotonic()


def say(text: str) -> None:
    """Print one progress line with the seconds since the program began."""
    print(f"[{time.monotonic() - _BEGAN:6.1f} s] {text}", file=sys.stderr, flush=True)


def start_time(pid: int) -> str | None:
    """The kernel's start time of process `pid` (clock ticks since boot), or None when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def alive(pid: int, started: str) -> bool:
    """Whether the process `pid` that began at `started` still runs (a reused id does not count)."""
    return start_time(pid) == started


def stop(pid: int, started: str, *, patience: float) -> None:
    """End one process: SIGTERM, then after `patience` seconds SIGKILL; return when it is gone."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if not alive(pid, started):
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, number)
            if select.select([handle], [], [], patience)[0]:
                return
        raise HostError(f"process {pid}: did not end within {patience:.0f} s of SIGKILL; look at /proc/{pid}/stack")
    finally:
        os.close(handle)


def marked(folder: Path) -> list[int]:
    """Ids of the processes whose environment says that they belong to the host in `folder`."""
    wanted = f"{MARKER}={folder}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if wanted in environment.split(b"\0"):
                found.append(int(entry.name))
    return found


def run(
    command: Sequence[object],
    *,
    what: str,
    timeout: float = 600,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run a program and return its output; raise HostError with the end of its output when it fails."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            env=env,
            check=False,
        )
    except FileNotFoundError:
        raise HostError(f"{what}: no program {str(command[0])!r}; run `hosts.py deps`") from None
    except subprocess.TimeoutExpired:
        raise HostError(f"{what}: {str(command[0])!r} did not end within {timeout:.0f} s") from None
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-40:])
        raise HostError(f"{what}: {str(command[0])!r} ended with status {done.returncode}; its last lines:\n{tail}")
    return done.stdout


def remove_tree(folder: Path) -> None:
    """Remove a folder of a host, immutable files included (a test may have left some)."""
    if not folder.exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        subprocess.run(["chattr", "-R", "-f", "-i", "-a", str(folder)], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(folder)
