#include "orient_priv.h"

#include <errno.h>
#include <string.h>

/* The orientation is where the stored first row and column belong: 6 has the first row on the
 * right and the first column at the top. Each is a walk over the stored picture: where the
 * upright picture's first pixel is, and which way its rows and columns run. */
struct walk {
    bool start_right;
    bool start_bottom;
    bool swap; /* the upright row runs along a stored column */
};

static const struct walk walks[9] = {
    [2] = {true, false, false}, [3] = {true, true, false}, [4] = {false, true, false},
    [5] = {false, false, true}, [6] = {false, true, true}, [7] = {true, true, true},
    [8] = {true, false, true},
};

static const struct walk *walk_of(int orientation)
{
    return &walks[orientation >= 2 && orientation <= 8 ? orientation : 1];
}

struct img_flips img_orientation_flips(int orientation)
{
    const struct walk *walk = walk_of(orientation);
    return (struct img_flips){.across = walk->start_right, .down = walk->start_bottom};
}

/* Copy the upright picture row by row. Always inlined with constant channels. */
static inline __attribute__((always_inline)) void walk_copy(uint8_t *to, const uint8_t *from,
                                                            uint32_t width_px, uint32_t height_px,
                                                            const struct walk *walk,
                                                            unsigned channels)
{
    const ptrdiff_t pixel = channels;
    const ptrdiff_t row = pixel * width_px;
    const uint8_t *start = from;
    start += walk->start_right ? pixel * ((ptrdiff_t)width_px - 1) : 0;
    start += walk->start_bottom ? row * ((ptrdiff_t)height_px - 1) : 0;
    const ptrdiff_t along_row = walk->start_right ? -pixel : pixel;
    const ptrdiff_t along_column = walk->start_bottom ? -row : row;

    const ptrdiff_t step_x = walk->swap ? along_column : along_row;
    const ptrdiff_t step_y = walk->swap ? along_row : along_column;
    const uint32_t width = walk->swap ? height_px : width_px;
    const uint32_t height = walk->swap ? width_px : height_px;
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++, to += channels)
            memcpy(to, start + (ptrdiff_t)y * step_y + (ptrdiff_t)x * step_x, channels);
}

void img_orient_copy(uint8_t *to, const uint8_t *from, uint32_t width_px, uint32_t height_px,
                     unsigned channels, int orientation)
{
    const struct walk *walk = walk_of(orientation);
    switch (channels) {
    case 1:
        walk_copy(to, from, width_px, height_px, walk, 1);
        break;
    case 2:
        walk_copy(to, from, width_px, height_px, walk, 2);
        break;
    case 3:
        walk_copy(to, from, width_px, height_px, walk, 3);
        break;
    default:
        walk_copy(to, from, width_px, height_px, walk, 4);
        break;
    }
}

int img_orient(struct img_picture *picture, int orientation, struct img_buffer *room)
{
    if (orientation < 2 || orientation > 8)
        return 0;
    const size_t pixels = (size_t)picture->width_px * picture->height_px;
    if (img_buffer_need(room, pixels * IMG_CHANNELS_MAX) < 0)
        return -ENOMEM;
    img_orient_copy(room->data, picture->pixels, picture->width_px, picture->height_px,
                    img_layout_channels(picture->layout), orientation);
    picture->pixels = room->data;
    if (walk_of(orientation)->swap) {
        const uint32_t width_px = picture->width_px;
        picture->width_px = picture->height_px;
        picture->height_px = width_px;
    }
    return 0;
}
