# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner counts honestly, ends what it starts, and always takes the hosts down."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

RUNNER_DIRECTORY = Path(__file__).resolve().parents[2] / "run"
sys.path.insert(0, str(RUNNER_DIRECTORY))

import environments  # noqa: E402
import run  # noqa: E402

COUNTS = """
import pytest

def test_good(): pass
def test_bad(): assert 0
@pytest.mark.{off}("a reason")
def test_off(): pass
@pytest.mark.{expected}
def test_expected(): assert 0
@pytest.fixture
def broken(): raise ValueError
def test_broken(broken): pass
@pytest.fixture
def dirty():
    yield
    raise ValueError
def test_dirty(dirty): pass
"""


def layer(*commands: str, **options: Any) -> run.Layer:
    """Return a layer of Python one-liners."""
    return run.Layer("example", tuple((sys.executable, "-c", text) for text in commands), Path(sys.prefix), **options)


def tally(passed: int, failed: int) -> str:
    """Return a one-liner that reports counts as pytest and ansible-test do."""
    line = json.dumps({"passed": passed, "failed": failed})
    return f"import os; print({line!r}, file=open(os.environ['BULWARK_TALLY'], 'a'))"


def result(*commands: str, **options: Any) -> tuple[int, int]:
    """Run a layer and return what it came to."""
    outcome = run.Runner().run(layer(*commands, **options))
    return outcome.passed, outcome.failed


def fake_hosts(directory: Path) -> tuple[Path, Path]:
    """Return (a stand-in for hosts.py, the file in which it notes its calls)."""
    calls = directory / "calls"
    script = directory / "hosts.py"
    script.write_text(f"import sys; print(' '.join(sys.argv[1:]), file=open({str(calls)!r}, 'a')); print('/x/ssh')\n")
    return script, calls


def gone(pid: int) -> bool:
    """Tell whether a process has ended, waiting a little for it."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.1)
    return False


def test_counts_of_all_sessions_of_a_layer_add_up() -> None:
    assert result(tally(2, 0), tally(3, 0), tallied=True) == (5, 0)


def test_layer_without_any_test_has_failed() -> None:
    assert result("pass", tallied=True) == (0, 1)
    assert result(tally(0, 0), tallied=True) == (0, 1)


def test_failure_outside_of_the_tests_counts() -> None:
    assert result(tally(4, 0), "raise SystemExit(3)", tallied=True) == (4, 1)


def test_failed_tests_are_not_counted_twice() -> None:
    assert result(tally(4, 2) + "; raise SystemExit(1)", tallied=True) == (4, 2)


def test_plain_commands_count_one_each() -> None:
    assert result("pass", "raise SystemExit(1)", "pass") == (2, 1)


def test_layer_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    child = (
        "import subprocess; child = subprocess.Popen(['sleep', '60'])\n"
        f"print(child.pid, file=open({str(note)!r}, 'w'))\n"
        "child.wait()"
    )
    assert result(child, limit=2.0) == (0, 1)
    assert gone(int(note.read_text()))


@pytest.mark.parametrize("copies", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_takes_the_hosts_down_and_ends_the_layer(tmp_path: Path, number: int, copies: int) -> None:
    script, calls = fake_hosts(tmp_path)
    note = tmp_path / "pid"
    program = (
        "import pathlib, sys, run\n"
        f"run.HOSTS = pathlib.Path({str(script)!r})\n"
        "run.environments_for = lambda *a, **k: []\n"
        f"sleep = \"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(60)\"\n"
        "layer = run.Layer('long', ((sys.executable, '-c', sleep),), pathlib.Path(sys.prefix), uses_hosts=True)\n"
        f"run.plan = lambda *a: [layer] * {copies}\n"
        "sys.exit(run.main())\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(RUNNER_DIRECTORY)}
    process = subprocess.Popen(
        [sys.executable, "-c", program, "unit"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while not (note.exists() and note.read_text()):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 1
    assert output.splitlines()[-1].startswith("0 passed, ")
    assert f"stopped by {signal.Signals(number).name}" in output
    noted = calls.read_text().splitlines()
    assert noted[:2] == ["deps", "ssh-config"]
    assert noted.count("down --all") == noted.count("ssh-config") == copies
    assert gone(int(note.read_text()))


def test_failure_of_a_layer_does_not_leave_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, calls = fake_hosts(tmp_path)
    monkeypatch.setattr(run, "HOSTS", script)
    monkeypatch.setattr(run, "ignore_signals", lambda: None)
    runner = run.Runner()
    runner.run(layer("import os; raise SystemExit(os.environ['BULWARK_SSH_CONFIG'] == '/x/ssh')", uses_hosts=True))
    assert runner.finish(summary=True) == 1
    assert calls.read_text().splitlines()[-1] == "down --all"


def test_neither_two_runs_nor_two_layers_share_hosts_and_connections() -> None:
    first, second = run.Runner(), run.Runner()
    assert first.environ["ANSIBLE_HOME"] != second.environ["ANSIBLE_HOME"]
    environs = [runner.environment_of(layer("pass")) for runner in (first, first, second)]
    for name in ("ANSIBLE_SSH_CONTROL_PATH_DIR", "BULWARK_RUN"):
        assert len({environ[name] for environ in environs}) == 3


def test_two_layers_run_at_a_time_and_a_big_one_alone(capfd: pytest.CaptureFixture[str]) -> None:
    def waits(name: str, **options: Any) -> run.Layer:
        program = f"import time; print('{name} begins', flush=True); time.sleep(0.5); print('{name} ends')"
        return run.Layer(name, ((sys.executable, "-c", program),), Path(sys.prefix), **options)

    runner = run.Runner()
    began = time.monotonic()
    runner.run_all([waits("one"), waits("big", places=run.PLACES), waits("two"), waits("three")])
    assert time.monotonic() - began >= 1.5
    assert sum(outcome.passed for outcome in runner.outcomes) == 4
    shown = [line for line in capfd.readouterr().out.splitlines() if line.endswith((" begins", " ends"))]
    assert sorted(shown[::2]) == ["big begins", "one begins", "three begins", "two begins"]
    assert [line.replace(" begins", " ends") for line in shown[::2]] == shown[1::2]


def test_what_prints_nothing_for_long_is_named(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "PROGRESS_SECONDS", 0.2)
    runner = run.Runner()
    runner.run_all([layer("import time; time.sleep(1)"), layer("pass")])
    assert "running: example since" in capfd.readouterr().out


def test_failure_among_others_is_counted() -> None:
    runner = run.Runner()
    runner.run_all([layer("pass"), layer("raise SystemExit(1)"), layer("pass")])
    assert sorted((outcome.passed, outcome.failed) for outcome in runner.outcomes) == [(0, 1), (1, 0), (1, 0)]


def test_run_without_hosts_leaves_other_hosts_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, calls = fake_hosts(tmp_path)
    monkeypatch.setattr(run, "HOSTS", script)
    monkeypatch.setattr(run, "ignore_signals", lambda: None)
    runner = run.Runner()
    runner.run(layer("pass"))
    assert runner.finish(summary=True) == 0
    assert not calls.exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hosts: debian13-machine", 1),
        ("hosts: [debian12-container, testing-machine.2, debian12-machine]", 2),
        ("hosts: machines", 3),
        ("hosts: debian12-container,debian13-machine", 1),
        ("hosts: debian13-container", 0),
        ("# not on debian13-machine\nhosts: containers", 0),
        ("name: a-machine-like-thing", 0),
    ],
)
def test_scenario_on_machines_is_told_from_one_on_containers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: int
) -> None:
    (tmp_path / "molecule/x").mkdir(parents=True)
    (tmp_path / "molecule/x/molecule.yml").write_text(text)
    monkeypatch.setattr(run, "ROOT", tmp_path)
    assert run.count_hosts("x", "machine") == expected
    assert run.scenario_layer("x", Path("py311")).places == min(max(expected, 1), 2)
    assert run.scenarios() == ["x"]
    assert run.scenarios(fast=True) == ([] if expected else ["x"])


def test_cheap_layers_come_first() -> None:
    layers = run.plan("test", [], [Path("py311"), Path("py313")])
    names = [entry.name for entry in layers]
    assert names[:4] == ["lint (py311)", "lint (py313)", "unit (py311)", "unit (py313)"]
    hosts = [entry.uses_hosts for entry in layers]
    assert hosts == sorted(hosts)


def test_users_own_ansible_settings_do_not_reach_the_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_ROLES_PATH", "/x")
    monkeypatch.setenv("LC_ALL", "C")
    environ = run.base_environment()
    assert "ANSIBLE_ROLES_PATH" not in environ
    assert environ["LC_ALL"] == "C.UTF-8"
    assert environ["BULWARK_OWNER_PID"] == str(os.getpid())


def test_tally_counts_what_proved_nothing_as_failed(tmp_path: Path) -> None:
    source = COUNTS.replace("{off}", "sk" + "ip").replace("{expected}", "xf" + "ail")
    (tmp_path / "test_counts.py").write_text(source)
    (tmp_path / "test_unreadable.py").write_text("import nothing_of_that_name")
    note = tmp_path / "tally"
    environ = {**os.environ, "PYTHONPATH": str(RUNNER_DIRECTORY / "tally"), "BULWARK_TALLY": str(note)}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-c",
        os.devnull,
        "-p",
        "pytest_tally",
        "--continue-on-collection-errors",
    ]
    subprocess.run([*command, str(tmp_path)], env=environ, cwd=tmp_path, capture_output=True, check=False)
    assert run.read_tally(note) == (1, 6)


@pytest.mark.parametrize(("version", "name"), [((3, 11), "py311.txt"), ((3, 12), "py312.txt"), ((3, 13), "py312.txt")])
def test_requirements_follow_the_python(version: tuple[int, int], name: str) -> None:
    assert environments.requirements_for(version).name == name


@pytest.mark.parametrize("version", [(3, 10), (3, 15)])
def test_python_without_pins_is_refused_with_advice(version: tuple[int, int]) -> None:
    with pytest.raises(environments.VenvError, match=r"make PYTHON=python3\.13"):
        environments.requirements_for(version)


@pytest.mark.parametrize(
    ("first", "found", "expected"),
    [
        ((3, 11), {"a": None, "b": (3, 11), "c": (3, 13), "d": (3, 12)}, "c"),
        ((3, 13), {"c": (3, 12), "b": (3, 11)}, "b"),
        ((3, 11), {"b": (3, 11)}, None),
    ],
)
def test_second_python_has_the_other_ansible(
    monkeypatch: pytest.MonkeyPatch, first: tuple[int, int], found: dict[str, Any], expected: str | None
) -> None:
    known = {name: version and environments.Interpreter(name, version) for name, version in found.items()}
    monkeypatch.setattr(environments, "interpreters", lambda: iter(found))
    monkeypatch.setattr(environments, "examine", known.get)
    assert environments.second_python(first) == known.get(expected)


def test_interpreter_is_known_by_itself_not_by_the_way_to_it(tmp_path: Path) -> None:
    shim = tmp_path / "python3"
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    shim.chmod(0o755)
    direct = environments.examine(sys.executable)
    assert direct
    assert environments.examine(str(shim)) == direct
    assert not direct.path.startswith(sys.prefix + os.sep)
    assert environments.examine(str(tmp_path / "nothing")) is None
