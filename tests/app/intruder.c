#include "intruder.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <linux/openat2.h>

#define ATTEMPT(name)                                                                              \
    static int name(const char *path __attribute__((unused)),                                      \
                    const char *other __attribute__((unused)), int fd __attribute__((unused)))

/* ---- Paths --------------------------------------------------------------------------------- */

ATTEMPT(open_to_read)
{
    return open(path, O_RDONLY | O_CLOEXEC);
}

ATTEMPT(open_to_write)
{
    return open(path, O_WRONLY | O_CLOEXEC);
}

/* Needs no right to write before version 3 of Landlock. */
ATTEMPT(open_to_truncate)
{
    return open(path, O_RDONLY | O_TRUNC | O_CLOEXEC);
}

ATTEMPT(open_with_openat2)
{
    const struct open_how how = {.flags = O_RDONLY | O_TRUNC | O_CLOEXEC};
    return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}

ATTEMPT(open_again_by_proc)
{
    char again[64];
    snprintf(again, sizeof(again), "/proc/self/fd/%d", fd);
    return open(again, O_RDWR | O_CLOEXEC);
}

ATTEMPT(open_a_secret)
{
    return open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

ATTEMPT(create)
{
    return open(other, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

ATTEMPT(create_without_name)
{
    return open("/tmp", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
}

ATTEMPT(truncate_by_path)
{
    return truncate(path, 0);
}

ATTEMPT(rename_away)
{
    return rename(path, other);
}

ATTEMPT(link_hard)
{
    return link(path, other);
}

ATTEMPT(link_symbolic)
{
    return symlink(path, other);
}

ATTEMPT(link_descriptor)
{
    char again[64];
    snprintf(again, sizeof(again), "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, again, AT_FDCWD, other, AT_SYMLINK_FOLLOW);
}

ATTEMPT(remove_file)
{
    return unlink(path);
}

ATTEMPT(make_a_folder)
{
    return mkdir(other, 0700);
}

ATTEMPT(make_a_fifo)
{
    return mkfifo(other, 0600);
}

/* Landlock has no right for these; the filter refuses them. */
ATTEMPT(change_mode)
{
    return chmod(path, 0777);
}

ATTEMPT(change_times)
{
    const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    return utimensat(AT_FDCWD, path, times, 0);
}

ATTEMPT(change_attributes)
{
    return setxattr(path, "user.thumbpool", "x", 1, 0);
}

ATTEMPT(change_root)
{
    return chroot("/tmp");
}

ATTEMPT(mount_over)
{
    return mount("none", "/tmp", "tmpfs", 0, NULL);
}

/* ---- Its own descriptors ------------------------------------------------------------------- */

ATTEMPT(write_to_the_source)
{
    return (int)write(fd, "x", 1);
}

ATTEMPT(truncate_the_source)
{
    return ftruncate(fd, 0);
}

ATTEMPT(change_mode_of_the_source)
{
    return fchmod(fd, 0777);
}

ATTEMPT(change_times_of_the_source)
{
    const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    return futimens(fd, times);
}

ATTEMPT(map_the_source_to_write)
{
    return mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0;
}

ATTEMPT(have_signals_sent)
{
    return fcntl(fd, F_SETOWN, getppid());
}

/* ---- Programs and memory ------------------------------------------------------------------- */

ATTEMPT(execute)
{
    char *const argv[] = {(char *)"true", NULL};
    return execve("/bin/true", argv, argv + 1);
}

ATTEMPT(execute_from_memory)
{
    char *const argv[] = {(char *)"true", NULL};
    const int memory = memfd_create("program", 0);
    if (write(memory, "#!/bin/true\n", 12) != 12)
        return 0; /* nothing was shown */
    return (int)syscall(SYS_execveat, memory, "", argv, argv + 1, AT_EMPTY_PATH);
}

/* As the C library would; a child that comes to be must not run on as a second worker. */
ATTEMPT(start_a_process)
{
    const long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        syscall(SYS_exit_group, 0);
    return (int)pid;
}

ATTEMPT(make_memory_executable)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                0) == MAP_FAILED
               ? -1
               : 0;
}

ATTEMPT(make_memory_executable_later)
{
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mprotect(memory, 4096, PROT_READ | PROT_EXEC);
}

/* Memory that no limit counts. */
ATTEMPT(map_a_memory_file)
{
    const int memory = memfd_create("memory", MFD_CLOEXEC);
    if (memory < 0 || ftruncate(memory, 4096) < 0)
        return 0; /* nothing was shown */
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0) == MAP_FAILED ? -1 : 0;
}

ATTEMPT(map_shared_memory)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
               ? -1
               : 0;
}

/* ---- Others -------------------------------------------------------------------------------- */

ATTEMPT(trace_the_parent)
{
    return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) < 0 ? -1 : 0;
}

ATTEMPT(read_the_parent)
{
    char byte;
    const struct iovec to = {&byte, 1}, from = {(void *)intruder_run, 1};
    return (int)process_vm_readv(getppid(), &to, 1, &from, 1, 0);
}

ATTEMPT(signal_the_parent)
{
    return kill(getppid(), SIGCONT);
}

ATTEMPT(signal_a_thread_of_the_parent)
{
    return (int)syscall(SYS_tgkill, getppid(), getppid(), SIGCONT);
}

ATTEMPT(signal_by_descriptor)
{
    const int pidfd = (int)syscall(SYS_pidfd_open, getppid(), 0);
    return pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_send_signal, pidfd, SIGCONT, NULL, 0);
}

ATTEMPT(starve_the_parent)
{
    const struct sched_param none = {.sched_priority = 0};
    return sched_setscheduler(getppid(), SCHED_IDLE, &none);
}

ATTEMPT(limit_the_parent)
{
    const struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    return (int)syscall(SYS_prlimit64, getppid(), RLIMIT_CPU, &limit, NULL);
}

ATTEMPT(connect_by_tcp)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int socket_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return socket_fd < 0 ? -1 : connect(socket_fd, (const void *)&address, sizeof(address));
}

ATTEMPT(send_by_udp)
{
    return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

ATTEMPT(connect_by_a_local_socket)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

ATTEMPT(use_a_ring)
{
    static uint8_t parameters[256]; /* all zero will do */
    return (int)syscall(SYS_io_uring_setup, 8, parameters);
}

ATTEMPT(raise_its_own_memory)
{
    const struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    return setrlimit(RLIMIT_DATA, &limit);
}

ATTEMPT(become_traceable)
{
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

ATTEMPT(enter_a_namespace)
{
    return unshare(CLONE_NEWUSER);
}

/* ---- The task ------------------------------------------------------------------------------ */

#define ON_PATHS(function)                                                                         \
    {                                                                                              \
#function, true, function                                                                  \
    }
#define OTHER(function)                                                                            \
    {                                                                                              \
#function, false, function                                                                 \
    }

const struct attempt attempts[] = {
    ON_PATHS(open_to_read),
    ON_PATHS(open_to_write),
    ON_PATHS(open_to_truncate),
    ON_PATHS(open_with_openat2),
    ON_PATHS(open_again_by_proc),
    ON_PATHS(open_a_secret),
    ON_PATHS(create),
    ON_PATHS(create_without_name),
    ON_PATHS(rename_away),
    ON_PATHS(link_hard),
    ON_PATHS(link_symbolic),
    ON_PATHS(link_descriptor),
    ON_PATHS(remove_file),
    ON_PATHS(make_a_folder),
    ON_PATHS(make_a_fifo),
    OTHER(truncate_by_path),
    OTHER(change_mode),
    OTHER(change_times),
    OTHER(change_attributes),
    OTHER(change_root),
    OTHER(mount_over),
    OTHER(write_to_the_source),
    OTHER(truncate_the_source),
    OTHER(change_mode_of_the_source),
    OTHER(change_times_of_the_source),
    OTHER(map_the_source_to_write),
    OTHER(have_signals_sent),
    OTHER(execute),
    OTHER(execute_from_memory),
    OTHER(start_a_process),
    OTHER(make_memory_executable),
    OTHER(make_memory_executable_later),
    OTHER(map_a_memory_file),
    OTHER(map_shared_memory),
    OTHER(trace_the_parent),
    OTHER(read_the_parent),
    OTHER(signal_the_parent),
    OTHER(signal_a_thread_of_the_parent),
    OTHER(signal_by_descriptor),
    OTHER(starve_the_parent),
    OTHER(limit_the_parent),
    OTHER(connect_by_tcp),
    OTHER(send_by_udp),
    OTHER(connect_by_a_local_socket),
    OTHER(use_a_ring),
    OTHER(raise_its_own_memory),
    OTHER(become_traceable),
    OTHER(enter_a_namespace),
};
const size_t attempt_count = sizeof(attempts) / sizeof(attempts[0]);

int intruder_run(struct pool_call *call)
{
    uint32_t number = 0;
    const struct pool_bytes field = pool_call_field(call, 0);
    const char *path = pool_call_field(call, 1).data, *other = pool_call_field(call, 2).data;
    if (field.size_bytes != sizeof(number) || !path || !other)
        return -EINVAL;
    memcpy(&number, field.data, sizeof(number));
    if (number >= attempt_count)
        return -ERANGE;
    errno = 0;
    const int r = attempts[number].run(path, other, pool_call_fd(call, 0));
    const int32_t error = r < 0 ? errno : 0;
    return pool_call_write(call, &error, sizeof(error));
}
