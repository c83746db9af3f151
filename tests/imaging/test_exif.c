#include <stdlib.h>
#include <string.h>

#include <imaging/exif_priv.h>

#include "isolate.h"
#include "samples.h"

static void all_eight_orientations_are_read_in_both_byte_orders(void **state)
{
    (void)state;
    for (int orientation = 1; orientation <= 8; orientation++)
        for (int big = 0; big <= 1; big++) {
            struct bytes exif = exif_bytes(orientation, big);
            assert_int_equal(img_exif_orientation(exif.data, exif.size), orientation);
            free(exif.data);
        }
}

static void values_that_are_no_orientation_count_as_upright(void **state)
{
    (void)state;
    static const int values[] = {0, 9, 17, 255};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct bytes exif = exif_bytes(values[i], true);
        assert_int_equal(img_exif_orientation(exif.data, exif.size), 1);
        free(exif.data);
    }
}

static void the_entry_is_found_behind_others_and_at_an_offset(void **state)
{
    (void)state;
    uint8_t tiff[200] = "II*\0\x40";
    tiff[0x40] = 3;
    for (unsigned i = 0; i < 3; i++) {
        uint8_t *entry = tiff + 0x42 + i * 12;
        entry[0] = i == 2 ? 0x12 : (uint8_t)i;
        entry[1] = 0x01;
        entry[2] = 3;
        entry[4] = 1;
        entry[8] = i == 2 ? 6 : 3;
    }
    assert_int_equal(img_exif_orientation(tiff, sizeof(tiff)), 6);
}

static void other_integer_types_are_understood(void **state)
{
    (void)state;
    struct bytes byte_sized = exif_bytes(0, true);
    byte_sized.data[13] = 1; /* BYTE: the value is the first of the four */
    byte_sized.data[18] = 8;
    assert_int_equal(img_exif_orientation(byte_sized.data, byte_sized.size), 8);
    byte_sized.data[13] = 4; /* LONG */
    byte_sized.data[18] = 0;
    byte_sized.data[21] = 5;
    assert_int_equal(img_exif_orientation(byte_sized.data, byte_sized.size), 5);
    byte_sized.data[13] = 2; /* text */
    assert_int_equal(img_exif_orientation(byte_sized.data, byte_sized.size), 1);
    free(byte_sized.data);
}

static void every_cut_counts_as_upright_and_stays_within_its_bytes(void **state)
{
    (void)state;
    struct bytes exif = exif_bytes(6, false);
    for (size_t size = 0; size < 22; size++) { /* the entry ends at 22 */
        uint8_t *exact = malloc(size + 1);
        memcpy(exact, exif.data, size);
        assert_int_equal(img_exif_orientation(exact, size), 1);
        free(exact);
    }
    free(exif.data);
}

static void wild_offsets_and_counts_stay_within_the_block(void **state)
{
    (void)state;
    uint32_t random = 1;
    for (int round = 0; round < 20000; round++) {
        struct bytes exif = exif_bytes(6, round & 1);
        for (int i = 0; i < 3; i++) {
            random = random * 1664525 + 1013904223;
            exif.data[4 + (random >> 8) % (exif.size - 4)] = (uint8_t)(random >> 20);
        }
        const int orientation = img_exif_orientation(exif.data, exif.size);
        assert_true(orientation >= 1 && orientation <= 8);
        free(exif.data);
    }
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(all_eight_orientations_are_read_in_both_byte_orders),
        TEST(values_that_are_no_orientation_count_as_upright),
        TEST(the_entry_is_found_behind_others_and_at_an_offset),
        TEST(other_integer_types_are_understood),
        TEST(every_cut_counts_as_upright_and_stays_within_its_bytes),
        TEST(wild_offsets_and_counts_stay_within_the_block),
    };
    return test_run("exif", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
