# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine shows now, as far as a switch of userns-remap matters for it (private). Nothing is changed."""

from __future__ import annotations

import posixpath
import re
from typing import Any, Dict, List, NamedTuple, Optional, Tuple
from urllib.parse import quote

from ansible_collections.bulwark.docker.plugins.module_utils._engine_state import EngineState, api_json
from ansible_collections.bulwark.docker.plugins.module_utils._errors import EngineError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import Host
from ansible_collections.bulwark.docker.plugins.module_utils._instance import Instance
from ansible_collections.bulwark.docker.plugins.module_utils._userns_survey import (
    Hidden,
    image_names,
    is_anonymous,
)

__all__ = ["Root", "Stock", "read_root", "take_stock"]

# What the engine itself measures takes its time on a full disk.
LISTING_SECONDS = 300.0
_MAPPED = re.compile(r"\d+\.\d+")


class Root(NamedTuple):
    """Where an engine keeps its data: without any mapping, and the UID.GID of the mapping in force ("": none)."""

    base: str
    mapping: str


class Stock(NamedTuple):
    """What an engine shows: the answers of its API, for containers the long ones."""

    images: Tuple[Dict[str, Any], ...]
    containers: Tuple[Dict[str, Any], ...]
    volumes: Tuple[Dict[str, Any], ...]

    def names(self) -> Hidden:
        """Everything by name."""
        return Hidden(
            tuple(name for image in self.images for name in image_names(image)),
            tuple(str(entry["Name"]).lstrip("/") for entry in self.containers),
            tuple(str(volume["Name"]) for volume in self.volumes),
        )

    def movable_volumes(self) -> List[Dict[str, Any]]:
        """Volumes that can be brought over: the named ones whose content this host keeps."""
        return [entry for entry in self.volumes if entry.get("Driver") == "local" and not is_anonymous(entry)]

    def movable(self) -> Hidden:
        """What can be brought over."""
        return Hidden(self.names().images, (), tuple(str(volume["Name"]) for volume in self.movable_volumes()))


def read_root(state: EngineState) -> Optional[Root]:
    """Where the running engine keeps its data, None while it does not answer."""
    if not state.answering:
        return None
    path = str(state.info.get("DockerRootDir") or "/var/lib/docker")
    options = [str(option) for option in state.info.get("SecurityOptions") or []]
    base, name = posixpath.split(path)
    mapped = any(option.partition(",")[0] == "name=userns" for option in options)
    # With the user root the engine maps nothing, but moves its data all the same.
    if name == "0.0" or (mapped and _MAPPED.fullmatch(name)):
        return Root(base, name)
    return Root(path, "")


def take_stock(host: Host, instance: Instance) -> Stock:
    """Read images, containers and volumes that an engine shows."""
    containers = []
    for summary in api_json(host, instance, "/containers/json?all=1", LISTING_SECONDS):
        try:
            containers.append(api_json(host, instance, f"/containers/{quote(summary['Id'])}/json"))
        except EngineError:
            continue  # it was removed between the two questions
    return Stock(
        tuple(api_json(host, instance, "/images/json", LISTING_SECONDS) or ()),
        tuple(containers),
        tuple(api_json(host, instance, "/volumes", LISTING_SECONDS).get("Volumes") or ()),
    )
