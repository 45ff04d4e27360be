# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the evidence of probes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.docker.plugins.module_utils._probe import Outcome
from ansible_collections.bulwark.docker.plugins.module_utils._probe_evidence import (
    MIB,
    LogLimits,
    api_message,
    http_status,
    import_problem,
    judge_log_files,
    log_limits,
    parse_report,
    proxy_port,
    split_streams,
)


def frame(kind: int, data: bytes) -> bytes:
    return struct.pack(">B3xI", kind, len(data)) + data


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=40)), max_size=8))
def test_prop_streams_come_back_whole(frames: list[tuple[int, bytes]]) -> None:
    body = b"".join(frame(kind, data) for kind, data in frames)
    expected = tuple(b"".join(data for kind, data in frames if kind == wanted) for wanted in (1, 2))
    assert split_streams(body) == expected


def test_streams_of_a_cut_off_body_keep_what_is_there() -> None:
    assert split_streams(frame(1, b"whole") + frame(2, b"partial")[:-3]) == (b"whole", b"part")
    assert split_streams(b"\x01\x00") == (b"", b"")


REPORT = """\
noise
{"id": "subject/0", "gained": false, "detail": "EACCES (Permission denied)", "seconds": 0.25}
...............{"id": "subject/9", "gained": true}
{"id": "subject/1", "failure": "tcp_exchange: RuntimeError: no address to try", "seconds": 0}
{"id": "host/2", "inapplicable": "no TCP listener speaks TLS", "seconds": 0.5}
{"half":
[1]
"""


def test_report_is_read_line_by_line() -> None:
    report = parse_report(REPORT)
    assert report.outcomes == {
        "subject/0": Outcome(False, "EACCES (Permission denied)", 0.25),
        "subject/1": Outcome(failure="tcp_exchange: RuntimeError: no address to try"),
        "host/2": Outcome(inapplicable="no TCP listener speaks TLS", seconds=0.5),
    }
    assert not report.done
    assert parse_report(REPORT + '{"done": true}\n').done


@pytest.mark.parametrize("word", ['"true"', "1", "null", "[true]"])
def test_report_takes_nothing_but_true_for_a_gain(word: str) -> None:
    assert not parse_report(f'{{"id": "x", "gained": {word}}}').outcomes["x"].gained


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"status":"sha256:ab"}\r\n', ""),
        (b"", ""),
        (b'{"status":"x"}\r\n{"errorDetail":{"message":"no space"},"error":"no space left"}\r\n', "no space left"),
    ],
)
def test_import_problem(body: bytes, problem: str) -> None:
    assert import_problem(body) == problem


@pytest.mark.parametrize(
    ("body", "message"),
    [(b'{"message":"No such image: x"}\n', "No such image: x"), (b"page not found\n", "page not found"), (b"[]", "[]")],
)
def test_api_message(body: bytes, message: str) -> None:
    assert api_message(body) == message


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 200 OK\r\n", 200),
        (b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n", 400),
        (b"\x15\x03\x03\x00\x02\x02\x16", None),
        (b"", None),
    ],
)
def test_http_status(answer: bytes, status: int | None) -> None:
    assert http_status(answer) == status


PROXY = (
    b"/usr/sbin/docker-proxy\0-proto\0tcp\0-host-ip\0"
    + b"127.0.0.1\0-host-port\0"
    + b"32768\0-container-ip\0172.17.0.2\0"
)


@pytest.mark.parametrize(
    ("command_line", "port"),
    [
        (PROXY, 32768),
        (PROXY.replace(b"docker-proxy", b"socat"), None),
        (b"/usr/bin/docker-proxy\0-proto\0tcp\0", None),
        (b"docker-proxy\0-host-port", None),
        (b"docker-proxy\0-host-port\0x\0", None),
        (b"", None),
    ],
)
def test_proxy_port(command_line: bytes, port: int | None) -> None:
    assert proxy_port(command_line) == port


@pytest.mark.parametrize(
    ("driver", "options", "limits"),
    [
        ("json-file", {}, LogLimits(None, 1, 4 * MIB)),
        ("json-file", {"max-file": "3"}, LogLimits(None, 3, 4 * MIB)),
        ("json-file", {"max-size": "-1"}, LogLimits(None, 1, 4 * MIB)),
        ("json-file", {"max-size": "1m", "max-file": "3"}, LogLimits(MIB, 3, int(3.3 * MIB))),
        ("json-file", {"max-size": "1m"}, LogLimits(MIB, 1, int(1.3 * MIB))),
        ("json-file", {"max-size": "10m", "max-file": "5"}, LogLimits(10 * MIB, 5, 13 * MIB)),
        ("json-file", {"max-size": "100k", "max-file": "x"}, LogLimits(102400, 1, 133120)),
        ("json-file", {"max-size": "1.5MB"}, LogLimits(1572864, 1, 2044723)),
        ("json-file", {"max-size": "1g"}, LogLimits(1024 * MIB, 1, 0)),
        ("local", {}, LogLimits(20 * MIB, 5, 26 * MIB)),
        ("local", {"max-size": "2m", "max-file": "2"}, LogLimits(2 * MIB, 2, int(4.6 * MIB))),
    ],
)
def test_log_limits(driver: str, options: dict[str, str], limits: LogLimits) -> None:
    assert log_limits(driver, options) == limits


ROTATING = LogLimits(MIB, 3, 3 * MIB)


@pytest.mark.parametrize(
    ("limits", "written", "sizes", "expected"),
    [
        (ROTATING, 4 * MIB, [MIB, MIB, 1000], (False, False)),
        (ROTATING, 4 * MIB, [MIB + 9000, MIB], (False, False)),
        (ROTATING, 4 * MIB, [4 * MIB], (True, False)),
        (ROTATING, 4 * MIB, [MIB, MIB, MIB, MIB], (True, False)),
        (ROTATING, 4 * MIB, [], (False, True)),
        (LogLimits(None, 1, 4 * MIB), 4 * MIB, [4 * MIB + 900], (True, False)),
        (LogLimits(None, 1, 4 * MIB), 4 * MIB, [100], (False, True)),
        (LogLimits(None, 1, 4 * MIB), 4 * MIB, [], (False, True)),
    ],
)
def test_judge_log_files(limits: LogLimits, written: int, sizes: list[int], expected: tuple[bool, bool]) -> None:
    outcome = judge_log_files(limits, written, sizes)
    assert (outcome.gained, bool(outcome.failure)) == expected
    assert str(written) in outcome.detail + outcome.failure
