/* thumbnails: the documents' own example. Every picture of a folder whose name says "jpeg" is made
 * into a thumbnail of 75x75 in the folder's subfolder `thumbs`, by pool map:
 *
 *     pool = Pool()
 *     pool.map(create_thumbnail, images)
 *     pool.close()
 *     pool.join()
 *
 * Usage: thumbnails FOLDER. Prints how many were made and how long it took:
 *
 *     $ thumbnails photos
 *     6000 thumbnails in photos/thumbs, 0 failed, 12.9 s
 *
 * It is short because it trusts its folder. The program `thumbpool` is the careful version. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <imaging/imaging.h>
#include <pool/pool.h>

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

static int make_thumbnails(struct pool *pool, const char *folder, struct dirent **images, int count)
{
    struct pool_bytes(*fields)[2] = calloc((size_t)count + 1, sizeof(*fields));
    struct pool_item *items = calloc((size_t)count + 1, sizeof(*items));
    struct pool_results *results = NULL;
    int failed = -1;
    for (int i = 0; fields && items && i < count; i++) {
        fields[i][0] = (struct pool_bytes){folder, strlen(folder) + 1};
        fields[i][1] = (struct pool_bytes){images[i]->d_name, strlen(images[i]->d_name) + 1};
        items[i] = (struct pool_item){.fields = fields[i], .field_count = 2};
    }
    if (fields && items &&
        pool_map(pool, "create_thumbnail", items, (size_t)count, NULL, &results) == 0) {
        failed = 0;
        for (size_t i = 0; i < pool_results_count(results); i++) {
            struct pool_error error;
            pool_future_error(pool_results_at(results, i), &error);
            if (error.code < 0) {
                fprintf(stderr, "%s\n", error.message);
                failed++;
            }
        }
    }
    pool_results_free(results);
    free(items);
    free(fields);
    return failed;
}

int main(int argc, char **argv)
{
    if (pool_main(argc, argv, &tasks) < 0) /* if __name__ == '__main__': */
        return EXIT_FAILURE;
    if (argc != 2) {
        fprintf(stderr, "usage: thumbnails FOLDER\n");
        return 2;
    }
    const char *folder = argv[1];
    char path[4096];
    struct dirent **images;
    snprintf(path, sizeof(path), "%s/%s", folder, SAVE_DIRECTORY);
    int count = scandir(folder, &images, is_jpeg, alphasort);
    if (count < 0 || (mkdir(path, 0777) < 0 && errno != EEXIST)) {
        perror(folder);
        return EXIT_FAILURE;
    }

    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    struct pool_options options = POOL_OPTIONS_INIT; /* Pool(): as many processes as CPUs */
    struct pool *pool;
    int failed = -1;
    if (pool_create(&options, &pool) == 0) {
        failed = make_thumbnails(pool, folder, images, count);
        pool_close(pool);
        pool_join(pool, -1);
        pool_free(pool);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    for (int i = 0; i < count; i++)
        free(images[i]);
    free(images);
    if (failed < 0) {
        fprintf(stderr, "the pool could not do the work\n");
        return EXIT_FAILURE;
    }
    printf("%d thumbnails in %s, %d failed, %.1f s\n", count - failed, path, failed,
           (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) * 1e-9);
    return failed > 0;
}
