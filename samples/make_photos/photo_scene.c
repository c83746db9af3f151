/* photo_scene.c: a landscape, painted upright, from the top row down.
 *
 * The scene is a stack of layers, far to near: ridges, perhaps a forest, then a lake or a meadow
 * that reaches the lower edge. A layer covers everything below its outline, so each column of a
 * row belongs to the nearest layer whose outline is above it, and above all outlines is sky. The
 * outlines are made monotonic first (a hidden ridge begins where what hides it begins), so while
 * the rows go down each column only ever steps to nearer layers.
 *
 * All lengths are fractions of the picture, so that one scene gives the same view at every size
 * and proportion. The lake reads the rows above it, which are finished by then. */
#include "scene_priv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TILE = PHOTO_TILE_PX, MASK = PHOTO_TILE_PX - 1 };

static const struct palette palettes[] = {
    /* noon */
    {.zenith = {74, 128, 200},
     .horizon = {196, 217, 234},
     .glow = {255, 250, 236},
     .far = {126, 150, 178},
     .near = {58, 84, 50},
     .ground = {104, 132, 54},
     .water = {46, 88, 106},
     .snow = true},
    /* dawn */
    {.zenith = {122, 150, 198},
     .horizon = {250, 206, 168},
     .glow = {255, 228, 176},
     .far = {158, 138, 156},
     .near = {62, 62, 64},
     .ground = {92, 98, 60},
     .water = {70, 86, 104},
     .snow = true},
    /* dusk */
    {.zenith = {104, 98, 150},
     .horizon = {248, 158, 104},
     .glow = {255, 206, 130},
     .far = {126, 96, 124},
     .near = {40, 36, 46},
     .ground = {58, 54, 42},
     .water = {48, 46, 70}},
    /* overcast */
    {.zenith = {170, 180, 190},
     .horizon = {216, 221, 224},
     .glow = {240, 240, 238},
     .far = {142, 154, 162},
     .near = {58, 74, 60},
     .ground = {88, 110, 58},
     .water = {74, 92, 98}},
    /* autumn */
    {.zenith = {98, 152, 210},
     .horizon = {224, 226, 218},
     .glow = {255, 244, 214},
     .far = {140, 142, 152},
     .near = {124, 78, 38},
     .ground = {146, 112, 48},
     .water = {58, 84, 96},
     .snow = true},
    /* after rain */
    {.zenith = {88, 112, 140},
     .horizon = {206, 214, 206},
     .glow = {250, 240, 214},
     .far = {110, 126, 138},
     .near = {40, 66, 48},
     .ground = {78, 112, 48},
     .water = {50, 76, 84}},
};

/* --- Outlines --- */

/* The outline of a ridge at u: sharp where peaks is 1, rounded where it is 0. */
static float ridge_at(const struct photo_noise *noise, float u, float v, float peaks)
{
    float height = 0, amplitude = 1;
    for (int octave = 0; octave < 3; octave++) { /* each tile holds seven octaves itself */
        const float n = photo_tile_at(noise->cloud, u, v);
        height += amplitude * (peaks * (0.6f - 1.6f * fabsf(n)) + (1 - peaks) * n);
        u *= 8;
        amplitude *= 0.07f;
    }
    return height;
}

static void outline_ridge(const struct scene *s, struct layer *layer, float base, float rise,
                          float peaks)
{
    const float span = (peaks > 0.5f ? 0.42f : 0.28f) * TILE / s->width;
    for (int x = 0; x < s->photo->width_px; x++) {
        const float height = ridge_at(s->noise, layer->u + (float)x * span, layer->v, peaks);
        layer->top_px[x] = s->height * (base - rise * height);
    }
}

/* Conifers along a level line: each a jagged triangle. */
static void outline_forest(const struct scene *s, struct layer *layer, float base, uint64_t *random)
{
    const int width_px = s->photo->width_px;
    for (int x = 0; x < width_px; x++) {
        const float n =
            photo_tile_at(s->noise->cloud, layer->u + (float)x * 0.3f * TILE / s->width, layer->v);
        layer->top_px[x] = s->height * (base - 0.012f * (1 + n));
    }
    float centre = 0;
    while (centre < s->width) {
        const float wood = photo_tile_at(s->noise->cloud,
                                         layer->u + centre * TILE / s->width * 0.6f, layer->v + 50);
        const float tall = s->height * photo_random_between(random, 0.03f, 0.075f) *
                           clamped(0.75f + wood, 0.25f, 1.4f);
        const float half = s->width * photo_random_between(random, 0.0035f, 0.007f);
        for (int x = (int)fmaxf(centre - half, 0); x < width_px && (float)x < centre + half; x++) {
            const float off = fabsf((float)x - centre) / half;
            const float branch = 0.12f * (off * 9 - floorf(off * 9)); /* tiers of twigs */
            const float top = s->height * base - tall * (1 - off + branch * off);
            layer->top_px[x] = fminf(layer->top_px[x], top);
        }
        centre += s->width * photo_random_between(random, 0.003f, 0.010f);
    }
}

static void outline_level(const struct scene *s, struct layer *layer, float base)
{
    for (int x = 0; x < s->photo->width_px; x++)
        layer->top_px[x] = floorf(s->height * base);
}

/* --- The scene --- */

static struct layer *add_layer(struct scene *s, enum material material, struct colour colour,
                               uint64_t *random)
{
    struct layer *layer = &s->layer[s->layers++];
    layer->material = material;
    layer->colour = colour;
    layer->u = photo_random_between(random, TILE, 2 * TILE);
    layer->v = photo_random_between(random, TILE, 2 * TILE);
    return layer;
}

/* Far to near. Every decision is drawn in a fixed order, so that a scene is its seed. */
static void compose_layers(struct scene *s, uint64_t *random)
{
    const struct palette *palette = s->palette;
    const int ridges = 3 + (int)(photo_random(random) % 3);
    const bool lake = photo_random(random) % 2 == 0;
    const bool forest = photo_random(random) % 3 != 0;
    const float rise = photo_random_between(random, 0.24f, 0.38f);
    for (int i = 0; i < ridges; i++) {
        const float near = (float)i / (float)(ridges - 1);
        struct layer *ridge =
            add_layer(s, ROCK, mix(palette->far, palette->near, near * near), random);
        ridge->haze = 0.38f * (1 - near) * (1 - near);
        ridge->snow = palette->snow && near < 0.4f;
        outline_ridge(s, ridge, s->horizon - 0.03f + 0.045f * near, rise * (1 - 0.70f * near),
                      1 - near);
    }
    const float shore = s->horizon + 0.045f;
    if (forest) {
        struct layer *trees = add_layer(s, FOREST, lit(palette->near, 0.62f), random);
        outline_forest(s, trees, shore + 0.004f, random);
    }
    struct layer *front =
        add_layer(s, lake ? LAKE : MEADOW, lake ? palette->water : palette->ground, random);
    outline_level(s, front, shore);
}

/* Where a nearer outline is higher, a ridge is not seen: both begin there, and the step is made
 * through it at once. See the head of the file. */
static void join_covered_outlines(struct scene *s)
{
    for (int i = s->layers - 2; i >= 0; i--)
        for (int x = 0; x < s->photo->width_px; x++)
            s->layer[i].top_px[x] = fminf(s->layer[i].top_px[x], s->layer[i + 1].top_px[x]);
}

static void compose(struct scene *s, uint64_t scene_seed, uint64_t shot_seed)
{
    uint64_t random = scene_seed;
    s->width = (float)s->photo->width_px;
    s->height = (float)s->photo->height_px;
    s->palette = &palettes[photo_random(&random) % (sizeof(palettes) / sizeof(palettes[0]))];
    s->horizon = photo_random_between(&random, 0.46f, 0.60f);
    s->sun_x_px = s->width * photo_random_between(&random, 0.12f, 0.40f);
    if (photo_random(&random) % 2)
        s->sun_x_px = s->width - s->sun_x_px;
    s->sun_y_px = s->height * s->horizon * photo_random_between(&random, 0.25f, 0.6f);
    s->cover = photo_random_between(&random, -0.15f, 0.35f);
    s->texels_per_px = 3 * TILE / s->width * 0.5f;
    compose_layers(s, &random);
    join_covered_outlines(s);

    uint64_t moment = shot_seed;
    s->moment_u = photo_random_between(&moment, 2 * TILE, 3 * TILE);
    s->moment_v = photo_random_between(&moment, 2 * TILE, 3 * TILE);
    s->grain_x = (unsigned)(photo_random(&moment) & MASK);
    s->grain_y = (unsigned)(photo_random(&moment) & MASK);
    s->grain = photo_random_between(&moment, 0.05f, 0.10f);
}

static int nearest_layer(const struct scene *s, int layer, int x, int y)
{
    while (layer + 1 < s->layers && s->layer[layer + 1].top_px[x] <= (float)y)
        layer++;
    return layer;
}

int photo_paint(const struct photo_noise *noise, uint64_t scene, uint64_t shot, struct photo *photo)
{
    const size_t width = (size_t)photo->width_px;
    struct scene s = {.noise = noise, .photo = photo};
    int8_t *layer_of = malloc(width); /* -1: still sky */
    float *tops = malloc(SCENE_LAYERS_MAX * width * sizeof(float));
    if (!layer_of || !tops) {
        free(layer_of);
        free(tops);
        return -ENOMEM;
    }
    memset(layer_of, -1, width);
    for (int i = 0; i < SCENE_LAYERS_MAX; i++)
        s.layer[i].top_px = tops + (size_t)i * width;
    compose(&s, scene, shot);

    for (int y = 0; y < photo->height_px; y++) {
        for (int x = 0; x < photo->width_px; x++)
            layer_of[x] = (int8_t)nearest_layer(&s, layer_of[x], x, y);
        for (int from = 0, to; from < photo->width_px; from = to) {
            for (to = from + 1; to < photo->width_px && layer_of[to] == layer_of[from];)
                to++;
            const struct layer *layer = layer_of[from] < 0 ? NULL : &s.layer[layer_of[from]];
            scene_paint_run(&s, layer, (struct run){y, from, to});
        }
    }
    free(layer_of);
    free(tops);
    return 0;
}
