#include "app/nearest_priv.h"

#include <string.h>

#include "isolate.h"

static void slips_of_typing_find_the_word(void **state)
{
    (void)state;
    static const char *const words[] = {"output", "size",   "format",  "jobs", "quality",
                                        "quiet",  "hidden", "timeout", NULL};
    static const struct {
        const char *typed, *meant;
    } rows[] = {
        {"size", "size"},   {"sise", "size"},    {"isze", "size"},     {"siz", "size"},
        {"sizes", "size"},  {"ouput", "output"}, {"formta", "format"}, {"qualtiy", "quality"},
        {"quite", "quiet"}, {"job", "jobs"},     {"hide", "hidden"},   {"time-out", "timeout"},
        {"", "size"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *found = words[nearest_word(rows[i].typed, words)];
        if (strcmp(found, rows[i].meant) != 0)
            fail_msg("%s: %s", rows[i].typed, found);
    }
}

static void part_of_a_word_finds_it(void **state)
{
    (void)state;
    static const char *const words[] = {"fit",        "help", "max-depth",  "max-pixels",
                                        "files-from", "size", "no-sandbox", NULL};
    static const struct {
        const char *typed, *meant;
    } rows[] = {
        {"depth", "max-depth"}, {"pixels", "max-pixels"},
        {"from", "files-from"}, {"thumbnail-size", "size"},
        {"it", "fit"},          {"sandbox", "no-sandbox"},
        {"fits", "fit"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *found = words[nearest_word(rows[i].typed, words)];
        if (strcmp(found, rows[i].meant) != 0)
            fail_msg("%s: %s", rows[i].typed, found);
    }
}

static void long_words_do_no_harm(void **state)
{
    (void)state;
    static const char *const words[] = {"a", NULL};
    char typed[5000];
    memset(typed, 'x', sizeof(typed) - 1);
    typed[sizeof(typed) - 1] = '\0';
    assert_int_equal(nearest_word(typed, words), 0);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(slips_of_typing_find_the_word),
        TEST(part_of_a_word_finds_it),
        TEST(long_words_do_no_harm),
    };
    return test_run("app nearest", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
