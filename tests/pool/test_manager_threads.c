/* Managers in a process that has threads, takes signals and forks. */
#include "isolate.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <pool/manager.h>
#include <pool/pool.h>

#include "fault.h"
#include "forks.h"
#include "manager_shop.h"

/* ---- Threads, signals, forks --------------------------------------------------------------- */

struct threads {
    struct pool_dict *dict;
    atomic_int next;
};

/* Each gets the answers to its own questions. */
static void *ask_in_thread(void *data)
{
    struct threads *threads = data;
    struct pool_message message = POOL_MESSAGE_INIT;
    const char name = (char)('a' + atomic_fetch_add(&threads->next, 1));
    const struct pool_bytes key = {&name, 1}, both = {"sum", 3};
    static char large[4][70000];
    const struct pool_bytes value = {large[name - 'a'], sizeof(large[0])};
    const char text_key[] = {name, name};
    void *failed = data;
    memset(large[name - 'a'], name, sizeof(large[0]));
    for (int64_t i = 1; i <= 2000; i++) {
        int64_t sum;
        if (pool_dict_add(threads->dict, both, 1, NULL) < 0 ||
            pool_dict_add(threads->dict, key, 1, &sum) < 0 || sum != i)
            goto out;
        if (i % 100 != 0)
            continue;
        if (pool_dict_set(threads->dict, (struct pool_bytes){text_key, 2}, value) < 0 ||
            pool_dict_pop(threads->dict, (struct pool_bytes){text_key, 2}, &message) < 0 ||
            message.size_bytes != value.size_bytes ||
            memcmp(message.data, value.data, value.size_bytes) != 0)
            goto out;
    }
    failed = NULL;
out:
    pool_message_done(&message);
    return failed;
}

static void threads_may_use_one_manager(void **state)
{
    (void)state;
    struct shop shop = shop_of();
    struct threads all = {.dict = shop.dict};
    pthread_t threads[4];
    int64_t sum;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_in_thread, &all), 0);
    for (int i = 0; i < 4; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(pool_dict_add(shop.dict, text("sum"), 0, &sum), 0);
    assert_int_equal(sum, 8000);
    shop_free(&shop);
}

static atomic_int alarms;

static void count_alarm(int signal)
{
    (void)signal;
    alarms++;
}

static void signals_do_not_disturb_a_call(void **state)
{
    (void)state;
    struct shop shop = shop_of();
    const struct sigaction action = {.sa_handler = count_alarm}; /* no SA_RESTART */
    const struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
    struct pool_message message = POOL_MESSAGE_INIT;
    uint8_t *large = bytes_of(500000, 1);
    int64_t sum;
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    int calls = 0;
    for (; atomic_load(&alarms) < 100; calls++) {
        assert_int_equal(pool_dict_add(shop.dict, text("sum"), 1, NULL), 0);
        if (calls % 50 == 0) {
            const struct pool_bytes value = {large, 500000};
            assert_int_equal(pool_dict_set(shop.dict, text("large"), value), 0);
            assert_int_equal(pool_dict_pop(shop.dict, text("large"), &message), 0);
            expect_message(&message, value);
        }
    }
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_int_equal(pool_dict_add(shop.dict, text("sum"), 0, &sum), 0);
    assert_int_equal(sum, calls);
    pool_message_done(&message);
    free(large);
    shop_free(&shop);
}

struct inheritance {
    struct shop shop;
    int fd;
};

static int use_what_was_inherited(void *data)
{
    struct inheritance *all = data;
    struct shop *shop = &all->shop, own;
    struct pool_message message = POOL_MESSAGE_INIT;
    struct pool_entries items;
    struct pool_dict *dict;
    struct pool_list *list;
    size_t size;
    int64_t sum;
    EXPECT(pool_manager_share(shop->manager) == -ESTALE);
    EXPECT(pool_manager_pid(shop->manager) == 0);
    EXPECT(pool_manager_dict(shop->manager, "dict", &dict) == -ESTALE);
    EXPECT(pool_manager_list(shop->manager, "list", &list) == -ESTALE);
    EXPECT(pool_dict_set(shop->dict, text("a"), text("x")) == -ESTALE);
    EXPECT(pool_dict_get(shop->dict, text("a"), &message) == -ESTALE);
    EXPECT(pool_dict_contains(shop->dict, text("a")) == -ESTALE);
    EXPECT(pool_dict_pop(shop->dict, text("a"), NULL) == -ESTALE);
    EXPECT(pool_dict_add(shop->dict, text("n"), 1, &sum) == -ESTALE);
    EXPECT(pool_dict_replace(shop->dict, text("a"), text("one"), text("x")) == -ESTALE);
    EXPECT(pool_dict_set_default(shop->dict, text("a"), text("x"), &message) == -ESTALE);
    EXPECT(pool_dict_size(shop->dict, &size) == -ESTALE);
    EXPECT(pool_dict_clear(shop->dict) == -ESTALE);
    EXPECT(pool_dict_items(shop->dict, &items) == -ESTALE);
    EXPECT(pool_list_append(shop->list, text("x")) == -ESTALE);
    EXPECT(pool_list_extend(shop->list, &(struct pool_bytes){"x", 1}, 1) == -ESTALE);
    EXPECT(pool_list_insert(shop->list, 0, text("x")) == -ESTALE);
    EXPECT(pool_list_get(shop->list, 0, &message) == -ESTALE);
    EXPECT(pool_list_set(shop->list, 0, text("x")) == -ESTALE);
    EXPECT(pool_list_pop(shop->list, 0, NULL) == -ESTALE);
    EXPECT(pool_list_size(shop->list, &size) == -ESTALE);
    EXPECT(pool_list_clear(shop->list) == -ESTALE);
    EXPECT(pool_list_items(shop->list, &items) == -ESTALE);
    /* A connection of its own, before and after it has let go of what is not its own. */
    for (int i = 0; i < 2; i++) {
        EXPECT(shop_open(all->fd, &own) == 0);
        EXPECT(pool_dict_get(own.dict, text("a"), &message) == 0);
        EXPECT(message.size_bytes == 3);
        shop_free(&own);
        if (i == 0)
            shop_free(shop);
    }
    pool_message_done(&message);
    return 0;
}

static void a_forked_child_needs_a_connection_of_its_own(void **state)
{
    (void)state;
    struct inheritance all = {.shop = shop_of()};
    all.fd = pool_manager_share(all.shop.manager);
    assert_int_equal(pool_dict_set(all.shop.dict, text("a"), text("one")), 0);
    assert_int_equal(pool_list_append(all.shop.list, text("item")), 0);
    assert_int_equal(fork_wait(fork_run(use_what_was_inherited, &all)), 0);
    expect_dict(all.shop.dict, "a:one,"); /* the parent's is as it was */
    expect_list(all.shop.list, "item,");
    close(all.fd);
    shop_free(&all.shop);
}

static int be_forked_at_any_moment(void *data)
{
    struct shop *shop = data;
    int64_t sum;
    int r = pool_dict_add(shop->dict, text("sum"), 1, &sum);
    shop_free(shop);
    return r == -ESTALE ? 0 : 1;
}

static void *add_until_told(void *data)
{
    struct shop *shop = data;
    while (atomic_load(&alarms) == 0)
        if (pool_dict_add(shop->dict, text("sum"), 1, NULL) < 0)
            return shop;
    return NULL;
}

static void a_fork_in_the_middle_of_another_threads_call_hangs_nobody(void **state)
{
    (void)state;
    struct shop shop = shop_of();
    pthread_t thread;
    void *failed;
    assert_int_equal(pthread_create(&thread, NULL, add_until_told, &shop), 0);
    for (int i = 0; i < 50; i++)
        assert_int_equal(fork_wait(fork_run(be_forked_at_any_moment, &shop)), 0);
    atomic_store(&alarms, 1);
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
    shop_free(&shop);
}

static int linger(void *data)
{
    (void)data;
    while (pause() < 0)
        continue;
    return 0;
}

static void *fork_until_told(void *data)
{
    pid_t *pids = data;
    int count = 0;
    while (atomic_load(&alarms) == 0 && count < 150) {
        const pid_t pid = fork();
        if (pid == 0)
            _exit(linger(NULL));
        if (pid > 0)
            pids[count++] = pid;
    }
    return NULL;
}

/* Another thread's children have copies of whatever this thread had open at that moment. */
static void forks_while_somebody_connects_do_not_hide_the_servers_death(void **state)
{
    (void)state;
    enum { MANAGERS = 200 };
    struct shop shop = shop_of();
    static struct pool_manager *managers[MANAGERS];
    static pid_t pids[150];
    struct pool_dict *dict;
    pthread_t thread;
    int count = 0;
    const int fd = pool_manager_share(shop.manager);
    atomic_store(&alarms, 0);
    assert_int_equal(pthread_create(&thread, NULL, fork_until_told, pids), 0);
    for (; count < MANAGERS; count++)
        assert_int_equal(pool_manager_open(fd, &managers[count]), 0);
    atomic_store(&alarms, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(kill(pool_manager_pid(shop.manager), SIGKILL), 0);
    for (int i = 0; i < MANAGERS; i++) {
        assert_int_equal(pool_manager_dict(managers[i], "d", &dict), -EPIPE);
        pool_manager_free(managers[i]);
    }
    assert_int_equal(pool_dict_contains(shop.dict, text("key")), -EPIPE);
    for (int i = 0; i < 150 && pids[i] > 0; i++) {
        assert_int_equal(kill(pids[i], SIGKILL), 0);
        assert_int_equal(fork_wait(pids[i]), -SIGKILL);
    }
    close(fd);
    shop_free(&shop);
}

static const struct test_case tests[] = {
    TEST(threads_may_use_one_manager),
    TEST(signals_do_not_disturb_a_call),
    TEST(a_forked_child_needs_a_connection_of_its_own),
    TEST(a_fork_in_the_middle_of_another_threads_call_hangs_nobody),
    TEST(forks_while_somebody_connects_do_not_hide_the_servers_death),
};

int main(int argc, char **argv)
{
    if (pool_main(argc, argv, &shop_tasks) < 0)
        return 2;
    fault_is_host();
    return test_run("manager_threads", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
