#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <imaging/encode_priv.h>
#include <imaging/note_priv.h>

#include "isolate.h"
#include "samples.h"
#include "thumbs.h"

static const char usual[] = "thumbpool/1 mtime=1700000000.123456789 size=123456";

static void note_set(struct img_options *options, const char *note)
{
    options->note = note;
    options->note_bytes = strlen(note);
}

/* A note of this length, of all the characters that there may be. */
static char *long_note(size_t length)
{
    char *note = malloc(length + 1);
    for (size_t i = 0; i < length; i++)
        note[i] = (char)(' ' + i % ('~' - ' ' + 1));
    note[length] = '\0';
    return note;
}

/* In memory of just its size, so that a sanitizer sees reads past the end. */
static int found_in(const uint8_t *data, size_t size, char *text)
{
    uint8_t *exact = malloc(size ? size : 1);
    const char *note = NULL;
    memcpy(exact, data, size);
    int r = img_note_find(exact, size, &note);
    if (r > 0) {
        memcpy(text, note, (size_t)r);
        text[r] = '\0';
    } else {
        assert_null(note);
    }
    free(exact);
    return r;
}

static void check_found(const uint8_t *data, size_t size, const char *expected)
{
    char text[IMG_NOTE_MAX_BYTES + 1];
    const size_t first = size < IMG_NOTE_PROBE_BYTES ? size : IMG_NOTE_PROBE_BYTES;
    if (expected[0] == '\0') {
        assert_int_equal(found_in(data, first, text), -ENOMSG);
        return;
    }
    assert_int_equal(found_in(data, first, text), strlen(expected));
    assert_string_equal(text, expected);
    struct sample sample = sample_decode(data, size); /* it is still a picture */
    sample_free(&sample);
}

/* The thumbnail of a file, in memory of its own. */
static struct bytes made(struct bytes file, const struct img_options *options)
{
    struct img_context *context = NULL;
    struct img_thumbnail thumbnail;
    assert_int_equal(img_context_create(&context), 0);
    assert_int_equal(img_thumbnail(context, file.data, file.size, options, &thumbnail, NULL), 0);
    struct bytes copy = {malloc(thumbnail.size_bytes), thumbnail.size_bytes};
    memcpy(copy.data, thumbnail.data, copy.size);
    img_context_free(context);
    return copy;
}

static void every_kind_of_thumbnail_keeps_its_note(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 2, 100, IMG_NOTE_MAX_BYTES};
    for (unsigned channels = 1; channels <= 4; channels++) {
        struct sample sample = sample_photo(200, 150, channels, 8);
        struct bytes files[2] = {png_bytes(&sample, &(struct png_make){0}), {NULL, 0}};
        if (channels % 2 == 1) /* the one of colours stays in planes */
            files[1] = jpeg_bytes(&sample, &(struct jpeg_make){.luma_h = 2, .luma_v = 2});
        for (size_t i = 0; i < 2 && files[i].data; i++)
            for (size_t n = 0; n < sizeof(lengths) / sizeof(lengths[0]); n++)
                for (int format = IMG_FORMAT_UNKNOWN; format <= IMG_FORMAT_PNG; format++) {
                    struct img_options options = thumb_options(64);
                    options.format = (enum img_format)format;
                    char *note = long_note(lengths[n]);
                    note_set(&options, note);
                    struct bytes thumb = made(files[i], &options);
                    check_found(thumb.data, thumb.size, note);
                    const enum img_format is = img_format_probe(thumb.data, thumb.size);
                    const uint8_t *end = thumb.data + thumb.size - IMG_END_BYTES;
                    assert_true(img_end_is_there(end, is));
                    assert_false(img_end_is_there(end - 1, is));
                    free(thumb.data);
                    free(note);
                }
        free(files[0].data), free(files[1].data);
        sample_free(&sample);
    }
}

static void a_png_too_large_for_one_go_keeps_its_note(void **state)
{
    (void)state;
    struct img_picture picture = {calloc(3000, 3000), 3000, 3000, IMG_LAYOUT_GRAY};
    struct img_options options = IMG_OPTIONS_INIT;
    struct img_buffer output = {0};
    struct img_error error = {0};
    size_t size = 0;
    assert_non_null(picture.pixels);
    note_set(&options, usual);
    assert_int_equal(img_encode_png(&picture, &options, &output, &size, &error), 0);
    check_found(output.data, size, usual);
    img_buffer_done(&output);
    free(picture.pixels);
}

static void a_note_changes_nothing_else(void **state)
{
    (void)state;
    struct sample sample = sample_photo(90, 70, 3, 8);
    struct bytes file = png_bytes(&sample, &(struct png_make){0});
    for (int png = 0; png <= 1; png++) {
        struct img_options options = thumb_options(40);
        options.format = png ? IMG_FORMAT_PNG : IMG_FORMAT_JPEG;
        struct bytes without = made(file, &options);
        note_set(&options, usual);
        struct bytes with = made(file, &options);
        const size_t head = png ? 33 : 20;
        const size_t more = strlen(usual) + (png ? 12 + strlen("Thumbpool") + 1 : 4);
        assert_int_equal(with.size, without.size + more);
        assert_memory_equal(with.data, without.data, head);
        assert_memory_equal(with.data + head + more, without.data + head, without.size - head);
        free(without.data), free(with.data);
    }
    free(file.data);
    sample_free(&sample);
}

static void notes_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    char *longest = long_note(IMG_NOTE_MAX_BYTES + 1);
    const struct {
        const char *note;
        size_t bytes;
    } rows[] = {
        {NULL, 1},       {longest, IMG_NOTE_MAX_BYTES + 1},
        {"a\nb", 3},     {"a\0b", 3},
        {"\x7f", 1},     {"caf\xc3\xa9", 5},
        {"\x1b[31m", 5}, {"\t", 1},
        {"x", SIZE_MAX},
    };
    struct sample sample = sample_photo(20, 20, 3, 8);
    struct bytes file = png_bytes(&sample, &(struct png_make){0});
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct img_options options = thumb_options(10);
        struct img_error error;
        options.note = rows[i].note;
        options.note_bytes = rows[i].bytes;
        assert_int_equal(thumb_result(file, &options, &error), -EINVAL);
        assert_non_null(strstr(error.message, "note"));
    }
    struct img_options options = thumb_options(10);
    options.note = "ignored";
    assert_int_equal(thumb_result(file, &options, NULL), 0);
    free(file.data), free(longest);
    sample_free(&sample);
}

/* A thumbnail with the usual note, of either format, and where its note ends. */
static struct bytes usual_made(bool png, size_t *ret_note_at)
{
    struct sample sample = sample_photo(60, 50, 3, 8);
    struct bytes file = png_bytes(&sample, &(struct png_make){0});
    struct img_options options = thumb_options(40);
    options.format = png ? IMG_FORMAT_PNG : IMG_FORMAT_JPEG;
    note_set(&options, usual);
    struct bytes thumb = made(file, &options);
    const uint8_t *at = memmem(thumb.data, thumb.size, usual, strlen(usual));
    assert_non_null(at);
    *ret_note_at = (size_t)(at - thumb.data);
    free(file.data);
    sample_free(&sample);
    return thumb;
}

static void a_thumbnail_that_is_cut_before_its_notes_end_has_none(void **state)
{
    (void)state;
    char text[IMG_NOTE_MAX_BYTES + 1];
    for (int png = 0; png <= 1; png++) {
        size_t at;
        struct bytes thumb = usual_made(png, &at);
        const size_t end = at + strlen(usual) + (png ? 4 : 1); /* a checksum, or what follows */
        for (size_t size = 0; size < thumb.size && size < end + 40; size++)
            if ((found_in(thumb.data, size, text) > 0) != (size >= end))
                fail_msg("png %d: cut to %zu", png, size);
        free(thumb.data);
    }
}

/* Of a PNG no bit may differ up to the end of the chunk; of a JPEG what tells where the note is. */
static void a_changed_bit_hides_the_note_or_is_in_it(void **state)
{
    (void)state;
    char text[IMG_NOTE_MAX_BYTES + 1];
    for (int png = 0; png <= 1; png++) {
        size_t at;
        struct bytes thumb = usual_made(png, &at);
        const size_t end = at + strlen(usual) + (png ? 4 : 1);
        for (size_t i = 0; i < end; i++)
            for (unsigned bit = 0; bit < 8; bit++) {
                thumb.data[i] ^= (uint8_t)(1u << bit);
                const int r = found_in(thumb.data, thumb.size, text);
                const bool in_jfif = !png && i >= 11 && i < 20;
                const bool in_note = !png && i >= at && i < at + strlen(usual);
                if (r < 0 ? in_jfif : !in_jfif && !in_note)
                    fail_msg("png %d: bit %u of byte %zu gives %d", png, bit, i, r);
                if (r > 0 && in_jfif)
                    assert_string_equal(text, usual);
                for (int c = 0; c < r; c++)
                    assert_in_range(text[c], ' ', '~');
                thumb.data[i] ^= (uint8_t)(1u << bit);
            }
        free(thumb.data);
    }
}

static void only_the_usual_place_is_looked_at(void **state)
{
    (void)state;
    char text[IMG_NOTE_MAX_BYTES + 1];
    struct sample sample = sample_photo(40, 30, 3, 8);
    /* EXIF before the comment, and a comment that is no printable text */
    const struct jpeg_make rows[] = {{.comment = "a remark", .orientation = 6},
                                     {.comment = "caf\xc3\xa9"},
                                     {.comment = ""},
                                     {0}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bytes file = jpeg_bytes(&sample, &rows[i]);
        assert_int_equal(found_in(file.data, file.size, text), -ENOMSG);
        free(file.data);
    }
    struct bytes png = png_bytes(&sample, &(struct png_make){.orientation = 3});
    assert_int_equal(found_in(png.data, png.size, text), -ENOMSG);
    assert_int_equal(found_in((const uint8_t *)"", 0, text), -ENOMSG);
    free(png.data);
    sample_free(&sample);
}

static void a_sources_note_is_not_carried_over(void **state)
{
    (void)state;
    char text[IMG_NOTE_MAX_BYTES + 1];
    for (int png = 0; png <= 1; png++) {
        size_t at;
        struct bytes thumb = usual_made(png, &at);
        struct img_options options = thumb_options(20);
        options.format = IMG_FORMAT_UNKNOWN;
        struct bytes again = made(thumb, &options);
        assert_int_equal(found_in(again.data, again.size, text), -ENOMSG);
        assert_false(bytes_contain(again.data, again.size, "thumbpool/1", 11));
        free(thumb.data), free(again.data);
    }
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(every_kind_of_thumbnail_keeps_its_note),
        TEST(a_png_too_large_for_one_go_keeps_its_note),
        TEST(a_note_changes_nothing_else),
        TEST(notes_that_make_no_sense_are_refused),
        TEST(a_thumbnail_that_is_cut_before_its_notes_end_has_none),
        TEST(a_changed_bit_hides_the_note_or_is_in_it),
        TEST(only_the_usual_place_is_looked_at),
        TEST(a_sources_note_is_not_carried_over),
    };
    return test_run("note", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
