/* json_check.c: see json_check.h. */
#include "json_check.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "app/escape_priv.h"
#include "files.h"
#include "isolate.h"

#define DEPTH_MAX 20

struct reader {
    const char *at, *end;
    int depth;
};

static struct json_value *read_value(struct reader *reader);

static void skip_blanks(struct reader *reader)
{
    while (reader->at < reader->end && strchr(" \t\r\n", *reader->at) && *reader->at)
        reader->at++;
}

static bool take(struct reader *reader, const char *word)
{
    const size_t length = strlen(word);
    if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, word, length) != 0)
        return false;
    reader->at += length;
    return true;
}

static bool read_hex(struct reader *reader, unsigned *ret_code)
{
    unsigned code = 0;
    for (int i = 0; i < 4; i++) {
        const char *digits = "0123456789abcdef0123456789ABCDEF";
        const char *found =
            reader->at < reader->end && *reader->at ? strchr(digits, *reader->at) : NULL;
        if (!found)
            return false;
        code = code << 4 | ((unsigned)(found - digits) & 15);
        reader->at++;
    }
    *ret_code = code;
    return code != 0 && (code < 0xd800 || code > 0xdfff); /* the program never writes those */
}

static size_t encode(char *to, unsigned code)
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        to[0] = (char)(0xc0 | code >> 6);
        to[1] = (char)(0x80 | (code & 63));
        return 2;
    }
    to[0] = (char)(0xe0 | code >> 12);
    to[1] = (char)(0x80 | (code >> 6 & 63));
    to[2] = (char)(0x80 | (code & 63));
    return 3;
}

/* After the opening quote. Returns NULL if it is none. */
static char *read_string(struct reader *reader)
{
    char *string = keep(malloc((size_t)(reader->end - reader->at) + 4));
    size_t length = 0;
    while (reader->at < reader->end && *reader->at != '"') {
        const unsigned char byte = (unsigned char)*reader->at++;
        if (byte < 0x20)
            return NULL;
        if (byte != '\\') {
            string[length++] = (char)byte;
            continue;
        }
        static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
        if (reader->at == reader->end || *reader->at == '\0')
            return NULL;
        const char *escape = strchr(from, *reader->at++);
        unsigned code;
        if (escape)
            string[length++] = to[escape - from];
        else if (reader->at[-1] == 'u' && read_hex(reader, &code))
            length += encode(string + length, code);
        else
            return NULL;
    }
    string[length] = '\0';
    if (!take(reader, "\"") || !utf8_valid(string, length) || strlen(string) != length)
        return NULL;
    return string;
}

static bool read_digits(struct reader *reader)
{
    const char *start = reader->at;
    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
        reader->at++;
    return reader->at > start;
}

static bool read_number(struct reader *reader, double *ret_number)
{
    const char *start = reader->at;
    take(reader, "-");
    if (!take(reader, "0") && !read_digits(reader))
        return false;
    if (take(reader, ".") && !read_digits(reader))
        return false;
    if (take(reader, "e") || take(reader, "E")) {
        if (!take(reader, "+"))
            take(reader, "-");
        if (!read_digits(reader))
            return false;
    }
    *ret_number = strtod(start, NULL);
    return true;
}

static bool read_members(struct reader *reader, struct json_value *parent, const char *close)
{
    struct json_value **last = &parent->child;
    skip_blanks(reader);
    if (take(reader, close))
        return true;
    do {
        char *key = NULL;
        skip_blanks(reader);
        if (parent->type == JSON_OBJECT) {
            if (!take(reader, "\"") || !(key = read_string(reader)))
                return false;
            for (struct json_value *other = parent->child; other; other = other->next)
                if (strcmp(other->key, key) == 0) /* the same key twice */
                    return false;
            skip_blanks(reader);
            if (!take(reader, ":"))
                return false;
        }
        *last = read_value(reader);
        if (!*last)
            return false;
        (*last)->key = key;
        last = &(*last)->next;
        skip_blanks(reader);
    } while (take(reader, ","));
    return take(reader, close);
}

static struct json_value *read_value(struct reader *reader)
{
    struct json_value *value = keep(calloc(1, sizeof(*value)));
    bool good;
    skip_blanks(reader);
    if (reader->depth++ > DEPTH_MAX) {
        good = false;
    } else if (take(reader, "null")) {
        good = true;
    } else if (take(reader, "true") || take(reader, "false")) {
        value->type = JSON_BOOL;
        value->boolean = reader->at[-2] == 'u';
        good = true;
    } else if (take(reader, "\"")) {
        value->type = JSON_STRING;
        value->string = read_string(reader);
        good = value->string != NULL;
    } else if (take(reader, "[")) {
        value->type = JSON_ARRAY;
        good = read_members(reader, value, "]");
    } else if (take(reader, "{")) {
        value->type = JSON_OBJECT;
        good = read_members(reader, value, "}");
    } else {
        value->type = JSON_NUMBER;
        good = read_number(reader, &value->number);
    }
    reader->depth--;
    return good ? value : NULL;
}

struct json_value *json_read(const char *text, size_t size_bytes)
{
    struct reader reader = {text, text + size_bytes, 0};
    if (!utf8_valid(text, size_bytes))
        return NULL;
    struct json_value *value = read_value(&reader);
    skip_blanks(&reader);
    return reader.at == reader.end ? value : NULL;
}

struct json_value *json_get(const struct json_value *object, const char *path)
{
    const size_t length = strcspn(path, "/");
    if (!object || object->type != JSON_OBJECT)
        return NULL;
    for (struct json_value *child = object->child; child; child = child->next) {
        if (strncmp(child->key, path, length) != 0 || child->key[length] != '\0')
            continue;
        return path[length] == '/' ? json_get(child, path + length + 1) : child;
    }
    return NULL;
}

size_t json_count(const struct json_value *value)
{
    size_t count = 0;
    for (const struct json_value *child = value->child; child; child = child->next)
        count++;
    return count;
}
