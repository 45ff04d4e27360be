# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading what the engine, the kernel and the program say about a probe (pure, private)."""

from __future__ import annotations

import json
import re
import struct
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._probe import Outcome

__all__ = [
    "LogLimits",
    "Report",
    "api_message",
    "http_status",
    "import_problem",
    "judge_log_files",
    "log_limits",
    "parse_report",
    "proxy_port",
    "split_streams",
]

MIB = 1024 * 1024
UNBOUNDED_FLOOD = 4 * MIB
LARGEST_FLOOD = 64 * MIB
FULL_FLOOD = 16 * MIB
SIZE_UNITS = {"": 1, "k": 1024, "m": MIB, "g": 1024 * MIB, "t": 1024 * 1024 * MIB}
# Debris around the written bytes: time stamps, framing, the line that crosses the limit.
OVERHEAD = 1.15


class Report(NamedTuple):
    """Outcomes by id that a program printed, and whether it got to its end."""

    outcomes: Dict[str, Outcome]
    done: bool


class LogLimits(NamedTuple):
    """Bounds of a container's log files (max_size None = unbounded) and the bytes to write to see them at work.

    C(flood) 0 = too large to be tried.
    """

    max_size: Optional[int]
    max_file: int
    flood: int


def split_streams(body: bytes) -> Tuple[bytes, bytes]:
    """Standard output and standard error from the engine's multiplexed log stream (8-byte frame headers)."""
    streams: Dict[int, List[bytes]] = {1: [], 2: []}
    position = 0
    while position + 8 <= len(body):
        kind, size = struct.unpack_from(">B3xI", body, position)
        streams.get(kind, streams[2]).append(body[position + 8 : position + 8 + size])
        position += 8 + size
    return b"".join(streams[1]), b"".join(streams[2])


def _json_object(line: str) -> Dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def parse_report(text: str) -> Report:
    """Outcomes from the program's output; lines that are not part of the report are passed over."""
    outcomes: Dict[str, Outcome] = {}
    done = False
    for line in text.splitlines():
        value = _json_object(line) if line.startswith("{") else {}
        done = done or value.get("done") is True
        if isinstance(value.get("id"), str):
            outcomes[value["id"]] = Outcome(
                gained=value.get("gained") is True,
                detail=str(value.get("detail", "")),
                seconds=float(value.get("seconds", 0)),
                failure=str(value.get("failure", "")),
                inapplicable=str(value.get("inapplicable", "")),
            )
    return Report(outcomes, done)


def import_problem(body: bytes) -> str:
    """Error of an image import, whose HTTP status is 200 even then; "" when there is none."""
    for line in body.decode("utf-8", "replace").splitlines():
        problem = _json_object(line).get("error")
        if problem:
            return str(problem)
    return ""


def api_message(body: bytes) -> str:
    """The engine's own words in an error answer."""
    text = body.decode("utf-8", "replace").strip()
    return str(_json_object(text).get("message", text))[:400]


def http_status(answer: bytes) -> Optional[int]:
    """Status of an HTTP answer, None when it is no HTTP."""
    found = re.match(rb"HTTP/\d\.\d (\d{3})", answer)
    return int(found.group(1)) if found else None


def proxy_port(command_line: bytes) -> Optional[int]:
    """Host port of a docker-proxy from /proc/PID/cmdline, None for another program."""
    words = command_line.split(b"\0")
    if not words[0].endswith(b"docker-proxy") or b"-host-port" not in words[:-1]:
        return None
    value = words[words.index(b"-host-port") + 1]
    return int(value) if value.isdigit() else None


def _size(text: str) -> Optional[int]:
    found = re.match(r"(\d+(?:\.\d+)?) ?([kmgt]?)i?b?$", text.strip().lower())
    return int(float(found.group(1)) * SIZE_UNITS[found.group(2)]) if found else None


def log_limits(driver: str, options: Mapping[str, str]) -> LogLimits:
    """Bounds that a container's effective log options set.

    json-file is unbounded without max-size and keeps one file without max-file; local has 20m and 5 (moby
    daemon/logger/jsonfilelog and daemon/logger/local).
    """
    max_size = _size(options.get("max-size", "20m" if driver == "local" else ""))
    count = options.get("max-file", "5" if driver == "local" else "1")
    max_file = int(count) if count.isdigit() else 1
    if not max_size:
        return LogLimits(None, max_file, UNBOUNDED_FLOOD)
    all_files = int(max_size * (max_file + 0.3))
    one_file = int(max_size * 1.3)
    flood = all_files if all_files <= FULL_FLOOD else one_file
    return LogLimits(max_size, max_file, flood if flood <= LARGEST_FLOOD else 0)


def judge_log_files(limits: LogLimits, written: int, sizes: Sequence[int]) -> Outcome:
    """Whether the log files on disk outgrew their bounds after `written` bytes; sizes in bytes."""
    total, largest = sum(sizes), max(sizes, default=0)
    seen = f"{written} bytes written, {total} bytes kept in {len(sizes)} file(s)"
    if limits.max_size is None:
        if total < written:
            return Outcome(failure=f"{seen}, though max-size is not set")
        return Outcome(gained=True, detail=f"{seen}; max-size is not set, so nothing ends the growth")
    bounds = f"max-size {limits.max_size}, max-file {limits.max_file}"
    if not sizes:
        return Outcome(failure=f"{seen}: the log files were not found")
    over = largest > limits.max_size * OVERHEAD or total > limits.max_size * limits.max_file * OVERHEAD
    return Outcome(gained=over, detail=f"{seen}; {bounds}")
