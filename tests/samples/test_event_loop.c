/* The samples event_loop, web_pages and monitor: what they print, and in which order. */
#include "sample_run.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "isolate.h"

/* ---- event_loop ---------------------------------------------------------------------------- */

static void the_loop_ticks_while_tasks_block(void **state)
{
    (void)state;
    const struct sample_output output = sample_ok(SAMPLE("event_loop"), NULL);
    for (int i = 1; i <= 3; i++) {
        char tick[16], read[64];
        snprintf(tick, sizeof(tick), "tick %d", 2 * i);
        snprintf(read, sizeof(read), "read %d: \"written at tick %d\", by process ", i, 2 * i);
        /* The answer cannot come before the tick; nor, were the loop blocked, the tick at all. */
        assert_true(sample_find(&output, tick) < sample_find(&output, read));
    }
    int ticks = 0;
    for (size_t i = 0; i < output.line_count; i++) {
        int number = 0;
        if (sscanf(output.lines[i], "tick %d", &number) == 1)
            assert_int_equal(number, ++ticks);
    }
    assert_true(ticks >= 6);
    assert_int_equal(sample_count(&output, "fib(30) = 832040, by process "), 1);
    const size_t processes = sample_distinct(&output, "by process ");
    assert_true(processes >= 1 && processes <= 4);
    sample_expect_line(&output, output.line_count - 1, "4 results, all in the loop's thread");
}

/* ---- web_pages ----------------------------------------------------------------------------- */

static void pages_come_in_the_order_of_their_urls(void **state)
{
    (void)state;
    static const char *const ends[] = {
        "/page/1: 1000 bytes",   "/page/5: 5000 bytes", "/missing: failed: HTTP status 404",
        "/page/2: 2000 bytes",   "/page/8: 8000 bytes", "/page/3: 3000 bytes",
        "/page/13: 13000 bytes", "/page/1: 1000 bytes"};
    setenv("http_proxy", "http://127.0.0.1:1/", 1); /* not for what is here */
    const struct sample_output output = sample_ok(SAMPLE("web_pages"), NULL);
    for (size_t i = 0; i < 8; i++) {
        assert_ptr_equal(strstr(output.lines[i], "http://127.0.0.1:"), output.lines[i]);
        const char *path = strchr(output.lines[i] + strlen("http://"), '/');
        assert_non_null(path);
        assert_string_equal(path, ends[i]);
    }
    double serial_s = 0, pooled_s = 0;
    assert_int_equal(
        sscanf(output.lines[8], "one after the other: 7 pages, 1 failed, %lf s", &serial_s), 1);
    assert_int_equal(sscanf(output.lines[9], "by 4 workers: 7 pages, 1 failed, %lf s", &pooled_s),
                     1);
    assert_true(serial_s >= 8 * 0.05 && pooled_s >= 2 * 0.05); /* each answer takes 50 ms */
    sample_expect_line(&output, 10, "same pages: yes");
    assert_int_equal(output.line_count, 11);
}

static void urls_that_cannot_be_fetched_are_told(void **state)
{
    (void)state;
    unsetenv("http_proxy");
    const struct sample_output output =
        sample_ok(SAMPLE("web_pages"), "http://127.0.0.1:1/", "nothing://here", NULL);
    assert_ptr_equal(strstr(output.lines[0], "http://127.0.0.1:1/: failed: "), output.lines[0]);
    assert_ptr_equal(strstr(output.lines[1], "nothing://here: failed: "), output.lines[1]);
    assert_int_equal(sample_count(&output, " 0 pages, 2 failed, "), 2);
}

/* ---- monitor ------------------------------------------------------------------------------- */

enum { MONITOR_TASKS = 23 };

/* Each table's totals add up to all tasks.  Returns how many tables there are. */
static size_t check_totals(const struct sample_output *output)
{
    unsigned long last_done = 0;
    size_t tables = 0;
    for (size_t i = 0; i < output->line_count; i++) {
        unsigned long queued, running, done, failed;
        double rate;
        if (sscanf(output->lines[i],
                   "tasks %lu queued, %lu running, %lu done, %lu failed; %lf a second", &queued,
                   &running, &done, &failed, &rate) != 5)
            continue;
        tables++;
        assert_int_equal(queued + running + done + failed, MONITOR_TASKS);
        assert_true(running <= 3 && failed <= 1 && done >= last_done && rate >= 0);
        last_done = done;
    }
    assert_int_equal(last_done, MONITOR_TASKS - 1); /* the last table shows the end */
    return tables;
}

/* The rows of workers that do a task.  Returns how many. */
static size_t check_rows(const struct sample_output *output, const char *wanted_task)
{
    size_t rows = 0, sizes = 0;
    for (size_t i = 0; i < output->line_count; i++) {
        unsigned id, tasks;
        int pid;
        char worker_state[16], task[32], cpu[16], memory[16];
        double for_s;
        if (sscanf(output->lines[i], "%u %d %15s %31s %lf %u %15s %15s", &id, &pid, worker_state,
                   task, &for_s, &tasks, cpu, memory) != 8)
            continue;
        if (strcmp(worker_state, "busy") == 0)
            assert_true(pid > 0 && tasks > 0);
        rows += strcmp(task, wanted_task) == 0;
        sizes += strtod(memory, NULL) > 0;
    }
    assert_true(sizes > 0);
    return rows;
}

static void the_monitor_shows_workers_at_work(void **state)
{
    (void)state;
    const struct sample_output output = sample_ok(SAMPLE("monitor"), NULL);
    const size_t tables = check_totals(&output);
    unsigned started = 0;
    assert_true(tables >= 5);
    assert_int_equal(sample_count(&output, "worker      pid  state     task  "), tables);
    assert_true(check_rows(&output, "download") >= 4); /* it cannot end before the fourth table */
    assert_true(sample_count(&output, "was killed by signal 9") >= 1);
    assert_true(sample_count(&output, ", 1 restarted") >= 1);
    assert_null(strchr(output.out, '\033')); /* this is no terminal */
    const size_t end = sample_find(&output, "end       ");
    assert_int_equal(sscanf(output.lines[end],
                            "end 22 done, 1 failed, 0 cancelled; %u workers started, 1 died",
                            &started),
                     1);
    assert_true(started == 3 || started == 4); /* the last may have come too late */
    assert_int_equal(end, output.line_count - 1);
}

/* Run it on a terminal.  Returns what that was to show; the caller frees it. */
static char *run_on_terminal(const char *program)
{
    enum { ROOM = 1 << 16 };
    char *text = calloc(ROOM, 1), name[64];
    size_t used = 0;
    ssize_t got;
    int status;
    const int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_non_null(text);
    assert_true(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
    assert_int_equal(ptsname_r(terminal, name, sizeof(name)), 0);
    /* Opened before the fork: reading fails as soon as nobody has this side open. */
    const int side = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(side >= 0);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (dup2(side, STDOUT_FILENO) >= 0 && dup2(side, STDERR_FILENO) >= 0)
            execl(program, program, NULL);
        _exit(127);
    }
    close(side);
    while ((got = read(terminal, text + used, ROOM - 1 - used)) > 0)
        used += (size_t)got;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(terminal);
    return text;
}

static void on_a_terminal_the_table_is_drawn_in_place(void **state)
{
    (void)state;
    char *text = run_on_terminal(SAMPLE("monitor"));
    size_t up = 0, tables = 0;
    for (const char *at = text; (at = strstr(at, "\033[")); at++)
        up += at[3] == 'A' && strncmp(at + 4, "\033[J", 3) == 0;
    for (const char *at = text; (at = strstr(at, "workers   ")); at++)
        tables++;
    assert_true(tables >= 5);
    assert_int_equal(up, tables - 1); /* each but the first is drawn over the one before */
    free(text);
}

static const struct test_case tests[] = {
    TEST(the_loop_ticks_while_tasks_block),          TEST(pages_come_in_the_order_of_their_urls),
    TEST(urls_that_cannot_be_fetched_are_told),      TEST(the_monitor_shows_workers_at_work),
    TEST(on_a_terminal_the_table_is_drawn_in_place),
};

int main(int argc, char **argv)
{
    return test_run("samples event_loop", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
