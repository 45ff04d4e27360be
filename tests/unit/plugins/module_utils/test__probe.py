# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry of probes, the plan and the verdicts."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.docker.plugins.module_utils import _probe_program
from ansible_collections.bulwark.docker.plugins.module_utils._engine_keys import KEYS
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError
from ansible_collections.bulwark.docker.plugins.module_utils._probe import (
    CONTAINERS,
    HOST,
    PROBES,
    REQUIREMENTS,
    RUNNER,
    SUBJECT,
    Action,
    Facts,
    Outcome,
    Probe,
    complaint,
    count_verdicts,
    describe,
    judge,
    make_plan,
    require_some,
    resolve,
    select,
)

APPARMOR = {probe.id for probe in PROBES if probe.role == "apparmor"}
FACTS = Facts(python="/usr/bin/python3", reader="/usr/bin/cat", openssl="/usr/bin/openssl", id_program="/usr/bin/id")
TLS = {one.id for one in PROBES if one.id.startswith("api.tls_")}
YES, NO, BROKEN = Outcome(True, "did it"), Outcome(False, "refused"), Outcome(failure="fell over")
ATTEMPT = Action(SUBJECT, "open_files", {"count": 9})
CONTROL = Action(SUBJECT, "open_files", {"count": 1})


def probe(name: str = "limits.x", controls: tuple[Action, ...] = (CONTROL,), requires: tuple[str, ...] = ()) -> Probe:
    return Probe(name, "A title", "some_role", "low", "set it", ATTEMPT, controls, requires=requires)


def verdict_of(*outcomes: Outcome) -> str:
    controls = tuple(Action(HOST, "unix_version", {"number": number}) for number in range(len(outcomes) - 1))
    one = probe(controls=controls)
    plan = make_plan([one], FACTS)
    return judge(one, plan, dict(zip(plan.identities[one.id], outcomes, strict=True))).verdict


@pytest.mark.parametrize("one", PROBES, ids=lambda one: one.id)
def test_registry_entry_is_complete(one: Probe) -> None:
    assert one.id.count(".") == 1
    assert one.controls, "a probe without control could take its own failure for a protection"
    assert one.attempt not in one.controls
    assert one.severity in ("low", "medium", "high", "critical")
    assert one.title
    assert one.remedy
    assert len(one.cis[0]) == len(one.cis[1])
    assert set(one.requires) <= set(REQUIREMENTS)
    assert "python" in one.requires or {action.place for action in one.actions} == {RUNNER}


@pytest.mark.parametrize("one", PROBES, ids=lambda one: one.id)
def test_registry_entry_names_functions_with_their_parameters(one: Probe) -> None:
    for action in one.actions:
        assert action.place in (*CONTAINERS, HOST, RUNNER)
        if action.place != RUNNER:
            inspect.signature(_probe_program.ACTIONS[action.name]).bind(**action.arguments)


@pytest.mark.parametrize("one", PROBES, ids=lambda one: one.id)
def test_control_has_less_time_than_the_attempt(one: Probe) -> None:
    limit = one.attempt.arguments.get("seconds")
    allowed = [control.arguments["seconds"] for control in one.controls if "seconds" in control.arguments]
    assert limit is None or (allowed and max(allowed) < limit)


def test_registry_has_each_id_once() -> None:
    assert len({one.id for one in PROBES}) == len(PROBES) >= 16


def test_registry_names_the_variables_of_the_baseline_role() -> None:
    known = {key.variable for key in KEYS.values() if key.variable}
    named = {one.variable for one in PROBES if one.role == "daemon_baseline"}
    assert named <= known
    assert len(named) >= 5


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (["all"], [one.id for one in PROBES]),
        (["isolation.sibling_tcp"], ["isolation.sibling_tcp"]),
        (["limits"], ["limits.nofile", "limits.log_rotation"]),
        (
            ["daemon_tls"],
            [
                "api.tcp_plaintext",
                "api.tls_no_client_certificate",
                "api.tls_foreign_client_certificate",
                "api.tls_server_certificate_as_client",
                "api.tls_old_protocol",
                "api.tls_plaintext",
            ],
        ),
        (["limits.nofile", "isolation.sibling_udp", "limits.nofile"], ["isolation.sibling_udp", "limits.nofile"]),
    ],
)
def test_select_takes_ids_groups_and_roles_in_registry_order(wanted: list[str], expected: list[str]) -> None:
    assert [one.id for one in select(wanted)] == expected


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            ["limits", "limit"],
            "probes: 'limit' is neither a probe nor a group nor a role that has probes; "
            "choose from all, limits, limits.x, some_role",
        ),
        ([], "probes: the list is empty, so nothing would be proved; name a probe, a group, a role or all"),
    ],
)
def test_select_refuses(wanted: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        select(wanted, [probe()])
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("facts", "gone"),
    [
        (FACTS, set()),
        (
            Facts(python_problem="no Python", reader="/c", openssl="/o", id_program="/i"),
            {one.id for one in PROBES} - {"api.tcp_plaintext", "rootless.engine_process"},
        ),
        (
            Facts(python="/p", openssl="/o", id_program="/i"),
            {"privilege.setuid_gain", "privilege.file_capability_gain"},
        ),
        (
            Facts(python="/p", reader="/c", openssl="/o", id_program="/i", userns_remapped=True),
            {
                "apparmor.device_node",
                "privilege.file_capability_gain",
                "rootless.privileged_host_file",
                "rootless.privileged_kernel_setting",
            },
        ),
        (
            Facts(python="/p", reader="/c", openssl="/o", id_program="/i", default_bridge=False),
            {
                "isolation.sibling_tcp",
                "isolation.sibling_udp",
                "network.userland_proxy",
                "userns_remap.process_owner",
            },
        ),
        (
            Facts(python="/p", reader="/c", openssl="/o", id_program="/i", rootless=True),
            {"isolation.sibling_tcp", "isolation.sibling_udp", "network.userland_proxy"},
        ),
        (
            Facts(python="/p", reader="/c", openssl="/o", id_program="/i", logging_driver="journald"),
            {"limits.log_rotation"},
        ),
        (Facts(python="/p", reader="/c", openssl="/o", id_program="/i", logging_driver="local"), set()),
        (
            Facts(
                python="/p", reader="/c", openssl="/o", id_program="/i", apparmor_problem="the engine does not use it"
            ),
            APPARMOR,
        ),
        (
            Facts(python="/p", reader="/c", openssl="/o", id_program="/i", scratch=False),
            {"apparmor.program_directory"},
        ),
        (Facts(python="/p", reader="/c", id_program="/i"), {"api.tls_foreign_client_certificate"}),
        (Facts(python="/p", reader="/c", openssl="/o"), {"userns_remap.setuid_escape"}),
        (Facts(python="/p", reader="/c", openssl="/o", id_program="/i", tcp_problem="it listens on no TCP port"), TLS),
        (Facts(python="/p", reader="/c", openssl="/o", id_program="/i", os_type="windows"), {one.id for one in PROBES}),
    ],
)
def test_plan_leaves_out_what_does_not_apply(facts: Facts, gone: set[str]) -> None:
    plan = make_plan(PROBES, facts)
    assert {result.probe.id for result in plan.inapplicable} == gone
    assert all(result.verdict == "not_applicable" and result.evidence for result in plan.inapplicable)
    assert {one.id for one in plan.probes} == {one.id for one in PROBES} - gone


def test_plan_does_equal_actions_once_and_keeps_every_probe_informed() -> None:
    plan = make_plan([probe("limits.x"), probe("limits.y")], FACTS)
    assert plan.places == {SUBJECT: ((f"{SUBJECT}/0", ATTEMPT), (f"{SUBJECT}/1", CONTROL))}
    assert plan.identities["limits.x"] == plan.identities["limits.y"] == (f"{SUBJECT}/0", f"{SUBJECT}/1")


def test_plan_of_all_probes_has_what_the_relaxed_and_the_sibling_container_need() -> None:
    plan = make_plan(PROBES, FACTS)
    assert plan.relax == ("no-new-privileges=false", "apparmor=unconfined", "seccomp=unconfined")
    assert plan.host_cgroup_namespace
    assert plan.publish
    only_limits = make_plan(select(["limits.nofile"]), FACTS)
    assert (only_limits.relax, only_limits.host_cgroup_namespace, only_limits.publish) == ((), False, False)


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ([NO, YES], "blocked"),
        ([NO, YES, YES], "blocked"),
        ([NO, YES, NO], "error"),
        ([NO, NO, YES], "error"),
        ([NO, BROKEN], "error"),
        ([YES, YES], "not_blocked"),
        ([YES, NO], "not_blocked"),
        ([YES, BROKEN], "not_blocked"),
        ([BROKEN, YES], "error"),
        ([Outcome(inapplicable="no such thing"), YES], "not_applicable"),
        ([NO, Outcome(inapplicable="no such thing")], "not_applicable"),
    ],
)
def test_verdict_says_blocked_only_with_every_control(outcomes: list[Outcome], verdict: str) -> None:
    assert verdict_of(*outcomes) == verdict


OUTCOMES = st.builds(
    Outcome,
    st.booleans(),
    st.just("detail"),
    st.just(0.0),
    st.sampled_from(["", "failed"]),
    st.sampled_from(["", "no"]),
)


@given(st.lists(OUTCOMES, min_size=2, max_size=5))
def test_prop_blocked_means_refused_while_everything_else_worked(outcomes: list[Outcome]) -> None:
    attempt, *controls = outcomes
    sound = not attempt.failure and not attempt.gained and all(one.gained and not one.failure for one in controls)
    applies = not any(one.inapplicable for one in outcomes)
    assert (verdict_of(*outcomes) == "blocked") == (sound and applies)


def test_verdict_without_any_report_is_an_error() -> None:
    one = probe()
    result = judge(one, make_plan([one], FACTS), {})
    assert (result.verdict, result.evidence) == ("error", "nothing was reported")


def test_result_carries_evidence_control_and_time() -> None:
    one = probe()
    plan = make_plan([one], FACTS)
    outcomes = {f"{SUBJECT}/0": Outcome(False, "EMFILE", 1.25), f"{SUBJECT}/1": Outcome(True, "1 file", 0.5)}
    assert describe(judge(one, plan, outcomes)) == {
        "cis": {"1.6": [], "1.7": [], "1.8": []},
        "control": "1 file",
        "evidence": "EMFILE",
        "id": "limits.x",
        "remedy": "set it",
        "role": "some_role",
        "seconds": 1.75,
        "severity": "low",
        "title": "A title",
        "variable": "",
        "verdict": "blocked",
    }


def test_resolve_puts_values_of_the_run_in_place() -> None:
    assert resolve({"port": "@p", "n": 1, "at": "a@b"}, {"p": 7}) == {"port": 7, "n": 1, "at": "a@b"}
    with pytest.raises(KeyError):
        resolve({"port": "@q"}, {"p": 7})


def test_count_verdicts_leaves_the_inapplicable_out_of_those_run() -> None:
    plan = make_plan([probe("a.a"), probe("b.b", requires=("python",))], Facts(python_problem="no Python"))
    results = [judge(plan.probes[0], plan, {}), *plan.inapplicable]
    assert count_verdicts(results) == {"blocked": 0, "error": 1, "not_applicable": 1, "not_blocked": 0, "run": 1}


def test_require_some_refuses_a_run_of_nothing() -> None:
    plan = make_plan([probe(requires=("python",))], Facts(python_problem="no Python"))
    with pytest.raises(ConfigError) as caught:
        require_some(plan.probes, plan.inapplicable)
    assert str(caught.value) == (
        "probes: none of the chosen ones applies to this engine (limits.x: no Python); choose others"
    )
    require_some([probe()], [])


@pytest.mark.parametrize(
    ("verdicts", "message"),
    [
        ([], ""),
        (["error"], ""),
        (
            ["not_blocked", "error"],
            "prove the protections: 1 of 1 probes failed; limits.x: not_blocked (did it), set it",
        ),
    ],
)
def test_complaint_names_what_failed_and_the_remedy(verdicts: list[str], message: str) -> None:
    one = probe()
    result = judge(one, make_plan([one], FACTS), {f"{SUBJECT}/0": YES, f"{SUBJECT}/1": YES})
    assert complaint([describe(result)], verdicts) == message
