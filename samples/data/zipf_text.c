#include "zipf_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORDS = 20000, PICKS = 1 << 16, WORD_MAX = 16, BLOCK = 1 << 16, SENTENCE_WORDS = 12 };

static const char *const frequent[] = {"the", "of",   "and", "to", "in",
                                       "a",   "that", "is",  "it", "was"};

/* What the text is made with. */
struct maker {
    uint64_t state;        /* of the generator of random numbers */
    uint16_t picks[PICKS]; /* ranks, each as often as it shall be picked */
};

/* splitmix64: small, and good enough for this. */
static uint64_t next_random(struct maker *maker)
{
    uint64_t x = maker->state += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

/* Pick number i is the rank up to which i/PICKS of all words are. */
static void picks_fill(struct maker *maker)
{
    double all = 0, so_far = 1;
    size_t rank = 0;
    for (size_t i = 1; i <= WORDS; i++)
        all += 1.0 / (double)i;
    for (size_t i = 0; i < PICKS; i++) {
        while (rank + 1 < WORDS && so_far / all * PICKS <= (double)i)
            so_far += 1.0 / (double)(++rank + 1);
        maker->picks[i] = (uint16_t)rank;
    }
}

/* The word of that rank: a few real ones, then ones made of syllables. Returns its length. */
static size_t word_of_rank(size_t rank, char word[WORD_MAX])
{
    const size_t known = sizeof(frequent) / sizeof(frequent[0]);
    size_t length = 0;
    if (rank < known) {
        length = strlen(frequent[rank]);
        memcpy(word, frequent[rank], length);
        return length;
    }
    for (size_t left = rank - known + 60; left > 0; left /= 60) { /* two syllables at least */
        word[length++] = "bdfghklmnprs"[left % 12];
        word[length++] = "aeiou"[left / 12 % 5];
    }
    return length;
}

static int write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        const ssize_t wrote = write(fd, data, size);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return -errno;
        data += wrote;
        size -= (size_t)wrote;
    }
    return 0;
}

static int write_text(int fd, size_t size_bytes)
{
    struct maker *maker = malloc(sizeof(*maker));
    char *block = calloc(1, BLOCK + WORD_MAX + 2);
    size_t used = 0, written = 0, words = 0;
    int r = maker && block ? 0 : -ENOMEM;
    if (r == 0) {
        maker->state = 1;
        picks_fill(maker);
    }
    while (r == 0 && written < size_bytes) {
        char *word = block + used;
        used += word_of_rank(maker->picks[next_random(maker) % PICKS], word);
        if (words++ % SENTENCE_WORDS == 0)
            word[0] = (char)(word[0] - ('a' - 'A'));
        if (words % SENTENCE_WORDS == 0)
            block[used++] = '.';
        block[used++] = words % SENTENCE_WORDS == 0 ? '\n' : ' ';
        if (used >= BLOCK || written + used >= size_bytes) {
            r = write_all(fd, block, used);
            written += used;
            used = 0;
        }
    }
    free(block);
    free(maker);
    return r;
}

int zipf_text_make(size_t size_bytes)
{
    const char *folder = getenv("TMPDIR");
    char path[4096];
    snprintf(path, sizeof(path), "%s/zipf-text-XXXXXX", folder ? folder : "/tmp");
    const int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = unlink(path) < 0 ? -errno : write_text(fd, size_bytes);
    if (r == 0)
        return fd;
    close(fd);
    return r;
}
