#!/usr/bin/env bash
# The bar in a real terminal: thumbpool is run under tmux in windows of several widths, resized,
# stopped and continued, interrupted and piped. Prints what the screens showed, and checks what
# must hold whatever they showed.
#
#     tests/terminal.sh BUILD
#
# Exits 0 when all was right, 1 when something was not, 77 when tmux is missing. Every wait is for
# something to appear, however long that takes (up to TERMINAL_WAIT seconds, 60).
set -u
unset CDPATH TMUX NO_COLOR

build=$(cd "${1:?BUILD is missing}" && pwd)
wait_seconds=${TERMINAL_WAIT:-60}
pictures=6000
socket= # of the terminal that is open
terminals=0
scratch=
failures=0

if ! command -v tmux >/dev/null; then
    echo "terminal.sh: tmux is not installed, so nothing was tried in a terminal"
    exit 77
fi

clean_up() {
    [ -n "$socket" ] && in_terminal kill-server 2>/dev/null
    [ -n "$scratch" ] && rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

in_terminal() {
    tmux -L "$socket" "$@"
}

scratch=$(mktemp -d /tmp/thumbpool-terminal-XXXXXX) || exit 1
export TMUX_TMPDIR=$scratch # its sockets go with the rest
"$build/bin/make_photos" --flat --count 1 --size 4032x3024 "$scratch/one" || exit 1
# Links: much to do, and next to no room needed.
mkdir -p "$scratch/in/0" || exit 1
for ((i = 0; i < 100; i++)); do
    ln "$scratch"/one/* "$scratch/in/0/$i.jpeg" || exit 1
done
for ((i = 1; i < pictures / 100; i++)); do
    cp -al "$scratch/in/0" "$scratch/in/$i" || exit 1
done

screen() {
    in_terminal capture-pane -p
}

# The lines that a bar, or what is left of one, is on.
bars() {
    screen | grep -cE "/$pictures|of $pictures|[0-9]%\$|###|---|/s( |\$)| left( |\$)"
}

show() {
    echo "==== $1"
    screen | sed -e 's/$/|/' | grep -v '^ *|$'
}

fail() {
    echo "NOT OK: $1"
    failures=$((failures + 1))
}

# wait_for WHAT COMMAND...: until the command succeeds
wait_for() {
    local what=$1 i
    shift
    for ((i = 0; i < wait_seconds * 20; i++)); do
        "$@" && return 0
        sleep 0.05
    done
    show "what there was instead of: $what"
    fail "$what did not appear"
    return 1
}

# In what the screen shows, with lines that were wrapped put together again.
shows() {
    in_terminal capture-pane -p -J | grep -qE -- "$1"
}

shows_not() {
    ! shows "$1"
}

has_bars() {
    [ "$(bars)" -eq "$1" ]
}

has_made_some() {
    [ -n "$(find "$scratch/out" -name '*.jpeg' 2>/dev/null | head -n 1)" ]
}

# open_terminal COLUMNS: with a shell that knows jobs
open_terminal() {
    [ -n "$socket" ] && in_terminal kill-server
    socket=thumbpool-test-$$-$((terminals++))
    in_terminal -f /dev/null new-session -d -x "$1" -y 20 -c "$scratch" \
        env PS1='> ' bash --norc --noprofile -i || exit 1
    wait_for "a prompt" shows '^>'
}

type_line() {
    in_terminal send-keys "$1" Enter
}

resize() {
    in_terminal resize-window -x "$1" -y 20
}

# start_run ARGUMENTS [ENVIRONMENT]: the program; the screen is empty but for it
start_run() {
    in_terminal send-keys C-c
    type_line "clear; tp() { '$build/thumbpool' \"\$@\"; echo \"code \$?\"; }; clear"
    wait_for "an empty screen" shows_not 'clear|code'
    rm -rf "$scratch/out"
    type_line "${2:-} tp -j1 -o out $1"
}

in_the_middle='[1-9][0-9]*(/| of )'"$pictures"

in_the_middle_of_all='[1-9][0-9]*(/| of )'"$((pictures + 12))"

echo "==== tmux $(tmux -V)"

open_terminal 80
start_run in
wait_for "a bar of 80 columns" shows "^\[[#-]+\]  $in_the_middle .*files/s.* left .*MB/s"
has_bars 1 || fail "not one bar at 80 columns: $(bars)"
show "80 columns"

resize 30
wait_for "a bar of 30 columns" shows "^$in_the_middle.* left"
wait_for "the only bar after shrinking" has_bars 1
show "shrunk to 30 columns"

resize 10
wait_for "a bar of 10 columns" shows "^([1-9][0-9]*/$pictures|[0-9]+%)"
wait_for "the only bar after shrinking more" has_bars 1
show "shrunk to 10 columns"

resize 200
wait_for "a bar of 200 columns" shows "^\[[#-]{40}\]  $in_the_middle"
wait_for "the only bar after growing" has_bars 1
show "grown to 200 columns"

# To and fro, faster than it is drawn and slower; what was typed stays.
for columns in 70 40 65 20 120 33 80; do
    resize "$columns"
    wait_for "a bar of $columns columns" shows "$in_the_middle|[0-9]%"
done
wait_for "a long bar again" shows "^\[[#-]+\]  $in_the_middle"
wait_for "the only bar after all of that" has_bars 1
in_terminal capture-pane -p -J -S - | grep -qE '^> +tp -j1 -o out in' || fail "what was typed is gone"
show "resized to and fro, 80 columns"

in_terminal send-keys C-z
wait_for "the shell's word" shows 'Stopped'
has_bars 0 || fail "a bar is left of a stopped job"
show "Ctrl-Z"

type_line "clear; echo typed-meanwhile"
wait_for "what the shell answers" shows '^typed-meanwhile'
type_line "fg"
wait_for "the bar after fg" shows "^\[[#-]+\]  $in_the_middle"
has_bars 1 || fail "not one bar after fg: $(bars)"
show "fg"

in_terminal send-keys C-z
wait_for "the shell's word" shows 'Stopped'
type_line "clear; bg"
wait_for "the shell's word of bg" shows '^\[1\]\+'
type_line "echo still-mine"
wait_for "what the shell answers" shows '^still-mine'
has_bars 0 || fail "a job in the background draws"
show "bg"
type_line "fg"
wait_for "the bar after bg and fg" shows "$in_the_middle"

in_terminal send-keys C-c
wait_for "the summary" shows 'made, .*not finished in .*ended by signal 2'
has_bars 0 || fail "a bar is left after Ctrl-C"
show "Ctrl-C"

open_terminal 80
start_run in
wait_for "a bar" shows "$in_the_middle"
in_terminal send-keys C-c C-c C-c
wait_for "the exit code" shows 'code 130'
shows 'ended by signal 2' || fail "no summary after Ctrl-C thrice"
has_bars 0 || fail "a bar is left after Ctrl-C thrice"
show "Ctrl-C thrice"

# Failures while the bar is there: whole lines, and nothing of the bar on them.
mkdir "$scratch/bad"
for ((i = 0; i < 12; i++)); do
    echo "no picture" >"$scratch/bad/$i.jpg"
done
open_terminal 80
start_run "bad in"
wait_for "what failed" shows '^thumbpool: bad/9\.jpg: '
wait_for "the bar below them" shows "$in_the_middle_of_all"
shows '(#|-|files/s|left).*thumbpool:|thumbpool:.*(files/s| left|\[#)' &&
    fail "a message and the bar are on one line"
in_terminal send-keys C-c
wait_for "the exit code" shows 'code 130'
shows '12 failed: 12 not-an-image' || fail "the causes are not grouped"
show "failures"

start_run "in 2>err.txt"
wait_for "some thumbnails" has_made_some
has_bars 0 || fail "a bar though standard error is a file"
in_terminal send-keys C-c
wait_for "the exit code" shows 'code 130'
show "standard error is a file"
[ -s "$scratch/err.txt" ] && fail "something is in the file: $(cat -v "$scratch/err.txt")"

start_run "in | cat"
wait_for "a bar beside a pipe" shows "$in_the_middle"
in_terminal send-keys C-c
wait_for "the exit code" shows 'code 130|^> *$'
show "standard output is a pipe"

start_run "in --quiet"
wait_for "some thumbnails" has_made_some
has_bars 0 || fail "a bar though --quiet"
in_terminal send-keys C-c
wait_for "the exit code" shows 'code 130'
show "--quiet"

start_run in TERM=dumb
wait_for "some thumbnails" has_made_some
has_bars 0 || fail "a bar though the terminal is dumb"
in_terminal send-keys C-c
wait_for "the exit code" shows 'code 130'
show "a dumb terminal"

if [ "$failures" -gt 0 ]; then
    echo "$failures checks failed"
    exit 1
fi
echo "all checks passed"
