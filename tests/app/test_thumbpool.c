/* test_thumbpool.c: the built program from outside, by what it writes, says and returns. What
 * happens when workers, disks and descriptors fail is in test_faults.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "album.h"
#include "files.h"
#include "isolate.h"
#include "pictures.h"
#include "program.h"

static void expect_size(const char *path, uint32_t width_px, uint32_t height_px, bool is_png)
{
    uint32_t width, height;
    bool png;
    check_picture(path, &width, &height, &png);
    assert_int_equal(width, width_px);
    assert_int_equal(height, height_px);
    assert_int_equal(png, is_png);
}

/* ---- The ordinary run ---------------------------------------------------------------------- */

static void a_folder_gets_its_thumbs(void **state)
{
    (void)state;
    make_album();
    const uint64_t before = tree_hash(scratch("in"), "thumbs");
    struct program_result result = program_run("in", NULL);
    expect_exit(&result, 0);
    assert_string_equal(result.err, "");
    assert_int_equal(strncmp(result.out, "36 made in ", 11), 0);
    assert_non_null(strstr(result.out, "files/s; thumbnails in in/thumbs\n"));
    assert_int_equal(check_outputs(scratch("in/thumbs")), 36);
    expect_size(scratch("in/thumbs/p00.jpg"), 256, 171, false);
    expect_size(scratch("in/thumbs/2020/summer/s00.JPEG"), 171, 256, false);
    expect_size(scratch("in/thumbs/2021/g00.png.jpg"), 256, 157, false);
    expect_size(scratch("in/thumbs/2021/g01.png"), 256, 158, true);
    assert_int_equal(tree_hash(scratch("in"), "thumbs"), before);
}

static void the_output_is_no_input_of_the_next_run(void **state)
{
    (void)state;
    make_album();
    struct program_result result = program_run("in", "--json", NULL);
    expect_exit(&result, 0);
    assert_true(summary_of(&result, "made") == 36);
    const uint64_t first = tree_contents_hash(scratch("in"));
    result = program_run("in", "--json", NULL);
    expect_exit(&result, 0);
    assert_true(summary_of(&result, "up_to_date") == 36);
    assert_true(summary_of(&result, "inputs") == 36);
    assert_int_equal(tree_contents_hash(scratch("in")), first);
    /* Also where the output's name comes late and lies deep. */
    result = program_run("in", "-o", "in/2021/out", "--json", NULL);
    result = program_run("in", "-o", "in/2021/out", "--json", NULL);
    expect_exit(&result, 0);
    assert_true(summary_of(&result, "up_to_date") == 36);
    assert_true(summary_of(&result, "skipped") == 36); /* in/thumbs: an output of the same folder */
    result = program_run("in", "-L", "-H", "-o", "in", NULL);
    assert_int_equal(check_outputs(scratch("in/2021/out")), 36);
}

static void all_backends_and_numbers_of_jobs_make_the_same_bytes(void **state)
{
    (void)state;
    static const char *const backends[] = {"serial", "thread", "process"};
    static const char *const jobs[] = {"1", "2", "5"};
    uint64_t first = 0;
    make_album();
    for (size_t b = 0; b < 3; b++) {
        for (size_t j = 0; j < 3; j++) {
            const char *out = scratch("%s-%s", backends[b], jobs[j]);
            struct program_result result = program_run("in", "--json", "-o", out, "--backend",
                                                       backends[b], "-j", jobs[j], NULL);
            expect_exit(&result, 0);
            const uint64_t hash = tree_contents_hash(out);
            if (first == 0)
                first = hash;
            assert_int_equal(hash, first);
            size_t count;
            const struct json_value *start = program_events(&result, &count)[0];
            assert_string_equal(string_of(start, "backend"), backends[b]);
            assert_true(json_get(start, "workers")->number == (b == 0 ? 1 : (double)atoi(jobs[j])));
        }
    }
}

static void options_shape_the_thumbnail(void **state)
{
    (void)state;
    make_folder(scratch("in"));
    make_jpeg(scratch("in/a.jpg"), 800, 400, 1);
    make_png(scratch("in/b.png"), 800, 400, true, 2);
    make_jpeg(scratch("in/small.jpg"), 20, 10, 3);
    struct program_result result = program_run("in", "-s", "100", "-o", "s100", NULL);
    expect_exit(&result, 0);
    expect_size(scratch("s100/a.jpg"), 100, 50, false);
    expect_size(scratch("s100/b.png"), 100, 50, true);
    expect_size(scratch("s100/small.jpg"), 20, 10, false);
    result = program_run("in", "--size=300x20", "--output=box", NULL);
    expect_exit(&result, 0);
    expect_size(scratch("box/a.jpg"), 40, 20, false);
    result = program_run("in", "-fpng", "-o", "png", NULL);
    expect_exit(&result, 0);
    expect_size(scratch("png/a.jpg.png"), 256, 128, true);
    expect_size(scratch("png/b.png"), 256, 128, true);
    result = program_run("in", "-f", "jpeg", "-q", "5", "-o", "low", NULL);
    expect_exit(&result, 0);
    expect_size(scratch("low/b.png.jpg"), 256, 128, false);
    result = program_run("in", "-f", "jpeg", "-q", "98", "-o", "high", NULL);
    expect_exit(&result, 0);
    struct stat low, high;
    assert_int_equal(stat(scratch("low/a.jpg"), &low), 0);
    assert_int_equal(stat(scratch("high/a.jpg"), &high), 0);
    assert_true(low.st_size * 2 < high.st_size);
}

static void json_lines_have_the_documented_shape(void **state)
{
    (void)state;
    make_folder(scratch("in/a"));
    make_jpeg(scratch("in/a/b.jpg"), 300, 200, 1);
    write_text(scratch("in/a/x.jpg"), "a text file\n");
    write_text(scratch("in/a/notes.txt"), "notes\n");
    const struct program_setup inside = {.folder = scratch("in")};
    struct program_result result = program_run_with(&inside, "--json", "-j2", ".", NULL);
    expect_exit(&result, 1);
    assert_string_equal(result.err, "");
    size_t count;
    struct json_value **events = program_events(&result, &count);
    assert_int_equal(count, 5);
    assert_ptr_equal(strstr(result.out, "{\"event\":\"start\",\"inputs\":null,\"workers\":2,"
                                        "\"backend\":\"process\"}\n"),
                     result.out);
    const struct json_value *made = program_file(&result, "a/b.jpg");
    assert_string_equal(string_of(made, "path"), "a/b.jpg");
    assert_string_equal(string_of(made, "format"), "jpeg");
    const struct json_value *output = json_get(made, "outputs")->child;
    assert_string_equal(string_of(output, "path"), "thumbs/a/b.jpg");
    assert_true(json_get(output, "width")->number == 256);
    assert_true(json_get(output, "height")->number == 171);
    size_t size_bytes;
    read_file(scratch("in/thumbs/a/b.jpg"), &size_bytes);
    assert_true(json_get(output, "bytes")->number == (double)size_bytes);
    static const char *const times[] = {"read", "decode", "resample", "encode", "write"};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(json_get(json_get(made, "ms"), times[i])->type, JSON_NUMBER);
    const struct json_value *failed = program_file(&result, "a/x.jpg");
    assert_string_equal(string_of(failed, "error"), "not-an-image");
    assert_int_equal(strncmp(string_of(failed, "message"), "a/x.jpg: ", 9), 0);
    assert_string_equal(string_of(program_file(&result, "a/notes.txt"), "status"), "skipped");
    assert_null(json_get(events[count - 1], "status"));
}

static void one_bad_file_does_not_touch_the_others(void **state)
{
    (void)state;
    size_t size_bytes;
    make_folder(scratch("in"));
    make_jpeg(scratch("in/good.jpg"), 300, 200, 1);
    const char *good = read_file(scratch("in/good.jpg"), &size_bytes);
    write_file(scratch("in/cut.jpg"), good, size_bytes / 2);
    write_text(scratch("in/text.jpg"), "text");
    write_text(scratch("in/empty.jpg"), "");
    write_text(scratch("in/sparse.jpg"), "");
    assert_int_equal(truncate(scratch("in/sparse.jpg"), INT64_C(1) << 40), 0);
    write_file(scratch("in/vast.jpg"), good, size_bytes);
    assert_int_equal(truncate(scratch("in/vast.jpg"), INT64_C(1) << 40), 0);
    assert_int_equal(mkfifo(scratch("in/fifo.jpg"), 0600), 0);
    assert_int_equal(symlink("good.jpg", scratch("in/link.jpg")), 0);
    struct program_result result = program_run("in", "--json", NULL);
    expect_exit(&result, 1);
    assert_string_equal(error_of(&result, "cut.jpg"), "truncated");
    assert_string_equal(error_of(&result, "text.jpg"), "not-an-image");
    assert_string_equal(error_of(&result, "empty.jpg"), "empty");
    assert_string_equal(error_of(&result, "sparse.jpg"), "not-an-image");
    assert_string_equal(error_of(&result, "vast.jpg"), "too-large");
    assert_string_equal(string_of(program_file(&result, "fifo.jpg"), "why"), "FIFO");
    assert_string_equal(string_of(program_file(&result, "link.jpg"), "why"), "symbolic link");
    assert_string_equal(string_of(program_file(&result, "good.jpg"), "status"), "made");
    assert_int_equal(check_outputs(scratch("in/thumbs")), 1);
    assert_true(result.took_ms < scaled(5000));
    /* For people the same, on standard error. */
    result = program_run("in", "-v", "--overwrite=always", NULL);
    expect_exit(&result, 1);
    assert_non_null(strstr(result.err, "thumbpool: in/text.jpg: not a picture"));
    assert_non_null(strstr(result.out, "skipped in/fifo.jpg: FIFO\n"));
    assert_non_null(strstr(result.out, "made in/thumbs/good.jpg (256x171, "));
    assert_non_null(strstr(result.out, "1 made, 2 skipped, 5 failed in "));
    result = program_run("in", "--quiet", NULL);
    assert_string_equal(result.out, "");
    assert_non_null(strstr(result.err, "in/text.jpg"));
}

/* ---- Names --------------------------------------------------------------------------------- */

static void odd_names_come_through_unharmed_and_are_shown_harmless(void **state)
{
    (void)state;
    static const char *const names[] = {"a\nb",    "tab\there", "\x1b[31mred",
                                        "caf\xe9", "-o",        "back\\slash",
                                        "quote\"", "\xff\xfe",  "\xe2\x80\xaegpj"};
    const size_t name_count = sizeof(names) / sizeof(names[0]);
    make_folder(scratch("in/fold\ner"));
    for (size_t i = 0; i < name_count; i++) {
        make_jpeg(scratch("in/fold\ner/%s.jpg", names[i]), 50, 40, (unsigned)i);
        write_text(scratch("in/fold\ner/%s.png", names[i]), "bad");
    }
    struct program_result result = program_run("in", "-v", NULL);
    expect_exit(&result, 1);
    for (size_t i = 0; i < name_count; i++)
        expect_size(scratch("in/thumbs/fold\ner/%s.jpg", names[i]), 50, 40, false);
    for (size_t i = 0; i < result.out_bytes + result.err_bytes; i++) {
        const unsigned char byte =
            (unsigned char)(i < result.out_bytes ? result.out[i]
                                                 : result.err[i - result.out_bytes]);
        assert_true(byte == '\n' || (byte >= ' ' && byte < 0x7f));
    }
    assert_non_null(strstr(result.err, "thumbpool: in/fold\\x0aer/a\\x0ab.png: "));
    assert_non_null(strstr(result.err, "thumbpool: in/fold\\x0aer/caf\\xe9.png: "));
    /* As JSON every name comes back exactly. */
    result = program_run("in", "--json", NULL);
    size_t count, plain = 0, coded = 0;
    struct json_value **events = program_events(&result, &count);
    for (size_t i = 0; i < count; i++) {
        const char *path = string_of(events[i], "path");
        if (path[0]) {
            plain++;
            assert_true(file_exists(scratch("%s", path)));
        }
        coded += json_get(events[i], "path_b64") != NULL;
    }
    assert_int_equal(plain, (name_count - 2) * 2);
    assert_int_equal(coded, 4);
    assert_null(memchr(result.out, '\x1b', result.out_bytes));
}

static void two_files_never_share_a_name_silently(void **state)
{
    (void)state;
    static const char *const backends[] = {"serial", "thread", "process"};
    make_folder(scratch("in/opaque"));
    make_folder(scratch("in/clear"));
    /* The rival that comes first takes longer, so that results come in the wrong order. */
    make_png(scratch("in/opaque/a.png"), 1500, 1500, false, 1);
    make_jpeg(scratch("in/opaque/a.png.jpg"), 30, 20, 2);
    make_png(scratch("in/clear/a.png"), 1500, 1500, true, 3);
    make_jpeg(scratch("in/clear/a.png.jpg"), 30, 20, 4);
    for (size_t b = 0; b < 3; b++) {
        struct program_result result = program_run("in", "--json", "-j4", "--overwrite=always",
                                                   "--backend", backends[b], NULL);
        expect_exit(&result, 1);
        assert_string_equal(error_of(&result, "opaque/a.png.jpg"), "collision");
        expect_size(scratch("in/thumbs/opaque/a.png.jpg"), 256, 256, false);
        expect_size(scratch("in/thumbs/clear/a.png"), 256, 256, true);
        expect_size(scratch("in/thumbs/clear/a.png.jpg"), 30, 20, false);
        assert_true(summary_of(&result, "made") == 3);
    }
    /* With a format that is known beforehand it is known beforehand. */
    struct program_result result =
        program_run("in", "--json", "-f", "jpeg", "--overwrite=always", NULL);
    assert_string_equal(error_of(&result, "opaque/a.png.jpg"), "collision");
    assert_string_equal(error_of(&result, "clear/a.png.jpg"), "collision");
    assert_true(summary_of(&result, "made") == 2);
    result = program_run("in", "-f", "jpeg", "-n", "--json", "--overwrite=always", NULL);
    expect_exit(&result, 1);
    assert_true(summary_of(&result, "planned") == 2);
}

static void no_source_is_ever_replaced(void **state)
{
    (void)state;
    make_album();
    const uint64_t before = tree_hash(scratch("in"), NULL);
    static const char *const runs[][6] = {
        {"in", "-o", "in", "--json", "-fjpeg", NULL},
        {"in", "-o", "in/2021/..", "--json", "-fjpeg", NULL},
        {"in", "in/2020", "-o", ".", "--json", "-fjpeg"},
    };
    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
        struct program_result result = program_run(runs[i][0], runs[i][1], runs[i][2], runs[i][3],
                                                   runs[i][4], runs[i][5], NULL);
        expect_exit(&result, 1);
        assert_string_equal(error_of(&result, "in/p00.jpg"), "collision");
        assert_true(summary_of(&result, "failed") == 24); /* the JPEGs; PNGs get new names */
        for (unsigned n = 0; n < 12; n++)
            assert_int_equal(unlink(scratch("in/2021/g%02u.png.jpg", n)), 0);
        if (i < 2) /* the third one's root is outside */
            assert_int_equal(unlink(scratch("in/.thumbpool-failed")), 0);
        assert_int_equal(tree_hash(scratch("in"), NULL), before);
    }
    /* A folder among the sources that another PATH's thumbnails would go to. */
    make_folder(scratch("one/sub"));
    make_jpeg(scratch("one/sub/b.png.jpg"), 30, 20, 2);
    make_png(scratch("b.png"), 50, 50, false, 3);
    struct program_result result = program_run("one/sub", "b.png", "-o", "one/sub", "--json", NULL);
    expect_exit(&result, 1);
    assert_string_equal(error_of(&result, "b.png"), "collision");
    expect_size(scratch("one/sub/b.png.jpg"), 30, 20, false);
}

/* ---- PATHs --------------------------------------------------------------------------------- */

static void several_paths_and_files_are_mirrored(void **state)
{
    (void)state;
    make_folder(scratch("a/x"));
    make_folder(scratch("b"));
    make_jpeg(scratch("a/x/1.jpg"), 30, 20, 1);
    make_jpeg(scratch("b/2.jpg"), 30, 20, 2);
    make_jpeg(scratch("3.jpg"), 30, 20, 3);
    struct program_result result = program_run("a", "b/", "3.jpg", "-o", "out", NULL);
    expect_exit(&result, 0);
    assert_true(file_exists(scratch("out/a/x/1.jpg")));
    assert_true(file_exists(scratch("out/b/2.jpg")));
    assert_true(file_exists(scratch("out/3.jpg")));
    result = program_run("a", "-o", "one", NULL);
    expect_exit(&result, 0);
    assert_true(file_exists(scratch("one/x/1.jpg")));
    result = program_run("a", "b", "3.jpg", NULL);
    expect_exit(&result, 0);
    assert_true(file_exists(scratch("a/thumbs/x/1.jpg")));
    assert_true(file_exists(scratch("b/thumbs/2.jpg")));
    assert_true(file_exists(scratch("thumbs/3.jpg")));
    assert_non_null(strstr(result.out, "thumbnails in a/thumbs, b/thumbs, thumbs\n"));
    make_folder(scratch("c/b"));
    result = program_run("b", "c/b", "-o", "out2", NULL);
    expect_exit(&result, 2);
    assert_non_null(strstr(result.err, "--output"));
    assert_false(file_exists(scratch("out2")));
}

static void a_missing_path_is_told_and_the_others_are_made(void **state)
{
    (void)state;
    make_folder(scratch("in"));
    make_jpeg(scratch("in/a.jpg"), 30, 20, 1);
    struct program_result result = program_run("nothing", "in", NULL);
    expect_exit(&result, 1);
    assert_string_equal(result.err, "thumbpool: nothing: No such file or directory\n");
    assert_true(file_exists(scratch("in/thumbs/a.jpg")));
    result = program_run("nothing", "--json", NULL);
    expect_exit(&result, 1);
    assert_string_equal(error_of(&result, "nothing"), "unreadable");
    make_folder(scratch("empty"));
    result = program_run("empty", NULL);
    expect_exit(&result, 0);
    assert_int_equal(count_entries(scratch("empty")), 0);
}

static void a_file_named_on_the_command_line_is_tried(void **state)
{
    (void)state;
    make_folder(scratch("in"));
    make_jpeg(scratch("in/.hidden"), 30, 20, 1);
    write_text(scratch("in/notes.txt"), "notes");
    assert_int_equal(symlink(".hidden", scratch("in/link")), 0);
    assert_int_equal(mkfifo(scratch("in/fifo"), 0600), 0);
    struct program_result result =
        program_run("in/.hidden", "in/notes.txt", "in/link", "in/fifo", "--json", NULL);
    expect_exit(&result, 1);
    assert_string_equal(error_of(&result, "notes.txt"), "not-an-image");
    assert_string_equal(string_of(program_file(&result, "fifo"), "why"), "FIFO");
    assert_true(file_exists(scratch("in/thumbs/.hidden.jpg")));
    assert_true(file_exists(scratch("in/thumbs/link.jpg")));
}

static void depth_hidden_and_links_are_as_asked_for(void **state)
{
    (void)state;
    make_folder(scratch("in/1/2/3"));
    make_folder(scratch("in/.h"));
    make_folder(scratch("aside"));
    make_jpeg(scratch("in/a.jpg"), 30, 20, 1);
    make_jpeg(scratch("in/1/b.jpg"), 30, 20, 1);
    make_jpeg(scratch("in/1/2/c.jpg"), 30, 20, 1);
    make_jpeg(scratch("in/.h/d.jpg"), 30, 20, 1);
    make_jpeg(scratch("in/.e.jpg"), 30, 20, 1);
    make_jpeg(scratch("aside/f.jpg"), 30, 20, 1);
    assert_int_equal(symlink("../../aside", scratch("in/1/aside")), 0);
    assert_int_equal(symlink("..", scratch("in/1/loop")), 0);
    struct program_result result = program_run("in", "--json", "--max-depth", "2", NULL);
    expect_exit(&result, 0);
    assert_true(summary_of(&result, "made") == 2);
    assert_string_equal(string_of(program_file(&result, ".e.jpg"), "why"), "hidden");
    result = program_run("in", "--json", "-H", "--overwrite=always", NULL);
    assert_true(summary_of(&result, "made") == 5);
    result = program_run("in", "--json", "-L", "--overwrite=always", NULL);
    expect_exit(&result, 0);
    assert_true(summary_of(&result, "made") == 4);
    assert_string_equal(string_of(program_file(&result, "1/loop"), "why"), "symbolic link loop");
    assert_true(file_exists(scratch("in/thumbs/1/aside/f.jpg")));
}

static void what_cannot_be_read_fails_alone(void **state)
{
    (void)state;
    const struct program_setup nobody = {.as_nobody = true};
    make_folder(scratch("in/locked"));
    make_jpeg(scratch("in/a.jpg"), 30, 20, 1);
    make_jpeg(scratch("in/b.jpg"), 30, 20, 1);
    write_text(scratch("in/secret"), "no picture by its name");
    assert_int_equal(chmod(test_scratch(), 0755), 0);
    assert_int_equal(chmod(scratch("in"), 0777), 0);
    assert_int_equal(chmod(scratch("in/locked"), 0), 0);
    assert_int_equal(chmod(scratch("in/b.jpg"), 0), 0);
    assert_int_equal(chmod(scratch("in/secret"), 0), 0);
    struct program_result result = program_run_with(&nobody, "in", "--json", NULL);
    expect_exit(&result, 1);
    assert_string_equal(error_of(&result, "in/locked"), "unreadable");
    assert_string_equal(error_of(&result, "b.jpg"), "unreadable");
    assert_string_equal(string_of(program_file(&result, "secret"), "status"), "skipped");
    assert_string_equal(string_of(program_file(&result, "a.jpg"), "status"), "made");
    /* An output that cannot be written ends the run. */
    assert_int_equal(chmod(scratch("in"), 0555), 0);
    result = program_run_with(&nobody, "in", "-o", "in/new", NULL);
    expect_exit(&result, 3);
    assert_non_null(strstr(result.err, "thumbpool: cannot write the thumbnails: in/new: "
                                       "Permission denied\n"));
    assert_int_equal(chmod(scratch("in"), 0755), 0);
    assert_int_equal(chmod(scratch("in/locked"), 0700), 0);
}

static void a_thumbs_that_is_no_folder_ends_the_run(void **state)
{
    (void)state;
    make_folder(scratch("in"));
    make_folder(scratch("elsewhere"));
    make_jpeg(scratch("in/a.jpg"), 30, 20, 1);
    assert_int_equal(symlink("../elsewhere", scratch("in/thumbs")), 0);
    struct program_result result = program_run("in", NULL);
    expect_exit(&result, 3);
    assert_non_null(strstr(result.err, "in/thumbs is no folder, or a symbolic link"));
    assert_int_equal(count_entries(scratch("elsewhere")), 0);
}

/* ---- Usage --------------------------------------------------------------------------------- */

static void wrong_usage_is_one_line_and_exit_2(void **state)
{
    (void)state;
    static const struct {
        const char *arg, *value, *says;
    } rows[] = {
        {"--sise", "3", "--size"},
        {"--size", "0", "--size"},
        {"--fit", "smart", "inside"},
        {"--files-from", "x", "--files-from: x: No such file or directory"},
        {"--preview", "auto", "nearest"},
        {"--overwrite", "nevre", "'never'"},
        {"--no-sand-box", NULL, "--no-sandbox"},
        {"--memory", "12", "64M"},
        {"--fail-on", "never", "none"},
        {"-9", NULL, "nearest"},
        {"--backend", "fork", "process"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct program_result result = program_run("in", rows[i].arg, rows[i].value, NULL);
        expect_exit(&result, 2);
        assert_string_equal(result.out, "");
        assert_int_equal(strncmp(result.err, "thumbpool: ", 11), 0);
        assert_non_null(strstr(result.err, rows[i].says));
        assert_int_equal(strcspn(result.err, "\n") + 1, result.err_bytes);
    }
    struct program_result result = program_run(NULL, NULL);
    expect_exit(&result, 2);
    assert_non_null(strstr(result.err, "PATH"));
}

static void help_and_version_go_to_standard_output(void **state)
{
    (void)state;
    struct program_result result = program_run("--help", NULL);
    expect_exit(&result, 0);
    assert_non_null(strstr(result.out, "Usage: thumbpool [OPTIONS] PATH...\n"));
    assert_string_equal(result.err, "");
    result = program_run("--version", NULL);
    expect_exit(&result, 0);
    assert_int_equal(strncmp(result.out, "thumbpool 0.", 12), 0);
    assert_non_null(strstr(result.out, "\nlibjpeg-turbo "));
    assert_non_null(strstr(result.out, "\nlibpng "));
    const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (full < 0)
        return;
    const struct program_setup setup = {.out_fd = full};
    result = program_run_with(&setup, "--help", NULL);
    expect_exit(&result, 3);
    assert_non_null(strstr(result.err, "No space left"));
    make_folder(scratch("in"));
    make_jpeg(scratch("in/a.jpg"), 30, 20, 1);
    result = program_run_with(&setup, "in", "--json", NULL);
    expect_exit(&result, 3);
    assert_true(file_exists(scratch("in/thumbs/a.jpg")));
    close(full);
}

static void a_rehearsal_touches_nothing(void **state)
{
    (void)state;
    make_album();
    write_text(scratch("in/notes.txt"), "notes");
    const uint64_t before = tree_hash(scratch("in"), NULL);
    struct program_result result = program_run("in", "-n", NULL);
    expect_exit(&result, 0);
    assert_non_null(strstr(result.out, "would make in/thumbs/p00.jpg from in/p00.jpg\n"));
    assert_non_null(strstr(result.out, "would make in/thumbs/2021/g00.png.jpg (or, with "
                                       "transparency, in/thumbs/2021/g00.png) from "));
    assert_non_null(strstr(result.out, "\n36 would be made, 1 skipped in "));
    result = program_run("in", "--dry-run", "--json", "-o", "out", NULL);
    expect_exit(&result, 0);
    assert_true(summary_of(&result, "made") == 0);
    assert_true(summary_of(&result, "planned") == 36);
    assert_int_equal(tree_hash(scratch("in"), NULL), before);
    assert_false(file_exists(scratch("out")));
}

/* ---- The bar ------------------------------------------------------------------------------- */

static void a_terminal_gets_a_bar_that_goes_away(void **state)
{
    (void)state;
    static const char *const env[] = {"TERM=xterm", NULL};
    make_many_slow(20);
    write_text(scratch("in/bad.jpg"), "bad");
    struct program_setup setup = {.env = env};
    struct program_result result = program_run_with(&setup, "in", "--progress", "always", NULL);
    expect_exit(&result, 1);
    assert_non_null(strstr(result.err, " of 21"));
    assert_non_null(strstr(result.err, "files/s"));
    assert_non_null(strstr(result.err, "\r\x1b[?7h\x1b[Jthumbpool: in/bad.jpg: "));
    const char *end = "\r\x1b[?7h\x1b[J";
    assert_string_equal(result.err + result.err_bytes - strlen(end), end);
    assert_null(strchr(result.out, '\r'));
    result = program_run_with(&setup, "in", NULL); /* no terminal: no bar */
    assert_null(strchr(result.err, '\r'));
    result =
        program_run_with(&setup, "in", "--json", "--progress=always", "--overwrite=always", NULL);
    assert_true(summary_of(&result, "made") == 20);
    assert_non_null(strchr(result.err, '\r'));
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(a_folder_gets_its_thumbs),
        TEST(the_output_is_no_input_of_the_next_run),
        TEST(all_backends_and_numbers_of_jobs_make_the_same_bytes),
        TEST(options_shape_the_thumbnail),
        TEST(json_lines_have_the_documented_shape),
        TEST(one_bad_file_does_not_touch_the_others),
        TEST(odd_names_come_through_unharmed_and_are_shown_harmless),
        TEST(two_files_never_share_a_name_silently),
        TEST(no_source_is_ever_replaced),
        TEST(several_paths_and_files_are_mirrored),
        TEST(a_missing_path_is_told_and_the_others_are_made),
        TEST(a_file_named_on_the_command_line_is_tried),
        TEST(depth_hidden_and_links_are_as_asked_for),
        TEST(what_cannot_be_read_fails_alone),
        TEST(a_thumbs_that_is_no_folder_ends_the_run),
        TEST(wrong_usage_is_one_line_and_exit_2),
        TEST(help_and_version_go_to_standard_output),
        TEST(a_rehearsal_touches_nothing),
        TEST(a_terminal_gets_a_bar_that_goes_away),
    };
    return test_run("thumbpool", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
