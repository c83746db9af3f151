/* soak.c: does thumbpool's memory stay flat, however many pictures it is given?
 *
 *     thumbpool_soak [OPTIONS] THUMBPOOL MAKE_PHOTOS
 *     thumbpool_soak --fake KIND
 *
 * Makes a tree of pictures (soak_tree.c) and runs THUMBPOOL on it, with each backend once for
 * --seconds (60) at least: a first run over few files says how many it takes. Five times a second
 * (--interval) it looks at the memory of the program and of all that it has started, counts these
 * processes and the program's open descriptors (soak_look.c), and at the end says of each by how
 * much it has grown, how sure that is, and whether it is flat (soak_judge.c).
 *
 * What is flat: over all the time after the warm-up, memory has surely grown by less than 1 MiB or
 * 2 % of what was there, the number of processes by less than 2, of descriptors by less than 16.
 * The bound of memory is that small because no leak is smaller: malloc's smallest piece has 32
 * bytes, so one for each file makes 1 MiB of 33,000 files, fewer than two cores do in a minute.
 * Each run says how many bytes a file its bound comes to. What the program keeps on purpose (what
 * failed, some bytes for a folder) is not taken off: that has to fit in too.
 *
 * A run of a few seconds is warm-up all along, and a sanitizer keeps what was freed: neither is
 * flat, and says nothing.
 *
 * A fake is a program that leaks in a known way, to try the verdict on: flat, small (an eighth of
 * the bound, which is flat), host, worker, late (all at once, near the end), descriptor, process.
 *
 * Exit status: 0 flat; 1 not flat; 2 usage; 3 no verdict, as the program failed or the run was too
 * short; 128+N ended by signal N, after the tree was removed. */
#include "soak.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <app/bench_machine_priv.h>

#define FIRST_FILES      2000 /* of the run that says how many it takes */
#define MORE             1.25 /* a run that was too short is followed by one that is longer */
#define ATTEMPTS_MAX     4
#define FILES_MAX        50000000
#define FAKE_INTERVAL_MS 5
#define STATUS_GROWS     1
#define STATUS_USAGE     2
#define STATUS_NOTHING   3
#define RUNS_MAX         2

static const char usage[] =
    "usage: thumbpool_soak [OPTIONS] THUMBPOOL MAKE_PHOTOS\n"
    "       thumbpool_soak [--svg FILE] [--csv FILE] --fake KIND\n"
    "  --seconds S      how long each run takes at least (60)\n"
    "  --files N        so many files instead, however long they take\n"
    "  --backend WHICH  process or thread (both, one after the other)\n"
    "  --interval MS    between two looks (200)\n"
    "  --folder DIR     where the tree is made ($TMPDIR, or /dev/shm)\n"
    "  --svg FILE       memory against time, as a picture\n"
    "  --csv FILE       what was seen at each look\n"
    "  --fake KIND      flat, small, host, worker, late, descriptor, process: see soak.c\n";

struct arguments {
    double seconds;
    size_t files; /* 0: by the seconds */
    int interval_ms;
    const char *backend; /* NULL: both */
    const char *folder, *svg, *csv, *fake;
    const char *program, *maker;
};

struct soak {
    struct arguments arguments;
    struct soak_tree *tree; /* NULL for a fake */
    size_t files;           /* in the tree */
    int signals_fd;
    struct soak_run runs[RUNS_MAX];
    size_t run_count;
};

/* ---- Words ---------------------------------------------------------------------------------- */

static void print_trend(const struct soak_verdict *verdict, enum soak_subject subject)
{
    static const char *const names[] = {"host, KiB", "workers, KiB", "processes", "descriptors"};
    const struct soak_trend *trend = &verdict->trends[subject];
    const double minutes = (verdict->until_s - verdict->from_s) / 60;

    if (!trend->is_there)
        return;
    printf("  %-12s %9.0f %+9.1f  %+8.1f to %-+9.1f %+9.1f", names[subject], trend->start,
           trend->grown, trend->low, trend->high, trend->grown / minutes);
    if (verdict->files > 0)
        printf(" %+9.1f", trend->grown / verdict->files * 10000);
    else
        printf(" %9s", "-");
    printf(" %9.0f  %s\n", trend->bound, trend->is_flat ? "flat" : "GROWS");
}

static void print_run(const struct soak_run *run)
{
    const struct soak_verdict *verdict = &run->verdict;

    printf("%s: %zu made and %zu failed in %.1f s; judged: %.1f s, %.0f files, %zu looks in all\n",
           run->name, run->made, run->failed, run->took_s, verdict->until_s - verdict->from_s,
           verdict->files, run->series.count);
    printf("  %-12s %9s %9s  %-21s %9s %9s %9s\n", "", "at first", "grown", "  95 % interval",
           "a minute", "per 10000", "bound");
    for (int i = 0; i < SOAK_SUBJECT_COUNT; i++)
        print_trend(verdict, (enum soak_subject)i);
    if (verdict->files > 0)
        printf("  the bound of the host's memory is %.0f bytes a file\n",
               verdict->trends[SOAK_HOST].bound * 1024 / verdict->files);
    printf("%s: %s\n", run->name, verdict->is_flat ? "flat" : "NOT FLAT");
    fflush(stdout);
}

/* ---- Runs ----------------------------------------------------------------------------------- */

static void run_forget(struct soak_run *run)
{
    free(run->series.samples);
    memset(run, 0, sizeof(*run));
}

/* Has the program done what it was to? */
static int check_run(const struct soak *soak, const struct soak_run *run)
{
    const bool is_whole = soak->arguments.fake ||
                          (run->files == soak->files && run->made + run->failed == soak->files &&
                           run->failed <= soak->files / 20);
    if (is_whole && run->exit_code == (run->failed > 0))
        return 0;
    fprintf(stderr,
            "thumbpool_soak: %s: exit status %d; %zu files, %zu reported, %zu made, %zu failed\n",
            run->name, run->exit_code, soak->files, run->files, run->made, run->failed);
    return -EPROTO;
}

static int run_once(struct soak *soak, const char *name, struct soak_run *run)
{
    const struct arguments *arguments = &soak->arguments;
    struct soak_start start = {.fake = arguments->fake,
                               .signals_fd = soak->signals_fd,
                               .interval_ms = arguments->interval_ms};
    char *words[] = {(char *)arguments->program,
                     (char *)"--json",
                     (char *)"--backend",
                     (char *)name,
                     (char *)"--output",
                     soak->tree ? (char *)soak_tree_output(soak->tree) : NULL,
                     soak->tree ? (char *)soak_tree_source(soak->tree) : NULL,
                     NULL};
    char *fake_words[] = {(char *)"/proc/self/exe", NULL};

    start.words = arguments->fake ? fake_words : words;
    run_forget(run);
    run->name = name;
    int r = soak_run(&start, run);
    if (r == 0)
        r = check_run(soak, run);
    else if (r != -EINTR)
        fprintf(stderr, "thumbpool_soak: %s: %s\n", start.words[0], strerror(-r));
    return r;
}

/* Runs over more and more files, until one has taken long enough.  Returns 0 or a negative errno
 * value, which was told. */
static int run_long_enough(struct soak *soak, const char *name, struct soak_run *run)
{
    const struct arguments *arguments = &soak->arguments;
    int r = 0;

    for (int attempt = 0; r == 0; attempt++) {
        r = soak_tree_grow(soak->tree, soak->files);
        if (r == 0)
            r = run_once(soak, name, run);
        if (r == 0)
            r = soak_tree_clear(soak->tree);
        if (r < 0 || arguments->files > 0 || run->took_s >= arguments->seconds)
            break;
        const double files = (double)soak->files * arguments->seconds / run->took_s * MORE;
        if (attempt == ATTEMPTS_MAX || files > FILES_MAX) {
            fprintf(stderr, "thumbpool_soak: no tree is large enough\n");
            r = -EFBIG;
        }
        soak->files = (size_t)files + 1;
    }
    return r;
}

static int judge_run(struct soak_run *run)
{
    int r = soak_judge(&run->series, &run->verdict);
    if (r < 0)
        fprintf(stderr, "thumbpool_soak: %s: %s\n", run->name,
                r == -ENODATA ? "too short to be judged" : strerror(-r));
    else
        print_run(run);
    return r;
}

static int run_all(struct soak *soak)
{
    static const char *const backends[RUNS_MAX] = {"process", "thread"};
    const struct arguments *arguments = &soak->arguments;
    int r = 0;

    if (arguments->fake) {
        soak->run_count = 1;
        r = run_once(soak, arguments->fake, &soak->runs[0]);
        return r < 0 ? r : judge_run(&soak->runs[0]);
    }
    soak->files = arguments->files > 0 ? arguments->files : FIRST_FILES;
    r = soak_tree_create(arguments->folder, arguments->maker, &soak->tree);
    for (size_t i = 0; r == 0 && i < RUNS_MAX; i++) {
        if (arguments->backend && strcmp(arguments->backend, backends[i]) != 0)
            continue;
        struct soak_run *run = &soak->runs[soak->run_count++];
        r = run_long_enough(soak, backends[i], run);
        if (r == 0)
            r = judge_run(run);
    }
    soak->tree = soak_tree_free(soak->tree);
    return r;
}

/* ---- Files ---------------------------------------------------------------------------------- */

static int write_text(const char *path, const struct text *text)
{
    int r = text_failed(text) ? -ENOMEM : 0;

    FILE *file = r == 0 ? fopen(path, "we") : NULL;
    if (r == 0 && !file)
        r = -errno;
    if (file && fputs(text_string(text), file) == EOF)
        r = -EIO;
    if (file && fclose(file) == EOF && r == 0)
        r = -errno;
    if (r < 0)
        fprintf(stderr, "thumbpool_soak: %s: %s\n", path, strerror(-r));
    return r;
}

static int write_files(const struct soak *soak)
{
    const struct options none = {.words = NULL};
    struct text text = TEXT_INIT, about = TEXT_INIT;
    struct bench_machine machine;
    int r = 0;

    if (soak->arguments.csv) {
        soak_csv(soak->runs, soak->run_count, &text);
        r = write_text(soak->arguments.csv, &text);
    }
    text_cut(&text, 0);
    if (r == 0 && soak->arguments.svg) {
        r = bench_machine_look(&none, &machine);
        if (r == 0) {
            text_printf(&about, "%s: %s, %u CPUs, %s", machine.date, text_string(&machine.cpu),
                        machine.cpus, text_string(&machine.system));
            bench_machine_done(&machine);
            soak_svg(soak->runs, soak->run_count, text_string(&about), &text);
            text.failed |= text_failed(&about);
            r = write_text(soak->arguments.svg, &text);
        }
    }
    text_done(&about);
    text_done(&text);
    return r;
}

/* ---- Arguments ------------------------------------------------------------------------------ */

static double parse_number(const char *word, double most)
{
    char *end;
    const double number = strtod(word, &end);
    return end != word && *end == '\0' && number > 0 && number <= most ? number : 0;
}

/* Returns 0, 1 to end with the help, or -EINVAL. */
static int parse(int argc, char **argv, struct arguments *arguments)
{
    static const struct option options[] = {
        {"seconds", required_argument, NULL, 's'}, {"files", required_argument, NULL, 'n'},
        {"backend", required_argument, NULL, 'b'}, {"interval", required_argument, NULL, 'i'},
        {"folder", required_argument, NULL, 'd'},  {"svg", required_argument, NULL, 'v'},
        {"csv", required_argument, NULL, 'c'},     {"fake", required_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 's':
            arguments->seconds = parse_number(optarg, 1e6);
            break;
        case 'n':
            arguments->files = (size_t)parse_number(optarg, FILES_MAX);
            if (arguments->files == 0)
                return -EINVAL;
            break;
        case 'b':
            arguments->backend = optarg;
            break;
        case 'i':
            arguments->interval_ms = (int)parse_number(optarg, 1e6);
            break;
        case 'd':
            arguments->folder = optarg;
            break;
        case 'v':
            arguments->svg = optarg;
            break;
        case 'c':
            arguments->csv = optarg;
            break;
        case 'f':
            arguments->fake = optarg;
            break;
        case 'h':
            return 1;
        default:
            return -EINVAL;
        }
    }
    arguments->program = argv[optind];
    arguments->maker = argv[optind] ? argv[optind + 1] : NULL;
    const bool knows_backend = !arguments->backend || strcmp(arguments->backend, "process") == 0 ||
                               strcmp(arguments->backend, "thread") == 0;
    return arguments->seconds > 0 && arguments->interval_ms > 0 && knows_backend &&
                   argc - optind == (arguments->fake ? 0 : 2)
               ? 0
               : -EINVAL;
}

/* Signals that end the run are read in soak_run(), so that the tree is removed. */
static int open_signals(int *ret_fd)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return -errno;
    *ret_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return *ret_fd < 0 ? -errno : 0;
}

static int status_of(const struct soak *soak, int r)
{
    struct signalfd_siginfo info;

    if (read(soak->signals_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        return 128 + (int)info.ssi_signo;
    if (r < 0)
        return STATUS_NOTHING;
    for (size_t i = 0; i < soak->run_count; i++)
        if (!soak->runs[i].verdict.is_flat)
            return STATUS_GROWS;
    return 0;
}

int main(int argc, char **argv)
{
    struct soak soak = {.arguments = {.seconds = 60, .interval_ms = 200}, .signals_fd = -1};

    if (getenv(SOAK_FAKE))
        return soak_fake(getenv(SOAK_FAKE));
    soak.arguments.folder = getenv("TMPDIR") ? getenv("TMPDIR") : "/dev/shm";
    int r = parse(argc, argv, &soak.arguments);
    if (r != 0) {
        fputs(usage, r < 0 ? stderr : stdout);
        return r < 0 ? STATUS_USAGE : 0;
    }
    if (soak.arguments.fake)
        soak.arguments.interval_ms = FAKE_INTERVAL_MS;
    r = open_signals(&soak.signals_fd);
    if (r < 0)
        fprintf(stderr, "thumbpool_soak: signals: %s\n", strerror(-r));
    else
        r = run_all(&soak);
    if (r == 0)
        r = write_files(&soak);
    const int status = status_of(&soak, r);
    for (size_t i = 0; i < RUNS_MAX; i++)
        run_forget(&soak.runs[i]);
    if (soak.signals_fd >= 0)
        close(soak.signals_fd);
    return status;
}
