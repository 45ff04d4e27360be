# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two halves of a transaction with the options that tests rarely vary."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils._instance import system_instance
from ansible_collections.bulwark.docker.plugins.module_utils._tls_dropin import TlsListener
from ansible_collections.bulwark.docker.plugins.module_utils._transaction import (
    CommitRequest,
    Outcome,
    SettingsRequest,
    apply_settings,
    commit,
)
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.memory_host import File, MemoryHost

LEASE = 60.0
PATIENCE = 20.0
OWNER = "daemon_baseline"
TLS_DIRECTORY = "/etc/docker/tls"


def apply(host: MemoryHost, wanted: Mapping[str, Any] | None, run_id: str = "", **more: Any) -> Outcome:
    """Write settings of an owner; None takes them out."""
    request = SettingsRequest(
        owner=OWNER,
        present=wanted is not None,
        wanted=wanted or {},
        override=False,
        allow_container_stop=False,
        allow_plaintext_api=False,
        run_id=run_id,
        lease=LEASE,
        patience=PATIENCE,
        check_mode=False,
    )
    return apply_settings(host, system_instance(), request._replace(**more))


def bring_into_force(host: MemoryHost, run_id: str = "", **more: Any) -> Outcome:
    """Commit."""
    request = CommitRequest(
        allow_container_stop=False,
        allow_plaintext_api=False,
        run_id=run_id,
        lease=LEASE,
        patience=PATIENCE,
        deadline=30.0,
        check_mode=False,
    )
    return commit(host, system_instance(), request._replace(**more))


def harden(host: MemoryHost, wanted: Mapping[str, Any] | None, allow_container_stop: bool = False) -> Outcome:
    """A whole run: write, and commit where that is asked for."""
    written = apply(host, wanted, allow_container_stop=allow_container_stop)
    if not written.commit_required:
        return written
    return bring_into_force(host, written.run_id, allow_container_stop=allow_container_stop)


def configured(host: MemoryHost) -> dict[str, Any]:
    """Content of daemon.json."""
    return json.loads((host.config() or b"{}").decode("utf-8-sig"))


def pem(text: str) -> bytes:
    """Something that looks like a PEM certificate."""
    body = base64.b64encode(text.encode()).decode()
    return f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n".encode()


def material(host: MemoryHost, generation: str = "one", **more: Any) -> TlsListener:
    """Put certificate files on the host; the listener that names them."""
    folder = f"{TLS_DIRECTORY}/{generation}"
    for name in ("ca", "cert"):
        host.files[f"{folder}/{name}.pem"] = File(pem(generation))
    host.files[f"{folder}/key.pem"] = File(b"-----BEGIN PRIVATE KEY-----\n")
    for directory in (TLS_DIRECTORY, folder):
        host.directories.setdefault(directory, host.clock)
    made = TlsListener(("127.0.0.1",), 2376, f"{folder}/ca.pem", f"{folder}/cert.pem", f"{folder}/key.pem", True)
    return made._replace(**more)


def listen(host: MemoryHost, listener: TlsListener | None, **more: Any) -> Outcome:
    """A whole run of the role daemon_tls; None takes the listener away."""
    plaintext = {name: more[name] for name in ("allow_plaintext_api",) if name in more}
    written = apply(host, None if listener is None else {}, owner="daemon_tls", listener=listener, **more)
    return bring_into_force(host, written.run_id, **plaintext) if written.commit_required else written
