# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The throw-away image and containers of enforcement_probe, as data for the engine's API (pure, private).

The image holds next to nothing: the program, a file that only root may read, two copies of the host's `cat` that carry
privileges (set-uid root, file capability), and mount points for the host's read-only system directories.
"""

from __future__ import annotations

import io
import struct
import tarfile
from typing import Any, Dict, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._probe import PUBLISHED_PORT, SHARE

__all__ = [
    "BAIT_PATH",
    "LABEL",
    "PROGRAM_PATH",
    "REPOSITORY",
    "Layout",
    "container_payload",
    "image_archive",
    "make_layout",
]

LABEL = "bulwark.probe"
REPOSITORY = "bulwark-probe"
PROGRAM_PATH = "/probe/program.py"
BAIT_PATH = "/probe/bait"
SYSTEM_DIRECTORIES = ("/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin")

# struct vfs_cap_data of linux/capability.h: revision 2 with the effective flag, CAP_DAC_OVERRIDE (bit 1) permitted.
CAP_DAC_OVERRIDE = struct.pack("<5I", 0x02000001, 1 << 1, 0, 0, 0).decode("ascii")


class Layout(NamedTuple):
    """How the host's system directories appear in the containers: links of the image, directories mounted read-only."""

    links: Tuple[Tuple[str, str], ...]
    mounts: Tuple[str, ...]


def make_layout(links: Mapping[str, Optional[str]], directories: Sequence[str]) -> Layout:
    """Layout from the targets of SYSTEM_DIRECTORIES that are links and the names of those that are directories.

    A merged /usr makes links of most of them; a link that leaves /usr is mounted like a directory instead.
    """
    kept = []
    mounts = ["/usr"]
    for path in SYSTEM_DIRECTORIES:
        target = links.get(path)
        if target and target.lstrip("/").startswith("usr/"):
            kept.append((path, target))
        elif path in directories:
            mounts.append(path)
    return Layout(tuple(kept), tuple(mounts))


def _member(name: str, mode: int, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name.lstrip("/"))
    member.type = kind
    member.mode = mode
    return member


def image_archive(layout: Layout, program: bytes, reader: bytes, token: str) -> bytes:
    """Tar archive of the image's root file system.

    C(reader) is a program that copies the file named by its argument to the standard output.
    """
    capable = _member("/probe/capable/cat", 0o755)
    capable.pax_headers = {"SCHILY.xattr.security.capability": CAP_DAC_OVERRIDE}
    files = (
        (_member(PROGRAM_PATH, 0o444), program),
        (_member("/probe/root-only", 0o400), token.encode("ascii")),
        (_member("/probe/setuid/cat", 0o4755), reader),
        (capable, reader),
    )
    buffer = io.BytesIO()
    with tarfile.TarFile(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in (*layout.mounts, "/probe", BAIT_PATH, "/probe/capable", "/probe/setuid", "/root"):
            archive.addfile(_member(path, 0o755, tarfile.DIRTYPE))
        for path, target in layout.links:
            link = _member(path, 0o777, tarfile.SYMTYPE)
            link.linkname = target
            archive.addfile(link)
        for member, data in files:
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def container_payload(
    image: str,
    run_id: str,
    command: Sequence[str],
    layout: Layout,
    network: bool,
    default_log: bool = False,
    publish: bool = False,
    security_options: Sequence[str] = (),
    host_cgroup_namespace: bool = False,
    bait: str = "",
    privileged: bool = False,
    share: str = "",
    scratch: str = "",
) -> Dict[str, Any]:
    """Body of POST /containers/create.

    C(share) is a directory of the host that the container may use as its owners and modes let it.
    Without further arguments the container gets the engine's own defaults for everything that a probe looks at; only
    its log driver is named, because the report is read from there. C(bait) is a directory of the host, mounted
    writable. C(scratch) is a directory to be empty and writable.
    """
    host: Dict[str, Any] = {
        "Mounts": [{"Type": "bind", "Source": path, "Target": path, "ReadOnly": True} for path in layout.mounts],
        "NetworkMode": "default" if network else "none",
    }
    body: Dict[str, Any] = {"Image": image, "Cmd": list(command), "Labels": {LABEL: run_id}, "HostConfig": host}
    if share:
        host["Mounts"].append({"Type": "bind", "Source": share, "Target": SHARE})
    if not default_log:
        host["LogConfig"] = {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "2"}}
    if security_options:
        host["SecurityOpt"] = list(security_options)
    if bait:
        host["Mounts"].append({"Type": "bind", "Source": bait, "Target": BAIT_PATH, "ReadOnly": False})
    if privileged:
        host["Privileged"] = True
    if scratch:
        host["Tmpfs"] = {scratch: "size=1m"}
    if host_cgroup_namespace:
        host["CgroupnsMode"] = "host"
    if publish:
        port = f"{PUBLISHED_PORT}/tcp"
        body["ExposedPorts"] = {port: {}}
        host["PortBindings"] = {port: [{"HostIp": "127.0.0.1", "HostPort": ""}]}
    return body
