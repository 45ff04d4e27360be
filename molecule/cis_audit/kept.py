# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the audits of this scenario found, kept by its playbooks."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

HOST_SECTIONS = ("1", "2", "3", "own")


def name_of(host: Any) -> str:
    """The host's name in the inventory."""
    return host.backend.get_pytest_id().rpartition("/")[2]


def load(host: Any) -> dict[str, Any]:
    """The result of the latest audit of a host."""
    folder = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
    return json.loads((folder / f"{name_of(host)}-audit.json").read_text(encoding="utf-8"))


def by_id(kept: dict[str, Any], engine: str) -> dict[str, dict[str, Any]]:
    """Results of one engine and of the host as such, by control."""
    return {one["id"]: one for one in kept["results"] if one["engine"] in ("", engine)}


def verdicts(results: dict[str, dict[str, Any]], verdict: str) -> set[str]:
    """Controls about host, settings and files, and own ones, that got a verdict."""
    return {name for name, one in results.items() if one["verdict"] == verdict and one["section"] in HOST_SECTIONS}


def words(result: dict[str, Any]) -> str:
    """All that a result says."""
    return json.dumps([result["reason"], result["evidence"], result["configured"], result["effective"]])
