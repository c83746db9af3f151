/* jpeg_maker.h: JPEGs of every kind that libjpeg can write, and what libjpeg reads in them. */
#ifndef TESTS_IMAGING_JPEG_MAKER_H
#define TESTS_IMAGING_JPEG_MAKER_H

#include <stdio.h>

#include <jpeglib.h>

#include "samples.h"

/** What JPEG to make. Zeroed members mean the usual. */
struct jpeg_recipe {
    uint32_t width, height;
    unsigned components;       /* 1 or 3 */
    int h[3], v[3];            /* sampling factors; 0: 1 */
    int quality;               /* 0: 90 */
    int grain;                 /* 0..255: noise in the picture, and so long codes */
    bool optimised;            /* Huffman tables of its own */
    bool progressive;          /* libjpeg's own script, unless there are scans */
    bool separate_scans;       /* baseline, one for each component */
    bool arithmetic;           /* another entropy coder */
    bool adobe_rgb;            /* no YCbCr */
    bool no_jfif;              /* neither JFIF nor Adobe */
    unsigned restart_interval; /* in MCUs */
    const jpeg_scan_info *scans;
    int scan_count;
};

/** The result is owned: free(). The same recipe makes the same file. */
struct bytes jpeg_made(const struct jpeg_recipe *recipe);

/** What libjpeg reads. */
struct jpeg_oracle {
    bool accepted; /* it came to the end marker, and complained of nothing that may be damage */
    unsigned components;
    uint32_t width_blocks[4], height_blocks[4];
    int16_t *coefficients[4]; /* owned; 64 for each block, in zigzag order */
    uint16_t quant[4][64];    /* what they are to be multiplied by, likewise */
};

/** Free with jpeg_oracle_done(), whatever came of it. */
void jpeg_oracle_read(struct jpeg_oracle *oracle, const uint8_t *data, size_t size);
void jpeg_oracle_done(struct jpeg_oracle *oracle);

#endif
