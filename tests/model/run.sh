#!/usr/bin/env bash
# Explores dispatch.pml exhaustively in several configurations, then proves that it can fail: each
# seeded bug must be found. tests/model/run.sh [NAME...] runs those only. Needs spin and cc.
set -eu
unset CDPATH # it would lead cd elsewhere
model=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/dispatch.pml

# Each has what it needs to be complete, and is as small as that allows: the number of states
# multiplies with each event that may come at any time. WORKERS, SLOTS, TASKS: 2, 2, 3 unless given.
configurations='
wake-ups         QUICK=1 RESULTS=1
sharing          SHARE=1
deaths           TASKS=2 DEATHS=1 RETRIES=1
more-deaths      WORKERS=1 TASKS=2 DEATHS=2 RETRIES=1 RESULTS=1
quarantine       WORKERS=1 TASKS=2 DEATHS=3 RETRIES=3 QUARANTINE=2
cancel           TASKS=2 CANCELS=1
cancels          WORKERS=1 CANCELS=2
cancel-death     WORKERS=1 TASKS=2 CANCELS=1 DEATHS=1 RETRIES=1
deadline         TASKS=2 DEADLINES=1
deadline-death   WORKERS=1 TASKS=2 DEADLINES=1 DEATHS=1 RETRIES=1 RESULTS=1
deadline-cancel  WORKERS=1 TASKS=2 DEADLINES=1 CANCELS=1
terminate        WORKERS=1 TERMINATE=1 RESULTS=1
terminate-death  WORKERS=1 TASKS=2 TERMINATE=1 DEATHS=1 RETRIES=1
terminate-cancel WORKERS=1 TASKS=2 TERMINATE=1 CANCELS=1
messages         MESSAGES=2 ROOM=1
messages-cancel  WORKERS=1 MESSAGES=2 ROOM=1 CANCELS=1
messages-death   WORKERS=1 TASKS=2 MESSAGES=1 CANCELS=1 DEATHS=1 RETRIES=1
'

# A bug, what spin must say (hangs: an invalid end state; asserts), and where it shows.
bugs='
BUG_WORKER_LOOKS_TOO_EARLY hangs   WORKERS=1 TASKS=2
BUG_HOST_LOOKS_TOO_EARLY   hangs   WORKERS=1 TASKS=2
BUG_PASS_WITHOUT_BELL      hangs   WORKERS=1 CANCELS=2
BUG_FREE_WHEN_TAKEN        hangs   WORKERS=1 TASKS=4 CANCELS=1
BUG_TAKE_WITHOUT_SWAP      asserts WORKERS=1 TASKS=2 CANCELS=1
BUG_CANCEL_LOOKS_ONCE      asserts WORKERS=1 TASKS=2 CANCELS=1 DEADLINES=1
BUG_STOP_FIRST             asserts WORKERS=1 TASKS=2 DEADLINES=1
BUG_STOP_UNSEEN            asserts WORKERS=1 TASKS=2 DEADLINES=1
BUG_SETTLE_TOO_EARLY       asserts WORKERS=1 TASKS=2 DEATHS=1
BUG_REQUEUE_STARTED        asserts WORKERS=1 TASKS=2 DEATHS=1
BUG_RETRY_CANCELLED        asserts WORKERS=1 TASKS=2 CANCELS=1 RETRIES=1
BUG_RESOLVE_WITHOUT_LOCK   asserts WORKERS=1 TASKS=2 TERMINATE=1
'

jobs_at_once=2
memory_mb=1200
depth=20000

for tool in spin cc; do
    if ! command -v "$tool" >/dev/null; then
        echo "run.sh: $tool is not installed; samples/install-deps.sh installs it" >&2
        exit 1
    fi
done

work=$(mktemp -d)
# Only what this script started, if it is ended early.
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

# Explores one configuration in a folder of its own: verdict, states and seconds go to its `line`.
explore() {
    local name=$1 expected=$2 dir=$work/$1 defines=() define verdict states seconds
    local optimize=-O1
    [ "$expected" = holds ] || optimize=-O0 # the search is over before a better compiler would be
    shift 2
    for define; do
        defines+=("-D$define")
    done
    mkdir "$dir"
    cd "$dir"
    if ! spin "${defines[@]}" -a "$model" >spin.txt 2>&1 ||
        ! cc "$optimize" -w -DSAFETY -DCOLLAPSE -DMEMLIM="$memory_mb" -o pan pan.c 2>>spin.txt; then
        verdict='does not compile'
        cp spin.txt out.txt
    else
        ./pan -m"$depth" >out.txt 2>&1 || true
        # A search that was cut short proves nothing.
        if grep -Eq 'Search not completed|max search depth too small|out of memory' out.txt &&
            ! grep -q 'errors: 1' out.txt; then
            verdict='was cut short'
        elif grep -q 'invalid end state (at' out.txt; then
            verdict=hangs
        elif grep -q 'assertion violated' out.txt; then
            verdict=asserts
        elif grep -q 'errors: 0' out.txt; then
            verdict=holds
        else
            verdict='says nothing'
        fi
    fi
    states=$(awk '/states, stored/ { print $1 }' out.txt)
    seconds=$(awk '/elapsed time/ { print $4 }' out.txt)
    printf '%-27s %-8s %9s states  %6s s\n' "$name" "$verdict" "${states:-?}" "${seconds:-0}" >line
    if [ "$verdict" != "$expected" ]; then
        {
            echo "run.sh: $name: $verdict, but $expected was expected (${defines[*]})"
            grep -v 'unreached\|dispatch.pml:' out.txt | head -n 20
            if [ "$expected" = holds ] && [ -e dispatch.pml.trail ]; then
                spin "${defines[@]}" -t -p -k dispatch.pml.trail "$model" | tail -n 100
            fi
        } >wrong 2>&1
    fi
}

names=()
start() {
    local wanted=$1
    shift
    if [ -n "$wanted" ] && [[ " $wanted " != *" $1 "* ]]; then
        return
    fi
    while [ "$(jobs -rp | wc -l)" -ge "$jobs_at_once" ]; do
        wait -n || true
    done
    explore "$@" &
    names+=("$1")
}

while read -r name defines; do
    # shellcheck disable=SC2086 # one word each
    [ -z "$name" ] || start "$*" "$name" holds $defines
done <<<"$configurations"
while read -r name expected defines; do
    # shellcheck disable=SC2086 # one word each
    [ -z "$name" ] || start "$*" "$name" "$expected" "$name" $defines
done <<<"$bugs"
wait

failed=0
for name in "${names[@]}"; do
    cat "$work/$name/line" || failed=1
    if [ -e "$work/$name/wrong" ]; then
        cat "$work/$name/wrong" >&2
        failed=1
    fi
done
if [ "${#names[@]}" -eq 0 ]; then
    echo "run.sh: no configuration of that name: $*" >&2
    failed=1
fi
exit "$failed"
