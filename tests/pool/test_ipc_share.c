/* What queues, locks, semaphores, events and shared memory have in common: how they are made,
 * passed on by a descriptor, opened and let go of. */
#include "isolate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pool/ipc.h>

#include "fault.h"
#include "forks.h"

/* ---- The five kinds ------------------------------------------------------------------------- */

struct kind {
    const char *name;
    int (*create)(void *ret);
    int (*share)(const void *object);
    int (*open)(int fd, void *ret);
    void (*free)(void *object);
    int (*touch)(void *object);       /* change it; 0 on success */
    bool (*is_touched)(void *object); /* by whichever way it was come by */
    int (*untouch)(void *object);     /* before it is freed, by who touched it */
};

/* pool's functions, which take pointers to their own structs, with pointers to void. */
#define FUNCTIONS_OF(name)                                                                         \
    static int name##_share(const void *object)                                                    \
    {                                                                                              \
        return pool_##name##_share(object);                                                        \
    }                                                                                              \
    static int name##_open(int fd, void *ret)                                                      \
    {                                                                                              \
        return pool_##name##_open(fd, ret);                                                        \
    }                                                                                              \
    static void name##_free(void *object)                                                          \
    {                                                                                              \
        pool_##name##_free(object);                                                                \
    }
FUNCTIONS_OF(queue)
FUNCTIONS_OF(lock)
FUNCTIONS_OF(semaphore)
FUNCTIONS_OF(event)
FUNCTIONS_OF(shared)

enum { SHARED_BYTES = 10000 };

static int nothing(void *object)
{
    (void)object;
    return 0;
}

static int queue_create(void *ret)
{
    return pool_queue_create(NULL, ret);
}

static int queue_touch(void *queue)
{
    return pool_queue_put(queue, "x", 1, 0);
}

static bool queue_is_touched(void *queue)
{
    return pool_queue_size(queue) == 1;
}

static int lock_create(void *ret)
{
    return pool_lock_create(ret);
}

static int lock_touch(void *lock)
{
    return pool_lock_acquire(lock, 0);
}

static bool lock_is_touched(void *lock)
{
    int r = pool_lock_acquire(lock, 0);
    if (r == 0)
        pool_lock_release(lock);
    return r == -ETIMEDOUT || r == -EDEADLK;
}

static int lock_untouch(void *lock)
{
    return pool_lock_release(lock);
}

static int semaphore_create(void *ret)
{
    return pool_semaphore_create(0, 0, ret);
}

static int semaphore_touch(void *semaphore)
{
    return pool_semaphore_release(semaphore);
}

static bool semaphore_is_touched(void *semaphore)
{
    return pool_semaphore_value(semaphore) == 1;
}

static int event_create(void *ret)
{
    return pool_event_create(ret);
}

static int event_touch(void *event)
{
    pool_event_set(event);
    return 0;
}

static bool event_is_touched(void *event)
{
    return pool_event_is_set(event);
}

static int shared_create(void *ret)
{
    return pool_shared_create(SHARED_BYTES, ret);
}

static int shared_touch(void *shared)
{
    POOL_SHARED(shared, char)[SHARED_BYTES - 1] = 'x';
    return 0;
}

static bool shared_is_touched(void *shared)
{
    return POOL_SHARED(shared, char)[SHARED_BYTES - 1] == 'x';
}

#define KIND(name, untouch)                                                                        \
    {                                                                                              \
#name, name##_create, name##_share, name##_open, name##_free, name##_touch,                \
            name##_is_touched, untouch                                                             \
    }
static const struct kind kinds[] = {KIND(queue, nothing), KIND(lock, lock_untouch),
                                    KIND(semaphore, nothing), KIND(event, nothing),
                                    KIND(shared, nothing)};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Run a check with each kind; the name of the last one is shown if it fails. */
static void with_each_kind(void (*check)(const struct kind *kind))
{
    for (size_t i = 0; i < KINDS; i++) {
        print_message("%s\n", kinds[i].name);
        check(&kinds[i]);
    }
}

static char sentinel;
#define UNTOUCHED ((void *)&sentinel)

static void *create(const struct kind *kind)
{
    void *object = NULL;
    assert_int_equal(kind->create(&object), 0);
    assert_false(kind->is_touched(object));
    return object;
}

static int share(const struct kind *kind, const void *object)
{
    int fd = kind->share(object);
    assert_true(fd >= 0);
    return fd;
}

/* ---- Passing on ----------------------------------------------------------------------------- */

/* Open what fd is of, and see that it is the same object. */
static void check_opens_the_same(const struct kind *kind, void *object, int fd)
{
    void *second = NULL;
    assert_int_equal(kind->open(fd, &second), 0);
    assert_false(kind->is_touched(second));
    assert_int_equal(kind->touch(object), 0);
    assert_true(kind->is_touched(second));
    assert_int_equal(kind->untouch(object), 0);
    kind->free(second);
}

static void check_descriptor(const struct kind *kind)
{
    void *object = create(kind);
    int fd = share(kind, object);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    check_opens_the_same(kind, object, fd);
    close(fd);
    kind->free(object);
}

static void an_object_opened_by_its_descriptor_is_the_same_object(void **state)
{
    (void)state;
    with_each_kind(check_descriptor);
}

static void check_opened_by_path(const struct kind *kind)
{
    char path[64];
    void *object = create(kind);
    int fd = share(kind, object);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int other = open(path, O_RDWR | O_CLOEXEC);
    assert_true(other >= 0);
    close(fd);
    check_opens_the_same(kind, object, other);
    close(other);
    kind->free(object);
}

static void another_open_file_of_the_same_memory_is_the_same_object(void **state)
{
    (void)state;
    with_each_kind(check_opened_by_path);
}

static void check_outlives(const struct kind *kind)
{
    void *first = create(kind), *second, *third;
    int fd = share(kind, first);
    kind->free(first);
    assert_int_equal(kind->open(fd, &second), 0);
    close(fd);
    fd = share(kind, second);
    assert_int_equal(kind->open(fd, &third), 0);
    close(fd);
    assert_int_equal(kind->touch(second), 0);
    assert_true(kind->is_touched(third));
    assert_int_equal(kind->untouch(second), 0);
    kind->free(second);
    kind->free(third);
}

static void an_object_lives_as_long_as_somebody_has_it(void **state)
{
    (void)state;
    with_each_kind(check_outlives);
}

static void send_fd(int socket, int fd)
{
    char byte = 0;
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    assert_int_equal(sendmsg(socket, &message, 0), 1);
}

static int receive_fd(int socket)
{
    char byte;
    int fd = -1;
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) == 1 && message.msg_controllen > 0)
        memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
    return fd;
}

struct errand {
    const struct kind *kind;
    int sockets[2];
    void *object;
};

/* In a child that was forked before there was an object. */
static int touch_what_comes(void *data)
{
    const struct errand *errand = data;
    void *object;
    int fd = receive_fd(errand->sockets[1]);
    EXPECT(fd >= 0);
    EXPECT(errand->kind->open(fd, &object) == 0);
    close(fd);
    EXPECT(errand->kind->touch(object) == 0);
    EXPECT(write(errand->sockets[1], "x", 1) == 1);
    EXPECT(read(errand->sockets[1], &fd, 1) == 1); /* the parent has seen it */
    EXPECT(errand->kind->untouch(object) == 0);
    errand->kind->free(object);
    return 0;
}

static void check_sent(const struct kind *kind)
{
    char byte;
    struct errand errand = {.kind = kind};
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, errand.sockets), 0);
    pid_t child = fork_run(touch_what_comes, &errand);
    void *object = create(kind);
    int fd = share(kind, object);
    send_fd(errand.sockets[0], fd);
    close(fd);
    assert_int_equal(read(errand.sockets[0], &byte, 1), 1);
    assert_true(kind->is_touched(object));
    assert_int_equal(write(errand.sockets[0], "x", 1), 1);
    assert_int_equal(fork_wait(child), 0);
    kind->free(object);
    close(errand.sockets[0]);
    close(errand.sockets[1]);
}

static void an_object_is_shared_with_a_process_that_gets_its_descriptor(void **state)
{
    (void)state;
    with_each_kind(check_sent);
}

static int touch_own_copy(void *data)
{
    const struct errand *errand = data;
    EXPECT(!errand->kind->is_touched(errand->object));
    EXPECT(errand->kind->touch(errand->object) == 0);
    EXPECT(errand->kind->is_touched(errand->object));
    EXPECT(errand->kind->untouch(errand->object) == 0);
    errand->kind->free(errand->object);
    return 0;
}

static void check_forked(const struct kind *kind)
{
    struct errand errand = {.kind = kind, .object = create(kind)};
    assert_int_equal(fork_wait(fork_run(touch_own_copy, &errand)), 0);
    /* What the child had of it is freed; the parent's goes on. A lock was given back. */
    if (kind->untouch != nothing)
        assert_int_equal(kind->touch(errand.object), 0);
    assert_true(kind->is_touched(errand.object));
    assert_int_equal(kind->untouch(errand.object), 0);
    kind->free(errand.object);
}

static void a_forked_child_goes_on_using_its_copy(void **state)
{
    (void)state;
    with_each_kind(check_forked);
}

static int count_mappings(void)
{
    int count = 0;
    FILE *file = fopen("/proc/self/maps", "re");
    assert_non_null(file);
    for (int c; (c = fgetc(file)) != EOF;)
        count += c == '\n';
    fclose(file);
    return count;
}

static void check_leaves_nothing(const struct kind *kind)
{
    kind->free(create(kind)); /* what is made once in a process */
    const int fds = open_fds();
    int mappings = 0;
    for (int i = 0; i < 200; i++) {
        void *object = create(kind), *second;
        int fd = share(kind, object);
        assert_int_equal(kind->open(fd, &second), 0);
        close(fd);
        assert_int_equal(kind->touch(second), 0);
        assert_int_equal(kind->untouch(second), 0);
        kind->free(object);
        kind->free(second);
        if (i == 0)
            mappings = count_mappings();
    }
    assert_int_equal(open_fds(), fds);
    assert_true(count_mappings() < mappings + 100); /* the heap may have grown a little */
    kind->free(NULL);
}

static void what_is_freed_leaves_nothing_behind(void **state)
{
    (void)state;
    with_each_kind(check_leaves_nothing);
}

/* ---- Descriptors of something else ---------------------------------------------------------- */

static void check_refused(int fd, int code, const char *what)
{
    for (size_t i = 0; i < KINDS; i++) {
        void *object = UNTOUCHED;
        print_message("%s opened as %s\n", what, kinds[i].name);
        assert_int_equal(kinds[i].open(fd, &object), code);
        assert_ptr_equal(object, UNTOUCHED);
    }
    if (fd >= 0)
        close(fd);
}

static void descriptors_of_other_things_are_refused(void **state)
{
    (void)state;
    char path[128];
    int pair[2];
    const int fds = open_fds();
    check_refused(-1, -EBADF, "no descriptor");
    check_refused(open("/dev/null", O_RDWR | O_CLOEXEC), -EBADMSG, "/dev/null");
    check_refused(open(test_scratch(), O_RDONLY | O_CLOEXEC), -EBADMSG, "a folder");
    snprintf(path, sizeof(path), "%s/file", test_scratch());
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_int_equal(posix_fallocate(fd, 0, 1 << 20), 0);
    check_refused(fd, -EBADMSG, "a file");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    check_refused(pair[0], -EBADMSG, "a socket");
    close(pair[1]);
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    check_refused(pair[0], -EBADMSG, "a pipe");
    close(pair[1]);
    check_refused(memfd_create("test", MFD_CLOEXEC), -EBADMSG, "an empty memfd");
    assert_int_equal(open_fds(), fds);
}

static void each_kind_refuses_every_other(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        void *object = create(&kinds[i]);
        int fd = share(&kinds[i], object);
        for (size_t k = 0; k < KINDS; k++) {
            void *opened = UNTOUCHED;
            if (k == i)
                continue;
            print_message("%s opened as %s\n", kinds[i].name, kinds[k].name);
            assert_int_equal(kinds[k].open(fd, &opened), -EBADMSG);
            assert_ptr_equal(opened, UNTOUCHED);
        }
        close(fd);
        kinds[i].free(object);
    }
}

/* A memfd with the bytes of an object's, which may be changed before it is sealed. */
static int copy_of(int fd, size_t *ret_size)
{
    struct stat st;
    char buffer[4096];
    ssize_t got;
    off_t at = 0;
    assert_int_equal(fstat(fd, &st), 0);
    int copy = memfd_create("copy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(copy >= 0);
    for (; (got = pread(fd, buffer, sizeof(buffer), at)) > 0; at += got)
        assert_int_equal(pwrite(copy, buffer, (size_t)got, at), got);
    assert_int_equal(at, st.st_size);
    *ret_size = (size_t)st.st_size;
    return copy;
}

enum { SEALED = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

static void check_copies(const struct kind *kind)
{
    enum { ALIKE, SHORTER, LONGER, WITH_A_HOLE };
    static const struct {
        const char *label;
        int change, seals, code;
    } rows[] = {
        {"a copy, which is as good", ALIKE, SEALED, 0},
        {"not sealed", ALIKE, 0, -EBADMSG},
        {"may shrink", ALIKE, F_SEAL_GROW | F_SEAL_SEAL, -EBADMSG},
        {"may grow", ALIKE, F_SEAL_SHRINK | F_SEAL_SEAL, -EBADMSG},
        {"may be sealed further", ALIKE, F_SEAL_SHRINK | F_SEAL_GROW, -EBADMSG},
        {"must not be written", ALIKE, SEALED | F_SEAL_WRITE, -EBADMSG},
        {"truncated", SHORTER, SEALED, -EBADMSG},
        {"longer", LONGER, SEALED, -EBADMSG},
        {"its memory is not there", WITH_A_HOLE, SEALED, -EBADMSG},
    };
    const off_t page = sysconf(_SC_PAGESIZE);
    void *object = create(kind);
    int fd = share(kind, object);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t size;
        void *opened = UNTOUCHED;
        int copy = copy_of(fd, &size);
        print_message("    %s\n", rows[i].label);
        if (rows[i].change == SHORTER)
            assert_int_equal(ftruncate(copy, (off_t)size - 1), 0);
        if (rows[i].change == LONGER)
            assert_int_equal(posix_fallocate(copy, 0, (off_t)size + page), 0);
        if (rows[i].change == WITH_A_HOLE)
            assert_int_equal(fallocate(copy, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                       (off_t)(size - 1) / page * page, page),
                             0);
        assert_int_equal(fcntl(copy, F_ADD_SEALS, rows[i].seals), 0);
        assert_int_equal(kind->open(copy, &opened), rows[i].code);
        if (rows[i].code == 0)
            kind->free(opened);
        else
            assert_ptr_equal(opened, UNTOUCHED);
        close(copy);
    }
    close(fd);
    kind->free(object);
}

static void memory_that_is_not_as_this_library_makes_it_is_refused(void **state)
{
    (void)state;
    with_each_kind(check_copies);
}

static void check_head(const struct kind *kind)
{
    void *object = create(kind);
    int fd = share(kind, object);
    for (off_t at = 0; at < 24; at++) {
        size_t size;
        unsigned char byte;
        void *opened = UNTOUCHED;
        int copy = copy_of(fd, &size);
        assert_int_equal(pread(copy, &byte, 1, at), 1);
        byte ^= 0x10;
        assert_int_equal(pwrite(copy, &byte, 1, at), 1);
        assert_int_equal(fcntl(copy, F_ADD_SEALS, SEALED), 0);
        assert_int_equal(kind->open(copy, &opened), -EBADMSG);
        assert_ptr_equal(opened, UNTOUCHED);
        close(copy);
    }
    close(fd);
    kind->free(object);
}

static void every_byte_of_the_head_counts(void **state)
{
    (void)state;
    with_each_kind(check_head);
}

static void memory_that_may_only_be_read_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        char path[64];
        void *object = create(&kinds[i]), *opened = UNTOUCHED;
        int fd = share(&kinds[i], object);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        int other = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(other >= 0);
        assert_int_equal(kinds[i].open(other, &opened), -EACCES);
        assert_ptr_equal(opened, UNTOUCHED);
        close(other);
        close(fd);
        kinds[i].free(object);
    }
}

/* ---- When something is missing -------------------------------------------------------------- */

static void check_faults(const struct kind *kind)
{
    static const enum fault faults[] = {FAULT_CALLOC, FAULT_MMAP, FAULT_MEMFD_CREATE};
    void *object = create(kind);
    int fd = share(kind, object);
    for (size_t i = 0; i < 2 * sizeof(faults) / sizeof(faults[0]); i++) {
        const enum fault fault = faults[i / 2];
        const bool opens = i % 2 == 1;
        bool fired = true;
        for (int nth = 0; fired; nth++) {
            void *second = UNTOUCHED;
            fault_arm(fault, nth, 1);
            int r = opens ? kind->open(fd, &second) : kind->create(&second);
            fired = fault_disarm();
            print_message("    %s: %s, call %d: %d\n", opens ? "open" : "create", fault_name(fault),
                          nth, r);
            assert_int_equal(r, fired ? -fault_errno(fault) : 0);
            if (fired)
                assert_ptr_equal(second, UNTOUCHED);
            else
                kind->free(second);
            assert_true(nth < 100);
        }
    }
    close(fd);
    kind->free(object);
}

static void whatever_is_missing_nothing_is_left_behind(void **state)
{
    (void)state;
    const int fds = open_fds();
    with_each_kind(check_faults);
    assert_int_equal(open_fds(), fds);
}

static void without_descriptors_everything_says_so(void **state)
{
    (void)state;
    void *objects[KINDS], *opened = UNTOUCHED;
    int fds[KINDS];
    for (size_t i = 0; i < KINDS; i++) {
        objects[i] = create(&kinds[i]);
        fds[i] = share(&kinds[i], objects[i]);
    }
    leave_fds(0);
    for (size_t i = 0; i < KINDS; i++) {
        assert_int_equal(kinds[i].create(&opened), -EMFILE);
        assert_int_equal(kinds[i].share(objects[i]), -EMFILE);
        assert_int_equal(kinds[i].open(fds[i], &opened), -EMFILE);
        assert_ptr_equal(opened, UNTOUCHED);
    }
    for (size_t i = 0; i < KINDS; i++) {
        close(fds[i]);
        kinds[i].free(objects[i]);
    }
}

static void more_memory_than_there_is_is_refused_at_once(void **state)
{
    (void)state;
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 4096, SIZE_MAX / 2, (size_t)1 << 50};
    struct pool_shared *shared = UNTOUCHED;
    struct pool_queue *queue = UNTOUCHED;
    struct pool_queue_options options = {.bytes_max = POOL_QUEUE_BYTES_MAX + 1};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        assert_int_equal(pool_shared_create(sizes[i], &shared), -ENOMEM);
    assert_int_equal(pool_queue_create(&options, &queue), -EINVAL);
    options.bytes_max = SIZE_MAX;
    assert_int_equal(pool_queue_create(&options, &queue), -EINVAL);
    assert_ptr_equal(shared, UNTOUCHED);
    assert_ptr_equal(queue, UNTOUCHED);
}

static const struct test_case tests[] = {
    TEST(an_object_opened_by_its_descriptor_is_the_same_object),
    TEST(another_open_file_of_the_same_memory_is_the_same_object),
    TEST(an_object_lives_as_long_as_somebody_has_it),
    TEST(an_object_is_shared_with_a_process_that_gets_its_descriptor),
    TEST(a_forked_child_goes_on_using_its_copy),
    TEST(what_is_freed_leaves_nothing_behind),
    TEST(descriptors_of_other_things_are_refused),
    TEST(each_kind_refuses_every_other),
    TEST(memory_that_is_not_as_this_library_makes_it_is_refused),
    TEST(every_byte_of_the_head_counts),
    TEST(memory_that_may_only_be_read_is_refused),
    TEST(whatever_is_missing_nothing_is_left_behind),
    TEST(without_descriptors_everything_says_so),
    TEST(more_memory_than_there_is_is_refused_at_once),
};

int main(int argc, char **argv)
{
    fault_is_host();
    return test_run("ipc_share", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
