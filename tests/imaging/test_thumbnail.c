#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <imaging/decode_priv.h>

#include "isolate.h"
#include "thumbs.h"

static struct bytes text(const char *words)
{
    return (struct bytes){(uint8_t *)(uintptr_t)words, strlen(words)};
}

static void failures_have_the_code_that_the_header_names(void **state)
{
    (void)state;
    static const struct {
        const char *content;
        int code;
        const char *name;
        const char *words; /* that the message has */
    } rows[] = {
        {"", -ENODATA, "empty", "empty"},
        {"Dear all,", -ENOMSG, "not-an-image", "text"},
        {"%PDF-1.4", -ENOMSG, "not-an-image", "PDF"},
        {"\xff\xd8\xff\xe0", -EPIPE, "truncated", "early"},
        {"\x89PNG\r\n\x1a\n", -EPIPE, "truncated", "early"},
    };
    const struct img_options options = IMG_OPTIONS_INIT;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct img_error error;
        assert_int_equal(thumb_result(text(rows[i].content), &options, &error), rows[i].code);
        assert_string_equal(img_error_name(error.code), rows[i].name);
        if (!strstr(error.message, rows[i].words))
            fail_msg("'%s' does not say '%s'", error.message, rows[i].words);
    }
}

static void every_error_code_has_its_name(void **state)
{
    (void)state;
    assert_string_equal(img_error_name(-ENOTSUP), "unsupported");
    assert_string_equal(img_error_name(-EBADMSG), "damaged");
    assert_string_equal(img_error_name(-EFBIG), "too-large");
    assert_string_equal(img_error_name(-ECANCELED), "cancelled");
    assert_string_equal(img_error_name(-ENOMEM), "out-of-memory");
    assert_string_equal(img_error_name(-EINVAL), "bad-options");
    assert_string_equal(img_error_name(-EIO), "failed");
    assert_string_equal(img_error_name(0), "failed");
}

static void options_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    struct sample source = sample_photo(20, 20, 3, 8);
    struct bytes png = png_bytes(&source, &(struct png_make){0});
    struct img_options rows[8];
    for (int i = 0; i < 8; i++)
        rows[i] = (struct img_options)IMG_OPTIONS_INIT;
    rows[0].box_width_px = 0;
    rows[1].box_height_px = 0;
    rows[2].box_width_px = 65536;
    rows[3].box_height_px = UINT32_MAX;
    rows[4].quality = 0;
    rows[5].quality = 101;
    rows[6].format = IMG_FORMAT_WEBP;
    rows[7].format = IMG_FORMAT_COUNT;
    for (int i = 0; i < 8; i++)
        assert_int_equal(thumb_result(png, &rows[i], NULL), -EINVAL);
    free(png.data);
    sample_free(&source);
}

static void failure_leaves_the_outputs_alone_and_success_the_error(void **state)
{
    (void)state;
    struct sample source = sample_photo(50, 40, 3, 8);
    struct bytes png = png_bytes(&source, &(struct png_make){0});
    const struct img_options options = IMG_OPTIONS_INIT;
    struct img_context *context = NULL;
    struct img_thumbnail thumbnail, before;
    struct img_error error, error_before;
    memset(&thumbnail, 0x5a, sizeof(thumbnail));
    memset(&error, 0x5a, sizeof(error));
    before = thumbnail, error_before = error;
    assert_int_equal(img_context_create(&context), 0);
    assert_true(img_thumbnail(context, png.data, png.size / 2, &options, &thumbnail, &error) < 0);
    assert_memory_equal(&thumbnail, &before, sizeof(thumbnail));
    assert_true(img_thumbnail(context, png.data, 3, &options, &thumbnail, NULL) < 0);
    memset(&error, 0x5a, sizeof(error));
    assert_int_equal(img_thumbnail(context, png.data, png.size, &options, &thumbnail, &error), 0);
    assert_memory_equal(&error, &error_before, sizeof(error));
    assert_null(img_context_free(context));
    assert_null(img_context_free(NULL));
    free(png.data);
    sample_free(&source);
}

static void the_result_describes_the_upright_picture(void **state)
{
    (void)state;
    struct sample source = sample_photo(320, 200, 3, 8);
    struct bytes jpeg = jpeg_bytes(&source, &(struct jpeg_make){.orientation = 6});
    struct img_options options = IMG_OPTIONS_INIT;
    options.box_width_px = options.box_height_px = 100;
    struct img_context *context = NULL;
    struct img_thumbnail thumbnail;
    assert_int_equal(img_context_create(&context), 0);
    assert_int_equal(img_thumbnail(context, jpeg.data, jpeg.size, &options, &thumbnail, NULL), 0);
    assert_int_equal(thumbnail.source_width_px, 200);
    assert_int_equal(thumbnail.source_height_px, 320);
    assert_int_equal(thumbnail.width_px, 63);
    assert_int_equal(thumbnail.height_px, 100);
    assert_int_equal(thumbnail.format, IMG_FORMAT_JPEG);
    assert_int_equal(thumbnail.source_format, IMG_FORMAT_JPEG);
    assert_non_null(thumbnail.decoder);
    assert_true(thumbnail.decode_us < 10000000);
    img_context_free(context);
    free(jpeg.data);
    sample_free(&source);
}

static void every_format_has_decoders_up_to_the_general_one(void **state)
{
    (void)state;
    for (int format = IMG_FORMAT_JPEG; format < IMG_FORMAT_COUNT; format++) {
        const struct img_decoder *decoder = NULL, *next = NULL;
        unsigned count = 0;
        while ((next = img_decoder_find((enum img_format)format, decoder))) {
            assert_true(next->format == (enum img_format)format ||
                        next->format == IMG_FORMAT_UNKNOWN);
            assert_true(next > decoder);
            decoder = next;
            count++;
        }
        assert_in_range(count, 1, 8);
        assert_int_equal(decoder->format, IMG_FORMAT_UNKNOWN);
    }
}

static void what_a_decoder_declines_is_decoded_by_the_next(void **state)
{
    (void)state;
    struct sample source = sample_photo(90, 60, 4, 8);
    struct bytes jpeg = jpeg_bytes(&source, &(struct jpeg_make){.adobe_cmyk = true});
    const struct img_options options = IMG_OPTIONS_INIT;
    struct img_context *context = NULL;
    struct img_thumbnail thumbnail;
    assert_int_equal(img_context_create(&context), 0);
    assert_int_equal(img_thumbnail(context, jpeg.data, jpeg.size, &options, &thumbnail, NULL), 0);
    assert_string_equal(thumbnail.decoder, "libjpeg-turbo");
    img_context_free(context);
    free(jpeg.data);
    sample_free(&source);
}

static void pictures_are_never_enlarged(void **state)
{
    (void)state;
    const struct img_options options = thumb_options(256);
    static const uint32_t sides[] = {1, 2, 3, 7, 8, 9, 17};
    for (size_t i = 0; i < 7; i++)
        for (size_t k = 0; k < 7; k++) {
            struct sample source = sample_photo(sides[i], sides[k], 3, 8);
            struct bytes png = png_bytes(&source, &(struct png_make){0});
            struct bytes jpeg = jpeg_bytes(&source, &(struct jpeg_make){.luma_h = 2});
            struct sample from_png = thumb_of(png, &options), from_jpeg = thumb_of(jpeg, &options);
            assert_int_equal(sample_difference(&source, &from_png), 0);
            assert_int_equal(from_jpeg.width, sides[i]);
            assert_int_equal(from_jpeg.height, sides[k]);
            sample_free(&source), sample_free(&from_png), sample_free(&from_jpeg);
            free(png.data), free(jpeg.data);
        }
}

static void alpha_decides_between_png_and_jpeg(void **state)
{
    (void)state;
    struct sample source = sample_photo(64, 64, 4, 8);
    const struct img_options options = IMG_OPTIONS_INIT;
    struct img_context *context = NULL;
    struct img_thumbnail thumbnail;
    assert_int_equal(img_context_create(&context), 0);
    for (int opaque = 0; opaque <= 1; opaque++) {
        if (opaque)
            for (size_t i = 0; i < 64 * 64; i++)
                source.samples[i * 4 + 3] = 255;
        struct bytes png = png_bytes(&source, &(struct png_make){0});
        assert_int_equal(img_thumbnail(context, png.data, png.size, &options, &thumbnail, NULL), 0);
        assert_int_equal(thumbnail.format, opaque ? IMG_FORMAT_JPEG : IMG_FORMAT_PNG);
        assert_int_equal(img_format_probe(thumbnail.data, thumbnail.size_bytes), thumbnail.format);
        free(png.data);
    }
    img_context_free(context);
    sample_free(&source);
}

static void nothing_of_the_sources_metadata_is_carried_over(void **state)
{
    (void)state;
    struct sample source = sample_photo(300, 200, 3, 8);
    struct bytes icc = icc_display_p3();
    struct bytes files[2] = {
        jpeg_bytes(
            &source,
            &(struct jpeg_make){.icc = icc, .orientation = 6, .comment = "a private remark"}),
        png_bytes(&source, &(struct png_make){.icc = icc, .orientation = 6}),
    };
    struct img_context *context = NULL;
    assert_int_equal(img_context_create(&context), 0);
    for (int i = 0; i < 2; i++)
        for (int png = 0; png <= 1; png++) {
            struct img_options options = IMG_OPTIONS_INIT;
            struct img_thumbnail made;
            options.format = png ? IMG_FORMAT_PNG : IMG_FORMAT_JPEG;
            assert_int_equal(
                img_thumbnail(context, files[i].data, files[i].size, &options, &made, NULL), 0);
            static const char *const traces[] = {"Exif",    "eXIf", "ICC_PROFILE", "iCCP",
                                                 "private", "acsp", "MM\0*",       "II*\0"};
            for (size_t t = 0; t < sizeof(traces) / sizeof(traces[0]); t++)
                if (bytes_contain(made.data, made.size_bytes, traces[t],
                                  t < 6 ? strlen(traces[t]) : 4))
                    fail_msg("trace %zu", t);
        }
    img_context_free(context);
    free(files[0].data), free(files[1].data), free(icc.data);
    sample_free(&source);
}

/* ---- The same bytes always ---- */

#define FILES 6

static void files_make(struct bytes files[FILES])
{
    struct sample small = sample_photo(333, 222, 3, 8), gray = sample_photo(500, 401, 1, 8);
    struct sample alpha = sample_photo(211, 307, 4, 16);
    struct bytes icc = icc_display_p3();
    files[0] = jpeg_bytes(&small, &(struct jpeg_make){.icc = icc, .orientation = 8});
    files[1] = jpeg_bytes(&gray, &(struct jpeg_make){.progressive = true});
    files[2] = jpeg_bytes(&small, &(struct jpeg_make){.luma_h = 2, .luma_v = 2});
    files[3] = png_bytes(&alpha, &(struct png_make){.orientation = 5});
    files[4] = png_bytes(&gray, &(struct png_make){.interlaced = true});
    files[5] = png_bytes(&small, &(struct png_make){.icc = icc});
    free(icc.data);
    sample_free(&small), sample_free(&gray), sample_free(&alpha);
}

static void files_free(struct bytes files[FILES])
{
    for (int i = 0; i < FILES; i++)
        free(files[i].data);
}

static struct bytes made_in(struct img_context *context, struct bytes file)
{
    struct img_options options = IMG_OPTIONS_INIT;
    options.box_width_px = options.box_height_px = 90;
    struct img_thumbnail made;
    if (img_thumbnail(context, file.data, file.size, &options, &made, NULL) < 0)
        return (struct bytes){NULL, 0};
    struct bytes copy = {malloc(made.size_bytes), made.size_bytes};
    memcpy(copy.data, made.data, made.size_bytes);
    return copy;
}

static void a_used_context_makes_the_bytes_of_a_fresh_one(void **state)
{
    (void)state;
    struct bytes files[FILES];
    files_make(files);
    struct img_context *used = NULL;
    assert_int_equal(img_context_create(&used), 0);
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < FILES; i++) {
            struct img_context *fresh = NULL;
            assert_int_equal(img_context_create(&fresh), 0);
            const int at = (i * 5 + round) % FILES;
            struct bytes a = made_in(used, files[at]), b = made_in(fresh, files[at]);
            assert_true(a.size > 0);
            assert_int_equal(a.size, b.size);
            assert_memory_equal(a.data, b.data, a.size);
            struct bytes half = {files[i].data, files[i].size / 2}; /* a failure in between */
            assert_int_equal(made_in(used, half).size, 0);
            free(a.data), free(b.data);
            img_context_free(fresh);
        }
    img_context_free(used);
    files_free(files);
}

struct worker {
    pthread_t thread;
    struct bytes *files;
    struct bytes made[FILES];
};

static void *work(void *data)
{
    struct worker *worker = data;
    struct img_context *context = NULL;
    if (img_context_create(&context) < 0)
        return NULL;
    for (int round = 0; round < 4; round++)
        for (int i = 0; i < FILES; i++) {
            free(worker->made[i].data);
            worker->made[i] = made_in(context, worker->files[i]);
        }
    img_context_free(context);
    return NULL;
}

static void contexts_in_several_threads_do_not_meet(void **state)
{
    (void)state;
    struct bytes files[FILES];
    files_make(files);
    struct worker workers[4] = {{0}};
    for (int i = 0; i < 4; i++) {
        workers[i].files = files;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(workers[i].thread, NULL);
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < FILES; k++) {
            assert_true(workers[i].made[k].size > 0);
            assert_int_equal(workers[i].made[k].size, workers[0].made[k].size);
            assert_memory_equal(workers[i].made[k].data, workers[0].made[k].data,
                                workers[i].made[k].size);
        }
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < FILES; k++)
            free(workers[i].made[k].data);
    files_free(files);
}

static bool always(void *data)
{
    ++*(int *)data;
    return true;
}

static void a_cancelled_call_does_nothing(void **state)
{
    (void)state;
    int asked = 0;
    struct sample source = sample_photo(100, 100, 3, 8);
    struct bytes png = png_bytes(&source, &(struct png_make){0});
    struct img_options options = IMG_OPTIONS_INIT;
    options.cancelled = always;
    options.cancel_data = &asked;
    assert_int_equal(thumb_result(png, &options, NULL), -ECANCELED);
    assert_int_equal(asked, 1);
    free(png.data);
    sample_free(&source);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(failures_have_the_code_that_the_header_names),
        TEST(every_error_code_has_its_name),
        TEST(options_that_make_no_sense_are_refused),
        TEST(failure_leaves_the_outputs_alone_and_success_the_error),
        TEST(the_result_describes_the_upright_picture),
        TEST(every_format_has_decoders_up_to_the_general_one),
        TEST(what_a_decoder_declines_is_decoded_by_the_next),
        TEST(pictures_are_never_enlarged),
        TEST(alpha_decides_between_png_and_jpeg),
        TEST(nothing_of_the_sources_metadata_is_carried_over),
        TEST(a_used_context_makes_the_bytes_of_a_fresh_one),
        TEST(contexts_in_several_threads_do_not_meet),
        TEST(a_cancelled_call_does_nothing),
    };
    return test_run("thumbnail", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
