/* files.c: see files.h. */
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "isolate.h"

static struct kept {
    struct kept *next;
    void *memory;
} * all_kept;

void *keep(void *memory)
{
    struct kept *kept = malloc(sizeof(*kept));
    assert_non_null(kept);
    assert_non_null(memory);
    *kept = (struct kept){all_kept, memory};
    all_kept = kept;
    return memory;
}

char *scratch(const char *format, ...)
{
    char *below = NULL, *path = NULL;
    va_list args;
    va_start(args, format);
    assert_true(vasprintf(&below, format, args) >= 0);
    va_end(args);
    assert_true(asprintf(&path, "%s/%s", test_scratch(), below) >= 0);
    free(below);
    return keep(path);
}

void make_folder(const char *path)
{
    char *copy = keep(strdup(path));
    for (char *at = copy + 1;; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        const char kept = *at;
        *at = '\0';
        if (mkdir(copy, 0755) < 0)
            assert_int_equal(errno, EEXIST);
        *at = kept;
        if (kept == '\0')
            return;
    }
}

void write_file(const char *path, const void *data, size_t size_bytes)
{
    FILE *file = fopen(path, "we");
    if (!file)
        fail_msg("cannot make %s: %s", path, strerror(errno));
    assert_int_equal(fwrite(data, 1, size_bytes, file), size_bytes);
    assert_int_equal(fclose(file), 0);
}

void write_text(const char *path, const char *text)
{
    write_file(path, text, strlen(text));
}

char *read_file(const char *path, size_t *ret_size_bytes)
{
    struct stat st;
    FILE *file = fopen(path, "re");
    if (!file)
        fail_msg("cannot read %s: %s", path, strerror(errno));
    assert_int_equal(fstat(fileno(file), &st), 0);
    char *data = keep(calloc(1, (size_t)st.st_size + 1));
    assert_int_equal(fread(data, 1, (size_t)st.st_size, file), (size_t)st.st_size);
    fclose(file);
    if (ret_size_bytes)
        *ret_size_bytes = (size_t)st.st_size;
    return data;
}

bool file_exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

bool same_files(const char *left, const char *right)
{
    size_t left_bytes, right_bytes;
    const char *a = read_file(left, &left_bytes), *b = read_file(right, &right_bytes);
    return left_bytes == right_bytes && memcmp(a, b, left_bytes) == 0;
}

static int not_dots(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

int count_entries(const char *path)
{
    struct dirent **names;
    int count = scandir(path, &names, not_dots, alphasort);
    for (int i = 0; i < count; i++)
        free(names[i]);
    if (count >= 0)
        free(names);
    return count;
}

static uint64_t mix(uint64_t hash, const void *data, size_t size_bytes)
{
    const unsigned char *at = data;
    for (size_t i = 0; i < size_bytes; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t hash_tree(uint64_t hash, const char *path, const char *but_not, bool contents_only)
{
    struct dirent **names;
    int count = scandir(path, &names, not_dots, alphasort);
    for (int i = 0; i < count; i++) {
        char *below = NULL;
        struct stat st;
        assert_true(asprintf(&below, "%s/%s", path, names[i]->d_name) >= 0);
        assert_int_equal(lstat(below, &st), 0);
        if (!but_not || strcmp(names[i]->d_name, but_not) != 0) {
            hash = mix(hash, names[i]->d_name, strlen(names[i]->d_name) + 1);
            if (!contents_only) {
                hash = mix(hash, &st.st_ino, sizeof(st.st_ino));
                hash = mix(hash, &st.st_mode, sizeof(st.st_mode));
                hash = mix(hash, &st.st_nlink, sizeof(st.st_nlink));
                if (!S_ISDIR(st.st_mode)) {
                    hash = mix(hash, &st.st_size, sizeof(st.st_size));
                    hash = mix(hash, &st.st_mtim, sizeof(st.st_mtim));
                }
            }
            if (S_ISDIR(st.st_mode)) {
                hash = hash_tree(hash, below, NULL, contents_only);
            } else if (S_ISREG(st.st_mode) && access(below, R_OK) == 0) {
                size_t size_bytes;
                const char *data = read_file(below, &size_bytes);
                hash = mix(hash, data, size_bytes);
            }
        }
        free(below);
        free(names[i]);
    }
    if (count >= 0)
        free(names);
    return hash;
}

uint64_t tree_hash(const char *path, const char *but_not)
{
    return hash_tree(UINT64_C(0xcbf29ce484222325), path, but_not, false);
}

uint64_t tree_contents_hash(const char *path)
{
    return hash_tree(UINT64_C(0xcbf29ce484222325), path, NULL, true);
}
