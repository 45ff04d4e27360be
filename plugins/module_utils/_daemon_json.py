# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""daemon.json as a text that can be edited without touching a foreign byte (pure, private).

Reads exactly what the dockerd of a version reads: Go's encoding/json (RFC 8259, last duplicate wins, maps merge, lone
surrogates become U+FFFD, depth 10000) behind moby's daemon/config/config.go, which decodes byte order marks, refuses
invalid UTF-8 and takes an empty file from 23.0 on, while 20.10 reads the first value and ignores what follows.
"""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass, field
from typing import Any, Collection, Dict, Iterable, List, Mapping, NamedTuple, NoReturn, Optional, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._engine_keys import FLAT_MAPS, KEYS
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version

__all__ = [
    "Document",
    "Member",
    "Node",
    "RawJson",
    "empty_document",
    "parse_document",
    "remove_members",
    "same_value",
    "set_members",
]

MAX_DEPTH = 10000
MODERN_READER = (23,)
SPACES = " \t\r\n"
# What Go's bytes.TrimSpace removes at both ends of the file.
OUTER_SPACES = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
PLAIN_TEXT = re.compile(r'[^"\\\x00-\x1f]*')
ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
WORDS = (("true", True), ("false", False), ("null", None))
NULL_KEEPS_SHAPES = ("bool", "int", "int64", "str", "ip")
MERGED_OBJECTS = frozenset(FLAT_MAPS | {"proxies"})
STYLE_INDENT = "  "
RANKS = {key: rank for rank, key in enumerate(KEYS)}


class Node(NamedTuple):
    """One JSON value: kind is object, array, string, number, bool or null; start and end are character positions.

    value is the plain Python value (numbers as int or float, duplicates: last one wins);
    members holds every (key, key position, value) of an object, items the values of an array.
    """

    kind: str
    start: int
    end: int
    value: Any
    members: Tuple[Tuple[str, int, Node], ...] = ()
    items: Tuple[Node, ...] = ()


class Member(NamedTuple):
    """One top-level key and its value, with character spans in the document's text; line and column count from 1."""

    key: str
    line: int
    column: int
    start: int
    end: int
    value_text: str
    value: Any
    node: Node


class RawJson(NamedTuple):
    """A value given as JSON text, written as it is."""

    text: str


@dataclass(frozen=True)
class Document:
    """A daemon.json: `raw` is what is (to be) on disk, `exists` False means there is (to be) no file.

    `members` are all top-level keys in file order, duplicates included; `data` is what dockerd makes of them;
    `duplicates` gives the positions (line, column) of each key that is there more than once.
    """

    path: str
    version: Version
    exists: bool
    raw: bytes
    text: str = ""
    root: Optional[Node] = None
    members: Tuple[Member, ...] = ()
    data: Dict[str, Any] = field(default_factory=dict)
    duplicates: Dict[str, Tuple[Tuple[int, int], ...]] = field(default_factory=dict)

    def member(self, key: str) -> Optional[Member]:
        """The last member of that name, None when there is none."""
        return next((member for member in reversed(self.members) if member.key == key), None)

    def position(self, offset: int) -> Tuple[int, int]:
        """Line and column, counted from 1, of a character position in `text`."""
        return _position(self.text, offset)


def same_value(left: Any, right: Any) -> bool:
    """Whether two JSON values are equal: types count (1 is not true), the order of object keys does not."""
    pairs = [(left, right)]
    while pairs:
        one, other = pairs.pop()
        if isinstance(one, dict) and isinstance(other, dict):
            if one.keys() != other.keys():
                return False
            pairs.extend((value, other[key]) for key, value in one.items())
        elif isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
            if len(one) != len(other):
                return False
            pairs.extend(zip(one, other))
        elif type(one) is not type(other) or one != other:
            return False
    return True


def _position(text: str, offset: int) -> Tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - (text.rfind("\n", 0, offset) + 1) + 1


class _Reader:
    """An iterative JSON reader: a deep file must give an error, not exhaust the stack."""

    def __init__(self, text: str, path: str) -> None:
        self.text = text
        self.path = path

    def fail(
        self, offset: int, problem: str, advice: str = "mend the file: the engine refuses to start with it"
    ) -> NoReturn:
        line, column = _position(self.text, offset)
        raise ConfigError(f"Read {self.path}: {problem} (line {line}, column {column}); {advice}")

    def skip(self, offset: int) -> int:
        text, size = self.text, len(self.text)
        while offset < size and text[offset] in SPACES:
            offset += 1
        return offset

    def unexpected(self, offset: int, wanted: str) -> NoReturn:
        if offset >= len(self.text):
            self.fail(offset, f"the file ends where {wanted} is due")
        found = self.text[offset]
        if self.text.startswith(("//", "/*"), offset) or found == "#":
            self.fail(offset, "JSON has no comments", "remove the comment: the engine refuses to start with it")
        self.fail(offset, f"{found!r} where {wanted} is due")

    def string(self, offset: int) -> Tuple[str, int]:
        """Decode the string that begins at offset; gives its value and the position after it."""
        text, parts, at = self.text, [], offset + 1
        while True:
            match = PLAIN_TEXT.match(text, at)
            if match is not None:
                parts.append(match.group())
                at = match.end()
            if at >= len(text):
                self.fail(offset, "a string is not closed")
            if text[at] == '"':
                return _replace_surrogates("".join(parts)), at + 1
            if text[at] != "\\":
                self.fail(at, f"the control character {text[at]!r} inside a string", "write it as an escape")
            escape = text[at + 1 : at + 2]
            if escape == "u":
                digits = text[at + 2 : at + 6]
                if not re.fullmatch("[0-9a-fA-F]{4}", digits):
                    self.fail(at, "\\u without four hexadecimal digits")
                parts.append(chr(int(digits, 16)))
                at += 6
            elif escape in ESCAPES and escape:
                parts.append(ESCAPES[escape])
                at += 2
            else:
                self.fail(at, f"the unknown escape {text[at : at + 2]!r} in a string")

    def scalar(self, offset: int) -> Node:
        """Read a value that is neither object nor array."""
        text = self.text
        if text.startswith('"', offset):
            value, end = self.string(offset)
            return Node("string", offset, end, value)
        for word, constant in WORDS:
            if text.startswith(word, offset):
                return Node("null" if constant is None else "bool", offset, offset + len(word), constant)
        match = NUMBER.match(text, offset)
        if match is None:
            self.unexpected(offset, "a value")
        digits = match.group()
        number = float(digits)
        if number in (float("inf"), float("-inf")):
            self.fail(offset, f"the number {digits[:20]} is too large")
        whole = digits.lstrip("-").isdigit()
        return Node("number", offset, match.end(), int(digits) if whole and len(digits) < 4000 else number)

    def value(self, offset: int) -> Node:
        """Read one value of any depth; surrounding space is not skipped."""
        stack: List[_Open] = []
        while True:
            opened = self.text[offset : offset + 1]
            if opened in ("{", "[") and opened:
                if len(stack) >= MAX_DEPTH:
                    self.fail(offset, f"values are nested deeper than {MAX_DEPTH} levels")
                stack.append(_Open(opened == "{", offset))
                offset = self.skip(offset + 1)
                if self.text[offset : offset + 1] == ("}" if opened == "{" else "]"):
                    node = stack.pop().close(offset + 1)
                else:
                    offset = self.key(stack[-1], offset) if opened == "{" else offset
                    continue
            else:
                node = self.scalar(offset)
            while stack:
                top = stack[-1]
                top.add(node)
                offset = self.skip(node.end)
                follows = self.text[offset : offset + 1]
                if follows == ",":
                    comma = offset
                    offset = self.skip(offset + 1)
                    if self.text[offset : offset + 1] in ("}", "]"):
                        self.fail(comma, "a comma after the last element", "remove the comma: the engine refuses it")
                    if top.is_object:
                        offset = self.key(top, offset)
                    break
                if follows != ("}" if top.is_object else "]") or not follows:
                    self.unexpected(offset, "a comma or the closing " + ("}" if top.is_object else "]"))
                node = stack.pop().close(offset + 1)
            else:
                return node

    def key(self, top: _Open, offset: int) -> int:
        """Read a key and its colon; gives the position of the value."""
        if not self.text.startswith('"', offset):
            self.unexpected(offset, "a key in double quotes")
        top.key_start = offset
        top.key, offset = self.string(offset)
        offset = self.skip(offset)
        if not self.text.startswith(":", offset):
            self.unexpected(offset, "a colon")
        return self.skip(offset + 1)


class _Open:
    """An object or array that is still being read."""

    def __init__(self, is_object: bool, start: int) -> None:
        self.is_object = is_object
        self.start = start
        self.key = ""
        self.key_start = 0
        self.members: List[Tuple[str, int, Node]] = []
        self.items: List[Node] = []

    def add(self, node: Node) -> None:
        if self.is_object:
            self.members.append((self.key, self.key_start, node))
        else:
            self.items.append(node)

    def close(self, end: int) -> Node:
        if self.is_object:
            plain = {key: node.value for key, _start, node in self.members}
            return Node("object", self.start, end, plain, members=tuple(self.members))
        return Node("array", self.start, end, [node.value for node in self.items], items=tuple(self.items))


def _replace_surrogates(text: str) -> str:
    """Join surrogate pairs and turn what is left (lone ones, undecodable bytes) into U+FFFD, as Go does."""
    if not any("\ud800" <= character <= "\udfff" for character in text):
        return text
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in joined)


def _decode(raw: bytes, version: Version, path: str) -> Tuple[str, bytes, str]:
    """Text without byte order mark, the mark, and the codec."""
    if version < MODERN_READER:
        if raw.startswith(tuple(mark for mark, _codec in BYTE_ORDER_MARKS)):
            raise ConfigError(
                f"Read {path}: the file begins with a byte order mark (line 1, column 1), which engine {version} "
                "cannot read; save it as UTF-8 without one"
            )
        return raw.decode("utf-8", "surrogateescape"), b"", "utf-8"
    mark, codec = next(((mark, codec) for mark, codec in BYTE_ORDER_MARKS if raw.startswith(mark)), (b"", "utf-8"))
    body = raw[len(mark) :]
    if codec != "utf-8":
        return body.decode(codec, "surrogatepass" if len(body) % 2 == 0 else "replace"), mark, codec
    try:
        return body.decode("utf-8"), mark, codec
    except UnicodeDecodeError as exc:
        before = body[: exc.start].decode("utf-8")
        line, column = _position(before, len(before))
        raise ConfigError(
            f"Read {path}: the file is not UTF-8 (line {line}, column {column}, byte {exc.start + len(mark)}); "
            "save it as UTF-8: the engine refuses to start with it"
        ) from exc


def _encode(text: str, like: Document) -> bytes:
    _text, mark, codec = _decode(like.raw, like.version, like.path)
    if codec == "utf-8":
        return mark + text.encode("utf-8", "surrogateescape")
    return mark + text.encode(codec, "surrogatepass")


def empty_document(path: str, version: Version) -> Document:
    """The document of a file that is not there."""
    return Document(path=path, version=version, exists=False, raw=b"")


def parse_document(raw: Optional[bytes], version: Version, path: str) -> Document:
    """Read the bytes of a daemon.json as the dockerd of that version does; None means that there is no file.

    Raises ConfigError with path, line and column for everything that makes this dockerd refuse to read the file:
    comments, trailing commas, anything but an object (or null), a byte order mark or an empty file below 23.0,
    text that is not UTF-8 from 23.0 on. Keys and types of values are not looked at.
    """
    if raw is None:
        return empty_document(path, version)
    text, _mark, _codec = _decode(raw, version, path)
    reader = _Reader(text, path)
    if version >= MODERN_READER:
        body = text.strip(OUTER_SPACES)
        if not body:
            return Document(path=path, version=version, exists=True, raw=raw, text=text)
        start = text.index(body)
        limit = start + len(body)
    else:
        start, limit = reader.skip(0), len(text)
        if start >= limit:
            reader.fail(
                start, f"the file is empty, which engine {version} does not accept", "write {} into it or remove it"
            )
    root = reader.value(start)
    if version >= MODERN_READER:
        rest = reader.skip(root.end)
        if rest < limit:
            reader.unexpected(rest, "the end of the file")
    if root.kind not in ("object", "null"):
        reader.fail(root.start, f"the file holds a JSON {root.kind} instead of an object", "wrap the settings in { }")
    members = tuple(_member(text, key, key_start, node) for key, key_start, node in root.members)
    return Document(
        path=path,
        version=version,
        exists=True,
        raw=raw,
        text=text,
        root=root,
        members=members,
        data=_effective_data(members),
        duplicates=_duplicates(members),
    )


def _member(text: str, key: str, key_start: int, node: Node) -> Member:
    line, column = _position(text, key_start)
    return Member(key, line, column, key_start, node.end, text[node.start : node.end], node.value, node)


def _effective_data(members: Tuple[Member, ...]) -> Dict[str, Any]:
    data: Dict[str, Any] = {}
    for member in members:
        known = KEYS.get(member.key)
        if member.key not in data:
            data[member.key] = member.value
        elif member.value is None and known is not None and known.shape in NULL_KEEPS_SHAPES:
            continue
        elif member.key in MERGED_OBJECTS and isinstance(member.value, dict) and isinstance(data[member.key], dict):
            data[member.key] = {**data[member.key], **member.value}
        else:
            data[member.key] = member.value
    return data


def _duplicates(members: Tuple[Member, ...]) -> Dict[str, Tuple[Tuple[int, int], ...]]:
    places: Dict[str, List[Tuple[int, int]]] = {}
    for member in members:
        places.setdefault(member.key, []).append((member.line, member.column))
    return {key: tuple(found) for key, found in places.items() if len(found) > 1}


class _Style(NamedTuple):
    """How a document is laid out: what stands before the first key, before a further key, and after the colon."""

    lead: str
    separator: str
    tail: str
    colon: str
    newline: str


def _style(document: Document) -> _Style:
    text = document.text
    newline = "\r\n" if "\r\n" in text else "\n"
    if document.root is None or not document.members:
        lead = newline + STYLE_INDENT
        return _Style(lead, lead, newline, ": ", newline)
    first = document.members[0]
    lead = text[document.root.start + 1 : first.start]
    key_end = _Reader(text, document.path).string(first.start)[1]
    colon = text[key_end : first.node.start]
    if "\n" in colon:
        colon = ": "
    if "\n" in lead:
        separator = lead
    elif len(document.members) > 1:
        separator = text[first.end : document.members[1].start].replace(",", "", 1)
    else:
        separator = " " if colon.endswith(" ") else ""
    return _Style(lead, separator, newline, colon, newline)


def _render(value: Any, style: _Style) -> str:
    if isinstance(value, RawJson):
        return value.text
    if "\n" not in style.separator:
        return json.dumps(value, separators=("," + style.separator, style.colon))
    base = style.separator.rpartition("\n")[2]
    step = base if base.strip("\t") == "" and base else STYLE_INDENT
    if base and base.strip(" ") == "":
        step = base
    lines = json.dumps(value, indent=step, separators=(",", style.colon)).split("\n")
    return (style.newline + base).join(lines)


def _refuse_duplicates(document: Document, keys: Iterable[str]) -> None:
    for key in keys:
        if key in document.duplicates:
            places = " and ".join(f"line {line}, column {column}" for line, column in document.duplicates[key])
            raise ConfigError(
                f"Change {key!r} in {document.path}: the key is there more than once ({places}); keep one of them"
            )


def _rewrite(document: Document, text: str) -> Document:
    if document.exists and _encode(document.text, document) != document.raw:
        raise ConfigError(
            f"Change {document.path}: the file does not survive decoding and encoding unchanged (damaged UTF-16); "
            "save it as UTF-8"
        )
    return parse_document(_encode(text, document), document.version, document.path)


def set_members(document: Document, values: Mapping[str, Any], ours: Collection[str] = ()) -> Document:
    """Set top-level keys; every byte outside the touched members stays as it is.

    A key that is there keeps its place and gets the new value; a new one is appended. Keys in `ours` that stand at
    the end are kept in the order of KEYS, so that the result does not depend on who came first.
    A value is plain data or RawJson. Raises ConfigError when a key is there more than once.
    """
    _refuse_duplicates(document, values)
    for key in sorted(values, key=_rank):
        document = _set_member(document, key, values[key], ours)
    return document


def _rank(key: str) -> Tuple[int, str]:
    return RANKS.get(key, len(RANKS)), key


def _set_member(document: Document, key: str, value: Any, ours: Collection[str]) -> Document:
    style = _style(document)
    text = document.text
    rendered = _render(value, style)
    present = document.member(key)
    if present is not None:
        return _rewrite(document, text[: present.node.start] + rendered + text[present.end :])
    entry = json.dumps(key) + style.colon + rendered
    if not document.members:
        body = "{" + style.lead + entry + style.tail + "}"
        if document.root is None:
            return _rewrite(document, text + body + style.newline)
        return _rewrite(document, text[: document.root.start] + body + text[document.root.end :])
    place = len(document.members)
    while place > 0:
        before = document.members[place - 1].key
        if before not in ours or before in document.duplicates or _rank(before) < _rank(key):
            break
        place -= 1
    if place == len(document.members):
        at = document.members[-1].end
        return _rewrite(document, text[:at] + "," + style.separator + entry + text[at:])
    at = document.members[place].start
    return _rewrite(document, text[:at] + entry + "," + style.separator + text[at:])


def remove_members(document: Document, keys: Iterable[str]) -> Document:
    """Remove top-level keys and the commas that belong to them; missing ones are fine.

    Raises ConfigError when a key is there more than once.
    """
    wanted = tuple(keys)
    _refuse_duplicates(document, wanted)
    for key in wanted:
        document = _remove_member(document, key)
    return document


def _remove_member(document: Document, key: str) -> Document:
    member = document.member(key)
    if member is None or document.root is None:
        return document
    text, members = document.text, document.members
    index = members.index(member)
    if len(members) == 1:
        return _rewrite(document, text[: document.root.start] + "{}" + text[document.root.end :])
    if index == 0:
        return _rewrite(document, text[: member.start] + text[members[1].start :])
    return _rewrite(document, text[: members[index - 1].end] + text[member.end :])
