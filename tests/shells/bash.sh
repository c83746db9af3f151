# What bash would offer: completes the last of the words given, one candidate a line. Names of files
# are readline's business, where the function gives nothing.
#
#     bash --norc --noprofile bash.sh COMPLETIONS COMMAND WORD...
set -u
source "$1" || exit 1
shift
# --name=value is three words to bash.
COMP_WORDS=()
for word; do
    if [[ $word == --*=* ]]; then
        COMP_WORDS+=("${word%%=*}" =)
        [[ ${word#*=} ]] && COMP_WORDS+=("${word#*=}")
    else
        COMP_WORDS+=("$word")
    fi
done
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
COMPREPLY=()
_thumbpool
[[ ${#COMPREPLY[@]} -eq 0 ]] || printf '%s\n' "${COMPREPLY[@]}"
