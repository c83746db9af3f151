/* photo_set_priv.h: a set of sample pictures in one folder; private to samples/. */
#ifndef SAMPLES_PHOTO_SET_PRIV_H
#define SAMPLES_PHOTO_SET_PRIV_H

#include "photo_priv.h"

/* The first group is the caller's; the second belongs to photo_set_open. */
struct photo_set {
    const char *out; /* the folder, as the user named it */
    int count;
    int width_px, height_px; /* as stored; 0: each variant's own size */
    uint64_t seed;
    bool flat; /* JPEG only, named .jpeg, without folders */
    const struct photo_noise *noise;

    int out_fd;
    bool out_is_new; /* made by us, so ours to remove */
};

#define PHOTO_SET_COUNT_MAX 1000000

/** Make the set's folders, out too if it does not exist. It must be empty if it does.
 *  Returns 0, -ENOTEMPTY, or the errno of what failed. photo_set_close afterwards in any case. */
int photo_set_open(struct photo_set *set);

/** Make picture number, 0..count-1. A file of that name must not exist.
 *  Returns 0 or a negative errno, the reason already told on stderr. *ret_bytes: its size.
 *  Thread safety: any process and thread, for different numbers. */
int photo_set_make(const struct photo_set *set, int number, uint64_t *ret_bytes);

/** Remove the pictures of an opened set, then its folders where nothing else is in them. */
void photo_set_remove(const struct photo_set *set);

/** Release what photo_set_open took; the pictures stay. */
void photo_set_close(struct photo_set *set);

#endif
