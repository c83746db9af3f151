/* ledger.c: see ledger_priv.h.
 *
 * A line says all that is known of its path, so lines can be lost or repeated without making the
 * others wrong. What a line says of a source that is worked on carries the number of the run: one
 * whose run is no more is a death. A run shows that it lives by a lock on the byte of its number,
 * in the output root itself: the folder stays when files are renamed, and the kernel lets go of
 * the lock whatever the run dies of. Where folders cannot be locked, a second run takes the sources
 * that the first is working on for deaths, which is one attempt less, not a loop.
 *
 * A change goes to memory first and is marked as unsaved; then all that is unsaved is appended. So
 * what could not be written once is written with the next that can. Before each change, what other
 * runs have appended is read, under the same lock: deaths of both are counted. */
#include "ledger_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger_file_priv.h"
#include "ledger_line_priv.h"
#include "ledger_table_priv.h"
#include "text_priv.h"

/* Lines are put together up to here before they are written. */
#define CHUNK_BYTES ((size_t)64 * 1024)

/* When so much has been appended, and as much as there was, the file is written anew. */
#define GROWTH_BYTES (UINT64_C(1024) * 1024)

/* Short lines take eight times their size in memory; the file's size alone is too wide a bound. */
#define SOURCES_MAX ((size_t)1024 * 1024)

struct ledger {
    struct ledger_table table;
    struct ledger_file file;
    struct ledger_entry found; /* what was found last */
    struct text text;          /* lines on their way to the file */
    uint64_t run;              /* our number */
    int run_fd;                /* its lock is held through it; -1: not yet */
    uint64_t first_size;       /* of the file when it was read or written anew */
    bool worn;                 /* the file has lines that are not needed any more */
    int problem;
    bool (*is_ours)(const char *path, void *data); /* NULL: all are */
    void *is_ours_data;
};

static bool is_known(const struct ledger_record *record)
{
    return record->slug[0] != '\0' || record->run != 0;
}

static bool source_valid(const struct ledger_source *source)
{
    return source->path[0] == '/';
}

/* ---- Runs that live ------------------------------------------------------------------------ */

static struct flock lock_of_run(short type, uint64_t run)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)run, .l_len = 1};
}

/* Show that we live. A lock that cannot be had is no error: see above. */
static void show_life(struct ledger *ledger, int dir_fd)
{
    struct flock lock = lock_of_run(F_RDLCK, ledger->run);
    if (ledger->run_fd >= 0 || dir_fd < 0)
        return;
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (fcntl(fd, F_OFD_SETLK, &lock) < 0)
        close(fd);
    else
        ledger->run_fd = fd;
}

/* Said aloud, since a process that was forked meanwhile may hold the descriptor too. */
static void end_life(struct ledger *ledger)
{
    struct flock lock = lock_of_run(F_UNLCK, ledger->run);
    if (ledger->run_fd < 0)
        return;
    fcntl(ledger->run_fd, F_OFD_SETLK, &lock);
    close(ledger->run_fd);
    ledger->run_fd = -1;
}

static bool run_lives(int dir_fd, uint64_t run)
{
    struct flock lock = lock_of_run(F_WRLCK, run);
    return fcntl(dir_fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* ---- Reading ------------------------------------------------------------------------------- */

static int take_line(void *context, char *line, size_t length)
{
    struct ledger *ledger = context;
    struct ledger_record record;
    char *path;
    size_t path_length;
    if (!ledger_line_read(line, length, &record, &path, &path_length)) {
        ledger->worn = true;
        return 0;
    }
    struct ledger_item *item = ledger_table_find(&ledger->table, path, path_length);
    ledger->worn |= item || !is_known(&record);
    if (item && item->unsaved) {
        item->on_disk = true; /* but ours is newer */
        return 0;
    }
    if (!is_known(&record)) {
        if (item)
            ledger_table_remove(&ledger->table, item);
        return 0;
    }
    if (!item && ledger->table.count >= SOURCES_MAX) {
        ledger->worn = true;
        return 0;
    }
    int r = item ? 0 : ledger_table_get(&ledger->table, path, path_length, &item);
    if (r < 0)
        return r;
    item->record = record;
    item->on_disk = true;
    return 0;
}

static void add_deaths(struct ledger_record *record, unsigned deaths)
{
    const unsigned room = LEDGER_DEATHS_MAX - record->deaths;
    record->deaths += deaths < room ? deaths : room;
}

/* The file will be read from its beginning: what it said before does not count. */
static void forget_saved(struct ledger *ledger)
{
    struct ledger_item *next;
    for (struct ledger_item *item = ledger_table_next(&ledger->table, NULL); item; item = next) {
        next = ledger_table_next(&ledger->table, item);
        item->on_disk = false;
        if (!item->unsaved)
            ledger_table_remove(&ledger->table, item);
    }
    ledger->worn = false;
}

/* What is begun by a run that is no more has taken it along. The file need not say so at once:
 * whoever reads it comes to the same end. */
static void count_dead_runs(struct ledger *ledger, int dir_fd)
{
    struct ledger_item *item = NULL;
    while ((item = ledger_table_next(&ledger->table, item)) != NULL) {
        struct ledger_record *record = &item->record;
        if (record->run == 0 || record->run == ledger->run || run_lives(dir_fd, record->run))
            continue;
        add_deaths(record, 1);
        memcpy(record->slug, LEDGER_SLUG_PROGRAM_DIED, sizeof(LEDGER_SLUG_PROGRAM_DIED));
        record->run = 0;
        ledger->worn = true;
    }
}

/* Read what is new in the file: all of it, or what others have appended. */
static int catch_up(struct ledger *ledger, int dir_fd)
{
    const bool from_start = ledger->file.size == 0;
    if (from_start)
        forget_saved(ledger);
    int r = ledger_file_read(&ledger->file, take_line, ledger);
    if (r < 0) {
        ledger->file.size = 0; /* the next does it again */
        return r;
    }
    if (from_start) {
        count_dead_runs(ledger, dir_fd);
        ledger->first_size = ledger->file.size;
    }
    return 0;
}

static int draw_run(uint64_t *ret_run)
{
    uint64_t run;
    ssize_t got;
    do /* so few bytes come whole or not at all */
        got = getrandom(&run, sizeof(run), 0);
    while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof(run))
        return got < 0 ? -errno : -EIO;
    *ret_run = run % LEDGER_RUN_MAX + 1;
    return 0;
}

int ledger_open(int dir_fd, struct ledger **ret_ledger)
{
    struct ledger *ledger = calloc(1, sizeof(*ledger));
    if (!ledger)
        return -ENOMEM;
    ledger->file = (struct ledger_file)LEDGER_FILE_INIT;
    ledger->run_fd = -1;
    int r = ledger_table_init(&ledger->table);
    if (r == 0)
        r = draw_run(&ledger->run);
    if (r == 0 && dir_fd >= 0) {
        r = ledger_file_open(&ledger->file, dir_fd);
        if (r == 0)
            r = catch_up(ledger, dir_fd);
        if (r < 0 && r != -ENOMEM) {
            ledger->problem = r == -ENOENT ? 0 : r;
            forget_saved(ledger);
            ledger_file_close(&ledger->file);
            r = 0;
        }
    }
    if (r < 0) {
        ledger_free(ledger);
        return r;
    }
    *ret_ledger = ledger;
    return 0;
}

int ledger_problem(const struct ledger *ledger)
{
    return ledger->problem;
}

struct ledger *ledger_free(struct ledger *ledger)
{
    if (!ledger)
        return NULL;
    end_life(ledger);
    ledger_file_close(&ledger->file);
    ledger_table_done(&ledger->table);
    text_done(&ledger->text);
    free(ledger);
    return NULL;
}

/* ---- Looking up ---------------------------------------------------------------------------- */

static bool is_same_version(const struct ledger_record *record, const struct ledger_source *source)
{
    return record->mtime_ns == source->mtime_ns && record->size_bytes == source->size_bytes;
}

static struct ledger_item *find(struct ledger *ledger, const char *path)
{
    struct ledger_item *item = ledger_table_find(&ledger->table, path, strlen(path));
    if (item)
        item->met = true;
    return item;
}

const struct ledger_entry *ledger_find(struct ledger *ledger, const struct ledger_source *source)
{
    const struct ledger_item *item = find(ledger, source->path);
    if (!item || item->record.slug[0] == '\0' || !is_same_version(&item->record, source))
        return NULL;
    ledger->found = (struct ledger_entry){.deaths = item->record.deaths, .slug = item->record.slug};
    return &ledger->found;
}

bool ledger_lists(struct ledger *ledger, const char *path)
{
    const struct ledger_item *item = find(ledger, path);
    return item && item->record.slug[0] != '\0';
}

bool ledger_knows_any(const struct ledger *ledger)
{
    const struct ledger_item *item = NULL;
    while ((item = ledger_table_next(&ledger->table, item)) != NULL)
        if (item->record.slug[0] != '\0')
            return true;
    return false;
}

/* ---- Writing ------------------------------------------------------------------------------- */

/* The file has what the item says. Frees it if that is nothing. */
static void item_saved(struct ledger *ledger, struct ledger_item *item)
{
    ledger_table_unmark(&ledger->table, item);
    item->on_disk = true;
    if (!is_known(&item->record))
        ledger_table_remove(&ledger->table, item);
}

/* Append the lines in ledger->text to a file and empty it. */
static int append_text(struct ledger *ledger, struct ledger_file *file)
{
    struct text *text = &ledger->text;
    int r = text_failed(text) ? -ENOMEM : ledger_file_append(file, text->data, text->length);
    if (text_failed(text))
        text_done(text);
    text_cut(text, 0);
    return r;
}

/* Append what is unsaved, the earliest first, as much as goes into one write. */
static int append_some(struct ledger *ledger)
{
    struct ledger_item *item = ledger->table.unsaved;
    size_t count = 0;
    text_cut(&ledger->text, 0);
    if (ledger->file.size == 0)
        text_puts(&ledger->text, LEDGER_HEADER);
    for (; item && ledger->text.length < CHUNK_BYTES; item = item->later, count++)
        ledger_line_write(&ledger->text, &item->record, item->path, item->length);
    int r = append_text(ledger, &ledger->file);
    if (r < 0)
        return r;
    for (; count > 0; count--) {
        item = ledger->table.unsaved;
        ledger->worn |= item->on_disk || !is_known(&item->record);
        item_saved(ledger, item);
    }
    return 0;
}

static int append_unsaved(struct ledger *ledger)
{
    int r = 0;
    while (r == 0 && ledger->table.unsaved)
        r = append_some(ledger);
    return r;
}

/* Write all that is left into a draft, in no order. */
static int write_draft(struct ledger *ledger, struct ledger_draft *draft)
{
    const struct ledger_item *item = NULL;
    int r = 0;
    text_cut(&ledger->text, 0);
    text_puts(&ledger->text, LEDGER_HEADER);
    while (r == 0 && (item = ledger_table_next(&ledger->table, item)) != NULL) {
        if (is_known(&item->record))
            ledger_line_write(&ledger->text, &item->record, item->path, item->length);
        if (ledger->text.length >= CHUNK_BYTES)
            r = append_text(ledger, &draft->file);
    }
    return r == 0 ? append_text(ledger, &draft->file) : r;
}

/* The lock is held, and stays so. */
static int write_anew(struct ledger *ledger, int dir_fd)
{
    struct ledger_draft draft;
    struct ledger_item *next;
    int r = ledger_draft_begin(&draft, dir_fd);
    if (r < 0)
        return r;
    r = write_draft(ledger, &draft);
    r = ledger_draft_end(&draft, dir_fd, &ledger->file, r);
    if (r < 0)
        return r;
    for (struct ledger_item *item = ledger_table_next(&ledger->table, NULL); item; item = next) {
        next = ledger_table_next(&ledger->table, item);
        item_saved(ledger, item);
    }
    ledger->first_size = ledger->file.size;
    ledger->worn = false;
    return 0;
}

/* Lock the file and know what it says.  Returns 0, or an error, and then no lock is held. */
static int start_change(struct ledger *ledger, int dir_fd, bool create)
{
    if (dir_fd < 0)
        return -ENOENT;
    int r = ledger_file_lock(&ledger->file, dir_fd, create);
    if (r < 0)
        return r;
    r = catch_up(ledger, dir_fd);
    if (r < 0)
        ledger_file_unlock(&ledger->file);
    return r;
}

/* Unlock; of a file that was made, and that nothing could be written to, nothing is left. */
static void end_change(struct ledger *ledger, int dir_fd)
{
    if (ledger->file.size == 0)
        ledger_file_remove(dir_fd);
    ledger_file_unlock(&ledger->file);
}

/* Append what is unsaved and unlock, if start_change() has locked: started is what it returned. */
static int finish_change(struct ledger *ledger, int dir_fd, int started)
{
    if (started < 0)
        return started;
    int r = append_unsaved(ledger);
    const uint64_t grown = ledger->file.size - ledger->first_size;
    if (r == 0 && grown > GROWTH_BYTES && grown > ledger->first_size &&
        write_anew(ledger, dir_fd) < 0)
        ledger->first_size = ledger->file.size; /* it is right as it is: try again much later */
    end_change(ledger, dir_fd);
    return r;
}

/* The item of a source that something is to be noted of: of the version that it has now. */
static int item_of(struct ledger *ledger, const struct ledger_source *source,
                   struct ledger_item **ret_item)
{
    struct ledger_item *item;
    int r = ledger_table_get(&ledger->table, source->path, strlen(source->path), &item);
    if (r < 0)
        return r;
    if (!is_same_version(&item->record, source))
        item->record =
            (struct ledger_record){.mtime_ns = source->mtime_ns, .size_bytes = source->size_bytes};
    item->met = true;
    ledger_table_mark(&ledger->table, item);
    *ret_item = item;
    return 0;
}

int ledger_begin(struct ledger *ledger, int dir_fd, const struct ledger_source *source)
{
    struct ledger_item *item;
    if (!source_valid(source))
        return -EINVAL;
    show_life(ledger, dir_fd);
    const int started = start_change(ledger, dir_fd, true);
    const int noted = item_of(ledger, source, &item);
    if (noted == 0)
        item->record.run = ledger->run;
    const int r = finish_change(ledger, dir_fd, started);
    return noted < 0 ? noted : r;
}

int ledger_fail(struct ledger *ledger, int dir_fd, const struct ledger_source *source,
                const char *slug, unsigned deaths)
{
    const size_t length = strlen(slug);
    struct ledger_item *item;
    if (!source_valid(source) || !ledger_slug_valid(slug, length))
        return -EINVAL;
    const int started = start_change(ledger, dir_fd, true);
    const int noted = item_of(ledger, source, &item);
    if (noted == 0) {
        add_deaths(&item->record, deaths);
        memcpy(item->record.slug, slug, length + 1);
        item->record.run = 0;
    }
    const int r = finish_change(ledger, dir_fd, started);
    return noted < 0 ? noted : r;
}

/* Forget it; the file is told later, if it knows. */
static void item_settle(struct ledger *ledger, struct ledger_item *item)
{
    item->record = (struct ledger_record){0};
    if (item->on_disk)
        ledger_table_mark(&ledger->table, item);
    else
        ledger_table_remove(&ledger->table, item);
}

int ledger_settle(struct ledger *ledger, int dir_fd, const struct ledger_source *source)
{
    struct ledger_item *item = find(ledger, source->path);
    if (!item)
        return 0;
    if (!item->on_disk) {
        item_settle(ledger, item);
        return 0;
    }
    const int started = start_change(ledger, dir_fd, true);
    item = find(ledger, source->path); /* the file may have been read anew */
    if (item)
        item_settle(ledger, item);
    return finish_change(ledger, dir_fd, started);
}

int ledger_write(struct ledger *ledger, int dir_fd)
{
    if (!ledger->table.unsaved)
        return 0;
    return finish_change(ledger, dir_fd, start_change(ledger, dir_fd, true));
}

/* ---- The end ------------------------------------------------------------------------------- */

/* What we have begun and has no end was not a death, only not the time for it. */
static void drop_begun(struct ledger *ledger)
{
    struct ledger_item *next;
    for (struct ledger_item *item = ledger_table_next(&ledger->table, NULL); item; item = next) {
        next = ledger_table_next(&ledger->table, item);
        if (item->record.run != ledger->run)
            continue;
        item->record.run = 0;
        ledger->worn |= item->on_disk;
        if (is_known(&item->record))
            ledger_table_mark(&ledger->table, item);
        else
            item_settle(ledger, item);
    }
}

static int drop_missing(struct ledger *ledger)
{
    struct text path = TEXT_INIT;
    struct ledger_item *next;
    struct stat st;
    int r = 0;
    for (struct ledger_item *item = ledger_table_next(&ledger->table, NULL); item; item = next) {
        next = ledger_table_next(&ledger->table, item);
        if (item->met || item->record.run != 0)
            continue;
        text_cut(&path, 0);
        text_add(&path, item->path, item->length);
        if (text_failed(&path)) {
            r = -ENOMEM;
            break;
        }
        if (ledger->is_ours && !ledger->is_ours(text_string(&path), ledger->is_ours_data))
            continue;
        if (lstat(text_string(&path), &st) == 0 || (errno != ENOENT && errno != ENOTDIR))
            continue;
        ledger->worn |= item->on_disk;
        item_settle(ledger, item);
    }
    text_done(&path);
    return r;
}

static bool has_any(const struct ledger *ledger)
{
    const struct ledger_item *item = NULL;
    while ((item = ledger_table_next(&ledger->table, item)) != NULL)
        if (is_known(&item->record))
            return true;
    return false;
}

/* Nothing is left to remember. The lock is held, and given up. */
static int remove_file(struct ledger *ledger, int dir_fd)
{
    struct ledger_item *next;
    int r = ledger_file_remove(dir_fd);
    if (r < 0)
        return r;
    for (struct ledger_item *item = ledger_table_next(&ledger->table, NULL); item; item = next) {
        next = ledger_table_next(&ledger->table, item);
        ledger_table_remove(&ledger->table, item);
    }
    ledger_file_unlock(&ledger->file);
    ledger_file_close(&ledger->file);
    ledger->worn = false;
    return 0;
}

void ledger_limit(struct ledger *ledger, bool (*is_ours)(const char *path, void *data), void *data)
{
    ledger->is_ours = is_ours;
    ledger->is_ours_data = data;
}

int ledger_close(struct ledger *ledger, int dir_fd, bool complete)
{
    drop_begun(ledger);
    int r = complete ? drop_missing(ledger) : 0;
    if (r < 0)
        return r;
    const bool is_empty = !has_any(ledger);
    if (ledger->file.fd < 0 && is_empty && !ledger->table.unsaved)
        return 0;
    if (!is_empty && !ledger->table.unsaved && !ledger->worn)
        return 0;
    r = start_change(ledger, dir_fd, !is_empty);
    if (r < 0) /* a file that is worn only, or that is not there, is as good as one in order */
        return !ledger->table.unsaved || (r == -ENOENT && is_empty) ? 0 : r;
    if (!has_any(ledger))
        r = remove_file(ledger, dir_fd);
    else if (ledger->worn)
        r = write_anew(ledger, dir_fd);
    if (r < 0 || ledger->table.unsaved) /* a full disk may have room for a line still */
        r = append_unsaved(ledger);
    if (ledger->file.fd >= 0)
        end_change(ledger, dir_fd);
    return r;
}
