#!/usr/bin/env bash
# Builds every sample and runs one after the other: samples/all.sh [FOLDER]
#
# Installs what is missing first. Needs nobody to watch it, and a few minutes. FOLDER: of JPEG files
# whose names say "jpeg", for the thumbnail example; without it, 6000 pictures are made for the time
# of the run. Ends with 1 if a sample failed, and says which.
set -eu
unset CDPATH # it would lead cd elsewhere
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bin=$top/build/release/bin

# A line each: the program and its arguments, in the order of README.md.
samples='
squares
apply_async
priorities
grow_and_shrink
limits
log_callback
globals
ten_tasks
timeouts
map_async
chunksize
executor_map
executor_errors
done_callbacks
executor_shutdown wait process
executor_shutdown nowait process
executor_shutdown wait thread
futures_wait
word_count
split_tasks
granularity
workers_table
threads_in_workers
tcp_server
event_loop
web_pages
monitor
process_function
process_struct
process_control
cpu_bound
queue
producers_consumers
pipe
manager
lock_and_semaphore
'

if [ $# -gt 1 ]; then
    echo "Usage: samples/all.sh [FOLDER]" >&2
    exit 2
fi
if [ $# -eq 1 ] && [ ! -d "$1" ]; then
    echo "all.sh: $1: no such folder" >&2
    exit 2
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
SECONDS=0

"$top/samples/install-deps.sh"
echo 'all.sh: building'
if ! (cd "$top" && cmake --preset release && cmake --build --preset release) >"$scratch/log" 2>&1; then
    tail -n 40 "$scratch/log" >&2
    echo 'all.sh: the build failed' >&2
    exit 1
fi

count=0
failed=()
# run PROGRAM [ARGUMENT...]: shows what it prints; remembers it if it fails.
run() {
    echo
    echo "== $*"
    count=$((count + 1))
    timeout --kill-after=5 120 "$bin/$1" "${@:2}" </dev/null || failed+=("$1 (exit code $?)")
}

while read -r -a command; do
    [ ${#command[@]} -gt 0 ] || continue
    run "${command[@]}"
done <<<"$samples"

if [ $# -eq 1 ]; then
    photos=$1
else
    photos=$scratch/photos
    echo
    echo 'all.sh: making 6000 pictures of 640x480'
    "$bin/make_photos" --flat --count 6000 --size 640x480 "$photos" >/dev/null
fi
run thumbnails --compare "$photos"

echo
if [ ${#failed[@]} -gt 0 ]; then
    echo "all.sh: ${#failed[@]} of $count runs failed:" >&2
    printf '  %s\n' "${failed[@]}" >&2
    exit 1
fi
echo "all.sh: all $count runs ended well, in $SECONDS s"
