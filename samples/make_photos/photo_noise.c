/* photo_noise.c: random numbers, and the noise that every texture is cut from.
 *
 * A picture asks for noise several times a pixel. Computing it there would cost more than the
 * rest together, so it is made once, in tiles that repeat without a seam; scenes read the tiles
 * at different places and scales, which is what makes them differ. */
#include "photo_priv.h"

#include <math.h>
#include <string.h>

enum { TILE = PHOTO_TILE_PX, MASK = PHOTO_TILE_PX - 1 };

#define TILE_SEED UINT64_C(0x7468756d62706f6f) /* any number: it decides the tiles' content */

uint64_t photo_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

float photo_random_between(uint64_t *state, float low, float high)
{
    const float unit = (float)(photo_random(state) >> 40) / (float)(1 << 24);
    return low + (high - low) * unit;
}

/* A number from -1 to 1 that belongs to a grid point of one octave. */
static float grid_value(int cells, int row, int column)
{
    uint64_t state = TILE_SEED + ((uint64_t)cells << 40) + ((uint64_t)row << 20) + (uint64_t)column;
    return photo_random_between(&state, -1, 1);
}

/* Add one octave: random values on a grid of cells x cells, smoothly joined. */
static void add_octave(float *tile, int cells, float amplitude)
{
    const int cell_px = TILE / cells;
    for (int y = 0; y < TILE; y++) {
        const int row = y / cell_px, next_row = (row + 1) % cells;
        const float t = (float)(y % cell_px) / (float)cell_px;
        const float fv = t * t * (3 - 2 * t);
        for (int x = 0; x < TILE; x++) {
            const int column = x / cell_px, next_column = (column + 1) % cells;
            const float s = (float)(x % cell_px) / (float)cell_px;
            const float fu = s * s * (3 - 2 * s);
            const float left = grid_value(cells, row, column);
            const float lower_left = grid_value(cells, next_row, column);
            const float top = left + fu * (grid_value(cells, row, next_column) - left);
            const float bottom =
                lower_left + fu * (grid_value(cells, next_row, next_column) - lower_left);
            tile[y * TILE + x] += amplitude * (top + fv * (bottom - top));
        }
    }
}

/* Mean 0, standard deviation as asked. */
static void normalise(float *tile, float deviation)
{
    double sum = 0, squares = 0;
    const int count = TILE * TILE;
    for (int i = 0; i < count; i++) {
        sum += tile[i];
        squares += (double)tile[i] * tile[i];
    }
    const double mean = sum / count;
    const double scale = deviation / sqrt(squares / count - mean * mean);
    for (int i = 0; i < count; i++)
        tile[i] = (float)((tile[i] - mean) * scale);
}

/* Light from the upper left on the cloud tile taken as a height map. */
static void make_relief(const float *height, float *rock)
{
    for (int y = 0; y < TILE; y++) {
        for (int x = 0; x < TILE; x++) {
            const float here = 1 - fabsf(height[y * TILE + x]); /* creases become crests */
            const float lower_right = 1 - fabsf(height[((y + 1) & MASK) * TILE + ((x + 2) & MASK)]);
            rock[y * TILE + x] = here - lower_right;
        }
    }
    normalise(rock, 0.5f);
}

/* Close to a Gaussian: the sum of four even distributions from -1 to 1, deviation 1.155. */
static float white_at(int x, int y)
{
    uint64_t state = ~TILE_SEED + ((uint64_t)(y & MASK) << 20) + (uint64_t)(x & MASK);
    const uint64_t bits = photo_random(&state);
    const uint32_t sum = (uint32_t)(bits & 0xffff) + (uint32_t)(bits >> 16 & 0xffff) +
                         (uint32_t)(bits >> 32 & 0xffff) + (uint32_t)(bits >> 48);
    return (float)sum / 32768.0f - 4;
}

/* Grain is nearly white, but demosaicing and noise reduction tie neighbours a little. */
static void make_grain(int8_t *grain)
{
    for (int y = 0; y < TILE; y++) {
        for (int x = 0; x < TILE; x++) {
            const float soft = white_at(x, y) + 0.55f * (white_at(x + 1, y) + white_at(x, y + 1));
            grain[y * TILE + x] = (int8_t)fminf(fmaxf(soft * 21.9f, -127), 127);
        }
    }
}

void photo_noise_init(struct photo_noise *noise)
{
    memset(noise, 0, sizeof(*noise));
    float amplitude = 1;
    for (int cells = 4; cells <= TILE / 2; cells *= 2) {
        add_octave(noise->cloud, cells, amplitude);
        amplitude *= 0.52f;
    }
    normalise(noise->cloud, 0.4f);
    make_relief(noise->cloud, noise->rock);
    make_grain(noise->grain);
}
