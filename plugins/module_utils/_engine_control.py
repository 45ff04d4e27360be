# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting, reloading and stopping an engine, and asking dockerd itself about a file (private)."""

from __future__ import annotations

import json
import re
from typing import Any, Dict, List, Optional, Sequence
from urllib.parse import quote

from ansible_collections.bulwark.docker.plugins.module_utils._daemon_json import parse_document, remove_members
from ansible_collections.bulwark.docker.plugins.module_utils._decision import Decision
from ansible_collections.bulwark.docker.plugins.module_utils._engine_state import (
    EngineState,
    observe,
    read_process,
    service_properties,
)
from ansible_collections.bulwark.docker.plugins.module_utils._errors import (
    BulwarkError,
    ConfigError,
    EngineError,
    HostError,
)
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import CommandResult, Host
from ansible_collections.bulwark.docker.plugins.module_utils._instance import Instance

__all__ = ["EngineControl", "reload_units", "validate_with_dockerd"]

POLL_SECONDS = 0.3
RELOAD_SECONDS = 20.0
STOP_SECONDS = 60.0
VALIDATE_SECONDS = 60.0
JOURNAL_LINES = 200
SYNC_SECONDS = 30.0
# How long to look again for telling words: after the journal said that it has everything, and while it is stuck.
WORDS_SECONDS = 5.0
STALL_SECONDS = 90.0
QUOTED_LINES = 4
TELLING = re.compile(r"level=(error|fatal)|failed|unable|cannot|invalid|denied|no such", re.IGNORECASE)
LOG_MESSAGE = re.compile(r'msg="((?:[^"\\]|\\.)*)"(?: error="((?:[^"\\]|\\.)*)")?')
# 20.10 has no --validate: with these it reads file and flags, then stops before it touches anything.
NOWHERE = ("--data-root=/dev/null/x", "--exec-root=/dev/null/y", "--pidfile=/dev/null/p")
NOWHERE_KEYS = ("data-root", "exec-root", "graph", "pidfile")
STOPPED_THERE = "unable to get the full path to root"
VALIDATE_SINCE = (23, 0)


def _plain_flags(argv: Sequence[str], dropped: Sequence[str]) -> List[str]:
    kept: List[str] = []
    skip = False
    for word in argv:
        name = word.lstrip("-").partition("=")[0]
        if skip:
            skip = False
        elif word.startswith("--") and name in dropped:
            skip = "=" not in word
        else:
            kept.append(word)
    return kept


def validate_with_dockerd(host: Host, state: EngineState, raw: bytes, forecast: bool = False) -> None:
    """Let the host's own dockerd check a daemon.json together with the unit's flags; nothing is written anywhere.

    C(forecast) tells that a user whom the file names may still have to be made.
    Raises ConfigError with dockerd's words.
    """
    path = state.instance.config_path
    document = parse_document(raw, state.version, path)
    old = state.version < VALIDATE_SINCE
    # With "default" newer engines would create the user dockremap just to validate.
    dropped = list(NOWHERE_KEYS) if old else []
    remapped = str(document.data.get("userns-remap") or "")
    if remapped == "default" or (forecast and host.user(remapped.partition(":")[0]) is None):
        dropped.append("userns-remap")
    no_flags = ["config-file", *(NOWHERE_KEYS if old else ())]
    if "default" in state.flags.values.get("userns-remap", ()):
        no_flags.append("userns-remap")
    candidate = remove_members(document, [key for key in dropped if key in document.data])
    binary = state.command.argv[0] if state.command.argv[0].endswith("/dockerd") else "dockerd"
    flags = _plain_flags(state.command.argv[1:], no_flags)
    argv = [binary, *([] if old else ["--validate"]), "--config-file=/dev/stdin", *flags, *(NOWHERE if old else ())]
    text = (candidate.raw if candidate.exists else b"{}").decode("utf-8", "surrogateescape")
    result = host.run(argv, data=text, timeout=VALIDATE_SECONDS, environ=dict(state.command.environment))
    if _accepted(result, old):
        return
    words = _spoken(result.stderr + result.stdout)
    raise ConfigError(
        f"validate {path}: dockerd {state.version_text} refuses it together with the flags of "
        f"{state.instance.service}: {words}; change the setting or the flag it names"
    )


def _accepted(result: CommandResult, old: bool) -> bool:
    if old:
        return STOPPED_THERE in result.stderr.lower()
    return result.rc == 0


def _spoken(text: str) -> str:
    """The telling part of an engine's output: the messages of its error lines and its last word."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if TELLING.search(line)] or lines
    if lines and lines[-1] not in telling:
        telling.append(lines[-1])
    messages: List[str] = []
    for line in telling[-QUOTED_LINES:]:
        found = LOG_MESSAGE.search(line)
        message = ": ".join(part for part in found.groups() if part) if found else line
        if message not in messages:
            messages.append(message)
    return " | ".join(messages) or "it said nothing"


def reload_units(host: Host, instance: Instance) -> None:
    """Let systemd read changed unit files; what runs goes on running."""
    result = host.run([*instance.systemctl, "daemon-reload"], timeout=90.0)
    if result.rc != 0:
        raise EngineError(f"reload systemd's units: {result.stderr.strip()}; run systemctl daemon-reload by hand")


class EngineControl:
    """Carries out decisions on one engine.

    Args:
        host: access to the host.
        state: the engine as it was observed before.
        deadline: seconds within which it must answer after a start.
    """

    def __init__(self, host: Host, state: EngineState, deadline: float) -> None:
        self._host = host
        self._state = state
        self._deadline = deadline
        self._since = host.now()

    def carry_out(self, decision: Decision) -> EngineState:
        """Do what was decided and return the engine as it is afterwards.

        Raises EngineError when the engine does not do it or does not come back.
        """
        if decision.action == "nothing":
            return self._observe()
        if decision.action == "reload":
            self._reload()
        else:
            self._interrupt(decision)
        after = self._observe()
        if not after.answering:
            raise EngineError(
                f"{decision.action} {self._state.instance.service}: it stopped answering right afterwards"
            )
        return after

    def _interrupt(self, decision: Decision) -> None:
        if decision.enable_live_restore_first:
            self._reload()
            if not self._observe().live_restore:
                raise EngineError(
                    f"keep {len(self._state.containers)} container(s) alive: the engine {self._state.instance.name} "
                    "did not switch live-restore on after a reload; stop them first, or allow it with "
                    "engine_allow_container_stop: true"
                )
        if decision.action == "full_stop":
            self._stop_containers()
        self._restart(with_socket=decision.action == "socket_and_service")

    def recover(self) -> None:
        """Let the engine run with the files that are on disk now: a reload where it never stopped, else a start.

        Raises EngineError when it does not come up.
        """
        if not self._never_stopped():
            self._restart(with_socket=False)
            return
        try:
            self._reload()
        except EngineError:
            # It runs with what it has in memory; a restart would end the containers that have been spared.
            return

    def _never_stopped(self) -> bool:
        try:
            now = self._observe()
        except BulwarkError:
            return False
        before = self._state.process
        return (
            now.answering
            and before is not None
            and now.process is not None
            and now.process.identity() == before.identity()
        )

    def journal_words(self) -> str:
        """What the engine said since this object was made, cut down to its error lines."""
        instance = self._state.instance
        scope, match = ("--user-unit=", "_SYSTEMD_USER_UNIT=") if instance.rootless else ("--unit=", "_SYSTEMD_UNIT=")
        argv = [*instance.journalctl, f"--since=@{self._since:.6f}", "--output=cat", "--no-pager"]
        argv.append(f"--lines={JOURNAL_LINES}")
        begun = self._host.now()
        try:
            while True:
                # The journal lags behind an engine that has just died, and on a busy disk it can hang for a while.
                sync = self._host.run([instance.journalctl[0], "--sync"], timeout=SYNC_SECONDS)
                # The engine's own words first; those of systemd only repeat that something failed.
                own = self._host.run([*argv, match + instance.service], timeout=30).stdout.strip()
                patience = WORDS_SECONDS if sync.rc == 0 else STALL_SECONDS
                if TELLING.search(own) or self._host.now() - begun >= patience:
                    break
                self._host.sleep(1.0)
            return _spoken(own or self._host.run([*argv, scope + instance.service], timeout=30).stdout)
        except HostError as exc:
            return f"it cannot be read ({exc})"

    def _systemctl(self, *words: str, timeout: float = 90.0) -> CommandResult:
        return self._host.run([*self._state.instance.systemctl, *words], timeout=timeout)

    def _observe(self) -> EngineState:
        return observe(self._host, self._state.instance)

    def reload_units(self) -> EngineState:
        """Let systemd read changed unit files and return the engine as it is then; it goes on running."""
        reload_units(self._host, self._state.instance)
        return self._observe()

    def _reload(self) -> None:
        instance = self._state.instance
        started = self._host.now()
        result = self._systemctl("reload", instance.service)
        if result.rc != 0:
            raise EngineError(f"reload {instance.service}: {result.stderr.strip()}; look at its journal")
        filters = quote(json.dumps({"type": ["daemon"], "event": ["reload"]}))
        while self._host.now() - started < RELOAD_SECONDS:
            query = f"/events?since={started - 1:.3f}&until={self._host.now():.3f}&filters={filters}"
            try:
                answer = self._host.api(instance.api_socket, "GET", query)
            except HostError as exc:
                raise EngineError(f"reload {instance.service}: the engine stopped answering ({exc})") from exc
            if any(self._event_time(line) >= started for line in answer.body.splitlines() if line.strip()):
                return
            self._host.sleep(POLL_SECONDS)
        raise EngineError(
            f"reload {instance.service}: the engine reported no reload within {RELOAD_SECONDS:.0f} s "
            f"({self.journal_words()}); a reload error is only in its journal"
        )

    @staticmethod
    def _event_time(line: bytes) -> float:
        return float(json.loads(line.decode("utf-8", "replace")).get("timeNano", 0)) / 1e9

    def _restart(self, with_socket: bool) -> None:
        instance = self._state.instance
        before = self._state.process.identity() if self._state.process else None
        units = [instance.service, *([instance.socket_unit] if instance.socket_unit else [])]
        # Three starts a minute are allowed by the packaged unit, and failed ones count.
        self._systemctl("reset-failed", *units)
        if with_socket:
            self._systemctl("stop", instance.service)
            self._systemctl("restart", instance.socket_unit)
        result = self._systemctl("restart", instance.service, timeout=self._deadline)
        if result.rc == 0 and self._lost_its_socket():
            # The engine that ended had listened there by itself, and took the file of systemd's socket away.
            self._systemctl("stop", instance.service)
            self._systemctl("restart", instance.socket_unit)
            result = self._systemctl("restart", instance.service, timeout=self._deadline)
        if result.rc != 0:
            detail = (result.stderr or result.stdout).strip().splitlines()
            raise EngineError(
                f"restart {instance.service}: {detail[0] if detail else f'no success within {self._deadline:.0f} s'}"
            )
        self._wait_for_answer(before)

    def _lost_its_socket(self) -> bool:
        instance, properties = self._state.instance, self._state.socket_properties
        listens = properties.get("ActiveState") == "active" and instance.api_socket in properties.get("Listen", "")
        return listens and self._host.stat(instance.api_socket) is None

    def _wait_for_answer(self, before: Optional[List[Any]]) -> None:
        instance = self._state.instance
        end = self._host.now() + self._deadline
        problem = "it does not answer"
        while self._host.now() < end:
            properties = service_properties(self._host, instance, instance.service, ["MainPID", "ActiveState"])
            process = read_process(self._host, int(properties.get("MainPID") or 0))
            if properties.get("ActiveState") == "failed":
                raise EngineError(f"restart {instance.service}: systemd reports it as failed")
            if process is not None and process.identity() != before:
                try:
                    answer = self._host.api(instance.api_socket, "GET", "/_ping")
                except HostError as exc:
                    problem = str(exc)
                else:
                    if answer.status == 200:
                        return
                    problem = f"status {answer.status}"
            self._host.sleep(POLL_SECONDS)
        raise EngineError(f"restart {instance.service}: no answer within {self._deadline:.0f} s ({problem})")

    def _stop_containers(self) -> None:
        instance = self._state.instance
        for entry in self._state.containers:
            path = f"/containers/{entry['id']}/stop"
            answer = self._host.api(instance.api_socket, "POST", path, timeout=STOP_SECONDS)
            if answer.status not in (204, 304, 404):
                raise EngineError(
                    f"stop the container {entry['name']}: status {answer.status}, "
                    f"{answer.body.decode('utf-8', 'replace').strip()}; stop it by hand and run again"
                )

    def start_containers(self, identifiers: Sequence[str]) -> None:
        """Start containers in this order; running and removed ones are fine, EngineError names the others."""
        names = {str(entry["id"]): str(entry["name"]) for entry in self._state.containers}
        failed: Dict[str, str] = {}
        for identifier in identifiers:
            path = f"/containers/{identifier}/start"
            answer = self._host.api(self._state.instance.api_socket, "POST", path, timeout=STOP_SECONDS)
            if answer.status not in (204, 304, 404):
                failed[names.get(identifier, identifier)] = answer.body.decode("utf-8", "replace").strip()
        if failed:
            text = "; ".join(f"{name}: {why}" for name, why in failed.items())
            raise EngineError(f"start the containers that ran before: {text}; see docker logs and docker inspect")
