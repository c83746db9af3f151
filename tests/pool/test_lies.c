/* Workers in somebody else's hands: they take back what their page said, or flood their socket.
 * What they do costs themselves. */
#include <pool/pool.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pool/wire_priv.h>

#include "isolate.h"
#include "pool_tasks.h"

#define WORKER_SOCKET 3
#define LARGE_BYTES   ((size_t)96 << 20)
#define LIMIT_BYTES   ((size_t)64 << 20)

/* ---- The liars ----------------------------------------------------------------------------- */

/* "I have not started it." */
static bool take_the_start_back(void)
{
    struct wire_page *page = worker_page();
    for (unsigned i = 0; page && i < PAGE_SLOTS; i++) {
        const uint32_t word = atomic_load(&page->slots[i].word);
        if (word == slot_word(word >> 3, SLOT_STARTED))
            atomic_store(&page->slots[i].word, slot_word(word >> 3, SLOT_SENT));
    }
    return page != NULL;
}

static int hang(struct pool_call *call)
{
    (void)call;
    while (take_the_start_back())
        poll(NULL, 0, 60000);
    return -ENOENT;
}

static int vanish(struct pool_call *call)
{
    (void)call;
    take_the_start_back();
    _exit(0);
}

/* Memory that is nobody's private one, too. */
static int swell(struct pool_call *call)
{
    (void)call;
    take_the_start_back();
    char *memory =
        mmap(NULL, LARGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return -errno;
    memset(memory, 1, LARGE_BYTES);
    for (;;)
        poll(NULL, 0, 60000);
}

/* A result whose value is said to be in a memory file, and far more descriptors than the host can
 * receive with it. */
static int flood(struct pool_call *call)
{
    struct wire_page *page = worker_page();
    struct wire_result result = {.type = WIRE_RESULT, .in_memfd = 1, .value_bytes = 1 << 20};
    struct iovec part = {&result, sizeof(result)};
    union {
        char bytes[CMSG_SPACE(sizeof(int) * 200)];
        struct cmsghdr align;
    } control;
    (void)call;
    for (unsigned i = 0; page && i < PAGE_SLOTS; i++) {
        const uint32_t word = atomic_load(&page->slots[i].word);
        if (word != slot_word(word >> 3, SLOT_STARTED))
            continue;
        result.number = word >> 3;
        atomic_store(&page->slots[i].word, slot_word(word >> 3, SLOT_REPLIED));
    }
    memset(&control, 0, sizeof(control));
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int) * 200);
    for (size_t i = 0; i < 200; i++) {
        const int fd = STDERR_FILENO;
        memcpy(CMSG_DATA(head) + i * sizeof(int), &fd, sizeof(fd));
    }
    if (sendmsg(WORKER_SOCKET, &message, 0) < 0)
        return -errno;
    for (;;)
        poll(NULL, 0, 60000);
}

static int honest(struct pool_call *call)
{
    return pool_call_write(call, "honest", 6);
}

static const struct pool_task list[] = {
    {"hang", hang}, {"vanish", vanish}, {"swell", swell}, {"flood", flood}, {"honest", honest}};
static const struct pool_tasks table = {list, sizeof(list) / sizeof(list[0])};

/* ---- The tests ----------------------------------------------------------------------------- */

static struct pool *liars_pool(void)
{
    struct pool_options options = POOL_OPTIONS_INIT;
    options.tasks = &table;
    options.workers = 1;
    options.rss_limit_bytes = LIMIT_BYTES;
    return pool_with(&options);
}

/* One lie among honest tasks, which all succeed.  Returns how the liar ended. */
static struct pool_error lie(const char *task, const struct pool_submit_options *options,
                             struct pool_stats *ret_stats)
{
    static struct pool_error error;
    struct pool *pool = liars_pool();
    struct pool_future *liar, *others[6];
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pool_submit(pool, "honest", NULL, NULL, &others[i]), 0);
    assert_int_equal(pool_submit(pool, task, NULL, options, &liar), 0);
    for (size_t i = 3; i < 6; i++)
        assert_int_equal(pool_submit(pool, "honest", NULL, NULL, &others[i]), 0);
    assert_true(pool_future_result(liar, -1, NULL) < 0);
    assert_int_equal(pool_future_error(liar, &error), 0);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(take_code(others[i]), 0);
    assert_int_equal(pool_stats(pool, ret_stats), 0);
    pool_free(pool);
    error.message = error.where = ""; /* the future's, which goes now */
    pool_future_free(liar);
    return error;
}

static void a_start_that_is_taken_back_does_not_stop_the_clock(void **state)
{
    (void)state;
    struct pool_submit_options options = POOL_SUBMIT_INIT;
    struct pool_stats stats;
    options.deadline_ms = 200;
    options.retries = 1;
    const struct pool_error error = lie("hang", &options, &stats);
    assert_int_equal(error.code, -ETIME);
    assert_int_equal(stats.requeued, 0);
}

static void a_start_that_is_taken_back_does_not_hide_the_memory(void **state)
{
    (void)state;
    struct pool_submit_options options = POOL_SUBMIT_INIT;
    struct pool_stats stats;
    options.retries = 1;
    const struct pool_error error = lie("swell", &options, &stats);
    assert_int_equal(error.code, -ENOMEM);
    assert_true(error.over_memory);
    assert_int_equal(stats.requeued, 0);
}

static void deaths_before_the_start_count_from_the_second_on(void **state)
{
    (void)state;
    struct pool_submit_options options = POOL_SUBMIT_INIT;
    struct pool_stats stats;
    options.retries = 1;
    const struct pool_error error = lie("vanish", &options, &stats);
    assert_int_equal(error.code, -EOWNERDEAD);
    assert_int_equal(stats.died, 4); /* one is chance, and then as many as for an honest killer */
    assert_int_equal(error.deaths, 3);
}

static void a_flood_of_descriptors_is_no_shortage_of_the_hosts(void **state)
{
    (void)state;
    struct pool_stats stats;
    const struct pool_error error = lie("flood", NULL, &stats);
    assert_int_equal(error.code, -EOWNERDEAD);
    assert_int_equal(stats.died, 1);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(a_start_that_is_taken_back_does_not_stop_the_clock),
        TEST(a_start_that_is_taken_back_does_not_hide_the_memory),
        TEST(deaths_before_the_start_count_from_the_second_on),
        TEST(a_flood_of_descriptors_is_no_shortage_of_the_hosts),
    };
    if (pool_main(argc, argv, &table) < 0)
        return EXIT_FAILURE;
    return test_run("lies", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
