# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trying a profile: what counts as proof, what is refused, and that nothing stays."""

from __future__ import annotations

import json

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils import _seccomp_program
from ansible_collections.bulwark.docker.plugins.module_utils._errors import EngineError, RefusedError
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_profile import (
    compose_profile,
    parse_profile,
    profile_text,
)
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_trial import try_profiles
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.seccomp_host import FREE, SeccompHost
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.test__probe_runner import refuse

RAW = profile_text(compose_profile({"base": "hardened"}, "26.1.5"))


def trial(host: SeccompHost, raw: bytes = RAW) -> list[str]:
    """Try a profile, and see that nothing is left whatever comes of it."""
    profile = parse_profile(raw).profile
    assert profile is not None
    try:
        return try_profiles(host, "/run/docker.sock", "abc123", {"a.json": (raw, profile)})["a.json"]
    finally:
        assert (host.trial.containers, host.trial.images) == ({}, {})


def test_refused_calls_are_seen_by_comparison() -> None:
    host = SeccompHost()
    seen = trial(host)
    assert {"keyctl", "clone3", "unshare"} <= set(seen)
    assert not {"read", "close"} & set(seen)
    assert host.trial.profiles == ["unconfined", RAW.decode()]


def test_a_call_that_fails_alike_without_a_filter_shows_nothing() -> None:
    host = SeccompHost()
    host.trial.free["keyctl"] = [0, -1, 1]
    assert "keyctl" not in trial(host)


def test_a_filter_that_is_not_there_is_noticed() -> None:
    host = SeccompHost()
    host.trial.filtered = dict(FREE)
    with pytest.raises(
        RefusedError, match=r"keyctl is declared to give EPERM, and gave EINVAL.*everything was left as it is"
    ):
        trial(host)


def test_another_error_than_the_declared_one_is_noticed() -> None:
    host = SeccompHost()
    host.trial.filtered["clone3"] = [0, -1, 1]
    with pytest.raises(RefusedError, match="clone3 is declared to give ENOSYS, and gave EPERM"):
        trial(host)


def test_an_allowed_call_that_does_not_get_through_is_noticed() -> None:
    host = SeccompHost()
    host.trial.filtered["read"] = [31, None, 0]
    with pytest.raises(RefusedError, match=r"read is allowed, and gave signal 31 \(without a filter EBADF\)"):
        trial(host)


def test_calls_newer_than_all_named_ones_may_be_unknown() -> None:
    host = SeccompHost()
    host.trial.filtered["keyctl"] = [0, -1, 38]
    assert "keyctl" in trial(host)


def test_a_profile_that_kills() -> None:
    host = SeccompHost()
    profile = json.loads(RAW)
    del profile["defaultErrnoRet"]
    profile["defaultAction"] = "SCMP_ACT_KILL_PROCESS"
    killed = {call: [31, None, 0] for call in host.trial.filtered if call not in ("read", "close", "clone3")}
    host.trial.filtered.update(killed)
    assert set(killed) <= set(trial(host, json.dumps(profile).encode()))


def test_nothing_to_see() -> None:
    host = SeccompHost()
    host.trial.filtered = dict(FREE)
    with pytest.raises(RefusedError, match="it refuses none of the calls that could show it"):
        trial(host, b'{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []}')


def test_no_container_starts() -> None:
    host = SeccompHost()
    host.trial.output = "cannot open shared object file"
    with pytest.raises(RefusedError, match=r"no container runs under it: Python does not run.*'cannot open shared"):
        trial(host)
    host = SeccompHost()
    host.trial.failing["filtered1/start"] = refuse(500, "OCI runtime create failed")
    with pytest.raises(RefusedError, match=r"no container runs under it: .*OCI runtime create failed"):
        trial(host)
    host = SeccompHost()
    host.trial.ends = False
    with pytest.raises(EngineError, match="the container did not end within 60 s"):
        trial(host)


def test_hosts_on_which_it_cannot_be_tried() -> None:
    host = SeccompHost()
    host.trial.info["Architecture"] = "vax"
    with pytest.raises(
        EngineError, match="the numbers of system calls on 'vax' are not known here; set probe to false"
    ):
        trial(host)


def test_the_program_makes_real_calls(capsys: pytest.CaptureFixture[str]) -> None:
    getpid_with_bad_number = [[99_999, [0] * 6]]
    assert _seccomp_program.main(["program", json.dumps(getpid_with_bad_number)]) == 0
    assert json.loads(capsys.readouterr().out) == [[0, -1, 38]]
