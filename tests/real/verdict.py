# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every case of the corpus has to show, whatever was done to the host."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import lab
from lab import CONFIG, FileFacts, Result


class Verdict:
    """Collects what is wrong in one case, and counts what was looked at."""

    def __init__(self) -> None:
        self.checks = 0
        self.problems: list[str] = []

    def check(self, good: bool, problem: str) -> bool:
        """Note a problem unless the thing is good."""
        self.checks += 1
        if not good:
            self.problems.append(problem)
        return good

    def worked(self, result: Result, what: str) -> bool:
        """A module ended well."""
        return self.check(not result.failed, f"{what}: {result.message or result.output}")

    def refusal(self, result: Result, says: Sequence[str]) -> None:
        """A module failed with a message that names what it has to."""
        if not self.check(result.failed, f"it was not refused: {result.answer}"):
            return
        self.check("Traceback" not in result.output, f"a traceback: {result.output}")
        for text in says:
            self.check(text in result.message, f"the message does not name {text!r}: {result.message}")
        # "<what was asked>: <what is wrong> (<where>); <what to do>"
        self.check(": " in result.message and "; " in result.message, f"no cause or no remedy: {result.message}")

    def engine_is_well(self, before: bytes | None, path: str = CONFIG) -> None:
        """The engine answers; its file is as before, or one that dockerd accepts."""
        self.check(lab.wait_until(lab.answers, lab.START_SECONDS), "the engine does not answer")
        if lab.facts(path).raw != before:
            refused = lab.dockerd_refuses(path)
            self.check(not refused, f"dockerd refuses the file on disk: {refused}")

    def good_run(
        self,
        settings: Mapping[str, Any],
        path: str = CONFIG,
        options: Mapping[str, Any] | None = None,
        icc_deferred: bool = False,
    ) -> None:
        """A run converges, what it wanted is in force, and the next run has nothing to do."""
        given = dict(options or {})
        settings_options = {name: value for name, value in given.items() if name != "deadline"}
        commit_options = {name: value for name, value in given.items() if name != "override"}
        first = lab.present(settings, **settings_options)
        if not self.worked(first, "the next run"):
            return
        if not self.worked(lab.commit(run_id=first.answer["run_id"], **commit_options), "its commit"):
            return
        self.check(lab.answers(), "the engine does not answer after a good run")
        refused = lab.dockerd_refuses(path)
        self.check(not refused, f"dockerd refuses the new file: {refused}")
        usable = {key: value for key, value in settings.items() if key not in _unsupported(first)}
        for problem in lab.ineffective(usable, icc_deferred):
            self.check(False, f"without effect: {problem}")
        self.check(bool(usable), "nothing was wanted")
        again = lab.present(settings, **settings_options)
        self.check(
            not again.failed and not again.answer["changed"] and not again.answer["commit_required"],
            f"a second run is not quiet: {again.message or again.answer}",
        )

    def given_back(self, original: FileFacts, path: str = CONFIG, options: Mapping[str, Any] | None = None) -> None:
        """Removal gives back the bytes, the mode and the owner, and forgets everything."""
        given = dict(options or {})
        commit_options = {name: value for name, value in given.items() if name != "override"}
        removal = lab.absent(**given)
        if not self.worked(removal, "removal"):
            return
        if not self.worked(lab.commit(run_id=removal.answer["run_id"], **commit_options), "the commit of the removal"):
            return
        self.check(lab.answers(), "the engine does not answer after removal")
        found = lab.facts(path)
        self.check(found == original, f"removal gives back {found!r} for {original!r}")
        self.check(not os.path.exists(lab.RECORD_ROOT), f"removal keeps {lab.RECORD_ROOT}")
        self.check(not lab.leftovers(), f"left behind: {lab.leftovers()}")


def _unsupported(result: Result) -> set[str]:
    return {str(text).split()[0] for text in result.answer.get("unsupported") or []}
