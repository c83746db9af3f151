/* scenario_support.h: what the tests of the pool's twenty scenarios share: tasks, a stage on which
 * tasks and test meet, and a ledger that keeps count of futures.
 *
 * The scenarios stand in the pool's design; each test's name begins with the number of its own.
 *
 * Environment: SCENARIO_SCALE multiplies the sizes (default 1, at most 100), for long sweeps.
 * SCENARIO_SEED repeats a run: every test prints the seed it uses, and the runner shows it when the
 * test fails.
 *
 * Assertions belong to the thread that runs the test (cmocka's jump buffer is its own): what says
 * "asserts" below is for that thread only. */
#ifndef TESTS_POOL_SCENARIOS_SCENARIO_SUPPORT_H
#define TESTS_POOL_SCENARIOS_SCENARIO_SUPPORT_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <pool/pool.h>

#include "isolate.h"

/* A test's body that takes a backend becomes two tests. */
#define ON_BOTH_BACKENDS(body)                                                                     \
    static void body##_with_threads(void **state)                                                  \
    {                                                                                              \
        (void)state;                                                                               \
        body(POOL_BACKEND_THREAD);                                                                 \
    }                                                                                              \
    static void body##_with_processes(void **state)                                                \
    {                                                                                              \
        (void)state;                                                                               \
        body(POOL_BACKEND_PROCESS);                                                                \
    }
#define TEST_ON_BOTH(body) TEST(body##_with_threads), TEST(body##_with_processes)
#define TEST_ON_BOTH_LONG(body, limit)                                                             \
    TEST_LONG(body##_with_threads, limit), TEST_LONG(body##_with_processes, limit)

/* ---- Sizes, chance and time ---------------------------------------------------------------- */

/** count times SCENARIO_SCALE; a sanitizer's run is cut down instead, to at least `least`. */
int scenario_size(int count, int least);

/** Is this program slowed down, and its memory kept back, by a sanitizer? */
bool scenario_sanitized(void);

/** A new sequence of chance; prints its seed. Not for several threads at once. */
unsigned scenario_seed(void);

/** 0..below-1. */
unsigned scenario_random(unsigned *seed, unsigned below);

int64_t scenario_now_ms(void);

/** Sleep, whatever signals come. Not to synchronise: to let chance choose the moment. */
void scenario_sleep_us(int64_t us);

/* ---- The stage ----------------------------------------------------------------------------- */

#define STAGE_ITEMS 65536

/** Memory that the test and all tasks of all its pools see, whichever process they are in. */
struct stage {
    sem_t started;                  /* posted by tasks that have begun */
    sem_t go;                       /* tasks that hold wait for it */
    sem_t over;                     /* posted by tasks at their end */
    atomic_int fail;                /* initializers fail while it is set */
    atomic_int inits;               /* initializers run */
    atomic_int now, max;            /* tasks running "gather" at once */
    atomic_int caught;              /* signals that tasks have caught */
    atomic_int deepest;             /* for nesting tasks */
    atomic_uchar runs[STAGE_ITEMS]; /* how often a task has been run, by its order's index */
};

/** Prepare an empty one in the test's scratch folder; call before any pool is created. Asserts. */
struct stage *stage_open(void);

/** The same, from within a task. NULL if there is none. */
struct stage *stage_get(void);

/** Wait for a semaphore, or post it, so often. */
void stage_wait(sem_t *sem, int times);
void stage_post(sem_t *sem, int times);

/* ---- Tasks --------------------------------------------------------------------------------- */

/** What a scenario's task is told: its field 0. */
struct order {
    int64_t index; /* of runs[]; several may use the same */
    int64_t a, b;  /* the task's own */
    void *pointer; /* thread backend only */
};

/** The order that a task was called with. */
struct order order_of(struct pool_call *call);

/** Count this run in runs[]. */
void order_note(const struct order *order);

/* Every task below counts its run before it does anything else. The result is the order's index,
 * an int64, unless stated otherwise.
 * square    the result is a * a
 * pid       the result is a pid_t
 * work      takes a microseconds
 * echo      the result is field 1
 * blow_up   the result is b bytes of scenario_pattern(index, ...)
 * hold      posts started, waits for go
 * stubborn  ignores SIGTERM, posts started, and never ends
 * obedient  posts started, and fails with -EINTR once pool_call_cancelled() says so
 * fail      fails with a, and its words are "told to fail"
 * die       SIGNAL a, or exit with -a when negative or 0
 * fuse      is killed by SIGKILL after a microseconds, wherever it is then; the result, if it comes
 *           to that, is as of blow_up
 * init      counts itself in inits; fails with -EIO and "no such licence" while `fail` is 1, and
 *           dies by SIGKILL while it is 2 */
int scenario_square(struct pool_call *call);
int scenario_pid(struct pool_call *call);
int scenario_work(struct pool_call *call);
int scenario_echo(struct pool_call *call);
int scenario_blow_up(struct pool_call *call);
int scenario_hold(struct pool_call *call);
int scenario_stubborn(struct pool_call *call);
int scenario_obedient(struct pool_call *call);
int scenario_fail(struct pool_call *call);
int scenario_die(struct pool_call *call);
int scenario_fuse(struct pool_call *call);
int scenario_init(struct pool_call *call);

#define SCENARIO_TASKS                                                                             \
    {"square", scenario_square}, {"pid", scenario_pid}, {"work", scenario_work},                   \
        {"echo", scenario_echo}, {"blow_up", scenario_blow_up}, {"hold", scenario_hold},           \
        {"stubborn", scenario_stubborn}, {"obedient", scenario_obedient}, {"fail", scenario_fail}, \
        {"die", scenario_die}, {"fuse", scenario_fuse},                                            \
    {                                                                                              \
        "init", scenario_init                                                                      \
    }

uint8_t scenario_pattern(int64_t index, size_t offset);

/** Is value what blow_up makes with this index and size? */
bool scenario_is_pattern(int64_t index, struct pool_bytes value, size_t size_bytes);

/* ---- The ledger ---------------------------------------------------------------------------- */

struct ledger_entry {
    struct pool_future *future;
    int64_t index;    /* of its order */
    int code;         /* after ledger_settle() */
    atomic_int calls; /* of its done callback */
};

/** Futures, and what became of them. One thread at a time. */
struct ledger {
    size_t count, room;
    struct ledger_entry *entries;
};

/** Room for so many. Asserts. */
void ledger_init(struct ledger *ledger, size_t room);

/** Submit and enter. payload: field 1, or NULL; options: NULL for the defaults.
 *  Returns what pool_submit() does; -ENOSPC without room. */
int ledger_submit(struct ledger *ledger, struct pool *pool, const char *task,
                  const struct order *order, const struct pool_bytes *payload,
                  const struct pool_submit_options *options);

/** ledger_submit() with the index being the number of entries. Asserts that it succeeds. */
void ledger_add(struct ledger *ledger, struct pool *pool, const char *task, int64_t a, int64_t b);

/** Enter a future: it is taken. Returns 0, -ENOSPC or what add_done_callback returns. */
int ledger_enter(struct ledger *ledger, struct pool_future *future, int64_t index);

/** Wait for each future and note its code. Asserts that each is done. */
void ledger_settle(struct ledger *ledger);

/** Entries whose code this is. */
size_t ledger_count(const struct ledger *ledger, int code);

/** Assert that the pool's numbers, all of whose tasks are in the ledger and settled, agree. */
void ledger_check_stats(const struct ledger *ledger, struct pool *pool);

/** When the pool is gone: asserts that each future is done, still has its code, and that its
 *  callback was called exactly once. Frees everything. */
void ledger_done(struct ledger *ledger);

/** Settle, close, join, check the numbers, free the pool, and end the ledger. Asserts. */
void ledger_finish(struct ledger *ledger, struct pool *pool);

/* ---- Pools and processes ------------------------------------------------------------------- */

/** Asserts that it succeeds. */
struct pool *scenario_pool(const struct pool_options *options);
struct pool *scenario_pool_of(enum pool_backend backend, unsigned workers);

/** Submit one; asserts that it succeeds. */
struct pool_future *scenario_submit(struct pool *pool, const char *task, int64_t a, int64_t b);

/** Wait for it, free it, and return its code. */
int scenario_take(struct pool_future *future);

/** Assert that the pool still works. */
void scenario_check_alive(struct pool *pool);

/** Process ids of the pool's workers. Returns how many of at most room. */
int scenario_workers(struct pool *pool, pid_t *ret_pids, int room);

/** The same, once there are so many: a worker may run its first task before the pool has heard its
 *  process id. */
void scenario_know_workers(struct pool *pool, pid_t *ret_pids, int count);

/** A worker's process id, chosen by chance; 0 if there is none just now. */
pid_t scenario_any_worker(struct pool *pool, unsigned *seed);

/** The parent of a process, or 0. */
pid_t scenario_parent_of(pid_t pid);

/** Processes of this process group apart from this one, also the dead that nobody has reaped; those
 *  that are the test's own are reaped first. Not while a pool lives: its zygote is such a one. */
int scenario_processes(void);

/** Wait until there are none. Returns how many are left after so long (times the time scale). */
int scenario_processes_after(int limit_ms);

/** Entries of a folder. */
int scenario_entries(const char *path);

/** This process's resident memory. */
int64_t scenario_rss_bytes(void);

#endif
