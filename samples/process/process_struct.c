/* process_struct: document 001, section 3. Five processes in the other style: not a target
 * function, but an object with a run() of its own.
 *
 *     class MyProcess(Process):
 *         def __init__(self, name):
 *             super(MyProcess, self).__init__()
 *             self.name = name
 *         def run(self):
 *             print('testing %s' % self.name)
 *
 * In C the object is a struct whose first member names its run. The new process gets a copy.
 *
 *     $ process_struct
 *     testing Python number 1 in process 4711
 *     testing Python number 2 in process 4712
 *     ...
 *     the end
 */
#include <pool/process.h>
#include <unistd.h>

#include "sample.h"

enum { PROCESSES = 5 };

struct my_process {
    struct pool_runnable runnable; /* first */
    char name[16];
    int number;
};

static int my_process_run(struct pool_call *call)
{
    struct my_process self;
    int r = pool_process_self(call, &self, sizeof(self));
    if (r < 0)
        return r;
    printf("testing %s number %d in process %d\n", self.name, self.number, getpid());
    return 0;
}

static const struct pool_task list[] = {{"my_process_run", my_process_run}};
static const struct pool_tasks tasks = {list, 1};

int main(int argc, char **argv)
{
    struct pool_process *processes[PROCESSES];

    must(pool_main(argc, argv, &tasks), "pool_main");
    for (int i = 0; i < PROCESSES; i++) {
        const struct my_process self = {
            .runnable = POOL_RUNNABLE("my_process_run", struct my_process),
            .name = "Python",
            .number = i + 1,
        };
        must(pool_process_create_runnable(&self.runnable, NULL, &processes[i]), "create");
        must(pool_process_start(processes[i]), "start");
    }
    for (int i = 0; i < PROCESSES; i++) {
        must(pool_process_join(processes[i], -1), "join");
        pool_process_free(processes[i]);
    }
    printf("the end\n");
    return 0;
}
