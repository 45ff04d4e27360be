#!/usr/bin/env bash
# Copyright (c) 2026, bulwark.docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Write requirements/py311.txt and py312.txt anew from their .in files.
# Usage: tests/run/pin.sh PYTHON311 PYTHON312
# pip's own configuration is left out, so that each pin is one that PyPI really has.
set -euo pipefail

if [ "$#" -ne 2 ]; then
    echo "usage: $0 PYTHON311 PYTHON312" >&2
    exit 2
fi
cd "$(dirname "$0")/../.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

pin() {
    local python=$1 name=$2 title=$3
    "$python" -m venv "$scratch/$name"
    env -u PIP_FIND_LINKS -u PIP_EXTRA_INDEX_URL PIP_CONFIG_FILE=/dev/null \
        "$scratch/$name/bin/pip" install --quiet --requirement "requirements/$name.in"
    {
        echo "# Copyright (c) 2026, bulwark.docker contributors"
        echo "# SPDX-License-Identifier: GPL-3.0-or-later"
        echo "# Exact versions for $title. Made from $name.in by tests/run/pin.sh; do not edit by hand."
        "$scratch/$name/bin/pip" freeze
    } > "$scratch/$name.txt"
    mv "$scratch/$name.txt" "requirements/$name.txt"
}

pin "$1" py311 "Python 3.11"
pin "$2" py312 "Python 3.12 and later"
