# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What we say of profiles is what the engines do, by the filters that they give to their runtime and by real calls.

The comparison runs on all hosts at the same time.
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
SECONDS = 400
ROOT = f"{payload.REMOTE}/{payload.COLLECTION}"
# The bases, the engine's own profile, with the default capabilities and with each of nine that such a host can add.
FILTERS = 30
# 60 system calls under two bases would do.
CALLS = 120
ATTACKS = 6


def _compare(name: str, archive: bytes) -> dict:
    config = os.environ["BULWARK_SSH_CONFIG"]
    payload.send(config, name, archive)
    command = f"python3 {payload.REMOTE}/real/seccomp_agreement.py --root {ROOT} filters calls holes"
    done = subprocess.run(
        ["ssh", "-F", config, name, command], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    return json.loads(done.stdout) if done.stdout.startswith("{") else {"problem": done.stdout + done.stderr}


@pytest.fixture(scope="session")
def comparisons() -> dict[str, dict]:
    """What was found on each host."""
    archive = payload.build(payload.ansible_directory())
    with ThreadPoolExecutor() as pool:
        return dict(zip(HOSTS, pool.map(lambda name: _compare(name, archive), HOSTS), strict=True))


@pytest.mark.parametrize("name", HOSTS)
def test_filters_are_those_of_the_engine(comparisons: dict[str, dict], name: str) -> None:
    found = comparisons[name]
    assert "problem" not in found, found
    assert found["filters"]["differences"] == []
    assert found["filters"]["compared"] >= FILTERS


@pytest.mark.parametrize("name", HOSTS)
def test_real_calls_are_allowed_and_refused_as_declared(comparisons: dict[str, dict], name: str) -> None:
    found = comparisons[name]["calls"]
    assert found["differences"] == []
    assert found["compared"] >= CALLS


@pytest.mark.parametrize("name", HOSTS)
def test_attacks_past_the_filter_are_refused_by_the_hardened_profile(comparisons: dict[str, dict], name: str) -> None:
    found = comparisons[name]
    assert found["holes"]["differences"] == []
    # Engine 20.10 itself does not refuse the family that they are after.
    assert found["holes"]["compared"] == (0 if found["version"].startswith("20.10.") else ATTACKS)
