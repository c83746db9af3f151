/* The objects of process.h: what can be done with one process and asked of it. How families end
 * stands in test_process_family.c. */
#include "process_tasks.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pool/process_priv.h>

/* ---- What runs ----------------------------------------------------------------------------- */

static void a_target_runs_in_a_process_of_its_own(void **state)
{
    (void)state;
    struct told told;
    ask_a_process(&told); /* compares the pids */
    assert_int_not_equal(told.pid, getpid());
    assert_int_not_equal(told.parent, getpid());
    assert_true(told.stdin_is_empty);
}

static void ps_shows_a_process_by_its_name(void **state)
{
    (void)state;
    struct channel gate = channel_open(), out = channel_open();
    const int fds[] = {gate.read_fd, out.write_fd};
    int copies[2] = {dup(fds[0]), dup(fds[1])};
    const struct pool_item item = {.fds = copies, .fd_count = 2};
    const struct pool_process_options options = {.name = "a name that is too long for ps"};
    struct pool_process *process;
    char path[64], name[64] = "";
    assert_int_equal(pool_process_create("mark_twice", &item, &options, &process), 0);
    assert_string_equal(pool_process_name(process), "a name that is too long for ps");
    assert_int_equal(pool_process_start(process), 0);
    read_byte(out.read_fd);
    snprintf(path, sizeof(path), "/proc/%d/comm", (int)pool_process_pid(process));
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_non_null(fgets(name, sizeof(name), file));
    fclose(file);
    assert_string_equal(name, "a name that is \n");
    channel_close(&gate);
    assert_int_equal(take_code(process), 0);
    channel_close(&out);
}

static struct runner runner_of(const char *file)
{
    struct runner runner = {.runnable = POOL_RUNNABLE("run", struct runner), .byte = 'r'};
    snprintf(runner.path, sizeof(runner.path), "%s/%s", test_scratch(), file);
    return runner;
}

static void a_struct_may_carry_its_own_run(void **state)
{
    (void)state;
    struct runner runner = runner_of("made");
    struct pool_process *process;
    assert_int_equal(pool_process_create_runnable(&runner.runnable, NULL, &process), 0);
    const struct runner before = runner;
    memset(&runner, 0, sizeof(runner)); /* it was copied */
    assert_int_equal(pool_process_start(process), 0);
    assert_int_equal(take_code(process), 0);
    int fd = open(before.path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read_byte(fd), 'r');
    close(fd);
}

static void a_run_that_gets_another_struct_than_its_own_fails(void **state)
{
    (void)state;
    struct runner runner = runner_of("not-made");
    struct pool_process *process;
    struct pool_error error;
    runner.runnable.size_bytes = sizeof(runner) - 8;
    assert_int_equal(pool_process_create_runnable(&runner.runnable, NULL, &process), 0);
    assert_int_equal(pool_process_start(process), 0);
    assert_int_equal(pool_process_join(process, -1), 0);
    assert_int_equal(pool_process_error(process, &error), 0);
    assert_int_equal(error.code, -EREMOTEIO);
    assert_int_equal(error.task_code, -EBADMSG);
    assert_non_null(strstr(error.message, "bytes expected"));
    pool_process_free(process);
    assert_int_equal(access(runner.path, F_OK), -1);
    runner.runnable.size_bytes = sizeof(runner.runnable) - 1;
    assert_int_equal(pool_process_create_runnable(&runner.runnable, NULL, &process), -EINVAL);
    runner.runnable = (struct pool_runnable){NULL, sizeof(runner)};
    assert_int_equal(pool_process_create_runnable(&runner.runnable, NULL, &process), -EINVAL);
    runner.runnable = (struct pool_runnable)POOL_RUNNABLE("no such task", struct runner);
    assert_int_equal(pool_process_create_runnable(&runner.runnable, NULL, &process), -ENOENT);
}

static void fields_of_any_size_arrive_whole(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 255, 65535, 65536, 65537, 5 << 20};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct channel channel = channel_open();
        unsigned char *bytes = malloc(sizes[i] + 1);
        uint64_t sums[2] = {0, 0}, sum = 0;
        assert_non_null(bytes);
        for (size_t k = 0; k < sizes[i]; k++)
            sum += bytes[k] = (unsigned char)(k * 7 + (k >> 8));
        const int number = 0;
        const struct pool_bytes fields[] = {{&number, sizeof(number)}, {bytes, sizes[i]}};
        int fd = dup(channel.write_fd);
        const struct pool_item item = {
            .fields = fields, .field_count = 2, .fds = &fd, .fd_count = 1};
        struct pool_process *process;
        assert_int_equal(pool_process_create("sum", &item, NULL, &process), 0);
        free(bytes); /* copied */
        assert_int_equal(pool_process_start(process), 0);
        assert_int_equal(read(channel.read_fd, sums, sizeof(sums)), sizeof(sums));
        assert_int_equal(sums[0], sum);
        assert_int_equal(sums[1], sizes[i]);
        assert_int_equal(take_code(process), 0);
        channel_close(&channel);
    }
}

static void descriptors_arrive_and_are_closed_here(void **state)
{
    (void)state;
    struct channel in = channel_open(), out = channel_open();
    struct pool_process *process = start("copy", 0, (int[]){in.read_fd, out.write_fd}, 2);
    close_end(&in.read_fd);
    close_end(&out.write_fd);
    assert_int_equal(write(in.write_fd, "x", 1), 1);
    assert_int_equal(read_byte(out.read_fd), 'x');
    close_end(&in.write_fd);                      /* the process alone had it, too: */
    assert_int_equal(read_byte(out.read_fd), -1); /* it saw the end of file, and nobody but it */
    assert_int_equal(take_code(process), 0);      /* had the other */
    channel_close(&in);
    channel_close(&out);
}

static void the_most_descriptors_arrive(void **state)
{
    (void)state;
    struct channel out = channel_open();
    int fds[POOL_FDS_MAX];
    struct told told;
    for (int i = 0; i < POOL_FDS_MAX; i++)
        fds[i] = out.write_fd;
    struct pool_process *process = start("tell", 0, fds, POOL_FDS_MAX);
    assert_int_equal(read(out.read_fd, &told, sizeof(told)), sizeof(told));
    assert_int_equal(told.open_descriptors, 4 + POOL_FDS_MAX); /* 0, 1, 2, the socket */
    assert_int_equal(take_code(process), 0);
    channel_close(&out);
}

static void a_process_has_no_descriptor_of_its_siblings(void **state)
{
    (void)state;
    struct channel gate = channel_open();
    struct pool_process *siblings[3];
    struct told told;
    int leaky = open("/dev/null", O_RDONLY); /* not close-on-exec, on purpose */
    for (int i = 0; i < 3; i++)
        siblings[i] = start("hold", 0, &gate.read_fd, 1);
    ask_a_process(&told);
    assert_int_equal(told.open_descriptors, 5); /* 0, 1, 2, the socket and its own */
    channel_close(&gate);
    for (int i = 0; i < 3; i++)
        assert_int_equal(take_code(siblings[i]), 0);
    close(leaky);
}

static void what_a_process_prints_is_flushed(void **state)
{
    (void)state;
    struct channel out = channel_open();
    char text[64] = "";
    int before = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
    fflush(stdout);
    assert_int_equal(dup2(out.write_fd, STDOUT_FILENO), STDOUT_FILENO);
    struct pool_process *process = start("print", 42, NULL, 0);
    assert_int_equal(pool_process_join(process, -1), 0);
    assert_int_equal(dup2(before, STDOUT_FILENO), STDOUT_FILENO);
    close(before);
    assert_int_equal(read(out.read_fd, text, sizeof(text) - 1), 10);
    assert_string_equal(text, "printed 42");
    pool_process_free(process);
    channel_close(&out);
}

static void processes_run_at_the_same_time(void **state)
{
    (void)state;
    struct channel gate = channel_open(), out = channel_open();
    const int fds[] = {gate.read_fd, out.write_fd};
    struct pool_process *processes[5];
    for (int i = 0; i < 5; i++)
        processes[i] = start("mark_twice", i, fds, 2);
    for (int i = 0; i < 5; i++) /* all five have said so, and none can end before the gate opens */
        assert_true(read_byte(out.read_fd) >= 0);
    for (int i = 0; i < 5; i++) {
        assert_true(pool_process_is_alive(processes[i]));
        for (int k = 0; k < i; k++)
            assert_int_not_equal(pool_process_pid(processes[i]), pool_process_pid(processes[k]));
    }
    channel_close(&gate);
    for (int i = 0; i < 5; i++)
        assert_int_equal(take_code(processes[i]), 0);
    channel_close(&out);
}

static void many_processes_may_be_started_in_a_row(void **state)
{
    (void)state;
    struct pool_process *processes[50];
    for (int i = 0; i < 50; i++)
        processes[i] = start("give", i, NULL, 0);
    for (int i = 49; i >= 0; i--)
        assert_int_equal(take_code(processes[i]), i);
    for (int i = 0; i < 10; i++) /* and each with a family of its own */
        assert_int_equal(take_code(start("give", i, NULL, 0)), i);
}

/* ---- How it ends --------------------------------------------------------------------------- */

static void the_exit_code_says_what_the_target_returned(void **state)
{
    (void)state;
    static const struct {
        const char *label, *target;
        int number, exit_code, error_code, exit_status;
    } rows[] = {
        {"returned 0", "give", 0, 0, 0, -1},
        {"returned a number", "give", 3, 3, 0, -1},
        {"the greatest", "give", 255, 255, 0, -1},
        {"a number that is no exit status", "give", 256, 255, 0, -1},
        {"failed", "fail", -EDOM, 1, -EREMOTEIO, -1},
        {"called exit(7)", "leave", 7, 7, -EOWNERDEAD, 7},
        {"called exit(0)", "leave", 0, 0, 0, -1},
        {"called abort()", "die", 0, -SIGABRT, -EOWNERDEAD, -1},
        {"was killed", "die", SIGKILL, -SIGKILL, -EOWNERDEAD, -1},
        {"was terminated", "die", SIGTERM, -SIGTERM, -EOWNERDEAD, -1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pool_process *process = start(rows[i].target, rows[i].number, NULL, 0);
        struct pool_error error;
        int code;
        printf("%s\n", rows[i].label);
        assert_int_equal(pool_process_join(process, -1), 0);
        assert_int_equal(pool_process_exitcode(process, &code), 0);
        assert_int_equal(code, rows[i].exit_code);
        assert_int_equal(pool_process_error(process, &error), 0);
        assert_int_equal(error.code, rows[i].error_code);
        assert_int_equal(error.exit_status, rows[i].exit_status);
        assert_int_equal(error.signal, code < 0 ? -code : 0);
        assert_int_equal(error.worker_pid, pool_process_pid(process));
        assert_string_equal(error.task, rows[i].target);
        pool_process_free(process);
    }
}

static void a_failure_comes_with_its_words_and_its_place(void **state)
{
    (void)state;
    struct pool_process *process = start("fail", -EDOM, NULL, 0);
    struct pool_error error;
    assert_int_equal(pool_process_join(process, -1), 0);
    assert_int_equal(pool_process_error(process, &error), 0);
    assert_int_equal(error.task_code, -EDOM);
    assert_string_equal(error.message, "it was number -33");
    assert_non_null(strstr(error.where, "process_tasks.c:"));
    pool_process_free(process);

    process = start("silent", -ENOSPC, NULL, 0);
    assert_int_equal(pool_process_join(process, -1), 0);
    assert_int_equal(pool_process_error(process, &error), 0);
    assert_int_equal(error.code, -EREMOTEIO);
    assert_string_equal(error.message, "No space left on device");
    assert_string_equal(error.where, "");
    pool_process_free(process);

    process = start("die", SIGKILL, NULL, 0);
    assert_int_equal(pool_process_join(process, -1), 0);
    assert_int_equal(pool_process_error(process, &error), 0);
    assert_non_null(strstr(error.message, "was killed by signal 9"));
    pool_process_free(process);
}

static void before_the_start_there_is_nothing_to_wait_for(void **state)
{
    (void)state;
    struct pool_process *process = make("give", 0, NULL, 0);
    struct pool_error error;
    int code;
    assert_int_equal(pool_process_join(process, -1), -EINVAL);
    assert_int_equal(pool_process_join(process, 0), -EINVAL);
    assert_int_equal(pool_process_exitcode(process, &code), -EAGAIN);
    assert_int_equal(pool_process_error(process, &error), -EAGAIN);
    assert_int_equal(pool_process_terminate(process), -EINVAL);
    assert_int_equal(pool_process_kill(process), -EINVAL);
    assert_int_equal(pool_process_sentinel(process), -EINVAL);
    assert_int_equal(pool_process_pid(process), 0);
    assert_false(pool_process_is_alive(process));
    assert_int_equal(pool_process_start(process), 0);
    assert_int_equal(take_code(process), 0);
    pool_process_free(NULL);
}

static void a_process_runs_once(void **state)
{
    (void)state;
    struct channel gate = channel_open();
    struct pool_process *process = start("hold", 0, &gate.read_fd, 1);
    assert_int_equal(pool_process_start(process), -EALREADY);
    channel_close(&gate);
    assert_int_equal(pool_process_join(process, -1), 0);
    assert_int_equal(pool_process_start(process), -EALREADY);
    assert_int_equal(take_code(process), 0);
}

static void a_process_that_was_never_started_is_freed_with_its_descriptors(void **state)
{
    (void)state;
    struct channel channel = channel_open();
    struct pool_process *process = make("hold", 0, &channel.write_fd, 1);
    close_end(&channel.write_fd);
    pool_process_free(process);
    assert_int_equal(read_byte(channel.read_fd), -1);
    channel_close(&channel);
}

static void a_join_may_time_out_and_be_repeated(void **state)
{
    (void)state;
    struct channel gate = channel_open();
    struct pool_process *process = start("hold", 0, &gate.read_fd, 1);
    struct pool_error error;
    int code;
    assert_int_equal(pool_process_join(process, 0), -ETIMEDOUT);
    assert_int_equal(pool_process_join(process, 20), -ETIMEDOUT);
    assert_true(pool_process_is_alive(process));
    assert_int_equal(pool_process_exitcode(process, &code), -EAGAIN);
    assert_int_equal(pool_process_error(process, &error), -EAGAIN);
    channel_close(&gate);
    assert_int_equal(pool_process_join(process, -1), 0);
    assert_int_equal(pool_process_join(process, -1), 0);
    assert_int_equal(pool_process_join(process, 0), 0);
    assert_false(pool_process_is_alive(process));
    assert_int_equal(take_code(process), 0);
}

static void a_process_may_be_watched_without_a_join(void **state)
{
    (void)state;
    struct pool_process *process = start("give", 5, NULL, 0);
    int code;
    while (pool_process_is_alive(process))
        poll(NULL, 0, 1);
    assert_int_equal(pool_process_exitcode(process, &code), 0); /* known as soon as it is dead */
    assert_int_equal(code, 5);
    pool_process_free(process);
    process = start("give", 6, NULL, 0);
    while (pool_process_exitcode(process, &code) == -EAGAIN)
        poll(NULL, 0, 1);
    assert_int_equal(code, 6);
    pool_process_free(process);
}

static void *join_in_a_thread(void *process)
{
    return pool_process_join(process, -1) == 0 && !pool_process_is_alive(process) ? process : NULL;
}

static void several_threads_may_join_one_process(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct channel gate = channel_open();
        struct pool_process *process = start("hold", 0, &gate.read_fd, 1);
        pthread_t threads[4];
        for (int k = 0; k < 4; k++)
            assert_int_equal(pthread_create(&threads[k], NULL, join_in_a_thread, process), 0);
        channel_close(&gate);
        for (int k = 0; k < 4; k++) {
            void *joined;
            assert_int_equal(pthread_join(threads[k], &joined), 0);
            assert_ptr_equal(joined, process);
        }
        assert_int_equal(take_code(process), 0);
    }
}

static void on_signal(int number)
{
    (void)number;
}

static void *send_signals(void *data)
{
    const pthread_t *target = data;
    for (int i = 0; i < 20; i++) {
        pthread_kill(*target, SIGUSR1);
        poll(NULL, 0, 1);
    }
    return NULL;
}

static void signals_do_not_disturb_a_join(void **state)
{
    (void)state;
    const struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART */
    struct channel gate = channel_open();
    struct pool_process *process = start("hold", 0, &gate.read_fd, 1);
    pthread_t self = pthread_self(), sender;
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    assert_int_equal(pthread_create(&sender, NULL, send_signals, &self), 0);
    assert_int_equal(pool_process_join(process, 60), -ETIMEDOUT);
    pthread_join(sender, NULL);
    channel_close(&gate);
    assert_int_equal(take_code(process), 0);
}

static void terminate_asks_and_kill_does_not(void **state)
{
    (void)state;
    struct channel out = channel_open(), gate = channel_open();
    struct pool_process *process = start("hold", 0, &gate.read_fd, 1);
    assert_int_equal(pool_process_terminate(process), 0);
    assert_int_equal(take_code(process), -SIGTERM);

    process = start("stubborn", 0, (int[]){out.write_fd, gate.read_fd}, 2);
    assert_int_equal(read_byte(out.read_fd), 's');
    assert_int_equal(pool_process_terminate(process), 0);
    assert_int_equal(pool_process_join(process, 50), -ETIMEDOUT);
    assert_int_equal(pool_process_kill(process), 0);
    assert_int_equal(pool_process_join(process, -1), 0);
    assert_int_equal(pool_process_terminate(process), 0); /* it has ended: nothing to do */
    assert_int_equal(pool_process_kill(process), 0);
    assert_int_equal(take_code(process), -SIGKILL);
    channel_close(&out);
    channel_close(&gate);
}

static void sentinels_can_be_polled_together(void **state)
{
    (void)state;
    struct channel gates[3];
    struct pool_process *processes[3];
    struct pollfd waits[3];
    for (int i = 0; i < 3; i++) {
        gates[i] = channel_open();
        processes[i] = start("hold", 0, &gates[i].read_fd, 1);
        waits[i] = (struct pollfd){pool_process_sentinel(processes[i]), POLLIN, 0};
    }
    assert_int_equal(poll(waits, 3, 0), 0);
    for (int i = 2; i >= 0; i--) {
        channel_close(&gates[i]);
        assert_int_equal(poll(waits, 3, -1), 1);
        assert_true(waits[i].revents & POLLIN);
        assert_false(pool_process_is_alive(processes[i]));
        waits[i].fd = -1;
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(take_code(processes[i]), 0);
}

/* ---- What it is made of -------------------------------------------------------------------- */

static void a_process_knows_what_it_was_made_with(void **state)
{
    (void)state;
    struct pool_process *first = make("give", 0, NULL, 0),
                        *second = make_daemon("give", 0, NULL, 0);
    assert_string_equal(pool_process_name(first), "Process-1");
    assert_string_equal(pool_process_name(second), "Process-2");
    assert_false(pool_process_daemon(first));
    assert_true(pool_process_daemon(second));
    pool_process_free(first);
    pool_process_free(second);
}

static void what_cannot_be_made_is_refused_and_nothing_is_taken(void **state)
{
    (void)state;
    char name[POOL_PROCESS_NAME_MAX + 2];
    struct pool_process *process = NULL;
    struct channel channel = channel_open();
    const int bad[] = {channel.read_fd, -1}, twice[] = {channel.read_fd, channel.read_fd};
    const struct pool_item items[] = {{.fds = bad, .fd_count = 2},
                                      {.fds = twice, .fd_count = 2},
                                      {.fds = bad, .fd_count = POOL_FDS_MAX + 1},
                                      {.field_count = POOL_FIELDS_MAX + 1}};
    struct pool_process_options options = {.name = ""};
    assert_int_equal(created_too_early, -ENOTSUP);
    assert_int_equal(pool_process_create("no such task", NULL, NULL, &process), -ENOENT);
    for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++)
        assert_int_equal(pool_process_create("give", &items[i], NULL, &process), -EINVAL);
    assert_int_equal(pool_process_create("give", NULL, &options, &process), -EINVAL);
    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    options.name = name;
    assert_int_equal(pool_process_create("give", NULL, &options, &process), -EINVAL);
    assert_null(process);
    name[sizeof(name) - 2] = '\0';
    assert_int_equal(pool_process_create("give", NULL, &options, &process), 0);
    assert_string_equal(pool_process_name(process), name);
    pool_process_free(process);
    assert_true(fcntl(channel.read_fd, F_GETFD) >= 0);
    channel_close(&channel);
}

/* The manager's server, without what it needs. */
static void a_target_may_be_the_librarys_own(void **state)
{
    (void)state;
    const struct pool_process_options options = {.name = "server", .daemon = true};
    struct pool_process *process;
    struct pool_error error;
    assert_int_equal(pool_process_create_builtin(PROCESS_MANAGER, NULL, &options, &process), 0);
    assert_int_equal(pool_process_start(process), 0);
    assert_int_equal(pool_process_join(process, -1), 0);
    assert_int_equal(pool_process_error(process, &error), 0);
    assert_int_equal(error.code, -EREMOTEIO);
    assert_int_equal(error.task_code, -EINVAL);
    assert_string_equal(error.task, "manager");
    assert_int_equal(take_code(process), 1);
}

static const struct test_case tests[] = {
    TEST(a_target_runs_in_a_process_of_its_own),
    TEST(ps_shows_a_process_by_its_name),
    TEST(a_struct_may_carry_its_own_run),
    TEST(a_run_that_gets_another_struct_than_its_own_fails),
    TEST(fields_of_any_size_arrive_whole),
    TEST(descriptors_arrive_and_are_closed_here),
    TEST(the_most_descriptors_arrive),
    TEST(a_process_has_no_descriptor_of_its_siblings),
    TEST(what_a_process_prints_is_flushed),
    TEST(processes_run_at_the_same_time),
    TEST_LONG(many_processes_may_be_started_in_a_row, 40000),
    TEST(the_exit_code_says_what_the_target_returned),
    TEST(a_failure_comes_with_its_words_and_its_place),
    TEST(before_the_start_there_is_nothing_to_wait_for),
    TEST(a_process_runs_once),
    TEST(a_process_that_was_never_started_is_freed_with_its_descriptors),
    TEST(a_join_may_time_out_and_be_repeated),
    TEST(a_process_may_be_watched_without_a_join),
    TEST(several_threads_may_join_one_process),
    TEST(signals_do_not_disturb_a_join),
    TEST(terminate_asks_and_kill_does_not),
    TEST(sentinels_can_be_polled_together),
    TEST(a_process_knows_what_it_was_made_with),
    TEST(what_cannot_be_made_is_refused_and_nothing_is_taken),
    TEST(a_target_may_be_the_librarys_own),
};

int main(int argc, char **argv)
{
    return process_test_main("process_object", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
