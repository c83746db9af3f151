/* make_seeds.c: small files of every kind for the fuzz targets to begin with.
 *
 *   make_seeds FOLDER
 *
 * Makes FOLDER/jpeg, FOLDER/png and so on, one for each target. The same in every run. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <png.h>
#include <zlib.h>

#include <app/ledger_line_priv.h>
#include <imaging/imaging.h>
#include <pool/manager_wire_priv.h>
#include <pool/wire_priv.h>

#include "jpeg_scripts.h"
#include "png_maker.h"
#include "samples.h"
#include "surgery.h"

static const char *root;

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "make_seeds: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* Takes the bytes. */
static void put(struct bytes file, const char *name, ...) __attribute__((format(printf, 2, 3)));
static void put(struct bytes file, const char *name, ...)
{
    char path[4096];
    const int start = snprintf(path, sizeof(path), "%s/", root);
    va_list arguments;
    va_start(arguments, name);
    vsnprintf(path + start, sizeof(path) - (size_t)start, name, arguments);
    va_end(arguments);
    FILE *to = fopen(path, "wbe");
    must(to && fwrite(file.data, 1, file.size, to) == file.size, path);
    must(fclose(to) == 0, path);
    free(file.data);
}

static void folder(const char *name)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s%s%s", root, name[0] ? "/" : "", name);
    must(mkdir(path, 0777) == 0 || errno == EEXIST, path);
}

static struct bytes copied(const void *data, size_t size)
{
    struct bytes copy = {malloc(size ? size : 1), size};
    must(copy.data, "memory");
    memcpy(copy.data, data, size);
    return copy;
}

/* ---- JPEG ---------------------------------------------------------------------------------- */

static const struct {
    unsigned components;
    int h[3], v[3];
} samplings[] = {{1, {1}, {1}},
                 {1, {2}, {2}},
                 {3, {1, 1, 1}, {1, 1, 1}},
                 {3, {2, 1, 1}, {1, 1, 1}},
                 {3, {2, 1, 1}, {2, 1, 1}},
                 {3, {1, 1, 1}, {2, 1, 1}},
                 {3, {4, 1, 1}, {1, 1, 1}},
                 {3, {4, 1, 1}, {2, 1, 1}},
                 {3, {2, 1, 2}, {2, 2, 1}}};

#define SAMPLINGS (sizeof(samplings) / sizeof(samplings[0]))

static struct jpeg_recipe recipe_of(size_t sampling, uint32_t width, uint32_t height)
{
    struct jpeg_recipe recipe = {.width = width,
                                 .height = height,
                                 .components = samplings[sampling].components,
                                 .quality = 70,
                                 .grain = 12};
    memcpy(recipe.h, samplings[sampling].h, sizeof(recipe.h));
    memcpy(recipe.v, samplings[sampling].v, sizeof(recipe.v));
    return recipe;
}

static void baseline_seeds(void)
{
    for (size_t i = 0; i < SAMPLINGS; i++) {
        struct jpeg_recipe recipe = recipe_of(i, 35 + 3 * (uint32_t)i, 41);
        put(jpeg_made(&recipe), "jpeg/plain-%zu", i);
        recipe.restart_interval = 1 + (unsigned)i % 4;
        put(jpeg_made(&recipe), "jpeg/restarts-%zu", i);
        recipe.restart_interval = 0;
        recipe.optimised = true;
        recipe.quality = i % 2 ? 100 : 15;
        recipe.grain = i % 2 ? 200 : 0;
        put(jpeg_made(&recipe), "jpeg/own-tables-%zu", i);
        recipe.separate_scans = recipe.components == 3;
        recipe.restart_interval = i % 2 ? 5 : 0;
        put(jpeg_made(&recipe), "jpeg/separate-%zu", i);
    }
    for (uint32_t side = 1; side <= 128; side *= 2) {
        struct jpeg_recipe recipe = recipe_of(4, side, side + side / 3);
        put(jpeg_made(&recipe), "jpeg/side-%" PRIu32, side);
    }
    struct jpeg_recipe recipe = recipe_of(2, 30, 20);
    recipe.arithmetic = true;
    put(jpeg_made(&recipe), "jpeg/arithmetic");
    recipe.arithmetic = false, recipe.adobe_rgb = true;
    put(jpeg_made(&recipe), "jpeg/rgb");
    recipe.adobe_rgb = false, recipe.no_jfif = true;
    put(jpeg_made(&recipe), "jpeg/no-jfif");
}

static void progressive_seeds(void)
{
    for (size_t script = 0; script < JPEG_SCRIPTS; script++)
        for (size_t i = script % 2; i < SAMPLINGS; i += 2) {
            struct jpeg_recipe recipe = recipe_of(i, 43, 30 + 5 * (uint32_t)i);
            recipe.restart_interval = i % 3 == 2 ? 3 : 0;
            put(jpeg_scripted(&recipe, &jpeg_scripts[script]), "jpeg/script-%zu-%zu", script, i);
        }
}

/* With what cameras add. */
static void metadata_seeds(void)
{
    struct sample photo = sample_photo(40, 30, 3, 8), ink = sample_photo(24, 24, 4, 8);
    struct bytes profiles[] = {icc_display_p3(), icc_srgb(), icc_gray(2.2)};
    for (int i = 0; i < 9; i++) {
        const struct jpeg_make make = {.luma_h = 1 + i % 2,
                                       .luma_v = 1 + i % 2,
                                       .progressive = i % 3 == 2 || i == 3,
                                       .restart_rows = i % 4 == 3,
                                       .orientation = i,
                                       .icc = i % 3 == 0 ? profiles[i / 3] : (struct bytes){0},
                                       .comment = i % 2 ? "a comment" : NULL};
        put(jpeg_bytes(&photo, &make), "jpeg/camera-%d", i);
    }
    put(jpeg_bytes(&ink, &(struct jpeg_make){.adobe_cmyk = true}), "jpeg/cmyk");
    for (int i = 0; i < 3; i++) {
        const struct png_make make = {
            .orientation = 1 + i, .exif_at_end = i == 1, .icc = profiles[i], .interlaced = i == 2};
        if (i < 2)
            put(png_bytes(&photo, &make), "png/camera-%d", i);
        free(profiles[i].data);
    }
    sample_free(&photo), sample_free(&ink);
}

/* ---- PNG ----------------------------------------------------------------------------------- */

static const struct {
    int type, depth;
} kinds[] = {{GRAY, 1},    {GRAY, 2},       {GRAY, 4},        {GRAY, 8},      {GRAY, 16},
             {RGB, 8},     {RGB, 16},       {PALETTE, 1},     {PALETTE, 2},   {PALETTE, 4},
             {PALETTE, 8}, {GRAY_ALPHA, 8}, {GRAY_ALPHA, 16}, {RGB_ALPHA, 8}, {RGB_ALPHA, 16}};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void png_seeds(void)
{
    static const uint8_t transparency[256] = {0, 0, 0, 0, 0, 1, 90, 200, 255, 3};
    for (size_t i = 0; i < KINDS; i++) {
        struct png_maker make = {.width = 17 + (uint32_t)i,
                                 .height = 23,
                                 .type = kinds[i].type,
                                 .depth = kinds[i].depth,
                                 .filter = MIXED,
                                 .colours = kinds[i].depth < 8 ? 1 << kinds[i].depth : 256,
                                 .has_runs = true};
        put(png_maker_file(&make), "png/kind-%zu", i);
        for (int filter = 0; filter < MIXED; filter++) {
            make.filter = filter;
            make.level = 1 + filter * 2;
            make.strategy = filter;
            make.split = filter == 2 ? 50 : 0;
            put(png_maker_file(&make), "png/filter-%zu-%d", i, filter);
        }
        make.stored = true;
        put(png_maker_file(&make), "png/stored-%zu", i);
        make.stored = false, make.interlaced = true;
        put(png_maker_file(&make), "png/interlaced-%zu", i);
        make.interlaced = false, make.filter = MIXED;
        make.transparency = transparency;
        make.transparency_bytes = make.type == GRAY      ? 2
                                  : make.type == RGB     ? 6
                                  : make.type == PALETTE ? (size_t)make.colours
                                                         : 0;
        if (make.transparency_bytes > 0)
            put(png_maker_file(&make), "png/transparent-%zu", i);
    }
    /* Rows that are so wide that several are unfiltered at once. */
    for (int i = 0; i < 4; i++) {
        const struct png_maker make = {.width = 75 + (uint32_t)i,
                                       .height = 13,
                                       .type = i & 1 ? RGB : RGB_ALPHA,
                                       .depth = 8,
                                       .filter = 3 + i / 2, /* Average or Paeth */
                                       .has_runs = true};
        put(png_maker_file(&make), "png/wide-%d", i);
    }
    for (uint32_t side = 1; side <= 128; side *= 4) {
        const struct png_maker make = {
            .width = side, .height = 129 - side, .type = RGB, .depth = 8, .filter = MIXED};
        put(png_maker_file(&make), "png/side-%" PRIu32, side);
    }
    const struct png_maker narrow = {.width = 20,
                                     .height = 10,
                                     .type = RGB_ALPHA,
                                     .depth = 8,
                                     .filter = MIXED,
                                     .has_runs = true,
                                     .window_bits = 10};
    struct bytes file = png_maker_file(&narrow);
    put(png_with_chunk(file, "IDAT", "tEXt", "Comment\0words", 13), "png/text");
    put(png_with_chunk(file, "IEND", "tIME", "\7\350\1\1\0\0\0", 7), "png/time");
    put(png_with_chunk(file, "IDAT", "gAMA", "\0\0\261\217", 4), "png/gamma");
    put(file, "png/narrow-window");
}

/* Scan data of some kilobytes, which is read at several places at once. */
static void scouts_seeds(void)
{
    for (size_t i = 0; i < SAMPLINGS; i++) {
        struct jpeg_recipe recipe = recipe_of(i, 90 + 5 * (uint32_t)i, 96);
        recipe.quality = 95;
        recipe.grain = i % 2 ? 160 : 60;
        recipe.optimised = i % 3 == 0;
        recipe.separate_scans = i % 4 == 3;
        put(jpeg_made(&recipe), "jpeg/scouts-%zu", i);
        recipe.restart_interval = 37;
        put(jpeg_made(&recipe), "jpeg/scouts-restarts-%zu", i);
    }
}

/* More than what the decoders hold at once of the file, and of the rows. */
static void large_seeds(void)
{
    struct jpeg_recipe recipe = recipe_of(4, 200, 176);
    recipe.quality = 97;
    recipe.grain = 100;
    put(jpeg_made(&recipe), "jpeg/large");
    recipe.width = 300, recipe.height = 270;
    put(jpeg_made(&recipe), "jpeg/in-pieces");
    const struct png_maker noise = {
        .width = 120, .height = 120, .type = RGB, .depth = 8, .filter = MIXED, .split = 5000};
    put(png_maker_file(&noise), "png/large-noise");
    const struct png_maker runs = {.width = 300,
                                   .height = 250,
                                   .type = RGB_ALPHA,
                                   .depth = 8,
                                   .filter = MIXED,
                                   .has_runs = true};
    put(png_maker_file(&runs), "png/large-runs");
}

static void inflate_seeds(void)
{
    for (int i = 0; i < 40; i++) {
        const struct png_maker make = {.width = 1 + random_next() % (i % 8 ? 300 : 9000),
                                       .height = 3,
                                       .depth = 8,
                                       .level = 1 + i % 9,
                                       .strategy = i % 5,
                                       .stored = i % 10 == 9,
                                       .has_runs = i % 3 != 0};
        struct bytes rows = png_maker_rows(&make), stream = png_maker_deflate(rows, &make, -15);
        const uint8_t ways[2] = {(uint8_t)random_next(), (uint8_t)random_next()};
        put(bytes_inserted(stream, 0, ways, 2), "inflate/stream-%d", i);
        free(rows.data), free(stream.data);
    }
}

/* ---- The others ---------------------------------------------------------------------------- */

static void parser_seeds(void)
{
    struct sample photo = sample_photo(9, 8, 3, 8);
    for (int i = 1; i <= 8; i++) {
        put(exif_bytes(i, i & 1), "parsers/exif-%d", i);
        struct bytes profile = icc_gray(2);
        const struct jpeg_make make = {.orientation = i,
                                       .progressive = i & 1,
                                       .icc = i > 6 ? profile : (struct bytes){0},
                                       .comment = "words"};
        put(jpeg_bytes(&photo, &make), "parsers/jpeg-%d", i);
        free(profile.data);
    }
    put(png_bytes(&photo, &(struct png_make){.orientation = 3}), "parsers/png");
    put(bmp_bytes(&photo), "parsers/bmp");
    put(copied("RIFF\x20\0\0\0WEBPVP8 \x14\0\0\0", 20), "parsers/webp");
    put(copied("\0\0\0\x1c"
               "ftypmif1\0\0\0\0mif1avifmiafheic",
               28),
        "parsers/heif");
    put(copied("\0\0\0\x0cJXL \r\n\x87\n", 12), "parsers/jxl");
    put(copied("GIF89a\1\0\1\0", 10), "parsers/gif");
    put(copied("%PDF-1.4\n", 9), "parsers/pdf");
    put(copied("<!DOCTYPE html><html>", 21), "parsers/html");
    put(copied("some words\n", 11), "parsers/text");
    sample_free(&photo);
}

/* ---- Thumbnails with a note ---------------------------------------------------------------- */

static void note_seeds(void)
{
    static const size_t lengths[] = {0, 1, 90, IMG_NOTE_MAX_BYTES};
    struct sample photo = sample_photo(12, 9, 3, 8);
    struct bytes file = png_bytes(&photo, &(struct png_make){0});
    struct img_context *context = NULL;
    char note[IMG_NOTE_MAX_BYTES];
    memset(note, 'n', sizeof(note));
    must(img_context_create(&context) == 0, "context");
    for (size_t i = 0; i < 8; i++) {
        struct img_options options = IMG_OPTIONS_INIT;
        struct img_thumbnail made;
        options.format = i % 2 ? IMG_FORMAT_PNG : IMG_FORMAT_JPEG;
        options.note = note;
        options.note_bytes = lengths[i / 2];
        must(img_thumbnail(context, file.data, file.size, &options, &made, NULL) == 0, "note");
        put(copied(made.data, made.size_bytes), "note/%s-%zu", img_format_name(options.format),
            options.note_bytes);
    }
    img_context_free(context);
    free(file.data);
    sample_free(&photo);
}

static void ledger_seeds(void)
{
    static const char *const paths[] = {"/a", "/photos/one two.jpg", "/back\\slash", "/\n\t\x01",
                                        "/\xc3\xa4\xff"};
    struct text text = TEXT_INIT;
    text_puts(&text, LEDGER_HEADER);
    for (size_t i = 0; i < 10; i++) {
        const struct ledger_record record = {.mtime_ns = i % 2 ? -(int64_t)i : INT64_MAX,
                                             .size_bytes = i * 12345,
                                             .run = i % 3,
                                             .deaths = (unsigned)i % 4,
                                             .slug = "damaged"};
        struct text line = TEXT_INIT;
        ledger_line_write(&line, &record, paths[i % 5], strlen(paths[i % 5]));
        text_add(&text, line.data, line.length);
        put(copied(line.data, line.length), "ledger/line-%zu", i);
        text_done(&line);
    }
    put(copied(text.data, text.length), "ledger/file");
    put(copied(LEDGER_HEADER "1\t2\t0\t-\t0\t/x", strlen(LEDGER_HEADER) + 12), "ledger/half");
    text_done(&text);
}

/* Operation, object, width of a number, the number, three strings behind their lengths. */
/* clang-format off */
static const uint8_t commands[] = {
    8, /* what fuzz_wire.c does with the rest */
    MANAGER_OPEN_DICT, 0, 0, 1, 'd', 0, 0,
    MANAGER_OPEN_LIST, 0, 0, 1, 'l', 0, 0,
    MANAGER_DICT_SET, 0, 0, 1, 'k', 0, 3, 'o', 'n', 'e',
    MANAGER_DICT_ADD, 0, 1, 5, 1, 'n', 0, 0,
    MANAGER_DICT_GET, 0, 0, 1, 'k', 0, 0,
    MANAGER_DICT_REPLACE, 0, 0, 1, 'k', 3, 'o', 'n', 'e', 3, 't', 'w', 'o',
    MANAGER_ITEMS, 0, 0, 0, 0, 0,
    MANAGER_DICT_POP, 0, 0, 1, 'k', 0, 0,
    MANAGER_LIST_INSERT, 1, 0, 0, 0, 2, 'a', 'b',
    MANAGER_LIST_EXTEND, 1, 1, 1, 0, 0, 10, 2, 0, 0, 0, 0, 0, 0, 0, 'y', 'z',
    MANAGER_LIST_GET, 1, 0x82, 0, 1, 0, 0, 0,
    MANAGER_LIST_SET, 1, 0, 0, 0, 1, 'c',
    MANAGER_ITEMS, 1, 0, 0, 0, 0,
    MANAGER_LIST_POP, 1, 0, 0, 0, 0,
    MANAGER_SIZE, 1, 0, 0, 0, 0,
    MANAGER_CLEAR, 1, 0, 0, 0, 0};
/* clang-format on */

/* The first byte says what the rest is; fuzz_wire.c. */
static void wire_seeds(void)
{
    struct {
        uint8_t ways;
        uint8_t bytes[200];
    } seed = {.ways = 0};
    const struct wire_result value = {.type = WIRE_RESULT, .number = 7, .value_bytes = 40};
    memcpy(seed.bytes, &value, sizeof(value));
    put(copied(&seed, 1 + sizeof(value) + 40), "wire/value");
    const struct wire_result words = {.type = WIRE_RESULT,
                                      .code = -EREMOTEIO,
                                      .task_code = -EIO,
                                      .message_bytes = 20,
                                      .where_bytes = 10};
    memcpy(seed.bytes, &words, sizeof(words));
    memset(seed.bytes + sizeof(words), 'w', 30);
    put(copied(&seed, 1 + sizeof(words) + 30), "wire/words");
    const struct wire_result large = {.type = WIRE_RESULT, .in_memfd = 1, .value_bytes = 100};
    memcpy(seed.bytes, &large, sizeof(large));
    for (seed.ways = 1; seed.ways < 8; seed.ways += 2)
        put(copied(&seed, 1 + sizeof(large)), "wire/large-%d", seed.ways);
    const struct wire_task task = {.type = WIRE_TASK, .number = 3, .payload_bytes = 50};
    seed.ways = 16;
    memcpy(seed.bytes, &task, sizeof(task));
    put(copied(&seed, 1 + sizeof(task) + 50), "wire/task");
    const struct wire_control bell = {.type = WIRE_BELL};
    memcpy(seed.bytes, &bell, sizeof(bell));
    put(copied(&seed, 1 + sizeof(bell)), "wire/bell");
    put(copied(commands, sizeof(commands)), "wire/commands");
}

int main(int argc, char **argv)
{
    static const char *const folders[] = {"",        "jpeg", "png",    "inflate",
                                          "parsers", "note", "ledger", "wire"};
    if (argc != 2) {
        fprintf(stderr, "usage: make_seeds FOLDER\n");
        return 2;
    }
    root = argv[1];
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
        folder(folders[i]);
    baseline_seeds();
    progressive_seeds();
    metadata_seeds();
    png_seeds();
    scouts_seeds();
    large_seeds();
    inflate_seeds();
    parser_seeds();
    note_seeds();
    ledger_seeds();
    wire_seeds();
    return 0;
}
