#!/usr/bin/env bash
# thumbpool beside what people use today: the same folder to thumbnails of the same size, with the
# same number of workers, one program after the other, again and again.
#
#     tests/bench/peers.sh [-s SIZE] [-j WORKERS] [-r RUNS] [-b THUMBPOOL] [-m FILE] [FOLDER]
#
# Without FOLDER it measures Debian's photo wallpapers: the package mate-backgrounds is fetched (47 MB)
# and unpacked into a folder of its own, not installed, and its JPEGs are used sixteen times each.
# Peers that are not installed are named and left out; nothing is installed here.
#
#   vipsthumbnail  the files dealt out to WORKERS processes by xargs, one libvips thread each
#   vips, one run  one process with all the files, as many threads as libvips likes
#   Pillow         multiprocessing.Pool().map over Image.thumbnail, as in the documents
#   sharp          on Node.js, WORKERS threads, twice as many files in flight; $SHARP_DIR is the folder
#                  with its node_modules
#   ImageMagick    mogrify -thumbnail with a size hint for the decoder, dealt out by xargs
#
# How it measures: the page cache is warmed by a first round that does not count. A round runs every
# program once, in turn, into an empty folder, so that a slow minute of the machine meets all of them.
# Wall time and processor time (the kernel's account of all processes that took part) are medians of
# the rounds; the range of the wall times is shown; how many times thumbpool's they are is the median of
# the rounds' own ratios. A peer that did not make every picture is shown but not compared. The table goes to standard output, in Markdown, and to FILE with -m.
set -eu
unset CDPATH
export LC_ALL=C
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
size=256 workers=$(nproc) runs=5 binary=$top/build/release/thumbpool table=

usage() {
    sed -n 's/^#     //p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

while getopts s:j:r:b:m:h option; do
    case $option in
    s) size=$OPTARG ;;
    j) workers=$OPTARG ;;
    r) runs=$OPTARG ;;
    b) binary=$OPTARG ;;
    m) table=$OPTARG ;;
    *) usage ;;
    esac
done
shift $((OPTIND - 1))
[ $# -le 1 ] || usage
for number in "$size" "$workers" "$runs"; do
    case $number in '' | *[!0-9]* | 0*) usage ;; esac
done
if [ ! -x "$binary" ]; then
    echo "peers.sh: $binary: no such program; build it first: cmake --preset release && cmake --build --preset release" >&2
    exit 2
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
out=$work/out

# ---- The photos ----------------------------------------------------------------------------------

fetch_wallpapers() {
    local deb name copy
    echo 'peers.sh: fetching the package mate-backgrounds' >&2
    mkdir "$work/package" "$work/photos"
    (cd "$work/package" && apt-get download mate-backgrounds >/dev/null 2>&1) || return 1
    for deb in "$work"/package/*.deb; do
        dpkg-deb -x "$deb" "$work/package/unpacked"
    done
    find "$work/package/unpacked" -type f -name '*.jpg' | sort | while IFS= read -r name; do
        for ((copy = 0; copy < 16; copy++)); do
            ln "$name" "$work/photos/$copy-${name##*/}"
        done
    done
}

if [ $# -eq 1 ]; then
    [ -d "$1" ] || { echo "peers.sh: $1: no such folder" >&2; exit 2; }
    photos=$(cd -- "$1" && pwd)
    what=$photos
else
    if ! fetch_wallpapers; then
        echo 'peers.sh: cannot fetch mate-backgrounds here: give a FOLDER of photos' >&2
        exit 1
    fi
    photos=$work/photos
    what="Debian's mate-backgrounds, each JPEG sixteen times"
fi
files=$(find "$photos" -type f | wc -l)
[ "$files" -gt 0 ] || { echo "peers.sh: $photos: no files" >&2; exit 2; }
megabytes=$(find "$photos" -type f -printf '%s\n' | awk '{ n += $1 } END { printf "%.0f", n / 1e6 }')

# ---- The programs --------------------------------------------------------------------------------

cat >"$work/pillow.py" <<'PYTHON'
import os, sys
from multiprocessing import Pool
from PIL import Image
folder, out, size, workers = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])

def create_thumbnail(number_and_path):
    number, path = number_and_path
    image = Image.open(path)
    image.thumbnail((size, size))
    image.convert("RGB").save(os.path.join(out, "%d.jpg" % number))

if __name__ == "__main__":
    paths = [os.path.join(at, name) for at, _, names in os.walk(folder) for name in names]
    with Pool(workers) as pool:
        pool.map(create_thumbnail, enumerate(paths))
PYTHON
cat >"$work/sharp.js" <<'JAVASCRIPT'
const [, , modules, folder, out, size, workers] = process.argv;
const sharp = require(modules + '/node_modules/sharp'), fs = require('fs'), path = require('path');
sharp.cache(false);
sharp.concurrency(1);
const files = [];
const walk = (at) => fs.readdirSync(at, { withFileTypes: true }).forEach((entry) =>
    entry.isDirectory() ? walk(path.join(at, entry.name)) : files.push(path.join(at, entry.name)));
walk(folder);
let next = 0;
const lane = async () => {
    while (next < files.length) {
        const number = next++;
        await sharp(files[number]).rotate().resize(+size, +size, { fit: 'inside' })
            .jpeg({ quality: 80 }).toFile(path.join(out, number + '.jpg')).catch(() => {});
    }
};
Promise.all(Array.from({ length: 2 * workers }, lane));
JAVASCRIPT

# Several files of one name in subfolders would replace each other: put them into one folder. The
# reader's are copied: through a link, a program that writes in place would change them.
flat=$work/flat
mkdir "$flat"
number=0
while IFS= read -r -d '' name; do
    ending=${name##*/}
    case $ending in *.*) ending=.${ending##*.} ;; *) ending= ;; esac
    if [ "$photos" = "$work/photos" ]; then
        ln "$name" "$flat/$number$ending"
    else
        cp --reflink=auto "$name" "$flat/$number$ending"
    fi
    number=$((number + 1))
done < <(find "$photos" -type f -print0 | sort -z)

names=() missing=()
has() {
    if "${@:2}" >/dev/null 2>&1; then names+=("$1"); else missing+=("$1"); fi
}
has thumbpool test -x "$binary"
has vipsthumbnail command -v vipsthumbnail
if command -v vipsthumbnail >/dev/null; then names+=('vips, one run'); fi
python=
for candidate in python3 /usr/bin/python3; do
    if [ -z "$python" ] && "$candidate" -c 'import PIL' 2>/dev/null; then python=$candidate; fi
done
has Pillow test -n "$python"
has sharp test -d "${SHARP_DIR:-/nonexistent}/node_modules/sharp"
has ImageMagick command -v mogrify

run() {
    case $1 in
    thumbpool) "$binary" -s "$size" -f jpeg -j "$workers" -o "$out" --quiet "$flat" ;;
    vipsthumbnail) cd "$flat" && find . -type f -print0 |
        VIPS_CONCURRENCY=1 xargs -0 -P"$workers" -n16 vipsthumbnail -s "$size" -o "$out/%s.jpg[Q=80]" ;;
    'vips, one run') cd "$flat" && find . -type f -print0 |
        xargs -0 vipsthumbnail -s "$size" -o "$out/%s.jpg[Q=80]" ;;
    Pillow) "$python" "$work/pillow.py" "$flat" "$out" "$size" "$workers" ;;
    sharp) UV_THREADPOOL_SIZE=$workers node "$work/sharp.js" "$SHARP_DIR" "$flat" "$out" "$size" "$workers" ;;
    ImageMagick) cd "$flat" && find . -type f -print0 |
        MAGICK_THREAD_LIMIT=1 xargs -0 -P"$workers" -n16 mogrify -define "jpeg:size=$((2 * size))x$((2 * size))" \
            -auto-orient -thumbnail "${size}x$size>" -quality 80 -format jpg -path "$out" ;;
    esac
}

# ---- The rounds ----------------------------------------------------------------------------------

TIMEFORMAT='%R %U %S'
for ((round = 0; round <= runs; round++)); do
    for name in "${names[@]}"; do
        rm -rf "$out"
        mkdir "$out"
        spent=$({ time (run "$name" >/dev/null 2>&1 || true); } 2>&1)
        made=$(find "$out" -type f -iname '*.jp*g' -size +0 | wc -l)
        if [ "$round" -gt 0 ]; then
            echo "$name|$spent|$made" >>"$work/times"
        fi
    done
    if [ "$round" -gt 0 ]; then echo "peers.sh: round $round of $runs" >&2; fi
done

# ---- The table -----------------------------------------------------------------------------------

write_table() {
    echo "$files files ($megabytes MB; $what) to $size px, $workers workers, medians of $runs rounds;"
    echo "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1 | grep . || uname -m), $(nproc) CPUs, Linux $(uname -r | cut -d- -f1), $(date -u +%Y-%m-%d)."
    echo
    echo '| program | wall s (range) | CPU s | files/s | wall, times thumbpool | CPU, times thumbpool |'
    echo '|---|---|---|---|---|---|'
    awk -F'|' -v files="$files" '
        function median(list, n,    i, j, t) {
            for (i = 2; i <= n; i++)
                for (j = i; j > 1 && list[j - 1] > list[j]; j--) { t = list[j]; list[j] = list[j - 1]; list[j - 1] = t }
            return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
        }
        {
            split($2, t, " ")
            if (!($1 in n)) order[++programs] = $1
            i = ++n[$1]; wall[$1, i] = t[1]; cpu[$1, i] = t[2] + t[3]
            if (!($1 in made) || $3 < made[$1]) made[$1] = $3
        }
        END {
            for (p = 1; p <= programs; p++) {
                name = order[p]
                for (i = 1; i <= n[name]; i++) {
                    w[i] = wall[name, i] + 0; c[i] = cpu[name, i] + 0
                    rw[i] = w[i] / wall[order[1], i]; rc[i] = c[i] / cpu[order[1], i]
                }
                mc = median(c, n[name]); mw = median(w, n[name])
                if (p == 1) base_made = made[name]
                shown = sprintf("| %s | %.2f (%.2f to %.2f) | %.2f | %.0f |", name, mw, w[1], w[n[name]], mc, files / mw)
                if (made[name] < files) print shown " made " made[name] " only | not compared |"
                else if (base_made < files) print shown " thumbpool did not make all | not compared |"
                else print shown sprintf(" %.2f | %.2f |", median(rw, n[name]), median(rc, n[name]))
            }
        }' "$work/times"
    if [ ${#missing[@]} -gt 0 ]; then
        echo
        echo "Not installed here: $(printf '%s, ' "${missing[@]}" | sed 's/, $//')."
    fi
}

if [ -n "$table" ]; then write_table | tee "$table"; else write_table; fi
