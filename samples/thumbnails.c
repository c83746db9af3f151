/* thumbnails: the documents' own example. Every picture of a folder whose name says "jpeg" is made
 * into a thumbnail of 75x75 in the folder's subfolder `thumbs`, by pool map:
 *
 *     pool = Pool()
 *     pool.map(create_thumbnail, images)
 *     pool.close()
 *     pool.join()
 *
 * Usage: thumbnails [--compare] FOLDER. Prints how many were made and how long it took; --compare
 * makes them once more before that, one after the other in this process:
 *
 *     $ thumbnails --compare photos
 *     serial: 6000 thumbnails in photos/thumbs, 0 failed, 17.8 s
 *     pool of 2: 6000 thumbnails in photos/thumbs, 0 failed, 11.2 s: 1.58 times as fast
 *
 * (Two CPUs that had other work beside it.)
 *
 * It is short because it trusts its folder. The program `thumbpool` is the careful version.
 */
#include <dirent.h>
#include <fcntl.h>
#include <imaging/imaging.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sample.h"

enum { SIZE = 75 };
static const char SAVE_DIRECTORY[] = "thumbs";

/* The whole file, or NULL. The caller frees it. */
static uint8_t *read_file(const char *path, size_t *ret_size)
{
    FILE *file = fopen(path, "rbe");
    struct stat st;
    uint8_t *data = NULL;
    if (file && fstat(fileno(file), &st) == 0 && (data = malloc((size_t)st.st_size + 1)))
        *ret_size = fread(data, 1, (size_t)st.st_size, file);
    if (file)
        fclose(file);
    return data;
}

static int write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wbe");
    if (!file)
        return -errno;
    size_t wrote = fwrite(data, 1, size, file);
    if (fclose(file) != 0 || wrote != size)
        return -EIO;
    return 0;
}

static void free_context(void *context)
{
    img_context_free(context);
}

/* The task: runs in a worker process. Its fields are the folder and the file's name. */
static int create_thumbnail(struct pool_call *call)
{
    const char *folder = pool_call_field(call, 0).data, *name = pool_call_field(call, 1).data;
    struct img_context *context = pool_call_local(call); /* one a worker, kept between tasks */
    struct img_options options = IMG_OPTIONS_INIT;
    struct img_thumbnail thumbnail;
    struct img_error error;
    char path[4096];
    size_t size = 0;

    if (!context) {
        if (img_context_create(&context) < 0)
            return -ENOMEM;
        pool_call_set_local(call, context, free_context);
    }
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    uint8_t *data = read_file(path, &size);
    if (!data)
        return pool_call_fail(call, -EIO, "%s: cannot be read", path);
    options.box_width_px = options.box_height_px = SIZE;
    options.format = IMG_FORMAT_JPEG;
    int r = img_thumbnail(context, data, size, &options, &thumbnail, &error);
    free(data);
    if (r < 0)
        return pool_call_fail(call, r, "%s: %s", path, error.message);
    snprintf(path, sizeof(path), "%s/%s/%s", folder, SAVE_DIRECTORY, name);
    r = write_file(path, thumbnail.data, thumbnail.size_bytes);
    return r < 0 ? pool_call_fail(call, r, "%s: cannot be written", path) : 0;
}

static const struct pool_task list[] = {{"create_thumbnail", create_thumbnail}};
static const struct pool_tasks tasks = {list, 1};

static int is_jpeg(const struct dirent *entry)
{
    return strstr(entry->d_name, "jpeg") != NULL;
}

/* Returns how many failed. */
static int make_thumbnails(struct pool *pool, const char *folder, struct dirent **images, int count)
{
    struct pool_bytes(*fields)[2] = calloc((size_t)count + 1, sizeof(*fields));
    struct pool_item *items = calloc((size_t)count + 1, sizeof(*items));
    struct pool_results *results;
    int failed = 0;
    must(fields && items ? 0 : -ENOMEM, "the list of pictures");
    for (int i = 0; i < count; i++) {
        fields[i][0] = (struct pool_bytes){folder, strlen(folder) + 1};
        fields[i][1] = (struct pool_bytes){images[i]->d_name, strlen(images[i]->d_name) + 1};
        items[i] = (struct pool_item){.fields = fields[i], .field_count = 2};
    }
    must(pool_map(pool, "create_thumbnail", items, (size_t)count, NULL, &results), "map");
    for (size_t i = 0; i < pool_results_count(results); i++) {
        struct pool_error error;
        pool_future_error(pool_results_at(results, i), &error);
        if (error.code < 0) {
            fprintf(stderr, "%s\n", error.message);
            failed++;
        }
    }
    pool_results_free(results);
    free(items);
    free(fields);
    return failed;
}

/* All of them with one pool.  Returns how many failed.  ret_seconds: how long it took. */
static int run(enum pool_backend backend, const char *folder, struct dirent **images, int count,
               double *ret_seconds)
{
    struct pool_options options = POOL_OPTIONS_INIT; /* Pool(): as many processes as CPUs */
    struct pool *pool;
    const double start = now_s();
    options.backend = backend;
    must(pool_create(&options, &pool), "the pool");
    if (backend == POOL_BACKEND_SERIAL)
        printf("serial: ");
    else
        printf("pool of %u: ", pool_workers(pool));
    const int failed = make_thumbnails(pool, folder, images, count);
    pool_close(pool);
    pool_join(pool, -1);
    pool_free(pool);
    *ret_seconds = now_s() - start;
    printf("%d thumbnails in %s/%s, %d failed, %.1f s", count - failed, folder, SAVE_DIRECTORY,
           failed, *ret_seconds);
    return failed;
}

int main(int argc, char **argv)
{
    must(pool_main(argc, argv, &tasks), "pool_main"); /* if __name__ == '__main__': */
    const bool compare = argc == 3 && strcmp(argv[1], "--compare") == 0;
    if (argc != 2 + compare) {
        fprintf(stderr, "usage: thumbnails [--compare] FOLDER\n");
        return 2;
    }
    const char *folder = argv[1 + compare];
    char path[4096];
    struct dirent **images;
    double serial = 0, pooled = 0;
    snprintf(path, sizeof(path), "%s/%s", folder, SAVE_DIRECTORY);
    const int count = scandir(folder, &images, is_jpeg, alphasort);
    if (count < 0 || (mkdir(path, 0777) < 0 && errno != EEXIST)) {
        perror(folder);
        return EXIT_FAILURE;
    }
    if (compare) {
        run(POOL_BACKEND_SERIAL, folder, images, count, &serial);
        printf("\n");
    }
    const int failed = run(POOL_BACKEND_PROCESS, folder, images, count, &pooled);
    if (compare)
        printf(": %.2f times as fast", serial / pooled);
    printf("\n");
    for (int i = 0; i < count; i++)
        free(images[i]);
    free(images);
    return failed > 0;
}
