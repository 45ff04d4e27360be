# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls about images, containers, operations and swarm: sections 4 to 7 of the benchmark, as data (private)."""

from __future__ import annotations

from typing import Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._cis import Control

__all__ = ["OBJECT_CONTROLS"]

OBJECT_CONTROLS: Tuple[Control, ...] = ()
