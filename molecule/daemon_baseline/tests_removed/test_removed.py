# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After the removal: the host is as it was, the attacks work again."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from findings import attack, load

# What removal must give back: everything but times, and but what the engine itself writes.
ENGINE_FILES = ("/etc/docker", "/etc/systemd", "/etc/default", "/usr/lib/systemd", "/var/lib/bulwark")


def listed(lines):
    return sorted(" ".join(line.split()[:6]) for line in lines if line.startswith(ENGINE_FILES) and " d " not in line)


def test_files_are_as_before(host):
    before = listed(load(host, "forecast")["files_before"])
    paths = "/etc/docker /etc/systemd /etc/default /usr/lib/systemd /var/lib"
    now = host.check_output(f"find {paths} -xdev -printf '%p %y %m %U %G %s\\n'").splitlines()
    assert len(before) > 100
    assert listed(now) == before


def test_engine_runs_with_its_own_defaults(host):
    assert host.check_output("docker info --format '{{.LiveRestoreEnabled}}'") == "false"
    assert host.check_output("systemctl is-active docker.service") == "active"


def test_attacks_work_again(host):
    now = attack(host, "isolation.sibling_tcp", "privilege.setuid_gain")
    assert {probe: result["verdict"] for probe, result in now.items()} == dict.fromkeys(now, "not_blocked")
