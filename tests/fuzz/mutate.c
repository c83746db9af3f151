#include "mutate.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CHANGES_MAX 6

/* ---- Chance ---- */

uint64_t fuzz_random_next(struct fuzz_random *random)
{
    uint64_t mixed = random->state += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

size_t fuzz_random_below(struct fuzz_random *random, size_t count)
{
    return count > 0 ? (size_t)(fuzz_random_next(random) % count) : 0;
}

/* Small sizes are more frequent than large ones. */
static size_t some_size(struct fuzz_random *random, size_t most)
{
    const size_t limit = (size_t)1 << fuzz_random_below(random, 11);
    return 1 + fuzz_random_below(random, limit < most ? limit : most);
}

static uint32_t some_value(struct fuzz_random *random)
{
    static const uint32_t values[] = {0,      1,      2,      7,      8,          0x10,
                                      0x40,   0x7f,   0x80,   0xff,   0x100,      0x102,
                                      0x7fff, 0x8000, 0xfffe, 0xffff, 0x7fffffff, 0xffffffff};
    const size_t count = sizeof(values) / sizeof(values[0]);
    return fuzz_random_next(random) & 1 ? (uint32_t)fuzz_random_next(random)
                                        : values[fuzz_random_below(random, count)];
}

/* ---- Changes ---- */

void fuzz_replace(struct fuzz_input *input, size_t at, size_t old_size, const uint8_t *from,
                  size_t new_size)
{
    uint8_t *copy = NULL;
    if (at > input->size || old_size > input->size - at ||
        new_size > input->room - (input->size - old_size))
        return;
    if (new_size > 0) {
        copy = malloc(new_size);
        if (!copy)
            return;
        memcpy(copy, from, new_size);
    }
    memmove(input->data + at + new_size, input->data + at + old_size, input->size - at - old_size);
    if (new_size > 0)
        memcpy(input->data + at, copy, new_size);
    input->size = input->size - old_size + new_size;
    free(copy);
}

/* A number of one, two or four bytes, of either byte order, is set or moved a little. */
static void number_change(uint8_t *data, size_t size, struct fuzz_random *random)
{
    const size_t width = size >= 4 ? (size_t)1 << fuzz_random_below(random, 3) : 1;
    const bool big_endian = fuzz_random_next(random) & 1;
    uint8_t *at = data + fuzz_random_below(random, size - width + 1);
    uint32_t value = 0;
    for (size_t i = 0; i < width; i++)
        value = value << 8 | at[big_endian ? i : width - 1 - i];
    if (fuzz_random_next(random) & 1)
        value = some_value(random);
    else
        value += (uint32_t)fuzz_random_below(random, 33) - 16;
    for (size_t i = width; i-- > 0; value >>= 8)
        at[big_endian ? i : width - 1 - i] = (uint8_t)value;
}

void fuzz_mutate_range(struct fuzz_input *input, size_t at, size_t size, struct fuzz_random *random)
{
    uint8_t *data = input->data + at;
    if (size == 0)
        return;
    const size_t place = fuzz_random_below(random, size);
    const size_t count = some_size(random, size - place);
    switch (fuzz_random_below(random, 8)) {
    case 0:
    case 1:
    case 2:
        data[place] ^= (uint8_t)(1u << fuzz_random_below(random, 8));
        break;
    case 3:
        data[place] = (uint8_t)some_value(random);
        break;
    case 4:
        number_change(data, size, random);
        break;
    case 5: /* to the same place twice, or elsewhere */
        memmove(data + place, data + fuzz_random_below(random, size - count + 1), count);
        break;
    case 6:
        memset(data + place, (int)(some_value(random) & 0xff), count);
        break;
    default:
        for (size_t i = 0; i < count; i++)
            data[place + i] = (uint8_t)fuzz_random_next(random);
        break;
    }
}

void fuzz_mutate_bytes(struct fuzz_input *input, struct fuzz_other other,
                       struct fuzz_random *random)
{
    const size_t at = fuzz_random_below(random, input->size + 1);
    const size_t left = input->size - at;
    const size_t count = left > 0 ? some_size(random, left) : 0;
    const size_t from = fuzz_random_below(random, other.size);
    switch (fuzz_random_below(random, 16)) {
    case 0:
        fuzz_replace(input, at, count, NULL, 0);
        break;
    case 1:
        fuzz_replace(input, at, 0, input->data + at, count);
        break;
    case 2: {
        const uint8_t byte = (uint8_t)some_value(random);
        fuzz_replace(input, at, 0, &byte, 1);
        break;
    }
    case 3:
        if (other.size > 0)
            fuzz_replace(input, at, fuzz_random_next(random) & 1 ? count : 0, other.data + from,
                         some_size(random, other.size - from));
        break;
    case 4: /* the head of one, the tail of the other */
        if (other.size > 0)
            fuzz_replace(input, at, left, other.data + from, other.size - from);
        break;
    case 5:
        if (fuzz_random_below(random, 4) == 0)
            input->size = at;
        break;
    default:
        fuzz_mutate_range(input, 0, input->size, random);
        break;
    }
}

void fuzz_mutate(enum fuzz_kind kind, struct fuzz_input *input, struct fuzz_other other,
                 struct fuzz_random *random)
{
    size_t changes = 1 + fuzz_random_below(random, 1 + fuzz_random_below(random, CHANGES_MAX));
    for (; changes > 0; changes--) {
        const bool anywhere = kind == FUZZ_BYTES || fuzz_random_below(random, 4) == 0;
        if (anywhere)
            fuzz_mutate_bytes(input, other, random);
        else if (kind == FUZZ_JPEG)
            fuzz_mutate_jpeg(input, other, random);
        else
            fuzz_mutate_png(input, other, random);
    }
    if (kind == FUZZ_PNG)
        fuzz_png_repair(input, random);
}
