# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging the host and its files: modes bit by bit, links, groups, audit rules by their meaning, releases."""

from __future__ import annotations

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._audit_rules import Watch, parse_meaning, render_rules
from ansible_collections.bulwark.docker.plugins.module_utils._cis import (
    NO_ENGINE,
    AuditFacts,
    Engine,
    FileFacts,
    HostFacts,
    Judgement,
    Snapshot,
)
from ansible_collections.bulwark.docker.plugins.module_utils._cis_files import excess
from ansible_collections.bulwark.docker.plugins.module_utils._cis_host import is_packaged, is_recorded
from ansible_collections.bulwark.docker.plugins.module_utils._cis_registry import CONTROLS, JUDGES
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import FileStat
from ansible_collections.bulwark.docker.plugins.module_utils._version import parse_version

BY_ID = {control.id: control for control in CONTROLS}


def judge(name: str, snapshot: Snapshot, engine: Engine = NO_ENGINE) -> Judgement:
    return JUDGES[name](BY_ID[name], snapshot, engine)


def one_file(kind: str, path: str, mode: int = 0o644, uid: int = 0, gid: int = 0, **more: str) -> Snapshot:
    form = more.get("form", "file")
    facts = FileFacts(path, more.get("real", path), FileStat(form, mode, uid, gid, 1, 0, 0), more.get("exposed", ""))
    return Snapshot(0.0, (), {kind: (facts,)}, HostFacts(group_ids=(0, 102)))


@pytest.mark.parametrize(
    ("mode", "allowed", "beyond"),
    [
        (0o644, 0o644, 0),
        (0o600, 0o644, 0),
        (0o622, 0o644, 0o022),
        (0o577, 0o644, 0o133),
        (0o607, 0o644, 0o003),
        (0o626, 0o644, 0o022),
        (0o4644, 0o644, 0o4000),
        (0o440, 0o400, 0o040),
        (0o722, 0o755, 0o022),
    ],
)
def test_modes_are_compared_bit_by_bit(mode: int, allowed: int, beyond: int) -> None:
    assert excess(mode, allowed) == beyond


@pytest.mark.parametrize(("mode", "verdict"), [(0o644, "pass"), (0o600, "pass"), (0o622, "fail"), (0o577, "fail")])
def test_mode_of_a_unit(mode: int, verdict: str) -> None:
    found = judge("service_unit_mode", one_file("service", "/u", mode))
    assert found.verdict == verdict
    assert (found.configured, found.effective) == ("0644", [f"{mode:04o}"])


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, "pass"),
        ({"uid": 1000}, "fail"),
        ({"gid": 50}, "fail"),
        ({"real": "/home/eve/x", "exposed": "/home/eve"}, "fail"),
        ({"real": "/opt/x"}, "pass"),
    ],
)
def test_owner_of_a_file_and_of_what_it_leads_to(change: dict[str, object], verdict: str) -> None:
    assert judge("daemon_json_owner", one_file("config", "/etc/docker/daemon.json", **change)).verdict == verdict


@pytest.mark.parametrize(("gid", "verdict"), [(102, "pass"), (0, "pass"), (1, "fail")])
def test_the_engines_group_may_own_the_socket(gid: int, verdict: str) -> None:
    assert judge("api_socket_owner", one_file("api_socket", "/run/docker.sock", 0o660, gid=gid)).verdict == verdict


def test_keys_have_to_be_closer_than_certificates() -> None:
    key = one_file("registry_keys", "/k", 0o444)
    assert judge("registry_certificates_mode", key).verdict == "fail"
    assert judge("registry_certificates_mode", one_file("registry_certificates", "/c", 0o444)).verdict == "pass"


def test_absent_files_and_masked_units_are_not_applicable() -> None:
    assert judge("sysconfig_mode", Snapshot(0.0, ())).verdict == "not_applicable"
    masked = one_file("service", "/etc/systemd/system/docker.service", 0o666, form="other")
    assert judge("service_unit_mode", masked).verdict == "not_applicable"


PATH = "/etc/docker"
GOOD_RULES = [
    "-w /etc/docker -p wa -k x",
    "-w /etc/docker/ -p rwxa -k x",
    "-w /etc/docker -k x",
    "-w /etc -p wa -k x",
    "-a always,exit -F dir=/etc/docker -F perm=wa -F key=x",
    "-a always,exit -F arch=b64 -S all -F path=/etc/docker -F perm=wa -F key=x",
    *render_rules(Watch("x", "dir", PATH), "x86_64", "modern"),
    *render_rules(Watch("x", "path", PATH, unless="/usr/bin/dockerd"), "x86_64", "modern"),
]
BAD_RULES = [
    "-w /etc/docker/certs.d -p wa -k x",
    "-w /etc/dock -p wa -k x",
    "-w /etc/docker -p r -k x",
    "-w /etc/docker -p w -k x",
    "-a never,exit -F dir=/etc/docker -F perm=wa -F key=x",
    "-a always,exit -F dir=/etc/docker -F perm=wa -F auid=1000 -F key=x",
    "-a always,exit -F dir=/etc/docker -F perm=wa -F exe=/usr/bin/cat -F key=x",
    "-a always,exit -F arch=b64 -S mount -F dir=/etc/docker -F perm=wa -F key=x",
    "-a always,exit -S all -F key=docker",
]


@pytest.mark.parametrize("rule", GOOD_RULES)
def test_rules_that_record_a_path(rule: str) -> None:
    meaning = parse_meaning(rule)
    assert meaning is not None
    assert is_recorded(meaning, PATH)


@pytest.mark.parametrize("rule", BAD_RULES)
def test_rules_that_only_look_like_it(rule: str) -> None:
    meaning = parse_meaning(rule)
    assert meaning is None or not is_recorded(meaning, PATH)


@pytest.mark.parametrize(
    ("audit", "verdict"),
    [
        (AuditFacts(rules=("-w /etc/docker -p wa -k x",)), "pass"),
        (AuditFacts(rules=("-w /etc/docker/tls -p wa -k x", "what is this")), "fail"),
        (AuditFacts(broken="switched off", rules=("-w /etc/docker -p wa -k x",)), "fail"),
        (AuditFacts(unreachable="a container"), "not_applicable"),
    ],
)
def test_audit_rules_have_to_be_loaded(audit: AuditFacts, verdict: str) -> None:
    snapshot = one_file("directory", PATH, 0o755, form="directory")
    snapshot = Snapshot(0.0, (), snapshot.files, HostFacts(audit=audit))
    assert judge("audit_configuration", snapshot).verdict == verdict
    assert judge("audit_sysconfig", snapshot).verdict == "not_applicable"


@pytest.mark.parametrize(
    ("rule", "verdict", "word"),
    [
        ("-w /run/containerd/containerd.sock -p wa -k x", "pass", ""),
        ("-a always,exit -F arch=b64 -S all -F path=/run/containerd -F perm=wa -F key=x", "pass", "chmod is not"),
        ("-w /run/docker.sock -p wa -k x", "fail", ""),
    ],
)
def test_a_socket_may_be_recorded_by_its_directory(rule: str, verdict: str, word: str) -> None:
    path = "/run/containerd/containerd.sock"
    files = one_file("containerd_socket", path, 0o660, form="socket").files
    found = judge("audit_containerd_socket", Snapshot(0.0, (), files, HostFacts(audit=AuditFacts(rules=(rule,)))))
    assert found.verdict == verdict
    assert word in "".join(found.evidence)


@pytest.mark.parametrize(
    ("root", "mounts", "verdict"),
    [
        ("/var/lib/docker", ("/", "/var/lib/docker"), "pass"),
        ("/var/lib/docker", ("/", "/var"), "fail"),
        ("/var/lib/docker", ("/", "/var/lib/dock"), "fail"),
        ("/var/lib/docker/100000.100000", ("/", "/var/lib/docker"), "pass"),
        ("/var/lib/docker/100000.100000", ("/",), "fail"),
    ],
)
def test_the_data_root_needs_a_mount_of_its_own(root: str, mounts: tuple[str, ...], verdict: str) -> None:
    found = judge("data_root_mount", Snapshot(0.0, (), facts=HostFacts(mounts=mounts, data_directories=(root,))))
    assert found.verdict == verdict


@pytest.mark.parametrize(
    ("members", "trusted", "verdict"),
    [
        (None, (), "not_applicable"),
        ((), (), "pass"),
        (("eve",), (), "manual"),
        (("eve",), ("bob",), "fail"),
        (("bob",), ("bob",), "pass"),
    ],
)
def test_members_of_the_engines_group(members, trusted, verdict) -> None:
    snapshot = Snapshot(0.0, (), facts=HostFacts(members=members), trusted=trusted)
    assert judge("docker_group_members", snapshot).verdict == verdict


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("20.10.24", "fail"),
        ("20.10.24+dfsg1", "manual"),
        ("25.0.16", "fail"),
        ("25.0.17", "pass"),
        ("28.5.2", "fail"),
        ("29.0.0", "fail"),
        ("29.8.0", "pass"),
    ],
)
def test_releases(text: str, verdict: str) -> None:
    engine = Engine("system", "running", version=parse_version(text), version_text=text)
    assert judge("engine_maintained", Snapshot(0.0, (engine,)), engine).verdict == verdict
    assert is_packaged(text) == ("dfsg" in text)
