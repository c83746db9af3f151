#include "app/json_priv.h"

#include <math.h>
#include <string.h>

#include "isolate.h"
#include "json_check.h"

static void members_get_their_commas(void **state)
{
    (void)state;
    struct text json = TEXT_INIT;
    json_open(&json, NULL, '{');
    json_string(&json, "event", "file");
    json_null(&json, "none");
    json_open(&json, "list", '[');
    json_open(&json, NULL, '{');
    json_close(&json, '}');
    json_open(&json, NULL, '{');
    json_uint(&json, "n", UINT64_MAX);
    json_bool(&json, "yes", true);
    json_close(&json, '}');
    json_close(&json, ']');
    json_thousandths(&json, "ms", 1234, 1);
    json_close(&json, '}');
    assert_string_equal(text_string(&json),
                        "{\"event\":\"file\",\"none\":null,\"list\":[{},"
                        "{\"n\":18446744073709551615,\"yes\":true}],\"ms\":1.2}");
    assert_non_null(json_read(json.data, json.length));
    text_done(&json);
}

static void every_byte_comes_back_from_a_string(void **state)
{
    (void)state;
    char bytes[256] = {0};
    struct text json = TEXT_INIT;
    for (int i = 1; i < 128; i++)
        bytes[i - 1] = (char)i;
    memcpy(bytes + 127, "\xc2\x9b \xe2\x80\xae \xc3\xa4 \xf0\x9f\x93\xb7", 15);
    json_open(&json, NULL, '{');
    json_string(&json, "s", bytes);
    json_close(&json, '}');
    const struct json_value *value = json_read(json.data, json.length);
    assert_non_null(value);
    assert_string_equal(json_get(value, "s")->string, bytes);
    assert_null(memchr(json.data, '\n', json.length));
    assert_null(memchr(json.data, '\x1b', json.length));
    assert_null(strstr(json.data, "\xc2\x9b"));
    text_done(&json);
}

static void names_that_are_no_utf8_come_as_base64(void **state)
{
    (void)state;
    static const struct {
        const char *name, *json;
    } rows[] = {
        {"a.jpg", "\"path\":\"a.jpg\""},          {"", "\"path\":\"\""},
        {"\xff", "\"path_b64\":\"/w==\""},        {"\xff\xfe", "\"path_b64\":\"//4=\""},
        {"caf\xe9", "\"path_b64\":\"Y2Fm6Q==\""}, {"\xe9ta.jpg", "\"path_b64\":\"6XRhLmpwZw==\""},
        {"ab\xe9", "\"path_b64\":\"YWLp\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct text json = TEXT_INIT;
        json_name(&json, "path", rows[i].name);
        assert_string_equal(text_string(&json), rows[i].json);
        text_done(&json);
    }
}

static void thousandths_are_rounded(void **state)
{
    (void)state;
    static const struct {
        uint64_t thousandths;
        int decimals;
        const char *json;
    } rows[] = {
        {0, 1, "0.0"},     {49, 1, "0.0"},       {50, 1, "0.1"},  {949, 1, "0.9"},
        {950, 1, "1.0"},   {1999, 3, "1.999"},   {5, 3, "0.005"}, {7949, 1, "7.9"},
        {1005, 2, "1.01"}, {123456, 1, "123.5"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct text json = TEXT_INIT;
        json_thousandths(&json, NULL, rows[i].thousandths, rows[i].decimals);
        assert_string_equal(text_string(&json), rows[i].json);
        text_done(&json);
    }
}

static void the_checker_refuses_what_is_no_json(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",           "{",         "{\"a\":1,}", "[1 2]",
        "{\"a\":1}x", "\"\n\"",    "\"\x80\"",   "{a:1}",
        "01",         "1.",        "\"\\x\"",    "nul",
        "[,]",        "{\"a\":}",  "{\"a\"}",    "{\"a\":1,\"a\":2}",
        "'a'",        "\"\\u12\"", "+1",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (json_read(texts[i], strlen(texts[i])))
            fail_msg("taken for JSON: %s", texts[i]);
}

static void numbers_are_rounded_and_never_odd(void **state)
{
    (void)state;
    struct text json = TEXT_INIT;
    json_open(&json, NULL, '[');
    json_number(&json, NULL, 1.2345, 3);
    json_number(&json, NULL, -0.00001, 3);
    json_number(&json, NULL, -2.5, 1);
    json_number(&json, NULL, 7.6, 0);
    json_number(&json, NULL, 999.9999, 3);
    json_number(&json, NULL, NAN, 3);
    json_close(&json, ']');
    assert_string_equal(text_string(&json), "[1.235,0.000,-2.5,8,1000.000,null]");
    text_done(&json);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(members_get_their_commas),
        TEST(every_byte_comes_back_from_a_string),
        TEST(names_that_are_no_utf8_come_as_base64),
        TEST(thousandths_are_rounded),
        TEST(numbers_are_rounded_and_never_odd),
        TEST(the_checker_refuses_what_is_no_json),
    };
    return test_run("app json", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
