# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After the removal everything of before is there again, and what was made meanwhile has come along.

At the end an engine shows what its own user of the word default gets beside somebody who has ids already.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from findings import LATER, attack, load, look, name_of


def is_later(host):
    return name_of(host).startswith(LATER)


def test_images_volumes_and_containers_are_those_of_the_start(host):
    before, now = load(host, "before")["engine"], look(host)
    assert (now["mapped"], now["root"]) == (False, "/var/lib/docker")
    later = {line for line in now["images"] if line.endswith("local/later:1")}
    assert sorted(set(now["images"]) - later) == before["images"]
    assert len(later) == int(is_later(host))
    assert now["containers"] == before["containers"]
    assert {name: now["volumes"][name] for name in before["volumes"]} == before["volumes"]
    more = set(now["volumes"]) - set(before["volumes"])
    assert more == ({"later", "data-mapped-1"} if is_later(host) else set())


def test_what_was_made_meanwhile_has_come_with_its_owners(host):
    wanted = "changed\nnew\nnew" if is_later(host) else "secret"
    place = "data-mapped-1:/data -v later:/later local/later:1" if is_later(host) else "data:/data local/app:2"
    more = " /later/file /layer3" if is_later(host) else ""
    said = host.check_output(f"docker run --rm -v {place} cat /data/of-root{more}")
    assert said == wanted


def test_files_of_before_are_back(host):
    assert not host.file("/etc/docker/daemon.json").exists
    assert not host.file("/var/lib/bulwark-docker").exists
    seen = host.check_output("stat --format '%a %u:%g' /var/lib/docker")
    before = [line for line in load(host, "before")["files_before"] if line.startswith("/var/lib/docker d ")]
    assert before
    assert seen == "{2} {3}:{4}".format(*before[0].split())
    accounts = host.check_output("sha256sum /etc/passwd /etc/group /etc/shadow /etc/gshadow /etc/subuid /etc/subgid")
    assert accounts.splitlines() == load(host, "before")["accounts"].splitlines()


def test_attacks_work_again(host):
    found = attack(host)
    assert len(found) >= 5
    assert {name: result["verdict"] for name, result in found.items()} == dict.fromkeys(found, "not_blocked")


@pytest.fixture
def own_default(host):
    host.check_output("mkdir -p /etc/docker")
    host.check_output('echo \'{"userns-remap": "default"}\' > /etc/docker/daemon.json')
    host.check_output("systemctl reset-failed docker.service; systemctl restart docker.service")
    yield
    host.check_output("rm /etc/docker/daemon.json; systemctl reset-failed docker.service")
    host.check_output("systemctl restart docker.service")


def test_engines_own_user_gets_the_ids_of_somebody_else_from_28_on(host, own_default):
    """Why the role makes user and ranges itself, and never writes the word default."""
    version = json.loads(host.check_output("docker version --format '{{json .Server.Version}}'"))
    [line] = [text for text in host.file("/etc/subuid").content_string.splitlines() if text.startswith("dockremap:")]
    start = int(line.split(":")[1])
    assert (start < 165536) is (int(version.partition(".")[0]) >= 28), line
