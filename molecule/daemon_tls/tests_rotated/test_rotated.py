# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After a change of CAs in three runs, with a client that asked twice a second."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from strangers import FOLDER, curl, was_refused

RESTARTS = 3
CONNECTION_REFUSED = "7"


def test_client_was_served_outside_of_the_restarts(host, capsys):
    asked = [line.split(" ", 2) for line in host.check_output("cat /srv/asked").splitlines()]
    failed = [(float(moment), code, text) for moment, code, text in asked if code != "0"]
    assert sum(code == "0" and text == "OK" for _moment, code, text in asked) > 10
    # No answer while the engine restarts is all that may go wrong: nobody was refused for a certificate.
    assert [entry for entry in failed if "certificate" in entry[2] or "tls" in entry[2].lower()] == []
    starts = "journalctl --unit=docker.service --output=short-unix --grep='^(Stopping|Started|Deactivated)'"
    moments = [float(line.split()[0]) for line in host.check_output(starts).splitlines() if line[:1].isdigit()]
    outside = [entry for entry in failed if min(abs(entry[0] - moment) for moment in moments) > 5]
    assert outside == []
    served = [float(moment) for moment, code, _text in asked if code == "0"]
    windows = {max(moment for moment in served if moment < entry[0]) for entry in failed}
    lengths = [min(moment for moment in served if moment > begin) - begin for begin in sorted(windows)]
    assert len(lengths) <= RESTARTS
    shown = ", ".join(f"{length:.1f} s" for length in lengths) or "none that was noticed"
    with capsys.disabled():
        print(f"\n{len(asked)} requests, without an answer in {RESTARTS} restarts: {shown}")


def test_renewed_client_is_served_and_a_client_of_the_old_ca_is_refused(host):
    assert curl(host, "/root/.docker").rc == 0
    for left in ("/srv/left-behind", f"{FOLDER}/good"):
        answer = curl(host, left)
        assert was_refused(answer, "unknown", "bad certificate", "decrypt error"), answer


def test_only_two_generations_are_kept(host):
    links = host.check_output("cd /etc/docker/tls && readlink current previous issued").splitlines()
    kept = host.check_output("cd /etc/docker/tls && ls -d ????????????????").splitlines()
    assert links[0] == links[2]
    assert sorted(set(links)) == sorted(kept)
    assert len(kept) == 2
