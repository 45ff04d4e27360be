# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which engine of a host is meant: the system's or a user's rootless one (pure, private)."""

from __future__ import annotations

from typing import NamedTuple, Tuple

__all__ = ["SYSTEM_CONFIG_PATH", "Instance", "rootless_instance", "system_instance"]

SYSTEM_CONFIG_PATH = "/etc/docker/daemon.json"
STATE_ROOT = "/var/lib/bulwark-docker"
LOCK_ROOT = "/run/bulwark-docker"
DROP_IN_NAME = "zz-bulwark-tls.conf"


class Instance(NamedTuple):
    """Addresses of one engine.

    C(systemctl) and C(journalctl) are the argument lists that reach its service manager and its journal; C(home) is the
    home directory of a rootless engine's user, "" for the system's engine.
    """

    name: str
    user: str
    config_path: str
    service: str
    socket_unit: str
    api_socket: str
    systemctl: Tuple[str, ...]
    journalctl: Tuple[str, ...]
    state_path: str
    lock_path: str
    uid: int
    gid: int
    home: str

    @property
    def drop_in_path(self) -> str:
        """Where the drop-in with the TLS listener lies; "" for a rootless engine, which gets none."""
        unit = self.service if "." in self.service else self.service + ".service"
        return "" if self.rootless else f"/etc/systemd/system/{unit}.d/{DROP_IN_NAME}"

    @property
    def rootless(self) -> bool:
        """Whether this is a user's engine."""
        return bool(self.user)


def system_instance(config_path: str = "", service: str = "docker.service", api_socket: str = "") -> Instance:
    """The engine that systemd starts for the whole host."""
    return Instance(
        name="system",
        user="",
        config_path=config_path or SYSTEM_CONFIG_PATH,
        service=service,
        socket_unit="docker.socket",
        api_socket=api_socket or "/run/docker.sock",
        systemctl=("systemctl",),
        journalctl=("journalctl",),
        state_path=STATE_ROOT + "/system/state.json",
        lock_path=LOCK_ROOT + "/system.lock",
        uid=0,
        gid=0,
        home="",
    )


def rootless_instance(
    user: str,
    uid: int,
    gid: int,
    home: str,
    config_path: str = "",
    service: str = "docker.service",
    api_socket: str = "",
) -> Instance:
    """The engine that a user's own systemd starts; reached without a login session of that user."""
    return Instance(
        name="rootless-" + user,
        user=user,
        config_path=config_path or home + "/.config/docker/daemon.json",
        service=service,
        socket_unit="",
        api_socket=api_socket or f"/run/user/{uid}/docker.sock",
        # "--machine=USER@.host" would open and close a log-in for each question, which takes seconds on a slow host.
        systemctl=(
            *("setpriv", f"--reuid={uid}", f"--regid={gid}", "--init-groups"),
            *("env", f"XDG_RUNTIME_DIR=/run/user/{uid}", "systemctl", "--user"),
        ),
        journalctl=("journalctl", f"_UID={uid}"),
        state_path=f"{STATE_ROOT}/rootless-{user}/state.json",
        lock_path=f"{LOCK_ROOT}/rootless-{user}.lock",
        uid=uid,
        gid=gid,
        home=home,
    )
