/* photo_priv.h: what the maker of sample photos is made of; private to samples/.
 *
 *   photo_noise.c    random numbers and the noise that every texture is cut from
 *   photo_scene.c    a landscape, composed and painted upright
 *   photo_surface.c  what its sky, rocks, trees, water and grass look like
 *   photo_pixels.c   pictures in memory: turned, cut out
 *   photo_write.c    a picture as a JPEG or PNG file, its EXIF and its ICC profile
 *   make_photos.c    the program: which pictures, where, and by how many processes
 *
 * Everything is a function of the seeds it is given, so one machine always makes the same bytes.
 */
#ifndef SAMPLES_PHOTO_PRIV_H
#define SAMPLES_PHOTO_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* --- Pictures --- */

/** 8-bit samples, rows packed. */
struct photo {
    int width_px, height_px;
    int channels; /* 3: RGB, 4: RGB and alpha */
    uint8_t *pixels;
};

#define PHOTO_SIDE_MIN 16 /* a landscape needs a sky and a foreground */
#define PHOTO_SIDE_MAX 16384

/** Allocate a picture, its pixels undefined. Sides: PHOTO_SIDE_MIN..PHOTO_SIDE_MAX.
 *  Returns 0, -EINVAL or -ENOMEM; *ret_photo is written on success only and is then released by
 *  photo_done. */
int photo_init(int width_px, int height_px, int channels, struct photo *ret_photo);

/** Release the pixels. Accepts a zeroed picture. */
void photo_done(struct photo *photo);

/** Make the stored form of an upright picture (3 channels): the pixels a camera held that way
 *  writes beside EXIF orientation 2..8, which a viewer turns back. 5..8 swap the sides.
 *  Returns 0, -EINVAL (no such orientation) or -ENOMEM; *ret_stored is released by photo_done. */
int photo_turn(const struct photo *upright, int orientation, struct photo *ret_stored);

/** Make a copy with an alpha channel: opaque inside an oval, soft at its edge, clear outside.
 *  Returns 0 or -ENOMEM; *ret_cut is released by photo_done. */
int photo_cut_out(const struct photo *photo, struct photo *ret_cut);

/* --- Random numbers and noise --- */

/** The next number of a sequence that *state alone decides (splitmix64). */
uint64_t photo_random(uint64_t *state);

/** A number from low up to high. */
float photo_random_between(uint64_t *state, float low, float high);

#define PHOTO_TILE_PX 512 /* a power of two: tiles repeat by masking */

/** Three tiles that repeat without a seam, TILE_PX wide and high. About 2 MiB. */
struct photo_noise {
    float cloud[PHOTO_TILE_PX * PHOTO_TILE_PX];  /* fractal, about -1..1: clouds, hills, ripples */
    float rock[PHOTO_TILE_PX * PHOTO_TILE_PX];   /* the same as lit relief: slopes, grass */
    int8_t grain[PHOTO_TILE_PX * PHOTO_TILE_PX]; /* film grain, standard deviation about 32 */
};

/** Fill the tiles. They are the same for every seed: scenes differ by where they look. */
void photo_noise_init(struct photo_noise *noise);

/** tile at column u and row v, both >= 0, between its four neighbours. */
static inline float photo_tile_at(const float *tile, float u, float v)
{
    const int column = (int)u, row = (int)v, mask = PHOTO_TILE_PX - 1;
    const float fu = u - (float)column, fv = v - (float)row;
    const float *above = tile + (row & mask) * PHOTO_TILE_PX;
    const float *below = tile + ((row + 1) & mask) * PHOTO_TILE_PX;
    const int left = column & mask, right = (column + 1) & mask;
    const float top = above[left] + fu * (above[right] - above[left]);
    const float bottom = below[left] + fu * (below[right] - below[left]);
    return top + fv * (bottom - top);
}

/* --- Landscapes --- */

/** Paint a landscape over all of photo (3 channels), upright.
 *  scene: seed of what is seen.  shot: seed of the moment: clouds, waves and grain.
 *  Two shots of one scene show the same view at any size and proportion, and share no bytes.
 *  Returns 0 or -ENOMEM. */
int photo_paint(const struct photo_noise *noise, uint64_t scene, uint64_t shot,
                struct photo *photo);

/* --- Files --- */

enum photo_sampling { PHOTO_420, PHOTO_422, PHOTO_444 };

struct photo_format {
    bool png;
    enum photo_sampling sampling; /* JPEG: of the two colour channels */
    bool progressive;             /* JPEG */
    bool restart_markers;         /* JPEG: after every row of blocks */
    int orientation;              /* JPEG: 1..8 writes EXIF that says so, 0 none */
    bool display_p3;              /* JPEG: the pixels are in Display P3 and the profile says so */
};

/** Write photo to file as format says. Does not close file.
 *  Returns 0, -EIO (the write failed or the encoder refused, already told on stderr) or -ENOMEM. */
int photo_write(const struct photo *photo, const struct photo_format *format, FILE *file);

/** Turn the colours of photo (3 channels) from sRGB into Display P3, so that it looks the same
 *  once the profile is obeyed. Returns 0 or -ENOMEM. */
int photo_to_display_p3(struct photo *photo);

#endif
