# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The laws of several roles in one file."""

from __future__ import annotations

import codecs
import json
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.bulwark.docker.plugins.module_utils._daemon_config import (
    OWNERS,
    Ledger,
    Original,
    merge_owned,
    remove_owned,
)
from ansible_collections.bulwark.docker.plugins.module_utils._daemon_json import Document, parse_document, same_value
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version

NEW = Version(26, 1, 5)
PATH = "/etc/docker/daemon.json"
ROLES = ("daemon_baseline", "userns_remap", "seccomp")
FOREIGN = ("debug", "bip", "mtu", "runtimes", "registry-mirrors", "proxies", "data-root", "x-é")

scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
spaces = st.sampled_from(["", " ", "\n", "\n  ", "\r\n\t", "\n\n    "])
wanted_sets = st.fixed_dictionaries(
    {role: st.dictionaries(st.sampled_from(sorted(OWNERS[role])), values, max_size=4) for role in ROLES}
)


@st.composite
def files(draw: st.DrawFn, own: bool = True) -> bytes | None:
    """A daemon.json in somebody's own layout: foreign keys, doubled ones, keys that roles own too, marks and ends."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from([None, b"", b"{}", b" {\n} ", b"null\n"]))
    names = draw(st.lists(st.sampled_from(FOREIGN), max_size=4))
    if own:
        names += draw(st.lists(st.sampled_from(["icc", "log-level", "userns-remap"]), unique=True, max_size=2))
    names = draw(st.permutations(names))
    colon, comma, lead = draw(st.sampled_from([":", ": ", " : "])), draw(spaces), draw(spaces)
    members = []
    for name in names:
        text = json.dumps(draw(values), indent=draw(st.sampled_from([None, 2])), ensure_ascii=draw(st.booleans()))
        members.append(json.dumps(name, ensure_ascii=False) + colon + text)
    text = "{" + lead + ("," + comma).join(members) + draw(spaces) + "}" + draw(st.sampled_from(["", "\n", "\r\n \n"]))
    mark, codec = draw(
        st.sampled_from([(b"", "utf-8"), (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le")])
    )
    return mark + text.encode(codec, "replace")


def start(raw: bytes | None) -> tuple[Document, Ledger]:
    return parse_document(raw, NEW, PATH), Ledger().with_original(Original(raw is not None, raw or b"", 0o644, 0, 0))


def without_conflicts(raw: bytes | None) -> None:
    assume(not {"icc", "log-level", "userns-remap"} & set(parse_document(raw, NEW, PATH).duplicates))


def apply_all(raw: bytes | None, wanted: dict[str, dict[str, Any]], order: tuple[str, ...]) -> tuple[Document, Ledger]:
    document, ledger = start(raw)
    for role in order:
        document, ledger, _differences = merge_owned(document, ledger, role, wanted[role], override=True)
        if not ledger.entries:
            document, ledger = start(raw)
    return document, ledger


@given(files(), wanted_sets, st.permutations(ROLES))
def test_prop_any_order_of_roles_gives_the_same_bytes(
    raw: bytes | None, wanted: dict[str, dict[str, Any]], order: list[str]
) -> None:
    without_conflicts(raw)
    assert apply_all(raw, wanted, tuple(order))[0].raw == apply_all(raw, wanted, ROLES)[0].raw


@given(files(), wanted_sets)
def test_prop_twice_is_once(raw: bytes | None, wanted: dict[str, dict[str, Any]]) -> None:
    without_conflicts(raw)
    document, ledger = apply_all(raw, wanted, ROLES)
    for role in ROLES:
        again = merge_owned(document, ledger, role, wanted[role])
        assert again.differences == ()
        assert again.document.raw == document.raw
        assert again.ledger.entries == ledger.entries


@given(files(), wanted_sets)
def test_prop_wanted_values_are_in_the_file(raw: bytes | None, wanted: dict[str, dict[str, Any]]) -> None:
    without_conflicts(raw)
    data = apply_all(raw, wanted, ROLES)[0].data
    for settings in wanted.values():
        for key, value in settings.items():
            assert same_value(data[key], value)


@given(files(), wanted_sets)
def test_prop_foreign_members_keep_order_and_bytes(raw: bytes | None, wanted: dict[str, dict[str, Any]]) -> None:
    without_conflicts(raw)
    touched = {key for settings in wanted.values() for key in settings}
    before = [(m.key, m.value_text) for m in start(raw)[0].members if m.key not in touched]
    after = [(m.key, m.value_text) for m in apply_all(raw, wanted, ROLES)[0].members if m.key not in touched]
    assert after == before


@given(files(own=False), wanted_sets)
def test_prop_appending_keeps_every_byte_of_the_file(raw: bytes | None, wanted: dict[str, dict[str, Any]]) -> None:
    assume(raw is not None and start(raw)[0].members)
    document = start(raw)[0]
    result = apply_all(raw, wanted, ROLES)[0]
    end = document.members[-1].end
    assert result.text.startswith(document.text[:end])
    assert result.text.endswith(document.text[end:])


@given(files(), wanted_sets, st.permutations(ROLES))
def test_prop_removal_gives_the_original_bytes(
    raw: bytes | None, wanted: dict[str, dict[str, Any]], order: list[str]
) -> None:
    without_conflicts(raw)
    document, ledger = apply_all(raw, wanted, ROLES)
    for role in order:
        document, ledger, _differences = remove_owned(document, ledger, role)
    assert (document.exists, document.raw) == (raw is not None, raw or b"")


steps = st.lists(st.tuples(st.sampled_from(ROLES), st.booleans(), wanted_sets), max_size=6)


@given(files(), steps)
def test_prop_interleaved_applying_and_removing_ends_at_the_original(
    raw: bytes | None, plan: list[tuple[str, bool, dict[str, dict[str, Any]]]]
) -> None:
    without_conflicts(raw)
    document, ledger = start(raw)
    for role, present, wanted in [*plan, *((role, False, {}) for role in ROLES)]:
        settings = wanted[role] if present else {}
        document, ledger, _differences = merge_owned(document, ledger, role, settings, override=True)
        if not ledger.entries:
            assert (document.exists, document.raw) == (raw is not None, raw or b"")
            document, ledger = start(raw)


@given(files(), wanted_sets)
def test_prop_ledger_survives_its_file(raw: bytes | None, wanted: dict[str, dict[str, Any]]) -> None:
    without_conflicts(raw)
    ledger = apply_all(raw, wanted, ROLES)[1]
    assert Ledger.from_dict(json.loads(json.dumps(ledger.to_dict()))) == ledger
