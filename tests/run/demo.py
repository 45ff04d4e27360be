# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demonstration: boot a disposable Docker host, judge and attack it, harden it, judge and attack it
again, and take it all away.

Called by `make demo` under the pinned environment. DEMO_HOST names another test host than the default one.
Writes build/demo/report.html (and as JSON, JUnit XML and SARIF), build/demo/before and build/demo/removed.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HOST = os.environ.get("DEMO_HOST", "debian13-machine")
OUTPUT = ROOT / "build/demo"
ROLE = re.compile(r"(?:TASK|RUNNING HANDLER) \[bulwark\.docker\.(\w+) :")
RECAP = re.compile(r"changed=(\d+).*failed=(\d+)")
WORDS = {"blocked": "blocked", "not_blocked": "GETS THROUGH", "not_applicable": "not applicable", "error": "error"}
SECTIONS = {
    "1": "Host",
    "2": "Engine",
    "3": "Files of the engine",
    "4": "Images",
    "5": "Containers",
    "6": "Operations",
    "7": "Swarm",
    "own": "Beyond the benchmark",
}


class DemoFailed(Exception):
    """A step of the demonstration did not do what it promises."""


class Demo:
    """Runs the steps and keeps what they found."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.role = ""

    def say(self, text: str, lines: Sequence[str] = ()) -> None:
        """Print a line with the time since the start, and what belongs to it."""
        minutes, seconds = divmod(int(time.monotonic() - self.started), 60)
        print("\n".join([f"[{minutes}:{seconds:02d}] {text}", *(f"    {line}" for line in lines)]), flush=True)

    def boot(self) -> None:
        """Start the host; its image is built first where there is none."""
        hosts = [sys.executable, str(ROOT / "tests/hosts/hosts.py")]
        self.say(f"Booting the disposable Docker host {HOST} (the first time its image is built: some minutes)")
        for words in (["image", HOST], ["up", HOST, "--replace"]):
            subprocess.run([*hosts, *words], cwd=ROOT, check=True)
        self.playbook("tests/demo/user.yml", demo_host=HOST)

    def playbook(self, playbook: str, *files: str, **variables: str) -> tuple[int, str]:
        """Run a playbook on the host; returns the number of changed tasks and the output."""
        words = ["ansible-playbook", "-i", str(ROOT / "molecule/inventory"), "--limit", f"{HOST},localhost", "--diff"]
        given = [*files, *(f"{name}={value}" for name, value in variables.items())]
        words += [word for text in given for word in ("-e", text)]
        environ = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "false"}
        lines = []
        with subprocess.Popen([*words, playbook], cwd=ROOT, env=environ, text=True, stdout=subprocess.PIPE) as process:
            for line in process.stdout or ():
                lines.append(line)
                self.progress(line)
        output = "".join(lines)
        counts = RECAP.findall(output)
        if process.returncode or not counts:
            raise DemoFailed(f"{playbook} ended with status {process.returncode}:\n{output}")
        return sum(int(changed) for changed, _failed in counts), output

    def progress(self, line: str) -> None:
        """Say which role runs when another one begins."""
        role = ROLE.match(line)
        if role and role[1] not in ("engine", self.role):
            self.role = role[1]
            self.say(f"  {self.role}")

    def roles(self, playbook: str) -> tuple[int, str]:
        """Run one of the collection's playbooks with the variables of the demonstration."""
        return self.playbook(playbook, "@tests/demo/all_roles.yml", bulwark_hosts=HOST, demo_output=str(OUTPUT))

    def look(self, folder: Path, **variables: str) -> dict[str, Any]:
        """Judge the host and attack it; what was found, and the checksums of its files."""
        self.playbook("tests/demo/look.yml", demo_host=HOST, demo_output=str(folder), **variables)
        [found] = json.loads((folder / "report.json").read_text(encoding="utf-8"))["hosts"]
        return {**found, "files": json.loads((folder / "files.json").read_text(encoding="utf-8"))}

    def run(self) -> None:
        """All steps, then the report."""
        OUTPUT.mkdir(parents=True, exist_ok=True)
        self.boot()
        before = self.look(OUTPUT / "before")
        self.say(f"Docker {before['engines'][0]['version']} as the distribution ships it")
        self.say(f"Judged: {controls(before)}. Attacked: {attacks(before)}")
        changed, output = self.roles("bulwark.docker.harden")
        self.say(
            f"Hardened with all roles: {changed} tasks changed something. What the engine got:", extract_diff(output)
        )
        after = self.look(OUTPUT, demo_compare=str(OUTPUT / "before/report.json"))
        self.say(f"Judged again: {controls(after)}", table_of_controls(before, after))
        self.say(f"Attacked again: {attacks(after)}", table_of_attacks(before, after))
        again, _output = self.roles("bulwark.docker.harden")
        self.say(f"Run a second time: {again} changes")
        self.roles("bulwark.docker.remove")
        removed = self.look(OUTPUT / "removed", demo_probes="isolation.sibling_tcp")
        same = removed["files"] == before["files"]
        self.say(f"Taken away again: the files are {'as before, byte by byte' if same else 'NOT as before'}")
        rows = pairs(before, after)
        closed = [row for row in rows if row[1] == "not_blocked" and row[2] == "blocked"]
        wrong = [row for row in rows if row[2] == "error"]
        if again or not same or not closed or wrong:
            raise DemoFailed("it did not show what it promises; see the lines above")
        mended = len(failed(before) - failed(after))
        self.say(f"{len(closed)} attacks that worked were stopped, {mended} controls that failed pass.")
        self.say(f"The report: {OUTPUT / 'report.html'}")


def controls(found: Mapping[str, Any]) -> str:
    """The verdicts of the audit, counted."""
    counts = Counter(one["verdict"] for one in found["audit"]["results"])
    return f"{counts['fail']} controls fail, {counts['pass']} pass"


def failed(found: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Which controls fail, on which engine."""
    return {(one["engine"], one["id"]) for one in found["audit"]["results"] if one["verdict"] == "fail"}


def attacks(found: Mapping[str, Any]) -> str:
    """The verdicts of the attacks, counted."""
    counts = Counter(one["verdict"] for one in found["probes"]["results"])
    return ", ".join(f"{counts[verdict]} {word}" for verdict, word in WORDS.items() if counts[verdict])


def pairs(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Each attack with both verdicts."""
    later = {result["id"]: result["verdict"] for result in after["probes"]["results"]}
    return [(result["title"], result["verdict"], later[result["id"]]) for result in before["probes"]["results"]]


def table_of_attacks(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The attacks as lines for a terminal."""
    rows = [(title, WORDS[first], WORDS[second]) for title, first, second in pairs(before, after)]
    width = max(len(row[0]) for row in rows)
    return [
        f"{title:<{width}}  {first:<14}  {second}" for title, first, second in [("attack", "before", "after"), *rows]
    ]


def table_of_controls(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """How many controls of each section fail and pass, as lines for a terminal."""
    first, second = (
        Counter((one["section"], one["verdict"]) for one in found["audit"]["results"]) for found in (before, after)
    )
    width = max(len(title) for title in SECTIONS.values())
    lines = [f"{'section':<{width}}  fail before  after    pass before  after"]
    for name, title in SECTIONS.items():
        numbers = [count[name, verdict] for verdict in ("fail", "pass") for count in (first, second)]
        lines.append(f"{title:<{width}}  {numbers[0]:>11}  {numbers[1]:>5}    {numbers[2]:>11}  {numbers[3]:>5}")
    return lines


def extract_diff(output: str) -> list[str]:
    """The lines of the unified diff of daemon.json in a playbook's output."""
    lines = output.splitlines()
    starts = [n for n, line in enumerate(lines) if line.startswith("--- before: ") and line.endswith("/daemon.json")]
    if not starts:
        return []
    first, *others = lines[starts[0] :]
    return [first, *itertools.takewhile(lambda line: line.startswith(("+", "-", "@", " ")), others)]


def main() -> int:
    try:
        Demo().run()
    except (DemoFailed, subprocess.CalledProcessError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
