# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging the engine: in force and after the next start, listeners, containers under profiles, seccomp, versions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._cis import (
    AppArmorFacts,
    CertificateFacts,
    Container,
    Engine,
    FileFacts,
    HostFacts,
    Judgement,
    Objects,
    ScannerFacts,
    Snapshot,
    UserEngineFacts,
)
from ansible_collections.bulwark.docker.plugins.module_utils._cis_own import open_holes
from ansible_collections.bulwark.docker.plugins.module_utils._cis_registry import CONTROLS, JUDGES
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import FileStat
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version, parse_version

BY_ID = {control.id: control for control in CONTROLS}
VERSION = Version(26, 1, 5)


def an_engine(**more: Any) -> Engine:
    """An engine that has read all of its file, unless something else is said."""
    known: dict[str, Any] = {
        "running_flags": {},
        "loaded": more.get("data", {}),
        "version": VERSION,
        "version_text": "26.1.5",
    }
    return Engine(**{"name": "system", "state": "running", **known, **more})


def judge(name: str, engine: Engine | None = None, facts: HostFacts | None = None, files: Any = ()) -> Judgement:
    engine = engine or an_engine()
    return JUDGES[name](BY_ID[name], Snapshot(0.0, (engine,), dict(files), facts or HostFacts()), engine)


def shown(name: str, effective: Any) -> dict[str, dict[str, Any]]:
    """A setting as docker info shows it."""
    return {
        name: {"effective": effective, "effective_from": "docker info: Field", "configured_in": "daemon.json line 2"}
    }


# icc as the bridge shows it, and as it is configured.
@pytest.mark.parametrize(
    ("configured", "in_force", "verdict", "word"),
    [
        (False, False, "pass", "False"),
        (True, True, "fail", "True"),
        (False, True, "fail", "not in force"),
        (True, False, "fail", "the next start"),
    ],
)
def test_both_the_running_engine_and_the_next_start_count(configured, in_force, verdict, word) -> None:
    found = judge("icc_default_bridge", an_engine(data={"icc": configured}, settings=shown("icc", in_force)))
    assert (found.verdict, found.configured, found.effective) == (verdict, configured, in_force)
    assert word in found.reason


@pytest.mark.parametrize(
    ("engine", "verdict"),
    [
        (an_engine(data={"userland-proxy": False}), "pass"),
        (an_engine(), "fail"),
        # Written behind the engine's start: nobody can tell, and the engine has not read it.
        (an_engine(data={"userland-proxy": False}, loaded=None), "fail"),
        (an_engine(data={"userland-proxy": False}, loaded={}), "fail"),
        (an_engine(data={}, loaded={"userland-proxy": False}), "fail"),
        # By flag; the text of the flag counts, not its presence.
        (an_engine(flags={"userland-proxy": ("false",)}, running_flags={"userland-proxy": ("false",)}), "pass"),
        (an_engine(flags={"userland-proxy": ("false", "true")}, running_flags={"userland-proxy": ("true",)}), "fail"),
        (an_engine(flags={"userland-proxy": ("false",)}), "fail"),
        (an_engine(flags={"userland-proxy": ("false",)}, running_flags=None, user="ann"), "pass"),
    ],
)
def test_settings_that_the_engine_does_not_show(engine: Engine, verdict: str) -> None:
    assert judge("userland_proxy", engine).verdict == verdict


def test_a_flag_that_says_false_is_not_credited() -> None:
    flags = {"no-new-privileges": ("false",)}
    assert judge("no_new_privileges_default", an_engine(flags=flags, running_flags=flags)).verdict == "fail"


@pytest.mark.parametrize(
    ("data", "verdict"),
    [({}, "pass"), ({"log-level": "warn"}, "fail"), ({"debug": True}, "fail"), ({"log-level": "info"}, "pass")],
)
def test_log_level(data: dict[str, Any], verdict: str) -> None:
    assert judge("log_level", an_engine(data=data)).verdict == verdict


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        ({}, "pass"),
        ({"iptables": False}, "fail"),
        ({"ip6tables": False}, "pass"),
        ({"ip6tables": False, "ipv6": True}, "fail"),
    ],
)
def test_firewall_rules(data: dict[str, Any], verdict: str) -> None:
    assert judge("firewall_rules", an_engine(data=data)).verdict == verdict


@pytest.mark.parametrize(
    ("options", "data", "user", "verdict"),
    [
        ([], {}, "", "fail"),
        (["name=userns"], {"userns-remap": "default"}, "", "pass"),
        (["name=userns"], {}, "", "fail"),
        ([], {"userns-remap": "default"}, "", "fail"),
        (["name=rootless"], {}, "ann", "pass"),
        (["name=usernswhatever"], {"userns-remap": "default"}, "", "fail"),
    ],
)
def test_userns_remap(options, data, user, verdict) -> None:
    assert judge("userns_remap", an_engine(info={"SecurityOptions": options}, data=data, user=user)).verdict == verdict


@pytest.mark.parametrize(
    ("options", "data", "verdict"),
    [
        (["name=seccomp,profile=builtin"], {}, "pass"),
        (["name=seccomp,profile=unconfined"], {}, "fail"),
        ([], {}, "fail"),
        (["name=seccomp,profile=builtin"], {"seccomp-profile": "unconfined"}, "fail"),
    ],
)
def test_seccomp_by_default(options, data, verdict) -> None:
    assert judge("seccomp_default", an_engine(info={"SecurityOptions": options}, data=data)).verdict == verdict


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        ({}, "manual"),
        ({"log-driver": "none"}, "fail"),
        ({"log-driver": "journald"}, "manual"),
        ({"log-driver": "syslog"}, "manual"),
        ({"log-driver": "syslog", "log-opts": {"syslog-address": "udp://127.0.0.1:514"}}, "manual"),
        ({"log-driver": "syslog", "log-opts": {"syslog-address": "tcp+tls://logs.example:6514"}}, "pass"),
        ({"log-driver": "vendor/plugin"}, "manual"),
    ],
)
def test_remote_logging(data: dict[str, Any], verdict: str) -> None:
    assert judge("remote_logging", an_engine(data=data)).verdict == verdict


TLS = {"client_certificate_demanded": True}


def listener(**more: Any) -> dict[str, Any]:
    return {"kind": "tcp", "address": "192.0.2.1", "port": 2375, "plaintext": False, "tls": None, **more}


@pytest.mark.parametrize(
    ("listeners", "flags", "verdict"),
    [
        ([], {}, "not_applicable"),
        ([listener(plaintext=True)], {}, "fail"),
        ([listener(tls={"client_certificate_demanded": False})], {}, "fail"),
        ([listener(tls=TLS)], {"hosts": ("tcp://192.0.2.1:2375",), "tlsverify": ("true",)}, "pass"),
        # A port for metrics is no API.
        ([listener()], {}, "not_applicable"),
        # What the next start opens counts too.
        ([], {"hosts": ("tcp://192.0.2.1:2375",)}, "fail"),
        ([], {"hosts": ("tcp://192.0.2.1:2375",), "tlsverify": ("false",)}, "fail"),
    ],
)
def test_listeners(listeners, flags, verdict) -> None:
    engine = an_engine(report={"listeners": listeners}, flags=flags)
    assert judge("tls_verified_clients", engine).verdict == verdict
    if not flags:
        assert judge("plaintext_listener", engine).verdict == (
            "fail" if verdict == "fail" and listeners[0]["plaintext"] else "pass"
        )


@pytest.mark.parametrize(
    ("plugins", "data", "members", "listeners", "verdict"),
    [
        (["guard"], {"authorization-plugins": ["guard"]}, (), [], "pass"),
        (["guard"], {}, (), [], "fail"),
        (None, {"authorization-plugins": ["guard"]}, (), [], "fail"),
        (None, {}, (), [], "not_applicable"),
        (None, {}, ("eve",), [], "manual"),
        (None, {}, (), [listener(tls=TLS)], "manual"),
        (None, {}, (), [listener(plaintext=True)], "fail"),
    ],
)
def test_authorization(plugins, data, members, listeners, verdict) -> None:
    engine = an_engine(info={"Plugins": {"Authorization": plugins}}, data=data, report={"listeners": listeners})
    assert judge("authorization_plugin", engine, HostFacts(members=members)).verdict == verdict


@pytest.mark.parametrize(("state", "verdict"), [("active", "not_applicable"), ("inactive", "pass")])
def test_live_restore_is_not_demanded_of_a_swarm(state: str, verdict: str) -> None:
    engine = an_engine(
        info={"Swarm": {"LocalNodeState": state}}, settings=shown("live-restore", True), data={"live-restore": True}
    )
    assert judge("live_restore", engine).verdict == verdict


PROFILES = {"docker-default": "enforce", "soft": "complain"}


def a_container(profile: str, label: str, mode: str = "enforce", pid: int = 7) -> Container:
    return Container(
        "web", {"AppArmorProfile": profile, "State": {"Pid": pid}, "HostConfig": {}}, label=label, mode=mode
    )


@pytest.mark.parametrize(
    ("one", "verdict"),
    [
        (a_container("docker-default", "docker-default"), "pass"),
        # The kernel has no such profile any more: the name alone is what others look at.
        (a_container("gone", "gone"), "fail"),
        (a_container("docker-default", "unconfined", ""), "fail"),
        (a_container("soft", "soft", "complain"), "fail"),
        (a_container("docker-default", "other"), "fail"),
        (a_container("gone", "", "", pid=0), "fail"),
        (a_container("docker-default", "", "", pid=0), "pass"),
        # That it asks for none is the business of another control.
        (a_container("unconfined", "unconfined", ""), "pass"),
    ],
)
def test_apparmor_profiles_have_to_be_loaded(one: Container, verdict: str) -> None:
    engine = an_engine(objects=Objects(containers=(one,)))
    facts = HostFacts(apparmor=AppArmorFacts(profiles=PROFILES))
    assert judge("apparmor_profiles_enforced", engine, facts).verdict == verdict


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        (AppArmorFacts(unavailable="no AppArmor"), "not_applicable"),
        (AppArmorFacts(default_state="current", default_reason="r"), "pass"),
        (AppArmorFacts(default_state="stale", default_reason="r"), "fail"),
        (AppArmorFacts(default_state="missing", default_reason="r"), "fail"),
        (AppArmorFacts(default_state="foreign", default_reason="r"), "manual"),
    ],
)
def test_the_engines_own_profile(facts: AppArmorFacts, verdict: str) -> None:
    assert judge("apparmor_default_profile", facts=HostFacts(apparmor=facts)).verdict == verdict
    assert judge("apparmor_profiles_enforced", facts=HostFacts(apparmor=facts)).verdict == "not_applicable"


REFUSING = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "syscalls": [{"names": ["read", "write", "exit"], "action": "SCMP_ACT_ALLOW"}],
}
ALLOWING = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mount"], "action": "SCMP_ACT_ERRNO"}]}


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("{}", "fail"),
        ("", "fail"),
        ("[]", "fail"),
        (json.dumps(ALLOWING), "fail"),
        ('{"defaultAction": "SCMP_ACT_ALLOW"}', "fail"),
    ],
)
def test_seccomp_profiles_that_refuse_nothing(text: str, verdict: str) -> None:
    assert judge("seccomp_profiles_effective", an_engine(seccomp_profile=text.encode())).verdict == verdict
    one = Container("web", {"HostConfig": {"SecurityOpt": ["seccomp=" + text]}})
    found = judge("seccomp_profiles_effective", an_engine(objects=Objects(containers=(one,))))
    assert found.verdict == verdict
    assert found.findings[0][0] == "web"


def test_seccomp_by_name_is_no_profile() -> None:
    one = Container("web", {"HostConfig": {"SecurityOpt": ["seccomp=unconfined", "seccomp:builtin", "label=disable"]}})
    assert (
        judge("seccomp_profiles_effective", an_engine(objects=Objects(containers=(one,)))).verdict == "not_applicable"
    )


@pytest.mark.parametrize(
    ("version", "holes"),
    [
        ("20.10.24", 5),
        ("24.0.9", 5),
        ("25.0.5", 5),
        ("25.0.17", 2),
        ("26.1.5", 4),
        ("28.5.2", 3),
        ("29.3.0", 3),
        ("29.4.3", 1),
        ("29.7.2", 0),
    ],
)
def test_known_holes(version: str, holes: int) -> None:
    assert len(open_holes(parse_version(version))) == holes
    engine = an_engine(version=parse_version(version), version_text=version)
    assert judge("engine_version_floor", engine).verdict == ("fail" if holes else "pass")
    packaged = an_engine(version=parse_version(version), version_text=version + "+dfsg1")
    assert judge("engine_version_floor", packaged).verdict == ("manual" if holes else "pass")


@pytest.mark.parametrize(
    ("engine", "word"),
    [
        (an_engine(report={"settings": [{"name": "icc", "pending": "restart", "reason": "needs a restart"}]}), "icc"),
        (an_engine(needs_reload=True), "daemon-reload"),
        (an_engine(flags={"icc": ("false",)}), "other flags (icc)"),
        (an_engine(report={"uncommitted": True}), "earlier run"),
        (an_engine(report={"listener": {"drift": ["the package changed"], "differences": []}}), "package"),
    ],
)
def test_what_is_not_in_force(engine: Engine, word: str) -> None:
    found = judge("settings_in_force", engine)
    assert found.verdict == "fail"
    assert word in str(found.findings)


def test_an_engine_with_everything_in_force() -> None:
    report = {"settings": [{"name": "icc", "pending": "nothing", "reason": ""}]}
    assert judge("settings_in_force", an_engine(report=report)).verdict == "pass"


def test_faults_of_the_host_that_others_look_past() -> None:
    everybody = FileFacts("/run/open.sock", "/run/open.sock", FileStat("socket", 0o666, 0, 0, 0, 0, 0))
    assert judge("open_api_socket", files={"sockets system": (everybody,)}).verdict == "fail"
    socket_unit = {"socket": (everybody,)}
    assert judge("socket_unit_tcp", facts=HostFacts(socket_ports=("[::]:2375",)), files=socket_unit).verdict == "fail"
    assert judge("socket_unit_tcp", files=socket_unit).verdict == "pass"
    assert judge("socket_unit_tcp").verdict == "not_applicable"
    clash = HostFacts(subordinate_files=("/etc/subuid",), shared_ids=("line 2",))
    assert judge("subordinate_ids", facts=clash).verdict == "fail"
    assert judge("subordinate_ids", facts=clash.__class__(subordinate_files=("/etc/subuid",))).verdict == "pass"
    ending = CertificateFacts("/c", "Dec 1", False, True)
    assert judge("certificates_valid", facts=HostFacts(certificates=(ending,))).verdict == "fail"
    assert judge("certificates_valid", facts=HostFacts(certificates=(ending._replace(soon=False),))).verdict == "pass"
    scanner = ScannerFacts("clamav", "scans /var/lib/docker")
    assert judge("scanners_kept_out", facts=HostFacts(scanners=(scanner,))).verdict == "fail"


@pytest.mark.parametrize(
    ("mode", "uid", "registries", "configuration", "insecure"),
    [
        (0o600, 1000, (), "pass", "pass"),
        (0o644, 0, (), "pass", "pass"),
        (0o666, 1000, ("registry:5000",), "fail", "fail"),
        (0o644, 1001, (), "fail", "pass"),
    ],
)
def test_configuration_of_rootless_engines(mode, uid, registries, configuration, insecure) -> None:
    one = FileFacts("/home/ann/daemon.json", "/home/ann/daemon.json", FileStat("file", mode, uid, 0, 0, 0, 0))
    facts = HostFacts(users=(UserEngineFacts("ann", 1000, (one,), registries, ""),))
    assert judge("rootless_configuration", facts=facts).verdict == configuration
    assert judge("rootless_insecure_registries", facts=facts).verdict == insecure
