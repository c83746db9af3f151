/* note_priv.h: where a thumbnail keeps its note, and what one is. Private to imaging.
 *
 * A JPEG has it in a COM segment right behind the JFIF segment, with which the file begins. A PNG
 * has it in a tEXt chunk right behind the header, IHDR. Nothing else may come before it: whoever
 * looks for it reads the first bytes of the file, and no more. */
#ifndef IMAGING_NOTE_PRIV_H
#define IMAGING_NOTE_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imaging.h"

/* What stands before the note in the tEXt chunk: the keyword and its terminator. */
#define IMG_NOTE_KEYWORD       "Thumbpool"
#define IMG_NOTE_KEYWORD_BYTES sizeof(IMG_NOTE_KEYWORD)

/** May these bytes be a note? None is one, of no bytes: nothing is written then.
 *  note: NULL only with no bytes. */
bool img_note_is_sound(const char *note, size_t note_bytes);

#endif
