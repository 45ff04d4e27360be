# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exclusion lists for platforms that this collection does not manage, as text for their own tools (pure, private)."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Sequence, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError

__all__ = ["FORMATS", "PLATFORMS", "exclusion_list"]

# docs.docker.com, "Antivirus software and Docker", and the manuals of Docker Desktop; nothing above these directories.
PLATFORMS: Dict[str, Tuple[str, ...]] = {
    "windows_server": (r"%ProgramData%\docker", r"%ProgramData%\containerd"),
    "docker_desktop_windows": (r"%LocalAppData%\Docker\wsl", r"%ProgramData%\DockerDesktop\vm-data"),
    "docker_desktop_mac": ("$HOME/Library/Containers/com.docker.docker",),
    "docker_desktop_linux": ("$HOME/.docker/desktop",),
    "linux": ("/var/lib/docker", "/var/lib/containerd"),
}
FORMATS = ("list", "powershell", "mdatp_managed")


def exclusion_list(platform: str, form: str = "list", paths: Sequence[str] = ()) -> Any:
    """The directories to exclude on a platform.

    Args:
        platform: a key of PLATFORMS.
        form: "list", "powershell" (commands for Microsoft Defender) or "mdatp_managed" (a dictionary for
            mdatp_managed.json of Defender for Endpoint on Linux).
        paths: the directories, where they are not in their usual places.

    Raises ConfigError for an unknown platform or format, or one that does not go with the other.
    """
    if platform not in PLATFORMS or form not in FORMATS:
        raise ConfigError(
            f"render exclusions: {platform!r} as {form!r} is not known (filter antivirus_exclusion_list); "
            f"platforms are {', '.join(PLATFORMS)}; formats are {', '.join(FORMATS)}"
        )
    windows = platform in ("windows_server", "docker_desktop_windows")
    if (form == "powershell" and not windows) or (form == "mdatp_managed" and platform != "linux"):
        raise ConfigError(
            f"render exclusions: {form} is no format for {platform} (filter antivirus_exclusion_list); "
            "powershell is for Windows, mdatp_managed for linux"
        )
    chosen = list(paths) or list(PLATFORMS[platform])
    if form == "powershell":
        return "".join(_powershell(path) for path in chosen)
    return _managed(chosen) if form == "mdatp_managed" else chosen


def _powershell(path: str) -> str:
    if any(sign in path for sign in '"`\n'):
        raise ConfigError(
            f"render exclusions: {path!r} holds a quote, a backtick or a line break (filter antivirus_exclusion_list); "
            "use a directory with a plain name"
        )
    # PowerShell does not expand %NAME%; Defender does, for system variables only.
    parts = path.split("%")
    expanded = "".join(f"$env:{part}" if number % 2 else part for number, part in enumerate(parts))
    return f'Add-MpPreference -ExclusionPath "{expanded}"\n'


def _managed(paths: Sequence[str]) -> Mapping[str, Any]:
    entries: List[Dict[str, Any]] = [
        {"$type": "excludedPath", "isDirectory": True, "path": path.rstrip("/") + "/"} for path in paths
    ]
    return {"antivirusEngine": {"exclusions": entries}}
