/* A siege: processes put and get as fast as they can, while another kills one of them after the
 * other, at any moment, and puts a new one in its place. What a dead one held is lost, at most one
 * message each; nothing else is lost, nothing comes twice or out of order, and nobody is held up.
 */
#include "scenario_support.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <pool/ipc.h>

#include "forks.h"

enum { PUTTERS = 4, GETTERS = 4, USERS = PUTTERS + GETTERS, SIZE_MAX_BYTES = 300 };

/* A user says here what it has done, so that the one who takes its place goes on from there. */
struct board {
    struct pool_queue *queue;
    atomic_int started;      /* users that have begun */
    int each;                /* messages of each putter */
    int items;               /* PUTTERS * each */
    atomic_int put[PUTTERS]; /* messages put, or given up for lost */
    atomic_uchar *got;       /* [putter * each + number]: how often */
    atomic_uchar *uncertain; /* the same: its putter died before it could say that it was put */
    atomic_int kills[2];     /* of putters, and getters */
    atomic_int disorder;     /* messages out of order, or not whole */
};

struct item {
    int putter, number;
};

static size_t size_of(int number)
{
    return sizeof(struct item) + (size_t)(number * 7 % (SIZE_MAX_BYTES - 8));
}

static int run_putter(struct board *board, int putter)
{
    uint8_t bytes[SIZE_MAX_BYTES];
    struct item item = {.putter = putter};
    for (;;) {
        item.number = atomic_load(&board->put[putter]);
        if (item.number >= board->each)
            return 0;
        memset(bytes, item.number, sizeof(bytes));
        memcpy(bytes, &item, sizeof(item));
        EXPECT(pool_queue_put(board->queue, bytes, size_of(item.number), -1) == 0);
        atomic_store(&board->put[putter], item.number + 1);
    }
}

static bool is_whole(const struct board *board, const struct pool_message *message)
{
    struct item item;
    if (message->size_bytes < sizeof(item))
        return false;
    memcpy(&item, message->data, sizeof(item));
    if (item.putter < 0 || item.putter >= PUTTERS || item.number < 0 || item.number >= board->each)
        return false;
    if (message->size_bytes != size_of(item.number))
        return false;
    for (size_t i = sizeof(item); i < message->size_bytes; i++)
        if (((const uint8_t *)message->data)[i] != (uint8_t)item.number)
            return false;
    return true;
}

static int run_getter(struct board *board)
{
    struct pool_message message = POOL_MESSAGE_INIT;
    struct item item;
    int last[PUTTERS], r;
    memset(last, -1, sizeof(last));
    while ((r = pool_queue_get(board->queue, -1, &message)) == 0) {
        if (!is_whole(board, &message)) {
            atomic_fetch_add(&board->disorder, 1);
            continue;
        }
        memcpy(&item, message.data, sizeof(item));
        if (item.number <= last[item.putter])
            atomic_fetch_add(&board->disorder, 1);
        last[item.putter] = item.number;
        atomic_fetch_add(&board->got[item.putter * board->each + item.number], 1);
        EXPECT(pool_queue_task_done(board->queue) == 0);
    }
    EXPECT(r == -ESHUTDOWN);
    pool_message_done(&message);
    return 0;
}

struct user {
    struct board *board;
    int index; /* below PUTTERS: a putter */
    pid_t pid;
};

static int run_user(void *data)
{
    const struct user *user = data;
    atomic_fetch_add(&user->board->started, 1);
    return user->index < PUTTERS ? run_putter(user->board, user->index) : run_getter(user->board);
}

/* Kill a user, and start another in its place. A message that it was putting may be in the queue or
 * not: it is not put again. */
static void replace(struct board *board, struct user *user)
{
    kill(user->pid, SIGKILL);
    const int end = fork_wait(user->pid);
    assert_true(end == -SIGKILL || end == 0);
    if (end != 0) {
        atomic_fetch_add(&board->kills[user->index >= PUTTERS], 1);
        if (user->index < PUTTERS && atomic_load(&board->put[user->index]) < board->each) {
            const int number = atomic_fetch_add(&board->put[user->index], 1);
            atomic_store(&board->uncertain[user->index * board->each + number], 1);
        }
    }
    user->pid = fork_run(run_user, user);
}

static int progress(const struct board *board)
{
    int sum = 0;
    for (int i = 0; i < PUTTERS; i++)
        sum += atomic_load(&board->put[i]);
    return sum;
}

/* So many kills, spread over the messages; each user may be hit, also while it waits. */
static void besiege(struct board *board, struct user *users, int kills)
{
    unsigned seed = scenario_seed();
    for (int i = 0; i < kills; i++) {
        while (progress(board) < board->items / kills * i)
            scenario_sleep_us(100);
        scenario_sleep_us(scenario_random(&seed, 1000));
        replace(board, &users[scenario_random(&seed, USERS)]);
    }
}

static void check_board(struct board *board)
{
    int lost = 0, twice = 0, unsure = 0, in_place_of_the_dead = 0;
    for (int i = 0; i < board->items; i++) {
        const int got = atomic_load(&board->got[i]);
        const bool uncertain = atomic_load(&board->uncertain[i]);
        twice += got > 1;
        lost += got == 0 && !uncertain;
        unsure += uncertain;
    }
    printf("%d and %d kills: %d messages lost, %d uncertain\n", atomic_load(&board->kills[0]),
           atomic_load(&board->kills[1]), lost, unsure);
    assert_int_equal(twice, 0);
    assert_int_equal(atomic_load(&board->disorder), 0);
    assert_true(lost <= atomic_load(&board->kills[1]));
    assert_true(unsure <= atomic_load(&board->kills[0]));
    /* Whoever watches says done for those who could not. */
    assert_int_equal(pool_queue_size(board->queue), 0);
    while (pool_queue_task_done(board->queue) == 0)
        in_place_of_the_dead++;
    assert_true(in_place_of_the_dead <= atomic_load(&board->kills[1]));
    assert_int_equal(pool_queue_join(board->queue, 0), 0);
}

static void siege(size_t items_max, size_t bytes_max, int messages, int kills)
{
    const struct pool_queue_options options = {.items_max = items_max, .bytes_max = bytes_max};
    const int fds = open_fds(), segments = scenario_entries("/dev/shm");
    struct board *board = shared_memory(sizeof(*board));
    struct user users[USERS];
    board->each = messages / PUTTERS;
    board->items = board->each * PUTTERS;
    board->got = shared_memory((size_t)board->items);
    board->uncertain = shared_memory((size_t)board->items);
    assert_int_equal(pool_queue_create(&options, &board->queue), 0);
    for (int i = 0; i < USERS; i++) {
        users[i] = (struct user){.board = board, .index = i};
        users[i].pid = fork_run(run_user, &users[i]);
    }
    besiege(board, users, kills);
    for (int i = 0; i < PUTTERS; i++)
        assert_int_equal(fork_wait(users[i].pid), 0);
    pool_queue_close(board->queue);
    for (int i = PUTTERS; i < USERS; i++)
        assert_int_equal(fork_wait(users[i].pid), 0);
    check_board(board);
    pool_queue_free(board->queue);
    assert_int_equal(scenario_processes(), 0);
    assert_int_equal(open_fds(), fds);
    /* Other programs come and go there, too: ours leave nothing. */
    for (int i = 0; scenario_entries("/dev/shm") > segments && i < 5000; i++)
        scenario_sleep_us(1000);
    assert_true(scenario_entries("/dev/shm") <= segments);
}

static void killed_users_cost_a_busy_queue_what_they_held_and_no_more(void **state)
{
    (void)state;
    siege(0, 65536, scenario_size(1000000, 20000), scenario_size(100, 20));
}

static void killed_users_cost_a_queue_that_is_always_full_or_empty_no_more(void **state)
{
    (void)state;
    siege(0, 1024, scenario_size(70000, 5000), scenario_size(50, 10));
    siege(1, 1024, scenario_size(30000, 3000), scenario_size(50, 10));
}

/* ---- A lock under siege ---------------------------------------------------------------------- */

enum { HOLDERS = 6 };

struct vault {
    struct pool_shared *pair; /* two int64_t that are the same, but while the lock is held */
    atomic_int rounds, told;
};

static int run_holder(void *data)
{
    struct vault *vault = data;
    int64_t *pair = pool_shared_data(vault->pair);
    for (;;) {
        int r = pool_shared_acquire(vault->pair, -1);
        EXPECT(r == 0 || r == -EOWNERDEAD);
        if (r == -EOWNERDEAD) {
            pair[1] = pair[0];
            atomic_fetch_add(&vault->told, 1);
        }
        EXPECT(pair[0] == pair[1]);
        pair[0]++;
        pair[1]++;
        EXPECT(pool_shared_release(vault->pair) == 0);
        atomic_fetch_add(&vault->rounds, 1);
    }
}

static void killed_holders_of_a_lock_hold_up_nobody(void **state)
{
    (void)state;
    const int kills = scenario_size(200, 30);
    unsigned seed = scenario_seed();
    struct vault *vault = shared_memory(sizeof(*vault));
    pid_t holders[HOLDERS];
    assert_int_equal(pool_shared_create(2 * sizeof(int64_t), &vault->pair), 0);
    for (int i = 0; i < HOLDERS; i++)
        holders[i] = fork_run(run_holder, vault);
    for (int i = 0; i < kills; i++) {
        const unsigned which = scenario_random(&seed, HOLDERS);
        const int rounds = atomic_load(&vault->rounds);
        scenario_sleep_us(scenario_random(&seed, 1000));
        kill(holders[which], SIGKILL);
        assert_int_equal(fork_wait(holders[which]), -SIGKILL);
        wait_for_count(&vault->rounds, rounds + 100); /* the others go on */
        holders[which] = fork_run(run_holder, vault);
    }
    for (int i = 0; i < HOLDERS; i++) {
        kill(holders[i], SIGKILL);
        assert_int_equal(fork_wait(holders[i]), -SIGKILL);
    }
    int r = pool_shared_acquire(vault->pair, 0);
    assert_true(r == 0 || r == -EOWNERDEAD);
    assert_true(r == -EOWNERDEAD ||
                POOL_SHARED(vault->pair, int64_t)[0] == POOL_SHARED(vault->pair, int64_t)[1]);
    assert_int_equal(pool_shared_release(vault->pair), 0);
    printf("%d kills, %d told, %d rounds\n", kills, atomic_load(&vault->told),
           atomic_load(&vault->rounds));
    assert_true(atomic_load(&vault->told) <= kills);
    pool_shared_free(vault->pair);
}

static const struct test_case tests[] = {
    TEST_LONG(killed_users_cost_a_busy_queue_what_they_held_and_no_more, 120000),
    TEST_LONG(killed_users_cost_a_queue_that_is_always_full_or_empty_no_more, 120000),
    TEST_LONG(killed_holders_of_a_lock_hold_up_nobody, 120000),
};

int main(int argc, char **argv)
{
    return test_run("ipc_siege", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
