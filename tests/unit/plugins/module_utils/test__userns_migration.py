# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing images and volumes from one root of the engine's data to the other, with a kill after every step."""

from __future__ import annotations

import copy

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError, EngineError
from ansible_collections.bulwark.docker.plugins.module_utils._instance import system_instance
from ansible_collections.bulwark.docker.plugins.module_utils._subid import Range
from ansible_collections.bulwark.docker.plugins.module_utils._userns_mapping import Mapping
from ansible_collections.bulwark.docker.plugins.module_utils._userns_migration import (
    RECORD,
    SaveRequest,
    bring_over,
    save_stock,
)
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.memory_host import File, Killed
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.userns_host import UsernsHost

ENGINE = system_instance()
SPOOL = "/var/lib/bulwark-docker/spool"
MAPPED = "231072.331072"
MAPPING = Mapping((Range(231072, 65536), Range(500000, 65536)), (Range(331072, 65536),))
FORTH = SaveRequest(MAPPING, MAPPED, True, SPOOL, False)
BACK = FORTH._replace(target="")
IMAGES = {"sha256:aa": ["local/app:1", "local/alias:1"], "sha256:bb": []}
DATA = {"of-root": (0, 0, "secret"), "of-a-user": (1000, 33, "hello"), "of-the-second-range": (70000, 0, "far")}
DATA_OUTSIDE = {
    "of-root": (231072, 331072, "secret"),
    "of-a-user": (232072, 331105, "hello"),
    "of-the-second-range": (504464, 331072, "far"),
}


def plain_host() -> UsernsHost:
    """A host without a mapping, with a past."""
    host = UsernsHost()
    host.images[""] = copy.deepcopy(IMAGES)
    host.add_volume("data", DATA, Labels={"a": "b"})
    host.add_volume("empty", {})
    host.add_volume("scratch", {"ignored": (0, 0, "x")}, Options={"type": "tmpfs"})
    host.add_volume("f" * 64, {"of-one": (0, 0, "y")})
    host.add_volume("elsewhere", {}, Driver="nfs")
    return host


def switch(host: UsernsHost, mapping: str) -> None:
    """The engine is restarted with another mapping, and shows other things."""
    host.mapping = mapping


def has_come(host: UsernsHost) -> None:
    """Everything is there, and nothing is left of the way."""
    assert host.images[MAPPED] == IMAGES
    assert set(host.volumes[MAPPED]) == {"data", "empty", "scratch"}
    assert host.trees[host.place("data", MAPPED)] == DATA_OUTSIDE
    assert host.trees[host.place("scratch", MAPPED)] == {}
    assert host.volumes[MAPPED]["data"]["Labels"] == {"a": "b"}
    assert host.volumes[MAPPED]["scratch"]["Options"] == {"type": "tmpfs"}
    assert not [path for path in host.files if path.startswith((SPOOL, RECORD))]
    old_root_is_untouched(host)


def old_root_is_untouched(host: UsernsHost) -> None:
    assert host.images[""] == IMAGES
    assert {name: host.trees[host.place(name, "")] for name in host.volumes[""]} == {
        "data": DATA,
        "empty": {},
        "scratch": {"ignored": (0, 0, "x")},
        "f" * 64: {"of-one": (0, 0, "y")},
        "elsewhere": {},
    }


def test_images_and_named_volumes_come_over_with_their_owners() -> None:
    host = plain_host()
    saved = save_stock(host, ENGINE, FORTH)
    assert (saved["changed"], saved["pending"]) == (True, True)
    assert (saved["images"], saved["volumes"]) == (sorted(IMAGES), ["data", "empty", "scratch"])
    assert host.files[f"{SPOOL}/images.tar"].mode == 0o600
    switch(host, MAPPED)
    brought = bring_over(host, ENGINE, False)
    assert (brought["changed"], brought["images"], brought["renamed"]) == (True, sorted(IMAGES), {})
    has_come(host)
    assert bring_over(host, ENGINE, False)["changed"] is False
    assert save_stock(host, ENGINE, FORTH) == {"changed": False, "pending": False, "images": [], "volumes": []}


def test_check_mode_tells_and_leaves_no_trace() -> None:
    host = plain_host()
    host.mutations.clear()
    saved = save_stock(host, ENGINE, FORTH._replace(check_mode=True))
    assert (saved["changed"], saved["pending"], saved["images"]) == (True, True, sorted(IMAGES))
    assert host.mutations == []
    save_stock(host, ENGINE, FORTH)
    switch(host, MAPPED)
    host.mutations.clear()
    assert bring_over(host, ENGINE, True)["changed"] is True
    assert host.mutations == []


def test_a_second_save_before_the_switch_does_nothing_but_takes_new_images() -> None:
    host = plain_host()
    save_stock(host, ENGINE, FORTH)
    host.mutations.clear()
    assert save_stock(host, ENGINE, FORTH)["changed"] is False
    assert host.mutations == []
    host.images[""]["sha256:cc"] = ["late:1"]
    again = save_stock(host, ENGINE, FORTH)
    assert (again["changed"], again["images"]) == (True, ["sha256:aa", "sha256:bb", "sha256:cc"])


def test_what_was_saved_for_a_switch_that_never_came_is_dropped() -> None:
    host = plain_host()
    save_stock(host, ENGINE, FORTH)
    dropped = save_stock(host, ENGINE, BACK._replace(migrate=False))
    assert (dropped["changed"], dropped["pending"]) == (True, False)
    assert not [path for path in host.files if path.startswith((SPOOL, RECORD))]
    old_root_is_untouched(host)


def count_steps() -> tuple[int, int]:
    """How many changes save and load make."""
    host = plain_host()
    host.mutations.clear()
    save_stock(host, ENGINE, FORTH)
    first = len(host.mutations)
    switch(host, MAPPED)
    bring_over(host, ENGINE, False)
    return first, len(host.mutations) - first


SAVE_STEPS, LOAD_STEPS = count_steps()


@pytest.mark.parametrize("step", range(1, SAVE_STEPS + 1))
def test_a_kill_while_saving_is_healed_by_the_next_run(step: int) -> None:
    host = plain_host()
    host.mutations.clear()
    host.kill_after = step
    with pytest.raises(Killed):
        save_stock(host, ENGINE, FORTH)
    old_root_is_untouched(host)
    assert save_stock(host, ENGINE, FORTH)["pending"] is True
    switch(host, MAPPED)
    bring_over(host, ENGINE, False)
    has_come(host)


@pytest.mark.parametrize("step", range(1, SAVE_STEPS + 1))
def test_a_kill_while_saving_leaves_nothing_that_giving_up_does_not_remove(step: int) -> None:
    host = plain_host()
    host.mutations.clear()
    host.kill_after = step
    with pytest.raises(Killed):
        save_stock(host, ENGINE, FORTH)
    save_stock(host, ENGINE, BACK._replace(migrate=False))
    assert not [path for path in host.files if path.startswith((SPOOL, RECORD))]


@pytest.mark.parametrize("step", range(1, LOAD_STEPS + 1))
def test_a_kill_while_loading_is_healed_by_the_next_run(step: int) -> None:
    host = plain_host()
    save_stock(host, ENGINE, FORTH)
    switch(host, MAPPED)
    host.mutations.clear()
    host.kill_after = step
    with pytest.raises(Killed):
        bring_over(host, ENGINE, False)
    old_root_is_untouched(host)
    save_stock(host, ENGINE, FORTH)
    bring_over(host, ENGINE, False)
    has_come(host)
    assert SAVE_STEPS > 4
    assert LOAD_STEPS > 8


def test_the_way_back_brings_what_is_new_and_overwrites_nothing() -> None:
    host = plain_host()
    save_stock(host, ENGINE, FORTH)
    switch(host, MAPPED)
    bring_over(host, ENGINE, False)
    host.images[MAPPED]["sha256:dd"] = ["made/later:1"]
    host.trees[host.place("data", MAPPED)]["of-root"] = (231072, 331072, "changed")
    host.add_volume("later", {"file": (232072, 331072, "z")}, MAPPED)
    save_stock(host, ENGINE, BACK)
    switch(host, "")
    brought = bring_over(host, ENGINE, False)
    assert brought["images"] == ["sha256:dd"]
    assert brought["renamed"] == {"data": "data-mapped-1"}
    assert brought["volumes"] == ["data-mapped-1", "later"]
    assert "another volume data" in brought["warnings"][0]
    assert host.trees[host.place("data")] == DATA
    assert host.trees[host.place("data-mapped-1")] == {**DATA, "of-root": (0, 0, "changed")}
    assert host.trees[host.place("later")] == {"file": (1000, 0, "z")}
    assert host.images[""] == {**IMAGES, "sha256:dd": ["made/later:1"]}


def test_a_volume_that_cannot_be_copied_does_not_keep_the_others_back() -> None:
    host = plain_host()
    host.trees[host.place("data")]["stranger"] = (200000, 0, "?")
    save_stock(host, ENGINE, FORTH)
    switch(host, MAPPED)
    with pytest.raises(EngineError, match=r"volume data: .*200000:0 owns a file .*the next run tries these again"):
        bring_over(host, ENGINE, False)
    assert set(host.volumes[MAPPED]) == {"empty", "scratch"}
    del host.trees[host.place("data", "")]["stranger"]
    bring_over(host, ENGINE, False)
    has_come(host)


def test_a_torn_archive_is_found_before_the_switch() -> None:
    host = plain_host()
    host.torn = True
    with pytest.raises(EngineError, match=r"save the images: sha256:aa, sha256:bb did not get into the archive"):
        save_stock(host, ENGINE, FORTH)
    assert not [path for path in host.files if path.startswith((SPOOL, RECORD))]


def test_an_engine_that_has_not_switched_keeps_what_was_saved() -> None:
    host = plain_host()
    save_stock(host, ENGINE, FORTH)
    brought = bring_over(host, ENGINE, False)
    assert brought["changed"] is False
    assert f"has not switched to {MAPPED}" in brought["warnings"][0]
    assert RECORD in host.files
    host.engine.stop()
    assert "does not answer" in bring_over(host, ENGINE, False)["warnings"][0]


def test_a_spool_that_was_there_before_stays() -> None:
    host = plain_host()
    host.make_directory("/srv/spool", 0o755)
    save_stock(host, ENGINE, FORTH._replace(spool="/srv/spool"))
    switch(host, MAPPED)
    bring_over(host, ENGINE, False)
    assert "/srv/spool" in host.directories
    assert SPOOL not in host.directories


def test_a_damaged_record_is_refused_with_its_path() -> None:
    host = plain_host()
    host.files[RECORD] = File(b"{}")
    with pytest.raises(ConfigError, match=r"\(/var/lib/bulwark-docker/userns/state.json\); restore that file"):
        save_stock(host, ENGINE, FORTH)
