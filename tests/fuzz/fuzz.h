/* fuzz.h: what a fuzz target is, and what its driver offers it.
 *
 * A target is a program with one LLVMFuzzerTestOneInput(), which feeds bytes to what is tested and
 * ends the process where something is wrong. It is linked with driver.c, which replays files and
 * runs mutations of them, or, built by clang with THUMBPOOL_FUZZER, with libFuzzer. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/** Longer inputs are not made, nor taken. Our JPEG decoder holds less of a scan at once. */
#define FUZZ_BYTES_MAX ((size_t)128 * 1024)

/** What the inputs of a target are, and so how they are mutated. */
enum fuzz_kind {
    FUZZ_BYTES,
    FUZZ_JPEG, /* by segment, too */
    FUZZ_PNG,  /* by chunk, and with right checksums */
};

/* ---- What a target defines ---- */

extern const enum fuzz_kind fuzz_kind;

/** Try one input.  data: borrowed, in memory of just its size. Always returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- What it may use ---- */

/** Say what is wrong and end the process. */
void fuzz_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/** How many inputs a fast path has taken, so that its result was compared; the driver shows it. */
extern uint64_t fuzz_taken;

/** A number that the bytes alone decide, for choices among ways to try them. */
uint64_t fuzz_choice(const uint8_t *data, size_t size);

#endif
