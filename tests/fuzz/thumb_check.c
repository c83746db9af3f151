#include "thumb_check.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "fuzz.h"

/* What came of it; the thumbnail is the context's. */
struct outcome {
    int code;
    struct img_thumbnail thumbnail;
    struct img_error error;
};

struct img_options fuzz_options(uint64_t choice)
{
    static const uint32_t boxes[] = {1, 2, 3, 4, 5, 7, 10, 16, 33, 64};
    static const enum img_format formats[] = {IMG_FORMAT_JPEG, IMG_FORMAT_UNKNOWN, IMG_FORMAT_PNG};
    static const char note[] = "a note of the fuzzer";
    struct img_options options = IMG_OPTIONS_INIT;
    options.box_width_px = boxes[choice % 10];
    options.box_height_px = boxes[(choice % 4 ? choice : choice / 40) % 10];
    options.format = formats[choice / 160 % 3];
    options.fast = choice / 480 % 8 == 0;
    options.fit = (enum img_fit)(choice / 3840 % 4 % 3);
    options.enlarge = choice / 15360 % 4 == 0;
    options.background[choice / 61440 % 3] = (uint8_t)(choice / 184320);
    options.note = choice % 2 ? note : NULL;
    options.note_bytes = choice % 2 ? sizeof(note) - 1 : 0;
    options.pixels_max = FUZZ_PIXELS_MAX;
    options.scans_max = 100;
    return options;
}

static void words_check(const struct img_error *error)
{
    if (error->message[0] == '\0')
        fuzz_fail("error %d has no words", error->code);
    for (size_t i = 0; i < sizeof(error->message); i++) {
        if (error->message[i] == '\0')
            return;
        if (error->message[i] < 0x20 || error->message[i] > 0x7e)
            fuzz_fail("error %d has words that cannot be printed", error->code);
    }
    fuzz_fail("error %d has words without end", error->code);
}

static void failure_check(int code, const struct img_error *error)
{
    static const int codes[] = {-ENOMSG, -ENODATA, -ENOTSUP, -EBADMSG, -EPIPE, -EFBIG, -ECANCELED};
    bool known = false;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        known = known || code == codes[i];
    if (!known || error->code != code)
        fuzz_fail("fails with %d, its error says %d: %s", code, error->code, error->message);
    words_check(error);
}

static bool size_is_right(const struct img_thumbnail *made, const struct img_options *options)
{
    const bool fills_width = made->width_px == options->box_width_px;
    const bool fills_height = made->height_px == options->box_height_px;
    if (made->width_px < 1 || made->width_px > options->box_width_px || made->height_px < 1 ||
        made->height_px > options->box_height_px)
        return false;
    if (options->fit == IMG_FIT_PAD || (options->fit == IMG_FIT_COVER && options->enlarge))
        return fills_width && fills_height;
    if (options->enlarge)
        return fills_width || fills_height;
    return made->width_px <= made->source_width_px && made->height_px <= made->source_height_px;
}

static void note_check(const struct img_thumbnail *made, const struct img_options *options)
{
    const char *note = NULL;
    const int r = img_note_find(made->data, made->size_bytes, &note);
    if (options->note_bytes == 0 ? r != -ENOMSG
                                 : r != (int)options->note_bytes ||
                                       memcmp(note, options->note, options->note_bytes) != 0)
        fuzz_fail("the note is found as %d", r);
}

static void success_check(const struct img_thumbnail *made, const struct img_options *options)
{
    if (!size_is_right(made, options))
        fuzz_fail("%u x %u pixels of %u x %u", made->width_px, made->height_px,
                  made->source_width_px, made->source_height_px);
    note_check(made, options);
    if ((uint64_t)made->source_width_px * made->source_height_px > options->pixels_max)
        fuzz_fail("more pixels than are allowed");
    if (img_format_probe(made->data, made->size_bytes) != made->format ||
        (options->format != IMG_FORMAT_UNKNOWN && made->format != options->format))
        fuzz_fail("the thumbnail is no %s", img_format_name(made->format));
    if (made->damage.code != 0)
        words_check(&made->damage);
}

/* Making a context costs more than making a small thumbnail; but a sanitizer sees only in a new one
 * what reaches beyond a buffer. */
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define NEW_CONTEXT_EVERY 4
#else
#define NEW_CONTEXT_EVERY 16
#endif

#define CONTEXTS 2 /* that many outcomes are held at once */

/* In a new context, or in one that has seen other pictures: nothing of them may show. */
static struct outcome outcome_of(const uint8_t *data, size_t size,
                                 const struct img_options *options, unsigned number)
{
    static struct img_context *contexts[CONTEXTS]; /* kept to the end */
    static unsigned uses[CONTEXTS];
    struct outcome outcome = {.code = 0};
    if (uses[number]++ % NEW_CONTEXT_EVERY == 0)
        contexts[number] = img_context_free(contexts[number]);
    if (!contexts[number] && img_context_create(&contexts[number]) < 0)
        fuzz_fail("no context");
    outcome.code =
        img_thumbnail(contexts[number], data, size, options, &outcome.thumbnail, &outcome.error);
    if (outcome.code < 0)
        failure_check(outcome.code, &outcome.error);
    else
        success_check(&outcome.thumbnail, options);
    return outcome;
}

static bool thumbnails_are_equal(const struct outcome *a, const struct outcome *b)
{
    return a->thumbnail.size_bytes == b->thumbnail.size_bytes &&
           memcmp(a->thumbnail.data, b->thumbnail.data, a->thumbnail.size_bytes) == 0;
}

/* A laxer decoding gives the same of what is whole, and labels what is not. */
static void lax_check(const uint8_t *data, size_t size, const struct img_options *options,
                      const struct outcome *strict, enum img_fail_on fail_on)
{
    struct img_options laxer = *options;
    laxer.fail_on = fail_on;
    const struct outcome lax = outcome_of(data, size, &laxer, 1);
    if (strict->code == 0 &&
        (lax.code != 0 || lax.thumbnail.damage.code != 0 || !thumbnails_are_equal(strict, &lax)))
        fuzz_fail("a whole picture is another one at level %d", fail_on);
    if (strict->code != 0 && lax.code == 0 && lax.thumbnail.damage.code != strict->code)
        fuzz_fail("damage %d is labelled as %d", strict->code, lax.thumbnail.damage.code);
}

/* What passes the strictest level passes all others. */
static void strictest_check(const uint8_t *data, size_t size, const struct img_options *options,
                            const struct outcome *strict)
{
    struct img_options stricter = *options;
    stricter.fail_on = IMG_FAIL_ON_WARNING;
    const struct outcome strictest = outcome_of(data, size, &stricter, 1);
    if (strict->code != 0 && strictest.code == 0)
        fuzz_fail("only the strictest level takes it; the usual one says %d: %s", strict->code,
                  strict->error.message);
}

/* Another context has seen other pictures. */
static void again_check(const uint8_t *data, size_t size, const struct img_options *options,
                        const struct outcome *strict)
{
    const struct outcome again = outcome_of(data, size, options, 1);
    if (again.code != strict->code || (again.code == 0 && !thumbnails_are_equal(strict, &again)))
        fuzz_fail("the thumbnail depends on what came before");
}

static bool countdown(void *cancel_data)
{
    unsigned *left = cancel_data;
    return (*left)-- == 0;
}

/* Cancelled at some point, or with little memory: unless that is heeded, the same comes of it. With
 * little memory it may come from another decoder. */
static void stopped_check(const uint8_t *data, size_t size, const struct img_options *options,
                          const struct outcome *strict, uint64_t choice)
{
    struct img_options stopping = *options;
    unsigned left = (unsigned)(choice / 2 % 16);
    const int code = choice & 1 ? -ECANCELED : -EFBIG;
    if (choice & 1) {
        stopping.cancelled = countdown;
        stopping.cancel_data = &left;
    } else {
        stopping.memory_bytes = 1 + choice / 2 % 40000;
    }
    const struct outcome stopped = outcome_of(data, size, &stopping, 1);
    if (stopped.code == code)
        return;
    if (stopped.code != strict->code ||
        (stopped.code == 0 && stopping.cancelled && !thumbnails_are_equal(strict, &stopped)))
        fuzz_fail("a limit that is not reached changes %d to %d", strict->code, stopped.code);
}

void fuzz_thumbnail_check(const uint8_t *data, size_t size, const struct img_options *options,
                          uint64_t choice)
{
    const enum img_format format = img_format_probe(data, size);
    if (format != IMG_FORMAT_JPEG && format != IMG_FORMAT_PNG && format != IMG_FORMAT_UNKNOWN)
        return; /* libvips' */
    const struct outcome strict = outcome_of(data, size, options, 0);
    if (strict.code == 0 && strict.thumbnail.damage.code != 0)
        fuzz_fail("damage is tolerated at the usual level");
    switch (choice % 8) {
    case 0:
        lax_check(data, size, options, &strict, IMG_FAIL_ON_NONE);
        break;
    case 1:
        lax_check(data, size, options, &strict, IMG_FAIL_ON_TRUNCATED);
        break;
    case 2:
        strictest_check(data, size, options, &strict);
        break;
    case 3:
        again_check(data, size, options, &strict);
        break;
    case 4:
        stopped_check(data, size, options, &strict, choice / 8);
        break;
    default:
        break;
    }
}
