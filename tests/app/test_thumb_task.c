#include "app/thumb_task_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "isolate.h"
#include "pictures.h"

static const struct pool_task list[] = {{THUMB_TASK, thumb_task_run}};
static const struct pool_tasks table = {list, 1};
static const struct thumb_request usual = {.box_width_px = 64,
                                           .box_height_px = 64,
                                           .format = IMG_FORMAT_UNKNOWN,
                                           .quality = 80,
                                           .pixels_max = 100 * 1000 * 1000,
                                           .fail_on = IMG_FAIL_ON_ERROR};

/* The worker's looks at a file. Before look number `at` the file is given a new size and a new time
 * of change. */
static struct {
    unsigned count;
    unsigned at, every; /* 0: never; then again after so many more */
    const char *path;
    off_t size_bytes;
    size_t most_bytes; /* a read gets no more than that; 0: all */
} looks;

static void change_file(void)
{
    static int64_t now_sec = 1000000000;
    const struct timespec times[2] = {{.tv_sec = now_sec}, {.tv_sec = now_sec}};
    now_sec++;
    assert_int_equal(truncate(looks.path, looks.size_bytes), 0);
    assert_int_equal(utimensat(AT_FDCWD, looks.path, times, 0), 0);
}

ssize_t __real_pread(int fd, void *buffer, size_t size_bytes, off_t at);
ssize_t __wrap_pread(int fd, void *buffer, size_t size_bytes, off_t at);
ssize_t __wrap_pread(int fd, void *buffer, size_t size_bytes, off_t at)
{
    if (++looks.count == looks.at && looks.path) {
        change_file();
        looks.at = looks.every > 0 ? looks.at + looks.every : 0;
    }
    if (looks.most_bytes > 0 && size_bytes > looks.most_bytes)
        size_bytes = looks.most_bytes;
    return __real_pread(fd, buffer, size_bytes, at);
}

static struct pool *serial_pool(void)
{
    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *pool = NULL;
    options.backend = POOL_BACKEND_SERIAL;
    options.tasks = &table;
    assert_int_equal(pool_create(&options, &pool), 0);
    return pool;
}

static struct pool_future *submit_fields(struct pool *pool, const char *path,
                                         const struct pool_bytes *fields, size_t field_count)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const struct pool_item item = {
        .fields = fields, .field_count = field_count, .fds = &fd, .fd_count = 1};
    struct pool_future *future = NULL;
    assert_true(fd >= 0);
    assert_int_equal(pool_submit(pool, THUMB_TASK, &item, NULL, &future), 0);
    return future;
}

static struct pool_future *submit(struct pool *pool, const char *path,
                                  const struct thumb_request *request)
{
    const struct pool_bytes field = {request, sizeof(*request)};
    return submit_fields(pool, path, &field, 1);
}

static void a_picture_becomes_a_thumbnail(void **state)
{
    (void)state;
    struct pool *pool = serial_pool();
    struct pool_bytes value, image;
    struct thumb_reply reply;
    make_jpeg(scratch("a.jpg"), 400, 200, 1);
    struct pool_future *future = submit(pool, scratch("a.jpg"), &usual);
    assert_int_equal(pool_future_result(future, -1, &value), 0);
    assert_int_equal(thumb_reply_check(&usual, value, &reply, &image), 0);
    assert_int_equal(reply.width_px, 64);
    assert_int_equal(reply.height_px, 32);
    assert_int_equal(reply.format, IMG_FORMAT_JPEG);
    assert_int_equal(reply.source_format, IMG_FORMAT_JPEG);
    assert_int_equal(reply.source_width_px, 400);
    assert_string_equal(reply.decoder, "thumbpool");
    assert_int_equal(image.size_bytes, value.size_bytes - sizeof(reply));
    pool_future_free(future);
    pool_free(pool);
}

/* What the note says of the source is to be true of what was read. */
static void a_source_that_is_not_what_the_host_saw_fails(void **state)
{
    (void)state;
    struct pool *pool = serial_pool();
    struct pool_bytes value;
    struct pool_error error;
    struct stat st;
    make_jpeg(scratch("a.jpg"), 400, 200, 1);
    assert_int_equal(stat(scratch("a.jpg"), &st), 0);
    for (unsigned i = 0; i < 4; i++) {
        struct thumb_request request = usual;
        request.has_state = true;
        request.mtime_sec = st.st_mtim.tv_sec - (i == 1);
        request.mtime_nsec = (uint32_t)st.st_mtim.tv_nsec + (i == 2);
        request.source_bytes = (uint64_t)st.st_size + (i == 3);
        struct pool_future *future = submit(pool, scratch("a.jpg"), &request);
        assert_int_equal(pool_future_result(future, -1, &value), i == 0 ? 0 : -EREMOTEIO);
        if (i > 0) {
            assert_int_equal(pool_future_error(future, &error), 0);
            assert_int_equal(strncmp(error.message, "changed\t", 8), 0);
        }
        pool_future_free(future);
    }
    pool_free(pool);
}

static void the_second_field_is_kept_in_the_thumbnail(void **state)
{
    (void)state;
    struct pool *pool = serial_pool();
    struct pool_bytes value, image;
    struct thumb_reply reply;
    const struct pool_bytes none = {NULL, 0}, other = {"another", 7};
    const struct pool_bytes fields[2] = {{&usual, sizeof(usual)}, {"a note", 6}};
    const struct pool_bytes bad[2] = {{&usual, sizeof(usual)}, {"a\nnote", 6}};
    make_jpeg(scratch("a.jpg"), 400, 200, 1);
    for (size_t count = 1; count <= 2; count++) {
        struct pool_future *future = submit_fields(pool, scratch("a.jpg"), fields, count);
        assert_int_equal(pool_future_result(future, -1, &value), 0);
        assert_int_equal(thumb_reply_check(&usual, value, &reply, &image), 0);
        assert_int_equal(thumb_note_is(image, fields[1]), count == 2);
        assert_int_equal(thumb_note_is(image, none), count == 1);
        assert_false(thumb_note_is(image, other));
        pool_future_free(future);
    }
    struct pool_future *future = submit_fields(pool, scratch("a.jpg"), bad, 2);
    struct pool_error error;
    assert_int_equal(pool_future_result(future, -1, NULL), -EREMOTEIO);
    assert_int_equal(pool_future_error(future, &error), 0);
    assert_int_equal(strncmp(error.message, "bad-options\t", 12), 0);
    pool_future_free(future);
    pool_free(pool);
}

static void failures_carry_a_slug_and_words(void **state)
{
    (void)state;
    struct pool *pool = serial_pool();
    static const struct {
        const char *name, *slug;
    } rows[] = {
        {"text.jpg", "not-an-image"}, {"empty.jpg", "empty"}, {"cut.jpg", "truncated"},
        {"huge.jpg", "too-large"},    {".", "unreadable"},
    };
    make_jpeg(scratch("good.jpg"), 400, 200, 1);
    size_t size_bytes;
    const char *good = read_file(scratch("good.jpg"), &size_bytes);
    write_file(scratch("cut.jpg"), good, size_bytes / 2);
    write_text(scratch("text.jpg"), "just some words\n");
    write_text(scratch("empty.jpg"), "");
    write_file(scratch("huge.jpg"), good, size_bytes);
    assert_int_equal(truncate(scratch("huge.jpg"), INT64_C(1) << 40), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pool_error error;
        char slug[32];
        struct pool_future *future = submit(pool, scratch("%s", rows[i].name), &usual);
        assert_int_equal(pool_future_result(future, -1, NULL), -EREMOTEIO);
        assert_int_equal(pool_future_error(future, &error), 0);
        const char *words = thumb_failure_words(error.message, slug, sizeof(slug));
        if (strcmp(slug, rows[i].slug) != 0)
            fail_msg("%s: %s", rows[i].name, error.message);
        assert_true(strlen(words) > 3);
        pool_future_free(future);
    }
    /* The worker is as good as before. */
    struct pool_future *future = submit(pool, scratch("good.jpg"), &usual);
    assert_int_equal(pool_future_result(future, -1, NULL), 0);
    pool_future_free(future);
    pool_free(pool);
}

static void a_small_file_is_read_at_one_go(void **state)
{
    (void)state;
    struct pool *pool = serial_pool();
    make_jpeg(scratch("small.jpg"), 100, 80, 1);
    make_slow_jpeg(scratch("large.jpg"), 1200, 1200, 1);
    static const struct {
        const char *name;
        unsigned reads;
    } rows[] = {{"small.jpg", 1}, {"large.jpg", 3}, {"large.jpg", 2}, {"small.jpg", 1}};
    size_t size_bytes;
    read_file(scratch("large.jpg"), &size_bytes);
    assert_true(size_bytes > 300000);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        looks.count = 0;
        struct pool_future *future = submit(pool, scratch("%s", rows[i].name), &usual);
        assert_int_equal(pool_future_result(future, -1, NULL), 0);
        if (looks.count > rows[i].reads)
            fail_msg("%s: %u reads", rows[i].name, looks.count);
        pool_future_free(future);
    }
    /* However little comes at a time, all of it comes. */
    looks.most_bytes = 1000;
    for (size_t i = 0; i < 2; i++) {
        struct pool_future *future = submit(pool, scratch("%s", rows[i].name), &usual);
        assert_int_equal(pool_future_result(future, -1, NULL), 0);
        pool_future_free(future);
    }
    looks.most_bytes = 0;
    pool_free(pool);
}

static void a_change_at_any_read_shows(void **state)
{
    (void)state;
    static const struct {
        const char *label, *slug; /* NULL: it is made */
        unsigned at, every;
        int growth; /* in thousandths of its size */
        size_t most_bytes;
    } rows[] = {
        {"it becomes shorter at the first read", NULL, 1, 0, -500, 0},
        {"it becomes shorter at each first read", "changed", 1, 1, -1, 0},
        {"it becomes longer at each read", "changed", 1, 1, 500, 0},
        {"it becomes shorter later on, twice", "changed", 3, 2, -1, 1000},
        {"it becomes longer by a little later on", NULL, 3, 0, 2, 1000},
        {"it keeps its size at each read", "changed", 1, 1, 0, 0},
    };
    struct pool *pool = serial_pool();
    make_jpeg(scratch("whole.jpg"), 400, 400, 1);
    size_t size_bytes;
    const char *whole = read_file(scratch("whole.jpg"), &size_bytes);
    assert_true(size_bytes > 5000);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pool_error error = {.message = ""};
        struct thumb_request request = usual;
        char slug[32] = "";
        request.fail_on = IMG_FAIL_ON_NONE;
        write_file(scratch("a.jpg"), whole, size_bytes);
        looks.count = 0;
        looks.at = rows[i].at;
        looks.every = rows[i].every;
        looks.path = scratch("a.jpg");
        looks.size_bytes = (off_t)size_bytes + (off_t)size_bytes * rows[i].growth / 1000;
        looks.most_bytes = rows[i].most_bytes;
        struct pool_future *future = submit(pool, scratch("a.jpg"), &request);
        if (pool_future_result(future, -1, NULL) < 0 && pool_future_error(future, &error) == 0)
            thumb_failure_words(error.message, slug, sizeof(slug));
        if (strcmp(slug, rows[i].slug ? rows[i].slug : "") != 0)
            fail_msg("%s: %s", rows[i].label, error.message);
        pool_future_free(future);
    }
    memset(&looks, 0, sizeof(looks));
    pool_free(pool);
}

static void of_what_is_no_picture_only_the_beginning_is_read(void **state)
{
    (void)state;
    struct pool *pool = serial_pool();
    struct pool_error error;
    write_text(scratch("large.jpg"), "just some words\n");
    assert_int_equal(truncate(scratch("large.jpg"), 50000000), 0);
    looks.count = 0;
    struct pool_future *future = submit(pool, scratch("large.jpg"), &usual);
    assert_int_equal(pool_future_result(future, -1, NULL), -EREMOTEIO);
    assert_int_equal(pool_future_error(future, &error), 0);
    assert_int_equal(strncmp(error.message, "not-an-image\t", 13), 0);
    assert_int_equal(looks.count, 1);
    pool_future_free(future);
    pool_free(pool);
}

struct changer {
    const char *path;
    const char *good;
    size_t size_bytes;
    atomic_bool stop;
};

static void *keep_changing(void *data)
{
    struct changer *changer = data;
    while (!changer->stop) {
        if (truncate(changer->path, (off_t)(changer->size_bytes / 3)) < 0)
            break;
        int fd = open(changer->path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, changer->good, changer->size_bytes) < 0)
            break;
        close(fd);
    }
    return NULL;
}

static void a_file_that_changes_meanwhile_fails_cleanly(void **state)
{
    (void)state;
    struct pool *pool = serial_pool();
    struct changer changer = {.path = scratch("a.jpg")};
    pthread_t thread;
    make_slow_jpeg(changer.path, 500, 500, 1);
    changer.good = read_file(changer.path, &changer.size_bytes);
    assert_int_equal(pthread_create(&thread, NULL, keep_changing, &changer), 0);
    for (int i = 0; i < 30; i++) {
        struct pool_error error;
        struct pool_future *future = submit(pool, changer.path, &usual);
        int r = pool_future_result(future, -1, NULL);
        if (r < 0) {
            assert_int_equal(r, -EREMOTEIO);
            assert_int_equal(pool_future_error(future, &error), 0);
            assert_non_null(strchr(error.message, '\t'));
        }
        pool_future_free(future);
    }
    changer.stop = true;
    pthread_join(thread, NULL);
    pool_free(pool);
}

static struct pool_bytes answer(struct thumb_reply *reply, const char *image, size_t image_bytes)
{
    uint8_t *bytes = keep(malloc(sizeof(*reply) + image_bytes + 1));
    memcpy(bytes, reply, sizeof(*reply));
    memcpy(bytes + sizeof(*reply), image, image_bytes);
    return (struct pool_bytes){bytes, sizeof(*reply) + image_bytes};
}

static void answers_are_not_believed(void **state)
{
    (void)state;
    make_jpeg(scratch("a.jpg"), 40, 20, 1);
    size_t size_bytes;
    const char *jpeg = read_file(scratch("a.jpg"), &size_bytes);
    const struct thumb_reply good = {.format = IMG_FORMAT_JPEG,
                                     .width_px = 40,
                                     .height_px = 20,
                                     .source_format = IMG_FORMAT_PNG,
                                     .source_width_px = 40,
                                     .source_height_px = 20,
                                     .decoder = "libpng"};
    struct thumb_reply reply, checked;
    struct pool_bytes image;
    char *large = keep(calloc(1, thumb_image_bytes_max(64, 64) + 1));
    memcpy(large, jpeg, size_bytes);
    reply = good;
    assert_int_equal(thumb_reply_check(&usual, answer(&reply, jpeg, size_bytes), &checked, &image),
                     0);
    assert_int_equal(image.size_bytes, size_bytes);
    for (int spoil = 0; spoil < 17; spoil++) {
        struct thumb_request request = usual;
        const char *from = jpeg;
        size_t bytes = size_bytes;
        reply = good;
        switch (spoil) {
        case 0:
            reply.format = IMG_FORMAT_PNG;
            break;
        case 1:
            reply.format = IMG_FORMAT_GIF;
            break;
        case 2:
            reply.width_px = 65;
            break;
        case 3:
            reply.height_px = 0;
            break;
        case 4:
            reply.source_format = IMG_FORMAT_COUNT;
            break;
        case 5:
            memset(reply.decoder, 'x', sizeof(reply.decoder));
            break;
        case 6:
            reply.decoder[2] = '\x1b';
            break;
        case 7:
            request.format = IMG_FORMAT_PNG;
            break;
        case 8:
            bytes = 0;
            break;
        case 9:
            bytes = 1;
            break;
        case 10: /* a size that the picture itself does not say */
            reply.width_px = 39;
            break;
        case 11:
            reply.height_px = 21;
            break;
        case 12: /* cut before it says one */
            bytes = 20;
            break;
        case 13:
            from = large;
            bytes = thumb_image_bytes_max(64, 64) + 1;
            break;
        case 14:
            memset(reply.damage, 'x', sizeof(reply.damage));
            break;
        case 15: /* nobody asked for partial pictures */
            reply.damage[0] = 'x';
            break;
        default:
            reply.source_format = UINT32_MAX;
            break;
        }
        if (thumb_reply_check(&request, answer(&reply, from, bytes), &checked, &image) != -EPROTO)
            fail_msg("believed: %d", spoil);
    }
    const struct pool_bytes none = {NULL, 0}, little = {jpeg, sizeof(reply) - 1};
    assert_int_equal(thumb_reply_check(&usual, none, &checked, &image), -EPROTO);
    assert_int_equal(thumb_reply_check(&usual, little, &checked, &image), -EPROTO);
}

static void a_size_that_the_request_does_not_allow_is_not_believed(void **state)
{
    (void)state;
    make_jpeg(scratch("a.jpg"), 40, 20, 1);
    size_t size_bytes;
    const char *jpeg = read_file(scratch("a.jpg"), &size_bytes);
    static const struct {
        const char *label;
        uint32_t fit, enlarge, box_width, box_height, source_width, source_height;
        bool believed;
    } rows[] = {
        {"inside", IMG_FIT_INSIDE, 0, 64, 64, 40, 20, true},
        {"inside, larger than the picture", IMG_FIT_INSIDE, 0, 64, 64, 39, 20, false},
        {"inside, of no picture", IMG_FIT_INSIDE, 0, 64, 64, 0, 20, false},
        {"inside, enlarged", IMG_FIT_INSIDE, 1, 40, 64, 10, 5, true},
        {"inside, enlarged, but to no side", IMG_FIT_INSIDE, 1, 64, 64, 10, 5, false},
        {"cover", IMG_FIT_COVER, 0, 40, 20, 400, 300, true},
        {"cover of a small picture", IMG_FIT_COVER, 0, 64, 64, 40, 20, true},
        {"cover, larger than the picture", IMG_FIT_COVER, 0, 40, 20, 40, 19, false},
        {"cover, enlarged", IMG_FIT_COVER, 1, 40, 20, 1, 1, true},
        {"cover, enlarged, but not all of the box", IMG_FIT_COVER, 1, 40, 21, 1, 1, false},
        {"pad", IMG_FIT_PAD, 0, 40, 20, 1, 1, true},
        {"pad, not all of the box", IMG_FIT_PAD, 0, 41, 20, 400, 400, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct thumb_request request = usual;
        struct thumb_reply reply = {.format = IMG_FORMAT_JPEG,
                                    .width_px = 40,
                                    .height_px = 20,
                                    .source_format = IMG_FORMAT_PNG,
                                    .source_width_px = rows[i].source_width,
                                    .source_height_px = rows[i].source_height,
                                    .decoder = "libpng"};
        struct thumb_reply checked;
        struct pool_bytes image;
        request.fit = rows[i].fit;
        request.enlarge = rows[i].enlarge;
        request.box_width_px = rows[i].box_width;
        request.box_height_px = rows[i].box_height;
        const int r =
            thumb_reply_check(&request, answer(&reply, jpeg, size_bytes), &checked, &image);
        if (r != (rows[i].believed ? 0 : -EPROTO))
            fail_msg("%s: %d", rows[i].label, r);
    }
}

static void failure_messages_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *message, *slug, *words;
    } rows[] = {
        {"damaged\tbad codes", "damaged", "bad codes"},
        {"not-an-image\t", "not-an-image", ""},
        {"no tab at all", "failed", "no tab at all"},
        {"\twords", "failed", "\twords"},
        {"Bad Slug\twords", "failed", "Bad Slug\twords"},
        {"\x1b[31m\twords", "failed", "\x1b[31m\twords"},
        {"a-slug-that-is-too-long-for-the-buffer\twords", "failed",
         "a-slug-that-is-too-long-for-the-buffer\twords"},
        {"-x\twords", "failed", "-x\twords"},
        {"", "failed", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char slug[16];
        assert_string_equal(thumb_failure_words(rows[i].message, slug, sizeof(slug)),
                            rows[i].words);
        assert_string_equal(slug, rows[i].slug);
    }
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(a_picture_becomes_a_thumbnail),
        TEST(a_source_that_is_not_what_the_host_saw_fails),
        TEST(the_second_field_is_kept_in_the_thumbnail),
        TEST(failures_carry_a_slug_and_words),
        TEST(a_small_file_is_read_at_one_go),
        TEST(a_change_at_any_read_shows),
        TEST(of_what_is_no_picture_only_the_beginning_is_read),
        TEST(a_file_that_changes_meanwhile_fails_cleanly),
        TEST(answers_are_not_believed),
        TEST(a_size_that_the_request_does_not_allow_is_not_believed),
        TEST(failure_messages_are_taken_apart),
    };
    return test_run("app thumb task", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
