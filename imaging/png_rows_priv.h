/* png_rows_priv.h: the filters of PNG rows undone, and samples made as the sink wants them.
 * Private to imaging. */
#ifndef IMAGING_PNG_ROWS_PRIV_H
#define IMAGING_PNG_ROWS_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** So many bytes behind a row, filtered or not, may be read; behind an unfiltered one they may be
 *  changed. */
#define IMG_PNG_ROW_SLACK 16

enum { IMG_PNG_NONE, IMG_PNG_SUB, IMG_PNG_UP, IMG_PNG_AVERAGE, IMG_PNG_PAETH };

/** Undo the filter of one row.
 *  row: where to; filtered: without the filter's byte; above: the row before, unfiltered, zeros for
 *  the first; pixel_bytes: 1, 2, 3, 4, 6 or 8.
 *  Returns false if there is no such filter. */
bool img_png_unfilter(unsigned filter, uint8_t *row, const uint8_t *filtered, const uint8_t *above,
                      size_t row_bytes, unsigned pixel_bytes);

/** The same for two rows at once, or four, whose filters are all Paeth or all Average, of pixels of
 * 3 or 4 bytes: each row stands below the one before it. */
void img_png_unfilter_two(unsigned filter, uint8_t *const *rows, const uint8_t *const *filtered,
                          const uint8_t *above, size_t row_bytes, unsigned pixel_bytes);
void img_png_unfilter_four(unsigned filter, uint8_t *const *rows, const uint8_t *const *filtered,
                           const uint8_t *above, size_t row_bytes, unsigned pixel_bytes);

/** How the samples of a file become those of a raster. */
struct img_png_expansion {
    uint32_t width_px;
    unsigned depth_bits; /* as stored: 1, 2, 4, 8 or 16 */
    unsigned channels;   /* as stored; of a palette picture 1 */
    bool has_palette;
    bool adds_alpha;         /* to the pixels, by key or palette */
    uint16_t key[3];         /* the transparent colour, of gray or RGB */
    uint8_t palette[256][4]; /* R, G, B, alpha; of a picture with few bits that is gray: the gray,
                              * alpha */
};

/** Is there anything to do, or are rows as stored rows for the sink? */
bool img_png_expands(const struct img_png_expansion *expansion);

/** Expand one row. to and from do not overlap. */
void img_png_expand(const struct img_png_expansion *expansion, uint8_t *to, const uint8_t *from);

#endif
