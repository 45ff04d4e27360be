# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several roles in one daemon.json: who owns which key, merging and giving back (pure, private).

Laws (held by the property tests): owners commute, twice is once, foreign members keep bytes and order, and taking all
owners out again gives the original bytes.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field, replace
from typing import Any, Collection, Dict, FrozenSet, List, Mapping, NamedTuple, Optional, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._daemon_json import (
    Document,
    RawJson,
    empty_document,
    parse_document,
    remove_members,
    same_value,
    set_members,
)
from ansible_collections.bulwark.docker.plugins.module_utils._engine_keys import FLAGS_ONLY, KEYS
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError, ConflictError

__all__ = [
    "OWNERS",
    "ROOTLESS_OWNER",
    "Difference",
    "Entry",
    "Ledger",
    "Merge",
    "Original",
    "merge_owned",
    "remove_owned",
]

# The role of rootless engines; on such an engine it may set every key, on the system's none.
ROOTLESS_OWNER = "rootless"
OWNERS: Dict[str, FrozenSet[str]] = {
    owner: frozenset(key.name for key in KEYS.values() if key.owner == owner and key.name not in FLAGS_ONLY)
    for owner in sorted({key.owner for key in KEYS.values() if key.owner is not None})
}
"""The keys each role may write into the file."""


class Entry(NamedTuple):
    """One key a role owns: the value it set, and the JSON text that was there before (None: the key was absent).

    For a key that a role keeps out of the file, the value is None.
    """

    value: Any
    before: Optional[str]


class Original(NamedTuple):
    """The file as it was before the first owner came; raw is b"" and the rest 0 when it did not exist."""

    existed: bool
    raw: bytes
    mode: int
    uid: int
    gid: int


@dataclass(frozen=True)
class Ledger:
    """What has to be known to give a file back: entries by owner and key, and the original."""

    entries: Dict[str, Dict[str, Entry]] = field(default_factory=dict)
    original: Optional[Original] = None

    def owned(self) -> Dict[str, str]:
        """Owner of each owned key."""
        return {key: owner for owner, entries in self.entries.items() for key in entries}

    def with_original(self, original: Original) -> Ledger:
        """The same ledger with the original noted; one that is already noted stays."""
        return self if self.original is not None else replace(self, original=original)

    def to_dict(self) -> Dict[str, Any]:
        """Plain data for a JSON file."""
        original = None
        if self.original is not None:
            original = {**self.original._asdict(), "raw": base64.b64encode(self.original.raw).decode("ascii")}
        return {
            "entries": {
                owner: {key: {"value": entry.value, "before": entry.before} for key, entry in sorted(entries.items())}
                for owner, entries in sorted(self.entries.items())
            },
            "original": original,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Ledger:
        """Read what to_dict gave; raises ConfigError when it has another shape."""
        try:
            noted = data["original"]
            original = None
            if noted is not None:
                original = Original(
                    bool(noted["existed"]),
                    base64.b64decode(noted["raw"], validate=True),
                    int(noted["mode"]),
                    int(noted["uid"]),
                    int(noted["gid"]),
                )
            entries = {
                str(owner): {str(key): Entry(entry["value"], entry["before"]) for key, entry in owned.items()}
                for owner, owned in data["entries"].items()
            }
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise ConfigError(
                f"Read the ledger of owned keys: it is damaged ({exc!r}); move it away and run the roles again, "
                "the settings on disk stay and count as the administrator's from then on"
            ) from exc
        return cls(entries, original)


class Difference(NamedTuple):
    """One key that changes: JSON text before and after (None: absent) and the reason as a sentence."""

    key: str
    before: Optional[str]
    after: Optional[str]
    reason: str


class Merge(NamedTuple):
    """Outcome of a merge; a document with exists False means that the file has to go.

    When the ledger's `original` is None after a merge that had one, the file is the administrator's alone again and
    the caller restores mode and owner from the ledger it had before.
    """

    document: Document
    ledger: Ledger
    differences: Tuple[Difference, ...]


def _check_keys(owner: str, wanted: Mapping[str, Any]) -> None:
    if owner == ROOTLESS_OWNER:
        _check_rootless_keys(wanted)
        return
    if owner not in OWNERS:
        raise ConflictError(
            f"Merge settings of {owner!r}: no role of that name owns keys of daemon.json; use one of "
            + ", ".join(sorted(OWNERS))
        )
    for name in wanted:
        key = KEYS.get(name)
        if name in FLAGS_ONLY:
            raise ConflictError(
                f"Set {name!r} for {owner!r}: listeners and TLS belong on the command line of the unit, because a key "
                "that gets lost from daemon.json would leave the port without TLS; use the role daemon_tls"
            )
        if key is None or key.owner is None:
            raise ConflictError(
                f"Set {name!r} for {owner!r}: the key belongs to the administrator; write it into daemon.json "
                "yourself, the roles keep it"
            )
        if key.owner != owner:
            raise ConflictError(
                f"Set {name!r} for {owner!r}: the key belongs to the role {key.owner!r}"
                + (f"; set {key.variable} instead" if key.variable else "")
            )


def _check_rootless_keys(wanted: Mapping[str, Any]) -> None:
    """A user's engine has one role for all of its keys; which of them make sense there is the solver's affair."""
    for name in wanted:
        if name not in KEYS:
            raise ConflictError(
                f"Set {name!r} for {ROOTLESS_OWNER!r}: engines know no such key; look for a misspelling in "
                "rootless_settings"
            )
        if name in FLAGS_ONLY:
            raise ConflictError(
                f"Set {name!r} for {ROOTLESS_OWNER!r}: the API of a rootless engine opens on a Unix socket alone; "
                "take it out of rootless_settings, and reach the engine over ssh"
            )


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _refuse_foreign_value(document: Document, owner: str, key: str, found: str, wanted: Any) -> None:
    variable = "rootless_settings" if owner == ROOTLESS_OWNER else KEYS[key].variable
    member = document.member(key)
    line = member.line if member is not None else 0
    raise ConflictError(
        f"Set {key!r} to {_text(wanted)}: the administrator has set it to {found} ({document.path}, line {line}); "
        f"remove that line, set {variable or 'the variable of the role'} to the same value, "
        "or allow the override"
    )


def merge_owned(
    document: Document,
    ledger: Ledger,
    owner: str,
    wanted: Mapping[str, Any],
    override: bool = False,
    removed: Collection[str] = (),
) -> Merge:
    """Make the file say what one owner wants, and give back what it no longer wants.

    Foreign keys are not touched. A key the administrator has set to the same value is noted and left; a different value
    raises ConflictError with line, both values and the variable, unless `override` is set: then it is replaced
    and comes back on removal. Own values that drifted are set again. Keys in `removed` are taken out of the file and
    remembered. Raises ConfigError for a wanted key that is there twice.
    """
    _check_keys(owner, wanted)
    mine = dict(ledger.entries.get(owner, {}))
    differences: List[Difference] = []
    values: Dict[str, Any] = {}
    for key in [name for name in KEYS if name in wanted]:
        value = wanted[key]
        member = document.member(key)
        found = member.value_text if member is not None else None
        entry = mine.get(key)
        if key in document.duplicates:
            set_members(document, {key: value})  # raises with both positions
        if entry is None and member is not None and found is not None and not same_value(member.value, value):
            if not override:
                _refuse_foreign_value(document, owner, key, found, value)
            differences.append(Difference(key, found, _text(value), "the administrator's value is overridden as asked"))
        elif member is None:
            reason = "the key is not set" if entry is None else "the key was removed since"
            differences.append(Difference(key, None, _text(value), reason))
        elif not same_value(member.value, value):
            changed = entry is not None and same_value(member.value, entry.value)
            reason = "another value is wanted" if changed else "the value was changed since"
            differences.append(Difference(key, found, _text(value), reason))
        if member is None or not same_value(member.value, value):
            values[key] = value
        mine[key] = Entry(value, found if entry is None else entry.before)
    gone: List[str] = []
    for key in [name for name in KEYS if name in removed]:
        member = document.member(key)
        if key in document.duplicates:
            set_members(document, {key: None})  # raises with both positions
        if member is not None:
            gone.append(key)
            differences.append(Difference(key, member.value_text, None, "it moves to the unit's command line"))
            mine.setdefault(key, Entry(None, member.value_text))
    dropped = [key for key in mine if key not in wanted and key not in removed]
    for key in dropped:
        before = mine.pop(key).before
        member = document.member(key)
        found = member.value_text if member is not None else None
        if found == before:
            continue
        differences.append(Difference(key, found, before, "the setting is no longer wanted"))
        if before is None:
            gone.append(key)
        else:
            values[key] = RawJson(before)
    entries = {name: owned for name, owned in ledger.entries.items() if name != owner}
    if mine:
        entries[owner] = mine
    merged = Ledger(entries, ledger.original)
    appended = {key for owned in entries.values() for key, entry in owned.items() if entry.before is None}
    result = set_members(remove_members(document, gone), values, appended)
    return _give_back(Merge(result, merged, tuple(differences)))


def remove_owned(document: Document, ledger: Ledger, owner: str) -> Merge:
    """Give back every key of one owner; see merge_owned."""
    return merge_owned(document, ledger, owner, {})


def _content(document: Document) -> List[Tuple[str, Any]]:
    """Keys and values; their order is not compared, since a key that was taken out comes back at the end."""
    return sorted(((member.key, member.value) for member in document.members), key=lambda entry: entry[0])


def _give_back(merge: Merge) -> Merge:
    """The original bytes when nothing is owned any more and nobody else has changed the file's meaning."""
    original = merge.ledger.original
    if merge.ledger.entries:
        return merge
    document = merge.document
    if original is not None and original.existed:
        before = parse_document(original.raw, document.version, document.path)
        if same_value(_content(before), _content(document)):
            document = before
    elif original is not None and not document.members:
        document = empty_document(document.path, document.version)
    return Merge(document, Ledger(), merge.differences)
