#include "app/jobs_priv.h"

#include <string.h>

#include "isolate.h"

static struct job *add(struct jobs *jobs, size_t root, const char *jpeg, const char *png)
{
    const struct job_names names = {"shown", "/shown", "/", "note"};
    struct plan plan;
    struct job *job = NULL;
    plan_init(&plan);
    text_puts(&plan.names.jpeg, jpeg);
    text_puts(&plan.names.png, png);
    assert_int_equal(jobs_add(jobs, &plan, root, &names, &job), 0);
    plan_done(&plan);
    return job;
}

static void rivals_are_those_that_may_get_one_name(void **state)
{
    (void)state;
    struct jobs jobs = {0};
    struct job *first = add(&jobs, 0, "f/a.png.jpg", "f/a.png");
    struct job *same = add(&jobs, 0, "f/a.png.jpg", "f/a.png.jpg.png");
    struct job *other_folder = add(&jobs, 0, "g/a.png.jpg", "");
    struct job *other_root = add(&jobs, 1, "f/a.png.jpg", "");
    struct job *crossed = add(&jobs, 0, "f/a.png", "");
    struct job *split = add(&jobs, 0, "f/a.png/jpg", "");
    assert_false(jobs_has_rival(first));
    assert_true(jobs_has_rival(same));
    assert_false(jobs_has_rival(other_folder));
    assert_false(jobs_has_rival(other_root));
    assert_true(jobs_has_rival(crossed));
    assert_false(jobs_has_rival(split));
    assert_string_equal(job_path(first, IMG_FORMAT_PNG), "f/a.png");
    assert_null(job_path(crossed, IMG_FORMAT_PNG));
    assert_null(job_path(crossed, IMG_FORMAT_GIF));
    jobs_remove(&jobs, first);
    assert_false(jobs_has_rival(same));
    assert_false(jobs_has_rival(crossed));
    assert_int_equal(jobs.count, 5);
    jobs_remove_all(&jobs);
    assert_int_equal(jobs.count, 0);
    assert_null(jobs.first);
    assert_null(jobs.last);
}

static int nothing(struct pool_call *call)
{
    (void)call;
    return 0;
}

static void held_results_are_released_in_order(void **state)
{
    (void)state;
    static const struct pool_task list[] = {{"nothing", nothing}};
    static const struct pool_tasks table = {list, 1};
    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *pool = NULL;
    struct pool_future *futures[3] = {NULL};
    const struct pool_item item = {.fields = NULL};
    options.backend = POOL_BACKEND_SERIAL;
    options.tasks = &table;
    assert_int_equal(pool_create(&options, &pool), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pool_submit(pool, "nothing", &item, NULL, &futures[i]), 0);

    struct jobs jobs = {0};
    struct job *a = add(&jobs, 0, "x.jpg", "");
    struct job *b = add(&jobs, 0, "x.jpg", "x.png");
    struct job *c = add(&jobs, 0, "x.jpg", "x.png");
    jobs_hold(&jobs, c, futures[2]);
    assert_null(jobs_released(&jobs));
    jobs_hold(&jobs, b, futures[1]);
    assert_null(jobs_released(&jobs));
    jobs_hold(&jobs, a, futures[0]);
    assert_int_equal(jobs.held, 3);
    assert_ptr_equal(jobs_released(&jobs), a);
    jobs_remove(&jobs, a);
    assert_ptr_equal(jobs_released(&jobs), b);
    jobs_remove(&jobs, b);
    assert_ptr_equal(jobs_released(&jobs), c);
    jobs_remove_all(&jobs); /* frees the future that is still held */
    assert_int_equal(jobs.held, 0);
    pool_free(pool);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(rivals_are_those_that_may_get_one_name),
        TEST(held_results_are_released_in_order),
    };
    return test_run("app jobs", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
