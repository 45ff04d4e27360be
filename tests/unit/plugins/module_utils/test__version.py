# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions as the engine's packages print them."""

from __future__ import annotations

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version, parse_version

VERSION_OK = [
    ("26.1.5+dfsg1-9+deb13u1", Version(26, 1, 5)),
    ("20.10.24+dfsg1", Version(20, 10, 24)),
    ("28.5.2", Version(28, 5, 2)),
    ("v29.0.0-rc.1", Version(29, 0, 0)),
    (" 25.0\n", Version(25, 0, 0)),
]
VERSION_BAD = ["", "dev", "26", "26.", "26.1.5.2", "x26.1.5"]


@pytest.mark.parametrize(("text", "version"), VERSION_OK)
def test_version_of_a_package_is_read(text: str, version: Version) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize("text", VERSION_BAD)
def test_version_without_numbers_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"does not begin with MAJOR\.MINOR\.PATCH; give the version"):
        parse_version(text)


def test_version_compares_with_shorter_tuples() -> None:
    assert parse_version("23.0.0") >= (23,)
    assert parse_version("22.9.9") < (23,)
    assert str(parse_version("26.1.5+dfsg1")) == "26.1.5"
