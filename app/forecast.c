/* forecast.c: see forecast_priv.h. */
#include "forecast_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <imaging/imaging.h>

#include "clock_priv.h"
#include "plan_priv.h"

#define ENTRIES_A_LOOK 64 /* between two looks at the clock */

struct forecast {
    struct walk_options options;
    struct walk *walk; /* NULL: ended or given up */
    uint64_t counted;
    uint64_t sized; /* of them */
    uint64_t bytes; /* of those */
    int64_t spent_ms;
    bool complete;
};

int forecast_create(const struct walk_options *options, const struct inputs *inputs,
                    struct forecast **ret_forecast)
{
    struct forecast *forecast = calloc(1, sizeof(*forecast));
    if (!forecast)
        return -ENOMEM;
    forecast->options = *options;
    forecast->options.read_folders = NULL;
    forecast->options.number = options->number + 1; /* beside the walk that feeds the workers */
    int r = walk_create(&forecast->options, inputs, &forecast->walk);
    if (r < 0) {
        free(forecast);
        return r;
    }
    *ret_forecast = forecast;
    return 0;
}

struct forecast *forecast_free(struct forecast *forecast)
{
    if (!forecast)
        return NULL;
    walk_free(forecast->walk);
    free(forecast);
    return NULL;
}

bool forecast_counts(const struct walk_entry *entry)
{
    return entry->kind == WALK_FILE &&
           (entry->named ||
            img_format_from_extension(plan_extension(entry->name)) != IMG_FORMAT_UNKNOWN);
}

static void add_size(struct forecast *forecast, const struct walk_entry *entry)
{
    struct stat st;
    const int flags = entry->through_link ? 0 : AT_SYMLINK_NOFOLLOW;
    if (fstatat(entry->dir_fd, entry->open_name, &st, flags) == 0 && S_ISREG(st.st_mode))
        forecast->bytes += (uint64_t)st.st_size;
    forecast->sized++;
}

/* Returns false at the end of the walk. */
static bool count_some(struct forecast *forecast)
{
    struct walk_entry entry;
    for (int i = 0; i < ENTRIES_A_LOOK; i++) {
        int r = walk_next(forecast->walk, true, &entry);
        forecast->complete = r == 0;
        if (r <= 0)
            return false;
        if (!forecast_counts(&entry))
            continue;
        forecast->counted++;
        if (forecast->spent_ms < FORECAST_SIZES_MS)
            add_size(forecast, &entry);
    }
    return true;
}

void forecast_step(struct forecast *forecast)
{
    if (!forecast || !forecast->walk)
        return;
    const int64_t start_ms = clock_ms();
    int64_t now_ms = start_ms;
    bool more = true;
    while (more && now_ms - start_ms < FORECAST_STEP_MS) {
        more = count_some(forecast);
        now_ms = clock_ms();
    }
    forecast->spent_ms += now_ms - start_ms;
    if (!more || forecast->spent_ms > FORECAST_LIMIT_MS)
        forecast->walk = walk_free(forecast->walk);
}

uint64_t forecast_total(const struct forecast *forecast)
{
    return forecast && forecast->complete ? forecast->counted : 0;
}

uint64_t forecast_bytes(const struct forecast *forecast)
{
    const bool known = forecast_total(forecast) > 0 && forecast->sized == forecast->counted;
    return known ? forecast->bytes : 0;
}
