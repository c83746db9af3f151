/* origins.c: see origins_priv.h. */
#include "origins_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "digest_priv.h"

/* The analyzer of gcc 12 takes memory for lost that an array in an opaque struct leads to. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/* A folder that files of this run count from. */
struct known {
    uint64_t hash;
    char *folder; /* owned */
};

struct origins {
    const struct inputs *inputs;
    uint64_t settings;
    struct known *known; /* of all PATHs, sorted by hash */
    size_t known_count;
    struct text folder; /* of the PATH that was asked for last */
    struct text asked;  /* what that was found by */
    uint64_t hash;
    struct text path, source; /* reused */
};

static uint64_t hash_of(const char *path)
{
    return digest_short(digest_of(path, strlen(path)));
}

/* The folder of a file PATH, as it was given. */
static void add_parent(struct text *parent, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash)
        text_add(parent, path, slash == path ? 1 : (size_t)(slash - path));
    else
        text_puts(parent, ".");
}

/* Where there is no real path, the one that was given will do: it is only to be the same again. */
static int find_real(const char *given, struct text *folder)
{
    char *real = realpath(given, NULL);
    if (!real && errno == ENOMEM)
        return -ENOMEM;
    text_cut(folder, 0);
    text_puts(folder, real ? real : given);
    free(real);
    return text_failed(folder) ? -ENOMEM : 0;
}

int origins_folder(struct origins *origins, const struct input *input, const char **ret_folder,
                   uint64_t *ret_hash)
{
    struct text given = TEXT_INIT;
    int r = 0;
    if (input->kind != INPUT_FILE)
        text_puts(&given, input->real ? input->real : input->path);
    else
        add_parent(&given, input->path);
    if (text_failed(&given))
        r = -ENOMEM;
    /* Most files have the origin of the one before. */
    if (r == 0 && (!origins->asked.data || strcmp(given.data, origins->asked.data) != 0)) {
        text_cut(&origins->asked, 0);
        r = find_real(given.data, &origins->folder);
        if (r == 0) {
            text_puts(&origins->asked, given.data);
            origins->hash = hash_of(text_string(&origins->folder));
        }
        if (text_failed(&origins->asked)) {
            text_done(&origins->asked);
            r = -ENOMEM;
        }
    }
    text_done(&given);
    if (r < 0)
        return r;
    *ret_folder = text_string(&origins->folder);
    *ret_hash = origins->hash;
    return 0;
}

static int compare_known(const void *left, const void *right)
{
    const struct known *a = left, *b = right;
    return a->hash < b->hash ? -1 : a->hash > b->hash;
}

/* One entry for each origin of the PATHs. */
static int collect_known(struct origins *origins)
{
    const struct inputs *inputs = origins->inputs;
    origins->known = calloc(inputs->count + 1, sizeof(*origins->known));
    if (!origins->known)
        return -ENOMEM;
    for (size_t i = 0; i < inputs->count; i++) {
        const struct input *input = &inputs->list[i];
        const char *folder;
        uint64_t hash;
        if (input->kind != INPUT_FOLDER && input->kind != INPUT_FILE)
            continue;
        int r = origins_folder(origins, input, &folder, &hash);
        if (r < 0)
            return r;
        struct known *last = &origins->known[origins->known_count];
        if (origins->known_count > 0 && last[-1].hash == hash) /* its neighbour's */
            continue;
        last->hash = hash;
        last->folder = strdup(folder);
        if (!last->folder)
            return -ENOMEM;
        origins->known_count++;
    }
    qsort(origins->known, origins->known_count, sizeof(*origins->known), compare_known);
    return 0;
}

int origins_create(const struct inputs *inputs, uint64_t settings, struct origins **ret_origins)
{
    struct origins *origins = calloc(1, sizeof(*origins));
    if (!origins)
        return -ENOMEM;
    origins->inputs = inputs;
    origins->settings = settings;
    int r = collect_known(origins);
    if (r < 0) {
        origins_free(origins);
        return r;
    }
    *ret_origins = origins;
    return 0;
}

struct origins *origins_free(struct origins *origins)
{
    if (!origins)
        return NULL;
    for (size_t i = 0; i < origins->known_count; i++)
        free(origins->known[i].folder);
    free(origins->known);
    text_done(&origins->folder);
    text_done(&origins->asked);
    text_done(&origins->path);
    text_done(&origins->source);
    free(origins);
    return NULL;
}

int origins_of(struct origins *origins, const struct walk_entry *entry, struct origin *ret_origin)
{
    const struct input *input = &origins->inputs->list[entry->input];
    struct origin origin = {.stamp.settings = origins->settings};
    int r = origins_folder(origins, input, &origin.folder, &origin.stamp.root);
    if (r < 0)
        return r;
    text_cut(&origins->path, 0);
    text_cut(&origins->source, 0);
    text_puts(&origins->path, entry->named ? input->base : entry->folder);
    text_join(&origins->path, entry->name);
    origin.stamp.hashed = stamp_encode(&origins->source, text_string(&origins->path));
    if (text_failed(&origins->path) || text_failed(&origins->source))
        return -ENOMEM;
    origin.stamp.source = text_string(&origins->source);
    origin.stamp.source_bytes = origins->source.length;
    *ret_origin = origin;
    return 0;
}

/* ---- Relations ----------------------------------------------------------------------------- */

/* Does a folder on the way down to the path of the source have the hash? path is cut there. */
static bool cut_at(struct text *path, uint64_t hash)
{
    for (size_t length = path->length; length > 0; length--) {
        if (path->data[length] != '/' && path->data[length] != '\0')
            continue;
        if (digest_short(digest_of(path->data, length)) == hash) {
            text_cut(path, length);
            return true;
        }
    }
    return hash == hash_of("/") && (text_cut(path, 1), true);
}

static const char *known_folder(const struct origins *origins, uint64_t hash)
{
    const struct known wanted = {.hash = hash};
    const struct known *found =
        bsearch(&wanted, origins->known, origins->known_count, sizeof(wanted), compare_known);
    return found ? found->folder : NULL;
}

bool origins_knows(const struct origins *origins, uint64_t hash)
{
    return known_folder(origins, hash) != NULL;
}

/* The whole path of the source that a stamp speaks of. Returns false if it is not known. */
static bool resolve(const struct origins *origins, const struct origin *own, bool in_thumbs,
                    const struct stamp *found, struct text *path)
{
    text_cut(path, 0);
    text_puts(path, own->folder);
    if (!in_thumbs && found->root != own->stamp.root) {
        const char *folder = known_folder(origins, found->root);
        text_puts(path, "/");
        if (folder) {
            text_cut(path, 0);
            text_puts(path, folder);
        } else if (!stamp_decode(path, &own->stamp) || text_failed(path) ||
                   !cut_at(path, found->root)) {
            return false;
        }
    }
    if (path->length > 1)
        text_puts(path, "/");
    return stamp_decode(path, found) && !text_failed(path);
}

static bool is_of_this_source(const struct origin *own, bool in_thumbs, const struct stamp *found)
{
    struct stamp other = *found;
    if (in_thumbs)
        other.root = own->stamp.root;
    return stamp_same_source(&own->stamp, &other);
}

enum relation origins_relate(struct origins *origins, const struct origin *own, bool in_thumbs,
                             const struct stamp *found, struct text *other)
{
    const bool same_state = stamp_same_state(&own->stamp, found);
    if (is_of_this_source(own, in_thumbs, found))
        return same_state ? RELATION_SAME_STATE : RELATION_SAME_SOURCE;
    struct stamp moved = *found;
    moved.root = own->stamp.root;
    moved.settings = own->stamp.settings;
    if (!resolve(origins, own, in_thumbs, found, &origins->path))
        /* Moved with all its folders, it seems. */
        return stamp_same_source(&own->stamp, &moved) && stamp_same_state(&own->stamp, &moved)
                   ? RELATION_SAME_SOURCE
                   : RELATION_UNKNOWN;
    struct text mine = TEXT_INIT;
    text_puts(&mine, own->folder);
    if (mine.length > 1)
        text_puts(&mine, "/");
    const bool same = stamp_decode(&mine, &own->stamp) &&
                      strcmp(text_string(&mine), text_string(&origins->path)) == 0;
    text_done(&mine);
    if (same)
        return same_state ? RELATION_SAME_STATE : RELATION_SAME_SOURCE;
    text_puts(other, text_string(&origins->path));
    return origins_is_gone(AT_FDCWD, text_string(&origins->path)) ? RELATION_GONE : RELATION_THERE;
}

/* A link on the way that leads nowhere, to what is not mounted say, hides what is behind it. */
static bool is_hidden_by_a_link(int folder_fd, const char *path)
{
    struct text above = TEXT_INIT;
    struct stat st;
    bool hidden = false;
    for (const char *slash = strchr(path + 1, '/'); slash && !hidden;
         slash = strchr(slash + 1, '/')) {
        text_cut(&above, 0);
        text_add(&above, path, (size_t)(slash - path));
        if (text_failed(&above))
            hidden = true;
        else if (fstatat(folder_fd, above.data, &st, AT_SYMLINK_NOFOLLOW) < 0)
            break;
        else if (S_ISLNK(st.st_mode))
            hidden = fstatat(folder_fd, above.data, &st, 0) < 0;
    }
    text_done(&above);
    return hidden;
}

bool origins_is_gone(int folder_fd, const char *path)
{
    struct stat st;
    if (path[0] == '\0' || fstatat(folder_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return false;
    return (errno == ENOENT || errno == ENOTDIR) && !is_hidden_by_a_link(folder_fd, path);
}
