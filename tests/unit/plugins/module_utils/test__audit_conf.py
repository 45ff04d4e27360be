# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of auditd.conf."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.docker.plugins.module_utils._audit_conf import (
    change_settings,
    check_settings,
    restore_settings,
)
from ansible_collections.bulwark.docker.plugins.module_utils._audit_tables import SPACE_SETTINGS
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError

TEXT = "#\n# comment\nlog_file = /var/log/audit/audit.log\nnum_logs = 5\nmax_log_file_action=ROTATE\n"


def test_only_named_settings_change() -> None:
    text, earlier = change_settings(TEXT, {"num_logs": "7", "space_left": "100"})
    assert text == TEXT.replace("num_logs = 5", "num_logs = 7") + "space_left = 100\n"
    assert earlier == {"num_logs": "num_logs = 5", "space_left": None}


def test_value_in_another_spelling_stays() -> None:
    assert change_settings(TEXT, {"max_log_file_action": "rotate"}) == (TEXT, {})


@given(
    st.dictionaries(st.sampled_from(SPACE_SETTINGS), st.sampled_from(["5", "100", "rotate", "halt"])),
    st.booleans(),
)
def test_restoring_gives_back_the_bytes(wanted: dict[str, str], newline: bool) -> None:
    text = TEXT if newline else TEXT.rstrip("\n")
    changed, earlier = change_settings(text, wanted)
    assert restore_settings(changed, earlier) == text
    assert change_settings(changed, wanted) == (changed, {})


def test_setting_about_something_else_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"set 'log_file' in auditd\.conf: it is not one of"):
        check_settings({"log_file": "/dev/null"})
