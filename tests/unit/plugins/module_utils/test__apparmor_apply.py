# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing profiles into force, with a kernel in memory that shows what it was given."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._apparmor_apply import RECORD, Request, apply_profiles
from ansible_collections.bulwark.docker.plugins.module_utils._errors import (
    ConfigError,
    ConflictError,
    HostError,
    RefusedError,
)
from ansible_collections.bulwark.docker.plugins.module_utils._instance import rootless_instance, system_instance
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.apparmor_host import (
    TEMPLATE_LOADED,
    AppArmorHost,
)

WEB = {"files": "all", "network": ["inet stream"]}
TEXT = """abi <abi/3.0>,
profile docker-web flags=(attach_disconnected) {
  signal,
  capability setuid,
  /usr/bin/a rmix,
}
"""
PATH = "/etc/apparmor.d/docker-web"


def run(host: AppArmorHost, profiles: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    request = Request(
        present=True,
        instance=system_instance(),
        profiles={"docker-web": WEB} if profiles is None else profiles,
        shipped=(),
        fail_when_missing=True,
        refresh_default=True,
        allow_unconfined=False,
        check_mode=False,
    )
    return apply_profiles(host, request._replace(**changes))


def loads(host: AppArmorHost) -> list[list[str]]:
    return [words for words in host.commands if "--replace" in words or "--remove" in words]


def test_profile_is_written_loaded_and_read_back() -> None:
    host = AppArmorHost()
    said = run(host)
    assert (said["changed"], said["state"]) == (True, "loaded")
    assert host.kernel["docker-web"] == ("enforce", host.files[PATH].decode())
    assert said["profiles"][0]["compiled"].startswith("sha256:")
    assert said["snippets"]["docker-web"]["run"] == "docker run --security-opt apparmor=docker-web"
    assert host.locked == ["/run/bulwark-docker/apparmor.lock"]
    assert [entry["after_header"] for entry in said["diff"]] == [PATH, "profiles of the kernel"]


def test_all_profiles_are_one_load_and_a_second_run_loads_and_compiles_nothing() -> None:
    host = AppArmorHost()
    names = {"docker-web": WEB, "docker-db": {"files": "all"}}
    run(host, names, shipped=("docker-bulwark", "docker-bulwark-service"))
    [load] = loads(host)
    assert len([word for word in load if word.startswith("/etc/apparmor.d/")]) == 4
    host.commands.clear()
    host.writes.clear()
    said = run(host, names, shipped=("docker-bulwark", "docker-bulwark-service"))
    assert (said["changed"], said["reasons"], host.commands, host.writes) == (False, [], [], [])


def test_check_mode_foretells_and_touches_nothing() -> None:
    host = AppArmorHost()
    files = dict(host.files)
    forecast = run(host, check_mode=True)
    assert (host.files, sorted(host.kernel), host.writes) == (files, ["docker-default"], [])
    real = run(host)
    assert {key: forecast[key] for key in ("changed", "diff", "reasons")} == {
        key: real[key] for key in ("changed", "diff", "reasons")
    }


def test_changed_policy_replaces_and_complain_mode_is_seen() -> None:
    host = AppArmorHost()
    run(host)
    said = run(host, {"docker-web": {**WEB, "mode": "complain"}})
    assert (said["changed"], host.kernel["docker-web"][0]) == (True, "complain")
    assert run(host, {"docker-web": {**WEB, "mode": "complain"}})["changed"] is False


@pytest.mark.parametrize("given", ["raw_sha256", "raw_sha1"])
def test_text_that_somebody_loaded_by_hand_is_found_and_replaced(given: str) -> None:
    host = AppArmorHost()
    host.given = given
    run(host)
    host.kernel["docker-web"] = ("enforce", "profile docker-web {\n  capability,\n}\n")
    said = run(host)
    assert said["changed"] is True
    assert "another text" in said["reasons"][0]
    assert host.kernel["docker-web"][1] == host.files[PATH].decode()


def test_profile_that_was_unloaded_or_disarmed_is_loaded_again() -> None:
    host = AppArmorHost()
    run(host)
    text = host.kernel.pop("docker-web")[1]
    assert run(host)["reasons"] == ["docker-web: not loaded"]
    host.kernel["docker-web"] = ("complain", text)
    assert "mode complain instead of enforce" in run(host)["reasons"][0]
    assert host.kernel["docker-web"][0] == "enforce"


def test_newer_parser_is_no_change() -> None:
    host = AppArmorHost()
    run(host)
    record = json.loads(host.files[RECORD])
    record["profiles"]["docker-web"] = "sha256:of-an-older-parser"
    host.files[RECORD] = json.dumps(record).encode()
    assert run(host)["changed"] is False
    assert json.loads(host.files[RECORD])["profiles"]["docker-web"] != "sha256:of-an-older-parser"


def test_kernel_that_tells_no_checksum_is_believed_by_name_and_mode() -> None:
    host = AppArmorHost()
    host.given = "nothing"
    said = run(host)
    assert (said["default_profile"]["state"], run(host)["changed"]) == ("unknown", False)


def test_broken_text_is_refused_with_the_parsers_line_and_the_old_one_stays() -> None:
    host = AppArmorHost()
    run(host, {"docker-web": {"text": TEXT}, "docker-db": WEB})
    before = (dict(host.files), dict(host.kernel))
    broken = TEXT.replace("capability setuid", "bogus")
    with pytest.raises(ConfigError, match=r"profile 'docker-web': AppArmor parser error at line 4: syntax error"):
        run(host, {"docker-web": {"text": broken}, "docker-db": {**WEB, "mode": "complain"}})
    assert (host.files, host.kernel) == before


def test_text_about_something_else_is_refused_before_the_parser_is_asked() -> None:
    host = AppArmorHost()
    with pytest.raises(ConfigError, match=r"name it 'docker-web'.*\[other_name\]"):
        run(host, {"docker-web": {"text": TEXT.replace("profile docker-web", "profile x")}})
    assert host.writes == []


@pytest.mark.parametrize("before", [True, False])
def test_load_that_fails_puts_the_old_profiles_back(before: bool) -> None:
    host = AppArmorHost()
    if before:
        run(host)
    files, kernel = dict(host.files), dict(host.kernel)
    host.refuses_load = True
    with pytest.raises(HostError, match="Permission denied"):
        run(host, {"docker-web": {**WEB, "mode": "complain"}})
    assert (host.files, host.kernel) == (files, kernel)


def test_kernel_that_does_not_have_what_it_was_given_is_an_error() -> None:
    host = AppArmorHost()
    host.forgets.add("docker-web")
    with pytest.raises(HostError, match="the kernel has it as None, not as 'enforce'"):
        run(host)
    assert PATH not in host.files


def test_files_and_profiles_of_others_are_refused() -> None:
    host = AppArmorHost()
    host.files[PATH] = b"profile docker-web { }\n"
    with pytest.raises(ConflictError, match="is there and not from this collection"):
        run(host)
    del host.files[PATH]
    host.load("profile docker-web { }\n")
    with pytest.raises(ConflictError, match="from another file"):
        run(host)
    assert host.writes == []


def test_profile_that_is_not_named_any_more_goes() -> None:
    host = AppArmorHost()
    run(host, {"docker-web": WEB, "docker-db": WEB})
    said = run(host)
    assert said["reasons"] == ["docker-db: goes"]
    assert sorted(host.kernel) == ["docker-default", "docker-web"]
    assert "/etc/apparmor.d/docker-db" not in host.files
    assert "/var/cache/apparmor/1.0/docker-db" not in host.files


def test_absent_gives_back_what_was_there() -> None:
    host = AppArmorHost()
    before = (dict(host.files), dict(host.kernel))
    run(host, shipped=("docker-bulwark",))
    forecast = run(host, present=False, check_mode=True)
    said = run(host, present=False)
    assert (said["changed"], said["state"]) == (forecast["changed"], forecast["state"]) == (True, "removed")
    assert (host.files, host.kernel) == before
    assert run(host, present=False)["changed"] is False


def test_profile_under_which_something_runs_is_not_taken_away() -> None:
    host = AppArmorHost()
    run(host)
    host.add_container("shop", "docker-web", "docker-web (enforce)")
    with pytest.raises(RefusedError, match=r"containers shop \(docker-web\)"):
        run(host, present=False)
    assert "docker-web" in host.kernel
    said = run(host, present=False, allow_unconfined=True)
    assert "docker-web" not in host.kernel
    assert "cannot be started again" in said["warnings"][0]


def test_engine_that_does_not_answer_is_no_reason_to_stop() -> None:
    host = AppArmorHost()
    host.answers = False
    said = run(host)
    assert (said["changed"], said["default_profile"]["state"]) == (True, "unknown")


# -- where AppArmor cannot be used ------------------------------------------------------------------------------------


def without_kernel(host: AppArmorHost) -> None:
    del host.files["/sys/module/apparmor/parameters/enabled"]


def in_container(host: AppArmorHost) -> None:
    host.links["/proc/self/ns/user"] = "user:[4026532000]"


def without_parser(host: AppArmorHost) -> None:
    host.programs.discard("apparmor_parser")


def engine_without(host: AppArmorHost) -> None:
    host.uses_apparmor = False


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (without_kernel, "runs without AppArmor"),
        (in_container, "this host is a container"),
        (without_parser, "install the package apparmor"),
        (engine_without, "the engine does not use AppArmor"),
    ],
)
def test_missing_mechanism_is_said_and_never_pretended(spoil: Any, words: str) -> None:
    host = AppArmorHost()
    spoil(host)
    with pytest.raises(HostError, match=words):
        run(host)
    said = run(host, fail_when_missing=False)
    assert (said["changed"], said["state"], host.writes) == (False, "unavailable", [])
    assert words in said["warnings"][0]


def test_rootless_engine_is_told_so() -> None:
    with pytest.raises(HostError, match="the rootless engine of ann"):
        run(AppArmorHost(), instance=rootless_instance("ann", 1000, 1000, "/home/ann"))


def test_wrong_policy_is_an_error_without_apparmor_too() -> None:
    host = AppArmorHost()
    without_kernel(host)
    with pytest.raises(ConfigError, match="no key 'netwrok'"):
        run(host, {"docker-web": {"netwrok": []}}, fail_when_missing=False)


def test_files_of_a_host_that_lost_apparmor_go_with_absent() -> None:
    host = AppArmorHost()
    run(host)
    without_kernel(host)
    assert run(host, present=False)["changed"] is True
    assert (PATH in host.files, RECORD in host.files) == (False, False)


# -- the engine's own profile -----------------------------------------------------------------------------------------


def test_current_text_of_the_engine_is_recognised() -> None:
    said = run(AppArmorHost())
    assert said["default_profile"] == {"state": "current", "reason": "it has the text of the engine that runs"}


def test_text_of_an_older_engine_is_replaced() -> None:
    host = AppArmorHost()
    host.load(TEMPLATE_LOADED.replace("  network,\n", "  network,\n  capability,\n"))
    forecast = run(host, check_mode=True)
    assert forecast["default_profile"]["state"] == "stale"
    said = run(host)
    assert (said["default_profile"]["state"], host.kernel["docker-default"][1]) == ("current", TEMPLATE_LOADED)
    assert "an older engine loaded it" in said["reasons"][-1]
    assert run(host)["changed"] is False


def test_text_of_an_older_engine_is_only_named_when_it_shall_stay() -> None:
    host = AppArmorHost()
    run(host)
    old = TEMPLATE_LOADED.replace("  file,\n", "")
    host.load(old)
    said = run(host, refresh_default=False)
    assert (said["changed"], host.kernel["docker-default"][1]) == (False, old)
    assert "restart the host" in said["warnings"][0]


def test_missing_profile_of_the_engine_is_loaded() -> None:
    host = AppArmorHost()
    del host.kernel["docker-default"]
    assert run(host)["default_profile"]["state"] == "current"
    assert host.kernel["docker-default"] == ("enforce", TEMPLATE_LOADED)


def test_engine_that_keeps_its_profile_itself_is_left_alone() -> None:
    host = AppArmorHost()
    host.version = "29.4.3"
    host.load(TEMPLATE_LOADED.replace("  file,\n", ""))
    said = run(host)
    assert said["default_profile"]["state"] == "kept_by_engine"
    assert host.kernel["docker-default"][1] != TEMPLATE_LOADED


def test_administrators_own_docker_default_is_left_alone() -> None:
    host = AppArmorHost()
    host.files["/etc/apparmor.d/docker-default"] = b"own"
    assert run(host)["default_profile"]["state"] == "foreign"


def test_template_with_unknown_words_is_not_guessed() -> None:
    host = AppArmorHost()
    host.files["/proc/77/exe"] = host.files["/proc/77/exe"].replace(b".DaemonProfile", b".Something")
    host.load(TEMPLATE_LOADED.replace("  file,\n", ""))
    said = run(host)
    assert said["default_profile"]["state"] == "unknown"
    assert "not known here" in said["default_profile"]["reason"]
