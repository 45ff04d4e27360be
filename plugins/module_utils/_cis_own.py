# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging what the benchmark does not ask for (pure, private)."""

from __future__ import annotations

import json
from typing import Dict, List, Mapping, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._apparmor_kernel import (
    Label,
    container_finding,
    stopped_finding,
)
from ansible_collections.bulwark.docker.plugins.module_utils._cis import (
    Control,
    Engine,
    FileFacts,
    Judge,
    Judgement,
    Snapshot,
    failed,
    manual,
    not_applicable,
    over_objects,
    passed,
)
from ansible_collections.bulwark.docker.plugins.module_utils._cis_host import is_packaged
from ansible_collections.bulwark.docker.plugins.module_utils._cis_registry_own import FLOORS
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_lint import lint_profile
from ansible_collections.bulwark.docker.plugins.module_utils._transaction import mask_credentials
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version

__all__ = ["OWN_JUDGES", "open_holes"]

# Findings of the linter that mean "refuses nothing that matters", beside the fatal ones.
USELESS = ("default_allows", "takeover_allowed")
SECCOMP_OPTION = "seccomp="


def open_holes(version: Version) -> List[str]:
    """What is known to be wrong with a version, each with the versions that mend it."""
    found = []
    for floor in FLOORS:
        mended = version >= max(floor.fixed) or any(
            fixed[0] == version.major and version >= fixed for fixed in floor.fixed
        )
        if not mended:
            found.append(f"{floor.what} (mended in {', '.join('.'.join(map(str, fixed)) for fixed in floor.fixed)})")
    return found


def _version_floor(_control: Control, _snapshot: Snapshot, engine: Engine) -> Judgement:
    if engine.version is None:
        return not_applicable("the version of the engine is not known")
    holes = open_holes(engine.version)
    shown = engine.version_text
    if not holes:
        return passed(f"{shown} has the fixes of all holes known here", effective=shown)
    if is_packaged(shown):
        return manual(
            f"{shown} is your distribution's, which may have mended these: see its tracker", None, shown, holes
        )
    return failed(f"{shown} has {len(holes)} known holes", None, shown, holes)


def _socket_unit_tcp(_control: Control, snapshot: Snapshot, _engine: Engine) -> Judgement:
    ports = list(snapshot.facts.socket_ports)
    if ports:
        return failed("docker.socket listens on TCP, and systemd knows no TLS", None, ports, ports)
    if not snapshot.files.get("socket"):
        return not_applicable("there is no docker.socket")
    return passed("docker.socket listens on no TCP port", None, ports)


def _plaintext_listener(_control: Control, _snapshot: Snapshot, engine: Engine) -> Judgement:
    ports = [entry for entry in engine.report.get("listeners", ()) if entry["kind"] == "tcp"]
    findings = [
        (f"{entry['address']} port {entry['port']}", "answers the API in plaintext")
        for entry in ports
        if entry["plaintext"]
    ]
    if not ports:
        return passed("the engine listens on no TCP port", effective=[])
    return over_objects(findings, len(ports), "TCP ports", "none answers the API in plaintext")


def _open_api_socket(_control: Control, snapshot: Snapshot, engine: Engine) -> Judgement:
    sockets = snapshot.files.get(f"sockets {engine.name}", ())
    findings = [
        (one.path, f"has mode {one.facts.mode:04o}, so everybody on this host may use the API")
        for one in sockets
        if one.facts.mode & 0o002
    ]
    return over_objects(findings, len(sockets), "sockets", "none can be used by everybody")


def _settings_in_force(_control: Control, _snapshot: Snapshot, engine: Engine) -> Judgement:
    report = engine.report
    settings = report.get("settings", ())
    findings = [(entry["name"], str(entry["reason"])) for entry in settings if entry["pending"] != "nothing"]
    listener = report.get("listener") or {}
    findings += [("listener", text) for text in (*listener.get("drift", ()), *listener.get("differences", ()))]
    if engine.needs_reload:
        findings.append(("unit", "changed on disk, and systemd has not read it: systemctl daemon-reload"))
    if engine.running_flags is not None and dict(engine.running_flags) != dict(engine.flags):
        changed = sorted(
            key
            for key in {*engine.running_flags, *engine.flags}
            if engine.running_flags.get(key) != engine.flags.get(key)
        )
        findings.append(("command line", f"the engine was started with other flags ({', '.join(changed)})"))
    if report.get("uncommitted"):
        findings.append(("settings", "an earlier run wrote settings and never brought them into force"))
    return over_objects(findings, max(len(settings), 1), "settings", "all are in force")


def _configuration_sound(_control: Control, _snapshot: Snapshot, engine: Engine) -> Judgement:
    problems = list((engine.report.get("config") or {}).get("problems", ()))
    if problems:
        return failed("the configuration has faults", None, None, problems)
    return passed("nothing was found in daemon.json and the flags that the engine would refuse or ignore")


def _containers_older(_control: Control, _snapshot: Snapshot, engine: Engine) -> Judgement:
    containers = engine.report.get("containers", ())
    findings = [(str(entry["name"]), text) for entry in containers for text in entry["findings"]]
    return over_objects(findings, len(containers), "running containers", "each has the settings of today")


def _apparmor_default(_control: Control, snapshot: Snapshot, _engine: Engine) -> Judgement:
    facts = snapshot.facts.apparmor
    if facts.unavailable:
        return not_applicable(facts.unavailable)
    if facts.default_state in ("stale", "missing"):
        return failed(facts.default_reason, None, facts.default_state)
    if facts.default_state in ("current", "kept_by_engine"):
        return passed(facts.default_reason, None, facts.default_state)
    return manual(facts.default_reason, None, facts.default_state)


def _apparmor_profiles(_control: Control, snapshot: Snapshot, engine: Engine) -> Judgement:
    facts = snapshot.facts.apparmor
    if facts.unavailable:
        return not_applicable(facts.unavailable)
    findings: List[Tuple[str, str]] = []
    for one in engine.objects.containers:
        wanted = str(one.details.get("AppArmorProfile") or "")
        if one.running:
            # Who asks for none, or for all privileges, is found by other controls.
            if wanted == "unconfined" or (not wanted and one.host_config.get("Privileged")):
                continue
            problem = container_finding(wanted, Label(one.label, one.mode), facts.profiles)
            findings += [(one.name, problem[1])] if problem else []
        else:
            sentence = stopped_finding(wanted, list(facts.profiles))
            findings += [(one.name, sentence)] if sentence else []
    return over_objects(findings, len(engine.objects.containers), "containers", "each runs under its profile")


def _seccomp_profiles(_control: Control, _snapshot: Snapshot, engine: Engine) -> Judgement:
    findings: List[Tuple[str, str]] = []
    seen = 0
    profiles: Dict[bytes, List[str]] = {}
    if engine.seccomp_profile is not None:
        profiles.setdefault(engine.seccomp_profile, []).append("daemon.json")
    for one in engine.objects.containers:
        for option in one.host_config.get("SecurityOpt") or ():
            text = str(option).replace("seccomp:", SECCOMP_OPTION, 1)
            if text.startswith(SECCOMP_OPTION) and text[len(SECCOMP_OPTION) :] not in ("unconfined", "builtin"):
                profiles.setdefault(text[len(SECCOMP_OPTION) :].encode("utf-8"), []).append(one.name)
    for raw, names in profiles.items():
        seen += len(names)
        problem = _profile_problem(raw, engine.version)
        findings += [(name, problem) for name in names if problem]
    return over_objects(findings, seen, "seccomp profiles", "each refuses what it should")


def _profile_problem(raw: bytes, version: object) -> str:
    """Why a profile refuses nothing, "" when it does."""
    try:
        value = json.loads(raw.decode("utf-8"))
    except ValueError:
        return "has a profile that cannot be read"
    if not isinstance(value, Mapping) or not value.get("syscalls"):
        action = value.get("defaultAction", "") if isinstance(value, Mapping) else ""
        if action in ("", "SCMP_ACT_ALLOW", "SCMP_ACT_LOG"):
            return "has an empty profile, with which nothing is filtered"
    found = lint_profile(raw, version, "its profile") if isinstance(version, Version) and version >= (20, 10) else []
    bad = [one for one in found if one.severity == "fatal" or one.code in USELESS]
    return f"has a profile that does not protect ({bad[0].code}: {bad[0].message})" if bad else ""


def _subordinate_ids(_control: Control, snapshot: Snapshot, _engine: Engine) -> Judgement:
    facts = snapshot.facts
    if not facts.subordinate_files:
        return not_applicable("this host has neither /etc/subuid nor /etc/subgid")
    if facts.shared_ids:
        return failed("subordinate ids are given away twice, or readers disagree", None, None, list(facts.shared_ids))
    return passed("every subordinate id has one owner", evidence=list(facts.subordinate_files))


def _certificates_valid(_control: Control, snapshot: Snapshot, _engine: Engine) -> Judgement:
    found = snapshot.facts.certificates
    findings = [
        (one.path, f"expired on {one.ends}" if one.expired else f"expires on {one.ends}")
        for one in found
        if one.expired or one.soon
    ]
    return over_objects(findings, len(found), "certificates", "each is valid for another month")


def _scanners_kept_out(_control: Control, snapshot: Snapshot, _engine: Engine) -> Judgement:
    scanners = snapshot.facts.scanners
    findings = [(one.name, one.problem) for one in scanners if one.problem]
    return over_objects(findings, len(scanners), "scanners", "each leaves the engines' data out")


def _rootless_configuration(_control: Control, snapshot: Snapshot, _engine: Engine) -> Judgement:
    findings: List[Tuple[str, str]] = []
    seen: List[FileFacts] = []
    for user in snapshot.facts.users:
        seen += user.files
        for one in user.files:
            if one.facts.uid not in (0, user.uid):
                findings.append((one.path, f"belongs to the user {one.facts.uid}"))
            if one.facts.mode & 0o022:
                findings.append(
                    (one.path, f"has mode {one.facts.mode:04o}, so others than {user.user} may write to it")
                )
    return over_objects(findings, len(seen), "files of rootless engines", "only its user can change each")


def _rootless_registries(_control: Control, snapshot: Snapshot, _engine: Engine) -> Judgement:
    users = snapshot.facts.users
    findings = [
        (user.user, f"uses {mask_credentials(', '.join(user.insecure_registries))} without verified TLS")
        for user in users
        if user.insecure_registries
    ]
    findings += [
        (user.user, f"has a configuration that cannot be read: {user.problem}") for user in users if user.problem
    ]
    return over_objects(findings, len(users), "rootless engines", "none is configured with insecure registries")


OWN_JUDGES: Dict[str, Judge] = {
    "apparmor_default_profile": _apparmor_default,
    "apparmor_profiles_enforced": _apparmor_profiles,
    "certificates_valid": _certificates_valid,
    "configuration_sound": _configuration_sound,
    "containers_older_than_settings": _containers_older,
    "engine_version_floor": _version_floor,
    "open_api_socket": _open_api_socket,
    "plaintext_listener": _plaintext_listener,
    "rootless_configuration": _rootless_configuration,
    "rootless_insecure_registries": _rootless_registries,
    "scanners_kept_out": _scanners_kept_out,
    "seccomp_profiles_effective": _seccomp_profiles,
    "settings_in_force": _settings_in_force,
    "socket_unit_tcp": _socket_unit_tcp,
    "subordinate_ids": _subordinate_ids,
}
