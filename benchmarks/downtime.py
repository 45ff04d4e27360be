# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For how long an engine does not answer while it is hardened for the first time.

    python benchmarks/downtime.py HOST

HOST is a test host that is up and was not hardened before (see docs/test-hosts.md). A program on the host asks the
engine's API every 50 ms; a gap is the time between two answers, where it is longer than four times that. For
comparison the engine is restarted once by systemctl.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Runs on the host until there is input, and prints the gaps in seconds. systemd holds the socket while the engine is
# away: who asks then is answered as soon as it is back.
WATCHER = r"""
import json, select, socket, sys, time
gaps, last = [], time.monotonic()
while not select.select([sys.stdin], [], [], 0.05)[0]:
    try:
        with socket.socket(socket.AF_UNIX) as engine:
            engine.settimeout(10.0)
            engine.connect("/run/docker.sock")
            engine.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            answered = b"200 OK" in engine.recv(64)
    except OSError:
        answered = False
    now = time.monotonic()
    if answered:
        if now - last > 0.2:
            gaps.append(round(now - last, 2))
        last = now
print(json.dumps(gaps))
"""


def ssh(host: str, command: str) -> list[str]:
    """The command line that runs a command on a test host."""
    return ["ssh", "-F", os.environ["BULWARK_SSH_CONFIG"], host, command]


def watched(host: str, argv: list[str]) -> tuple[list[float], float]:
    """Run a program while the engine is watched; returns the gaps and the program's own seconds."""
    watcher = subprocess.Popen(
        ssh(host, f"python3 -c '{WATCHER}'"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    time.sleep(2)
    started = time.monotonic()
    done = subprocess.run(argv, cwd=ROOT, check=False, text=True, capture_output=True)
    seconds = time.monotonic() - started
    time.sleep(2)
    gaps = json.loads(watcher.communicate("\n")[0])
    if done.returncode:
        raise SystemExit(done.stdout[-3000:] + done.stderr)
    return gaps, seconds


def report(what: str, gaps: list[float], seconds: float) -> float:
    """Print what was seen and return the sum of the gaps."""
    longest = max(gaps, default=0.0)
    print(f"{what}: {len(gaps)} gap(s), {sum(gaps):.2f} s in all, longest {longest:.2f} s, of {seconds:.1f} s")
    return sum(gaps)


def main() -> None:
    host = sys.argv[1]
    restart = report("restart by systemctl", *watched(host, ssh(host, "systemctl restart docker.service")))
    words = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(ROOT / "molecule/inventory")]
    words += ["-e", f"bulwark_hosts={host}", "bulwark.docker.harden"]
    first = report("first harden", *watched(host, words))
    report("second harden", *watched(host, words))
    print(f"a first harden is {first / restart:.2f} restarts")


if __name__ == "__main__":
    main()
