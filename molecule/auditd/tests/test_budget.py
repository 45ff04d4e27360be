# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everyday work with containers stays within the declared number of events."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from findings import is_machine, name_of

# One is enough: under emulation a container takes seconds to start.
WORKER = "debian13-machine"
# Declared in the README of the role, with executions of client and runtime recorded: a run of a container, an import.
EVENTS_FOR_A_RUN = 10
EVENTS_FOR_AN_IMPORT = 5
RUNS = 20
BUDGET = 5
IMAGE = "mkdir -p /srv/image/bin && cp /bin/busybox /srv/image/bin/sh && tar -C /srv/image -c . | docker import - flood"


def test_containers_cannot_flood_the_log(host):
    if not is_machine(host):
        assert host.run("ausearch --input-logs -k docker- || false").rc == 1
        return
    start = host.check_output("LC_ALL=C.UTF-8 date '+%x %H:%M:%S' && sleep 1")
    if name_of(host) == WORKER:
        host.check_output(IMAGE)
        run = "docker run --rm --network none flood sh -c 'echo much > /file'"
        host.check_output(f"for number in $(seq {RUNS}); do {run} || exit; done")
        search = f"LC_ALL=C.UTF-8 ausearch --input-logs --raw -ts {start}"
        executions = host.check_output(f"sleep 2; {search} -k docker-exec").count("type=SYSCALL")
        everything = host.check_output(f"{search} -k docker-").count("type=SYSCALL")
        assert executions >= 2 * RUNS
        assert everything <= EVENTS_FOR_A_RUN * RUNS + EVENTS_FOR_AN_IMPORT
    report = host.ansible("bulwark.docker.audit_events", f"since=600 budget={BUDGET}", check=False)
    assert report["total"] > 0
    assert (report["over_budget"], report["lost"]) == (False, 0)
