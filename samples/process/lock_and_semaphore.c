/* lock_and_semaphore: document 003, section 2. A lock keeps a sum right that four processes add to;
 * a semaphore lets two of six processes in at a time.
 *
 *     lock = Lock(); n = Value('i', 0)             semaphore = Semaphore(2)
 *     with n.get_lock():                           with semaphore:
 *         n.value += 1                                 ...
 *
 * And what Python leaves open: a process that is killed while it has the lock. The next one gets
 * it, and is told.
 *
 *     $ lock_and_semaphore
 *     4 processes added 1 10000 times each: 40000
 *     6 processes went through, at most 2 at a time
 *     a holder was killed; the lock says: Owner died
 */
#include <pool/ipc.h>
#include <pool/process.h>
#include <stdatomic.h>

#include "sample.h"

enum { ADDERS = 4, ADDITIONS = 10000, GUESTS = 6, SEATS = 2 };

/* Descriptor: the number, which has a lock of its own. */
static int add(struct pool_call *call)
{
    struct pool_shared *number;
    must(pool_shared_open(pool_call_fd(call, 0), &number), "shared value");
    for (int i = 0; i < ADDITIONS; i++) {
        must(pool_shared_acquire(number, -1), "acquire");
        *POOL_SHARED(number, int) += 1;
        must(pool_shared_release(number), "release");
    }
    pool_shared_free(number);
    return 0;
}

struct room {
    atomic_int inside, most;
};

/* Descriptors: the room, and the semaphore at its door. */
static int visit(struct pool_call *call)
{
    struct pool_shared *shared;
    struct pool_semaphore *seats;
    must(pool_shared_open(pool_call_fd(call, 0), &shared), "room");
    must(pool_semaphore_open(pool_call_fd(call, 1), &seats), "semaphore");
    struct room *room = POOL_SHARED(shared, struct room);
    must(pool_semaphore_acquire(seats, -1), "acquire");
    const int inside = atomic_fetch_add(&room->inside, 1) + 1;
    int most = room->most;
    while (inside > most && !atomic_compare_exchange_weak(&room->most, &most, inside))
        continue;
    sleep_ms(SECOND_MS / 5);
    atomic_fetch_sub(&room->inside, 1);
    must(pool_semaphore_release(seats), "release");
    pool_semaphore_free(seats);
    pool_shared_free(shared);
    return 0;
}

/* Descriptor: a lock. It takes it and keeps it. */
static int hold(struct pool_call *call)
{
    struct pool_lock *lock;
    must(pool_lock_open(pool_call_fd(call, 0), &lock), "lock");
    must(pool_lock_acquire(lock, -1), "acquire");
    for (;;)
        sleep_ms(SECOND_MS);
    return 0;
}

static const struct pool_task list[] = {{"add", add}, {"visit", visit}, {"hold", hold}};
static const struct pool_tasks tasks = {list, 3};

/* fds: taken. */
static struct pool_process *start(const char *target, const int *fds, size_t fd_count)
{
    struct pool_process *process;
    const struct pool_item item = {.fds = fds, .fd_count = fd_count};
    must(pool_process_create(target, &item, NULL, &process), "create");
    must(pool_process_start(process), "start");
    return process;
}

static void join(struct pool_process *process)
{
    must(pool_process_join(process, -1), "join");
    pool_process_free(process);
}

static void add_under_a_lock(void)
{
    struct pool_process *adders[ADDERS];
    struct pool_shared *number;
    must(pool_shared_create(sizeof(int), &number), "shared value");
    for (int i = 0; i < ADDERS; i++) {
        const int fd = must(pool_shared_share(number), "share");
        adders[i] = start("add", &fd, 1);
    }
    for (int i = 0; i < ADDERS; i++)
        join(adders[i]);
    printf("%d processes added 1 %d times each: %d\n", ADDERS, ADDITIONS,
           *POOL_SHARED(number, int));
    pool_shared_free(number);
}

static void visit_a_small_room(void)
{
    struct pool_process *guests[GUESTS];
    struct pool_shared *shared;
    struct pool_semaphore *seats;
    must(pool_shared_create(sizeof(struct room), &shared), "room");
    must(pool_semaphore_create(SEATS, SEATS, &seats), "semaphore");
    for (int i = 0; i < GUESTS; i++) {
        const int fds[] = {must(pool_shared_share(shared), "share"),
                           must(pool_semaphore_share(seats), "share")};
        guests[i] = start("visit", fds, 2);
    }
    for (int i = 0; i < GUESTS; i++)
        join(guests[i]);
    printf("%d processes went through, at most %d at a time\n", GUESTS,
           POOL_SHARED(shared, struct room)->most);
    pool_semaphore_free(seats);
    pool_shared_free(shared);
}

static void outlive_a_holder(void)
{
    struct pool_lock *lock;
    must(pool_lock_create(&lock), "lock");
    const int fd = must(pool_lock_share(lock), "share");
    struct pool_process *holder = start("hold", &fd, 1);
    int r;
    while ((r = pool_lock_acquire(lock, 0)) == 0) { /* until the other has it */
        pool_lock_release(lock);
        sleep_ms(1);
    }
    must(pool_process_kill(holder), "kill");
    r = pool_lock_acquire(lock, -1);
    printf("a holder was killed; the lock says: %s\n", strerror(-r));
    must(pool_lock_release(lock), "release");
    pool_lock_free(lock);
    join(holder);
}

int main(int argc, char **argv)
{
    must(pool_main(argc, argv, &tasks), "pool_main");
    add_under_a_lock();
    visit_a_small_room();
    outlive_a_holder();
    return 0;
}
