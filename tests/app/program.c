/* program.c: see program.h. Output goes to files, so a program that says much never waits. */
#include "program.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>

/* Of Linux 5.19. */
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

#include "app/clock_priv.h"
#include "files.h"
#include "isolate.h"

enum { NOBODY = 65534 };

static void limit(int resource, uint64_t most)
{
    const struct rlimit both = {.rlim_cur = most, .rlim_max = most};
    if (most > 0 && setrlimit(resource, &both) < 0)
        _exit(126);
}

/* As a container may be set up: a filter that lets nobody install others, nor use Landlock. */
static void deny_confinement(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter || seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(seccomp), 0) < 0 ||
        seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prctl), 1,
                         SCMP_A0(SCMP_CMP_EQ, PR_SET_SECCOMP)) < 0 ||
        seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(landlock_create_ruleset), 0) <
            0 ||
        seccomp_load(filter) < 0)
        _exit(126);
    seccomp_release(filter);
}

/* ---- A system call that never returns ------------------------------------------------------ */

/* What asks for leave to make the call waits for an answer, as for that of a server. Returns the
 * descriptor for the one who answers, or -1. */
static int ask_leave_for(unsigned number)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                        SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
                        &program);
}

/* A process that hears the questions, says so and never answers; it ends with the program. */
static void hold_call(int number, int heard_fd)
{
    const pid_t program = getpid();
    const int listener = ask_leave_for((unsigned)number);
    if (listener < 0)
        _exit(126);
    const pid_t pid = fork();
    if (pid < 0)
        _exit(126);
    if (pid > 0) {
        close(listener);
        return;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    while (getppid() == program) {
        struct seccomp_notif question;
        memset(&question, 0, sizeof(question));
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &question) == 0) {
            if (write(heard_fd, "", 1) != 1)
                break; /* the test is gone */
        } else if (errno != EINTR && errno != ENOENT) {
            break;
        }
    }
    _exit(0);
}

bool program_can_hold_calls(void)
{
    int status = 0;
    fflush(NULL);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(ask_leave_for(SYS_getdents64) < 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status == 0;
}

/* Use up all descriptors but that many (and those that close themselves when the program starts);
 * what was inherited counts too. */
static void take_descriptors(int but)
{
    int last = -1;
    for (int fd; (fd = fcntl(0, F_DUPFD, 3)) >= 0;)
        last = fd;
    for (int fd = last; fd > last - but; fd--)
        close(fd);
}

static void become_program(const struct program_setup *setup, const struct program *program,
                           const char *const *args)
{
    const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
    const int in = setup->in_fd > 0
                       ? setup->in_fd
                       : open(setup->in_path ? setup->in_path : "/dev/null", O_RDONLY | O_CLOEXEC);
    const int out = setup->out_fd > 0 ? setup->out_fd : open(program->out_path, flags, 0600);
    const int err = setup->err_fd > 0 ? setup->err_fd : open(program->err_path, flags, 0600);
    if (chdir(setup->folder ? setup->folder : test_scratch()) < 0 || dup2(in, 0) < 0 ||
        dup2(out, 1) < 0 || dup2(err, 2) < 0)
        _exit(126);
    for (const char *const *env = setup->env; env && *env; env++)
        if (putenv((char *)*env) != 0)
            _exit(126);
    if (setup->file_limit > 0)
        signal(SIGXFSZ, SIG_IGN); /* writes then fail with EFBIG */
    limit(RLIMIT_FSIZE, setup->file_limit);
    limit(RLIMIT_NOFILE, setup->open_limit);
    if (setup->free_fds > 0)
        take_descriptors(setup->free_fds);
    /* By descriptor: nobody may not be allowed into the folder that the program was built in. */
    const int file = setup->as_nobody ? open(THUMBPOOL_PROGRAM, O_PATH | O_CLOEXEC) : -1;
    if (setup->as_nobody && geteuid() == 0 &&
        (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
        _exit(126);
    if (setup->deny_confinement)
        deny_confinement();
    if (setup->own_group && setpgid(0, 0) < 0)
        _exit(126);
    if (setup->held_call > 0)
        hold_call(setup->held_call, program->heard_fd);
    for (int fd = 0; fd <= 2; fd++)
        if (setup->close_fd == -1 || (fd > 0 && setup->close_fd == fd))
            close(fd);
    const char *argv[PROGRAM_ARGS_MAX + 2] = {THUMBPOOL_PROGRAM};
    for (size_t i = 0; args[i]; i++)
        argv[i + 1] = args[i];
    if (file >= 0)
        fexecve(file, (char **)argv, environ);
    else
        execv(THUMBPOOL_PROGRAM, (char **)argv);
    _exit(127);
}

struct program program_start(const struct program_setup *setup, const char *const *args)
{
    static int number;
    struct program program = {.start_ms = clock_ms()};
    /* Beside the scratch folder's contents, out of the way of what is tested. */
    make_folder(scratch(".said"));
    program.out_path = scratch(".said/out%d", number);
    program.err_path = scratch(".said/err%d", number++);
    int heard[2] = {-1, -1};
    if (setup->held_call > 0)
        assert_int_equal(pipe2(heard, O_CLOEXEC), 0);
    program.heard_fd = heard[1];
    fflush(NULL);
    program.pid = fork();
    assert_true(program.pid >= 0);
    if (program.pid == 0)
        become_program(setup, &program, args);
    if (setup->own_group)
        setpgid(program.pid, program.pid); /* whoever comes first */
    if (heard[1] >= 0)
        close(heard[1]);
    program.heard_fd = heard[0];
    return program;
}

void program_wait_until_held(struct program *program)
{
    struct pollfd heard = {.fd = program->heard_fd, .events = POLLIN};
    char byte;
    assert_int_equal(poll(&heard, 1, 10000 * test_time_scale()), 1);
    assert_int_equal(read(program->heard_fd, &byte, 1), 1);
    close(program->heard_fd);
    program->heard_fd = -1;
}

struct program_result program_wait(struct program *program)
{
    struct program_result result = {.exit_code = -1};
    int status = 0;
    while (waitpid(program->pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    result.took_ms = clock_ms() - program->start_ms;
    if (WIFEXITED(status))
        result.exit_code = WEXITSTATUS(status);
    else
        result.signal = WTERMSIG(status);
    result.out = result.err = ""; /* the files are missing when it was killed very early */
    if (file_exists(program->out_path))
        result.out = read_file(program->out_path, &result.out_bytes);
    if (file_exists(program->err_path))
        result.err = read_file(program->err_path, &result.err_bytes);
    return result;
}

static struct program_result run_list(const struct program_setup *setup, const char *first,
                                      va_list list)
{
    const char *args[PROGRAM_ARGS_MAX + 1] = {NULL};
    size_t count = 0;
    for (const char *arg = first; arg; arg = va_arg(list, const char *)) {
        assert_true(count < PROGRAM_ARGS_MAX);
        args[count++] = arg;
    }
    struct program program = program_start(setup, args);
    return program_wait(&program);
}

struct program_result program_run(const char *first, ...)
{
    const struct program_setup setup = {.folder = NULL};
    va_list list;
    va_start(list, first);
    struct program_result result = run_list(&setup, first, list);
    va_end(list);
    return result;
}

struct program_result program_run_with(const struct program_setup *setup, const char *first, ...)
{
    va_list list;
    va_start(list, first);
    struct program_result result = run_list(setup, first, list);
    va_end(list);
    return result;
}

static bool string_is(const struct json_value *object, const char *path, const char *string)
{
    const struct json_value *value = json_get(object, path);
    return value && value->type == JSON_STRING && strcmp(value->string, string) == 0;
}

static void count_status(const struct json_value *event, double *made, double *up_to_date,
                         double *skipped, double *failed)
{
    assert_true(json_get(event, "path") || json_get(event, "path_b64"));
    if (string_is(event, "status", "made")) {
        (*made)++;
        assert_true(json_count(json_get(event, "outputs")) >= 1);
        assert_int_equal(json_get(event, "ms/decode")->type, JSON_NUMBER);
    } else if (string_is(event, "status", "up_to_date")) {
        (*up_to_date)++;
        assert_int_equal(json_count(json_get(event, "outputs")), 1);
    } else if (string_is(event, "status", "skipped")) {
        (*skipped)++;
        assert_non_null(json_get(event, "why"));
    } else if (string_is(event, "status", "failed")) {
        (*failed)++;
        assert_non_null(json_get(event, "error"));
        assert_non_null(json_get(event, "message"));
    } else {
        assert_true(string_is(event, "status", "planned"));
    }
}

struct json_value **program_events(const struct program_result *result, size_t *ret_count)
{
    size_t count = 0;
    double made = 0, up_to_date = 0, skipped = 0, failed = 0, pruned = 0;
    struct json_value **events = keep(calloc(result->out_bytes + 1, sizeof(*events)));
    const char *const end = result->out + result->out_bytes;
    for (const char *line = result->out; line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        assert_non_null(newline); /* every line is whole */
        const size_t length = (size_t)(newline - line);
        events[count] = json_read(line, length);
        if (!events[count])
            fail_msg("no JSON: %.*s", (int)length, line);
        assert_int_equal(json_get(events[count], "event")->type, JSON_STRING);
        if (string_is(events[count], "event", "file"))
            count_status(events[count], &made, &up_to_date, &skipped, &failed);
        else if (string_is(events[count], "event", "pruned"))
            pruned++;
        count++;
        line += length + 1;
    }
    assert_true(count >= 2);
    const struct json_value *summary = events[count - 1];
    assert_true(string_is(events[0], "event", "start"));
    assert_int_equal(json_get(events[0], "inputs")->type, JSON_NULL);
    assert_true(string_is(summary, "event", "summary"));
    assert_true(json_get(summary, "made")->number == made);
    assert_true(json_get(summary, "up_to_date")->number == up_to_date);
    assert_true(json_get(summary, "skipped")->number == skipped);
    assert_true(json_get(summary, "failed")->number == failed);
    if (json_get(summary, "pruned"))
        assert_true(json_get(summary, "pruned")->number == pruned);
    else
        assert_true(pruned == 0);
    assert_int_equal(json_get(summary, "seconds")->type, JSON_NUMBER);
    *ret_count = count;
    return events;
}

struct json_value *program_file(const struct program_result *result, const char *path_end)
{
    struct json_value *found = NULL;
    size_t count;
    struct json_value **events = program_events(result, &count);
    for (size_t i = 0; i < count; i++) {
        const struct json_value *path = json_get(events[i], "path");
        if (!path || path->type != JSON_STRING)
            continue;
        const size_t length = strlen(path->string), end_length = strlen(path_end);
        if (length < end_length || strcmp(path->string + length - end_length, path_end) != 0)
            continue;
        if (found)
            fail_msg("two events about %s", path_end);
        found = events[i];
    }
    if (!found)
        fail_msg("no event about %s in: %s", path_end, result->out);
    return found;
}

void expect_exit(const struct program_result *result, int exit_code)
{
    if (result->exit_code != exit_code)
        fail_msg("exit %d (signal %d) instead of %d\nout: %s\nerr: %s", result->exit_code,
                 result->signal, exit_code, result->out, result->err);
}

/* ---- Its workers --------------------------------------------------------------------------- */

/* The parent of a process and the time it has used, in clock ticks; false when it is gone. */
static bool process_state(pid_t pid, pid_t *ret_parent, unsigned long *ret_ticks)
{
    char path[64], line[1024] = "";
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    const bool read = fgets(line, sizeof(line), file) != NULL;
    fclose(file);
    const char *after = strrchr(line, ')');
    char letter;
    int parent;
    unsigned long user, system;
    if (!read || !after ||
        sscanf(after + 1, " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &letter, &parent,
               &user, &system) != 4 ||
        letter == 'Z')
        return false;
    *ret_parent = parent;
    *ret_ticks = user + system;
    return true;
}

bool program_is_worker(pid_t program, pid_t pid)
{
    pid_t parent, grandparent;
    unsigned long ticks;
    return process_state(pid, &parent, &ticks) && process_state(parent, &grandparent, &ticks) &&
           grandparent == program;
}

bool program_has_ended(const struct program *program)
{
    siginfo_t info = {.si_pid = 0};
    return waitid(P_PID, (id_t)program->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == program->pid;
}

/* Has it a file of the running test open, other than what it says? */
static bool holds_file(pid_t pid)
{
    char path[64], target[PATH_MAX];
    char *root = realpath(test_scratch(), NULL);
    bool found = false;
    assert_non_null(root);
    const size_t length = strlen(root);
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    DIR *fds = opendir(path); /* NULL: it is gone */
    for (struct dirent *entry; fds && !found && (entry = readdir(fds));) {
        const ssize_t size = readlinkat(dirfd(fds), entry->d_name, target, sizeof(target));
        found = size > (ssize_t)length && memcmp(target, root, length) == 0 &&
                strtol(entry->d_name, NULL, 10) > STDERR_FILENO;
    }
    if (fds)
        closedir(fds);
    free(root);
    return found;
}

/* A worker that holds a file, and the time that it has used; 0: there is none. */
static pid_t worker_with_file(pid_t program, pid_t but_not, unsigned long *ret_ticks)
{
    pid_t found = 0;
    DIR *proc = opendir("/proc");
    assert_non_null(proc);
    for (struct dirent *entry; !found && (entry = readdir(proc));) {
        const pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        pid_t parent, grandparent;
        unsigned long parent_ticks;
        if (pid > 0 && pid != but_not && process_state(pid, &parent, ret_ticks) &&
            process_state(parent, &grandparent, &parent_ticks) && grandparent == program &&
            holds_file(pid))
            found = pid;
    }
    closedir(proc);
    return found;
}

/* What it uses to start counts for nothing: that may be long before it is handed a file. */
pid_t program_busy_worker(pid_t program, pid_t but_not)
{
    const unsigned long busy_ticks = (unsigned long)sysconf(_SC_CLK_TCK) / 10;
    const int64_t until_ms = clock_ms() + INT64_C(10000) * test_time_scale();
    pid_t worker = 0;
    unsigned long first_ticks = 0;
    while (clock_ms() < until_ms) {
        unsigned long ticks;
        pid_t parent;
        if (worker == 0)
            worker = worker_with_file(program, but_not, &first_ticks);
        else if (!process_state(worker, &parent, &ticks))
            worker = 0;
        else if (ticks >= first_ticks + busy_ticks && holds_file(worker))
            return worker;
        poll(NULL, 0, 5);
    }
    return 0;
}

void program_left_no_process(void)
{
    const int64_t until_ms = clock_ms() + INT64_C(2000) * test_time_scale();
    for (;;) {
        const pid_t pid = waitpid(-1, NULL, WNOHANG);
        if (pid < 0) {
            assert_int_equal(errno, ECHILD);
            return;
        }
        if (pid == 0 && clock_ms() > until_ms)
            fail_msg("a process has outlived the program");
        if (pid == 0)
            poll(NULL, 0, 5);
    }
}
