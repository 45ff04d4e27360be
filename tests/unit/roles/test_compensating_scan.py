# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that scans, with stand-ins for systemctl, the engine and the scanner."""

from __future__ import annotations

import importlib.util
import json
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PROGRAM = Path(__file__).resolve().parents[3] / "roles/antivirus_exclusions/files/compensating_scan.py"


def load_program() -> ModuleType:
    """The program as a module."""
    found = importlib.util.spec_from_file_location("compensating_scan", PROGRAM)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


program = load_program()


@pytest.fixture
def scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A scan of tmp_path/data whose engine lives in memory."""
    (tmp_path / "data").mkdir()
    (tmp_path / "state").mkdir()
    settings = {
        "state_directory": str(tmp_path / "state"),
        "service": "docker.service",
        "socket_unit": "docker.socket",
        "api_socket": "/nowhere",
        "paths": [str(tmp_path / "data")],
        "command": ["true"],
        "timeout": 5,
        "start_deadline": 1,
        "mode": "stop",
        "max_age_days": 3,
        "alarm_command": [],
        "lock": str(tmp_path / "lock"),
    }
    made = program.Scan(settings)
    made.up = {"docker.service", "docker.socket"}
    made.asked = []

    def systemctl(verb: str, *units: str) -> None:
        made.asked.append((verb, *units))
        made.up = made.up - set(units) if verb == "stop" else made.up | set(units) if verb == "start" else made.up

    def ask(method: str, path: str, timeout: int = 30) -> tuple[int, Any]:
        made.asked.append((method, path))
        if "docker.service" not in made.up:
            raise program.ScanError("nothing answers")
        if path == "/containers/json":
            return 200, [{"Id": "new", "Created": 2}, {"Id": "old", "Created": 1}]
        return (200, {"DockerRootDir": str(tmp_path / "data")}) if method == "GET" else (204, None)

    monkeypatch.setattr(made, "systemctl", systemctl)
    monkeypatch.setattr(made, "active", lambda unit: unit in made.up)
    monkeypatch.setattr(made, "ask", ask)
    return made


def result(scan: Any) -> dict[str, Any]:
    """The result file."""
    return json.loads(Path(scan.result).read_text("utf-8"))


@pytest.mark.parametrize(
    ("command", "status", "verdict"),
    [
        (["true"], program.CLEAN, "clean"),
        (["sh", "-c", "echo '/a: Evil.Thing FOUND'; exit 1", "x"], program.FOUND, "infected"),
        (["sh", "-c", "echo '/a: Evil.Thing FOUND'", "x"], program.FOUND, "infected"),
        (["sh", "-c", "exit 2", "x"], program.FAILED, "failed"),
        (["sh", "-c", "kill -KILL $$", "x"], program.FAILED, "failed"),
        (["/no/such/program"], program.FAILED, "failed"),
    ],
)
def test_engine_comes_back_after_each_outcome(scan: Any, command: list[str], status: int, verdict: str) -> None:
    scan.settings["command"] = command
    assert scan.scan() == status
    found = result(scan)
    assert (found["verdict"], found["engine_stopped"]) == (verdict, True)
    assert bool(found["last_success"]) is (status in (program.CLEAN, program.FOUND))
    assert scan.up == {"docker.service", "docker.socket"}
    assert not Path(scan.marker).exists()
    # The socket goes first, or it would start the engine again; containers come back oldest first.
    assert ("stop", "docker.socket", "docker.service") in scan.asked
    starts = [path for verb, path in (entry[:2] for entry in scan.asked) if verb == "POST"]
    assert starts == ["/containers/old/start", "/containers/new/start"]


def test_hanging_scanner_is_ended(scan: Any) -> None:
    scan.settings.update(command=["sh", "-c", "sleep 60", "x"], timeout=1)
    began = time.monotonic()
    assert scan.scan() == program.FAILED
    assert time.monotonic() - began < 20
    assert "took longer" in result(scan)["problem"]


def test_engine_at_rest_stays_at_rest(scan: Any) -> None:
    scan.up = set()
    assert scan.scan() == program.CLEAN
    assert scan.up == set()
    assert result(scan)["engine_stopped"] is False


def test_nothing_is_stopped_when_the_mark_cannot_be_written(scan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: str, value: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(program, "write_json", full)
    assert scan.scan() == program.FAILED
    assert not [entry for entry in scan.asked if entry[0] == "stop"]


def test_engine_that_does_not_answer_keeps_the_mark(scan: Any) -> None:
    def deaf(method: str, path: str, timeout: int = 30) -> tuple[int, Any]:
        raise program.ScanError("nothing answers")

    Path(scan.marker).write_text("{}", "utf-8")
    scan.ask = deaf
    with pytest.raises(program.ScanError, match="does not answer"):
        scan.resume()
    assert Path(scan.marker).exists()


def test_damaged_mark_still_starts_the_engine(scan: Any) -> None:
    scan.up = set()
    Path(scan.marker).write_text("{", "utf-8")
    assert scan.resume() == []
    assert "docker.service" in scan.up


def test_command_with_a_place_runs_for_each_path(scan: Any) -> None:
    scan.settings["command"] = ["x", "--path={path}"]
    assert scan.commands(["/a", "/b"]) == [["x", "--path=/a"], ["x", "--path=/b"]]


def test_failed_scan_does_not_count_as_a_success(scan: Any) -> None:
    assert scan.scan() == program.CLEAN
    first = result(scan)["last_success"]
    scan.settings["command"] = ["sh", "-c", "exit 2", "x"]
    scan.scan()
    assert result(scan)["last_success"] == first


@pytest.mark.parametrize(("days", "status"), [(2, 0), (4, 1)])
def test_check_complains_after_its_limit(scan: Any, days: int, status: int) -> None:
    Path(scan.result).write_text(json.dumps({"last_success": time.time() - days * 86400}), "utf-8")
    assert scan.check() == status


def test_check_complains_when_nothing_is_there(scan: Any) -> None:
    assert scan.check() == 1
    Path(scan.installed).touch()
    assert scan.check() == 0


def test_alarm_reaches_the_hook(scan: Any, tmp_path: Path) -> None:
    scan.settings["alarm_command"] = ["sh", "-c", f"cat > {tmp_path}/heard; test $BULWARK_UNIT = a.service"]
    assert scan.alarm("a.service") == 0
    assert json.loads((tmp_path / "heard").read_text("utf-8"))["unit"] == "a.service"
    scan.settings["alarm_command"] = ["false"]
    assert scan.alarm("a.service") == 1


def test_scan_that_meets_another_run_fails_and_touches_nothing(scan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "LOCK_SECONDS", 0.2)
    monkeypatch.setattr(program, "Scan", lambda settings: scan)
    settings = Path(scan.settings["state_directory"]) / "settings"
    settings.write_text("{}", "utf-8")
    with program.lock(scan.settings["lock"], 1) as held:
        assert held
        assert program.main(["--settings", str(settings), "scan"]) == program.FAILED
    assert scan.asked == []
