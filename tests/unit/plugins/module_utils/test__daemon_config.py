# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ownership of keys: what is merged, what is refused, what comes back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._daemon_config import (
    OWNERS,
    ROOTLESS_OWNER,
    Entry,
    Ledger,
    Merge,
    Original,
    merge_owned,
    remove_owned,
)
from ansible_collections.bulwark.docker.plugins.module_utils._daemon_json import Document, parse_document
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError, ConflictError
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version

BASELINE = "daemon_baseline"
NEW = Version(26, 1, 5)
PATH = "/etc/docker/daemon.json"

LEDGER_BAD: list[Any] = [
    {},
    {"entries": {}},
    {"entries": [], "original": None},
    {"entries": {"x": {"icc": {"value": 1}}}, "original": None},
    {"entries": {}, "original": {"existed": True, "raw": "%%%", "mode": 0, "uid": 0, "gid": 0}},
    None,
]
KEYS_BAD = [
    (BASELINE, "seccomp-profile", "belongs to the role 'seccomp'; set seccomp_default_policies instead"),
    (BASELINE, "bip", "belongs to the administrator; write it into daemon.json yourself"),
    (BASELINE, "no-such-key", "belongs to the administrator"),
    ("daemon_tls", "tlsverify", "belong on the command line of the unit"),
    (BASELINE, "hosts", "belong on the command line of the unit"),
    (ROOTLESS_OWNER, "iccc", "engines know no such key; look for a misspelling in rootless_settings"),
    (ROOTLESS_OWNER, "hosts", "opens on a Unix socket alone"),
    (ROOTLESS_OWNER, "tlsverify", "opens on a Unix socket alone"),
    ("nobody", "icc", "no role of that name owns keys; use one of|no role of that name owns keys of daemon.json"),
]


def read(raw: bytes | None) -> tuple[Document, Ledger]:
    original = Original(raw is not None, raw or b"", 0o644, 0, 0)
    return parse_document(raw, NEW, PATH), Ledger().with_original(original)


def merge(raw: bytes | None, wanted: dict[str, Any], override: bool = False) -> Merge:
    document, ledger = read(raw)
    return merge_owned(document, ledger, BASELINE, wanted, override)


def test_owned_keys_are_added_after_the_administrators() -> None:
    merged = merge(b'{"debug": true}', {"log-level": "info", "icc": False})
    assert merged.document.raw == b'{"debug": true, "icc": false, "log-level": "info"}'
    assert [(d.key, d.before, d.after) for d in merged.differences] == [
        ("icc", None, "false"),
        ("log-level", None, '"info"'),
    ]
    assert merged.ledger.owned() == {"icc": BASELINE, "log-level": BASELINE}


def test_equal_value_of_the_administrator_stays_and_survives_removal() -> None:
    raw = b'{"icc" : false}'
    merged = merge(raw, {"icc": False})
    assert merged.document.raw == raw
    assert merged.differences == ()
    assert merged.ledger.entries == {BASELINE: {"icc": Entry(False, "false")}}
    assert remove_owned(merged.document, merged.ledger, BASELINE).document.raw == raw


def test_other_value_of_the_administrator_is_refused_with_all_details() -> None:
    with pytest.raises(ConflictError) as caught:
        merge(b'{\n  "icc": true\n}', {"icc": False})
    assert str(caught.value) == (
        "Set 'icc' to false: the administrator has set it to true (/etc/docker/daemon.json, line 2); remove that line, "
        "set daemon_baseline_icc to the same value, or allow the override"
    )


def test_overridden_value_comes_back_in_its_own_words() -> None:
    raw = b'{"log-opts": { "max-size" :"1m" }, "x": 1}'
    merged = merge(raw, {"log-opts": {"max-size": "10m"}}, override=True)
    assert merged.document.data == {"log-opts": {"max-size": "10m"}, "x": 1}
    edited = parse_document(merged.document.raw.replace(b'"x": 1', b'"x": 2'), NEW, PATH)
    assert remove_owned(edited, merged.ledger, BASELINE).document.raw == raw.replace(b'"x": 1', b'"x": 2')


@pytest.mark.parametrize(("owner", "key", "message"), KEYS_BAD)
def test_key_of_somebody_else_is_refused(owner: str, key: str, message: str) -> None:
    document, ledger = read(b"{}")
    with pytest.raises(ConflictError, match=message):
        merge_owned(document, ledger, owner, {key: True})


def test_engine_of_a_user_has_one_owner_for_all_its_keys() -> None:
    document, ledger = read(b'{"icc": true}')
    merged = merge_owned(document, ledger, ROOTLESS_OWNER, {"data-root": "/x", "log-level": "info"})
    assert merged.ledger.owned() == dict.fromkeys(("data-root", "log-level"), ROOTLESS_OWNER)
    assert remove_owned(merged.document, merged.ledger, ROOTLESS_OWNER).document.raw == b'{"icc": true}'
    with pytest.raises(ConflictError, match=r"line 1.*set rootless_settings to the same value"):
        merge_owned(document, ledger, ROOTLESS_OWNER, {"icc": False})


def test_listener_and_tls_keys_are_in_nobodys_set() -> None:
    assert "daemon_tls" in OWNERS
    assert OWNERS["daemon_tls"] == frozenset()
    assert "icc" in OWNERS[BASELINE]


def test_drifted_and_removed_own_values_are_set_again() -> None:
    merged = merge(b"{}", {"icc": False, "log-level": "info"})
    drifted = parse_document(b'{"log-level": "debug"}', NEW, PATH)
    again = merge_owned(drifted, merged.ledger, BASELINE, {"icc": False, "log-level": "info"})
    assert again.document.data == {"icc": False, "log-level": "info"}
    assert [(d.key, d.reason) for d in again.differences] == [
        ("icc", "the key was removed since"),
        ("log-level", "the value was changed since"),
    ]


def test_key_no_longer_wanted_is_given_back() -> None:
    merged = merge(b'{"debug": true}', {"icc": False, "log-level": "info"})
    fewer = merge_owned(merged.document, merged.ledger, BASELINE, {"icc": False})
    assert fewer.document.raw == b'{"debug": true, "icc": false}'
    assert [(d.key, d.before, d.after) for d in fewer.differences] == [("log-level", '"info"', None)]


def test_file_we_made_goes_and_file_with_foreign_keys_stays() -> None:
    merged = merge(None, {"icc": False})
    gone = remove_owned(merged.document, merged.ledger, BASELINE)
    assert (gone.document.exists, gone.document.raw, gone.ledger) == (False, b"", Ledger())
    kept = remove_owned(parse_document(b'{"icc": false, "mtu": 1400}', NEW, PATH), merged.ledger, BASELINE)
    assert (kept.document.exists, kept.document.raw) == (True, b'{"mtu": 1400}')


def test_reformatted_file_gets_its_original_bytes_back() -> None:
    raw = b'{ "mtu":1400 }'
    merged = merge(raw, {"icc": False})
    pretty = json.dumps(json.loads(merged.document.raw), indent=4).encode()
    assert remove_owned(parse_document(pretty, NEW, PATH), merged.ledger, BASELINE).document.raw == raw


def test_owned_key_that_is_there_twice_is_an_error_with_both_places() -> None:
    with pytest.raises(ConfigError, match="line 1, column 2 and line 1, column 15"):
        merge(b'{"icc": true, "icc": true}', {"icc": True})


def test_ledger_survives_its_file() -> None:
    ledger = merge(b'\xef\xbb\xbf{"icc": false}', {"icc": False, "log-opts": {"a": "b"}}).ledger
    assert Ledger.from_dict(json.loads(json.dumps(ledger.to_dict()))) == ledger
    assert ledger.with_original(Original(False, b"", 0, 0, 0)) == ledger


@pytest.mark.parametrize("data", LEDGER_BAD)
def test_damaged_ledger_is_refused_with_advice(data: Any) -> None:
    with pytest.raises(ConfigError, match=r"it is damaged .*; move it away and run the roles again"):
        Ledger.from_dict(data)
