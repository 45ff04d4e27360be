# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The AppArmor probes' program: a refusal is told from a success, and everything else is an error."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils import _probe_program as program
from ansible_collections.bulwark.docker.plugins.module_utils._apparmor_tables import SHIPPED
from ansible_collections.bulwark.docker.plugins.module_utils._probe import CONFINING, PROBES


def refuse(code: int) -> None:
    raise OSError(code, os.strerror(code))


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM])
def test_refusal_is_told_with_the_profile(code: int) -> None:
    gained, said = program.permitted("socket", lambda: refuse(code))
    assert gained is False
    assert said.startswith("socket, ")
    assert errno.errorcode[code] in said


@pytest.mark.parametrize("code", [errno.EROFS, errno.ENOENT, errno.EAFNOSUPPORT])
def test_any_other_error_is_no_refusal(code: int) -> None:
    with pytest.raises(OSError, match=os.strerror(code)):
        program.permitted("socket", lambda: refuse(code))


def test_success_leaves_nothing_behind(tmp_path: Path) -> None:
    assert program.write_into(str(tmp_path))[0] is True
    assert program.open_socket(socket.AF_INET, socket.SOCK_STREAM, 0)[0] is True
    assert program.read_environment()[0] is True
    assert list(tmp_path.iterdir()) == []


def test_tool_that_runs_is_told_from_one_that_cannot_be_started(tmp_path: Path) -> None:
    shell = ["/nowhere/sh", "/bin/sh"]
    assert program.run_tool(shell, ["-c", "echo it runs"], "it runs")[0] is True
    locked = tmp_path / "tool"
    locked.write_text("", encoding="ascii")
    assert program.run_tool([str(locked)], [], "x")[0] is False
    with pytest.raises(RuntimeError, match="status 3"):
        program.run_tool(shell, ["-c", "exit 3"], "it runs")
    with pytest.raises(program.NothingToAttack, match="none of /nowhere/sh"):
        program.run_tool(["/nowhere/sh"], [], "x")


def test_probes_ask_for_profiles_that_are_shipped_and_compare_with_none() -> None:
    probes = [probe for probe in PROBES if probe.role == "apparmor"]
    assert len(probes) >= 8
    assert set(CONFINING.values()) <= set(SHIPPED)
    for probe in probes:
        assert probe.attempt.place in CONFINING
        assert probe.attempt.name in program.ACTIONS
        assert [control.name for control in probe.controls] == [probe.attempt.name]
        assert probe.relax == ("apparmor=unconfined",)
