/* jpeg_progressive_scan.c: the data of one scan; see jpeg_progressive_priv.h.
 *
 * Accepted: scans of DC, of one component or of several, and AC scans of one component, first
 * passes and refinements, with restart markers or without. Declined: a bad code, data that ends
 * before its blocks do or a byte or more behind them, restart markers out of order or number, runs
 * that go past a band's or a segment's end, values that 16 bits do not hold.
 *
 * Exact, because it is the standard's own procedure over the same codes; only that the AC
 * coefficients that nobody wants are not stored. Their signs and bits are read all the same, as the
 * codes behind them stand where they end.
 *
 * The data between two restart markers is a segment. Its end is found first, so that the reader of
 * bits meets no marker. Behind the end it reads zeros, which are counted. */
#include "jpeg_progressive_priv.h"

#include <errno.h>
#include <string.h>

#include "jpeg_markers_priv.h"

#define LOOK_BITS   10
#define BLOCKS_MAX  10 /* of an MCU */
#define CODE_FAILED (-1)

/* ---- Bits ---- */

struct reader {
    const uint8_t *at, *end;
    uint64_t window;  /* the next bit is the uppermost */
    unsigned count;   /* so many are known, at most 63; below them stand the next ones, or zeros */
    unsigned lacking; /* so many zeros have been put in behind the end */
};

static void reader_start(struct reader *reader, const uint8_t *at, const uint8_t *end)
{
    *reader = (struct reader){.at = at, .end = end};
}

static bool has_ff(uint64_t bytes)
{
    const uint64_t flipped = ~bytes;
    return ((flipped - UINT64_C(0x0101010101010101)) & bytes & UINT64_C(0x8080808080808080)) != 0;
}

static void reader_refill_slowly(struct reader *reader)
{
    while (reader->count < 56) {
        uint8_t byte = 0;
        if (reader->at < reader->end) {
            byte = *reader->at++;
            reader->at += byte == 0xff; /* the zero behind it; the segment's end is no 0xff */
        } else {
            reader->lacking += 8;
        }
        reader->window |= (uint64_t)byte << (56 - reader->count);
        reader->count += 8;
    }
}

/* At least 56 bits are known afterwards. */
static inline void reader_refill(struct reader *reader)
{
    if (reader->end - reader->at >= 8) {
        uint64_t bytes;
        memcpy(&bytes, reader->at, 8);
        if (!has_ff(bytes)) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
            bytes = __builtin_bswap64(bytes);
#endif
            reader->window |= bytes >> reader->count;
            reader->at += (63 - reader->count) >> 3;
            reader->count |= 56;
            return;
        }
    }
    /* A copy's address is given away, so that the reader itself can stay in registers. */
    struct reader copy = *reader;
    reader_refill_slowly(&copy);
    *reader = copy;
}

/* So many bits must be known; bits: 1 to 32 for take, 0 to 56 for drop. */
static inline void reader_drop(struct reader *reader, unsigned bits)
{
    reader->window <<= bits;
    reader->count -= bits;
}

static inline unsigned reader_take(struct reader *reader, unsigned bits)
{
    const unsigned value = (unsigned)(reader->window >> (64 - bits));
    reader_drop(reader, bits);
    return value;
}

static bool reader_is_beyond(const struct reader *reader)
{
    return reader->count < reader->lacking;
}

/* A sound segment ends in its last byte. */
static bool reader_is_done(const struct reader *reader)
{
    return reader->at == reader->end && !reader_is_beyond(reader) &&
           reader->count - reader->lacking < 8;
}

/* ---- Codes ---- */

struct codes {
    uint16_t look[1 << LOOK_BITS]; /* length and symbol of short codes; 0: a longer one, or none */
    int32_t code_max[17];          /* of each length; -1: there is none */
    int32_t symbol_offset[17];     /* from the code to its symbol */
    const uint8_t *symbols;        /* borrowed */
};

/* The DC differences whose code and bits are short; bits 0: a longer one. */
struct difference {
    int16_t value;
    uint8_t bits;
};

static inline int value_extend(unsigned bits, unsigned size)
{
    return bits < 1u << (size - 1) ? (int)bits - (int)(1u << size) + 1 : (int)bits;
}

static int codes_init(struct codes *codes, const struct img_jpeg_huffman *table)
{
    if (!table->defined)
        return -EAGAIN;
    memset(codes->look, 0, sizeof(codes->look));
    codes->symbols = table->symbols;
    int32_t code = 0, symbol = 0;
    for (unsigned length = 1; length <= 16; length++, code <<= 1) {
        const int32_t count = table->counts[length];
        codes->symbol_offset[length] = symbol - code;
        codes->code_max[length] = count > 0 ? code + count - 1 : -1;
        for (int32_t i = 0; i < count; i++, code++, symbol++) {
            if (length > LOOK_BITS)
                continue;
            const size_t start = (size_t)code << (LOOK_BITS - length);
            for (size_t j = 0; j < (size_t)1 << (LOOK_BITS - length); j++)
                codes->look[start + j] = (uint16_t)(length << 8 | table->symbols[symbol]);
        }
    }
    return 0;
}

static void differences_init(struct difference *differences, const struct codes *codes)
{
    for (unsigned i = 0; i < 1u << LOOK_BITS; i++) {
        const unsigned length = codes->look[i] >> 8, size = codes->look[i] & 0xff;
        differences[i] = (struct difference){.bits = 0};
        if (length == 0 || length + size > LOOK_BITS)
            continue;
        differences[i].bits = (uint8_t)(length + size);
        if (size > 0) {
            const unsigned bits = i >> (LOOK_BITS - length - size) & ((1u << size) - 1);
            differences[i].value = (int16_t)value_extend(bits, size);
        }
    }
}

static int long_code_read(struct reader *reader, const struct codes *codes)
{
    for (unsigned length = LOOK_BITS + 1; length <= 16; length++) {
        const int32_t code = (int32_t)(reader->window >> (64 - length));
        if (code <= codes->code_max[length]) {
            reader_drop(reader, length);
            return codes->symbols[code + codes->symbol_offset[length]];
        }
    }
    return CODE_FAILED;
}

/* The next symbol, or CODE_FAILED. 16 bits must be known. */
static inline int code_read(struct reader *reader, const struct codes *codes)
{
    const unsigned found = codes->look[reader->window >> (64 - LOOK_BITS)];
    if (found == 0)
        return long_code_read(reader, codes);
    reader_drop(reader, found >> 8);
    return (int)(found & 0xff);
}

/* ---- A scan ---- */

/* One block of the MCU. */
struct block {
    unsigned component; /* among the scan's */
    int16_t *dc;        /* the block of the scan's first MCU */
    size_t across;      /* from MCU to MCU */
    size_t down;        /* from row to row */
};

struct coder {
    const struct img_progressive *progressive;
    const struct img_progressive_scan *scan;
    struct reader reader;
    unsigned block_count;
    struct block blocks[BLOCKS_MAX];
    int32_t last_dc[IMG_JPEG_COMPONENTS_MAX];
    uint32_t run; /* so many blocks more have no new coefficient */
    struct img_progressive_low *low;
    size_t low_stride;
    struct difference differences[IMG_JPEG_COMPONENTS_MAX][1 << LOOK_BITS];
    struct codes codes[IMG_JPEG_COMPONENTS_MAX];
};

/* count MCUs of one row, from x on. Returns 0 or -EAGAIN. */
typedef int run_decode(struct coder *coder, uint32_t row, uint32_t x, uint32_t count);

static inline int32_t difference_read(struct reader *reader, const struct codes *codes,
                                      const struct difference *differences, bool *failed)
{
    const struct difference found = differences[reader->window >> (64 - LOOK_BITS)];
    if (found.bits > 0) {
        reader_drop(reader, found.bits);
        return found.value;
    }
    const int size = code_read(reader, codes);
    if (size == CODE_FAILED) {
        *failed = true;
        return 0;
    }
    return size == 0 ? 0 : value_extend(reader_take(reader, (unsigned)size), (unsigned)size);
}

static int dc_first(struct coder *coder, uint32_t row, uint32_t x, uint32_t count)
{
    struct reader reader = coder->reader;
    const unsigned shift = coder->scan->low_bit;
    bool failed = false;
    for (size_t mcu = x; mcu < (size_t)x + count; mcu++)
        for (unsigned i = 0; i < coder->block_count; i++) {
            const struct block *block = &coder->blocks[i];
            const unsigned c = block->component;
            reader_refill(&reader);
            const int32_t value =
                coder->last_dc[c] +
                difference_read(&reader, &coder->codes[c], coder->differences[c], &failed);
            coder->last_dc[c] = value;
            /* At most 13 places up: it cannot overflow before it is seen. */
            const int64_t shifted = (int64_t)value * (1 << shift);
            failed |= shifted < INT16_MIN || shifted > INT16_MAX;
            if (failed)
                return -EAGAIN;
            block->dc[row * block->down + mcu * block->across] = (int16_t)shifted;
        }
    coder->reader = reader;
    return 0;
}

static int dc_refine(struct coder *coder, uint32_t row, uint32_t x, uint32_t count)
{
    struct reader reader = coder->reader;
    const unsigned shift = coder->scan->low_bit;
    for (size_t mcu = x; mcu < (size_t)x + count; mcu++) {
        reader_refill(&reader);
        for (unsigned i = 0; i < coder->block_count; i++) {
            const struct block *block = &coder->blocks[i];
            int16_t *dc = &block->dc[row * block->down + mcu * block->across];
            *dc = (int16_t)(*dc | (int)(reader_take(&reader, 1) << shift));
        }
    }
    coder->reader = reader;
    return 0;
}

static inline int16_t *low_place(struct img_progressive_low *low, unsigned k)
{
    switch (k) {
    case IMG_LOW_ACROSS:
        return &low->across;
    case IMG_LOW_DOWN:
        return &low->down;
    case IMG_LOW_BOTH:
        return &low->both;
    default:
        return NULL;
    }
}

static inline void low_store(struct img_progressive_low *low, unsigned k, int value)
{
    int16_t *place = low_place(low, k);
    if (place)
        *place = (int16_t)value;
    low->nonzero |= UINT64_C(1) << k;
}

/* The length of a run of blocks without new coefficients, this one counted. size: 0 to 14. */
static inline uint32_t run_read(struct reader *reader, unsigned size)
{
    return size == 0 ? 1 : (UINT32_C(1) << size) + reader_take(reader, size);
}

static inline int ac_first_block(struct coder *coder, struct reader *reader,
                                 struct img_progressive_low *low)
{
    const struct img_progressive_scan *scan = coder->scan;
    for (unsigned k = scan->first; k <= scan->last; k++) {
        reader_refill(reader);
        const int symbol = code_read(reader, &coder->codes[0]);
        if (symbol == CODE_FAILED)
            return -EAGAIN;
        const unsigned zeros = (unsigned)symbol >> 4, size = (unsigned)symbol & 15;
        if (size == 0 && zeros < 15) {
            coder->run = run_read(reader, zeros) - 1;
            return 0;
        }
        k += zeros;
        if (k > scan->last || size + scan->low_bit > 15)
            return -EAGAIN;
        if (size > 0)
            low_store(low, k, value_extend(reader_take(reader, size), size) * (1 << scan->low_bit));
    }
    return 0;
}

static int ac_first(struct coder *coder, uint32_t row, uint32_t x, uint32_t count)
{
    struct img_progressive_low *low = coder->low + row * coder->low_stride + x;
    struct reader reader = coder->reader;
    while (count > 0) {
        if (coder->run > 0) {
            const uint32_t skipped = coder->run < count ? coder->run : count;
            coder->run -= skipped;
            count -= skipped;
            low += skipped;
            continue;
        }
        if (ac_first_block(coder, &reader, low) < 0)
            return -EAGAIN;
        count--, low++;
    }
    coder->reader = reader;
    return 0;
}

/* A correction bit for a coefficient that is not zero. Its bit was zero until now. */
static inline void low_correct(struct img_progressive_low *low, unsigned k, unsigned bit, int step)
{
    int16_t *place = low_place(low, k);
    if (place && bit)
        *place = (int16_t)(*place >= 0 ? *place + step : *place - step);
}

/* Correction bits for some of the coefficients, count in number. 32 bits must be known. */
static inline void corrections_read(struct reader *reader, struct img_progressive_low *low,
                                    uint64_t which, unsigned count, int step)
{
    const uint64_t kept = (UINT64_C(2) << IMG_LOW_BOTH) - 1;
    for (; (which & kept) != 0; which &= which - 1, count--) {
        reader_refill(reader);
        low_correct(low, (unsigned)__builtin_ctzll(which), reader_take(reader, 1), step);
    }
    if (count > 32) {
        reader_drop(reader, 32);
        reader_refill(reader);
        count -= 32;
    }
    reader_drop(reader, count);
}

/* Of these coefficients, those from k to last. k: at most last. */
static inline uint64_t band_of(uint64_t which, unsigned k, unsigned last)
{
    return which >> k << k & ~UINT64_C(0) >> (63 - last);
}

/* Pass over so many zero coefficients, and correct the others between them. Returns the place of
 * the next zero, or one past the last. k: at most last. */
static inline unsigned zeros_pass(struct reader *reader, struct img_progressive_low *low,
                                  unsigned k, unsigned last, unsigned zeros, int step)
{
    uint64_t left = band_of(~low->nonzero, k, last);
    for (unsigned i = 0; i < zeros; i++)
        left &= left - 1;
    if (left == 0)
        return last + 1;
    const unsigned place = (unsigned)__builtin_ctzll(left);
    if (place - k > zeros) /* k is not place, so it is below */
        corrections_read(reader, low, band_of(low->nonzero, k, place - 1), place - k - zeros, step);
    return place;
}

static inline int ac_refine_block(struct coder *coder, struct reader *reader,
                                  struct img_progressive_low *low)
{
    const struct img_progressive_scan *scan = coder->scan;
    const int step = 1 << scan->low_bit;
    unsigned k = scan->first;
    for (; coder->run == 0 && k <= scan->last; k++) {
        reader_refill(reader);
        const int symbol = code_read(reader, &coder->codes[0]);
        if (symbol == CODE_FAILED)
            return -EAGAIN;
        const unsigned zeros = (unsigned)symbol >> 4, size = (unsigned)symbol & 15;
        if (size > 1)
            return -EAGAIN;
        if (size == 0 && zeros < 15) {
            coder->run = run_read(reader, zeros);
            break;
        }
        const int value = size == 0 ? 0 : reader_take(reader, 1) ? step : -step;
        k = zeros_pass(reader, low, k, scan->last, zeros, step);
        if (k > scan->last)
            return -EAGAIN;
        if (value != 0)
            low_store(low, k, value);
    }
    if (coder->run > 0) {
        const uint64_t rest = k > scan->last ? 0 : band_of(low->nonzero, k, scan->last);
        if (rest != 0) {
            reader_refill(reader);
            corrections_read(reader, low, rest, (unsigned)__builtin_popcountll(rest), step);
        }
        coder->run--;
    }
    return 0;
}

static int ac_refine(struct coder *coder, uint32_t row, uint32_t x, uint32_t count)
{
    struct img_progressive_low *low = coder->low + row * coder->low_stride + x;
    struct reader reader = coder->reader;
    for (uint32_t i = 0; i < count; i++)
        if (ac_refine_block(coder, &reader, &low[i]) < 0)
            return -EAGAIN;
    coder->reader = reader;
    return 0;
}

/* ---- Segments ---- */

/* The end of the segment that starts at an offset, and the marker there. Returns the marker's code
 * or -EAGAIN. ret_next: the offset behind the marker. */
static int segment_find(const struct img_progressive *progressive, size_t at, size_t *ret_end,
                        size_t *ret_next)
{
    const uint8_t *data = progressive->data;
    const size_t size_bytes = progressive->size_bytes;
    for (size_t from = at; from < size_bytes;) {
        const uint8_t *found = memchr(data + from, 0xff, size_bytes - from);
        if (!found)
            return -EAGAIN;
        from = (size_t)(found - data);
        if (size_bytes - from >= 2 && data[from + 1] == 0x00) {
            from += 2;
            continue;
        }
        *ret_end = from;
        *ret_next = from;
        /* Every segment has a code at least. */
        return from == at ? -EAGAIN : img_jpeg_marker_next(data, size_bytes, ret_next);
    }
    return -EAGAIN;
}

static int segment_decode(struct coder *coder, run_decode *decode, uint64_t mcu, uint64_t count)
{
    const struct img_progressive *progressive = coder->progressive;
    const uint32_t across = coder->scan->mcus_across;
    memset(coder->last_dc, 0, sizeof(coder->last_dc));
    coder->run = 0;
    while (count > 0) {
        const uint32_t row = (uint32_t)(mcu / across), x = (uint32_t)(mcu % across);
        const uint32_t now = across - x < count ? across - x : (uint32_t)count;
        if (x == 0 && progressive->options->cancelled &&
            progressive->options->cancelled(progressive->options->cancel_data))
            return -ECANCELED;
        if (decode(coder, row, x, now) < 0 || reader_is_beyond(&coder->reader))
            return -EAGAIN;
        mcu += now;
        count -= now;
    }
    return reader_is_done(&coder->reader) && coder->run == 0 ? 0 : -EAGAIN;
}

/* Go through a scan's segments. coder: NULL: without decoding them. */
static int segments_walk(const struct img_progressive *progressive,
                         const struct img_progressive_scan *scan, struct coder *coder,
                         run_decode *decode, size_t at, size_t *ret_end)
{
    const uint64_t mcus = (uint64_t)scan->mcus_across * scan->mcus_down;
    const uint64_t interval =
        progressive->frame.restart_interval > 0 ? progressive->frame.restart_interval : mcus;
    int restart = IMG_JPEG_RST0;
    for (uint64_t mcu = 0;; mcu += interval) {
        const bool is_last = mcus - mcu <= interval;
        size_t end, next;
        const int marker = segment_find(progressive, at, &end, &next);
        const bool is_restart = marker >= IMG_JPEG_RST0 && marker <= IMG_JPEG_RST7;
        if (marker < 0 || is_restart == is_last || (is_restart && marker != restart))
            return -EAGAIN;
        if (coder) {
            reader_start(&coder->reader, progressive->data + at, progressive->data + end);
            int r = segment_decode(coder, decode, mcu, is_last ? mcus - mcu : interval);
            if (r < 0)
                return r;
        }
        if (is_last) {
            *ret_end = end;
            return 0;
        }
        at = next;
        restart = restart == IMG_JPEG_RST7 ? IMG_JPEG_RST0 : restart + 1;
    }
}

int img_progressive_scan_skip(struct img_progressive *progressive,
                              const struct img_progressive_scan *scan, size_t at, size_t *ret_end)
{
    if (!progressive->frame.ac[scan->ac_table].defined)
        return -EAGAIN;
    return segments_walk(progressive, scan, NULL, NULL, at, ret_end);
}

static void blocks_lay(struct coder *coder)
{
    const struct img_progressive_scan *scan = coder->scan;
    for (unsigned i = 0; i < scan->count; i++) {
        const unsigned number = scan->component[i];
        const struct img_jpeg_component *component = &coder->progressive->frame.components[number];
        /* The MCU of a scan of one component is one block. */
        const unsigned h = scan->count > 1 ? component->h : 1;
        const unsigned v = scan->count > 1 ? component->v : 1;
        const size_t stride = component->padded_width_blocks;
        for (unsigned y = 0; y < v; y++)
            for (unsigned x = 0; x < h; x++)
                coder->blocks[coder->block_count++] = (struct block){
                    .component = i,
                    .dc = coder->progressive->components[number].dc + y * stride + x,
                    .across = h,
                    .down = stride * v,
                };
    }
}

int img_progressive_scan_decode(struct img_progressive *progressive,
                                const struct img_progressive_scan *scan, size_t at, size_t *ret_end)
{
    const struct img_jpeg_frame *frame = &progressive->frame;
    struct coder coder;
    coder.progressive = progressive;
    coder.scan = scan;
    coder.block_count = 0;
    blocks_lay(&coder);
    coder.low = progressive->components[scan->component[0]].low;
    coder.low_stride = frame->components[scan->component[0]].padded_width_blocks;
    if (scan->first > 0) {
        if (codes_init(&coder.codes[0], &frame->ac[scan->ac_table]) < 0)
            return -EAGAIN;
        return segments_walk(progressive, scan, &coder, scan->refines ? ac_refine : ac_first, at,
                             ret_end);
    }
    for (unsigned i = 0; i < scan->count && !scan->refines; i++) {
        if (codes_init(&coder.codes[i], &frame->dc[scan->dc_table[i]]) < 0)
            return -EAGAIN;
        differences_init(coder.differences[i], &coder.codes[i]);
    }
    return segments_walk(progressive, scan, &coder, scan->refines ? dc_refine : dc_first, at,
                         ret_end);
}
