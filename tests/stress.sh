#!/usr/bin/env bash
# Runs the pool's scenarios many times in a row: tests/stress.sh PRESET [ROUNDS]
#
# ROUNDS: 100, or 5 with a sanitizer. Stops at the first round that fails, shows its output and
# fails. Chance is part of the scenarios: a failure says which SCENARIO_SEED repeats its choices.
# SCENARIO_SCALE (default 1) makes each round larger.
set -eu
unset CDPATH # it would lead cd elsewhere
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ $# -lt 1 ] || [ $# -gt 2 ]; then
    echo "usage: tests/stress.sh PRESET [ROUNDS]" >&2
    exit 2
fi
preset=$1
case $preset in
asan | tsan) rounds=${2:-5} ;;
*) rounds=${2:-100} ;;
esac
case $rounds in
'' | *[!0-9]* | 0)
    echo "tests/stress.sh: ROUNDS is a number from 1" >&2
    exit 2
    ;;
esac

log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { cmake --preset "$preset" && cmake --build --preset "$preset"; } >"$log" 2>&1; then
    tail -n 60 "$log" >&2
    echo "tests/stress.sh: the $preset build failed" >&2
    exit 1
fi
SECONDS=0
for ((round = 1; round <= rounds; round++)); do
    started=$SECONDS
    if ! ctest --preset "$preset" -L '^scenario$' >"$log" 2>&1; then
        cat "$log"
        echo "$preset: round $round of $rounds failed, after $SECONDS s" >&2
        exit 1
    fi
    echo "$preset: round $round of $rounds passed in $((SECONDS - started)) s"
done
echo "$preset: $rounds rounds passed in $SECONDS s"
