/* main.c: the program thumbpool. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include <pool/pool.h>

#include "bench_priv.h"
#include "console_priv.h"
#include "one_priv.h"
#include "options_priv.h"
#include "run_priv.h"
#include "signals_priv.h"
#include "text_priv.h"
#include "thumb_task_priv.h"
#include "thumb_worker_priv.h"
#include "version_priv.h"

static const struct pool_task task_list[] = {{THUMB_TASK, thumb_task_run},
                                             {THUMB_PREPARE, thumb_prepare_run},
                                             {THUMB_CONFINEMENT, thumb_confinement_run}};
static const struct pool_tasks tasks = {task_list, sizeof(task_list) / sizeof(task_list[0])};

static int complain(const char *words)
{
    console_complain(words);
    return EXIT_CANNOT_GO_ON;
}

/* --help and --version. */
static int print_text(enum options_action action, enum options_action command)
{
    struct console console = {0};
    struct text text = TEXT_INIT;
    if (action == OPTIONS_HELP)
        options_help(&text, command);
    else
        version_describe(&text);
    if (text_failed(&text))
        console.out_error = -ENOMEM;
    console_out(&console, &text);
    text_done(&text);
    if (console.out_error == -EPIPE)
        return EXIT_SIGNAL_BASE + SIGPIPE;
    return console.out_error == 0 ? 0 : complain(strerror(-console.out_error));
}

static int carry_out(const struct options *options)
{
    switch (options->action) {
    case OPTIONS_RUN:
        return run_paths(options);
    case OPTIONS_ONE:
        return one_make(options);
    case OPTIONS_BENCH:
        return bench_run(options);
    case OPTIONS_HELP:
    case OPTIONS_VERSION:
        break;
    }
    return print_text(options->action, options->command);
}

int main(int argc, char **argv)
{
    struct options options;
    struct text message = TEXT_INIT;
    int r = pool_main(argc, argv, &tasks);
    if (r == 0)
        r = console_open_missing();
    if (r == 0)
        r = signals_install();
    if (r < 0)
        return complain(strerror(-r));
    r = options_parse(argc, argv, &options, &message);
    if (r < 0) {
        complain(r == -EINVAL ? text_string(&message) : strerror(-r));
        text_done(&message);
        return r == -EINVAL ? EXIT_USAGE : EXIT_CANNOT_GO_ON;
    }
    const int exit_code = carry_out(&options);
    options_done(&options);
    text_done(&message);
    return exit_code;
}
