# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The attacks on the host's root: what is granted, what is refused, and what is neither."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils import _probe_program as program


def fail_with(number: int) -> Callable[..., Any]:
    """A function that fails as the kernel does."""

    def fail(*_arguments: Any, **_more: Any) -> Any:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.fixture
def bait(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("token", encoding="ascii")
    return path


def test_file_of_this_run_is_read(bait: Path) -> None:
    assert program.read_token(str(bait), "token")[0] is True
    with pytest.raises(RuntimeError, match="not the file of this run"):
        program.read_token(str(bait), "another")
    with pytest.raises(FileNotFoundError):
        program.read_token(str(bait) + "x", "token")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_denial_is_a_refusal_and_other_errors_are_none(
    number: int, bait: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(bait.parent)
    attacks: list[tuple[Any, str, Callable[[], tuple[bool, str]]]] = [
        (program, "open", lambda: program.read_token(str(bait), "token")),
        (program.os, "open", lambda: program.plant_file(folder)),
        (program.os, "mknod", lambda: program.make_node(folder, True)),
    ]
    for owner, name, attack in attacks:
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, fail_with(number), raising=False)
            gained, detail = attack()
            assert (gained, errno.errorcode[number] in detail) == (False, True)
            patch.setattr(owner, name, fail_with(errno.EIO), raising=False)
            with pytest.raises(OSError, match=os.strerror(errno.EIO)):
                attack()


def test_planted_file_and_node_are_removed(tmp_path: Path) -> None:
    gained, detail = program.plant_file(str(tmp_path))
    assert gained
    assert f"belongs to uid {os.getuid()}" in detail
    assert program.make_node(str(tmp_path), False)[0]
    assert list(tmp_path.iterdir()) == []


def test_setting_keeps_its_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setting = tmp_path / "panic"
    setting.write_text("7\n", encoding="ascii")
    assert program.rewrite_setting(str(setting))[0]
    assert setting.read_text(encoding="ascii") == "7\n"
    real = open

    def read_only(path: str, mode: str = "r", **more: Any) -> Any:
        if "w" in mode:
            raise PermissionError(errno.EACCES, "no")
        return real(path, mode, **more)

    monkeypatch.setattr(program, "open", read_only, raising=False)
    assert program.rewrite_setting(str(setting))[0] is False


@pytest.mark.parametrize(
    ("text", "gained"),
    [("0 0 4294967295\n", True), ("0 1000 1\n1 100000 65536\n", False), ("0 100000 65536\n", False)],
)
def test_root_is_somebody_outside(text: str, gained: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "map").write_text(text, encoding="ascii")
    real = open
    monkeypatch.setattr(program, "open", lambda _path, **more: real(tmp_path / "map", **more), raising=False)
    assert program.host_root()[0] is gained
    (tmp_path / "map").write_text("5 5 1\n", encoding="ascii")
    with pytest.raises(RuntimeError, match="nobody here"):
        program.host_root()
