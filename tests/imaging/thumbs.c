#include "thumbs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "isolate.h"

struct img_options thumb_options(uint32_t box)
{
    struct img_options options = IMG_OPTIONS_INIT;
    options.box_width_px = options.box_height_px = box;
    options.format = IMG_FORMAT_PNG;
    return options;
}

struct sample thumb_of(struct bytes file, const struct img_options *options)
{
    struct img_context *context = NULL;
    struct img_thumbnail thumbnail;
    struct img_error error;
    assert_int_equal(img_context_create(&context), 0);
    if (img_thumbnail(context, file.data, file.size, options, &thumbnail, &error) < 0)
        fail_msg("%s: %s", img_error_name(error.code), error.message);
    struct sample sample = sample_decode(thumbnail.data, thumbnail.size_bytes);
    assert_int_equal(sample.width, thumbnail.width_px);
    assert_int_equal(sample.height, thumbnail.height_px);
    img_context_free(context);
    return sample;
}

static void check_words(const struct img_error *error)
{
    assert_true(error->message[0] != '\0');
    for (const char *at = error->message; *at; at++)
        assert_true(*at >= 0x20 && *at < 0x7f);
}

struct thumb_outcome thumb_try(struct bytes file, const struct img_options *options)
{
    struct img_context *context = NULL;
    struct img_thumbnail thumbnail = {.width_px = 0};
    struct thumb_outcome outcome = {.code = 0};
    assert_int_equal(img_context_create(&context), 0);
    outcome.code =
        img_thumbnail(context, file.data, file.size, options, &thumbnail, &outcome.error);
    if (outcome.code < 0) {
        assert_int_equal(outcome.error.code, outcome.code);
        check_words(&outcome.error);
    } else {
        outcome.damage = thumbnail.damage;
        outcome.sample = sample_decode(thumbnail.data, thumbnail.size_bytes);
        if (outcome.damage.code != 0)
            check_words(&outcome.damage);
    }
    img_context_free(context);
    return outcome;
}

int thumb_result(struct bytes file, const struct img_options *options, struct img_error *error)
{
    struct thumb_outcome outcome = thumb_try(file, options);
    if (error)
        *error = outcome.error;
    sample_free(&outcome.sample);
    return outcome.code;
}

uint32_t thumb_rows_alike(const struct sample *a, const struct sample *b, int tolerance)
{
    const unsigned colours = a->channels < b->channels ? a->channels : b->channels;
    assert_true(a->width == b->width && a->height == b->height);
    for (uint32_t y = 0; y < a->height; y++)
        for (uint32_t x = 0; x < a->width; x++)
            for (unsigned c = 0; c < colours; c++)
                if (abs(sample_at(a, x, y)[c] - sample_at(b, x, y)[c]) > tolerance)
                    return y;
    return a->height;
}

long cpu_ms(void)
{
    return (long)(clock() / (CLOCKS_PER_SEC / 1000));
}

void check_all_cuts_fail(struct bytes file, size_t step)
{
    const struct img_options options = thumb_options(40);
    for (size_t size = 0; size < file.size; size += step) {
        uint8_t *exact = malloc(size + 1); /* so that a sanitizer sees reads past the end */
        memcpy(exact, file.data, size);
        struct img_error error = {0};
        if (thumb_result((struct bytes){exact, size}, &options, &error) == 0)
            fail_msg("cut to %zu of %zu bytes it passed", size, file.size);
        if (size >= 64 && error.code != -EPIPE)
            fail_msg("cut to %zu of %zu bytes: %s (%s)", size, file.size,
                     img_error_name(error.code), error.message);
        free(exact);
    }
}

bool quarters_are_upright(const struct sample *thumb)
{
    static const int colours[4][3] = {{230, 20, 20}, {20, 200, 20}, {20, 20, 230}, {240, 240, 240}};
    for (unsigned i = 0; i < 4; i++) {
        const uint32_t x = i % 2 ? thumb->width * 7 / 8 : thumb->width / 8;
        const uint32_t y = i / 2 ? thumb->height * 7 / 8 : thumb->height / 8;
        for (unsigned c = 0; c < 3; c++)
            if (abs(sample_at(thumb, x, y)[c] - colours[i][c]) > 6)
                return false;
    }
    return true;
}
