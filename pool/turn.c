/* turn.c: see turn_priv.h. */
#include "turn_priv.h"

#include <endian.h>
#include <errno.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "futex_priv.h"
#include "origin_priv.h"

#define HOLDER(word)  ((uint32_t)(word)&FUTEX_TID_MASK)
#define UPPER(word)   ((word) & ~(uint64_t)UINT32_MAX)
#define ARRIVAL       (UINT64_C(1) << 32)
#define MARK          ((uint64_t)FUTEX_WAITERS)
#define MARK_BIT      31
#define LIST_MAX      2048 /* as many as the kernel walks */
#define POINTER_FLAGS ((uintptr_t)1)

/* What the kernel knows this thread by. The id changes over fork. */
struct self {
    uint64_t origin;
    uint32_t id;
    struct robust_list_head *head;
};

static _Thread_local struct self the_self;

static struct self *self_get(void)
{
    struct self *self = &the_self;
    const uint64_t origin = pool_origin_now();
    size_t size_bytes = 0;
    if (self->origin == origin)
        return self;
    self->origin = origin;
    self->id = (uint32_t)syscall(SYS_gettid);
    self->head = NULL;
    if (syscall(SYS_get_robust_list, 0, &self->head, &size_bytes) < 0 ||
        size_bytes != sizeof(*self->head))
        self->head = NULL;
    return self;
}

int pool_turn_supported(void)
{
    const struct self *self = self_get();
    int r = pool_futex_supported();
    if (r < 0)
        return r;
    return self->head && self->head->futex_offset == -TURN_NODE_OFFSET ? 0 : -ENOTSUP;
}

uint32_t pool_turn_thread(void)
{
    return self_get()->id;
}

bool pool_turn_thread_is_gone(uint32_t id)
{
    struct robust_list_head *head = NULL;
    size_t size_bytes;
    return syscall(SYS_get_robust_list, (pid_t)id, &head, &size_bytes) < 0 || !head;
}

/* The half that the kernel knows. */
static void *futex_of(struct turn *turn)
{
    return (char *)&turn->word + (BYTE_ORDER == LITTLE_ENDIAN ? 0 : sizeof(uint32_t));
}

static struct robust_list *node_of(struct turn *turn)
{
    return (struct robust_list *)(void *)((char *)futex_of(turn) + TURN_NODE_OFFSET);
}

/* Only this thread and, when it is dead, the kernel look at a list: order matters to the compiler
 * alone. */
static void set_pending(struct self *self, struct robust_list *node)
{
    atomic_signal_fence(memory_order_seq_cst);
    *(struct robust_list *volatile *)&self->head->list_op_pending = node;
    atomic_signal_fence(memory_order_seq_cst);
}

/* ---- Taking and giving ---------------------------------------------------------------------- */

static int take(struct turn *turn, uint32_t id, int64_t until_ns)
{
    uint64_t seen = atomic_load_explicit(&turn->word, memory_order_relaxed);
    for (int r = 0;;) {
        if (HOLDER(seen) == 0) {
            /* The mark stays: others may be asleep. */
            const uint64_t mine = UPPER(seen) | (seen & MARK) | id;
            if (atomic_compare_exchange_weak_explicit(&turn->word, &seen, mine,
                                                      memory_order_acquire, memory_order_relaxed))
                return (seen & FUTEX_OWNER_DIED) != 0;
            continue;
        }
        if (r == -ETIMEDOUT || until_ns == 0)
            return -ETIMEDOUT;
        const uint64_t marked = (seen + ARRIVAL) | MARK;
        if (!atomic_compare_exchange_weak_explicit(&turn->word, &seen, marked, memory_order_relaxed,
                                                   memory_order_relaxed))
            continue;
        r = pool_futex_wait(futex_of(turn), (uint32_t)marked, until_ns);
        seen = atomic_load_explicit(&turn->word, memory_order_relaxed);
    }
}

int pool_turn_take(struct turn *turn, int64_t until_ns)
{
    struct self *self = self_get();
    if (!self->head)
        return -ENOTSUP;
    /* Only this thread writes its own id. */
    if (HOLDER(atomic_load_explicit(&turn->word, memory_order_relaxed)) == self->id)
        return -EDEADLK;
    set_pending(self, node_of(turn));
    int r = take(turn, self->id, until_ns);
    if (r < 0)
        set_pending(self, NULL);
    return r;
}

/* Somebody may be asleep. */
static void give_to_sleeper(struct turn *turn, uint64_t seen)
{
    uint64_t quiet = UPPER(seen) | MARK;
    atomic_fetch_or_explicit(&turn->word, 0, memory_order_release); /* see futex_priv.h */
    if (pool_futex_change_and_wake(futex_of(turn), FUTEX_CHANGE_SET_BIT, MARK_BIT, 1) == 0)
        atomic_compare_exchange_strong_explicit(&turn->word, &quiet, UPPER(seen),
                                                memory_order_relaxed, memory_order_relaxed);
}

void pool_turn_give(struct turn *turn)
{
    struct self *self = self_get();
    uint64_t seen = atomic_load_explicit(&turn->word, memory_order_relaxed);
    bool given = false;
    while (!given && HOLDER(seen) == self->id && !(seen & MARK))
        given = atomic_compare_exchange_weak_explicit(&turn->word, &seen, UPPER(seen),
                                                      memory_order_release, memory_order_relaxed);
    if (!given && HOLDER(seen) == self->id) /* else a broken user has written there */
        give_to_sleeper(turn, seen);
    set_pending(self, NULL);
}

/* ---- The thread's list ---------------------------------------------------------------------- */

static struct robust_list *follow(struct robust_list *next)
{
    return (struct robust_list *)((uintptr_t)next & ~POINTER_FLAGS);
}

/* The C library's own nodes have a second pointer before the first, to the node before them. It
 * writes that of its neighbours, too, so this code does what it does. */
static void set_previous(struct robust_list_head *head, struct robust_list *node,
                         struct robust_list *previous)
{
    if (node != &head->list)
        ((struct robust_list **)node)[-1] = previous;
}

static void set_next(struct robust_list *node, struct robust_list *next)
{
    atomic_signal_fence(memory_order_seq_cst);
    *(struct robust_list *volatile *)&node->next = next;
    atomic_signal_fence(memory_order_seq_cst);
}

void pool_turn_keep(struct turn *turn)
{
    struct self *self = self_get();
    struct robust_list *node = node_of(turn), *next = self->head->list.next;
    set_next(node, next);
    set_previous(self->head, node, &self->head->list);
    set_previous(self->head, follow(next), node);
    set_next(&self->head->list, node);
    set_pending(self, NULL);
}

bool pool_turn_unkeep(struct turn *turn)
{
    struct self *self = self_get();
    struct robust_list *node = node_of(turn), *before = &self->head->list;
    for (int i = 0; i < LIST_MAX && follow(before->next) != node; i++) {
        before = follow(before->next);
        if (before == &self->head->list)
            return false;
    }
    if (follow(before->next) != node)
        return false;
    set_pending(self, node);
    set_previous(self->head, follow(node->next), before);
    set_next(before, node->next);
    return true;
}
