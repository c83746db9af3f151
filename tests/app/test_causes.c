#include "app/causes_priv.h"

#include <stdio.h>

#include "app/json_priv.h"
#include "isolate.h"
#include "json_check.h"

static void add_many(struct causes *causes, const char *slug, unsigned count)
{
    char path[160];
    for (unsigned i = 0; i < count; i++) {
        snprintf(path, sizeof(path), "in/%s%u.jpg", slug, i);
        causes_add(causes, slug, path);
    }
}

static void few_failures_are_not_told_again(void **state)
{
    (void)state;
    struct causes causes = {.used = 0};
    struct text text = TEXT_INIT;
    causes_text(&causes, &text, "", "");
    add_many(&causes, "truncated", CAUSES_GROUPED_MIN - 1);
    causes_text(&causes, &text, "", "");
    assert_string_equal(text_string(&text), "");
    causes_done(&causes);
    text_done(&text);
}

static void the_commonest_cause_comes_first_with_its_first_names(void **state)
{
    (void)state;
    struct causes causes = {.used = 0};
    struct text text = TEXT_INIT;
    causes_add(&causes, "timeout", "in/\x1b[2J\xff.jpg");
    add_many(&causes, "not-an-image", 3);
    add_many(&causes, "truncated", 7);
    add_many(&causes, "unreadable", 3);
    causes_text(&causes, &text, "<", ">");
    assert_string_equal(
        text_string(&text),
        "14 failed: 7 <truncated>, 3 <not-an-image>, 3 <unreadable>, 1 <timeout>\n"
        "  <truncated>: in/truncated0.jpg, in/truncated1.jpg, in/truncated2.jpg and 4 more\n"
        "  <not-an-image>: in/not-an-image0.jpg, in/not-an-image1.jpg, in/not-an-image2.jpg\n"
        "  <unreadable>: in/unreadable0.jpg, in/unreadable1.jpg, in/unreadable2.jpg\n"
        "  <timeout>: in/\\x1b[2J\\xff.jpg");
    causes_done(&causes);
    text_done(&text);
}

static void every_failure_is_counted_though_causes_have_an_end(void **state)
{
    (void)state;
    struct causes causes = {.used = 0};
    struct text json = TEXT_INIT;
    char slug[100];
    causes_add(&causes, "other", "a.jpg"); /* what the rest is called, too */
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(slug, sizeof(slug), "made-up-%u", i);
        add_many(&causes, slug, 1 + i % 3);
    }
    add_many(&causes, "a-slug-that-is-longer-than-all-that-has-room", 2);
    assert_true(causes.used <= CAUSES_MAX + 1);
    assert_true(causes.count == 1 + 1000 + 333 + 2 * 333 + 2);
    json_open(&json, NULL, '{');
    causes_json(&causes, &json);
    json_close(&json, '}');
    const struct json_value *value = json_read(json.data, json.length);
    assert_non_null(value);
    double sum = 0;
    for (const struct json_value *each = json_get(value, "errors")->child; each; each = each->next)
        sum += each->number;
    assert_true(sum == (double)causes.count);
    causes_done(&causes);
    text_done(&json);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(few_failures_are_not_told_again),
        TEST(the_commonest_cause_comes_first_with_its_first_names),
        TEST(every_failure_is_counted_though_causes_have_an_end),
    };
    return test_run("app causes", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
