# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All controls and all judges (pure, private)."""

from __future__ import annotations

from typing import Dict, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._cis import Control, Judge
from ansible_collections.bulwark.docker.plugins.module_utils._cis_containers import CONTAINERS_JUDGES
from ansible_collections.bulwark.docker.plugins.module_utils._cis_images import IMAGES_JUDGES
from ansible_collections.bulwark.docker.plugins.module_utils._cis_registry_objects import OBJECT_CONTROLS
from ansible_collections.bulwark.docker.plugins.module_utils._cis_swarm import SWARM_JUDGES

__all__ = ["CONTROLS", "JUDGES"]

CONTROLS: Tuple[Control, ...] = (*OBJECT_CONTROLS,)
"""In the order in which they are reported."""

JUDGES: Dict[str, Judge] = {**IMAGES_JUDGES, **CONTAINERS_JUDGES, **SWARM_JUDGES}
"""By the id of the control; one without a judge is for a person to look at."""
