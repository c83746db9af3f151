#include "app/options_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/option_rows_priv.h"
#include "isolate.h"

/* Words are separated by single spaces. */
static int parse(const char *line, struct options *ret_options, struct text *message)
{
    static char words[1024];
    static char *argv[64];
    int argc = 0;
    snprintf(words, sizeof(words), "thumbpool %s", line);
    char *save = NULL;
    for (char *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save))
        argv[argc++] = word;
    argv[argc] = NULL;
    return options_parse(argc, argv, ret_options, message);
}

static struct options parse_good(const char *line)
{
    struct options options;
    struct text message = TEXT_INIT;
    if (parse(line, &options, &message) != 0)
        fail_msg("%s: %s", line, text_string(&message));
    assert_int_equal(message.length, 0);
    return options;
}

static void defaults_are_as_documented(void **state)
{
    (void)state;
    struct options options = parse_good("photos");
    assert_int_equal(options.action, OPTIONS_RUN);
    assert_null(options.output);
    assert_int_equal(options.box_width_px, 256);
    assert_int_equal(options.box_height_px, 256);
    assert_int_equal(options.format, IMG_FORMAT_UNKNOWN);
    assert_int_equal(options.quality, 80);
    assert_int_equal(options.jobs, 0);
    assert_int_equal(options.backend, POOL_BACKEND_PROCESS);
    assert_int_equal(options.timeout_ms, 30000);
    assert_int_equal(options.max_depth, 0);
    assert_false(options.hidden || options.follow || options.dry_run || options.json ||
                 options.quiet || options.verbose);
    assert_true(options.pixels_max == 512000000);
    assert_true(options.memory_bytes == 1u << 30);
    assert_int_equal(options.fail_on, IMG_FAIL_ON_ERROR);
    assert_false(options.no_sandbox || options.retry_failed || options.sync);
    assert_int_equal(options.path_count, 1);
    assert_string_equal(options.paths[0], "photos");
    options_done(&options);
}

static void every_option_is_read(void **state)
{
    (void)state;
    struct options options = parse_good(
        "a --output=out -s 320x200 --format png --quality=95 -j7 --backend thread --max-depth 3 b "
        "-HLnv --overwrite always --timeout 1.25 --json --progress never --color always --quiet");
    assert_string_equal(options.output, "out");
    assert_int_equal(options.box_width_px, 320);
    assert_int_equal(options.box_height_px, 200);
    assert_int_equal(options.format, IMG_FORMAT_PNG);
    assert_int_equal(options.quality, 95);
    assert_int_equal(options.jobs, 7);
    assert_int_equal(options.backend, POOL_BACKEND_THREAD);
    assert_int_equal(options.max_depth, 3);
    assert_true(options.hidden && options.follow && options.dry_run && options.verbose &&
                options.json && options.quiet);
    assert_int_equal(options.timeout_ms, 1250);
    assert_int_equal(options.progress, WHEN_NEVER);
    assert_int_equal(options.color, WHEN_ALWAYS);
    assert_int_equal(options.path_count, 2);
    assert_string_equal(options.paths[1], "b");
    options_done(&options);
}

static void limits_and_levels_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        uint64_t bytes;
    } rows[] = {{"512M", UINT64_C(512) << 20}, {"2g", UINT64_C(2) << 30},
                {"1T", UINT64_C(1) << 40},     {"70000K", UINT64_C(70000) << 10},
                {"67108864", 64 << 20},        {"0", 0}};
    char line[64];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(line, sizeof(line), "a --memory %s", rows[i].words);
        struct options options = parse_good(line);
        assert_true(options.memory_bytes == rows[i].bytes);
        options_done(&options);
    }
    struct options options =
        parse_good("a --max-pixels 5 --fail-on none --fast --no-sandbox --retry-failed --sync");
    assert_true(options.pixels_max == 5);
    assert_int_equal(options.fail_on, IMG_FAIL_ON_NONE);
    assert_true(options.fast && options.no_sandbox && options.retry_failed && options.sync);
    options_done(&options);
    options = parse_good("a --fail-on=warning");
    assert_int_equal(options.fail_on, IMG_FAIL_ON_WARNING);
    options_done(&options);
}

static void gnu_habits_are_kept(void **state)
{
    (void)state;
    struct options options = parse_good("-vs64 -o- --outp=x --qual 5 -- -v --json -");
    assert_true(options.verbose);
    assert_false(options.json);
    assert_int_equal(options.box_height_px, 64);
    assert_string_equal(options.output, "x");
    assert_int_equal(options.quality, 5);
    assert_int_equal(options.path_count, 3);
    assert_string_equal(options.paths[0], "-v");
    assert_string_equal(options.paths[2], "-");
    options_done(&options);
    /* No commands yet, or not in the place of one: these are paths. */
    options = parse_good("cache one bench");
    assert_int_equal(options.action, OPTIONS_RUN);
    assert_int_equal(options.path_count, 3);
    options_done(&options);
    options = parse_good("cache");
    assert_int_equal(options.action, OPTIONS_RUN);
    options_done(&options);
    options = parse_good("./one x");
    assert_int_equal(options.action, OPTIONS_RUN);
    options_done(&options);
    options = parse_good("-v one x");
    assert_int_equal(options.action, OPTIONS_RUN);
    options_done(&options);
    options = parse_good("--timeout 0 x");
    assert_int_equal(options.timeout_ms, 0);
    options_done(&options);
    options = parse_good("--help --nonsense");
    assert_int_equal(options.action, OPTIONS_HELP);
    options_done(&options);
    options = parse_good("--version");
    assert_int_equal(options.action, OPTIONS_VERSION);
    options_done(&options);
}

static void every_word_has_its_value(void **state)
{
    (void)state;
    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];
        for (size_t w = 0; row->takes == TAKES_WORD && row->words[w].word; w++) {
            char line[100];
            int value;
            snprintf(line, sizeof(line), "--%s=%s x", row->name, row->words[w].word);
            struct options options = parse_good(line);
            memcpy(&value, (const char *)&options + row->member, sizeof(value));
            assert_int_equal(value, row->words[w].value);
            options_done(&options);
        }
    }
    struct options options = parse_good("--fit pad --overwrite never x --background yellow");
    assert_int_equal(options.fit, IMG_FIT_PAD);
    assert_int_equal(options.overwrite, OVERWRITE_NEVER);
    assert_memory_equal(options.background, "\xff\xff\0", 3);
    options_done(&options);
    options = parse_good("--background #1a2 --fit cover --enlarge x");
    assert_memory_equal(options.background, "\x11\xaa\x22", 3);
    assert_true(options.enlarge);
    options_done(&options);
    options = parse_good("--background #0180fE x");
    assert_memory_equal(options.background, "\x01\x80\xfe", 3);
    options_done(&options);
}

static void one_takes_an_input_and_an_output(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum img_format format;
    } rows[] = {
        {"one a.jpg b.png", IMG_FORMAT_PNG},
        {"one a.png b.JPG", IMG_FORMAT_JPEG},
        {"one a b.jpeg", IMG_FORMAT_JPEG},
        {"one a b", IMG_FORMAT_PNG},
        {"one a dir.jpg/b", IMG_FORMAT_PNG},
        {"one a b.tmp", IMG_FORMAT_PNG},
        {"one a .jpg", IMG_FORMAT_PNG},
        {"one -f jpeg a b.png", IMG_FORMAT_JPEG},
        {"one a -s64 b.x --format=auto", IMG_FORMAT_UNKNOWN},
        {"one -f png a b.webp", IMG_FORMAT_PNG},
        {"one -- -f png", IMG_FORMAT_PNG},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct options options = parse_good(rows[i].line);
        assert_int_equal(options.action, OPTIONS_ONE);
        assert_int_equal(options.path_count, 2);
        if (options.format != rows[i].format)
            fail_msg("%s: format %d", rows[i].line, (int)options.format);
        options_done(&options);
    }
    struct options options = parse_good("one --help");
    assert_int_equal(options.action, OPTIONS_HELP);
    assert_int_equal(options.command, OPTIONS_ONE);
    options_done(&options);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *line, *has, *has_too;
    } rows[] = {
        {"", "no PATH", ""},
        {"--sise 3 x", "'--sise'", "'--size'"},
        {"--hiden x", "'--hiden'", "'--hidden'"},
        {"--recursive x", "'--recursive'", "nearest"},
        {"--fit smart x", "--fit: 'smart'", "inside, cover, pad"},
        {"--webp=1 x", "'--webp'", "nearest"},
        {"--preview=auto x", "'--preview'", "nearest"},
        {"--linear x", "'--linear'", "nearest"},
        {"--allow svg x", "'--allow'", "nearest"},
        {"--report=a.html x", "'--report'", "nearest"},
        {"--gallery x", "'--gallery'", "nearest"},
        {"--depth 3 x", "'--depth'", "'--max-depth'"},
        {"--qualtiy 3 x", "'--qualtiy'", "'--quality'"},
        {"--exculde y x", "'--exculde'", "'--exclude'"},
        {"--fit covre x", "'covre'", "'cover'"},
        {"--background #12345 x", "--background", "'#12345'"},
        {"--background purple x", "--background", "white, black"},
        {"-f avif x", "--format", "auto, jpeg, png"},
        {"one", "INPUT and OUTPUT", "./one"},
        {"one a", "INPUT and OUTPUT", "1 word;"},
        {"one a b c", "INPUT and OUTPUT", "3 words"},
        {"one a b/", "OUTPUT", "'b/'"},
        {"one a ..", "OUTPUT", "'..'"},
        {"one a b.webp", "'.webp'", "--format"},
        {"one a b.HEIC", "'.HEIC'", "--format"},
        {"one -o x a b", "--output", "thumbpool one"},
        {"one --outp x a b", "--output", "thumbpool one"},
        {"one --include=x a b", "--include", "thumbpool one"},
        {"one --files-from - a b", "--files-from", "thumbpool one"},
        {"one --prune a b", "--prune", "thumbpool one"},
        {"one a b --name {name}", "--name", "thumbpool one"},
        {"one --max-depth 1 a b", "--max-depth", "thumbpool one"},
        {"one -vn a b", "--dry-run", "thumbpool one"},
        {"one --ouput x a b", "'--ouput'", "nearest"},
        {"one -S 5 a b", "'-S'", "'-s, --size'"},
        {"-S 3 x", "'-S'", "'-s, --size'"},
        {"-Z x", "'-Z'", "nearest"},
        {"-vX x", "'-X'", "nearest"},
        {"-\x1b x", "'-\\x1b'", "nearest"},
        {"--\xff\n x", "\\xff\\x0a", "nearest"},
        {"--=x y", "'--'", "nearest"},
        {"--ver x", "--ver", "--version"},
        {"--pro=sometimes x", "--progress", "auto, always, never"},
        {"-s x", "--size", "'x'"},
        {"-s 0 x", "--size", "'0'"},
        {"-s 65536 x", "--size", "65535"},
        {"-s 10x x", "--size", "'10x'"},
        {"-s 10x0 x", "--size", "'10x0'"},
        {"-s 10x10x10 x", "--size", "10x10x10"},
        {"-s +10 x", "--size", "'+10'"},
        {"-s 99999999999999999999 x", "--size", "9999"},
        {"-s 10 -s 20 x", "--size", "twice"},
        {"-q 0 x", "--quality", "1 to 100"},
        {"-q 101 x", "--quality", "1 to 100"},
        {"-q 8O x", "--quality", "'8O'"},
        {"-j 0 x", "--jobs", "'0'"},
        {"-j -1 x", "--jobs", "'-1'"},
        {"-j 4294967297 x", "--jobs", "4294967297"},
        {"--max-depth 0 x", "--max-depth", "'0'"},
        {"--max-pixels 0 x", "--max-pixels", "'0'"},
        {"--memory 63M x", "--memory", "64M"},
        {"--memory 1Q x", "--memory", "'1Q'"},
        {"--memory 1GB x", "--memory", "'1GB'"},
        {"--memory 18446744073709551615T x", "--memory", "512M"},
        {"--memory M x", "--memory", "'M'"},
        {"--memory 1\x01 x", "--memory", "'1\\x01'"},
        {"--fail-on errors x", "--fail-on", "'error'"},
        {"--sync=1 x", "--sync", "no argument"},
        {"-f jpg x", "--format", "'jpeg'"},
        {"-f webp x", "--format", "auto, jpeg, png"},
        {"--backend threads x", "--backend", "'thread'"},
        {"--overwrite alwys x", "--overwrite", "'always'"},
        {"--timeout -1 x", "--timeout", "'-1'"},
        {"--timeout 1e3 x", "--timeout", "'1e3'"},
        {"--timeout 0.1234 x", "--timeout", "0.1234"},
        {"--timeout 99999999 x", "--timeout", "86400"},
        {"--timeout . x", "--timeout", "'.'"},
        {"x --size", "--size", "needs an argument"},
        {"x -o", "--output", "needs an argument"},
        {"--json=yes x", "--json", "takes no argument"},
        {"--output= x", "--output", "empty"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct options options;
        struct text message = TEXT_INIT;
        if (parse(rows[i].line, &options, &message) != -EINVAL)
            fail_msg("taken: %s", rows[i].line);
        if (!strstr(text_string(&message), rows[i].has) ||
            !strstr(text_string(&message), rows[i].has_too) || strchr(message.data, '\n') ||
            strchr(message.data, '\x1b'))
            fail_msg("%s: %s", rows[i].line, text_string(&message));
        text_done(&message);
    }
}

static void an_empty_path_is_refused(void **state)
{
    (void)state;
    char program[] = "thumbpool", empty[] = "";
    char *argv[] = {program, empty, NULL};
    struct options options;
    struct text message = TEXT_INIT;
    assert_int_equal(options_parse(2, argv, &options, &message), -EINVAL);
    text_done(&message);
}

static void help_has_narrow_lines(void **state)
{
    (void)state;
    struct text help = TEXT_INIT;
    options_help(&help, OPTIONS_RUN);
    options_help(&help, OPTIONS_ONE);
    for (const char *line = help.data; *line; line += strcspn(line, "\n") + 1)
        if (strcspn(line, "\n") > 96)
            fail_msg("too wide: %.*s", (int)strcspn(line, "\n"), line);
    text_done(&help);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(defaults_are_as_documented), TEST(every_option_is_read),
        TEST(limits_and_levels_are_read), TEST(gnu_habits_are_kept),
        TEST(every_word_has_its_value),   TEST(one_takes_an_input_and_an_output),
        TEST(mistakes_are_named),         TEST(an_empty_path_is_refused),
        TEST(help_has_narrow_lines),
    };
    return test_run("app options", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
