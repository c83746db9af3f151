/* fuzz_jpeg.c: our JPEG decoders beside libjpeg-turbo. They give its coefficients, and samples that
 * these coefficients mean, or decline; and what all of it together makes is a thumbnail or a
 * failure with words. */
#include <stdlib.h>

#include "fuzz.h"
#include "jpeg_check.h"
#include "jpeg_low_check.h"
#include "thumb_check.h"

const enum fuzz_kind fuzz_kind = FUZZ_JPEG;

static void baseline_check(const uint8_t *data, size_t size, uint64_t choice)
{
    static const unsigned lasts[] = {0, 1, 2, 4, 24, 63};
    const unsigned last = lasts[choice % 6];
    const enum jpeg_verdict verdict = jpeg_coefficients_check(data, size, last);
    if (verdict == JPEG_DIFFERENT)
        fuzz_fail("other coefficients than libjpeg's, up to %u", last);
    fuzz_taken += verdict == JPEG_EQUAL;
}

/* Where all is read, nothing can hide. */
static void progressive_check(const uint8_t *data, size_t size, uint64_t choice)
{
    struct bytes file = {(uint8_t *)data, size};
    const unsigned mask = choice & 8 ? JPEG_ALL_LOW : choice & JPEG_ALL_LOW;
    struct jpeg_low low = jpeg_low_read(file, mask);
    bool accepted = true;
    const char *difference =
        low.code < 0 ? NULL : jpeg_low_compare(file, &low.progressive, &accepted);
    if (difference)
        fuzz_fail("progressive, mask %u: %s", mask, difference);
    if (!accepted && mask == JPEG_ALL_LOW)
        fuzz_fail("progressive: libjpeg complains");
    fuzz_taken += low.code == 0;
    free(low.memory);
}

static void planes_check(const uint8_t *data, size_t size, const struct img_options *options)
{
    struct img_options slow = *options;
    slow.fast = false; /* what is left out cannot be compared */
    if (jpeg_planes_check(data, size, &slow, NULL) == JPEG_DIFFERENT)
        fuzz_fail("other samples than libjpeg's coefficients mean");
    if (jpeg_progressive_planes_check(data, size, &slow) == JPEG_DIFFERENT)
        fuzz_fail("progressive: other samples than libjpeg's coefficients mean");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint64_t choice = fuzz_choice(data, size);
    const struct img_options options = fuzz_options(choice / 64);
    if (size > FUZZ_BYTES_MAX)
        return 0;
    baseline_check(data, size, choice);
    progressive_check(data, size, choice);
    planes_check(data, size, &options);
    fuzz_thumbnail_check(data, size, &options, choice / 8);
    return 0;
}
