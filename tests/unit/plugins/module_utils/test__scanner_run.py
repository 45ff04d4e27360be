# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exclusions on a host in memory: found paths, files, restarts, lists, refusals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._data_paths import (
    DataPath,
    check_path,
    find_data_paths,
    without_volumes,
)
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError, HostError, RefusedError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import CommandResult, UserAccount
from ansible_collections.bulwark.docker.plugins.module_utils._instance import system_instance
from ansible_collections.bulwark.docker.plugins.module_utils._scanner_run import (
    RECORD_PATH,
    ExclusionRequest,
    apply_exclusions,
)
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.memory_host import File
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.scanner_host import DONE, ScannerHost

CLAMD = "/etc/clamav/clamd.conf"
DAEMON = "clamav-daemon.service"


def request(**changes: Any) -> ExclusionRequest:
    """What a user asks for who asks for nothing special."""
    usual: dict[str, Any] = {
        "present": True,
        "instance": system_instance(),
        "names": ["all"],
        "scan_volumes": False,
        "rootless": True,
        "others": [],
        "check_mode": False,
    }
    return ExclusionRequest(**{**usual, **changes})


@pytest.fixture
def host() -> ScannerHost:
    made = ScannerHost()
    made.programs["clamd"] = lambda argv: DONE
    made.directories["/etc/clamav"] = made.clock
    made.files[CLAMD] = File(b"User clamav\n", 0o640, 1, 2, made.clock)
    made.clock += 10
    made.units[DAEMON] = made.clock
    made.clock += 10
    return made


def test_exclusion_is_written_and_brought_into_force_once(host: ScannerHost) -> None:
    forecast = apply_exclusions(host, request(check_mode=True))
    assert (forecast["changed"], host.files[CLAMD].data) == (True, b"User clamav\n")
    assert forecast["scanners"][0]["restarted"] == [DAEMON]
    result = apply_exclusions(host, request())
    assert result["changed"]
    assert result["diff"] == forecast["diff"]
    assert b"ExcludePath ^/var/lib/docker(/|$)\n" in host.files[CLAMD].data
    assert (host.files[CLAMD].mode, host.files[CLAMD].uid, host.files[CLAMD].gid) == (0o640, 1, 2)
    assert host.restarts == [DAEMON]
    again = apply_exclusions(host, request())
    assert (again["changed"], again["diff"], host.restarts) == (False, [], [DAEMON])
    assert [report["name"] for report in again["scanners"] if report["found"]] == ["clamav"]


def test_restart_that_an_interrupted_run_missed_is_made_up_for(host: ScannerHost) -> None:
    apply_exclusions(host, request())
    host.units[DAEMON] = host.files[CLAMD].ctime - 5
    assert apply_exclusions(host, request(check_mode=True))["changed"]
    assert apply_exclusions(host, request())["scanners"][0]["restarted"] == [DAEMON]
    assert not apply_exclusions(host, request())["changed"]


def test_service_that_does_not_start_gets_its_old_file_back(host: ScannerHost) -> None:
    host.dies.add(DAEMON)
    with pytest.raises(HostError, match="does not run with its new configuration"):
        apply_exclusions(host, request())
    assert host.files[CLAMD].data == b"User clamav\n"
    assert host.restarts == [DAEMON, DAEMON]


def test_removal_gives_the_bytes_back(host: ScannerHost) -> None:
    apply_exclusions(host, request())
    assert apply_exclusions(host, request(present=False, check_mode=True))["changed"]
    assert apply_exclusions(host, request(present=False))["changed"]
    assert host.files[CLAMD].data == b"User clamav\n"
    assert host.restarts == [DAEMON, DAEMON]
    assert not apply_exclusions(host, request(present=False))["changed"]


def test_bytes_that_are_no_text_survive(host: ScannerHost) -> None:
    host.files[CLAMD].data = b"# caf\xe9\r\n"
    apply_exclusions(host, request())
    assert host.files[CLAMD].data.startswith(b"# caf\xe9\r\n")


def test_scanner_without_a_configuration_is_left_alone(host: ScannerHost) -> None:
    del host.files[CLAMD]
    result = apply_exclusions(host, request(names=["clamav"]))
    assert not result["changed"]
    assert "no configuration" in result["scanners"][0]["note"]


@pytest.mark.parametrize(("before", "refused"), [(0, True), (1, False)])
def test_complaint_counts_only_when_it_is_new(host: ScannerHost, before: int, refused: bool) -> None:
    host.files["/etc/aide.conf"] = File(b"/etc p\n", ctime=host.clock)

    def aide(argv: Sequence[str]) -> CommandResult:
        if argv[-1].startswith("--path-check"):
            return CommandResult(1, "", "")
        broken = b"BEGIN" in host.files["/etc/aide.conf"].data
        return CommandResult(1 if broken else before, "", "ERROR: syntax")

    host.programs["aide"] = aide
    if refused:
        with pytest.raises(HostError, match="ERROR: syntax"):
            apply_exclusions(host, request(names=["aide"]))
        assert host.files["/etc/aide.conf"].data == b"/etc p\n"
    else:
        assert apply_exclusions(host, request(names=["aide"]))["changed"]


def test_scanner_that_still_reads_a_path_is_an_error(host: ScannerHost) -> None:
    host.files["/etc/aide.conf"] = File(b"/etc p\n", ctime=host.clock)
    host.programs["aide"] = lambda argv: DONE
    with pytest.raises(HostError, match="it still reads that path"):
        apply_exclusions(host, request(names=["aide"]))


def keeper(host: ScannerHost, deaf: bool = False) -> list[str]:
    """Install a tool that keeps its own list; a deaf one forgets what it is told."""
    kept = ["/mine/"]

    def mdatp(argv: Sequence[str]) -> CommandResult:
        if argv[1] == "list":
            return CommandResult(0, "".join(f'Path: "{path}"\n' for path in kept), "")
        if not deaf:
            kept.append(argv[4]) if argv[2] == "add" else kept.remove(argv[4])
        return DONE

    host.programs["mdatp"] = mdatp
    return kept


def test_list_of_a_tool_gets_ours_and_keeps_foreign_ones(host: ScannerHost) -> None:
    kept = keeper(host)
    assert apply_exclusions(host, request(names=["defender"], check_mode=True))["changed"]
    assert (kept, host.files.get(RECORD_PATH)) == (["/mine/"], None)
    apply_exclusions(host, request(names=["defender"]))
    assert kept == ["/mine/", "/var/lib/docker/"]
    assert not apply_exclusions(host, request(names=["defender"]))["changed"]
    apply_exclusions(host, request(names=["defender"], present=False))
    assert kept == ["/mine/"]
    assert RECORD_PATH not in host.files


def test_exclusion_of_the_administrator_is_not_removed(host: ScannerHost) -> None:
    kept = keeper(host)
    kept.append("/var/lib/docker")
    assert not apply_exclusions(host, request(names=["defender"]))["changed"]
    apply_exclusions(host, request(names=["defender"], present=False))
    assert kept == ["/mine/", "/var/lib/docker"]


def test_tool_that_does_not_obey_is_an_error(host: ScannerHost) -> None:
    keeper(host, deaf=True)
    with pytest.raises(HostError, match="central policy"):
        apply_exclusions(host, request(names=["defender"]))


def test_described_scanner_is_served(host: ScannerHost) -> None:
    host.programs["exampled"] = lambda argv: DONE
    other = {"name": "x", "program": "exampled", "file": "/etc/x.conf", "lines": ["Skip {path}"], "create": True}
    apply_exclusions(host, request(names=["x"], others=[other]))
    assert b"\nSkip /var/lib/docker\n" in host.files["/etc/x.conf"].data
    apply_exclusions(host, request(names=["x"], others=[other], present=False))
    assert "/etc/x.conf" not in host.files


@pytest.mark.parametrize(
    "other",
    [
        {"name": "clamav", "program": "x", "file": "/x", "lines": ["{path}"]},
        {"name": "x", "program": "x"},
        {"name": "x", "program": "x", "file": "/x"},
        {"name": "x", "program": "x", "add_command": ["x"]},
        {"name": "x", "program": "x", "file": "/x", "lines": ["{path}"], "add_command": ["x"]},
    ],
)
def test_description_that_is_not_complete_is_refused(host: ScannerHost, other: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="other_scanners"):
        apply_exclusions(host, request(others=[other]))


def test_unknown_scanner_is_refused(host: ScannerHost) -> None:
    with pytest.raises(ConfigError, match="'clamaw' is none"):
        apply_exclusions(host, request(names=["clamaw"]))


# -- where the data is


def test_running_engine_is_believed(host: ScannerHost) -> None:
    host.files["/etc/docker/daemon.json"].data = b'{"data-root": "/srv/not-yet"}'
    assert find_data_paths(host, system_instance(), False) == [DataPath("/var/lib/docker", "data-root", "")]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (b'{"data-root": "/srv/d"}', ["/srv/d"]),
        (b'{"userns-remap": "default"}', ["/var/lib/docker/1.2", "/var/lib/docker/3.4"]),
        (b'{"userns-remap": "default", "data-root": "/srv/d"}', ["/srv/d"]),
    ],
)
def test_engine_that_is_down_is_read_from_its_file(host: ScannerHost, config: bytes, expected: list[str]) -> None:
    host.engine.stop()
    host.files["/etc/docker/daemon.json"].data = config
    for name in ("1.2", "3.4", "overlay2"):
        host.directories[f"/var/lib/docker/{name}"] = host.clock
    assert [entry.path for entry in find_data_paths(host, system_instance(), False)] == expected


@pytest.mark.parametrize(
    ("dump", "expected"),
    [
        ("version = 2\nroot = '/srv/containerd'\n[plugins]\n", "/srv/containerd"),
        ("[plugins]\n  root = '/wrong'\n", "/var/lib/containerd"),
    ],
)
def test_root_of_containerd_is_asked_for(host: ScannerHost, dump: str, expected: str) -> None:
    host.programs["containerd"] = lambda argv: CommandResult(0, dump, "")
    host.directories[expected] = host.clock
    assert DataPath(expected, "containerd", "") in find_data_paths(host, system_instance(), False)


def test_rootless_data_of_users_counts(host: ScannerHost) -> None:
    host.files["/etc/passwd"] = File(b"root:x:0:0::/root:/bin/sh\nal:x:1000:1000::/home/al:/bin/sh\n")
    host.users["al"] = UserAccount("al", 1000, 1000, "/home/al")
    assert len(find_data_paths(host, system_instance(), True)) == 1
    host.directories["/home/al/.local/share/docker"] = host.clock
    assert DataPath("/home/al/.local/share/docker", "rootless", "al") in find_data_paths(host, system_instance(), True)
    host.files["/home/al/.config/docker/daemon.json"] = File(b'{"data-root": "/srv/al"}')
    host.directories["/srv/al"] = host.clock
    assert DataPath("/srv/al", "rootless", "al") in find_data_paths(host, system_instance(), True)


def test_volumes_stay_visible_when_asked_for() -> None:
    paths = without_volumes([DataPath("/d", "data-root", ""), DataPath("/c", "containerd", "")])
    assert "/d/overlay2" in paths
    assert "/c" in paths
    assert "/d" not in paths
    assert "/d/volumes" not in paths


@pytest.mark.parametrize("path", ["/", "/srv", "/var/lib/", "/home/al", "//usr"])
def test_directory_of_the_system_is_refused(path: str) -> None:
    with pytest.raises(RefusedError, match="blind the scanners"):
        check_path(path, "x")


@pytest.mark.parametrize("path", ["relative", "/a b", '/a"', "/a\nb", "/{path}"])
def test_path_that_no_file_can_carry_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match="plain name"):
        check_path(path, "x")
