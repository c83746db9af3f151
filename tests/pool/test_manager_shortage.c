/* Managers that lack memory, room or descriptors. */
#include "isolate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pool/manager.h>
#include <pool/manager_priv.h>
#include <pool/manager_wire_priv.h>
#include <pool/packet_priv.h>
#include <pool/pool.h>

#include "fault.h"
#include "forks.h"
#include "manager_shop.h"

/* ---- A client that lacks something --------------------------------------------------------- */

static void what_does_not_fit_is_refused_and_the_rest_goes_on(void **state)
{
    (void)state;
    struct shop shop = shop_of_bytes(1 << 20);
    struct pool_message message = POOL_MESSAGE_INIT;
    uint8_t *large = bytes_of(2 << 20, 1);
    const struct pool_bytes half = {large, 1 << 19}, twice = {large, 2 << 20};
    const struct pool_bytes two[] = {half, half};
    assert_int_equal(pool_dict_set(shop.dict, text("a"), twice), -ENOSPC);
    assert_int_equal(pool_dict_set(shop.dict, twice, text("a")), -ENOSPC);
    assert_int_equal(pool_dict_set_default(shop.dict, text("a"), twice, &message), -ENOSPC);
    assert_int_equal(pool_list_append(shop.list, twice), -ENOSPC);
    assert_int_equal(pool_list_extend(shop.list, two, 2), -ENOSPC); /* all or nothing */
    expect_sizes(&shop, 0, 0);
    assert_int_equal(pool_dict_set(shop.dict, text("a"), half), 0);
    assert_int_equal(pool_dict_set(shop.dict, text("b"), half), -ENOSPC);
    assert_int_equal(pool_list_append(shop.list, half), -ENOSPC);
    assert_int_equal(pool_list_insert(shop.list, 0, half), -ENOSPC);
    assert_int_equal(pool_dict_set(shop.dict, text("a"), twice), -ENOSPC);
    assert_int_equal(pool_dict_replace(shop.dict, text("a"), half, twice), -ENOSPC);
    assert_int_equal(pool_dict_get(shop.dict, text("a"), &message), 0);
    expect_message(&message, half); /* as before */
    int added = 0, r;
    while ((r = pool_dict_add(shop.dict, (struct pool_bytes){&added, sizeof(added)}, 1, NULL)) == 0)
        added++;
    assert_int_equal(r, -ENOSPC);
    assert_true(added > 1000);
    struct pool_dict *dict;
    struct pool_list *list;
    char name[40];
    int objects = 0;
    do { /* names count, too */
        snprintf(name, sizeof(name), "and one more %d", objects++);
        r = pool_manager_dict(shop.manager, name, &dict);
        if (r == 0)
            pool_dict_free(dict);
    } while (r == 0);
    assert_int_equal(r, -ENOSPC);
    assert_int_equal(pool_manager_list(shop.manager, "this one", &list), -ENOSPC);
    assert_int_equal(pool_manager_dict(shop.manager, "dict", &dict), 0); /* it is there */
    pool_dict_free(dict);
    assert_int_equal(pool_dict_clear(shop.dict), 0);
    assert_int_equal(pool_list_append(shop.list, half), 0);
    assert_int_equal(pool_list_pop(shop.list, 0, NULL), 0);
    assert_int_equal(pool_dict_set(shop.dict, text("a"), half), 0);
    free(large);
    pool_message_done(&message);
    shop_free(&shop);
}

static void what_cannot_be_received_is_not_taken_out(void **state)
{
    (void)state;
    struct shop shop = shop_of();
    struct pool_message message = POOL_MESSAGE_INIT;
    struct rlimit before;
    uint8_t *large = bytes_of(200000, 1);
    const struct pool_bytes value = {large, 200000};
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(pool_dict_set(shop.dict, text("large"), value), 0);
    assert_int_equal(pool_dict_set(shop.dict, text("small"), text("s")), 0);
    assert_int_equal(pool_list_append(shop.list, value), 0);
    leave_fds(0);
    assert_int_equal(pool_dict_get(shop.dict, text("large"), &message), -EMFILE);
    assert_int_equal(pool_dict_pop(shop.dict, text("large"), &message), -EMFILE);
    assert_int_equal(pool_list_pop(shop.list, 0, &message), -EMFILE);
    assert_int_equal(pool_dict_set(shop.dict, text("more"), value), -EMFILE);
    assert_int_equal(pool_dict_add(shop.dict, text("n"), 1, NULL), 0); /* this needs none */
    assert_int_equal(pool_manager_share(shop.manager), -EMFILE);
    struct pool_manager *manager;
    assert_int_equal(pool_manager_create(NULL, &manager), -EMFILE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    static const enum fault faults[] = {FAULT_MALLOC, FAULT_MEMFD_CREATE, FAULT_SENDMSG};
    for (size_t which = 0; which < 3; which++) {
        for (int nth = 0, fired = 1; fired; nth++) {
            const char *const keys[] = {"large", "small"};
            fired = 0;
            for (size_t key = 0; key < 2; key++) {
                const int open_before = open_fds();
                pool_message_done(&message); /* so that it needs memory */
                fault_arm(faults[which], nth, 1);
                int r = pool_dict_pop(shop.dict, text(keys[key]), &message);
                const bool failed = fault_disarm();
                fired |= failed;
                assert_int_equal(r, !failed                               ? 0
                                    : faults[which] == FAULT_MEMFD_CREATE ? -EMFILE
                                                                          : -ENOMEM);
                assert_int_equal(open_fds(), open_before);
                if (!failed) {
                    expect_message(&message, key == 0 ? value : text("s"));
                    assert_int_equal(
                        pool_dict_set(shop.dict, text(keys[key]), key == 0 ? value : text("s")), 0);
                }
                assert_int_equal(pool_dict_contains(shop.dict, text(keys[key])), 1);
            }
        }
    }
    assert_int_equal(pool_list_pop(shop.list, 0, &message), 0);
    expect_message(&message, value);
    pool_message_done(&message);
    free(large);
    shop_free(&shop);
}

static void a_shortage_at_any_point_of_a_call_changes_nothing(void **state)
{
    (void)state;
    struct shop shop = shop_of();
    struct pool_message message = POOL_MESSAGE_INIT;
    struct pool_entries items;
    uint8_t *large = bytes_of(100000, 1);
    const struct pool_bytes value = {large, 100000};
    static const enum fault faults[] = {FAULT_MALLOC, FAULT_CALLOC, FAULT_MEMFD_CREATE,
                                        FAULT_SENDMSG};
    assert_int_equal(pool_list_append(shop.list, value), 0);
    for (size_t which = 0; which < 4; which++) {
        for (int nth = 0, fired = 1; fired; nth++) {
            size_t sizes[2];
            fired = 0;
            assert_int_equal(pool_list_size(shop.list, &sizes[0]), 0);
            fault_arm(faults[which], nth, 1);
            int r = pool_list_extend(shop.list, &value, 1);
            bool failed = fault_disarm();
            fired |= failed;
            assert_int_equal(r < 0, failed);
            assert_int_equal(pool_list_size(shop.list, &sizes[1]), 0);
            assert_int_equal(sizes[1], sizes[0] + !failed);

            fault_arm(faults[which], nth, 1);
            r = pool_list_items(shop.list, &items);
            failed = fault_disarm();
            fired |= failed;
            assert_int_equal(r < 0, failed);
            if (r == 0)
                pool_entries_done(&items);

            assert_int_equal(pool_dict_clear(shop.dict), 0);
            fault_arm(faults[which], nth, 1);
            r = pool_dict_set_default(shop.dict, text("k"), value, &message);
            failed = fault_disarm();
            fired |= failed;
            assert_int_equal(r, failed ? r : 1);
            assert_int_equal(r < 0, failed);
            assert_int_equal(pool_dict_contains(shop.dict, text("k")), !failed);

            struct pool_dict *dict;
            struct pool_list *list;
            fault_arm(faults[which], nth, 1);
            r = pool_manager_dict(shop.manager, "more", &dict);
            failed = fault_disarm();
            fired |= failed;
            assert_int_equal(r < 0, failed);
            if (r == 0)
                pool_dict_free(dict);
            fault_arm(faults[which], nth, 1);
            r = pool_manager_list(shop.manager, "more", &list);
            failed = fault_disarm();
            fired |= failed;
            assert_int_equal(r < 0, failed);
            if (r == 0)
                pool_list_free(list);
        }
    }
    pool_message_done(&message);
    free(large);
    shop_free(&shop);
}

static void a_manager_that_cannot_be_made_leaves_nothing(void **state)
{
    (void)state;
    static const enum fault faults[] = {FAULT_MALLOC, FAULT_CALLOC, FAULT_SOCKETPAIR,
                                        FAULT_SENDMSG};
    struct shop shop = shop_of(); /* so that the processes' zygote is there */
    const int fd = pool_manager_share(shop.manager);
    const int before = open_fds();
    for (size_t which = 0; which < 4; which++) {
        for (int nth = 0, fired = 1; fired && nth < 50; nth++) {
            struct pool_manager *manager = NULL;
            fault_arm(faults[which], nth, 1);
            int r = pool_manager_create(NULL, &manager);
            fired = fault_disarm();
            /* A process that was started and cannot be told is no loss if it is told once more. */
            assert_true(r == 0 || fired);
            assert_int_equal(r == 0, manager != NULL);
            pool_manager_free(manager);
            assert_int_equal(open_fds(), before);
        }
        for (int nth = 0, fired = 1; fired; nth++) {
            struct pool_manager *manager = NULL;
            fault_arm(faults[which], nth, 1);
            int r = pool_manager_open(fd, &manager);
            fired = fault_disarm();
            assert_int_equal(r, !fired ? 0 : faults[which] == FAULT_SOCKETPAIR ? -EMFILE : -ENOMEM);
            pool_manager_free(manager);
            assert_int_equal(open_fds(), before);
        }
    }
    assert_int_equal(pool_dict_add(shop.dict, text("n"), 1, NULL), 0);
    close(fd);
    shop_free(&shop);
}

/* ---- A server that lacks something --------------------------------------------------------- */

/* A server in a child of the test, which can be deprived of things before it begins. */
struct here {
    pid_t pid;
    int leash[2];
    int connection_fd, rendezvous_fd; /* of the welcome; -1: there was none */
    void (*deprive)(int how);
    int how;
};

#if defined(__SANITIZE_ADDRESS__)
void __lsan_do_leak_check(void);
#endif

static int serve(void *data)
{
    struct here *here = data;
    close(here->leash[0]);
    if (here->deprive)
        here->deprive(here->how);
    int r = pool_manager_server_run(here->leash[1], 10 << 20);
    fault_disarm();
#if defined(__SANITIZE_ADDRESS__)
    __lsan_do_leak_check();
#endif
    return r < 0 ? 1 : 0;
}

/* Returns the server's code for its maker. */
static int here_start(struct here *here, void (*deprive)(int how), int how)
{
    struct manager_reply welcome;
    struct wire_fds fds;
    const struct iovec part = {&welcome, sizeof(welcome)};
    *here = (struct here){.deprive = deprive, .how = how};
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, here->leash), 0);
    here->pid = fork_run(serve, here);
    close(here->leash[1]);
    assert_int_equal(pool_packet_receive(here->leash[0], &part, 1, &fds, TIME_NEVER),
                     sizeof(welcome));
    assert_int_equal(fds.count, welcome.code < 0 ? 0 : 2);
    here->connection_fd = welcome.code < 0 ? -1 : fds.fds[0];
    here->rendezvous_fd = welcome.code < 0 ? -1 : fds.fds[1];
    return welcome.code;
}

/* Returns its exit status. */
static int here_stop(struct here *here)
{
    close(here->leash[0]);
    if (here->connection_fd >= 0)
        close(here->connection_fd);
    if (here->rendezvous_fd >= 0)
        close(here->rendezvous_fd);
    return fork_wait(here->pid);
}

static void allow_fds(int how)
{
    const struct rlimit limit = {(rlim_t)how, (rlim_t)how};
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void a_client_too_many_is_told_so(void **state)
{
    (void)state;
    enum { CLIENTS_MAX = 30 };
    struct here here;
    struct pool_manager *managers[CLIENTS_MAX], *more;
    int count = 0, r = 0;
    assert_int_equal(here_start(&here, allow_fds, 48), 0);
    while (count < CLIENTS_MAX &&
           (r = pool_manager_open(here.rendezvous_fd, &managers[count])) == 0)
        count++;
    assert_int_equal(r, -EMFILE);
    assert_int_equal(count, 15); /* and the maker */
    for (int i = 0; i < 20; i++)
        assert_int_equal(pool_manager_open(here.rendezvous_fd, &more), -EMFILE);
    for (int i = 0; i < count; i++) {
        struct pool_dict *dict;
        assert_int_equal(pool_manager_dict(managers[i], "d", &dict), 0);
        assert_int_equal(pool_dict_add(dict, text("n"), 1, NULL), 0);
        pool_dict_free(dict);
    }
    pool_manager_free(managers[--count]);
    do /* it may not have been seen off yet */
        r = pool_manager_open(here.rendezvous_fd, &managers[count]);
    while (r == -EMFILE);
    assert_int_equal(r, 0);
    for (int i = 0; i <= count; i++)
        pool_manager_free(managers[i]);
    assert_int_equal(here_stop(&here), 0);
}

/* Take all descriptors but so many away. */
static void use_up_fds(int how)
{
    int last;
    allow_fds(100);
    while ((last = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)) >= 0)
        if (last == 99 - how)
            break;
}

static void a_server_that_cannot_begin_says_why(void **state)
{
    (void)state;
    struct here here;
    int spare = 0, r;
    while ((r = here_start(&here, use_up_fds, spare)) < 0) {
        assert_int_equal(r, -EMFILE);
        assert_int_equal(here_stop(&here), 1);
        spare++;
    }
    assert_int_equal(r, 0);
    assert_in_range(spare, 4, 8);
    assert_int_equal(here_stop(&here), 0);
}

static void a_server_without_descriptors_refuses_what_needs_one(void **state)
{
    (void)state;
    struct shop shop = shop_of();
    struct pool_manager *manager;
    struct pool_message message = POOL_MESSAGE_INIT;
    struct rlimit limit, none;
    uint8_t *large = bytes_of(100000, 1);
    const struct pool_bytes value = {large, 100000};
    const pid_t server = pool_manager_pid(shop.manager);
    const int fd = pool_manager_share(shop.manager);
    /* What it has it keeps. */
    assert_int_equal(prlimit(server, RLIMIT_NOFILE, NULL, &limit), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
    assert_int_equal(prlimit(server, RLIMIT_NOFILE, &none, NULL), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pool_dict_set(shop.dict, text("large"), value), -EMFILE);
        assert_int_equal(pool_dict_set(shop.dict, text("small"), text("s")), 0);
        expect_dict(shop.dict, "small:s,");
        assert_int_equal(pool_manager_open(fd, &manager), -EPIPE);
    }
    assert_int_equal(prlimit(server, RLIMIT_NOFILE, &limit, NULL), 0);
    assert_int_equal(pool_dict_set(shop.dict, text("large"), value), 0);
    none.rlim_cur = 0;
    assert_int_equal(prlimit(server, RLIMIT_NOFILE, &none, NULL), 0);
    assert_int_equal(pool_dict_pop(shop.dict, text("large"), &message), -EMFILE);
    assert_int_equal(pool_dict_contains(shop.dict, text("large")), 1);
    assert_int_equal(prlimit(server, RLIMIT_NOFILE, &limit, NULL), 0);
    assert_int_equal(pool_dict_pop(shop.dict, text("large"), &message), 0);
    expect_message(&message, value);
    assert_int_equal(pool_manager_open(fd, &manager), 0);
    pool_manager_free(manager);
    pool_message_done(&message);
    free(large);
    close(fd);
    shop_free(&shop);
}

/* how: which fault, and which call. */
static void lack_memory(int how)
{
    fault_arm((enum fault)(how % FAULTS), how / FAULTS, 1);
}

/* A day in the life of a server: each call succeeds, or fails and changes nothing.
 * Returns how many failed. */
static int live(struct here *here)
{
    struct shop shop;
    struct pool_message message = POOL_MESSAGE_INIT;
    uint8_t *large = bytes_of(100000, 1);
    const struct pool_bytes value = {large, 100000}, two[] = {value, text("x")};
    int failed = 0, r;
    while ((r = pool_manager_open(here->rendezvous_fd, &shop.manager)) == -ENOMEM || r == -ENOSPC ||
           r == -EMFILE)
        failed++;
    assert_int_equal(r, 0);
    while ((r = pool_manager_dict(shop.manager, "dict", &shop.dict)) == -ENOMEM)
        failed++;
    assert_int_equal(r, 0);
    while ((r = pool_manager_list(shop.manager, "list", &shop.list)) == -ENOMEM)
        failed++;
    assert_int_equal(r, 0);
    for (size_t i = 0; i < 30; i++) {
        const struct pool_bytes key = {&i, sizeof(i)};
        while ((r = pool_dict_set(shop.dict, key, i % 10 == 9 ? value : text("v"))) == -ENOMEM) {
            expect_sizes(&shop, i, 2 * i);
            failed++;
        }
        assert_int_equal(r, 0);
        while ((r = pool_list_extend(shop.list, two, 2)) == -ENOMEM) {
            expect_sizes(&shop, i + 1, 2 * i);
            failed++;
        }
        assert_int_equal(r, 0);
        expect_sizes(&shop, i + 1, 2 * i + 2);
    }
    for (size_t i = 0; i < 30; i++) {
        const struct pool_bytes key = {&i, sizeof(i)};
        while ((r = pool_dict_pop(shop.dict, key, &message)) == -ENOMEM)
            failed++;
        assert_int_equal(r, 0);
        expect_message(&message, i % 10 == 9 ? value : text("v"));
        while ((r = pool_list_pop(shop.list, -2, &message)) == -ENOMEM)
            failed++;
        assert_int_equal(r, 0);
        expect_message(&message, value);
        assert_int_equal(pool_list_pop(shop.list, -1, NULL), 0);
    }
    expect_sizes(&shop, 0, 0);
    shop_free(&shop);
    pool_message_done(&message);
    free(large);
    return failed;
}

static void a_server_survives_each_allocation_that_fails(void **state)
{
    (void)state;
    static const enum fault faults[] = {FAULT_MALLOC,    FAULT_CALLOC,       FAULT_REALLOC,
                                        FAULT_MMAP,      FAULT_EPOLL_CREATE, FAULT_EPOLL_CTL,
                                        FAULT_SOCKETPAIR};
    for (size_t which = 0; which < sizeof(faults) / sizeof(faults[0]); which++) {
        int seen = 0;
        for (int nth = 0; nth < 40; nth++) {
            struct here here;
            int r = here_start(&here, lack_memory, nth * FAULTS + (int)faults[which]);
            if (r < 0) {
                assert_int_equal(r, -fault_errno(faults[which]));
                assert_int_equal(here_stop(&here), 1);
                seen++;
                continue;
            }
            seen += live(&here);
            assert_int_equal(here_stop(&here), 0);
        }
        print_message("%s: %d failures\n", fault_name(faults[which]), seen);
        assert_true(seen > 0);
    }
}

static const struct test_case tests[] = {
    TEST(what_does_not_fit_is_refused_and_the_rest_goes_on),
    TEST(what_cannot_be_received_is_not_taken_out),
    TEST(a_shortage_at_any_point_of_a_call_changes_nothing),
    TEST(a_manager_that_cannot_be_made_leaves_nothing),
    TEST(a_client_too_many_is_told_so),
    TEST(a_server_that_cannot_begin_says_why),
    TEST(a_server_without_descriptors_refuses_what_needs_one),
    TEST_LONG(a_server_survives_each_allocation_that_fails, 60000),
};

int main(int argc, char **argv)
{
    if (pool_main(argc, argv, &shop_tasks) < 0)
        return 2;
    fault_is_host();
    return test_run("manager_shortage", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
