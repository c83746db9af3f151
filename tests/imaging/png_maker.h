/* png_maker.h: PNG files of any kind, whose rows are any bytes behind any filters. */
#ifndef TESTS_IMAGING_PNG_MAKER_H
#define TESTS_IMAGING_PNG_MAKER_H

#include "samples.h"

enum { MIXED = 5, GRAY = 0, RGB = 2, PALETTE = 3, GRAY_ALPHA = 4, RGB_ALPHA = 6 };

struct png_maker {
    uint32_t width, height;
    int type, depth;
    int filter;  /* of all rows, or MIXED */
    int colours; /* of the palette */
    const void *transparency;
    size_t transparency_bytes;
    size_t split;                     /* bytes of an IDAT; 0: all in one */
    int level, strategy, window_bits; /* of zlib; 0, 0, 0: 6, the usual, 15 */
    bool stored;
    bool has_runs;   /* rows that compress well */
    int extra_bytes; /* more, or less, than the rows need */
    bool interlaced;
};

/** The next of a series of numbers that is the same in every run. */
uint32_t random_next(void);

/** The rows, each after its filter's byte. The result is owned: free(). */
struct bytes png_maker_rows(const struct png_maker *make);

/** Bytes deflated. window_bits: as zlib has it, negative for a raw stream. The result is owned. */
struct bytes png_maker_deflate(struct bytes raw, const struct png_maker *make, int window_bits);

/** A whole file, in memory of just its size. The result is owned. */
struct bytes png_maker_file(const struct png_maker *make);

#endif
