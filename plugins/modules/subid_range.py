#!/usr/bin/python
# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: subid_range
short_description: Give a user subordinate ids that nobody else has
version_added: 0.1.0
author:
  - bulwark.docker contributors (@bulwark-docker)
description:
  - Sees to it that a user has ranges of subordinate user and group ids in C(/etc/subuid) and C(/etc/subgid), as
    C(userns-remap) and rootless engines need them. All other lines stay as they are, byte by byte.
  - New ranges are chosen within the area of C(/etc/login.defs), away from every range in the files (those in comments
    and in damaged lines too), from ids of users and groups, from ids of systemd, and from ranges that a directory
    service gives away. The area of C(systemd-nspawn) is used last. Both files get the same numbers where they can.
  - Ranges that the user has already are used. The result is one that every version of the engine reads in the same way.
  - Ranges of one user are added in ascending order, since C(useradd) sorts the files, and the order decides which id of
    a container is which on the host.
  - The files are changed under the lock of C(useradd) and C(usermod).
extends_documentation_fragment:
  - bulwark.docker._attributes.changes
  - bulwark.docker._attributes.action_group
options:
  name:
    description: Name of the user, not the uid.
    type: str
    required: true
    aliases: [user]
  state:
    description:
      - Whether the user has the ranges, or what this module added for the user is taken back.
      - Lines that somebody else wrote or changed stay. V(absent) works for users that are gone, too.
    type: str
    choices: [present, absent]
    default: present
  ranges:
    description:
      - Ranges to have in both files, in ascending order. Without it, one of 65536 ids.
      - Lines that this module added earlier and that fit none of them are removed.
    type: list
    elements: dict
    suboptions:
      start:
        description:
          - The first id. Then a line with exactly this range has to be there, and is added if it is not.
          - Without it any range of the user with enough ids will do, and a free one is chosen if there is none.
        type: int
      count:
        description: How many ids, at least 65536.
        type: int
        default: 65536
  engine_version:
    description:
      - Version of the engine whose reading is reported in RV(engine).
      - Without it that of C(dockerd) on the host, or the newest one if there is none.
    type: str
notes:
  - Needs root.
  - It fails where ids of the user also belong to another line, to a user or to a group, or where a line of the user is
    read differently by different programs. Such lines of other users are reported as warnings.
  - Taking ranges away does not change the owner of any file. What containers wrote keeps its numbers.
seealso:
  - module: bulwark.docker.daemon_config
"""

EXAMPLES = r"""
- name: Give the user of userns-remap 65536 ids of its own
  bulwark.docker.subid_range:
    name: dockremap

- name: Name the range, so that it is the same on all hosts
  bulwark.docker.subid_range:
    name: dockremap
    ranges:
      - start: 231072
        count: 65536

- name: Give a user two ranges, one of them large
  bulwark.docker.subid_range:
    name: alice
    ranges:
      - count: 65536
      - count: 1000000

- name: Take back what was added for a user
  bulwark.docker.subid_range:
    name: alice
    state: absent
"""

RETURN = r"""
ranges:
  description: The ranges of the user that every version of the engine reads, in their order.
  returned: success
  type: dict
  contains:
    subuid:
      description: In C(/etc/subuid).
      type: list
      elements: dict
    subgid:
      description: In C(/etc/subgid).
      type: list
      elements: dict
  sample: {subuid: [{start: 100000, count: 65536}], subgid: [{start: 100000, count: 65536}]}
engine:
  description:
    - The ranges as one version of the engine reads them, in the order in which it maps them to the ids of a container.
    - C(problem) says why that version could not read the files at all, and is empty when it can.
  returned: success
  type: dict
  sample:
    version: 26.1.5
    problem: ""
    subuid: [{start: 100000, count: 65536}]
    subgid: [{start: 100000, count: 65536}]
added:
  description: Lines that were added, by file.
  returned: success
  type: dict
  sample: {subuid: ["dockremap:100000:65536"], subgid: ["dockremap:100000:65536"]}
removed:
  description: Lines that were removed, by file.
  returned: success
  type: dict
  sample: {subuid: [], subgid: []}
overlaps:
  description: Lines that share ids, each with its file and the numbers of the two lines.
  returned: success
  type: list
  elements: dict
  sample: [{path: /etc/subuid, lines: [1, 3]}]
doubtful:
  description: Lines that programs read differently, each with its file, number, text and what is wrong with it.
  returned: success
  type: list
  elements: dict
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.docker.plugins.module_utils._conclude import conclude
from ansible_collections.bulwark.docker.plugins.module_utils._host import LocalHost
from ansible_collections.bulwark.docker.plugins.module_utils._subid_plan import DEFAULT_RANGE, Wanted
from ansible_collections.bulwark.docker.plugins.module_utils._subid_run import Request, apply_ranges

ARGUMENT_SPEC = {
    "name": {"type": "str", "required": True, "aliases": ["user"]},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "ranges": {
        "type": "list",
        "elements": "dict",
        "options": {"start": {"type": "int"}, "count": {"type": "int", "default": 65536}},
    },
    "engine_version": {"type": "str"},
}


def build_request(params, check_mode):
    """The module's options as a request to the core."""
    asked = params["ranges"]
    return Request(
        present=params["state"] == "present",
        name=params["name"],
        wanted=(DEFAULT_RANGE,) if asked is None else tuple(Wanted(entry["start"], entry["count"]) for entry in asked),
        engine_version=params["engine_version"] or "",
        check_mode=check_mode,
    )


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    conclude(module, lambda: apply_ranges(LocalHost(module), build_request(module.params, module.check_mode)))


if __name__ == "__main__":
    main()
