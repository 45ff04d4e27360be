# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with scanners in memory: what MemoryHost has, and programs that keep lists or complain."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence

from ansible_collections.bulwark.docker.plugins.module_utils._host_api import CommandResult
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.memory_host import MemoryHost

DONE = CommandResult(0, "", "")


class ScannerHost(MemoryHost):
    """C(programs): what is installed, each with the function that answers for it; C(units): second of their start."""

    def __init__(self, config: bytes | None = b"{}") -> None:
        super().__init__(config)
        self.programs: dict[str, Callable[[Sequence[str]], CommandResult]] = {}
        self.units: dict[str, float] = {}
        self.restarts: list[str] = []
        self.systemd: list[tuple[str, ...]] = []
        self.enabled: set[str] = set()
        self.dies: set[str] = set()
        self.directories.setdefault("/etc", self.clock)

    def which(self, name: str) -> str | None:
        return f"/usr/bin/{name}" if name in self.programs else super().which(name)

    def run(
        self,
        argv: Sequence[str],
        data: str | None = None,
        timeout: float | None = None,
        environ: dict[str, str] | None = None,
    ) -> CommandResult:
        program = posixpath.basename(argv[0])
        if program in self.programs:
            return self.programs[program](argv[1:])
        if program == "systemctl" and argv[1] in (
            "enable",
            "disable",
            "stop",
            "restart",
            "daemon-reload",
            "reset-failed",
        ):
            return self._own_systemctl(argv[1], argv[2:])
        return super().run(argv, data, timeout, environ)

    def _own_systemctl(self, verb: str, units: Sequence[str]) -> CommandResult:
        self.systemd.append((verb, *units))
        for unit in units:
            if verb == "enable":
                self.enabled.add(unit)
            elif verb == "restart":
                self.restarts.append(unit)
                self.clock += 1
                self.units[unit] = self.clock
                if unit in self.dies:
                    del self.units[unit]
            elif verb in ("stop", "disable"):
                self.units.pop(unit, None)
                self.enabled -= {unit} if verb == "disable" else set()
        self._mutate("systemctl " + verb)
        return DONE

    def read_file(self, path: str) -> bytes | None:
        for number, started in enumerate(self.units.values(), 1000):
            if path == f"/proc/{number}/stat":
                ticks = int((started - self.booted) * 100)
                return f"{number} (x) S {' '.join(['0'] * 18)} {ticks} 0 0\n".encode()
            if path == f"/proc/{number}/cmdline":
                return b"x\0"
        return super().read_file(path)

    @property
    def booted(self) -> float:
        """Second of the boot."""
        return self.clock - float((super().read_file("/proc/uptime") or b"0").split()[0])

    def _show(self, unit: str, names: Sequence[str]) -> str:
        if unit.startswith("docker."):
            return super()._show(unit, names)
        known = {
            "LoadState": "loaded",
            "ActiveState": "active" if unit in self.units else "inactive",
            "MainPID": str(1000 + list(self.units).index(unit)) if unit in self.units else "0",
            "UnitFileState": "enabled" if unit in self.enabled else "",
            "NeedDaemonReload": "no",
        }
        return "".join(f"{name}={known[name]}\n" for name in names if name in known)
