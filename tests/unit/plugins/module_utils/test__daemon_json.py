# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading daemon.json as dockerd does, and editing it without touching a foreign byte."""

from __future__ import annotations

import codecs
from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._daemon_json import (
    Document,
    RawJson,
    parse_document,
    remove_members,
    same_value,
    set_members,
)
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version

OLD, NEW = Version(20, 10, 24), Version(26, 1, 5)
PATH = "/etc/docker/daemon.json"

READ_OK: list[tuple[Version, bytes, dict[str, Any]]] = [
    (NEW, b"", {}),
    (NEW, b" \n\t", {}),
    (NEW, "\u00a0{}\u3000".encode(), {}),
    (NEW, b"null", {}),
    (NEW, b'{"debug": true}', {"debug": True}),
    (NEW, codecs.BOM_UTF8 + b'{"a": 1}', {"a": 1}),
    (NEW, codecs.BOM_UTF16_LE + '{"a": "é"}'.encode("utf-16-le"), {"a": "é"}),
    (NEW, codecs.BOM_UTF16_BE + '{"a": "é"}'.encode("utf-16-be"), {"a": "é"}),
    (NEW, b'{"a": "\\ud83d\\ude00"}', {"a": "\U0001f600"}),
    (NEW, b'{"a": "\\ud83dx"}', {"a": "\ufffdx"}),
    (NEW, b'{"a": 1, "a": 2}', {"a": 2}),
    (NEW, b'{"log-opts": {"a": "1"}, "log-opts": {"b": "2"}}', {"log-opts": {"a": "1", "b": "2"}}),
    (NEW, b'{"icc": false, "icc": null}', {"icc": False}),
    (NEW, b'{"labels": ["a=b"], "labels": null}', {"labels": None}),
    (NEW, b'{"a": -0, "b": 1e2, "c": 1.5}', {"a": 0, "b": 100.0, "c": 1.5}),
    (OLD, b'{"a": 1} garbage', {"a": 1}),
    (OLD, b"{}{}", {}),
    (OLD, b'{"a": "\xff\xfe"}', {"a": "\ufffd\ufffd"}),
]
READ_BAD: list[tuple[Version, bytes, str]] = [
    (NEW, b'{"a": 1,}', r"a comma after the last element \(line 1, column 8\)"),
    (NEW, b'{"a": [1,\n]}', r"a comma after the last element \(line 1, column 9\)"),
    (NEW, b"{\n  // off\n}", r"JSON has no comments \(line 2, column 3\)"),
    (NEW, b'{"a": 1} # off', r"JSON has no comments \(line 1, column 10\)"),
    (NEW, b"/* x */ {}", r"JSON has no comments \(line 1, column 1\)"),
    (NEW, b'{"a": 1} x', r"'x' where the end of the file is due \(line 1, column 10\)"),
    (NEW, b'{"a": True}', r"'T' where a value is due"),
    (NEW, b'{"a": NaN}', r"'N' where a value is due"),
    (NEW, b"{'a': 1}", r"where a key in double quotes is due"),
    (NEW, b'{"a" 1}', r"where a colon is due"),
    (NEW, b'{"a": 1 "b": 2}', r"where a comma or the closing } is due \(line 1, column 9\)"),
    (NEW, b'{"a": 01}', r"'1' where a comma"),
    (NEW, b'{"a": 1e400}', r"the number 1e400 is too large"),
    (NEW, b'{"a": "\\x"}', r"the unknown escape"),
    (NEW, b'{"a": "\\u12g4"}', r"without four hexadecimal digits"),
    (NEW, b'{"a": "\t"}', r"the control character '.t' inside a string"),
    (NEW, b'{"a": "x', r"a string is not closed \(line 1, column 7\)"),
    (NEW, b'{"a": ', r"the file ends where a value is due"),
    (NEW, b"[]", r"holds a JSON array instead of an object"),
    (NEW, b'"x"', r"holds a JSON string instead of an object"),
    (NEW, b'{"a": "\xff"}', r"not UTF-8 \(line 1, column 8, byte 7\)"),
    (NEW, codecs.BOM_UTF8 * 2 + b"{}", r"where a value is due"),
    (NEW, b"[" * 10001, r"nested deeper than 10000 levels"),
    (OLD, b"", r"the file is empty, which engine 20\.10\.24 does not accept"),
    (OLD, codecs.BOM_UTF8 + b"{}", r"byte order mark \(line 1, column 1\)"),
    (OLD, "\u00a0{}".encode(), r"where a value is due"),
]
# file, keys to set, result; removing these keys again gives the file back
APPEND_OK: list[tuple[bytes, dict[str, Any], bytes]] = [
    (b'{"debug": true}', {"icc": False}, b'{"debug": true, "icc": false}'),
    (b'{"debug":true}', {"icc": False}, b'{"debug":true,"icc":false}'),
    (
        b'{\n\t"debug": true\n}\n',
        {"log-opts": {"a": "b"}},
        b'{\n\t"debug": true,\n\t"log-opts": {\n\t\t"a": "b"\n\t}\n}\n',
    ),
    (b'{\r\n    "debug": true\r\n}', {"icc": False}, b'{\r\n    "debug": true,\r\n    "icc": false\r\n}'),
    (codecs.BOM_UTF8 + b'{"debug": true}', {"icc": False}, codecs.BOM_UTF8 + b'{"debug": true, "icc": false}'),
    (
        codecs.BOM_UTF16_LE + '{"debug": true}'.encode("utf-16-le"),
        {"icc": False},
        codecs.BOM_UTF16_LE + '{"debug": true, "icc": false}'.encode("utf-16-le"),
    ),
]
REPLACE_OK: list[tuple[bytes, dict[str, Any], bytes]] = [
    (b'{ "icc" :true , "debug": true }', {"icc": False}, b'{ "icc" :false , "debug": true }'),
    (b'{"labels": ["a"], "x": 1}', {"labels": RawJson("[ ]")}, b'{"labels": [ ], "x": 1}'),
]
REMOVE_OK: list[tuple[bytes, list[str], bytes]] = [
    (b'{"a": 1, "b": 2, "c": 3}', ["a"], b'{"b": 2, "c": 3}'),
    (b'{"a": 1, "b": 2, "c": 3}', ["b"], b'{"a": 1, "c": 3}'),
    (b'{"a": 1, "b": 2 }', ["b"], b'{"a": 1 }'),
    (b'{\n  "a": 1\n}\n', ["a", "zzz"], b"{}\n"),
]


def read(raw: bytes | None, version: Version = NEW) -> Document:
    return parse_document(raw, version, PATH)


@pytest.mark.parametrize(("version", "raw", "data"), READ_OK)
def test_file_that_dockerd_reads_gives_its_data(version: Version, raw: bytes, data: dict[str, Any]) -> None:
    document = read(raw, version)
    assert same_value(document.data, data)
    assert document.exists
    assert document.raw == raw


@pytest.mark.parametrize(("version", "raw", "message"), READ_BAD)
def test_file_that_dockerd_refuses_is_refused_with_its_place(version: Version, raw: bytes, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read(raw, version)
    assert str(caught.value).startswith(f"Read {PATH}: ")


def test_missing_file_is_an_empty_document() -> None:
    document = read(None)
    assert (document.exists, document.raw, document.data) == (False, b"", {})


def test_members_know_their_places_and_texts() -> None:
    document = read(b'{"a": [1],\n   "b": {"c": 2}, "a": 3}')
    assert [(member.key, member.line, member.column, member.value_text) for member in document.members] == [
        ("a", 1, 2, "[1]"),
        ("b", 2, 4, '{"c": 2}'),
        ("a", 2, 19, "3"),
    ]
    assert document.duplicates == {"a": ((1, 2), (2, 19))}
    member = document.member("a")
    assert member is not None
    assert member.value == 3


def test_deep_file_is_read_without_recursion() -> None:
    document = read(b'{"x": ' + b"[" * 9999 + b"]" * 9999 + b"}")
    assert set(document.data) == {"x"}


@pytest.mark.parametrize(("raw", "values", "wanted"), APPEND_OK)
def test_appended_key_follows_the_style_and_leaves_no_trace(raw: bytes, values: dict[str, Any], wanted: bytes) -> None:
    document = set_members(read(raw), values)
    assert document.raw == wanted
    assert remove_members(document, values).raw == raw


@pytest.mark.parametrize(("raw", "values", "wanted"), REPLACE_OK)
def test_replaced_value_leaves_every_other_byte(raw: bytes, values: dict[str, Any], wanted: bytes) -> None:
    assert set_members(read(raw), values).raw == wanted


@pytest.mark.parametrize(("raw", "keys", "wanted"), REMOVE_OK)
def test_removed_key_takes_its_comma_along(raw: bytes, keys: list[str], wanted: bytes) -> None:
    assert remove_members(read(raw), keys).raw == wanted


@pytest.mark.parametrize("raw", [None, b"", b"{}", b"null"])
def test_first_key_makes_a_readable_file(raw: bytes | None) -> None:
    document = set_members(read(raw), {"icc": False})
    assert document.raw.strip() == b'{\n  "icc": false\n}'
    assert document.exists


def test_own_keys_stand_in_the_order_of_the_table() -> None:
    document = set_members(read(b'{"debug": true}'), {"log-level": "info"})
    document = set_members(document, {"icc": False}, ours=("icc", "log-level"))
    assert list(document.data) == ["debug", "icc", "log-level"]


def test_trailing_text_of_an_old_engine_is_kept() -> None:
    assert set_members(read(b'{"debug": true} # x', OLD), {"icc": False}).raw == b'{"debug": true, "icc": false} # x'


@pytest.mark.parametrize("change", [lambda d: set_members(d, {"a": 1}), lambda d: remove_members(d, ["a"])])
def test_key_that_is_there_twice_is_not_touched(change: Any) -> None:
    with pytest.raises(ConfigError, match="line 1, column 2 and line 1, column 10"):
        change(read(b'{"a": 1, "a": 2}'))


def test_values_of_different_types_are_different() -> None:
    assert not same_value(True, 1)
    assert not same_value({"a": 1}, {"a": 1.0})
    assert not same_value([1], [1, 2])
    assert same_value({"a": [1], "b": None}, {"b": None, "a": (1,)})
