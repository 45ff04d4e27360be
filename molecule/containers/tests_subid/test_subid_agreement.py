# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""newuidmap, useradd and dockerd of each generation read subordinate ids as subid_range says, or refuse them.

The comparison runs on all hosts at the same time; it restarts the engine, so it comes last.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

SCENARIO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SCENARIO.parents[1] / "tests/real"))

import payload  # noqa: E402

HOSTS = [entry["name"] for entry in yaml.safe_load((SCENARIO / "molecule.yml").read_text("utf-8"))["platforms"]]
SECONDS = 240
# Comparisons that come once for each random file, and once for each host.
EACH_FILE = ("newuidmap maps our ranges", "newgidmap maps our ranges", "newuidmap refuses an id below")
ONCE = ("an overlap is refused", "a doubtful line is refused", "the collision of default is found")
FILES = 2


def _compare(name: str, archive: bytes) -> dict:
    config = os.environ["BULWARK_SSH_CONFIG"]
    payload.send(config, name, archive)
    command = "apt-get install -y -qq uidmap >/dev/null 2>&1; "
    command += payload.command("subid_agreement.py", "--files", str(FILES))
    done = subprocess.run(
        ["ssh", "-F", config, name, command], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    return json.loads(done.stdout) if done.stdout.startswith("{") else {"faults": [done.stdout + done.stderr]}


@pytest.fixture(scope="session")
def comparisons() -> dict[str, dict]:
    """What was found on each host."""
    archive = payload.build(payload.ansible_directory())
    with ThreadPoolExecutor() as pool:
        return dict(zip(HOSTS, pool.map(lambda name: _compare(name, archive), HOSTS), strict=True))


@pytest.mark.parametrize("name", HOSTS)
def test_real_programs_agree_and_foreign_ids_are_refused(comparisons: dict[str, dict], name: str) -> None:
    found = comparisons[name]
    assert found["faults"] == []
    assert {found["compared"][what] for what in EACH_FILE} == {FILES}
    assert {found["compared"][what] for what in ONCE} == {1}
