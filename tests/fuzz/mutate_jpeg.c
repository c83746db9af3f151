/* mutate_jpeg.c: changes to the parts of a JPEG: its segments, and its scans' data. */
#include <stdbool.h>

#include "mutate.h"

#define PARTS_MAX 128

enum { MARKER_DHT = 0xc4, MARKER_SOF = 0xc0, MARKER_SOS = 0xda, MARKER_EOI = 0xd9 };

/* A segment from its marker on, or the data behind the header of a scan. */
struct part {
    size_t at, size;
    uint8_t marker; /* 0: a scan's data */
};

/* Where the next marker stands that ends a scan's data; or the end. */
static size_t data_end(const uint8_t *data, size_t size, size_t at)
{
    while (at + 1 < size && (data[at] != 0xff || data[at + 1] == 0 || data[at + 1] == 0xff ||
                             (data[at + 1] & 0xf8) == 0xd0))
        at++;
    return at + 1 < size ? at : size;
}

/* Whatever is no segment counts as data. */
static size_t parts_find(const uint8_t *data, size_t size, struct part *parts)
{
    size_t count = 0, at = 0;
    while (at < size && count < PARTS_MAX) {
        struct part part = {.at = at, .size = size - at};
        const bool is_marker = size - at >= 2 && data[at] == 0xff && data[at + 1] >= 0xc0;
        if (is_marker && (data[at + 1] & 0xf8) != 0xd0) {
            part.marker = data[at + 1];
            part.size = 2;
            if (part.marker != 0xd8 && part.marker != MARKER_EOI && size - at >= 4)
                part.size += (size_t)data[at + 2] << 8 | data[at + 3];
            if (part.size > size - at)
                part.size = size - at;
        } else {
            part.size = data_end(data, size, at + 1) - at;
        }
        parts[count++] = part;
        at += part.size;
    }
    return count;
}

static bool is_telling(const struct part *part)
{
    return (part->marker >= MARKER_SOF && part->marker <= 0xcf) || part->marker >= MARKER_SOS;
}

static struct part part_choose(const struct part *parts, size_t count, struct fuzz_random *random)
{
    return count > 0 ? parts[fuzz_random_below(random, count)] : (struct part){.at = 0};
}

/* Headers rather than data or names. */
static void header_change(struct fuzz_input *input, const struct part *parts, size_t count,
                          struct fuzz_random *random)
{
    for (int attempt = 0; attempt < 8; attempt++) {
        const struct part part = part_choose(parts, count, random);
        if (!is_telling(&part) || part.size <= 4)
            continue;
        const size_t body = part.size - 4;
        const size_t most = fuzz_random_next(random) & 1 && body > 20 ? 20 : body;
        fuzz_mutate_range(input, part.at + 4, most, random);
        return;
    }
}

static void length_change(struct fuzz_input *input, struct part part, struct fuzz_random *random)
{
    if (part.marker == 0 || part.size < 4)
        return;
    uint8_t *length = input->data + part.at + 2;
    const size_t value = ((size_t)length[0] << 8 | length[1]) + fuzz_random_below(random, 9) - 4;
    length[0] = (uint8_t)(value >> 8);
    length[1] = (uint8_t)value;
}

/* One code more, or one less, in the first Huffman table of a segment that is still well-formed. */
static void codes_change(struct fuzz_input *input, const struct part *parts, size_t count,
                         struct fuzz_random *random)
{
    const size_t head = 4 + 1 + 16; /* marker, length, number, counts */
    for (int attempt = 0; attempt < 8; attempt++) {
        const struct part part = part_choose(parts, count, random);
        if (part.marker != MARKER_DHT || part.size <= head)
            continue;
        uint8_t *segment = input->data + part.at, *counts = segment + 5;
        const size_t length = fuzz_random_next(random) & 1 ? 15 : fuzz_random_below(random, 16);
        const bool more = counts[length] == 0 || (fuzz_random_next(random) & 1);
        const uint8_t symbol = segment[head + fuzz_random_below(random, part.size - head)];
        const size_t size = ((size_t)segment[2] << 8 | segment[3]) + (more ? 1 : (size_t)-1);
        size_t place = part.at + head;
        for (size_t i = 0; i < length; i++)
            place += counts[i];
        counts[length] = (uint8_t)(counts[length] + (more ? 1 : -1));
        segment[2] = (uint8_t)(size >> 8), segment[3] = (uint8_t)size;
        fuzz_replace(input, place, more ? 0 : 1, &symbol, more ? 1 : 0);
        return;
    }
}

/* Things that decoders stumble over, somewhere in the data of a scan. */
static void marker_insert(struct fuzz_input *input, struct part part, struct fuzz_random *random)
{
    static const uint8_t pairs[][2] = {{0xff, 0xd0}, {0xff, 0xd1}, {0xff, 0xd7}, {0xff, 0x00},
                                       {0xff, 0xff}, {0xff, 0xd9}, {0xff, 0xda}, {0xff, 0x01},
                                       {0x00, 0x00}, {0xff, 0xc4}, {0xff, 0xdd}, {0xff, 0xfe}};
    const uint8_t *pair = pairs[fuzz_random_below(random, sizeof(pairs) / sizeof(pairs[0]))];
    const size_t place = part.at + fuzz_random_below(random, part.size + 1);
    const size_t instead_of = fuzz_random_below(random, 3);
    fuzz_replace(input, place, instead_of, pair, 2);
}

/* The other restart markers of the data, one more, one less, or in another order. */
static void restart_change(struct fuzz_input *input, struct part part, struct fuzz_random *random)
{
    size_t seen = 0, chosen = SIZE_MAX;
    for (size_t at = part.at; at + 1 < part.at + part.size; at++)
        if (input->data[at] == 0xff && (input->data[at + 1] & 0xf8) == 0xd0 &&
            fuzz_random_below(random, ++seen) == 0)
            chosen = at;
    if (chosen == SIZE_MAX)
        return;
    switch (fuzz_random_below(random, 4)) {
    case 0:
        input->data[chosen + 1] = (uint8_t)(0xd0 + fuzz_random_below(random, 8));
        break;
    case 1:
        fuzz_replace(input, chosen, 2, NULL, 0);
        break;
    case 2:
        fuzz_replace(input, chosen, 0, input->data + chosen, 2);
        break;
    default:
        fuzz_replace(input, chosen, 0, (const uint8_t *)"\xff", 1);
        break;
    }
}

void fuzz_mutate_jpeg(struct fuzz_input *input, struct fuzz_other other, struct fuzz_random *random)
{
    struct part parts[PARTS_MAX], others[PARTS_MAX];
    const size_t count = parts_find(input->data, input->size, parts);
    const struct part part = part_choose(parts, count, random);
    const struct part to = part_choose(parts, count, random);
    switch (fuzz_random_below(random, 16)) {
    case 0:
        fuzz_replace(input, part.at, part.size, NULL, 0);
        break;
    case 1:
        fuzz_replace(input, part.at, 0, input->data + part.at, part.size);
        break;
    case 2:
        fuzz_replace(input, to.at, 0, input->data + part.at, part.size);
        break;
    case 3:
        fuzz_replace(input, to.at, to.size, input->data + part.at, part.size);
        break;
    case 4: {
        const size_t from_count = parts_find(other.data, other.size, others);
        const struct part from = part_choose(others, from_count, random);
        if (from_count > 0)
            fuzz_replace(input, to.at, fuzz_random_next(random) & 1 ? to.size : 0,
                         other.data + from.at, from.size);
        break;
    }
    case 5:
        length_change(input, part, random);
        break;
    case 6:
    case 7:
    case 8:
        header_change(input, parts, count, random);
        break;
    case 9:
        codes_change(input, parts, count, random);
        break;
    case 10:
        marker_insert(input, part, random);
        break;
    case 11:
    case 12:
        restart_change(input, part, random);
        break;
    default:
        fuzz_mutate_range(input, part.at, part.size, random);
        break;
    }
}
