# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After the removal: no port, no keys, the engine's files as before."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from proofs import BUNDLE, asked_so_far, knock, load


def test_port_refuses_everybody(host):
    asked = knock(host, 2376)
    assert (asked.attempts, asked.connections) == (12, 0)
    assert not host.socket("tcp://2376").is_listening


def test_stranger_never_got_an_answer(host):
    asked = asked_so_far(host)
    print(asked)
    assert asked.attempts > 200
    assert asked.connections > 100
    assert asked.answers == 0


def test_files_of_the_engine_are_as_before(host):
    before = load(host, "before")["engine_files"]
    now = "find /etc/docker /etc/systemd/system /usr/lib/systemd/system -type f -exec sha256sum {} + | sort"
    assert len(before) > 50
    assert host.check_output(now).splitlines() == before


def test_nothing_of_the_client_is_left(host):
    assert host.check_output(f"find {BUNDLE} ! -type d") == ""
    assert host.check_output("systemctl is-active docker.service docker.socket").split() == ["active", "active"]
