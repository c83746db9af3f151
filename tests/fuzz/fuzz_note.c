/* fuzz_note.c: the note of a thumbnail, which anybody may have made. An input is a file, as a PNG
 * also with the right checksums. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <imaging/imaging.h>

#include "fuzz.h"

const enum fuzz_kind fuzz_kind = FUZZ_PNG;

/* Returns the length, or 0. */
static size_t found_in(const uint8_t *data, size_t size, size_t *ret_at)
{
    const char *note = NULL;
    const int r = img_note_find(data, size, &note);
    if (r < 0 && r != -ENOMSG)
        fuzz_fail("looking for the note fails with %d", r);
    if (r < 0)
        return 0;
    const size_t at = (size_t)((const uint8_t *)note - data);
    if (r == 0 || r > IMG_NOTE_MAX_BYTES || at >= size || (size_t)r > size - at)
        fuzz_fail("a note of %d bytes at %zu of %zu", r, at, size);
    for (int i = 0; i < r; i++)
        if (note[i] < ' ' || note[i] > '~')
            fuzz_fail("a note that cannot be printed");
    *ret_at = at;
    return (size_t)r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t at = 0, again_at = 0;
    if (size > FUZZ_BYTES_MAX)
        return 0;
    const size_t length = found_in(data, size, &at);
    if (length == 0)
        return 0;
    fuzz_taken++;
    /* All of it is in the first bytes, and less is not enough. */
    const size_t first = size < IMG_NOTE_PROBE_BYTES ? size : IMG_NOTE_PROBE_BYTES;
    uint8_t *copy = malloc(first);
    if (!copy)
        fuzz_fail("no memory");
    memcpy(copy, data, first);
    if (found_in(copy, first, &again_at) != length || again_at != at)
        fuzz_fail("the first bytes have another note");
    if (found_in(copy, at + length, &again_at) != 0)
        fuzz_fail("a note is found though what follows it is missing");
    free(copy);
    return 0;
}
