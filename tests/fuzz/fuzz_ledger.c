/* fuzz_ledger.c: the ledger of pictures that have failed, as anybody may have written it. An input
 * is a file, and each line of it a line. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <app/ledger_file_priv.h>
#include <app/ledger_line_priv.h>

#include "fuzz.h"

const enum fuzz_kind fuzz_kind = FUZZ_BYTES;

static void record_check(const struct ledger_record *record, const char *path, size_t length)
{
    if (length < 1 || path[0] != '/' || memchr(path, '\0', length))
        fuzz_fail("no path");
    if (record->deaths > LEDGER_DEATHS_MAX || record->run > LEDGER_RUN_MAX ||
        memchr(record->slug, '\0', LEDGER_SLUG_BYTES) == NULL)
        fuzz_fail("a record out of range");
    if (record->slug[0] && !ledger_slug_valid(record->slug, strlen(record->slug)))
        fuzz_fail("a bad slug: %s", record->slug);
}

/* What was read is written, and read once more. */
static void written_check(const struct ledger_record *record, const char *path, size_t length)
{
    struct text text = TEXT_INIT;
    struct ledger_record again = {0};
    char *again_path = NULL;
    size_t again_length = 0;
    ledger_line_write(&text, record, path, length);
    if (text.length < 1 || text.data[text.length - 1] != '\n' ||
        memchr(text.data, '\n', text.length - 1))
        fuzz_fail("no line is written");
    if (!ledger_line_read(text.data, text.length - 1, &again, &again_path, &again_length))
        fuzz_fail("what is written is not read");
    if (again.mtime_ns != record->mtime_ns || again.size_bytes != record->size_bytes ||
        again.run != record->run || again.deaths != record->deaths ||
        strcmp(again.slug, record->slug) != 0 || again_length != length ||
        memcmp(again_path, path, length) != 0)
        fuzz_fail("what is written is read as something else");
    text_done(&text);
}

static int line_take(void *context, char *line, size_t length)
{
    struct ledger_record record;
    char *path;
    size_t path_length;
    (void)context;
    if (memchr(line, '\n', length))
        fuzz_fail("a line of several");
    if (!ledger_line_read(line, length, &record, &path, &path_length))
        return 0;
    fuzz_taken++;
    if (path < line || path_length > length || (size_t)(path - line) > length - path_length)
        fuzz_fail("a path outside of its line");
    record_check(&record, path, path_length);
    written_check(&record, path, path_length);
    return 0;
}

static void file_check(const uint8_t *data, size_t size)
{
    struct ledger_file file = LEDGER_FILE_INIT;
    file.fd = memfd_create("ledger", MFD_CLOEXEC);
    if (file.fd < 0 || write(file.fd, data, size) != (ssize_t)size)
        fuzz_fail("no file: %s", strerror(errno));
    file.full_size = size;
    const int r = ledger_file_read(&file, line_take, NULL);
    if (r != 0 && r != -ENOTSUP && r != -EFBIG)
        fuzz_fail("reading fails with %d", r);
    if (file.size > size || (r == 0 && file.size > 0 && data[file.size - 1] != '\n'))
        fuzz_fail("half a line is taken");
    ledger_file_close(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > FUZZ_BYTES_MAX)
        return 0;
    char *line = malloc(size ? size : 1);
    if (!line)
        fuzz_fail("no memory");
    const uint8_t *feed = size ? memchr(data, '\n', size) : NULL;
    const size_t length = feed ? (size_t)(feed - data) : size;
    memcpy(line, data, length);
    line_take(NULL, line, length);
    free(line);
    file_check(data, size);
    return 0;
}
