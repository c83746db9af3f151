/* Every allocation of the library fails in turn. The linker's --wrap catches those of imaging and
 * of this program; the libraries below keep their own. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "isolate.h"
#include "thumbs.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *data, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *data, size_t size);

static int until_failure = -1; /* -1: none is to fail */
static int failed;

static bool fails_now(void)
{
    if (until_failure < 0 || until_failure-- > 0)
        return false;
    failed++;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *data, size_t size)
{
    return fails_now() ? NULL : __real_realloc(data, size);
}

static void each_allocation_fails_with(struct bytes file, struct img_options options)
{
    struct bytes right = {NULL, 0};
    for (int nth = -1;; nth++) {
        struct img_context *context = NULL;
        struct img_thumbnail made, untouched;
        struct img_error error = {0};
        memset(&made, 0x5a, sizeof(made));
        untouched = made;
        failed = 0;
        until_failure = nth;
        int r = img_context_create(&context);
        if (r == 0)
            r = img_thumbnail(context, file.data, file.size, &options, &made, &error);
        else
            assert_null(context);
        until_failure = -1;
        if (failed) {
            assert_int_equal(r, -ENOMEM);
            assert_memory_equal(&made, &untouched, sizeof(made));
        } else {
            assert_int_equal(r, 0);
        }
        /* The context is usable afterwards. */
        if (context) {
            assert_int_equal(img_thumbnail(context, file.data, file.size, &options, &made, NULL),
                             0);
            if (!right.data) {
                right = (struct bytes){malloc(made.size_bytes), made.size_bytes};
                memcpy(right.data, made.data, made.size_bytes);
            }
            assert_int_equal(made.size_bytes, right.size);
            assert_memory_equal(made.data, right.data, right.size);
        }
        img_context_free(context);
        if (nth >= 0 && !failed) {
            assert_true(nth > 8); /* the sweep has met something */
            break;
        }
    }
    free(right.data);
    free(file.data);
}

static void each_allocation_fails_in_turn(struct bytes file, enum img_format format,
                                          enum img_fail_on fail_on)
{
    struct img_options options = IMG_OPTIONS_INIT;
    options.box_width_px = options.box_height_px = 50;
    options.format = format;
    options.fail_on = fail_on;
    each_allocation_fails_with(file, options);
}

static void jpeg_survives_the_failure_of_each_allocation(void **state)
{
    (void)state;
    struct sample source = sample_photo(200, 160, 3, 8);
    struct bytes icc = icc_display_p3();
    struct bytes jpeg = jpeg_bytes(&source, &(struct jpeg_make){.icc = icc, .orientation = 6});
    each_allocation_fails_in_turn(jpeg, IMG_FORMAT_JPEG, IMG_FAIL_ON_ERROR);
    free(icc.data);
    sample_free(&source);
}

static void png_survives_the_failure_of_each_allocation(void **state)
{
    (void)state;
    struct sample source = sample_photo(200, 160, 4, 16);
    struct bytes icc = icc_display_p3();
    for (int interlaced = 0; interlaced <= 1; interlaced++) {
        const struct png_make make = {.icc = icc, .orientation = 8, .interlaced = interlaced != 0};
        each_allocation_fails_in_turn(png_bytes(&source, &make), IMG_FORMAT_PNG, IMG_FAIL_ON_ERROR);
    }
    free(icc.data);
    sample_free(&source);
}

static void a_cut_picture_that_is_kept_survives_the_failure_of_each_allocation(void **state)
{
    (void)state;
    struct sample source = sample_photo(200, 160, 3, 8);
    for (int i = 0; i < 4; i++) {
        struct bytes file = i < 2 ? jpeg_bytes(&source, &(struct jpeg_make){.progressive = i == 1})
                                  : png_bytes(&source, &(struct png_make){.interlaced = i == 3});
        file.size = file.size * 2 / 3;
        each_allocation_fails_in_turn(file, IMG_FORMAT_JPEG, IMG_FAIL_ON_NONE);
    }
    sample_free(&source);
}

static void every_fit_survives_the_failure_of_each_allocation(void **state)
{
    (void)state;
    struct sample source = sample_photo(200, 160, 3, 8);
    for (int i = 0; i < 8; i++) {
        struct img_options options = IMG_OPTIONS_INIT;
        options.fit = i < 4 ? IMG_FIT_COVER : IMG_FIT_PAD;
        options.enlarge = i % 4 == 3;
        options.box_width_px = options.enlarge ? 300 : 50;
        options.box_height_px = 41;
        options.format = i % 2 ? IMG_FORMAT_PNG : IMG_FORMAT_JPEG;
        options.note = "a note";
        options.note_bytes = 6;
        each_allocation_fails_with(
            jpeg_bytes(&source, &(struct jpeg_make){.luma_h = 2, .luma_v = 2, .orientation = 8}),
            options);
    }
    sample_free(&source);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(jpeg_survives_the_failure_of_each_allocation),
        TEST(png_survives_the_failure_of_each_allocation),
        TEST(a_cut_picture_that_is_kept_survives_the_failure_of_each_allocation),
        TEST(every_fit_survives_the_failure_of_each_allocation),
    };
    return test_run("memory", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
