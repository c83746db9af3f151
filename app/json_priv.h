/* json_priv.h: one JSON value written piece by piece.
 *
 * Every function appends one member; key is NULL inside an array and for the outermost value.
 * Commas are placed by looking at what is there. Numbers never depend on the locale. */
#ifndef APP_JSON_PRIV_H
#define APP_JSON_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text_priv.h"

void json_open(struct text *json, const char *key, char bracket); /* '{' or '[' */
void json_close(struct text *json, char bracket);                 /* '}' or ']' */

/** A string. Bytes that are not UTF-8 become U+FFFD; control characters are escaped. */
void json_string(struct text *json, const char *key, const char *string);

/** A file name, exactly: key and a string if it is UTF-8, else key with "_b64" and base64. */
void json_name(struct text *json, const char *key, const char *name);

void json_uint(struct text *json, const char *key, uint64_t value);
void json_bool(struct text *json, const char *key, bool value);
void json_null(struct text *json, const char *key);

/** thousandths / 1000 with `decimals` (1..3) digits after the point, rounded. */
void json_thousandths(struct text *json, const char *key, uint64_t thousandths, int decimals);

/** A number with `decimals` (0..6) digits after the point, rounded; null for what is no number, or
 *  is beyond 10^12. */
void json_number(struct text *json, const char *key, double value, int decimals);

#endif
