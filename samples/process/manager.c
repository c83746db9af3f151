/* manager: document 001, section 4. Ten processes change one dict and one list:
 *
 *     def fun1(dic, lis, index):
 *         dic[index] = 'a'
 *         dic['2'] = 'b'
 *         lis.append(index)
 *
 *     with Manager() as manager:
 *         dic = manager.dict()
 *         l = manager.list(range(5))
 *         ...                                      # ten processes run fun1
 *         print(dic)
 *         print(l)
 *
 *     $ manager
 *     {0: 'a', '2': 'b', 1: 'a', 3: 'a', 2: 'a', 4: 'a', 6: 'a', 5: 'a', 7: 'a', 8: 'a', 9: 'a'}
 *     [0, 1, 2, 3, 4, 0, 1, 3, 2, 4, 6, 5, 7, 8, 9]
 *
 * The order is that of the processes, and another one each time. As in Python the number 2 and the
 * text '2' are two keys: here, because their bytes differ.
 */
#include <pool/manager.h>
#include <pool/process.h>

#include "sample.h"

enum { PROCESSES = 10 };

static struct pool_bytes text(const char *text)
{
    return (struct pool_bytes){text, strlen(text)};
}

/* Field: the index.  Descriptor: the manager. */
static int fun1(struct pool_call *call)
{
    struct pool_manager *manager;
    struct pool_dict *dict;
    struct pool_list *list;
    const struct pool_bytes index = pool_call_field(call, 0);
    must(pool_manager_open(pool_call_fd(call, 0), &manager), "manager");
    must(pool_manager_dict(manager, "dic", &dict), "dict");
    must(pool_manager_list(manager, "lis", &list), "list");
    must(pool_dict_set(dict, index, text("a")), "set");
    must(pool_dict_set(dict, text("2"), text("b")), "set");
    must(pool_list_append(list, index), "append");
    pool_dict_free(dict);
    pool_list_free(list);
    pool_manager_free(manager);
    return 0;
}

static const struct pool_task task_list[] = {{"fun1", fun1}};
static const struct pool_tasks tasks = {task_list, 1};

static void run_processes(struct pool_manager *manager)
{
    struct pool_process *processes[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        const struct pool_bytes field = bytes_of(&i);
        const int fd = must(pool_manager_share(manager), "share");
        const struct pool_item args = {
            .fields = &field, .field_count = 1, .fds = &fd, .fd_count = 1};
        must(pool_process_create("fun1", &args, NULL, &processes[i]), "create");
        must(pool_process_start(processes[i]), "start");
    }
    for (int i = 0; i < PROCESSES; i++) {
        must(pool_process_join(processes[i], -1), "join");
        pool_process_free(processes[i]);
    }
}

static void print_dict(struct pool_dict *dict)
{
    struct pool_entries items;
    must(pool_dict_items(dict, &items), "items");
    for (size_t i = 0; i < items.count; i++) {
        const struct pool_bytes key = items.entries[i].key, value = items.entries[i].value;
        printf("%s", i == 0 ? "{" : ", ");
        if (key.size_bytes == sizeof(int))
            printf("%d", int_of(key));
        else
            printf("'%.*s'", (int)key.size_bytes, (const char *)key.data);
        printf(": '%.*s'", (int)value.size_bytes, (const char *)value.data);
    }
    printf("}\n");
    pool_entries_done(&items);
}

static void print_list(struct pool_list *list)
{
    struct pool_entries items;
    must(pool_list_items(list, &items), "items");
    for (size_t i = 0; i < items.count; i++)
        printf("%s%d", i == 0 ? "[" : ", ", int_of(items.entries[i].value));
    printf("]\n");
    pool_entries_done(&items);
}

int main(int argc, char **argv)
{
    struct pool_manager *manager;
    struct pool_dict *dict;
    struct pool_list *list;

    must(pool_main(argc, argv, &tasks), "pool_main");
    must(pool_manager_create(NULL, &manager), "manager");
    must(pool_manager_dict(manager, "dic", &dict), "dict");
    must(pool_manager_list(manager, "lis", &list), "list");
    for (int i = 0; i < 5; i++)
        must(pool_list_append(list, bytes_of(&i)), "append");
    run_processes(manager);
    print_dict(dict);
    print_list(list);
    pool_dict_free(dict);
    pool_list_free(list);
    pool_manager_free(manager);
    return 0;
}
