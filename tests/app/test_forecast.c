#include "app/forecast_priv.h"

#include <unistd.h>

#include "files.h"
#include "isolate.h"

static void counts_what_looks_like_pictures(void **state)
{
    (void)state;
    const char *copy[] = {"in", "in/notes"};
    struct options asked = {.paths = copy, .path_count = 2};
    const struct walk_options options = {.hidden = false};
    struct inputs *inputs = NULL;
    struct forecast *forecast = NULL;
    struct text message = TEXT_INIT;
    make_folder(scratch("in/sub/.hidden"));
    for (int i = 0; i < 500; i++)
        write_text(scratch("in/sub/%d.jpg", i), "");
    write_text(scratch("in/notes"), "");
    write_text(scratch("in/sub/.hidden/a.jpg"), "");
    write_text(scratch("in/b.PNG"), "");
    assert_int_equal(chdir(test_scratch()), 0);
    assert_int_equal(inputs_create(&asked, &inputs, &message), 0);
    assert_int_equal(forecast_create(&options, inputs, &forecast), 0);
    assert_int_equal(forecast_total(forecast), 0);
    for (int i = 0; i < 1000 && forecast_total(forecast) == 0; i++)
        forecast_step(forecast);
    assert_int_equal(forecast_total(forecast), 502); /* the last one is named */
    forecast_step(forecast);
    assert_int_equal(forecast_total(forecast), 502);
    forecast_free(forecast);
    inputs_free(inputs);
    forecast_step(NULL);
    assert_int_equal(forecast_total(NULL), 0);
    assert_null(forecast_free(NULL));
}

static void counts_only_what_the_run_will_meet(void **state)
{
    (void)state;
    static const struct options_glob list[] = {{"*.jpg", true}, {"/out/", false}};
    const char *copy[] = {"in"};
    const struct options asked = {.paths = copy, .path_count = 1, .files_from = "list"};
    struct walk_options options = {.max_depth = 2};
    struct inputs *inputs = NULL;
    struct forecast *forecast = NULL;
    struct text message = TEXT_INIT;
    make_folder(scratch("in/out"));
    make_folder(scratch("in/sub/deep"));
    write_text(scratch("in/out/a.jpg"), "");
    write_text(scratch("in/a.jpg"), "");
    write_text(scratch("in/b.png"), "");
    write_text(scratch("in/sub/b.jpg"), "");
    write_text(scratch("in/sub/deep/c.jpg"), "");
    write_text(scratch("notes"), "");
    write_text(scratch("list"), "notes\nin/out/a.jpg\nin/b.png\nnotes\nnothing.jpg\n");
    assert_int_equal(chdir(test_scratch()), 0);
    assert_int_equal(globs_create(list, 2, &options.globs), 0);
    assert_int_equal(inputs_create(&asked, &inputs, &message), 0);
    assert_int_equal(forecast_create(&options, inputs, &forecast), 0);
    for (int i = 0; i < 1000 && forecast_total(forecast) == 0; i++)
        forecast_step(forecast);
    assert_int_equal(forecast_total(forecast), 2 + 3);
    forecast_free(forecast);
    inputs_free(inputs);
    globs_free(options.globs);
}

static void bytes_are_those_of_the_files_that_are_counted(void **state)
{
    (void)state;
    const char *copy[] = {"in"};
    struct options asked = {.paths = copy, .path_count = 1};
    const struct walk_options options = {.hidden = false};
    struct inputs *inputs = NULL;
    struct forecast *forecast = NULL;
    struct text message = TEXT_INIT;
    make_folder(scratch("in/sub"));
    write_text(scratch("in/a.jpg"), "12345");
    write_text(scratch("in/sub/b.png"), "1234567");
    write_text(scratch("in/notes"), "123");
    assert_int_equal(chdir(test_scratch()), 0);
    assert_int_equal(inputs_create(&asked, &inputs, &message), 0);
    assert_int_equal(forecast_create(&options, inputs, &forecast), 0);
    assert_int_equal(forecast_bytes(forecast), 0); /* not known yet */
    for (int i = 0; i < 1000 && forecast_total(forecast) == 0; i++)
        forecast_step(forecast);
    assert_int_equal(forecast_total(forecast), 2);
    assert_int_equal(forecast_bytes(forecast), 12);
    forecast_free(forecast);
    inputs_free(inputs);
    assert_int_equal(forecast_bytes(NULL), 0);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(counts_what_looks_like_pictures),
        TEST(counts_only_what_the_run_will_meet),
        TEST(bytes_are_those_of_the_files_that_are_counted),
    };
    return test_run("app forecast", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
