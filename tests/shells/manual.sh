#!/usr/bin/env bash
# Has groff and mandoc look at the manual page, as far as they are installed: they must have nothing
# to say. Ends with 77, skipped to ctest, where neither is.
#
#     tests/shells/manual.sh thumbpool.1
set -eu
page=${1:?the manual page is missing}
tried=0
if command -v groff >/dev/null; then
    said=$(LC_ALL=C.UTF-8 groff -ww -man -Tutf8 -z "$page" 2>&1)
    [ -z "$said" ] || { echo "groff: $said" >&2; exit 1; }
    echo 'groff has nothing to say'
    tried=1
fi
if command -v mandoc >/dev/null; then
    # Whether the other pages that it names are installed here is not the question.
    said=$(mandoc -Tlint "$page" 2>&1 | grep -v 'referenced manual not found' || true)
    [ -z "$said" ] || { echo "mandoc: $said" >&2; exit 1; }
    echo 'mandoc has nothing to say'
    tried=1
fi
if [ "$tried" -eq 0 ]; then
    echo 'neither groff nor mandoc is installed: the page is not tried'
    exit 77
fi
