# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring images and volumes from one root of the engine's data to the other (private).

The engine shows only one of them at a time. So images are written to an archive before the switch and loaded after it,
and volumes are copied on disk after it, when no container of the other root runs. What is left to do stands in a record
that is written before each step, so a run that is killed is finished by the next one. The old root is never changed.
"""

from __future__ import annotations

import json
import posixpath
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple
from urllib.parse import quote, urlencode

from ansible_collections.bulwark.docker.plugins.module_utils._engine_state import api_json, observe
from ansible_collections.bulwark.docker.plugins.module_utils._errors import BulwarkError, ConfigError, EngineError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import Host
from ansible_collections.bulwark.docker.plugins.module_utils._id_shift import IdShift
from ansible_collections.bulwark.docker.plugins.module_utils._instance import Instance
from ansible_collections.bulwark.docker.plugins.module_utils._subid import Range
from ansible_collections.bulwark.docker.plugins.module_utils._userns_mapping import Mapping
from ansible_collections.bulwark.docker.plugins.module_utils._userns_stock import read_root, take_stock
from ansible_collections.bulwark.docker.plugins.module_utils._userns_survey import image_names

__all__ = ["RECORD", "SaveRequest", "bring_over", "save_stock"]

RECORD = "/var/lib/bulwark-docker/userns/state.json"
FORMAT = 1
ARCHIVE = "images.tar"
LOCK_SECONDS = 120.0
# Between two pieces of an answer; the engine packs layers meanwhile.
STEP_SECONDS = 600.0
READ_SECONDS = 3600.0


class SaveRequest(NamedTuple):
    """What is about to happen: the mapping of the user, the UID.GID that will be in force ("": none)."""

    mapping: Mapping
    target: str
    migrate: bool
    spool: str
    check_mode: bool


class _Volume(NamedTuple):
    """A volume to be copied: its name, the directory of its content in the old root, and how to make it again."""

    name: str
    source: str
    labels: Optional[Dict[str, str]]
    options: Optional[Dict[str, str]]


class _Record(NamedTuple):
    """What is left to do.

    C(before) and C(after) are the UID.GID on both sides; C(saved) tells that the archive is complete; C(made_spool)
    that its directory was made for it; C(begun) names a volume of the new root whose content may be incomplete.
    """

    before: str
    after: str
    spool: str
    made_spool: bool
    saved: bool
    images: Dict[str, List[str]]
    volumes: List[_Volume]
    uids: List[IdShift]
    gids: List[IdShift]
    begun: str

    @property
    def archive(self) -> str:
        """Path of the images."""
        return posixpath.join(self.spool, ARCHIVE)


def _read_record(host: Host) -> Optional[_Record]:
    raw = host.read_file(RECORD)
    if raw is None:
        return None
    try:
        data = json.loads(raw.decode("utf-8"))
        if data.pop("format") != FORMAT:
            raise ValueError("unknown format")
        data["volumes"] = [_Volume(**entry) for entry in data["volumes"]]
        data["uids"], data["gids"] = ([IdShift(*entry) for entry in data[name]] for name in ("uids", "gids"))
        return _Record(**data)
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ConfigError(
            f"read the record of what is to be brought over: {exc!r} ({RECORD}); restore that file from a backup, or "
            "remove it if nothing is to be brought over any more"
        ) from exc


def _write_record(host: Host, record: _Record) -> None:
    data = {**record._asdict(), "volumes": [entry._asdict() for entry in record.volumes], "format": FORMAT}
    host.make_directory(posixpath.dirname(RECORD), 0o700)
    host.write_file(RECORD, (json.dumps(data, indent=1, sort_keys=True) + "\n").encode("utf-8"), 0o600, 0, 0)


def _forget(host: Host, record: _Record) -> None:
    host.remove_file(record.archive)
    if record.made_spool:
        host.remove_directory(record.spool)
    host.remove_file(RECORD)
    directory = posixpath.dirname(RECORD)
    host.remove_directory(directory)
    host.remove_directory(posixpath.dirname(directory))


def _shifts(ranges: Sequence[Range], to_host: bool) -> List[IdShift]:
    found: List[IdShift] = []
    number = 0
    for entry in ranges:
        pair = (number, entry.start) if to_host else (entry.start, number)
        found.append(IdShift(*pair, entry.count))
        number += entry.count
    return found


def _saved_ids(host: Host, archive: str) -> Set[str]:
    """Ids of the images in an archive; it is read to its end, so that a torn one shows."""
    result = host.run(["tar", "--extract", "--to-stdout", "--file", archive, "manifest.json"], timeout=READ_SECONDS)
    try:
        entries = json.loads(result.stdout) if result.rc == 0 else []
        names = [posixpath.basename(str(entry["Config"])) for entry in entries]
    except (ValueError, KeyError, TypeError):
        names = []
    return {"sha256:" + (name[:-5] if name.endswith(".json") else name) for name in names}


def _save_images(host: Host, instance: Instance, record: _Record) -> None:
    names = [name for identity, tags in record.images.items() for name in tags or [identity]]
    query = urlencode([("names", name) for name in names])
    answer = host.download(instance.api_socket, f"/images/get?{query}", record.archive, STEP_SECONDS)
    if answer.status != 200:
        raise EngineError(
            f"save the images: status {answer.status}, {answer.body.decode('utf-8', 'replace').strip()} "
            f"({instance.api_socket}); look at the journal of {instance.service}"
        )
    missing = sorted(set(record.images) - _saved_ids(host, record.archive))
    if missing:
        raise EngineError(
            f"save the images: {', '.join(missing)} did not get into the archive ({record.archive}); look at the "
            f"journal of {instance.service}, remove damaged images, or set userns_remap_migrate to false"
        )


def save_stock(host: Host, instance: Instance, request: SaveRequest) -> Dict[str, Any]:
    """Before the switch: save images and note the volumes; C(pending) tells whether bring_over() has work to do.

    Raises EngineError when an image cannot be saved; then nothing is left behind.
    """
    with host.lock(instance.lock_path + ".userns", LOCK_SECONDS):
        return _save_stock(host, instance, request)


def _save_stock(host: Host, instance: Instance, request: SaveRequest) -> Dict[str, Any]:
    state = observe(host, instance)
    root, record = read_root(state), _read_record(host)
    if root is None or (record is not None and root.mapping == record.after):
        return _saved(False, record)
    wanted = request.migrate and root.mapping != request.target
    fresh = _new_record(host, instance, request, root.mapping, record) if wanted else None
    changed = fresh != record or (fresh is not None and not fresh.saved)
    if not changed or request.check_mode:
        return _saved(changed, fresh)
    if record is not None and (fresh is None or fresh.images != record.images):
        _forget(host, record)
    if fresh is not None:
        _write_record(host, fresh)
        if not fresh.saved:
            fresh = _with_archive(host, instance, fresh)
    return _saved(True, fresh)


def _with_archive(host: Host, instance: Instance, record: _Record) -> _Record:
    host.make_directory(record.spool, 0o700)
    try:
        if record.images:
            _save_images(host, instance, record)
    except BulwarkError:
        _forget(host, record)
        raise
    record = record._replace(saved=True)
    _write_record(host, record)
    return record


def _new_record(host: Host, instance: Instance, request: SaveRequest, before: str, old: Optional[_Record]) -> _Record:
    stock = take_stock(host, instance)
    images = {str(entry["Id"]): [name for name in image_names(entry) if name != entry["Id"]] for entry in stock.images}
    to_host = bool(request.target)
    same = old is not None and old.saved and old.images == images and old.spool == request.spool
    made = old.made_spool if old is not None and old.spool == request.spool else host.stat(request.spool) is None
    return _Record(
        before=before,
        after=request.target,
        spool=request.spool,
        made_spool=made,
        saved=same,
        images=images,
        volumes=[
            _Volume(str(entry["Name"]), str(entry["Mountpoint"]), entry.get("Labels"), entry.get("Options"))
            for entry in stock.movable_volumes()
        ],
        uids=_shifts(request.mapping.uids, to_host),
        gids=_shifts(request.mapping.gids, to_host),
        begun="",
    )


def _saved(changed: bool, record: Optional[_Record]) -> Dict[str, Any]:
    return {
        "changed": changed,
        "pending": record is not None,
        "images": sorted(record.images) if record else [],
        "volumes": [entry.name for entry in record.volumes] if record else [],
    }


class _Arrival:
    """One run after the switch."""

    def __init__(self, host: Host, instance: Instance, record: _Record) -> None:
        self.host = host
        self.instance = instance
        self.record = record
        self.brought: List[str] = []
        self.renamed: Dict[str, str] = {}
        self.problems: List[str] = []

    def _missing_images(self) -> List[str]:
        known = {str(entry["Id"]) for entry in api_json(self.host, self.instance, "/images/json?all=1", STEP_SECONDS)}
        return sorted(set(self.record.images) - known)

    def images(self) -> List[str]:
        """Load what is not there yet; ids of what came."""
        missing = self._missing_images()
        if not missing:
            return []
        query = "/images/load?quiet=1"
        answer = self.host.upload(self.instance.api_socket, query, self.record.archive, STEP_SECONDS)
        left = self._missing_images()
        if answer.status != 200 or left:
            said = answer.body.decode("utf-8", "replace").strip()[-400:]
            raise EngineError(
                f"load the images: status {answer.status}, {said!r}, without {', '.join(left) or 'any loss'} "
                f"({self.record.archive}); look at the journal of {self.instance.service} and run again, the archive "
                "is kept"
            )
        return missing

    def volumes(self) -> None:
        """Copy each volume; one that cannot be copied does not keep the others back."""
        for volume in list(self.record.volumes):
            try:
                self._volume(volume)
            except BulwarkError as exc:
                self.problems.append(f"volume {volume.name}: {exc}")
                continue
            self._note(volumes=[entry for entry in self.record.volumes if entry.name != volume.name], begun="")

    def _note(self, **changes: Any) -> None:
        self.record = self.record._replace(**changes)
        _write_record(self.host, self.record)

    def _existing(self, name: str) -> Optional[Dict[str, Any]]:
        try:
            return dict(api_json(self.host, self.instance, f"/volumes/{quote(name, safe='')}"))
        except EngineError:
            return None

    def _volume(self, volume: _Volume) -> None:
        shifts = self.record.uids, self.record.gids
        content = not volume.options
        digest = self.host.tree_digest(volume.source, *shifts) if content else ""
        name, there = volume.name, self._existing(volume.name)
        for attempt in range(1, 100):
            if there is None or name == self.record.begun:
                break
            if not content or self.host.tree_digest(str(there["Mountpoint"]), (), ()) == digest:
                return
            # Neither of the two contents may get lost, so the one that comes gets a name of its own.
            name = f"{volume.name}-{'mapped' if self.record.before else 'unmapped'}-{attempt}"
            there = self._existing(name)
        self._note(begun=name)
        place = self._create(name, volume)
        if content:
            self.host.empty_directory(place)
            self.host.copy_tree(volume.source, place, *shifts)
            if self.host.tree_digest(place, (), ()) != digest:
                raise EngineError(f"copy {volume.source}: the copy differs ({place}); see that nobody writes there")
        self.brought.append(name)
        if name != volume.name:
            self.renamed[volume.name] = name

    def _create(self, name: str, volume: _Volume) -> str:
        body = {"Name": name, "Driver": "local", "DriverOpts": volume.options, "Labels": volume.labels}
        answer = self.host.api(self.instance.api_socket, "POST", "/volumes/create", json.dumps(body).encode("utf-8"))
        if answer.status != 201:
            raise EngineError(
                f"make the volume {name}: status {answer.status}, {answer.body.decode('utf-8', 'replace').strip()} "
                f"({self.instance.api_socket}); look at the journal of {self.instance.service}"
            )
        return str(json.loads(answer.body.decode("utf-8"))["Mountpoint"])


def bring_over(host: Host, instance: Instance, check_mode: bool) -> Dict[str, Any]:
    """After the switch: load the images that were saved, and copy the volumes.

    Raises EngineError when something could not be brought over; the record and the archive stay for the next run.
    """
    with host.lock(instance.lock_path + ".userns", LOCK_SECONDS):
        record = _read_record(host)
        if record is None:
            return _brought(False, [], None, ())
        root = read_root(observe(host, instance))
        if root is None or root.mapping != record.after:
            why = "does not answer" if root is None else f"has not switched to {record.after or 'no mapping'}"
            words = f"images and volumes wait to be brought over: the engine {why}; run the role again when it has"
            return _brought(False, [], None, (words,))
        if check_mode:
            return _brought(True, sorted(record.images), None, ())
        return _arrive(host, instance, record)


def _arrive(host: Host, instance: Instance, record: _Record) -> Dict[str, Any]:
    arrival = _Arrival(host, instance, record)
    loaded = arrival.images()
    arrival.volumes()
    if arrival.problems:
        raise EngineError(
            f"bring volumes over: {'; '.join(arrival.problems)}; everything else has come, and the next run tries "
            "these again"
        )
    _forget(host, arrival.record)
    notes = tuple(
        f"there was another volume {name} already, so the one that was brought over is {new}"
        for name, new in arrival.renamed.items()
    )
    return _brought(True, loaded, arrival, notes)


def _brought(
    changed: bool, images: List[str], arrival: Optional[_Arrival], warnings: Tuple[str, ...]
) -> Dict[str, Any]:
    return {
        "changed": changed,
        "images": images,
        "volumes": arrival.brought if arrival else [],
        "renamed": arrival.renamed if arrival else {},
        "warnings": warnings,
    }
