#include "app/progress_priv.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <pty.h>

#include "app/clock_priv.h"
#include "isolate.h"

static void the_line_fits_every_width(void **state)
{
    (void)state;
    static const struct progress_state states[] = {
        {.done = 0},
        {.done = 63, .elapsed_ms = 400},
        {.done = 63, .total = 640, .failed = 2, .source_bytes = 123456789, .elapsed_ms = 400},
        {.done = 900, .total = 640, .elapsed_ms = 1},
        {.done = UINT64_C(1) << 40,
         .total = UINT64_C(1) << 41,
         .failed = UINT64_C(1) << 39,
         .source_bytes = UINT64_C(1) << 60,
         .elapsed_ms = 1},
        {.done = 1, .total = 1000000, .elapsed_ms = 100000},
    };
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        for (int width = 0; width <= 500; width++) {
            struct text line = TEXT_INIT;
            progress_line(&line, &states[i], width);
            assert_true(line.length <= (size_t)(width > 1 ? width - 1 : 0));
            for (size_t at = 0; at < line.length; at++)
                assert_true(line.data[at] >= ' ' && line.data[at] <= '~');
            text_done(&line);
        }
    }
}

static void the_line_says_only_what_is_known(void **state)
{
    (void)state;
    struct text line = TEXT_INIT;
    const struct progress_state unknown = {
        .done = 63, .failed = 1, .source_bytes = 80000000, .elapsed_ms = 400};
    progress_line(&line, &unknown, 80);
    assert_string_equal(text_string(&line), "63  1 failed  157 files/s  200 MB/s");
    text_cut(&line, 0);
    const struct progress_state known = {
        .done = 50, .total = 100, .source_bytes = 50000000, .elapsed_ms = 10000};
    progress_line(&line, &known, 80);
    assert_non_null(strstr(text_string(&line), "####----"));
    assert_non_null(strstr(text_string(&line), "50 of 100  5.0 files/s  11 s left  5 MB/s"));
    text_cut(&line, 0);
    const struct progress_state slow = {.done = 1, .total = 101, .elapsed_ms = 1000};
    progress_line(&line, &slow, 80);
    assert_non_null(strstr(text_string(&line), "1:41 min left"));
    text_done(&line);
}

/* All that was written to the terminal's inside, which is closed first: what was written comes out
 * in pieces, sooner or later, and then an error. */
static void read_all(int terminal, int inside, char *text, size_t size_bytes)
{
    size_t length = 0;
    ssize_t got;
    close(inside);
    while ((got = read(terminal, text + length, size_bytes - 1 - length)) > 0)
        length += (size_t)got;
    close(terminal);
    text[length] = '\0';
}

/* Standard error becomes a terminal of 30 columns. */
static void the_bar_follows_the_terminal_and_goes_away(void **state)
{
    (void)state;
    int terminal, inside;
    char seen[4096] = "";
    struct winsize size = {.ws_row = 24, .ws_col = 30};
    struct progress progress = {.enabled = true};
    const struct progress_state about = {.done = 5, .total = 10, .elapsed_ms = 1000};
    if (openpty(&terminal, &inside, NULL, NULL, &size) < 0) {
        print_message("no terminal to be had: is /dev/pts mounted?\n");
        skip();
    }
    const int before = dup(STDERR_FILENO);
    assert_true(dup2(inside, STDERR_FILENO) >= 0);
    const int64_t now_ms = clock_ms();
    progress_draw(&progress, &about, now_ms);
    progress_draw(&progress, &about, now_ms + 50); /* too soon */
    size.ws_col = 60;
    ioctl(terminal, TIOCSWINSZ, &size);
    progress_draw(&progress, &about, now_ms + 150);
    progress_erase(&progress);
    progress_erase(&progress); /* nothing to erase */
    progress.enabled = false;
    progress_draw(&progress, &about, now_ms + 1000);
    progress_done(&progress);
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    close(before);
    read_all(terminal, inside, seen, sizeof(seen));
    assert_string_equal(seen, "\r5 of 10  5.0 files/s  0 MB/s\x1b[K"
                              "\r[########---------]  5 of 10  5.0 files/s  2 s left  0 MB/s"
                              "\x1b[K\r\x1b[K");
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(the_line_fits_every_width),
        TEST(the_line_says_only_what_is_known),
        TEST(the_bar_follows_the_terminal_and_goes_away),
    };
    return test_run("app progress", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
