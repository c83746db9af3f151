#!/bin/sh
# thumbpool_soak's verdict, on fakes that leak in known ways: check_soak.sh THUMBPOOL_SOAK
#
# Each fake moves on with the samples, so what is found does not depend on the machine's speed.
set -eu
soak=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

fail() {
    echo "check_soak.sh: $1; the output was:" >&2
    cat "$folder/out" >&2
    exit 1
}

# verdict KIND STATUS SUBJECT: of the subjects, this one alone grows ("": none does).
verdict() {
    status=0
    "$soak" --svg "$folder/$1.svg" --csv "$folder/$1.csv" --fake "$1" >"$folder/out" 2>&1 ||
        status=$?
    [ "$status" -eq "$2" ] || fail "$1: exit status $status"
    [ "$(sed -n 's/^  \([a-z]*\).* GROWS$/\1/p' "$folder/out")" = "$3" ] ||
        fail "$1: something else grows"
}

verdict flat 0 ""
verdict small 0 ""
verdict host 1 host
verdict worker 1 workers
verdict late 1 host
verdict descriptor 1 descriptors
verdict process 1 processes

[ "$(wc -l <"$folder/flat.csv")" -ge 41 ]
awk -F, 'NF != 7 { exit 1 }' "$folder/flat.csv"
grep -q 'flat: flat' "$folder/flat.svg"
grep -q 'host: NOT FLAT' "$folder/host.svg"
if command -v xmllint >/dev/null; then
    xmllint --noout "$folder"/*.svg
else
    echo "not parsed: xmllint is not installed"
fi

# A program that fails is no verdict, and a tree that cannot be made none either.
status=0
"$soak" --fake nothing >"$folder/out" 2>&1 || status=$?
[ "$status" -eq 3 ] || fail "a fake that fails: exit status $status"
status=0
"$soak" --folder "$folder" /bin/true /bin/false >"$folder/out" 2>&1 || status=$?
[ "$status" -eq 3 ] || fail "no pictures: exit status $status"
[ -z "$(find "$folder" -name 'thumbpool-soak*')" ] || fail "something was left behind"
