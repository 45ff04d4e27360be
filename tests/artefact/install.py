# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the collection as it would be published, and installs it without any network."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 120


def build(folder: Path) -> Path:
    """Build the archive of the collection in a folder and return its path."""
    argv = ["ansible-galaxy", "collection", "build", "--output-path", str(folder), str(ROOT)]
    subprocess.run(argv, cwd=folder, stdout=subprocess.DEVNULL, timeout=SECONDS, check=True)
    [archive] = folder.glob("*.tar.gz")
    return archive


def install(archive: Path, folder: Path) -> dict[str, str]:
    """Install the archive below a folder; returns the environment in which Ansible finds that one first.

    What it depends on is taken from the environment of the tests.
    """
    target = folder / "collections"
    environ = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(target)}
    argv = ["ansible-galaxy", "collection", "install", str(archive), "-p", str(target), "--no-deps", "--offline"]
    # A checkout that is linked into the environment would count as installed.
    subprocess.run([*argv, "--force"], cwd=folder, env=environ, stdout=subprocess.DEVNULL, timeout=SECONDS, check=True)
    return environ
