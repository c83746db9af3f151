#!/bin/sh
# Runs pool_bench briefly: check_quick.sh PROGRAM
#
# Every figure must be printed, once, as a positive number; a peer that is not there says so. How
# large the numbers are is not looked at: that is for people, on a quiet machine.
set -eu
program=$1
out=$(mktemp)
trap 'rm -f "$out"' EXIT

fail() {
    echo "check_quick.sh: $1; the output was:" >&2
    cat "$out" >&2
    exit 1
}

# figure NAME: exactly one line has it, with a positive number.
figure() {
    awk -v name="$1" '
        $1 == name { seen++; if (NF != 2 || $2 !~ /^[0-9]+([.][0-9]+)?$/ || $2 + 0 <= 0) bad++ }
        END { exit !(seen == 1 && !bad) }' "$out" || fail "no good figure $1"
}

# peer REMARK NAME...: the figures, unless a remark says that the peer is not there.
peer() {
    ! grep -q "^# $1 not " "$out" || return 0
    shift
    for name; do
        figure "$name"
    done
}

"$program" --quick >"$out" || fail "pool_bench --quick failed"
for backend in process thread serial; do
    for name in chunk1.tasks_per_s default.tasks_per_s imap_unordered.tasks_per_s \
        submit.tasks_per_s apply_us create_map_free_ms; do
        figure "$backend.$name"
    done
done
figure socketpair.rtt_us
figure socketpair.one_cpu.rtt_us
figure ratio.apply_to_rtt
peer socketpair.two_cpus socketpair.two_cpus.rtt_us ratio.apply_to_rtt_two_cpus
peer python python_pool.chunk1.tasks_per_s python_pool.default.tasks_per_s python_pool.apply_us \
    python_pool.create_map_close_ms python_executor.map.tasks_per_s ratio.process_chunk1_to_python \
    ratio.process_chunk1_to_executor ratio.process_submit_to_executor \
    ratio.process_default_to_python ratio.apply_to_python ratio.create_to_python
peer gthreadpool gthreadpool.tasks_per_s ratio.thread_chunk1_to_gthreadpool \
    ratio.thread_submit_to_gthreadpool
peer libuv libuv.tasks_per_s ratio.thread_chunk1_to_libuv ratio.thread_submit_to_libuv

"$program" --quick --only serial.apply >"$out" || fail "pool_bench --only failed"
[ "$(grep -vc '^#' "$out")" = 1 ] || fail "--only lets other figures through"
figure serial.apply_us

"$program" soak 2000 >"$out" || fail "pool_bench soak failed"
for backend in process thread; do
    for name in items tasks_per_s rss_start_kib rss_peak_kib; do
        figure "soak.$backend.$name"
    done
done
figure soak.process.workers_rss_start_kib
figure soak.process.workers_rss_peak_kib
