/* photo_pixels.c: pictures in memory: allocated, turned, cut out. */
#include "photo_priv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int photo_init(int width_px, int height_px, int channels, struct photo *ret_photo)
{
    if (width_px < PHOTO_SIDE_MIN || width_px > PHOTO_SIDE_MAX || height_px < PHOTO_SIDE_MIN ||
        height_px > PHOTO_SIDE_MAX || (channels != 3 && channels != 4))
        return -EINVAL;
    uint8_t *pixels = malloc((size_t)width_px * (size_t)height_px * (size_t)channels);
    if (!pixels)
        return -ENOMEM;
    *ret_photo = (struct photo){width_px, height_px, channels, pixels};
    return 0;
}

void photo_done(struct photo *photo)
{
    free(photo->pixels);
    *photo = (struct photo){0};
}

/* Where the stored row 0 and column 0 lie in the upright picture; the words are the standard's. */
struct turn {
    bool swap;            /* stored rows are upright columns */
    bool row_from_end;    /* row 0 is the bottom (or, swapped, the right side) */
    bool column_from_end; /* column 0 is the right side (or, swapped, the bottom) */
};

static const struct turn turns[] = {
    [1] = {false, false, false}, /* row 0 top, column 0 left */
    [2] = {false, false, true},  /* top, right */
    [3] = {false, true, true},   /* bottom, right */
    [4] = {false, true, false},  /* bottom, left */
    [5] = {true, false, false},  /* left, top */
    [6] = {true, true, false},   /* right, top */
    [7] = {true, true, true},    /* right, bottom */
    [8] = {true, false, true},   /* left, bottom */
};

int photo_turn(const struct photo *upright, int orientation, struct photo *ret_stored)
{
    if (orientation < 1 || orientation > 8)
        return -EINVAL;
    const struct turn *turn = &turns[orientation];
    struct photo stored;
    const int width_px = turn->swap ? upright->height_px : upright->width_px;
    const int height_px = turn->swap ? upright->width_px : upright->height_px;
    const int r = photo_init(width_px, height_px, 3, &stored);
    if (r < 0)
        return r;

    const ptrdiff_t across = 3, down = 3 * (ptrdiff_t)upright->width_px;
    const ptrdiff_t row_step = (turn->swap ? across : down) * (turn->row_from_end ? -1 : 1);
    const ptrdiff_t column_step = (turn->swap ? down : across) * (turn->column_from_end ? -1 : 1);
    const uint8_t *row = upright->pixels;
    if (turn->row_from_end)
        row -= row_step * (height_px - 1);
    if (turn->column_from_end)
        row -= column_step * (width_px - 1);
    uint8_t *out = stored.pixels;
    for (int y = 0; y < height_px; y++, row += row_step) {
        const uint8_t *pixel = row;
        for (int x = 0; x < width_px; x++, pixel += column_step, out += 3)
            memcpy(out, pixel, 3);
    }
    *ret_stored = stored;
    return 0;
}

int photo_cut_out(const struct photo *photo, struct photo *ret_cut)
{
    const int r = photo_init(photo->width_px, photo->height_px, 4, ret_cut);
    if (r < 0)
        return r;
    const float middle_x = 0.5f * (float)(photo->width_px - 1);
    const float middle_y = 0.5f * (float)(photo->height_px - 1);
    const uint8_t *in = photo->pixels;
    uint8_t *out = ret_cut->pixels;
    for (int y = 0; y < photo->height_px; y++) {
        const float v = ((float)y - middle_y) / middle_y;
        for (int x = 0; x < photo->width_px; x++, in += 3, out += 4) {
            const float u = ((float)x - middle_x) / middle_x;
            const float edge = 1 - (u * u * u * u + v * v * v * v); /* 0 on the oval, 1 inside */
            memcpy(out, in, 3);
            out[3] = (uint8_t)(255 * fminf(fmaxf(edge * 5, 0), 1));
        }
    }
    return 0;
}
