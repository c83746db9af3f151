#!/bin/sh
# Walks trees of empty files that are no pictures: walk_scale.sh PROGRAM [FILES]
#
# What a run costs for each file that it only has to look at, in time and in memory. A tree of FILES
# (default: 1000000) and one a tenth as large, in folders of 1000; the larger one all in one folder;
# and as a list for --files-from, in a rehearsal. Prints one figure a line: seconds, and the most
# memory that the program had. Needs GNU time and some GiB of memory: the trees are made in
# $BENCH_FOLDER (default: /dev/shm), and removed.
set -eu
program=$1
files=${2:-1000000}
folder=$(mktemp -d "${BENCH_FOLDER:-/dev/shm}/walk-scale.XXXXXX")
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM

# tree NAME FOLDERS FILES_EACH
tree() {
    seq 1 "$3" | sed 's/.*/notes-&.txt/' >"$folder/names"
    seq 1 "$2" | while read -r number; do
        mkdir -p "$folder/$1/folder-$number"
        (cd "$folder/$1/folder-$number" && xargs touch <"$folder/names")
    done
}

# measure NAME ARGUMENT...: runs the program
measure() {
    name=$1
    shift
    /usr/bin/time -o "$folder/time" -f '%e %M' "$program" "$@" >"$folder/said" 2>&1 || {
        echo "walk_scale.sh: $name failed: $(tail -n 3 "$folder/said")" >&2
        exit 1
    }
    read -r seconds kib <"$folder/time"
    echo "$name.seconds $seconds"
    echo "$name.peak_kib $kib"
}

tenth=$((files / 10))
tree tenth $((tenth / 1000)) 1000
measure walk.tree_of_a_tenth "$folder/tenth"
rm -rf "$folder/tenth"
tree whole $((files / 1000)) 1000
measure walk.tree "$folder/whole"
measure walk.tree_with_globs -E '*.tmp' -E 'build/' -i '*.jpg' -i '/photos/**/*.png' "$folder/whole"
find "$folder/whole" -type f >"$folder/list"
echo "# the list has $(($(wc -c <"$folder/list") / 1024)) KiB"
measure walk.list --dry-run --json --files-from="$folder/list"
rm -rf "$folder/whole"
tree flat 1 "$files"
measure walk.one_folder "$folder/flat"
