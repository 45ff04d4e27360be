#!/usr/bin/python
# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: engine_commit
short_description: Bring written engine settings into force, or roll them back
version_added: 0.1.0
author:
  - bulwark.docker contributors (@bulwark-docker)
description:
  - Compares what the running engine was started with to what is on disk and does the least that is needed, nothing, a
    reload, a restart, a restart of socket and service, or a stop of all containers where that was allowed.
  - Waits until the engine answers and records the state as good. If the engine does not come back in time, the earlier
    C(daemon.json) and the earlier drop-in of the TLS listener are put back, the engine is started with them, and the
    module fails with the engine's own words from its journal.
  - Asks each address of the TLS listener without a client certificate and without TLS. If that is served, or another
    certificate is shown than the configured one, everything is rolled back too.
  - An engine that somebody had stopped (inactive, not failed) before the run stays stopped, with a warning.
  - Running containers stay alive where live-restore can do that. If live-restore is about to be switched on, that
    happens first, by a reload.
extends_documentation_fragment:
  - bulwark.docker._attributes
  - bulwark.docker._attributes.action_group
  - bulwark.docker._engine
  - bulwark.docker._engine.change
attributes:
  check_mode:
    support: full
  diff_mode:
    support: N/A
    details: The files were changed by M(bulwark.docker.daemon_config), which shows their diff.
  idempotent:
    support: full
options:
  deadline:
    description: Seconds within which the engine has to answer after a restart.
    type: int
    default: 90
seealso:
  - module: bulwark.docker.daemon_config
"""

EXAMPLES = r"""
- name: Bring the settings into force in a maintenance window
  bulwark.docker.engine_commit:
    allow_container_stop: true
"""

RETURN = r"""
action:
  description: What was done to the engine (nothing, reload, restart, socket_and_service, full_stop or start).
  returned: always
  type: str
  sample: restart
reasons:
  description: Why that was needed.
  returned: always
  type: list
  elements: str
deferred:
  description: Keys that stay without effect while containers run.
  returned: always
  type: list
  elements: str
engine_restarted:
  description: Whether the engine's process was replaced.
  returned: always
  type: bool
engine_version:
  description: Version of the installed engine.
  returned: always
  type: str
  sample: 26.1.5+dfsg1
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.docker.plugins.module_utils._argspec import (
    CHANGE_ARGUMENTS,
    ENGINE_ARGUMENTS,
    choose_instance,
)
from ansible_collections.bulwark.docker.plugins.module_utils._conclude import conclude
from ansible_collections.bulwark.docker.plugins.module_utils._host import LocalHost
from ansible_collections.bulwark.docker.plugins.module_utils._transaction import CommitRequest, commit

ARGUMENT_SPEC = {
    "deadline": {"type": "int", "default": 90},
    **ENGINE_ARGUMENTS,
    **CHANGE_ARGUMENTS,
}


def build_request(params, check_mode):
    """The module's options as a request to the core."""
    return CommitRequest(
        allow_container_stop=params["allow_container_stop"],
        allow_plaintext_api=params["allow_plaintext_api"],
        run_id=params["run_id"],
        lease=params["lease"],
        patience=params["patience"],
        deadline=params["deadline"],
        check_mode=check_mode,
    )


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    host = LocalHost(module)
    conclude(
        module,
        lambda: commit(
            host, choose_instance(host, module.params), build_request(module.params, module.check_mode)
        ).to_result(),
    )


if __name__ == "__main__":
    main()
