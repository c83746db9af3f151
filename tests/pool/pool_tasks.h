/* pool_tasks.h: the tasks that the pool's tests run, and shorthands for submitting them. Each test
 * program's main calls pool_main() with pool_test_tasks. */
#ifndef TESTS_POOL_POOL_TASKS_H
#define TESTS_POOL_POOL_TASKS_H

#include <stdint.h>

#include <pool/pool.h>

/* square   int64 -> int64                        pid      -> pid_t of where it runs
 * echo     fields -> their bytes, one after the other
 * count    fields -> number of fields and of descriptors, two uint64
 * sleep    int64 ms -> nothing                   hold     descriptor: waits for its end of file
 * fail     int64 code, message                   silent_fail  int64 code, no message
 * die      int64: SIGNAL, or exits with status -n when negative
 * stubborn int64 ms: ignores SIGTERM, sleeps     overflow uses up its stack
 * read     descriptor -> what can be read from it
 * blow_up  int64 size -> so many bytes of a pattern
 * obedient polls pool_call_cancelled() until it is true, then fails
 * local    counts its calls in this worker -> int64
 * orphan   leaves a grandchild that holds every descriptor, then dies by SIGKILL
 * closer   closes the worker's socket under the pool's feet (a broken worker)
 * liar     sends a message that makes no sense
 * smuggler sends an empty message with descriptors that nobody asked for
 * again    says a second time that its worker is ready
 * write_late  int64 ms: sleeps, then writes a result
 * die_once    path: exits if it can create that file, else returns
 * prepare     an initializer: int64 that local then counts from; fails with it if it is negative
 * eat         int64 size: keeps so much memory -> pid_t
 * nest        opens a pool of its own and runs itself there -> int64, how often it could
 * mark_late   int64 ms, path: sleeps, then creates that file
 * resident    its worker's resident memory -> int64
 * swell       int64 size, int64 ms: has so much memory for so long (-1: for ever), gives it back
 * keep        int64 size: has so much memory more until its worker ends
 * swell_hold  int64 size, descriptor: has so much memory until its end of file, gives it back
 * swell_late  int64 size: waits for SIGTERM, then has so much memory for ever
 * hide        int64 size: makes nonsense of its worker's page, then has so much memory for ever */
extern const struct pool_tasks pool_test_tasks;

/** Every backend, and those that have workers:
 *      FOR_EACH_BACKEND(backend) { struct pool *pool = pool_of(backend, 2); ... } */
extern const enum pool_backend all_backends[3], backends_with_workers[2];
#define FOR_EACH_BACKEND_OF(list, backend)                                                         \
    for (size_t at_ = 0; at_ < sizeof(list) / sizeof(list[0]); at_++)                              \
        for (enum pool_backend backend = list[at_], *once_ = &backend; once_; once_ = NULL)
#define FOR_EACH_BACKEND(backend)              FOR_EACH_BACKEND_OF(all_backends, backend)
#define FOR_EACH_BACKEND_WITH_WORKERS(backend) FOR_EACH_BACKEND_OF(backends_with_workers, backend)

/** A pool of these options; fails the test if it cannot be had. */
struct pool *pool_with(const struct pool_options *options);

/** A pool of one backend and so many workers; fails the test if it cannot be had. */
struct pool *pool_of(enum pool_backend backend, unsigned workers);

/** Submit a task with one int64 field; fails the test if that fails. */
struct pool_future *submit_int(struct pool *pool, const char *task, int64_t value);

/** The same with a deadline. */
struct pool_future *submit_int_deadline(struct pool *pool, const char *task, int64_t value,
                                        int deadline_ms);

/** Something for tasks to wait for: "hold" ends when the gate is released. */
struct gate {
    int ends[2];
};
struct gate gate_open(void);
struct pool_future *gate_submit(struct gate *gate, struct pool *pool,
                                const struct pool_submit_options *options);
void gate_release(struct gate *gate);

/** Wait until a worker has started it. */
void wait_until_running(struct pool_future *future);

/** The int64 result of a future that is done; fails the test if it has none. */
int64_t int_of(struct pool_future *future);

/** The future's int64 result; fails the test if it has none. Frees the future. */
int64_t take_int(struct pool_future *future);

/** Wait for the future, free it, and return pool_future_result()'s code. */
int take_code(struct pool_future *future);

/** In a worker: where the library has mapped what it shares with the host; NULL: not found. */
struct wire_page;
struct wire_page *worker_page(void);

/** The pattern's byte at an offset. */
uint8_t pattern_at(size_t offset);

#endif
