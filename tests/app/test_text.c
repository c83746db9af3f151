#include "app/text_priv.h"

#include <string.h>

#include "isolate.h"

static void grows_and_stays_terminated(void **state)
{
    (void)state;
    struct text text = TEXT_INIT;
    assert_string_equal(text_string(&text), "");
    for (int i = 0; i < 1000; i++)
        text_printf(&text, "%d,", i % 10);
    assert_int_equal(text.length, 2000);
    assert_int_equal(strlen(text_string(&text)), 2000);
    assert_memory_equal(text.data + 1990, "5,6,7,8,9,", 10);
    text_cut(&text, 4);
    assert_string_equal(text_string(&text), "0,1,");
    text_cut(&text, 100);
    assert_int_equal(text.length, 4);
    assert_false(text_failed(&text));
    text_done(&text);
}

static void remembers_missing_memory_until_it_is_emptied(void **state)
{
    (void)state;
    struct text text = TEXT_INIT;
    text_puts(&text, "a");
    text_add(&text, "b", SIZE_MAX - 1); /* refused by the overflow check: never read */
    assert_true(text_failed(&text));
    text_puts(&text, "c");
    assert_string_equal(text_string(&text), "a");
    text_cut(&text, 0);
    assert_false(text_failed(&text));
    text_puts(&text, "d");
    assert_string_equal(text_string(&text), "d");
    text_done(&text);
}

static void paths_are_joined_with_one_slash(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second, *joined;
    } rows[] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"},  {"/", "b", "/b"},
        {"", "b", "b"},    {"a", "", "a"},      {".", "b", "b"},
        {".", "", "."},    {"..", "b", "../b"}, {"a.", "b", "a./b"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct text text = TEXT_INIT;
        text_puts(&text, rows[i].first);
        text_join(&text, rows[i].second);
        assert_string_equal(text_string(&text), rows[i].joined);
        text_done(&text);
    }
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(grows_and_stays_terminated),
        TEST(remembers_missing_memory_until_it_is_emptied),
        TEST(paths_are_joined_with_one_slash),
    };
    return test_run("app text", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
