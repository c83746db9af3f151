/* photo_set.c: which pictures a set consists of, where they lie, and how one is made.
 *
 * Safe by refusing: OUT must be new or empty, no file is ever opened that exists, and what a run
 * has made is removed by name alone. */
#include "photo_set_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 128 };

enum size { CAMERA, PHONE, SHARED, SCREEN };

static const struct {
    int width_px, height_px;
} sizes[] = {
    [CAMERA] = {4288, 2848}, /* 12.2 megapixels */
    [PHONE] = {4032, 3024},  /* 12.2 */
    [SHARED] = {2048, 1536}, /* 3.1 */
    [SCREEN] = {1920, 1200}, /* 2.3 */
};

struct variant {
    const char *folder, *stem, *label; /* the file is FOLDER/STEM 0001 LABEL */
    enum size size;
    struct photo_format format;
    bool cut_out;
};

#define LAKES      "2024/lake district", "lake"
#define ALPS       "2024/alps in autumn", "hike"
#define PHONE_ROLL "2025/phone", "IMG"
#define EDITED     "2025/Zürich & edited", "edit"

/* Picture n is variant n modulo the length: the first 24 pictures show all of them. Plain ones
 * outnumber the others as they do in a real folder. The eight orientations are shots of one view,
 * as when the phone is turned in the hand. */
static const struct variant variants[] = {
    {LAKES, "baseline 4-2-0", CAMERA, .format = {.sampling = PHOTO_420}},
    {LAKES, "baseline 4-2-2", SHARED, .format = {.sampling = PHOTO_422}},
    {LAKES, "baseline 4-4-4", SHARED, .format = {.sampling = PHOTO_444}},
    {LAKES, "restart markers 4-2-0", SHARED, .format = {.restart_markers = true}},
    {PHONE_ROLL, "orientation 1", PHONE, .format = {.orientation = 1}},
    {PHONE_ROLL, "orientation 2", SHARED, .format = {.orientation = 2}},
    {PHONE_ROLL, "orientation 3", SHARED, .format = {.orientation = 3}},
    {PHONE_ROLL, "orientation 4", SHARED, .format = {.orientation = 4}},
    {PHONE_ROLL, "orientation 5", SHARED, .format = {.orientation = 5}},
    {PHONE_ROLL, "orientation 6", PHONE, .format = {.orientation = 6}},
    {PHONE_ROLL, "orientation 7", SHARED, .format = {.orientation = 7}},
    {PHONE_ROLL, "orientation 8", SHARED, .format = {.orientation = 8}},
    {ALPS, "baseline 4-2-0", CAMERA, .format = {.sampling = PHOTO_420}},
    {ALPS, "baseline 4-2-0", SHARED, .format = {.sampling = PHOTO_420}},
    {ALPS, "baseline 4-2-0", SHARED, .format = {.sampling = PHOTO_420}},
    {ALPS, "progressive 4-2-0", SHARED, .format = {.progressive = true}},
    {ALPS, "baseline 4-2-2", SHARED, .format = {.sampling = PHOTO_422}},
    {ALPS, "baseline 4-2-0", SHARED, .format = {.sampling = PHOTO_420}},
    {EDITED, "Display P3 4-2-0", SHARED, .format = {.display_p3 = true}},
    {EDITED, "progressive 4-4-4", SCREEN, .format = {.sampling = PHOTO_444, .progressive = true}},
    {EDITED, "baseline 4-2-0", SCREEN, .format = {.sampling = PHOTO_420}},
    {EDITED, "progressive 4-2-0", SCREEN, .format = {.progressive = true}},
    {EDITED, "opaque", SCREEN, .format = {.png = true}},
    {EDITED, "with alpha", SCREEN, .format = {.png = true}, .cut_out = true},
};

enum { VARIANTS = sizeof(variants) / sizeof(variants[0]), PNG_VARIANTS = 2 };

static const struct variant *variant_of(const struct photo_set *set, int number)
{
    return &variants[number % (set->flat ? VARIANTS - PNG_VARIANTS : VARIANTS)];
}

static void picture_path(const struct photo_set *set, int number, char path[static PATH_BYTES])
{
    const struct variant *variant = variant_of(set, number);
    const char *extension = variant->format.png ? "png" : set->flat ? "jpeg" : "jpg";
    snprintf(path, PATH_BYTES, "%s%s%s %04d %s.%s", set->flat ? "" : variant->folder,
             set->flat ? "" : "/", variant->stem, number + 1, variant->label, extension);
}

enum seed_use { SEED_VIEW, SEED_SHOT };

/* Seeds that do not repeat in one set. */
static uint64_t seed_of(const struct photo_set *set, enum seed_use use, int number)
{
    uint64_t state = set->seed;
    state = photo_random(&state) + 2 * (uint64_t)number + use;
    return photo_random(&state);
}

/* Paint picture number and bring it into the form in which it is stored. */
static int picture_build(const struct photo_set *set, int number, struct photo *ret_stored)
{
    const struct variant *variant = variant_of(set, number);
    const int orientation = variant->format.orientation;
    const int width_px = set->width_px ? set->width_px : sizes[variant->size].width_px;
    const int height_px = set->width_px ? set->height_px : sizes[variant->size].height_px;
    const bool on_its_side = orientation >= 5;
    const int view = orientation ? number - (orientation - 1) : number; /* that of orientation 1 */
    struct photo upright = {0};
    int r = photo_init(on_its_side ? height_px : width_px, on_its_side ? width_px : height_px, 3,
                       &upright);
    if (r == 0)
        r = photo_paint(set->noise, seed_of(set, SEED_VIEW, view), seed_of(set, SEED_SHOT, number),
                        &upright);
    if (r == 0 && variant->format.display_p3)
        r = photo_to_display_p3(&upright);
    if (r == 0 && variant->cut_out)
        r = photo_cut_out(&upright, ret_stored);
    else if (r == 0 && orientation > 1)
        r = photo_turn(&upright, orientation, ret_stored);
    else if (r == 0) {
        *ret_stored = upright;
        upright.pixels = NULL;
    }
    photo_done(&upright);
    return r;
}

int photo_set_make(const struct photo_set *set, int number, uint64_t *ret_bytes)
{
    char path[PATH_BYTES];
    picture_path(set, number, path);
    struct photo photo = {0};
    FILE *file = NULL;
    int r = picture_build(set, number, &photo);
    if (r < 0)
        goto out;
    const int fd = openat(set->out_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    file = fd < 0 ? NULL : fdopen(fd, "wb");
    if (!file) {
        r = -errno;
        if (fd >= 0)
            close(fd);
        goto out;
    }
    r = photo_write(&photo, &variant_of(set, number)->format, file);
    const long bytes = ftell(file);
    if (fclose(file) != 0 && r == 0)
        r = -errno;
    if (r == 0)
        *ret_bytes = (uint64_t)bytes;
out:
    photo_done(&photo);
    if (r < 0)
        fprintf(stderr, "make_photos: cannot make '%s/%s': %s\n", set->out, path, strerror(-r));
    return r;
}

/* --- The folder --- */

/* Call act for every folder of the table, parents first: "2024", then "2024/lake district". */
static int each_folder(const struct photo_set *set, int (*act)(int out_fd, const char *folder))
{
    int r = 0;
    for (int i = 0; i < VARIANTS && r == 0 && !set->flat; i++) {
        char parent[64];
        const char *folder = variants[i].folder;
        snprintf(parent, sizeof(parent), "%.*s", (int)strcspn(folder, "/"), folder);
        r = act(set->out_fd, parent);
        if (r == 0)
            r = act(set->out_fd, folder);
    }
    return r;
}

static int folder_make(int out_fd, const char *folder)
{
    return mkdirat(out_fd, folder, 0777) < 0 && errno != EEXIST ? -errno : 0;
}

static int folder_remove(int out_fd, const char *folder)
{
    (void)unlinkat(out_fd, folder, AT_REMOVEDIR); /* fails while something is in it; see below */
    return 0;
}

static int folder_is_empty(int fd)
{
    int own_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = own_fd < 0 ? NULL : fdopendir(own_fd);
    if (!dir) {
        const int r = -errno;
        if (own_fd >= 0)
            close(own_fd);
        return r;
    }
    int others = 0;
    errno = 0;
    for (const struct dirent *entry; (entry = readdir(dir));)
        others += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    const int r = errno ? -errno : others == 0;
    closedir(dir);
    return r;
}

/* Remove what this run made, by name: OUT was empty, so these files are ours. Twice over the
 * folders, because the first pass meets parents before what is in them. */
void photo_set_remove(const struct photo_set *set)
{
    for (int number = 0; number < set->count; number++) {
        char path[PATH_BYTES];
        picture_path(set, number, path);
        (void)unlinkat(set->out_fd, path, 0);
    }
    each_folder(set, folder_remove);
    each_folder(set, folder_remove);
    if (set->out_is_new)
        (void)rmdir(set->out);
}

int photo_set_open(struct photo_set *set)
{
    set->out_fd = -1;
    set->out_is_new = mkdir(set->out, 0777) == 0;
    if (!set->out_is_new && errno != EEXIST)
        return -errno;
    set->out_fd = open(set->out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (set->out_fd < 0)
        return -errno;
    int r = folder_is_empty(set->out_fd);
    if (r <= 0)
        return r < 0 ? r : -ENOTEMPTY;
    r = each_folder(set, folder_make);
    if (r < 0)
        photo_set_remove(set);
    return r;
}

void photo_set_close(struct photo_set *set)
{
    if (set->out_fd >= 0)
        close(set->out_fd);
    set->out_fd = -1;
}
