# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From judgements to results: which controls are meant, which engines, what waivers do, and how much is shown."""

from __future__ import annotations

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils import _cis_report
from ansible_collections.bulwark.docker.plugins.module_utils._cis import (
    FAIL,
    HOST,
    NO_IDS,
    Control,
    Engine,
    Judgement,
    Snapshot,
    failed,
    passed,
)
from ansible_collections.bulwark.docker.plugins.module_utils._cis_registry import CONTROLS
from ansible_collections.bulwark.docker.plugins.module_utils._cis_report import complaint, judge_all, select
from ansible_collections.bulwark.docker.plugins.module_utils._cis_waivers import Waiver
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version

VERSION = Version(26, 1, 5)
SYSTEM = Engine("system", "running", version=VERSION)
ANN = Engine("rootless:ann", "running", user="ann", version=VERSION)
ABSENT = Engine("system", "not_installed")
FINDINGS = (("web-1", "runs as root"), ("db", "runs as root"))
ENGINE_CONTROL = Control(
    "thing", ("2.1", "2.1", "2.2"), "A thing is well", "high", "do it", role="r", variable="r_thing"
)


def names(*words: str, level: int = 2, edition: str = "1.8") -> set[str]:
    return {control.id for control in select(words, level, edition)}


def judged(control, judgement, *engines, waivers=(), monkeypatch):
    """Results of one control whose judge always says the same."""
    monkeypatch.setitem(_cis_report.JUDGES, control.id, lambda *_arguments: judgement)
    return judge_all(Snapshot(0.0, engines), [control], waivers, "1.8")


def test_all_are_meant_by_all() -> None:
    assert names("all") == {control.id for control in CONTROLS}
    assert names("all", level=1) == {control.id for control in CONTROLS if control.level == 1}


def test_words_stand_for_sections_numbers_levels_and_ids() -> None:
    assert names("2.2") == names("icc_default_bridge") == {"icc_default_bridge"}
    assert {"icc_default_bridge", "userns_remap"} < names("2") == {one.id for one in CONTROLS if one.section == "2"}
    assert len(names("1.1")) == 18
    # A number is not the beginning of a longer one.
    assert names("5.1") == {"swarm_off"}
    assert "socket_unit_tcp" in names("own")
    assert names("level1") == names("all", level=1)


def test_an_edition_has_its_own_numbers() -> None:
    assert names("2.9", edition="1.6") == names("2.10", edition="1.8") == {"userns_remap"}
    assert "storage_driver_devicemapper" not in names("all", edition="1.6")
    assert names("storage_driver_devicemapper", edition="1.6") == {"storage_driver_devicemapper"}


def test_a_level_does_not_hide_what_was_named() -> None:
    assert names("userns_remap", level=1) == {"userns_remap"}
    assert "userns_remap" not in names("2", level=1)


@pytest.mark.parametrize("word", ["nothing", "9", "2.99", "level3", ""])
def test_words_that_stand_for_nothing_are_refused(word: str) -> None:
    with pytest.raises(ConfigError, match="choose controls"):
        names("all", word)


def test_unknown_edition_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no benchmark '2\.0'"):
        names("all", edition="2.0")


def test_each_engine_is_judged(monkeypatch) -> None:
    results = judged(ENGINE_CONTROL, passed("well", True, True), SYSTEM, ANN, monkeypatch=monkeypatch)
    assert [one["engine"] for one in results] == ["system", "rootless:ann"]
    assert results[0] == {
        "id": "thing",
        "number": "2.2",
        "cis": {"1.6": "2.1", "1.7": "2.1", "1.8": "2.2"},
        "title": "A thing is well",
        "section": "2",
        "level": 1,
        "automated": True,
        "severity": "high",
        "engine": "system",
        "verdict": "pass",
        "configured": True,
        "effective": True,
        "evidence": [],
        "reason": "well",
        "remedy": "do it",
        "role": "r",
        "variable": "r_thing",
        "waiver": None,
    }


def test_the_host_is_judged_once(monkeypatch) -> None:
    control = Control("thing", NO_IDS, "t", "low", "r", scope=HOST)
    [result] = judged(control, failed("bad"), SYSTEM, ANN, monkeypatch=monkeypatch)
    assert (result["engine"], result["section"], result["number"], result["cis"]) == ("", "own", "", {})
    assert result["verdict"] == "fail"


@pytest.mark.parametrize(
    ("engine", "change", "word"),
    [
        (ABSENT, {}, "no Docker engine"),
        (Engine("system", "stopped", problem="the unit is masked"), {}, "does not run: the unit is masked"),
        (ANN, {"rootless": False}, "rootless"),
        (SYSTEM, {"since": (27,)}, "does not exist in engine 26.1.5"),
        (SYSTEM, {"until": (26,)}, "does not exist in engine 26.1.5"),
    ],
)
def test_what_cannot_be_judged_is_not_applicable(monkeypatch, engine, change, word) -> None:
    control = Control("thing", NO_IDS, "t", "low", "r", **change)
    [result] = judged(control, failed("bad"), engine, monkeypatch=monkeypatch)
    assert result["verdict"] == "not_applicable"
    assert word in result["reason"]


def test_an_engine_that_is_not_there_is_passed_over_beside_another_one(monkeypatch) -> None:
    results = judged(ENGINE_CONTROL, passed("well"), ABSENT, ANN, monkeypatch=monkeypatch)
    assert [one["engine"] for one in results] == ["rootless:ann"]


def test_without_a_judge_a_person_has_to_look() -> None:
    control = Control("nobody_judges_this", NO_IDS, "t", "low", "r", scope=HOST, look="the lists")
    [result] = judge_all(Snapshot(0.0, (SYSTEM,)), [control], (), "1.8")
    assert (result["verdict"], result["automated"], result["reason"]) == ("manual", False, "look at the lists")


@pytest.mark.parametrize(
    ("waiver", "verdict", "evidence"),
    [
        (Waiver("thing", "because", "2999-01-01", "", "", 0), "waived", 2),
        (Waiver("thing", "because", "2999-01-01", "rootless:ann", "", 0), "fail", 2),
        (Waiver("other", "because", "2999-01-01", "", "", 0), "fail", 2),
        (Waiver("thing", "because", "2999-01-01", "", "web-*", 0), "fail", 1),
        (Waiver("thing", "because", "2999-01-01", "", "*", 0), "waived", 2),
    ],
)
def test_waivers(monkeypatch, waiver: Waiver, verdict: str, evidence: int) -> None:
    bad = Judgement(FAIL, "2 of 3", None, 2, FINDINGS)
    [result] = judged(ENGINE_CONTROL, bad, SYSTEM, waivers=[waiver], monkeypatch=monkeypatch)
    assert result["verdict"] == verdict
    assert len(result["evidence"]) == evidence
    assert (result["waiver"] is not None) == (verdict == "waived")


def test_a_waiver_does_not_touch_what_passes(monkeypatch) -> None:
    waiver = Waiver("thing", "because", "2999-01-01", "", "", 0)
    [result] = judged(ENGINE_CONTROL, passed("well"), SYSTEM, waivers=[waiver], monkeypatch=monkeypatch)
    assert (result["verdict"], result["waiver"]) == ("pass", None)


def test_evidence_is_bounded_and_shows_no_credentials(monkeypatch) -> None:
    findings = tuple((f"c{number}", "x" * 1000) for number in range(100))
    bad = Judgement(FAIL, "bad", "http://user:secret@proxy:1/", [1] * 100, findings)
    [result] = judged(ENGINE_CONTROL, bad, SYSTEM, monkeypatch=monkeypatch)
    assert len(result["evidence"]) == 20
    assert result["evidence"][-1] == "… and 81 more"
    assert max(map(len, result["evidence"])) <= 400
    assert len(result["effective"]) == 20
    assert "secret" not in str(result)


def test_complaint_names_what_is_wrong() -> None:
    result = {"id": "thing", "number": "2.2", "verdict": "fail", "reason": "bad", "remedy": "do it"}
    text = complaint([result, {**result, "verdict": "pass"}], ["fail"])
    assert text == "audit the host: 1 of 2 controls failed; thing (2.2): bad, do it"
    assert complaint([result], ["manual"]) == ""
