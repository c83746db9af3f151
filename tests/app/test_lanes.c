#include "app/lanes_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "album.h"
#include "files.h"
#include "isolate.h"
#include "pictures.h"
#include "program.h"

/* What the kernel was asked to read since it was set to 0, of files of which it has in memory what
 * lies below in_memory. */
static struct {
    uint64_t bytes;
    off_t end;
    off_t in_memory;
} asked;

ssize_t __wrap_preadv2(int fd, const struct iovec *vectors, int count, off_t at, int flags);
ssize_t __wrap_preadv2(int fd, const struct iovec *vectors, int count, off_t at, int flags)
{
    (void)fd;
    assert_int_equal(flags, RWF_NOWAIT); /* the host never waits for a disk */
    assert_true(count == 1 && vectors->iov_len == 1);
    if (at < asked.in_memory)
        return 1;
    errno = EAGAIN;
    return -1;
}

int __wrap_posix_fadvise(int fd, off_t at, off_t bytes, int advice);
int __wrap_posix_fadvise(int fd, off_t at, off_t bytes, int advice)
{
    (void)fd;
    assert_int_equal(advice, POSIX_FADV_WILLNEED);
    assert_true(at == asked.end); /* no gap in a file */
    asked.end = at + bytes;
    asked.bytes += (uint64_t)bytes;
    return 0;
}

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

static void wait_all(struct lanes *lanes, struct job *jobs, const uint64_t *sizes, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        jobs[i].source_bytes = sizes[i];
        lanes_wait(lanes, LANE_NARROW, &jobs[i]);
    }
}

static void the_largest_goes_first_where_there_are_several_workers(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {3, 5, 1, 9, 5, 2};
    static const struct {
        const char *label;
        unsigned workers;
        unsigned order[6];
    } rows[] = {
        {"two workers: by size, then by age", 2, {3, 1, 4, 0, 5, 2}},
        {"one worker: by age", 1, {0, 1, 2, 3, 4, 5}},
    };
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        struct options options = options_for(POOL_BACKEND_THREAD);
        struct lanes *lanes = NULL;
        struct job jobs[6] = {0}, late = {.source_bytes = 1};
        options.jobs = rows[r].workers;
        assert_int_equal(lanes_create(&options, &lanes), 0);
        wait_all(lanes, jobs, sizes, 6);
        for (unsigned i = 0; i < 6; i++)
            if (lanes_next(lanes, LANE_NARROW) != &jobs[rows[r].order[i]])
                fail_msg("%s: at %u", rows[r].label, i);
        /* The queue is as good as new, whoever went last. */
        lanes_wait(lanes, LANE_NARROW, &late);
        assert_ptr_equal(lanes_next(lanes, LANE_NARROW), &late);
        assert_int_equal(lanes_waiting(lanes, LANE_NARROW), 0);
        lanes_free(lanes);
    }
}

static void a_small_file_is_not_overtaken_for_ever(void **state)
{
    (void)state;
    const struct options options = options_for(POOL_BACKEND_THREAD);
    struct lanes *lanes = NULL;
    struct job small = {.source_bytes = 1}, large[2] = {{.source_bytes = 2}, {.source_bytes = 2}};
    unsigned before = 0;
    assert_int_equal(lanes_create(&options, &lanes), 0);
    lanes_wait(lanes, LANE_NARROW, &small);
    for (;; before++) {
        lanes_wait(lanes, LANE_NARROW, &large[before % 2]);
        if (lanes_next(lanes, LANE_NARROW) == &small)
            break;
        assert_true(before < 100000);
    }
    assert_true(before > 10);
    lanes_free(lanes);
}

static void nobody_overtakes_his_rival(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {1, 2, 9};
    const struct options options = options_for(POOL_BACKEND_THREAD);
    struct lanes *lanes = NULL;
    struct job jobs[3] = {{.keys = {7, 0}}, {.keys = {8, 0}}, {.keys = {0, 7}}};
    assert_int_equal(lanes_create(&options, &lanes), 0);
    jobs[1].earlier = &jobs[0];
    jobs[2].earlier = &jobs[1];
    wait_all(lanes, jobs, sizes, 3);
    /* The largest would have to wait for the first in the end. */
    assert_ptr_equal(lanes_next(lanes, LANE_NARROW), &jobs[0]);
    jobs[1].earlier = NULL; /* settled */
    assert_ptr_equal(lanes_next(lanes, LANE_NARROW), &jobs[2]);
    assert_ptr_equal(lanes_next(lanes, LANE_NARROW), &jobs[1]);
    lanes_free(lanes);
}

static void files_that_wait_have_a_limit_together(void **state)
{
    (void)state;
    struct options options = options_for(POOL_BACKEND_PROCESS);
    struct lanes *lanes = NULL;
    static struct job jobs[2][500];
    unsigned wide = 0, narrow = 0;
    options.jobs = 100;
    assert_int_equal(lanes_create(&options, &lanes), 0);
    for (; wide < 10; wide++)
        lanes_wait(lanes, LANE_WIDE, &jobs[0][wide]);
    for (; narrow < 500 && lanes_wants_more(lanes, LANE_NARROW); narrow++)
        lanes_wait(lanes, LANE_NARROW, &jobs[1][narrow]);
    assert_true(narrow > 1 && narrow < 500);
    for (; wide < 200 && !lanes_is_full(lanes, LANE_WIDE); wide++)
        lanes_wait(lanes, LANE_WIDE, &jobs[0][wide]);
    assert_true(wide < 200);
    assert_false(lanes_wants_more(lanes, LANE_NARROW));
    while (lanes_next(lanes, LANE_NARROW))
        continue;
    /* Who has nothing to do gets something. */
    assert_true(lanes_wants_more(lanes, LANE_NARROW));
    lanes_free(lanes);
}

static void what_is_read_ahead_is_bounded_by_bytes(void **state)
{
    (void)state;
    const struct options options = options_for(POOL_BACKEND_THREAD);
    struct lanes *lanes = NULL;
    struct job jobs[40] = {0};
    uint64_t all = 0;
    assert_int_equal(lanes_create(&options, &lanes), 0);
    for (unsigned i = 0; i < 40; i++) {
        asked.bytes = 0;
        asked.end = 0;
        jobs[i].source_bytes = 5000001;
        lanes_read_ahead(lanes, &jobs[i]);
        assert_true(asked.bytes == jobs[i].ahead_bytes && asked.bytes <= 5000001);
        assert_true(i > 0 || asked.bytes == 5000001);
        all += asked.bytes;
    }
    assert_true(all == (uint64_t)64 << 20);
    /* Each gives its share back, once. */
    lanes_has_read(lanes, &jobs[0]);
    lanes_has_read(lanes, &jobs[0]);
    asked.bytes = 0;
    asked.end = 0;
    lanes_read_ahead(lanes, &jobs[39]);
    assert_true(asked.bytes == 5000001);
    lanes_free(lanes);
}

static void what_will_be_refused_is_not_read_ahead(void **state)
{
    (void)state;
    const struct options options = options_for(POOL_BACKEND_THREAD);
    struct lanes *lanes = NULL;
    struct job job = {.source_bytes = ((uint64_t)1 << 29) + 1}; /* half of what memory there is */
    assert_int_equal(lanes_create(&options, &lanes), 0);
    asked.bytes = 0;
    lanes_read_ahead(lanes, &job);
    assert_true(asked.bytes == 0 && job.ahead_bytes == 0);
    job.source_bytes--;
    asked.end = 0;
    lanes_read_ahead(lanes, &job);
    assert_true(asked.bytes > 0);
    lanes_free(lanes);
}

static void what_is_in_memory_is_not_asked_for(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        enum pool_backend backend;
        off_t in_memory;
        uint64_t bytes;
    } rows[] = {
        {"nothing", POOL_BACKEND_PROCESS, 0, 1000000},
        {"the beginning", POOL_BACKEND_PROCESS, 999999, 1000000},
        {"all of it", POOL_BACKEND_PROCESS, 1000000, 0},
        {"nothing, but it is read at once", POOL_BACKEND_SERIAL, 0, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct options options = options_for(rows[i].backend);
        struct job job = {.source_bytes = 1000000};
        struct lanes *lanes = NULL;
        assert_int_equal(lanes_create(&options, &lanes), 0);
        asked.bytes = 0;
        asked.end = 0;
        asked.in_memory = rows[i].in_memory;
        lanes_read_ahead(lanes, &job);
        if (asked.bytes != rows[i].bytes || job.ahead_bytes != rows[i].bytes)
            fail_msg("%s: %llu bytes", rows[i].label, (unsigned long long)asked.bytes);
        lanes_free(lanes);
    }
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
        TEST(formats_have_their_lanes),
        TEST(jobs_wait_in_order_up_to_a_number),
        TEST(the_largest_goes_first_where_there_are_several_workers),
        TEST(a_small_file_is_not_overtaken_for_ever),
        TEST(nobody_overtakes_his_rival),
        TEST(files_that_wait_have_a_limit_together),
        TEST(what_is_read_ahead_is_bounded_by_bytes),
        TEST(what_will_be_refused_is_not_read_ahead),
        TEST(what_is_in_memory_is_not_asked_for),
        TEST(kinds_never_share_a_worker),
        TEST(turns_need_few_descriptors),
        TEST(the_same_comes_out_in_one_lane),
    };
    return test_run("app lanes", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
