#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "manager.h"
#include "manager_call_priv.h"
#include "message_priv.h"

struct pool_dict {
    struct pool_manager *manager; /* borrowed */
    uint32_t number;
};

int pool_manager_dict(struct pool_manager *manager, const char *name, struct pool_dict **ret_dict)
{
    struct pool_dict *dict = malloc(sizeof(*dict));
    if (!dict)
        return -ENOMEM;
    dict->manager = manager;
    int r = pool_manager_open_object(manager, MANAGER_OPEN_DICT, name, &dict->number);
    if (r < 0) {
        free(dict);
        return r;
    }
    *ret_dict = dict;
    return 0;
}

void pool_dict_free(struct pool_dict *dict)
{
    free(dict);
}

int pool_dict_set(struct pool_dict *dict, struct pool_bytes key, struct pool_bytes value)
{
    const struct manager_call call = {
        .operation = MANAGER_DICT_SET, .object = dict->number, .key = key, .value = value};
    return pool_manager_call(dict->manager, &call, NULL);
}

int pool_dict_get(struct pool_dict *dict, struct pool_bytes key, struct pool_message *message)
{
    const struct manager_call call = {
        .operation = MANAGER_DICT_GET, .object = dict->number, .key = key, .message = message};
    return pool_manager_call(dict->manager, &call, NULL);
}

int pool_dict_contains(struct pool_dict *dict, struct pool_bytes key)
{
    const struct manager_call call = {
        .operation = MANAGER_DICT_CONTAINS, .object = dict->number, .key = key};
    int64_t number;
    int r = pool_manager_call(dict->manager, &call, &number);
    return r < 0 ? r : number != 0;
}

int pool_dict_pop(struct pool_dict *dict, struct pool_bytes key, struct pool_message *message)
{
    const struct manager_call call = {
        .operation = MANAGER_DICT_POP, .object = dict->number, .key = key, .message = message};
    return pool_manager_call(dict->manager, &call, NULL);
}

int pool_dict_add(struct pool_dict *dict, struct pool_bytes key, int64_t delta, int64_t *ret_sum)
{
    const struct manager_call call = {
        .operation = MANAGER_DICT_ADD, .object = dict->number, .key = key, .number = delta};
    return pool_manager_call(dict->manager, &call, ret_sum);
}

int pool_dict_replace(struct pool_dict *dict, struct pool_bytes key, struct pool_bytes expected,
                      struct pool_bytes value)
{
    const struct manager_call call = {.operation = MANAGER_DICT_REPLACE,
                                      .object = dict->number,
                                      .key = key,
                                      .expected = expected,
                                      .value = value};
    return pool_manager_call(dict->manager, &call, NULL);
}

/* The value is what is there now: it need not come back from the server.  copy: taken. */
static void give_own(struct pool_message *message, void *copy, size_t size_bytes)
{
    pool_message_reserve(message, 0);
    free(message->data);
    message->data = copy;
    message->size_bytes = message->room_bytes = size_bytes;
}

int pool_dict_set_default(struct pool_dict *dict, struct pool_bytes key, struct pool_bytes value,
                          struct pool_message *message)
{
    const struct manager_call call = {.operation = MANAGER_DICT_SET_DEFAULT,
                                      .object = dict->number,
                                      .key = key,
                                      .value = value,
                                      .message = message};
    int64_t was_set;
    void *copy = NULL;
    if (message && value.size_bytes > 0) {
        copy = malloc(value.size_bytes);
        if (!copy)
            return -ENOMEM;
        memcpy(copy, value.data, value.size_bytes);
    }
    int r = pool_manager_call(dict->manager, &call, &was_set);
    if (r == 0 && was_set && message) {
        give_own(message, copy, value.size_bytes);
        copy = NULL;
    }
    free(copy);
    return r < 0 ? r : was_set != 0;
}

int pool_dict_size(struct pool_dict *dict, size_t *ret_size)
{
    return pool_manager_fetch_size(dict->manager, dict->number, ret_size);
}

int pool_dict_clear(struct pool_dict *dict)
{
    const struct manager_call call = {.operation = MANAGER_CLEAR, .object = dict->number};
    return pool_manager_call(dict->manager, &call, NULL);
}

int pool_dict_items(struct pool_dict *dict, struct pool_entries *ret_entries)
{
    return pool_manager_fetch_items(dict->manager, dict->number, ret_entries);
}
