/* cpu_bound: document 003, section 1.3. CPU-bound work in four processes:
 *
 *     for _ in range(4):
 *         p = multiprocessing.Process(target=cpu_bound_task, args=(args,))
 *         processes.append(p)
 *         p.start()
 *     for p in processes:
 *         p.join()
 *
 * Each process counts the primes of a quarter of the numbers and leaves its count in a shared
 * array, in which nobody else writes: so no lock is needed.
 *
 *     $ cpu_bound
 *     primes below 400000: 33860
 *     one after the other: 33860, 4 processes take 0.52 of that time on 2 CPUs
 */
#include <pool/ipc.h>
#include <pool/process.h>

#include "sample.h"

enum { PROCESSES = 4, LIMIT = 400000 };

static int count_primes(int first, int end)
{
    int count = 0;
    for (int n = first < 2 ? 2 : first; n < end; n++) {
        int divisor = 2;
        while (divisor * divisor <= n && n % divisor != 0)
            divisor++;
        count += divisor * divisor > n;
    }
    return count;
}

/* Fields: which part.  Descriptor: the shared array. */
static int cpu_bound_task(struct pool_call *call)
{
    const int part = int_of(pool_call_field(call, 0));
    struct pool_shared *counts;
    int r = pool_shared_open(pool_call_fd(call, 0), &counts);
    if (r < 0)
        return pool_call_fail(call, r, "the shared array cannot be opened");
    const struct pool_range range = pool_split(LIMIT, PROCESSES, (size_t)part);
    POOL_SHARED(counts, int)
    [part] = count_primes((int)range.first, (int)(range.first + range.count));
    pool_shared_free(counts);
    return 0;
}

static const struct pool_task list[] = {{"cpu_bound_task", cpu_bound_task}};
static const struct pool_tasks tasks = {list, 1};

static int count_in_processes(void)
{
    struct pool_process *processes[PROCESSES];
    struct pool_shared *counts;
    int total = 0;
    must(pool_shared_create(PROCESSES * sizeof(int), &counts), "shared array");
    for (int i = 0; i < PROCESSES; i++) {
        const struct pool_bytes field = bytes_of(&i);
        const int fd = must(pool_shared_share(counts), "share");
        const struct pool_item args = {
            .fields = &field, .field_count = 1, .fds = &fd, .fd_count = 1};
        must(pool_process_create("cpu_bound_task", &args, NULL, &processes[i]), "create");
        must(pool_process_start(processes[i]), "start");
    }
    for (int i = 0; i < PROCESSES; i++) {
        must(pool_process_join(processes[i], -1), "join");
        pool_process_free(processes[i]);
        total += POOL_SHARED(counts, int)[i];
    }
    pool_shared_free(counts);
    return total;
}

int main(int argc, char **argv)
{
    must(pool_main(argc, argv, &tasks), "pool_main");
    const double start = now_s();
    const int in_processes = count_in_processes();
    const double middle = now_s();
    const int alone = count_primes(0, LIMIT);
    const double end = now_s();
    printf("primes below %d: %d\n", LIMIT, in_processes);
    printf("one after the other: %d, %d processes take %.2f of that time on %u CPUs\n", alone,
           PROCESSES, (middle - start) / (end - middle), pool_cpu_count());
    return 0;
}
