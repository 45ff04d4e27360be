# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The preflight of userns-remap: who the user is, what would be hidden, what stands in the way."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError, ConflictError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import FreeSpace, UserAccount
from ansible_collections.bulwark.docker.plugins.module_utils._instance import rootless_instance, system_instance
from ansible_collections.bulwark.docker.plugins.module_utils._subid_plan import DEFAULT_RANGE, Wanted
from ansible_collections.bulwark.docker.plugins.module_utils._userns_report import COMMENT, Request, inspect_host
from ansible_collections.bulwark.docker.plugins.module_utils._userns_survey import Consent
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.memory_host import File
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.transaction_steps import (
    apply,
    bring_into_force,
)
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.userns_host import UsernsHost

ENGINE = system_instance()
SPOOL = "/var/lib/bulwark-docker/spool"
NONE = Consent(False, (), False)
ASK = Request(True, "default", (DEFAULT_RANGE,), NONE, False, SPOOL)
MIB = 1 << 20


def make_host(made: bool = False) -> UsernsHost:
    """A host with alice and bob, alice having ids; the user of the mapping is there when it was made."""
    host = UsernsHost(b"alice:100000:65536\n", b"alice:100000:65536\n")
    accounts = "root:x:0:0::/:/bin/sh\nalice:x:1000:1000::/:/bin/sh\nbob:x:1001:1001::/:/bin/sh\n"
    groups = "root:x:0:\nalice:x:1000:\nstaff:x:50:\n"
    del host.users["dockremap"]
    if made:
        accounts += f"dockremap:x:990:990:{COMMENT}:/:/bin/false\n"
        groups += "dockremap:x:990:\n"
        host.users["dockremap"] = UserAccount("dockremap", 990, 990, "/")
        for path in ("/etc/subuid", "/etc/subgid"):
            host.files[path] = File(b"alice:100000:65536\ndockremap:231072:65536\n")
    host.files["/etc/passwd"], host.files["/etc/group"] = File(accounts.encode()), File(groups.encode())
    return host


def with_past(host: UsernsHost) -> UsernsHost:
    host.images[""] = {"sha256:aa": ["app:1"]}
    host.add_volume("data", {})
    host.add_volume("f" * 64, {})
    host.inspected = [
        {"Id": "c1", "Name": "/agent", "HostConfig": {"Privileged": True}, "State": {"Running": True}},
        {"Id": "c2", "Name": "/web", "HostConfig": {}, "State": {"Running": False}},
    ]
    return host


def ask(host: UsernsHost, **changes: Any) -> dict[str, Any]:
    return inspect_host(host, ENGINE, ASK._replace(**changes))


def own_the_key(host: UsernsHost, value: str) -> None:
    """The role has written its key, as far as the record says."""
    apply(host, {"userns-remap": value}, run_id="r1", owner="userns_remap", allow_container_stop=True)


def test_a_user_who_is_still_to_be_made_gets_free_ids() -> None:
    host = make_host()
    host.mutations.clear()
    found = ask(host)
    assert found["refusals"] == []
    assert found["make_account"] is True
    assert found["account"] == {"name": "dockremap", "exists": False, "made": False, "comment": COMMENT}
    assert found["mapping"]["uids"] == [{"start": 165536, "count": 65536}]
    assert found["target"] == "165536.165536"
    assert (found["engine_value"], found["switching"], found["in_force"]) == ("dockremap", True, "")
    assert host.mutations == []


def test_what_is_hidden_and_broken_is_named() -> None:
    found = ask(with_past(make_host()))
    assert found["hidden"] == {"images": ["app:1"], "containers": ["agent", "web"], "volumes": ["data", "f" * 64]}
    assert found["broken"] == [{"name": "agent", "reasons": ["runs privileged"]}]
    assert found["running"] == ["agent"]
    assert len(found["refusals"]) == 3
    consent = Consent(True, ("agent",), True)
    assert ask(with_past(make_host()), consent=consent)["refusals"] == []


def test_what_moves_is_not_asked_about_but_containers_are() -> None:
    found = ask(with_past(make_host()), migrate=True, consent=Consent(False, ("agent",), True))
    assert found["left_hidden"] == {"images": [], "containers": ["agent", "web"], "volumes": ["f" * 64]}
    assert len(found["refusals"]) == 1
    assert "2 container(s): agent, web; 1 volume(s)" in found["refusals"][0]


def test_nothing_is_hidden_where_nothing_switches() -> None:
    host = with_past(make_host(made=True))
    host.mapping = "231072.231072"
    host.images["231072.231072"] = {"sha256:bb": []}
    found = ask(host)
    assert (found["switching"], found["in_force"], found["refusals"]) == (False, "231072.231072", [])
    assert found["hidden"] == {"images": [], "containers": [], "volumes": []}
    assert found["account"]["made"] is True


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ("carol", "'carol': there is no such user on this host (variable userns_remap_user); make it first"),
        ("4242", "'4242': there is no such user on this host"),
        ("bob", "there is no group with the name 'bob', which the engine wants"),
        ("1001", "there is no group with the id '1001', which the engine wants"),
        ("alice:wheel", "there is no group with the name 'wheel'"),
        ("root:staff", "maps nothing, silently"),
    ],
)
def test_users_that_cannot_work_are_refused(user: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ask(make_host(), user=user)
    assert words in str(caught.value)


@pytest.mark.parametrize("user", ["alice", "alice:staff", "1000", "1000:50", "alice:50"])
def test_a_user_with_ids_is_taken_in_every_form(user: str) -> None:
    found = ask(make_host(), user=user)
    assert (found["engine_value"], found["account"]["name"], found["make_account"]) == (user, "alice", False)
    assert found["target"] == "100000.100000"
    assert found["account"]["made"] is False


def test_a_group_without_its_user_is_not_ours_to_use() -> None:
    host = make_host()
    host.files["/etc/group"].data += b"dockremap:x:990:\n"
    with pytest.raises(ConfigError, match="there is a group 'dockremap', but no such user"):
        ask(host)


def test_ids_of_somebody_else_and_small_ranges_are_refused() -> None:
    with pytest.raises(ConflictError, match="alice"):
        ask(make_host(), wanted=(Wanted(150000, 65536),))
    with pytest.raises(ConfigError, match="65536"):
        ask(make_host(), wanted=(Wanted(None, 65535),))


def test_a_file_that_the_engine_cannot_read_is_named() -> None:
    host = make_host()
    host.files["/etc/subuid"].data += b"broken line\n"
    assert "dockerd 26.1.5 cannot read this file because of line 2" in ask(host)["refusals"][0]


def test_rootless_engines_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"engine of user 'alice' is a rootless one"):
        inspect_host(make_host(), rootless_instance("alice", 1000, 1000, "/home/alice"), ASK)


def test_kernel_parents_and_image_store_stand_in_the_way() -> None:
    host = make_host()
    host.files["/proc/sys/user/max_user_namespaces"] = File(b"0\n")
    host.files["/etc/docker/daemon.json"] = File(b'{"features": {"containerd-snapshotter": true}}')
    host.info_more = {"DockerRootDir": "/srv/closed/docker"}
    stat = host.stat

    def closed(path: str) -> Any:
        found = stat("/etc") if path == "/srv/closed" else stat(path)
        return found._replace(mode=0o700) if path == "/srv/closed" and found else found

    host.stat = closed  # type: ignore[method-assign]
    words = "\n".join(ask(host)["refusals"])
    assert "user.max_user_namespaces is 0" in words
    assert "/srv/closed has mode 0700" in words
    assert "chmod o+x /srv/closed" in words
    assert "containerd-snapshotter is on" in words


def test_the_store_that_new_engines_use_by_themselves_is_a_warning() -> None:
    host = make_host()
    host.info_more = {"DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}
    found = ask(host)
    assert found["refusals"] == []
    assert "falls back to a graph driver" in found["warnings"][0]


def test_an_engine_that_is_down_hides_nobody_knows_what() -> None:
    host = make_host()
    host.engine.stop()
    assert "nobody can tell what the switch would hide" in ask(host)["refusals"][0]
    host = make_host(made=True)
    own_the_key(host, "dockremap")
    host.engine.stop()
    assert ask(host)["refusals"] == []


@pytest.mark.parametrize(
    ("spool", "images", "room", "enough"),
    [
        (SPOOL, 500, {"/": 2 * 500 + 100 + 64}, True),
        (SPOOL, 500, {"/": 2 * 500 + 100 + 63}, False),
        ("/mnt/spool", 500, {"/": 500 + 100 + 64, "/mnt": 500 + 64}, True),
        ("/mnt/spool", 500, {"/": 500 + 100 + 64, "/mnt": 500 + 63}, False),
        ("/mnt/spool", 500, {"/": 500 + 100 + 63, "/mnt": 500 + 64}, False),
    ],
)
def test_room_is_measured_first(spool: str, images: int, room: dict[str, int], enough: bool) -> None:
    host = with_past(make_host())
    volumes = [{"Name": "data", "UsageData": {"Size": 100 * MIB}}, {"Name": "f" * 64, "UsageData": {"Size": 9 << 40}}]
    host.sizes = {"LayersSize": images * MIB, "Volumes": volumes}
    host.room = {path: FreeSpace(number, size * MIB) for number, (path, size) in enumerate(room.items())}
    found = ask(host, migrate=True, consent=Consent(True, ("agent",), True), spool=spool)
    assert (found["refusals"] == []) is enough
    assert found["space"]["volumes"] == 100 * MIB
    assert enough or "userns_remap_spool_directory" in found["refusals"][0]


def test_removal_asks_for_no_consent_but_spares_running_containers() -> None:
    host = with_past(make_host(made=True))
    own_the_key(host, "dockremap")
    host.mapping = "231072.231072"
    found = ask(host, present=False)
    assert (found["switching"], found["target"], found["make_account"]) == (True, "", False)
    assert [text.partition(":")[0] for text in found["refusals"]] == ["switch userns-remap"]
    assert "would be lost to the engine: agent" in found["refusals"][0]
    assert "/var/lib/docker/231072.231072" in found["warnings"][0]
    assert found["account"]["made"] is True


def test_removal_that_was_killed_before_the_restart_goes_on() -> None:
    host = with_past(make_host(made=True))
    host.inspected = []
    own_the_key(host, "dockremap")
    bring_into_force(host, "r1")
    host.mapping = "231072.231072"
    apply(host, None, run_id="r2", owner="userns_remap")
    assert host.config() is None
    found = ask(host, present=False, migrate=True)
    assert (found["switching"], found["mapping"]["name"], found["refusals"]) == (True, "231072.231072", [])


def test_more_ranges_of_the_same_user_wait_for_a_restart() -> None:
    host = make_host(made=True)
    host.mapping = "231072.231072"
    assert ask(host)["warnings"] == []
    found = ask(host, wanted=(DEFAULT_RANGE, Wanted(None, 100000)))
    assert (found["switching"], len(found["mapping"]["uids"])) == (False, 2)
    assert "when it is restarted the next time" in found["warnings"][0]


def test_removal_where_somebody_else_maps_does_nothing() -> None:
    host = with_past(make_host())
    host.mapping = "100000.100000"
    host.files["/etc/docker/daemon.json"] = File(json.dumps({"userns-remap": "alice"}).encode())
    found = ask(host, present=False)
    assert (found["switching"], found["refusals"], found["account"]["made"]) == (False, [], False)


def test_owners_are_computed_for_a_known_mapping_only() -> None:
    host = with_past(make_host(made=True))
    own_the_key(host, "dockremap")
    host.mapping = "999999.999999"
    host.inspected = []
    words = ask(host, migrate=True, consent=Consent(True, (), True))["refusals"]
    assert len(words) == 1
    assert "the mapping 999999.999999, which is not that of 'default'" in words[0]
    assert len(ask(host, present=False, migrate=True)["refusals"]) == 1
    host.mapping = "231072.231072"
    assert ask(host, present=False, migrate=True)["refusals"] == []
