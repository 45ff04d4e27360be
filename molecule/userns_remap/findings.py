# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbooks of this scenario kept for its tests, and looks at the engine now."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

LATER = "debian13"


def name_of(host: Any) -> str:
    """The host's name in the inventory."""
    return host.backend.get_pytest_id().rpartition("/")[2]


def load(host: Any, name: str) -> Any:
    """Findings of one host, written by tasks_findings.yml."""
    folder = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
    return json.loads((folder / f"{name_of(host)}-{name}.json").read_text(encoding="utf-8"))


def look(host: Any) -> dict[str, Any]:
    """What the engine shows now, and what its volumes hold."""
    return json.loads(host.check_output("python3 /srv/look.py"))


def attack(host: Any) -> dict[str, dict[str, Any]]:
    """Attack the host now with the probes of this role; results by probe."""
    answer = host.ansible("bulwark.docker.enforcement_probe", "probes=userns_remap", check=False)
    return {result["id"]: result for result in answer["results"]}
