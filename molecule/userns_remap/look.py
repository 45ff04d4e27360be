# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print what the engine shows and what its volumes hold, with owners as a container sees them."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess


def docker(*words: str) -> list[str]:
    """Lines that the client prints."""
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=True).stdout.splitlines()


def seen(number: int, first: int) -> int:
    """An id as a container sees it whose own ids begin at another one."""
    return number - first


def content(path: str, first: tuple[int, int]) -> list[object]:
    """Everything about one file that a copy has to keep, apart from names in its attributes."""
    found = os.lstat(path)
    facts: list[object] = [oct(found.st_mode), seen(found.st_uid, first[0]), seen(found.st_gid, first[1])]
    facts += [found.st_nlink if not stat.S_ISDIR(found.st_mode) else 0, found.st_mtime_ns, found.st_rdev]
    if stat.S_ISLNK(found.st_mode):
        return [*facts, os.readlink(path)]
    if stat.S_ISREG(found.st_mode):
        with open(path, "rb") as stream:
            facts += [
                found.st_size,
                found.st_blocks < found.st_size // 512 // 2,
                hashlib.sha256(stream.read()).hexdigest(),
            ]
    return [*facts, sorted(os.listxattr(path))]


info = json.loads(docker("info", "--format", "{{json .}}")[0])
mapped = any("name=userns" in option for option in info["SecurityOptions"])
root = info["DockerRootDir"]
first = tuple(int(part) for part in os.path.basename(root).split(".")) if mapped else (0, 0)
volumes = {}
for name in docker("volume", "ls", "--quiet", "--filter", "driver=local"):
    [details] = json.loads("".join(docker("volume", "inspect", name)))
    top = details["Mountpoint"]
    paths = [top] + [os.path.join(where, entry) for where, below, files in os.walk(top) for entry in below + files]
    files = {os.path.relpath(path, top): content(path, first) for path in sorted(paths)}
    volumes[name] = {"labels": details["Labels"], "options": details["Options"], "files": files}
print(
    json.dumps(
        {
            "root": root,
            "mapped": mapped,
            "first": first,
            "images": sorted(set(docker("image", "ls", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}"))),
            "containers": sorted(docker("container", "ls", "--all", "--no-trunc", "--format", "{{.ID}} {{.Names}}")),
            "volumes": volumes,
        }
    )
)
