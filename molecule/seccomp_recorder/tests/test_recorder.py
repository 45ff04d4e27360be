# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A recorded workload does its work under its own policy, where everything else is refused; no log, no policy."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "daemon_baseline"))

from findings import load, name_of

RUN = "docker run --rm --network none -v /usr:/usr:ro --security-opt seccomp=/etc/docker/seccomp/{}.json local/host"
ASK = "for n in $(/busybox seq 200); do /busybox wget -qO - http://127.0.0.1:8000 && exit; /busybox usleep 300000; done"
SERVE = f"python3 -m http.server 8000 --directory /usr/share & {ASK}"


def is_machine(host):
    return "-machine" in name_of(host)


def test_recorded_calls_are_few_and_named(host):
    said = load(host, "recorded")
    if not is_machine(host):
        assert "policies" not in said
        assert "this host is a container" in said["msg"]
        return
    [policy] = said["policies"]
    assert policy["base"] == "minimal"
    assert {"socket", "bind", "listen", "accept4"} <= set(policy["allow"])
    assert 20 < len(policy["allow"]) < 120
    assert not {"ptrace", "mount", "keyctl", "unshare", "init_module"} & set(policy["allow"])
    assert any("python3" in program for program in said["programs"])
    assert said["verified"] is True
    assert set(load(host, "written")["profiles"][0]["tried"]) >= {"keyctl", "ptrace"}


def test_workload_serves_under_its_policy_and_is_refused_the_rest(host):
    if not is_machine(host):
        assert host.run("docker images --quiet bulwark-probe").stdout == ""
        return
    assert "Directory listing" in host.check_output(f"{RUN.format('web')} /busybox sh -c '{SERVE}'")
    attempt = "/busybox mkdir /made && echo made"
    assert host.check_output(f"{RUN.format('hardened')} /busybox sh -c '{attempt}'") == "made"
    refused = host.run(f"{RUN.format('web')} /busybox sh -c '{attempt}'")
    assert refused.rc != 0
    assert "Operation not permitted" in refused.stderr


def test_kernel_that_does_not_log_is_refused(host):
    if is_machine(host):
        assert "kernel.seccomp.actions_logged" in load(host, "unlogged")["msg"]
        assert host.check_output("docker ps --all --quiet --filter label=bulwark.probe") == ""
    assert host.run("docker info").rc == 0
