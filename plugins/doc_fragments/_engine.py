# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options shared by the engine modules (private fragment)."""

from __future__ import annotations


class ModuleDocFragment:
    """Which engine of the host, and how far a change may go."""

    DOCUMENTATION = r"""
options:
  api_socket:
    description:
      - Unix socket of the engine's API.
      - Without it V(/run/docker.sock), or V(/run/user/UID/docker.sock) with O(user).
    type: path
  config_path:
    description:
      - The engine's configuration file.
      - A C(--config-file) flag of the unit wins over it.
      - Without it V(/etc/docker/daemon.json), or V(~/.config/docker/daemon.json) with O(user).
    type: path
  service:
    description: The systemd unit that starts the engine.
    type: str
    default: docker.service
  user:
    description: Work on the rootless engine of this user instead of the system's engine.
    type: str
"""

    CHANGE = r"""
options:
  allow_container_stop:
    description:
      - Allow that running containers are stopped where a change cannot be made without it.
      - Those that ran are started again.
    type: bool
    default: false
  allow_plaintext_api:
    description:
      - Go on although the engine answers its API on TCP without any certificate.
      - Whoever reaches such a port is root on the host; meant for the step that closes it.
    type: bool
    default: false
  lease:
    description: Seconds for which settings that an interrupted run wrote are left to that run.
    type: int
    default: 60
  patience:
    description: Seconds to wait for another run on the same host before refusing.
    type: int
    default: 120
  run_id:
    description:
      - The RV(bulwark.docker.daemon_config#module:run_id) that an earlier call of the same run returned.
      - It tells the own run from another one.
    type: str
    default: ""
"""
