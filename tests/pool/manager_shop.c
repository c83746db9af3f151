#include "manager_shop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pool/pool.h>

#include "forks.h"
#include "isolate.h"

static int do_nothing(struct pool_call *call)
{
    (void)call;
    return 0;
}

static const struct pool_task task_list[] = {{"nothing", do_nothing}};
const struct pool_tasks shop_tasks = {task_list, 1};

struct pool_bytes text(const char *text)
{
    return (struct pool_bytes){text, strlen(text)};
}

struct shop shop_of_bytes(size_t bytes_max)
{
    const struct pool_manager_options options = {.bytes_max = bytes_max};
    struct shop shop;
    assert_int_equal(pool_manager_create(&options, &shop.manager), 0);
    assert_int_equal(pool_manager_dict(shop.manager, "dict", &shop.dict), 0);
    assert_int_equal(pool_manager_list(shop.manager, "list", &shop.list), 0);
    return shop;
}

struct shop shop_of(void)
{
    return shop_of_bytes(0);
}

int shop_open(int fd, struct shop *shop)
{
    int r = pool_manager_open(fd, &shop->manager);
    if (r == 0)
        r = pool_manager_dict(shop->manager, "dict", &shop->dict);
    return r == 0 ? pool_manager_list(shop->manager, "list", &shop->list) : r;
}

void shop_free(struct shop *shop)
{
    pool_dict_free(shop->dict);
    pool_list_free(shop->list);
    pool_manager_free(shop->manager);
}

void expect_bytes(struct pool_bytes got, struct pool_bytes wanted)
{
    assert_int_equal(got.size_bytes, wanted.size_bytes);
    if (got.size_bytes > 0)
        assert_memory_equal(got.data, wanted.data, got.size_bytes);
}

void expect_message(const struct pool_message *message, struct pool_bytes wanted)
{
    expect_bytes((struct pool_bytes){message->data, message->size_bytes}, wanted);
    assert_int_equal(message->fd_count, 0);
}

void expect_there(struct pool_dict *dict, const char *key, const char *value)
{
    struct pool_message message = POOL_MESSAGE_INIT;
    assert_int_equal(pool_dict_get(dict, text(key), &message), 0);
    expect_message(&message, text(value));
    pool_message_done(&message);
}

void expect_list(struct pool_list *list, const char *all)
{
    struct pool_entries items;
    char got[300] = "";
    assert_int_equal(pool_list_items(list, &items), 0);
    for (size_t i = 0; i < items.count; i++) {
        assert_int_equal(items.entries[i].key.size_bytes, 0);
        snprintf(got + strlen(got), sizeof(got) - strlen(got), "%.*s,",
                 (int)items.entries[i].value.size_bytes, (const char *)items.entries[i].value.data);
    }
    assert_string_equal(got, all);
    pool_entries_done(&items);
}

void expect_dict(struct pool_dict *dict, const char *all)
{
    struct pool_entries items;
    char got[300] = "";
    assert_int_equal(pool_dict_items(dict, &items), 0);
    for (size_t i = 0; i < items.count; i++)
        snprintf(got + strlen(got), sizeof(got) - strlen(got), "%.*s:%.*s,",
                 (int)items.entries[i].key.size_bytes, (const char *)items.entries[i].key.data,
                 (int)items.entries[i].value.size_bytes, (const char *)items.entries[i].value.data);
    assert_string_equal(got, all);
    pool_entries_done(&items);
    assert_null(items.entries);
    assert_int_equal(items.count, 0);
    pool_entries_done(&items); /* twice is fine */
}

void expect_sizes(const struct shop *shop, size_t dict_size, size_t list_size)
{
    size_t size;
    assert_int_equal(pool_dict_size(shop->dict, &size), 0);
    assert_int_equal(size, dict_size);
    assert_int_equal(pool_list_size(shop->list, &size), 0);
    assert_int_equal(size, list_size);
}

uint8_t *bytes_of(size_t size, unsigned seed)
{
    uint8_t *bytes = malloc(size + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)((size_t)seed * 31 + i + (i >> 8) * 7);
    return bytes;
}

struct errand *errand_of(const struct shop *shop, int times)
{
    struct errand *errand = shared_memory(sizeof(*errand));
    errand->fd = pool_manager_share(shop->manager);
    errand->times = times;
    assert_true(errand->fd >= 0);
    assert_true(fcntl(errand->fd, F_GETFD) & FD_CLOEXEC);
    return errand;
}

void send_children(int (*run)(void *), struct errand *errand, int count)
{
    pid_t pids[300];
    for (int i = 0; i < count; i++)
        pids[i] = fork_run(run, errand);
    for (int i = 0; i < count; i++)
        assert_int_equal(fork_wait(pids[i]), 0);
}

int fds_of(pid_t pid)
{
    char path[40];
    int count = 0;
    snprintf(path, sizeof(path), "/proc/%d/fdinfo", (int)pid);
    for (int fd = 0; fd < 1024; fd++) {
        char entry[60];
        snprintf(entry, sizeof(entry), "%s/%d", path, fd);
        count += access(entry, F_OK) == 0;
    }
    return count;
}
