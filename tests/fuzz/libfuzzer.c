/* libfuzzer.c: our changes beside libFuzzer's own, so that chunks keep right checksums. */
#include "mutate.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    struct fuzz_random random = {seed};
    struct fuzz_input input = {data, size, max_size < FUZZ_BYTES_MAX ? max_size : FUZZ_BYTES_MAX};
    if (size > input.room)
        return LLVMFuzzerMutate(data, size, max_size);
    if (fuzz_random_next(&random) & 1) {
        fuzz_mutate(fuzz_kind, &input, (struct fuzz_other){NULL, 0}, &random);
        return input.size;
    }
    input.size = LLVMFuzzerMutate(data, size, input.room);
    if (fuzz_kind == FUZZ_PNG)
        fuzz_png_repair(&input, &random);
    return input.size;
}
