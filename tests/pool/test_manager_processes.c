/* Managers that several processes use at once. */
#include "isolate.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pool/manager.h>
#include <pool/pool.h>
#include <pool/process.h>

#include "fault.h"
#include "forks.h"
#include "manager_shop.h"

/* ---- Several processes --------------------------------------------------------------------- */

/* def fun1(dic, lis, index): dic[index] = 'a'; dic['2'] = 'b'; lis.append(index) */
static int fun1_with(int fd, int index)
{
    struct shop shop;
    const struct pool_bytes bytes = {&index, sizeof(index)};
    EXPECT(shop_open(fd, &shop) == 0);
    EXPECT(pool_dict_set(shop.dict, bytes, text("a")) == 0);
    EXPECT(pool_dict_set(shop.dict, text("2"), text("b")) == 0);
    EXPECT(pool_list_append(shop.list, bytes) == 0);
    shop_free(&shop);
    return 0;
}

static int fun1(void *data)
{
    struct errand *errand = data;
    return fun1_with(errand->fd, atomic_fetch_add(&errand->number, 1));
}

/* What ten of them leave. */
static void expect_ten(struct shop *shop)
{
    struct pool_entries items;
    bool in_dict[10] = {false}, in_list[10] = {false};
    expect_sizes(shop, 11, 10);
    assert_int_equal(pool_dict_items(shop->dict, &items), 0);
    for (size_t i = 0; i < items.count; i++) {
        int index = -1;
        if (items.entries[i].key.size_bytes == sizeof(index)) {
            memcpy(&index, items.entries[i].key.data, sizeof(index));
            expect_bytes(items.entries[i].value, text("a"));
            assert_in_range(index, 0, 9);
            in_dict[index] = true;
        } else {
            expect_bytes(items.entries[i].key, text("2"));
            expect_bytes(items.entries[i].value, text("b"));
        }
    }
    pool_entries_done(&items);
    assert_int_equal(pool_list_items(shop->list, &items), 0);
    for (size_t i = 0; i < items.count; i++) {
        int index = -1;
        assert_int_equal(items.entries[i].value.size_bytes, sizeof(index));
        memcpy(&index, items.entries[i].value.data, sizeof(index));
        assert_in_range(index, 0, 9);
        in_list[index] = true;
    }
    pool_entries_done(&items);
    for (int i = 0; i < 10; i++)
        assert_true(in_dict[i] && in_list[i]);
}

static void ten_processes_change_a_dict_and_a_list(void **state)
{
    (void)state;
    struct shop shop = shop_of();
    struct errand *errand = errand_of(&shop, 1);
    send_children(fun1, errand, 10);
    expect_ten(&shop);
    close(errand->fd);
    shop_free(&shop);
}

/* The same as a target of a process, and as a pool's task. Field: the index. */
static int fun1_task(struct pool_call *call)
{
    int index;
    memcpy(&index, pool_call_field(call, 0).data, sizeof(index));
    return fun1_with(pool_call_fd(call, 0), index);
}

static void ten_processes_of_the_librarys_do_the_same(void **state)
{
    (void)state;
    struct shop shop = shop_of();
    struct pool_process *processes[10];
    for (int i = 0; i < 10; i++) {
        const struct pool_bytes field = {&i, sizeof(i)};
        const int fd = pool_manager_share(shop.manager);
        const struct pool_item item = {
            .fields = &field, .field_count = 1, .fds = &fd, .fd_count = 1};
        assert_int_equal(pool_process_create("fun1", &item, NULL, &processes[i]), 0);
        assert_int_equal(pool_process_start(processes[i]), 0);
    }
    for (int i = 0; i < 10; i++) {
        int code;
        assert_int_equal(pool_process_join(processes[i], -1), 0);
        assert_int_equal(pool_process_exitcode(processes[i], &code), 0);
        assert_int_equal(code, 0);
        pool_process_free(processes[i]);
    }
    expect_ten(&shop);
    shop_free(&shop);
}

static void tasks_of_a_pool_do_the_same(void **state)
{
    (void)state;
    static const enum pool_backend backends[] = {POOL_BACKEND_PROCESS, POOL_BACKEND_THREAD};
    for (size_t which = 0; which < 2; which++) {
        struct shop shop = shop_of();
        struct pool_options options = POOL_OPTIONS_INIT;
        struct pool *pool;
        struct pool_future *futures[10];
        options.backend = backends[which];
        options.workers = 3;
        assert_int_equal(pool_create(&options, &pool), 0);
        for (int i = 0; i < 10; i++) {
            const struct pool_bytes field = {&i, sizeof(i)};
            const int fd = pool_manager_share(shop.manager);
            const struct pool_item item = {
                .fields = &field, .field_count = 1, .fds = &fd, .fd_count = 1};
            assert_int_equal(pool_submit(pool, "fun1", &item, NULL, &futures[i]), 0);
        }
        for (int i = 0; i < 10; i++) {
            assert_int_equal(pool_future_result(futures[i], -1, NULL), 0);
            pool_future_free(futures[i]);
        }
        pool_free(pool);
        expect_ten(&shop);
        shop_free(&shop);
    }
}

/* A worker makes a manager of its own; its result is what it counted there. */
static int own_task(struct pool_call *call)
{
    struct pool_manager *manager;
    struct pool_dict *dict;
    int64_t sum = 0;
    int r = pool_manager_create(NULL, &manager);
    if (r < 0)
        return pool_call_fail(call, r, "cannot make a manager");
    r = pool_manager_dict(manager, "d", &dict);
    for (int i = 0; i < 100 && r == 0; i++)
        r = pool_dict_add(dict, text("n"), i, &sum);
    pool_dict_free(dict);
    pool_manager_free(manager);
    return r < 0 ? r : pool_call_write(call, &sum, sizeof(sum));
}

static void a_task_may_have_a_manager_of_its_own(void **state)
{
    (void)state;
    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *pool;
    struct pool_future *futures[4];
    options.workers = 2;
    assert_int_equal(pool_create(&options, &pool), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pool_submit(pool, "own", NULL, NULL, &futures[i]), 0);
    for (int i = 0; i < 4; i++) {
        struct pool_bytes value;
        int64_t sum;
        assert_int_equal(pool_future_result(futures[i], -1, &value), 0);
        memcpy(&sum, value.data, sizeof(sum));
        assert_int_equal(sum, 4950);
        pool_future_free(futures[i]);
    }
    pool_free(pool);
}

static int add_often(void *data)
{
    struct errand *errand = data;
    struct shop shop;
    EXPECT(shop_open(errand->fd, &shop) == 0);
    for (int i = 1; i <= errand->times; i++)
        EXPECT(pool_dict_add(shop.dict, text("sum"), i, NULL) == 0);
    shop_free(&shop);
    return 0;
}

static void eight_processes_add_up_exactly(void **state)
{
    (void)state;
    struct shop shop = shop_of();
    struct errand *errand = errand_of(&shop, 2000);
    int64_t sum;
    send_children(add_often, errand, 8);
    assert_int_equal(pool_dict_add(shop.dict, text("sum"), 0, &sum), 0);
    assert_int_equal(sum, 8 * (2000 * 2001 / 2));
    close(errand->fd);
    shop_free(&shop);
}

/* A change that no call makes: get, compute, replace, and again if another was faster. */
static int append_by_replacing(void *data)
{
    struct errand *errand = data;
    struct shop shop;
    struct pool_message message = POOL_MESSAGE_INIT;
    const char letter = (char)('a' + atomic_fetch_add(&errand->number, 1));
    EXPECT(shop_open(errand->fd, &shop) == 0);
    for (int i = 0; i < errand->times; i++) {
        int r;
        do {
            char longer[4096];
            EXPECT(pool_dict_get(shop.dict, text("text"), &message) == 0);
            EXPECT(message.size_bytes < sizeof(longer));
            if (message.size_bytes > 0)
                memcpy(longer, message.data, message.size_bytes);
            longer[message.size_bytes] = letter;
            r = pool_dict_replace(shop.dict, text("text"),
                                  (struct pool_bytes){message.data, message.size_bytes},
                                  (struct pool_bytes){longer, message.size_bytes + 1});
        } while (r == -EAGAIN);
        EXPECT(r == 0);
    }
    pool_message_done(&message);
    shop_free(&shop);
    return 0;
}

static void changes_by_replacing_are_not_lost(void **state)
{
    (void)state;
    enum { CHILDREN = 4, TIMES = 200 };
    struct shop shop = shop_of();
    struct pool_message message = POOL_MESSAGE_INIT;
    int counts[CHILDREN] = {0};
    struct errand *errand = errand_of(&shop, TIMES);
    assert_int_equal(pool_dict_set(shop.dict, text("text"), text("")), 0);
    send_children(append_by_replacing, errand, CHILDREN);
    assert_int_equal(pool_dict_get(shop.dict, text("text"), &message), 0);
    assert_int_equal(message.size_bytes, CHILDREN * TIMES);
    for (size_t i = 0; i < message.size_bytes; i++)
        counts[((char *)message.data)[i] - 'a']++;
    for (int i = 0; i < CHILDREN; i++)
        assert_int_equal(counts[i], TIMES);
    pool_message_done(&message);
    close(errand->fd);
    shop_free(&shop);
}

/* Extends and copies are of one moment: a copy has all of a group, or nothing of it. */
static int extend_in_groups(void *data)
{
    struct errand *errand = data;
    struct shop shop;
    const int self = atomic_fetch_add(&errand->number, 1);
    struct pool_bytes group[7];
    EXPECT(shop_open(errand->fd, &shop) == 0);
    for (int i = 0; i < errand->times; i++) {
        const int number = self * errand->times + i;
        for (size_t at = 0; at < 7; at++)
            group[at] = (struct pool_bytes){&number, sizeof(number)};
        EXPECT(pool_list_extend(shop.list, group, 7) == 0);
        if (i % 10 == 0) {
            struct pool_entries items;
            EXPECT(pool_list_items(shop.list, &items) == 0);
            EXPECT(items.count % 7 == 0);
            for (size_t at = 0; at < items.count; at++)
                EXPECT(memcmp(items.entries[at].value.data, items.entries[at / 7 * 7].value.data,
                              sizeof(number)) == 0);
            pool_entries_done(&items);
        }
    }
    shop_free(&shop);
    return 0;
}

static void a_copy_is_of_one_moment(void **state)
{
    (void)state;
    struct shop shop = shop_of();
    struct errand *errand = errand_of(&shop, 100);
    send_children(extend_in_groups, errand, 4);
    expect_sizes(&shop, 0, 2800);
    close(errand->fd);
    shop_free(&shop);
}

/* Sets a value that is sometimes small, sometimes large. */
static int change_sizes(void *data)
{
    struct errand *errand = data;
    struct shop shop;
    uint8_t *bytes = bytes_of(500000, 1);
    EXPECT(shop_open(errand->fd, &shop) == 0);
    for (int i = 0; i < errand->times; i++)
        EXPECT(pool_dict_set(shop.dict, text("k"),
                             (struct pool_bytes){bytes, i % 2 ? 500000 : 70000}) == 0);
    atomic_fetch_add(&errand->arrived, 1);
    free(bytes);
    shop_free(&shop);
    return 0;
}

static void a_value_that_grows_while_it_is_asked_for_comes_whole(void **state)
{
    (void)state;
    struct shop shop = shop_of();
    struct errand *errand = errand_of(&shop, 500);
    struct pool_message message = POOL_MESSAGE_INIT;
    uint8_t *bytes = bytes_of(500000, 1);
    assert_int_equal(pool_dict_set(shop.dict, text("k"), (struct pool_bytes){bytes, 70000}), 0);
    pid_t child = fork_run(change_sizes, errand);
    while (atomic_load(&errand->arrived) == 0) {
        assert_int_equal(pool_dict_get(shop.dict, text("k"), &message), 0);
        assert_true(message.size_bytes == 70000 || message.size_bytes == 500000);
        assert_memory_equal(message.data, bytes, message.size_bytes);
    }
    assert_int_equal(fork_wait(child), 0);
    free(bytes);
    pool_message_done(&message);
    close(errand->fd);
    shop_free(&shop);
}

static int be_one_of_many(void *data)
{
    struct errand *errand = data;
    struct shop shop;
    EXPECT(shop_open(errand->fd, &shop) == 0);
    atomic_fetch_add(&errand->arrived, 1);
    wait_for_count(&errand->arrived, errand->times); /* all are there at once */
    EXPECT(pool_dict_add(shop.dict, text("n"), 1, NULL) == 0);
    shop_free(&shop);
    return 0;
}

static void two_hundred_clients_are_served_at_once(void **state)
{
    (void)state;
    struct shop shop = shop_of();
    struct errand *errand = errand_of(&shop, 200);
    int64_t sum;
    send_children(be_one_of_many, errand, 200);
    assert_int_equal(pool_dict_add(shop.dict, text("n"), 0, &sum), 0);
    assert_int_equal(sum, 200);
    close(errand->fd);
    shop_free(&shop);
}

/* Opens it, shares it again with a child of its own, and so on. */
static int pass_it_on(void *data)
{
    struct errand *errand = data;
    struct shop shop;
    EXPECT(shop_open(errand->fd, &shop) == 0);
    EXPECT(pool_manager_pid(shop.manager) == 0);
    EXPECT(pool_dict_add(shop.dict, text("depth"), 1, NULL) == 0);
    int status = 0;
    if (--errand->times > 0) {
        errand->fd = pool_manager_share(shop.manager);
        EXPECT(errand->fd >= 0);
        pid_t pid = fork();
        EXPECT(pid >= 0);
        if (pid == 0)
            _exit(pass_it_on(errand));
        status = fork_wait(pid);
    }
    shop_free(&shop);
    return status;
}

static void who_has_opened_it_can_share_it_again(void **state)
{
    (void)state;
    struct shop shop = shop_of();
    struct errand *errand = errand_of(&shop, 5);
    const int fd = errand->fd;
    int64_t sum;
    send_children(pass_it_on, errand, 1);
    assert_int_equal(pool_dict_add(shop.dict, text("depth"), 0, &sum), 0);
    assert_int_equal(sum, 5);
    close(fd);
    shop_free(&shop);
}

static const struct pool_task list[] = {{"fun1", fun1_task}, {"own", own_task}};
static const struct pool_tasks tasks = {list, sizeof(list) / sizeof(list[0])};

static const struct test_case tests[] = {
    TEST(ten_processes_change_a_dict_and_a_list),
    TEST(ten_processes_of_the_librarys_do_the_same),
    TEST(tasks_of_a_pool_do_the_same),
    TEST(a_task_may_have_a_manager_of_its_own),
    TEST(eight_processes_add_up_exactly),
    TEST(changes_by_replacing_are_not_lost),
    TEST(a_copy_is_of_one_moment),
    TEST(a_value_that_grows_while_it_is_asked_for_comes_whole),
    TEST_LONG(two_hundred_clients_are_served_at_once, 60000),
    TEST(who_has_opened_it_can_share_it_again),
};

int main(int argc, char **argv)
{
    if (pool_main(argc, argv, &tasks) < 0)
        return 2;
    fault_is_host();
    return test_run("manager_processes", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
