# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of the Docker engine as comparable values (private; may change at any time)."""

from __future__ import annotations

import re
from typing import NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError

__all__ = ["Version", "parse_version"]

_PATTERN = re.compile(r"(?P<major>[0-9]{1,4})\.(?P<minor>[0-9]{1,4})(?:\.(?P<patch>[0-9]{1,4}))?(?![0-9.])")


class Version(NamedTuple):
    """Three numbers of an engine release; compares with tuples: `version >= (23, 0)`."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


def parse_version(text: str) -> Version:
    """Read an engine version such as "26.1.5+dfsg1-9", "v28.5.2" or "20.10.24~3".

    Distribution suffixes and a leading "v" are dropped, a missing patch level is 0.
    Raises ConfigError when the text does not begin with two or three numbers.
    """
    match = _PATTERN.match(text.strip().lstrip("v"))
    if match is None:
        raise ConfigError(
            f"Read the engine's version: {text!r} does not begin with MAJOR.MINOR.PATCH; "
            "give the version as `dockerd --version` prints it"
        )
    return Version(int(match["major"]), int(match["minor"]), int(match["patch"] or 0))
