# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Engines of two users, on a machine that hardens the system's engine too."""

from __future__ import annotations

USERS = ("ann", "bob")


def test_engines_of_users_refuse_attacks_too(host):
    for name in USERS:
        answer = host.ansible("bulwark.docker.enforcement_probe", f"probes=rootless user={name}", check=False)
        assert answer["counts"]["run"] == answer["counts"]["blocked"] == 7, answer["results"]
    owners = {int(uid) for uid in host.check_output("ps -o uid= -C dockerd").split()}
    assert owners == {0, *(host.user(name).uid for name in USERS)}


def test_socket_of_a_user_is_refused_to_another_one(host):
    for name in USERS:
        ask = f"curl -s -m 20 --unix-socket /run/user/{host.user(name).uid}/docker.sock http://engine/_ping"
        assert host.check_output(ask) == "OK"
        assert host.run(f"setpriv --reuid=65534 --clear-groups {ask}").rc == 7


def test_container_of_a_user_is_killed_when_it_takes_more_memory_than_its_limit(host):
    fill = "mkdir -p /srv/proof/box/bin && cp /bin/busybox /srv/proof/box/bin/"
    assert host.run(fill).rc == 0
    made = "tar -C /srv/proof/box -c . | docker import - local/box"
    assert host.run("su - ann -c %s", made).rc == 0
    take = "docker run --rm -m 32m --memory-swap 32m local/box /bin/busybox dd if=/dev/zero of=/dev/null count=1 bs=%s"
    assert host.run("su - ann -c %s", take % "4M").rc == 0
    much = host.run("su - ann -c %s", take % "256M")
    assert much.rc == 137, much
    assert host.run("journalctl --dmesg --grep 'Memory cgroup out of memory' --lines=1").rc == 0


def test_port_of_a_users_container_answers_and_is_refused_afterwards(host):
    run = "docker run -d --rm --name web -p 127.0.0.1:81:8000 local/box /bin/busybox httpd -f -p 8000 -h /bin"
    started = host.run("su - ann -c %s", run)
    assert started.rc == 0, started
    got = host.run("curl -s -m 5 --retry 9 --retry-connrefused -o /dev/null -w %{http_code} 127.0.0.1:81/busybox")
    assert got.stdout == "200", got
    assert host.run("su - ann -c 'docker rm -f web'").rc == 0
    assert host.run("curl -s -m 5 127.0.0.1:81/busybox").rc == 7
