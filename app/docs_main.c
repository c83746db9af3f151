/* docs_main.c: the program thumbpool-docs, which the build runs and nobody installs: it writes what
 * else is made from the table of options.
 *
 *     thumbpool-docs bash|zsh|fish FILE
 *     thumbpool-docs man FILE PAGE VERSION DATE     PAGE: thumbpool.1.in
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "completion_priv.h"
#include "manual_priv.h"
#include "text_priv.h"

static int read_whole(const char *path, struct text *text)
{
    char bytes[4096];
    size_t got;
    FILE *file = fopen(path, "re");
    if (!file)
        return -errno;
    while ((got = fread(bytes, 1, sizeof(bytes), file)) > 0)
        text_add(text, bytes, got);
    int r = ferror(file) ? -EIO : 0;
    fclose(file);
    return r;
}

static int write_whole(const char *path, const struct text *text)
{
    FILE *file = fopen(path, "we");
    if (!file)
        return -errno;
    int r = fwrite(text->data, 1, text->length, file) == text->length ? 0 : -EIO;
    if (fclose(file) != 0 && r == 0)
        r = -errno;
    return r;
}

/* Returns 0, -EINVAL for words that are none of the above, or another negative errno value. */
static int make(int argc, char **argv, struct text *text)
{
    struct text page = TEXT_INIT;
    int r = argc == 3 ? 0 : -EINVAL;
    if (argc == 6 && strcmp(argv[1], "man") == 0) {
        r = read_whole(argv[3], &page);
        if (r == 0)
            manual_page(text, text_string(&page), argv[4], argv[5]);
    } else if (r == 0 && strcmp(argv[1], "bash") == 0) {
        completion_bash(text);
    } else if (r == 0 && strcmp(argv[1], "zsh") == 0) {
        completion_zsh(text);
    } else if (r == 0 && strcmp(argv[1], "fish") == 0) {
        completion_fish(text);
    } else {
        r = -EINVAL;
    }
    if (r == 0 && (text_failed(text) || text_failed(&page)))
        r = -ENOMEM;
    text_done(&page);
    return r;
}

int main(int argc, char **argv)
{
    struct text text = TEXT_INIT;
    int r = make(argc, argv, &text);
    if (r == 0)
        r = write_whole(argv[2], &text);
    if (r < 0)
        fprintf(stderr, "thumbpool-docs: %s\n", strerror(-r));
    text_done(&text);
    return r < 0;
}
