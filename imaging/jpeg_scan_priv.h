/* jpeg_scan_priv.h: the coefficients of a sequential scan, as far as they are wanted. Private to
 * imaging. */
#ifndef IMAGING_JPEG_SCAN_PRIV_H
#define IMAGING_JPEG_SCAN_PRIV_H

#include "jpeg_frame_priv.h"
#include "jpeg_huffman_priv.h"

/* Scan data is taken from the file so many bytes at a time. */
#define IMG_JPEG_CHUNK_BYTES ((size_t)32 * 1024)

/* No MCU is longer: ten blocks of 64 codes and values of at most 31 bits; and what the reader
 * looks ahead. */
#define IMG_JPEG_MCU_BYTES_MAX 2560

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

struct img_jpeg_bits {
    uint64_t top;        /* the next bits, from the highest on */
    unsigned count;      /* so many of them are there: at most 63 */
    const uint8_t *next; /* what follows */
};

/** A scan being read. Large: not for the stack. Nothing of it need be set before it begins. */
struct img_jpeg_scan {
    const struct img_jpeg_frame *frame; /* borrowed */
    struct img_jpeg_wanted wanted[IMG_JPEG_COMPONENTS_MAX];
    uint32_t mcus_across, mcus_down;
    unsigned component_count;
    unsigned components[IMG_JPEG_COMPONENTS_MAX]; /* their places in the frame */
    unsigned block_count;
    struct img_jpeg_mcu_block blocks[IMG_JPEG_MCU_BLOCKS_MAX];
    const struct img_jpeg_dc_table *dc_of[IMG_JPEG_COMPONENTS_MAX]; /* by place in the frame */
    const struct img_jpeg_ac_table *ac_of[IMG_JPEG_COMPONENTS_MAX];
    /* Where it stands. */
    int32_t dc_last[IMG_JPEG_COMPONENTS_MAX];
    uint32_t restart_interval; /* 0: none */
    uint32_t segment_mcus;     /* MCUs left until the next restart marker */
    unsigned restart_number;   /* 0..7, of that marker */
    struct img_jpeg_bits bits;
    /* The segment's data, without its stuffing, in chunks. */
    const uint8_t *from, *from_end;
    uint8_t *chunk_end; /* behind its last byte */
    bool segment_ended; /* nothing of the segment is behind the chunk; from is at a marker */
    uint8_t chunk[IMG_JPEG_CHUNK_BYTES + 2 * IMG_JPEG_MCU_BYTES_MAX];
    /* The tables that the scan uses. */
    struct img_jpeg_dc_table dc[IMG_JPEG_TABLES_MAX];
    struct img_jpeg_ac_table ac[IMG_JPEG_TABLES_MAX];
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
