#include <stdlib.h>
#include <string.h>

#include <imaging/jpeg_segments_priv.h>

#include "isolate.h"
#include "samples.h"

/* A JPEG's start, written piece by piece. */
struct writer {
    uint8_t data[4096];
    size_t size;
};

static void put(struct writer *writer, const void *data, size_t size)
{
    memcpy(writer->data + writer->size, data, size);
    writer->size += size;
}

static void put_segment(struct writer *writer, uint8_t marker, const void *data, size_t size)
{
    const uint8_t head[4] = {0xff, marker, (uint8_t)((size + 2) >> 8), (uint8_t)(size + 2)};
    put(writer, head, 4);
    put(writer, data, size);
}

static void put_icc(struct writer *writer, uint8_t number, uint8_t count, char content)
{
    uint8_t part[14 + 10] = "ICC_PROFILE";
    part[12] = number;
    part[13] = count;
    memset(part + 14, content, 10);
    put_segment(writer, 0xe2, part, sizeof(part));
}

static struct img_jpeg_segments found(const struct writer *writer)
{
    uint8_t *exact = malloc(writer->size); /* not freed before the caller is done: see below */
    memcpy(exact, writer->data, writer->size);
    struct img_jpeg_segments segments;
    img_jpeg_segments_find(exact, writer->size, &segments);
    free(exact);
    return segments; /* its counts, not its bytes */
}

static void parts_of_a_profile_are_joined_in_their_order(void **state)
{
    (void)state;
    struct writer writer = {{0}, 0};
    put(&writer, "\xff\xd8", 2);
    put_icc(&writer, 2, 3, 'b');
    put_icc(&writer, 3, 3, 'c');
    put_icc(&writer, 1, 3, 'a');
    put_segment(&writer, 0xda, "", 0);
    struct img_jpeg_segments segments;
    img_jpeg_segments_find(writer.data, writer.size, &segments);
    assert_int_equal(segments.icc_count, 3);
    assert_int_equal(segments.icc_bytes, 30);
    uint8_t joined[30];
    img_jpeg_icc_join(&segments, joined);
    assert_memory_equal(joined, "aaaaaaaaaabbbbbbbbbbcccccccccc", 30);
}

static void profiles_whose_parts_do_not_fit_are_left_out(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        uint8_t parts[3][2]; /* number, count */
    } rows[] = {
        {"one is missing", {{1, 3}, {3, 3}}},
        {"one comes twice", {{1, 2}, {2, 2}, {2, 2}}},
        {"they disagree about the count", {{1, 2}, {2, 3}}},
        {"number zero", {{0, 1}}},
        {"number beyond the count", {{2, 1}}},
        {"count zero", {{1, 0}}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct writer writer = {{0}, 0};
        put(&writer, "\xff\xd8", 2);
        for (int part = 0; part < 3; part++)
            if (part == 0 || rows[i].parts[part][0])
                put_icc(&writer, rows[i].parts[part][0], rows[i].parts[part][1], 'x');
        put_segment(&writer, 0xda, "", 0);
        if (found(&writer).icc_count != 0)
            fail_msg("%s", rows[i].label);
    }
}

static void the_first_exif_segment_counts_and_xmp_does_not(void **state)
{
    (void)state;
    struct writer writer = {{0}, 0};
    put(&writer, "\xff\xd8", 2);
    put_segment(&writer, 0xe1, "http://ns.adobe.com/xap/1.0/", 29);
    put_segment(&writer, 0xe1, "Exif\0\0first", 11);
    put_segment(&writer, 0xe1, "Exif\0\0second", 12);
    put_segment(&writer, 0xda, "", 0);
    struct img_jpeg_segments segments;
    img_jpeg_segments_find(writer.data, writer.size, &segments);
    assert_int_equal(segments.exif.size_bytes, 5);
    assert_memory_equal(segments.exif.data, "first", 5);
}

static void nothing_behind_the_first_scan_is_looked_at(void **state)
{
    (void)state;
    struct writer writer = {{0}, 0};
    put(&writer, "\xff\xd8", 2);
    put_segment(&writer, 0xda, "", 0);
    put_segment(&writer, 0xe1, "Exif\0\0late", 10);
    assert_null(found(&writer).exif.data);
}

static void every_cut_is_walked_within_its_bytes(void **state)
{
    (void)state;
    struct writer writer = {{0}, 0};
    put(&writer, "\xff\xd8\xff\xff\xff", 5);
    put_segment(&writer, 0xe1, "Exif\0\0x", 7);
    put_icc(&writer, 1, 1, 'x');
    put(&writer, "\0\0junk", 6);
    put_segment(&writer, 0xdb, "quantisers", 10);
    put_segment(&writer, 0xda, "", 0);
    while (writer.size > 1) {
        writer.size--;
        found(&writer);
    }
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(parts_of_a_profile_are_joined_in_their_order),
        TEST(profiles_whose_parts_do_not_fit_are_left_out),
        TEST(the_first_exif_segment_counts_and_xmp_does_not),
        TEST(nothing_behind_the_first_scan_is_looked_at),
        TEST(every_cut_is_walked_within_its_bytes),
    };
    return test_run("jpeg_segments", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
