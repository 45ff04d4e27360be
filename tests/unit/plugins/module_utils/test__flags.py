# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of dockerd in all its spellings."""

from __future__ import annotations

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._flags import known_flags, parse_flags
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version

OLD, NEW, NEWER = Version(20, 10, 24), Version(26, 1, 5), Version(28, 5, 2)

FLAGS_OK: list[tuple[Version, list[str], dict[str, tuple[str, ...]]]] = [
    (NEW, [], {}),
    (NEW, ["-H", "fd://", "--containerd=/run/c.sock"], {"hosts": ("fd://",), "containerd": ("/run/c.sock",)}),
    (
        NEW,
        ["-Hfd://", "-H=unix:///x", "--host", "tcp://[::1]:2376"],
        {"hosts": ("fd://", "unix:///x", "tcp://[::1]:2376")},
    ),
    (NEW, ["-Dl", "debug"], {"debug": ("true",), "log-level": ("debug",)}),
    (NEW, ["-Dldebug", "--icc=F"], {"debug": ("true",), "log-level": ("debug",), "icc": ("F",)}),
    (NEW, ["--icc", "--icc=false"], {"icc": ("true", "false")}),
    (NEW, ["--mtu", "0x500", "--mtu=1_400"], {"mtu": ("0x500", "1_400")}),
    (NEW, ["--default-ulimit", "nofile=5:-1"], {"default-ulimits": ("nofile=5:-1",)}),
    (NEW, ["--add-runtime", "a=/b", "--label", "k=v"], {"runtimes": ("a=/b",), "labels": ("k=v",)}),
    (NEW, ["--ip", ""], {"ip": ("",)}),
    (NEW, ["--"], {}),
    (OLD, ["-g", "/x", "--oom-score-adjust", "-500"], {"graph": ("/x",), "oom-score-adjust": ("-500",)}),
    (NEWER, ["--feature", "cdi=true", "--bip6", "x"], {"features": ("cdi=true",), "bip6": ("x",)}),
    (NEWER, ["--host-gateway-ip", "::1"], {"host-gateway-ips": ("::1",)}),
    (NEW, ["--host-gateway-ip", "::1"], {"host-gateway-ip": ("::1",)}),
]
FLAGS_BAD: list[tuple[Version, list[str], str]] = [
    (NEW, ["--nope"], "engine 26.1.5 has no flag --nope"),
    (NEW, ["--no-icc"], "has no flag --no-icc"),
    (NEW, ["-X"], "has no flag -X"),
    (NEW, ["-DX"], "has no flag -X (in '-DX')"),
    (NEW, ["---debug"], "'---debug' is no flag"),
    (NEW, ["--icc", "false"], "'false' is one"),
    (NEW, ["--", "x"], "'x' is one"),
    (NEW, ["--log-level"], "--log-level lacks its value"),
    (NEW, ["-l"], "-l lacks its value"),
    (NEW, ["--icc=no"], "--icc: 'no' is not a boolean"),
    (NEW, ["--mtu", "09"], "--mtu: '09' is not a whole number"),
    (NEW, ["-H", "http://x"], "-H: 'http://x' begins with none of"),
    (NEW, ["--default-ulimit", "nofile=2:1"], "the soft limit 2 is above the hard limit 1"),
    (NEW, ["--default-shm-size", "64x"], "'64x' is not a size"),
    (NEW, ["--add-runtime", "runc=x"], "the name 'runc' is reserved"),
    (NEW, ["--add-runtime", "a=b", "--add-runtime", "A=c"], "the runtime 'a' is given twice"),
    (NEW, ["--dns", "8.8.8.8,x"], "is not an IP address"),
    (NEW, ["--default-network-opt", "bridge=a"], "is not DRIVER=KEY=VALUE"),
    (NEW, ["--default-address-pool", "base=10.0.0.0/8,size=x"], "the size 'x' is not a whole number"),
    (NEW, ["--label", "x"], "'x' is not KEY=VALUE"),
    (NEW, ["--feature", "x"], "has no flag --feature"),
    (NEW, ["--oom-score-adjust", "1"], "has no flag --oom-score-adjust"),
    (OLD, ["--validate"], "has no flag --validate"),
    (OLD, ["--ip", ""], "'' is not an IP address"),
    (NEWER, ["--feature", "x=maybe"], "'x=maybe' is not NAME"),
]


@pytest.mark.parametrize(("version", "argv", "values"), FLAGS_OK)
def test_flags_that_dockerd_accepts_give_their_values(
    version: Version, argv: list[str], values: dict[str, tuple[str, ...]]
) -> None:
    flags = parse_flags(argv, version)
    assert flags.errors == ()
    assert flags.values == values


@pytest.mark.parametrize(("version", "argv", "message"), FLAGS_BAD)
def test_flags_that_dockerd_refuses_are_errors(version: Version, argv: list[str], message: str) -> None:
    errors = parse_flags(argv, version).errors
    assert len(errors) == 1
    assert message in errors[0]
    assert errors[0].startswith("Read the flags of dockerd: ")


def test_flags_without_key_are_kept_apart() -> None:
    flags = parse_flags(["--config-file", "/a", "--config-file=/b", "--validate", "-r=false", "-l", "warn"], NEW)
    assert (flags.config_file, flags.validate) == ("/b", True)
    assert flags.other == {"config-file": ("/a", "/b"), "validate": ("true",), "restart": ("false",)}
    assert flags.names == {"log-level": "-l"}


def test_truth_of_a_flag_is_its_last_value() -> None:
    flags = parse_flags(["--tlsverify", "--icc=T", "--icc=0"], NEW)
    assert (flags.flag_bool("tlsverify"), flags.flag_bool("icc"), flags.flag_bool("ipv6")) == (True, False, None)


def test_flags_of_a_version_are_its_own() -> None:
    assert "graph" in known_flags(OLD)
    assert "graph" not in known_flags(NEW)
    assert "feature" not in known_flags(NEW)
    assert "feature" in known_flags(NEWER)
    assert known_flags(NEW)["validate"] is None
