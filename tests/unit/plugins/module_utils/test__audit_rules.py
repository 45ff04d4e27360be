# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Audit rules: written, read back as both generations of auditctl print them, compared."""

from __future__ import annotations

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._audit_rules import (
    Watch,
    covers,
    difference,
    load_script,
    merged_holds,
    own_lines,
    parse_complaints,
    parse_meaning,
    parse_status,
    removal_lines,
    render_file,
    render_rules,
    unloaded_lines,
)
from ansible_collections.bulwark.docker.plugins.module_utils._audit_tables import KEYS, MACHINES, SUBJECTS

FILE = Watch("docker-subids", "path", "/etc/subuid")
FOLDER = Watch("docker-config", "dir", "/etc/docker")
DATA = Watch("docker-data", "dir", "/var/lib/docker/image", unless="/usr/sbin/dockerd")
RUN = Watch("docker-exec-client", "path", "/usr/bin/docker", "x")
# What auditctl 4.0.2 printed for a rule on a directory with a list of its own.
PRINTED_BY_4 = (
    "-a always,exit -F arch=b64 -S open,bind,truncate,ftruncate,rename,mkdir,rmdir,creat,link,unlink,symlink,chmod,"
    "fchmod,chown,fchown,lchown,mknod,acct,swapon,quotactl,setxattr,lsetxattr,fsetxattr,removexattr,lremovexattr,"
    "fremovexattr,openat,mkdirat,mknodat,fchownat,unlinkat,renameat,linkat,symlinkat,fchmodat,fallocate,renameat2,"
    "openat2,fchmodat2,463,466,469 -F dir=/etc/docker -F perm=wa -F key=docker-config"
)


def meaning(line: str):
    found = parse_meaning(line)
    assert found is not None
    return found


def same(loaded: str, wanted: str) -> bool:
    return covers(meaning(loaded), meaning(wanted))


def test_no_key_is_part_of_another_since_ausearch_finds_parts() -> None:
    assert len(KEYS) == len(set(KEYS)) == len(SUBJECTS)
    assert [(one, other) for one in KEYS for other in KEYS if one != other and one in other] == []


def test_a_rule_for_each_machine_interface() -> None:
    lines = render_rules(FOLDER, "x86_64", "modern")
    assert [line.split("arch=")[1][:3] for line in lines] == ["b64", "b32"]
    assert all("452" in line and "-F dir=/etc/docker -F perm=wa -F key=docker-config" in line for line in lines)
    assert "chown32" in lines[1]
    assert render_rules(FILE, "x86_64", "modern")[0].startswith("-a always,exit -F arch=b64 -S all -F path=/etc/subuid")
    assert render_rules(FILE, "mips", "modern") == [
        "-a always,exit -S all -F path=/etc/subuid -F perm=wa -F key=docker-subids"
    ]


def test_watch_form_only_where_it_says_the_same() -> None:
    assert render_rules(FILE, "x86_64", "watch") == ["-w /etc/subuid -p wa -k docker-subids"]
    assert all("exe!=/usr/sbin/dockerd" in line for line in render_rules(DATA, "x86_64", "watch"))


@pytest.mark.parametrize("machine", sorted(MACHINES))
@pytest.mark.parametrize("watch", [FILE, FOLDER, DATA, RUN], ids=lambda watch: watch.key)
def test_rendered_rule_covers_itself(watch: Watch, machine: str) -> None:
    for form in ("modern", "watch"):
        lines = render_rules(watch, machine, form)
        assert difference(lines, lines) == ([], [])
        assert difference(lines, []) == (lines, [])
        assert difference([], lines) == ([], lines)


@pytest.mark.parametrize(
    ("loaded", "wanted"),
    [
        (PRINTED_BY_4, render_rules(FOLDER, "x86_64", "modern")[0]),
        ("-w /etc/docker -p wa -k k", "-w /etc/docker/ -p aw -k k"),
        ("-w /etc/docker -p wa -k k", "-a exit,always -F dir=/etc/docker -F perm=wa -k k"),
        ("-w /etc/docker -p rwxa -k k", "-w /etc/docker -k k"),
        (
            "-a always,exit -S all -F dir=/d -F perm=wa -F exe=/usr/sbin/dockerd -F key=k",
            "-a always,exit -S all -F dir=/d -F perm=wa -F exe!=/usr/sbin/dockerd -F key=k",
        ),
        (
            "-a always,exit -F arch=b64 -S sethostname,setdomainname -F auid>=1000 -F auid!=-1 -F key=k",
            "-a always,exit -F arch=b64 -S setdomainname -S sethostname -F auid>=1000 -F auid!=4294967295 -k k",
        ),
        (
            "-a always,exit -F arch=b64 -S open -F a1&64 -F key=k",
            "-a always,exit -F arch=b64 -S open -F a1&0100 -F key=k",
        ),
        (
            "-a always,exit -F arch=b64 -S open,openat,452 -F path=/x -F perm=wa -F key=k",
            "-a always,exit -F arch=b64 -S fchmodat2,open -F path=/x -F perm=wa -F key=k",
        ),
        ("-a never,exclude -F msgtype=CWD", "-a exclude,never -F msgtype=CWD"),
    ],
)
def test_same_rule_in_other_words(loaded: str, wanted: str) -> None:
    assert same(loaded, wanted)


@pytest.mark.parametrize(
    ("loaded", "wanted"),
    [
        ("-w /etc/docker -p wa -k k", "-w /etc/docker -p wa -k other"),
        ("-w /etc/docker -p w -k k", "-w /etc/docker -p wa -k k"),
        ("-w /etc/docker2 -p wa -k k", "-w /etc/docker -p wa -k k"),
        ("-a never,exit -F path=/x -F perm=wa -F key=k", "-a always,exit -F path=/x -F perm=wa -F key=k"),
        ("-a always,exit -F arch=b64 -S open -F key=k", "-a always,exit -F arch=b64 -S open,openat -F key=k"),
        (
            "-a always,exit -F arch=b64 -S open -F dir=/x -F key=k",
            "-a always,exit -F arch=b64 -S all -F dir=/x -F key=k",
        ),
        (
            "-a always,exit -F arch=b32 -S all -F path=/x -F key=k",
            "-a always,exit -F arch=b64 -S all -F path=/x -F key=k",
        ),
    ],
)
def test_other_rule_is_not_taken_for_it(loaded: str, wanted: str) -> None:
    assert not same(loaded, wanted)


@pytest.mark.parametrize("line", ["-D", "-b 8192", "-a", "nonsense", "-a always,exit -F nonsense", "-x /etc -k k"])
def test_line_that_adds_nothing_understood(line: str) -> None:
    assert parse_meaning(line) is None


def test_rule_of_somebody_else_is_never_stale_even_with_a_key_of_ours() -> None:
    theirs = "-w /srv/x -p wa -k docker-config"
    assert difference([], [theirs]) == ([], [theirs])
    assert difference([], [theirs], [theirs]) == ([], [])
    assert difference([], ["-w /srv/x -p wa -k site"]) == ([], [])
    assert difference([], ["-w /srv/x -p wa"]) == ([], [])


def test_script_puts_rules_in_front_in_their_order_and_goes_on_after_an_error() -> None:
    wanted = render_rules(FILE, "x86_64", "modern")
    script, added = load_script(wanted, ["-w /gone -p wa -k docker-config"])
    lines = script.splitlines()
    assert lines[0] == "-c"
    assert lines[1:3] == [
        "-d always,exit -F path=/gone -F perm=aw -F key=docker-config",
        "-d always,exit -F dir=/gone -F perm=aw -F key=docker-config",
    ]
    assert [line.replace("-A ", "-a ") for line in reversed(lines[3:])] == wanted
    assert {lines[number - 1].replace("-A ", "-a "): rule for number, rule in added.items()} == {x: x for x in wanted}


def test_removal_of_a_rule_that_audit_3_prints_with_the_wrong_operator() -> None:
    lines = removal_lines("-a always,exit -S all -F dir=/d -F perm=wa -F exe=/usr/sbin/dockerd -F key=docker-data")
    assert [line.startswith("-d always,exit ") for line in lines] == [True, True]
    assert "exe!=/usr/sbin/dockerd" in lines[1]


def test_complaints_name_line_and_reason() -> None:
    output = (
        "No rules\nenabled 1\nperm used without an arch is slower\n"
        "Error sending add rule data request (No such file or directory)\nThere was an error in line 12 of /x.rules\n"
        "Syscall name unknown: bogus\nThere was an error in line 14 of /x.rules\n"
    )
    assert [(one.line, one.reason) for one in parse_complaints(output)] == [
        (12, "Error sending add rule data request (No such file or directory)"),
        (14, "Syscall name unknown: bogus"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "enabled 2\nfailure 1\npid 614\nbacklog_limit 8192\nlost 3\nbacklog 1\nloginuid_immutable 0 unlocked\n",
        "AUDIT_STATUS: enabled=2 flag=1 pid=614 rate_limit=0 backlog_limit=8192 lost=3 backlog=1\n",
    ],
)
def test_status(text: str) -> None:
    status = parse_status(text)
    assert status is not None
    assert status.immutable
    assert (status.pid, status.lost, status.backlog, status.backlog_limit) == (614, 3, 1, 8192)


def test_status_that_is_none() -> None:
    assert parse_status("Error sending status request (Operation not permitted)") is None


def test_file_begins_with_the_switch_that_keeps_a_bad_line_from_stopping_the_rest() -> None:
    text = render_file([RUN, FILE], "x86_64", "modern")
    commands = [line for line in text.splitlines() if not line.startswith("#")]
    assert commands[0] == "-i"
    # In the order of the subjects.
    assert ["docker-subids" in line for line in commands[1:]] == [True, True, False, False]
    assert own_lines(text) == commands[1:]


def test_merged_file_is_compared_by_what_is_ours() -> None:
    wanted = render_rules(FILE, "x86_64", "modern")
    merged = "\n".join(["-D", *wanted, "-w /etc/hosts -p wa -k site"])
    assert merged_holds(merged, wanted, [])
    assert not merged_holds("-D", wanted, [])
    stale = merged + "\n-w /etc/docker -p wa -k docker-config"
    assert not merged_holds(stale, wanted, [])
    assert merged_holds(stale, wanted, ["-w /etc/docker -p wa -k docker-config"])


def test_unloaded_lines_of_other_files() -> None:
    text = (
        "## mine\n-D\n-b 9000\n--backlog_wait_time 5\n\n-w /etc/hosts -p wa -k a\n-w /etc/passwd -p wa -k b\nnonsense\n"
    )
    assert unloaded_lines(text, ["-w /etc/hosts -p wa -k a"]) == [(7, "-w /etc/passwd -p wa -k b"), (8, "nonsense")]
