# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks that worked are refused, refusals touched nothing, and named profiles do what their policies say."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "daemon_baseline"))

from findings import attack, load, name_of

ALL = 14
# The role's own default leaves these to the engine: ordinary 32-bit programs and debuggers need the calls.
LEFT_BY_DEFAULT = {"seccomp.host_sockets_of_32_bit_programs", "seccomp.debugging"}
IO_URING_SETUP = """import ctypes
library = ctypes.CDLL(None, use_errno=True)
print(library.syscall(425, 1, ctypes.create_string_buffer(256)) > 0, ctypes.get_errno())
"""
SOFT = {"debian12-container": LEFT_BY_DEFAULT}
WORDS = {
    "what the administrator set is not overridden": "the administrator has set it to",
    "no reason is given for more than the engine allows": "more than the engine's own profile: keyctl",
    "it is none at all": "[filter_off]",
    "no program can start": "no container runs under it",
    "two have one name": "it is asked for twice",
    "it has the name of the default one": "default.json: it is asked for twice",
}


def runs(host, profile):
    """What io_uring_setup gives in a container under a named profile, None for the default one."""
    option = f"--security-opt seccomp={profile}" if profile else ""
    mounts = "-v /usr:/usr:ro"
    command = f"docker run --rm --network none {option} {mounts} local/host python3 -I -S -c '{IO_URING_SETUP}'"
    return host.check_output(command)


def module(host, options, check=False):
    return host.ansible("bulwark.docker.seccomp_profile", json.dumps(options), check=check)


def test_forecast_and_refusals_on_the_virgin_host_left_no_trace(host):
    kept = load(host, "before")
    assert kept["forecast"]["changed"] is True
    assert [entry["exists"] for entry in kept["forecast"]["profiles"]] == [False, False]
    assert len(kept["files_before"]) > 5
    assert kept["files_before"] == kept["files_after"]


def test_wrong_profiles_were_refused_with_the_reason(host):
    said = load(host, "before")["refusals"]
    assert set(said) == set(WORDS)
    assert {name: text for name, text in said.items() if WORDS[name] not in text} == {}


def test_attacks_that_worked_are_refused(host):
    before = {result["id"]: result["verdict"] for result in load(host, "before")["results"]}
    assert before == dict.fromkeys(before, "not_blocked")
    assert len(before) == ALL
    after = {probe: result["verdict"] for probe, result in attack(host, "seccomp").items()}
    left = SOFT.get(name_of(host), set())
    assert after == {probe: "not_blocked" if probe in left else "blocked" for probe in before}


def test_engine_was_restarted_once_and_runs_with_the_profile_on_disk(host):
    starts = host.check_output("journalctl --unit=docker.service --output=cat --grep='Starting up'").splitlines()
    assert len(starts) == load(host, "before")["starts"] + 1
    configured = json.loads(host.check_output("cat /etc/docker/daemon.json"))
    assert configured["labels"] == ["site=here"]
    shown = host.check_output("docker info --format '{{.SecurityOptions}}'")
    assert f"name=seccomp,profile={configured['seccomp-profile']}" in shown
    files = host.check_output("ls /etc/docker/seccomp").split()
    assert files == [configured["seccomp-profile"].rpartition("/")[2], "hardened.json", "ring.json"]


def test_named_profile_allows_what_was_waived_and_the_others_refuse_it(host):
    assert runs(host, "/etc/docker/seccomp/ring.json") == "True 0"
    assert runs(host, "/etc/docker/seccomp/hardened.json") == "False 1"
    assert runs(host, None) == "False 1"
    waived = "waived: a database that was measured" in host.check_output("cat /etc/docker/seccomp/ring.json")
    # Engine 20.10 allows these calls itself, so that nothing has to be waived there.
    assert waived is (name_of(host) != "debian12-container")


def test_run_without_changes_starts_no_container(host):
    asked = {"profiles": [{"name": "hardened", "policies": [{"base": "hardened"}]}]}
    start = host.check_output("sleep 1; date +%s")
    assert module(host, asked)["changed"] is False
    events = "sleep 1; docker events --since {} --until $(date +%s) --filter type=container --format {{{{.Action}}}}"
    assert host.check_output(events.format(start)) == ""
    host.check_output("docker run --rm --network none local/host /busybox true")
    assert "start" in host.check_output(events.format(start)).splitlines()


def test_profile_of_an_older_engine_is_found_after_an_upgrade_and_no_longer_lets_attacks_through(host):
    if name_of(host) == "debian12-container":
        return
    asked = {"profiles": [{"name": "old", "policies": [{"base": "engine"}]}], "probe": False}
    assert module(host, {**asked, "engine_version": "20.10.24"})["changed"] is True
    assert runs(host, "/etc/docker/seccomp/old.json") == "True 0"
    [found] = module(host, asked, check=True)["profiles"]
    assert "was made for engine 20.10.24" in found["drift"]
    assert "it allows io_uring_enter, io_uring_register, io_uring_setup" in found["drift"]
    assert module(host, asked)["changed"] is True
    assert runs(host, "/etc/docker/seccomp/old.json") == "False 1"
    assert module(host, asked)["profiles"][0]["drift"] == ""
