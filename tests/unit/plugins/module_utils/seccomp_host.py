# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host in memory whose engine tries seccomp profiles."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils._host_api import ApiResponse, CommandResult, FileStat
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_tables import TRIAL_CALLS, TRIAL_NUMBERS
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.memory_host import MemoryHost
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.test__probe_runner import FakeEngineHost, frame

# What a kernel answers to the calls of a trial, without a filter and under the base `hardened`.
FREE = {call: [0, -1, 22] for call in TRIAL_CALLS} | {"read": [0, -1, 9], "close": [0, -1, 9]}
HARDENED = {call: [0, -1, 1] for call in TRIAL_CALLS} | {"read": [0, -1, 9], "close": [0, -1, 9], "clone3": [0, -1, 38]}


class TrialEngine(FakeEngineHost):
    """An engine whose containers make the calls of a trial."""

    def __init__(self) -> None:
        super().__init__()
        self.info.update(Architecture="x86_64", KernelVersion="6.12.107+deb13-amd64", ServerVersion="26.1.5+dfsg1")
        self.free = dict(FREE)
        self.filtered = dict(HARDENED)
        self.output = ""
        self.ends = True
        self.profiles: list[str] = []

    def inspect(self, identity: str) -> dict[str, Any]:
        return {"State": {"Running": not self.ends}}

    def logs(self, container: dict[str, Any]) -> bytes:
        [option] = container["payload"]["HostConfig"]["SecurityOpt"]
        self.profiles.append(option.removeprefix("seccomp="))
        numbers = dict(zip(TRIAL_NUMBERS["x86_64"], TRIAL_CALLS, strict=True))
        known = self.free if option == "seccomp=unconfined" else self.filtered
        asked = [numbers[number] for number, _arguments in json.loads(container["payload"]["Cmd"][-1])]
        if self.output and option != "seccomp=unconfined":
            return frame(2, self.output.encode())
        return frame(1, json.dumps([known[call] for call in asked]).encode())


class SeccompHost(MemoryHost):
    """Files of a memory host, the engine of a trial."""

    def __init__(self, config: bytes | None = None) -> None:
        super().__init__(config)
        self.trial = TrialEngine()
        self.links["/bin"] = "usr/bin"
        self.down = False

    def api(
        self, socket_path: str, method: str, path: str, body: bytes | None = None, timeout: float = 10.0
    ) -> ApiResponse:
        if self.down:
            return super().api(socket_path, method, path, body, timeout)
        return self.trial.api(socket_path, method, path, body, timeout)

    def real_path(self, path: str) -> str:
        return path

    def read_link(self, path: str) -> str | None:
        return self.links.get(path)

    def stat(self, path: str) -> FileStat | None:
        if path == "/usr/bin/python3":
            return FileStat("file", 0o755, 0, 0, 1, 0, 0)
        return super().stat(path)

    def run(
        self,
        argv: Sequence[str],
        data: str | None = None,
        timeout: float | None = None,
        environ: dict[str, str] | None = None,
    ) -> CommandResult:
        return CommandResult(0, "", "")
