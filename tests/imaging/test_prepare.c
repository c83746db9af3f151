/* A process that has got ready decodes every format with nothing left to open. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "isolate.h"
#include "thumbs.h"
#include "vips_files.h"

static const struct {
    const char *suffix; /* "": made without libvips */
    double psnr_min;
} files[] = {{".webp[lossless]", 40},
             {".webp", 25},
             {".tif", 40},
             {".tif[compression=jpeg]", 20},
             {".gif", 20},
             {".heic", 25},
             {".avif[effort=0]", 25},
             {".jxl", 25},
             {"bmp", 40},
             {"jpeg", 25},
             {"png", 40}};

#define FILES (sizeof(files) / sizeof(files[0]))

static struct bytes file_make(const struct sample *source, const char *suffix, struct bytes icc)
{
    if (strcmp(suffix, "bmp") == 0)
        return bmp_bytes(source);
    if (strcmp(suffix, "jpeg") == 0)
        return jpeg_bytes(source, &(struct jpeg_make){.progressive = true, .icc = icc});
    if (strcmp(suffix, "png") == 0)
        return png_bytes(source, &(struct png_make){.icc = icc});
    return vips_file_made(source, suffix, &(struct vips_make){.icc = icc});
}

/* A machine without libvips has nothing to prepare. */
static void prepare_or_skip(uint64_t memory_bytes)
{
    struct img_error error = {0};
    const int r = img_libraries_prepare(memory_bytes, &error);
    if (r == -ENOTSUP)
        skip();
    if (r != 0)
        fail_msg("%d: %s", r, error.message);
}

static size_t threads(void)
{
    size_t count = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (const struct dirent *entry; (entry = readdir(tasks));)
        count += entry->d_name[0] != '.';
    closedir(tasks);
    return count;
}

/* The bytes that are mapped as code. */
static size_t code_bytes(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    size_t sum = 0;
    unsigned long from, to;
    char line[1024], rights[5];
    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps))
        if (sscanf(line, "%lx-%lx %4s", &from, &to, rights) == 3 && strchr(rights, 'x'))
            sum += to - from;
    fclose(maps);
    return sum;
}

static void every_format_is_decoded_where_no_file_can_be_opened(void **state)
{
    (void)state;
    struct sample source = sample_photo(120, 90, 3, 8);
    struct bytes made[FILES], cut[FILES], icc = icc_srgb();
    for (size_t i = 0; i < FILES; i++) {
        made[i] = file_make(&source, files[i].suffix, icc);
        cut[i] = (struct bytes){made[i].data, made[i].size * 2 / 3};
    }
    const struct img_options options = thumb_options(60);
    struct bytes png = png_bytes(&source, &(struct png_make){.interlaced = false});
    struct sample expected = thumb_of(png, &options);
    prepare_or_skip(0);
    const size_t code_before = code_bytes();
    struct rlimit limit, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit, none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    for (size_t i = 0; i < FILES; i++) {
        struct thumb_outcome outcome = {.code = -ENOTSUP};
        if (made[i].size)
            outcome = thumb_try(made[i], &options);
        if (outcome.code != 0 && outcome.code != -ENOTSUP)
            fail_msg("%s: %s", files[i].suffix, outcome.error.message);
        if (outcome.code == 0) {
            if (sample_psnr(&outcome.sample, &expected) < files[i].psnr_min)
                fail_msg("%s: %.1f dB", files[i].suffix, sample_psnr(&outcome.sample, &expected));
            assert_int_not_equal(thumb_result(cut[i], &options, NULL), 0);
        }
        sample_free(&outcome.sample);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(code_bytes(), code_before);
    for (size_t i = 0; i < FILES; i++)
        free(made[i].data);
    sample_free(&source), sample_free(&expected);
    free(icc.data), free(png.data);
    vips_leave();
}

static void getting_ready_leaves_no_thread(void **state)
{
    (void)state;
    const size_t before = threads(); /* one, and one of an emulator's own */
    prepare_or_skip(0);
    assert_int_equal(threads(), before);
    vips_leave();
}

static void a_child_of_a_prepared_process_is_prepared(void **state)
{
    (void)state;
    struct sample source = sample_quarters(40, 30);
    struct bytes bmp = bmp_bytes(&source);
    prepare_or_skip(0);
    assert_int_equal(img_libraries_prepare(0, NULL), 0); /* and a second time */
    const pid_t child = fork();
    if (child == 0) {
        const struct img_options options = thumb_options(20);
        const int r = img_libraries_prepare(0, NULL);
        const int made = thumb_result(bmp, &options, NULL);
        _exit(r == 0 && (made == 0 || made == -ENOTSUP) ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    sample_free(&source);
    free(bmp.data);
    vips_leave();
}

static void it_is_too_late_once_libvips_is_in_use(void **state)
{
    (void)state;
    char text[1000];
    img_libraries_describe(text, sizeof(text));
    struct img_error error = {0};
    assert_int_equal(img_libraries_prepare(0, &error), -EALREADY);
    assert_int_equal(error.code, -EALREADY);
    assert_true(error.message[0] != '\0');
    assert_null(getenv("MAGICK_DISK_LIMIT")); /* the ordinary way changes no variable */
    assert_null(getenv("VIPS_NOVECTOR"));
}

static void a_bmp_beyond_the_memory_is_refused_and_spilled_nowhere(void **state)
{
    (void)state;
    struct sample small = sample_quarters(100, 80), large = sample_quarters(1000, 800);
    struct bytes fits = bmp_bytes(&small), too_large = bmp_bytes(&large);
    assert_int_equal(setenv("MAGICK_TMPDIR", test_scratch(), 1), 0);
    prepare_or_skip(UINT64_C(1024) * 1024);
    const struct img_options options = thumb_options(20); /* whose own limit is none */
    const int r = thumb_result(fits, &options, NULL);
    if (r != -ENOTSUP) {
        assert_int_equal(r, 0);
        assert_int_equal(thumb_result(too_large, &options, NULL), -EFBIG);
    }
    sample_free(&small), sample_free(&large);
    free(fits.data), free(too_large.data);
    vips_leave();
}

static bool vips_loads(const char *bytes, size_t size)
{
    VipsImage *image = vips_image_new_from_buffer(bytes, size, "", NULL);
    const bool loads = image != NULL;
    if (image)
        g_object_unref(image);
    vips_error_clear();
    return loads;
}

static void loaders_that_no_format_calls_for_are_blocked(void **state)
{
    (void)state;
    static const char hdr[] = "#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 1 +X 1\n\1\2\3\200";
    static const char gif[] = "GIF89a\1\0\1\0\200\0\0\0\0\0\377\377\377"
                              ",\0\0\0\0\1\0\1\0\0\2\2D\1\0;";
    assert_int_equal(vips_init("test"), 0);
    const bool loads_hdr = vips_loads(hdr, sizeof(hdr) - 1);
    const bool loads_gif = vips_loads(gif, sizeof(gif) - 1);
    assert_true(loads_hdr || loads_gif);
    prepare_or_skip(0);
    assert_false(vips_loads(hdr, sizeof(hdr) - 1));
    assert_int_equal(vips_loads(gif, sizeof(gif) - 1), loads_gif);
    vips_leave();
}

int main(int argc, char **argv)
{
    vips_files_main(argc, argv);
    static const struct test_case tests[] = {
        TEST_LONG(every_format_is_decoded_where_no_file_can_be_opened, 60000),
        TEST(getting_ready_leaves_no_thread),
        TEST(a_child_of_a_prepared_process_is_prepared),
        TEST(it_is_too_late_once_libvips_is_in_use),
        TEST(a_bmp_beyond_the_memory_is_refused_and_spilled_nowhere),
        TEST(loaders_that_no_format_calls_for_are_blocked),
    };
    return test_run("prepare", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
