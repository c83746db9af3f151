/* sandbox_filter.c: which system calls a worker may make.
 *
 * What is not listed answers ENOSYS, as on a kernel that does not have it: C libraries then fall
 * back to older calls, where a killed process would break each time they learn a newer one. What
 * takes a path answers EACCES, which libraries take for a file that is not for them. What no
 * decoder has a use for, and an intruder has, ends the process at once: it is not to try its luck.
 */
#include "sandbox_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <seccomp.h>

/* Allowed whatever their arguments are. They act on memory, on descriptors that are open, and on
 * the process itself. */
static const int allowed[] = {
    /* the source in, the result out */
    SCMP_SYS(read),
    SCMP_SYS(pread64),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(lseek),
    SCMP_SYS(fstat),
    SCMP_SYS(close),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(memfd_create),
    SCMP_SYS(ftruncate),
    /* memory (mmap and mprotect below) */
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    /* time, waiting, randomness */
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(times),
    SCMP_SYS(nanosleep),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(futex),
    SCMP_SYS(sched_yield),
    SCMP_SYS(getrandom),
    /* itself */
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(getrusage),
    SCMP_SYS(getrlimit),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sysinfo),
    SCMP_SYS(uname),
};

/* Threads, for the wide worker (clone below). */
static const int allowed_threads[] = {SCMP_SYS(set_robust_list), SCMP_SYS(rseq),
                                      SCMP_SYS(set_tid_address)};

/* Calls that take a path, for which EACCES is the better answer. */
static const int paths[] = {
    SCMP_SYS(open),      SCMP_SYS(openat),    SCMP_SYS(openat2),    SCMP_SYS(creat),
    SCMP_SYS(access),    SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(stat),
    SCMP_SYS(lstat),     SCMP_SYS(statx),     SCMP_SYS(readlink),   SCMP_SYS(readlinkat),
    SCMP_SYS(truncate),  SCMP_SYS(rename),    SCMP_SYS(renameat),   SCMP_SYS(renameat2),
    SCMP_SYS(unlink),    SCMP_SYS(unlinkat),  SCMP_SYS(link),       SCMP_SYS(linkat),
    SCMP_SYS(symlink),   SCMP_SYS(symlinkat), SCMP_SYS(mkdir),      SCMP_SYS(mkdirat),
    SCMP_SYS(rmdir),     SCMP_SYS(mknod),     SCMP_SYS(mknodat),    SCMP_SYS(chmod),
    SCMP_SYS(fchmodat),  SCMP_SYS(chown),     SCMP_SYS(lchown),     SCMP_SYS(fchownat),
    SCMP_SYS(utimensat), SCMP_SYS(chdir),     SCMP_SYS(getcwd),     SCMP_SYS(statfs),
};

static const int deadly[] = {
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(fork),
    SCMP_SYS(vfork),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(socket),
    SCMP_SYS(connect),
    SCMP_SYS(bind),
    SCMP_SYS(listen),
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    SCMP_SYS(kill),
    SCMP_SYS(tkill),
    SCMP_SYS(rt_sigqueueinfo),
    SCMP_SYS(rt_tgsigqueueinfo),
    SCMP_SYS(pidfd_send_signal),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(open_by_handle_at),
};

/* A thread, and nothing more. */
#define NAMESPACES                                                                                 \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET)

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* A call that this architecture does not have (arm64 has no open, only openat) needs no rule. */
static int add(scmp_filter_ctx filter, uint32_t action, int call, unsigned count,
               const struct scmp_arg_cmp *conditions)
{
    int r = seccomp_rule_add_array(filter, action, call, count, conditions);
    return r == -EDOM || call < 0 ? 0 : r;
}

static int add_all(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count)
{
    int r = 0;
    for (size_t i = 0; i < count && r == 0; i++)
        r = add(filter, action, calls[i], 0, NULL);
    return r;
}

/* Calls that are allowed with some arguments only: one row is one combination. Flags are in
 * registers, so the filter sees them; what a pointer leads to it does not. */
static int add_conditional(scmp_filter_ctx filter, bool threads)
{
    const scmp_datum_t self = (scmp_datum_t)getpid();
    const struct {
        int call;
        bool for_threads; /* for workers that have some */
        unsigned count;
        struct scmp_arg_cmp conditions[2];
    } rows[] = {
        /* Memory that can be run is not made any more; nor is any that the limits do not count:
         * shared, or a file's. */
        {SCMP_SYS(mmap),
         false,
         2,
         {SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
          SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS | MAP_TYPE, MAP_ANONYMOUS | MAP_PRIVATE)}},
        {SCMP_SYS(mprotect), false, 1, {SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)}},
        /* How newer C libraries say fstat. (With a path it tells of a file, no more.) */
        {SCMP_SYS(newfstatat), false, 1, {SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH)}},
        /* Nothing that has signals sent or leases taken. */
        {SCMP_SYS(fcntl), false, 1, {SCMP_A1(SCMP_CMP_EQ, F_GETFD)}},
        {SCMP_SYS(fcntl), false, 1, {SCMP_A1(SCMP_CMP_EQ, F_SETFD)}},
        {SCMP_SYS(fcntl), false, 1, {SCMP_A1(SCMP_CMP_EQ, F_GETFL)}},
        {SCMP_SYS(fcntl), false, 1, {SCMP_A1(SCMP_CMP_EQ, F_DUPFD_CLOEXEC)}},
        {SCMP_SYS(fcntl), false, 1, {SCMP_A1(SCMP_CMP_EQ, F_ADD_SEALS)}},
        {SCMP_SYS(fcntl), false, 1, {SCMP_A1(SCMP_CMP_EQ, F_GET_SEALS)}},
        /* abort() */
        {SCMP_SYS(tgkill), false, 1, {SCMP_A0(SCMP_CMP_EQ, self)}},
        /* sandbox_grant_cpu() */
        {SCMP_SYS(prlimit64),
         false,
         2,
         {SCMP_A0(SCMP_CMP_EQ, 0), SCMP_A1(SCMP_CMP_EQ, RLIMIT_CPU)}},
        {SCMP_SYS(prlimit64), true, 2, {SCMP_A0(SCMP_CMP_EQ, 0), SCMP_A2(SCMP_CMP_EQ, 0)}},
        {SCMP_SYS(clone),
         true,
         1,
         {SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD | NAMESPACES, CLONE_THREAD)}},
        {SCMP_SYS(prctl), true, 1, {SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME)}},
    };
    int r = 0;
    for (size_t i = 0; i < COUNT(rows) && r == 0; i++)
        if (threads || !rows[i].for_threads)
            r = add(filter, SCMP_ACT_ALLOW, rows[i].call, rows[i].count, rows[i].conditions);
    return r;
}

/* Are filters refused here altogether, as some containers do? libseccomp does not tell. */
static int is_available(void)
{
    if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0)
        return -errno;
    /* A filter that cannot be read: EFAULT says that one would have been looked at. */
    if (prctl(PR_SET_SECCOMP, 2 /* SECCOMP_MODE_FILTER */, NULL, 0, 0) == 0 || errno == EFAULT)
        return 0;
    return -errno;
}

int sandbox_filter(enum sandbox_kind kind)
{
    const bool threads = kind == SANDBOX_WIDE || SANDBOX_SANITIZED;
    int r = is_available();
    if (r < 0)
        return r;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    if (!filter)
        return -ENOMEM;
    r = add_all(filter, SCMP_ACT_ALLOW, allowed, COUNT(allowed));
    if (r == 0 && threads)
        r = add_all(filter, SCMP_ACT_ALLOW, allowed_threads, COUNT(allowed_threads));
    if (r == 0)
        r = add_conditional(filter, threads);
    if (r == 0)
        r = add_all(filter, SCMP_ACT_ERRNO(EACCES), paths, COUNT(paths));
    if (r == 0)
        r = add_all(filter, SCMP_ACT_KILL_PROCESS, deadly, COUNT(deadly));
    if (r == 0) /* with some sixty calls a tree is faster to walk than a list */
        r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (r == 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    return r;
}
