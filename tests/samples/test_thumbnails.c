/* The documents' example: a folder of jpegs in, its thumbs out. */
#include "isolate.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <imaging/imaging.h>

static int run(const char *program, char *const *argv)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execv(program, argv);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int make_photos(char *out)
{
    char count[] = "30", size[] = "160x120", name[] = "make_photos";
    char o1[] = "--count", o2[] = "--size", o3[] = "--flat";
    char *argv[] = {name, o1, count, o2, size, o3, out, NULL};
    return run(MAKE_PHOTOS, argv);
}

static int thumbnails(char *folder)
{
    char name[] = "thumbnails";
    char *argv[] = {name, folder, NULL};
    return run(THUMBNAILS, argv);
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
    assert_int_equal(make_photos(photos), 0);
    assert_int_equal(thumbnails(photos), 0);
    assert_int_equal(count_jpegs(thumbs, 75), 30);
    assert_int_equal(count_jpegs(photos, 160), 30); /* and the photos are still there */
    assert_int_equal(thumbnails(photos), 0);        /* a second run is fine */
    assert_int_equal(count_jpegs(thumbs, 75), 30);
}

static void a_bad_file_is_told_and_the_others_are_made(void **state)
{
    (void)state;
    char photos[128], path[256];
    snprintf(photos, sizeof(photos), "%s/photos", test_scratch());
    snprintf(path, sizeof(path), "%s/bad.jpeg", photos);
    assert_int_equal(make_photos(photos), 0);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs("no picture", file);
    fclose(file);
    assert_int_equal(thumbnails(photos), 1);
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
    TEST(a_bad_file_is_told_and_the_others_are_made),
    TEST(wrong_usage_and_missing_folders_fail),
};

int main(int argc, char **argv)
{
    return test_run("samples thumbnails", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
