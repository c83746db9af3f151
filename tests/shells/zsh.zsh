# What zsh would offer: completes the last of the words given, one candidate a line.
#
#     zsh -f zsh.zsh COMPLETIONS COMMAND WORD...
#
# A second zsh on a terminal of its own gets the words typed, and a tab. There compadd, by which all
# candidates come, is ours and prints them.
zmodload zsh/zpty || exit 1
folder=${1:h}
shift
zpty inner zsh -f -i
# Wait for a line that is exactly the mark; the lines before it go to `lines`.
wait_for() {
    lines=()
    local line
    while zpty -r inner line; do
        line=${line//$'\r'/}
        line=${line%$'\n'}
        [[ $line == "$1" ]] && return 0
        lines+=("$line")
    done
    return 1
}
zpty -w inner "stty -echo columns 500; PS1= PS2= RPS1=; unsetopt zle_bracketed_paste prompt_sp; LISTMAX=0"
zpty -w inner "fpath=(${(q)folder} \$fpath); autoload -Uz compinit; compinit -u -d ~/.zcompdump"
zpty -w inner 'compadd() {
    if [[ " ${@[1,(i)(-|--)]} " == *" -"[OAD]" "* ]]; then
        builtin compadd "$@"
        return
    fi
    local -a candidates
    builtin compadd -A candidates "$@"
    local candidate
    for candidate in "${candidates[@]}"; do print -r -- "(offer)$candidate"; done
    builtin compadd "$@"
}
completion_ends() { print; print -r -- "(end)" }
comppostfuncs=(completion_ends)
bindkey "^I" complete-word
print -r -- "(ready)"'
wait_for '(ready)' || exit 1
zpty -w -n inner "${(j: :)@}"$'\t'
wait_for '(end)' || exit 1
for line in "${lines[@]}"; do
    [[ $line == *"(offer)"* ]] && print -r -- "${line#*"(offer)"}"
done
zpty -d inner
