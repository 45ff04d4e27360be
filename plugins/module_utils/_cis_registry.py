# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All controls and all judges (pure, private)."""

from __future__ import annotations

from typing import Dict, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._cis import Control, Judge
from ansible_collections.bulwark.docker.plugins.module_utils._cis_containers import CONTAINERS_JUDGES
from ansible_collections.bulwark.docker.plugins.module_utils._cis_daemon import DAEMON_JUDGES
from ansible_collections.bulwark.docker.plugins.module_utils._cis_files import FILE_JUDGES
from ansible_collections.bulwark.docker.plugins.module_utils._cis_host import HOST_JUDGES
from ansible_collections.bulwark.docker.plugins.module_utils._cis_images import IMAGES_JUDGES
from ansible_collections.bulwark.docker.plugins.module_utils._cis_own import OWN_JUDGES
from ansible_collections.bulwark.docker.plugins.module_utils._cis_registry_daemon import DAEMON_CONTROLS
from ansible_collections.bulwark.docker.plugins.module_utils._cis_registry_host import HOST_CONTROLS
from ansible_collections.bulwark.docker.plugins.module_utils._cis_registry_objects import OBJECT_CONTROLS
from ansible_collections.bulwark.docker.plugins.module_utils._cis_registry_own import OWN_CONTROLS
from ansible_collections.bulwark.docker.plugins.module_utils._cis_swarm import SWARM_JUDGES

__all__ = ["CONTROLS", "JUDGES"]

_ALL = (*HOST_CONTROLS, *DAEMON_CONTROLS, *OBJECT_CONTROLS, *OWN_CONTROLS)


def _order(control: Control) -> Tuple[int, ...]:
    """Sections in the order of the newest edition, own controls behind them in the order of their table."""
    number = next((text for text in reversed(control.cis) if text), "99")
    return tuple(int(part) for part in number.split("."))


CONTROLS: Tuple[Control, ...] = tuple(sorted(_ALL, key=_order))
"""In the order in which they are reported."""

JUDGES: Dict[str, Judge] = {
    **HOST_JUDGES,
    **FILE_JUDGES,
    **DAEMON_JUDGES,
    **IMAGES_JUDGES,
    **CONTAINERS_JUDGES,
    **SWARM_JUDGES,
    **OWN_JUDGES,
}
"""By the id of the control; one without a judge is for a person to look at."""
