# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings of fleets that do not exist, in the shape in which a play registers them; the same for the same numbers."""

from __future__ import annotations

import random
from typing import Any
from urllib.parse import quote

from ansible_collections.bulwark.docker.plugins.module_utils._probe import PROBES
from ansible_collections.bulwark.docker.plugins.plugin_utils._report_run import build_run
from ansible_collections.bulwark.docker.plugins.plugin_utils._report_text import one_line

FACTS = {
    "title": "Docker hosts",
    "finished": "2026-11-22T13:04:11Z",
    "collection_version": "0.1.0",
    "ansible_core": "2.19.14",
}
# id, number in 1.8, title, severity, role's variable, value of a fresh engine, value that is wanted.
CONTROLS: tuple[tuple[str, str, str, str, str, Any, Any], ...] = (
    ("partition", "1.1.1", "The engine's data has a file system of its own", "low", "", "/", "/var/lib/docker"),
    ("docker_group", "1.1.2", "Only trusted users are in the group docker", "high", "", ["alice"], []),
    ("audit_dockerd", "1.1.3", "Runs of the engine leave a trace", "medium", "auditd_rules", [], ["bulwark-docker"]),
    (
        "audit_data",
        "1.1.5",
        "Writes to the engine's data leave a trace",
        "medium",
        "auditd_rules",
        [],
        ["bulwark-docker"],
    ),
    ("version", "1.2.2", "The engine's version still gets security fixes", "high", "", "26.1.5", ">= 26.1"),
    (
        "rootless_engine",
        "2.1",
        "The engine runs without root where the workload allows it",
        "medium",
        "rootless_users",
        [],
        [],
    ),
    (
        "icc_default_bridge",
        "2.2",
        "Containers on the default bridge cannot talk to each other",
        "high",
        "daemon_baseline_icc",
        True,
        False,
    ),
    ("log_level", "2.3", "The engine logs at level info", "low", "daemon_baseline_log_level", "info", "info"),
    (
        "firewall_rules",
        "2.4",
        "The engine may make the firewall rules that keep containers apart",
        "high",
        "",
        True,
        True,
    ),
    ("insecure_registries", "2.5", "No registry is used without TLS", "high", "", ["192.0.2.7:5000"], []),
    ("tls", "2.7", "The API over TCP asks for a client's certificate", "critical", "daemon_tls_listen", None, True),
    (
        "ulimits",
        "2.8",
        "Containers have a ceiling for open files",
        "medium",
        "daemon_baseline_default_ulimits",
        {},
        {"nofile": {"soft": 65536, "hard": 65536}},
    ),
    ("userns", "2.9", "Root in a container is nobody outside", "high", "userns_remap_user", "", "dockremap"),
    (
        "live_restore",
        "2.15",
        "Containers live on while the engine restarts",
        "medium",
        "daemon_baseline_live_restore",
        False,
        True,
    ),
    (
        "userland_proxy",
        "2.16",
        "No proxy process of root stands in the path of published ports",
        "low",
        "daemon_baseline_userland_proxy",
        True,
        False,
    ),
    (
        "no_new_privileges",
        "2.14",
        "Set-uid programs gain nothing in a container",
        "high",
        "daemon_baseline_no_new_privileges",
        False,
        True,
    ),
    (
        "log_driver",
        "2.13",
        "Logs are bounded or go to another host",
        "medium",
        "daemon_baseline_log_opts",
        {"max-size": ""},
        {"max-size": "10m", "max-file": "3"},
    ),
    ("unit_mode", "3.2", "Only root can change the unit docker.service", "high", "", "0644", "0644"),
    ("socket_unit_mode", "3.4", "Only root can change the unit docker.socket", "high", "", "0622", "0644"),
    ("etc_mode", "3.6", "Only root can change /etc/docker", "high", "", "0755", "0755"),
    (
        "socket_mode",
        "3.16",
        "The socket belongs to root and the group docker, mode 0660",
        "critical",
        "",
        "0666",
        "0660",
    ),
    ("daemon_json_mode", "3.18", "Only root can change daemon.json", "high", "", "0577", "0644"),
    ("image_user", "4.1", "Images say which user runs in them", "medium", "", ["registry.example/shop:12"], []),
    ("image_health", "4.6", "Images say how their health is checked", "low", "", ["registry.example/shop:12"], []),
    (
        "apparmor",
        "5.2",
        "Each container is confined by an AppArmor profile",
        "high",
        "apparmor_profiles",
        ["cron: unconfined"],
        [],
    ),
    ("capabilities", "5.4", "No container has capabilities that it does not need", "high", "", ["cron: SYS_ADMIN"], []),
    ("privileged", "5.5", "No container is privileged", "critical", "", ["builder"], []),
    (
        "sensitive_mounts",
        "5.6",
        "No container mounts the host's own directories",
        "critical",
        "",
        ["builder: /etc"],
        [],
    ),
    ("socket_mount", "5.32", "No container holds the engine's socket", "critical", "", ["portainer"], []),
    ("memory", "5.11", "Each container has a limit of memory", "medium", "", ["shop", "cron"], []),
    ("pids", "5.29", "Each container has a limit of processes", "medium", "", ["shop", "cron"], []),
    ("restart", "5.15", "Containers do not restart for ever", "low", "", ["cron: always"], []),
    (
        "seccomp",
        "5.22",
        "No container runs without a filter of system calls",
        "high",
        "seccomp_profile",
        ["cron: {}"],
        [],
    ),
    ("swarm_off", "7.1", "Swarm is off where it is not used", "medium", "", False, False),
    ("swarm_tls", "7.5", "Nodes of a swarm talk through encrypted networks", "medium", "", None, None),
    ("effective", "", "The engine does what its file says", "high", "", ["icc: pending"], []),
    ("plaintext_listener", "", "No socket unit opens the API over TCP", "critical", "", ["0.0.0.0:2375"], []),
    ("subids", "", "No two owners share subordinate ids", "high", "userns_remap_user", ["alice, dockremap"], []),
    (
        "scanner",
        "",
        "Scanners keep away from the engine's data",
        "low",
        "antivirus_exclusions_scanners",
        [],
        ["clamav"],
    ),
    ("backups", "6.2", "Somebody looks after what grows on the host", "low", "", None, None),
)
MANUAL = {"docker_group", "backups", "image_user"}
STUBBORN = {"partition", "privileged", "socket_mount", "image_health", "rootless_engine"}
ENGINES = ("20.10.24+dfsg1", "26.1.5+dfsg1", "28.5.2+dfsg1")


def _control(row: tuple[str, str, str, str, str, Any, Any], bad: bool, host: str) -> dict[str, Any]:
    identity, number, title, severity, variable, fresh, wanted = row
    waived = bad and identity == "image_health"
    verdict = "waived" if waived else "fail" if bad else "pass"
    if identity in MANUAL:
        verdict = "manual"
    if identity == "swarm_tls":
        verdict = "not_applicable"
    value = fresh if bad else wanted
    words = {"fail": "it is not as it should be", "pass": "it is as it should be", "waived": "the waiver covers it"}
    words |= {"manual": "only a person can judge this", "not_applicable": "the engine is not part of a swarm"}
    section = number.split(".")[0] if number else "own"
    return {
        "id": identity,
        "number": number,
        "cis": {"1.6": number, "1.7": number, "1.8": number} if number else {},
        "title": title,
        "section": section,
        "level": 2 if severity == "low" else 1,
        "automated": identity not in MANUAL,
        "severity": severity,
        "engine": "" if section in ("1", "3") else "system",
        "verdict": verdict,
        "configured": value,
        "effective": value,
        "evidence": [f"{identity}: {value!r}", f"container {host}"] if bad else [],
        "reason": words[verdict],
        "remedy": f"set {variable} and run the playbook again" if variable else "change it on the host",
        "role": next(
            (
                r
                for r in (
                    "daemon_baseline",
                    "daemon_tls",
                    "userns_remap",
                    "apparmor",
                    "seccomp",
                    "auditd",
                    "antivirus_exclusions",
                    "rootless",
                )
                if variable.startswith(r)
            ),
            "",
        ),
        "variable": variable,
        "waiver": {"reason": "the vendor will add it in spring", "expires": "2027-03-31"} if waived else None,
    }


def audit(seed: int, hardened: bool) -> dict[str, Any]:
    """Return what cis_audit finds on a host; a hardened one has few faults."""
    host = random.Random(f"{seed}")
    results = []
    for row in CONTROLS:
        fault = host.random() < (0.8 if row[4] else 0.28)
        bad = fault and (not hardened or row[0] in STUBBORN)
        # Somebody started a container without a limit while the host was hardened.
        bad = bad or (hardened and row[0] == "memory" and seed % 7 == 3)
        results.append(_control(row, bad and row[5] != row[6], ("shop", "cron", "builder")[seed % 3]))
    version = ENGINES[seed % len(ENGINES)]
    return {
        "changed": False,
        "checked_at": "2026-11-22T13:00:02Z",
        "benchmark": "1.8",
        "engines": [{"name": "system", "state": "running", "version": version, "socket": "/run/docker.sock"}],
        "results": results,
    }


def probes(seed: int, hardened: bool) -> dict[str, Any]:
    """Return what enforcement_probe finds on a host."""
    host = random.Random(f"{seed} probes")
    results = []
    for probe in PROBES:
        through = host.random() < (0.04 if hardened else 0.7)
        absent = probe.group in ("rootless", "userns") or (probe.group == "apparmor" and seed % 3 == 0)
        verdict = "not_applicable" if absent else "not_blocked" if through else "blocked"
        evidence = {
            "blocked": "connect() to 172.17.0.3:4711 timed out after 2 s",
            "not_blocked": "connect() to 172.17.0.3:4711 succeeded after 0.4 ms",
            "not_applicable": "the mechanism is not there",
        }
        results.append(
            {
                "id": probe.id,
                "title": probe.title,
                "role": probe.role,
                "severity": probe.severity,
                "verdict": verdict,
                "evidence": evidence[verdict],
                "control": "the same attempt works in a container without the protection",
                "variable": probe.variable,
                "remedy": probe.remedy,
                "cis": {"1.6": "2.1", "1.8": "2.2"},
                "seconds": 0.4,
            }
        )
    return {"changed": False, "engine_version": ENGINES[seed % len(ENGINES)], "results": results}


def host(seed: int, before: bool = False, hardened: bool = False) -> dict[str, Any]:
    """Return everything that a play knows of one ordinary host."""
    site = ("web", "db", "build", "edge")[seed % 4]
    found = {"name": f"{site}{seed + 1:02d}.example.org", "address": f"192.0.2.{seed % 250 + 1}"}
    found |= {"audit": audit(seed, hardened), "probes": probes(seed, hardened)}
    if before:
        found |= {"audit_before": audit(seed, False), "probes_before": probes(seed, False)}
    return found


def unusual() -> list[dict[str, Any]]:
    """Return hosts that cannot be judged like others: each of the states, and one with three engines."""
    unreachable = {
        "unreachable": True,
        "changed": False,
        "msg": "Failed to connect to the host via ssh: Connection refused",
    }
    failed = {"failed": True, "changed": False, "msg": "host: /usr/bin/python3: not found"}
    stopped, none, three = audit(3, True), audit(4, True), audit(5, True)
    stopped["engines"] = [
        {"name": "system", "state": "stopped", "version": "26.1.5+dfsg1", "socket": "/run/docker.sock"}
    ]
    none["engines"] = [{"name": "system", "state": "not_installed", "version": "", "socket": ""}]
    for entry in (*stopped["results"], *none["results"]):
        if entry["section"] not in ("1", "3"):
            entry.update(verdict="not_applicable", reason="no engine answers", evidence=[])
    users = [
        {"name": f"rootless:{name}", "state": "running", "version": "28.5.2", "socket": f"/run/user/{uid}/docker.sock"}
        for name, uid in (("alice", 1001), ("bob", 1002))
    ]
    three["engines"] += users
    three["results"] += [
        {**entry, "engine": user["name"]}
        for user in users
        for entry in three["results"][:33]
        if entry["section"] == "2"
    ]
    return [
        {"name": "far01.example.org", "audit": unreachable},
        {"name": "old01.example.org", "audit": failed},
        {"name": "stopped01.example.org", "audit": stopped},
        {"name": "plain01.example.org", "audit": none},
        {"name": "users01.example.org", "audit": three},
    ]


HOSTILE = (
    "</script><script>document.title='owned'</script><img src=x onerror=document.title='owned'>\x1b[31m\u202e\x00&amp;"
)


def hostile() -> dict[str, Any]:
    """Return a host whose every text tries to act."""
    found = host(7)
    found["name"] = f"evil{HOSTILE}"
    for part in ("audit", "probes"):
        for number, entry in enumerate(found[part]["results"]):
            entry.update(
                title=f"title {HOSTILE}",
                remedy=HOSTILE,
                variable=HOSTILE,
                reason=f"reason {HOSTILE}",
                severity="critical",
            )
            entry["evidence"] = [HOSTILE] if part == "audit" else HOSTILE
            entry["id"] = f"{number}{HOSTILE}"
            entry["configured"] = {HOSTILE: HOSTILE}
    found["audit"]["engines"][0].update(name=HOSTILE, version=HOSTILE)
    return found


def run(
    count: int, before: bool = False, hardened: bool = False, others: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Return the document of a run on so many ordinary hosts and others."""
    hosts = [host(seed, before, hardened) for seed in range(count)]
    return build_run([*hosts, *(others or [])], FACTS)


def quoted(name: str) -> str:
    """Return a host's name as it stands in an address; what cannot be seen is written as its escape."""
    return quote(one_line(name), safe="")
