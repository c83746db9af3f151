/* Scenarios 10 and 17: hosts that fork, reap what is not theirs, are stopped, interrupted, or end
 * the thread that opened the pool; and signals at every blocking call. */
#include "scenario_support.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- 10: fork() after open ----------------------------------------------------------------- */

static int no_items(void *data, struct pool_item *ret_item)
{
    (void)data, (void)ret_item;
    return 0;
}

/* What the parent made before it forked. */
struct estate {
    struct pool *pool;
    struct pool_future *done, *pending;
    struct pool_results *results;
    struct pool_iter *iter;
    struct pool_completed *completed;
};

/* In the child, which has no test to fail: the number of the first answer that is wrong, or 0. Each
 * row is a call and what it must return. */
static int ask_in_child(struct estate *e)
{
    struct pool_future *future = NULL;
    struct pool_stats stats;
    struct pool_error error;
    struct pool_results *results = NULL;
    struct pool_iter *iter = NULL;
    struct pool_bytes value = {0};
    const struct pool_item item = {0};
    int64_t word = 0;
    const struct pool_sequence sequence = {&word, sizeof(word), 1};
    const struct {
        int got, wanted;
    } rows[] = {
        {pool_submit(e->pool, "square", NULL, NULL, &future), -ESTALE},
        {pool_apply(e->pool, "square", NULL, NULL, &future), -ESTALE},
        {pool_map(e->pool, "square", &item, 1, NULL, &results), -ESTALE},
        {pool_map_async(e->pool, "square", &item, 1, NULL, &results), -ESTALE},
        {pool_map_sequences(e->pool, "square", &sequence, 1, NULL, &results), -ESTALE},
        {pool_imap(e->pool, "square", no_items, NULL, NULL, &iter), -ESTALE},
        {pool_imap_unordered(e->pool, "square", no_items, NULL, NULL, &iter), -ESTALE},
        {pool_iter_next(e->iter, -1, &future), -ESTALE},
        {pool_resize(e->pool, 3), -ESTALE},
        {pool_stats(e->pool, &stats), -ESTALE},
        {pool_worker_stats(e->pool, NULL, 0), -ESTALE},
        {pool_completion_fd(e->pool), -ESTALE},
        {pool_completions(e->pool, &future, 1), -ESTALE},
        {pool_future_result(e->pending, -1, &value), -ESTALE},
        {pool_future_result(e->pending, 0, &value), -ESTALE},
        {pool_future_cancel(e->pending, true), -ESTALE},
        {pool_future_running(e->pending), false},
        {pool_future_done(e->pending), false},
        {pool_future_error(e->pending, &error), -EAGAIN},
        {pool_wait(&e->pending, 1, POOL_ALL_COMPLETED, -1), -ESTALE},
        {pool_completed_next(e->completed, &future), -ESTALE},
        {pool_results_wait(e->results, -1), -ESTALE},
        {pool_results_done(e->results), false},
        {pool_future_done(e->done), true},
        {pool_future_result(e->done, -1, &value), 0},
        {pool_wait(&e->done, 1, POOL_ALL_COMPLETED, -1), 1},
        {pool_shutdown(e->pool, POOL_SHUTDOWN_WAIT | POOL_SHUTDOWN_CANCEL), -ESTALE},
        {pool_join(e->pool, -1), -ESTALE},
        {(pool_close(e->pool), pool_terminate(e->pool), 0), 0},
        {pool_free(e->pool) == NULL, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].got == rows[i].wanted)
            continue;
        fprintf(stderr, "row %zu: %d instead of %d\n", i, rows[i].got, rows[i].wanted);
        return (int)i + 1;
    }
    return value.size_bytes == sizeof(int64_t) ? 0 : 100;
}

static void check_child(struct estate *e)
{
    int status = -1;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm((unsigned)(10 * test_time_scale())); /* should a call wait after all */
        int r = ask_in_child(e);
        /* Dropping what it holds is no call on the pool either. */
        pool_completed_free(e->completed);
        pool_iter_free(e->iter);
        pool_results_free(e->results);
        pool_future_free(e->pending);
        pool_future_free(e->done);
        _exit(r);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void scenario_10_a_forked_child_has_a_dead_handle_and_harms_nobody(enum pool_backend backend)
{
    struct stage *stage = stage_open();
    struct estate e = {.pool = scenario_pool_of(backend, 2)};
    const struct order order = {.a = 4};
    const struct pool_bytes field = {&order, sizeof(order)};
    const struct pool_item items[2] = {{.fields = &field, .field_count = 1},
                                       {.fields = &field, .field_count = 1}};
    struct pool_future *future;
    e.done = scenario_submit(e.pool, "square", 3, 0);
    assert_int_equal(pool_future_result(e.done, -1, NULL), 0);
    e.pending = scenario_submit(e.pool, "hold", 0, 0);
    struct pool_future *second = scenario_submit(e.pool, "hold", 0, 0);
    stage_wait(&stage->started, 2); /* both workers are taken */
    assert_int_equal(pool_map_async(e.pool, "square", items, 2, NULL, &e.results), 0);
    assert_int_equal(pool_imap(e.pool, "square", no_items, NULL, NULL, &e.iter), 0);
    assert_int_equal(pool_as_completed(&e.pending, 1, -1, &e.completed), 0);
    assert_true(pool_completion_fd(e.pool) >= 0);
    for (int i = 0; i < 3; i++)
        check_child(&e);
    stage_post(&stage->go, 2);
    assert_int_equal(scenario_take(second), 0);
    assert_int_equal(pool_completed_next(e.completed, &future), 1);
    assert_ptr_equal(future, e.pending);
    assert_int_equal(pool_future_result(e.pending, -1, NULL), 0);
    assert_int_equal(pool_results_wait(e.results, -1), 0);
    assert_int_equal(pool_results_successful(e.results), 1);
    assert_int_equal(pool_iter_next(e.iter, -1, &future), 0);
    scenario_check_alive(e.pool);
    pool_completed_free(e.completed);
    pool_iter_free(e.iter);
    pool_results_free(e.results);
    pool_future_free(e.pending);
    pool_future_free(e.done);
    assert_null(pool_free(e.pool));
}
ON_BOTH_BACKENDS(scenario_10_a_forked_child_has_a_dead_handle_and_harms_nobody)

/* The child holds copies of all descriptors, until it ends long after the pool. */
static void
scenario_10_a_child_that_lives_on_does_not_keep_the_pool_from_ending(enum pool_backend backend)
{
    stage_open();
    struct pool *pool = scenario_pool_of(backend, 2);
    struct ledger ledger;
    unsigned seed = scenario_seed();
    ledger_init(&ledger, 40);
    for (int i = 0; i < 10; i++)
        ledger_add(&ledger, pool, "work", 100, 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        for (;;)
            pause();
    for (int i = 0; i < 30; i++)
        ledger_add(&ledger, pool, "work", 100, 0);
    if (backend == POOL_BACKEND_PROCESS) { /* its end must be seen, although the child has copies */
        pid_t worker = scenario_any_worker(pool, &seed);
        if (worker > 0)
            kill(worker, SIGKILL);
    }
    ledger_settle(&ledger);
    assert_true(ledger_count(&ledger, 0) >= 39);
    ledger_finish(&ledger, pool);
    assert_int_equal(kill(child, 0), 0); /* it is none of the pool's */
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
}
ON_BOTH_BACKENDS(scenario_10_a_child_that_lives_on_does_not_keep_the_pool_from_ending)

/* A child may have a pool of its own, beside its dead copy of the parent's. */
static void scenario_10_a_forked_child_may_open_its_own_pool(enum pool_backend backend)
{
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    (void)backend;
    skip(); /* their run times cannot go on in the child of a process with threads */
#else
    struct pool *pool = scenario_pool_of(backend, 2);
    int status = -1;
    scenario_check_alive(pool);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct pool_options options = {.backend = backend, .workers = 2};
        struct pool_future *future = NULL;
        struct pool *own = NULL;
        pool_free(pool);
        int r = pool_create(&options, &own);
        r = r == 0 ? pool_apply(own, "square", NULL, NULL, &future) : r;
        r = r == 0 ? pool_future_result(future, 0, NULL) : r;
        pool_future_free(future);
        pool_free(own);
        _exit(-r);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    scenario_check_alive(pool);
    pool_free(pool);
#endif
}
ON_BOTH_BACKENDS(scenario_10_a_forked_child_may_open_its_own_pool)

/* ---- 10: hosts that reap ------------------------------------------------------------------- */

/* Work with deaths, all of which must be told apart from results. */
static void work_with_deaths(enum pool_backend backend)
{
    struct pool *pool = scenario_pool_of(backend, 2);
    struct ledger ledger;
    ledger_init(&ledger, 24);
    for (int i = 0; i < 24; i++)
        if (i % 6 == 5 && backend == POOL_BACKEND_PROCESS)
            ledger_add(&ledger, pool, "die", i % 4 == 1 ? SIGKILL : -3, 0);
        else
            ledger_add(&ledger, pool, "work", 100, 0);
    ledger_settle(&ledger);
    for (int i = 0; i < 24; i++) {
        const bool dies = i % 6 == 5 && backend == POOL_BACKEND_PROCESS;
        struct pool_error error;
        assert_int_equal(pool_future_error(ledger.entries[i].future, &error), 0);
        assert_int_equal(error.code, dies ? -EOWNERDEAD : 0);
        if (!dies)
            continue;
        /* The workers are the zygote's children, so even such a host learns how they ended. */
        assert_int_equal(error.signal, i % 4 == 1 ? SIGKILL : 0);
        assert_int_equal(error.exit_status, i % 4 == 1 ? -1 : 3);
    }
    ledger_finish(&ledger, pool);
}

static void scenario_10_a_host_may_ignore_sigchld(enum pool_backend backend)
{
    stage_open();
    signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < 3; i++)
        work_with_deaths(backend);
    assert_int_equal(scenario_processes_after(1000), 0);
    signal(SIGCHLD, SIG_DFL);
}
ON_BOTH_BACKENDS(scenario_10_a_host_may_ignore_sigchld)

static void *reap_everybody(void *data)
{
    const atomic_bool *over = data;
    while (!atomic_load(over))
        if (waitpid(-1, NULL, WNOHANG) <= 0)
            scenario_sleep_us(100);
    return NULL;
}

static void scenario_10_a_host_may_reap_everybody(enum pool_backend backend)
{
    stage_open();
    atomic_bool over = false;
    pthread_t reaper;
    assert_int_equal(pthread_create(&reaper, NULL, reap_everybody, &over), 0);
    for (int i = 0; i < 3; i++)
        work_with_deaths(backend);
    atomic_store(&over, true);
    assert_int_equal(pthread_join(reaper, NULL), 0);
    assert_int_equal(scenario_processes_after(1000), 0);
}
ON_BOTH_BACKENDS(scenario_10_a_host_may_reap_everybody)

/* ---- 10: Ctrl-C, Ctrl-Z, a stopped worker -------------------------------------------------- */

static void scenario_10_ctrl_c_is_for_the_host_alone(enum pool_backend backend)
{
    struct stage *stage = stage_open();
    signal(SIGINT, SIG_IGN); /* a host that wants to end in good order */
    signal(SIGHUP, SIG_IGN);
    struct pool *pool = scenario_pool_of(backend, 2);
    struct ledger ledger;
    ledger_init(&ledger, 42);
    for (int i = 0; i < 2; i++)
        ledger_add(&ledger, pool, "hold", 0, 0);
    for (int i = 0; i < 40; i++)
        ledger_add(&ledger, pool, "work", 100, 0);
    stage_wait(&stage->started, 2);
    assert_int_equal(kill(0, SIGINT), 0); /* this test leads its process group */
    assert_int_equal(kill(0, SIGHUP), 0);
    stage_post(&stage->go, 2);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(kill(0, SIGINT), 0);
        scenario_sleep_us(300);
    }
    ledger_settle(&ledger);
    assert_int_equal(ledger_count(&ledger, 0), 42);
    ledger_finish(&ledger, pool);
}
ON_BOTH_BACKENDS(scenario_10_ctrl_c_is_for_the_host_alone)

/* A callback during which its thread can look at nothing else. */
static void take_ones_time(struct pool_future *future, void *data)
{
    struct stage *stage = data;
    (void)future;
    sem_post(&stage->over);
    scenario_sleep_us(50000);
}

/* A host with a process group of its own, as a shell makes them: its exit status is 0 if the task
 * that was stopped with it ended well. The task does not look whether it is late, so in a thread it
 * could not be either. */
static void run_stoppable_host(enum pool_backend backend, int deadline_ms, bool in_callback)
{
    struct pool_options options = {.backend = backend, .workers = 3};
    struct pool_submit_options submit = {.deadline_ms = deadline_ms};
    struct pool_future *futures[2];
    struct pool *pool = NULL;
    int r = pool_create(&options, &pool);
    for (int i = 0; i < 2 && r == 0; i++)
        r = pool_submit(pool, "hold", NULL, &submit, &futures[i]);
    if (r == 0 && in_callback) {
        /* Long enough for the callback to be added before its end: it is the pool's then. */
        const struct order order = {.index = -1, .a = 30000};
        const struct pool_bytes field = {&order, sizeof(order)};
        const struct pool_item item = {.fields = &field, .field_count = 1};
        struct pool_future *other = NULL;
        r = pool_submit(pool, "work", &item, NULL, &other);
        if (r == 0)
            r = pool_future_add_done_callback(other, take_ones_time, stage_get());
        pool_future_free(other);
    }
    for (int i = 0; i < 2 && r == 0; i++) {
        r = pool_future_result(futures[i], -1, NULL);
        pool_future_free(futures[i]);
    }
    if (r == 0 && pool_free(pool))
        r = -EBUSY;
    _exit(r == 0 ? 0 : r == -ETIME ? 2 : 1);
}

/* in_callback: the pool is in a callback when it is stopped. */
static void stop_group(enum pool_backend backend, bool in_callback)
{
    struct stage *stage = stage_open();
    const int deadline_ms = (in_callback ? 500 : 300) * test_time_scale();
    int status = -1;
    pid_t host = fork();
    assert_true(host >= 0);
    if (host == 0) {
        setpgid(0, 0);
        run_stoppable_host(backend, deadline_ms, in_callback);
    }
    setpgid(host, host);
    stage_wait(&stage->started, 2);
    if (in_callback)
        stage_wait(&stage->over, 1);
    assert_int_equal(kill(-host, SIGSTOP), 0);
    scenario_sleep_us((int64_t)deadline_ms * 1400);
    assert_int_equal(kill(-host, SIGCONT), 0);
    /* The supervisor has time to make its mistake: to look before the tasks have ended. */
    scenario_sleep_us(in_callback ? 200000 : 20000);
    stage_post(&stage->go, 2);
    assert_int_equal(waitpid(host, &status, 0), host);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void
scenario_10_a_stop_of_the_group_for_longer_than_the_deadline_uses_up_none(enum pool_backend backend)
{
    stop_group(backend, false);
}
ON_BOTH_BACKENDS(scenario_10_a_stop_of_the_group_for_longer_than_the_deadline_uses_up_none)

/* Processes only: with threads nobody looks at deadlines but the tasks themselves. */
static void scenario_10_a_stop_of_the_group_during_a_callback_uses_up_no_deadline(void **state)
{
    (void)state;
    stop_group(POOL_BACKEND_PROCESS, true);
}

/* Processes only: a thread cannot be stopped alone. */
static void scenario_10_a_stopped_worker_past_its_deadline_is_replaced(void **state)
{
    (void)state;
    struct stage *stage = stage_open();
    struct pool *pool = scenario_pool_of(POOL_BACKEND_PROCESS, 1);
    const struct pool_submit_options submit = {.deadline_ms = 100 * test_time_scale()};
    const struct order order = {0};
    struct ledger ledger;
    pid_t worker;
    ledger_init(&ledger, 6);
    assert_int_equal(ledger_submit(&ledger, pool, "hold", &order, NULL, &submit), 0);
    stage_wait(&stage->started, 1);
    scenario_know_workers(pool, &worker, 1);
    assert_int_equal(kill(worker, SIGSTOP), 0);
    for (int i = 0; i < 5; i++)
        ledger_add(&ledger, pool, "square", i, 0);
    ledger_settle(&ledger);
    assert_int_equal(ledger.entries[0].code, -ETIME);
    assert_int_equal(ledger_count(&ledger, 0), 5);
    ledger_finish(&ledger, pool);
}

static void scenario_10_a_stopped_worker_does_not_keep_terminate_from_ending_the_pool(void **state)
{
    (void)state;
    struct stage *stage = stage_open();
    struct pool *pool = scenario_pool_of(POOL_BACKEND_PROCESS, 1);
    struct pool_future *future = scenario_submit(pool, "hold", 0, 0);
    pid_t worker;
    stage_wait(&stage->started, 1);
    scenario_know_workers(pool, &worker, 1);
    assert_int_equal(kill(worker, SIGSTOP), 0);
    pool_terminate(pool);
    assert_null(pool_free(pool));
    assert_int_equal(scenario_take(future), -ECANCELED);
}

/* ---- 10: a pool opened in a thread that ends ----------------------------------------------- */

static void *open_and_end(void *data)
{
    const struct pool_options *options = data;
    struct pool *pool = NULL;
    return pool_create(options, &pool) == 0 ? pool : NULL;
}

static void scenario_10_a_pool_outlives_the_thread_that_opened_it(enum pool_backend backend)
{
    struct pool_options options = {.backend = backend, .workers = 2, .workers_min = 2};
    unsigned seed = scenario_seed();
    for (int i = 0; i < 4; i++) {
        struct pool_stats before, after;
        pthread_t thread;
        void *pool = NULL;
        assert_int_equal(pthread_create(&thread, NULL, open_and_end, &options), 0);
        assert_int_equal(pthread_join(thread, &pool), 0);
        assert_non_null(pool);
        scenario_check_alive(pool);
        assert_int_equal(pool_stats(pool, &before), 0);
        scenario_sleep_us(5000); /* whoever was to die with the thread has died by now */
        scenario_check_alive(pool);
        assert_int_equal(pool_stats(pool, &after), 0);
        assert_int_equal(after.died, 0);
        assert_true(after.started <= 2);
        pid_t worker = scenario_any_worker(pool, &seed);
        if (backend == POOL_BACKEND_PROCESS && worker > 0)
            kill(worker, SIGKILL);
        scenario_check_alive(pool);
        assert_null(pool_free(pool));
    }
}
ON_BOTH_BACKENDS(scenario_10_a_pool_outlives_the_thread_that_opened_it)

/* ---- 17: signals at every blocking call ---------------------------------------------------- */

static atomic_int interruptions;

static void interrupt(int signal_number)
{
    (void)signal_number;
    atomic_fetch_add(&interruptions, 1);
}

/* Every millisecond, or never again. No SA_RESTART: each system call that waits fails. */
static void interrupt_every_ms(bool on)
{
    const struct sigaction action = {.sa_handler = interrupt};
    const struct itimerval timer = {{0, on ? 1000 : 0}, {0, on ? 1000 : 0}};
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

struct numbers {
    struct order order;
    struct pool_bytes field;
    int64_t next;
};

static int next_number(void *data, struct pool_item *ret_item)
{
    struct numbers *numbers = data;
    if (numbers->next == 20)
        return 0;
    numbers->order = (struct order){.index = numbers->next++, .a = 500};
    numbers->field = (struct pool_bytes){&numbers->order, sizeof(numbers->order)};
    ret_item->fields = &numbers->field;
    ret_item->field_count = 1;
    return 1;
}

static void wait_in_every_way(struct pool *pool)
{
    struct pool_future *futures[4];
    struct pool_completed *completed;
    struct pool_results *results;
    struct numbers numbers = {0};
    struct pool_iter *iter;
    int64_t values[20];
    const struct order order = {.a = 500};
    const struct pool_sequence sequence = {values, sizeof(values[0]), 20};
    const struct pool_bytes field = {&order, sizeof(order)};
    const struct pool_item item = {.fields = &field, .field_count = 1};
    int count = 0;
    for (int i = 0; i < 4; i++) /* beyond the queue's limit: submitting waits */
        futures[i] = scenario_submit(pool, "work", 1500, 0);
    assert_int_equal(pool_wait(futures, 4, POOL_FIRST_COMPLETED, -1) >= 1, 1);
    assert_int_equal(pool_wait(futures, 4, POOL_ALL_COMPLETED, -1), 4);
    assert_int_equal(pool_as_completed(futures, 4, -1, &completed), 0);
    for (struct pool_future *future; pool_completed_next(completed, &future) == 1;)
        count++;
    assert_int_equal(count, 4);
    pool_completed_free(completed);
    for (int i = 0; i < 4; i++)
        assert_int_equal(scenario_take(futures[i]), 0);
    memset(values, 0, sizeof(values));
    assert_int_equal(pool_map_sequences(pool, "work", &sequence, 1, NULL, &results), 0);
    assert_int_equal(pool_results_wait(results, -1), 0);
    assert_int_equal(pool_results_successful(results), 1);
    pool_results_free(results);
    assert_int_equal(pool_imap(pool, "work", next_number, &numbers, NULL, &iter), 0);
    for (struct pool_future *future; pool_iter_next(iter, -1, &future) == 1; count++)
        assert_int_equal(scenario_take(future), 0);
    assert_int_equal(count, 24);
    pool_iter_free(iter);
    assert_int_equal(pool_apply(pool, "work", &item, NULL, &futures[0]), 0);
    assert_int_equal(scenario_take(futures[0]), 0);
}

static void time_out_in_time(struct pool *pool, struct stage *stage)
{
    const int64_t start_ms = scenario_now_ms();
    struct pool_future *future = scenario_submit(pool, "hold", 0, 0);
    stage_wait(&stage->started, 1);
    assert_int_equal(pool_future_result(future, 20, NULL), -ETIMEDOUT);
    assert_true(scenario_now_ms() - start_ms >= 19); /* a signal is no reason to give up early */
    stage_post(&stage->go, 1);
    assert_int_equal(scenario_take(future), 0);
}

static void scenario_17_signals_in_the_host_interrupt_no_call(enum pool_backend backend)
{
    struct stage *stage = stage_open();
    interrupt_every_ms(true);
    for (int i = 0; i < 3; i++) {
        struct pool_options options = {.backend = backend, .workers = 2, .queue_max = 1};
        struct pool *pool = scenario_pool(&options);
        struct load {
            char bytes[300000];
        } *load = calloc(1, sizeof(*load));
        const struct order order = {0};
        const struct pool_bytes fields[2] = {{&order, sizeof(order)}, {load, sizeof(*load)}};
        const struct pool_item item = {.fields = fields, .field_count = 2};
        struct pool_future *future;
        struct pool_bytes value;
        wait_in_every_way(pool);
        time_out_in_time(pool, stage);
        assert_int_equal(pool_apply(pool, "echo", &item, NULL, &future), 0);
        assert_int_equal(pool_future_result(future, 0, &value), 0);
        assert_int_equal(value.size_bytes, sizeof(*load));
        pool_future_free(future);
        free(load);
        if (backend == POOL_BACKEND_PROCESS)
            assert_int_equal(scenario_take(scenario_submit(pool, "die", SIGKILL, 0)), -EOWNERDEAD);
        future = scenario_submit(pool, "work", 3000, 0);
        if (i == 0) {
            pool_close(pool);
            assert_int_equal(pool_join(pool, -1), 0);
        }
        if (i == 1)
            assert_int_equal(pool_shutdown(pool, POOL_SHUTDOWN_WAIT), 0);
        assert_null(pool_free(pool));
        assert_int_equal(scenario_take(future), 0);
    }
    interrupt_every_ms(false);
    printf("%d signals\n", atomic_load(&interruptions));
    assert_true(atomic_load(&interruptions) > 10);
}
ON_BOTH_BACKENDS(scenario_17_signals_in_the_host_interrupt_no_call)

static void catch_in_worker(int signal_number)
{
    (void)signal_number;
    atomic_fetch_add(&stage_get()->caught, 1);
}

/* An initializer. */
static int task_catch(struct pool_call *call)
{
    const struct sigaction action = {.sa_handler = catch_in_worker};
    (void)call;
    stage_get(); /* found now: the handler cannot look for it */
    return sigaction(SIGUSR1, &action, NULL) < 0 ? -errno : 0;
}

struct pest {
    struct pool *pool;
    atomic_bool over;
    pthread_t thread;
};

static void *pester(void *data)
{
    struct pest *pest = data;
    while (!atomic_load(&pest->over)) {
        struct pool_worker_stats workers[4];
        int count = pool_worker_stats(pest->pool, workers, 4);
        for (int i = 0; i < count && i < 4; i++) /* before it is ready it has no handler */
            if (workers[i].pid > 0 &&
                (workers[i].state == POOL_WORKER_IDLE || workers[i].state == POOL_WORKER_BUSY))
                kill(workers[i].pid, SIGUSR1);
        scenario_sleep_us(100);
    }
    return NULL;
}

/* Processes only: threads of the host have been interrupted above. */
static void scenario_17_signals_in_the_workers_interrupt_nothing(void **state)
{
    (void)state;
    struct stage *stage = stage_open();
    struct pool_options options = {.workers = 2, .workers_min = 2, .initializer = "catch"};
    struct pest pest = {.pool = scenario_pool(&options)};
    static uint8_t bytes[200000];
    const struct pool_bytes payload = {bytes, sizeof(bytes)};
    struct ledger ledger;
    const int rounds = scenario_size(40, 10);
    ledger_init(&ledger, (size_t)rounds * 3);
    assert_int_equal(pthread_create(&pest.thread, NULL, pester, &pest), 0);
    for (int i = 0; i < rounds; i++) {
        const struct order order = {.index = (int64_t)ledger.count};
        assert_int_equal(ledger_submit(&ledger, pest.pool, "echo", &order, &payload, NULL), 0);
        ledger_add(&ledger, pest.pool, "work", 500, 0);
        ledger_add(&ledger, pest.pool, "blow_up", 0, 60000);
        if (i % 4 == 3) /* idle in between, waiting for the next */
            pool_future_result(ledger.entries[ledger.count - 1].future, -1, NULL);
    }
    ledger_settle(&ledger);
    atomic_store(&pest.over, true);
    assert_int_equal(pthread_join(pest.thread, NULL), 0);
    printf("%d signals caught\n", atomic_load(&stage->caught));
    assert_true(atomic_load(&stage->caught) > 10);
    assert_int_equal(ledger_count(&ledger, 0), ledger.count);
    for (size_t i = 0; i < ledger.count; i++)
        assert_int_equal(atomic_load(&stage->runs[i]), 1);
    ledger_finish(&ledger, pest.pool);
}

/* ---- The program --------------------------------------------------------------------------- */

static const struct pool_task list[] = {SCENARIO_TASKS, {"catch", task_catch}};
static const struct pool_tasks tasks = {list, sizeof(list) / sizeof(list[0])};

static const struct test_case tests[] = {
    TEST_ON_BOTH(scenario_10_a_forked_child_has_a_dead_handle_and_harms_nobody),
    TEST_ON_BOTH(scenario_10_a_child_that_lives_on_does_not_keep_the_pool_from_ending),
    TEST_ON_BOTH(scenario_10_a_forked_child_may_open_its_own_pool),
    TEST_ON_BOTH(scenario_10_a_host_may_ignore_sigchld),
    TEST_ON_BOTH(scenario_10_a_host_may_reap_everybody),
    TEST_ON_BOTH(scenario_10_ctrl_c_is_for_the_host_alone),
    TEST_ON_BOTH(scenario_10_a_stop_of_the_group_for_longer_than_the_deadline_uses_up_none),
    TEST(scenario_10_a_stop_of_the_group_during_a_callback_uses_up_no_deadline),
    TEST(scenario_10_a_stopped_worker_past_its_deadline_is_replaced),
    TEST(scenario_10_a_stopped_worker_does_not_keep_terminate_from_ending_the_pool),
    TEST_ON_BOTH(scenario_10_a_pool_outlives_the_thread_that_opened_it),
    TEST_ON_BOTH(scenario_17_signals_in_the_host_interrupt_no_call),
    TEST(scenario_17_signals_in_the_workers_interrupt_nothing),
};

int main(int argc, char **argv)
{
    if (pool_main(argc, argv, &tasks) < 0)
        return 2;
    return test_run("scenario_hosts", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
