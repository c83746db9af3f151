#include "manager_data_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "manager.h"

#define OBJECTS_MAX ((size_t)1 << 24)

int pool_manager_data_init(struct manager_data *data, size_t bytes_max)
{
    *data = (struct manager_data){.budget = {.max = bytes_max}};
    int r = pool_hash_secret_draw(&data->secret);
    if (r < 0)
        return r;
    pool_dict_store_init(&data->names, &data->budget, &data->secret);
    return 0;
}

static void clear(struct manager_object *object)
{
    if (object->is_dict)
        pool_dict_store_done(&object->dict);
    else
        pool_list_store_done(&object->list);
}

void pool_manager_data_done(struct manager_data *data)
{
    for (size_t i = 0; i < data->object_count; i++) {
        clear(data->objects[i]);
        free(data->objects[i]);
    }
    free(data->objects);
    pool_dict_store_done(&data->names);
    *data = (struct manager_data){0};
}

/* ---- Opening ------------------------------------------------------------------------------- */

static int make_room(struct manager_data *data)
{
    if (data->object_count < data->object_room)
        return 0;
    const size_t room = data->object_room ? 2 * data->object_room : 16;
    struct manager_object **grown = realloc(data->objects, room * sizeof(grown[0]));
    if (!grown)
        return -ENOMEM;
    data->objects = grown;
    data->object_room = room;
    return 0;
}

static int add_object(struct manager_data *data, bool is_dict, struct pool_bytes full_name,
                      uint32_t *ret_number)
{
    if (data->object_count >= OBJECTS_MAX)
        return -ENOSPC;
    int r = store_budget_take(&data->budget, MANAGER_OBJECT_OVERHEAD);
    if (r < 0)
        return r;
    const uint32_t number = (uint32_t)data->object_count;
    struct manager_object *object = calloc(1, sizeof(*object));
    r = object ? make_room(data) : -ENOMEM;
    if (r == 0)
        r = pool_dict_store_set(&data->names, full_name,
                                (struct pool_bytes){&number, sizeof(number)});
    if (r < 0) {
        free(object);
        store_budget_give(&data->budget, MANAGER_OBJECT_OVERHEAD);
        return r;
    }
    object->is_dict = is_dict;
    if (is_dict)
        pool_dict_store_init(&object->dict, &data->budget, &data->secret);
    else
        pool_list_store_init(&object->list, &data->budget);
    data->objects[data->object_count++] = object;
    *ret_number = number;
    return 0;
}

static int open_object(struct manager_data *data, bool is_dict, struct pool_bytes name,
                       struct manager_answer *answer)
{
    char full_name[1 + POOL_MANAGER_NAME_MAX];
    struct pool_bytes found;
    uint32_t number;
    if (name.size_bytes < 1 || name.size_bytes > POOL_MANAGER_NAME_MAX)
        return -EBADMSG;
    full_name[0] = is_dict ? 'd' : 'l';
    memcpy(full_name + 1, name.data, name.size_bytes);
    const struct pool_bytes full = {full_name, 1 + name.size_bytes};
    if (pool_dict_store_get(&data->names, full, &found))
        memcpy(&number, found.data, sizeof(number));
    else
        answer->code = add_object(data, is_dict, full, &number);
    if (answer->code == 0)
        answer->number = number;
    return 0;
}

/* ---- Dicts --------------------------------------------------------------------------------- */

static int add_number(struct dict_store *dict, const struct manager_command *command,
                      int64_t *ret_sum)
{
    struct pool_bytes value;
    int64_t sum = 0;
    if (pool_dict_store_get(dict, command->key, &value)) {
        if (value.size_bytes != sizeof(sum))
            return -EINVAL;
        memcpy(&sum, value.data, sizeof(sum));
    }
    if (__builtin_add_overflow(sum, command->number, &sum))
        return -ERANGE;
    *ret_sum = sum;
    return pool_dict_store_set(dict, command->key, (struct pool_bytes){&sum, sizeof(sum)});
}

static int replace(struct dict_store *dict, const struct manager_command *command)
{
    struct pool_bytes value;
    if (!pool_dict_store_get(dict, command->key, &value))
        return -ENOENT;
    if (value.size_bytes != command->expected.size_bytes ||
        (value.size_bytes > 0 && memcmp(value.data, command->expected.data, value.size_bytes) != 0))
        return -EAGAIN;
    return pool_dict_store_set(dict, command->key, command->value);
}

static int do_dict(struct dict_store *dict, const struct manager_command *command,
                   struct manager_answer *answer)
{
    if (command->key.size_bytes > dict->budget->max) { /* it is not there: no need to look */
        const bool asks = command->operation == MANAGER_DICT_CONTAINS;
        const bool sets = command->operation == MANAGER_DICT_SET ||
                          command->operation == MANAGER_DICT_ADD ||
                          command->operation == MANAGER_DICT_SET_DEFAULT;
        answer->code = asks ? 0 : sets ? -ENOSPC : -ENOENT;
        return 0;
    }
    switch (command->operation) {
    case MANAGER_DICT_SET:
        answer->code = pool_dict_store_set(dict, command->key, command->value);
        return 0;
    case MANAGER_DICT_GET:
    case MANAGER_DICT_POP:
        if (!pool_dict_store_get(dict, command->key, &answer->value))
            answer->code = -ENOENT;
        return 0;
    case MANAGER_DICT_CONTAINS:
        answer->number = pool_dict_store_get(dict, command->key, NULL);
        return 0;
    case MANAGER_DICT_ADD:
        answer->code = add_number(dict, command, &answer->number);
        return 0;
    case MANAGER_DICT_REPLACE:
        answer->code = replace(dict, command);
        return 0;
    case MANAGER_DICT_SET_DEFAULT:
        if (pool_dict_store_get(dict, command->key, &answer->value))
            return 0;
        answer->code = pool_dict_store_set(dict, command->key, command->value);
        answer->number = 1;
        return 0;
    default:
        return -EBADMSG;
    }
}

/* ---- Lists --------------------------------------------------------------------------------- */

/* Python's index: from the end if it is negative.  Returns whether there is such an item. */
static bool find_item(const struct list_store *list, int64_t number, size_t *ret_index)
{
    if (number < 0) /* count is far below what would overflow */
        number += (int64_t)list->count;
    if (number < 0 || (uint64_t)number >= list->count)
        return false;
    *ret_index = (size_t)number;
    return true;
}

static size_t place_of(const struct list_store *list, int64_t number)
{
    if (number < 0)
        number += (int64_t)list->count;
    if (number < 0)
        return 0;
    return (uint64_t)number < list->count ? (size_t)number : list->count;
}

static int extend(struct list_store *list, const struct manager_command *command,
                  struct manager_answer *answer)
{
    const size_t size = command->value.size_bytes;
    const uint8_t *bytes = command->value.data;
    uint64_t value_bytes;
    if (command->number < 0 || (uint64_t)command->number > size / sizeof(value_bytes))
        return -EBADMSG;
    const size_t count = (size_t)command->number;
    if (count == 0)
        return size == 0 ? 0 : -EBADMSG;
    if (count > list->budget->max / LIST_STORE_OVERHEAD) {
        answer->code = -ENOSPC;
        return 0;
    }
    struct pool_bytes *values = calloc(count, sizeof(values[0]));
    if (!values) {
        answer->code = -ENOMEM;
        return 0;
    }
    size_t at = count * sizeof(value_bytes), i = 0;
    for (; i < count; i++) {
        memcpy(&value_bytes, bytes + i * sizeof(value_bytes), sizeof(value_bytes));
        if (value_bytes > size - at)
            break;
        values[i] = (struct pool_bytes){bytes + at, (size_t)value_bytes};
        at += (size_t)value_bytes;
    }
    const bool sound = i == count && at == size;
    if (sound)
        answer->code = pool_list_store_insert(list, list->count, values, count);
    free(values);
    return sound ? 0 : -EBADMSG;
}

static int do_list(struct list_store *list, const struct manager_command *command,
                   struct manager_answer *answer)
{
    size_t index;
    switch (command->operation) {
    case MANAGER_LIST_EXTEND:
        return extend(list, command, answer);
    case MANAGER_LIST_INSERT:
        answer->code =
            pool_list_store_insert(list, place_of(list, command->number), &command->value, 1);
        return 0;
    case MANAGER_LIST_GET:
    case MANAGER_LIST_POP:
        if (find_item(list, command->number, &index))
            answer->value = pool_list_store_get(list, index);
        else
            answer->code = -ERANGE;
        return 0;
    case MANAGER_LIST_SET:
        answer->code = find_item(list, command->number, &index)
                           ? pool_list_store_set(list, index, command->value)
                           : -ERANGE;
        return 0;
    default:
        return -EBADMSG;
    }
}

/* ---- Both ---------------------------------------------------------------------------------- */

/* Items one by one; a list's have no key. */
static bool next_item(const struct manager_object *object, size_t *cursor, struct pool_bytes *key,
                      struct pool_bytes *value)
{
    if (object->is_dict)
        return pool_dict_store_next(&object->dict, cursor, key, value);
    if (*cursor == object->list.count)
        return false;
    *key = (struct pool_bytes){NULL, 0};
    *value = pool_list_store_get(&object->list, (*cursor)++);
    return true;
}

static uint64_t items_bytes(const struct manager_object *object)
{
    struct pool_bytes key, value;
    uint64_t sum = 0; /* cannot overflow: all this is in memory, and takes more there */
    for (size_t cursor = 0; next_item(object, &cursor, &key, &value);)
        sum += sizeof(struct manager_item) + key.size_bytes + manager_padding(key.size_bytes) +
               value.size_bytes + manager_padding(value.size_bytes);
    return sum;
}

int pool_manager_items_write(const struct manager_object *items, manager_write_fn write, void *to)
{
    static const uint8_t zeros[MANAGER_ALIGN];
    struct pool_bytes key, value;
    int r = 0;
    for (size_t cursor = 0; r == 0 && next_item(items, &cursor, &key, &value);) {
        const struct manager_item item = {key.size_bytes, value.size_bytes};
        r = write(to, &item, sizeof(item));
        if (r == 0)
            r = write(to, key.data, key.size_bytes);
        if (r == 0)
            r = write(to, zeros, manager_padding(key.size_bytes));
        if (r == 0)
            r = write(to, value.data, value.size_bytes);
        if (r == 0)
            r = write(to, zeros, manager_padding(value.size_bytes));
    }
    return r;
}

static struct manager_object *object_of(struct manager_data *data, uint32_t number)
{
    return number < data->object_count ? data->objects[number] : NULL;
}

static size_t size_of(const struct manager_object *object)
{
    return object->is_dict ? object->dict.size : object->list.count;
}

int pool_manager_data_do(struct manager_data *data, const struct manager_command *command,
                         struct manager_answer *ret_answer)
{
    struct manager_object *object;
    *ret_answer = (struct manager_answer){.code = 0};
    if (command->operation == MANAGER_OPEN_DICT || command->operation == MANAGER_OPEN_LIST)
        return open_object(data, command->operation == MANAGER_OPEN_DICT, command->key, ret_answer);
    object = object_of(data, command->object);
    if (!object)
        return -EBADMSG;
    if (command->value.size_bytes > data->budget.max) { /* not to spend time on it */
        ret_answer->code = -ENOSPC;
        return 0;
    }
    switch (command->operation) {
    case MANAGER_SIZE:
        ret_answer->number = (int64_t)size_of(object);
        return 0;
    case MANAGER_CLEAR:
        clear(object);
        return 0;
    case MANAGER_ITEMS:
        ret_answer->number = (int64_t)size_of(object);
        ret_answer->items = object;
        ret_answer->items_bytes = items_bytes(object);
        return 0;
    default:
        return object->is_dict ? do_dict(&object->dict, command, ret_answer)
                               : do_list(&object->list, command, ret_answer);
    }
}

void pool_manager_data_delivered(struct manager_data *data, const struct manager_command *command)
{
    struct manager_object *object = object_of(data, command->object);
    size_t index;
    if (command->operation == MANAGER_DICT_POP)
        pool_dict_store_remove(&object->dict, command->key);
    else if (command->operation == MANAGER_LIST_POP &&
             find_item(&object->list, command->number, &index))
        pool_list_store_remove(&object->list, index);
}
