#include "app/plan_priv.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "isolate.h"
#include "pictures.h"
#include "walks.h"

static void names_say_the_format_once(void **state)
{
    (void)state;
    static const struct {
        const char *source, *jpeg, *png;
    } rows[] = {
        {"a.jpg", "a.jpg", "a.jpg.png"},
        {"a.JPG", "a.JPG", "a.JPG.png"},
        {"a.jpeg", "a.jpeg", "a.jpeg.png"},
        {"a.jpe", "a.jpe", "a.jpe.png"},
        {"a.JFIF", "a.JFIF", "a.JFIF.png"},
        {"a.png", "a.png.jpg", "a.png"},
        {"a.PNG", "a.PNG.jpg", "a.PNG"},
        {"a.heic", "a.heic.jpg", "a.heic.png"},
        {"a", "a.jpg", "a.png"},
        {"a.", "a..jpg", "a..png"},
        {".jpg", ".jpg.jpg", ".jpg.png"},
        {"a.png.jpg", "a.png.jpg", "a.png.jpg.png"},
        {"a b.txt", "a b.txt.jpg", "a b.txt.png"},
        {"jpg", "jpg.jpg", "jpg.png"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct text name = TEXT_INIT;
        plan_name(&name, rows[i].source, IMG_FORMAT_JPEG);
        assert_string_equal(text_string(&name), rows[i].jpeg);
        text_cut(&name, 0);
        plan_name(&name, rows[i].source, IMG_FORMAT_PNG);
        assert_string_equal(text_string(&name), rows[i].png);
        text_done(&name);
    }
}

static int make_plan(struct plan *plan, struct walk *walk, const struct walk_entry *entry,
                     const struct inputs *inputs, enum img_format format)
{
    const struct options options = {.format = format, .box_width_px = 256, .box_height_px = 256};
    assert_int_equal(plan_begin(plan, entry, inputs, &options, ""), 0);
    return plan_make(plan, walk, entry, &options, true);
}

/* The verdicts on everything below "in", one line each. */
static char *plan_all(const char *path, enum img_format format)
{
    const struct walk_options options = {.follow = true};
    struct walk *walk = NULL;
    struct walk_entry entry;
    struct text lines = TEXT_INIT, shown = TEXT_INIT;
    struct plan plan;
    plan_init(&plan);
    struct inputs *inputs = inputs_of(path);
    assert_int_equal(walk_create(&options, inputs, &walk), 0);
    while (walk_next(walk, true, &entry) == 1) {
        if (entry.kind != WALK_FILE)
            continue;
        text_cut(&shown, 0);
        plan_shown(&shown, inputs, &entry);
        text_puts(&lines, text_string(&shown));
        assert_int_equal(make_plan(&plan, walk, &entry, inputs, format), 0);
        if (plan.verdict == PLAN_SKIPPED)
            text_printf(&lines, " skipped (%s)\n", plan.why);
        else if (plan.verdict == PLAN_FAILED)
            text_printf(&lines, " %s\n", plan.slug);
        else
            text_printf(&lines, " [%s] [%s]\n", text_string(&plan.names.jpeg),
                        text_string(&plan.names.png));
    }
    plan_done(&plan);
    walk_free(walk);
    inputs_free(inputs);
    text_done(&shown);
    return keep(lines.data);
}

static char *plan_lines(enum img_format format)
{
    return plan_all("in", format);
}

static bool has_line(const char *lines, const char *line)
{
    const char *found = strstr(lines, line);
    return found && found[strlen(line)] == '\n';
}

static void pictures_are_known_by_extension_or_content(void **state)
{
    (void)state;
    make_folder(scratch("in/sub"));
    make_jpeg(scratch("in/picture"), 8, 8, 1);
    make_png(scratch("in/sub/odd.name"), 8, 8, false, 1);
    write_text(scratch("in/text.jpg"), "no picture");
    write_text(scratch("in/text.txt"), "no picture");
    write_text(scratch("in/nothing"), "");
    write_text(scratch("in/nothing.PNG"), "");
    write_text(scratch("in/long.txt"),
               "no picture, but as many bytes as any signature may need, and "
               "then some more, so that nothing else is to be asked");
    const char *lines = plan_lines(IMG_FORMAT_UNKNOWN);
    assert_true(has_line(lines, "long.txt skipped (not a picture)"));
    assert_true(has_line(lines, "picture [picture.jpg] [picture.png]"));
    assert_true(has_line(lines, "odd.name [sub/odd.name.jpg] [sub/odd.name.png]"));
    assert_true(has_line(lines, "text.jpg [text.jpg] [text.jpg.png]"));
    assert_true(has_line(lines, "text.txt skipped (not a picture)"));
    assert_true(has_line(lines, "nothing skipped (empty)"));
    assert_true(has_line(lines, "nothing.PNG [nothing.PNG.jpg] [nothing.PNG]"));
    lines = plan_lines(IMG_FORMAT_PNG);
    assert_true(has_line(lines, "text.jpg [] [text.jpg.png]"));
    lines = plan_lines(IMG_FORMAT_JPEG);
    assert_true(has_line(lines, "picture [picture.jpg] []"));
}

static void a_named_file_is_tried_whatever_it_is(void **state)
{
    (void)state;
    make_folder(scratch("in"));
    write_text(scratch("in/text.txt"), "no picture");
    assert_true(has_line(plan_all("in/text.txt", IMG_FORMAT_UNKNOWN),
                         "in/text.txt [text.txt.jpg] [text.txt.png]"));
}

static void two_files_of_one_name_are_told_before_work_starts(void **state)
{
    (void)state;
    static const char *const names[] = {"a",         "a.jpg",     "b.png",     "b.png.jpg",
                                        "c.jpg",     "c.jpg.jpg", "d.txt",     "d.txt.jpg",
                                        "e.png.JPG", "e.png",     "f.jpg.png", "f.jpg"};
    make_folder(scratch("in"));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], "d.txt") == 0)
            write_text(scratch("in/d.txt"), "not tried, so no rival");
        else
            make_jpeg(scratch("in/%s", names[i]), 8, 8, 1);
    }
    const char *lines = plan_lines(IMG_FORMAT_JPEG);
    assert_true(has_line(lines, "in/a [a.jpg] []"));
    assert_true(has_line(lines, "in/a.jpg collision"));
    assert_true(has_line(lines, "in/b.png [b.png.jpg] []"));
    assert_true(has_line(lines, "in/b.png.jpg collision"));
    assert_true(has_line(lines, "in/c.jpg.jpg [c.jpg.jpg] []"));
    assert_true(has_line(lines, "in/d.txt.jpg [d.txt.jpg] []"));
    assert_true(has_line(lines, "in/e.png [e.png.jpg] []"));
    assert_true(has_line(lines, "in/e.png.JPG [e.png.JPG] []"));
    lines = plan_lines(IMG_FORMAT_PNG);
    assert_true(has_line(lines, "in/f.jpg [] [f.jpg.png]"));
    assert_true(has_line(lines, "in/f.jpg.png collision"));
    assert_true(has_line(lines, "in/a.jpg [] [a.jpg.png]"));
    /* With auto the thumbnails themselves will tell. */
    assert_null(strstr(plan_lines(IMG_FORMAT_UNKNOWN), "collision"));
}

static void unreadable_files_fail_only_when_they_seem_to_be_pictures(void **state)
{
    (void)state;
    if (geteuid() == 0)
        skip();
    make_folder(scratch("in"));
    write_text(scratch("in/a.jpg"), "");
    write_text(scratch("in/b"), "");
    assert_int_equal(chmod(scratch("in/a.jpg"), 0), 0);
    assert_int_equal(chmod(scratch("in/b"), 0), 0);
    const char *lines = plan_lines(IMG_FORMAT_UNKNOWN);
    assert_true(has_line(lines, "a.jpg unreadable"));
    assert_non_null(strstr(lines, "b skipped (not readable"));
}

static void a_fifo_that_comes_between_does_not_block(void **state)
{
    (void)state;
    const struct walk_options options = {.hidden = false};
    struct walk *walk = NULL;
    struct walk_entry entry;
    struct plan plan;
    plan_init(&plan);
    make_folder(scratch("in"));
    write_text(scratch("in/a.jpg"), "");
    write_text(scratch("in/b.jpg"), "");
    write_text(scratch("in/c.jpg"), "");
    struct inputs *inputs = inputs_of("in");
    assert_int_equal(walk_create(&options, inputs, &walk), 0);
    assert_int_equal(walk_next(walk, true, &entry), 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(unlink(scratch("in/%c.jpg", 'a' + i)), 0);
    assert_int_equal(mkfifo("in/a.jpg", 0600), 0);
    assert_int_equal(symlink("/dev/null", "in/b.jpg"), 0);
    assert_int_equal(make_plan(&plan, walk, &entry, inputs, IMG_FORMAT_UNKNOWN), 0);
    assert_int_equal(plan.verdict, PLAN_SKIPPED);
    assert_string_equal(plan.why, "FIFO");
    assert_int_equal(walk_next(walk, true, &entry), 1);
    assert_int_equal(make_plan(&plan, walk, &entry, inputs, IMG_FORMAT_UNKNOWN), 0);
    assert_string_equal(plan.why, "symbolic link");
    assert_int_equal(walk_next(walk, true, &entry), 1);
    assert_int_equal(make_plan(&plan, walk, &entry, inputs, IMG_FORMAT_UNKNOWN), 0);
    assert_int_equal(plan.verdict, PLAN_FAILED);
    assert_string_equal(plan.slug, "unreadable");
    plan_done(&plan);
    walk_free(walk);
    inputs_free(inputs);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(names_say_the_format_once),
        TEST(pictures_are_known_by_extension_or_content),
        TEST(a_named_file_is_tried_whatever_it_is),
        TEST(two_files_of_one_name_are_told_before_work_starts),
        TEST(unreadable_files_fail_only_when_they_seem_to_be_pictures),
        TEST(a_fifo_that_comes_between_does_not_block),
    };
    return test_run("app plan", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
