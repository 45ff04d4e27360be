# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seccomp probes' program: what counts as refused, as reached, and as neither."""

from __future__ import annotations

import errno
import os
import signal

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils import _probe_program as program
from ansible_collections.bulwark.docker.plugins.module_utils._probe import PROBES, RELAXED, SUBJECT

EINVAL = [errno.EINVAL]


@pytest.mark.parametrize(
    ("ended", "gained", "words"),
    [
        ((0, 3, 0), True, "f = 3"),
        ((0, -1, errno.EINVAL), True, "EINVAL (Invalid argument): the kernel looked at it"),
        ((0, -1, errno.EPERM), False, "f = -1 EPERM"),
        ((0, -1, errno.ENOSYS), False, "f = -1 ENOSYS"),
        ((0, -1, errno.EACCES), False, "f = -1 EACCES"),
        ((program.SIGSYS, -1, 0), False, "killed by SIGSYS"),
    ],
)
def test_answers_of_filter_and_kernel_are_told_apart(ended: tuple[int, int, int], gained: bool, words: str) -> None:
    found = program.judge_call("f", *ended, EINVAL)
    assert found[0] is gained
    assert words in found[1]


@pytest.mark.parametrize("ended", [(0, -1, errno.EFAULT), (signal.SIGSEGV, -1, 0)])
def test_an_answer_of_neither_is_no_verdict(ended: tuple[int, int, int]) -> None:
    with pytest.raises(RuntimeError, match="f"):
        program.judge_call("f", *ended, EINVAL)


def fail() -> int:
    raise OSError(errno.EXDEV, "")


def die() -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def test_calls_are_made_in_a_process_of_their_own() -> None:
    assert program.in_a_child(os.getpid) != (0, os.getpid(), 0)
    assert program.in_a_child(fail) == (0, -1, errno.EXDEV)
    assert program.in_a_child(die) == (signal.SIGKILL, -1, 0)


def test_real_call_reaches_the_kernel_of_this_machine() -> None:
    # A socket of no family at all: whatever filter this test runs under lets it through.
    gained, said = program.filtered_call("socket", [1, 99, 0], [errno.EINVAL, errno.ESOCKTNOSUPPORT])
    assert gained is True
    assert said.startswith("socket(1, 99, 0) = -1")


def test_kernel_that_has_no_io_uring_for_anybody_has_nothing_to_attack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "read_setting", lambda _path: "2")
    with pytest.raises(program.NothingToAttack, match="io_uring_disabled"):
        program.filtered_call("io_uring_setup", [1, ""])


def test_machines_whose_numbers_are_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program.platform, "machine", lambda: "vax")
    with pytest.raises(program.NothingToAttack, match="vax"):
        program.filtered_call("ptrace", [0])
    with pytest.raises(program.NothingToAttack, match="vax"):
        program.old_architecture_socket(1, 99, [])


def test_every_probe_makes_the_same_call_without_any_filter() -> None:
    mine = [probe for probe in PROBES if probe.role == "seccomp"]
    assert len(mine) >= 8
    for probe in mine:
        assert (probe.attempt.place, [control.place for control in probe.controls]) == (SUBJECT, [RELAXED])
        assert probe.controls[0] == probe.attempt._replace(place=RELAXED)
        assert probe.relax == ("seccomp=unconfined", "apparmor=unconfined")
        assert (
            probe.attempt.name == "old_architecture_socket" or probe.attempt.arguments["name"] in program.FILTERED_CALLS
        )
