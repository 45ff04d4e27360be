# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The throw-away image and its containers."""

from __future__ import annotations

import io
import struct
import tarfile

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._probe_image import (
    LABEL,
    Layout,
    container_payload,
    image_archive,
    make_layout,
)

MERGED = {"/bin": "usr/bin", "/sbin": "usr/sbin", "/lib": "usr/lib", "/lib64": "usr/lib64"}
LAYOUT = make_layout(MERGED, list(MERGED))


@pytest.mark.parametrize(
    ("links", "directories", "expected"),
    [
        (MERGED, list(MERGED), Layout(tuple(sorted(MERGED.items(), key=lambda x: (x[0] == "/sbin", x[0]))), ("/usr",))),
        ({"/bin": None}, ["/bin", "/lib"], Layout((), ("/usr", "/bin", "/lib"))),
        ({"/bin": "/usr/bin", "/lib": "/opt/lib"}, ["/bin", "/lib"], Layout((("/bin", "/usr/bin"),), ("/usr", "/lib"))),
        ({}, [], Layout((), ("/usr",))),
    ],
)
def test_layout_keeps_merged_links_and_mounts_the_rest(
    links: dict[str, str | None], directories: list[str], expected: Layout
) -> None:
    assert make_layout(links, directories) == expected


def members() -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(image_archive(LAYOUT, b"program", b"reader", "token"))) as archive:
        return {member.name: member for member in archive.getmembers()}


def test_image_has_privileged_readers_and_a_file_of_root() -> None:
    found = members()
    assert (found["probe/setuid/cat"].mode, found["probe/setuid/cat"].uid) == (0o4755, 0)
    assert (found["probe/root-only"].mode, found["probe/root-only"].uid) == (0o400, 0)
    assert found["probe/capable/cat"].mode == 0o755
    assert found["probe/program.py"].mode == 0o444
    assert (found["bin"].issym(), found["bin"].linkname) == (True, "usr/bin")
    assert found["usr"].isdir()


def test_image_gives_the_capability_to_override_file_permissions_and_no_other() -> None:
    headers = members()["probe/capable/cat"].pax_headers
    capability = headers["SCHILY.xattr.security.capability"].encode()
    assert struct.unpack("<5I", capability) == (0x02000001, 1 << 1, 0, 0, 0)
    assert [name for name, member in members().items() if "SCHILY" in str(member.pax_headers)] == ["probe/capable/cat"]


def test_image_carries_the_content_it_was_given() -> None:
    with tarfile.open(fileobj=io.BytesIO(image_archive(LAYOUT, b"program", b"reader", "token"))) as archive:
        contents = {member.name: archive.extractfile(member) for member in archive.getmembers() if member.isfile()}
        texts = {name: stream.read() for name, stream in contents.items() if stream}
    assert texts == {
        "probe/program.py": b"program",
        "probe/root-only": b"token",
        "probe/setuid/cat": b"reader",
        "probe/capable/cat": b"reader",
    }


def test_payload_of_a_plain_container_leaves_every_protection_to_the_engine() -> None:
    body = container_payload("image:1", "r1", ["python3", "x"], LAYOUT, network=True)
    host = body.pop("HostConfig")
    assert body == {"Image": "image:1", "Cmd": ["python3", "x"], "Labels": {LABEL: "r1"}}
    assert host.pop("Mounts") == [{"Type": "bind", "Source": "/usr", "Target": "/usr", "ReadOnly": True}]
    assert host.pop("LogConfig")["Type"] == "json-file"
    assert host == {"NetworkMode": "default"}


def test_payload_of_a_relaxed_container_switches_off_what_it_is_told_and_has_no_network() -> None:
    host = container_payload(
        "i", "r", [], LAYOUT, network=False, security_options=("no-new-privileges=false",), host_cgroup_namespace=True
    )["HostConfig"]
    assert host["NetworkMode"] == "none"
    assert host["SecurityOpt"] == ["no-new-privileges=false"]
    assert host["CgroupnsMode"] == "host"
    assert "Privileged" not in host


def test_payload_of_a_log_writer_leaves_the_log_driver_to_the_engine() -> None:
    assert "LogConfig" not in container_payload("i", "r", [], LAYOUT, network=False, default_log=True)["HostConfig"]


def test_payload_publishes_on_the_loopback_address_only() -> None:
    bindings = container_payload("i", "r", [], LAYOUT, network=True, publish=True)["HostConfig"]["PortBindings"]
    assert [entry["HostIp"] for entries in bindings.values() for entry in entries] == ["127.0.0.1"]
