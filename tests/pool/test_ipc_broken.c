/* A broken user writes into the memory that an object is made of. What others are then told may be
 * wrong, and they may wait in vain; but none of them crashes, or reads or writes where it should
 * not, and what is whole again afterwards works. */
#include "isolate.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <pool/ipc.h>

#include "forks.h"

enum { BYTES_MAX = 4096, VICTIM_THREADS = 2, ATTACKS = 300000 };

struct scene {
    int fd; /* of the object */
    struct pool_queue *queue;
    struct pool_lock *lock;
    struct pool_semaphore *semaphore;
    struct pool_event *event;
    atomic_int over, attacks, told[2];
};

/* ---- The attacker --------------------------------------------------------------------------- */

/* Where objects keep their words, and what a word often is: whole again, nearly right, anything. */
static uint32_t bad_word(unsigned *seed, uint32_t now)
{
    switch (rand_r(seed) % 6) {
    case 0:
        return now + (uint32_t)(rand_r(seed) % 9) - 4;
    case 1:
        return now ^ UINT32_C(1) << rand_r(seed) % 32;
    case 2:
        return (uint32_t)rand_r(seed) << 16 ^ (uint32_t)rand_r(seed);
    default:
        return 0; /* so that turns become free again, and all goes on */
    }
}

static int attack(void *data)
{
    struct scene *scene = data;
    struct stat st;
    unsigned seed = (unsigned)getpid();
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    EXPECT(fstat(scene->fd, &st) == 0);
    const size_t size = (size_t)st.st_size;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, scene->fd, 0);
    EXPECT(memory != MAP_FAILED);
    while (atomic_load(&scene->over) == 0) {
        /* The object's words, a lock's at the end of the page, or what is behind it. */
        const size_t areas[][2] = {{64, 576}, {page - 32, page}, {page, size}};
        const size_t *area = areas[rand_r(&seed) % (size > page ? 3 : 2)];
        const size_t at = area[0] + (size_t)rand_r(&seed) % (area[1] - area[0]) / 4 * 4;
        _Atomic uint32_t *word = (_Atomic uint32_t *)(void *)(memory + at);
        atomic_store(word, bad_word(&seed, atomic_load(word)));
        atomic_fetch_add(&scene->attacks, 1);
        for (int i = rand_r(&seed) % 200; i > 0; i--)
            atomic_signal_fence(memory_order_seq_cst); /* for as long as it pleases */
    }
    return 0;
}

/* ---- The victims ---------------------------------------------------------------------------- */

static void look_again(int number)
{
    (void)number;
}

/* Nobody wakes who waits for a word that was overwritten: signals do it here. */
static void ring_often(void)
{
    const struct sigaction action = {.sa_handler = look_again};
    const struct itimerval often = {{0, 500}, {0, 500}};
    EXPECT(sigaction(SIGALRM, &action, NULL) == 0);
    EXPECT(setitimer(ITIMER_REAL, &often, NULL) == 0);
}

static bool is_enough(struct scene *scene)
{
    return atomic_load(&scene->attacks) >= ATTACKS;
}

static void note(struct scene *scene, int r)
{
    atomic_fetch_add(&scene->told[r < 0], 1);
}

static void *use_queue(void *data)
{
    struct scene *scene = data;
    uint8_t *bytes = calloc(1, BYTES_MAX); /* of its size: an overrun is seen */
    unsigned seed = (unsigned)getpid();
    struct pool_message message = POOL_MESSAGE_INIT;
    EXPECT(bytes != NULL);
    for (int i = 0; !is_enough(scene); i++) {
        note(scene, pool_queue_put(scene->queue, bytes, (size_t)rand_r(&seed) % 200, i % 2));
        int r = pool_queue_get(scene->queue, i % 2, &message);
        note(scene, r);
        if (r == 0) {
            EXPECT(message.size_bytes < BYTES_MAX);
            memset(message.data, 1, message.size_bytes);
        }
        note(scene, pool_queue_task_done(scene->queue));
        note(scene, pool_queue_join(scene->queue, 1));
        pool_queue_size(scene->queue);
        pool_queue_full(scene->queue, 1);
        if (i % 64 == 0)
            pool_queue_close(scene->queue);
    }
    pool_message_done(&message);
    free(bytes);
    return NULL;
}

static void *use_lock(void *data)
{
    struct scene *scene = data;
    while (!is_enough(scene)) {
        int r = pool_lock_acquire(scene->lock, 1);
        note(scene, r);
        if (r == 0 || r == -EOWNERDEAD)
            note(scene, pool_lock_release(scene->lock));
    }
    return NULL;
}

static void *use_semaphore(void *data)
{
    struct scene *scene = data;
    for (int i = 0; !is_enough(scene); i++) {
        note(scene, pool_semaphore_acquire(scene->semaphore, i % 2));
        note(scene, pool_semaphore_release(scene->semaphore));
        pool_semaphore_value(scene->semaphore);
    }
    return NULL;
}

static void *use_event(void *data)
{
    struct scene *scene = data;
    while (!is_enough(scene)) {
        note(scene, pool_event_wait(scene->event, 1));
        pool_event_set(scene->event);
        pool_event_is_set(scene->event);
        pool_event_clear(scene->event);
    }
    return NULL;
}

static int run_victim(struct scene *scene, void *(*use)(void *data))
{
    pthread_t threads[VICTIM_THREADS];
    ring_often();
    for (int i = 0; i < VICTIM_THREADS; i++)
        EXPECT(pthread_create(&threads[i], NULL, use, scene) == 0);
    for (int i = 0; i < VICTIM_THREADS; i++)
        EXPECT(pthread_join(threads[i], NULL) == 0);
    return 0;
}

static int queue_victim(void *data)
{
    return run_victim(data, use_queue);
}

/* It takes a robust mutex of the C library's at the end: the list that both use is whole. */
static int lock_victim(void *data)
{
    struct scene *scene = data;
    pthread_mutexattr_t attr;
    pthread_mutex_t mutex;
    int r = run_victim(data, use_lock);
    pool_lock_free(scene->lock);
    EXPECT(pthread_mutexattr_init(&attr) == 0);
    EXPECT(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) == 0);
    EXPECT(pthread_mutex_init(&mutex, &attr) == 0);
    EXPECT(pthread_mutex_lock(&mutex) == 0);
    EXPECT(pthread_mutex_unlock(&mutex) == 0);
    return r;
}

static int semaphore_victim(void *data)
{
    return run_victim(data, use_semaphore);
}

static int event_victim(void *data)
{
    return run_victim(data, use_event);
}

static void check_survives(struct scene *scene, int (*victim)(void *data))
{
    assert_true(scene->fd >= 0);
    pid_t attacker = fork_run(attack, scene);
    assert_int_equal(fork_wait(fork_run(victim, scene)), 0);
    atomic_store(&scene->over, 1);
    assert_int_equal(fork_wait(attacker), 0);
    print_message("%d calls succeeded, %d did not\n", atomic_load(&scene->told[0]),
                  atomic_load(&scene->told[1]));
    close(scene->fd);
}

static void users_of_a_queue_survive_a_broken_one(void **state)
{
    (void)state;
    const struct pool_queue_options options = {.bytes_max = 1024};
    struct scene *scene = shared_memory(sizeof(*scene));
    assert_int_equal(pool_queue_create(&options, &scene->queue), 0);
    scene->fd = pool_queue_share(scene->queue);
    check_survives(scene, queue_victim);
    pool_queue_free(scene->queue);
}

static void users_of_a_lock_survive_a_broken_one(void **state)
{
    (void)state;
    struct scene *scene = shared_memory(sizeof(*scene));
    assert_int_equal(pool_lock_create(&scene->lock), 0);
    scene->fd = pool_lock_share(scene->lock);
    check_survives(scene, lock_victim);
    pool_lock_free(scene->lock);
}

static void users_of_a_semaphore_survive_a_broken_one(void **state)
{
    (void)state;
    struct scene *scene = shared_memory(sizeof(*scene));
    assert_int_equal(pool_semaphore_create(1, 3, &scene->semaphore), 0);
    scene->fd = pool_semaphore_share(scene->semaphore);
    check_survives(scene, semaphore_victim);
    pool_semaphore_free(scene->semaphore);
}

static void users_of_an_event_survive_a_broken_one(void **state)
{
    (void)state;
    struct scene *scene = shared_memory(sizeof(*scene));
    assert_int_equal(pool_event_create(&scene->event), 0);
    scene->fd = pool_event_share(scene->event);
    check_survives(scene, event_victim);
    pool_event_free(scene->event);
}

/* ---- Word by word --------------------------------------------------------------------------- */

enum { WORDS = 256 };

static void a_queue_is_usable_or_says_that_it_is_broken_whichever_word_is_wrong(void **state)
{
    (void)state;
    static const uint32_t wrongs[] = {0, 12, 16, 4096, UINT32_MAX};
    int told_broken = 0;
    for (size_t i = 0; i < WORDS * sizeof(wrongs) / sizeof(wrongs[0]); i++) {
        const size_t at = 16 + i % WORDS;
        const struct pool_queue_options options = {.bytes_max = 1024};
        struct pool_message message = POOL_MESSAGE_INIT;
        struct pool_queue *queue;
        assert_int_equal(pool_queue_create(&options, &queue), 0);
        assert_int_equal(pool_queue_put(queue, "first", 5, 0), 0);
        assert_int_equal(pool_queue_put(queue, "second", 6, 0), 0);
        assert_int_equal(pool_queue_get(queue, 0, &message), 0);
        int fd = pool_queue_share(queue);
        uint32_t *words = mmap(NULL, 4 * (16 + WORDS), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        assert_true(words != MAP_FAILED);
        close(fd);
        const bool is_right = words[at] == wrongs[i / WORDS];
        words[at] = wrongs[i / WORDS];
        int put = pool_queue_put(queue, "third", 5, 0);
        int got = pool_queue_get(queue, 0, &message);
        assert_true(put == 0 || put == -EBADMSG || put == -ETIMEDOUT || put == -ESHUTDOWN);
        assert_true(got == 0 || got == -EBADMSG || got == -ETIMEDOUT || got == -ESHUTDOWN);
        if (is_right) {
            assert_int_equal(put, 0);
            assert_int_equal(got, 0);
            assert_memory_equal(message.data, "second", 6);
        }
        told_broken += put == -EBADMSG || got == -EBADMSG;
        munmap(words, 4 * (16 + WORDS));
        pool_message_done(&message);
        pool_queue_free(queue);
    }
    assert_true(told_broken > 0);
}

static void a_header_in_the_ring_that_is_wrong_is_told(void **state)
{
    (void)state;
    static const uint32_t wrongs[] = {7, 17, 1016, 1017, 1 << 30, UINT32_MAX};
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++)
        for (size_t word = 0; word < 2; word++) {
            const struct pool_queue_options options = {.bytes_max = 1024};
            struct pool_message message = POOL_MESSAGE_INIT;
            struct pool_queue *queue;
            assert_int_equal(pool_queue_create(&options, &queue), 0);
            assert_int_equal(pool_queue_put(queue, "sixteen bytes...", 16, 0), 0);
            int fd = pool_queue_share(queue);
            uint32_t *ring = mmap(NULL, 1024, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)page);
            assert_true(ring != MAP_FAILED);
            close(fd);
            ring[word] = wrongs[i];
            int got = pool_queue_get(queue, 0, &message);
            /* A size that could be is believed; it stays within what was put. */
            assert_int_equal(got, word == 0 && wrongs[i] <= 16 ? 0 : -EBADMSG);
            munmap(ring, 1024);
            pool_message_done(&message);
            pool_queue_free(queue);
        }
}

static const struct test_case tests[] = {
    TEST_LONG(users_of_a_queue_survive_a_broken_one, 120000),
    TEST_LONG(users_of_a_lock_survive_a_broken_one, 60000),
    TEST_LONG(users_of_a_semaphore_survive_a_broken_one, 60000),
    TEST_LONG(users_of_an_event_survive_a_broken_one, 60000),
    TEST_LONG(a_queue_is_usable_or_says_that_it_is_broken_whichever_word_is_wrong, 120000),
    TEST(a_header_in_the_ring_that_is_wrong_is_told),
};

int main(int argc, char **argv)
{
    return test_run("ipc_broken", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
