/* ledgers.c: see ledgers.h. */
#include "ledgers.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "files.h"
#include "isolate.h"

int open_root(void)
{
    make_folder(scratch("out"));
    const int fd = open(scratch("out"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

const char *ledger_path(void)
{
    return scratch("out/%s", LEDGER_NAME);
}

const char *ledger_text(void)
{
    return read_file(ledger_path(), NULL);
}

int ledger_lines(void)
{
    int lines = 0;
    for (const char *at = ledger_text(); *at; at++)
        lines += *at == '\n';
    return lines;
}

struct ledger *open_ledger(int dir_fd)
{
    struct ledger *ledger = NULL;
    assert_int_equal(ledger_open(dir_fd, &ledger), 0);
    assert_non_null(ledger);
    return ledger;
}

void end_ledger(struct ledger *ledger, int dir_fd, bool complete)
{
    assert_int_equal(ledger_close(ledger, dir_fd, complete), 0);
    ledger_free(ledger);
}

struct ledger_source source_of(const char *path)
{
    return (struct ledger_source){
        .path = path, .mtime_ns = INT64_C(1700000000123456789), .size_bytes = 4711};
}

int fail_it(struct ledger *ledger, int dir_fd, const char *path, const char *slug, unsigned deaths)
{
    const struct ledger_source source = source_of(path);
    return ledger_fail(ledger, dir_fd, &source, slug, deaths);
}

bool knows(struct ledger *ledger, const char *path, const char *slug, unsigned deaths)
{
    const struct ledger_source source = source_of(path);
    const struct ledger_entry *entry = ledger_find(ledger, &source);
    if (!slug || !entry)
        return !slug && !entry;
    return strcmp(entry->slug, slug) == 0 && entry->deaths == deaths;
}
