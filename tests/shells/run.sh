#!/usr/bin/env bash
# Asks a real shell what it completes on the program's command line.
#
#     tests/shells/run.sh bash|zsh|fish DOCS
#
# DOCS: the folder in which the build writes the completions. Where the shell is not installed, says
# so and ends with 77, which ctest takes for skipped.
set -eu
unset CDPATH # it would lead cd elsewhere
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
shell=${1:?shell is missing}
docs=$(cd "${2:?DOCS is missing}" && pwd)

if ! command -v "$shell" >/dev/null; then
    echo "$shell is not installed: its completions are not tried"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOME=$work XDG_CONFIG_HOME=$work/config XDG_DATA_HOME=$work/data TERM=xterm LC_ALL=C.UTF-8
mkdir -p "$work/docs" "$work/photos/diary" "$work/photos/one"
: >"$work/photos/dawn.jpg"
cp "$docs/thumbpool.zsh" "$work/docs/_thumbpool" # zsh finds functions by the names of files
cd "$work/photos"

# Prints what the shell completes the last word to.
offers() {
    case $shell in
    bash) bash --norc --noprofile "$here/bash.sh" "$docs/thumbpool.bash" "$@" ;;
    zsh) zsh -f "$here/zsh.zsh" "$work/docs/_thumbpool" "$@" ;;
    fish) fish --no-config "$here/fish.fish" "$docs/thumbpool.fish" "$@" ;;
    esac
}

failures=0
# check 'WANTED... !UNWANTED...' WORD...: what is offered for the words. Candidates may come with a "="
# or a "/" at their end, and with what is typed before them ("--fit=").
check() {
    local wanted=$1 got word plain
    shift
    if ! got=$(offers thumbpool "$@"); then
        echo "$shell: thumbpool $*: the shell failed: $got" >&2
        failures=$((failures + 1))
        return
    fi
    plain=$(sed 's/^--[a-z-]*=\(.\)/\1/; s/[=/ ]*$//' <<<"$got")
    for word in $wanted; do
        if [ "${word#!}" = "$word" ]; then
            grep -qxF -e "$word" <<<"$plain" && continue
        elif ! grep -qxF -e "${word#!}" <<<"$plain"; then
            continue
        fi
        echo "$shell: thumbpool $*: wanted '$word', got:" >&2
        echo "$got" >&2
        failures=$((failures + 1))
    done
}

check '--fit --files-from !--size !one' --fi
check '--size --json --help --version' --
check 'inside cover pad !auto' --fit ''
check 'inside cover pad !auto' --fit=
check 'cover !pad' -v --fit=co
check 'auto jpeg png' -f ''
check 'jpeg !png' --format j
check 'process thread serial' --backend ''
check 'changed never always' --overwrite=
check 'none truncated error warning' --fail-on ''
check 'auto always never' --progress ''
check 'always !never' --color=al
check 'white yellow' --background ''
check 'one' on
check '--size --fit !--files-from !--output !--prune' one --
check 'jpeg' one --format jp
check 'inside' one a.jpg --fit=in
check '--output !one' --out
check 'bench !one' ben
check '--runs --workers --output --size !--prune !--jobs !--backend' bench --
check '--warmup' bench --war
check '!--warmup' --war
check '!--size !--fit' -- --
check '!dawn.jpg !diary' --jobs ''
if [ "$shell" != bash ]; then
    check 'diary !dawn.jpg' --output d
    check 'diary !dawn.jpg' --output=d
    check 'diary dawn.jpg' --files-from d
    check 'diary dawn.jpg !one' -v d
    check 'diary dawn.jpg' one d
    check 'diary dawn.jpg' one a.jpg d
    check 'one diary dawn.jpg' ''
fi
[ "$failures" -eq 0 ] || exit 1
echo "$shell completes options, words and files"
