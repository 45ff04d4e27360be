# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pytest plugin that adds this session's counts to the file named by BULWARK_TALLY.

One JSON line for each session, so that several sessions of one layer (Molecule runs pytest once
for each verify step) add up. A test that was skipped or expected to fail counts as failed: it
proved nothing.
"""

from __future__ import annotations

import json
import os
from typing import Any


class Tally:
    """Counts of one session, by test for the outcome and by phase for what went wrong."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.passed: set[str] = set()
        self.failed: set[str] = set()

    def pytest_collectreport(self, report: Any) -> None:
        if not report.passed:
            self.failed.add(report.nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if not report.passed or hasattr(report, "wasxfail"):
            self.failed.add(report.nodeid)
        elif report.when == "call":
            self.passed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        counts = {"passed": len(self.passed - self.failed), "failed": len(self.failed)}
        with open(self.path, "a", encoding="utf-8") as tally:
            tally.write(json.dumps(counts) + "\n")


def pytest_configure(config: Any) -> None:
    config.pluginmanager.register(Tally(os.environ["BULWARK_TALLY"]), "bulwark-tally")
