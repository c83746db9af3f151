/* bench_example.c: see bench_example_priv.h. */
#include "bench_example_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "signals_priv.h"

#define MAKER        "make_photos"
#define MAKER_SIZE   "1024x768"
#define WAIT_STEP_NS 20000000

/* One task a picture, and a pool that maps over a list of all: as the documents have it. */
static const char python_program[] =
    "import os, sys\n"
    "from multiprocessing import Pool\n"
    "from PIL import Image\n"
    "folder, output = sys.argv[1], sys.argv[2]\n"
    "box = int(sys.argv[3]), int(sys.argv[4])\n"
    "def make(path):\n"
    "    try:\n"
    "        with Image.open(path) as picture:\n"
    "            picture.thumbnail(box, Image.LANCZOS)\n"
    "            picture.save(os.path.join(output, os.path.basename(path)))\n"
    "    except OSError:\n"
    "        pass\n"
    "if __name__ == '__main__':\n"
    "    names = [name for name in os.listdir(folder) if name.endswith(('jpeg', 'jpg'))]\n"
    "    with Pool(int(sys.argv[5])) as pool:\n"
    "        pool.map(make, [os.path.join(folder, name) for name in names])\n";

/* ---- Other programs ------------------------------------------------------------------------- */

/* Returns 0 when it has ended well, -EIO when not. */
static int wait_for(pid_t pid)
{
    const struct timespec step = {.tv_nsec = WAIT_STEP_NS};
    bool told = false;
    for (;;) {
        int status;
        const pid_t ended = waitpid(pid, &status, told ? 0 : WNOHANG);
        if (ended == pid)
            return told ? -EINTR : WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
        if (ended < 0 && errno != EINTR)
            return -errno;
        if (signals_caught() && !told) {
            kill(-pid, SIGKILL); /* it leads a group of its own: its workers too */
            told = true;
        } else if (ended == 0) {
            nanosleep(&step, NULL);
        }
    }
}

/* Signals that this program waits for are no business of its children, and do as they always do
 * there. One that leads a group of its own is not reached by a Ctrl-C: so that it does not go on
 * when we are killed, and disturb what is measured next, it dies with us. */
_Noreturn static void become(const char *program, const char *const *words, pid_t parent)
{
    sigset_t none;
    const int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    bool ready = nowhere >= 0;
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL); /* for some it cannot be said */
    sigemptyset(&none);
    for (int fd = 0; ready && fd <= 2; fd++)
        ready = dup2(nowhere, fd) == fd;
    if (ready && setpgid(0, 0) == 0 && sigprocmask(SIG_SETMASK, &none, NULL) == 0 &&
        prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent)
        execvp(program, (char *const *)words);
    _exit(127);
}

/* Start a program with its output going nowhere, and wait. There are no threads here. */
static int run_program(const char *program, const char *const *words)
{
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0)
        become(program, words, parent);
    setpgid(pid, pid); /* whoever is first */
    return wait_for(pid);
}

/* ---- The pictures --------------------------------------------------------------------------- */

/* Beside this program, or where the build puts the samples. */
static bool find_maker(struct text *path)
{
    static const char *const places[] = {"/" MAKER, "/bin/" MAKER, "/../bin/" MAKER};
    char self[4096];
    const ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (length <= 0 || (size_t)length >= sizeof(self) - 1)
        return false;
    self[length] = '\0';
    const char *folder = dirname(self);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        text_cut(path, 0);
        text_printf(path, "%s%s", folder, places[i]);
        if (!text_failed(path) && access(path->data, X_OK) == 0)
            return true;
    }
    return false;
}

int bench_example_pictures(const char *parent, struct text *folder, struct text *reterr_message)
{
    struct text maker = TEXT_INIT;
    char count[16];
    int r = -ENOENT;
    text_cut(folder, 0);
    text_printf(folder, "%s/pictures", parent);
    snprintf(count, sizeof(count), "%d", BENCH_EXAMPLE_COUNT);
    if (text_failed(folder)) {
        r = -ENOMEM;
    } else if (find_maker(&maker)) {
        const char *const words[] = {maker.data, "--count", count,        "--size",
                                     MAKER_SIZE, "--flat",  folder->data, NULL};
        r = run_program(maker.data, words);
    } else {
        text_puts(reterr_message,
                  "--example: the program " MAKER " is not beside this one; it is in bin/ of a "
                  "build of thumbpool's sources, and 'thumbpool bench --example PATH' takes "
                  "pictures that it has made elsewhere");
    }
    text_done(&maker);
    return r;
}

/* ---- Python --------------------------------------------------------------------------------- */

const char *bench_python_find(void)
{
    static const char *const pythons[] = {"python3", "/usr/bin/python3"};
    for (size_t i = 0; i < sizeof(pythons) / sizeof(pythons[0]); i++) {
        const char *const words[] = {pythons[i], "-c", "import multiprocessing, PIL.Image", NULL};
        if (run_program(words[0], words) == 0)
            return pythons[i];
    }
    return NULL;
}

int bench_python(const char *python, const char *folder, const char *output,
                 const struct options *options, unsigned workers)
{
    char numbers[3][16];
    snprintf(numbers[0], sizeof(numbers[0]), "%u", options->box_width_px);
    snprintf(numbers[1], sizeof(numbers[1]), "%u", options->box_height_px);
    snprintf(numbers[2], sizeof(numbers[2]), "%u", workers);
    const char *const words[] = {python,     "-c",       python_program, folder, output,
                                 numbers[0], numbers[1], numbers[2],     NULL};
    return run_program(words[0], words);
}
