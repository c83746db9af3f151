/* jpeg_frame_priv.h: what stands before the first scan of a JPEG that our own decoders may take.
 * Private to imaging. */
#ifndef IMAGING_JPEG_FRAME_PRIV_H
#define IMAGING_JPEG_FRAME_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMG_JPEG_COMPONENTS_MAX 3
#define IMG_JPEG_TABLES_MAX     4
#define IMG_JPEG_MCU_BLOCKS_MAX 10

/** A Huffman table as it is stored. */
struct img_jpeg_huffman {
    bool defined;
    uint8_t counts[17]; /* of codes of 1..16 bits */
    uint8_t symbols[256];
};

struct img_jpeg_component {
    uint8_t id;
    uint8_t h, v; /* sampling factors */
    uint8_t quant;
    /* Its blocks: those that hold picture, and those that a scan of several components has, which
     * fill whole MCUs. */
    uint32_t width_blocks, height_blocks;
    uint32_t padded_width_blocks, padded_height_blocks;
};

struct img_jpeg_frame {
    uint32_t width_px, height_px;
    bool progressive;
    unsigned component_count; /* 1: gray, 3: YCbCr */
    struct img_jpeg_component components[IMG_JPEG_COMPONENTS_MAX];
    unsigned h_max, v_max;
    uint32_t mcus_across, mcus_down; /* of a scan of all components */
    /* As they stand before the first scan; later segments may change them (progressive). */
    bool quant_defined[IMG_JPEG_TABLES_MAX];
    uint16_t quant[IMG_JPEG_TABLES_MAX][64]; /* in zigzag order */
    struct img_jpeg_huffman dc[IMG_JPEG_TABLES_MAX], ac[IMG_JPEG_TABLES_MAX];
    uint32_t restart_interval; /* in MCUs; 0: none */
    size_t first_scan;         /* offset of the first SOS marker */
};

/** Read the segments up to the first scan.
 *  Returns 0, or -EAGAIN: damaged, unusual, or not YCbCr or gray: for libjpeg to decide. Only what
 *  is sound beyond doubt is taken: 8 bits, baseline, extended or progressive Huffman, components in
 *  usual order, an MCU of at most ten blocks, h and v of 1, 2 or 4, the first component's the
 *  largest.
 *  ret_frame: written in any case. */
int img_jpeg_frame_read(const uint8_t *data, size_t size_bytes, struct img_jpeg_frame *ret_frame);

/** Take over one table segment (DHT, DQT or DRI) that stands between scans.
 *  data: the segment's contents, behind its length.  Returns 0, or -EAGAIN. */
int img_jpeg_tables_read(struct img_jpeg_frame *frame, uint8_t marker, const uint8_t *data,
                         size_t size_bytes);

#endif
