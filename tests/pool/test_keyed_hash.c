/* The hash of a manager's dicts. */
#include "isolate.h"

#include <string.h>

#include <pool/keyed_hash_priv.h>

#include "fault.h"

static void bytes_of_length(uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)(i * 7 + 1);
}

/* The values are those of Python 3.11 (PYTHONHASHSEED=0, where the secret is 0):
 * hash(bytes((i * 7 + 1) & 255 for i in range(n))) & (2**64 - 1). */
static void it_is_siphash_1_3(void **state)
{
    (void)state;
    static const struct {
        size_t size;
        uint64_t hash;
    } rows[] = {
        {1, UINT64_C(0x44bc103b1f8540ed)},  {2, UINT64_C(0xb238744ea7a5a1d0)},
        {7, UINT64_C(0xb41012aeee05c7d4)},  {8, UINT64_C(0xd22d9341176d0728)},
        {9, UINT64_C(0x4ec42971d570753b)},  {15, UINT64_C(0x566f711d32f59152)},
        {16, UINT64_C(0x7e6bfb8bf1d36ac4)}, {17, UINT64_C(0xe11516de8399dc83)},
        {31, UINT64_C(0x1c67696cfcadb9a6)}, {64, UINT64_C(0x814eabd66a4299eb)},
    };
    const struct hash_secret zero = {{0, 0}};
    uint8_t bytes[64];
    bytes_of_length(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_true(pool_keyed_hash(&zero, bytes, rows[i].size) == rows[i].hash);
}

static void another_secret_gives_another_hash(void **state)
{
    (void)state;
    struct hash_secret first, second;
    assert_int_equal(pool_hash_secret_draw(&first), 0);
    assert_int_equal(pool_hash_secret_draw(&second), 0);
    assert_memory_not_equal(&first, &second, sizeof(first));
    assert_true(pool_keyed_hash(&first, "key", 3) == pool_keyed_hash(&first, "key", 3));
    assert_true(pool_keyed_hash(&first, "key", 3) != pool_keyed_hash(&second, "key", 3));
    assert_true(pool_keyed_hash(&first, NULL, 0) != pool_keyed_hash(&second, NULL, 0));
}

static void where_the_bytes_lie_does_not_matter(void **state)
{
    (void)state;
    const struct hash_secret secret = {{1, 2}};
    uint8_t bytes[48], room[80];
    bytes_of_length(bytes, sizeof(bytes));
    for (size_t shift = 0; shift < 16; shift++) {
        memcpy(room + shift, bytes, sizeof(bytes));
        assert_true(pool_keyed_hash(&secret, room + shift, sizeof(bytes)) ==
                    pool_keyed_hash(&secret, bytes, sizeof(bytes)));
    }
}

static const struct test_case tests[] = {
    TEST(it_is_siphash_1_3),
    TEST(another_secret_gives_another_hash),
    TEST(where_the_bytes_lie_does_not_matter),
};

int main(int argc, char **argv)
{
    fault_is_host();
    return test_run("keyed_hash", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
