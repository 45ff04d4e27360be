# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fleet costs the controller: processor time and memory of a playbook for 1, 10, 50 and 100 hosts.

    python benchmarks/fleet_run.py HOST [--playbook bulwark.docker.harden] [--hosts 1 10 50 100]

HOST is a test host that is up (see docs/test-hosts.md). The playbook runs on it until nothing changes; what it answers
then is given again by simulated hosts (connection_plugins/replay.py), which take no processor time of their own and
answer at once. Seconds are those of the processor, for Ansible and all its workers; memory is that of the largest
process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
FORKS = 10


class Cost(NamedTuple):
    """What one run cost: seconds of the processor and of the clock, and MiB of the largest process."""

    processor: float
    clock: float
    memory: float


def run(playbook: str, inventory: Path, environ: dict[str, str]) -> Cost:
    """Run a playbook on all hosts of an inventory at once and return what it cost."""
    words = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(inventory), "-f", str(FORKS)]
    given = json.dumps({"bulwark_hosts": "all", "bulwark_serial": ["100%"], "ansible_connection": "replay"})
    started = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [*words, "-e", given, playbook], cwd=ROOT, env=environ, stdout=output, stderr=subprocess.STDOUT
        )
        _pid, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode(errors="replace")
    if process.returncode:
        raise SystemExit(text[-3000:])
    return Cost(used.ru_utime + used.ru_stime, time.monotonic() - started, used.ru_maxrss / 1024)


def describe(folder: Path, names: list[str]) -> Path:
    """Write an inventory with the variables of the test hosts; each host begins with the first answer."""
    for path in folder.glob("*.next"):
        path.unlink()
    inventory = folder / "inventory"
    inventory.mkdir(exist_ok=True)
    for name in ("group_vars", "kinds.yml"):
        link = inventory / name
        if not link.exists():
            link.symlink_to(ROOT / "molecule/inventory" / name)
    hosts = {name: {"ansible_host": name} for name in names}
    (inventory / "hosts.json").write_text(json.dumps({"containers": {"hosts": hosts}}), encoding="utf-8")
    return inventory


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what a fleet costs the controller.")
    parser.add_argument("host")
    parser.add_argument("--playbook", default="bulwark.docker.harden")
    parser.add_argument("--hosts", type=int, nargs="+", default=[1, 10, 50, 100])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environ = {
            **os.environ,
            "ANSIBLE_CONNECTION_PLUGINS": str(ROOT / "benchmarks/connection_plugins"),
            "BULWARK_REPLAY_FOLDER": str(folder),
            "BULWARK_REPLAY_MODE": "record",
        }
        for _round in range(2):
            for path in folder.glob("*.json"):
                path.unlink()
            run(arguments.playbook, describe(folder, [arguments.host]), environ)
        answers = len(list(folder.glob("*.json")))
        environ["BULWARK_REPLAY_MODE"] = "replay"
        print(f"{arguments.playbook}: {answers} answers a host, {FORKS} forks")
        first: Cost | None = None
        for count in arguments.hosts:
            inventory = describe(folder, [f"{arguments.host}.{number}" for number in range(count)])
            cost = run(arguments.playbook, inventory, environ)
            first = first or cost
            print(
                f"{count:4} hosts: {cost.processor:7.1f} s of processor, {cost.processor / count:5.2f} a host, "
                f"{cost.clock:6.1f} s, {cost.memory:4.0f} MiB; {cost.processor / first.processor:5.1f} and "
                f"{cost.memory / first.memory:.2f} times those of {arguments.hosts[0]}",
                flush=True,
            )


if __name__ == "__main__":
    main()
