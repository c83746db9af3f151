#include "app/lanes_priv.h"

#include <stdlib.h>
#include <string.h>

#include "album.h"
#include "files.h"
#include "isolate.h"
#include "pictures.h"
#include "program.h"

static struct options options_for(enum pool_backend backend)
{
    return (struct options){.box_width_px = 64,
                            .box_height_px = 64,
                            .quality = 80,
                            .jobs = 2,
                            .backend = backend,
                            .memory_bytes = (uint64_t)1 << 30};
}

static void formats_have_their_lanes(void **state)
{
    (void)state;
    for (enum pool_backend backend = POOL_BACKEND_PROCESS; backend <= POOL_BACKEND_SERIAL;
         backend++) {
        const struct options options = options_for(backend);
        const enum lane rest = backend == POOL_BACKEND_PROCESS ? LANE_WIDE : LANE_NARROW;
        struct lanes *lanes = NULL;
        assert_int_equal(lanes_create(&options, &lanes), 0);
        assert_int_equal(lanes_of(lanes, IMG_FORMAT_JPEG), LANE_NARROW);
        assert_int_equal(lanes_of(lanes, IMG_FORMAT_PNG), LANE_NARROW);
        /* What is no picture is refused without libvips. */
        assert_int_equal(lanes_of(lanes, IMG_FORMAT_UNKNOWN), LANE_NARROW);
        for (enum img_format format = IMG_FORMAT_WEBP; format < IMG_FORMAT_COUNT; format++)
            assert_int_equal(lanes_of(lanes, format), rest);
        assert_int_equal(lanes_workers(lanes), backend == POOL_BACKEND_SERIAL ? 1 : 2);
        assert_int_equal(lanes_window(lanes), backend == POOL_BACKEND_SERIAL ? 1 : 8);
        assert_true(lanes_end(lanes) == -1); /* nobody was ever started */
        lanes_free(lanes);
    }
}

static void jobs_wait_in_order_up_to_a_number(void **state)
{
    (void)state;
    const struct options options = options_for(POOL_BACKEND_PROCESS);
    struct lanes *lanes = NULL;
    static struct job jobs[100];
    unsigned count = 0;
    assert_int_equal(lanes_create(&options, &lanes), 0);
    for (unsigned round = 0; round < 2; round++) {
        for (count = 0; count < 100 && !lanes_is_full(lanes, LANE_WIDE); count++)
            lanes_wait(lanes, LANE_WIDE, &jobs[count]);
        assert_true(count > 1 && count < 100);
        assert_int_equal(lanes_waiting(lanes, LANE_WIDE), count);
        assert_int_equal(lanes_waiting(lanes, LANE_NARROW), 0);
        assert_null(lanes_next(lanes, LANE_NARROW));
        for (unsigned i = 0; i < count; i++)
            assert_ptr_equal(lanes_next(lanes, LANE_WIDE), &jobs[i]);
        assert_null(lanes_next(lanes, LANE_WIDE));
    }
    lanes_free(lanes);
}

/* ---- The program --------------------------------------------------------------------------- */

static void make_gif(const char *path)
{
    static const char gif[] = "GIF89a\x02\0\x02\0\x80\0\0\xff\0\0\0\0\xff,\0\0\0\0\x02\0\x02\0\0"
                              "\x02\x02\x0c\x0a\0;";
    write_file(path, gif, sizeof(gif) - 1);
}

/* Names sort so that the kinds alternate, in runs longer and shorter than what may wait. */
static unsigned make_mixture(unsigned count)
{
    unsigned gifs = 0;
    make_folder(scratch("in"));
    for (unsigned i = 0; i < count; i++) {
        const bool gif = i < 100 ? i % 2 : i / 70 % 2;
        gifs += gif;
        if (gif)
            make_gif(scratch("in/%04u.gif", i));
        else
            make_jpeg(scratch("in/%04u.jpg", i), 60, 40, i);
    }
    return gifs;
}

static void kinds_never_share_a_worker(void **state)
{
    (void)state;
    const unsigned count = 400, gifs = make_mixture(count);
    struct program_result result = program_run("in", "--json", "-j2", NULL);
    expect_exit(&result, 0);
    assert_true(summary_of(&result, "made") == count);
    size_t event_count;
    struct json_value **events = program_events(&result, &event_count);
    double narrow[16] = {0}, wide[16] = {0};
    unsigned narrow_count = 0, wide_count = 0, by_vips = 0;
    for (size_t i = 0; i < event_count; i++) {
        const char *decoder = string_of(events[i], "decoder");
        if (!decoder[0])
            continue;
        const bool vips = strcmp(decoder, "libvips") == 0;
        double *pids = vips ? wide : narrow;
        unsigned *pid_count = vips ? &wide_count : &narrow_count;
        const double pid = json_get(events[i], "pid")->number;
        unsigned at = 0;
        while (at < *pid_count && pids[at] != pid)
            at++;
        if (at == *pid_count && at < 16)
            pids[(*pid_count)++] = pid;
        by_vips += vips;
    }
    assert_int_equal(by_vips, gifs);
    assert_true(narrow_count >= 1 && narrow_count <= 2 && wide_count >= 1 && wide_count <= 2);
    for (unsigned n = 0; n < narrow_count; n++)
        for (unsigned w = 0; w < wide_count; w++)
            assert_true(narrow[n] != wide[w]);
}

static void turns_need_few_descriptors(void **state)
{
    (void)state;
    make_mixture(300);
    const struct program_setup setup = {.open_limit = 64};
    struct program_result result = program_run_with(&setup, "in", "--json", "-j2", NULL);
    expect_exit(&result, 0);
    assert_true(summary_of(&result, "made") == 300);
}

static void the_same_comes_out_in_one_lane(void **state)
{
    (void)state;
    make_mixture(300);
    struct program_result result = program_run("in", "-o", "a", "-j3", NULL);
    expect_exit(&result, 0);
    result = program_run("in", "-o", "b", "--backend", "serial", NULL);
    expect_exit(&result, 0);
    assert_int_equal(tree_contents_hash(scratch("a")), tree_contents_hash(scratch("b")));
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(formats_have_their_lanes),       TEST(jobs_wait_in_order_up_to_a_number),
        TEST(kinds_never_share_a_worker),     TEST(turns_need_few_descriptors),
        TEST(the_same_comes_out_in_one_lane),
    };
    return test_run("app lanes", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
