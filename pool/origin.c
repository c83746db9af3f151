#include "origin_priv.h"

#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

/* A fact about the process, like its pid; written once. NULL: not asked yet, or the kernel cannot
 * wipe pages (before 4.14), and then getpid() answers, at the price of a system call. */
static _Atomic(atomic_uint_fast64_t *) page;

static atomic_uint_fast64_t *page_create(void)
{
    void *fresh = mmap(NULL, sizeof(atomic_uint_fast64_t), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (fresh == MAP_FAILED)
        return NULL;
    if (madvise(fresh, sizeof(atomic_uint_fast64_t), MADV_WIPEONFORK) < 0) {
        munmap(fresh, sizeof(atomic_uint_fast64_t));
        return NULL;
    }
    atomic_uint_fast64_t *expected = NULL;
    if (!atomic_compare_exchange_strong(&page, &expected, fresh)) {
        munmap(fresh, sizeof(atomic_uint_fast64_t)); /* another thread was faster */
        return expected;
    }
    return fresh;
}

uint64_t pool_origin_now(void)
{
    atomic_uint_fast64_t *word = atomic_load_explicit(&page, memory_order_acquire);
    if (!word)
        word = page_create();
    if (!word)
        return (uint64_t)getpid();
    uint64_t origin = atomic_load_explicit(word, memory_order_relaxed);
    if (origin == 0) { /* first time, or first time after a fork */
        origin = (uint64_t)getpid();
        atomic_store_explicit(word, origin, memory_order_relaxed);
    }
    return origin;
}
