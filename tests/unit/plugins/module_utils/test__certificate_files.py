# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at certificates and keys, whose content stays where it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.bulwark.docker.plugins.modules import certificate_files_info

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN EC PRIVATE KEY-----\nSECRETSECRET\n-----END EC PRIVATE KEY-----\n"


def look(capsys: pytest.CaptureFixture[str], **options: list[str]) -> tuple[dict, str]:
    with patch_module_args(options), pytest.raises(SystemExit):
        certificate_files_info.main()
    text = capsys.readouterr().out
    return json.loads(text), text


def test_files_links_and_what_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generation = tmp_path / "1"
    generation.mkdir()
    (generation / "cert.pem").write_text(CERTIFICATE)
    (generation / "key.pem").write_text(KEY)
    (generation / "key.pem").chmod(0o400)
    (tmp_path / "issued").symlink_to("1")
    found, text = look(
        capsys,
        certificates=[f"{tmp_path}/issued/cert.pem", f"{tmp_path}/issued/ca.pem"],
        paths=[f"{tmp_path}/issued/key.pem", f"{tmp_path}/issued", f"{tmp_path}/none"],
    )
    assert [entry["text"] for entry in found["certificates"]] == [CERTIFICATE, None]
    assert [entry["kind"] for entry in found["certificates"]] == ["file", "absent"]
    assert [(entry["kind"], entry["link"]) for entry in found["paths"]] == [
        ("file", None),
        ("directory", "1"),
        ("absent", None),
    ]
    assert found["paths"][0]["mode"] == 0o400
    assert "SECRET" not in text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (CERTIFICATE + KEY, "the file holds a private key too"),
        (KEY, "the file holds a private key too"),
        ("certificate", "there is none in PEM format"),
        ("", "there is none in PEM format"),
    ],
)
def test_file_that_is_no_certificate_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, message: str
) -> None:
    path = tmp_path / "cert.pem"
    path.write_text(content)
    found, text = look(capsys, certificates=[str(path)])
    assert found["failed"]
    assert message in found["msg"]
    assert str(path) in found["msg"]
    assert "SECRET" not in text
