/* process_function: document 001, section 2. Five processes by a target function:
 *
 *     for i in range(5):
 *         p = Process(target=fun1, args=('Python',))
 *         p.start()
 *         process_list.append(p)
 *     for i in process_list:
 *         p.join()
 *
 * (The document joins the last process five times; here each is joined.)
 *
 *     $ process_function
 *     testing Python in process 4711
 *     testing Python in process 4712
 *     ...
 *     the end
 */
#include <pool/process.h>
#include <unistd.h>

#include "sample.h"

enum { PROCESSES = 5 };

/* Runs in a process of its own. */
static int fun1(struct pool_call *call)
{
    const struct pool_bytes name = pool_call_field(call, 0);
    printf("testing %.*s in process %d\n", (int)name.size_bytes, (const char *)name.data, getpid());
    return 0;
}

static const struct pool_task list[] = {{"fun1", fun1}};
static const struct pool_tasks tasks = {list, 1};

int main(int argc, char **argv)
{
    struct pool_process *processes[PROCESSES];
    const struct pool_bytes name = {"Python", 6};
    const struct pool_item args = {.fields = &name, .field_count = 1};

    must(pool_main(argc, argv, &tasks), "pool_main"); /* if __name__ == '__main__': */
    for (int i = 0; i < PROCESSES; i++) {
        must(pool_process_create("fun1", &args, NULL, &processes[i]), "create");
        must(pool_process_start(processes[i]), "start");
    }
    for (int i = 0; i < PROCESSES; i++) {
        must(pool_process_join(processes[i], -1), "join");
        pool_process_free(processes[i]);
    }
    printf("the end\n");
    return 0;
}
