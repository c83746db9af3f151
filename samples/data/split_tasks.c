/* split_tasks: document 003, section 3.1.1: cutting so many items into tasks.
 *
 *     def split_tasks(total_items, num_processes):
 *         items_per_process = max(total_items // num_processes, 1)
 *         tasks = []
 *         start = 0
 *         for i in range(num_processes):
 *             end = start + items_per_process
 *             tasks.append((start, end))
 *             start = end
 *
 * This loses the remainder, and with fewer items than processes it makes tasks of items that do not
 * exist. pool_split() does neither: its parts cover everything, and their sizes differ by at most
 * one. Prints what both make of some sizes, and then sums up the numbers of the items in a pool
 * with either cut:
 *
 *     $ split_tasks
 *     10 items in 3 parts
 *       document:   0-2 3-5 6-8 (1 lost)
 *       pool_split: 0-3 4-6 7-9
 *     ...
 *     sum of 0 .. 1002 in 4 tasks
 *       document:   499500
 *       pool_split: 502503
 *       one loop:   502503 */
#include "sample.h"

enum { PARTS_MAX = 8 };

typedef struct pool_range (*split_fn)(size_t total, size_t parts, size_t index);

static struct pool_range document_split(size_t total, size_t parts, size_t index)
{
    const size_t each = total / parts > 1 ? total / parts : 1;
    return (struct pool_range){index * each, each};
}

/* The task: runs in a worker. Its field is a range of items; its result is their sum. */
static int sum_up(struct pool_call *call)
{
    const struct pool_bytes field = pool_call_field(call, 0);
    struct pool_range part;
    int sum = 0;
    if (field.size_bytes != sizeof(part))
        return pool_call_fail(call, -EINVAL, "a range is expected");
    memcpy(&part, field.data, sizeof(part));
    for (size_t item = part.first; item < part.first + part.count; item++)
        sum += (int)item;
    return pool_call_write(call, &sum, sizeof(sum));
}

static const struct pool_task list[] = {{"sum_up", sum_up}};
static const struct pool_tasks tasks = {list, 1};

static void show_split(const char *name, size_t total, size_t parts, split_fn split)
{
    size_t covered = 0, beyond = 0;
    printf("  %-11s", name);
    for (size_t i = 0; i < parts; i++) {
        const struct pool_range part = split(total, parts, i);
        if (part.count > 0)
            printf(" %zu-%zu", part.first, part.first + part.count - 1);
        else
            printf(" none");
        for (size_t item = part.first; item < part.first + part.count; item++) {
            covered += item < total;
            beyond += item >= total;
        }
    }
    if (covered < total)
        printf(" (%zu lost)", total - covered);
    if (beyond > 0)
        printf(" (%zu that do not exist)", beyond);
    printf("\n");
}

static void show_sum(struct pool *pool, const char *name, size_t total, size_t count,
                     split_fn split)
{
    struct pool_range parts[PARTS_MAX];
    struct pool_results *results;
    int sum = 0;
    for (size_t i = 0; i < count; i++)
        parts[i] = split(total, count, i);
    const struct pool_sequence sequence = {parts, sizeof(parts[0]), count};
    must(pool_map_sequences(pool, "sum_up", &sequence, 1, NULL, &results), "map");
    for (size_t i = 0; i < count; i++)
        sum += int_result(pool_results_at(results, i));
    printf("  %-11s %d\n", name, sum);
    pool_results_free(results);
}

int main(int argc, char **argv)
{
    static const size_t sizes[][2] = {{10, 3}, {12, 4}, {3, 5}, {1003, 4}};
    enum { SUM_TOTAL = 1003, SUM_PARTS = 4 };
    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *pool;
    int sum = 0;

    must(pool_main(argc, argv, &tasks), "pool_main");
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        printf("%zu items in %zu parts\n", sizes[i][0], sizes[i][1]);
        show_split("document:", sizes[i][0], sizes[i][1], document_split);
        show_split("pool_split:", sizes[i][0], sizes[i][1], pool_split);
    }

    options.workers = SUM_PARTS;
    options.tasks = &tasks;
    must(pool_create(&options, &pool), "pool");
    printf("sum of 0 .. %d in %d tasks\n", SUM_TOTAL - 1, SUM_PARTS);
    show_sum(pool, "document:", SUM_TOTAL, SUM_PARTS, document_split);
    show_sum(pool, "pool_split:", SUM_TOTAL, SUM_PARTS, pool_split);
    for (int item = 0; item < SUM_TOTAL; item++)
        sum += item;
    printf("  %-11s %d\n", "one loop:", sum);
    pool_free(pool);
    return EXIT_SUCCESS;
}
