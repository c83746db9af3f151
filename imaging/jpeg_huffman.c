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

void img_jpeg_dc_table_make(struct img_jpeg_dc_table *table, const struct img_jpeg_huffman *from)
{
    codes_make(&table->codes, from);
    memset(table->entry, 0, sizeof(table->entry));
    uint16_t *to = table->entry;
    const uint8_t *symbol = from->symbols;
    for (unsigned length = 1; length <= IMG_JPEG_DC_BITS; length++)
        for (unsigned i = 0; i < from->counts[length]; i++, symbol++) {
            const uint16_t entry = (uint16_t)((length + *symbol) | (unsigned)*symbol << 8);
            for (unsigned j = 0; j < 1u << (IMG_JPEG_DC_BITS - length); j++)
                *to++ = entry;
        }
}

/* The skips that so many bits show. What is behind them is in the skips of fewer bits, which must
 * have been made; there zero means not even one symbol.
 * tables: that of so many bits starts at 1 << bits. */
static void skip_make(uint16_t *tables, unsigned bits, const struct img_jpeg_huffman *from)
{
    uint16_t *to = tables + (1u << bits);
    uint16_t *const end = to + (1u << bits);
    const uint8_t *symbol = from->symbols;
    for (unsigned length = 1; length <= bits; length++)
        for (unsigned i = 0; i < from->counts[length]; i++, symbol++) {
            const unsigned advance = advance_of(*symbol);
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

static void values_make(uint32_t *to, const struct img_jpeg_huffman *from)
{
    uint32_t *const end = to + (1u << IMG_JPEG_AC_BITS);
    const uint8_t *symbol = from->symbols;
    for (unsigned length = 1; length <= IMG_JPEG_AC_BITS; length++)
        for (unsigned i = 0; i < from->counts[length]; i++, symbol++) {
            const unsigned size = advance_of(*symbol) == IMG_JPEG_ADVANCE_EOB ? 0 : *symbol & 15u;
            const unsigned total = length + size;
            const uint32_t own = total | advance_of(*symbol) << 8;
            uint32_t *const stop = to + (1u << (IMG_JPEG_AC_BITS - length));
            if (total > IMG_JPEG_AC_BITS) {
                while (to < stop)
                    *to++ = own | IMG_JPEG_VALUE_IS_LONG | (uint32_t)size << 16;
                continue;
            }
            for (uint32_t bits = 0; bits < 1u << size; bits++) {
                const uint32_t entry = own | (uint32_t)(uint16_t)img_jpeg_value(bits, size) << 16;
                for (unsigned j = 0; j < 1u << (IMG_JPEG_AC_BITS - total); j++)
                    *to++ = entry;
            }
        }
    while (to < end)
        *to++ = IMG_JPEG_ADVANCE_NONE << 8;
}

void img_jpeg_ac_table_make(struct img_jpeg_ac_table *table, const struct img_jpeg_huffman *from,
                            bool with_values)
{
    codes_make(&table->codes, from);
    if (with_values)
        values_make(table->value, from);
    uint16_t tables[2u << IMG_JPEG_AC_BITS];
    for (unsigned bits = 0; bits <= IMG_JPEG_AC_BITS; bits++)
        skip_make(tables, bits, from);
    for (size_t i = 0; i < 1u << IMG_JPEG_AC_BITS; i++) {
        const uint16_t skip = tables[(1u << IMG_JPEG_AC_BITS) + i];
        table->skip[i] = skip ? skip : IMG_JPEG_ADVANCE_NONE << 8;
    }
}
