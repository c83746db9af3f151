#!/usr/bin/env bash
# The main job in one command: samples/run.sh [FOLDER [OPTIONS...]]
#
# Installs what is missing, builds, and makes a thumbnail of every picture in FOLDER, into
# FOLDER/thumbs. Without FOLDER it makes some sample photos first. OPTIONS go to thumbpool.
set -eu
unset CDPATH # it would lead cd elsewhere
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

if [ $# -gt 0 ]; then
    folder=$1
    shift
    if [ ! -d "$folder" ]; then
        echo "run.sh: $folder: no such folder" >&2
        echo "Usage: samples/run.sh [FOLDER [OPTIONS...]]" >&2
        exit 2
    fi
    folder=$(cd -- "$folder" && pwd)
else
    folder=
fi

"$top/samples/install-deps.sh"
echo 'run.sh: building'
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! (cd "$top" && cmake --preset release && cmake --build --preset release) >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    echo 'run.sh: the build failed' >&2
    exit 1
fi

if [ -z "$folder" ]; then
    folder=$top/sample-photos
    if [ ! -d "$folder" ]; then
        echo "run.sh: making sample photos in $folder"
        rm -rf "$folder.part"
        "$top/build/release/bin/make_photos" "$folder.part" >/dev/null
        mv "$folder.part" "$folder"
    fi
fi

echo "run.sh: making thumbnails of $folder"
where="in $folder/thumbs"
for option; do
    case $option in -o* | --output*) where='where you asked for them' ;; esac
done
status=0
"$top/build/release/thumbpool" "$@" -- "$folder" || status=$?
case $status in
0) echo "run.sh: the thumbnails are $where" ;;
1) echo "run.sh: the thumbnails are $where, but for the files named above" ;;
*) echo "run.sh: thumbpool ended with exit code $status" >&2 ;;
esac
exit "$status"
