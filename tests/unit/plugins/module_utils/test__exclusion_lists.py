# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists for other platforms."""

from __future__ import annotations

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError
from ansible_collections.bulwark.docker.plugins.module_utils._exclusion_lists import PLATFORMS, exclusion_list


@pytest.mark.parametrize("platform", PLATFORMS)
def test_list_names_a_directory_of_docker_itself(platform: str) -> None:
    paths = exclusion_list(platform)
    assert paths
    assert all("docker" in path.lower() or "containerd" in path for path in paths)


def test_powershell_expands_variables_in_its_own_way() -> None:
    assert exclusion_list("windows_server", "powershell").splitlines() == [
        r'Add-MpPreference -ExclusionPath "$env:ProgramData\docker"',
        r'Add-MpPreference -ExclusionPath "$env:ProgramData\containerd"',
    ]
    assert exclusion_list("windows_server", "powershell", [r"D:\docker"]).count("\n") == 1


def test_managed_profile_excludes_directories() -> None:
    profile = exclusion_list("linux", "mdatp_managed", ["/srv/docker"])
    assert profile["antivirusEngine"]["exclusions"] == [
        {"$type": "excludedPath", "isDirectory": True, "path": "/srv/docker/"}
    ]


@pytest.mark.parametrize(
    ("platform", "form"),
    [("beos", "list"), ("linux", "xml"), ("linux", "powershell"), ("windows_server", "mdatp_managed")],
)
def test_what_does_not_fit_is_refused(platform: str, form: str) -> None:
    with pytest.raises(ConfigError, match="render exclusions"):
        exclusion_list(platform, form)


def test_quote_in_a_path_cannot_end_the_command() -> None:
    with pytest.raises(ConfigError, match="plain name"):
        exclusion_list("windows_server", "powershell", ['C:\\a"; calc'])
