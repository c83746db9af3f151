#include "app/claims_priv.h"

#include <errno.h>
#include <stdio.h>

#include "isolate.h"

static void a_name_is_claimed_once_below_each_root(void **state)
{
    (void)state;
    struct claims claims = {0};
    assert_int_equal(claims_has(&claims, 0, "a/b.jpg"), 0);
    assert_int_equal(claims_add(&claims, 0, "a/b.jpg"), 1);
    assert_int_equal(claims_has(&claims, 0, "a/b.jpg"), 1);
    assert_int_equal(claims_has(&claims, 0, "a/b.jp"), 0);
    assert_int_equal(claims_add(&claims, 0, "a/b.jpg"), 0);
    assert_int_equal(claims_add(&claims, 1, "a/b.jpg"), 1);
    assert_int_equal(claims_add(&claims, 0, "a/B.jpg"), 1);
    assert_int_equal(claims_add(&claims, 0, ""), 1);
    assert_int_equal(claims_add(&claims, 1, "1/a"), 1);
    assert_int_equal(claims_add(&claims, 11, "a"), 1);
    assert_int_equal(claims.count, 6);
    claims_done(&claims);
    claims_done(&claims);
}

static void many_take_few_bytes_each(void **state)
{
    (void)state;
    struct claims claims = {0};
    char path[32];
    for (int pass = 0; pass < 2; pass++)
        for (unsigned i = 0; i < 50000; i++) {
            snprintf(path, sizeof(path), "folder/%u.jpg", i);
            assert_int_equal(claims_add(&claims, 0, path), pass == 0);
        }
    assert_int_equal(claims.count, 50000);
    assert_true(claims.capacity <= 131072);
    assert_int_equal(sizeof(*claims.slots), 16);
    claims_done(&claims);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(a_name_is_claimed_once_below_each_root),
        TEST(many_take_few_bytes_each),
    };
    return test_run("app claims", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
