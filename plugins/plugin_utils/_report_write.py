# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a report on the controller: read and written here and nowhere else (private)."""

from __future__ import annotations

import datetime
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils._errors import HostError
from ansible_collections.bulwark.docker.plugins.plugin_utils._report_formats import (
    to_json,
    to_junit,
    to_sarif,
    to_summary,
)
from ansible_collections.bulwark.docker.plugins.plugin_utils._report_page import PARTS, to_html
from ansible_collections.bulwark.docker.plugins.plugin_utils._report_run import build_run, problems_of, read_earlier

__all__ = ["FILES", "collection_version", "load_earlier", "now", "put", "render", "write_report"]

# The format and the name of its file.
FILES = {"html": "report.html", "json": "report.json", "junit": "report.xml", "sarif": "report.sarif"}
ROOT = Path(__file__).resolve().parents[2]


def write_report(
    hosts: Sequence[Mapping[str, Any]], params: Mapping[str, Any], ansible_core: str, only_tell: bool
) -> dict[str, Any]:
    """Write the report about what a play registered; return what the module returns.

    C(hosts) are those of build_run, C(params) the options of the module. With C(only_tell) nothing is written.
    """
    facts = {
        "title": params["title"],
        "finished": now(),
        "collection_version": collection_version(),
        "ansible_core": ansible_core,
    }
    earlier = load_earlier(params["compare"]) if params["compare"] else None
    run = build_run(hosts, facts, earlier)
    changed, paths = put(params["directory"], render(run, params["formats"]), only_tell)
    return {
        "changed": changed,
        "paths": paths,
        "problems": problems_of(run, params["fail_on"]),
        "summary": to_summary(run, [f"would be written: {path}" if only_tell else path for path in paths.values()]),
        "totals": run["totals"],
    }


def now() -> str:
    """Return the time in UTC, as the document writes it."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def collection_version() -> str:
    """Return the version of this collection, installed (MANIFEST.json) or in a checkout (galaxy.yml)."""
    manifest = ROOT / "MANIFEST.json"
    if manifest.exists():
        return str(json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"])
    lines = (ROOT / "galaxy.yml").read_text(encoding="utf-8").splitlines()
    return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("version:"))


def load_earlier(path: str) -> Mapping[str, Any]:
    """Return the document of an earlier run.

    Raises HostError when the file cannot be read, ConfigError when it holds something else.
    """
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise HostError(
            f"compare: {exc} ({path}); name a report.json that this collection wrote, or leave it out"
        ) from exc
    return read_earlier(document, path)


def render(run: Mapping[str, Any], formats: Sequence[str]) -> dict[str, str]:
    """Return the text of each file that is asked for, by the file's name."""
    makers = {"json": to_json, "junit": to_junit, "sarif": to_sarif, "html": _page}
    return {FILES[name]: makers[name](run) for name in FILES if name in formats}


def _page(run: Mapping[str, Any]) -> str:
    folder = Path(__file__).with_name("_report_parts")
    return to_html(run, {name: (folder / name).read_text(encoding="utf-8") for name in PARTS})


def put(directory: str, texts: Mapping[str, str], only_tell: bool) -> tuple[bool, dict[str, str]]:
    """Write files into a directory, each in one step; return whether any is new and where they are.

    With C(only_tell) nothing is written. Only the owner and the group can read what is written, since it says where
    hosts can be attacked. Raises HostError.
    """
    folder = Path(directory).expanduser().absolute()
    changed = False
    try:
        if not only_tell:
            folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        for name, text in texts.items():
            content = text.encode("utf-8")
            target = folder / name
            if target.is_file() and target.read_bytes() == content:
                continue
            changed = True
            if not only_tell:
                _replace(target, content)
    except OSError as exc:
        raise HostError(f"directory: {exc.strerror} ({exc.filename}); name a directory that you can write to") from exc
    return changed, {name: str(folder / name) for name in texts}


def _replace(target: Path, content: bytes) -> None:
    handle, path = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), 0o640)
            file.flush()
            os.fsync(file.fileno())
        os.replace(path, target)
    except BaseException:
        os.unlink(path)
        raise
