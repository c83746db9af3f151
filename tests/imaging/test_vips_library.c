/* When libvips is loaded, and what happens without it. This program does not link it; the linker's
 * --wrap lets the tests stand in for the dynamic loader. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isolate.h"
#include "thumbs.h"

void *__real_dlopen(const char *name, int flags);
void *__real_dlsym(void *handle, const char *name);
void *__wrap_dlopen(const char *name, int flags);
void *__wrap_dlsym(void *handle, const char *name);

static bool library_is_missing;
static const char *symbol_missing;
static bool loaders_are_missing;

void *__wrap_dlopen(const char *name, int flags)
{
    if (library_is_missing)
        return __real_dlopen("libvips-that-nobody-has.so.42", flags);
    return __real_dlopen(name, flags);
}

static unsigned long no_type(const char *base, const char *name)
{
    (void)base, (void)name;
    return 0;
}

void *__wrap_dlsym(void *handle, const char *name)
{
    if (symbol_missing && strcmp(name, symbol_missing) == 0)
        return NULL;
    if (loaders_are_missing && strcmp(name, "vips_type_find") == 0) {
        unsigned long (*function)(const char *, const char *) = no_type;
        void *symbol;
        memcpy(&symbol, &function, sizeof(symbol));
        return symbol;
    }
    return __real_dlsym(handle, name);
}

static bool vips_is_mapped(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[1024];
    bool found = false;
    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps))
        found = found || strstr(line, "libvips") || strstr(line, "libglib");
    fclose(maps);
    return found;
}

static struct bytes picture_for_vips(void)
{
    struct sample source = sample_quarters(40, 30);
    struct bytes bmp = bmp_bytes(&source);
    sample_free(&source);
    return bmp;
}

static void jpeg_png_and_unknown_content_do_not_load_it(void **state)
{
    (void)state;
    struct sample source = sample_photo(60, 50, 3, 8);
    struct bytes jpeg = jpeg_bytes(&source, &(struct jpeg_make){0});
    struct bytes png = png_bytes(&source, &(struct png_make){0});
    const struct img_options options = thumb_options(20);
    assert_int_equal(thumb_result(jpeg, &options, NULL), 0);
    assert_int_equal(thumb_result(png, &options, NULL), 0);
    assert_int_equal(thumb_result((struct bytes){jpeg.data, 100}, &options, NULL), -EPIPE);
    assert_int_equal(thumb_result((struct bytes){jpeg.data + 5, 100}, &options, NULL), -ENOMSG);
    assert_false(vips_is_mapped());
    free(jpeg.data), free(png.data);
    sample_free(&source);
}

static void refusals_from_the_header_do_not_load_it(void **state)
{
    (void)state;
    struct bytes bmp = picture_for_vips();
    bmp.data[18 + 3] = 0x7f; /* the width's highest byte */
    const struct img_options options = thumb_options(20);
    assert_int_equal(thumb_result(bmp, &options, NULL), -EFBIG);
    assert_false(vips_is_mapped());
    free(bmp.data);
}

static void other_formats_load_it(void **state)
{
    (void)state;
    struct bytes bmp = picture_for_vips();
    const struct img_options options = thumb_options(20);
    const int r = thumb_result(bmp, &options, NULL);
    if (r == -ENOTSUP) /* a machine without libvips, or without its loader for BMP */
        skip();
    assert_int_equal(r, 0);
    assert_true(vips_is_mapped());
    free(bmp.data);
}

static void without_the_library_other_formats_are_unsupported(void **state)
{
    (void)state;
    library_is_missing = true;
    struct bytes bmp = picture_for_vips();
    const struct img_options options = thumb_options(20);
    struct img_error error;
    assert_int_equal(thumb_result(bmp, &options, &error), -ENOTSUP);
    assert_non_null(strstr(error.message, "bmp needs libvips"));
    char text[1000];
    assert_true(img_libraries_describe(text, sizeof(text)) < sizeof(text));
    assert_non_null(strstr(text, "libvips: libvips is not available"));
    free(bmp.data);
}

static void without_the_library_there_is_nothing_to_prepare(void **state)
{
    (void)state;
    library_is_missing = true;
    for (int i = 0; i < 2; i++) {
        struct img_error error = {0};
        assert_int_equal(img_libraries_prepare(0, &error), -ENOTSUP);
        assert_int_equal(error.code, -ENOTSUP);
        assert_non_null(strstr(error.message, "libvips is not available"));
    }
    assert_int_equal(img_libraries_prepare(0, NULL), -ENOTSUP);
    struct sample source = sample_photo(60, 50, 3, 8);
    struct bytes jpeg = jpeg_bytes(&source, &(struct jpeg_make){0});
    const struct img_options options = thumb_options(20);
    assert_int_equal(thumb_result(jpeg, &options, NULL), 0);
    free(jpeg.data);
    sample_free(&source);
}

static void a_library_that_lacks_a_function_is_unsupported(void **state)
{
    (void)state;
    symbol_missing = "vips_image_get_orientation";
    struct bytes bmp = picture_for_vips();
    const struct img_options options = thumb_options(20);
    struct img_error error;
    assert_int_equal(thumb_result(bmp, &options, &error), -ENOTSUP);
    assert_non_null(strstr(error.message, "libvips"));
    free(bmp.data);
}

static void a_missing_loader_is_named(void **state)
{
    (void)state;
    loaders_are_missing = true;
    struct bytes bmp = picture_for_vips();
    const struct img_options options = thumb_options(20);
    struct img_error error;
    assert_int_equal(thumb_result(bmp, &options, &error), -ENOTSUP);
    if (!strstr(error.message, "bmp"))
        fail_msg("%s", error.message);
    free(bmp.data);
}

static void *thumb_in_thread(void *data)
{
    const struct img_options options = thumb_options(20);
    struct img_context *context = NULL;
    struct img_thumbnail thumbnail;
    struct bytes *bmp = data;
    if (img_context_create(&context) < 0)
        return NULL;
    for (int i = 0; i < 5; i++)
        if (img_thumbnail(context, bmp->data, bmp->size, &options, &thumbnail, NULL) < 0)
            data = NULL;
    img_context_free(context);
    return data;
}

static void several_threads_may_need_it_at_once(void **state)
{
    (void)state;
    struct bytes bmp = picture_for_vips();
    pthread_t threads[4];
    unsigned right = 0;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, thumb_in_thread, &bmp), 0);
    for (int i = 0; i < 4; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        right += result != NULL;
    }
    const struct img_options options = thumb_options(20);
    if (thumb_result(bmp, &options, NULL) == 0)
        assert_int_equal(right, 4);
    free(bmp.data);
}

static void the_description_fits_any_buffer(void **state)
{
    (void)state;
    char whole[1000];
    const size_t length = img_libraries_describe(whole, sizeof(whole));
    assert_int_equal(strlen(whole), length);
    assert_int_equal(whole[length - 1], '\n');
    assert_non_null(strstr(whole, "libjpeg-turbo "));
    assert_non_null(strstr(whole, "libpng "));
    assert_non_null(strstr(whole, "lcms2 "));
    assert_non_null(strstr(whole, "libvips"));
    for (size_t size = 1; size <= length; size++) {
        char *exact = malloc(size);
        assert_int_equal(img_libraries_describe(exact, size), length);
        assert_int_equal(strlen(exact), size - 1);
        assert_memory_equal(exact, whole, size - 1);
        free(exact);
    }
    assert_int_equal(img_libraries_describe(NULL, 0), length);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(jpeg_png_and_unknown_content_do_not_load_it),
        TEST(refusals_from_the_header_do_not_load_it),
        TEST(other_formats_load_it),
        TEST(without_the_library_other_formats_are_unsupported),
        TEST(without_the_library_there_is_nothing_to_prepare),
        TEST(a_library_that_lacks_a_function_is_unsupported),
        TEST(a_missing_loader_is_named),
        TEST(several_threads_may_need_it_at_once),
        TEST(the_description_fits_any_buffer),
    };
    return test_run("vips_library", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
