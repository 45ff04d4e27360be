# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What files of certificates and keys look like, without the content of any key (private).

Written against the interface of _host_api.
"""

from __future__ import annotations

from typing import Any, Dict, Optional

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import Host

__all__ = ["describe_certificates", "describe_path"]

CERTIFICATE = "-----BEGIN CERTIFICATE-----"
PRIVATE_KEY = "PRIVATE KEY-----"


def describe_path(host: Host, path: str) -> Dict[str, Any]:
    """Facts about one path; its content is not read.

    Returns C(kind) (that of the target for a link; "absent"), C(link) (target or null), C(mode), C(uid).
    """
    found = host.stat(path)
    return {
        "path": path,
        "kind": found.kind if found else "absent",
        "link": host.read_link(path),
        "mode": found.mode if found else None,
        "uid": found.uid if found else None,
    }


def describe_certificates(host: Host, path: str) -> Dict[str, Any]:
    """The same, with the text of the certificates in the file as C(text), null when there is no such file.

    Raises ConfigError for a file that holds no certificate, or a private key.
    """
    data = host.read_file(path)
    return {**describe_path(host, path), "text": None if data is None else _certificates(path, data)}


def _certificates(path: str, data: bytes) -> Optional[str]:
    text = data.decode("utf-8", "replace")
    if PRIVATE_KEY in text:
        raise ConfigError(f"read certificates: the file holds a private key too ({path}); keep it in a file of its own")
    if CERTIFICATE not in text:
        raise ConfigError(f"read certificates: there is none in PEM format ({path}); give the right file")
    return text
