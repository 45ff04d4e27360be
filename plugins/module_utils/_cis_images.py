# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging images (pure, private)."""

from __future__ import annotations

from typing import Dict

from ansible_collections.bulwark.docker.plugins.module_utils._cis import Judge

__all__ = ["IMAGES_JUDGES"]

IMAGES_JUDGES: Dict[str, Judge] = {}
