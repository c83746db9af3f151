/* What is made from the table of options says the same: each product is read again, and must name
 * exactly the options of --help, which is read again too. */
#include "app/manual_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/completion_priv.h"
#include "app/option_rows_priv.h"
#include "files.h"
#include "isolate.h"

#define NAMES_MAX 128

/* "--name" and "-n", sorted, each once. */
struct names {
    char list[NAMES_MAX][32];
    size_t count;
};

static void names_add(struct names *names, const char *at, size_t length)
{
    char name[32];
    assert_true(length < sizeof(name));
    memcpy(name, at, length);
    name[length] = '\0';
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->list[i], name) == 0)
            return;
    assert_true(names->count < NAMES_MAX);
    strcpy(names->list[names->count++], name);
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(left, right);
}

static bool is_of_name(char c)
{
    return isalnum((unsigned char)c) || c == '-';
}

/* All words that begin with a hyphen, up to `end` or the text's. */
static void names_in(struct names *names, const char *begin, const char *end)
{
    for (const char *at = begin; at < end; at++) {
        if (*at != '-' || (at > begin && (is_of_name(at[-1]) || at[-1] == '\\')))
            continue;
        size_t length = 0;
        while (at + length < end && is_of_name(at[length]))
            length++;
        if (isalnum((unsigned char)at[length - 1]))
            names_add(names, at, length);
        at += length;
    }
}

/* What is between `from` and the next `to` after it. */
static void names_between(struct names *names, const char *text, const char *from, const char *to)
{
    const char *begin = strstr(text, from);
    assert_non_null(begin);
    const char *end = strstr(begin + strlen(from), to);
    assert_non_null(end);
    names_in(names, begin + strlen(from), end);
}

static void names_equal(const char *what, struct names *got, struct names *wanted)
{
    qsort(got->list, got->count, sizeof(got->list[0]), compare_names);
    qsort(wanted->list, wanted->count, sizeof(wanted->list[0]), compare_names);
    for (size_t i = 0; i < got->count || i < wanted->count; i++)
        if (i >= got->count || i >= wanted->count || strcmp(got->list[i], wanted->list[i]) != 0)
            fail_msg("%s has %s, --help has %s", what, i < got->count ? got->list[i] : "no more",
                     i < wanted->count ? wanted->list[i] : "no more");
}

/* The options that --help has: lines that begin with two blanks and "-o, --output", or more blanks
 * and "--fit". */
static struct names names_of_help(enum options_action command)
{
    struct text help = TEXT_INIT;
    struct names names = {.count = 0};
    options_help(&help, command);
    for (const char *line = help.data; *line; line += strcspn(line, "\n") + 1) {
        const size_t blanks = strspn(line, " ");
        if ((blanks == 2 || blanks == 6) && line[blanks] == '-')
            names_in(&names, line, line + blanks + strcspn(line + blanks, "=\n"));
    }
    text_done(&help);
    assert_true(names.count > 20);
    return names;
}

static struct names names_of_rows(enum option_commands command)
{
    struct names names = {.count = 0};
    char word[40];
    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];
        if (!(row->commands & command))
            continue;
        int length = snprintf(word, sizeof(word), "--%s", row->name);
        names_add(&names, word, (size_t)length);
        length = snprintf(word, sizeof(word), "-%c", row->letter);
        if (row->letter)
            names_add(&names, word, (size_t)length);
    }
    return names;
}

static void help_has_every_row(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum options_action action;
        enum option_commands command;
    } commands[] = {{"--help", OPTIONS_RUN, FOR_RUN},
                    {"one --help", OPTIONS_ONE, FOR_ONE},
                    {"bench --help", OPTIONS_BENCH, FOR_BENCH}};
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        struct names help = names_of_help(commands[i].action);
        struct names wanted = names_of_rows(commands[i].command);
        names_equal(commands[i].name, &help, &wanted);
    }
}

static void every_row_makes_sense(void **state)
{
    (void)state;
    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];
        struct text brief = TEXT_INIT;
        option_brief(&brief, row);
        if (brief.length < 5 || brief.length > 75 || strchr(brief.data, '\n'))
            fail_msg("--%s: '%s' is no short description", row->name, text_string(&brief));
        text_done(&brief);
        assert_int_equal(row->takes != TAKES_NOTHING, row->argument != NULL);
        assert_true(row->takes != TAKES_WORD || row->words);
        for (size_t w = 0; row->takes == TAKES_WORD && row->words[w].word; w++)
            if (!strstr(row->help, row->words[w].word))
                fail_msg("--%s: the help does not have '%s'", row->name, row->words[w].word);
    }
}

/* Of roff: "\\-" is a hyphen, "\\fB" and such is nothing. */
static void add_plain(struct text *text, const char *roff)
{
    for (const char *at = roff; *at; at++) {
        if (strncmp(at, "\\f", 2) == 0)
            at += 2;
        else if (*at != '\\' || at[1] != '-')
            text_add(text, at, 1);
    }
}

static void the_manual_page_has_the_same_options(void **state)
{
    (void)state;
    struct names rows = names_of_rows(FOR_ALL), manual = {.count = 0};
    struct text options = TEXT_INIT, plain = TEXT_INIT;
    unsigned limited = 0, limited_rows = 0;
    manual_options(&options);
    for (const char *at = options.data; *at; at++) { /* "\-" is a hyphen, "\fB" and such is none */
        if (strncmp(at, "\\f", 2) == 0)
            at += 2;
        else if (*at != '\\' || at[1] != '-')
            text_add(&plain, at, 1);
    }
    const char *const text = text_string(&plain);
    for (const char *line = text; (line = strstr(line, ".TP\n"));) {
        line += 4;
        names_in(&manual, line, line + strcspn(line, "=\n"));
    }
    names_equal("the manual page", &manual, &rows);
    for (const char *line = text; (line = strchr(line, '\n')); line++)
        limited += strncmp(line, "\nNot for ", 9) == 0 || strncmp(line, "\nOnly for ", 10) == 0;
    for (size_t i = 0; i < option_row_count; i++)
        limited_rows += option_rows[i].commands != FOR_ALL;
    assert_int_equal(limited, limited_rows);
    text_done(&plain);
    text_done(&options);
}

static void the_rest_of_the_page_names_no_other_option(void **state)
{
    (void)state;
    struct names help = names_of_rows(FOR_ALL), page = {.count = 0};
    struct text plain = TEXT_INIT;
    add_plain(&plain, read_file(MANUAL_PAGE, NULL));
    names_in(&page, text_string(&plain), text_string(&plain) + plain.length);
    assert_non_null(strstr(text_string(&plain), "\n@OPTIONS@\n"));
    for (size_t i = 0; i < page.count; i++) {
        if (strncmp(page.list[i], "--", 2) != 0) /* other programs have letters too */
            continue;
        const size_t before = help.count;
        names_add(&help, page.list[i], strlen(page.list[i]));
        if (help.count > before)
            fail_msg("the manual page speaks of %s", page.list[i]);
    }
    text_done(&plain);
}

static void marks_of_the_page_give_way(void **state)
{
    (void)state;
    struct text text = TEXT_INIT, options = TEXT_INIT;
    manual_page(&text, ".TH X @DATE@ v@VERSION@\n@OPTIONS@\na@b @OPTIONS@\n @", "1.2",
                "2026-01-02");
    manual_options(&options);
    assert_string_not_equal(text_string(&options), "");
    assert_true(strncmp(text.data, ".TH X 2026-01-02 v1.2\n", 22) == 0);
    assert_true(strncmp(text.data + 22, options.data, options.length) == 0);
    assert_string_equal(text.data + 22 + options.length, "a@b @OPTIONS@\n @");
    text_done(&text);
    text_done(&options);
}

static void bash_has_the_same_options(void **state)
{
    (void)state;
    struct names help = names_of_help(OPTIONS_RUN), one = names_of_help(OPTIONS_ONE);
    struct names bench = names_of_help(OPTIONS_BENCH);
    struct names got = {.count = 0}, got_one = {.count = 0}, got_bench = {.count = 0};
    struct text text = TEXT_INIT;
    completion_bash(&text);
    names_between(&got, text_string(&text), "elif [[ $cur == -* ]]; then\n        words='", "'");
    names_between(&got_one, text_string(&text), "== one ]] &&\n            words='", "'");
    names_equal("bash", &got, &help);
    names_between(&got_bench, text_string(&text), "== bench ]] &&\n            words='", "'");
    names_equal("bash for one", &got_one, &one);
    names_equal("bash for bench", &got_bench, &bench);
    text_done(&text);
}

/* Of lines such as  '(-o --output)'{-o+,--output=}'[what for]:DIR:_files -/'  what is before the
 * bracket. */
static void names_of_zsh(struct names *names, const char *text, const char *list)
{
    const char *line = strstr(text, list);
    assert_non_null(line);
    for (line += strlen(list); strncmp(line, "    )", 5) != 0; line += strcspn(line, "\n") + 1) {
        const char *begin = strchr(line, ')');
        const char *end = line + strcspn(line, "[");
        names_in(names, begin && begin < end ? begin : line, end);
    }
}

static void zsh_has_the_same_options(void **state)
{
    (void)state;
    struct names help = names_of_help(OPTIONS_RUN), one = names_of_help(OPTIONS_ONE);
    struct names bench = names_of_help(OPTIONS_BENCH);
    struct names got = {.count = 0}, got_one = {.count = 0}, got_bench = {.count = 0};
    struct text text = TEXT_INIT;
    completion_zsh(&text);
    names_of_zsh(&got, text_string(&text), " run=(\n");
    names_of_zsh(&got_one, text_string(&text), " one=(\n");
    names_of_zsh(&got_bench, text_string(&text), " bench=(\n");
    names_equal("zsh for bench", &got_bench, &bench);
    names_equal("zsh", &got, &help);
    names_equal("zsh for one", &got_one, &one);
    text_done(&text);
}

/* Is the word one of the condition's, which end with a quote? */
static bool is_among(const char *words, const char *word)
{
    const size_t length = strlen(word);
    for (const char *at = words; *at && *at != '\''; at += strcspn(at, " '"))
        if (at += strspn(at, " "), strncmp(at, word, length) == 0 && strchr(" '", at[length]))
            return true;
    return false;
}

/* Of lines such as  complete -c thumbpool -n 'not __thumbpool_is one' -s o -l output ...  those
 * whose condition holds for the command; NULL: none is given. */
static void names_of_fish(struct names *names, const char *text, const char *command)
{
    static const char is[] = "-n '__thumbpool_is ", is_not[] = "-n 'not __thumbpool_is ";
    for (const char *line = text; (line = strstr(line, "\ncomplete"));) {
        const char *end = strchr(++line, '\n');
        const char *letter = strstr(line, " -s "), *name = strstr(line, " -l ");
        const char *wanted = strstr(line, is), *unwanted = strstr(line, is_not);
        char word[40];
        if (!name || name > end)
            continue;
        if (wanted && wanted < end && !(command && is_among(wanted + strlen(is), command)))
            continue;
        if (unwanted && unwanted < end && command && is_among(unwanted + strlen(is_not), command))
            continue;
        int length = snprintf(word, sizeof(word), "--%.*s", (int)strcspn(name + 4, " "), name + 4);
        names_add(names, word, (size_t)length);
        length = snprintf(word, sizeof(word), "-%c", letter && letter < end ? letter[4] : '-');
        if (letter && letter < end)
            names_add(names, word, (size_t)length);
    }
}

static void fish_has_the_same_options(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum options_action action;
    } commands[] = {{NULL, OPTIONS_RUN}, {"one", OPTIONS_ONE}, {"bench", OPTIONS_BENCH}};
    struct text text = TEXT_INIT;
    completion_fish(&text);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        struct names help = names_of_help(commands[i].action), got = {.count = 0};
        names_of_fish(&got, text_string(&text), commands[i].name);
        names_equal(commands[i].name ? commands[i].name : "fish", &got, &help);
    }
    text_done(&text);
}

static void every_shell_knows_every_word(void **state)
{
    (void)state;
    void (*const shells[])(struct text *) = {completion_bash, completion_zsh, completion_fish};
    for (size_t shell = 0; shell < 3; shell++) {
        struct text text = TEXT_INIT;
        shells[shell](&text);
        for (size_t i = 0; i < option_row_count; i++) {
            const struct option_word *words = option_rows[i].words;
            char list[200] = "";
            for (size_t w = 0; words && words[w].word; w++) {
                strcat(list, w > 0 ? " " : "");
                strcat(list, words[w].word);
            }
            if (!strstr(text_string(&text), list))
                fail_msg("shell %zu: not '%s'", shell, list);
        }
        text_done(&text);
    }
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(help_has_every_row),
        TEST(every_row_makes_sense),
        TEST(the_manual_page_has_the_same_options),
        TEST(the_rest_of_the_page_names_no_other_option),
        TEST(marks_of_the_page_give_way),
        TEST(bash_has_the_same_options),
        TEST(zsh_has_the_same_options),
        TEST(fish_has_the_same_options),
        TEST(every_shell_knows_every_word),
    };
    return test_run("app manual", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
