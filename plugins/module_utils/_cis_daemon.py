# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging the engine's settings by what is in force, and by what the next start would bring (pure, private)."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence

from ansible_collections.bulwark.docker.plugins.module_utils._cis import (
    Control,
    Engine,
    Judge,
    Judgement,
    Snapshot,
    failed,
    manual,
    not_applicable,
    passed,
)
from ansible_collections.bulwark.docker.plugins.module_utils._engine_keys import KEYS
from ansible_collections.bulwark.docker.plugins.module_utils._go_values import TRUTH

__all__ = ["DAEMON_JUDGES", "Setting", "setting_of"]

READABLE = ("docker info", "network")
REMOTE_DRIVERS = ("awslogs", "fluentd", "gcplogs", "gelf", "logentries", "splunk", "syslog")
LOCAL_DRIVERS = ("json-file", "local", "journald")


class Setting(NamedTuple):
    """One key: what the next start uses, what is in force (meaningless unless C(known)), and where each was read."""

    intended: Any
    effective: Any
    known: bool
    where: str


def _from_flag(key: str, given: Sequence[str]) -> Any:
    shape = KEYS[key].shape
    if shape in ("bool", "opt_bool"):
        return TRUTH.get(given[-1], given[-1])
    return given[-1] if shape == "str" else list(given)


def setting_of(engine: Engine, key: str, default: Any) -> Setting:
    """A key of daemon.json, or the flag of that name, with the default that the engine has."""
    entry = engine.settings.get(key, {})
    intended, where = default, "engine default"
    if key in engine.data:
        intended, where = engine.data[key], str(entry.get("configured_in", "daemon.json"))
    elif key in engine.flags:
        intended, where = _from_flag(key, engine.flags[key]), str(entry.get("configured_in", "flag"))
    source = str(entry.get("effective_from", ""))
    if source.startswith(READABLE):
        return Setting(intended, entry["effective"], True, f"{where}; {source}")
    if engine.running_flags is not None and key in engine.running_flags:
        return Setting(intended, _from_flag(key, engine.running_flags[key]), True, f"{where}; flag of the process")
    if engine.running_flags is None and key in engine.flags:
        # The line of a rootless engine's own process is not read; it is that of its unit since the last start.
        return Setting(intended, intended, True, where)
    if engine.loaded is not None:
        return Setting(intended, engine.loaded.get(key, default), True, f"{where}; as the engine read it")
    return Setting(intended, default, key not in engine.data, where)


def _judge_setting(found: Setting, fine: Callable[[Any], bool], key: str) -> Judgement:
    """Both have to be fine: what is in force, and what the next start brings."""
    evidence = [found.where]
    effective = found.effective if found.known else None
    if not found.known:
        reason = f"{key} is configured, but the file is newer than the engine, and nobody can see what it read"
        if not fine(found.intended):
            reason = f"{key} is configured as {found.intended!r}"
        return failed(reason, found.intended, effective, evidence)
    if not fine(found.effective):
        pending = " (configured, but not in force)" if fine(found.intended) else ""
        return failed(
            f"{key} is {found.effective!r} in the running engine{pending}", found.intended, effective, evidence
        )
    if not fine(found.intended):
        return failed(
            f"{key} is configured as {found.intended!r}, which the next start uses", found.intended, effective, evidence
        )
    return passed(f"{key} is {found.effective!r}", found.intended, effective, evidence)


def _must_be(key: str, wanted: Any, default: Any) -> Judge:
    def judge(_control: Control, _snapshot: Snapshot, engine: Engine) -> Judgement:
        return _judge_setting(setting_of(engine, key, default), lambda value: bool(value == wanted), key)

    return judge


def _rootless_engine(_control: Control, _snapshot: Snapshot, engine: Engine) -> Judgement:
    if engine.rootless:
        return passed(f"the engine runs as {engine.user}", effective=True)
    return manual("this engine runs as root; only you know which of its workloads need that", effective=False)


def _icc(_control: Control, _snapshot: Snapshot, engine: Engine) -> Judgement:
    if setting_of(engine, "bridge", "").intended == "none":
        return not_applicable("there is no default bridge (bridge: none)")
    return _judge_setting(setting_of(engine, "icc", True), lambda value: value is False, "icc")


def _log_level(_control: Control, _snapshot: Snapshot, engine: Engine) -> Judgement:
    debug = setting_of(engine, "debug", False)
    if debug.effective or debug.intended:
        return _judge_setting(debug, lambda value: not value, "debug")
    return _judge_setting(setting_of(engine, "log-level", "info"), lambda value: value in ("", "info"), "log-level")


def _firewall_rules(_control: Control, _snapshot: Snapshot, engine: Engine) -> Judgement:
    first = _judge_setting(setting_of(engine, "iptables", True), lambda value: value is True, "iptables")
    second = setting_of(engine, "ip6tables", True)
    if first.verdict == "pass" and second.intended is False and setting_of(engine, "ipv6", False).intended:
        return failed("ip6tables is off while the default bridge has IPv6", False, None, [second.where])
    return first


def _insecure_registries(_control: Control, _snapshot: Snapshot, engine: Engine) -> Judgement:
    found = setting_of(engine, "insecure-registries", [])
    return _judge_setting(found, lambda value: not value, "insecure-registries")


def _driver(unwanted: str) -> Judge:
    def judge(_control: Control, _snapshot: Snapshot, engine: Engine) -> Judgement:
        found = setting_of(engine, "storage-driver", "")
        return _judge_setting(found, lambda value: value != unwanted, "storage-driver")

    return judge


def _tls(_control: Control, _snapshot: Snapshot, engine: Engine) -> Judgement:
    hosts = setting_of(engine, "hosts", []).intended
    asked = [text for text in hosts if str(text).startswith("tcp://")]
    verified = setting_of(engine, "tlsverify", False).intended is True
    listeners = [entry for entry in engine.report.get("listeners", ()) if entry["kind"] == "tcp"]
    shown = [f"{entry['address']} port {entry['port']}: {_answer(entry)}" for entry in listeners]
    bad = [line for entry, line in zip(listeners, shown) if _is_open(entry)]
    if bad:
        return failed("the API answers without a certificate", asked or None, shown, bad)
    if asked and not verified:
        return failed("the next start opens a TCP port without asking for certificates", asked, shown, asked)
    if not asked and not any(entry["tls"] for entry in listeners):
        return not_applicable("the engine offers its API on no TCP port", None, shown)
    return passed("every TCP port of the API asks for a certificate", asked, shown, shown)


def _is_open(entry: Mapping[str, Any]) -> bool:
    return bool(entry["plaintext"] or (entry["tls"] and not entry["tls"]["client_certificate_demanded"]))


def _answer(entry: Mapping[str, Any]) -> str:
    if entry["plaintext"]:
        return "answers in plaintext"
    if entry["tls"] is None:
        return "is no API"
    return "asks for a certificate" if entry["tls"]["client_certificate_demanded"] else "asks for no certificate"


def _ulimits(_control: Control, _snapshot: Snapshot, engine: Engine) -> Judgement:
    return _judge_setting(setting_of(engine, "default-ulimits", {}), bool, "default-ulimits")


def _security_options(engine: Engine) -> List[str]:
    return [str(option) for option in engine.info.get("SecurityOptions") or []]


def _userns_remap(_control: Control, _snapshot: Snapshot, engine: Engine) -> Judgement:
    configured = setting_of(engine, "userns-remap", "").intended or None
    if engine.rootless:
        return passed("a rootless engine maps root to its user", configured, engine.user)
    active = any(option.partition(",")[0] == "name=userns" for option in _security_options(engine))
    if active and configured:
        return passed("the engine maps the ids of containers", configured, True)
    if active:
        return failed("the engine maps the ids of containers, but the next start will not", configured, True)
    pending = " although it is configured" if configured else ""
    return failed(f"root in a container is root on the host{pending}", configured, False)


def _cgroup_parent(_control: Control, _snapshot: Snapshot, engine: Engine) -> Judgement:
    found = setting_of(engine, "cgroup-parent", "")
    if not found.intended and not found.effective:
        return passed("the engine uses its own default", found.intended, found.effective)
    return manual("another parent is set: see whether it limits what you want", found.intended, found.effective)


def _base_device_size(_control: Control, _snapshot: Snapshot, engine: Engine) -> Judgement:
    found = setting_of(engine, "storage-opts", [])

    def fine(value: Any) -> bool:
        return not any(str(option).startswith("dm.basesize") for option in value or ())

    return _judge_setting(found, fine, "storage-opts")


def _authorization_plugin(_control: Control, snapshot: Snapshot, engine: Engine) -> Judgement:
    configured = setting_of(engine, "authorization-plugins", []).intended
    active = (engine.info.get("Plugins") or {}).get("Authorization") or []
    if active and configured:
        return passed(f"{', '.join(map(str, active))} decides", configured, active)
    if active:
        return failed("the plugin decides now, but is not configured for the next start", configured, active)
    if configured:
        return failed("a plugin is configured, but does not decide", configured, active)
    others = () if engine.rootless else snapshot.facts.members or ()
    ports = [
        entry
        for entry in engine.report.get("listeners", ())
        if entry["kind"] == "tcp" and _answer(entry) != "is no API"
    ]
    if not others and not ports:
        who = engine.user or "root"
        return not_applicable(
            f"nobody but {who} reaches the API, so there is nobody to refuse anything", configured, active
        )
    reached = [f"the group {snapshot.facts.group}: {', '.join(others)}"] if others else []
    reached += [f"{entry['address']} port {entry['port']}" for entry in ports]
    if any(_is_open(entry) for entry in ports):
        return failed("everybody reaches the API, and may do everything there", configured, active, reached)
    return manual(
        "others reach the API, and may do everything there: see whether you trust them", configured, active, reached
    )


def _remote_logging(_control: Control, _snapshot: Snapshot, engine: Engine) -> Judgement:
    found = setting_of(engine, "log-driver", "json-file")
    for value in (found.effective, found.intended):
        if value == "none":
            return failed("the logs of containers are thrown away", found.intended, found.effective, [found.where])
    if found.effective in REMOTE_DRIVERS and found.intended in REMOTE_DRIVERS:
        address = str((setting_of(engine, "log-opts", {}).intended or {}).get(f"{found.effective}-address", ""))
        local = address.startswith("unix") or "localhost" in address or "127.0.0.1" in address
        if not local and (address or found.effective not in ("syslog", "fluentd")):
            return passed(f"{found.effective} sends them away", found.intended, found.effective, [address])
    if found.effective not in (*LOCAL_DRIVERS, *REMOTE_DRIVERS):
        return manual(f"{found.effective} is a plugin: see where it sends them", found.intended, found.effective)
    return manual(
        f"{found.effective} keeps them on this host: see whether another program ships them",
        found.intended,
        found.effective,
    )


def _live_restore(control: Control, snapshot: Snapshot, engine: Engine) -> Judgement:
    if str((engine.info.get("Swarm") or {}).get("LocalNodeState") or "inactive") != "inactive":
        return not_applicable("the engine is part of a swarm, which rules this out")
    return _must_be("live-restore", True, False)(control, snapshot, engine)


def _seccomp_default(_control: Control, _snapshot: Snapshot, engine: Engine) -> Judgement:
    configured: Optional[str] = setting_of(engine, "seccomp-profile", "").intended or None
    options = [option for option in _security_options(engine) if option.partition(",")[0] == "name=seccomp"]
    effective = options[0].partition("profile=")[2] if options else "unconfined"
    if effective == "unconfined":
        return failed("containers run without a filter unless they ask for one", configured, effective)
    if configured == "unconfined":
        return failed("the next start gives containers no filter", configured, effective)
    return passed(f"containers get the profile {effective}", configured, effective)


DAEMON_JUDGES: Dict[str, Judge] = {
    "authorization_plugin": _authorization_plugin,
    "base_device_size": _base_device_size,
    "cgroup_parent": _cgroup_parent,
    "default_ulimits": _ulimits,
    "experimental": _must_be("experimental", False, False),
    "firewall_rules": _firewall_rules,
    "icc_default_bridge": _icc,
    "insecure_registries": _insecure_registries,
    "live_restore": _live_restore,
    "log_level": _log_level,
    "no_new_privileges_default": _must_be("no-new-privileges", True, False),
    "remote_logging": _remote_logging,
    "rootless_engine": _rootless_engine,
    "seccomp_default": _seccomp_default,
    "storage_driver_aufs": _driver("aufs"),
    "storage_driver_devicemapper": _driver("devicemapper"),
    "tls_verified_clients": _tls,
    "userland_proxy": _must_be("userland-proxy", False, True),
    "userns_remap": _userns_remap,
}
