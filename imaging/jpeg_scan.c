/* jpeg_scan.c: see jpeg_scan_priv.h.
 *
 * Entropy decoding is nearly all the time that a thumbnail of a photograph costs, and most of it
 * goes into coefficients that a thumbnail does not need. Of these only the bits and the number are
 * read, several symbols at a look-up.
 *
 * A scan is read in segments, from restart marker to restart marker. A segment's bytes are copied
 * into the chunk without the zeros that stuff them, so that readers take eight bytes at a time and
 * never look for markers. Then the places are found where blocks begin (jpeg_blocks.c), and at each
 * place what is wanted of that block is read, without waiting for the block before: only the sum of
 * the differences of DC goes from one to the next.
 *
 * Accepted is what libjpeg reads without a warning: every code is in its table, no coefficient is
 * behind the 63rd, each segment's bits suffice and all of its bytes are used, the restart markers
 * are there and in order. For all else libjpeg has the word. One thing it reads silently is
 * declined nevertheless: runs that go on behind the block's end. */
#include "jpeg_scan_priv.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "jpeg_markers_priv.h"

/* A symbol of AC has hardly ever more, code and value. */
#define LOW_BITS_USUAL 26

/* ---- The segment's bytes ---- */

/* Add what there is to the chunk, until it is full or the segment ends. */
static int chunk_add(struct img_jpeg_scan *scan)
{
    uint8_t *const full = scan->chunk + IMG_JPEG_CHUNK_BYTES;
    const uint8_t *from = scan->from;
    uint8_t *to = scan->chunk_end;
    while (to < full) {
        const size_t left = (size_t)(scan->from_end - from);
        const size_t room = (size_t)(full - to);
        const size_t look = left < room ? left : room;
        const uint8_t *found = memchr(from, 0xff, look);
        const size_t count = found ? (size_t)(found - from) : look;
        memcpy(to, from, count);
        from += count;
        to += count;
        if (!found && look == left)
            return -EAGAIN; /* no marker: cut off */
        if (!found)
            continue;
        if (left - count < 2)
            return -EAGAIN;
        if (from[1] != 0x00) {
            scan->segment_ended = true;
            break;
        }
        *to++ = 0xff;
        from += 2;
    }
    scan->from = from;
    scan->chunk_end = to;
    return 0;
}

static int segment_begin(struct img_jpeg_scan *scan)
{
    memset(scan->dc_last, 0, sizeof(scan->dc_last));
    scan->segment_mcus = scan->restart_interval > 0 ? scan->restart_interval : UINT32_MAX;
    scan->segment_ended = false;
    scan->chunk_end = scan->chunk;
    scan->taken = 0;
    img_jpeg_blocks_segment(&scan->found);
    return chunk_add(scan);
}

/* How many bits of the segment have not been read; below 0: more were read than there are. */
static ptrdiff_t bits_left(const struct img_jpeg_scan *scan)
{
    return (scan->chunk_end - scan->chunk) * 8 - (ptrdiff_t)scan->found.starts[scan->taken];
}

/* Only the bits that fill the last byte may be left. */
static int segment_end(const struct img_jpeg_scan *scan)
{
    const ptrdiff_t left = bits_left(scan);
    return scan->segment_ended && left >= 0 && left < 8 ? 0 : -EAGAIN;
}

static int restart(struct img_jpeg_scan *scan)
{
    int r = segment_end(scan);
    if (r < 0)
        return r;
    size_t at = 0;
    const int marker = img_jpeg_marker_next(scan->from, (size_t)(scan->from_end - scan->from), &at);
    if (marker != IMG_JPEG_RST0 + (int)scan->restart_number)
        return -EAGAIN;
    scan->from += at;
    scan->restart_number = (scan->restart_number + 1) & 7;
    return segment_begin(scan);
}

/* ---- Blocks ---- */

/* The blocks that are found but not read, less than an MCU, and the chunk from there on. */
static int chunk_turn(struct img_jpeg_scan *scan)
{
    struct img_jpeg_blocks *found = &scan->found;
    found->count -= scan->taken;
    memmove(found->starts, found->starts + scan->taken,
            (found->count + 1) * sizeof(*found->starts));
    scan->taken = 0;
    const uint32_t read_bytes = found->starts[0] / 8;
    const size_t left = (size_t)(scan->chunk_end - scan->chunk);
    if (scan->segment_ended || left > read_bytes + img_jpeg_blocks_bytes_wanted(found))
        return 0;
    memmove(scan->chunk, scan->chunk + read_bytes, left - read_bytes);
    scan->chunk_end -= read_bytes;
    for (uint32_t i = 0; i <= found->count; i++)
        found->starts[i] -= read_bytes * 8;
    return chunk_add(scan);
}

/* At least one more MCU. */
static int blocks_find(struct img_jpeg_scan *scan)
{
    int r = chunk_turn(scan);
    if (r < 0 || bits_left(scan) < 0)
        return -EAGAIN;
    img_jpeg_blocks_find(&scan->found, scan->chunk, (size_t)(scan->chunk_end - scan->chunk),
                         scan->segment_ended);
    return scan->found.count >= scan->block_count ? 0 : -EAGAIN;
}

/* One block of the MCUs of a row. */
struct block_plan {
    const struct img_jpeg_coder *coder;
    int32_t *dc; /* of the block before */
    int16_t *to;
    size_t advance; /* from MCU to MCU */
    unsigned last;
};

static void row_plan(struct img_jpeg_scan *scan, int16_t *const *ret_blocks,
                     struct block_plan *plans)
{
    for (unsigned i = 0; i < scan->block_count; i++) {
        const struct img_jpeg_mcu_block *block = &scan->layout[i];
        const unsigned component = block->component;
        const size_t step = scan->wanted[component].step;
        const size_t columns = img_jpeg_scan_columns(scan, component);
        plans[i] = (struct block_plan){
            .coder = scan->coder_of[component],
            .dc = &scan->dc_last[component],
            .to = ret_blocks[component] + (block->row * columns + block->column) * step,
            .advance = columns / scan->mcus_across * step,
        };
    }
}

/* The difference of DC of the block at *place, which goes on behind it. */
static inline int32_t dc_read(const uint8_t *data, uint32_t *place,
                              const struct img_jpeg_coder *coder)
{
    const uint64_t bits = img_jpeg_bits_at(data, *place);
    const unsigned entry = coder->dc[bits >> (64 - IMG_JPEG_DC_BITS)];
    unsigned size = entry >> 8, all = entry & 63;
    if (__builtin_expect(entry == 0, 0)) {
        const struct img_jpeg_symbol symbol =
            img_jpeg_symbol_read(coder, true, IMG_JPEG_DC_BITS + 1, bits);
        size = symbol.value_bits;
        all = symbol.code_bits + size;
    }
    *place += all;
    return img_jpeg_value(img_jpeg_bits_first(bits << (all - size), size), size);
}

/* The value of one symbol of AC at the top of bits, and what of it is bits and advance. */
static inline int32_t low_step(uint64_t bits, const struct img_jpeg_coder *coder, unsigned *all,
                               unsigned *advance)
{
    const unsigned entry = coder->low[bits >> (64 - IMG_JPEG_LOW_BITS)];
    unsigned size = entry >> 5 & 15;
    *all = entry & 31;
    *advance = entry >> 9;
    if (__builtin_expect(entry == 0, 0)) {
        const struct img_jpeg_symbol symbol =
            img_jpeg_symbol_read(coder, false, IMG_JPEG_LOW_BITS + 1, bits);
        size = symbol.value_bits;
        *all = symbol.code_bits + size;
        *advance = symbol.advance;
    }
    return img_jpeg_value(img_jpeg_bits_first(bits << (*all - size), size), size);
}

/* Store a value where it belongs, if it is wanted. Without a branch: it cannot be foretold. */
static inline void low_store(int16_t *block, unsigned k, unsigned last, int32_t value)
{
    int16_t unwanted;
    *(k - 1 <= last ? &block[k - 1] : &unwanted) = (int16_t)value;
}

/* What is behind a symbol of so many bits at place. What was taken from memory has both symbols,
 * unless the first is as long as no encoder of 8-bit pictures makes it. */
static inline uint64_t low_next(const uint8_t *data, uint32_t place, uint64_t bits, unsigned all)
{
    _Static_assert(57 - LOW_BITS_USUAL >= 16 + 15, "the second one may be the longest there is");
    return __builtin_expect(all > LOW_BITS_USUAL, 0) ? img_jpeg_bits_at(data, place + all)
                                                     : bits << all;
}

/* The coefficients 1 and 2. Behind the first symbol a second one is read even where it is not of
 * this block any more: it is not wanted then, as k only grows. */
static inline void low_read_two(const uint8_t *data, uint32_t place,
                                const struct img_jpeg_coder *coder, int16_t *block)
{
    const uint64_t bits = img_jpeg_bits_at(data, place);
    unsigned k = 1, all, advance;
    int32_t value = low_step(bits, coder, &all, &advance);
    k += advance;
    low_store(block, k, 2, value);
    value = low_step(low_next(data, place, bits, all), coder, &all, &advance);
    k += advance;
    low_store(block, k, 2, value);
}

/* The coefficients from 1 to last. The codes are known to be good. */
static inline void low_read(const uint8_t *data, uint32_t place, const struct img_jpeg_coder *coder,
                            unsigned last, int16_t *block)
{
    unsigned k = 1;
    do {
        const uint64_t bits = img_jpeg_bits_at(data, place);
        unsigned all, advance;
        int32_t value = low_step(bits, coder, &all, &advance);
        k += advance;
        low_store(block, k, last, value);
        if (k > last)
            break;
        const uint64_t next = low_next(data, place, bits, all);
        place += all;
        value = low_step(next, coder, &all, &advance);
        k += advance;
        low_store(block, k, last, value);
        place += all;
    } while (k <= last);
}

/* Read MCUs that have been found. */
static int mcus_read(struct img_jpeg_scan *scan, struct block_plan *plans, uint32_t count)
{
    const uint32_t *start = scan->found.starts + scan->taken;
    const unsigned block_count = scan->block_count;
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < count; i++)
        for (unsigned b = 0; b < block_count; b++) {
            struct block_plan *plan = &plans[b];
            uint32_t place = *start++;
            const int32_t dc = *plan->dc + dc_read(scan->chunk, &place, plan->coder);
            *plan->dc = dc;
            plan->to[0] = (int16_t)dc;
            wrong |= (uint32_t)(dc + 32768) >> 16;
            if (plan->last == 2)
                low_read_two(scan->chunk, place, plan->coder, plan->to);
            else if (plan->last > 0)
                low_read(scan->chunk, place, plan->coder, plan->last, plan->to);
            plan->to += plan->advance;
        }
    scan->taken += count * block_count;
    return wrong ? -EAGAIN : 0;
}

static inline uint32_t smallest(uint32_t a, uint32_t b, uint32_t c)
{
    const uint32_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* How many of the MCUs left in a row are alike in what is read of them; the plans are set to it. */
static uint32_t alike_plan(const struct img_jpeg_scan *scan, struct block_plan *plans,
                           uint32_t left)
{
    const uint32_t at = scan->mcus_across - left;
    const bool low = at >= scan->low_first && at < scan->low_end;
    for (unsigned i = 0; i < scan->block_count; i++)
        plans[i].last = low ? scan->wanted[scan->layout[i].component].last : 0;
    uint32_t count = left;
    if (low)
        count = scan->low_end - at;
    else if (at < scan->low_first && scan->low_first < scan->low_end)
        count = scan->low_first - at;
    return count < left ? count : left;
}

int img_jpeg_scan_row(struct img_jpeg_scan *scan, int16_t *const *ret_blocks)
{
    struct block_plan plans[IMG_JPEG_MCU_BLOCKS_MAX];
    row_plan(scan, ret_blocks, plans);
    uint32_t left = scan->mcus_across, alike = 0;
    while (left > 0) {
        int r = scan->segment_mcus > 0 ? 0 : restart(scan);
        if (r == 0 && scan->found.count - scan->taken < scan->block_count)
            r = blocks_find(scan);
        if (r < 0)
            return r;
        const uint32_t found = (scan->found.count - scan->taken) / scan->block_count;
        if (alike == 0)
            alike = alike_plan(scan, plans, left);
        const uint32_t count = smallest(alike, scan->segment_mcus, found);
        r = mcus_read(scan, plans, count);
        if (r < 0)
            return r;
        left -= count;
        alike -= count;
        if (scan->restart_interval > 0)
            scan->segment_mcus -= count;
    }
    return bits_left(scan) >= 0 ? 0 : -EAGAIN;
}

/* ---- The scan ---- */

uint32_t img_jpeg_scan_rows(const struct img_jpeg_scan *scan, unsigned component)
{
    return scan->component_count > 1 ? scan->frame->components[component].v : 1;
}

uint32_t img_jpeg_scan_columns(const struct img_jpeg_scan *scan, unsigned component)
{
    return scan->mcus_across *
           (scan->component_count > 1 ? scan->frame->components[component].h : 1u);
}

/* Which components: all in their order, or one. */
static int components_find(struct img_jpeg_scan *scan, const uint8_t *header, size_t header_bytes)
{
    const struct img_jpeg_frame *frame = scan->frame;
    const unsigned count = header_bytes > 0 ? header[0] : 0;
    if ((count != 1 && count != frame->component_count) || header_bytes != 4 + 2 * (size_t)count)
        return -EAGAIN;
    /* Sequential: all the coefficients, with all their bits. */
    const uint8_t *range = header + 1 + 2 * (size_t)count;
    if (range[0] != 0 || range[1] != 63 || range[2] != 0)
        return -EAGAIN;
    scan->component_count = count;
    for (unsigned i = 0; i < count; i++) {
        unsigned place = i;
        while (count == 1 && place < frame->component_count &&
               frame->components[place].id != header[1])
            place++;
        if (place >= frame->component_count ||
            frame->components[place].id != header[1 + 2 * (size_t)i] ||
            !frame->quant_defined[frame->components[place].quant])
            return -EAGAIN;
        scan->components[i] = place;
    }
    return 0;
}

static void coder_make(struct img_jpeg_coder_kept *kept, const struct img_jpeg_huffman *dc,
                       const struct img_jpeg_huffman *ac, bool with_low)
{
    if (kept->made && kept->with_low >= with_low && memcmp(&kept->dc, dc, sizeof(*dc)) == 0 &&
        memcmp(&kept->ac, ac, sizeof(*ac)) == 0)
        return;
    img_jpeg_coder_make(&kept->coder, dc, ac, with_low);
    kept->made = true;
    kept->with_low = with_low;
    kept->dc = *dc;
    kept->ac = *ac;
}

/* Components that share their tables share the coder. */
static int coders_make(struct img_jpeg_scan *scan, const uint8_t *header)
{
    const struct img_jpeg_frame *frame = scan->frame;
    uint8_t tables[IMG_JPEG_COMPONENTS_MAX];
    bool low[IMG_JPEG_COMPONENTS_MAX] = {false};
    unsigned count = 0;
    for (unsigned i = 0; i < scan->component_count; i++) {
        const unsigned component = scan->components[i];
        const uint8_t wanted = header[2 + 2 * (size_t)i];
        const unsigned dc = wanted >> 4, ac = wanted & 15;
        if (dc >= IMG_JPEG_TABLES_MAX || ac >= IMG_JPEG_TABLES_MAX || !frame->dc[dc].defined ||
            !frame->ac[ac].defined)
            return -EAGAIN;
        unsigned coder = 0;
        while (coder < count && tables[coder] != wanted)
            coder++;
        if (coder == count)
            tables[count++] = wanted;
        low[coder] |= scan->wanted[component].last > 0;
        scan->coder_of[component] = &scan->coders[coder].coder;
    }
    for (unsigned coder = 0; coder < count; coder++)
        coder_make(&scan->coders[coder], &frame->dc[tables[coder] >> 4],
                   &frame->ac[tables[coder] & 15], low[coder]);
    return 0;
}

static void blocks_lay_out(struct img_jpeg_scan *scan)
{
    const struct img_jpeg_frame *frame = scan->frame;
    scan->block_count = 0;
    scan->mcus_across = frame->mcus_across;
    scan->mcus_down = frame->mcus_down;
    if (scan->component_count == 1) {
        const struct img_jpeg_component *component = &frame->components[scan->components[0]];
        scan->mcus_across = component->width_blocks;
        scan->mcus_down = component->height_blocks;
    }
    for (unsigned i = 0; i < scan->component_count; i++)
        for (uint32_t row = 0; row < img_jpeg_scan_rows(scan, i); row++)
            for (uint32_t column = 0; column < img_jpeg_scan_columns(scan, i) / scan->mcus_across;
                 column++)
                scan->layout[scan->block_count++] =
                    (struct img_jpeg_mcu_block){scan->components[i], row, column};
    scan->low_first = 0;
    scan->low_end = scan->mcus_across;
    scan->found.per_mcu = scan->block_count;
    for (unsigned i = 0; i < scan->block_count; i++)
        scan->found.coders[i] = scan->coder_of[scan->layout[i].component];
}

int img_jpeg_scan_begin(struct img_jpeg_scan *scan, const struct img_jpeg_frame *frame,
                        const struct img_jpeg_wanted *wanted, const uint8_t *header,
                        size_t header_bytes, const uint8_t *data, size_t size_bytes, size_t at)
{
    memset(scan, 0, offsetof(struct img_jpeg_scan, found));
    scan->frame = frame;
    memcpy(scan->wanted, wanted, frame->component_count * sizeof(*wanted));
    int r = components_find(scan, header, header_bytes);
    if (r == 0)
        r = coders_make(scan, header);
    if (r < 0)
        return r;
    blocks_lay_out(scan);
    img_jpeg_blocks_begin(&scan->found);
    scan->from = data + at;
    scan->from_end = data + size_bytes;
    scan->restart_interval = frame->restart_interval;
    return segment_begin(scan);
}

int img_jpeg_scan_end(const struct img_jpeg_scan *scan, const uint8_t **ret_from)
{
    int r = segment_end(scan);
    if (r == 0)
        *ret_from = scan->from;
    return r;
}
