# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the kernel's words, and reporting which containers are confined."""

from __future__ import annotations

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._apparmor_kernel import (
    TEMPLATE_MARK,
    Label,
    default_text,
    parse_denials,
    parse_label,
    parse_loaded,
    parser_number,
    summarise_denials,
)
from ansible_collections.bulwark.docker.plugins.module_utils._apparmor_report import report_apparmor
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError, HostError
from ansible_collections.bulwark.docker.plugins.module_utils._instance import system_instance
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.apparmor_host import AppArmorHost

# As kernel 6.12 writes them.
LOG = """\
[ 12.3] audit: type=1400 audit(1795324915.891:100): apparmor="STATUS" operation="profile_load" name="docker-web" pid=7
[ 20.1] audit: type=1400 audit(1795324920.100:101): apparmor="DENIED" operation="create" class="net" \
profile="docker-bulwark" pid=900 comm="python3" family="inet" sock_type="raw" protocol=1 requested="create" \
denied="create"
[ 20.2] audit: type=1400 audit(1795324921.100:102): apparmor="DENIED" operation="open" class="file" \
profile="docker-bulwark" name="/etc/cron.d/x" pid=900 comm=782079 requested_mask="wc" denied_mask="wc" fsuid=0 ouid=0
[ 20.3] audit: type=1400 audit(1795324922.100:103): apparmor="DENIED" operation="open" class="file" \
profile="docker-bulwark" name="/etc/cron.d/x" pid=901 comm=782079 requested_mask="wc" denied_mask="wc" fsuid=0 ouid=0
[ 20.4] audit: type=1400 audit(1795324923.100:104): apparmor="DENIED" operation="signal" class="signal" \
profile="docker-web" pid=77 comm="runc" requested_mask="receive" denied_mask="receive" signal=term peer="runc"
[ 20.5] audit: type=1400 audit(1795324924.100:105): apparmor="ALLOWED" operation="capable" class="cap" \
profile="docker-web" pid=77 comm="a" capability=13  capname="net_raw"
"""
AUDIT = (
    'type=AVC msg=audit(1795324922.100:103): apparmor="DENIED" operation="open" class="file" profile="docker-bulwark" '
    'name="/etc/cron.d/x" pid=901 comm=782079 requested_mask="wc" denied_mask="wc" fsuid=0 ouid=0\x1dFSUID="root"\n'
)


def test_profiles_and_labels() -> None:
    assert parse_loaded("a (enforce)\nb c//d (complain)\n\nrubbish\n") == {"a": "enforce", "b c//d": "complain"}
    assert parse_label("docker-web (enforce)\n") == Label("docker-web", "enforce")
    assert parse_label("unconfined\n") == Label("unconfined", "")
    assert parse_label("") == Label("unconfined", "")


@pytest.mark.parametrize(
    ("text", "number"),
    [("AppArmor parser version 3.0.8\n", 300008), ("version 4.1.0~beta", 401000), ("2.13", 213000), ("none", 0)],
)
def test_parser_version_counts_as_the_engine_counts(text: str, number: int) -> None:
    assert parser_number(text) == number


def test_refusals_are_read_counted_once_and_put_into_words() -> None:
    found = parse_denials(LOG + AUDIT)
    assert [(one.serial, one.profile, one.subject, one.allowed) for one in found] == [
        (101, "docker-bulwark", "inet raw", False),
        (102, "docker-bulwark", "/etc/cron.d/x", False),
        (103, "docker-bulwark", "/etc/cron.d/x", False),
        (104, "docker-web", "term runc", False),
        (105, "docker-web", "net_raw", True),
    ]
    told = summarise_denials(found, 10)
    assert [entry["count"] for entry in told["docker-bulwark"]] == [2, 1]
    assert told["docker-bulwark"][0]["line"] == ("2026-11-22T05:22:02Z x y: open /etc/cron.d/x [wc] refused, 2 time(s)")
    assert "would have been refused" in told["docker-web"][0]["line"] + told["docker-web"][1]["line"]
    assert [len(entries) for entries in summarise_denials(found, 1).values()] == [1, 1]


def test_older_template_of_the_engine_is_read_by_the_parsers_version() -> None:
    data = TEMPLATE_MARK + "=(x) {\n{{if ge .Version 208095}}  ptrace peer={{.Name}},\n{{end}}  file,\n}\nfunc main() {"
    old = default_text(data, "docker-default", "unconfined", 208000, tunables=False, base=False)
    new = default_text(data, "docker-default", "unconfined", 300008, tunables=True, base=True)
    assert old == "@{PROC}=/proc/\nprofile docker-default flags=(x) {\n  file,\n}\n"
    assert new.startswith("#include <tunables/global>\n")
    assert "ptrace peer=docker-default" in new


@pytest.mark.parametrize(
    "data", ["", TEMPLATE_MARK, TEMPLATE_MARK + " {\n{{end}}\n}\n", TEMPLATE_MARK + " {\n{{range .X}}\n}\n"]
)
def test_template_that_is_cut_or_does_not_match_is_refused(data: str) -> None:
    with pytest.raises(ConfigError, match="read the engine's own profile"):
        default_text(data, "docker-default", "unconfined", 300008, tunables=True, base=True)


def report(host: AppArmorHost) -> dict[str, object]:
    return report_apparmor(host, system_instance(), 10)


def test_containers_that_are_not_confined_are_named() -> None:
    host = AppArmorHost()
    host.kernel["docker-web"] = ("complain", "")
    host.add_container("good", "docker-default", "docker-default (enforce)")
    host.add_container("open", "unconfined", "unconfined")
    host.add_container("quiet", "docker-web", "docker-web (complain)")
    host.add_container("orphan", "docker-gone", "docker-gone (enforce)")
    host.add_container("mixed", "docker-web", "docker-default (enforce)")
    host.add_container("stuck", "docker-gone")
    host.add_container("asleep", "docker-default")
    host.logs["journalctl"] = LOG
    said = report(host)
    states = {one["name"]: one["state"] for one in said["containers"]}
    assert states == {
        "asleep": "stopped",
        "good": "confined",
        "mixed": "other_profile",
        "open": "unconfined",
        "orphan": "not_loaded",
        "quiet": "complain",
        "stuck": "stopped",
    }
    assert sorted(line.partition(":")[0] for line in said["findings"]) == ["mixed", "open", "orphan", "quiet", "stuck"]
    assert (said["available"], said["total_denials"]) == (True, 5)
    assert said["profiles"] == {"docker-default": "enforce", "docker-web": "complain"}


def test_audit_log_is_read_where_there_is_one() -> None:
    host = AppArmorHost()
    host.programs.add("ausearch")
    host.logs = {"journalctl": "", "ausearch": AUDIT}
    assert list(report(host)["denials"]) == ["docker-bulwark"]


def test_host_without_any_log_is_an_error() -> None:
    host = AppArmorHost()
    host.programs.discard("journalctl")
    with pytest.raises(HostError, match="neither journalctl nor ausearch"):
        report(host)


def test_without_apparmor_every_running_container_is_unconfined() -> None:
    host = AppArmorHost()
    del host.files["/sys/module/apparmor/parameters/enabled"]
    host.add_container("web", "docker-default", "docker-default (enforce)")
    host.add_container("asleep", "docker-default")
    said = report(host)
    assert (said["available"], said["default_profile"]["state"]) == (False, "unavailable")
    assert "without AppArmor" in said["reason"]
    assert [line.partition(":")[0] for line in said["findings"]] == ["web"]
