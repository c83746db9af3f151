/* The decoder of regular PNG files against libpng's: the same rows, or it declines. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>
#include <zlib.h>

#include <imaging/encode_priv.h>
#include <imaging/png_inflate_priv.h>
#include <imaging/png_rows_priv.h>

#include "isolate.h"
#include "png_check.h"
#include "png_maker.h"
#include "surgery.h"

/* ---- Taken or declined ---- */

static const struct img_options usual = IMG_OPTIONS_INIT;

static void check_taken(const struct png_maker *make, const char *what)
{
    struct bytes file = png_maker_file(make);
    char text[200];
    snprintf(text, sizeof(text), "%s: %u x %u, type %d of %d bits, filter %d, split %zu", what,
             make->width, make->height, make->type, make->depth, make->filter, make->split);
    if (png_check(file, &usual, text) != 0)
        fail_msg("%s: declined", text);
    free(file.data);
}

static void check_declined(struct bytes file, const char *what)
{
    struct png_record record = {0};
    if (png_record_decode(img_decode_png_fast, file, &usual, IMG_FAIL_ON_ERROR, &record) != -EAGAIN)
        fail_msg("%s: not declined", what);
    free(record.pixels);
}

static const struct {
    int type, depth;
} kinds[] = {{GRAY, 1},    {GRAY, 2},       {GRAY, 4},        {GRAY, 8},      {GRAY, 16},
             {RGB, 8},     {RGB, 16},       {PALETTE, 1},     {PALETTE, 2},   {PALETTE, 4},
             {PALETTE, 8}, {GRAY_ALPHA, 8}, {GRAY_ALPHA, 16}, {RGB_ALPHA, 8}, {RGB_ALPHA, 16}};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static int colours_of(size_t kind)
{
    return kinds[kind].depth < 8 ? 1 << kinds[kind].depth : 256;
}

/* ---- Rows ---- */

static void every_filter_of_every_kind_of_pixel_gives_libpngs_rows(void **state)
{
    (void)state;
    static const uint32_t widths[] = {1, 2, 3, 5, 7, 8, 9, 16, 17, 33, 101};
    for (size_t kind = 0; kind < KINDS; kind++)
        for (int filter = 0; filter <= MIXED; filter++)
            for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++)
                check_taken(&(struct png_maker){.width = widths[i],
                                                .height = 1 + random_next() % 40,
                                                .type = kinds[kind].type,
                                                .depth = kinds[kind].depth,
                                                .filter = filter,
                                                .colours = colours_of(kind)},
                            "filters");
}

static void transparency_is_expanded_as_libpng_does(void **state)
{
    (void)state;
    uint8_t alphas[256];
    for (size_t i = 0; i < sizeof(alphas); i++)
        alphas[i] = (uint8_t)random_next();
    for (size_t kind = 0; kind < KINDS; kind++)
        for (uint32_t width = 1; width < 40; width += 3) {
            struct png_maker make = {.width = width,
                                     .height = 30,
                                     .type = kinds[kind].type,
                                     .depth = kinds[kind].depth,
                                     .filter = MIXED,
                                     .colours = colours_of(kind),
                                     .has_runs = width & 1};
            if (make.type == PALETTE) {
                make.transparency = alphas;
                make.transparency_bytes = 1 + random_next() % (unsigned)make.colours;
            } else if (make.type == GRAY || make.type == RGB) {
                /* Of samples that occur often: black. */
                static const uint8_t black[6];
                make.transparency = black;
                make.transparency_bytes = make.type == RGB ? 6 : 2;
                make.filter = IMG_PNG_NONE;
            } else {
                continue;
            }
            check_taken(&make, "transparency");
        }
}

static void numbers_past_the_palette_are_as_libpng_has_them(void **state)
{
    (void)state;
    for (int depth = 1; depth <= 8; depth *= 2)
        check_taken(&(struct png_maker){.width = 200,
                                        .height = 20,
                                        .type = PALETTE,
                                        .depth = depth,
                                        .colours = depth == 1 ? 1 : (1 << depth) - 2},
                    "a short palette");
}

static void a_key_with_bits_that_samples_lack_is_as_with_libpng(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++) {
        const struct png_maker make = {.width = 90,
                                       .height = 90,
                                       .type = kinds[kind].type,
                                       .depth = kinds[kind].depth,
                                       .transparency = "\x5a\xff\x5a\xff\x5a\xff",
                                       .transparency_bytes = kinds[kind].type == RGB ? 6 : 2,
                                       .has_runs = true};
        if (make.type != GRAY && make.type != RGB)
            continue;
        struct bytes file = png_maker_file(&make);
        png_check(file, &usual, "a key with more bits");
        free(file.data);
    }
}

static void transparency_before_a_palette_is_void_as_with_libpng(void **state)
{
    (void)state;
    const struct png_maker make = {.width = 40, .height = 30, .type = RGB, .depth = 8};
    struct bytes plain = png_maker_file(&make);
    struct bytes palette = png_with_chunk(plain, "IDAT", "PLTE", "abcdef", 6);
    struct bytes file = png_with_chunk(palette, "PLTE", "tRNS", "\0\1\0\1\0\1", 6);
    struct png_record record = {0};
    assert_int_equal(png_check(file, &usual, "transparency before a palette"), 0);
    assert_int_equal(
        png_record_decode(img_decode_png_fast, file, &usual, IMG_FAIL_ON_ERROR, &record), 0);
    assert_int_equal(record.raster.layout, IMG_LAYOUT_RGB);
    free(record.pixels), free(file.data), free(palette.data), free(plain.data);
}

static void rows_at_once_are_as_rows_one_by_one(void **state)
{
    (void)state;
    enum { ROOM = 1024 };
    static uint8_t filtered[4][ROOM], above[ROOM], single[4][ROOM], both[4][ROOM];
    uint8_t *const to[] = {both[0], both[1], both[2], both[3]};
    const uint8_t *const from[] = {filtered[0], filtered[1], filtered[2], filtered[3]};
    for (int round = 0; round < 400; round++) {
        const unsigned pixel = 3 + (unsigned)round % 2;
        const unsigned filter = round % 4 < 2 ? IMG_PNG_PAETH : IMG_PNG_AVERAGE;
        const size_t bytes = pixel * (1 + random_next() % 250);
        for (size_t i = 0; i < ROOM; i++) {
            above[i] = (uint8_t)random_next();
            for (int row = 0; row < 4; row++)
                filtered[row][i] = (uint8_t)random_next();
        }
        for (int row = 0; row < 4; row++)
            img_png_unfilter(filter, single[row], filtered[row], row ? single[row - 1] : above,
                             bytes, pixel);
        const int count = round % 8 < 4 ? 2 : 4;
        if (count == 2)
            img_png_unfilter_two(filter, to, from, above, bytes, pixel);
        else
            img_png_unfilter_four(filter, to, from, above, bytes, pixel);
        for (int row = 0; row < count; row++)
            assert_memory_equal(single[row], both[row], bytes);
    }
}

static void paeth_is_right_for_all_triples(void **state)
{
    (void)state;
    for (int a = 0; a < 256; a++)
        for (int c = 0; c < 256; c++)
            for (int b = 0; b < 256; b += 4) {
                uint8_t above[32], filtered[32] = {0}, row[32];
                for (int i = 0; i < 4; i++) {
                    above[i] = (uint8_t)c;
                    above[4 + i] = (uint8_t)(b + i);
                    filtered[i] = (uint8_t)(a - c);
                }
                img_png_unfilter(IMG_PNG_PAETH, row, filtered, above, 8, 4);
                for (int i = 0; i < 4; i++) {
                    const int p = a + b + i - c;
                    const int pa = abs(p - a), pb = abs(p - b - i), pc = abs(p - c);
                    const int right = pa <= pb && pa <= pc ? a : pb <= pc ? b + i : c;
                    if (row[4 + i] != right)
                        fail_msg("a %d, b %d, c %d: %d", a, b + i, c, row[4 + i]);
                }
            }
}

/* ---- Streams ---- */

static void chunks_may_be_split_anywhere(void **state)
{
    (void)state;
    for (size_t split = 1; split < 40; split++)
        check_taken(&(struct png_maker){.width = 60,
                                        .height = 50,
                                        .type = RGB,
                                        .depth = 8,
                                        .filter = MIXED,
                                        .split = split},
                    "splits");
    for (size_t split = 100; split < 40000; split = split * 3 / 2)
        check_taken(&(struct png_maker){.width = 200,
                                        .height = 100,
                                        .type = RGB_ALPHA,
                                        .depth = 8,
                                        .filter = MIXED,
                                        .split = split,
                                        .has_runs = true},
                    "splits");
}

static void pictures_of_many_windows_come_through(void **state)
{
    (void)state;
    static const struct {
        uint32_t width, height;
    } sizes[] = {{1, 90000}, {100000, 7}, {700, 500}, {16383, 20}, {16384, 20}};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        for (int level = 1; level <= 9; level += 8)
            for (int strategy = Z_DEFAULT_STRATEGY; strategy <= Z_FIXED; strategy++)
                check_taken(&(struct png_maker){.width = sizes[i].width,
                                                .height = sizes[i].height,
                                                .type = i % 2 ? RGB : GRAY_ALPHA,
                                                .depth = 8,
                                                .filter = MIXED,
                                                .split = 8192,
                                                .level = level,
                                                .strategy = strategy,
                                                .has_runs = true},
                            "windows");
    check_taken(&(struct png_maker){.width = 500,
                                    .height = 500,
                                    .type = RGB,
                                    .depth = 16,
                                    .filter = MIXED,
                                    .stored = true,
                                    .split = 30000},
                "stored");
}

static void a_small_window_is_taken_only_where_it_holds_the_picture(void **state)
{
    (void)state;
    struct png_maker make = {.width = 20, .height = 20, .type = RGB, .depth = 8, .window_bits = 11};
    check_taken(&make, "a small picture in a small window");
    make.height = 200;
    struct bytes file = png_maker_file(&make);
    check_declined(file, "a large picture in a small window");
    free(file.data);
}

static void streams_in_pieces_of_any_size_give_zlibs_bytes_or_fail(void **state)
{
    (void)state;
    enum { ROOM = 400000 };
    struct bytes out = {malloc(ROOM), 0};
    for (int round = 0; round < 150 / test_time_scale() + 20; round++) {
        const struct png_maker make = {.width = 1 + random_next() % (round % 10 ? 900 : 90000),
                                       .height = 3,
                                       .level = 1 + (int)(random_next() % 9),
                                       .strategy = round % 5,
                                       .stored = round % 16 == 0,
                                       .depth = 8,
                                       .has_runs = round % 3 != 0};
        struct bytes rows = png_maker_rows(&make), stream = png_maker_deflate(rows, &make, -15);
        const size_t in_room = IMG_INFLATE_IN_BYTES_MIN + 64 + random_next() % 4000;
        const size_t piece = 1 + random_next() % 3000;
        assert_int_equal(png_inflate_check(stream, rows, in_room, piece), 0);
        for (int damage = 0; damage < 20; damage++) {
            const size_t at = random_next() % (damage % 2 && stream.size > 80 ? 80 : stream.size);
            const uint8_t bit = (uint8_t)(1 << random_next() % 8);
            const struct bytes cut = {stream.data,
                                      damage % 5 ? stream.size : 1 + random_next() % stream.size};
            stream.data[at] ^= bit;
            z_stream zlib = {.next_in = cut.data, .avail_in = (uInt)cut.size};
            zlib.next_out = out.data, zlib.avail_out = ROOM;
            assert_int_equal(inflateInit2(&zlib, -15), Z_OK);
            const bool sound = inflate(&zlib, Z_FINISH) == Z_STREAM_END;
            out.size = zlib.total_out;
            inflateEnd(&zlib);
            assert_int_equal(png_inflate_check(cut, out, in_room, piece) == 0, sound);
            stream.data[at] ^= bit;
        }
        free(rows.data), free(stream.data);
    }
    free(out.data);
}

/* ---- What is declined ---- */

static const struct png_maker small = {
    .width = 40, .height = 30, .type = RGB, .depth = 8, .filter = MIXED, .split = 1000};

static void every_cut_is_declined(void **state)
{
    (void)state;
    struct bytes file = png_maker_file(&small);
    for (size_t size = 0; size < file.size; size++) {
        struct bytes cut = bytes_cut(file, size);
        check_declined(cut, "a cut file");
        free(cut.data);
    }
    free(file.data);
}

static void sums_mend(struct bytes file)
{
    for (size_t at = 8; at + 12 <= file.size;) {
        const uint32_t length = png_get_uint_32(file.data + at);
        if (length > file.size - at - 12)
            return;
        png_save_uint_32(file.data + at + 8 + length,
                         (png_uint_32)crc32(0, file.data + at + 4, length + 4));
        at += (size_t)length + 12;
    }
}

static void damage_is_declined_or_changes_nothing(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct png_maker make = small;
        make.type = kinds[kind].type;
        make.depth = kinds[kind].depth;
        make.colours = colours_of(kind);
        make.has_runs = kind % 2;
        struct bytes file = png_maker_file(&make);
        for (int round = 0; round < 600; round++) {
            struct bytes damaged = bytes_cut(file, file.size);
            for (unsigned i = 0; i <= random_next() % 3; i++)
                damaged.data[random_next() % (round % 2 ? 120 : file.size)] ^=
                    (uint8_t)(1 << random_next() % 8);
            if (round % 3)
                sums_mend(damaged);
            png_check(damaged, &usual, "damage");
            free(damaged.data);
        }
        free(file.data);
    }
}

static void too_little_and_too_much_are_declined(void **state)
{
    (void)state;
    static const int amounts[] = {-1000, -121, -2, -1, 1, 2, 60};
    for (size_t i = 0; i < sizeof(amounts) / sizeof(amounts[0]); i++)
        for (int stored = 0; stored <= 1; stored++) {
            struct png_maker make = small;
            make.extra_bytes = amounts[i];
            make.stored = stored;
            struct bytes file = png_maker_file(&make);
            check_declined(file, "another amount of data");
            free(file.data);
        }
}

static void what_is_irregular_is_declined(void **state)
{
    (void)state;
    struct png_maker make = small;
    make.interlaced = true;
    make.width = make.height = 8;
    struct bytes file = png_maker_file(&make);
    check_declined(file, "interlaced");
    free(file.data);

    make = small;
    make.filter = 5 + 1; /* MIXED is 5 */
    file = png_maker_file(&make);
    check_declined(file, "no such filter");
    free(file.data);

    file = png_maker_file(&small);
    const size_t end = png_chunk_at(file, "IEND"), pixels = png_chunk_at(file, "IDAT");
    file.data[end - 5] ^= 1; /* of the checksum of all bytes */
    sums_mend(file);
    check_declined(file, "a wrong checksum of the stream");
    file.data[end - 5] ^= 1;
    sums_mend(file);
    assert_int_equal(png_check(file, &usual, "mended"), 0);
    file.data[pixels + 8 + 1000] ^= 1;
    check_declined(file, "a wrong checksum of a chunk");
    file.data[pixels + 8 + 1000] ^= 1;
    file.data[file.size - 1] ^= 1;
    check_declined(file, "a wrong checksum of the end");
    file.data[file.size - 1] ^= 1;

    struct bytes other = png_with_chunk(file, "IEND", "IDAT", "abc", 3);
    check_declined(other, "data behind the stream");
    free(other.data);
    other = png_with_chunk(file, "IEND", "tRNS", "\0\0\0\0\0\0", 6);
    check_declined(other, "transparency behind the pixels");
    free(other.data);
    other = png_with_chunk(file, "IEND", "IDAT", "", 0);
    assert_int_equal(png_check(other, &usual, "an empty chunk"), 0);
    free(other.data);
    other = png_with_chunk(file, "IEND", "tEXt", "Title\0x", 7);
    assert_int_equal(png_check(other, &usual, "text behind the pixels"), 0);
    free(other.data);
    other = bytes_inserted(file, file.size, (const uint8_t *)"x", 1);
    check_declined(other, "a byte behind the end");
    free(other.data), free(file.data);
}

static bool always(void *data)
{
    (void)data;
    return true;
}

static void limits_levels_and_cancellation_are_heeded(void **state)
{
    (void)state;
    struct bytes file = png_maker_file(&small);
    struct png_record record = {0};
    struct img_options options = usual;
    assert_int_equal(
        png_record_decode(img_decode_png_fast, file, &usual, IMG_FAIL_ON_NONE, &record), -EAGAIN);
    assert_int_equal(
        png_record_decode(img_decode_png_fast, file, &usual, IMG_FAIL_ON_TRUNCATED, &record),
        -EAGAIN);
    assert_int_equal(
        png_record_decode(img_decode_png_fast, file, &usual, IMG_FAIL_ON_WARNING, &record),
        -EAGAIN);
    options.pixels_max = 1199;
    assert_int_equal(
        png_record_decode(img_decode_png_fast, file, &options, IMG_FAIL_ON_ERROR, &record),
        -EAGAIN);
    options = usual;
    options.memory_bytes = 1000;
    assert_int_equal(
        png_record_decode(img_decode_png_fast, file, &options, IMG_FAIL_ON_ERROR, &record),
        -EAGAIN);
    options = usual;
    options.cancelled = always;
    assert_int_equal(
        png_record_decode(img_decode_png_fast, file, &options, IMG_FAIL_ON_ERROR, &record),
        -ECANCELED);
    record.rows_result = -ECANCELED;
    assert_int_equal(
        png_record_decode(img_decode_png_fast, file, &usual, IMG_FAIL_ON_ERROR, &record),
        -ECANCELED);
    free(record.pixels), free(file.data);
}

static void a_bomb_is_left_at_once(void **state)
{
    (void)state;
    struct png_maker make = {.width = 100, .height = 100, .type = GRAY, .depth = 8};
    struct bytes file = png_maker_file(&make);
    png_size_claim(file, 20000, 20000);
    check_declined(file, "a header that claims too much");
    free(file.data);
    struct bytes zeros = {calloc(1, 30000000), 30000000};
    struct bytes stream = png_maker_deflate(zeros, &make, 15);
    file = png_maker_file(&make);
    struct bytes bomb =
        png_with_chunk(file, "IDAT", "IDAT", (const char *)stream.data, (uint32_t)stream.size);
    check_declined(bomb, "more data than the header says");
    free(zeros.data), free(stream.data), free(file.data), free(bomb.data);
}

/* ---- Writing ---- */

static void a_picture_too_large_to_be_held_twice_is_written_too(void **state)
{
    (void)state;
    const struct img_options options = IMG_OPTIONS_INIT;
    struct img_picture picture = {calloc(3000, 3000), 3000, 3000, IMG_LAYOUT_GRAY};
    struct img_buffer output = {0};
    struct img_error error = {0};
    size_t size = 0;
    assert_non_null(picture.pixels);
    for (size_t i = 0; i < 3000 * 3000; i += 7)
        picture.pixels[i] = (uint8_t)(i / 100000);
    assert_int_equal(img_encode_png(&picture, &options, &output, &size, &error), 0);
    struct png_record record = {0};
    assert_int_equal(png_record_decode(img_decode_png_fast, (struct bytes){output.data, size},
                                       &usual, IMG_FAIL_ON_ERROR, &record),
                     0);
    assert_memory_equal(record.pixels, picture.pixels, 3000 * 3000);
    free(record.pixels), free(picture.pixels);
    img_buffer_done(&output);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(every_filter_of_every_kind_of_pixel_gives_libpngs_rows),
        TEST(transparency_is_expanded_as_libpng_does),
        TEST(numbers_past_the_palette_are_as_libpng_has_them),
        TEST(a_key_with_bits_that_samples_lack_is_as_with_libpng),
        TEST(transparency_before_a_palette_is_void_as_with_libpng),
        TEST(rows_at_once_are_as_rows_one_by_one),
        TEST_LONG(paeth_is_right_for_all_triples, 60000),
        TEST(chunks_may_be_split_anywhere),
        TEST_LONG(pictures_of_many_windows_come_through, 60000),
        TEST(a_small_window_is_taken_only_where_it_holds_the_picture),
        TEST_LONG(streams_in_pieces_of_any_size_give_zlibs_bytes_or_fail, 60000),
        TEST(every_cut_is_declined),
        TEST_LONG(damage_is_declined_or_changes_nothing, 60000),
        TEST(too_little_and_too_much_are_declined),
        TEST(what_is_irregular_is_declined),
        TEST(limits_levels_and_cancellation_are_heeded),
        TEST(a_bomb_is_left_at_once),
        TEST_LONG(a_picture_too_large_to_be_held_twice_is_written_too, 60000),
    };
    return test_run("png_fast", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
