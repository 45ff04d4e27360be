# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host whose engine keeps images and volumes apart for each mapping of ids, and can die between any two steps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ansible_collections.bulwark.docker.plugins.module_utils._errors import HostError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import ApiResponse, CommandResult, FreeSpace
from ansible_collections.bulwark.docker.plugins.module_utils._id_shift import IdShift, shift_id
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.memory_host import File
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.subid_host import SubidHost

BASE = "/var/lib/docker"
# Owner and content by name.
Tree = dict[str, tuple[int, int, str]]


class UsernsHost(SubidHost):
    """Images by id with their names, volumes by name, trees by path; C(mapping) is the one in force."""

    def __init__(self, subuid: bytes | None = b"", subgid: bytes | None = b"") -> None:
        super().__init__(subuid, subgid)
        self.mapping = ""
        self.images: dict[str, dict[str, list[str]]] = {}
        self.volumes: dict[str, dict[str, dict[str, Any]]] = {}
        self.trees: dict[str, Tree] = {}
        self.inspected: list[dict[str, Any]] = []
        self.info_more: dict[str, Any] = {}
        self.sizes: dict[str, Any] = {"LayersSize": 0, "Volumes": []}
        self.room = {"/": FreeSpace(1, 1 << 40)}
        self.torn = False
        self.users_by_key: dict[tuple[str, str], str] = {}
        self.links["/proc/self/ns/user"] = "user:[1]"
        self.files["/proc/sys/user/max_user_namespaces"] = File(b"15000\n")
        engine = self.engine
        original = engine.info
        engine.info = lambda: {**original(), **self.shown()}  # type: ignore[method-assign]

    def shown(self) -> dict[str, Any]:
        """What GET /info says about the mapping."""
        if not self.mapping:
            return self.info_more
        return {
            "DockerRootDir": f"{BASE}/{self.mapping}",
            "SecurityOptions": ["name=seccomp", "name=userns"],
            **self.info_more,
        }

    def root(self, mapping: str | None = None) -> str:
        """Directory of the data with a mapping."""
        name = self.mapping if mapping is None else mapping
        return f"{BASE}/{name}" if name else BASE

    def place(self, name: str, mapping: str | None = None) -> str:
        """Directory of a volume's content."""
        return f"{self.root(mapping)}/volumes/{name}/_data"

    def add_volume(self, name: str, tree: Tree, mapping: str = "", **more: Any) -> None:
        """A volume that is there already."""
        details = {"Name": name, "Driver": "local", "Labels": None, "Options": None, **more}
        self.volumes.setdefault(mapping, {})[name] = {**details, "Mountpoint": self.place(name, mapping)}
        self.trees[self.place(name, mapping)] = dict(tree)

    def read_link(self, path: str) -> str | None:
        return self.links.get(path) or super().read_link(path)

    def run(
        self,
        argv: Sequence[str],
        data: str | None = None,
        timeout: float | None = None,
        environ: dict[str, str] | None = None,
    ) -> CommandResult:
        if argv[0] == "tar":
            raw = self.files[argv[argv.index("--file") + 1]].data
            if not raw.endswith(b"end"):
                return CommandResult(2, "", "tar: Unexpected EOF in archive")
            images = json.loads(raw[:-3])
            return CommandResult(0, json.dumps([{"Config": f"{name[7:]}.json"} for name in images]), "")
        if argv[0] == "getent" and len(argv) == 3:
            lines = self.files[f"/etc/{argv[1]}"].data.decode().splitlines()
            found = [line for line in lines if argv[2] in (line.split(":")[0], line.split(":")[2])]
            return CommandResult(0 if found else 2, "".join(line + "\n" for line in found), "")
        return super().run(argv, data, timeout, environ)

    # -- the engine

    def api(
        self, socket_path: str, method: str, path: str, body: bytes | None = None, timeout: float = 10.0
    ) -> ApiResponse:
        parts = urlsplit(path)
        images, volumes = self.images.setdefault(self.mapping, {}), self.volumes.setdefault(self.mapping, {})
        if (method, parts.path) == ("POST", "/volumes/create"):
            asked = json.loads(body or b"")
            name = asked["Name"]
            if name not in volumes:
                self.add_volume(name, {}, self.mapping, Labels=asked["Labels"], Options=asked["DriverOpts"])
                self._mutate(f"create {name}")
            return ApiResponse(201, json.dumps(volumes[name]).encode())
        answers: dict[str, Any] = {
            "/images/json": [{"Id": name, "RepoTags": tags or ["<none>:<none>"]} for name, tags in images.items()],
            "/volumes": {"Volumes": list(volumes.values())},
            "/system/df": self.sizes,
        }
        if parts.path == "/containers/json" and "all=1" in parts.query:
            return ApiResponse(200, json.dumps([{"Id": entry["Id"]} for entry in self.inspected]).encode())
        for entry in self.inspected:
            if parts.path == f"/containers/{entry['Id']}/json":
                return ApiResponse(200, json.dumps(entry).encode())
        if parts.path.startswith("/volumes/"):
            found = volumes.get(parts.path.rpartition("/")[2])
            return ApiResponse(200 if found else 404, json.dumps(found or {}).encode())
        if method == "GET" and parts.path in answers:
            return ApiResponse(200, json.dumps(answers[parts.path]).encode())
        return super().api(socket_path, method, path, body, timeout)

    def download(self, socket_path: str, path: str, target: str, timeout: float) -> ApiResponse:
        names = parse_qs(urlsplit(path).query)["names"]
        shown = self.images[self.mapping]
        chosen = {name: tags for name, tags in shown.items() if name in names or set(tags) & set(names)}
        raw = json.dumps(chosen).encode()
        self.files[target] = File(raw[:-2], 0o600)
        self._mutate("half an archive")
        self.files[target] = File(raw + (b"" if self.torn else b"end"), 0o600)
        self._mutate("an archive")
        return ApiResponse(200, b"")

    def upload(self, socket_path: str, path: str, source: str, timeout: float) -> ApiResponse:
        for name, tags in json.loads(self.files[source].data[:-3]).items():
            self.images.setdefault(self.mapping, {})[name] = tags
            self._mutate(f"load {name}")
        return ApiResponse(200, b"")

    # -- trees

    def empty_directory(self, path: str) -> None:
        self.trees[path] = {}
        self._mutate(f"empty {path}")

    def _shifted(self, path: str, uids: Sequence[IdShift], gids: Sequence[IdShift]) -> Tree:
        found: Tree = {}
        for name, (uid, gid, content) in self.trees[path].items():
            owner = shift_id(uid, uids), shift_id(gid, gids)
            if None in owner:
                raise HostError(f"copy a directory: {uid}:{gid} owns a file ({path}/{name})")
            found[name] = (owner[0] or 0, owner[1] or 0, content)
        return found

    def copy_tree(self, source: str, target: str, uids: Sequence[IdShift], gids: Sequence[IdShift]) -> None:
        if self.trees[target]:
            raise HostError(f"copy a directory: File exists ({target})")
        for name, entry in self._shifted(source, uids, gids).items():
            self.trees[target][name] = entry
            self._mutate(f"copy {name}")

    def tree_digest(self, path: str, uids: Sequence[IdShift], gids: Sequence[IdShift]) -> str:
        return repr(sorted(self._shifted(path, uids, gids).items()))

    def free_space(self, path: str) -> FreeSpace:
        best = max((known for known in self.room if path.startswith(known)), key=len)
        return self.room[best]
