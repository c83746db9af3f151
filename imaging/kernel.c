#include "kernel_priv.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define LOBES      3
#define SHIFT_MAX  22
#define KEEP_BYTES ((size_t)2 * 1024 * 1024) /* what a picture may leave behind per array */

/* The same arrays while they are written. */
struct kernel_arrays {
    uint32_t *first;
    uint32_t *taps;
    float *weights;
    int16_t *whole;
};

/* ---- Weights ---- */

/* An angle that grows by a constant step: its sine without a call for each. */
struct turning {
    double sine, cosine;
};

static struct turning turning_start(double angle)
{
    return (struct turning){sin(angle), cos(angle)};
}

static inline struct turning turned_by(struct turning from, struct turning step)
{
    return (struct turning){from.sine * step.cosine + from.cosine * step.sine,
                            from.cosine * step.cosine - from.sine * step.sine};
}

/* What all destination pixels have in common. */
struct spread {
    double step;
    double scale;
    struct turning turn; /* of pi / LOBES a pixel, scaled */
};

/* The product of sinc(x) and sinc(x / 3), with the sine of pi x / 3 alone: that of the threefold
 * angle is 3 s - 4 s^3. */
static inline double lanczos(double x, double sine)
{
    if (fabs(x) < 1e-7)
        return 1;
    if (fabs(x) >= LOBES)
        return 0;
    const double square = sine * sine;
    return LOBES / (M_PI * M_PI) * square * (3 - 4 * square) / (x * x);
}

/* The weight of a pixel that the picture covers in part: it counts in part, with its centre in the
 * middle of that part. */
static double weight_of_part(uint32_t pixel, double covered, double centre, double scale)
{
    if (covered <= 0)
        return 0;
    const double x = (pixel + covered / 2 - centre) / scale;
    return covered * lanczos(x, sin(x * M_PI / LOBES));
}

/* At scale 1 every pixel is copied. */
static void pixel_copy(const struct kernel_arrays *arrays, uint32_t index, uint32_t stride,
                       bool even)
{
    const uint32_t lead = even ? index % 2 : 0;
    float *weights = arrays->weights + (size_t)index * stride;
    arrays->first[index] = index - lead;
    arrays->taps[index] = 1 + lead;
    weights[0] = 0;
    weights[lead] = 1;
}

/* A blurred pixel is off by a part of its second difference: a mean over a pixel by 1/24. Taking
 * that from the source's pixels is the same as taking it from the weights; past its edges the
 * source goes on as its last pixel. */
static void weights_sharpen(float *weights, uint32_t count, float sharpen, bool at_start,
                            bool at_end)
{
    float before = at_start ? weights[0] : 0;
    for (uint32_t i = 0; i < count; i++) {
        const float here = weights[i];
        const float after = i + 1 < count ? weights[i + 1] : at_end ? here : 0;
        weights[i] = here + (2 * here - before - after) * sharpen;
        before = here;
    }
}

/* One destination pixel. */
static void pixel_weigh(const struct kernel_arrays *arrays, uint32_t index, uint32_t stride,
                        const struct img_axis *axis, const struct spread *spread)
{
    const double scale = spread->scale;
    const double centre = axis->origin_px + (index + 0.5) * spread->step;
    const double low = floor(centre - LOBES * scale);
    const double high = ceil(centre + LOBES * scale);
    const double margin = axis->sharpen != 0 ? 1 : 0;
    uint32_t from = low > margin ? (uint32_t)(low - margin) : 0;
    const uint32_t to =
        high + margin < axis->source_px ? (uint32_t)(high + margin) : axis->source_px;
    if (axis->even)
        from -= from % 2;

    const double start = (from + 0.5 - centre) / scale;
    struct turning turning = turning_start(start * M_PI / LOBES);
    float *weights = arrays->weights + (size_t)index * stride;
    const double per_pixel = 1 / scale;
    const uint32_t whole_to = to <= axis->area_px ? to : (uint32_t)axis->area_px;
    double sum = 0;
    for (uint32_t i = from; i < whole_to; i++) {
        const double weight = lanczos((i + 0.5 - centre) * per_pixel, turning.sine);
        turning = turned_by(turning, spread->turn);
        weights[i - from] = (float)weight;
        sum += weight;
    }
    for (uint32_t i = whole_to > from ? whole_to : from; i < to; i++) {
        const double weight = weight_of_part(i, axis->area_px - i, centre, scale);
        weights[i - from] = (float)weight;
        sum += weight;
    }
    arrays->first[index] = from;
    arrays->taps[index] = to - from;
    const double factor = 1 / sum;
    for (uint32_t i = 0; i < to - from; i++)
        weights[i] = (float)(weights[i] * factor);
    if (axis->sharpen != 0)
        weights_sharpen(weights, to - from, (float)axis->sharpen, from == 0, to == axis->source_px);
}

/* ---- Whole numbers ---- */

/* The most bits of fraction with which neither a weight leaves 16 bits nor a sum 32, with room for
 * what rounding adds: a weight is at most 1 off, and the sum of all magnitudes 1 a lobe. */
static unsigned shift_choose(const struct kernel_arrays *arrays, const struct img_kernel *kernel,
                             uint32_t sample_max)
{
    float largest = 0;
    double most = 0;
    for (uint32_t d = 0; d < kernel->count; d++) {
        const float *weights = arrays->weights + (size_t)d * kernel->stride;
        double sum = 0;
        for (uint32_t i = 0; i < arrays->taps[d]; i++) {
            const float magnitude = fabsf(weights[i]);
            sum += magnitude;
            largest = magnitude > largest ? magnitude : largest;
        }
        most = sum > most ? sum : most;
    }
    unsigned shift = SHIFT_MAX; /* bits */
    while (shift > 1 && (ldexp(largest, (int)shift) + 1 > INT16_MAX ||
                         (ldexp(most, (int)shift) + 8) * sample_max > INT32_MAX - (1 << 24)))
        shift--;
    return shift;
}

/* Rounding is carried from weight to weight, so that nothing is lost over a few of them. */
static void pixel_round(const struct kernel_arrays *arrays, const struct img_kernel *kernel,
                        uint32_t index)
{
    const float *weights = arrays->weights + (size_t)index * kernel->stride;
    int16_t *whole = arrays->whole + (size_t)index * kernel->stride;
    const uint32_t taps = arrays->taps[index];
    const int32_t one = 1 << kernel->shift;
    double sum = one + 0.5; /* never below 0, so that dropping the fraction rounds */
    int32_t given = one;
    for (uint32_t i = 0; i < taps; i++) {
        sum += (double)weights[i] * one;
        const int32_t due = i + 1 < taps ? (int32_t)sum : 2 * one;
        whole[i] = (int16_t)(due - given);
        given = due;
    }
    memset(whole + taps, 0, (kernel->stride - taps) * sizeof(*whole));
}

/* ---- Where the kernel is ---- */

static double axis_step(const struct img_axis *axis)
{
    return axis->step_px > 0 ? axis->step_px : axis->area_px / axis->count;
}

static bool is_whole(double number)
{
    return number == floor(number);
}

/* Pixels at the ends of a row are taken for the picture's edge, so there are some more than have
 * weight: for the rounding of places, for sharpening, for evenness. */
#define NARROW_MARGIN_PX 3

void img_axis_narrow(struct img_axis *axis, uint32_t *ret_first)
{
    const double step = axis_step(axis);
    const double reach = LOBES * (step > 1 ? step : 1) + NARROW_MARGIN_PX;
    double low = floor(axis->origin_px + 0.5 * step - reach);
    double high = ceil(axis->origin_px + (axis->count - 0.5) * step + reach);
    const bool copies = step == 1 && axis->sharpen == 0 && is_whole(axis->origin_px) &&
                        axis->origin_px >= 0 && axis->origin_px + axis->count <= axis->source_px;
    if (copies) {
        low = axis->origin_px;
        high = axis->origin_px + axis->count;
    }
    const uint32_t first = low > 0 ? (uint32_t)low : 0;
    const uint32_t end = high < axis->source_px ? (uint32_t)high : axis->source_px;
    if (first == 0 && end == axis->source_px) {
        *ret_first = 0;
        return;
    }
    axis->step_px = step;
    axis->source_px = end - first;
    axis->area_px -= first;
    if (axis->area_px > axis->source_px)
        axis->area_px = axis->source_px;
    axis->origin_px -= first;
    *ret_first = first;
}

/* ---- Both ---- */

static int arrays_need(struct img_kernel *kernel, bool whole, struct kernel_arrays *arrays)
{
    /* A kernel of the longest side and the largest box has some ten million weights. */
    const size_t weights = (size_t)kernel->count * kernel->stride;
    struct img_buffer *room = kernel->room;
    for (unsigned i = 0; i < 4; i++)
        img_buffer_trim(&room[i], KEEP_BYTES);
    if (img_buffer_need(&room[0], kernel->count * sizeof(*arrays->first)) < 0 ||
        img_buffer_need(&room[1], kernel->count * sizeof(*arrays->taps)) < 0 ||
        img_buffer_need(&room[2], weights * sizeof(*arrays->weights)) < 0 ||
        (whole && img_buffer_need(&room[3], weights * sizeof(*arrays->whole)) < 0))
        return -ENOMEM;
    arrays->first = (uint32_t *)(void *)room[0].data;
    arrays->taps = (uint32_t *)(void *)room[1].data;
    arrays->weights = (float *)(void *)room[2].data;
    arrays->whole = whole ? (int16_t *)(void *)room[3].data : NULL;
    return 0;
}

static bool axes_are_equal(const struct img_axis *a, const struct img_axis *b)
{
    return a->source_px == b->source_px && a->area_px == b->area_px && a->count == b->count &&
           a->step_px == b->step_px && a->origin_px == b->origin_px && a->sharpen == b->sharpen &&
           a->sample_max == b->sample_max && a->even == b->even;
}

int img_kernel_init(struct img_kernel *kernel, const struct img_axis *axis)
{
    struct kernel_arrays arrays;
    if (axes_are_equal(&kernel->axis, axis))
        return 0;
    kernel->axis = (struct img_axis){0}; /* until all is done */
    const uint32_t count = axis->count;
    const double step = axis_step(axis);
    const bool copies =
        step == 1 && axis->origin_px == 0 && count <= axis->source_px && axis->sharpen == 0;
    const double scale = step > 1 ? step : 1;
    const struct spread spread = {step, scale, turning_start(M_PI / LOBES / scale)};
    const double reach = ceil(2 * LOBES * scale) + 5; /* with both ends */
    const uint32_t taps_max = reach < axis->source_px ? (uint32_t)reach : axis->source_px;
    kernel->count = count;
    kernel->copies = copies;
    kernel->stride = (taps_max + IMG_KERNEL_GROUP - 1) / IMG_KERNEL_GROUP * IMG_KERNEL_GROUP;
    if (arrays_need(kernel, axis->sample_max > 0, &arrays) < 0)
        return -ENOMEM;
    kernel->first = arrays.first;
    kernel->taps = arrays.taps;
    kernel->weights = arrays.weights;
    kernel->whole = arrays.whole;
    for (uint32_t d = 0; d < count; d++)
        if (copies)
            pixel_copy(&arrays, d, kernel->stride, axis->even);
        else
            pixel_weigh(&arrays, d, kernel->stride, axis, &spread);
    if (arrays.whole) {
        kernel->shift = shift_choose(&arrays, kernel, axis->sample_max);
        for (uint32_t d = 0; d < count; d++)
            pixel_round(&arrays, kernel, d);
    }
    kernel->axis = *axis;
    return 0;
}

void img_kernel_borrow(struct img_kernel *kernel, const struct img_kernel *from)
{
    kernel->axis = (struct img_axis){0};
    kernel->count = from->count;
    kernel->stride = from->stride;
    kernel->shift = from->shift;
    kernel->copies = from->copies;
    kernel->first = from->first;
    kernel->taps = from->taps;
    kernel->weights = from->weights;
    kernel->whole = from->whole;
}

void img_kernel_done(struct img_kernel *kernel)
{
    for (unsigned i = 0; i < 4; i++)
        img_buffer_done(&kernel->room[i]);
    *kernel = (struct img_kernel){0};
}
