# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Laws of the transaction under any history of runs, kills, failing starts and restarts by somebody else."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.docker.plugins.module_utils._errors import EngineError
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.memory_host import (
    STATE_PATH,
    TLS_DROP_IN,
    Killed,
    MemoryHost,
)
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.transaction_steps import (
    LEASE,
    apply,
    bring_into_force,
    configured,
    material,
)

ORIGINALS = (
    None,
    b"",
    b"{}",
    b'{"debug": true}\n',
    b'\xef\xbb\xbf{\r\n  "labels": ["a=b"],\r\n  "log-level": "warn"\r\n}\r\n',
    b'{"mtu":1400,"no-new-privileges":true,"live-restore":true}',
)
WANTED = {
    "icc": st.booleans(),
    "no-new-privileges": st.just(True),
    "live-restore": st.booleans(),
    "log-level": st.sampled_from(["warn", "error"]),
    "userland-proxy": st.booleans(),
}
BASELINE = st.fixed_dictionaries({}, optional=WANTED)
REMAP = st.fixed_dictionaries({}, optional={"userns-remap": st.sampled_from(["1000:1000", "2000:2000"])})
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["daemon_baseline", "userns_remap", "daemon_tls"]),
        st.one_of(st.none(), BASELINE),
        st.one_of(st.none(), REMAP),
        st.one_of(st.none(), st.integers(1, 12)),
        st.sampled_from(["commit", "no commit", "restart by hand"]),
        st.booleans(),
    ),
    min_size=1,
    max_size=5,
)


def _run(host: MemoryHost, owner: str, wanted: dict[str, Any] | None, end: str) -> None:
    more: dict[str, Any] = {}
    if owner == "daemon_tls" and wanted is not None:
        # Any of the values that were drawn decides about the generation of the certificates.
        more["listener"], wanted = material(host, "two" if wanted else "one"), {}
    written = apply(host, wanted, owner=owner, override=True, allow_container_stop=True, **more)
    if end == "restart by hand":
        host.clock += 1
        host.engine.failures = 0
        host.engine.restart()
    if end != "no commit" and written.commit_required:
        bring_into_force(host, written.run_id, allow_container_stop=True)


@given(original=st.sampled_from(ORIGINALS), steps=STEPS, containers=st.integers(0, 2))
def test_any_history_ends_at_the_original(original: bytes | None, steps: list[Any], containers: int) -> None:
    host = MemoryHost(original)
    for generation in ("one", "two"):
        material(host, generation)
    names = [f"c{number}" for number in range(containers)]
    for name in names:
        host.engine.add_container(name)
    for owner, baseline, remap, kill_after, end, fails in steps:
        before = host.config()
        host.mutations.clear()
        host.kill_after = kill_after
        bad = {"log-level": "error"} if fails else {"nothing": None}
        host.engine.fatal = lambda data, bad=bad: "refused" if bad.items() <= data.items() else ""
        with contextlib.suppress(Killed, EngineError):
            _run(host, owner, remap if owner == "userns_remap" else baseline, end)
        host.kill_after = None
        host.clock += 2 * LEASE
        assert host.config() == before or isinstance(configured(host), dict)
        assert host.locks_held == 0
        assert all(port.verify and port.certificate for port in host.tcp)
    host.engine.fatal = lambda data: ""
    host.clock += 3600  # the news for runs that died are dropped
    for owner in ("daemon_baseline", "userns_remap", "daemon_tls"):
        _run(host, owner, None, "commit")
        host.clock += 2 * LEASE
    assert host.config() == original
    assert STATE_PATH not in host.files
    assert TLS_DROP_IN not in host.files
    assert host.tcp == []
    assert host.engine.running
    assert host.engine.loaded == configured(host)
    host.mutations.clear()
    for owner in ("daemon_baseline", "userns_remap", "daemon_tls"):
        _run(host, owner, None, "commit")
    assert host.mutations == []


@given(original=st.sampled_from(ORIGINALS), wanted=BASELINE)
def test_check_mode_foretells_the_run(original: bytes | None, wanted: dict[str, Any]) -> None:
    host = MemoryHost(original)
    foretold = apply(host, wanted, override=True, check_mode=True)
    assert host.mutations == []
    done = apply(host, wanted, override=True)
    assert foretold._replace(run_id="") == done._replace(run_id="")
    assert done.after.encode() == (host.config() or b"") or "\N{ZERO WIDTH NO-BREAK SPACE}" in done.after
    if done.commit_required:
        bring_into_force(host, done.run_id)
    again = apply(host, wanted, override=True)
    assert (again.changed, again.commit_required) == (False, False)
    assert json.loads((host.config() or b"{}").decode("utf-8-sig") or "{}") == host.engine.loaded
