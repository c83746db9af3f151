/* jpeg_blocks.c: see jpeg_blocks_priv.h.
 *
 * To pass over a block only the lengths of its codes and values are needed, several of them at a
 * look-up. But each look-up must wait for the one before, which says where to look, so that a
 * processor idles most of the time, and where a block ends cannot be foretold, so that a branch on
 * it costs as much again. Hence two measures.
 *
 * There are no such branches: what differs at a block's end is chosen by masks.
 *
 * And there are several readers at once. Huffman codes put themselves right: who begins anywhere in
 * the data, knowing neither where a code begins nor which block of an MCU it is of, reads nonsense,
 * but only until he happens to stand at the beginning of a block and takes it for what it is. From
 * there on all that he reads is right. In photographs this takes some hundred bytes. So scouts are
 * sent ahead, some kilobytes apart, all read at the same time, and note where their blocks begin.
 * When a reader has come to where the next one started, they are compared: where both have the
 * beginning of a block at the same place, and the same block of an MCU, they have met. Behind it
 * the scout has found what the reader would find, to the bit, because that depends on nothing
 * else. So scouts make it faster, and never other. If they do not meet, the scout was in vain.
 *
 * A scout that comes to a bad code starts anew behind it. If it is the file's, not the scout's,
 * the first reader comes to it himself, as nothing before it is the scout's any more. */
#include "jpeg_blocks_priv.h"

/* Steps between two looks at how far the readers are. None passes over more than 31 bits or finds
 * more than one block. */
#define STEPS       32
#define STEPS_BYTES (STEPS * 31 / 8 + 1)
_Static_assert(STEPS_BYTES + 8 <= IMG_JPEG_SLACK_BYTES, "readers look so far beyond");

/* Scouts that start less than this apart are not worth it; more, and they would find more than
 * there is room for. */
#define LEAD_MIN 768
#define LEAD_MAX 8192

/* Usually enough, behind the next one's start, to meet it. */
#define MEETING_BYTES 192

/* And if it is not, so many more are tried. */
#define MEETING_BYTES_MAX 2048

/* Where no scout was met so often, none is sent any more: blocks that share their tables may keep
 * one out of step for ever. */
#define VAIN_MAX 4

/* No MCU is longer: ten blocks of 64 codes and values, of 31 bits each. */
#define MCU_BYTES_MAX 2480

/* What changes with each step: meant for registers. */
struct stand {
    uint32_t place;
    uint32_t passed; /* of the block's coefficients; 0: at its beginning */
    uint32_t state;  /* twice the number of the block in its MCU; plus 1: behind its DC */
    uint32_t *start; /* that of the block being read; those of the blocks found are before it */
};

struct reader {
    struct stand at;
    uint32_t *starts;
    bool is_scout;
    bool stuck; /* at a bad code: not a scout, which starts anew */
};

struct img_jpeg_symbol img_jpeg_symbol_read(const struct img_jpeg_coder *coder, bool is_dc,
                                            unsigned code_bits_min, uint64_t bits)
{
    const struct img_jpeg_codes *codes = is_dc ? &coder->dc_codes : &coder->ac_codes;
    struct img_jpeg_symbol read = {0};
    uint8_t symbol;
    read.code_bits = img_jpeg_code_find(codes, (uint32_t)(bits >> 48), code_bits_min, &symbol);
    if (read.code_bits == 0)
        return read;
    const unsigned run = is_dc ? 0 : symbol >> 4;
    read.value_bits = symbol & 15;
    read.advance = run + 1;
    if (!is_dc && read.value_bits == 0 && run != 15)
        read.advance = IMG_JPEG_ADVANCE_EOB;
    return read;
}

void img_jpeg_blocks_begin(struct img_jpeg_blocks *blocks)
{
    blocks->lead_bytes = LEAD_MAX / 2;
    for (unsigned b = 0; b < blocks->per_mcu; b++) {
        blocks->skips[2 * b] = blocks->coders[b]->first;
        blocks->skips[2 * b + 1] = blocks->coders[b]->skip;
        blocks->next_state[2 * b] = (uint8_t)((b + 1) % blocks->per_mcu * 2);
        blocks->next_state[2 * b + 1] = blocks->next_state[2 * b];
    }
}

void img_jpeg_blocks_segment(struct img_jpeg_blocks *blocks)
{
    blocks->count = 0;
    blocks->starts[0] = 0;
    blocks->in_vain = 0;
}

static struct stand stand_at(uint32_t place, uint32_t state, uint32_t *starts)
{
    starts[0] = place;
    return (struct stand){.place = place, .state = state, .start = starts};
}

static uint32_t found_by(const struct reader *reader)
{
    return (uint32_t)(reader->at.start - reader->starts);
}

/* Passed that is beyond the end, other than by one end, or no symbol at all. */
static inline bool is_wrong(uint32_t passed)
{
    return (passed - 65 < 64) | (passed >= IMG_JPEG_ADVANCE_EOB + 64);
}

/* A look-up that went wrong: some symbols went too far together, a code is long or bad. It is
 * undone, and one symbol read by its code. at is a copy, so that all else stays in registers.
 * Returns false at a bad code: then a scout is at a new beginning, and who is none is stuck. What
 * he has found is right; where he stands means nothing any more. */
static __attribute__((noinline, cold)) bool step_by_code(const struct img_jpeg_blocks *blocks,
                                                         const uint8_t *data, struct reader *reader,
                                                         unsigned entry, struct stand *at)
{
    const uint32_t place = at->place - (entry & 31);
    const unsigned code_bits_min = entry >> 8 == IMG_JPEG_ADVANCE_NONE ? IMG_JPEG_SKIP_BITS + 1 : 1;
    const struct img_jpeg_symbol symbol =
        img_jpeg_symbol_read(blocks->coders[at->state / 2], at->state % 2 == 0, code_bits_min,
                             img_jpeg_bits_at(data, place));
    const uint32_t passed = at->passed - (entry >> 8) + symbol.advance;
    if (symbol.code_bits == 0 || is_wrong(passed)) {
        reader->stuck = !reader->is_scout;
        if (reader->is_scout)
            *at = stand_at(place + 1, 0, reader->starts);
        return false;
    }
    at->place = place + symbol.code_bits + symbol.value_bits;
    at->passed = passed;
    return true;
}

/* One step of one reader. */
static inline __attribute__((always_inline)) struct stand
step_on(const struct img_jpeg_blocks *blocks, const uint8_t *data, struct reader *reader,
        struct stand at)
{
    const uint64_t bits = img_jpeg_bits_at(data, at.place);
    const unsigned entry = blocks->skips[at.state][bits >> (64 - IMG_JPEG_SKIP_BITS)];
    at.place += entry & 31;
    at.passed += entry >> 8;
    if (__builtin_expect(is_wrong(at.passed), 0)) {
        struct stand slow = at;
        const bool good = step_by_code(blocks, data, reader, entry, &slow);
        at = slow;
        if (!good)
            return at;
    }
    /* All ones at the block's end. The compiler is not to know, or it would branch. */
    uint64_t ends = (uint64_t)((int64_t)(63 - (uint64_t)at.passed) >> 63);
    __asm__("" : "+r"(ends));
    const uint32_t within = at.state | 1, then = blocks->next_state[at.state];
    at.passed &= ~(uint32_t)ends;
    at.state = within ^ ((within ^ then) & (uint32_t)ends);
    at.start[1] = at.place; /* of the next one, if this is the end */
    at.start -= (int64_t)ends;
    return at;
}

/* Each by itself, so that nothing else wants the registers: inlined, they were a third slower. */
static __attribute__((noinline)) void one_goes(const struct img_jpeg_blocks *blocks,
                                               const uint8_t *data, struct reader *reader)
{
    struct stand at = reader->at;
    for (unsigned step = 0; step < STEPS && !reader->stuck; step++)
        at = step_on(blocks, data, reader, at);
    reader->at = at;
}

static __attribute__((noinline)) void two_go(const struct img_jpeg_blocks *blocks,
                                             const uint8_t *data, struct reader *readers)
{
    struct stand one = readers[0].at, two = readers[1].at;
    for (unsigned step = 0; step < STEPS && !readers[0].stuck; step++) {
        one = step_on(blocks, data, &readers[0], one);
        two = step_on(blocks, data, &readers[1], two);
    }
    readers[0].at = one;
    readers[1].at = two;
}

static __attribute__((noinline)) void three_go(const struct img_jpeg_blocks *blocks,
                                               const uint8_t *data, struct reader *readers)
{
    struct stand one = readers[0].at, two = readers[1].at, three = readers[2].at;
    for (unsigned step = 0; step < STEPS && !readers[0].stuck; step++) {
        one = step_on(blocks, data, &readers[0], one);
        two = step_on(blocks, data, &readers[1], two);
        three = step_on(blocks, data, &readers[2], three);
    }
    readers[0].at = one;
    readers[1].at = two;
    readers[2].at = three;
}

static void readers_go(const struct img_jpeg_blocks *blocks, const uint8_t *data,
                       struct reader *readers, unsigned count)
{
    _Static_assert(IMG_JPEG_READERS == 3, "a case for each");
    if (count == 1)
        one_goes(blocks, data, readers);
    else if (count == 2)
        two_go(blocks, data, readers);
    else
        three_go(blocks, data, readers);
}

static bool reader_may_go(const struct reader *reader, uint32_t limit)
{
    return !reader->stuck && reader->at.place < limit &&
           found_by(reader) + STEPS <= IMG_JPEG_READER_BLOCKS;
}

/* Returns how many readers there are, with the first. */
static unsigned scouts_send(struct img_jpeg_blocks *blocks, uint32_t limit, struct reader *readers)
{
    const uint32_t first = readers[0].at.place / 8;
    const uint32_t left = limit / 8 > first ? limit / 8 - first : 0;
    unsigned count = blocks->in_vain < VAIN_MAX ? IMG_JPEG_READERS : 1;
    while (count > 1 && left / count < LEAD_MIN)
        count--;
    const uint32_t lead = left / count < blocks->lead_bytes ? left / count : blocks->lead_bytes;
    for (unsigned i = 1; i < count; i++)
        readers[i] = (struct reader){.at = stand_at((first + i * lead) * 8, 0, blocks->found[i]),
                                     .starts = blocks->found[i],
                                     .is_scout = true};
    return count;
}

/* Have all come so far that they should meet? */
static bool are_behind_the_next(const struct reader *readers, unsigned count)
{
    for (unsigned i = 0; i + 1 < count; i++)
        if (readers[i].at.place < readers[i + 1].starts[0] + MEETING_BYTES * 8)
            return false;
    return count > 1;
}

static void read_together(struct img_jpeg_blocks *blocks, const uint8_t *data, uint32_t limit,
                          struct reader *readers, unsigned count)
{
    bool go_on = true;
    while (go_on && !are_behind_the_next(readers, count)) {
        for (unsigned i = 0; i < count; i++)
            go_on &= reader_may_go(&readers[i], limit);
        if (go_on)
            readers_go(blocks, data, readers, count);
    }
}

/* Where two have met: the same block is one's number a and the other's number b. */
struct meeting {
    uint32_t a, b;
    bool met;
};

/* base: of its first start, the number in its MCU. The next one's is 0. */
static struct meeting meet(const struct img_jpeg_blocks *blocks, const uint8_t *data,
                           uint32_t limit, struct reader *reader, uint32_t base,
                           const struct reader *next)
{
    const uint32_t until = next->starts[0] + MEETING_BYTES_MAX * 8;
    struct meeting at = {0};
    const uint32_t next_count = found_by(next);
    uint32_t count = found_by(reader);
    for (;;) {
        while (at.a <= count && reader->starts[at.a] < next->starts[at.b])
            at.a++;
        if (at.a > count) {
            if (!reader_may_go(reader, limit) || reader->at.place >= until)
                return at;
            readers_go(blocks, data, reader, 1);
            count = found_by(reader);
            continue;
        }
        while (at.b <= next_count && next->starts[at.b] < reader->starts[at.a])
            at.b++;
        if (at.b > next_count)
            return at;
        if (next->starts[at.b] != reader->starts[at.a])
            continue;
        at.met = (base + at.a) % blocks->per_mcu == at.b % blocks->per_mcu;
        if (at.met)
            return at;
        at.a++;
    }
}

static void blocks_add(struct img_jpeg_blocks *blocks, const struct reader *reader, uint32_t from,
                       uint32_t to)
{
    memcpy(blocks->starts + blocks->count, reader->starts + from,
           (to - from + 1) * sizeof(*blocks->starts));
    blocks->count += to - from;
}

/* Scouts should find nearly as much as there is room for. */
static void lead_learn(struct img_jpeg_blocks *blocks, const struct reader *readers, unsigned count)
{
    uint32_t most = 0;
    for (unsigned i = 0; i < count; i++)
        most = found_by(&readers[i]) > most ? found_by(&readers[i]) : most;
    if (most + STEPS > IMG_JPEG_READER_BLOCKS && blocks->lead_bytes > LEAD_MIN)
        blocks->lead_bytes /= 2;
    else if (most < IMG_JPEG_READER_BLOCKS / 3 && blocks->lead_bytes < LEAD_MAX)
        blocks->lead_bytes *= 2;
}

void img_jpeg_blocks_find(struct img_jpeg_blocks *blocks, const uint8_t *data, size_t size_bytes,
                          bool whole)
{
    const size_t kept = whole ? 0 : IMG_JPEG_SLACK_BYTES;
    const uint32_t limit = size_bytes > kept ? (uint32_t)(size_bytes - kept) * 8 : 0;
    const uint32_t base = blocks->count;
    struct reader readers[IMG_JPEG_READERS] = {
        {.at = stand_at(blocks->starts[base], 2 * base, blocks->found[0]),
         .starts = blocks->found[0]}};
    const unsigned count = scouts_send(blocks, limit, readers);
    read_together(blocks, data, limit, readers, count);
    uint32_t from = 0;
    unsigned last = 0;
    for (; last + 1 < count; last++) {
        const struct meeting at =
            meet(blocks, data, limit, &readers[last], last ? 0 : base, &readers[last + 1]);
        if (!at.met || at.a < from)
            break;
        blocks_add(blocks, &readers[last], from, at.a);
        from = at.b;
        readers[last + 1].is_scout = false; /* what it reads from now on is so */
    }
    while (blocks->count + found_by(&readers[last]) - from < blocks->per_mcu &&
           reader_may_go(&readers[last], limit))
        one_goes(blocks, data, &readers[last]);
    blocks_add(blocks, &readers[last], from, found_by(&readers[last]));
    if (count > 1) {
        blocks->in_vain = last > 0 ? 0 : blocks->in_vain + 1;
        lead_learn(blocks, readers, count);
    }
}

size_t img_jpeg_blocks_bytes_wanted(const struct img_jpeg_blocks *blocks)
{
    const size_t leads = (size_t)IMG_JPEG_READERS * blocks->lead_bytes;
    return (leads > MCU_BYTES_MAX ? leads : MCU_BYTES_MAX) + 2 * IMG_JPEG_SLACK_BYTES;
}
