# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbooks of this scenario kept for its tests."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

# The versions of engine and kernel that the hosts of each generation begin with.
GENERATIONS = {"debian12": ("20.10.", "6.1."), "debian13": ("26.1.", "6.12."), "testing": ("28.", "7.")}


def name_of(host: Any) -> str:
    """The host's name in the inventory."""
    return host.backend.get_pytest_id().rpartition("/")[2]


def load(host: Any, name: str) -> Any:
    """Findings of one host, written by tasks_findings.yml."""
    folder = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
    return json.loads((folder / f"{name_of(host)}-{name}.json").read_text(encoding="utf-8"))


def attack(host: Any, *probes: str) -> dict[str, dict[str, Any]]:
    """Attack the host now, with some probes or with all; results by probe."""
    arguments = f"probes={','.join(probes)}" if probes else None
    answer = host.ansible("bulwark.docker.enforcement_probe", arguments, check=False)
    results = {result["id"]: result for result in answer["results"]}
    assert len(results) == answer["counts"]["run"] + answer["counts"]["not_applicable"] > 0
    return results
