/* scaling_csv.c: what was measured, as lines of comma-separated values: for plots, and to make the
 * report from it again. Lines of the backend "none" are the plain loop's, and "cores" says on how
 * many all was measured. Comments begin with '#'. */
#include "scaling.h"

#include <errno.h>
#include <string.h>

#define LINE_BYTES 256

static const char head[] = "backend,kind,mode,pools,workers,length_us,tasks,rounds,wall_us,"
                           "supervisor_us,submitter_us,workers_us";
static const char *const backend_words[] = {"process", "thread", "serial"};
static const char *const kind_words[SCALING_KINDS] = {"compute", "wait"};
static const char *const mode_words[SCALING_MODES] = {"one", "chunk16", "default", "picture"};

void scaling_csv_write(FILE *out, const struct scaling_cell *cells, size_t count, unsigned cores,
                       const struct scaling_plain *plain, const unsigned *lengths_us,
                       size_t length_count)
{
    fprintf(out, "%s\ncores,,,,%u,,,,,,,\n", head, cores);
    for (size_t i = 0; i < length_count * SCALING_KINDS; i++)
        fprintf(out, "none,%s,,,1,%u,,,%.4f,0,%.4f,0\n", kind_words[i % SCALING_KINDS],
                lengths_us[i / SCALING_KINDS], plain[i].wall * 1e6, plain[i].processor * 1e6);
    for (size_t i = 0; i < count; i++) {
        const struct scaling_cell *cell = &cells[i];
        const struct scaling_costs *costs = &cell->costs;
        if (cell->rounds > 0)
            fprintf(out, "%s,%s,%s,%u,%u,%u,%zu,%u,%.4f,%.4f,%.4f,%.4f\n",
                    backend_words[cell->backend], kind_words[cell->kind], mode_words[cell->mode],
                    cell->pools, cell->workers, cell->length_us, cell->tasks, cell->rounds,
                    costs->wall * 1e6, costs->supervisor * 1e6, costs->submitter * 1e6,
                    costs->workers * 1e6);
    }
}

/* The index of a word; count if it is none of them. */
static unsigned word_index(const char *const *words, unsigned count, const char *word)
{
    unsigned i = 0;
    while (i < count && strcmp(words[i], word) != 0)
        i++;
    return i;
}

static int read_plain(const char *line, struct scaling_plain *plain, const unsigned *lengths_us,
                      size_t length_count)
{
    char kind[16];
    unsigned length_us;
    double wall_us, processor_us;
    if (sscanf(line, "none,%15[a-z],,,1,%u,,,%lf,0,%lf,0", kind, &length_us, &wall_us,
               &processor_us) != 4)
        return -EBADMSG;
    const unsigned index = word_index(kind_words, SCALING_KINDS, kind);
    for (size_t i = 0; index < SCALING_KINDS && i < length_count; i++)
        if (lengths_us[i] == length_us) {
            plain[i * SCALING_KINDS + index] =
                (struct scaling_plain){wall_us * 1e-6, processor_us * 1e-6};
            return 0;
        }
    return -EBADMSG;
}

static int read_cell(const char *line, struct scaling_cell *ret_cell)
{
    char backend[16], kind[16], mode[16];
    struct scaling_cell cell = {0};
    struct scaling_costs *costs = &cell.costs;
    if (sscanf(line, "%15[a-z],%15[a-z],%15[a-z0-9],%u,%u,%u,%zu,%u,%lf,%lf,%lf,%lf", backend, kind,
               mode, &cell.pools, &cell.workers, &cell.length_us, &cell.tasks, &cell.rounds,
               &costs->wall, &costs->supervisor, &costs->submitter, &costs->workers) != 12)
        return -EBADMSG;
    const unsigned backend_index = word_index(backend_words, 3, backend);
    const unsigned kind_index = word_index(kind_words, SCALING_KINDS, kind);
    const unsigned mode_index = word_index(mode_words, SCALING_MODES, mode);
    if (backend_index == 3 || kind_index == SCALING_KINDS || mode_index == SCALING_MODES ||
        cell.pools < 1 || cell.workers < 1 || cell.tasks < 1 || !(costs->wall > 0))
        return -EBADMSG;
    cell.backend = (enum pool_backend)backend_index;
    cell.kind = (enum scaling_kind)kind_index;
    cell.mode = (enum scaling_mode)mode_index;
    costs->wall *= 1e-6;
    costs->supervisor *= 1e-6;
    costs->submitter *= 1e-6;
    costs->workers *= 1e-6;
    *ret_cell = cell;
    return 0;
}

int scaling_csv_read(FILE *in, struct scaling_cell *cells, size_t room, unsigned *ret_cores,
                     struct scaling_plain *plain, const unsigned *lengths_us, size_t length_count)
{
    char line[LINE_BYTES];
    size_t count = 0;
    int r = 0;
    while (r == 0 && fgets(line, sizeof(line), in)) {
        if (line[0] == '#' || strncmp(line, head, strlen(head)) == 0)
            continue;
        if (strncmp(line, "cores,", 6) == 0)
            r = sscanf(line, "cores,,,,%u,", ret_cores) == 1 && *ret_cores > 0 ? 0 : -EBADMSG;
        else if (strncmp(line, "none,", 5) == 0)
            r = read_plain(line, plain, lengths_us, length_count);
        else if (count == room)
            r = -ENOSPC;
        else {
            r = read_cell(line, &cells[count]);
            count += r == 0;
        }
    }
    if (r == 0 && (ferror(in) || count == 0))
        r = -EBADMSG;
    return r < 0 ? r : (int)count;
}
