# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After a change that restarted the engine while a container ran."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from findings import load


def test_container_kept_its_process(host):
    kept = load(host, "live")
    assert int(kept["container"]) > 0
    assert host.check_output("docker inspect --format '{{.State.Pid}}' survivor") == kept["container"]
    assert host.file(f"/proc/{kept['container']}").exists


def test_engine_is_another_process(host):
    found = host.check_output("systemctl show docker.service --property=MainPID --value")
    assert found != load(host, "live")["engine"]
    assert '"log-level": "warn"' in host.file("/etc/docker/daemon.json").content_string
