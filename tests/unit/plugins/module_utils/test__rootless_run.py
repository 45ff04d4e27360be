# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's engine put into place, kept there and taken away, on a host in memory."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._errors import (
    BulwarkError,
    ConfigError,
    HostError,
    RefusedError,
)
from ansible_collections.bulwark.docker.plugins.module_utils._rootless_look import Inquiry, inquire
from ansible_collections.bulwark.docker.plugins.module_utils._rootless_run import EngineRequest, apply_engine
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.memory_host import File, Killed
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.rootless_memory import (
    BUS,
    DONE,
    DROP_IN,
    LINGER,
    RECORD,
    SCRIPT,
    UNIT,
    RootlessHost,
)


def request(**changes: Any) -> EngineRequest:
    """What a user asks for who asks for nothing special."""
    usual: dict[str, Any] = {
        "present": True,
        "user": "ann",
        "network": "default",
        "mtu": 0,
        "port_driver": "default",
        "environment": (),
        "allow_container_stop": False,
        "remove_data": False,
        "deadline": 30,
        "check_mode": False,
    }
    return EngineRequest(**{**usual, **changes})


@pytest.fixture
def host() -> RootlessHost:
    return RootlessHost()


def remove(host: RootlessHost, **changes: Any) -> dict[str, Any]:
    return apply_engine(host, request(present=False, **changes))


def test_engine_is_put_into_place_once(host: RootlessHost) -> None:
    first = apply_engine(host, request())
    assert first["changed"]
    assert first["engine_restarted"]
    assert (host.starts, host.enabled) == (1, True)
    assert f"ExecStart={SCRIPT}" in host.files[UNIT].data.decode()
    assert (host.files[UNIT].uid, host.files[UNIT].gid) == (1000, 1000)
    assert b"Delegate=cpu cpuset io memory pids" in host.files[DROP_IN].data
    assert LINGER in host.files
    before = dict(host.files)
    second = apply_engine(host, request())
    assert (second["changed"], second["reasons"], host.starts) == (False, [], 1)
    assert host.files == before


def test_check_mode_changes_nothing_and_says_so(host: RootlessHost) -> None:
    before, mutations = dict(host.files), list(host.mutations)
    said = apply_engine(host, request(check_mode=True))
    assert said["changed"]
    assert said["ready"] is False
    assert said["diff"][0]["after_header"] == UNIT
    assert (host.files, host.mutations, host.starts) == (before, mutations, 0)
    apply_engine(host, request())
    again = apply_engine(host, request(check_mode=True))
    assert (again["changed"], again["ready"]) == (False, True)
    assert remove(host, check_mode=True)["changed"]
    assert UNIT in host.files


def test_check_mode_knows_that_the_programs_may_come(host: RootlessHost) -> None:
    del host.files[SCRIPT]
    said = apply_engine(host, request(check_mode=True))
    assert (said["changed"], said["ready"]) == (True, False)
    with pytest.raises(HostError, match="has no dockerd-rootless"):
        apply_engine(host, request())


def test_changed_file_that_nobody_started_with_costs_no_restart(host: RootlessHost) -> None:
    apply_engine(host, request())
    wanted = host.files[UNIT].data
    host.write_file(UNIT, wanted + b"# by hand\n", 0o644, 1000, 1000)
    host.clock += 100
    healed = apply_engine(host, request())
    assert healed["changed"]
    assert host.files[UNIT].data == wanted
    assert apply_engine(host, request())["changed"] is False


def test_engine_that_runs_with_a_changed_unit_is_restarted(host: RootlessHost) -> None:
    apply_engine(host, request())
    wanted = host.files[UNIT].data
    host.write_file(UNIT, wanted + b"# by hand\n", 0o644, 1000, 1000)
    host.start_engine()
    assert apply_engine(host, request())["engine_restarted"]
    assert host.running_unit == wanted


def test_engine_restarted_by_somebody_with_our_unit_is_left_alone(host: RootlessHost) -> None:
    apply_engine(host, request())
    host.clock += 100
    host.start_engine()
    assert apply_engine(host, request())["changed"] is False


def test_containers_are_not_stopped_without_being_asked(host: RootlessHost) -> None:
    apply_engine(host, request())
    host.busy = ["web"]
    before = dict(host.files)
    with pytest.raises(RefusedError, match=r"web would stop .* rootless_allow_container_stop: true"):
        apply_engine(host, request(mtu=1400))
    assert (host.files, host.starts) == (before, 1)
    assert apply_engine(host, request(mtu=1400, allow_container_stop=True))["engine_restarted"]


def test_stopped_engine_is_started(host: RootlessHost) -> None:
    apply_engine(host, request())
    host.pid = 0
    assert apply_engine(host, request())["reasons"] == ["docker.service: started"]
    assert host.pid


def test_manager_older_than_its_bus_is_told(host: RootlessHost) -> None:
    host.has_bus = False
    apply_engine(host, request())
    assert any(words[0] == "setpriv" and words[-1] == "dbus.socket" for words in host.runs)
    assert BUS in host.files


def test_manager_that_never_comes_up_is_named(host: RootlessHost) -> None:
    host.brings_up = False
    with pytest.raises(HostError, match=r"its service manager has not come up within 30 s .*user@1000.service"):
        apply_engine(host, request())


def test_engine_that_does_not_answer_is_named_with_its_journal(host: RootlessHost) -> None:
    host.start_engine = lambda: DONE  # type: ignore[method-assign]
    with pytest.raises(BulwarkError, match=r"it does not answer .*its journal says"):
        apply_engine(host, request())


@pytest.mark.parametrize("target", ["/etc/systemd/system/docker.service", "/home/bob/docker.service"])
def test_root_follows_no_link_out_of_the_home(host: RootlessHost, target: str) -> None:
    host.links[UNIT] = target
    host.files[target] = File(b"theirs")
    before = dict(host.files)
    with pytest.raises(RefusedError, match="root does not follow such a link"):
        apply_engine(host, request())
    assert host.files == before


def test_users_without_a_chance_are_refused(host: RootlessHost) -> None:
    with pytest.raises(ConfigError, match="'eve' is no user of this host"):
        apply_engine(host, request(user="eve"))


def test_removal_leaves_the_host_as_it_was(host: RootlessHost) -> None:
    files, directories = set(host.files), set(host.directories)
    apply_engine(host, request())
    assert remove(host)["changed"]
    assert set(host.files) == files
    assert set(host.directories) - directories <= {"/etc/systemd/system/user@1000.service.d", "/run/user/1000"}
    assert (host.pid, host.enabled) == (0, False)
    assert remove(host)["changed"] is False


def test_unit_and_linger_of_before_come_back(host: RootlessHost) -> None:
    host.files[LINGER] = File(b"")
    host.start_manager()
    host.make_directory("/home/ann/.config/systemd/user", 0o755)
    host.files[UNIT] = File(b"[Service]\nExecStart=/own\n", 0o644, 1000, 1000)
    host.enabled = True
    apply_engine(host, request())
    remove(host)
    assert host.files[UNIT].data == b"[Service]\nExecStart=/own\n"
    assert LINGER in host.files
    assert host.enabled
    assert host.pid == 0


def test_data_is_removed_with_the_rights_of_the_user_alone(host: RootlessHost) -> None:
    data = "/home/ann/.local/share/docker"
    apply_engine(host, request())
    host.make_directory(data, 0o700)
    remove(host)
    assert data in host.directories
    apply_engine(host, request())
    remove(host, remove_data=True)
    assert data not in host.directories


def test_directories_around_the_data_go_with_it_and_those_of_the_user_stay(host: RootlessHost) -> None:
    host.make_directory("/home/ann/.local", 0o755)
    apply_engine(host, request())
    host.make_directory("/home/ann/.local/share", 0o711)
    host.make_directory("/home/ann/.local/share/docker", 0o700)
    remove(host, remove_data=True)
    assert "/home/ann/.local/share" not in host.directories
    assert "/home/ann/.local" in host.directories
    [argv] = [words for words in host.runs if "rm" in words]
    assert argv[:4] == ("setpriv", "--reuid=1000", "--regid=1000", "--init-groups")
    assert argv[4:6] == ("/usr/bin/rootlesskit", "rm")


def test_user_who_is_gone_leaves_nothing_either(host: RootlessHost) -> None:
    apply_engine(host, request())
    host.users.clear()
    assert remove(host)["changed"]
    assert not {LINGER, DROP_IN, RECORD} & set(host.files)


@pytest.mark.parametrize("present", [True, False])
def test_killed_run_is_healed_by_the_next_one(present: bool) -> None:
    sample = RootlessHost()
    if not present:
        apply_engine(sample, request())
    begun = len(sample.mutations)
    apply_engine(sample, request(present=present))
    for step in range(begun + 1, len(sample.mutations) + 1):
        host = RootlessHost()
        if not present:
            apply_engine(host, request())
        host.kill_after = step
        with pytest.raises(Killed):
            apply_engine(host, request(present=present))
        host.kill_after = None
        apply_engine(host, request(present=present))
        assert bool(host.pid) == present
        assert (UNIT in host.files, DROP_IN in host.files, LINGER in host.files) == (present, present, present)
        if present:
            remove(host)
        assert not {UNIT, DROP_IN, LINGER, RECORD} & set(host.files)


def test_broken_record_is_named(host: RootlessHost) -> None:
    apply_engine(host, request())
    host.files[RECORD] = File(b"{")
    for present in (True, False):
        with pytest.raises(ConfigError, match=RECORD):
            apply_engine(host, request(present=present))


def test_inquiry_tells_what_is_missing_and_who_is_managed(host: RootlessHost) -> None:
    host.programs -= {"newuidmap", "slirp4netns"}
    said = inquire(host, Inquiry(("ann",), "default", 65536))
    assert said["packages"] == ["slirp4netns", "uidmap"]
    assert (said["script"], said["managed"]) == (SCRIPT, [])
    assert said["users"][0]["socket"] == "/run/user/1000/docker.sock"
    assert {"ping", "low_ports", "controllers"} <= {limit["name"] for limit in said["limits"]}
    host.programs |= {"newuidmap", "slirp4netns"}
    apply_engine(host, request())
    assert inquire(host, Inquiry((), "default", 65536))["managed"] == ["ann"]
    with pytest.raises(ConfigError, match="create the user first"):
        inquire(host, Inquiry(("eve",), "default", 65536))
