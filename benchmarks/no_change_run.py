# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cost of a run that changes nothing: module executions, and seconds against the same number of no-op modules.

    python benchmarks/no_change_run.py HOST [ROUNDS] [--harden]

HOST is a test host that is up (see docs/test-hosts.md). What runs is the role daemon_baseline, or with --harden the
playbook with all its roles. It and the no-op modules run in turn, so that the ratio holds when the machine's speed
drifts.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXECUTION = "Using module file"
HEADER = "- hosts: {host}\n  gather_facts: {facts}\n  tasks:\n"
ROLE = "    - ansible.builtin.import_role:\n        name: bulwark.docker.daemon_baseline\n"
HARDEN = "- ansible.builtin.import_playbook: bulwark.docker.harden\n  vars:\n    bulwark_hosts: {host}\n"
NO_OP = "    - ansible.builtin.ping:\n"


def run(playbook: Path, host: str) -> tuple[int, float]:
    """Run a playbook; returns the number of module executions on the host and the seconds."""
    words = [str(Path(sys.executable).with_name("ansible-playbook")), "-vvv", "-i", str(ROOT / "molecule/inventory")]
    started = time.monotonic()
    done = subprocess.run(
        [*words, "--limit", host, str(playbook)], cwd=ROOT, check=False, text=True, capture_output=True
    )
    seconds = time.monotonic() - started
    if done.returncode:
        raise SystemExit(done.stdout[-3000:] + done.stderr)
    return done.stdout.count(EXECUTION), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a run that changes nothing.")
    parser.add_argument("host")
    parser.add_argument("rounds", type=int, nargs="?", default=5)
    parser.add_argument("--harden", action="store_true", help="the playbook with all roles, not daemon_baseline alone")
    arguments = parser.parse_args()
    host = arguments.host
    with tempfile.TemporaryDirectory() as folder:
        role = Path(folder, "ours.yml")
        text = HARDEN.format(host=host) if arguments.harden else HEADER.format(host=host, facts="true") + ROLE
        role.write_text(text, encoding="utf-8")
        run(role, host)  # brings the host to where nothing changes
        executions, _seconds = run(role, host)
        no_op = Path(folder, "no_op.yml")
        no_op.write_text(HEADER.format(host=host, facts="false") + NO_OP * executions, encoding="utf-8")
        run(no_op, host)
        ratios = []
        for number in range(1, arguments.rounds + 1):
            ours, base = run(role, host)[1], run(no_op, host)[1]
            ratios.append(ours / base)
            print(f"round {number}: ours {ours:.2f} s, {executions} no-op modules {base:.2f} s, ratio {ratios[-1]:.2f}")
    print(f"{executions} module executions a host; median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
