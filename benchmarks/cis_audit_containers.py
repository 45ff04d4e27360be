# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cost of cis_audit against the number of containers on one host: processor time of the host and of its engine.

    python benchmarks/cis_audit_containers.py HOST [ROUNDS]

HOST is a test host that is up (see docs/test-hosts.md); its containers are removed. With each number of containers the
module and a no-op module run in turn. What is measured is processor time, since seconds on the wall say more about what
else the machine does; both tasks count with all that they cost the host, ssh and Python included.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXECUTION = "Using module file"
NUMBERS = (0, 10, 50, 100)
AUDIT = "bulwark.docker.cis_audit"
NO_OP = "ansible.builtin.ping"
PLAYBOOK = "- hosts: {host}\n  gather_facts: false\n  tasks:\n    - {module}:\n"
IMAGE = "docker image inspect bench:1 >/dev/null 2>&1 || tar -C / -ch bin/busybox | docker import - bench:1 >/dev/null"
# As many containers as are asked for: more are started, or all removed.
SCALE = """
number=$(docker ps -q | wc -l)
while [ $number -lt {wanted} ]; do
  docker run -d --read-only --cap-drop ALL -v /srv:/srv:ro bench:1 /bin/busybox sleep 100000 >/dev/null
  number=$((number + 1))
done
[ {wanted} -gt 0 ] || docker ps -aq | xargs -r docker rm -f >/dev/null
"""
# Milliseconds: of everything on the host, and of the engine (ticks of 10 ms).
SPENT = """
awk '/^usage_usec/ { print $2 / 1000 }' /sys/fs/cgroup/cpu.stat
awk '{ print ($14 + $15) * 10 }' /proc/$(pidof dockerd)/stat
"""


def on_host(host: str, script: str) -> str:
    """Run a script on the host."""
    command = ["ssh", "-F", os.environ["BULWARK_SSH_CONFIG"], host, script]
    return subprocess.run(command, check=True, text=True, capture_output=True).stdout


def spent(host: str) -> tuple[float, float]:
    """Processor time of the host and of its engine until now, in milliseconds."""
    everything, engine = on_host(host, SPENT).split()
    return float(everything), float(engine)


def run(folder: Path, host: str, module: str) -> tuple[int, float, float]:
    """Run one task; returns the number of module executions, and milliseconds of the host and of its engine."""
    playbook = folder / "one.yml"
    playbook.write_text(PLAYBOOK.format(host=host, module=module), encoding="utf-8")
    words = [str(Path(sys.executable).with_name("ansible-playbook")), "-vvv", "-i", str(ROOT / "molecule/inventory")]
    before = spent(host)
    done = subprocess.run(
        [*words, "--limit", host, str(playbook)], cwd=ROOT, check=False, text=True, capture_output=True
    )
    after = spent(host)
    if done.returncode:
        raise SystemExit(done.stdout[-3000:] + done.stderr)
    return done.stdout.count(EXECUTION), after[0] - before[0], after[1] - before[1]


def main() -> None:
    host = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    on_host(host, IMAGE)
    on_host(host, SCALE.format(wanted=0))
    print("| containers | module executions | audit (ms) | no-op (ms) | ratio | per container (ms) | engine (ms) |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        empty = 0.0
        for number in NUMBERS:
            on_host(host, SCALE.format(wanted=number))
            run(folder, host, NO_OP)  # opens the connection
            pairs = [(run(folder, host, AUDIT), run(folder, host, NO_OP)) for _round in range(rounds)]
            audit = statistics.median(ours[1] for ours, _base in pairs)
            base = statistics.median(no_op[1] for _ours, no_op in pairs)
            engine = statistics.mean(ours[2] for ours, _base in pairs)
            empty = empty if number else audit - base
            each = f"{(audit - base - empty) / number:.1f}" if number else ""
            values = (
                number,
                pairs[0][0][0],
                f"{audit:.0f}",
                f"{base:.0f}",
                f"{audit / base:.1f}",
                each,
                f"{engine:.0f}",
            )
            print(f"| {' | '.join(str(value) for value in values)} |", flush=True)
    on_host(host, SCALE.format(wanted=0))


if __name__ == "__main__":
    main()
