/* fuzz_parsers.c: what looks at the first bytes of a file, and at its metadata. An input is tried
 * as each of the things that are read. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <imaging/exif_priv.h>
#include <imaging/imaging.h>
#include <imaging/jpeg_frame_priv.h>
#include <imaging/jpeg_segments_priv.h>

#include "fuzz.h"

const enum fuzz_kind fuzz_kind = FUZZ_JPEG;

static void first_bytes_check(const uint8_t *data, size_t size)
{
    const enum img_format format = img_format_probe(data, size);
    if (size > IMG_PROBE_BYTES) {
        uint8_t first[IMG_PROBE_BYTES];
        memcpy(first, data, sizeof(first));
        if (img_format_probe(first, sizeof(first)) != format)
            fuzz_fail("the format is told by more than the first bytes");
    }
    if (format >= IMG_FORMAT_COUNT || strlen(img_format_name(format)) == 0 ||
        strlen(img_content_describe(data, size)) == 0)
        fuzz_fail("a format without a name");
    char extension[16] = "";
    memcpy(extension, data, size < 15 ? size : 15);
    img_format_from_extension(extension);
}

static void exif_check(const uint8_t *data, size_t size)
{
    const int orientation = img_exif_orientation(data, size);
    if (orientation < 1 || orientation > 8)
        fuzz_fail("orientation %d", orientation);
}

static void within_check(const uint8_t *data, size_t size, struct img_segment segment)
{
    if (segment.data < data || segment.size_bytes > size ||
        (size_t)(segment.data - data) > size - segment.size_bytes)
        fuzz_fail("a segment outside of the file");
}

static void segments_check(const uint8_t *data, size_t size)
{
    struct img_jpeg_segments segments;
    size_t sum = 0;
    img_jpeg_segments_find(data, size, &segments);
    if (segments.exif.data) {
        within_check(data, size, segments.exif);
        exif_check(segments.exif.data, segments.exif.size_bytes);
    }
    for (unsigned i = 0; i < segments.icc_count; i++) {
        within_check(data, size, segments.icc[i]);
        sum += segments.icc[i].size_bytes;
    }
    if (sum != segments.icc_bytes || (segments.icc_count > 0 && sum == 0))
        fuzz_fail("a profile of %zu bytes has parts of %zu", segments.icc_bytes, sum);
    if (segments.icc_count == 0)
        return;
    uint8_t *profile = malloc(sum);
    if (!profile)
        fuzz_fail("no memory");
    img_jpeg_icc_join(&segments, profile);
    free(profile);
}

static void frame_check(const uint8_t *data, size_t size)
{
    struct img_jpeg_frame frame;
    if (img_jpeg_frame_read(data, size, &frame) != 0)
        return;
    fuzz_taken++;
    if (frame.first_scan + 2 > size || data[frame.first_scan] != 0xff ||
        data[frame.first_scan + 1] != 0xda)
        fuzz_fail("no scan at %zu", frame.first_scan);
    if ((frame.component_count != 1 && frame.component_count != 3) || frame.width_px < 1 ||
        frame.width_px > 65535 || frame.height_px < 1 || frame.height_px > 65535)
        fuzz_fail("%u components of %u x %u pixels", frame.component_count, frame.width_px,
                  frame.height_px);
    for (unsigned i = 0; i < frame.component_count; i++) {
        const struct img_jpeg_component *component = &frame.components[i];
        if (component->quant >= IMG_JPEG_TABLES_MAX || component->width_blocks < 1 ||
            component->width_blocks > component->padded_width_blocks ||
            component->height_blocks < 1 ||
            component->height_blocks > component->padded_height_blocks)
            fuzz_fail("component %u makes no sense", i);
    }
}

static void tables_check(const uint8_t *data, size_t size)
{
    struct img_jpeg_frame frame = {.component_count = 0};
    if (size > 0)
        img_jpeg_tables_read(&frame, data[0], data + 1, size - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > FUZZ_BYTES_MAX)
        return 0;
    first_bytes_check(data, size);
    exif_check(data, size);
    segments_check(data, size);
    frame_check(data, size);
    tables_check(data, size);
    return 0;
}
