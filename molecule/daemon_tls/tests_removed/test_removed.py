# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After the removal: no port, no keys, and the host as it was."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from strangers import load

ENGINE_FILES = ("/etc/docker", "/etc/systemd", "/etc/default", "/usr/lib/systemd", "/usr/local", "/var/lib/bulwark")


def listed(lines):
    return sorted(" ".join(line.split()[:6]) for line in lines if line.startswith(ENGINE_FILES) and " d " not in line)


def test_port_refuses_everybody(host):
    assert host.run("curl -sS --max-time 5 --insecure https://127.0.0.1:2376/_ping").rc == 7
    assert not host.socket("tcp://127.0.0.1:2376").is_listening


def test_files_are_as_before(host):
    before = listed(load(host, "before")["files_before"])
    paths = "/etc/docker /etc/systemd /etc/default /usr/lib/systemd /usr/local /var/lib"
    now = host.check_output(f"find {paths} -xdev -printf '%p %y %m %U %G %s\\n'").splitlines()
    assert len(before) > 100
    assert listed(now) == before


def test_nothing_of_the_clients_is_left(host):
    homes = "/root/.docker /home/alice/.docker /home/bob/.docker"
    assert host.check_output(f"find {homes} /srv/metrics ! -type d") == ""
    kept = host.check_output("cat /home/bob/.ssh/config")
    assert kept == "Host elsewhere.example.org\n    User robert"
    fetched = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "fetched"
    assert list(fetched.iterdir()) == []


def test_unix_socket_serves_as_before(host):
    assert host.check_output("stat --format '0%a %G' /run/docker.sock").split() == load(host, "before")["socket"]
    assert host.check_output("docker info --format '{{.ServerVersion}}'") != ""
    assert host.service("docker.socket").is_running
