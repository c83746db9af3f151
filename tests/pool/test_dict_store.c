/* The data of a manager's dict. */
#include "isolate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pool/dict_store_priv.h>

#include "fault.h"
#include "forks.h"

#define UNLIMITED ((size_t)1 << 40)

static struct pool_bytes text(const char *text)
{
    return (struct pool_bytes){text, strlen(text)};
}

static void dict_of(struct dict_store *dict, struct store_budget *budget, size_t max)
{
    struct hash_secret secret;
    assert_int_equal(pool_hash_secret_draw(&secret), 0);
    *budget = (struct store_budget){.max = max};
    pool_dict_store_init(dict, budget, &secret);
}

static void expect_there(const struct dict_store *dict, struct pool_bytes key,
                         struct pool_bytes value)
{
    struct pool_bytes got;
    assert_true(pool_dict_store_get(dict, key, &got));
    assert_int_equal(got.size_bytes, value.size_bytes);
    if (value.size_bytes > 0)
        assert_memory_equal(got.data, value.data, value.size_bytes);
}

static void what_was_set_is_there(void **state)
{
    (void)state;
    struct store_budget budget;
    struct dict_store dict;
    const struct pool_bytes empty = {NULL, 0};
    dict_of(&dict, &budget, UNLIMITED);
    assert_false(pool_dict_store_get(&dict, text("a"), NULL));
    assert_false(pool_dict_store_remove(&dict, text("a")));
    assert_int_equal(pool_dict_store_set(&dict, text("a"), text("one")), 0);
    assert_int_equal(pool_dict_store_set(&dict, text("b"), empty), 0);
    assert_int_equal(pool_dict_store_set(&dict, empty, text("nothing's")), 0);
    assert_int_equal(dict.size, 3);
    expect_there(&dict, text("a"), text("one"));
    expect_there(&dict, text("b"), empty);
    expect_there(&dict, empty, text("nothing's"));
    assert_int_equal(pool_dict_store_set(&dict, text("a"), text("other")), 0);
    assert_int_equal(dict.size, 3);
    expect_there(&dict, text("a"), text("other"));
    assert_true(pool_dict_store_remove(&dict, empty));
    assert_false(pool_dict_store_get(&dict, empty, NULL));
    assert_int_equal(dict.size, 2);
    pool_dict_store_done(&dict);
    assert_int_equal(dict.size, 0);
    assert_int_equal(budget.used, 0);
    assert_int_equal(pool_dict_store_set(&dict, text("a"), text("again")), 0); /* it can be used */
    expect_there(&dict, text("a"), text("again"));
    pool_dict_store_done(&dict);
}

static void keys_are_bytes_with_zeros_in_them(void **state)
{
    (void)state;
    struct store_budget budget;
    struct dict_store dict;
    dict_of(&dict, &budget, UNLIMITED);
    assert_int_equal(pool_dict_store_set(&dict, (struct pool_bytes){"a\0b", 3}, text("1")), 0);
    assert_int_equal(pool_dict_store_set(&dict, (struct pool_bytes){"a\0c", 3}, text("2")), 0);
    assert_int_equal(pool_dict_store_set(&dict, (struct pool_bytes){"a\0", 2}, text("3")), 0);
    assert_int_equal(dict.size, 3);
    expect_there(&dict, (struct pool_bytes){"a\0b", 3}, text("1"));
    expect_there(&dict, (struct pool_bytes){"a\0c", 3}, text("2"));
    expect_there(&dict, (struct pool_bytes){"a\0", 2}, text("3"));
    pool_dict_store_done(&dict);
}

/* ---- Beside a model ------------------------------------------------------------------------ */

/* The plainest thing that does the same. */
enum { MODEL_KEYS = 300 };
struct model {
    struct {
        unsigned key;
        char value[40];
        size_t size;
    } entries[MODEL_KEYS];
    size_t count;
};

static size_t model_find(const struct model *model, unsigned key)
{
    size_t at = 0;
    while (at < model->count && model->entries[at].key != key)
        at++;
    return at;
}

static void model_set(struct model *model, unsigned key, struct pool_bytes value)
{
    size_t at = model_find(model, key);
    if (at == model->count)
        model->count++;
    model->entries[at].key = key;
    model->entries[at].size = value.size_bytes;
    memcpy(model->entries[at].value, value.data, value.size_bytes);
}

static void model_remove(struct model *model, size_t at)
{
    memmove(&model->entries[at], &model->entries[at + 1],
            (model->count - at - 1) * sizeof(model->entries[0]));
    model->count--;
}

static void compare(const struct model *model, const struct dict_store *dict,
                    const struct store_budget *budget)
{
    struct pool_bytes key, value;
    size_t cursor = 0, cost = 0;
    assert_int_equal(dict->size, model->count);
    for (size_t i = 0; i < model->count; i++) {
        assert_true(pool_dict_store_next(dict, &cursor, &key, &value));
        assert_int_equal(key.size_bytes, sizeof(unsigned));
        assert_memory_equal(key.data, &model->entries[i].key, sizeof(unsigned));
        assert_int_equal(value.size_bytes, model->entries[i].size);
        if (value.size_bytes > 0)
            assert_memory_equal(value.data, model->entries[i].value, value.size_bytes);
        cost += DICT_STORE_OVERHEAD + key.size_bytes + value.size_bytes;
    }
    assert_false(pool_dict_store_next(dict, &cursor, &key, &value));
    assert_int_equal(budget->used, cost);
    /* Never so full that a search does not end, never much larger than needed. */
    assert_true(dict->entry_count <= dict->entry_room);
    assert_true(dict->entry_room * 3 <= dict->slot_count * 2);
    assert_true(dict->entry_room <= 8 * dict->size + 16);
}

static void it_is_a_dict_in_the_order_of_first_setting(void **state)
{
    (void)state;
    static struct model model;
    struct store_budget budget;
    struct dict_store dict;
    unsigned seed = test_seed();
    dict_of(&dict, &budget, UNLIMITED);
    for (int step = 0; step < 100000; step++) {
        /* Sometimes more is set than removed, sometimes less. */
        const unsigned eagerness = (unsigned)(step / 5000 % 4) * 2 + 2;
        const unsigned key = (unsigned)rand_r(&seed) % MODEL_KEYS, dice = (unsigned)rand_r(&seed);
        const size_t at = model_find(&model, key);
        const struct pool_bytes key_bytes = {&key, sizeof(key)};
        char bytes[40];
        memset(bytes, 'a' + (int)(dice % 26), sizeof(bytes));
        const struct pool_bytes value = {bytes, dice / 32 % (sizeof(bytes) + 1)};
        if (dice / 2048 % 10 < eagerness) {
            assert_int_equal(pool_dict_store_set(&dict, key_bytes, value), 0);
            model_set(&model, key, value);
        } else {
            assert_int_equal(pool_dict_store_remove(&dict, key_bytes), at < model.count);
            if (at < model.count)
                model_remove(&model, at);
        }
        if (step % 9973 == 0) {
            pool_dict_store_done(&dict);
            model.count = 0;
        }
        if (step % 50 == 0)
            compare(&model, &dict, &budget);
        const size_t now = model_find(&model, key);
        if (now == model.count)
            assert_false(pool_dict_store_get(&dict, key_bytes, NULL));
        else
            expect_there(&dict, key_bytes,
                         (struct pool_bytes){model.entries[now].value, model.entries[now].size});
    }
    compare(&model, &dict, &budget);
    pool_dict_store_done(&dict);
    assert_int_equal(budget.used, 0);
}

/* A hash that puts all keys into one place would make this take hours. */
static void many_keys_are_found_quickly(void **state)
{
    (void)state;
    struct store_budget budget;
    struct dict_store dict;
    const uint64_t count = 200000;
    dict_of(&dict, &budget, UNLIMITED);
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t key = i << 32; /* all alike to a hash that takes the lowest bits */
        assert_int_equal(pool_dict_store_set(&dict, (struct pool_bytes){&key, sizeof(key)},
                                             (struct pool_bytes){&i, sizeof(i)}),
                         0);
    }
    assert_int_equal(dict.size, count);
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t key = i << 32;
        expect_there(&dict, (struct pool_bytes){&key, sizeof(key)},
                     (struct pool_bytes){&i, sizeof(i)});
    }
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t key = i << 32;
        assert_true(pool_dict_store_remove(&dict, (struct pool_bytes){&key, sizeof(key)}));
    }
    assert_int_equal(dict.size, 0);
    assert_int_equal(budget.used, 0);
    assert_true(dict.entry_room <= 16);
    pool_dict_store_done(&dict);
}

/* ---- Shortage ------------------------------------------------------------------------------ */

static void what_does_not_fit_changes_nothing(void **state)
{
    (void)state;
    struct store_budget budget;
    struct dict_store dict;
    const struct pool_bytes endless = {"", SIZE_MAX};
    dict_of(&dict, &budget, DICT_STORE_OVERHEAD + 10);
    assert_int_equal(pool_dict_store_set(&dict, text("key"), text("12345678")), -ENOSPC);
    assert_int_equal(budget.used, 0);
    assert_int_equal(dict.size, 0);
    assert_int_equal(pool_dict_store_set(&dict, text("key"), text("1234567")), 0);
    assert_int_equal(budget.used, budget.max);
    assert_int_equal(pool_dict_store_set(&dict, text("key"), text("12345678")), -ENOSPC);
    expect_there(&dict, text("key"), text("1234567"));
    assert_int_equal(pool_dict_store_set(&dict, text(""), text("")), -ENOSPC);
    assert_int_equal(pool_dict_store_set(&dict, text("b"), endless), -ENOSPC); /* not looked at */
    assert_int_equal(pool_dict_store_set(&dict, text("key"), endless), -ENOSPC);
    assert_int_equal(dict.size, 1);
    assert_int_equal(pool_dict_store_set(&dict, text("key"), text("12")), 0); /* less is fine */
    assert_int_equal(budget.used, budget.max - 5);
    assert_int_equal(pool_dict_store_set(&dict, text("key"), text("1234567")), 0);
    assert_int_equal(budget.used, budget.max);
    pool_dict_store_done(&dict);
    assert_int_equal(budget.used, 0);
}

static void each_allocation_that_fails_changes_nothing(void **state)
{
    (void)state;
    static const enum fault faults[] = {FAULT_MALLOC, FAULT_CALLOC};
    for (size_t which = 0; which < 2; which++) {
        struct store_budget budget;
        struct dict_store dict;
        dict_of(&dict, &budget, UNLIMITED);
        int failures = 0;
        for (unsigned i = 0; i < 100; i++) {
            const struct pool_bytes key = {&i, sizeof(i)};
            for (int nth = 0, fired = 1; fired; nth++) {
                const size_t used = budget.used;
                fault_arm(faults[which], nth, 1);
                int r = pool_dict_store_set(&dict, key, text("value"));
                fired = fault_disarm();
                assert_int_equal(r, fired ? -ENOMEM : 0);
                if (fired) {
                    failures++;
                    assert_int_equal(budget.used, used);
                    assert_int_equal(dict.size, i);
                    assert_false(pool_dict_store_get(&dict, key, NULL));
                }
            }
            fault_arm(faults[which], 0, 100);
            int r = pool_dict_store_set(&dict, key, text("a longer value"));
            const bool fired = fault_disarm();
            assert_int_equal(r, fired ? -ENOMEM : 0);
            expect_there(&dict, key, fired ? text("value") : text("a longer value"));
        }
        assert_true(failures > 0);
        /* Removing needs no memory, though it would like some. */
        fault_arm(faults[which], 0, 1000000);
        for (unsigned i = 0; i < 100; i++)
            if (!pool_dict_store_remove(&dict, (struct pool_bytes){&i, sizeof(i)}))
                break;
        fault_disarm();
        assert_int_equal(dict.size, 0);
        assert_int_equal(budget.used, 0);
        pool_dict_store_done(&dict);
    }
}

static const struct test_case tests[] = {
    TEST(what_was_set_is_there),
    TEST(keys_are_bytes_with_zeros_in_them),
    TEST(it_is_a_dict_in_the_order_of_first_setting),
    TEST(many_keys_are_found_quickly),
    TEST(what_does_not_fit_changes_nothing),
    TEST(each_allocation_that_fails_changes_nothing),
};

int main(int argc, char **argv)
{
    fault_is_host();
    return test_run("dict_store", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
