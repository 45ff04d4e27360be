# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The corpus and the comparison of verdicts run once on each host, on all hosts at the same time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

SCENARIO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SCENARIO.parents[1] / "tests/real"))

import payload

HOSTS = [entry["name"] for entry in yaml.safe_load((SCENARIO / "molecule.yml").read_text("utf-8"))["platforms"]]
CORPUS_SECONDS = 2400
PAIRS = 320


class Hosts:
    """Access to the scenario's hosts over ssh."""

    def __init__(self, ssh_config: str) -> None:
        self._ssh_config = ssh_config
        archive = payload.build(payload.ansible_directory())
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: payload.send(ssh_config, name, archive), HOSTS))

    def run(self, name: str, command: str, seconds: float = 120, check: bool = True) -> str:
        """Run a shell command on a host and return what it prints."""
        argv = ["ssh", "-F", self._ssh_config, name, command]
        done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, timeout=seconds, check=False)
        if check and done.returncode:
            raise AssertionError(f"{name}: {command}: status {done.returncode}, {done.stdout}")
        return done.stdout

    def module(self, name: str, module: str, **arguments: object) -> dict:
        """Run one module of the collection on a host."""
        text = json.dumps(arguments)
        return json.loads(self.run(name, payload.command("run_module.py", module, f"'{text}'"), check=False))


def _ssh_config() -> str:
    import os

    return os.environ["BULWARK_SSH_CONFIG"]


HOSTS_ACCESS: list[Hosts] = []


def access() -> Hosts:
    """The hosts, with the payload on them."""
    if not HOSTS_ACCESS:
        HOSTS_ACCESS.append(Hosts(_ssh_config()))
    return HOSTS_ACCESS[0]
