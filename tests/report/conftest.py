# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One browser for all tests, and the reports that they look at. Pictures go to tests/output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from ansible_collections.bulwark.docker.plugins.plugin_utils import _report_write as files
from ansible_collections.bulwark.docker.tests.report import example
from ansible_collections.bulwark.docker.tests.report.browser import Browser

PICTURES = Path(__file__).resolve().parents[1] / "output/report"
RUNS = {
    "fleet": lambda: example.run(25, before=True, hardened=True, others=example.unusual()),
    "large": lambda: example.run(495, others=example.unusual()),
    "one": lambda: example.run(1),
    "hostile": lambda: example.run(1, others=[example.hostile()]),
}


@pytest.fixture(scope="session")
def open_browser() -> Iterator[Browser]:
    with Browser() as browser:
        yield browser


@pytest.fixture
def browser(open_browser: Browser) -> Browser:
    """A window of a desk, light, with JavaScript."""
    open_browser.size(1280, 900)
    open_browser.prefer()
    return open_browser


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Writes the page of one of RUNS, once, and returns where it is."""

    @cache
    def write(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        _changed, paths = files.put(str(folder), files.render(RUNS[name](), ["html"]), only_tell=False)
        return Path(paths["report.html"])

    return write
