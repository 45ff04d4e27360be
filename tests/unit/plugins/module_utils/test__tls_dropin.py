# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drop-in: what is rendered is what systemd starts, and what is read back is what was rendered."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError
from ansible_collections.bulwark.docker.plugins.module_utils._flags import parse_flags
from ansible_collections.bulwark.docker.plugins.module_utils._tls_dropin import (
    TlsListener,
    first_certificate,
    foreign_flags,
    parse_drop_in,
    read_listener,
    render_drop_in,
    strip_listeners,
)
from ansible_collections.bulwark.docker.plugins.module_utils._unit import build_command, parse_unit
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.transaction_steps import pem

VERSION = Version(26, 1, 5)
DEBIAN = "/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS"
LISTENER = TlsListener(("192.0.2.7", "2001:db8::7"), 2376, "/tls/ca.pem", "/tls/cert.pem", "/tls/key.pem", True)
OPTIONS: dict[str, Any] = {**LISTENER._asdict(), "addresses": list(LISTENER.addresses)}
PATHS = st.text(
    st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp"), blacklist_characters="\x85"), min_size=1, max_size=12
).map(lambda text: "/" + text)


def _started(drop_in: bytes, environment: str = "") -> tuple[str, ...]:
    """What systemd would start with this drop-in behind the packaged unit."""
    text = f"# /u.service\n[Service]\nEnvironmentFile=/e\nExecStart={DEBIAN}\n# /d.conf\n{drop_in.decode()}"
    return build_command(parse_unit(text, "docker.service"), {"/e": environment}).argv


def test_line_of_the_package_is_repeated_with_the_listener_behind_it() -> None:
    argv = _started(render_drop_in(DEBIAN, VERSION, None, LISTENER), 'DOCKER_OPTS="--debug --label a=b"')
    assert argv == (
        *("/usr/sbin/dockerd", "-H", "fd://", "--containerd=/run/containerd/containerd.sock"),
        *("--debug", "--label", "a=b", "-H", "tcp://192.0.2.7:2376", "-H", "tcp://[2001:db8::7]:2376"),
        *("--tlsverify", "--tlscacert=/tls/ca.pem", "--tlscert=/tls/cert.pem", "--tlskey=/tls/key.pem"),
    )


def test_without_verification_it_is_switched_off_by_name() -> None:
    argv = _started(render_drop_in(DEBIAN, VERSION, "fd://", LISTENER._replace(verify=False)))
    assert argv[-5:-3] == ("--tls", "--tlsverify=false")
    assert "--tlsverify" not in argv


@given(paths=st.tuples(PATHS, PATHS, PATHS), verify=st.booleans(), prefix=st.sampled_from(["", "-", ":", "+:"]))
def test_any_path_arrives_and_is_read_back(paths: tuple[str, str, str], verify: bool, prefix: str) -> None:
    listener = LISTENER._replace(ca=paths[0], certificate=paths[1], key=paths[2], verify=verify)
    base = prefix + DEBIAN.replace(" $DOCKER_OPTS", "")
    rendered = render_drop_in(base, VERSION, None, listener)
    flags = parse_flags(_started(rendered)[1:], VERSION)
    assert flags.errors == ()
    assert [flags.values[key] for key in ("tlscacert", "tlscert", "tlskey")] == [(path,) for path in paths]
    found = parse_drop_in(rendered)
    assert found is not None
    assert found.repeated == base
    assert found.listener == listener


@pytest.mark.parametrize(
    ("line", "stripped"),
    [
        (DEBIAN, DEBIAN),
        ("/usr/bin/dockerd -H fd:// -H tcp://0.0.0.0:2375", "/usr/bin/dockerd -H fd://"),
        ("dockerd  --host=tcp://1.2.3.4:2376   --tls $X", "dockerd $X"),
        ("dockerd -D -Htcp://0.0.0.0 -l debug", "dockerd -D -l debug"),
        ("dockerd -H=:2375 --tlsverify=true --tlskey /k --tlscert '/a b' --debug", "dockerd --debug"),
        ("dockerd --label -H --tlscacert=/ca tcp", "dockerd --label -H tcp"),
        ("dockerd -H $WHERE --tls=false", "dockerd -H $WHERE"),
        ("@dockerd -H -H tcp://0.0.0.0:1", "@dockerd -H"),
        ("dockerd -H unix:///x.sock -H 'tcp://[::1]:2376'", "dockerd -H unix:///x.sock"),
    ],
)
def test_listeners_and_tls_leave_the_line_and_nothing_else(line: str, stripped: str) -> None:
    assert strip_listeners(line, VERSION) == stripped


def test_foreign_flags_are_named_as_they_were_given() -> None:
    argv = ["-H", "fd://", "-H", "tcp://0.0.0.0:2375", "--tlsverify", "--tlskey=/k", "--debug"]
    assert foreign_flags(parse_flags(argv, VERSION)) == ["-H tcp://0.0.0.0:2375", "--tlskey=/k", "--tlsverify=true"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"addresses": []}, "addresses is empty"),
        ({"addresses": ["host.example"]}, "'host.example' is not an IP address"),
        ({"addresses": ["127.0.0.1", "127.0.0.1"]}, "twice"),
        ({"addresses": ["::1", "0:0:0:0:0:0:0:1"]}, "twice"),
        ({"addresses": ["0.0.0.0", "192.0.2.7"]}, "stands for all addresses"),
        ({"port": 0}, "port 0"),
        ({"port": 65536}, "port 65536"),
        ({"ca": "ca.pem"}, "ca is 'ca.pem'"),
        ({"key": "/a\nExecStart=/bin/evil"}, "not an absolute path"),
        ({"certificate": ""}, "certificate is ''"),
    ],
)
def test_options_that_cannot_work(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_listener({**OPTIONS, **change})


def test_options_become_a_listener() -> None:
    assert read_listener(OPTIONS) == LISTENER


@pytest.mark.parametrize(
    "raw", [None, b"", b"[Service]\nExecStart=\nExecStart=/usr/bin/dockerd\n", b"# Repeated line: a\n[Service]\n"]
)
def test_what_is_not_ours_is_not_read(raw: bytes | None) -> None:
    assert parse_drop_in(raw) is None


def test_drop_in_that_only_strips_has_no_listener() -> None:
    found = parse_drop_in(render_drop_in("dockerd -H tcp://0.0.0.0:2375", VERSION, "fd://", None))
    assert found is not None
    assert (found.repeated, found.listener) == ("dockerd -H tcp://0.0.0.0:2375", None)


def test_first_certificate_of_a_bundle_is_the_one_that_is_shown() -> None:
    assert first_certificate(b"text before\n" + pem("leaf") + pem("ca")) == b"leaf"
    assert first_certificate(b"-----BEGIN PRIVATE KEY-----\n") is None
    assert first_certificate(b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n") is None
