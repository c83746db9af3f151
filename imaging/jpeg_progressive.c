/* jpeg_progressive.c: from scan to scan; see jpeg_progressive_priv.h.
 *
 * Accepted: any order of scans in which every scan says what the ones before it left to say: DC
 * before the AC of a component, a refinement of just the next bit. Tables and metadata between the
 * scans. Declined: all else, and what stands between segments without being one, and a file
 * without an end marker: libjpeg warns of these, or fails, or makes of them what it likes.
 *
 * The scans of AC that nobody wants, mostly the larger part of the file, are passed over at the
 * speed of memchr. Their headers count all the same: libjpeg judges them, and a component's table
 * of quantisation is the one that stands when its first scan comes, whichever that is. */
#include "jpeg_progressive_priv.h"

#include <errno.h>
#include <string.h>

#include "jpeg_markers_priv.h"

#define LOW_BIT_MAX 13 /* libjpeg's */

/* What a DC coefficient that lacks so many bits may be off by, in steps of a sixteenth gray level,
 * once half of what they can say has been added. */
#define FAST_ERROR_END 16

/* ---- Memory ---- */

static uint64_t blocks_of(const struct img_jpeg_component *component)
{
    return (uint64_t)component->padded_width_blocks * component->padded_height_blocks;
}

uint64_t img_progressive_bytes(const struct img_jpeg_frame *frame, unsigned low_mask)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < frame->component_count; i++) {
        bytes += blocks_of(&frame->components[i]) * sizeof(int16_t);
        if (low_mask >> i & 1)
            bytes += blocks_of(&frame->components[i]) * sizeof(struct img_progressive_low);
    }
    return bytes;
}

/* The larger elements go first, so that all are aligned. */
void img_progressive_place(struct img_progressive *progressive, unsigned low_mask, void *memory)
{
    const struct img_jpeg_frame *frame = &progressive->frame;
    struct img_progressive_low *low = memory;
    for (unsigned i = 0; i < frame->component_count; i++) {
        progressive->components[i].low = NULL;
        if (low_mask >> i & 1) {
            const size_t blocks = blocks_of(&frame->components[i]);
            memset(low, 0, blocks * sizeof(*low));
            progressive->components[i].low = low;
            low += blocks;
        }
    }
    int16_t *dc = (int16_t *)low;
    for (unsigned i = 0; i < frame->component_count; i++) {
        progressive->components[i].dc = dc;
        dc += blocks_of(&frame->components[i]);
    }
}

/* ---- Scan headers ---- */

/* Which of the frame's components a scan has: they must come in the frame's order. */
static int members_read(const struct img_jpeg_frame *frame, const uint8_t *from,
                        struct img_progressive_scan *scan)
{
    unsigned number = 0;
    for (unsigned i = 0; i < scan->count; i++, number++) {
        while (number < frame->component_count &&
               frame->components[number].id != from[2 * (size_t)i])
            number++;
        if (number >= frame->component_count)
            return -EAGAIN;
        const unsigned tables = from[2 * (size_t)i + 1];
        if (tables >> 4 >= IMG_JPEG_TABLES_MAX || (tables & 15) >= IMG_JPEG_TABLES_MAX)
            return -EAGAIN;
        scan->component[i] = (uint8_t)number;
        scan->dc_table[i] = (uint8_t)(tables >> 4);
        scan->ac_table = tables & 15;
    }
    const struct img_jpeg_component *only = &frame->components[scan->component[0]];
    scan->mcus_across = scan->count > 1 ? frame->mcus_across : only->width_blocks;
    scan->mcus_down = scan->count > 1 ? frame->mcus_down : only->height_blocks;
    return 0;
}

static int scan_read(const struct img_jpeg_frame *frame, const uint8_t *body, size_t size_bytes,
                     struct img_progressive_scan *ret_scan)
{
    struct img_progressive_scan scan = {.count = size_bytes > 0 ? body[0] : 0};
    if (scan.count < 1 || scan.count > frame->component_count ||
        size_bytes != 4 + 2 * (size_t)scan.count)
        return -EAGAIN;
    int r = members_read(frame, body + 1, &scan);
    if (r < 0)
        return r;
    const uint8_t *band = body + 1 + 2 * (size_t)scan.count;
    const unsigned before = band[2] >> 4;
    scan.first = band[0];
    scan.last = band[1];
    scan.refines = before > 0;
    scan.low_bit = band[2] & 15;
    if (scan.low_bit > LOW_BIT_MAX || (scan.refines && before != scan.low_bit + 1u))
        return -EAGAIN;
    if (scan.first == 0 ? scan.last > 0
                        : scan.count > 1 || scan.last < scan.first || scan.last > 63)
        return -EAGAIN;
    *ret_scan = scan;
    return 0;
}

/* Does the scan say what is to be said next about its coefficients? Then it is noted. */
static int scan_note(struct img_progressive *progressive, const struct img_progressive_scan *scan)
{
    const struct img_jpeg_frame *frame = &progressive->frame;
    const int missing = scan->refines ? scan->low_bit + 1 : -1;
    for (unsigned i = 0; i < scan->count; i++) {
        const unsigned number = scan->component[i];
        struct img_progressive_component *component = &progressive->components[number];
        if (scan->first > 0 && component->missing_bits[0] < 0)
            return -EAGAIN;
        for (unsigned k = scan->first; k <= scan->last; k++) {
            if (component->missing_bits[k] != missing)
                return -EAGAIN;
            component->missing_bits[k] = (int8_t)scan->low_bit;
        }
        if (component->quant_latched)
            continue;
        const unsigned table = frame->components[number].quant;
        if (!frame->quant_defined[table])
            return -EAGAIN;
        memcpy(component->quant, frame->quant[table], sizeof(component->quant));
        component->quant_latched = true;
    }
    return 0;
}

/* ---- The walk ---- */

static int scan_take(struct img_progressive *progressive, size_t *at)
{
    const uint8_t *body;
    size_t body_bytes;
    struct img_progressive_scan scan;
    int r =
        img_jpeg_segment_next(progressive->data, progressive->size_bytes, at, &body, &body_bytes);
    if (r == 0)
        r = scan_read(&progressive->frame, body, body_bytes, &scan);
    if (r == 0)
        r = scan_note(progressive, &scan);
    if (r < 0)
        return r;
    const bool is_wanted =
        scan.first == 0 || (progressive->components[scan.component[0]].low != NULL);
    return is_wanted ? img_progressive_scan_decode(progressive, &scan, *at, at)
                     : img_progressive_scan_skip(progressive, &scan, *at, at);
}

static bool is_complete(const struct img_progressive *progressive)
{
    for (unsigned i = 0; i < progressive->frame.component_count; i++)
        if (progressive->components[i].missing_bits[0] != 0)
            return false;
    return true;
}

/* Has the thumbnail what it needs, but for less than a gray level? */
static bool is_enough(const struct img_progressive *progressive)
{
    for (unsigned i = 0; i < progressive->frame.component_count; i++) {
        const struct img_progressive_component *component = &progressive->components[i];
        const int8_t *missing = component->missing_bits;
        if (missing[0] < 0 || ((1 << missing[0]) - 1) * component->quant[0] >= FAST_ERROR_END)
            return false;
        if (component->low && (missing[0] != 0 || missing[IMG_LOW_ACROSS] != 0 ||
                               missing[IMG_LOW_DOWN] != 0 || missing[IMG_LOW_BOTH] != 0))
            return false;
    }
    return true;
}

static bool is_cancelled(const struct img_options *options)
{
    return options->cancelled && options->cancelled(options->cancel_data);
}

int img_progressive_read(struct img_progressive *progressive)
{
    const uint8_t *data = progressive->data;
    const size_t size_bytes = progressive->size_bytes;
    for (size_t i = 0; i < IMG_JPEG_COMPONENTS_MAX; i++) {
        progressive->components[i].quant_latched = false;
        memset(progressive->components[i].missing_bits, -1, 64);
    }
    uint32_t scans = 0;
    for (size_t at = progressive->frame.first_scan;;) {
        const uint8_t *body;
        size_t body_bytes;
        const int marker = img_jpeg_marker_next(data, size_bytes, &at);
        if (marker < 0)
            return marker;
        int r = 0;
        if (marker == IMG_JPEG_EOI)
            return is_complete(progressive) ? 0 : -EAGAIN;
        if (marker == IMG_JPEG_SOS) {
            if (++scans > progressive->scans_max)
                return -EAGAIN;
            if (is_cancelled(progressive->options))
                return -ECANCELED;
            r = scan_take(progressive, &at);
            if (r == 0 && progressive->options->fast && is_enough(progressive))
                return 0;
        } else {
            r = img_jpeg_segment_next(data, size_bytes, &at, &body, &body_bytes);
            if (r == 0 && !img_jpeg_marker_is_metadata(marker))
                r = img_jpeg_tables_read(&progressive->frame, (uint8_t)marker, body, body_bytes);
        }
        if (r < 0)
            return r;
    }
}
