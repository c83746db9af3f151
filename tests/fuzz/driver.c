/* driver.c: runs a fuzz target without help of a compiler.
 *
 *   fuzz_NAME [-n COUNT] [-t SECONDS] [-s SEED] [-f NUMBER] [-o FOLDER] FILE|FOLDER...
 *
 * The files, or those in the folders, are tried as they are. Then, where -n or -t is given, as many
 * mutations of them, or for so long. SEED (1) and the files alone decide what is tried: execution
 * NUMBER of a seed is always the same, and -f tries it alone.
 *
 * The work is done by a child. Whatever ends it (a signal, a sanitizer, exit), and an input that
 * takes too long, is a failure: the input then lies in memory that both share, and its parent
 * writes it into FOLDER (the current one) and says how to repeat it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mutate.h"

/* Of one input, times TEST_TIME_SCALE: far more than any needs, on a busy machine too. */
#define INPUT_LIMIT_MS 20000

#define SEEDS_MAX 4096

struct seed_file {
    char *path;    /* owned */
    uint8_t *data; /* owned */
    size_t size;
};

struct plan {
    const char *name; /* of the program */
    uint64_t count;   /* mutations; UINT64_MAX: as many as there is time for */
    int64_t seconds;  /* 0: no limit */
    uint64_t seed;
    uint64_t only; /* the one mutation to try; UINT64_MAX: all */
    const char *folder;
    struct seed_file *files;
    size_t file_count;
};

/* Written by the child, read by both. */
struct progress {
    _Atomic uint64_t executions; /* begun */
    uint64_t taken;
    uint64_t number; /* of the mutation; while files are tried as they are, of the file */
    bool mutates;
    bool finished;
    size_t size;
    uint8_t data[FUZZ_BYTES_MAX];
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void give_up(const char *what, const char *path)
{
    fprintf(stderr, "%s: %s: %s\n", what, path, strerror(errno));
    exit(2);
}

/* ---- Files --------------------------------------------------------------------------------- */

static void file_add(struct plan *plan, const char *path)
{
    struct seed_file *file = &plan->files[plan->file_count];
    FILE *from = fopen(path, "rbe");
    if (!from)
        give_up("cannot read", path);
    if (plan->file_count == SEEDS_MAX) {
        fprintf(stderr, "%s: more than %d files\n", path, SEEDS_MAX);
        exit(2);
    }
    *file = (struct seed_file){strdup(path), malloc(FUZZ_BYTES_MAX), 0};
    if (!file->path || !file->data)
        give_up("no memory", path);
    file->size = fread(file->data, 1, FUZZ_BYTES_MAX, from);
    fclose(from);
    plan->file_count++;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void files_add(struct plan *plan, const char *path)
{
    struct stat st;
    struct dirent **entries;
    if (stat(path, &st) < 0)
        give_up("cannot look at", path);
    if (!S_ISDIR(st.st_mode)) {
        file_add(plan, path);
        return;
    }
    const int count = scandir(path, &entries, is_visible, alphasort);
    if (count < 0)
        give_up("cannot list", path);
    for (int i = 0; i < count; i++) {
        char *inside;
        if (asprintf(&inside, "%s/%s", path, entries[i]->d_name) < 0)
            give_up("no memory", path);
        file_add(plan, inside);
        free(inside);
        free(entries[i]);
    }
    free(entries);
}

static void files_free(struct plan *plan)
{
    for (size_t i = 0; i < plan->file_count; i++) {
        free(plan->files[i].path);
        free(plan->files[i].data);
    }
    free(plan->files);
}

/* ---- The child ----------------------------------------------------------------------------- */

/* In memory of just its size, so that a sanitizer sees what reaches beyond. */
static void try_one(struct progress *progress)
{
    uint8_t *exact = malloc(progress->size ? progress->size : 1);
    if (!exact)
        give_up("no memory", "input");
    memcpy(exact, progress->data, progress->size);
    atomic_fetch_add(&progress->executions, 1);
    LLVMFuzzerTestOneInput(exact, progress->size);
    progress->taken = fuzz_taken;
    free(exact);
}

static void try_mutation(const struct plan *plan, struct progress *progress, uint64_t number)
{
    struct fuzz_random random = {plan->seed ^ number * UINT64_C(0xd1342543de82ef95)};
    const struct seed_file *file = &plan->files[fuzz_random_below(&random, plan->file_count)];
    const struct seed_file *other = &plan->files[fuzz_random_below(&random, plan->file_count)];
    struct fuzz_input input = {progress->data, file->size, FUZZ_BYTES_MAX};
    progress->number = number;
    memcpy(input.data, file->data, file->size);
    fuzz_mutate(fuzz_kind, &input, (struct fuzz_other){other->data, other->size}, &random);
    progress->size = input.size;
    try_one(progress);
}

static void child_work(const struct plan *plan, struct progress *progress)
{
    const int64_t end_ms = plan->seconds > 0 ? now_ms() + plan->seconds * 1000 : INT64_MAX;
    for (size_t i = 0; i < plan->file_count && plan->only == UINT64_MAX; i++) {
        progress->number = i;
        progress->size = plan->files[i].size;
        memcpy(progress->data, plan->files[i].data, plan->files[i].size);
        try_one(progress);
    }
    progress->mutates = true;
    if (plan->only != UINT64_MAX)
        try_mutation(plan, progress, plan->only);
    else
        for (uint64_t i = 0; i < plan->count && (i % 64 != 0 || now_ms() < end_ms); i++)
            try_mutation(plan, progress, i);
    progress->finished = true;
}

/* ---- The parent ---------------------------------------------------------------------------- */

/* Returns 0, or -1 if it failed; words: how it ended. */
static int child_wait(pid_t pid, const struct progress *progress, char *words, size_t size)
{
    const char *scale_text = getenv("TEST_TIME_SCALE");
    const int scale = scale_text && atoi(scale_text) > 1 ? atoi(scale_text) : 1;
    uint64_t seen = 0;
    bool seen_finished = false; /* then it has as long as an input, to end */
    int64_t seen_ms = now_ms();
    int status = 0;
    for (bool hangs = false;;) {
        const pid_t ended = waitpid(pid, &status, WNOHANG);
        if (ended == pid && hangs) {
            snprintf(words, size, "takes too long");
            return -1;
        }
        if (ended == pid)
            break;
        const uint64_t executions = atomic_load(&progress->executions);
        const bool finished = progress->finished;
        if (executions != seen || finished != seen_finished) {
            seen = executions;
            seen_finished = finished;
            seen_ms = now_ms();
        }
        if (now_ms() - seen_ms > (int64_t)INPUT_LIMIT_MS * scale) {
            hangs = true;
            kill(pid, SIGKILL);
        }
        nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
    }
    if (WIFSIGNALED(status))
        snprintf(words, size, "ends by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(words, size, "ends with exit code %d", WEXITSTATUS(status));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 && progress->finished ? 0 : -1;
}

static void input_save(const struct plan *plan, const struct progress *progress)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s-%016" PRIx64, plan->folder, plan->name,
             fuzz_choice(progress->data, progress->size));
    FILE *to = fopen(path, "wbe");
    const bool written = to && fwrite(progress->data, 1, progress->size, to) == progress->size;
    if (!to || fclose(to) != 0 || !written)
        fprintf(stderr, "%s: cannot write %s: %s\n", plan->name, path, strerror(errno));
    else
        fprintf(stderr, "%s: the input is in %s\n", plan->name, path);
}

static void failure_tell(const struct plan *plan, const struct progress *progress,
                         const char *words)
{
    if (progress->finished)
        fprintf(stderr, "%s: after all executions it %s\n", plan->name, words);
    else if (progress->mutates)
        fprintf(stderr, "%s: %s; again: -s %" PRIu64 " -f %" PRIu64 " and the same files\n",
                plan->name, words, plan->seed, progress->number);
    else if (progress->number < plan->file_count)
        fprintf(stderr, "%s: %s: %s\n", plan->name, plan->files[progress->number].path, words);
    if (!progress->finished)
        input_save(plan, progress);
}

static int plan_run(const struct plan *plan)
{
    struct progress *progress =
        mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char words[100];
    if (progress == MAP_FAILED)
        give_up("no memory", plan->name);
    const int64_t start_ms = now_ms();
    const pid_t pid = fork();
    if (pid < 0)
        give_up("cannot fork", plan->name);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        child_work(plan, progress);
        exit(0); /* which looks for leaks, under a sanitizer */
    }
    const int r = child_wait(pid, progress, words, sizeof(words));
    if (r < 0)
        failure_tell(plan, progress, words);
    const uint64_t executions = atomic_load(&progress->executions);
    const int64_t took_ms = now_ms() - start_ms + 1;
    printf("%s: seed %" PRIu64 ", %" PRIu64 " executions in %" PRId64 ".%" PRId64 " s, %" PRIu64
           " a second; %" PRIu64 " taken by a fast path\n",
           plan->name, plan->seed, executions, took_ms / 1000, took_ms / 100 % 10,
           executions * 1000 / (uint64_t)took_ms, progress->taken);
    munmap(progress, sizeof(*progress));
    return r < 0 ? 1 : 0;
}

static uint64_t number_of(const char *text)
{
    char *end;
    errno = 0;
    const uint64_t number = strtoull(text, &end, 10);
    if (errno || end == text || *end || text[0] == '-') {
        fprintf(stderr, "%s: not a number\n", text);
        exit(2);
    }
    return number;
}

int main(int argc, char **argv)
{
    struct plan plan = {.seed = 1, .only = UINT64_MAX, .folder = "."};
    const char *slash = strrchr(argv[0], '/');
    int option;
    plan.name = slash ? slash + 1 : argv[0];
    while ((option = getopt(argc, argv, "n:t:s:f:o:")) != -1) {
        if (option == '?')
            return 2;
        if (option == 'o')
            plan.folder = optarg;
        else if (option == 'n')
            plan.count = number_of(optarg);
        else if (option == 't')
            plan.seconds = (int64_t)number_of(optarg) % 10000000;
        else if (option == 's')
            plan.seed = number_of(optarg);
        else
            plan.only = number_of(optarg);
    }
    if (plan.seconds > 0 && plan.count == 0)
        plan.count = UINT64_MAX;
    plan.files = calloc(SEEDS_MAX + 1, sizeof(*plan.files));
    if (!plan.files)
        give_up("no memory", plan.name);
    for (; optind < argc; optind++)
        files_add(&plan, argv[optind]);
    if (plan.file_count == 0) {
        fprintf(stderr, "%s: no files\n", plan.name);
        return 2;
    }
    setenv("CMOCKA_TEST_ABORT", "1", 1); /* there is no test around the checks */
    const int r = plan_run(&plan);
    files_free(&plan);
    return r;
}
