# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demonstration: boot a disposable Docker host, attack it, harden it, attack it again, and take it all away.

Called by `make demo` under the pinned environment. DEMO_HOST names another test host than the default one.
Writes build/demo/report.html and the JSON findings beside it.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

ROOT = Path(__file__).resolve().parents[2]
HOST = os.environ.get("DEMO_HOST", "debian13-machine")
OUTPUT = ROOT / "build/demo"
# Those of the roles that the playbook runs unless told otherwise.
PROBES = "isolation,privilege,api.tcp_plaintext,api.unix_socket_other_user,limits,network,seccomp,apparmor,auditd"
RECAP = re.compile(r"changed=(\d+).*failed=(\d+)")
WORDS = {"blocked": "blocked", "not_blocked": "GETS THROUGH", "not_applicable": "not applicable", "error": "error"}


class DemoFailed(Exception):
    """A step of the demonstration did not do what it promises."""


class Demo:
    """Runs the steps and keeps what they found."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.seconds: dict[str, float] = {}

    def say(self, text: str) -> None:
        """Print a line with the time since the start."""
        minutes, seconds = divmod(int(time.monotonic() - self.started), 60)
        print(f"[{minutes}:{seconds:02d}] {text}", flush=True)

    def boot(self) -> None:
        """Start the host; its image is built first where there is none."""
        hosts = [sys.executable, str(ROOT / "tests/hosts/hosts.py")]
        self.say(f"Booting the disposable Docker host {HOST} (the first time its image is built: some minutes)")
        started = time.monotonic()
        for words in (["image", HOST], ["up", HOST, "--replace"]):
            subprocess.run([*hosts, *words], cwd=ROOT, check=True)
        self.seconds["boot"] = time.monotonic() - started

    def playbook(self, step: str, playbook: str, **variables: str) -> tuple[int, str]:
        """Run a playbook on the host; returns the number of changed tasks and the output."""
        words = ["ansible-playbook", "-i", str(ROOT / "molecule/inventory"), "--limit", f"{HOST},localhost", "--diff"]
        words += [word for name, value in variables.items() for word in ("-e", f"{name}={value}")]
        started = time.monotonic()
        environ = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "false"}
        done = subprocess.run([*words, playbook], cwd=ROOT, env=environ, check=False, text=True, stdout=subprocess.PIPE)
        self.seconds[step] = time.monotonic() - started
        counts = RECAP.findall(done.stdout)
        if done.returncode or not counts:
            raise DemoFailed(f"{playbook} ended with status {done.returncode}:\n{done.stdout}")
        return sum(int(changed) for changed, _failed in counts), done.stdout

    def look(self, step: str, probes: str = PROBES) -> dict[str, Any]:
        """Read the engine's state and attack it."""
        path = OUTPUT / f"{step}.json"
        self.playbook(step, "tests/demo/look.yml", demo_host=HOST, demo_output=str(path), demo_probes=probes)
        findings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return findings

    def run(self) -> None:
        """All steps, then the report."""
        OUTPUT.mkdir(parents=True, exist_ok=True)
        self.boot()
        before = self.look("before")
        self.say(f"Docker {before['engine']['version']} as the distribution ships it, attacked: {tally(before)}")
        changed, output = self.playbook("harden", "bulwark.docker.harden", bulwark_hosts=HOST)
        diff = extract_diff(output)
        self.say(f"Hardened: {changed} tasks changed something, the engine was restarted once. What was written:")
        print("\n".join("    " + line for line in diff))
        after = self.look("after")
        self.say(f"Attacked again: {tally(after)}")
        print("\n".join(table(before, after)))
        again, _output = self.playbook("again", "bulwark.docker.harden", bulwark_hosts=HOST)
        self.say(f"Run a second time: {again} changes")
        self.playbook("remove", "bulwark.docker.remove", bulwark_hosts=HOST)
        removed = self.look("removed", probes="isolation.sibling_tcp")
        same = removed["files"] == before["files"]
        self.say(f"Taken away again: the engine's files are {'as before, byte by byte' if same else 'NOT as before'}")
        self.report(before, after, diff, again, same)
        closed = [
            entry for entry in pairs(before, after) if entry["before"] != "blocked" and entry["after"] == "blocked"
        ]
        if again or not same or not closed or verdicts(after).count("error"):
            raise DemoFailed("it did not show what it promises; see the lines above")
        self.say(f"{len(closed)} attacks that worked were stopped. Report: {OUTPUT / 'report.html'}")

    def report(
        self, before: Mapping[str, Any], after: Mapping[str, Any], diff: Sequence[str], again: int, same: bool
    ) -> None:
        """Write the page."""
        environment = Environment(
            loader=FileSystemLoader(ROOT / "tests/demo"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        text = environment.get_template("report.html.j2").render(
            host=HOST,
            before=before,
            after=after,
            pairs=pairs(before, after),
            diff=diff,
            again=again,
            same=same,
            seconds=self.seconds,
            words=WORDS,
        )
        (OUTPUT / "report.html").write_text(text, encoding="utf-8")


def verdicts(findings: Mapping[str, Any]) -> list[str]:
    """The verdict of each probe."""
    return [result["verdict"] for result in findings["proof"]["results"]]


def tally(findings: Mapping[str, Any]) -> str:
    """The verdicts, counted."""
    found = verdicts(findings)
    return ", ".join(f"{found.count(verdict)} {word}" for verdict, word in WORDS.items() if verdict in found)


def pairs(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each probe with both verdicts."""
    later = {result["id"]: result for result in after["proof"]["results"]}
    return [
        {**result, "before": result["verdict"], "after": later[result["id"]]["verdict"], "later": later[result["id"]]}
        for result in before["proof"]["results"]
    ]


def table(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The probes as lines for a terminal."""
    rows = [("attack", "before", "after")]
    rows += [(entry["title"], WORDS[entry["before"]], WORDS[entry["after"]]) for entry in pairs(before, after)]
    width = max(len(row[0]) for row in rows)
    return [f"    {title:<{width}}  {first:<14}  {second}" for title, first, second in rows]


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
