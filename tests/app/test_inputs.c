#include "app/inputs_priv.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "isolate.h"

static int create(const char *output, const char *const *paths, struct inputs **ret_inputs,
                  struct text *message)
{
    const char *copy[8] = {NULL};
    struct options options = {.output = output, .paths = copy};
    for (; paths[options.path_count]; options.path_count++)
        copy[options.path_count] = paths[options.path_count];
    return inputs_create(&options, ret_inputs, message);
}

static struct inputs *create_good(const char *output, const char *const *paths)
{
    struct inputs *inputs = NULL;
    struct text message = TEXT_INIT;
    assert_int_equal(create(output, paths, &inputs, &message), 0);
    assert_int_equal(message.length, 0);
    return inputs;
}

static void enter_tree(void)
{
    make_folder(scratch("a/photos"));
    make_folder(scratch("b/photos"));
    write_text(scratch("a/x.jpg"), "x");
    write_text(scratch("b/x.jpg"), "x");
    assert_int_equal(mkfifo(scratch("fifo"), 0600), 0);
    assert_int_equal(chdir(test_scratch()), 0);
}

static void kinds_are_told_apart(void **state)
{
    (void)state;
    enter_tree();
    static const char *const paths[] = {"a/", "a/x.jpg", "fifo", "nothing", "a/x.jpg/", NULL};
    struct inputs *inputs = create_good(NULL, paths);
    assert_int_equal(inputs->list[0].kind, INPUT_FOLDER);
    assert_string_equal(inputs->list[0].path, "a");
    assert_string_equal(inputs->list[0].base, "a");
    assert_int_equal(inputs->list[1].kind, INPUT_FILE);
    assert_string_equal(inputs->list[1].base, "x.jpg");
    assert_int_equal(inputs->list[2].kind, INPUT_OTHER);
    assert_int_equal(inputs->list[3].kind, INPUT_MISSING);
    assert_int_equal(inputs->list[3].error, -ENOENT);
    assert_int_equal(inputs->list[4].error, -ENOTDIR);
    /* the folder's thumbs and the file's are one root */
    assert_int_equal(inputs->root_count, 1);
    assert_string_equal(inputs->roots[0].path, "a/thumbs");
    inputs_free(inputs);
}

static void default_roots_lie_inside_folders_and_beside_files(void **state)
{
    (void)state;
    enter_tree();
    static const char *const paths[] = {".", "b/x.jpg", "b", "a/photos", "a/../b", NULL};
    struct inputs *inputs = create_good(NULL, paths);
    assert_int_equal(inputs->root_count, 3);
    assert_string_equal(inputs->roots[0].path, "thumbs");
    assert_string_equal(inputs->roots[1].path, "b/thumbs");
    assert_string_equal(inputs->roots[2].path, "a/photos/thumbs");
    assert_int_equal(inputs->list[1].root, 1);
    assert_int_equal(inputs->list[2].root, 1);
    assert_int_equal(inputs->list[4].root, 1); /* the same folder by another name */
    for (size_t i = 0; i < inputs->count; i++)
        assert_string_equal(inputs->list[i].prefix, "");
    inputs_free(inputs);
    assert_int_equal(chdir("a"), 0);
    static const char *const here[] = {"x.jpg", NULL};
    inputs = create_good(NULL, here);
    assert_string_equal(inputs->roots[0].path, "thumbs");
    inputs_free(inputs);
}

static void several_paths_go_below_their_names(void **state)
{
    (void)state;
    enter_tree();
    static const char *const paths[] = {"a", "b/photos/.", "b/x.jpg", NULL};
    struct inputs *inputs = create_good("out/", paths);
    assert_int_equal(inputs->root_count, 1);
    assert_string_equal(inputs->roots[0].path, "out");
    assert_string_equal(inputs->list[0].prefix, "a");
    assert_string_equal(inputs->list[1].prefix, "photos");
    assert_string_equal(inputs->list[2].prefix, "");
    inputs_free(inputs);
    static const char *const one[] = {"a", NULL};
    inputs = create_good("out", one);
    assert_string_equal(inputs->list[0].prefix, "");
    inputs_free(inputs);
}

static void equal_names_below_one_output_are_refused(void **state)
{
    (void)state;
    enter_tree();
    static const char *const pairs[][4] = {
        {"a/photos", "b/photos", NULL},
        {"a/x.jpg", "b", "b/x.jpg", NULL},
        {"a", "a/", NULL},
        {"a", "b/../a/.", NULL},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct inputs *inputs = NULL;
        struct text message = TEXT_INIT;
        assert_int_equal(create("out", pairs[i], &inputs, &message), -EINVAL);
        assert_null(inputs);
        assert_non_null(strstr(text_string(&message), pairs[i][0]));
        text_done(&message);
        /* Without --output each has a place of its own. */
        inputs = create_good(NULL, pairs[i]);
        inputs_free(inputs);
    }
}

static void sources_and_roots_are_registered(void **state)
{
    (void)state;
    enter_tree();
    make_folder("b/thumbs");
    assert_int_equal(symlink("b", "a/thumbs"), 0);
    static const char *const paths[] = {"a", "b", "a/x.jpg", "nothing", NULL};
    struct inputs *inputs = create_good(NULL, paths);
    struct inode_set folders = INODE_SET_INIT, files = INODE_SET_INIT, roots = INODE_SET_INIT;
    struct stat st;
    assert_int_equal(inputs_register(inputs, &folders, &files), 0);
    assert_int_equal(inputs_register_roots(inputs, &roots), 0);
    assert_int_equal(folders.count, 2);
    assert_int_equal(files.count, 1);
    assert_int_equal(stat("a/x.jpg", &st), 0);
    assert_true(inode_set_has(&files, st.st_dev, st.st_ino));
    assert_int_equal(roots.count, 1); /* not the link */
    assert_int_equal(stat("b/thumbs", &st), 0);
    assert_true(inode_set_has(&roots, st.st_dev, st.st_ino));
    inode_set_done(&folders);
    inode_set_done(&files);
    inode_set_done(&roots);
    inputs_free(inputs);
    assert_null(inputs_free(NULL));
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(kinds_are_told_apart),
        TEST(default_roots_lie_inside_folders_and_beside_files),
        TEST(several_paths_go_below_their_names),
        TEST(equal_names_below_one_output_are_refused),
        TEST(sources_and_roots_are_registered),
    };
    return test_run("app inputs", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
