/* make_photos.c: make a folder of photo-like pictures to try thumbpool on.
 *
 *     make_photos [--count N] [--size WxH] [--seed N] [--flat] OUT
 *
 * The pictures are landscapes as no camera took them, in the forms in which cameras, phones and
 * editors store theirs: see the table of variants. OUT must be new or empty, and nothing in it is
 * ever overwritten; what a failed or interrupted run has made is removed again, by name. One
 * machine makes the same bytes for the same seed, count and size.
 *
 * They cost a decoder what camera files cost: at quality 92 a JPEG has 1.6 bits a pixel at
 * 4032x3024 (1.2 to 2.4, the most in 4:4:4), 1.8 at 2048x1536 (1.4 to 2.8) and 2.1 at 1024x683
 * (1.6 to 3.3). Measured as eight times the bytes by the pixels of each file of
 *
 *     make_photos --flat --count 88 --size 4032x3024 OUT
 *
 * On two cores the default set takes 3 s (61 MB), and 6000 pictures of 1024x683 take 67 s.
 *
 * Pictures are independent, so every CPU gets a process that takes the next number from a shared
 * counter until none is left. The parent only waits: for them, and for a signal to stop.
 */
#include "photo_set_priv.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COUNT_DEFAULT = 48, WORKERS_MAX = 64 };

/* What the processes share. */
struct progress {
    _Atomic int next;  /* the next picture */
    _Atomic bool stop; /* something failed or a signal came: begin no other */
    _Atomic uint64_t bytes;
};

/* --- The processes --- */

static int worker_run(const struct photo_set *set, struct progress *progress)
{
    while (!atomic_load(&progress->stop)) {
        const int number = atomic_fetch_add(&progress->next, 1);
        if (number >= set->count)
            return 0;
        uint64_t bytes;
        if (photo_set_make(set, number, &bytes) < 0) {
            atomic_store(&progress->stop, true);
            return 1;
        }
        atomic_fetch_add(&progress->bytes, bytes);
    }
    return 0;
}

static int cpu_count(void)
{
    cpu_set_t cpus;
    const int count = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
    return count < WORKERS_MAX ? count : WORKERS_MAX;
}

/* Wait until the workers have ended. Returns how many did so badly; *signal_number: what asked to
 * stop, 0 if nothing did. signals is blocked, so that each signal is taken here, one at a time. */
static int workers_wait(struct progress *progress, int workers, const sigset_t *signals,
                        int *signal_number)
{
    int failed = 0;
    while (workers > 0) {
        const int number = sigwaitinfo(signals, NULL);
        if (number > 0 && number != SIGCHLD) {
            *signal_number = number;
            atomic_store(&progress->stop, true);
        }
        int status;
        while (workers > 0 && waitpid(-1, &status, WNOHANG) > 0) { /* all children are workers */
            workers--;
            if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
                failed++;
                atomic_store(&progress->stop, true);
            }
        }
    }
    return failed;
}

/* The signals that workers_wait takes. One that is ignored (nohup) stays so. */
static void signals_to_take(sigset_t *ret_signals)
{
    static const int ends[] = {SIGHUP, SIGINT, SIGTERM};
    sigemptyset(ret_signals);
    sigaddset(ret_signals, SIGCHLD);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct sigaction action;
        if (sigaction(ends[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(ret_signals, ends[i]);
    }
}

/* Returns 0, -EIO when a worker failed (it has said why), -EINTR after a signal, or an errno. */
static int make_all(const struct photo_set *set, struct progress *progress, int *signal_number)
{
    sigset_t signals, before;
    signal(SIGCHLD, SIG_DFL); /* ignored, it would take the workers' exit codes with it */
    signals_to_take(&signals);
    sigprocmask(SIG_BLOCK, &signals, &before);

    int started = 0, r = 0;
    const pid_t parent = getpid();
    while (started < cpu_count() && started < set->count && r == 0) {
        const pid_t pid = fork();
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGTERM); /* no work for a parent that was killed */
            sigprocmask(SIG_SETMASK, &before, NULL);
            _exit(getppid() == parent ? worker_run(set, progress) : 1);
        }
        r = pid < 0 ? -errno : 0;
        started += pid > 0;
    }
    if (r < 0 && started > 0)
        r = 0; /* fewer workers, the same pictures */
    if (workers_wait(progress, started, &signals, signal_number) > 0)
        r = -EIO;
    if (*signal_number != 0)
        r = -EINTR;
    return r;
}

/* --- The command line --- */

static const char usage[] =
    "Usage: make_photos [--count N] [--size WxH] [--seed N] [--flat] OUT\n"
    "Make a folder OUT of photo-like pictures; OUT must be new or empty.\n"
    "  --count N    pictures, 1..1000000 (48); 24 show every variant once\n"
    "  --size WxH   of every picture as stored, sides 16..16384 (2 to 12 megapixels)\n"
    "  --seed N     other seeds, other pictures (1)\n"
    "  --flat       JPEG only, named .jpeg, without folders below OUT\n";

/* A whole decimal number from low to high. */
static bool parse_number(const char *text, unsigned long long low, unsigned long long high,
                         unsigned long long *ret_value, const char **ret_end)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    const unsigned long long value = strtoull(text, &end, 10);
    if (errno || value < low || value > high)
        return false;
    *ret_value = value;
    *ret_end = end;
    return true;
}

static bool parse_option(struct photo_set *set, int option, const char *text)
{
    unsigned long long value, height;
    const char *end;
    switch (option) {
    case 'c':
        if (!parse_number(text, 1, PHOTO_SET_COUNT_MAX, &value, &end) || *end)
            return false;
        set->count = (int)value;
        return true;
    case 's':
        if (!parse_number(text, PHOTO_SIDE_MIN, PHOTO_SIDE_MAX, &value, &end) || *end != 'x' ||
            !parse_number(end + 1, PHOTO_SIDE_MIN, PHOTO_SIDE_MAX, &height, &end) || *end)
            return false;
        set->width_px = (int)value;
        set->height_px = (int)height;
        return true;
    case 'f':
        set->flat = true;
        return true;
    default:
        if (!parse_number(text, 0, ULLONG_MAX, &value, &end) || *end)
            return false;
        set->seed = value;
        return true;
    }
}

/* Returns -1 to go on, else the exit code. */
static int parse_arguments(int argc, char **argv, struct photo_set *set)
{
    static const struct option options[] = {
        {"count", required_argument, NULL, 'c'}, {"size", required_argument, NULL, 's'},
        {"seed", required_argument, NULL, 'e'},  {"flat", no_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},        {NULL, 0, NULL, 0}};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'h') {
            fputs(usage, stdout);
            return 0;
        }
        if (option == '?' || !parse_option(set, option, optarg)) {
            if (option != '?')
                fprintf(stderr, "make_photos: bad value '%s'\n", optarg);
            fputs(usage, stderr);
            return 2;
        }
    }
    if (optind + 1 != argc) {
        fputs(usage, stderr);
        return 2;
    }
    set->out = argv[optind];
    return -1;
}

/* Say how it ended. Returns the exit code. */
static int report(const struct photo_set *set, const struct progress *progress, int r,
                  int signal_number)
{
    if (r == 0)
        printf("made %d pictures, %.0f MB, in %s\n", set->count,
               (double)atomic_load(&progress->bytes) / 1e6, set->out);
    else if (r == -ENOTEMPTY)
        fprintf(stderr, "make_photos: '%s' is not empty; name a new folder\n", set->out);
    else if (r != -EIO && r != -EINTR) /* those have been told, or are known */
        fprintf(stderr, "make_photos: cannot make '%s': %s\n", set->out, strerror(-r));
    if (signal_number != 0)
        return 128 + signal_number;
    return r == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct photo_set set = {.out_fd = -1, .count = COUNT_DEFAULT, .seed = 1};
    const int code = parse_arguments(argc, argv, &set);
    if (code >= 0)
        return code;
    struct progress *progress =
        mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct photo_noise *noise = malloc(sizeof(*noise));
    if (progress == MAP_FAILED || !noise) {
        fprintf(stderr, "make_photos: out of memory\n");
        free(noise);
        return 1;
    }
    photo_noise_init(noise);
    set.noise = noise;
    int signal_number = 0;
    int r = photo_set_open(&set);
    if (r == 0) {
        r = make_all(&set, progress, &signal_number);
        if (r < 0)
            photo_set_remove(&set);
    }
    photo_set_close(&set);
    free(noise);
    return report(&set, progress, r, signal_number);
}
