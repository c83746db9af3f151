#!/usr/bin/env bash
# Runs the fuzz targets for long: tests/fuzz.sh [SECONDS-PER-TARGET]
#
# SECONDS-PER-TARGET: 60. Each target runs in three builds: release, which is fastest, asan, and,
# where clang has libFuzzer, a build of its own that is led by what the code has covered. Each build
# runs its targets one after the other. FUZZ_SEED repeats the first two's choices, FUZZ_TARGETS
# ("jpeg png") runs these alone.
#
# Stops at the first failure. The input that fails then lies in build/fuzz-findings, and a program of
# that build, given the file's name, tries it again. What libFuzzer has learnt stays in
# build/fuzzer/corpus, where it goes on the next time.
set -eu
unset CDPATH # it would lead cd elsewhere
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ $# -gt 1 ]; then
    echo "usage: tests/fuzz.sh [SECONDS-PER-TARGET]" >&2
    exit 2
fi
seconds=${1:-60}
case $seconds in
'' | *[!0-9]* | 0)
    echo "tests/fuzz.sh: SECONDS-PER-TARGET is a number from 1" >&2
    exit 2
    ;;
esac
seed=${FUZZ_SEED:-$((RANDOM * 32768 + RANDOM))}
targets=${FUZZ_TARGETS:-jpeg png inflate parsers note ledger wire}
findings=build/fuzz-findings
mkdir -p "$findings"
# Without strict_string_checks, for which strndup() of what has no terminator is a mistake.
export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export CMOCKA_TEST_ABORT=1

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# built NAME COMMAND...: quietly, unless it fails
built() {
    name=$1
    shift
    if ! "$@" >>"$log" 2>&1; then
        tail -n 60 "$log" >&2
        echo "tests/fuzz.sh: the $name build failed" >&2
        exit 1
    fi
}

for preset in release asan; do
    built "$preset" cmake --preset "$preset"
    built "$preset" cmake --build --preset "$preset" --target fuzz_all
    for target in $targets; do
        echo "== $preset, $target"
        "build/$preset/bin/fuzz_$target" -s "$seed" -t "$seconds" -o "$findings" \
            "build/$preset/tests/fuzz/seeds/$target"
    done
done

# Is there a clang that can link libFuzzer?
if ! echo 'int LLVMFuzzerTestOneInput(void); int LLVMFuzzerTestOneInput(void) { return 0; }' |
    clang -fsanitize=fuzzer -x c -o /dev/null - >>"$log" 2>&1; then
    echo "no clang with libFuzzer: the builds so far are all"
    exit 0
fi
built fuzzer env CC=clang cmake -S . -B build/fuzzer -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DTHUMBPOOL_FUZZER=ON -DTHUMBPOOL_SANITIZE=address,undefined
built fuzzer cmake --build build/fuzzer --target fuzz_all
for target in $targets; do
    echo "== libFuzzer, $target"
    corpus=build/fuzzer/corpus/$target
    mkdir -p "$corpus"
    if ! "build/fuzzer/bin/fuzz_$target" -max_total_time="$seconds" -max_len=131072 -timeout=60 \
        -print_final_stats=1 -artifact_prefix="$findings/$target-" \
        "$corpus" "build/fuzzer/tests/fuzz/seeds/$target" >"$log" 2>&1; then
        tail -n 100 "$log" >&2
        exit 1
    fi
    grep -E 'DONE|number_of_executed_units' "$log"
done
