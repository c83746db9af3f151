#!/usr/bin/env bash
# Is every sample in the table of samples/README.md, run by samples/all.sh, and run by a test?
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
missing=0

tell() {
    echo "$1 is not $2" >&2
    missing=$((missing + 1))
}

mapfile -t names < <(sed -n 's/^thumbpool_sample(\([a-z_]*\).*/\1/p' samples/CMakeLists.txt samples/*/CMakeLists.txt)
if [ ${#names[@]} -lt 30 ]; then
    echo "only ${#names[@]} samples found: have their CMakeLists.txt changed?" >&2
    exit 1
fi
for name in "${names[@]}"; do
    grep -q "\`[a-z_/]*$name\.c\`" samples/README.md || tell "$name" "in samples/README.md"
    # `load` is the client of tcp_server's test, and runs for as long as it is told to.
    [ "$name" = load ] || grep -Eq "^(run )?$name( |$)" samples/all.sh || tell "$name" "run by samples/all.sh"
    grep -rq "SAMPLE(\"$name\")" tests/samples/*.c || tell "$name" "run by a test"
done
[ "$missing" -eq 0 ] && echo "${#names[@]} samples, all listed and run"
