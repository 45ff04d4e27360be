# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document of a run: what was found on each host, compared with what was found before (private, pure).

Its shape is that of the file report.json:

    {schema, title, started, finished, collection_version, controller, compared_with, totals,
     hosts: [{name, state, message, address, engines, audit, audit_before, probes, probes_before, summary}]}

Hosts come worst first. Times are UTC texts like "2026-11-22T13:00:00Z".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError
from ansible_collections.bulwark.docker.plugins.plugin_utils._report_text import plural

__all__ = ["BAD", "SCHEMA", "build_run", "findings_of", "problems_of", "read_earlier"]

SCHEMA = "bulwark.docker/run/1"
SEVERITIES = ("critical", "high", "medium", "low")
WEIGHTS = {"critical": 1000, "high": 100, "medium": 10, "low": 1}
STATES = ("ok", "unreachable", "failed", "no_engine", "engine_stopped")
VERDICTS = ("pass", "fail", "waived", "manual", "not_applicable", "blocked", "not_blocked", "error")
# The verdicts that call for something to be done, of controls and of probes.
BAD = frozenset({"fail", "not_blocked", "error"})
GOOD = frozenset({"pass", "blocked"})
KINDS = (("audit", "control"), ("probes", "probe"))


def _results(part: Any) -> list[dict[str, Any]]:
    found = part.get("results") if isinstance(part, Mapping) else None
    return [dict(entry) for entry in found or () if isinstance(entry, Mapping)]


def _judged(part: Any) -> dict[str, Any] | None:
    """Return a module's result if it has verdicts; one that failed on account of them has some, too."""
    if not isinstance(part, Mapping) or not isinstance(part.get("results"), Sequence):
        return None
    kept = {key: value for key, value in part.items() if key not in ("changed", "failed", "msg", "invocation")}
    return {**kept, "results": _results(part), "counts": dict(Counter(_verdict(entry) for entry in _results(part)))}


def _verdict(entry: Mapping[str, Any]) -> str:
    return str(entry.get("verdict") or "error")


def key_of(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Return what tells a finding apart on its host: its id and the engine."""
    return str(entry.get("id", "")), str(entry.get("engine") or "")


def _state_of(raw: Mapping[str, Any], engines: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Return the state of a host and, unless it is ok, why."""
    parts = [raw.get(name) for name in ("audit", "probes", "engine", "audit_before", "probes_before")]
    answers = [part for part in parts if isinstance(part, Mapping)]
    for answer in answers:
        if answer.get("unreachable"):
            # ansible-core puts this in front of every failure.
            return "unreachable", str(answer.get("msg") or "no answer").removeprefix("Task failed: ")
    if engines and not any(engine.get("state") == "running" for engine in engines):
        if all(engine.get("state") == "not_installed" for engine in engines):
            return "no_engine", "Docker is not installed"
        return "engine_stopped", "no engine runs"
    failure = raw.get("failure")
    if isinstance(failure, Mapping) and "msg" in failure:
        return "failed", str(failure["msg"])
    wanted = [answer for answer in answers if answer.get("failed") and _judged(answer) is None]
    if wanted:
        return "failed", str(wanted[0].get("msg") or "the module failed").removeprefix("Task failed: ")
    if not any(isinstance(raw.get(name), Mapping) for name in ("audit", "probes", "engine")):
        return "failed", "the run ended before this host was judged"
    return "ok", ""


def _engines_of(raw: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the engines that the audit saw, or the one that engine_info looked at."""
    for name in ("audit", "audit_before"):
        part = raw.get(name)
        if isinstance(part, Mapping) and isinstance(part.get("engines"), Sequence):
            return [dict(engine) for engine in part["engines"] if isinstance(engine, Mapping)]
    looked = raw.get("engine")
    seen = looked.get("engine") if isinstance(looked, Mapping) else None
    if not isinstance(seen, Mapping):
        return []
    version = seen.get("running_version") or seen.get("version") or ""
    state = "running" if seen.get("running") else "stopped" if seen.get("version") else "not_installed"
    return [{"name": str(seen.get("name") or "system"), "state": state, "version": version, "socket": ""}]


def findings_of(host: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every finding of a host: the module's entry with C(kind), C(before) and C(change).

    C(before) is the earlier verdict or ""; C(change) is "mended", "worse" or "". What was only found before is left
    out: there is nothing to say about it now.
    """
    for name, kind in KINDS:
        earlier = {key_of(entry): _verdict(entry) for entry in _results(host.get(f"{name}_before"))}
        for entry in _results(host.get(name)):
            verdict, before = _verdict(entry), earlier.get(key_of(entry), "")
            change = "mended" if before in BAD and verdict in GOOD else ""
            if before in GOOD | {"waived"} and verdict in BAD:
                change = "worse"
            yield {**entry, "kind": kind, "verdict": verdict, "before": before, "change": change}


def _summary(host: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers by which hosts are compared; C(weight) is higher the worse a host is."""
    findings = list(findings_of(host))
    verdicts = Counter(finding["verdict"] for finding in findings)
    changes = Counter(finding["change"] for finding in findings)
    bad = Counter(str(finding.get("severity") or "medium") for finding in findings if finding["verdict"] in BAD)
    weight = sum(WEIGHTS.get(severity, 10) * number for severity, number in bad.items())
    # Of a host without any verdict nobody knows how bad it is.
    unknown = {"unreachable": 3, "failed": 2}.get(str(host["state"]), 0) if not findings else 0
    return {
        **{name: verdicts[name] for name in VERDICTS},
        "severities": {severity: bad[severity] for severity in SEVERITIES},
        "mended": changes["mended"],
        "worse": changes["worse"],
        "compared": any(host.get(f"{name}_before") for name, _kind in KINDS),
        "weight": unknown * 10**9 + weight,
    }


def _host(raw: Mapping[str, Any], earlier: Mapping[str, Any]) -> dict[str, Any]:
    """Return one host of the document; what an earlier document says of it takes the place of its own "before"."""
    engines = _engines_of(raw)
    state, message = _state_of(raw, engines)
    host: dict[str, Any] = {
        "name": str(raw["name"]),
        "state": state,
        "message": message,
        "address": str(raw.get("address") or ""),
        "engines": engines,
    }
    for name, _kind in KINDS:
        host[name] = _judged(raw.get(name))
        host[f"{name}_before"] = _judged(earlier.get(name)) or _judged(raw.get(f"{name}_before"))
    return {**host, "summary": _summary(host)}


def build_run(
    hosts: Sequence[Mapping[str, Any]], facts: Mapping[str, Any], earlier: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the document of a run.

    Args:
        hosts: for each host C(name), C(address) and, as far as they ran, the results of the modules: C(audit),
            C(audit_before), C(probes), C(probes_before), C(engine) (of engine_info), C(failure) (a result whose C(msg)
            says why the play gave the host up). Unreachable and failed tasks are told by their results.
        facts: C(title), C(finished), C(collection_version), C(ansible_core).
        earlier: the document of a run to compare with; see read_earlier.
    """
    before = {str(host.get("name")): host for host in (earlier or {}).get("hosts", ())}
    listed = [_host(raw, before.get(str(raw["name"]), {})) for raw in hosts]
    listed.sort(key=lambda host: (-host["summary"]["weight"], host["name"]))
    times = [str(host["audit"]["checked_at"]) for host in listed if (host["audit"] or {}).get("checked_at")]
    compared = None
    if earlier is not None:
        compared = {"title": str(earlier.get("title", "")), "finished": str(earlier.get("finished", ""))}
    return {
        "schema": SCHEMA,
        "title": str(facts["title"]),
        "started": min([*times, str(facts["finished"])]),
        "finished": str(facts["finished"]),
        "collection_version": str(facts["collection_version"]),
        "controller": {"ansible_core": str(facts["ansible_core"])},
        "compared_with": compared,
        "totals": _totals(listed),
        "hosts": listed,
    }


def _totals(hosts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    states = Counter(host["state"] for host in hosts)
    names = (*VERDICTS, "mended", "worse")
    sums = {name: sum(host["summary"][name] for host in hosts) for name in names}
    bad = sum(1 for host in hosts if any(host["summary"][verdict] for verdict in BAD))
    return {"hosts": len(hosts), "states": {state: states[state] for state in STATES}, "hosts_with_faults": bad, **sums}


def read_earlier(document: Any, where: str) -> Mapping[str, Any]:
    """Return an earlier document after a look at its shape.

    Raises ConfigError when it is none.
    """
    if not isinstance(document, Mapping) or document.get("schema") != SCHEMA:
        said = document.get("schema") if isinstance(document, Mapping) else type(document).__name__
        raise ConfigError(
            f"compare: {where} is not the document of a run (its schema is {said!r}, not {SCHEMA!r}); "
            "name a report.json that this collection wrote"
        )
    hosts = document.get("hosts")
    if not isinstance(hosts, Sequence) or not all(isinstance(host, Mapping) and "name" in host for host in hosts):
        raise ConfigError(f"compare: {where} has no list of hosts with names; name a whole report.json")
    return document


def problems_of(run: Mapping[str, Any], fail_on: Sequence[str]) -> list[str]:
    """Return one sentence for each verdict or state of C(fail_on) that the run has, with how often and where."""
    found = []
    for wanted in fail_on:
        if wanted in STATES:
            names = [host["name"] for host in run["hosts"] if host["state"] == wanted]
            number, what = len(names), f"in the state {wanted}"
            text = plural(number, "host")
        else:
            names = [host["name"] for host in run["hosts"] if host["summary"][wanted]]
            number, what = sum(host["summary"][wanted] for host in run["hosts"]), f"with the verdict {wanted}"
            text = plural(number, "finding")
        if number:
            shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
            found.append(f"{text} {what} ({shown})")
    return found
