#include "app/escape_priv.h"

#include <string.h>

#include "isolate.h"

static void names_are_shown_harmless(void **state)
{
    (void)state;
    static const struct {
        const char *label, *name, *shown;
    } rows[] = {
        {"plain", "a b.jpg", "a b.jpg"},
        {"umlauts and CJK", "\xc3\xa4\xe4\xb8\xad\xf0\x9f\x93\xb7",
         "\xc3\xa4\xe4\xb8\xad\xf0\x9f\x93\xb7"},
        {"newline and tab", "a\nb\tc", "a\\x0ab\\x09c"},
        {"escape sequence", "\x1b[31mred", "\\x1b[31mred"},
        {"delete", "a\x7f", "a\\x7f"},
        {"C1 control in UTF-8",
         "\xc2\x9b"
         "31m",
         "\\xc2\\x9b31m"},
        {"right-to-left override", "\xe2\x80\xaegpj", "\\xe2\\x80\\xaegpj"},
        {"line separator", "\xe2\x80\xa8", "\\xe2\\x80\\xa8"},
        {"stray continuation", "a\x80z", "a\\x80z"},
        {"cut short", "a\xe4\xb8", "a\\xe4\\xb8"},
        {"overlong slash", "\xc0\xaf", "\\xc0\\xaf"},
        {"overlong in three", "\xe0\x80\xaf", "\\xe0\\x80\\xaf"},
        {"surrogate", "\xed\xa0\x80", "\\xed\\xa0\\x80"},
        {"above the last", "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
        {"Latin-1", "caf\xe9.jpg", "caf\\xe9.jpg"},
        {"backslash", "a\\x0a", "a\\x5cx0a"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct text text = TEXT_INIT;
        escape_name(&text, rows[i].name, strlen(rows[i].name));
        if (strcmp(text_string(&text), rows[i].shown) != 0)
            fail_msg("%s: %s", rows[i].label, text_string(&text));
        assert_true(utf8_valid(text.data, text.length));
        text_done(&text);
    }
}

static void every_character_decodes_to_itself(void **state)
{
    (void)state;
    for (uint32_t character = 0x80; character <= 0x10ffff; character++) {
        unsigned char bytes[4];
        uint32_t decoded = 0;
        size_t length = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
        static const unsigned char heads[] = {0, 0, 0xc0, 0xe0, 0xf0};
        uint32_t rest = character;
        for (size_t i = length - 1; i > 0; i--, rest >>= 6)
            bytes[i] = (unsigned char)(0x80 | (rest & 63));
        bytes[0] = (unsigned char)(heads[length] | rest);
        size_t got = utf8_decode(bytes, length, &decoded);
        if (character >= 0xd800 && character <= 0xdfff) {
            assert_int_equal(got, 0);
            continue;
        }
        assert_int_equal(got, length);
        assert_int_equal(decoded, character);
        assert_int_equal(utf8_decode(bytes, length - 1, &decoded), 0);
    }
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(names_are_shown_harmless),
        TEST(every_character_decodes_to_itself),
    };
    return test_run("app escape", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
