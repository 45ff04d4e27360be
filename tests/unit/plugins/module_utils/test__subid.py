# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Subordinate ids: choices, refusals, removal, runs that are killed, and the lock of the shadow tools."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._errors import BulwarkError, ConfigError, HostError
from ansible_collections.bulwark.docker.plugins.module_utils._host import LocalHost
from ansible_collections.bulwark.docker.plugins.module_utils._subid_plan import Wanted
from ansible_collections.bulwark.docker.plugins.module_utils._subid_run import RECORD, apply_ranges
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.memory_host import File, Killed
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.subid_host import (
    LOGIN_DEFS,
    SUBGID,
    SUBUID,
    SubidHost,
    request,
)

AUTO = Wanted(None, 65536)


def first(host: SubidHost, *wanted: Wanted) -> int:
    """Where the last new range of dockremap starts in both files."""
    added = apply_ranges(host, request("dockremap", *wanted))["added"]
    assert added["subuid"] == added["subgid"]
    return int(added["subuid"][-1].split(":")[1])


@pytest.mark.parametrize(
    ("subuid", "subgid", "start"),
    [
        (b"", b"", 100000),
        (None, None, 100000),
        (b"alice:100000:65536\n", b"", 165536),
        (b"", b"1000:100000:65536\n", 165536),
        (b"#alice:100000:65536\n", b"", 165536),
        (b"alice:0x186a0:65536\n", b"", 165536),
        (b"alice:0303240:65536\n", b"", 165536),
        (b"alice:100000:65536\nbob:231072:65536\n", b"", 165536),
        (b"alice:100000:300000\n", b"bob:390000:10\n", 400000),
        # Behind the area of systemd-nspawn there is nothing in login.defs' one, so that is used last.
        (b"alice:100000:400000\n", b"", 500000),
    ],
)
def test_the_first_free_range_of_both_files_is_taken(subuid: bytes | None, subgid: bytes | None, start: int) -> None:
    assert first(SubidHost(subuid, subgid)) == start


def test_ids_of_accounts_are_avoided_those_of_a_directory_too() -> None:
    host = SubidHost()
    host.directory["passwd"] = "ldap:x:120000:5::/:/bin/sh\n"
    host.directory["group"] = "ldap:*:150000:\n"
    assert first(host) == 150001


def test_the_area_of_login_defs_is_kept_to_and_lies_above_all_uids() -> None:
    host = SubidHost()
    host.files["/etc/login.defs"] = File(LOGIN_DEFS.replace(b"SUB_UID_MIN 100000", b"SUB_UID_MIN 0x30000"))
    assert first(host) == 0x30000
    host = SubidHost()
    host.files["/etc/login.defs"] = File(b"UID_MAX 200000\n")
    assert first(host) == 200001
    host = SubidHost()
    host.files["/etc/login.defs"] = File(b"SUB_UID_MAX 165534\n")
    with pytest.raises(
        BulwarkError, match=r"no 65536 free ones in a row between 100000 and 165534 .*raise SUB_UID_MAX"
    ):
        apply_ranges(host, request())


def test_more_ranges_lie_above_those_that_are_there() -> None:
    host = SubidHost(b"dockremap:300000:65536\n", b"dockremap:300000:65536\n")
    assert first(host, AUTO, AUTO) == 365536


def test_the_other_file_gives_the_number() -> None:
    host = SubidHost(b"dockremap:300000:65536\n", b"")
    assert apply_ranges(host, request())["added"] == {"subuid": [], "subgid": ["dockremap:300000:65536"]}


def test_a_user_with_lines_by_uid_gets_more_by_uid() -> None:
    host = SubidHost(b"990:300000:65536\n", b"990:300000:65536\n")
    assert apply_ranges(host, request("dockremap", AUTO, AUTO))["added"]["subuid"] == ["990:365536:65536"]


def test_ranges_from_a_directory_service_are_avoided_and_said() -> None:
    host = SubidHost()
    host.programs.add("getsubids")
    host.files["/etc/nsswitch.conf"] = File(b"passwd: files\nsubid: sss # x\n")
    host.sees_files = False
    host.elsewhere = {("subuid", "alice"): "0: alice 100000 65536\n", ("subgid", "bob"): "0: bob 165536 65536\n"}
    result = apply_ranges(host, request())
    assert result["added"] == {name: ["dockremap:231072:65536"] for name in ("subuid", "subgid")}
    assert any("newuidmap asks sss" in text for text in result["warnings"])


def test_a_computing_useradd_is_said() -> None:
    host = SubidHost()
    host.files["/etc/login.defs"] = File(LOGIN_DEFS + b"SUB_UID_DETERMINISTIC yes\n")
    assert any("SUB_UID_DETERMINISTIC" in text for text in apply_ranges(host, request())["warnings"])


def test_what_getsubids_does_not_show_is_an_error() -> None:
    host = SubidHost()
    host.programs.add("getsubids")
    assert apply_ranges(host, request())["changed"]
    host = SubidHost()
    host.programs.add("getsubids")
    host.sees_files = False
    with pytest.raises(HostError, match="getsubids does not show 'dockremap:100000:65536'"):
        apply_ranges(host, request())


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ((Wanted(None, 65535),), "too small"),
        ((Wanted(None, 0),), "too small"),
        ((Wanted(None, -5),), "too small"),
        ((Wanted(2**32 - 65536, 65536),), "not within 1 and 4294967294"),
        ((Wanted(None, 2**33),), "no 8589934592 free ones"),
        ((Wanted(-1, 65536),), "not within"),
        ((Wanted(0, 65536),), "not within"),
        ((Wanted(1, 65536),), "users of systemd-homed"),
        ((Wanted(2**31 - 1, 65536),), "foreign ids|31 bits"),
        ((Wanted(100000, 65536), Wanted(165535, 65536)), "disjoint"),
        ((Wanted(300000, 65536), Wanted(100000, 65536)), "ascending"),
        ((AUTO,) * 341, "341 ranges"),
    ],
)
def test_impossible_ranges_are_refused(wanted: tuple[Wanted, ...], words: str) -> None:
    host = SubidHost()
    with pytest.raises(BulwarkError, match=words):
        apply_ranges(host, request("dockremap", *wanted))
    assert host.raw(SUBUID) == b""


def test_no_range_at_all_is_refused() -> None:
    with pytest.raises(ConfigError, match="no range is asked for"):
        apply_ranges(SubidHost(), request()._replace(wanted=()))


def test_an_unknown_user_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no such user on this host .*create it first"):
        apply_ranges(SubidHost(), request("nobody-here"))


@pytest.mark.parametrize(
    ("subuid", "words"),
    [
        (b"dockremap:100000:65536\nalice:165535:1\n", "line 1, .* shares ids with line 2, 'alice:165535:1'"),
        (b"dockremap:100000:65536\n990:100000:65536\n", "line 1, .* shares ids with line 2"),
        (b"dockremap:100000:65536\ndockremap:100000:65536\n", "shares ids"),
        (b"dockremap:100000:65536\nalice:0x186a0:1\n", "shares ids with line 2"),
        (b"dockremap:900:65536\n", "has the id of the user 'dockremap' .990."),
        (b"dockremap:0100000:65536\n", "line 1, 'dockremap:0100000:65536', is not OWNER:START:COUNT"),
        (b"dockremap\n", "is not OWNER:START:COUNT"),
        (b"dockremap:4294900000:67296\n", "ends behind the last id"),
        (b"dockremap:100000:65536:\n", "is not OWNER"),
    ],
)
def test_ids_with_two_owners_are_refused_where_the_user_is_concerned(subuid: bytes, words: str) -> None:
    host = SubidHost(subuid, b"")
    with pytest.raises(BulwarkError, match=words):
        apply_ranges(host, request())
    assert (host.raw(SUBUID), host.raw(SUBGID)) == (subuid, b"")


def test_an_explicit_range_of_somebody_else_is_refused() -> None:
    host = SubidHost(b"", b"alice:150000:65536\n")
    with pytest.raises(
        BulwarkError, match=r"the range that is asked for, 'dockremap:100000:65536', shares ids with line 1"
    ):
        apply_ranges(host, request("dockremap", Wanted(100000, 65536)))
    assert host.raw(SUBUID) == b""


def test_an_explicit_range_that_is_there_is_used() -> None:
    text = b"dockremap:100000:65536\ndockremap:300000:65536\n"
    host = SubidHost(text, text)
    assert not apply_ranges(host, request("dockremap", Wanted(300000, 65536)))["changed"]


def test_overlaps_and_doubtful_lines_of_others_are_reported() -> None:
    host = SubidHost(b"alice:100000:65536\nbob:100001:5\nalice:x:1\nno colons\n", b"")
    result = apply_ranges(host, request())
    assert result["overlaps"] == [{"path": SUBUID, "lines": [1, 2]}]
    assert [entry["line"] for entry in result["doubtful"]] == [3, 4]
    assert any("lines 1 and 2" in text and "share ids" in text for text in result["warnings"])
    assert "line 4" in result["engine"]["problem"]
    assert apply_ranges(host, request(version="28.0.0"))["engine"]["problem"] == ""


def test_mixed_forms_and_orders_are_said_and_read_by_version() -> None:
    text = b"dockremap:500000:65536\n990:300000:65536\n"
    host = SubidHost(text, text)
    starts = {}
    for version in ("20.10.3", "20.10.4", "27.5.1", "28.0.0"):
        result = apply_ranges(host, request(version=version))
        starts[version] = [entry["start"] for entry in result["engine"]["subuid"]]
    assert starts == {
        "20.10.3": [500000, 300000],
        "20.10.4": [300000],
        "27.5.1": [300000],
        "28.0.0": [500000, 300000],
    }
    assert any("by name and by uid" in text for text in result["warnings"])
    assert any("ascending order" in text for text in result["warnings"])
    assert not result["changed"]


def test_a_line_by_name_does_not_do_beside_one_by_uid() -> None:
    text = b"dockremap:100000:65536\n990:300000:1000\n"
    result = apply_ranges(SubidHost(text, text), request())
    assert result["added"]["subuid"] == ["990:301000:65536"]


def test_without_an_engine_the_newest_reading_is_reported() -> None:
    host = SubidHost()
    host.programs.discard("dockerd")
    assert apply_ranges(host, request())["engine"]["version"] == ""


def test_ranges_that_are_not_wanted_any_more_go_if_they_are_ours() -> None:
    host = SubidHost(b"alice:100000:65536\n", b"alice:100000:65536\n")
    apply_ranges(host, request("dockremap", AUTO, AUTO))
    result = apply_ranges(host, request())
    assert result["removed"] == {"subuid": ["dockremap:231072:65536"], "subgid": ["dockremap:231072:65536"]}
    assert host.raw(SUBUID) == b"alice:100000:65536\ndockremap:165536:65536\n"


def test_a_line_of_ours_is_kept_even_when_somebody_adds_one_before_it() -> None:
    host = SubidHost()
    apply_ranges(host, request())
    for path in (SUBUID, SUBGID):
        host.files[path].data = b"dockremap:500000:65536\n" + host.files[path].data
    assert not apply_ranges(host, request())["changed"]


def test_absent_leaves_lines_that_somebody_else_wrote_or_changed() -> None:
    host = SubidHost(b"dockremap:100000:65536\n", b"")
    apply_ranges(host, request("dockremap", AUTO, AUTO))
    host.files[SUBUID].data = host.files[SUBUID].data.replace(b"165536:65536", b"165536:65537")
    result = apply_ranges(host, request(present=False))
    assert host.raw(SUBUID) == b"dockremap:100000:65536\ndockremap:165536:65537\n"
    assert host.raw(SUBGID) == b""
    assert any("was changed or removed by somebody else" in text for text in result["warnings"])
    assert RECORD not in host.files
    assert not apply_ranges(host, request(present=False))["changed"]


def test_absent_works_for_a_user_that_is_gone_and_keeps_other_users() -> None:
    host = SubidHost(None, None)
    apply_ranges(host, request("dockremap"))
    apply_ranges(host, request("alice"))
    del host.users["dockremap"]
    assert apply_ranges(host, request("dockremap", present=False))["changed"]
    assert host.raw(SUBUID) == b"alice:165536:65536\n"
    apply_ranges(host, request("alice", present=False))
    assert (host.raw(SUBUID), host.raw(SUBGID)) == (None, None)


def test_mode_and_owner_of_the_files_stay() -> None:
    host = SubidHost()
    host.files[SUBUID] = File(b"", 0o600, 3, 4)
    apply_ranges(host, request())
    found = host.files[SUBUID]
    assert (found.mode, found.uid, found.gid) == (0o600, 3, 4)
    assert not host.unlocked_writes


@pytest.mark.parametrize("present", [True, False])
def test_a_killed_run_is_finished_by_the_next_one(present: bool) -> None:
    points = 0
    for point in range(1, 30):
        host = SubidHost(b"alice:100000:65536", None)
        if not present:
            apply_ranges(host, request())
        host.mutations.clear()
        host.kill_after = point
        try:
            apply_ranges(host, request(present=present))
        except Killed:
            points += 1
        else:
            break
        apply_ranges(host, request(present=present))
        if present:
            assert host.raw(SUBUID) == b"alice:100000:65536\ndockremap:165536:65536\n"
            assert host.raw(SUBGID) == b"dockremap:165536:65536\n"
            apply_ranges(host, request(present=False))
        assert (host.raw(SUBUID), host.raw(SUBGID)) == (b"alice:100000:65536", None)
        assert RECORD not in host.files
    assert points >= 4


def test_a_damaged_record_is_refused() -> None:
    host = SubidHost()
    host.files[RECORD] = File(b'{"format": 2}')
    with pytest.raises(ConfigError, match="read the record of subordinate ids"):
        apply_ranges(host, request())


HOLD = """
import fcntl, sys
handle = open(sys.argv[1], "w")
fcntl.lockf(handle, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def test_the_lock_is_the_one_of_the_shadow_tools(tmp_path: Path) -> None:
    paths = [str(tmp_path / "subuid"), str(tmp_path / "subgid")]
    with LocalHost(None).lock_accounts(paths, 1.0):
        for path in paths:
            assert Path(path + ".lock").read_bytes() == b"%d\0" % os.getpid()
        probe = f"import fcntl; fcntl.lockf(open({str(tmp_path / '.pwd.lock')!r}, 'w'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
        assert subprocess.run([sys.executable, "-c", probe], capture_output=True, check=False).returncode != 0
        assert len(list(tmp_path.iterdir())) == 3
    assert [path.name for path in tmp_path.iterdir()] == [".pwd.lock"]


def test_a_lock_of_a_living_process_is_respected_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "subgid.lock").write_bytes(b"%d\0" % os.getppid())
    paths = [str(tmp_path / "subuid"), str(tmp_path / "subgid")]
    with pytest.raises(HostError, match=r"subgid.lock.*run again"), LocalHost(None).lock_accounts(paths, 0.1):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [".pwd.lock", "subgid.lock"]


def test_a_lock_without_a_process_id_is_respected(tmp_path: Path) -> None:
    (tmp_path / "subuid.lock").write_bytes(b"")
    with (
        pytest.raises(HostError, match="lock the account files"),
        LocalHost(None).lock_accounts([str(tmp_path / "subuid")], 0),
    ):
        pass


def test_a_lock_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        pass
    (tmp_path / "subuid.lock").write_bytes(b"%d\0" % dead.pid)
    with LocalHost(None).lock_accounts([str(tmp_path / "subuid")], 0.1):
        assert (tmp_path / "subuid.lock").read_bytes() == b"%d\0" % os.getpid()


def test_the_common_lock_of_libc_is_respected(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / ".pwd.lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with (
            pytest.raises(HostError, match=r"\.pwd\.lock"),
            LocalHost(None).lock_accounts([str(tmp_path / "subuid")], 0.1),
        ):
            pass
        holder.communicate(b"")
