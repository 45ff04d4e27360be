# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing the two files of an engine, daemon.json and the drop-in with the TLS listener, as one step (private).

A kill may fall between any two writes, and somebody may restart the engine right then. So each state in between can be
started, and none has a TCP listener whose TLS stands somewhere else.
"""

from __future__ import annotations

import json
import posixpath
from typing import Any, Dict, Optional

from ansible_collections.bulwark.docker.plugins.module_utils._engine_control import reload_units
from ansible_collections.bulwark.docker.plugins.module_utils._engine_keys import FLAGS_ONLY
from ansible_collections.bulwark.docker.plugins.module_utils._engine_state import EngineState, with_command_line
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import Host
from ansible_collections.bulwark.docker.plugins.module_utils._state_store import Record, Saved
from ansible_collections.bulwark.docker.plugins.module_utils._tls_dropin import (
    TlsListener,
    render_drop_in,
    strip_listeners,
)

__all__ = ["DROP_IN_MODE", "put_files", "saved_files", "wanted_drop_in"]

DEFAULT_FILE_MODE = 0o644
DROP_IN_MODE = 0o644
DIRECTORY_MODE = 0o755
# Where dockerd listens when nobody tells it.
DEFAULT_UNIX_HOST = "unix:///var/run/docker.sock"
ACTIVATED_HOST = "fd://"


def saved_files(state: EngineState) -> Saved:
    """Both files as they were observed."""
    if state.raw_stat is None:
        return Saved(None, DEFAULT_FILE_MODE, state.instance.uid, state.instance.gid, state.drop_in)
    return Saved(state.raw, state.raw_stat.mode, state.raw_stat.uid, state.raw_stat.gid, state.drop_in)


def wanted_drop_in(state: EngineState, listener: Optional[TlsListener], hosts_in_file: bool) -> bytes:
    """Our drop-in for the unit as it is now; a Unix listener is named only where nothing else names one."""
    stripped = state.unit._replace(exec_start=strip_listeners(state.unit.exec_start, state.version))
    bare = with_command_line(state._replace(unit=stripped), None)
    unix_host = None
    if not hosts_in_file and "hosts" not in bare.flags.values:
        activated = state.socket_properties.get("ActiveState") == "active"
        unix_host = ACTIVATED_HOST if activated else DEFAULT_UNIX_HOST
    return render_drop_in(state.unit.exec_start, state.version, unix_host, listener)


def put_files(host: Host, state: EngineState, saved: Saved, record: Record) -> None:
    """Make both files what C(saved) says; directories that this collection made (C(record)) go with them.

    Where keys for listeners or TLS come into daemon.json or go out of it together with a change of the drop-in, neither
    order of two writes is safe: the flags of before could meet a file without TLS, or hosts could stand in both, with
    which the engine does not start. Then a drop-in without any TCP listener comes first, and systemd reads it before
    the file changes, since a restart takes what systemd has in memory.
    """
    instance = state.instance
    before = host.read_file(instance.config_path)
    drop_in = host.read_file(instance.drop_in_path) if instance.drop_in_path else None
    if saved.drop_in == drop_in:
        _put_config(host, state, saved, record)
        return
    old, new = _exposing(before), _exposing(saved.raw)
    if old != new:
        _put_drop_in(host, state, wanted_drop_in(state, None, "hosts" in old or "hosts" in new), record)
    _put_config(host, state, saved, record)
    _put_drop_in(host, state, saved.drop_in, record)


def _exposing(raw: Optional[bytes]) -> Dict[str, Any]:
    """The keys of a file that decide about listeners and TLS; none for a file that no engine reads."""
    try:
        data = json.loads((raw or b"").decode("utf-8-sig"))
    except ValueError:
        return {}
    return {name: data[name] for name in FLAGS_ONLY if name in data} if isinstance(data, dict) else {}


def _put_config(host: Host, state: EngineState, saved: Saved, record: Record) -> None:
    instance = state.instance
    directory = posixpath.dirname(instance.config_path)
    if saved.raw is not None and saved.raw == host.read_file(instance.config_path):
        return
    if saved.raw is not None:
        host.make_directory(directory, DIRECTORY_MODE, instance.uid, instance.gid)
        host.write_file(instance.config_path, saved.raw, saved.mode, saved.uid, saved.gid)
        return
    host.remove_file(instance.config_path)
    if record.created_directory == directory:
        host.remove_directory(directory)


def _put_drop_in(host: Host, state: EngineState, content: Optional[bytes], record: Record) -> None:
    path = state.instance.drop_in_path
    if not path:
        return
    directory = posixpath.dirname(path)
    if content is not None:
        host.make_directory(directory, DIRECTORY_MODE)
        host.write_file(path, content, DROP_IN_MODE, 0, 0)
    else:
        host.remove_file(path)
        if record.created_drop_in_directory == directory:
            host.remove_directory(directory)
    reload_units(host, state.instance)
