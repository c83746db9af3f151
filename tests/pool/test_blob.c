/* Sealed memfds: what a peer sends is mapped only when nobody can cut or change it any more. */
#include "isolate.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <pool/blob_priv.h>

static void what_was_written_is_mapped(void **state)
{
    (void)state;
    const struct iovec parts[] = {{(void *)"hello ", 6}, {(void *)"world", 5}};
    struct blob blob;
    int fd;
    assert_int_equal(pool_blob_to_memfd(parts, 2, &fd), 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(pool_blob_from_memfd(fd, 11, &blob), 0);
    close(fd);
    assert_int_equal(blob.size_bytes, 11);
    assert_memory_equal(blob.data, "hello world", 11);
    pool_blob_done(&blob);
    assert_null(blob.data);
    pool_blob_done(&blob); /* twice is fine */
}

static void a_memfd_that_can_still_change_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        int seals;
    } rows[] = {
        {"no seals", 0},
        {"may shrink", F_SEAL_GROW | F_SEAL_WRITE},
        {"may be written", F_SEAL_GROW | F_SEAL_SHRINK},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct blob blob = {.size_bytes = 77};
        int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        print_message("%s\n", rows[i].label);
        assert_int_equal(ftruncate(fd, 100), 0);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, rows[i].seals), 0);
        assert_int_equal(pool_blob_from_memfd(fd, 100, &blob), -EBADMSG);
        assert_int_equal(blob.size_bytes, 77); /* untouched */
        close(fd);
    }
}

static void a_size_that_is_not_the_files_is_refused(void **state)
{
    (void)state;
    const struct iovec part = {(void *)"12345", 5};
    struct blob blob;
    int fd;
    assert_int_equal(pool_blob_to_memfd(&part, 1, &fd), 0);
    assert_int_equal(pool_blob_from_memfd(fd, 4, &blob), -EBADMSG);
    assert_int_equal(pool_blob_from_memfd(fd, 6, &blob), -EBADMSG);
    assert_int_equal(pool_blob_from_memfd(fd, 0, &blob), -EBADMSG);
    close(fd);
    assert_int_equal(pool_blob_from_memfd(STDIN_FILENO, 5, &blob), -EBADMSG); /* no memfd at all */
}

static const struct test_case tests[] = {
    TEST(what_was_written_is_mapped),
    TEST(a_memfd_that_can_still_change_is_refused),
    TEST(a_size_that_is_not_the_files_is_refused),
};

int main(int argc, char **argv)
{
    return test_run("blob", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
