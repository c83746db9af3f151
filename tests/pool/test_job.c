/* Packing: what goes in comes out, and no bytes whatever make the reader leave its buffer. */
#include "isolate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <pool/job_priv.h>
#include <pool/queue_priv.h>

static int run_nothing(struct pool_call *call)
{
    (void)call;
    return 0;
}

static const struct pool_task task = {"nothing", run_nothing};

static struct job *job_of(const struct pool_item *item)
{
    const struct pool_submit_options options = POOL_SUBMIT_INIT;
    struct job *job = calloc(1, sizeof(*job));
    assert_non_null(job);
    assert_int_equal(pool_job_pack(job, &task, 0, item, &options), 0);
    return job;
}

static void job_free(struct job *job)
{
    pool_job_done(job);
    free(job);
}

static void fields_are_read_back_as_they_were_packed(void **state)
{
    (void)state;
    const struct pool_bytes fields[] = {{"abc", 3}, {NULL, 0}, {"0123456789abcdef", 16}, {"x", 1}};
    const struct pool_item item = {.fields = fields, .field_count = 4};
    struct job *job = job_of(&item);
    struct job_fields read;
    assert_int_equal(pool_job_fields_read(job->payload, job->payload_bytes, &read), 0);
    assert_int_equal(read.count, 4);
    for (size_t i = 0; i < 4; i++) {
        struct pool_bytes field = pool_job_fields_at(&read, i);
        assert_int_equal(field.size_bytes, fields[i].size_bytes);
        assert_int_equal((uintptr_t)field.data % JOB_ALIGN, 0);
        if (field.size_bytes)
            assert_memory_equal(field.data, fields[i].data, field.size_bytes);
    }
    assert_null(pool_job_fields_at(&read, 4).data);
    job_free(job);
}

static void a_cut_payload_is_refused_or_still_within_its_bytes(void **state)
{
    (void)state;
    const struct pool_bytes fields[] = {{"abc", 3}, {"0123456789abcdefg", 17}};
    const struct pool_item item = {.fields = fields, .field_count = 2};
    struct job *job = job_of(&item);
    for (size_t size_bytes = 0; size_bytes < job->payload_bytes; size_bytes++) {
        /* An exact copy on the heap, so that a sanitizer sees one byte too far. */
        void *cut = malloc(size_bytes ? size_bytes : 1);
        struct job_fields read;
        memcpy(cut, job->payload, size_bytes);
        assert_int_equal(pool_job_fields_read(cut, size_bytes, &read), -EBADMSG);
        free(cut);
    }
    job_free(job);
}

static void random_payloads_never_lead_outside(void **state)
{
    (void)state;
    unsigned seed = 7;
    for (int round = 0; round < 200000; round++) {
        size_t size_bytes = (size_t)(rand_r(&seed) % 96);
        uint8_t *bytes = malloc(size_bytes ? size_bytes : 1);
        struct job_fields read;
        for (size_t i = 0; i < size_bytes; i++)
            bytes[i] = rand_r(&seed) % 4 ? 0 : (uint8_t)rand_r(&seed);
        if (pool_job_fields_read(bytes, size_bytes, &read) == 0) {
            for (size_t i = 0; i < read.count; i++) {
                struct pool_bytes field = pool_job_fields_at(&read, i);
                const uint8_t *data = field.data;
                assert_true(data >= bytes && data + field.size_bytes <= bytes + size_bytes);
            }
        }
        free(bytes);
    }
}

static void sizes_that_overflow_are_refused(void **state)
{
    (void)state;
    uint64_t payload[4] = {1, UINT64_MAX - 8, 0, 0};
    struct job_fields read;
    assert_int_equal(pool_job_fields_read(payload, sizeof(payload), &read), -EBADMSG);
    payload[0] = POOL_FIELDS_MAX + 1;
    assert_int_equal(pool_job_fields_read(payload, sizeof(payload), &read), -EBADMSG);
}

static void a_list_keeps_its_order(void **state)
{
    (void)state;
    struct job jobs[4] = {0};
    struct job_list list = {0};
    pool_job_list_append(&list, &jobs[1]);
    pool_job_list_append(&list, &jobs[2]);
    pool_job_list_prepend(&list, &jobs[0]);
    pool_job_list_append(&list, &jobs[3]);
    pool_job_list_remove(&list, &jobs[2]);
    assert_int_equal(list.count, 3);
    assert_ptr_equal(list.first, &jobs[0]);
    assert_ptr_equal(list.first->next, &jobs[1]);
    assert_ptr_equal(list.first->next->next, &jobs[3]);
    assert_ptr_equal(list.last, &jobs[3]);
    pool_job_list_remove(&list, &jobs[0]);
    pool_job_list_remove(&list, &jobs[3]);
    pool_job_list_remove(&list, &jobs[1]);
    assert_null(list.first);
    assert_null(list.last);
    assert_int_equal(list.count, 0);
}

static const struct test_case tests[] = {
    TEST(fields_are_read_back_as_they_were_packed),
    TEST(a_cut_payload_is_refused_or_still_within_its_bytes),
    TEST(random_payloads_never_lead_outside),
    TEST(sizes_that_overflow_are_refused),
    TEST(a_list_keeps_its_order),
};

int main(int argc, char **argv)
{
    return test_run("job", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
