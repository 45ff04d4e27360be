# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host in memory with AppArmor: files, a kernel that takes profiles, a parser, an engine with containers."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils._errors import HostError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import ApiResponse, CommandResult, FileStat

SECURITYFS = "/sys/kernel/security/apparmor"
TEMPLATE = (
    "profile {{.Name}} flags=(attach_disconnected,mediate_deleted) {\n{{range $value := .InnerImports}}\n  {{$value}}\n"
    "{{end}}\n\n  file,\n  signal (receive) peer={{.DaemonProfile}},\n{{if ge .Version 300000}}  network,\n{{end}}\n}\n"
)
BINARY = "\0\1rubbish" + TEMPLATE + "-----BEGIN SOMETHING ELSE {{.Foo}}"
HEAD = re.compile(r"^profile (\S+) (?:flags=\(([^)]*)\) )?\{", re.MULTILINE)


class AppArmorHost:
    """Programs: apparmor_parser (a line with "bogus" is a mistake), grep, dd, journalctl, ausearch."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {
            "/sys/module/apparmor/parameters/enabled": b"Y\n",
            "/etc/apparmor.d/abi/4.0": b"",
            "/etc/apparmor.d/abstractions/base": b"base",
            "/etc/apparmor.d/tunables/global": b"global",
            "/proc/sys/kernel/osrelease": b"6.12\n",
            "/proc/77/comm": b"dockerd\n",
            "/proc/77/attr/current": b"unconfined\n",
            "/proc/77/exe": BINARY.encode(),
            "/proc/88/comm": b"containerd\n",
            "/proc/88/attr/current": b"unconfined\n",
        }
        self.links = {
            "/proc/self/ns/user": "user:[4026531837]",
            "/proc/77/ns/user": "user:[4026531837]",
        }
        self.programs = {"apparmor_parser", "journalctl"}
        self.kernel: dict[str, tuple[str, str]] = {}
        self.given = "raw_sha256"
        self.refuses_load = False
        self.forgets: set[str] = set()
        self.version = "26.1.5"
        self.uses_apparmor = True
        self.answers = True
        self.containers: list[dict[str, Any]] = []
        self.logs: dict[str, str] = {}
        self.writes: list[str] = []
        self.commands: list[list[str]] = []
        self.locked: list[str] = []
        self.load(TEMPLATE_LOADED)

    # the kernel

    def load(self, text: str) -> None:
        for name, flags in HEAD.findall(text):
            if name not in self.forgets:
                self.kernel[name] = ("complain" if "complain" in flags else "enforce", text)

    def _kernel_file(self, path: str) -> bytes | None:
        if path == f"{SECURITYFS}/profiles":
            return "".join(f"{name} ({mode})\n" for name, (mode, _text) in self.kernel.items()).encode()
        for number, (name, (_mode, text)) in enumerate(self.kernel.items()):
            if path == f"{SECURITYFS}/policy/profiles/{name}.{number}/{self.given}":
                return (
                    hashlib.new(self.given.removeprefix("raw_"), compiled(text).encode()).hexdigest().encode() + b"\n"
                )
        return None

    # files

    def read_file(self, path: str) -> bytes | None:
        return self._kernel_file(path) if path.startswith(SECURITYFS) else self.files.get(path)

    def stat(self, path: str) -> FileStat | None:
        if any(name.startswith(path + "/") for name in self.files):
            return FileStat("directory", 0o755, 0, 0, 0, 0, 0)
        data = self.read_file(path)
        return None if data is None else FileStat("file", 0o644, 0, 0, len(data), 0, 0)

    def write_file(self, path: str, data: bytes, mode: int, uid: int, gid: int) -> None:
        assert (uid, gid, mode & 0o022) == (0, 0, 0)
        self.writes.append(path)
        self.files[path] = data

    def remove_file(self, path: str) -> None:
        self.files.pop(path, None)

    def make_directory(self, path: str, mode: int, uid: int = 0, gid: int = 0) -> None:
        assert (path, mode, uid, gid) == ("/var/lib/bulwark-docker/apparmor", 0o700, 0, 0)

    def remove_directory(self, path: str) -> None:
        assert path.startswith("/var/lib/bulwark-docker")

    def list_directory(self, path: str) -> list[str]:
        if path == f"{SECURITYFS}/policy/profiles":
            return [f"{name}.{number}" for number, name in enumerate(self.kernel)]
        return sorted({name[len(path) + 1 :].split("/")[0] for name in self.files if name.startswith(path + "/")})

    def read_link(self, path: str) -> str | None:
        return self.links.get(path)

    def which(self, name: str) -> str | None:
        return f"/usr/sbin/{name}" if name in self.programs else None

    # programs

    def run(
        self,
        argv: Sequence[str],
        data: str | None = None,
        timeout: float | None = None,
        environ: dict[str, str] | None = None,
    ) -> CommandResult:
        assert timeout
        self.commands.append(list(argv))
        if argv[0] in ("journalctl", "ausearch"):
            return CommandResult(0, self.logs.get(argv[0], ""), "")
        if argv[0] == "grep":
            place = self.files[argv[-1]].find(argv[-2].encode())
            return CommandResult(0 if place >= 0 else 1, f"{place}:{argv[-2]}\n" if place >= 0 else "", "")
        if argv[0] == "dd":
            words = dict(word.split("=", 1) for word in argv[1:])
            whole = self.files[words["if"]]
            return CommandResult(0, whole[int(words["skip"]) :][: int(words["count"])].decode(), "")
        assert argv[0] == "apparmor_parser"
        return self._parser(list(argv[1:]), data)

    def _parser(self, words: list[str], data: str | None) -> CommandResult:
        if words == ["--version"]:
            return CommandResult(0, "AppArmor parser version 4.1.0\n", "")
        if words == ["--print-cache-dir"]:
            return CommandResult(0, "/var/cache/apparmor/1.0\n", "")
        texts = [data] if data is not None else [self.files[word].decode() for word in words if word[0] == "/"]
        for text in texts:
            for number, line in enumerate(text.splitlines(), 1):
                if "bogus" in line:
                    return CommandResult(1, "", f"AppArmor parser error at line {number}: syntax error\n")
        if "--stdout" in words:
            return CommandResult(0, compiled(texts[0]), "")
        if self.refuses_load and "--write-cache" in words:
            self.load(texts[0])
            return CommandResult(254, "", "apparmor_parser: Unable to replace: Permission denied\n")
        for text in texts:
            if "--remove" in words:
                for name, _flags in HEAD.findall(text):
                    del self.kernel[name]
            else:
                self.load(text)
        for word in words:
            if word.startswith("/etc/apparmor.d/"):
                self.files["/var/cache/apparmor/1.0/" + word.rpartition("/")[2]] = b"cache"
        return CommandResult(0, "", "")

    # the engine

    def api(
        self, socket_path: str, method: str, path: str, body: bytes | None = None, timeout: float = 10.0
    ) -> ApiResponse:
        assert (method, body) == ("GET", None)
        assert timeout
        if not self.answers:
            raise HostError(f"ask the engine's API: nobody listens ({socket_path}); start it")
        if path == "/info":
            options = ["name=seccomp,profile=builtin", *(["name=apparmor"] if self.uses_apparmor else [])]
            return answer({"ServerVersion": self.version, "SecurityOptions": options})
        if path.startswith("/containers/json"):
            return answer([{"Id": str(number)} for number in range(len(self.containers))])
        number = int(path.split("/")[2])
        return answer(self.containers[number])

    def add_container(self, name: str, profile: str, label: str = "", privileged: bool = False) -> None:
        """One that runs if it has a label."""
        pid = 1000 + len(self.containers) if label else 0
        details = {
            "Name": f"/{name}",
            "AppArmorProfile": profile,
            "State": {"Pid": pid},
            "HostConfig": {"Privileged": privileged},
        }
        self.containers.append(details)
        if pid:
            self.files[f"/proc/{pid}/attr/current"] = label.encode() + b"\n"

    @contextlib.contextmanager
    def lock(self, path: str, timeout: float) -> Iterator[None]:
        assert timeout
        self.locked.append(path)
        yield


def answer(value: object) -> ApiResponse:
    """A good answer of the engine's API."""
    return ApiResponse(200, json.dumps(value).encode())


def compiled(text: str) -> str:
    """What the parser makes of a text: comments do not count."""
    return "binary:" + "".join(line for line in text.splitlines() if not line.startswith("# "))


TEMPLATE_LOADED = (
    "#include <tunables/global>\nprofile docker-default flags=(attach_disconnected,mediate_deleted) {\n\n"
    "  #include <abstractions/base>\n\n\n  file,\n  signal (receive) peer=unconfined,\n  network,\n\n}\n"
)
