#!/usr/bin/env bash
# Builds and runs all tests: tests/run.sh [PRESET...]
#
# Installs what is missing first. Without PRESET: release, then asan (AddressSanitizer and UBSan).
# The pool's scenarios, in which chance plays, are then run once more: the short form of the stress
# target.
set -eu
unset CDPATH # it would lead cd elsewhere
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ $# -gt 0 ] || set -- release asan

samples/install-deps.sh
for preset; do
    echo "== $preset"
    log=$(mktemp)
    if ! { cmake --preset "$preset" -DTHUMBPOOL_WERROR=ON && cmake --build --preset "$preset"; } \
        >"$log" 2>&1; then
        tail -n 60 "$log" >&2
        rm -f "$log"
        echo "tests/run.sh: the $preset build failed" >&2
        exit 1
    fi
    rm -f "$log"
    ctest --preset "$preset" --parallel "$(nproc)"
    tests/stress.sh "$preset" 1
done
