# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls about the engine's settings: section 2 of the benchmark, as data (private).

1.8 inserts "no devicemapper" as 2.7, so that what was 2.7 to 2.18 in 1.6 and 1.7 is 2.8 to 2.19.
"""

from __future__ import annotations

from typing import Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._cis import Control

__all__ = ["DAEMON_CONTROLS"]

_BASELINE = "daemon_baseline"


def _ids(old: int, new: int = 0) -> Tuple[str, str, str]:
    return (f"2.{old}", f"2.{old}", f"2.{new or old}")


DAEMON_CONTROLS: Tuple[Control, ...] = (
    Control(
        id="rootless_engine",
        cis=_ids(1),
        title="The engine runs without root where the workload allows it",
        severity="medium",
        remedy="move workloads that need no privileges to rootless engines with the role rootless",
        role="rootless",
        variable="rootless_users",
    ),
    Control(
        id="icc_default_bridge",
        cis=_ids(2),
        title="Containers on the default bridge cannot talk to each other",
        severity="high",
        remedy="set icc to false and restart the engine while no container runs",
        role=_BASELINE,
        variable="daemon_baseline_icc",
    ),
    Control(
        id="log_level",
        cis=_ids(3),
        title="The engine logs at level info",
        severity="low",
        remedy="set log-level to info and debug to false",
        role=_BASELINE,
        variable="daemon_baseline_log_level",
    ),
    Control(
        id="firewall_rules",
        cis=_ids(4),
        title="The engine may make the firewall rules that keep containers apart",
        severity="high",
        remedy="take iptables (and ip6tables) set to false out of daemon.json and out of the flags",
    ),
    Control(
        id="insecure_registries",
        cis=_ids(5),
        title="No registry is used without verified TLS",
        severity="high",
        remedy="give the registry a certificate, put its CA below /etc/docker/certs.d, and take the exception out",
        role=_BASELINE,
        variable="daemon_baseline_insecure_registries",
    ),
    Control(
        id="storage_driver_aufs",
        cis=_ids(6),
        title="The storage driver is not aufs",
        severity="medium",
        remedy="use overlay2, and move images and containers to it",
    ),
    Control(
        id="storage_driver_devicemapper",
        cis=("", "", "2.7"),
        title="The storage driver is not devicemapper",
        severity="medium",
        remedy="use overlay2, and move images and containers to it",
    ),
    Control(
        id="tls_verified_clients",
        cis=_ids(7, 8),
        title="Nobody uses the API over TCP without a certificate",
        severity="critical",
        remedy="let the role daemon_tls open the listener, and close every other one",
        role="daemon_tls",
        variable="daemon_tls_verify",
    ),
    Control(
        id="default_ulimits",
        cis=_ids(8, 9),
        title="New containers get limits for files and processes",
        severity="low",
        remedy="set default-ulimits, at least for nofile",
        role=_BASELINE,
        variable="daemon_baseline_default_ulimits",
    ),
    Control(
        id="userns_remap",
        cis=_ids(9, 10),
        title="Root in a container is nobody on the host",
        severity="high",
        remedy="map the ids of containers with the role userns_remap, or use a rootless engine",
        level=2,
        role="userns_remap",
        variable="userns_remap_user",
    ),
    Control(
        id="cgroup_parent",
        cis=_ids(10, 11),
        title="Containers are below the control group that was meant for them",
        severity="low",
        remedy="leave cgroup-parent out unless a slice of yours limits all containers together",
        level=2,
        role=_BASELINE,
        variable="daemon_baseline_cgroup_parent",
    ),
    Control(
        id="base_device_size",
        cis=_ids(11, 12),
        title="The size of the base device is as it came",
        severity="low",
        remedy="take dm.basesize out of storage-opts",
        level=2,
    ),
    Control(
        id="authorization_plugin",
        cis=_ids(12, 13),
        title="Who reaches the API may not do everything there",
        severity="medium",
        remedy="let an authorization plugin decide, or let nobody but root reach the API",
        level=2,
    ),
    Control(
        id="remote_logging",
        cis=_ids(13, 14),
        title="The logs of containers leave the host",
        severity="low",
        remedy="use a log driver that sends them away, or ship the local logs by another program",
        level=2,
        role=_BASELINE,
        variable="daemon_baseline_log_driver",
    ),
    Control(
        id="no_new_privileges_default",
        cis=_ids(14, 15),
        title="New containers cannot gain privileges through programs with set-uid",
        severity="high",
        remedy="set no-new-privileges to true, and recreate the containers that are older",
        role=_BASELINE,
        variable="daemon_baseline_no_new_privileges",
    ),
    Control(
        id="live_restore",
        cis=_ids(15, 16),
        title="Containers live on while the engine restarts",
        severity="low",
        remedy="set live-restore to true (not on swarm nodes)",
        rootless=False,
        role=_BASELINE,
        variable="daemon_baseline_live_restore",
    ),
    Control(
        id="userland_proxy",
        cis=_ids(16, 17),
        title="Published ports need no process of the engine",
        severity="low",
        remedy="set userland-proxy to false, and restart the containers that publish ports",
        rootless=False,
        role=_BASELINE,
        variable="daemon_baseline_userland_proxy",
    ),
    Control(
        id="seccomp_default",
        cis=_ids(17, 18),
        title="The engine filters system calls of every container by default",
        severity="critical",
        remedy="take seccomp-profile unconfined out, and use the role seccomp for a profile of your own",
        level=2,
        role="seccomp",
        variable="seccomp_default_policies",
    ),
    Control(
        id="experimental",
        cis=_ids(18, 19),
        title="The engine runs without experimental features",
        severity="low",
        remedy="take experimental out of daemon.json and out of the flags",
    ),
)
