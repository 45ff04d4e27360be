#!/usr/bin/python
# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: apparmor_profile
short_description: AppArmor profiles for containers, from short policies
version_added: 0.1.0
author:
  - bulwark.docker contributors (@bulwark-docker)
description:
  - Makes AppArmor profiles from policies of a few lines or takes whole texts, has the parser check them, writes them to
    C(/etc/apparmor.d) so that they are there before the first container of a boot starts, loads them, and reads back
    from the kernel what it has.
  - One execution is about all profiles of this collection. Those of earlier runs that are not named any more are
    removed. Profiles of others are never touched.
  - A text that the parser refuses fails the task with the parser's line; what was in force before still is.
  - Where the kernel tells checksums of what it was given (Linux 5.x and newer), a profile that somebody loaded by hand
    under the same name is found and replaced.
  - C(docker-default), which the engine makes itself, is compared with the text that is in the running engine's program.
    Engines before 29.4.3 load it only where there is none, so that it stays old after an upgrade.
extends_documentation_fragment:
  - bulwark.docker._attributes.changes
  - bulwark.docker._attributes.action_group
  - bulwark.docker._engine
options:
  state:
    description: Whether exactly these profiles are in force, or none of this collection.
    type: str
    choices: [present, absent]
    default: present
  shipped:
    description:
      - Profiles that the collection brings. V(docker-bulwark) is stricter than the engine's own and meant for nearly
        every container; V(docker-bulwark-service) is for services whose image starts the program without a shell.
    type: list
    elements: str
    default: [docker-bulwark, docker-bulwark-service]
  profiles:
    description:
      - Policies by the name of the profile. Keys of a policy are described below; lists of paths take AppArmor's
        patterns and the groups V(@shells), V(@process_tools), V(@network_tools), V(@package_tools), V(@programs) and
        V(@start_up).
      - C(base) is a shipped profile to begin with; C(without) takes entries of its lists away.
      - C(mode) is V(enforce) (default) or V(complain), which only logs.
      - C(files) is V(listed) (default; only C(read), C(write) and C(execute) are allowed) or V(all).
      - C(deny_read), C(deny_write) and C(deny_execute) win over what is allowed. What C(deny_read) names can be neither
        written nor run either.
      - C(network) and C(deny_network) hold V(all), a family (V(unix)), or family and type (V(inet stream)).
      - C(capabilities) and C(deny_capabilities) hold names in small letters without C(CAP_), or V(all).
      - C(ptrace) is V(none) (default), V(read) or V(self), each about processes under the same profile.
      - C(signal_peers) are further profiles whose programs may signal the container. The engine, its runtimes and the
        container's own processes always may.
      - C(mounts) and C(user_namespaces) allow those; C(log_denials) logs what a C(deny_*) refuses, which is silent
        otherwise. What is not allowed is refused and always logged.
      - C(text) is a whole profile instead, with C(mode) as the only other key.
    type: dict
    default: {}
  on_missing:
    description:
      - Whether a host whose containers cannot be confined by AppArmor fails, or gets a warning and
        RV(state=unavailable).
      - That is so without AppArmor in the kernel, in a container, without its parser, and for rootless engines.
    type: str
    choices: [fail, skip]
    default: fail
  refresh_default:
    description: Whether a C(docker-default) that is missing or has an older engine's text is loaded again.
    type: bool
    default: true
  allow_unconfined:
    description: Allow that a profile is removed under which processes run. They go on without any.
    type: bool
    default: false
notes:
  - Needs root.
  - A container keeps the profile that it was created with. C(daemon.json) has no key for a default, see RV(snippets).
seealso:
  - module: bulwark.docker.apparmor_info
  - module: bulwark.docker.enforcement_probe
"""

EXAMPLES = r"""
- name: Load the shipped profiles and one for a web server
  bulwark.docker.apparmor_profile:
    profiles:
      docker-nginx:
        network: [inet stream, inet6 stream, unix]
        capabilities: [chown, dac_override, kill, net_bind_service, setgid, setuid]
        execute: [/usr/sbin/nginx]
        read: [/etc/nginx/**, /srv/www/**]
        write: [/run/nginx.pid, /var/log/nginx/**, /var/lib/nginx/**]
"""

RETURN = r"""
state:
  description: V(loaded), V(removed) or V(unavailable).
  returned: always
  type: str
  sample: loaded
profiles:
  description: The profiles, each with name, mode, path and checksum of the compiled text.
  returned: always
  type: list
  elements: dict
reasons:
  description: One sentence for each difference that was found.
  returned: always
  type: list
  elements: str
findings:
  description: What is dangerous in a policy or text, each with code, line and message.
  returned: always
  type: list
  elements: dict
default_profile:
  description:
    - The engine's own profile, with state (V(current), V(stale), V(missing), V(kept_by_engine), V(foreign), V(unknown))
      and reason.
  returned: always
  type: dict
snippets:
  description: For each profile how a container gets it, on the command line (run) and in a Compose file (compose).
  returned: always
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.docker.plugins.module_utils._apparmor_apply import Request, apply_profiles
from ansible_collections.bulwark.docker.plugins.module_utils._argspec import ENGINE_ARGUMENTS, choose_instance
from ansible_collections.bulwark.docker.plugins.module_utils._conclude import conclude
from ansible_collections.bulwark.docker.plugins.module_utils._host import LocalHost

ARGUMENT_SPEC = {
    **ENGINE_ARGUMENTS,
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "shipped": {"type": "list", "elements": "str", "default": ["docker-bulwark", "docker-bulwark-service"]},
    "profiles": {"type": "dict", "default": {}},
    "on_missing": {"type": "str", "choices": ["fail", "skip"], "default": "fail"},
    "refresh_default": {"type": "bool", "default": True},
    "allow_unconfined": {"type": "bool", "default": False},
}


def build_request(host, params, check_mode):
    """The module's options as a request to the core."""
    return Request(
        present=params["state"] == "present",
        instance=choose_instance(host, params),
        profiles=params["profiles"],
        shipped=tuple(params["shipped"]),
        fail_when_missing=params["on_missing"] == "fail",
        refresh_default=params["refresh_default"],
        allow_unconfined=params["allow_unconfined"],
        check_mode=check_mode,
    )


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    host = LocalHost(module)
    conclude(module, lambda: apply_profiles(host, build_request(host, module.params, module.check_mode)))


if __name__ == "__main__":
    main()
