#include "app/origins_priv.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/digest_priv.h"
#include "files.h"
#include "isolate.h"
#include "walks.h"

static struct stamp stamp_of(const char *root, const char *source)
{
    return (struct stamp){.settled = true,
                          .mtime_sec = 5,
                          .size_bytes = 7,
                          .settings = 1,
                          .root = digest_short(digest_of(root, strlen(root))),
                          .source = source,
                          .source_bytes = strlen(source)};
}

static void relations_are_told_by_where_pictures_are(void **state)
{
    (void)state;
    make_folder(scratch("real/in/sub"));
    make_folder(scratch("real/else"));
    write_text(scratch("real/in/a.jpg"), "");
    write_text(scratch("real/in/sub/b.jpg"), "");
    struct inputs *inputs = inputs_of("real/in");
    const char *in = inputs->list[0].real;
    const char *sub = scratch("real/in/sub"), *above = scratch("real"),
               *aside = scratch("real/else");
    struct origins *origins = NULL;
    assert_int_equal(origins_create(inputs, 1, &origins), 0);
    const struct {
        const char *label;
        struct stamp found;
        bool in_thumbs;
        enum relation relation;
    } rows[] = {
        {"its own", stamp_of(in, "sub/b.jpg"), false, RELATION_SAME_STATE},
        {"from below", stamp_of(sub, "b.jpg"), false, RELATION_SAME_STATE},
        {"from above", stamp_of(above, "in/sub/b.jpg"), false, RELATION_SAME_STATE},
        {"from the top", stamp_of("/", "nowhere/b.jpg"), false, RELATION_GONE},
        {"its neighbour", stamp_of(in, "a.jpg"), false, RELATION_THERE},
        {"one that is gone", stamp_of(in, "sub/c.jpg"), false, RELATION_GONE},
        {"one below a file", stamp_of(in, "a.jpg/c.jpg"), false, RELATION_GONE},
        {"of another folder, alike", stamp_of(aside, "sub/b.jpg"), false, RELATION_SAME_SOURCE},
        {"of another folder", stamp_of(aside, "b.jpg"), false, RELATION_UNKNOWN},
        {"of the tree it is in", stamp_of(aside, "sub/b.jpg"), true, RELATION_SAME_STATE},
        {"of the tree, another", stamp_of(aside, "a.jpg"), true, RELATION_THERE},
        {"of the tree, gone", stamp_of(aside, "c.jpg"), true, RELATION_GONE},
        {"one that leads out", stamp_of(in, "../x"), false, RELATION_UNKNOWN},
    };
    struct origin own = {.folder = in, .stamp = stamp_of(in, "sub/b.jpg")};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct text other = TEXT_INIT;
        const enum relation relation =
            origins_relate(origins, &own, rows[i].in_thumbs, &rows[i].found, &other);
        if (relation != rows[i].relation)
            fail_msg("%s: %d", rows[i].label, (int)relation);
        if (relation == RELATION_THERE)
            assert_string_equal(text_string(&other), scratch("real/in/a.jpg"));
        text_done(&other);
    }
    /* Another state is no other source; of another folder it is. */
    own.stamp.size_bytes++;
    struct text other = TEXT_INIT;
    assert_int_equal(origins_relate(origins, &own, false, &rows[0].found, &other),
                     RELATION_SAME_SOURCE);
    assert_int_equal(origins_relate(origins, &own, false, &rows[7].found, &other),
                     RELATION_UNKNOWN);
    text_done(&other);
    origins_free(origins);
    inputs_free(inputs);
    assert_null(origins_free(NULL));
}

static void files_count_from_their_folder(void **state)
{
    (void)state;
    make_folder(scratch("in/sub"));
    write_text(scratch("in/sub/b c.jpg"), "");
    assert_int_equal(symlink("in", scratch("link")), 0);
    struct inputs *folder = inputs_of("in"), *file = inputs_of("link/sub/b c.jpg");
    struct origins *origins = NULL;
    struct origin origin;
    assert_int_equal(origins_create(folder, 1, &origins), 0);
    struct walk_entry entry = {.kind = WALK_FILE, .folder = "sub", .name = "b c.jpg"};
    assert_int_equal(origins_of(origins, &entry, &origin), 0);
    assert_string_equal(origin.folder, scratch("in"));
    assert_string_equal(origin.stamp.source, "sub/b%20c.jpg");
    origins_free(origins);
    assert_int_equal(origins_create(file, 1, &origins), 0);
    entry = (struct walk_entry){.kind = WALK_FILE, .folder = "", .name = "", .named = true};
    assert_int_equal(origins_of(origins, &entry, &origin), 0);
    assert_string_equal(origin.folder, scratch("in/sub"));
    assert_string_equal(origin.stamp.source, "b%20c.jpg");
    origins_free(origins);
    inputs_free(folder);
    inputs_free(file);
}

static void only_what_is_surely_not_there_is_gone(void **state)
{
    (void)state;
    make_folder(scratch("in"));
    write_text(scratch("in/a"), "");
    assert_int_equal(symlink("nowhere", scratch("in/dangling")), 0);
    assert_int_equal(symlink("/", scratch("in/top")), 0);
    char *long_name = keep(malloc(400));
    memset(long_name, 'x', 399);
    long_name[399] = '\0';
    int fd = open(scratch("in"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(origins_is_gone(fd, "b"));
    assert_true(origins_is_gone(fd, "b/c"));
    assert_true(origins_is_gone(fd, "a/c"));
    assert_true(origins_is_gone(fd, "top/no-such-folder/x"));
    assert_false(origins_is_gone(fd, "a"));
    assert_false(origins_is_gone(fd, ""));
    assert_false(origins_is_gone(fd, "dangling")); /* a link is something */
    assert_false(origins_is_gone(fd, "dangling/x"));
    assert_false(origins_is_gone(fd, long_name));
    assert_false(origins_is_gone(-1, "b"));
    close(fd);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(relations_are_told_by_where_pictures_are),
        TEST(files_count_from_their_folder),
        TEST(only_what_is_surely_not_there_is_gone),
    };
    return test_run("app origins", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
