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
        {.done = 63, .rate_tenths = 1570, .left_s = -1},
        {.done = 63, .total = 640, .failed = 2, .rate_tenths = 15, .rate_bytes = 308000000},
        {.done = 900, .total = 640, .left_s = 1},
        {.done = UINT64_C(1) << 40,
         .total = UINT64_C(1) << 41,
         .failed = UINT64_C(1) << 39,
         .rate_tenths = UINT64_C(1) << 60,
         .rate_bytes = UINT64_C(1) << 60,
         .left_s = INT64_C(1) << 40},
        {.done = UINT64_MAX, .total = UINT64_MAX, .failed = UINT64_MAX, .left_s = -1},
        {.done = 1, .total = 1000000, .rate_tenths = 1, .left_s = 100000},
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

static void the_line_says_what_is_known_and_has_room(void **state)
{
    (void)state;
    static const struct progress_state known = {
        .done = 50, .total = 100, .rate_tenths = 50, .rate_bytes = 5400000, .left_s = 11};
    static const struct progress_state failing = {.done = 1234,
                                                  .total = 56789,
                                                  .failed = 3,
                                                  .rate_tenths = 451,
                                                  .rate_bytes = 18000000,
                                                  .left_s = 1234};
    static const struct {
        const struct progress_state *state;
        int width;
        const char *line;
    } rows[] = {
        {&known, 80,
         "[#################-----------------]  50 of 100  5.0 files/s  15 s left  5 MB/s"},
        {&known, 58, "[######------]  50 of 100  5.0 files/s  15 s left  5 MB/s"},
        {&known, 44, "50 of 100  5.0 files/s  15 s left  5 MB/s"},
        {&known, 40, "50 of 100  5.0 files/s  15 s left"},
        {&known, 22, "50 of 100  15 s left"},
        {&known, 18, "50/100  15 s left"},
        {&known, 10, "50/100"},
        {&known, 5, "50%"},
        {&known, 3, ""},
        {&failing, 53, "1234 of 56789  3 failed  45 files/s  21 min left"},
        {&failing, 30, "1234/56789  3 failed  45/s"},
        {&failing, 10, "2%  45/s"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct text line = TEXT_INIT;
        progress_line(&line, rows[i].state, rows[i].width);
        assert_string_equal(text_string(&line), rows[i].line);
        text_done(&line);
    }
}

static void time_left_is_coarser_the_longer_it_is(void **state)
{
    (void)state;
    static const struct {
        int64_t left_s;
        const char *words;
    } rows[] = {
        {1, "1 s left"},           {10, "10 s left"},         {11, "15 s left"},
        {55, "55 s left"},         {56, "1:00 min left"},     {61, "1:10 min left"},
        {590, "9:50 min left"},    {591, "10 min left"},      {3540, "59 min left"},
        {3541, "1 h 00 min left"}, {3601, "1 h 05 min left"}, {86400, "24 h 00 min left"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct text line = TEXT_INIT;
        const struct progress_state at = {.done = 1, .left_s = rows[i].left_s};
        progress_line(&line, &at, 200);
        if (!strstr(text_string(&line), rows[i].words))
            fail_msg("%s is not in: %s", rows[i].words, text_string(&line));
        text_done(&line);
    }
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

/* Standard error becomes a terminal of that many columns. */
struct stage {
    int terminal, inside, before;
    struct winsize size;
};

static void stage_init(struct stage *stage, unsigned short columns)
{
    stage->size = (struct winsize){.ws_row = 24, .ws_col = columns};
    if (openpty(&stage->terminal, &stage->inside, NULL, NULL, &stage->size) < 0) {
        print_message("no terminal to be had: is /dev/pts mounted?\n");
        skip();
    }
    stage->before = dup(STDERR_FILENO);
    assert_true(stage->before >= 0 && dup2(stage->inside, STDERR_FILENO) >= 0);
}

static void stage_resize(struct stage *stage, unsigned short columns)
{
    stage->size.ws_col = columns;
    assert_int_equal(ioctl(stage->terminal, TIOCSWINSZ, &stage->size), 0);
}

static void stage_done(struct stage *stage, char *seen, size_t size_bytes)
{
    assert_true(dup2(stage->before, STDERR_FILENO) >= 0);
    close(stage->before);
    read_all(stage->terminal, stage->inside, seen, size_bytes);
}

static const struct progress_state half = {.done = 5, .total = 10, .rate_tenths = 50, .left_s = 2};

static void the_bar_follows_the_terminal_and_goes_away(void **state)
{
    (void)state;
    char seen[4096] = "";
    struct stage stage;
    struct progress progress = {.enabled = true};
    stage_init(&stage, 30);
    const int64_t now_ms = clock_ms();
    progress_draw(&progress, &half, now_ms);
    progress_draw(&progress, &half, now_ms + 50); /* too soon */
    stage_resize(&stage, 60);
    progress_draw(&progress, &half, now_ms + 150);
    progress_erase(&progress);
    progress_erase(&progress); /* nothing to erase */
    progress.enabled = false;
    progress_draw(&progress, &half, now_ms + 1000);
    progress_done(&progress);
    stage_done(&stage, seen, sizeof(seen));
    assert_string_equal(seen,
                        "\r\x1b[?7l5 of 10  2 s left  0 MB/s\x1b[J\x1b[?7h\r"
                        "\r\x1b[?7l[########---------]  5 of 10  5.0 files/s  2 s left  0 MB/s"
                        "\x1b[J\x1b[?7h\r"
                        "\r\x1b[?7h\x1b[J");
}

static void a_dumb_terminal_gets_no_escape_sequences(void **state)
{
    (void)state;
    char seen[4096] = "";
    struct stage stage;
    struct progress progress = {.enabled = true, .plain = true};
    stage_init(&stage, 12);
    const int64_t now_ms = clock_ms();
    progress_draw(&progress, &half, now_ms);
    progress_draw(&progress, &half, now_ms + 150);
    progress_done(&progress);
    stage_done(&stage, seen, sizeof(seen));
    assert_string_equal(seen, "\r5/10  5.0/s\r\r           \r\r5/10  5.0/s\r\r           \r");
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(the_line_fits_every_width),
        TEST(the_line_says_what_is_known_and_has_room),
        TEST(time_left_is_coarser_the_longer_it_is),
        TEST(the_bar_follows_the_terminal_and_goes_away),
        TEST(a_dumb_terminal_gets_no_escape_sequences),
    };
    return test_run("app progress", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
