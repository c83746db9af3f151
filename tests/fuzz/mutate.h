/* mutate.h: inputs with something changed. The same random state gives the same changes. */
#ifndef TESTS_FUZZ_MUTATE_H
#define TESTS_FUZZ_MUTATE_H

#include "fuzz.h"

/** A series of numbers. */
struct fuzz_random {
    uint64_t state;
};

uint64_t fuzz_random_next(struct fuzz_random *random);

/** One of 0 to count - 1; 0 where count is 0. */
size_t fuzz_random_below(struct fuzz_random *random, size_t count);

/** An input being changed. */
struct fuzz_input {
    uint8_t *data; /* borrowed */
    size_t size, room;
};

/** Another input, to take parts from. */
struct fuzz_other {
    const uint8_t *data; /* borrowed */
    size_t size;
};

/** Put bytes in the place of others. Does nothing where they find no room. from may lie in input.
 */
void fuzz_replace(struct fuzz_input *input, size_t at, size_t old_size, const uint8_t *from,
                  size_t new_size);

/** Change an input of this kind once or several times. */
void fuzz_mutate(enum fuzz_kind kind, struct fuzz_input *input, struct fuzz_other other,
                 struct fuzz_random *random);

/** One change each: anywhere; anywhere within a range; of a JPEG's segments; of a PNG's chunks. */
void fuzz_mutate_bytes(struct fuzz_input *input, struct fuzz_other other,
                       struct fuzz_random *random);
void fuzz_mutate_range(struct fuzz_input *input, size_t at, size_t size,
                       struct fuzz_random *random);
void fuzz_mutate_jpeg(struct fuzz_input *input, struct fuzz_other other,
                      struct fuzz_random *random);
void fuzz_mutate_png(struct fuzz_input *input, struct fuzz_other other, struct fuzz_random *random);

/** Make the checksums of a PNG's chunks right; mostly, also the one of its pixels. */
void fuzz_png_repair(struct fuzz_input *input, struct fuzz_random *random);

#endif
