# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test hosts are what the other scenarios take them for."""

from __future__ import annotations

import json
import time

import pytest

GENERATIONS = {"debian12": "20.10.", "debian13": "26.1.", "testing": "28."}
KERNELS = {"debian12": "6.1.", "debian13": "6.12.", "testing": "7."}
VERSION = "curl -sS --max-time 20 --unix-socket /run/docker.sock http://localhost/version"


def name_of(host):
    return host.backend.get_pytest_id().removeprefix("ansible://")


@pytest.fixture
def suite(host):
    return name_of(host).partition("-")[0]


@pytest.fixture
def is_machine(host):
    return "-machine" in name_of(host)


def test_engine_is_of_the_expected_generation(host, suite, record_property):
    version = json.loads(host.check_output(VERSION))["Version"]
    record_property("engine", version)
    assert version.startswith(GENERATIONS[suite])


def test_system_is_up_without_a_failed_unit(host):
    assert host.check_output("systemctl is-system-running") == "running"


def test_container_runs_from_an_imported_file_system(host):
    host.check_output(
        "mkdir -p /tmp/image/bin && cp /bin/busybox /tmp/image/bin/sh && tar -C /tmp/image -c . | docker import - smoke"
    )
    assert host.check_output("docker run --rm --network none smoke /bin/sh -c 'echo $((6 * 7))'") == "42"


def test_local_user_is_refused_by_the_engine_socket(host):
    assert host.run(VERSION).rc == 0
    refused = host.run(f"runuser -u nobody -- {VERSION}")
    assert refused.rc == 7
    assert "Version" not in refused.stdout


def test_no_route_leads_outside(host):
    for address in ("192.0.2.1", "198.51.100.1", "2001:db8::1"):
        answer = host.run(f"ip route get {address}")
        assert answer.rc != 0
        assert "unreachable" in answer.stderr
    # The same question has an answer for what is inside.
    assert host.run("ip route get 127.0.0.1").rc == 0


def test_fresh_disk_has_no_trace_of_an_earlier_run(host):
    assert host.check_output("ls /etc/os-release /var/lib/docker") != ""
    assert host.run("ls /etc/bulwark-trace").rc == 2
    assert host.run("ls /var/lib/docker/bulwark-trace").rc == 2


def test_clock_is_right(host):
    assert abs(float(host.check_output("date +%s")) - time.time()) < 15


def test_machine_has_the_distributions_kernel_with_apparmor(host, suite, is_machine):
    kernel = host.check_output("uname -r")
    if is_machine:
        assert kernel.startswith(KERNELS[suite])
        package = host.check_output(f"dpkg-query -W -f '${{Version}}' linux-image-{kernel}")
        assert package in host.check_output("uname -v")
        assert host.check_output("cat /sys/module/apparmor/parameters/enabled") == "Y"
        assert "name=apparmor" in host.check_output("docker info --format '{{.SecurityOptions}}'")
        assert "docker-default" in host.check_output("cat /sys/kernel/security/apparmor/profiles")
    else:
        # A container borrows the outer machine's kernel, whatever that is.
        assert host.check_output("cat /proc/1/environ | tr '\\0' '\\n' | grep ^container=") == "container=bulwark"


def test_offline_package_is_installed_from_the_baked_in_repository(host, is_machine):
    assert host.run("command -v jq").rc != 0
    host.check_output("DEBIAN_FRONTEND=noninteractive apt-get -q -y install jq auditd")
    assert host.check_output("jq --version").startswith("jq-")
    if is_machine:
        assert host.service("auditd").is_running
        assert "enabled 1" in host.check_output("auditctl -s")
