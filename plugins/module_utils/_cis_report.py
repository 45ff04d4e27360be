# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what was read of a host to the result of an audit (private)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._audit_events import utc_text
from ansible_collections.bulwark.docker.plugins.module_utils._cis import (
    EDITIONS,
    FAIL,
    HOST,
    MANUAL,
    NO_ENGINE,
    VERDICTS,
    WAIVED,
    Control,
    Engine,
    Judgement,
    Snapshot,
    manual,
    not_applicable,
)
from ansible_collections.bulwark.docker.plugins.module_utils._cis_registry import CONTROLS, JUDGES
from ansible_collections.bulwark.docker.plugins.module_utils._cis_survey import survey
from ansible_collections.bulwark.docker.plugins.module_utils._cis_waivers import Waiver, parse_waivers
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import Host
from ansible_collections.bulwark.docker.plugins.module_utils._instance import Instance
from ansible_collections.bulwark.docker.plugins.module_utils._transaction import mask_credentials

__all__ = ["Request", "audit_host", "complaint", "judge_all", "select"]

EVIDENCE_LINES = 20
EVIDENCE_LENGTH = 400
VALUE_LENGTH = 2000


class Request(NamedTuple):
    """What the module cis_audit is asked."""

    system: Instance
    controls: Tuple[str, ...]
    level: int
    benchmark: str
    waivers: Tuple[Mapping[str, Any], ...]
    trusted_users: Tuple[str, ...]


def select(words: Sequence[str], level: int, edition: str) -> List[Control]:
    """The controls that are meant, in their order.

    Args:
        words: each the id of a control, its number in the edition or the beginning of one ("2", "1.1"), "own",
            "level1", "level2" or "all".
        level: the highest level.
        edition: one of EDITIONS.

    Raises ConfigError for a word that stands for nothing.
    """
    if edition not in EDITIONS:
        raise ConfigError(f"choose controls: there is no benchmark {edition!r}; known are {', '.join(EDITIONS)}")
    chosen = set()
    for word in words:
        meant = [control.id for control in CONTROLS if _is_meant(control, word, edition)]
        if not meant:
            raise ConfigError(
                f"choose controls: {word!r} is none (option controls); give an id, a number of benchmark {edition}, a "
                "section, level1, level2, own or all"
            )
        chosen.update(meant)
    # Controls that the edition does not have are left out with everything else that was not asked for by name.
    named = set(words)
    return [
        control
        for control in CONTROLS
        if control.id in chosen
        and (control.level <= level or control.id in named)
        and (control.number(edition) or control.section == "own" or control.id in named)
    ]


def _is_meant(control: Control, word: str, edition: str) -> bool:
    number = control.number(edition)
    return (
        word in ("all", control.id, control.section, f"level{control.level}")
        or word == (number or None)
        or number.startswith(word + ".")
    )


def audit_host(host: Host, request: Request) -> Dict[str, Any]:
    """The result of the module cis_audit.

    Raises ConfigError for unknown controls and bad waivers, before the host is read.
    """
    checked_at = utc_text(host.now())
    chosen = select(request.controls, request.level, request.benchmark)
    waivers = parse_waivers(request.waivers, CONTROLS, request.benchmark, checked_at[:10])
    snapshot = survey(host, request.system, request.trusted_users)
    results = judge_all(snapshot, chosen, waivers, request.benchmark)
    return {
        "changed": False,
        "checked_at": checked_at,
        "benchmark": request.benchmark,
        "engines": [
            {
                "name": engine.name,
                "state": engine.state,
                "version": engine.version_text,
                "socket": engine.socket,
                "problem": engine.problem,
            }
            for engine in snapshot.engines
        ],
        "results": results,
        "counts": {verdict: sum(one["verdict"] == verdict for one in results) for verdict in VERDICTS},
    }


def judge_all(
    snapshot: Snapshot, controls: Sequence[Control], waivers: Sequence[Waiver], edition: str
) -> List[Dict[str, Any]]:
    """One result for each control and engine, in the order of the controls."""
    return [
        _result(control, engine, _judge(control, snapshot, engine), waivers, edition)
        for control in controls
        for engine in _engines(control, snapshot)
    ]


def _engines(control: Control, snapshot: Snapshot) -> Sequence[Engine]:
    there = [engine for engine in snapshot.engines if engine.state != "not_installed"]
    return [NO_ENGINE] if control.scope == HOST or not there else there


def _judge(control: Control, snapshot: Snapshot, engine: Engine) -> Judgement:
    judge = JUDGES.get(control.id)
    if control.scope != HOST:
        reason = _inapplicable(control, engine)
        if reason:
            configured = (engine.settings.get(_key(control)) or {}).get("configured")
            return not_applicable(reason, configured)
    return judge(control, snapshot, engine) if judge else manual(f"look at {control.look}")


def _key(control: Control) -> str:
    """The key of daemon.json that a role's variable stands for."""
    return control.variable[len(control.role) + 1 :].replace("_", "-") if control.variable else ""


def _inapplicable(control: Control, engine: Engine) -> str:
    if not engine.name:
        return "this host has no Docker engine"
    if not engine.running:
        return f"the engine does not run{': ' + engine.problem if engine.problem else ''}"
    if engine.rootless and not control.rootless:
        return "this does not exist for rootless engines"
    version = engine.version
    if version is not None and (version < control.since or (control.until is not None and version >= control.until)):
        return f"this does not exist in engine {version}"
    return ""


def _excused(
    control: Control, engine: Engine, judgement: Judgement, waivers: Sequence[Waiver]
) -> Tuple[Judgement, Optional[Waiver]]:
    """A judgement without what waivers excuse, and the waiver that is responsible where nothing is left."""
    if judgement.verdict not in (FAIL, MANUAL):
        return judgement, None
    whole = next((waiver for waiver in waivers if waiver.excuses(control.id, engine.name, None)), None)
    if whole:
        return replace(judgement, verdict=WAIVED, reason=whole.reason), whole
    used: List[Waiver] = []
    left = []
    for name, text in judgement.findings:
        waiver = next((one for one in waivers if one.excuses(control.id, engine.name, name)), None)
        if waiver:
            used.append(waiver)
        else:
            left.append((name, text))
    if not used:
        return judgement, None
    if left:
        return replace(judgement, reason=f"{judgement.reason}; some are waived", findings=tuple(left)), None
    return replace(judgement, verdict=WAIVED, reason=used[0].reason), used[0]


def _result(
    control: Control, engine: Engine, raw: Judgement, waivers: Sequence[Waiver], edition: str
) -> Dict[str, Any]:
    judgement, waiver = _excused(control, engine, raw, waivers)
    return {
        "id": control.id,
        "number": control.number(edition),
        "cis": {name: control.number(name) for name in EDITIONS if control.number(name)},
        "title": control.title,
        "section": control.section,
        "level": control.level,
        "automated": control.id in JUDGES,
        "severity": control.severity,
        "engine": engine.name,
        "verdict": judgement.verdict,
        "configured": _shown(judgement.configured),
        "effective": _shown(judgement.effective),
        "evidence": _evidence(judgement),
        "reason": _short(judgement.reason),
        "remedy": control.remedy,
        "role": control.role,
        "variable": control.variable,
        "waiver": waiver.described() if waiver else None,
    }


def _short(text: str) -> str:
    line = mask_credentials(" ".join(text.split()))
    return line if len(line) <= EVIDENCE_LENGTH else line[: EVIDENCE_LENGTH - 1] + "…"


def _evidence(judgement: Judgement) -> List[str]:
    lines = [_short(f"{name}: {text}") for name, text in judgement.findings]
    lines += [_short(text) for text in judgement.evidence if text]
    if len(lines) > EVIDENCE_LINES:
        lines = [*lines[: EVIDENCE_LINES - 1], f"… and {len(lines) - EVIDENCE_LINES + 1} more"]
    return lines


def _shown(value: Any) -> Any:
    """A value as JSON can hold it, bounded and without credentials."""
    if isinstance(value, Mapping):
        return {str(key): _shown(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_shown(item) for item in value[:EVIDENCE_LINES]]
    if isinstance(value, str):
        return mask_credentials(value)[:VALUE_LENGTH]
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)


def complaint(results: Sequence[Mapping[str, Any]], verdicts: Sequence[str]) -> str:
    """Message about the results that have one of the verdicts, "" when there are none."""
    found = [one for one in results if one["verdict"] in verdicts]
    if not found:
        return ""
    lines = "; ".join(
        f"{one['id']}{' (' + one['number'] + ')' if one['number'] else ''}: {one['reason']}, {one['remedy']}"
        for one in found
    )
    return f"audit the host: {len(found)} of {len(results)} controls failed; {lines}"
