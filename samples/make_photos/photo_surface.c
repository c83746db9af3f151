/* photo_surface.c: what sky, rock, forest, lake and meadow look like, a run of pixels at a time.
 *
 * Each surface reads the tiles of noise at two scales, one that grows with the picture and gives
 * it shape, and one near the pixel that costs a decoder what the detail of a lens does. */
#include "scene_priv.h"

#include <math.h>

enum { TILE = PHOTO_TILE_PX, MASK = PHOTO_TILE_PX - 1 };

static float smooth_step(float from, float to, float value)
{
    const float t = clamped((value - from) / (to - from), 0, 1);
    return t * t * (3 - 2 * t);
}

static uint8_t to_byte(float value)
{
    return (uint8_t)clamped(value + 0.5f, 0, 255);
}

/* Write one pixel with its grain: mostly brightness, a little colour. */
static inline void put(const struct scene *s, int x, int y, struct colour c)
{
    const unsigned column = (unsigned)x + s->grain_x, row = ((unsigned)y + s->grain_y) & MASK;
    const int8_t *grain_row = s->noise->grain + row * TILE;
    const float light = s->grain * (float)grain_row[column & MASK];
    const float tint = 0.4f * s->grain * (float)grain_row[(column + TILE / 3) & MASK];
    uint8_t *pixel = s->photo->pixels + 3 * ((size_t)y * (size_t)s->photo->width_px + (size_t)x);
    pixel[0] = to_byte(c.r + light + tint);
    pixel[1] = to_byte(c.g + light);
    pixel[2] = to_byte(c.b + light - tint);
}

static void paint_sky(const struct scene *s, struct run run)
{
    const struct palette *palette = s->palette;
    const float height = (float)run.y / (s->height * s->horizon); /* 0 top, 1 horizon */
    const struct colour air = mix(palette->zenith, palette->horizon, powf(fminf(height, 1), 1.3f));
    const struct colour cloud_colour = mix(palette->horizon, palette->glow, 0.6f);
    const float perspective = 1 / (1.25f - clamped(height, 0, 1)); /* clouds lie flat far away */
    const float v = s->moment_v + perspective * 90;
    const float u_step = perspective * 0.55f * TILE / s->width * 0.5f;
    const float fade = smooth_step(1.05f, 0.7f, height);
    const float glow_scale = 1 / (s->height * 0.16f), disc = s->height * 0.018f;
    for (int x = run.from; x < run.to; x++) {
        const float dx = (float)x - s->sun_x_px, dy = (float)run.y - s->sun_y_px;
        const float distance_sq = dx * dx + dy * dy;
        const float glow = 1 / (1 + distance_sq * glow_scale * glow_scale);
        struct colour c = mix(air, palette->glow, 0.85f * glow);
        if (distance_sq < disc * disc * 4)
            c = mix(c, (struct colour){255, 253, 240},
                    smooth_step(2, 0.9f, sqrtf(distance_sq) / disc));
        const float u = s->moment_u + ((float)x - 0.5f * s->width) * u_step + 4 * TILE;
        const float density = photo_tile_at(s->noise->cloud, u, v) +
                              0.25f * photo_tile_at(s->noise->cloud, u * 4, v * 5);
        const float cloud = fade * smooth_step(0.15f, 0.95f, density + s->cover);
        put(s, x, run.y, mix(c, lit(cloud_colour, 1.02f - 0.14f * cloud), 0.85f * cloud));
    }
}

static void paint_rock(const struct scene *s, const struct layer *layer, struct run run)
{
    const struct photo_noise *noise = s->noise;
    const struct colour haze_colour = s->palette->horizon;
    const struct colour snow_colour = mix((struct colour){238, 242, 250}, haze_colour, 0.25f);
    const float v = layer->v + (float)run.y * s->texels_per_px;
    const float *fine_row = noise->rock + ((run.y + (int)layer->v) & MASK) * TILE;
    const float mist_px = s->height * 0.30f;
    const float snow_line = s->height * (s->horizon - 0.13f), snow_px = s->height * 0.10f;
    const float contrast = 0.5f * (1 - 0.6f * layer->haze);
    for (int x = run.from; x < run.to; x++) {
        const float u = layer->u + (float)x * s->texels_per_px;
        const float slope = photo_tile_at(noise->rock, u, v);
        const float fine = fine_row[(x + (int)layer->u) & MASK];
        struct colour c = layer->colour;
        if (layer->snow) {
            const float above = (snow_line - (float)run.y) / snow_px;
            c = mix(c, snow_colour, smooth_step(0.1f, 0.5f, above + 0.75f * slope));
        }
        c = lit(c, clamped(1 + contrast * slope + 0.3f * contrast * fine, 0.35f, 1.5f));
        const float depth = clamped(((float)run.y - layer->top_px[x]) / mist_px, 0, 1);
        put(s, x, run.y, mix(c, haze_colour, clamped(layer->haze + 0.45f * depth, 0, 0.9f)));
    }
}

static void paint_forest(const struct scene *s, const struct layer *layer, struct run run)
{
    const struct photo_noise *noise = s->noise;
    const float v = layer->v + (float)run.y * s->texels_per_px * 2;
    const float depth_px = s->height * 0.05f;
    for (int x = run.from; x < run.to; x++) {
        const float u = layer->u + (float)x * s->texels_per_px * 7;
        const float needles = photo_tile_at(noise->rock, u, v);
        const float depth = clamped(((float)run.y - layer->top_px[x]) / depth_px, 0, 1);
        put(s, x, run.y, lit(layer->colour, 1 + 0.5f * needles - 0.35f * depth));
    }
}

static void paint_lake(const struct scene *s, const struct layer *layer, struct run run)
{
    const struct photo *photo = s->photo;
    const float shore = layer->top_px[0];                                /* level */
    const float near = ((float)run.y - shore) / (s->height - shore + 1); /* 0 far shore, 1 here */
    const float perspective = 1 / (0.06f + near);
    const float v = s->moment_v + perspective * 40;
    const float u_step = perspective * 0.35f * TILE / s->width;
    const float sway = s->height * 0.045f * near;
    const float glitter_px = s->width * (0.03f + 0.12f * near);
    const float tint = 0.22f + 0.38f * near;
    for (int x = run.from; x < run.to; x++) {
        const float u = s->moment_u + ((float)x - 0.5f * s->width) * u_step + 32 * TILE;
        const float wave = photo_tile_at(s->noise->cloud, u, v * 3);
        const float ripple = photo_tile_at(s->noise->rock, u * 1.7f, v * 5);
        const float mirrored = shore - 1 - ((float)run.y - shore) * 0.92f + sway * (wave + ripple);
        const int source_y = (int)clamped(mirrored, 0, shore - 1);
        const int source_x = (int)clamped((float)x + sway * 0.4f * ripple, 0, s->width - 1);
        const uint8_t *seen =
            photo->pixels + 3 * ((size_t)source_y * (size_t)photo->width_px + (size_t)source_x);
        struct colour c = {seen[0], seen[1], seen[2]};
        c = lit(mix(c, layer->colour, tint), 0.86f + 0.10f * ripple);
        const float off_sun = fabsf((float)x - s->sun_x_px) / glitter_px;
        const float glitter =
            smooth_step(0.55f, 1.1f, ripple + 0.3f * wave) / (1 + off_sun * off_sun);
        put(s, x, run.y, mix(c, s->palette->glow, 0.8f * glitter));
    }
}

static void paint_meadow(const struct scene *s, const struct layer *layer, struct run run)
{
    const struct photo_noise *noise = s->noise;
    const struct colour dry = {layer->colour.r * 1.25f, layer->colour.g * 1.05f,
                               layer->colour.b * 0.8f};
    const float top = layer->top_px[0];
    const float near = clamped(((float)run.y - top) / (s->height - top + 1), 0, 1);
    const float perspective = 1 / (0.10f + near);
    const float v = layer->v + perspective * 150;
    const float u_step = perspective * 0.5f * TILE / s->width;
    const float haze = 0.35f * (1 - near) * (1 - near);
    for (int x = run.from; x < run.to; x++) {
        const float u = layer->u + ((float)x - 0.5f * s->width) * u_step + 32 * TILE;
        const float patch = photo_tile_at(noise->cloud, u * 0.4f, v * 0.7f);
        const float blades = photo_tile_at(noise->rock, u * 5, v * 3);
        const float tufts = photo_tile_at(noise->rock, u * 1.3f, v * 1.1f);
        struct colour c = mix(layer->colour, dry, clamped(0.5f + patch, 0, 1));
        c = lit(c, clamped(0.80f + 0.28f * blades + 0.22f * tufts + 0.15f * patch, 0.3f, 1.35f));
        const float flower = photo_tile_at(noise->cloud, u * 9, v * 5 + 77);
        if (flower > 1.0f && patch > 0.1f)
            c = mix(c, (struct colour){236, 214, 90}, smooth_step(1.0f, 1.15f, flower));
        put(s, x, run.y, mix(c, s->palette->horizon, haze));
    }
}

void scene_paint_run(const struct scene *scene, const struct layer *layer, struct run run)
{
    static void (*const paint[])(const struct scene *, const struct layer *, struct run) = {
        [ROCK] = paint_rock, [FOREST] = paint_forest, [LAKE] = paint_lake, [MEADOW] = paint_meadow};
    if (layer)
        paint[layer->material](scene, layer, run);
    else
        paint_sky(scene, run);
}
