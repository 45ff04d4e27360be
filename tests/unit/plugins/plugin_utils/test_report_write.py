# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of a report: in one step, only when they are new, and never in check mode."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError, HostError
from ansible_collections.bulwark.docker.plugins.plugin_utils import _report_write as files
from ansible_collections.bulwark.docker.tests.report import example


def test_files_are_written_once_and_not_for_everybody(tmp_path: Path) -> None:
    texts = files.render(example.run(1), ["html", "json", "junit", "sarif"])
    assert sorted(texts) == ["report.html", "report.json", "report.sarif", "report.xml"]
    target = tmp_path / "a/b"
    assert files.put(str(target), texts, only_tell=True)[0] is True
    assert not target.exists()
    changed, paths = files.put(str(target), texts, only_tell=False)
    assert changed
    assert paths["report.html"] == str(target / "report.html")
    assert sorted(os.listdir(target)) == sorted(texts)
    assert {stat.S_IMODE(path.stat().st_mode) for path in target.iterdir()} == {0o640}
    assert files.put(str(target), texts, only_tell=False)[0] is False
    assert files.put(str(target), {"report.xml": "new"}, only_tell=True)[0] is True
    assert (target / "report.xml").read_text() == texts["report.xml"]


def test_only_what_is_asked_for_is_rendered() -> None:
    assert list(files.render(example.run(1), ["junit"])) == ["report.xml"]
    assert files.render(example.run(1), []) == {}


def test_a_directory_that_cannot_be_one_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HostError, match=r"directory: .*file/x.*; name a directory"):
        files.put(str(tmp_path / "file/x"), {"a": "b"}, only_tell=False)


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.put(str(tmp_path), {"a": "old"}, only_tell=False)

    def broken(_handle: int) -> None:
        raise OSError(28, "No space left on device", "a")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(HostError, match="No space left"):
        files.put(str(tmp_path), {"a": "new"}, only_tell=False)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "old"}


@pytest.mark.parametrize(("content", "error"), [(None, HostError), ("{", HostError), ("[]", ConfigError)])
def test_an_earlier_document_that_cannot_be_read_is_refused(
    tmp_path: Path, content: str | None, error: type[Exception]
) -> None:
    if content is not None:
        (tmp_path / "old.json").write_text(content)
    with pytest.raises(error, match=r"compare: .*old\.json"):
        files.load_earlier(str(tmp_path / "old.json"))


def test_what_was_written_can_be_compared_with(tmp_path: Path) -> None:
    run = example.run(2)
    files.put(str(tmp_path), files.render(run, ["json"]), only_tell=False)
    assert files.load_earlier(str(tmp_path / "report.json"))["hosts"] == run["hosts"]


def test_the_version_is_that_of_the_collection() -> None:
    assert f"version: {files.collection_version()}\n" in (files.ROOT / "galaxy.yml").read_text("utf-8")
