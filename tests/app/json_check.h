/* json_check.h: a strict reader of JSON (RFC 8259), for checking what the program writes. */
#ifndef TESTS_APP_JSON_CHECK_H
#define TESTS_APP_JSON_CHECK_H

#include <stdbool.h>
#include <stddef.h>

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_value {
    enum json_type type;
    bool boolean;
    double number;
    char *string; /* decoded; no NUL may be in it */
    char *key;    /* of a member */
    struct json_value *child, *next;
};

/** Read one value that is all of text. Valid until the test ends; NULL if it is not JSON. */
struct json_value *json_read(const char *text, size_t size_bytes);

/** A member of an object, or NULL. A path such as "ms/read" goes down. */
struct json_value *json_get(const struct json_value *object, const char *path);

/** The number of elements or members. */
size_t json_count(const struct json_value *value);

#endif
