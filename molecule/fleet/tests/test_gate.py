# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate between two batches: what a host may not lose, and checks of one's own."""

from __future__ import annotations

import pytest

from ansible_collections.bulwark.docker.molecule.fleet.tests.conftest import NAMES

FIRST, SECOND, THIRD, FOURTH = NAMES
KILLER = "/etc/systemd/system/docker.service.d/killer.conf"
# From the host's own address, as somebody who took it off the network.
LOSING = """
- name: Lose the host
  when: inventory_hostname == "{name}"
  block:
    - name: Look for it elsewhere
      ansible.builtin.set_fact:
        ansible_host: 127.0.0.1
        ansible_port: 1

    - name: Ask it
      ansible.builtin.ping:
"""


@pytest.fixture
def container(fleet):
    """A container on the first host that does not come through a restart of the engine."""
    fleet.start_container(FIRST)
    drop_in = '[Service]\\nExecStartPost=/bin/sh -c "docker kill web || true"\\n'
    fleet.run(FIRST, f"mkdir -p $(dirname {KILLER}); printf '{drop_in}' > {KILLER}; systemctl daemon-reload")
    yield
    fleet.run(FIRST, f"rm -f {KILLER}; systemctl daemon-reload; docker rm -f web")


@pytest.mark.usefixtures("container")
def test_lost_container_is_refused_and_the_next_batch_is_spared(fleet):
    assert fleet.run(FIRST, "docker inspect --format '{{.State.Running}}' web") == "true"
    refused = fleet.harden([FIRST, SECOND], bulwark_health_deadline=3)
    assert refused.status != 0
    assert refused.failed() == [FIRST], refused.text
    assert "the container web ran before and does not run now" in refused.text
    assert SECOND not in refused.hosts
    assert not fleet.is_hardened(SECOND)


@pytest.mark.usefixtures("container")
def test_container_that_comes_and_goes_holds_nothing_up(fleet):
    done = fleet.harden([FIRST, SECOND], bulwark_health_ignore=["w*"], bulwark_health_deadline=3)
    assert done.status == 0, done.text
    assert fleet.run(FIRST, "docker inspect --format '{{.State.Running}}' web") == "false"
    assert fleet.is_hardened(SECOND)


def test_own_check_that_fails_blocks_the_next_batch(fleet):
    check = {"bulwark_health_command": ["test", "-e", "/run/answers"], "bulwark_health_delay": 1}
    refused = fleet.harden([FIRST, SECOND], bulwark_health_retries=1, **check)
    assert refused.failed() == [FIRST], refused.text
    assert "Ask the host's own check" in refused.text
    assert SECOND not in refused.hosts
    for name in (FIRST, SECOND):
        fleet.run(name, "touch /run/answers")
    passed = fleet.harden([FIRST, SECOND], bulwark_health_retries=1, **check)
    assert passed.status == 0, passed.text
    assert passed.hosts[FIRST].changed == 0
    assert fleet.is_hardened(SECOND)


def test_host_that_became_unreachable_blocks_the_next_batch(fleet):
    tasks = fleet.folder / "lose.yml"
    tasks.write_text(LOSING.format(name=FIRST), "utf-8")
    done = fleet.harden(
        [FIRST, SECOND, THIRD],
        bulwark_serial=[2, 1],
        bulwark_health_tasks=str(tasks),
        bulwark_max_fail_percentage=50,
    )
    assert done.status != 0
    assert done.hosts[FIRST].unreachable == 1, done.text
    assert f"{FIRST} answered before the change" in done.text
    assert THIRD not in done.hosts
    assert [fleet.is_hardened(name) for name in (SECOND, THIRD)] == [True, False]
