# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing a profile and giving back what was there, on a host in memory."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError, HostError, RefusedError
from ansible_collections.bulwark.docker.plugins.module_utils._instance import system_instance
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_apply import (
    Request,
    Wish,
    apply_profiles,
    drop_unset,
    profile_path,
)
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_profile import compose_profile, profile_text
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.memory_host import CONFIG_PATH, File, Killed
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.seccomp_host import SeccompHost

PATH = "/etc/docker/seccomp/a.json"
RECORD = "/var/lib/bulwark-docker/system/seccomp.json"
HARDENED = profile_text(compose_profile({"base": "hardened"}, "26.1.5"))
ENGINE = profile_text(compose_profile({"base": "engine"}, "26.1.5"))


WISHES = ("path", "policies", "content", "waivers", "accept", "by_content")


def run_all(host: SeccompHost, *wishes: Wish, **options: Any) -> dict[str, Any]:
    """One run of the module's core."""
    plain: dict[str, Any] = {
        "instance": system_instance(),
        "paths": (),
        "present": True,
        "exclusive": False,
        "engine_version": "",
        "probe": True,
        "run_id": "abc123",
        "check_mode": False,
    }
    return apply_profiles(host, Request(wishes=wishes, **{**plain, **options}))


def run(host: SeccompHost, **options: Any) -> dict[str, Any]:
    """One run about one profile; its result together with that of the run."""
    plain: dict[str, Any] = {"path": PATH, "policies": ({"base": "hardened"},)}
    if "content" in options:
        plain["policies"] = None
    wish = Wish(**{**plain, **{name: value for name, value in options.items() if name in WISHES}})
    done = run_all(host, wish, **{name: value for name, value in options.items() if name not in WISHES})
    [single] = done["profiles"] or [{}]
    [diff] = done.get("diff") or [{}]
    return {**single, **done, "diff": diff} if diff else {**single, **done}


def test_a_profile_is_tried_and_written_once() -> None:
    host = SeccompHost()
    first = run(host)
    assert first["changed"]
    assert "keyctl" in first["tried"]
    assert (first["engine_version"], first["findings"], first["warnings"]) == ("26.1.5", [], [])
    written = host.files[PATH]
    assert (written.data, written.mode, written.uid) == (HARDENED, 0o644, 0)
    mutations, started = len(host.mutations), len(host.trial.started)
    again = run(host)
    assert (again["changed"], again["tried"], "diff" in again) == (False, [], False)
    assert (len(host.mutations), len(host.trial.started)) == (mutations, started)


def test_check_mode_changes_and_starts_nothing() -> None:
    host = SeccompHost()
    found = run(host, check_mode=True)
    assert (found["changed"], found["exists"]) == (True, False)
    assert run(SeccompHost())["exists"]
    assert found["diff"]["after"] == HARDENED.decode()
    assert (host.mutations, host.trial.started) == ([], [])


def test_only_the_mode_is_put_right_without_a_container() -> None:
    host = SeccompHost()
    run(host)
    host.files[PATH].mode = 0o600
    started = len(host.trial.started)
    assert run(host)["changed"]
    assert host.files[PATH].mode == 0o644
    assert len(host.trial.started) == started


def test_a_profile_that_fails_its_trial_leaves_the_old_one() -> None:
    host = SeccompHost()
    run(host, policies=({"base": "engine"},), probe=False)
    files = {path: entry.data for path, entry in host.files.items()}
    host.trial.filtered = dict(host.trial.free)
    with pytest.raises(RefusedError, match="is declared to give"):
        run(host)
    assert {path: entry.data for path, entry in host.files.items()} == files
    assert files[PATH] == ENGINE


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"content": "{}"}, r"it has mistakes; correct it\nCheck /etc.*no filter at all.*\[filter_off\]"),
        ({"content": ENGINE.decode().replace("SCMP_CMP_NE", "NE")}, r"\[operator_unknown\]"),
        ({"policies": ({"allow": ["keyctl"]},)}, "more than the engine's own profile: keyctl"),
        ({"policies": ({"deny": ["files"]},)}, r"no container starts without .*openat.*\[essential_missing\]"),
        (
            {"policies": ({}, {"allow": ["x"]})},
            "the policy number 2 for /etc/docker/seccomp/a.json, allow: 'x' is neither",
        ),
        ({"policies": None}, "nothing to write; give policies or content"),
        ({"engine_version": "19.3"}, r"engine 19\.3\.0 is older"),
    ],
)
def test_what_is_refused_before_anything_is_touched(options: dict[str, Any], words: str) -> None:
    host = SeccompHost()
    with pytest.raises((ConfigError, RefusedError), match=words):
        run(host, **options)
    assert (host.mutations, host.trial.started) == ([], [])


def test_weak_profiles_need_a_word() -> None:
    wide = json.loads(ENGINE)
    wide["syscalls"].append({"names": ["keyctl"], "action": "SCMP_ACT_ALLOW"})
    wide["comment"] = "mine"
    text = json.dumps(wide)
    with pytest.raises(RefusedError, match=r"(?s)\[field_unknown\].*\[takeover_allowed\]"):
        run(SeccompHost(), content=text)
    with pytest.raises(RefusedError, match=r"name the word in brackets in accept.*\n.*\[field_unknown\]$"):
        run(SeccompHost(), content=text, waivers={"keyctl": "ticket"})
    done = run(SeccompHost(), content=text, waivers={"keyring": "ticket"}, accept=("field_unknown",), probe=False)
    assert done["changed"]
    assert [finding["code"] for finding in done["findings"]] == ["field_unknown"]
    assert "[field_unknown]" in done["warnings"][0]
    assert done["waived"] == [{"call": "keyring", "reason": "ticket"}]


def test_engines_that_were_not_measured_are_named() -> None:
    host = SeccompHost()
    done = run(host, engine_version="29.7.2", probe=False)
    assert "29.7.2 is newer than 28.5.2" in done["warnings"][0]


def test_an_engine_that_is_down() -> None:
    host = SeccompHost()
    host.down = True
    host.engine.stop()
    host.socket_lost = True
    with pytest.raises(HostError, match="or name the version with engine_version"):
        run(host)
    assert run(host, engine_version="26.1.5", probe=False)["changed"]
    assert run(host, present=False)["changed"]


def test_absent_gives_back_what_was_there() -> None:
    host = SeccompHost()
    host.directories["/etc/docker/seccomp"] = 0.0
    host.files[PATH] = File(b"old", 0o600, 5, 6)
    run(host)
    run(host, policies=({"base": "engine"},), probe=False)
    assert run(host, present=False, check_mode=True)["changed"]
    assert host.files[PATH].data == ENGINE
    gone = run(host, present=False)
    assert (gone["changed"], gone["diff"]["after"]) == (True, "old")
    back = host.files[PATH]
    assert (back.data, back.mode, back.uid, back.gid) == (b"old", 0o600, 5, 6)
    assert RECORD not in host.files
    assert not run(host, present=False)["changed"]


def test_absent_removes_the_directory_that_was_made_after_the_last_profile() -> None:
    host = SeccompHost()
    run(host)
    run(host, path=PATH.replace("a.json", "b.json"))
    run(host, present=False)
    assert "/etc/docker/seccomp" in host.directories
    run(host, present=False, path=PATH.replace("a.json", "b.json"))
    assert "/etc/docker/seccomp" not in host.directories
    assert not [name for name in (*host.files, *host.directories) if "bulwark-docker" in name]


def test_absent_leaves_what_is_not_ours() -> None:
    host = SeccompHost()
    host.files[PATH] = File(b"foreign")
    left = run(host, present=False)
    assert (left["changed"], host.files[PATH].data) == (False, b"foreign")
    assert "was not written by this module" in left["warnings"][0]
    run(host)
    host.files[PATH].data = b"changed by hand"
    with pytest.raises(RefusedError, match="it was changed by somebody since it was written"):
        run(host, present=False)
    assert host.files[PATH].data == b"changed by hand"


def test_absent_keeps_a_profile_that_containers_need() -> None:
    host = SeccompHost(json.dumps({"seccomp-profile": PATH}).encode())
    run(host)
    with pytest.raises(RefusedError, match=r"seccomp-profile names it .*no container would start any more"):
        run(host, present=False)
    host.files[CONFIG_PATH].data = b"{}"
    host.trial.info["SecurityOptions"] = [f"name=seccomp,profile={PATH}"]
    with pytest.raises(RefusedError, match="the running engine was started with it"):
        run(host, present=False)
    host.trial.info["SecurityOptions"] = ["name=seccomp,profile=builtin"]
    assert run(host, present=False)["changed"]


def test_a_run_that_is_killed_anywhere_can_be_taken_back() -> None:
    points = 0
    for number in range(1, 20):
        host = SeccompHost()
        run(host, policies=({"base": "engine"},), probe=False)
        before = len(host.mutations)
        host.kill_after = before + number
        try:
            run(host, probe=False)
        except Killed:
            points += 1
        else:
            break
        host.kill_after = None
        assert host.files[PATH].data in (ENGINE, HARDENED)
        assert run(host, present=False)["changed"]
        assert PATH not in host.files
    assert points >= 3


def test_a_record_of_somebody_else() -> None:
    host = SeccompHost()
    for text in (b"{", b"[]", b'{"format": 2, "profiles": {}}', b'{"format": 1, "profiles": {"x": {}}}'):
        host.files[RECORD] = File(text)
        with pytest.raises(ConfigError, match="read what is remembered of seccomp profiles"):
            run(host, probe=False)


def test_options_that_were_not_given_are_left_out() -> None:
    given = [{"base": "engine", "allow": None, "rules": [{"calls": ["read"], "errno": None}]}]
    assert drop_unset(given) == ({"base": "engine", "rules": ({"calls": ("read",)},)},)
    assert drop_unset(None) is None


def paths_of(done: dict[str, Any]) -> list[str]:
    return [entry["path"] for entry in done["profiles"]]


def test_many_profiles_are_one_trial_and_all_or_none() -> None:
    host = SeccompHost()
    wishes = [Wish(profile_path("/etc/docker/seccomp", name), ({"base": "hardened"},)) for name in ("a", "b", "c")]
    done = run_all(host, *wishes)
    assert paths_of(done) == [wish.path for wish in wishes]
    assert host.trial.profiles == ["unconfined", *[HARDENED.decode()] * 3]
    assert [diff["after_header"] for diff in done["diff"]] == paths_of(done)
    broken = Wish("/etc/docker/seccomp/d.json", None, "{}")
    mutations = list(host.mutations)
    with pytest.raises(RefusedError, match=r"d\.json: it has mistakes"):
        run_all(host, Wish(wishes[0].path, ({"base": "engine"},)), broken)
    host.trial.filtered["keyctl"] = [0, -1, 22]
    with pytest.raises(RefusedError, match=r"try the seccomp profile .*e\.json: keyctl is declared"):
        run_all(host, *wishes, Wish("/etc/docker/seccomp/e.json", ({"base": "hardened"},)))
    assert host.mutations == mutations
    with pytest.raises(ConfigError, match="it is asked for twice"):
        run_all(host, wishes[0], wishes[0])


def test_new_content_is_a_new_file_and_the_old_one_goes_when_the_engine_has_let_go_of_it() -> None:
    host = SeccompHost()
    old = run(
        host, path="/etc/docker/seccomp/default.json", policies=({"base": "engine"},), by_content=True, probe=False
    )
    first = old["path"]
    assert first != run(host, by_content=True)["path"]
    host.files[CONFIG_PATH] = File(json.dumps({"seccomp-profile": first}).encode())
    wish = Wish("/etc/docker/seccomp/default.json", ({"base": "hardened"},), by_content=True)
    done = run_all(host, wish, exclusive=True)
    assert done["left"] == [first]
    assert done["removed"] == [paths_of(run_all(host, wish._replace(path=PATH), check_mode=True))[0]]
    [second] = paths_of(done)
    assert {first, second} < set(host.files)
    assert done["diff"][0]["before"] == ENGINE.decode()
    again = run_all(host, wish, exclusive=True)
    assert (again["changed"], again["left"]) == (False, [first])
    kept = run_all(host, paths=(first,), present=False)
    assert (kept["changed"], kept["left"]) == (False, [first])
    host.files[CONFIG_PATH].data = json.dumps({"seccomp-profile": second}).encode()
    assert run_all(host, paths=(first,), present=False)["removed"] == [first]
    assert first not in host.files
    gone = run_all(host, exclusive=True)
    assert (gone["changed"], gone["left"], gone["engine_version"]) == (False, [second], "")


def test_drift_after_an_upgrade_is_named() -> None:
    host = SeccompHost()
    policy = ({"base": "engine"},)
    run(host, policies=policy, engine_version="20.10.24", probe=False)
    found = run(host, policies=policy, check_mode=True)
    assert re.search(
        r"a\.json was made for engine 20\.10\.24, and 26\.1\.5 is there: it allows io_uring_", found["drift"]
    )
    assert "it lacks cachestat" in found["drift"]
    assert found["drift"] in found["warnings"]
    assert run(host, policies=policy, probe=False)["drift"] == found["drift"]
    assert run(host, policies=policy)["drift"] == ""
    assert run(host)["drift"] == ""


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b"])
def test_names_that_are_no_names_of_files(name: str) -> None:
    with pytest.raises(ConfigError, match="use letters, digits, dots"):
        profile_path("/etc/docker/seccomp", name)


def test_directories_are_absolute() -> None:
    with pytest.raises(ConfigError, match="directory is 'x'; give an absolute path"):
        profile_path("x", "a")
