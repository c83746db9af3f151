/* test_output.c: what the built program says, and where: -v, --quiet, --json, --progress, --color.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pty.h>

#include "album.h"
#include "files.h"
#include "isolate.h"
#include "pictures.h"
#include "program.h"

static void make_input(unsigned bad)
{
    make_album();
    for (unsigned i = 0; i < bad; i++)
        write_text(scratch("in/bad%u.jpg", i), "no picture");
    write_text(scratch("in/notes"), "text");
}

static unsigned count_lines(const char *text, const char *with)
{
    unsigned count = 0;
    for (const char *at = text; (at = strstr(at, with)); at += strlen(with))
        count++;
    return count;
}

static void verbose_has_a_line_for_each_file(void **state)
{
    (void)state;
    make_input(1);
    struct program_result result = program_run("in", "-v", NULL);
    expect_exit(&result, 1);
    assert_int_equal(count_lines(result.out, "made in/thumbs/"), 36);
    assert_int_equal(count_lines(result.out, "skipped in/notes: "), 1);
    assert_non_null(strstr(result.out, "\n36 made, "));
    assert_int_equal(count_lines(result.err, "\n"), 1); /* what failed: there and nowhere else */
    assert_int_equal(strncmp(result.err, "thumbpool: in/bad0.jpg: ", 24), 0);
    assert_null(strstr(result.out, "bad0"));
}

static void quiet_says_only_what_failed(void **state)
{
    (void)state;
    make_input(0);
    struct program_result result = program_run("in", "--quiet", NULL);
    expect_exit(&result, 0);
    assert_string_equal(result.out, "");
    assert_string_equal(result.err, "");
    write_text(scratch("in/bad0.jpg"), "no picture");
    result = program_run("in", "--quiet", NULL);
    expect_exit(&result, 1);
    assert_string_equal(result.out, "");
    assert_int_equal(count_lines(result.err, "\n"), 1);
    assert_int_equal(strncmp(result.err, "thumbpool: in/bad0.jpg: ", 24), 0);
}

static void many_failures_are_grouped_at_the_end(void **state)
{
    (void)state;
    make_input(9);
    write_text(scratch("in/empty.jpg"), "");
    struct program_result result = program_run("in", "-j1", "missing", NULL);
    expect_exit(&result, 1);
    assert_int_equal(count_lines(result.err, "thumbpool: in/bad"), 9); /* each as it happened */
    const char *grouped = strstr(result.err, "thumbpool: 11 failed: 9 not-an-image, ");
    assert_non_null(grouped);
    assert_non_null(
        strstr(grouped, "\n  not-an-image: in/bad0.jpg, in/bad1.jpg, in/bad2.jpg and 6 more\n"));
    assert_non_null(strstr(grouped, ": in/empty.jpg\n"));
    assert_non_null(strstr(grouped, ": missing\n"));
    assert_null(strstr(result.out, "not-an-image"));
}

/* One object a line, whatever the names are; the counts of the summary are those of the lines. */
static void json_is_valid_and_says_it_all(void **state)
{
    (void)state;
    make_input(7);
    make_jpeg(scratch("in/\xff\xfe.jpg"), 300, 200, 1);
    make_jpeg(scratch("in/a\n\"b\\\x1b[2J.jpg"), 300, 200, 2);
    struct program_result result =
        program_run("in", "missing\xe9", "--json", "-v", "--color=always", NULL);
    expect_exit(&result, 1);
    size_t count;
    struct json_value **events = program_events(&result, &count);
    unsigned encoded = 0;
    for (size_t i = 0; i < count; i++) {
        const struct json_value *outputs = json_get(events[i], "outputs");
        encoded += json_get(events[i], "path_b64") != NULL;
        if (json_get(events[i], "path_b64") && outputs)
            assert_non_null(json_get(outputs->child, "path_b64"));
    }
    assert_int_equal(encoded, 2);
    assert_string_equal(string_of(program_file(&result, "[2J.jpg"), "path"),
                        "in/a\n\"b\\\x1b[2J.jpg");
    assert_true(summary_of(&result, "made") == 38);
    assert_true(summary_of(&result, "failed") == 8);
    assert_true(summary_of(&result, "errors/not-an-image") == 7);
    assert_null(strchr(result.out, '\x1b'));
    assert_string_equal(result.err, "");
}

/* Standard error is a terminal of 80 columns. Returns what it got; kept. */
static const char *seen_by_terminal(const char *const *env, const char *option)
{
    static char seen[1 << 16];
    int terminal, inside;
    size_t length = 0;
    ssize_t got;
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    if (openpty(&terminal, &inside, NULL, NULL, &size) < 0) {
        print_message("no terminal to be had: is /dev/pts mounted?\n");
        skip();
    }
    const struct program_setup setup = {.env = env, .err_fd = inside};
    const char *const args[] = {"in", option, NULL};
    struct program program = program_start(&setup, args);
    close(inside);
    while ((got = read(terminal, seen + length, sizeof(seen) - 1 - length)) > 0)
        length += (size_t)got;
    seen[length] = '\0';
    close(terminal);
    struct program_result result = program_wait(&program);
    expect_exit(&result, 1);
    assert_null(strchr(result.out, '\r'));
    return seen;
}

static void the_bar_is_for_terminals_unless_asked_for(void **state)
{
    (void)state;
    static const char *const xterm[] = {"TERM=xterm", NULL}, *const dumb[] = {"TERM=dumb", NULL};
    static const struct {
        const char *const *env;
        const char *option;
        bool bar;
    } rows[] = {
        {xterm, "--progress=auto", true}, {xterm, "--progress=never", false},
        {dumb, "--progress=auto", false}, {dumb, "--progress=always", true},
        {xterm, "--quiet", false},
    };
    make_many_slow(10);
    write_text(scratch("in/bad.jpg"), "no picture");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *seen = seen_by_terminal(rows[i].env, rows[i].option);
        assert_int_equal(strstr(seen, "/s") != NULL, rows[i].bar);
        if (rows[i].env == dumb)
            assert_null(strchr(seen, '\x1b'));
        if (rows[i].bar && rows[i].env == xterm)
            assert_string_equal(seen + strlen(seen) - 9, "\r\x1b[?7h\x1b[J");
    }
    struct program_result result = program_run("in", NULL); /* a file */
    assert_null(strchr(result.err, '\r'));
    result = program_run("in", "--progress", "always", NULL);
    assert_non_null(strchr(result.err, '\r'));
}

static void colours_are_for_terminals_unless_asked_for(void **state)
{
    (void)state;
    static const char *const xterm[] = {"TERM=xterm", NULL}, *const dumb[] = {"TERM=dumb", NULL};
    static const char *const none[] = {"TERM=xterm", "NO_COLOR=1", NULL};
    static const char *const empty[] = {"TERM=xterm", "NO_COLOR=", NULL};
    static const struct {
        const char *const *env;
        const char *option;
        bool color;
    } rows[] = {
        {xterm, "--color=auto", true}, {xterm, "--color=never", false},
        {dumb, "--color=auto", false}, {none, "--color=auto", false},
        {empty, "--color=auto", true}, {none, "--color=always", true},
    };
    make_input(1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *seen = seen_by_terminal(rows[i].env, rows[i].option);
        assert_non_null(strstr(seen, "in/bad0.jpg"));
        assert_int_equal(strstr(seen, "\x1b[31min/bad0.jpg\x1b[0m: ") != NULL, rows[i].color);
    }
    struct program_result result = program_run("in", NULL); /* files */
    assert_null(strchr(result.err, '\x1b'));
    assert_null(strchr(result.out, '\x1b'));
    result = program_run("in", "--color", "always", NULL);
    assert_non_null(strchr(result.err, '\x1b'));
    assert_non_null(strchr(result.out, '\x1b'));
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(verbose_has_a_line_for_each_file),
        TEST(quiet_says_only_what_failed),
        TEST(many_failures_are_grouped_at_the_end),
        TEST(json_is_valid_and_says_it_all),
        TEST(the_bar_is_for_terminals_unless_asked_for),
        TEST(colours_are_for_terminals_unless_asked_for),
    };
    return test_run("thumbpool output", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
