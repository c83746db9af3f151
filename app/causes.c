/* causes.c: see causes_priv.h. */
#include "causes_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "escape_priv.h"
#include "json_priv.h"

static const char others[] = "other";

static struct cause *find(struct causes *causes, const char *slug)
{
    for (unsigned i = 0; i < causes->used; i++)
        if (strncmp(causes->list[i].slug, slug, CAUSES_SLUG_BYTES - 1) == 0)
            return &causes->list[i];
    return NULL;
}

static struct cause *cause_of(struct causes *causes, const char *slug)
{
    struct cause *cause = find(causes, slug);
    if (!cause && causes->used >= CAUSES_MAX) {
        slug = others;
        cause = find(causes, slug);
    }
    if (!cause) {
        cause = &causes->list[causes->used++];
        strncpy(cause->slug, slug, CAUSES_SLUG_BYTES - 1);
    }
    return cause;
}

void causes_add(struct causes *causes, const char *slug, const char *path)
{
    struct cause *cause = cause_of(causes, slug);
    if (cause->count < CAUSES_NAMED_MAX)
        cause->names[cause->count] = strdup(path);
    cause->count++;
    causes->count++;
}

void causes_done(struct causes *causes)
{
    for (unsigned i = 0; i < causes->used; i++)
        for (unsigned n = 0; n < CAUSES_NAMED_MAX; n++)
            free(causes->list[i].names[n]);
    *causes = (struct causes){.used = 0};
}

/* The commonest first; what is equally common stays in the order of the first ones. */
static void sort(struct causes *causes)
{
    for (unsigned i = 1; i < causes->used; i++)
        for (unsigned at = i; at > 0; at--) {
            struct cause *left = &causes->list[at - 1], *right = &causes->list[at];
            if (left->count >= right->count)
                break;
            const struct cause smaller = *left;
            *left = *right;
            *right = smaller;
        }
}

static void add_names(const struct cause *cause, struct text *text)
{
    uint64_t named = 0;
    for (unsigned n = 0; n < CAUSES_NAMED_MAX; n++) {
        if (!cause->names[n])
            continue;
        text_puts(text, named++ > 0 ? ", " : ": ");
        escape_name(text, cause->names[n], strlen(cause->names[n]));
    }
    if (named > 0 && cause->count > named)
        text_printf(text, " and %" PRIu64 " more", cause->count - named);
}

void causes_text(struct causes *causes, struct text *text, const char *color, const char *reset)
{
    if (causes->count < CAUSES_GROUPED_MIN)
        return;
    sort(causes);
    text_printf(text, "%" PRIu64 " failed", causes->count);
    for (unsigned i = 0; i < causes->used; i++)
        text_printf(text, "%s %" PRIu64 " %s%s%s", i == 0 ? ":" : ",", causes->list[i].count, color,
                    causes->list[i].slug, reset);
    for (unsigned i = 0; i < causes->used; i++) {
        text_printf(text, "\n  %s%s%s", color, causes->list[i].slug, reset);
        add_names(&causes->list[i], text);
    }
}

void causes_json(struct causes *causes, struct text *json)
{
    if (causes->count == 0)
        return;
    sort(causes);
    json_open(json, "errors", '{');
    for (unsigned i = 0; i < causes->used; i++)
        json_uint(json, causes->list[i].slug, causes->list[i].count);
    json_close(json, '}');
}
