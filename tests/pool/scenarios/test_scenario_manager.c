/* A manager under attack: many processes change one dict and one list, and are killed, stopped and
 * replaced while they do. A book in memory that all share says what each had done and what it was
 * about to do; what is in the manager at the end must agree with it. */
#include "isolate.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pool/manager.h>
#include <pool/pool.h>

#include "forks.h"
#include "manager_shop.h"
#include "scenario_support.h"

enum { USERS = 8, LIVES_MAX = 4000, IDS_MAX = 1 << 20, LARGE_BYTES = 70000 };

enum deed { NOTHING, APPEND, POP, ADD, REPLACE };
enum { UNKNOWN, UNDER_WAY, APPENDED };

/* One user process, from its start to its death. */
struct life {
    atomic_int deed; /* under way */
};

struct book {
    int fd;
    unsigned seed;
    atomic_int ready; /* users that are at work */
    atomic_long left; /* calls that nobody has begun */
    atomic_int next_life, next_id;
    atomic_long adds, replaces; /* done */
    struct life lives[LIVES_MAX];
    atomic_uchar appended[IDS_MAX]; /* as above, by id: each item of the list has one */
    atomic_uchar popped[IDS_MAX];
    atomic_uchar sums[IDS_MAX]; /* how often somebody was told this sum */
};

/* ---- A user -------------------------------------------------------------------------------- */

static void append_item(struct book *book, struct shop *shop, bool large)
{
    static uint8_t bytes[LARGE_BYTES];
    const int id = atomic_fetch_add(&book->next_id, 1);
    if (id >= IDS_MAX)
        return;
    memcpy(bytes, &id, sizeof(id));
    atomic_store(&book->appended[id], UNDER_WAY);
    EXPECT(pool_list_append(shop->list,
                            (struct pool_bytes){bytes, large ? sizeof(bytes) : sizeof(id)}) == 0);
    atomic_store(&book->appended[id], APPENDED);
}

static void pop_item(struct book *book, struct shop *shop, struct pool_message *message, bool first)
{
    int id;
    int r = pool_list_pop(shop->list, first ? 0 : -1, message);
    if (r == -ERANGE) /* it was empty */
        return;
    EXPECT(r == 0);
    EXPECT(message->size_bytes == sizeof(id) || message->size_bytes == LARGE_BYTES);
    memcpy(&id, message->data, sizeof(id));
    EXPECT(id >= 0 && id < IDS_MAX);
    atomic_fetch_add(&book->popped[id], 1);
}

static void add_one(struct book *book, struct shop *shop)
{
    int64_t sum;
    EXPECT(pool_dict_add(shop->dict, text("sum"), 1, &sum) == 0);
    EXPECT(sum > 0 && sum < IDS_MAX);
    atomic_fetch_add(&book->sums[sum], 1);
    atomic_fetch_add(&book->adds, 1);
}

static void count_by_replacing(struct book *book, struct shop *shop, struct pool_message *message)
{
    int64_t count;
    EXPECT(pool_dict_get(shop->dict, text("count"), message) == 0);
    EXPECT(message->size_bytes == sizeof(count));
    memcpy(&count, message->data, sizeof(count));
    count++;
    int r = pool_dict_replace(shop->dict, text("count"),
                              (struct pool_bytes){message->data, message->size_bytes},
                              (struct pool_bytes){&count, sizeof(count)});
    EXPECT(r == 0 || r == -EAGAIN);
    if (r == 0)
        atomic_fetch_add(&book->replaces, 1);
}

static int use(void *data)
{
    struct book *book = data;
    struct shop shop;
    struct pool_message message = POOL_MESSAGE_INIT;
    const int number = atomic_fetch_add(&book->next_life, 1);
    struct life *life = &book->lives[number];
    unsigned seed = book->seed + (unsigned)number;
    EXPECT(shop_open(book->fd, &shop) == 0);
    atomic_fetch_add(&book->ready, 1);
    while (atomic_fetch_sub(&book->left, 1) > 0) {
        const unsigned dice = scenario_random(&seed, 100);
        const enum deed deed = dice < 30 ? APPEND : dice < 60 ? POP : dice < 90 ? ADD : REPLACE;
        atomic_store(&life->deed, deed);
        if (deed == APPEND)
            append_item(book, &shop, scenario_random(&seed, 200) == 0);
        else if (deed == POP)
            pop_item(book, &shop, &message, dice % 2 == 0);
        else if (deed == ADD)
            add_one(book, &shop);
        else
            count_by_replacing(book, &shop, &message);
        atomic_store(&life->deed, NOTHING);
    }
    pool_message_done(&message);
    shop_free(&shop);
    return 0;
}

/* ---- The accounts -------------------------------------------------------------------------- */

/* Lives that ended with this under way. */
static int ended_in(const struct book *book, enum deed deed)
{
    int count = 0;
    for (int i = 0; i < LIVES_MAX; i++)
        count += atomic_load(&book->lives[i].deed) == (int)deed;
    return count;
}

static void check_list(const struct book *book, struct shop *shop)
{
    struct pool_entries items;
    static unsigned char left[IDS_MAX];
    int lost = 0, there = 0, unknown = 0;
    assert_int_equal(pool_list_items(shop->list, &items), 0);
    for (size_t i = 0; i < items.count; i++) {
        int id;
        assert_true(items.entries[i].value.size_bytes >= sizeof(id));
        memcpy(&id, items.entries[i].value.data, sizeof(id));
        assert_in_range(id, 0, IDS_MAX - 1);
        left[id]++;
    }
    pool_entries_done(&items);
    for (int id = 0; id < IDS_MAX; id++) {
        const int seen = left[id] + atomic_load(&book->popped[id]);
        const int appended = atomic_load(&book->appended[id]);
        assert_true(seen <= (appended == UNKNOWN ? 0 : 1)); /* nothing twice, nothing made up */
        there += seen;
        lost += appended == APPENDED && seen == 0;
        unknown += appended == UNDER_WAY;
    }
    printf("%d items, %d taken into the grave, %d on their way there\n", there, lost, unknown);
    assert_true(lost <= ended_in(book, POP));
    assert_true(unknown <= ended_in(book, APPEND));
}

static void check_dict(const struct book *book, struct shop *shop)
{
    struct pool_message message = POOL_MESSAGE_INIT;
    int64_t sum, count;
    const long adds = atomic_load(&book->adds), replaces = atomic_load(&book->replaces);
    long told = 0;
    assert_int_equal(pool_dict_add(shop->dict, text("sum"), 0, &sum), 0);
    for (long i = 0; i < IDS_MAX; i++) {
        assert_true(atomic_load(&book->sums[i]) <= (i >= 1 && i <= sum));
        told += atomic_load(&book->sums[i]);
    }
    printf("sum %ld of %ld added\n", (long)sum, adds);
    assert_true(sum >= told && sum >= adds);
    assert_true(sum <= told + ended_in(book, ADD));
    assert_true(sum <= adds + ended_in(book, ADD));
    assert_int_equal(pool_dict_get(shop->dict, text("count"), &message), 0);
    memcpy(&count, message.data, sizeof(count));
    assert_true(count >= replaces && count <= replaces + ended_in(book, REPLACE));
    pool_message_done(&message);
}

/* ---- The attack ---------------------------------------------------------------------------- */

static void whoever_is_killed_leaves_dict_and_list_exact(void **state)
{
    (void)state;
    const int64_t none = 0;
    unsigned seed = scenario_seed();
    struct shop shop = shop_of();
    struct book *book = shared_memory(sizeof(*book));
    pid_t users[USERS];
    int killed = 0;
    book->fd = pool_manager_share(shop.manager);
    book->seed = seed;
    book->left = scenario_size(1000000, 50000);
    if (book->left > IDS_MAX)
        book->left = IDS_MAX;
    assert_int_equal(
        pool_dict_set(shop.dict, text("count"), (struct pool_bytes){&none, sizeof(none)}), 0);
    const int fds_before = open_fds(), processes_before = scenario_processes();
    for (int i = 0; i < USERS; i++)
        users[i] = fork_run(use, book);
    while (atomic_load(&book->left) > 0 && killed < LIVES_MAX - USERS) {
        const unsigned victim = scenario_random(&seed, USERS);
        scenario_sleep_us(scenario_random(&seed, 30000));
        if (scenario_random(&seed, 4) == 0) { /* only stopped, for a while */
            kill(users[victim], SIGSTOP);
            scenario_sleep_us(scenario_random(&seed, 20000));
            kill(users[victim], SIGCONT);
            continue;
        }
        kill(users[victim], SIGKILL);
        int status = fork_wait(users[victim]);
        assert_true(status == -SIGKILL || status == 0);
        killed += status == -SIGKILL;
        users[victim] = fork_run(use, book);
    }
    for (int i = 0; i < USERS; i++)
        assert_int_equal(fork_wait(users[i]), 0);
    printf("%d users killed\n", killed);
    check_list(book, &shop);
    check_dict(book, &shop);
    assert_int_equal(open_fds(), fds_before);
    assert_int_equal(scenario_processes(), processes_before);
    close(book->fd);
    shop_free(&shop);
}

static const struct test_case tests[] = {
    TEST_LONG(whoever_is_killed_leaves_dict_and_list_exact, 240000),
};

int main(int argc, char **argv)
{
    if (pool_main(argc, argv, &shop_tasks) < 0)
        return 2;
    return test_run("scenario_manager", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
