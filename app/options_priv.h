/* options_priv.h: the command line.
 *
 * One table (option_rows_priv.h) says what every option is called, takes, means and does; parsing,
 * --help, the manual page and the completions of shells come from it. */
#ifndef APP_OPTIONS_PRIV_H
#define APP_OPTIONS_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <imaging/imaging.h>
#include <pool/pool.h>

#include "text_priv.h"

enum when { WHEN_AUTO, WHEN_ALWAYS, WHEN_NEVER };

enum options_action { OPTIONS_RUN, OPTIONS_ONE, OPTIONS_BENCH, OPTIONS_HELP, OPTIONS_VERSION };

/** What happens to a thumbnail that is there already. */
enum overwrite {
    OVERWRITE_CHANGED, /* made anew unless it was made from the same state by the same settings */
    OVERWRITE_NEVER,
    OVERWRITE_ALWAYS
};

/** So many numbers of workers can be chosen for a bench. */
#define OPTIONS_WORKERS_MAX 16

/** One --include or --exclude, in the order of the command line. */
struct options_glob {
    const char *pattern; /* borrowed from argv */
    bool include;
};

/** What only "bench" has. */
struct options_bench {
    unsigned runs; /* 0: the default */
    unsigned warmup;
    bool has_warmup;
    bool cold;
    bool example;
    bool csv;
    bool without_threads;
    bool without_processes;
    unsigned workers[OPTIONS_WORKERS_MAX]; /* worker_count of them; 0: the default ones */
    size_t worker_count;
    const char *html; /* NULL: none */
    const char *svg;
};

struct measured;

struct options {
    enum options_action action;
    enum options_action command; /* none of the last two: also with --help and --version */
    const char *output; /* NULL: a folder "thumbs" inside each folder, or beside each file */
    uint32_t box_width_px;
    uint32_t box_height_px;
    bool size_given;
    enum img_format format; /* IMG_FORMAT_UNKNOWN: auto */
    int quality;
    enum img_fit fit;
    uint8_t background[3]; /* R, G, B */
    bool enlarge;
    unsigned jobs; /* 0: one for each CPU this process may use */
    enum pool_backend backend;
    unsigned max_depth;         /* 0: no limit; 1: only what lies directly in a folder PATH */
    struct options_glob *globs; /* owned */
    size_t glob_count;
    const char *files_from; /* "-": standard input; NULL: none */
    bool null;              /* its paths end in NUL, not in newline */
    bool hidden;
    bool follow;
    bool dry_run;
    enum overwrite overwrite;
    const char *name; /* template of the thumbnails' names; NULL: the default */
    bool prune;
    int timeout_ms; /* 0: no limit */
    uint64_t pixels_max;
    uint64_t memory_bytes; /* of a worker; 0: no limit */
    enum img_fail_on fail_on;
    bool fast;
    bool no_sandbox;
    bool retry_failed;
    bool sync;
    bool json;
    enum when progress;
    enum when color;
    bool quiet;
    bool verbose;
    const char **paths; /* owned array of borrowed strings, OPTIONS_RUN: at least one, or
                         * files_from; OPTIONS_ONE: INPUT and OUTPUT */
    size_t path_count;
    struct options_bench bench;
    char *const *words; /* the whole command line, borrowed; NULL at its end */

    /* Not from the command line: sums up what a run does, which then says nothing itself; borrowed.
     * NULL: it is no measurement. */
    struct measured *measured;
};

/** Read the command line.
 *  argv: borrowed for as long as *ret_options is used.
 *  ret_options: release with options_done().
 *  reterr_message: on -EINVAL one line for the user, without the program's name, safe to show.
 *  Returns 0, -EINVAL (usage) or -ENOMEM. */
int options_parse(int argc, char **argv, struct options *ret_options, struct text *reterr_message);

void options_done(struct options *options);

/** The text of --help.  command: OPTIONS_RUN, OPTIONS_ONE or OPTIONS_BENCH, whose help it is. */
void options_help(struct text *text, enum options_action command);

/** The backend's name on the command line: static storage. */
const char *options_backend_name(enum pool_backend backend);

#endif
