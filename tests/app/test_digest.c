#include "app/digest_priv.h"

#include <string.h>

#include "isolate.h"

static void it_is_the_beginning_of_a_sha_256(void **state)
{
    (void)state;
    static const uint8_t abc[DIGEST_BYTES] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
                                              0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23};
    const struct digest digest = digest_of("abc", 3);
    assert_memory_equal(digest.bytes, abc, sizeof(abc));
    assert_true(digest_short(digest) == UINT64_C(0xba7816bf8f01cfea));
    assert_true(digest_short(digest_of("", 0)) == UINT64_C(0xe3b0c44298fc1c14));
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {TEST(it_is_the_beginning_of_a_sha_256)};
    return test_run("app digest", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
