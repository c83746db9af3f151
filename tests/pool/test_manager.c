/* Managers: what their dicts and lists do. */
#include "isolate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pool/manager.h>
#include <pool/pool.h>

#include "fault.h"
#include "forks.h"
#include "manager_shop.h"

/* ---- Dicts --------------------------------------------------------------------------------- */

static void a_dict_keeps_what_was_set(void **state)
{
    (void)state;
    struct shop shop = shop_of();
    struct pool_message message = POOL_MESSAGE_INIT;
    assert_int_equal(pool_dict_contains(shop.dict, text("a")), 0);
    assert_int_equal(pool_dict_get(shop.dict, text("a"), &message), -ENOENT);
    assert_int_equal(pool_dict_pop(shop.dict, text("a"), &message), -ENOENT);
    assert_int_equal(pool_dict_pop(shop.dict, text("a"), NULL), -ENOENT);
    assert_int_equal(pool_dict_set(shop.dict, text("a"), text("one")), 0);
    assert_int_equal(pool_dict_set(shop.dict, text(""), text("")), 0);
    assert_int_equal(pool_dict_set(shop.dict, text("b"), text("two")), 0);
    assert_int_equal(pool_dict_contains(shop.dict, text("a")), 1);
    assert_int_equal(pool_dict_contains(shop.dict, text("")), 1);
    expect_there(shop.dict, "a", "one");
    expect_there(shop.dict, "", "");
    expect_sizes(&shop, 3, 0);
    assert_int_equal(pool_dict_set(shop.dict, text("a"), text("another")), 0);
    expect_dict(shop.dict, "a:another,:,b:two,"); /* it keeps its place */
    assert_int_equal(pool_dict_pop(shop.dict, text("a"), &message), 0);
    expect_message(&message, text("another"));
    assert_int_equal(pool_dict_pop(shop.dict, text(""), NULL), 0);
    assert_int_equal(pool_dict_set(shop.dict, text("a"), text("again")), 0);
    expect_dict(shop.dict, "b:two,a:again,"); /* and has a new one now */
    assert_int_equal(pool_dict_clear(shop.dict), 0);
    expect_dict(shop.dict, "");
    expect_sizes(&shop, 0, 0);
    assert_int_equal(pool_dict_set(shop.dict, text("a"), text("after all")), 0);
    expect_there(shop.dict, "a", "after all");
    pool_message_done(&message);
    shop_free(&shop);
}

static void what_is_not_there_leaves_the_message_as_it_was(void **state)
{
    (void)state;
    struct shop shop = shop_of();
    struct pool_message message = POOL_MESSAGE_INIT;
    assert_int_equal(pool_dict_set(shop.dict, text("a"), text("one")), 0);
    assert_int_equal(pool_dict_get(shop.dict, text("a"), &message), 0);
    const struct pool_message before = message;
    assert_int_equal(pool_dict_get(shop.dict, text("b"), &message), -ENOENT);
    assert_int_equal(pool_dict_pop(shop.dict, text("b"), &message), -ENOENT);
    assert_int_equal(pool_list_get(shop.list, 0, &message), -ERANGE);
    assert_int_equal(pool_list_pop(shop.list, 0, &message), -ERANGE);
    assert_memory_equal(&message, &before, sizeof(before));
    expect_message(&message, text("one"));
    pool_message_done(&message);
    shop_free(&shop);
}

static void adding_is_one_step_and_knows_its_limits(void **state)
{
    (void)state;
    struct shop shop = shop_of();
    int64_t sum = 77, number = 40;
    assert_int_equal(pool_dict_add(shop.dict, text("n"), 5, &sum), 0);
    assert_int_equal(sum, 5); /* what is missing counts as 0 */
    assert_int_equal(pool_dict_add(shop.dict, text("n"), -12, &sum), 0);
    assert_int_equal(sum, -7);
    assert_int_equal(pool_dict_add(shop.dict, text("n"), 1, NULL), 0);
    assert_int_equal(pool_dict_add(shop.dict, text("n"), 0, &sum), 0);
    assert_int_equal(sum, -6);
    assert_int_equal(
        pool_dict_set(shop.dict, text("m"), (struct pool_bytes){&number, sizeof(number)}), 0);
    assert_int_equal(pool_dict_add(shop.dict, text("m"), 2, &sum), 0);
    assert_int_equal(sum, 42);
    assert_int_equal(pool_dict_add(shop.dict, text("m"), INT64_MAX, &sum), -ERANGE);
    assert_int_equal(sum, 42);
    assert_int_equal(pool_dict_add(shop.dict, text("m"), INT64_MAX - 42, &sum), 0);
    assert_true(sum == INT64_MAX);
    assert_int_equal(pool_dict_add(shop.dict, text("k"), INT64_MIN, &sum), 0);
    assert_true(sum == INT64_MIN);
    assert_int_equal(pool_dict_add(shop.dict, text("k"), -1, &sum), -ERANGE);
    assert_int_equal(pool_dict_set(shop.dict, text("s"), text("seven77")), 0);
    assert_int_equal(pool_dict_add(shop.dict, text("s"), 1, &sum), -EINVAL);
    expect_there(shop.dict, "s", "seven77");
    shop_free(&shop);
}

static void replacing_happens_only_to_what_was_expected(void **state)
{
    (void)state;
    struct shop shop = shop_of();
    assert_int_equal(pool_dict_replace(shop.dict, text("a"), text(""), text("x")), -ENOENT);
    assert_int_equal(pool_dict_set(shop.dict, text("a"), text("one")), 0);
    assert_int_equal(pool_dict_replace(shop.dict, text("a"), text("two"), text("x")), -EAGAIN);
    assert_int_equal(pool_dict_replace(shop.dict, text("a"), text("on"), text("x")), -EAGAIN);
    assert_int_equal(pool_dict_replace(shop.dict, text("a"), text("one "), text("x")), -EAGAIN);
    assert_int_equal(pool_dict_replace(shop.dict, text("a"), text(""), text("x")), -EAGAIN);
    expect_there(shop.dict, "a", "one");
    assert_int_equal(pool_dict_replace(shop.dict, text("a"), text("one"), text("")), 0);
    expect_there(shop.dict, "a", "");
    assert_int_equal(pool_dict_replace(shop.dict, text("a"), text(""), text("three")), 0);
    expect_there(shop.dict, "a", "three");
    shop_free(&shop);
}

static void a_default_is_set_once(void **state)
{
    (void)state;
    struct shop shop = shop_of();
    struct pool_message message = POOL_MESSAGE_INIT;
    const int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    message.fds[message.fd_count++] = fd; /* of whatever came before */
    assert_int_equal(pool_dict_set_default(shop.dict, text("a"), text("one"), &message), 1);
    expect_message(&message, text("one"));
    assert_true(fcntl(fd, F_GETFD) < 0);
    assert_int_equal(pool_dict_set_default(shop.dict, text("a"), text("two"), &message), 0);
    expect_message(&message, text("one"));
    assert_int_equal(pool_dict_set_default(shop.dict, text("a"), text("two"), NULL), 0);
    assert_int_equal(pool_dict_set_default(shop.dict, text("b"), text("three"), NULL), 1);
    assert_int_equal(pool_dict_set_default(shop.dict, text("c"), text(""), &message), 1);
    expect_message(&message, text(""));
    expect_dict(shop.dict, "a:one,b:three,c:,");
    pool_message_done(&message);
    shop_free(&shop);
}

static void a_request_may_lie_in_the_message_that_gets_its_answer(void **state)
{
    (void)state;
    struct shop shop = shop_of();
    struct pool_message message = POOL_MESSAGE_INIT;
    uint8_t *large = bytes_of(300000, 1);
    assert_int_equal(pool_dict_set(shop.dict, text("a"), text("b")), 0);
    assert_int_equal(pool_dict_set(shop.dict, text("b"), text("c")), 0);
    assert_int_equal(pool_dict_set(shop.dict, text("c"), (struct pool_bytes){large, 300000}), 0);
    assert_int_equal(pool_dict_get(shop.dict, text("a"), &message), 0);
    for (int i = 0; i < 2; i++) /* small, then large */
        assert_int_equal(pool_dict_get(shop.dict,
                                       (struct pool_bytes){message.data, message.size_bytes},
                                       &message),
                         0);
    expect_message(&message, (struct pool_bytes){large, 300000});
    assert_int_equal(pool_dict_set_default(shop.dict, text("d"),
                                           (struct pool_bytes){message.data, message.size_bytes},
                                           &message),
                     1);
    expect_message(&message, (struct pool_bytes){large, 300000});
    assert_int_equal(pool_dict_pop(shop.dict, text("d"), &message), 0);
    expect_message(&message, (struct pool_bytes){large, 300000});
    pool_message_done(&message);
    free(large);
    shop_free(&shop);
}

static void values_and_keys_of_every_size_come_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {0,      1,      65400,   65480,        65500,  65535,
                                   65536,  65537,  66000,   131072,       200000, 212992,
                                   300000, 999999, 1 << 20, (5 << 20) + 1};
    struct shop shop = shop_of();
    struct pool_message message = POOL_MESSAGE_INIT;
    const int before = open_fds();
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint8_t *bytes = bytes_of(sizes[i], (unsigned)i);
        const struct pool_bytes value = {bytes, sizes[i]};
        assert_int_equal(pool_dict_set(shop.dict, text("k"), value), 0);
        assert_int_equal(pool_dict_get(shop.dict, text("k"), &message), 0);
        expect_message(&message, value);
        assert_int_equal((uintptr_t)message.data % _Alignof(max_align_t), 0);
        assert_int_equal(pool_dict_replace(shop.dict, text("k"), value, text("less")), 0);
        assert_int_equal(pool_dict_replace(shop.dict, text("k"), text("less"), value), 0);
        assert_int_equal(pool_dict_set_default(shop.dict, text("k"), text(""), &message), 0);
        expect_message(&message, value);
        assert_int_equal(pool_dict_pop(shop.dict, text("k"), &message), 0);
        expect_message(&message, value);
        assert_int_equal(pool_dict_set(shop.dict, value, text("a long key")), 0);
        assert_int_equal(pool_dict_contains(shop.dict, value), 1);
        assert_int_equal(pool_dict_get(shop.dict, value, &message), 0);
        expect_message(&message, text("a long key"));
        assert_int_equal(pool_dict_pop(shop.dict, value, NULL), 0);
        assert_int_equal(pool_list_append(shop.list, value), 0);
        assert_int_equal(pool_list_insert(shop.list, 0, value), 0);
        assert_int_equal(pool_list_set(shop.list, -1, text("")), 0);
        assert_int_equal(pool_list_set(shop.list, -1, value), 0);
        assert_int_equal(pool_list_get(shop.list, 0, &message), 0);
        expect_message(&message, value);
        for (int times = 0; times < 2; times++) {
            assert_int_equal(pool_list_pop(shop.list, -1, &message), 0);
            expect_message(&message, value);
        }
        expect_sizes(&shop, 0, 0);
        free(bytes);
    }
    assert_int_equal(open_fds(), before);
    pool_message_done(&message);
    shop_free(&shop);
}

/* ---- Lists --------------------------------------------------------------------------------- */

static void a_list_has_pythons_indexes(void **state)
{
    (void)state;
    struct shop shop = shop_of();
    struct pool_message message = POOL_MESSAGE_INIT;
    const struct pool_bytes more[] = {text("c"), text(""), text("e")};
    assert_int_equal(pool_list_get(shop.list, 0, &message), -ERANGE);
    assert_int_equal(pool_list_get(shop.list, -1, &message), -ERANGE);
    assert_int_equal(pool_list_set(shop.list, 0, text("x")), -ERANGE);
    assert_int_equal(pool_list_append(shop.list, text("a")), 0);
    assert_int_equal(pool_list_append(shop.list, text("b")), 0);
    assert_int_equal(pool_list_extend(shop.list, more, 3), 0);
    assert_int_equal(pool_list_extend(shop.list, NULL, 0), 0);
    expect_list(shop.list, "a,b,c,,e,");
    assert_int_equal(pool_list_get(shop.list, -5, &message), 0);
    expect_message(&message, text("a"));
    assert_int_equal(pool_list_get(shop.list, 4, &message), 0);
    expect_message(&message, text("e"));
    assert_int_equal(pool_list_get(shop.list, 3, &message), 0);
    expect_message(&message, text(""));
    assert_int_equal(pool_list_set(shop.list, 3, text("d")), 0);
    assert_int_equal(pool_list_set(shop.list, -1, text("E")), 0);
    expect_list(shop.list, "a,b,c,d,E,");
    static const ssize_t beyond[] = {5, -6, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pool_list_get(shop.list, beyond[i], &message), -ERANGE);
        assert_int_equal(pool_list_set(shop.list, beyond[i], text("x")), -ERANGE);
        assert_int_equal(pool_list_pop(shop.list, beyond[i], &message), -ERANGE);
        assert_int_equal(pool_list_pop(shop.list, beyond[i], NULL), -ERANGE);
    }
    assert_int_equal(pool_list_insert(shop.list, 1, text("1")), 0);
    assert_int_equal(pool_list_insert(shop.list, -1, text("2")), 0); /* before the last */
    assert_int_equal(pool_list_insert(shop.list, INT64_MIN, text("3")), 0);
    assert_int_equal(pool_list_insert(shop.list, INT64_MAX, text("4")), 0);
    expect_list(shop.list, "3,a,1,b,c,d,2,E,4,");
    assert_int_equal(pool_list_pop(shop.list, 0, &message), 0);
    expect_message(&message, text("3"));
    assert_int_equal(pool_list_pop(shop.list, -1, &message), 0);
    expect_message(&message, text("4"));
    assert_int_equal(pool_list_pop(shop.list, 5, NULL), 0);
    assert_int_equal(pool_list_pop(shop.list, -5, &message), 0);
    expect_message(&message, text("1"));
    expect_list(shop.list, "a,b,c,d,E,");
    expect_sizes(&shop, 0, 5);
    assert_int_equal(pool_list_clear(shop.list), 0);
    expect_list(shop.list, "");
    expect_sizes(&shop, 0, 0);
    pool_message_done(&message);
    shop_free(&shop);
}

static void a_copy_of_all_is_whole_however_large_it_is(void **state)
{
    (void)state;
    struct shop shop = shop_of();
    struct pool_bytes *values = calloc(50000, sizeof(values[0]));
    uint8_t *bytes = bytes_of(100000, 3);
    assert_non_null(values);
    for (unsigned i = 0; i < 50000; i++)
        values[i] = (struct pool_bytes){bytes + i, i % 1000 == 0 ? i : i % 40};
    static const size_t counts[] = {1, 3, 100, 3000, 50000};
    for (size_t which = 0; which < sizeof(counts) / sizeof(counts[0]); which++) {
        struct pool_entries items;
        assert_int_equal(pool_list_clear(shop.list), 0);
        assert_int_equal(pool_list_extend(shop.list, values, counts[which]), 0);
        assert_int_equal(pool_list_items(shop.list, &items), 0);
        assert_int_equal(items.count, counts[which]);
        for (size_t i = 0; i < items.count; i++) {
            expect_bytes(items.entries[i].value, values[i]);
            assert_int_equal((uintptr_t)items.entries[i].value.data % _Alignof(max_align_t), 0);
        }
        pool_entries_done(&items);
    }
    for (int i = 0; i < 2000; i++) {
        char key[20];
        snprintf(key, sizeof(key), "key %d", i);
        assert_int_equal(pool_dict_set(shop.dict, text(key), values[i]), 0);
    }
    struct pool_entries items;
    assert_int_equal(pool_dict_items(shop.dict, &items), 0);
    assert_int_equal(items.count, 2000);
    for (int i = 0; i < 2000; i++) {
        char key[20];
        snprintf(key, sizeof(key), "key %d", i);
        expect_bytes(items.entries[i].key, text(key));
        expect_bytes(items.entries[i].value, values[i]);
    }
    pool_entries_done(&items);
    free(bytes);
    free(values);
    shop_free(&shop);
}

/* ---- Names --------------------------------------------------------------------------------- */

static void a_name_leads_to_the_same_object_wherever_it_is_opened(void **state)
{
    (void)state;
    struct shop shop = shop_of();
    struct pool_dict *dict, *other;
    struct pool_list *list;
    char name[POOL_MANAGER_NAME_MAX + 2];
    assert_int_equal(pool_manager_dict(shop.manager, "dict", &dict), 0);
    assert_int_equal(pool_manager_dict(shop.manager, "list", &other), 0); /* of its own kind */
    assert_int_equal(pool_dict_set(dict, text("a"), text("one")), 0);
    expect_there(shop.dict, "a", "one");
    expect_dict(other, "");
    expect_list(shop.list, "");
    pool_dict_free(dict);
    pool_dict_free(other);
    expect_there(shop.dict, "a", "one"); /* what it held stays */
    memset(name, 'n', sizeof(name));
    name[POOL_MANAGER_NAME_MAX + 1] = '\0';
    assert_int_equal(pool_manager_dict(shop.manager, name, &dict), -EINVAL);
    assert_int_equal(pool_manager_list(shop.manager, name, &list), -EINVAL);
    assert_int_equal(pool_manager_dict(shop.manager, "", &dict), -EINVAL);
    assert_int_equal(pool_manager_list(shop.manager, NULL, &list), -EINVAL);
    name[POOL_MANAGER_NAME_MAX] = '\0';
    assert_int_equal(pool_manager_list(shop.manager, name, &list), 0);
    pool_list_free(list);
    pool_list_free(NULL);
    pool_dict_free(NULL);
    pool_manager_free(NULL);
    shop_free(&shop);
}

static void several_managers_do_not_meet(void **state)
{
    (void)state;
    enum { MANAGERS = 5 };
    struct shop shops[MANAGERS];
    for (int i = 0; i < MANAGERS; i++) {
        shops[i] = shop_of();
        assert_true(pool_manager_pid(shops[i].manager) > 0);
        for (int other = 0; other < i; other++)
            assert_int_not_equal(pool_manager_pid(shops[i].manager),
                                 pool_manager_pid(shops[other].manager));
        assert_int_equal(pool_dict_add(shops[i].dict, text("n"), i, NULL), 0);
    }
    for (int i = 0; i < MANAGERS; i += 2)
        shop_free(&shops[i]);
    for (int i = 1; i < MANAGERS; i += 2) {
        int64_t sum;
        assert_int_equal(pool_dict_add(shops[i].dict, text("n"), 100, &sum), 0);
        assert_int_equal(sum, 100 + i);
        shop_free(&shops[i]);
    }
}

static const struct test_case tests[] = {
    TEST(a_dict_keeps_what_was_set),
    TEST(what_is_not_there_leaves_the_message_as_it_was),
    TEST(adding_is_one_step_and_knows_its_limits),
    TEST(replacing_happens_only_to_what_was_expected),
    TEST(a_default_is_set_once),
    TEST(a_request_may_lie_in_the_message_that_gets_its_answer),
    TEST(values_and_keys_of_every_size_come_back),
    TEST(a_list_has_pythons_indexes),
    TEST(a_copy_of_all_is_whole_however_large_it_is),
    TEST(a_name_leads_to_the_same_object_wherever_it_is_opened),
    TEST(several_managers_do_not_meet),
};

int main(int argc, char **argv)
{
    if (pool_main(argc, argv, &shop_tasks) < 0)
        return 2;
    fault_is_host();
    return test_run("manager", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
