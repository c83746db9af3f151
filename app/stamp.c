/* stamp.c: see stamp_priv.h. */
#include "stamp_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "digest_priv.h"

/* What a note has room for, beside the rest of the line. */
#define SOURCE_MAX_BYTES (IMG_NOTE_MAX_BYTES - 196)

#define HASH_DIGITS ((size_t)2 * DIGEST_BYTES)

#define NSEC_PER_SEC 1000000000

uint64_t stamp_settings(const struct options *options)
{
    char line[256];
    const int length = snprintf(
        line, sizeof(line),
        "algorithm=%d size=%" PRIu32 "x%" PRIu32 " fit=%d background=%02x%02x%02x "
        "enlarge=%d format=%s quality=%d fail-on=%d fast=%d",
        STAMP_ALGORITHM, options->box_width_px, options->box_height_px, (int)options->fit,
        options->background[0], options->background[1], options->background[2], options->enlarge,
        img_format_name(options->format), options->quality, (int)options->fail_on, options->fast);
    return digest_short(digest_of(line, length > 0 ? (size_t)length : 0));
}

/* ---- States -------------------------------------------------------------------------------- */

/* Is a time of change over, so that a later change gives a later one? File systems write down the
 * clock as it was at its last tick, and some drop more: 10 ms (exFAT), a second, two (FAT). */
static bool is_over(const struct timespec *mtime)
{
    struct timespec now;
    int64_t step_ns = 0;
    if (mtime->tv_nsec == 0)
        step_ns = INT64_C(2) * NSEC_PER_SEC;
    else if (mtime->tv_nsec % 10000000 == 0)
        step_ns = 10000000;
    if (clock_gettime(CLOCK_REALTIME_COARSE, &now) < 0 || mtime->tv_sec > now.tv_sec)
        return false;
    if (mtime->tv_sec < now.tv_sec - 3) /* so that no difference overflows below */
        return true;
    const int64_t age_ns =
        ((int64_t)now.tv_sec - mtime->tv_sec) * NSEC_PER_SEC + (now.tv_nsec - mtime->tv_nsec);
    return age_ns > step_ns;
}

void stamp_set_state(struct stamp *stamp, const struct stat *st)
{
    stamp->settled = is_over(&st->st_mtim);
    stamp->mtime_sec = st->st_mtim.tv_sec;
    stamp->mtime_nsec = (uint32_t)st->st_mtim.tv_nsec;
    stamp->size_bytes = (uint64_t)st->st_size;
}

bool stamp_same_source(const struct stamp *a, const struct stamp *b)
{
    return a->root == b->root && a->hashed == b->hashed && a->source_bytes == b->source_bytes &&
           memcmp(a->source, b->source, a->source_bytes) == 0;
}

bool stamp_same_state(const struct stamp *a, const struct stamp *b)
{
    return a->settled && b->settled && a->mtime_sec == b->mtime_sec &&
           a->mtime_nsec == b->mtime_nsec && a->size_bytes == b->size_bytes &&
           a->settings == b->settings;
}

/* ---- Paths --------------------------------------------------------------------------------- */

static bool stands_for_itself(unsigned char byte)
{
    return byte > ' ' && byte <= '~' && byte != '%';
}

bool stamp_encode(struct text *text, const char *path)
{
    static const char digits[] = "0123456789ABCDEF";
    const size_t start = text->length;
    const unsigned char *at = (const unsigned char *)path;
    while (*at && text->length - start <= SOURCE_MAX_BYTES) {
        size_t run = 0;
        while (at[run] && stands_for_itself(at[run]))
            run++;
        text_add(text, at, run);
        at += run;
        for (; *at && !stands_for_itself(*at); at++) {
            const char code[3] = {'%', digits[*at >> 4], digits[*at & 15]};
            text_add(text, code, sizeof(code));
        }
    }
    if (text->length - start <= SOURCE_MAX_BYTES)
        return false;
    const struct digest digest = digest_of(path, strlen(path));
    text->data[start] = '\0';
    text->length = start; /* a failure is still remembered */
    for (size_t i = 0; i < DIGEST_BYTES; i++)
        text_printf(text, "%02x", digest.bytes[i]);
    return true;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Is it below the root by its words alone? */
static bool is_plain(const char *path)
{
    for (const char *at = path;; at++) {
        const size_t length = strcspn(at, "/");
        if (length == 0 || (at[0] == '.' && (length == 1 || (length == 2 && at[1] == '.'))))
            return false;
        at += length;
        if (*at == '\0')
            return true;
    }
}

bool stamp_decode(struct text *path, const struct stamp *stamp)
{
    const size_t start = path->length;
    if (stamp->hashed)
        return false;
    for (size_t i = 0; i < stamp->source_bytes; i++) {
        char byte = stamp->source[i];
        if (byte == '%') {
            if (stamp->source_bytes - i < 3)
                return false;
            const int high = hex_digit(stamp->source[i + 1]), low = hex_digit(stamp->source[i + 2]);
            if (high < 0 || low < 0 || high + low == 0)
                return false;
            byte = (char)(high << 4 | low);
            i += 2;
        }
        text_add(path, &byte, 1);
    }
    return !text_failed(path) && path->length > start && is_plain(path->data + start);
}

/* ---- Lines --------------------------------------------------------------------------------- */

void stamp_write(struct text *line, const struct stamp *stamp)
{
    text_puts(line, "thumbpool/1 mtime=");
    if (stamp->settled)
        text_printf(line, "%" PRId64 ".%09" PRIu32, stamp->mtime_sec, stamp->mtime_nsec);
    else
        text_puts(line, "-");
    text_printf(line, " size=%" PRIu64 " settings=%016" PRIx64 " root=%016" PRIx64 " %s=",
                stamp->size_bytes, stamp->settings, stamp->root, stamp->hashed ? "hash" : "source");
    text_add(line, stamp->source, stamp->source_bytes);
}

/* What is left of a line that is read from left to right. */
struct reader {
    const char *at, *end;
};

static bool take_words(struct reader *reader, const char *words)
{
    const size_t length = strlen(words);
    if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, words, length) != 0)
        return false;
    reader->at += length;
    return true;
}

static bool take_number(struct reader *reader, unsigned base, uint64_t *ret_value)
{
    const char *start = reader->at;
    uint64_t value = 0;
    for (; reader->at < reader->end; reader->at++) {
        const char c = *reader->at;
        const unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                               : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                      : base;
        if (digit >= base)
            break;
        if (__builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *ret_value = value;
    return reader->at > start;
}

static bool take_hex(struct reader *reader, uint64_t *ret_value)
{
    const char *start = reader->at;
    return take_number(reader, 16, ret_value) && reader->at - start == 16;
}

static bool take_time(struct reader *reader, struct stamp *stamp)
{
    uint64_t seconds, nanoseconds;
    if (take_words(reader, "- ")) {
        reader->at--;
        stamp->settled = false;
        return true;
    }
    const bool negative = take_words(reader, "-");
    if (!take_number(reader, 10, &seconds) || seconds > INT64_MAX || !take_words(reader, "."))
        return false;
    const char *start = reader->at;
    if (!take_number(reader, 10, &nanoseconds) || reader->at - start != 9)
        return false;
    stamp->settled = true;
    stamp->mtime_sec = negative ? -(int64_t)seconds : (int64_t)seconds;
    stamp->mtime_nsec = (uint32_t)nanoseconds;
    return true;
}

int stamp_parse(const char *note, size_t note_bytes, struct stamp *ret_stamp)
{
    struct reader reader = {note, note + note_bytes};
    struct stamp stamp = {.settled = false};
    if (!take_words(&reader, "thumbpool/1 mtime=") || !take_time(&reader, &stamp) ||
        !take_words(&reader, " size=") || !take_number(&reader, 10, &stamp.size_bytes) ||
        !take_words(&reader, " settings=") || !take_hex(&reader, &stamp.settings) ||
        !take_words(&reader, " root=") || !take_hex(&reader, &stamp.root))
        return -ENOMSG;
    stamp.hashed = take_words(&reader, " hash=");
    if (!stamp.hashed && !take_words(&reader, " source="))
        return -ENOMSG;
    stamp.source = reader.at;
    stamp.source_bytes = (size_t)(reader.end - reader.at);
    if (stamp.source_bytes == 0 || memchr(stamp.source, ' ', stamp.source_bytes) ||
        (stamp.hashed && stamp.source_bytes != HASH_DIGITS))
        return -ENOMSG;
    *ret_stamp = stamp;
    return 0;
}

bool stamp_is_whole(int fd, const struct stat *st, enum img_format format)
{
    uint8_t end[IMG_END_BYTES];
    return st->st_size >= (off_t)sizeof(end) &&
           pread(fd, end, sizeof(end), st->st_size - (off_t)sizeof(end)) == (ssize_t)sizeof(end) &&
           img_end_is_there(end, format);
}

int stamp_read(int fd, uint8_t *buffer, struct stamp *ret_stamp, enum img_format *ret_format)
{
    size_t filled = 0;
    while (filled < IMG_NOTE_PROBE_BYTES) {
        ssize_t got = pread(fd, buffer + filled, IMG_NOTE_PROBE_BYTES - filled, (off_t)filled);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        filled += (size_t)got;
    }
    const char *note = NULL;
    const int length = filled > 0 ? img_note_find(buffer, filled, &note) : -ENOMSG;
    if (length < 0)
        return -ENOMSG;
    *ret_format = img_format_probe(buffer, filled);
    return stamp_parse(note, (size_t)length, ret_stamp);
}
