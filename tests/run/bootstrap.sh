#!/usr/bin/env bash
# Copyright (c) 2026, bulwark.docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Make sure that the programs the runner itself needs are there: git, ssh, and the parts of Python
# that Debian and Ubuntu package on their own. Usage: tests/run/bootstrap.sh PYTHON [PROGRAM...]
# Each further PROGRAM is one that the Debian package of the same name brings, or PROGRAM=PACKAGE.
# (What the test hosts need is looked after by "tests/hosts/hosts.py deps".)
set -euo pipefail

python=${1:?usage: $0 PYTHON [PROGRAM...]}
shift

if ! command -v "$python" > /dev/null; then
    echo "bootstrap: $python: not found; install Python 3.11 or later, or name it: make PYTHON=python3.13" >&2
    exit 1
fi

missing=()
command -v git > /dev/null || missing+=(git)
command -v ssh > /dev/null || missing+=(openssh-client)
"$python" -c 'import ensurepip, venv' 2> /dev/null ||
    missing+=("python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv")

for program in "$@"; do
    command -v "${program%%=*}" > /dev/null || missing+=("${program#*=}")
done

[ "${#missing[@]}" -gt 0 ] || exit 0

if ! command -v apt-get > /dev/null; then
    echo "bootstrap: missing: ${missing[*]} (names of Debian packages); install them with this system's package manager" >&2
    exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo > /dev/null; then
        echo "bootstrap: missing packages: ${missing[*]}; as root, run: apt-get install -y ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi
echo "bootstrap: installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
