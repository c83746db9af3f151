/* sandbox_priv.h: a worker process gives up what a decoder never needs.
 *
 * A worker reads files that nobody vouches for, with decoders that have had bugs. So before the
 * first of them it confines itself, for good. What is left to code that takes a decoder over: the
 * descriptors that it was given (the source, read-only, and the pool's socket and page), memory up
 * to its limits, and processor time up to its deadline.
 *
 * Three layers. The second one suffices by itself; the first is there should it have a gap:
 *
 *   Landlock   no path at all may be opened, made, removed or renamed; where the kernel knows how,
 *              also no TCP, no abstract socket, no signal to other processes
 *   seccomp    a list of the system calls that decoding takes; all others are refused, those that
 *              only an intruder would make (starting programs, tracing, sockets) by death. It
 *              refuses paths by itself, and what old Landlocks let pass: truncation by open flags
 *              and signals
 *   limits     memory, size of files, number of descriptors, processor time, no core file; no
 *              capabilities, no new privileges
 *
 * The order matters: no_new_privs and Landlock hold for the calling thread only, so all of it
 * happens before there is a second one. */
#ifndef APP_SANDBOX_PRIV_H
#define APP_SANDBOX_PRIV_H

#include <stdbool.h>
#include <stdint.h>

/** Sanitizers want address space, files and standard error for themselves: with them there is no
 *  limit on memory, and standard error stays. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOX_SANITIZED 1
#else
#define SANDBOX_SANITIZED 0
#endif

enum sandbox_kind {
    SANDBOX_NARROW, /* single-threaded: our own JPEG and PNG paths */
    SANDBOX_WIDE    /* libvips is loaded: its decoders start threads */
};

#define SANDBOX_LANDLOCK_NEWEST INT32_MAX

struct sandbox_options {
    enum sandbox_kind kind;
    uint64_t memory_bytes; /* private memory; address space gets several times as much. 0: no limit
                            */
    uint64_t file_bytes;   /* of any one file that it writes: results travel in memory files */
    int landlock_abi_max;  /* use no newer features than that; 0: no Landlock */
    bool without_seccomp;
};

/** What the kernel let us have. */
struct sandbox_state {
    int32_t landlock_abi;   /* 0: none */
    int32_t landlock_error; /* why there is none: negative errno; 0: it was not wanted */
    int32_t seccomp;        /* 1, or 0: none */
    int32_t seccomp_error;
};

/** Confine this process for good. Standard output and standard error lead nowhere afterwards.
 *  Returns 0, also where the kernel has neither Landlock nor seccomp (look at *ret_state), or a
 *  negative errno value if one of the limits cannot be set.
 *  Thread safety: only while the process has one thread. */
int sandbox_enter(const struct sandbox_options *options, struct sandbox_state *ret_state);

/** From now on so many seconds of processor time, then the process gets SIGXCPU: for an honest
 *  decoder whose deadline nobody is left to watch.  seconds: 0 is no limit.  Returns 0 or a
 * negative errno value.
 */
int sandbox_grant_cpu(unsigned seconds);

/** Refuse every path with Landlock.
 *  abi_max: as in struct sandbox_options, at least 1.  Returns the version in force, or a negative
 *  errno value: -ENOSYS, -EOPNOTSUPP where the kernel has none. */
int sandbox_landlock(int abi_max);

/** Refuse all system calls but those that decoding takes.  Returns 0 or a negative errno value. */
int sandbox_filter(enum sandbox_kind kind);

#endif
