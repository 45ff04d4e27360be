# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user without a certificate, over an sshd on loopback."""

from __future__ import annotations


def test_user_without_certificate_comes_over_ssh(host):
    version = host.check_output("docker version --format '{{.Server.Version}}'")
    ask = f"docker --context {host.check_output('hostname')} version --format '{{{{.Server.Version}}}}'"
    assert host.run("su - bob -c 'docker version'").rc != 0
    listing = "find /home/bob/.ssh -type s -name 'bulwark-docker-*'"
    assert host.check_output(f'{listing} -delete && su - bob -c "{ask}"') == version
    [shared] = host.check_output(listing).splitlines()
    # The second one needs no key any more, since it uses that connection.
    assert host.check_output(f'su - bob -c "mv .ssh/id_ed25519 . && {ask}; mv id_ed25519 .ssh"') == version
    assert (
        host.check_output(f"su - bob -c 'ssh -S {shared} -O exit -p 2222 porter@localhost' 2>&1")
        == "Exit request sent."
    )
    assert host.run(f'su - bob -c "mv .ssh/id_ed25519 . && {ask}; mv id_ed25519 .ssh"').stdout.strip() == ""


def test_shared_connection_is_for_that_host_alone(host):
    settings = host.check_output("su - bob -c 'ssh -G porter@localhost'").splitlines()
    assert {"controlmaster auto", "controlpersist 90"} <= set(settings)
    assert "user robert" in host.check_output("su - bob -c 'ssh -G elsewhere.example.org'")
    assert "controlmaster false" in host.check_output("su - bob -c 'ssh -G elsewhere.example.org'")
