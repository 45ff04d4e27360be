# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units, drop-ins and environment files; expected values as systemd 252 and 257 start the same unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError
from ansible_collections.bulwark.docker.plugins.module_utils._unit import (
    EnvironmentFile,
    build_command,
    parse_environment_file,
    parse_unit,
)

DEBIAN = """\
# /usr/lib/systemd/system/docker.service
[Unit]
Description=Docker Application Container Engine
ExecStart=/bin/not-in-this-section

[Service]
Type=notify
# /etc/default/docker may hold DOCKER_OPTS
EnvironmentFile=-/etc/default/docker
# the default is not to use systemd for cgroups
ExecStart=/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS
ExecReload=/bin/kill -s HUP $MAINPID

[Install]
WantedBy=multi-user.target
"""
DROP_IN = "\n# /etc/systemd/system/docker.service.d/{name}.conf\n{text}"


def drop_in(text: str, name: str = "override") -> str:
    """A drop-in as systemctl cat shows it."""
    return DROP_IN.format(name=name, text=text)


def service(text: str) -> str:
    """A unit with only these lines in its service section."""
    return "# /etc/systemd/system/docker.service\n[Service]\n" + text


class Case(NamedTuple):
    """Output of systemctl cat, environment files, and the words that start."""

    text: str
    files: Mapping[str, str | None]
    argv: list[str]


BASE = ["/usr/sbin/dockerd", "-H", "fd://", "--containerd=/run/containerd/containerd.sock"]
DEFAULTS = "/etc/default/docker"

SUBJECT_OK = {
    "packaged, no environment file": Case(DEBIAN, {DEFAULTS: None}, BASE),
    "packaged, quoted options": Case(
        DEBIAN, {DEFAULTS: 'DOCKER_OPTS="--dns 192.0.2.1 --mtu=1400"\n'}, [*BASE, "--dns", "192.0.2.1", "--mtu=1400"]
    ),
    "packaged, bare options": Case(DEBIAN, {DEFAULTS: "DOCKER_OPTS=-D  -l warn \n"}, [*BASE, "-D", "-l", "warn"]),
    "packaged, commented out": Case(DEBIAN, {DEFAULTS: '#DOCKER_OPTS="-D"\n; DOCKER_OPTS=-D\n'}, BASE),
    "packaged, exported": Case(DEBIAN, {DEFAULTS: 'export DOCKER_OPTS="-D"\n'}, BASE),
    "packaged, quotes in quotes": Case(
        DEBIAN, {DEFAULTS: "DOCKER_OPTS=\"--label 'a=b c'\"\n"}, [*BASE, "--label", "a=b c"]
    ),
    "packaged, last assignment wins": Case(
        DEBIAN, {DEFAULTS: "DOCKER_OPTS=-D\nDOCKER_OPTS=--debug\n"}, [*BASE, "--debug"]
    ),
    "reset by a drop-in": Case(
        DEBIAN + drop_in("[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd -H unix://\n"),
        {},
        ["/usr/sbin/dockerd", "-H", "unix://"],
    ),
    "reset twice": Case(
        DEBIAN
        + drop_in("[Service]\nExecStart=\nExecStart=/bin/one\n", "10-one")
        + drop_in("[Service]\nExecStart=\nExecStart=/bin/two\n", "20-two"),
        {},
        ["/bin/two"],
    ),
    "drop-in without a section is ignored": Case(
        DEBIAN + drop_in("ExecStart=\nExecStart=/bin/other\n"), {DEFAULTS: None}, BASE
    ),
    "environment reset by a drop-in": Case(
        service("Environment=A=1 B=2\nExecStart=/bin/d ${A} ${B}\n")
        + drop_in("[Service]\nEnvironment=\nEnvironment=B=3\n"),
        {},
        ["/bin/d", "", "3"],
    ),
    "environment files reset by a drop-in": Case(
        DEBIAN + drop_in("[Service]\nEnvironmentFile=\n"), {DEFAULTS: "DOCKER_OPTS=-D\n"}, BASE
    ),
    "environment file beats environment": Case(
        service("EnvironmentFile=/e\nEnvironment=A=unit\nExecStart=/bin/d $A\n"), {"/e": "A=file\n"}, ["/bin/d", "file"]
    ),
    "later environment file wins": Case(
        service("EnvironmentFile=/e\nEnvironmentFile=-/f\nExecStart=/bin/d $A\n"),
        {"/e": "A=first\n", "/f": "A=second\n"},
        ["/bin/d", "second"],
    ),
    "continued lines and comments between": Case(
        service("ExecStart=/bin/d \\\n  --one \\\n# a comment\n; another\n  --two\n"), {}, ["/bin/d", "--one", "--two"]
    ),
    "an escaped backslash does not continue": Case(
        service("ExecStart=/bin/d a\\\\\nEnvironment=X=1\n"), {}, ["/bin/d", "a\\"]
    ),
    "continued to the end": Case(service("ExecStart=/bin/d a \\"), {}, ["/bin/d", "a"]),
    "one variable in braces is one word": Case(
        service('Environment="A=x y"\nExecStart=/bin/d ${A} pre${A}post\n'), {}, ["/bin/d", "x y", "prex ypost"]
    ),
    "a bare variable is split, an empty one vanishes": Case(
        service('Environment="A=x y" B=\nExecStart=/bin/d $A $B $UNKNOWN ${UNKNOWN}\n'), {}, ["/bin/d", "x", "y", ""]
    ),
    "a bare variable inside a word is text": Case(
        service("Environment=A=x\nExecStart=/bin/d --a=$A\n"), {}, ["/bin/d", "--a=$A"]
    ),
    "doubled dollar": Case(
        service("Environment=A=x\nExecStart=/bin/d $$A $${A} a$$\n"), {}, ["/bin/d", "$A", "${A}", "a$"]
    ),
    "doubled per cent": Case(service("ExecStart=/bin/d --format=%%t\n"), {}, ["/bin/d", "--format=%t"]),
    "ignore failures": Case(service("ExecStart=-/bin/d -x\n"), {}, ["/bin/d", "-x"]),
    "full privileges": Case(service("ExecStart=+/bin/d\n"), {}, ["/bin/d"]),
    "another name": Case(service("ExecStart=@/bin/d dockerd -x\n"), {}, ["/bin/d", "-x"]),
    "several prefixes": Case(service("ExecStart=-@+/bin/d dockerd -x\n"), {}, ["/bin/d", "-x"]),
    "no expansion": Case(service("Environment=A=x\nExecStart=:/bin/d $A ${A}\n"), {}, ["/bin/d", "$A", "${A}"]),
    "quotes and escapes": Case(
        service('ExecStart=/bin/d "a b" \'c d\' e\\x20f g\\040h \\t "" --x="i j" k\\q\n'),
        {},
        ["/bin/d", "a b", "c d", "e f", "g h", "\t", "", "--x=i j", "k\\q"],
    ),
    "blanks around the equals sign": Case(service("ExecStart = /bin/d -x \n"), {}, ["/bin/d", "-x"]),
    "line ends of another system": Case(service("ExecStart=/bin/d \\\r\n -x\r\n"), {}, ["/bin/d", "-x"]),
    "other sections after the service": Case(DEBIAN + "ExecStart=/bin/no\n", {DEFAULTS: None}, BASE),
}


@pytest.mark.parametrize("case", SUBJECT_OK.values(), ids=SUBJECT_OK.keys())
def test_command_line(case: Case) -> None:
    assert list(build_command(parse_unit(case.text, "docker.service"), case.files).argv) == case.argv


SUBJECT_BAD = {
    "nothing left": (DEBIAN + drop_in("[Service]\nExecStart=\n"), r"no ExecStart= is left \(docker\.service\)"),
    "no service section": ("# /x.service\n[Unit]\nExecStart=/bin/d\n", "no ExecStart="),
    "open quote": (service('ExecStart=/bin/d "a\n'), 'a " quote is never closed'),
    "open quote in the environment": (service("Environment='A=1\nExecStart=/bin/d\n"), "Environment='A=1"),
    "no program": (service("ExecStart=$NOTHING\n"), "it starts no program"),
    "only prefixes": (service("ExecStart=-\n"), "it starts no program"),
}


@pytest.mark.parametrize(("text", "words"), SUBJECT_BAD.values(), ids=SUBJECT_BAD.keys())
def test_units_that_start_nothing(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        build_command(parse_unit(text, "docker.service"), {})


def test_files_of_a_unit() -> None:
    unit = parse_unit(DEBIAN + drop_in("[Service]\nEnvironmentFile=/etc/more\n"), "docker.service")
    assert unit.paths == (
        "/usr/lib/systemd/system/docker.service",
        "/etc/systemd/system/docker.service.d/override.conf",
    )
    assert unit.environment_files == (EnvironmentFile(DEFAULTS, True), EnvironmentFile("/etc/more", False))


def test_environment_reaches_the_command() -> None:
    unit = parse_unit(service("Environment=A=1 'B=2 3' notanassignment\nExecStart=/bin/d\n"), "docker.service")
    assert build_command(unit, {}).environment == {"A": "1", "B": "2 3"}


ENVIRONMENT_OK = {
    "A=1\n": {"A": "1"},
    "A=1": {"A": "1"},
    "  A = 1 2  \n": {"A": "1 2"},
    'A="1 2" \n': {"A": "1 2"},
    "A='1 \\n 2'\n": {"A": "1 \\n 2"},
    'A="1\\"2\\$3\\`4\\\\5\\n6"\n': {"A": '1"2$3`4\\5\\n6'},
    'A="1\n2"\nB=3\n': {"A": "1\n2", "B": "3"},
    'A="1\\\n2"\n': {"A": "12"},
    "A=1\\\n2\nB=3\n": {"A": "12", "B": "3"},
    'A=-D --label="x y"\n': {"A": '-D --label="x y"'},
    "A=a\\ b\\\\c\n": {"A": "a b\\c"},
    "A='1'\"2\"\n": {"A": "12"},
    "A=\nB=2\n": {"A": "", "B": "2"},
    'A=""\n': {"A": ""},
    "# A=1\n;B=2\n  # C=3\n\nD=4\n": {"D": "4"},
    "A=1 # no comment\n": {"A": "1 # no comment"},
    "export A=1\n1A=2\nA-B=3\nnothing\nC=4\n": {"C": "4"},
    "A=1\nA=2\n": {"A": "2"},
    "A=1\r\nB=2\r\n": {"A": "1", "B": "2"},
    "A=b=c\n": {"A": "b=c"},
}


@pytest.mark.parametrize(("text", "values"), ENVIRONMENT_OK.items())
def test_environment_files(text: str, values: dict[str, str]) -> None:
    assert parse_environment_file(text, DEFAULTS) == values


@pytest.mark.parametrize("text", ['A="1\nB=2\n', "A='1"])
def test_environment_file_with_an_open_quote(text: str) -> None:
    with pytest.raises(ConfigError, match=f"{DEFAULTS}, A"):
        parse_environment_file(text, DEFAULTS)
