# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each kind of finding has a text that only it finds something in."""

from __future__ import annotations

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._apparmor_lint import CHECKS, lint_text

GOOD = """abi <abi/3.0>,
include <tunables/global>

# a comment with capability, in it
profile docker-web flags=(attach_disconnected,mediate_deleted) {
  #include <abstractions/base>
  signal (receive) peer=unconfined,
  signal (receive) peer=runc,
  signal (receive) peer=crun,
  signal (send,receive) peer=docker-web,
  network inet stream,   # behind a rule, capability,
  capability setuid,
  owner /srv/{a,b}/** rw,
  /usr/sbin/nginx rmix,
  deny @{PROC}/[^1-9]** wkl,
  audit deny mount,
  ptrace (read) peer=docker-web,
}
"""


def with_rule(rule: str) -> str:
    return GOOD.replace("  capability setuid,\n", f"  capability setuid,\n  {rule},\n")


BAD = {
    "no_profile": "abi <abi/3.0>,\nsignal,\n",
    "several_profiles": GOOD + "profile docker-db flags=(attach_disconnected) {\n}\n",
    "other_name": GOOD.replace("profile docker-web", "profile docker-shop"),
    "attachment": GOOD.replace("profile docker-web", "profile docker-web /usr/sbin/nginx"),
    "other_mode": GOOD.replace("mediate_deleted)", "mediate_deleted,complain)"),
    "unconfined_flag": GOOD.replace("mediate_deleted)", "unconfined)"),
    "no_attach_disconnected": GOOD.replace("attach_disconnected,", ""),
    "no_abi": GOOD.replace("abi <abi/3.0>,\n", ""),
    "no_tunables": GOOD.replace("include <tunables/global>\n", ""),
    "stop_signals": GOOD.replace("  signal (receive) peer=runc,\n", ""),
    "mounts": with_rule("mount fstype=tmpfs -> /srv/"),
    "all_capabilities": with_rule("capability"),
    "dangerous_capabilities": with_rule("capability setuid sys_admin"),
    "raw_network": with_rule("network inet"),
    "kernel_files": GOOD.replace("  deny @{PROC}/[^1-9]** wkl,\n", "  file,\n"),
    "free_execution": with_rule("/srv/** Ux"),
    "other_profile": with_rule("change_profile -> unconfined"),
    "any_ptrace": with_rule("ptrace (read)"),
    "runtime_socket": with_rule("/run/docker.sock rw"),
    "policy_files": with_rule("/sys/kernel/security/apparmor/.load w"),
}


def codes(text: str) -> set[str]:
    return {finding.code for finding in lint_text("docker-web", text)}


def test_good_text_has_no_finding() -> None:
    assert codes(GOOD) == set()


def test_every_kind_has_its_text() -> None:
    assert {check.code for check in CHECKS} == set(BAD)
    assert len(BAD) >= 20


@pytest.mark.parametrize("code", sorted(BAD))
def test_finding_is_made_by_its_own_check_alone(code: str) -> None:
    found = lint_text("docker-web", BAD[code])
    # A text without any profile cannot have the rules either.
    assert {finding.code for finding in found} - ({"stop_signals"} if code == "no_profile" else set()) == {code}
    assert all(finding.message.startswith("profile 'docker-web', line ") for finding in found)


def test_finding_names_the_line_and_what_to_do() -> None:
    [finding] = lint_text("docker-web", with_rule("/srv/** Ux"))
    assert (finding.line, finding.fatal) == (13, False)
    assert finding.message == "profile 'docker-web', line 13: '/srv/** Ux' starts a program without any profile; use ix"


@pytest.mark.parametrize("code", ["no_profile", "several_profiles", "other_name", "attachment", "other_mode"])
def test_what_cannot_do_what_was_asked_is_fatal(code: str) -> None:
    assert any(finding.fatal for finding in lint_text("docker-web", BAD[code]))


@pytest.mark.parametrize(
    "rule", ["signal", "signal (receive)", "network inet stream", "deny capability", "network unix", "/a/{b,c}/** rix"]
)
def test_harmless_rules_are_let_pass(rule: str) -> None:
    assert codes(with_rule(rule)) == set()


def test_mode_that_was_asked_for_is_no_finding() -> None:
    assert lint_text("docker-web", BAD["other_mode"], "complain") == []
    assert {finding.code for finding in lint_text("docker-web", GOOD, "complain")} == {"other_mode"}


def test_profile_inside_of_another_is_not_a_second_one() -> None:
    assert (
        codes(GOOD.replace("  capability setuid,\n", "  profile worker flags=(attach_disconnected) {\n  }\n")) == set()
    )
