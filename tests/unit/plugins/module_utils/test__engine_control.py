# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine's output says in short, and which flags reach dockerd --validate."""

from __future__ import annotations

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._engine_control import (
    EngineControl,
    _plain_flags,
    _spoken,
)
from ansible_collections.bulwark.docker.plugins.module_utils._engine_state import observe
from ansible_collections.bulwark.docker.plugins.module_utils._errors import EngineError, HostError
from ansible_collections.bulwark.docker.plugins.module_utils._instance import rootless_instance, system_instance
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.memory_host import MemoryHost

STARTED = 'time="2026-01-01T00:00:00Z" level=info msg="Starting up"\n'
SUBJECT_OK = {
    "": "it said nothing",
    " \n\n": "it said nothing",
    "plain words\n": "plain words",
    STARTED: "Starting up",
    STARTED + 'time="x" level=error msg="no luck" error="bind: address in use"\n': "no luck: bind: address in use",
    STARTED + "failed to start daemon: icc\n" + STARTED: "failed to start daemon: icc | Starting up",
    "failed: a\n" * 9: "failed: a",
    "".join(f"failed: {number}\n" for number in range(9)): "failed: 5 | failed: 6 | failed: 7 | failed: 8",
}


@pytest.mark.parametrize(("text", "words"), SUBJECT_OK.items())
def test_telling_words(text: str, words: str) -> None:
    assert _spoken(text) == words


@pytest.mark.parametrize(
    ("argv", "kept"),
    [
        ([], []),
        (["-H", "fd://", "--debug"], ["-H", "fd://", "--debug"]),
        (["--config-file", "/x", "--debug"], ["--debug"]),
        (["--config-file=/x", "--debug"], ["--debug"]),
        (["--debug", "--config-file"], ["--debug"]),
        (["--label", "config-file"], ["--label", "config-file"]),
    ],
)
def test_flags_that_are_dropped(argv: list[str], kept: list[str]) -> None:
    assert _plain_flags(argv, ("config-file",)) == kept


def _control(host: MemoryHost) -> EngineControl:
    return EngineControl(host, observe(host, system_instance()), 30.0)


def test_journal_holds_only_what_was_said_since() -> None:
    host = MemoryHost(b"{}")
    host.engine.say("level=error old")
    host.clock += 5
    control = _control(host)
    assert control.journal_words() == "it said nothing"
    host.engine.say("level=error new")
    assert control.journal_words() == "level=error new"


def test_journal_that_hangs_is_asked_again() -> None:
    host = MemoryHost(b"{}")
    control = _control(host)
    host.engine.say("Registering POST")
    host.engine.say("level=fatal no such user")
    host.journal_stuck_until = host.clock + 45
    assert control.journal_words() == "level=fatal no such user"


def test_journal_that_hangs_for_good_is_given_up() -> None:
    host = MemoryHost(b"{}")
    control = _control(host)
    host.engine.say("level=fatal no such user")
    before = host.journal_stuck_until = host.clock
    host.journal_stuck_until += 1000
    assert control.journal_words() == "it said nothing"
    assert host.clock - before < 150


def test_journal_of_a_user_is_that_user() -> None:
    host = MemoryHost(b"{}")
    state = observe(host, system_instance())
    state = state._replace(instance=rootless_instance("ann", 1000, 1000, "/home/ann"))
    EngineControl(host, state, 30.0).journal_words()
    engine, manager = host.runs[-2:]
    assert engine[:2] == manager[:2] == ("journalctl", "_UID=1000")
    assert "_SYSTEMD_USER_UNIT=docker.service" in engine
    assert "--user-unit=docker.service" in manager


def test_journal_that_cannot_be_read_hides_no_cause() -> None:
    host = MemoryHost(b"{}")
    control = _control(host)

    def broken(*arguments: object, **more: object) -> None:
        raise HostError("run a program: No such file (journalctl); look")

    host.run = broken  # type: ignore[assignment]
    assert "No such file (journalctl)" in control.journal_words()


def test_recovery_starts_an_engine_that_is_down() -> None:
    host = MemoryHost(b"{}")
    control = _control(host)
    host.engine.stop()
    host.engine.failures = 3
    control.recover()
    assert host.engine.running


def test_recovery_leaves_an_engine_alone_that_never_stopped() -> None:
    host = MemoryHost(b"{}")
    control = _control(host)
    host.engine.ignores_reload = True
    control.recover()
    assert (host.engine.starts, host.engine.reloads) == (1, 1)


def test_recovery_that_fails_says_so() -> None:
    host = MemoryHost(b"{}")
    control = _control(host)
    host.engine.stop()
    host.engine.fatal = lambda data: "no"
    with pytest.raises(EngineError, match=r"Job for docker\.service failed"):
        control.recover()
