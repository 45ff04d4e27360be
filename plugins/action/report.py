# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the report of a run on the controller; documented in the module of this name."""

from __future__ import annotations

from ansible import __version__ as ansible_version
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.bulwark.docker.plugins.module_utils._errors import BulwarkError
from ansible_collections.bulwark.docker.plugins.plugin_utils._filter import to_plain
from ansible_collections.bulwark.docker.plugins.plugin_utils._report_write import write_report

ARGUMENT_SPEC = {
    "hosts": {"type": "list", "elements": "str", "required": True},
    "title": {"type": "str", "default": "Docker hosts"},
    "directory": {"type": "str", "default": "bulwark-report"},
    "formats": {
        "type": "list",
        "elements": "str",
        "choices": ["html", "json", "junit", "sarif"],
        "default": ["html", "json", "junit", "sarif"],
    },
    "compare": {"type": "str"},
    "fail_on": {
        "type": "list",
        "elements": "str",
        "choices": ["fail", "manual", "not_blocked", "error", "unreachable", "failed", "no_engine", "engine_stopped"],
        "default": [],
    },
}
# What a play registers for each host, by the name that the document has for it.
VARIABLES = {
    "audit": "bulwark_audit",
    "audit_before": "bulwark_audit_before",
    "probes": "bulwark_probes",
    "probes_before": "bulwark_probes_before",
    "engine": "bulwark_engine",
    "failure": "bulwark_failure",
}


def collect(hostvars, name):
    """Return what is known about one host."""
    known = hostvars.get(name, {})
    found = {part: to_plain(known[variable]) for part, variable in VARIABLES.items() if variable in known}
    address = to_plain(known["ansible_host"]) if "ansible_host" in known else ""
    return {"name": str(name), "address": "" if address == name else address, **found}


class ActionModule(ActionBase):
    """The action; it opens no connection to any host."""

    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        """Gather, render, write."""
        result = super().run(tmp, task_vars)
        _validation, params = self.validate_argument_spec(ARGUMENT_SPEC)
        params = to_plain(params)
        hosts = [collect(task_vars["hostvars"], name) for name in params["hosts"]]
        try:
            return {**result, **write_report(hosts, params, ansible_version, self._task.check_mode)}
        except BulwarkError as exc:
            raise AnsibleActionFail(str(exc)) from exc
