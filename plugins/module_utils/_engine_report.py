# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One structured report about an engine: configured, effective and pending for each key (private)."""

from __future__ import annotations

import hashlib
import math
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._daemon_json import Document, empty_document
from ansible_collections.bulwark.docker.plugins.module_utils._decision import changed_keys, reloadable
from ansible_collections.bulwark.docker.plugins.module_utils._effective import divergent_keys, effective_values
from ansible_collections.bulwark.docker.plugins.module_utils._engine_check import check_combinations, check_config
from ansible_collections.bulwark.docker.plugins.module_utils._engine_keys import KEYS, Key
from ansible_collections.bulwark.docker.plugins.module_utils._engine_state import (
    EngineState,
    observe,
    parse_config,
    read_host_facts,
)
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError, HostError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import Host
from ansible_collections.bulwark.docker.plugins.module_utils._instance import Instance
from ansible_collections.bulwark.docker.plugins.module_utils._listener_plan import drift_of, wanted_listener
from ansible_collections.bulwark.docker.plugins.module_utils._listeners import (
    PLAINTEXT_REQUEST,
    Listener,
    answers_plaintext,
    reachable_address,
)
from ansible_collections.bulwark.docker.plugins.module_utils._state_store import Record
from ansible_collections.bulwark.docker.plugins.module_utils._tls_dropin import TlsListener, first_certificate
from ansible_collections.bulwark.docker.plugins.module_utils._transaction import (
    bridge_network,
    load_record,
    loaded_data,
    mask_credentials,
)
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version

__all__ = ["report_engine", "report_state"]

NO_NEW_PRIVILEGES = "no-new-privileges"
DAY = 86400.0


class _View(NamedTuple):
    state: EngineState
    record: Record
    document: Document
    loaded: Optional[Dict[str, Any]]
    effective: Dict[str, Tuple[Any, str]]


def report_engine(host: Host, instance: Instance) -> Dict[str, Any]:
    """Read everything about an engine; the result is a JSON-able mapping, documented in the module engine_info."""
    return report_state(host, observe(host, instance))


def report_state(host: Host, state: EngineState) -> Dict[str, Any]:
    """The same for an engine that was observed already."""
    record = load_record(host, state.instance)
    problems: List[str] = []
    try:
        document = parse_config(state)
    except ConfigError as exc:
        document = empty_document(state.instance.config_path, state.version)
        problems.append(str(exc))
    bridge = bridge_network(host, state) if state.answering else None
    effective = effective_values(state.info, bridge, state.version) if state.answering else {}
    view = _View(state, record, document, loaded_data(host, state, record), effective)
    findings = check_config(document, state.flags, state.version)
    findings += check_combinations(
        document.data, state.flags, state.version, read_host_facts(host, state, document.data)
    )
    settings = [_describe(view, key) for key in KEYS.values() if _known(key, state.version)]
    wanted = wanted_listener(state.drop_in)
    ca = (
        wanted.ca
        if wanted
        else (state.flags.values.get("tlscacert") or [str(document.data.get("tlscacert") or "")])[-1]
    )
    listeners = [_listener(host, listener, ca) for listener in state.listeners]
    drift = drift_of(state)
    containers = [_container(host, state, document.data, entry) for entry in state.containers]
    divergences = [entry["reason"] for entry in settings if entry["pending"] != "nothing"]
    divergences += [_listener_sentence(entry) for entry in listeners if _is_open(entry)]
    differences = _listener_differences(host, wanted, listeners) if wanted else []
    divergences += drift + differences
    divergences += [f"{entry['name']}: {text}" for entry in containers for text in entry["findings"]]
    return {
        "name": state.instance.name,
        "version": state.version_text,
        "running_version": state.info.get("ServerVersion"),
        "running": state.answering,
        "unit": {
            "name": state.instance.service,
            "paths": list(state.unit_paths),
            "command_line": list(state.command.argv),
            "active_state": state.properties.get("ActiveState"),
        },
        "config": {
            "path": state.instance.config_path,
            "exists": state.raw is not None,
            "mode": f"{state.raw_stat.mode:04o}" if state.raw_stat else None,
            "problems": [mask_credentials(text) for text in problems + [finding.message for finding in findings]],
        },
        "data_root": state.info.get("DockerRootDir"),
        "storage_driver": state.info.get("Driver"),
        "listener": {
            "path": state.instance.drop_in_path,
            "configured": _configured(wanted),
            "drift": drift,
            "differences": differences,
        }
        if state.drop_in is not None
        else None,
        "listeners": listeners,
        "settings": settings,
        "containers": containers,
        "divergences": divergences,
        "uncommitted": record.transaction is not None,
        "owners": {owner: sorted(entries) for owner, entries in record.ledger.entries.items() if entries},
    }


def _known(key: Key, version: Version) -> bool:
    return version >= key.since and (key.until is None or version < key.until)


def _describe(view: _View, key: Key) -> Dict[str, Any]:
    name = key.name
    member = view.document.member(name)
    flag_values = view.state.flags.values.get(name)
    configured: Any = None
    where = "engine default"
    if member is not None:
        configured, where = member.value, f"{view.document.path} line {member.line}"
    elif flag_values is not None:
        configured, where = list(flag_values), f"{view.state.instance.service}: {view.state.flags.names.get(name)}"
    effective, source = view.effective.get(name, (None, ""))
    if not source and view.loaded is not None and name in view.loaded:
        effective, source = view.loaded[name], "as the engine read it"
    pending, reason = _pending(view, key)
    return {
        "name": name,
        "configured": _shown(configured),
        "configured_in": where,
        "effective": _shown(effective),
        "effective_from": source or "not readable",
        "pending": pending,
        "reason": reason,
        "owner": key.owner,
        "variable": key.variable,
    }


def _shown(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shown(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_shown(item) for item in value]
    return mask_credentials(value) if isinstance(value, str) else value


def _pending(view: _View, key: Key) -> Tuple[str, str]:
    data, name = view.document.data, key.name
    if not view.state.answering:
        return ("start", f"{name} is set, but the engine is not running") if name in data else ("nothing", "")
    if view.loaded is None:
        if name not in data or name not in divergent_keys(data, view.effective):
            return "nothing", ""
        return "restart", _contradiction(view, name)
    if name in changed_keys(view.loaded, data):
        read_again = name in data and reloadable(key, view.state.version)
        how = "reload" if read_again else "full_stop" if key.effect == "full_stop" else "restart"
        return how, f"{name} on disk is not what the running engine read: it needs {_NEEDS[how]}"
    if name in divergent_keys(data, view.effective):
        return key.effect, _contradiction(view, name) + f"; it needs {_NEEDS[key.effect]}"
    return "nothing", ""


_NEEDS = {
    "reload": "a reload",
    "restart": "a restart",
    "full_stop": "a restart while no container runs",
}


def _contradiction(view: _View, name: str) -> str:
    value, source = view.effective[name]
    return f"{name} is configured as {view.document.data[name]!r}, but the running engine shows {value!r} ({source})"


def _configured(listener: Optional[TlsListener]) -> Optional[Dict[str, Any]]:
    return {**listener._asdict(), "addresses": list(listener.addresses)} if listener else None


def _listener(host: Host, listener: Listener, ca: str) -> Dict[str, Any]:
    plaintext: Optional[bool] = None
    tls: Optional[Dict[str, Any]] = None
    if listener.kind == "tcp":
        try:
            plaintext = answers_plaintext(host, listener)
        except HostError:
            plaintext = False
        tls = None if plaintext else _tls(host, listener, ca)
    place = {"kind": listener.kind, "address": listener.address, "port": listener.port}
    return {**place, "plaintext": plaintext, "tls": tls}


def _tls(host: Host, listener: Listener, ca: str) -> Optional[Dict[str, Any]]:
    """What a client without a certificate sees there, None where TLS is not spoken."""
    try:
        answer = host.tls_request(reachable_address(listener.address), listener.port, PLAINTEXT_REQUEST, ca)
    except HostError:
        return None
    left = None if answer.not_after is None else math.floor((answer.not_after - host.now()) / DAY)
    return {
        "version": answer.version,
        "certificate": hashlib.sha256(answer.certificate).hexdigest(),
        "subject": answer.subject,
        "names": list(answer.names),
        "not_after": answer.not_after,
        "days_left": left,
        "client_certificate_demanded": not answer.answer,
        "problem": answer.problem,
    }


def _listener_differences(host: Host, wanted: TlsListener, listeners: List[Dict[str, Any]]) -> List[str]:
    """Where the listener is in force otherwise than its drop-in says."""
    found: List[str] = []
    raw = first_certificate(host.read_file(wanted.certificate) or b"")
    on_disk = hashlib.sha256(raw).hexdigest() if raw else ""
    for address in wanted.addresses:
        # The kernel shows the one for all addresses as "::", whichever family was asked for.
        same = ("0.0.0.0", "::") if address in ("0.0.0.0", "::") else (address,)
        entries = [entry for entry in listeners if entry["port"] == wanted.port and entry["address"] in same]
        where = f"{address} port {wanted.port}"
        tls = entries[0]["tls"] if entries else None
        if tls is None:
            found.append(f"{where} is configured, but the running engine does not serve TLS there: it needs a restart")
            continue
        if tls["certificate"] != on_disk:
            found.append(f"{where} shows another certificate than {wanted.certificate}: it needs a restart")
        if tls["problem"]:
            found.append(f"the certificate on {where} does not stand up to {wanted.ca}: {tls['problem']}")
    return found


def _is_open(entry: Mapping[str, Any]) -> bool:
    tls = entry["tls"]
    return bool(entry["plaintext"] or (tls and not tls["client_certificate_demanded"]))


def _listener_sentence(entry: Mapping[str, Any]) -> str:
    return (
        f"the API answers without a certificate on {entry['address']} port {entry['port']}: whoever reaches it is root "
        "on this host"
    )


def _container(host: Host, state: EngineState, data: Mapping[str, Any], entry: Mapping[str, Any]) -> Dict[str, Any]:
    findings: List[str] = []
    if data.get(NO_NEW_PRIVILEGES) is True and _gains_privileges(host, int(entry["pid"])):
        if f"{NO_NEW_PRIVILEGES}=false" in entry["security_options"]:
            findings.append(f"was created with {NO_NEW_PRIVILEGES}=false, against the engine's default")
        else:
            findings.append(f"is older than {NO_NEW_PRIVILEGES}: recreate it")
    driver = data.get("log-driver")
    if driver and entry["log_driver"] != driver:
        findings.append(f"logs to {entry['log_driver']}, new containers to {driver}: recreate it")
    if driver and entry["log_driver"] == driver and data.get("log-opts"):
        missing = sorted(set(data["log-opts"]) - set(entry["log_options"]))
        if missing:
            findings.append(f"was created without the log options {', '.join(missing)}: recreate it")
    return {"id": entry["id"], "name": entry["name"], "pid": entry["pid"], "findings": findings}


def _gains_privileges(host: Host, pid: int) -> bool:
    status = (host.read_file(f"/proc/{pid}/status") or b"").decode("utf-8", "replace")
    return any(line.split() == ["NoNewPrivs:", "0"] for line in status.splitlines())
