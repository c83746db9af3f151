/* word_count: document 000, section 5.1: a large amount of data is cut into chunks, the chunks are
 * worked on in parallel, and what comes of them is put together.
 *
 *     chunk_size = len(data) // multiprocessing.cpu_count()
 *     data_chunks = [data[i:i + chunk_size] for i in range(0, len(data), chunk_size)]
 *     with multiprocessing.Pool(processes=multiprocessing.cpu_count()) as pool:
 *         processed_results = pool.map(process_data, data_chunks)
 *     final_result = merge_and_summarize(processed_results)
 *
 * The document's cut leaves a remainder, which becomes one chunk more than there are processes: it
 * is tiny, yet costs a round of its own; and with less data than processes, chunk_size is 0 and
 * range() raises an error. pool_split() has neither flaw. Four parts for each worker make up for
 * parts that take longer than others. A cut may also go through the middle of a word: here a word
 * belongs to the part in which it begins.
 *
 * Not the data travels but a descriptor of the file, and two numbers: the worker maps the file and
 * reads its part. Should the file shrink meanwhile, the worker dies of SIGBUS, and this program
 * does not.
 *
 * Usage: word_count [FILE]. Without FILE it makes a text of its own, which is gone afterwards:
 *
 *     $ word_count
 *     25165825 bytes in 8 parts for 2 workers (the document: 3 chunks)
 *       479483 the
 *       240120 of
 *       ...
 *     5030529 words, 13522 of them different
 *     same as a single pass: yes
 *     single pass 0.095 s, pool 0.076 s: 1.25 times as fast */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sample.h"
#include "word_table.h"
#include "zipf_text.h"

enum { TEXT_BYTES = 24 << 20, PARTS_PER_WORKER = 4, TOP = 10 };

static int open_file(const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* The whole file, or NULL if it is empty. The caller unmaps it. */
static int map_file(int fd, const char **ret_text, size_t *ret_size)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    void *text = NULL;
    if (st.st_size > 0)
        text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (text == MAP_FAILED)
        return -errno;
    *ret_text = text;
    *ret_size = (size_t)st.st_size;
    return 0;
}

static void unmap_file(const char *text, size_t size)
{
    if (text)
        munmap((void *)(uintptr_t)text, size);
}

/* The result of a part: each word as its count, its length, and its letters. */
static int write_words(struct pool_call *call, const struct word_table *words)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < words->room; i++) {
        const struct word *word = &words->slots[i];
        const uint64_t head[2] = {word->count, word->length};
        if (word->text && (r = pool_call_write(call, head, sizeof(head))) == 0)
            r = pool_call_write(call, word->text, word->length);
    }
    return r;
}

/* process_data(data_chunk): runs in a worker. Its field is the part, its descriptor the file. */
static int count_words(struct pool_call *call)
{
    const struct pool_bytes field = pool_call_field(call, 0);
    struct word_table words = {0};
    struct pool_range part;
    const char *text = NULL;
    size_t size = 0;

    if (field.size_bytes != sizeof(part))
        return pool_call_fail(call, -EINVAL, "a part is expected");
    memcpy(&part, field.data, sizeof(part));
    int r = map_file(pool_call_fd(call, 0), &text, &size);
    if (r < 0)
        return pool_call_fail(call, r, "the file cannot be mapped: %s", strerror(-r));
    if (part.first > size || part.count > size - part.first)
        r = pool_call_fail(call, -ESPIPE, "the file has become shorter");
    else
        r = word_table_count(&words, text, size, part.first, part.first + part.count);
    if (r == 0)
        r = write_words(call, &words);
    word_table_done(&words);
    unmap_file(text, size);
    return r;
}

static const struct pool_task list[] = {{"count_words", count_words}};
static const struct pool_tasks tasks = {list, 1};

/* merge_and_summarize(): one part's words are added to all. */
static void merge(struct word_table *words, struct pool_bytes value)
{
    const char *at = value.data;
    uint64_t head[2];
    for (size_t left = value.size_bytes; left > 0; left -= sizeof(head) + head[1]) {
        memcpy(head, at, sizeof(head));
        must(word_table_add(words, at + sizeof(head), head[1], head[0]), "merge");
        at += sizeof(head) + head[1];
    }
}

/* The file's words, counted by a pool. Says how it was cut. */
static void count_in_pool(int fd, size_t size, struct word_table *words)
{
    struct pool_options options = POOL_OPTIONS_INIT; /* Pool(processes=cpu_count()) */
    struct pool *pool;
    struct pool_results *results;
    options.tasks = &tasks;
    must(pool_create(&options, &pool), "pool");
    const size_t workers = pool_workers(pool), count = PARTS_PER_WORKER * workers;
    struct pool_range *parts = calloc(count, sizeof(*parts));
    struct pool_bytes *fields = calloc(count, sizeof(*fields));
    struct pool_item *items = calloc(count, sizeof(*items));
    int *fds = calloc(count, sizeof(*fds));
    must(parts && fields && items && fds ? 0 : -ENOMEM, "parts");
    for (size_t i = 0; i < count; i++) {
        parts[i] = pool_split(size, count, i);
        fields[i] = (struct pool_bytes){&parts[i], sizeof(parts[i])};
        fds[i] = fcntl(fd, F_DUPFD_CLOEXEC, 0); /* the pool takes one for each item */
        must(fds[i] < 0 ? -errno : 0, "descriptor");
        items[i] = (struct pool_item){&fields[i], 1, &fds[i], 1, NULL};
    }
    must(pool_map(pool, "count_words", items, count, NULL, &results), "map");
    for (size_t i = 0; i < count; i++) {
        struct pool_bytes value;
        must(pool_future_result(pool_results_at(results, i), -1, &value), "count_words");
        merge(words, value);
    }
    const size_t chunk = size / workers;
    printf("%zu bytes in %zu parts for %zu workers (the document: ", size, count, workers);
    if (chunk > 0)
        printf("%zu chunks)\n", (size + chunk - 1) / chunk);
    else
        printf("ValueError)\n");
    pool_results_free(results);
    free(fds);
    free(items);
    free(fields);
    free(parts);
    pool_free(pool);
}

int main(int argc, char **argv)
{
    struct word_table once = {0}, pooled = {0};
    const char *text = NULL, *name = argc > 1 ? argv[1] : "text";
    size_t size = 0;

    must(pool_main(argc, argv, &tasks), "pool_main"); /* if __name__ == "__main__": */
    const int fd = argc > 1 ? open_file(argv[1]) : zipf_text_make(TEXT_BYTES);
    must(fd, name);
    must(map_file(fd, &text, &size), name);
    if (text) /* both shall find it in memory */
        madvise((void *)(uintptr_t)text, size, MADV_POPULATE_READ);

    double start = now_s();
    must(word_table_count(&once, text, size, 0, size), "count");
    const double once_s = now_s() - start;
    start = now_s();
    count_in_pool(fd, size, &pooled);
    const double pooled_s = now_s() - start;

    const bool same = word_table_equal(&once, &pooled);
    word_table_sort(&pooled);
    for (size_t i = 0; i < TOP && i < pooled.used; i++)
        printf("%8llu %.*s\n", (unsigned long long)pooled.slots[i].count,
               (int)pooled.slots[i].length, pooled.slots[i].text);
    printf("%llu words, %zu of them different\n", (unsigned long long)pooled.total, pooled.used);
    printf("same as a single pass: %s\n", same ? "yes" : "no");
    printf("single pass %.3f s, pool %.3f s: %.2f times as fast\n", once_s, pooled_s,
           once_s / pooled_s);
    word_table_done(&once);
    word_table_done(&pooled);
    unmap_file(text, size);
    close(fd);
    return same ? EXIT_SUCCESS : EXIT_FAILURE;
}
