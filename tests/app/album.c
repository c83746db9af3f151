#include "album.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/clock_priv.h"
#include "app/ledger_priv.h"
#include "app/outdir_priv.h"

#include "files.h"
#include "isolate.h"
#include "pictures.h"

int64_t scaled(int64_t limit_ms)
{
    return limit_ms * test_time_scale();
}

double summary_of(const struct program_result *result, const char *key)
{
    size_t count;
    struct json_value **events = program_events(result, &count);
    const struct json_value *value = json_get(events[count - 1], key);
    return value ? value->number : 0;
}

void wait_for_thumbs(int least)
{
    const int64_t until_ms = clock_ms() + scaled(10000);
    while (count_entries(scratch("in/thumbs")) < least && clock_ms() < until_ms)
        poll(NULL, 0, 5);
}

const char *string_of(const struct json_value *event, const char *path)
{
    const struct json_value *value = json_get(event, path);
    return value && value->type == JSON_STRING ? value->string : "";
}

const char *error_of(const struct program_result *result, const char *path_end)
{
    return string_of(program_file(result, path_end), "error");
}

int check_outputs(const char *path)
{
    int checked = 0;
    DIR *dir = opendir(path);
    if (!dir)
        return 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (strcmp(entry->d_name, LEDGER_NAME) == 0)
            continue;
        assert_null(strstr(entry->d_name, TEMPORARY_PREFIX));
        char *below = NULL;
        assert_true(asprintf(&below, "%s/%s", path, entry->d_name) >= 0);
        struct stat st;
        assert_int_equal(lstat(below, &st), 0);
        if (S_ISDIR(st.st_mode)) {
            checked += check_outputs(below);
        } else {
            check_picture(below, NULL, NULL, NULL);
            checked++;
        }
        free(below);
    }
    closedir(dir);
    return checked;
}

void make_album(void)
{
    make_folder(scratch("in/2020/summer"));
    make_folder(scratch("in/2021"));
    for (unsigned i = 0; i < 12; i++) {
        make_jpeg(scratch("in/p%02u.jpg", i), 300 + i, 200, i);
        make_jpeg(scratch("in/2020/summer/s%02u.JPEG", i), 200, 300 + i, i + 20);
        make_png(scratch("in/2021/g%02u.png", i), 310, 190 + i, i % 2, i + 40);
    }
}

void make_many_slow(unsigned count)
{
    make_folder(scratch("in"));
    make_slow_jpeg(scratch("in/000.jpg"), 1500, 1500, 1);
    for (unsigned i = 1; i < count; i++)
        assert_int_equal(link(scratch("in/000.jpg"), scratch("in/%03u.jpg", i)), 0);
}
