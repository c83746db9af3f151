#!/bin/sh
# Runs pool_scaling briefly: check_scaling.sh PROGRAM
#
# Every cell must be there, once, with figures that can be: no task takes less than it was told, a
# process pool's supervisor did something, a thread pool has none. The report must come out of the
# same figures, with a model of each. How large the figures are is not looked at: that is for
# people, on a quiet machine.
set -eu
program=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
csv=$folder/cells.csv

fail() {
    echo "check_scaling.sh: $1; the output was:" >&2
    cat "$csv" >&2
    exit 1
}

"$program" --quick --workers 2 --csv >"$csv" || fail "pool_scaling --quick failed"
awk -F, '
    /^#/ || $1 == "backend" || $1 == "cores" { next }
    $1 == "none" { plain++; next }
    NF != 12 { print "fields:", $0; bad++; next }
    {
        if (seen[$1 "," $2 "," $3 "," $4 "," $5 "," $6]++) { print "twice:", $0; bad++ }
        of[$1]++
        if ($9 <= 0 || $11 <= 0) { print "no time:", $0; bad++ }
        if ($9 * $5 < 0.99 * $6) { print "less than a task takes:", $0; bad++ }
        if ($1 != "serial" && $2 == "compute" && $12 < 0.99 * $6) { print "no work:", $0; bad++ }
        if (($10 > 0) != ($1 == "process")) { print "whose supervisor:", $0; bad++ }
    }
    END {
        if (plain != 10 || of["serial"] != 1 || of["process"] != 16 || of["thread"] != 12) {
            print plain, of["serial"], of["process"], of["thread"], "cells"
            bad++
        }
        exit bad > 0
    }' "$csv" >&2 || fail "cells that cannot be"

"$program" --from "$csv" --svg "$folder/chart.svg" >"$folder/report" || fail "no report"
grep -q "</svg>" "$folder/chart.svg" || fail "no picture"
! grep -qw nan "$folder/report" "$folder/chart.svg" || fail "what is no number in the report"
for words in 'process backend: tasks a second' 'thread backend: tasks a second' \
    'two process pools side by side' '64 cores, by the model'; do
    grep -q "$words" "$folder/report" || fail "no '$words' in the report"
done
# Once in the table of models, once in that of 64 cores.
for model in 'process one by one ' 'process pictures ' 'thread  one by one ' 'thread  pictures '; do
    [ "$(grep -c "^$model" "$folder/report")" = 2 ] || fail "no model of $model"
done

sed 's/^process,wait/process,weight/' "$csv" >"$folder/broken.csv"
if "$program" --from "$folder/broken.csv" >/dev/null 2>&1; then
    fail "takes what is no figures"
fi
# A supervisor that worked for longer than the batch took: the program must notice.
awk -F, -v OFS=, '$1 == "process" { $10 = 2 * $9 + 10000000 } { print }' "$csv" >"$folder/false.csv"
if "$program" --from "$folder/false.csv" >/dev/null 2>&1; then
    fail "takes figures that do not add up"
fi
status=0
"$program" --workers 0 >/dev/null 2>&1 || status=$?
[ "$status" = 2 ] || fail "takes no workers"
