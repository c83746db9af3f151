/* jpeg_scan.c: see jpeg_scan_priv.h.
 *
 * Entropy decoding is nearly all the time that a thumbnail of a photograph costs, and most of it
 * goes into coefficients that a thumbnail does not need. Of these only the bits and the number are
 * read, several symbols at a look-up.
 *
 * A scan is read in segments, from restart marker to restart marker. A segment's bytes are copied
 * into the chunk without the zeros that stuff them, so that the reader takes eight bytes at a time
 * and never looks for markers. Before each MCU the chunk holds more bytes than any MCU has, or all
 * the segment's; then what lies behind is memory of the chunk, too, and an MCU that reaches into
 * it is found after it has been read.
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
    scan->bits = (struct img_jpeg_bits){.next = scan->chunk};
    return chunk_add(scan);
}

/* Move what has not been read to the chunk's start, and fill it up. */
static int chunk_turn(struct img_jpeg_scan *scan)
{
    struct img_jpeg_bits *bits = &scan->bits;
    const size_t left = (size_t)(scan->chunk_end - bits->next);
    memmove(scan->chunk, bits->next, left);
    bits->next = scan->chunk;
    /* Bits behind the counted ones are of bytes that were not there yet. */
    bits->top = bits->count > 0 ? bits->top & ~UINT64_C(0) << (64 - bits->count) : 0;
    scan->chunk_end = scan->chunk + left;
    return chunk_add(scan);
}

/* How many bits of the segment have not been read; below 0: more were read than there are. */
static inline ptrdiff_t bits_left(const struct img_jpeg_scan *scan)
{
    return (scan->chunk_end - scan->bits.next) * 8 + (ptrdiff_t)scan->bits.count;
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

/* ---- Bits ---- */

/* At least 56 bits. Those behind the counted ones are right, too, so adding them again is none. */
static inline void bits_fill(struct img_jpeg_bits *bits)
{
    uint64_t bytes;
    memcpy(&bytes, bits->next, sizeof(bytes));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    bytes = __builtin_bswap64(bytes);
#endif
    bits->top |= bytes >> bits->count;
    bits->next += (63 - bits->count) >> 3;
    bits->count |= 56;
}

static inline void bits_drop(struct img_jpeg_bits *bits, unsigned count)
{
    bits->top <<= count;
    bits->count -= count;
}

/* The next size bits, not dropped; size: 0..15. */
static inline uint32_t bits_show(const struct img_jpeg_bits *bits, unsigned size)
{
    return (uint32_t)(bits->top >> 1 >> (63 - size));
}

/* A code by the long way, when the bits have just been filled. By value, so that the reader's own
 * stay in registers. */
struct long_code {
    struct img_jpeg_bits bits; /* behind the code */
    uint8_t symbol;
    bool found;
};

static __attribute__((noinline, cold)) struct long_code
code_long(struct img_jpeg_bits bits, const struct img_jpeg_codes *codes)
{
    struct long_code code = {.bits = bits};
    bits_fill(&code.bits);
    const uint32_t bits16 = (uint32_t)(code.bits.top >> 48);
    const unsigned length = img_jpeg_code_find(codes, bits16, &code.symbol);
    code.found = length > 0;
    bits_drop(&code.bits, length);
    return code;
}

/* ---- Blocks ---- */

/* The difference of DC. Returns false for a bad code. */
static inline bool dc_read(struct img_jpeg_bits *bits, const struct img_jpeg_dc_table *table,
                           int32_t *dc)
{
    bits_fill(bits);
    const unsigned entry = table->entry[bits->top >> (64 - IMG_JPEG_DC_BITS)];
    if (__builtin_expect(entry == 0, 0)) {
        const struct long_code code = code_long(*bits, &table->codes);
        if (!code.found)
            return false;
        *bits = code.bits;
        *dc += img_jpeg_value(bits_show(bits, code.symbol), code.symbol);
        bits_drop(bits, code.symbol);
        return true;
    }
    /* The next bits need not wait for the value. */
    const unsigned size = entry >> 8, all = entry & 63;
    struct img_jpeg_bits value = *bits;
    value.top <<= all - size;
    *dc += img_jpeg_value(bits_show(&value, size), size);
    bits_drop(bits, all);
    return true;
}

/* Read one symbol by its code, and store the value if it is wanted. Returns the next k; 64 and
 * more: the block is done; 0: a bad code, or behind the block's end. */
struct long_step {
    struct img_jpeg_bits bits;
    unsigned k;
};

static __attribute__((noinline, cold)) struct long_step ac_step(struct img_jpeg_bits bits,
                                                                const struct img_jpeg_codes *codes,
                                                                unsigned k, unsigned last,
                                                                int16_t *block)
{
    const struct long_code code = code_long(bits, codes);
    struct long_step step = {.bits = code.bits};
    if (!code.found)
        return step;
    const unsigned run = code.symbol >> 4, size = code.symbol & 15;
    if (size == 0 && run != 15) {
        step.k = 64;
        return step;
    }
    k += run + 1;
    if (k > 64)
        return step;
    if (k - 1 <= last && size > 0)
        block[k - 1] = (int16_t)img_jpeg_value(bits_show(&step.bits, size), size);
    bits_drop(&step.bits, size);
    step.k = k;
    return step;
}

_Static_assert(2 * (IMG_JPEG_AC_BITS + 15) <= 56, "two look-ups are made from what is filled once");

/* Skip the coefficients from k on to the end of the block. */
static inline bool ac_skip(struct img_jpeg_bits *bits, const struct img_jpeg_ac_table *table,
                           unsigned k)
{
    for (;;) {
        uint64_t top_before;
        unsigned count_before, k_before;
        unsigned entry;
        do {
            bits_fill(bits);
            top_before = bits->top, count_before = bits->count, k_before = k;
            entry = table->skip[bits->top >> (64 - IMG_JPEG_AC_BITS)];
            bits_drop(bits, entry & 63);
            k += entry >> 8;
            if (k >= 64)
                break;
            top_before = bits->top, count_before = bits->count, k_before = k;
            entry = table->skip[bits->top >> (64 - IMG_JPEG_AC_BITS)];
            bits_drop(bits, entry & 63);
            k += entry >> 8;
        } while (k < 64);
        if (k == 64 || (k > IMG_JPEG_ADVANCE_EOB && k < IMG_JPEG_ADVANCE_EOB + 64))
            return true;
        /* The symbols of this look-up go too far together, or its code is long. */
        bits->top = top_before, bits->count = count_before;
        const struct long_step step = ac_step(*bits, &table->codes, k_before, 0, NULL);
        *bits = step.bits;
        k = step.k;
        if (k == 0 || k >= 64)
            return k > 0;
    }
}

/* Read the coefficients from 1 to last and skip the others. */
static inline bool ac_read(struct img_jpeg_bits *bits, const struct img_jpeg_ac_table *table,
                           unsigned last, int16_t *block)
{
    unsigned k = 1;
    while (k <= last) {
        bits_fill(bits);
        const uint32_t entry = table->value[bits->top >> (64 - IMG_JPEG_AC_BITS)];
        const unsigned next = k + (entry >> 8 & 255);
        if (next > 64 || (entry & IMG_JPEG_VALUE_IS_LONG)) {
            if (next > IMG_JPEG_ADVANCE_EOB && next < IMG_JPEG_ADVANCE_EOB + 64) {
                bits_drop(bits, entry & 63);
                return true;
            }
            const struct long_step step = ac_step(*bits, &table->codes, k, last, block);
            *bits = step.bits;
            k = step.k;
            if (k == 0)
                return false;
            continue;
        }
        const int16_t value = (int16_t)(entry >> 16);
        if (next - 1 <= last && value != 0)
            block[next - 1] = value;
        bits_drop(bits, entry & 63);
        k = next;
    }
    return k >= 64 || ac_skip(bits, table, k);
}

/* ---- MCUs ---- */

/* One block of the MCUs of a row. */
struct block_plan {
    const struct img_jpeg_dc_table *dc_table;
    const struct img_jpeg_ac_table *ac_table;
    int32_t *dc; /* of the block before */
    int16_t *to;
    size_t advance; /* from MCU to MCU */
    unsigned last;
};

static void row_plan(struct img_jpeg_scan *scan, int16_t *const *ret_blocks,
                     struct block_plan *plans)
{
    for (unsigned i = 0; i < scan->block_count; i++) {
        const struct img_jpeg_mcu_block *block = &scan->blocks[i];
        const unsigned component = block->component;
        const size_t step = scan->wanted[component].step;
        const size_t columns = img_jpeg_scan_columns(scan, component);
        plans[i] = (struct block_plan){
            .dc_table = scan->dc_of[component],
            .ac_table = scan->ac_of[component],
            .dc = &scan->dc_last[component],
            .to = ret_blocks[component] + (block->row * columns + block->column) * step,
            .advance = columns / scan->mcus_across * step,
            .last = scan->wanted[component].last,
        };
    }
}

/* Is enough in the chunk for one more MCU? Bits are the scan's own here. */
static inline int chunk_check(struct img_jpeg_scan *scan)
{
    if (scan->chunk_end - scan->bits.next >= IMG_JPEG_MCU_BYTES_MAX)
        return 0;
    if (!scan->segment_ended)
        return chunk_turn(scan);
    return bits_left(scan) >= 0 ? 0 : -EAGAIN;
}

/* Read MCUs of one segment. */
static int mcus_read(struct img_jpeg_scan *scan, struct block_plan *plans, uint32_t count)
{
    const unsigned block_count = scan->block_count;
    struct img_jpeg_bits bits = scan->bits;
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (__builtin_expect(scan->chunk_end - bits.next < IMG_JPEG_MCU_BYTES_MAX, 0)) {
            scan->bits = bits;
            int r = chunk_check(scan);
            if (r < 0)
                return r;
            bits = scan->bits;
        }
        for (unsigned b = 0; b < block_count; b++) {
            struct block_plan *plan = &plans[b];
            int32_t dc = *plan->dc;
            if (!dc_read(&bits, plan->dc_table, &dc))
                return -EAGAIN;
            *plan->dc = dc;
            plan->to[0] = (int16_t)dc;
            wrong |= (uint32_t)(dc + 32768) >> 16;
            const bool good = plan->last > 0 ? ac_read(&bits, plan->ac_table, plan->last, plan->to)
                                             : ac_skip(&bits, plan->ac_table, 1);
            if (!good)
                return -EAGAIN;
            plan->to += plan->advance;
        }
    }
    scan->bits = bits;
    return wrong ? -EAGAIN : 0;
}

int img_jpeg_scan_row(struct img_jpeg_scan *scan, int16_t *const *ret_blocks)
{
    struct block_plan plans[IMG_JPEG_MCU_BLOCKS_MAX];
    row_plan(scan, ret_blocks, plans);
    uint32_t left = scan->mcus_across;
    while (left > 0) {
        int r = scan->segment_mcus > 0 ? 0 : restart(scan);
        const uint32_t count = left < scan->segment_mcus ? left : scan->segment_mcus;
        if (r == 0)
            r = mcus_read(scan, plans, count);
        if (r < 0)
            return r;
        left -= count;
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

static int tables_make(struct img_jpeg_scan *scan, const uint8_t *header)
{
    const struct img_jpeg_frame *frame = scan->frame;
    unsigned dc_made = 0, ac_made = 0, ac_values = 0;
    for (unsigned i = 0; i < scan->component_count; i++)
        if (scan->wanted[scan->components[i]].last > 0)
            ac_values |= 1u << (header[2 + 2 * (size_t)i] & 15);
    for (unsigned i = 0; i < scan->component_count; i++) {
        const unsigned dc = header[2 + 2 * (size_t)i] >> 4, ac = header[2 + 2 * (size_t)i] & 15;
        if (dc >= IMG_JPEG_TABLES_MAX || ac >= IMG_JPEG_TABLES_MAX || !frame->dc[dc].defined ||
            !frame->ac[ac].defined)
            return -EAGAIN;
        if (!(dc_made >> dc & 1))
            img_jpeg_dc_table_make(&scan->dc[dc], &frame->dc[dc]);
        if (!(ac_made >> ac & 1))
            img_jpeg_ac_table_make(&scan->ac[ac], &frame->ac[ac], ac_values >> ac & 1);
        dc_made |= 1u << dc;
        ac_made |= 1u << ac;
        scan->dc_of[scan->components[i]] = &scan->dc[dc];
        scan->ac_of[scan->components[i]] = &scan->ac[ac];
    }
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
                scan->blocks[scan->block_count++] =
                    (struct img_jpeg_mcu_block){scan->components[i], row, column};
}

int img_jpeg_scan_begin(struct img_jpeg_scan *scan, const struct img_jpeg_frame *frame,
                        const struct img_jpeg_wanted *wanted, const uint8_t *header,
                        size_t header_bytes, const uint8_t *data, size_t size_bytes, size_t at)
{
    memset(scan, 0, offsetof(struct img_jpeg_scan, dc));
    scan->frame = frame;
    memcpy(scan->wanted, wanted, frame->component_count * sizeof(*wanted));
    int r = components_find(scan, header, header_bytes);
    if (r == 0)
        r = tables_make(scan, header);
    if (r < 0)
        return r;
    blocks_lay_out(scan);
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
