# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log drivers of dockerd and the options each accepts, as data (private; may change at any time).

Source: moby daemon/logger/*/ (ValidateLogOpt) at 20.10, 26.1 and 28.5, daemon/logger/factory.go for the common ones.
"""

from __future__ import annotations

from typing import Dict, FrozenSet, Tuple

__all__ = ["COMMON_LOG_OPTS", "LOG_DRIVERS", "LOG_DRIVERS_UNTIL", "LOG_OPTS_SINCE", "LOG_OPTS_UNTIL"]

_LABELS = ("env", "env-regex", "labels", "labels-regex")

COMMON_LOG_OPTS: FrozenSet[str] = frozenset(("mode", "max-buffer-size"))
"""Options that every driver understands; options that begin with "cache-" are the same."""

LOG_DRIVERS: Dict[str, FrozenSet[str]] = {
    "awslogs": frozenset(
        (
            "awslogs-create-group",
            "awslogs-credentials-endpoint",
            "awslogs-datetime-format",
            "awslogs-endpoint",
            "awslogs-force-flush-interval-seconds",
            "awslogs-format",
            "awslogs-group",
            "awslogs-max-buffered-events",
            "awslogs-multiline-pattern",
            "awslogs-region",
            "awslogs-stream",
            "tag",
        )
    ),
    "fluentd": frozenset(
        (
            *_LABELS,
            "fluentd-address",
            "fluentd-async",
            "fluentd-async-connect",
            "fluentd-async-reconnect-interval",
            "fluentd-buffer-limit",
            "fluentd-max-retries",
            "fluentd-request-ack",
            "fluentd-retry-wait",
            "fluentd-sub-second-precision",
            "fluentd-write-timeout",
            "tag",
        )
    ),
    "gcplogs": frozenset((*_LABELS, "gcp-log-cmd", "gcp-meta-id", "gcp-meta-name", "gcp-meta-zone", "gcp-project")),
    "gelf": frozenset(
        (
            *_LABELS,
            "gelf-address",
            "gelf-compression-level",
            "gelf-compression-type",
            "gelf-tcp-max-reconnect",
            "gelf-tcp-reconnect-delay",
            "tag",
        )
    ),
    "journald": frozenset((*_LABELS, "tag")),
    "json-file": frozenset((*_LABELS, "compress", "max-file", "max-size", "tag")),
    "local": frozenset(("compress", "max-file", "max-size")),
    "logentries": frozenset((*_LABELS, "line-only", "logentries-token", "tag")),
    "splunk": frozenset(
        (
            *_LABELS,
            "splunk-capath",
            "splunk-caname",
            "splunk-format",
            "splunk-gzip",
            "splunk-gzip-level",
            "splunk-index",
            "splunk-index-acknowledgment",
            "splunk-insecureskipverify",
            "splunk-source",
            "splunk-sourcetype",
            "splunk-token",
            "splunk-url",
            "splunk-verify-connection",
            "tag",
        )
    ),
    "syslog": frozenset(
        (
            *_LABELS,
            "syslog-address",
            "syslog-facility",
            "syslog-format",
            "syslog-tls-ca-cert",
            "syslog-tls-cert",
            "syslog-tls-key",
            "syslog-tls-skip-verify",
            "tag",
        )
    ),
}
"""Drivers that are part of dockerd; any other name is a plugin, whose options only the plugin knows."""

LOG_DRIVERS_UNTIL: Dict[str, Tuple[int, ...]] = {"logentries": (25,)}
"""First version that no longer has the driver."""

LOG_OPTS_SINCE: Dict[str, Tuple[int, ...]] = {
    "awslogs-format": (23,),
    "fluentd-async-reconnect-interval": (23,),
    "fluentd-write-timeout": (28,),
}
"""First version that knows the option, where that is later than 20.10."""

LOG_OPTS_UNTIL: Dict[str, Tuple[int, ...]] = {"fluentd-async-connect": (28,)}
"""First version that no longer knows the option."""
