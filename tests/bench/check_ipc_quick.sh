#!/bin/sh
# Runs ipc_bench briefly: check_ipc_quick.sh PROGRAM
#
# Every figure must be printed, once, as a positive number; Python that is not there says so. How
# large the numbers are is not looked at: that is for people, on a quiet machine.
set -eu
program=$1
out=$(mktemp)
trap 'rm -f "$out"' EXIT

fail() {
    echo "check_ipc_quick.sh: $1; the output was:" >&2
    cat "$out" >&2
    exit 1
}

# figure NAME: exactly one line has it, with a positive number.
figure() {
    awk -v name="$1" '
        $1 == name { seen++; if (NF != 2 || $2 !~ /^[0-9]+([.][0-9]+)?$/ || $2 + 0 <= 0) bad++ }
        END { exit !(seen == 1 && !bad) }' "$out" || fail "no good figure $1"
}

"$program" --quick >"$out" || fail "ipc_bench --quick failed"
python=yes
grep -q '^# python not ' "$out" && python=no

# ours_and_python NAME UNIT PYTHON...: the figure, and Python's with a ratio to each.
ours_and_python() {
    name=$1 unit=$2
    shift 2
    figure "$name$unit"
    for peer; do
        [ $python = yes ] || continue
        figure "$peer.${name#*.}$unit"
        figure "ratio.${name}_to_$peer"
    done
}

for size in 16B 1KiB 64KiB; do
    for pair in 1to1 4to4; do
        ours_and_python "queue.$size.$pair" .per_s python_queue python_simple_queue
    done
    ours_and_python "pipe.$size" .per_s python_pipe
    ours_and_python "pipe.$size.trips" _per_s python_pipe
done
figure queue.64KiB.1to1.mb_per_s
for who in alone two; do
    ours_and_python "lock.$who" .per_s python_lock
done

"$program" --quick --only lock.alone >"$out" || fail "ipc_bench --only failed"
[ "$(grep -vc '^#' "$out")" = 1 ] || fail "--only lets other figures through"
figure lock.alone.per_s
