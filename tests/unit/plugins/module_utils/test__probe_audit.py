# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit probes' program: it touches nothing of substance, and finds its own traces only."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils import _probe_program as program
from ansible_collections.bulwark.docker.plugins.module_utils._probe import PROBES

SYSCALL = "type=SYSCALL msg=audit({time}:7): arch=c000003e syscall=90 success=yes key={key}\x1dARCH=x86_64\n"
PATH = 'type=PATH msg=audit({time}:7): item=0 name="{path}" inode=1 nametype=NORMAL\x1dOUID="root"\n'


def log(path: str = "/etc/subuid", key: str = '"docker-subids"', time: float = 1000.5) -> str:
    return SYSCALL.format(time=time, key=key) + PATH.format(time=time, path=path)


def test_own_event_is_found() -> None:
    assert program.audit_key(log(), "/etc/subuid", 1000.0) == "docker-subids"


@pytest.mark.parametrize(
    "text",
    ["", log(path="/etc/subuid2"), log(time=900.0), log(key="(null)"), "----\ntype=DAEMON_START msg=audit(bad\n"],
)
def test_event_of_something_else_is_not_taken_for_it(text: str) -> None:
    assert program.audit_key(text, "/etc/subuid", 1000.0) == ""


def test_touching_leaves_everything_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x", encoding="ascii")
    file.chmod(0o640)
    assert program.leave_mark([str(tmp_path / "none"), str(file)], "attributes") == str(file)
    assert file.stat().st_mode & 0o7777 == 0o640
    assert os.path.dirname(program.leave_mark([str(tmp_path)], "write")) == str(tmp_path)
    assert program.leave_mark([str(tmp_path / "missing")], "write") == str(tmp_path / "missing")
    assert program.leave_mark(["/bin/true"], "run") == os.path.realpath("/bin/true")
    assert sorted(os.listdir(tmp_path)) == ["file"]


def test_what_is_absent_cannot_be_touched(tmp_path: Path) -> None:
    with pytest.raises(program.NothingToAttack, match="none of"):
        program.leave_mark([str(tmp_path / "none")], "attributes")


@pytest.fixture
def real_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program.os, "readlink", lambda _path: program.FIRST_PID_NAMESPACE)
    monkeypatch.setattr(program, "AUDIT_SECONDS", 0.0)


def test_container_has_nothing_to_attack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(program.os, "readlink", lambda _path: "pid:[4026532794]")
    with pytest.raises(program.NothingToAttack, match="container"):
        program.audit_unseen([str(tmp_path)], "write")


@pytest.mark.usefixtures("real_host")
def test_touch_that_the_log_knows_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    known = log(path=str(file), time=4102444800.5).encode()
    monkeypatch.setattr(program, "AUSEARCH", ("/bin/true",))
    monkeypatch.setattr(program, "_run_program", lambda *argv: (0, known))
    gained, detail = program.audit_unseen([str(file)], "attributes")
    assert (gained, detail) == (False, f"attributes: {file}: recorded with key docker-subids")
    monkeypatch.setattr(program, "_run_program", lambda *argv: (1, b"<no matches>\n"))
    assert program.audit_unseen([str(file)], "attributes")[0] is True


@pytest.mark.usefixtures("real_host")
def test_host_without_audit_tools_sees_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(program, "AUSEARCH", (str(tmp_path / "none"),))
    assert program.audit_unseen([str(tmp_path)], "write")[0] is True


def test_registry_has_audit_probes_with_a_remedy_of_the_role() -> None:
    mine = [probe for probe in PROBES if probe.role == "auditd"]
    assert len(mine) >= 5
    assert {probe.variable for probe in mine} == {"auditd_state", "auditd_executions"}
