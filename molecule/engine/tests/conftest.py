# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The corpus is shared among all hosts; the comparison of verdicts and the plays run on one host of each generation.

What is refused before anything is touched rests on our own tables and on dockerd's verdict, which the comparison covers
for each generation; how daemon.json is written is no matter of the engine's generation. Such a case runs on one of the
generations that it concerns, every other case on all of them. BULWARK_CORPUS=everywhere runs all cases on all of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest
import yaml

SCENARIO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SCENARIO.parents[1] / "tests/real"))

import payload  # noqa: E402

# debian12-container and debian12-container.2 have the same engine.
HOSTS = [entry["name"] for entry in yaml.safe_load((SCENARIO / "molecule.yml").read_text("utf-8"))["platforms"]]
FIRST = [name for name in HOSTS if "." not in name]
CORPUS_SECONDS = 2400
AGREEMENT_SECONDS = 900
PAIRS = 320
SEED = 20261122


class Hosts:
    """The scenario's hosts over ssh, with the programs of tests/real on them."""

    def __init__(self) -> None:
        self._ssh_config = os.environ["BULWARK_SSH_CONFIG"]
        self._pool = ThreadPoolExecutor(2 * len(HOSTS))
        self._runs: dict[str, Future] = {}
        self._agreements: dict[str, Future] = {}
        archive = payload.build(payload.ansible_directory())
        list(self._pool.map(lambda name: payload.send(self._ssh_config, name, archive), HOSTS))
        self._shares = self._share_cases()

    def run(self, name: str, command: str, seconds: float = 120) -> str:
        """Run a shell command on a host and return what it prints, whatever its status is."""
        argv = ["ssh", "-F", self._ssh_config, name, command]
        done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, timeout=seconds, check=False)
        return done.stdout

    def module(self, name: str, module: str) -> dict:
        """Run one module of the collection without options on a host."""
        return json.loads(self.run(name, payload.command("run_module.py", module, "'{}'")))

    def case_ids(self, name: str) -> list[str]:
        """The cases that a host runs."""
        return self._shares[name]

    def _share_cases(self) -> dict[str, list[str]]:
        lists = {name: self.run(name, payload.command("corpus.py", "--list")).splitlines() for name in FIRST}
        kinds = {name: dict(line.split() for line in lines) for name, lines in lists.items()}
        everywhere = os.environ.get("BULWARK_CORPUS") == "everywhere"
        shares: dict[str, list[str]] = {name: [] for name in HOSTS}
        for name in FIRST:
            twins = [other for other in HOSTS if other.split(".")[0] == name]
            for case, kind in kinds[name].items():
                number = zlib.crc32(case.encode())
                concerned = [other for other in FIRST if case in kinds[other]]
                if everywhere or kind == "each" or name == concerned[number % len(concerned)]:
                    shares[twins[number // 7 % len(twins)]].append(case)
        return shares

    def results(self, name: str) -> dict[str, dict]:
        """Results of a host's share of the corpus by case id; the first question starts it on all hosts."""
        for host in HOSTS:
            if host not in self._runs:
                self._runs[host] = self._pool.submit(self._corpus, host)
        return self._runs[name].result()

    def _corpus(self, name: str) -> dict[str, dict]:
        chosen = [f"--only={case}" for case in self.case_ids(name)]
        text = self.run(name, payload.command("corpus.py", *chosen), CORPUS_SECONDS)
        if name in FIRST:
            self._agreements[name] = self._pool.submit(self._agreement, name)
        return {line["id"]: line for line in map(json.loads, text.splitlines())}

    def agreement(self, name: str) -> dict:
        """What the comparison of verdicts found on a host; it begins when the host's corpus is through."""
        self.results(name)
        return self._agreements[name].result()

    def _agreement(self, name: str) -> dict:
        root = f"{payload.REMOTE}/{payload.COLLECTION}"
        options = ("--count", str(PAIRS), "--seed", str(SEED), "--root", root)
        return json.loads(self.run(name, payload.command("agreement.py", *options), AGREEMENT_SECONDS))


@cache
def all_hosts() -> Hosts:
    """The one object for the session; the payload is sent when the first test is collected."""
    return Hosts()


@pytest.fixture(scope="session")
def hosts() -> Hosts:
    return all_hosts()


@pytest.fixture(scope="session")
def all_names() -> list[str]:
    """One host of each generation, in the order of the inventory."""
    return FIRST


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each case of the corpus, for each host (member), and for one host of each generation (name)."""
    if "case" in metafunc.fixturenames:
        cases = [(name, case) for name in HOSTS for case in all_hosts().case_ids(name)]
        metafunc.parametrize(("member", "case"), cases)
    elif "member" in metafunc.fixturenames:
        metafunc.parametrize("member", HOSTS)
    elif "name" in metafunc.fixturenames:
        metafunc.parametrize("name", FIRST)
