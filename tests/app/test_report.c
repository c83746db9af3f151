#include "app/report_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "isolate.h"
#include "json_check.h"

/* A report whose standard output and error are files. */
struct fixture {
    struct options options;
    struct inputs *inputs;
    struct report *report;
    int out, err; /* the real ones */
};

static int redirect(int fd, const char *path)
{
    const int before = fcntl(fd, F_DUPFD_CLOEXEC, 10);
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(before >= 0 && file >= 0 && dup2(file, fd) >= 0);
    close(file);
    return before;
}

static void fixture_init(struct fixture *fixture, struct options options)
{
    static const char *paths[] = {"in"};
    struct text message = TEXT_INIT;
    make_folder(scratch("in"));
    assert_int_equal(chdir(test_scratch()), 0);
    options.paths = paths;
    options.path_count = 1;
    *fixture = (struct fixture){.options = options};
    assert_int_equal(inputs_create(&fixture->options, &fixture->inputs, &message), 0);
    fflush(NULL);
    fixture->out = redirect(STDOUT_FILENO, "out");
    fixture->err = redirect(STDERR_FILENO, "err");
    assert_int_equal(report_create(&fixture->options, fixture->inputs, &fixture->report), 0);
}

static void fixture_done(struct fixture *fixture)
{
    report_free(fixture->report);
    inputs_free(fixture->inputs);
    dup2(fixture->out, STDOUT_FILENO);
    dup2(fixture->err, STDERR_FILENO);
    close(fixture->out);
    close(fixture->err);
}

static const struct report_thumbnail made = {.output = "thumbs/a\nb.jpg",
                                             .width_px = 256,
                                             .height_px = 171,
                                             .size_bytes = 9120,
                                             .format = "jpeg",
                                             .source_format = "heif",
                                             .source_width_px = 4000,
                                             .source_height_px = 3000,
                                             .source_bytes = 1000000,
                                             .decoder = "libvips",
                                             .damage = "",
                                             .worker_pid = 42,
                                             .read_us = 249,
                                             .decode_us = 7949,
                                             .write_us = 50};

static void say_everything(struct report *report)
{
    const struct report_failure failure = {
        .slug = "worker-died", .words = "killed by signal 9", .worker_pid = 7, .signal = 9};
    report_start(report, 2, NULL);
    for (int i = 0; i < 4; i++)
        report_input(report);
    report_made(report, "a\nb\xff.jpg", &made);
    report_skipped(report, "notes\x1b[31m", "not a picture");
    report_failed(report, "x\xe9\t.jpg", &failure);
    report_summary(report, 15, -1);
}

static void machines_get_one_object_a_line(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture, (struct options){.json = true, .verbose = true});
    say_everything(fixture.report);
    assert_int_equal(report_counts(fixture.report)->inputs, 4);
    fixture_done(&fixture);
    const char *line = read_file("out", NULL);
    const struct json_value *events[5];
    for (int i = 0; i < 5; i++) {
        const size_t length = strcspn(line, "\n");
        events[i] = json_read(line, length);
        assert_non_null(events[i]);
        line += length + 1;
    }
    assert_string_equal(line, "");
    assert_int_equal(json_get(events[0], "inputs")->type, JSON_NULL);
    assert_true(json_get(events[0], "workers")->number == 2);
    assert_string_equal(json_get(events[0], "backend")->string, "process");
    assert_null(json_get(events[1], "path"));
    assert_string_equal(json_get(events[1], "path_b64")->string, "YQpi/y5qcGc=");
    const struct json_value *output = json_get(events[1], "outputs")->child;
    assert_string_equal(json_get(output, "path")->string, "thumbs/a\nb.jpg");
    assert_true(json_get(output, "height")->number == 171);
    assert_string_equal(json_get(events[1], "format")->string, "heif");
    assert_true(json_get(events[1], "ms/read")->number == 0.2);
    assert_true(json_get(events[1], "ms/decode")->number == 7.9);
    assert_true(json_get(events[1], "ms/write")->number == 0.1);
    assert_string_equal(json_get(events[2], "why")->string, "not a picture");
    assert_string_equal(json_get(events[3], "error")->string, "worker-died");
    assert_string_equal(json_get(events[3], "message")->string,
                        "x\\xe9\\x09.jpg: killed by signal 9");
    assert_true(json_get(events[3], "signal")->number == 9);
    assert_true(json_get(events[4], "unfinished")->number == 1);
    assert_true(json_get(events[4], "signal")->number == 15);
    assert_true(json_get(events[4], "errors/worker-died")->number == 1);
    assert_string_equal(read_file("err", NULL), "");
}

static void people_get_failures_and_a_summary(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture, (struct options){.color = WHEN_NEVER});
    say_everything(fixture.report);
    fixture_done(&fixture);
    assert_string_equal(read_file("err", NULL), "thumbpool: x\\xe9\\x09.jpg: killed by signal 9\n");
    const char *out = read_file("out", NULL);
    assert_int_equal(strncmp(out, "1 made, 1 skipped, 1 failed, 1 not finished in 0.", 48), 0);
    assert_non_null(strstr(out, "; thumbnails in in/thumbs; ended by signal 15"));
    assert_non_null(strstr(out, " files/s"));
    assert_int_equal(out[strcspn(out, "\n") + 1], '\0');
}

static void verbose_and_quiet_do_what_they_say(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture, (struct options){.verbose = true, .quiet = true});
    say_everything(fixture.report);
    fixture_done(&fixture);
    assert_string_equal(read_file("out", NULL),
                        "made thumbs/a\\x0ab.jpg (256x171, 9120 bytes) from a\\x0ab\\xff.jpg\n"
                        "skipped notes\\x1b[31m: not a picture\n");
}

static void colours_come_only_when_they_may(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture, (struct options){.color = WHEN_ALWAYS});
    say_everything(fixture.report);
    fixture_done(&fixture);
    assert_non_null(strstr(read_file("err", NULL), "\x1b[31mx\\xe9"));
    assert_non_null(strstr(read_file("out", NULL), "\x1b[32m1 made\x1b[0m"));
    fixture_init(&fixture, (struct options){.color = WHEN_AUTO}); /* a file is no terminal */
    say_everything(fixture.report);
    fixture_done(&fixture);
    assert_null(strchr(read_file("err", NULL), '\x1b'));
    assert_null(strchr(read_file("out", NULL), '\x1b'));
}

static void plans_and_fatal_causes_are_told(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture, (struct options){.json = true, .dry_run = true});
    report_start(fixture.report, 0, NULL);
    report_input(fixture.report);
    report_planned(fixture.report, "a.png", "thumbs/a.png.jpg", "thumbs/a.png");
    report_fatal(fixture.report, "no space left");
    report_summary(fixture.report, 0, -1);
    fixture_done(&fixture);
    const char *out = read_file("out", NULL);
    assert_non_null(strstr(out,
                           "\"status\":\"planned\",\"outputs\":[{\"path\":\"thumbs/a.png.jpg\"}],"
                           "\"or\":[{\"path\":\"thumbs/a.png\"}]}\n"));
    assert_non_null(strstr(out, "{\"event\":\"error\",\"message\":\"no space left\"}\n"));
    assert_non_null(strstr(out, "\"planned\":1}\n"));
    assert_string_equal(read_file("err", NULL), "thumbpool: no space left\n");
    fixture_init(&fixture, (struct options){.dry_run = true});
    report_input(fixture.report);
    report_planned(fixture.report, "a\x1b.jpg", "thumbs/a\x1b.jpg", NULL);
    report_summary(fixture.report, 0, -1);
    fixture_done(&fixture);
    assert_int_equal(strncmp(read_file("out", NULL),
                             "would make thumbs/a\\x1b.jpg from a\\x1b.jpg\n1 would be made in",
                             60),
                     0);
}

static void what_is_up_to_date_or_removed_is_told(void **state)
{
    (void)state;
    for (int json = 0; json < 2; json++) {
        struct fixture fixture;
        fixture_init(&fixture,
                     (struct options){.json = json == 1, .verbose = json == 0, .prune = true});
        report_input(fixture.report);
        report_up_to_date(fixture.report, "a\xff.jpg", "thumbs/a\xff.jpg");
        report_pruned(fixture.report, "thumbs/b\n.jpg", false);
        report_pruned(fixture.report, "thumbs/c.jpg", true);
        assert_int_equal(report_counts(fixture.report)->up_to_date, 1);
        report_summary(fixture.report, 0, -1);
        fixture_done(&fixture);
        const char *out = read_file("out", NULL);
        const char *wanted =
            json ? "{\"event\":\"file\",\"path_b64\":\"Yf8uanBn\",\"status\":\"up_to_date\","
                   "\"outputs\":[{\"path_b64\":\"dGh1bWJzL2H/LmpwZw==\"}]}\n"
                   "{\"event\":\"pruned\",\"path\":\"thumbs/b\\n.jpg\"}\n"
                   "{\"event\":\"pruned\",\"path\":\"thumbs/c.jpg\",\"dry_run\":true}\n"
                   "{\"event\":\"summary\",\"made\":0,\"up_to_date\":1,"
                 : "up to date thumbs/a\\xff.jpg from a\\xff.jpg\n"
                   "removed thumbs/b\\x0a.jpg\n"
                   "would remove thumbs/c.jpg\n"
                   "0 made, 1 up to date, 2 removed in 0.";
        assert_int_equal(strncmp(out, wanted, strlen(wanted)), 0);
        assert_true(!json || strstr(out, "\"pruned\":2"));
    }
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(machines_get_one_object_a_line),     TEST(people_get_failures_and_a_summary),
        TEST(verbose_and_quiet_do_what_they_say), TEST(colours_come_only_when_they_may),
        TEST(plans_and_fatal_causes_are_told),    TEST(what_is_up_to_date_or_removed_is_told),
    };
    return test_run("app report", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
