/* jpeg_huffman.c: see jpeg_huffman_priv.h. */
#include "jpeg_huffman_priv.h"

#include <stddef.h>
#include <string.h>

/* A symbol of AC coefficients: how far it goes on, and the bits of its value. */
static unsigned advance_of(uint8_t symbol)
{
    const unsigned run = symbol >> 4, size = symbol & 15;
    return size > 0 || run == 15 ? run + 1 : IMG_JPEG_ADVANCE_EOB;
}

static void codes_make(struct img_jpeg_codes *codes, const struct img_jpeg_huffman *from)
{
    uint32_t code = 0;
    int32_t place = 0;
    memcpy(codes->symbols, from->symbols, sizeof(codes->symbols));
    for (unsigned length = 1; length <= 16; length++) {
        codes->offset[length] = place - (int32_t)code;
        code += from->counts[length];
        place += from->counts[length];
        codes->end[length] = code << (16 - length);
        code <<= 1;
    }
    codes->end[0] = 0;
    codes->end[17] = UINT32_MAX;
}

static void dc_make(uint16_t *to, const struct img_jpeg_huffman *from)
{
    uint16_t *const end = to + (1u << IMG_JPEG_DC_BITS);
    const uint8_t *symbol = from->symbols;
    for (unsigned length = 1; length <= IMG_JPEG_DC_BITS; length++)
        for (unsigned i = 0; i < from->counts[length]; i++, symbol++) {
            const uint16_t entry = (uint16_t)((length + *symbol) | (unsigned)*symbol << 8);
            for (unsigned j = 0; j < 1u << (IMG_JPEG_DC_BITS - length); j++)
                *to++ = entry;
        }
    while (to < end)
        *to++ = 0;
}

static void low_make(uint16_t *to, const struct img_jpeg_huffman *from)
{
    uint16_t *const end = to + (1u << IMG_JPEG_LOW_BITS);
    const uint8_t *symbol = from->symbols;
    for (unsigned length = 1; length <= IMG_JPEG_LOW_BITS; length++)
        for (unsigned i = 0; i < from->counts[length]; i++, symbol++) {
            const bool ends = advance_of(*symbol) == IMG_JPEG_ADVANCE_EOB;
            const unsigned size = ends ? 0 : *symbol & 15u;
            const unsigned advance = ends ? IMG_JPEG_LOW_ADVANCE_EOB : advance_of(*symbol);
            const uint16_t entry = (uint16_t)((length + size) | size << 5 | advance << 9);
            for (unsigned j = 0; j < 1u << (IMG_JPEG_LOW_BITS - length); j++)
                *to++ = entry;
        }
    while (to < end)
        *to++ = 0;
}

/* The skips that so many bits show, from a symbol of DC or of AC on. What is behind it is in the
 * skips of fewer bits, which must have been made.
 * tables: those of AC; that of so many bits starts at 1 << bits. */
static void skip_make(uint16_t *to, unsigned bits, const struct img_jpeg_huffman *from, bool is_dc,
                      const uint16_t *tables)
{
    uint16_t *const end = to + (1u << bits);
    const uint8_t *symbol = from->symbols;
    for (unsigned length = 1; length <= bits; length++)
        for (unsigned i = 0; i < from->counts[length]; i++, symbol++) {
            const unsigned advance = is_dc ? 1 : advance_of(*symbol);
            const unsigned total = length + (*symbol & 15);
            const unsigned own = total | advance << 8;
            uint16_t *const stop = to + (1u << (bits - length));
            if (total >= bits || advance == IMG_JPEG_ADVANCE_EOB) {
                while (to < stop)
                    *to++ = (uint16_t)own;
                continue;
            }
            const unsigned left = bits - total;
            while (to < stop)
                for (const uint16_t *m = tables + (1u << left); m < tables + (2u << left); m++) {
                    const unsigned both = advance + (*m >> 8 & (IMG_JPEG_ADVANCE_EOB - 1));
                    *to++ = (uint16_t)(both < 64 ? own + *m : own);
                }
        }
    while (to < end)
        *to++ = 0;
}

void img_jpeg_coder_make(struct img_jpeg_coder *coder, const struct img_jpeg_huffman *dc,
                         const struct img_jpeg_huffman *ac, bool with_low)
{
    uint16_t tables[2u << IMG_JPEG_SKIP_BITS];
    codes_make(&coder->dc_codes, dc);
    codes_make(&coder->ac_codes, ac);
    dc_make(coder->dc, dc);
    if (with_low)
        low_make(coder->low, ac);
    for (unsigned bits = 0; bits <= IMG_JPEG_SKIP_BITS; bits++)
        skip_make(tables + (1u << bits), bits, ac, false, tables);
    memcpy(coder->skip, tables + (1u << IMG_JPEG_SKIP_BITS), sizeof(coder->skip));
    skip_make(coder->first, IMG_JPEG_SKIP_BITS, dc, true, tables);
    for (size_t i = 0; i < 1u << IMG_JPEG_SKIP_BITS; i++) {
        coder->skip[i] = coder->skip[i] ? coder->skip[i] : IMG_JPEG_ADVANCE_NONE << 8;
        coder->first[i] = coder->first[i] ? coder->first[i] : IMG_JPEG_ADVANCE_NONE << 8;
    }
}
