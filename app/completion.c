/* completion.c: see completion_priv.h.
 *
 * Each shell gets a file of its own making that asks for nothing it may not have: bash none of the
 * package bash-completion, zsh what its completion system always has, fish the same. All three know
 * which command an option is for, and what its argument is. */
#include "completion_priv.h"

#include <string.h>

#include "bench_options_priv.h"
#include "one_priv.h"
#include "option_rows_priv.h"

#define ONE_BRIEF   "one thumbnail, to exactly OUTPUT"
#define BENCH_BRIEF "how fast it goes, in several ways"

#define FIRST_LINE "# Completion of thumbpool's command line; made from its table of options.\n"

/* Inside of single quotes, with a backslash before each of `special`. */
static void add_quoted(struct text *text, const char *string, const char *special)
{
    for (const char *at = string; *at; at++) {
        if (*at == '\'') {
            text_puts(text, "'\\''");
            continue;
        }
        if (strchr(special, *at))
            text_puts(text, "\\");
        text_add(text, at, 1);
    }
}

static void add_brief(struct text *text, const struct option_row *row, const char *special)
{
    struct text brief = TEXT_INIT;
    option_brief(&brief, row);
    add_quoted(text, text_string(&brief), special);
    text->failed |= text_failed(&brief);
    text_done(&brief);
}

static void add_words(struct text *text, const struct option_word *words)
{
    for (size_t i = 0; words[i].word; i++)
        text_printf(text, "%s%s", i == 0 ? "" : " ", words[i].word);
}

/* ---- bash ---------------------------------------------------------------------------------- */

/* "-o | --output" */
static void bash_pattern(struct text *text, const struct option_row *row, const char *before)
{
    text_puts(text, before);
    if (row->letter)
        text_printf(text, "-%c | ", row->letter);
    text_printf(text, "--%s", row->name);
}

/* One branch for the options that take the same. */
static void bash_branch(struct text *text, const enum option_takes *kinds, size_t kind_count,
                        const char *body)
{
    bool any = false;
    for (size_t i = 0; i < option_row_count; i++) {
        for (size_t kind = 0; kind < kind_count; kind++) {
            if (option_rows[i].takes != kinds[kind] || option_rows[i].words)
                continue;
            bash_pattern(text, &option_rows[i], any ? " | " : "    ");
            any = true;
        }
    }
    if (any)
        text_printf(text, ")\n%s        return\n        ;;\n", body);
}

static void bash_arguments(struct text *text)
{
    static const enum option_takes files[] = {TAKES_FILE}, folders[] = {TAKES_FOLDER},
                                   others[] = {TAKES_NUMBER, TAKES_TEXT, TAKES_GLOB};
    text_puts(text, "    case $option in\n");
    for (size_t i = 0; i < option_row_count; i++) {
        if (!option_rows[i].words)
            continue;
        bash_pattern(text, &option_rows[i], "    ");
        text_puts(text, ")\n        words='");
        add_words(text, option_rows[i].words);
        text_puts(text, "'\n        ;;\n");
    }
    bash_branch(text, files, 1, "");
    bash_branch(text, folders, 1,
                "        compopt +o bashdefault +o default -o dirnames 2>/dev/null\n");
    bash_branch(text, others, 3, "        compopt +o bashdefault +o default 2>/dev/null\n");
    text_puts(text, "    esac\n");
}

static void bash_options(struct text *text, enum option_commands command)
{
    size_t count = 0;
    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];
        if (!(row->commands & command))
            continue;
        text_puts(text, count == 0 ? "" : count % 6 == 0 ? "\n            " : " ");
        text_printf(text, "--%s%s", row->name, row->argument ? "=" : "");
        if (row->letter)
            text_printf(text, " -%c", row->letter);
        count++;
    }
}

/* Where the function adds nothing, readline completes names of files, as it does everywhere. */
void completion_bash(struct text *text)
{
    text_puts(text, FIRST_LINE
              "\n_thumbpool()\n"
              "{\n"
              "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
              "    local option=$prev prefix= words= i\n"
              "    COMPREPLY=()\n"
              "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
              "        [[ ${COMP_WORDS[i]} == -- ]] && return\n"
              "    done\n"
              "    # --name=value is three words, or one if the user has it so.\n"
              "    if [[ $cur == = ]]; then\n"
              "        cur=\n"
              "    elif [[ $prev == = ]]; then\n"
              "        option=${COMP_WORDS[COMP_CWORD - 2]}\n"
              "    elif [[ $cur == --*=* ]]; then\n"
              "        option=${cur%%=*} prefix=${cur%%=*}= cur=${cur#*=}\n"
              "    fi\n");
    bash_arguments(text);
    text_puts(text, "    if [[ $words ]]; then\n"
                    "        compopt +o bashdefault +o default 2>/dev/null\n"
                    "        COMPREPLY=($(compgen -P \"$prefix\" -W \"$words\" -- \"$cur\"))\n"
                    "    elif [[ $cur == -* ]]; then\n"
                    "        words='");
    bash_options(text, FOR_RUN);
    text_puts(text, "'\n"
                    "        [[ $COMP_CWORD -gt 1 && ${COMP_WORDS[1]} == " ONE_COMMAND
                    " ]] &&\n            words='");
    bash_options(text, FOR_ONE);
    text_puts(text, "'\n"
                    "        [[ $COMP_CWORD -gt 1 && ${COMP_WORDS[1]} == " BENCH_COMMAND
                    " ]] &&\n            words='");
    bash_options(text, FOR_BENCH);
    text_puts(text,
              "'\n"
              "        COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
              "        [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] &&\n"
              "            compopt -o nospace 2>/dev/null\n"
              "    elif [[ $COMP_CWORD -eq 1 && $cur && " ONE_COMMAND " == \"$cur\"* ]]; then\n"
              "        compopt -o filenames 2>/dev/null\n"
              "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
              "        COMPREPLY+=(" ONE_COMMAND ")\n"
              "    elif [[ $COMP_CWORD -eq 1 && $cur && " BENCH_COMMAND " == \"$cur\"* ]]; then\n"
              "        compopt -o filenames 2>/dev/null\n"
              "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
              "        COMPREPLY+=(" BENCH_COMMAND ")\n"
              "    fi\n"
              "    return 0\n"
              "} &&\n"
              "    complete -o bashdefault -o default -F _thumbpool thumbpool\n");
}

/* ---- zsh ----------------------------------------------------------------------------------- */

static void zsh_argument(struct text *text, const struct option_row *row)
{
    text_puts(text, ":");
    add_quoted(text, row->argument, ":\\");
    text_puts(text, ":");
    if (row->takes == TAKES_FOLDER) {
        text_puts(text, "_files -/");
    } else if (row->takes == TAKES_FILE) {
        text_puts(text, "_files");
    } else if (row->words) {
        text_puts(text, "(");
        add_words(text, row->words);
        text_puts(text, ")");
    } else {
        text_puts(text, " ");
    }
}

/* '(-o --output)'{-o+,--output=}'[what it is for]:DIR:_files -/' */
static void zsh_option(struct text *text, const struct option_row *row)
{
    const bool is_answer = row->takes == TAKES_NOTHING && row->apply; /* nothing else matters */
    text_puts(text, "        ");
    if (row->takes == TAKES_GLOB)
        text_puts(text, "'*'");
    else if (is_answer)
        text_puts(text, "'(- *)'");
    else if (row->letter)
        text_printf(text, "'(-%c --%s)'", row->letter, row->name);
    if (row->letter)
        text_printf(text, "{-%c%s,--%s%s}'[", row->letter, row->argument ? "+" : "", row->name,
                    row->argument ? "=" : "");
    else
        text_printf(text, "'--%s%s[", row->name, row->argument ? "=" : "");
    add_brief(text, row, "[]:\\");
    text_puts(text, "]");
    if (row->argument)
        zsh_argument(text, row);
    text_puts(text, "'\n");
}

static void zsh_list(struct text *text, const char *name, enum option_commands command)
{
    text_printf(text, "    %s=(\n", name);
    for (size_t i = 0; i < option_row_count; i++)
        if (option_rows[i].commands & command)
            zsh_option(text, &option_rows[i]);
    text_puts(text, "    )\n");
}

void completion_zsh(struct text *text)
{
    text_puts(text, "#compdef thumbpool\n" FIRST_LINE "\n_thumbpool_first() {\n"
                    "    _alternative 'commands:command:((" ONE_COMMAND "\\:\"" ONE_BRIEF "\" "
                    "" BENCH_COMMAND "\\:\"" BENCH_BRIEF "\"))' "
                    "'files:PATH:_files'\n"
                    "}\n"
                    "\n_thumbpool() {\n"
                    "    local -a run one bench\n");
    zsh_list(text, "run", FOR_RUN);
    zsh_list(text, "one", FOR_ONE);
    zsh_list(text, "bench", FOR_BENCH);
    text_puts(text, "    if (( CURRENT > 2 )) && [[ $words[2] == " ONE_COMMAND " ]]; then\n"
                    "        shift words\n"
                    "        (( CURRENT-- ))\n"
                    "        _arguments -s -S : $one '1:INPUT:_files' '2:OUTPUT:_files'\n"
                    "    elif (( CURRENT > 2 )) && [[ $words[2] == " BENCH_COMMAND " ]]; then\n"
                    "        shift words\n"
                    "        (( CURRENT-- ))\n"
                    "        _arguments -s -S : $bench '*:PATH:_files'\n"
                    "    else\n"
                    "        _arguments -s -S : $run '1: :_thumbpool_first' '*:PATH:_files'\n"
                    "    fi\n"
                    "}\n"
                    "\n_thumbpool \"$@\"\n");
}

/* ---- fish ---------------------------------------------------------------------------------- */

static void fish_option(struct text *text, const struct option_row *row)
{
    text_puts(text, "complete -c thumbpool");
    if (row->commands == FOR_RUN)
        text_puts(text, " -n 'not __thumbpool_is " ONE_COMMAND " " BENCH_COMMAND "'");
    else if (row->commands == FOR_RUN_BENCH)
        text_puts(text, " -n 'not __thumbpool_is " ONE_COMMAND "'");
    else if (row->commands == FOR_RUN_ONE)
        text_puts(text, " -n 'not __thumbpool_is " BENCH_COMMAND "'");
    else if (row->commands == FOR_ONE)
        text_puts(text, " -n '__thumbpool_is " ONE_COMMAND "'");
    else if (row->commands == FOR_BENCH)
        text_puts(text, " -n '__thumbpool_is " BENCH_COMMAND "'");
    if (row->letter)
        text_printf(text, " -s %c", row->letter);
    text_printf(text, " -l %s", row->name);
    if (row->takes == TAKES_FILE)
        text_puts(text, " -r -F");
    else if (row->takes == TAKES_FOLDER)
        text_puts(text, " -x -a '(__fish_complete_directories)'");
    else if (row->argument)
        text_puts(text, " -x");
    if (row->words) {
        text_puts(text, " -a '");
        add_words(text, row->words);
        text_puts(text, "'");
    }
    text_puts(text, " -d '");
    add_brief(text, row, "\\");
    text_puts(text, "'\n");
}

void completion_fish(struct text *text)
{
    text_puts(text, FIRST_LINE
              "\nfunction __thumbpool_is\n"
              "    set -l words (commandline -opc)\n"
              "    test (count $words) -gt 1; and contains -- \"$words[2]\" $argv\nend\n\n"
              "complete -c thumbpool -n 'test (count (commandline -opc)) -eq 1' "
              "-a " ONE_COMMAND " -d '" ONE_BRIEF "'\n"
              "complete -c thumbpool -n 'test (count (commandline -opc)) -eq 1' "
              "-a " BENCH_COMMAND " -d '" BENCH_BRIEF "'\n");
    for (size_t i = 0; i < option_row_count; i++)
        fish_option(text, &option_rows[i]);
}
