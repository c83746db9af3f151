/* escape_priv.h: bytes of file names made safe to show. */
#ifndef APP_ESCAPE_PRIV_H
#define APP_ESCAPE_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text_priv.h"

/** Decode one UTF-8 character (no overlong forms, surrogates or values above U+10FFFF).
 *  Returns its length in bytes, 1..4, or 0 if bytes do not start with one. */
size_t utf8_decode(const unsigned char *bytes, size_t size_bytes, uint32_t *ret_character);

/** Is all of it UTF-8? Empty is. */
bool utf8_valid(const void *bytes, size_t size_bytes);

/** Does the character steer a terminal or turn the reading order, so that it must not be shown
 *  as it is? (C0, DEL, C1, line separators, bidirectional controls) */
bool character_is_control(uint32_t character);

/** Append bytes for people: printable UTF-8 as it is; control characters, bytes that are not
 *  UTF-8, and the backslash as \xNN. */
void escape_name(struct text *text, const char *bytes, size_t size_bytes);

#endif
