#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "manager.h"
#include "manager_call_priv.h"

struct pool_list {
    struct pool_manager *manager; /* borrowed */
    uint32_t number;
};

int pool_manager_list(struct pool_manager *manager, const char *name, struct pool_list **ret_list)
{
    struct pool_list *list = malloc(sizeof(*list));
    if (!list)
        return -ENOMEM;
    list->manager = manager;
    int r = pool_manager_open_object(manager, MANAGER_OPEN_LIST, name, &list->number);
    if (r < 0) {
        free(list);
        return r;
    }
    *ret_list = list;
    return 0;
}

void pool_list_free(struct pool_list *list)
{
    free(list);
}

int pool_list_append(struct pool_list *list, struct pool_bytes value)
{
    const struct manager_call call = {.operation = MANAGER_LIST_INSERT,
                                      .object = list->number,
                                      .number = INT64_MAX,
                                      .value = value};
    return pool_manager_call(list->manager, &call, NULL);
}

/* The sizes of all values, then all bytes.  Returns 0 or -ENOMEM.  ret_body: owned. */
static int pack(const struct pool_bytes *values, size_t count, struct pool_bytes *ret_body)
{
    size_t total;
    if (__builtin_mul_overflow(count, sizeof(uint64_t), &total))
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        if (__builtin_add_overflow(total, values[i].size_bytes, &total))
            return -ENOMEM;
    uint8_t *body = malloc(total);
    if (!body)
        return -ENOMEM;
    uint8_t *next = body + count * sizeof(uint64_t);
    for (size_t i = 0; i < count; i++) {
        const uint64_t size = values[i].size_bytes;
        memcpy(body + i * sizeof(size), &size, sizeof(size));
        if (size > 0)
            memcpy(next, values[i].data, size);
        next += size;
    }
    *ret_body = (struct pool_bytes){body, total};
    return 0;
}

int pool_list_extend(struct pool_list *list, const struct pool_bytes *values, size_t count)
{
    struct pool_bytes body = {NULL, 0};
    int r = count > 0 ? pack(values, count, &body) : 0;
    if (r < 0)
        return r;
    const struct manager_call call = {.operation = MANAGER_LIST_EXTEND,
                                      .object = list->number,
                                      .number = (int64_t)count,
                                      .value = body};
    r = pool_manager_call(list->manager, &call, NULL);
    free((void *)body.data);
    return r;
}

int pool_list_insert(struct pool_list *list, ssize_t index, struct pool_bytes value)
{
    const struct manager_call call = {
        .operation = MANAGER_LIST_INSERT, .object = list->number, .number = index, .value = value};
    return pool_manager_call(list->manager, &call, NULL);
}

int pool_list_get(struct pool_list *list, ssize_t index, struct pool_message *message)
{
    const struct manager_call call = {
        .operation = MANAGER_LIST_GET, .object = list->number, .number = index, .message = message};
    return pool_manager_call(list->manager, &call, NULL);
}

int pool_list_set(struct pool_list *list, ssize_t index, struct pool_bytes value)
{
    const struct manager_call call = {
        .operation = MANAGER_LIST_SET, .object = list->number, .number = index, .value = value};
    return pool_manager_call(list->manager, &call, NULL);
}

int pool_list_pop(struct pool_list *list, ssize_t index, struct pool_message *message)
{
    const struct manager_call call = {
        .operation = MANAGER_LIST_POP, .object = list->number, .number = index, .message = message};
    return pool_manager_call(list->manager, &call, NULL);
}

int pool_list_size(struct pool_list *list, size_t *ret_size)
{
    return pool_manager_fetch_size(list->manager, list->number, ret_size);
}

int pool_list_clear(struct pool_list *list)
{
    const struct manager_call call = {.operation = MANAGER_CLEAR, .object = list->number};
    return pool_manager_call(list->manager, &call, NULL);
}

int pool_list_items(struct pool_list *list, struct pool_entries *ret_entries)
{
    return pool_manager_fetch_items(list->manager, list->number, ret_entries);
}
