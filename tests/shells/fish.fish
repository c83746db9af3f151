# What fish would offer: completes the last of the words given, one candidate a line.
#
#     fish --no-config fish.fish COMPLETIONS COMMAND WORD...
source $argv[1]; or exit 1
set -l found (complete -C (string join ' ' -- $argv[2..]))
string replace -r '\t.*' '' -- $found
true # 1 would mean that there was nothing to replace
