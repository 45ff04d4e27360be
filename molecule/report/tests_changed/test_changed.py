# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was open is mended, the report says so, and the engine agrees."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from documents import RUNNING, hosts, sarif, verdicts


def test_containers_are_kept_apart_and_the_report_says_what_was(host):
    if host.backend.get_hostname() == RUNNING:
        template = '{{index .Options "com.docker.network.bridge.enable_icc"}}'
        assert host.check_output(f"docker network inspect bridge --format '{template}'") == "false"
    audit, attack = hosts("audit-after")[RUNNING], hosts("prove-after")[RUNNING]
    assert verdicts(audit["audit_before"])["icc_default_bridge"] == "fail"
    assert verdicts(audit["audit"])["icc_default_bridge"] == "pass"
    assert verdicts(attack["probes_before"])["isolation.sibling_tcp"] == "not_blocked"
    assert verdicts(attack["probes"])["isolation.sibling_tcp"] == "blocked"
    assert audit["summary"]["mended"] >= 4
    assert (audit["summary"]["worse"], attack["summary"]["worse"]) == (0, 0)
    assert attack["summary"]["mended"] >= 1


def test_what_is_still_refused_is_told_apart_from_what_is_new():
    states = {result["baselineState"] for result in sarif("audit-after")["results"]}
    assert states == {"unchanged"}
