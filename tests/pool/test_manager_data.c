/* What requests do to a manager's dicts and lists, without a server around them. */
#include "isolate.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pool/manager_data_priv.h>

#include "fault.h"

#define UNLIMITED ((size_t)1 << 40)

static struct pool_bytes text(const char *text)
{
    return (struct pool_bytes){text, strlen(text)};
}

static void data_of(struct manager_data *data, size_t bytes_max)
{
    assert_int_equal(pool_manager_data_init(data, bytes_max), 0);
}

/* The answer to a command that is sound. */
static struct manager_answer ask(struct manager_data *data, struct manager_command command)
{
    struct manager_answer answer;
    assert_int_equal(pool_manager_data_do(data, &command, &answer), 0);
    return answer;
}

#define ASK(data, ...) ask((data), (struct manager_command){__VA_ARGS__})

static uint32_t dict_of(struct manager_data *data, const char *name)
{
    struct manager_answer answer = ASK(data, .operation = MANAGER_OPEN_DICT, .key = text(name));
    assert_int_equal(answer.code, 0);
    return (uint32_t)answer.number;
}

static uint32_t list_of(struct manager_data *data, const char *name)
{
    struct manager_answer answer = ASK(data, .operation = MANAGER_OPEN_LIST, .key = text(name));
    assert_int_equal(answer.code, 0);
    return (uint32_t)answer.number;
}

static void a_name_leads_to_one_object_of_each_kind(void **state)
{
    (void)state;
    struct manager_data data;
    data_of(&data, UNLIMITED);
    const uint32_t dict = dict_of(&data, "a"), list = list_of(&data, "a");
    assert_int_not_equal(dict, list);
    assert_int_equal(dict_of(&data, "a"), dict);
    assert_int_equal(list_of(&data, "a"), list);
    assert_int_not_equal(dict_of(&data, "b"), dict);
    for (int i = 0; i < 1000; i++) {
        char name[20];
        snprintf(name, sizeof(name), "object %d", i);
        list_of(&data, name);
    }
    assert_int_equal(list_of(&data, "a"), list);
    assert_int_equal(data.object_count, 1003);
    pool_manager_data_done(&data);
}

static void a_pop_happens_when_its_answer_has_been_delivered(void **state)
{
    (void)state;
    struct manager_data data;
    data_of(&data, UNLIMITED);
    const uint32_t dict = dict_of(&data, "d"), list = list_of(&data, "l");
    const struct manager_command pop_key = {
        .operation = MANAGER_DICT_POP, .object = dict, .key = text("key")};
    const struct manager_command pop_last = {
        .operation = MANAGER_LIST_POP, .object = list, .number = -1};
    assert_int_equal(ask(&data, pop_key).code, -ENOENT);
    assert_int_equal(ask(&data, pop_last).code, -ERANGE);
    ASK(&data, .operation = MANAGER_DICT_SET, .object = dict, .key = text("key"),
        .value = text("value"));
    ASK(&data, .operation = MANAGER_LIST_INSERT, .object = list, .value = text("item"));
    for (int i = 0; i < 2; i++) { /* looking changes nothing */
        struct manager_answer answer = ask(&data, pop_key);
        assert_int_equal(answer.code, 0);
        assert_memory_equal(answer.value.data, "value", 5);
        answer = ask(&data, pop_last);
        assert_int_equal(answer.code, 0);
        assert_memory_equal(answer.value.data, "item", 4);
    }
    pool_manager_data_delivered(&data, &pop_key);
    pool_manager_data_delivered(&data, &pop_last);
    assert_int_equal(ask(&data, pop_key).code, -ENOENT);
    assert_int_equal(ask(&data, pop_last).code, -ERANGE);
    pool_manager_data_done(&data);
}

static int append(void *to, const void *data, size_t size_bytes)
{
    struct store_value *all = to;
    uint8_t *grown = realloc(all->data, all->size_bytes + size_bytes + 1);
    assert_non_null(grown);
    if (size_bytes > 0)
        memcpy(grown + all->size_bytes, data, size_bytes);
    *all = (struct store_value){grown, all->size_bytes + size_bytes};
    return 0;
}

static int refuse(void *to, const void *data, size_t size_bytes)
{
    int *left = to;
    (void)data, (void)size_bytes;
    return --*left < 0 ? -EIO : 0;
}

static void items_are_as_large_as_they_were_said_to_be(void **state)
{
    (void)state;
    struct manager_data data;
    data_of(&data, UNLIMITED);
    const uint32_t dict = dict_of(&data, "d"), list = list_of(&data, "l");
    char bytes[40] = "0123456789012345678901234567890123456789";
    for (size_t i = 0; i < sizeof(bytes); i++) {
        ASK(&data, .operation = MANAGER_DICT_SET, .object = dict, .key = {bytes, i},
            .value = {bytes, sizeof(bytes) - i});
        ASK(&data, .operation = MANAGER_LIST_INSERT, .object = list, .value = {bytes, i});
    }
    for (int i = 0; i < 2; i++) {
        struct store_value all = {NULL, 0};
        struct manager_answer answer =
            ASK(&data, .operation = MANAGER_ITEMS, .object = i ? list : dict);
        assert_int_equal(answer.code, 0);
        assert_int_equal(answer.number, sizeof(bytes));
        assert_int_equal(pool_manager_items_write(answer.items, append, &all), 0);
        assert_int_equal(all.size_bytes, answer.items_bytes);
        free(all.data);
        int pieces = 7; /* whoever takes them may give up */
        assert_int_equal(pool_manager_items_write(answer.items, refuse, &pieces), -EIO);
        assert_int_equal(pieces, -1);
    }
    pool_manager_data_done(&data);
}

static void commands_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    struct manager_data data;
    data_of(&data, UNLIMITED);
    const uint32_t dict = dict_of(&data, "d"), list = list_of(&data, "l");
    static const uint64_t sizes[] = {3, UINT64_MAX, 1};
    static const uint64_t around[] = {UINT64_MAX, 9, 0}; /* which add up again */
    char long_name[256];
    memset(long_name, 'n', sizeof(long_name));
    const struct pool_bytes all_sizes = {sizes, sizeof(sizes)};
    const struct {
        const char *label;
        struct manager_command command;
    } rows[] = {
        {"an object that is not there", {.operation = MANAGER_SIZE, .object = 2}},
        {"an object far away", {.operation = MANAGER_ITEMS, .object = UINT32_MAX}},
        {"a dict's operation on a list", {.operation = MANAGER_DICT_GET, .object = list}},
        {"a list's operation on a dict", {.operation = MANAGER_LIST_POP, .object = dict}},
        {"no name", {.operation = MANAGER_OPEN_DICT}},
        {"a long name", {.operation = MANAGER_OPEN_LIST, .key = {long_name, sizeof(long_name)}}},
        {"fewer than no values",
         {.operation = MANAGER_LIST_EXTEND, .object = list, .number = -1, .value = all_sizes}},
        {"more values than there are sizes",
         {.operation = MANAGER_LIST_EXTEND, .object = list, .number = 4, .value = all_sizes}},
        {"as many values as there can be",
         {.operation = MANAGER_LIST_EXTEND,
          .object = list,
          .number = INT64_MAX,
          .value = all_sizes}},
        {"a value that is larger than all",
         {.operation = MANAGER_LIST_EXTEND, .object = list, .number = 2, .value = all_sizes}},
        {"values that are larger than all, and come to the right size",
         {.operation = MANAGER_LIST_EXTEND,
          .object = list,
          .number = 2,
          .value = {around, sizeof(around)}}},
        {"bytes that are left over",
         {.operation = MANAGER_LIST_EXTEND, .object = list, .number = 1, .value = all_sizes}},
        {"bytes of no value",
         {.operation = MANAGER_LIST_EXTEND, .object = list, .number = 0, .value = all_sizes}},
        {"no such operation", {.operation = MANAGER_OPERATIONS, .object = dict}},
    };
    const size_t used = data.budget.used;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct manager_answer answer;
        print_message("%s\n", rows[i].label);
        assert_int_equal(pool_manager_data_do(&data, &rows[i].command, &answer), -EBADMSG);
        assert_int_equal(data.budget.used, used);
    }
    pool_manager_data_done(&data);
}

/* What can be asked for, in an order in which each finds something. */
static const struct manager_command changes[] = {
    {.operation = MANAGER_DICT_SET, .object = 0, .key = {"key", 3}, .value = {"value", 5}},
    {.operation = MANAGER_DICT_SET, .object = 0, .key = {"key", 3}, .value = {"longer", 6}},
    {.operation = MANAGER_DICT_ADD, .object = 0, .key = {"sum", 3}, .number = 5},
    {.operation = MANAGER_DICT_SET_DEFAULT, .object = 0, .key = {"k", 1}, .value = {"v", 1}},
    {.operation = MANAGER_DICT_REPLACE,
     .object = 0,
     .key = {"k", 1},
     .expected = {"v", 1},
     .value = {"much longer", 11}},
    {.operation = MANAGER_LIST_INSERT, .object = 1, .value = {"item", 4}},
    {.operation = MANAGER_LIST_SET, .object = 1, .value = {"an item", 7}},
    {.operation = MANAGER_LIST_EXTEND,
     .object = 1,
     .number = 2,
     .value = {"\3\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0abcd", 20}},
    {.operation = MANAGER_OPEN_DICT, .key = {"another", 7}},
};

static void without_memory_or_room_nothing_is_changed(void **state)
{
    (void)state;
    static const enum fault faults[] = {FAULT_MALLOC, FAULT_CALLOC, FAULT_REALLOC};
    for (size_t which = 0; which <= 3; which++) {
        struct manager_data data;
        data_of(&data, UNLIMITED);
        int failures = 0;
        dict_of(&data, "d");
        list_of(&data, "l");
        for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
            for (int nth = 0, failed = 1; failed; nth++) {
                const size_t used = data.budget.used;
                struct manager_answer answer;
                if (which < 3)
                    fault_arm(faults[which], nth, 1);
                else
                    data.budget.max = used + (size_t)nth;
                int r = pool_manager_data_do(&data, &changes[i], &answer);
                failed = which < 3 ? fault_disarm() : answer.code < 0;
                data.budget.max = UNLIMITED;
                assert_int_equal(r, 0);
                assert_int_equal(answer.code, !failed ? 0 : which < 3 ? -ENOMEM : -ENOSPC);
                failures += failed;
                if (failed)
                    assert_int_equal(data.budget.used, used);
            }
        }
        assert_true(failures > 0 || which == 2); /* realloc: there was room for a third object */
        assert_int_equal(ASK(&data, .operation = MANAGER_SIZE, .object = 0).number, 3);
        assert_int_equal(ASK(&data, .operation = MANAGER_SIZE, .object = 1).number, 3);
        ASK(&data, .operation = MANAGER_CLEAR, .object = 0);
        ASK(&data, .operation = MANAGER_CLEAR, .object = 1);
        assert_int_equal(ASK(&data, .operation = MANAGER_SIZE, .object = 0).number, 0);
        assert_int_equal(ASK(&data, .operation = MANAGER_SIZE, .object = 1).number, 0);
        pool_manager_data_done(&data);
    }
}

static void what_is_larger_than_all_that_may_be_is_not_looked_at(void **state)
{
    (void)state;
    struct manager_data data;
    data_of(&data, 10000);
    const uint32_t dict = dict_of(&data, "d"), list = list_of(&data, "l");
    const struct pool_bytes endless = {"", SIZE_MAX}; /* reading it would end in a crash */
    assert_int_equal(ASK(&data, .operation = MANAGER_DICT_SET, .object = dict, .key = endless).code,
                     -ENOSPC);
    assert_int_equal(ASK(&data, .operation = MANAGER_DICT_ADD, .object = dict, .key = endless).code,
                     -ENOSPC);
    assert_int_equal(
        ASK(&data, .operation = MANAGER_DICT_SET, .object = dict, .value = endless).code, -ENOSPC);
    assert_int_equal(ASK(&data, .operation = MANAGER_DICT_GET, .object = dict, .key = endless).code,
                     -ENOENT);
    assert_int_equal(ASK(&data, .operation = MANAGER_DICT_POP, .object = dict, .key = endless).code,
                     -ENOENT);
    assert_int_equal(
        ASK(&data, .operation = MANAGER_DICT_REPLACE, .object = dict, .key = endless).code,
        -ENOENT);
    struct manager_answer answer =
        ASK(&data, .operation = MANAGER_DICT_CONTAINS, .object = dict, .key = endless);
    assert_int_equal(answer.code, 0);
    assert_int_equal(answer.number, 0);
    assert_int_equal(ASK(&data, .operation = MANAGER_DICT_SET, .object = dict, .key = text("k"),
                         .value = text("v"))
                         .code,
                     0);
    assert_int_equal(ASK(&data, .operation = MANAGER_DICT_REPLACE, .object = dict, .key = text("k"),
                         .expected = endless)
                         .code,
                     -EAGAIN);
    assert_int_equal(ASK(&data, .operation = MANAGER_LIST_EXTEND, .object = list,
                         .number = INT64_MAX, .value = endless)
                         .code,
                     -ENOSPC);
    pool_manager_data_done(&data);
}

static const struct test_case tests[] = {
    TEST(a_name_leads_to_one_object_of_each_kind),
    TEST(a_pop_happens_when_its_answer_has_been_delivered),
    TEST(items_are_as_large_as_they_were_said_to_be),
    TEST(commands_that_make_no_sense_are_refused),
    TEST(without_memory_or_room_nothing_is_changed),
    TEST(what_is_larger_than_all_that_may_be_is_not_looked_at),
};

int main(int argc, char **argv)
{
    fault_is_host();
    return test_run("manager_data", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
