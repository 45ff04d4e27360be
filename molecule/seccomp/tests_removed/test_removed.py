# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After the removal: the administrator's own words are back, and the attacks work again."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "daemon_baseline"))

from findings import attack, load, name_of


def listed(lines):
    return sorted(" ".join(line.split()[:6]) for line in lines if " d " not in line)


def test_files_are_as_before(host):
    before = listed(load(host, "before")["files_before"])
    now = host.check_output(
        "find /etc/docker /etc/systemd/system /etc/default -printf '%p %y %m %U %G %s\\n'"
    ).splitlines()
    assert listed(now) == before
    assert host.run("ls /var/lib/bulwark-docker /etc/docker/seccomp").rc == 2
    word = "/etc/docker/off.json" if name_of(host) == "debian12-container" else "unconfined"
    found = host.check_output("cat /etc/docker/daemon.json")
    assert found == f'{{"seccomp-profile": "{word}", "labels": ["site=here"]}}'


def test_attacks_work_again(host):
    now = attack(host, "seccomp")
    assert {probe: result["verdict"] for probe, result in now.items()} == dict.fromkeys(now, "not_blocked")
