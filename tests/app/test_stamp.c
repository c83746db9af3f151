#include "app/stamp_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "files.h"
#include "isolate.h"

#define LINE                                                                                       \
    "thumbpool/1 mtime=1700000000.123456789 size=123456 settings=0123456789abcdef "                \
    "root=fedcba9876543210 source=a/b%20c.jpg"

static void a_stamp_is_one_line_that_is_read_back(void **state)
{
    (void)state;
    struct text encoded = TEXT_INIT, line = TEXT_INIT, path = TEXT_INIT;
    struct stamp stamp = {.settled = true,
                          .mtime_sec = 1700000000,
                          .mtime_nsec = 123456789,
                          .size_bytes = 123456,
                          .settings = UINT64_C(0x0123456789abcdef),
                          .root = UINT64_C(0xfedcba9876543210)};
    struct stamp found;
    stamp.hashed = stamp_encode(&encoded, "a/b c.jpg");
    stamp.source = text_string(&encoded);
    stamp.source_bytes = encoded.length;
    stamp_write(&line, &stamp);
    assert_string_equal(text_string(&line), LINE);
    assert_int_equal(stamp_parse(line.data, line.length, &found), 0);
    assert_true(stamp_same_source(&stamp, &found));
    assert_true(stamp_same_state(&stamp, &found));
    assert_true(stamp_decode(&path, &found));
    assert_string_equal(text_string(&path), "a/b c.jpg");
    /* An unsettled one is read back too, and equals none. */
    stamp.settled = false;
    text_cut(&line, 0);
    stamp_write(&line, &stamp);
    assert_int_equal(stamp_parse(line.data, line.length, &found), 0);
    assert_false(found.settled);
    assert_false(stamp_same_state(&stamp, &found));
    stamp.settled = true;
    stamp.mtime_sec = -7; /* before 1970 */
    text_cut(&line, 0);
    stamp_write(&line, &stamp);
    assert_int_equal(stamp_parse(line.data, line.length, &found), 0);
    assert_true(stamp_same_state(&stamp, &found));
    text_done(&encoded);
    text_done(&line);
    text_done(&path);
}

static void any_path_is_written_in_printable_ascii(void **state)
{
    (void)state;
    char path[600];
    struct text encoded = TEXT_INIT, decoded = TEXT_INIT;
    for (unsigned i = 1; i < 256; i++)
        path[i - 1] = i == '/' ? '_' : (char)i;
    path[255] = '\0';
    assert_false(stamp_encode(&encoded, path));
    for (size_t i = 0; i < encoded.length; i++)
        assert_true(encoded.data[i] > ' ' && encoded.data[i] <= '~');
    const struct stamp stamp = {.source = encoded.data, .source_bytes = encoded.length};
    assert_true(stamp_decode(&decoded, &stamp));
    assert_string_equal(text_string(&decoded), path);
    text_done(&encoded);
    text_done(&decoded);
}

static void a_path_that_is_too_long_is_known_by_a_hash(void **state)
{
    (void)state;
    char *path = keep(malloc(6001)), *other = keep(malloc(6001));
    struct text encoded = TEXT_INIT, line = TEXT_INIT, decoded = TEXT_INIT;
    struct stamp found;
    for (size_t length = 1200; length <= 6000; length += 1200) { /* as many as bytes to code */
        memset(path, ' ', length);
        path[length] = '\0';
        text_cut(&encoded, 0);
        text_cut(&line, 0);
        struct stamp stamp = {
            .settled = true, .mtime_sec = INT64_MIN / 2, .size_bytes = UINT64_MAX};
        stamp.hashed = stamp_encode(&encoded, path);
        assert_int_equal(stamp.hashed, length > 1200);
        stamp.source = text_string(&encoded);
        stamp.source_bytes = encoded.length;
        stamp_write(&line, &stamp);
        assert_true(line.length <= IMG_NOTE_MAX_BYTES);
        assert_int_equal(stamp_parse(line.data, line.length, &found), 0);
        assert_true(stamp_same_source(&stamp, &found));
        text_cut(&decoded, 0);
        assert_int_equal(stamp_decode(&decoded, &found), !stamp.hashed);
    }
    memcpy(other, path, 6001);
    other[5999] = 'x';
    struct text another = TEXT_INIT;
    assert_true(stamp_encode(&another, other));
    assert_string_not_equal(text_string(&another), text_string(&encoded));
    text_done(&another);
    text_done(&encoded);
    text_done(&line);
    text_done(&decoded);
}

static void what_is_no_stamp_is_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "a comment",
        "thumbpool/2 mtime=1.000000000 size=1 settings=0123456789abcdef root=0123456789abcdef "
        "source=a",
        "thumbpool/1 mtime=1 size=1 settings=0123456789abcdef root=0123456789abcdef source=a",
        "thumbpool/1 mtime=1.00000000 size=1 settings=0123456789abcdef root=0123456789abcdef "
        "source=a",
        "thumbpool/1 mtime=1.0000000000 size=1 settings=0123456789abcdef root=0123456789abcdef "
        "source=a",
        "thumbpool/1 mtime=--1.000000000 size=1 settings=0123456789abcdef root=0123456789abcdef "
        "source=a",
        "thumbpool/1 mtime=9223372036854775808.000000000 size=1 settings=0123456789abcdef "
        "root=0123456789abcdef source=a",
        "thumbpool/1 mtime=- size=18446744073709551616 settings=0123456789abcdef "
        "root=0123456789abcdef source=a",
        "thumbpool/1 mtime=- size=1 settings=0123456789ABCDEF root=0123456789abcdef source=a",
        "thumbpool/1 mtime=- size=1 settings=123456789abcdef root=0123456789abcdef source=a",
        "thumbpool/1 mtime=- size=1 settings=0123456789abcdef root=0123456789abcdef source=",
        "thumbpool/1 mtime=- size=1 settings=0123456789abcdef root=0123456789abcdef source=a b",
        "thumbpool/1 mtime=- size=1 settings=0123456789abcdef root=0123456789abcdef hash=00",
        "thumbpool/1 mtime=- size=1 settings=0123456789abcdef root=0123456789abcdef",
    };
    struct stamp stamp;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        if (stamp_parse(lines[i], strlen(lines[i]), &stamp) != -ENOMSG)
            fail_msg("taken: %s", lines[i]);
    /* Cut anywhere it is none, or one of another source. */
    for (size_t length = 0; length < strlen(LINE); length++) {
        char *cut = keep(malloc(length + 1)); /* so that a sanitizer sees each byte too many */
        memcpy(cut, LINE, length);
        if (stamp_parse(cut, length, &stamp) == 0)
            assert_true(length > strlen(LINE) - strlen("a/b%20c.jpg"));
    }
}

static void a_path_that_leads_out_is_not_taken_from_a_stamp(void **state)
{
    (void)state;
    static const char *const sources[] = {
        "/etc/passwd", "..",  "../a", "a/../b", "a/..", "a//b",       "a/",   ".",
        "./a",         "a%2", "a%",   "a%00b",  "a%2g", "a%2F%2E%2E", "%2Fa", "a%2f"};
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        const struct stamp stamp = {.source = sources[i], .source_bytes = strlen(sources[i])};
        struct text path = TEXT_INIT;
        if (stamp_decode(&path, &stamp))
            fail_msg("taken: %s", sources[i]);
        text_done(&path);
    }
}

static void a_state_is_settled_when_the_clock_has_moved_on(void **state)
{
    (void)state;
    struct timespec now;
    struct stamp stamp = {.settled = false};
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
    const struct {
        const char *label;
        time_t seconds;
        long nanoseconds;
        bool settled;
    } rows[] = {
        {"a minute ago", now.tv_sec - 60, 123456789, true},
        {"a minute ago, in whole seconds", now.tv_sec - 60, 0, true},
        {"a second ago, in whole seconds", now.tv_sec - 1, 0, false},
        {"in a minute", now.tv_sec + 60, 123456789, false},
        {"in a thousand years", (time_t)1 << 35, 1, false},
        {"at the end of time", INT64_MAX, 1, false},
        {"at its beginning", INT64_MIN, 1, true},
        {"1970", 0, 0, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct stat st = {.st_mtim = {rows[i].seconds, rows[i].nanoseconds}, .st_size = 5};
        stamp_set_state(&stamp, &st);
        if (stamp.settled != rows[i].settled)
            fail_msg("%s", rows[i].label);
        assert_int_equal(stamp.size_bytes, 5);
    }
    /* A file that is being written now may be written again in the same tick. */
    write_text(scratch("now"), "now");
    struct stat st;
    assert_int_equal(stat(scratch("now"), &st), 0);
    struct timespec coarse;
    stamp_set_state(&stamp, &st);
    assert_int_equal(clock_gettime(CLOCK_REALTIME_COARSE, &coarse), 0);
    if (coarse.tv_sec == st.st_mtim.tv_sec && coarse.tv_nsec == st.st_mtim.tv_nsec)
        assert_false(stamp.settled);
}

static void settings_that_shape_a_thumbnail_have_fingerprints_of_their_own(void **state)
{
    (void)state;
    struct options options[12];
    for (size_t i = 0; i < 12; i++)
        options[i] = (struct options){.box_width_px = 256,
                                      .box_height_px = 256,
                                      .quality = 80,
                                      .background = {255, 255, 255},
                                      .fail_on = IMG_FAIL_ON_ERROR};
    options[1].box_width_px = 255;
    options[2].box_height_px = 255;
    options[3].fit = IMG_FIT_COVER;
    options[4].fit = IMG_FIT_PAD;
    options[5].background[2] = 0;
    options[6].enlarge = true;
    options[7].format = IMG_FORMAT_PNG;
    options[8].quality = 81;
    options[9].fail_on = IMG_FAIL_ON_NONE;
    options[10].fast = true;
    options[11].format = IMG_FORMAT_JPEG;
    for (size_t i = 0; i < 12; i++)
        for (size_t j = 0; j < 12; j++)
            assert_int_equal(stamp_settings(&options[i]) == stamp_settings(&options[j]), i == j);
    struct options same = options[0];
    same.jobs = 7;
    same.timeout_ms = 5;
    same.memory_bytes = 1;
    same.pixels_max = 1;
    same.sync = true;
    assert_true(stamp_settings(&same) == stamp_settings(&options[0]));
}

static void only_a_thumbnail_of_ours_has_a_stamp(void **state)
{
    (void)state;
    /* A JPEG's beginning: JFIF, then the comment, then something. */
    static const char head[] = "\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0\xff\xfe";
    struct text file = TEXT_INIT;
    uint8_t buffer[IMG_NOTE_PROBE_BYTES];
    enum img_format format = IMG_FORMAT_UNKNOWN;
    struct stamp stamp;
    const char length[2] = {0, (char)(strlen(LINE) + 2)};
    text_add(&file, head, sizeof(head) - 1);
    text_add(&file, length, 2);
    text_puts(&file, LINE);
    text_puts(&file, "\xff\xdb and so on");
    for (size_t bytes = 0; bytes <= file.length; bytes++) {
        write_file(scratch("file"), file.data, bytes);
        int fd = open(scratch("file"), O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        const int r = stamp_read(fd, buffer, &stamp, &format);
        close(fd);
        assert_int_equal(r, bytes > sizeof(head) - 1 + 2 + strlen(LINE) ? 0 : -ENOMSG);
    }
    assert_int_equal(format, IMG_FORMAT_JPEG);
    assert_int_equal(stamp.size_bytes, 123456);
    int fd = open(test_scratch(), O_RDONLY | O_CLOEXEC); /* a folder */
    assert_int_equal(stamp_read(fd, buffer, &stamp, &format), -ENOMSG);
    close(fd);
    text_done(&file);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(a_stamp_is_one_line_that_is_read_back),
        TEST(any_path_is_written_in_printable_ascii),
        TEST(a_path_that_is_too_long_is_known_by_a_hash),
        TEST(what_is_no_stamp_is_refused),
        TEST(a_path_that_leads_out_is_not_taken_from_a_stamp),
        TEST(a_state_is_settled_when_the_clock_has_moved_on),
        TEST(settings_that_shape_a_thumbnail_have_fingerprints_of_their_own),
        TEST(only_a_thumbnail_of_ours_has_a_stamp),
    };
    return test_run("app stamp", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
