# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the layers of the test suite, cheap ones first and two at a time, and count what they proved.

    python3 tests/run/run.py test | test-fast | demo | molecule [SCENARIO...] | LAYER...

Each layer is a list of commands. Pytest and ansible-test report their counts through the file
named by BULWARK_TALLY; any other command is one test. A layer that counts zero tests has failed.
A layer that runs alone prints as it goes; of several, each prints when it is done.
Whatever happens (failure, Ctrl-C, SIGTERM), the hosts of this run are taken down,
the summary is printed and the last line is "N passed, N failed".
Standard library only: it runs under the user's Python, the layers under the pinned environments.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO

from environments import ROOT, VenvError, environments_for

HOSTS = ROOT / "tests/hosts/hosts.py"
MOLECULE_GLOB = "molecule/*/molecule.yml"
STATIC_LAYERS = ("lint", "unit", "contract", "report", "ansible-lint", "sanity", "docs-lint", "artefact")
# On containers too, but with more cases than five minutes hold.
LONG_SCENARIOS = (
    "antivirus_exclusions",
    "daemon_tls",
    "daemon_tls_watched",
    "engine",
    "rootless",
    "seccomp",
    "userns_remap",
)
MINUTES = 60.0
STATIC_LIMIT = 30 * MINUTES
HOSTS_LIMIT = 45 * MINUTES
GRACE_SECONDS = 20.0
# Layers at a time; one with several machines takes the place of two.
PLACES = 2
PROGRESS_SECONDS = 60.0
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Layer:
    """One named step of the suite: commands that run in order in one environment."""

    name: str
    commands: tuple[tuple[str, ...], ...]
    environment: Path
    tallied: bool = False
    uses_hosts: bool = False
    limit: float = STATIC_LIMIT
    places: int = 1


@dataclass(frozen=True)
class Outcome:
    """What one layer came to; ``note`` says why when it is not plain from the counts."""

    name: str
    passed: int
    failed: int
    seconds: float
    note: str = ""


class Stopped(Exception):
    """A signal asked the run to end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def tracked_files(*patterns: str) -> list[str]:
    """Return the files of the checkout, tracked or about to be, that match git's path patterns."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return [name for name in os.fsdecode(done.stdout).split("\0") if name and (ROOT / name).is_file()]


def static_layer(name: str, environment: Path) -> Layer:
    """Return one of the layers that need no test host."""
    title = f"{name} ({environment.name})"
    if name == "lint":
        sources = tracked_files("*.py")
        scripts = tracked_files("*.sh", ".ci/run")
        commands: tuple[tuple[str, ...], ...] = (
            ("ruff", "check", *sources),
            ("ruff", "format", "--check", *sources),
            ("yamllint", "--strict", *tracked_files("*.yml", "*.yaml", ".yamllint", ".ansible-lint")),
            ("shellcheck", *scripts),
            ("mypy",),
        )
        return Layer(title, commands, environment)
    if name == "unit":
        return Layer(title, (("pytest", "tests/unit"),), environment, tallied=True)
    if name == "contract":
        return Layer(title, (("pytest", "tests/contract"),), environment, tallied=True)
    if name == "report":
        return Layer(title, (("pytest", "tests/report"),), environment, tallied=True)
    if name == "ansible-lint":
        return Layer(title, (("ansible-lint", "--offline", "--nocolor"),), environment)
    if name == "artefact":
        return Layer(title, (("pytest", "tests/artefact"),), environment, tallied=True)
    if name == "sanity":
        return Layer(title, (("python", "tests/run/sanity.py"),), environment, tallied=True)
    return Layer(
        title,
        (
            ("antsibull-docs", "lint-collection-docs", "--plugin-docs", "--skip-rstcheck", "."),
            ("antsibull-changelog", "lint"),
        ),
        environment,
    )


def scenario_layer(name: str, environment: Path) -> Layer:
    """Return the layer of one Molecule scenario."""
    return Layer(
        f"molecule {name}",
        (("molecule", "test", "--scenario-name", name),),
        environment,
        tallied=True,
        uses_hosts=True,
        limit=HOSTS_LIMIT,
        places=PLACES if count_hosts(name, "machine") > 1 else 1,
    )


def count_hosts(scenario: str, tier: str) -> int:
    """Return how many hosts of a tier, "machine" or "container", a scenario names; a tier's group counts as three."""
    text = (ROOT / "molecule" / scenario / "molecule.yml").read_text(encoding="utf-8")
    words = re.findall(r"[\w.-]+", "\n".join(line.split("#")[0] for line in text.splitlines()))
    hosts = [word for word in words if re.fullmatch(rf"[a-z0-9]+-{tier}(\.\d+)?", word)]
    return len(hosts) + 3 * words.count(f"{tier}s")


def scenarios(fast: bool = False) -> list[str]:
    """Return the scenarios' names, containers alone first, then more hosts first; fast leaves out the long ones."""

    def rank(name: str) -> tuple[bool, int, str]:
        machines = count_hosts(name, "machine")
        return machines > 0, -machines - count_hosts(name, "container"), name

    names = [path.parent.name for path in ROOT.glob(MOLECULE_GLOB)]
    short = [name for name in names if not (count_hosts(name, "machine") or name in LONG_SCENARIOS)]
    return sorted(short if fast else names, key=rank)


def base_environment() -> dict[str, str]:
    """Return the process environment for all layers, free of the user's own Ansible settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANSIBLE_", "MOLECULE_", "PYTEST_")) and name not in ("PYTHONPATH", "PYTHONHOME")
    }
    kept.update(
        ANSIBLE_INJECT_FACT_VARS="false",
        BULWARK_OWNER_PID=str(os.getpid()),
        MOLECULE_GLOB=MOLECULE_GLOB,
        PYTHONPATH=str(ROOT / "tests/run/tally"),
        PYTHONUNBUFFERED="1",
    )
    # ansible-core refuses to start under a locale that is not UTF-8.
    if "utf" not in (kept.get("LC_ALL") or kept.get("LC_CTYPE") or kept.get("LANG") or "").lower():
        kept["LC_ALL"] = "C.UTF-8"
    if not sys.stdout.isatty():
        kept.update(ANSIBLE_NOCOLOR="1", NO_COLOR="1", PY_COLORS="0")
    return kept


class Runner:
    """Runs layers and ends what it started."""

    def __init__(self) -> None:
        self.environ = base_environment()
        self.outcomes: list[Outcome] = []
        self.own = tempfile.TemporaryDirectory(prefix="bulwark-", ignore_cleanup_errors=True)
        self.environ["ANSIBLE_HOME"] = f"{self.own.name}/ansible"
        self.started = time.monotonic()
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        # Held while a command starts, so that whoever ends all commands knows each of them.
        self._start_lock = threading.Lock()
        self._numbers = 0
        self._stopping = False
        self._programs_are_there = False

    def run_all(self, layers: Sequence[Layer]) -> None:
        """Run layers in their order, as many at a time as there are places for."""
        waiting = list(layers)
        if len(waiting) == 1:
            self.run(waiting[0])
            return
        running: dict[Future[Outcome], tuple[Layer, float]] = {}
        with ThreadPoolExecutor(PLACES) as pool:
            try:
                while waiting or running:
                    free = PLACES - sum(layer.places for layer, _since in running.values())
                    chosen = next((layer for layer in waiting if layer.places <= free), None)
                    if chosen:
                        waiting.remove(chosen)
                        running[pool.submit(self._run_quietly, chosen)] = (chosen, time.monotonic())
                        continue
                    done = wait(running, PROGRESS_SECONDS, FIRST_COMPLETED).done
                    for future in done:
                        del running[future]
                        future.result()
                    if not done:
                        self._print_progress(list(running.values()))
            except BaseException:
                with self._start_lock:
                    self._stopping = True
                for process in list(self._processes):
                    end_group(process)
                raise

    def _run_quietly(self, layer: Layer) -> Outcome:
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
            print(f"[{self.elapsed()}] begins: {layer.name}", flush=True)
            outcome = self.run(layer, log)
            log.seek(0)
            # In one piece, since another layer may end at the same time.
            sys.stdout.write(log.read())
            sys.stdout.flush()
        return outcome

    def _print_progress(self, running: Sequence[tuple[Layer, float]]) -> None:
        parts = [f"{layer.name} since {time.monotonic() - since:.0f} s" for layer, since in running]
        print(f"[{self.elapsed()}] running: {', '.join(parts)}", flush=True)

    def run(self, layer: Layer, log: IO[str] | None = None) -> Outcome:
        """Run one layer and remember its outcome; what it prints goes to the log, where one is given."""
        banner(f"{layer.name}  [{self.elapsed()}]", log)
        started = time.monotonic()
        environ = self.environment_of(layer)
        try:
            with tempfile.TemporaryDirectory() as scratch:
                tally = Path(scratch) / "tally"
                environ["BULWARK_TALLY"] = str(tally)
                statuses = [self._call(layer, command, environ, started, log) for command in layer.commands]
                passed, failed = read_tally(tally)
        finally:
            if layer.uses_hosts:
                self._take_down(layer, environ, log)
        bad = sum(status != 0 for status in statuses)
        if not layer.tallied:
            passed, failed = len(statuses) - bad, bad
        note = ""
        if bad and not failed:
            failed, note = bad, "a command failed outside of its tests"
        if not passed and not failed:
            failed, note = 1, "counted no test"
        outcome = Outcome(layer.name, passed, failed, time.monotonic() - started, note)
        self.outcomes.append(outcome)
        return outcome

    def environment_of(self, layer: Layer) -> dict[str, str]:
        """Return the process environment of a layer.

        It has hosts of its own. Ansible names a connection's socket after the host alone: with one folder for all, two
        runs, or two layers, could talk to each other's hosts.
        """
        with self._lock:
            self._numbers += 1
            own = f"{self.own.name}/{self._numbers}"
        binaries = layer.environment / "bin"
        environ = {
            **self.environ,
            "ANSIBLE_SSH_CONTROL_PATH_DIR": f"{own}c",
            "BULWARK_RUN": own,
            "PATH": f"{binaries}{os.pathsep}{self.environ.get('PATH', os.defpath)}",
            "PYTEST_ADDOPTS": "-p pytest_tally",
            "VIRTUAL_ENV": str(layer.environment),
        }
        if layer.uses_hosts:
            with self._lock:
                if not self._programs_are_there:
                    subprocess.run([sys.executable, str(HOSTS), "deps"], cwd=ROOT, env=environ, check=True)
                    self._programs_are_there = True
            command = [sys.executable, str(HOSTS), "ssh-config"]
            done = subprocess.run(command, cwd=ROOT, env=environ, check=True, stdout=subprocess.PIPE)
            environ["BULWARK_SSH_CONFIG"] = done.stdout.decode().strip()
        return environ

    def _call(
        self, layer: Layer, command: Sequence[str], environ: dict[str, str], started: float, log: IO[str] | None
    ) -> int:
        """Run one command of a layer within the layer's time limit and return its status."""
        binaries = layer.environment / "bin"
        words = [str(binaries / command[0]) if (binaries / command[0]).exists() else command[0], *command[1:]]
        shown = " ".join(command)
        print(f"$ {shown if len(shown) < 160 else shown[:150] + ' …'}", file=log, flush=True)
        error = subprocess.STDOUT if log else None
        with self._start_lock:
            if self._stopping:
                return 1
            process = subprocess.Popen(words, cwd=ROOT, env=environ, stdout=log, stderr=error, start_new_session=True)
            self._processes.add(process)
        try:
            return process.wait(timeout=max(1.0, layer.limit - (time.monotonic() - started)))
        except subprocess.TimeoutExpired:
            print(f"run: {layer.name}: not done after {layer.limit / MINUTES:.0f} minutes; ended", file=log, flush=True)
            return 124
        finally:
            end_group(process)
            self._processes.discard(process)

    def _take_down(self, layer: Layer, environ: dict[str, str], log: IO[str] | None) -> None:
        command = [sys.executable, str(HOSTS), "down", "--all"]
        done = subprocess.run(command, cwd=ROOT, env=environ, check=False, stdout=log, stderr=subprocess.STDOUT)
        if done.returncode:
            note = f"hosts.py ended with {done.returncode}"
            self.outcomes.append(Outcome(f"hosts of {layer.name}", 0, 1, 0.0, note))

    def finish(self, summary: bool) -> int:
        """Print the summary where one is wanted and return the exit status."""
        ignore_signals()
        self.own.cleanup()
        passed = sum(outcome.passed for outcome in self.outcomes)
        failed = sum(outcome.failed for outcome in self.outcomes)
        if summary or failed:
            self.print_summary()
            print(f"{passed} passed, {failed} failed", flush=True)
        return 1 if failed or not passed else 0

    def print_summary(self) -> None:
        """Print one line for each layer."""
        banner(f"summary  [{self.elapsed()}]")
        width = max((len(outcome.name) for outcome in self.outcomes), default=0)
        for outcome in self.outcomes:
            word = "FAILED" if outcome.failed else "ok"
            counts = f"{outcome.passed:>6} passed {outcome.failed:>4} failed"
            print(f"{word:<7} {outcome.name:<{width}} {outcome.seconds:>7.1f} s {counts}  {outcome.note}".rstrip())

    def elapsed(self) -> str:
        """Return the time since the start as m:ss."""
        minutes, seconds = divmod(int(time.monotonic() - self.started), 60)
        return f"{minutes}:{seconds:02d}"


def banner(text: str, log: IO[str] | None = None) -> None:
    """Print a line that stands out in a long log."""
    print(f"\n=== {text} {'=' * max(3, 90 - len(text))}", file=log, flush=True)


def read_tally(path: Path) -> tuple[int, int]:
    """Return the sums of all counts that a layer wrote; a layer that wrote none counted none."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    counts = [json.loads(line) for line in lines]
    return sum(count["passed"] for count in counts), sum(count["failed"] for count in counts)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a command together with what it started; does nothing when all of it has ended."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(timeout=GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def plan(what: str, names: Sequence[str], environments: Sequence[Path]) -> list[Layer]:
    """Return the layers for one request, in the order in which they run."""
    first = environments[0]
    if what == "demo":
        return [Layer("demo", (("python", "tests/run/demo.py"),), first, uses_hosts=True, limit=HOSTS_LIMIT)]
    if what == "molecule":
        unknown = sorted(set(names) - set(scenarios()))
        if unknown:
            raise VenvError(f"molecule {unknown[0]}: there is no molecule/{unknown[0]}/molecule.yml")
        return [scenario_layer(name, first) for name in names or scenarios()]
    if what not in ("test", "test-fast"):
        return [static_layer(what, environment) for environment in environments]
    layers = []
    for name in STATIC_LAYERS:
        # The page is the same whichever Python wrote it.
        twice = name != "report" and (what == "test" or name in ("lint", "unit", "contract"))
        layers += [static_layer(name, environment) for environment in (environments if twice else [first])]
    return layers + [scenario_layer(name, first) for name in scenarios(fast=what == "test-fast")]


def ignore_signals() -> None:
    """Let nothing cut short what ends the run."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)


def stop(number: int, _frame: FrameType | None) -> None:
    """Turn the first signal into an exception."""
    ignore_signals()
    raise Stopped(number)


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the test suite or parts of it.")
    parser.add_argument("what", choices=("test", "test-fast", "demo", "molecule", *STATIC_LAYERS))
    parser.add_argument("names", nargs="*", help="scenarios, for molecule")
    arguments = parser.parse_args()
    for number in STOPPING:
        signal.signal(number, stop)
    runner = Runner()
    try:
        environments = environments_for(sys.executable, second=arguments.what not in ("demo", "molecule"))
        runner.run_all(plan(arguments.what, arguments.names, environments))
    except Stopped as stopped:
        runner.outcomes.append(Outcome("run", 0, 1, 0.0, f"stopped by {stopped}"))
    except (VenvError, subprocess.CalledProcessError, OSError) as error:
        runner.outcomes.append(Outcome("run", 0, 1, 0.0, str(error)))
    return runner.finish(summary=arguments.what != "demo")


if __name__ == "__main__":
    sys.exit(main())
