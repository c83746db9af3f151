/* test_bombs.c: the built program and files that claim much, take long, or are something else than
 * they say; and entries of a folder that are no files to read. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <png.h>
#include <zlib.h>

#include "album.h"
#include "files.h"
#include "isolate.h"
#include "pictures.h"
#include "program.h"

#define MEMORY       "256M"
#define MEMORY_BYTES (256.0 * 1024 * 1024)

/* A file being put together. */
struct bytes {
    uint8_t data[8 << 20];
    size_t count;
};

static void add(struct bytes *bytes, const void *data, size_t size_bytes)
{
    assert_true(size_bytes <= sizeof(bytes->data) - bytes->count);
    memcpy(bytes->data + bytes->count, data, size_bytes);
    bytes->count += size_bytes;
}

static void add_be32(struct bytes *bytes, uint32_t value)
{
    const uint8_t be[] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                          (uint8_t)value};
    add(bytes, be, sizeof(be));
}

static void add_chunk(struct bytes *png, const char *name, const void *data, uint32_t size_bytes)
{
    add_be32(png, size_bytes);
    const size_t start = png->count;
    add(png, name, 4);
    add(png, data, size_bytes);
    add_be32(png, (uint32_t)crc32(0, png->data + start, (uInt)(png->count - start)));
}

/* A PNG of that size whose pixels are a stream of zeros, as much as fits into a small file. */
static void make_png_bomb(const char *path, uint32_t side_px, bool interlaced)
{
    static struct bytes png;
    static uint8_t zeros[1 << 20], packed[1 << 16];
    uLongf packed_bytes = sizeof(packed);
    png.count = 0;
    add(&png, "\x89PNG\r\n\x1a\n", 8);
    uint8_t head[13] = {(uint8_t)(side_px >> 24),
                        (uint8_t)(side_px >> 16),
                        (uint8_t)(side_px >> 8),
                        (uint8_t)side_px,
                        (uint8_t)(side_px >> 24),
                        (uint8_t)(side_px >> 16),
                        (uint8_t)(side_px >> 8),
                        (uint8_t)side_px,
                        8,
                        PNG_COLOR_TYPE_RGB,
                        0,
                        0,
                        interlaced};
    add_chunk(&png, "IHDR", head, sizeof(head));
    assert_int_equal(compress2(packed, &packed_bytes, zeros, sizeof(zeros), 9), Z_OK);
    for (int i = 0; i < 1300; i++) /* long enough for its claim, were it one stream */
        add_chunk(&png, "IDAT", packed, (uint32_t)packed_bytes);
    add_chunk(&png, "IEND", "", 0);
    write_file(path, png.data, png.count);
}

/* Where a marker of that kind begins, from offset on. */
static size_t find_marker(const uint8_t *data, size_t size_bytes, uint8_t low, uint8_t high,
                          size_t from)
{
    for (size_t at = from; at + 1 < size_bytes; at++)
        if (data[at] == 0xff && data[at + 1] >= low && data[at + 1] <= high)
            return at;
    fail_msg("no marker");
    return 0;
}

/* A sound JPEG whose header says another size. */
static void make_jpeg_bomb(const char *path, bool progressive, uint16_t side_px)
{
    size_t size_bytes;
    (progressive ? make_slow_jpeg : make_jpeg)(path, 64, 64, 1);
    uint8_t *data = (uint8_t *)read_file(path, &size_bytes);
    const size_t frame = find_marker(data, size_bytes, 0xc0, 0xc2, 2);
    data[frame + 5] = data[frame + 7] = (uint8_t)(side_px >> 8);
    data[frame + 6] = data[frame + 8] = (uint8_t)side_px;
    write_file(path, data, size_bytes);
}

/* A progressive JPEG that has one of its scans a thousand times: the first, with its codes; or the
 * last, without any, so that the decoder makes them up. */
static void make_scan_bomb(const char *path, bool sound)
{
    static struct bytes jpeg;
    size_t size_bytes, from = 0, to = 0;
    make_slow_jpeg(path, 400, 400, 1);
    const uint8_t *data = (const uint8_t *)read_file(path, &size_bytes);
    for (size_t at = 2; at + 3 < size_bytes && !(sound && from); at++)
        if (data[at] == 0xff && data[at + 1] == 0xda)
            from = at;
    const size_t head_bytes = 2 + ((size_t)data[from + 2] << 8 | data[from + 3]);
    to = sound ? find_marker(data, size_bytes, 0xc0, 0xfe, from + head_bytes) : from + head_bytes;
    jpeg.count = 0;
    add(&jpeg, data, from);
    for (int i = 0; i < 1000; i++)
        add(&jpeg, data + from, to - from);
    if (sound)
        add(&jpeg, data + to, size_bytes - to);
    else
        add(&jpeg, "\xff\xd9", 2);
    write_file(path, jpeg.data, jpeg.count);
}

/* A GIF of very many frames of one pixel. */
static void make_frame_bomb(const char *path, unsigned frames)
{
    static const uint8_t frame[] = {0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0};
    static struct bytes gif;
    gif.count = 0;
    add(&gif, "GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff", 19);
    for (unsigned i = 0; i < frames; i++)
        add(&gif, frame, sizeof(frame));
    add(&gif, ";", 1);
    write_file(path, gif.data, gif.count);
}

static void files_that_claim_too_much_are_refused_in_little_memory(void **state)
{
    (void)state;
    make_folder(scratch("in"));
    make_png_bomb(scratch("in/wide.png"), 64250, false);
    make_png_bomb(scratch("in/interlaced.png"), 64250, true);
    make_png_bomb(scratch("in/in-limits.png"), 20000, true);
    make_jpeg_bomb(scratch("in/wide.jpg"), false, 64250);
    make_jpeg_bomb(scratch("in/progressive.jpg"), true, 20000);
    make_frame_bomb(scratch("in/frames.gif"), 60000);
    make_jpeg(scratch("in/good.jpg"), 300, 200, 1);
    struct program_result result =
        program_run("in", "--json", "--memory", MEMORY, "--timeout", "20", NULL);
    expect_exit(&result, 1);
    assert_string_equal(error_of(&result, "wide.png"), "too-large");
    assert_string_equal(error_of(&result, "interlaced.png"), "too-large");
    assert_string_equal(error_of(&result, "in-limits.png"), "too-large");
    assert_string_equal(error_of(&result, "wide.jpg"), "too-large");
    assert_string_equal(error_of(&result, "progressive.jpg"), "too-large");
    assert_string_equal(error_of(&result, "frames.gif"), "too-large");
    assert_true(summary_of(&result, "made") == 1);
    assert_true(summary_of(&result, "worker_memory_peak") > 0);
    /* Nobody came near the ceiling. (Sanitizers need several times as much themselves.) */
    if (test_time_scale() == 1)
        assert_true(summary_of(&result, "worker_memory_peak") < MEMORY_BYTES / 2);
}

static void a_file_of_a_thousand_scans_ends_within_its_deadline(void **state)
{
    (void)state;
    make_folder(scratch("in"));
    make_scan_bomb(scratch("in/sound.jpg"), true);
    make_scan_bomb(scratch("in/broken.jpg"), false);
    make_jpeg(scratch("in/good.jpg"), 300, 200, 1);
    /* Tolerated damage does not open a way around the limit. */
    static const char *const levels[] = {"error", "truncated", "none"};
    for (size_t i = 0; i < 3; i++) {
        struct program_result result =
            program_run("in", "--json", "--timeout", "5", "--fail-on", levels[i], NULL);
        assert_true(result.took_ms < scaled(7000));
        assert_string_equal(string_of(program_file(&result, "good.jpg"), "status"), "made");
        assert_string_equal(error_of(&result, "sound.jpg"), "too-large");
        assert_string_equal(error_of(&result, "broken.jpg"), i == 0 ? "damaged" : "too-large");
    }
}

/* ---- Something else than the name says ----------------------------------------------------- */

static void content_decides_and_nothing_else_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *name, *content;
    } rows[] = {
        {"svg.jpg", "<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\" "
                    "xmlns:x=\"http://www.w3.org/1999/xlink\"><image x:href=\"secret\"/></svg>"},
        {"mvg.png", "push graphic-context\nviewbox 0 0 640 480\nimage over 0,0 0,0 'secret'\n"
                    "pop graphic-context\n"},
        {"pdf.jpg", "%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"},
        {"mat.jpeg", "MATLAB 5.0 MAT-file, Platform: GLNXA64, Created on: today"},
        {"msl.gif", "<?xml version=\"1.0\"?><image><read filename=\"secret\"/></image>"},
        {"eps.webp", "%!PS-Adobe-3.0 EPSF-3.0\n(secret) run\n"},
        {"ppm.tif", "P6\n1 1\n255\nabc"},
    };
    make_folder(scratch("in"));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        write_text(scratch("in/%s", rows[i].name), rows[i].content);
    struct program_result result = program_run("in", "--json", "-v", NULL);
    expect_exit(&result, 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(error_of(&result, rows[i].name), "not-an-image");
    assert_true(summary_of(&result, "made") == 0);
}

static void a_picture_under_a_wrong_name_is_made(void **state)
{
    (void)state;
    make_folder(scratch("in"));
    make_jpeg(scratch("in/jpeg.png"), 1200, 800, 1); /* large enough for our own decoder */
    make_png(scratch("in/png.heic"), 300, 200, false, 1);
    make_png(scratch("in/no-extension"), 300, 200, false, 1);
    struct program_result result = program_run("in", "--json", NULL);
    expect_exit(&result, 0);
    assert_string_equal(string_of(program_file(&result, "jpeg.png"), "decoder"), "thumbpool");
    assert_string_equal(string_of(program_file(&result, "png.heic"), "decoder"), "thumbpool");
    assert_true(summary_of(&result, "made") == 3);
}

/* ---- No files to read ---------------------------------------------------------------------- */

static void what_is_no_file_is_skipped_without_waiting(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "in/socket.jpg"};
    make_folder(scratch("in"));
    make_jpeg(scratch("in/good.jpg"), 300, 200, 1);
    assert_int_equal(mkfifo(scratch("in/fifo.jpg"), 0600), 0);
    assert_int_equal(chdir(test_scratch()), 0);
    const int socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(socket_fd, (const void *)&address, sizeof(address)), 0);
    assert_int_equal(symlink("loop.jpg", scratch("in/loop.jpg")), 0);
    const bool device = mknod(scratch("in/device.jpg"), S_IFCHR | 0600, makedev(5, 0)) == 0;
    for (unsigned follow = 0; follow < 2; follow++) {
        struct program_result result =
            program_run("in", "--json", "--overwrite=always", follow ? "--follow" : "-v", NULL);
        expect_exit(&result, 0);
        assert_true(result.took_ms < scaled(3000));
        assert_true(summary_of(&result, "made") == 1);
        assert_string_equal(string_of(program_file(&result, "fifo.jpg"), "why"), "FIFO");
        assert_string_equal(string_of(program_file(&result, "socket.jpg"), "why"), "socket");
        if (device)
            assert_string_equal(string_of(program_file(&result, "device.jpg"), "why"), "device");
    }
    close(socket_fd);
    struct program_result result =
        program_run("/proc/self/fdinfo", "/proc/self/net", "-o", "out", "--json", NULL);
    assert_true(result.exit_code == 0 || result.exit_code == 1);
    assert_true(result.took_ms < scaled(5000));
}

/* Deeper than any path may be long. */
static void pictures_at_the_end_of_very_long_paths_are_made(void **state)
{
    (void)state;
    static const char name[] = "a-folder-whose-name-is-rather-long-so-that-the-path-grows-quickly-"
                               "beyond-what-the-kernel-takes-in-one-piece";
    const unsigned depth = 60;
    make_jpeg(scratch("good.jpg"), 300, 200, 1);
    make_folder(scratch("in"));
    int fd = open(scratch("in"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (unsigned i = 0; i < depth; i++) {
        assert_int_equal(mkdirat(fd, name, 0700), 0);
        const int below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(below >= 0);
        close(fd);
        fd = below;
    }
    assert_int_equal(linkat(AT_FDCWD, scratch("good.jpg"), fd, "deep.jpg", 0), 0);
    write_text(scratch("text"), "text");
    assert_int_equal(linkat(AT_FDCWD, scratch("text"), fd, "bad.jpg", 0), 0);
    close(fd);
    for (unsigned again = 0; again < 2; again++) {
        struct program_result result = program_run("in", "--json", NULL);
        expect_exit(&result, 1);
        assert_true(summary_of(&result, again ? "up_to_date" : "made") == 1);
        assert_string_equal(error_of(&result, "bad.jpg"), "not-an-image");
    }
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST_LONG(files_that_claim_too_much_are_refused_in_little_memory, 60000),
        TEST_LONG(a_file_of_a_thousand_scans_ends_within_its_deadline, 60000),
        TEST(content_decides_and_nothing_else_is_read),
        TEST(a_picture_under_a_wrong_name_is_made),
        TEST(what_is_no_file_is_skipped_without_waiting),
        TEST(pictures_at_the_end_of_very_long_paths_are_made),
    };
    return test_run("bombs", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
