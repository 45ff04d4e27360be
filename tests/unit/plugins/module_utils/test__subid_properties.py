# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The laws of subordinate ids, over random files with comments, overlaps and garbage."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from hypothesis import event, given, settings
from hypothesis import strategies as st

from ansible_collections.bulwark.docker.plugins.module_utils._errors import BulwarkError, ConflictError
from ansible_collections.bulwark.docker.plugins.module_utils._subid import (
    Account,
    engine_problem,
    engine_ranges,
    owned,
    parse_table,
    render,
)
from ansible_collections.bulwark.docker.plugins.module_utils._subid_plan import Wanted
from ansible_collections.bulwark.docker.plugins.module_utils._subid_run import RECORD, apply_ranges
from ansible_collections.bulwark.docker.plugins.module_utils._version import parse_version
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.subid_host import (
    SUBGID,
    SUBUID,
    UIDS,
    Span,
    SubidHost,
    dockerd_new,
    engine_view,
    request,
    shadow,
)

NAME = "dockremap"
MINE = (NAME, str(UIDS[NAME]))
GENERATIONS = ("20.10.3", "20.10.4", "28.0")

foreign_owners = st.sampled_from(["alice", "1000", "bob", "ghost", "x-y", "dockremap2"])
starts = st.one_of(
    st.integers(1, 12).map(lambda slot: 100000 + slot * 65536),
    st.integers(90000, 900000),
    st.integers(0, 2**32 + 5),
    st.sampled_from([0, 524288, 600100000, 1879048191, 2**31, 2**32 - 2]),
)
counts = st.one_of(st.sampled_from([65536, 65536, 65536, 1, 0, 65535, 131072, 10**6]), st.integers(0, 2**32))
forms = st.sampled_from(["{}", "{}", "{}", "0{}", "+{}", " {}", "{} ", "{}x", "-{}", "", "{:#x}", "{:#o}"])
plain = st.builds("{}:{}:{}".format, foreign_owners, starts, counts)
odd = st.builds(
    lambda owner, start, count, one, two, end: f"{owner}:{one.format(start)}:{two.format(count)}{end}",
    foreign_owners,
    starts,
    counts,
    forms,
    forms,
    st.sampled_from(["", "", ":", ":x", "\r", "\t", "\0", "\xa0"]),
)
garbage = st.one_of(
    st.text(st.characters(blacklist_characters="\n", blacklist_categories=["Cs"]), max_size=12),
    st.sampled_from(
        ["", " ", "# comment", "#alice:300000:65536", "::", "alice", ":100000:65536", "+", "+@nis", "a:" * 5]
    ),
)
foreign = st.one_of(plain, plain, odd, garbage).filter(lambda text: text.strip().split(":")[0].strip() not in MINE)
own = st.builds("{}:{}:{}".format, st.sampled_from(MINE), starts, counts)
own_odd = st.builds(lambda text, one: text.replace(":", ":" + one, 1), own, st.sampled_from(["0", " ", "x", ":"]))


def files(line: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    """Files of such lines, with or without the last line's end, and with bytes that are no text."""
    return st.builds(
        lambda lines, end, junk: (
            "\n".join(lines).encode() + (b"\xff\xfe:1:2" if junk else b"") + (b"\n" if end else b"")
        ),
        st.lists(line, max_size=9),
        st.booleans(),
        st.sampled_from([False, False, False, True]),
    )


foreign_files = st.one_of(st.none(), files(foreign))
mixed_files = files(st.one_of(foreign, foreign, foreign, own))
wanted_lists = st.one_of(
    st.just(()),
    st.lists(st.builds(Wanted, st.none(), st.sampled_from([65536, 65537, 200000])), min_size=1, max_size=3).map(tuple),
)


def ids(raw: bytes) -> list[Span]:
    """What the shadow tools or dockerd take from a file, without ranges that hold nothing."""
    return [span for span in (*shadow(raw), *dockerd_new(raw)) if span.count > 0]


def disjoint(one: tuple[int, int], start: int, count: int) -> bool:
    return one[0] + one[1] <= start or start + count <= one[0]


def full(subuid: bytes | None, subgid: bytes | None, message: str) -> None:
    """A refusal for want of room is only right where a line has a number that is as large as the area."""
    event("no room")
    assert "free ones in a row" in message
    assert re.search(rb"[0-9]{9}|0[xo][0-9a-f]{7}", (subuid or b"") + b" " + (subgid or b""))


def check_result(host: SubidHost, minimum: int, added: Mapping[str, Sequence[str]]) -> None:
    """Every program reads the same ranges, large enough, and nobody else has any of their ids.

    Ranges that were there before may hold ids of the other kind and of lines that are commented out.
    """
    for path in (SUBUID, SUBGID):
        made = {tuple(int(number) for number in line.split(":")[1:]) for line in added[path.rpartition("/")[2]]}
        raw = host.raw(path) or b""
        new = engine_view(raw, NAME, UIDS[NAME], "28.0")
        assert new is not None
        assert sum(count for _start, count in new) >= minimum
        assert max(count for _start, count in new) >= 65536
        listed = sorted(span[1:] for span in shadow(raw) if span.owner in MINE)
        assert listed == sorted(new)
        for number, mine in enumerate(new):
            assert mine[0] > 0
            assert mine[0] + mine[1] < 2**32
            assert all(disjoint(mine, *other) for other in new[number + 1 :])
            others = [span for span in ids(raw) if span.owner not in MINE]
            if mine in made:
                assert not any(mine[0] <= uid < mine[0] + mine[1] for uid in UIDS.values())
            else:
                others = [span for span in others if not span.owner.startswith("#")]
            assert all(disjoint(mine, span.start, span.count) for span in others), (mine, others)


@settings(max_examples=250)
@given(foreign_files, foreign_files, wanted_lists)
def test_a_new_user_gets_ids_of_its_own_and_everything_comes_back(
    subuid: bytes | None, subgid: bytes | None, wanted: tuple[Wanted, ...]
) -> None:
    host = SubidHost(subuid, subgid)
    before = dict(host.files)
    try:
        predicted = apply_ranges(host, request(NAME, *wanted, check=True))
    except ConflictError as exc:
        full(subuid, subgid, str(exc))
        return
    assert host.files == before
    result = apply_ranges(host, request(NAME, *wanted))
    assert result == predicted
    assert result["changed"]
    check_result(host, sum(entry.count for entry in wanted) or 65536, result["added"])
    for path, raw in ((SUBUID, subuid), (SUBGID, subgid)):
        text = "".join(line + "\n" for line in result["added"][path.rpartition("/")[2]])
        start = raw or b""
        joint = b"\n" if start and not start.endswith(b"\n") else b""
        assert host.raw(path) == start + joint + text.encode()
    written = {path: host.raw(path) for path in (SUBUID, SUBGID)}
    again = apply_ranges(host, request(NAME, *wanted))
    assert not again["changed"]
    assert written == {path: host.raw(path) for path in (SUBUID, SUBGID)}
    assert apply_ranges(host, request(NAME, present=False))["changed"]
    assert (host.raw(SUBUID), host.raw(SUBGID)) == (subuid, subgid)
    assert RECORD not in host.files
    assert not host.unlocked_writes


@settings(max_examples=250)
@given(mixed_files, mixed_files, wanted_lists)
def test_a_user_with_lines_gets_what_is_missing_or_nothing_is_changed(
    subuid: bytes, subgid: bytes, wanted: tuple[Wanted, ...]
) -> None:
    host = SubidHost(subuid, subgid)
    try:
        result = apply_ranges(host, request(NAME, *wanted))
    except BulwarkError:
        event("refused")
        assert (host.raw(SUBUID), host.raw(SUBGID)) == (subuid, subgid)
        return
    event("changed" if result["changed"] else "fits")
    check_result(host, 65536, result["added"])
    for generation in GENERATIONS:
        for path in (SUBUID, SUBGID):
            seen = engine_view(host.raw(path) or b"", NAME, UIDS[NAME], generation)
            needed = {entry["start"] for entry in result["ranges"][path[5:]]}
            assert seen is None or needed <= {start for start, _count in seen}
    assert not apply_ranges(host, request(NAME, *wanted))["changed"]
    apply_ranges(host, request(NAME, present=False))
    assert (host.raw(SUBUID), host.raw(SUBGID)) == (subuid, subgid)


@settings(max_examples=500)
@given(foreign_files, st.lists(plain, max_size=4))
def test_ranges_stay_the_same_while_others_come_and_useradd_sorts(subuid: bytes | None, later: list[str]) -> None:
    host = SubidHost(subuid, subuid)
    two = (Wanted(None, 65536), Wanted(None, 65536))
    try:
        first = apply_ranges(host, request(NAME, *two))
    except ConflictError as exc:
        full(subuid, subuid, str(exc))
        return
    for path in (SUBUID, SUBGID):
        mine = [line.range for line in owned(parse_table(host.raw(path)), Account(NAME, UIDS[NAME]))]
        lines = (host.raw(path) or b"").decode("utf-8", "surrogateescape").splitlines(keepends=True)
        lines += [text + "\n" for text in later if not any(_shares(text, span) for span in mine)]
        table = parse_table("".join(lines).encode("utf-8", "surrogateescape"))
        # As find_free_range does: readable lines by their starts, then the others.
        ordered = sorted(table.lines, key=lambda line: (line.range is None, line.range.start if line.range else 0))
        host.files[path].data = "".join(line.text + "\n" for line in ordered).encode("utf-8", "surrogateescape")
    again = apply_ranges(host, request(NAME, *two))
    assert again["ranges"] == first["ranges"]
    for name in ("subuid", "subgid"):
        assert again["engine"][name] == first["engine"][name]
    assert not again["changed"]


def _shares(text: str, span: object) -> bool:
    other = parse_table(text.encode()).lines[0]
    return any(entry.touches(span) for entry in other.spans)


@settings(max_examples=300)
@given(files(st.one_of(foreign, own)), st.sampled_from(GENERATIONS))
def test_we_read_a_file_as_each_version_of_the_engine_does(raw: bytes, generation: str) -> None:
    table, account, version = parse_table(raw), Account(NAME, UIDS[NAME]), parse_version(generation)
    # Lines of the user that are out of bounds are refused before.
    if any(line.problem for line in owned(table, account)):
        return
    if any(":0" in line.text for line in owned(table, account)):
        return
    seen = engine_view(raw, NAME, UIDS[NAME], generation)
    assert bool(engine_problem(table, SUBUID, version)) == (seen is None)
    if seen is not None:
        assert [(entry.start, entry.count) for entry in engine_ranges(table, account, version)] == seen


@settings(max_examples=500)
@given(files(st.one_of(foreign, own, own_odd)))
def test_any_bytes_come_back_as_they_were(raw: bytes) -> None:
    assert render(parse_table(raw)) == raw


@settings(max_examples=300)
@given(files(own_odd).filter(bool))
def test_doubtful_lines_of_the_user_are_refused(raw: bytes) -> None:
    host = SubidHost(raw, b"")
    doubtful = [line for line in owned(parse_table(raw), Account(NAME, UIDS[NAME])) if line.problem]
    try:
        result = apply_ranges(host, request(NAME))
    except BulwarkError:
        assert host.raw(SUBUID) == raw
        return
    assert not doubtful
    assert result["changed"]
