# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Try to brick the engine of this host, case by case.

    python3 corpus.py [--only PATTERN]... [--every-follow-up] [--list]

Runs as root on a disposable host with systemd and docker. Prints one JSON line a case (id, title, generation, ok,
problems, checks, seconds), progress on stderr, and ends with status 1 when a case failed or none ran.
After each case the engine answers, daemon.json is the old bytes or new ones that dockerd accepts, a failure named cause
and remedy, nothing is left behind; then the cause is mended, the next run converges, and removal gives back the file.
"""

from __future__ import annotations

import argparse
import fnmatch
import functools
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any

import lab
from corpus_scripts import SCRIPTS
from corpus_table import SMALL, TABLE, Row
from lab import FileFacts, Lab, Result
from verdict import Verdict

FOLLOWED: set[tuple[Any, ...]] = set()


def cases(version: tuple[int, ...]) -> dict[str, str]:
    """The cases of an engine of that version by id: "alike" when one generation shows it for all, else "each"."""
    rows = {row.id: "alike" if row.alike else "each" for row in TABLE if row.since <= version < row.until}
    return rows | {script.id: "each" for script in SCRIPTS if script.since <= version < script.until}


def run_row(row: Row, every_follow_up: bool, verdict: Verdict) -> None:
    """One row of the table.

    A refused run leaves everything as it was, so what follows depends on the mended host alone: it is gone through
    once for each such host, or each time with every_follow_up.
    """
    found = _set_up(row)
    pid = lab.main_pid()
    alive = lab.answers()
    verdict.check(alive != row.down, f"the set-up leaves the engine {'up' if alive else 'down'}")
    result = lab.present(row.wanted, **row.options)
    if row.ends == "taken back":
        verdict.worked(result, "present")
        result = lab.commit(run_id=result.answer.get("run_id", ""))
    if row.ends != "converged":
        _refused(row, verdict, result, found, pid)
        lab.shell(row.repair or "true")
        _mend(row)
        original = lab.facts(row.path)
        wanted = row.wanted if row.config is not None or row.files or row.disturb else SMALL
        options: Mapping[str, Any] = {}
        host = (original, row.path, row.down, row.disturb, str(row.files), str(wanted))
        if host in FOLLOWED and not every_follow_up:
            forecast = lab.present(wanted, _ansible_check_mode=True)
            verdict.worked(forecast, "the forecast of the next run")
            verdict.check(forecast.answer.get("changed") is True, f"the next run changes nothing: {forecast.answer}")
            return
        FOLLOWED.add(host)
    else:
        _warned(row, verdict, result)
        original, wanted, options = found, row.wanted, row.options
    verdict.good_run(wanted, row.path, options)
    verdict.given_back(original, row.path, options)
    if row.ends == "converged" and row.repair:
        lab.shell(row.repair)


def _starts_engine(row: Row) -> bool:
    """Whether the set-up starts the engine anew."""
    return row.down or (row.loaded and bool(row.files or row.config is not None or row.prepare))


def _set_up(row: Row) -> FileFacts:
    lab.shell(row.prepare or "true")
    for path, text in row.files:
        lab.write(path, text)
    if row.config is not None:
        lab.write(row.path, row.config, row.mode, row.uid, row.gid)
    if row.down:
        lab.shell("systemctl reset-failed docker.service; systemctl restart docker.service", check=False)
        lab.wait_until(lambda: lab.show("docker.service", "ActiveState")["ActiveState"] == "failed", 30.0)
    elif _starts_engine(row):
        if any(path.startswith(lab.SOCKET_DROP_INS) for path, _text in row.files):
            lab.restart_socket()
        lab.start_engine()
    lab.shell(row.disturb or "true")
    return lab.facts(row.path)


def _refused(row: Row, verdict: Verdict, result: Result, found: FileFacts, pid: int) -> None:
    verdict.refusal(result, row.says)
    verdict.check(lab.facts(row.path) == found, "a refused run changed daemon.json")
    verdict.check(lab.answers() != row.down, "a refused run changed whether the engine answers")
    verdict.check(row.down or lab.main_pid() == pid, "a refused run restarted the engine")
    record = any(path == lab.RECORD for path, _text in row.files)
    verdict.check(record or not os.path.exists(lab.RECORD), "a refused run left a record")
    verdict.check(not lab.leftovers(), f"a refused run left {lab.leftovers()}")


def _mend(row: Row) -> None:
    for path, _text in row.files:
        if path == lab.DEFAULTS:
            lab.write(path, "")
        else:
            os.unlink(path)
    if any(path.startswith(lab.SOCKET_DROP_INS) for path, _text in row.files):
        lab.restart_socket()
        lab.start_engine()
    if any(path.startswith("/etc/systemd") for path, _text in row.files):
        lab.shell("systemctl daemon-reload")
    if row.cured is not None:
        lab.write(row.path, row.cured, row.mode, row.uid, row.gid)
    elif row.config is not None:
        os.unlink(row.path)


def _warned(row: Row, verdict: Verdict, result: Result) -> None:
    warnings = " ".join(str(text) for text in result.answer.get("warnings") or [])
    for text in row.warns:
        verdict.check(text in warnings, f"no warning names {text!r}: {warnings!r}")


def run_case(host: Lab, fresh: bool, body: Callable[[Verdict], None]) -> tuple[list[str], int]:
    """Problems and number of checks of one case, on a host that is virgin before it."""
    verdict = Verdict()
    try:
        host.reset(fresh)
        body(verdict)
        verdict.check(not lab.leftovers(), f"left behind: {lab.leftovers()}")
    except Exception:
        verdict.check(False, traceback.format_exc(limit=-4))
    if verdict.checks == 0:
        verdict.problems.append("the case checked nothing")
    return verdict.problems, verdict.checks


def main() -> int:
    """Run the chosen cases; 0 when all are as they have to be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", help="shell pattern of case ids; may be repeated")
    parser.add_argument("--every-follow-up", action="store_true", help="follow each refused run to its end")
    parser.add_argument("--list", action="store_true", help="print the cases for this engine: id, alike or each")
    options = parser.parse_args()
    version = lab.version()
    patterns = options.only or ["*"]
    found = cases(version)
    wanted = [name for name in found if any(fnmatch.fnmatchcase(name, text) for text in patterns)]
    if options.list:
        print("\n".join(f"{name}\t{found[name]}" for name in wanted))
        return 0
    bodies: dict[str, tuple[str, bool, Callable[[Verdict], None]]] = {}
    for row in TABLE:
        bodies[row.id] = (row.title, not _starts_engine(row), functools.partial(run_row, row, options.every_follow_up))
    for script in SCRIPTS:
        bodies[script.id] = (script.title, False, script.body)
    if len(bodies) != len(TABLE) + len(SCRIPTS):
        raise SystemExit("corpus: two cases have the same id")
    host = Lab()
    failed = 0
    for number, name in enumerate(wanted, 1):
        title, fresh, body = bodies[name]
        started = time.monotonic()
        problems, checks = run_case(host, fresh, body)
        seconds = round(time.monotonic() - started, 1)
        failed += bool(problems)
        line = {
            "id": name,
            "title": title,
            "generation": ".".join(str(part) for part in version),
            "ok": not problems,
            "problems": problems,
            "checks": checks,
            "seconds": seconds,
        }
        print(json.dumps(line), flush=True)
        state = "ok" if not problems else "FAILED"
        print(f"{number}/{len(wanted)} {name}: {state}, {checks} checks, {seconds} s", file=sys.stderr, flush=True)
    host.reset(fresh=True)
    return 1 if failed or not wanted else 0


if __name__ == "__main__":
    sys.exit(main())
