/* The data of a manager's list. */
#include "isolate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pool/list_store_priv.h>

#include "fault.h"
#include "forks.h"

#define UNLIMITED ((size_t)1 << 40)

static struct pool_bytes text(const char *text)
{
    return (struct pool_bytes){text, strlen(text)};
}

static void list_of(struct list_store *list, struct store_budget *budget, size_t max)
{
    *budget = (struct store_budget){.max = max};
    pool_list_store_init(list, budget);
}

/* What is in it, with a comma after each. */
static void expect(const struct list_store *list, const char *all)
{
    char got[200] = "";
    for (size_t i = 0; i < list->count; i++) {
        const struct pool_bytes item = pool_list_store_get(list, i);
        snprintf(got + strlen(got), sizeof(got) - strlen(got), "%.*s,", (int)item.size_bytes,
                 item.size_bytes > 0 ? (const char *)item.data : "");
    }
    assert_string_equal(got, all);
}

static void items_are_where_they_were_put(void **state)
{
    (void)state;
    struct store_budget budget;
    struct list_store list;
    const struct pool_bytes three[] = {text("x"), text(""), text("z")};
    list_of(&list, &budget, UNLIMITED);
    assert_int_equal(pool_list_store_insert(&list, 0, three, 0), 0);
    expect(&list, "");
    assert_int_equal(pool_list_store_insert(&list, 0, &(struct pool_bytes){"b", 1}, 1), 0);
    assert_int_equal(pool_list_store_insert(&list, 0, &(struct pool_bytes){"a", 1}, 1), 0);
    assert_int_equal(pool_list_store_insert(&list, 2, &(struct pool_bytes){"c", 1}, 1), 0);
    expect(&list, "a,b,c,");
    assert_int_equal(pool_list_store_insert(&list, 1, three, 3), 0);
    expect(&list, "a,x,,z,b,c,");
    assert_int_equal(pool_list_store_set(&list, 2, text("why")), 0);
    expect(&list, "a,x,why,z,b,c,");
    pool_list_store_remove(&list, 0);
    pool_list_store_remove(&list, 4);
    pool_list_store_remove(&list, 1);
    expect(&list, "x,z,b,");
    pool_list_store_done(&list);
    expect(&list, "");
    assert_int_equal(budget.used, 0);
    assert_int_equal(pool_list_store_insert(&list, 0, three, 1), 0); /* it can be used again */
    expect(&list, "x,");
    pool_list_store_done(&list);
}

/* ---- Beside a model ------------------------------------------------------------------------ */

enum { MODEL_MAX = 500, VALUE_MAX = 30, GROUP_MAX = 20 };

static void compare(const struct list_store *list, const unsigned *model, size_t count,
                    const struct store_budget *budget)
{
    size_t cost = 0;
    assert_int_equal(list->count, count);
    for (size_t i = 0; i < count; i++) {
        const struct pool_bytes item = pool_list_store_get(list, i);
        assert_int_equal(item.size_bytes, sizeof(unsigned) + model[i] % VALUE_MAX);
        assert_memory_equal(item.data, &model[i], sizeof(unsigned));
        cost += LIST_STORE_OVERHEAD + item.size_bytes;
    }
    assert_int_equal(budget->used, cost);
    assert_true(list->first + list->count <= list->room);
    assert_true(list->room <= 8 * list->count + 64);
}

static void it_is_a_list(void **state)
{
    (void)state;
    static unsigned model[MODEL_MAX + GROUP_MAX];
    static char bytes[GROUP_MAX][sizeof(unsigned) + VALUE_MAX];
    struct store_budget budget;
    struct list_store list;
    size_t count = 0;
    unsigned seed = test_seed();
    list_of(&list, &budget, UNLIMITED);
    for (unsigned step = 0; step < 100000; step++) {
        const unsigned eagerness = step / 5000 % 4 * 2 + 2;
        const unsigned dice = (unsigned)rand_r(&seed);
        /* Often at an end, as lists are used. */
        size_t at = dice / 16 % 3 == 0 ? 0 : dice / 16 % 3 == 1 ? count : dice / 64 % (count + 1);
        struct pool_bytes values[GROUP_MAX];
        const size_t group = dice % 16 == 0 ? (unsigned)rand_r(&seed) % GROUP_MAX : 1;
        for (size_t i = 0; i < group; i++) {
            const unsigned number = (unsigned)rand_r(&seed);
            memcpy(bytes[i], &number, sizeof(number));
            values[i] = (struct pool_bytes){bytes[i], sizeof(number) + number % VALUE_MAX};
        }
        if (dice / 2048 % 10 < eagerness && count + group <= MODEL_MAX) {
            assert_int_equal(pool_list_store_insert(&list, at, values, group), 0);
            memmove(&model[at + group], &model[at], (count - at) * sizeof(model[0]));
            for (size_t i = 0; i < group; i++)
                memcpy(&model[at + i], bytes[i], sizeof(unsigned));
            count += group;
        } else if (count > 0) {
            at = at == count ? count - 1 : at;
            if (dice % 5 == 0 && group > 0) {
                assert_int_equal(pool_list_store_set(&list, at, values[0]), 0);
                memcpy(&model[at], bytes[0], sizeof(unsigned));
            } else {
                pool_list_store_remove(&list, at);
                memmove(&model[at], &model[at + 1], (count - at - 1) * sizeof(model[0]));
                count--;
            }
        }
        if (step % 9973 == 0) {
            pool_list_store_done(&list);
            count = 0;
        }
        if (step % 50 == 0)
            compare(&list, model, count, &budget);
    }
    compare(&list, model, count, &budget);
    pool_list_store_done(&list);
    assert_int_equal(budget.used, 0);
}

/* An array that moves all for each would make this take minutes. */
static void both_ends_are_quick_however_long_it_is(void **state)
{
    (void)state;
    struct store_budget budget;
    struct list_store list;
    const unsigned count = 300000;
    list_of(&list, &budget, UNLIMITED);
    for (unsigned i = 0; i < count; i++) {
        const struct pool_bytes value = {&i, sizeof(i)};
        assert_int_equal(pool_list_store_insert(&list, 0, &value, 1), 0);
        assert_int_equal(pool_list_store_insert(&list, list.count, &value, 1), 0);
    }
    for (unsigned i = count; i-- > 0;) { /* as a queue: put at one end, take from the other */
        assert_memory_equal(pool_list_store_get(&list, 0).data, &i, sizeof(i));
        pool_list_store_remove(&list, 0);
        assert_int_equal(
            pool_list_store_insert(&list, list.count, &(struct pool_bytes){&i, sizeof(i)}, 1), 0);
    }
    assert_int_equal(list.count, 2 * count);
    while (list.count > 0)
        pool_list_store_remove(&list, list.count - 1);
    assert_int_equal(budget.used, 0);
    assert_true(list.room <= 64);
    pool_list_store_done(&list);
}

/* ---- Shortage ------------------------------------------------------------------------------ */

static void what_does_not_fit_changes_nothing(void **state)
{
    (void)state;
    struct store_budget budget;
    struct list_store list;
    const struct pool_bytes two[] = {text("12345"), text("123456")};
    const struct pool_bytes endless[] = {{"", SIZE_MAX}, {"", SIZE_MAX}};
    list_of(&list, &budget, 2 * LIST_STORE_OVERHEAD + 10);
    assert_int_equal(pool_list_store_insert(&list, 0, two, 2), -ENOSPC);
    assert_int_equal(pool_list_store_insert(&list, 0, endless, 2), -ENOSPC); /* not looked at */
    assert_int_equal(pool_list_store_insert(&list, 0, two, SIZE_MAX), -ENOSPC);
    expect(&list, "");
    assert_int_equal(budget.used, 0);
    assert_int_equal(pool_list_store_insert(&list, 0, two, 1), 0);
    assert_int_equal(pool_list_store_insert(&list, 0, two, 1), 0);
    assert_int_equal(budget.used, budget.max);
    assert_int_equal(pool_list_store_set(&list, 0, two[1]), -ENOSPC);
    assert_int_equal(pool_list_store_insert(&list, 0, &(struct pool_bytes){NULL, 0}, 1), -ENOSPC);
    expect(&list, "12345,12345,");
    assert_int_equal(pool_list_store_set(&list, 0, text("1")), 0); /* less is fine */
    assert_int_equal(budget.used, budget.max - 4);
    pool_list_store_remove(&list, 0);
    assert_int_equal(pool_list_store_insert(&list, 1, two, 1), 0);
    expect(&list, "12345,12345,");
    pool_list_store_done(&list);
    assert_int_equal(budget.used, 0);
}

static void each_allocation_that_fails_changes_nothing(void **state)
{
    (void)state;
    static const enum fault faults[] = {FAULT_MALLOC, FAULT_CALLOC};
    const struct pool_bytes three[] = {text("x"), text("y"), text("z")};
    for (size_t which = 0; which < 2; which++) {
        struct store_budget budget;
        struct list_store list;
        int failures = 0;
        list_of(&list, &budget, UNLIMITED);
        for (unsigned i = 0; i < 60; i++) {
            for (int nth = 0, fired = 1; fired; nth++) {
                const size_t used = budget.used;
                fault_arm(faults[which], nth, 1);
                int r = pool_list_store_insert(&list, i % 2 ? 0 : list.count / 2, three, 3);
                fired = fault_disarm();
                assert_int_equal(r, fired ? -ENOMEM : 0);
                failures += fired;
                if (fired) {
                    assert_int_equal(budget.used, used);
                    assert_int_equal(list.count, 3 * i);
                    for (size_t item = 0; item < list.count; item++)
                        assert_int_equal(pool_list_store_get(&list, item).size_bytes, 1);
                }
            }
            fault_arm(faults[which], 0, 1);
            int r = pool_list_store_set(&list, 0, text("longer"));
            assert_int_equal(r, fault_disarm() ? -ENOMEM : 0);
            assert_int_equal(pool_list_store_set(&list, 0, text("a")), 0);
        }
        assert_true(failures > 0);
        fault_arm(faults[which], 0, 1000000); /* removing needs none */
        while (list.count > 0)
            pool_list_store_remove(&list, list.count / 2);
        fault_disarm();
        assert_int_equal(budget.used, 0);
        pool_list_store_done(&list);
    }
}

static const struct test_case tests[] = {
    TEST(items_are_where_they_were_put),
    TEST(it_is_a_list),
    TEST(both_ends_are_quick_however_long_it_is),
    TEST(what_does_not_fit_changes_nothing),
    TEST(each_allocation_that_fails_changes_nothing),
};

int main(int argc, char **argv)
{
    fault_is_host();
    return test_run("list_store", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
