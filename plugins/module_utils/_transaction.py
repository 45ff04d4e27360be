# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changing an engine as one transaction: write, validate, commit with the least disruption, or roll back (private).

Order of writes, so that a kill between any two of them is healed by the next run: the record (who owns what and what a
rollback gives back) first, then daemon.json, then the engine's restart, then the record again.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._daemon_config import (
    ROOTLESS_OWNER,
    Difference,
    Ledger,
    Merge,
    Original,
    merge_owned,
    remove_owned,
)
from ansible_collections.bulwark.docker.plugins.module_utils._daemon_json import Document, parse_document
from ansible_collections.bulwark.docker.plugins.module_utils._decision import Decision, Situation, changed_keys, decide
from ansible_collections.bulwark.docker.plugins.module_utils._effective import divergent_keys, effective_values
from ansible_collections.bulwark.docker.plugins.module_utils._engine_check import (
    check_combinations,
    check_config,
)
from ansible_collections.bulwark.docker.plugins.module_utils._engine_control import (
    EngineControl,
    validate_with_dockerd,
)
from ansible_collections.bulwark.docker.plugins.module_utils._engine_files import put_files, saved_files
from ansible_collections.bulwark.docker.plugins.module_utils._engine_keys import FLAGS_ONLY, KEYS
from ansible_collections.bulwark.docker.plugins.module_utils._engine_state import (
    EngineState,
    api_json,
    observe,
    parse_config,
    read_host_facts,
    with_command_line,
)
from ansible_collections.bulwark.docker.plugins.module_utils._errors import (
    BulwarkError,
    ConfigError,
    ConflictError,
    EngineError,
    HostError,
    RefusedError,
)
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import Host
from ansible_collections.bulwark.docker.plugins.module_utils._instance import Instance
from ansible_collections.bulwark.docker.plugins.module_utils._listener_plan import (
    plan_listener,
    prove_listener,
    wanted_listener,
)
from ansible_collections.bulwark.docker.plugins.module_utils._listeners import Listener, answers_plaintext
from ansible_collections.bulwark.docker.plugins.module_utils._state_store import (
    Loaded,
    News,
    Record,
    Saved,
    Transaction,
    parse_record,
    render_record,
)
from ansible_collections.bulwark.docker.plugins.module_utils._tls_dropin import TlsListener
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version

__all__ = [
    "CommitRequest",
    "Outcome",
    "SettingsRequest",
    "apply_settings",
    "bridge_network",
    "commit",
    "load_record",
    "loaded_data",
    "mask_credentials",
]

RECORD_MODE = 0o600
# Nobody asks any more after that time.
NEWS_SECONDS = 3600.0
WAIT_SECONDS = 1.0
DEFAULT_DATA_ROOT = "/var/lib/docker"
DATA_KEYS = ("data-root", "graph")
# Without these an engine could listen in plaintext, let everybody in, or work on other data.
GUARDING = FLAGS_ONLY | {"authorization-plugins", "containerd", "exec-root", "group", *DATA_KEYS, "userns-remap"}
RESTARTS = ("restart", "socket_and_service", "full_stop")
STAYS_STOPPED = ("the engine was stopped before, and stays so",)
WITHOUT_VERIFY = "tls_without_verify"
PLAINTEXT_FINDINGS = ("tcp_without_tls", WITHOUT_VERIFY)
URL_CREDENTIALS = re.compile(r"(:(?:\\?/){2}|(?:^|\")(?=[^/\s\":]+:))[^/\s\"]+@")


class SettingsRequest(NamedTuple):
    """What one owner wants of daemon.json, and of the TLS listener.

    C(wanted) maps keys to values, None meaning "leave this key to the administrator"; C(lease) and C(patience) are
    seconds: how long an interrupted run is respected, how long to wait for another one; C(listener) None says nothing
    about the listener.
    """

    owner: str
    present: bool
    wanted: Mapping[str, Any]
    override: bool
    allow_container_stop: bool
    allow_plaintext_api: bool
    run_id: str
    lease: float
    patience: float
    check_mode: bool
    listener: Optional[TlsListener] = None


class CommitRequest(NamedTuple):
    """How to bring written settings into force; C(deadline) in seconds."""

    allow_container_stop: bool
    allow_plaintext_api: bool
    run_id: str
    lease: float
    patience: float
    deadline: float
    check_mode: bool


class Outcome(NamedTuple):
    """Result of apply_settings() or commit(), ready to be shown."""

    changed: bool
    reasons: Tuple[str, ...]
    warnings: Tuple[str, ...]
    before: str
    after: str
    path: str
    unsupported: Tuple[str, ...]
    action: str
    commit_required: bool
    deferred: Tuple[str, ...]
    run_id: str
    version: str
    engine_restarted: bool
    drop_in_before: str = ""
    drop_in_after: str = ""
    drop_in_path: str = ""

    def to_result(self) -> Dict[str, Any]:
        """The outcome as a module's return values."""
        result: Dict[str, Any] = {
            "changed": self.changed,
            "reasons": list(self.reasons),
            "unsupported": list(self.unsupported),
            "action": self.action,
            "commit_required": self.commit_required,
            "deferred": list(self.deferred),
            "run_id": self.run_id,
            "path": self.path,
            "engine_version": self.version,
            "engine_restarted": self.engine_restarted,
            "warnings": list(self.warnings),
        }
        diffs = [
            {"before": before, "after": after, "before_header": path, "after_header": path}
            for before, after, path in (
                (self.before, self.after, self.path),
                (self.drop_in_before, self.drop_in_after, self.drop_in_path),
            )
            if before != after
        ]
        if diffs:
            result["diff"] = diffs if len(diffs) > 1 else diffs[0]
        return result


class _Plan(NamedTuple):
    state: EngineState
    record: Record
    merge: Merge
    drop_in: Optional[bytes]
    listener_reasons: Tuple[str, ...]
    unsupported: Tuple[str, ...]
    decision: Decision
    warnings: Tuple[str, ...]


def load_record(host: Host, instance: Instance) -> Record:
    """The memory of an engine; ConfigError when its file is damaged."""
    return parse_record(host.read_file(instance.state_path), instance.state_path)


def _current(record: Record, now: float) -> Record:
    news = {name: entry for name, entry in record.rolled_back.items() if abs(now - entry.at) < NEWS_SECONDS}
    return record._replace(rolled_back=news)


def _store_record(host: Host, instance: Instance, record: Record) -> None:
    record = _current(record, host.now())
    if record.idle:
        if record.created_directory and host.stat(instance.config_path) is None:
            host.remove_directory(record.created_directory)
        if record.created_drop_in_directory:
            host.remove_directory(record.created_drop_in_directory)
        host.remove_file(instance.state_path)
        _remove_empty_directories(host, instance)
        return
    host.make_directory(posixpath.dirname(instance.state_path), 0o700)
    host.write_file(instance.state_path, render_record(record), RECORD_MODE, 0, 0)


def _remove_empty_directories(host: Host, instance: Instance) -> None:
    directory = posixpath.dirname(instance.state_path)
    for path in (directory, posixpath.dirname(directory)):
        if host.stat(path) is not None and not host.list_directory(path):
            host.remove_directory(path)


def loaded_config(host: Host, state: EngineState, record: Record) -> Tuple[bool, Optional[bytes]]:
    """What the running engine read from daemon.json: (known, bytes; None for no file)."""
    if state.process is None:
        return False, None
    if record.loaded and record.loaded.identity == state.process.identity():
        return True, record.loaded.raw
    started_ns = state.process.started_at * 1e9
    if state.raw_stat is not None:
        return state.raw_stat.ctime_ns <= started_ns, state.raw
    directory = host.stat(posixpath.dirname(state.instance.config_path))
    return directory is None or directory.ctime_ns <= started_ns, None


def loaded_data(host: Host, state: EngineState, record: Record) -> Optional[Dict[str, Any]]:
    """The settings that the running engine read, None when that is not known."""
    known, raw = loaded_config(host, state, record)
    if not known:
        return None
    try:
        return dict(parse_document(raw, state.version, state.instance.config_path).data)
    except ConfigError:
        return None


def bridge_network(host: Host, state: EngineState) -> Optional[Dict[str, Any]]:
    """The default bridge network as the engine describes it, None where there is none."""
    try:
        return dict(api_json(host, state.instance, "/networks/bridge"))
    except EngineError:
        return None


def ineffective_keys(host: Host, state: EngineState, loaded: Optional[Mapping[str, Any]]) -> Tuple[str, ...]:
    """Keys that the engine read but that its answers contradict."""
    if not state.answering or loaded is None:
        return ()
    values = effective_values(state.info, bridge_network(host, state), state.version)
    return tuple(key for key in divergent_keys(loaded, values) if KEYS[key].effect == "full_stop")


def decide_for(
    host: Host, state: EngineState, record: Record, wanted: Mapping[str, Any], allow_container_stop: bool
) -> Decision:
    """The decision for a configuration that is, or is about to be, on disk."""
    loaded = loaded_data(host, state, record)
    if loaded is not None and record.loaded is not None and record.loaded.reloaded is not None:
        loaded = _whichever(loaded, parse_document(record.loaded.reloaded, state.version, "").data, wanted)
    if _was_stopped(state, record):
        return Decision("nothing", (), STAYS_STOPPED, False, False, ())
    running = state.process.argv if state.process else ()
    direct = bool(running) and posixpath.basename(running[0]) == "dockerd"
    return decide(
        Situation(
            version=state.version,
            running=state.answering,
            loaded=loaded,
            wanted=wanted,
            loaded_argv=running[1:] if direct else (),
            wanted_argv=state.command.argv[1:] if direct else (),
            unit_changed=state.properties.get("NeedDaemonReload") == "yes",
            socket_changed=state.socket_properties.get("NeedDaemonReload") == "yes",
            live_restore=state.live_restore,
            running_containers=len(state.containers),
            ineffective=ineffective_keys(host, state, loaded),
            allow_container_stop=allow_container_stop,
        )
    )


def _was_stopped(state: EngineState, record: Record) -> bool:
    """Whether somebody has stopped the engine: it is inactive, not failed, and no run of ours was at work before."""
    if state.properties.get("ActiveState") != "inactive" or record.stopped:
        return False
    return record.transaction is None or record.transaction.stopped


def _whichever(first: Mapping[str, Any], second: Mapping[str, Any], wanted: Mapping[str, Any]) -> Dict[str, Any]:
    """What the engine has read when it is one of two: a key on which they differ counts as another one than wanted."""
    differing = changed_keys(first, second)
    sure = {name: value for name, value in first.items() if name not in differing}
    return {**sure, **{name: None for name in differing if name not in wanted}}


def _supported(wanted: Mapping[str, Any], version: Version) -> Tuple[Dict[str, Any], Tuple[str, ...]]:
    usable: Dict[str, Any] = {}
    unsupported: List[str] = []
    for name, value in wanted.items():
        if value is None:
            continue
        key = KEYS.get(name)
        if key is not None and version < key.since:
            since = ".".join(str(part) for part in key.since)
            unsupported.append(f"{name} needs engine {since} or newer, this is {version}: not set")
        elif key is not None and key.until is not None and version >= key.until:
            unsupported.append(f"{name} is gone from engine {version}: not set")
        else:
            usable[name] = value
    return usable, tuple(unsupported)


def _refuse_file_elsewhere(host: Host, instance: Instance) -> None:
    """Root writes where a user's link points only if that is the user's own place."""
    if not instance.rootless:
        return
    real, home = host.real_path(instance.config_path), host.real_path(instance.home)
    found = host.stat(real)
    owner = found.uid if found else instance.uid
    if posixpath.commonpath((real, home)) == home and owner in (0, instance.uid):
        return
    why = "leaves the home directory" if owner in (0, instance.uid) else f"belongs to the user id {owner}"
    raise RefusedError(
        f"work on {instance.config_path}: it leads to {real}, which {why} (user {instance.user}, home {home}); root "
        "does not follow such a link, remove it"
    )


def _plan(host: Host, instance: Instance, request: SettingsRequest) -> _Plan:
    state = observe(host, instance)
    instance = state.instance
    if (request.owner == ROOTLESS_OWNER) != instance.rootless:
        raise ConflictError(
            f"Set keys for {request.owner!r} on the engine {instance.name}: the keys of rootless engines belong to the "
            f"role {ROOTLESS_OWNER!r}, which has none of the system's; use rootless_settings for them"
        )
    _refuse_file_elsewhere(host, instance)
    record = load_record(host, instance)
    document = parse_config(state)
    usable, unsupported = _supported(request.wanted, state.version)
    ledger = _ledger_with_original(record.ledger, state)
    listening = plan_listener(
        host, state, document, ledger, request.owner, request.present, request.listener, request.override
    )
    if request.present:
        removed = listening.removed_keys
        merge = merge_owned(document, ledger, request.owner, usable, request.override, removed)
    else:
        merge = remove_owned(document, ledger, request.owner)
    # What the next start would find; the running engine and the files are still those of before.
    coming = state if listening.drop_in == state.drop_in else with_command_line(state, listening.drop_in)
    changed = _bytes_of(merge.document) != state.raw or coming is not state
    ask_dockerd = bool(merge.differences) or changed
    warnings = _refuse_bad_config(
        host, coming, merge.document, ask_dockerd, request.allow_plaintext_api, request.check_mode
    )
    decision = decide_for(host, coming, record, merge.document.data, request.allow_container_stop)
    _refuse_plaintext_api(host, state, _lasting(host, state, record, decision), request.allow_plaintext_api)
    if changed or _must_commit(state, record, decision):
        _refuse_stopping_containers(state, decision, request.allow_container_stop)
    reasons = listening.reasons
    return _Plan(state, record, merge, listening.drop_in, reasons, unsupported, decision, tuple(warnings))


def _bytes_of(document: Document) -> Optional[bytes]:
    return document.raw if document.exists else None


def _ledger_with_original(ledger: Ledger, state: EngineState) -> Ledger:
    if any(ledger.entries.values()):
        return ledger
    saved = saved_files(state)
    return Ledger({}, None).with_original(
        Original(state.raw is not None, state.raw or b"", saved.mode, saved.uid, saved.gid)
    )


def _refuse_bad_config(
    host: Host,
    state: EngineState,
    document: Document,
    ask_dockerd: bool,
    allow_plaintext_api: bool,
    forecast: bool = False,
) -> List[str]:
    facts = read_host_facts(host, state, document.data)
    findings = check_config(document, state.flags, state.version)
    findings += check_combinations(document.data, state.flags, state.version, facts)
    allowed = list(PLAINTEXT_FINDINGS) if allow_plaintext_api else []
    listener = wanted_listener(state.drop_in)
    if listener is not None and not listener.verify:
        allowed.append(WITHOUT_VERIFY)  # as it was asked for when the drop-in was written
    fatal = [finding for finding in findings if finding.fatal and finding.code not in allowed]
    if fatal:
        raise ConfigError(mask_credentials("\n".join(finding.message for finding in fatal)))
    if ask_dockerd:
        validate_with_dockerd(host, state, _bytes_of(document) or b"{}", forecast)
    return [mask_credentials(finding.message) for finding in findings]


def _lasting(host: Host, state: EngineState, record: Record, decision: Decision) -> List[Listener]:
    """Listeners that the coming restart does not close: not the engine's own ones that are set nowhere any more.

    Those that are still set are the affair of check_combinations; whatever is wrong here shows again after the restart.
    """
    if decision.action not in RESTARTS or state.process is None:
        return list(state.listeners)
    loaded = loaded_data(host, state, record)
    handed_over = state.socket_properties.get("Listen", "") + " "
    opened = [*state.process.argv, *(str(text) for text in (loaded or {}).get("hosts") or ())]
    return [
        entry
        for entry in state.listeners
        if f":{entry.port} " in handed_over or not (loaded is None or any(f":{entry.port}" in text for text in opened))
    ]


def _refuse_plaintext_api(host: Host, state: EngineState, listeners: Sequence[Listener], allowed: bool) -> None:
    for listener in listeners:
        if listener.kind != "tcp" or allowed:
            continue
        try:
            plaintext = answers_plaintext(host, listener)
        except HostError:
            plaintext = False  # it vanished, or it does not speak HTTP
        if plaintext:
            raise RefusedError(
                f"harden the engine {state.instance.name}: it answers its API without any certificate on "
                f"{listener.address} port {listener.port} (unit {state.instance.service}, its drop-ins and environment "
                f"files, {state.instance.socket_unit or 'no socket unit'}, {state.instance.config_path}); remove that "
                "listener or protect it with the role daemon_tls, and run again"
            )


def _refuse_stopping_containers(state: EngineState, decision: Decision, allowed: bool) -> None:
    if not decision.stops_containers or allowed:
        return
    names = ", ".join(str(entry["name"]) for entry in state.containers[:10])
    raise RefusedError(
        f"change the engine {state.instance.name}: {len(state.containers)} running container(s) would be stopped "
        f"({names}), because {'; '.join(decision.reasons)}; set live-restore to true "
        "(daemon_baseline_live_restore), or allow it with engine_allow_container_stop: true in a maintenance window"
    )


def _must_commit(state: EngineState, record: Record, decision: Decision) -> bool:
    if record.transaction is not None or record.stopped:
        return True
    owned = {key for entries in record.ledger.entries.values() for key in entries}
    if decision.action == "nothing" or not (owned or record.has_drop_in):
        return False
    if decision.action == "start":
        return True
    if not decision.changed_keys:
        return True
    return any(key in owned for key in decision.changed_keys)


def _other_run(record: Record, run_id: str, lease: float, now: float) -> Optional[Transaction]:
    opened = record.transaction
    # The last one holds it; a time far ahead comes from a clock that was set back.
    if opened is None or run_id == opened.ids[-1] or abs(now - opened.touched) >= lease:
        return None
    return opened


def _wait_for_other_run(host: Host, instance: Instance, run_id: str, lease: float, patience: float) -> None:
    """Refuse when another run stays between its write and its restart; call without the lock."""
    deadline = host.now() + patience
    while True:
        opened = _other_run(load_record(host, instance), run_id, lease, host.now())
        if opened is None:
            return
        if host.now() >= deadline:
            raise RefusedError(
                f"change the engine {instance.name}: another run wrote settings {host.now() - opened.touched:.0f} s "
                f"ago and has not restarted the engine yet ({instance.state_path}); wait for it, or run again "
                f"after {lease:.0f} s"
            )
        host.sleep(WAIT_SECONDS)


def apply_settings(host: Host, instance: Instance, request: SettingsRequest) -> Outcome:
    """Write one owner's settings into daemon.json, or take them out, after every check that can be made beforehand.

    Raises a BulwarkError before anything is written when the result could not work or was not allowed.
    """
    if request.check_mode:
        plan = _plan(host, instance, request)
        return _settings_outcome(plan, request, request.run_id)
    while True:
        _wait_for_other_run(host, instance, request.run_id, request.lease, request.patience)
        with host.lock(instance.lock_path, request.patience):
            plan = _plan(host, instance, request)
            if _other_run(plan.record, request.run_id, request.lease, host.now()):
                continue
            run_id = _write(host, plan, request)
            return _settings_outcome(plan, request, run_id)


def _write(host: Host, plan: _Plan, request: SettingsRequest) -> str:
    state, record = plan.state, plan.record
    changed = _changes_files(plan)
    after = plan.merge.ledger
    unowned = not any(after.entries.values()) and not any(record.ledger.entries.values())
    has_drop_in = plan.drop_in is not None
    if not changed and (unowned or after == record.ledger) and record.has_drop_in == has_drop_in:
        if record != _current(record, host.now()):
            _store_record(host, state.instance, record)
        elif record.idle:
            _remove_empty_directories(host, state.instance)  # a killed run may have left them
        return request.run_id
    opened = record.transaction
    run_id = request.run_id or f"{host.now():.6f}"
    if opened is None and changed:
        stopped = state.properties.get("ActiveState") == "inactive"
        opened = Transaction([run_id], host.now(), saved_files(state), record.ledger, stopped)
    elif opened is not None:
        others = [name for name in opened.ids if name != run_id]
        opened = opened._replace(ids=[*others, run_id], touched=host.now())
    known, raw = loaded_config(host, state, record)
    # Keys that are given back stay ours until the file is written, else a kill in between would orphan them.
    intended = record._replace(
        ledger=_either(record.ledger, after) if changed else after,
        transaction=opened,
        loaded=_noted(record, state, raw) if known else record.loaded,
        created_directory=_directory_to_make(host, state.instance.config_path, plan.merge.document.exists)
        or record.created_directory,
        has_drop_in=has_drop_in or record.has_drop_in,
        created_drop_in_directory=_directory_to_make(host, state.instance.drop_in_path, has_drop_in)
        or record.created_drop_in_directory,
    )
    _store_record(host, state.instance, intended)
    try:
        if changed:
            put_files(host, state, _target(plan, state), intended)
    except BulwarkError:
        put_files(host, state, saved_files(state), intended)
        _remove_made(host, record, intended)
        _store_record(host, state.instance, record)
        raise
    finished = intended._replace(ledger=after, has_drop_in=has_drop_in)
    if finished != intended:
        _store_record(host, state.instance, finished)
    return run_id


def _changes_files(plan: _Plan) -> bool:
    return _bytes_of(plan.merge.document) != plan.state.raw or plan.drop_in != plan.state.drop_in


def _directory_to_make(host: Host, path: str, wanted: bool) -> str:
    """The directory of a file if it has to be made for it, else ""."""
    directory = posixpath.dirname(path)
    return directory if wanted and host.stat(directory) is None else ""


def _remove_made(host: Host, before: Record, intended: Record) -> None:
    if intended.created_directory != before.created_directory:
        host.remove_directory(intended.created_directory)
    if intended.created_drop_in_directory != before.created_drop_in_directory:
        host.remove_directory(intended.created_drop_in_directory)


def _either(old: Ledger, new: Ledger) -> Ledger:
    entries = {
        owner: {**old.entries.get(owner, {}), **new.entries.get(owner, {})} for owner in {**old.entries, **new.entries}
    }
    return Ledger(entries, new.original or old.original)


def _noted(record: Record, state: EngineState, raw: Optional[bytes]) -> Optional[Loaded]:
    if state.process is None:
        return None
    identity = state.process.identity()
    if record.loaded is not None and record.loaded.identity == identity:
        return record.loaded
    return Loaded(identity, raw, None)


def _target(plan: _Plan, state: EngineState) -> Saved:
    saved = saved_files(state)
    original = plan.merge.ledger.original or plan.record.ledger.original
    if state.raw is None and original is not None and original.existed:
        saved = Saved(None, original.mode, original.uid, original.gid)
    return saved._replace(raw=_bytes_of(plan.merge.document), drop_in=plan.drop_in)


def mask_credentials(text: str) -> str:
    """Hide user names and passwords in URLs (proxy settings hold them)."""
    return URL_CREDENTIALS.sub(r"\1****@", text)


def _text(raw: Optional[bytes]) -> str:
    return "" if raw is None else mask_credentials(raw.decode("utf-8", "replace"))


def _settings_outcome(plan: _Plan, request: SettingsRequest, run_id: str) -> Outcome:
    after = _bytes_of(plan.merge.document)
    changed = _changes_files(plan)
    reasons = (*(_difference_text(entry) for entry in plan.merge.differences), *plan.listener_reasons)
    return Outcome(
        changed=changed,
        reasons=reasons,
        warnings=plan.warnings + plan.unsupported,
        before=_text(plan.state.raw),
        after=_text(after),
        path=plan.state.instance.config_path,
        unsupported=plan.unsupported,
        action=plan.decision.action,
        commit_required=changed or _must_commit(plan.state, plan.record, plan.decision),
        deferred=plan.decision.deferred,
        run_id=run_id,
        version=plan.state.version_text,
        engine_restarted=False,
        drop_in_before=_text(plan.state.drop_in),
        drop_in_after=_text(plan.drop_in),
        drop_in_path=plan.state.instance.drop_in_path,
    )


def _difference_text(entry: Difference) -> str:
    return f"{entry.key}: {entry.reason}"


def commit(host: Host, instance: Instance, request: CommitRequest) -> Outcome:
    """Bring what is on disk into force, prove that the engine is up, and record it; roll back when it is not.

    Raises EngineError after a rollback (with the journal's words), RefusedError before doing anything that was not
    allowed.
    """
    if request.check_mode:
        state = observe(host, instance)
        return _commit_now(host, state, load_record(host, state.instance), request)
    while True:
        _wait_for_other_run(host, instance, request.run_id, request.lease, request.patience)
        with host.lock(instance.lock_path, request.patience):
            state = observe(host, instance)
            record = load_record(host, state.instance)
            if _other_run(record, request.run_id, request.lease, host.now()):
                continue
            return _commit_now(host, state, record, request)


def _commit_now(host: Host, state: EngineState, record: Record, request: CommitRequest) -> Outcome:
    if request.run_id in record.rolled_back:
        remaining = {name: why for name, why in record.rolled_back.items() if name != request.run_id}
        if not request.check_mode:
            _store_record(host, state.instance, record._replace(rolled_back=remaining))
        raise EngineError(
            "commit the settings of this run: another run had to take them back "
            f"({record.rolled_back[request.run_id].reason}); mend the cause and run again"
        )
    _refuse_file_elsewhere(host, state.instance)
    document = parse_config(state)
    decision = decide_for(host, state, record, document.data, request.allow_container_stop)
    warnings = list(_deferred_warnings(state, decision))
    if decision.reasons == STAYS_STOPPED:
        warnings.append(
            f"{state.instance.service} was stopped before this run and stays so: the settings are on disk, but nobody "
            "has seen the engine start with them"
        )
    if not _must_commit(state, record, decision):
        if record.idle and not request.check_mode:
            _remove_empty_directories(host, state.instance)  # a killed run may have left them
        return _commit_outcome(state, decision, warnings, changed=False)
    if decision.action != "nothing":
        seen, state = state, _with_fresh_units(host, state, decision, request)
        try:
            _refuse_bad_config(host, state, document, True, request.allow_plaintext_api)
        except ConfigError as exc:
            if state is seen or record.transaction is None:
                raise
            # The unit that systemd had not read yet does not go with what was written: the next start would fail.
            put_files(host, state, record.transaction.begin, record)
            _store_record(host, state.instance, _without_transaction(host, record, request, exc))
            raise ConfigError(f"{exc}\nTaken back: daemon.json is as before, the engine was not restarted") from exc
        _refuse_plaintext_api(host, state, _lasting(host, state, record, decision), request.allow_plaintext_api)
        _refuse_stopping_containers(state, decision, request.allow_container_stop)
    changed = decision.action != "nothing" or bool(record.stopped)
    if request.check_mode:
        return _commit_outcome(state, decision, warnings, changed)
    finished, after = _carry_out(host, state, record, decision, request)
    _store_record(host, state.instance, finished)
    warnings += _divergence_warnings(host, after, document, decision)
    return _commit_outcome(after, decision, warnings, changed)


def _reserve(host: Host, instance: Instance) -> str:
    """A file beside daemon.json that holds the space for a rollback while the engine restarts."""
    return posixpath.join(posixpath.dirname(host.real_path(instance.config_path)), ".bulwark-rollback")


def _free_reserve(host: Host, instance: Instance) -> None:
    try:
        host.remove_file(_reserve(host, instance))
    except HostError:
        return  # the rollback itself will tell


def _with_fresh_units(host: Host, state: EngineState, decision: Decision, request: CommitRequest) -> EngineState:
    """The engine after systemd has read changed unit files: the flags of the next start are the ones to check."""
    # systemd does not always notice a drop-in in a new directory, so it is not asked whether it needs that.
    if request.check_mode or decision.action not in (*RESTARTS, "start"):
        return state
    return EngineControl(host, state, request.deadline).reload_units()


def _carry_out(
    host: Host, state: EngineState, record: Record, decision: Decision, request: CommitRequest
) -> Tuple[Record, EngineState]:
    control = EngineControl(host, state, request.deadline)
    reserve = _reserve(host, state.instance)
    directory = host.stat(posixpath.dirname(reserve))
    opened = record.transaction
    if opened is not None and decision.action != "nothing" and directory is not None:
        # Where this cannot be written a rollback could not be either: then nothing is risked.
        begin = opened.begin
        host.write_file(reserve, begin.raw or b"", RECORD_MODE, begin.uid, begin.gid)
    before = record
    running = [str(entry["id"]) for entry in state.containers if not entry["auto_remove"]]
    endangered = [name for name in running if name not in record.stopped]
    to_start = list(record.stopped)
    if decision.stops_containers:
        to_start += endangered
    if decision.stops_containers or decision.enable_live_restore_first:
        record = record._replace(stopped=[*record.stopped, *endangered])
    known, raw = loaded_config(host, state, record)
    if known and state.process and (decision.action == "reload" or decision.enable_live_restore_first):
        record = record._replace(loaded=Loaded(state.process.identity(), raw, state.raw or b""))
    if record != before:
        _store_record(host, state.instance, record)
    try:
        after = control.carry_out(decision)
        _refuse_plaintext_api(host, after, after.listeners, request.allow_plaintext_api)
        if decision.action in (*RESTARTS, "start") or (opened is not None and opened.begin.drop_in != after.drop_in):
            prove_listener(host, after)
        if to_start:
            control.start_containers(to_start)
            after = observe(host, state.instance)
    except BulwarkError as exc:
        raise _roll_back(host, control, state, record, request, exc) from exc
    host.remove_file(reserve)
    process = after.process
    finished = record._replace(
        transaction=None,
        # Of an engine that stays stopped nobody knows whether it is.
        known_good=saved_files(after) if process else record.known_good,
        loaded=Loaded(process.identity(), after.raw, None) if process else None,
        stopped=[],
    )
    return finished, after


def _deferred_warnings(state: EngineState, decision: Decision) -> List[str]:
    return [
        f"{key} is written but without effect while containers run ({len(state.containers)} now): the engine sets it "
        "up only when it starts without any; stop them, or set engine_allow_container_stop: true in a maintenance "
        "window"
        for key in decision.deferred
    ]


def _divergence_warnings(host: Host, after: EngineState, document: Document, decision: Decision) -> List[str]:
    if not after.answering:
        return []
    values = effective_values(after.info, bridge_network(host, after), after.version)
    return [
        f"{key} is {document.data[key]!r} in {after.instance.config_path}, but the running engine shows "
        f"{values[key][0]!r} ({values[key][1]}); look at its journal"
        for key in divergent_keys(document.data, values)
        if key not in decision.deferred
    ]


def _commit_outcome(state: EngineState, decision: Decision, warnings: Sequence[str], changed: bool) -> Outcome:
    return Outcome(
        changed=changed,
        reasons=decision.reasons,
        warnings=tuple(warnings),
        before="",
        after="",
        path=state.instance.config_path,
        unsupported=(),
        action=decision.action,
        commit_required=False,
        deferred=decision.deferred,
        run_id="",
        version=state.version_text,
        engine_restarted=changed and decision.action not in ("nothing", "reload"),
    )


def _roll_back(
    host: Host,
    control: EngineControl,
    state: EngineState,
    record: Record,
    request: CommitRequest,
    cause: BulwarkError,
) -> BulwarkError:
    """Give back the state before the transaction and let the engine run with it; returns the error to raise."""
    said = control.journal_words()
    _free_reserve(host, state.instance)
    opened = record.transaction
    candidates = [opened.begin if opened else saved_files(state)]
    if record.known_good is not None and record.known_good not in candidates:
        candidates.append(record.known_good)
    result = _go_back(host, control, state, candidates, record)
    message = f"{cause}\nThe engine's journal: {said}\nRolled back: {result}; mend the cause and run again"
    _store_record(host, state.instance, _without_transaction(host, record, request, cause))
    return EngineError(message)


def _without_transaction(host: Host, record: Record, request: CommitRequest, cause: BulwarkError) -> Record:
    """The record as it was before the open transaction, with news for the other runs that took part in it."""
    opened = record.transaction
    ids = opened.ids if opened else []
    news = News(str(cause).splitlines()[0], host.now())
    remembered = {**record.rolled_back, **{name: news for name in ids if name != request.run_id}}
    ledger = opened.ledger if opened else record.ledger
    has_drop_in = opened.begin.drop_in is not None if opened else record.has_drop_in
    return record._replace(ledger=ledger, transaction=None, rolled_back=remembered, stopped=[], has_drop_in=has_drop_in)


def _go_back(
    host: Host, control: EngineControl, state: EngineState, candidates: Sequence[Saved], record: Record
) -> str:
    """Try earlier states, the latest first; what came of it as a clause."""
    problem = ""
    for saved in candidates:
        try:
            put_files(host, state, saved, record)
            control.recover()
        except BulwarkError as exc:
            problem = problem or str(exc)
            continue
        which = "as before" if saved == candidates[0] else "the last one that was known to work"
        return f"daemon.json is {which} and the engine runs with it" + _containers_again(control, record.stopped)
    meanwhile = "the engine is down"
    for saved, which in _makeshifts(state, record, candidates[0]):
        if saved not in candidates and _run_for_now(host, control, state, saved, record):
            meanwhile = f"for now the engine runs {which}" + _containers_again(control, record.stopped)
    try:
        put_files(host, state, candidates[0], record)
    except BulwarkError as exc:
        return f"the earlier daemon.json could not be put back ({exc}), and {meanwhile}"
    return f"daemon.json is as before, but the engine did not come up with it either ({problem}), and {meanwhile}"


def _makeshifts(state: EngineState, record: Record, before: Saved) -> Sequence[Tuple[Saved, str]]:
    """What the engine may run with while somebody mends the file that it had not read yet.

    What it had read where that is known. Else no file, but only if none of the settings that would be missing guards
    an API on the network or says where the engine's data is.
    """
    process, loaded = state.process, record.loaded
    if process is None:
        return ()
    if loaded is not None and loaded.identity == process.identity():
        return ((before._replace(raw=loaded.raw), "with what it had read before"),)
    try:
        data = parse_document(before.raw, state.version, state.instance.config_path).data
    except ConfigError:
        return ()
    open_port = any(entry.kind == "tcp" for entry in state.listeners)
    guards = GUARDING - _without_effect(state.info)
    if open_port or any("tcp" in text for text in state.flags.values.get("hosts", ())) or not guards.isdisjoint(data):
        return ()
    return ((before._replace(raw=None), "without daemon.json"),)


def _without_effect(info: Mapping[str, Any]) -> Set[str]:
    """Guarding keys that the engine ran without before, whatever the file says."""
    found: Set[str] = set()
    if not info:
        return found
    if not any("name=userns" in str(option) for option in info.get("SecurityOptions") or []):
        found.add("userns-remap")
    if not (info.get("Plugins") or {}).get("Authorization"):
        found.add("authorization-plugins")
    if info.get("DockerRootDir") == DEFAULT_DATA_ROOT:
        found.update(DATA_KEYS)
    return found


def _run_for_now(host: Host, control: EngineControl, state: EngineState, saved: Saved, record: Record) -> bool:
    try:
        put_files(host, state, saved, record)
        control.recover()
    except BulwarkError:
        return False
    return True


def _containers_again(control: EngineControl, identifiers: Sequence[str]) -> str:
    try:
        control.start_containers(identifiers)
    except BulwarkError as exc:
        return f", but not everything does: {exc}"
    return ""
