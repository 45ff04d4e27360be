# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record: what is written is what is read, and what is damaged is said to be so."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.docker.plugins.module_utils._daemon_config import Entry, Ledger, Original
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError
from ansible_collections.bulwark.docker.plugins.module_utils._state_store import (
    Loaded,
    News,
    Record,
    Saved,
    Transaction,
    empty_record,
    parse_record,
    render_record,
)

PATH = "/var/lib/bulwark-docker/system/state.json"
FULL = Record(
    ledger=Ledger({"daemon_baseline": {"icc": Entry(False, None)}}, Original(True, b"\xef\xbb\xbf{}", 0o600, 0, 42)),
    transaction=Transaction(["1.5"], 1.5, Saved(None, 0o644, 0, 0), Ledger({}, None)),
    known_good=Saved(b"{}", 0o644, 0, 0),
    loaded=Loaded(["boot", 1, 2], None, b"{}"),
    rolled_back={"1.0": News("restart docker.service: no", 2.0)},
    created_directory="/etc/docker",
    stopped=["a", "b"],
)

RAWS = st.one_of(st.none(), st.binary(max_size=20))
SAVED = st.builds(Saved, RAWS, st.integers(0, 0o777), st.integers(0, 9), st.integers(0, 9), RAWS)
ENTRIES = st.dictionaries(
    st.sampled_from(["icc", "log-opts"]),
    st.builds(Entry, st.sampled_from([True, {"a": "b"}, ["x"], None, "é"]), st.one_of(st.none(), st.text())),
    max_size=2,
)
LEDGERS = st.builds(
    Ledger,
    st.dictionaries(st.sampled_from(["daemon_baseline", "seccomp"]), ENTRIES, max_size=2),
    st.one_of(
        st.none(), st.builds(Original, st.booleans(), st.binary(max_size=20), st.just(420), st.just(0), st.just(7))
    ),
)
RECORDS = st.builds(
    Record,
    ledger=LEDGERS,
    transaction=st.one_of(
        st.none(),
        st.builds(
            Transaction, st.lists(st.text(), min_size=1, max_size=3), st.floats(0, 1e10), SAVED, LEDGERS, st.booleans()
        ),
    ),
    known_good=st.one_of(st.none(), SAVED),
    loaded=st.one_of(st.none(), st.builds(Loaded, st.just(["boot", 12, 34]), RAWS, RAWS)),
    rolled_back=st.dictionaries(st.text(), st.builds(News, st.text(), st.floats(0, 1e10)), max_size=2),
    created_directory=st.sampled_from(["", "/etc/docker"]),
    stopped=st.lists(st.text(), max_size=2),
)


@given(record=RECORDS)
def test_what_is_written_is_read(record: Record) -> None:
    assert parse_record(render_record(record), PATH) == record


def test_missing_file_is_an_empty_record() -> None:
    assert parse_record(None, PATH) == empty_record()
    assert empty_record().idle


@pytest.mark.parametrize("field", ["ledger", "transaction", "rolled_back", "stopped"])
def test_record_with_something_to_remember_is_not_idle(field: str) -> None:
    assert not empty_record()._replace(**{field: getattr(FULL, field)}).idle


def test_memories_that_lead_nowhere_are_idle() -> None:
    assert empty_record()._replace(known_good=FULL.known_good, loaded=FULL.loaded, created_directory="/etc/docker").idle


def _without(name: str) -> bytes:
    data: dict[str, Any] = json.loads(render_record(FULL))
    del data[name]
    return json.dumps(data).encode()


def _with(**changes: Any) -> bytes:
    return json.dumps({**json.loads(render_record(FULL)), **changes}).encode()


LATER_MEMBERS = ("has_drop_in", "created_drop_in_directory")
SUBJECT_BAD = {
    "empty": b"",
    "cut": render_record(FULL)[:-40],
    "not UTF-8": b"\xff\xfe",
    "no object": b"[]",
    "a text": b'"format"',
    "transaction of another shape": _with(transaction=["1"]),
    "bytes that are none": _with(known_good={"raw": "%%%=", "mode": 1, "uid": 0, "gid": 0}),
    "news of another shape": _with(rolled_back={"1": "text"}),
    "loaded of another shape": _with(loaded={"raw": None}),
    "ledger of another shape": _with(ledger={"entries": {"x": 1}, "original": None}),
    **{f"without {name}": _without(name) for name in json.loads(render_record(FULL)) if name not in LATER_MEMBERS},
}


@pytest.mark.parametrize("raw", SUBJECT_BAD.values(), ids=SUBJECT_BAD.keys())
def test_damaged_records(raw: bytes) -> None:
    with pytest.raises(ConfigError, match=r"; (restore|move)|damaged"):
        parse_record(raw, PATH)


def test_record_of_the_first_release() -> None:
    data = json.loads(render_record(FULL))
    for name in LATER_MEMBERS:
        del data[name]
    for part in (data["known_good"], data["transaction"]["begin"]):
        del part["drop_in"]
    del data["transaction"]["stopped"]
    assert parse_record(json.dumps(data).encode(), PATH) == FULL


def test_record_of_a_newer_release() -> None:
    with pytest.raises(ConfigError, match=rf"format 2 is not 1 \({PATH}\); use the release"):
        parse_record(_with(format=2), PATH)
