/* scene_priv.h: a composed scene, between photo_scene.c, which composes it, and photo_surface.c,
 * which paints its surfaces. */
#ifndef SAMPLES_SCENE_PRIV_H
#define SAMPLES_SCENE_PRIV_H

#include "photo_priv.h"

enum { SCENE_LAYERS_MAX = 8 };

struct colour {
    float r, g, b; /* 0..255, sRGB */
};

/* One hour and season. The ground is darker than the sky everywhere, as in most photos. */
struct palette {
    struct colour zenith, horizon, glow; /* sky; glow is the light around the sun */
    struct colour far, near, ground;     /* the furthest ridge, the nearest, the meadow */
    struct colour water;
    bool snow; /* on the furthest ridges */
};

enum material { ROCK, FOREST, LAKE, MEADOW };

struct layer {
    enum material material;
    float *top_px; /* owned, one per column; where the outline is */
    struct colour colour;
    float haze; /* 0..1: how much of the air's colour lies over it */
    bool snow;
    float u, v; /* where it reads the tiles */
};

struct scene {
    const struct photo_noise *noise; /* borrowed */
    struct photo *photo;             /* borrowed */
    const struct palette *palette;
    float width, height;
    float horizon;            /* fraction of the height */
    float sun_x_px, sun_y_px; /* the sun's centre */
    float cover;              /* how much of the sky is cloud, -1..1 */
    float moment_u, moment_v; /* where clouds and waves read the tiles: differs by shot */
    unsigned grain_x, grain_y;
    float grain;         /* its strength */
    float texels_per_px; /* that a tile of rock spans a third of the picture */
    int layers;
    struct layer layer[SCENE_LAYERS_MAX];
};

/* Neighbouring columns of one row that show the same layer. */
struct run {
    int y;
    int from, to; /* columns from..to-1 */
};

/** Paint a run of one layer, or of the sky where layer is NULL. */
void scene_paint_run(const struct scene *scene, const struct layer *layer, struct run run);

static inline struct colour mix(struct colour a, struct colour b, float t)
{
    return (struct colour){a.r + t * (b.r - a.r), a.g + t * (b.g - a.g), a.b + t * (b.b - a.b)};
}

static inline struct colour lit(struct colour c, float light)
{
    return (struct colour){c.r * light, c.g * light, c.b * light};
}

static inline float clamped(float value, float low, float high)
{
    return value < low ? low : value > high ? high : value;
}

#endif
