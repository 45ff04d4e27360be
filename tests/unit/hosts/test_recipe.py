# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, keys and command lines of the test hosts."""

from __future__ import annotations

import dataclasses

import pytest
from hostlab import recipe


@pytest.mark.parametrize(
    ("name", "suite", "tier", "hostname"),
    [
        ("debian12-container", "debian12", "container", "debian12-container"),
        ("testing-machine", "testing", "machine", "testing-machine"),
        ("debian13-machine.2", "debian13", "machine", "debian13-machine-2"),
        ("debian13-container.canary1", "debian13", "container", "debian13-container-canary1"),
    ],
)
def test_host_name_is_taken_apart(name, suite, tier, hostname):
    host = recipe.parse_host(name)
    assert (host.name, host.suite.name, host.tier, host.hostname) == (name, suite, tier, hostname)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "debian11-container",
        "debian13",
        "debian13-vm",
        "debian13-container.",
        "debian13-container.A",
        "debian13-container.2/../..",
        "../debian13-container",
        "debian13-container.2\n",
        "debian13-container.a.b",
    ],
)
def test_wrong_host_name_is_refused_with_the_right_ones(name):
    with pytest.raises(recipe.HostError) as caught:
        recipe.parse_host(name)
    assert repr(name) in str(caught.value)
    assert "debian13-container" in str(caught.value)
    assert "testing-machine" in str(caught.value)


def test_every_suite_has_its_own_codename_and_only_the_moving_one_has_no_generation():
    suites = list(recipe.SUITES.values())
    assert len({suite.codename for suite in suites}) == len(suites) == 3
    assert [suite.name for suite in suites if suite.moving] == ["testing"]
    assert [suite.name for suite in suites if not suite.generation] == ["testing"]


def test_package_is_either_installed_or_in_the_repository():
    for suite in recipe.SUITES.values():
        installed = recipe.packages(suite)
        assert list(installed) == sorted(set(installed))
        assert not set(installed) & set(recipe.REPOSITORY_PACKAGES)


def key(**changes):
    suite = dataclasses.replace(recipe.SUITES["debian13"], **changes.pop("suite", {}))
    return recipe.rootfs_key(suite, changes.get("sources", ["code"]), changes.get("public_key", "ssh-ed25519 A"))


@pytest.mark.parametrize(
    "changes",
    [
        {"sources": ["other code"]},
        {"public_key": "ssh-ed25519 B"},
        {"suite": {"packages": ("docker-cli", "git")}},
        {"suite": {"codename": "forky"}},
    ],
)
def test_key_follows_what_is_in_the_image(changes):
    assert key() == key()
    assert key(**changes) != key()


@pytest.mark.parametrize("name", ["PACKAGES", "REPOSITORY_PACKAGES", "MASKED_UNITS"])
def test_key_follows_the_lists_of_the_recipe(monkeypatch, name):
    before = key()
    monkeypatch.setattr(recipe, name, (*getattr(recipe, name), "one-more"))
    assert key() != before


def test_key_follows_the_files_of_the_recipe(monkeypatch):
    before = key()
    monkeypatch.setattr(recipe, "FILES", {**recipe.FILES, "etc/motd": "hello"})
    assert key() != before


@pytest.mark.parametrize(
    "changed",
    [
        ("other", ["-m"], "7.2", ["code"]),
        ("base", ["-n"], "7.2", ["code"]),
        ("base", ["-m"], "8.0", ["code"]),
        ("base", ["-m"], "7.2", ["other code"]),
    ],
)
def test_machine_key_follows_everything_a_snapshot_depends_on(changed):
    assert recipe.machine_key(*changed) != recipe.machine_key("base", ["-m"], "7.2", ["code"])


def test_machine_key_follows_the_kernels_arguments(monkeypatch):
    before = recipe.machine_key("base", ["-m"], "7.2", ["code"])
    monkeypatch.setattr(recipe, "KERNEL_ARGUMENTS", recipe.KERNEL_ARGUMENTS + " audit=0")
    assert recipe.machine_key("base", ["-m"], "7.2", ["code"]) != before


@pytest.mark.parametrize(
    ("uris", "mirror"),
    [
        ([], "http://deb.debian.org/debian"),
        (["http://mirror.example/debian/"], "http://mirror.example/debian"),
        (["http://mirror.example/debian-security/", "https://mirror.example/debian"], "https://mirror.example/debian"),
        (["http://archive.example/ubuntu/"], "http://deb.debian.org/debian"),
        (["file:/srv/debian", "cdrom:/debian"], "http://deb.debian.org/debian"),
    ],
)
def test_mirror_is_the_machines_own_where_it_has_debian(uris, mirror):
    assert recipe.choose_mirror(uris) == mirror


def test_index_stanza_keeps_the_control_text_and_adds_where_the_package_is():
    entry = recipe.packages_entry("Package: jq\nVersion: 1.7\nDescription: x\n more\n\n", "jq_1.7.deb", 12, "ab")
    assert entry == "Package: jq\nVersion: 1.7\nDescription: x\n more\nFilename: ./jq_1.7.deb\nSize: 12\nSHA256: ab\n"


def test_machine_is_reachable_on_loopback_only_and_reaches_nothing():
    devices = recipe.qemu_devices("/d/disk", 2222)
    network = [value for value in devices if value.startswith("user,")]
    assert len(network) == 1
    options = network[0].split(",")
    assert {"restrict=on", "ipv6=off"} <= set(options)
    assert [o for o in options if o.startswith("hostfwd")] == [f"hostfwd=tcp:127.0.0.1:2222-{recipe.GUEST_ADDRESS}:22"]


def test_software_emulation_hides_cx16_and_kvm_shows_the_processor():
    assert "max,-cx16" in recipe.qemu_arguments("tcg")
    assert "host" in recipe.qemu_arguments("kvm")
    assert "-cx16" not in " ".join(recipe.qemu_arguments("kvm"))


@pytest.mark.parametrize("name", ["sys_module", "sys_time", "sys_boot", "sys_rawio", "mac_admin", "mac_override"])
def test_container_lacks_the_capability_that_could_harm_the_outer_machine(name):
    assert len(recipe.CONTAINER_CAPABILITIES) > 20
    assert name not in recipe.CONTAINER_CAPABILITIES


def test_container_never_runs_what_writes_the_outer_kernels_settings():
    units = {"systemd-sysctl.service", "systemd-modules-load.service", "systemd-udevd.service", "apparmor.service"}
    assert units <= set(recipe.CONTAINER_MASKED_UNITS)
    # The machines keep them: their kernel is their own.
    assert not units & set(recipe.MASKED_UNITS)
