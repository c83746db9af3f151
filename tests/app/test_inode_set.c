#include "app/inode_set_priv.h"

#include "isolate.h"

static void holds_what_was_added_and_nothing_else(void **state)
{
    (void)state;
    struct inode_set set = INODE_SET_INIT;
    assert_false(inode_set_has(&set, 1, 1));
    assert_false(inode_set_has(NULL, 1, 1));
    for (ino_t inode = 1; inode <= 20000; inode++)
        assert_int_equal(inode_set_add(&set, 7, inode * 3), 1);
    assert_int_equal(inode_set_add(&set, 8, 3), 1); /* another device */
    assert_int_equal(inode_set_add(&set, 7, 3), 0);
    assert_int_equal(set.count, 20001);
    for (ino_t inode = 1; inode <= 20000; inode++) {
        assert_true(inode_set_has(&set, 7, inode * 3));
        assert_false(inode_set_has(&set, 7, inode * 3 + 1));
        assert_false(inode_set_has(&set, 9, inode * 3));
    }
    assert_true(set.capacity <= 65536);
    inode_set_done(&set);
    assert_false(inode_set_has(&set, 7, 3));
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {TEST(holds_what_was_added_and_nothing_else)};
    return test_run("app inode set", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
