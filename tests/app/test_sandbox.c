/* What a confined worker can still do, by trying it: each attempt in a worker of a pool whose
 * initializer is the program's own. */
#include "app/sandbox_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/thumb_task_priv.h"
#include "app/thumb_worker_priv.h"

#include "files.h"
#include "intruder.h"
#include "isolate.h"
#include "pictures.h"

#define MEMORY_BYTES ((uint64_t)256 << 20)

/* Which descriptors are open in the worker: a bit each. */
static int list_descriptors(struct pool_call *call)
{
    uint64_t open = 0;
    for (int fd = 0; fd < 64; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            open |= UINT64_C(1) << fd;
    return pool_call_write(call, &open, sizeof(open));
}

/* Can it have so many bytes? */
static int allocate(struct pool_call *call)
{
    uint64_t size_bytes = 0;
    const struct pool_bytes field = pool_call_field(call, 0);
    memcpy(&size_bytes, field.data, sizeof(size_bytes));
    void *memory = malloc(size_bytes);
    const uint32_t got = memory != NULL;
    if (memory)
        memset(memory, 1, 1);
    free(memory);
    return pool_call_write(call, &got, sizeof(got));
}

static int print(struct pool_call *call)
{
    printf("said on standard output\n");
    fprintf(stderr, "said on standard error\n");
    return fflush(stdout) == 0 ? 0 : pool_call_fail(call, -EIO, "nothing took it");
}

/* Never ends by itself. */
static int burn(struct pool_call *call)
{
    int r = sandbox_grant_cpu(1);
    for (volatile unsigned i = 0; r == 0; i++)
        continue;
    return pool_call_fail(call, r, "no grant");
}

static int is_libvips(struct dl_phdr_info *info, size_t size_bytes, void *data)
{
    (void)size_bytes;
    *(uint32_t *)data |= strstr(info->dlpi_name, "libvips") != NULL;
    return 0;
}

static int has_libvips(struct pool_call *call)
{
    uint32_t found = 0;
    dl_iterate_phdr(is_libvips, &found);
    return pool_call_write(call, &found, sizeof(found));
}

static const struct pool_task list[] = {{THUMB_TASK, thumb_task_run},
                                        {THUMB_PREPARE, thumb_prepare_run},
                                        {THUMB_CONFINEMENT, thumb_confinement_run},
                                        {INTRUDER, intruder_run},
                                        {"descriptors", list_descriptors},
                                        {"allocate", allocate},
                                        {"print", print},
                                        {"has libvips", has_libvips},
                                        {"burn", burn}};
static const struct pool_tasks table = {list, sizeof(list) / sizeof(list[0])};

static struct sandbox_options usual(enum sandbox_kind kind)
{
    return (struct sandbox_options){.kind = kind,
                                    .memory_bytes = MEMORY_BYTES,
                                    .file_bytes = (uint64_t)64 << 20,
                                    .landlock_abi_max = SANDBOX_LANDLOCK_NEWEST};
}

static struct pool *confined_pool(const struct sandbox_options *sandbox)
{
    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *pool = NULL;
    struct thumb_setup setup;
    memset(&setup, 0, sizeof(setup));
    setup.sandbox = *sandbox;
    setup.may_be_unconfined = sandbox->without_seccomp;
    const struct pool_bytes field = {&setup, sizeof(setup)};
    const struct pool_item item = {.fields = &field, .field_count = 1};
    options.workers = 1;
    options.tasks = &table;
    options.initializer = THUMB_PREPARE;
    options.initializer_item = &item;
    assert_int_equal(pool_create(&options, &pool), 0);
    return pool;
}

/* Run one task; fails the test unless it has a result, which is copied to ret_value. */
static void run(struct pool *pool, const char *task, const struct pool_item *item, void *ret_value,
                size_t size_bytes)
{
    struct pool_future *future;
    struct pool_bytes value;
    struct pool_error error;
    assert_int_equal(pool_apply(pool, task, item, NULL, &future), 0);
    if (pool_future_result(future, -1, &value) != 0) {
        pool_future_error(future, &error);
        fail_msg("%s: %s", task, error.message);
    }
    assert_int_equal(value.size_bytes, size_bytes);
    if (size_bytes > 0)
        memcpy(ret_value, value.data, size_bytes);
    pool_future_free(future);
}

/* ---- Attempts ------------------------------------------------------------------------------ */

/* Errors that say "no", and not that the attempt made no sense or met somebody else's trouble. Its
 * own descriptor refuses by others: it is open for reading. */
static bool says_no(int32_t error)
{
    return error == EACCES || error == EPERM || error == ENOSYS || error == EBADF ||
           error == EINVAL;
}

/* Returns whether the attempt was refused, by an error or by death. */
static bool is_refused(struct pool *pool, uint32_t number, const char *path, const char *other)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const struct pool_bytes fields[] = {
        {&number, sizeof(number)}, {path, strlen(path) + 1}, {other, strlen(other) + 1}};
    const struct pool_item item = {.fields = fields, .field_count = 3, .fds = &fd, .fd_count = 1};
    struct pool_future *future;
    struct pool_bytes value;
    struct pool_error error;
    int32_t code = 0;
    assert_true(fd >= 0);
    assert_int_equal(pool_apply(pool, INTRUDER, &item, NULL, &future), 0);
    const int r = pool_future_result(future, -1, &value);
    if (r == 0) {
        assert_int_equal(value.size_bytes, sizeof(code));
        memcpy(&code, value.data, sizeof(code));
    } else {
        assert_int_equal(pool_future_error(future, &error), 0);
    }
    const bool by_death = r == -EOWNERDEAD && error.signal == SIGSYS;
    if (r < 0 && !by_death)
        fail_msg("%s: %s", attempts[number].name, error.message);
    pool_future_free(future);
    return by_death || says_no(code);
}

/* Every attempt, or those on paths, is refused, and the file is as it was. */
static void expect_refused(const struct sandbox_options *sandbox, bool only_on_paths)
{
    struct pool *pool = confined_pool(sandbox);
    char *path = scratch("photos/source.jpg"), *other = scratch("photos/other");
    make_folder(scratch("photos"));
    write_text(path, "a photo");
    const uint64_t before = tree_hash(scratch("photos"), NULL);
    unsigned tried = 0, succeeded = 0;
    for (uint32_t i = 0; i < attempt_count; i++) {
        if (only_on_paths && !attempts[i].on_paths)
            continue;
        tried++;
        if (is_refused(pool, i, path, other))
            continue;
        succeeded++;
        print_error("not refused: %s\n", attempts[i].name);
    }
    assert_int_equal(succeeded, 0);
    assert_true(tried > 10);
    assert_true(tree_hash(scratch("photos"), NULL) == before);
    pool_free(pool);
}

static void a_narrow_worker_can_do_nothing_that_a_decoder_need_not(void **state)
{
    (void)state;
    const struct sandbox_options sandbox = usual(SANDBOX_NARROW);
    expect_refused(&sandbox, false);
}

static void a_wide_worker_can_do_nothing_that_a_decoder_need_not(void **state)
{
    (void)state;
    const struct sandbox_options sandbox = usual(SANDBOX_WIDE);
    expect_refused(&sandbox, false);
}

static void the_landlock_of_older_kernels_leaves_no_gap(void **state)
{
    (void)state;
    struct sandbox_options sandbox = usual(SANDBOX_NARROW);
    sandbox.landlock_abi_max = 2;
    expect_refused(&sandbox, false);
}

static void without_landlock_everything_is_refused_all_the_same(void **state)
{
    (void)state;
    struct sandbox_options sandbox = usual(SANDBOX_NARROW);
    sandbox.landlock_abi_max = 0;
    expect_refused(&sandbox, false);
}

static void without_landlock_a_wide_worker_is_refused_everything_too(void **state)
{
    (void)state;
    struct sandbox_options sandbox = usual(SANDBOX_WIDE);
    sandbox.landlock_abi_max = 0;
    expect_refused(&sandbox, false);
}

static struct sandbox_state confinement_of(struct pool *pool)
{
    struct sandbox_state state;
    run(pool, THUMB_CONFINEMENT, NULL, &state, sizeof(state));
    return state;
}

static void without_seccomp_landlock_refuses_paths(void **state)
{
    (void)state;
    struct sandbox_options sandbox = usual(SANDBOX_NARROW);
    sandbox.without_seccomp = true;
    struct pool *pool = confined_pool(&sandbox);
    const struct sandbox_state got = confinement_of(pool);
    pool_free(pool);
    if (got.landlock_abi < 3) /* before version 3 a file can be truncated by opening it */
        skip();
    expect_refused(&sandbox, true);
}

/* ---- What is left -------------------------------------------------------------------------- */

static void a_worker_tells_what_confines_it(void **state)
{
    (void)state;
    struct sandbox_options sandbox = usual(SANDBOX_NARROW);
    char words[200];
    struct pool *pool = confined_pool(&sandbox);
    struct sandbox_state got = confinement_of(pool);
    pool_free(pool);
    assert_int_equal(got.seccomp, 1);
    thumb_confinement_describe(&got, words, sizeof(words));
    assert_non_null(strstr(words, "seccomp"));
    if (got.landlock_abi < 2) /* a kernel without */
        return;
    sandbox.landlock_abi_max = 2;
    pool = confined_pool(&sandbox);
    got = confinement_of(pool);
    pool_free(pool);
    assert_int_equal(got.landlock_abi, 2);
    thumb_confinement_describe(&got, words, sizeof(words));
    assert_string_equal(words, "seccomp; Landlock 2");
}

static void a_worker_that_nothing_confines_is_refused_by_default(void **state)
{
    (void)state;
    struct pool_options options = POOL_OPTIONS_INIT;
    struct thumb_setup setup;
    memset(&setup, 0, sizeof(setup));
    setup.sandbox = usual(SANDBOX_NARROW);
    setup.sandbox.without_seccomp = true; /* Landlock alone has gaps */
    for (unsigned allowed = 0; allowed < 2; allowed++) {
        setup.may_be_unconfined = allowed;
        const struct pool_bytes field = {&setup, sizeof(setup)};
        const struct pool_item item = {.fields = &field, .field_count = 1};
        struct pool *pool = NULL;
        struct pool_future *future = NULL;
        struct pool_error error;
        options.workers = 1;
        options.tasks = &table;
        options.initializer = THUMB_PREPARE;
        options.initializer_item = &item;
        options.start_failures_max = 1;
        assert_int_equal(pool_create(&options, &pool), 0);
        assert_int_equal(pool_apply(pool, THUMB_CONFINEMENT, NULL, NULL, &future), 0);
        const int r = pool_future_result(future, -1, NULL);
        if (allowed) {
            assert_int_equal(r, 0);
        } else {
            assert_true(r < 0);
            assert_int_equal(pool_future_error(future, &error), 0);
            assert_non_null(strstr(error.message, "--no-sandbox"));
        }
        pool_future_free(future);
        pool_free(pool);
    }
}

static void a_worker_has_no_descriptor_but_its_own(void **state)
{
    (void)state;
    /* Whatever the host has open, carelessly or not. */
    const int careless = open("/dev/null", O_RDONLY); // NOLINT: without O_CLOEXEC on purpose
    const struct sandbox_options sandbox = usual(SANDBOX_NARROW);
    struct pool *pool = confined_pool(&sandbox);
    uint64_t open_fds = 0;
    run(pool, "descriptors", NULL, &open_fds, sizeof(open_fds));
    assert_true(open_fds == 0xf); /* the standard ones, and the pool's socket */
    pool_free(pool);
    close(careless);
}

static void memory_beyond_the_limit_is_not_to_be_had(void **state)
{
    (void)state;
    const struct sandbox_options sandbox = usual(SANDBOX_NARROW);
    struct pool *pool = confined_pool(&sandbox);
    const struct {
        uint64_t size_bytes;
        uint32_t expected;
    } rows[] = {{MEMORY_BYTES / 2, 1}, {MEMORY_BYTES + 4096, SANDBOX_SANITIZED}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct pool_bytes field = {&rows[i].size_bytes, sizeof(rows[i].size_bytes)};
        const struct pool_item item = {.fields = &field, .field_count = 1};
        uint32_t got = 2;
        run(pool, "allocate", &item, &got, sizeof(got));
        assert_int_equal(got, rows[i].expected);
    }
    pool_free(pool);
}

static void what_a_worker_prints_goes_nowhere(void **state)
{
    (void)state;
    const struct sandbox_options sandbox = usual(SANDBOX_NARROW);
    const int kept = dup(STDOUT_FILENO), kept_error = dup(STDERR_FILENO);
    const int file = open(scratch("said"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(kept >= 0 && kept_error >= 0 && file >= 0);
    assert_true(dup2(file, STDOUT_FILENO) >= 0 && dup2(file, STDERR_FILENO) >= 0);
    struct pool *pool = confined_pool(&sandbox);
    run(pool, "print", NULL, NULL, 0);
    pool_free(pool);
    struct stat st;
    const int r = fstat(file, &st);
    assert_true(dup2(kept, STDOUT_FILENO) >= 0 && dup2(kept_error, STDERR_FILENO) >= 0);
    close(kept);
    close(kept_error);
    close(file);
    assert_int_equal(r, 0);
    if (!SANDBOX_SANITIZED) /* their findings are to be seen */
        assert_int_equal(st.st_size, 0);
}

static void processor_time_beyond_the_grant_ends_a_worker(void **state)
{
    (void)state;
    const struct sandbox_options sandbox = usual(SANDBOX_NARROW);
    struct pool *pool = confined_pool(&sandbox);
    struct pool_future *future = NULL;
    struct pool_error error;
    assert_int_equal(pool_apply(pool, "burn", NULL, NULL, &future), 0);
    assert_int_equal(pool_future_result(future, -1, NULL), -EOWNERDEAD);
    assert_int_equal(pool_future_error(future, &error), 0);
    assert_int_equal(error.signal, SIGXCPU);
    pool_future_free(future);
    pool_free(pool);
}

/* ---- Work ---------------------------------------------------------------------------------- */

static const struct thumb_request request = {.box_width_px = 64,
                                             .box_height_px = 64,
                                             .quality = 80,
                                             .pixels_max = 1000 * 1000,
                                             .memory_bytes = MEMORY_BYTES,
                                             .fail_on = IMG_FAIL_ON_ERROR,
                                             .cpu_seconds = 10};

/* A thumbnail of a file, checked.  Returns its slug if it failed, else "". */
static const char *thumbnail(struct pool *pool, const char *path, const struct thumb_request *asked)
{
    static char slug[32];
    const struct pool_bytes field = {asked, sizeof(*asked)};
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const struct pool_item item = {.fields = &field, .field_count = 1, .fds = &fd, .fd_count = 1};
    struct pool_future *future = NULL;
    struct pool_bytes value, image;
    struct pool_error error;
    struct thumb_reply reply;
    slug[0] = '\0';
    assert_true(fd >= 0);
    assert_int_equal(pool_apply(pool, THUMB_TASK, &item, NULL, &future), 0);
    if (pool_future_result(future, -1, &value) < 0) {
        pool_future_error(future, &error);
        thumb_failure_words(error.message, slug, sizeof(slug));
    } else {
        assert_int_equal(thumb_reply_check(asked, value, &reply, &image), 0);
    }
    pool_future_free(future);
    return slug;
}

static void confined_workers_of_both_kinds_make_thumbnails(void **state)
{
    (void)state;
    make_jpeg(scratch("a.jpg"), 900, 600, 1);
    make_png(scratch("b.png"), 900, 600, true, 2);
    struct thumb_request large = request; /* whose answers need files in memory */
    large.box_width_px = large.box_height_px = 800;
    for (enum sandbox_kind kind = SANDBOX_NARROW; kind <= SANDBOX_WIDE; kind++) {
        const struct sandbox_options sandbox = usual(kind);
        struct pool *pool = confined_pool(&sandbox);
        assert_string_equal(thumbnail(pool, scratch("a.jpg"), &request), "");
        assert_string_equal(thumbnail(pool, scratch("b.png"), &request), "");
        assert_string_equal(thumbnail(pool, scratch("a.jpg"), &large), "");
        assert_string_equal(thumbnail(pool, scratch("b.png"), &large), "");
        pool_free(pool);
    }
}

static void a_narrow_worker_never_has_libvips(void **state)
{
    (void)state;
    static const char gif[] = "GIF89a\x02\0\x02\0\x80\0\0\xff\0\0\0\0\xff,\0\0\0\0\x02\0\x02\0\0"
                              "\x02\x02\x0c\x0a\0;";
    make_jpeg(scratch("a.jpg"), 900, 600, 1);
    make_png(scratch("b.png"), 900, 600, true, 2);
    write_file(scratch("c.gif"), gif, sizeof(gif) - 1);
    write_text(scratch("d.jpg"), "text");
    for (enum sandbox_kind kind = SANDBOX_NARROW; kind <= SANDBOX_WIDE; kind++) {
        const struct sandbox_options sandbox = usual(kind);
        struct pool *pool = confined_pool(&sandbox);
        uint32_t found = 2;
        /* The wide one has it before its first picture. */
        run(pool, "has libvips", NULL, &found, sizeof(found));
        assert_int_equal(found, kind == SANDBOX_WIDE);
        assert_string_equal(thumbnail(pool, scratch("a.jpg"), &request), "");
        assert_string_equal(thumbnail(pool, scratch("b.png"), &request), "");
        assert_string_equal(thumbnail(pool, scratch("d.jpg"), &request), "not-an-image");
        /* The host sends a narrow worker none; one that comes was exchanged meanwhile. */
        assert_string_equal(thumbnail(pool, scratch("c.gif"), &request),
                            kind == SANDBOX_WIDE ? "" : "changed");
        run(pool, "has libvips", NULL, &found, sizeof(found));
        assert_int_equal(found, kind == SANDBOX_WIDE);
        pool_free(pool);
    }
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(a_narrow_worker_can_do_nothing_that_a_decoder_need_not),
        TEST(a_wide_worker_can_do_nothing_that_a_decoder_need_not),
        TEST(the_landlock_of_older_kernels_leaves_no_gap),
        TEST(without_landlock_everything_is_refused_all_the_same),
        TEST(without_landlock_a_wide_worker_is_refused_everything_too),
        TEST(without_seccomp_landlock_refuses_paths),
        TEST(a_worker_tells_what_confines_it),
        TEST(a_worker_that_nothing_confines_is_refused_by_default),
        TEST(a_worker_has_no_descriptor_but_its_own),
        TEST(memory_beyond_the_limit_is_not_to_be_had),
        TEST(what_a_worker_prints_goes_nowhere),
        TEST(processor_time_beyond_the_grant_ends_a_worker),
        TEST(confined_workers_of_both_kinds_make_thumbnails),
        TEST(a_narrow_worker_never_has_libvips),
    };
    if (pool_main(argc, argv, &table) < 0)
        return EXIT_FAILURE;
    return test_run("sandbox", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
