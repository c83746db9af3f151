/* jpeg_frame.c: see jpeg_frame_priv.h.
 *
 * What is read here decides which files our own decoders take, so it is strict: each segment has
 * exactly the length that its contents need, nothing stands between segments but fill bytes, and
 * nothing comes twice that libjpeg would judge. Whether three components are YCbCr is told as
 * libjpeg tells it: by JFIF, then by Adobe's segment, then by their numbers. */
#include "jpeg_frame_priv.h"

#include <errno.h>
#include <string.h>

#include "jpeg_markers_priv.h"

/* libjpeg's limit. */
#define SIDE_PX_MAX 65500

/* Larger steps than a sound encoder has: their products need more care than we take. */
#define QUANT_MAX 4096

#define JFIF_BYTES_MIN  14
#define ADOBE_BYTES_MIN 12

/* What tells the colours, as far as it has been seen. */
struct colour_signs {
    bool jfif;
    bool jfif_unknown; /* of a version that libjpeg warns of */
    bool adobe;
    uint8_t adobe_transform;
};

int img_jpeg_marker_next(const uint8_t *data, size_t size_bytes, size_t *at)
{
    if (size_bytes - *at < 2 || data[*at] != 0xff)
        return -EAGAIN;
    while (*at + 1 < size_bytes && data[*at + 1] == 0xff)
        ++*at;
    if (size_bytes - *at < 2 || data[*at + 1] == 0x00)
        return -EAGAIN;
    *at += 2;
    return data[*at - 1];
}

int img_jpeg_segment_next(const uint8_t *data, size_t size_bytes, size_t *at,
                          const uint8_t **ret_body, size_t *ret_body_bytes)
{
    if (size_bytes - *at < 2)
        return -EAGAIN;
    const size_t length = (size_t)data[*at] << 8 | data[*at + 1];
    if (length < 2 || length > size_bytes - *at)
        return -EAGAIN;
    *ret_body = data + *at + 2;
    *ret_body_bytes = length - 2;
    *at += length;
    return 0;
}

/* ---- Tables ---- */

static int quant_read(struct img_jpeg_frame *frame, const uint8_t *data, size_t size_bytes)
{
    while (size_bytes > 0) {
        const unsigned wide = data[0] >> 4, number = data[0] & 15;
        const size_t need = 1 + (wide ? 128 : 64);
        if (wide > 1 || number >= IMG_JPEG_TABLES_MAX || size_bytes < need)
            return -EAGAIN;
        for (size_t i = 0; i < 64; i++) {
            const unsigned step =
                wide ? (unsigned)data[1 + 2 * i] << 8 | data[2 + 2 * i] : data[1 + i];
            if (step == 0 || step > QUANT_MAX)
                return -EAGAIN;
            frame->quant[number][i] = (uint16_t)step;
        }
        frame->quant_defined[number] = true;
        data += need;
        size_bytes -= need;
    }
    return 0;
}

/* Codes are given out in order; the one of only ones must stay free. */
static bool counts_make_codes(const uint8_t counts[17])
{
    uint32_t code = 0;
    for (unsigned length = 1; length <= 16; length++) {
        code += counts[length];
        if (counts[length] > 0 && code >= UINT32_C(1) << length)
            return false;
        code <<= 1;
    }
    return true;
}

static int huffman_read(struct img_jpeg_frame *frame, const uint8_t *data, size_t size_bytes)
{
    while (size_bytes > 0) {
        const unsigned kind = data[0] >> 4, number = data[0] & 15;
        if (kind > 1 || number >= IMG_JPEG_TABLES_MAX || size_bytes < 17)
            return -EAGAIN;
        struct img_jpeg_huffman *table = kind ? &frame->ac[number] : &frame->dc[number];
        *table = (struct img_jpeg_huffman){.defined = true};
        size_t count = 0;
        for (size_t length = 1; length <= 16; length++) {
            table->counts[length] = data[length];
            count += data[length];
        }
        if (count < 1 || count > 256 || count > size_bytes - 17 ||
            !counts_make_codes(table->counts))
            return -EAGAIN;
        memcpy(table->symbols, data + 17, count);
        for (size_t i = 0; kind == 0 && i < count; i++)
            if (table->symbols[i] > 15)
                return -EAGAIN;
        data += 17 + count;
        size_bytes -= 17 + count;
    }
    return 0;
}

int img_jpeg_tables_read(struct img_jpeg_frame *frame, uint8_t marker, const uint8_t *data,
                         size_t size_bytes)
{
    switch (marker) {
    case IMG_JPEG_DQT:
        return quant_read(frame, data, size_bytes);
    case IMG_JPEG_DHT:
        return huffman_read(frame, data, size_bytes);
    case IMG_JPEG_DRI:
        if (size_bytes != 2)
            return -EAGAIN;
        frame->restart_interval = (uint32_t)data[0] << 8 | data[1];
        return 0;
    default:
        return -EAGAIN;
    }
}

/* ---- The frame header ---- */

static bool factor_is_usual(unsigned factor)
{
    return factor == 1 || factor == 2 || factor == 4;
}

/* The first component must have the largest factors, and the others whole parts of them. */
static int factors_check(const struct img_jpeg_frame *frame)
{
    const struct img_jpeg_component *components = frame->components;
    unsigned blocks = 0;
    for (unsigned i = 0; i < frame->component_count; i++) {
        if (!factor_is_usual(components[i].h) || !factor_is_usual(components[i].v) ||
            components[i].h > components[0].h || components[i].v > components[0].v)
            return -EAGAIN;
        for (unsigned j = 0; j < i; j++)
            if (components[j].id == components[i].id)
                return -EAGAIN;
        blocks += (unsigned)components[i].h * components[i].v;
    }
    return blocks <= IMG_JPEG_MCU_BLOCKS_MAX ? 0 : -EAGAIN;
}

static uint32_t divide_up(uint32_t number, uint32_t by)
{
    return (number + by - 1) / by;
}

static void blocks_count(struct img_jpeg_frame *frame)
{
    frame->h_max = frame->components[0].h;
    frame->v_max = frame->components[0].v;
    frame->mcus_across = divide_up(frame->width_px, 8 * frame->h_max);
    frame->mcus_down = divide_up(frame->height_px, 8 * frame->v_max);
    for (unsigned i = 0; i < frame->component_count; i++) {
        struct img_jpeg_component *component = &frame->components[i];
        component->width_blocks = divide_up(frame->width_px * component->h, 8 * frame->h_max);
        component->height_blocks = divide_up(frame->height_px * component->v, 8 * frame->v_max);
        component->padded_width_blocks = frame->mcus_across * component->h;
        component->padded_height_blocks = frame->mcus_down * component->v;
    }
}

static int header_read(struct img_jpeg_frame *frame, const uint8_t *data, size_t size_bytes)
{
    if (frame->component_count > 0 || size_bytes < 6 || data[0] != 8)
        return -EAGAIN;
    frame->height_px = (uint32_t)data[1] << 8 | data[2];
    frame->width_px = (uint32_t)data[3] << 8 | data[4];
    const unsigned count = data[5];
    if (frame->height_px < 1 || frame->height_px > SIDE_PX_MAX || frame->width_px < 1 ||
        frame->width_px > SIDE_PX_MAX || (count != 1 && count != 3) || size_bytes != 6 + 3 * count)
        return -EAGAIN;
    frame->component_count = count;
    for (unsigned i = 0; i < count; i++) {
        const uint8_t *from = data + 6 + (size_t)3 * i;
        frame->components[i] = (struct img_jpeg_component){
            .id = from[0], .h = from[1] >> 4, .v = from[1] & 15, .quant = from[2]};
        if (from[2] >= IMG_JPEG_TABLES_MAX)
            return -EAGAIN;
    }
    int r = factors_check(frame);
    if (r < 0)
        return r;
    /* Alone, a component's factors mean nothing: its MCU is one block. */
    if (count == 1)
        frame->components[0].h = frame->components[0].v = 1;
    blocks_count(frame);
    return 0;
}

/* ---- The colours ---- */

static void signs_note(struct colour_signs *signs, int marker, const uint8_t *data,
                       size_t size_bytes)
{
    if (marker == IMG_JPEG_APP0 && size_bytes >= JFIF_BYTES_MIN && memcmp(data, "JFIF", 5) == 0) {
        signs->jfif = true;
        signs->jfif_unknown = signs->jfif_unknown || data[5] != 1;
    }
    if (marker == IMG_JPEG_APP14 && size_bytes >= ADOBE_BYTES_MIN &&
        memcmp(data, "Adobe", 5) == 0) {
        signs->adobe = true;
        signs->adobe_transform = data[11];
    }
}

static int colours_check(const struct img_jpeg_frame *frame, const struct colour_signs *signs)
{
    const struct img_jpeg_component *components = frame->components;
    if (signs->jfif_unknown)
        return -EAGAIN;
    if (frame->component_count == 1)
        return 0;
    if (signs->adobe && signs->adobe_transform != 1)
        return -EAGAIN;
    if (signs->jfif || signs->adobe)
        return 0;
    return components[1].id == components[0].id + 1 && components[2].id == components[0].id + 2 &&
                   components[0].id <= 1
               ? 0
               : -EAGAIN;
}

int img_jpeg_frame_read(const uint8_t *data, size_t size_bytes, struct img_jpeg_frame *ret_frame)
{
    struct img_jpeg_frame *frame = ret_frame;
    struct colour_signs signs = {.jfif = false};
    memset(frame, 0, sizeof(*frame));
    if (size_bytes < 2 || data[0] != 0xff || data[1] != IMG_JPEG_SOI)
        return -EAGAIN;
    size_t at = 2;
    for (;;) {
        const int marker = img_jpeg_marker_next(data, size_bytes, &at);
        if (marker == IMG_JPEG_SOS) {
            frame->first_scan = at - 2;
            return frame->component_count > 0 ? colours_check(frame, &signs) : -EAGAIN;
        }
        const uint8_t *body = NULL;
        size_t body_bytes = 0;
        int r =
            marker < 0 ? marker : img_jpeg_segment_next(data, size_bytes, &at, &body, &body_bytes);
        if (r < 0)
            return r;
        if (marker == IMG_JPEG_SOF0 || marker == IMG_JPEG_SOF1 || marker == IMG_JPEG_SOF2) {
            r = header_read(frame, body, body_bytes);
            frame->progressive = marker == IMG_JPEG_SOF2;
        } else if (img_jpeg_marker_is_metadata(marker)) {
            signs_note(&signs, marker, body, body_bytes);
        } else {
            r = img_jpeg_tables_read(frame, (uint8_t)marker, body, body_bytes);
        }
        if (r < 0)
            return r;
    }
}
