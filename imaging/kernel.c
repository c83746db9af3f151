#include "kernel_priv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define LOBES 3

static double lanczos(double x)
{
    x = fabs(x);
    if (x < 1e-9)
        return 1;
    if (x >= LOBES)
        return 0;
    const double pi_x = x * M_PI;
    return LOBES * sin(pi_x) * sin(pi_x / LOBES) / (pi_x * pi_x);
}

/* The weight of a source pixel. A pixel that the picture covers in part counts in part, with its
 * centre in the middle of that part. */
static double weight_of(uint32_t pixel, double centre, double scale, double area_px)
{
    double covered = area_px - pixel;
    if (covered > 1)
        covered = 1;
    if (covered <= 0)
        return 0;
    return covered * lanczos((pixel + covered / 2 - centre) / scale);
}

/* At scale 1 every pixel is copied. */
static void pixel_copy(struct img_kernel *kernel, uint32_t index)
{
    kernel->first[index] = index;
    kernel->taps[index] = 1;
    kernel->weights[(size_t)index * kernel->taps_max] = 1;
}

/* One destination pixel. raw has room for every tap. */
static void pixel_weigh(struct img_kernel *kernel, uint32_t index, double *raw, uint32_t source_px,
                        double area_px)
{
    const double step = area_px / kernel->count;
    const double scale = step > 1 ? step : 1;
    const double centre = (index + 0.5) * step;
    const double low = floor(centre - LOBES * scale);
    const double high = ceil(centre + LOBES * scale);
    const uint32_t from = low > 0 ? (uint32_t)low : 0;
    const uint32_t to = high < source_px ? (uint32_t)high : source_px;

    double sum = 0;
    for (uint32_t i = from; i < to; i++) {
        raw[i - from] = weight_of(i, centre, scale, area_px);
        sum += raw[i - from];
    }
    kernel->first[index] = from;
    kernel->taps[index] = to - from;
    float *weights = kernel->weights + (size_t)index * kernel->taps_max;
    for (uint32_t i = 0; i < to - from; i++)
        weights[i] = (float)(raw[i] / sum);
}

int img_kernel_init(struct img_kernel *kernel, uint32_t source_px, double area_px, uint32_t count)
{
    const double step = area_px / count;
    kernel->taps_max = (uint32_t)ceil(2 * LOBES * (step > 1 ? step : 1)) + 2; /* both ends */
    kernel->count = count;
    kernel->first = calloc(count, sizeof(*kernel->first));
    kernel->taps = calloc(count, sizeof(*kernel->taps));
    kernel->weights = calloc(count, kernel->taps_max * sizeof(*kernel->weights));
    double *raw = calloc(kernel->taps_max, sizeof(*raw));
    int r = kernel->first && kernel->taps && kernel->weights && raw ? 0 : -ENOMEM;
    if (r == 0) {
        for (uint32_t d = 0; d < count; d++)
            if (area_px == count)
                pixel_copy(kernel, d);
            else
                pixel_weigh(kernel, d, raw, source_px, area_px);
    } else {
        img_kernel_done(kernel);
    }
    free(raw);
    return r;
}

void img_kernel_done(struct img_kernel *kernel)
{
    free(kernel->first);
    free(kernel->taps);
    free(kernel->weights);
    *kernel = (struct img_kernel){0};
}
