# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection that keeps what one real host answers, or gives these answers again for any number of hosts.

BULWARK_REPLAY_MODE is record or replay, BULWARK_REPLAY_FOLDER holds the answers and, for each host, which one is next.
A host that replays costs nothing: what is left is the controller's work.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import ssh

DOCUMENTATION = ssh.DOCUMENTATION.replace("name: ssh", "name: replay", 1)


class Connection(ssh.Connection):
    """ssh, or its answers of before."""

    transport = "replay"

    def _number(self) -> int:
        host = self.get_option("host")
        counter = Path(os.environ["BULWARK_REPLAY_FOLDER"], f"{host}.next")
        number = int(counter.read_text("utf-8")) if counter.exists() else 0
        counter.write_text(str(number + 1), "utf-8")
        return number

    def _replays(self) -> bool:
        return os.environ["BULWARK_REPLAY_MODE"] == "replay"

    def exec_command(self, cmd, in_data=None, sudoable=True):
        """Run a command, or tell what it did."""
        answer = Path(os.environ["BULWARK_REPLAY_FOLDER"], f"{self._number()}.json")
        if not self._replays():
            status, output, errors = super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
            answer.write_text(json.dumps([status, output.decode(), errors.decode()]), "utf-8")
            return status, output, errors
        if not answer.exists():
            raise AnsibleConnectionFailure(f"replay: {answer.name} was not recorded; the run differs from the recorded")
        status, output, errors = json.loads(answer.read_text("utf-8"))
        return status, output.encode(), errors.encode()

    def put_file(self, in_path, out_path):
        """Transfer a file, or do nothing."""
        return (0, b"", b"") if self._replays() else super().put_file(in_path, out_path)

    def fetch_file(self, in_path, out_path):
        """Nothing that is measured fetches files."""
        raise AnsibleConnectionFailure("replay: fetch_file is not recorded")

    def reset(self):
        """Close the connection where there is one."""
        if not self._replays():
            super().reset()

    def close(self):
        """Nothing stays open."""
        self._connected = False
