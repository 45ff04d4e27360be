# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks beyond the benchmark, and the versions of engines they rest on, as data (private).

Sources of the floors: the advisories of the Moby project (GHSA) and the release notes of the versions named.
"""

from __future__ import annotations

from typing import NamedTuple, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._cis import HOST, NO_IDS, Control

__all__ = ["FLOORS", "MAINTAINED", "OWN_CONTROLS", "Floor"]


class Floor(NamedTuple):
    """A hole, and the first version of each series that closes it; older series that are not named never do."""

    what: str
    fixed: Tuple[Tuple[int, int, int], ...]


FLOORS: Tuple[Floor, ...] = (
    Floor("requests pass authorization plugins by", ((23, 0, 15), (25, 0, 6), (26, 1, 5), (27, 1, 1), (28, 0, 0))),
    Floor("a reload of firewalld opens ports of containers", ((25, 0, 13), (28, 3, 3), (29, 0, 0))),
    Floor("large requests pass authorization plugins by, and plugins gain privileges", ((29, 3, 1),)),
    Floor("containers reach the kernel's cryptography sockets", ((29, 4, 3),)),
    Floor("containers reach files of the host through docker cp and mounts", ((25, 0, 17), (29, 5, 1))),
)
# Series that still get releases, and the last one that was seen.
MAINTAINED: Tuple[Tuple[int, int, int], ...] = ((25, 0, 17), (29, 7, 2))

OWN_CONTROLS: Tuple[Control, ...] = (
    Control(
        id="engine_version_floor",
        cis=NO_IDS,
        title="The engine has the fixes of its known holes",
        severity="high",
        remedy="upgrade the engine to the version that is named, or to your distribution's newest package",
    ),
    Control(
        id="socket_unit_tcp",
        cis=NO_IDS,
        title="systemd opens no TCP port for the engine",
        severity="critical",
        remedy="take ListenStream= with a port out of docker.socket and its drop-ins; use the role daemon_tls instead",
        scope=HOST,
        role="daemon_tls",
        variable="daemon_tls_addresses",
    ),
    Control(
        id="plaintext_listener",
        cis=NO_IDS,
        title="No TCP port of the engine answers in plaintext",
        severity="critical",
        remedy="close the port, or let the role daemon_tls open it with TLS",
        role="daemon_tls",
        variable="daemon_tls_addresses",
    ),
    Control(
        id="open_api_socket",
        cis=NO_IDS,
        title="No Unix socket of the engine is open to everybody",
        severity="critical",
        remedy="take the further -H unix:// out of the unit or daemon.json, or its directory away from others",
    ),
    Control(
        id="settings_in_force",
        cis=NO_IDS,
        title="What is configured is in force",
        severity="medium",
        remedy="run the role that owns the setting, or restart the engine as the evidence says",
    ),
    Control(
        id="configuration_sound",
        cis=NO_IDS,
        title="The engine would start again with its configuration, and heed all of it",
        severity="medium",
        remedy="mend what the evidence names before the next restart finds it",
    ),
    Control(
        id="containers_older_than_settings",
        cis=NO_IDS,
        title="No running container is older than the settings",
        severity="medium",
        remedy="recreate these containers",
    ),
    Control(
        id="apparmor_default_profile",
        cis=NO_IDS,
        title="The engine's own AppArmor profile is loaded, in the version of this engine",
        severity="medium",
        remedy="load the profile anew with the role apparmor",
        rootless=False,
        role="apparmor",
        variable="apparmor_refresh_docker_default",
    ),
    Control(
        id="apparmor_profiles_enforced",
        cis=NO_IDS,
        title="The AppArmor profile that a container asked for is loaded and enforced",
        severity="high",
        remedy="load the profile with the role apparmor, and recreate the container",
        rootless=False,
        role="apparmor",
        variable="apparmor_shipped",
    ),
    Control(
        id="seccomp_profiles_effective",
        cis=NO_IDS,
        title="No seccomp profile lets everything pass",
        severity="critical",
        remedy="replace the profile by one that refuses what is not needed; an empty one refuses nothing",
        role="seccomp",
        variable="seccomp_default_policies",
    ),
    Control(
        id="subordinate_ids",
        cis=NO_IDS,
        title="No subordinate id is given away twice",
        severity="high",
        remedy="give each user ids of its own in /etc/subuid and /etc/subgid",
        scope=HOST,
        role="userns_remap",
        variable="userns_remap_user",
    ),
    Control(
        id="certificates_valid",
        cis=NO_IDS,
        title="The certificates of the engine's listener are valid for another month",
        severity="medium",
        remedy="run the role daemon_tls, which renews them",
        scope=HOST,
        role="daemon_tls",
        variable="daemon_tls_directory",
    ),
    Control(
        id="scanners_kept_out",
        cis=NO_IDS,
        title="Virus scanners leave the engines' data alone",
        severity="low",
        remedy="exclude the data with the role antivirus_exclusions, and scan it by its own timer",
        scope=HOST,
        role="antivirus_exclusions",
        variable="antivirus_exclusions_scanners",
    ),
    Control(
        id="rootless_configuration",
        cis=NO_IDS,
        title="Only its user can change a rootless engine's configuration and unit",
        severity="high",
        remedy="give the files to the user, and take writing away from the group and from others",
        scope=HOST,
        role="rootless",
        variable="rootless_users",
    ),
    Control(
        id="rootless_insecure_registries",
        cis=NO_IDS,
        title="No rootless engine, running or not, is configured to use registries without verified TLS",
        severity="high",
        remedy="take insecure-registries out of the user's daemon.json",
        scope=HOST,
        role="rootless",
        variable="rootless_users",
    ),
)
