# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exclusions in configuration text: exact, repeatable, and taken back byte by byte."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError
from ansible_collections.bulwark.docker.plugins.module_utils._scanner_config import (
    BEGIN,
    END,
    escape,
    exclude,
    include_again,
    is_listed,
    wanted_lines,
)
from ansible_collections.bulwark.docker.plugins.module_utils._scanner_table import SCANNERS, Scanner

PATHS = ["/home/a.b/.local/share/docker", "/var/lib/docker"]
CLAMAV, UPDATEDB = SCANNERS["clamav"], SCANNERS["updatedb"]
TEXTS = st.text(alphabet='abcPRUNE #="/\n\r', max_size=60)


def put(scanner: Scanner, text: str | None, paths: list[str]) -> str:
    """The text with exclusions for the paths."""
    return exclude(scanner, text, wanted_lines(scanner, scanner.lines, paths), paths, "/etc/x")


@pytest.mark.parametrize(
    ("path", "other", "hit"),
    [
        ("/var/lib/docker", "/var/lib/docker", True),
        ("/var/lib/docker", "/var/lib/docker/volumes/a", True),
        ("/var/lib/docker", "/var/lib/docker-backup", False),
        ("/var/lib/docker", "/var/lib", False),
        ("/var/lib/docker", "/srv/var/lib/docker", False),
        ("/home/a.b/x", "/home/aXb/x", False),
        ("/srv/a+b(c)[d]|e", "/srv/a+b(c)[d]|e/f", True),
    ],
)
def test_line_for_clamd_hits_the_directory_and_nothing_else(path: str, other: str, hit: bool) -> None:
    [line] = wanted_lines(CLAMAV, CLAMAV.lines, [path])
    assert bool(re.search(line.split(" ", 1)[1], other)) is hit


@pytest.mark.parametrize("template", ["ExcludeDir", "a {path}\nb"])
def test_line_without_a_place_or_with_two_lines_is_refused(template: str) -> None:
    with pytest.raises(ConfigError, match="place holder"):
        wanted_lines(CLAMAV, [template], PATHS)


@given(TEXTS, st.sampled_from([PATHS, ["/srv/docker"]]))
def test_block_comes_back_out_byte_by_byte(text: str, paths: list[str]) -> None:
    once = put(CLAMAV, text, paths)
    assert put(CLAMAV, once, paths) == once
    assert include_again(CLAMAV, once, "/etc/x") == text
    assert include_again(CLAMAV, put(CLAMAV, once, ["/other"]), "/etc/x") == text


@given(
    st.lists(st.sampled_from(["/tmp", "/media", "/var/lib/docker"]), unique=True), TEXTS.filter(lambda t: "P" not in t)
)
def test_words_come_back_out_byte_by_byte(words: list[str], rest: str) -> None:
    text = f'PRUNEPATHS = "{"  ".join(words)}"\n{rest}'
    once = put(UPDATEDB, text, PATHS)
    assert put(UPDATEDB, once, PATHS) == once
    assert set(PATHS) <= set(re.findall(r'"([^"]*)"', once)[0].split())
    assert include_again(UPDATEDB, once, "/etc/x") == text


def test_words_of_the_administrator_stay_when_ours_go() -> None:
    once = put(UPDATEDB, 'PRUNEPATHS="/var/lib/docker /tmp"\n', PATHS)
    assert "# added to PRUNEPATHS: /home/a.b/.local/share/docker\n" in once
    sorted_since = once.replace(" /tmp /home/a.b/.local/share/docker", " /home/a.b/.local/share/docker /tmp /new")
    assert include_again(UPDATEDB, sorted_since, "/x") == 'PRUNEPATHS="/var/lib/docker /tmp /new"\n'


def test_moved_data_replaces_the_words() -> None:
    once = put(UPDATEDB, 'PRUNEPATHS="/tmp"\n', ["/var/lib/docker"])
    assert 'PRUNEPATHS="/tmp /srv/docker"' in put(UPDATEDB, once, ["/srv/docker"])


def test_variable_that_is_missing_is_set_once() -> None:
    once = put(UPDATEDB, 'PRUNEFS="proc"\n', PATHS)
    assert once.count("PRUNEPATHS") == 1
    assert put(UPDATEDB, once, PATHS) == once
    # Two assignments would end updatedb.
    later = put(UPDATEDB, 'PRUNEPATHS="/tmp"\n' + once, PATHS)
    assert later.count("PRUNEPATHS=") + later.count("PRUNEPATHS =") == 1
    assert include_again(UPDATEDB, once, "/x") == 'PRUNEFS="proc"\n'


def test_file_that_was_made_goes_again_but_not_with_foreign_text() -> None:
    made = put(UPDATEDB, None, PATHS)
    assert include_again(UPDATEDB, made, "/x") is None
    assert include_again(UPDATEDB, "# mine\n" + made, "/x") == "# mine\n"
    assert include_again(UPDATEDB, None, "/x") is None


def test_lines_around_a_block_keep_their_place() -> None:
    text = f"a\n{BEGIN}\nold\n{END}\nb\n"
    assert put(CLAMAV, text, ["/srv/d"]) == f"a\n{BEGIN}\nExcludePath ^/srv/d(/|$)\n{END}\nb\n"


@pytest.mark.parametrize("text", [f"{BEGIN}\na\n", f"{END}\n", f"{END}\n{BEGIN}\n", f"{BEGIN}\n{BEGIN}\n{END}\n"])
def test_markers_that_are_no_pair_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="not one pair"):
        put(CLAMAV, text, PATHS)
    with pytest.raises(ConfigError, match="not one pair"):
        include_again(CLAMAV, text, "/etc/x")


@pytest.mark.parametrize("text", ['PRUNEPATHS="/a"\nPRUNEPATHS="/b"\n', "PRUNEPATHS=/a\n"])
def test_variable_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="PRUNEPATHS is set more than once"):
        put(UPDATEDB, text, PATHS)


def test_escape_touches_only_signs() -> None:
    assert escape("/a.b-c_d@e") == r"/a\.b-c_d@e"


@pytest.mark.parametrize(
    ("answer", "listed"),
    [
        ('Excluded folder\nPath: "/var/lib/docker/"\n', True),
        ("/var/lib/docker\n", True),
        ("Path: /var/lib/docker-backup\n", False),
        ("Path: /srv/var/lib/docker/\n", False),
        ("/var/lib/docker/volumes/\n", False),
        ("", False),
    ],
)
def test_list_of_a_tool_is_read_exactly(answer: str, listed: bool) -> None:
    assert is_listed(answer, "/var/lib/docker") is listed
