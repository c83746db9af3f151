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
    struct inode_set folders = INODE_SET_INIT, roots = INODE_SET_INIT;
    struct stat st;
    assert_int_equal(inputs_register(inputs, &folders), 0);
    assert_int_equal(inputs_register_roots(inputs, &roots), 0);
    assert_int_equal(folders.count, 2);
    assert_int_equal(inputs->named.count, 1);
    assert_int_equal(stat("a/x.jpg", &st), 0);
    assert_true(inputs_name_file(inputs, st.st_dev, st.st_ino));
    assert_int_equal(roots.count, 1); /* not the link */
    assert_int_equal(stat("b/thumbs", &st), 0);
    assert_true(inode_set_has(&roots, st.st_dev, st.st_ino));
    inode_set_done(&folders);
    inode_set_done(&roots);
    inputs_free(inputs);
    assert_null(inputs_free(NULL));
}

/* ---- --files-from -------------------------------------------------------------------------- */

static struct inputs *create_listed(const char *output, const char *list, const char *const *paths)
{
    const char *copy[8] = {NULL};
    struct options options = {.output = output, .paths = copy, .files_from = "list"};
    struct inputs *inputs = NULL;
    struct text message = TEXT_INIT;
    for (; paths[options.path_count]; options.path_count++)
        copy[options.path_count] = paths[options.path_count];
    write_text("list", list);
    assert_int_equal(inputs_create(&options, &inputs, &message), 0);
    assert_int_equal(message.length, 0);
    return inputs;
}

static const char *const none[] = {NULL};

/* Borrow the next one; fails the test if there is none. */
static const struct input *lend(const struct inputs *inputs, unsigned walk, size_t *at)
{
    assert_int_equal(inputs_lend(inputs, walk, at), 1);
    return &inputs->list[inputs->count + walk];
}

static void listed_paths_are_lent_one_after_the_other(void **state)
{
    (void)state;
    enter_tree();
    assert_int_equal(symlink("x.jpg", "a/link.jpg"), 0);
    static const char *const paths[] = {"b/x.jpg", NULL};
    struct inputs *inputs = create_listed(
        NULL, "a/x.jpg\n\nb/photos/\nnothing\nfifo\na/x.jpg/\na/link.jpg\n./b/../a/x.jpg", paths);
    size_t at = 0, other_at = 0;
    assert_int_equal(inputs->count, 1);
    const struct input *input = lend(inputs, 0, &at);
    assert_int_equal(input->kind, INPUT_FILE);
    assert_string_equal(input->path, "a/x.jpg");
    assert_string_equal(input->base, "x.jpg");
    assert_string_equal(input->real, scratch("a/x.jpg"));
    const size_t root = input->root;
    assert_string_equal(inputs->roots[root].path, "a/thumbs");
    input = lend(inputs, 0, &at);
    assert_int_equal(input->kind, INPUT_FOLDER);
    assert_string_equal(input->path, "b/photos");
    assert_string_equal(inputs->roots[input->root].path, "b/photos/thumbs");
    /* Another walk has a place of its own. */
    assert_string_equal(lend(inputs, 1, &other_at)->path, "a/x.jpg");
    assert_string_equal(input->path, "b/photos");
    assert_int_equal(lend(inputs, 0, &at)->kind, INPUT_MISSING);
    assert_int_equal(lend(inputs, 0, &at)->kind, INPUT_OTHER);
    assert_int_equal(lend(inputs, 0, &at)->error, -ENOTDIR);
    input = lend(inputs, 0, &at);
    assert_string_equal(input->path, "a/link.jpg");
    assert_string_equal(input->real, scratch("a/x.jpg"));
    assert_int_equal(input->root, root);
    input = lend(inputs, 0, &at);
    assert_string_equal(input->real, scratch("a/x.jpg"));
    assert_int_equal(input->root, root);
    assert_int_equal(inputs_lend(inputs, 0, &at), 0);
    /* Those of b/x.jpg, a/x.jpg and b/photos; none for the folder that b/photos is in. */
    assert_int_equal(inputs->root_count, 3);
    inputs_free(inputs);
}

static void listed_files_are_sources_and_listed_folders_are_read(void **state)
{
    (void)state;
    enter_tree();
    static const char *const paths[] = {"b/x.jpg", NULL};
    struct inputs *inputs = create_listed("out", "a/x.jpg\nb/photos\na\n", paths);
    struct inode_set folders = INODE_SET_INIT;
    struct stat st;
    assert_int_equal(stat("a/x.jpg", &st), 0);
    assert_true(inputs_name_file(inputs, st.st_dev, st.st_ino));
    assert_int_equal(stat("b/x.jpg", &st), 0);
    assert_true(inputs_name_file(inputs, st.st_dev, st.st_ino));
    assert_int_equal(inputs_register(inputs, &folders), 0);
    assert_int_equal(folders.count, 2);
    assert_int_equal(stat("b/photos", &st), 0);
    assert_true(inode_set_has(&folders, st.st_dev, st.st_ino));
    assert_true(inputs_list_covers(inputs, scratch("b/photos/deep/file")));
    assert_false(inputs_list_covers(inputs, scratch("b/photos2")));
    size_t at = 0;
    assert_string_equal(lend(inputs, 0, &at)->prefix, "");
    assert_string_equal(lend(inputs, 0, &at)->prefix, "photos");
    inode_set_done(&folders);
    inputs_free(inputs);
    inputs = create_listed("out", "b/photos\n", none); /* a single PATH lies directly below */
    at = 0;
    assert_string_equal(lend(inputs, 0, &at)->prefix, "");
    inputs_free(inputs);
}

static void listed_folders_of_one_name_are_refused_and_files_are_not(void **state)
{
    (void)state;
    const char *paths[] = {"b/photos"};
    struct options options = {
        .output = "out", .paths = paths, .path_count = 1, .files_from = "list"};
    struct inputs *inputs = NULL;
    struct text message = TEXT_INIT;
    enter_tree();
    write_text("list", "a/x.jpg\nb/x.jpg\na/photos\n");
    assert_int_equal(inputs_create(&options, &inputs, &message), -EINVAL);
    assert_non_null(strstr(text_string(&message), "a/photos' have the same name"));
    text_done(&message);
    inputs = create_listed("out", "a/x.jpg\nb/x.jpg\na/photos\n", none);
    inputs_free(inputs);
}

static void a_list_that_cannot_be_read_is_wrong_usage(void **state)
{
    (void)state;
    const struct options options = {.files_from = "nothing"};
    struct inputs *inputs = NULL;
    struct text message = TEXT_INIT;
    enter_tree();
    assert_int_equal(inputs_create(&options, &inputs, &message), -EINVAL);
    assert_string_equal(text_string(&message), "--files-from: nothing: No such file or directory");
    text_done(&message);
    assert_null(inputs);
}

static void a_file_is_met_again_by_the_same_name_only(void **state)
{
    (void)state;
    enter_tree();
    assert_int_equal(link("a/x.jpg", "a/hard.jpg"), 0);
    assert_int_equal(symlink("x.jpg", "a/soft.jpg"), 0);
    static const char *const paths[] = {"a/x.jpg", NULL};
    struct inputs *inputs =
        create_listed(NULL, "a/hard.jpg\na/soft.jpg\nb/x.jpg\n./a/x.jpg\na/hard.jpg\n", paths);
    static const bool met[] = {false, false, false, true, true};
    size_t at = 0;
    assert_false(inputs_met_before(inputs, 0, &inputs->list[0]));
    for (size_t i = 0; i < sizeof(met) / sizeof(met[0]); i++)
        assert_int_equal(inputs_met_before(inputs, 0, lend(inputs, 0, &at)), met[i]);
    at = 0;
    assert_false(inputs_met_before(inputs, 1, lend(inputs, 1, &at))); /* each walk for itself */
    inputs_free(inputs);
}

static void a_named_file_belongs_to_itself_where_the_place_is_the_same(void **state)
{
    (void)state;
    struct stat st;
    enter_tree();
    static const char *const paths[] = {"a", NULL};
    assert_int_equal(stat("a", &st), 0);
    struct inputs *inputs = create_listed(NULL, "a/x.jpg\nb/x.jpg\n", paths);
    assert_true(inputs_name_in_folder(inputs, st.st_dev, st.st_ino, "x.jpg"));
    assert_false(inputs_name_in_folder(inputs, st.st_dev, st.st_ino, "y.jpg"));
    assert_int_equal(stat("b", &st), 0); /* no PATH */
    assert_false(inputs_name_in_folder(inputs, st.st_dev, st.st_ino, "x.jpg"));
    inputs_free(inputs);
    assert_int_equal(stat("a", &st), 0); /* below out they have different places */
    inputs = create_listed("out", "a/x.jpg\nb/x.jpg\n", paths);
    assert_false(inputs_name_in_folder(inputs, st.st_dev, st.st_ino, "x.jpg"));
    inputs_free(inputs);
}

static void many_folders_have_a_root_each(void **state)
{
    (void)state;
    enum { FOLDERS = 300 };
    struct text list = TEXT_INIT;
    assert_int_equal(chdir(test_scratch()), 0);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < FOLDERS; i++) {
            if (round == 0) {
                make_folder(scratch("in/%d", i));
                write_text(scratch("in/%d/a", i), "");
                write_text(scratch("in/%d/b", i), "");
            }
            text_printf(&list, "in/%d/%s\n", i, round ? "b" : "a");
        }
    }
    struct inputs *inputs = create_listed(NULL, text_string(&list), none);
    size_t at = 0;
    assert_int_equal(inputs->root_count, FOLDERS);
    for (int i = 0; i < 2 * FOLDERS; i++)
        assert_string_equal(inputs->roots[lend(inputs, 0, &at)->root].parent_path,
                            scratch("in/%d", i % FOLDERS) + strlen(test_scratch()) + 1);
    inputs_free(inputs);
    text_done(&list);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(kinds_are_told_apart),
        TEST(default_roots_lie_inside_folders_and_beside_files),
        TEST(several_paths_go_below_their_names),
        TEST(equal_names_below_one_output_are_refused),
        TEST(sources_and_roots_are_registered),
        TEST(listed_paths_are_lent_one_after_the_other),
        TEST(listed_files_are_sources_and_listed_folders_are_read),
        TEST(listed_folders_of_one_name_are_refused_and_files_are_not),
        TEST(a_list_that_cannot_be_read_is_wrong_usage),
        TEST(a_file_is_met_again_by_the_same_name_only),
        TEST(a_named_file_belongs_to_itself_where_the_place_is_the_same),
        TEST(many_folders_have_a_root_each),
    };
    return test_run("app inputs", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
