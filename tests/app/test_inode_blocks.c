#include "app/inode_blocks_priv.h"

#include "isolate.h"

static void holds_what_was_added_and_nothing_else(void **state)
{
    (void)state;
    struct inode_blocks blocks = {.slots = NULL};
    assert_false(inode_blocks_has(&blocks, 1, 1));
    for (ino_t inode = 1; inode <= 20000; inode++)
        assert_int_equal(inode_blocks_add(&blocks, 7, inode * 3), 1);
    assert_int_equal(inode_blocks_add(&blocks, 8, 3), 1); /* another device */
    assert_int_equal(inode_blocks_add(&blocks, 7, 3), 0);
    for (ino_t inode = 1; inode <= 20000; inode++) {
        assert_true(inode_blocks_has(&blocks, 7, inode * 3));
        assert_false(inode_blocks_has(&blocks, 7, inode * 3 + 1));
        assert_false(inode_blocks_has(&blocks, 9, inode * 3));
    }
    inode_blocks_done(&blocks);
    assert_false(inode_blocks_has(&blocks, 7, 3));
}

static void tells_the_ends_of_blocks_apart(void **state)
{
    (void)state;
    static const ino_t inodes[] = {1,         63, 64, 127, 128, (ino_t)1 << 32, UINT64_MAX - 63,
                                   UINT64_MAX};
    const size_t count = sizeof(inodes) / sizeof(inodes[0]);
    struct inode_blocks blocks = {.slots = NULL};
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < count; k++)
            assert_int_equal(inode_blocks_has(&blocks, 7, inodes[k]), k < i);
        assert_int_equal(inode_blocks_add(&blocks, 7, inodes[i]), 1);
    }
    assert_false(inode_blocks_has(&blocks, 7, 0));
    assert_false(inode_blocks_has(&blocks, 7, 2));
    inode_blocks_done(&blocks);
}

/* What makes a run over a million pictures cost the host less than 1 MiB, not 32. */
static void neighbours_share_a_slot(void **state)
{
    (void)state;
    struct inode_blocks blocks = {.slots = NULL};
    for (ino_t inode = 0; inode < 1000000; inode++)
        assert_int_equal(inode_blocks_add(&blocks, 7, 5000 + inode), 1);
    assert_int_equal(blocks.count, 1000000 / 64 + 1);
    assert_true(blocks.capacity * sizeof(*blocks.slots) <= 1024 * 1024);
    inode_blocks_done(&blocks);
}

/* Numbers with nothing in common must work as well, if not as cheaply. */
static void takes_numbers_that_are_far_apart(void **state)
{
    (void)state;
    struct inode_blocks blocks = {.slots = NULL};
    for (uint64_t i = 1; i <= 5000; i++)
        assert_int_equal(inode_blocks_add(&blocks, 7, i * UINT64_C(0xd1342543de82ef95)), 1);
    for (uint64_t i = 1; i <= 5000; i++)
        assert_true(inode_blocks_has(&blocks, 7, i * UINT64_C(0xd1342543de82ef95)));
    assert_int_equal(blocks.count, 5000);
    assert_true(blocks.capacity <= 8192);
    inode_blocks_done(&blocks);
}

/* Room was made: no failure after the thumbnail has its name. */
static void what_was_reserved_needs_no_memory(void **state)
{
    (void)state;
    struct inode_blocks blocks = {.slots = NULL};
    for (ino_t i = 1; i <= 2000; i++) {
        assert_int_equal(inode_blocks_reserve(&blocks), 0);
        const struct inode_block *slots = blocks.slots;
        assert_int_equal(inode_blocks_add(&blocks, 7, i * 64), 1);
        assert_ptr_equal(blocks.slots, slots);
    }
    inode_blocks_done(&blocks);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(holds_what_was_added_and_nothing_else), TEST(tells_the_ends_of_blocks_apart),
        TEST(neighbours_share_a_slot), TEST(takes_numbers_that_are_far_apart),
        TEST(what_was_reserved_needs_no_memory)};
    return test_run("app inode blocks", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
