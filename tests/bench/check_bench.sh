#!/bin/sh
# thumbpool bench from outside: its JSON is what bench.schema.json says, its page and picture are
# well-formed and ask for nothing from elsewhere, its CSV has as many fields in every line.
#
#     check_bench.sh THUMBPOOL MAKE_PHOTOS SCHEMA
set -eu
program=$1 maker=$2 schema=$3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$maker" --count 6 --size 64x48 "$folder/photos" >/dev/null
before=$(cd "$folder/photos" && find . -type f -exec cksum {} + | sort)
cd "$folder"

"$program" bench -o "$folder" --runs 2 --workers 1,2 --cold --json --html page.html --svg chart.svg \
    photos >bench.json
[ "$(wc -l <bench.json)" -eq 1 ]
if python3 -c 'import jsonschema' 2>/dev/null; then
    python3 - "$schema" bench.json <<'END'
import copy, json, sys
import jsonschema
with open(sys.argv[1]) as file:
    schema = json.load(file)
with open(sys.argv[2]) as file:
    bench = json.load(file)
validator = jsonschema.Draft202012Validator(schema)
validator.check_schema(schema)
validator.validate(bench)
broken = copy.deepcopy(bench)
del broken["configurations"][0]["speedup"]
assert not validator.is_valid(broken), "the schema lets everything pass"
END
else
    echo "not validated by the schema: python3-jsonschema is not installed"
fi
if command -v xmllint >/dev/null; then
    xmllint --noout chart.svg
    tail -n +2 page.html | xmllint --noout -
else
    echo "not parsed: xmllint is not installed"
fi
for file in page.html chart.svg; do
    if sed 's|http://www.w3.org/2000/svg||g' "$file" | grep -iE '<script|https?:|url\(|@import|src=|href='; then
        echo "$file asks for something from elsewhere" >&2
        exit 1
    fi
done

"$program" bench -o "$folder" --runs 1 --warmup 0 --workers 2 --backends process --csv photos >bench.csv
[ "$(wc -l <bench.csv)" -eq 4 ]
awk -F, 'NF != 17 { exit 1 }' bench.csv

# Nothing is left, and nothing has changed.
[ "$(cd "$folder/photos" && find . -type f -exec cksum {} + | sort)" = "$before" ]
[ "$(ls)" = "$(printf 'bench.csv\nbench.json\nchart.svg\npage.html\nphotos')" ]
