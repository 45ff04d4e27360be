# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with users whose service managers and engines are modelled, for the rootless modules."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from ansible_collections.bulwark.docker.plugins.module_utils._errors import HostError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import (
    ApiResponse,
    CommandResult,
    FileStat,
    UserAccount,
)
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.memory_host import (
    BOOT_ID,
    BOOTED_AT,
    File,
    MemoryHost,
)

SCRIPT = "/usr/share/docker.io/contrib/dockerd-rootless.sh"
ANN = UserAccount("ann", 1000, 1000, "/home/ann")
UNIT = "/home/ann/.config/systemd/user/docker.service"
DROP_IN = "/etc/systemd/system/user@1000.service.d/zz-bulwark-rootless.conf"
LINGER = "/var/lib/systemd/linger/ann"
PRIVATE, BUS = "/run/user/1000/systemd/private", "/run/user/1000/bus"
RECORD = "/var/lib/bulwark-docker/rootless-ann/engine.json"
PROGRAMS = ("dockerd", "rootlesskit", "newuidmap", "iptables", "slirp4netns", "modprobe")
DONE = CommandResult(0, "", "")


class RootlessHost(MemoryHost):
    """One user, ann; her service manager starts with linger, her engine as `systemctl --user` says."""

    def __init__(self) -> None:
        super().__init__()
        self.users = {"ann": ANN}
        self.programs = set(PROGRAMS)
        self.directories["/home/ann"] = BOOTED_AT
        for path, data in {
            SCRIPT: b"#!/bin/sh\n",
            "/usr/lib/systemd/user/dbus.socket": b"",
            "/proc/sys/kernel/osrelease": b"6.12.1\n",
            "/proc/sys/user/max_user_namespaces": b"10000\n",
            "/proc/sys/net/ipv4/ip_unprivileged_port_start": b"1024\n",
            "/proc/sys/net/ipv4/ping_group_range": b"1\t0\n",
            "/etc/os-release": b"ID=debian\n",
        }.items():
            self.files[path] = File(data)
        self.pid = 0
        self.started_at = 0.0
        self.running_unit = b""
        self.enabled = False
        self.brings_up = True
        self.has_bus = True
        self.starts = 0
        self.busy: list[str] = []
        self.sessions = ""
        self.system_units = {"docker.socket": ["enabled", "active"], "docker.service": ["enabled", "active"]}
        self.loadable = {"br_netfilter", "tun"}

    def which(self, name: str) -> str | None:
        return f"/usr/bin/{name}" if name in self.programs else None

    def stat(self, path: str) -> FileStat | None:
        found = super().stat(path)
        if found is not None and path.startswith("/home/ann"):
            return found._replace(uid=1000, gid=1000)
        return found

    def _read_proc(self, path: str) -> bytes | None:
        if self.pid and path == f"/proc/{self.pid}/stat":
            ticks = int((self.started_at - BOOTED_AT) * 100)
            return f"{self.pid} (rootlesskit) S {' '.join(['0'] * 18)} {ticks} 0 0\n".encode()
        if self.pid and path == f"/proc/{self.pid}/cmdline":
            return b"rootlesskit\0"
        if path == "/proc/sys/kernel/random/boot_id":
            return BOOT_ID.encode()
        return super()._read_proc(path)

    def start_engine(self) -> CommandResult:
        """What systemd does to start the unit that it has read."""
        if UNIT not in self.files:
            return CommandResult(5, "", "Unit docker.service not found.")
        self.starts += 1
        self.clock += 2.0
        self.pid, self.started_at = 4000 + self.starts, self.clock
        self.running_unit = self.files[UNIT].data
        return DONE

    def run(
        self,
        argv: Sequence[str],
        data: str | None = None,
        timeout: float | None = None,
        environ: dict[str, str] | None = None,
    ) -> CommandResult:
        words = tuple(argv)
        self.runs.append(words)
        self.clock += 0.01
        if words[0] == "setpriv" and "--user" in words:
            assert words[1:6] == (
                "--reuid=1000",
                "--regid=1000",
                "--init-groups",
                "env",
                "XDG_RUNTIME_DIR=/run/user/1000",
            )
            return self._user(words[8:])
        if words[0] == "setpriv":
            return self._as_user(words)
        if words[0] == "loginctl":
            return self._loginctl(words[1:])
        if words[0] == "systemctl":
            return self._root(words[1:])
        if words[:2] == ("modprobe", "--show-depends"):
            return CommandResult(0, "insmod /x.ko\n" if words[2] in self.loadable else "builtin x\n", "")
        if words[0] == "sysctl":
            name, _equals, value = words[-1].partition("=")
            self.files["/proc/sys/" + name.replace(".", "/")] = File(value.encode() + b"\n")
            return DONE
        if words[0] in ("modprobe", "journalctl", "apparmor_parser"):
            return DONE
        raise HostError(f"run {words[0]}: no such program in this model")

    def _user(self, words: tuple[str, ...]) -> CommandResult:
        assert PRIVATE in self.files, "nobody asks a service manager that does not run"
        if words[0] == "show":
            state = "active" if self.pid else "inactive"
            enabled = "enabled" if self.enabled else "disabled" if UNIT in self.files else ""
            return CommandResult(
                0, f"MainPID={self.pid}\nActiveState={state}\nUnitFileState={enabled}\nNeedDaemonReload=no\n", ""
            )
        if words[0] in ("start", "restart") and words[1] == "docker.service":
            return self.start_engine()
        if words == ("start", "dbus.socket"):
            self.has_bus = True
            self.files[BUS] = File(b"")
        elif words == ("stop", "docker.service"):
            self.pid = 0
        elif words[0] in ("enable", "disable"):
            self.enabled = words[0] == "enable"
        return DONE

    def _as_user(self, words: tuple[str, ...]) -> CommandResult:
        if "rm" in words:
            for path in [name for name in (*self.files, *self.directories) if name.startswith(words[-1])]:
                self.files.pop(path, None)
                self.directories.pop(path, None)
        return DONE

    def _loginctl(self, words: tuple[str, ...]) -> CommandResult:
        if words[0] == "enable-linger":
            self.files[LINGER] = File(b"")
            self.start_manager()
        elif words[0] == "disable-linger":
            self.files.pop(LINGER, None)
            if not self.sessions:
                for path in (PRIVATE, BUS):
                    self.files.pop(path, None)
                self.pid = 0
        return CommandResult(0, self.sessions + "\n", "")

    def start_manager(self) -> None:
        """The user's service manager comes up, as far as this host lets it."""
        if self.brings_up:
            self.files[PRIVATE] = File(b"")
            if self.has_bus:
                self.files[BUS] = File(b"")

    def _root(self, words: tuple[str, ...]) -> CommandResult:
        if words == ("--version",):
            return CommandResult(0, "systemd 257 (257)\n", "")
        unit = self.system_units.get(words[-1], ["not-found", "inactive"])
        masked = any(states[0] == "masked" for states in self.system_units.values())
        if words[0] == "is-enabled":
            return CommandResult(0, unit[0] + "\n", "")
        if words[0] == "is-active":
            return CommandResult(0, unit[1] + "\n", "")
        if words[0] == "mask":
            unit[:] = ["masked", "inactive"]
        elif words[0] == "unmask":
            for name in words[1:]:
                self.system_units[name][0] = "enabled"
        elif words[0] == "start" and masked:
            return CommandResult(1, "", "Unit docker.socket is masked.")
        elif words[0] == "start":
            unit[1] = "active"
        else:
            assert words == ("daemon-reload",)
        return DONE

    def api(
        self, socket_path: str, method: str, path: str, body: bytes | None = None, timeout: float = 10.0
    ) -> ApiResponse:
        assert socket_path == "/run/user/1000/docker.sock"
        if not self.pid:
            raise HostError(f"ask the engine's API: Connection refused ({socket_path})")
        if path == "/containers/json":
            return ApiResponse(200, b"[" + b",".join(b'{"Id": "%s"}' % name.encode() for name in self.busy) + b"]")
        if path.startswith("/containers/"):
            name = posixpath.basename(posixpath.dirname(path))
            return ApiResponse(
                200,
                b'{"Id": "%s", "Name": "/%s", "State": {"Pid": 1, "StartedAt": ""}, "HostConfig": {}}'
                % (name.encode(), name.encode()),
            )
        return ApiResponse(200, b"OK")
