# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of the TLS listener in one run, what forbids it, and the proof that it does what it says (private)."""

from __future__ import annotations

from typing import List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._daemon_config import Ledger
from ansible_collections.bulwark.docker.plugins.module_utils._daemon_json import Document
from ansible_collections.bulwark.docker.plugins.module_utils._engine_files import wanted_drop_in
from ansible_collections.bulwark.docker.plugins.module_utils._engine_keys import FLAGS_ONLY
from ansible_collections.bulwark.docker.plugins.module_utils._engine_state import EngineState, with_command_line
from ansible_collections.bulwark.docker.plugins.module_utils._errors import (
    ConfigError,
    ConflictError,
    EngineError,
    HostError,
    RefusedError,
)
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import Host
from ansible_collections.bulwark.docker.plugins.module_utils._listeners import (
    PLAINTEXT_REQUEST,
    Listener,
    answers_plaintext,
    reachable_address,
)
from ansible_collections.bulwark.docker.plugins.module_utils._tls_dropin import (
    TlsListener,
    first_certificate,
    foreign_flags,
    parse_drop_in,
    strip_listeners,
)

__all__ = ["OWNER", "ListenerPlan", "drift_of", "plan_listener", "prove_listener", "wanted_listener"]

OWNER = "daemon_tls"
OVERRIDE = "allow to take it over with engine_override: true (option override)"


class ListenerPlan(NamedTuple):
    """The drop-in that has to be there (None: none), keys that have to leave daemon.json, and sentences why."""

    drop_in: Optional[bytes]
    removed_keys: Tuple[str, ...]
    reasons: Tuple[str, ...]


def wanted_listener(drop_in: Optional[bytes]) -> Optional[TlsListener]:
    """The listener of a drop-in of ours, None where there is none."""
    found = parse_drop_in(drop_in)
    return found.listener if found else None


def drift_of(state: EngineState) -> List[str]:
    """Why the drop-in is not the one that the next run would write; empty where it is, or where there is none."""
    if state.drop_in is None:
        return []
    path = state.instance.drop_in_path
    found = parse_drop_in(state.drop_in)
    if found is None or found.listener is None:
        return [f"{path} was changed by somebody: the next run of the role daemon_tls writes it again"]
    if found.repeated != state.unit.exec_start:
        return [
            f"{state.instance.service} starts the engine with another line now ({state.unit.exec_start}) than {path} "
            f"repeats ({found.repeated}): the next run of the role daemon_tls writes it again"
        ]
    problems = []
    if state.drop_in != wanted_drop_in(state, found.listener, False):
        problems.append(f"{path} was changed by somebody: the next run of the role daemon_tls writes it again")
    if state.overruled_by:
        problems.append(f"{state.overruled_by} replaces the command line of {path}: remove it or its ExecStart=")
    return problems


def plan_listener(
    host: Host,
    state: EngineState,
    document: Document,
    ledger: Ledger,
    owner: str,
    present: bool,
    listener: Optional[TlsListener],
    override: bool,
) -> ListenerPlan:
    """Decide about drop-in and keys for one owner's run.

    Raises a BulwarkError for everything that would keep the listener from working, or would be taken from somebody
    who did not allow that.
    """
    if listener is not None and owner != OWNER:
        raise ConflictError(
            f"open a listener for {owner!r}: only the role {OWNER!r} may (option listener); use that role"
        )
    if owner != OWNER:
        return ListenerPlan(state.drop_in, (), ())
    taken = tuple(key for key in ledger.entries.get(OWNER, {}) if key in FLAGS_ONLY)
    if not present:
        gone = () if state.drop_in is None else ("listener: the setting is no longer wanted",)
        return ListenerPlan(None, (), gone)
    if listener is None:
        return ListenerPlan(state.drop_in, taken, ())
    removed = _keys_to_take(document, taken, override)
    drop_in = wanted_drop_in(state, listener, False)
    _refuse_foreign_flags(state, override)
    _refuse_unusable(host, state, listener)
    return ListenerPlan(drop_in, removed, _reasons(state, drop_in, listener))


def _keys_to_take(document: Document, taken: Sequence[str], override: bool) -> Tuple[str, ...]:
    found = [key for key in sorted(FLAGS_ONLY) if document.member(key) is not None and key not in taken]
    if found and not override:
        places = ", ".join(f"{key!r} (line {getattr(document.member(key), 'line', 0)})" for key in found)
        raise ConflictError(
            f"open the listener: the administrator has set {places} in {document.path}; listeners and TLS are set on "
            "the command line of the unit, and with keys of the same name in the file dockerd does not start; remove "
            f"these keys, or {OVERRIDE}; removal gives them back"
        )
    return (*taken, *found)


def _refuse_foreign_flags(state: EngineState, override: bool) -> None:
    base = with_command_line(state, None)
    foreign = foreign_flags(base.flags)
    if not foreign:
        return
    where = f"{state.instance.service}, {', '.join(path for path in state.unit_paths)}"
    known = parse_drop_in(state.drop_in)
    if not override and (known is None or known.repeated != state.unit.exec_start):
        raise ConflictError(
            f"open the listener: the engine has TCP listeners or TLS flags already ({', '.join(foreign)}; {where}); "
            f"remove them, or {OVERRIDE}"
        )
    bare = strip_listeners(state.unit.exec_start, state.version)
    left = with_command_line(state._replace(unit=state.unit._replace(exec_start=bare)), None)
    remaining = foreign_flags(left.flags)
    if remaining:
        files = ", ".join(entry.path for entry in state.unit.environment_files) or "Environment="
        raise ConflictError(
            f"open the listener: {', '.join(remaining)} comes from a variable of the unit ({where}; {files}), and "
            "nobody but its administrator can say what else uses that; remove it from the variable's value"
        )


def _refuse_unusable(host: Host, state: EngineState, listener: TlsListener) -> None:
    if state.overruled_by:
        raise ConflictError(
            f"open the listener: {state.overruled_by} is read after {state.instance.drop_in_path} and replaces its "
            "command line; give that file a name before it in the alphabet, or remove its ExecStart="
        )
    for address in listener.addresses:
        if not host.is_local_address(address):
            raise ConfigError(
                f"open the listener: this host does not have the address {address!r} (option listener, addresses); "
                "name one that it has, see ip address"
            )
    if any(f":{listener.port} (" in text + " (" for text in state.socket_properties.get("Listen", "").split()):
        raise ConflictError(
            f"open the listener: {state.instance.socket_unit} listens on TCP port {listener.port} already; remove that "
            "ListenStream=, and restart the socket unit"
        )
    for name, path in (("ca", listener.ca), ("certificate", listener.certificate), ("key", listener.key)):
        found = host.stat(path)
        if found is None or found.kind != "file":
            raise ConfigError(
                f"open the listener: {name} {path} is not there (option listener); put the file on the host first"
            )
    problem = host.tls_problem(listener.ca, listener.certificate, listener.key)
    if problem:
        raise ConfigError(
            f"open the listener: no TLS server can use these files: {problem} (option listener); name a PEM "
            "certificate, the private key that belongs to it, without a password, and a PEM file of CAs"
        )


def _reasons(state: EngineState, drop_in: bytes, listener: TlsListener) -> Tuple[str, ...]:
    if drop_in == state.drop_in:
        return ()
    before = parse_drop_in(state.drop_in)
    if state.drop_in is None:
        return (f"listener: was not there, is now {', '.join(listener.hosts)}",)
    if before is None or before.listener == listener:
        return ("listener: " + (drift_of(state) or ["its drop-in is written again"])[0],)
    old: Mapping[str, object] = before.listener._asdict() if before.listener else {}
    new = listener._asdict()
    return tuple(
        f"listener: {name} was {old.get(name)!r}, is now {new[name]!r}" for name in new if old.get(name) != new[name]
    )


def prove_listener(host: Host, state: EngineState) -> None:
    """Ask each address of the listener as a stranger would: without a certificate, and without TLS.

    Raises EngineError when the stranger is served, or sees another certificate than that of the file.
    """
    listener = wanted_listener(state.drop_in)
    if listener is None:
        return
    wanted = first_certificate(host.read_file(listener.certificate) or b"")
    for address in listener.addresses:
        where = f"{address} port {listener.port}"
        answer = host.tls_request(reachable_address(address), listener.port, PLAINTEXT_REQUEST, listener.ca)
        if answer.certificate != wanted:
            raise EngineError(
                f"prove the listener: {where} shows another certificate than the one of {listener.certificate}; is "
                "another program in its place?"
            )
        if listener.verify and answer.answer:
            raise EngineError(
                f"prove the listener: {where} answered a client that has no certificate ({answer.answer[:40]!r}); look "
                f"at the flags of {state.instance.service}"
            )
        if _serves_plaintext(host, address, listener.port):
            raise RefusedError(f"prove the listener: {where} answers without TLS; is another program in its place?")


def _serves_plaintext(host: Host, address: str, port: int) -> bool:
    try:
        return answers_plaintext(host, Listener("tcp", address, port, ""))
    except HostError:
        return False  # it hung up
