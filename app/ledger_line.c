/* ledger_line.c: see ledger_line_priv.h. The path comes last and is written as names are shown, so
 * that a line holds no control character but its own tabs. */
#include "ledger_line_priv.h"

#include <inttypes.h>
#include <string.h>

#include "escape_priv.h"

#define NO_SLUG "-"

bool ledger_slug_valid(const char *slug, size_t length)
{
    if (length == 0 || length >= LEDGER_SLUG_BYTES || slug[0] == '-')
        return false;
    for (size_t i = 0; i < length; i++)
        if ((slug[i] < 'a' || slug[i] > 'z') && slug[i] != '-')
            return false;
    return true;
}

void ledger_line_write(struct text *text, const struct ledger_record *record, const char *path,
                       size_t length)
{
    text_printf(text, "%" PRId64 "\t%" PRIu64 "\t%u\t%s\t%" PRIu64 "\t", record->mtime_ns,
                record->size_bytes, record->deaths, record->slug[0] ? record->slug : NO_SLUG,
                record->run);
    escape_name(text, path, length);
    text_puts(text, "\n");
}

/* A field is digits alone, without sign or space, and not above largest. */
static bool read_number(const char *at, size_t length, uint64_t largest, uint64_t *ret_number)
{
    uint64_t number = 0;
    if (length == 0)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (at[i] < '0' || at[i] > '9' || __builtin_mul_overflow(number, UINT64_C(10), &number) ||
            __builtin_add_overflow(number, (uint64_t)(at[i] - '0'), &number))
            return false;
    }
    *ret_number = number;
    return number <= largest;
}

static bool read_time(const char *at, size_t length, int64_t *ret_time)
{
    const bool is_negative = length > 0 && at[0] == '-';
    uint64_t number;
    if (!read_number(at + is_negative, length - is_negative, INT64_MAX, &number))
        return false;
    *ret_time = is_negative ? -(int64_t)number : (int64_t)number;
    return true;
}

static bool read_slug(const char *at, size_t length, char *slug)
{
    if (length == strlen(NO_SLUG) && memcmp(at, NO_SLUG, length) == 0)
        return true;
    if (!ledger_slug_valid(at, length))
        return false;
    memcpy(slug, at, length);
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The inverse of escape_name(), in place. Returns the length, 0 if it is no path. */
static size_t read_path(char *path, size_t length)
{
    size_t to = 0;
    for (size_t at = 0; at < length; at++, to++) {
        char c = path[at];
        if (c == '\\') {
            if (length - at < 4 || path[at + 1] != 'x')
                return 0;
            const int high = hex_digit(path[at + 2]), low = hex_digit(path[at + 3]);
            if (high < 0 || low < 0)
                return 0;
            c = (char)(high << 4 | low);
            at += 3;
        }
        if (c == '\0')
            return 0;
        path[to] = c;
    }
    return to > 0 && path[0] == '/' ? to : 0;
}

bool ledger_line_read(char *line, size_t length, struct ledger_record *ret_record, char **ret_path,
                      size_t *ret_length)
{
    enum { MTIME, SIZE, DEATHS, SLUG, RUN, FIELD_COUNT };
    struct ledger_record record = {0};
    uint64_t deaths = 0;
    char *at = line, *const end = line + length;
    for (int field = MTIME; field < FIELD_COUNT; field++) {
        char *tab = memchr(at, '\t', (size_t)(end - at));
        if (!tab)
            return false;
        const size_t size = (size_t)(tab - at);
        bool good = field == MTIME    ? read_time(at, size, &record.mtime_ns)
                    : field == SIZE   ? read_number(at, size, UINT64_MAX, &record.size_bytes)
                    : field == DEATHS ? read_number(at, size, LEDGER_DEATHS_MAX, &deaths)
                    : field == SLUG   ? read_slug(at, size, record.slug)
                                      : read_number(at, size, LEDGER_RUN_MAX, &record.run);
        if (!good)
            return false;
        at = tab + 1;
    }
    record.deaths = (unsigned)deaths;
    const size_t path_length = read_path(at, (size_t)(end - at));
    if (path_length == 0 || (record.slug[0] == '\0' && deaths > 0))
        return false;
    *ret_record = record;
    *ret_path = at;
    *ret_length = path_length;
    return true;
}
