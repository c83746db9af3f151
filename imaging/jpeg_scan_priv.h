/* jpeg_scan_priv.h: the coefficients of a sequential scan, as far as they are wanted. Private to
 * imaging. */
#ifndef IMAGING_JPEG_SCAN_PRIV_H
#define IMAGING_JPEG_SCAN_PRIV_H

#include "jpeg_blocks_priv.h"
#include "jpeg_frame_priv.h"

/* Scan data is taken from the file so many bytes at a time. */
#define IMG_JPEG_CHUNK_BYTES ((size_t)64 * 1024)

/** What is wanted of each component's blocks. */
struct img_jpeg_wanted {
    unsigned last; /* the coefficients 0 to last, in zigzag order */
    unsigned step; /* so many entries from block to block, at least last + 1 */
};

/** One block of an MCU. */
struct img_jpeg_mcu_block {
    unsigned component;
    uint32_t row, column; /* within the MCU */
};

/** A coder, and the tables that it was made from. */
struct img_jpeg_coder_kept {
    bool made, with_low;
    struct img_jpeg_huffman dc, ac;
    struct img_jpeg_coder coder;
};

/** A scan being read. Large: not for the stack. Zeroed before the first scan; after that it may be
 *  used for any other, also of another picture, and has its coders already if they are the same. */
struct img_jpeg_scan {
    const struct img_jpeg_frame *frame; /* borrowed */
    struct img_jpeg_wanted wanted[IMG_JPEG_COMPONENTS_MAX];
    /* MCUs of a row of which more than DC is read, as wanted. Whoever reads the scan may narrow
     * this from row to row. */
    uint32_t low_first, low_end;
    uint32_t mcus_across, mcus_down;
    unsigned component_count;
    unsigned components[IMG_JPEG_COMPONENTS_MAX]; /* their places in the frame */
    unsigned block_count;
    struct img_jpeg_mcu_block layout[IMG_JPEG_MCU_BLOCKS_MAX];
    const struct img_jpeg_coder *coder_of[IMG_JPEG_COMPONENTS_MAX]; /* by place in the frame */
    /* Where it stands. */
    int32_t dc_last[IMG_JPEG_COMPONENTS_MAX];
    uint32_t restart_interval; /* 0: none */
    uint32_t segment_mcus;     /* MCUs left until the next restart marker */
    unsigned restart_number;   /* 0..7, of that marker */
    /* The segment's data, without its stuffing, in chunks. */
    const uint8_t *from, *from_end;
    uint8_t *chunk_end; /* behind its last byte */
    bool segment_ended; /* nothing of the segment is behind the chunk; from is at a marker */
    uint32_t taken;     /* so many of the blocks found have been read */
    struct img_jpeg_blocks found; /* places are those of the chunk */
    uint8_t chunk[IMG_JPEG_CHUNK_BYTES + IMG_JPEG_SLACK_BYTES];
    struct img_jpeg_coder_kept coders[IMG_JPEG_COMPONENTS_MAX]; /* not all need be in use */
};

/** Start with the scan whose SOS segment's contents are given. data: the whole file; at: where the
 *  scan's data starts. All components are in it, in their order, or one is.
 *  wanted: one for each component of the frame. Returns 0 or -EAGAIN. */
int img_jpeg_scan_begin(struct img_jpeg_scan *scan, const struct img_jpeg_frame *frame,
                        const struct img_jpeg_wanted *wanted, const uint8_t *header,
                        size_t header_bytes, const uint8_t *data, size_t size_bytes, size_t at);

/** How many rows of a component's blocks a row of MCUs has, and how many blocks are in each. */
uint32_t img_jpeg_scan_rows(const struct img_jpeg_scan *scan, unsigned component);
uint32_t img_jpeg_scan_columns(const struct img_jpeg_scan *scan, unsigned component);

/** Read a row of MCUs.
 *  ret_blocks: for each component of the scan the blocks, row by row, of step entries each: the
 *  coefficients as they are stored, not multiplied. Must be zeroed where last is over 0.
 *  Returns 0, or -EAGAIN: damaged, or unusual. */
int img_jpeg_scan_row(struct img_jpeg_scan *scan, int16_t *const *ret_blocks);

/** After the last row: look whether the data ends as it should.
 *  ret_from: the marker behind it. Returns 0 or -EAGAIN. */
int img_jpeg_scan_end(const struct img_jpeg_scan *scan, const uint8_t **ret_from);

#endif
