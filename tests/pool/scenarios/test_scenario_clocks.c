/* Scenario 19: the wall clock jumps. It must not matter, because nothing in the library asks for
 * it: link-time wrapping makes every such call jump, and tells of it, in host, zygote and workers
 * alike. */
#include "scenario_support.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>

/* The names are the linker's (--wrap=...). NOLINTBEGIN(bugprone-reserved-identifier) */
int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __real_gettimeofday(struct timeval *now, void *zone);
int __wrap_gettimeofday(struct timeval *now, void *zone);
time_t __real_time(time_t *now);
time_t __wrap_time(time_t *now);
int __real_timerfd_create(int clock, int flags);
int __wrap_timerfd_create(int clock, int flags);
int __real_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                  const struct timespec *until);
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                  const struct timespec *until);
int __real_pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
                                  const struct timespec *until);
int __wrap_pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
                                  const struct timespec *until);
int __real_sem_timedwait(sem_t *sem, const struct timespec *until);
int __wrap_sem_timedwait(sem_t *sem, const struct timespec *until);

static bool is_wall_clock(clockid_t clock)
{
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ||
           clock == CLOCK_REALTIME_ALARM || clock == CLOCK_TAI;
}

/* Somebody asked for the wall clock. `deepest` has no other use here. */
static void tell(void)
{
    struct stage *stage = stage_get();
    if (stage)
        atomic_fetch_add(&stage->deepest, 1);
}

/* By years, there and back. */
static time_t jump(void)
{
    static atomic_int calls;
    return (atomic_fetch_add(&calls, 1) % 3 - 1) * (time_t)100000000;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    int r = __real_clock_gettime(clock, now);
    if (is_wall_clock(clock)) {
        tell();
        now->tv_sec += jump();
    }
    return r;
}

int __wrap_gettimeofday(struct timeval *now, void *zone)
{
    int r = __real_gettimeofday(now, zone);
    tell();
    now->tv_sec += jump();
    return r;
}

time_t __wrap_time(time_t *now)
{
    time_t seconds = __real_time(NULL) + jump();
    tell();
    if (now)
        *now = seconds;
    return seconds;
}

int __wrap_timerfd_create(int clock, int flags)
{
    if (is_wall_clock(clock))
        tell();
    return __real_timerfd_create(clock, flags);
}

/* Which clock a condition variable has cannot be asked for; but years lie between the two. */
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                  const struct timespec *until)
{
    struct timespec wall;
    __real_clock_gettime(CLOCK_REALTIME, &wall);
    if (until->tv_sec > wall.tv_sec / 2)
        tell();
    return __real_pthread_cond_timedwait(cond, mutex, until);
}

int __wrap_pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
                                  const struct timespec *until)
{
    if (is_wall_clock(clock))
        tell();
    return __real_pthread_cond_clockwait(cond, mutex, clock, until);
}

int __wrap_sem_timedwait(sem_t *sem, const struct timespec *until)
{
    tell(); /* it knows the wall clock only */
    return __real_sem_timedwait(sem, until);
}
/* NOLINTEND(bugprone-reserved-identifier) */

/* Fails unless what began at start_ms took at least so long, and not impossibly much longer. */
static void check_took(int64_t start_ms, int64_t least_ms)
{
    const int64_t took_ms = scenario_now_ms() - start_ms;
    printf("%lld ms of %lld\n", (long long)took_ms, (long long)least_ms);
    assert_true(took_ms >= least_ms - 1); /* both are rounded down */
    assert_true(took_ms < least_ms + 5000 * test_time_scale());
}

static int64_t ask_for_everything(enum pool_backend backend, struct stage *stage)
{
    struct pool_options options = {.backend = backend, .workers = 2, .max_age_ms = 50};
    options.idle_ms = 10;
    struct pool *pool = scenario_pool(&options);
    const struct pool_submit_options submit = {.deadline_ms = 40};
    struct pool_future *futures[2];
    struct pool_stats stats;
    struct pool_worker_stats workers[2];
    int64_t start_ms = scenario_now_ms();
    futures[0] = scenario_submit(pool, "hold", 0, 0);
    stage_wait(&stage->started, 1);
    assert_int_equal(pool_future_result(futures[0], 30, NULL), -ETIMEDOUT);
    check_took(start_ms, 30);
    start_ms = scenario_now_ms();
    assert_int_equal(pool_wait(futures, 1, POOL_ALL_COMPLETED, 30), -ETIMEDOUT);
    check_took(start_ms, 30);
    stage_post(&stage->go, 1);
    assert_int_equal(scenario_take(futures[0]), 0);

    start_ms = scenario_now_ms();
    assert_int_equal(pool_submit(pool, "obedient", NULL, &submit, &futures[0]), 0);
    assert_int_equal(pool_submit(pool, "obedient", NULL, &submit, &futures[1]), 0);
    assert_int_equal(scenario_take(futures[0]), -ETIME);
    assert_int_equal(scenario_take(futures[1]), -ETIME);
    check_took(start_ms, 40);

    scenario_sleep_us(60000); /* for the age and the idle time to matter */
    scenario_check_alive(pool);
    assert_int_equal(pool_stats(pool, &stats), 0);
    assert_in_range(stats.age_ms, 160 - 2, 160 + 20000 * test_time_scale());
    assert_true(pool_worker_stats(pool, workers, 2) >= 0);
    pool_close(pool);
    assert_int_equal(pool_join(pool, 20000 * test_time_scale()), 0);
    pool_free(pool);
    return atomic_load(&stage->deepest);
}

static void scenario_19_time_is_right_while_the_wall_clock_jumps(enum pool_backend backend)
{
    struct stage *stage = stage_open();
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
    assert_int_equal(atomic_load(&stage->deepest), 1); /* the trap works */
    atomic_store(&stage->deepest, 0);
    assert_int_equal(ask_for_everything(backend, stage), 0); /* nobody fell into it */
}
ON_BOTH_BACKENDS(scenario_19_time_is_right_while_the_wall_clock_jumps)

static int task_fall_into_the_trap(struct pool_call *call)
{
    (void)call;
    return time(NULL) == 0 ? -EINVAL : 0;
}

static void scenario_19_the_trap_works_in_a_worker_too(void **state)
{
    (void)state;
    struct stage *stage = stage_open();
    struct pool *pool = scenario_pool_of(POOL_BACKEND_PROCESS, 1);
    assert_int_equal(scenario_take(scenario_submit(pool, "trap", 0, 0)), 0);
    pool_free(pool);
    assert_int_equal(atomic_load(&stage->deepest), 1);
}

static const struct pool_task list[] = {SCENARIO_TASKS, {"trap", task_fall_into_the_trap}};
static const struct pool_tasks tasks = {list, sizeof(list) / sizeof(list[0])};

static const struct test_case tests[] = {
    TEST_ON_BOTH(scenario_19_time_is_right_while_the_wall_clock_jumps),
    TEST(scenario_19_the_trap_works_in_a_worker_too),
};

int main(int argc, char **argv)
{
    if (pool_main(argc, argv, &tasks) < 0)
        return 2;
    return test_run("scenario_clocks", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
