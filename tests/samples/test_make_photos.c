/* The maker of sample photos, run from outside: its pictures are what their names say, the same
 * seed makes the same bytes, and it never harms a folder.
 *
 * libjpeg and libpng keep their own error handlers here: a damaged picture ends the test. */
#include "isolate.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <jpeglib.h>
#include <lcms2.h>
#include <png.h>

enum { WIDTH = 192, HEIGHT = 128, PATH_SIZE = 256 };
#define SIZE_OPTION "192x128"

/* One round of the variants, which the first 24 pictures are. */
struct expected {
    const char *path;
    int h_factor, v_factor; /* sampling of the brightness; 0: a PNG */
    bool progressive, restarts, profile;
    int orientation; /* 0: no EXIF */
    int channels;
};

#define IN_LAKES "2024/lake district/lake "
#define IN_ALPS  "2024/alps in autumn/hike "
#define IN_PHONE "2025/phone/IMG "
#define IN_EDITS "2025/Zürich & edited/edit "

static const struct expected pictures[] = {
    {IN_LAKES "0001 baseline 4-2-0.jpg", 2, 2, .channels = 3},
    {IN_LAKES "0002 baseline 4-2-2.jpg", 2, 1, .channels = 3},
    {IN_LAKES "0003 baseline 4-4-4.jpg", 1, 1, .channels = 3},
    {IN_LAKES "0004 restart markers 4-2-0.jpg", 2, 2, .restarts = true, .channels = 3},
    {IN_PHONE "0005 orientation 1.jpg", 2, 2, .orientation = 1, .channels = 3},
    {IN_PHONE "0006 orientation 2.jpg", 2, 2, .orientation = 2, .channels = 3},
    {IN_PHONE "0007 orientation 3.jpg", 2, 2, .orientation = 3, .channels = 3},
    {IN_PHONE "0008 orientation 4.jpg", 2, 2, .orientation = 4, .channels = 3},
    {IN_PHONE "0009 orientation 5.jpg", 2, 2, .orientation = 5, .channels = 3},
    {IN_PHONE "0010 orientation 6.jpg", 2, 2, .orientation = 6, .channels = 3},
    {IN_PHONE "0011 orientation 7.jpg", 2, 2, .orientation = 7, .channels = 3},
    {IN_PHONE "0012 orientation 8.jpg", 2, 2, .orientation = 8, .channels = 3},
    {IN_ALPS "0013 baseline 4-2-0.jpg", 2, 2, .channels = 3},
    {IN_ALPS "0014 baseline 4-2-0.jpg", 2, 2, .channels = 3},
    {IN_ALPS "0015 baseline 4-2-0.jpg", 2, 2, .channels = 3},
    {IN_ALPS "0016 progressive 4-2-0.jpg", 2, 2, .progressive = true, .channels = 3},
    {IN_ALPS "0017 baseline 4-2-2.jpg", 2, 1, .channels = 3},
    {IN_ALPS "0018 baseline 4-2-0.jpg", 2, 2, .channels = 3},
    {IN_EDITS "0019 Display P3 4-2-0.jpg", 2, 2, .profile = true, .channels = 3},
    {IN_EDITS "0020 progressive 4-4-4.jpg", 1, 1, .progressive = true, .channels = 3},
    {IN_EDITS "0021 baseline 4-2-0.jpg", 2, 2, .channels = 3},
    {IN_EDITS "0022 progressive 4-2-0.jpg", 2, 2, .progressive = true, .channels = 3},
    {IN_EDITS "0023 opaque.png", .channels = 3},
    {IN_EDITS "0024 with alpha.png", .channels = 4},
};

enum { PICTURES = sizeof(pictures) / sizeof(pictures[0]), FIRST_TURNED = 4, PROFILED = 18 };

/* --- Running it --- */

static void in_scratch(char path[static PATH_SIZE], const char *folder, const char *name)
{
    assert_true(snprintf(path, PATH_SIZE, "%s/%s%s%s", test_scratch(), folder, *name ? "/" : "",
                         name) < PATH_SIZE);
}

/* Start make_photos with up to six options on the scratch folder `folder`. */
static pid_t start(const char *folder, const char *const options[6], rlim_t file_bytes_max)
{
    char out[PATH_SIZE];
    in_scratch(out, folder, "");
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    if (file_bytes_max > 0) {
        const struct rlimit limit = {file_bytes_max, file_bytes_max};
        signal(SIGXFSZ, SIG_IGN); /* so that the write fails instead */
        setrlimit(RLIMIT_FSIZE, &limit);
    }
    char *arguments[9] = {strdup(MAKE_PHOTOS)};
    int count = 1;
    for (int i = 0; i < 6 && options[i]; i++)
        arguments[count++] = strdup(options[i]);
    arguments[count] = out;
    execv(MAKE_PHOTOS, arguments);
    _exit(127);
}

static int finish(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int run(const char *folder, const char *const options[6])
{
    return finish(start(folder, options, 0));
}

static void make_round(const char *folder, const char *seed)
{
    const char *const options[6] = {"--count", "24", "--size", SIZE_OPTION, "--seed", seed};
    assert_int_equal(run(folder, options), 0);
}

/* --- Reading what it made --- */

struct bytes {
    uint8_t *data; /* owned */
    size_t size;
};

static struct bytes read_file(const char *folder, const char *name)
{
    char path[PATH_SIZE];
    struct stat st;
    in_scratch(path, folder, name);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        fail_msg("%s is missing", path);
    assert_int_equal(fstat(fd, &st), 0);
    struct bytes file = {malloc((size_t)st.st_size + 1), (size_t)st.st_size};
    assert_non_null(file.data);
    assert_int_equal(read(fd, file.data, file.size), st.st_size);
    close(fd);
    return file;
}

static bool same_bytes(struct bytes a, struct bytes b)
{
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

/* The orientation in a little-endian EXIF segment; 0: there is none. */
static int exif_orientation(const struct jpeg_marker_struct *marker)
{
    if (!marker)
        return 0;
    const uint8_t *tiff = marker->data + 6;
    assert_true(marker->data_length > 6 + 8 + 2 + 12);
    assert_memory_equal(marker->data, "Exif\0\0II*\0\x08\0\0\0", 14);
    const int entries = tiff[8] | tiff[9] << 8;
    assert_true(6 + 8 + 2 + 12 * entries + 4 <= (int)marker->data_length);
    for (int i = 0; i < entries; i++) {
        const uint8_t *entry = tiff + 10 + 12 * i;
        if (entry[0] == 0x12 && entry[1] == 0x01)
            return entry[8];
    }
    return 0;
}

struct decoded {
    struct expected is; /* what the file turned out to be */
    int width_px, height_px;
    uint8_t *pixels; /* owned */
    uint8_t *icc;    /* owned, NULL: none */
    unsigned icc_bytes;
};

static struct decoded decode_jpeg(struct bytes file)
{
    struct decoded got = {.is.channels = 3};
    struct jpeg_error_mgr errors;
    struct jpeg_decompress_struct cinfo = {.err = jpeg_std_error(&errors)};
    jpeg_create_decompress(&cinfo);
    jpeg_mem_src(&cinfo, file.data, (unsigned long)file.size);
    jpeg_save_markers(&cinfo, JPEG_APP0 + 1, 0xffff);
    jpeg_save_markers(&cinfo, JPEG_APP0 + 2, 0xffff);
    assert_int_equal(jpeg_read_header(&cinfo, TRUE), JPEG_HEADER_OK);
    got.is.h_factor = cinfo.comp_info[0].h_samp_factor / cinfo.comp_info[1].h_samp_factor;
    got.is.v_factor = cinfo.comp_info[0].v_samp_factor / cinfo.comp_info[1].v_samp_factor;
    got.is.progressive = cinfo.progressive_mode;
    got.is.restarts = cinfo.restart_interval > 0;
    got.is.profile = jpeg_read_icc_profile(&cinfo, &got.icc, &got.icc_bytes);
    const struct jpeg_marker_struct *marker = cinfo.marker_list;
    while (marker && marker->marker != JPEG_APP0 + 1)
        marker = marker->next;
    got.is.orientation = exif_orientation(marker);
    assert_true(marker ? file.data[3] == 0xe1 : file.data[3] == 0xe0); /* first: EXIF or JFIF */

    jpeg_start_decompress(&cinfo);
    got.width_px = (int)cinfo.output_width;
    got.height_px = (int)cinfo.output_height;
    got.pixels = malloc(3 * (size_t)cinfo.output_width * cinfo.output_height);
    while (cinfo.output_scanline < cinfo.output_height) {
        JSAMPROW row = got.pixels + 3 * (size_t)cinfo.output_width * cinfo.output_scanline;
        jpeg_read_scanlines(&cinfo, &row, 1);
    }
    jpeg_finish_decompress(&cinfo);
    assert_int_equal(cinfo.err->num_warnings, 0);
    jpeg_destroy_decompress(&cinfo);
    return got;
}

static struct decoded decode_png(struct bytes file)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    assert_true(png_image_begin_read_from_memory(&image, file.data, file.size));
    struct decoded got = {.is.channels = image.format & PNG_FORMAT_FLAG_ALPHA ? 4 : 3};
    got.width_px = (int)image.width;
    got.height_px = (int)image.height;
    image.format = got.is.channels == 4 ? PNG_FORMAT_RGBA : PNG_FORMAT_RGB;
    got.pixels = malloc(PNG_IMAGE_SIZE(image));
    assert_true(png_image_finish_read(&image, NULL, got.pixels, 0, NULL));
    return got;
}

static struct decoded decode(const char *folder, const struct expected *expected)
{
    struct bytes file = read_file(folder, expected->path);
    struct decoded got = expected->h_factor ? decode_jpeg(file) : decode_png(file);
    free(file.data);
    return got;
}

static void decoded_done(struct decoded *picture)
{
    free(picture->pixels);
    free(picture->icc);
}

/* --- Views: a picture as a grid of brightness --- */

enum { CELLS = 16 };

struct view {
    float cell[CELLS][CELLS]; /* row, column; 0..255 */
};

static struct view view_of(const struct decoded *picture)
{
    struct view view;
    for (int row = 0; row < CELLS; row++) {
        for (int column = 0; column < CELLS; column++) {
            long sum = 0, count = 0;
            for (int y = row * picture->height_px / CELLS;
                 y < (row + 1) * picture->height_px / CELLS; y++) {
                for (int x = column * picture->width_px / CELLS;
                     x < (column + 1) * picture->width_px / CELLS; x++, count++)
                    sum += picture->pixels[3 * (y * picture->width_px + x) + 1]; /* green will do */
            }
            view.cell[row][column] = (float)sum / (float)count;
        }
    }
    return view;
}

/* The view as a viewer shows it who obeys the orientation. */
static struct view turned_upright(const struct view *stored, int orientation)
{
    struct view shown;
    const int last = CELLS - 1;
    for (int y = 0; y < CELLS; y++) {
        for (int x = 0; x < CELLS; x++) {
            const int from[9][2] = {{0, 0},               /* row and column in the stored picture */
                                    {y, x},               /* 1: as it is */
                                    {y, last - x},        /* 2: mirrored */
                                    {last - y, last - x}, /* 3: by half a turn */
                                    {last - y, x},        /* 4: upside down in a mirror */
                                    {x, y},               /* 5: about the main diagonal */
                                    {last - x, y},        /* 6: a quarter turn clockwise */
                                    {last - x, last - y}, /* 7: about the other diagonal */
                                    {x, last - y}};       /* 8: a quarter turn back */
            shown.cell[y][x] = stored->cell[from[orientation][0]][from[orientation][1]];
        }
    }
    return shown;
}

static float view_difference(const struct view *a, const struct view *b)
{
    float sum = 0;
    for (int y = 0; y < CELLS; y++) {
        for (int x = 0; x < CELLS; x++) {
            const float difference = a->cell[y][x] - b->cell[y][x];
            sum += difference < 0 ? -difference : difference;
        }
    }
    return sum / (CELLS * CELLS);
}

static float rows_mean(const struct view *view, int first, int count)
{
    float sum = 0;
    for (int y = first; y < first + count; y++)
        for (int x = 0; x < CELLS; x++)
            sum += view->cell[y][x];
    return sum / (float)(CELLS * count);
}

/* --- The tests --- */

static void every_variant_is_what_its_name_says(void **state)
{
    (void)state;
    make_round("out", "1");
    for (int i = 0; i < PICTURES; i++) {
        const struct expected *expected = &pictures[i];
        print_message("%s\n", expected->path);
        struct decoded got = decode("out", expected);
        assert_int_equal(got.width_px, WIDTH);
        assert_int_equal(got.height_px, HEIGHT);
        assert_int_equal(got.is.channels, expected->channels);
        assert_int_equal(got.is.h_factor, expected->h_factor);
        assert_int_equal(got.is.v_factor, expected->v_factor);
        assert_int_equal(got.is.progressive, expected->progressive);
        assert_int_equal(got.is.restarts, expected->restarts);
        assert_int_equal(got.is.profile, expected->profile);
        assert_int_equal(got.is.orientation, expected->orientation);
        decoded_done(&got);
    }
}

static void the_same_seed_makes_the_same_bytes(void **state)
{
    (void)state;
    make_round("first", "5");
    make_round("again", "5");
    make_round("other", "6");
    for (int i = 0; i < PICTURES; i++) {
        struct bytes first = read_file("first", pictures[i].path);
        struct bytes again = read_file("again", pictures[i].path);
        struct bytes other = read_file("other", pictures[i].path);
        assert_true(same_bytes(first, again));
        assert_false(same_bytes(first, other));
        free(first.data);
        free(again.data);
        free(other.data);
    }
}

static void no_picture_is_a_copy_of_another(void **state)
{
    (void)state;
    struct view views[PICTURES];
    make_round("out", "2");
    for (int i = 0; i < PICTURES - 2; i++) { /* the JPEGs */
        struct decoded got = decode("out", &pictures[i]);
        views[i] = view_of(&got);
        decoded_done(&got);
        const struct view shown =
            turned_upright(&views[i], pictures[i].orientation ? pictures[i].orientation : 1);
        views[i] = shown;
        for (int earlier = 0; earlier < i; earlier++)
            assert_true(view_difference(&views[i], &views[earlier]) > 0.5f);
    }
}

static void all_orientations_show_one_view_upright(void **state)
{
    (void)state;
    static const char *const seeds[] = {"1", "2", "3", "4"};
    for (size_t s = 0; s < sizeof(seeds) / sizeof(seeds[0]); s++) {
        make_round(seeds[s], seeds[s]);
        struct decoded first = decode(seeds[s], &pictures[FIRST_TURNED]);
        const struct view upright = view_of(&first);
        decoded_done(&first);
        for (int orientation = 1; orientation <= 8; orientation++) {
            struct decoded got = decode(seeds[s], &pictures[FIRST_TURNED + orientation - 1]);
            const struct view stored = view_of(&got);
            decoded_done(&got);
            const struct view shown = turned_upright(&stored, orientation);
            assert_true(rows_mean(&shown, 0, 4) > rows_mean(&shown, CELLS - 4, 4) + 15);
            const float difference = view_difference(&upright, &shown);
            for (int wrong = 1; wrong <= 8; wrong++) {
                const struct view other = turned_upright(&stored, wrong);
                if (wrong != orientation)
                    assert_true(view_difference(&upright, &other) > 1.3f * difference);
            }
        }
    }
}

static void the_profile_is_display_p3(void **state)
{
    (void)state;
    make_round("out", "1");
    struct decoded got = decode("out", &pictures[PROFILED]);
    assert_true(got.icc_bytes > 128);
    const uint8_t date[] = {2024 >> 8, 2024 & 0xff}; /* not today's: the bytes would change */
    assert_memory_equal(got.icc + 24, date, sizeof(date));
    cmsHPROFILE profile = cmsOpenProfileFromMem(got.icc, got.icc_bytes);
    assert_non_null(profile);
    const cmsCIEXYZ *red = cmsReadTag(profile, cmsSigRedColorantTag);
    assert_non_null(red);
    assert_true(red->X > 0.510 && red->X < 0.520); /* adapted to D50; sRGB: 0.436 */
    cmsCloseProfile(profile);
    decoded_done(&got);
}

static void alpha_is_clear_outside_and_opaque_inside(void **state)
{
    (void)state;
    make_round("out", "1");
    struct decoded got = decode("out", &pictures[PICTURES - 1]);
    long soft = 0;
    assert_int_equal(got.pixels[3], 0);
    assert_int_equal(got.pixels[4 * (HEIGHT / 2 * WIDTH + WIDTH / 2) + 3], 255);
    for (int i = 0; i < WIDTH * HEIGHT; i++)
        soft += got.pixels[4 * i + 3] > 0 && got.pixels[4 * i + 3] < 255;
    assert_true(soft > WIDTH);
    decoded_done(&got);
}

static void flat_makes_jpegs_in_one_folder(void **state)
{
    (void)state;
    const char *const options[6] = {"--flat", "--count", "30", "--size", "64x48"};
    assert_int_equal(run("out", options), 0);
    char path[PATH_SIZE];
    in_scratch(path, "out", "");
    DIR *dir = opendir(path);
    assert_non_null(dir);
    int count = 0;
    for (const struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        assert_non_null(strstr(entry->d_name, ".jpeg"));
        count++;
    }
    closedir(dir);
    assert_int_equal(count, 30);
}

/* 0: there is no such folder or nothing in it. */
static int entries_in(const char *folder)
{
    char path[PATH_SIZE];
    in_scratch(path, folder, "");
    DIR *dir = opendir(path);
    int count = 0;
    while (dir && readdir(dir))
        count++;
    if (dir)
        closedir(dir);
    return dir ? count - 2 : 0;
}

static bool exists(const char *folder, const char *name)
{
    char path[PATH_SIZE];
    in_scratch(path, folder, name);
    return access(path, F_OK) == 0;
}

static void a_folder_with_something_in_it_is_left_alone(void **state)
{
    (void)state;
    char path[PATH_SIZE];
    in_scratch(path, "mine", "");
    assert_int_equal(mkdir(path, 0700), 0);
    in_scratch(path, "mine", ".hidden");
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    const char *const options[6] = {"--count", "2", "--size", "64x48"};
    assert_int_equal(run("mine", options), 1);
    assert_int_equal(entries_in("mine"), 1);

    assert_int_equal(run("made", options), 0);
    const int made = entries_in("made");
    assert_int_equal(run("made", options), 1); /* its own pictures are no exception */
    assert_int_equal(entries_in("made"), made);
}

static void an_empty_folder_is_used(void **state)
{
    (void)state;
    char path[PATH_SIZE];
    in_scratch(path, "empty", "");
    assert_int_equal(mkdir(path, 0700), 0);
    const char *const options[6] = {"--count", "2", "--size", "64x48"};
    assert_int_equal(run("empty", options), 0);
    assert_true(exists("empty", IN_LAKES "0002 baseline 4-2-2.jpg"));
}

static void a_failed_write_leaves_nothing(void **state)
{
    (void)state;
    const char *const options[6] = {"--count", "24", "--size", SIZE_OPTION};
    assert_int_equal(finish(start("out", options, 4096)), 1);
    assert_false(exists("out", ""));
}

static void a_signal_ends_it_and_leaves_nothing(void **state)
{
    (void)state;
    const char *const options[6] = {"--count", "20000", "--size", SIZE_OPTION};
    const pid_t pid = start("out", options, 0);
    while (!exists("out", pictures[0].path))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(finish(pid), 128 + SIGTERM);
    assert_false(exists("out", ""));
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    static const char *const cases[][6] = {
        {"--count", "0"},    {"--count", "-1"},  {"--count", "12x"},         {"--size", "64"},
        {"--size", "64x"},   {"--size", "8x64"}, {"--size", "64x99999"},     {"--size", "64x48x3"},
        {"--seed", ""},      {"--seed", "x"},    {"--count", "99999999999"}, {"--unknown"},
        {"a second folder"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("%s %s\n", cases[i][0], cases[i][1] ? cases[i][1] : "");
        assert_int_equal(run("out", cases[i]), 2);
        assert_false(exists("out", ""));
    }
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(every_variant_is_what_its_name_says),
        TEST(the_same_seed_makes_the_same_bytes),
        TEST(no_picture_is_a_copy_of_another),
        TEST(all_orientations_show_one_view_upright),
        TEST(the_profile_is_display_p3),
        TEST(alpha_is_clear_outside_and_opaque_inside),
        TEST(flat_makes_jpegs_in_one_folder),
        TEST(a_folder_with_something_in_it_is_left_alone),
        TEST(an_empty_folder_is_used),
        TEST(a_failed_write_leaves_nothing),
        TEST(a_signal_ends_it_and_leaves_nothing),
        TEST(bad_arguments_are_refused),
    };
    return test_run("make_photos", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
