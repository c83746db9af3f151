#include "table_priv.h"

#include <errno.h>
#include <string.h>

int pool_table_check(const struct pool_tasks *tasks)
{
    if (!tasks || !tasks->list || tasks->count < 1 || tasks->count > POOL_TASKS_MAX)
        return -EINVAL;
    for (size_t i = 0; i < tasks->count; i++) {
        const struct pool_task *task = &tasks->list[i];
        if (!task->run || !task->name || task->name[0] == '\0' ||
            strnlen(task->name, POOL_TASK_NAME_MAX + 1) > POOL_TASK_NAME_MAX)
            return -EINVAL;
        if (pool_table_find(tasks, task->name) != (int)i) /* named twice */
            return -EINVAL;
    }
    return 0;
}

int pool_table_find(const struct pool_tasks *tasks, const char *name)
{
    for (size_t i = 0; i < tasks->count; i++)
        if (strcmp(tasks->list[i].name, name) == 0)
            return (int)i;
    return -ENOENT;
}

/* FNV-1a, 64 bit: its two constants define it. */
uint64_t pool_table_hash(const struct pool_tasks *tasks)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < tasks->count; i++) {
        const char *name = tasks->list[i].name;
        for (size_t k = 0; k <= strlen(name); k++) { /* the terminator separates names */
            hash ^= (unsigned char)name[k];
            hash *= UINT64_C(0x100000001b3);
        }
    }
    return hash;
}
