/* bench_loop.c: see bench_loop_priv.h. */
#include "bench_loop_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <imaging/imaging.h>

#include "bench_folder_priv.h"
#include "clock_priv.h"
#include "glob_priv.h"
#include "inode_set_priv.h"
#include "inputs_priv.h"
#include "origins_priv.h"
#include "plan_priv.h"
#include "signals_priv.h"
#include "stamp_priv.h"
#include "text_priv.h"
#include "thumb_task_priv.h"
#include "walk_priv.h"

/* The files are those that a run finds. */
struct files {
    struct inputs *inputs;
    struct globs *globs;
    struct walk *walk;
    struct walk_options options;
    struct inode_set outputs;
    struct inode_set read_folders;
    struct origins *origins;
    uint8_t note[IMG_NOTE_PROBE_BYTES]; /* the beginning of a file */
};

struct loop {
    struct files files;
    struct img_context *context;
    struct img_options options;
    struct bench_sample *sample;
    uint8_t *buffer;
    size_t capacity;
    struct text folder; /* that is known to be there */
    struct text path;
};

static int files_open(struct files *files, const struct options *options)
{
    struct text message = TEXT_INIT;
    int r = inputs_create(options, &files->inputs, &message);
    text_done(&message);
    if (r == 0)
        r = origins_create(files->inputs, stamp_settings(options), &files->origins);
    if (r == 0)
        r = globs_create(options->globs, options->glob_count, &files->globs);
    if (r == 0)
        r = inputs_register(files->inputs, &files->read_folders);
    if (r == 0)
        r = inputs_register_roots(files->inputs, &files->outputs);
    if (r < 0)
        return r;
    files->options = (struct walk_options){.hidden = options->hidden,
                                           .follow = options->follow,
                                           .max_depth = options->max_depth,
                                           .globs = files->globs,
                                           .outputs = &files->outputs,
                                           .read_folders = &files->read_folders};
    return walk_create(&files->options, files->inputs, &files->walk);
}

static void files_close(struct files *files)
{
    walk_free(files->walk);
    globs_free(files->globs);
    origins_free(files->origins);
    inode_set_done(&files->outputs);
    inode_set_done(&files->read_folders);
    inputs_free(files->inputs);
}

/* Returns a descriptor of a regular file, or a negative errno value. */
static int open_file(const struct walk_entry *entry, struct stat *ret_st)
{
    const int follow = entry->through_link ? 0 : O_NOFOLLOW;
    const int fd = openat(entry->dir_fd, entry->open_name,
                          O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | follow);
    if (fd < 0)
        return -errno;
    int r = fstat(fd, ret_st) < 0 ? -errno : S_ISREG(ret_st->st_mode) ? 0 : -ENOTSUP;
    if (r == 0)
        return fd;
    close(fd);
    return r;
}

static int read_whole(struct loop *loop, int fd, size_t size_bytes)
{
    if (size_bytes > loop->capacity) {
        free(loop->buffer);
        loop->buffer = malloc(size_bytes);
        loop->capacity = loop->buffer ? size_bytes : 0;
        if (!loop->buffer)
            return -ENOMEM;
    }
    for (size_t done = 0; done < size_bytes;) {
        const ssize_t got = read(fd, loop->buffer + done, size_bytes - done);
        if (got < 0 && errno != EINTR)
            return -errno;
        if (got == 0)
            return -ENODATA;
        if (got > 0)
            done += (size_t)got;
    }
    return 0;
}

/* The folder of a path, with those above it; most often it is there. */
static int make_folders(struct loop *loop, size_t known)
{
    char *const path = loop->path.data;
    for (char *at = path + known; (at = strchr(at, '/')); at++) {
        *at = '\0';
        const int r = mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
        *at = '/';
        if (r < 0)
            return r;
    }
    return 0;
}

static int put(struct loop *loop, const struct walk_entry *entry,
               const struct img_thumbnail *thumbnail)
{
    const struct input *input = &loop->files.inputs->list[entry->input];
    const char *root = loop->files.inputs->roots[input->root].path;
    struct text *path = &loop->path;
    text_cut(path, 0);
    text_puts(path, root);
    text_join(path, input->prefix);
    text_join(path, entry->folder);
    text_puts(path, "/");
    if (text_failed(path))
        return -ENOMEM;
    if (strcmp(text_string(&loop->folder), path->data) != 0) {
        int r = make_folders(loop, strlen(root) + 1);
        if (r < 0)
            return r;
        text_cut(&loop->folder, 0);
        text_puts(&loop->folder, path->data);
    }
    plan_name(path, entry->name[0] ? entry->name : input->base, thumbnail->format);
    return text_failed(path)
               ? -ENOMEM
               : bench_file_make(path->data, thumbnail->data, thumbnail->size_bytes, 0600);
}

static void count_made(struct loop *loop, const struct img_thumbnail *thumbnail, size_t size_bytes)
{
    struct bench_sample *sample = loop->sample;
    sample->made++;
    sample->source_bytes += size_bytes;
    sample->source_pixels += (uint64_t)thumbnail->source_width_px * thumbnail->source_height_px;
    sample->stage_s[BENCH_DECODE] += thumbnail->decode_us / 1e6;
    sample->stage_s[BENCH_RESAMPLE] += thumbnail->resample_us / 1e6;
    sample->stage_s[BENCH_ENCODE] += thumbnail->encode_us / 1e6;
}

static int make(struct loop *loop, const struct walk_entry *entry, int fd, const struct stat *st)
{
    struct img_thumbnail thumbnail = {0};
    const size_t size_bytes = (size_t)st->st_size;
    if ((uint64_t)st->st_size > thumb_source_bytes_max(loop->options.memory_bytes))
        return -EFBIG;
    const int64_t start_us = clock_us();
    int r = read_whole(loop, fd, size_bytes);
    const int64_t read_us = clock_us();
    if (r == 0)
        r = img_thumbnail(loop->context, loop->buffer, size_bytes, &loop->options, &thumbnail,
                          NULL);
    const int64_t made_us = clock_us();
    if (r == 0)
        r = put(loop, entry, &thumbnail);
    if (r < 0)
        return r;
    loop->sample->stage_s[BENCH_READ] += (double)(read_us - start_us) / 1e6;
    loop->sample->stage_s[BENCH_WRITE] += (double)(clock_us() - made_us) / 1e6;
    count_made(loop, &thumbnail, size_bytes);
    return 0;
}

/* A thumbnail of a picture of this run, which a run passes over too (intake.c). */
static bool is_output(struct files *files, const struct walk_entry *entry, int fd)
{
    struct origin own;
    struct stamp found;
    enum img_format format;
    return !entry->named && !entry->through_link &&
           stamp_read(fd, files->note, &found, &format) == 0 &&
           (origins_knows(files->origins, found.root) ||
            (origins_of(files->origins, entry, &own) == 0 && found.root == own.stamp.root));
}

/* A file that is met: what is no picture, by name and by content, is passed over. */
static void take(struct loop *loop, const struct walk_entry *entry)
{
    struct stat st;
    const char *extension = plan_extension(entry->name[0] ? entry->name : entry->open_name);
    const bool expected =
        entry->named || img_format_from_extension(extension) != IMG_FORMAT_UNKNOWN;
    const int fd = open_file(entry, &st);
    if (fd >= 0 && (expected || plan_probe(fd) != IMG_FORMAT_UNKNOWN) &&
        !is_output(&loop->files, entry, fd)) {
        if (make(loop, entry, fd, &st) < 0)
            loop->sample->failed++;
    } else if (fd < 0 && fd != -ENOTSUP) {
        loop->sample->failed++;
    } else {
        loop->sample->skipped++;
    }
    if (fd >= 0)
        close(fd);
}

static bool loop_cancelled(void *data)
{
    (void)data;
    return signals_caught() != 0;
}

static void loop_settings(struct img_options *settings, const struct options *options)
{
    *settings = (struct img_options)IMG_OPTIONS_INIT;
    settings->box_width_px = options->box_width_px;
    settings->box_height_px = options->box_height_px;
    settings->fit = options->fit;
    settings->enlarge = options->enlarge;
    memcpy(settings->background, options->background, sizeof(options->background));
    settings->format = options->format;
    settings->quality = options->quality;
    settings->pixels_max = options->pixels_max;
    settings->memory_bytes = options->memory_bytes;
    settings->fail_on = options->fail_on;
    settings->fast = options->fast;
    settings->cancelled = loop_cancelled;
}

int bench_loop(const struct options *options, struct bench_sample *ret_sample)
{
    struct loop loop = {.sample = ret_sample, .folder = TEXT_INIT, .path = TEXT_INIT};
    struct walk_entry entry;
    loop_settings(&loop.options, options);
    int r = img_context_create(&loop.context);
    if (r == 0)
        r = files_open(&loop.files, options);
    while (r >= 0 && (r = walk_next(loop.files.walk, true, &entry)) == 1) {
        if (entry.kind == WALK_FILE)
            take(&loop, &entry);
        else if (entry.kind == WALK_SKIPPED)
            ret_sample->skipped++;
        else
            ret_sample->failed++;
        if (signals_caught())
            r = -EINTR;
    }
    files_close(&loop.files);
    img_context_free(loop.context);
    free(loop.buffer);
    text_done(&loop.folder);
    text_done(&loop.path);
    return r;
}

/* The kernel tells it only of files that are one's own. */
static bool is_in_memory(int fd, const struct stat *st)
{
    unsigned char resident = 0;
    if (st->st_size == 0)
        return false;
    void *page = mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED)
        return false;
    const bool told = mincore(page, 1, &resident) == 0;
    munmap(page, 1);
    return told && (resident & 1) && (st->st_uid == geteuid() || geteuid() == 0);
}

/* What is still to be written, as of pictures that have just been made, would stay. So does what is
 * mapped. */
static bool drop_pages_of(int fd, const struct stat *st)
{
    fdatasync(fd);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    return !is_in_memory(fd, st);
}

int bench_drop_pages(const struct options *options, uint64_t *ret_warm)
{
    struct files files = {.inputs = NULL};
    struct walk_entry entry;
    struct stat st = {0};
    uint64_t warm = 0;
    int r = files_open(&files, options);
    while (r >= 0 && (r = walk_next(files.walk, true, &entry)) == 1) {
        const int fd = entry.kind == WALK_FILE ? open_file(&entry, &st) : -1;
        if (fd >= 0) {
            warm += !drop_pages_of(fd, &st);
            close(fd);
        }
        if (signals_caught())
            r = -EINTR;
    }
    files_close(&files);
    if (r == 0)
        *ret_warm = warm;
    return r;
}
