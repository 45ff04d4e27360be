# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hostile program does with the ids that a container's root has on the host."""

from __future__ import annotations

import builtins
import os
import stat
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils import _probe_program as program


def refuse(*_arguments: Any, **_more: Any) -> Any:
    """What the kernel says to a stranger."""
    raise PermissionError(13, "Permission denied")


def test_append_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert program.append_file(str(tmp_path / "made"))[0] is True
    assert program.append_file(str(tmp_path / "made"))[0] is True
    assert (tmp_path / "made").read_text() == "changed\nchanged\n"
    with pytest.raises(FileNotFoundError):
        program.append_file(str(tmp_path / "no/made"))
    monkeypatch.setattr(builtins, "open", refuse)
    assert program.append_file("/x") == (False, "/x: EACCES (Permission denied)")


def test_left_program_is_complete_and_set_uid(tmp_path: Path) -> None:
    (tmp_path / "id").write_text("#!/bin/sh\necho 0\n")
    assert program.leave_setuid(str(tmp_path / "id"), str(tmp_path / "left"))[0] is True
    assert stat.S_IMODE((tmp_path / "left").stat().st_mode) == 0o4755
    assert (tmp_path / "left").read_text() == (tmp_path / "id").read_text()
    assert sorted(os.listdir(tmp_path)) == ["id", "left"]


@pytest.mark.parametrize(
    ("script", "gained"), [("echo 0", True), ("echo 231072", False), ("exit 1", False), ("echo who", False)]
)
def test_run_setuid_believes_a_zero_only(script: str, gained: bool, tmp_path: Path) -> None:
    left = tmp_path / "left"

    def later() -> None:
        time.sleep(0.2)
        (tmp_path / "new").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "new").chmod(0o755)
        (tmp_path / "new").rename(left)

    thread = threading.Thread(target=later)
    thread.start()
    assert program.run_setuid(str(left), 5)[0] is gained
    thread.join()


def test_program_that_nobody_left_is_a_failure_not_a_refusal(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="did not appear"):
        program.run_setuid(str(tmp_path / "left"), 0.1)
