#!/usr/bin/env bash
# Installs a build into a temporary folder and uses it there, as a stranger would: headers and
# libraries found by pkg-config, nothing of this tree.
#
#     tests/install/run.sh BUILD [FLAGS...]
#
# FLAGS: what the build was compiled with and its users must be too (-fsanitize=...). CC, CXX and
# CMAKE name the compilers and cmake, if they are not the usual ones.
set -eu
unset CDPATH # it would lead cd elsewhere
# A packager's settings must not lead us elsewhere either.
unset DESTDIR PKG_CONFIG_SYSROOT_DIR PKG_CONFIG_LIBDIR

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(cd "${1:?BUILD is missing}" && pwd)
shift
flags=("$@")
cc=${CC:-cc}
cxx=${CXX:-c++}
warnings=(-Wall -Wextra -Wpedantic -Werror)

fail() {
    echo "run.sh: $*" >&2
    exit 1
}

# check_output WHAT WANTED PROGRAM
check_output() {
    local got
    got=$("$3") || fail "$1 failed with status $?"
    [ "$got" = "$2" ] || fail "$1 printed '$got' instead of '$2'"
    echo "$1: $got"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Installed at one place, used at another: nothing may remember where it was.
"${CMAKE:-cmake}" --install "$build" --prefix "$work/first" >"$work/log" 2>&1 ||
    fail "cmake --install failed: $(cat "$work/log")"
mv "$work/first" "$work/prefix"
prefix=$work/prefix
pc=$(find "$prefix" -name thumbpool-pool.pc)
[ -n "$pc" ] || fail 'thumbpool-pool.pc was not installed'
export PKG_CONFIG_PATH="${pc%/*}${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
pkg-config --print-errors --exists thumbpool-pool thumbpool-imaging ||
    fail 'pkg-config does not find what was installed'
cd "$work"

# Every header stands alone, in C and in C++; no private one is there.
read -ra cflags < <(pkg-config --cflags thumbpool-pool thumbpool-imaging)
count=0
while read -r header; do
    case $header in
    *_priv.h) fail "$header is private" ;;
    esac
    echo "#include <$header>" >header.c
    "$cc" -std=c11 "${warnings[@]}" "${cflags[@]}" -fsyntax-only header.c ||
        fail "$header does not compile alone as C"
    if command -v "$cxx" >/dev/null; then
        "$cxx" -x c++ -std=c++11 "${warnings[@]}" "${cflags[@]}" -fsyntax-only header.c ||
            fail "$header does not compile alone as C++"
    fi
    count=$((count + 1))
done < <(cd "$prefix/include" && find . -name '*.h' | sed 's|^\./||')
[ "$count" -gt 0 ] || fail 'no header was installed'
echo "$count headers"

# The archives define nothing that could meet a name of their user's.
if command -v nm >/dev/null && [ "${#flags[@]}" -eq 0 ]; then
    for library in pool:pool_ imaging:img_; do
        archive=$(find "$prefix" -name "libthumbpool-${library%:*}.a")
        names=$(nm -g --defined-only "$archive" | awk 'NF == 3 { print $3 }' |
            grep -v "^${library#*:}" || true)
        [ -z "$names" ] || fail "$archive defines $(echo "$names" | tr '\n' ' ')"
    done
fi

# build_program SOURCE PACKAGE: into ./program
build_program() {
    local pc_flags
    read -ra pc_flags < <(pkg-config --cflags --libs "$2")
    "$cc" "${warnings[@]}" "${flags[@]}" "$1" "${pc_flags[@]}" -o program ||
        fail "$1 does not compile or link"
}

build_program "$here/squares.c" thumbpool-pool
check_output squares '0 1 4 9 16' ./program
build_program "$here/picture.c" thumbpool-imaging
check_output picture 'png 3x2, jpeg 3x2' ./program

# The program in pool/README.md, and what is said there that it prints.
awk '/^## /   { on = $0 == "## A complete program" }
     /^It prints/ { on = 2 }
     on && /^    / { print substr($0, 5) >(on == 1 ? "readme.c" : "readme.txt") }
     on == 1 && /^$/ { print "" >"readme.c" }' "$here/../../pool/README.md"
build_program readme.c thumbpool-pool
check_output "pool/README.md" "$(cat readme.txt)" ./program

# From C++ too. The call is real, so that the name must be found.
if command -v "$cxx" >/dev/null; then
    echo '#include <pool/pool.h>
int main() { return pool_cpu_count() == 0; }' >count.cc
    read -ra pc_flags < <(pkg-config --cflags --libs thumbpool-pool)
    "$cxx" "${warnings[@]}" "${flags[@]}" count.cc "${pc_flags[@]}" -o count ||
        fail 'a C++ program does not compile or link'
    ./count || fail 'a C++ program counts no processor'
    echo 'C++: links'
else
    echo 'C++: no compiler, not tried'
fi

# The program itself.
"$prefix/bin/thumbpool" --version >version.txt || fail 'the installed thumbpool does not run'

# Its manual page, and what shells complete, where they look for it.
for file in man/man1/thumbpool.1 bash-completion/completions/thumbpool \
    zsh/vendor-completions/_thumbpool fish/vendor_completions.d/thumbpool.fish; do
    [ -s "$prefix/share/$file" ] || fail "share/$file was not installed"
done
[ ! -e "$prefix/bin/thumbpool-docs" ] || fail 'thumbpool-docs was installed'
