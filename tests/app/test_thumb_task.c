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

static struct pool *serial_pool(void)
{
    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *pool = NULL;
    options.backend = POOL_BACKEND_SERIAL;
    options.tasks = &table;
    assert_int_equal(pool_create(&options, &pool), 0);
    return pool;
}

static struct pool_future *submit(struct pool *pool, const char *path,
                                  const struct thumb_request *request)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const struct pool_bytes field = {request, sizeof(*request)};
    const struct pool_item item = {.fields = &field, .field_count = 1, .fds = &fd, .fd_count = 1};
    struct pool_future *future = NULL;
    assert_true(fd >= 0);
    assert_int_equal(pool_submit(pool, THUMB_TASK, &item, NULL, &future), 0);
    return future;
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
    int changed = 0;
    make_slow_jpeg(changer.path, 1200, 1200, 1);
    changer.good = read_file(changer.path, &changer.size_bytes);
    assert_int_equal(pthread_create(&thread, NULL, keep_changing, &changer), 0);
    for (int i = 0; i < 2000 && changed < 3; i++) {
        struct pool_error error;
        struct pool_future *future = submit(pool, changer.path, &usual);
        int r = pool_future_result(future, -1, NULL);
        if (r < 0) {
            assert_int_equal(r, -EREMOTEIO);
            assert_int_equal(pool_future_error(future, &error), 0);
            changed += strncmp(error.message, "changed\t", 8) == 0;
        }
        pool_future_free(future);
    }
    changer.stop = true;
    pthread_join(thread, NULL);
    assert_true(changed > 0);
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
        TEST(failures_carry_a_slug_and_words),
        TEST(a_file_that_changes_meanwhile_fails_cleanly),
        TEST(answers_are_not_believed),
        TEST(failure_messages_are_taken_apart),
    };
    return test_run("app thumb task", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
