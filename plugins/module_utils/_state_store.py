# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this collection remembers about an engine between runs, in one JSON file per engine (pure, private)."""

from __future__ import annotations

import base64
import json
from typing import Any, Dict, List, NamedTuple, Optional

from ansible_collections.bulwark.docker.plugins.module_utils._daemon_config import Ledger
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError

__all__ = ["Loaded", "News", "Record", "Saved", "Transaction", "empty_record", "parse_record", "render_record"]

FORMAT = 1


class Saved(NamedTuple):
    """The engine's files as they were at one moment.

    C(raw), C(mode), C(uid) and C(gid) are those of daemon.json, C(drop_in) is the content of the drop-in with the TLS
    listener; None where a file did not exist.
    """

    raw: Optional[bytes]
    mode: int
    uid: int
    gid: int
    drop_in: Optional[bytes] = None


class Loaded(NamedTuple):
    """What one engine process read: its identity and the file's bytes.

    C(reloaded) is the file that a later reload, whose end nobody saw, may have made it read instead (no file is b"").
    """

    identity: List[Any]
    raw: Optional[bytes]
    reloaded: Optional[bytes]


class Transaction(NamedTuple):
    """Changes that were written and not yet committed.

    C(ids) are the runs that take part (the last one holds it); C(touched) (seconds since the epoch) tells when that
    run was last seen; C(begin) and C(ledger) are what a rollback gives back; C(stopped) tells that somebody had stopped
    the engine before.
    """

    ids: List[str]
    touched: float
    begin: Saved
    ledger: Ledger
    stopped: bool = False


class News(NamedTuple):
    """Why the changes of a run were taken back, and when (seconds since the epoch)."""

    reason: str
    at: float


class Record(NamedTuple):
    """The whole memory: who owns what, the open transaction, the last state that was seen working.

    C(rolled_back) holds the news for runs whose changes another one took back; C(created_directory) names the
    directory of daemon.json if this collection made it; C(stopped) lists containers that an unfinished commit may have
    stopped, in the order in which they have to be started again; C(has_drop_in) tells that a drop-in of ours is there,
    C(created_drop_in_directory) names its directory if this collection made that.
    """

    ledger: Ledger
    transaction: Optional[Transaction]
    known_good: Optional[Saved]
    loaded: Optional[Loaded]
    rolled_back: Dict[str, News]
    created_directory: str
    stopped: List[str]
    has_drop_in: bool = False
    created_drop_in_directory: str = ""

    @property
    def idle(self) -> bool:
        """Whether nothing is left to remember."""
        owned = any(self.ledger.entries.values()) or self.has_drop_in
        return self.transaction is None and not owned and not self.rolled_back and not self.stopped


def empty_record() -> Record:
    """The memory of an engine that this collection has never changed."""
    return Record(Ledger({}, None), None, None, None, {}, "", [])


def _encode(raw: Optional[bytes]) -> Optional[str]:
    return None if raw is None else base64.b64encode(raw).decode("ascii")


def _decode(text: Optional[str]) -> Optional[bytes]:
    return None if text is None else base64.b64decode(text, validate=True)


def _saved_to_dict(saved: Saved) -> Dict[str, Any]:
    plain = {"raw": _encode(saved.raw), "mode": saved.mode, "uid": saved.uid, "gid": saved.gid}
    return {**plain, "drop_in": _encode(saved.drop_in)}


def _saved_from_dict(data: Dict[str, Any]) -> Saved:
    # Members with a default here are missing in records of the first release.
    drop_in = _decode(data.get("drop_in"))
    return Saved(_decode(data["raw"]), int(data["mode"]), int(data["uid"]), int(data["gid"]), drop_in)


def render_record(record: Record) -> bytes:
    """The record as file content."""
    data: Dict[str, Any] = {
        "format": FORMAT,
        "ledger": record.ledger.to_dict(),
        "transaction": None,
        "known_good": _saved_to_dict(record.known_good) if record.known_good else None,
        "loaded": None,
        "rolled_back": {name: news._asdict() for name, news in record.rolled_back.items()},
        "created_directory": record.created_directory,
        "stopped": record.stopped,
        "has_drop_in": record.has_drop_in,
        "created_drop_in_directory": record.created_drop_in_directory,
    }
    if record.transaction:
        data["transaction"] = {
            "ids": record.transaction.ids,
            "touched": record.transaction.touched,
            "begin": _saved_to_dict(record.transaction.begin),
            "ledger": record.transaction.ledger.to_dict(),
            "stopped": record.transaction.stopped,
        }
    if record.loaded:
        data["loaded"] = {
            "identity": record.loaded.identity,
            "raw": _encode(record.loaded.raw),
            "reloaded": _encode(record.loaded.reloaded),
        }
    return (json.dumps(data, indent=1, sort_keys=True) + "\n").encode("utf-8")


def parse_record(raw: Optional[bytes], path: str) -> Record:
    """Read a record; a missing file is an empty one.

    Raises ConfigError for a damaged file or one of a newer release.
    """
    if raw is None:
        return empty_record()
    try:
        data = json.loads(raw.decode("utf-8"))
        if data["format"] != FORMAT:
            raise ConfigError(
                f"read the record of this engine: format {data['format']!r} is not {FORMAT} ({path}); "
                "use the release of bulwark.docker that wrote it"
            )
        opened = data["transaction"]
        loaded = data["loaded"]
        return Record(
            ledger=Ledger.from_dict(data["ledger"]),
            transaction=Transaction(
                list(opened["ids"]),
                float(opened["touched"]),
                _saved_from_dict(opened["begin"]),
                Ledger.from_dict(opened["ledger"]),
                bool(opened.get("stopped", False)),
            )
            if opened
            else None,
            known_good=_saved_from_dict(data["known_good"]) if data["known_good"] else None,
            loaded=Loaded(loaded["identity"], _decode(loaded["raw"]), _decode(loaded["reloaded"])) if loaded else None,
            rolled_back={
                str(name): News(str(news["reason"]), float(news["at"])) for name, news in data["rolled_back"].items()
            },
            created_directory=str(data["created_directory"]),
            stopped=[str(identifier) for identifier in data["stopped"]],
            has_drop_in=bool(data.get("has_drop_in", False)),
            created_drop_in_directory=str(data.get("created_drop_in_directory", "")),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ConfigError(
            f"read the record of this engine: {exc!r} ({path}); "
            "restore that file from a backup, or remove it if no setting of bulwark.docker is to be undone any more"
        ) from exc
