/* png_inflate.c: deflate (RFC 1951) in pieces of any size, at the speed of libraries that want the
 * whole stream and the whole result in memory.
 *
 * There is one loop for codes and no slower one for the edges. Towards the end of the output it
 * leaves when the limit is reached, and the caller's slack takes what the last copy is too long.
 * Towards the end of the input it leaves when another round might read too far, and the caller puts
 * more bytes behind those that are left; behind the very last byte stand zeros, and whoever has
 * used some of them as if they were data stands behind the end of the input.
 *
 * An entry of a table says all about the next bits: how many to drop, whether they are a literal or
 * two, a length, a distance, a further table or nothing that may occur.
 *
 * It declines what zlib declines: codes that are oversubscribed or incomplete (but for the one
 * incomplete code that deflate allows, a single distance), too many symbols, a missing end of
 * block, distances before the beginning, stored lengths that disagree. Here an incomplete code of
 * lengths is declined even where zlib takes it. */
#include "png_inflate_priv.h"

#include <errno.h>
#include <string.h>

#define LENGTHS_MAX   288
#define DISTANCES_MAX 32
#define PRECODES      19
#define PRECODE_BITS  7
#define CODE_BITS_MAX 15
#define END_OF_BLOCK  256

/* An entry: bits 0-7 how many bits to drop, 8-11 how many of them are the code (or, of a pointer to
 * a second table, how many bits select in it), 12-15 flags, 16-31 the value: one or two literals,
 * the base of a length or distance, the place of the second table. */
#define ENTRY_LITERAL 0x8000u
#define ENTRY_SPECIAL 0x4000u /* a second table, the end of the block, or no code */
#define ENTRY_SECOND  0x2000u /* a literal: two of them; special: a second table */
#define ENTRY_END     0x1000u /* special: the end of the block */

static inline uint64_t load64(const uint8_t *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof(value));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

static inline void store64(uint8_t *to, uint64_t value)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    memcpy(to, &value, sizeof(value));
}

/* Fill up to at least 56 bits. What stands above bit_count are true bits of the stream: setting
 * them once more changes nothing. */
#define REFILL(in, bits, bit_count)                                                                \
    do {                                                                                           \
        (bits) |= load64(in) << (bit_count);                                                       \
        (in) += (63 - (bit_count)) >> 3;                                                           \
        (bit_count) |= 56;                                                                         \
    } while (0)

/* ---- Tables ---- */

static uint32_t length_entry(unsigned symbol)
{
    static const uint16_t bases[] = {3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
                                     15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
                                     67, 83, 99, 115, 131, 163, 195, 227, 258};
    static const uint8_t extra[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                    2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
    if (symbol < 256)
        return ENTRY_LITERAL | symbol << 16;
    if (symbol == END_OF_BLOCK)
        return ENTRY_SPECIAL | ENTRY_END;
    if (symbol - 257 >= sizeof(extra))
        return ENTRY_SPECIAL;
    return (uint32_t)bases[symbol - 257] << 16 | extra[symbol - 257];
}

static uint32_t distance_entry(unsigned symbol)
{
    if (symbol >= 30)
        return ENTRY_SPECIAL;
    const unsigned extra = symbol < 4 ? 0 : symbol / 2 - 1;
    const uint32_t base = symbol < 4 ? symbol + 1 : ((2 + (symbol & 1)) << extra) + 1;
    return base << 16 | extra;
}

static uint32_t precode_entry(unsigned symbol)
{
    return symbol << 16;
}

/* The next code of the same length, with the bits in the order of the stream. */
static unsigned code_next(unsigned code, unsigned length)
{
    unsigned bit = 1u << (length - 1);
    while (code & bit) {
        code ^= bit;
        bit >>= 1;
    }
    return code | bit;
}

/* How many bits the second table needs whose first code has this length: enough for all codes that
 * share its first bits. */
static unsigned second_bits(const unsigned counts[CODE_BITS_MAX + 1], unsigned length,
                            unsigned table_bits)
{
    unsigned bits = length - table_bits;
    unsigned used = counts[length];
    while (used < 1u << bits && length < CODE_BITS_MAX) {
        bits++;
        length++;
        used = (used << 1) + counts[length];
    }
    return bits;
}

struct code {
    const uint8_t *lengths; /* of each symbol; 0: it has no code */
    unsigned symbols;
    uint32_t (*entry)(unsigned symbol);
    bool may_be_single; /* may consist of one code of one bit, or none */
};

/* Sort the symbols by length, then by number. Returns false if the code is not complete. */
static bool symbols_sort(const struct code *code, unsigned counts[CODE_BITS_MAX + 1],
                         uint16_t sorted[LENGTHS_MAX], unsigned *ret_used)
{
    unsigned places[CODE_BITS_MAX + 2];
    memset(counts, 0, (CODE_BITS_MAX + 1) * sizeof(counts[0]));
    for (unsigned i = 0; i < code->symbols; i++)
        counts[code->lengths[i]]++;
    counts[0] = 0;
    int left = 1;
    places[1] = 0;
    for (unsigned length = 1; length <= CODE_BITS_MAX; length++) {
        left = left * 2 - (int)counts[length];
        if (left < 0)
            return false;
        places[length + 1] = places[length] + counts[length];
    }
    const unsigned used = places[CODE_BITS_MAX + 1];
    if (left > 0 && !(code->may_be_single && used <= 1 && counts[1] == used))
        return false;
    for (unsigned i = 0; i < code->symbols; i++)
        if (code->lengths[i] > 0)
            sorted[places[code->lengths[i]]++] = (uint16_t)i;
    *ret_used = used;
    return true;
}

static bool table_build(uint32_t *table, size_t room, unsigned table_bits, const struct code *code)
{
    unsigned counts[CODE_BITS_MAX + 1];
    uint16_t sorted[LENGTHS_MAX];
    unsigned used;
    if (!symbols_sort(code, counts, sorted, &used))
        return false;
    const unsigned mask = (1u << table_bits) - 1;
    size_t end = (size_t)1 << table_bits;
    if (used <= 1) /* what the single code leaves open */
        for (size_t i = 0; i < end; i++)
            table[i] = ENTRY_SPECIAL;

    unsigned reversed = 0;
    size_t second = 0;
    unsigned second_prefix = UINT32_MAX, bits = 0;
    unsigned length = 1;
    unsigned left = counts[1];
    for (unsigned i = 0; i < used; i++) {
        while (left == 0)
            left = counts[++length];
        const uint32_t entry = code->entry(sorted[i]);
        if (length <= table_bits) {
            const uint32_t whole = entry + length + (length << 8);
            for (size_t at = reversed; at <= mask; at += (size_t)1 << length)
                table[at] = whole;
        } else {
            if ((reversed & mask) != second_prefix) {
                second_prefix = reversed & mask;
                bits = second_bits(counts, length, table_bits);
                second = end;
                end += (size_t)1 << bits;
                if (end > room)
                    return false;
                table[second_prefix] =
                    (uint32_t)second << 16 | ENTRY_SPECIAL | ENTRY_SECOND | bits << 8 | table_bits;
            }
            const unsigned rest = length - table_bits;
            const uint32_t whole = entry + rest + (rest << 8);
            for (size_t at = reversed >> table_bits; at < (size_t)1 << bits;
                 at += (size_t)1 << rest)
                table[second + at] = whole;
        }
        /* The codes of a length count up; the first of the next length has a zero behind. */
        if (i + 1 < used)
            reversed = code_next(reversed, length);
        left--;
        counts[length]--;
    }
    return true;
}

/* Where two literals fit into the bits that a look-up sees, it gives both. */
static void literals_pair(uint32_t *table)
{
    for (size_t i = (size_t)1 << IMG_INFLATE_LENGTHS_BITS; i-- > 0;) {
        const uint32_t first = table[i];
        if (!(first & ENTRY_LITERAL))
            continue;
        const unsigned length = first & 0xff;
        const uint32_t second =
            table[i >> length]; /* not yet a pair: it stands before i, or is i */
        if ((second & ENTRY_LITERAL) && length + (second & 0xff) <= IMG_INFLATE_LENGTHS_BITS)
            table[i] = ENTRY_LITERAL | ENTRY_SECOND | (length + (second & 0xff)) |
                       (first & 0x00ff0000) | (second & 0x00ff0000) << 8;
    }
}

static bool tables_build(struct img_inflate *inflate, const uint8_t *lengths, unsigned length_count,
                         unsigned distance_count)
{
    const struct code first = {lengths, length_count, length_entry, false};
    const struct code second = {lengths + length_count, distance_count, distance_entry, true};
    if (!table_build(inflate->lengths, IMG_INFLATE_LENGTHS_ROOM, IMG_INFLATE_LENGTHS_BITS,
                     &first) ||
        !table_build(inflate->distances, IMG_INFLATE_DISTANCES_ROOM, IMG_INFLATE_DISTANCES_BITS,
                     &second))
        return false;
    literals_pair(inflate->lengths);
    return true;
}

/* ---- The headers of blocks ---- */

static bool bits_take(struct img_inflate *inflate, unsigned count, unsigned *ret_value)
{
    if (inflate->bit_count < count) {
        if (inflate->in > inflate->in_end + 8)
            return false;
        REFILL(inflate->in, inflate->bits, inflate->bit_count);
    }
    *ret_value = (unsigned)(inflate->bits & ((UINT64_C(1) << count) - 1));
    inflate->bits >>= count;
    inflate->bit_count -= count;
    return true;
}

/* The lengths of both codes, written as codes of a third. */
static bool lengths_read(struct img_inflate *inflate, const uint32_t *precode, uint8_t *lengths,
                         unsigned count)
{
    unsigned at = 0;
    while (at < count) {
        unsigned repeat;
        if (inflate->bit_count < PRECODE_BITS) {
            if (inflate->in > inflate->in_end + 8)
                return false;
            REFILL(inflate->in, inflate->bits, inflate->bit_count);
        }
        const uint32_t entry = precode[inflate->bits & ((1u << PRECODE_BITS) - 1)];
        if (entry & ENTRY_SPECIAL)
            return false;
        inflate->bits >>= entry & 0xff;
        inflate->bit_count -= entry & 0xff;
        const unsigned symbol = entry >> 16;
        if (symbol < 16) {
            lengths[at++] = (uint8_t)symbol;
            continue;
        }
        if (symbol == 16 && at == 0)
            return false;
        const uint8_t value = symbol == 16 ? lengths[at - 1] : 0;
        if (!bits_take(inflate, symbol == 16 ? 2 : symbol == 17 ? 3 : 7, &repeat))
            return false;
        repeat += symbol == 18 ? 11 : 3;
        if (repeat > count - at)
            return false;
        memset(lengths + at, value, repeat);
        at += repeat;
    }
    return true;
}

static bool dynamic_read(struct img_inflate *inflate)
{
    static const uint8_t order[PRECODES] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                            11, 4,  12, 3, 13, 2, 14, 1, 15};
    uint8_t precode_lengths[PRECODES] = {0};
    uint8_t lengths[LENGTHS_MAX + DISTANCES_MAX];
    uint32_t precode[1 << PRECODE_BITS];
    unsigned length_count, distance_count, precode_count, value;
    if (!bits_take(inflate, 5, &length_count) || !bits_take(inflate, 5, &distance_count) ||
        !bits_take(inflate, 4, &precode_count))
        return false;
    length_count += 257;
    distance_count += 1;
    precode_count += 4;
    if (length_count > 286 || distance_count > 30)
        return false;
    for (unsigned i = 0; i < precode_count; i++) {
        if (!bits_take(inflate, 3, &value))
            return false;
        precode_lengths[order[i]] = (uint8_t)value;
    }
    const struct code code = {precode_lengths, PRECODES, precode_entry, false};
    if (!table_build(precode, sizeof(precode) / sizeof(precode[0]), PRECODE_BITS, &code) ||
        !lengths_read(inflate, precode, lengths, length_count + distance_count) ||
        lengths[END_OF_BLOCK] == 0)
        return false;
    inflate->codes_are_fixed = false;
    return tables_build(inflate, lengths, length_count, distance_count);
}

static bool fixed_set(struct img_inflate *inflate)
{
    uint8_t lengths[LENGTHS_MAX + DISTANCES_MAX];
    if (inflate->codes_are_fixed)
        return true;
    memset(lengths, 8, 144);
    memset(lengths + 144, 9, 112);
    memset(lengths + 256, 7, 24);
    memset(lengths + 280, 8, 8);
    memset(lengths + LENGTHS_MAX, 5, DISTANCES_MAX);
    inflate->codes_are_fixed = true;
    return tables_build(inflate, lengths, LENGTHS_MAX, DISTANCES_MAX);
}

/* Give back the whole bytes that were taken from the input and not used: the caller may move what
 * is left of it, but not these bits. */
static void bytes_return(struct img_inflate *inflate)
{
    inflate->in -= inflate->bit_count / 8;
    inflate->bit_count %= 8;
    inflate->bits &= (1u << inflate->bit_count) - 1;
}

static bool stored_read(struct img_inflate *inflate)
{
    bytes_return(inflate);
    inflate->bits = inflate->bit_count = 0; /* up to the next byte */
    const uint8_t *in = inflate->in;
    if (in > inflate->in_end || inflate->in_end - in < 4)
        return false;
    const unsigned length = in[0] | (unsigned)in[1] << 8;
    const unsigned inverse = in[2] | (unsigned)in[3] << 8;
    if (length != (inverse ^ 0xffff))
        return false;
    inflate->in += 4;
    inflate->stored_left = length;
    return true;
}

static bool block_begin(struct img_inflate *inflate)
{
    unsigned final, type;
    if (!bits_take(inflate, 1, &final) || !bits_take(inflate, 2, &type))
        return false;
    inflate->block_is_final = final != 0;
    inflate->state = type == 0 ? IMG_INFLATE_STORED : IMG_INFLATE_CODES;
    switch (type) {
    case 0:
        return stored_read(inflate);
    case 1:
        return fixed_set(inflate);
    case 2:
        return dynamic_read(inflate);
    default:
        return false;
    }
}

static void block_end(struct img_inflate *inflate)
{
    inflate->state = inflate->block_is_final ? IMG_INFLATE_END : IMG_INFLATE_BLOCK;
}

/* ---- The contents of blocks ---- */

static uint8_t *stored_copy(struct img_inflate *inflate, uint8_t *out, const uint8_t *limit)
{
    size_t count = inflate->stored_left;
    const size_t have = (size_t)(inflate->in_end - inflate->in);
    if (count > have)
        count = have;
    if (count > (size_t)(limit - out))
        count = (size_t)(limit - out);
    memcpy(out, inflate->in, count);
    inflate->in += count;
    inflate->stored_left -= (uint32_t)count;
    if (inflate->stored_left == 0)
        block_end(inflate);
    return out + count;
}

/* May write up to 32 bytes too many. A short distance is a pattern: it is held in a register and
 * never read back from where it has just been written. */
static inline void match_copy(uint8_t *out, size_t distance, size_t length)
{
    static const uint64_t repeats[8] = {0,
                                        UINT64_C(0x0101010101010101),
                                        UINT64_C(0x0001000100010001),
                                        UINT64_C(0x0001000001000001),
                                        UINT64_C(0x0000000100000001),
                                        UINT64_C(0x0000010000000001),
                                        UINT64_C(0x0001000000000001),
                                        UINT64_C(0x0100000000000001)};
    static const uint8_t steps[8] = {0, 16, 16, 15, 16, 15, 12, 14};
    const uint8_t *from = out - distance;
    uint8_t *const end = out + length;
    if (distance >= 16) {
        memcpy(out, from, 16);
        memcpy(out + 16, from + 16, 16);
        while (end - out > 32) {
            out += 32;
            from += 32;
            memcpy(out, from, 16);
            memcpy(out + 16, from + 16, 16);
        }
    } else if (distance >= 8) {
        do {
            memcpy(out, from, 8);
            out += 8;
            from += 8;
        } while (out < end);
    } else {
        const size_t phase = 8 % distance;
        uint64_t pattern = load64(from) & ((UINT64_C(1) << (distance * 8)) - 1);
        pattern *= repeats[distance];
        const uint64_t behind = pattern >> (phase * 8) | pattern << ((distance - phase) * 8);
        const size_t step = steps[distance];
        do {
            store64(out, pattern);
            store64(out + 8, behind);
            out += step;
        } while (out < end);
    }
}

#define DROP(entry)                                                                                \
    do {                                                                                           \
        bits >>= (entry)&0xff;                                                                     \
        bit_count -= (entry)&0xff;                                                                 \
    } while (0)

#define LOOK_UP(table, width) (table)[bits & ((1u << (width)) - 1)]

#define PUT_LITERALS(entry)                                                                        \
    do {                                                                                           \
        out[0] = (uint8_t)((entry) >> 16);                                                         \
        out[1] = (uint8_t)((entry) >> 24);                                                         \
        out += 1 + ((entry) >> 13 & 1);                                                            \
        DROP(entry);                                                                               \
    } while (0)

/* Base and extra bits, which stand behind the code. */
#define VALUE(entry)                                                                               \
    (((entry) >> 16) +                                                                             \
     (unsigned)((bits & ((UINT64_C(1) << ((entry)&0xff)) - 1)) >> ((entry) >> 8 & 15)))

#define NEXT()                                                                                     \
    do {                                                                                           \
        REFILL(in, bits, bit_count);                                                               \
        entry = LOOK_UP(inflate->lengths, IMG_INFLATE_LENGTHS_BITS);                               \
    } while (0)

/* One round takes at most three look-ups of literals, and a length and its distance after another
 * refill: 3 * 11 bits, then 15 + 5 + 15 + 13. The next round's entry is looked up before a match is
 * copied, so that the processor need not wait. */
static inline __attribute__((always_inline)) int codes_run_body(struct img_inflate *inflate,
                                                                const uint8_t *history,
                                                                uint8_t *out, uint8_t *limit,
                                                                uint8_t **ret_out)
{
    const uint8_t *in = inflate->in;
    const uint8_t *in_limit = inflate->in_is_last ? inflate->in_end + 16 : inflate->in_end - 24;
    uint64_t bits = inflate->bits;
    unsigned bit_count = inflate->bit_count;
    uint32_t entry;
    int r = 0;
    NEXT();
    while (in < in_limit && out < limit) {
        if (entry & ENTRY_LITERAL) {
            PUT_LITERALS(entry);
            entry = LOOK_UP(inflate->lengths, IMG_INFLATE_LENGTHS_BITS);
            if (entry & ENTRY_LITERAL) {
                PUT_LITERALS(entry);
                entry = LOOK_UP(inflate->lengths, IMG_INFLATE_LENGTHS_BITS);
                if (entry & ENTRY_LITERAL) {
                    PUT_LITERALS(entry);
                    NEXT();
                    continue;
                }
            }
            REFILL(in, bits, bit_count);
        }
        if (entry & ENTRY_SPECIAL) {
            if (entry & ENTRY_SECOND) {
                bits >>= IMG_INFLATE_LENGTHS_BITS;
                bit_count -= IMG_INFLATE_LENGTHS_BITS;
                entry = inflate->lengths[(entry >> 16) + (bits & ((1u << (entry >> 8 & 15)) - 1))];
                if (entry & ENTRY_LITERAL) {
                    PUT_LITERALS(entry);
                    NEXT();
                    continue;
                }
            }
            if (entry & ENTRY_SPECIAL) {
                DROP(entry);
                if (entry & ENTRY_END)
                    block_end(inflate);
                else
                    r = -EBADMSG;
                break;
            }
        }
        const size_t length = VALUE(entry);
        DROP(entry);
        entry = LOOK_UP(inflate->distances, IMG_INFLATE_DISTANCES_BITS);
        if (entry & ENTRY_SPECIAL) {
            bits >>= entry & 0xff;
            bit_count -= entry & 0xff;
            if (entry & ENTRY_SECOND)
                entry =
                    inflate->distances[(entry >> 16) + (bits & ((1u << (entry >> 8 & 15)) - 1))];
            if (entry & ENTRY_SPECIAL) {
                r = -EBADMSG;
                break;
            }
        }
        const size_t distance = VALUE(entry);
        DROP(entry);
        if (distance > (size_t)(out - history)) {
            r = -EBADMSG;
            break;
        }
        NEXT();
        match_copy(out, distance, length);
        out += length;
    }
    inflate->in = in;
    inflate->bits = bits;
    inflate->bit_count = bit_count;
    *ret_out = out;
    return r;
}

#ifdef __x86_64__
/* Shifts by a variable number cost less with the instructions of BMI2. */
static __attribute__((target("bmi2"))) int codes_run_bmi2(struct img_inflate *inflate,
                                                          const uint8_t *history, uint8_t *out,
                                                          uint8_t *limit, uint8_t **ret_out)
{
    return codes_run_body(inflate, history, out, limit, ret_out);
}
#endif

static int codes_run(struct img_inflate *inflate, const uint8_t *history, uint8_t *out,
                     uint8_t *limit, uint8_t **ret_out)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("bmi2"))
        return codes_run_bmi2(inflate, history, out, limit, ret_out);
#endif
    return codes_run_body(inflate, history, out, limit, ret_out);
}

/* ---- The stream ---- */

void img_inflate_begin(struct img_inflate *inflate)
{
    inflate->state = IMG_INFLATE_BLOCK;
    inflate->bits = 0;
    inflate->bit_count = 0;
    inflate->block_is_final = false;
    inflate->codes_are_fixed = false;
    inflate->stored_left = 0;
}

/* Is there so much input that a block's header can be read, or a round of codes? */
static bool input_is_short(const struct img_inflate *inflate)
{
    return !inflate->in_is_last && inflate->in_end - inflate->in < IMG_INFLATE_IN_BYTES_MIN;
}

int img_inflate_run(struct img_inflate *inflate, const uint8_t *history, uint8_t *out,
                    uint8_t *limit, uint8_t **ret_out)
{
    int r = 0;
    while (r == 0 && inflate->state != IMG_INFLATE_END && out < limit && !input_is_short(inflate)) {
        const uint8_t *const in_before = inflate->in;
        if (inflate->state == IMG_INFLATE_BLOCK)
            r = block_begin(inflate) ? 0 : -EBADMSG;
        else if (inflate->state == IMG_INFLATE_STORED)
            out = stored_copy(inflate, out, limit);
        else
            r = codes_run(inflate, history, out, limit, &out);
        bytes_return(inflate);
        if (inflate->in > inflate->in_end) /* the zeros behind the last byte were used */
            r = -EBADMSG;
        /* All input is there and nothing moves: it ends inside a stored block. */
        if (r == 0 && inflate->in_is_last && inflate->state == IMG_INFLATE_STORED &&
            inflate->stored_left > 0 && inflate->in == inflate->in_end && in_before == inflate->in)
            r = -EBADMSG;
    }
    *ret_out = out;
    return r;
}
