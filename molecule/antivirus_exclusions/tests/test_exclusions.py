# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scanners themselves see, before and after."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from findings import inside, load, look

SCANNERS = ("clamd", "aide", "updatedb", "rkhunter", "on_access")
LOOK_ALIKES = ("/var/lib/docker-backup/planted-virus", "/srv/var/lib/docker/planted-virus")


@pytest.fixture(scope="module")
def after(host):
    return look(host)


@pytest.mark.parametrize("scanner", SCANNERS)
def test_scanner_saw_the_engines_data_before(host, scanner):
    assert inside(host, load(host, "before")["seen"][scanner])


@pytest.mark.parametrize("scanner", SCANNERS)
def test_scanner_cannot_see_the_engines_data_any_more(host, after, scanner):
    assert inside(host, after[scanner]) == []


@pytest.mark.parametrize("scanner", SCANNERS)
def test_scanner_sees_everything_else_as_before(host, after, scanner):
    before = load(host, "before")["seen"][scanner]
    outside = sorted(set(before) - set(inside(host, before)))
    assert outside
    assert set(outside) <= set(after[scanner])


@pytest.mark.parametrize("path", LOOK_ALIKES)
@pytest.mark.parametrize("scanner", ["clamd", "aide", "updatedb"])
def test_directory_with_a_similar_name_is_scanned(after, scanner, path):
    assert path in after[scanner]


def test_parent_of_the_data_is_scanned(host, after):
    parent = str(Path(load(host, "before")["root"]).parent) + "/planted-virus"
    assert parent in after["clamd"]
    assert parent in after["aide"]


def test_on_access_denies_everything_but_the_engines_data(host, after):
    paths = [path for path in after["planted"] if path.startswith(("/srv", "/home"))]
    assert sorted(set(paths) - set(inside(host, paths))) == after["on_access"]
    assert len(after["on_access"]) >= 3


def test_stand_in_for_defender_was_told_the_same_directories(host, after):
    result = host.ansible("bulwark.docker.antivirus_exclusions", check=True)
    assert result["changed"] is False
    assert after["defender"] == sorted(path + "/" for path in result["excluded"])
    assert load(host, "before")["root"] in result["excluded"]


def test_forecast_changed_nothing_and_named_what_came(host):
    kept = load(host, "before")
    assert kept["forecast"]["changed"] is True
    for difference in kept["forecast"]["diff"]:
        path = difference["after_header"]
        if path.startswith("/"):
            assert host.file(path).content_string == difference["after"]
    assert len(kept["forecast"]["diff"]) == 5


def test_aide_itself_says_that_a_path_is_left_out(host):
    ask = "aide --config=/etc/aide/aide.conf --path-check="
    assert host.run(f"{ask}d:{load(host, 'before')['root']}").rc == 1
    assert host.run(f"{ask}d:/var/lib/docker-backup").rc == 0


def test_configuration_that_the_scanner_refuses_is_put_back(host):
    path = "/etc/aide/aide.conf"
    before = host.file(path).content_string
    broken = {
        "name": "broken",
        "program": "aide",
        "file": path,
        "lines": ["no such rule {path} ("],
        "check_command": ["aide", "--config={file}", "--config-check"],
    }
    options = json.dumps({"scanners": ["broken"], "other_scanners": [broken]})
    result = host.ansible("bulwark.docker.antivirus_exclusions", options, check=False)
    assert "put back as it was" in result["msg"]
    assert host.file(path).content_string == before
