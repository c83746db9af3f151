/* fuzz_png.c: our PNG decoder beside libpng. It gives the same rows or declines; and what all of it
 * together makes is a thumbnail or a failure with words. */
#include "fuzz.h"
#include "png_check.h"
#include "thumb_check.h"

const enum fuzz_kind fuzz_kind = FUZZ_PNG;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint64_t choice = fuzz_choice(data, size);
    const struct img_options options = fuzz_options(choice / 64);
    if (size > FUZZ_BYTES_MAX)
        return 0;
    fuzz_taken += png_check((struct bytes){(uint8_t *)data, size}, &options, "input") == 0;
    fuzz_thumbnail_check(data, size, &options, choice / 8);
    return 0;
}
