#include "app/ledger_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/escape_priv.h"
#include "files.h"
#include "isolate.h"
#include "ledgers.h"

#define HEADER "thumbpool-failed 1\n"

static void a_missing_ledger_is_an_empty_one(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    struct ledger *ledger = open_ledger(dir_fd);
    const struct ledger_source source = source_of("/a");
    assert_int_equal(ledger_problem(ledger), 0);
    assert_false(ledger_knows_any(ledger));
    assert_true(knows(ledger, "/a", NULL, 0));
    assert_int_equal(ledger_settle(ledger, dir_fd, &source), 0);
    end_ledger(ledger, dir_fd, true);
    assert_int_equal(count_entries(scratch("out")), 0);

    ledger = open_ledger(-1);
    assert_int_equal(ledger_settle(ledger, -1, &source), 0);
    end_ledger(ledger, -1, true);
    assert_null(ledger_free(NULL));
    close(dir_fd);
}

static void failures_are_known_to_the_next_run(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    struct stat st;
    struct ledger *ledger = open_ledger(dir_fd);
    assert_int_equal(fail_it(ledger, dir_fd, "/a", "damaged", 0), 0);
    assert_int_equal(fail_it(ledger, dir_fd, "/b", "worker-died", 2), 0);
    assert_true(knows(ledger, "/a", "damaged", 0)); /* and to this one */
    end_ledger(ledger, dir_fd, false);
    assert_int_equal(stat(ledger_path(), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);

    ledger = open_ledger(dir_fd);
    assert_true(ledger_knows_any(ledger));
    assert_true(knows(ledger, "/a", "damaged", 0));
    assert_true(knows(ledger, "/b", "worker-died", 2));
    assert_true(knows(ledger, "/", NULL, 0));
    assert_true(knows(ledger, "/aa", NULL, 0));
    assert_int_equal(fail_it(ledger, dir_fd, "/a", "timeout", 1), 0); /* the last one counts */
    assert_true(knows(ledger, "/a", "timeout", 1));
    end_ledger(ledger, dir_fd, false);
    assert_int_equal(stat(ledger_path(), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);

    assert_int_equal(ledger_lines(), 3); /* written anew */

    ledger = open_ledger(dir_fd);
    assert_true(knows(ledger, "/a", "timeout", 1));
    ledger_free(ledger);
    assert_int_equal(count_entries(scratch("out")), 1);
    close(dir_fd);
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    struct ledger *ledger = open_ledger(dir_fd);
    const struct ledger_source relative = source_of("a"), empty = source_of("");
    static const char *const slugs[] = {
        "", "-", "-a", "A", "a b", "a\tb", "a1", "\xc3\xa4", "abcdefghijklmnopqrstuvwxyzabcdef"};
    assert_int_equal(ledger_begin(ledger, dir_fd, &relative), -EINVAL);
    assert_int_equal(ledger_begin(ledger, dir_fd, &empty), -EINVAL);
    assert_int_equal(ledger_fail(ledger, dir_fd, &relative, "damaged", 0), -EINVAL);
    assert_int_equal(ledger_settle(ledger, dir_fd, &relative), 0);
    for (size_t i = 0; i < sizeof(slugs) / sizeof(slugs[0]); i++)
        assert_int_equal(fail_it(ledger, dir_fd, "/a", slugs[i], 0), -EINVAL);
    assert_false(ledger_knows_any(ledger));
    end_ledger(ledger, dir_fd, true);
    assert_int_equal(count_entries(scratch("out")), 0);
    close(dir_fd);
}

static void deaths_are_counted_from_run_to_run(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    for (unsigned run = 0; run < POISON_DEATHS; run++) {
        struct ledger *ledger = open_ledger(dir_fd);
        assert_true(run == 0 ? knows(ledger, "/poison", NULL, 0)
                             : knows(ledger, "/poison", "worker-died", run));
        assert_int_equal(fail_it(ledger, dir_fd, "/poison", "worker-died", 1), 0);
        assert_true(knows(ledger, "/poison", "worker-died", run + 1));
        end_ledger(ledger, dir_fd, false);
    }
    struct ledger *ledger = open_ledger(dir_fd);
    assert_true(knows(ledger, "/poison", "worker-died", POISON_DEATHS));
    /* A failure that took nobody along does not undo them. */
    assert_int_equal(fail_it(ledger, dir_fd, "/poison", "damaged", 0), 0);
    assert_true(knows(ledger, "/poison", "damaged", POISON_DEATHS));
    /* However many there are. */
    assert_int_equal(fail_it(ledger, dir_fd, "/poison", "damaged", UINT_MAX), 0);
    const struct ledger_source source = source_of("/poison");
    const unsigned deaths = ledger_find(ledger, &source)->deaths;
    assert_true(deaths >= POISON_DEATHS);
    end_ledger(ledger, dir_fd, false);
    ledger = open_ledger(dir_fd);
    assert_true(knows(ledger, "/poison", "damaged", deaths));
    ledger_free(ledger);
    close(dir_fd);
}

static void a_source_that_has_changed_begins_anew(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    struct ledger *ledger = open_ledger(dir_fd);
    assert_int_equal(fail_it(ledger, dir_fd, "/a", "worker-died", 3), 0);
    end_ledger(ledger, dir_fd, false);

    ledger = open_ledger(dir_fd);
    struct ledger_source touched = source_of("/a"), grown = source_of("/a");
    touched.mtime_ns++;
    grown.size_bytes++;
    assert_null(ledger_find(ledger, &touched));
    assert_null(ledger_find(ledger, &grown));
    assert_true(ledger_lists(ledger, "/a"));
    assert_false(ledger_lists(ledger, "/b"));
    assert_int_equal(ledger_fail(ledger, dir_fd, &touched, "worker-died", 1), 0);
    assert_int_equal(ledger_find(ledger, &touched)->deaths, 1);
    assert_true(knows(ledger, "/a", NULL, 0));
    end_ledger(ledger, dir_fd, false);

    ledger = open_ledger(dir_fd);
    assert_int_equal(ledger_find(ledger, &touched)->deaths, 1);
    ledger_free(ledger);
    close(dir_fd);
}

static void times_and_sizes_are_kept_whatever_they_are(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    const struct ledger_source sources[] = {
        {"/0", 0, 0},
        {"/1", -1, 1},
        {"/2", INT64_MAX, UINT64_MAX},
        {"/3", -INT64_MAX, (uint64_t)INT64_MAX + 1},
    };
    struct ledger *ledger = open_ledger(dir_fd);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(ledger_fail(ledger, dir_fd, &sources[i], "damaged", (unsigned)i), 0);
    ledger_free(ledger);
    ledger = open_ledger(dir_fd);
    for (size_t i = 0; i < 4; i++) {
        assert_non_null(ledger_find(ledger, &sources[i]));
        assert_int_equal(ledger_find(ledger, &sources[i])->deaths, i);
    }
    ledger_free(ledger);
    close(dir_fd);
}

static void what_was_made_is_forgotten_and_an_empty_ledger_removed(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    const struct ledger_source a = source_of("/a"), b = source_of("/b"), c = source_of("/c");
    struct stat before, after;
    struct ledger *ledger = open_ledger(dir_fd);
    assert_int_equal(fail_it(ledger, dir_fd, "/a", "damaged", 0), 0);
    assert_int_equal(fail_it(ledger, dir_fd, "/b", "damaged", 0), 0);
    end_ledger(ledger, dir_fd, false);

    ledger = open_ledger(dir_fd);
    assert_int_equal(stat(ledger_path(), &before), 0);
    assert_int_equal(ledger_settle(ledger, dir_fd, &c), 0);
    assert_int_equal(stat(ledger_path(), &after), 0);
    assert_true(before.st_size == after.st_size && before.st_ino == after.st_ino);
    assert_int_equal(ledger_settle(ledger, dir_fd, &a), 0);
    assert_true(knows(ledger, "/a", NULL, 0));
    assert_false(ledger_lists(ledger, "/a"));
    ledger_free(ledger); /* as if killed */

    ledger = open_ledger(dir_fd);
    assert_true(knows(ledger, "/a", NULL, 0));
    assert_true(knows(ledger, "/b", "damaged", 0));
    end_ledger(ledger, dir_fd, false);
    assert_null(strstr(ledger_text(), "/a"));

    ledger = open_ledger(dir_fd);
    assert_int_equal(ledger_settle(ledger, dir_fd, &b), 0);
    assert_false(ledger_knows_any(ledger));
    end_ledger(ledger, dir_fd, false);
    assert_int_equal(count_entries(scratch("out")), 0);
    close(dir_fd);
}

static void a_run_in_which_nothing_changes_writes_nothing(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    struct ledger *ledger = open_ledger(dir_fd);
    assert_int_equal(fail_it(ledger, dir_fd, scratch("here"), "damaged", 0), 0);
    write_text(scratch("here"), "");
    end_ledger(ledger, dir_fd, true);
    const uint64_t before = tree_hash(scratch("out"), NULL);
    ledger = open_ledger(dir_fd);
    assert_true(knows(ledger, scratch("here"), "damaged", 0));
    end_ledger(ledger, dir_fd, true);
    assert_true(tree_hash(scratch("out"), NULL) == before);
    close(dir_fd);
}

static void sources_that_are_gone_are_forgotten_when_all_were_gone_through(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    const char *here = scratch("here"), *gone = scratch("gone"), *below = scratch("here/below"),
               *dangling = scratch("dangling"), *hidden = scratch("loop/hidden");
    struct ledger *ledger = open_ledger(dir_fd);
    write_text(here, "");
    assert_int_equal(symlink("nowhere", dangling), 0);
    assert_int_equal(symlink("loop", scratch("loop")), 0);
    assert_int_equal(fail_it(ledger, dir_fd, here, "damaged", 0), 0);
    assert_int_equal(fail_it(ledger, dir_fd, gone, "damaged", 0), 0);
    assert_int_equal(fail_it(ledger, dir_fd, below, "damaged", 0), 0);
    assert_int_equal(fail_it(ledger, dir_fd, dangling, "damaged", 0), 0);
    assert_int_equal(fail_it(ledger, dir_fd, hidden, "damaged", 0), 0);
    end_ledger(ledger, dir_fd, true); /* it has just been there */

    ledger = open_ledger(dir_fd);
    assert_true(knows(ledger, gone, "damaged", 0));
    end_ledger(ledger, dir_fd, true); /* looked up */
    ledger = open_ledger(dir_fd);
    end_ledger(ledger, dir_fd, false);
    ledger = open_ledger(dir_fd);
    assert_true(knows(ledger, gone, "damaged", 0));
    assert_true(knows(ledger, here, "damaged", 0));
    assert_true(knows(ledger, below, NULL, 0));
    assert_true(knows(ledger, dangling, "damaged", 0));
    ledger_free(ledger);

    ledger = open_ledger(dir_fd);
    end_ledger(ledger, dir_fd, true);
    ledger = open_ledger(dir_fd);
    assert_true(knows(ledger, gone, NULL, 0));
    assert_true(knows(ledger, here, "damaged", 0));
    assert_true(knows(ledger, hidden, "damaged", 0)); /* who can say */
    ledger_free(ledger);

    assert_int_equal(unlink(here), 0);
    assert_int_equal(unlink(dangling), 0);
    assert_int_equal(unlink(scratch("loop")), 0);
    ledger = open_ledger(dir_fd);
    end_ledger(ledger, dir_fd, true);
    assert_int_equal(count_entries(scratch("out")), 0);
    close(dir_fd);
}

static void any_bytes_make_a_path(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    char all[257] = "/";
    for (int i = 1; i < 256; i++)
        all[i] = (char)i;
    const size_t deep_bytes = 3 * (size_t)PATH_MAX;
    char *deep = keep(calloc(1, deep_bytes + 1));
    memset(deep, 'd', deep_bytes);
    for (size_t at = 0; at + 1 < deep_bytes; at += 200) {
        deep[at] = '/';
        deep[at + 1] = '\n';
    }
    /* Longer than what is read at once. */
    char *endless = keep(calloc(1, 300001));
    memset(endless, '/', 300000);
    const char *const paths[] = {
        "/",     "/a\nb", "/a\tb",     "/a\\b",         "/a\\x41b", "/aAb", "/\\", "/\\x", "/\\x4",
        "/\xff", "/\xc3", "/\xc3\xa4", "/\xe2\x80\xae", "/ ",       "/a ",  all,   deep,   endless};
    const size_t count = sizeof(paths) / sizeof(paths[0]);
    struct ledger *ledger = open_ledger(dir_fd);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(fail_it(ledger, dir_fd, paths[i], "damaged", (unsigned)i), 0);
    ledger_free(ledger);
    for (int round = 0; round < 2; round++) {
        ledger = open_ledger(dir_fd);
        for (size_t i = 0; i < count; i++)
            assert_true(knows(ledger, paths[i], "damaged", (unsigned)i));
        const struct ledger_source source = source_of(paths[0]);
        assert_int_equal(ledger_settle(ledger, dir_fd, &source),
                         0); /* so that it is written anew */
        assert_int_equal(fail_it(ledger, dir_fd, paths[0], "damaged", 0), 0);
        end_ledger(ledger, dir_fd, false);
    }
    for (const char *at = ledger_text(); *at; at++)
        assert_true(*at == '\n' || *at == '\t' || (unsigned char)*at >= ' ');
    close(dir_fd);
}

static void lines_that_make_no_sense_are_passed_over(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    /* Each would make "/bad" or another path known. */
    static const char *const lines[] = {
        "",
        "\t",
        "\t\t\t\t\t",
        "/bad",
        "1\t1\t1\tdamaged\t0",
        "1\t1\t1\tdamaged\t0\t",
        "1\t1\t1\tdamaged\t/bad",
        "\t1\t1\tdamaged\t0\t/bad",
        "1\t\t1\tdamaged\t0\t/bad",
        "1\t1\t\tdamaged\t0\t/bad",
        "1\t1\t1\t\t0\t/bad",
        "1\t1\t1\tdamaged\t\t/bad",
        "+1\t1\t1\tdamaged\t0\t/bad",
        "--1\t1\t1\tdamaged\t0\t/bad",
        "-\t1\t1\tdamaged\t0\t/bad",
        " 1\t1\t1\tdamaged\t0\t/bad",
        "0x1\t1\t1\tdamaged\t0\t/bad",
        "9223372036854775808\t1\t1\tdamaged\t0\t/bad",
        "-9223372036854775808\t1\t1\tdamaged\t0\t/bad",
        "1\t-1\t1\tdamaged\t0\t/bad",
        "1\t18446744073709551616\t1\tdamaged\t0\t/bad",
        "1\t99999999999999999999999999999999\t1\tdamaged\t0\t/bad",
        "1\t1\t10000\tdamaged\t0\t/bad",
        "1\t1\t-1\tdamaged\t0\t/bad",
        "1\t1\t4294967297\tdamaged\t0\t/bad",
        "1\t1\t1\tDamaged\t0\t/bad",
        "1\t1\t1\tdam aged\t0\t/bad",
        "1\t1\t1\t\x1b[31m\t0\t/bad",
        "1\t1\t1\t-damaged\t0\t/bad",
        "1\t1\t1\t--\t0\t/bad",
        "1\t1\t1\t-\t0\t/bad",
        "1\t1\t1\t-\t5\t/bad",
        "1\t1\t1\tabcdefghijklmnopqrstuvwxyzabcdef\t0\t/bad",
        "1\t1\t1\tdamaged\t-1\t/bad",
        "1\t1\t1\tdamaged\t281474976710657\t/bad",
        "1\t1\t1\tdamaged\t0\tbad",
        "1\t1\t1\tdamaged\t0\t./bad",
        "1\t1\t1\tdamaged\t0\t\\x2ebad",
        "1\t1\t1\tdamaged\t0\t/bad\\x00",
        "1\t1\t1\tdamaged\t0\t\\x00/bad",
        "1\t1\t1\tdamaged\t0\t/bad\\",
        "1\t1\t1\tdamaged\t0\t/bad\\x",
        "1\t1\t1\tdamaged\t0\t/bad\\x4",
        "1\t1\t1\tdamaged\t0\t/bad\\x4g",
        "1\t1\t1\tdamaged\t0\t/bad\\y41",
        "1\t1\t1\tdamaged\t0\t/bad\\X41",
        "1\t1\t1\tdamaged\t0\t/bad\\x4A",
    };
    struct ledger_source source = {.mtime_ns = 1, .size_bytes = 1};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct text text = TEXT_INIT;
        text_printf(&text, HEADER "1\t1\t2\tdamaged\t0\t/before\n%s\n1\t1\t1\tdamaged\t0\t/after\n",
                    lines[i]);
        write_text(ledger_path(), text_string(&text));
        text_done(&text);
        struct ledger *ledger = open_ledger(dir_fd);
        assert_int_equal(ledger_problem(ledger), 0);
        source.path = "/before";
        assert_int_equal(ledger_find(ledger, &source)->deaths, 2);
        source.path = "/after";
        assert_int_equal(ledger_find(ledger, &source)->deaths, 1);
        assert_false(ledger_lists(ledger, "/bad"));
        end_ledger(ledger, dir_fd, false); /* and is gone by then */
        assert_int_equal(strlen(ledger_text()), strlen(HEADER "1\t1\t2\tdamaged\t0\t/before\n"
                                                              "1\t1\t1\tdamaged\t0\t/after\n"));
    }
    /* A zero byte within a line ends nothing. */
    static const char zero[] =
        HEADER "1\t1\t1\tdamaged\t0\t/bad\0bad\n1\t1\t1\tdamaged\t0\t/after\n";
    write_file(ledger_path(), zero, sizeof(zero) - 1);
    struct ledger *ledger = open_ledger(dir_fd);
    assert_false(ledger_lists(ledger, "/bad"));
    assert_true(ledger_lists(ledger, "/after"));
    ledger_free(ledger);
    close(dir_fd);
}

static void the_largest_numbers_make_sense(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    write_text(ledger_path(), HEADER "-9223372036854775807\t18446744073709551615\t9999\t"
                                     "abcdefghijklmnopqrstuvwxyz-abcd\t281474976710656\t/a\\x5c\n");
    struct ledger *ledger = open_ledger(dir_fd);
    const struct ledger_source source = {"/a\\", -INT64_MAX, UINT64_MAX};
    assert_non_null(ledger_find(ledger, &source));
    /* The run is none that lives; but no more can be counted. */
    assert_int_equal(ledger_find(ledger, &source)->deaths, 9999);
    assert_string_equal(ledger_find(ledger, &source)->slug, LEDGER_SLUG_PROGRAM_DIED);
    ledger_free(ledger);
    close(dir_fd);
}

static void half_a_line_at_the_end_is_passed_over(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    struct ledger *ledger = open_ledger(dir_fd);
    assert_int_equal(fail_it(ledger, dir_fd, "/first", "damaged", 0), 0);
    const size_t half = strlen(ledger_text());
    assert_int_equal(fail_it(ledger, dir_fd, "/second", "damaged", 0), 0);
    ledger_free(ledger);
    size_t whole;
    const char *text = read_file(ledger_path(), &whole);
    for (size_t size = 0; size < whole; size++) {
        write_file(ledger_path(), text, size);
        ledger = open_ledger(dir_fd);
        assert_int_equal(ledger_problem(ledger), 0);
        assert_true(knows(ledger, "/first", size >= half ? "damaged" : NULL, 0));
        /* However much of the path there is: half a path is another file's. */
        assert_int_equal(ledger_knows_any(ledger), size >= half);
        assert_int_equal(fail_it(ledger, dir_fd, "/third", "timeout", 1), 0);
        ledger_free(ledger);
        ledger = open_ledger(dir_fd);
        assert_true(knows(ledger, "/first", size >= half ? "damaged" : NULL, 0));
        assert_true(knows(ledger, "/second", NULL, 0));
        assert_true(knows(ledger, "/third", "timeout", 1));
        ledger_free(ledger);
        assert_int_equal(count_entries(scratch("out")), 1);
    }
    /* It is nothing that a run must keep. */
    write_file(ledger_path(), text, half - 1);
    ledger = open_ledger(dir_fd);
    end_ledger(ledger, dir_fd, true);
    assert_int_equal(count_entries(scratch("out")), 0);
    close(dir_fd);
}

static void a_file_of_another_version_is_left_alone(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    static const char *const texts[] = {
        "thumbpool-failed 2\n1\t1\t1\tdamaged\t0\t/a\n",
        "thumbpool-failed 10\n",
        "thumbpool-failed 1\r\n",
        "1\t1\t1\tdamaged\t0\t/a\n",
        "x",
        "\n",
        "\xff\xd8\xff\xe0 a picture",
    };
    const struct ledger_source source = source_of("/b");
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        write_text(ledger_path(), texts[i]);
        const uint64_t before = tree_hash(scratch("out"), NULL);
        struct ledger *ledger = open_ledger(dir_fd);
        assert_int_equal(ledger_problem(ledger), -ENOTSUP);
        assert_false(ledger_knows_any(ledger));
        assert_int_equal(ledger_settle(ledger, dir_fd, &source), 0);
        assert_int_equal(ledger_close(ledger, dir_fd, true), 0); /* nothing was to be written */
        assert_int_equal(ledger_begin(ledger, dir_fd, &source), -ENOTSUP);
        assert_int_equal(fail_it(ledger, dir_fd, "/b", "damaged", 1), -ENOTSUP);
        assert_true(knows(ledger, "/b", "damaged", 1)); /* remembered all the same */
        assert_int_equal(ledger_close(ledger, dir_fd, true), -ENOTSUP);
        ledger_free(ledger);
        assert_true(tree_hash(scratch("out"), NULL) == before);
    }
    close(dir_fd);
}

static void a_million_sources_are_no_trouble(void **state)
{
    (void)state;
    enum { COUNT = 1000000 };
    const int dir_fd = open_root();
    char path[64];
    FILE *file = fopen(ledger_path(), "we");
    assert_non_null(file);
    fputs(HEADER, file);
    for (int i = 0; i < COUNT; i++)
        fprintf(file, "%d\t%d\t%d\tdamaged\t0\t/pictures/album-%d/%d.jpg\n", i, i, i % 3, i % 997,
                i);
    assert_int_equal(fclose(file), 0);
    struct ledger *ledger = open_ledger(dir_fd);
    for (int i = 0; i < COUNT; i++) {
        snprintf(path, sizeof(path), "/pictures/album-%d/%d.jpg", i % 997, i);
        const struct ledger_source source = {path, i, (uint64_t)i};
        assert_int_equal(ledger_find(ledger, &source)->deaths, i % 3);
        if (i % 10 != 0)
            continue;
        assert_int_equal(ledger_settle(ledger, dir_fd, &source), 0);
        assert_null(ledger_find(ledger, &source));
    }
    end_ledger(ledger, dir_fd, false);
    assert_int_equal(count_entries(scratch("out")), 1);
    ledger = open_ledger(dir_fd);
    int known = 0;
    for (int i = 0; i < COUNT; i++) {
        snprintf(path, sizeof(path), "/pictures/album-%d/%d.jpg", i % 997, i);
        known += ledger_lists(ledger, path);
    }
    assert_int_equal(known, COUNT - COUNT / 10);
    end_ledger(ledger, dir_fd, true);
    ledger = open_ledger(dir_fd); /* looked up: still there, although none of them exists */
    assert_true(ledger_knows_any(ledger));
    end_ledger(ledger, dir_fd, true);
    assert_int_equal(count_entries(scratch("out")), 0);
    close(dir_fd);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(a_missing_ledger_is_an_empty_one),
        TEST(failures_are_known_to_the_next_run),
        TEST(what_makes_no_sense_is_refused),
        TEST(deaths_are_counted_from_run_to_run),
        TEST(a_source_that_has_changed_begins_anew),
        TEST(times_and_sizes_are_kept_whatever_they_are),
        TEST(what_was_made_is_forgotten_and_an_empty_ledger_removed),
        TEST(a_run_in_which_nothing_changes_writes_nothing),
        TEST(sources_that_are_gone_are_forgotten_when_all_were_gone_through),
        TEST(any_bytes_make_a_path),
        TEST(lines_that_make_no_sense_are_passed_over),
        TEST(the_largest_numbers_make_sense),
        TEST(half_a_line_at_the_end_is_passed_over),
        TEST(a_file_of_another_version_is_left_alone),
        TEST_LONG(a_million_sources_are_no_trouble, 120000),
    };
    return test_run("app ledger", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
