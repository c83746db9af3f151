/* family.c: see family_priv.h. The order of things in a start: the zygote forks the process, which
 * waits; the host has then all that it needs to watch it, and only now tells it what to run
 * (START). So a start that fails half-way has run nothing: the process sees its socket close, and
 * ends. */
#include "family_priv.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "context_priv.h"
#include "origin_priv.h"
#include "packet_priv.h"
#include "program_priv.h"
#include "sync_priv.h"
#include "wire_task_priv.h"
#include "zygote_client_priv.h"

/* From SIGTERM to SIGKILL, for daemons at the program's end; and how long it then takes at most. */
#define GRACE_MS 500
#define DEATH_MS 3000

/* How long the zygote may take to say something, which is a matter of microseconds. Counted in
 * pieces, so that time in which everybody is stopped (Ctrl-Z) is not held against it. */
#define SILENCE_MS     50
#define SILENCES_START 100
#define SILENCES_END   60

/* I: fixed.  L: lock.  A: atomic. */
struct family {
    uint64_t origin;     /* I: see origin_priv.h */
    struct family *old;  /* I: of the process that forked this one: kept, not used */
    atomic_uint objects; /* A: changed under the lock, but by a forked child */
    atomic_uint number;  /* A: processes created */
    pthread_mutex_t lock;
    struct zygote_client zygote; /* L */
    bool silent;                 /* L: it did not speak in time: it is not waited for again */
    uint32_t next_id;            /* L */
    struct member *first;        /* L: those whose end is not known */
};

/* A fact about the process, like its pid: made once, when it is first needed. */
static _Atomic(struct family *) current;

/* ---- Members ------------------------------------------------------------------------------- */

static void member_free(struct member *member)
{
    if (member->socket_fd >= 0)
        close(member->socket_fd);
    if (member->pidfd >= 0)
        close(member->pidfd);
    pool_outcome_done(&member->outcome);
    free(member);
}

/* Free it if it has ended and nobody needs it any more. */
static void let_go(struct member *member)
{
    if (member->state == MEMBER_ENDED && !member->has_object && member->waiters == 0)
        member_free(member);
}

/* A new one, in the list and with an object.  ret_theirs: the other end of its socket, owned.
 * Returns 0 or -errno. */
static int member_create(struct family *family, bool daemon, struct member **ret_member,
                         int *ret_theirs)
{
    int pair[2];
    struct member *member = calloc(1, sizeof(*member));
    if (!member)
        return -ENOMEM;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        free(member);
        return -errno;
    }
    *member = (struct member){.next = family->first,
                              .id = family->next_id++,
                              .daemon = daemon,
                              .pidfd = -1,
                              .socket_fd = pair[0],
                              .has_object = true,
                              .outcome = OUTCOME_INIT};
    family->first = member;
    *ret_member = member;
    *ret_theirs = pair[1];
    return 0;
}

/* Take it out of the list, which it stands in. */
static void unlink_member(struct family *family, const struct member *member)
{
    struct member **at = &family->first;
    while (*at != member)
        at = &(*at)->next;
    *at = member->next;
}

/* What has its target said at the end?  Returns whether it has returned at all. */
static bool read_outcome(const struct member *member, struct outcome *ret_outcome)
{
    struct wire_result head;
    uint8_t message[sizeof(head) + MESSAGE_BYTES + WHERE_BYTES];
    struct iovec part = {message, sizeof(message)};
    struct wire_fds fds;
    ssize_t got = pool_packet_receive(member->socket_fd, &part, 1, &fds, PACKET_NOW);
    if (got < 0)
        return false;
    int r = pool_wire_read_outcome(message, (size_t)got, &fds, &head, ret_outcome);
    pool_wire_fds_done(&fds);
    if (r < 0 || head.type != WIRE_RESULT) {
        pool_outcome_done(ret_outcome);
        *ret_outcome = pool_outcome_of(0);
        return false;
    }
    return true;
}

/* What its target returned, if that is how it came to exit; else how it ended. */
static void conclude(struct member *member, const int *wait_status)
{
    char end[128];
    const bool exited = wait_status && WIFEXITED(*wait_status);
    const bool returned = read_outcome(member, &member->outcome) && exited;
    if (!returned) {
        pool_outcome_done(&member->outcome);
        member->outcome = pool_outcome_of(0);
        if (!exited || WEXITSTATUS(*wait_status) != 0) {
            pool_outcome_describe_end(wait_status, end, sizeof(end));
            pool_outcome_say(&member->outcome, "process %d %s", (int)member->pid, end);
            member->outcome.code = -EOWNERDEAD;
        }
    }
    if (wait_status)
        pool_outcome_set_end(&member->outcome, *wait_status);
    pool_outcome_give_words(&member->outcome);
    member->outcome.worker_pid = member->pid;
}

/* Its end is known. To be let go.  wait_status: as waitpid() gave it to the zygote; NULL: nobody
 * knows it. */
static void end_member(struct family *family, struct member *member, const int *wait_status)
{
    if (member->has_object)
        conclude(member, wait_status);
    close(member->socket_fd);
    member->socket_fd = -1;
    member->state = MEMBER_ENDED;
    atomic_store(&member->ended, true);
    unlink_member(family, member);
}

static bool has_ended(const struct member *member)
{
    return pool_packet_wait(member->pidfd, POLLIN, PACKET_NOW) > 0;
}

/* ---- What the zygote says ------------------------------------------------------------------ */

static void zygote_lost(struct family *family)
{
    pool_zygote_client_stop(&family->zygote);
    for (struct member *member = family->first; member; member = member->next) {
        member->orphan = true;
        if (member->state == MEMBER_STARTING) {
            member->state = MEMBER_REFUSED;
            member->error = -EPIPE;
        }
    }
}

/* One message. A member that is not in the list any more was given up. */
static void serve(struct family *family, const struct wire_control *message, struct wire_fds *fds)
{
    struct member *member = family->first;
    family->silent = false;
    while (member && member->id != message->worker_id)
        member = member->next;
    if (!member) {
        if (message->type == WIRE_SPAWNED)
            pool_zygote_client_kill(&family->zygote, message->worker_id);
        return;
    }
    if (message->type == WIRE_SPAWNED && member->state == MEMBER_STARTING) {
        member->state = MEMBER_RUNNING;
        member->pid = message->pid;
        if (fds->count == 1) {
            member->pidfd = fds->fds[0];
            fds->count = 0; /* taken */
        }
    } else if (message->type == WIRE_FAILED && member->state == MEMBER_STARTING) {
        member->state = MEMBER_REFUSED;
        member->error = -message->value;
    } else if (message->type == WIRE_EXITED && member->state == MEMBER_RUNNING) {
        end_member(family, member, &message->value);
        let_go(member);
    }
}

/* Read all that it has said. */
static void read_news(struct family *family)
{
    struct wire_control message;
    struct wire_fds fds;
    while (family->zygote.control_fd >= 0) {
        ssize_t got = pool_wire_receive(family->zygote.control_fd, &message, sizeof(message), &fds);
        if (got == -EAGAIN)
            return;
        if (got == (ssize_t)sizeof(message))
            serve(family, &message, &fds);
        if (got > 0)
            pool_wire_fds_done(&fds);
        if (got != (ssize_t)sizeof(message))
            zygote_lost(family);
    }
}

/* Wait a little for news, and read them.  Returns whether there were any, if only the zygote's end.
 */
static bool wait_for_news(struct family *family)
{
    struct pollfd waits[] = {{.fd = family->zygote.control_fd, .events = POLLIN},
                             {.fd = family->zygote.pidfd, .events = POLLIN}};
    const int64_t until_ns = pool_time_after_ms(SILENCE_MS);
    int r;
    do { /* a host may get any number of signals */
        const int64_t left_ns = until_ns - pool_time_now_ns();
        r = poll(waits, 2, left_ns > 0 ? (int)(left_ns / NS_PER_MS) + 1 : 0);
    } while (r < 0 && errno == EINTR);
    if (r <= 0)
        return false;
    read_news(family);
    if (waits[1].revents && family->zygote.control_fd >= 0)
        zygote_lost(family); /* whoever may still hold its end of the socket */
    return true;
}

/* It has ended: learn how. It is out of the list then, whatever the zygote does. The member is kept
 * by its object, or by one who waits. */
static void learn_end(struct family *family, struct member *member)
{
    unsigned silences = 0;
    read_news(family);
    while (member->state == MEMBER_RUNNING && !member->orphan && !family->silent)
        if (!wait_for_news(family))
            family->silent = ++silences >= SILENCES_END;
    if (member->state == MEMBER_RUNNING)
        end_member(family, member, NULL);
}

/* The ends of orphans nobody tells. */
static void look_after_orphans(struct family *family)
{
    struct member *next;
    for (struct member *member = family->first; member; member = next) {
        next = member->next;
        if (!member->orphan || !has_ended(member))
            continue;
        end_member(family, member, NULL);
        let_go(member);
    }
}

/* ---- The family ---------------------------------------------------------------------------- */

static struct family *family_create(void)
{
    struct family *family = calloc(1, sizeof(*family));
    if (!family)
        return NULL;
    if (pthread_mutex_init(&family->lock, NULL) != 0) {
        free(family);
        return NULL;
    }
    family->origin = pool_origin_now();
    family->zygote = (struct zygote_client)ZYGOTE_CLIENT_INIT;
    return family;
}

/* This process's, or NULL. */
static struct family *family_of_this_process(void)
{
    struct family *family = atomic_load(&current);
    return family && family->origin == pool_origin_now() ? family : NULL;
}

struct family *pool_family_enter(void)
{
    struct family *family = family_of_this_process();
    while (!family) {
        struct family *fresh = family_create(), *seen = atomic_load(&current);
        if (!fresh)
            return NULL;
        fresh->old = seen;
        if ((seen && seen->origin == fresh->origin) ||
            !atomic_compare_exchange_strong(&current, &seen, fresh)) {
            pthread_mutex_destroy(&fresh->lock); /* another thread was faster */
            free(fresh);
        }
        family = family_of_this_process();
    }
    pthread_mutex_lock(&family->lock);
    family->objects++;
    pthread_mutex_unlock(&family->lock);
    return family;
}

void pool_family_leave(struct family *family, struct member *member)
{
    pthread_mutex_lock(&family->lock);
    if (member) {
        if (member->state == MEMBER_RUNNING && has_ended(member))
            learn_end(family, member);
        member->has_object = false;
        let_go(member);
    }
    if (--family->objects == 0) {
        read_news(family);
        look_after_orphans(family);
        if (!family->first)
            pool_zygote_client_stop(&family->zygote);
    }
    pthread_mutex_unlock(&family->lock);
}

static void abandon_member(struct member *member)
{
    if (member->socket_fd >= 0)
        close(member->socket_fd);
    if (member->pidfd >= 0)
        close(member->pidfd);
    member->socket_fd = member->pidfd = -1;
}

void pool_family_abandon(struct family *family, struct member *member)
{
    /* No lock: it may be held for ever here. The members' memory is left as it is. */
    if (member)
        abandon_member(member);
    if (--family->objects > 0)
        return;
    for (member = family->first; member; member = member->next)
        abandon_member(member);
    pool_zygote_client_abandon(&family->zygote);
}

unsigned pool_family_number(struct family *family)
{
    return ++family->number;
}

/* ---- Starting ------------------------------------------------------------------------------ */

static int start_zygote(struct family *family)
{
    const struct zygote_role role = {.depth = pool_context_depth() + 1, .watches_host = true};
    read_news(family);
    if (family->zygote.control_fd >= 0)
        return 0;
    family->silent = false;
    return pool_zygote_client_start(&family->zygote, NULL, pool_program_tasks_get(), role);
}

/* Wait until the zygote has forked it.  Returns 0, -EPIPE (the zygote is gone), -EAGAIN (it does
 * not answer), or what it could not be forked for. */
static int await_fork(struct family *family, const struct member *member)
{
    unsigned silences = 0;
    while (member->state == MEMBER_STARTING)
        if (!wait_for_news(family) && ++silences >= SILENCES_START)
            return -EAGAIN;
    if (member->state == MEMBER_REFUSED)
        return member->error;
    return member->pidfd < 0 ? -EMFILE : 0; /* it could not be received */
}

static int send_start(const struct member *member, const struct family_start *start)
{
    struct wire_task head = {
        .type = WIRE_START,
        .task_index = start->task_index,
        .payload_bytes = start->payload_bytes,
        .depth = pool_context_depth() + 1,
    };
    memcpy(head.name, start->name, strnlen(start->name, sizeof(head.name) - 1));
    int r =
        pool_wire_send_task(member->socket_fd, &head, start->payload, start->fds, start->fd_count);
    return r == -EPIPE ? 0 : r; /* it has just been killed: that is a way to end, not to start */
}

/* The start has failed: the process, if there is one, ends without having run anything. */
static void give_up(struct family *family, struct member *member)
{
    unsigned silences = 0;
    if (member->socket_fd >= 0)
        shutdown(member->socket_fd, SHUT_RDWR);
    while (member->state == MEMBER_RUNNING && !member->orphan && silences < SILENCES_END)
        silences += !wait_for_news(family);
    if (member->state != MEMBER_ENDED)
        unlink_member(family, member);
    member_free(member);
}

/* Returns 0, -EPIPE when the zygote was lost, or -errno. */
static int try_to_start(struct family *family, const struct family_start *start,
                        struct member **ret_member)
{
    struct member *member = NULL;
    int theirs;
    int r = start_zygote(family);
    if (r == 0)
        r = member_create(family, start->daemon, &member, &theirs);
    if (r < 0 || !member)
        return r;
    r = pool_zygote_client_spawn(&family->zygote, start->daemon ? WIRE_DAEMON : WIRE_PROCESS,
                                 member->id, &theirs, 1);
    close(theirs);
    if (r == 0)
        r = await_fork(family, member);
    if (r == 0 && member->state == MEMBER_RUNNING) /* else it was killed already: so be it */
        r = send_start(member, start);
    if (r < 0)
        give_up(family, member);
    else
        *ret_member = member;
    return r;
}

int pool_family_start(struct family *family, const struct family_start *start,
                      struct member **ret_member)
{
    pthread_mutex_lock(&family->lock);
    int r = try_to_start(family, start, ret_member);
    if (r == -EPIPE) { /* it has died in between: once more, with another */
        if (family->zygote.control_fd >= 0)
            zygote_lost(family);
        r = try_to_start(family, start, ret_member);
    }
    pthread_mutex_unlock(&family->lock);
    return r == -EPIPE ? -EAGAIN : r;
}

/* ---- While it runs ------------------------------------------------------------------------- */

int pool_family_wait(struct family *family, struct member *member, int64_t until_ns)
{
    if (atomic_load(&member->ended))
        return 0;
    int r = pool_packet_wait(member->pidfd, POLLIN, until_ns);
    if (r <= 0)
        return r < 0 ? r : -ETIMEDOUT;
    pthread_mutex_lock(&family->lock);
    learn_end(family, member);
    pthread_mutex_unlock(&family->lock);
    return 0;
}

int pool_family_signal(const struct member *member, int signal_number)
{
    if (syscall(SYS_pidfd_send_signal, member->pidfd, signal_number, NULL, 0) < 0 && errno != ESRCH)
        return -errno;
    return 0;
}

/* ---- The program's end --------------------------------------------------------------------- */

/* With the lock held, but for the wait.  Returns false when the time is up. */
static bool await_end(struct family *family, struct member *member, int64_t until_ns)
{
    member->waiters++;
    pthread_mutex_unlock(&family->lock);
    int r = pool_packet_wait(member->pidfd, POLLIN, until_ns);
    pthread_mutex_lock(&family->lock);
    if (r > 0)
        learn_end(family, member);
    member->waiters--;
    let_go(member);
    return r > 0;
}

static struct member *find(const struct family *family, bool daemon)
{
    struct member *member = family->first;
    while (member && member->daemon != daemon)
        member = member->next;
    return member;
}

static void stop_daemons(struct family *family, int signal_number, int within_ms)
{
    const int64_t until_ns = pool_time_after_ms(within_ms);
    struct member *member;
    for (member = family->first; member; member = member->next)
        if (member->daemon)
            pool_family_signal(member, signal_number);
    while ((member = find(family, true)) && await_end(family, member, until_ns))
        continue;
}

void pool_family_end(void)
{
    struct family *family = family_of_this_process();
    struct member *member;
    if (!family)
        return;
    pthread_mutex_lock(&family->lock);
    stop_daemons(family, SIGTERM, GRACE_MS);
    stop_daemons(family, SIGKILL, DEATH_MS);
    while ((member = find(family, false)) && await_end(family, member, TIME_NEVER))
        continue;
    pool_zygote_client_stop(&family->zygote);
    pthread_mutex_unlock(&family->lock);
}
