#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "isolate.h"
#include "surgery.h"
#include "thumbs.h"

/* ---- Pixels ---- */

static const struct {
    const char *label;
    struct jpeg_make make;
    unsigned channels;
    uint32_t width, height;
} kinds[] = {
    {"4:4:4", {.luma_h = 1, .luma_v = 1}, 3, 640, 480},
    {"4:2:2", {.luma_h = 2, .luma_v = 1}, 3, 640, 480},
    {"4:2:0", {.luma_h = 2, .luma_v = 2}, 3, 640, 480},
    {"4:4:0", {.luma_h = 1, .luma_v = 2}, 3, 640, 480},
    {"4:2:0 with odd sides", {.luma_h = 2, .luma_v = 2}, 3, 637, 491},
    {"4:2:0 with a lonely last column", {.luma_h = 2, .luma_v = 2}, 3, 513, 385},
    {"progressive", {.luma_h = 2, .luma_v = 2, .progressive = true}, 3, 640, 480},
    {"progressive with odd sides", {.progressive = true}, 3, 531, 477},
    {"restart markers", {.luma_h = 2, .luma_v = 2, .restart_rows = 1}, 3, 640, 480},
    {"a scan for each component", {.luma_h = 2, .separate_scans = true}, 3, 640, 480},
    {"gray", {.luma_h = 1}, 1, 640, 480},
    {"progressive gray", {.progressive = true}, 1, 601, 403},
};

static void a_scaled_decode_is_close_to_the_full_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct sample source = sample_photo(kinds[i].width, kinds[i].height, kinds[i].channels, 8);
        struct bytes jpeg = jpeg_bytes(&source, &kinds[i].make);
        struct sample full = sample_decode(jpeg.data, jpeg.size);
        struct bytes png = png_bytes(&full, &(struct png_make){0});
        for (uint32_t box = 24; box <= 400; box += 47) {
            const struct img_options options = thumb_options(box);
            struct sample scaled = thumb_of(jpeg, &options), exact = thumb_of(png, &options);
            const double psnr = sample_psnr(&scaled, &exact);
            if (psnr < 38)
                fail_msg("%s to %u: %.1f dB", kinds[i].label, box, psnr);
            sample_free(&scaled), sample_free(&exact);
        }
        sample_free(&source), sample_free(&full);
        free(jpeg.data), free(png.data);
    }
}

static void every_scale_keeps_the_centre_in_its_place(void **state)
{
    (void)state;
    struct sample source = sample_new(803, 803, 1, 8); /* a disc in the middle */
    for (int y = 0; y < 803; y++)
        for (int x = 0; x < 803; x++)
            *sample_at(&source, (uint32_t)x, (uint32_t)y) =
                (x - 401) * (x - 401) + (y - 401) * (y - 401) < 200 * 200 ? 230 : 20;
    struct bytes jpeg = jpeg_bytes(&source, &(struct jpeg_make){.quality = 95});
    for (uint32_t box = 20; box <= 803; box += 87) {
        const struct img_options options = thumb_options(box);
        struct sample thumb = thumb_of(jpeg, &options);
        double weight = 0, across = 0, down = 0;
        for (uint32_t y = 0; y < thumb.height; y++)
            for (uint32_t x = 0; x < thumb.width; x++) {
                const double value = *sample_at(&thumb, x, y) - 20.0;
                weight += value, across += value * (x + 0.5), down += value * (y + 0.5);
            }
        const double off_x = across / weight - thumb.width / 2.0;
        const double off_y = down / weight - thumb.height / 2.0;
        if (off_x > 0.05 || off_x < -0.05 || off_y > 0.05 || off_y < -0.05)
            fail_msg("at %u the centre is off by %.3f, %.3f", box, off_x, off_y);
        sample_free(&thumb);
    }
    sample_free(&source), free(jpeg.data);
}

static void all_orientations_come_out_upright(void **state)
{
    (void)state;
    struct sample upright = sample_quarters(480, 320);
    for (int orientation = 1; orientation <= 8; orientation++)
        for (uint32_t box = 30; box <= 600; box += 190) {
            struct sample stored = sample_stored_as(&upright, orientation);
            struct bytes jpeg =
                jpeg_bytes(&stored, &(struct jpeg_make){.orientation = orientation, .luma_h = 2});
            const struct img_options options = thumb_options(box);
            struct sample thumb = thumb_of(jpeg, &options);
            assert_int_equal(thumb.width, box < 480 ? box : 480);
            assert_int_equal(thumb.height, box < 480 ? (box * 2 + 1) / 3 : 320);
            if (!quarters_are_upright(&thumb))
                fail_msg("orientation %d at %u", orientation, box);
            sample_free(&stored), sample_free(&thumb);
            free(jpeg.data);
        }
    sample_free(&upright);
}

static void inks_are_turned_into_light(void **state)
{
    (void)state;
    struct sample source = sample_new(64, 64, 4, 8);
    for (size_t i = 0; i < 64 * 64; i++)
        memcpy(source.samples + i * 4, (uint16_t[]){200, 50, 0, 30}, 4 * sizeof(uint16_t));
    struct bytes jpeg = jpeg_bytes(&source, &(struct jpeg_make){.quality = 100});
    const struct img_options options = thumb_options(16);
    struct sample thumb = thumb_of(jpeg, &options);
    assert_int_equal(thumb.channels, 3);
    const int expected[3] = {55 * 225 / 255, 205 * 225 / 255, 225};
    for (unsigned c = 0; c < 3; c++)
        assert_true(abs(thumb.samples[c] - expected[c]) <= 3);
    sample_free(&source), sample_free(&thumb);
    free(jpeg.data);
}

static void an_embedded_profile_is_converted(void **state)
{
    (void)state;
    struct sample source = sample_new(128, 96, 3, 8);
    for (size_t i = 0; i < 128 * 96; i++)
        source.samples[i * 3] = 250; /* red by its numbers, green by its profile */
    struct bytes icc = icc_swapped();
    struct bytes jpeg = jpeg_bytes(&source, &(struct jpeg_make){.icc = icc, .quality = 100});
    const struct img_options options = thumb_options(32);
    struct sample thumb = thumb_of(jpeg, &options);
    assert_true(thumb.samples[0] < 10 && thumb.samples[1] > 240 && thumb.samples[2] < 10);
    sample_free(&source), sample_free(&thumb);
    free(jpeg.data), free(icc.data);
}

/* ---- Damage ---- */

static void every_cut_is_noticed(void **state)
{
    (void)state;
    struct sample source = sample_photo(150, 110, 3, 8);
    for (int i = 0; i < 3; i++) {
        const struct jpeg_make make = {
            .quality = 60, .luma_h = 2, .luma_v = 2, .progressive = i == 1, .restart_rows = i == 2};
        struct bytes jpeg = jpeg_bytes(&source, &make);
        check_all_cuts_fail(jpeg, 1);
        free(jpeg.data);
    }
    sample_free(&source);
}

static void a_cut_with_an_end_marker_is_noticed(void **state)
{
    (void)state;
    struct sample source = sample_photo(300, 200, 3, 8);
    const struct img_options options = thumb_options(40);
    for (int restart = 0; restart <= 1; restart++) {
        struct bytes jpeg = jpeg_bytes(
            &source, &(struct jpeg_make){.quality = 60, .restart_rows = (unsigned)restart});
        const size_t scan = jpeg_marker_at(jpeg, 0xda) + 20;
        for (size_t cut = scan; cut + 40 < jpeg.size; cut += jpeg.size / 37) {
            memcpy(jpeg.data + cut, "\xff\xd9", 2); /* what stands behind is not looked at */
            assert_int_not_equal(thumb_result(jpeg, &options, NULL), 0);
            free(jpeg.data);
            jpeg = jpeg_bytes(
                &source, &(struct jpeg_make){.quality = 60, .restart_rows = (unsigned)restart});
        }
        free(jpeg.data);
    }
    sample_free(&source);
}

static void a_missing_colour_is_noticed(void **state)
{
    (void)state;
    struct sample source = sample_photo(120, 90, 3, 8);
    const struct img_options options = thumb_options(40);
    struct bytes jpeg = jpeg_bytes(&source, &(struct jpeg_make){.separate_scans = true});
    assert_int_equal(thumb_result(jpeg, &options, NULL), 0);
    size_t scan = jpeg_marker_at(jpeg, 0xda);
    for (int scans = 1; scans < 3; scans++) { /* end properly after one scan, then after two */
        scan = jpeg_scan_end(jpeg, scan);
        while (jpeg.data[scan + 1] != 0xda) /* the tables of the next scan */
            scan += 2 + ((size_t)jpeg.data[scan + 2] << 8 | jpeg.data[scan + 3]);
        uint8_t kept[2];
        memcpy(kept, jpeg.data + scan, 2);
        memcpy(jpeg.data + scan, "\xff\xd9", 2);
        assert_int_equal(thumb_result(jpeg, &options, NULL), -EBADMSG);
        memcpy(jpeg.data + scan, kept, 2);
    }
    free(jpeg.data);
    sample_free(&source);
}

static void flipped_bits_never_crash(void **state)
{
    (void)state;
    struct sample source = sample_photo(90, 70, 3, 8);
    const struct img_options options = thumb_options(30);
    uint32_t random = 5;
    for (int i = 0; i < 3; i++) {
        const struct jpeg_make make = {.quality = 50,
                                       .progressive = i == 1,
                                       .orientation = 6,
                                       .luma_h = 2,
                                       .luma_v = 2,
                                       .restart_rows = i == 2};
        struct bytes jpeg = jpeg_bytes(&source, &make);
        uint8_t *copy = malloc(jpeg.size);
        for (int round = 0; round < 1200; round++) {
            memcpy(copy, jpeg.data, jpeg.size);
            for (int flips = 0; flips <= round % 3; flips++) {
                random = random * 1664525 + 1013904223;
                copy[(random >> 4) % jpeg.size] ^= (uint8_t)(1 << (random >> 29));
            }
            int r = thumb_result((struct bytes){copy, jpeg.size}, &options, NULL);
            if (r != 0 && strcmp(img_error_name(r), "failed") == 0)
                fail_msg("round %d gave the undocumented code %d", round, r);
        }
        free(copy), free(jpeg.data);
    }
    sample_free(&source);
}

/* ---- Files as cameras write them ---- */

static void what_cameras_add_does_no_harm(void **state)
{
    (void)state;
    struct sample source = sample_quarters(200, 120);
    struct bytes jpeg = jpeg_bytes(&source, &(struct jpeg_make){.quality = 90});
    static const uint8_t fill[4] = {0xff, 0xff, 0xff, 0xff};
    uint8_t *zeros = calloc(1, 100000);
    struct bytes versions[4] = {
        bytes_inserted(jpeg, jpeg.size, zeros, 100000),                 /* padding behind the end */
        bytes_inserted(jpeg, jpeg.size, jpeg.data, jpeg.size),          /* another picture there */
        bytes_inserted(jpeg, jpeg_marker_at(jpeg, 0xdb), fill, 4),      /* fill bytes */
        bytes_inserted(jpeg, jpeg_marker_at(jpeg, 0xdb), zeros + 5, 3), /* bytes between segments */
    };
    for (size_t i = 0; i < 4; i++) {
        const struct img_options options = thumb_options(50);
        struct sample thumb = thumb_of(versions[i], &options);
        assert_true(quarters_are_upright(&thumb));
        sample_free(&thumb);
        free(versions[i].data);
    }
    free(zeros), free(jpeg.data);
    sample_free(&source);
}

static void variants_that_cannot_be_decoded_are_called_so(void **state)
{
    (void)state;
    struct sample source = sample_photo(40, 40, 3, 8), pair = sample_photo(40, 40, 2, 8);
    const struct img_options options = thumb_options(20);
    struct bytes jpeg = jpeg_bytes(&source, &(struct jpeg_make){0});
    const size_t frame = jpeg_marker_at(jpeg, 0xc0);
    jpeg.data[frame + 1] = 0xc3; /* lossless */
    assert_int_equal(thumb_result(jpeg, &options, NULL), -ENOTSUP);
    jpeg.data[frame + 1] = 0xc1;
    jpeg.data[frame + 4] = 12; /* bits a sample */
    assert_int_equal(thumb_result(jpeg, &options, NULL), -ENOTSUP);
    struct bytes two = jpeg_bytes(&pair, &(struct jpeg_make){0});
    assert_int_equal(thumb_result(two, &options, NULL), -ENOTSUP);
    free(jpeg.data), free(two.data);
    sample_free(&source), sample_free(&pair);
}

/* ---- Bombs ---- */

static void a_header_that_claims_too_much_is_refused_at_once(void **state)
{
    (void)state;
    struct sample source = sample_photo(64, 64, 3, 8);
    const struct img_options options = thumb_options(20);
    for (int progressive = 0; progressive <= 1; progressive++) {
        struct bytes jpeg =
            jpeg_bytes(&source, &(struct jpeg_make){.progressive = progressive != 0});
        const uint8_t marker = progressive ? 0xc2 : 0xc0;
        const long before = cpu_ms();
        jpeg_size_claim(jpeg, marker, 65500, 65500);
        assert_int_equal(thumb_result(jpeg, &options, NULL), -EFBIG);
        jpeg_size_claim(jpeg, marker, 20000, 20000); /* within the limit, but there is no data */
        assert_int_not_equal(thumb_result(jpeg, &options, NULL), 0);
        assert_true(cpu_ms() - before < 2000 * test_time_scale());
        free(jpeg.data);
    }
    sample_free(&source);
}

/* A progressive file whose first scan comes many times. */
static struct bytes scan_bomb(const struct sample *source, size_t times)
{
    struct bytes jpeg = jpeg_bytes(source, &(struct jpeg_make){.progressive = true});
    const size_t start = jpeg_marker_at(jpeg, 0xda), end = jpeg_scan_end(jpeg, start);
    struct bytes bomb = {malloc(jpeg.size + times * (end - start)), 0};
    memcpy(bomb.data, jpeg.data, start);
    bomb.size = start;
    for (size_t i = 0; i < times; i++, bomb.size += end - start)
        memcpy(bomb.data + bomb.size, jpeg.data + start, end - start);
    memcpy(bomb.data + bomb.size, jpeg.data + start, jpeg.size - start);
    bomb.size += jpeg.size - start;
    free(jpeg.data);
    return bomb;
}

static void too_many_scans_are_refused(void **state)
{
    (void)state;
    struct sample source = sample_photo(64, 64, 3, 8);
    struct img_options options = thumb_options(20);
    struct bytes few = scan_bomb(&source, 3), many = scan_bomb(&source, 600);
    assert_int_equal(thumb_result(few, &options, NULL), 0);
    assert_int_equal(thumb_result(many, &options, NULL), -EFBIG);
    options.scans_max = 1000;
    assert_int_equal(thumb_result(many, &options, NULL), 0);
    options.scans_max = 5;
    assert_int_equal(thumb_result(few, &options, NULL), -EFBIG);
    free(few.data), free(many.data);
    sample_free(&source);
}

static void large_pictures_may_have_fewer_scans(void **state)
{
    (void)state;
    struct sample source = sample_photo(100, 100, 3, 8);
    struct img_options options = thumb_options(20);
    struct bytes jpeg = scan_bomb(&source, 20);
    options.pixels_max = 10000; /* the picture is as large as may be: 16 scans */
    assert_int_equal(thumb_result(jpeg, &options, NULL), -EFBIG);
    options.pixels_max = 1000000;
    assert_int_equal(thumb_result(jpeg, &options, NULL), 0);
    free(jpeg.data);
    sample_free(&source);
}

static void a_million_bytes_of_tiny_segments_take_no_time(void **state)
{
    (void)state;
    struct sample source = sample_photo(64, 64, 3, 8);
    struct bytes jpeg = jpeg_bytes(&source, &(struct jpeg_make){0});
    uint8_t *segments = malloc(1000000);
    for (size_t i = 0; i < 1000000; i += 4)
        memcpy(segments + i, i % 8 ? "\xff\xe1\0\2" : "\xff\xe2\0\2", 4);
    struct bytes bomb = bytes_inserted(jpeg, 2, segments, 1000000);
    const struct img_options options = thumb_options(20);
    const long before = cpu_ms();
    assert_int_equal(thumb_result(bomb, &options, NULL), 0);
    assert_true(cpu_ms() - before < 1000 * test_time_scale());
    free(segments), free(bomb.data), free(jpeg.data);
    sample_free(&source);
}

/* ---- Cancelling ---- */

struct countdown {
    int asked;
    int yes_after;
};

static bool count_down(void *data)
{
    struct countdown *countdown = data;
    return ++countdown->asked > countdown->yes_after;
}

static void cancelling_works_at_every_question(void **state)
{
    (void)state;
    struct sample source = sample_photo(400, 300, 3, 8);
    for (int progressive = 0; progressive <= 1; progressive++) {
        struct bytes jpeg =
            jpeg_bytes(&source, &(struct jpeg_make){.progressive = progressive != 0});
        struct countdown countdown = {0, 1000000};
        struct img_options options = thumb_options(20);
        options.cancelled = count_down;
        options.cancel_data = &countdown;
        assert_int_equal(thumb_result(jpeg, &options, NULL), 0);
        const int questions = countdown.asked;
        assert_true(questions > 10);
        for (int after = 0; after < questions; after += 5) {
            countdown = (struct countdown){0, after};
            assert_int_equal(thumb_result(jpeg, &options, NULL), -ECANCELED);
            assert_int_equal(countdown.asked, after + 1);
        }
        free(jpeg.data);
    }
    sample_free(&source);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST_LONG(a_scaled_decode_is_close_to_the_full_one, 60000),
        TEST(every_scale_keeps_the_centre_in_its_place),
        TEST(all_orientations_come_out_upright),
        TEST(inks_are_turned_into_light),
        TEST(an_embedded_profile_is_converted),
        TEST_LONG(every_cut_is_noticed, 60000),
        TEST(a_cut_with_an_end_marker_is_noticed),
        TEST(a_missing_colour_is_noticed),
        TEST_LONG(flipped_bits_never_crash, 60000),
        TEST(what_cameras_add_does_no_harm),
        TEST(variants_that_cannot_be_decoded_are_called_so),
        TEST(a_header_that_claims_too_much_is_refused_at_once),
        TEST(too_many_scans_are_refused),
        TEST(large_pictures_may_have_fewer_scans),
        TEST(a_million_bytes_of_tiny_segments_take_no_time),
        TEST(cancelling_works_at_every_question),
    };
    return test_run("decode_jpeg", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
