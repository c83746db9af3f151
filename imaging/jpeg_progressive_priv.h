/* jpeg_progressive_priv.h: the low coefficients of a progressive JPEG, without the others. Private
 * to imaging. */
#ifndef IMAGING_JPEG_PROGRESSIVE_PRIV_H
#define IMAGING_JPEG_PROGRESSIVE_PRIV_H

#include "imaging.h"
#include "jpeg_frame_priv.h"

/* The coefficients of a 2x2 transform besides DC, by their places in zigzag order. */
enum { IMG_LOW_ACROSS = 1, IMG_LOW_DOWN = 2, IMG_LOW_BOTH = 4 };

/** The AC coefficients of a block, as far as they are kept. A refinement scan has a bit for every
 *  coefficient that is not zero, so which ones are must be known of all 64. */
struct img_progressive_low {
    uint64_t nonzero; /* a bit for each, in zigzag order */
    int16_t across, down, both;
};

struct img_progressive_component {
    int16_t *dc;                     /* padded_width_blocks a row, padded_height_blocks rows */
    struct img_progressive_low *low; /* likewise; NULL: the AC scans are skipped */
    int8_t missing_bits[64];         /* of each coefficient, in zigzag order; -1: all */
    bool quant_latched;              /* by the component's first scan; what comes later is void */
    uint16_t quant[64];              /* in zigzag order */
};

struct img_progressive {
    const uint8_t *data; /* borrowed: the whole file */
    size_t size_bytes;
    const struct img_options *options; /* borrowed: for cancellation, and whether fast */
    uint32_t scans_max;
    struct img_jpeg_frame frame; /* its tables change from scan to scan */
    struct img_progressive_component components[IMG_JPEG_COMPONENTS_MAX];
};

/** The header of a scan, and the grid of its MCUs. */
struct img_progressive_scan {
    unsigned count; /* of components */
    uint8_t component[IMG_JPEG_COMPONENTS_MAX];
    uint8_t dc_table[IMG_JPEG_COMPONENTS_MAX];
    uint8_t ac_table; /* of the only component of an AC scan */
    uint8_t first, last;
    bool refines;
    uint8_t low_bit;
    uint32_t mcus_across, mcus_down;
};

/** The bytes that img_progressive_place() needs for the components.
 *  low_mask: a bit for each component whose low AC coefficients are wanted.
 *  Returns UINT64_MAX where they are too many to count. */
uint64_t img_progressive_bytes(const struct img_jpeg_frame *frame, unsigned low_mask);

/** Give the components their memory. memory: so many bytes as that, aligned as malloc does,
 *  borrowed; what is in it does not matter. */
void img_progressive_place(struct img_progressive *progressive, unsigned low_mask, void *memory);

/** Read the scans. All members but the components' are set, and the components have been placed.
 *  Returns 0: every DC coefficient is there, in full, and all that the file has of the AC that is
 *  wanted; where options->fast is set, less than one gray level may be missing.
 *  -EAGAIN: the file is damaged or unusual.  -ECANCELED. */
int img_progressive_read(struct img_progressive *progressive);

/** Decode one scan's data.
 *  at: the first byte behind the header.  ret_end: the offset of the marker behind the data.
 *  Returns 0, -EAGAIN or -ECANCELED. */
int img_progressive_scan_decode(struct img_progressive *progressive,
                                const struct img_progressive_scan *scan, size_t at,
                                size_t *ret_end);

/** Find the end of one scan's data without decoding it: only its markers are looked at. Arguments
 *  and result as above. */
int img_progressive_scan_skip(struct img_progressive *progressive,
                              const struct img_progressive_scan *scan, size_t at, size_t *ret_end);

#endif
