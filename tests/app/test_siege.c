/* test_siege.c: the built program while somebody kills, swaps and changes things under it, at
 * moments that chance chooses. Every test prints its seed; SCENARIO_SEED repeats a run,
 * SCENARIO_SCALE makes it longer. */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "album.h"
#include "app/clock_priv.h"
#include "app/outdir_priv.h"
#include "files.h"
#include "isolate.h"
#include "pictures.h"
#include "program.h"
#include "scenario_support.h"

/* ---- The program is killed ----------------------------------------------------------------- */

#define SMALL_COUNT 40

static const char *const first_run[] = {"in", "-o", "out", "-q60", NULL};
static const char *const second_run[] = {"in", "-o", "out", "-q90", NULL};

static struct program_result run_args(const char *const *args)
{
    static const struct program_setup ordinary;
    struct program program = program_start(&ordinary, args);
    return program_wait(&program);
}

/* Every final name is absent, old or new; nothing else is there but temporary files. */
static void check_killed(void)
{
    DIR *dir = opendir(scratch("out"));
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.') {
            if (entry->d_name[1] != '\0' && strcmp(entry->d_name, "..") != 0)
                assert_int_equal(strncmp(entry->d_name, TEMPORARY_PREFIX, strlen(TEMPORARY_PREFIX)),
                                 0);
            continue;
        }
        const char *path = scratch("out/%s", entry->d_name);
        if (!same_files(path, scratch("old/%s", entry->d_name)) &&
            !same_files(path, scratch("new/%s", entry->d_name)))
            fail_msg("%s is neither the old nor the new one", entry->d_name);
    }
    closedir(dir);
}

static void a_program_killed_at_any_moment_leaves_whole_thumbnails(void **state)
{
    (void)state;
    unsigned seed = scenario_seed();
    const int rounds = scenario_size(50, 10);
    for (unsigned i = 0; i < SMALL_COUNT; i++) {
        make_folder(scratch("in"));
        make_jpeg(scratch("in/%02u.jpg", i), 200 + i, 150, i);
    }
    const uint64_t before = tree_hash(scratch("in"), NULL);
    struct program_result result = run_args(first_run);
    expect_exit(&result, 0);
    assert_int_equal(rename(scratch("out"), scratch("old")), 0);
    result = run_args(second_run);
    expect_exit(&result, 0);
    assert_int_equal(rename(scratch("out"), scratch("new")), 0);
    const uint64_t all_new = tree_contents_hash(scratch("new"));
    const unsigned whole_us = (unsigned)(result.took_ms > 0 ? result.took_ms : 1) * 1000;
    for (int round = 0; round < rounds; round++) {
        static const struct program_setup ordinary;
        if (scenario_random(&seed, 2) == 0) { /* with and without old ones */
            result = run_args(first_run);
            expect_exit(&result, 0);
        }
        struct program program = program_start(&ordinary, second_run);
        scenario_sleep_us(scenario_random(&seed, whole_us));
        kill(program.pid, SIGKILL);
        program_wait(&program);
        program_left_no_process();
        if (file_exists(scratch("out")))
            check_killed();
        assert_int_equal(tree_hash(scratch("in"), NULL), before);
        result = run_args(second_run);
        expect_exit(&result, 0);
        assert_int_equal(tree_contents_hash(scratch("out")), all_new); /* and nothing more */
        for (unsigned i = 0; i < SMALL_COUNT; i++)
            assert_int_equal(unlink(scratch("out/%02u.jpg", i)), 0);
        assert_int_equal(rmdir(scratch("out")), 0);
    }
}

/* ---- Its workers are killed ---------------------------------------------------------------- */

static uint32_t colour_of_index(unsigned index)
{
    return index * 1009 + 0x101010; /* no two below 10,000 are alike */
}

/* SIGKILL to a process that is a child of a child of program, if there is one: any of them. */
static bool kill_a_worker(pid_t program, unsigned *seed)
{
    pid_t workers[16];
    unsigned count = 0;
    DIR *proc = opendir("/proc");
    assert_non_null(proc);
    for (struct dirent *entry; (entry = readdir(proc)) && count < 16;) {
        const pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid > 0 && program_is_worker(program, pid))
            workers[count++] = pid;
    }
    closedir(proc);
    return count > 0 && kill(workers[scenario_random(seed, count)], SIGKILL) == 0;
}

static void thumbnails_show_their_own_pictures_while_workers_die(void **state)
{
    (void)state;
    static const struct program_setup ordinary;
    static const char *const args[] = {"in", "--json", "-fpng", "-j4", NULL};
    const unsigned count = (unsigned)scenario_size(10000, 1000);
    unsigned seed = scenario_seed(), kills = 0;
    make_folder(scratch("in"));
    for (unsigned i = 0; i < count; i++)
        make_flat_png(scratch("in/%05u.png", i), colour_of_index(i));
    struct program program = program_start(&ordinary, args);
    while (kill(program.pid, 0) == 0 && !program_has_ended(&program)) {
        kills += kill_a_worker(program.pid, &seed);
        scenario_sleep_us(20000 + scenario_random(&seed, 30000));
    }
    struct program_result result = program_wait(&program);
    assert_true(result.exit_code == 0 || result.exit_code == 1);
    assert_true(kills > 3);
    const double made = summary_of(&result, "made"), failed = summary_of(&result, "failed");
    assert_true(made + failed == count);
    unsigned seen = 0;
    for (unsigned i = 0; i < count; i++) {
        const char *path = scratch("in/thumbs/%05u.png", i);
        if (!file_exists(path))
            continue;
        seen++;
        assert_int_equal(colour_of_flat_png(path), colour_of_index(i));
    }
    assert_true(made == seen);
    print_message("%u workers killed, %g files failed\n", kills, failed);
}

/* ---- Folders are swapped for links --------------------------------------------------------- */

struct swapper {
    char *inside, *outside_link;
    atomic_bool stop;
    atomic_uint swaps;
};

static void *keep_swapping(void *data)
{
    struct swapper *swapper = data;
    while (!swapper->stop)
        if (renameat2(AT_FDCWD, swapper->inside, AT_FDCWD, swapper->outside_link,
                      RENAME_EXCHANGE) == 0)
            swapper->swaps++;
    return NULL;
}

static void nothing_is_made_outside_while_folders_become_links(void **state)
{
    (void)state;
    pthread_t thread;
    struct swapper swapper = {.inside = scratch("out/sub"), .outside_link = scratch("link")};
    make_folder(scratch("in/sub/deeper"));
    make_folder(scratch("out/sub"));
    make_folder(scratch("outside/deeper"));
    assert_int_equal(symlink(scratch("outside"), scratch("link")), 0);
    for (unsigned i = 0; i < 30; i++) {
        make_jpeg(scratch("in/sub/%02u.jpg", i), 60, 40, i);
        make_jpeg(scratch("in/sub/deeper/%02u.jpg", i), 60, 40, i);
    }
    assert_int_equal(pthread_create(&thread, NULL, keep_swapping, &swapper), 0);
    const int64_t until_ms = clock_ms() + scaled(20000);
    while (swapper.swaps < (unsigned)scenario_size(5000, 1000) && clock_ms() < until_ms) {
        static const char *const args[] = {"in", "-o", "out", "-j1", NULL};
        struct program_result result = run_args(args);
        assert_true(result.exit_code == 0 || result.exit_code == 1);
    }
    swapper.stop = true;
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(swapper.swaps >= 1000);
    assert_int_equal(count_entries(scratch("outside")), 1);
    assert_int_equal(count_entries(scratch("outside/deeper")), 0);
}

/* ---- Sources change ------------------------------------------------------------------------ */

struct changer {
    const char *good;
    size_t size_bytes;
    atomic_bool stop;
};

static void *keep_changing(void *data)
{
    struct changer *changer = data;
    unsigned seed = 1;
    while (!changer->stop) {
        const char *path = scratch("in/%02u.jpg", scenario_random(&seed, SMALL_COUNT));
        switch (scenario_random(&seed, 3)) {
        case 0:
            (void)!truncate(path, scenario_random(&seed, (unsigned)changer->size_bytes));
            break;
        case 1:
            unlink(path);
            break;
        default:
            write_file(path, changer->good, changer->size_bytes);
            break;
        }
    }
    return NULL;
}

static void sources_that_shrink_and_vanish_cost_themselves_only(void **state)
{
    (void)state;
    static const char *const backends[] = {"process", "thread", "serial"};
    struct changer changer = {.stop = false};
    pthread_t thread;
    make_folder(scratch("in"));
    make_jpeg(scratch("good"), 700, 500, 1);
    changer.good = read_file(scratch("good"), &changer.size_bytes);
    for (unsigned i = 0; i < SMALL_COUNT; i++)
        write_file(scratch("in/%02u.jpg", i), changer.good, changer.size_bytes);
    write_file(scratch("in/still.jpg"), changer.good, changer.size_bytes);
    assert_int_equal(pthread_create(&thread, NULL, keep_changing, &changer), 0);
    bool sound = true;
    struct program_result results[9];
    for (size_t i = 0; i < 9; i++) {
        const char *const args[] = {
            "in", "-o", "out", "--json", "--overwrite=always", "--backend", backends[i % 3], NULL};
        results[i] = run_args(args);
        sound = sound && (results[i].exit_code == 0 || results[i].exit_code == 1);
    }
    changer.stop = true;
    assert_int_equal(pthread_join(thread, NULL), 0);
    for (size_t i = 0; i < 9; i++)
        if (results[i].exit_code != 1)
            expect_exit(&results[i], 0);
    assert_true(sound);
    for (size_t i = 0; i < 9; i++)
        assert_string_equal(string_of(program_file(&results[i], "still.jpg"), "status"), "made");
    check_outputs(scratch("out"));
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST_LONG(a_program_killed_at_any_moment_leaves_whole_thumbnails, 120000),
        TEST_LONG(thumbnails_show_their_own_pictures_while_workers_die, 120000),
        TEST_LONG(nothing_is_made_outside_while_folders_become_links, 60000),
        TEST_LONG(sources_that_shrink_and_vanish_cost_themselves_only, 60000),
    };
    return test_run("siege", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
