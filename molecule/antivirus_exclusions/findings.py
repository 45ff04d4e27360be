# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbooks of this scenario kept for its tests, and what counts as the engine's data."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def load(host: Any, name: str) -> Any:
    """Findings of one host, written by tasks_findings.yml."""
    folder = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
    found = json.loads((folder / f"{host.backend.get_pytest_id().rpartition('/')[2]}-{name}.json").read_text("utf-8"))
    return {
        key: json.loads(value) if key == "seen" and isinstance(value, str) else value for key, value in found.items()
    }


def look(host: Any, *without: str) -> dict[str, list[str]]:
    """What the scanners of the host see now."""
    return json.loads(host.check_output(" ".join(("python3 /usr/local/bin/look", *without))))


def inside(host: Any, paths: list[str]) -> list[str]:
    """Those of the paths that are the engines' data: data-root in use, containerd's root, a rootless user's."""
    roots = (load(host, "before")["root"], "/var/lib/containerd", "/home/alice/.local/share/docker")
    return [path for path in paths if path.startswith(tuple(root + "/" for root in roots))]
