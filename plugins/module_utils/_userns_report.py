# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What userns-remap would do to a host, before anything is touched: the module userns_remap_info (private)."""

from __future__ import annotations

import posixpath
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._engine_keys import KEYS
from ansible_collections.bulwark.docker.plugins.module_utils._engine_state import (
    EngineState,
    api_json,
    observe,
    parse_config,
)
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError
from ansible_collections.bulwark.docker.plugins.module_utils._go_values import TRUTH
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import FileStat, Host
from ansible_collections.bulwark.docker.plugins.module_utils._instance import Instance
from ansible_collections.bulwark.docker.plugins.module_utils._subid import Range
from ansible_collections.bulwark.docker.plugins.module_utils._subid_plan import Wanted
from ansible_collections.bulwark.docker.plugins.module_utils._subid_run import Request as RangesRequest
from ansible_collections.bulwark.docker.plugins.module_utils._subid_run import apply_ranges
from ansible_collections.bulwark.docker.plugins.module_utils._transaction import load_record
from ansible_collections.bulwark.docker.plugins.module_utils._userns_mapping import Mapping, RemapValue, parse_value
from ansible_collections.bulwark.docker.plugins.module_utils._userns_stock import (
    LISTING_SECONDS,
    Root,
    Stock,
    read_root,
    take_stock,
)
from ansible_collections.bulwark.docker.plugins.module_utils._userns_survey import (
    Broken,
    Consent,
    Hidden,
    Kernel,
    bind_sources,
    can_search,
    hidden_as_dict,
    judge_container,
    kernel_problem,
    refusals,
    remaining,
)

__all__ = ["COMMENT", "OWNER", "Request", "inspect_host"]

OWNER = "userns_remap"
KEY = "userns-remap"
VARIABLE = KEYS[KEY].variable
# What tells a user that the role has made from one of the administrator.
COMMENT = "userns-remap of bulwark.docker"
PROGRAM_SECONDS = 60.0
MIB = 1024 * 1024
# Rounding, headers of the archive, and what else needs the disk meanwhile.
RESERVE = 64 * MIB


class Request(NamedTuple):
    """What is asked for: the state of the role, and its choices."""

    present: bool
    user: str
    wanted: Tuple[Wanted, ...]
    consent: Consent
    migrate: bool
    spool: str


class _Entry(NamedTuple):
    """A line of the user or group database."""

    name: str
    number: int
    comment: str


def _look_up(host: Host, database: str, key: str) -> Optional[_Entry]:
    fields = host.run(["getent", database, key], timeout=PROGRAM_SECONDS).stdout.partition("\n")[0].split(":")
    if len(fields) < 3 or not fields[2].isdigit():
        return None
    return _Entry(fields[0], int(fields[2]), fields[4] if len(fields) > 4 else "")


def _number(host: Host, path: str) -> Optional[int]:
    text = (host.read_file(path) or b"").decode("ascii", "replace").strip()
    return int(text) if text.isdigit() else None


def _kernel(host: Host) -> Kernel:
    return Kernel(
        host.read_link("/proc/self/ns/user") is not None,
        _number(host, "/proc/sys/user/max_user_namespaces"),
        _number(host, "/proc/sys/kernel/unprivileged_userns_clone"),
    )


def _account(host: Host, value: RemapValue) -> Optional[_Entry]:
    """The user, None for one that is still to be made.

    Raises ConfigError where user or group are missing, as the engine would when it starts.
    """
    asked = f"map container ids to the user {value.engine_value!r}"
    user = _look_up(host, "passwd", value.user)
    group = _look_up(host, "group", value.wanted_group)
    if user is None and value.own:
        if group is not None:
            raise ConfigError(
                f"{asked}: there is a group {value.user!r}, but no such user (variable {VARIABLE} is default); "
                f"remove that group, make the user, or name another one in {VARIABLE}"
            )
        return None
    if user is None:
        raise ConfigError(
            f"{asked}: there is no such user on this host (variable {VARIABLE}); make it first, or set {VARIABLE} to "
            "default, which makes one"
        )
    if group is None:
        kind = "the id" if value.wanted_group.isdigit() else "the name"
        raise ConfigError(
            f"{asked}: there is no group with {kind} {value.wanted_group!r}, which the engine wants "
            f"(variable {VARIABLE}); make that group, or name one as USER:GROUP"
        )
    if user.number == 0:
        raise ConfigError(f"{asked}: that user is root (variable {VARIABLE}); name a user without privileges")
    return user


class _Ranges(NamedTuple):
    """Subordinate ids as the engine reads them after subid_range, why it cannot read them, whether some are new."""

    mapping: Mapping
    problem: str
    new: bool


def _ranges(host: Host, name: str, request: Request, unborn: bool) -> _Ranges:
    asked = RangesRequest(True, name, request.wanted, "", True, unborn)
    planned = apply_ranges(host, asked)
    engine = planned["engine"]
    uids, gids = (tuple(Range(**entry) for entry in engine[file]) for file in ("subuid", "subgid"))
    return _Ranges(Mapping(uids, gids), str(engine["problem"]), bool(planned["changed"]))


def _snapshotter(state: EngineState) -> Tuple[bool, bool]:
    """Whether the containerd image store is asked for, and whether it is in use."""
    feature = (parse_config(state).data.get("features") or {}).get("containerd-snapshotter")
    asked = feature is True
    for text in state.flags.values.get("features", ()):
        name, equals, truth = text.partition("=")
        asked = asked or (name == "containerd-snapshotter" and (not equals or TRUTH.get(truth, False)))
    in_use = ["driver-type", "io.containerd.snapshotter.v1"] in (state.info.get("DriverStatus") or [])
    return asked, in_use


def _parents(host: Host, root: Root, mapping: Mapping) -> List[str]:
    """What is wrong with the directories above the data: the engine does not start where root outside cannot pass."""
    found: List[str] = []
    path = posixpath.dirname(host.real_path(root.base))
    while path not in ("", "/"):
        facts = host.stat(path)
        if facts is not None and not can_search(facts, mapping.uids[0].start, mapping.gids[0].start):
            found.append(
                f"map container ids: {path} has mode {facts.mode:04o}, so that the mapped root does not get to "
                f"{root.base} and the engine would not start; chmod o+x {path}, or move the data-root"
            )
        path = posixpath.dirname(path)
    return found


class _Survey:
    """One look at a host."""

    def __init__(self, host: Host, instance: Instance, request: Request) -> None:
        self.host = host
        self.request = request
        self.value = parse_value(request.user, VARIABLE)
        if instance.rootless:
            raise ConfigError(
                f"map container ids: the engine of user {instance.user!r} is a rootless one, which lives in a user "
                "namespace already (option user); use the role userns_remap for the system's engine only"
            )
        self.state = observe(host, instance)
        self.root = read_root(self.state)
        record = load_record(host, self.state.instance)
        # A run that was killed between writing and restarting has given the key back already.
        ledgers = [record.ledger, *([record.transaction.ledger] if record.transaction else [])]
        self.owned = any(KEY in (ledger.entries.get(OWNER) or {}) for ledger in ledgers)
        self.refused: List[str] = []
        self.warnings: List[str] = []

    def run(self) -> Dict[str, Any]:
        return self._present() if self.request.present else self._absent()

    def _present(self) -> Dict[str, Any]:
        user = _account(self.host, self.value)
        name = user.name if user else self.value.user
        ranges = _ranges(self.host, name, self.request, user is None)
        mapping = ranges.mapping
        if ranges.problem:
            self.refused.append(f"map container ids to the user {name!r}: {ranges.problem}")
        kernel = _kernel(self.host)
        problem = kernel_problem(kernel)
        if problem:
            self.refused.append(problem)
        self._image_store()
        if self.root is not None and mapping.name:
            self.refused += _parents(self.host, self.root, mapping)
        switching = self.root is not None and mapping.name != "" and self.root.mapping != mapping.name
        if ranges.new and self.root is not None and self.root.mapping == mapping.name:
            self.warnings.append(
                f"the engine reads the new ranges of the user {name!r} when it is restarted the next time, since its "
                "setting stays the same"
            )
        if self.root is None and not self.owned:
            self.refused.append(
                f"switch userns-remap: {self.state.instance.service} does not answer, so nobody can tell what the "
                "switch would hide; start the engine and run again"
            )
        return self._answer(user, mapping, switching, mapping.name, kernel)

    def _absent(self) -> Dict[str, Any]:
        user = _look_up(self.host, "passwd", self.value.user)
        name = user.name if user else self.value.user
        mapping = Mapping((), ())
        switching = self.root is not None and self.root.mapping != "" and self.owned
        if switching and user is not None and self.request.migrate:
            mapping = _ranges(self.host, name, self.request, False).mapping
        return self._answer(user, mapping, switching, "", _kernel(self.host))

    def _image_store(self) -> None:
        asked, in_use = _snapshotter(self.state)
        if asked:
            self.refused.append(
                "map container ids: the feature containerd-snapshotter is on, and its image store and userns-remap "
                f"exclude each other ({self.state.instance.config_path}, flags of {self.state.instance.service}); set "
                "the feature to false first"
            )
        elif in_use:
            self.warnings.append(
                "the engine uses the containerd image store and falls back to a graph driver with userns-remap, where "
                "an image has another id than now"
            )

    def _answer(
        self, user: Optional[_Entry], mapping: Mapping, switching: bool, target: str, kernel: Kernel
    ) -> Dict[str, Any]:
        stock = take_stock(self.host, self.state.instance) if switching else Stock((), (), ())
        moved = stock.movable() if self.request.migrate else Hidden((), (), ())
        left = remaining(stock.names(), moved)
        broken = self._broken(stock, mapping) if self.request.present else []
        running = [str(entry["Name"]).lstrip("/") for entry in stock.containers if entry["State"].get("Running")]
        consent = self.request.consent
        if not self.request.present:
            consent = consent._replace(hidden=True)
            if left and self.root is not None:
                self.warnings.append(
                    f"what was made with the mapping stays in {self.root.base}/{self.root.mapping}, where the engine "
                    "does not look any more; remove that directory when nobody needs it"
                )
        self.refused += refusals(left, broken, running, consent, self.request.migrate)
        space: Dict[str, Any] = {}
        if switching and self.request.migrate:
            space = self._space(stock)
            self._direction(mapping)
        name = user.name if user else self.value.user
        lines = RangesRequest(False, name, (), "", True)
        made = user is not None and user.comment == COMMENT
        return {
            "changed": False,
            "engine_value": self.value.engine_value,
            "account": {"name": name, "exists": user is not None, "made": made, "comment": COMMENT},
            "lines_added": bool(apply_ranges(self.host, lines)["changed"]),
            "make_account": self.request.present and user is None,
            "mapping": {
                "name": mapping.name,
                "uids": [entry.__dict__ for entry in mapping.uids],
                "gids": [entry.__dict__ for entry in mapping.gids],
            },
            "in_force": self.root.mapping if self.root else "",
            "target": target,
            "switching": switching,
            "hidden": hidden_as_dict(stock.names()),
            "moved": hidden_as_dict(moved),
            "left_hidden": hidden_as_dict(left),
            "broken": [{"name": entry.name, "reasons": list(entry.reasons)} for entry in broken],
            "running": running,
            "space": space,
            "kernel": {"max_user_namespaces": kernel.most, "unprivileged_userns_clone": kernel.unprivileged},
            "refusals": self.refused,
            "warnings": self.warnings,
        }

    def _broken(self, stock: Stock, mapping: Mapping) -> List[Broken]:
        paths = {path for entry in stock.containers for path in bind_sources(entry)}
        found: Dict[str, Optional[FileStat]] = {path: self.host.stat(path) for path in sorted(paths)}
        judged = [judge_container(entry, mapping, found) for entry in stock.containers]
        return [entry for entry in judged if entry is not None]

    def _direction(self, mapping: Mapping) -> None:
        """Owners can be computed between no mapping and one that is known."""
        if self.root is None or not self.root.mapping:
            return
        if self.request.present or mapping.name != self.root.mapping:
            self.refused.append(
                f"bring images and volumes over: the engine runs with the mapping {self.root.mapping}, which is not "
                f"that of {self.request.user!r} (variables userns_remap_migrate, {VARIABLE}); name the user of that "
                "mapping, go back with the state absent first, or set userns_remap_migrate to false"
            )

    def _space(self, stock: Stock) -> Dict[str, Any]:
        root = self.root.base if self.root else "/"
        usage = api_json(self.host, self.state.instance, "/system/df", LISTING_SECONDS)
        sizes = {
            str(entry["Name"]): int((entry.get("UsageData") or {}).get("Size") or 0)
            for entry in usage.get("Volumes") or []
        }
        images = int(usage.get("LayersSize") or 0) if stock.images else 0
        volumes = sum(max(sizes.get(str(entry["Name"]), 0), 0) for entry in stock.movable_volumes())
        needed = [(self.request.spool, images), (root, images + volumes)]
        free = [self.host.free_space(path) for path, _size in needed]
        if free[0].device == free[1].device:
            needed = [(root, 2 * images + volumes)]
            free = free[1:]
        for (path, size), room in zip(needed, free):
            if size + RESERVE > room.available:
                self.refused.append(
                    f"bring images and volumes over: {(size + RESERVE) // MIB} MiB are needed on the file system of "
                    f"{path}, {room.available // MIB} MiB are free; free space, name another directory in "
                    "userns_remap_spool_directory, or set userns_remap_migrate to false"
                )
        return {
            "images": images,
            "volumes": volumes,
            "needed": {path: size + RESERVE for path, size in needed},
            "free": {path: room.available for (path, _size), room in zip(needed, free)},
        }


def inspect_host(host: Host, instance: Instance, request: Request) -> Dict[str, Any]:
    """What the request would mean for this host; the result of the module userns_remap_info.

    Raises ConfigError for a user, a group or ranges that cannot work, ConflictError where ids have two owners. What the
    user could agree to, and what he could mend on the host, is in C(refusals).
    """
    return _Survey(host, instance, request).run()
