/* process_control: documents 001, section 3, and 003, section 2. What can be asked of a process,
 * and done to it: start, is_alive, join(timeout), terminate, exitcode, name, pid, daemon.
 *
 *     p = Process(target=sleep, args=(60,), name='sleeper')
 *     p.start(); p.is_alive(); p.join(1); p.terminate(); p.join(); p.exitcode
 *     d = Process(target=sleep, args=(60,), daemon=True); d.start()
 *
 *     $ process_control
 *     sleeper: pid 0, alive no
 *     sleeper: started, has a pid, alive yes
 *     sleeper: join with a timeout: Connection timed out
 *     sleeper: terminated, alive no, exit code -15
 *     failing: exit code 1: cannot sleep for -1 seconds
 *     counting: exit code 3
 *     backup is a daemon: it does not keep the program from ending
 */
#include <pool/process.h>

#include "sample.h"

static int sleeper(struct pool_call *call)
{
    const int seconds = int_of(pool_call_field(call, 0));
    if (seconds < 0)
        return pool_call_fail(call, -EINVAL, "cannot sleep for %d seconds", seconds);
    sleep_ms(seconds * SECOND_MS);
    return 0;
}

/* What a target returns is its exit status. */
static int count_to_three(struct pool_call *call)
{
    (void)call;
    return 3;
}

static const struct pool_task list[] = {{"sleep", sleeper}, {"count_to_three", count_to_three}};
static const struct pool_tasks tasks = {list, 2};

static struct pool_process *make(const char *target, int argument, const char *name, bool daemon)
{
    struct pool_process *process;
    const struct pool_process_options options = {.name = name, .daemon = daemon};
    const struct pool_bytes field = bytes_of(&argument);
    const struct pool_item item = {.fields = &field, .field_count = 1};
    must(pool_process_create(target, &item, &options, &process), "create");
    return process;
}

static const char *alive(struct pool_process *process)
{
    return pool_process_is_alive(process) ? "yes" : "no";
}

static int exitcode(struct pool_process *process)
{
    int code;
    must(pool_process_exitcode(process, &code), "exitcode");
    return code;
}

static void stop_a_sleeper(void)
{
    struct pool_process *process = make("sleep", 6000, "sleeper", false);
    const char *name = pool_process_name(process);
    printf("%s: pid %d, alive %s\n", name, pool_process_pid(process), alive(process));
    must(pool_process_start(process), "start");
    printf("%s: started, %s a pid, alive %s\n", name, pool_process_pid(process) > 0 ? "has" : "no",
           alive(process));
    const int r = pool_process_join(process, SECOND_MS);
    printf("%s: join with a timeout: %s\n", name, strerror(-r));
    must(pool_process_terminate(process), "terminate");
    must(pool_process_join(process, -1), "join");
    printf("%s: terminated, alive %s, exit code %d\n", name, alive(process), exitcode(process));
    pool_process_free(process);
}

/* How a target fails, and how it says a number. */
static void look_at_exit_codes(void)
{
    struct pool_error error;
    struct pool_process *failing = make("sleep", -1, "failing", false);
    must(pool_process_start(failing), "start");
    must(pool_process_join(failing, -1), "join");
    must(pool_process_error(failing, &error), "error");
    printf("failing: exit code %d: %s\n", exitcode(failing), error.message);
    pool_process_free(failing);

    struct pool_process *counting = make("count_to_three", 0, "counting", false);
    must(pool_process_start(counting), "start");
    must(pool_process_join(counting, -1), "join");
    printf("counting: exit code %d\n", exitcode(counting));
    pool_process_free(counting);
}

int main(int argc, char **argv)
{
    must(pool_main(argc, argv, &tasks), "pool_main");
    stop_a_sleeper();
    look_at_exit_codes();

    struct pool_process *backup = make("sleep", 6000, "backup", true);
    must(pool_process_start(backup), "start");
    printf("%s is a daemon: it does not keep the program from ending\n", pool_process_name(backup));
    pool_process_free(backup); /* lets go of the object, not of the process */
    return 0;
}
