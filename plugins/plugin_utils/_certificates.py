# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates and keys decoded by community.crypto's filters, on the controller (private)."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from ansible.errors import AnsibleError, AnsibleTemplatePluginError
from ansible.plugins.loader import filter_loader

from ansible_collections.bulwark.docker.plugins.module_utils._certificate_lint import (
    key_is_encrypted,
    read_pem,
    require_files,
)
from ansible_collections.bulwark.docker.plugins.plugin_utils._filter import call_core

__all__ = ["decode_files"]


def _decode(filter_name: str, text: str) -> dict[str, Any]:
    """Result of a filter of community.crypto; C({"problem": text}) for a text that it cannot read."""
    try:
        found = filter_loader.get(f"community.crypto.{filter_name}")
    except KeyError:
        found = None
    if found is None or find_spec("cryptography") is None:
        raise AnsibleTemplatePluginError(
            "lint_certificates: certificates cannot be decoded (the controller lacks the collection community.crypto "
            "or the Python package cryptography); install both"
        )
    try:
        return dict(found.j2_function(text))
    except (AnsibleError, ValueError) as exc:
        return {"problem": str(exc)}


def _decode_key(key: Mapping[str, Any]) -> dict[str, Any]:
    if "content" not in key:
        return dict(key)
    if key_is_encrypted(key["content"]):
        return {"path": key["path"], "encrypted": True}
    info = _decode("openssl_privatekey_info", key["content"])
    return {"path": key["path"], **(info if "problem" in info else {"info": info})}


def decode_files(files: Mapping[str, Any]) -> dict[str, Any]:
    """Add to the texts of the files what community.crypto reads in them.

    Args:
        files: plain values; C(certificate) and C(ca) with C(path) and C(content), C(key) with C(path) and C(content) or
            C(info).

    Returns:
        What the core's lint_certificates takes. The text of a private key is not in it.
    """
    call_core(require_files, files)
    decoded: dict[str, Any] = {}
    for name, value in files.items():
        if name == "key":
            decoded[name] = _decode_key(value)
        else:
            texts = read_pem(value["content"]).certificates
            decoded[name] = {**value, "entries": [_decode("x509_certificate_info", text) for text in texts]}
    return decoded
