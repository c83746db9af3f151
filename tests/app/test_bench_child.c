#include "app/bench_child_priv.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "app/signals_priv.h"
#include "isolate.h"

static struct bench_sample run_child(bench_child_fn run, void *data, int expected,
                                     const char *expected_words)
{
    struct bench_sample sample = {.made = 99};
    struct text words = TEXT_INIT;
    assert_int_equal(bench_child_run(run, data, &sample, &words), expected);
    assert_string_equal(text_string(&words), expected_words);
    text_done(&words);
    return sample;
}

static int measure(void *data, struct bench_sample *ret_sample)
{
    const pid_t parent = *(pid_t *)data;
    *ret_sample = (struct bench_sample){.wall_s = 1.5, .made = 7, .worker_peak_bytes = -1};
    return getppid() == parent && getpid() != parent ? -ENOSPC : 0;
}

static void what_a_child_has_measured_and_how_it_ended_come_back(void **state)
{
    (void)state;
    pid_t self = getpid();
    const struct bench_sample sample = run_child(measure, &self, -ENOSPC, "");
    assert_true(sample.made == 7 && sample.wall_s == 1.5 && sample.worker_peak_bytes == -1);
}

static int die(void *data, struct bench_sample *ret_sample)
{
    ret_sample->made = 7;
    if (*(int *)data == 0)
        _exit(7);
    raise(*(int *)data);
    return 0;
}

static void a_child_that_dies_has_made_nothing(void **state)
{
    (void)state;
    static const struct {
        int signal_number;
        const char *words;
    } rows[] = {{0, "ended with status 7"},
                {SIGKILL, "ended by a signal: Killed"},
                {SIGPIPE, "ended by a signal: Broken pipe"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int how = rows[i].signal_number;
        const struct bench_sample sample = run_child(die, &how, 0, rows[i].words);
        assert_true(sample.made == 0 && sample.host_peak_bytes == -1);
    }
}

/* It has its parent told to end, and waits until it is told so itself. */
static int wait_to_be_told(void *data, struct bench_sample *ret_sample)
{
    (void)ret_sample;
    kill(*(pid_t *)data, SIGTERM);
    while (signals_caught() == 0)
        usleep(1000);
    return signals_caught() == SIGTERM ? -EINTR : -EPROTO;
}

static void a_signal_is_handed_on(void **state)
{
    (void)state;
    pid_t self = getpid();
    assert_int_equal(signals_install(), 0);
    run_child(wait_to_be_told, &self, -EINTR, "");
    assert_int_equal(signals_caught(), SIGTERM);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(what_a_child_has_measured_and_how_it_ended_come_back),
        TEST(a_child_that_dies_has_made_nothing),
        TEST(a_signal_is_handed_on),
    };
    return test_run("app bench child", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
