# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waivers: what they excuse, and that a list with one bad entry is refused with its place."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._cis import Control
from ansible_collections.bulwark.docker.plugins.module_utils._cis_waivers import Waiver, parse_waivers
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError

TODAY = "2026-11-22"
CONTROLS = [
    Control("icc", ("2.1", "2.1", "2.2"), "No traffic", "high", "do it"),
    Control("driver", ("", "", "2.1"), "No driver", "low", "do it"),
]
GOOD = {"id": "icc", "reason": "accepted", "expires": TODAY}


def read(*entries: Any, edition: str = "1.8") -> list[Waiver]:
    return parse_waivers(entries, CONTROLS, edition, TODAY)


def test_a_waiver_is_good_on_its_last_day() -> None:
    assert read(GOOD) == [Waiver("icc", "accepted", TODAY, "", "", 0)]


@pytest.mark.parametrize(
    ("number", "edition", "control"), [("2.2", "1.8", "icc"), ("2.1", "1.6", "icc"), ("2.1", "1.8", "driver")]
)
def test_numbers_are_those_of_the_edition(number: str, edition: str, control: str) -> None:
    assert read({**GOOD, "id": number}, edition=edition)[0].id == control


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"id": "nothing"}, "no control 'nothing'"),
        ({"id": "2.9"}, "no control '2.9'"),
        ({"id": None}, "it has no id"),
        ({"reason": " "}, "it has no reason"),
        ({"reason": "ok"}, "'ok' is no reason"),
        ({"expires": None}, "it has no expires"),
        ({"expires": "2026-11-21"}, "expired on 2026-11-21"),
        ({"expires": "2027-02-29"}, "not a date"),
        ({"expires": "2027-13-01"}, "not a date"),
        ({"expires": "2027-1-1"}, "not a date"),
        ({"expires": "22.11.2027"}, "not a date"),
        ({"until": "2027-01-01"}, "until is not known"),
    ],
)
def test_a_bad_entry_refuses_the_list_with_its_place(change: dict[str, Any], word: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(GOOD, {**GOOD, **change})
    assert "waiver 2: " in str(refused.value)
    assert word in str(refused.value)


def test_every_problem_is_told_with_file_and_line() -> None:
    with pytest.raises(ConfigError) as refused:
        read("text", {**GOOD, "id": "nothing", "file": "waivers.yml", "line": 7}, {**GOOD, "expires": "2020-01-01"})
    text = str(refused.value)
    assert "waiver 1: 'text' is no dictionary" in text
    assert "waiver 2 (waivers.yml line 7): there is no control" in text
    assert "waiver 3: it expired" in text


def test_unknown_edition_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no benchmark '1\.5'"):
        read(GOOD, edition="1.5")


def test_leap_days_are_days() -> None:
    assert read({**GOOD, "expires": "2028-02-29"})[0].expires == "2028-02-29"


def test_what_a_waiver_excuses() -> None:
    plain = Waiver("icc", "r", TODAY, "", "", 0)
    assert plain.excuses("icc", "system", None)
    assert plain.excuses("icc", "system", "web")
    assert not plain.excuses("driver", "system", None)
    of_engine = plain._replace(engine="rootless:ann")
    assert of_engine.excuses("icc", "rootless:ann", None)
    assert not of_engine.excuses("icc", "system", None)
    of_object = plain._replace(object="web-*")
    assert of_object.excuses("icc", "system", "web-1")
    assert not of_object.excuses("icc", "system", "db")
    assert not of_object.excuses("icc", "system", None)


def test_results_show_what_was_given() -> None:
    [waiver] = read({**GOOD, "object": "web", "line": 3})
    assert waiver.described() == {"reason": "accepted", "expires": TODAY, "object": "web", "line": 3}
