# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding what to audit and bringing rules into force, on a host that lives in memory."""

from __future__ import annotations

import contextlib
import json
import posixpath
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._audit_apply import (
    MERGED,
    PREVIOUS,
    RECORD,
    RULES_DIRECTORY,
    Request,
    apply_rules,
)
from ansible_collections.bulwark.docker.plugins.module_utils._audit_discovery import Choices, discover
from ansible_collections.bulwark.docker.plugins.module_utils._audit_rules import covers, own_lines, parse_meaning
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError, HostError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import CommandResult, FileStat, UserAccount

UNIT = "# /usr/lib/systemd/system/docker.service\n[Service]\nEnvironmentFile=-/etc/default/docker\nExecStart={start}\n"
OWN = f"{RULES_DIRECTORY}/00-bulwark-docker.rules"
SITE = f"{RULES_DIRECTORY}/50-site.rules"
REAL_HOST = "pid:[4026531836]"
FILES = (
    "/usr/sbin/dockerd /usr/bin/docker /usr/bin/containerd /usr/bin/containerd-shim-runc-v2 /usr/sbin/runc "
    "/usr/lib/systemd/system/docker.service /usr/lib/systemd/system/docker.socket /etc/default/docker /etc/subuid "
    "/var/lib/docker/engine-id /var/lib/docker/image/x /var/lib/docker/overlay2/x /run/docker.sock"
).split()


class AuditHost:
    """Files in a dictionary and a kernel that takes audit rules, with the habits of augenrules and auditctl."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = dict.fromkeys(FILES, b"")
        self.files["/etc/os-release"] = b'ID=debian\nNAME="Debian"\n'
        self.files["/etc/passwd"] = b"root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n"
        self.files["/etc/audit/auditd.conf"] = b"num_logs = 5\n"
        self.files[MERGED] = b"-D\n"
        self.directories = {"/etc/systemd/system", "/run/systemd/system", "/etc/apparmor.d", RULES_DIRECTORY, "/run"}
        self.links: dict[str, str] = {"/usr/bin/runc": "/usr/sbin/runc"}
        self.start = "/usr/sbin/dockerd -H fd://"
        self.namespace = REAL_HOST
        self.tools = True
        self.enabled = 1
        self.lost = 0
        self.kernel: list[str] = ["-w /etc/motd -p wa -k by-hand"]
        self.refused = ""
        self.signals: list[tuple[int, str]] = []
        self.writes = 0

    def real_path(self, path: str) -> str:
        return self.links.get(path, path)

    def stat(self, path: str) -> FileStat | None:
        path = self.real_path(path)
        if path in self.files:
            return FileStat("file", 0o640, 0, 0, len(self.files[path]), 0, 0)
        inside = any(name.startswith(path.rstrip("/") + "/") for name in (*self.files, *self.directories))
        return FileStat("directory", 0o755, 0, 0, 0, 0, 0) if inside or path in self.directories else None

    def read_file(self, path: str) -> bytes | None:
        return self.files.get(self.real_path(path))

    def write_file(self, path: str, data: bytes, _mode: int, _uid: int, _gid: int) -> None:
        self.writes += 1
        self.files[path] = data

    def remove_file(self, path: str) -> None:
        self.files.pop(path, None)

    def make_directory(self, path: str, _mode: int, _uid: int = 0, _gid: int = 0) -> None:
        self.directories.add(path)

    def remove_directory(self, path: str) -> None:
        if not self.list_directory(path):
            self.directories.discard(path)

    def list_directory(self, path: str) -> list[str]:
        inside = [name for name in (*self.files, *self.directories) if name.startswith(path + "/")]
        return sorted({name[len(path) + 1 :].split("/")[0] for name in inside})

    def read_link(self, path: str) -> str | None:
        return self.namespace if path == "/proc/self/ns/pid" else self.links.get(path)

    def which(self, name: str) -> str | None:
        return f"/usr/sbin/{name}" if self.tools else None

    def user(self, name: str) -> UserAccount | None:
        return UserAccount(name, 1001, 1001, f"/home/{name}") if name == "bob" else None

    def send_signal(self, pid: int, name: str) -> bool:
        self.signals.append((pid, name))
        return True

    @contextlib.contextmanager
    def lock(self, _path: str, _timeout: float) -> Iterator[None]:
        yield

    def run(self, argv: Sequence[str], **_more: Any) -> CommandResult:
        name = argv[0]
        if name == "uname":
            return CommandResult(0, "x86_64\n", "")
        if argv[:2] == ["systemctl", "cat"]:
            return CommandResult(0, UNIT.format(start=self.start), "")
        if argv[:2] == ["systemctl", "show"]:
            fragment = f"/usr/lib/systemd/system/{argv[2]}"
            loaded = "loaded" if fragment in self.files else "not-found"
            listen = "Listen=/run/docker.sock (Stream)\nListen=/run/extra/api.sock (Stream)\n" * ("socket" in argv[2])
            return CommandResult(0, f"Id={argv[2]}\nLoadState={loaded}\nFragmentPath={fragment}\n{listen}", "")
        if name == "augenrules":
            return self.merge()
        return self.auditctl(list(argv[1:]))

    def merge(self) -> CommandResult:
        names = [name for name in self.list_directory(RULES_DIRECTORY) if name.endswith(".rules")]
        self.files[PREVIOUS] = self.files[MERGED]
        texts = [self.files[f"{RULES_DIRECTORY}/{name}"].decode() for name in names]
        lines = [line for text in texts for line in text.splitlines() if not line.startswith("#")]
        self.files[MERGED] = "\n".join(["-D", *lines, ""]).encode()
        return CommandResult(0, "", "")

    def auditctl(self, arguments: list[str]) -> CommandResult:
        if self.namespace != REAL_HOST:
            return CommandResult(255, "", "Error sending status request (Operation not permitted)")
        if arguments == ["-s"]:
            return CommandResult(
                0, f"enabled {self.enabled}\npid 77\nbacklog_limit 64\nlost {self.lost}\nbacklog 0\n", ""
            )
        if arguments == ["-l"]:
            return CommandResult(0, "\n".join(self.kernel) or "No rules", "")
        said = [self.command(line) for line in self.files[arguments[1]].decode().splitlines()]
        complaints = [f"{why}\nThere was an error in line {number} of x" for number, why in enumerate(said, 1) if why]
        return CommandResult(1 if complaints else 0, "", "\n".join(complaints))

    def command(self, line: str) -> str:
        if line.startswith(("-A ", "-w ")):
            if self.refused and self.refused in line:
                return "Error sending add rule data request (Invalid argument)"
            self.kernel.insert(0, line.replace("-A ", "-a "))
        if line.startswith("-d "):
            wanted = parse_meaning(line)
            found = [rule for rule in self.kernel if wanted and (have := parse_meaning(rule)) and covers(have, wanted)]
            if not found:
                return "Error sending delete rule data request (No such file or directory)"
            self.kernel.remove(found[0])
        return ""


@pytest.fixture
def host() -> AuditHost:
    return AuditHost()


def request(present: bool = True, **more: Any) -> Request:
    values: dict[str, Any] = {
        "choices": Choices(),
        "form": "modern",
        "file_name": "00-bulwark-docker.rules",
        "space_settings": {},
        "report_missing_tools": False,
        "installed_package": "",
        "check_mode": False,
    }
    return Request(present=present, **{**values, **more})


def watched(host: AuditHost, choices: Choices | None = None) -> dict[str, tuple[str, str]]:
    found = discover(host, choices or Choices())
    return {watch.path: (watch.key, watch.kind) for watch in found.watches if watch.permissions == "wa"}


def test_programs_are_found_behind_links_and_both_are_watched(host: AuditHost) -> None:
    found = watched(host)
    assert found["/usr/sbin/dockerd"] == ("docker-engine", "path")
    assert found["/usr/bin/runc"] == found["/usr/sbin/runc"] == ("docker-runtime", "path")
    assert found["/run/extra"] == ("docker-sockets", "path")
    assert "/usr/bin/crun" not in found


def test_what_is_absent_is_skipped_with_a_reason(host: AuditHost) -> None:
    skipped = {entry.path: entry.reason for entry in discover(host, Choices()).skipped}
    assert skipped["/etc/sysconfig/docker"] == "neither it nor /etc/sysconfig exists"
    assert skipped["containerd.service"] == "systemd has no such unit"
    assert skipped["crun"].startswith("no such program in ")
    assert all(skipped.values())


def test_directories_that_must_be_watched_inside_are_made(host: AuditHost) -> None:
    found = discover(host, Choices())
    assert found.directories == (
        "/etc/systemd/system/docker.service.d",
        "/etc/systemd/system/docker.socket.d",
        "/etc/docker",
    )
    assert watched(host)["/etc/docker"] == ("docker-config", "dir")


def test_data_root_is_watched_without_layers_and_without_the_engine(host: AuditHost) -> None:
    found = discover(host, Choices()).watches
    data = {watch.path: watch.unless for watch in found if watch.key == "docker-data"}
    assert data["/var/lib/docker"] == data["/var/lib/docker/image"] == "/usr/sbin/dockerd"
    assert not any("overlay2" in watch.path for watch in found)
    layers = discover(host, Choices(layers=True)).watches
    assert [watch.path for watch in layers if watch.key == "docker-layers"] == ["/var/lib/docker/overlay2"]


def test_data_root_of_a_flag_and_of_the_file(host: AuditHost) -> None:
    host.directories |= {"/srv/flag", "/srv/file", "/srv/file/100000.100000"}
    host.files["/etc/docker/daemon.json"] = b'{"data-root": "/srv/file", "seccomp-profile": "/srv/p.json"}'
    assert watched(host)["/srv/file/100000.100000"] == ("docker-data", "path")
    assert watched(host)["/srv/p.json"] == ("docker-seccomp", "path")
    host.start += " --data-root=/srv/flag"
    assert "/srv/flag" in watched(host)
    host.files["/etc/docker/daemon.json"] = b"{broken"
    assert "/srv/flag" in watched(host)


def test_rootless_users_are_found_but_cannot_have_the_host_recorded(host: AuditHost) -> None:
    assert not any("/home" in path for path in watched(host))
    host.files["/home/ann/.config/docker/daemon.json"] = b"{}"
    assert watched(host)["/home/ann/.config/docker"] == ("docker-rootless", "dir")
    host.links["/home/ann/.config/docker"] = "/usr"
    assert "/usr" not in watched(host)
    assert "/home/ann/.config/docker" not in watched(host)
    host.directories.add("/home/bob/.config")
    assert watched(host, Choices(users=("bob",)))["/home/bob/.config/docker"] == ("docker-rootless", "path")
    with pytest.raises(HostError, match="no such user"):
        discover(host, Choices(users=("eve",)))


def test_name_that_auditctl_cannot_express_is_skipped(host: AuditHost) -> None:
    host.files["/etc/docker/daemon.json"] = b'{"runtimes": {"a": {"path": "/opt/my runtime/r"}}}'
    host.files["/opt/my runtime/r"] = b""
    assert "/opt/my runtime/r" not in watched(host)


def test_host_without_an_engine_is_refused(host: AuditHost) -> None:
    for path in ("/usr/sbin/dockerd", "/usr/bin/docker", "/usr/bin/containerd"):
        del host.files[path]
    with pytest.raises(HostError, match="install the engine first"):
        discover(host, Choices())


def test_rules_come_into_force_and_a_second_run_changes_nothing(host: AuditHost) -> None:
    first = apply_rules(host, request())
    assert (first["changed"], first["state"], first["warnings"]) == (True, "loaded", [])
    wanted = own_lines(host.files[OWN].decode())
    assert host.kernel == [*wanted, "-w /etc/motd -p wa -k by-hand"]
    assert own_lines(host.files[MERGED].decode()) == wanted
    host.writes = 0
    second = apply_rules(host, request())
    assert (second["changed"], second["reasons"], host.writes) == (False, [], 0)


def test_check_mode_forecasts_and_writes_nothing(host: AuditHost) -> None:
    before = (dict(host.files), set(host.directories), list(host.kernel))
    forecast = apply_rules(host, request(check_mode=True))
    assert (host.files, host.directories, host.kernel) == before
    done = apply_rules(host, request())
    assert forecast["changed"] is True
    assert (forecast["diff"], forecast["reasons"]) == (done["diff"], done["reasons"])


def test_removal_gives_back_files_directories_and_rules(host: AuditHost) -> None:
    before = (dict(host.files), set(host.directories), list(host.kernel))
    apply_rules(host, request(space_settings={"num_logs": 9}, installed_package="auditd"))
    assert host.files["/etc/audit/auditd.conf"] == b"num_logs = 9\n"
    assert host.signals == [(77, "HUP")]
    removed = apply_rules(host, request(present=False))
    host.directories -= {"/run/bulwark-docker"}
    assert (host.files, host.directories - {"/var/lib/bulwark-docker"}, host.kernel) == before
    assert (removed["state"], removed["package"]) == ("removed", "auditd")
    assert apply_rules(host, request(present=False))["changed"] is False


def test_frozen_rules_are_pending_and_not_a_failure(host: AuditHost) -> None:
    host.enabled = 2
    first = apply_rules(host, request())
    assert (first["changed"], first["state"]) == (True, "pending_reboot")
    assert host.kernel == ["-w /etc/motd -p wa -k by-hand"]
    assert "pending reboot" in first["warnings"][0]
    assert apply_rules(host, request())["changed"] is False
    host.enabled, host.kernel = 1, own_lines(host.files[OWN].decode())
    assert apply_rules(host, request())["state"] == "loaded"


def test_container_gets_files_only(host: AuditHost) -> None:
    host.namespace = "pid:[4026532794]"
    first = apply_rules(host, request())
    assert (first["state"], first["loadable"], first["changed"]) == ("not_loadable", False, True)
    assert "this host is a container" in first["warnings"][0]
    assert OWN in host.files
    assert apply_rules(host, request())["changed"] is False


def test_refused_rule_is_named_and_loses_no_other(host: AuditHost) -> None:
    host.refused = "arch=b32 -S all -F path=/etc/subuid"
    with pytest.raises(HostError, match=r"1 of \d+ are not in the kernel .*Invalid argument.*all others are loaded"):
        apply_rules(host, request())
    wanted = own_lines(host.files[OWN].decode())
    assert [line for line in wanted if line not in host.kernel] == [line for line in wanted if host.refused in line]


def test_broken_line_of_somebody_else_is_reported_and_left_alone(host: AuditHost) -> None:
    host.files[SITE] = b"-w /nowhere/x -p wa -k site\n-w /etc/motd -p wa -k by-hand\n"
    done = apply_rules(host, request())
    assert done["state"] == "loaded"
    assert [warning.partition(":")[0] for warning in done["warnings"]] == [f"{SITE}, line 1"]
    assert host.files[SITE].startswith(b"-w /nowhere")


def test_lost_records_are_reported(host: AuditHost) -> None:
    host.lost = 12
    done = apply_rules(host, request())
    assert done["counters"]["lost"] == 12
    assert "12 audit records were lost" in done["warnings"][0]


def test_rules_that_are_not_wanted_any_more_leave_the_kernel(host: AuditHost) -> None:
    apply_rules(host, request(choices=Choices(executions=("client", "runtime"))))
    assert any("docker-exec-runtime" in line for line in host.kernel)
    apply_rules(host, request(choices=Choices(executions=())))
    assert not any("docker-exec" in line for line in host.kernel)
    assert "-w /etc/motd -p wa -k by-hand" in host.kernel


def test_other_file_name_moves_the_rules(host: AuditHost) -> None:
    apply_rules(host, request())
    moved = apply_rules(host, request(file_name="70-docker.rules"))
    assert moved["changed"] is True
    assert OWN not in host.files
    assert f"{RULES_DIRECTORY}/70-docker.rules" in host.files
    assert apply_rules(host, request(file_name="70-docker.rules"))["changed"] is False


def test_host_without_tools(host: AuditHost) -> None:
    host.tools = False
    with pytest.raises(HostError, match="install the package auditd first"):
        apply_rules(host, request())
    told = apply_rules(host, request(report_missing_tools=True))
    assert (told["changed"], told["package"], told["state"]) == (False, "auditd", "tools_missing")
    assert apply_rules(host, request(check_mode=True))["changed"] is True
    host.files["/etc/os-release"] = b"ID=plan9\n"
    with pytest.raises(HostError, match="plan9"):
        apply_rules(host, request(report_missing_tools=True))


@pytest.mark.parametrize("name", ["x.conf", "../x.rules"])
def test_file_name_that_nobody_reads_is_refused(host: AuditHost, name: str) -> None:
    with pytest.raises(ConfigError, match="name the rules file"):
        apply_rules(host, request(file_name=name))


@pytest.mark.parametrize("text", [b"{", b'{"format": 9}', b"[]"])
def test_damaged_record_is_refused(host: AuditHost, text: bytes) -> None:
    host.files[RECORD] = text
    with pytest.raises(ConfigError, match="read the record of the audit rules"):
        apply_rules(host, request())


def test_record_names_what_was_made(host: AuditHost) -> None:
    apply_rules(host, request())
    record = json.loads(host.files[RECORD])
    assert "/etc/docker" in record["directories"]
    assert posixpath.basename(record["path"]) == "00-bulwark-docker.rules"
