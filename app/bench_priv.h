/* bench_priv.h: the command "bench": the same pictures through several configurations, measured
 * and compared.
 *
 * A configuration is a way to do the whole job: find the files, read, decode, resample, encode, and
 * put the thumbnails into a folder. There is a plain loop without any pool (bench_loop_priv.h), the
 * reference; the program's own run with the serial backend, with threads and with processes; and
 * for the documents' example their Python program. Each is measured once in a round, in an order
 * that changes from round to round, so that what slows the machine down for a while hits all alike.
 *
 * bench.c measures, bench_analysis.c makes figures of the measurements, bench_verdict.c words of
 * the figures, and bench_table.c, bench_json.c, bench_chart.c and bench_page.c show them. */
#ifndef APP_BENCH_PRIV_H
#define APP_BENCH_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options_priv.h"
#include "statistics_priv.h"

enum bench_kind { BENCH_LOOP, BENCH_SERIAL, BENCH_THREAD, BENCH_PROCESS, BENCH_PYTHON };

/** What the workers' time goes into. WRITE is the host's; REST is what the workers' time has beside
 *  the first four: waiting for the next file, starting, walking where one thread does it all, and
 *  having nothing to do at the end. */
enum bench_stage {
    BENCH_READ,
    BENCH_DECODE,
    BENCH_RESAMPLE,
    BENCH_ENCODE,
    BENCH_WRITE,
    BENCH_REST,
    BENCH_STAGE_COUNT
};

/** One measurement of one configuration. */
struct bench_sample {
    double wall_s;
    double cpu_s;                      /* host and workers */
    double stage_s[BENCH_STAGE_COUNT]; /* over all files; all zero: not known */
    int64_t host_peak_bytes;           /* resident; -1: not known */
    int64_t worker_peak_bytes;         /* of the largest; -1: not known, or there is none */
    uint64_t made;
    uint64_t failed;
    uint64_t skipped;
    uint64_t source_bytes;  /* of what was made */
    uint64_t source_pixels; /* 0: not known */
    uint64_t warm;          /* files that were in memory for all that --cold did */
};

/** Three kinds of one worker, and two with each number of them. */
#define BENCH_CONFIGS_MAX (3 + 2 * OPTIONS_WORKERS_MAX)

struct bench_config {
    enum bench_kind kind;
    unsigned workers;
    struct bench_sample *samples; /* owned: one for each round */
};

struct bench_spread {
    double median;
    double low; /* the quartiles */
    double high;
};

/** What the measurements of one configuration say. */
struct bench_figures {
    bool compared; /* it has made as many thumbnails as the plain loop, in every round */
    bool steady;   /* as many in every round */
    struct bench_spread wall_s;
    struct bench_spread cpu_s;
    double files_per_s; /* of the median */
    double bytes_per_s;
    double pixels_per_s;
    struct estimate speedup;            /* over serial */
    struct estimate efficiency;         /* speed-up for each worker */
    struct estimate overhead_us;        /* processor time for each file, beyond the plain loop's */
    double stage_ms[BENCH_STAGE_COUNT]; /* for each file: medians */
    bool has_stages;
    int64_t host_peak_bytes; /* the largest; -1: not known */
    int64_t worker_peak_bytes;
};

/** Where it ran, and what. All strings are safe to show and end up in files: no control characters.
 */
struct bench_machine {
    unsigned cpus; /* that this process may use */
    uint64_t memory_bytes;
    struct text cpu;
    struct text system;
    struct text libraries; /* lines */
    struct text command;
    struct text job; /* size, fit, format */
    char date[32];   /* ISO 8601, UTC */
};

struct bench {
    const struct options *options;
    struct bench_machine machine;
    struct bench_config configs[BENCH_CONFIGS_MAX];
    struct bench_figures figures[BENCH_CONFIGS_MAX];
    size_t config_count;
    size_t rounds; /* that were measured */
    uint64_t seed; /* of the order */
};

/** Carry the command out.  options: as from options_parse(), of OPTIONS_BENCH.
 *  Returns the program's exit code. */
int bench_run(const struct options *options);

/* ---- Of configurations --------------------------------------------------------------------- */

/** "loop", "serial", "thread", "process", "python": static storage. */
const char *bench_kind_name(enum bench_kind kind);

/** "read" to "write", "dispatch": static storage. */
const char *bench_stage_name(enum bench_stage stage);

/** "plain loop", "thread with 2 workers", as it is shown. */
void bench_config_name(struct text *text, const struct bench_config *config);

/** The number of the configuration of that kind and number of workers; -1: there is none. */
int bench_find(const struct bench *bench, enum bench_kind kind, unsigned workers);

/* ---- Analysis (bench_analysis.c) ------------------------------------------------------------ */

#define BENCH_CONFIDENCE 0.95

/** Of fewer rounds nothing is told to be a difference. */
#define BENCH_ROUNDS_LEAST 5

/** How sure the intervals are. What so few rounds spread over is all that they can say: their
 *  middle is beyond it when all of them are on one side of it, so 3 rounds are 75 % sure. */
double bench_confidence(const struct bench *bench);

/** Make bench->figures of the samples of bench->rounds rounds, at least one. */
void bench_analyse(struct bench *bench);

/** How much longer, or shorter, one takes than another: wall time of a over that of b. */
struct estimate bench_compare(const struct bench *bench, size_t a, size_t b);

/** The quartiles' distance for the median, of wall time: 0.02 is 2 %. */
double bench_noise(const struct bench_figures *figures);

/* ---- Words (bench_verdict.c) ---------------------------------------------------------------- */

/** A sentence. Returns false after the last one; number: from 0. */
bool bench_verdict(const struct bench *bench, size_t number, struct text *text);

/* ---- Shown ---------------------------------------------------------------------------------- */

struct bench_look {
    unsigned width; /* columns */
    bool color;
    bool blocks; /* the terminal knows UTF-8 */
};

void bench_table(const struct bench *bench, const struct bench_look *look, struct text *text);

/** One object, one line. tests/bench/bench.schema.json says what is in it. */
void bench_json(const struct bench *bench, struct text *json);

/** A line of names, then one for each measurement. */
void bench_csv(const struct bench *bench, struct text *text);

/** The two charts as one picture that stands by itself. */
void bench_svg(const struct bench *bench, struct text *svg);

/** A page with the charts, the figures and what is needed to repeat it. */
void bench_page(const struct bench *bench, struct text *html);

/** Bytes as text of XML and HTML. */
void bench_escape(struct text *text, const char *string);

#endif
