#include "reference.h"

#include <math.h>
#include <stdlib.h>

#include "isolate.h"

static double sinc(double x)
{
    return fabs(x) < 1e-12 ? 1 : sin(M_PI * x) / (M_PI * x);
}

static bool has_alpha(unsigned channels)
{
    return channels == 2 || channels == 4;
}

/* ---- Resampling ---- */

/* The weights of one result pixel, which sum to 1; they begin at *ret_first. */
static double *weights_of(struct reference_axis axis, uint32_t length, uint32_t index,
                          uint32_t *ret_first, uint32_t *ret_end)
{
    const double step = axis.kept / axis.count, scale = step > 1 ? step : 1;
    const double centre = axis.first + (index + 0.5) * step;
    const double low = floor(centre - 3 * scale), high = ceil(centre + 3 * scale);
    const uint32_t first = low > 0 ? (uint32_t)low : 0;
    const uint32_t end = high < length ? (uint32_t)high : length;
    double *weights = calloc(end - first + 1, sizeof(*weights));
    double sum = 0;
    assert_non_null(weights);
    for (uint32_t i = first; i < end; i++) {
        const double x = (i + 0.5 - centre) / scale;
        weights[i - first] = fabs(x) < 3 ? sinc(x) * sinc(x / 3) : 0;
        sum += weights[i - first];
    }
    for (uint32_t i = first; i < end; i++)
        weights[i - first] /= sum;
    *ret_first = first;
    *ret_end = end;
    return weights;
}

/* Along the rows of a plane; the result has them as columns. */
static double *turned_lines(const double *plane, uint32_t width, uint32_t height,
                            struct reference_axis axis)
{
    double *result = calloc((size_t)axis.count * height, sizeof(*result));
    assert_non_null(result);
    for (uint32_t d = 0; d < axis.count; d++) {
        uint32_t first, end;
        double *weights = weights_of(axis, width, d, &first, &end);
        for (uint32_t y = 0; y < height; y++)
            for (uint32_t i = first; i < end; i++)
                result[(size_t)d * height + y] += weights[i - first] * plane[(size_t)y * width + i];
        free(weights);
    }
    return result;
}

struct sample reference_resampled(const struct sample *source, struct reference_axis across,
                                  struct reference_axis down)
{
    const double full = source->depth == 16 ? 65535 : 255;
    const unsigned n = source->channels;
    const size_t pixels = (size_t)source->width * source->height;
    const size_t results = (size_t)across.count * down.count;
    struct sample result = sample_new(across.count, down.count, n, 8);
    double *alpha = NULL;
    for (unsigned done = 0; done < n; done++) {
        const unsigned c = n - 1 - done; /* alpha first */
        double *plane = calloc(pixels, sizeof(*plane));
        assert_non_null(plane);
        for (size_t i = 0; i < pixels; i++) {
            plane[i] = source->samples[i * n + c] / full * 255;
            if (has_alpha(n) && c + 1 < n)
                plane[i] *= source->samples[i * n + n - 1] / full;
        }
        double *narrow = turned_lines(plane, source->width, source->height, across);
        double *small = turned_lines(narrow, source->height, across.count, down);
        for (size_t i = 0; i < results; i++) {
            double value = small[i];
            if (alpha)
                value = alpha[i] < 0.5 ? 0 : value * 255 / alpha[i];
            result.samples[i * n + c] = (uint16_t)(fmin(fmax(value, 0), 255) + 0.5);
        }
        free(plane), free(narrow);
        if (has_alpha(n) && !alpha)
            alpha = small;
        else
            free(small);
    }
    free(alpha);
    return result;
}

/* ---- Thumbnails ---- */

static uint32_t whole_pixels(double size)
{
    return size < 1 ? 1 : (uint32_t)(size + 0.5 + 1e-9);
}

static struct reference_axis cut(uint32_t side, uint32_t count, double scale, double shift)
{
    const double kept = count / scale;
    return (struct reference_axis){(side - kept) / 2 + shift / scale, kept, count};
}

static struct sample covering(const struct sample *upright, const struct img_options *options,
                              double shift)
{
    double width = options->box_width_px, height = options->box_height_px;
    if (!options->enlarge) {
        width = fmin(width, upright->width);
        height = fmin(height, upright->height);
    }
    const double scale = fmax(width / upright->width, height / upright->height);
    struct reference_axis across = cut(upright->width, (uint32_t)width, scale, shift);
    struct reference_axis down = cut(upright->height, (uint32_t)height, scale, shift);
    if (scale == 1) { /* pixels are copied */
        across.first = floor(across.first);
        down.first = floor(down.first);
    }
    return reference_resampled(upright, across, down);
}

static struct sample inside(const struct sample *upright, const struct img_options *options,
                            double shift)
{
    double scale = fmin((double)options->box_width_px / upright->width,
                        (double)options->box_height_px / upright->height);
    if (!options->enlarge)
        scale = fmin(scale, 1);
    const uint32_t width = whole_pixels(upright->width * scale);
    const uint32_t height = whole_pixels(upright->height * scale);
    return reference_resampled(upright,
                               (struct reference_axis){shift / scale, upright->width, width},
                               (struct reference_axis){shift / scale, upright->height, height});
}

static struct sample padded(struct sample picture, const struct img_options *options)
{
    const uint32_t left = (options->box_width_px - picture.width) / 2;
    const uint32_t top = (options->box_height_px - picture.height) / 2;
    const unsigned n = picture.channels;
    struct sample canvas = sample_new(options->box_width_px, options->box_height_px, n, 8);
    for (uint32_t y = 0; y < canvas.height; y++)
        for (uint32_t x = 0; x < canvas.width; x++)
            for (unsigned c = 0; c < n; c++) {
                const bool in =
                    x >= left && x < left + picture.width && y >= top && y < top + picture.height;
                const unsigned background =
                    has_alpha(n) && c + 1 == n ? 255 : options->background[n < 3 ? 0 : c];
                sample_at(&canvas, x, y)[c] =
                    (uint16_t)(in ? sample_at(&picture, x - left, y - top)[c] : background);
            }
    sample_free(&picture);
    return canvas;
}

struct sample reference_thumb(const struct sample *upright, const struct img_options *options,
                              double shift)
{
    if (options->fit == IMG_FIT_COVER)
        return covering(upright, options, shift);
    struct sample picture = inside(upright, options, shift);
    return options->fit == IMG_FIT_PAD ? padded(picture, options) : picture;
}
