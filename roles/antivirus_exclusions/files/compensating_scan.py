# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scan the data of a Docker engine that other scanners leave out, and bring the engine back whatever happens.

    compensating_scan.py scan | resume | check | alarm UNIT

scan    stops the engine (if asked to), scans, starts the engine and its containers again, writes the result.
        Exit status: 0 clean, 1 something was found, 2 the scan failed, 3 the engine did not come back.
resume  brings back what an interrupted scan has stopped; nothing to do is fine.
check   ends with 1 when no scan has succeeded for too long.
alarm   tells the administrator's hook that a unit has failed.

Standard library only, Python 3.8 or newer.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

SETTINGS = "/etc/bulwark-docker/compensating-scan.json"
CLEAN, FOUND, FAILED, NOT_BACK = range(4)
COMMAND_SECONDS = 300
HOOK_SECONDS = 60
LOCK_SECONDS = 180
DAY = 86400
MOST_FINDINGS = 1000
FINDING = re.compile(r"^(?P<path>.+): (?P<name>\S.*) FOUND$")


class ScanError(Exception):
    """The scan, or the way back, did not work; the text says why and what to do."""


class Connection(http.client.HTTPConnection):
    """HTTP over the engine's Unix socket."""

    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def say(level, text):
    """Write a line for the journal; level 3 is an error, 6 a note (see sd-daemon(3))."""
    print(f"<{level}>{text}", file=sys.stderr, flush=True)


def now():
    """Seconds since the epoch."""
    return int(time.time())


def write_json(path, value):
    """Replace a file so that a loss of power leaves the old or the new one; OSError when the disk is full."""
    temporary = path + ".new"
    try:
        with open(temporary, "w", encoding="utf-8") as stream:
            json.dump(value, stream, indent=1, sort_keys=True)
            stream.write("\n")
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_json(path):
    """The content of a file as a dictionary, an empty one when it is missing or damaged."""
    try:
        with open(path, encoding="utf-8") as stream:
            value = json.load(stream)
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


class Scan:
    """One host's scan, as its settings describe it."""

    def __init__(self, settings):
        self.settings = settings
        self.marker = os.path.join(settings["state_directory"], "engine-stopped.json")
        self.result = os.path.join(settings["state_directory"], "result.json")
        self.installed = os.path.join(settings["state_directory"], "installed")

    # -- systemd and the engine

    def systemctl(self, *words):
        """Run systemctl; ScanError with its own words when it fails."""
        done = subprocess.run(
            ["systemctl", *words], capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )
        if done.returncode != 0:
            raise ScanError(f"systemctl {' '.join(words)}: {done.stderr.strip() or done.returncode}")

    def active(self, unit):
        """Whether a unit runs."""
        done = subprocess.run(["systemctl", "is-active", unit], capture_output=True, text=True, check=False)
        return done.stdout.strip() in ("active", "activating", "reloading")

    def ask(self, method, path, timeout=30):
        """One request to the engine: status and decoded body."""
        connection = Connection(self.settings["api_socket"], timeout)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as exc:
            raise ScanError(f"the engine does not answer {method} {path}: {exc}") from exc
        finally:
            connection.close()
        try:
            return answer.status, json.loads(body.decode("utf-8", "replace")) if body else None
        except ValueError:
            return answer.status, body.decode("utf-8", "replace")

    def running(self):
        """Ids of the running containers in the order of their start, oldest first."""
        status, found = self.ask("GET", "/containers/json")
        if status != 200:
            raise ScanError(f"the engine does not list its containers: {found}")
        return [entry["Id"] for entry in sorted(found, key=lambda entry: entry.get("Created", 0))]

    # -- stopping and bringing back

    def stop(self):
        """Stop a running engine, after having written down what to bring back; an engine at rest is left at rest."""
        units = [
            unit for unit in (self.settings["service"], self.settings["socket_unit"]) if unit and self.active(unit)
        ]
        if self.settings["service"] not in units:
            return False
        try:
            write_json(self.marker, {"units": units, "containers": self.running(), "stopped": now()})
        except OSError as exc:
            raise ScanError(f"cannot note what to bring back, so the engine is not stopped: {exc}") from exc
        self.systemctl("stop", *reversed(units))
        return True

    def resume(self):
        """Bring back what the marker names; the ids of containers that would not start."""
        if not os.path.exists(self.marker):
            return []
        # A damaged marker still says that an engine was stopped.
        wanted = read_json(self.marker)
        units = wanted.get("units") or [self.settings["service"]]
        with contextlib.suppress(ScanError):
            self.systemctl("reset-failed", *units)
        self.systemctl("start", *reversed(units))
        self.wait()
        left = [name for name in wanted.get("containers") or [] if not self.bring_back(name)]
        os.unlink(self.marker)
        return left

    def wait(self):
        """Wait until the engine answers."""
        deadline = time.monotonic() + self.settings["start_deadline"]
        while True:
            try:
                if self.ask("GET", "/_ping", timeout=5)[0] == 200:
                    return
                problem = "it answers, but not yet"
            except ScanError as exc:
                problem = str(exc)
            if time.monotonic() > deadline:
                raise ScanError(f"the engine was started, but does not answer: {problem}")
            time.sleep(0.5)

    def bring_back(self, name):
        """Start a container that ran before; False when it will not start. One that is gone removed itself."""
        try:
            status, answer = self.ask("POST", f"/containers/{name}/start", timeout=COMMAND_SECONDS)
        except ScanError as exc:
            status, answer = 0, str(exc)
        if status in (204, 304, 404):
            return True
        say(3, f"container {name[:12]} ran before the scan and does not start: {answer}")
        return False

    # -- scanning

    def paths(self):
        """The directories to scan: those of the settings, and the data-root of the engine that runs now."""
        found = list(self.settings["paths"])
        if self.active(self.settings["service"]):
            status, info = self.ask("GET", "/info")
            root = info.get("DockerRootDir") if status == 200 else None
            if root and not any((root + "/").startswith(path + "/") for path in found):
                found.append(root)
        return [path for path in found if os.path.isdir(path)]

    def commands(self, paths):
        """The command lines of the scanner: one for each path where it names the path, else one for all of them."""
        command = self.settings["command"]
        if any("{path}" in word for word in command):
            return [[word.replace("{path}", path) for word in command] for path in paths]
        return [[*command, *paths]]

    def run_scanner(self, argv, seconds):
        """Run one command line: its exit status and output. ScanError when it takes too long."""
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            output = process.communicate(timeout=max(seconds, 1))[0]
        except subprocess.TimeoutExpired as exc:
            raise ScanError(f"the scanner took longer than {self.settings['timeout']} s: {' '.join(argv)}") from exc
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return process.returncode, output

    def examine(self, paths):
        """Scan the paths: verdict (clean, infected, failed), findings, and the scanner's last words."""
        deadline = time.monotonic() + self.settings["timeout"]
        findings, worst, words = [], CLEAN, []
        for argv in self.commands(paths):
            status, output = self.run_scanner(argv, deadline - time.monotonic())
            lines = output.splitlines()
            found = [match.groupdict() for match in map(FINDING.match, lines) if match]
            findings += found
            words = lines[-5:]
            outcome = {0: FOUND if found else CLEAN, 1: FOUND}.get(status, FAILED)
            worst = max(worst, outcome)
            for entry in found[:MOST_FINDINGS]:
                say(3, f"found {entry['name']} in {entry['path']}")
        return worst, findings, words

    def scan(self):
        """The whole scan; returns the exit status."""
        self.resume()  # what an earlier one has left behind
        report = {"started": now(), "engine_stopped": False, "findings": [], "problem": ""}
        outcome = FAILED
        try:
            report["paths"] = paths = self.paths()
            if not paths:
                raise ScanError(f"none of {', '.join(self.settings['paths'])} exists")
            if self.settings["mode"] == "stop":
                report["engine_stopped"] = self.stop()
            outcome, findings, words = self.examine(paths)
            report["findings"] = findings[:MOST_FINDINGS]
            if outcome == FAILED:
                report["problem"] = "the scanner failed: " + (" / ".join(words) or "without a word")
        except (ScanError, OSError, subprocess.SubprocessError) as exc:
            report["problem"] = str(exc)
        try:
            left = self.resume()
            if left:
                report["problem"] = f"containers that do not start again: {', '.join(left)}"
                outcome = NOT_BACK
        except (ScanError, OSError, subprocess.SubprocessError) as exc:
            report["problem"] = f"the engine is not back: {exc}"
            outcome = NOT_BACK
        return self.keep(report, outcome)

    def keep(self, report, outcome):
        """Write the result; returns the exit status."""
        report["ended"] = now()
        report["verdict"] = ("clean", "infected", "failed", "failed")[outcome]
        previous = read_json(self.result).get("last_success")
        report["last_success"] = report["ended"] if outcome in (CLEAN, FOUND) else previous
        try:
            write_json(self.result, report)
        except OSError as exc:
            say(3, f"the result cannot be written: {exc}; free space in {self.settings['state_directory']}")
            outcome = max(outcome, FAILED)
        if report["problem"]:
            say(3, report["problem"])
        say(6, f"verdict {report['verdict']}, {len(report['findings'])} finding(s)")
        return outcome

    # -- watching over it

    def check(self):
        """Complain when no scan has succeeded for too long; returns the exit status."""
        last = read_json(self.result).get("last_success")
        if not last:
            try:
                last = os.stat(self.installed).st_mtime
            except OSError:
                last = 0
        age = (now() - last) / DAY
        if age > self.settings["max_age_days"]:
            say(3, f"no scan has succeeded for {age:.1f} days, the limit is {self.settings['max_age_days']}")
            return 1
        return 0

    def alarm(self, unit):
        """Tell the journal and the administrator's hook that a unit has failed; returns the exit status."""
        result = read_json(self.result)
        verdict = result.get("verdict", "unknown")
        text = f"{unit} failed; the last result is {verdict}. {result.get('problem', '')}".strip()
        say(3, text)
        hook = self.settings["alarm_command"]
        if not hook:
            return 0
        message = json.dumps({"unit": unit, "message": text, "result": result}, sort_keys=True)
        environment = {**os.environ, "BULWARK_UNIT": unit, "BULWARK_VERDICT": verdict, "BULWARK_RESULT": self.result}
        done = subprocess.run(hook, input=message, text=True, env=environment, timeout=HOOK_SECONDS, check=False)
        return 0 if done.returncode == 0 else 1


@contextlib.contextmanager
def lock(path, seconds):
    """Hold the lock that the collection's roles hold while they change the engine; yields whether it was free."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + seconds
    held = False
    try:
        while not held and time.monotonic() < deadline:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held = True
            except BlockingIOError:
                time.sleep(0.5)
        yield held
    finally:
        os.close(handle)


def main(argv=None):
    """Run one of the commands; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--settings", default=SETTINGS)
    parser.add_argument("command", choices=("scan", "resume", "check", "alarm"))
    parser.add_argument("unit", nargs="?", default="")
    options = parser.parse_args(argv)
    with open(options.settings, encoding="utf-8") as stream:
        scan = Scan(json.load(stream))
    if options.command == "alarm":
        return scan.alarm(options.unit)
    if options.command == "check":
        return scan.check()
    with lock(scan.settings["lock"], LOCK_SECONDS) as held:
        try:
            if options.command == "resume":
                # Nobody may be waited for any longer: the engine has to run.
                return NOT_BACK if scan.resume() else 0
            if not held:
                raise ScanError("another run has been changing this engine for minutes; nothing was scanned")
            return scan.scan()
        except (ScanError, OSError, subprocess.SubprocessError) as exc:
            say(3, str(exc))
            return NOT_BACK if options.command == "resume" else FAILED


if __name__ == "__main__":
    sys.exit(main())
