# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one module of this collection on the host itself, without a controller.

    PYTHONPATH=DIRECTORY python3 run_module.py daemon_config '{"owner": "daemon_baseline", "settings": {}}'

DIRECTORY holds ansible/module_utils and ansible_collections (made by payload.py). Prints the module's result as JSON.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

from ansible.module_utils.testing import patch_module_args

PREFIX = "ansible_collections.bulwark.docker.plugins.modules."


def load(name: str) -> ModuleType:
    """Import a module; a process that forks for each run does it once, beforehand."""
    return importlib.import_module(PREFIX + name)


def run(name: str, arguments: dict[str, Any]) -> None:
    """Run a module to its end: it prints its result and raises SystemExit."""
    module = load(name)
    with patch_module_args(arguments):
        module.main()


if __name__ == "__main__":
    import json

    run(sys.argv[1], json.loads(sys.argv[2]))
