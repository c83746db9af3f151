/* escape.c: see escape_priv.h. */
#include "escape_priv.h"

size_t utf8_decode(const unsigned char *bytes, size_t size_bytes, uint32_t *ret_character)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (size_bytes == 0)
        return 0;
    const unsigned char first = bytes[0];
    size_t length;
    uint32_t character;
    if (first < 0x80) {
        *ret_character = first;
        return 1;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        length = 2;
        character = first & 0x1fu;
    } else if ((first & 0xf0) == 0xe0) {
        length = 3;
        character = first & 0x0fu;
    } else if (first >= 0xf0 && first <= 0xf4) {
        length = 4;
        character = first & 0x07u;
    } else {
        return 0;
    }
    if (length > size_bytes)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        character = character << 6 | (bytes[i] & 0x3fu);
    }
    if (character < smallest[length] || character > 0x10ffff ||
        (character >= 0xd800 && character <= 0xdfff))
        return 0;
    *ret_character = character;
    return length;
}

bool utf8_valid(const void *bytes, size_t size_bytes)
{
    const unsigned char *at = bytes;
    uint32_t character;
    while (size_bytes > 0) {
        size_t length = utf8_decode(at, size_bytes, &character);
        if (length == 0)
            return false;
        at += length;
        size_bytes -= length;
    }
    return true;
}

bool character_is_control(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character <= 0x9f) || character == 0x061c ||
           character == 0x200e || character == 0x200f ||
           (character >= 0x2028 && character <= 0x202e) ||
           (character >= 0x2066 && character <= 0x2069) || character == 0xfeff;
}

void escape_name(struct text *text, const char *bytes, size_t size_bytes)
{
    const unsigned char *at = (const unsigned char *)bytes;
    while (size_bytes > 0) {
        uint32_t character = 0;
        size_t length = utf8_decode(at, size_bytes, &character);
        if (length > 0 && !character_is_control(character) && character != '\\') {
            text_add(text, at, length);
        } else {
            if (length == 0)
                length = 1;
            for (size_t i = 0; i < length; i++)
                text_printf(text, "\\x%02x", at[i]);
        }
        at += length;
        size_bytes -= length;
    }
}
