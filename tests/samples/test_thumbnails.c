/* The documents' example: a folder of jpegs in, its thumbs out. */
#include "isolate.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <imaging/imaging.h>

#include "sample_run.h"

static void make_photos(const char *out)
{
    sample_ok(SAMPLE("make_photos"), "--count", "30", "--size", "160x120", "--flat", out, NULL);
}

static int thumbnails(const char *folder)
{
    return sample_run(SAMPLE("thumbnails"), folder, NULL).exit_code;
}

/* How many files of the folder are JPEGs of that longer side. */
static int count_jpegs(const char *folder, uint32_t side_px)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    struct img_context *context;
    int count = 0;
    assert_non_null(dir);
    assert_int_equal(img_context_create(&context), 0);
    while ((entry = readdir(dir))) {
        struct img_options options = IMG_OPTIONS_INIT;
        struct img_thumbnail thumbnail;
        static uint8_t data[1 << 20];
        char path[512];
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (entry->d_type != DT_REG)
            continue;
        FILE *file = fopen(path, "rbe");
        assert_non_null(file);
        size_t size = fread(data, 1, sizeof(data), file);
        fclose(file);
        assert_int_equal(img_thumbnail(context, data, size, &options, &thumbnail, NULL), 0);
        assert_int_equal(thumbnail.source_format, IMG_FORMAT_JPEG);
        uint32_t longer = thumbnail.source_width_px > thumbnail.source_height_px
                              ? thumbnail.source_width_px
                              : thumbnail.source_height_px;
        assert_int_equal(longer, side_px);
        count++;
    }
    img_context_free(context);
    closedir(dir);
    return count;
}

static void every_jpeg_gets_a_thumbnail_of_75_pixels(void **state)
{
    (void)state;
    char photos[128], thumbs[256];
    snprintf(photos, sizeof(photos), "%s/photos", test_scratch());
    snprintf(thumbs, sizeof(thumbs), "%s/thumbs", photos);
    make_photos(photos);
    assert_int_equal(thumbnails(photos), 0);
    assert_int_equal(count_jpegs(thumbs, 75), 30);
    assert_int_equal(count_jpegs(photos, 160), 30); /* and the photos are still there */
    assert_int_equal(thumbnails(photos), 0);        /* a second run is fine */
    assert_int_equal(count_jpegs(thumbs, 75), 30);
}

static void serial_and_pool_can_be_compared(void **state)
{
    (void)state;
    char photos[128], line[256];
    snprintf(photos, sizeof(photos), "%s/photos", test_scratch());
    make_photos(photos);
    const struct sample_output output = sample_ok(SAMPLE("thumbnails"), "--compare", photos, NULL);
    snprintf(line, sizeof(line), "serial: 30 thumbnails in %s/thumbs, 0 failed, ", photos);
    assert_int_equal(sample_find(&output, line), 0);
    snprintf(line, sizeof(line), ": 30 thumbnails in %s/thumbs, 0 failed, ", photos);
    assert_int_equal(sample_count(&output, line), 2);
    assert_int_equal(sample_find(&output, "pool of "), 1);
    assert_int_equal(sample_find(&output, " times as fast"), 1);
}

static void a_bad_file_is_told_and_the_others_are_made(void **state)
{
    (void)state;
    char photos[128], path[256];
    snprintf(photos, sizeof(photos), "%s/photos", test_scratch());
    snprintf(path, sizeof(path), "%s/bad.jpeg", photos);
    make_photos(photos);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs("no picture", file);
    fclose(file);
    const struct sample_output output = sample_run(SAMPLE("thumbnails"), photos, NULL);
    assert_int_equal(output.exit_code, 1);
    sample_find(&output, "bad.jpeg: ");
    sample_find(&output, ": 30 thumbnails in ");
    sample_find(&output, ", 1 failed, ");
    snprintf(path, sizeof(path), "%s/thumbs", photos);
    assert_int_equal(count_jpegs(path, 75), 30);
}

static void wrong_usage_and_missing_folders_fail(void **state)
{
    (void)state;
    char missing[128];
    snprintf(missing, sizeof(missing), "%s/missing", test_scratch());
    assert_int_equal(thumbnails(NULL), 2);
    assert_int_equal(thumbnails(missing), 1);
}

static const struct test_case tests[] = {
    TEST(every_jpeg_gets_a_thumbnail_of_75_pixels),
    TEST(serial_and_pool_can_be_compared),
    TEST(a_bad_file_is_told_and_the_others_are_made),
    TEST(wrong_usage_and_missing_folders_fail),
};

int main(int argc, char **argv)
{
    return test_run("samples thumbnails", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
