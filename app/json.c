/* json.c: see json_priv.h. */
#include "json_priv.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "escape_priv.h"

static void json_quote(struct text *json, const char *bytes, size_t size_bytes)
{
    const unsigned char *at = (const unsigned char *)bytes;
    text_puts(json, "\"");
    while (size_bytes > 0) {
        uint32_t character = 0;
        size_t length = utf8_decode(at, size_bytes, &character);
        if (length == 0) {
            text_puts(json, "\xef\xbf\xbd");
            length = 1;
        } else if (character == '"' || character == '\\') {
            text_puts(json, "\\");
            text_add(json, at, 1);
        } else if (character == '\n') {
            text_puts(json, "\\n");
        } else if (character == '\t') {
            text_puts(json, "\\t");
        } else if (character_is_control(character)) {
            text_printf(json, "\\u%04" PRIx32, character);
        } else {
            text_add(json, at, length);
        }
        at += length;
        size_bytes -= length;
    }
    text_puts(json, "\"");
}

static void json_key(struct text *json, const char *key, const char *suffix)
{
    char last = '{';
    if (json->length > 0)
        last = json->data[json->length - 1];
    if (last != '{' && last != '[' && last != ':')
        text_puts(json, ",");
    if (key)
        text_printf(json, "\"%s%s\":", key, suffix);
}

void json_open(struct text *json, const char *key, char bracket)
{
    json_key(json, key, "");
    text_add(json, &bracket, 1);
}

void json_close(struct text *json, char bracket)
{
    text_add(json, &bracket, 1);
}

void json_string(struct text *json, const char *key, const char *string)
{
    json_key(json, key, "");
    json_quote(json, string, strlen(string));
}

static void json_base64(struct text *json, const char *bytes, size_t size_bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *at = (const unsigned char *)bytes;
    text_puts(json, "\"");
    for (size_t i = 0; i < size_bytes; i += 3) {
        const bool second = i + 1 < size_bytes, third = i + 2 < size_bytes;
        uint32_t group = (uint32_t)at[i] << 16;
        if (second)
            group += (uint32_t)at[i + 1] << 8;
        if (third)
            group += at[i + 2];
        char quad[4] = {digits[group >> 18 & 63], digits[group >> 12 & 63], '=', '='};
        if (second)
            quad[2] = digits[group >> 6 & 63];
        if (third)
            quad[3] = digits[group & 63];
        text_add(json, quad, sizeof(quad));
    }
    text_puts(json, "\"");
}

void json_name(struct text *json, const char *key, const char *name)
{
    const size_t length = strlen(name);
    if (utf8_valid(name, length)) {
        json_key(json, key, "");
        json_quote(json, name, length);
    } else {
        json_key(json, key, "_b64");
        json_base64(json, name, length);
    }
}

void json_uint(struct text *json, const char *key, uint64_t value)
{
    json_key(json, key, "");
    text_printf(json, "%" PRIu64, value);
}

void json_bool(struct text *json, const char *key, bool value)
{
    json_key(json, key, "");
    text_puts(json, value ? "true" : "false");
}

void json_null(struct text *json, const char *key)
{
    json_key(json, key, "");
    text_puts(json, "null");
}

void json_thousandths(struct text *json, const char *key, uint64_t thousandths, int decimals)
{
    uint64_t unit = 1; /* of the last digit shown, in thousandths */
    for (int i = decimals; i < 3; i++)
        unit *= 10;
    const uint64_t shown = thousandths / unit + (thousandths % unit * 2 >= unit ? 1 : 0);
    const uint64_t whole = 1000 / unit;
    json_key(json, key, "");
    text_printf(json, "%" PRIu64 ".%0*" PRIu64, shown / whole, decimals, shown % whole);
}

void json_number(struct text *json, const char *key, double value, int decimals)
{
    uint64_t unit = 1; /* of the last digit shown: so many are one */
    for (int i = 0; i < decimals; i++)
        unit *= 10;
    if (!(fabs(value) <= 1e12)) {
        json_null(json, key);
        return;
    }
    const uint64_t shown = (uint64_t)llround(fabs(value) * (double)unit);
    json_key(json, key, "");
    text_printf(json, "%s%" PRIu64, value < 0 && shown > 0 ? "-" : "", shown / unit);
    if (decimals > 0)
        text_printf(json, ".%0*" PRIu64, decimals, shown % unit);
}
